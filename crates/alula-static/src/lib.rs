//! Files as a [`alula_http::Handler`]: what `Alias` and `DocumentRoot` lead to.
//!
//! A request comes with its file already mapped; here it is opened safely, described and sent. Nothing in this crate
//! may wait for a disk on the thread that serves: what is not in memory is fetched by the runtime's blocking pool.
#![forbid(unsafe_code)]

mod cache;
mod containment;
mod files;
mod finder;
mod found;
mod leading;
mod listing;
mod mime;
mod packed;
mod sending;

pub use cache::FileCache;
pub use containment::Symlinks;
pub use files::{Files, FilesSettings};
pub use sending::{Warming, part_body, warm};
