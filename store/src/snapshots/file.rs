//! One snapshot on disk. Little endian, and disposable: whatever is not as expected is no error but a reason to ignore it.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `INDS` |
//! | 2 | format version, 1 |
//! | 4 | version of the state (`STATE_VERSION` of the domain) |
//! | 8 | position: every event up to it is folded in, none after it |
//! | 32 | hash of the log's block that ends at the position |
//! | 8 | when that event was recorded, microseconds since 1970 UTC |
//! | 8 | bytes of all blocks of the log when the snapshot was made |
//! | … | sections: per tenant its tables, then its index and agenda (bincode, in chunks of lz4) |
//! | … | table of contents: per section the length of the tenant's name (2) and the name, part (1), aggregates (8), length before compression (8), in the file (8), BLAKE3 of its bytes in the file (32) |
//! | 4, 8 | number of sections, bytes of the table of contents |
//! | 32 | BLAKE3 of the first 66 bytes and of everything from the table of contents on up to here |
//!
//! So the last hash covers every byte, and sections can be checked and read side by side.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use bincode::Options;
use indelible_domain::World;
use indelible_domain::world::{STATE_VERSION, Tables, Tenant};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::chunks::{ChunkReader, ChunkWriter, Sum};
use crate::MAX_ID_BYTES;

const MAGIC: [u8; 4] = *b"INDS";
/// The version of the file's own layout.
const FORMAT_VERSION: u16 = 1;
/// Bytes before the sections.
const HEADER: usize = 66;
/// Bytes after the table of contents.
const TRAILER: u64 = 4 + 8 + 32;
/// Longest table of contents that is read (1 GiB: some four million tenants).
const MAX_CONTENTS: u64 = 1 << 30;
/// Sections are read by this many threads.
const READERS: usize = 2;
/// Bytes read at a time.
const BUFFER: usize = 256 << 10;

/// Which moment of which log a snapshot is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub position: u64,
    /// Hash of the log's block that ends at the position.
    pub hash: [u8; 32],
    /// When the event at the position was recorded, microseconds since 1970 UTC.
    pub recorded_at: i64,
    /// Bytes of all blocks when the snapshot was made.
    pub log_bytes: u64,
}

/// Why a snapshot is not used.
pub(crate) type Unusable = String;

/// Half of a tenant: two, so that one large tenant is read by two threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Tables = 1,
    Lookups = 2,
}

/// An entry of the table of contents.
#[derive(Clone, Debug)]
struct Section {
    tenant: String,
    part: Part,
    aggregates: u64,
    /// Where it begins in the file.
    offset: u64,
    sum: Sum,
}

/// Integers as short as they are: most numbers of a state are small.
fn options() -> impl Options {
    bincode::DefaultOptions::new()
}

/// Writes a snapshot and returns its size in bytes. Syncing and naming the file is the caller's.
pub(crate) fn write(file: &mut File, moment: &Moment, world: &World) -> io::Result<u64> {
    let header = header(moment);
    file.write_all(&header)?;
    let (mut contents, mut sections, mut stored) = (Vec::new(), 0u32, 0u64);
    for name in world.tenants() {
        let Tenant {
            tables,
            index,
            agenda,
            ..
        } = world.tenant(name);
        for part in [Part::Tables, Part::Lookups] {
            let sum = match part {
                Part::Tables => section(file, tables)?,
                Part::Lookups => section(file, &(index, agenda))?,
            };
            let length = u16::try_from(name.len()).map_err(io::Error::other)?;
            contents.extend_from_slice(&length.to_le_bytes());
            contents.extend_from_slice(name.as_bytes());
            contents.push(part as u8);
            for number in [tables.len() as u64, sum.raw, sum.stored] {
                contents.extend_from_slice(&number.to_le_bytes());
            }
            contents.extend_from_slice(&sum.hash);
            sections += 1;
            stored += sum.stored;
        }
    }
    let length = contents.len() as u64;
    contents.extend_from_slice(&sections.to_le_bytes());
    contents.extend_from_slice(&length.to_le_bytes());
    file.write_all(&contents)?;
    file.write_all(&seal(&header, &contents))?;
    Ok(HEADER as u64 + stored + length + TRAILER)
}

fn section<T: Serialize>(out: &mut dyn Write, state: &T) -> io::Result<Sum> {
    let mut chunks = ChunkWriter::new(out);
    options()
        .serialize_into(&mut chunks, state)
        .map_err(io::Error::other)?;
    chunks.finish()
}

