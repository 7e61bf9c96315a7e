//! The assembly of a front: a worker without Python, for a site that has none.

use alula_config::Site;
use alula_process::error_log::ErrorLog;
use alula_process::{Listener, Order, Slot, WorkerSeat, front};
use anyhow::Result;

use crate::plan;

/// The whole life of a front. Returns when it is to end.
pub(crate) fn run(description: &str) -> Result<()> {
    let seat = front::inherited(description)?;
    let site: Site = seat.site.parse()?;
    ErrorLog::inherited(plan::levels(&site.main_server.log_level))?.install();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(site, seat))
}

async fn serve(site: Site, seat: WorkerSeat) -> Result<()> {
    let WorkerSeat {
        listeners,
        slot,
        control,
        ..
    } = seat;
    let server = assemble(site, listeners, slot);
    let orders = control.orders()?;
    control.ready()?;
    match orders.next().await? {
        Order::Now => return Ok(()),
        Order::Graceful => {}
    }
    tokio::select! {
        () = server.drain() => Ok(()),
        // A second order can only be to leave at once.
        order = orders.next() => Ok(order.map(drop)?),
    }
}

/// The place where the server is put together: routes and files over these listeners, counted in this slot.
fn assemble(_site: Site, _listeners: Vec<Listener>, _slot: Slot) -> Assembled {
    Assembled {}
}

struct Assembled {}

impl Assembled {
    async fn drain(&self) {}
}
