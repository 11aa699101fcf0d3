//! The index in use: readers and the writer share it, and a thread of its own keeps its files, off the path of any answer.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::thread::JoinHandle;

use super::key::Key;
use super::manifest::Listed;
use super::{Broken, Entry, Index, WAITING_TAILS, merge, run};
use crate::StoreError;
use crate::log::Medium;

#[derive(Debug, Default)]
struct Work {
    /// Tails that wait to be written.
    waiting: usize,
    /// Something may be to do.
    asked: bool,
    busy: bool,
    /// The last attempt failed: nobody waits for what may never come.
    failing: bool,
    stop: bool,
}

/// The index behind its locks.
pub(crate) struct Keeper {
    index: RwLock<Index>,
    /// How often the index was made anew since it was opened.
    mends: AtomicU64,
    work: Mutex<Work>,
    changed: Condvar,
}

impl Keeper {
    pub fn new(index: Index) -> Keeper {
        Keeper {
            index: RwLock::new(index),
            mends: AtomicU64::new(0),
            work: Mutex::new(Work::default()),
            changed: Condvar::new(),
        }
    }

    pub fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key's last entry. Files are read without a lock.
    pub fn last<M: Medium>(&self, medium: &M, key: Key) -> Result<Option<Entry>, StoreError> {
        self.mended(medium, || {
            let runs = {
                let index = self.read();
                match index.in_memory(key) {
                    Some(entry) => return Ok(Some(entry)),
                    None => index.runs(),
                }
            };
            runs.last(key)
        })
    }

    /// At most `max` of the key's entries above a version, ascending.
    pub fn above<M: Medium>(
        &self,
        medium: &M,
        key: Key,
        version: u64,
        max: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.mended(medium, || {
            let (in_memory, runs) = self.read().above_in_memory(key, version);
            let mut found = runs.above(key, version, max)?;
            found.extend(in_memory.into_iter().take(max.saturating_sub(found.len())));
            Ok(found)
        })
    }

    /// Asks the index; if a file of it is broken, makes the index anew from the log and asks once more.
    fn mended<M: Medium, T>(
        &self,
        medium: &M,
        ask: impl Fn() -> Result<T, Broken>,
    ) -> Result<T, StoreError> {
        let seen = self.mends.load(Ordering::Acquire);
        match ask() {
            Ok(answer) => Ok(answer),
            Err(_) => {
                self.mend(medium, seen)?;
                ask().map_err(Broken::into_error)
            }
        }
    }

    /// Makes the index anew, unless somebody has since it was seen. Everybody waits meanwhile.
    fn mend<M: Medium>(&self, medium: &M, seen: u64) -> Result<(), StoreError> {
        let mut index = self.write();
        if self.mends.load(Ordering::Acquire) == seen {
            let (until, next_run) = (index.tip().head, index.next_run);
            *index = Index::rebuild(medium, index.limits, until, next_run)?;
            self.mends.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Tells the thread that a tail waits to be written.
    pub fn wake(&self) {
        let waiting = self.read().frozen.len();
        let mut work = self.work();
        work.waiting = waiting;
        work.asked = true;
        self.changed.notify_all();
    }

    /// Waits while too many tails wait, which bounds the memory. Not if writing them fails: the log does not depend on it.
    pub fn wait_for_room(&self) {
        let mut work = self.work();
        while work.waiting >= WAITING_TAILS && !work.failing && !work.stop {
            work = self
                .changed
                .wait(work)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until the thread has nothing to do. False = it still has when the time is over.
    #[cfg(test)]
    pub fn idle_within(&self, limit: std::time::Duration) -> bool {
        let (work, _) = self
            .changed
            .wait_timeout_while(self.work(), limit, |work| work.asked || work.busy)
            .unwrap_or_else(PoisonError::into_inner);
        !work.asked && !work.busy
    }

    /// Lets the thread end, also in the middle of a merge.
    pub fn stop(&self) {
        self.work().stop = true;
        self.changed.notify_all();
    }

    fn stopped(&self) -> bool {
        self.work().stop
    }

    /// Starts the thread.
    pub fn start(self: &Arc<Keeper>) -> io::Result<JoinHandle<()>> {
        let keeper = Arc::clone(self);
        std::thread::Builder::new()
            .name("indelible-index".into())
            .spawn(move || keeper.run())
    }

    fn run(&self) {
        // If this thread dies, the writer must not wait for it.
        struct Ended<'a>(&'a Keeper);
        impl Drop for Ended<'_> {
            fn drop(&mut self) {
                self.0.stop();
            }
        }
        let _ended = Ended(self);
        loop {
            {
                let mut work = self.work();
                while !work.asked && !work.stop {
                    work = self
                        .changed
                        .wait(work)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                if work.stop {
                    return;
                }
                work.asked = false;
                work.busy = true;
            }
            let done = self.write_tails().and_then(|()| self.merge_runs());
            {
                let mut work = self.work();
                work.failing = done.is_err();
                work.busy = false;
            }
            self.changed.notify_all();
        }
    }

    fn write_tails(&self) -> Result<(), Broken> {
        loop {
            let (dir, limits, number, frozen) = {
                let mut index = self.write();
                let (Some(dir), Some((number, frozen))) =
                    (index.dir().map(Path::to_path_buf), index.next_frozen())
                else {
                    return Ok(());
                };
                (dir, index.limits, number, frozen)
            };
            let run = merge::write(&dir, number, &frozen, limits)?;
            let manifest = {
                let mut index = self.write();
                let installed = index.install(&frozen, run);
                self.work().waiting = index.frozen.len();
                installed.then(|| index.manifest())
            };
            self.changed.notify_all();
            match manifest {
                Some(manifest) => manifest.write(&dir)?,
                // A file that no manifest names is swept at the next start.
                None => continue,
            }
        }
    }

    fn merge_runs(&self) -> Result<(), Broken> {
        loop {
            let (dir, limits, number, inputs) = {
                let mut index = self.write();
                let (Some(dir), Some((number, inputs))) =
                    (index.dir().map(Path::to_path_buf), index.next_merge())
                else {
                    return Ok(());
                };
                (dir, index.limits, number, inputs)
            };
            // A long merge must not keep full tails in memory.
            let mut failed = None;
            let merged = merge::merge(&dir, number, &inputs, limits, &mut || match self
                .write_tails()
            {
                Ok(()) => !self.stopped(),
                Err(e) => {
                    failed = Some(e);
                    false
                }
            })?;
            if let Some(e) = failed {
                return Err(e);
            }
            let Some(run) = merged else {
                return Ok(());
            };
            let manifest = {
                let mut index = self.write();
                index.install_merged(&inputs, run).then(|| index.manifest())
            };
            if let Some(manifest) = manifest {
                manifest.write(&dir)?;
                inputs.iter().for_each(|input| input.remove());
            }
        }
    }
}

/// Removes files of runs that are not listed: what a stop in the middle of something left.
pub(super) fn sweep(dir: &Path, listed: &[Listed]) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_run = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("run-"));
        let known = listed
            .iter()
            .any(|listed| run::path_of(dir, listed.number) == path);
        if is_run && !known {
            // It is only in the way.
            let _ = fs::remove_file(path);
        }
    }
}
