//! Charges that remember their records, against a slow and obvious count: day by day, hour by hour, unit by unit.

use crate::prices::usage;
use crate::whatever_happens::Dice;
use indelible_domain::catalog::{Aggregate, Price, Usage};
use indelible_domain::kernel::{
    Date, Days, Decider, Decimal, Exact, Instant, calendar::add_days, calendar::parse_date,
};
use indelible_domain::rating::tally::Use;
use indelible_domain::rating::{Carried, CarriedIn, Over, Period, Tally, price};
use indelible_domain::usage::{Event, Kept, Meter, Metered, Moved, Slot};
use std::collections::{BTreeMap, BTreeSet};

fn exact(text: &str) -> Exact {
    text.parse::<Decimal>().expect("a number").into()
}

fn day(text: &str) -> Date {
    parse_date(text).expect("a date")
}

fn month(from: &str, until: &str) -> Over {
    let days = Days::new(day(from), day(until));
    Over { days, whole: days }
}

/// A record of some units on a day, at an hour by the clock.
fn moved(n: u8, on: Date, clock: u32, units: Exact, value: Option<u8>) -> Moved {
    let days = on.signed_duration_since(day("2020-01-01")).num_days();
    Moved {
        key: [n; 16],
        at: Instant((days * 86_400 + i64::from(clock)) * 1_000_000),
        on,
        clock,
        units,
        carried: None,
        value: value.map(|v| [v; 16]),
        priced: None,
    }
}

fn level(units: &str) -> CarriedIn {
    let carried = Carried {
        level: exact(units),
        values: BTreeSet::new(),
    };
    [(Slot::default(), carried)].into()
}

fn seats(values: &[u8]) -> CarriedIn {
    let carried = Carried {
        level: exact(&values.len().to_string()),
        values: values.iter().map(|v| [*v; 16]).collect(),
    };
    [(Slot::default(), carried)].into()
}

/// Rates moves one by one; units and amount of the period, from nothing.
fn rated(charge: &Usage, over: Over, carried: &CarriedIn, moves: &[Moved]) -> (Exact, Exact) {
    let mut tally =
        Tally::over(charge, Meter::default(), over, None, carried.clone()).expect("a tally");
    let base = Period::new(charge, over, carried.clone())
        .worth(None)
        .expect("a base");
    let mut sum = base.amount;
    for m in moves {
        let mut used = Use::new(m.units, None);
        used.moved = Some(Box::new((Slot::default(), m.clone())));
        sum = sum.plus(tally.add(used).expect("a charge")).expect("a sum");
    }
    let units = if moves.is_empty() {
        base.units
    } else {
        tally.meter.units
    };
    (units, sum)
}

/// A line per record: day, units, and perhaps the value it is about.
#[track_caller]
fn case(
    id: &str,
    lines: &str,
    (over, carried): (Over, CarriedIn),
    records: &[(&str, &str, Option<u8>)],
    shown: (&str, &str),
) {
    let charge = usage(lines);
    let moves: Vec<Moved> = records
        .iter()
        .zip(1..)
        .map(|((on, units, value), n)| {
            let (on, clock) = on.split_once('T').unwrap_or((on, "00:00"));
            let (h, m) = clock.split_once(':').expect("a time");
            let clock: u32 = h.parse::<u32>().expect("an hour") * 3600
                + m.parse::<u32>().expect("a minute") * 60;
            moved(n, day(on), clock, exact(units), *value)
        })
        .collect();
    let (units, amount) = rated(&charge, over, &carried, &moves);
    let places = |exact: Exact| exact.to_decimal(5);
    assert_eq!(
        (places(units).as_str(), amount.to_decimal(2).as_str()),
        shown,
        "{id}"
    );
}

const PRORATED: &str = "aggregate = \"level\"\ncarry = true\n";

