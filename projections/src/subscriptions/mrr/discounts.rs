//! What discounts leave of the recurring charges that one account pays for, day by day.

use std::collections::{BTreeMap, BTreeSet};

use indelible_domain::Rejection;
use indelible_domain::discounts::recurring::{Monthly, left};
use indelible_domain::discounts::{ChargeKind, Off, Place, Redemption};
use indelible_domain::kernel::calendar::LAST_DATE;
use indelible_domain::kernel::{Date, Days, Exact, Id};
use indelible_domain::subscriptions::Subscription;
use indelible_domain::subscriptions::schedule;

use super::fold::{self, Changes};

/// Days on which a charge costs the same before discounts.
struct Piece {
    days: Days,
    charge: Monthly,
}

/// The changes of each subscription, after discounts.
pub fn changes(
    held: &[(Id, Subscription)],
    discounts: &[Redemption],
) -> Vec<(Id, Result<Changes, Rejection>)> {
    // A share of each charge does not depend on the others; a fixed amount is shared between them.
    let apart = discounts
        .iter()
        .all(|d| matches!(d.terms.off, Off::Percent(_)));
    if apart {
        let of = |(id, sub): &(Id, Subscription)| {
            let pieces = pieces(id, sub);
            let all = pieces.and_then(|pieces| {
                let each = pieces
                    .iter()
                    .map(|p| levels(std::slice::from_ref(p), discounts));
                let mut sum = Changes::new();
                for levels in each {
                    for changes in levels?.values() {
                        for (on, by) in changes {
                            fold::add(&mut sum, *on, *by)?;
                        }
                    }
                }
                Ok(sum)
            });
            (id.clone(), all)
        };
        return held.iter().map(of).collect();
    }
    let mut all = Vec::new();
    let mut found = Vec::new();
    for (id, sub) in held {
        match pieces(id, sub) {
            Ok(pieces) => all.extend(pieces),
            Err(rejection) => found.push((id.clone(), Err(rejection))),
        }
    }
    let mut levels = levels(&all, discounts);
    for (id, _) in held {
        if found.iter().any(|(known, _)| known == id) {
            continue;
        }
        let own = match &mut levels {
            Ok(levels) => Ok(levels.remove(id).unwrap_or_default()),
            Err(rejection) => Err(rejection.clone()),
        };
        found.push((id.clone(), own));
    }
    found
}

fn pieces(id: &Id, sub: &Subscription) -> Result<Vec<Piece>, Rejection> {
    let of = |running: schedule::Running<'_>| {
        let (months, of) = running.charge.every.in_months();
        Ok(Piece {
            days: running.days,
            charge: Monthly {
                subscription: id.clone(),
                place: Place {
                    offer: running.term.offer.code.clone(),
                    charge: running.charge.code.clone(),
                    kind: Some(ChargeKind::Recurring),
                    ..Place::default()
                },
                amount: fold::monthly(&running)?,
                months: Exact::ratio(months.max(1), of)?,
            },
        })
    };
    schedule::running(sub).into_iter().map(of).collect()
}

/// By how much each subscription changes on which day: between two days on which nothing begins or ends, nothing changes.
fn levels(pieces: &[Piece], discounts: &[Redemption]) -> Result<BTreeMap<Id, Changes>, Rejection> {
    let mut breaks: BTreeSet<Date> = BTreeSet::new();
    breaks.extend(pieces.iter().flat_map(|p| [p.days.from, p.days.until]));
    breaks.extend(discounts.iter().map(|d| d.from));
    breaks.extend(discounts.iter().filter_map(|d| d.until));
    let mut changes: BTreeMap<Id, Changes> = BTreeMap::new();
    let mut before: BTreeMap<&Id, Exact> = BTreeMap::new();
    for on in breaks.into_iter().filter(|on| *on < LAST_DATE) {
        let there = pieces.iter().filter(|p| p.days.contains(on));
        let there: Vec<Monthly> = there
            .map(|p| {
                let mut charge = p.charge.clone();
                charge.place.on = on;
                charge
            })
            .collect();
        let mut now: BTreeMap<&Id, Exact> = pieces
            .iter()
            .map(|p| (&p.charge.subscription, Exact::ZERO))
            .collect();
        for (charge, left) in there.iter().zip(left(&there, discounts)?) {
            if let Some(sum) = now.get_mut(&charge.subscription) {
                *sum = sum.plus(left)?;
            }
        }
        for (id, level) in &now {
            let by = level.minus(before.get(id).copied().unwrap_or_default())?;
            if !by.is_zero() {
                fold::add(changes.entry((*id).clone()).or_default(), on, by)?;
            }
        }
        before = now;
    }
    Ok(changes)
}
