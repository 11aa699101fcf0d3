//! Counters against a slow count, unit by unit: random records and corrections, late ones too, over days, months and a change
//! of the clock, while members join and leave a pool whose rest rolls over.

use crate::book::{Book, d};
use crate::counters::with;
use crate::ingest::{book, correction, intake, metered, record, start};
use crate::whatever_happens::Dice;
use indelible_domain::command::Effective;
use indelible_domain::counters::Event as CounterEvent;
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::kernel::{Date, Instant};
use indelible_domain::mediation::UsageRecord;
use indelible_domain::subscriptions::Unused;
use indelible_domain::{Command, Event};
use std::collections::BTreeMap;

const COUNTERS: &str = r#"
[[offer.counter]]
code = "pool"
unit = "minute"
size = "40"
owner = "account"
reset = "month"
rollover = { max = "30", periods = 2 }
thresholds = ["50%", "100%"]
priority = 2
[[offer.counter]]
code = "day"
unit = "minute"
size = "5"
reset = "day"
priority = 1
"#;

const DAY: i64 = 86_400;

fn seconds(date: Date) -> i64 {
    date.signed_duration_since(d("1970-01-01")).num_days() * DAY
}

/// The day in Berlin, by the two offsets that it had in that year.
fn in_berlin(at: i64) -> Date {
    let summer = seconds(d("2012-03-25")) + 3_600;
    let offset = if at >= summer { 7_200 } else { 3_600 };
    add_days(d("1970-01-01"), (at + offset).div_euclid(DAY))
}

fn month(date: Date) -> Date {
    use chrono::Datelike;
    date.with_day(1).expect("every month has a first day")
}

/// The first day of the period, as its stream is called.
fn stream(lot: &(String, Date)) -> String {
    format!("{}/{}", lot.0, lot.1)
}

#[derive(Clone, Copy, Default)]
struct Lot {
    used: u32,
    later: u32,
    later_max: Option<u32>,
}

type Lots = (String, Date);
/// Meter, and the lots of a way with whether they are of an earlier period.
type Way = (String, Vec<(Lots, bool)>);

/// One unit after the other.
#[derive(Default)]
struct Model {
    members: BTreeMap<String, (Date, Date)>,
    lots: BTreeMap<Lots, Lot>,
    /// What covers each unit of a way; none: the price.
    units: BTreeMap<Way, Vec<Option<usize>>>,
    records: BTreeMap<u64, (Way, u32)>,
    crossed: Vec<String>,
}

impl Model {
    fn size(&self, lot: &Lots) -> u32 {
        if lot.0.starts_with("subscription") {
            return 5;
        }
        let until = month(add_days(lot.1, 31));
        let there = |(from, end): &&(Date, Date)| *from < until && *end > lot.1;
        let members = self.members.values().filter(there).count();
        40 * u32::try_from(members).expect("few")
    }

    fn left(&self, (lot, later): &(Lots, bool)) -> u32 {
        let known = self.lots[lot];
        let left = self.size(lot).saturating_sub(known.used);
        match (later, known.later_max) {
            (false, _) => left,
            (true, Some(most)) => left.min(most - known.later),
            (true, None) => 0,
        }
    }

    fn way(&mut self, sub: &str, on: Date) -> Way {
        let own = month(on);
        let before = month(add_days(own, -1));
        let months = [month(add_days(before, -1)), before, own];
        let mut new = false;
        let mut way = vec![];
        let day = (format!("subscription:{sub}/day"), on);
        self.lots.entry(day.clone()).or_default();
        way.push((day, false));
        let mut pools = vec![];
        for from in months {
            let lot = ("account:berta/pool".to_string(), from);
            if !self.lots.contains_key(&lot) {
                if self.size(&lot) == 0 {
                    continue;
                }
                self.lots.insert(lot.clone(), Lot::default());
                new = true;
            }
            pools.push((lot, from != own));
        }
        if new {
            let mut room = 30;
            for (lot, _) in pools.iter().rev().filter(|(_, later)| *later) {
                let asked = (lot.clone(), self.lots[lot].later_max.is_some());
                let amount = self.left(&asked).min(room);
                room -= amount;
                let known = self.lots.get_mut(lot).expect("it is open");
                known.later_max = Some(known.later + amount);
            }
        }
        way.extend(pools);
        let from = own.max(self.members[sub].0);
        (format!("{sub}/voice/{from}"), way)
    }