#[test]
fn a_level_is_shared_over_the_days_on_which_it_was_there() {
    let may = month("2023-05-01", "2023-06-01");
    let one = format!("{PRORATED}price = {{ per_unit = \"1\" }}");
    let records = [("2023-05-26", "12", None), ("2023-05-26", "12", None)];
    let b01 = |records: &[_], shown| case("P-B01", &one, (may, level("5")), records, shown);
    b01(&records, ("9.64516", "9.65"));
    let more = [&records[..], &[("2023-05-31", "4.5", None)]].concat();
    b01(&more, ("9.79032", "9.79"));

    // The source counts the day on which a seat is given up; here the day before is the last (policy 16).
    let users = format!("{PRORATED}unique = \"user\"\nprice = {{ per_unit = \"1\" }}");
    let july = month("2022-07-09", "2022-08-09");
    let b03 = |carried: &[u8], records: &[_], units: &str, amount: &str| {
        case(
            "P-B03",
            &users,
            (july, seats(carried)),
            records,
            (units, amount),
        );
    };
    b03(&[9], &[("2022-07-19", "1", Some(1))], "1.67742", "1.68");
    b03(&[], &[("2022-07-24", "1", Some(1))], "0.51613", "0.52");
    b03(&[1], &[("2022-07-25", "-1", Some(1))], "0.51613", "0.52");
    b03(
        &[],
        &[("2022-07-10", "1", Some(1)), ("2022-08-08", "-1", Some(1))],
        "0.93548",
        "0.94",
    );
    let on_and_off = [1, -1, 1, -1];
    let same_day: Vec<_> = on_and_off
        .iter()
        .map(|u| ("2022-07-12", if *u > 0 { "1" } else { "-1" }, Some(1)))
        .collect();
    b03(&[], &same_day, "0.03226", "0.03");
    let three: Vec<_> = ["2022-07-12", "2022-07-15", "2022-07-20"]
        .iter()
        .flat_map(|d| [(*d, "1", Some(1)), (*d, "-1", Some(1))])
        .collect();
    b03(&[], &three, "0.09677", "0.1");
    b03(&[1], &[], "1", "1");
    // Two seats in turn on one day are two, though never more than one at once.
    b03(
        &[],
        &[
            ("2022-07-12", "1", Some(1)),
            ("2022-07-12", "-1", Some(1)),
            ("2022-07-12", "1", Some(2)),
            ("2022-07-12", "-1", Some(2)),
        ],
        "0.06452",
        "0.06",
    );
}

#[test]
fn what_was_paid_of_a_high_water_mark_is_not_given_back() {
    let seats = format!("{PRORATED}high_water = true\nprice = {{ per_unit = \"29\" }}");
    let february = month("2024-02-01", "2024-03-01");
    let records = [
        ("2024-02-06", "10", None),
        ("2024-02-07", "-5", None),
        ("2024-02-08", "2", None),
    ];
    for n in 1..=3 {
        let carried = CarriedIn::new();
        case(
            "P-B05",
            &seats,
            (february, carried),
            &records[..n],
            ("8.27586", "240"),
        );
    }
    // What goes over is what is there, not what was paid.
    let charge = usage(&seats);
    let march = month("2024-03-01", "2024-04-01");
    assert_eq!(rated(&charge, march, &level("7"), &[]).1.to_string(), "203");
}

#[test]
fn each_day_of_a_level_fills_its_tiers_and_a_tier_once_entered_stays_paid() {
    let tiers = format!(
        "{PRORATED}price = {{ graduated = [{{ up_to = \"5\", unit = \"10\", flat = \"100\" }}, {{ up_to = \"15\", unit = \"5\", flat = \"50\" }}, {{ unit = \"2\" }}] }}"
    );
    let september = month("2023-09-01", "2023-10-01");
    let records = [
        ("2023-09-10", "2", None),
        ("2023-09-16", "5", None),
        ("2023-09-20", "-6", None),
        ("2023-09-25", "10", None),
        ("2023-09-26", "4", None),
        ("2023-09-30", "60", None),
    ];
    let amounts = ["100", "114", "184", "165.67", "179.67", "183", "187"];
    let units = ["0", "1.4", "3.9", "1.7", "3.7", "4.36667", "6.36667"];
    for n in 0..=6 {
        let shown = (units[n], amounts[n]);
        case(
            "P-B07",
            &tiers,
            (september, CarriedIn::new()),
            &records[..n],
            shown,
        );
    }
    let october = month("2023-10-01", "2023-11-01");
    let carried = || (october, level("75"));
    case("P-B07, October", &tiers, carried(), &[], ("75", "370"));
    let more = [("2023-10-17", "20", None)];
    case(
        "P-B07, October",
        &tiers,
        carried(),
        &more,
        ("84.67742", "389.35"),
    );

    let free =
        format!("{PRORATED}price = {{ graduated = [{{ up_to = \"5\" }}, {{ unit = \"10\" }}] }}");
    let december = month("2023-12-01", "2024-01-01");
    case("P-B09", &free, (december, level("6")), &[], ("6", "10"));
    let added = [("2023-12-07", "1", None)];
    case(
        "P-B09",
        &free,
        (december, level("6")),
        &added,
        ("6.80645", "18.06"),
    );
    let ended = Over {
        days: Days::new(day("2023-12-01"), day("2023-12-08")),
        ..december
    };
    case(
        "P-B09",
        &free,
        (ended, level("6")),
        &added,
        ("1.3871", "2.58"),
    );
}

