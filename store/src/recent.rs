//! Blocks that became durable a moment ago, as they were written: who follows the log closely need not read, unpack and check
//! them again.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::RawBlock;
use crate::block;
use crate::log::SealedBlock;

/// Bytes that are kept: some thousand commits, which a follower that is in time has not read yet.
const KEPT_BYTES: usize = 16 << 20;

#[derive(Default)]
struct Kept {
    blocks: VecDeque<SealedBlock>,
    bytes: usize,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Recent {
    kept: Mutex<Kept>,
}

impl Recent {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Whoever panics while it is held leaves blocks in order, perhaps too few of them counted.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks that are durable now, in order, after all that were put before.
    pub fn put(&self, blocks: Vec<SealedBlock>) {
        let mut gone = Vec::new();
        let mut kept = self.lock();
        for block in blocks {
            kept.bytes += block.bytes.len();
            kept.blocks.push_back(block);
        }
        while kept.bytes > KEPT_BYTES
            && let Some(first) = kept.blocks.pop_front()
        {
            kept.bytes -= first.bytes.len();
            gone.push(first);
        }
        // What goes is freed when nobody waits for it.
        drop(kept);
    }

    /// The blocks from the one with the first event after a position on, as many as stay within `max_bytes`, at least one.
    /// None: it is not here any more, or not yet.
    pub fn after(&self, position: u64, max_bytes: usize) -> Option<Vec<RawBlock>> {
        let kept = self.lock();
        let first = kept
            .blocks
            .partition_point(|block| block.last_position <= position);
        let begins = kept.blocks.get(first)?.first_position;
        if begins > position.saturating_add(1) {
            return None;
        }
        let (mut found, mut left) = (Vec::new(), max_bytes);
        for sealed in kept.blocks.range(first..) {
            if !found.is_empty() && sealed.bytes.len() > left {
                break;
            }
            left = left.saturating_sub(sealed.bytes.len());
            let header = block::read_header(sealed.first_position, &sealed.bytes).ok()?;
            found.push(RawBlock {
                first_position: sealed.first_position,
                last_position: sealed.last_position,
                recorded_at: header.recorded_at,
                hash: sealed.hash,
                bytes: sealed.bytes.clone(),
            });
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use crate::EventStore;
    use crate::log::Log;
    use crate::testing::{Blocks, commit};

    #[test]
    fn what_is_kept_is_what_the_log_has_from_any_position_on() {
        let log = Log::over(Blocks::default()).expect("an empty log opens");
        for n in 0..20 {
            let names = [format!("a{n}"), format!("b{n}"), format!("c{n}")];
            let names = names.iter().take(1 + n % 3);
            let events: Vec<_> = names.map(|id| (id.as_str(), 0)).collect();
            log.append(commit(None, &events)).expect("appended");
        }
        for after in 0..log.head() {
            for bytes in [0, 700, usize::MAX] {
                let fresh = log.fresh_blocks(after, bytes).expect("read");
                assert_eq!(fresh, log.blocks(after, bytes).expect("read"));
                assert!(!fresh.is_empty());
            }
        }
        let none = log.fresh_blocks(log.head(), 1).expect("read");
        assert!(none.is_empty());
    }
}
