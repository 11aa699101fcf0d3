//! What came of a command.

use crate::kernel::Id;
use crate::reservations::Answer;
use serde::{Deserialize, Serialize};

/// What came of a command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// (kind, id) of what came to be or was changed, e.g. ("invoice", "run-1.alice").
    pub touched: Vec<(String, Id)>,
    /// For a batch of usage.
    pub usage: Option<UsageCounts>,
    /// Accounts still waiting in a bill run.
    pub left: u64,
    /// Of credit control.
    #[serde(default)]
    pub answer: Option<Answer>,
}

impl Outcome {
    pub fn of(kind: &str, id: &str) -> Outcome {
        Outcome {
            touched: vec![(kind.to_string(), id.to_string())],
            ..Outcome::default()
        }
    }
}

/// Nothing disappears (policy 14): received = accepted + duplicates + conflicts + unreadable,
/// accepted = rated + pending + rejected + superseded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageCounts {
    pub received: u64,
    pub accepted: u64,
    pub duplicates: u64,
    pub conflicts: u64,
    pub unreadable: u64,
    pub rated: u64,
    pub pending: u64,
    pub rejected: u64,
    pub superseded: u64,
}
