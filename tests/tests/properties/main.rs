//! Random histories: whatever happened, in whatever order, the books hold.
//!
//! Every failure prints its seed; `INDELIBLE_SEED=n` runs one alone.

mod cash;

use indelible_domain::accounts::AccountTerms;
use indelible_domain::audit::audit;
use indelible_domain::charges::What;
use indelible_domain::command::{ChangeSubscription, Effective, RecordPayment, StartSubscription};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::calendar::{add_days, parse_date};
use indelible_domain::kernel::{Date, Decimal, Exact, Instant, Money, Zone};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::subscriptions::Unused;
use indelible_domain::{Command, catalog};
use indelible_store::ledger::BillRunRequest;
use indelible_store::{Ledger, MemoryStore, Request};
use std::collections::BTreeMap;
use std::sync::Arc;

const CATALOG: &str = r#"
[[offer]]
code = "basic"
name = "Basic"
currency = "EUR"
trial = "10 days"
[[offer.recurring]]
code = "fee"
name = "fee"
price = { flat = "19.99" }
every = "1 month"
align = "billing_day"
[[offer.usage]]
code = "calls"
name = "calls"
metric = "call"
unit = "minute"
per = "60"
allowance = "20"
every = "1 month"
align = "billing_day"
price = { graduated = [ { up_to = "50", unit = "0.0713", flat = "0" }, { unit = "0.0311" } ] }

[[offer]]
code = "plus"
name = "Plus"
currency = "EUR"
[[offer.one_off]]
code = "setup"
name = "setup"
amount = "9.90"
on = "activation"
[[offer.recurring]]
code = "fee"
name = "fee"
price = { per_unit = "33.33" }
every = "1 month"
align = "billing_day"
timing = "arrears"
[[offer.usage]]
code = "calls"
name = "calls"
metric = "call"
unit = "call"
aggregate = "count"
every = "1 month"
align = "billing_day"
price = { per_unit = "0.11" }
"#;

/// SplitMix64: small, and the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.draw() % n
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

struct History {
    ledger: Ledger,
    random: Random,
    today: Date,
    runs: u32,
    records: u64,
    payments: u32,
    subscriptions: Vec<String>,
}

impl History {
    fn new(seed: u64) -> History {
        let ledger = Ledger::open(Arc::new(MemoryStore::new())).expect("an empty log opens");
        let today = parse_date("2026-01-01").expect("date");
        let mut history = History {
            ledger,
            random: Random(seed),
            today,
            runs: 0,
            records: 0,
            payments: 0,
            subscriptions: vec![],
        };
        let entity = EntityTerms {
            name: "Prop".into(),
            country: "DE".into(),
            currency: "EUR".parse().expect("EUR"),
            payment_days: 14,
            ..EntityTerms::default()
        };
        history.must(Command::OpenEntity {
            entity: "main".into(),
            terms: entity,
        });
        history.must(Command::SetTaxRate(indelible_domain::taxes::Rate {
            name: "VAT".into(),
            category: "*".into(),
            class: "*".into(),
            seller: "DE".into(),
            buyer: "*".into(),
            rate: "0.19".parse().expect("rate"),
            from: parse_date("2000-01-01").expect("date"),
            parts: vec![],
        }));
        history.must(Command::ApplyCatalog {
            offers: catalog::parse(CATALOG).expect("catalog"),
        });
        for (i, day) in [1, 31, 15].into_iter().enumerate() {
            let terms = AccountTerms {
                entity: "main".into(),
                currency: "EUR".parse().expect("EUR"),
                billing_day: Some(day),
                payer: (i == 2).then(|| "a0".to_string()),
                ..AccountTerms::default()
            };
            history.must(Command::OpenAccount {
                account: format!("a{i}"),
                terms,
            });
        }
        history
    }

    fn now(&self) -> Instant {
        Zone::default().start_of(self.today)
    }

    fn try_it(&mut self, command: Command) -> bool {
        self.ledger
            .execute(Request::new("t", "test", self.now(), command))
            .is_ok()
    }

    fn must(&mut self, command: Command) {
        let request = Request::new("t", "test", self.now(), command.clone());
        if let Err(refused) = self.ledger.execute(request) {
            panic!("{command:?} was refused: {}", refused.message());
        }
    }

