//! The extents that were read last by position, so that neighbours in a stream do not unpack the same extent twice.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::extent::Extent;

const EXTENTS: usize = 16;
/// Larger ones hold a single block and are not asked for again soon. With [`EXTENTS`]: at most 4 MiB.
const MOST_BYTES: usize = 256 << 10;

/// The one used last is at the back.
#[derive(Default)]
pub(super) struct Cache(Mutex<VecDeque<Arc<Extent>>>);

impl Cache {
    /// The extent that holds a position.
    pub fn find(&self, position: u64) -> Option<Arc<Extent>> {
        let mut extents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = extents.iter().position(|extent| {
            extent
                .positions()
                .is_some_and(|(first, last)| (first..=last).contains(&position))
        })?;
        let extent = extents.remove(at)?;
        extents.push_back(Arc::clone(&extent));
        Some(extent)
    }

    pub fn keep(&self, extent: &Arc<Extent>) {
        if extent.bytes() > MOST_BYTES {
            return;
        }
        let mut extents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if extents.len() >= EXTENTS {
            extents.pop_front();
        }
        extents.push_back(Arc::clone(extent));
    }
}
