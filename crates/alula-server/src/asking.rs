//! What rules may ask of a request, and what they say of it: access with expressions and variables, the rules that send it
//! elsewhere.
//!
//! Of a virtual host without such rules nothing is asked; that is one look at a flag.

use crate::access_log::local_time;
use crate::authentication::Refusal;
use crate::connection::Connection;
use crate::gate::Gate;
use crate::pipeline::{Pipeline, target_authority};
use alula_http::path::Target;
use alula_http::{Request, Scheme};
use alula_routing::site::Asker;
use alula_routing::{
    Action, Asked, Changes, Dynamic, FixUp, Found, Htaccess, Redirected, Verdict, VirtualHostId,
};
use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap};
use http::request::Parts;
use std::sync::Arc;

/// A request's head, for what is asked after a handler has taken it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) head: Parts,
    pub(crate) target: Bytes,
    pub(crate) decoded: Target,
    pub(crate) id: u64,
}

/// A request that was answered.
pub(crate) struct Late<'r> {
    pub(crate) kept: &'r Kept,
    pub(crate) connection: &'r Connection,
    pub(crate) user: Option<&'r str>,
}

impl<'r> Late<'r> {
    /// What rules may ask of it.
    pub(crate) fn asked(&self, response: (&'r HeaderMap, StatusCode)) -> Asked<'r> {
        let Kept {
            head,
            target,
            decoded,
            id,
        } = self.kept;
        Asked {
            user: self.user,
            response: Some(response),
            ..asked(head, target, decoded, self.connection, *id)
        }
    }
}

/// What rules add to a response: cookies, and the media type of a file.
pub(crate) fn add_changes(head: &mut http::response::Parts, found: &Found, changes: &Changes) {
    for cookie in &changes.cookies {
        head.headers.append(header::SET_COOKIE, cookie.clone());
    }
    let is_file = matches!(found.route.action, Action::Files(_)) && head.status.is_success();
    if let Some(media_type) = changes.media_type.as_ref().filter(|_| is_file) {
        head.headers
            .insert(header::CONTENT_TYPE, media_type.clone());
    }
}

/// What rules may ask of a request.
pub(crate) fn asked<'r>(
    head: &'r Parts,
    target: &'r [u8],
    decoded: &'r Target,
    connection: &'r Connection,
    id: u64,
) -> Asked<'r> {
    Asked {
        method: head.method.as_str(),
        version: head.version,
        target,
        path: &decoded.path,
        query: decoded.query.as_deref(),
        headers: &head.headers,
        target_authority: target_authority(&head.uri),
        peer: &connection.peer,
        id,
        user: None,
        response: None,
        now: local_time,
    }
}

/// What rules may ask of a request that a handler has sent to another path.
pub(crate) fn asked_again<'r>(
    request: &'r Request,
    target: &'r str,
    decoded: &'r Target,
    connection: &'r Connection,
) -> Asked<'r> {
    Asked {
        method: request.method.as_str(),
        version: request.version,
        target: target.as_bytes(),
        path: &decoded.path,
        query: decoded.query.as_deref(),
        headers: &request.headers,
        target_authority: None,
        peer: &connection.peer,
        id: request.id,
        user: None,
        response: None,
        now: local_time,
    }
}

impl Pipeline {
    /// The route of a request.
    pub(crate) fn look_up(&self, host: VirtualHostId, asked: &Asked) -> Found {
        match self.routes.is_dynamic(host) {
            true => self.routes.find_for(host, asked, None, &[]),
            false => self.routes.find(host, asked.path),
        }
    }

    /// The route of a request, with the `.htaccess` files on the way. `started` is what it started again with.
    pub(crate) fn look_up_with(
        &self,
        host: VirtualHostId,
        asked: &Asked,
        started: Option<Box<Dynamic>>,
        files: &[Arc<Htaccess>],
    ) -> Found {
        match self.routes.is_dynamic(host) {
            true => self.routes.find_for(host, asked, started, files),
            false => self.routes.find_with(host, asked.path, files),
        }
    }

    /// The route of another path that a request was led to.
    pub(crate) fn look_up_led(
        &self,
        host: VirtualHostId,
        asked: &Asked,
        before: Found,
        path: &Bytes,
    ) -> Found {
        if !self.routes.is_dynamic(host) {
            return self.routes.find(host, path);
        }
        let mut dynamic = before.dynamic.unwrap_or_default();
        dynamic.path = Some(path.clone());
        self.routes.find_for(host, asked, Some(dynamic), &[])
    }

    /// Whether a request may go where it was led.
    pub(crate) fn judge(&self, host: VirtualHostId, found: &Found, asked: &Asked) -> Verdict {
        let access = &found.route.access;
        if !found.route.asks_expressions {
            return access.judge(&asker(asked, found));
        }
        let asking = self.routes.asking(host, found, *asked);
        access.judge(&Asker {
            expressions: Some(&asking),
            ..asker(asked, found)
        })
    }

    /// Lets the client pass of whom a script says so, or the user who has the right password and whom the rules name.
    pub(crate) async fn admit_user(
        &self,
        host: VirtualHostId,
        found: &Found,
        asked: &Asked<'_>,
    ) -> Result<Option<Arc<str>>, Refusal> {
        let asking = self.routes.asking(host, found, *asked);
        let asker = Asker {
            expressions: Some(&asking),
            ..asker(asked, found)
        };
        let access = &found.route.access;
        let gate = Gate {
            pipeline: self,
            found,
            asked,
        };
        self.authenticator
            .admit(access, &asker, asked.headers, Some(&gate))
            .await
    }

    /// Does what comes after access was checked: `None`, and the request goes on; else it starts again.
    pub(crate) fn fix_up(
        &self,
        host: VirtualHostId,
        found: &mut Found,
        asked: &Asked,
    ) -> Option<Box<Dynamic>> {
        match self.routes.fix_up(host, found, asked) {
            FixUp::Same => None,
            FixUp::Again(dynamic) => Some(dynamic),
            FixUp::Answer(redirected) => {
                log_circle(&redirected, asked);
                found.redirect = Some(redirected);
                None
            }
        }
    }
}

/// Rules that send a request round and round are the configuration's fault.
fn log_circle(redirected: &Redirected, asked: &Asked) {
    if redirected.status == StatusCode::INTERNAL_SERVER_ERROR {
        let (client, id) = (asked.peer.remote, asked.id);
        tracing::error!(target: "rewrite", %client, request = id, "rewriting does not come to an end; is there a RewriteCond missing?");
    }
}

/// What access rules look at.
pub(crate) fn asker<'a>(asked: &Asked<'a>, found: &'a Found) -> Asker<'a> {
    Asker {
        client: asked.peer.remote.ip(),
        local: asked.peer.local.ip(),
        secure: asked.peer.scheme == Scheme::Https,
        certified: asked
            .peer
            .tls()
            .is_some_and(|session| session.has_client_certificate()),
        method: asked.method,
        variables: found.variables(),
        expressions: None,
        user: None,
        script: None,
    }
}
