//! One commit as bytes: the format of the log, byte by byte in `docs/log-format.md`.
//!
//! The body holds neither positions nor hashes, so it is encoded by the caller's thread; the header, which places the
//! block in the chain, by the writer's. The bytes are frozen: `tests/golden/block-v1.hex` pins them.

use bincode::Options;
use serde::{Deserialize, Serialize};

use crate::{CommandRecord, Commit, StoreError, StoredEvent, StreamKey};

/// First bytes of every block.
pub const MAGIC: [u8; 4] = *b"INDB";
/// The version of the format that this program writes, and the only one it reads.
pub const FORMAT_VERSION: u16 = 1;
/// Bytes before the body.
pub const HEADER_BYTES: usize = 98;
/// Bytes of the header that the block's hash covers: all but the hash itself.
const HASHED_HEADER_BYTES: usize = HEADER_BYTES - 32;
/// Largest body. The limits of a commit keep below it: 8 MiB of payload and 10,000 events of at most 642 bytes of
/// names and lengths are 14.2 MiB.
pub const MAX_BODY_BYTES: usize = 16 << 20;
/// Hash before the first block.
pub const GENESIS: [u8; 32] = [0; 32];

/// What a block says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub first_position: u64,
    /// Number of events.
    pub count: u32,
    /// Microseconds since 1970 UTC.
    pub recorded_at: i64,
    pub body_len: u32,
    pub body_crc: u32,
    /// Hash of the block before; [`GENESIS`] for the first.
    pub prev_hash: [u8; 32],
    /// BLAKE3 of the header without this field, followed by the body.
    pub hash: [u8; 32],
}

impl Header {
    /// Position of the block's last event.
    pub fn last_position(&self) -> u64 {
        self.first_position + u64::from(self.count) - 1
    }
}

/// The body of a block: a commit without what the log adds to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    pub tenant: String,
    pub actor: String,
    pub correlation: String,
    pub causation: u64,
    pub command: Option<CommandRecord>,
    pub events: Vec<BodyEvent>,
}

/// An event in a block. Its tenant is the block's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyEvent {
    pub kind: String,
    pub id: String,
    pub version: u64,
    pub event_type: String,
    pub schema: u16,
    #[serde(with = "serde_bytes")]
    pub payload: Vec<u8>,
}

/// A block that was read and is what was written, as far as it can tell alone: the chain needs its neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub header: Header,
    pub body: Body,
}

fn codec() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .reject_trailing_bytes()
        .with_limit(MAX_BODY_BYTES as u64)
}

/// Encodes the body of a commit. The events' versions are those they will have if the commit is accepted.
///
/// TOO_LARGE if the body exceeds [`MAX_BODY_BYTES`].
pub fn encode_body(commit: Commit) -> Result<Vec<u8>, StoreError> {
    let body = Body {
        tenant: commit.tenant,
        actor: commit.actor,
        correlation: commit.correlation,
        causation: commit.causation,
        command: commit.command,
        events: commit
            .events
            .into_iter()
            .map(|event| BodyEvent {
                kind: event.stream.kind,
                id: event.stream.id,
                version: event.expected_version.saturating_add(1),
                event_type: event.event_type,
                schema: event.schema,
                payload: event.payload,
            })
            .collect(),
    };
    codec().serialize(&body).map_err(|_| StoreError::TooLarge {
        what: "encoded commit in bytes".into(),
        actual: codec()
            .with_no_limit()
            .serialized_size(&body)
            .map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX)),
        limit: MAX_BODY_BYTES,
    })
}

/// Puts the header before an encoded body. Returns the block's bytes and its header.
pub fn seal(
    first_position: u64,
    count: u32,
    recorded_at: i64,
    prev_hash: &[u8; 32],
    body: &[u8],
) -> (Vec<u8>, Header) {
    let body_len = u32::try_from(body.len()).expect("a body is at most MAX_BODY_BYTES");
    let body_crc = crc32fast::hash(body);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&first_position.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&recorded_at.to_le_bytes());
    bytes.extend_from_slice(&body_len.to_le_bytes());
    bytes.extend_from_slice(&body_crc.to_le_bytes());
    bytes.extend_from_slice(prev_hash);
    let hash = hash_of(&bytes, body);
    bytes.extend_from_slice(&hash);
    bytes.extend_from_slice(body);
    let header = Header {
        first_position,
        count,
        recorded_at,
        body_len,
        body_crc,
        prev_hash: *prev_hash,
        hash,
    };
    (bytes, header)
}

