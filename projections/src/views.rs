//! All read models of a log: opened, followed, waited for, read, rebuilt.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indelible_store::EventStore;

use crate::disk_shelf::DiskShelf;
use crate::late_shelf::LateShelf;
use crate::making::{self, Spent};
use crate::projection::Registered;
use crate::rows::{behind, set_prefix};
use crate::runner::{self, guarded, position};
use crate::sets::{self, Set};
use crate::shelf::{Changes, MemoryShelf, Shelf};
use crate::{Dump, Snapshot, ViewError, parts, registry};

/// The directory of the read models in a data directory.
const DIRECTORY: &str = "views";

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Events folded so far, and how many there are.
    pub done: u64,
    pub of: u64,
}

/// What a rebuild asks to be told.
type Tell<'a> = dyn FnMut(Progress) + 'a;

#[derive(Default)]
struct News {
    head: u64,
    position: u64,
    stopped: Option<ViewError>,
    quit: bool,
}

/// Where the log tells how far it is. It knows neither the log nor the rows: the thread that tells it must never be the last to
/// hold these, because dropping the log waits for that very thread.
struct Bell {
    news: Mutex<News>,
    changed: Condvar,
}

impl Bell {
    fn news(&self) -> MutexGuard<'_, News> {
        lock(&self.news)
    }

    fn hear(&self, head: u64) {
        let mut news = self.news();
        news.head = news.head.max(head);
        self.changed.notify_all();
    }
}

pub(crate) struct Inner {
    pub store: Arc<dyn EventStore>,
    pub shelf: Box<dyn Shelf>,
    /// The sets that queries read. Written only together with their rows.
    live: RwLock<Vec<Set>>,
    /// Held while a batch is folded into live rows, and while sets are switched.
    pub folding: Mutex<()>,
    rebuilding: Mutex<()>,
    bell: Arc<Bell>,
}

/// All read models, and the thread that keeps them up with the log. Dropping it ends the thread after its batch.
pub struct Views {
    inner: Arc<Inner>,
    runner: Option<JoinHandle<()>>,
}

impl Views {
    /// Opens `<data>/views`. Read models that are new, have another version, or belong to another log are made from
    /// position 0 first, with progress, because their old rows cannot be read; the others go on where they were.
    pub fn open(
        store: Arc<dyn EventStore>,
        data: &Path,
        tell: &mut Tell<'_>,
    ) -> Result<Views, ViewError> {
        let shelf = DiskShelf::open(&data.join(DIRECTORY))?;
        Views::over(store, Box::new(LateShelf::over(shelf)), tell)
    }

    /// Read models that end with the process.
    pub fn in_memory(store: Arc<dyn EventStore>) -> Result<Views, ViewError> {
        Views::over(store, Box::<MemoryShelf>::default(), &mut |_| {})
    }

    /// Read models over rows kept anywhere.
    pub fn over(
        store: Arc<dyn EventStore>,
        shelf: Box<dyn Shelf>,
        tell: &mut Tell<'_>,
    ) -> Result<Views, ViewError> {
        let live = prepare(&*store, &*shelf, tell)?;
        let news = Mutex::new(News {
            position: position(&live),
            ..News::default()
        });
        let changed = Condvar::new();
        let inner = Arc::new(Inner {
            bell: Arc::new(Bell { news, changed }),
            store,
            shelf,
            live: RwLock::new(live),
            folding: Mutex::new(()),
            rebuilding: Mutex::new(()),
        });
        let bell = Arc::clone(&inner.bell);
        inner.store.on_commit(Box::new(move |head| bell.hear(head)));
        inner.bell.hear(inner.store.head());
        let runner = runner::start(Arc::clone(&inner))
            .map_err(|e| ViewError::engine("starting the thread of the read models", e))?;
        Ok(Views {
            inner,
            runner: Some(runner),
        })
    }

    /// Last position that every query sees.
    pub fn position(&self) -> u64 {
        self.inner.news().position
    }

