//! `cargo xtask tidy`: rules about the whole checkout that no compiler holds.
//!
//! The same checks are ordinary tests below, so `cargo test` is enough and nobody has to remember this task.

mod arrows;
mod files;
mod sources;

use crate::shell;
use anyhow::{Result, bail};
use std::path::Path;

pub(crate) fn run() -> Result<()> {
    let complaints = complaints(&shell::root())?;
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    if !complaints.is_empty() {
        bail!("tidy: {} complaints", complaints.len());
    }
    eprintln!("tidy: nothing to complain about");
    Ok(())
}

fn complaints(root: &Path) -> Result<Vec<String>> {
    let mut all = arrows::complaints(root)?;
    all.extend(sources::complaints(root)?);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::{arrows, shell, sources};

    #[test]
    fn crates_depend_only_along_the_arrows() {
        let complaints =
            arrows::complaints(&shell::root()).expect("every crate has a readable manifest");
        assert_eq!(complaints, Vec::<String>::new());
    }

    #[test]
    fn sources_open_with_their_purpose_and_name_no_machine() {
        let complaints =
            sources::complaints(&shell::root()).expect("every source file is readable text");
        assert_eq!(complaints, Vec::<String>::new());
    }
}
