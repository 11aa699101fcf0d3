//! How old what is owed is, today or on any earlier day.
//!
//! Each open amount is a row with the time from which and until which it was so; a change closes the row and opens
//! another one. A past day is answered from the rows that were true at its end.

mod fold;

use std::collections::BTreeMap;

use indelible_domain::accounts::folio;
use indelible_domain::kernel::calendar::{add_days, days_between, parse_date};
use indelible_domain::kernel::{Currency, Date, Id, Money, Rejection};
use serde::{Deserialize, Serialize};

pub use fold::Agings;
use fold::{Owner, Stretch, What};

use crate::{Projection, Snapshot, ViewError};

/// Most bounds a scheme may have.
const BOUNDS_MAX: usize = 24;

/// Buckets by days past due: one up to and including each bound, and one for everything older.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheme {
    /// Last days, ascending: `[30, 60, 90]` makes 1–30, 31–60, 61–90 and over 90.
    bounds: Vec<u32>,
}

impl Default for Scheme {
    /// That of policy 29: 1–30, 31–60, 61–90 and over 90 days.
    fn default() -> Scheme {
        Scheme {
            bounds: vec![30, 60, 90],
        }
    }
}

impl Scheme {
    /// AGING_SCHEME_INVALID unless there are 1 to 24 bounds, above zero and ascending.
    pub fn new(bounds: Vec<u32>) -> Result<Scheme, Rejection> {
        let ascending = bounds.windows(2).all(|pair| pair.first() < pair.last());
        if !(1..=BOUNDS_MAX).contains(&bounds.len()) || bounds.first() == Some(&0) || !ascending {
            return Err(Rejection::new(
                "AGING_SCHEME_INVALID",
                format!(
                    "aging bounds {bounds:?}: 1 to {BOUNDS_MAX} numbers of days above zero are needed, ascending"
                ),
            ));
        }
        Ok(Scheme { bounds })
    }

    /// First and last day past due of each bucket; the last one has no last day.
    pub fn spans(&self) -> Vec<(u32, Option<u32>)> {
        let firsts = std::iter::once(1).chain(self.bounds.iter().map(|bound| bound + 1));
        let lasts = self.bounds.iter().copied().map(Some);
        firsts.zip(lasts.chain([None])).collect()
    }

    /// The bucket of a number of days past due, which is above zero.
    fn bucket(&self, late: i64) -> usize {
        self.bounds
            .partition_point(|bound| i64::from(*bound) < late)
    }
}

/// Open amounts by days past due, counted in the account's zone; the due date itself is not late (policy 29).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aging {
    pub currency: Currency,
    /// Not past due.
    pub not_due: Money,
    /// One amount per bucket of the scheme, in its order.
    pub late: Vec<Money>,
    /// The sum of all buckets.
    pub open: Money,
    /// Undisputed and due on the day or before.
    pub due: Money,
    /// Undisputed and due before the day.
    pub overdue: Money,
    /// The part of what is open that somebody disputes; aged by the due date of its invoice.
    pub disputed: Money,
    /// Credit that no invoice has used; in no bucket.
    pub unapplied: Money,
    /// Held apart as deposits; in none of the other figures.
    pub deposits: Money,
}

impl Aging {
    fn none(currency: Currency, scheme: &Scheme) -> Aging {
        let none = Money::zero(currency);
        Aging {
            currency,
            not_due: none,
            late: vec![none; scheme.bounds.len() + 1],
            open: none,
            due: none,
            overdue: none,
            disputed: none,
            unapplied: none,
            deposits: none,
        }
    }

    fn add(&mut self, scheme: &Scheme, due: Date, open: Money, on: Date) {
        let late = days_between(due, on);
        let bucket = match late {
            ..=0 => Some(&mut self.not_due),
            _ => self.late.get_mut(scheme.bucket(late)),
        };
        if let Some(bucket) = bucket {
            *bucket = bucket.plus(open);
            self.open = self.open.plus(open);
        }
    }

    fn ask(&mut self, due: Date, open: Money, on: Date) {
        let late = days_between(due, on);
        if late >= 0 {
            self.due = self.due.plus(open);
        }
        if late > 0 {
            self.overdue = self.overdue.plus(open);
        }
    }

    /// Open amounts less unapplied credit (policy 28).
    pub fn balance(&self) -> Money {
        self.open.minus(self.unapplied)
    }

    /// The buckets of two agings of one scheme and currency together.
    #[must_use]
    pub fn plus(&self, other: &Aging) -> Aging {
        let late = self.late.iter().zip(&other.late);
        Aging {
            currency: self.currency,
            not_due: self.not_due.plus(other.not_due),
            late: late.map(|(one, two)| one.plus(*two)).collect(),
            open: self.open.plus(other.open),
            due: self.due.plus(other.due),
            overdue: self.overdue.plus(other.overdue),
            disputed: self.disputed.plus(other.disputed),
            deposits: self.deposits.plus(other.deposits),
            unapplied: self.unapplied.plus(other.unapplied),
        }
    }