    fn more(&mut self, way: &Way, units: u32) {
        let used: Vec<u32> = way.1.iter().map(|(lot, _)| self.lots[lot].used).collect();
        for _ in 0..units {
            let at = way.1.iter().position(|lot| self.left(lot) > 0);
            if let Some((lot, later)) = at.map(|at| &way.1[at]) {
                let known = self.lots.get_mut(lot).expect("it is open");
                known.used += 1;
                known.later += u32::from(*later);
            }
            self.units.entry(way.clone()).or_default().push(at);
        }
        for ((lot, _), before) in way.1.iter().zip(used) {
            let size = self.size(lot);
            self.cross(lot, (size, before), (size, self.lots[lot].used));
        }
    }

    fn less(&mut self, way: &Way, units: u32) {
        for _ in 0..units {
            let all = self.units.get_mut(way).expect("it went there");
            let beyond = all.iter().rposition(Option::is_none);
            let last = all.iter().flatten().max().copied();
            let at = beyond
                .or_else(|| all.iter().rposition(|u| *u == last))
                .expect("there are units");
            if let Some(n) = all.remove(at) {
                let (lot, later) = &way.1[n];
                let known = self.lots.get_mut(lot).expect("it is open");
                known.used -= 1;
                known.later -= u32::from(*later);
            }
        }
    }

    fn cross(&mut self, lot: &Lots, before: (u32, u32), after: (u32, u32)) {
        if lot.0.starts_with("subscription") {
            return;
        }
        for percent in [50, 100] {
            let reached = |(size, used): (u32, u32)| size > 0 && used * 100 >= size * percent;
            if reached(after) && !reached(before) {
                self.crossed.push(format!("{} {percent}%", stream(lot)));
            }
        }
    }

    fn member(&mut self, id: &str, days: (Date, Date)) {
        let sizes: Vec<(Lots, u32)> = self
            .lots
            .keys()
            .map(|lot| (lot.clone(), self.size(lot)))
            .collect();
        self.members.insert(id.to_string(), days);
        for (lot, before) in sizes {
            let used = self.lots[&lot].used;
            let size = self.size(&lot);
            self.cross(&lot, (before, used), (size, used));
        }
    }

    fn rate(&mut self, key: u64, sub: &str, on: Date, units: u32) {
        let way = self.way(sub, on);
        match self.records.remove(&key) {
            Some((old, had)) if old == way && had > units => self.less(&way, had - units),
            Some((old, had)) if old == way => self.more(&way, units - had),
            Some((old, had)) => {
                self.less(&old, had);
                self.more(&way, units);
            }
            None => self.more(&way, units),
        }
        self.records.insert(key, (way, units));
    }

    /// Records, units beyond the counters and what they cost, by meter.
    fn meters(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (way, _) in self.records.values() {
            all.entry(way.0.clone()).or_default().0 += 1;
        }
        for (way, units) in &self.units {
            let beyond = units.iter().filter(|unit| unit.is_none()).count();
            all.entry(way.0.clone()).or_default().1 += beyond;
        }
        let shown = |(records, beyond)| format!("{records} records, {beyond}, {beyond}");
        all.into_iter().map(|(id, m)| (id, shown(m))).collect()
    }
}

fn crossed(book: &Book) -> Vec<String> {
    let all = book.log.iter().filter_map(|(id, event)| match event {
        Event::Counter(CounterEvent::Crossed(e)) => Some(format!("{id} {}", e.threshold)),
        _ => None,
    });
    let mut all: Vec<String> = all.collect();
    all.sort();
    all
}

fn agree(book: &Book, model: &Model, seed: u64) {
    for (id, shown) in model.meters() {
        assert_eq!(metered(book, &id), shown, "{id}, seed {seed}");
    }
    for (lot, known) in &model.lots {
        let id = stream(lot);
        let entry = book.tenant().tables.counters.get(&id);
        let (used, later, size) = entry.map_or(Default::default(), |e| {
            let c = &e.state;
            (c.used.to_string(), c.later.to_string(), c.size.to_string())
        });
        assert_eq!(
            (used, later, size),
            (
                known.used.to_string(),
                known.later.to_string(),
                model.size(lot).to_string()
            ),
            "{id}, seed {seed}"
        );
    }
    let mut expected = model.crossed.clone();
    expected.sort();
    assert_eq!(crossed(book), expected, "seed {seed}");
}