fn header(moment: &Moment) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    header.extend_from_slice(&STATE_VERSION.to_le_bytes());
    header.extend_from_slice(&moment.position.to_le_bytes());
    header.extend_from_slice(&moment.hash);
    header.extend_from_slice(&moment.recorded_at.to_le_bytes());
    header.extend_from_slice(&moment.log_bytes.to_le_bytes());
    header
}

fn seal(header: &[u8], contents: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(header).update(contents);
    *hasher.finalize().as_bytes()
}

/// A snapshot whose frame is whole and of this program's versions; its sections are not read yet.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub moment: Moment,
    /// Size of the file in bytes.
    pub bytes: u64,
    sections: Vec<Section>,
}

impl Snapshot {
    /// Reads header and table of contents.
    pub fn open(path: &Path) -> Result<Snapshot, Unusable> {
        let mut file = File::open(path).map_err(unread)?;
        let bytes = file.metadata().map_err(unread)?.len();
        let mut header = [0; HEADER];
        file.read_exact(&mut header).map_err(unread)?;
        let moment = read_header(&header)?;
        let mut trailer = [0; TRAILER as usize];
        let end = bytes
            .checked_sub(TRAILER)
            .filter(|end| *end >= HEADER as u64)
            .ok_or("it is cut short")?;
        file.seek(SeekFrom::Start(end)).map_err(unread)?;
        file.read_exact(&mut trailer).map_err(unread)?;
        let mut fields = Fields(&trailer);
        let (count, length) = (fields.u32()?, fields.u64()?);
        let start = end
            .checked_sub(length)
            .filter(|start| *start >= HEADER as u64 && length <= MAX_CONTENTS)
            .ok_or("its table of contents has an impossible length")?;
        let whole = usize::try_from(length + 12).map_err(|e| e.to_string())?;
        let mut contents = vec![0; whole];
        file.seek(SeekFrom::Start(start)).map_err(unread)?;
        file.read_exact(&mut contents).map_err(unread)?;
        if seal(&header, &contents) != fields.hash()? {
            return Err("its hash is not that of its frame".into());
        }
        let sections = read_contents(&contents[..whole - 12], count, start)?;
        Ok(Snapshot {
            moment,
            bytes,
            sections,
        })
    }

    /// Number of aggregates of all tenants.
    pub fn aggregates(&self) -> u64 {
        let tables = self.sections.iter().filter(|s| s.part == Part::Tables);
        tables.map(|s| s.aggregates).sum()
    }

    /// Checks and reads every section, two at a time.
    pub fn world(&self, path: &Path) -> Result<World, Unusable> {
        let next = AtomicUsize::new(0);
        let read = || {
            let mut file = File::open(path).map_err(unread)?;
            let mut halves = Vec::new();
            while let Some(section) = self.sections.get(next.fetch_add(1, Ordering::Relaxed)) {
                halves.push((section.tenant.clone(), read_section(&mut file, section)?));
            }
            Ok::<_, Unusable>(halves)
        };
        let halves = std::thread::scope(|scope| {
            let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read)).collect();
            let joined = readers.into_iter().map(|reader| {
                let panicked = |_| Err("reading it broke off".into());
                reader.join().unwrap_or_else(panicked)
            });
            joined.collect::<Result<Vec<_>, Unusable>>()
        })?;
        let mut tenants: BTreeMap<String, Tenant> = BTreeMap::new();
        for (name, half) in halves.into_iter().flatten() {
            let tenant = tenants.entry(name).or_default();
            match half {
                Half::Tables(tables) => tenant.tables = *tables,
                Half::Lookups(lookups) => (tenant.index, tenant.agenda) = *lookups,
            }
        }
        let mut world = World::default();
        for (name, tenant) in tenants {
            world.restore(name, tenant);
        }
        Ok(world)
    }
}

/// What a section holds.
enum Half {
    Tables(Box<Tables>),
    Lookups(
        Box<(
            indelible_domain::index::Index,
            indelible_domain::processes::agenda::Agenda,
        )>,
    ),
}

