//! What the agenda asks for on a day, as commands whose ids say what they were asked for.

use super::{Timer, due};
use crate::accounts::folio;
use crate::command::Command;
use crate::kernel::{Date, Id, Instant};
use crate::operations::invoicing as billing;
use crate::world::Tenant;

/// The commands that the agenda asks for at an instant, each with its command id: what:subject:day:state.
///
/// Billing is asked for by a bill run, not here. The state (versions of the streams it depends on) is part of the id,
/// so that a level that comes back on the same day is not taken for the one that was done.
pub fn tick_commands(tenant: &Tenant, now: Instant) -> Vec<(String, Command)> {
    due(tenant, now)
        .into_iter()
        .filter_map(|(on, timer)| match timer {
            Timer::Dun { account } => Some(dun_command(tenant, on, account)),
            Timer::Wallet { wallet, .. } => Some(wallet_command(tenant, on, wallet)),
            Timer::Plan { account } => Some(plan_command(tenant, on, account)),
            Timer::Collect { account } => Some(collect_command(tenant, on, account)),
            Timer::Cards { account } => Some(cards_command(tenant, on, account)),
            Timer::Move { subscription, .. } => Some(move_command(tenant, on, subscription)),
            Timer::Grace { invoice, .. } => Some(grace_command(tenant, on, invoice)),
            Timer::Progress { subscription, .. } => progress_command(tenant, on, subscription),
            Timer::Tenure { subscription, .. } => Some(tenure_command(tenant, on, subscription)),
            Timer::Bill { .. } => None,
        })
        .chain(expired(tenant, now))
        .collect()
}

/// Quotas of sessions that have ended.
fn expired(tenant: &Tenant, now: Instant) -> impl Iterator<Item = (String, Command)> {
    let ended = tenant.index.reserved.ended(now);
    ended.into_iter().map(|(at, session)| {
        (
            format!("expire:{session}:{}", at.0),
            Command::ExpireReservation { session },
        )
    })
}

fn dun_command(tenant: &Tenant, on: Date, account: Id) -> (String, Command) {
    let case = tenant.tables.dunning.get(&account).map_or(0, |e| e.version);
    let owed = owed_version(tenant, &account);
    (
        format!("dun:{account}:{on}:{case}.{owed}"),
        Command::DunAccount { account },
    )
}

fn plan_command(tenant: &Tenant, on: Date, account: Id) -> (String, Command) {
    let owed = tenant.tables.receivables.get(&account);
    let version = owed.map_or(0, |e| e.version);
    (
        format!("plan:{account}:{on}:{version}"),
        Command::CheckPlans { account },
    )
}

fn wallet_command(tenant: &Tenant, on: Date, wallet: Id) -> (String, Command) {
    let version = tenant.tables.wallets.get(&wallet).map_or(0, |e| e.version);
    (
        format!("wallet:{wallet}:{on}:{version}"),
        Command::TickWallet { wallet },
    )
}

fn move_command(tenant: &Tenant, on: Date, subscription: Id) -> (String, Command) {
    let sub = tenant.tables.subscriptions.get(&subscription);
    let version = sub.map_or(0, |e| e.version);
    (
        format!("move:{subscription}:{on}:{version}"),
        Command::MoveSubscription { subscription },
    )
}

fn grace_command(tenant: &Tenant, on: Date, invoice: Id) -> (String, Command) {
    let version = tenant
        .tables
        .invoices
        .get(&invoice)
        .map_or(0, |e| e.version);
    (
        format!("grace:{invoice}:{on}:{version}"),
        Command::FinaliseInvoice { invoice },
    )
}

/// The amount is part of the id: more usage asks again.
fn progress_command(tenant: &Tenant, on: Date, subscription: Id) -> Option<(String, Command)> {
    let tables = &tenant.tables;
    let sub = &tables.subscriptions.get(&subscription)?.state;
    let settled = tenant.agenda.settled(&subscription).unwrap_or(Date::MIN);
    let used = billing::used(tables, &subscription, sub, settled, on);
    let used = used.ok()?.to_decimal(12);
    let version = tables
        .progresses
        .get(&subscription)
        .map_or(0, |e| e.version);
    Some((
        format!("progress:{subscription}:{version}:{used}"),
        Command::BillThreshold { subscription },
    ))
}

fn tenure_command(tenant: &Tenant, on: Date, subscription: Id) -> (String, Command) {
    let sub = tenant.tables.subscriptions.get(&subscription);
    let version = sub.map_or(0, |e| e.version);
    (
        format!("tenure:{subscription}:{on}:{version}"),
        Command::TendTenure { subscription },
    )
}

fn collect_command(tenant: &Tenant, on: Date, account: Id) -> (String, Command) {
    let methods = methods_version(tenant, &account);
    let owed = owed_version(tenant, &account);
    (
        format!("collect:{account}:{on}:{methods}.{owed}"),
        Command::CollectDue { account },
    )
}

fn cards_command(tenant: &Tenant, on: Date, account: Id) -> (String, Command) {
    let methods = methods_version(tenant, &account);
    (
        format!("cards:{account}:{on}:{methods}"),
        Command::NoticeMethods { account },
    )
}

fn owed_version(tenant: &Tenant, account: &str) -> u64 {
    tenant
        .tables
        .receivables
        .get(account)
        .map_or(0, |e| e.version)
}

fn methods_version(tenant: &Tenant, account: &str) -> u64 {
    tenant
        .tables
        .methods
        .get(folio::owner(account))
        .map_or(0, |e| e.version)
}
