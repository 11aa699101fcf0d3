//! What must be true of all wallets, and of what is reserved in them.

use super::{OVERDRAFT, TaxPart, Wallet};
use crate::kernel::{Date, Exact, Id, Instant, Money, Rejection, Rounding, calendar::parse_date};
use crate::rating::quote::depends_on_earlier;
use crate::reservations::{Quota, Reservation, hold_id};
use crate::world::Tenant;

/// Every broken invariant of wallets that holds at any time, each as one sentence.
pub fn audit(tenant: &Tenant, broken: &mut Vec<String>) {
    for (id, entry) in &tenant.tables.wallets {
        let wallet = &entry.state;
        // Sums that do not fit were refused when they were decided.
        if let Err(refused) = sums(id, wallet, broken) {
            broken.push(format!("wallet {id}: {refused}"));
        }
        holds_are_reserved(tenant, id, wallet, broken);
    }
    for (session, entry) in &tenant.tables.reservations {
        quotas_are_held(tenant, session, &entry.state, broken);
    }
    living_is_what_is_reserved(tenant, broken);
}

/// Every broken invariant of what is held at an instant, which is that of the last fact or later: what counts no more
/// may be held again, so that it depends on the time.
pub fn audit_at(tenant: &Tenant, at: Instant, broken: &mut Vec<String>) {
    for (id, entry) in &tenant.tables.wallets {
        let wallet = &entry.state;
        for grant in &wallet.grants {
            let held = wallet.held_of(&grant.id, at);
            if held > grant.remaining {
                broken.push(format!(
                    "wallet {id}: {held} of grant {} is held, {} is left",
                    grant.id, grant.remaining
                ));
            }
        }
        let below = wallet.overdraft.plus(wallet.held_of(OVERDRAFT, at));
        if below.as_ref().map_or(true, |below| *below > wallet.deepest) {
            broken.push(format!(
                "wallet {id}: {} below zero and what is held there are more than {}, the most that was ever agreed",
                wallet.overdraft, wallet.deepest
            ));
        }
    }
}

/// Σ grants − what left them = Σ remaining − what is below zero; what is posted is that rounded.
fn sums(id: &str, wallet: &Wallet, broken: &mut Vec<String>) -> Result<(), Rejection> {
    let (mut put_in, mut left) = (Exact::ZERO, Exact::ZERO);
    for grant in &wallet.grants {
        put_in = put_in.plus(grant.amount.exact())?;
        left = left.plus(grant.remaining)?;
        let most = grant.amount.exact();
        if grant.remaining.is_negative() || grant.remaining > most || grant.repaid.is_negative() {
            broken.push(format!(
                "wallet {id}: grant {} of {} has {} left, {} of it repaid",
                grant.id, grant.amount, grant.remaining, grant.repaid
            ));
        }
    }
    let gone = wallet.burnt.plus(wallet.gone)?;
    let (is, should) = (left.minus(wallet.overdraft)?, put_in.minus(gone)?);
    if is != should || wallet.overdraft.is_negative() {
        broken.push(format!(
            "wallet {id}: {is} is left, {put_in} put in and {gone} gone make {should}"
        ));
    }
    if !rounds_to(gone, wallet.posted)? {
        broken.push(format!(
            "wallet {id}: {} is posted for {gone}",
            wallet.posted
        ));
    }
    let mut taxes = wallet.taxed.values().flatten().map(|t: &TaxPart| t.tax);
    let taxes = taxes.try_fold(Exact::ZERO, Exact::plus)?;
    if taxes != wallet.tax || !rounds_to(wallet.tax, wallet.tax_posted)? {
        broken.push(format!(
            "wallet {id}: tax of {taxes} by meter, {} in all, {} posted",
            wallet.tax, wallet.tax_posted
        ));
    }
    Ok(())
}

/// Whether money is one of the two whole amounts next to an exact one.
fn rounds_to(exact: Exact, money: Money) -> Result<bool, Rejection> {
    let up = Money::round(exact, money.currency, Rounding::Up)?;
    let down = Money::round(exact, money.currency, Rounding::Down)?;
    Ok(money == up || money == down)
}

/// Every hold is of a quota that somebody was granted, and ends with it.
fn holds_are_reserved(tenant: &Tenant, id: &str, wallet: &Wallet, broken: &mut Vec<String>) {
    for (by, hold) in &wallet.holds {
        let named = by.split_once('/');
        let quota = named.and_then(|(session, service)| {
            let of = tenant.tables.reservations.get(session)?;
            let own = of.state.account.as_ref() == Some(&wallet.account);
            of.state.quotas.get(service).filter(|_| own)
        });
        if quota.is_none_or(|quota| quota.until != hold.until) {
            broken.push(format!(
                "wallet {id}: {} is held for {by}, which reserves nothing until {}",
                hold.amount(),
                hold.until
            ));
        }
    }
}

/// Every quota that cost something is held for, unless what others used may have made it free.
fn quotas_are_held(tenant: &Tenant, session: &str, state: &Reservation, broken: &mut Vec<String>) {
    for (service, quota) in &state.quotas {
        let answers = state.answered.values().rev();
        let mut served = answers.filter_map(|given| given.answer.service(service));
        let cost = served.find(|s| s.quota.as_ref() == Some(quota));
        let cost = cost.and_then(|s| s.cost).unwrap_or_default();
        if cost.is_zero() || may_be_repriced(tenant, quota) {
            continue;
        }
        let wallets = state.account.as_ref();
        let wallets = wallets.and_then(|account| tenant.index.wallets_of.get(account));
        let by = hold_id(session, service);
        let holds = |id: &Id| {
            let wallet = tenant.tables.wallets.get(id);
            wallet.is_some_and(|w| w.state.holds.contains_key(&by))
        };
        if !wallets.into_iter().flatten().any(holds) {
            broken.push(format!(
                "session {session}: {cost} is reserved for {service}, no wallet holds it"
            ));
        }
    }
}

/// Whether a quota costs something else when the meter moves; also when its charge is not found any more.
fn may_be_repriced(tenant: &Tenant, quota: &Quota) -> bool {
    let mut parts = quota.meter.split('/');
    let (Some(sub), Some(code), Some(from)) = (parts.next(), parts.next(), parts.next()) else {
        return true;
    };
    let on: Option<Date> = parse_date(from).ok();
    let sub = tenant.tables.subscriptions.get(sub);
    let term = sub.zip(on).and_then(|(sub, on)| sub.state.term_on(on));
    let charge = term.and_then(|(_, term)| term.offer.usage.iter().find(|u| u.code == code));
    charge.is_none_or(depends_on_earlier)
}

/// What is found by meter is what sessions have.
fn living_is_what_is_reserved(tenant: &Tenant, broken: &mut Vec<String>) {
    let known = tenant.index.reserved.iter();
    let mut found = 0;
    for living in known {
        found += 1;
        let of = tenant.tables.reservations.get(&living.session);
        let quota = of.and_then(|e| e.state.quotas.get(&living.service));
        if quota != Some(&living.quota) {
            broken.push(format!(
                "session {}: service {} has no such quota on {}",
                living.session, living.service, living.quota.meter
            ));
        }
    }
    let quotas = tenant.tables.reservations.values();
    let quotas: usize = quotas.map(|e| e.state.quotas.len()).sum();
    if quotas != found {
        broken.push(format!(
            "sessions have {quotas} quotas, {found} are found by their meters"
        ));
    }
}
