//! Extents: what lies in the engine instead of single blocks. Byte by byte in `docs/log-format.md`, "On disk".
//!
//! The blocks of one group of commits are laid end to end and compressed together: single commits share most of their
//! names with their neighbours. An extent is small enough to be unpacked for the sake of one block of it.

use std::ops::Range;
use std::thread;

use crate::StoreError;
use crate::block::{self, HEADER_BYTES, MAX_BODY_BYTES};
use crate::log::SealedBlock;

/// First bytes of every extent.
const MAGIC: [u8; 4] = *b"INDE";
const VERSION: u16 = 1;
/// Bytes before the packed blocks.
pub(super) const EXTENT_HEADER_BYTES: usize = 32;
/// Bytes of the header that its CRC covers: all but the CRC itself.
const CHECKED_HEADER_BYTES: usize = EXTENT_HEADER_BYTES - 4;
/// The blocks lie as they are.
const PLAIN: u8 = 0;
/// The blocks are one LZ4 block (without a frame).
const LZ4: u8 = 1;
/// An extent is closed before it would exceed this, unless a single block does.
const EXTENT_BYTES: usize = 128 << 10;
/// Bytes of a group from which on two threads pack it: to start one costs as much as to pack some 20 KiB.
const TWO_THREADS_BYTES: usize = 256 << 10;
/// Most bytes of blocks that an extent can hold: one block of the largest size.
const MAX_RAW_BYTES: usize = HEADER_BYTES + MAX_BODY_BYTES;

/// An extent ready to be cut into parts.
pub(super) struct Packed {
    pub first_position: u64,
    pub bytes: Vec<u8>,
}

/// Packs the blocks of a group, in order, into as many extents as their size asks for. A large group is packed by two
/// threads: compressing is most of what is left to the log's one writer.
pub(super) fn pack(blocks: &[SealedBlock]) -> Vec<Packed> {
    let extents = split(blocks);
    let bytes: usize = blocks.iter().map(|block| block.bytes.len()).sum();
    if bytes < TWO_THREADS_BYTES {
        return extents.into_iter().map(encode_all).collect();
    }
    let (mine, other) = extents.split_at(extents.len() / 2);
    thread::scope(|scope| {
        let helper = thread::Builder::new()
            .spawn_scoped(scope, || other.iter().copied().map(encode_all).collect());
        let mut packed: Vec<Packed> = mine.iter().copied().map(encode_all).collect();
        let rest: Option<Vec<Packed>> = helper.ok().and_then(|helper| helper.join().ok());
        // Without a second thread it only takes longer.
        packed.extend(rest.unwrap_or_else(|| other.iter().copied().map(encode_all).collect()));
        packed
    })
}

/// The blocks of each extent.
fn split(blocks: &[SealedBlock]) -> Vec<&[SealedBlock]> {
    let mut extents = Vec::new();
    let mut rest = blocks;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|block| {
            bytes += block.bytes.len();
            bytes <= EXTENT_BYTES
        });
        // A block larger than an extent has one of its own.
        let (extent, later) = rest.split_at(fitting.count().max(1));
        extents.push(extent);
        rest = later;
    }
    extents
}

fn encode_all(blocks: &[SealedBlock]) -> Packed {
    let mut raw = Vec::with_capacity(blocks.iter().map(|block| block.bytes.len()).sum());
    for block in blocks {
        raw.extend_from_slice(&block.bytes);
    }
    let first_position = blocks.first().map_or(0, |block| block.first_position);
    let count = u32::try_from(blocks.len()).expect("a group has at most a few hundred blocks");
    Packed {
        first_position,
        bytes: encode(first_position, count, &raw),
    }
}

fn encode(first_position: u64, count: u32, raw: &[u8]) -> Vec<u8> {
    let most = lz4_flex::block::get_maximum_output_size(raw.len());
    let mut bytes = vec![0; EXTENT_HEADER_BYTES + most];
    let (head, room) = bytes.split_at_mut(EXTENT_HEADER_BYTES);
    let smaller = lz4_flex::block::compress_into(raw, room)
        .ok()
        .filter(|stored| *stored < raw.len());
    let (codec, stored) = match smaller {
        Some(stored) => (LZ4, stored),
        None => {
            room.split_at_mut(raw.len()).0.copy_from_slice(raw);
            (PLAIN, raw.len())
        }
    };
    let length = |n: usize| {
        u32::try_from(n)
            .expect("a block is at most 16 MiB")
            .to_le_bytes()
    };
    let mut header = Vec::with_capacity(EXTENT_HEADER_BYTES);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.push(codec);
    header.push(0);
    header.extend_from_slice(&first_position.to_le_bytes());
    header.extend_from_slice(&count.to_le_bytes());
    header.extend_from_slice(&length(raw.len()));
    header.extend_from_slice(&length(stored));
    let crc = crc_of(&header, room.split_at(stored).0);
    header.extend_from_slice(&crc.to_le_bytes());
    head.copy_from_slice(&header);
    bytes.truncate(EXTENT_HEADER_BYTES + stored);
    bytes
}

