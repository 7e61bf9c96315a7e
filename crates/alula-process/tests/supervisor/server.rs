//! A supervisor in a process and a folder of its own, and what the tests ask of it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use alula_config::site::LogTarget;
use alula_process::error_log::{Level, Levels, LogSettings};
use alula_process::python::PythonPlan;
use alula_process::supervisor::{self, Host, Ready};
use alula_process::{GroupPlan, Limits, Plan, SecretText, SiteText};
use serde::{Deserialize, Serialize};

use crate::DEADLINE;

/// What the "configuration" says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) python: bool,
    pub(crate) workers: usize,
    /// What importing the application does.
    pub(crate) import: String,
}

impl Shape {
    pub(crate) fn python(workers: usize) -> Self {
        Self {
            python: true,
            workers,
            import: String::new(),
        }
    }

    pub(crate) fn fronts(workers: usize) -> Self {
        Self {
            python: false,
            ..Self::python(workers)
        }
    }
}

/// The supervisor's side: this program, executed with the folder as its argument.
pub(crate) fn supervise(folder: &str) -> ExitCode {
    let mut host = TestHost {
        folder: folder.into(),
    };
    let plan = host.reload().unwrap();
    match supervisor::run(plan, &mut host) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

struct TestHost {
    folder: PathBuf,
}

impl Host for TestHost {
    fn reload(&mut self) -> Result<Plan, String> {
        let text = std::fs::read_to_string(self.folder.join("shape")).unwrap();
        let shape: Shape =
            serde_json::from_str(&text).map_err(|error| format!("bad shape: {error}"))?;
        let python = PythonPlan {
            interpreter: 0,
            home: Some(self.folder.clone()),
            environment: Vec::new(),
            preload: true,
        };
        Ok(Plan {
            site: SiteText::new(text.into_bytes()),
            secrets: SecretText::new(Vec::new()),
            pid_file: Some(self.folder.join("pid")),
            error_log: LogSettings {
                target: LogTarget::File(self.folder.join("error_log")),
                levels: Levels {
                    default: Level::Debug,
                    modules: Vec::new(),
                },
                format: None,
                server_name: String::new(),
            },
            log_files: vec![LogTarget::File(self.folder.join("access_log"))],
            listeners: vec!["127.0.0.1:0".parse().unwrap()],
            run_as: None,
            graceful_timeout: Some(DEADLINE),
            groups: vec![GroupPlan {
                threads: 1,
                name: "main_interpreter".to_owned(),
                workers: shape.workers,
                python: shape.python.then_some(python),
                run_as: None,
                directory: None,
                umask: None,
                limits: Limits::default(),
            }],
            reserve: None,
        })
    }

    fn ready(&mut self, ready: &Ready) {
        std::fs::write(
            self.folder.join("address.new"),
            ready.addresses[0].to_string(),
        )
        .unwrap();
        std::fs::rename(self.folder.join("address.new"), self.folder.join("address")).unwrap();
    }
}

/// The test's side.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    process: RefCell<Child>,
    address: SocketAddr,
}

impl Server {
    /// Starts a supervisor and waits until it is ready.
    pub(crate) fn start(shape: &Shape) -> Self {
        let mut server = Self::launch(shape);
        let address = server.folder.path().join("address");
        server.wait_until("ready", || address.exists());
        server.address = std::fs::read_to_string(address).unwrap().parse().unwrap();
        server
    }

