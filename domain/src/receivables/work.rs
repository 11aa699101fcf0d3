//! The rules of one decision: each step says its event and goes on from the state after it.

use super::{
    Application, CreditApplied, CreditGranted, CreditReturned, CreditWithdrawn, Event, Item,
    ItemCredited, ItemOpened, ItemVoided, Part, PaymentApplied, PaymentExpected, PaymentUnapplied,
    Receivables, Reversal, Source, WriteOffReversed, WrittenOff,
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
    pub fn say(&mut self, event: impl Into<Event>) {
        let event = event.into();
        Receivables::evolve(&mut self.next, &event);
        self.events.push(event);
    }

    /// Unapplied credit pays what is open: oldest item first, oldest credit first (policy 26).
    pub fn spend(&mut self) {
        let payable: Vec<Id> = self
            .next
            .open_items()
            .filter(|i| i.pending.is_none())
            .map(|i| i.invoice.clone())
            .collect();
        for invoice in payable {
            while let Some(open) = self
                .next
                .item(&invoice)
                .map(|i| i.open)
                .filter(|o| o.is_positive())
            {
                let Some(fund) = self.next.funds.iter().find(|f| f.unapplied.is_positive()) else {
                    return;
                };
                let (source, amount) = (fund.source.clone(), fund.unapplied.min(open));
                self.say(CreditApplied {
                    source,
                    invoice: invoice.clone(),
                    amount,
                });
            }
        }
    }

    fn check(&self, what: &str, amount: Money) -> Result<(), Rejection> {
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

    fn item(&self, invoice: &str) -> Result<&Item, Rejection> {
        let missing = || {
            Rejection::new(
                "INVOICE_NOT_OPEN",
                format!("the account has no finalised invoice {invoice:?} to pay"),
            )
        };
        self.next.item(invoice).ok_or_else(missing)
    }

    /// The item, unless a payment other than `own` is pending for it.
    fn free_item(&self, invoice: &str, own: Option<&str>) -> Result<&Item, Rejection> {
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

    pub fn open(&mut self, item: ItemOpened) -> Result<(), Rejection> {
        self.check("invoice", item.total)?;
        if self.next.item(&item.invoice).is_some() {
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
            left = left.minus(item.open);
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

    pub fn apply(
        &mut self,
        payment: Id,
        amount: Money,
        invoice: Option<Id>,
    ) -> Result<(), Rejection> {
        self.check("payment", amount)?;
        let targets: Vec<Id> = match invoice {
            Some(invoice) => {
                self.free_item(&invoice, Some(&payment))?;
                self.revive(&invoice, amount, "it was paid after all");
                vec![invoice]
            }
            None => {
                let (own, free): (Vec<&Item>, Vec<&Item>) = self
                    .next
                    .open_items()
                    .filter(|i| i.pending.as_ref().is_none_or(|p| *p == payment))
                    .partition(|i| i.pending.is_some());
                let rest = own.into_iter().chain(free).map(|i| i.invoice.clone());
                let rest: Vec<Id> = rest.collect();
                let mut targets = self.remitted(&payment, amount);
                targets.extend(
                    rest.into_iter()
                        .filter(|i| !targets.contains(i))
                        .collect::<Vec<_>>(),
                );
                targets
            }
        };
        let mut unapplied = amount;
        let mut applied = Vec::new();
        for invoice in targets {
            let part = self.item(&invoice)?.open.min(unapplied);
            if part.is_positive() {
                unapplied = unapplied.minus(part);
                applied.push(Part {
                    invoice,
                    amount: part,
                });
            }
        }
        self.say(PaymentApplied {
            payment,
            amount,
            applied,
            unapplied,
        });
        Ok(())
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

    /// The unapplied rest goes first, then what was paid last is reopened first.
    pub fn unapply(&mut self, payment: Id, amount: Money, why: Reversal) -> Result<(), Rejection> {
        self.check("refund", amount)?;
        let Some(fund) = self
            .next
            .fund(&Source::Payment(payment.clone()))
            .filter(|f| f.amount.minor >= amount.minor)
        else {
            return Err(Rejection::new(
                "REFUND_TOO_LARGE",
                format!("payment {payment} has not {amount} left to give back"),
            ));
        };
        let unapplied = fund.unapplied.min(amount);
        let mut left = amount.minus(unapplied);
        let mut reopened = Vec::new();
        for item in self.next.items.iter().rev() {
            let paid = Money::sum(
                amount.currency,
                fund.applied
                    .iter()
                    .filter(|a| a.invoice == item.invoice)
                    .map(|a| a.amount),
            );
            let part = paid.min(left);
            if part.is_positive() {
                left = left.minus(part);
                reopened.push(Part {
                    invoice: item.invoice.clone(),
                    amount: part,
                });
            }
        }
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

    /// Money that comes for a written-off invoice, beyond what is open of it, takes the write-off back.
    fn revive(&mut self, invoice: &str, amount: Money, reason: &str) {
        let Some(item) = self.next.item(invoice) else {
            return;
        };
        let back = amount.minus(item.open).min(item.written_off);
        if back.is_positive() {
            self.say(WriteOffReversed {
                invoice: invoice.to_string(),
                amount: back,
                reason: reason.to_string(),
            });
        }
    }

    pub fn void(&mut self, invoice: Id) -> Result<(), Rejection> {
        let item = self.free_item(&invoice, None)?;
        let number = item.number.clone();
        let applied: Vec<(Source, Application)> = self
            .next
            .applied_to(&invoice)
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
            self.say(CreditReturned {
                source,
                invoice: invoice.clone(),
                amount: part.amount,
            });
        }
        if self.item(&invoice)?.written_off.is_positive() {
            self.reverse_write_off(&invoice, "the invoice was voided")?;
        }
        let open = self.item(&invoice)?.open;
        self.say(ItemVoided { invoice, open });
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
