//! A response of 101: the connection is handed to whoever takes it over, once the HTTP engine is done with it.
//!
//! It stays among the open connections meanwhile, so a server that drains waits for it.

use crate::connection::{Connection, Phase};
use alula_http::{Response, Takeover, status_response};
use http::{Extensions, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

/// Arranges for what comes after the response. `extensions` are the request's, where the engine has left its part.
pub(crate) fn prepare(
    response: &mut Response,
    extensions: &mut Extensions,
    connection: &Connection,
) {
    let begin = response.extensions_mut().remove::<Takeover>();
    let begin = begin.and_then(|takeover| takeover.take());
    let Some((begin, upgrade)) = begin.zip(extensions.remove::<OnUpgrade>()) else {
        tracing::error!(target: "http", client = %connection.peer.remote, "a response of 101 that nobody asked for");
        *response = status_response(StatusCode::BAD_GATEWAY);
        return;
    };
    let client = connection.peer.remote;
    connection.set_afterwards(Box::pin(async move {
        match upgrade.await {
            Ok(upgraded) => begin(Box::new(TokioIo::new(upgraded))).await,
            Err(error) => tracing::debug!(target: "http", %client, "no upgrade: {error}"),
        }
    }));
}

/// What comes after HTTP on a connection that was upgraded.
pub(crate) async fn go_on(connection: &Connection) {
    if let Some(afterwards) = connection.take_afterwards() {
        // What comes now is no head.
        connection.raw_head.lock().stop();
        connection.enter(Phase::Answering);
        afterwards.await;
    }
}
