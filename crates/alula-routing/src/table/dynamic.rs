//! What depends on more than the path: `SetEnvIf`, expressions, rewrite rules. Asked of no virtual host that has none.

use super::{RouteTable, path_buf};
use crate::asked::{Asked, Facts};
use crate::cache::Key;
use crate::htaccess::Htaccess;
use crate::redirect::Redirected;
use crate::rewrite::Changes;
use crate::rewrite::section::{FixedUp, ROUNDS_MAX, Roots, fix_up};
use crate::rewrite::server::{Translated, translate};
use crate::route::{Dynamic, Found, VirtualHostId};
use crate::setenvif;
use crate::variables::Variables;
use alula_config::expression::Condition;
use alula_config::site::Judge;
use alula_http::path::merge_slashes;
use bytes::Bytes;
use std::sync::Arc;

/// A request that was found, for access rules to ask.
#[derive(Debug)]
pub struct Asking<'a> {
    table: &'a RouteTable,
    host: VirtualHostId,
    found: &'a Found,
    asked: Asked<'a>,
}

impl Judge for Asking<'_> {
    fn holds(&self, condition: &Condition, user: Option<&str>) -> bool {
        let asked = Asked { user, ..self.asked };
        let (host, found) = (self.host, Some(self.found));
        self.table
            .with_facts(host, found, &asked, |facts| facts.holds(condition))
    }
}

/// What comes after access was checked.
#[derive(Debug)]
pub enum FixUp {
    /// The request goes on.
    Same,
    /// It starts again, with this.
    Again(Box<Dynamic>),
    /// This is the answer.
    Answer(Box<Redirected>),
}

impl RouteTable {
    /// The route for a request. `started` is what it started again with ([`RouteTable::fix_up`]).
    pub fn find_for(
        &self,
        host: VirtualHostId,
        asked: &Asked,
        started: Option<Box<Dynamic>>,
        htaccess: &[Arc<Htaccess>],
    ) -> Found {
        let server = self.server(host);
        let is_first = started.is_none();
        let mut dynamic = started.unwrap_or_default();
        let path = dynamic.path.clone();
        let path = path.as_deref().unwrap_or(asked.path);
        let merged = merge_slashes(path);
        let query = dynamic.query.clone();
        let query = query.as_ref().map_or(asked.query, Option::as_deref);
        let no_variables = Variables::default();
        let facts = Facts {
            asked,
            identity: &server.identity,
            path: &merged,
            query,
            file: None,
            file_length: None,
            variables: &no_variables,
            environment: &[],
            handler: "",
        };
        setenvif::apply(&server.set_env_if, &facts, &mut dynamic.changes.variables);
        let has_names = server.sections.has_names();
        if has_names {
            let variables = &mut dynamic.changes.variables;
            server.sections.location_names(&merged, variables);
        }

        let mut new_path = None;
        let mut file = None;
        let mut new_query = None;
        let switched_on = server.has_rewriting && {
            let facts = Facts {
                variables: &dynamic.changes.variables,
                ..facts
            };
            server.rewrites(&merged, &|condition| facts.holds(condition))
        };
        if switched_on {
            let rewriting = &server.rewriting;
            let (translated, query) =
                translate(rewriting, &server.maps, &facts, &mut dynamic.changes);
            new_query = Some(query);
            match translated {
                Translated::Same => {}
                // What a rule joins shall be a path: `/app.wsgi/$1` with a `$1` that starts with a slash.
                Translated::Path(path) => new_path = Some(merge_slashes(&path).into_owned()),
                Translated::File(path) | Translated::Proxy(path) => file = Some(path),
                Translated::Answer(redirected) => {
                    dynamic.query = new_query.map(|query| query.map(Bytes::from));
                    let mut key = Key::new();
                    key.push(host.0);
                    server.sections.locations(&merged, |index| key.push(index));
                    let mut found = self.redirected(host, key, Box::new(redirected));
                    found.dynamic = Some(dynamic);
                    return found;
                }
            }
        }
        if let Some(query) = &new_query
            && query.as_deref() != facts.query
        {
            dynamic.query = Some(query.clone().map(Bytes::from));
        }
        if let Some(path) = new_path {
            dynamic.path = Some(path.into());
        }
        let path = dynamic.path.clone();
        let path = path.as_deref().unwrap_or(asked.path);
        let merged = merge_slashes(path);
        let query = match &new_query {
            Some(query) => query.as_deref(),
            None => facts.query,
        };
        let judge = |condition: &Condition, file: Option<&[u8]>| {
            let facts = Facts {
                path: &merged,
                query,
                file,
                variables: &dynamic.changes.variables,
                ..facts
            };
            facts.holds(condition)
        };
        let mut found = self.look_up(host, path, &merged, file, htaccess, &judge);
        if has_names {
            let variables = &mut dynamic.changes.variables;
            server.sections.location_names(&merged, variables);
            if let Some(file) = server.whole_file(&found, &merged) {
                server.sections.file_names(&file, variables);
            }
        }
        if is_first && !found.route.set_env_if.is_empty() {
            let lines = found.route.set_env_if.clone();
            let file = server.whole_file(&found, &merged);
            let facts = Facts {
                path: &merged,
                query,
                file: file.as_deref(),
                ..facts
            };
            setenvif::apply(&lines, &facts, &mut dynamic.changes.variables);
        }
        found.dynamic = Some(dynamic);
        found
    }

