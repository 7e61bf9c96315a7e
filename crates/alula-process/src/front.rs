//! The beginning of a front: a worker without Python, executed by the supervisor as another `alula`.

use std::io;

use crate::inheritance::{Inheritance, Role};
use crate::worker::WorkerSeat;

/// The hidden subcommand that makes an `alula` a front; its one argument is for [`inherited`].
pub const SUBCOMMAND: &str = "front-worker";

/// Takes the seat the supervisor prepared.
pub fn inherited(description: &str) -> io::Result<WorkerSeat> {
    let inheritance = Inheritance::take(description)?;
    let Role::Front { worker, slot } = inheritance.role else {
        return Err(io::Error::other("this process was not started as a front"));
    };
    let control = inheritance.control.try_clone()?;
    inheritance.seat(worker, slot, control, None, None)
}
