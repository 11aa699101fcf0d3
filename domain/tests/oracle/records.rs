//! Usage, record by record and unit by unit: which charge and period each belongs to, what they add up to, what that costs.

use crate::calendar::{self, Day, between, each, later};
use crate::fraction::{Fraction, ZERO, decimal, mill, over, sum, whole};
use crate::models::{Model, Tier};
use crate::teller::{Teller, cents};
use crate::usage::{Arrival, Cell, Charge, History, LEVELS, Price, Record, any_history, catalog};
use crate::{Dice, seeds};
use chrono::Datelike;
use indelible_domain::Command;
use indelible_domain::charges::What;
use indelible_domain::command::{ChangeSubscription, Effective};
use indelible_domain::kernel::Instant;
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::subscriptions::Unused;
use std::collections::{BTreeMap, BTreeSet};

fn sent(record: &Record) -> Received {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&record.n.to_be_bytes());
    let mut content = key;
    content[8] = u8::from(record.corrects);
    Received::Record(UsageRecord {
        line: u64::try_from(record.n).expect("above zero"),
        key,
        content,
        corrects: record.corrects,
        metric: "m".into(),
        access: "line".into(),
        at: Instant(record.at * 1_000_000),
        quantity: decimal(record.quantity).parse().expect("a number"),
        amount: record.amount.map(|a| decimal(a).parse().expect("a number")),
        attributes: BTreeMap::from([
            ("zone".to_string(), record.zone.to_string()),
            ("user".to_string(), record.user.to_string()),
        ]),
        raw: None,
    })
}

/// What was billed by charge and first day of its period, in cents; and how many records were rated.
type Billed = BTreeMap<(String, Day), i128>;

fn lived(history: &History) -> Result<(Billed, u64), String> {
    let now = calendar::begins(history.zone, history.start);
    let text = catalog(history);
    let mut teller = Teller::open(history.zone, &text, now).map_err(|r| r.message)?;
    teller.subscribe("o", 1, history.billing_day, history.start);
    let mut rated = 0;
    // The contract's own history is known before any usage comes.
    let subscription = || "s".to_string();
    for on in each(history.start, later(history.end, 1)) {
        if history.pause.is_some_and(|(_, until)| until == on) {
            let (reason, on_day) = ("asked".into(), Some(on));
            let resume = Command::ResumeSubscription {
                subscription: subscription(),
                reason,
                on: on_day,
            };
            teller.on(on, 60).ask(resume).expect("goes on");
        }
        if history.changes.contains(&on) {
            let change = ChangeSubscription {
                subscription: subscription(),
                offer: None,
                quantity: Some(2.into()),
                billing_day: None,
                overrides: BTreeMap::new(),
                effective: Effective::Immediate,
                unused: Unused::CreditProrata,
            };
            let change = Command::ChangeSubscription(Box::new(change));
            teller.on(on, 60).ask(change).expect("changes");
        }
        if history.pause.is_some_and(|(from, _)| from == on) {
            let pause = Command::PauseSubscription {
                subscription: subscription(),
                reason: "asked".into(),
                from: None,
            };
            teller.on(on, 60).ask(pause).expect("pauses");
        }
        if on == history.end {
            let end = Command::TerminateSubscription {
                subscription: subscription(),
                effective: Effective::Immediate,
                unused: Unused::CreditProrata,
            };
            teller.on(on, 60).ask(end).expect("ends");
        }
    }
    for (n, arrival) in history.arrivals.iter().enumerate() {
        match arrival {
            Arrival::Batch(records) if records.is_empty() => {}
            Arrival::Batch(records) => {
                let intake = Intake {
                    batch: format!("b{n}"),
                    source: "test".into(),
                    format: "records".into(),
                    name: "test".into(),
                    lines: records.iter().map(sent).collect(),
                };
                let done = teller
                    .ask(Command::IngestUsage(Box::new(intake)))
                    .expect("a batch");
                rated += done.usage.expect("counts").rated;
            }
            Arrival::Bill(on) => teller.on(*on, 43_200).bill(),
        }
    }
    let mut billed = Billed::new();
    for line in teller.lines() {
        if let What::Usage { charge, days } = &line.what {
            *billed.entry((charge.clone(), days.from)).or_default() += cents(&line);
        }
    }
    Ok((billed, rated))
}

/// A record that counts.
#[derive(Clone, Debug)]
struct Counted<'a> {
    record: &'a Record,
    on: Day,
    units: Fraction,
    /// Of a matrix: which line, or none for its default.
    line: Option<usize>,
}

/// The days of a period, and the whole one.
type Period = ((Day, Day), (Day, Day));

