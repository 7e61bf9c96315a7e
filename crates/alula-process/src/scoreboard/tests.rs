//! What the scoreboard promises to those who share it.

use super::*;
use alula_http::Glimpse;

#[test]
fn nobody_can_cut_it_off() {
    let scoreboard = Scoreboard::new(1).unwrap();
    for length in [0, 1 << 30] {
        let cut = rustix::fs::ftruncate(scoreboard.descriptor(), length);
        assert_eq!(cut, Err(rustix::io::Errno::PERM));
    }
}

#[test]
fn a_worker_and_the_supervisor_see_the_same_row() {
    let ours = Scoreboard::new(4).unwrap();
    let theirs = Scoreboard::map(ours.descriptor().try_clone_to_owned().unwrap()).unwrap();
    let slot = ours.seat(9, 2, &Place::default()).unwrap();
    let seat = theirs.slot(slot.index());
    assert_eq!(slot.row().state, State::Starting);

    seat.serving();
    assert_eq!(seat.connection_opened(), 1);
    seat.request_started();
    assert_eq!(ours.rows()[0].state, State::Busy);
    seat.request_finished(100, 7);
    seat.connection_closed();

    let row = slot.row();
    assert_eq!(
        (row.worker, row.generation, row.state),
        (9, 2, State::Ready)
    );
    assert_eq!(
        (
            row.requests_served,
            row.connections_accepted,
            row.connections_open
        ),
        (1, 1, 0)
    );
}

#[test]
fn a_full_table_seats_nobody_and_a_freed_row_starts_from_zero() {
    let scoreboard = Scoreboard::new(2).unwrap();
    let first = scoreboard.seat(1, 1, &Place::default()).unwrap();
    scoreboard.seat(2, 1, &Place::default()).unwrap();
    assert!(scoreboard.seat(3, 1, &Place::default()).is_none());
    first.request_started();
    first.free();
    let again = scoreboard.seat(3, 1, &Place::default()).unwrap();
    assert_eq!(again.index(), first.index());
    assert_eq!(again.row().requests_running, 0);
}

#[test]
fn a_row_that_was_left_is_not_the_next_to_be_taken() {
    let scoreboard = Scoreboard::new(3).unwrap();
    let first = scoreboard.seat(1, 1, &Place::default()).unwrap();
    first.free();
    assert_ne!(
        scoreboard.seat(2, 1, &Place::default()).unwrap().index(),
        first.index()
    );
}

#[test]
fn a_dead_worker_s_requests_are_told_apart() {
    let scoreboard = Scoreboard::new(2).unwrap();
    let slot = scoreboard.seat(7, 1, &Place::default()).unwrap();
    let (begun, waiting) = (slot.mark(0).unwrap(), slot.mark(WAITING_MARKS - 1).unwrap());
    assert!(slot.mark(WAITING_MARKS).is_none());
    begun.waits(100);
    waiting.waits(200);
    begun.begins();
    slot.free();
    assert!(!slot.left_waiting(7, 100));
    assert!(slot.left_waiting(7, 200));
    assert!(!slot.left_waiting(8, 200));
    let again = scoreboard.seat(8, 1, &Place::default()).unwrap();
    assert_ne!(again.index(), slot.index());
    again.free();
    assert_eq!(
        scoreboard.seat(9, 1, &Place::default()).unwrap().index(),
        slot.index()
    );
    assert!(!slot.left_waiting(7, 200));
}

#[test]
fn only_a_worker_that_serves_has_a_load() {
    let scoreboard = Scoreboard::new(1).unwrap();
    let slot = scoreboard.seat(7, 1, &Place::default()).unwrap();
    assert_eq!(slot.load(7), None);
    slot.serving();
    slot.handed_over();
    assert_eq!((slot.load(7), slot.load(6)), (Some(1), None));
    slot.handed_back();
    slot.handed_back();
    assert_eq!(slot.load(7), Some(0));
    slot.draining();
    assert_eq!((slot.load(7), slot.is_of(7)), (None, true));
}

fn glimpse<'r>(id: u64, target: &'r str) -> Glimpse<'r> {
    Glimpse {
        id,
        method: "GET",
        authority: b"example.org",
        target: target.as_bytes(),
        client: "192.0.2.7:1234".parse().unwrap(),
    }
}

