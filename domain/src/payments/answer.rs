//! What a payment provider says when it is asked to move money.

use crate::command::FailureKind;
use serde::{Deserialize, Serialize};

/// Why a provider refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decline {
    pub kind: FailureKind,
    /// The provider's own code, e.g. `insufficient_funds`, `AM04`.
    pub code: String,
    pub reason: String,
}

/// What a provider says of one collection or return. It may come late, twice and out of order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The money is ours, or was given back.
    Settled { reference: String },
    /// It was taken on and will be answered later: by a webhook, a file, or when asked.
    Pending { reference: String },
    /// The payer must do something first, e.g. 3-D Secure at `url`.
    ActionRequired {
        reference: String,
        url: Option<String>,
    },
    Declined {
        /// None if the provider made no record of it.
        reference: Option<String>,
        decline: Decline,
    },
    /// Nobody knows whether it arrived: it is to be looked up, never asked again under another key.
    Unknown { why: String },
}

impl Answer {
    /// What the provider calls it.
    pub fn reference(&self) -> Option<&str> {
        match self {
            Answer::Settled { reference }
            | Answer::Pending { reference }
            | Answer::ActionRequired { reference, .. } => Some(reference),
            Answer::Declined { reference, .. } => reference.as_deref(),
            Answer::Unknown { .. } => None,
        }
    }
}
