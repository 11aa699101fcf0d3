//! Commitments of accounts: agrees and ends them, and finds what is due for them.

use super::{account_terms, exchange, folio_terms, folios};
use crate::accounts::{Folio, folio};
use crate::charges::Charges;
use crate::charges::committed::{self, Bounds};
use crate::charges::due::{Basis, Due};
use crate::command::Outcome;
use crate::commitments::{Agreed, Command, Commitments};
use crate::kernel::{Date, Exact, Id, Rejection, calendar::add_days};
use crate::session::Session;
use crate::subscriptions::{Subscription, Term, commitments};
use crate::usage::Metered;
use std::collections::BTreeSet;

pub(super) fn agree(
    session: &mut Session<'_>,
    account: &str,
    agreed: Agreed,
) -> Result<Outcome, Rejection> {
    if let Some(payer) = &folio_terms(session, account)?.payer {
        return Err(Rejection::new(
            "PAID_BY_OTHER",
            format!("account {account} is paid for by {payer}: commitments belong to who pays"),
        ));
    }
    // Lines of all folios are remembered by the account, by the commitment's id.
    let owner = folio::owner(account);
    let beside = session.ids::<Commitments>(&folio::beside(owner));
    let all = beside.into_iter().chain([owner.to_string()]);
    let mut others = all.filter(|id| id != account);
    let has = |id: Id| {
        let known = session.find::<Commitments>(&id);
        known.is_some_and(|e| e.state.agreed.iter().any(|a| a.id == agreed.id))
    };
    if others.any(has) {
        return Err(Rejection::new(
            "COMMITMENT_EXISTS",
            format!("commitment {} was already agreed", agreed.id),
        ));
    }
    let outcome = Outcome::of("commitment", &agreed.id);
    session.decide::<Commitments>(account, Command::Agree(agreed))?;
    Ok(outcome)
}

pub(super) fn end(
    session: &mut Session<'_>,
    account: &str,
    commitment: Id,
    on: Option<Date>,
) -> Result<Outcome, Rejection> {
    let zone = folio_terms(session, account)?.zone.clone();
    let on = on.unwrap_or_else(|| session.today(&zone));
    let outcome = Outcome::of("commitment", &commitment);
    session.decide::<Commitments>(account, Command::End { commitment, on })?;
    Ok(outcome)
}

/// True-ups and caps of periods that have ended, over everything that is billed on a folio of the account; `own` is the folio
/// where everything is that has no other.
pub(super) fn due(
    session: &Session<'_>,
    payer: &str,
    (on, own): (&Folio, &Folio),
    charges: &Charges,
    basis: Basis,
) -> Result<Vec<Due>, Rejection> {
    let known = match on == own {
        true => session.find::<Commitments>(payer),
        false => {
            let id = on.id(payer, &account_terms(session, payer)?);
            session.find::<Commitments>(&id)
        }
    };
    let Some(known) = known else {
        return Ok(vec![]);
    };
    let mut out = Vec::new();
    let mut wanted = BTreeSet::new();
    for agreed in &known.state.agreed {
        for (days, period) in agreed.periods(basis.as_of) {
            wanted.insert((agreed.id.as_str(), days.from));
            if days.until > basis.as_of {
                continue;
            }
            let mut rated = Exact::ZERO;
            for subscription in paid_for(session, payer) {
                let sub = session.get::<Subscription>(subscription)?;
                // What is billed apart has another seller or another currency.
                let of = folios::of_subscription(session, &sub.account, subscription);
                if of.as_ref().unwrap_or(own) != on {
                    continue;
                }
                let counts = |term: &Term, _: &str| {
                    agreed.offers.is_empty() || agreed.offers.contains(&term.offer.code)
                };
                let metered = |charge: &str, from: Date| -> Option<&Metered> {
                    session
                        .find::<Metered>(&crate::usage::id(subscription, charge, from))
                        .map(|e| &e.state)
                };
                let part = commitments::rated(sub, days, counts, metered)?;
                let sold = exchange::currency_of(sub, basis.currency);
                let part = match sold == basis.currency {
                    true => part,
                    false => {
                        let last = add_days(days.until, -1);
                        let pair = (sold, basis.currency);
                        exchange::worth(session, (payer, &on.entity), part, pair, last)?
                    }
                };
                rated = rated.plus(part)?;
            }
            let bounds = Bounds {
                code: &agreed.id,
                name: &agreed.name,
                min: agreed.min,
                max: agreed.max,
                tax_class: &agreed.tax_class,
                days,
                period,
            };
            out.extend(committed::lines(&bounds, rated, charges, basis)?);
        }
    }
    // An end may be told after periods behind it were billed. The account remembers those of its other folios too.
    let here = |code: &str| known.state.agreed.iter().any(|a| a.id == code);
    out.extend(committed::no_longer(
        charges,
        &wanted,
        here,
        basis,
        Date::MIN,
    ));
    Ok(out)
}

/// Subscriptions of the account and of those it pays for.
fn paid_for<'s>(session: &'s Session<'_>, payer: &'s str) -> impl Iterator<Item = &'s Id> {
    let index = session.index();
    let children = index.paid_by.get(payer).into_iter().flatten();
    std::iter::once(payer)
        .chain(children.map(String::as_str))
        .flat_map(move |account| index.subscriptions_of.get(account).into_iter().flatten())
}
