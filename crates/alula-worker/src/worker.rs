//! A worker's life: bring up the loop after the fork, serve, drain when told to, leave.

use crate::assembly::WorkerAssembly;
use alula_config::Site;
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

/// Serves until told to leave. Ends the process; returns only when it cannot even begin.
pub(crate) fn run(
    py: Python<'_>,
    site: &Site,
    routes: RouteTable,
    applications: Applications,
    seat: WorkerSeat,
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
    });
    let server = Server::new(
        routes,
        site.servers().map(HostSettings::from).collect(),
        Box::new(WorkerAssembly::new(site, handlers, workers)),
        counter.clone(),
        seat.log_files
            .into_iter()
            .map(|log| (log.path, log.file))
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
}

impl Observer for Counter {
    fn may_accept(&self) -> bool {
        let (running, _) = self.dispatcher.load();
        if running < self.threads_max {
            return true;
        }
        let own = self.slot.index();
        let room_elsewhere = self.scoreboard.rows().iter().any(|row| {
            row.slot != own
                && matches!(row.state, State::Ready | State::Busy)
                && (row.requests_running as usize) < self.threads_max
        });
        !room_elsewhere
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
