//! Wallets with their grants: what was put in, what is left, what is gone.

use indelible_domain::kernel::{Currency, Date, Exact, Id};
use indelible_domain::wallets::{Event as Fact, Grant};
use indelible_domain::{Event, Recorded, Rejection};
use serde::{Deserialize, Serialize};

use crate::{Page, Projection, Rows, Snapshot, ViewError};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wallet {
    pub wallet: Id,
    pub account: Id,
    pub currency: Currency,
    /// Lower numbers are burnt first.
    pub priority: u32,
    /// Every grant ever, oldest first, with what remains of it.
    pub grants: Vec<Grant>,
    /// Exact, less what corrections gave back.
    pub burnt: Exact,
    /// The last day on which nothing usable was left.
    pub emptied_on: Option<Date>,
}

impl Wallet {
    /// What can be used on a day.
    pub fn balance(&self, on: Date) -> Result<Exact, ViewError> {
        self.sum(|grant| grant.usable_on(on))
    }

    /// What was left of grants when they expired.
    pub fn expired(&self, on: Date) -> Result<Exact, ViewError> {
        self.sum(|grant| !grant.usable_on(on))
    }

    fn sum(&self, which: impl Fn(&Grant) -> bool) -> Result<Exact, ViewError> {
        let mut grants = self.grants.iter().filter(|g| which(g));
        grants
            .try_fold(Exact::ZERO, |sum, grant| sum.plus(grant.remaining))
            .map_err(figure)
    }
}

/// See [`Wallet`]. Rows: `w/wallet`; `a/account/priority/wallet` its id.
pub struct Wallets;

fn key(wallet: &str) -> String {
    format!("w/{wallet}")
}

fn figure(why: Rejection) -> ViewError {
    ViewError::figure(Wallets::NAME, why)
}

impl Projection for Wallets {
    const NAME: &'static str = "wallets/list";
    const VERSION: u32 = 1;
    const KINDS: &'static [&'static str] = &["wallet"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let Event::Wallet(fact) = &recorded.event else {
            return Ok(());
        };
        let id = &recorded.id;
        if let Fact::Opened(e) = fact {
            let row = Wallet {
                wallet: id.clone(),
                account: e.account.clone(),
                currency: e.currency,
                priority: e.priority,
                grants: vec![],
                burnt: Exact::ZERO,
                emptied_on: None,
            };
            rows.put(&format!("a/{}/{:010}/{id}", e.account, e.priority), id)?;
            return rows.put(&key(id), &row);
        }
        let Some(mut row) = rows.get::<Wallet>(&key(id))? else {
            return Ok(());
        };
        match fact {
            Fact::Opened(_) => {}
            Fact::ToppedUp(e) => row.grants.push(e.grant.clone()),
            Fact::Burnt(e) => {
                row.burnt = row.burnt.plus(e.amount).map_err(figure)?;
                for (grant, amount) in &e.parts {
                    for grant in row.grants.iter_mut().filter(|g| g.id == *grant) {
                        grant.remaining = grant.remaining.minus(*amount).map_err(figure)?;
                    }
                }
            }
            Fact::Emptied(e) => row.emptied_on = Some(e.on),
            // What is set aside lasts for seconds, and ends without a fact when its time is over: ask the ledger.
            Fact::Held(_) | Fact::Released(_) => return Ok(()),
        }
        rows.put(&key(id), &row)
    }
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
