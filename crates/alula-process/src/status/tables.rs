//! The tables of a report, for the page and the terminal alike; and numbers as people read them.

use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use super::report::{Report, state_word};

pub(super) struct Table {
    pub(super) title: &'static str,
    /// A heading, and whether what is below it are numbers.
    pub(super) columns: Vec<(&'static str, bool)>,
    pub(super) rows: Vec<Vec<String>>,
}

/// The interpreters, the workers, and the requests that run.
pub(super) fn tables(report: &Report) -> [Table; 3] {
    [interpreters(report), workers(report), requests(report)]
}

fn interpreters(report: &Report) -> Table {
    let row = |interpreter: &super::report::InterpreterReport| {
        let threads = match interpreter.is_front {
            true => String::new(),
            false => format!("{} of {}", interpreter.threads_busy, interpreter.threads),
        };
        vec![
            interpreter.name.clone(),
            interpreter.workers.to_string(),
            threads,
            interpreter.queued.to_string(),
            interpreter.requests.to_string(),
            bytes(interpreter.bytes),
            memory(interpreter.memory_bytes.filter(|_| interpreter.workers > 0)),
            interpreter.workers_ended.to_string(),
        ]
    };
    Table {
        title: "Interpreters",
        columns: vec![
            ("Interpreter", false),
            ("Workers", true),
            ("Threads busy", true),
            ("Queue", true),
            ("Requests", true),
            ("Sent", true),
            ("Memory", true),
            ("Replaced", true),
        ],
        rows: report.interpreters.iter().map(row).collect(),
    }
}

fn workers(report: &Report) -> Table {
    let row = |worker: &super::report::WorkerReport| {
        let threads = match worker.is_front {
            true => String::new(),
            false => format!("{} of {}", worker.threads_busy, worker.threads),
        };
        let processor = worker.processor_seconds;
        vec![
            worker.worker.to_string(),
            worker.interpreter.clone(),
            state_word(worker.state).to_owned(),
            worker.pid.to_string(),
            worker.generation.to_string(),
            span(worker.age),
            memory(worker.memory_bytes),
            processor.map_or_else(String::new, |(user, system)| {
                format!("{:.2} s", user + system)
            }),
            threads,
            worker.running.to_string(),
            worker.queued.to_string(),
            worker.connections.to_string(),
            worker.requests.to_string(),
            bytes(worker.bytes),
        ]
    };
    Table {
        title: "Workers",
        columns: vec![
            ("Worker", true),
            ("Interpreter", false),
            ("State", false),
            ("PID", true),
            ("Generation", true),
            ("Age", true),
            ("Memory", true),
            ("CPU", true),
            ("Threads busy", true),
            ("Running", true),
            ("Queue", true),
            ("Connections", true),
            ("Requests", true),
            ("Sent", true),
        ],
        rows: report.workers.iter().map(row).collect(),
    }
}

/// The oldest first.
fn requests(report: &Report) -> Table {
    let mut running: Vec<_> = report
        .workers
        .iter()
        .flat_map(|worker| worker.current.iter().map(move |request| (worker, request)))
        .collect();
    running.sort_by_key(|(_, request)| std::cmp::Reverse(request.age));
    let row = |(worker, request): (&super::report::WorkerReport, &super::report::RequestReport)| {
        vec![
            worker.worker.to_string(),
            worker.interpreter.clone(),
            format!("{:.2} s", request.age.as_secs_f64()),
            request.client.clone(),
            request.host.clone(),
            format!("{} {}", request.method, request.target),
        ]
    };
    Table {
        title: "Requests that run",
        columns: vec![
            ("Worker", true),
            ("Interpreter", false),
            ("For", true),
            ("Client", false),
            ("Host", false),
            ("Request", false),
        ],
        rows: running.into_iter().map(row).collect(),
    }
}

/// `4 s`, `12 min`, `3 h 5 min`, `2 d 4 h`
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// `512 B`, `13.4 kB`, `1.5 GB`; a thousand bytes are a kB.
pub(super) fn bytes(count: u64) -> String {
    if count < 1000 {
        return format!("{count} B");
    }
    let mut amount = count as f64;
    let mut unit = "";
    for next in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if amount < 999.95 {
            break;
        }
        (amount, unit) = (amount / 1000.0, next);
    }
    format!("{amount:.1} {unit}")
}

fn memory(amount: Option<u64>) -> String {
    amount.map_or_else(|| "?".to_owned(), bytes)
}

/// `Wednesday, 25-Nov-2026 04:31:59 UTC`, as httpd has it.
pub(super) fn moment(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(
        |_| String::new(),
        |time| {
            let zoned = ZonedDateTime::new(time, TimeZone::system());
            zoned.strftime("%A, %d-%b-%Y %H:%M:%S %Z").to_string()
        },
    )
}

/// `1 day 2 hours 3 seconds`, as httpd has it.
pub(super) fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [
        (seconds / 86400, "day"),
        (seconds / 3600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let shown = parts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = shown
        .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    match words.is_empty() {
        true => "0 seconds".to_owned(),
        false => words.join(" "),
    }
}
