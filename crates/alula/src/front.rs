//! The assembly of a front: a worker without Python, for a site that has none.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alula_config::Site;
use alula_http::{Body, Handler, StatusHandler};
use alula_process::error_log::{ErrorLog, ErrorLogs};
use alula_process::{Control, Order, Slot, WorkerSeat, front};
use alula_routing::{Action, FilesRoute, Route, RouteTable};
use alula_server::{Assembly, HostSettings, Observer, Server};
use alula_static::{FileCache, Files, FilesSettings, Symlinks};
use anyhow::Result;
use tracing::Span;

/// The whole life of a front. Returns when it is to end.
pub(crate) fn run(description: &str) -> Result<()> {
    let seat = front::inherited(description)?;
    let site: Site = seat.site.parse()?;
    let logs = ErrorLogs::from(&site);
    ErrorLog::inherited(&logs, &seat.log_files)?.install();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(site, seat, logs))
}

async fn serve(site: Site, seat: WorkerSeat, logs: ErrorLogs) -> Result<()> {
    let (control, listeners) = (seat.control.clone(), seat.listeners);
    let log_files = seat.log_files.into_iter();
    let hosts = site
        .servers()
        .enumerate()
        .map(|(host, server)| HostSettings {
            log: logs.host_span(host),
            ..HostSettings::from(server)
        });
    let server = Server::new(
        RouteTable::new(&site),
        hosts.collect(),
        Box::new(FilesOnly {
            cache: FileCache::default(),
            logs,
        }),
        Arc::new(Counter::new(
            seat.slot,
            &control,
            site.processes.requests_max,
        )),
        log_files.map(|log| (log.target, log.file)).collect(),
    );
    server.serve(
        listeners
            .into_iter()
            .map(|listener| listener.socket)
            .collect(),
    )?;
    let orders = control.orders()?;
    control.ready()?;
    if orders.next().await? == Order::Graceful {
        tokio::select! {
            () = server.drain() => {}
            // A second order can only be to leave at once.
            order = orders.next() => drop(order?),
        }
    }
    server.flush_logs();
    Ok(())
}

/// Files and statuses: all that a site without Python can lead to.
struct FilesOnly {
    cache: FileCache,
    logs: ErrorLogs,
}

impl Assembly for FilesOnly {
    fn handler(&self, route: &Route) -> Arc<dyn Handler> {
        match &route.action {
            Action::Files(files) => Arc::new(Files::new(self.settings(files))),
            Action::Status(status) => Arc::new(StatusHandler(*status)),
            // A site that has an interpreter has no fronts.
            Action::Python(_) | Action::Wsgi(_) => {
                Arc::new(StatusHandler(http::StatusCode::INTERNAL_SERVER_ERROR))
            }
        }
    }

    fn files(&self, root: &Path) -> Arc<dyn Handler> {
        Arc::new(Files::new(FilesSettings {
            cache: self.cache.clone(),
            ..FilesSettings::new(root)
        }))
    }

    fn file_content(&self, file: File, length: u64) -> Body {
        alula_static::file_body(file, length)
    }

    fn log(&self, route: &Route) -> Option<Span> {
        let change = route.log_level.as_ref()?;
        Some(self.logs.section_span(route.virtual_host.0, change))
    }
}

impl FilesOnly {
    fn settings(&self, files: &FilesRoute) -> FilesSettings {
        FilesSettings {
            root: files.root.clone(),
            directory_index: files.directory_index.clone(),
            symlinks: Symlinks::from_options(
                files.options.follow_symlinks,
                files.options.symlinks_if_owner_match,
            ),
            indexes: files.options.indexes,
            files: files.settings.clone(),
            media_types: files.media_types.clone(),
            default_charset: files.default_charset.clone(),
            cache: self.cache.clone(),
        }
    }
}

/// Counts in the scoreboard, and asks for a replacement when the front has served its share.
struct Counter {
    slot: Slot,
    control: Control,
    requests: AtomicU64,
    /// 0 for no limit.
    requests_max: u64,
}

impl Counter {
    fn new(slot: Slot, control: &Control, requests_max: u64) -> Self {
        let (control, requests) = (control.clone(), AtomicU64::new(0));
        Self {
            slot,
            control,
            requests,
            requests_max,
        }
    }
}

impl Observer for Counter {
    fn connection_opened(&self) {
        self.slot.connection_opened();
    }

    fn connection_closed(&self) {
        self.slot.connection_closed();
    }

    fn request_started(&self) {
        self.slot.request_started();
        // The order to leave comes when the replacement is ready; until then the front goes on.
        let served = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if served == self.requests_max
            && let Err(error) = self.control.leaving(&format!("served {served} requests"))
        {
            tracing::error!("cannot ask for a replacement: {error}");
        }
    }

    fn request_finished(&self) {
        self.slot.request_finished();
    }
}
