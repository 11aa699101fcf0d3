//! Opening from a snapshot, and taking the next one while the ledger works.
//!
//! The state is copied under the read lock, which copies ids and counts references but no state; everything else, waiting
//! for the disk, encoding, writing, happens beside the ledger on a thread of its own. A snapshot that cannot be taken
//! is reported and changes nothing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{LOOK_AGAIN, Ledger, Live};
use crate::disk::{RESERVE_BYTES, SpaceProbe, free_bytes};
use crate::event_store::MAX_PAYLOAD_BYTES;
use crate::seen::KeysLimits;
use crate::snapshots::{Moment, Shelf};
use crate::{EventStore, StoreError};

/// How often a snapshot looks whether its state is durable before it gives up: 30 s.
const DURABLE_TRIES: u32 = 300;
/// At a clean end a snapshot is taken after this part of what is worth one while running.
const AT_END: u64 = 4;

/// When a snapshot is worth taking.
///
/// When many events or many bytes came since the last one, and not before the log grew by as much as that one was large:
/// so snapshots never write more than the log does, and folding what follows one never takes much longer than reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Events since the last snapshot.
    pub events: u64,
    /// Bytes of the log since the last snapshot.
    pub bytes: u64,
    /// Bytes the log grows by for each byte of the last snapshot, at least.
    pub growth: u64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            events: 250_000,
            bytes: 64 << 20,
            growth: 1,
        }
    }
}

impl Pace {
    /// Whether so much since a snapshot of `size` bytes is worth the next one.
    fn due(&self, events: u64, bytes: u64, size: u64) -> bool {
        let many = events >= self.events || bytes >= self.bytes;
        many && events > 0 && bytes >= size.saturating_mul(self.growth)
    }
}

/// Where a ledger keeps its snapshots, how often it takes one, and who hears of it.
pub struct Snapshots {
    pub dir: PathBuf,
    pub pace: Pace,
    /// Tells how much room there is: a snapshot must never take what the log needs.
    pub free_space: SpaceProbe,
    /// Called when the ledger opens, and by the thread that takes snapshots. It must not hold the ledger.
    pub told: Box<dyn Fn(SnapshotNews) + Send + Sync>,
}

impl Snapshots {
    /// Snapshots in a folder, at the default pace.
    pub fn within(
        dir: impl Into<PathBuf>,
        told: impl Fn(SnapshotNews) + Send + Sync + 'static,
    ) -> Snapshots {
        Snapshots {
            dir: dir.into(),
            pace: Pace::default(),
            free_space: Box::new(free_bytes),
            told: Box::new(told),
        }
    }
}

/// What happened to a snapshot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SnapshotNews {
    /// A snapshot was of no use; an older one or the log itself takes its place.
    Ignored { file: PathBuf, why: String },
    /// The ledger begins with a snapshot.
    Loaded {
        position: u64,
        aggregates: u64,
        /// Size of the file.
        bytes: u64,
        took: Duration,
    },
    /// The log was folded from there on.
    Folded { events: u64, took: Duration },
    /// A snapshot was taken. Commands waited for as long as `paused`.
    Taken {
        position: u64,
        bytes: u64,
        paused: Duration,
        took: Duration,
    },
    /// A snapshot could not be taken; the ledger goes on.
    Failed { why: String },
}

impl fmt::Display for SnapshotNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotNews::Ignored { file, why } => {
                write!(f, "snapshot {} is ignored: {why}", file.display())
            }
            SnapshotNews::Loaded {
                position,
                aggregates,
                bytes,
                took,
            } => write!(
                f,
                "began with the snapshot of position {position}: {aggregates} aggregates, {bytes} bytes, read in {took:.1?}"
            ),
            SnapshotNews::Folded { events, took } => {
                write!(f, "folded {events} events of the log in {took:.1?}")
            }
            SnapshotNews::Taken {
                position,
                bytes,
                paused,
                took,
            } => write!(
                f,
                "took a snapshot at position {position}: {bytes} bytes in {took:.1?}, commands waited {paused:.1?}"
            ),
            SnapshotNews::Failed { why } => write!(f, "a snapshot could not be taken: {why}"),
        }
    }
}

