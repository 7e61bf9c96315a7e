//! From a Python route to a file of the project (`PythonStatic On`).
//!
//! The file's route is the sum of the same locations, with the sections of the file's directory before them, so that whoever
//! may not see the project may not see its files. An `Alias` for the URL goes before the project's settings.

use super::{RouteTable, path_buf};
use crate::cache::{Key, Mark};
use crate::htaccess::Htaccess;
use crate::layers::{Fitting, held_in_htaccess};
use crate::mapping::Mapped;
use crate::route::{Action, Found, VirtualHostId};
use crate::site_files::InProject;
use alula_config::expression::Condition;
use alula_config::site::HandlerChoice;
use std::sync::Arc;

impl RouteTable {
    /// What was found, unless the path is one of the project's own for files.
    pub(super) fn or_site_file(
        &self,
        host: VirtualHostId,
        found: Found,
        (path, merged): (&[u8], &[u8]),
        htaccess: &[Arc<Htaccess>],
        judge: &dyn Fn(&Condition, Option<&[u8]>) -> bool,
    ) -> Found {
        let (interpreter, root) = match &found.route.action {
            Action::Python(python) => (
                python.interpreter.as_str(),
                python.django_root.as_deref().unwrap_or_default(),
            ),
            Action::Wsgi(wsgi) => (wsgi.interpreter.as_str(), wsgi.script_name.as_str()),
            Action::Files(_) | Action::Proxy(_) | Action::ServerStatus | Action::Status(_) => {
                return found;
            }
        };
        let ask = |mut found: Found| {
            if let Some(asking) = found.route.site_files.clone() {
                found.route = asking;
            }
            found
        };
        let server = self.server(host);
        let (mount, below) = match self.site_files.find(interpreter, root, merged) {
            InProject::Unknown => return ask(found),
            InProject::Elsewhere => return found,
            InProject::Below(mount, below) => (mount, below),
        };
        let mapped = server.mappings.find(merged);
        let alias = matches!(mapped, Mapped::By { .. } if server.script(mapped).is_none());
        let (number, mapped, file) = match (mapped, &mount.root) {
            (Mapped::By { index, .. }, _) if alias => {
                (index, mapped, server.mappings.file(mapped, merged))
            }
            (_, Some(root)) => {
                let file = [root.as_os_str().as_encoded_bytes(), b"/", below].concat();
                (
                    Key::SITE_FILE_MAPPING - mount.number,
                    Mapped::Anywhere,
                    Some(file),
                )
            }
            (_, None) => return ask(found),
        };
        let Some(file) = file else { return found };
        let mut locations = Vec::new();
        let mut sections = Vec::new();
        let short = |index| u32::try_from(index).unwrap_or(u32::MAX);
        server
            .sections
            .locations(merged, |index| locations.push(short(index)));
        server
            .sections
            .file(&file, |index| sections.push(short(index)));
        let mut conditions = Vec::new();
        if server.sections.has_conditions() {
            let fitting = [&*sections, &*locations].concat();
            let holds = |condition: &Condition| judge(condition, Some(&file));
            server
                .sections
                .conditions(&fitting, &holds, |index| conditions.push(short(index)));
        }
        let holds = |condition: &Condition| judge(condition, Some(&file));
        conditions.extend(held_in_htaccess(htaccess, Some(&file), &holds));
        let mut key = Key::new();
        key.push(host.0);
        key.mark(Mark::SiteFiles);
        key.push(number);
        for (mark, numbers) in [
            (Mark::Files, &locations),
            (Mark::Files, &sections),
            (Mark::Conditions, &conditions),
        ] {
            key.mark(mark);
            numbers.iter().for_each(|&index| key.push(index as usize));
        }
        key.mark(Mark::Htaccess);
        htaccess.iter().for_each(|read| key.push(read.id as usize));
        let route = self.kept(&key, |_| {
            let fitting = Fitting {
                sections: &server.sections,
                of_file: &sections,
                htaccess,
                file: Some(&file),
                locations: &locations,
                conditions: &conditions,
            };
            let mut settings = fitting.over(&server.settings);
            settings.handler = Some(HandlerChoice::Files);
            let mut route = server.route(host, &settings, mapped);
            if let (Action::Files(files), Some(root), false) =
                (&mut route.action, &mount.root, alias)
            {
                files.root.clone_from(root);
                files.caching = Some(mount.caching.clone());
            }
            route
        });
        Found {
            conditions: conditions.into(),
            ..super::found(route, Some(path_buf(file)), path, merged)
        }
    }
}
