//! Making sets of rows from the whole log: one thread reads and decodes ahead, the others fold, each a share of the
//! sets, and write their rows when they have become too many to keep.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indelible_store::EventStore;

use crate::reading::{self, Batch, Interest};
use crate::rows::Folding;
use crate::runner::{guarded, position};
use crate::sets::Set;
use crate::shelf::Shelf;
use crate::{Progress, ViewError};

/// Batches that are decoded and wait.
const BATCHES_AHEAD: usize = 4;
/// Memory for rows that are not written yet, roughly, over all sets.
const ROW_BYTES: usize = 128 << 20;
/// Events that a rebuild may leave to be folded while the running rows wait for it, and how often it tries.
const CATCH_UP_EVENTS: u64 = 10_000;
const CATCH_UP_ROUNDS: usize = 8;
/// Threads that fold.
const FOLDERS: usize = 4;

/// Where the time of a rebuild went, in the time of the threads that worked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Reading the log, checking its blocks and decoding what is taken.
    pub reading: Duration,
    /// Each read model by name.
    pub models: Vec<Share>,
    /// Letting queries see the new rows: what came in meanwhile, and the switch.
    pub switching: Duration,
    /// Removing the old rows, after the new ones were seen.
    pub clearing: Duration,
}

/// What one read model took of a rebuild.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub name: &'static str,
    pub folding: Duration,
    pub writing: Duration,
}

impl Spent {
    fn add(&mut self, share: Share) {
        match self.models.iter_mut().find(|m| m.name == share.name) {
            Some(model) => {
                model.folding += share.folding;
                model.writing += share.writing;
            }
            None => self.models.push(share),
        }
    }
}

struct Making<'s> {
    set: Set,
    rows: Folding<'s>,
    share: Share,
}

impl Making<'_> {
    fn fold(&mut self, batch: &Batch) -> Result<(), ViewError> {
        let start = Instant::now();
        self.set.fold(&mut self.rows, batch)?;
        self.share.folding += start.elapsed();
        Ok(())
    }

    fn write(&mut self) -> Result<(), ViewError> {
        let start = Instant::now();
        self.rows.pour()?;
        self.share.writing += start.elapsed();
        Ok(())
    }
}

/// Folds up to the head of the log, again and again while it grows much, so that little is left to do under a lock.
pub(crate) fn catch_up(
    store: &dyn EventStore,
    shelf: &dyn Shelf,
    fresh: &mut Vec<Set>,
    spent: &mut Spent,
    tell: &mut dyn FnMut(Progress),
) -> Result<(), ViewError> {
    for _ in 0..CATCH_UP_ROUNDS {
        make(store, shelf, fresh, store.head(), spent, tell)?;
        if store.head().saturating_sub(position(fresh)) <= CATCH_UP_EVENTS {
            break;
        }
    }
    Ok(())
}

/// Folds from where the sets are up to a position, and writes all rows. Nobody may read the sets yet: what a crash
/// leaves of them is removed.
pub(crate) fn make(
    store: &dyn EventStore,
    shelf: &dyn Shelf,
    fresh: &mut Vec<Set>,
    until: u64,
    spent: &mut Spent,
    tell: &mut dyn FnMut(Progress),
) -> Result<(), ViewError> {
    let (after, until) = (position(fresh), until.min(store.head()));
    if fresh.is_empty() || after >= until {
        return Ok(());
    }
    let interest = Interest::of(fresh);
    let mut making: Vec<Making<'_>> = fresh.iter().map(|set| begin(shelf, set)).collect();
    let reading = thread::scope(|scope| {
        let (send, batches) = sync_channel(BATCHES_AHEAD);
        let reader = scope.spawn(move || {
            let (start, mut waited) = (Instant::now(), Duration::ZERO);
            let read = guarded(|| {
                reading::stream(store, &interest, after, until, &mut |batch| {
                    let waiting = Instant::now();
                    let sent = send.send(batch).is_ok();
                    waited += waiting.elapsed();
                    sent
                })
            });
            read.map(|()| start.elapsed().saturating_sub(waited))
        });
        let folded = fold_all(&mut making, batches, until, tell);
        let read = reader.join().unwrap_or_else(|_| {
            Err(ViewError::engine(
                "reading the log",
                "its thread stopped early",
            ))
        });
        folded.and(read)
    })?;
    spent.reading += reading;
    *fresh = Vec::with_capacity(making.len());
    for made in making {
        spent.add(made.share);
        fresh.push(made.set);
    }
    match position(fresh) == until {
        true => Ok(()),
        false => Err(ViewError::engine(
            "reading the log",
            format!("it ended before position {until}"),
        )),
    }
}

fn begin<'s>(shelf: &'s dyn Shelf, set: &Set) -> Making<'s> {
    let name = set.projection.name;
    Making {
        rows: match set.checkpoint.position {
            0 => Folding::of_nothing(shelf, set.id, name),
            _ => Folding::new(shelf, set.id, name),
        },
        set: set.clone(),
        share: Share {
            name,
            folding: Duration::ZERO,
            writing: Duration::ZERO,
        },
    }
}

/// Takes the batches as they come; dropping their channel tells the reader that nobody wants more.
fn fold_all(
    making: &mut [Making<'_>],
    batches: Receiver<Batch>,
    until: u64,
    tell: &mut dyn FnMut(Progress),
) -> Result<(), ViewError> {
    for batch in batches {
        if batch.events.is_empty() {
            for made in making.iter_mut() {
                made.fold(&batch)?;
            }
        } else {
            side_by_side(making, &|made| made.fold(&batch))?;
        }
        if making.iter().map(|made| made.rows.weight()).sum::<usize>() > ROW_BYTES {
            side_by_side(making, &Making::write)?;
        }
        tell(Progress {
            done: batch.position,
            of: until,
        });
    }
    side_by_side(making, &Making::write)
}

/// Does a piece of work for each set; whoever is done takes the next one.
fn side_by_side<'s>(
    making: &mut [Making<'s>],
    work: &(dyn Fn(&mut Making<'s>) -> Result<(), ViewError> + Sync),
) -> Result<(), ViewError> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(FOLDERS).min(making.len());
    let queue = Mutex::new(making.iter_mut());
    let next = || {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.next()
    };
    let take = || -> Result<(), ViewError> {
        while let Some(made) = next() {
            guarded(|| work(made))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(take)).collect();
        let mut done = take();
        for other in others {
            let other = other.join().unwrap_or_else(|_| {
                Err(ViewError::engine(
                    "folding an event",
                    "its thread stopped early",
                ))
            });
            done = done.and(other);
        }
        done
    })
}
