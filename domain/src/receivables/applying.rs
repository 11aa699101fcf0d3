//! What a payment pays, and what may be missing of it.

use super::work::Work;
use super::{Allowed, Item, Part, PaymentApplied, Source, Why};
use crate::cash::rules::{Rule, Rules};
use crate::kernel::{Currency, Date, Id, Money, Rejection};
use std::collections::BTreeMap;

/// By what a payment is applied.
#[derive(Clone, Debug)]
pub struct How {
    pub rules: Rules,
    /// The day it counts from: what early payment is measured by.
    pub value_date: Date,
    /// The tax inside each open invoice that a discount may be taken of.
    pub tax: BTreeMap<Id, Money>,
}

/// Targets of a payment, and what is allowed beside it.
#[derive(Default)]
struct Plan {
    targets: Vec<Id>,
    allowed: Vec<(Id, Why, Money)>,
}

impl Work {
    /// Applies money: to the chosen invoice; else to what it was asked for, then as the rules of the entity say.
    pub fn apply(
        &mut self,
        payment: Id,
        amount: Money,
        invoice: Option<Id>,
        how: &How,
    ) -> Result<(), Rejection> {
        self.check("payment", amount)?;
        let remitted = self.next.remittances.get(&payment).cloned();
        if let Some(deposit) = remitted.as_ref().and_then(|r| r.deposit.clone()) {
            self.say(PaymentApplied {
                payment: payment.clone(),
                amount,
                applied: vec![],
                unapplied: amount,
            });
            return self.take_deposit(deposit, amount, Some(&Source::Payment(payment)), "received");
        }
        let plan = match invoice {
            Some(invoice) => {
                self.free_item(&invoice, Some(&payment))?;
                self.revive(&invoice, amount, "it was paid after all");
                let allowed = self.shortfall(std::slice::from_ref(&invoice), amount, how);
                Plan {
                    targets: vec![invoice],
                    allowed,
                }
            }
            None => self.by_rules(&payment, amount, how),
        };
        let mut unapplied = amount;
        let mut applied: Vec<Part> = Vec::new();
        for invoice in plan.targets {
            let item = self.item(&invoice)?;
            let kept = plan.allowed.iter().filter(|(i, ..)| *i == invoice);
            let kept = Money::sum(amount.currency, kept.map(|(.., m)| *m));
            let part = item.open.minus(kept).min(unapplied);
            if part.is_positive() {
                unapplied = unapplied.minus(part);
                applied.push(Part {
                    invoice,
                    amount: part,
                });
            }
        }
        self.say(PaymentApplied {
            payment: payment.clone(),
            amount,
            applied,
            unapplied,
        });
        let source = Source::Payment(payment);
        for (invoice, why, amount) in plan.allowed {
            self.allow(invoice, &source, why, amount, how);
        }
        if !how.rules.order.contains(&Rule::OldestDue) {
            self.hold(&source, unapplied);
        }
        Ok(())
    }

    /// Its own pending invoices, then what each rule finds for what the earlier ones left.
    fn by_rules(&mut self, payment: &str, amount: Money, how: &How) -> Plan {
        let own = |i: &&Item| i.pending.as_deref() == Some(payment);
        let own = self.next.open_items().filter(own);
        let mut plan = Plan {
            targets: own.map(|i| i.invoice.clone()).collect(),
            allowed: vec![],
        };
        for rule in how.rules.order.clone() {
            let left = amount.minus(self.needed(&plan, amount.currency).min(amount));
            if !left.is_positive() {
                break;
            }
            let found = match rule {
                Rule::Reference => self.remitted(payment, left),
                Rule::ExactAmount => self.exact(payment, left, how).into_iter().collect(),
                Rule::OldestDue => {
                    let free = self.next.open_items().filter(|i| i.pending.is_none());
                    let free = free.filter(|i| i.undisputed() == i.open);
                    free.map(|i| i.invoice.clone()).collect()
                }
            };
            let new: Vec<Id> = found
                .into_iter()
                .filter(|i| !plan.targets.contains(i))
                .collect();
            if rule != Rule::OldestDue {
                plan.allowed.extend(self.shortfall(&new, left, how));
            }
            plan.targets.extend(new);
        }
        plan
    }

