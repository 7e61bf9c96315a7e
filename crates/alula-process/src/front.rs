//! The beginning of a front: a worker without Python, executed by the supervisor as another `alula`.

use std::io;

use crate::inheritance::{Inheritance, Role};
use crate::worker::{Control, WorkerSeat};

/// The hidden subcommand that makes an `alula` a front; its one argument is for [`inherited`].
pub const SUBCOMMAND: &str = "front-worker";

/// Takes the seat the supervisor prepared.
pub fn inherited(description: &str) -> io::Result<WorkerSeat> {
    let Inheritance {
        control,
        scoreboard,
        site,
        listeners,
        log_files,
        role,
    } = Inheritance::take(description)?;
    let Role::Front { worker, slot } = role else {
        return Err(io::Error::other("this process was not started as a front"));
    };
    let slot = scoreboard.slot(slot);
    slot.set_pid(std::process::id());
    let control = Control::new(control, slot.clone())?;
    Ok(WorkerSeat {
        worker,
        site,
        listeners,
        log_files,
        slot,
        scoreboard,
        control,
    })
}
