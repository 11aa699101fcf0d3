//! Any history of a subscription comes to what a count day by day comes to, whenever the runs happened.
//!
//! The count knows nothing of terms, segments or credits: it remembers what was asked for, by aspect (offer, quantity, billing
//! day), and looks at every single day.

use crate::book::{Book, d};
use indelible_domain::catalog;
use indelible_domain::charges::What;
use indelible_domain::command::{
    ChangeSubscription, Effective, StartSubscription, TransferSubscription,
};
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::kernel::{Date, Days, Exact, Grid, Span};
use indelible_domain::subscriptions::{Plan, Unused};
use indelible_domain::{Command, audit};

const OFFERS: &str = r#"
[[offer]]
code = "basic"
name = "Basic"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "fee"
price = { per_unit = "29.90" }
every = "1 month"
align = "billing_day"
[[offer.recurring]]
code = "care"
name = "care"
price = { per_unit = "45.50" }
every = "3 months"
timing = "arrears"
align = "billing_day"

[[offer]]
code = "plus"
name = "Plus"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "fee"
price = { per_unit = "49.95" }
every = "1 month"
align = "billing_day"
[[offer.recurring]]
code = "care"
name = "care"
price = { per_unit = "71.00" }
every = "3 months"
timing = "arrears"
align = "billing_day"
"#;

/// Cents of fee and of care, by offer.
const PRICES: [(i128, i128); 2] = [(2990, 4550), (4995, 7100)];
const CODES: [&str; 2] = ["basic", "plus"];

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    fn below(&mut self, n: i64) -> i64 {
        i64::try_from(self.roll(n.unsigned_abs())).unwrap_or(0)
    }
}

/// One aspect of the contract: what it is from which day on.
struct Aspect<T>(Vec<(Date, T)>);

impl<T: Copy + PartialEq> Aspect<T> {
    fn on(&self, day: Date) -> T {
        let begun = self.0.iter().rev().find(|(from, _)| *from <= day);
        begun.unwrap_or(&self.0[0]).1
    }

    /// `value` from a day on, up to the next day for which something else was said.
    fn set(&mut self, from: Date, value: T) {
        self.0.retain(|(day, _)| *day != from);
        self.0.push((from, value));
        self.0.sort_by_key(|(day, _)| *day);
        self.0.dedup_by(|later, earlier| later.1 == earlier.1);
    }

    fn forget(&mut self, from: Date) {
        self.0.retain(|(day, _)| *day != from);
        self.0.dedup_by(|later, earlier| later.1 == earlier.1);
    }
}

/// What was asked for.
struct Told {
    start: Date,
    offer: Aspect<usize>,
    quantity: Aspect<i64>,
    day: Aspect<u32>,
    pauses: Vec<(usize, Date, Option<Date>)>,
    gaps: Vec<Days>,
    end: Option<Date>,
}

impl Told {
    /// What every day comes to, summed.
    fn count(&self) -> Exact {
        let end = self.end.expect("it has ended");
        let mut sum = Exact::ZERO;
        let mut day = self.start;
        while day < end {
            let paused = |(_, from, until): &(usize, Date, Option<Date>)| {
                *from <= day && until.is_none_or(|until| day < until)
            };
            let gap = self.gaps.iter().any(|g| g.contains(day));
            if !gap && !self.pauses.iter().any(paused) {
                let (fee, care) = PRICES[self.offer.on(day)];
                for (cents, months) in [(fee, 1), (care, 3)] {
                    let every = Span::months(months);
                    let grid = Grid::billing_day(self.start, self.day.on(day), every);
                    let whole = i128::from(grid.period(day).count());
                    let amount = Exact::ratio(cents * i128::from(self.quantity.on(day)), 100);
                    let share = amount.and_then(|a| a.share(1, whole)).expect("fits");
                    sum = sum.plus(share).expect("fits");
                }
            }
            day = add_days(day, 1);
        }
        sum
    }
}

struct History {
    book: Book,
    dice: Dice,
    told: Told,
    id: String,
    runs: u32,
    moves: u32,
}

impl History {
    fn new(seed: u64) -> History {
        let mut book = Book::new();
        let file = catalog::read(OFFERS).expect("the text reads");
        book.ask(Command::PublishCatalog(Box::new(file)))
            .expect("is published");
        let mut dice = Dice(seed);
        book.open("bob", |_| {});
        let start = add_days(d("2012-01-01"), dice.below(100));
        book.today = add_days(start, dice.below(40) - 10);
        let billing_day = u32::try_from(1 + dice.below(31)).unwrap_or(1);
        let ask = StartSubscription {
            subscription: "s0".into(),
            account: "alice".into(),
            offer: "basic".into(),
            quantity: 1.into(),
            from: Some(start),
            billing_day: Some(billing_day),
            overrides: Default::default(),
            trial: true,
            access: vec![],
        };
        book.ask(Command::StartSubscription(Box::new(ask)))
            .expect("starts");
        History {
            book,
            dice,
            told: Told {
                start,
                offer: Aspect(vec![(start, 0)]),
                quantity: Aspect(vec![(start, 1)]),
                day: Aspect(vec![(start, billing_day)]),
                pauses: vec![],
                gaps: vec![],
                end: None,
            },
            id: "s0".into(),
            runs: 0,
            moves: 0,
        }
    }

