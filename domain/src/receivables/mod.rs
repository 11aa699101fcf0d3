//! What an account owes and what it has to its credit: open items, the money applied to them, and the rest of it.
//!
//! One stream per paying account, because here and nowhere else could the same money be spent twice.
//!
//! - An item's open amount = total − credit notes − applied money − allowances − write-off, never below zero (policy 28).
//! - A fund (payment, credit note's excess, granted or transferred credit) = what is applied of it + what is unapplied +
//!   what was moved elsewhere (a deposit, another account, paid out), none of them below zero.
//! - What was unmatched, and credit that is held, is touched by nothing but a hand until it is released (policy 27).
//! - Disputed amounts are not asked for and not paid by themselves; instalments of a plan take the place of due dates.
//! - Unapplied credit pays open items at once, oldest due date first, equal ones by number; drafts have no item (policy 26).
//! - Nothing but its own payment and credit notes touches an item while a payment of it is pending (policy 26).
//! - Account balance = Σ open − Σ unapplied (policy 28).

mod agreements;
mod applying;
pub mod audit;
mod decide;
mod evolve;
mod figures;
mod matches;
mod moves;
mod react;
mod work;

use crate::events;
use crate::kernel::{Currency, Date, Id, Money, ShortRoll};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

pub use agreements::{
    Dispute, DisputeEnded, Disputed, Instalment, Plan, PlanAgreed, PlanEnd, PlanEnded, Planned,
};
pub use applying::How;
pub use decide::Command;
pub use figures::Figures;
pub use matches::{
    Allowance, AllowanceReversed, Allowed, CreditHeld, CreditReleased, Exchanged, MatchPart,
    Matched, RestOn, Unmatched, Why,
};
pub use moves::{
    ClaimEnded, ClaimOpened, CreditMoved, CreditMovedBack, CreditPaidOut, Deposit, DepositReleased,
    DepositTaken, Elsewhere, Moved, PaymentRestored,
};
pub use react::react;

/// Where money that can pay items came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Payment(Id),
    /// A credit note, by its document.
    Note(Id),
    /// Credit given by hand.
    Grant(Id),
    /// What a wallet paid of an invoice: `wallet/invoice`.
    Wallet(Id),
    /// Credit or debt taken over between two accounts.
    Transfer(Id),
}

/// A finalised invoice above zero, paid or not: a refund can reopen it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub invoice: Id,
    pub number: String,
    pub issued: Date,
    pub due: Date,
    pub total: Money,
    pub open: Money,
    pub written_off: Money,
    /// The payment asked of a provider that has not come yet.
    pub pending: Option<Id>,
    /// Something was unmatched from it: credit does not pay it by itself.
    pub by_hand: bool,
    /// What need not be paid because of a payment.
    pub allowances: Vec<Allowance>,
    /// Open ones, in the order they came.
    pub disputes: Vec<Dispute>,
    /// Payment plan in force.
    pub plan: Option<Id>,
    /// Its instalments, in the order of their days; empty without a plan.
    pub instalments: Vec<Instalment>,
}

/// A part of what is owed that may be asked for, with the day it is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    pub invoice: Id,
    pub number: String,
    pub due: Date,
    /// Above zero.
    pub open: Money,
    /// The payment asked of a provider that has not come yet.
    pub pending: Option<Id>,
}

