//! The sockets we listen on.

use std::net::{SocketAddr, TcpListener};

/// A bound address and its socket, non-blocking. All workers have the same socket, not one each.
#[derive(Debug)]
pub struct Listener {
    /// Where it is bound, as configured.
    pub address: SocketAddr,
    /// The socket.
    pub socket: TcpListener,
}