    fn try_it(&mut self, command: Command) -> bool {
        let done = self.book.ask(command).is_ok();
        self.moves += u32::from(done);
        done
    }

    /// A day not far from today, before or after it.
    fn about(&mut self) -> Date {
        let days = self.dice.below(50) - 25;
        add_days(self.book.today, days)
    }

    fn step(&mut self) {
        match self.dice.roll(16) {
            0..=3 => self.change(),
            4 | 5 => self.move_day(),
            6 | 7 => self.pause(),
            8 | 9 => self.resume(),
            10 | 11 => self.undo(),
            12 => self.end(),
            13 => self.reactivate(),
            14 if self.dice.roll(3) == 0 => self.transfer(),
            _ => self.run(),
        }
    }

    fn change(&mut self) {
        let from = self.about();
        let offer = usize::try_from(self.dice.roll(2)).unwrap_or(0);
        let seats = 1 + self.dice.below(4);
        let (offers, counts) = [(true, false), (false, true), (true, true)]
            [usize::try_from(self.dice.roll(3)).unwrap_or(0)];
        let change = ChangeSubscription {
            subscription: self.id.clone(),
            offer: offers.then(|| CODES[offer].to_string()),
            quantity: counts.then(|| seats.into()),
            billing_day: None,
            overrides: Default::default(),
            effective: Effective::On(from),
            unused: Unused::CreditProrata,
        };
        if self.try_it(Command::ChangeSubscription(Box::new(change))) {
            if offers {
                self.told.offer.set(from, offer);
            }
            if counts {
                self.told.quantity.set(from, seats);
            }
        }
    }

    fn move_day(&mut self) {
        let from = self.about();
        let day = u32::try_from(1 + self.dice.below(31)).unwrap_or(1);
        let subscription = self.id.clone();
        if self.try_it(Command::MoveBillingDay {
            subscription,
            day,
            effective: Effective::On(from),
        }) {
            self.told.day.set(from, day);
        }
    }

    fn pause(&mut self) {
        let (from, reason) = (
            self.about(),
            usize::try_from(self.dice.roll(2)).unwrap_or(0),
        );
        let subscription = self.id.clone();
        if self.try_it(Command::PauseSubscription {
            subscription,
            reason: reason.to_string(),
            from: Some(from),
        }) {
            self.told.pauses.push((reason, from, None));
        }
    }

    fn resume(&mut self) {
        let (on, reason) = (
            self.about(),
            usize::try_from(self.dice.roll(2)).unwrap_or(0),
        );
        let subscription = self.id.clone();
        if self.try_it(Command::ResumeSubscription {
            subscription,
            reason: reason.to_string(),
            on: Some(on),
        }) {
            for (of, from, until) in &mut self.told.pauses {
                if *of == reason && until.is_none() {
                    *until = Some(on.max(*from));
                }
            }
        }
    }

    fn undo(&mut self) {
        let sub = &self.book.tenant().tables.subscriptions[&self.id].state;
        let today = self.book.today;
        let change = sub.terms.iter().skip(1).map(|t| t.from);
        let change = change
            .filter(|from| *from > today)
            .map(|from| Plan::Change { from });
        let pause = sub.pauses.iter().filter(|p| p.from > today);
        let pause = pause.map(|p| Plan::Pause {
            reason: p.reason.clone(),
            from: p.from,
        });
        let resume = sub.pauses.iter().filter_map(|p| {
            let on = p.until.filter(|on| *on > today)?;
            Some(Plan::Resume {
                reason: p.reason.clone(),
                on,
            })
        });
        let end = sub.end.iter().filter(|e| e.on > today).map(|_| Plan::End);
        let plans: Vec<Plan> = change.chain(pause).chain(resume).chain(end).collect();
        if plans.is_empty() {
            return;
        }
        let at = usize::try_from(self.dice.roll(plans.len() as u64)).unwrap_or(0);
        let (plan, subscription) = (plans[at].clone(), self.id.clone());
        let done = self.try_it(Command::UndoPlan {
            subscription,
            plan: plan.clone(),
        });
        assert!(done, "{plan:?} lies ahead and is not undone");
        match plan {
            Plan::Change { from } => {
                self.told.offer.forget(from);
                self.told.quantity.forget(from);
                self.told.day.forget(from);
            }
            Plan::End => self.told.end = None,
            Plan::Pause { reason, from } => self
                .told
                .pauses
                .retain(|(of, begun, _)| (of.to_string(), *begun) != (reason.clone(), from)),
            Plan::Resume { reason, on } => {
                for (of, _, until) in &mut self.told.pauses {
                    if of.to_string() == reason && *until == Some(on) {
                        *until = None;
                    }
                }
            }
        }
    }