/// Money of one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fund {
    pub source: Source,
    /// What was not refunded, charged back or withdrawn = Σ applied + unapplied + Σ moved.
    pub amount: Money,
    pub unapplied: Money,
    /// The part of `unapplied` that pays nothing by itself.
    pub held: Money,
    /// What is in deposits, with other accounts or was paid out.
    pub moved: Vec<Moved>,
    pub applied: Vec<Application>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Application {
    pub invoice: Id,
    pub amount: Money,
    /// It was account credit first, and goes back there when the invoice is voided.
    pub as_credit: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Receivables {
    pub currency: Currency,
    /// What payers said of payments that were not applied yet.
    pub remittances: BTreeMap<Id, Remitted>,
    /// By due date, then by number. Shared, because every decision is taken on a copy: what it leaves alone is not copied,
    /// so that years of invoices and payments cost the next one little.
    pub items: ShortRoll<Arc<Item>>,
    /// In the order they came; shared as items are.
    pub funds: Vec<Arc<Fund>>,
    /// Deposits with something left.
    pub deposits: BTreeMap<Id, Deposit>,
    /// Payment plans in force.
    pub plans: BTreeMap<Id, Plan>,
}

/// An amount for one invoice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub invoice: Id,
    pub amount: Money,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversal {
    Refund,
    ChargeBack,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemOpened {
    pub invoice: Id,
    pub number: String,
    #[serde(with = "crate::kernel::written")]
    pub issued: Date,
    #[serde(with = "crate::kernel::written")]
    pub due: Date,
    pub total: Money,
}

/// A payment was asked for; until it comes or fails nothing else pays these invoices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentExpected {
    pub payment: Id,
    pub amount: Money,
    pub invoices: Vec<Id>,
}

/// What is known of a payment beside its amount, before it is applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remitted {
    pub payment: Id,
    /// The day the bank counts it from.
    pub value_date: Date,
    /// Words of the payer's text that can be numbers.
    pub reference: String,
    /// Keyed hash of the payer's bank account: the next payment from there is of this account too.
    pub payer: Option<String>,
    /// How the account was found.
    pub found: Found,
    /// What it is to pay first, in this order; what is left goes where the rules say.
    pub invoices: Vec<Id>,
    /// It pays nothing: all of it is held apart as this deposit.
    pub deposit: Option<Id>,
}

/// By what the account of money was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Whoever recorded it said so.
    Given,
    InvoiceNumber,
    /// A structured creditor reference (ISO 11649).
    CreditorReference,
    AccountNumber,
    /// Money came from that bank account before.
    Payer,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentDropped {
    pub payment: Id,
}

/// amount = Σ applied + unapplied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentApplied {
    pub payment: Id,
    pub amount: Money,
    pub applied: Vec<Part>,
    pub unapplied: Money,
}

/// Money went back to the payer: amount = unapplied + Σ reopened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentUnapplied {
    pub payment: Id,
    pub why: Reversal,
    pub amount: Money,
    pub unapplied: Money,
    pub reopened: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditGranted {
    pub source: Source,
    pub amount: Money,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditApplied {
    pub source: Source,
    pub invoice: Id,
    pub amount: Money,
}

/// Credit used on an invoice is account credit again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditReturned {
    pub source: Source,
    pub invoice: Id,
    pub amount: Money,
}

/// Unapplied credit ceased to exist, because the credit note behind it was voided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditWithdrawn {
    pub source: Source,
    pub amount: Money,
}

/// A credit note reduced what is open of its invoice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemCredited {
    pub invoice: Id,
    pub note: Id,
    pub amount: Money,
}

/// The invoice was voided: `open` is no longer owed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemVoided {
    pub invoice: Id,
    pub open: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WrittenOff {
    pub invoice: Id,
    pub amount: Money,
    pub reason: String,
}

/// Written-off money is owed again, because it was paid, credited or asked for after all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriteOffReversed {
    pub invoice: Id,
    pub amount: Money,
    pub reason: String,
}

