//! A bill run: which accounts it covers, which are done, and with what result.
//!
//! - Its list can be longer than an event or a commit may be: it is then told in parts, and nobody is billed before it is whole.
//! - Each account is its own commit, so a run survives a crash between any two accounts and goes on; running it again,
//!   or another one over the same day, finds nothing left to bill.
//! - An account that is refused is named with the reason and can be tried again alone.
//! - A run that is cancelled bills nobody else, and its drafts become no invoices; what it finalised stays. It
//!   remembers how far that is, so that each command goes on where the one before stopped.

mod listing;
mod old;

use crate::events;
use crate::kernel::{Date, Decider, Id, Money, Rejection, Roll};
pub use listing::{PART_BYTES, PARTS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BillRun {
    pub as_of: Option<Date>,
    /// Everybody it was started for, and after them those that were tried again, in order.
    pub accounts: Roll<Id>,
    /// How many of them are done.
    pub done: usize,
    /// (account, invoice): what was made.
    pub billed: Roll<(Id, Id)>,
    /// (account, code, sentence): accounts whose billing was refused.
    pub failed: Roll<(Id, String, String)>,
    /// (account or folio, total): those with less than their minimum, and how much.
    pub carried: Roll<(Id, Money)>,
    pub completed: bool,
    /// Drafts only: nothing is numbered.
    pub draft: bool,
    /// Why it was cancelled.
    pub cancelled: Option<String>,
    /// Accounts that it was started for and that are not in `accounts` yet: nobody is billed before there are none.
    pub unlisted: u64,
    /// The rest of its list was named by who started it; otherwise it is what the agenda says.
    pub named: bool,
    /// Since it was cancelled: how many of `billed` were looked at, none of which is a draft any more.
    pub swept: usize,
}

impl BillRun {
    /// The account to be billed next; none as long as the list is not whole.
    pub fn next(&self) -> Option<&Id> {
        match self.unlisted {
            0 => self.accounts.get(self.done),
            _ => None,
        }
    }

    /// How many accounts wait to be billed, those that are not listed yet included.
    pub fn waiting(&self) -> usize {
        let unlisted = usize::try_from(self.unlisted).unwrap_or(usize::MAX);
        (self.accounts.len().saturating_sub(self.done)).saturating_add(unlisted)
    }

    /// Its list is not whole: starting it again goes on with it.
    pub fn listing(&self) -> bool {
        self.unlisted > 0 && self.cancelled.is_none()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    pub as_of: Date,
    /// All of them, or the first ones where the list is told in parts.
    pub accounts: Vec<Id>,
    pub draft: bool,
}

/// A further part of the list of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    pub accounts: Vec<Id>,
    /// How many follow it.
    pub left: u64,
    /// Who started the run named its accounts; otherwise they are those with something due.
    pub named: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountBilled {
    pub account: Id,
    /// None where nothing was due; several where its documents are split.
    pub invoices: Vec<Id>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountRefused {
    pub account: Id,
    pub code: String,
    pub reason: String,
}

/// Less is due than the smallest document of the account: it waits for more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountCarried {
    pub account: Id,
    pub total: Money,
    pub minimum: Money,
}

/// The same of one folio of an account that has several: others may be billed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FolioCarried {
    pub folio: Id,
    pub total: Money,
    pub minimum: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completed {
    pub invoices: u64,
    pub refused: u64,
}

/// Nobody else is billed by this run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cancelled {
    pub reason: String,
}

/// Drafts of a cancelled run became nothing: none of the first `upto` documents that it made is a draft any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Swept {
    pub upto: u64,
}

/// Accounts that were refused wait again; many of them are several events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retried {
    pub accounts: Vec<Id>,
}

