//! Fees, day by day: each day of a period costs its share of what the whole period would at what is there on that day.

use crate::calendar::{self, Align, Day, between, day, each, later};
use crate::fraction::{Fraction, ZERO, over, whole};
use crate::models::{Model, Tier};
use crate::plans::{Fee, History, Term, any_history, catalog, divisible};
use crate::teller::{Teller, cents};
use crate::told::{self, Told};
use crate::{Dice, seeds};
use indelible_domain::charges::What;
use std::collections::BTreeMap;

/// What was billed, by charge: cents, and of how many lines.
type Billed = BTreeMap<String, (i128, i64)>;

/// Lives through a history in which everything is told on its day.
fn lived(history: &History) -> Billed {
    lived_as(history, told::on_its_day(history))
}

/// Lives through a history; on each day what is told comes before the bill.
fn lived_as(history: &History, told: Told) -> Billed {
    let start = history.terms[0].from;
    let now = calendar::begins(history.zone, start);
    let mut teller = Teller::open(history.zone, &catalog(history), now)
        .unwrap_or_else(|refused| panic!("{refused:?}\n{}", catalog(history)));
    let first = &history.terms[0];
    let code = history.plans[first.plan].code;
    teller.subscribe(code, first.quantity, history.billing_day, start);
    let mut told = told.into_iter().peekable();
    // Any second of the day will do: the first, the last but a few, or one between.
    let mut second = 0;
    for on in each(start, later(*history.bills.last().expect("a bill"), 1)) {
        second = (second * 31 + 7_919) % 82_000;
        teller.on(on, second);
        while let Some((_, what)) = told.next_if(|(day, _)| *day == on) {
            if let Err(refused) = teller.ask(what.clone()) {
                panic!("{refused:?}: {what:?}");
            }
        }
        if history.bills.contains(&on) {
            teller.bill();
        }
    }
    assert!(told.next().is_none(), "everything was told");
    let mut billed = Billed::new();
    for line in teller.lines() {
        let (What::Recurring { charge, .. } | What::Credit { charge, .. }) = &line.what else {
            continue;
        };
        let sum = billed.entry(charge.clone()).or_default();
        sum.0 += cents(&line);
        sum.1 += 1;
    }
    billed
}

fn in_force<'a>(history: &'a History, code: &str, on: Day) -> Option<(usize, &'a Fee)> {
    if on >= history.end {
        return None;
    }
    let at = history.terms.iter().rposition(|t| t.from <= on)?;
    let plan = &history.plans[history.terms[at].plan];
    Some((at, plan.fees.iter().find(|f| f.code == code)?))
}

fn paused(history: &History, on: Day) -> bool {
    let mut pauses = history.pauses.iter();
    pauses.any(|(from, until)| *from <= on && on < *until)
}

/// The fee of that day, if its phase has begun and is not over.
fn there<'a>(history: &'a History, code: &str, on: Day) -> Option<(usize, &'a Fee)> {
    let (at, fee) = in_force(history, code, on)?;
    let (from, until) = window(history, at, fee);
    (from <= on && on < until).then_some((at, fee))
}

/// The days around one on which the fee stands in its period under one plan and at one price.
fn stretch(history: &History, code: &str, on: Day) -> (Day, Day) {
    let here = |day: Day| {
        let (at, fee) = there(history, code, day)?;
        let term = &history.terms[at];
        let costs = fee.model.of(whole(term.quantity));
        Some((period(history, at, fee, day), term.plan, costs))
    };
    let (mut from, mut until) = (on, later(on, 1));
    while from > history.terms[0].from && here(later(from, -1)) == here(on) {
        from = later(from, -1);
    }
    while until < history.end && here(until) == here(on) {
        until = later(until, 1);
    }
    (from, until)
}

/// After the trial and what comes before it, for as long as it lasts.
fn window(history: &History, at: usize, fee: &Fee) -> (Day, Day) {
    let start = history.terms[0].from;
    let plan = &history.plans[history.terms[at].plan];
    let begin = plan.trial.map_or(start, |t| t.after(start));
    let from = fee.after.map_or(begin, |a| a.after(begin));
    (from, fee.lasts.map_or(day(9000, 1, 1), |l| l.after(from)))
}

