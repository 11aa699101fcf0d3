//! What-if: what accounts would have paid for days of the past under a catalog that is not published. Nothing is written.

use super::owed::{self, Owed};
use super::terms;
use crate::catalog::{Catalog, File};
use crate::kernel::{Date, Days, Id, Money, Rejection};
use crate::operations::account_terms;
use crate::operations::catalog::{self, MAIN};
use crate::operations::usage::recount::{Edit, Recounting, Which, recount};
use crate::reratings::{Ask, Change, Difference, Settle};
use crate::session::Session;
use crate::subscriptions::Subscription;
use std::collections::BTreeMap;

/// Most subscriptions that one question looks at.
pub const SUBSCRIPTIONS_MAX: usize = 2_000;

/// Most records that one question looks at.
pub const RECORDS_MAX: u64 = 200_000;

/// Name of the rerating that is only thought of.
const THOUGHT: &str = "what-if";

/// What one account pays and would pay, before discounts and tax.
#[derive(Clone, Debug, PartialEq)]
pub struct Customer {
    pub account: Id,
    pub before: Money,
    pub after: Money,
    /// Lines that differ, by subscription.
    pub lines: Vec<(Id, Difference)>,
    /// Subscriptions that cannot be rated under it, and why; they count with what they pay now.
    pub refused: Vec<(Id, Rejection)>,
}

/// Prices a catalog that is not published against what accounts used on days of the past: offers of it take the place of
/// their published versions, price lists are asked as if they had been there. `accounts` empty: everybody. Stages things in
/// `session`, which is to be dropped.
///
/// Errors: CATALOG_INVALID with every problem of the file; WHAT_IF_TOO_LARGE.
pub fn price(
    session: &mut Session<'_>,
    file: File,
    accounts: Vec<Id>,
    (from, until): (Date, Date),
) -> Result<Vec<Customer>, Rejection> {
    let days = Days::new(from, until);
    let mut ask = Ask {
        accounts,
        subscriptions: vec![],
        charges: vec![],
        from,
        until,
        change: Change::Again,
        reason: "what if".to_string(),
        settle: Settle::NextInvoice,
    };
    ask.check()?;
    let ids = concerned(session, &ask)?;
    if ids.len() > SUBSCRIPTIONS_MAX {
        return Err(Rejection::new(
            "WHAT_IF_TOO_LARGE",
            format!(
                "the accounts have {} subscriptions on these days, one question looks at {SUBSCRIPTIONS_MAX}: ask for fewer accounts",
                ids.len()
            ),
        ));
    }
    catalog::apply(session, file)?;
    let mut customers: BTreeMap<Id, Customer> = BTreeMap::new();
    let mut records = 0;
    for id in ids {
        let account = session.get::<Subscription>(&id)?.account.clone();
        let zero = Money::zero(account_terms(session, &account)?.currency);
        let before = owed::before(session, &id, days)?;
        let thought = session.attempt(|s| thought(s, &id, &mut ask, days, &before));
        let customer = customers.entry(account.clone()).or_insert(Customer {
            account,
            before: zero,
            after: zero,
            lines: vec![],
            refused: vec![],
        });
        let was = total(&before, zero);
        customer.before = customer.before.plus(was);
        match thought {
            Ok((counted, after, lines)) => {
                records += counted;
                customer.after = customer.after.plus(total(&after, zero));
                customer
                    .lines
                    .extend(lines.into_iter().map(|l| (id.clone(), l)));
            }
            Err(refused) => {
                customer.after = customer.after.plus(was);
                customer.refused.push((id, refused));
            }
        }
        if records > RECORDS_MAX {
            return Err(Rejection::new(
                "WHAT_IF_TOO_LARGE",
                format!(
                    "the accounts have more than {RECORDS_MAX} records on these days: ask for fewer accounts or days"
                ),
            ));
        }
    }
    Ok(customers.into_values().collect())
}

/// Subscriptions of the accounts that run on one of the days.
fn concerned(session: &Session<'_>, ask: &Ask) -> Result<Vec<Id>, Rejection> {
    let mut ids = Vec::new();
    match ask.accounts.is_empty() {
        true => ids = session.ids::<Subscription>(""),
        false => {
            for account in &ask.accounts {
                account_terms(session, account)?;
                let of = session.index().subscriptions_of.get(account);
                ids.extend(of.into_iter().flatten().cloned());
            }
        }
    }
    ids.retain(|id| {
        let sub = session.find::<Subscription>(id).map(|e| &e.state);
        sub.is_some_and(|sub| {
            (0..sub.terms.len()).any(|i| !sub.term_days(i).overlap(ask.days()).is_empty())
        })
    });
    Ok(ids)
}

/// One subscription under the newest version of every offer that it has on the days.
fn thought(
    session: &mut Session<'_>,
    id: &str,
    ask: &mut Ask,
    days: Days,
    before: &Owed,
) -> Result<(u64, Owed, Vec<Difference>), Rejection> {
    let sub = session.get::<Subscription>(id)?;
    let catalog = session.find::<Catalog>(MAIN).map(|e| &e.state);
    let mut offers: BTreeMap<String, u32> = BTreeMap::new();
    for (i, term) in sub.terms.iter().enumerate() {
        let newest = catalog.and_then(|c| c.offer(&term.offer.code));
        if let (Some(newest), false) = (newest, sub.term_days(i).overlap(days).is_empty()) {
            offers.insert(term.offer.code.clone(), newest.version);
        }
    }
    for (offer, version) in offers {
        ask.change = Change::Version { offer, version };
        terms::lay(session, id, ask, THOUGHT)?;
    }
    let counted = recount(
        session,
        &Recounting {
            by: THOUGHT,
            subscription: id,
            which: Which::Met { days, charges: &[] },
            contracts: &[],
            edit: &|_, _| Edit::Keep,
            back: vec![],
        },
    )?;
    let after = owed::now(session, id, days)?;
    let lines = owed::differences(session, id, before, &after, &counted.meters)?;
    Ok((counted.records, after, lines))
}

fn total(owed: &Owed, zero: Money) -> Money {
    Money::sum(zero.currency, owed.values().map(|due| due.net))
}
