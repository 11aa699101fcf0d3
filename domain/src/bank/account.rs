//! A bank account of a legal entity.

use crate::events;
use crate::kernel::{Currency, Date, Decider, Id, Money, Rejection};
use serde::{Deserialize, Serialize};

/// Longest id of a bank account, so that ids of its entries and payments fit.
pub const ACCOUNT_ID_MAX: usize = 40;

/// Names that a bank may call an account by besides its IBAN.
const KNOWN_AS_MAX: usize = 10;

/// Longest lead time, in open days.
const LEAD_DAYS_MAX: u32 = 14;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BankAccount {
    pub open: bool,
    pub terms: Terms,
    /// The last balance that a statement closed with.
    pub closing: Option<(Money, Date)>,
}

/// What is agreed with the bank. An entity's own account is not personal data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    pub entity: Id,
    pub currency: Currency,
    /// Its holder, as files and statements name it.
    pub holder: String,
    pub iban: String,
    pub bic: Option<String>,
    /// What else the bank calls it in statements, e.g. bank code and number in MT940.
    pub known_as: Vec<String>,
    /// SEPA creditor identifier; without one it cannot collect.
    pub creditor_id: Option<String>,
    /// Open days between sending a file and the collection (EPC rulebooks: 1 at least).
    pub lead_days: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub terms: Terms,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    pub terms: Terms,
}

/// A statement closed with a balance that is newer than any before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Balanced {
    pub statement: Id,
    pub closing: Money,
    pub on: Date,
}

events! {
    /// What happens to a bank account of a legal entity.
    pub enum Event in "bank-account" {
        Opened = "opened" 1,
        Changed = "changed" 1,
        Balanced = "balanced" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Open(Terms),
    Change(Terms),
    Balance {
        statement: Id,
        closing: Money,
        on: Date,
    },
}

impl Decider for BankAccount {
    type State = BankAccount;
    type Command = Command;
    type Event = Event;

    fn decide(state: &BankAccount, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Open(_) if state.open => Err(Rejection::new(
                "BANK_ACCOUNT_EXISTS",
                "this bank account is already open",
            )),
            Command::Open(terms) => check(&terms).map(|()| vec![Opened { terms }.into()]),
            _ if !state.open => Err(Rejection::new(
                "BANK_ACCOUNT_UNKNOWN",
                "this bank account was never opened",
            )),
            Command::Change(terms) if terms == state.terms => Ok(vec![]),
            Command::Change(terms) => change(&state.terms, terms),
            Command::Balance {
                statement,
                closing,
                on,
            } => {
                let newer = state.closing.is_none_or(|(_, last)| on >= last);
                let event = Balanced {
                    statement,
                    closing,
                    on,
                };
                Ok(newer.then(|| event.into()).into_iter().collect())
            }
        }
    }

    fn evolve(state: &mut BankAccount, event: &Event) {
        state.open = true;
        match event {
            Event::Opened(e) => state.terms = e.terms.clone(),
            Event::Changed(e) => state.terms = e.terms.clone(),
            Event::Balanced(e) => state.closing = Some((e.closing, e.on)),
        }
    }
}

fn change(now: &Terms, terms: Terms) -> Result<Vec<Event>, Rejection> {
    if terms.entity != now.entity || terms.currency != now.currency || terms.iban != now.iban {
        return Err(Rejection::new(
            "BANK_ACCOUNT_FIXED",
            "a bank account keeps its entity, currency and IBAN: open another one instead",
        ));
    }
    check(&terms)?;
    Ok(vec![Changed { terms }.into()])
}

fn check(terms: &Terms) -> Result<(), Rejection> {
    let invalid = |why: String| Err(Rejection::new("BANK_ACCOUNT_INVALID", why));
    if terms.holder.trim().is_empty() {
        return invalid("a bank account needs its holder's name".to_string());
    }
    if terms.known_as.len() > KNOWN_AS_MAX || terms.known_as.iter().any(|n| n.trim().is_empty()) {
        return invalid(format!(
            "a bank account has at most {KNOWN_AS_MAX} other names, none of them empty"
        ));
    }
    if !(1..=LEAD_DAYS_MAX).contains(&terms.lead_days) {
        return invalid(format!(
            "a lead time of {} days is not between 1 and {LEAD_DAYS_MAX}",
            terms.lead_days
        ));
    }
    if crate::methods::iban::normal(&terms.iban)? != terms.iban {
        return invalid("an IBAN is written without spaces and in capitals".to_string());
    }
    Ok(())
}
