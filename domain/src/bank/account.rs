//! A bank account of a legal entity.

use super::FeeRule;
use crate::events;
use crate::kernel::{Currency, Date, Decider, Id, Money, Rejection, key};
use serde::{Deserialize, Serialize};

/// Longest id of a bank account, so that ids of its entries and payments fit.
pub const ACCOUNT_ID_MAX: usize = 40;

/// Names that a bank may call an account by besides its IBAN.
const KNOWN_AS_MAX: usize = 10;

/// Most entries that are shown as expected; what is more is left out until a statement books some.
const EXPECTED_MAX: usize = 5_000;

/// Longest lead time, in open days.
const LEAD_DAYS_MAX: u32 = 14;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BankAccount {
    pub open: bool,
    pub terms: Terms,
    /// The last balance that a statement closed with.
    pub closing: Option<(Money, Date)>,
    /// What interim statements said since, by the key that its entry will have once it is booked.
    pub expected: Vec<Expected>,
    /// The last of them.
    pub announced: Id,
    pub fees: FeeRule,
}

/// An entry that a bank told of during the day: information, nothing is booked by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    #[serde(with = "key")]
    pub key: [u8; 16],
    /// False: nothing tells it from other entries, so the next interim statement takes its place.
    pub referenced: bool,
    /// Positive: money comes in.
    pub amount: Money,
    /// The bank has not booked it.
    pub pending: bool,
    pub on: Date,
    pub code: String,
    /// Ours, if it is one of ours.
    pub end_to_end: Option<String>,
}

/// An interim statement told of entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Announced {
    pub statement: Id,
    pub entries: Vec<Expected>,
}

/// How fees are told and posted from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeesRuled {
    pub rule: FeeRule,
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
        Announced = "announced" 1,
        FeesRuled = "fees-ruled" 1,
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
    Announce(Announced),
    RuleFees(FeeRule),
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
            Command::Announce(announced) => Ok(vec![announced.into()]),
            Command::RuleFees(rule) if rule == state.fees => Ok(vec![]),
            Command::RuleFees(rule) => {
                rule.check()?;
                Ok(vec![FeesRuled { rule }.into()])
            }
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
            Event::Balanced(e) => {
                state.closing = Some((e.closing, e.on));
                state.expected.retain(|expected| expected.on > e.on);
            }
            Event::Announced(e) => announced(state, e),
            Event::FeesRuled(e) => state.fees = e.rule.clone(),
        }
    }
}

/// What has a reference stays until it is booked; what has none is only what the last one said.
fn announced(state: &mut BankAccount, event: &Announced) {
    let other = event.statement != state.announced;
    let told = |e: &Expected| event.entries.iter().any(|new| new.key == e.key);
    state
        .expected
        .retain(|e| (e.referenced || !other) && !told(e));
    state.announced = event.statement.clone();
    let room = EXPECTED_MAX.saturating_sub(state.expected.len());
    state
        .expected
        .extend(event.entries.iter().take(room).cloned());
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
