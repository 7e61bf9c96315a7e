//! Other servers as a [`alula_http::Handler`]: what `ProxyPass` and `RewriteRule [P]` lead to.
//!
//! A request comes with the URL of its back end as its file, `proxy:http://host/path`. Content is never kept here: it goes in both
//! directions as fast as the slower side takes it, through the HTTP engines' own bounded buffers.
#![forbid(unsafe_code)]

mod content;
mod exchange;
mod handler;
mod headers;
mod pool;
mod reverse;
mod target;
mod tunnel;

pub use handler::{BackEnds, Proxy, ProxyHandlerSettings};
