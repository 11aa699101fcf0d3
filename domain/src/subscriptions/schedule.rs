//! What a subscription should be charged for: every recurring segment and usage period that its terms ask for.
//!
//! Pure arithmetic over the subscription's own state. Comparing this with what was billed is `charges::due`.

use super::{Subscription, Term};
use crate::catalog::{Align, Anchor, Commitment, Part, Prorate, Recurring, Usage};
use crate::kernel::calendar::{LAST_DATE, add_days};
use crate::kernel::{Date, Days, Grid, Span};
use crate::rating;

/// One recurring charge over days of one period of its grid.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    pub term: &'a Term,
    pub charge: &'a Recurring,
    pub days: Days,
    /// The whole period the days are a part of: the denominator (policy 8).
    pub period: Days,
    /// What the charge says these days cost, where they are not the whole period; none: as the charge is prorated.
    pub part: Option<Part>,
    /// The days that are paid if it says something: where a start or an end costs as much as if it were none, up to the edge
    /// of the period (by day, of the phase), so that it does not matter whether it was known when the period was billed.
    pub paid: Days,
}

impl Segment<'_> {
    /// How many days are paid for some of its days: these, and with its first or last one what is paid beyond.
    pub fn paid_within(&self, days: Days) -> i64 {
        self.paid_for(days).count()
    }

    /// The days that are paid for some of its days.
    pub fn paid_for(&self, days: Days) -> Days {
        let mut paid = days;
        if self.part.is_some() && days.from == self.days.from {
            paid.from = self.paid.from;
        }
        if self.part.is_some() && days.until == self.days.until {
            paid.until = self.paid.until;
        }
        paid
    }
}

/// Days on which a recurring charge runs without a break.
#[derive(Clone, Debug)]
pub struct Running<'a> {
    pub term: &'a Term,
    pub charge: &'a Recurring,
    pub days: Days,
}

/// One period of a usage charge, cut by the term and where another price begins.
#[derive(Clone, Debug)]
pub struct UsagePeriod<'a> {
    pub term: &'a Term,
    pub charge: &'a Usage,
    pub days: Days,
    /// The whole period of the grid (policy 8).
    pub whole: Days,
}

/// Recurring segments that begin on or before `through`, in order of term, charge and date. `today`: an end after it is not
/// known yet to charges that do not anticipate it.
pub fn segments(sub: &Subscription, through: Date, today: Date) -> Vec<Segment<'_>> {
    segments_since(sub, Date::MIN, through, today)
}

/// The same for periods that end after a day: nothing before it is walked through.
pub fn segments_since(
    sub: &Subscription,
    since: Date,
    through: Date,
    today: Date,
) -> Vec<Segment<'_>> {
    let mut out = Vec::new();
    let pauses = sub.pause_days();
    for (i, term) in sub.terms.iter().enumerate() {
        for charge in &term.offer.recurring {
            if i > 0 && goes_on(sub, i - 1, charge) {
                continue;
            }
            let run = run(sub, i, charge, today);
            let window = charge_window(sub, term, charge).overlap(run);
            if window.is_empty() {
                continue;
            }
            let grid = recurring_grid(sub, i, charge);
            // A begun period that is charged whole is not cut by a pause: only one that is paused from end to end costs nothing.
            let begun = charge.on_pause.is_none() && charge.prorate == Prorate::None;
            let pieces = match charge.on_pause {
                Some(Part::Full) => vec![window],
                _ if begun => vec![window],
                _ => window.without_all(&pauses),
            };
            for piece in pieces {
                let mut from = piece.from;
                if from < since {
                    from = from.max(grid.period(since).from);
                }
                while from <= through && from < piece.until {
                    let period = grid.period(from);
                    let until = period.until.min(piece.until);
                    if until <= from {
                        break;
                    }
                    let days = Days::new(from, until);
                    from = until;
                    let asked = period.overlap(window);
                    if begun && asked.without_all(&pauses).is_empty() {
                        continue;
                    }
                    let (part, paid) = part(sub, i, charge, window, days, period, &pauses);
                    out.push(Segment {
                        term,
                        charge,
                        days,
                        period,
                        part,
                        paid,
                    });
                }
            }
        }
    }
    out
}

