//! Processes that accept from the same sockets take turns: one that is full, or has clearly more connections than
//! another, leaves the next to that one for a moment.
//!
//! Kept connections stay where they are, so processes that accept unevenly stay uneven, and one core idles.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::scoreboard::{Scoreboard, Slot};

/// How often in a row the next connection is left to others before it is taken all the same.
const DECLINES_MAX: u64 = 3;

/// One process's view of it.
#[derive(Debug)]
pub struct Turns {
    slot: Slot,
    scoreboard: Scoreboard,
    /// How many requests it can work on at the same time; `None` when that is no question.
    requests_max: Option<usize>,
    /// How often in a row a connection was left to others.
    declined: AtomicU64,
}

impl Turns {
    /// For the process that sits in `slot`.
    #[must_use]
    pub fn new(slot: Slot, scoreboard: Scoreboard, requests_max: Option<usize>) -> Self {
        Self {
            slot,
            scoreboard,
            requests_max,
            declined: AtomicU64::new(0),
        }
    }

    /// Whether to take the connection that waits, while so many requests run.
    pub fn may_accept(&self, running: usize) -> bool {
        let own = self.slot.share();
        let mut fewest = None;
        let mut room_elsewhere = false;
        for other in self.scoreboard.shares_beside(&self.slot) {
            room_elsewhere |= self
                .requests_max
                .is_some_and(|most| (other.requests_running as usize) < most);
            let least = fewest.get_or_insert(other.connections_open);
            *least = other.connections_open.min(*least);
        }
        let full = room_elsewhere && self.requests_max.is_some_and(|most| running >= most);
        if !full && !fewest.is_some_and(|fewest| has_too_many(own.connections_open, fewest)) {
            self.declined.store(0, Relaxed);
            return true;
        }
        // The other may be unable to come: a connection is never left waiting for long for the sake of balance.
        let declined = self.declined.fetch_add(1, Relaxed);
        if !full && declined >= DECLINES_MAX {
            self.declined.store(0, Relaxed);
            return true;
        }
        false
    }
}

/// Whether a process with `own` open connections leaves the next to one that has only `fewest`.
fn has_too_many(own: u32, fewest: u32) -> bool {
    own >= fewest + (fewest / 4).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoreboard::Place;

    #[test]
    fn the_next_connection_is_left_to_whoever_has_fewer_and_can_take_it() {
        let scoreboard = Scoreboard::new(8).unwrap();
        let seat = |worker, group| {
            let place = Place {
                group,
                ..Place::default()
            };
            scoreboard.seat(worker, 1, &place).unwrap()
        };
        let ours = seat(1, 0);
        ours.serving();
        for _ in 0..9 {
            ours.connection_opened();
        }
        let turns = Turns::new(ours, scoreboard.clone(), Some(2));
        let check = |running, expected| assert_eq!(turns.may_accept(running), expected);
        check(9, true);
        // Who starts, who leaves, and who works for somebody else are no help.
        let other = seat(2, 0);
        seat(3, 0).draining();
        seat(4, 1).serving();
        check(9, true);
        other.serving();
        (0..DECLINES_MAX).for_each(|_| check(1, false));
        check(1, true);
        // One that is full does not take it all the same.
        (0..=DECLINES_MAX).for_each(|_| check(2, false));
        for _ in 0..8 {
            other.connection_opened();
        }
        check(1, true);
        check(2, false);
        // Unless the other is full too.
        (0..2).for_each(|_| other.request_started());
        check(2, true);
        other.free();
        check(9, true);
    }

    #[test]
    fn workers_take_turns() {
        assert!(!has_too_many(0, 0));
        assert!(!has_too_many(1, 0));
        assert!(has_too_many(2, 0));
        assert!(!has_too_many(16, 16));
        assert!(has_too_many(20, 16));
        assert!(!has_too_many(1000, 1000));
        assert!(has_too_many(1300, 1000));
    }
}
