//! Monthly recurring revenue: its level on any day, and what moved it (policy 33).
//!
//! - A subscription's monthly amount changes on known days: start, end of trial, change, pause, end, and where a discount
//!   begins or ends. Those days are folded, also future ones, so that no clock is needed to see them pass.
//! - Amounts are after discounts that recur: those for a time, for some documents or for ever. A discount belongs to
//!   who pays now; what is taken off once is left out, as one-off charges are.
//! - Movements are per account and day: new, expansion, contraction, churn, reactivation.
//! - opening + movements = closing, exactly, for every range of days.

mod discounts;
mod fold;
mod holdings;

use indelible_domain::Rejection;
use indelible_domain::kernel::calendar::LAST_DATE;
use indelible_domain::kernel::{Currency, Date, Exact, Grid, Id, Span};
use serde::{Deserialize, Serialize};

pub use fold::Mrr;

use crate::{Projection, Snapshot, ViewError};

/// What moved an account's recurring revenue on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// From nothing, for the first time.
    New,
    Expansion,
    Contraction,
    /// To nothing.
    Churn,
    /// From nothing, not for the first time.
    Reactivation,
}

/// One account's movement on one day; amounts are per month and exact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    pub account: Id,
    pub on: Date,
    pub kind: Kind,
    pub before: Exact,
    pub after: Exact,
}

/// How often each kind of movement happened and how much it made; all amounts are zero or above.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moves {
    pub new: Exact,
    pub expansion: Exact,
    pub contraction: Exact,
    pub churn: Exact,
    pub reactivation: Exact,
    pub new_count: u64,
    pub expansion_count: u64,
    pub contraction_count: u64,
    pub churn_count: u64,
    pub reactivation_count: u64,
}

impl Moves {
    /// What they change in sum.
    pub fn net(&self) -> Result<Exact, Rejection> {
        let up = self.new.plus(self.expansion)?.plus(self.reactivation)?;
        up.minus(self.contraction)?.minus(self.churn)
    }

    /// Accounts gained less accounts lost.
    fn accounts(&self) -> i64 {
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        count(self.new_count) + count(self.reactivation_count) - count(self.churn_count)
    }

    fn of(&mut self, kind: Kind) -> (&mut Exact, &mut u64) {
        match kind {
            Kind::New => (&mut self.new, &mut self.new_count),
            Kind::Expansion => (&mut self.expansion, &mut self.expansion_count),
            Kind::Contraction => (&mut self.contraction, &mut self.contraction_count),
            Kind::Churn => (&mut self.churn, &mut self.churn_count),
            Kind::Reactivation => (&mut self.reactivation, &mut self.reactivation_count),
        }
    }

    fn put_in(&mut self, movement: &Movement) -> Result<(), Rejection> {
        let (amount, count) = self.of(movement.kind);
        *amount = amount.plus(size(movement)?)?;
        *count += 1;
        Ok(())
    }

    fn take_out(&mut self, movement: &Movement) -> Result<(), Rejection> {
        let (amount, count) = self.of(movement.kind);
        *amount = amount.minus(size(movement)?)?;
        *count = count.saturating_sub(1);
        Ok(())
    }

    fn add(&mut self, other: &Moves) -> Result<(), Rejection> {
        for kind in [
            Kind::New,
            Kind::Expansion,
            Kind::Contraction,
            Kind::Churn,
            Kind::Reactivation,
        ] {
            let mut other = other.clone();
            let (more, times) = other.of(kind);
            let (amount, count) = self.of(kind);
            *amount = amount.plus(*more)?;
            *count += *times;
        }
        Ok(())
    }
}

fn size(movement: &Movement) -> Result<Exact, Rejection> {
    let by = movement.after.minus(movement.before)?;
    Ok(if by.is_negative() { by.negated() } else { by })
}

/// A stretch of days with what it opened with, what moved, and what it closed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    pub from: Date,
    /// Exclusive.
    pub until: Date,
    /// Per month, exact.
    pub opening: Exact,
    pub moves: Moves,
    pub closing: Exact,
    /// Accounts with recurring revenue at the opening and at the closing.
    pub accounts_opening: u64,
    pub accounts_closing: u64,
}

impl Stretch {
    /// ARR at the closing: twelve months of it.
    pub fn arr(&self) -> Result<Exact, ViewError> {
        yearly(self.closing)
    }
}

/// ARR = 12 × MRR.
pub fn yearly(monthly: Exact) -> Result<Exact, ViewError> {
    monthly.times(12.into()).map_err(figure)
}

