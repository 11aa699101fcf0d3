//! Wallets: money or credits put in before they are used, burnt as usage is rated or as invoices are finalised.
//!
//! - A wallet belongs to one account and holds one currency, counted in the currency or in a unit of a fixed worth.
//! - It is burnt by its priority, then by priority of the grant, then earliest expiry, then oldest grant (policy 30);
//!   below zero only down to its reject level, which never lies below minus its credit limit.
//! - What was burnt is exact; what is posted is the rounded sum so far minus what was posted before, so that the
//!   postings of a wallet never drift from it.
//! - The day a grant expires is the first day on which it is gone; the event date of the usage decides.
//! - A wallet that includes tax is burnt by the tax of what it pays too; the tax of each grant and meter is remembered, so
//!   that a correction gives back exactly what was taken, whatever the rate is by then.
//! - A top-up whose money goes back is taken out again as far as it is there; what is spent of it stays owed on its
//!   invoice. A credited or void one is taken out whole, down to the credit limit, or the credit is refused.
//! - What was burnt below zero is repaid first by whatever is put in next.
//! - Grants − what left them = remaining + repaid, per grant: every part of a spending names the grant it came from.

pub mod audit;
mod decide;
mod holds;
mod old;
mod purse;
mod refill;
mod revoke;
mod taxes;
mod taxing;
mod terms;

use crate::events;
use crate::kernel::{Currency, Date, Exact, Id, Instant, Money, Rejection};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use decide::{Command, Put};
pub use holds::{Held, Hold, Released};
use old::ToppedUpV1;
pub use purse::{Change, Draw, Purse};
pub use revoke::{Entitlement, Restored, Revoked};
pub use taxes::{TaxPart, Taxed};
pub use terms::{Burn, Funding, Rollover, Rule, Size, Target, Targets, Terms, Unit, When};

/// Stands for a grant in a part that was burnt below zero.
pub const OVERDRAFT: &str = "overdraft";

/// Where what is in a grant came from: the other side of its posting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Money that was received with it.
    #[default]
    Paid,
    Free,
    /// The invoice that was paid for it.
    Invoice(Id),
    /// What was left of a grant that expired; `kept` of the amount, the rest was added by its rule.
    Rollover {
        from: Id,
        kept: Money,
    },
}

/// An amount put into a wallet at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    pub id: Id,
    pub amount: Money,
    pub remaining: Exact,
    /// The first day on which it cannot be used.
    pub expires: Option<Date>,
    pub at: Instant,
    /// Lower is burnt first within the wallet.
    pub priority: u32,
    pub origin: Origin,
    pub rollover: Option<Rollover>,
    /// The automatic top-up that made it.
    pub rule: Option<Id>,
    /// What of it repaid what had been burnt below zero.
    pub repaid: Exact,
}

impl Grant {
    pub fn usable_on(&self, date: Date) -> bool {
        self.expires.is_none_or(|expires| date < expires)
    }
}

/// A top-up that is there once its invoice is paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// The grant it will be.
    pub grant: Id,
    pub invoice: Id,
    pub amount: Money,
    pub on: Date,
    pub expires: Option<Date>,
    /// Instead of `expires`: how long it lasts from the day it is there.
    pub lasts: Option<crate::kernel::Span>,
    pub priority: u32,
    pub rollover: Option<Rollover>,
    pub rule: Option<Id>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wallet {
    pub account: Id,
    pub currency: Currency,
    pub terms: Terms,
    /// Oldest first.
    pub grants: Vec<Grant>,
    /// What usage and invoices have burnt.
    pub burnt: Exact,
    /// What expired or was taken out by hand.
    pub gone: Exact,
    /// The part of `burnt` and `gone` that was posted in minor units.
    pub posted: Money,
    /// Money set aside, by what it is set aside for; also what counts no more until that is noted.
    pub holds: BTreeMap<Id, Hold>,
    /// How far it was burnt below zero and not repaid.
    pub overdraft: Exact,
    /// The furthest below zero that was ever agreed.
    pub deepest: Exact,
    /// How often each automatic top-up has happened.
    pub done: BTreeMap<Id, u32>,
    /// Top-ups whose invoices are not paid yet.
    pub asked: Vec<Ask>,
    /// What paid which invoice, by grant.
    pub paid: BTreeMap<Id, Vec<(Id, Exact)>>,
    /// What was taken out again of top-ups whose invoices are not paid any more: where it was, by top-up.
    pub revoked: BTreeMap<Id, Vec<(Id, Exact)>>,
    /// The tax inside what was burnt at rating, by meter.
    pub taxed: BTreeMap<Id, Vec<TaxPart>>,
    /// All of it together.
    pub tax: Exact,
    /// The part of `tax` that was posted in minor units.
    pub tax_posted: Money,
    open: bool,
}

