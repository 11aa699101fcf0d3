//! Billing end to end in the domain: commands in, lines of documents out.

use indelible_domain::accounts::AccountTerms;
use indelible_domain::catalog::{Align, Anchor, Offer, Price, Prorate, Recurring, Timing};
use indelible_domain::command::{ChangeSubscription, Effective, StartSubscription};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::calendar::parse_date;
use indelible_domain::kernel::{Date, Rejection, Span, Zone};
use indelible_domain::subscriptions::Unused;
use indelible_domain::{Command, Event, Outcome, Session, World, operations};
use std::collections::BTreeMap;

struct Book {
    world: World,
    today: Date,
    runs: u32,
    documents: Vec<Vec<String>>,
}

fn d(text: &str) -> Date {
    parse_date(text).expect("date")
}

impl Book {
    fn new(offers: Vec<Offer>) -> Book {
        let mut book = Book {
            world: World::default(),
            today: d("2012-01-01"),
            runs: 0,
            documents: vec![],
        };
        let terms = EntityTerms {
            name: "Arms".into(),
            country: "US".into(),
            currency: "USD".parse().expect("USD"),
            ..EntityTerms::default()
        };
        book.ask(Command::OpenEntity {
            entity: "arms".into(),
            terms,
        })
        .expect("entity");
        book.ask(Command::ApplyCatalog { offers }).expect("catalog");
        book
    }

    fn on(&mut self, date: &str) -> &mut Book {
        self.today = d(date);
        self
    }

    fn ask(&mut self, command: Command) -> Result<Outcome, Rejection> {
        let now = Zone::default().start_of(self.today);
        let mut session = Session::new(self.world.tenant("t"), now);
        let outcome = operations::execute(&mut session, command)?;
        let (tables, events) = session.finish();
        for staged in &events {
            if let Event::Invoice(indelible_domain::invoices::Event::Finalised(e)) = &staged.event {
                let lines = e.document.lines.iter().map(|l| match l.what.days() {
                    Some(days) => format!("{days} {}", l.net.amount()),
                    None => l.net.amount(),
                });
                self.documents.push(lines.collect());
            }
        }
        self.world.absorb("t", tables, &events);
        assert_eq!(
            indelible_domain::audit::audit(self.world.tenant("t")),
            Vec::<String>::new()
        );
        Ok(outcome)
    }

    fn account(&mut self, billing_day: u32) {
        let terms = AccountTerms {
            entity: "arms".into(),
            currency: "USD".parse().expect("USD"),
            billing_day: Some(billing_day),
            ..AccountTerms::default()
        };
        self.ask(Command::OpenAccount {
            account: "alice".into(),
            terms,
        })
        .expect("account");
    }

    fn subscribe(&mut self, offer: &str) {
        let start = StartSubscription {
            subscription: "s1".into(),
            account: "alice".into(),
            offer: offer.into(),
            quantity: 1.into(),
            from: None,
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: true,
            access: vec![],
        };
        self.ask(Command::StartSubscription(Box::new(start)))
            .expect("starts");
    }

    fn change(&mut self, offer: &str) {
        let change = ChangeSubscription {
            subscription: "s1".into(),
            offer: Some(offer.into()),
            quantity: None,
            billing_day: None,
            overrides: BTreeMap::new(),
            effective: Effective::Immediate,
            unused: Unused::CreditProrata,
        };
        self.ask(Command::ChangeSubscription(Box::new(change)))
            .expect("changes");
    }

    /// Runs billing as of today and answers with the lines of what came of it.
    fn bill(&mut self) -> Vec<String> {
        self.runs += 1;
        let run = format!("run{}", self.runs);
        let before = self.documents.len();
        self.ask(Command::StartBillRun {
            run: run.clone(),
            as_of: Some(self.today),
            accounts: vec![],
            draft: false,
        })
        .expect("run starts");
        while self
            .ask(Command::StepBillRun { run: run.clone() })
            .expect("run steps")
            .left
            > 0
        {}
        self.documents[before..].concat()
    }
}

fn offer(code: &str, price: &str, every: Span, trial: Option<Span>) -> Offer {
    Offer {
        code: code.into(),
        name: code.into(),
        currency: "USD".parse().expect("USD"),
        trial,
        recurring: vec![Recurring {
            code: "fee".into(),
            name: "fee".into(),
            price: Price::Flat(price.parse().expect("price")),
            every,
            timing: Timing::Advance,
            align: Align::BillingDay,
            anchor: Anchor::Subscription,
            prorate: Prorate::Day,
            ..Recurring::default()
        }],
        ..Offer::default()
    }
}

fn arms() -> Vec<Offer> {
    let trial = Some(Span::days(30));
    vec![
        offer("shotgun-monthly", "249.95", Span::months(1), trial),
        offer("shotgun-annual", "2399.95", Span::months(12), trial),
    ]
}

