//! A fact with its place in the log.

use super::{Id, Instant};
use serde::{Deserialize, Serialize};

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded<E> {
    /// Gapless over the partition, from 1.
    pub position: u64,
    pub tenant: Id,
    /// Kind of the stream (`account`, `invoice`, …) and the id within (tenant, kind).
    pub kind: String,
    pub id: Id,
    /// Gapless within the stream, from 1.
    pub version: u64,
    pub event: E,
    pub meta: Meta,
}

/// Who caused a fact and when it was written. Business dates are inside the events; `recorded_at` is for audit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    pub recorded_at: Instant,
    pub actor: String,
    pub command_id: Option<String>,
    pub correlation: String,
    pub causation: u64,
}