    /// Does what comes after access was checked: the rewrite rules of sections.
    pub fn fix_up(&self, host: VirtualHostId, found: &mut Found, asked: &Asked) -> FixUp {
        let Some(rewriting) = found.route.rewriting.clone() else {
            return FixUp::Same;
        };
        let server = self.server(host);
        let mut dynamic = found.dynamic.take().unwrap_or_default();
        let path = dynamic.path.clone();
        let path = path.as_deref().unwrap_or(asked.path);
        let merged = merge_slashes(path);
        let query = dynamic.query.clone();
        let file = server.whole_file(found, &merged);
        let before = dynamic.changes.variables.clone();
        let facts = Facts {
            asked,
            identity: &server.identity,
            path: &merged,
            query: query.as_ref().map_or(asked.query, Option::as_deref),
            file: file.as_deref(),
            file_length: None,
            variables: &before,
            environment: &[],
            handler: found.route.handler_name(),
        };
        let roots = Roots {
            document: server.identity.root(),
            alias: server.mappings.alias(&merged),
        };
        let done = fix_up(
            &rewriting,
            &server.maps,
            &facts,
            roots,
            &mut dynamic.changes,
        );
        let result = match done {
            FixedUp::Same => FixUp::Same,
            FixedUp::Proxy(file, query) => {
                dynamic.query = Some(query.map(Bytes::from));
                found.file = Some(path_buf(file));
                found.route = self.passed_by_rule(host, &found.route);
                FixUp::Same
            }
            FixedUp::Answer(redirected) => FixUp::Answer(Box::new(redirected)),
            FixedUp::Again(..) if dynamic.rounds >= ROUNDS_MAX => {
                FixUp::Answer(Box::new(Redirected {
                    status: http::StatusCode::INTERNAL_SERVER_ERROR,
                    target: None,
                    is_whole: true,
                }))
            }
            FixedUp::Again(path, query) => {
                let environment = dynamic.changes.variables.with(&found.route.environment);
                let again = Dynamic {
                    changes: Changes {
                        variables: redirected_variables(&environment),
                        ..dynamic.changes.clone()
                    },
                    path: Some(merge_slashes(&path).into_owned().into()),
                    query: Some(query.map(Bytes::from)),
                    rounds: dynamic.rounds + 1,
                    before: Some((
                        Bytes::copy_from_slice(facts.path),
                        facts.query.map(Bytes::copy_from_slice),
                    )),
                };
                return FixUp::Again(Box::new(again));
            }
        };
        found.dynamic = Some(dynamic);
        result
    }

    /// What is known of a request that was found, for expressions and variables.
    pub fn with_facts<R>(
        &self,
        host: VirtualHostId,
        found: Option<&Found>,
        asked: &Asked,
        look: impl FnOnce(&Facts) -> R,
    ) -> R {
        let server = self.server(host);
        let none = Variables::default();
        let dynamic = found.and_then(|found| found.dynamic.as_deref());
        let path = dynamic.and_then(|dynamic| dynamic.path.as_deref());
        let merged = merge_slashes(path.unwrap_or(asked.path));
        let file = found.and_then(|found| server.whole_file(found, &merged));
        let query = dynamic.and_then(|dynamic| dynamic.query.as_ref());
        look(&Facts {
            asked,
            identity: &server.identity,
            path: &merged,
            query: query.map_or(asked.query, Option::as_deref),
            file: file.as_deref(),
            file_length: None,
            variables: dynamic.map_or(&none, |dynamic| &dynamic.changes.variables),
            environment: found.map_or(&[], |found| &found.route.environment),
            handler: found.map_or("", |found| found.route.handler_name()),
        })
    }

    /// Judges the expressions of access rules for a request that was found.
    pub fn asking<'a>(
        &'a self,
        host: VirtualHostId,
        found: &'a Found,
        asked: Asked<'a>,
    ) -> Asking<'a> {
        Asking {
            table: self,
            host,
            found,
            asked,
        }
    }
}

/// The variables of a request that starts again: those it had are kept under another name.
fn redirected_variables(environment: &Variables) -> Variables {
    let mut variables = Variables::default();
    for (name, value) in environment.as_slice() {
        variables.set(format!("REDIRECT_{name}"), value.clone());
    }
    variables.set("REDIRECT_STATUS", "200");
    variables
}
