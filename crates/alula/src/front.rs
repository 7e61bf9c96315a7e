//! The assembly of a front: a worker without Python, before the interpreters of a site or for a site that has none.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use alula_config::Site;
use alula_http::{Body, FilePart, Glimpse, Handler, StatusHandler};
use alula_process::error_log::{ErrorLog, ErrorLogs};
use alula_process::hand_over::{Doors, TlsWanted};
use alula_process::{
    Control, Heard, Order, Orders, SiteFilesText, Slot, StatusPage, Tally, Turns, WorkerSeat, front,
};
use alula_proxy::{BackEnds, ProxyHandlerSettings};
use alula_routing::{Action, FilesRoute, PythonDefinition, Route, RouteTable};
use alula_server::{Assembly, HostSettings, Observer, Server, Warm};
use alula_static::{FileCache, Files, FilesSettings, Symlinks};
use anyhow::{Result, anyhow};
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
    let names = site.interpreters.iter().map(|python| python.name.clone());
    let doors = Doors::new(names.collect(), seat.scoreboard.clone());
    // Requests wear out Python, not fronts: before interpreters it is their workers that are replaced.
    let requests_max = match site.interpreters.as_slice() {
        [] => site.processes.requests_max,
        _ => 0,
    };
    let tally = Tally::new(seat.slot.clone(), site.extended_status);
    let status = StatusPage::new(seat.scoreboard.clone(), site.extended_status);
    let turns = Turns::new(seat.slot.clone(), seat.scoreboard, None);
    let server = Server::new(
        RouteTable::new(&site),
        hosts.collect(),
        Box::new(FrontAssembly::new(&site, doors.clone(), logs, status)),
        Arc::new(Counter::new(
            seat.slot,
            tally,
            turns,
            &control,
            requests_max,
        )),
        log_files.map(|log| (log.target, log.file)).collect(),
        &seat.secrets.parse()?,
    )
    .map_err(|error| anyhow!(error))?;
    server.serve(
        listeners
            .into_iter()
            .map(|listener| listener.socket)
            .collect(),
    )?;
    let names = site.interpreters.into_iter();
    let front = Front {
        server,
        doors,
        // The supervisor counts from 1.
        interpreters: names
            .map(|python| (python.name, AtomicU32::new(0)))
            .collect(),
    };
    let orders = control.orders()?;
    control.ready()?;
    if next_order(&orders, &front).await? == Order::Graceful {
        tokio::select! {
            () = front.server.drain() => {}
            // A second order can only be to leave at once.
            order = next_order(&orders, &front) => drop(order?),
        }
    }
    front.server.flush_logs();
    Ok(())
}

/// The next order; what is said of workers meanwhile is heeded.
async fn next_order(orders: &Orders, front: &Front) -> std::io::Result<Order> {
    loop {
        match orders.hear().await? {
            Heard::Order(order) => return Ok(order),
            Heard::Door(door) => front.doors.open(door),
            Heard::SiteFiles(files) => front.learn(&files)?,
            Heard::Away { interpreter, time } => front.doors.away(interpreter, time),
        }
    }
}

/// What the supervisor speaks to.
struct Front {
    server: Server,
    doors: Arc<Doors>,
    /// By an interpreter's place: its name, and which word about its project's files was the last.
    interpreters: Vec<(String, AtomicU32)>,
}

impl Front {
    /// Files of a project (`PythonStatic`): said with each worker, and news once.
    fn learn(&self, files: &SiteFilesText) -> std::io::Result<()> {
        let Some((name, known)) = self.interpreters.get(files.interpreter) else {
            return Ok(());
        };
        if known.swap(files.version, Ordering::Relaxed) != files.version {
            let files = serde_json::from_slice(&files.read()?)?;
            self.server.set_site_files(name, files);
        }
        Ok(())
    }
}

/// Files and statuses here; Python behind the doors.
struct FrontAssembly {
    cache: FileCache,
    back_ends: BackEnds,
    doors: Arc<Doors>,
    /// The interpreters' names, by their places.
    interpreters: Vec<String>,
    logs: ErrorLogs,
    status: StatusPage,
}

