//! Who has which account, and what it owes and has to its credit.

use indelible_domain::accounts::folio;
use indelible_domain::kernel::{Currency, Id, Instant, Money, Zone};
use indelible_domain::{Event, Recorded, accounts};
use serde::{Deserialize, Serialize};

use crate::receivables::effects;
use crate::{Page, Projection, Rows, Snapshot, ViewError};

/// One account and its balance. An account that another one pays for owes nothing itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Of a folio that is not the account's own, the folio's id.
    pub account: Id,
    pub entity: Id,
    pub currency: Currency,
    pub zone: Zone,
    /// Who pays for it, if it does not pay itself.
    pub payer: Option<Id>,
    /// Σ open amounts of its invoices.
    pub open: Money,
    /// Credit that no invoice has used.
    pub unapplied: Money,
    pub opened_at: Instant,
}

impl Balance {
    /// open − unapplied; below zero when the account is in credit (policy 28).
    pub fn balance(&self) -> Money {
        self.open.minus(self.unapplied)
    }
}

/// See [`Balance`]. Rows: account id.
pub struct Balances;

impl Projection for Balances {
    const NAME: &'static str = "accounts/balances";
    const VERSION: u32 = 1;
    const KINDS: &'static [&'static str] = &["account", "receivable"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        match &recorded.event {
            Event::Account(accounts::Event::Opened(e)) => {
                let none = Money::zero(e.terms.currency);
                let row = Balance {
                    account: recorded.id.clone(),
                    entity: e.terms.entity.clone(),
                    currency: e.terms.currency,
                    zone: e.terms.zone.clone(),
                    payer: e.terms.payer.clone(),
                    open: none,
                    unapplied: none,
                    opened_at: recorded.meta.recorded_at,
                };
                rows.put(&recorded.id, &row)
            }
            Event::Account(accounts::Event::Changed(e)) => {
                rows.change(&recorded.id, |row: &mut Balance| {
                    row.zone = e.terms.zone.clone();
                    row.payer.clone_from(&e.terms.payer);
                })
            }
            Event::Receivable(e) => {
                let effects = effects(e);
                folio_row(rows, recorded)?;
                rows.change(&recorded.id, |row: &mut Balance| {
                    for (_, by) in effects.open {
                        row.open = row.open.plus(by);
                    }
                    if let Some(by) = effects.unapplied {
                        row.unapplied = row.unapplied.plus(by);
                    }
                })
            }
            _ => Ok(()),
        }
    }
}

/// A folio has a row of its own from the first fact about it on.
fn folio_row(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
    let id = &recorded.id;
    let Some((currency, entity)) = folio::parts(id) else {
        return Ok(());
    };
    if rows.get::<Balance>(id)?.is_some() {
        return Ok(());
    }
    let Some(account) = rows.get::<Balance>(folio::owner(id))? else {
        return Ok(());
    };
    let none = Money::zero(currency);
    let row = Balance {
        account: id.clone(),
        entity: entity.map_or(account.entity, str::to_string),
        currency,
        open: none,
        unapplied: none,
        opened_at: recorded.meta.recorded_at,
        ..account
    };
    rows.put(id, &row)
}

/// The balance of one account.
pub fn get(snapshot: &Snapshot<'_>, account: &str) -> Result<Option<Balance>, ViewError> {
    snapshot.get::<Balances, _>(account)
}

/// Accounts by id.
pub fn page(
    snapshot: &Snapshot<'_>,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Balance>, ViewError> {
    snapshot.page::<Balances, _>("", after, limit)
}
