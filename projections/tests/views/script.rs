//! A little business, commanded through the ledger, that touches every read model.

use std::sync::Arc;

use indelible_domain::Command;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::catalog::{Offer, Pay, Price, Recurring, Share, Usage};
use indelible_domain::command::{
    ChangeSubscription, DunningAction, DunningLevel, Effective, FailureKind, RecordPayment,
    StartSubscription,
};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Date, Decimal, Instant, Money, Zone};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::subscriptions::Unused;
use indelible_store::ledger::BillRunRequest;
use indelible_store::{EventStore, Ledger, MemoryStore, Request};

pub const TENANT: &str = "t";

pub fn day(text: &str) -> Date {
    text.parse().expect("a date")
}

pub fn eur(text: &str) -> Money {
    format!("{text} EUR").parse().expect("an amount")
}

/// Noon, so that the day is the same in every zone used here.
pub fn noon(date: &str) -> Instant {
    format!("{date}T12:00:00Z").parse().expect("an instant")
}

pub struct Business {
    pub ledger: Ledger,
}

impl Business {
    pub fn new() -> Business {
        Business::over(Arc::new(MemoryStore::new()))
    }

    pub fn over(store: Arc<dyn EventStore>) -> Business {
        let ledger = Ledger::open(store).expect("the log replays");
        Business { ledger }
    }

    pub fn on(&self, date: &str, command: Command) {
        let request = Request::new(TENANT, "test", noon(date), command);
        self.ledger.execute(request).expect("accepted");
    }

    /// An entity and two offers: a monthly one with three tiers of quantity, and a yearly one with a trial.
    pub fn open(&self) {
        self.on(
            "2026-01-01",
            Command::OpenEntity {
                entity: "acme".into(),
                terms: EntityTerms {
                    name: "Acme".into(),
                    ..EntityTerms::default()
                },
            },
        );
        let monthly = offer("seats", Price::PerUnit(decimal("10")), "1 month");
        let mut yearly = offer("yearly", Price::Flat(decimal("149.95")), "1 year");
        yearly.trial = Some("14 days".parse().expect("a span"));
        for fee in &mut yearly.recurring {
            fee.shares = vec![Share {
                party: "partner".into(),
                percent: Some(decimal("30")),
                fixed: None,
            }];
        }
        let offers = vec![monthly, yearly];
        self.on("2026-01-01", Command::ApplyCatalog { offers });
    }

    pub fn account(&self, id: &str, date: &str) {
        self.account_on(id, date, None);
    }

    fn account_on(&self, id: &str, date: &str, policy: Option<&str>) {
        let terms = AccountTerms {
            entity: "acme".into(),
            currency: "EUR".parse().expect("a currency"),
            zone: Zone::default(),
            payment_days: Some(14),
            dunning_policy: policy.map(str::to_string),
            ..AccountTerms::default()
        };
        let account = id.into();
        self.on(date, Command::OpenAccount { account, terms });
    }

    pub fn start(&self, account: &str, offer: &str, quantity: &str, from: &str) {
        self.on(
            from,
            Command::StartSubscription(Box::new(StartSubscription {
                subscription: format!("{account}.{offer}"),
                account: account.into(),
                offer: offer.into(),
                quantity: decimal(quantity),
                from: Some(day(from)),
                billing_day: None,
                overrides: Default::default(),
                trial: true,
                access: vec![],
            })),
        );
    }

    pub fn quantity(&self, subscription: &str, quantity: &str, on: &str) {
        self.on(
            on,
            Command::ChangeSubscription(Box::new(ChangeSubscription {
                subscription: subscription.into(),
                offer: None,
                quantity: Some(decimal(quantity)),
                billing_day: None,
                overrides: Default::default(),
                effective: Effective::On(day(on)),
                unused: Unused::CreditProrata,
            })),
        );
    }

    pub fn pause(&self, subscription: &str, from: &str) {
        let (subscription, reason) = (subscription.into(), "asked".into());
        let from_day = Some(day(from));
        self.on(
            from,
            Command::PauseSubscription {
                subscription,
                reason,
                from: from_day,
            },
        );
    }

    pub fn resume(&self, subscription: &str, on: &str) {
        let (subscription, reason) = (subscription.into(), "asked".into());
        let on_day = Some(day(on));
        self.on(
            on,
            Command::ResumeSubscription {
                subscription,
                reason,
                on: on_day,
            },
        );
    }

    pub fn terminate(&self, subscription: &str, on: &str) {
        self.on(
            on,
            Command::TerminateSubscription {
                subscription: subscription.into(),
                effective: Effective::On(day(on)),
                unused: Unused::CreditProrata,
            },
        );
    }

    pub fn bill(&self, date: &str) {
        let ask = BillRunRequest {
            tenant: TENANT.into(),
            run: format!("run-{date}"),
            as_of: Some(day(date)),
            accounts: vec![],
            draft: false,
            command_id: None,
            input_hash: [0; 32],
            actor: "test".into(),
            correlation: String::new(),
            now: noon(date),
        };
        self.ledger.run_bill(&ask, &mut |_, _| {}).expect("billed");
    }

    pub fn pay(&self, payment: &str, account: &str, amount: Money, date: &str) {
        self.payment(payment, account, amount, date, false);
    }

    pub fn payment(&self, payment: &str, account: &str, amount: Money, date: &str, pending: bool) {
        self.on(
            date,
            Command::RecordPayment(RecordPayment {
                payment: payment.into(),
                account: account.into(),
                amount,
                invoice: None,
                method: "transfer".into(),
                pending,
            }),
        );
    }

