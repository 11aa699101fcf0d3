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
            Clock::Machine => {
                let since = std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .unwrap_or_default();
                Instant(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
        }
    }

    /// Moves a movable clock, never back; the machine's clock stays as it is.
    pub fn move_to(&self, to: Instant) {
        if let Clock::Movable(at) = self {
            at.fetch_max(to.0, Ordering::SeqCst);
        }
    }
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
}
