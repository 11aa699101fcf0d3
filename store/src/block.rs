//! One commit as bytes: the format of the log, byte by byte in `docs/log-format.md`.
//!
//! The body holds neither positions nor hashes, so it is encoded by the caller's thread; the header, which places the
//! block in the chain, by the writer's. The bytes are frozen: `tests/golden/block-v1.hex` pins them.

use serde::{Deserialize, Serialize};

use crate::{CommandRecord, Commit, EventRef, NewEvent, StoreError, StoredEvent, StreamKey};

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

/// Encodes the body of a commit. The events' versions are those they will have if the commit is accepted.
///
/// TOO_LARGE if the body exceeds [`MAX_BODY_BYTES`].
pub fn encode_body(commit: Commit) -> Result<Vec<u8>, StoreError> {
    let mut bytes = encode(&commit)?;
    bytes.drain(..HEADER_BYTES);
    Ok(bytes)
}

/// As [`encode_body`], behind room for a header, so that [`seal_in_place`] copies nothing.
pub(crate) fn encode(commit: &Commit) -> Result<Vec<u8>, StoreError> {
    let size = body_bytes(commit);
    // Before anything of it is copied.
    at_most(size)?;
    let mut encoder = Encoder::begin(commit, commit.events.len(), size);
    for event in &commit.events {
        let names = (event.stream.kind.as_str(), event.stream.id.as_str());
        let kind = (event.event_type.as_str(), event.schema);
        encoder.event(names, event.expected_version, kind, |out| {
            out.extend_from_slice(&event.payload);
            Ok(())
        })?;
    }
    encoder.finish()
}

fn at_most(size: usize) -> Result<(), StoreError> {
    match size > MAX_BODY_BYTES {
        true => Err(StoreError::TooLarge {
            what: "encoded commit in bytes".into(),
            actual: size,
            limit: MAX_BODY_BYTES,
        }),
        false => Ok(()),
    }
}

/// A block that is written event by event, behind room for its header.
pub(crate) struct Encoder {
    out: Vec<u8>,
    /// Bytes of payload and receipt so far.
    pub payload: usize,
}

impl Encoder {
    /// Begins the block of a commit that will have so many events and about so many bytes; the events of `commit` itself
    /// are not looked at.
    pub fn begin(commit: &Commit, events: usize, size: usize) -> Encoder {
        let mut out = Vec::with_capacity(HEADER_BYTES + size);
        let mut payload = 0;
        out.resize(HEADER_BYTES, 0);
        put(&mut out, commit.tenant.as_bytes());
        put(&mut out, commit.actor.as_bytes());
        put(&mut out, commit.correlation.as_bytes());
        out.extend_from_slice(&commit.causation.to_le_bytes());
        match &commit.command {
            None => out.push(0),
            Some(command) => {
                out.push(1);
                put(&mut out, command.command_id.as_bytes());
                out.extend_from_slice(&command.input_hash);
                put(&mut out, &command.receipt);
                payload = command.receipt.len();
            }
        }
        out.extend_from_slice(&(events as u64).to_le_bytes());
        Encoder { out, payload }
    }