fn price_on(charge: &Charge, on: Day) -> &Price {
    match &charge.then {
        Some((from, price)) if *from <= on => price,
        _ => &charge.price,
    }
}

/// The period of the calendar, cut where the contract begins, changes or ends and where the price does.
fn period(history: &History, charge: &Charge, on: Day) -> Period {
    let since = history.start;
    let all = calendar::period(charge.align, charge.every, since, on);
    let mut cuts = vec![history.start, history.end];
    cuts.extend(&history.changes);
    cuts.extend(charge.then.as_ref().map(|t| t.0));
    let from = cuts
        .iter()
        .filter(|c| **c <= on)
        .copied()
        .chain([all.0])
        .max();
    let until = cuts
        .iter()
        .filter(|c| **c > on)
        .copied()
        .chain([all.1])
        .min();
    ((from.expect("a day"), until.expect("a day")), all)
}

fn rounded(units: Fraction, to: i64, mode: &str) -> Fraction {
    let steps = units.size().by(whole(to));
    let steps = match mode {
        "up" => steps.ceil(),
        "down" => steps.floor(),
        _ => steps.plus(over(1, 2)).floor(),
    };
    let size = over(steps, 1).times(whole(to));
    if units.negative() {
        ZERO.minus(size)
    } else {
        size
    }
}

fn found(lines: &[([Cell; 2], Model)], record: &Record) -> Option<usize> {
    let number = mill(record.quantity);
    let mut best: Option<usize> = None;
    let told = |cells: &[Cell; 2]| {
        let said = cells.iter().filter(|c| **c != Cell::Any).count();
        (said, cells[0].rank(), cells[1].rank())
    };
    for (n, (cells, _)) in lines.iter().enumerate() {
        if !cells.iter().all(|c| c.fits(record.zone, number)) {
            continue;
        }
        let better = best.is_none_or(|b| {
            let known = &lines[b].0;
            told(cells) > told(known)
                || told(cells) == told(known) && cells[1].width() < known[1].width()
        });
        if better {
            best = Some(n);
        }
    }
    best
}

/// Which charge a record counts in, if any.
fn place<'a>(
    history: &'a History,
    record: &'a Record,
) -> Option<(&'a Charge, Period, Counted<'a>)> {
    let (on, clock) = calendar::local(history.zone, record.at);
    let paused = history
        .pause
        .is_some_and(|(from, until)| from <= on && on < until);
    if on < history.start || on >= history.end || paused {
        return None;
    }
    let open = |c: &&Charge| {
        c.hours.is_none_or(|(from, until)| {
            let weekday = on.weekday().num_days_from_monday() < 5;
            weekday && from * 3_600 <= clock && clock < until * 3_600
        })
    };
    let charge = history.charges.iter().find(open)?;
    let mut units = mill(record.quantity).by(whole(charge.per));
    if let Some(least) = charge.least
        && units != ZERO
    {
        let size = units.size().most(whole(least));
        units = if units.negative() {
            ZERO.minus(size)
        } else {
            size
        };
    }
    if let Some((to, mode, false)) = charge.round {
        units = rounded(units, to, mode);
    }
    let line = match price_on(charge, on) {
        Price::Dynamic(_) => {
            record.amount?;
            None
        }
        Price::Matrix(lines, otherwise) => {
            let line = found(lines, record);
            if line.is_none() {
                otherwise.as_ref()?;
            }
            line
        }
        _ => None,
    };
    let counted = Counted {
        record,
        on,
        units,
        line,
    };
    Some((charge, period(history, charge, on), counted))
}

/// What is there, in eighths of a unit: the finest that any record brings.
struct Level {
    height: i128,
}

const FINEST: i64 = 8;

impl Level {
    /// Lets a record happen; the answer are the parts of units that came up.
    fn go(&mut self, units: Fraction) -> Vec<i128> {
        let moves = units.times(whole(FINEST)).floor();
        let before = self.height;
        self.height += moves;
        (before..self.height.max(before)).collect()
    }
}

