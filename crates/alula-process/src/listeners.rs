//! The sockets we listen on: bound once by the supervisor, the same socket in every worker.
//!
//! A restart takes over the sockets that are still wanted, with the connections that wait in them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted (httpd's `ListenBackLog`).
const BACKLOG_CONNECTIONS: i32 = 511;

/// A bound address and its socket, non-blocking. All workers have the same socket, not one each.
#[derive(Debug)]
pub struct Listener {
    /// Where it is bound: the port is never 0.
    pub address: SocketAddr,
    /// The socket.
    pub socket: TcpListener,
}

/// A listener and the address it was asked for.
#[derive(Debug)]
pub(crate) struct Bound {
    wanted: SocketAddr,
    pub(crate) listener: Listener,
}

/// An address could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", in_words(reason))]
pub struct BindError {
    address: SocketAddr,
    reason: io::Error,
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there already".to_owned(),
        io::ErrorKind::AddrNotAvailable => "no network interface has this address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied (ports below 1024 belong to root)".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Binds all addresses, or none. What `open` has already is shared, not bound again.
pub(crate) fn bind(
    addresses: &[SocketAddr],
    open: &[Arc<Bound>],
) -> Result<Vec<Arc<Bound>>, BindError> {
    let mut bound = Vec::with_capacity(addresses.len());
    for &wanted in addresses {
        if let Some(shared) = open.iter().find(|shared| shared.wanted == wanted) {
            bound.push(Arc::clone(shared));
            continue;
        }
        let beside_ipv4 = addresses
            .iter()
            .any(|other| other.is_ipv4() && other.port() == wanted.port());
        let listener = bind_one(wanted, beside_ipv4).map_err(|reason| BindError {
            address: wanted,
            reason,
        })?;
        bound.push(Arc::new(Bound { wanted, listener }));
    }
    Ok(bound)
}

fn bind_one(address: SocketAddr, beside_ipv4: bool) -> io::Result<Listener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `Listen [::]:80` alone takes IPv4 too, as in httpd; beside `Listen 0.0.0.0:80` it must not.
        socket.set_only_v6(beside_ipv4)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG_CONNECTIONS)?;
    let socket = TcpListener::from(socket);
    Ok(Listener {
        address: socket.local_addr()?,
        socket,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::{FdFlags, fcntl_getfd};

    const ANY_PORT: &str = "127.0.0.1:0";

    #[test]
    fn a_restart_keeps_the_sockets_it_still_wants() {
        let first = bind(&[ANY_PORT.parse().unwrap()], &[]).unwrap();
        let second = bind(
            &["127.0.0.2:0".parse().unwrap(), ANY_PORT.parse().unwrap()],
            &first,
        )
        .unwrap();
        assert_eq!(second[1].listener.address, first[0].listener.address);
        assert_ne!(second[0].listener.address.port(), 0);
        assert!(
            fcntl_getfd(&second[0].listener.socket)
                .unwrap()
                .contains(FdFlags::CLOEXEC)
        );
    }

    #[test]
    fn a_taken_address_is_named() {
        let first = bind(&[ANY_PORT.parse().unwrap()], &[]).unwrap();
        let address = first[0].listener.address;
        let error = bind(&[address], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot listen on {address}: another process listens there already")
        );
    }

    #[test]
    fn both_families_of_one_port_can_be_bound() {
        let probe = bind(&["0.0.0.0:0".parse().unwrap()], &[]).unwrap();
        let port = probe[0].listener.address.port();
        drop(probe);
        let both = [
            format!("[::]:{port}").parse().unwrap(),
            format!("0.0.0.0:{port}").parse().unwrap(),
        ];
        assert_eq!(bind(&both, &[]).unwrap().len(), 2);
    }
}
