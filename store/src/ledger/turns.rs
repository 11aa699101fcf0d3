//! Turns at the lock of the state, so that who takes it again and again lets others in between.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Who waits for the lock. A lock alone goes to whoever asks first after it is free, and that is nearly always the thread
/// that has just given it back: the others have to be woken first.
#[derive(Default)]
pub(super) struct Turns {
    waiting: Mutex<usize>,
    fewer: Condvar,
}

impl Turns {
    /// Counts the caller as waiting while it gets the lock.
    pub fn wait<G>(&self, lock: impl FnOnce() -> G) -> G {
        *self.waiting() += 1;
        let got = lock();
        *self.waiting() -= 1;
        self.fewer.notify_all();
        got
    }

    /// Waits until nobody waits for the lock any more, or so long. The caller does not hold it.
    pub fn let_others_in(&self, at_most: Duration) {
        let waiting = self.waiting();
        drop(
            self.fewer
                .wait_timeout_while(waiting, at_most, |waiting| *waiting > 0),
        );
    }

    // A count stays whole whoever panics.
    fn waiting(&self) -> MutexGuard<'_, usize> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn who_waits_for_the_lock_is_let_in_before_it_is_taken_again() {
        let (turns, state) = (Turns::default(), Mutex::new(Vec::new()));
        let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
        turns.let_others_in(Duration::MAX);
        thread::scope(|threads| {
            let mut held = lock();
            for _ in 0..3 {
                threads.spawn(|| turns.wait(lock).push("other"));
            }
            while *turns.waiting() < 3 {
                thread::yield_now();
            }
            held.push("first");
            drop(held);
            turns.let_others_in(Duration::MAX);
            lock().push("again");
        });
        assert_eq!(*lock(), ["first", "other", "other", "other", "again"]);
    }
}
