//! Wallets as they are, and by account in the order they are burnt.

use indelible_domain::kernel::{Date, Decider, Exact, Id};
use indelible_domain::wallets::{Event as Fact, Wallet as State};
use indelible_domain::{Event, Recorded, Rejection};
use serde::{Deserialize, Serialize};

use super::spends;
use crate::{Page, Projection, Rows, Snapshot, ViewError};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wallet {
    pub wallet: Id,
    /// As the wallet's own facts make it; every grant ever, oldest first, with what remains of it.
    pub state: State,
    /// The last day on which nothing usable was left.
    pub emptied_on: Option<Date>,
    /// The last day on which the low level was crossed downwards.
    pub ran_low_on: Option<Date>,
}

impl Wallet {
    /// What can be used on a day, less what was burnt below zero.
    pub fn balance(&self, on: Date) -> Exact {
        self.state.balance(on)
    }

    /// What was left of grants when they expired and is not closed yet.
    pub fn expired(&self, on: Date) -> Result<Exact, ViewError> {
        let mut gone = self.state.grants.iter().filter(|g| !g.usable_on(on));
        gone.try_fold(Exact::ZERO, |sum, grant| sum.plus(grant.remaining))
            .map_err(figure)
    }
}

/// See [`Wallet`] and [`spends::Spend`]. Rows: `w/wallet`; `a/account/priority/wallet` its id.
pub struct Wallets;

fn key(wallet: &str) -> String {
    format!("w/{wallet}")
}

fn figure(why: Rejection) -> ViewError {
    ViewError::figure(Wallets::NAME, why)
}

impl Projection for Wallets {
    const NAME: &'static str = "wallets/list";
    const VERSION: u32 = 3;
    const KINDS: &'static [&'static str] = &["wallet"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let Event::Wallet(fact) = &recorded.event else {
            return Ok(());
        };
        let id = &recorded.id;
        let mut row = match rows.get::<Wallet>(&key(id))? {
            Some(row) => row,
            None => Wallet {
                wallet: id.clone(),
                state: State::default(),
                emptied_on: None,
                ran_low_on: None,
            },
        };
        let before = (!row.state.account.is_empty()).then(|| place(id, &row.state));
        spends::fold(rows, id, &row.state, fact, recorded.position)?;
        State::evolve(&mut row.state, fact);
        match fact {
            Fact::Emptied(e) => row.emptied_on = Some(e.on),
            Fact::RanLow(e) => row.ran_low_on = Some(e.on),
            _ => {}
        }
        let now = place(id, &row.state);
        if before.as_ref() != Some(&now) {
            if let Some(before) = before {
                rows.remove(&before)?;
            }
            rows.put(&now, id)?;
        }
        rows.put(&key(id), &row)
    }
}

/// The row that finds a wallet among those of its account.
fn place(id: &str, state: &State) -> String {
    format!("a/{}/{:010}/{id}", state.account, state.terms.priority)
}

/// One wallet.
pub fn get(snapshot: &Snapshot<'_>, wallet: &str) -> Result<Option<Wallet>, ViewError> {
    snapshot.get::<Wallets, _>(&key(wallet))
}

/// Wallets of one account in the order they are burnt, or of all, by id.
pub fn page(
    snapshot: &Snapshot<'_>,
    account: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Wallet>, ViewError> {
    match account {
        None => snapshot.page::<Wallets, _>("w/", after, limit),
        Some(account) => {
            let prefix = format!("a/{account}/");
            let found = snapshot.page::<Wallets, Id>(&prefix, after, limit)?;
            found.look_up(|id| get(snapshot, id))
        }
    }
}
