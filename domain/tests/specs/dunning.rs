//! Dunning levels by the day they are reached, and the way back (policy 29).

use crate::book::{Book, d, sums};
use indelible_domain::catalog::{Align, Anchor, Offer, Price, Prorate, Recurring, Timing};
use indelible_domain::command::{DunningAction, DunningLevel, StartSubscription};
use indelible_domain::dunning::Event as Dunning;
use indelible_domain::kernel::Span;
use indelible_domain::subscriptions::Stage;
use indelible_domain::{Command, Event};
use std::collections::BTreeMap;

pub fn level(name: &str, after_days: u32, actions: &[DunningAction]) -> DunningLevel {
    DunningLevel {
        name: name.into(),
        after_days,
        minimum: None,
        actions: actions.to_vec(),
    }
}

pub fn at_least(minimum: &str, level: DunningLevel) -> DunningLevel {
    DunningLevel {
        minimum: Some(minimum.parse().expect("minimum")),
        ..level
    }
}

/// Alice is dunned by these levels.
pub fn dunned(levels: Vec<DunningLevel>) -> Book {
    let mut book = Book::new();
    book.ask(Command::SetDunningPolicy {
        policy: "strict".into(),
        levels,
    })
    .expect("policy is set");
    let mut terms = book.tenant().tables.accounts["alice"].state.terms.clone();
    terms.dunning_policy = Some("strict".into());
    book.ask(Command::ChangeAccount {
        account: "alice".into(),
        terms,
    })
    .expect("account changes");
    book
}

/// What a check of alice on a day does, each as `day what`.
pub fn check(book: &mut Book, on: &str) -> Vec<String> {
    let before = book.on(on).log.len();
    book.ask(Command::DunAccount {
        account: "alice".into(),
    })
    .expect("duns");
    said(book, before)
}

pub fn said(book: &Book, from: usize) -> Vec<String> {
    let dunning = book.log[from..]
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Dunning(event) => Some(event),
            _ => None,
        });
    let words = dunning.filter_map(|event| {
        Some(match event {
            // Says no more than the level that follows; `dunning_rules` looks at it.
            Dunning::Begun(_) => return None,
            Dunning::LevelReached(e) => format!("{} {} over {}", e.on, e.level, e.overdue.amount()),
            Dunning::Reminded(e) => format!("{} reminded", e.on),
            Dunning::FeeCharged(e) => format!("{} fee {} {}", e.on, e.charge, e.amount.amount()),
            Dunning::Suspended(e) => format!("{} suspended {}", e.on, e.subscriptions.join(" ")),
            Dunning::RetryAsked(e) => format!("{} retry", e.on),
            Dunning::WroteOff(e) => format!("{} wrote off {}", e.on, e.amount.amount()),
            Dunning::Cleared(e) => format!("{} cleared", e.on),
            Dunning::Reopened(e) => format!("{} reopened", e.on),
            Dunning::Paused(e) => format!("{} paused", e.on),
            Dunning::Resumed(e) => format!("{} resumed", e.on),
            Dunning::Noticed(e) => format!("{} sent {}", e.on, e.template),
            Dunning::InterestCharged(e) => {
                format!("{} interest {} {}", e.on, e.charge, e.amount.amount())
            }
            Dunning::InterestCarried(e) => format!("{} carried {}", e.on, e.spans.len()),
            Dunning::Restricted(e) => format!("{} restricted {}", e.on, e.subscriptions.join(" ")),
            Dunning::Held(e) => format!("{} held", e.on),
            Dunning::HoldLifted(e) => format!("{} hold lifted", e.on),
            Dunning::HandedOver(e) => format!("{} {} to {}", e.on, e.amount.amount(), e.agency),
            Dunning::Recalled(e) => format!("{} recalled from {}", e.on, e.agency),
            Dunning::Terminated(e) => format!("{} terminated {}", e.on, e.subscriptions.join(" ")),
            Dunning::Waived(e) => format!("{} waived {} {}", e.on, e.charge, e.amount.amount()),
            Dunning::SteppedBack(e) => {
                format!("{} back to {} without {}", e.on, e.to, e.undone.join(" "))
            }
            Dunning::Deferred(e) => format!("{} deferred until {}", e.on, e.until),
            Dunning::InvoiceLost(e) => format!("{} lost {}", e.on, e.amount.amount()),
            Dunning::GivenUp(e) => format!("{} given up", e.on),
            Dunning::PausedUntil(e) => format!("{} paused until {}", e.on, e.until),
            Dunning::Promised(e) => {
                format!("{} promised {} until {}", e.on, e.amount.amount(), e.until)
            }
            Dunning::PromiseKept(e) => format!("{} promise kept", e.on),
            Dunning::PromiseBroken(e) => {
                format!("{} promise broken by {}", e.on, e.missing.amount())
            }
            Dunning::Excluded(e) => format!("{} excluded", e.on),
            Dunning::Included(e) => format!("{} included", e.on),
            Dunning::Stopped(e) => format!("{} stopped", e.on),
            Dunning::Switched(e) => format!("{} switched with {}", e.on, e.done.join(" ")),
            Dunning::Restored(e) => format!("{} restored {}", e.on, e.resumed.join(" ")),
        })
    });
    words.collect()
}

