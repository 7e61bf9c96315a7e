//! `RewriteMap`: tables in files, read again when they change, and a few functions.

use crate::expression::unescape;
use alula_config::site::RewriteMap;
use alula_http::path;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// The largest table, in bytes; a larger file is as good as none.
const TABLE_BYTES_MAX: u64 = 16 << 20;

/// The maps of a server.
#[derive(Debug, Default)]
pub(crate) struct Maps(BTreeMap<String, Map>);

#[derive(Debug)]
struct Map {
    kind: RewriteMap,
    table: Mutex<Option<Table>>,
}

/// A file as it was read.
#[derive(Debug)]
struct Table {
    state: (SystemTime, u64),
    values: FxHashMap<Vec<u8>, Vec<u8>>,
}

impl Maps {
    pub(crate) fn new(maps: &BTreeMap<String, RewriteMap>) -> Self {
        let maps = maps.iter().map(|(name, kind)| {
            let map = Map {
                kind: kind.clone(),
                table: Mutex::default(),
            };
            (name.clone(), map)
        });
        Self(maps.collect())
    }

    /// What stands for a key.
    pub(crate) fn find(&self, name: &str, key: &[u8]) -> Option<Vec<u8>> {
        let map = self.0.get(name)?;
        match &map.kind {
            RewriteMap::ToUpper => Some(key.to_ascii_uppercase()),
            RewriteMap::ToLower => Some(key.to_ascii_lowercase()),
            RewriteMap::Escape => Some(path::encode(key).into_bytes()),
            RewriteMap::Unescape => unescape(key, false),
            RewriteMap::Text(file) => map.look_up(file, key),
            RewriteMap::Random(file) => {
                let values = map.look_up(file, key)?;
                let values: Vec<&[u8]> = values.split(|&byte| byte == b'|').collect();
                Some(values[random(values.len())].to_vec())
            }
        }
    }
}

impl Map {
    fn look_up(&self, file: &Path, key: &[u8]) -> Option<Vec<u8>> {
        let metadata = file.metadata().ok()?;
        let state = (metadata.modified().ok()?, metadata.len());
        let mut table = self.table.lock();
        if table.as_ref().is_none_or(|table| table.state != state) {
            if metadata.len() > TABLE_BYTES_MAX {
                return None;
            }
            let values = read(&std::fs::read(file).ok()?);
            *table = Some(Table { state, values });
        }
        table.as_ref()?.values.get(key).cloned()
    }
}

/// Lines of a key and a value; what follows the value is a comment, and the first line of a key counts.
fn read(text: &[u8]) -> FxHashMap<Vec<u8>, Vec<u8>> {
    let mut values = FxHashMap::default();
    for line in text.split(|&byte| byte == b'\n') {
        if line.starts_with(b"#") {
            continue;
        }
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        if let (Some(key), Some(value)) = (words.next(), words.next()) {
            values.entry(key.to_vec()).or_insert_with(|| value.to_vec());
        }
    }
    values
}

/// One of so many: enough to spread load, which is what `rnd:` is for.
fn random(count: usize) -> usize {
    static STATE: AtomicU64 = AtomicU64::new(0);
    let step = STATE.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut mixed = step ^ u64::from(now.unwrap_or_default().subsec_nanos());
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let count = count.max(1) as u64;
    ((mixed ^ (mixed >> 31)) % count) as usize
}

#[cfg(test)]
mod tests {
    #[test]
    fn tables_are_lines_of_two_words() {
        let values = super::read(b"# c\na b\n  c\td  # more\na x\nalone\n");
        assert_eq!(values.len(), 2);
        assert_eq!(values[&b"a"[..]], b"b");
        assert_eq!(values[&b"c"[..]], b"d");
    }

    #[test]
    fn random_values_vary() {
        let mut seen = [false; 3];
        for _ in 0..1000 {
            seen[super::random(3)] = true;
        }
        assert_eq!(seen, [true; 3]);
    }
}
