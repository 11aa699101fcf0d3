//! The rules of one decision: each step says its event and goes on from the state after it.

use super::{
    Application, CreditApplied, CreditGranted, CreditReturned, CreditWithdrawn, Event, Fund, Item,
    ItemCredited, ItemOpened, ItemVoided, PaymentExpected, PaymentUnapplied, Receivables, Reversal,
    Source, WriteOffReversed, WrittenOff,
};
use crate::kernel::{Decider, Id, Money, Rejection};

/// Largest amount in minor units that one command may bring; sums of many of them still fit.
const MINOR_MAX: i128 = 1_000_000_000_000_000_000_000_000;

/// A decision in the making: the state with the events said so far.
pub(super) struct Work {
    pub next: Receivables,
    pub events: Vec<Event>,
}

impl Work {
    /// Begins a decision on a state.
    pub fn on(state: &Receivables) -> Work {
        Work {
            next: state.clone(),
            events: Vec::new(),
        }
    }

    pub fn say(&mut self, event: impl Into<Event>) {
        let event = event.into();
        Receivables::evolve(&mut self.next, &event);
        self.events.push(event);
    }

    /// Unapplied credit pays what is open: oldest item first, oldest credit first (policy 26).
    pub fn spend(&mut self) {
        if !self.next.funds.iter().any(|f| f.free().is_positive()) {
            return;
        }
        let payable: Vec<Id> = self
            .next
            .open_items()
            .filter(|i| i.pending.is_none() && !i.by_hand)
            .map(|i| i.invoice.clone())
            .collect();
        for invoice in payable {
            while let Some(open) = self
                .next
                .item(&invoice)
                .map(Item::undisputed)
                .filter(|o| o.is_positive())
            {
                let Some(fund) = self.next.funds.iter().find(|f| f.free().is_positive()) else {
                    return;
                };
                let (source, amount) = (fund.source.clone(), fund.free().min(open));
                self.say(CreditApplied {
                    source,
                    invoice: invoice.clone(),
                    amount,
                });
            }
        }
    }

    pub fn check(&self, what: &str, amount: Money) -> Result<(), Rejection> {
        let known = !self.next.items.is_empty() || !self.next.funds.is_empty();
        if known && amount.currency != self.next.currency {
            return Err(Rejection::new(
                "CURRENCY_MISMATCH",
                format!(
                    "the account is in {}, the {what} in {}",
                    self.next.currency, amount.currency
                ),
            ));
        }
        if !amount.is_positive() || amount.minor > MINOR_MAX {
            return Err(Rejection::new(
                "AMOUNT_INVALID",
                format!("a {what} of {amount} is not above zero or too large"),
            ));
        }
        Ok(())
    }

    pub fn item(&self, invoice: &str) -> Result<&Item, Rejection> {
        let missing = || {
            Rejection::new(
                "INVOICE_NOT_OPEN",
                format!("the account has no finalised invoice {invoice:?} to pay"),
            )
        };
        self.next.item(invoice).ok_or_else(missing)
    }

    /// The item, unless a payment other than `own` is pending for it.
    pub fn fund(&self, source: &Source) -> Result<&Fund, Rejection> {
        let missing = || {
            let why = format!("the account has no credit of {}", source.name());
            Rejection::new("CREDIT_UNKNOWN", why)
        };
        self.next.fund(source).ok_or_else(missing)
    }

    pub fn free_item(&self, invoice: &str, own: Option<&str>) -> Result<&Item, Rejection> {
        let item = self.item(invoice)?;
        match &item.pending {
            Some(pending) if Some(pending.as_str()) != own => Err(Rejection::new(
                "INVOICE_PENDING",
                format!(
                    "payment {pending} of invoice {} is pending: settle or fail it first",
                    item.number
                ),
            )),
            _ => Ok(item),
        }
    }

