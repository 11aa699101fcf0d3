//! The statement of an account: every movement of what it owes, with the balance after it.

use indelible_domain::accounts::folio;
use indelible_domain::kernel::{Currency, Date, Id, Money, Zone};
use indelible_domain::receivables::{Event as Fact, Source};
use indelible_domain::{Event, Recorded, accounts};
use serde::{Deserialize, Serialize};

use super::effects;
use crate::{Page, Projection, Rows, Snapshot, ViewError};

/// One change of an account's balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// The day it was recorded, in the account's zone.
    pub on: Date,
    pub position: u64,
    /// The stored name of the fact, e.g. `receivable.payment-applied`.
    pub what: String,
    /// The documents, payments, credits, claims and transfers it is about.
    pub about: Vec<Id>,
    /// Above zero: owed more; below: owed less.
    pub amount: Money,
    /// Open amounts less unapplied credit after it (policy 28).
    pub balance: Money,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Owner {
    zone: Zone,
    currency: Currency,
    balance: Money,
}

/// Rows: `a/account` the balance now; `m/account/day/position` a [`Movement`]. For an account stands each of its folios.
pub struct Statements;

impl Projection for Statements {
    const NAME: &'static str = "receivables/statement";
    const VERSION: u32 = 2;
    const KINDS: &'static [&'static str] = &["account", "receivable"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let account = &recorded.id;
        match &recorded.event {
            Event::Account(accounts::Event::Opened(e)) => {
                let owner = Owner {
                    zone: e.terms.zone.clone(),
                    currency: e.terms.currency,
                    balance: Money::zero(e.terms.currency),
                };
                rows.put(&format!("a/{account}"), &owner)
            }
            Event::Account(accounts::Event::Changed(e)) => {
                rows.change(&format!("a/{account}"), |owner: &mut Owner| {
                    owner.zone = e.terms.zone.clone();
                })
            }
            Event::Receivable(fact) => moved(rows, recorded, fact),
            _ => Ok(()),
        }
    }
}

fn moved(rows: &mut Rows<'_>, recorded: &Recorded<Event>, fact: &Fact) -> Result<(), ViewError> {
    let key = format!("a/{}", recorded.id);
    let Some(mut owner) = owner_of(rows, &recorded.id)? else {
        return Ok(());
    };
    let effects = effects(fact);
    let mut about: Vec<Id> = effects.open.iter().map(|(id, _)| id.clone()).collect();
    let opened = Money::sum(owner.currency, effects.open.into_iter().map(|(_, by)| by));
    let amount = opened.minus(effects.unapplied.unwrap_or(Money::zero(owner.currency)));
    if amount.is_zero() {
        return Ok(());
    }
    for (place, name) in named(fact).into_iter().enumerate() {
        if !about.contains(name) {
            about.insert(place.min(about.len()), name.clone());
        }
    }
    owner.balance = owner.balance.plus(amount);
    let movement = Movement {
        on: owner.zone.date(recorded.meta.recorded_at),
        position: recorded.position,
        what: recorded.event.event_type().0.to_string(),
        about,
        amount,
        balance: owner.balance,
    };
    let (on, position) = (movement.on, movement.position);
    rows.put(&key, &owner)?;
    rows.add(&format!("m/{}/{on}/{position:020}", recorded.id), &movement)
}

/// The balance of a folio, in the zone of its account.
fn owner_of(rows: &mut Rows<'_>, id: &str) -> Result<Option<Owner>, ViewError> {
    let known = rows.get::<Owner>(&format!("a/{id}"))?;
    let Some((currency, _)) = folio::parts(id) else {
        return Ok(known);
    };
    let account = rows.get::<Owner>(&format!("a/{}", folio::owner(id)))?;
    Ok(account.map(|account| Owner {
        currency,
        balance: known.map_or(Money::zero(currency), |known| known.balance),
        ..account
    }))
}

/// What a source is called.
fn id(source: &Source) -> &Id {
    match source {
        Source::Payment(id)
        | Source::Note(id)
        | Source::Grant(id)
        | Source::Wallet(id)
        | Source::Transfer(id) => id,
    }
}

/// What moved, besides the open items that it moved on: the money, the claim, the transfer, the deposit.
fn named(fact: &Fact) -> Vec<&Id> {
    match fact {
        Fact::PaymentApplied(e) => vec![&e.payment],
        Fact::PaymentUnapplied(e) => vec![&e.payment],
        Fact::PaymentRestored(e) => vec![&e.payment],
        Fact::CreditGranted(e) => vec![id(&e.source)],
        Fact::CreditWithdrawn(e) => vec![id(&e.source)],
        Fact::ItemCredited(e) => vec![&e.note],
        Fact::ClaimOpened(e) => vec![&e.claim, &e.invoice],
        Fact::ClaimEnded(e) => vec![&e.claim],
        Fact::CreditMoved(e) => vec![&e.transfer],
        Fact::CreditMovedBack(e) => vec![&e.transfer],
        Fact::CreditPaidOut(e) => vec![&e.refund],
        Fact::DepositTaken(e) => vec![&e.deposit],
        Fact::DepositReleased(e) => vec![&e.deposit],
        _ => vec![],
    }
}

/// A statement over `[from, until)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub opening: Money,
    /// A page of the movements, in order.
    pub movements: Page<Movement>,
    pub closing: Money,
}

/// The statement of an account over `[from, until)`, none if the account is not known: opening + all movements =
/// closing. `after` is the key of the last movement that was seen.
pub fn of_account(
    snapshot: &Snapshot<'_>,
    account: &str,
    (from, until): (Date, Date),
    after: Option<&str>,
    limit: usize,
) -> Result<Option<Statement>, ViewError> {
    let Some(owner) = snapshot.get::<Statements, Owner>(&format!("a/{account}"))? else {
        return Ok(None);
    };
    let none = Money::zero(owner.currency);
    let prefix = format!("m/{account}/");
    let balance_before = |day: Date| -> Result<Money, ViewError> {
        let mut last = none;
        let end = format!("{prefix}{day}");
        snapshot.each::<Statements, Movement>(&prefix, &end, &mut |_, movement| {
            last = movement.balance;
            Ok(true)
        })?;
        Ok(last)
    };
    let begin = match after {
        Some(after) => format!("{prefix}{after}\u{1}"),
        None => format!("{prefix}{from}"),
    };
    let mut movements = Page {
        rows: vec![],
        more: false,
    };
    let end = format!("{prefix}{until}");
    snapshot.each::<Statements, Movement>(&begin, &end, &mut |key, movement| {
        movements.more = movements.rows.len() == limit;
        if !movements.more {
            let own = key.get(prefix.len()..).unwrap_or_default();
            movements.rows.push((own.to_string(), movement));
        }
        Ok(!movements.more)
    })?;
    Ok(Some(Statement {
        opening: balance_before(from)?,
        movements,
        closing: balance_before(until)?,
    }))
}