impl Ledger {
    /// Begins with the newest snapshot that is of this log and of this program's state, and replays what follows it; takes
    /// further ones in the background, and a last one when it is dropped, if worth it. The state is the same as that of
    /// [`open`](Ledger::open).
    ///
    /// Errors: CORRUPT when an event that has to be read cannot be read, IO. A snapshot causes none.
    pub fn open_with_snapshots(
        store: Arc<dyn EventStore>,
        snapshots: Snapshots,
    ) -> Result<Ledger, StoreError> {
        let Snapshots {
            dir,
            pace,
            free_space,
            told,
        } = snapshots;
        let shelf = Shelf::new(&dir);
        shelf.remove_unfinished();
        let begun = Instant::now();
        let mut ignored = |file: &Path, why: &str| {
            told(SnapshotNews::Ignored {
                file: file.into(),
                why: why.into(),
            });
        };
        let loaded = shelf.newest(store.as_ref(), &mut ignored);
        let (mut live, mut last) = (Live::default(), Last::default());
        if let Some(loaded) = loaded {
            let position = loaded.moment.position;
            told(SnapshotNews::Loaded {
                position,
                aggregates: loaded.aggregates,
                bytes: loaded.bytes,
                took: begun.elapsed(),
            });
            last = Last {
                position,
                log_bytes: loaded.moment.log_bytes,
                size: loaded.bytes,
            };
            (live.world, live.position) = (loaded.world, position);
        }
        let begun = Instant::now();
        let mut ledger = Ledger::catch_up(store, live, KeysLimits::default())?;
        told(SnapshotNews::Folded {
            events: ledger.reading().position - last.position,
            took: begun.elapsed(),
        });
        let work = Work {
            store: Arc::clone(&ledger.store),
            live: Arc::clone(&ledger.live),
            stopped: Arc::clone(&ledger.stopped),
            dir,
            shelf,
            pace,
            free_space,
            told,
            last,
        };
        ledger._keeper = Some(Keeper::start(work)?);
        Ok(ledger)
    }
}

/// The last snapshot: none, or one that exists.
#[derive(Clone, Copy, Default)]
struct Last {
    position: u64,
    log_bytes: u64,
    size: u64,
}

