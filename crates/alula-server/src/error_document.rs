//! What an `ErrorDocument` that is a path changes on the way in and on the way out.

use crate::asking::Kept;
use alula_http::Response;
use alula_routing::Found;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName};
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

pub(crate) fn without_conditions(mut headers: HeaderMap) -> HeaderMap {
    for name in &NOT_FOR_THE_PAGE {
        headers.remove(name);
    }
    headers
}

/// What a page is told of the request that failed (httpd's `REDIRECT_*`).
pub(crate) fn variables(kept: &Kept, status: StatusCode, page: &Found) -> Arc<[(String, String)]> {
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
pub(crate) fn with_status(mut page: Response, error: &Response) -> Response {
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
