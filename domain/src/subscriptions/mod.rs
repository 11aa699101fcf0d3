//! A subscription: which offer an account has, from when until when, in which quantity, and when it was paused.
//!
//! - Its terms follow each other without gap from the start to the end; a date belongs to the later term (policy 5, 9).
//! - Each term carries the offer as it was sold: a new catalog version changes nothing here.
//! - It is paused while any reason for pausing holds.
//! - What is planned stays planned when something changes before it, and can be taken back until its day ([`Plan`]).
//! - The end date is exclusive: terminated from 18 December bills up to and including the 17th (policy 9).

pub mod commitments;
mod decide;
pub mod ending;
mod evolve;
mod old;
mod planned;
pub mod schedule;
pub mod tenure;

use crate::catalog::Sold;
use crate::events;
use crate::kernel::{Date, Days, Decimal, Id, calendar::LAST_DATE};
use serde::{Deserialize, Serialize};

pub use decide::{Command, Start, running as in_force};
pub use ending::{End, EndKind, Ended, Ending, Reactivated};
pub use planned::{Plan, Undone};
pub use tenure::{AtEnd, Renewed, Tenure, TenureAgreed, TenureEnding, TenureOver, TenureTerms};

/// What happens to the part of a billed period that a change leaves unused (policy 10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unused {
    #[default]
    CreditProrata,
    CreditFull,
    None,
}

/// One stretch of the contract under one offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    pub from: Date,
    /// The offer as sold, price overrides applied.
    pub offer: Sold,
    pub quantity: Decimal,
    /// Day of the month for `billing_day` charges.
    pub billing_day: u32,
    /// What happens to what the term before had billed beyond `from`.
    pub unused: Unused,
}

/// Days on which a contract does not run as agreed, for one reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    pub reason: String,
    pub from: Date,
    /// Exclusive; none while the reason holds.
    pub until: Option<Date>,
    /// Nothing recurring is charged.
    pub billing_stops: bool,
    pub usage: UsageRule,
}

/// What becomes of usage of these days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageRule {
    /// All of it is refused.
    #[default]
    Refused,
    /// Usage of these charges is refused.
    RefusedFor(Vec<String>),
    Allowed,
}

