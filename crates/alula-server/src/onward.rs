//! A request that Python has not answered itself: it has declined, has named a file, or has sent it to another path.
//!
//! Whoever declines leaves the request to files, as if no handler had been there. A path it is sent to is looked up like any
//! other, and whoever may not ask for it is refused there too (httpd's `ap_internal_redirect`). What content the request had
//! stays with the handler that sent it on, so what follows is a GET.

use crate::asking::asked_again;
use crate::connection::Connection;
use crate::pipeline::{Pipeline, without_content};
use crate::redirect;
use crate::targets;
use alula_http::{Onward, Request, Response, status_response};
use alula_routing::{Route, Verdict, VirtualHostId};
use http::{Method, StatusCode, header};
use std::path::Path;
use std::sync::Arc;

/// How often one request may be sent on, httpd's `LimitInternalRecursion`.
const STEPS_MAX: usize = 10;

/// Where the request was.
pub(crate) struct Went<'a> {
    pub(crate) host: VirtualHostId,
    /// [`Route::when_declined`] of the route it was on.
    pub(crate) declined: &'a Arc<Route>,
    /// The file it was mapped to.
    pub(crate) file: Option<&'a Path>,
    pub(crate) connection: &'a Arc<Connection>,
}

impl Pipeline {
    /// The answer of whoever answers in the end, with the fields that were set on the way.
    pub(crate) async fn go_on(
        &self,
        went: Went<'_>,
        mut response: Response,
        request: Box<Request>,
    ) -> Response {
        let mut declined = Some(went.declined.clone());
        let mut file = went.file.map(Path::to_owned);
        let mut request = *request;
        for _ in 0..STEPS_MAX {
            let Some(onward) = response.extensions_mut().remove::<Onward>() else {
                return response;
            };
            let route = match onward {
                Onward::Declined => declined.take(),
                Onward::File(path) => {
                    file = Some(path);
                    declined.take()
                }
                Onward::To(target) => match self.sent_to(&went, &target, &mut request).await {
                    Ok(found) => {
                        file = found.file;
                        declined = found.route.when_declined.clone();
                        Some(found.route)
                    }
                    Err(refusal) => return *refusal,
                },
            };
            let Some(route) = route else {
                return status_response(StatusCode::NOT_FOUND);
            };
            let next = Request {
                file: file.clone(),
                script_name_len: request.script_name_len,
                ..without_content(&request)
            };
            let mut answer = self.handler(&route).handle(next).await;
            for (name, value) in response.headers() {
                if *name == header::SET_COOKIE || !answer.headers().contains_key(name) {
                    answer.headers_mut().append(name.clone(), value.clone());
                }
            }
            response = answer;
        }
        tracing::error!(target: "core", "[client {}] [request {:x}] sent on {STEPS_MAX} times; do handlers send it to each other?", went.connection.peer.remote, request.id);
        status_response(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Makes the request one for `target`, if it may be asked for.
    async fn sent_to(
        &self,
        went: &Went<'_>,
        target: &[u8],
        request: &mut Request,
    ) -> Result<alula_routing::Found, Box<Response>> {
        let refuse = |status| Box::new(status_response(status));
        let target = std::str::from_utf8(target).map_err(|_| refuse(StatusCode::BAD_REQUEST))?;
        let (_, decoded) = targets::decode(target).map_err(|error| refuse(error.status()))?;
        if request.method != Method::HEAD {
            request.method = Method::GET;
        }
        let asked = asked_again(request, target, &decoded, went.connection);
        let mut found = self.look_up(went.host, &asked);
        let files = self.htaccess(went.host, &found, &went.connection.peer, request.id);
        if let Some(files) = files.await? {
            found = self.look_up_with(went.host, &asked, None, &files);
        }
        match self.judge(went.host, &found, &asked) {
            Verdict::Pass => {}
            Verdict::Refuse => return Err(refuse(StatusCode::FORBIDDEN)),
            Verdict::AskUser => {
                let admitted = self.admit_user(went.host, &found, &asked).await;
                match admitted {
                    Ok(user) => request.user = user,
                    Err(refusal) => {
                        refusal.log(&went.connection.peer, request.id);
                        let mut response = status_response(refusal.status);
                        refusal.challenge(response.headers_mut());
                        return Err(Box::new(response));
                    }
                }
            }
        }
        if let Some(redirected) = &found.redirect {
            let base = redirect::Base {
                asked: request
                    .headers
                    .get(header::HOST)
                    .map(|host| host.as_bytes()),
                server_name: &self.hosts[went.host.0].server_name,
                peer: &went.connection.peer,
            };
            let response = redirect::response(redirected, &base, decoded.query.as_deref());
            return Err(Box::new(response));
        }
        request.path = decoded.path;
        request.query = decoded.query;
        request.script_name_len = found.script_name_len;
        Ok(found)
    }
}