    /// What the targets of a plan take of a payment.
    fn needed(&self, plan: &Plan, currency: Currency) -> Money {
        let open = plan.targets.iter().filter_map(|i| self.next.item(i));
        let open = Money::sum(currency, open.map(|i| i.open));
        let allowed = plan.allowed.iter().map(|(.., m)| *m);
        open.minus(Money::sum(currency, allowed))
    }

    /// What the payer said the payment is for, as far as it can be paid. What was written off of it is owed again: the
    /// payer knows of it.
    fn remitted(&mut self, payment: &str, amount: Money) -> Vec<Id> {
        let named = self.next.remittances.get(payment);
        let named = named.map(|r| r.invoices.clone()).unwrap_or_default();
        let mut left = amount;
        let mut targets = Vec::new();
        for invoice in named {
            if self.free_item(&invoice, Some(payment)).is_err() || targets.contains(&invoice) {
                continue;
            }
            self.revive(&invoice, left, "it was paid after all");
            let open = self.next.item(&invoice).map(|i| i.open);
            left = left.minus(open.map_or(left, |open| open.min(left)));
            targets.push(invoice);
        }
        targets
    }

    /// The only free invoice that an amount pays exactly; several are as good as none.
    fn exact(&self, payment: &str, amount: Money, how: &How) -> Option<Id> {
        let free = |i: &&Item| i.pending.as_deref().is_none_or(|p| p == payment);
        let fits = |i: &&Item| {
            let kept = how.rules.discount(i.open, i.issued, how.value_date);
            i.undisputed() == i.open && (i.open == amount || i.open.minus(kept) == amount)
        };
        let mut found = self.next.open_items().filter(free).filter(fits);
        let only = found.next()?.invoice.clone();
        found.next().is_none().then_some(only)
    }

    /// What need not be paid of invoices that are meant to be paid whole with an amount: the discount for early payment
    /// if that is all that is missing, else a small difference, which falls on the last one.
    fn shortfall(&self, invoices: &[Id], amount: Money, how: &How) -> Vec<(Id, Why, Money)> {
        let items: Vec<&Item> = invoices
            .iter()
            .filter_map(|i| self.next.item(i))
            .filter(|i| i.open.is_positive())
            .collect();
        let open = Money::sum(amount.currency, items.iter().map(|i| i.open));
        let missing = open.minus(amount);
        if !missing.is_positive() {
            return vec![];
        }
        let mut left = missing;
        let mut kept = Vec::new();
        for item in &items {
            let most = how.rules.discount(item.open, item.issued, how.value_date);
            let part = most.min(left);
            if part.is_positive() {
                left = left.minus(part);
                kept.push((item.invoice.clone(), Why::EarlyPayment, part));
            }
        }
        if left.is_zero() {
            return kept;
        }
        match items.last() {
            Some(last) if missing.minor <= how.rules.tolerated(last.total).minor => {
                let part = missing.min(last.open);
                vec![(last.invoice.clone(), Why::Difference, part)]
            }
            _ => vec![],
        }
    }

    fn allow(&mut self, invoice: Id, source: &Source, why: Why, amount: Money, how: &How) {
        let zero = Money::zero(amount.currency);
        let item = self.next.item(&invoice);
        let tax = match (why, how.tax.get(&invoice), item) {
            (Why::EarlyPayment, Some(tax), Some(item)) => {
                let net = item.total.minus(*tax).minor;
                let split = amount.allocate(&[tax.minor, net]);
                split.ok().and_then(|s| s.first().copied()).unwrap_or(zero)
            }
            _ => zero,
        };
        self.say(Allowed {
            invoice,
            source: source.clone(),
            why,
            amount,
            tax,
        });
    }
}
