//! What must be true of all open items, funds and the journal together.

use super::{Elsewhere, Receivables, Source};
use crate::accounts::folio;
use crate::invoices::Stage;
use crate::journal::{self, Ledger};
use crate::kernel::{Currency, Date, Money};
use crate::world::Tenant;
use std::collections::BTreeMap;

/// Every broken invariant of cash, each as one sentence.
pub fn audit(tenant: &Tenant, broken: &mut Vec<String>) {
    let mut open: BTreeMap<Currency, i128> = BTreeMap::new();
    let mut credit: BTreeMap<Currency, i128> = BTreeMap::new();
    let mut deposits: BTreeMap<Currency, i128> = BTreeMap::new();
    for (account, entry) in &tenant.tables.receivables {
        let state = &entry.state;
        on_its_folio(tenant, account, state, broken);
        items(account, state, broken);
        funds(tenant, account, state, broken);
        *open.entry(state.currency).or_default() += state.open().minor;
        *credit.entry(state.currency).or_default() -= state.unapplied().minor;
        let held = Money::sum(state.currency, state.deposits.values().map(|d| d.left));
        *deposits.entry(state.currency).or_default() -= held.minor;
        agreements(account, state, broken);
    }
    books(tenant, Ledger::Receivable, &open, broken);
    books(tenant, Ledger::CustomerCredit, &credit, broken);
    books(tenant, Ledger::DepositsHeld, &deposits, broken);
    books(tenant, Ledger::Transfers, &BTreeMap::new(), broken);
    let mut unclaimed: BTreeMap<Currency, i128> = BTreeMap::new();
    for desk in tenant.tables.cash.values() {
        for receipt in desk.state.unallocated.values() {
            *unclaimed.entry(receipt.amount.currency).or_default() -= receipt.amount.minor;
        }
    }
    books(tenant, Ledger::UnallocatedCash, &unclaimed, broken);
    let mut prepaid: BTreeMap<Currency, i128> = BTreeMap::new();
    for wallet in tenant.tables.wallets.values().map(|w| &w.state) {
        let paid_in = Money::sum(wallet.currency, wallet.grants.iter().map(|g| g.amount));
        *prepaid.entry(wallet.currency).or_default() -= paid_in.minor - wallet.posted.minor;
    }
    books(tenant, Ledger::WalletLiability, &prepaid, broken);
    let mut advances: BTreeMap<Currency, i128> = BTreeMap::new();
    for advance in tenant.tables.advances.values().map(|a| &a.state) {
        let is_final = |id: &str| {
            let invoice = tenant.tables.invoices.get(id);
            invoice.is_some_and(|i| i.state.stage == Stage::Finalised)
        };
        if !is_final(&advance.invoice) {
            continue;
        }
        for left in advance.rest() {
            *advances.entry(left.net.currency).or_default() -= left.net.minor;
        }
        // What a held draft takes off is kept for it, and posted when it is final.
        for (_, part) in advance.taken.iter().filter(|(id, _)| !is_final(id)) {
            *advances.entry(part.net.currency).or_default() -= part.net.minor;
        }
        for left in advance.rest() {
            if left.net.is_negative() || left.amount.is_negative() {
                broken.push(format!(
                    "advance of {}: more was taken off or credited than was asked for",
                    advance.invoice
                ));
            }
        }
    }
    books(tenant, Ledger::Advances, &advances, broken);
    let mut moved: BTreeMap<Currency, i128> = BTreeMap::new();
    for balance in journal::trial_balance(&tenant.tables) {
        *moved.entry(balance.debit.currency).or_default() += balance.net().minor;
    }
    for (currency, sum) in moved.into_iter().filter(|(_, sum)| *sum != 0) {
        broken.push(format!(
            "journal: debits and credits in {currency} differ by {}",
            Money::new(sum, currency)
        ));
    }
}

/// What is owed on a folio is in its currency, and documents that are owed there belong there.
fn on_its_folio(tenant: &Tenant, id: &str, state: &Receivables, broken: &mut Vec<String>) {
    if state.items.is_empty() && state.funds.is_empty() {
        return;
    }
    let own = tenant.tables.accounts.get(folio::owner(id));
    let named = own.and_then(|own| folio::named(id, &own.state.terms));
    let Some(named) = named.filter(|f| f.currency == state.currency) else {
        broken.push(format!(
            "{id}: something in {} is owed here",
            state.currency
        ));
        return;
    };
    for item in &state.items {
        let document = tenant.tables.invoices.get(&item.invoice);
        if document.is_some_and(|d| d.state.document.folio() != named) {
            broken.push(format!(
                "{id}: invoice {} belongs to another folio",
                item.number
            ));
        }
    }
}

