//! A worker's life: bring up the loop after the fork, serve, drain when told to, leave.

use crate::assembly::WorkerAssembly;
use alula_config::Site;
use alula_process::error_log::ErrorLogs;
use alula_process::{Control, Order, Orders, Scoreboard, Slot, State, WorkerSeat};
use alula_python::{Applications, DispatchSettings, Dispatcher, Handlers};
use alula_routing::RouteTable;
use alula_server::{HostSettings, Observer, Server};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;

/// Complete requests that may wait for Python in one worker; one more is answered 503.
const QUEUE_REQUESTS_MAX: usize = 1024;

/// How often in a row a worker with many connections leaves the next one to others before it takes it all the same.
const DECLINES_MAX: u64 = 3;

/// Serves until told to leave. Ends the process; returns only when it cannot even begin.
pub(crate) fn run(
    py: Python<'_>,
    site: &Site,
    routes: RouteTable,
    applications: Applications,
    seat: WorkerSeat,
    logs: ErrorLogs,
) -> PyResult<()> {
    let startup = py.import("alula.startup")?;
    startup.call_method0("worker")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map(Arc::new)
        .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
    let threads_max = site.processes.threads.max(1) as usize;
    let dispatcher = Dispatcher::new(DispatchSettings {
        threads_max,
        queue_requests_max: QUEUE_REQUESTS_MAX,
    });
    let workers = site.processes.workers.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        |workers| workers as usize,
    );
    let handlers = Handlers::new(dispatcher.clone(), applications);
    let counter = Arc::new(Counter {
        slot: seat.slot.clone(),
        control: seat.control.clone(),
        requests: AtomicU64::new(0),
        requests_max: site.processes.requests_max,
        server: OnceLock::new(),
        dispatcher: dispatcher.clone(),
        threads_max,
        scoreboard: seat.scoreboard.clone(),
        declined: AtomicU64::new(0),
    });
    let hosts = site
        .servers()
        .enumerate()
        .map(|(host, server)| HostSettings {
            log: logs.host_span(host),
            ..HostSettings::from(server)
        });
    let server = Server::new(
        routes,
        hosts.collect(),
        Box::new(WorkerAssembly::new(site, handlers, workers, logs)),
        counter.clone(),
        seat.log_files
            .into_iter()
            .map(|log| (log.target, log.file))
            .collect(),
    );
    // The counter stops the server from accepting once the worker has served enough.
    let _ = counter.server.set(server.clone());

    let listeners = seat
        .listeners
        .into_iter()
        .map(|listener| listener.socket)
        .collect();
    let control = seat.control;
    {
        let _entered = runtime.enter();
        let orders = server
            .serve(listeners)
            .and_then(|()| control.orders())
            .and_then(|orders| control.ready().map(|()| orders))
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        runtime.spawn(obey(orders, server.clone(), dispatcher.clone()));
    }
    dispatcher.run(py, &runtime);
    server.flush_logs();
    startup.call_method0("leave")?;
    Ok(())
}

/// Waits for the supervisor's orders and carries them out.
async fn obey(orders: Orders, server: Server, dispatcher: Dispatcher) {
    if let Order::Graceful = orders.next().await.unwrap_or(Order::Now) {
        // A second order can only be to leave at once.
        let mut drained = std::pin::pin!(server.drain());
        let mut again = std::pin::pin!(orders.next());
        std::future::poll_fn(|cx| {
            if again.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            drained.as_mut().poll(cx)
        })
        .await;
    }
    dispatcher.stop();
}

/// Counts in the scoreboard, and asks for a replacement when the worker has served its share.
struct Counter {
    slot: Slot,
    control: Control,
    requests: AtomicU64,
    /// `MaxConnectionsPerChild`, counted in requests; 0 for no limit.
    requests_max: u64,
    server: OnceLock<Server>,
    dispatcher: Dispatcher,
    threads_max: usize,
    scoreboard: Scoreboard,
    /// How often in a row a connection was left to others.
    declined: AtomicU64,
}

/// Whether a worker with `own` open connections leaves the next to one that has only `fewest`. Kept connections stay
/// where they are, so workers that accept unevenly stay uneven, and one core idles.
fn has_too_many(own: u32, fewest: u32) -> bool {
    own >= fewest + (fewest / 4).max(2)
}

impl Observer for Counter {
    fn may_accept(&self) -> bool {
        let (running, _) = self.dispatcher.load();
        let own = self.slot.row();
        let others =
            self.scoreboard.rows().into_iter().filter(|row| {
                row.slot != own.slot && matches!(row.state, State::Ready | State::Busy)
            });
        let mut fewest = None;
        let mut room_elsewhere = false;
        for row in others {
            room_elsewhere |= (row.requests_running as usize) < self.threads_max;
            let least = fewest.get_or_insert(row.connections_open);
            *least = row.connections_open.min(*least);
        }
        let full = running >= self.threads_max && room_elsewhere;
        if !full && !fewest.is_some_and(|fewest| has_too_many(own.connections_open, fewest)) {
            self.declined.store(0, Ordering::Relaxed);
            return true;
        }
        // The other may be unable to come: a connection is never left waiting for long for the sake of balance.
        let declined = self.declined.fetch_add(1, Ordering::Relaxed);
        if !full && declined >= DECLINES_MAX {
            self.declined.store(0, Ordering::Relaxed);
            return true;
        }
        false
    }

    fn connection_opened(&self) {
        self.slot.connection_opened();
    }

    fn connection_closed(&self) {
        self.slot.connection_closed();
    }

    fn request_started(&self) {
        self.slot.request_started();
        if self.requests_max == 0 {
            return;
        }
        let served = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if served == self.requests_max {
            if let Some(server) = self.server.get() {
                server.close_after_requests();
            }
            if let Err(error) = self.control.leaving(&format!("served {served} requests")) {
                tracing::error!(target: "core", "cannot ask for a replacement: {error}");
            }
        }
    }

    fn request_finished(&self) {
        self.slot.request_finished();
    }
}

#[cfg(test)]
mod tests {
    use super::has_too_many;

    #[test]
    fn workers_take_turns() {
        assert!(!has_too_many(0, 0));
        assert!(!has_too_many(1, 0));
        assert!(has_too_many(2, 0));
        assert!(!has_too_many(16, 16));
        assert!(has_too_many(20, 16));
        assert!(!has_too_many(1000, 1000));
        assert!(has_too_many(1300, 1000));
    }
}