    /// Waits until queries see a position.
    ///
    /// Errors: VIEWS_BEHIND after the timeout, VIEWS_STOPPED.
    pub fn wait_for(&self, position: u64, timeout: Duration) -> Result<u64, ViewError> {
        let deadline = Instant::now().checked_add(timeout);
        let mut news = self.inner.news();
        while news.position < position {
            if let Some(stopped) = &news.stopped {
                return Err(stopped.clone());
            }
            let left = deadline.map_or(timeout, |d| d.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Err(ViewError::Behind {
                    at: news.position,
                    asked: position,
                });
            }
            let waited = self.inner.bell.changed.wait_timeout(news, left);
            news = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(news.position)
    }

    /// One tenant's rows, all at one position. Folding waits while it is held.
    pub fn of(&self, tenant: &str) -> Snapshot<'_> {
        Snapshot {
            sets: self
                .inner
                .live
                .read()
                .unwrap_or_else(PoisonError::into_inner),
            shelf: &*self.inner.shelf,
            tenant: tenant.to_string(),
        }
    }

    /// Makes read models again from position 0 beside the running ones, then switches; none named means all.
    /// Queries go on meanwhile. Returns the names.
    pub fn rebuild(
        &self,
        names: &[String],
        tell: &mut Tell<'_>,
    ) -> Result<Vec<&'static str>, ViewError> {
        self.rebuild_measured(names, tell)?;
        let wanted = registry::named(names)?;
        Ok(wanted.iter().map(|w| w.name).collect())
    }

    /// [`rebuild`](Views::rebuild), and where its time went.
    pub fn rebuild_measured(
        &self,
        names: &[String],
        tell: &mut Tell<'_>,
    ) -> Result<Spent, ViewError> {
        let inner = &*self.inner;
        let _one_at_a_time = lock(&inner.rebuilding);
        let wanted = registry::named(names)?;
        let (store, shelf, mut spent) = (&*inner.store, &*inner.shelf, Spent::default());
        let mut fresh = begin(shelf, &wanted)?;
        making::catch_up(store, shelf, &mut fresh, &mut spent, tell)?;
        let start = Instant::now();
        let folding = lock(&inner.folding);
        let before = inner.live_sets();
        let until = position(&before);
        making::make(store, shelf, &mut fresh, until, &mut spent, tell)?;
        let is_fresh = |s: &Set| wanted.iter().any(|w| w.name == s.projection.name);
        let (old, mut after): (Vec<Set>, Vec<Set>) = before.into_iter().partition(is_fresh);
        let mut changes = Changes::new();
        for set in &mut fresh {
            set.checkpoint.live = true;
            set.list(&mut changes)?;
        }
        for set in &old {
            let mut retired = set.clone();
            retired.checkpoint.live = false;
            retired.list(&mut changes)?;
        }
        after.extend(fresh);
        inner.publish(changes, after)?;
        // The old rows go at once.
        shelf.settle()?;
        drop(folding);
        spent.switching = start.elapsed();
        let start = Instant::now();
        for set in old {
            sets::remove(shelf, set.id)?;
        }
        spent.clearing = start.elapsed();
        Ok(spent)
    }

    /// Makes every read model a second time and compares; the names of those whose rows differ.
    pub fn verify(&self, tell: &mut Tell<'_>) -> Result<Vec<&'static str>, ViewError> {
        let inner = &*self.inner;
        let _one_at_a_time = lock(&inner.rebuilding);
        let (store, shelf, mut spent) = (&*inner.store, &*inner.shelf, Spent::default());
        let mut fresh = begin(shelf, registry::ALL)?;
        making::catch_up(store, shelf, &mut fresh, &mut spent, tell)?;
        let _folding = lock(&inner.folding);
        // The live rows may have been behind what was just made; they catch up under the lock.
        let mut now = inner.live_sets();
        while let Some((changes, after)) =
            guarded(|| sets::advance(store, shelf, &now, position(&fresh)))?
        {
            inner.publish(changes, after.clone())?;
            now = after;
        }
        let until = position(&now);
        making::make(store, shelf, &mut fresh, until, &mut spent, tell)?;
        let mut differing = Vec::new();
        for set in &fresh {
            let twin = now
                .iter()
                .find(|s| s.projection.name == set.projection.name);
            let same = twin.map(|twin| sets::same(shelf, twin.id, set.id));
            if !same.transpose()?.unwrap_or(false) {
                differing.push(set.projection.name);
            }
            sets::remove(shelf, set.id)?;
        }
        Ok(differing)
    }

    /// Every row of a read model, of all tenants.
    pub fn dump(&self, name: &str) -> Result<Dump, ViewError> {
        let wanted = registry::named(&[name.to_string()])?;
        let live = lock_read(&self.inner.live);
        let set = live
            .iter()
            .find(|s| wanted.iter().any(|w| w.name == s.projection.name));
        set.map_or(Ok(Dump::default()), |s| dump(&*self.inner.shelf, s.id))
    }
}

