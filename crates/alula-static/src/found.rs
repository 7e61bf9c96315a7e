//! A file that was found: what a response says about it, and where its content is.
//!
//! The fields are written once per opening, not once per response: a file kept by the cache costs no formatting.

use crate::mime::{Described, Mime};
use crate::sending;
use alula_http::Body;
use alula_http::conditional::Validators;
use alula_http::date;
use alula_http::etag::{EntityTag, STRONG_AFTER};
use bytes::Bytes;
use http::HeaderValue;
use rustix::fs::Stat;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A regular file as it was when it was opened.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) identity: Identity,
    pub(crate) size: u64,
    /// The same, for a response.
    pub(crate) length: HeaderValue,
    /// `None` with `FileETag None`.
    pub(crate) etag: Option<EntityTag>,
    pub(crate) last_modified: HeaderValue,
    pub(crate) described: Described,
    pub(crate) content: Content,
    mime: Arc<Mime>,
    modified: SystemTime,
    is_settled: bool,
    opened: Instant,
    /// When the disk was last asked whether it is still the same, in microseconds after it was opened.
    looked_us: AtomicU64,
}

/// Where a file's content is.
#[derive(Debug)]
pub(crate) enum Content {
    Memory(Bytes),
    Disk(Arc<OwnedFd>),
}

/// What tells one state of a file from another. The change time is in it since no program can set it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl From<&Stat> for Identity {
    fn from(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

impl Found {
    /// Describes a file just opened.
    pub(crate) fn new(file: &Path, fd: OwnedFd, stat: &Stat, mime: &Arc<Mime>) -> Self {
        let now = SystemTime::now();
        let modified = time(stat.st_mtime, stat.st_mtime_nsec);
        let changed = time(stat.st_ctime, stat.st_ctime_nsec).max(modified);
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        Self {
            identity: Identity::from(stat),
            size,
            length: HeaderValue::from(size),
            etag: EntityTag::of_facts(&mime.facts(stat.st_ino, size, modified), modified, now),
            // A file from the future was last modified now, as far as a client may know (RFC 9110 section 8.8.2.1).
            last_modified: date::format(modified.min(now)),
            described: mime.of(file),
            content: Content::Disk(Arc::new(fd)),
            mime: Arc::clone(mime),
            modified,
            opened: Instant::now(),
            looked_us: AtomicU64::new(0),
            is_settled: now
                .duration_since(changed)
                .is_ok_and(|age| age > STRONG_AFTER),
        }
    }

    /// A part of the content for which no disk has to be asked: it is in memory, or it is long and the server will fetch it.
    pub(crate) fn content_in_memory(&self, offset: u64, length: u64) -> Option<Body> {
        match &self.content {
            Content::Memory(whole) => {
                // What is in memory is small, so offsets into it fit.
                let (first, end) = (offset as usize, (offset + length) as usize);
                Some(Body::from(whole.slice(first..end)))
            }
            Content::Disk(file) => sending::part(file, offset, length),
        }
    }

    /// What conditional requests are compared with.
    pub(crate) fn validators(&self) -> Validators<'_> {
        Validators {
            etag: self.etag.as_ref(),
            modified: Some(self.modified),
        }
    }

    /// Whether it is not older than another file, in whole seconds: some copies keep no more of a time.
    pub(crate) fn is_as_new_as(&self, other: &Self) -> bool {
        date::seconds(self.modified) >= date::seconds(other.modified)
    }

    /// Whether the disk was asked about it no longer ago than that.
    pub(crate) fn was_looked_at(&self, now: Instant, within: Duration) -> bool {
        let since = now.saturating_duration_since(self.opened);
        let looked = Duration::from_micros(self.looked_us.load(Ordering::Relaxed));
        since.saturating_sub(looked) < within
    }

    /// The disk has said that it is still the same.
    pub(crate) fn looked_at(&self, now: Instant) {
        let since = now.saturating_duration_since(self.opened).as_micros();
        self.looked_us
            .store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether it was found for the same settings. A cache is shared by trees with different types and rules; none
    /// may get what another was allowed.
    pub(crate) fn is_of(&self, mime: &Arc<Mime>) -> bool {
        Arc::ptr_eq(&self.mime, mime)
    }

    /// Whether its identity can be trusted to change with the next change of the file: not within the tick of the
    /// clock in which it was changed last.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled
    }
}

/// A time of the kernel, with `nanoseconds` always counted forwards.
fn time(seconds: i64, nanoseconds: u64) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let second = if seconds < 0 {
        UNIX_EPOCH.checked_sub(whole)
    } else {
        UNIX_EPOCH.checked_add(whole)
    };
    second
        .and_then(|second| second.checked_add(Duration::from_nanos(nanoseconds)))
        .unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_time_of_a_file_is_a_time() {
        let half = 500_000_000;
        assert_eq!(time(1, half), UNIX_EPOCH + Duration::from_millis(1500));
        assert_eq!(time(-1, half), UNIX_EPOCH - Duration::from_millis(500));
        assert_eq!(
            time(i64::MIN, half),
            UNIX_EPOCH - Duration::from_secs(1 << 63) + Duration::from_millis(500)
        );
        let _ = time(i64::MAX, 999_999_999);
    }
}
