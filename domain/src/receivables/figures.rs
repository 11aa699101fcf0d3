//! What an account owes on a day: due, overdue, disputed, not applied, held.

use super::{Due, Item, Receivables};
use crate::kernel::{Date, Id, Money, calendar::add_days};

/// What an account owes and has on a day, as its items stand now.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Σ open − Σ unapplied credit (policy 28).
    pub total: Money,
    /// Undisputed and due on the day or before.
    pub due: Money,
    /// Undisputed and due before the day.
    pub overdue: Money,
    pub disputed: Money,
    /// Credit that no invoice has used.
    pub unapplied: Money,
    /// Held apart as deposits; in none of the other figures.
    pub deposits: Money,
}

impl Item {
    /// An item of which everything is open.
    pub fn opened(invoice: Id, number: &str, (issued, due): (Date, Date), total: Money) -> Item {
        Item {
            invoice,
            number: number.to_string(),
            issued,
            due,
            total,
            open: total,
            written_off: Money::zero(total.currency),
            pending: None,
            by_hand: false,
            allowances: vec![],
            disputes: vec![],
            plan: None,
            instalments: vec![],
        }
    }

    /// What is open of it and somebody disputes.
    pub fn disputed(&self) -> Money {
        let asked = Money::sum(self.open.currency, self.disputes.iter().map(|d| d.amount));
        asked.min(self.open)
    }

    /// What is open of it and nobody disputes.
    pub fn undisputed(&self) -> Money {
        self.open.minus(self.disputed())
    }

    /// When the first unpaid instalment of its plan is due: what is paid counts for the earliest ones.
    pub fn first_unpaid(&self) -> Option<Date> {
        self.slices().first().map(|(due, _)| *due)
    }

    /// What is undisputed by instalment, as far as it is unpaid: the last instalments are paid last.
    pub fn slices(&self) -> Vec<(Date, Money)> {
        let mut left = self.undisputed();
        let mut slices = Vec::new();
        for instalment in self.instalments.iter().rev() {
            let part = instalment.amount.min(left);
            if part.is_positive() {
                slices.push((instalment.due, part));
                left = left.minus(part);
            }
        }
        // What was owed again since (a refund, a charge-back) is due with the first of them.
        if left.is_positive() {
            match (slices.last_mut(), self.instalments.first()) {
                (Some((due, part)), Some(first)) if *due == first.due => *part = part.plus(left),
                (_, Some(first)) => slices.push((first.due, left)),
                (_, None) => slices.push((self.due, left)),
            }
        }
        slices.reverse();
        slices
    }
}

impl Receivables {
    /// What is owed undisputed and when it is due, as it stands on a day: by due date, then by number.
    ///
    /// An item of a payment plan is as many of these as it has unpaid instalments, unless the plan is broken by then.
    pub fn dues(&self, on: Date) -> Vec<Due> {
        let mut dues = Vec::new();
        for item in self.open_items() {
            let planned = item
                .plan
                .as_ref()
                .is_some_and(|p| self.broken_on(p).is_none_or(|broken| on < broken));
            let slices = if planned {
                item.slices()
            } else {
                vec![(item.due, item.undisputed())]
            };
            for (due, open) in slices.into_iter().filter(|(_, open)| open.is_positive()) {
                dues.push(Due {
                    invoice: item.invoice.clone(),
                    number: item.number.clone(),
                    due,
                    open,
                    pending: item.pending.clone(),
                });
            }
        }
        dues.sort_by(|a, b| (a.due, &a.number).cmp(&(b.due, &b.number)));
        dues
    }

    /// What is past due on a day and undisputed, one for each invoice; the due date itself is not late (policy 29).
    pub fn overdue(&self, on: Date) -> impl Iterator<Item = Due> {
        let mut late: Vec<Due> = Vec::new();
        for due in self.dues(on).into_iter().filter(|d| d.due < on) {
            match late.iter_mut().find(|l| l.invoice == due.invoice) {
                Some(known) => known.open = known.open.plus(due.open),
                None => late.push(due),
            }
        }
        late.into_iter()
    }

    /// The day on which a plan is broken if nothing more is paid: its first unpaid instalment, the days of grace, and
    /// one more. None: everything of it is paid.
    pub fn broken_on(&self, plan: &str) -> Option<Date> {
        let agreed = self.plans.get(plan)?;
        let items = self
            .items
            .iter()
            .filter(|i| i.plan.as_deref() == Some(plan));
        let first = items.filter_map(|i| i.first_unpaid()).min()?;
        Some(add_days(first, i64::from(agreed.grace_days) + 1))
    }

    /// The next day on which a plan would be broken.
    pub fn next_break(&self) -> Option<Date> {
        self.plans.keys().filter_map(|p| self.broken_on(p)).min()
    }

    /// Everything about an account's balance, on a day.
    pub fn figures(&self, on: Date) -> Figures {
        let dues = self.dues(on);
        let until = |late: fn(Date, Date) -> bool| {
            let parts = dues.iter().filter(|d| late(d.due, on)).map(|d| d.open);
            Money::sum(self.currency, parts)
        };
        Figures {
            total: self.balance(),
            due: until(|due, on| due <= on),
            overdue: until(|due, on| due < on),
            disputed: Money::sum(self.currency, self.items.iter().map(|i| i.disputed())),
            unapplied: self.unapplied(),
            deposits: Money::sum(self.currency, self.deposits.values().map(|d| d.left)),
        }
    }
}
