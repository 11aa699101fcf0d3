//! Reads a source block by block, and lets nothing be skipped.

use super::{Chain, Head, PAGE_BYTES, SegmentError, Source, split};
use crate::StoreError;
use crate::block::{self, BlockRef};

/// Takes a block that was checked.
pub type EachBlockRef<'a> = dyn FnMut(&BlockRef<'_>) -> Result<(), SegmentError> + 'a;

/// Follows a log from a position on. Each block must connect to the one before it.
pub struct Follower<'a> {
    source: &'a mut dyn Source,
    after: u64,
    chain: Option<Chain>,
}

impl<'a> Follower<'a> {
    /// Begins with the block that holds the first event after a position.
    pub fn after(source: &'a mut dyn Source, position: u64) -> Follower<'a> {
        Follower {
            source,
            after: position,
            // The first block of a log is the one that may begin a chain without being believed.
            chain: (position == 0).then_some(Chain::EMPTY),
        }
    }

    /// Last position that was handed out.
    pub fn position(&self) -> u64 {
        self.chain.map_or(self.after, |chain| chain.position)
    }

    /// Hands out what the source gives at once; false if it gives nothing.
    pub fn page(&mut self, each: &mut EachBlockRef<'_>) -> Result<bool, SegmentError> {
        let page = self.source.blocks(self.position(), PAGE_BYTES)?;
        for bytes in &page {
            let chain = match &mut self.chain {
                Some(chain) => chain,
                none => {
                    let said = block::read_header(self.after.saturating_add(1), bytes)?;
                    none.insert(Chain {
                        position: said.first_position.saturating_sub(1),
                        hash: said.prev_hash,
                        recorded_at: i64::MIN,
                    })
                }
            };
            let header = chain.admit(bytes)?;
            each(&block::borrow_checked(header, bytes)?)?;
        }
        Ok(!page.is_empty())
    }

    /// Hands out everything up to a head. CORRUPT if the source ends before it, or holds another block there.
    pub fn up_to(&mut self, head: &Head, each: &mut EachBlockRef<'_>) -> Result<(), SegmentError> {
        while self.position() < head.position {
            if !self.page(each)? {
                return Err(StoreError::corrupt(self.position() + 1, "missing").into());
            }
        }
        match self.chain {
            Some(chain) if chain.position == head.position && chain.hash != head.hash => {
                let what = "is another block than the one the log calls its head";
                Err(StoreError::corrupt(chain.position, what).into())
            }
            _ => Ok(()),
        }
    }
}

/// Blocks that came in one piece, such as the body of an answer over HTTP.
pub fn pieces(after: u64, bytes: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
    split(after, bytes)
        .map(|block| block.map(<[u8]>::to_vec))
        .collect()
}
