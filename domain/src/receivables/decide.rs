use super::work::Work;
use super::{
    Application, Event, Fund, Item, ItemOpened, PaymentDropped, Receivables, Remitted, Reversal,
    Source,
};
use crate::kernel::{Decider, Id, Money, Rejection};

#[derive(Clone, Debug)]
pub enum Command {
    Open(ItemOpened),
    /// A payment was asked of a provider; no invoice: the oldest due that it can cover.
    Expect {
        payment: Id,
        amount: Money,
        invoice: Option<Id>,
    },
    /// It failed.
    Drop {
        payment: Id,
    },
    /// What is known of a payment that will be applied.
    Remit(Remitted),
    /// It came; no invoice: oldest due date first.
    Apply {
        payment: Id,
        amount: Money,
        invoice: Option<Id>,
    },
    Unapply {
        payment: Id,
        amount: Money,
        why: Reversal,
    },
    Grant {
        source: Source,
        amount: Money,
        reason: String,
    },
    /// A wallet pays an open invoice when it is finalised.
    Prepay {
        source: Source,
        invoice: Id,
        amount: Money,
    },
    /// Takes all of a source's credit away, reopening what it paid.
    Withdraw {
        source: Source,
    },
    /// A credit note of `amount` for an invoice; what exceeds the open amount becomes credit.
    Credit {
        invoice: Id,
        note: Id,
        amount: Money,
    },
    Void {
        invoice: Id,
    },
    WriteOff {
        invoice: Id,
        reason: String,
    },
    ReverseWriteOff {
        invoice: Id,
        reason: String,
    },
}

impl Decider for Receivables {
    type State = Receivables;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Receivables, command: Command) -> Result<Vec<Event>, Rejection> {
        let mut work = Work {
            next: state.clone(),
            events: Vec::new(),
        };
        match command {
            Command::Open(item) => work.open(item)?,
            Command::Expect {
                payment,
                amount,
                invoice,
            } => work.expect(payment, amount, invoice)?,
            Command::Drop { payment } => {
                if work
                    .next
                    .items
                    .iter()
                    .any(|i| i.pending.as_ref() == Some(&payment))
                {
                    work.say(PaymentDropped { payment });
                }
            }
            Command::Remit(remitted) => work.say(remitted),
            Command::Apply {
                payment,
                amount,
                invoice,
            } => work.apply(payment, amount, invoice)?,
            Command::Unapply {
                payment,
                amount,
                why,
            } => work.unapply(payment, amount, why)?,
            Command::Grant {
                source,
                amount,
                reason,
            } => work.grant(source, amount, reason)?,
            Command::Prepay {
                source,
                invoice,
                amount,
            } => work.prepay(source, invoice, amount)?,
            Command::Withdraw { source } => work.withdraw(source)?,
            Command::Credit {
                invoice,
                note,
                amount,
            } => work.credit(invoice, note, amount)?,
            Command::Void { invoice } => work.void(invoice)?,
            Command::WriteOff { invoice, reason } => work.write_off(invoice, reason)?,
            Command::ReverseWriteOff { invoice, reason } => {
                work.reverse_write_off(&invoice, &reason)?
            }
        }
        work.spend();
        Ok(work.events)
    }

    fn evolve(state: &mut Receivables, event: &Event) {
        match event {
            Event::ItemOpened(e) => {
                state.currency = e.total.currency;
                let at = state
                    .items
                    .partition_point(|i| (i.due, &i.number) <= (e.due, &e.number));
                let item = Item {
                    invoice: e.invoice.clone(),
                    number: e.number.clone(),
                    issued: e.issued,
                    due: e.due,
                    total: e.total,
                    open: e.total,
                    written_off: Money::zero(e.total.currency),
                    pending: None,
                };
                state.items.insert(at, item);
            }
            Event::PaymentExpected(e) => {
                state.currency = e.amount.currency;
                for item in state
                    .items
                    .iter_mut()
                    .filter(|i| e.invoices.contains(&i.invoice))
                {
                    item.pending = Some(e.payment.clone());
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
                state.funds.push(Fund {
                    source,
                    amount: e.amount,
                    unapplied: e.unapplied,
                    applied: applied.collect(),
                });
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
                state.funds.push(Fund {
                    source: e.source.clone(),
                    amount: e.amount,
                    unapplied: e.amount,
                    applied: vec![],
                });
            }
            Event::CreditApplied(e) => {
                state.reopen(&e.invoice, e.amount.negated());
                if let Some(fund) = state.funds.iter_mut().find(|f| f.source == e.source) {
                    fund.unapplied = fund.unapplied.minus(e.amount);
                    fund.applied.push(Application {
                        invoice: e.invoice.clone(),
                        amount: e.amount,
                        as_credit: true,
                    });
                }
            }
            Event::CreditReturned(e) => {
                state.reopen(&e.invoice, e.amount);
                state.take_back(&e.source, &e.invoice, e.amount);
            }
            Event::CreditWithdrawn(e) => state.shrink(&e.source, e.amount),
            Event::ItemCredited(e) => state.reopen(&e.invoice, e.amount.negated()),
            Event::ItemVoided(e) => state.items.retain(|i| i.invoice != e.invoice),
            Event::WrittenOff(e) => state.write_down(&e.invoice, e.amount),
            Event::WriteOffReversed(e) => state.write_down(&e.invoice, e.amount.negated()),
        }
    }
}

impl Receivables {
    fn release(&mut self, payment: &str) {
        for item in self
            .items
            .iter_mut()
            .filter(|i| i.pending.as_deref() == Some(payment))
        {
            item.pending = None;
        }
    }

    fn reopen(&mut self, invoice: &str, by: Money) {
        if let Some(item) = self.items.iter_mut().find(|i| i.invoice == invoice) {
            item.open = item.open.plus(by);
        }
    }

    fn write_down(&mut self, invoice: &str, by: Money) {
        self.reopen(invoice, by.negated());
        if let Some(item) = self.items.iter_mut().find(|i| i.invoice == invoice) {
            item.written_off = item.written_off.plus(by);
        }
    }

    /// Money applied to an invoice is unapplied again; what was credit first goes first.
    fn take_back(&mut self, source: &Source, invoice: &str, amount: Money) {
        let Some(fund) = self.funds.iter_mut().find(|f| f.source == *source) else {
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
        if let Some(fund) = self.funds.iter_mut().find(|f| f.source == *source) {
            fund.unapplied = fund.unapplied.minus(amount);
            fund.amount = fund.amount.minus(amount);
        }
        self.funds.retain(|f| f.amount.is_positive());
    }
}
