//! A table in use: readers and the writer share it, and a thread of its own keeps its files, off the path of any answer.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::thread::JoinHandle;

use super::manifest::Listed;
use super::{Broken, Row, Stack, Totals, WAITING_TAILS, merge, run};

/// What has a stack.
pub(crate) trait Shelf: Send + Sync + 'static {
    type Row: Row;

    /// Name of the thread.
    const THREAD: &'static str;

    fn stack(&self) -> &Stack<Self::Row>;

    fn stack_mut(&mut self) -> &mut Stack<Self::Row>;
}

/// Completes what the log is up to the end of a tail, once that is durable; None if it never will be.
type Settle = Box<dyn Fn(Totals) -> Option<Totals> + Send + Sync>;

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

/// The table behind its locks.
pub(crate) struct Keeper<T> {
    table: RwLock<T>,
    settle: Settle,
    work: Mutex<Work>,
    changed: Condvar,
}

impl<T: Shelf> Keeper<T> {
    /// Over a table whose tails hold what is durable.
    pub fn new(table: T) -> Keeper<T> {
        Keeper::settling(table, Box::new(Some))
    }

    /// Over a table whose tails may hold what is not durable yet: each is written once `settle` answers.
    pub fn settling(table: T, settle: Settle) -> Keeper<T> {
        Keeper {
            table: RwLock::new(table),
            settle,
            work: Mutex::new(Work::default()),
            changed: Condvar::new(),
        }
    }

    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the thread that a tail waits to be written.
    pub fn wake(&self) {
        let waiting = self.read().stack().frozen.len();
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
    pub fn start(self: &Arc<Keeper<T>>) -> io::Result<JoinHandle<()>> {
        let keeper = Arc::clone(self);
        std::thread::Builder::new()
            .name(T::THREAD.into())
            .spawn(move || keeper.run())
    }

    fn run(&self) {
        // If this thread dies, the writer must not wait for it.
        struct Ended<'a, T: Shelf>(&'a Keeper<T>);
        impl<T: Shelf> Drop for Ended<'_, T> {
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
                let mut table = self.write();
                let stack = table.stack_mut();
                let (Some(dir), Some((number, frozen))) =
                    (stack.dir().map(Path::to_path_buf), stack.next_frozen())
                else {
                    return Ok(());
                };
                (dir, stack.limits, number, frozen)
            };
            let run = merge::write(&dir, number, &frozen, limits)?;
            let Some(upto) = (self.settle)(frozen.upto) else {
                return Err(Broken::new("the log ended before what its table holds"));
            };
            let manifest = {
                let mut table = self.write();
                let stack = table.stack_mut();
                let installed = stack.install(&frozen, run, upto);
                self.work().waiting = stack.frozen.len();
                installed.then(|| stack.manifest())
            };
            self.changed.notify_all();
            match manifest {
                Some(manifest) => manifest.write::<T::Row>(&dir)?,
                // A file that no manifest names is swept at the next start.
                None => continue,
            }
        }
    }

    fn merge_runs(&self) -> Result<(), Broken> {
        loop {
            let (dir, limits, number, inputs) = {
                let mut table = self.write();
                let stack = table.stack_mut();
                let (Some(dir), Some((number, inputs))) =
                    (stack.dir().map(Path::to_path_buf), stack.next_merge())
                else {
                    return Ok(());
                };
                (dir, stack.limits, number, inputs)
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
                let mut table = self.write();
                let stack = table.stack_mut();
                stack.install_merged(&inputs, run).then(|| stack.manifest())
            };
            if let Some(manifest) = manifest {
                manifest.write::<T::Row>(&dir)?;
                inputs.iter().for_each(|input| input.remove());
            }
        }
    }
}

/// Removes files of runs that are not listed: what a stop in the middle of something left.
pub(crate) fn sweep(dir: &Path, listed: &[Listed]) {
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