#[test]
fn unit_level_vectors() {
    let tiers = format!(
        "{PRORATED}price = {{ graduated = [{{ up_to = \"5\", unit = \"10\", flat = \"100\" }}, {{ unit = \"5\", flat = \"50\" }}] }}"
    );
    let june = month("2023-06-01", "2023-07-01");
    // The source's first two take away on the 20th what comes on the 25th only, and get 197.33 and 184.33; here a level is
    // followed in the order of time.
    let vectors: &[(&[(&str, &str)], &str)] = &[
        (
            &[("10", "5"), ("15", "5"), ("25", "10"), ("20", "-6")],
            "196.5",
        ),
        (
            &[("10", "2"), ("15", "5"), ("25", "10"), ("20", "-6")],
            "181",
        ),
        (&[("10", "5"), ("16", "-2")], "125"),
        (&[("10", "4"), ("16", "2"), ("25", "-3")], "180.5"),
        (
            &[("10", "5"), ("16", "2"), ("19", "-4"), ("25", "10")],
            "190",
        ),
        (&[("19", "5"), ("21", "-100")], "0"),
    ];
    for (records, amount) in vectors {
        let mut moves: Vec<Moved> = records
            .iter()
            .zip(1..)
            .map(|((on, units), n)| moved(n, day(&format!("2023-06-{on}")), 0, exact(units), None))
            .collect();
        moves.sort_by_key(|m| m.at);
        let charge = usage(&tiers);
        let (_, sum) = rated(&charge, june, &CarriedIn::new(), &moves);
        assert_eq!(
            sum.max(Exact::ZERO).to_decimal(2),
            *amount,
            "P-B11 {records:?}"
        );
    }
    let july = month("2023-07-01", "2023-08-01");
    let records = [
        ("2023-07-10", "1", None),
        ("2023-07-20", "4", None),
        ("2023-07-25", "1", None),
        ("2023-07-27", "-5", None),
        ("2023-07-30", "-1", None),
    ];
    case(
        "P-B11",
        &tiers,
        (july, CarriedIn::new()),
        &records,
        ("1.6129", "165.81"),
    );
}

#[test]
fn a_weighted_sum_is_the_average_level_over_the_seconds_of_the_period() {
    let weighted = "aggregate = \"weighted\"\ncarry = true\nprice = { per_unit = \"1\" }";
    let august = month("2023-08-01", "2023-09-01");
    let records = [
        ("2023-08-01T00:00", "2", None),
        ("2023-08-01T01:00", "3", None),
        ("2023-08-01T01:30", "1", None),
        ("2023-08-01T02:00", "-4", None),
        ("2023-08-01T04:00", "-2", None),
        ("2023-08-01T05:00", "10", None),
        ("2023-08-01T05:30", "-10", None),
    ];
    case(
        "P-C01",
        weighted,
        (august, CarriedIn::new()),
        &records,
        ("0.02218", "0.02"),
    );
    case(
        "P-C01",
        weighted,
        (august, level("1000")),
        &records,
        ("1000.02218", "1000.02"),
    );

    let march = month("2023-03-01", "2023-04-01");
    let rise = [("2023-03-05", "2500", None)];
    case(
        "P-C03",
        weighted,
        (march, CarriedIn::new()),
        &rise,
        ("2177.41935", "2177.42"),
    );
    let april = month("2023-04-01", "2023-05-01");
    let falls = [("2023-04-04", "-2000", None), ("2023-04-06", "-200", None)];
    case(
        "P-C03",
        weighted,
        (april, level("2500")),
        &falls,
        ("533.33333", "533.33"),
    );
}

#[test]
fn a_peak_charges_only_what_exceeds_the_highest_level_before() {
    let peak = "aggregate = \"peak\"\nprice = { per_unit = \"1\" }";
    let march = month("2023-03-01", "2023-04-01");
    let records = [
        ("2023-03-05", "10", None),
        ("2023-03-06", "-4", None),
        ("2023-03-07", "8", None),
    ];
    for (n, amount) in [(1, "10"), (2, "10"), (3, "14")] {
        let carried = CarriedIn::new();
        case(
            "P-L01",
            peak,
            (march, carried),
            &records[..n],
            (amount, amount),
        );
    }
}

