//! `?auto`: what monitoring programs read, line for line as httpd 2.4 writes it.
//!
//! The scoreboard has one letter for each Python thread of a worker, or for each front where there is no Python.

use std::fmt::Write;

use super::report::{Report, WorkerReport};
use super::tables::{in_words, moment};
use crate::scoreboard::State;

pub(super) fn auto(report: &Report, server: &str, extended: bool) -> String {
    let mut text = String::with_capacity(2048);
    let host = match server.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => server,
    };
    let totals = &report.totals;
    let uptime = report.uptime.as_secs();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "{name}: {value}");
    };
    line("ServerVersion", &format_args!("Alula/{}", report.version));
    line("ServerMPM", &"workers forked from a template");
    line("CurrentTime", &moment(report.now));
    line("RestartTime", &moment(report.started));
    line("ParentServerConfigGeneration", &report.generation);
    line(
        "ParentServerMPMGeneration",
        &report.generation.saturating_sub(1),
    );
    line("ServerUptimeSeconds", &uptime);
    line("ServerUptime", &in_words(report.uptime));
    for (name, load) in ["Load1", "Load5", "Load15"].iter().zip(report.load) {
        line(name, &format_args!("{load:.2}"));
    }
    if extended {
        line("Total Accesses", &totals.requests);
        line("Total kBytes", &(totals.bytes / 1024));
        line("Total Duration", &totals.duration.as_millis());
        let processor = report
            .workers
            .iter()
            .filter_map(|worker| worker.processor_seconds);
        let (user, system) = processor.fold((0.0, 0.0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
        line("CPUUser", &general(user));
        line("CPUSystem", &general(system));
        line("CPUChildrenUser", &0);
        line("CPUChildrenSystem", &0);
        if uptime > 0 && user + system > 0.0 {
            line("CPULoad", &general((user + system) / uptime as f64 * 100.0));
        }
        line("Uptime", &uptime);
        line("ReqPerSec", &general(totals.requests_per_second));
        line("BytesPerSec", &general(totals.bytes_per_second));
        if totals.requests > 0 {
            line("BytesPerReq", &general(totals.bytes_per_request));
            line("DurationPerReq", &general(totals.milliseconds_per_request));
        }
    }
    let board = board(report);
    let count = |letter: char| board.chars().filter(|&shown| shown == letter).count();
    let finishing = |worker: &&WorkerReport| worker.state == State::Draining;
    let running = || {
        let accepting = report.workers.iter().filter(|worker| worker.accepts);
        accepting.map(|worker| worker.running).sum::<u32>()
    };
    line("BusyWorkers", &count('W'));
    line("GracefulWorkers", &count('G'));
    line("IdleWorkers", &count('_'));
    line("Processes", &report.workers.len());
    line("Stopping", &report.workers.iter().filter(finishing).count());
    line("ConnsTotal", &report.connections);
    line("ConnsAsyncWaitIO", &0);
    line("ConnsAsyncWriting", &0);
    line(
        "ConnsAsyncKeepAlive",
        &report.connections.saturating_sub(running()),
    );
    line("ConnsAsyncClosing", &0);
    line("Scoreboard", &board);
    format!("{host}\n{text}")
}

fn board(report: &Report) -> String {
    let only_fronts = report.workers.iter().all(|worker| worker.is_front);
    let shown = report
        .workers
        .iter()
        .filter(|worker| only_fronts || !worker.is_front);
    shown.flat_map(letters).collect()
}

fn letters(worker: &WorkerReport) -> Vec<char> {
    let threads = worker.threads.max(1);
    // Files and this page are answered without a thread of Python's.
    let busy = worker.running.max(worker.threads_busy).min(threads) as usize;
    let threads = threads as usize;
    match worker.state {
        State::Open => Vec::new(),
        State::Starting => vec!['S'; threads],
        State::Draining => vec!['G'; busy.max(1)],
        State::Ready | State::Busy => {
            let mut letters = vec!['W'; busy];
            letters.resize(threads, '_');
            letters
        }
    }
}

/// Six digits, no zeros at the end and none before the point: C's `%g` as httpd has it.
fn general(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return "0".to_owned();
    }
    let magnitude = number.abs().log10().floor() as i32;
    let digits = usize::try_from((5 - magnitude).clamp(0, 17)).unwrap_or(0);
    let text = format!("{number:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text.as_str(),
    };
    text.strip_prefix('0')
        .filter(|rest| rest.starts_with('.'))
        .unwrap_or(text)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::general;

    #[test]
    fn numbers_are_written_as_httpd_does() {
        let check = |number: f64, expected: &str| assert_eq!(general(number), expected);
        check(0.0, "0");
        check(0.111_111_11, ".111111");
        check(1.5, "1.5");
        check(1_234.567_89, "1234.57");
        check(1_234_567.8, "1234568");
        check(0.000_12, ".00012");
        check(20.0, "20");
    }
}
