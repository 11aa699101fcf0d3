//! Credit control: money is set aside before it is used, then debited for what was used, or set free.
//!
//! One stream per session. The words and their meaning are those of RFC 8506 (Diameter credit control): a first request
//! reserves, an update reports what was used and reserves anew, a termination reports and ends; an event is debited at
//! once. A request may name several services; each is judged for itself.
//!
//! - A session and a request number are answered once: the same request again gets the same answer (8.2), from the log.
//! - A quota counts until its end and not after, whether or not anybody has noted that it ended.
//! - What was used goes through the same door as any usage: counters, wallets and lineage know no difference.

mod answer;
mod decide;
mod digest;
mod living;
mod request;

use crate::events;
use crate::kernel::{Decimal, Exact, Id, Instant};
use crate::mediation::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use answer::{Answer, Served, code, result_of};
pub use decide::Command;
pub use living::{Living, Reserved};
pub(crate) use request::hashed;
pub use request::{
    Action, Ask, Kind, LastAction, Request, SERVICES_MAX, Units, VALIDITY_DEFAULT, VALIDITY_MAX,
};

/// Latest answers that a session keeps at hand; earlier ones are in the log, and behind their command's receipt.
pub const ANSWERS_KEPT: usize = 16;

/// Units that may be used, with the money for them set aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quota {
    /// Where they would count.
    pub meter: Id,
    pub granted: Units,
    /// Granted quantity as the charge counts it.
    pub units: Exact,
    /// The first instant at which they may not be used any more.
    pub until: Instant,
}

/// A request and what was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// What was asked, in one number.
    pub digest: Key,
    pub answer: Answer,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    pub account: Option<Id>,
    pub subscription: Option<Id>,
    pub stage: Stage,
    /// By service.
    pub quotas: BTreeMap<Id, Quota>,
    /// The latest answers, by request number.
    pub answered: BTreeMap<u32, Given>,
    /// Highest number answered.
    pub last: Option<u32>,
    /// Something was debited.
    pub used: bool,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Nothing was granted yet.
    #[default]
    Refused,
    Open,
    /// Open, but all its quotas have ended; what was used can still be reported.
    Expired,
    /// Ended, after something was debited.
    Confirmed,
    /// Ended, and nothing ever was debited.
    Cancelled,
    /// Single events, debited at once.
    Events,
}

/// A request was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    pub number: u32,
    pub kind: Kind,
    #[serde(with = "crate::kernel::key")]
    pub digest: Key,
    /// Who pays; none where nobody was found.
    pub account: Option<Id>,
    pub subscription: Option<Id>,
    pub at: Instant,
    pub answer: Answer,
}

/// Quotas ended before they were used up or given back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expired {
    pub services: Vec<Id>,
    /// When they ended, whenever that was noted.
    pub at: Instant,
}

events! {
    /// What happens in a session of credit control.
    pub enum Event in "reservation" {
        Answered = "answered" 1,
        Expired = "expired" 1,
    }
}

/// Under which id wallets hold money for a service of a session.
pub fn hold_id(session: &str, service: &str) -> Id {
    format!("{session}/{service}")
}

impl Reservation {
    /// The quota of a service at an instant.
    pub fn quota(&self, service: &str, at: Instant) -> Option<&Quota> {
        self.quotas.get(service).filter(|q| at < q.until)
    }

    /// Granted and not yet reported, at an instant.
    pub fn granted(&self, service: &str, at: Instant) -> Decimal {
        self.quota(service, at)
            .map_or(Decimal::ZERO, |q| q.granted.quantity)
    }
}
