//! True-ups and caps: what a commitment's period lacks of its minimum, or has beyond its maximum (policy 20).

use super::due::{Basis, Due};
use super::{Charges, Item, What};
use crate::kernel::{Date, Days, Decimal, Exact, Money, Rejection, calendar::add_days};
use crate::subscriptions::commitments::{committed_since, rated};
use crate::subscriptions::{Subscription, Term};
use crate::usage::Metered;
use std::collections::BTreeSet;

/// One period that has ended, with its bounds.
#[derive(Clone, Debug)]
pub struct Bounds<'a> {
    pub code: &'a str,
    pub name: &'a str,
    pub min: Option<Decimal>,
    pub max: Option<Decimal>,
    pub tax_class: &'a str,
    pub days: Days,
    /// The whole period: the bounds are prorated like a fee.
    pub period: Days,
}

/// Lines of a subscription's own commitments.
pub fn of_subscription<'m>(
    sub: &Subscription,
    charges: &Charges,
    metered: impl Fn(&str, Date) -> Option<&'m Metered>,
    basis: Basis,
    settled: Date,
) -> Result<Vec<Due>, Rejection> {
    let mut out = Vec::new();
    let mut wanted = BTreeSet::new();
    // A period that ends on the day itself may have been cut there by what changed on it.
    let settled = add_days(settled, -1);
    for period in committed_since(sub, settled, basis.as_of) {
        let (terms, days) = (period.commitment, period.days);
        // The whole period: what changes on a day cuts the days before it.
        if period.period.until <= settled {
            continue;
        }
        wanted.insert((terms.code.as_str(), days.from));
        if days.until > basis.as_of {
            continue;
        }
        let counts = |_: &Term, code: &str| {
            terms.charges.is_empty() || terms.charges.iter().any(|c| c == code)
        };
        let rated = rated(sub, days, counts, &metered)?;
        let bounds = Bounds {
            code: &terms.code,
            name: &terms.name,
            min: terms.min,
            max: terms.max,
            tax_class: &terms.tax_class,
            days,
            period: period.period,
        };
        out.extend(lines(&bounds, rated, charges, basis)?);
    }
    out.extend(no_longer(charges, &wanted, |_| true, basis, settled));
    Ok(out)
}

/// What is still to be billed of a period that has ended.
pub fn lines(
    bounds: &Bounds<'_>,
    rated: Exact,
    charges: &Charges,
    basis: Basis,
) -> Result<Vec<Due>, Rejection> {
    let (part, whole) = (bounds.days.count(), bounds.period.count());
    let share = |bound: Decimal| Exact::from(bound).share(part.into(), whole.into());
    let mut out = Vec::new();
    if let Some(min) = bounds.min {
        let lacks = share(min)?.minus(rated)?.max(Exact::ZERO);
        let what = What::TrueUp {
            commitment: bounds.code.to_string(),
            days: bounds.days,
        };
        let told = format!("{} − {} rated", told(min, bounds), rated.to_decimal(12));
        out.extend(difference(what, lacks, bounds, charges, told, basis)?);
    }
    if let Some(max) = bounds.max {
        let beyond = share(max)?.minus(rated)?.min(Exact::ZERO);
        let what = What::Cap {
            commitment: bounds.code.to_string(),
            days: bounds.days,
        };
        let told = format!("{} − {} rated", told(max, bounds), rated.to_decimal(12));
        out.extend(difference(what, beyond, bounds, charges, told, basis)?);
    }
    Ok(out)
}

fn told(bound: Decimal, bounds: &Bounds<'_>) -> String {
    let (part, whole) = (bounds.days.count(), bounds.period.count());
    if part == whole {
        format!("{bound} of {}", bounds.period)
    } else {
        format!("{part} of {whole} days of {} × {bound}", bounds.period)
    }
}

/// What the period comes to now, less what was billed for it before: late usage and late facts change it (policy 15).
fn difference(
    what: What,
    exact: Exact,
    bounds: &Bounds<'_>,
    charges: &Charges,
    told: String,
    basis: Basis,
) -> Result<Option<Due>, Rejection> {
    let total = basis.round(exact)?;
    let before = billed(charges, &what);
    let billed = Money::sum(basis.currency, before.iter().map(|i| i.net));
    let net = total.minus(billed);
    if net.is_zero() {
        return Ok(None);
    }
    let mut explain = format!(
        "{told} = {}, {} to {total}",
        exact.to_decimal(12),
        basis.how()
    );
    if let Some(first) = before.first() {
        explain.push_str(&format!(
            "; {billed} of it was billed before, first on {}",
            first.invoice
        ));
    }
    Ok(Some(Due {
        text: format!("{} {}", bounds.name, bounds.days),
        quantity: "1".to_string(),
        exact: if before.is_empty() {
            exact
        } else {
            net.exact()
        },
        net,
        tax_class: bounds.tax_class.to_string(),
        explain,
        what,
    }))
}

/// Lines of the same kind, commitment and first day.
fn billed<'c>(charges: &'c Charges, what: &What) -> Vec<&'c Item> {
    let same = |i: &&Item| match (&i.what, what) {
        (
            What::TrueUp { commitment, days },
            What::TrueUp {
                commitment: c,
                days: d,
            },
        )
        | (
            What::Cap { commitment, days },
            What::Cap {
                commitment: c,
                days: d,
            },
        ) => commitment == c && days.from == d.from,
        _ => false,
    };
    let from = what.days().map_or(Date::MIN, |days| days.from);
    charges.since(from).filter(same).collect()
}

/// Lines of periods that the contract, as it is known now, does not have: taken back. `of` says of which commitments.
pub fn no_longer(
    charges: &Charges,
    wanted: &BTreeSet<(&str, Date)>,
    of: impl Fn(&str) -> bool,
    basis: Basis,
    settled: Date,
) -> Vec<Due> {
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for item in charges.since(settled) {
        let (What::TrueUp { commitment, days } | What::Cap { commitment, days }) = &item.what
        else {
            continue;
        };
        // What begins after the day is not looked for, so nothing is known of it.
        if days.until <= settled || days.from > basis.as_of {
            continue;
        }
        let capped = matches!(item.what, What::Cap { .. });
        if !of(commitment)
            || wanted.contains(&(commitment.as_str(), days.from))
            || !seen.insert((commitment, days.from, capped))
        {
            continue;
        }
        let sum = Money::sum(
            basis.currency,
            billed(charges, &item.what).iter().map(|i| i.net),
        );
        if sum.is_zero() {
            continue;
        }
        out.push(Due {
            what: item.what.clone(),
            text: format!("{commitment} {days} taken back"),
            quantity: "1".to_string(),
            exact: sum.exact().negated(),
            net: sum.negated(),
            tax_class: "standard".to_string(),
            explain: format!(
                "the contract has no period of {commitment} from {} any more",
                days.from
            ),
        });
    }
    out
}