fn hash_of(hashed_header: &[u8], body: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(hashed_header);
    hasher.update(body);
    *hasher.finalize().as_bytes()
}

/// Reads a block that is stored at `at` and checks magic, version, place, length, CRC, hash and count.
///
/// CORRUPT names `at`.
pub fn decode(at: u64, bytes: &[u8]) -> Result<Block, StoreError> {
    let damaged = |what: &str| StoreError::corrupt(at, what);
    let header = read_header(at, bytes)?;
    let (head, body) = bytes
        .split_at_checked(HEADER_BYTES)
        .ok_or_else(|| damaged("shorter than a header"))?;
    if header.first_position != at {
        return Err(damaged(&format!(
            "its header says position {}",
            header.first_position
        )));
    }
    if u64::from(header.body_len) != body.len() as u64 {
        return Err(damaged(&format!(
            "body has {} bytes, its header says {}",
            body.len(),
            header.body_len
        )));
    }
    if crc32fast::hash(body) != header.body_crc {
        return Err(damaged("CRC of the body does not match"));
    }
    let hashed = head
        .get(..HASHED_HEADER_BYTES)
        .ok_or_else(|| damaged("shorter than a header"))?;
    if hash_of(hashed, body) != header.hash {
        return Err(damaged("hash does not match"));
    }
    let body: Body = codec()
        .deserialize(body)
        .map_err(|e| damaged(&format!("body cannot be read: {e}")))?;
    if header.count == 0 || u64::from(header.count) != body.events.len() as u64 {
        return Err(damaged(&format!(
            "body has {} events, its header says {}",
            body.events.len(),
            header.count
        )));
    }
    Ok(Block { header, body })
}

fn read_header(at: u64, bytes: &[u8]) -> Result<Header, StoreError> {
    let mut rest = bytes;
    let short = || StoreError::corrupt(at, "shorter than a header");
    if take::<4>(&mut rest).ok_or_else(short)? != MAGIC {
        return Err(StoreError::corrupt(at, "does not begin with INDB"));
    }
    let version = u16::from_le_bytes(take(&mut rest).ok_or_else(short)?);
    if version != FORMAT_VERSION {
        // The data directory's own mark says which version its blocks have, so another one here is damage.
        return Err(StoreError::corrupt(
            at,
            format!("format version {version}, the log has {FORMAT_VERSION}"),
        ));
    }
    Ok(Header {
        first_position: u64::from_le_bytes(take(&mut rest).ok_or_else(short)?),
        count: u32::from_le_bytes(take(&mut rest).ok_or_else(short)?),
        recorded_at: i64::from_le_bytes(take(&mut rest).ok_or_else(short)?),
        body_len: u32::from_le_bytes(take(&mut rest).ok_or_else(short)?),
        body_crc: u32::from_le_bytes(take(&mut rest).ok_or_else(short)?),
        prev_hash: take(&mut rest).ok_or_else(short)?,
        hash: take(&mut rest).ok_or_else(short)?,
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

impl Block {
    /// The block's events with the positions and the metadata that the log gives them.
    pub fn into_events(self) -> impl Iterator<Item = StoredEvent> {
        let Block { header, body } = self;
        let command_id = body.command.map(|command| command.command_id);
        body.events
            .into_iter()
            .zip(header.first_position..)
            .map(move |(event, position)| StoredEvent {
                position,
                stream: StreamKey {
                    tenant: body.tenant.clone(),
                    kind: event.kind,
                    id: event.id,
                },
                version: event.version,
                event_type: event.event_type,
                schema: event.schema,
                payload: event.payload,
                recorded_at: header.recorded_at,
                actor: body.actor.clone(),
                command_id: command_id.clone(),
                correlation: body.correlation.clone(),
                causation: body.causation,
            })
    }
}