impl Drop for Views {
    fn drop(&mut self) {
        self.inner.news().quit = true;
        self.inner.bell.changed.notify_all();
        if let Some(runner) = self.runner.take() {
            // Its panics were already turned into a stop.
            let _ = runner.join();
        }
    }
}

impl Inner {
    fn news(&self) -> MutexGuard<'_, News> {
        self.bell.news()
    }

    /// Waits for events to fold; false when it is time to go.
    pub fn wait_for_news(&self) -> bool {
        let mut news = self.news();
        while !news.quit && news.head <= news.position {
            news = self
                .bell
                .changed
                .wait(news)
                .unwrap_or_else(PoisonError::into_inner);
        }
        !news.quit
    }

    pub fn stop(&self, why: &ViewError) {
        let mut news = self.news();
        news.stopped = Some(ViewError::Stopped {
            at: news.position,
            why: why.to_string(),
        });
        self.bell.changed.notify_all();
    }

    pub fn live_sets(&self) -> Vec<Set> {
        lock_read(&self.live).clone()
    }

    /// Writes rows and lets queries see them, in one step.
    pub fn publish(&self, changes: Changes, after: Vec<Set>) -> Result<(), ViewError> {
        {
            let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
            self.shelf.take(changes)?;
            *live = after;
            self.news().position = position(&live);
        }
        self.bell.changed.notify_all();
        self.shelf.relieve()
    }
}

/// Finds the sets that answer, makes those that are missing, and removes what a crash left.
fn prepare(
    store: &dyn EventStore,
    shelf: &dyn Shelf,
    tell: &mut Tell<'_>,
) -> Result<Vec<Set>, ViewError> {
    let mut live: Vec<Set> = Vec::new();
    let mut gone = Vec::new();
    for (id, checkpoint) in sets::listed(shelf)? {
        let projection = registry::ALL
            .iter()
            .find(|r| r.name == checkpoint.name && r.version == checkpoint.version);
        let set = projection.map(|r| Set {
            id,
            projection: *r,
            checkpoint: checkpoint.clone(),
        });
        match set {
            Some(set) if checkpoint.live && set.fits(store)? => live.push(set),
            _ => gone.push(id),
        }
    }
    for id in gone {
        sets::remove(shelf, id)?;
    }
    let missing: Vec<Registered> = registry::ALL
        .iter()
        .filter(|r| live.iter().all(|s| s.projection.name != r.name))
        .copied()
        .collect();
    let mut fresh = begin(shelf, &missing)?;
    making::catch_up(store, shelf, &mut fresh, &mut Spent::default(), tell)?;
    let mut changes = Changes::new();
    for set in &mut fresh {
        set.checkpoint.live = true;
        set.list(&mut changes)?;
    }
    shelf.write(&changes)?;
    shelf.settle()?;
    live.extend(fresh);
    Ok(live)
}

/// New empty sets, listed before they have rows, so that a crash leaves nothing unnoticed.
fn begin(shelf: &dyn Shelf, wanted: &[Registered]) -> Result<Vec<Set>, ViewError> {
    let first = sets::listed(shelf)?.keys().last().map_or(1, |id| id + 1);
    let fresh: Vec<Set> = (first..)
        .zip(wanted)
        .map(|(id, projection)| Set::new(id, *projection))
        .collect();
    let mut changes = Changes::new();
    for set in &fresh {
        sets::sweep(shelf, set.id)?;
        set.list(&mut changes)?;
    }
    shelf.write(&changes)?;
    shelf.settle()?;
    Ok(fresh)
}

fn dump(shelf: &dyn Shelf, id: u32) -> Result<Dump, ViewError> {
    let prefix = set_prefix(id);
    let mut rows = BTreeMap::new();
    parts::scan(shelf, &prefix, &behind(&prefix), &mut |key, value, _| {
        let key = key.get(prefix.len()..).unwrap_or_default();
        rows.insert(key.to_vec(), value.to_vec());
        Ok(true)
    })?;
    Ok(Dump { rows })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lock_read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}
