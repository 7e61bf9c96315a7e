//! What applies to a request, for `alula explain` to show.

use super::RouteTable;
use crate::asked::Asked;
use crate::htaccess::Htaccess;
use crate::layers::{Fitting, held_in_htaccess};
use crate::passing::PREFIX;
use crate::route::{Action, Found, VirtualHostId};
use alula_config::expression::Condition;
use alula_config::site::{Merging, Origin};
use alula_http::path::merge_slashes;
use std::sync::Arc;

/// A section, or a `.htaccess` file, that applies to a request.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The line it begins with; of a file, its path.
    pub heading: String,
    /// Where that stands.
    pub origin: Origin,
    /// Whether its `Order`, `Allow` and `Deny` replace those before it.
    pub has_order: bool,
    /// How its `Require` lines go with those before it, where it has any.
    pub requires: Option<Merging>,
}

impl RouteTable {
    /// What applies to a request that was found, in the order it applies. To be shown, not to be asked for each request.
    pub fn applied(
        &self,
        host: VirtualHostId,
        found: &Found,
        asked: &Asked,
        htaccess: &[Arc<Htaccess>],
    ) -> Vec<Applied> {
        let server = self.server(host);
        let dynamic = found.dynamic.as_deref();
        let path = dynamic.and_then(|dynamic| dynamic.path.as_deref());
        let merged = merge_slashes(path.unwrap_or(asked.path));
        let number = |index| u32::try_from(index).unwrap_or(u32::MAX);
        let (mut of_file, mut locations) = (Vec::new(), Vec::new());
        let script = match &found.route.action {
            Action::Wsgi(_) => server.script(server.mappings.find(&merged)),
            _ => None,
        };
        let before = self.before_a_rule(host, found, asked, htaccess);
        let file = before.as_ref().unwrap_or(found).file.as_ref();
        let file = script.or(file.map(|file| file.as_os_str().as_encoded_bytes()));
        match file.map(|file| (file, file.strip_prefix(PREFIX))) {
            None => {}
            Some((_, Some(url))) => server
                .sections
                .proxies(url, |index| of_file.push(number(index))),
            Some((file, None)) => server
                .sections
                .file(file, |index| of_file.push(number(index))),
        }
        server
            .sections
            .locations(&merged, |index| locations.push(number(index)));
        let fitting = [&of_file[..], &locations].concat();
        let mut conditions = Vec::new();
        self.with_facts(host, Some(found), asked, |facts| {
            let holds = |condition: &Condition| facts.holds(condition);
            server
                .sections
                .conditions(&fitting, &holds, |index| conditions.push(number(index)));
            conditions.extend(held_in_htaccess(htaccess, file, &holds));
        });
        let fitting = Fitting {
            sections: &server.sections,
            of_file: &of_file,
            htaccess,
            file,
            locations: &locations,
            conditions: &conditions,
        };
        let mut applied = Vec::new();
        fitting.each(|layer| {
            let (heading, origin) = layer.heading();
            let settings = layer.settings();
            applied.push(Applied {
                heading,
                origin,
                has_order: settings.order.is_some(),
                requires: (settings.access.is_some() || settings.auth_merging.is_some())
                    .then(|| settings.auth_merging.unwrap_or(Merging::Off)),
            });
        });
        applied
    }

    /// What was found of a request before a rule of a section has passed it on: the sections of that file apply.
    fn before_a_rule(
        &self,
        host: VirtualHostId,
        found: &Found,
        asked: &Asked,
        htaccess: &[Arc<Htaccess>],
    ) -> Option<Found> {
        let is_passed_on = matches!(found.route.action, Action::Proxy(_));
        let dynamic = found.dynamic.as_ref()?;
        // One that started again is where the rules outside sections have sent it.
        (is_passed_on && dynamic.rounds == 0).then(|| self.find_for(host, asked, None, htaccess))
    }
}