/// Whether a term goes on with the next one as far as a charge is concerned: what changed was something else, or a quantity
/// that its price does not look at.
fn goes_on(sub: &Subscription, i: usize, charge: &Recurring) -> bool {
    let (Some(term), Some(next)) = (sub.terms.get(i), sub.terms.get(i + 1)) else {
        return false;
    };
    let same = |t: &Term| t.offer.recurring.iter().any(|c| c == charge);
    let units = (charge.units(term.quantity), charge.units(next.quantity));
    let costs = |units| rating::price::amount(&charge.price, units).ok();
    (
        term.offer.code.as_str(),
        term.offer.version,
        term.billing_day,
    ) == (
        next.offer.code.as_str(),
        next.offer.version,
        next.billing_day,
    ) && (units.0 == units.1 || costs(units.0) == costs(units.1))
        && same(term)
        && same(next)
}

/// The days of the terms from `i` on through which a charge goes on.
fn run(sub: &Subscription, i: usize, charge: &Recurring, today: Date) -> Days {
    let mut last = i;
    while goes_on(sub, last, charge) {
        last += 1;
    }
    let days = Days::new(sub.charged_days(i).from, sub.charged_days(last).until);
    let unseen = !charge.anticipates_end && sub.end_date() > today;
    match sub.terms.get(last + 1) {
        None if unseen && !days.is_empty() => Days::new(days.from, LAST_DATE),
        Some(next) if unseen && !days.is_empty() => Days::new(days.from, next.from),
        _ => days,
    }
}

/// What the charge says about days that are not their whole period, by what cuts them: start, change, pause or end; and
/// the days that are paid for it.
fn part(
    sub: &Subscription,
    i: usize,
    charge: &Recurring,
    window: Days,
    days: Days,
    period: Days,
    pauses: &[Days],
) -> (Option<Part>, Days) {
    let mut says = Vec::new();
    let mut paid = days;
    // A side of which nothing is said is as the charge is prorated.
    let reaches = |says: Option<Part>| match says {
        None => charge.prorate == Prorate::None,
        says => says == Some(Part::Full),
    };
    // The part of the period that it stands at this price, pauses included.
    let asked = period.overlap(window);
    if asked.from > period.from {
        let before = i.checked_sub(1).and_then(|i| sub.terms.get(i));
        let was = |term: &Term| {
            let mut same = term
                .offer
                .recurring
                .iter()
                .filter(|c| c.code == charge.code);
            same.any(|c| charge_window(sub, term, c).contains(add_days(asked.from, -1)))
        };
        let changed = before.is_some_and(was) && sub.terms[i].from == asked.from;
        let start = if changed {
            charge.on_change
        } else {
            charge.on_start
        };
        if reaches(start) && days.from == asked.from {
            paid.from = period.from;
        }
        says.push(start);
    }
    if asked.until < period.until {
        let end = if asked.until == sub.charged_end() {
            charge.on_end
        } else {
            let changes = sub.terms.iter().any(|t| t.from == asked.until);
            charge.on_change.filter(|_| changes)
        };
        if reaches(end) && days.until == asked.until {
            // Uncut it would cost the days of its phase, or the whole period that was begun.
            paid.until = match charge.prorate {
                Prorate::None => period.until,
                Prorate::Day => {
                    let phase = charge_window(sub, &sub.terms[i], charge);
                    period.until.min(phase.until)
                }
            };
        }
        says.push(end);
    }
    if pauses.iter().any(|p| !p.overlap(asked).is_empty()) {
        says.push(charge.on_pause.filter(|p| *p != Part::Full));
    }
    let says: Vec<Part> = says.into_iter().flatten().collect();
    let any = |part: Part| says.contains(&part).then_some(part);
    let part = any(Part::Nothing)
        .or_else(|| any(Part::Full))
        .or_else(|| any(Part::Prorate));
    (part, paid)
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
    usage_periods_since(sub, Date::MIN, through)
}

/// The same for periods that end after a day: nothing before it is walked through.
pub fn usage_periods_since(sub: &Subscription, since: Date, through: Date) -> Vec<UsagePeriod<'_>> {
    let mut out = Vec::new();
    for (i, term) in sub.terms.iter().enumerate() {
        for charge in &term.offer.usage {
            let window = usage_run(sub, i, charge);
            if window.from < term.from {
                continue;
            }
            let mut from = window.from;
            if from < since {
                from = from.max(usage_period(sub, i, charge, since).0.from);
            }
            while from <= through && from < window.until {
                let (days, whole) = usage_period(sub, i, charge, from);
                if days.until <= from {
                    break;
                }
                out.push(UsagePeriod {
                    term,
                    charge,
                    days,
                    whole,
                });
                from = days.until;
            }
        }
    }
    out
}