fn period(history: &History, at: usize, fee: &Fee, on: Day) -> (Day, Day) {
    // The first term in a row that has the same fee.
    let same = |t: &Term| {
        let fees = &history.plans[t.plan].fees;
        let alike = |f: &Fee| f.code == fee.code && f.every == fee.every && f.align == fee.align;
        fees.iter().any(alike)
    };
    let mut first = at;
    while first > 0 && same(&history.terms[first - 1]) {
        first -= 1;
    }
    let since = history.terms[first].from.max(window(history, at, fee).0);
    let anchor = match (fee.align, fee.own_anchor) {
        (Align::Anniversary, false) => history.terms[0].from,
        _ => since,
    };
    calendar::period(fee.align, fee.every, anchor, on)
}

/// A day on which a fee is charged.
struct Charged<'a> {
    fee: &'a Fee,
    period: (Day, Day),
    /// The days around it that are one part of the period.
    part: (Day, Day),
    /// What a whole period costs at the quantity of the day.
    own: Fraction,
    /// What cuts the part off where it begins and ends, and what the fee says of that; none: it is not cut there.
    first: Option<Option<&'static str>>,
    last: Option<Option<&'static str>>,
    between: Option<&'static str>,
}

/// The day of a fee, if anything is asked for it. `part`: the days around it that are one part.
fn charged<'a>(history: &'a History, code: &str, on: Day, part: (Day, Day)) -> Option<Charged<'a>> {
    let (at, fee) = there(history, code, on)?;
    let (from, until) = part;
    let stays = match fee.on_pause {
        Some(says) => says == "full",
        // A period that is charged whole is so if it is begun on any day.
        None => fee.whole_periods && !each(from, until).all(|day| paused(history, day)),
    };
    if paused(history, on) && !stays {
        return None;
    }
    let start = history.terms[0].from;
    let period = period(history, at, fee, on);
    let first = (from > period.0).then(|| match from > start {
        true if there(history, code, later(from, -1)).is_some() => fee.on_change,
        _ => fee.on_start,
    });
    let last = (until < period.1).then(|| {
        if until == history.end {
            fee.on_end
        } else if history.terms.iter().any(|t| t.from == until) {
            fee.on_change
        } else {
            None
        }
    });
    let broken = each(from, until).any(|day| paused(history, day));
    let between = fee.on_pause.filter(|says| broken && *says != "full");
    let own = fee.model.of(whole(history.terms[at].quantity));
    let day = Charged {
        fee,
        period,
        part,
        own,
        first,
        last,
        between,
    };
    // Who pays nothing for a part does not pay for its quantity either.
    (!day.says().contains(&"nothing")).then_some(day)
}

impl Charged<'_> {
    fn says(&self) -> Vec<&'static str> {
        let all = [self.first.flatten(), self.last.flatten(), self.between];
        all.into_iter().flatten().collect()
    }

    /// The days that are paid with this one, where the phase ends on a day.
    fn pays(&self, on: Day, phase: Day) -> (Day, Day) {
        let whole = self.fee.whole_periods;
        if whole && self.says().is_empty() {
            return self.period;
        }
        // What is said to cost the whole is paid up to that edge of the period.
        let reaches = |cut: Option<Option<&str>>| match cut {
            Some(Some(says)) => says == "full",
            Some(None) => whole,
            None => false,
        };
        let (from, until) = self.part;
        let mut paid = (on, later(on, 1));
        if on == from && reaches(self.first) {
            paid.0 = self.period.0;
        }
        if later(on, 1) == until && reaches(self.last) {
            // What is charged whole does not care where its phase ends.
            let edge = match whole {
                true => self.period.1,
                false => self.period.1.min(phase),
            };
            paid.1 = edge.max(until);
        }
        paid
    }
}

/// What a fee comes to over the whole history: whatever asks for a day of a period, it is paid once at a price, and of the
/// highest quantity only what exceeds the most that was paid for it.
fn slow(history: &History, code: &str) -> Fraction {
    let start = history.terms[0].from;
    let mut known: BTreeMap<(Day, Day), Vec<Fraction>> = BTreeMap::new();
    // The days before, by period: what whole periods cost by the highest quantity.
    let mut highest: Vec<((Day, Day), Fraction)> = Vec::new();
    let mut amount = ZERO;
    let mut part = (start, start);
    for on in each(start, history.end) {
        let Some((at, fee)) = there(history, code, on) else {
            continue;
        };
        // The last day's, most often.
        if on < part.0 || part.1 <= on {
            part = stretch(history, code, on);
        }
        let Some(today) = charged(history, code, on, part) else {
            continue;
        };
        let mut full = today.own;
        if fee.high_water {
            let earlier = highest.iter().filter(|(period, _)| *period == today.period);
            full = earlier.fold(full, |most, (_, f)| most.most(*f));
            highest.push((today.period, today.own));
        }
        let price = full.by(whole(between(today.period.0, today.period.1)));
        let (from, until) = today.pays(on, window(history, at, fee).1);
        for day in each(from, until) {
            let paid = known.entry((today.period.0, day)).or_default();
            let new = match fee.high_water {
                true => price.minus(paid.iter().fold(ZERO, |most, p| most.most(*p))),
                false if paid.contains(&price) => ZERO,
                false => price,
            };
            amount = amount.plus(new.most(ZERO));
            if !paid.contains(&price) {
                paid.push(price);
            }
        }
    }
    amount
}

