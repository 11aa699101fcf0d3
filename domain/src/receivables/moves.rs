//! Credit that leaves an account's free credit: deposits, transfers, pay-outs; and claims and money that come back.

use super::work::Work;
use super::{CreditReturned, CreditWithdrawn, Part, Source};
use crate::kernel::{Date, Id, Money, Rejection};
use serde::{Deserialize, Serialize};

/// Where a part of a fund went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Elsewhere {
    Deposit(Id),
    /// To another account.
    Account {
        transfer: Id,
        account: Id,
    },
    /// Out of the house.
    PaidOut(Id),
}

/// A part of a fund that is no longer the account's free credit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    pub to: Elsewhere,
    pub amount: Money,
}

/// Credit is held apart as a deposit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DepositTaken {
    pub deposit: Id,
    pub source: Source,
    pub amount: Money,
    pub reason: String,
}

/// A part of a deposit is credit again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DepositReleased {
    pub deposit: Id,
    pub source: Source,
    pub amount: Money,
    pub reason: String,
}

/// A deposit with something left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deposit {
    pub left: Money,
    pub reason: String,
}

/// Credit is another account's from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditMoved {
    pub transfer: Id,
    pub source: Source,
    pub amount: Money,
    pub to: Id,
    pub reason: String,
}

/// It came back, because the money behind it is wanted back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditMovedBack {
    pub transfer: Id,
    pub source: Source,
    pub amount: Money,
}

/// Credit that no payment stands behind was paid to the customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditPaidOut {
    pub refund: Id,
    pub source: Source,
    pub amount: Money,
    pub reason: String,
}

/// The account owes what another account owed: an item without a document of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimOpened {
    /// Id of the transfer, and of the item.
    pub claim: Id,
    /// Of the invoice behind it.
    pub number: String,
    pub invoice: Id,
    pub issued: Date,
    pub due: Date,
    pub total: Money,
    pub from: Id,
}

/// A debt that was taken over is owed by nobody any more: the invoice behind it is void.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimEnded {
    pub claim: Id,
    /// What was open of it, which is all.
    pub amount: Money,
    pub reason: String,
}

/// A charge-back was reversed: the money is there again. amount = Σ applied + unapplied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentRestored {
    pub payment: Id,
    pub amount: Money,
    pub applied: Vec<Part>,
    pub unapplied: Money,
}

impl Work {
    /// Free credit by source, oldest first, up to an amount; `only`: of this source.
    fn free_credit(
        &self,
        amount: Money,
        only: Option<&Source>,
    ) -> Result<Vec<(Source, Money)>, Rejection> {
        self.check("credit", amount)?;
        let mut left = amount;
        let mut parts = Vec::new();
        let funds = self.next.funds.iter();
        for fund in funds.filter(|f| only.is_none_or(|s| f.source == *s)) {
            let part = fund.unapplied.min(left);
            if part.is_positive() {
                parts.push((fund.source.clone(), part));
                left = left.minus(part);
            }
        }
        if left.is_positive() {
            let there = amount.minus(left);
            let why = format!("{there} of credit is unapplied, asked for {amount}");
            return Err(Rejection::new("CREDIT_INSUFFICIENT", why));
        }
        Ok(parts)
    }

    pub fn take_deposit(
        &mut self,
        deposit: Id,
        amount: Money,
        source: Option<&Source>,
        reason: &str,
    ) -> Result<(), Rejection> {
        if self.next.deposits.contains_key(&deposit) {
            let why = format!("deposit {deposit} is held already");
            return Err(Rejection::new("DEPOSIT_EXISTS", why));
        }
        for (source, amount) in self.free_credit(amount, source)? {
            self.say(DepositTaken {
                deposit: deposit.clone(),
                source,
                amount,
                reason: reason.to_string(),
            });
        }
        Ok(())
    }

    /// No amount: all that is left. `hold`: it pays nothing by itself. Answers which credit it is now.
    pub fn release_deposit(
        &mut self,
        deposit: &str,
        (amount, source): (Option<Money>, Option<&Source>),
        hold: bool,
        reason: &str,
    ) -> Result<Vec<(Source, Money)>, Rejection> {
        let Some(held) = self.next.deposits.get(deposit) else {
            let why = format!("no deposit {deposit:?} is held");
            return Err(Rejection::new("DEPOSIT_UNKNOWN", why));
        };
        let amount = amount.unwrap_or(held.left);
        if amount.currency != held.left.currency || amount.minor > held.left.minor {
            let why = format!(
                "{} of deposit {deposit} is left, asked for {amount}",
                held.left
            );
            return Err(Rejection::new("DEPOSIT_INSUFFICIENT", why));
        }
        self.check("deposit", amount)?;
        let to = Elsewhere::Deposit(deposit.to_string());
        let mut left = amount;
        let mut parts = Vec::new();
        for fund in self
            .next
            .funds
            .iter()
            .filter(|f| source.is_none_or(|s| f.source == *s))
        {
            let there = fund.moved.iter().find(|m| m.to == to).map(|m| m.amount);
            let part = there.map_or(Money::zero(amount.currency), |there| there.min(left));
            if part.is_positive() {
                parts.push((fund.source.clone(), part));
                left = left.minus(part);
            }
        }
        for (source, amount) in &parts {
            self.say(DepositReleased {
                deposit: deposit.to_string(),
                source: source.clone(),
                amount: *amount,
                reason: reason.to_string(),
            });
            if hold {
                self.hold(source, *amount);
            }
        }
        Ok(parts)
    }