// ---- Anything, against the slow count ----

const PRICES: &[&str] = &[
    "{ per_unit = \"0.7\" }",
    "{ graduated = [{ up_to = \"3\", unit = \"2\", flat = \"1\" }, { up_to = \"6\", unit = \"1.5\", flat = \"3\" }, { unit = \"1\", flat = \"7\" }] }",
    "{ volume = [{ up_to = \"4\", unit = \"3\" }, { unit = \"2\", flat = \"1\" }] }",
    "{ package = { size = \"3\", price = \"5\", free = \"1\" } }",
];

fn a_charge(dice: &mut Dice) -> Usage {
    let mut text = String::new();
    let aggregate = [
        "sum", "count", "max", "min", "last", "unique", "level", "weighted", "peak",
    ][pick(dice, 9)];
    text += &format!("aggregate = \"{aggregate}\"\n");
    let leveled = matches!(aggregate, "level" | "weighted" | "peak");
    // Only charges that remember their records; the others have their own tests.
    if !leveled && !matches!(aggregate, "last" | "unique") || dice.roll(2) == 0 {
        text += "group_by = [\"zone\"]\n";
    }
    if aggregate == "unique" || leveled && dice.roll(3) == 0 {
        text += "unique = \"user\"\n";
    } else if leveled && dice.roll(3) == 0 {
        text += "readings = true\n";
    }
    if matches!(aggregate, "level" | "weighted") && dice.roll(3) == 0 {
        text += "high_water = true\n";
    }
    if leveled && dice.roll(2) == 0 {
        text += &format!("by = \"{}\"\n", ["day", "second"][pick(dice, 2)]);
    }
    if dice.roll(4) == 0 {
        text += "allowance = \"2\"\n";
    }
    if dice.roll(4) == 0 {
        text += "maximum = \"20\"\n";
    }
    usage(&format!(
        "{text}price = {}",
        PRICES[pick(dice, PRICES.len())]
    ))
}

fn pick(dice: &mut Dice, of: usize) -> usize {
    let sides = u64::try_from(of).expect("few");
    usize::try_from(dice.roll(sides)).expect("few")
}

fn a_record(dice: &mut Dice, n: u8, over: Over, charge: &Usage) -> (Slot, Moved) {
    let days = over.days.count().unsigned_abs();
    let on = add_days(over.days.from, i64::try_from(dice.roll(days)).expect("few"));
    let clock = u32::try_from(dice.roll(24)).expect("few") * 3600;
    let units = match charge.readings {
        true => i128::from(dice.roll(9)),
        false => i128::from(dice.roll(9)) - 3,
    };
    let value = charge
        .unique
        .as_ref()
        .map(|_| u8::try_from(dice.roll(4)).expect("few"));
    let units = match charge.is_level() && charge.unique.is_some() {
        true => {
            if units < 0 {
                -1
            } else {
                1
            }
        }
        false => units,
    };
    let group = match charge.group_by.is_empty() {
        true => vec![],
        false => vec![["north", "south", ""][pick(dice, 3)].to_string()],
    };
    let moved = moved(n, on, clock, Exact::from(units), value);
    (Slot { line: 0, group }, moved)
}