    fn end(&mut self) {
        let on = self.about();
        let subscription = self.id.clone();
        if self.try_it(Command::TerminateSubscription {
            subscription,
            effective: Effective::On(on),
            unused: Unused::CreditProrata,
        }) {
            self.told.end = Some(on);
        }
    }

    fn reactivate(&mut self) {
        let subscription = self.id.clone();
        let (today, end) = (self.book.today, self.told.end);
        if self.try_it(Command::ReactivateSubscription {
            subscription,
            on: None,
        }) {
            let end = end.expect("it had an end");
            self.told.end = None;
            self.told.gaps.push(Days::new(end, today.max(end)));
        }
    }

    fn transfer(&mut self) {
        let to = format!("s{}", self.moves + 1);
        let sub = &self.book.tenant().tables.subscriptions[&self.id].state;
        // What is changed back before the hand-over is not the new one's: there the histories would part.
        let account = match sub.account.as_str() {
            "alice" => "bob",
            _ => "alice",
        };
        let done = self.book.today > self.told.start
            && self.told.end.is_none()
            && self.try_it(Command::TransferSubscription(Box::new(
                TransferSubscription {
                    subscription: self.id.clone(),
                    to: to.clone(),
                    account: account.into(),
                    effective: Effective::Immediate,
                    unused: Unused::CreditProrata,
                },
            )));
        if done {
            self.id = to;
        }
    }

    fn run(&mut self) {
        self.runs += 1;
        let run = format!("run{}", self.runs);
        self.book
            .ask(Command::StartBillRun {
                run: run.clone(),
                as_of: None,
                accounts: vec![],
                draft: false,
            })
            .expect("the run starts");
        let step = Command::StepBillRun { run: run.clone() };
        while self.book.ask(step.clone()).expect("the run steps").left > 0 {}
        let failed = &self.book.tenant().tables.runs[&run].state.failed;
        assert!(failed.is_empty(), "{failed:?}");
    }

    /// Everything billed of it, under all of its ids, and how many lines that are.
    fn billed(&self) -> (Exact, i128) {
        let charges = self.book.tenant().tables.charges.values();
        let items = charges.flat_map(|c| &c.state.items);
        let fees = items.filter(|i| matches!(i.what, What::Recurring { .. } | What::Credit { .. }));
        fees.fold((Exact::ZERO, 0), |(sum, lines), item| {
            (sum.plus(item.net.exact()).expect("fits"), lines + 1)
        })
    }
}

#[test]
fn any_life_costs_what_its_days_cost_whenever_it_was_billed() {
    let seeds: u64 = std::env::var("INDELIBLE_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(60);
    let (mut moves, mut lines_seen) = (0, 0);
    for seed in 0..seeds {
        let mut history = History::new(seed);
        for _ in 0..40 {
            history.step();
            let days = history.dice.below(12);
            history.book.days_later(days);
        }
        if history.told.end.is_none() {
            let on = history.book.today.max(history.told.start);
            let subscription = history.id.clone();
            history.book.today = on;
            history
                .book
                .ask(Command::TerminateSubscription {
                    subscription,
                    effective: Effective::On(on),
                    unused: Unused::CreditProrata,
                })
                .expect("ends");
            history.told.end = Some(on);
        }
        history.book.days_later(130);
        history.run();
        let (billed, lines) = history.billed();
        let before = history.runs;
        history.run();
        assert_eq!(
            history.billed().1,
            lines,
            "seed {seed}: run {before} left something"
        );
        let counted = history.told.count();
        let off = billed.minus(counted).expect("fits");
        let off = if off.is_negative() {
            off.negated()
        } else {
            off
        };
        let half_a_cent_a_line = Exact::ratio(lines * 5, 1000).expect("fits");
        assert!(
            off <= half_a_cent_a_line,
            "seed {seed}: billed {billed}, day by day it is {counted} ({lines} lines)"
        );
        assert_eq!(audit::audit(history.book.tenant()), Vec::<String>::new());
        moves += history.moves;
        lines_seen += lines;
    }
    assert!(
        u64::from(moves) > seeds * 10 && lines_seen > i128::from(seeds) * 10,
        "the histories were too tame: {moves} moves, {lines_seen} lines"
    );
}