events! {
    /// What happens to a bill run.
    pub enum Event in "bill-run" {
        Started = "started" 1,
        AccountBilled = "account-billed" 2 from { 1: old::AccountBilledV1 },
        AccountRefused = "account-refused" 1,
        Completed = "completed" 1,
        AccountCarried = "account-carried" 1,
        Cancelled = "cancelled" 1,
        Retried = "retried" 1,
        Listed = "listed" 1,
        FolioCarried = "folio-carried" 1,
        Swept = "swept" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Start {
        as_of: Date,
        accounts: Vec<Id>,
        draft: bool,
        /// Somebody named the accounts.
        named: bool,
    },
    /// The accounts that were not listed so far.
    List {
        accounts: Vec<Id>,
    },
    Billed {
        account: Id,
        invoices: Vec<Id>,
    },
    /// A folio of the next account.
    Leave(FolioCarried),
    Carried {
        account: Id,
        total: Money,
        minimum: Money,
    },
    Refused {
        account: Id,
        rejection: Rejection,
    },
    Complete,
    Cancel {
        reason: String,
    },
    /// None of its first documents is a draft any more.
    Sweep {
        upto: usize,
    },
    /// Empty: every account that was refused. Of more than a commit takes only the first ones wait again.
    Retry {
        accounts: Vec<Id>,
    },
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
            named,
        } = command
        {
            if state.as_of.is_some() {
                return Err(Rejection::new(
                    "RUN_EXISTS",
                    "a bill run of this id was already started",
                ));
            }
            return Ok(listing::start(as_of, accounts, draft, named));
        }
        match command {
            Command::Retry { accounts } => return retry(state, accounts),
            Command::Cancel { reason } => return cancel(state, reason),
            Command::Sweep { upto } => return sweep(state, upto),
            _ => {}
        }
        if state.as_of.is_none() || state.completed || state.cancelled.is_some() {
            return Err(Rejection::new("RUN_NOT_OPEN", "this bill run is not open"));
        }
        match (&command, state.unlisted) {
            (Command::List { .. }, 0) => return Ok(vec![]),
            (Command::List { .. }, _) | (_, 0) => {}
            (_, unlisted) => return Err(listing::not_whole(unlisted)),
        }
        match command {
            Command::List { accounts } => Ok(listing::rest(accounts, state.named)),
            Command::Billed { account, .. }
            | Command::Refused { account, .. }
            | Command::Carried { account, .. }
                if state.next() != Some(&account) =>
            {
                Err(Rejection::new(
                    "RUN_ACCOUNT_DONE",
                    format!("account {account} is not the next one of this bill run"),
                ))
            }
            Command::Leave(left) => Ok(vec![left.into()]),
            Command::Billed { account, invoices } => {
                Ok(vec![AccountBilled { account, invoices }.into()])
            }
            Command::Carried {
                account,
                total,
                minimum,
            } => Ok(vec![
                AccountCarried {
                    account,
                    total,
                    minimum,
                }
                .into(),
            ]),
            Command::Refused { account, rejection } => Ok(vec![
                AccountRefused {
                    account,
                    code: rejection.code,
                    reason: rejection.message,
                }
                .into(),
            ]),
            Command::Complete if state.waiting() > 0 => Err(Rejection::new(
                "RUN_NOT_DONE",
                format!(
                    "{} accounts are still waiting in this bill run",
                    state.waiting()
                ),
            )),
            Command::Complete => Ok(vec![
                Completed {
                    invoices: state.billed.len() as u64,
                    refused: state.failed.len() as u64,
                }
                .into(),
            ]),
            Command::Start { .. }
            | Command::Cancel { .. }
            | Command::Sweep { .. }
            | Command::Retry { .. } => Ok(vec![]),
        }
    }

    fn evolve(state: &mut BillRun, event: &Event) {
        match event {
            Event::Started(e) => {
                state.as_of = Some(e.as_of);
                state.accounts = e.accounts.iter().cloned().collect();
                state.draft = e.draft;
            }
            Event::Listed(e) => {
                state.accounts.extend(e.accounts.iter().cloned());
                state.unlisted = e.left;
                state.named = e.named;
            }
            Event::AccountBilled(e) => {
                state.done += 1;
                let made = e.invoices.iter().map(|i| (e.account.clone(), i.clone()));
                state.billed.extend(made);
            }
            Event::AccountCarried(e) => {
                state.done += 1;
                state.carried.push((e.account.clone(), e.total));
            }
            Event::FolioCarried(e) => state.carried.push((e.folio.clone(), e.total)),
            Event::AccountRefused(e) => {
                state.done += 1;
                state
                    .failed
                    .push((e.account.clone(), e.code.clone(), e.reason.clone()));
            }
            Event::Completed(_) => state.completed = true,
            Event::Cancelled(e) => state.cancelled = Some(e.reason.clone()),
            Event::Swept(e) => state.swept = usize::try_from(e.upto).unwrap_or(usize::MAX),
            Event::Retried(e) => {
                let again: BTreeSet<&Id> = e.accounts.iter().collect();
                state
                    .failed
                    .retain(|(account, _, _)| !again.contains(account));
                state.accounts.extend(e.accounts.iter().cloned());
                state.completed = false;
            }
        }
    }
}

fn retry(state: &BillRun, accounts: Vec<Id>) -> Result<Vec<Event>, Rejection> {
    if state.as_of.is_none() || state.cancelled.is_some() {
        return Err(Rejection::new(
            "RUN_NOT_OPEN",
            "this bill run was cancelled, or never started",
        ));
    }
    if state.unlisted > 0 {
        return Err(listing::not_whole(state.unlisted));
    }
    let refused: BTreeSet<&Id> = state.failed.iter().map(|(account, _, _)| account).collect();
    if let Some(other) = accounts.iter().find(|a| !refused.contains(a)) {
        return Err(Rejection::new(
            "RUN_ACCOUNT_DONE",
            format!("account {other} is no exception of this bill run"),
        ));
    }
    let chosen: BTreeSet<Id> = match accounts.is_empty() {
        true => refused.into_iter().cloned().collect(),
        false => accounts.into_iter().collect(),
    };
    if chosen.is_empty() {
        return Err(Rejection::new(
            "NOTHING_TO_RETRY",
            "no account was refused in this bill run",
        ));
    }
    let (parts, _) = listing::parts(chosen);
    let retried = |accounts| Retried { accounts }.into();
    Ok(parts.into_iter().map(retried).collect())
}

/// A run that is not cancelled makes drafts still.
fn sweep(state: &BillRun, upto: usize) -> Result<Vec<Event>, Rejection> {
    if state.cancelled.is_none() || upto > state.billed.len() {
        return Err(Rejection::new(
            "RUN_OPEN",
            "this bill run is not cancelled, or has not made so many documents",
        ));
    }
    Ok(match upto > state.swept {
        true => vec![Swept { upto: upto as u64 }.into()],
        false => vec![],
    })
}

fn cancel(state: &BillRun, reason: String) -> Result<Vec<Event>, Rejection> {
    if state.as_of.is_none() {
        return Err(Rejection::new(
            "RUN_NOT_OPEN",
            "this bill run was never started",
        ));
    }
    Ok(match state.cancelled {
        Some(_) => vec![],
        None => vec![Cancelled { reason }.into()],
    })
}