    /// One random thing that a customer, an operator or a meter does.
    fn step(&mut self) {
        let known = self.subscriptions.len() as u64;
        let pick = |r: &mut Random, subs: &[String]| {
            subs[usize::try_from(r.below(known.max(1))).unwrap_or(0)].clone()
        };
        match self.random.below(10) {
            0 | 1 if known < 6 => {
                let subscription = format!("s{known}");
                let start = StartSubscription {
                    subscription: subscription.clone(),
                    account: format!("a{}", self.random.below(3)),
                    offer: ["basic", "plus"][usize::try_from(self.random.below(2)).unwrap_or(0)]
                        .into(),
                    quantity: Decimal::from(1 + i64::try_from(self.random.below(3)).unwrap_or(0)),
                    from: self.random.chance(30).then(|| add_days(self.today, -5)),
                    billing_day: None,
                    overrides: BTreeMap::new(),
                    trial: true,
                    access: vec![],
                };
                self.must(Command::StartSubscription(Box::new(start)));
                self.subscriptions.push(subscription);
            }
            2 | 3 if known > 0 => {
                let change = ChangeSubscription {
                    subscription: pick(&mut self.random, &self.subscriptions),
                    offer: Some(
                        ["basic", "plus"][usize::try_from(self.random.below(2)).unwrap_or(0)]
                            .into(),
                    ),
                    quantity: self.random.chance(50).then(|| Decimal::from(2)),
                    billing_day: self.random.chance(20).then_some(7),
                    overrides: BTreeMap::new(),
                    effective: if self.random.chance(30) {
                        Effective::EndOfPeriod
                    } else {
                        Effective::Immediate
                    },
                    unused: Unused::CreditProrata,
                };
                self.try_it(Command::ChangeSubscription(Box::new(change)));
            }
            4 if known > 0 => {
                let subscription = pick(&mut self.random, &self.subscriptions);
                let from = self.random.chance(30).then(|| add_days(self.today, -3));
                self.try_it(Command::PauseSubscription {
                    subscription,
                    reason: "holiday".into(),
                    from,
                });
            }
            5 if known > 0 => {
                let subscription = pick(&mut self.random, &self.subscriptions);
                self.try_it(Command::ResumeSubscription {
                    subscription,
                    reason: "holiday".into(),
                    on: None,
                });
            }
            6 | 7 if known > 0 => {
                let subscription = pick(&mut self.random, &self.subscriptions);
                self.ingest(&subscription);
            }
            8 => {
                self.payments += 1;
                let payment = RecordPayment {
                    payment: format!("p{}", self.payments),
                    account: format!("a{}", self.random.below(2)),
                    amount: Money::new(
                        i128::from(500 + self.random.below(4000)),
                        "EUR".parse().expect("EUR"),
                    ),
                    invoice: None,
                    method: "transfer".into(),
                    pending: false,
                };
                self.must(Command::RecordPayment(payment));
            }
            _ => self.bill(),
        }
    }

    fn ingest(&mut self, subscription: &str) {
        let lines = (0..=self.random.below(4))
            .map(|i| {
                self.records += 1;
                let mut key = [0_u8; 16];
                key[..8].copy_from_slice(&self.records.to_be_bytes());
                let at = Zone::default().start_of(add_days(
                    self.today,
                    -i64::try_from(self.random.below(20)).unwrap_or(0),
                ));
                Received::Record(UsageRecord {
                    line: i + 1,
                    key,
                    content: key,
                    corrects: false,
                    metric: "call".into(),
                    access: format!("subscription:{subscription}"),
                    at,
                    quantity: Decimal::from(i64::try_from(self.random.below(900)).unwrap_or(0)),
                    amount: None,
                    attributes: BTreeMap::new(),
                    raw: None,
                })
            })
            .collect();
        let batch = format!("b{}", self.records);
        self.must(Command::IngestUsage(Box::new(Intake {
            batch,
            source: "test".into(),
            format: "api".into(),
            name: "test".into(),
            lines,
        })));
    }

    fn bill(&mut self) {
        let documents = |h: &History| h.ledger.read("t", |t| t.tables.invoices.len());
        self.run();
        let after = documents(self);
        self.run();
        assert_eq!(
            documents(self),
            after,
            "a second run over the same day found something to bill on {}",
            self.today
        );
        self.check();
    }

    fn run(&mut self) {
        self.runs += 1;
        let ask = BillRunRequest {
            tenant: "t".into(),
            run: format!("run{}", self.runs),
            as_of: None,
            accounts: vec![],
            draft: false,
            command_id: None,
            input_hash: [0; 32],
            actor: "test".into(),
            correlation: String::new(),
            now: self.now(),
        };
        let report = self.ledger.run_bill(&ask, &mut |_, _| {}).expect("bills");
        assert!(report.run.failed.is_empty(), "{:?}", report.run.failed);
    }

    fn check(&self) {
        assert_eq!(self.ledger.read("t", audit), Vec::<String>::new());
        let state = self.ledger.verify_state().expect("the log reads");
        assert!(
            state.differing.is_empty(),
            "replayed state differs: {:?}",
            state.differing
        );
    }