    /// Appends the next event; `payload` appends its payload.
    pub fn event(
        &mut self,
        (kind, id): (&str, &str),
        expected_version: u64,
        (event_type, schema): (&str, u16),
        payload: impl FnOnce(&mut Vec<u8>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let out = &mut self.out;
        put(out, kind.as_bytes());
        put(out, id.as_bytes());
        out.extend_from_slice(&expected_version.saturating_add(1).to_le_bytes());
        put(out, event_type.as_bytes());
        out.extend_from_slice(&schema.to_le_bytes());
        let length = out.len();
        out.extend_from_slice(&[0; 8]);
        payload(out)?;
        let written = out.len().saturating_sub(length + 8);
        if let Some(place) = out.get_mut(length..length + 8) {
            place.copy_from_slice(&(written as u64).to_le_bytes());
        }
        self.payload = self.payload.saturating_add(written);
        Ok(())
    }

    /// The block, its header still to be filled in.
    ///
    /// TOO_LARGE if the body exceeds [`MAX_BODY_BYTES`].
    pub fn finish(self) -> Result<Vec<u8>, StoreError> {
        at_most(self.out.len() - HEADER_BYTES)?;
        Ok(self.out)
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Length of an encoded body.
fn body_bytes(commit: &Commit) -> usize {
    let text = |text: &String| 8 + text.len();
    let command = commit.command.as_ref().map_or(0, |command| {
        text(&command.command_id) + 32 + 8 + command.receipt.len()
    });
    let event = |event: &NewEvent| {
        let names = text(&event.stream.kind) + text(&event.stream.id) + text(&event.event_type);
        names + 8 + 2 + 8 + event.payload.len()
    };
    let names = text(&commit.tenant) + text(&commit.actor) + text(&commit.correlation);
    names + 8 + 1 + command + 8 + commit.events.iter().map(event).sum::<usize>()
}

/// Puts the header before an encoded body. Returns the block's bytes and its header.
pub fn seal(
    first_position: u64,
    count: u32,
    recorded_at: i64,
    prev_hash: &[u8; 32],
    body: &[u8],
) -> (Vec<u8>, Header) {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.resize(HEADER_BYTES, 0);
    bytes.extend_from_slice(body);
    let body_crc = crc32fast::hash(body);
    let header = seal_in_place(
        first_position,
        count,
        recorded_at,
        prev_hash,
        body_crc,
        &mut bytes,
    );
    (bytes, header)
}

/// Fills in the header of a block whose body was encoded by [`encode`] and has this CRC.
pub(crate) fn seal_in_place(
    first_position: u64,
    count: u32,
    recorded_at: i64,
    prev_hash: &[u8; 32],
    body_crc: u32,
    block: &mut [u8],
) -> Header {
    let (head, body) = block
        .split_first_chunk_mut::<HEADER_BYTES>()
        .expect("a block has room for its header");
    let body_len = u32::try_from(body.len()).expect("a body is at most MAX_BODY_BYTES");
    let (hashed, hash_field) = head
        .split_first_chunk_mut::<HASHED_HEADER_BYTES>()
        .expect("a header is longer than its hashed part");
    let mut rest = hashed.as_mut_slice();
    let mut fill = |bytes: &[u8]| {
        let (field, after) = std::mem::take(&mut rest).split_at_mut(bytes.len());
        field.copy_from_slice(bytes);
        rest = after;
    };
    fill(&MAGIC);
    fill(&FORMAT_VERSION.to_le_bytes());
    fill(&first_position.to_le_bytes());
    fill(&count.to_le_bytes());
    fill(&recorded_at.to_le_bytes());
    fill(&body_len.to_le_bytes());
    fill(&body_crc.to_le_bytes());
    fill(prev_hash);
    let hash = hash_of(hashed, body);
    hash_field.copy_from_slice(&hash);
    Header {
        first_position,
        count,
        recorded_at,
        body_len,
        body_crc,
        prev_hash: *prev_hash,
        hash,
    }
}

/// CRC of the body of a block that was encoded by [`encode`].
pub(crate) fn body_crc(block: &[u8]) -> u32 {
    crc32fast::hash(block.get(HEADER_BYTES..).unwrap_or_default())
}

/// Looks into a block that was encoded by [`encode`] and has no header yet.
pub(crate) fn unsealed(block: &[u8], count: u32) -> Option<BlockRef<'_>> {
    let mut body = block.get(HEADER_BYTES..)?;
    let header = Header {
        first_position: 1,
        count,
        recorded_at: 0,
        body_len: 0,
        body_crc: 0,
        prev_hash: GENESIS,
        hash: GENESIS,
    };
    let (block, _) = BlockRef::begin(header, &mut body)?;
    Some(BlockRef {
        events: body,
        ..block
    })
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
    borrow(at, bytes)?.to_owned()
}

/// As [`decode`], and leaves names and payloads where they are: nothing is copied, nothing is allocated.
///
/// The events are read one by one by [`BlockRef::events`], so what is wrong with one of them is said there.
pub fn borrow(at: u64, bytes: &[u8]) -> Result<BlockRef<'_>, StoreError> {
    let header = check(at, bytes)?;
    borrow_checked(header, bytes)
}

/// Checks magic, version, place, length, CRC and hash of a block that is stored at `at`, and does not look into its body.
///
/// CORRUPT names `at`.
pub fn check(at: u64, bytes: &[u8]) -> Result<Header, StoreError> {
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
    if body.len() > MAX_BODY_BYTES {
        return Err(damaged(&format!(
            "body has {} bytes, the most is {MAX_BODY_BYTES}",
            body.len()
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
    if header.count == 0 || at.checked_add(u64::from(header.count) - 1).is_none() {
        return Err(damaged(&format!("its header says {} events", header.count)));
    }
    Ok(header)
}

/// Reads a block whose bytes [`check`] has found good: `header` is what it answered.
///
/// CORRUPT names the block.
pub fn borrow_checked(header: Header, bytes: &[u8]) -> Result<BlockRef<'_>, StoreError> {
    let at = header.first_position;
    let mut body = bytes
        .get(HEADER_BYTES..)
        .ok_or_else(|| StoreError::corrupt(at, "shorter than a header"))?;
    let (block, events) = BlockRef::begin(header, &mut body).ok_or_else(|| unreadable(at))?;
    if u64::from(header.count) != events {
        return Err(StoreError::corrupt(
            at,
            format!("body has {events} events, its header says {}", header.count),
        ));
    }
    Ok(BlockRef {
        events: body,
        ..block
    })
}

fn unreadable(at: u64) -> StoreError {
    StoreError::corrupt(at, "body cannot be read: a length or a text is wrong")
}

/// The header alone of a block that is stored at `at`: magic and version are checked, the rest is believed.
pub fn read_header(at: u64, bytes: &[u8]) -> Result<Header, StoreError> {
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

pub(crate) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(u64::from_le_bytes)
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take_u64(rest)?).ok()?;
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

fn take_str<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(rest)?).ok()
}

/// The command of a block that was not copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandRef<'a> {
    pub command_id: &'a str,
    pub input_hash: [u8; 32],
    pub receipt: &'a [u8],
}

/// A [`Block`] whose names and payloads lie where they were read.
#[derive(Clone, Copy, Debug)]
pub struct BlockRef<'a> {
    pub header: Header,
    pub tenant: &'a str,
    pub actor: &'a str,
    pub correlation: &'a str,
    /// Position of the causing event; 0 = none.
    pub causation: u64,
    pub command: Option<CommandRef<'a>>,
    /// The encoded events.
    events: &'a [u8],
}

