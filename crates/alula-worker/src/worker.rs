//! A worker's life: bring up the loop after the fork, serve, drain when told to, leave.

use crate::assembly::{PythonAssembly, WorkerAssembly};
use crate::counter::Counter;
use alula_config::Site;
use alula_process::error_log::ErrorLogs;
use alula_process::hand_over::Answering;
use alula_process::{
    BlackBox, Control, Order, Orders, Slot, StatusPage, Tally, Turns, WorkerSeat, leave_at_once,
};
use alula_python::{Applications, DispatchSettings, Dispatcher, Handlers, Watch};
use alula_routing::RouteTable;
use alula_server::{HostSettings, Server};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::future::Future;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

/// Complete requests that may wait for Python in one worker; one more is answered 503.
const QUEUE_REQUESTS_MAX: usize = 1024;

/// How long a worker with a request that is stuck waits for its other requests.
const STUCK_PATIENCE: Duration = Duration::from_secs(10);

/// How long it then has to leave in an orderly way.
const LEAVE_PATIENCE: Duration = Duration::from_secs(1);

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
    let black_box = seat
        .black_box
        .ok_or_else(|| PyRuntimeError::new_err("a worker has a black box"))?;
    startup.call_method1("worker", (BlackBox::signal(), black_box.descriptor()))?;
    black_box.watch();
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
    let settings = DispatchSettings {
        threads_max,
        queue_requests_max: QUEUE_REQUESTS_MAX,
        request_timeout: interpreter.processes.request_timeout,
        careful: seat.careful,
    };
    let notes = Arc::new(Notes {
        black_box,
        slot: seat.slot.clone(),
        control: seat.control.clone(),
        timeout: interpreter.processes.request_timeout,
        service: OnceLock::new(),
    });
    let dispatcher = Dispatcher::new(settings, notes.clone());
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
        let _ = notes.service.set(service.clone());
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

/// Where threads note what they do, and what follows from it.
struct Notes {
    black_box: BlackBox,
    slot: Slot,
    control: Control,
    timeout: Option<Duration>,
    service: OnceLock<Service>,
}

impl std::fmt::Debug for Notes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.black_box.fmt(f)
    }
}

impl Watch for Notes {
    fn queued(&self, requests: usize) {
        self.slot.queued(requests);
    }

    fn thread_begins(&self) {
        self.slot.thread_begins();
    }

    fn thread_ends(&self) {
        self.slot.thread_ends();
    }

    fn request_of(&self, seat: usize) -> Option<&'static AtomicU64> {
        self.black_box.request_of(seat)
    }

    fn thread_starts(&self, seat: usize) {
        self.black_box.thread_starts(seat);
    }

    fn call_seen(&self, seat: usize) {
        self.black_box.begun(seat);
    }

    fn given_up(&self, request: u64, lasted: Duration) {
        // Before anything else: the stacks are those of now.
        let stacks = self.black_box.stacks();
        let known = self
            .slot
            .running_requests()
            .into_iter()
            .find(|known| known.id == request);
        let what = known.map_or_else(
            || format!("[request {request:x}]"),
            |known| {
                let came = known.started.elapsed().unwrap_or_default();
                let waited = came.saturating_sub(lasted).as_secs_f64();
                format!("{known}, which had waited for {waited:.3} s,")
            },
        );
        let (lasted, timeout) = (
            lasted.as_secs_f64(),
            self.timeout.unwrap_or_default().as_secs(),
        );
        let (row, pid) = (self.slot.row(), std::process::id());
        let stacks = stacks.replace('\n', "\n  ");
        tracing::error!(
            target: "python",
            "{what} is inside Python for {lasted:.1} s, longer than request-timeout={timeout}: answered 504; worker {} \
             (pid {pid}) is replaced when its other requests are answered\n  {stacks}",
            row.worker
        );
        if let Some(service) = self.service.get() {
            service.close_after_requests();
        }
        if let Err(error) = self.control.stuck() {
            tracing::error!(target: "core", "cannot ask for a replacement: {error}");
        }
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
        let mut drained = std::pin::pin!(drain(&service, &dispatcher));
        let mut again = std::pin::pin!(orders.next());
        std::future::poll_fn(|cx| {
            if again.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            drained.as_mut().poll(cx)
        })
        .await;
    }
    if !dispatcher.is_stuck() {
        dispatcher.stop();
        return;
    }
    // Threads do not come back from calls that are stuck. Whoever can leaves as always; if nobody can, the process ends.
    if let Service::Accepting(server) = &service {
        server.flush_logs();
    }
    let leave = || {
        std::thread::sleep(LEAVE_PATIENCE);
        leave_at_once()
    };
    let leaving = std::thread::Builder::new()
        .name("leaving".into())
        .spawn(leave);
    if leaving.is_err() {
        leave_at_once();
    }
    dispatcher.stop();
}

/// Waits until all requests are answered. When some are stuck those that wait for Python may wait in vain: after a while
/// they are turned away. Behind fronts they stay where they are, and the fronts hand them to another worker.
async fn drain(service: &Service, dispatcher: &Dispatcher) {
    let mut drained = std::pin::pin!(service.drain());
    let looked = std::time::Duration::from_millis(100);
    let mut stuck_for = std::time::Duration::ZERO;
    while tokio::time::timeout(looked, drained.as_mut())
        .await
        .is_err()
    {
        if dispatcher.is_stuck() {
            stuck_for += looked;
        }
        if stuck_for >= STUCK_PATIENCE {
            if let Service::Accepting(_) = service {
                dispatcher.turn_away();
                let _ = tokio::time::timeout(LEAVE_PATIENCE, drained).await;
            }
            return;
        }
    }
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