fn figure(why: Rejection) -> ViewError {
    ViewError::figure(Mrr::NAME, why)
}

/// The currencies in which anything ever recurred.
pub fn currencies(snapshot: &Snapshot<'_>) -> Result<Vec<Currency>, ViewError> {
    let mut found: Vec<Currency> = Vec::new();
    snapshot.each::<Mrr, Moves>("d/", "d0", &mut |key, _| {
        let code = key.split('/').nth(1).unwrap_or_default();
        let currency = code.parse().map_err(figure)?;
        if !found.contains(&currency) {
            found.push(currency);
        }
        Ok(true)
    })?;
    Ok(found)
}

/// Subscriptions that are in no figure, because their amount is too large or too fine for the sums.
pub fn uncounted(snapshot: &Snapshot<'_>) -> Result<Vec<Id>, ViewError> {
    let mut found = Vec::new();
    snapshot.each::<Mrr, Id>("x/", "x0", &mut |_, id| {
        found.push(id);
        Ok(true)
    })?;
    Ok(found)
}

/// MRR on a day.
pub fn on(snapshot: &Snapshot<'_>, currency: Currency, day: Date) -> Result<Exact, ViewError> {
    let next = day.succ_opt().unwrap_or(LAST_DATE);
    Ok(level_before(snapshot, currency, next)?.0)
}

/// One stretch per calendar month from the month of `from` to that of `through`, also where nothing happened.
pub fn by_month(
    snapshot: &Snapshot<'_>,
    currency: Currency,
    from: Date,
    through: Date,
) -> Result<Vec<Stretch>, ViewError> {
    let months = Grid::calendar(from, Span::months(1));
    series(
        snapshot,
        currency,
        months.period(from).from,
        through,
        |day| months.period(day).until,
    )
}

/// One stretch per day from `from` to `through`.
pub fn by_day(
    snapshot: &Snapshot<'_>,
    currency: Currency,
    from: Date,
    through: Date,
) -> Result<Vec<Stretch>, ViewError> {
    series(snapshot, currency, from, through, |day| {
        Span::days(1).after(day)
    })
}

/// The movements in `[from, until)`, by day and account.
pub fn movements_between(
    snapshot: &Snapshot<'_>,
    currency: Currency,
    from: Date,
    until: Date,
) -> Result<Vec<Movement>, ViewError> {
    let mut found = Vec::new();
    let (first, last) = (
        format!("m/{currency}/{from}"),
        format!("m/{currency}/{until}"),
    );
    snapshot.each::<Mrr, Movement>(&first, &last, &mut |_, movement| {
        found.push(movement);
        Ok(true)
    })?;
    Ok(found)
}

/// MRR and number of accounts at the beginning of a day.
fn level_before(
    snapshot: &Snapshot<'_>,
    currency: Currency,
    day: Date,
) -> Result<(Exact, u64), ViewError> {
    let (mut level, mut accounts) = (Exact::ZERO, 0i64);
    let (first, last) = (format!("d/{currency}/"), format!("d/{currency}/{day}"));
    snapshot.each::<Mrr, Moves>(&first, &last, &mut |_, moves| {
        level = moves
            .net()
            .and_then(|net| level.plus(net))
            .map_err(figure)?;
        accounts += moves.accounts();
        Ok(true)
    })?;
    Ok((level, u64::try_from(accounts).unwrap_or(0)))
}

fn series(
    snapshot: &Snapshot<'_>,
    currency: Currency,
    from: Date,
    through: Date,
    next: impl Fn(Date) -> Date,
) -> Result<Vec<Stretch>, ViewError> {
    let mut found = Vec::new();
    let (mut opening, mut accounts_opening) = level_before(snapshot, currency, from)?;
    let mut at = from;
    while at <= through {
        let until = next(at);
        let mut moves = Moves::default();
        let (first, last) = (
            format!("d/{currency}/{at}"),
            format!("d/{currency}/{until}"),
        );
        snapshot.each::<Mrr, Moves>(&first, &last, &mut |_, day| {
            moves.add(&day).map_err(figure)?;
            Ok(true)
        })?;
        let closing = moves
            .net()
            .and_then(|net| opening.plus(net))
            .map_err(figure)?;
        let accounts_closing = accounts_opening.saturating_add_signed(moves.accounts());
        found.push(Stretch {
            from: at,
            until,
            opening,
            moves,
            closing,
            accounts_opening,
            accounts_closing,
        });
        (opening, accounts_opening) = (closing, accounts_closing);
        if until <= at {
            break;
        }
        at = until;
    }
    Ok(found)
}
