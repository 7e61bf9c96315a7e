//! What an `ErrorDocument` that is a path changes on the way in and on the way out.

use alula_http::Response;
use http::header::{self, HeaderMap, HeaderName};

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
