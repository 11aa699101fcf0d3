//! Every usage record's key, and where the record is: what tells a duplicate from a new record (policy 13), across files,
//! channels and restarts, however many there were.
//!
//! The latest keys are in memory, all others in sorted runs on disk ([`crate::runs`]); a filter per run says of a new key
//! that it is nowhere. The files are made from the log, and made again when they are missing, damaged or of another chain.

mod aside;
mod sight;
mod table;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indelible_domain::mediation::Key as RecordKey;
use indelible_domain::past::Sighting;
use indelible_domain::{Event, Staged};

use crate::runs::key::Key;
use crate::runs::{
    Broken, FANOUT, IndexLimits, Keeper, PAGE_BYTES, Row, Tail, Totals, WAITING_TAILS,
};
use crate::{EventRef, EventStore, StoreError};
use aside::{Aside, Facts};
use sight::Sight;
use table::{Salt, Table, end};

/// Keys of a tail at which it becomes a run: as many as a hash map of 2^19 places takes.
const TAIL_KEYS: usize = 7 << 16;
/// Facts behind a tail at which it becomes a run, however few keys they have.
const TAIL_FACTS: u64 = 1 << 20;
/// Facts whose keys are fetched together.
const TOGETHER: usize = 32;
/// Facts of a commit from which on a thread takes their keys beside whoever decided them.
const ASIDE_FACTS: usize = 500;
/// How often a wait for the disk looks whether it is in vain.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Most bytes of memory that the tails take: one that fills and those that wait.
pub const KEYS_TAIL_BYTES: usize = TAIL_KEYS * (1 + WAITING_TAILS) * Tail::<Sight>::BYTES_PER_ROW;
/// Most bytes of memory per million keys on disk: the filter, and a fence of 32 bytes per page, which holds 90 keys or more.
pub const KEYS_BYTES_PER_MILLION: usize =
    1_000_000 * Sight::FILTER_BITS as usize / 8 + 1_000_000 / 90 * 32;

/// Sizes of the memory of usage records, smaller in tests so that little data makes many runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeysLimits {
    /// Keys of a tail at which it becomes a run.
    pub tail_keys: usize,
    /// Facts behind a tail at which it becomes a run, whatever its keys.
    pub tail_facts: u64,
    /// Bytes at which a page of a run is full.
    pub page_bytes: usize,
    /// Runs of one level that are merged; at least 2.
    pub fanout: usize,
    /// Facts of a commit from which on a thread takes their keys beside whoever decided them.
    pub aside_facts: usize,
}

impl Default for KeysLimits {
    fn default() -> KeysLimits {
        KeysLimits {
            tail_keys: TAIL_KEYS,
            tail_facts: TAIL_FACTS,
            page_bytes: PAGE_BYTES,
            fanout: FANOUT,
            aside_facts: ASIDE_FACTS,
        }
    }
}

/// What the memory of usage records takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeysStats {
    /// Keys in memory that are not on disk yet.
    pub in_tails: u64,
    /// Keys on disk; one that was learnt anew counts until a merge meets both.
    pub on_disk: u64,
    pub runs: u64,
    /// Bytes of memory that filters and fences take.
    pub filter_bytes: u64,
    /// Bytes of memory that the keys in tails take at most, had map and list just grown.
    pub tail_bytes: u64,
    /// Bytes of the runs on disk.
    pub disk_bytes: u64,
}

/// The keys of all tenants, up to a position of their log.
pub struct Seen {
    keeper: Arc<Keeper<Table>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    ended: Arc<AtomicBool>,
    store: Arc<dyn EventStore>,
    /// Takes the keys of large commits, from the first one on.
    aside: OnceLock<Option<Aside>>,
    aside_facts: usize,
}

