//! Fees of every kind, and contracts that begin, change, pause and end: made by chance, and written as a catalog.

use crate::Dice;
use crate::calendar::{Align, Day, Every, ZONES, day, later};
use crate::models::Model;
use std::fmt::Write;

/// Thousandths in a price that every day of such a period has a whole number of cents of.
pub fn divisible(every: Every) -> i64 {
    10 * match every {
        Every::Days(n) => n,
        Every::Months(1) => 4 * 3 * 5 * 7 * 29 * 31,
        Every::Months(3) => 89 * 90 * 91 * 46,
        _ => 365 * 366,
    }
}

#[derive(Clone, Debug)]
pub struct Fee {
    pub code: &'static str,
    pub model: Model,
    pub every: Every,
    pub align: Align,
    pub own_anchor: bool,
    pub arrears: bool,
    pub whole_periods: bool,
    pub after: Option<Every>,
    pub lasts: Option<Every>,
    pub high_water: bool,
    pub on_start: Option<&'static str>,
    pub on_change: Option<&'static str>,
    pub on_pause: Option<&'static str>,
    pub on_end: Option<&'static str>,
    pub unseen_end: bool,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub code: &'static str,
    pub trial: Option<Every>,
    pub fees: Vec<Fee>,
}

/// From a day on: which plan, and how many of it.
#[derive(Clone, Debug)]
pub struct Term {
    pub from: Day,
    pub plan: usize,
    pub quantity: i64,
}

#[derive(Clone, Debug)]
pub struct History {
    pub zone: &'static str,
    pub plans: Vec<Plan>,
    pub billing_day: u32,
    pub terms: Vec<Term>,
    /// From, until.
    pub pauses: Vec<(Day, Day)>,
    pub end: Day,
    pub bills: Vec<Day>,
}

/// `round` prices have a whole number of cents each day.
pub fn any_fee(dice: &mut Dice, code: &'static str, billing_day: u32, round: bool) -> Fee {
    let every = dice.one(&[
        Every::Months(1),
        Every::Months(1),
        Every::Months(3),
        Every::Months(12),
        Every::Days(7),
        Every::Days(14),
        Every::Days(10),
    ]);
    let align = match every {
        Every::Days(10) => Align::Anniversary,
        Every::Days(_) => dice.one(&[Align::Calendar, Align::Anniversary]),
        _ => dice.one(&[
            Align::Calendar,
            Align::Anniversary,
            Align::BillingDay(billing_day),
        ]),
    };
    let model = Model::any(dice, if round { divisible(every) } else { 1_370 }, !round);
    let flat = matches!(model, Model::Flat(_));
    Fee {
        code,
        model,
        every,
        align,
        own_anchor: dice.once_in(3),
        arrears: dice.once_in(2),
        whole_periods: dice.once_in(6),
        after: dice.once_in(5).then(|| Every::Days(dice.within(1, 40))),
        lasts: dice
            .once_in(5)
            .then(|| dice.one(&[Every::Days(45), Every::Months(2)])),
        high_water: !flat && dice.once_in(4),
        on_start: None,
        on_change: None,
        on_pause: None,
        on_end: None,
        unseen_end: dice.once_in(4),
    }
}

impl Fee {
    /// What it costs where it is not there for a whole period.
    fn says_what_is_cut(&mut self, dice: &mut Dice) {
        let part = &[None, Some("prorate"), Some("full"), Some("nothing")];
        self.on_start = dice.one(part);
        self.on_end = dice.one(part);
        self.on_change = dice.one(part);
        self.on_pause = dice.one(part);
    }
}

pub fn any_history(seed: u64, round: bool) -> History {
    let mut dice = Dice::of(seed);
    let dice = &mut dice;
    let billing_day = u32::try_from(dice.within(1, 31)).expect("a day");
    let start = later(day(2023, 1, 1), dice.roll(430));
    let quiet = dice.once_in(4);
    let told = quiet || dice.once_in(2);
    let mut fees: Vec<Fee> = ["fee", "seats"]
        .iter()
        .map(|code| any_fee(dice, code, billing_day, round))
        .collect();
    if told {
        fees.iter_mut().for_each(|fee| fee.says_what_is_cut(dice));
    }
    let trial = dice.once_in(3).then(|| Every::Days(dice.within(1, 35)));
    // The second plan has the same first fee at another price, and another second one.
    let mut second = fees.clone();
    let by = if round {
        divisible(second[0].every)
    } else {
        990
    };
    second[0].model = Model::any(dice, by, !round);
    second[0].high_water &= !matches!(second[0].model, Model::Flat(_));
    second[1] = any_fee(dice, "more", billing_day, round);
    if told {
        second.iter_mut().for_each(|fee| fee.says_what_is_cut(dice));
    }
    let plan = |code, fees| Plan { code, trial, fees };
    let end = later(start, dice.within(5, 200));
    let mut terms = vec![Term {
        from: start,
        plan: 0,
        quantity: dice.within(0, 9),
    }];
    let mut pauses: Vec<(Day, Day)> = Vec::new();
    let mut on = start;
    loop {
        on = later(on, dice.within(1, 60));
        if quiet || on >= end {
            break;
        }
        if dice.once_in(3) {
            let until = later(on, dice.within(1, 50));
            pauses.push((on, until.min(end)));
            on = until;
        } else {
            terms.push(Term {
                from: on,
                plan: usize::from(dice.once_in(3)),
                quantity: dice.within(0, 9),
            });
        }
    }
    let mut bills: Vec<Day> = (0..dice.roll(30))
        .map(|_| later(start, dice.roll(220)))
        .collect();
    bills.push(later(end, 800));
    bills.sort();
    bills.dedup();
    History {
        zone: dice.one(ZONES),
        plans: vec![plan("first", fees), plan("second", second)],
        billing_day,
        terms,
        pauses,
        end,
        bills,
    }
}

pub fn catalog(history: &History) -> String {
    let mut text = String::new();
    for plan in &history.plans {
        let mut say = |line: String| writeln!(text, "{line}").expect("text");
        say(format!(
            "[[offer]]\ncode = \"{0}\"\nname = \"{0}\"\ncurrency = \"EUR\"",
            plan.code
        ));
        if let Some(trial) = plan.trial {
            say(format!("trial = \"{}\"", trial.text()));
        }
        for fee in &plan.fees {
            say(format!(
                "[[offer.recurring]]\ncode = \"{0}\"\nname = \"{0}\"",
                fee.code
            ));
            say(format!(
                "price = {}\nevery = \"{}\"",
                fee.model.text(),
                fee.every.text()
            ));
            say(format!("align = \"{}\"", fee.align.text()));
            let lines = [
                (fee.own_anchor, "anchor = \"charge\""),
                (fee.arrears, "timing = \"arrears\""),
                (fee.whole_periods, "prorate = \"none\""),
                (fee.high_water, "high_water = true"),
                (fee.unseen_end, "anticipates_end = false"),
            ];
            for (_, line) in lines.iter().filter(|(said, _)| *said) {
                say((*line).to_string());
            }
            let spans = [("after", fee.after), ("lasts", fee.lasts)];
            for (name, span) in spans.iter().filter_map(|(n, s)| Some((n, (*s)?))) {
                say(format!("{name} = \"{}\"", span.text()));
            }
            let parts = [
                ("on_start", fee.on_start),
                ("on_change", fee.on_change),
                ("on_pause", fee.on_pause),
                ("on_end", fee.on_end),
            ];
            for (name, part) in parts.iter().filter_map(|(n, p)| Some((n, (*p)?))) {
                say(format!("{name} = \"{part}\""));
            }
        }
    }
    text
}