impl FrontAssembly {
    fn new(site: &Site, doors: Arc<Doors>, logs: ErrorLogs, status: StatusPage) -> Self {
        let names = site.interpreters.iter().map(|python| python.name.clone());
        Self {
            cache: FileCache::default(),
            back_ends: BackEnds::default(),
            doors,
            interpreters: names.collect(),
            logs,
            status,
        }
    }

    /// `None` where no interpreter of that name was started.
    fn behind_door(&self, definition: &PythonDefinition) -> Option<Arc<dyn Handler>> {
        let name = definition.interpreter();
        let place = self.interpreters.iter().position(|known| known == name);
        // A lone interpreter runs whatever the site has, as it does without fronts.
        let place = place.or_else(|| (self.interpreters.len() == 1).then_some(0));
        if place.is_none() {
            tracing::error!(
                "no process runs the interpreter {name:?}; its requests are answered 500"
            );
        }
        let tls = TlsWanted {
            standard: definition.tls_variables.standard,
            certificates: definition.tls_variables.certificates,
        };
        let definition = serde_json::to_vec(definition).ok()?;
        Some(self.doors.handler(place?, definition, tls))
    }
}

impl Assembly for FrontAssembly {
    fn handler(&self, route: &Route) -> Arc<dyn Handler> {
        match &route.action {
            Action::Files(files) => Arc::new(Files::new(self.settings(files))),
            Action::Proxy(proxy) => Arc::new(self.back_ends.handler(ProxyHandlerSettings {
                forwarding: proxy.clone(),
                rules: route.proxy.clone(),
                one_request_each: route.sets("proxy-nokeepalive"),
            })),
            Action::Status(status) => Arc::new(StatusHandler(*status)),
            Action::ServerStatus => Arc::new(self.status.clone()),
            Action::Python(_) | Action::Wsgi(_) => match PythonDefinition::of(route) {
                Some(definition) => self.python(&definition),
                None => Arc::new(StatusHandler(http::StatusCode::INTERNAL_SERVER_ERROR)),
            },
        }
    }

    fn python(&self, definition: &PythonDefinition) -> Arc<dyn Handler> {
        let handler = self.behind_door(definition);
        handler.unwrap_or_else(|| Arc::new(StatusHandler(http::StatusCode::INTERNAL_SERVER_ERROR)))
    }

    fn files(&self, root: &Path) -> Arc<dyn Handler> {
        Arc::new(Files::new(FilesSettings {
            cache: self.cache.clone(),
            ..FilesSettings::new(root)
        }))
    }

    fn part_content(&self, part: FilePart) -> Body {
        alula_static::part_body(part)
    }

    fn warm(&self) -> Warm {
        alula_static::warm
    }

    fn log(&self, route: &Route) -> Option<Span> {
        let change = route.log_level.as_ref()?;
        Some(self.logs.section_span(route.virtual_host.0, change))
    }
}

impl FrontAssembly {
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
            caching: files.caching.clone(),
            are_scripts: files.are_scripts,
            cache: self.cache.clone(),
        }
    }
}

/// Counts in the scoreboard, and asks for a replacement when the front has served its share.
struct Counter {
    slot: Slot,
    tally: Tally,
    turns: Turns,
    control: Control,
    requests: AtomicU64,
    /// 0 for no limit.
    requests_max: u64,
}

impl Counter {
    fn new(slot: Slot, tally: Tally, turns: Turns, control: &Control, requests_max: u64) -> Self {
        let (control, requests) = (control.clone(), AtomicU64::new(0));
        Self {
            slot,
            tally,
            turns,
            control,
            requests,
            requests_max,
        }
    }
}

impl Observer for Counter {
    fn may_accept(&self) -> bool {
        self.turns.may_accept(0)
    }

    fn connection_opened(&self) {
        self.slot.connection_opened();
    }

    fn connection_closed(&self) {
        self.slot.connection_closed();
    }

    fn request_started(&self, request: &Glimpse) -> u32 {
        // The order to leave comes when the replacement is ready; until then the front goes on.
        let served = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if served == self.requests_max
            && let Err(error) = self.control.leaving(&format!("served {served} requests"))
        {
            tracing::error!("cannot ask for a replacement: {error}");
        }
        self.tally.started(request)
    }

    fn request_client(&self, ticket: u32, client: SocketAddr) {
        self.tally.client(ticket, client);
    }

    fn request_finished(&self, ticket: u32, bytes: u64) {
        self.tally.finished(ticket, bytes);
    }
}
