//! Requests on their way from a front to a worker of an interpreter, and responses on their way back.
//!
//! Who has what: a worker has a **door**, a socket that only fronts of its own generation can send to. What comes in by it is
//! connections: a front makes a pair of sockets, sends one end and uses the other at once; nothing is ever bound to a name
//! that somebody else could connect to. On a connection there is one request at a time, and it is kept for the next.
//!
//! A request goes in one write and, unless it is long, its answer comes back in one. Content that the front has put
//! into a temporary file, and a file that an application answers with, travel as descriptors. A message says how long it is,
//! and a stream says when it ends, so a truncated one cannot pass for a whole one.
//!
//! What has not begun is not lost with its worker: a front sees from the socket's error (something was left unread) or
//! from the scoreboard (a mark) that nothing was done, and hands the request to the next worker. What has begun is
//! never repeated.

mod answering;
mod doors;
mod errand;
mod incoming;
mod link;
mod request;
mod response;
#[cfg(test)]
mod tests;
mod wire;

pub use answering::{Answering, Reception};
pub use doors::Doors;
pub use request::TlsWanted;