#[test]
fn any_charge_that_remembers_comes_to_what_the_slow_count_comes_to() {
    let over = Over {
        days: Days::new(day("2024-03-04"), day("2024-03-16")),
        whole: Days::new(day("2024-03-01"), day("2024-04-01")),
    };
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let charge = a_charge(&mut dice);
        let mut state = Metered::default();
        let mut standing: Vec<(Slot, Moved)> = Vec::new();
        let mut charged = Exact::ZERO;
        let mut next = 0_u8;
        // Batches of random size: records, corrections and records that leave.
        for _ in 0..1 + dice.roll(4) {
            let meter = state.meter.clone();
            let memory = state.memory.clone();
            let mut tally = Tally::over(&charge, meter, over, memory.as_deref(), CarriedIn::new())
                .expect("a tally");
            for _ in 0..dice.roll(6) {
                let kept = |m: &Moved| Kept {
                    key: m.key,
                    units: m.units,
                    carried: None,
                    amount: Exact::ZERO,
                };
                let difference = if dice.roll(4) > 0 || standing.is_empty() {
                    next += 1;
                    let record = a_record(&mut dice, next, over, &charge);
                    standing.push(record.clone());
                    tally.add(of(record))
                } else {
                    let at = pick(&mut dice, standing.len());
                    let (_, was) = standing.remove(at);
                    let now = (dice.roll(2) == 0).then(|| {
                        let (slot, moved) = a_record(&mut dice, was.key[0], over, &charge);
                        standing.push((slot.clone(), moved.clone()));
                        of((slot, moved))
                    });
                    tally.replace(&kept(&was), now, std::iter::empty())
                };
                charged = charged.plus(difference.expect("a charge")).expect("a sum");
            }
            let (meter, remembered) = tally.finish_all().expect("a meter");
            state.meter = meter;
            let event = Event::from(remembered.expect("it remembers"));
            Metered::evolve(&mut state, &event);
        }
        let base = Period::new(&charge, over, CarriedIn::new())
            .worth(None)
            .expect("a base");
        let base = price::bounded(&charge, &charge.price, base.amount).expect("bounded");
        let slow = slow_count(&charge, over, &standing);
        let fast = base.plus(charged).expect("a sum");
        assert_eq!(fast, slow, "seed {seed}: {charge:?}\n{standing:#?}");
        assert_eq!(
            state.meter.amount, charged,
            "seed {seed}: the charges sum to the meter"
        );
        let anew = Period::new(&charge, over, CarriedIn::new())
            .worth(state.memory.as_deref())
            .expect("a worth");
        let anew = price::bounded(&charge, &charge.price, anew.amount).expect("bounded");
        assert_eq!(
            anew, slow,
            "seed {seed}: what is remembered comes to the same"
        );
    }
}

fn of((slot, moved): (Slot, Moved)) -> Use {
    let mut used = Use::new(moved.units, None);
    used.moved = Some(Box::new((slot, moved)));
    used
}

/// Everything once more, slowly. Records of one instant count in the order they came.
fn slow_count(charge: &Usage, over: Over, standing: &[(Slot, Moved)]) -> Exact {
    let mut by_group: BTreeMap<&Slot, Vec<&Moved>> = BTreeMap::new();
    for (slot, moved) in standing {
        by_group.entry(slot).or_default().push(moved);
    }
    let only = Slot::default();
    if charge.group_by.is_empty() {
        by_group.entry(&only).or_default();
    }
    let mut sum = Exact::ZERO;
    for moves in by_group.values_mut() {
        moves.sort_by_key(|m| m.at);
        sum = sum.plus(slow_group(charge, over, moves)).expect("a sum");
    }
    let sum = sum.max(Exact::ZERO);
    charge.maximum.map_or(sum, |most| sum.min(most.into()))
}

fn slow_group(charge: &Usage, over: Over, moves: &[&Moved]) -> Exact {
    let units = || moves.iter().map(|m| m.units);
    let total = match charge.aggregate {
        Aggregate::Sum => units().fold(Exact::ZERO, |a, b| a.plus(b).expect("a sum")),
        Aggregate::Count => Exact::from(i128::try_from(moves.len()).expect("few")),
        Aggregate::Max => units().fold(Exact::ZERO, Exact::max),
        Aggregate::Min => units().reduce(Exact::min).unwrap_or(Exact::ZERO),
        Aggregate::Last => units().next_back().unwrap_or(Exact::ZERO),
        Aggregate::Unique => {
            let values: BTreeSet<_> = moves.iter().filter_map(|m| m.value).collect();
            Exact::from(i128::try_from(values.len()).expect("few"))
        }
        Aggregate::Peak => {
            let mut level = Level::default();
            let mut peak = 0;
            for m in moves {
                level.go(charge, m);
                peak = peak.max(level.height());
            }
            Exact::from(peak)
        }
        Aggregate::Weighted | Aggregate::Level => return slow_level(charge, over, moves),
    };
    whole_price(charge, total)
}

/// What is there, unit by unit.
#[derive(Default)]
struct Level {
    /// Below zero nothing can be counted unit by unit.
    below: i128,
    units: Vec<u8>,
    values: BTreeSet<[u8; 16]>,
    by_value: bool,
}

impl Level {
    fn height(&self) -> i128 {
        let values = i128::try_from(self.values.len()).expect("few");
        let units = i128::try_from(self.units.len()).expect("few");
        if self.by_value {
            values
        } else {
            units - self.below
        }
    }

