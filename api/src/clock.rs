//! Where the time comes from: the machine, or a hand that moves it.
//!
//! Commands carry the time they were asked at, so nothing below the edge reads a clock. The demo, the scenarios and
//! the tests move theirs by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use indelible_domain::kernel::Instant;

/// A clock that can be handed round.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    Machine,
    /// The machine's clock and so many microseconds more.
    Ahead(i64),
    /// Stands still until it is moved; microseconds since 1970 UTC.
    Movable(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `start`.
    pub fn movable(start: Instant) -> Clock {
        Clock::Movable(Arc::new(AtomicI64::new(start.0)))
    }

    pub fn now(&self) -> Instant {
        match self {
            Clock::Movable(at) => Instant(at.load(Ordering::SeqCst)),
            Clock::Machine => machine(),
            Clock::Ahead(by) => Instant(machine().0.saturating_add(*by)),
        }
    }

    /// A clock for a log whose last fact is of `last`. On a log that is ahead of the machine, such as a demo's, the
    /// machine's clock runs on from that fact: business days never go back.
    #[must_use]
    pub fn not_before(self, last: Instant) -> Clock {
        match self {
            Clock::Machine if machine() < last => Clock::Ahead(last.0.saturating_sub(machine().0)),
            Clock::Movable(_) => {
                self.move_to(last);
                self
            }
            other => other,
        }
    }

    /// Moves a movable clock, never back; the machine's clock stays as it is.
    pub fn move_to(&self, to: Instant) {
        if let Clock::Movable(at) = self {
            at.fetch_max(to.0, Ordering::SeqCst);
        }
    }
}

fn machine() -> Instant {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Instant(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_movable_clock_never_goes_back() {
        let clock = Clock::movable(Instant(1_000));
        clock.move_to(Instant(5_000));
        clock.move_to(Instant(2_000));
        assert_eq!(clock.now(), Instant(5_000));
    }

    #[test]
    fn on_a_log_that_is_ahead_the_machines_clock_runs_on_from_its_last_fact() {
        let last = Instant(machine().0 + 3_600_000_000);
        assert!(Clock::Machine.not_before(last).now() >= last);
        assert!(matches!(
            Clock::Machine.not_before(Instant(0)),
            Clock::Machine
        ));
    }
}
