//! What each fact makes of an account's receivables.

use super::{
    Allowance, Application, Deposit, Dispute, Elsewhere, Event, Fund, Item, Moved, Part, Plan,
    Receivables, Source,
};
use crate::kernel::{Date, Id, Money};
use std::sync::Arc;

/// Advances an account's receivables by one fact.
pub(super) fn evolve(state: &mut Receivables, event: &Event) {
    match event {
        Event::ItemOpened(e) => {
            state.insert(e.invoice.clone(), &e.number, (e.issued, e.due), e.total)
        }
        Event::ClaimOpened(e) => {
            state.insert(e.claim.clone(), &e.number, (e.issued, e.due), e.total)
        }
        Event::PaymentExpected(e) => {
            state.currency = e.amount.currency;
            for invoice in &e.invoices {
                state.with_item(invoice, |item| item.pending = Some(e.payment.clone()));
            }
        }
        Event::PaymentDropped(e) => {
            state.release(&e.payment);
            state.remittances.remove(&e.payment);
        }
        Event::Remitted(e) => {
            state.remittances.insert(e.payment.clone(), e.clone());
        }
        Event::PaymentApplied(e) => {
            state.remittances.remove(&e.payment);
            state.release(&e.payment);
            state.currency = e.amount.currency;
            for part in &e.applied {
                state.reopen(&part.invoice, part.amount.negated());
            }
            let applied = e.applied.iter().map(|p| Application {
                invoice: p.invoice.clone(),
                amount: p.amount,
                as_credit: false,
            });
            let source = Source::Payment(e.payment.clone());
            // Money that was charged back and comes again joins what was left of its payment.
            match state.fund_mut(&source) {
                Some(fund) => {
                    fund.amount = fund.amount.plus(e.amount);
                    fund.unapplied = fund.unapplied.plus(e.unapplied);
                    fund.applied.extend(applied);
                }
                None => state.funds.push(Arc::new(Fund {
                    applied: applied.collect(),
                    unapplied: e.unapplied,
                    ..Fund::of(source, e.amount)
                })),
            }
        }
        Event::PaymentUnapplied(e) => {
            let source = Source::Payment(e.payment.clone());
            for part in &e.reopened {
                state.reopen(&part.invoice, part.amount);
                state.take_back(&source, &part.invoice, part.amount);
            }
            state.shrink(&source, e.amount);
        }
        Event::CreditGranted(e) => {
            state.currency = e.amount.currency;
            let fund = Fund::of(e.source.clone(), e.amount);
            state.funds.push(Arc::new(fund));
        }
        Event::CreditApplied(e) => {
            state.use_credit(&e.source, &e.invoice, e.amount);
        }
        Event::CreditReturned(e) => {
            state.reopen(&e.invoice, e.amount);
            state.take_back(&e.source, &e.invoice, e.amount);
        }
        Event::CreditWithdrawn(e) => state.shrink(&e.source, e.amount),
        Event::ItemCredited(e) => state.reopen(&e.invoice, e.amount.negated()),
        Event::ClaimEnded(e) => state.items.retain(|i| i.invoice != e.claim),
        Event::ItemVoided(e) => state.items.retain(|i| i.invoice != e.invoice),
        Event::WrittenOff(e) => state.write_down(&e.invoice, e.amount),
        Event::WriteOffReversed(e) => state.write_down(&e.invoice, e.amount.negated()),
        Event::Matched(e) => {
            for part in &e.parts {
                state.use_credit(&part.source, &part.invoice, part.amount);
                state.with_item(&part.invoice, |item| item.by_hand = false);
            }
        }
        Event::Unmatched(e) => {
            state.reopen(&e.invoice, e.amount);
            state.take_back(&e.source, &e.invoice, e.amount);
            state.with_item(&e.invoice, |item| item.by_hand = true);
            state.with_fund(&e.source, |fund| fund.held = fund.held.plus(e.amount));
        }
        Event::CreditHeld(e) => {
            state.with_fund(&e.source, |fund| fund.held = fund.held.plus(e.amount));
        }
        Event::CreditReleased(e) => {
            for source in &e.sources {
                state.with_fund(source, |fund| fund.held = Money::zero(fund.held.currency));
            }
            for invoice in &e.invoices {
                state.with_item(invoice, |item| item.by_hand = false);
            }
        }
        Event::Allowed(e) => state.with_item(&e.invoice, |item| {
            item.open = item.open.minus(e.amount);
            item.allowances.push(Allowance {
                source: e.source.clone(),
                why: e.why,
                amount: e.amount,
                tax: e.tax,
            });
        }),
        Event::AllowanceReversed(e) => state.with_item(&e.invoice, |item| {
            item.open = item.open.plus(e.amount);
            let at = item
                .allowances
                .iter()
                .position(|a| (&a.source, a.why, a.amount) == (&e.source, e.why, e.amount));
            if let Some(at) = at {
                item.allowances.remove(at);
            }
        }),
        // What a payment counts for does not depend on what it was worth.
        Event::Exchanged(_) => {}
        Event::Disputed(e) => state.with_item(&e.invoice, |item| {
            item.disputes.push(Dispute {
                id: e.dispute.clone(),
                amount: e.amount,
                reason: e.reason.clone(),
            });
        }),
        Event::DisputeEnded(e) => state.with_item(&e.invoice, |item| {
            item.disputes.retain(|d| d.id != e.dispute);
        }),
        Event::PlanAgreed(e) => {
            for planned in &e.planned {
                state.with_item(&planned.invoice, |item| {
                    item.plan = Some(e.plan.clone());
                    item.instalments = planned.instalments.clone();
                });
            }
            let plan = Plan {
                grace_days: e.grace_days,
                agreed: e.on,
            };
            state.plans.insert(e.plan.clone(), plan);
        }
        Event::PlanEnded(e) => {
            state.plans.remove(&e.plan);
            state.with_items(
                |i| i.plan.as_ref() == Some(&e.plan),
                |item| {
                    item.plan = None;
                    item.instalments.clear();
                },
            );
        }
        Event::DepositTaken(e) => {
            state.move_away(&e.source, Elsewhere::Deposit(e.deposit.clone()), e.amount);
            let deposit = state.deposits.entry(e.deposit.clone()).or_insert(Deposit {
                left: Money::zero(e.amount.currency),
                reason: e.reason.clone(),
            });
            deposit.left = deposit.left.plus(e.amount);
        }
        Event::DepositReleased(e) => {
            state.bring_back(&e.source, &Elsewhere::Deposit(e.deposit.clone()), e.amount);
            if let Some(deposit) = state.deposits.get_mut(&e.deposit) {
                deposit.left = deposit.left.minus(e.amount);
            }
            state.deposits.retain(|_, d| d.left.is_positive());
        }
        Event::CreditMoved(e) => {
            let to = Elsewhere::Account {
                transfer: e.transfer.clone(),
                account: e.to.clone(),
            };
            state.move_away(&e.source, to, e.amount);
        }
        Event::CreditMovedBack(e) => {
            let to = |to: &Elsewhere| matches!(to, Elsewhere::Account { transfer, .. } if *transfer == e.transfer);
            let fund = state.fund(&e.source);
            let moved = fund.and_then(|f| f.moved.iter().find(|m| to(&m.to)));
            if let Some(moved) = moved.map(|m| m.to.clone()) {
                state.bring_back(&e.source, &moved, e.amount);
            }
        }
        Event::CreditPaidOut(e) => {
            state.move_away(&e.source, Elsewhere::PaidOut(e.refund.clone()), e.amount);
        }
        Event::PaymentRestored(e) => {
            let source = Source::Payment(e.payment.clone());
            state.currency = e.amount.currency;
            if state.fund(&source).is_none() {
                let none = Money::zero(e.amount.currency);
                state.funds.push(Arc::new(Fund::of(source.clone(), none)));
            }
            state.with_fund(&source, |fund| {
                fund.amount = fund.amount.plus(e.amount);
                fund.unapplied = fund.unapplied.plus(e.amount);
            });
            for Part { invoice, amount } in &e.applied {
                state.use_money(&source, invoice, *amount, false);
            }
        }
    }
    for fund in &mut state.funds {
        let held = fund.held.min(fund.unapplied);
        if held != fund.held {
            Arc::make_mut(fund).held = held;
        }
    }
}

