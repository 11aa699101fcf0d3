//! Usage whose records are remembered: what each group comes to, level by level.

use super::fees::figures;
use super::{Behind, Figure, Source, sum};
use crate::catalog::{By, Price, Usage};
use crate::kernel::{Days, Exact, Rejection};
use crate::rating::parts::parts;
use crate::rating::{self, Over, Period, Steps, Stretch, price};
use crate::subscriptions::Subscription;
use crate::usage::{Memory, Metered, Slot, Worth};

/// Most figures of one line; what has more is told as one.
const FIGURES_MAX: usize = 400;

/// What one slot comes to.
pub(super) struct OfSlot {
    pub slot: Slot,
    pub worth: Worth,
    /// They sum to what it is worth.
    pub figures: Vec<Figure>,
}

/// What each slot comes to, before bounds, counters and wallets.
///
/// Errors: an amount that does not fit.
pub(super) fn slots(
    sub: &Subscription,
    charge: &Usage,
    (days, whole): (Days, Days),
    metered: &Metered,
    behind: Behind<'_>,
) -> Result<Vec<OfSlot>, Rejection> {
    let memory = |_: &str, from| -> Option<&Memory> { behind.before.get(&from)?.memory.as_deref() };
    let carried = rating::carried_in(sub, charge, days.from, memory)?;
    let period = Period::new(charge, Over { days, whole }, carried);
    let mut found = Vec::new();
    for (slot, own, steps, worth) in period.steps(metered.memory.as_deref())? {
        let mut figures = match steps {
            Steps::Records(amount) => {
                let all = Figure::amount(Source::Records, amount)?;
                vec![match charge.allowance {
                    Some(free) => all.told(format!("beyond the first {free} {}", charge.unit)),
                    None => all,
                }]
            }
            Steps::Units(units) => by_units(charge, own, units)?,
            Steps::Levels {
                stretches,
                whole,
                flat,
            } => by_level(charge, own, &stretches, (whole, flat))?,
        };
        // Less than nothing is nothing, where it is not one line of several.
        let less = worth.amount.minus(sum(&figures)?)?;
        if !less.is_zero() {
            figures
                .push(Figure::amount(Source::Bounds, less)?.told("less than nothing is nothing"));
        }
        found.push(OfSlot {
            slot,
            worth,
            figures,
        });
    }
    Ok(found)
}

/// What the price asks for, before counters and wallets; none where there would be too many figures.
///
/// Errors: an amount that does not fit.
pub(super) fn remembered(
    charge: &Usage,
    days: Days,
    slots: Vec<OfSlot>,
) -> Result<Option<Vec<Figure>>, Rejection> {
    let mut found = Vec::new();
    for OfSlot { slot, figures, .. } in slots {
        let told = named(charge, &slot);
        found.extend(figures.into_iter().map(|figure| match told.is_empty() {
            true => figure,
            false => {
                let text = [told.as_str(), figure.text.as_str()];
                let text: Vec<&str> = text.into_iter().filter(|t| !t.is_empty()).collect();
                let text = text.join(", ");
                figure.told(text)
            }
        }));
        if found.len() > FIGURES_MAX {
            return Ok(None);
        }
    }
    let asked = sum(&found)?;
    let bounded = price::bounded(charge, charge.price_on(days.from), asked)?;
    if bounded != asked {
        let change = Figure::amount(Source::Bounds, bounded.minus(asked)?)?;
        let most = charge.maximum.map(|most| format!("at most {most}"));
        found.push(change.told(most.unwrap_or_else(|| "less than nothing is nothing".into())));
    }
    Ok(Some(found))
}

/// Which records a slot is of.
fn named(charge: &Usage, slot: &Slot) -> String {
    let line = (slot.line > 0).then(|| format!("line {} of the matrix", slot.line));
    let groups = charge.group_by.iter().zip(&slot.group);
    let groups = groups.map(|(name, value)| format!("{name} {value}"));
    line.into_iter()
        .chain(groups)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What a total comes to, tier by tier.
fn by_units(charge: &Usage, own: &Price, units: Exact) -> Result<Vec<Figure>, Rejection> {
    figures(&parts(
        own,
        price::seen(charge, price::whole_steps(charge, units)?)?,
    )?)
}

/// Each level at its price, for the part of the period that it stood, and the flat fees of tiers that were entered.
fn by_level(
    charge: &Usage,
    own: &Price,
    stretches: &[Stretch],
    (whole, flat): (i128, Exact),
) -> Result<Vec<Figure>, Rejection> {
    let unit = match charge.precision() {
        By::Day => "days",
        By::Second => "seconds",
    };
    let mut found = Vec::new();
    for stretch in stretches {
        let (Ok(spent), Ok(of)) = (i64::try_from(stretch.spent), i64::try_from(whole)) else {
            continue;
        };
        let text = format!(
            "level {} for {spent} of {of} {unit}",
            stretch.level.to_decimal(12)
        );
        let mut each = figures(&parts(own, price::seen(charge, stretch.level)?)?)?;
        each.retain(|figure| figure.source != Source::Flat);
        if sum(&each)? != stretch.each {
            each = vec![Figure::amount(Source::Level, stretch.each)?];
        }
        for figure in each {
            let text = match figure.text.is_empty() {
                true => text.clone(),
                false => format!("{text}, {}", figure.text),
            };
            let figure = Figure {
                source: Source::Level,
                ..figure.told(text)
            };
            found.push(figure.shared((spent, of))?);
        }
    }
    if !flat.is_zero() {
        found.push(Figure::amount(Source::Flat, flat)?);
    }
    Ok(found)
}
