//! The periods of a contract's commitments, and what was rated in them (policy 20).

use super::schedule;
use super::{Subscription, Term};
use crate::catalog::{Commitment, Part, Prorate};
use crate::charges::used;
use crate::kernel::{Date, Days, Exact, Rejection, calendar::LAST_DATE};
use crate::rating;
use crate::usage::Metered;

/// Days of one period of a commitment, cut by the term, by pauses and by the trial.
#[derive(Clone, Debug)]
pub struct Committed<'a> {
    pub term: &'a Term,
    pub commitment: &'a Commitment,
    pub days: Days,
    /// The whole period the days are a part of.
    pub period: Days,
}

/// Committed periods that begin on or before `through`.
pub fn committed(sub: &Subscription, through: Date) -> Vec<Committed<'_>> {
    committed_since(sub, Date::MIN, through)
}

/// The same for periods that end after a day: nothing before it is walked through.
pub fn committed_since(sub: &Subscription, since: Date, through: Date) -> Vec<Committed<'_>> {
    let mut out = Vec::new();
    let pauses = sub.pause_days();
    for (i, term) in sub.terms.iter().enumerate() {
        for commitment in &term.offer.commitments {
            let Some(begin) = schedule::trial_end(sub, term) else {
                continue;
            };
            let window = Days::new(begin, LAST_DATE).overlap(sub.term_days(i));
            if window.is_empty() {
                continue;
            }
            let grid = schedule::commitment_grid(sub, i, commitment, begin);
            for piece in window.without_all(&pauses) {
                let mut from = piece.from;
                if from < since {
                    from = from.max(grid.period(since).from);
                }
                while from <= through && from < piece.until {
                    let period = grid.period(from);
                    let days = Days::new(from, period.until.min(piece.until));
                    if days.is_empty() {
                        break;
                    }
                    from = days.until;
                    out.push(Committed {
                        term,
                        commitment,
                        days,
                        period,
                    });
                }
            }
        }
    }
    out
}

/// What recurring charges of these days and usage of periods that end in them come to, before discounts, whoever paid it.
/// `counts` says which charges are looked at.
pub fn rated<'m>(
    sub: &Subscription,
    days: Days,
    counts: impl Fn(&Term, &str) -> bool,
    metered: impl Fn(&str, Date) -> Option<&'m Metered>,
) -> Result<Exact, Rejection> {
    let mut sum = Exact::ZERO;
    // Periods that are charged whole are so once for each price, however often they are cut.
    let mut whole = Vec::new();
    for segment in schedule::segments_since(sub, days.from, days.until, days.until) {
        let part = segment.days.overlap(days);
        if !counts(segment.term, &segment.charge.code) {
            continue;
        }
        let full = rating::price::amount(
            &segment.charge.price,
            segment.charge.units(segment.term.quantity),
        )?;
        let prorate = match segment.part {
            Some(Part::Nothing) => continue,
            Some(Part::Full) if segment.paid == segment.period => Prorate::None,
            Some(_) => Prorate::Day,
            None => segment.charge.prorate,
        };
        let share = match prorate {
            Prorate::None => {
                let this = (segment.charge.code.as_str(), segment.period, full);
                let first = !whole.contains(&this);
                whole.push(this);
                match first && days.contains(segment.days.from) {
                    true => full,
                    false => Exact::ZERO,
                }
            }
            _ if part.is_empty() => continue,
            _ => full.share(
                segment.paid_within(part).into(),
                segment.period.count().into(),
            )?,
        };
        sum = sum.plus(share)?;
    }
    for period in schedule::usage_periods_since(sub, days.from, days.until) {
        let ends_here = days.from < period.days.until && period.days.until <= days.until;
        if !ends_here || !counts(period.term, &period.charge.code) {
            continue;
        }
        let here = metered(&period.charge.code, period.days.from);
        let burnt = here.map_or(Exact::ZERO, |m| m.meter.burnt);
        sum = sum
            .plus(used::total(sub, &period, &metered)?.0)?
            .plus(burnt)?;
    }
    Ok(sum)
}
