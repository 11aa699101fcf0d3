//! How old what is owed is, today or on any earlier day.
//!
//! Each open amount is a row with the time from which and until which it was so; a change closes the row and opens
//! another one. A past day is answered from the rows that were true at its end.

use indelible_domain::kernel::calendar::{add_days, days_between};
use indelible_domain::kernel::{Currency, Date, Id, Instant, Money, Zone};
use indelible_domain::receivables::Event as Fact;
use indelible_domain::{Event, Recorded, accounts};
use serde::{Deserialize, Serialize};

use super::effects;
use crate::{Projection, Rows, Snapshot, ViewError};

/// Open amounts by days past due, counted in the account's zone; the due date itself is not due (policy 29).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aging {
    pub account: Id,
    pub currency: Currency,
    pub not_due: Money,
    pub days_1_to_30: Money,
    pub days_31_to_60: Money,
    pub days_61_to_90: Money,
    pub over_90: Money,
    /// The sum of the buckets.
    pub open: Money,
    /// Credit that no invoice has used; in no bucket.
    pub unapplied: Money,
}

impl Aging {
    fn none(account: &str, currency: Currency) -> Aging {
        let none = Money::zero(currency);
        Aging {
            account: account.to_string(),
            currency,
            not_due: none,
            days_1_to_30: none,
            days_31_to_60: none,
            days_61_to_90: none,
            over_90: none,
            open: none,
            unapplied: none,
        }
    }

    fn add(&mut self, due: Date, open: Money, on: Date) {
        let bucket = match days_between(due, on) {
            ..=0 => &mut self.not_due,
            1..=30 => &mut self.days_1_to_30,
            31..=60 => &mut self.days_31_to_60,
            61..=90 => &mut self.days_61_to_90,
            91.. => &mut self.over_90,
        };
        *bucket = bucket.plus(open);
        self.open = self.open.plus(open);
    }

    /// What is past due.
    pub fn overdue(&self) -> Money {
        self.open.minus(self.not_due)
    }

    /// The buckets of two accounts of one currency together.
    #[must_use]
    pub fn plus(&self, other: &Aging) -> Aging {
        Aging {
            account: self.account.clone(),
            currency: self.currency,
            not_due: self.not_due.plus(other.not_due),
            days_1_to_30: self.days_1_to_30.plus(other.days_1_to_30),
            days_31_to_60: self.days_31_to_60.plus(other.days_31_to_60),
            days_61_to_90: self.days_61_to_90.plus(other.days_61_to_90),
            over_90: self.over_90.plus(other.over_90),
            open: self.open.plus(other.open),
            unapplied: self.unapplied.plus(other.unapplied),
        }
    }
}

/// An amount that was so from one fact until another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stretch {
    /// None for the account's credit.
    due: Option<Date>,
    amount: Money,
    from: Instant,
    /// The position of the fact that began it.
    position: u64,
    /// None while it is so.
    until: Option<Instant>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Owner {
    zone: Zone,
    currency: Currency,
}

/// See [`Aging`]. Rows: `a/account` its zone; `n/account/what` what is so now; `h/account/what/position` what was;
/// `z/account/what` what is nothing now, kept because a refund reopens it. What is `i/invoice` or `credit`.
pub struct Agings;

const CREDIT: &str = "credit";

