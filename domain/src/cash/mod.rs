//! Money that came in for a legal entity and that no account has been found for yet.
//!
//! One stream per legal entity. What can be told apart is recorded as a payment of its account at once and never comes
//! here; the rest is a liability of the entity until somebody says whose it is, or it goes back.
//!
//! - A receipt is known by the id its payment has or will have: it is unallocated, allocated or returned, never two of them.
//! - Nothing of a receipt's text is kept but words with a digit in them: they can be numbers, the others can be names.

pub mod reference;
pub mod rules;

use crate::events;
use crate::kernel::{Date, Decider, Id, Money, Rejection};
pub use rules::{EarlyPayment, Rule, Rules, Tolerance};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What came in for one legal entity and is not, or not yet, a payment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Desk {
    /// By the id of the payment it will be.
    pub unallocated: BTreeMap<Id, Received>,
    /// Receipts that went back to where they came from.
    pub returned: BTreeSet<Id>,
    /// How payments of the entity's accounts are applied.
    pub rules: Rules,
}

/// Payments that come from now on are applied by these rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RulesSet {
    pub rules: Rules,
}

/// Money came and its account could not be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// The id its payment will have.
    pub payment: Id,
    pub amount: Money,
    /// The day the bank counts it from.
    pub value_date: Date,
    /// Words of the text that can be numbers ([`reference::words`]).
    pub reference: String,
    /// Keyed hash of the payer's bank account.
    pub payer: Option<String>,
    /// transfer, cash, …
    pub method: String,
    /// Accounts it may belong to, when there is more than one or the currency does not fit.
    pub candidates: Vec<Id>,
    /// In the entity's zone.
    pub on: Date,
}

/// Somebody said whose it is: it is a payment of this account from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allocated {
    pub payment: Id,
    pub account: Id,
    pub amount: Money,
    pub on: Date,
}

/// It went back to where it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Returned {
    pub payment: Id,
    pub amount: Money,
    pub reason: String,
    pub on: Date,
}

events! {
    /// What happens to money that nobody has claimed.
    pub enum Event in "cash" {
        Received = "received" 1,
        Allocated = "allocated" 1,
        Returned = "returned" 1,
        RulesSet = "rules-set" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    SetRules(Rules),
    Receive(Received),
    Allocate {
        payment: Id,
        account: Id,
        on: Date,
    },
    Return {
        payment: Id,
        reason: String,
        on: Date,
    },
}

impl Desk {
    /// Unallocated money by its payment.
    ///
    /// # Errors
    /// `CASH_UNKNOWN` when none is here under that id.
    pub fn receipt(&self, payment: &str) -> Result<&Received, Rejection> {
        let missing = || {
            Rejection::new(
                "CASH_UNKNOWN",
                format!("no unallocated money {payment:?} is here"),
            )
        };
        self.unallocated.get(payment).ok_or_else(missing)
    }
}

impl Decider for Desk {
    type State = Desk;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Desk, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::SetRules(rules) if rules == state.rules => Ok(vec![]),
            Command::SetRules(rules) => {
                rules.check()?;
                Ok(vec![RulesSet { rules }.into()])
            }
            Command::Receive(received) => receive(state, received),
            Command::Allocate {
                payment,
                account,
                on,
            } => {
                let amount = state.receipt(&payment)?.amount;
                Ok(vec![
                    Allocated {
                        payment,
                        account,
                        amount,
                        on,
                    }
                    .into(),
                ])
            }
            Command::Return {
                payment,
                reason,
                on,
            } => {
                let amount = state.receipt(&payment)?.amount;
                Ok(vec![
                    Returned {
                        payment,
                        amount,
                        reason,
                        on,
                    }
                    .into(),
                ])
            }
        }
    }

    fn evolve(state: &mut Desk, event: &Event) {
        match event {
            Event::Received(e) => {
                state.unallocated.insert(e.payment.clone(), e.clone());
            }
            Event::Allocated(e) => {
                state.unallocated.remove(&e.payment);
            }
            Event::Returned(e) => {
                state.unallocated.remove(&e.payment);
                state.returned.insert(e.payment.clone());
            }
            Event::RulesSet(e) => state.rules = e.rules.clone(),
        }
    }
}

fn receive(state: &Desk, received: Received) -> Result<Vec<Event>, Rejection> {
    if state.unallocated.contains_key(&received.payment)
        || state.returned.contains(&received.payment)
    {
        return Err(Rejection::new(
            "PAYMENT_EXISTS",
            format!("money {} was already received", received.payment),
        ));
    }
    if !received.amount.is_positive() {
        return Err(Rejection::new(
            "AMOUNT_INVALID",
            format!("money of {} is not above zero", received.amount),
        ));
    }
    Ok(vec![received.into()])
}
