//! mod_status. The page itself is `SetHandler server-status`.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "ExtendedStatus", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::SERVER,
        default: "On", apply: Apply::Run(extended_status),
        doc: "Whether requests are on record while they run: who asked for what, since when. `server-status`, `alula status` and the \
              records of crashes show it. Off, requests are still counted.",
    },
];

fn extended_status(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.draft.extended_status = Some(args.flag()?);
    Ok(())
}
