//! What goes into the ledger and what comes back.

use std::any::Any;
use std::sync::{Condvar, Mutex, PoisonError};

use indelible_domain::kernel::Instant;
use indelible_domain::world::Tables;
use indelible_domain::{Command, Outcome, Rejection, Staged};
use serde::{Deserialize, Serialize};

use crate::{KeyringError, StoreError, StoredReceipt};

/// A command with who asks, for whom, and when.
#[derive(Clone, Debug)]
pub struct Request {
    /// From authentication, never from the input.
    pub tenant: String,
    /// The client's name for this very request: repeated with the same input, it gets the first answer.
    pub command_id: Option<String>,
    /// Hash of the plain input, so that a reused command id is noticed.
    pub input_hash: [u8; 32],
    pub actor: String,
    /// Shared by every commit that comes of one request from outside.
    pub correlation: String,
    /// Position of the fact this command follows from; 0 when somebody asked for it.
    pub causation: u64,
    pub now: Instant,
    pub command: Command,
}

impl Request {
    /// A request without command id, hashed over the command itself. For callers whose input is the command; where
    /// sealing makes two commands of one input differ, the edge must hash the plain input.
    pub fn new(tenant: &str, actor: &str, now: Instant, command: Command) -> Request {
        let plain = format!("{command:?}");
        Request {
            tenant: tenant.to_string(),
            command_id: None,
            input_hash: *blake3::hash(plain.as_bytes()).as_bytes(),
            actor: actor.to_string(),
            correlation: String::new(),
            causation: 0,
            now,
            command,
        }
    }

    /// The same request under a command id.
    #[must_use]
    pub fn named(self, command_id: impl Into<String>) -> Request {
        Request {
            command_id: Some(command_id.into()),
            ..self
        }
    }
}

/// The answer to a command that was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Last position of the command's commit; of the log, where the command changed nothing.
    pub position: u64,
    /// How many events the command made.
    pub events: u64,
    pub outcome: Outcome,
    /// True when the command had been done before and this is its first answer again.
    #[serde(skip)]
    pub replayed: bool,
}

impl Receipt {
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|e| StoreError::InvalidCommit {
            what: format!("its receipt cannot be written: {e}"),
        })
    }

    pub(super) fn from_bytes(stored: &StoredReceipt) -> Result<Receipt, StoreError> {
        let receipt: Receipt = serde_json::from_slice(&stored.receipt).map_err(|e| {
            StoreError::corrupt(stored.last_position, format!("unreadable receipt: {e}"))
        })?;
        Ok(Receipt {
            replayed: true,
            ..receipt
        })
    }
}

/// What a command would have done.
#[derive(Clone, Debug, PartialEq)]
pub struct DryRun {
    pub outcome: Outcome,
    /// In the order of the commit that was not made.
    pub events: Vec<Staged>,
    /// What they would have made of the aggregates concerned; no other is in it.
    pub aggregates: Box<Tables>,
}

/// Why a command was not done.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// A normal "no" of the rules.
    #[error("{0}")]
    Rejection(Rejection),
    /// The command id was used before, with another input.
    #[error(
        "command id {command_id:?} was used before with another input: take a new id for a new request"
    )]
    Conflict { command_id: String },
    /// The log cannot take or give what was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the command has of people was sealed with a key that could not be kept.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// The log failed before; the process has to start again.
    #[error("the ledger stopped taking commands: {why}")]
    Stopped { why: String },
    /// The rules contradicted themselves; nothing was posted.
    #[error("a rule of the ledger is broken, nothing was posted: {what}")]
    Broken { what: String },
}

impl Refused {
    pub(super) fn conflict(command_id: &str) -> Refused {
        Refused::Conflict {
            command_id: command_id.to_string(),
        }
    }

    /// The stable code of the refusal.
    pub fn code(&self) -> &str {
        match self {
            Refused::Rejection(rejection) => &rejection.code,
            Refused::Conflict { .. } => "COMMAND_ID_REUSED",
            Refused::Store(StoreError::Poisoned { .. }) | Refused::Stopped { .. } => "STORE_FAILED",
            Refused::Store(e) => e.code(),
            Refused::Keys(e) => e.code(),
            Refused::Broken { .. } => "INVARIANT_BROKEN",
        }
    }

    /// What is and what was asked, in a sentence.
    pub fn message(&self) -> String {
        self.to_string()
    }
}

/// A command that is queued: those who send it again meanwhile wait for its answer.
pub(super) struct Flight {
    pub command_id: String,
    pub input_hash: [u8; 32],
    answer: Mutex<Option<Result<Receipt, Refused>>>,
    landed: Condvar,
}

impl Flight {
    pub fn new(command_id: &str, input_hash: [u8; 32]) -> Flight {
        Flight {
            command_id: command_id.to_string(),
            input_hash,
            answer: Mutex::new(None),
            landed: Condvar::new(),
        }
    }

    pub fn land(&self, answer: Result<Receipt, Refused>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        self.landed.notify_all();
    }

    pub fn wait(&self) -> Result<Receipt, Refused> {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(answer) = answer.as_ref() {
                return answer.clone();
            }
            answer = self
                .landed
                .wait(answer)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The sentence of a panic.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no reason was given".to_string())
}
