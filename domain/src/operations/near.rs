//! What the next accounts of a bill run are decided on, fetched for many of them together.
//!
//! A run comes to each account once in a month, and of a million accounts nothing is near by then: each decision would wait for
//! memory a hundred times, one time after the other.

use crate::runs::BillRun;
use crate::world::{Noun, Tenant};

/// Fetches what the next `most` accounts of a run need. Decides nothing.
pub fn fetch(tenant: &Tenant, run: &str, most: usize) {
    let (tables, index) = (&tenant.tables, &tenant.index);
    let Some(run) = BillRun::table(tables).get(run).map(|e| &e.state) else {
        return;
    };
    let next = run.accounts.since(run.done).take(most);
    let accounts: Vec<&str> = next.map(String::as_str).collect();
    tables.accounts.near(&accounts, |account| {
        account.terms.entity.len() ^ account.terms.country.len()
    });
    tables.receivables.near(&accounts, |owed| {
        owed.items.last().map_or(0, |item| item.number.len())
    });
    tables.redemptions.near(&accounts, |redemptions| {
        let first = redemptions.redeemed.first();
        first.map_or(0, |redemption| redemption.discount.len())
    });
    let held = accounts
        .iter()
        .filter_map(|account| index.subscriptions_of.get(*account));
    let subscriptions: Vec<&str> = held.flatten().map(String::as_str).collect();
    tables.subscriptions.near(&subscriptions, |subscription| {
        let term = subscription.terms.last();
        subscription.account.len() ^ term.map_or(0, |term| term.offer.code.len())
    });
    tables.charges.near(&subscriptions, |charges| {
        charges.items.last().map_or(0, |item| item.invoice.len())
    });
    tenant.agenda.near(&accounts, &subscriptions);
}