/// What the levels of a group come to in a period, and how high it is when the next one begins.
fn levels(
    charge: &Charge,
    model: &Model,
    at: Period,
    carried: i128,
    records: &[&Counted],
) -> (Fraction, i128) {
    let ((from, until), all) = at;
    let mut level = Level {
        height: if charge.carry { carried } else { 0 },
    };
    let mut highest = level.height;
    let mut peak = level.height;
    let mut days = Vec::new();
    for on in each(from, until) {
        let mut came = BTreeSet::new();
        for c in records.iter().filter(|c| c.on == on) {
            came.extend(level.go(c.units));
            peak = peak.max(level.height);
            highest = highest.max(level.height);
        }
        let gone = came.iter().filter(|part| **part >= level.height).count();
        let counted = level.height + i128::try_from(gone).expect("few");
        days.push(if charge.high_water { highest } else { counted });
    }
    let units = |height: i128| over(height, FINEST.into());
    let length = between(all.0, all.1);
    let beyond = |l: Fraction| match charge.allowance {
        Some(free) if !l.negative() => l.minus(whole(free)).most(ZERO),
        _ => l,
    };
    let amount = match charge.aggregate {
        "peak" => model.of(beyond(units(peak))),
        "weighted" => {
            let average = sum(days.iter().map(|d| units(*d))).by(whole(length));
            model.of(beyond(average))
        }
        _ => {
            let each = |l: Fraction| match model {
                // Below zero it takes back what it cost.
                Model::PerUnit(p) => l.times(mill(*p)),
                Model::Graduated(tiers) => {
                    let mut plain = tiers.clone();
                    plain.iter_mut().for_each(|t| t.flat = 0);
                    match l.negative() {
                        true => ZERO.minus(below_zero(&plain[0], l.size())),
                        false => Model::Graduated(plain).of(l),
                    }
                }
                model => model.of(l),
            };
            let shares = sum(days.iter().map(|d| each(beyond(units(*d))))).by(whole(length));
            let carried = if charge.carry { carried } else { 0 };
            let top = days.iter().copied().max().unwrap_or(0).max(carried);
            let top = beyond(units(top));
            let flats = match model {
                Model::Graduated(tiers) => {
                    let mut below = ZERO;
                    let mut flats = ZERO;
                    for (n, tier) in tiers.iter().enumerate() {
                        if n == 0 || below.below(top) {
                            flats = flats.plus(mill(tier.flat));
                        }
                        below = tier.up_to.map_or(whole(1_000_000), whole);
                    }
                    flats
                }
                _ => ZERO,
            };
            shares.plus(flats)
        }
    };
    (amount, level.height)
}

fn below_zero(tier: &Tier, size: Fraction) -> Fraction {
    match tier.block {
        None => size.times(mill(tier.unit)),
        // Blocks that were started above are not begun below.
        Some(block) => over(size.by(whole(block)).floor(), 1).times(mill(tier.unit)),
    }
}

/// What a group of records comes to that are not of a level.
fn group(charge: &Charge, price: &Price, records: &[&Counted]) -> Fraction {
    let units = || records.iter().map(|c| c.units);
    let total = match charge.aggregate {
        "count" => whole(i64::try_from(records.len()).expect("few")),
        "max" => units().fold(ZERO, Fraction::most),
        "min" => units().reduce(Fraction::least).unwrap_or(ZERO),
        "last" => units().next_back().unwrap_or(ZERO),
        "unique" => {
            let users: BTreeSet<_> = records.iter().map(|c| c.record.user).collect();
            whole(i64::try_from(users.len()).expect("few"))
        }
        _ => sum(units()),
    };
    let of_total = |model: &Model, total: Fraction| {
        let total = match charge.round {
            Some((to, mode, true)) => rounded(total, to, mode),
            _ => total,
        };
        let free = charge.allowance.map_or(ZERO, whole);
        model.of(match total.negative() {
            true => total,
            false => total.minus(free).most(ZERO),
        })
    };
    match price {
        Price::Total(model) | Price::ShareOfTotal(model) => of_total(model, total),
        Price::Share(share) => share.of(&units().collect::<Vec<_>>()),
        Price::Dynamic(by) => beyond(charge, records, |c| {
            mill(c.record.amount.expect("it has one")).times(mill(*by))
        }),
        Price::Expression(a, b) => beyond(charge, records, |c| match whole(10).below(c.units) {
            true => whole(10)
                .times(mill(*a))
                .plus(c.units.minus(whole(10)).times(mill(*b))),
            false => c.units.times(mill(*a)),
        }),
        Price::Matrix(lines, otherwise) => {
            let line = records.first().and_then(|c| c.line);
            let model = line.map_or(otherwise.as_ref(), |n| Some(&lines[n].1));
            match model.expect("it has one") {
                // What one line takes back lowers what the others cost.
                Model::PerUnit(unit) if total.negative() => {
                    let size = match charge.round {
                        Some((to, mode, true)) => rounded(total, to, mode),
                        _ => total,
                    };
                    size.times(mill(*unit))
                }
                model => of_total(model, total),
            }
        }
    }
}

