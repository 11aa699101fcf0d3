//! A run: an immutable file of sorted rows, in pages. Byte by byte in `docs/log-format.md`.
//!
//! In memory lie the first key of each page (the fences) and a filter; a look-up reads one page, or none.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::filter::{BLOCK_BYTES, Filter};
use super::key::Key;
use super::tail::{NOTE_BYTES, read_note};
use super::{Broken, Row};
use crate::data_dir::{private_file, sync_dir};

const VERSION: u32 = 2;
/// Magic, version, and the position from which the run counts its blocks.
const HEADER_BYTES: u64 = 16;
const FENCE_BYTES: u64 = 32;
/// Bytes after the fences and the filter.
const TRAILER_BYTES: u64 = 48;
/// Before each page.
const CRC_BYTES: usize = 4;
/// Largest page: a group's length is 16 bits.
pub(crate) const MAX_PAGE_BYTES: usize = 32 << 10;
/// Bytes of notes that a merge copies at a time.
const COPY_BYTES: u64 = 1 << 20;

/// Where a page begins, in the order of entries and in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fence {
    key: Key,
    order: u64,
    offset: u64,
}

pub(crate) struct Run<R> {
    pub number: u64,
    pub level: u8,
    file: File,
    path: PathBuf,
    /// Blocks are counted from here.
    pub base: u64,
    fences: Vec<Fence>,
    /// Where the last page ends.
    pages_end: u64,
    filter: Filter,
    pub keys: u64,
    _rows: std::marker::PhantomData<fn() -> R>,
}

/// The file of a run.
pub(crate) fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("run-{number:016x}"))
}