impl Seen {
    /// Finds or makes the memory of a log, and hands out the facts after a position on the way. Its files lie where the log
    /// has a place for them, or else it stays in memory.
    pub fn open(
        store: &Arc<dyn EventStore>,
        limits: KeysLimits,
        after: u64,
        each: &mut dyn FnMut(&EventRef<'_>, &Event),
    ) -> Result<Seen, StoreError> {
        let sizes = IndexLimits {
            tail_entries: limits.tail_keys,
            tail_log_bytes: u64::MAX,
            page_bytes: limits.page_bytes,
            fanout: limits.fanout,
        };
        let mut table = Table::open(store.as_ref(), store.keys_dir(), sizes, limits.tail_facts);
        table.read_on(store.as_ref(), after, u64::MAX, each)?;
        let ended = Arc::new(AtomicBool::new(false));
        let (log, over) = (Arc::clone(store), Arc::clone(&ended));
        let settle = move |upto: Totals| settled(log.as_ref(), &over, upto);
        let keeper = Arc::new(Keeper::settling(table, Box::new(settle)));
        let thread = match store.keys_dir() {
            Some(_) => Some(keeper.start().map_err(|e| {
                StoreError::io("starting the thread that keeps the keys of usage", e)
            })?),
            None => None,
        };
        Ok(Seen {
            keeper,
            thread: Mutex::new(thread),
            ended,
            store: Arc::clone(store),
            aside: OnceLock::new(),
            aside_facts: limits.aside_facts,
        })
    }

    /// Takes what a commit says; the first of its facts has the position after `before`. May wait while too much of it
    /// waits to be written, which bounds the memory.
    pub fn learn(&self, tenant: &str, before: u64, staged: &Arc<Vec<Staged>>) {
        let mut facts = Facts {
            tenant: tenant.to_string(),
            before,
            staged: Arc::clone(staged),
        };
        if staged.len() >= self.aside_facts {
            let start = || {
                let keeper = Arc::clone(&self.keeper);
                Aside::start(move |facts| take(&keeper, facts)).ok()
            };
            if let Some(aside) = self.aside.get_or_init(start) {
                match aside.give(facts) {
                    Ok(()) => return,
                    Err(back) => facts = back,
                }
            }
        }
        // Where some of the facts before were lost, everybody who asks is told so.
        let _ = self.caught_up();
        take(&self.keeper, &facts);
    }

    /// Waits until the facts of all commits so far are taken.
    fn caught_up(&self) -> Result<(), StoreError> {
        match self.aside.get() {
            Some(Some(aside)) => aside.wait(),
            _ => Ok(()),
        }
    }

    /// What holds each of these keys, in their order.
    pub fn sightings(
        &self,
        tenant: &str,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Sighting>>, StoreError> {
        self.caught_up()?;
        let salt = Salt::of(tenant);
        let keys: Vec<Key> = keys.iter().map(|key| salt.key(key)).collect();
        let found = self.mended(|| self.look_up(&keys))?;
        let sighting = |sight: Option<Sight>| sight.map(|sight| sight.sighting());
        Ok(found.into_iter().map(sighting).collect())
    }

    fn look_up(&self, keys: &[Key]) -> Result<Vec<Option<Sight>>, Broken> {
        let (mut found, runs): (Vec<_>, _) = {
            let table = self.keeper.read();
            let found = keys.iter().map(|key| table.in_memory(*key)).collect();
            (found, table.runs())
        };
        // Most keys are new, and each run's filter is asked for all of them at once: the waits for memory overlap.
        let is_open = |sight: &Option<Sight>| !sight.is_some_and(|sight| sight.counted);
        let open = found.iter().enumerate().filter(|(_, sight)| is_open(sight));
        let mut open: Vec<(usize, Key)> = open
            .filter_map(|(place, _)| Some((place, *keys.get(place)?)))
            .collect();
        let mut maybe = Vec::with_capacity(open.len());
        for run in runs.0.iter().rev() {
            maybe.clear();
            run.candidates(&open, &mut maybe);
            let mut closed = false;
            for (place, key) in &maybe {
                if let (Some(sight), Some(slot)) = (run.look_up(*key)?, found.get_mut(*place)) {
                    // One that does not count gives way to anything older.
                    *slot = Some(sight);
                    closed |= sight.counted;
                }
            }
            if closed {
                open.retain(|(place, _)| found.get(*place).is_some_and(is_open));
            }
        }
        Ok(found)
    }

    /// The batch that brought the record that holds a key.
    pub fn batch_of(&self, tenant: &str, key: &RecordKey) -> Result<Option<String>, StoreError> {
        self.caught_up()?;
        let key = Salt::of(tenant).key(key);
        let name = self.mended(|| self.name(key))?;
        Ok(name.map(|name| String::from_utf8_lossy(&name).into_owned()))
    }

    fn name(&self, key: Key) -> Result<Option<Vec<u8>>, Broken> {
        let (mut found, runs) = {
            let table = self.keeper.read();
            (table.named_in_memory(key), table.runs())
        };
        for run in runs.0.iter().rev() {
            if found.as_ref().is_some_and(|(sight, _)| sight.counted) {
                break;
            }
            if let Some(sight) = run.last(key)? {
                found = Some((sight, run.noted(sight.batch)?));
            }
        }
        Ok(found.map(|(_, name)| name))
    }

    /// Asks the memory; if a file of it is broken, makes it anew from the log and asks once more.
    fn mended<T>(&self, ask: impl Fn() -> Result<T, Broken>) -> Result<T, StoreError> {
        let seen = self.keeper.read().mends;
        match ask() {
            Ok(answer) => Ok(answer),
            Err(_) => {
                self.mend(seen)?;
                ask().map_err(Broken::into_error)
            }
        }
    }

    /// Makes the memory anew, unless somebody has since it was seen. Everybody waits meanwhile.
    fn mend(&self, seen: u64) -> Result<(), StoreError> {
        let mut table = self.keeper.write();
        if table.mends == seen {
            let until = table.position;
            if durable(self.store.as_ref(), &self.ended, until).is_none() {
                return Err(StoreError::Poisoned {
                    why: "the log ended before the memory of its keys".into(),
                });
            }
            let mut anew = table.emptied();
            anew.read_on(self.store.as_ref(), until, until, &mut |_, _| {})?;
            *table = anew;
        }
        Ok(())
    }

    /// What it takes.
    pub fn stats(&self) -> KeysStats {
        let _ = self.caught_up();
        let (in_tails, runs) = {
            let table = self.keeper.read();
            (table.keys_in_memory(), table.runs())
        };
        let mut stats = KeysStats {
            in_tails,
            tail_bytes: in_tails * Tail::<Sight>::BYTES_PER_ROW as u64,
            runs: runs.0.len() as u64,
            ..KeysStats::default()
        };
        for run in runs.0.iter() {
            stats.on_disk += run.keys;
            stats.filter_bytes += run.memory() as u64;
            stats.disk_bytes += run.bytes().unwrap_or_default();
        }
        stats
    }

    /// Waits until the thread has nothing to do. False = it still has when the time is over.
    pub fn idle_within(&self, limit: Duration) -> bool {
        let _ = self.caught_up();
        self.keeper.idle_within(limit)
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        // Nothing is waited for from here on, so what was given to the thread aside is soon taken.
        self.keeper.stop();
        self.ended.store(true, Ordering::Release);
        self.aside.take();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(thread) = thread.take() else {
            return;
        };
        // A panic in there has cost files, nothing else.
        let ended = thread.join().is_ok();
        if ended && !std::thread::panicking() {
            let settle = |upto| settled(self.store.as_ref(), &self.ended, upto);
            // What is not written is read again from the log.
            let _ = self.keeper.write().close(&settle);
        }
    }
}

/// Takes the keys of a commit's facts.
fn take(keeper: &Keeper<Table>, facts: &Facts) {
    let full = {
        let mut table = keeper.write();
        let salt = Salt::of(&facts.tenant);
        let parts = facts.staged.chunks(TOGETHER);
        for (some, first) in parts.zip((facts.before + 1..).step_by(TOGETHER)) {
            let facts = (some.iter()).map(|staged| (staged.id.as_str(), &staged.event));
            table.fetch(salt, facts.clone());
            for ((stream, event), position) in facts.zip(first..) {
                table.learn(salt, stream, position, event);
            }
        }
        table.freeze_if_full()
    };
    if full {
        keeper.wake();
        keeper.wait_for_room();
    }
}

/// Waits until a position is durable; none if it will not be.
fn durable(store: &dyn EventStore, ended: &AtomicBool, position: u64) -> Option<()> {
    while store.head() < position {
        if ended.load(Ordering::Acquire) {
            return None;
        }
        store.wait_past(position - 1, LOOK_AGAIN);
    }
    Some(())
}

/// The end of a tail with its hash, once it is durable.
fn settled(store: &dyn EventStore, ended: &AtomicBool, upto: Totals) -> Option<Totals> {
    let head = upto.tip.head;
    durable(store, ended, head)?;
    let hash = store.hash_at(head).ok()??;
    Some(end(head, hash))
}
