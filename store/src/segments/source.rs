//! Where blocks come from: a log of this process, or one of another.

use super::{Chain, SegmentError};
use crate::{EventStore, StoreError};

/// The durable end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Last position; 0 = the log is empty.
    pub position: u64,
    /// Hash of the last block: it stands for every byte before it.
    pub hash: [u8; 32],
}

/// Something that has a log.
pub trait Source {
    /// The durable end, at this moment.
    fn head(&mut self) -> Result<Head, SegmentError>;

    /// Whole durable blocks from the one that holds the first event after a position on: as many as `max_bytes` take,
    /// and at least one if there is one.
    fn blocks(&mut self, after: u64, max_bytes: usize) -> Result<Vec<Vec<u8>>, SegmentError>;
}

impl Source for &dyn EventStore {
    fn head(&mut self) -> Result<Head, SegmentError> {
        let position = EventStore::head(*self);
        let Some(before) = position.checked_sub(1) else {
            return Ok(Head {
                position,
                hash: Chain::EMPTY.hash,
            });
        };
        let last = EventStore::blocks(*self, before, 1)?.into_iter().next();
        let last = last.ok_or_else(|| StoreError::corrupt(position, "missing"))?;
        Ok(Head {
            position: last.last_position,
            hash: last.hash,
        })
    }

    fn blocks(&mut self, after: u64, max_bytes: usize) -> Result<Vec<Vec<u8>>, SegmentError> {
        let blocks = EventStore::blocks(*self, after, max_bytes)?;
        Ok(blocks.into_iter().map(|block| block.bytes).collect())
    }
}
