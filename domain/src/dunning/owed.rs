//! What of an account's open items can be dunned.

use super::Case;
use crate::kernel::{Currency, Date, Id, Money};
use crate::receivables::Receivables;
use std::collections::HashSet;

/// What is open of an invoice from a due date on.
#[derive(Clone, Debug, PartialEq)]
pub struct Owed {
    pub invoice: Id,
    pub due: Date,
    pub amount: Money,
    /// A payment of it was asked for.
    pub pending: bool,
}

/// Everything that is or will be overdue, oldest due date first: what is disputed or kept out of dunning is not in it, and
/// what is to be paid in instalments is due with these
/// as long as the plan is kept, as it stands on a day.
pub fn owed(case: &Case, receivables: &Receivables, on: Date) -> Vec<Owed> {
    let dues = receivables.dues(on).into_iter();
    let dunned = dues.filter(|d| !case.excluded.contains_key(&d.invoice));
    let owed = dunned.map(|d| Owed {
        invoice: d.invoice,
        due: d.due,
        amount: d.open,
        pending: d.pending.is_some(),
    });
    owed.collect()
}

/// What of it is past due on a day; the due date itself is not late (policy 29).
pub fn overdue(owed: &[Owed], on: Date) -> impl Iterator<Item = &Owed> {
    owed.iter().filter(move |o| o.due < on)
}

/// The sum that is past due on a day.
pub fn sum(owed: &[Owed], on: Date, currency: Currency) -> Money {
    Money::sum(currency, overdue(owed, on).map(|o| o.amount))
}

/// Invoices that are past due on a day, each once.
pub fn invoices(owed: &[Owed], on: Date) -> Vec<&Id> {
    let mut seen = HashSet::new();
    let all = overdue(owed, on).map(|part| &part.invoice);
    all.filter(|invoice| seen.insert(*invoice)).collect()
}