fn crc_of(checked_header: &[u8], stored: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(checked_header);
    crc.update(stored);
    crc.finalize()
}

/// Whole blocks in order, as they were sealed.
#[derive(Clone, Debug, Default)]
pub(super) struct Extent {
    raw: Vec<u8>,
    /// First and last position of each block, and where its bytes lie.
    blocks: Vec<(u64, u64, Range<usize>)>,
}

impl Extent {
    /// Reads what is stored under a first position: an extent, or a single block as format 1 stored it. Replaces what
    /// the extent held, and keeps its room.
    ///
    /// CORRUPT names the first block that is not what was written, as far as it can be told.
    pub fn read(&mut self, at: u64, stored: &[u8]) -> Result<(), StoreError> {
        self.raw.clear();
        self.blocks.clear();
        if stored.starts_with(&block::MAGIC) {
            // The log checks a block itself; here it only has to be found again.
            self.raw.extend_from_slice(stored);
            let last = last_position(at, &block::read_header(at, stored)?)?;
            self.blocks.push((at, last, 0..stored.len()));
            return Ok(());
        }
        let damaged = |what: String| StoreError::corrupt(at, what);
        let header = Header::read(at, stored)?;
        if header.version != VERSION {
            return Err(damaged(format!(
                "its extent has format version {}, this program reads version {VERSION}",
                header.version
            )));
        }
        let (head, packed) = stored
            .split_at_checked(EXTENT_HEADER_BYTES)
            .ok_or_else(|| damaged("its extent is shorter than a header".into()))?;
        if packed.len() != header.stored_len || header.raw_len > MAX_RAW_BYTES.max(EXTENT_BYTES) {
            return Err(damaged(format!(
                "its extent has {} bytes, its header says {} for {} bytes of blocks",
                packed.len(),
                header.stored_len,
                header.raw_len
            )));
        }
        let checked = head.split_at(CHECKED_HEADER_BYTES).0;
        let whole = crc_of(checked, packed) == header.crc;
        let unpacked = self.unpack(&header, packed);
        if !whole {
            return Err(self.first_damaged(at, header.count, "CRC of its extent does not match"));
        }
        if header.first_position != at {
            return Err(damaged(format!(
                "its extent's header says position {}",
                header.first_position
            )));
        }
        unpacked.map_err(damaged)?;
        self.find_blocks(at, header.count)
    }

    fn unpack(&mut self, header: &Header, packed: &[u8]) -> Result<(), String> {
        match header.codec {
            PLAIN if packed.len() == header.raw_len => {
                self.raw.extend_from_slice(packed);
                Ok(())
            }
            LZ4 => {
                self.raw.resize(header.raw_len, 0);
                match lz4_flex::block::decompress_into(packed, &mut self.raw) {
                    Ok(n) if n == header.raw_len => Ok(()),
                    Ok(n) => Err(format!(
                        "its extent unpacks to {n} bytes, its header says {}",
                        header.raw_len
                    )),
                    Err(e) => Err(format!("its extent cannot be unpacked: {e}")),
                }
            }
            codec => Err(format!("its extent has the unknown codec {codec}")),
        }
    }

    fn find_blocks(&mut self, at: u64, count: u32) -> Result<(), StoreError> {
        let mut next = at;
        let mut from = 0;
        while let Some(rest) = self.raw.get(from..).filter(|rest| !rest.is_empty()) {
            let header = block::read_header(next, rest)?;
            let until = from + HEADER_BYTES + header.body_len as usize;
            let last = last_position(next, &header)?;
            if until > self.raw.len() {
                return Err(StoreError::corrupt(
                    next,
                    "its extent does not hold it whole",
                ));
            }
            self.blocks.push((next, last, from..until));
            from = until;
            next = last.saturating_add(1);
        }
        if self.blocks.len() as u64 != u64::from(count) || count == 0 {
            return Err(StoreError::corrupt(
                at,
                format!(
                    "its extent holds {} blocks, its header says {count}",
                    self.blocks.len()
                ),
            ));
        }
        Ok(())
    }