/// The sum of what records cost by themselves, part by part: each part of a record's units costs as much of its price as every
/// other, and nothing where it fills or empties the allowance.
fn beyond(charge: &Charge, records: &[&Counted], price: impl Fn(&Counted) -> Fraction) -> Fraction {
    let free = i128::from(charge.allowance.unwrap_or(0) * FINEST);
    let mut height = 0;
    let mut amount = ZERO;
    for counted in records {
        let before = height;
        height += counted.units.times(whole(FINEST)).floor();
        let parts = before.min(height)..before.max(height);
        let all = i64::try_from(height - before).expect("few").abs();
        let paid = parts.filter(|part| *part < 0 || free <= *part).count();
        let paid = i64::try_from(paid).expect("few");
        amount = amount.plus(match all {
            0 => price(counted),
            all => price(counted).times(over(paid.into(), all.into())),
        });
    }
    amount
}

/// What every period of every charge costs, in cents.
fn slow(history: &History) -> (Billed, u64) {
    let mut billed = Billed::new();
    let mut rated = 0;
    let arrived = history.arrivals.iter().flat_map(|a| match a {
        Arrival::Batch(records) => records.as_slice(),
        Arrival::Bill(_) => &[],
    });
    let placed: Vec<_> = arrived.filter_map(|r| place(history, r)).collect();
    for charge in &history.charges {
        let mut carried: BTreeMap<&str, i128> = BTreeMap::new();
        let mut on = history.start;
        while on < history.end {
            let at = period(history, charge, on);
            let ((from, until), all) = at;
            on = until;
            let price = price_on(charge, from);
            let mut here: Vec<&Counted> = placed
                .iter()
                .filter(|(c, p, _)| c.code == charge.code && *p == at)
                .map(|(_, _, counted)| counted)
                .collect();
            rated += u64::try_from(here.len()).expect("few");
            let empty = here.is_empty();
            if in_time(charge) {
                here.sort_by_key(|c| c.record.at);
            }
            let mut groups: BTreeMap<(Option<usize>, &str), Vec<&Counted>> = BTreeMap::new();
            if !charge.group && !matches!(price, Price::Matrix(..)) {
                groups.entry((None, "")).or_default();
            }
            for name in carried.keys().copied().collect::<Vec<_>>() {
                groups.entry((None, name)).or_default();
            }
            for counted in here {
                let name = if charge.group {
                    counted.record.zone
                } else {
                    ""
                };
                groups
                    .entry((counted.line, name))
                    .or_default()
                    .push(counted);
            }
            let mut amount = ZERO;
            let mut next = BTreeMap::new();
            for ((_, name), records) in &groups {
                let costs = match price {
                    Price::Total(model) if LEVELS.contains(&charge.aggregate) => {
                        let before = carried.get(name).copied().unwrap_or(0);
                        let (costs, after) = levels(charge, model, at, before, records);
                        if charge.carry && after != 0 {
                            next.insert(*name, after);
                        }
                        costs
                    }
                    price => group(charge, price, records),
                };
                amount = amount.plus(costs);
            }
            carried = next;
            let pays = matches!(price, Price::Total(Model::PerUnit(unit)) if *unit < 0);
            if !pays {
                amount = amount.most(ZERO);
            }
            if let Some(most) = charge.maximum {
                amount = amount.least(mill(most));
            }
            if let Some(least) = charge.minimum {
                let share = over(between(from, until).into(), between(all.0, all.1).into());
                amount = amount.most(mill(least).times(share));
            }
            let cents = amount.cents();
            if cents != 0 || !empty {
                billed.insert((charge.code.to_string(), from), cents);
            }
        }
    }
    (billed, rated)
}

/// Whether its records count in the order of their own time rather than that in which they came.
fn in_time(charge: &Charge) -> bool {
    let prices = [Some(&charge.price), charge.then.as_ref().map(|t| &t.1)];
    let bounded = charge.maximum.is_some() || charge.allowance.is_some();
    let by_record = prices.into_iter().flatten().any(|p| {
        matches!(
            p,
            Price::Share(_) | Price::Dynamic(_) | Price::Expression(..)
        )
    });
    LEVELS.contains(&charge.aggregate)
        || charge.aggregate == "last"
        || charge.group
        || by_record && bounded
}

fn amounts(billed: &Billed) -> Billed {
    let owed = billed.iter().filter(|(_, cents)| **cents != 0);
    owed.map(|(key, cents)| (key.clone(), *cents)).collect()
}

