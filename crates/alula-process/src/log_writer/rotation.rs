//! `rotatelogs`: a new file each so many seconds, or when one is large enough.
//!
//! A file that cannot be begun costs nothing but the rotation: the old one goes on, and a line on standard error says why.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use alula_config::site::Rotation;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ZonedDateTime};

use super::{Lines, Next};

/// How long until a file that could not be begun is tried again, in seconds.
const RETRY_SECONDS: i64 = 10;

pub(super) struct Rotator {
    rotation: Rotation,
    zone: TimeZone,
    current: Option<Current>,
    /// For `-n`: how many files were begun.
    begun: u32,
}

struct Current {
    file: File,
    path: PathBuf,
    bytes: u64,
    /// When it is over, in seconds since 1970.
    until: Option<i64>,
}

impl Rotator {
    pub(super) fn new(rotation: Rotation) -> Self {
        let offset = Offset::from_seconds(rotation.utc_offset_minutes * 60);
        let zone = match rotation.local_time {
            true => TimeZone::system(),
            false => offset.unwrap_or(Offset::UTC).to_time_zone(),
        };
        Self {
            rotation,
            zone,
            current: None,
            begun: 0,
        }
    }

    pub(super) fn run(mut self) -> io::Result<()> {
        let mut lines = Lines::new()?;
        if self.rotation.open_at_once {
            self.rotate(now());
        }
        loop {
            match lines.next(self.patience())? {
                Next::End => return Ok(()),
                Next::TimeOut => self.prepare(now(), 0),
                Next::Line(line) => self.write(now(), &line),
            }
        }
    }

    /// Until when to wait for a line: with `-c` a file is begun also when none comes.
    fn patience(&self) -> Option<Duration> {
        let until = self
            .current
            .as_ref()?
            .until
            .filter(|_| self.rotation.create_empty)?;
        let left = u64::try_from(until - now()).unwrap_or(0);
        Some(Duration::from_secs(left.max(1)))
    }

    fn write(&mut self, now: i64, line: &[u8]) {
        self.prepare(now, line.len() as u64);
        let Some(current) = &mut self.current else {
            return;
        };
        // A full disk loses lines; a later one may fit again.
        if current.file.write_all(line).is_ok() {
            current.bytes += line.len() as u64;
        }
    }

    /// Begins a new file where the current one is over.
    fn prepare(&mut self, now: i64, more: u64) {
        let over = match &self.current {
            None => true,
            Some(current) => {
                let full = |max| current.bytes > 0 && current.bytes + more > max;
                current.until.is_some_and(|until| now >= until)
                    || self.rotation.bytes.is_some_and(full)
            }
        };
        if over {
            self.rotate(now);
        }
    }

    fn rotate(&mut self, now: i64) {
        let (start, until) = self.period(now);
        let path = self.path(start, until);
        match self.begin(&path) {
            Ok((file, bytes)) => {
                let before = self.current.replace(Current {
                    file,
                    path,
                    bytes,
                    until,
                });
                self.begun = self.begun.wrapping_add(1);
                self.tell(before.map(|before| before.path));
            }
            Err(error) => {
                let _ = writeln!(
                    io::stderr(),
                    "alula rotatelogs: cannot open {path:?}: {error}"
                );
                if let Some(current) = &mut self.current {
                    current.until = Some(now + RETRY_SECONDS);
                    current.bytes = 0;
                }
            }
        }
    }

    /// When the period of a moment begins and ends. Periods are counted in the log's own time, so that days begin at
    /// midnight.
    fn period(&self, now: i64) -> (i64, Option<i64>) {
        let Some(seconds) = self
            .rotation
            .seconds
            .and_then(|seconds| i64::try_from(seconds).ok())
        else {
            return (now, None);
        };
        let offset = i64::from(self.zone.to_offset(timestamp(now)).seconds());
        let start = (now + offset).div_euclid(seconds) * seconds - offset;
        (start, Some(start + seconds))
    }

    fn path(&self, start: i64, until: Option<i64>) -> PathBuf {
        let name = &self.rotation.file;
        if let Some(files) = self.rotation.in_turn {
            let number = self.begun % files;
            return match number {
                0 => name.into(),
                number => format!("{name}.{number}").into(),
            };
        }
        let path = if name.contains('%') {
            let zoned = ZonedDateTime::new(timestamp(start), self.zone.clone());
            let text = jiff::fmt::strtime::format(name, &zoned);
            PathBuf::from(text.unwrap_or_else(|_| name.clone()))
        } else if self.rotation.truncate {
            PathBuf::from(name)
        } else {
            // httpd counts from the log's own midnight.
            let offset = i64::from(self.zone.to_offset(timestamp(start)).seconds());
            PathBuf::from(format!("{name}.{:010}", start + offset))
        };
        // One that is full before its time is over has a number after it.
        match &self.current {
            Some(current) if until == current.until && same_base(&current.path, &path) => (1_u32..)
                .map(|number| PathBuf::from(format!("{}.{number}", path.display())))
                .find(|numbered| !numbered.exists())
                .unwrap_or(path),
            _ => path,
        }
    }