#[test]
fn an_upgrade_bills_the_new_plan_as_a_stub_and_gives_back_the_unused_days() {
    let mut book = Book::new(arms());
    book.on("2012-04-01").account(1);
    book.subscribe("shotgun-monthly");
    assert!(book.bill().is_empty(), "nothing is due in the trial");
    assert_eq!(
        book.on("2012-05-01").bill(),
        ["[2012-05-01, 2012-06-01) 249.95"]
    );
    book.on("2012-05-12").change("shotgun-annual");
    assert_eq!(
        book.bill(),
        [
            "[2012-05-12, 2012-06-01) -161.26",
            "[2012-05-12, 2013-05-01) 2327.62"
        ]
    );
    assert!(book.bill().is_empty(), "a second run finds nothing");
}

#[test]
fn a_pause_gives_back_its_days_and_a_resume_bills_from_its_day() {
    let mut book = Book::new(arms());
    book.on("2012-02-01").account(2);
    book.subscribe("shotgun-monthly");
    assert_eq!(
        book.on("2012-03-02").bill(),
        ["[2012-03-02, 2012-04-02) 249.95"]
    );
    book.on("2012-03-04")
        .ask(Command::PauseSubscription {
            subscription: "s1".into(),
            reason: "asked".into(),
            from: None,
        })
        .expect("pauses");
    assert_eq!(book.bill(), ["[2012-03-04, 2012-04-02) -233.82"]);
    assert!(book.on("2012-04-02").bill().is_empty());
    book.on("2012-04-05")
        .ask(Command::ResumeSubscription {
            subscription: "s1".into(),
            reason: "asked".into(),
            on: None,
        })
        .expect("resumes");
    assert_eq!(book.bill(), ["[2012-04-05, 2012-05-02) 224.96"]);
    assert_eq!(
        book.on("2012-05-02").bill(),
        ["[2012-05-02, 2012-06-02) 249.95"]
    );
}

#[test]
fn a_void_invoice_releases_its_period_to_the_next_run() {
    let mut book = Book::new(arms());
    book.on("2015-05-15").account(14);
    book.subscribe("shotgun-monthly");
    assert_eq!(
        book.on("2015-06-14").bill(),
        ["[2015-06-14, 2015-07-14) 249.95"]
    );
    let invoice = book.world.tenant("t").index.invoices_of["alice"][0].clone();
    book.ask(Command::VoidInvoice {
        invoice,
        reason: "wrong address".into(),
    })
    .expect("voids");
    assert_eq!(
        book.on("2015-07-15").bill(),
        [
            "[2015-06-14, 2015-07-14) 249.95",
            "[2015-07-14, 2015-08-14) 249.95"
        ]
    );
}

fn void(book: &mut Book, invoice: &str) -> Result<Outcome, Rejection> {
    book.ask(Command::VoidInvoice {
        invoice: invoice.into(),
        reason: "wrong".into(),
    })
}

/// Billed on the 2nd, paused on the 4th, given back, and resumed the same day: three documents hold the days in turn.
fn paused_and_resumed() -> Book {
    let mut book = Book::new(arms());
    book.on("2012-02-01").account(2);
    book.subscribe("shotgun-monthly");
    book.on("2012-03-02").bill();
    let asked = || ("s1".to_string(), "asked".to_string());
    let (subscription, reason) = asked();
    book.on("2012-03-04")
        .ask(Command::PauseSubscription {
            subscription,
            reason,
            from: None,
        })
        .expect("pauses");
    assert_eq!(book.bill(), ["[2012-03-04, 2012-04-02) -233.82"]);
    let (subscription, reason) = asked();
    book.ask(Command::ResumeSubscription {
        subscription,
        reason,
        on: None,
    })
    .expect("resumes");
    assert_eq!(book.bill(), ["[2012-03-04, 2012-04-02) 233.82"]);
    book
}

#[test]
fn a_document_that_gave_days_back_is_not_void_while_a_later_one_bills_them() {
    let mut book = paused_and_resumed();
    let refused = void(&mut book, "run2.alice").expect_err("its days would be billed twice");
    assert_eq!(refused.code, "DAYS_BILLED_AGAIN");
    assert!(refused.message.contains("run3.alice"), "{refused:?}");
    // Latest first, each can go, and then the first line holds its days again.
    void(&mut book, "run3.alice").expect("voids");
    void(&mut book, "run2.alice").expect("voids");
    assert!(book.bill().is_empty(), "the first document bills the days");
}

#[test]
fn a_document_is_not_void_while_a_later_one_gives_its_days_back() {
    let mut book = paused_and_resumed();
    let refused = void(&mut book, "run1.alice").expect_err("its days would be given back twice");
    assert_eq!(refused.code, "DAYS_GIVEN_BACK");
    assert!(refused.message.contains("run2.alice"), "{refused:?}");
    for invoice in ["run3.alice", "run2.alice", "run1.alice"] {
        void(&mut book, invoice).expect("voids");
    }
    assert_eq!(book.bill(), ["[2012-03-02, 2012-04-02) 249.95"]);
}
