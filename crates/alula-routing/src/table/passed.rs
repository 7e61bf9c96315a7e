//! The routes of requests that are passed on: by `ProxyPass` and its kin, and by a rule of a section.

use super::{RouteTable, found, path_buf};
use crate::cache::{Key, Mark};
use crate::mapping::Mapped;
use crate::passing::Passed;
use crate::route::{Action, Found, Route, VirtualHostId};
use alula_config::expression::Condition;
use std::sync::Arc;

impl RouteTable {
    /// What a request that is passed on leads to; `path` is the one asked for, and the same with its slashes merged.
    pub(super) fn passed(
        &self,
        host: VirtualHostId,
        mut key: Key,
        passed: Passed,
        path: (&[u8], &[u8]),
        judge: &dyn Fn(&Condition, Option<&[u8]>) -> bool,
    ) -> Found {
        let server = self.server(host);
        let locations = key.as_slice().len();
        key.mark(Mark::Proxy);
        key.push(passed.number);
        let url = &passed.file[crate::passing::PREFIX.len()..];
        server.sections.proxies(url, |index| key.push(index));
        let proxies = key.as_slice().len();
        let in_order = |key: &[u32]| [&key[locations + 2..proxies], &key[1..locations]].concat();
        if server.sections.has_conditions() {
            let fitting = in_order(key.as_slice());
            let holds = |condition: &Condition| judge(condition, Some(&passed.file));
            key.mark(Mark::Conditions);
            server
                .sections
                .conditions(&fitting, &holds, |index| key.push(index));
        }
        let conditions: Box<[u32]> = key.as_slice().get(proxies + 1..).unwrap_or_default().into();
        let route = self.kept(&key, |key| {
            let settings = server.overlaid(&[&in_order(key)[..], &conditions].concat());
            Route {
                action: Action::Proxy(server.passing.route(&passed)),
                ..server.route(host, &settings, Mapped::Nowhere)
            }
        });
        let (path, merged) = path;
        let mut found = found(route, Some(path_buf(passed.file)), path, merged);
        found.conditions = conditions;
        found
    }

    /// The route of a request that a rule of a section passes on: with the same settings.
    pub(super) fn passed_by_rule(&self, host: VirtualHostId, route: &Arc<Route>) -> Arc<Route> {
        let mut key = Key::new();
        key.push(host.0);
        key.mark(Mark::Ruled);
        key.push(route.id.0);
        self.kept(&key, |_| Route {
            action: Action::Proxy(self.server(host).passing.route_by_rule()),
            rewriting: None,
            when_declined: None,
            ..Route::clone(route)
        })
    }
}
