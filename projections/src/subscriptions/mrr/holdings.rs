//! What an account has, who pays for it, and with which discounts.

use std::collections::{BTreeMap, BTreeSet};

use indelible_domain::discounts::Lasts;
use indelible_domain::discounts::redemptions::{self, Redemption, Redemptions};
use indelible_domain::kernel::{Date, Decider, Id};
use indelible_domain::subscriptions::Subscription;
use indelible_domain::{accounts, invoices};
use serde::{Deserialize, Serialize};

use super::fold::{Counted, subscription_key};
use crate::{Rows, ViewError};

/// Of one account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Holding {
    /// Its own subscriptions.
    subscriptions: BTreeSet<Id>,
    /// Who pays instead of it.
    payer: Option<Id>,
    /// For whom else it pays.
    pays_for: BTreeSet<Id>,
    discounts: Redemptions,
    /// Of discounts for so many documents: the end of the services that they were taken off.
    covered: BTreeMap<Id, Date>,
}

fn key(account: &str) -> String {
    format!("o/{account}")
}

fn of(rows: &mut Rows<'_>, account: &str) -> Result<Holding, ViewError> {
    Ok(rows.get(&key(account))?.unwrap_or_default())
}

/// A subscription comes to an account, from another one or from nowhere.
pub fn moves(rows: &mut Rows<'_>, id: &Id, from: &str, to: &str) -> Result<(), ViewError> {
    rows.change(&key(from), |h: &mut Holding| {
        h.subscriptions.remove(id);
    })?;
    rows.update(&key(to), |h: &mut Holding| {
        h.subscriptions.insert(id.clone());
    })
}

pub fn payer(rows: &mut Rows<'_>, account: &Id) -> Result<Id, ViewError> {
    let payer = rows.look(&key(account), |h: Option<&Holding>| h?.payer.clone())?;
    Ok(payer.unwrap_or_else(|| account.clone()))
}

/// The subscriptions that an account pays for.
pub fn held(rows: &mut Rows<'_>, payer: &str) -> Result<Vec<(Id, Subscription)>, ViewError> {
    let own = of(rows, payer)?;
    let mut ids = match own.payer {
        Some(_) => BTreeSet::new(),
        None => own.subscriptions,
    };
    for account in &own.pays_for {
        ids.extend(of(rows, account)?.subscriptions);
    }
    let mut held = Vec::new();
    for id in ids {
        if let Some(row) = rows.get::<Counted>(&subscription_key(&id))? {
            held.push((id, row.terms));
        }
    }
    Ok(held)
}

/// The discounts of an account that recur, with the days on which they do; how often they were taken, and how much, is left
/// out: what recurs does not depend on it otherwise.
pub fn discounts(rows: &mut Rows<'_>, payer: &str) -> Result<Vec<Redemption>, ViewError> {
    rows.look(&key(payer), |h: Option<&Holding>| {
        h.map(recurring).unwrap_or_default()
    })
}

fn recurring(own: &Holding) -> Vec<Redemption> {
    let recurring = own.discounts.redeemed.iter().filter(|r| r.recurs());
    let within = |redemption: &Redemption| {
        let mut redemption = redemption.clone();
        if redemption.used_up() {
            let last = own.covered.get(&redemption.id).copied();
            let last = last.unwrap_or(redemption.from);
            redemption.until = Some(redemption.until.map_or(last, |until| until.min(last)));
        }
        Redemption {
            times: 0,
            taken: 0,
            ..redemption
        }
    };
    recurring.map(within).collect()
}

pub fn redeemed(
    rows: &mut Rows<'_>,
    account: &str,
    fact: &redemptions::Event,
) -> Result<(), ViewError> {
    rows.update(&key(account), |h: &mut Holding| {
        Redemptions::evolve(&mut h.discounts, fact);
    })
}

/// The payers for whom something changes if an account gets another one.
pub fn pays(
    rows: &mut Rows<'_>,
    account: &Id,
    fact: &accounts::Event,
) -> Result<Option<Vec<Id>>, ViewError> {
    let payer = match fact {
        accounts::Event::Opened(e) => e.terms.payer.clone(),
        accounts::Event::Changed(e) => e.terms.payer.clone(),
        _ => return Ok(None),
    };
    let before = of(rows, account)?.payer;
    if before == payer {
        return Ok(None);
    }
    if let Some(before) = &before {
        rows.change(&key(before), |h: &mut Holding| {
            h.pays_for.remove(account);
        })?;
    }
    if let Some(payer) = &payer {
        rows.update(&key(payer), |h: &mut Holding| {
            h.pays_for.insert(account.clone());
        })?;
    }
    rows.update(&key(account), |h: &mut Holding| h.payer = payer.clone())?;
    let own = || account.clone();
    Ok(Some(vec![
        before.unwrap_or_else(own),
        payer.unwrap_or_else(own),
    ]))
}

/// A payer, and the discounts it had before a fact.
pub type Before = (Id, Vec<Redemption>);

/// Keeps how far a document goes that discounts for so many documents are taken off; the answer is its payer, if any are.
pub fn covered(rows: &mut Rows<'_>, fact: &invoices::Event) -> Result<Option<Before>, ViewError> {
    let invoices::Event::Finalised(e) = fact else {
        return Ok(None);
    };
    let reduced = e.document.lines.iter().filter(|l| !l.reductions.is_empty());
    let mut ends: Vec<(&Id, Date)> = Vec::new();
    for line in reduced {
        let Some(days) = line.what.days() else {
            continue;
        };
        ends.extend(line.reductions.iter().map(|r| (&r.redemption, days.until)));
    }
    if ends.is_empty() {
        return Ok(None);
    }
    let payer = e.document.account.clone();
    let before = discounts(rows, &payer)?;
    let mut counts = false;
    rows.change(&key(&payer), |h: &mut Holding| {
        for (id, until) in ends {
            let mut known = h.discounts.redeemed.iter();
            let times = |r: &Redemption| r.id == *id && matches!(r.terms.lasts, Lasts::Times(_));
            if known.any(times) {
                let last = h.covered.entry(id.clone()).or_insert(until);
                *last = until.max(*last);
                counts = true;
            }
        }
    })?;
    Ok(counts.then_some((payer, before)))
}
