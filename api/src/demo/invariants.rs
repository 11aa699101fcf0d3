//! What must be true of the books at the end, each looked at by going through all of them.

use super::{DemoError, TENANT, check};
use crate::office::Office;
use indelible_domain::audit::audit;
use indelible_domain::kernel::{Currency, Money};
use indelible_domain::receivables::Receivables;
use indelible_domain::world::Noun as _;
use indelible_projections::{Views, finance, receivables, usage};
use std::collections::BTreeMap;

/// The sentences that hold; the first that does not ends the demo.
pub fn hold(office: &Office, views: &Views) -> Result<Vec<String>, DemoError> {
    let mut held = Vec::new();
    let mut holds = |what: &str, broken: Option<String>| match broken {
        None => {
            held.push(what.to_string());
            Ok(())
        }
        Some(broken) => Err(DemoError::Unexpected(format!(
            "it does not hold that {what}: {broken}"
        ))),
    };
    let broken = [TENANT, check::TENANT]
        .iter()
        .flat_map(|tenant| office.ledger.read(tenant, audit))
        .next();
    holds(
        "every document's total is the sum of its lines and taxes, and no number is missing",
        broken,
    )?;
    holds(
        "every line that was received is counted once",
        usage_adds_up(views)?,
    )?;
    holds(
        "debits equal credits in every currency",
        books_balance(views)?,
    )?;
    holds(
        "the aging buckets sum to what is open",
        buckets_sum(office, views)?,
    )?;
    let verified = office.store().verify(&mut |_, _| {});
    holds(
        "every block of the log has its checksum and its place in the chain",
        verified.err().map(|e| e.to_string()),
    )?;
    let replayed = office.ledger.verify_state()?;
    let differing = (!replayed.differing.is_empty()).then(|| replayed.differing.join(", "));
    holds("replaying the log gives the state in use", differing)?;
    let differing = views.verify(&mut |_| {})?;
    holds(
        "read models made again from position 0 equal the ones kept",
        (!differing.is_empty()).then(|| differing.join(", ")),
    )?;
    Ok(held)
}

fn usage_adds_up(views: &Views) -> Result<Option<String>, DemoError> {
    for tenant in [TENANT, check::TENANT] {
        let c = usage::completeness::total(&views.of(tenant))?;
        let received = c.accepted + c.duplicates + c.conflicts + c.unreadable;
        let accepted = c.rated + c.pending + c.rejected + c.superseded;
        if c.received != received || c.accepted != accepted {
            return Ok(Some(format!("tenant {tenant}: {c:?}")));
        }
    }
    Ok(None)
}

fn books_balance(views: &Views) -> Result<Option<String>, DemoError> {
    let mut sums: BTreeMap<Currency, Money> = BTreeMap::new();
    for line in finance::trial_balance::between(&views.of(TENANT), None, None, None)? {
        let sum = sums
            .entry(line.debit.currency)
            .or_insert(Money::zero(line.debit.currency));
        *sum = sum.plus(line.debit).minus(line.credit);
    }
    Ok(sums
        .into_values()
        .find(|sum| !sum.is_zero())
        .map(|sum| format!("they differ by {sum}")))
}

fn buckets_sum(office: &Office, views: &Views) -> Result<Option<String>, DemoError> {
    let today = indelible_domain::kernel::Zone::default().date(office.clock.now());
    let mut open: BTreeMap<Currency, Money> = BTreeMap::new();
    office.ledger.read(TENANT, |tenant| {
        for entry in Receivables::table(&tenant.tables).values() {
            let own = entry.state.open();
            let sum = open
                .entry(own.currency)
                .or_insert(Money::zero(own.currency));
            *sum = sum.plus(own);
        }
    });
    for aging in receivables::aging::totals(&views.of(TENANT), today)? {
        let buckets = aging.late.iter().copied().chain([aging.not_due]);
        let sum = Money::sum(aging.currency, buckets);
        let expected = open
            .remove(&aging.currency)
            .unwrap_or(Money::zero(aging.currency));
        if sum != aging.open || sum != expected {
            return Ok(Some(format!(
                "buckets {sum}, open {}, items {expected}",
                aging.open
            )));
        }
    }
    Ok(open
        .into_values()
        .find(|left| !left.is_zero())
        .map(|left| format!("{left} are in no bucket")))
}