    /// Starts a supervisor.
    pub(crate) fn launch(shape: &Shape) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let itself = std::env::current_exe().unwrap();
        std::fs::create_dir_all(path.join("bin")).unwrap();
        std::fs::create_dir_all(path.join("python/alula")).unwrap();
        std::fs::write(path.join("_alula.abi3.so"), "").unwrap();
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = -c ] && exec echo cpython 3.12.0 0 \"$0\"\nexec {:?} template\n",
            itself
        );
        std::fs::write(path.join("bin/python3"), script).unwrap();
        std::fs::set_permissions(path.join("bin/python3"), PermissionsExt::from_mode(0o755))
            .unwrap();
        write_shape(path, &serde_json::to_string(shape).unwrap());
        let process = Command::new(itself)
            .arg("supervisor")
            .arg(path)
            .env("ALULA_LIBRARY_DIR", path)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            folder,
            process: RefCell::new(process),
            address: "127.0.0.1:1".parse().unwrap(),
        }
    }

    /// Says a word to some worker, on a connection of its own.
    pub(crate) fn say(&self, word: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        writeln!(stream, "{word}").unwrap();
        let mut reply = String::new();
        // A worker that crashes does not reply.
        let _ = BufReader::new(stream).read_line(&mut reply);
        reply
    }

    fn ask(&self) -> (i32, u32) {
        let reply = self.say("who");
        let (pid, generation) = reply
            .trim()
            .split_once(' ')
            .expect("every connection is answered");
        (pid.parse().unwrap(), generation.parse().unwrap())
    }

    /// Asks until so many different workers have answered.
    pub(crate) fn worker_pids(&self, count: usize) -> Vec<i32> {
        let mut pids = BTreeSet::new();
        let deadline = Instant::now() + DEADLINE;
        while pids.len() < count {
            assert!(
                Instant::now() < deadline,
                "only {pids:?} answered\n{}",
                self.log()
            );
            // Connections that wait at the same time go to different workers.
            let streams: Vec<_> = (0..2 * count)
                .map(|_| TcpStream::connect(self.address).unwrap())
                .collect();
            for mut stream in streams {
                writeln!(stream, "who").unwrap();
                let mut reply = String::new();
                BufReader::new(stream).read_line(&mut reply).unwrap();
                pids.insert(reply.split(' ').next().unwrap().parse().unwrap());
            }
        }
        pids.into_iter().collect()
    }

    /// The newest restart whose workers answer.
    pub(crate) fn generation(&self) -> u32 {
        self.ask().1
    }

    pub(crate) fn signal(&self, signal: i32) {
        send(self.process.borrow().id().cast_signed(), signal);
    }

    pub(crate) fn kill(&self, pid: i32) {
        send(pid, libc::SIGKILL);
    }

    pub(crate) fn change(&self, text: &str) {
        write_shape(self.folder.path(), text);
    }

    pub(crate) fn change_shape(&self, shape: &Shape) {
        self.change(&serde_json::to_string(shape).unwrap());
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error_log")).unwrap_or_default()
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.folder.path().join("pid")
    }

    /// The supervisor's own children that are not dead.
    pub(crate) fn children(&self) -> Vec<i32> {
        let pid = self.process.borrow().id();
        let path = format!("/proc/{pid}/task/{pid}/children");
        let listed = std::fs::read_to_string(path).unwrap_or_default();
        listed
            .split_whitespace()
            .map(|pid| pid.parse().unwrap())
            .filter(|&pid| is_alive(pid))
            .collect()
    }

    /// How many descriptors the supervisor has open.
    pub(crate) fn descriptors(&self) -> usize {
        let pid = self.process.borrow().id();
        std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .count()
    }

    /// Moves the error log away, as logrotate does.
    pub(crate) fn rotate_log(&self) {
        let path = self.folder.path();
        std::fs::rename(path.join("error_log"), path.join("error_log.1")).unwrap();
    }

    pub(crate) fn wait(&self) -> ExitStatus {
        let mut status = None;
        self.wait_until("the end of the supervisor", || {
            status = self.process.borrow_mut().try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub(crate) fn wait_gone(&self, pids: &[i32]) {
        self.wait_until("the end of processes", || {
            pids.iter().all(|&pid| !is_alive(pid))
        });
    }

    pub(crate) fn wait_for_log(&self, text: &str) {
        self.wait_until(text, || self.log().contains(text));
    }

    pub(crate) fn wait_until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_so() {
            assert!(
                Instant::now() < deadline,
                "waited in vain for: {what}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its workers are waited for, so that no test leaves one behind.
        if self.process.get_mut().try_wait().unwrap().is_none() {
            self.signal(libc::SIGTERM);
            let _ = self.process.get_mut().wait();
        }
    }
}

fn write_shape(folder: &Path, text: &str) {
    std::fs::write(folder.join("shape"), text).unwrap();
}

fn send(pid: i32, signal: i32) {
    // SAFETY: sends a signal to a process this test has started.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// Whether a process exists and is no zombie.
fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
