//! A customer account: who owes, in which currency and zone, on which terms, and who pays for it.
//!
//! - An account is opened once, under one legal entity and in one currency.
//! - A parent may pay: then the parent's invoice carries the child's lines. Only one level: a payer has no payer.
//! - Name, address and e-mail are personal data and stay sealed here: once as the contact, and once, name and address only,
//!   as the buyer of legal documents, under a key of its own.
//! - What was forgotten is never there again: a change that would bring it back is refused.

mod exempt;
pub mod folio;
pub mod forget;
mod old;

use crate::events;
use crate::kernel::{Currency, Date, Decider, Id, Personal, Rejection, Zone};
use crate::messages::Channel;
use crate::taxes::Exemption;
use serde::{Deserialize, Serialize};

pub use exempt::{TaxExempted, TaxExemptionEnded};
pub use folio::Folio;
pub use forget::{Forget, Forgotten};
use old::{ChangedV1, ChangedV2, OpenedV1, OpenedV2};

/// Name, address, e-mail and telephone of an account's holder; only ever seen sealed by the domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    pub name: String,
    #[serde(default)]
    pub email: String,
    #[serde(default)]
    pub address: String,
    #[serde(default)]
    pub phone: String,
}

/// The buyer as printed on invoices and credit notes; only ever seen sealed by the domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Buyer {
    pub name: String,
    #[serde(default)]
    pub address: String,
}