/// The thread that takes snapshots. Dropping it takes a last one, if worth it, and waits for it.
pub(super) struct Keeper {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

/// Wakes the thread.
#[derive(Default)]
struct Bell {
    state: Mutex<Awaited>,
    rung: Condvar,
}

#[derive(Default)]
struct Awaited {
    /// Durable head.
    head: u64,
    /// Below this head there is nothing to do.
    from: u64,
    ended: bool,
    /// The process is coming down by a panic: the state may not be taken for good.
    panicking: bool,
}

impl Bell {
    fn state(&self) -> MutexGuard<'_, Awaited> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the head is at least `from` or the ledger ends; true when it ends.
    fn wait(&self, from: u64) -> bool {
        let mut state = self.state();
        state.from = from;
        while state.head < from && !state.ended {
            state = self
                .rung
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.ended
    }
}

impl Keeper {
    fn start(work: Work) -> Result<Keeper, StoreError> {
        let bell = Arc::new(Bell::default());
        let listener = Arc::clone(&bell);
        work.store.on_commit(Box::new(move |head| {
            let mut state = listener.state();
            state.head = head;
            if head >= state.from {
                listener.rung.notify_one();
            }
        }));
        bell.state().head = work.store.head();
        let rung = Arc::clone(&bell);
        let thread = std::thread::Builder::new()
            .name("snapshots".into())
            .spawn(move || work.run(&rung))
            .map_err(|e| StoreError::io("starting the thread that takes snapshots", e))?;
        Ok(Keeper {
            bell,
            thread: Some(thread),
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        {
            let mut state = self.bell.state();
            state.ended = true;
            state.panicking = std::thread::panicking();
        }
        self.bell.rung.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic in there has cost a snapshot, nothing else.
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Work {
    store: Arc<dyn EventStore>,
    live: Arc<RwLock<Live>>,
    stopped: Arc<OnceLock<String>>,
    dir: PathBuf,
    shelf: Shelf,
    pace: Pace,
    free_space: SpaceProbe,
    told: Box<dyn Fn(SnapshotNews) + Send + Sync>,
    last: Last,
}

impl Work {
    fn run(mut self, bell: &Bell) {
        loop {
            while self.due(1) {
                self.take();
            }
            if bell.wait(self.look_from()) {
                break;
            }
        }
        if !bell.state().panicking && self.due(AT_END) {
            self.take();
        }
    }

    /// Whether the next snapshot is worth it when what came counts so many times. A stopped ledger takes none: its state is
    /// ahead of the log.
    fn due(&self, times: u64) -> bool {
        let (events, bytes) = self.since();
        let (events, bytes) = (events.saturating_mul(times), bytes.saturating_mul(times));
        self.stopped.get().is_none() && self.pace.due(events, bytes, self.last.size)
    }

    /// Events and bytes of the log since the last snapshot.
    fn since(&self) -> (u64, u64) {
        let stats = self.store.stats();
        (
            stats.events.saturating_sub(self.last.position),
            stats.bytes.saturating_sub(self.last.log_bytes),
        )
    }

    /// The head before which no snapshot can be due, so that not every commit wakes the thread: an event of the log brings
    /// at most one full commit of bytes.
    fn look_from(&self) -> u64 {
        let (events, bytes) = self.since();
        let commit = MAX_PAYLOAD_BYTES as u64;
        let by_events = self.pace.events.saturating_sub(events);
        let by_bytes = self.pace.bytes.saturating_sub(bytes) / commit;
        let grown = self.last.size.saturating_mul(self.pace.growth);
        let by_growth = grown.saturating_sub(bytes) / commit;
        let more = by_events.min(by_bytes).max(by_growth).max(1);
        // Counted from the same look at the log: what came meanwhile must not put it off.
        (self.last.position + events).saturating_add(more)
    }

    fn take(&mut self) {
        match self.try_take() {
            Ok(news) => (self.told)(news),
            Err(why) => {
                // Not again before as much has come as for any other snapshot.
                let stats = self.store.stats();
                self.last.position = stats.events;
                self.last.log_bytes = stats.bytes;
                (self.told)(SnapshotNews::Failed { why });
            }
        }
    }

    fn try_take(&mut self) -> Result<SnapshotNews, String> {
        self.room()?;
        let begun = Instant::now();
        let (world, position) = {
            let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
            (live.world.clone(), live.position)
        };
        let paused = begun.elapsed();
        if position == 0 {
            return Err("the log is empty".into());
        }
        self.durable(position)?;
        let failed = |e: StoreError| e.to_string();
        let hash = self.store.hash_at(position).map_err(failed)?;
        let hash = hash.ok_or_else(|| format!("no commit ends at position {position}"))?;
        let event = self.store.read(position - 1, 1).map_err(failed)?;
        let moment = Moment {
            position,
            hash,
            recorded_at: event.first().map_or(0, |event| event.recorded_at),
            log_bytes: self.store.stats().bytes,
        };
        let bytes = self
            .shelf
            .put(&moment, &world)
            .map_err(|e| format!("writing it failed: {e}"))?;
        self.last = Last {
            position,
            log_bytes: moment.log_bytes,
            size: bytes,
        };
        Ok(SnapshotNews::Taken {
            position,
            bytes,
            paused,
            took: begun.elapsed(),
        })
    }

    /// Refuses to write where the log could be left without its reserve. A state grows by less than its log.
    fn room(&self) -> Result<(), String> {
        let needed = RESERVE_BYTES
            .saturating_add(self.last.size)
            .saturating_add(self.since().1);
        // The folder is made with the first snapshot.
        let place = match self.dir.parent() {
            Some(parent) if !self.dir.exists() => parent,
            _ => &self.dir,
        };
        let free = (self.free_space)(place).map_err(|e| format!("asking for room failed: {e}"))?;
        match free < needed {
            true => Err(format!(
                "{free} bytes are free on the disk, it may need {needed}"
            )),
            false => Ok(()),
        }
    }

    /// Waits until the copied state is durable: it may hold commits that still wait for the disk.
    fn durable(&self, position: u64) -> Result<(), String> {
        for _ in 0..DURABLE_TRIES {
            if self.store.wait_past(position - 1, LOOK_AGAIN) >= position {
                return Ok(());
            }
            if let Some(why) = self.stopped.get() {
                return Err(format!("the ledger stopped: {why}"));
            }
        }
        Err(format!("position {position} does not become durable"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_after_many_events_or_bytes_but_never_writes_more_than_the_log() {
        let pace = Pace {
            events: 100,
            bytes: 10_000,
            growth: 1,
        };
        for (events, bytes, size, due) in [
            (99, 9_999, 0, false),
            (100, 50, 0, true),
            (1, 10_000, 0, true),
            (100, 50, 51, false),
            (1, 10_000, 10_000, true),
            (1, 10_000, 10_001, false),
        ] {
            assert_eq!(
                pace.due(events, bytes, size),
                due,
                "{events} events, {bytes} bytes, after a snapshot of {size} bytes"
            );
        }
    }
}
