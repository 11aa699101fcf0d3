//! A run: an immutable file of sorted entries, in pages. Byte by byte in `docs/log-format.md`.
//!
//! In memory lie the first key of each page (the fences) and a Bloom filter; a look-up reads one page, or none.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bloom::Bloom;
use super::key::Key;
use super::{Broken, Entry};
use crate::data_dir::{private_file, sync_dir};

const MAGIC: [u8; 4] = *b"INDR";
const VERSION: u32 = 1;
/// Magic, version, and the position from which the run counts its blocks.
const HEADER_BYTES: u64 = 16;
const FENCE_BYTES: u64 = 32;
/// Bytes after the fences and the filter.
const TRAILER_BYTES: u64 = 48;
/// Before each page.
const CRC_BYTES: usize = 4;
/// Largest page: a group's length is 16 bits.
pub(crate) const MAX_PAGE_BYTES: usize = 32 << 10;

/// Where a page begins, in the order of entries and in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fence {
    key: Key,
    version: u64,
    offset: u64,
}

pub(crate) struct Run {
    pub number: u64,
    pub level: u8,
    file: File,
    path: PathBuf,
    /// Blocks are counted from here.
    pub base: u64,
    fences: Vec<Fence>,
    /// Where the last page ends.
    pages_end: u64,
    bloom: Bloom,
    pub keys: u64,
}

/// The file of a run.
pub(crate) fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("run-{number:016x}"))
}

impl Run {
    /// Opens a run and checks all but its pages, which are checked when they are read.
    pub fn open(dir: &Path, number: u64, level: u8) -> Result<Run, Broken> {
        let path = path_of(dir, number);
        let file = File::open(&path)?;
        let length = file.metadata()?.len();
        let at = length
            .checked_sub(TRAILER_BYTES)
            .ok_or_else(|| Broken::new("a run is shorter than its end"))?;
        let mut trailer = [0; TRAILER_BYTES as usize];
        read_at(&file, &mut trailer, at)?;
        let mut rest = trailer.as_slice();
        let mut next = || take(&mut rest).map(u64::from_le_bytes).unwrap_or_default();
        let (pages_end, fence_count, words) = (next(), next(), next());
        let (keys, _entries) = (next(), next());
        let (crc, magic) = (take(&mut rest).map(u32::from_le_bytes), rest);
        let index_bytes = fence_count
            .checked_mul(FENCE_BYTES)
            .and_then(|fences| fences.checked_add(words.checked_mul(8)?))
            .filter(|bytes| pages_end.checked_add(*bytes) == Some(at));
        let (Some(index_bytes), true) = (index_bytes, magic == MAGIC && words > 0) else {
            return Err(Broken::new("the end of a run is not a run's"));
        };
        // The length was found to be that of the file, so this is no larger than what is there.
        let mut index = vec![0; usize::try_from(index_bytes).map_err(io::Error::other)?];
        read_at(&file, &mut index, pages_end)?;
        let mut header = [0; HEADER_BYTES as usize];
        read_at(&file, &mut header, 0)?;
        if crc != Some(crc_of(&header, &index, &trailer)) {
            return Err(Broken::new("CRC of a run's fences does not match"));
        }
        let mut rest = header.as_slice();
        if take(&mut rest) != Some(MAGIC)
            || take(&mut rest).map(u32::from_le_bytes) != Some(VERSION)
        {
            return Err(Broken::new("the beginning of a run is not a run's"));
        }
        let base = take(&mut rest).map(u64::from_le_bytes).unwrap_or_default();
        let mut rest = index.as_slice();
        let mut fences = Vec::new();
        for _ in 0..fence_count {
            fences.push(Fence {
                key: Key::from_bytes(take(&mut rest).unwrap_or_default()),
                version: take(&mut rest).map(u64::from_le_bytes).unwrap_or_default(),
                offset: take(&mut rest).map(u64::from_le_bytes).unwrap_or_default(),
            });
        }
        let mut words = Vec::new();
        while let Some(word) = take(&mut rest) {
            words.push(u64::from_le_bytes(word));
        }
        Ok(Run {
            number,
            level,
            file,
            path,
            base,
            fences,
            pages_end,
            bloom: Bloom::from_words(words),
            keys,
        })
    }

