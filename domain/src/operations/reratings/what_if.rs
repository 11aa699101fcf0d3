//! What-if: what accounts would have paid for days of the past under a catalog that is not published. Nothing is written.

use super::owed::{self, Owed};
use super::terms;
use crate::accounts::Account;
use crate::catalog::{Catalog, File};
use crate::kernel::{Date, Days, Id, Money, Rejection};
use crate::operations::account_terms;
use crate::operations::catalog::{self, MAIN};
use crate::operations::usage::recount::{Edit, Recounting, Which, recount};
use crate::reratings::{Ask, Change, Difference, Settle};
use crate::session::Session;
use crate::subscriptions::Subscription;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Subscriptions of a page.
pub const SUBSCRIPTIONS_MAX: usize = 2_000;

/// Records of a page.
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

/// What a page of customers is.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The payer after whom it begins; none: from the first on.
    pub after: Option<Id>,
    /// Subscriptions that it has at most, unless its first payer has more.
    pub subscriptions: usize,
    /// Records with which it ends, when the payer of the last of them is done.
    pub records: u64,
}

impl Default for Page {
    fn default() -> Self {
        Page {
            after: None,
            subscriptions: SUBSCRIPTIONS_MAX,
            records: RECORDS_MAX,
        }
    }
}

/// A page of customers, and where the next one begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub customers: Vec<Customer>,
    /// The payer after whom the next page begins; none when everybody was looked at.
    pub next: Option<Id>,
}

/// Prices a catalog that is not published against what accounts used on days of the past: offers of it take the place of
/// their published versions, price lists are asked as if they had been there. `accounts` empty: everybody. Stages the catalog
/// in `session`, which is to be dropped.
///
/// Any number of accounts is looked at, page by page: accounts that one payer pays for share counters, and are on one page.
/// A page has at least one payer. Pages add up to the whole.
///
/// Errors: CATALOG_INVALID with every problem of the file; ACCOUNT_UNKNOWN for an account that is not there.
pub fn price(
    session: &mut Session<'_>,
    file: File,
    accounts: Vec<Id>,
    (from, until): (Date, Date),
    page: Page,
) -> Result<Answer, Rejection> {
    let ask = Ask {
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
    let mut named: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
    for account in &ask.accounts {
        let payer = account_terms(session, account)?.payer(account).to_string();
        named.entry(payer).or_default().push(account.clone());
    }
    catalog::apply(session, file)?;
    let mut answer = Answer::default();
    let (mut subscriptions, mut records) = (0, 0);
    let mut last = page.after;
    while let Some((payer, accounts)) = behind(session, &ask, &named, last.as_deref())? {
        let ids = concerned(session, &accounts, ask.days());
        let full = subscriptions + ids.len() > page.subscriptions || records >= page.records;
        if subscriptions > 0 && full {
            answer.next = last;
            break;
        }
        subscriptions += ids.len();
        // What is thought of one payer is nothing to the next, and is forgotten with the fork.
        let (counted, customers) = of_payer(&mut session.fork(), ids, ask.clone())?;
        records += counted;
        answer.customers.extend(customers);
        last = Some(payer);
    }
    Ok(answer)
}

/// The payer behind `last`, in the order of names, with the accounts that are asked for.
fn behind(
    session: &Session<'_>,
    ask: &Ask,
    named: &BTreeMap<Id, Vec<Id>>,
    last: Option<&str>,
) -> Result<Option<(Id, Vec<Id>)>, Rejection> {
    if !ask.accounts.is_empty() {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let next = named.range::<str, _>((from, Bound::Unbounded)).next();
        return Ok(next.map(|(payer, accounts)| (payer.clone(), accounts.clone())));
    }
    let mut first = last.map_or(String::new(), |last| format!("{last}\0"));
    while let Some(id) = session.first_id::<Account>("", &first) {
        if account_terms(session, &id)?.payer(&id) == id {
            let paid = session.index().paid_by.get(&id).into_iter().flatten();
            let all = [&id].into_iter().chain(paid).cloned().collect();
            return Ok(Some((id, all)));
        }
        // Whoever is paid for is on the page of the payer.
        first = format!("{id}\0");
    }
    Ok(None)
}

/// The accounts of one payer, and the records that were rated.
fn of_payer(
    session: &mut Session<'_>,
    ids: Vec<Id>,
    mut ask: Ask,
) -> Result<(u64, Vec<Customer>), Rejection> {
    let days = ask.days();
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
    }
    Ok((records, customers.into_values().collect()))
}

/// Subscriptions of the accounts that run on one of the days.
fn concerned(session: &Session<'_>, accounts: &[Id], days: Days) -> Vec<Id> {
    let of = |account: &Id| session.index().subscriptions_of.get(account);
    let mut ids: Vec<Id> = accounts.iter().filter_map(of).flatten().cloned().collect();
    ids.retain(|id| {
        let sub = session.find::<Subscription>(id).map(|e| &e.state);
        sub.is_some_and(|sub| {
            (0..sub.terms.len()).any(|i| !sub.term_days(i).overlap(days).is_empty())
        })
    });
    ids
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
