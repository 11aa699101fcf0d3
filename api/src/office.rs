//! The composition root: one open ledger with its keyring and clock, shared by the server and the command line.

use std::path::Path;
use std::sync::Arc;

use indelible_store::{
    EventStore, Keyring, KeyringError, Ledger, MemoryStore, SledStore, StoreError,
};
use tokio::sync::watch;

use crate::clock::Clock;

/// Everything a request or a subcommand works with.
pub struct Office {
    pub ledger: Ledger,
    pub keyring: Keyring,
    pub clock: Clock,
    /// Last durable position, told by the store.
    pub head: watch::Receiver<u64>,
}

/// Why an office does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the ledger of {path} cannot be opened")]
    Store { path: String, source: StoreError },
    #[error("the keyring of {path} cannot be opened")]
    Keyring { path: String, source: KeyringError },
}

impl Office {
    /// Opens the ledger of a data directory, or makes a new one if the directory is new or empty.
    pub fn open(data: &Path, clock: Clock) -> Result<Arc<Office>, OpenError> {
        let path = data.display().to_string();
        let store = SledStore::open(data).map_err(|source| OpenError::Store {
            path: path.clone(),
            source,
        })?;
        let keyring = Keyring::open(data).map_err(|source| OpenError::Keyring {
            path: path.clone(),
            source,
        })?;
        Office::over(Arc::new(store), keyring, clock)
            .map_err(|source| OpenError::Store { path, source })
    }

    /// An office whose log and keys are gone when it is dropped. The same seed gives the same keys.
    pub fn in_memory(seed: u64, clock: Clock) -> Result<Arc<Office>, StoreError> {
        Office::over(
            Arc::new(MemoryStore::new()),
            Keyring::in_memory(seed),
            clock,
        )
    }

    /// An office over a store that is open already.
    pub fn over(
        store: Arc<dyn EventStore>,
        keyring: Keyring,
        clock: Clock,
    ) -> Result<Arc<Office>, StoreError> {
        let (told, head) = watch::channel(store.head());
        store.on_commit(Box::new(move |head| {
            told.send_if_modified(|known| {
                let news = head > *known;
                *known = head.max(*known);
                news
            });
        }));
        Ok(Arc::new(Office {
            ledger: Ledger::open(store)?,
            keyring,
            clock,
            head,
        }))
    }

    pub fn store(&self) -> &Arc<dyn EventStore> {
        self.ledger.store()
    }
}