#[test]
fn a_running_request_is_on_record_until_its_end() {
    let scoreboard = Scoreboard::new(1).unwrap();
    let place = Place {
        name: "site".to_owned(),
        ..Place::default()
    };
    let slot = scoreboard.seat(7, 1, &place).unwrap();
    let tally = Tally::new(slot.clone(), true);
    let long = format!("/{}", "x".repeat(400));
    let (first, second) = (
        tally.started(&glimpse(5, "/a?b=1")),
        tally.started(&glimpse(6, &long)),
    );
    tally.client(second, "[2001:db8::1]:80".parse().unwrap());
    let mut running = slot.running_requests();
    running.sort_by_key(|request| request.id);
    assert_eq!(running.len(), 2);
    assert_eq!((running[0].id, running[0].method.as_str()), (5, "GET"));
    assert_eq!(running[0].authority, "example.org");
    assert_eq!(running[0].target, "/a?b=1");
    assert_eq!(running[0].client.to_string(), "192.0.2.7:1234");
    assert_eq!(running[1].client.to_string(), "[2001:db8::1]:80");
    assert!(long.starts_with(&running[1].target) && running[1].target.len() > 150);
    tally.finished(first, 10);
    assert_eq!(slot.running_requests()[0].id, 6);
    assert_eq!(slot.row().bytes_sent, 10);
    // Its number is free again, and one that died leaves nothing behind.
    assert_eq!(tally.started(&glimpse(8, "/")), first);
    slot.free();
    let again = scoreboard.seat(8, 1, &place).unwrap();
    assert!(again.running_requests().is_empty());
}

#[test]
fn more_requests_than_there_are_records_run_all_the_same() {
    let scoreboard = Scoreboard::new(1).unwrap();
    let slot = scoreboard.seat(7, 1, &Place::default()).unwrap();
    let tally = Tally::new(slot.clone(), true);
    let tickets: Vec<u32> = (1..=300)
        .map(|id| tally.started(&glimpse(id, "/")))
        .collect();
    assert_eq!(slot.row().requests_running, 300);
    assert_eq!(slot.running_requests().len(), memory::RECORDS);
    tickets.iter().for_each(|&ticket| tally.finished(ticket, 1));
    assert_eq!(
        (slot.row().requests_running, slot.row().bytes_sent),
        (0, 300)
    );
    assert!(slot.running_requests().is_empty());
}

#[test]
fn without_extended_status_requests_are_counted_only() {
    let scoreboard = Scoreboard::new(1).unwrap();
    let slot = scoreboard.seat(7, 1, &Place::default()).unwrap();
    let tally = Tally::new(slot.clone(), false);
    let ticket = tally.started(&glimpse(1, "/"));
    assert!(slot.running_requests().is_empty());
    tally.finished(ticket, 3);
    assert_eq!((slot.row().requests_served, slot.row().bytes_sent), (1, 3));
}

#[test]
fn what_a_worker_has_done_is_kept_when_it_is_gone() {
    let scoreboard = Scoreboard::new(2).unwrap();
    let place = |name: &str, accepts, threads| Place {
        name: name.to_owned(),
        accepts,
        threads,
        group: 0,
    };
    for (name, accepts, threads) in [("front", true, 0), ("site", false, 25), ("site", false, 25)] {
        let slot = scoreboard
            .seat(1, 1, &place(name, accepts, threads))
            .unwrap();
        slot.request_started();
        slot.request_finished(1000, 5);
        slot.free();
        slot.free();
    }
    let totals = scoreboard.totals();
    let shown: Vec<_> = totals
        .iter()
        .map(|totals| {
            (
                totals.name.as_str(),
                totals.is_front,
                totals.workers_ended,
                totals.gone.bytes,
            )
        })
        .collect();
    assert_eq!(shown, [("front", true, 1, 1000), ("site", false, 2, 2000)]);
    // What is behind fronts was counted there.
    assert_eq!(scoreboard.server().gone.requests, 1);
}

#[test]
fn a_restart_s_outcome_can_be_read_by_others() {
    let ours = Scoreboard::new(1).unwrap();
    let theirs = Scoreboard::of(std::process::id());
    // Another test of this process may have one as well.
    assert!(theirs.is_ok(), "{theirs:?}");
    let theirs = Scoreboard::map(ours.descriptor().try_clone_to_owned().unwrap()).unwrap();
    assert_eq!(theirs.restarts(), (0, 0));
    ours.restart_begun();
    assert_eq!(theirs.restarts(), (1, 0));
    let reason = format!("Traceback\n{}", "x".repeat(10_000));
    ours.restart_ended(&Outcome::Refused(reason.clone()));
    assert_eq!(theirs.restarts(), (1, 1));
    assert!(
        matches!(theirs.outcome(), Outcome::Refused(text) if reason.starts_with(&text) && text.len() == 8192)
    );
    ours.restart_begun();
    ours.restart_ended(&Outcome::Done);
    assert_eq!(
        (theirs.restarts(), theirs.outcome()),
        ((2, 2), Outcome::Done)
    );
}
