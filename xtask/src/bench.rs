//! `cargo xtask bench`: builds what would ship and hands over to `benches/run.py`, which knows the loads and the peers.

use crate::shell;
use anyhow::{Result, ensure};
use std::path::Path;

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let script = shell::root().join("benches/run.py");
    ensure!(
        script.is_file(),
        "benches/run.py is missing from this checkout"
    );
    shell::cargo(["build", "--profile", "dist"])?;
    let words = std::iter::once("benches/run.py").chain(arguments.iter().map(String::as_str));
    shell::run(Path::new("python3"), words)
}
