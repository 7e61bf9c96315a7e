//! From a listening socket to a [`alula_http::Handler`] and back: connections, limits, the pipeline, the access log.
//!
//! The server knows neither Python nor files nor processes. An assembly gives it a handler for each route, and
//! hears through [`Observer`] what it needs to count. Everything here runs on one current-thread runtime whose
//! driving thread changes, so everything is `Send` and nothing may block.
#![forbid(unsafe_code)]

mod access_log;
mod asking;
mod assembly;
mod authentication;
mod clock;
mod compression;
mod connection;
mod content;
mod error_document;
mod expires;
mod file_sending;
mod finishing;
mod gate;
mod http2;
mod leading;
mod limits;
mod named_file;
mod onward;
mod opening;
mod pipeline;
mod proxy_protocol;
mod redirect;
mod remote_ip;
mod sending;
mod server;
mod socket;
mod strict;
mod survey;
mod targets;
mod tls;
mod upgrade;

pub use access_log::{fix_time_zone, local_time};
pub use assembly::{Assembly, HostSettings};
pub use file_sending::Warm;
pub use server::{Observer, Server};
pub use tls::{Tls, TlsMaterial};
