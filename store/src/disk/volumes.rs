//! The volumes of a log: the last one is written, the others are closed and opened only while somebody reads them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::thread::{self, JoinHandle};

use super::layout::Layout;
use super::volume::Volume;
use crate::StoreError;
use crate::engine::Purpose;

/// Closed volumes that are kept open for the next reader: as many as threads usually verify.
const OPEN_FOR_READING: usize = 4;

pub(super) struct Volumes {
    layout: Layout,
    /// First position of every volume, ascending.
    firsts: RwLock<Vec<u64>>,
    active: RwLock<Arc<Volume>>,
    /// Closed volumes that stay open for the next reader; the one used last is at the back.
    reading: Mutex<VecDeque<Arc<Volume>>>,
    /// Volumes that somebody may still have: a database cannot be opened twice.
    used: Mutex<HashMap<u64, Weak<Volume>>>,
    /// Closes the volume that was written before, off the writer's way.
    closing: Mutex<Option<JoinHandle<()>>>,
}

impl Volumes {
    /// Opens the last volume for writing.
    pub fn open(layout: Layout, firsts: Vec<u64>) -> Result<Volumes, StoreError> {
        let last = firsts
            .last()
            .copied()
            .expect("a layout has at least one volume");
        let active = Volume::open(&layout.path(last), last, Purpose::Writing)?;
        Ok(Volumes {
            layout,
            firsts: RwLock::new(firsts),
            active: RwLock::new(Arc::new(active)),
            reading: Mutex::default(),
            used: Mutex::default(),
            closing: Mutex::new(None),
        })
    }

    pub fn active(&self) -> Arc<Volume> {
        Arc::clone(&self.active.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// First positions of the volume that a position lies in and of the one after it.
    pub fn around(&self, position: u64) -> (u64, Option<u64>) {
        let firsts = self.firsts.read().unwrap_or_else(PoisonError::into_inner);
        let later = firsts.partition_point(|first| *first <= position).max(1);
        (
            firsts.get(later - 1).copied().unwrap_or_default(),
            firsts.get(later).copied(),
        )
    }

    /// First position of the volume before the one that begins at `first`.
    pub fn before(&self, first: u64) -> Option<u64> {
        let firsts = self.firsts.read().unwrap_or_else(PoisonError::into_inner);
        let at = firsts.partition_point(|other| *other < first);
        firsts.get(at.checked_sub(1)?).copied()
    }

    /// Opens the volume that begins at a position, if it is not open.
    pub fn volume(&self, first: u64) -> Result<Arc<Volume>, StoreError> {
        let active = self.active();
        if active.first == first {
            return Ok(active);
        }
        // Held while it opens: of two readers, one opens it. The writer does not ask for it.
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = reading.iter().position(|volume| volume.first == first)
            && let Some(volume) = reading.remove(at)
        {
            reading.push_back(Arc::clone(&volume));
            return Ok(volume);
        }
        let used = self.used().get(&first).and_then(Weak::upgrade);
        let volume = match used {
            Some(volume) => volume,
            None => Arc::new(Volume::open(
                &self.layout.path(first),
                first,
                Purpose::Reading,
            )?),
        };
        self.use_from_now_on(&volume);
        reading.push_back(Arc::clone(&volume));
        let unused = (reading.len() > OPEN_FOR_READING)
            .then(|| reading.pop_front())
            .flatten();
        drop(reading);
        // Closes it, if nobody reads it.
        drop(unused);
        Ok(volume)
    }

    /// Never held while a database opens or closes.
    fn used(&self) -> MutexGuard<'_, HashMap<u64, Weak<Volume>>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn use_from_now_on(&self, volume: &Arc<Volume>) {
        let mut used = self.used();
        used.retain(|_, volume| volume.strong_count() > 0);
        used.insert(volume.first, Arc::downgrade(volume));
    }

    /// Begins a new volume at a position. The one before is closed as soon as its last reader is done.
    pub fn roll(&self, first: u64) -> Result<Arc<Volume>, StoreError> {
        self.layout.create(first)?;
        let volume = Arc::new(Volume::open(
            &self.layout.path(first),
            first,
            Purpose::Writing,
        )?);
        // Before it is no longer the active one, so that no reader opens it a second time.
        self.use_from_now_on(&self.active());
        let before = {
            let mut active = self.active.write().unwrap_or_else(PoisonError::into_inner);
            let mut firsts = self.firsts.write().unwrap_or_else(PoisonError::into_inner);
            firsts.push(first);
            std::mem::replace(&mut *active, Arc::clone(&volume))
        };
        let closing = thread::Builder::new()
            .name("indelible-close".into())
            .spawn(move || drop(before))
            .map_err(|e| StoreError::io("starting a thread to close a volume", e))?;
        let earlier = self
            .closing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(closing);
        join(earlier);
        Ok(volume)
    }

    /// Number of volumes, and the bytes they take on disk.
    pub fn size(&self) -> (u64, u64) {
        let firsts = self
            .firsts
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let bytes = firsts.iter().map(|first| self.layout.bytes(*first)).sum();
        (firsts.len() as u64, bytes)
    }
}

impl Drop for Volumes {
    fn drop(&mut self) {
        join(
            self.closing
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread {
        // A panic there is sled's at closing; what it held was synced before.
        let _ = thread.join();
    }
}
