//! What is asked of credit control.

use crate::kernel::{Decimal, Id, Instant, Rejection, check_id};
use crate::mediation::Key;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most services of one request.
pub const SERVICES_MAX: usize = 64;
/// How long a quota lasts unless the request says otherwise, in seconds.
pub const VALIDITY_DEFAULT: u32 = 60;
/// The longest a quota can last, in seconds: one week.
pub const VALIDITY_MAX: u32 = 7 * 86_400;

/// CC-Request-Type (RFC 8506 8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Initial,
    Update,
    Terminate,
    Event(Action),
}

/// Requested-Action of an event (RFC 8506 8.41).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    DirectDebit,
    /// Gives back what was debited in this period, at its price now.
    Refund,
    CheckBalance,
    PriceEnquiry,
}

/// What the network does once the last units are used (RFC 8506 8.34, 8.35).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LastAction {
    #[default]
    Terminate,
    /// To this address.
    Redirect(String),
    /// To what these filters let through.
    Restrict(Vec<String>),
}

/// A quantity of a service, as a usage record would carry it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    pub quantity: Decimal,
    /// The amount of money that goes with it, for dynamic prices.
    pub amount: Option<Decimal>,
}

/// What is asked for one service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Rating group or service identifier; names the service within the session.
    pub service: Id,
    /// What finds the price, as in a usage record.
    pub metric: String,
    pub attributes: BTreeMap<String, String>,
    /// Used since the last report.
    pub used: Option<Units>,
    /// None: nothing more is wanted.
    pub requested: Option<Units>,
}

/// One credit-control request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub session: Id,
    /// CC-Request-Number: rises within the session.
    pub number: u32,
    pub kind: Kind,
    /// Keyed hash of what finds the subscription, as in a usage record. Only the first request and events are looked up
    /// by it: a session stays with who it began with.
    pub access: String,
    /// When it happened; none: now.
    pub at: Option<Instant>,
    /// Seconds a quota shall last; none: [`VALIDITY_DEFAULT`].
    pub validity: Option<u32>,
    pub last: LastAction,
    /// Refuses what exceeds the quota or comes after its end. A network reports what was used whatever was granted, and
    /// then it is debited as far as there is money for it.
    pub strict: bool,
    pub services: Vec<Ask>,
}

impl Request {
    /// Errors: ID_INVALID, SERVICES_INVALID, UNITS_NEGATIVE, VALIDITY_INVALID.
    pub fn check(&self) -> Result<(), Rejection> {
        check_id("session", &self.session)?;
        let names: BTreeSet<&Id> = self.services.iter().map(|s| &s.service).collect();
        if names.len() != self.services.len() || names.len() > SERVICES_MAX {
            return Err(Rejection::new(
                "SERVICES_INVALID",
                format!(
                    "a request names each service once and at most {SERVICES_MAX}, this one has {} names for {}",
                    names.len(),
                    self.services.len()
                ),
            ));
        }
        for ask in &self.services {
            check_id("service", &ask.service)?;
            let said = ask.used.iter().chain(&ask.requested);
            if let Some(below) = said.map(|u| u.quantity).find(|q| q.is_negative()) {
                return Err(Rejection::new(
                    "UNITS_NEGATIVE",
                    format!("service {} of {below} units is below zero", ask.service),
                ));
            }
        }
        let validity = self.validity();
        if validity == 0 || validity > VALIDITY_MAX {
            return Err(Rejection::new(
                "VALIDITY_INVALID",
                format!("a quota lasts 1 to {VALIDITY_MAX} seconds, {validity} were asked for"),
            ));
        }
        Ok(())
    }

    /// In seconds.
    pub fn validity(&self) -> u32 {
        self.validity.unwrap_or(VALIDITY_DEFAULT)
    }
}

/// A short hash of texts behind their lengths.
pub(crate) fn hashed(what: &str, texts: &[&str]) -> Key {
    let mut hash = blake3::Hasher::new();
    for text in std::iter::once(&what).chain(texts) {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    key
}
