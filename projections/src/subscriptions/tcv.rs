//! Total contract value: recurring charges to the end of the commitment and one-off charges, by contract and in all
//! (policy 33; `indelible_domain::charges::worth` says what counts).
//!
//! A contract that ended keeps the value that it had; one that was cancelled before it began has none. No clock is asked: what
//! moves a value is a fact.

use indelible_domain::catalog::{Offer, Sold};
use indelible_domain::charges::worth::{self, Worth};
use indelible_domain::kernel::{Currency, Date, Decider, Exact, Id};
use indelible_domain::subscriptions::{self, Subscription, Term};
use indelible_domain::{Event, Recorded, Rejection};
use serde::{Deserialize, Serialize};

use crate::{Page, Projection, Rows, Snapshot, ViewError};

/// Rows: `s/subscription` its contract and what of it is counted; `t/currency` the [`Total`]; `x/subscription` the id of one whose value is
/// too large or too fine for the sums.
pub struct Tcv;

/// What one contract is worth, exact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    pub subscription: Id,
    pub account: Id,
    pub currency: Currency,
    /// The first day after the commitment; none: the first whole period of each charge counts.
    pub until: Option<Date>,
    pub recurring: Exact,
    pub one_off: Exact,
    /// Both.
    pub value: Exact,
}

/// What all contracts of a currency are worth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// Contracts that are worth anything.
    pub contracts: u64,
    pub recurring: Exact,
    pub one_off: Exact,
    pub value: Exact,
}

impl Total {
    /// The total with a contract, or without it.
    fn moved(&self, contract: &Contract, by: i64) -> Result<Total, Rejection> {
        if contract.value.is_zero() {
            return Ok(self.clone());
        }
        let sum = |a: Exact, b: Exact| match by < 0 {
            true => a.minus(b),
            false => a.plus(b),
        };
        Ok(Total {
            contracts: self.contracts.saturating_add_signed(by),
            recurring: sum(self.recurring, contract.recurring)?,
            one_off: sum(self.one_off, contract.one_off)?,
            value: sum(self.value, contract.value)?,
        })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Counted {
    terms: Subscription,
    contract: Contract,
}

impl Projection for Tcv {
    const NAME: &'static str = "subscriptions/tcv";
    const VERSION: u32 = 1;
    const KINDS: &'static [&'static str] = &["subscription"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let Event::Subscription(fact) = &recorded.event else {
            return Ok(());
        };
        let id = &recorded.id;
        let mut row: Counted = rows.get(&key(id))?.unwrap_or_default();
        Subscription::evolve(&mut row.terms, &slim(fact));
        let next = worth::of(&row.terms).and_then(|worth| contract(id, &row.terms, worth));
        let before = std::mem::take(&mut row.contract);
        let without = total(rows, before.currency)?.moved(&before, -1);
        if let Ok(without) = &without {
            rows.put(&total_key(before.currency), without)?;
        }
        let apart = format!("x/{id}");
        let counted = next.and_then(|next| {
            without?;
            Ok(next)
        });
        // One contract with a value that no sum can hold must not stop the figures of all others.
        let with = match counted {
            Ok(next) => total(rows, next.currency)?
                .moved(&next, 1)
                .map(|t| (t, next)),
            Err(refused) => Err(refused),
        };
        match with {
            Ok((with, next)) => {
                rows.put(&total_key(next.currency), &with)?;
                row.contract = next;
                rows.remove(&apart)?;
            }
            Err(_) => rows.put(&apart, id)?,
        }
        rows.put(&key(id), &row)
    }
}

/// The fact without what the value does not need, to keep rows small.
fn slim(fact: &subscriptions::Event) -> subscriptions::Event {
    let strip = |term: &mut Term| {
        term.offer = Sold::new(Offer {
            usage: vec![],
            counter: vec![],
            feature: vec![],
            ..Offer::clone(&term.offer)
        });
    };
    let mut fact = fact.clone();
    match &mut fact {
        subscriptions::Event::Started(e) => {
            strip(&mut e.term);
            e.access.clear();
        }
        subscriptions::Event::Changed(e) => strip(&mut e.term),
        _ => {}
    }
    fact
}

fn contract(id: &Id, sub: &Subscription, worth: Worth) -> Result<Contract, Rejection> {
    let currency = sub.terms.last().map(|t| t.offer.currency);
    Ok(Contract {
        subscription: id.clone(),
        account: sub.account.clone(),
        currency: currency.unwrap_or_default(),
        until: worth.until,
        recurring: worth.recurring,
        one_off: worth.one_off,
        value: worth.total()?,
    })
}

fn total(rows: &mut Rows<'_>, currency: Currency) -> Result<Total, ViewError> {
    Ok(rows.get(&total_key(currency))?.unwrap_or_default())
}

fn key(id: &str) -> String {
    format!("s/{id}")
}

fn total_key(currency: Currency) -> String {
    format!("t/{currency}")
}

/// What all contracts are worth, by currency.
pub fn totals(snapshot: &Snapshot<'_>) -> Result<Vec<(Currency, Total)>, ViewError> {
    let mut found = Vec::new();
    let figure = |why| ViewError::figure(Tcv::NAME, why);
    snapshot.each::<Tcv, Total>("t/", "t0", &mut |key, total| {
        let code = key.split('/').nth(1).unwrap_or_default();
        let currency: Currency = code.parse().map_err(figure)?;
        if total.contracts > 0 {
            found.push((currency, total));
        }
        Ok(true)
    })?;
    Ok(found)
}

/// What one contract is worth; none if there is no such contract, or its value is in no figure.
pub fn of(snapshot: &Snapshot<'_>, subscription: &str) -> Result<Option<Contract>, ViewError> {
    let row = snapshot.get::<Tcv, Counted>(&key(subscription))?;
    let apart = snapshot.get::<Tcv, Id>(&format!("x/{subscription}"))?;
    Ok(row.map(|row| row.contract).filter(|_| apart.is_none()))
}

/// Contracts in the order of their ids, those that are worth nothing too.
pub fn page(
    snapshot: &Snapshot<'_>,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Contract>, ViewError> {
    let page = snapshot.page::<Tcv, Counted>("s/", after, limit)?;
    let rows = page.rows.into_iter();
    Ok(Page {
        rows: rows.map(|(key, row)| (key, row.contract)).collect(),
        more: page.more,
    })
}