    /// The key's last entry.
    pub fn last(&self, key: Key) -> Result<Option<Entry>, Broken> {
        if !self.bloom.may_hold(key) {
            return Ok(None);
        }
        // The page after this one begins above the key.
        let after = self.fences.partition_point(|fence| fence.key <= key);
        let Some(page) = after.checked_sub(1) else {
            return Ok(None);
        };
        let mut last = None;
        self.page(page)?.of(key, &mut |entry| last = Some(entry))?;
        Ok(last)
    }

    /// Adds the key's entries above a version, ascending, until there are `max` in the list.
    pub fn above(
        &self,
        key: Key,
        version: u64,
        max: usize,
        found: &mut Vec<Entry>,
    ) -> Result<(), Broken> {
        if !self.bloom.may_hold(key) {
            return Ok(());
        }
        let after = self
            .fences
            .partition_point(|fence| (fence.key, fence.version) <= (key, version));
        let mut page = after.saturating_sub(1);
        while found.len() < max && self.fences.get(page).is_some_and(|f| f.key <= key) {
            self.page(page)?.of(key, &mut |entry| {
                if entry.version > version && found.len() < max {
                    found.push(entry);
                }
            })?;
            page += 1;
        }
        Ok(())
    }

    fn page(&self, number: usize) -> Result<Page, Broken> {
        let from = self.fences.get(number).map_or(0, |fence| fence.offset);
        let to = match self.fences.get(number + 1) {
            Some(next) => next.offset,
            None => self.pages_end,
        };
        let length = to
            .checked_sub(from)
            .and_then(|length| usize::try_from(length).ok())
            .filter(|length| (CRC_BYTES..=CRC_BYTES + 2 * MAX_PAGE_BYTES).contains(length))
            .ok_or_else(|| Broken::new("the fences of a run are not in order"))?;
        let mut bytes = vec![0; length];
        read_at(&self.file, &mut bytes, from)?;
        let good = match bytes.split_first_chunk() {
            Some((crc, page)) => crc32fast::hash(page) == u32::from_le_bytes(*crc),
            None => false,
        };
        if !good {
            return Err(Broken::new("CRC of a page of a run does not match"));
        }
        Ok(Page {
            bytes,
            base: self.base,
        })
    }

    /// All entries in order, one page in memory.
    pub fn cursor(self: &Arc<Run>) -> Cursor {
        Cursor {
            run: Arc::clone(self),
            next_page: 0,
            entries: Vec::new().into_iter(),
        }
    }

    /// Removes the file; readers that have it open go on.
    pub fn remove(&self) {
        // A file that stays is removed when the index is opened the next time.
        let _ = fs::remove_file(&self.path);
    }
}

struct Page {
    /// CRC, then groups: a key, the bytes of its entries, the entries.
    bytes: Vec<u8>,
    base: u64,
}

impl Page {
    fn groups(&self) -> Groups<'_> {
        Groups {
            rest: self.bytes.get(CRC_BYTES..).unwrap_or_default(),
        }
    }

    fn of(&self, key: Key, each: &mut dyn FnMut(Entry)) -> Result<(), Broken> {
        let mut groups = self.groups();
        while let Some((found, entries)) = groups.next()? {
            if found == key {
                return read_entries(entries, self.base, each);
            }
        }
        Ok(())
    }
}

struct Groups<'a> {
    rest: &'a [u8],
}