impl Wallet {
    /// What can be used on a day, less what was burnt below zero.
    pub fn balance(&self, on: Date) -> Exact {
        let usable = self.grants.iter().filter(|g| g.usable_on(on));
        // Grants are whole minor units and what is left of them shares the denominators of prices: sums stay small.
        let usable = usable.fold(Exact::ZERO, |sum, g| sum.plus(g.remaining).unwrap_or(sum));
        usable.minus(self.overdraft).unwrap_or(usable)
    }

    /// The same in units of the wallet.
    pub fn units(&self, on: Date) -> Exact {
        let money = self.balance(on);
        self.terms.units(money).unwrap_or(money)
    }

    pub fn grant(&self, id: &str) -> Option<&Grant> {
        self.grants.iter().find(|g| g.id == id)
    }

    /// Takes parts from their grants; negative parts go back. What goes back to below zero beyond what is still owed
    /// there goes to the grants that repaid it, latest first.
    fn take(&mut self, parts: &[(Id, Exact)]) -> Result<(), Rejection> {
        for (id, amount) in parts {
            if id != OVERDRAFT {
                if let Some(grant) = self.grants.iter_mut().find(|g| g.id == *id) {
                    grant.remaining = grant.remaining.minus(*amount)?;
                }
                continue;
            }
            self.overdraft = self.overdraft.plus(*amount)?;
            for grant in self.grants.iter_mut().rev() {
                if !self.overdraft.is_negative() {
                    break;
                }
                let back = self.overdraft.negated().min(grant.repaid);
                grant.repaid = grant.repaid.minus(back)?;
                grant.remaining = grant.remaining.plus(back)?;
                self.overdraft = self.overdraft.plus(back)?;
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub account: Id,
    pub currency: Currency,
    pub priority: u32,
}

/// Something else was agreed about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TermsSet {
    pub terms: Terms,
}

/// An amount was put in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToppedUp {
    pub grant: Grant,
}

/// What had been burnt below zero was taken from a grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repaid {
    pub grant: Id,
    pub amount: Exact,
}

/// Usage of one batch was paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Burnt {
    pub batch: Id,
    /// (grant, amount); negative: given back by a correction.
    pub parts: Vec<(Id, Exact)>,
    pub amount: Exact,
    /// What a journal posts for it.
    pub posted: Money,
}

/// An invoice was paid, or a part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paid {
    pub invoice: Id,
    pub parts: Vec<(Id, Exact)>,
    pub amount: Money,
}

/// An invoice that it had paid is void: the amount is back where it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Returned {
    pub invoice: Id,
    pub amount: Money,
}

/// What was left of a grant on the day it expired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expired {
    pub grant: Id,
    pub on: Date,
    pub amount: Exact,
    pub posted: Money,
}

/// Taken out by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Voided {
    pub parts: Vec<(Id, Exact)>,
    pub amount: Exact,
    pub posted: Money,
    pub reason: String,
}

/// The low level was crossed downwards; said once per crossing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RanLow {
    pub on: Date,
    pub balance: Exact,
}

/// Nothing usable is left; said once per crossing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Emptied {
    pub on: Date,
}

/// A top-up is invoiced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub ask: Ask,
}

/// The invoice of a top-up will not be paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskDropped {
    pub grant: Id,
    pub reason: String,
}

