//! The thread that follows the log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use crate::ViewError;
use crate::sets::{self, Set};
use crate::views::Inner;

pub(crate) fn start(inner: Arc<Inner>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("indelible-views".into())
        .spawn(move || {
            while inner.wait_for_news() {
                if let Err(e) = fold(&inner) {
                    inner.stop(&e);
                    return;
                }
            }
        })
}

/// Folds one batch into the rows that queries read.
fn fold(inner: &Inner) -> Result<(), ViewError> {
    let _one_at_a_time = inner.folding.lock().unwrap_or_else(PoisonError::into_inner);
    let before = inner.live_sets();
    let batch = guarded(|| sets::advance(&*inner.store, &*inner.shelf, &before, u64::MAX))?;
    if let Some((changes, after)) = batch {
        inner.publish(changes, after)?;
    }
    Ok(())
}

/// A fold that panics is an error with a place, not a thread that is silently gone.
pub(crate) fn guarded<T>(fold: impl FnOnce() -> Result<T, ViewError>) -> Result<T, ViewError> {
    catch_unwind(AssertUnwindSafe(fold)).unwrap_or_else(|_| {
        Err(ViewError::engine(
            "folding an event",
            "the read model panicked",
        ))
    })
}

/// The position all of these sets have reached.
pub(crate) fn position(sets: &[Set]) -> u64 {
    let positions = sets.iter().map(|s| s.checkpoint.position);
    positions.min().unwrap_or(0)
}