pub fn subscribe(book: &mut Book, price: &str) {
    let fee = Recurring {
        code: "fee".into(),
        name: "fee".into(),
        price: Price::Flat(price.parse().expect("price")),
        every: Span::months(1),
        timing: Timing::Advance,
        align: Align::BillingDay,
        anchor: Anchor::Subscription,
        prorate: Prorate::Day,
        ..Recurring::default()
    };
    let offer = Offer {
        code: "shotgun".into(),
        name: "Shotgun".into(),
        currency: "USD".parse().expect("USD"),
        trial: Some(Span::days(30)),
        recurring: vec![fee],
        ..Offer::default()
    };
    book.ask(Command::ApplyCatalog {
        offers: vec![offer],
    })
    .expect("catalog");
    let start = StartSubscription {
        subscription: "s".into(),
        account: "alice".into(),
        offer: "shotgun".into(),
        quantity: 1.into(),
        from: None,
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec![],
    };
    book.ask(Command::StartSubscription(Box::new(start)))
        .expect("starts");
}

pub fn bill(book: &mut Book, on: &str) {
    let run = format!("run-{on}");
    let start = Command::StartBillRun {
        run: run.clone(),
        as_of: Some(d(on)),
        accounts: vec![],
        draft: false,
    };
    book.on(on).ask(start).expect("run starts");
    while book
        .ask(Command::StepBillRun { run: run.clone() })
        .expect("run steps")
        .left
        > 0
    {}
}

#[test]
fn the_timeline_of_an_unpaid_subscription_and_the_credit_for_its_blocked_days() {
    // S-I01, S-I05
    use DunningAction::Suspend;
    let mut book = dunned(vec![
        level("OD1", 30, &[]),
        level("OD2", 40, &[Suspend]),
        level("OD3", 50, &[]),
    ]);
    subscribe(&mut book, "249.95");
    bill(&mut book, "2012-05-31");
    assert_eq!(check(&mut book, "2012-06-29"), Vec::<String>::new());
    assert_eq!(
        check(&mut book, "2012-06-30"),
        ["2012-06-30 OD1 over 249.95"]
    );
    bill(&mut book, "2012-06-30");
    assert_eq!(
        check(&mut book, "2012-07-10"),
        ["2012-07-10 OD2 over 499.90", "2012-07-10 suspended s"]
    );
    assert_eq!(
        book.tenant().tables.subscriptions["s"]
            .state
            .stage(book.today),
        Stage::Paused
    );
    assert_eq!(
        check(&mut book, "2012-07-20"),
        ["2012-07-20 OD3 over 499.90"]
    );
    let before = book.log.len();
    book.pay("499.90", None);
    assert_eq!(said(&book, before), ["2012-07-20 cleared"]);
    assert_eq!(
        book.tenant().tables.subscriptions["s"]
            .state
            .stage(book.today),
        Stage::Active
    );
    bill(&mut book, "2012-07-31");
    // 249.95 for the next month less the ten blocked days, 80.63.
    assert_eq!(book.owes(), sums("169.32", "0.00"));
}

#[test]
fn a_late_check_does_what_the_timely_ones_would_have_done_and_a_repeated_one_nothing() {
    // S-I11
    use DunningAction::{Fee, Remind, RetryPayment};
    let levels = || {
        vec![
            level("BLOCKED", 7, &[Fee("5".parse().expect("fee"))]),
            level("WARNING", 5, &[Remind, RetryPayment]),
            level("CANCELLATION", 11, &[Remind]),
        ]
    };
    let expected = [
        "2012-06-05 WARNING over 20.00",
        "2012-06-05 reminded",
        "2012-06-05 retry",
        "2012-06-07 BLOCKED over 20.00",
        "2012-06-07 fee dun.alice.1.2 5.00",
    ];
    let mut timely = dunned(levels());
    timely.on("2012-05-31").invoice("20.00");
    let mut all = Vec::new();
    for day in [
        "2012-06-04",
        "2012-06-05",
        "2012-06-05",
        "2012-06-06",
        "2012-06-07",
        "2012-06-08",
    ] {
        all.extend(check(&mut timely, day));
    }
    assert_eq!(all, expected);
    let mut late = dunned(levels());
    late.on("2012-05-31").invoice("20.00");
    assert_eq!(check(&mut late, "2012-06-08"), expected);
    assert_eq!(check(&mut late, "2012-06-08"), Vec::<String>::new());
}

#[test]
fn a_late_fee_is_on_the_next_invoice() {
    let mut book = dunned(vec![level(
        "late",
        5,
        &[DunningAction::Fee("5".parse().expect("fee"))],
    )]);
    book.on("2012-05-31").invoice("20.00");
    check(&mut book, "2012-06-05");
    bill(&mut book, "2012-06-06");
    assert_eq!(book.owes(), sums("25.00", "0.00"));
}

