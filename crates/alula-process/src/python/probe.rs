//! Asks a Python what it is.
//!
//! The question is spelled so that even a Python 2 answers it, and asked as the user the site will run as: root must not
//! execute what that user may write.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use super::{Python, PythonError};
use crate::privileges::{RunAs, is_root};
use crate::signals;

/// A Python that has not answered by then hangs (a dead network disk).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

const VERSION_MIN: (u32, u32) = (3, 9);

const QUESTION: &str = "\
import sys, sysconfig
print('%s %d.%d.%d %d %s' % ((getattr(getattr(sys, 'implementation', None), 'name', 'cpython'),)
    + tuple(sys.version_info[:3]) + (sysconfig.get_config_var('Py_GIL_DISABLED') or 0, sys.executable)))";

pub(super) fn probe(executable: &Path, run_as: Option<&RunAs>) -> Result<Python, PythonError> {
    let executable = executable.to_owned();
    let (status, answer, complaint) = match ask(&executable, run_as) {
        Ok(answered) => answered,
        Err(reason) => return Err(PythonError::CannotRun { executable, reason }),
    };
    if !status.success() {
        let last_line = complaint.lines().rev().find(|line| !line.trim().is_empty());
        let reason = last_line.map_or_else(|| status.to_string(), str::to_owned);
        return Err(PythonError::DoesNotStart { executable, reason });
    }
    let mut words = answer.trim().splitn(4, ' ');
    let (Some(implementation), Some(version), Some(gil_disabled), Some(itself)) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        let reason = format!("its answer was {:?}", answer.trim());
        return Err(PythonError::DoesNotStart { executable, reason });
    };
    let version = version.to_owned();
    if implementation != "cpython" {
        return Err(PythonError::NotCPython {
            executable,
            implementation: implementation.to_owned(),
        });
    }
    if major_minor(&version) < VERSION_MIN {
        return Err(PythonError::TooOld {
            executable,
            version,
        });
    }
    if gil_disabled == "1" {
        return Err(PythonError::FreeThreaded {
            executable,
            version,
        });
    }
    // Behind a wrapper script (pyenv's) there is a real program, which need not be looked for each time.
    Ok(Python {
        executable: PathBuf::from(itself),
        version,
    })
}

fn major_minor(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn ask(executable: &Path, run_as: Option<&RunAs>) -> io::Result<(ExitStatus, String, String)> {
    let mut command = Command::new(executable);
    command
        .args(["-c", QUESTION])
        .env("PYTHONIOENCODING", "utf-8");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let run_as = run_as.filter(|_| is_root()).cloned();
    let prepare = move || {
        signals::unblock_all()?;
        run_as.as_ref().map_or(Ok(()), RunAs::become_it)
    };
    // SAFETY: between fork and exec only system calls are made, no memory is allocated and no lock taken.
    unsafe { command.pre_exec(prepare) };
    let mut child = command.spawn()?;
    let status = wait(&mut child)?;
    // Both texts are far smaller than a pipe holds, so a child never waits for us to read.
    let (mut answer, mut complaint) = (Vec::new(), Vec::new());
    child
        .stdout
        .take()
        .map(|mut pipe| pipe.read_to_end(&mut answer))
        .transpose()?;
    child
        .stderr
        .take()
        .map(|mut pipe| pipe.read_to_end(&mut complaint))
        .transpose()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok((status, text(answer), text(complaint)))
}

fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    let pid = Pid::from_child(child);
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match rustix::event::poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "it has not answered for 20 seconds",
                ));
            }
            Ok(_) => return child.wait(),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