    fn begin(&self, path: &Path) -> io::Result<(File, u64)> {
        if self.rotation.make_directories
            && let Some(folder) = path.parent()
        {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.create(true);
        if self.rotation.truncate || self.rotation.in_turn.is_some() {
            options.write(true).truncate(true);
        } else {
            options.append(true);
        }
        let file = options.open(path)?;
        let bytes = file.metadata()?.len();
        Ok((file, bytes))
    }

    /// `-L` and `-p`.
    fn tell(&self, before: Option<PathBuf>) {
        let Some(current) = &self.current else { return };
        if let Some(link) = &self.rotation.link {
            let _ = std::fs::remove_file(link);
            if let Err(error) = std::fs::hard_link(&current.path, link) {
                let _ = writeln!(
                    io::stderr(),
                    "alula rotatelogs: cannot make the link {link:?}: {error}"
                );
            }
        }
        if let Some(program) = &self.rotation.program {
            let mut command = Command::new(program);
            command.arg(&current.path).args(before).stdin(Stdio::null());
            // It runs beside us; whoever adopts orphans waits for it.
            if let Err(error) = command.spawn() {
                let _ = writeln!(
                    io::stderr(),
                    "alula rotatelogs: cannot run {program:?}: {error}"
                );
            }
        }
    }
}

/// Whether `current` is `path` or `path` with a number after it.
fn same_base(current: &Path, path: &Path) -> bool {
    let (current, path) = (current.to_string_lossy(), path.to_string_lossy());
    match current.strip_prefix(&*path) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix('.')
            .is_some_and(|number| number.parse::<u32>().is_ok()),
        None => false,
    }
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24 20:44:50 UTC.
    const EVENING: i64 = 1_795_553_090;

    fn rotator(folder: &Path, change: impl FnOnce(&mut Rotation)) -> Rotator {
        let mut rotation = Rotation {
            file: folder.join("log").to_string_lossy().into_owned(),
            ..Rotation::default()
        };
        change(&mut rotation);
        Rotator::new(rotation)
    }

    #[track_caller]
    fn check(folder: &Path, expected: &[(&str, &str)]) {
        let mut found: Vec<(String, String)> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, std::fs::read_to_string(path).unwrap())
            })
            .collect();
        found.sort();
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_for_each_day() {
        let folder = tempfile::tempdir().unwrap();
        let mut rotator = rotator(folder.path(), |rotation| {
            rotation.file.push_str(".%Y-%m-%d");
            rotation.seconds = Some(86400);
            rotation.utc_offset_minutes = 120;
        });
        rotator.write(EVENING, b"a\n");
        // 23:59:59 two hours east of Greenwich, then midnight.
        rotator.write(EVENING + 4509, b"b\n");
        rotator.write(EVENING + 4510, b"c\n");
        check(
            folder.path(),
            &[("log.2026-11-24", "a\nb\n"), ("log.2026-11-25", "c\n")],
        );
    }

    #[test]
    fn a_name_without_a_time_has_the_beginning_appended() {
        let folder = tempfile::tempdir().unwrap();
        let mut rotator = rotator(folder.path(), |rotation| rotation.seconds = Some(100));
        rotator.write(EVENING, b"a\n");
        check(folder.path(), &[("log.1795553000", "a\n")]);
    }

    #[test]
    fn a_file_that_is_full_has_a_successor() {
        let folder = tempfile::tempdir().unwrap();
        let mut rotator = rotator(folder.path(), |rotation| {
            rotation.file.push_str(".%Y");
            rotation.bytes = Some(6);
        });
        for line in [b"aaa\n", b"bbb\n", b"ccc\n"] {
            rotator.write(EVENING, line);
        }
        check(
            folder.path(),
            &[
                ("log.2026", "aaa\n"),
                ("log.2026.1", "bbb\n"),
                ("log.2026.2", "ccc\n"),
            ],
        );
    }

    #[test]
    fn files_in_turn_with_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("now");
        let mut rotator = rotator(folder.path(), |rotation| {
            rotation.in_turn = Some(2);
            rotation.seconds = Some(10);
            rotation.link = Some(link);
        });
        for (after, line) in [(0, b"a\n"), (10, b"b\n"), (20, b"c\n")] {
            rotator.write(EVENING + after, line);
        }
        check(
            folder.path(),
            &[("log", "c\n"), ("log.1", "b\n"), ("now", "c\n")],
        );
    }

    #[test]
    fn a_file_that_cannot_be_begun_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut rotator = rotator(folder.path(), |rotation| {
            rotation.file.push_str("%j/x");
            rotation.seconds = Some(86400);
        });
        std::fs::create_dir(folder.path().join("log328")).unwrap();
        rotator.write(EVENING, b"a\n");
        rotator.write(EVENING + 86400, b"b\n");
        assert_eq!(
            std::fs::read(folder.path().join("log328/x")).unwrap(),
            b"a\nb\n"
        );
    }
}
