//! The log: the only truth of the ledger.
//!
//! A [`Commit`] holds one or more events of one or more streams and becomes durable as a whole or not at all.
//! The store knows nothing of billing: payloads are opaque bytes, so the layers above may change without it.
//!
//! - Positions are gapless and totally ordered over the log; versions are gapless per stream.
//! - Nothing is acknowledged before a real sync of the disk.
//! - Each commit is one block of a BLAKE3 chain, so a changed byte is found and located (`docs/log-format.md`).
//! - [`SledStore`] and [`MemoryStore`] share everything but the medium the blocks lie on.

pub mod block;
mod codec;
mod data_dir;
mod disk;
pub mod engine;
mod error;
mod event_store;
mod index;
mod key_file;
pub mod keyring;
pub mod ledger;
mod log;
mod memory;
pub mod proof;
mod queue;
mod recent;
mod runs;
mod seen;
pub mod segments;
pub mod snapshots;
mod stall;
#[cfg(test)]
mod testing;
mod verify;
mod writer;

pub use codec::{decode, decode_ref};
pub use disk::{Options, ROLL_BYTES, SledStore, SpaceProbe, StepHook};
pub use error::StoreError;
pub use event_store::{
    Appended, CommandRecord, Commit, EachEvent, EventRef, EventStore, MAX_EVENTS, MAX_ID_BYTES,
    MAX_PAYLOAD_BYTES, NewEvent, RawBlock, StoreStats, StoredEvent, StoredReceipt, StreamKey,
    Ticket, Verified, Writing,
};
pub use index::{INDEX_BYTES_PER_MILLION_KEYS, INDEX_TAIL_BYTES, IndexLimits};
pub use keyring::{Keyring, KeyringError, Lookup, Sealed};
pub use ledger::{
    BillRunRequest, DryRun, Ledger, Pace, Posted, Receipt, Refused, Request, RunReport,
    SnapshotNews, Snapshots, StateCheck, TenantPast,
};
pub use log::{Log, SyncHook};
pub use memory::MemoryStore;
pub use proof::{Notary, ProofError};
pub use seen::{KEYS_BYTES_PER_MILLION, KEYS_TAIL_BYTES, KeysLimits, KeysStats, Seen};
pub use verify::{VERIFY_BYTES_PER_COMMAND, VERIFY_BYTES_PER_STREAM};