#[test]
fn usage_of_every_model_comes_to_what_the_slow_count_comes_to() {
    let refused = std::cell::RefCell::new(Vec::new());
    let checked = seeds(300, |seed| {
        let history = any_history(seed);
        let (fast, rated) = match lived(&history) {
            Err(why) => {
                refused.borrow_mut().push(why);
                return Ok(());
            }
            Ok(lived) => lived,
        };
        let (slow, counted) = slow(&history);
        let shown = || format!("{}\n{history:?}", catalog(&history));
        if rated != counted {
            return Err(format!(
                "{rated} records count and not {counted}\n{}",
                shown()
            ));
        }
        let (fast, slow) = (amounts(&fast), amounts(&slow));
        if fast != slow {
            return Err(format!("billed {fast:?}\nand not {slow:?}\n{}", shown()));
        }
        Ok(())
    });
    let refused = refused.into_inner();
    let few = u64::try_from(refused.len()).expect("few") * 20 <= checked;
    assert!(
        few,
        "{} of {checked} catalogs are refused: {refused:#?}",
        refused.len()
    );
}

#[test]
fn in_whatever_batches_it_comes_and_whenever_it_is_billed_it_costs_the_same() {
    seeds(60, |seed| {
        let history = any_history(seed);
        let Ok((usual, _)) = lived(&history) else {
            return Ok(());
        };
        let mut dice = Dice::of(seed ^ 0x55);
        let mut records: Vec<Record> = Vec::new();
        for arrival in &history.arrivals {
            if let Arrival::Batch(batch) = arrival {
                records.extend(batch.iter().cloned());
            }
        }
        // One batch; each record alone with a bill between now and then.
        let last = history.arrivals.last().cloned().expect("a bill");
        let mut one = history.clone();
        one.arrivals = vec![Arrival::Batch(records.clone()), last.clone()];
        let mut each = history.clone();
        each.arrivals.clear();
        let mut on = history.start;
        for record in records {
            each.arrivals.push(Arrival::Batch(vec![record]));
            if dice.once_in(3) {
                on = later(on, dice.roll(20));
                each.arrivals.push(Arrival::Bill(on));
            }
        }
        each.arrivals
            .push(Arrival::Bill(later(on.max(history.end), 500)));
        for other in [one, each] {
            let (billed, _) = lived(&other).expect("the same catalog");
            let (usual, billed) = (amounts(&usual), amounts(&billed));
            if usual != billed {
                return Err(format!(
                    "billed {usual:?}\nand then {billed:?}\n{}\n{history:?}\n{other:?}",
                    catalog(&other)
                ));
            }
        }
        Ok(())
    });
}

#[test]
fn a_record_that_is_corrected_costs_what_it_would_have_cost_right_away() {
    let corrected = std::cell::Cell::new(0);
    let checked = seeds(150, |seed| {
        let wrong = any_history(seed);
        let mut dice = Dice::of(seed ^ 0xAA);
        let shares = catalog(&wrong).contains("percentage = ");
        let low = if shares { 0 } else { -6_000 };
        // Each may be corrected once, to more or less than it was, or to what takes back.
        let (mut right, mut corrections) = (wrong.clone(), Vec::new());
        for arrival in &mut right.arrivals {
            let Arrival::Batch(records) = arrival else {
                continue;
            };
            for record in records {
                let other = Record {
                    corrects: true,
                    quantity: dice.within(low, 12_000) / 500 * 500,
                    amount: record.amount.map(|_| dice.within(-3_000, 9_000)),
                    ..record.clone()
                };
                let there = |record: &Record| {
                    place(&wrong, record).map(|(charge, period, _)| (charge.code, period))
                };
                let known = there(record);
                if dice.once_in(2) && known.is_some() && there(&other) == known {
                    corrections.push(other.clone());
                    *record = other;
                }
            }
        }
        if corrections.is_empty() {
            return Ok(());
        }
        corrected.set(corrected.get() + corrections.len());
        let mut told = wrong.clone();
        let last = told.arrivals.pop().expect("a bill");
        while !corrections.is_empty() {
            let most = i64::try_from(corrections.len()).expect("few");
            let some = usize::try_from(dice.within(1, most)).expect("few");
            let rest = corrections.split_off(some);
            told.arrivals.push(Arrival::Batch(corrections));
            corrections = rest;
        }
        told.arrivals.push(last);
        let Ok((fast, _)) = lived(&told) else {
            return Ok(());
        };
        let (fast, slow) = (amounts(&fast), amounts(&slow(&right).0));
        if fast != slow {
            return Err(format!(
                "billed {fast:?}\nand not {slow:?}\n{}\n{told:?}",
                catalog(&told)
            ));
        }
        Ok(())
    });
    assert!(
        corrected.get() as u64 > checked,
        "hardly anything was corrected"
    );
}