fn items(account: &str, state: &Receivables, broken: &mut Vec<String>) {
    for item in &state.items {
        let applied = Money::sum(
            state.currency,
            state.applied_to(&item.invoice).map(|(_, a)| a.amount),
        );
        let allowed = Money::sum(state.currency, item.allowances.iter().map(|a| a.amount));
        let known = item.open.plus(item.written_off).plus(applied).plus(allowed);
        if item.open.is_negative()
            || item.written_off.is_negative()
            || known.minor > item.total.minor
        {
            broken.push(format!(
                "{account}: invoice {} of {} has {} open, {} written off and {applied} applied",
                item.number, item.total, item.open, item.written_off
            ));
        }
    }
}

/// Deposits are what funds say is in them; disputes and instalments never ask for more than is open.
fn agreements(account: &str, state: &Receivables, broken: &mut Vec<String>) {
    let sum = |parts: &mut dyn Iterator<Item = Money>| Money::sum(state.currency, parts);
    let moved = state.funds.iter().flat_map(|f| &f.moved);
    let moved = moved.filter(|m| matches!(m.to, Elsewhere::Deposit(_)));
    let (inside, held) = (
        sum(&mut moved.map(|m| m.amount)),
        sum(&mut state.deposits.values().map(|d| d.left)),
    );
    if inside != held {
        broken.push(format!(
            "{account}: deposits hold {held}, the money in them is {inside}"
        ));
    }
    let disputed = sum(&mut state.items.iter().map(|i| i.disputed()));
    let asked = sum(&mut state.dues(Date::MIN).iter().map(|d| d.open));
    if asked.plus(disputed) != state.open() {
        broken.push(format!(
            "{account}: {asked} is asked for and {disputed} disputed of {} open",
            state.open()
        ));
    }
    for item in &state.items {
        let known = item
            .plan
            .as_ref()
            .is_none_or(|p| state.plans.contains_key(p));
        if !known || item.plan.is_none() != item.instalments.is_empty() {
            let number = &item.number;
            broken.push(format!(
                "{account}: invoice {number} is in a plan that is over"
            ));
        }
    }
}

fn funds(tenant: &Tenant, account: &str, state: &Receivables, broken: &mut Vec<String>) {
    for fund in &state.funds {
        let applied = Money::sum(state.currency, fund.applied.iter().map(|a| a.amount));
        let sound = !fund.unapplied.is_negative()
            && !fund.held.is_negative()
            && fund.held.minor <= fund.unapplied.minor
            && fund.moved.iter().all(|m| m.amount.is_positive())
            && applied.plus(fund.unapplied) == fund.here();
        if !sound {
            broken.push(format!(
                "{account}: {:?} of {} has {applied} applied and {} left",
                fund.source, fund.amount, fund.unapplied
            ));
        }
        if fund
            .applied
            .iter()
            .any(|a| state.item(&a.invoice).is_none())
        {
            broken.push(format!(
                "{account}: {:?} is applied to an invoice that is not there",
                fund.source
            ));
        }
        let Source::Payment(payment) = &fund.source else {
            continue;
        };
        let left = tenant.tables.payments.get(payment).map(|p| p.state.left());
        if left != Some(fund.amount) {
            broken.push(format!(
                "{account}: payment {payment} has {left:?} left, its fund {}",
                fund.amount
            ));
        }
    }
}

/// A control account of the journal equals the sum of what it controls.
fn books(
    tenant: &Tenant,
    account: Ledger,
    expected: &BTreeMap<Currency, i128>,
    broken: &mut Vec<String>,
) {
    let mut posted: BTreeMap<Currency, i128> = BTreeMap::new();
    for balance in journal::trial_balance(&tenant.tables)
        .into_iter()
        .filter(|b| b.account == account)
    {
        *posted.entry(balance.debit.currency).or_default() += balance.net().minor;
    }
    let currencies = posted
        .keys()
        .chain(expected.keys())
        .copied()
        .collect::<std::collections::BTreeSet<_>>();
    for currency in currencies {
        let sum = |of: &BTreeMap<Currency, i128>| {
            Money::new(of.get(&currency).copied().unwrap_or_default(), currency)
        };
        let (posted, expected) = (sum(&posted), sum(expected));
        if posted != expected {
            broken.push(format!(
                "journal: {account} stands at {posted}, the accounts make {expected}"
            ));
        }
    }
}
