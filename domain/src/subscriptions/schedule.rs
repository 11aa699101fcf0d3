//! What a subscription should be charged for: every recurring segment and usage period that its terms ask for.
//!
//! Pure arithmetic over the subscription's own state. Comparing this with what was billed is `charges::due`.

use super::{Subscription, Term};
use crate::catalog::{Align, Anchor, Commitment, Recurring, Usage};
use crate::kernel::{Date, Days, Grid, Span, calendar::LAST_DATE};

/// One recurring charge over days of one period of its grid.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    pub term: &'a Term,
    pub charge: &'a Recurring,
    pub days: Days,
    /// The whole period the days are a part of: the denominator (policy 8).
    pub period: Days,
}

/// Days on which a recurring charge runs without a break.
#[derive(Clone, Debug)]
pub struct Running<'a> {
    pub term: &'a Term,
    pub charge: &'a Recurring,
    pub days: Days,
}

/// One period of a usage charge, cut by the term.
#[derive(Clone, Debug)]
pub struct UsagePeriod<'a> {
    pub term: &'a Term,
    pub charge: &'a Usage,
    pub days: Days,
}

/// Recurring segments that begin on or before `through`, in order of term, charge and date.
pub fn segments(sub: &Subscription, through: Date) -> Vec<Segment<'_>> {
    let mut out = Vec::new();
    let pauses = sub.pause_days();
    for (i, term) in sub.terms.iter().enumerate() {
        for charge in &term.offer.recurring {
            let window = charge_window(sub, term, charge).overlap(sub.term_days(i));
            if window.is_empty() {
                continue;
            }
            let grid = recurring_grid(sub, i, charge);
            for piece in window.without_all(&pauses) {
                let mut from = piece.from;
                while from <= through && from < piece.until {
                    let period = grid.period(from);
                    let until = period.until.min(piece.until);
                    if until <= from {
                        break;
                    }
                    out.push(Segment {
                        term,
                        charge,
                        days: Days::new(from, until),
                        period,
                    });
                    from = until;
                }
            }
        }
    }
    out
}

/// When each recurring charge runs: within its term, after the trial, within its phase, and not paused.
pub fn running(sub: &Subscription) -> Vec<Running<'_>> {
    let mut out = Vec::new();
    let pauses = sub.pause_days();
    for (i, term) in sub.terms.iter().enumerate() {
        for charge in &term.offer.recurring {
            let window = charge_window(sub, term, charge).overlap(sub.term_days(i));
            let pieces = window.without_all(&pauses).into_iter();
            out.extend(pieces.filter(|days| !days.is_empty()).map(|days| Running {
                term,
                charge,
                days,
            }));
        }
    }
    out
}

/// Usage periods that begin on or before `through`.
pub fn usage_periods(sub: &Subscription, through: Date) -> Vec<UsagePeriod<'_>> {
    let mut out = Vec::new();
    for (i, term) in sub.terms.iter().enumerate() {
        let window = sub.term_days(i);
        for charge in &term.offer.usage {
            let mut from = window.from;
            while from <= through && from < window.until {
                let days = usage_period(sub, i, charge, from);
                if days.until <= from {
                    break;
                }
                out.push(UsagePeriod { term, charge, days });
                from = days.until;
            }
        }
    }
    out
}

/// The usage period of `charge` in term `i` that a day falls into: the grid's period cut by the term.
pub fn usage_period(sub: &Subscription, i: usize, charge: &Usage, date: Date) -> Days {
    let same = |t: &Term| {
        t.offer.usage.iter().any(|u| {
            (u.code.as_str(), u.every, u.align)
                == (charge.code.as_str(), charge.every, charge.align)
        })
    };
    let start = first_day(sub, i, same);
    let grid = grid(
        sub,
        start,
        charge.align,
        Anchor::Subscription,
        charge.every,
        sub.terms.get(i).map_or(1, |t| t.billing_day),
    );
    grid.period(date).overlap(sub.term_days(i))
}

/// The end of the period in which `date` lies, for "at the end of the period": the latest over the recurring charges
/// of the term in force, else the day itself.
pub fn period_end(sub: &Subscription, date: Date) -> Date {
    let Some((i, term)) = sub.term_on(date) else {
        return date;
    };
    term.offer
        .recurring
        .iter()
        .filter(|c| charge_window(sub, term, c).contains(date))
        .map(|c| recurring_grid(sub, i, c).period(date).until)
        .max()
        .or_else(|| trial_end(sub, term).filter(|end| *end > date))
        .unwrap_or(date)
}

/// The day after the trial; the trial is counted from the subscription's first day, through every plan change.
pub(super) fn trial_end(sub: &Subscription, term: &Term) -> Option<Date> {
    let start = sub.start()?;
    Some(term.offer.trial.map_or(start, |trial| trial.after(start)))
}

/// The days on which a charge runs, by trial and phase.
fn charge_window(sub: &Subscription, term: &Term, charge: &Recurring) -> Days {
    let Some(begin) = trial_end(sub, term) else {
        return Days::new(LAST_DATE, LAST_DATE);
    };
    let from = charge.after.map_or(begin, |span| span.after(begin));
    Days::new(
        from,
        charge.lasts.map_or(LAST_DATE, |span| span.after(from)),
    )
}

fn recurring_grid(sub: &Subscription, i: usize, charge: &Recurring) -> Grid {
    let term = &sub.terms[i];
    let same = |t: &Term| {
        t.offer.recurring.iter().any(|c| {
            (c.code.as_str(), c.every, c.align)
                == (charge.code.as_str(), charge.every, charge.align)
        })
    };
    let start = first_day(sub, i, same).max(charge_window(sub, term, charge).from);
    grid(
        sub,
        start,
        charge.align,
        charge.anchor,
        charge.every,
        term.billing_day,
    )
}

/// Where the periods of a commitment of term `i` lie; it begins with the first charged day.
pub(super) fn commitment_grid(
    sub: &Subscription,
    i: usize,
    commitment: &Commitment,
    begin: Date,
) -> Grid {
    let same = |t: &Term| {
        t.offer.commitments.iter().any(|c| {
            (c.code.as_str(), c.every, c.align)
                == (commitment.code.as_str(), commitment.every, commitment.align)
        })
    };
    let Commitment {
        align,
        anchor,
        every,
        ..
    } = *commitment;
    let start = first_day(sub, i, same).max(begin);
    let billing_day = sub.terms.get(i).map_or(1, |t| t.billing_day);
    grid(sub, start, align, anchor, every, billing_day)
}

/// The first day of the run of terms up to `i` that have the same charge and billing day: a price change keeps the grid.
fn first_day(sub: &Subscription, i: usize, same: impl Fn(&Term) -> bool) -> Date {
    let Some(term) = sub.terms.get(i) else {
        return LAST_DATE;
    };
    sub.terms[..i]
        .iter()
        .rev()
        .take_while(|t| t.billing_day == term.billing_day && same(t))
        .last()
        .unwrap_or(term)
        .from
}

fn grid(
    sub: &Subscription,
    start: Date,
    align: Align,
    anchor: Anchor,
    every: Span,
    billing_day: u32,
) -> Grid {
    match (align, anchor) {
        (Align::Calendar, _) => Grid::calendar(start, every),
        (Align::BillingDay, _) => Grid::billing_day(start, billing_day, every),
        (Align::Anniversary, Anchor::Subscription) => {
            Grid::anchored(sub.start().unwrap_or(start), every)
        }
        (Align::Anniversary, Anchor::Charge) => Grid::anchored(start, every),
    }
}