events! {
    /// What happens to an account's open items and credit.
    pub enum Event in "receivable" {
        ItemOpened = "item-opened" 1,
        PaymentExpected = "payment-expected" 1,
        PaymentDropped = "payment-dropped" 1,
        PaymentApplied = "payment-applied" 1,
        PaymentUnapplied = "payment-unapplied" 1,
        CreditGranted = "credit-granted" 1,
        CreditApplied = "credit-applied" 1,
        CreditReturned = "credit-returned" 1,
        CreditWithdrawn = "credit-withdrawn" 1,
        ItemCredited = "item-credited" 1,
        ItemVoided = "item-voided" 1,
        WrittenOff = "written-off" 1,
        WriteOffReversed = "write-off-reversed" 1,
        Remitted = "remitted" 1,
        Matched = "matched" 1,
        Unmatched = "unmatched" 1,
        CreditHeld = "credit-held" 1,
        CreditReleased = "credit-released" 1,
        Allowed = "allowed" 1,
        AllowanceReversed = "allowance-reversed" 1,
        Exchanged = "exchanged" 1,
        Disputed = "disputed" 1,
        DisputeEnded = "dispute-ended" 1,
        PlanAgreed = "plan-agreed" 1,
        PlanEnded = "plan-ended" 1,
        DepositTaken = "deposit-taken" 1,
        DepositReleased = "deposit-released" 1,
        CreditMoved = "credit-moved" 1,
        CreditMovedBack = "credit-moved-back" 1,
        CreditPaidOut = "credit-paid-out" 1,
        ClaimOpened = "claim-opened" 1,
        PaymentRestored = "payment-restored" 1,
        ClaimEnded = "claim-ended" 1,
    }
}

impl Fund {
    /// What of it is still with the account: applied or free.
    pub fn here(&self) -> Money {
        let moved = self.moved.iter().map(|m| m.amount);
        self.amount.minus(Money::sum(self.amount.currency, moved))
    }

    /// Free credit that pays by itself.
    pub fn free(&self) -> Money {
        self.unapplied.minus(self.held)
    }
}

impl Receivables {
    /// Σ open amounts − unapplied credit; below zero when the account is in credit (policy 28).
    pub fn balance(&self) -> Money {
        self.open().minus(self.unapplied())
    }

    /// Σ open amounts of all items.
    pub fn open(&self) -> Money {
        Money::sum(self.currency, self.items.iter().map(|i| i.open))
    }

    /// Credit that no invoice has used.
    pub fn unapplied(&self) -> Money {
        Money::sum(self.currency, self.funds.iter().map(|f| f.unapplied))
    }

    /// Items with something to pay, oldest due date first.
    pub fn open_items(&self) -> impl Iterator<Item = &Item> {
        let items = self.items.iter().map(AsRef::as_ref);
        items.filter(|i: &&Item| i.open.is_positive())
    }

    pub fn item(&self, invoice: &str) -> Option<&Item> {
        let found = self.items.iter().rfind(|i| i.invoice == invoice);
        found.map(AsRef::as_ref)
    }

    /// An item by the day it is due and its number, of which others may have the same: found without a look at all others.
    pub(super) fn placed(&self, due: Date, number: &str, invoice: &str) -> Option<&Item> {
        let before = |i: &Arc<Item>| (i.due, i.number.as_str()) < (due, number);
        let from = self.items.since(self.items.partition_point(before));
        let mut same = from.take_while(|i| (i.due, i.number.as_str()) == (due, number));
        same.find(|i| i.invoice == invoice).map(AsRef::as_ref)
    }

    pub fn fund(&self, source: &Source) -> Option<&Fund> {
        let found = self.funds.iter().find(|f| f.source == *source);
        found.map(AsRef::as_ref)
    }

    /// What a fund paid, newest item first, up to an amount: what is reopened when its money goes.
    fn newest_first(&self, fund: &Fund, amount: Money) -> Vec<Part> {
        let mut left = amount;
        let mut parts = Vec::new();
        for item in self.items.iter().rev() {
            let applied = fund.applied.iter().filter(|a| a.invoice == item.invoice);
            let paid = Money::sum(amount.currency, applied.map(|a| a.amount));
            let part = paid.min(left);
            if part.is_positive() {
                left = left.minus(part);
                parts.push(Part {
                    invoice: item.invoice.clone(),
                    amount: part,
                });
            }
        }
        parts
    }

    /// What was applied to an invoice, by source.
    pub fn applied_to<'a>(
        &'a self,
        invoice: &'a str,
    ) -> impl Iterator<Item = (&'a Source, &'a Application)> {
        self.funds.iter().flat_map(move |f| {
            f.applied
                .iter()
                .filter(move |a| a.invoice == invoice)
                .map(move |a| (&f.source, a))
        })
    }
}
