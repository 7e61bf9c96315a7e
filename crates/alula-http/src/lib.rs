//! The HTTP types every Alula crate shares: [`Request`], [`Response`], [`Body`] and the [`Handler`] trait.
//!
//! This crate knows no socket, no Python and no configuration. What a request may be answered with is decided
//! elsewhere; here are only the words for it and the arithmetic of RFC 9110 (dates, conditions, ranges).
#![forbid(unsafe_code)]

mod body;
mod caching;
pub mod conditional;
pub mod connection_fields;
pub mod date;
pub mod encoding;
pub mod etag;
mod handler;
pub mod path;
pub mod range;
mod request;
mod upgrade;

pub use body::{Body, BodyError, BodyStream, ContentFailure, FilePart};
pub use caching::{Caching, FOR_EVER, REVALIDATED};
pub use handler::{
    Answer, Begun, BodyMode, Handler, Lead, Leading, Listing, ListingPage, StatusHandler,
};
pub use request::{
    Glimpse, Onward, OwnPage, Peer, Reason, Request, Response, Scheme, TlsSession, status_response,
};
pub use upgrade::{Afterwards, Duplex, Takeover, Upgraded};