impl Projection for Agings {
    const NAME: &'static str = "receivables/aging";
    const VERSION: u32 = 1;
    const KINDS: &'static [&'static str] = &["account", "receivable"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let account = &recorded.id;
        match &recorded.event {
            Event::Account(accounts::Event::Opened(e)) => own(rows, account, &e.terms),
            Event::Account(accounts::Event::Changed(e)) => own(rows, account, &e.terms),
            Event::Receivable(fact) => {
                let effects = effects(fact);
                for (invoice, by) in effects.open {
                    let due = match fact {
                        Fact::ItemOpened(e) => Some(e.due),
                        _ => None,
                    };
                    shift(rows, recorded, &format!("i/{invoice}"), due, by)?;
                }
                match effects.unapplied {
                    Some(by) if !by.is_zero() => shift(rows, recorded, CREDIT, None, by),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

fn own(
    rows: &mut Rows<'_>,
    account: &str,
    terms: &accounts::AccountTerms,
) -> Result<(), ViewError> {
    let owner = Owner {
        zone: terms.zone.clone(),
        currency: terms.currency,
    };
    rows.put(&format!("a/{account}"), &owner)
}

/// Closes what was so and opens what is so now.
fn shift(
    rows: &mut Rows<'_>,
    recorded: &Recorded<Event>,
    what: &str,
    due: Option<Date>,
    by: Money,
) -> Result<(), ViewError> {
    let (account, at) = (&recorded.id, recorded.meta.recorded_at);
    let now_key = format!("n/{account}/{what}");
    let nothing_key = format!("z/{account}/{what}");
    let before = match rows.get::<Stretch>(&now_key)? {
        None => rows.get::<Stretch>(&nothing_key)?,
        found => found,
    };
    let (due, amount) = match &before {
        Some(before) => (before.due, before.amount.plus(by)),
        None => (due, by),
    };
    // Nobody can ask for a time within the instant of one commit.
    if let Some(mut before) = before.filter(|b| b.from < at && !b.amount.is_zero()) {
        let key = format!("h/{account}/{what}/{:020}", before.position);
        before.until = Some(at);
        rows.put(&key, &before)?;
    }
    let now = Stretch {
        due,
        amount,
        from: at,
        position: recorded.position,
        until: None,
    };
    let (key, other) = match amount.is_zero() {
        true => (nothing_key, now_key),
        false => (now_key, nothing_key),
    };
    rows.remove(&other)?;
    rows.put(&key, &now)
}

/// The aging of one account on a day, as it was known at the end of that day in the account's zone; none if it is not
/// known.
pub fn of_account(
    snapshot: &Snapshot<'_>,
    account: &str,
    day: Date,
) -> Result<Option<Aging>, ViewError> {
    let owner = snapshot.get::<Agings, Owner>(&format!("a/{account}"))?;
    owner
        .map(|owner| aged(snapshot, account, &owner, day))
        .transpose()
}

/// The aging of all accounts that owe or have credit on a day, by account.
pub fn all(snapshot: &Snapshot<'_>, day: Date) -> Result<Vec<Aging>, ViewError> {
    let mut owners = Vec::new();
    snapshot.each::<Agings, Owner>("a/", "a0", &mut |key, owner| {
        owners.push((key.get(2..).unwrap_or_default().to_string(), owner));
        Ok(true)
    })?;
    let mut found = Vec::new();
    for (account, owner) in owners {
        let aging = aged(snapshot, &account, &owner, day)?;
        if !aging.open.is_zero() || !aging.unapplied.is_zero() {
            found.push(aging);
        }
    }
    Ok(found)
}

/// One sum per currency over all accounts.
pub fn totals(snapshot: &Snapshot<'_>, day: Date) -> Result<Vec<Aging>, ViewError> {
    let mut sums: Vec<Aging> = Vec::new();
    for aging in all(snapshot, day)? {
        match sums.iter_mut().find(|s| s.currency == aging.currency) {
            Some(sum) => *sum = sum.plus(&aging),
            None => sums.push(Aging {
                account: Id::new(),
                ..aging
            }),
        }
    }
    sums.sort_by_key(|sum| sum.currency);
    Ok(sums)
}

fn aged(
    snapshot: &Snapshot<'_>,
    account: &str,
    owner: &Owner,
    day: Date,
) -> Result<Aging, ViewError> {
    let end = owner.zone.start_of(add_days(day, 1));
    let mut aging = Aging::none(account, owner.currency);
    for kind in ["h", "n"] {
        let (from, until) = (format!("{kind}/{account}/"), format!("{kind}/{account}0"));
        snapshot.each::<Agings, Stretch>(&from, &until, &mut |_, stretch| {
            let was = stretch.from < end && stretch.until.is_none_or(|until| until >= end);
            match stretch.due {
                _ if !was => {}
                Some(due) => aging.add(due, stretch.amount, day),
                None => aging.unapplied = aging.unapplied.plus(stretch.amount),
            }
            Ok(true)
        })?;
    }
    Ok(aging)
}
