//! Usage charges of every kind, and what is used of them: made by chance, and written as a catalog.

use crate::Dice;
use crate::calendar::{self, Align, Day, Every, ZONES, between, day, later};
use crate::fraction::{Fraction, decimal, whole};
use crate::models::{Model, Share};
use std::fmt::Write;

#[derive(Clone, Debug, PartialEq)]
pub enum Price {
    Total(Model),
    Share(Share),
    /// Tiers of a sum of money: the units of the model are money.
    ShareOfTotal(Model),
    /// Thousandths.
    Dynamic(i64),
    /// Cells of the columns `zone` (text) and `$quantity` (number), and the price of each line.
    Matrix(Vec<([Cell; 2], Model)>, Option<Model>),
    /// `if units > 10 then 10 * a + (units - 10) * b else units * a`, in thousandths.
    Expression(i64, i64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    Any,
    Text(&'static str),
    Prefix(&'static str),
    /// From, until; both may be missing.
    Range(Option<i64>, Option<i64>),
}

pub const SUMS: &[&str] = &["sum", "sum", "sum", "count", "max", "min", "last", "unique"];
pub const LEVELS: &[&str] = &["level", "peak", "weighted"];

#[derive(Clone, Debug)]
pub struct Charge {
    pub code: &'static str,
    pub aggregate: &'static str,
    pub price: Price,
    /// Another price from a day on.
    pub then: Option<(Day, Price)>,
    pub every: Every,
    pub align: Align,
    /// Hours of weekdays.
    pub hours: Option<(i64, i64)>,
    pub per: i64,
    pub least: Option<i64>,
    /// To, mode, and whether it is the period that is rounded.
    pub round: Option<(i64, &'static str, bool)>,
    pub allowance: Option<i64>,
    pub group: bool,
    pub minimum: Option<i64>,
    pub maximum: Option<i64>,
    pub carry: bool,
    pub high_water: bool,
    pub at_once: bool,
}

/// Quantities and amounts in thousandths.
#[derive(Clone, Debug)]
pub struct Record {
    pub n: i64,
    /// It takes the place of the record of the same number.
    pub corrects: bool,
    pub at: i64,
    pub quantity: i64,
    pub amount: Option<i64>,
    pub zone: &'static str,
    pub user: &'static str,
}

#[derive(Clone, Debug)]
pub struct History {
    pub zone: &'static str,
    pub charges: Vec<Charge>,
    pub billing_day: u32,
    pub start: Day,
    pub end: Day,
    /// Days on which the quantity changes, which begins usage periods anew.
    pub changes: Vec<Day>,
    pub pause: Option<(Day, Day)>,
    /// In the order in which they come; a bill where there is none.
    pub arrivals: Vec<Arrival>,
}

#[derive(Clone, Debug)]
pub enum Arrival {
    Batch(Vec<Record>),
    Bill(Day),
}

pub fn any_price(dice: &mut Dice, aggregate: &str) -> Price {
    let level = LEVELS.contains(&aggregate);
    match dice.roll(12) {
        _ if level => Price::Total(Model::any(dice, 10, true)),
        0 if aggregate == "sum" => Price::Share(Share::any(dice)),
        1 if aggregate == "sum" => Price::Dynamic(dice.within(1, 2_000)),
        2 | 7 if aggregate == "sum" => {
            Price::Expression(dice.within(0, 500), dice.within(-200, 500))
        }
        3 => {
            let tiers = loop {
                if let Model::Graduated(mut tiers) = Model::any(dice, 7, false) {
                    tiers.iter_mut().for_each(|t| t.block = None);
                    break tiers;
                }
            };
            Price::ShareOfTotal(Model::Graduated(tiers))
        }
        4 | 5 => {
            let plain = dice.once_in(2);
            let model = |dice: &mut Dice| match plain {
                true => Model::PerUnit(dice.within(1, 40) * 10),
                false => Model::any(dice, 10, true),
            };
            let mut lines: Vec<([Cell; 2], Model)> = Vec::new();
            for _ in 0..dice.within(1, 6) {
                let zone = dice.one(&[
                    Cell::Any,
                    Cell::Text("north"),
                    Cell::Text("south"),
                    Cell::Prefix("n"),
                    Cell::Prefix("no"),
                ]);
                let low = dice.within(-2, 4);
                let range = dice.one(&[
                    Cell::Any,
                    Cell::Range(Some(low), Some(low + dice.clone().within(1, 6))),
                    Cell::Range(None, Some(low)),
                    Cell::Range(Some(low), None),
                ]);
                let line = ([zone, range], model(dice));
                if lines.iter().all(|(cells, _)| *cells != line.0) {
                    lines.push(line);
                }
            }
            let otherwise = (!dice.once_in(4)).then(|| model(dice));
            Price::Matrix(lines, otherwise)
        }
        6 if aggregate == "sum" && dice.once_in(4) => {
            Price::Total(Model::PerUnit(-dice.within(1, 90) * 10))
        }
        _ => Price::Total(Model::any(dice, 10, true)),
    }
}

pub fn any_charge(dice: &mut Dice, code: &'static str, start: Day) -> Charge {
    let leveled = dice.once_in(5);
    let aggregate = if leveled {
        dice.one(LEVELS)
    } else {
        dice.one(SUMS)
    };
    let price = any_price(dice, aggregate);
    let by_record = |p: &Price| {
        matches!(
            p,
            Price::Share(_) | Price::Dynamic(_) | Price::Expression(..)
        )
    };
    let then = dice.once_in(4).then(|| {
        loop {
            let other = any_price(dice, aggregate);
            if by_record(&other) == by_record(&price) {
                break (later(start, dice.roll(120)), other);
            }
        }
    });
    let every = dice.one(&[
        Every::Months(1),
        Every::Months(1),
        Every::Days(7),
        Every::Months(3),
        Every::Days(10),
    ]);
    let align = match every {
        Every::Days(10) => Align::Anniversary,
        Every::Days(_) => dice.one(&[Align::Calendar, Align::Anniversary]),
        _ => dice.one(&[Align::Calendar, Align::Anniversary, Align::BillingDay(0)]),
    };
    let minimum = dice.once_in(5).then(|| dice.within(1, 2_000) * 10);
    let charge = Charge {
        code,
        aggregate,
        every,
        align,
        hours: None,
        per: dice.one(&[1, 1, 1, 2, 4]),
        least: (!leveled && dice.once_in(5)).then(|| dice.within(1, 4)),
        round: (!leveled && dice.once_in(4)).then(|| {
            let mode = dice.one(&["up", "nearest", "down"]);
            (dice.within(1, 5), mode, dice.once_in(2))
        }),
        allowance: dice.once_in(3).then(|| dice.within(1, 9)),
        group: dice.once_in(4),
        minimum,
        maximum: dice
            .once_in(5)
            .then(|| minimum.unwrap_or(0) + dice.within(1, 3_000) * 10),
        carry: leveled && dice.once_in(2),
        high_water: leveled && aggregate != "peak" && dice.once_in(3),
        at_once: dice.once_in(5),
        price,
        then,
    };
    sensible(charge)
}

/// Takes away what a catalog would be refused for.
pub fn sensible(mut charge: Charge) -> Charge {
    let prices = || [Some(&charge.price), charge.then.as_ref().map(|t| &t.1)];
    let any = |is: &dyn Fn(&Price) -> bool| prices().into_iter().flatten().any(is);
    let by_record = any(&|p| {
        matches!(
            p,
            Price::Share(_) | Price::Dynamic(_) | Price::Expression(..)
        )
    });
    let share = any(&|p| matches!(p, Price::Share(_)));
    let matrix = any(&|p| matches!(p, Price::Matrix(..)));
    let pays = any(&|p| matches!(p, Price::Total(Model::PerUnit(u)) if *u < 0));
    if by_record {
        charge.round = charge.round.map(|(to, mode, _)| (to, mode, false));
    }
    if share {
        charge.allowance = None;
    }
    if matrix {
        charge.carry = false;
    }
    if pays {
        charge.minimum = None;
        charge.maximum = None;
    }
    charge
}

pub const NAMES: [&str; 3] = ["north", "south", "nowhere"];
pub const USERS: [&str; 4] = ["ann", "bob", "cleo", "dan"];

pub fn any_history(seed: u64) -> History {
    let mut dice = Dice::of(seed);
    let dice = &mut dice;
    let zone = dice.one(ZONES);
    // Most begin shortly before clocks go forward or back.
    let start = match dice.roll(3) {
        0 => later(day(2024, 3, 1), dice.roll(40)),
        1 => later(day(2024, 9, 20), dice.roll(40)),
        _ => later(day(2023, 1, 1), dice.roll(700)),
    };
    let end = later(start, dice.within(1, 130));
    let mut charges = Vec::new();
    if dice.once_in(3) {
        let mut first = any_charge(dice, "hours", start);
        let from = dice.roll(20);
        first.hours = Some((from, dice.within(from + 1, 24)));
        charges.push(first);
    }
    charges.push(any_charge(dice, "all", start));
    let pause = dice.once_in(4).then(|| {
        let from = later(start, dice.roll(60));
        (from, later(from, dice.within(1, 30)).min(end))
    });
    let pause = pause.filter(|(from, until)| from < until);
    let leveled = charges.iter().any(|c| LEVELS.contains(&c.aggregate));
    let changes = match dice.once_in(4) {
        true => vec![later(start, dice.within(1, 60))],
        false => vec![],
    };
    let changes = changes
        .into_iter()
        .filter(|d| *d < end && !leveled)
        .collect();
    let shares = charges.iter().any(|c| {
        matches!(&c.price, Price::Share(_)) || matches!(&c.then, Some((_, Price::Share(_))))
    });
    let mut n = 0;
    let mut arrivals = Vec::new();
    for _ in 0..dice.within(1, 7) {
        if dice.once_in(3) {
            arrivals.push(Arrival::Bill(later(start, dice.roll(140))));
            continue;
        }
        let batch = (0..dice.roll(9)).map(|_| {
            n += 1;
            // Some come from before it began or after it ended, many from hours around midnight.
            let on = later(start, dice.within(-2, between(start, end) + 2));
            let second = match dice.roll(3) {
                0 => dice.roll(3_600),
                1 => 82_000 - dice.roll(3_600),
                _ => dice.roll(82_000),
            };
            let low = if shares { 0 } else { -6_000 };
            let quantity = dice.within(low, 12_000) / 500 * 500;
            Record {
                n,
                corrects: false,
                at: calendar::begins(zone, on) + second,
                quantity,
                amount: (!dice.once_in(6)).then(|| dice.within(-3_000, 9_000)),
                zone: dice.one(&NAMES),
                user: dice.one(&USERS),
            }
        });
        arrivals.push(Arrival::Batch(batch.collect()));
    }
    // Bills are written in the order of their days.
    let mut bills: Vec<Day> = arrivals
        .iter()
        .filter_map(|a| {
            if let Arrival::Bill(d) = a {
                Some(*d)
            } else {
                None
            }
        })
        .collect();
    bills.sort();
    let mut bills = bills.into_iter();
    for arrival in &mut arrivals {
        if let Arrival::Bill(on) = arrival {
            *on = bills.next().expect("as many");
        }
    }
    arrivals.push(Arrival::Bill(later(end, 500)));
    let billing_day = u32::try_from(dice.within(1, 31)).expect("a day");
    for charge in &mut charges {
        if let Align::BillingDay(on) = &mut charge.align {
            *on = billing_day;
        }
    }
    History {
        zone,
        charges,
        billing_day,
        start,
        end,
        changes,
        pause,
        arrivals,
    }
}

impl Price {
    pub fn text(&self) -> String {
        match self {
            Price::Total(model) => model.text(),
            Price::Share(share) => share.text(),
            Price::ShareOfTotal(model) => model
                .text()
                .replace("graduated", "graduated_percentage")
                .replace("unit", "rate"),
            Price::Dynamic(by) => {
                format!("{{ dynamic = {{ multiplier = \"{}\" }} }}", decimal(*by))
            }
            Price::Expression(a, b) => {
                let (a, b) = (decimal(*a), decimal(*b));
                format!(
                    "{{ expression = 'if units > 10 then 10 * {a} + (units - 10) * ({b}) else units * {a}' }}"
                )
            }
            Price::Matrix(lines, otherwise) => {
                let lines: Vec<String> = lines
                    .iter()
                    .map(|([a, b], model)| {
                        format!(
                            "{{ cells = [\"{}\", \"{}\"], price = {} }}",
                            a.text(),
                            b.text(),
                            model.text()
                        )
                    })
                    .collect();
                let otherwise = otherwise
                    .as_ref()
                    .map_or(String::new(), |m| format!(", otherwise = {}", m.text()));
                format!(
                    "{{ matrix = {{ columns = [{{ attribute = \"zone\" }}, {{ attribute = \"$quantity\", kind = \"number\" }}], lines = [{}]{otherwise} }} }}",
                    lines.join(", ")
                )
            }
        }
    }
}

impl Cell {
    pub fn text(self) -> String {
        let end = |e: Option<i64>| e.map_or(String::new(), |e| e.to_string());
        match self {
            Cell::Any => "*".into(),
            Cell::Text(text) => text.into(),
            Cell::Prefix(text) => format!("{text}*"),
            Cell::Range(from, until) => format!("{}..{}", end(from), end(until)),
        }
    }

    pub fn fits(self, text: &str, number: Fraction) -> bool {
        match self {
            Cell::Any => true,
            Cell::Text(t) => t == text,
            Cell::Prefix(t) => text.starts_with(t),
            Cell::Range(from, until) => {
                from.is_none_or(|f| !number.below(whole(f)))
                    && until.is_none_or(|u| number.below(whole(u)))
            }
        }
    }

    /// More is more specific: equal, then the longer beginning, then a range.
    pub fn rank(self) -> (usize, usize) {
        match self {
            Cell::Any => (0, 0),
            Cell::Range(..) => (1, 0),
            Cell::Prefix(t) => (2, t.len()),
            Cell::Text(_) => (3, 0),
        }
    }

    pub fn width(self) -> i64 {
        match self {
            Cell::Range(Some(from), Some(until)) => until - from,
            _ => i64::MAX,
        }
    }
}

pub fn catalog(history: &History) -> String {
    let mut text = String::from("[[offer]]\ncode = \"o\"\nname = \"o\"\ncurrency = \"EUR\"\n");
    for c in &history.charges {
        let mut say = |line: String| writeln!(text, "{line}").expect("text");
        say(format!(
            "[[offer.usage]]\ncode = \"{0}\"\nname = \"{0}\"\nmetric = \"m\"\nunit = \"unit\"",
            c.code
        ));
        say(format!(
            "aggregate = \"{}\"\nevery = \"{}\"\nalign = \"{}\"",
            c.aggregate,
            c.every.text(),
            c.align.text()
        ));
        say(format!("per = \"{}\"\nprice = {}", c.per, c.price.text()));
        if let Some((from, price)) = &c.then {
            say(format!(
                "prices = [{{ from = \"{from}\", price = {} }}]",
                price.text()
            ));
        }
        let numbers = [
            ("least", c.least.map(|n| n.to_string())),
            ("allowance", c.allowance.map(|n| n.to_string())),
            ("minimum", c.minimum.map(decimal)),
            ("maximum", c.maximum.map(decimal)),
        ];
        for (name, number) in numbers.into_iter().filter_map(|(name, n)| Some((name, n?))) {
            say(format!("{name} = \"{number}\""));
        }
        if let Some((to, mode, period)) = c.round {
            let per = if period { "period" } else { "record" };
            say(format!(
                "round = {{ to = \"{to}\", mode = \"{mode}\", per = \"{per}\" }}"
            ));
        }
        let lines = [
            (c.group, "group_by = [\"zone\"]"),
            (c.aggregate == "unique", "unique = \"user\""),
            (c.carry, "carry = true"),
            (c.high_water, "high_water = true"),
            (c.at_once, "timing = \"advance\""),
            (c.aggregate == "weighted", "by = \"day\""),
        ];
        for (_, line) in lines.iter().filter(|(said, _)| *said) {
            say((*line).to_string());
        }
        if let Some((from, until)) = c.hours {
            say(format!(
                "[[offer.usage.when]]\ndays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]\nfrom = \"{from:02}:00\"\nuntil = \"{until:02}:00\""
            ));
        }
    }
    text
}