    /// Names the first block of a damaged extent that is not whole: what lies before the damage unpacks as it was. If
    /// all blocks are whole, the extent's own header is damaged.
    fn first_damaged(&self, at: u64, count: u32, what: &str) -> StoreError {
        let mut next = at;
        let mut rest = self.raw.as_slice();
        for _ in 0..count {
            let whole = block::read_header(next, rest).ok().and_then(|header| {
                let (block, later) =
                    rest.split_at_checked(HEADER_BYTES + header.body_len as usize)?;
                Some((block::decode(next, block).ok()?, later))
            });
            match whole {
                Some((_, [])) => return StoreError::corrupt(at, what),
                Some((block, later)) => {
                    rest = later;
                    next = block.header.last_position() + 1;
                }
                None => return StoreError::corrupt(next, what),
            }
        }
        StoreError::corrupt(at, what)
    }

    /// The blocks with their first positions.
    pub fn blocks(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.blocks
            .iter()
            .filter_map(|(first, _, range)| Some((*first, self.raw.get(range.clone())?)))
    }

    /// First position of the last block that begins at or before a position.
    pub fn floor(&self, position: u64) -> Option<u64> {
        let later = self
            .blocks
            .partition_point(|(first, ..)| *first <= position);
        Some(self.blocks.get(later.checked_sub(1)?)?.0)
    }

    /// The block that begins at a position.
    pub fn block(&self, first_position: u64) -> Option<&[u8]> {
        let at = self
            .blocks
            .binary_search_by_key(&first_position, |(first, ..)| *first)
            .ok()?;
        self.raw.get(self.blocks.get(at)?.2.clone())
    }

    /// First and last position of all blocks.
    pub fn positions(&self) -> Option<(u64, u64)> {
        Some((self.blocks.first()?.0, self.blocks.last()?.1))
    }

    /// Bytes of all blocks.
    pub fn bytes(&self) -> usize {
        self.raw.len()
    }
}

/// Last position of a block whose header was not checked yet.
fn last_position(at: u64, header: &block::Header) -> Result<u64, StoreError> {
    match u64::from(header.count).checked_sub(1) {
        Some(more) if header.first_position == at => at.checked_add(more),
        _ => None,
    }
    .ok_or_else(|| {
        StoreError::corrupt(
            at,
            format!(
                "its header says {} events from position {}",
                header.count, header.first_position
            ),
        )
    })
}

struct Header {
    version: u16,
    codec: u8,
    first_position: u64,
    count: u32,
    raw_len: usize,
    stored_len: usize,
    crc: u32,
}