/// The usage period of `charge` in term `i` that a day falls into: the grid's period, cut by the term and where another
/// price begins; and the whole one.
pub fn usage_period(sub: &Subscription, i: usize, charge: &Usage, date: Date) -> (Days, Days) {
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
    let whole = grid.period(date);
    let days = charge.same_price(date, whole.overlap(usage_run(sub, i, charge)));
    (days, whole)
}

/// The days around term `i` on which a usage charge is the same: options and prices of other charges may change without
/// a new count of this one.
fn usage_run(sub: &Subscription, i: usize, charge: &Usage) -> Days {
    let days = sub.term_days(i);
    if sub.terms.len() == 1 {
        return days;
    }
    let composed = |t: &Term| {
        let offer = &t.offer;
        !offer.chosen.is_empty()
            || offer.recurring.iter().any(|c| c.source.is_some())
            || offer.usage.iter().any(|c| c.source.is_some())
    };
    let goes_on = |a: &Term, b: &Term| {
        (a.offer.code.as_str(), a.offer.version, a.billing_day)
            == (b.offer.code.as_str(), b.offer.version, b.billing_day)
            && (composed(a) || composed(b))
            && a.offer.usage.contains(charge)
            && b.offer.usage.contains(charge)
    };
    let (mut first, mut last) = (i, i);
    while first > 0 && goes_on(&sub.terms[first - 1], &sub.terms[first]) {
        first -= 1;
    }
    while last + 1 < sub.terms.len() && goes_on(&sub.terms[last], &sub.terms[last + 1]) {
        last += 1;
    }
    Days::new(sub.term_days(first).from, sub.term_days(last).until)
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
    // Trial and phases of an option count from when it came.
    let begin = match &charge.of {
        Some(of) => Some(of.trial.map_or(of.from, |trial| trial.after(of.from))),
        None => trial_end(sub, term),
    };
    let Some(begin) = begin else {
        return Days::new(LAST_DATE, LAST_DATE);
    };
    let from = charge.after.map_or(begin, |span| span.after(begin));
    let lasts = charge.lasts.or_else(|| {
        let n = charge.periods?;
        Some(Span {
            months: charge.every.months.saturating_mul(n),
            days: charge.every.days.saturating_mul(n),
        })
    });
    Days::new(from, lasts.map_or(LAST_DATE, |span| span.after(from)))
}

fn recurring_grid(sub: &Subscription, i: usize, charge: &Recurring) -> Grid {
    let term = &sub.terms[i];
    let same = |t: &Term| {
        t.offer.recurring.iter().any(|c| {
            (c.code.as_str(), c.every, c.align)
                == (charge.code.as_str(), charge.every, charge.align)
        })
    };
    let start = first_charged(sub, i, charge, same);
    grid(
        sub,
        start,
        charge.align,
        charge.anchor,
        charge.every,
        term.billing_day,
    )
}

/// The first day that is charged of the run of terms up to `i` that have the same charge. By the term that has it: a later one
/// may know nothing of the trial, or of days that were free, and still keeps the grid (policy 8).
fn first_charged(
    sub: &Subscription,
    i: usize,
    charge: &Recurring,
    same: impl Fn(&Term) -> bool,
) -> Date {
    let first = first_of_run(sub, i, same);
    let run = sub.terms.iter().enumerate().take(i).skip(first);
    for (n, term) in run {
        let own = term.offer.recurring.iter().find(|c| c.code == charge.code);
        let from = own.map_or(LAST_DATE, |c| charge_window(sub, term, c).from);
        let from = from.max(term.from);
        if sub.terms.get(n + 1).is_some_and(|next| from < next.from) {
            return from;
        }
    }
    let Some(term) = sub.terms.get(i) else {
        return LAST_DATE;
    };
    charge_window(sub, term, charge).from.max(term.from)
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

/// The first day of the run of terms up to `i` that have the same charge: a change of its price keeps the grid, and one of
/// the billing day the months that it lies on (policy 8).
fn first_day(sub: &Subscription, i: usize, same: impl Fn(&Term) -> bool) -> Date {
    let first = sub.terms.get(first_of_run(sub, i, same));
    first.map_or(LAST_DATE, |term| term.from)
}

/// The number of the first term of that run.
fn first_of_run(sub: &Subscription, i: usize, same: impl Fn(&Term) -> bool) -> usize {
    let before = sub.terms.iter().take(i).rev();
    i - before.take_while(|t| same(t)).count()
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