impl Contact {
    /// What legal documents need of it.
    pub fn buyer(&self) -> Buyer {
        Buyer {
            name: self.name.clone(),
            address: self.address.clone(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub open: bool,
    pub terms: AccountTerms,
    /// Everything that was forgotten, in order.
    pub forgotten: Vec<Forgotten>,
    /// Oldest first.
    pub exemptions: Vec<Exemption>,
}

/// What was agreed with the account's holder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AccountTerms {
    pub entity: Id,
    pub currency: Currency,
    pub zone: Zone,
    /// Day of the month that `billing_day` charges are aligned to, 1–31; none: the day of the subscription's start.
    pub billing_day: Option<u32>,
    /// Days from issue to due date; none: the entity's.
    pub payment_days: Option<u32>,
    /// ISO 3166 alpha-2, the buyer's country for tax.
    pub country: String,
    pub tax_category: String,
    /// The account whose invoices carry this one's charges.
    pub payer: Option<Id>,
    /// Policy the account is dunned by; none: the entity's.
    pub dunning_policy: Option<Id>,
    pub contact: Option<Personal<Contact>>,
    /// What its documents call it from now on; sealed under the key of legal documents.
    pub buyer: Option<Personal<Buyer>>,
    /// Kind of customer, e.g. `retail`, `key-account`; rules may ask for it. No personal data.
    pub group: Option<String>,
    /// Language it is written to in, a BCP 47 tag such as `de` or `pt-BR`; none: that of its legal entity.
    pub language: Option<String>,
    /// How it wants to be reached; none: by e-mail if it has an address, else by letter.
    pub channel: Option<Channel>,
}

/// Longest name of a customer group, in bytes.
pub const GROUP_LENGTH_MAX: usize = 60;

/// Longest language tag, in bytes (RFC 5646 4.4.1).
pub const LANGUAGE_LENGTH_MAX: usize = 35;

impl AccountTerms {
    /// Who owes what this account uses.
    pub fn payer<'a>(&'a self, own: &'a str) -> &'a str {
        self.payer.as_deref().unwrap_or(own)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub terms: AccountTerms,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    pub terms: AccountTerms,
}

events! {
    /// What happens to an account.
    pub enum Event in "account" {
        Opened = "opened" 3 from { 1: OpenedV1, 2: OpenedV2 },
        Changed = "changed" 3 from { 1: ChangedV1, 2: ChangedV2 },
        Forgotten = "forgotten" 1,
        TaxExempted = "tax-exempted" 1,
        TaxExemptionEnded = "tax-exemption-ended" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Open(AccountTerms),
    Change(AccountTerms),
    Forget(Box<Forget>),
    /// No tax is charged for a class of charges, or for all.
    ExemptFromTax(Exemption),
    EndTaxExemption {
        class: Option<String>,
        on: Date,
    },
}

impl Decider for Account {
    type State = Account;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Account, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Open(_) if state.open => Err(Rejection::new(
                "ACCOUNT_EXISTS",
                "this account is already open",
            )),
            Command::Open(terms) => check(&terms).map(|()| vec![Opened { terms }.into()]),
            Command::Change(_) if !state.open => Err(Rejection::new(
                "ACCOUNT_UNKNOWN",
                "this account was never opened",
            )),
            Command::Change(terms) if terms == state.terms => Ok(vec![]),
            Command::Change(terms) => {
                forget::still_there(state, &terms)?;
                change(&state.terms, terms)
            }
            Command::Forget(_) if !state.open => Err(Rejection::new(
                "ACCOUNT_UNKNOWN",
                "this account was never opened",
            )),
            Command::Forget(ask) => forget::decide(state, *ask),
            Command::ExemptFromTax(exemption) => exempt::exempt(state, exemption),
            Command::EndTaxExemption { class, on } => exempt::end(state, class, on),
        }
    }

    fn evolve(state: &mut Account, event: &Event) {
        state.open = true;
        match event {
            Event::Opened(e) => state.terms = e.terms.clone(),
            Event::Changed(e) => state.terms = e.terms.clone(),
            Event::Forgotten(e) => forget::evolve(state, e),
            Event::TaxExempted(e) => state.exemptions.push(e.exemption.clone()),
            Event::TaxExemptionEnded(e) => state.end_exemption(&e.class, e.on),
        }
    }
}

fn change(now: &AccountTerms, terms: AccountTerms) -> Result<Vec<Event>, Rejection> {
    if terms.currency != now.currency || terms.entity != now.entity {
        return Err(Rejection::new(
            "ACCOUNT_FIXED",
            format!(
                "an account keeps its entity {} and currency {}: open another account instead",
                now.entity, now.currency
            ),
        ));
    }
    check(&terms)?;
    Ok(vec![Changed { terms }.into()])
}

fn check(terms: &AccountTerms) -> Result<(), Rejection> {
    if let Some(day) = terms.billing_day
        && !(1..=31).contains(&day)
    {
        return Err(Rejection::new(
            "BILLING_DAY_INVALID",
            format!("billing day {day} is not between 1 and 31"),
        ));
    }
    if let Some(days) = terms.payment_days
        && days > 365
    {
        return Err(Rejection::new(
            "TERMS_TOO_LONG",
            format!("payment terms of {days} days are more than 365"),
        ));
    }
    if let Some(group) = &terms.group
        && (group.trim().is_empty() || group.len() > GROUP_LENGTH_MAX)
    {
        return Err(Rejection::new(
            "GROUP_INVALID",
            format!(
                "a customer group is named by 1 to {GROUP_LENGTH_MAX} bytes, {} were given",
                group.len()
            ),
        ));
    }
    match &terms.language {
        Some(tag) => check_language(tag),
        None => Ok(()),
    }
}

/// Refuses what is not formed like a language tag: subtags of 1 to 8 letters and digits between hyphens, the first of
/// 2 to 8 letters (RFC 5646 2.1).
pub fn check_language(tag: &str) -> Result<(), Rejection> {
    let mut subtags = tag.split('-');
    let primary = subtags.next().unwrap_or_default();
    let formed = tag.len() <= LANGUAGE_LENGTH_MAX
        && (2..=8).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_alphabetic())
        && subtags
            .all(|s| (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric()));
    match formed {
        true => Ok(()),
        false => Err(Rejection::new(
            "LANGUAGE_INVALID",
            format!("{tag:?} is not a language tag such as de or pt-BR"),
        )),
    }
}