    /// Lets one record happen; what came up is the answer: numbers of units, or values.
    fn go(&mut self, charge: &Usage, moved: &Moved) -> Vec<[u8; 16]> {
        let mut came = Vec::new();
        if let (Some(_), Some(value)) = (&charge.unique, moved.value) {
            self.by_value = true;
            if moved.units.is_negative() {
                self.values.remove(&value);
            } else if self.values.insert(value) {
                came.push(value);
            }
            return came;
        }
        let target = match charge.readings {
            true => moved.units.numerator(),
            false => self.height() + moved.units.numerator(),
        };
        while self.height() < target {
            if self.below > 0 {
                self.below -= 1;
            } else {
                self.units.push(0);
                came.push([u8::try_from(self.units.len()).expect("few"); 16]);
            }
        }
        while self.height() > target {
            if self.units.pop().is_none() {
                self.below += 1;
            }
        }
        came
    }
}

fn slow_level(charge: &Usage, over: Over, moves: &[&Moved]) -> Exact {
    use indelible_domain::catalog::By;
    let mut level = Level::default();
    let mut highest = 0;
    // The level that counts, for each day or hour.
    let mut counted: Vec<i128> = Vec::new();
    let mut on = over.days.from;
    while on < over.days.until {
        let today: Vec<&&Moved> = moves.iter().filter(|m| m.on == on).collect();
        match charge.precision() {
            By::Day => {
                let mut came = BTreeSet::new();
                for m in &today {
                    came.extend(level.go(charge, m));
                    highest = highest.max(level.height());
                }
                let still = |c: &[u8; 16]| match level.by_value {
                    true => level.values.contains(c),
                    false => usize::from(c[0]) <= level.units.len(),
                };
                let left = came.iter().filter(|c| !still(c)).count();
                let left = i128::try_from(left).expect("few");
                counted.push(if charge.high_water {
                    highest
                } else {
                    level.height() + left
                });
            }
            By::Second => {
                for hour in 0..24 {
                    for m in today.iter().filter(|m| m.clock == hour * 3600) {
                        level.go(charge, m);
                        highest = highest.max(level.height());
                    }
                    counted.push(if charge.high_water {
                        highest
                    } else {
                        level.height()
                    });
                }
            }
        }
        on = add_days(on, 1);
    }
    let per_day = match charge.precision() {
        By::Day => 1,
        By::Second => 24,
    };
    let whole = i128::from(over.whole.count()) * per_day;
    if charge.aggregate == Aggregate::Weighted {
        let sum: i128 = counted.iter().sum();
        return whole_price(charge, Exact::ratio(sum, whole).expect("an average"));
    }
    let free = charge.allowance.map_or(0, |a| Exact::from(a).numerator());
    let beyond = |l: i128| if l < 0 { l } else { (l - free).max(0) };
    let mut sum = Exact::ZERO;
    for l in &counted {
        sum = sum
            .plus(units_price(&charge.price, beyond(*l)))
            .expect("a sum");
    }
    let mut amount = sum.share(1, whole).expect("a share");
    if let Price::Graduated(tiers) = &charge.price {
        let top = counted.iter().map(|l| beyond(*l)).max().unwrap_or(0);
        let mut below = Exact::ZERO;
        for (n, tier) in tiers.iter().enumerate() {
            if n == 0 || Exact::from(top) > below {
                amount = amount.plus(tier.flat.into()).expect("a sum");
            }
            below = tier.up_to.map_or(below, Exact::from);
        }
    }
    amount
}

/// A level's price for the whole period, unit by unit, without flat fees of tiers that are entered.
fn units_price(price: &Price, level: i128) -> Exact {
    match price {
        Price::PerUnit(unit) => Exact::from(*unit)
            .times(Exact::from(level))
            .expect("a price"),
        Price::Graduated(tiers) => {
            let price_of = |k: i128| {
                let tier = tiers
                    .iter()
                    .find(|t| t.up_to.is_none_or(|e| Exact::from(k) <= e.into()));
                Exact::from(tier.or(tiers.last()).expect("a tier").unit)
            };
            let sum = (1..=level.max(0)).map(price_of);
            let sum = sum.fold(Exact::ZERO, |a, b| a.plus(b).expect("a sum"));
            let below = Exact::from(tiers[0].unit).times(Exact::from(level.min(0)));
            sum.plus(below.expect("a price")).expect("a sum")
        }
        price => price::amount(price, Exact::from(level)).expect("a price"),
    }
}

/// The amount of a total, the allowance taken off.
fn whole_price(charge: &Usage, total: Exact) -> Exact {
    let free = Exact::from(charge.allowance.unwrap_or_default());
    let beyond = match total.is_negative() {
        true => total,
        false => total.minus(free).expect("a rest").max(Exact::ZERO),
    };
    price::amount(&charge.price, beyond).expect("a price")
}
