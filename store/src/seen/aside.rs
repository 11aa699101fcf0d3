//! Facts whose keys a thread of its own takes, while whoever decided them takes them over into the state.
//!
//! Nobody is answered from the memory before it has taken all of them, so this changes when, and nothing else.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use indelible_domain::Staged;

use crate::StoreError;

/// One commit: its tenant, the position before its first fact, its facts.
pub(super) struct Facts {
    pub tenant: String,
    pub before: u64,
    pub staged: Arc<Vec<Staged>>,
}

#[derive(Default)]
struct Progress {
    /// Commits that were given and are not taken yet.
    waiting: usize,
    /// Taking one of them ended in a panic: the memory is no longer what the log says.
    lost: bool,
}

#[derive(Default)]
struct Shared {
    progress: Mutex<Progress>,
    changed: Condvar,
}

impl Shared {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a commit is taken, also where that ends in a panic.
struct Taking<'a>(&'a Shared);

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        let mut progress = self.0.progress();
        progress.waiting -= 1;
        progress.lost |= std::thread::panicking();
        self.0.changed.notify_all();
    }
}

/// The thread and what waits for it; dropped, it has taken everything.
pub(super) struct Aside {
    give: Option<Sender<Facts>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Aside {
    pub fn start(take: impl Fn(&Facts) + Send + 'static) -> std::io::Result<Aside> {
        let (give, given) = channel::<Facts>();
        let shared = Arc::<Shared>::default();
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("indelible-learn".into());
        let thread = thread.spawn(move || {
            for facts in given {
                let _taking = Taking(&of_thread);
                take(&facts);
            }
        })?;
        Ok(Aside {
            give: Some(give),
            shared,
            thread: Some(thread),
        })
    }

    /// Leaves a commit to the thread; given back where there is none any more.
    pub fn give(&self, facts: Facts) -> Result<(), Facts> {
        let Some(give) = &self.give else {
            return Err(facts);
        };
        self.shared.progress().waiting += 1;
        give.send(facts).map_err(|refused| {
            self.shared.progress().waiting -= 1;
            refused.0
        })
    }

    /// Waits until everything that was given is taken.
    ///
    /// Errors: LOG_POISONED where some of it never will be.
    pub fn wait(&self) -> Result<(), StoreError> {
        let mut progress = self.shared.progress();
        while progress.waiting > 0 && !progress.lost {
            progress = (self.shared.changed)
                .wait(progress)
                .unwrap_or_else(PoisonError::into_inner);
        }
        match progress.lost {
            false => Ok(()),
            true => Err(StoreError::Poisoned {
                why: "the keys of a commit were lost by a panic; open the ledger again".into(),
            }),
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.give = None;
        if let Some(thread) = self.thread.take() {
            // A panic in there is known to whoever asked since.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn facts(before: u64) -> Facts {
        Facts {
            tenant: "t".into(),
            before,
            staged: Arc::default(),
        }
    }

    #[test]
    fn who_waits_sees_all_that_was_given_before_in_its_order() {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (go, may_go) = sync_channel::<()>(0);
        let of_thread = Arc::clone(&taken);
        let aside = Aside::start(move |facts| {
            may_go.recv().expect("the test lets each of them go");
            of_thread.lock().expect("no panic").push(facts.before);
        });
        let aside = aside.expect("a thread");
        for n in 0..3 {
            aside.give(facts(n)).ok().expect("the thread runs");
        }
        assert!(taken.lock().expect("no panic").is_empty());
        (0..3).for_each(|_| go.send(()).expect("the thread runs"));
        aside.wait().expect("nothing was lost");
        assert_eq!(*taken.lock().expect("no panic"), [0, 1, 2]);
    }

    #[test]
    fn after_a_panic_nobody_waits_for_ever_and_nobody_is_answered() {
        let aside = Aside::start(|_| panic!("on purpose")).expect("a thread");
        let _ = aside.give(facts(0));
        assert!(matches!(aside.wait(), Err(StoreError::Poisoned { .. })));
    }
}