impl Fund {
    fn of(source: Source, amount: Money) -> Fund {
        Fund {
            source,
            amount,
            unapplied: amount,
            held: Money::zero(amount.currency),
            moved: vec![],
            applied: vec![],
        }
    }
}

impl Receivables {
    /// An open item in its place: by due date, then by number.
    fn insert(&mut self, invoice: Id, number: &str, (issued, due): (Date, Date), total: Money) {
        self.currency = total.currency;
        let at = self
            .items
            .partition_point(|i| (i.due, i.number.as_str()) <= (due, number));
        let item = Item::opened(invoice, number, (issued, due), total);
        self.items.insert(at, Arc::new(item));
    }

    fn with_item(&mut self, invoice: &str, change: impl FnOnce(&mut Item)) {
        // What is owed now is nearly always among the latest of what was ever owed.
        let from_end = self.items.iter().rev().position(|i| i.invoice == invoice);
        let found = from_end.and_then(|back| self.items.get_mut(self.items.len() - 1 - back));
        if let Some(item) = found {
            change(Arc::make_mut(item));
        }
    }

    /// Changes every item that is one of these.
    fn with_items(&mut self, these: impl Fn(&Item) -> bool, change: impl Fn(&mut Item)) {
        let found = self.items.iter().enumerate().filter(|(_, i)| these(i));
        for at in found.map(|(at, _)| at).collect::<Vec<_>>() {
            if let Some(item) = self.items.get_mut(at) {
                change(Arc::make_mut(item));
            }
        }
    }

