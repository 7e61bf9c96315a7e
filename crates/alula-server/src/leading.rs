//! Where a request leads once a handler has looked at the file system: an index, a fallback, whoever a file's name names.
//!
//! What it leads to is looked up as if it had been asked for, and whoever may not ask for it gets nothing (httpd's subrequests).

use crate::authentication::Refusal;
use crate::pipeline::Pipeline;
use crate::redirect;
use alula_http::{Handler, Lead, Leading, Peer, Response, status_response};
use alula_routing::{Action, Asked, Found, HtaccessError, HtaccessFiles, Verdict, VirtualHostId};
use bytes::Bytes;
use http::StatusCode;
use std::sync::Arc;

/// How often one request may be led on, httpd's `LimitInternalRecursion`.
const LEADS_MAX: usize = 10;

/// How far a request has come.
pub(crate) struct Way {
    pub(crate) host: VirtualHostId,
    pub(crate) found: Found,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) path: Bytes,
    pub(crate) user: Option<Arc<str>>,
}

/// Why it comes no further; where it is, and how it is answered.
pub(crate) struct End {
    pub(crate) found: Found,
    pub(crate) response: Response,
    pub(crate) user: Option<Arc<str>>,
}

/// The request, as far as it matters here.
pub(crate) struct Led<'r> {
    pub(crate) asked: Asked<'r>,
    pub(crate) query: Option<&'r [u8]>,
    pub(crate) base: redirect::Base<'r>,
    pub(crate) peer: &'r Peer,
    pub(crate) id: u64,
}

impl Pipeline {
    /// Goes where `lead` leads, and on from there.
    pub(crate) async fn follow(
        &self,
        mut lead: Leading,
        mut way: Way,
        led: &Led<'_>,
    ) -> Result<Way, Box<End>> {
        for _ in 0..LEADS_MAX {
            let named = match lead.await {
                Lead::Here => return Ok(way),
                Lead::Answered(response) => return Err(way.end(response)),
                Lead::To(path) => {
                    way.found = self.look_up_led(way.host, &led.asked, way.found, &path);
                    way.path = path;
                    match self.htaccess(way.host, &way.found, led.peer, led.id).await {
                        Ok(None) => {}
                        Ok(Some(files)) => {
                            way.found = self.routes.find_with(way.host, &way.path, &files);
                        }
                        Err(response) => return Err(way.end(*response)),
                    }
                    false
                }
                Lead::Named { file, path_len } => {
                    let files = self.htaccess(way.host, &way.found, led.peer, led.id).await;
                    let files = match files {
                        Ok(files) => files.unwrap_or_default(),
                        Err(response) => return Err(way.end(*response)),
                    };
                    let (host, before) = (way.host, way.found);
                    let routes = &self.routes;
                    way.found = routes.find_named(host, &way.path, file, path_len, &files, before);
                    true
                }
            };
            match self.admit(way.host, &way.found, led).await {
                Ok(Some(user)) => way.user = Some(user),
                Ok(None) => {}
                Err(refusal) => {
                    refusal.log(led.peer, led.id);
                    let mut end = way.end(status_response(refusal.status));
                    refusal.challenge(end.response.headers_mut());
                    end.user = refusal.claimed.or(end.user);
                    return Err(end);
                }
            }
            if let Some(redirected) = &way.found.redirect {
                let response = redirect::response(redirected, &led.base, led.query);
                return Err(way.end(response));
            }
            if named && matches!(way.found.route.action, Action::Status(_)) {
                let file = way
                    .found
                    .file
                    .as_deref()
                    .unwrap_or(std::path::Path::new(""));
                tracing::error!(target: "wsgi", "[client {}] [request {:x}] Options ExecCGI is off here: {}", led.peer.remote, led.id, file.display());
            }
            way.handler = self.handler(&way.found.route);
            let file = way.found.file.as_deref().filter(|_| !named);
            match file.and_then(|file| way.handler.lead(&way.path, file)) {
                Some(next) => lead = next,
                None => return Ok(way),
            }
        }
        tracing::error!(target: "core", "[client {}] [request {:x}] led on {LEADS_MAX} times; is there a circle of DirectoryIndex and FallbackResource?", led.peer.remote, led.id);
        Err(way.end(status_response(StatusCode::INTERNAL_SERVER_ERROR)))
    }

    /// The `.htaccess` files on the way to what was found; `None` if there are none. The answer, if one of them is wrong.
    pub(crate) async fn htaccess(
        &self,
        host: VirtualHostId,
        found: &Found,
        peer: &Peer,
        id: u64,
    ) -> Result<Option<HtaccessFiles>, Box<Response>> {
        let file = found.file.as_deref();
        let Some(chain) = file.and_then(|file| self.routes.htaccess(host, file)) else {
            return Ok(None);
        };
        let files = match chain.fresh() {
            Some(files) => files,
            None => {
                let looked = tokio::task::spawn_blocking(move || chain.refresh()).await;
                looked.unwrap_or_else(|stopped| Err(HtaccessError::Wrong(stopped.to_string())))
            }
        };
        let (status, fact) = match files {
            Ok(files) => return Ok(Some(files).filter(|files| !files.is_empty())),
            Err(HtaccessError::Unreadable(fact)) => (StatusCode::FORBIDDEN, fact),
            Err(HtaccessError::Wrong(fact)) => (StatusCode::INTERNAL_SERVER_ERROR, fact),
        };
        tracing::error!(target: "core", "[client {}] [request {id:x}] {fact}", peer.remote);
        Err(Box::new(status_response(status)))
    }

    /// Whether the request may go there; the user, if it takes one.
    async fn admit(
        &self,
        host: VirtualHostId,
        found: &Found,
        led: &Led<'_>,
    ) -> Result<Option<Arc<str>>, Refusal> {
        match self.judge(host, found, &led.asked) {
            Verdict::Pass => Ok(None),
            Verdict::Refuse => Err(Refusal::denied()),
            Verdict::AskUser => self.admit_user(host, found, &led.asked).await,
        }
    }

    /// Whether whoever sees the listing of a directory may see that it holds `name`.
    pub(crate) fn may_see(
        &self,
        host: VirtualHostId,
        listed: &Found,
        path: &[u8],
        name: &[u8],
        asked: &Asked<'_>,
    ) -> bool {
        let slash: &[u8] = if path.ends_with(b"/") { b"" } else { b"/" };
        let path = [path, slash, name].concat();
        let asked = Asked {
            path: &path,
            ..*asked
        };
        let mut found = self.look_up(host, &asked);
        if let Some(file) = &found.file
            && let Some(chain) = self.routes.htaccess(host, file)
        {
            // The directory has just been read, so this is a look at what is in memory.
            match chain.fresh().unwrap_or_else(|| chain.refresh()) {
                Ok(files) if files.is_empty() => {}
                Ok(files) => found = self.look_up_with(host, &asked, None, &files),
                Err(_) => return false,
            }
        }
        let access = &found.route.access;
        match self.judge(host, &found, &asked) {
            Verdict::Pass => true,
            Verdict::Refuse => false,
            // The same rules that let this user see the directory.
            Verdict::AskUser => *access == listed.route.access,
        }
    }
}

impl Way {
    fn end(self, response: Response) -> Box<End> {
        Box::new(End {
            found: self.found,
            response,
            user: self.user,
        })
    }
}