    /// What the fees of one subscription must sum to, day by day, by an independent count.
    fn oracle(&self, subscription: &str) -> (Exact, u64) {
        self.ledger.read("t", |tenant| {
            let sub = &tenant.tables.subscriptions[subscription].state;
            let start = sub.start().expect("started");
            let mut sum = Exact::ZERO;
            let mut day = start;
            while day < sub.end_date() {
                let term = sub
                    .terms
                    .iter()
                    .rev()
                    .find(|t| t.from <= day)
                    .expect("a term");
                let trial_over = term
                    .offer
                    .trial
                    .is_none_or(|t| day >= add_days(start, i64::from(t.days)));
                let paused = sub
                    .pauses
                    .iter()
                    .any(|p| p.from <= day && p.until.is_none_or(|u| day < u));
                if trial_over && !paused {
                    let price = match &term.offer.recurring[0].price {
                        catalog::Price::PerUnit(unit) => Exact::from(*unit)
                            .times(term.quantity.into())
                            .expect("fits"),
                        catalog::Price::Flat(amount) => Exact::from(*amount),
                        other => panic!("unexpected price {other:?}"),
                    };
                    sum = sum
                        .plus(
                            price
                                .share(1, i128::from(month_length(day, term.billing_day)))
                                .expect("fits"),
                        )
                        .expect("fits");
                }
                day = add_days(day, 1);
            }
            let lines = tenant
                .tables
                .charges
                .get(subscription)
                .map_or(0, |c| c.state.items.len() as u64);
            (sum, lines)
        })
    }

    fn billed_fees(&self, subscription: &str) -> Exact {
        self.ledger.read("t", |tenant| {
            let items = tenant
                .tables
                .charges
                .get(subscription)
                .map(|c| c.state.items.clone())
                .unwrap_or_default();
            items
                .iter()
                .filter(|i| matches!(&i.what, What::Recurring { .. } | What::Credit { .. }))
                .fold(Exact::ZERO, |sum, i| sum.plus(i.net.exact()).expect("fits"))
        })
    }
}

/// Days of the billing month (from one billing day to the next, clamped to short months) that contains `day`.
fn month_length(day: Date, billing_day: u32) -> i64 {
    use chrono::Datelike;
    let clamp = |year: i32, month: u32| {
        (1..=billing_day)
            .rev()
            .find_map(|d| Date::from_ymd_opt(year, month, d))
            .expect("every month has a first day")
    };
    let (year, month) = (day.year(), day.month());
    let next = |y: i32, m: u32| if m == 12 { (y + 1, 1) } else { (y, m + 1) };
    let last = |y: i32, m: u32| if m == 1 { (y - 1, 12) } else { (y, m - 1) };
    let here = clamp(year, month);
    let (from, until) = if here <= day {
        let (y, m) = next(year, month);
        (here, clamp(y, m))
    } else {
        let (y, m) = last(year, month);
        (clamp(y, m), here)
    };
    (until - from).num_days()
}

fn seeds() -> Vec<u64> {
    match std::env::var("INDELIBLE_SEED") {
        Ok(seed) => vec![seed.parse().expect("INDELIBLE_SEED is a number")],
        Err(_) => (1..=40).collect(),
    }
}

#[test]
fn random_histories_keep_every_sum_and_bill_every_day_once() {
    let (mut fees, mut credits, mut usage) = (0, 0, 0);
    for seed in seeds() {
        println!("seed {seed}");
        let mut history = History::new(seed);
        for _ in 0..80 {
            history.step();
            let days = i64::try_from(history.random.below(12)).unwrap_or(0);
            history.today = add_days(history.today, days);
        }
        for subscription in history.subscriptions.clone() {
            history.try_it(Command::ResumeSubscription {
                subscription: subscription.clone(),
                reason: "holiday".into(),
                on: None,
            });
            let effective = Effective::Immediate;
            history.try_it(Command::TerminateSubscription {
                subscription,
                effective,
                unused: Unused::CreditProrata,
            });
        }
        history.today = add_days(history.today, 1);
        history.bill();
        history.ledger.read("t", |tenant| {
            for item in tenant.tables.charges.values().flat_map(|c| &c.state.items) {
                match &item.what {
                    What::Recurring { .. } => fees += 1,
                    What::Credit { .. } => credits += 1,
                    What::Usage { .. } => usage += 1,
                    _ => {}
                }
            }
        });
        for subscription in history.subscriptions.clone() {
            let (expected, lines) = history.oracle(&subscription);
            let billed = history.billed_fees(&subscription);
            let off = billed.minus(expected).expect("fits");
            let off = if off.is_negative() {
                off.negated()
            } else {
                off
            };
            let half_a_cent_a_line = Exact::ratio(i128::from(lines) * 5, 1000).expect("fits");
            assert!(
                off <= half_a_cent_a_line,
                "seed {seed}: {subscription} was billed {billed}, day by day it is {expected} ({lines} lines)"
            );
        }
    }
    println!("{fees} fees, {credits} credits, {usage} usage lines");
    let alone = std::env::var("INDELIBLE_SEED").is_ok();
    assert!(
        alone || (fees > 500 && credits > 50 && usage > 100),
        "the histories were too tame to show anything"
    );
}
