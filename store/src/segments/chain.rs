//! The chain of blocks as somebody follows it who sees one block after the other.

use crate::StoreError;
use crate::block::{self, GENESIS, HEADER_BYTES, Header};

/// The end of a chain of blocks: what the next one must connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Last position; 0 = nothing yet.
    pub position: u64,
    pub hash: [u8; 32],
    /// Of the last block, in microseconds since 1970 UTC; the lowest number where there is none.
    pub recorded_at: i64,
}

impl Chain {
    /// Before the first block of a log.
    pub const EMPTY: Chain = Chain {
        position: 0,
        hash: GENESIS,
        recorded_at: i64::MIN,
    };

    /// After a block that was checked already.
    pub fn after(header: &Header) -> Chain {
        Chain {
            position: header.last_position(),
            hash: header.hash,
            recorded_at: header.recorded_at,
        }
    }

    /// Takes the next block, or says what is wrong with it: magic, version, place, length, CRC, hash, link, time.
    pub fn admit(&mut self, bytes: &[u8]) -> Result<Header, StoreError> {
        let at = self.position.saturating_add(1);
        let header = block::check(at, bytes)?;
        if header.prev_hash != self.hash {
            let what = "does not follow the block before: the chain is broken";
            return Err(StoreError::corrupt(at, what));
        }
        if header.recorded_at < self.recorded_at {
            return Err(StoreError::corrupt(
                at,
                format!(
                    "recorded at {} us, the block before at {} us",
                    header.recorded_at, self.recorded_at
                ),
            ));
        }
        *self = Chain::after(&header);
        Ok(header)
    }
}

/// Cuts blocks apart that lie one after the other. CORRUPT names the position that the rest should have begun at, if a
/// header is cut off or a block is longer than what is left.
pub fn split(after: u64, bytes: &[u8]) -> impl Iterator<Item = Result<&[u8], StoreError>> {
    let mut rest = bytes;
    let mut at = after.saturating_add(1);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let cut = cut(at, rest);
        rest = match &cut {
            Ok((_, header)) => {
                at = at.saturating_add(u64::from(header.count));
                rest.get(length(header)..).unwrap_or_default()
            }
            Err(_) => &[],
        };
        Some(cut.map(|(block, _)| block))
    })
}

fn cut(at: u64, bytes: &[u8]) -> Result<(&[u8], Header), StoreError> {
    let header = block::read_header(at, bytes)?;
    match bytes.get(..length(&header)) {
        Some(block) => Ok((block, header)),
        None => Err(StoreError::corrupt(
            at,
            format!("cut off: {} of {} bytes", bytes.len(), length(&header)),
        )),
    }
}

/// Bytes of a block, header included.
fn length(header: &Header) -> usize {
    usize::try_from(header.body_len)
        .unwrap_or(usize::MAX)
        .saturating_add(HEADER_BYTES)
}
