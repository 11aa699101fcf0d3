//! The composition root: one open ledger with its keyring and clock, shared by the server and the command line.

use std::path::Path;
use std::sync::Arc;

use indelible_domain::kernel::Instant;
use indelible_projections::{ViewError, Views};
use indelible_store::{
    EventStore, Keyring, KeyringError, Ledger, MemoryStore, Notary, SledStore, SnapshotNews,
    Snapshots, StoreError, snapshots,
};
use tokio::sync::watch;

use crate::clerk::Clerk;
use crate::clock::Clock;
use crate::forget;
use crate::metrics::Messages;

/// Everything a request or a subcommand works with.
pub struct Office {
    /// Takes commands of clients that do not block while they wait.
    pub clerk: Clerk,
    pub ledger: Arc<Ledger>,
    pub views: Views,
    pub keyring: Arc<Keyring>,
    pub clock: Clock,
    /// Makes checkpoints of the log and proves documents by them.
    pub notary: Arc<Notary>,
    /// Last durable position, told by the store.
    pub head: watch::Receiver<u64>,
    /// What became of messages since the program began.
    pub messages: Messages,
}

/// What the state is made of when an office opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// The newest snapshot that is of use and what follows it; further ones are taken.
    Snapshot,
    /// The whole log; no snapshot is read or taken.
    Log,
}

/// Why an office does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the ledger of {path} cannot be opened")]
    Store { path: String, source: StoreError },
    #[error("the read models of {path} cannot be opened")]
    Views { path: String, source: ViewError },
    #[error("the keyring of {path} cannot be opened")]
    Keyring { path: String, source: KeyringError },
}

impl Office {
    /// Opens the ledger of a data directory, or makes a new one if the directory is new or empty. Read models that
    /// are new or have another version are made first.
    pub fn open(data: &Path, clock: Clock) -> Result<Arc<Office>, OpenError> {
        Office::begin(data, clock, Begin::Snapshot)
    }

    /// Opens likewise, and says what the state is made of.
    pub fn begin(data: &Path, clock: Clock, begin: Begin) -> Result<Arc<Office>, OpenError> {
        let path = || data.display().to_string();
        let failed = |source| OpenError::Store {
            path: path(),
            source,
        };
        let store: Arc<dyn EventStore> = Arc::new(SledStore::open(data).map_err(failed)?);
        let keyring = Keyring::open(data).map_err(|source| OpenError::Keyring {
            path: path(),
            source,
        })?;
        let ledger = match begin {
            Begin::Log => Ledger::open(Arc::clone(&store)),
            Begin::Snapshot => Ledger::open_with_snapshots(
                Arc::clone(&store),
                Snapshots::within(data.join(snapshots::FOLDER), log_news),
            ),
        }
        .map_err(failed)?;
        let destroyed =
            forget::destroy_all(&keyring, &ledger).map_err(|source| OpenError::Keyring {
                path: path(),
                source,
            })?;
        if destroyed > 0 {
            tracing::warn!(
                keys = destroyed,
                "destroyed keys that the log says are destroyed and that were still there"
            );
        }
        let clock = clock.not_before(last_recorded(store.as_ref()).map_err(failed)?);
        let views = Views::open(store, data, &mut |_| {}).map_err(|source| OpenError::Views {
            path: path(),
            source,
        })?;
        let notary = Notary::at(Arc::clone(ledger.store()), data);
        Ok(Office::over(ledger, views, keyring, clock, notary))
    }

    /// An office whose log and keys are gone when it is dropped. The same seed gives the same keys.
    pub fn in_memory(seed: u64, clock: Clock) -> Result<Arc<Office>, OpenError> {
        let path = || "memory".to_owned();
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        let ledger = Ledger::open(Arc::clone(&store)).map_err(|source| OpenError::Store {
            path: path(),
            source,
        })?;
        let views = Views::in_memory(store).map_err(|source| OpenError::Views {
            path: path(),
            source,
        })?;
        let notary = Notary::in_memory(Arc::clone(ledger.store()), None);
        let keyring = Keyring::in_memory(seed);
        Ok(Office::over(ledger, views, keyring, clock, notary))
    }

    /// An office over parts that are open already, all of one log.
    pub fn over(
        ledger: Ledger,
        views: Views,
        keyring: Keyring,
        clock: Clock,
        notary: Notary,
    ) -> Arc<Office> {
        let (told, head) = watch::channel(ledger.store().head());
        ledger.store().on_commit(Box::new(move |head| {
            told.send_if_modified(|known| {
                let news = head > *known;
                *known = head.max(*known);
                news
            });
        }));
        let (ledger, keyring) = (Arc::new(ledger), Arc::new(keyring));
        Arc::new(Office {
            clerk: Clerk::new(Arc::clone(&ledger), Arc::clone(&keyring)),
            ledger,
            views,
            keyring,
            clock,
            notary: Arc::new(notary),
            head,
            messages: Messages::default(),
        })
    }

    pub fn store(&self) -> &Arc<dyn EventStore> {
        self.ledger.store()
    }
}

fn log_news(news: SnapshotNews) {
    match news {
        SnapshotNews::Ignored { .. } | SnapshotNews::Failed { .. } => tracing::warn!("{news}"),
        _ => tracing::info!("{news}"),
    }
}

/// When the last fact was recorded.
fn last_recorded(store: &dyn EventStore) -> Result<Instant, StoreError> {
    let last = match store.head() {
        0 => None,
        head => store.read(head - 1, 1)?.pop(),
    };
    Ok(last.map_or(Instant::default(), |event| Instant(event.recorded_at)))
}