#[test]
fn a_level_with_a_minimum_waits_until_that_much_is_overdue() {
    // S-I09
    let levels = vec![
        at_least("260", level("OD1", 1, &[])),
        at_least("600", level("OD2", 1, &[])),
        at_least("1200", level("OD3", 1, &[])),
    ];
    let mut book = dunned(levels);
    let mut reached = Vec::new();
    for (issued, checked) in [
        ("2012-05-31", "2012-06-01"),
        ("2012-06-30", "2012-07-01"),
        ("2012-07-31", "2012-08-01"),
        ("2012-08-31", "2012-09-01"),
        ("2012-09-30", "2012-10-01"),
    ] {
        book.on(issued).invoice("249.95");
        reached.push(check(&mut book, checked).concat());
    }
    assert_eq!(
        reached,
        [
            "",
            "2012-07-01 OD1 over 499.90",
            "2012-08-01 OD2 over 749.85",
            "",
            "2012-10-01 OD3 over 1249.75"
        ]
    );
    let before = book.log.len();
    book.pay("1249.75", None);
    assert_eq!(said(&book, before), ["2012-10-01 cleared"]);
}

#[test]
fn a_pending_payment_does_not_stop_dunning_but_its_settlement_clears() {
    // S-H11
    let mut book = dunned(vec![level("OD1", 1, &[])]);
    let invoice = book.invoice("249.95");
    let payment = book
        .collect("249.95", Some(&invoice))
        .expect("is asked for");
    assert_eq!(
        check(&mut book, "2012-05-03"),
        ["2012-05-02 OD1 over 249.95"]
    );
    let before = book.log.len();
    book.settle(&payment);
    assert_eq!(said(&book, before), ["2012-05-03 cleared"]);
}

#[test]
fn drafts_and_written_off_invoices_are_not_dunned_and_money_owed_again_is_from_that_day() {
    // S-I07, S-I13
    let mut book = dunned(vec![level("OD1", 5, &[])]);
    let invoice = book.on("2012-05-31").invoice("20.00");
    book.draft("10.00");
    book.ask(Command::WriteOffInvoice {
        invoice: invoice.clone(),
        reason: "tagged".into(),
    })
    .expect("is written off");
    assert_eq!(check(&mut book, "2012-06-06"), Vec::<String>::new());
    let before = book.log.len();
    book.ask(Command::ReverseWriteOff {
        invoice,
        reason: "tag removed".into(),
    })
    .expect("is owed again");
    assert_eq!(said(&book, before), ["2012-06-06 reopened"]);
    assert_eq!(
        check(&mut book, "2012-06-06"),
        ["2012-06-06 OD1 over 20.00"]
    );
}

#[test]
fn the_last_level_may_write_off_and_that_is_not_as_if_it_were_paid() {
    use DunningAction::{Suspend, WriteOff};
    let mut book = dunned(vec![
        level("blocked", 30, &[Suspend]),
        level("lost", 60, &[WriteOff]),
    ]);
    subscribe(&mut book, "249.95");
    let invoice = book.invoice("20.00");
    check(&mut book, "2012-06-01");
    assert_eq!(
        check(&mut book, "2012-07-05"),
        [
            "2012-06-30 lost over 20.00",
            "2012-06-30 wrote off 20.00",
            "2012-07-05 lost 20.00",
            "2012-07-05 given up"
        ]
    );
    assert_eq!(book.owes(), sums("0.00", "0.00"));
    let stage = |book: &Book| {
        book.tenant().tables.subscriptions["s"]
            .state
            .stage(book.today)
    };
    assert_eq!(stage(&book), Stage::Paused, "nobody paid");
    let before = book.log.len();
    book.on("2012-08-01").pay("20.00", Some(&invoice));
    assert_eq!(said(&book, before), ["2012-08-01 cleared"]);
    assert_eq!(stage(&book), Stage::Active, "now somebody did");
}

#[test]
fn a_paused_case_reaches_nothing_and_goes_on_from_the_day_it_is_resumed() {
    let mut book = dunned(vec![level("OD1", 5, &[])]);
    book.invoice("20.00");
    let pause = Command::PauseDunning {
        account: "alice".into(),
        reason: "promised".into(),
    };
    book.ask(pause.clone()).expect("pauses");
    assert_eq!(book.refused(pause), "DUNNING_PAUSED");
    assert_eq!(check(&mut book, "2012-06-20"), Vec::<String>::new());
    book.ask(Command::ResumeDunning {
        account: "alice".into(),
    })
    .expect("resumes");
    assert_eq!(
        check(&mut book, "2012-06-20"),
        ["2012-06-20 OD1 over 20.00"]
    );
}

#[test]
fn a_policy_names_each_level_once_and_none_on_the_due_date() {
    let mut book = Book::new();
    for levels in [
        vec![],
        vec![level("a", 0, &[])],
        vec![level("a", 1, &[]), level("a", 2, &[])],
        vec![at_least("-1", level("a", 1, &[]))],
    ] {
        assert_eq!(
            book.refused(Command::SetDunningPolicy {
                policy: "p".into(),
                levels
            }),
            "DUNNING_POLICY_INVALID"
        );
    }
}