    /// Refuses an item of which nothing is open.
    pub fn owed(&self, invoice: &str) -> Result<(), Rejection> {
        let item = self.free_item(invoice, None)?;
        match item.open.is_positive() {
            true => Ok(()),
            false => Err(Rejection::new(
                "INVOICE_PAID",
                format!(
                    "nothing is open of invoice {}: there is nothing to pay",
                    item.number
                ),
            )),
        }
    }

    pub fn open(&mut self, item: ItemOpened) -> Result<(), Rejection> {
        self.check("invoice", item.total)?;
        // A document is finalised once, and so has one number and one day.
        let known = self.next.placed(item.due, &item.number, &item.invoice);
        if known.is_some() {
            return Err(Rejection::new(
                "ITEM_EXISTS",
                format!("invoice {} already is an open item", item.number),
            ));
        }
        self.say(item);
        Ok(())
    }

    pub fn expect(
        &mut self,
        payment: Id,
        amount: Money,
        invoice: Option<Id>,
    ) -> Result<(), Rejection> {
        self.check("payment", amount)?;
        let invoices = match invoice {
            Some(invoice) => {
                let item = self.free_item(&invoice, None)?;
                if !item.open.is_positive() {
                    return Err(Rejection::new(
                        "INVOICE_PAID",
                        format!(
                            "nothing is open of invoice {}: there is nothing to collect",
                            item.number
                        ),
                    ));
                }
                vec![invoice]
            }
            None => self.coverable(amount)?,
        };
        self.say(PaymentExpected {
            payment,
            amount,
            invoices,
        });
        Ok(())
    }

    /// The oldest free items that an amount reaches.
    fn coverable(&self, amount: Money) -> Result<Vec<Id>, Rejection> {
        let mut left = amount;
        let mut invoices = Vec::new();
        for item in self.next.open_items().filter(|i| i.pending.is_none()) {
            if !left.is_positive() {
                break;
            }
            if !item.undisputed().is_positive() {
                continue;
            }
            left = left.minus(item.undisputed());
            invoices.push(item.invoice.clone());
        }
        match self.next.open_items().next() {
            Some(item) if invoices.is_empty() => Err(Rejection::new(
                "INVOICE_PENDING",
                format!(
                    "payments of invoice {} and all other open ones are pending",
                    item.number
                ),
            )),
            _ => Ok(invoices),
        }
    }

    /// The unapplied rest goes first, then what was paid last is reopened first.
    pub fn unapply(&mut self, payment: Id, amount: Money, why: Reversal) -> Result<(), Rejection> {
        self.check("refund", amount)?;
        let Some(fund) = self
            .next
            .fund(&Source::Payment(payment.clone()))
            .filter(|f| f.here().minor >= amount.minor)
        else {
            return Err(Rejection::new(
                "REFUND_TOO_LARGE",
                format!("payment {payment} has not {amount} left to give back"),
            ));
        };
        let unapplied = fund.unapplied.min(amount);
        let reopened = self.next.newest_first(fund, amount.minus(unapplied));
        self.disallow_all(&Source::Payment(payment.clone()), &reopened);
        self.say(PaymentUnapplied {
            payment,
            why,
            amount,
            unapplied,
            reopened,
        });
        Ok(())
    }

    pub fn grant(
        &mut self,
        source: Source,
        amount: Money,
        reason: String,
    ) -> Result<(), Rejection> {
        self.check("credit", amount)?;
        if self.next.fund(&source).is_some() {
            return Err(Rejection::new(
                "CREDIT_EXISTS",
                format!("credit {source:?} was already granted"),
            ));
        }
        self.say(CreditGranted {
            source,
            amount,
            reason,
        });
        Ok(())
    }

    /// Credit of a wallet for one invoice only, never more than is open of it.
    pub fn prepay(&mut self, source: Source, invoice: Id, amount: Money) -> Result<(), Rejection> {
        let item = self.free_item(&invoice, None)?;
        if item.open.minor < amount.minor {
            return Err(Rejection::new(
                "PAYMENT_TOO_LARGE",
                format!(
                    "{} is open of invoice {}, a wallet would pay {amount}",
                    item.open, item.number
                ),
            ));
        }
        self.grant(source.clone(), amount, "wallet".to_string())?;
        self.say(CreditApplied {
            source,
            invoice,
            amount,
        });
        Ok(())
    }