impl<'a> Groups<'a> {
    fn next(&mut self) -> Result<Option<(Key, &'a [u8])>, Broken> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut read = || {
            let key = Key::from_bytes(take(&mut self.rest)?);
            let length = u16::from_le_bytes(take(&mut self.rest)?);
            let (entries, rest) = self.rest.split_at_checked(usize::from(length))?;
            self.rest = rest;
            Some((key, entries))
        };
        read()
            .map(Some)
            .ok_or_else(|| Broken::new("a page of a run ends within a group"))
    }
}

fn read_entries(mut rest: &[u8], base: u64, each: &mut dyn FnMut(Entry)) -> Result<(), Broken> {
    let mut before = Entry {
        version: 0,
        block: base,
    };
    while !rest.is_empty() {
        let mut read = || {
            Some(Entry {
                version: before.version.checked_add(varint(&mut rest)?)?,
                block: before.block.checked_add(varint(&mut rest)?)?,
            })
        };
        before = read().ok_or_else(|| Broken::new("an entry of a run cannot be read"))?;
        each(before);
    }
    Ok(())
}

/// Walks a run.
pub(crate) struct Cursor {
    run: Arc<Run>,
    next_page: usize,
    entries: std::vec::IntoIter<(Key, Entry)>,
}

impl Cursor {
    pub fn next(&mut self) -> Result<Option<(Key, Entry)>, Broken> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Ok(Some(entry));
            }
            if self.next_page >= self.run.fences.len() {
                return Ok(None);
            }
            let page = self.run.page(self.next_page)?;
            self.next_page += 1;
            let mut entries = Vec::new();
            let mut groups = page.groups();
            while let Some((key, group)) = groups.next()? {
                read_entries(group, page.base, &mut |entry| entries.push((key, entry)))?;
            }
            self.entries = entries.into_iter();
        }
    }
}

/// Writes a run. Its file gets its name when it is whole and synced.
pub(crate) struct RunWriter {
    dir: PathBuf,
    number: u64,
    level: u8,
    before_rename: PathBuf,
    out: BufWriter<File>,
    offset: u64,
    base: u64,
    page_bytes: usize,
    page: Vec<u8>,
    fences: Vec<Fence>,
    bloom: Bloom,
    /// Key and last entry of the open group, and where its length lies in the page.
    group: Option<(Key, Entry, usize)>,
    last_key: Option<Key>,
    keys: u64,
    entries: u64,
}

impl RunWriter {
    /// Begins a run of at most `keys` keys whose blocks begin at `base` or after.
    pub fn begin(
        dir: &Path,
        (number, level): (u64, u8),
        base: u64,
        keys: u64,
        page_bytes: usize,
    ) -> io::Result<RunWriter> {
        fs::create_dir_all(dir)?;
        let before_rename = dir.join(format!("run-{number:016x}.tmp"));
        let file = private_file(
            fs::OpenOptions::new().create(true).truncate(true),
            &before_rename,
        )?;
        let mut out = BufWriter::with_capacity(1 << 18, file);
        out.write_all(&header(base))?;
        Ok(RunWriter {
            dir: dir.to_path_buf(),
            number,
            level,
            before_rename,
            out,
            offset: HEADER_BYTES,
            base,
            page_bytes: page_bytes.min(MAX_PAGE_BYTES),
            page: Vec::new(),
            fences: Vec::new(),
            bloom: Bloom::sized(keys),
            group: None,
            last_key: None,
            keys: 0,
            entries: 0,
        })
    }

    /// Takes the next entry; entries come by key, then in the order of the log.
    pub fn put(&mut self, key: Key, entry: Entry) -> io::Result<()> {
        if self.page.len() >= self.page_bytes {
            self.end_page()?;
        }
        let before = match self.group {
            Some((open, before, _)) if open == key => before,
            _ => {
                self.end_group();
                if self.page.is_empty() {
                    self.fences.push(Fence {
                        key,
                        version: entry.version,
                        offset: self.offset,
                    });
                }
                self.page.extend_from_slice(&key.to_bytes());
                self.page.extend_from_slice(&[0; 2]);
                Entry {
                    version: 0,
                    block: self.base,
                }
            }
        };
        let begins = match self.group {
            Some((open, _, begins)) if open == key => begins,
            _ => self.page.len() - 2,
        };
        put_varint(&mut self.page, entry.version.saturating_sub(before.version));
        put_varint(&mut self.page, entry.block.saturating_sub(before.block));
        self.group = Some((key, entry, begins));
        if self.last_key != Some(key) {
            self.last_key = Some(key);
            self.keys += 1;
            self.bloom.put(key);
        }
        self.entries += 1;
        Ok(())
    }