    pub fn move_credit(
        &mut self,
        transfer: &str,
        amount: Money,
        to: &str,
        reason: &str,
    ) -> Result<(), Rejection> {
        for (source, amount) in self.free_credit(amount, None)? {
            self.say(CreditMoved {
                transfer: transfer.to_string(),
                source,
                amount,
                to: to.to_string(),
                reason: reason.to_string(),
            });
        }
        Ok(())
    }

    /// Credit that came by a transfer goes back to the account it came from.
    pub fn moved_back(&mut self, transfer: &str, source: &Source, amount: Money) {
        self.say(CreditMovedBack {
            transfer: transfer.to_string(),
            source: source.clone(),
            amount,
        });
        self.hold(source, amount);
    }

    pub fn pay_out(
        &mut self,
        refund: &str,
        source: &Source,
        amount: Money,
        reason: &str,
    ) -> Result<(), Rejection> {
        for (source, amount) in self.free_credit(amount, Some(source))? {
            self.say(CreditPaidOut {
                refund: refund.to_string(),
                source,
                amount,
                reason: reason.to_string(),
            });
        }
        Ok(())
    }

    /// Takes a part of a source's credit away: what is unapplied first, then what it paid last is reopened first.
    pub fn recall(&mut self, source: &Source, amount: Money) -> Result<(), Rejection> {
        self.check("recalled credit", amount)?;
        let fund = self.fund(source)?.clone();
        if fund.here().minor < amount.minor {
            let why = format!("{} has not {amount} left here", source.name());
            return Err(Rejection::new("CREDIT_INSUFFICIENT", why));
        }
        let mut left = amount.minus(fund.unapplied.min(amount));
        for part in self.next.newest_first(&fund, left) {
            self.disallow(&part.invoice, source);
            left = left.minus(part.amount);
            self.say(CreditReturned {
                source: source.clone(),
                invoice: part.invoice,
                amount: part.amount,
            });
        }
        self.say(CreditWithdrawn {
            source: source.clone(),
            amount,
        });
        Ok(())
    }

    pub fn claim(&mut self, claim: ClaimOpened) -> Result<(), Rejection> {
        self.check("claim", claim.total)?;
        if self.next.item(&claim.claim).is_some() {
            let why = format!("claim {} is an open item already", claim.claim);
            return Err(Rejection::new("ITEM_EXISTS", why));
        }
        self.say(claim);
        Ok(())
    }

    /// Takes a claim away, as voiding does with an invoice: what credit paid of it is credit again.
    ///
    /// # Errors
    /// `INVOICE_PAID` while a payment is applied to it.
    pub fn end_claim(&mut self, claim: Id, reason: String) -> Result<(), Rejection> {
        self.clear(&claim)?;
        let amount = self.item(&claim)?.open;
        self.say(ClaimEnded {
            claim,
            amount,
            reason,
        });
        Ok(())
    }

    /// The money of a reversed charge-back pays what it can: the chosen invoice, else oldest due first.
    pub fn restore(
        &mut self,
        payment: Id,
        amount: Money,
        invoice: Option<&str>,
    ) -> Result<(), Rejection> {
        self.check("payment", amount)?;
        let open = self.next.open_items().filter(|i| i.pending.is_none());
        let mut targets: Vec<Id> = open.map(|i| i.invoice.clone()).collect();
        if let Some(chosen) = invoice {
            targets.sort_by_key(|i| i != chosen);
        }
        let mut unapplied = amount;
        let mut applied = Vec::new();
        for invoice in targets {
            let part = self.item(&invoice)?.undisputed().min(unapplied);
            if part.is_positive() {
                unapplied = unapplied.minus(part);
                applied.push(Part {
                    invoice,
                    amount: part,
                });
            }
        }
        self.say(PaymentRestored {
            payment,
            amount,
            applied,
            unapplied,
        });
        Ok(())
    }

    /// Keeps a part of unapplied credit from paying anything by itself.
    pub fn hold(&mut self, source: &Source, amount: Money) {
        if amount.is_positive() {
            self.say(super::CreditHeld {
                source: source.clone(),
                amount,
            });
        }
    }
}