fn read_section(file: &mut File, section: &Section) -> Result<Half, Unusable> {
    // Checked before it is decoded: what is damaged must not even try to make sense.
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER];
    file.seek(SeekFrom::Start(section.offset)).map_err(unread)?;
    let mut bytes = (&mut *file).take(section.sum.stored);
    loop {
        match bytes.read(&mut buffer).map_err(unread)? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        };
    }
    if hasher.finalize() != section.sum.hash {
        return Err(format!("a section of tenant {} is damaged", section.tenant));
    }
    file.seek(SeekFrom::Start(section.offset)).map_err(unread)?;
    let stored = BufReader::with_capacity(BUFFER, file).take(section.sum.stored);
    let mut chunks = ChunkReader::new(stored);
    match section.part {
        Part::Tables => decode(&mut chunks, section).map(Half::Tables),
        Part::Lookups => decode(&mut chunks, section).map(Half::Lookups),
    }
}

fn decode<T: DeserializeOwned>(
    chunks: &mut ChunkReader<impl Read>,
    section: &Section,
) -> Result<Box<T>, Unusable> {
    let told = |what: &dyn std::fmt::Display| {
        format!(
            "a section of tenant {} cannot be read: {what}",
            section.tenant
        )
    };
    // The limit also bounds what a length inside may make us allocate.
    let state = options()
        .with_limit(section.sum.raw)
        .deserialize_from(&mut *chunks)
        .map_err(|e| told(&e))?;
    match chunks.read(&mut [0]) {
        Ok(0) => Ok(Box::new(state)),
        _ => Err(told(&"it has bytes left over")),
    }
}

fn read_header(header: &[u8; HEADER]) -> Result<Moment, Unusable> {
    let mut fields = Fields(header);
    if fields.bytes(4)? != MAGIC {
        return Err("it is not a snapshot".into());
    }
    let format = u16::from_le_bytes(fields.array()?);
    if format != FORMAT_VERSION {
        return Err(format!(
            "it has format version {format}, this program reads version {FORMAT_VERSION}"
        ));
    }
    let state = fields.u32()?;
    if state != STATE_VERSION {
        return Err(format!(
            "it holds a state of version {state}, this program has version {STATE_VERSION}"
        ));
    }
    Ok(Moment {
        position: fields.u64()?,
        hash: fields.hash()?,
        recorded_at: i64::from_le_bytes(fields.array()?),
        log_bytes: fields.u64()?,
    })
}

fn read_contents(contents: &[u8], count: u32, end: u64) -> Result<Vec<Section>, Unusable> {
    let (mut fields, mut sections) = (Fields(contents), Vec::new());
    let mut offset = HEADER as u64;
    for _ in 0..count {
        let length = usize::from(u16::from_le_bytes(fields.array()?));
        if length > MAX_ID_BYTES {
            return Err(format!("it names a tenant by {length} bytes"));
        }
        let tenant =
            String::from_utf8(fields.bytes(length)?.to_vec()).map_err(|e| e.to_string())?;
        let part = match fields.array()? {
            [1] => Part::Tables,
            [2] => Part::Lookups,
            [other] => return Err(format!("it has a section of kind {other}")),
        };
        let (aggregates, raw, stored) = (fields.u64()?, fields.u64()?, fields.u64()?);
        // lz4 cannot pack tighter than 255 to 1, so what is allocated stays in proportion to the file.
        if raw / 255 > stored {
            return Err("a section has an impossible length".into());
        }
        let hash = fields.hash()?;
        sections.push(Section {
            tenant,
            part,
            aggregates,
            offset,
            sum: Sum { raw, stored, hash },
        });
        offset = offset
            .checked_add(stored)
            .filter(|next| *next <= end)
            .ok_or("its sections are longer than the file")?;
    }
    let complete = sections.chunks(2).all(|pair| match pair {
        [tables, lookups] => {
            tables.tenant == lookups.tenant
                && (tables.part, lookups.part) == (Part::Tables, Part::Lookups)
        }
        _ => false,
    });
    if !complete || !fields.0.is_empty() || offset != end {
        return Err("its sections are not complete".into());
    }
    Ok(sections)
}

/// Fields of fixed length, read from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Unusable> {
        let (field, rest) = self.0.split_at_checked(length).ok_or("it is cut short")?;
        self.0 = rest;
        Ok(field)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unusable> {
        let (field, rest) = self.0.split_first_chunk().ok_or("it is cut short")?;
        self.0 = rest;
        Ok(*field)
    }

    fn u32(&mut self) -> Result<u32, Unusable> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Unusable> {
        self.array().map(u64::from_le_bytes)
    }

    fn hash(&mut self) -> Result<[u8; 32], Unusable> {
        self.array()
    }
}

fn unread(e: io::Error) -> Unusable {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut short".into(),
        _ => format!("it cannot be read: {e}"),
    }
}
