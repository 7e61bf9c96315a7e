//! `PidFile`: where the running supervisor can be found.
//!
//! The running one holds a lock on the file. So the number in it is never believed after a crash, in a container where
//! every server is process 1, or when the number has gone to another process.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Flock, FlockType, fcntl_getlk};

/// The file of this process: written and locked, removed when dropped.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    // Closing it gives the lock back.
    _file: File,
}

/// Why the file cannot be ours.
#[derive(Debug, thiserror::Error)]
pub enum PidFileError {
    /// A running server has it.
    #[error("already running (pid {0})")]
    AlreadyRunning(u32),
    /// It cannot be written.
    #[error("cannot write the PidFile {path:?}: {reason}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

impl PidFile {
    /// Writes and locks the file.
    pub(crate) fn create(path: &Path) -> Result<Self, PidFileError> {
        let io_error = |reason| PidFileError::Io {
            path: path.to_owned(),
            reason,
        };
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let mut file = opened.map_err(io_error)?;
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
                return Err(PidFileError::AlreadyRunning(
                    running(path).ok().flatten().unwrap_or(0),
                ));
            }
            Err(error) => return Err(io_error(error.into())),
        }
        file.set_len(0).map_err(io_error)?;
        writeln!(file, "{}", std::process::id()).map_err(io_error)?;
        Ok(Self {
            path: path.to_owned(),
            _file: file,
        })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody may have removed it already, or the folder with it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The process that runs with this `PidFile`, if one does. A file left by a crash does not count.
pub fn running(path: &Path) -> io::Result<Option<u32>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let file = File::open(path)?;
    let holder: Option<Flock> = fcntl_getlk(&file, &Flock::from(FlockType::ReadLock))?;
    // The holder of a lock in another process namespace has no number here; the file's own is all there is.
    let number = |holder: Flock| {
        holder.pid.map_or_else(
            || text.trim().parse().ok(),
            |pid| u32::try_from(pid.as_raw_nonzero().get()).ok(),
        )
    };
    Ok(holder.and_then(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_left_behind_is_taken_over_and_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alula.pid");
        std::fs::write(&path, "1234567890\n").unwrap();
        assert_eq!(running(&path).unwrap(), None);

        let ours = PidFile::create(&path).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            format!("{}\n", std::process::id())
        );
        drop(ours);
        assert!(!path.exists());
        assert_eq!(running(&path).unwrap(), None);
    }

    #[test]
    fn a_file_locked_by_another_process_names_it() {
        // A lock of our own would not show: python3 holds it.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alula.pid");
        let program = "import fcntl, os, sys\n\
                       f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); f.write(str(os.getpid())); f.flush()\n\
                       print('locked', flush=True); sys.stdin.read()";
        let mut holder = std::process::Command::new("python3")
            .args(["-c", program, path.to_str().unwrap()])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        io::BufRead::read_line(
            &mut io::BufReader::new(holder.stdout.take().unwrap()),
            &mut line,
        )
        .unwrap();

        assert_eq!(running(&path).unwrap(), Some(holder.id()));
        let error = PidFile::create(&path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("already running (pid {})", holder.id())
        );
        drop(holder.stdin.take());
        holder.wait().unwrap();
        PidFile::create(&path).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = PidFile::create(Path::new("/nowhere/alula.pid")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot write the PidFile \"/nowhere/alula.pid\": No such"),
            "{error}"
        );
    }
}