impl Header {
    fn read(at: u64, stored: &[u8]) -> Result<Header, StoreError> {
        let mut rest = stored;
        let short = || StoreError::corrupt(at, "its extent is shorter than a header");
        if block::take::<4>(&mut rest).ok_or_else(short)? != MAGIC {
            return Err(StoreError::corrupt(
                at,
                "begins neither with INDE nor with INDB",
            ));
        }
        let version = u16::from_le_bytes(block::take(&mut rest).ok_or_else(short)?);
        let [codec, _] = block::take(&mut rest).ok_or_else(short)?;
        let first_position = u64::from_le_bytes(block::take(&mut rest).ok_or_else(short)?);
        let mut number = || Some(u32::from_le_bytes(block::take(&mut rest)?));
        Ok(Header {
            version,
            codec,
            first_position,
            count: number().ok_or_else(short)?,
            raw_len: number().ok_or_else(short)? as usize,
            stored_len: number().ok_or_else(short)? as usize,
            crc: number().ok_or_else(short)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{GENESIS, encode_body, seal};
    use crate::{Commit, NewEvent, StreamKey};

    const GOLDEN: &str = include_str!("../../tests/golden/extent-v1.hex");

    /// Blocks of one event each, one after the other, with payloads of the given sizes.
    fn blocks(payloads: &[usize]) -> Vec<SealedBlock> {
        let mut hash = GENESIS;
        (1..)
            .zip(payloads)
            .map(|(position, bytes)| {
                let body = encode_body(Commit {
                    tenant: "tenant-1".into(),
                    recorded_at: 0,
                    actor: "clerk".into(),
                    correlation: "c".into(),
                    causation: 0,
                    command: None,
                    events: vec![NewEvent {
                        stream: StreamKey::new("tenant-1", "account", "a"),
                        expected_version: position - 1,
                        event_type: "account.Noted".into(),
                        schema: 1,
                        payload: (0..*bytes).map(|i| (i % 7) as u8).collect(),
                    }],
                })
                .unwrap();
                let (bytes, header) = seal(position, 1, 0, &hash, &body);
                hash = header.hash;
                SealedBlock {
                    first_position: position,
                    last_position: position,
                    hash,
                    bytes,
                }
            })
            .collect()
    }

    fn read(at: u64, stored: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let mut extent = Extent::default();
        extent.read(at, stored)?;
        Ok(extent
            .blocks()
            .map(|(at, bytes)| (at, bytes.to_vec()))
            .collect())
    }

    fn as_stored(blocks: &[SealedBlock]) -> Vec<(u64, Vec<u8>)> {
        let pairs = blocks.iter().map(|b| (b.first_position, b.bytes.clone()));
        pairs.collect()
    }

    #[test]
    fn an_extent_is_read_as_it_always_was() {
        let digits: Vec<char> = GOLDEN.chars().filter(|c| !c.is_whitespace()).collect();
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
            .collect();
        let blocks = blocks(&[3, 300]);
        let written: String = pack(&blocks)
            .iter()
            .flat_map(|extent| extent.bytes.iter().map(|byte| format!("{byte:02x}")))
            .collect();
        // What LZ4 makes of the blocks may change with its version; what it once made must be read.
        let golden = read(1, &bytes).unwrap_or_else(|e| panic!("{e}; now written: {written}"));
        assert_eq!(golden, as_stored(&blocks));
    }

    #[test]
    fn blocks_come_out_as_they_went_in_however_they_are_packed() {
        let sizes: [&[usize]; 4] = [
            &[0],
            &[100; 40],
            &[70_000, 70_000, 1, 200_000, 5],
            &[1 << 20],
        ];
        for sizes in sizes {
            let blocks = blocks(sizes);
            let packed = pack(&blocks);
            let read: Vec<_> = packed
                .iter()
                .flat_map(|extent| read(extent.first_position, &extent.bytes).unwrap())
                .collect();
            assert_eq!(read, as_stored(&blocks));
            for extent in &packed {
                let mut one = Extent::default();
                one.read(extent.first_position, &extent.bytes).unwrap();
                assert!(one.bytes() <= EXTENT_BYTES || one.blocks().count() == 1);
            }
        }
    }

    #[test]
    fn no_byte_of_an_extent_can_change_unseen() {
        let packed = pack(&blocks(&[10, 20, 30])).remove(0).bytes;
        for at in 0..packed.len() {
            let mut bad = packed.clone();
            bad[at] ^= 0x10;
            assert_eq!(read(1, &bad).unwrap_err().code(), "CORRUPT", "byte {at}");
        }
        for length in 0..packed.len() {
            assert_eq!(read(1, &packed[..length]).unwrap_err().code(), "CORRUPT");
        }
        assert_eq!(read(2, &packed).unwrap_err().code(), "CORRUPT");
    }

    #[test]
    fn damage_in_an_extent_that_lies_as_it_is_is_located_to_the_block() {
        let blocks = blocks(&[10, 20, 30]);
        let mut raw = Vec::new();
        let mut owner = Vec::new();
        for block in &blocks {
            raw.extend_from_slice(&block.bytes);
            owner.resize(raw.len(), block.first_position);
        }
        // As `encode` does where LZ4 wins nothing.
        let mut packed = Vec::new();
        packed.extend_from_slice(b"INDE");
        packed.extend_from_slice(&[1, 0, PLAIN, 0]);
        packed.extend_from_slice(&1u64.to_le_bytes());
        packed.extend_from_slice(&3u32.to_le_bytes());
        packed.extend_from_slice(&(raw.len() as u32).to_le_bytes());
        packed.extend_from_slice(&(raw.len() as u32).to_le_bytes());
        let crc = crc_of(&packed, &raw);
        packed.extend_from_slice(&crc.to_le_bytes());
        packed.extend_from_slice(&raw);
        assert_eq!(read(1, &packed).unwrap(), as_stored(&blocks));
        for (at, owner) in owner.into_iter().enumerate() {
            let mut bad = packed.clone();
            bad[EXTENT_HEADER_BYTES + at] ^= 0x10;
            match read(1, &bad).unwrap_err() {
                StoreError::Corrupt { block, .. } => assert_eq!(block, owner, "byte {at}"),
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn a_header_that_promises_more_than_a_block_can_hold_is_refused_without_taking_the_room() {
        let mut packed = pack(&blocks(&[10])).remove(0).bytes;
        packed[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
        let refused = read(1, &packed).unwrap_err();
        assert!(refused.to_string().contains("4294967295"), "{refused}");
    }
}