    fn is_nothing(&self) -> bool {
        self.open.is_zero() && self.unapplied.is_zero() && self.deposits.is_zero()
    }
}

/// What an aging is cut into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    pub account: bool,
    pub entity: bool,
    /// Invoices are split by the shares of their product lines; credit belongs to none.
    pub product_line: bool,
}

/// One part of an aging; what it was not cut into is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    pub entity: Id,
    pub product_line: String,
    pub account: Id,
    pub currency: Currency,
}

/// The aging of one account on a day, as it was known at the end of that day in the account's zone; none if it is not
/// known.
pub fn of_account(
    snapshot: &Snapshot<'_>,
    account: &str,
    day: Date,
    scheme: &Scheme,
) -> Result<Option<Aging>, ViewError> {
    let Some(mut owner) = snapshot.get::<Agings, Owner>(&format!("a/{account}"))? else {
        return Ok(None);
    };
    zoned(snapshot, account, &mut owner)?;
    let mut aging = Aging::none(owner.currency, scheme);
    for part in parts_of(snapshot, account, &owner, day)? {
        part.put(&mut aging, scheme, day);
    }
    Ok(Some(aging))
}

/// Everything that is owed or to someone's credit on a day, cut as asked, by entity, product line, account, currency.
/// Days begin and end in each account's own zone. `entity`: only of this legal entity.
pub fn cut(
    snapshot: &Snapshot<'_>,
    day: Date,
    scheme: &Scheme,
    cut: Cut,
    entity: Option<&str>,
) -> Result<Vec<(Part, Aging)>, ViewError> {
    let mut owners = Vec::new();
    snapshot.each::<Agings, Owner>("a/", "a0", &mut |key, owner| {
        let id = key.get(2..).unwrap_or_default();
        if entity.is_none_or(|entity| owner.entity == entity) {
            owners.push((id.to_string(), owner));
        }
        Ok(true)
    })?;
    let mut parts: BTreeMap<Part, Aging> = BTreeMap::new();
    for (account, mut owner) in owners {
        zoned(snapshot, &account, &mut owner)?;
        let part = |product_line: &str| Part {
            entity: pick(cut.entity, &owner.entity),
            product_line: product_line.to_string(),
            account: pick(cut.account, &account),
            currency: owner.currency,
        };
        for owed in parts_of(snapshot, &account, &owner, day)? {
            let named = match (cut.product_line, owed.invoice.as_deref()) {
                (true, Some(invoice)) => split(snapshot, invoice, owed.amount)?,
                _ => vec![(String::new(), owed.amount)],
            };
            for (product_line, amount) in named {
                let aging = parts
                    .entry(part(&product_line))
                    .or_insert_with(|| Aging::none(owner.currency, scheme));
                let owed = Owed {
                    amount,
                    ..owed.clone()
                };
                owed.put(aging, scheme, day);
            }
        }
    }
    parts.retain(|_, aging| !aging.is_nothing());
    Ok(parts.into_iter().collect())
}

/// One sum per currency over all accounts, in the buckets of policy 29.
pub fn totals(snapshot: &Snapshot<'_>, day: Date) -> Result<Vec<Aging>, ViewError> {
    let parts = cut(snapshot, day, &Scheme::default(), Cut::default(), None)?;
    Ok(parts.into_iter().map(|(_, aging)| aging).collect())
}

/// What was invoiced less what was credited, by entity and currency, on days in `[from, until)`, as it looked before
/// `until`: a document that was void by then was never invoiced, one that was voided later still was.
pub fn invoiced(
    snapshot: &Snapshot<'_>,
    from: Date,
    until: Date,
) -> Result<BTreeMap<(Id, Currency), Money>, ViewError> {
    let mut sums = BTreeMap::new();
    let mut add = |entity: &str, issued: Option<&str>, amount: Money| {
        let issued = issued.and_then(|day| parse_date(day).ok());
        if issued.is_some_and(|day| (from..until).contains(&day)) {
            let key = (entity.to_string(), amount.currency);
            let sum = sums.entry(key).or_insert(Money::zero(amount.currency));
            *sum = sum.plus(amount);
        }
    };
    snapshot.each::<Agings, Money>("y/", "y0", &mut |key, amount| {
        let mut parts = key.split('/').skip(1);
        let (entity, _currency, issued) = (parts.next(), parts.next(), parts.next());
        add(entity.unwrap_or_default(), issued, amount);
        Ok(true)
    })?;
    snapshot.each::<Agings, Money>("v/", "v0", &mut |key, amount| {
        let mut parts = key.split('/').skip(1);
        let (entity, _currency, issued) = (parts.next(), parts.next(), parts.next());
        let void = parts.next().and_then(|day| parse_date(day).ok());
        if void.is_some_and(|void| void < until) {
            add(entity.unwrap_or_default(), issued, amount.negated());
        }
        Ok(true)
    })?;
    Ok(sums)
}