    fn end_group(&mut self) {
        if let Some((_, _, begins)) = self.group.take() {
            // A page is ended soon after MAX_PAGE_BYTES, so its groups are shorter than 64 KiB.
            let length = u16::try_from(self.page.len() - begins - 2).unwrap_or(u16::MAX);
            if let Some(field) = self.page.get_mut(begins..begins + 2) {
                field.copy_from_slice(&length.to_le_bytes());
            }
        }
    }

    fn end_page(&mut self) -> io::Result<()> {
        self.end_group();
        if !self.page.is_empty() {
            self.out
                .write_all(&crc32fast::hash(&self.page).to_le_bytes())?;
            self.out.write_all(&self.page)?;
            self.offset += (CRC_BYTES + self.page.len()) as u64;
            self.page.clear();
        }
        Ok(())
    }

    /// Makes the run durable and opens it.
    pub fn finish(mut self) -> Result<Run, Broken> {
        self.end_page()?;
        let mut index = Vec::new();
        for fence in &self.fences {
            index.extend_from_slice(&fence.key.to_bytes());
            index.extend_from_slice(&fence.version.to_le_bytes());
            index.extend_from_slice(&fence.offset.to_le_bytes());
        }
        for word in self.bloom.words() {
            index.extend_from_slice(&word.to_le_bytes());
        }
        let mut trailer = [0; TRAILER_BYTES as usize];
        let counts = [
            self.offset,
            self.fences.len() as u64,
            self.bloom.words().len() as u64,
            self.keys,
            self.entries,
        ];
        let (numbers, rest) = trailer.split_at_mut(8 * counts.len());
        for (field, count) in numbers.chunks_exact_mut(8).zip(counts) {
            field.copy_from_slice(&count.to_le_bytes());
        }
        let (crc, magic) = rest.split_at_mut(4);
        magic.copy_from_slice(&MAGIC);
        crc.copy_from_slice(&[0; 4]);
        let crc = crc_of(&header(self.base), &index, &trailer);
        if let Some(field) = trailer.get_mut(8 * counts.len()..8 * counts.len() + 4) {
            field.copy_from_slice(&crc.to_le_bytes());
        }
        self.out.write_all(&index)?;
        self.out.write_all(&trailer)?;
        let file = self.out.into_inner().map_err(io::Error::other)?;
        file.sync_all()?;
        fs::rename(&self.before_rename, path_of(&self.dir, self.number))?;
        sync_dir(&self.dir)?;
        Run::open(&self.dir, self.number, self.level)
    }
}

fn header(base: u64) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    let (magic, rest) = header.split_at_mut(4);
    let (version, from) = rest.split_at_mut(4);
    magic.copy_from_slice(&MAGIC);
    version.copy_from_slice(&VERSION.to_le_bytes());
    from.copy_from_slice(&base.to_le_bytes());
    header
}

/// Of header, fences, filter, and the trailer's five numbers.
fn crc_of(header: &[u8], index: &[u8], trailer: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(header);
    crc.update(index);
    crc.update(trailer.get(..40).unwrap_or_default());
    crc.finalize()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let [byte] = take(rest)?;
        let bits = u64::from(byte & 0x7F);
        value |= bits.checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(not(unix))]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    // One reader at a time: a handle has one place, and so have its copies.
    static PLACE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _held = PLACE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut file = file;
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}