    fn fund_mut(&mut self, source: &Source) -> Option<&mut Fund> {
        let found = self.funds.iter_mut().find(|f| f.source == *source);
        found.map(Arc::make_mut)
    }

    fn with_fund(&mut self, source: &Source, change: impl FnOnce(&mut Fund)) {
        if let Some(fund) = self.fund_mut(source) {
            change(fund);
        }
    }

    fn use_credit(&mut self, source: &Source, invoice: &str, amount: Money) {
        self.use_money(source, invoice, amount, true);
    }

    fn use_money(&mut self, source: &Source, invoice: &str, amount: Money, as_credit: bool) {
        self.reopen(invoice, amount.negated());
        self.with_fund(source, |fund| {
            fund.unapplied = fund.unapplied.minus(amount);
            fund.applied.push(Application {
                invoice: invoice.to_string(),
                amount,
                as_credit,
            });
        });
    }

    /// A part of a fund's free credit leaves it, and can come back.
    fn move_away(&mut self, source: &Source, to: Elsewhere, amount: Money) {
        self.with_fund(source, |fund| {
            fund.unapplied = fund.unapplied.minus(amount);
            match fund.moved.iter_mut().find(|m| m.to == to) {
                Some(moved) => moved.amount = moved.amount.plus(amount),
                None => fund.moved.push(Moved { to, amount }),
            }
        });
    }

    fn bring_back(&mut self, source: &Source, to: &Elsewhere, amount: Money) {
        self.with_fund(source, |fund| {
            fund.unapplied = fund.unapplied.plus(amount);
            for moved in fund.moved.iter_mut().filter(|m| m.to == *to) {
                moved.amount = moved.amount.minus(amount);
            }
            fund.moved.retain(|m| m.amount.is_positive());
        });
    }

    fn release(&mut self, payment: &str) {
        self.with_items(
            |i| i.pending.as_deref() == Some(payment),
            |item| item.pending = None,
        );
    }

    fn reopen(&mut self, invoice: &str, by: Money) {
        self.with_item(invoice, |item| item.open = item.open.plus(by));
    }

    fn write_down(&mut self, invoice: &str, by: Money) {
        self.reopen(invoice, by.negated());
        self.with_item(invoice, |item| {
            item.written_off = item.written_off.plus(by);
        });
    }

    /// Money applied to an invoice is unapplied again; what was credit first goes first.
    fn take_back(&mut self, source: &Source, invoice: &str, amount: Money) {
        let Some(fund) = self.fund_mut(source) else {
            return;
        };
        let mut left = amount;
        for application in fund
            .applied
            .iter_mut()
            .rev()
            .filter(|a| a.invoice == invoice)
        {
            let part = left.min(application.amount);
            application.amount = application.amount.minus(part);
            left = left.minus(part);
        }
        fund.applied.retain(|a| a.amount.is_positive());
        fund.unapplied = fund.unapplied.plus(amount);
    }

    /// Unapplied money leaves; a fund with nothing left is forgotten, nothing can use it again.
    fn shrink(&mut self, source: &Source, amount: Money) {
        self.with_fund(source, |fund| {
            fund.unapplied = fund.unapplied.minus(amount);
            fund.amount = fund.amount.minus(amount);
        });
        self.funds.retain(|f| f.amount.is_positive());
    }
}