/// A record of so many minutes.
fn minutes(
    (key, n): (u64, u64),
    access: &str,
    (at, units): (i64, u32),
    corrects: bool,
) -> UsageRecord {
    let shown = Instant(at * 1_000_000).to_string();
    let text = format!("k{key} voice {shown} {units} {n}");
    let short = text.rsplit_once(' ').expect("it has words").0;
    let made = match corrects {
        true => correction(short),
        false => record(short),
    };
    let content = blake3::hash(text.as_bytes());
    UsageRecord {
        access: access.into(),
        content: <[u8; 16]>::try_from(&content.as_bytes()[..16]).expect("16 bytes"),
        ..made
    }
}

fn history(seed: u64) {
    let mut dice = Dice(seed);
    let offer = with(COUNTERS);
    // The same in batches of whatever size, and one by one.
    let (mut batched, mut single) = (book(&offer), book(&offer));
    let mut model = Model::default();
    model.member("line-1", (d("2012-05-01"), d("9998-01-01")));
    for early in [&mut batched, &mut single] {
        early.today = d("2012-02-10");
        start(early, "line-0", "2012-02-10", "no-0");
        early.today = d("2012-02-12");
    }
    model.member("line-0", (d("2012-02-10"), d("9998-01-01")));
    let mut keys: Vec<(u64, String)> = vec![];
    for step in 0..40 {
        for b in [&mut batched, &mut single] {
            b.days_later(4);
        }
        let today = batched.today;
        if dice.roll(6) == 0 && model.members.len() < 6 {
            let id = format!("line-{}", model.members.len());
            let access = id.replace("line", "no");
            for b in [&mut batched, &mut single] {
                let from = today.to_string();
                start(b, &id, &from, &access);
            }
            model.member(&id, (today, d("9998-01-01")));
        }
        if dice.roll(9) == 0 {
            let running = model.members.iter().filter(|(_, days)| {
                days.1 > today && days.0 < add_days(today, -20) && days.0 > d("2012-02-10")
            });
            if let Some((id, days)) = running.map(|(id, days)| (id.clone(), *days)).next() {
                for b in [&mut batched, &mut single] {
                    b.ask(Command::TerminateSubscription {
                        subscription: id.clone(),
                        effective: Effective::Immediate,
                        unused: Unused::None,
                    })
                    .expect("ends");
                }
                model.member(&id, (days.0, today));
            }
        }
        let mut batch = vec![];
        let mut touched = std::collections::BTreeSet::new();
        for n in 0..dice.roll(12) {
            let corrects = !keys.is_empty() && dice.roll(3) == 0;
            let (key, id) = match corrects {
                true => {
                    let at = usize::try_from(dice.roll(keys.len() as u64)).expect("few");
                    keys[at].clone()
                }
                false => {
                    let at = usize::try_from(dice.roll(model.members.len() as u64)).expect("few");
                    let id = model.members.keys().nth(at).expect("a member").clone();
                    (step * 100 + n, id)
                }
            };
            // Up to seven weeks late.
            let back = i64::try_from(dice.roll(50 * 86_400)).expect("few");
            let at = seconds(today) - DAY - back;
            let (on, units) = (in_berlin(at), u32::try_from(dice.roll(13)).expect("few"));
            let (from, end) = model.members[&id];
            // Twice in one batch a record may not come back to a charge that it left.
            if on < from || on >= end || !touched.insert(key) {
                continue;
            }
            let access = id.replace("line", "no");
            let record = minutes((key, step * 100 + n), &access, (at, units), corrects);
            single
                .ask(intake(&format!("s{step}-{n}"), vec![record.clone()]))
                .expect("a batch of one");
            batch.push(record);
            model.rate(key, &id, on, units);
            if !corrects {
                keys.push((key, id));
            }
        }
        if !batch.is_empty() {
            batched
                .ask(intake(&format!("b{step}"), batch))
                .expect("a batch");
        }
        agree(&batched, &model, seed);
        agree(&single, &model, seed);
    }
}

#[test]
fn whatever_is_used_corrected_or_late_counters_say_what_a_count_unit_by_unit_says() {
    for seed in 0..8 {
        history(seed);
    }
}
