//! `ErrorDocument`: what is answered instead of httpd's small page, and what a page is asked with.

use crate::asking::{self, Kept};
use crate::connection::Connection;
use crate::pipeline::{Answered, Pipeline};
use crate::targets;
use alula_http::{Body, OwnPage, Request, Response, status_response};
use alula_routing::{Asked, Found, Verdict, VirtualHostId, site};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use std::sync::Arc;

/// What belongs to the request that failed and not to its page: conditions, ranges, content.
const NOT_FOR_THE_PAGE: [HeaderName; 10] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
    header::EXPECT,
];

/// What says more about the error than its page can.
const OF_THE_ERROR: [HeaderName; 4] = [
    header::ALLOW,
    header::CONTENT_RANGE,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
];

impl Pipeline {
    /// `ErrorDocument`, for an error that nobody has anything to say about.
    pub(crate) async fn error_document(
        &self,
        mut answered: Answered,
        connection: &Arc<Connection>,
    ) -> Answered {
        let status = answered.response.status();
        let own = answered.response.extensions().get::<OwnPage>().is_some();
        let found = answered.found.as_ref().filter(|_| own);
        let document = found.and_then(|found| found.route.error_documents.get(&status.as_u16()));
        match document {
            None | Some(site::ErrorDocument::Default) => {}
            // Sent elsewhere, a client would never be asked for the password; httpd refuses such a line.
            Some(site::ErrorDocument::Url(_)) if status == StatusCode::UNAUTHORIZED => {}
            Some(site::ErrorDocument::Text(text)) => {
                *answered.response.body_mut() = Body::from(text.clone());
            }
            Some(site::ErrorDocument::Url(url)) => {
                if let Ok(url) = HeaderValue::try_from(url.as_str()) {
                    answered.response = status_response(StatusCode::FOUND);
                    answered
                        .response
                        .headers_mut()
                        .insert(header::LOCATION, url);
                }
            }
            Some(site::ErrorDocument::Path(path)) => {
                let Some(kept) = answered.kept.take() else {
                    return answered;
                };
                let page = self.error_page(path.clone(), &kept, status, answered.host, connection);
                if let Some((response, found)) = page.await {
                    answered.response = with_status(response, &answered.response);
                    answered.found = Some(found);
                }
                answered.kept = Some(kept);
            }
        }
        answered
    }

    /// What answers at the path of an `ErrorDocument`; `None` when that is an error as well.
    async fn error_page(
        &self,
        path: String,
        kept: &Kept,
        status: StatusCode,
        host: VirtualHostId,
        connection: &Arc<Connection>,
    ) -> Option<(Response, Found)> {
        let id = kept.id;
        let (_, decoded) = targets::decode(&path).ok()?;
        let head = &kept.head;
        let asked = Asked {
            method: "GET",
            ..asking::asked(head, &kept.target, &decoded, connection, id)
        };
        let mut found = self.look_up(host, &asked);
        if let Some(files) = self
            .htaccess(host, &found, &connection.peer, id)
            .await
            .ok()?
        {
            found = self.look_up_with(host, &asked, None, &files);
        }
        if found.redirect.is_some() || self.judge(host, &found, &asked) != Verdict::Pass {
            return None;
        }
        let request = Request {
            target: kept.target.clone(),
            method: match head.method {
                Method::HEAD => Method::HEAD,
                _ => Method::GET,
            },
            version: head.version,
            path: decoded.path,
            query: decoded.query,
            headers: without_conditions(head.headers.clone()),
            file: found.file.clone(),
            script_name_len: found.script_name_len,
            user: None,
            variables: Some(variables(kept, status, &found)),
            peer: connection.peer.clone(),
            body: Body::Empty,
            id,
        };
        let response = self.handler(&found.route).handle(request).await;
        let failed = response.extensions().get::<OwnPage>().is_some();
        (!failed).then_some((response, found))
    }
}

fn without_conditions(mut headers: HeaderMap) -> HeaderMap {
    for name in &NOT_FOR_THE_PAGE {
        headers.remove(name);
    }
    headers
}

/// What a page is told of the request that failed (httpd's `REDIRECT_*`).
fn variables(kept: &Kept, status: StatusCode, page: &Found) -> Arc<[(String, String)]> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut variables = page.variables().to_vec();
    let mut add = |name: &str, value: String| variables.push((name.to_owned(), value));
    add("REDIRECT_STATUS", status.as_str().to_owned());
    add("REDIRECT_URL", text(&kept.decoded.path));
    if let Some(query) = &kept.decoded.query {
        add("REDIRECT_QUERY_STRING", text(query));
    }
    variables.into()
}

/// The page with the status of the error, unless an application sends the client elsewhere.
fn with_status(mut page: Response, error: &Response) -> Response {
    if page.status().is_redirection() {
        return page;
    }
    *page.status_mut() = error.status();
    page.extensions_mut().remove::<alula_http::Reason>();
    for name in &OF_THE_ERROR {
        if let Some(value) = error.headers().get(name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    page
}
