//! Files of users and of groups: lines of `name:rest`, read when first asked for and whenever they change.
//!
//! Looking whether a file changed is one `stat`, made in the loop: it costs less than handing it to a thread.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How long a file may be, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The files read so far; their number is that of the configuration's.
#[derive(Default)]
pub(super) struct Files {
    read: Mutex<HashMap<PathBuf, Arc<Table>>>,
}

/// A file's lines.
pub(super) struct Table {
    stamp: Stamp,
    lines: HashMap<String, String>,
}

/// Changes when a file is written or replaced.
#[derive(PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    bytes: u64,
    inode: u64,
}

impl Files {
    /// A file as it is now; why not, when it cannot be read.
    pub(super) fn get(&self, path: &Path) -> Result<Arc<Table>, String> {
        let failed = |error: std::io::Error| format!("cannot read {path:?}: {error}");
        let metadata = std::fs::metadata(path).map_err(failed)?;
        let stamp = Stamp::of(&metadata);
        if let Some(table) = self.read.lock().get(path)
            && table.stamp == stamp
        {
            return Ok(table.clone());
        }
        if stamp.bytes > FILE_BYTES_MAX {
            return Err(format!("{path:?} is longer than {FILE_BYTES_MAX} bytes"));
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        let table = Arc::new(Table {
            stamp,
            lines: lines(&String::from_utf8_lossy(&bytes)),
        });
        self.read.lock().insert(path.to_owned(), table.clone());
        Ok(table)
    }
}

impl Table {
    /// What follows a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.lines.get(name).map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.lines.iter();
        lines.map(|(name, rest)| (name.as_str(), rest.as_str()))
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            bytes: metadata.len(),
            inode: metadata.ino(),
        }
    }
}

/// The first line with a name counts, as in httpd.
fn lines(text: &str) -> HashMap<String, String> {
    let mut lines = HashMap::new();
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
    {
        if let Some((name, rest)) = line.split_once(':') {
            lines
                .entry(name.trim().to_owned())
                .or_insert_with(|| rest.trim().to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_and_what_follows() {
        let lines = lines("# none:x\nann:one\nbob : two: three\r\nnobody\nann:four\n");
        let check = |name: &str, rest| assert_eq!(lines.get(name).map(String::as_str), rest);
        check("ann", Some("one"));
        check("bob", Some("two: three"));
        check("nobody", None);
        check("# none", None);
    }
}
