//! What must be true of counters: what a period says is used is what meters say they drew.

use crate::kernel::Exact;
use crate::world::Tenant;
use std::collections::BTreeMap;

/// Every broken invariant of a tenant's counters, each one sentence.
pub(crate) fn audit(tenant: &Tenant, broken: &mut Vec<String>) {
    let mut drawn: BTreeMap<&str, Exact> = BTreeMap::new();
    for (id, meter) in &tenant.tables.usage {
        let Some(draws) = &meter.state.draws else {
            continue;
        };
        for (way, sums) in &draws.ways {
            let units = way.units.iter().zip(&sums.units.parts);
            let money = way.money.iter().zip(&sums.money.parts);
            for (lot, part) in units.chain(money) {
                if part.is_negative() {
                    broken.push(format!(
                        "meter {id} drew less than nothing on {}",
                        lot.counter
                    ));
                }
                let sum = drawn.entry(lot.counter.as_str()).or_insert(Exact::ZERO);
                *sum = sum.plus(*part).unwrap_or(*sum);
            }
        }
    }
    for (id, counter) in &tenant.tables.counters {
        let counter = &counter.state;
        let meters = drawn.remove(id.as_str()).unwrap_or(Exact::ZERO);
        if meters != counter.used {
            broken.push(format!(
                "counter {id} says {} are used, meters drew {}",
                counter.used.to_decimal(12),
                meters.to_decimal(12)
            ));
        }
        if counter.later.is_negative() || counter.later > counter.used {
            broken.push(format!(
                "of counter {id} later periods used {}, all together {}",
                counter.later.to_decimal(12),
                counter.used.to_decimal(12)
            ));
        }
        let brought = counter.brought.values().copied();
        let size = counter.rule().map(|rule| super::size(rule, brought));
        if !matches!(size, Some(Ok(size)) if size == counter.size) {
            broken.push(format!("counter {id} is not as large as what is brought"));
        }
    }
    for id in drawn
        .keys()
        .filter(|id| drawn.get(**id) != Some(&Exact::ZERO))
    {
        broken.push(format!("there is no counter {id} that meters drew on"));
    }
}
