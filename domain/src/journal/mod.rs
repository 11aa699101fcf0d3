//! The double-entry journal: every fact that moves value, as an entry whose debits equal its credits.
//!
//! Stream id: `entity/yyyy-mm` of the posting date. Which fact posts what is one table: `posting`.
//!
//! - An entry balances per currency before it exists (policy 31).
//! - Nothing is posted into a closed period; what is moved for that says so in its text (policy 31).
//! - The receivable account equals Σ open items of all accounts, the customer-credit account Σ unapplied credit.

mod entry;
pub mod posting;

use crate::entities::LegalEntity;
use crate::events;
use crate::kernel::{Currency, Date, Decider, Id, Money, Rejection};
use crate::session::{Session, Staged};
use crate::world::Tables;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use entry::{Entry, Ledger, Line, REVENUE_CODES};

/// Sums of one ledger account in one currency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    pub account: Ledger,
    pub debit: Money,
    pub credit: Money,
}

impl Balance {
    /// Debits − credits.
    pub fn net(&self) -> Money {
        self.debit.minus(self.credit)
    }
}

/// One month of one legal entity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    pub entries: u64,
    /// One per account and currency.
    pub balances: Vec<Balance>,
}

/// Stream id of the month that a day is posted in.
pub fn id(entity: &str, on: Date) -> Id {
    format!("{entity}/{}", on.format("%Y-%m"))
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Posted {
    pub entry: Entry,
}

events! {
    /// What happens to a month of the journal.
    pub enum Event in "journal" {
        Posted = "posted" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Post(Entry),
}

impl Decider for Journal {
    type State = Journal;
    type Command = Command;
    type Event = Event;

    fn decide(_: &Journal, command: Command) -> Result<Vec<Event>, Rejection> {
        let Command::Post(entry) = command;
        Ok(vec![Posted { entry }.into()])
    }

    fn evolve(state: &mut Journal, event: &Event) {
        let Event::Posted(e) = event;
        state.entries += 1;
        for line in e.entry.lines() {
            add(&mut state.balances, line.account, line.debit, line.credit);
        }
    }
}

fn add(balances: &mut Vec<Balance>, account: Ledger, debit: Money, credit: Money) {
    match balances
        .iter_mut()
        .find(|b| b.account == account && b.debit.currency == debit.currency)
    {
        Some(balance) => {
            balance.debit = balance.debit.plus(debit);
            balance.credit = balance.credit.plus(credit);
        }
        None => balances.push(Balance {
            account,
            debit,
            credit,
        }),
    }
}

/// Posts what a fact means for the books.
pub fn react(session: &mut Session<'_>, fact: &Staged) -> Result<(), Rejection> {
    if let Some((entity, entry)) = posting::entry(session, fact)? {
        let entry = entry.in_open_period(session.get::<LegalEntity>(&entity)?.closing)?;
        session.decide::<Journal>(&id(&entity, entry.on()), Command::Post(entry))?;
    }
    Ok(())
}

/// All months of all entities, by account and currency; the debits of each currency equal its credits.
pub fn trial_balance(tables: &Tables) -> Vec<Balance> {
    let mut sums: BTreeMap<(Currency, Ledger), Vec<Balance>> = BTreeMap::new();
    for balance in tables.journals.values().flat_map(|j| &j.state.balances) {
        let of = sums
            .entry((balance.debit.currency, balance.account))
            .or_default();
        add(of, balance.account, balance.debit, balance.credit);
    }
    sums.into_values().flatten().collect()
}