events! {
    /// What happens to a wallet.
    pub enum Event in "wallet" {
        Opened = "opened" 1,
        ToppedUp = "topped-up" 2 from { 1: ToppedUpV1 },
        Burnt = "burnt" 1,
        Emptied = "emptied" 1,
        Held = "held" 1,
        Released = "released" 1,
        TermsSet = "terms-set" 1,
        Repaid = "repaid" 1,
        Paid = "paid" 1,
        Returned = "returned" 1,
        Expired = "expired" 1,
        Voided = "voided" 1,
        RanLow = "ran-low" 1,
        Asked = "asked" 1,
        AskDropped = "ask-dropped" 1,
        Revoked = "revoked" 1,
        Restored = "restored" 1,
        Taxed = "taxed" 1,
    }
}

impl Wallet {
    fn apply(&mut self, event: &Event) -> Result<(), Rejection> {
        match event {
            Event::Opened(e) => {
                self.open = true;
                self.account.clone_from(&e.account);
                self.currency = e.currency;
                self.terms.priority = e.priority;
                self.posted = Money::zero(e.currency);
                self.tax_posted = Money::zero(e.currency);
            }
            Event::TermsSet(e) => {
                self.terms = e.terms.clone();
                self.deepest = self.deepest.max(self.terms.floor().negated());
            }
            Event::ToppedUp(e) => {
                match &e.grant.origin {
                    Origin::Invoice(_) => self.asked.retain(|a| a.grant != e.grant.id),
                    _ => self.count(e.grant.rule.as_ref()),
                }
                self.grants.push(e.grant.clone());
            }
            Event::Repaid(e) => {
                self.overdraft = self.overdraft.minus(e.amount)?;
                if let Some(grant) = self.grants.iter_mut().find(|g| g.id == e.grant) {
                    grant.remaining = grant.remaining.minus(e.amount)?;
                    grant.repaid = grant.repaid.plus(e.amount)?;
                }
            }
            Event::Burnt(e) => {
                self.take(&e.parts)?;
                self.burnt = self.burnt.plus(e.amount)?;
                self.posted = self.posted.plus(e.posted);
            }
            Event::Paid(e) => {
                self.take(&e.parts)?;
                self.burnt = self.burnt.plus(e.amount.exact())?;
                self.posted = self.posted.plus(e.amount);
                self.paid
                    .entry(e.invoice.clone())
                    .or_default()
                    .extend(e.parts.iter().cloned());
            }
            Event::Returned(e) => {
                let mut back = self.paid.remove(&e.invoice).unwrap_or_default();
                for (_, amount) in &mut back {
                    *amount = amount.negated();
                }
                self.take(&back)?;
                self.burnt = self.burnt.minus(e.amount.exact())?;
                self.posted = self.posted.minus(e.amount);
            }
            Event::Expired(e) => {
                self.take(&[(e.grant.clone(), e.amount)])?;
                // What was free rolls over by the next fact; what is held does when it is free again.
                for grant in self.grants.iter_mut().filter(|g| g.id == e.grant) {
                    if grant.remaining.is_zero() {
                        grant.rollover = None;
                    }
                }
                self.gone = self.gone.plus(e.amount)?;
                self.posted = self.posted.plus(e.posted);
            }
            Event::Voided(e) => {
                self.take(&e.parts)?;
                self.gone = self.gone.plus(e.amount)?;
                self.posted = self.posted.plus(e.posted);
            }
            Event::Asked(e) => {
                self.count(e.ask.rule.as_ref());
                self.asked.push(e.ask.clone());
            }
            Event::AskDropped(e) => self.asked.retain(|a| a.grant != e.grant),
            Event::Held(e) => {
                let (parts, until) = (e.parts.clone(), e.until);
                self.holds.insert(e.by.clone(), Hold { parts, until });
            }
            Event::Released(e) => {
                self.holds.remove(&e.by);
            }
            Event::Revoked(e) => self.revoke(e)?,
            Event::Restored(e) => self.restore(e)?,
            Event::Taxed(e) => self.add_taxes(e)?,
            Event::RanLow(_) | Event::Emptied(_) => {}
        }
        Ok(())
    }

    fn count(&mut self, rule: Option<&Id>) {
        if let Some(rule) = rule {
            let done = self.done.entry(rule.clone()).or_default();
            *done = done.saturating_add(1);
        }
    }
}
