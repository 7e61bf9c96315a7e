//! One scoreboard, and what each format makes of it.

use super::*;
use crate::scoreboard::{Place, Tally};
use alula_http::Glimpse;

fn scoreboard() -> Scoreboard {
    let scoreboard = Scoreboard::new(4).unwrap();
    let place = |name: &str, accepts, threads| Place {
        name: name.to_owned(),
        group: 0,
        threads,
        accepts,
    };
    let gone = scoreboard.seat(1, 1, &place("my<site", false, 3)).unwrap();
    gone.request_started();
    gone.request_finished(500, 0);
    gone.free();
    let front = scoreboard.seat(2, 1, &place("front", true, 0)).unwrap();
    front.set_pid(std::process::id());
    front.serving();
    front.connection_opened();
    for _ in 0..2 {
        front.request_started();
        front.request_finished(2048, 3000);
    }
    let worker = scoreboard.seat(3, 1, &place("my<site", false, 3)).unwrap();
    worker.serving();
    worker.queued(4);
    worker.thread_begins();
    Tally::new(worker, true).started(&Glimpse {
        id: 0xbeef,
        method: "GET",
        authority: b"example.org",
        target: b"/?<script>\x1b[2J",
        client: "192.0.2.1:4711".parse().unwrap(),
    });
    let leaving = scoreboard.seat(4, 1, &place("my<site", false, 3)).unwrap();
    leaving.draining();
    scoreboard
}

#[test]
fn the_page_escapes_what_clients_send() {
    let html = page::page(&Report::new(&scoreboard()), "exa<mple", true);
    assert!(html.contains("Server status of exa&lt;mple"));
    assert!(html.contains("GET /?&lt;script&gt;"), "{html}");
    assert!(!html.contains("<script"));
    assert!(html.contains("<td>my&lt;site</td>"));
}

#[test]
fn programs_read_what_httpd_writes() {
    let text = auto::auto(&Report::new(&scoreboard()), "www.example.org:8080", true);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "www.example.org");
    let value = |name: &str| {
        let found = lines
            .iter()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    // What came to the fronts, not once more behind them.
    assert_eq!((value("Total Accesses"), value("Total kBytes")), ("2", "4"));
    assert_eq!(
        (value("Total Duration"), value("DurationPerReq")),
        ("6", "3")
    );
    assert_eq!(value("Scoreboard"), "W__G");
    assert_eq!(
        (
            value("BusyWorkers"),
            value("IdleWorkers"),
            value("GracefulWorkers")
        ),
        ("1", "2", "1")
    );
    assert_eq!(
        (value("Processes"), value("Stopping"), value("ConnsTotal")),
        ("3", "1", "1")
    );
}

#[test]
fn json_has_the_numbers() {
    let json: serde_json::Value = serde_json::from_str(&Report::new(&scoreboard()).json()).unwrap();
    assert_eq!(json["totals"]["requests"], 2);
    assert_eq!(json["interpreters"][0]["name"], "my<site");
    assert_eq!(json["interpreters"][0]["requests"], 1);
    assert_eq!(json["interpreters"][0]["workers_ended"], 1);
    assert_eq!(json["interpreters"][1]["is_front"], true);
    let worker = &json["workers"][0];
    assert_eq!(
        (&worker["state"], &worker["queued"]),
        (&"busy".into(), &4.into())
    );
    assert_eq!(worker["current"][0]["id"], "beef");
    assert_eq!(worker["current"][0]["client"], "192.0.2.1");
    assert_eq!(json["workers"][1]["state"], "finishing");
    assert!(json["workers"][2]["memory_bytes"].as_u64().unwrap() > 100_000);
}

#[test]
fn the_terminal_gets_no_control_characters() {
    let text = Report::new(&scoreboard()).text();
    assert!(text.contains("GET /?<script>?[2J"), "{text}");
    assert!(!text.contains('\x1b'));
    let widest = text
        .lines()
        .find(|line| line.starts_with("WORKER"))
        .unwrap();
    assert!(widest.contains("THREADS BUSY"), "{text}");
}

#[test]
fn the_query_says_how_it_is_shown() {
    let check = |query: &'static str, format: Format, refresh: Option<u32>| {
        let request = Request {
            method: Method::GET,
            version: http::Version::HTTP_11,
            target: "/".into(),
            path: "/".into(),
            query: Some(query.into()),
            headers: http::HeaderMap::new(),
            file: None,
            script_name_len: 0,
            user: None,
            variables: None,
            peer: std::sync::Arc::new(alula_http::Peer::new(
                "127.0.0.1:80".parse().unwrap(),
                "127.0.0.1:81".parse().unwrap(),
                alula_http::Scheme::Http,
            )),
            body: Body::Empty,
            id: 1,
        };
        let asked = Asked::new(&request);
        assert_eq!((asked.format, asked.refresh), (format, refresh), "{query}");
    };
    check("", Format::Page, None);
    check("auto", Format::Auto, None);
    check("json&refresh=7", Format::Json, Some(7));
    check("refresh", Format::Page, Some(10));
    check("refresh=0", Format::Page, Some(10));
    check("automatic", Format::Page, None);
}
