//! A bill run: which accounts it covers, which are done, and with what result.
//!
//! Each account is its own commit, so a run survives a crash between any two accounts and goes on; running it again,
//! or another one over the same day, finds nothing left to bill.

use crate::events;
use crate::kernel::{Date, Decider, Id, Rejection};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BillRun {
    pub as_of: Option<Date>,
    /// Accounts not yet done, in order.
    pub pending: Vec<Id>,
    /// (account, invoice): what was billed.
    pub billed: Vec<(Id, Id)>,
    /// (account, code, sentence): accounts whose billing was refused.
    pub failed: Vec<(Id, String, String)>,
    pub completed: bool,
    /// Drafts only: nothing is numbered.
    pub draft: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    pub as_of: Date,
    pub accounts: Vec<Id>,
    pub draft: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountBilled {
    pub account: Id,
    /// None where nothing was due.
    pub invoice: Option<Id>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountRefused {
    pub account: Id,
    pub code: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completed {
    pub invoices: u64,
    pub refused: u64,
}

events! {
    /// What happens to a bill run.
    pub enum Event in "bill-run" {
        Started = "started" 1,
        AccountBilled = "account-billed" 1,
        AccountRefused = "account-refused" 1,
        Completed = "completed" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Start {
        as_of: Date,
        accounts: Vec<Id>,
        draft: bool,
    },
    Billed {
        account: Id,
        invoice: Option<Id>,
    },
    Refused {
        account: Id,
        rejection: Rejection,
    },
    Complete,
}

impl Decider for BillRun {
    type State = BillRun;
    type Command = Command;
    type Event = Event;

    fn decide(state: &BillRun, command: Command) -> Result<Vec<Event>, Rejection> {
        if let Command::Start {
            as_of,
            accounts,
            draft,
        } = command
        {
            if state.as_of.is_some() {
                return Err(Rejection::new(
                    "RUN_EXISTS",
                    "a bill run of this id was already started",
                ));
            }
            return Ok(vec![
                Started {
                    as_of,
                    accounts,
                    draft,
                }
                .into(),
            ]);
        }
        if state.as_of.is_none() || state.completed {
            return Err(Rejection::new("RUN_NOT_OPEN", "this bill run is not open"));
        }
        match command {
            Command::Billed { account, .. } | Command::Refused { account, .. }
                if !state.pending.contains(&account) =>
            {
                Err(Rejection::new(
                    "RUN_ACCOUNT_DONE",
                    format!("account {account} is not waiting in this bill run"),
                ))
            }
            Command::Billed { account, invoice } => {
                Ok(vec![AccountBilled { account, invoice }.into()])
            }
            Command::Refused { account, rejection } => Ok(vec![
                AccountRefused {
                    account,
                    code: rejection.code,
                    reason: rejection.message,
                }
                .into(),
            ]),
            Command::Complete if !state.pending.is_empty() => Err(Rejection::new(
                "RUN_NOT_DONE",
                format!(
                    "{} accounts are still waiting in this bill run",
                    state.pending.len()
                ),
            )),
            Command::Complete => Ok(vec![
                Completed {
                    invoices: state.billed.len() as u64,
                    refused: state.failed.len() as u64,
                }
                .into(),
            ]),
            Command::Start { .. } => Ok(vec![]),
        }
    }

    fn evolve(state: &mut BillRun, event: &Event) {
        match event {
            Event::Started(e) => {
                state.as_of = Some(e.as_of);
                state.pending.clone_from(&e.accounts);
                state.draft = e.draft;
            }
            Event::AccountBilled(e) => {
                state.pending.retain(|a| *a != e.account);
                if let Some(invoice) = &e.invoice {
                    state.billed.push((e.account.clone(), invoice.clone()));
                }
            }
            Event::AccountRefused(e) => {
                state.pending.retain(|a| *a != e.account);
                state
                    .failed
                    .push((e.account.clone(), e.code.clone(), e.reason.clone()));
            }
            Event::Completed(_) => state.completed = true,
        }
    }
}