    /// A prepaid account whose wallet pays for its calls, and a batch with a line of every fate.
    pub fn calls(&self) {
        let mut prepaid = offer("prepaid", Price::Flat(Decimal::ZERO), "1 month");
        prepaid.usage = vec![Usage {
            code: "calls".into(),
            name: "Calls".into(),
            metric: "calls".into(),
            unit: "min".into(),
            price: Price::PerUnit(decimal("0.50")),
            every: "1 month".parse().expect("a span"),
            pay: Pay::Wallet,
            ..Usage::default()
        }];
        let offers = vec![prepaid];
        self.on("2026-06-01", Command::ApplyCatalog { offers });
        self.account("dora", "2026-06-01");
        self.start("dora", "prepaid", "1", "2026-06-01");
        self.on(
            "2026-06-01",
            Command::OpenWallet {
                wallet: "dora.w".into(),
                account: "dora".into(),
                priority: 1,
            },
        );
        self.on(
            "2026-06-01",
            Command::TopUpWallet {
                wallet: "dora.w".into(),
                grant: "g-1".into(),
                amount: eur("5"),
                expires: None,
            },
        );
        let known = "subscription:dora.prepaid";
        self.ingest(
            "b-1",
            vec![
                record(1, 1, 1, known, "4"),
                record(2, 1, 1, known, "4"),
                record(3, 1, 2, known, "5"),
                record(4, 2, 1, "nobody", "1"),
                record(5, 3, 1, known, "100"),
                Received::Unreadable {
                    line: 6,
                    code: "NUMBER_INVALID".into(),
                    reason: "the quantity is no number".into(),
                },
            ],
        );
        self.ingest("b-2", vec![record(1, 4, 1, known, "6")]);
    }

    pub fn ingest(&self, batch: &str, lines: Vec<Received>) {
        let intake = Intake {
            batch: batch.into(),
            source: "switch".into(),
            format: "records".into(),
            name: format!("{batch}.csv"),
            lines,
        };
        self.on("2026-06-10", Command::IngestUsage(Box::new(intake)));
    }

    /// Alice does not pay April's invoice: reminder, fee, suspension, recovery.
    pub fn dunning(&self) {
        let level = |name: &str, after_days, actions| DunningLevel {
            name: name.into(),
            after_days,
            minimum: None,
            actions,
        };
        self.on(
            "2026-06-12",
            Command::SetDunningPolicy {
                policy: "strict".into(),
                levels: vec![
                    level("first", 3, vec![DunningAction::Remind]),
                    level(
                        "second",
                        10,
                        vec![DunningAction::Fee(decimal("4.50")), DunningAction::Suspend],
                    ),
                ],
            },
        );
        self.account_on("erin", "2026-06-12", Some("strict"));
        self.start("erin", "seats", "1", "2026-06-12");
        self.bill("2026-06-12");
        let dun = |date| {
            let account = "erin".into();
            self.on(date, Command::DunAccount { account });
        };
        dun("2026-06-30");
        dun("2026-07-06");
        self.pay("p-4", "erin", eur("10"), "2026-07-08");
    }

    /// Half a year with upgrades, a pause, a loss, a return, payments of every fate.
    pub fn half_a_year(&self) {
        self.open();
        for account in ["alice", "bob", "carol"] {
            self.account(account, "2026-01-01");
        }
        self.start("alice", "seats", "3", "2026-01-01");
        self.start("bob", "yearly", "1", "2026-01-10");
        self.bill("2026-01-31");
        self.pay("p-1", "alice", eur("30"), "2026-02-01");
        self.quantity("alice.seats", "5", "2026-02-10");
        self.start("carol", "seats", "1", "2026-02-15");
        self.bill("2026-02-28");
        self.payment("p-2", "alice", eur("100"), "2026-03-05", true);
        let payment = "p-2".to_string();
        self.on("2026-03-06", Command::SettlePayment { payment });
        self.pause("carol.seats", "2026-03-15");
        self.payment("p-3", "carol", eur("10"), "2026-03-16", true);
        self.on(
            "2026-03-17",
            Command::FailPayment {
                payment: "p-3".into(),
                kind: FailureKind::Soft,
                reason: "insufficient funds".into(),
            },
        );
        self.bill("2026-03-31");
        self.quantity("alice.seats", "2", "2026-04-10");
        self.resume("carol.seats", "2026-05-01");
        self.terminate("bob.yearly", "2026-05-10");
        self.bill("2026-05-31");
        self.on(
            "2026-06-01",
            Command::RefundPayment {
                payment: "p-1".into(),
                amount: Some(eur("12.50")),
                reason: "goodwill".into(),
            },
        );
        self.calls();
        self.dunning();
    }
}

/// A call with a key and a content told apart by one number each.
fn record(line: u64, key: u8, content: u8, access: &str, minutes: &str) -> Received {
    Received::Record(UsageRecord {
        line,
        key: [key; 16],
        content: [content; 16],
        corrects: false,
        metric: "calls".into(),
        access: access.into(),
        at: noon("2026-06-05"),
        quantity: decimal(minutes),
        amount: None,
        attributes: Default::default(),
        raw: None,
    })
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn offer(code: &str, price: Price, every: &str) -> Offer {
    let fee = Recurring {
        code: format!("{code}-fee"),
        name: "Fee".into(),
        price,
        every: every.parse().expect("a span"),
        ..Recurring::default()
    };
    Offer {
        code: code.into(),
        name: code.into(),
        currency: "EUR".parse().expect("a currency"),
        recurring: vec![fee],
        ..Offer::default()
    }
}