impl<R: Row> Run<R> {
    /// Opens a run and checks all but its pages, which are checked when they are read.
    pub fn open(dir: &Path, number: u64, level: u8) -> Result<Run<R>, Broken> {
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
        let (pages_end, fence_count, blocks) = (next(), next(), next());
        let (keys, _entries) = (next(), next());
        let (crc, magic) = (take(&mut rest).map(u32::from_le_bytes), rest);
        let index_bytes = fence_count
            .checked_mul(FENCE_BYTES)
            .and_then(|fences| fences.checked_add(blocks.checked_mul(BLOCK_BYTES as u64)?))
            .filter(|bytes| pages_end.checked_add(*bytes) == Some(at));
        let (Some(index_bytes), true) = (index_bytes, magic == R::RUN && blocks > 0) else {
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
        if take(&mut rest) != Some(R::RUN)
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
                order: take(&mut rest).map(u64::from_le_bytes).unwrap_or_default(),
                offset: take(&mut rest).map(u64::from_le_bytes).unwrap_or_default(),
            });
        }
        Ok(Run {
            number,
            level,
            file,
            path,
            base,
            fences,
            pages_end,
            filter: Filter::read(rest),
            keys,
            _rows: std::marker::PhantomData,
        })
    }

    /// Adds those keys that may be in here, each with its number.
    pub fn candidates(&self, keys: &[(usize, Key)], maybe: &mut Vec<(usize, Key)>) {
        self.filter.candidates(keys, maybe);
    }

    /// The key's last row.
    pub fn last(&self, key: Key) -> Result<Option<R>, Broken> {
        match self.filter.may_hold(key) {
            true => self.look_up(key),
            false => Ok(None),
        }
    }

    /// The key's last row, whatever the filter says.
    pub fn look_up(&self, key: Key) -> Result<Option<R>, Broken> {
        // The page after this one begins above the key.
        let after = self.fences.partition_point(|fence| fence.key <= key);
        let Some(page) = after.checked_sub(1) else {
            return Ok(None);
        };
        let mut last = None;
        self.page(page)?.of(key, &mut |row| last = Some(row))?;
        Ok(last)
    }

    /// Adds the key's rows above an order, ascending, until there are `max` in the list.
    pub fn above(
        &self,
        key: Key,
        order: u64,
        max: usize,
        found: &mut Vec<R>,
    ) -> Result<(), Broken> {
        if !self.filter.may_hold(key) {
            return Ok(());
        }
        let after = self
            .fences
            .partition_point(|fence| (fence.key, fence.order) <= (key, order));
        let mut page = after.saturating_sub(1);
        while found.len() < max && self.fences.get(page).is_some_and(|f| f.key <= key) {
            self.page(page)?.of(key, &mut |row: R| {
                if row.order() > order && found.len() < max {
                    found.push(row);
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

    /// All rows in order, one page in memory.
    pub fn cursor(self: &Arc<Run<R>>) -> Cursor<R> {
        Cursor {
            run: Arc::clone(self),
            next_page: 0,
            rows: Vec::new(),
            next_row: 0,
        }
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Bytes of memory that filter and fences take.
    pub fn memory(&self) -> usize {
        self.filter.len() * BLOCK_BYTES + self.fences.len() * size_of::<Fence>()
    }

    /// Bytes of the notes, which lie before the first page.
    pub fn notes_bytes(&self) -> u64 {
        let first = self.fences.first().map_or(self.pages_end, |f| f.offset);
        first.saturating_sub(HEADER_BYTES)
    }

    /// The note that begins there.
    pub fn noted(&self, at: u64) -> Result<Vec<u8>, Broken> {
        let left = self.notes_bytes().saturating_sub(at);
        // Nearly all notes are names, and short.
        for most in [256, NOTE_BYTES as u64] {
            let mut bytes = vec![0; left.min(most) as usize];
            read_at(&self.file, &mut bytes, HEADER_BYTES.saturating_add(at))?;
            if let Some(note) = read_note(Some(&bytes)) {
                return Ok(note.to_vec());
            }
        }
        Err(Broken::new("a note of a run cannot be read"))
    }

    /// Adds the notes to those of a run that is being written.
    pub fn copy_notes(&self, out: &mut RunWriter<R>) -> Result<(), Broken> {
        let (mut at, end) = (HEADER_BYTES, HEADER_BYTES + self.notes_bytes());
        let mut bytes = Vec::new();
        while at < end {
            bytes.resize((end - at).min(COPY_BYTES) as usize, 0);
            read_at(&self.file, &mut bytes, at)?;
            out.note(&bytes)?;
            at += bytes.len() as u64;
        }
        Ok(())
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

    fn of<R: Row>(&self, key: Key, each: &mut impl FnMut(R)) -> Result<(), Broken> {
        let mut groups = self.groups();
        while let Some((found, entries)) = groups.next()? {
            if found == key {
                return read_rows(entries, self.base, each);
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

fn read_rows<R: Row>(mut rest: &[u8], base: u64, each: &mut impl FnMut(R)) -> Result<(), Broken> {
    let mut before = None;
    while !rest.is_empty() {
        let row = R::read(&mut rest, before.as_ref(), base);
        let row = row.ok_or_else(|| Broken::new("a row of a run cannot be read"))?;
        each(row);
        before = Some(row);
    }
    Ok(())
}

/// Walks a run.
pub(crate) struct Cursor<R> {
    run: Arc<Run<R>>,
    next_page: usize,
    rows: Vec<(Key, R)>,
    next_row: usize,
}

impl<R: Row> Cursor<R> {
    pub fn next(&mut self) -> Result<Option<(Key, R)>, Broken> {
        loop {
            if let Some(row) = self.rows.get(self.next_row) {
                self.next_row += 1;
                return Ok(Some(*row));
            }
            if self.next_page >= self.run.fences.len() {
                return Ok(None);
            }
            let page = self.run.page(self.next_page)?;
            self.next_page += 1;
            self.next_row = 0;
            self.rows.clear();
            let mut groups = page.groups();
            while let Some((key, group)) = groups.next()? {
                read_rows(group, page.base, &mut |row| self.rows.push((key, row)))?;
            }
        }
    }
}

/// Writes a run. Its file gets its name when it is whole and synced.
pub(crate) struct RunWriter<R> {
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
    filter: Filter,
    /// Key and last row of the open group, and where its length lies in the page.
    group: Option<(Key, R, usize)>,
    last_key: Option<Key>,
    keys: u64,
    entries: u64,
}

impl<R: Row> RunWriter<R> {
    /// Begins a run of at most `keys` keys whose blocks begin at `base` or after.
    pub fn begin(
        dir: &Path,
        (number, level): (u64, u8),
        base: u64,
        keys: u64,
        page_bytes: usize,
    ) -> io::Result<RunWriter<R>> {
        fs::create_dir_all(dir)?;
        let before_rename = dir.join(format!("run-{number:016x}.tmp"));
        let file = private_file(
            fs::OpenOptions::new().create(true).truncate(true),
            &before_rename,
        )?;
        let mut out = BufWriter::with_capacity(1 << 18, file);
        out.write_all(&header::<R>(base))?;
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
            filter: Filter::sized(keys, R::FILTER_BITS),
            group: None,
            last_key: None,
            keys: 0,
            entries: 0,
        })
    }

    /// Takes bytes of notes. They lie before the first page, so they come before the first row.
    pub fn note(&mut self, notes: &[u8]) -> io::Result<()> {
        debug_assert!(self.fences.is_empty(), "notes after rows");
        self.offset += notes.len() as u64;
        self.out.write_all(notes)
    }

    /// Takes the next row; rows come by key, then in the order of the log.
    pub fn put(&mut self, key: Key, row: R) -> io::Result<()> {
        if self.page.len() >= self.page_bytes {
            self.end_page()?;
        }
        let (before, begins) = match self.group {
            Some((open, before, begins)) if open == key => (Some(before), begins),
            _ => {
                self.end_group();
                if self.page.is_empty() {
                    self.fences.push(Fence {
                        key,
                        order: row.order(),
                        offset: self.offset,
                    });
                }
                self.page.extend_from_slice(&key.to_bytes());
                self.page.extend_from_slice(&[0; 2]);
                (None, self.page.len() - 2)
            }
        };
        row.write(before.as_ref(), self.base, &mut self.page);
        self.group = Some((key, row, begins));
        if self.last_key != Some(key) {
            self.last_key = Some(key);
            self.keys += 1;
            self.filter.put(key);
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
    pub fn finish(mut self) -> Result<Run<R>, Broken> {
        self.end_page()?;
        let mut index = Vec::new();
        for fence in &self.fences {
            index.extend_from_slice(&fence.key.to_bytes());
            index.extend_from_slice(&fence.order.to_le_bytes());
            index.extend_from_slice(&fence.offset.to_le_bytes());
        }
        for word in self.filter.bytes() {
            index.extend_from_slice(&word);
        }
        let mut trailer = [0; TRAILER_BYTES as usize];
        let counts = [
            self.offset,
            self.fences.len() as u64,
            self.filter.len() as u64,
            self.keys,
            self.entries,
        ];
        let (numbers, rest) = trailer.split_at_mut(8 * counts.len());
        for (field, count) in numbers.chunks_exact_mut(8).zip(counts) {
            field.copy_from_slice(&count.to_le_bytes());
        }
        let (crc, magic) = rest.split_at_mut(4);
        magic.copy_from_slice(&R::RUN);
        crc.copy_from_slice(&[0; 4]);
        let crc = crc_of(&header::<R>(self.base), &index, &trailer);
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

fn header<R: Row>(base: u64) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    let (magic, rest) = header.split_at_mut(4);
    let (version, from) = rest.split_at_mut(4);
    magic.copy_from_slice(&R::RUN);
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

pub(crate) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn varint(rest: &mut &[u8]) -> Option<u64> {
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
