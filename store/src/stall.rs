//! Notices an engine that neither finishes a write nor fails it, so that nobody waits for it without end.
//!
//! Found by the drills (docs/reliability.md): after a failed write of its own sled may wait for ever for a signal that was
//! lost. The thread that waits cannot be woken, so it is given up with all that it holds, and the log stops as after
//! any failed write: what is on disk is read at the next start.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::event_store::Answer;

/// How long one group may take. A sync of a loaded disk takes milliseconds, of one in trouble seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct State {
    /// When the group that is being written was begun.
    begun: Option<Instant>,
    /// Who waits for it.
    waiting: Vec<Answer>,
    /// The writer's thread is at its end.
    ended: bool,
    stalled: bool,
}

/// Watches the one write that is under way.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    state: Mutex<State>,
    changed: Condvar,
}

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every critical section leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A group is handed to the medium; these wait for it.
    pub fn begin(&self, waiting: Vec<Answer>) {
        let mut state = self.state();
        state.begun = Some(Instant::now());
        state.waiting = waiting;
    }

    /// The medium answered, and everybody was told.
    pub fn end(&self) {
        let waiting = {
            let mut state = self.state();
            state.begun = None;
            std::mem::take(&mut state.waiting)
        };
        drop(waiting);
    }

    /// The writer's thread ends: nothing is written any more.
    pub fn writer_ends(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    /// Waits until the writer's thread ends or is given up; false if it was given up, and must not be waited for.
    pub fn wait_for_writer(&self) -> bool {
        let state = self.state();
        let running = |state: &mut State| !state.ended && !state.stalled;
        let state = self.changed.wait_while(state, running);
        state.unwrap_or_else(PoisonError::into_inner).ended
    }

    /// Waits until a write takes longer than it may, and answers who waits for it; none when the writer ends first.
    pub fn wait(&self, patience: Duration) -> Option<Vec<Answer>> {
        let mut state = self.state();
        loop {
            let left = state
                .begun
                .map_or(patience, |begun| patience.saturating_sub(begun.elapsed()));
            if state.ended {
                return None;
            }
            if left.is_zero() {
                state.stalled = true;
                self.changed.notify_all();
                return Some(std::mem::take(&mut state.waiting));
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::testing::{Stuck, commit};
    use crate::{EventStore, IndexLimits, Log};

    #[test]
    fn an_engine_that_never_answers_is_given_up_and_nobody_waits_for_it() {
        let log = Log::over_patiently(
            Stuck::default(),
            IndexLimits::default(),
            Duration::from_millis(50),
        );
        let log = Arc::new(log.unwrap());
        let tickets: Vec<_> = (0..3)
            .map(|n| log.submit(commit(None, &[(["a", "b", "c"][n], 0)])))
            .collect();
        for ticket in tickets {
            let refused = ticket.and_then(|ticket| ticket.wait()).unwrap_err();
            assert_eq!(refused.code(), "POISONED", "{refused}");
        }
        let later = log.append(commit(None, &[("d", 0)])).unwrap_err();
        assert!(
            later.to_string().contains("neither finished nor failed"),
            "{later}"
        );
        assert_eq!(log.head(), 0);
        // Comes back although the writer's thread never will.
        drop(log);
    }
}
