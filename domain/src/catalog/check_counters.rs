//! Whether the counters and features of an offer make sense, and pools that several offers bring are one.

use super::check::Problems;
use super::counters::{COUNTERS_MAX, ROLLOVER_MAX};
use super::{Beyond, Catalog, CounterRule, Feature, Offer, Owner, Reset, text::File};
use crate::kernel::{Decimal, check_id};
use std::collections::BTreeSet;

const HUNDRED: i64 = 100;

pub(super) fn offer(offer: &Offer, problems: &mut Problems) {
    problems.when(offer.counter.len() > COUNTERS_MAX, || {
        format!(
            "it has {} counters, more than {COUNTERS_MAX}",
            offer.counter.len()
        )
    });
    let mut codes = BTreeSet::new();
    for rule in &offer.counter {
        problems.within(
            format!("offer {}, counter {}", offer.code, rule.code),
            |p| {
                p.code(&rule.code);
                p.when(!codes.insert(&rule.code), || {
                    "there is another counter with this code".to_string()
                });
                counter(offer, rule, p);
            },
        );
    }
    let mut codes = BTreeSet::new();
    for feature in &offer.feature {
        problems.within(
            format!("offer {}, feature {}", offer.code, feature.code),
            |p| {
                p.code(&feature.code);
                p.when(!codes.insert(&feature.code), || {
                    "there is another feature with this code".to_string()
                });
                says_one_thing(feature, p);
            },
        );
    }
}

fn counter(offer: &Offer, rule: &CounterRule, problems: &mut Problems) {
    problems.price("size", rule.size);
    problems.when(rule.of.is_some(), || {
        "of is written when an offer is sold".to_string()
    });
    for charge in &rule.charges {
        let Some(usage) = offer.usage.iter().find(|u| u.code == *charge) else {
            // An option may draw on a charge of the offer that it extends.
            continue;
        };
        problems.when(rule.unit.is_some() && !usage.counts_units(), || {
            format!("charge {charge} is not priced by the sum of its units: only a counter of money fits it")
        });
        problems.when(rule.unit.is_none() && !usage.counts_money(), || {
            format!("charge {charge} carries a level over: no counter can pay for it")
        });
        if let Some(unit) = rule.unit.as_ref().filter(|unit| **unit != usage.unit) {
            problems.add(format!(
                "charge {charge} counts in {}, this counts in {unit}",
                usage.unit
            ));
        }
    }
    if let Some(price) = rule.price {
        problems.price("price", price);
        problems.when(rule.unit.is_none(), || {
            "money that it covers has no price".to_string()
        });
    }
    if let Some(rollover) = &rule.rollover {
        if let Some(max) = rollover.max {
            problems.price("rollover max", max);
        }
        problems.when(!(1..=ROLLOVER_MAX).contains(&rollover.periods), || {
            format!(
                "rollover through {} periods, it may be 1 to {ROLLOVER_MAX}",
                rollover.periods
            )
        });
        problems.when(rule.reset == Reset::Never, || {
            "it never begins anew, so nothing rolls over".to_string()
        });
    }
    problems.when(rule.prorate && rule.reset == Reset::Never, || {
        "it never begins anew, so there is no period to take a share of".to_string()
    });
    problems.when(rule.fixed && rule.owner == Owner::Subscription, || {
        "fixed is about pools".to_string()
    });
    problems.when(rule.fixed && rule.by_quantity, || {
        "a fixed pool does not grow by quantity".to_string()
    });
    if let Some(template) = &rule.message {
        problems.when(check_id("message", template).is_err(), || {
            format!("message {template:?} is no name of a text")
        });
        problems.when(rule.thresholds.is_empty(), || {
            "a message is written at thresholds, and there are none".to_string()
        });
    }
    for threshold in &rule.thresholds {
        problems.positive("threshold", threshold.value);
        problems.when(
            threshold.percent && threshold.value > Decimal::from(HUNDRED),
            || format!("threshold {threshold} is never reached: the size is 100%"),
        );
    }
    problems.when(
        rule.beyond == Beyond::Refuse && rule.price.is_none() && rule.size.is_zero(),
        || "it has nothing and refuses what is beyond: leave the charge out".to_string(),
    );
}

fn says_one_thing(feature: &Feature, problems: &mut Problems) {
    let said = [
        feature.on.is_some(),
        feature.limit.is_some(),
        feature.text.is_some(),
    ];
    problems.when(said.iter().filter(|said| **said).count() != 1, || {
        "it says one of on, limit and text".to_string()
    });
    if let Some(limit) = feature.limit {
        problems.price("limit", limit);
    }
    problems.when(feature.of.is_some(), || {
        "of is written when an offer is sold".to_string()
    });
}

/// A pool is one counter, whoever brings something to it.
pub(super) fn pools(known: &Catalog, file: &File, problems: &mut Problems) {
    for (n, offer) in file.offer.iter().enumerate() {
        let shared = offer
            .counter
            .iter()
            .filter(|r| r.owner != Owner::Subscription);
        for rule in shared {
            let new = file.offer.iter().skip(n + 1);
            let named = |code: &str| file.offer.iter().any(|o| o.code == code);
            let old = known.current().map(|sold| &**sold);
            let old = old.filter(|o: &&Offer| !named(&o.code));
            for other in new.chain(old) {
                let twin = other
                    .counter
                    .iter()
                    .find(|r| r.code == rule.code && r.owner == rule.owner);
                let Some(twin) = twin else { continue };
                problems.within(
                    format!("offer {}, counter {}", offer.code, rule.code),
                    |p| {
                        let differs = [
                            (twin.unit != rule.unit, "unit"),
                            (twin.reset != rule.reset, "reset"),
                            (twin.rollover != rule.rollover, "rollover"),
                            (twin.fixed != rule.fixed, "fixed"),
                            (
                                rule.unit.is_none() && other.currency != offer.currency,
                                "currency",
                            ),
                        ];
                        for (_, what) in differs.into_iter().filter(|(differs, _)| *differs) {
                            p.add(format!(
                                "offer {} has the same pool with another {what}",
                                other.code
                            ));
                        }
                    },
                );
            }
        }
    }
}
