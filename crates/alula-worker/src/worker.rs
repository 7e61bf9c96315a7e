//! A worker's life: bring up the loop after the fork, serve, drain when told to, leave.

use crate::assembly::{PythonAssembly, WorkerAssembly};
use crate::counter::Counter;
use alula_config::Site;
use alula_process::error_log::ErrorLogs;
use alula_process::hand_over::Answering;
use alula_process::{Order, Orders, Slot, StatusPage, Tally, Turns, WorkerSeat};
use alula_python::{Applications, DispatchSettings, Dispatcher, Gauge, Handlers};
use alula_routing::RouteTable;
use alula_server::{HostSettings, Server};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::future::Future;
use std::sync::Arc;
use std::task::Poll;

/// Complete requests that may wait for Python in one worker; one more is answered 503.
const QUEUE_REQUESTS_MAX: usize = 1024;

/// Serves until told to leave. Ends the process; returns only when it cannot even begin.
pub(crate) fn run(
    py: Python<'_>,
    site: &Site,
    interpreter: usize,
    routes: RouteTable,
    applications: Applications,
    seat: WorkerSeat,
    logs: &ErrorLogs,
) -> PyResult<()> {
    let failed = |error: std::io::Error| PyRuntimeError::new_err(error.to_string());
    let startup = py.import("alula.startup")?;
    startup.call_method0("worker")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map(Arc::new)
        .map_err(failed)?;
    let interpreter = site
        .interpreters
        .get(interpreter)
        .ok_or_else(|| PyRuntimeError::new_err("the site has no such interpreter"))?;
    let threads_max = interpreter.threads.max(1) as usize;
    let dispatcher = Dispatcher::new(
        DispatchSettings {
            threads_max,
            queue_requests_max: QUEUE_REQUESTS_MAX,
        },
        Arc::new(Row(seat.slot.clone())),
    );
    let workers = interpreter.workers.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        |workers| workers as usize,
    );
    let handlers = Handlers::new(dispatcher.clone(), applications);
    let python = PythonAssembly::new(site, handlers, workers, logs.clone());
    let counter = Arc::new(Counter::new(
        seat.slot.clone(),
        Tally::new(seat.slot.clone(), site.extended_status),
        seat.control.clone(),
        staggered(interpreter.requests_max, seat.worker),
    ));
    let control = seat.control.clone();
    let service = {
        let _entered = runtime.enter();
        let service = match seat.door {
            Some(door) => {
                let reception = crate::reception::reception(counter.clone(), python);
                let answering = Answering::new(seat.slot, reception);
                answering
                    .serve(door)
                    .map(|()| Service::BehindFronts(answering))
            }
            None => {
                let status = StatusPage::new(seat.scoreboard.clone(), site.extended_status);
                let turns = Turns::new(seat.slot, seat.scoreboard, Some(threads_max));
                let hosts = site.servers().enumerate();
                let hosts = hosts.map(|(host, server)| HostSettings {
                    log: logs.host_span(host),
                    ..HostSettings::from(server)
                });
                let server = Server::new(
                    routes,
                    hosts.collect(),
                    Box::new(WorkerAssembly::new(python, status)),
                    Arc::new(counter.observer(turns, dispatcher.clone())),
                    seat.log_files
                        .into_iter()
                        .map(|log| (log.target, log.file))
                        .collect(),
                    &seat.secrets.parse().map_err(failed)?,
                )
                .map_err(PyRuntimeError::new_err)?;
                let listeners = seat.listeners.into_iter();
                let listeners = listeners.map(|listener| listener.socket).collect();
                server.serve(listeners).map(|()| Service::Accepting(server))
            }
        }
        .map_err(failed)?;
        // The counter ends the taking of requests once the worker has served enough.
        counter.watch(service.clone());
        let orders = control.orders().map_err(failed)?;
        control.ready().map_err(failed)?;
        runtime.spawn(obey(orders, service.clone(), dispatcher.clone()));
        service
    };
    dispatcher.run(py, &runtime);
    if let Service::Accepting(server) = service {
        server.flush_logs();
    }
    startup.call_method0("leave")?;
    Ok(())
}

/// Where the dispatcher's load is shown.
#[derive(Debug)]
struct Row(Slot);

impl Gauge for Row {
    fn queued(&self, requests: usize) {
        self.0.queued(requests);
    }

    fn thread_begins(&self) {
        self.0.thread_begins();
    }

    fn thread_ends(&self) {
        self.0.thread_ends();
    }
}

/// So many requests, up to a tenth fewer: workers that are started together are not replaced together.
fn staggered(requests_max: u64, worker: u64) -> u64 {
    let tenth = requests_max / 10;
    match tenth {
        // Few enough to be meant exactly.
        0..10 => requests_max,
        _ => requests_max - worker.wrapping_mul(0x9e37_79b9_7f4a_7c15) % tenth,
    }
}

/// Where requests come from.
#[derive(Clone)]
pub(crate) enum Service {
    /// Clients.
    Accepting(Server),
    /// Fronts.
    BehindFronts(Answering),
}

impl Service {
    /// Takes no more connections, and makes every response the last of its connection.
    pub(crate) fn close_after_requests(&self) {
        match self {
            Self::Accepting(server) => server.close_after_requests(),
            Self::BehindFronts(answering) => answering.close_after_requests(),
        }
    }

    async fn drain(&self) {
        match self {
            Self::Accepting(server) => server.drain().await,
            Self::BehindFronts(answering) => answering.drain().await,
        }
    }
}

/// Waits for the supervisor's orders and carries them out.
async fn obey(orders: Orders, service: Service, dispatcher: Dispatcher) {
    if let Order::Graceful = orders.next().await.unwrap_or(Order::Now) {
        // A second order can only be to leave at once.
        let mut drained = std::pin::pin!(service.drain());
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

#[cfg(test)]
mod tests {
    use super::staggered;

    #[test]
    fn workers_are_not_replaced_all_at_once() {
        assert_eq!(
            (staggered(0, 7), staggered(1, 7), staggered(99, 7)),
            (0, 1, 99)
        );
        let shares: Vec<u64> = (1..9).map(|worker| staggered(10_000, worker)).collect();
        assert!(shares.iter().all(|share| (9_001..=10_000).contains(share)));
        assert!(shares.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