    pub fn withdraw(&mut self, source: Source) -> Result<(), Rejection> {
        let Some(fund) = self.next.fund(&source).cloned() else {
            return Err(Rejection::new(
                "CREDIT_UNKNOWN",
                format!("there is no credit {source:?}"),
            ));
        };
        if !fund.moved.is_empty() {
            let why = format!(
                "a part of {} is a deposit, with another account or paid out",
                source.name()
            );
            return Err(Rejection::new("CREDIT_MOVED", why));
        }
        for applied in fund.applied {
            self.say(CreditReturned {
                source: source.clone(),
                invoice: applied.invoice,
                amount: applied.amount,
            });
        }
        self.say(CreditWithdrawn {
            source,
            amount: fund.amount,
        });
        Ok(())
    }

    pub fn credit(&mut self, invoice: Id, note: Id, amount: Money) -> Result<(), Rejection> {
        self.check("credit note", amount)?;
        self.revive(&invoice, amount, "it was credited");
        let zero = Money::zero(amount.currency);
        let reduced = self
            .next
            .item(&invoice)
            .map_or(zero, |i| i.open.min(amount));
        if reduced.is_positive() {
            self.say(ItemCredited {
                invoice,
                note: note.clone(),
                amount: reduced,
            });
        }
        let excess = amount.minus(reduced);
        if excess.is_positive() {
            self.grant(
                Source::Note(note),
                excess,
                "credit note beyond the open amount".to_string(),
            )?;
        }
        Ok(())
    }

    pub fn void(&mut self, invoice: Id) -> Result<(), Rejection> {
        self.clear(&invoice)?;
        let open = self.item(&invoice)?.open;
        self.say(ItemVoided { invoice, open });
        Ok(())
    }

    /// Takes credit and write-offs off an item; a payment that is applied stands in the way.
    pub fn clear(&mut self, invoice: &str) -> Result<(), Rejection> {
        let item = self.free_item(invoice, None)?;
        let number = item.number.clone();
        let applied: Vec<(Source, Application)> = self
            .next
            .applied_to(invoice)
            .map(|(s, a)| (s.clone(), a.clone()))
            .collect();
        if let Some((Source::Payment(payment), part)) = applied.iter().find(|(_, a)| !a.as_credit) {
            let why = format!(
                "{} of payment {payment} is applied to invoice {number}: refund it before voiding",
                part.amount
            );
            return Err(Rejection::new("INVOICE_PAID", why));
        }
        for (source, part) in applied {
            self.disallow(invoice, &source);
            self.say(CreditReturned {
                source,
                invoice: invoice.to_string(),
                amount: part.amount,
            });
        }
        if self.item(invoice)?.written_off.is_positive() {
            self.reverse_write_off(invoice, "the invoice was voided")?;
        }
        Ok(())
    }

    pub fn write_off(&mut self, invoice: Id, reason: String) -> Result<(), Rejection> {
        let item = self.free_item(&invoice, None)?;
        if !item.open.is_positive() {
            return Err(Rejection::new(
                "INVOICE_PAID",
                format!(
                    "nothing is open of invoice {}: there is nothing to write off",
                    item.number
                ),
            ));
        }
        let amount = item.open;
        self.say(WrittenOff {
            invoice,
            amount,
            reason,
        });
        Ok(())
    }

    pub fn reverse_write_off(&mut self, invoice: &str, reason: &str) -> Result<(), Rejection> {
        let item = self.item(invoice)?;
        if !item.written_off.is_positive() {
            return Err(Rejection::new(
                "INVOICE_NOT_WRITTEN_OFF",
                format!("nothing of invoice {} is written off", item.number),
            ));
        }
        let amount = item.written_off;
        self.say(WriteOffReversed {
            invoice: invoice.to_string(),
            amount,
            reason: reason.to_string(),
        });
        Ok(())
    }
}