/// Every code that a fee may have.
pub const FEES: [&str; 3] = ["fee", "seats", "more"];

#[test]
fn fees_whose_days_are_whole_cents_come_to_the_days_that_were_there() {
    let checked = seeds(150, |seed| {
        let history = any_history(seed, true);
        let billed = lived(&history);
        for code in FEES {
            let (fast, lines) = billed.get(code).copied().unwrap_or_default();
            let slow = slow(&history, code);
            if over(fast, 100) != slow {
                return Err(format!(
                    "{code} is billed {fast} cents in {lines} lines and not {slow}\n{}\n{history:?}",
                    catalog(&history)
                ));
            }
        }
        Ok(())
    });
    assert!(checked > 0);
}

#[test]
fn billed_at_other_moments_it_comes_to_the_same() {
    seeds(40, |seed| {
        let mut history = any_history(seed, true);
        let often = lived(&history);
        let last = history.bills.pop().expect("a bill");
        history.bills = vec![last];
        let once = lived(&history);
        for code in FEES {
            let amount = |billed: &Billed| billed.get(code).map_or(0, |b| b.0);
            if amount(&often) != amount(&once) {
                let (often, once) = (amount(&often), amount(&once));
                return Err(format!(
                    "{code} is billed {often} cents at many moments, {once} at one\n{}\n{history:?}",
                    catalog(&history)
                ));
            }
        }
        Ok(())
    });
}

#[test]
fn told_ahead_or_taken_back_it_comes_to_the_same() {
    seeds(60, |seed| {
        let mut history = any_history(seed, true);
        let mut dice = Dice::of(seed ^ 0x7e11);
        let told = told::ahead(&history, &mut dice);
        // Whatever is told may be on a bill of the same day.
        let moments = told.iter().map(|(on, _)| *on);
        let moments: Vec<Day> = moments.filter(|_| dice.once_in(2)).collect();
        history.bills.extend(moments);
        history.bills.sort();
        history.bills.dedup();
        let billed = lived_as(&history, told.clone());
        for code in FEES {
            let (fast, lines) = billed.get(code).copied().unwrap_or_default();
            let slow = slow(&history, code);
            if over(fast, 100) != slow {
                return Err(format!(
                    "{code} is billed {fast} cents in {lines} lines and not {slow}\n{}\n{history:?}\n{told:?}",
                    catalog(&history)
                ));
            }
        }
        Ok(())
    });
}

#[test]
fn fees_of_any_price_are_off_by_what_their_lines_were_rounded() {
    seeds(80, |seed| {
        let history = any_history(seed, false);
        for (code, (fast, lines)) in lived(&history) {
            let slow = slow(&history, &code);
            let off = over(fast, 100).minus(slow).size();
            let most = over(lines.into(), 200);
            if most.below(off) {
                return Err(format!(
                    "{code} is billed {fast} cents in {lines} lines and not {slow}\n{}\n{history:?}",
                    catalog(&history)
                ));
            }
        }
        Ok(())
    });
}

/// A count that cannot fail proves nothing: it sees a price that is off by one.
#[test]
fn the_count_sees_a_price_that_is_wrong() {
    let mut wrong = 0;
    for seed in 0..20 {
        let mut history = any_history(seed, true);
        let right = lived(&history);
        for plan in &mut history.plans {
            for fee in &mut plan.fees {
                fee.model = Model::Graduated(vec![Tier {
                    up_to: None,
                    unit: divisible(fee.every),
                    flat: divisible(fee.every),
                    block: None,
                }]);
            }
        }
        let amount = |code: &str| right.get(code).map_or(0, |b| b.0);
        wrong += FEES
            .iter()
            .filter(|code| over(amount(code), 100) != slow(&history, code))
            .count();
    }
    assert!(wrong > 15, "{wrong} of 60 were seen");
}
