//! Subscriptions: what is sold to whom, from when until when.

use indelible_domain::kernel::calendar::LAST_DATE;
use indelible_domain::kernel::{Date, Decimal, Id};
use indelible_domain::subscriptions::ending::WAS_TERMINATED;
use indelible_domain::subscriptions::{
    EndKind, Event as Fact, Pause, Plan, Stage, Term, UsageRule,
};
use indelible_domain::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::{Page, Projection, Rows, Snapshot, ViewError};

/// One stretch of a contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sold {
    pub from: Date,
    pub offer: String,
    pub version: u32,
    pub name: String,
    pub quantity: Decimal,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    pub subscription: Id,
    pub account: Id,
    /// Ascending by date, never empty.
    pub terms: Vec<Sold>,
    pub pauses: Vec<Pause>,
    /// The first day that is not charged.
    pub end: Option<Date>,
    /// It was taken back before it began.
    pub cancelled: bool,
    /// It is sold and not handed out yet.
    pub awaits: bool,
    /// The first day of its own, where it goes on with another account's.
    pub since: Option<Date>,
}

impl Subscription {
    pub fn start(&self) -> Option<Date> {
        self.terms.first().map(|t| t.from)
    }

    /// What is in force on a day; before the start what will be, after the end what was.
    pub fn term(&self, day: Date) -> Option<&Sold> {
        let begun = self.terms.iter().rev().find(|t| t.from <= day);
        begun.or(self.terms.first())
    }

    /// Its stage on a day.
    pub fn stage(&self, day: Date) -> Stage {
        let in_force = |p: &Pause| p.from <= day && p.until.is_none_or(|until| day < until);
        let paused = |p: &Pause| p.billing_stops && in_force(p);
        let first = match self.awaits {
            true => LAST_DATE,
            false => self.since.or(self.start()).unwrap_or(LAST_DATE),
        };
        match () {
            () if self.cancelled => Stage::Cancelled,
            () if first > day => Stage::Pending,
            () if self.end.is_some_and(|end| end <= day) => Stage::Terminated,
            () if self.pauses.iter().any(paused) => Stage::Paused,
            () => Stage::Active,
        }
    }
}

/// See [`Subscription`]. Rows: `s/subscription`; `a/account/subscription` its id.
pub struct Subscriptions;

fn key(subscription: &str) -> String {
    format!("s/{subscription}")
}

fn sold(term: &Term) -> Sold {
    Sold {
        from: term.from,
        offer: term.offer.code.clone(),
        version: term.offer.version,
        name: term.offer.name.clone(),
        quantity: term.quantity,
    }
}

impl Projection for Subscriptions {
    const NAME: &'static str = "subscriptions/list";
    const VERSION: u32 = 3;
    const KINDS: &'static [&'static str] = &["subscription"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let Event::Subscription(fact) = &recorded.event else {
            return Ok(());
        };
        let id = &recorded.id;
        if let Fact::Started(e) = fact {
            let row = Subscription {
                subscription: id.clone(),
                account: e.account.clone(),
                terms: vec![sold(&e.term)],
                pauses: vec![],
                end: None,
                cancelled: false,
                awaits: false,
                since: None,
            };
            rows.put(&format!("a/{}/{id}", e.account), id)?;
            return rows.put(&key(id), &row);
        }
        rows.change(&key(id), |row: &mut Subscription| match fact {
            Fact::Started(_) => {}
            Fact::Changed(e) => {
                row.terms.retain(|t| t.from < e.term.from);
                row.terms.push(sold(&e.term));
            }
            Fact::Paused(e) => row.pauses.push(paused(&e.reason, e.from)),
            Fact::Restricted(e) => row.pauses.push(Pause {
                reason: e.reason.clone(),
                from: e.from,
                until: None,
                billing_stops: e.billing_stops,
                usage: e.usage.clone(),
            }),
            Fact::Resumed(e) => {
                let open = |p: &&mut Pause| p.reason == e.reason && p.until.is_none();
                for pause in row.pauses.iter_mut().filter(open) {
                    pause.until = Some(e.on.max(pause.from));
                }
                row.pauses.retain(|p| p.until != Some(p.from));
            }
            Fact::Terminated(e) => row.end = Some(e.end.on),
            Fact::Ended(e) => {
                row.end = Some(e.ending.on);
                row.cancelled = e.ending.kind == EndKind::Cancelled;
            }
            Fact::Reactivated(e) => {
                let gap = row.end.take().filter(|end| *end < e.on);
                row.pauses.extend(gap.map(|end| Pause {
                    until: Some(e.on),
                    ..paused(WAS_TERMINATED, end)
                }));
            }
            Fact::Undone(e) => undo(row, &e.plan),
            Fact::ActivationAwaited(_) => row.awaits = true,
            Fact::Activated(e) => {
                row.awaits = false;
                row.terms.drain(..row.terms.len().saturating_sub(1));
                for term in &mut row.terms {
                    term.from = e.on;
                }
            }
            Fact::TakenOver(e) => row.since = Some(e.since),
            Fact::TenureAgreed(_)
            | Fact::TenureEnding(_)
            | Fact::Renewed(_)
            | Fact::TenureOver(_) => {}
        })
    }
}

fn paused(reason: &str, from: Date) -> Pause {
    Pause {
        reason: reason.to_string(),
        from,
        until: None,
        billing_stops: true,
        usage: UsageRule::Refused,
    }
}

/// What was planned is planned no more.
fn undo(row: &mut Subscription, plan: &Plan) {
    match plan {
        Plan::Change { from } => row.terms.retain(|t| t.from != *from),
        Plan::End => row.end = None,
        Plan::Pause { reason, from } => {
            let planned = |p: &Pause| p.reason == *reason && p.from == *from;
            row.pauses.retain(|p| !planned(p));
        }
        Plan::Resume { reason, on } => {
            let planned = |p: &&mut Pause| p.reason == *reason && p.until == Some(*on);
            for pause in row.pauses.iter_mut().filter(planned) {
                pause.until = None;
            }
        }
    }
}

/// One subscription.
pub fn get(snapshot: &Snapshot<'_>, subscription: &str) -> Result<Option<Subscription>, ViewError> {
    snapshot.get::<Subscriptions, _>(&key(subscription))
}

/// Subscriptions of one account, or of all, by id.
pub fn page(
    snapshot: &Snapshot<'_>,
    account: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Subscription>, ViewError> {
    match account {
        None => snapshot.page::<Subscriptions, _>("s/", after, limit),
        Some(account) => {
            let prefix = format!("a/{account}/");
            let found = snapshot.page::<Subscriptions, Id>(&prefix, after, limit)?;
            found.look_up(|id| get(snapshot, id))
        }
    }
}
