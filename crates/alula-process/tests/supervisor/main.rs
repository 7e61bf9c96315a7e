//! Real supervisors with real children: crashes, restarts, stops.
//!
//! The test program plays every part itself. Its "Python" is a shell script that executes it as a template, and its
//! workers speak one line: a client sends a word, the worker does it.
#![expect(clippy::print_stdout, reason = "a test runner of our own")]
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod server;
mod worker;

use std::process::ExitCode;
use std::time::Duration;

use server::{Server, Shape};

/// Nothing here may take longer.
const DEADLINE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("supervisor") => server::supervise(&arguments[2]),
        Some("template") => worker::template(),
        Some(alula_process::front::SUBCOMMAND) => worker::front(&arguments[2]),
        // `cargo test -- --list` and the like are of no use here.
        Some("--list") => ExitCode::SUCCESS,
        filter => run(filter.filter(|word| !word.starts_with('-'))),
    }
}

fn run(filter: Option<&str>) -> ExitCode {
    let tests: [(&str, fn()); 14] = [
        (
            "workers_serve_and_a_stop_leaves_nothing_behind",
            workers_serve_and_a_stop_leaves_nothing_behind,
        ),
        ("fronts_need_no_python", fronts_need_no_python),
        (
            "a_crashed_worker_is_replaced_and_the_log_says_why",
            a_crashed_worker_is_replaced_and_the_log_says_why,
        ),
        (
            "a_worker_that_asks_is_replaced_first",
            a_worker_that_asks_is_replaced_first,
        ),
        (
            "a_graceful_restart_loses_nothing",
            a_graceful_restart_loses_nothing,
        ),
        (
            "a_restart_may_change_the_number_of_workers",
            a_restart_may_change_the_number_of_workers,
        ),
        (
            "restarts_and_crashes_leak_no_descriptor",
            restarts_and_crashes_leak_no_descriptor,
        ),
        (
            "a_bad_configuration_changes_nothing",
            a_bad_configuration_changes_nothing,
        ),
        (
            "an_import_that_fails_changes_nothing",
            an_import_that_fails_changes_nothing,
        ),
        (
            "a_first_import_that_fails_still_serves",
            a_first_import_that_fails_still_serves,
        ),
        (
            "an_unforkable_application_is_loaded_by_each_worker",
            an_unforkable_application_is_loaded_by_each_worker,
        ),
        (
            "workers_outlive_their_template",
            workers_outlive_their_template,
        ),
        (
            "nobody_outlives_the_supervisor",
            nobody_outlives_the_supervisor,
        ),
        (
            "a_server_that_cannot_start_says_so",
            a_server_that_cannot_start_says_so,
        ),
    ];
    let chosen = tests
        .iter()
        .filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter)));
    for (name, test) in chosen {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

fn workers_serve_and_a_stop_leaves_nothing_behind() {
    let server = Server::start(&Shape::python(2));
    let pids = server.worker_pids(2);
    assert!(
        server.log().contains("ready: 127.0.0.1:"),
        "{}",
        server.log()
    );
    // One does not hear its order, and is killed.
    server.say("hang");
    server.signal(libc::SIGTERM);
    assert!(server.wait().success());
    assert!(!server.pid_file().exists());
    server.wait_gone(&pids);
}

fn fronts_need_no_python() {
    let server = Server::start(&Shape::fronts(2));
    let pids = server.worker_pids(2);
    server.say("crash");
    server.wait_until("a new front", || server.worker_pids(2) != pids);
    server.signal(libc::SIGWINCH);
    assert!(server.wait().success());
    server.wait_gone(&pids);
}

fn a_crashed_worker_is_replaced_and_the_log_says_why() {
    let server = Server::start(&Shape::python(1));
    let [first] = server.worker_pids(1)[..] else {
        panic!()
    };
    server.say("crash");
    server.wait_until("a new worker", || server.worker_pids(1) != [first]);
    let log = server.log();
    let line = log
        .lines()
        .find(|line| line.contains("SIGSEGV"))
        .expect("a line about the crash");
    assert!(line.contains("[process:error]"), "{line}");
    assert!(
        line.contains(&format!(
            "main_interpreter: worker 1 (pid {first}) was killed by SIGSEGV"
        )),
        "{line}"
    );
    assert!(line.contains("1 running; starting another"), "{line}");
}

fn a_worker_that_asks_is_replaced_first() {
    let server = Server::start(&Shape::python(1));
    let old = server.worker_pids(1);
    server.say("leave");
    server.wait_until("the replacement alone", || {
        !server.worker_pids(1).contains(&old[0])
    });
    server.wait_gone(&old);
    assert!(
        !server.log().contains("[process:error]"),
        "{}",
        server.log()
    );
}

fn a_graceful_restart_loses_nothing() {
    let server = Server::start(&Shape::python(3));
    let old = server.worker_pids(3);
    for signal in [libc::SIGUSR1, libc::SIGUSR1, libc::SIGHUP] {
        let before = server.generation();
        server.signal(signal);
        // Each of these is a new connection; every one is answered.
        server.wait_until("the new generation", || server.generation() > before);
    }
    server.wait_gone(&old);
    let pids = server.worker_pids(3);
    assert!(pids.iter().all(|pid| !old.contains(pid)));
    server.wait_until("one template", || server.children().len() == 1);
    assert!(
        !server.log().contains("[process:error]"),
        "{}",
        server.log()
    );
}

fn a_restart_may_change_the_number_of_workers() {
    let server = Server::start(&Shape::python(1));
    let [first] = server.worker_pids(1)[..] else {
        panic!()
    };
    server.change_shape(&Shape::python(3));
    server.rotate_log();
    server.signal(libc::SIGUSR1);
    // The log is a new file: this is the first ready in it.
    server.wait_for_log("(3 workers, generation 2)");
    server.wait_gone(&[first]);
    server.worker_pids(3);
    server.change_shape(&Shape::fronts(1));
    server.signal(libc::SIGUSR1);
    server.wait_for_log("(1 workers, generation 3)");
    server.wait_until("one front alone", || server.children().len() == 1);
    assert_eq!(server.worker_pids(1), server.children());
}

fn restarts_and_crashes_leak_no_descriptor() {
    let server = Server::start(&Shape::python(2));
    let before = server.descriptors();
    for _ in 0..3 {
        let generation = server.generation();
        server.say("crash");
        server.signal(libc::SIGUSR1);
        server.wait_until("the new generation", || server.generation() > generation);
    }
    server.wait_until("the end of the old", || server.descriptors() == before);
    server.worker_pids(2);
}

fn a_bad_configuration_changes_nothing() {
    let server = Server::start(&Shape::python(2));
    let pids = server.worker_pids(2);
    server.change("this is not a shape");
    server.signal(libc::SIGHUP);
    server.wait_for_log("restart refused, the server goes on as it was");
    assert_eq!(server.worker_pids(2), pids);
}

fn an_import_that_fails_changes_nothing() {
    let server = Server::start(&Shape::python(2));
    let pids = server.worker_pids(2);
    for import in ["fails", "crashes"] {
        server.change_shape(&Shape {
            import: import.to_owned(),
            ..Shape::python(2)
        });
        server.signal(libc::SIGUSR1);
        server.wait_for_log(match import {
            "fails" => "the old workers go on: the import failed: No module named 'mysite'",
            _ => "was killed by SIGSEGV (segmentation fault) before the application was imported",
        });
        server.wait_until("the old template alone", || server.children().len() == 1);
        assert_eq!(server.worker_pids(2), pids);
    }
    server.change_shape(&Shape::python(2));
    server.signal(libc::SIGUSR1);
    server.wait_gone(&pids);
    server.worker_pids(2);
}

fn a_first_import_that_fails_still_serves() {
    let server = Server::start(&Shape {
        import: "fails".to_owned(),
        ..Shape::python(2)
    });
    server.worker_pids(2);
    server.change_shape(&Shape::python(2));
    server.signal(libc::SIGUSR1);
    server.wait_until("the new generation", || server.generation() == 2);
}

fn an_unforkable_application_is_loaded_by_each_worker() {
    let server = Server::start(&Shape {
        import: "has threads".to_owned(),
        ..Shape::python(2)
    });
    server.worker_pids(2);
    assert!(
        server.log().contains("cannot be shared by forking"),
        "{}",
        server.log()
    );
    assert_eq!(server.children().len(), 1);
}

fn workers_outlive_their_template() {
    let server = Server::start(&Shape::python(2));
    let pids = server.worker_pids(2);
    let templates = server.children();
    server.kill(templates[0]);
    server.wait_until("a new template", || {
        let children = server.children();
        // The orphaned workers are the supervisor's own children now.
        children.len() == 3 && !children.contains(&templates[0])
    });
    assert_eq!(server.worker_pids(2), pids);
    server.kill(pids[0]);
    server.wait_until("a worker of the new template", || {
        !server.worker_pids(2).contains(&pids[0])
    });
    assert!(server.worker_pids(2).contains(&pids[1]));
}

fn nobody_outlives_the_supervisor() {
    let server = Server::start(&Shape::python(2));
    let mut pids = server.worker_pids(2);
    pids.extend(server.children());
    server.signal(libc::SIGKILL);
    server.wait_gone(&pids);
}

fn a_server_that_cannot_start_says_so() {
    let check = |shape: &Shape, expected: &str| {
        let server = Server::launch(shape);
        assert!(!server.wait().success());
        let log = server.log();
        assert!(log.contains(expected), "{log}");
    };
    let import = |word: &str| Shape {
        import: word.to_owned(),
        ..Shape::python(2)
    };
    check(
        &import("crashes"),
        "before the application was imported; see the error log",
    );
    check(&import("kills workers"), "exited with status 3 after 0.");
}
