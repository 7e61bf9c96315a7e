//! The processes of a running server: the supervisor, its templates and workers, and what they say to each other.
//!
//! No process here answers a request: a worker is handed a [`WorkerSeat`] and everything it does with it is decided by
//! the assembly that asked for it. The configuration is passed through as JSON text that only the assemblies read; this
//! crate is told the little it needs in a [`Plan`].
//!
//! | process | enters by | leaves by |
//! | --- | --- | --- |
//! | supervisor | [`supervisor::run`] | TERM, INT or WINCH |
//! | template (inside Python) | [`template::inherited`], [`template::run`] | its control socket closes |
//! | worker (forked from a template) | [`template::run`] returning a [`WorkerSeat`] | an [`Order`] |
//! | front (a worker without Python) | [`front::inherited`] | an [`Order`] |

mod black_box;
mod code_watch;
mod inheritance;
mod launch;
mod listeners;
mod memory_kills;
mod messages;
mod plan;
mod privileges;
mod process;
mod restart;
mod scoreboard;
mod signals;
mod start_pages;
mod status;
mod turns;
mod usage;
mod worker;

pub mod daemon;
pub mod error_log;
pub mod front;
pub mod hand_over;
pub mod log_writer;
pub mod pid_file;
pub mod python;
pub mod supervisor;
pub mod template;

pub use black_box::{BlackBox, RunningThread};
pub use code_watch::Sources;
pub use listeners::{BindError, Listener};
pub use plan::{GroupPlan, Limits, Plan, Reserve, SecretText, SiteText};
pub use privileges::{RunAs, UnknownName, is_root};
pub use scoreboard::{
    Outcome, Row, RunningRequest, Scoreboard, ServerRow, Slot, State, Tally, Totals, Work,
};
pub use status::{Report, StatusPage};
pub use turns::Turns;
pub use worker::{
    Control, Door, Heard, LogFile, Order, Orders, SiteFilesText, WorkerSeat, leave_at_once,
};
