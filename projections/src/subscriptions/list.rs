//! Subscriptions: what is sold to whom, from when until when.

use indelible_domain::kernel::{Date, Decimal, Id};
use indelible_domain::subscriptions::{Event as Fact, Pause, Stage, Term, UsageRule};
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
        match self.start() {
            Some(start) if start > day => Stage::Pending,
            _ if self.end.is_some_and(|end| end <= day) => Stage::Terminated,
            _ if self.pauses.iter().any(paused) => Stage::Paused,
            _ => Stage::Active,
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
    const VERSION: u32 = 2;
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
            Fact::Paused(e) => row.pauses.push(Pause {
                reason: e.reason.clone(),
                from: e.from,
                until: None,
                billing_stops: true,
                usage: UsageRule::Refused,
            }),
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
        })
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