fn pick(wanted: bool, what: &str) -> String {
    if wanted {
        what.to_string()
    } else {
        String::new()
    }
}

/// The open amount of an invoice over its product lines.
fn split(
    snapshot: &Snapshot<'_>,
    invoice: &str,
    amount: Money,
) -> Result<Vec<(String, Money)>, ViewError> {
    let Some(named) = snapshot.get::<Agings, Vec<(String, Money)>>(&format!("d/{invoice}"))? else {
        return Ok(vec![(String::new(), amount)]);
    };
    let weights: Vec<i128> = named.iter().map(|(_, share)| share.minor).collect();
    let parts = amount.allocate(&weights);
    let parts = parts.map_err(|refused| ViewError::row(Agings::NAME, refused))?;
    Ok(named.into_iter().map(|(name, _)| name).zip(parts).collect())
}

/// Why an amount is part of an aging.
#[derive(Clone, Copy, Debug)]
enum Why {
    Asked(Date),
    Disputed(Date),
    Credit,
    Deposit,
}

/// An amount that was open, or credit, or a deposit, on a day.
#[derive(Clone, Debug)]
struct Owed {
    invoice: Option<Id>,
    why: Why,
    amount: Money,
}

impl Owed {
    fn put(&self, aging: &mut Aging, scheme: &Scheme, day: Date) {
        let sum = |sum: &mut Money| *sum = sum.plus(self.amount);
        match self.why {
            Why::Asked(due) => {
                aging.add(scheme, due, self.amount, day);
                aging.ask(due, self.amount, day);
            }
            Why::Disputed(due) => {
                aging.add(scheme, due, self.amount, day);
                sum(&mut aging.disputed);
            }
            Why::Credit => sum(&mut aging.unapplied),
            Why::Deposit => sum(&mut aging.deposits),
        }
    }
}

/// The days of a folio begin and end in the zone that its account has now.
fn zoned(snapshot: &Snapshot<'_>, id: &str, owner: &mut Owner) -> Result<(), ViewError> {
    if folio::is_own(id) {
        return Ok(());
    }
    let account = format!("a/{}", folio::owner(id));
    if let Some(account) = snapshot.get::<Agings, Owner>(&account)? {
        owner.zone = account.zone;
    }
    Ok(())
}

/// What was open, what was credit and what was held apart at the end of a day in the account's zone.
fn parts_of(
    snapshot: &Snapshot<'_>,
    account: &str,
    owner: &Owner,
    day: Date,
) -> Result<Vec<Owed>, ViewError> {
    let end = owner.zone.start_of(add_days(day, 1));
    let mut whats = Vec::new();
    for kind in ["h", "n"] {
        let (from, until) = (format!("{kind}/{account}/"), format!("{kind}/{account}0"));
        snapshot.each::<Agings, Stretch>(&from, &until, &mut |_, stretch| {
            if stretch.from < end && stretch.until.is_none_or(|until| until >= end) {
                whats.push(stretch.what);
            }
            Ok(true)
        })?;
    }
    // A plan is broken as a whole, by the first instalment that was not paid in time.
    let mut broken: BTreeMap<Id, Date> = BTreeMap::new();
    for what in &whats {
        let What::Item { item, grace } = what else {
            continue;
        };
        if let (Some(plan), Some(first)) = (&item.plan, item.first_unpaid()) {
            let late = add_days(first, i64::from(*grace) + 1);
            let known = broken.entry(plan.clone()).or_insert(late);
            *known = late.min(*known);
        }
    }
    let mut owed = Vec::new();
    for what in whats {
        let (why, amount) = match what {
            What::Credit(amount) => (Why::Credit, amount),
            What::Deposits(amount) => (Why::Deposit, amount),
            What::Item { item, .. } => {
                let kept = |plan: &Id| broken.get(plan).is_none_or(|broken| day < *broken);
                let asked = match item.plan.as_ref().is_some_and(kept) {
                    true => item.slices(),
                    false => vec![(item.due, item.undisputed())],
                };
                let disputed = (Why::Disputed(item.due), item.disputed());
                let parts = asked.into_iter().map(|(due, open)| (Why::Asked(due), open));
                owed.extend(parts.chain([disputed]).map(|(why, amount)| Owed {
                    invoice: Some(item.invoice.clone()),
                    why,
                    amount,
                }));
                continue;
            }
        };
        owed.push(Owed {
            invoice: None,
            why,
            amount,
        });
    }
    owed.retain(|owed| !owed.amount.is_zero());
    Ok(owed)
}