impl UsageRule {
    pub fn refuses(&self, charge: &str) -> bool {
        match self {
            UsageRule::Refused => true,
            UsageRule::RefusedFor(charges) => charges.iter().any(|c| c == charge),
            UsageRule::Allowed => false,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    pub account: Id,
    /// Ascending by `from`, never empty once started.
    pub terms: Vec<Term>,
    pub pauses: Vec<Pause>,
    pub end: Option<Ending>,
    /// Keyed hashes of what finds this subscription in usage records: numbers, meters, resources.
    pub access: Vec<String>,
    /// The first day that is this subscription's own, where it goes on with another account's: the days before it were
    /// charged there, and periods are still counted from the first day of the first term.
    pub since: Option<Date>,
    /// It is sold and not handed out yet: nothing of it runs.
    pub awaits: bool,
    /// Somebody chose the billing day of what awaits its activation.
    pub day_chosen: bool,
    pub tenure: Option<Tenure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It begins on a later day, or when it is handed out.
    Pending,
    Active,
    Paused,
    Terminated,
    /// It was taken back before it began.
    Cancelled,
}

impl Subscription {
    /// The first day of the first term: the anchor kept through every change (policy 8).
    pub fn start(&self) -> Option<Date> {
        self.terms.first().map(|t| t.from)
    }

    pub fn end_date(&self) -> Date {
        self.end.as_ref().map_or(LAST_DATE, |e| e.on)
    }

    /// The first day of which anything is this subscription's; far away while nobody knows when it begins.
    pub fn first_day(&self) -> Date {
        match self.awaits {
            true => LAST_DATE,
            false => self.since.or(self.start()).unwrap_or(LAST_DATE),
        }
    }

    /// The days of term `i`, cut by the next term and by the end.
    pub fn term_days(&self, i: usize) -> Days {
        let from = self.terms.get(i).map_or(LAST_DATE, |t| t.from);
        let until = self.terms.get(i + 1).map_or(LAST_DATE, |t| t.from);
        Days::new(from.max(self.first_day()), until.min(self.end_date()))
    }

    /// The days of term `i` that recurring charges are asked for: those of the term, and where the end says so those after
    /// it that the term would have had.
    pub fn charged_days(&self, i: usize) -> Days {
        let days = self.term_days(i);
        match &self.end {
            Some(end) if days.until == end.on && !days.is_empty() => {
                Days::new(days.from, end.charged_until.max(end.on))
            }
            _ => days,
        }
    }

    /// The first day that recurring charges are not asked for.
    pub fn charged_end(&self) -> Date {
        let end = self.end.as_ref();
        end.map_or(LAST_DATE, |e| e.charged_until.max(e.on))
    }

    /// The term in force on a day, if the subscription runs then.
    pub fn term_on(&self, date: Date) -> Option<(usize, &Term)> {
        if date >= self.end_date() || date < self.first_day() {
            return None;
        }
        self.terms
            .iter()
            .enumerate()
            .rev()
            .find(|(_, t)| t.from <= date)
    }

    pub fn paused_on(&self, date: Date) -> bool {
        self.pause_days().iter().any(|p| p.contains(date))
    }

    /// Days on which nothing recurring is charged; an open pause has no end yet.
    pub fn pause_days(&self) -> Vec<Days> {
        self.pauses
            .iter()
            .filter(|p| p.billing_stops)
            .map(|p| Days::new(p.from, p.until.unwrap_or(LAST_DATE)))
            .collect()
    }

    pub fn stage(&self, today: Date) -> Stage {
        match &self.end {
            Some(end) if end.kind == EndKind::Cancelled => Stage::Cancelled,
            _ if self.first_day() > today => Stage::Pending,
            _ if today >= self.end_date() => Stage::Terminated,
            _ if self.paused_on(today) => Stage::Paused,
            _ => Stage::Active,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    pub account: Id,
    pub term: Term,
    pub access: Vec<String>,
}

/// A new term begins; terms that would have begun on or after it are dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    pub term: Term,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paused {
    pub reason: String,
    pub from: Date,
}

/// Something is refused or not charged, but not everything as by a pause; it ends like one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restricted {
    pub reason: String,
    pub from: Date,
    pub billing_stops: bool,
    pub usage: UsageRule,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resumed {
    pub reason: String,
    /// First day charged again.
    pub on: Date,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terminated {
    pub end: End,
}

/// It was sold, and begins when it is handed out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivationAwaited {
    /// Somebody chose the billing day: the day of the activation does not take its place.
    pub day_chosen: bool,
}

/// It was handed out: the contract begins on this day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activated {
    pub on: Date,
    pub billing_day: u32,
}

/// It goes on with what another account had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TakenOver {
    /// What it goes on with.
    pub subscription: Id,
    /// First day charged here.
    pub since: Date,
}

events! {
    /// What happens to a subscription.
    pub enum Event in "subscription" {
        Started = "started" 2 from { 1: old::StartedV1 },
        Changed = "changed" 2 from { 1: old::ChangedV1 },
        Paused = "paused" 1,
        Resumed = "resumed" 1,
        Terminated = "terminated" 1,
        Restricted = "restricted" 1,
        Ended = "ended" 1,
        Reactivated = "reactivated" 1,
        Undone = "undone" 1,
        ActivationAwaited = "activation-awaited" 2 from { 1: old::ActivationAwaitedV1 },
        Activated = "activated" 1,
        TakenOver = "taken-over" 1,
        TenureAgreed = "tenure-agreed" 1,
        TenureEnding = "tenure-ending" 1,
        Renewed = "renewed" 1,
        TenureOver = "tenure-over" 1,
    }
}