impl<'a> BlockRef<'a> {
    /// Reads all but the events; `body` is left at the first of them. With the number of events the body claims.
    fn begin(header: Header, body: &mut &'a [u8]) -> Option<(BlockRef<'a>, u64)> {
        let tenant = take_str(body)?;
        let actor = take_str(body)?;
        let correlation = take_str(body)?;
        let causation = take_u64(body)?;
        let command = match take::<1>(body)? {
            [0] => None,
            [1] => Some(CommandRef {
                command_id: take_str(body)?,
                input_hash: take(body)?,
                receipt: take_bytes(body)?,
            }),
            _ => return None,
        };
        let count = take_u64(body)?;
        let block = BlockRef {
            header,
            tenant,
            actor,
            correlation,
            causation,
            command,
            events: &[],
        };
        Some((block, count))
    }

    /// The block's events with the positions and the metadata that the log gives them.
    ///
    /// CORRUPT, once, where an event cannot be read or bytes follow the last one.
    pub fn events(&self) -> Events<'a> {
        Events {
            block: *self,
            rest: self.events,
            next: 0,
        }
    }

    /// Copies the block, and so reads all of it.
    pub fn to_owned(&self) -> Result<Block, StoreError> {
        let events = self
            .events()
            .map(|event| {
                event.map(|event| BodyEvent {
                    kind: event.kind.into(),
                    id: event.id.into(),
                    version: event.version,
                    event_type: event.event_type.into(),
                    schema: event.schema,
                    payload: event.payload.into(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Block {
            header: self.header,
            body: Body {
                tenant: self.tenant.into(),
                actor: self.actor.into(),
                correlation: self.correlation.into(),
                causation: self.causation,
                command: self.command.map(|command| CommandRecord {
                    command_id: command.command_id.into(),
                    input_hash: command.input_hash,
                    receipt: command.receipt.into(),
                }),
                events,
            },
        })
    }
}

/// The events of a [`BlockRef`], read one by one.
#[derive(Clone, Debug)]
pub struct Events<'a> {
    block: BlockRef<'a>,
    rest: &'a [u8],
    next: u32,
}

impl<'a> Events<'a> {
    fn read(&mut self) -> Option<EventRef<'a>> {
        let rest = &mut self.rest;
        let header = &self.block.header;
        let event = EventRef {
            position: header.first_position + u64::from(self.next),
            tenant: self.block.tenant,
            kind: take_str(rest)?,
            id: take_str(rest)?,
            version: take_u64(rest)?,
            event_type: take_str(rest)?,
            schema: u16::from_le_bytes(take(rest)?),
            payload: take_bytes(rest)?,
            recorded_at: header.recorded_at,
            actor: self.block.actor,
            command_id: self.block.command.map(|command| command.command_id),
            correlation: self.block.correlation,
            causation: self.block.causation,
        };
        self.next += 1;
        let last = self.next == header.count;
        (!last || rest.is_empty()).then_some(event)
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Result<EventRef<'a>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.block.header.count {
            return None;
        }
        match self.read() {
            Some(event) => Some(Ok(event)),
            None => {
                self.next = self.block.header.count;
                Some(Err(unreadable(self.block.header.first_position)))
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use bincode::Options;

    use super::*;

    fn commits() -> Vec<Commit> {
        let event = |id: &str, expected_version, payload: &[u8]| NewEvent {
            stream: StreamKey::new("tenant", "kind", id),
            expected_version,
            event_type: "kind.Happened".into(),
            schema: 7,
            payload: payload.to_vec(),
        };
        let bare = Commit {
            tenant: "tenant".into(),
            recorded_at: 5,
            actor: String::new(),
            correlation: String::new(),
            causation: 0,
            command: None,
            events: vec![event("é", 0, b"")],
        };
        let full = Commit {
            actor: "actor".into(),
            correlation: "correlation".into(),
            causation: 9,
            command: Some(CommandRecord {
                command_id: "command".into(),
                input_hash: [8; 32],
                receipt: vec![1, 2, 3],
            }),
            events: vec![event("a", 0, b"x"), event("b", u64::MAX, &[0; 300])],
            ..bare.clone()
        };
        vec![bare, full]
    }

    #[test]
    fn a_body_is_what_bincode_makes_of_it() {
        for commit in commits() {
            let bytes = encode_body(commit.clone()).unwrap();
            let count = commit.events.len() as u32;
            let (block, _) = seal(1, count, 0, &GENESIS, &bytes);
            let body = decode(1, &block).unwrap().body;
            let codec = || bincode::DefaultOptions::new().with_fixint_encoding();
            assert_eq!(codec().serialize(&body).unwrap(), bytes);
            assert_eq!(codec().deserialize::<Body>(&bytes).unwrap(), body);
            assert_eq!(bytes.len(), body_bytes(&commit));
            assert_eq!(body.tenant, commit.tenant);
            assert_eq!(body.command, commit.command);
        }
    }

    #[test]
    fn a_body_that_ends_too_early_or_too_late_is_refused_even_with_a_right_hash() {
        for commit in commits() {
            let count = commit.events.len() as u32;
            let body = encode_body(commit).unwrap();
            let read = |body: &[u8], count| {
                let (block, _) = seal(1, count, 0, &GENESIS, body);
                decode(1, &block)
            };
            assert!(read(&body, count).is_ok());
            assert!(read(&body, count + 1).is_err(), "more than it has");
            assert!(read(&body, 0).is_err(), "none");
            for cut in 0..body.len() {
                assert!(read(&body[..cut], count).is_err(), "cut at {cut}");
            }
            let longer = [body.as_slice(), &[0]].concat();
            assert!(read(&longer, count).is_err(), "a byte more");
        }
    }
}
