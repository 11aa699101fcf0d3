//! The life of a subscription: what may be asked in which state, what is planned, and what ends it.

use crate::book::{Book, d};
use indelible_domain::catalog::{self, Price, PriceTerm};
use indelible_domain::command::{
    Beginning, ChangeSubscription, Effective, EndSubscription, EndWhen, Rest, StartSubscription,
    StartWithOptions, TransferSubscription,
};
use indelible_domain::contracts::Agreement;
use indelible_domain::kernel::Span;
use indelible_domain::operations;
use indelible_domain::processes::agenda::tick_commands;
use indelible_domain::subscriptions::{
    AtEnd, EndKind, Plan, Stage, Subscription, TenureTerms, Unused,
};
use indelible_domain::{Command, Event, Session, subscriptions};

const OFFERS: &str = r#"
[[offer]]
code = "basic"
name = "Basic"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "fee"
price = { per_unit = "31.00" }
every = "1 month"
align = "billing_day"
[[offer.one_off]]
code = "setup"
name = "setup"
amount = "10"
on = "activation"
[[offer.one_off]]
code = "gone"
name = "gone"
amount = "5"
on = "termination"

[[offer]]
code = "plus"
name = "Plus"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "fee"
price = { per_unit = "62.00" }
every = "1 month"
align = "billing_day"

[[offer]]
code = "yearly"
name = "Yearly"
currency = "USD"
billing_day = 1
tenure = { lasts = "12 months", notice = "1 month", at_end = "renew" }
[[offer.recurring]]
code = "fee"
name = "fee"
price = { flat = "365.00" }
every = "1 year"
align = "billing_day"

[[offer]]
code = "counted"
name = "Counted"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "fee"
price = { flat = "30.00" }
every = "1 month"
align = "anniversary"
"#;

fn shop() -> Book {
    let mut book = Book::new();
    let file = catalog::read(OFFERS).expect("the text reads");
    book.ask(Command::PublishCatalog(Box::new(file)))
        .expect("is published");
    book.open("bob", |_| {});
    book
}

fn beginning(offer: &str, from: &str, beginning: Beginning) -> Command {
    let start = StartSubscription {
        subscription: "s".into(),
        account: "alice".into(),
        offer: offer.into(),
        quantity: 1.into(),
        from: Some(d(from)),
        billing_day: None,
        overrides: Default::default(),
        trial: true,
        access: vec!["line".into()],
    };
    Command::StartWithOptions(Box::new(StartWithOptions {
        start,
        options: vec![],
        contract: None,
        beginning,
    }))
}

fn start(offer: &str, from: &str) -> Command {
    beginning(offer, from, Beginning::default())
}

fn change(offer: Option<&str>, quantity: Option<i64>, on: &str) -> Command {
    Command::ChangeSubscription(Box::new(ChangeSubscription {
        subscription: "s".into(),
        offer: offer.map(Into::into),
        quantity: quantity.map(Into::into),
        billing_day: None,
        overrides: Default::default(),
        effective: Effective::On(d(on)),
        unused: Unused::CreditProrata,
    }))
}

fn pause(reason: &str, from: &str) -> Command {
    Command::PauseSubscription {
        subscription: "s".into(),
        reason: reason.into(),
        from: Some(d(from)),
    }
}

fn resume(reason: &str, on: &str) -> Command {
    Command::ResumeSubscription {
        subscription: "s".into(),
        reason: reason.into(),
        on: Some(d(on)),
    }
}

fn end(when: EndWhen, rest: Rest) -> Command {
    Command::EndSubscription(Box::new(EndSubscription {
        subscription: "s".into(),
        reason: "moved away".into(),
        when,
        unused: Unused::CreditProrata,
        rest,
        fees: true,
    }))
}

fn end_on(day: &str) -> Command {
    end(EndWhen::Effective(Effective::On(d(day))), Rest::Refuse)
}

fn cancel() -> Command {
    Command::CancelSubscription {
        subscription: "s".into(),
        reason: "changed his mind".into(),
    }
}

fn reactivate(on: &str) -> Command {
    Command::ReactivateSubscription {
        subscription: "s".into(),
        on: Some(d(on)),
    }
}

fn activate(on: &str) -> Command {
    Command::ActivateSubscription {
        subscription: "s".into(),
        on: Some(d(on)),
    }
}

fn undo(plan: Plan) -> Command {
    Command::UndoPlan {
        subscription: "s".into(),
        plan,
    }
}

fn transfer(on: &str) -> Command {
    Command::TransferSubscription(Box::new(TransferSubscription {
        subscription: "s".into(),
        to: "s2".into(),
        account: "bob".into(),
        effective: Effective::On(d(on)),
        unused: Unused::CreditProrata,
    }))
}

fn agree(lasts: &str, at_end: AtEnd) -> Command {
    Command::AgreeTenure {
        subscription: "s".into(),
        from: None,
        terms: TenureTerms {
            lasts: lasts.parse().expect("a span"),
            at_end,
            ..TenureTerms::default()
        },
    }
}

fn move_day(day: u32, effective: Effective) -> Command {
    Command::MoveBillingDay {
        subscription: "s".into(),
        day,
        effective,
    }
}

fn state(book: &Book) -> Subscription {
    book.tenant().tables.subscriptions["s"].state.clone()
}

/// Bills everybody on a day and answers with what is on the documents.
fn bill(book: &mut Book, day: &str) -> Vec<String> {
    book.on(day);
    let run = format!("run-{}", book.log.len());
    let before = book.log.len();
    book.ask(Command::StartBillRun {
        run: run.clone(),
        as_of: None,
        accounts: vec![],
        draft: false,
    })
    .expect("the run starts");
    let step = Command::StepBillRun { run };
    while book.ask(step.clone()).expect("the run steps").left > 0 {}
    let mut lines = Vec::new();
    for (_, event) in &book.log[before..] {
        if let Event::Invoice(indelible_domain::invoices::Event::Finalised(e)) = event {
            lines.extend(e.document.lines.iter().map(|l| match l.what.days() {
                Some(days) => format!("{} {days} {}", l.account, l.net.amount()),
                None => format!("{} {} {}", l.account, l.what.charge(), l.net.amount()),
            }));
        }
    }
    lines
}

#[test]
fn every_move_that_is_not_legal_in_a_state_is_refused_with_its_code() {
    let states: [(&str, Vec<Command>); 8] = [
        ("none", vec![]),
        ("pending", vec![start("basic", "2012-06-01")]),
        (
            "awaiting",
            vec![beginning(
                "basic",
                "2012-05-01",
                Beginning {
                    awaits_activation: true,
                    ..Beginning::default()
                },
            )],
        ),
        ("active", vec![start("basic", "2012-05-01")]),
        (
            "paused",
            vec![start("basic", "2012-05-01"), pause("holiday", "2012-05-01")],
        ),
        (
            "terminated",
            vec![start("basic", "2012-04-01"), end_on("2012-05-01")],
        ),
        ("cancelled", vec![start("basic", "2012-06-01"), cancel()]),
        (
            "handed over",
            vec![start("basic", "2012-04-01"), transfer("2012-05-01")],
        ),
    ];
    let term = "SUBSCRIPTION_TERMINATED";
    let (none, early) = ("SUBSCRIPTION_UNKNOWN", "DATE_BEFORE_START");
    let (waits, gone, over) = (
        "SUBSCRIPTION_AWAITS_ACTIVATION",
        "SUBSCRIPTION_CANCELLED",
        "SUBSCRIPTION_HANDED_OVER",
    );
    let exists = "SUBSCRIPTION_EXISTS";
    let running = "SUBSCRIPTION_STARTED";
    let unpaused = "SUBSCRIPTION_NOT_PAUSED";
    let alive = "SUBSCRIPTION_NOT_TERMINATED";
    let active = "SUBSCRIPTION_ACTIVE";
    let plan = Plan::Change {
        from: d("2012-07-01"),
    };
    // Asked on 10 May; "" is legal. Columns: none, pending, awaiting, active, paused, terminated, cancelled, handed over.
    let table: [(&str, Command, [&str; 8]); 12] = [
        (
            "start",
            start("basic", "2012-05-10"),
            ["", exists, exists, exists, exists, exists, exists, exists],
        ),
        (
            "change",
            change(None, Some(2), "2012-05-10"),
            [none, early, waits, "", "", term, gone, over],
        ),
        (
            "pause",
            pause("other", "2012-05-10"),
            [none, early, waits, "", "", term, gone, over],
        ),
        (
            "pause again",
            pause("holiday", "2012-05-10"),
            [
                none,
                early,
                waits,
                "",
                "SUBSCRIPTION_PAUSED",
                term,
                gone,
                over,
            ],
        ),
        (
            "resume",
            resume("holiday", "2012-05-10"),
            [
                none, unpaused, unpaused, unpaused, "", unpaused, unpaused, unpaused,
            ],
        ),
        (
            "end",
            end_on("2012-05-10"),
            [none, early, waits, "", "", term, gone, over],
        ),
        (
            "cancel",
            cancel(),
            [none, "", "", running, running, term, "", over],
        ),
        (
            "reactivate",
            reactivate("2012-05-10"),
            [none, alive, alive, alive, alive, "", gone, over],
        ),
        (
            "activate",
            activate("2012-05-10"),
            [none, active, "", active, active, term, gone, over],
        ),
        (
            "transfer",
            transfer("2012-05-10"),
            [none, early, waits, "", "", term, gone, over],
        ),
        (
            "agree a tenure",
            agree("12 months", AtEnd::Renew),
            [none, early, "", "", "", term, gone, over],
        ),
        (
            "undo",
            undo(plan),
            [
                none,
                "NOT_PLANNED",
                "NOT_PLANNED",
                "NOT_PLANNED",
                "NOT_PLANNED",
                "NOT_PLANNED",
                "NOT_PLANNED",
                "NOT_PLANNED",
            ],
        ),
    ];
    let stages = [
        None,
        Some(Stage::Pending),
        Some(Stage::Pending),
        Some(Stage::Active),
        Some(Stage::Paused),
        Some(Stage::Terminated),
        Some(Stage::Cancelled),
        Some(Stage::Terminated),
    ];
    for (row, (named, steps)) in states.iter().enumerate() {
        let mut book = shop();
        for step in steps {
            book.ask(step.clone()).expect(named);
        }
        book.on("2012-05-10");
        let found = book.tenant().tables.subscriptions.get("s");
        let stage = found.map(|e| e.state.stage(book.today));
        assert_eq!(stage, stages[row], "{named}");
        for (asked, command, answers) in &table {
            let mut tried = book.over(book.world.clone());
            let answer = tried.ask(command.clone()).err().map(|e| e.code);
            assert_eq!(
                answer.unwrap_or_default(),
                answers[row],
                "{asked} while {named}"
            );
        }
    }
}

#[test]
fn a_change_today_goes_on_through_what_is_planned_and_a_plan_can_be_taken_back() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    book.ask(change(Some("plus"), None, "2012-07-01"))
        .expect("is planned");
    book.ask(change(None, Some(3), "2012-06-01"))
        .expect("changes before it");
    let shown = |book: &Book| -> Vec<String> {
        let show =
            |t: &subscriptions::Term| format!("{} {} × {}", t.from, t.offer.code, t.quantity);
        state(book).terms.iter().map(show).collect()
    };
    assert_eq!(
        shown(&book),
        [
            "2012-05-01 basic × 1",
            "2012-06-01 basic × 3",
            "2012-07-01 plus × 3"
        ]
    );
    let seats = Plan::Change {
        from: d("2012-06-01"),
    };
    book.ask(undo(seats.clone())).expect("is undone");
    assert_eq!(
        shown(&book),
        ["2012-05-01 basic × 1", "2012-07-01 plus × 1"]
    );
    let upgrade = Plan::Change {
        from: d("2012-07-01"),
    };
    book.on("2012-07-01");
    assert_eq!(book.refused(undo(upgrade.clone())), "PLAN_IN_FORCE");
    assert_eq!(book.refused(undo(seats)), "NOT_PLANNED");
    book.on("2012-06-30").ask(undo(upgrade)).expect("is undone");
    assert_eq!(shown(&book), ["2012-05-01 basic × 1"]);
}

#[test]
fn a_contract_that_begins_later_is_in_nobodys_way_and_a_planned_override_is() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    let agreement = Agreement {
        account: "alice".into(),
        name: String::new(),
        from: d("2012-07-01"),
        until: None,
        terms: vec![
            PriceTerm {
                offer: "plus".into(),
                charge: Some("fee".into()),
                price: Some(Price::Flat("20".parse().expect("a price"))),
                ..PriceTerm::default()
            },
            PriceTerm {
                offer: "basic".into(),
                charge: Some("fee".into()),
                price: Some(Price::Flat("10".parse().expect("a price"))),
                ..PriceTerm::default()
            },
        ],
    };
    book.ask(Command::DefineContract {
        contract: "frame".into(),
        agreement: Box::new(agreement),
    })
    .expect("is agreed");
    assert_eq!(state(&book).terms.len(), 2);
    book.ask(change(Some("plus"), None, "2012-05-20"))
        .expect("upgrades");
    let last = state(&book).terms.last().cloned().expect("a term");
    assert_eq!(
        (last.offer.code.as_str(), last.from),
        ("plus", d("2012-07-01"))
    );
    let Price::Flat(price) = &last.offer.recurring[0].price else {
        panic!("the contract's price is flat");
    };
    assert_eq!(price.to_string(), "20");

    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    let dearer = Command::ChangeSubscription(Box::new(ChangeSubscription {
        subscription: "s".into(),
        offer: None,
        quantity: None,
        billing_day: None,
        overrides: [("fee".to_string(), "40".parse().expect("a price"))].into(),
        effective: Effective::On(d("2012-07-01")),
        unused: Unused::CreditProrata,
    }));
    book.ask(dearer).expect("is planned");
    assert_eq!(
        book.refused(change(Some("plus"), None, "2012-05-20")),
        "PLAN_IN_THE_WAY"
    );
}

#[test]
fn an_end_a_pause_and_its_end_can_be_taken_back_before_their_day() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    book.ask(end_on("2012-06-15")).expect("an end is planned");
    book.ask(pause("holiday", "2012-05-20"))
        .expect("a pause too");
    book.ask(resume("holiday", "2012-05-25"))
        .expect("and its end");
    book.ask(undo(Plan::End)).expect("no end");
    assert_eq!(state(&book).end, None);
    let on = d("2012-05-25");
    let reason = || "holiday".to_string();
    book.ask(undo(Plan::Resume {
        reason: reason(),
        on,
    }))
    .expect("no end of the pause");
    assert_eq!(state(&book).pauses[0].until, None);
    let from = d("2012-05-20");
    book.ask(undo(Plan::Pause {
        reason: reason(),
        from,
    }))
    .expect("no pause");
    assert!(state(&book).pauses.is_empty());
    assert_eq!(
        bill(&mut book, "2012-06-01"),
        [
            "alice setup 10.00",
            "alice [2012-05-01, 2012-06-01) 31.00",
            "alice [2012-06-01, 2012-07-01) 31.00"
        ]
    );
}

#[test]
fn it_is_paused_while_any_reason_holds() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    book.ask(pause("holiday", "2012-05-03")).expect("pauses");
    book.ask(pause("debt", "2012-05-05")).expect("pauses again");
    book.ask(resume("holiday", "2012-05-10")).expect("resumes");
    book.on("2012-05-12");
    assert_eq!(state(&book).stage(book.today), Stage::Paused);
    book.ask(resume("debt", "2012-05-12")).expect("resumes");
    assert_eq!(state(&book).stage(book.today), Stage::Active);
    assert_eq!(
        bill(&mut book, "2012-05-12"),
        [
            "alice setup 10.00",
            "alice [2012-05-01, 2012-05-03) 2.00",
            "alice [2012-05-12, 2012-06-01) 20.00"
        ]
    );
}

#[test]
fn a_cancelled_subscription_costs_nothing_and_a_reactivated_one_nothing_for_its_gap() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-20"))
        .expect("starts later");
    book.ask(cancel()).expect("is cancelled");
    assert!(bill(&mut book, "2012-06-01").is_empty());

    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    book.ask(end_on("2012-05-11")).expect("ends");
    assert_eq!(
        bill(&mut book, "2012-05-11"),
        [
            "alice setup 10.00",
            "alice gone 5.00",
            "alice [2012-05-01, 2012-05-11) 10.00"
        ]
    );
    book.on("2012-05-22");
    book.ask(reactivate("2012-05-22")).expect("is reactivated");
    assert_eq!(state(&book).stage(book.today), Stage::Active);
    assert_eq!(
        bill(&mut book, "2012-05-22"),
        ["alice [2012-05-22, 2012-06-01) 10.00"]
    );
}

#[test]
fn what_is_sold_to_be_activated_begins_on_that_day() {
    let mut book = shop();
    let awaits = Beginning {
        awaits_activation: true,
        ..Beginning::default()
    };
    book.ask(beginning("basic", "2012-05-01", awaits))
        .expect("is sold");
    assert!(bill(&mut book, "2012-06-02").is_empty());
    book.on("2012-06-10")
        .ask(activate("2012-06-09"))
        .expect("is handed out");
    assert_eq!(
        bill(&mut book, "2012-06-10"),
        ["alice setup 10.00", "alice [2012-06-09, 2012-07-09) 31.00"]
    );
}

#[test]
fn a_billing_day_that_was_chosen_stays_when_it_is_activated_even_if_it_is_that_of_the_sale() {
    for (chosen, first) in [
        (None, "alice [2012-06-09, 2012-07-09) 31.00"),
        // 22 of the 30 days of June.
        (Some(1), "alice [2012-06-09, 2012-07-01) 22.73"),
    ] {
        let mut book = shop();
        let awaits = Beginning {
            awaits_activation: true,
            ..Beginning::default()
        };
        let Command::StartWithOptions(mut sale) = beginning("basic", "2012-05-01", awaits) else {
            unreachable!("it is a sale");
        };
        sale.start.billing_day = chosen;
        book.ask(Command::StartWithOptions(sale)).expect("is sold");
        book.on("2012-06-09")
            .ask(activate("2012-06-09"))
            .expect("is handed out");
        let lines = bill(&mut book, "2012-06-09");
        assert_eq!(lines[1], first, "chosen: {chosen:?}");
    }
}

#[test]
fn a_tenure_that_is_over_stays_over_with_who_takes_it_over() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    book.ask(agree("2 months", AtEnd::Pause))
        .expect("is agreed");
    tick(&mut book, "2012-07-02");
    book.ask(resume(subscriptions::tenure::TENURE_OVER, "2012-07-02"))
        .expect("goes on");
    book.on("2012-07-10")
        .ask(transfer("2012-07-10"))
        .expect("is handed over");
    assert!(tick(&mut book, "2012-07-11").is_empty());
    let new = &book.tenant().tables.subscriptions["s2"].state;
    assert_eq!(new.stage(book.today), Stage::Active);
    assert!(new.tenure.as_ref().is_some_and(|t| t.over));
}

#[test]
fn it_runs_before_it_is_billed_where_that_is_agreed() {
    let mut book = shop();
    let later = Beginning {
        billed_from: Some(d("2012-05-15")),
        ..Beginning::default()
    };
    book.ask(beginning("basic", "2012-05-01", later))
        .expect("starts");
    assert_eq!(state(&book).stage(d("2012-05-02")), Stage::Active);
    assert_eq!(
        bill(&mut book, "2012-05-15"),
        ["alice setup 10.00", "alice [2012-05-15, 2012-06-15) 31.00"]
    );
    let too_early = Beginning {
        billed_from: Some(d("2012-04-30")),
        ..Beginning::default()
    };
    let mut book = shop();
    assert_eq!(
        book.refused(beginning("basic", "2012-05-01", too_early)),
        "BILLED_FROM_INVALID"
    );
}

#[test]
fn a_transfer_gives_the_rest_of_the_period_to_the_other_account_on_the_same_periods() {
    let mut book = shop();
    book.ask(start("counted", "2012-05-01")).expect("starts");
    assert_eq!(
        bill(&mut book, "2012-06-01"),
        [
            "alice [2012-05-01, 2012-06-01) 30.00",
            "alice [2012-06-01, 2012-07-01) 30.00"
        ]
    );
    book.on("2012-06-11")
        .ask(transfer("2012-06-11"))
        .expect("is transferred");
    assert_eq!(
        bill(&mut book, "2012-06-11"),
        [
            "alice [2012-06-11, 2012-07-01) -20.00",
            "bob [2012-06-11, 2012-07-01) 20.00"
        ]
    );
    assert_eq!(
        bill(&mut book, "2012-07-01"),
        ["bob [2012-07-01, 2012-08-01) 30.00"]
    );
    let end = state(&book).end.expect("an end");
    assert_eq!(end.kind, EndKind::HandedOver { to: "s2".into() });
}

#[test]
fn a_planned_transfer_is_undone_on_both_sides() {
    let mut book = shop();
    book.ask(start("counted", "2012-05-01")).expect("starts");
    book.ask(transfer("2012-06-11")).expect("is planned");
    book.on("2012-06-10")
        .ask(undo(Plan::End))
        .expect("is undone");
    let other = &book.tenant().tables.subscriptions["s2"].state;
    assert_eq!(other.stage(book.today), Stage::Cancelled);
    assert_eq!(
        bill(&mut book, "2012-06-12"),
        [
            "alice [2012-05-01, 2012-06-01) 30.00",
            "alice [2012-06-01, 2012-07-01) 30.00"
        ]
    );
}

/// Does what the agenda asks for.
fn tick(book: &mut Book, day: &str) -> Vec<String> {
    book.on(day);
    let before = book.log.len();
    loop {
        let asked = tick_commands(book.tenant(), book.now());
        let Some((_, command)) = asked.into_iter().next() else {
            break;
        };
        book.ask(command).expect("the agenda's command");
    }
    let told = book.log[before..]
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Subscription(subscriptions::Event::TenureEnding(e)) => {
                Some(format!("ends {}", e.until))
            }
            Event::Subscription(subscriptions::Event::Renewed(e)) => {
                Some(format!("renewed {} until {}", e.renewals, e.until))
            }
            Event::Subscription(subscriptions::Event::TenureOver(e)) => {
                Some(format!("over {}", e.on))
            }
            Event::Subscription(subscriptions::Event::Paused(e)) => {
                Some(format!("paused {}", e.from))
            }
            _ => None,
        });
    told.collect()
}

#[test]
fn a_tenure_is_told_of_and_renews_on_its_own_days_however_late_it_is_asked() {
    let mut book = shop();
    book.ask(start("yearly", "2012-01-31")).expect("starts");
    assert!(tick(&mut book, "2012-12-30").is_empty());
    assert_eq!(tick(&mut book, "2012-12-31"), ["ends 2013-01-31"]);
    assert_eq!(
        tick(&mut book, "2014-01-31"),
        [
            "renewed 1 until 2014-01-31",
            "ends 2014-01-31",
            "renewed 2 until 2015-01-31"
        ]
    );
    assert!(tick(&mut book, "2014-01-31").is_empty(), "nothing twice");
}

#[test]
fn an_end_within_the_tenure_says_what_becomes_of_the_rest() {
    let sold = || {
        let mut book = shop();
        book.ask(start("basic", "2012-05-01")).expect("starts");
        book.ask(agree("6 months", AtEnd::GoOn)).expect("is agreed");
        assert_eq!(bill(&mut book, "2012-06-01").len(), 3);
        book.on("2012-06-11");
        book
    };
    let now = EndWhen::Effective(Effective::Immediate);
    assert_eq!(sold().refused(end(now, Rest::Refuse)), "TENURE_RUNNING");
    let billed = |when: EndWhen, rest: Rest| {
        let mut book = sold();
        book.ask(end(when, rest)).expect("ends");
        bill(&mut book, "2012-06-11")
    };
    assert_eq!(
        billed(now, Rest::Waive),
        ["alice gone 5.00", "alice [2012-06-11, 2012-07-01) -20.67"]
    );
    assert_eq!(billed(now, Rest::Charge), ["alice gone 5.00"]);
    assert_eq!(
        billed(now, Rest::ChargeAtOnce),
        [
            "alice gone 5.00",
            "alice [2012-07-01, 2012-08-01) 31.00",
            "alice [2012-08-01, 2012-09-01) 31.00",
            "alice [2012-09-01, 2012-10-01) 31.00",
            "alice [2012-10-01, 2012-11-01) 31.00"
        ]
    );
    assert_eq!(
        billed(now, Rest::ChargeUntil(d("2012-06-16"))),
        ["alice gone 5.00", "alice [2012-06-16, 2012-07-01) -15.50"]
    );
    assert!(billed(EndWhen::EndOfTenure, Rest::Refuse).is_empty());
}

#[test]
fn notice_moves_the_end_to_the_first_day_that_it_allows() {
    let mut book = shop();
    book.ask(start("yearly", "2012-05-01")).expect("starts");
    let noticed = |book: &Book, day: &str| {
        let mut tried = book.over(book.world.clone());
        tried
            .on(day)
            .ask(end(EndWhen::Notice, Rest::Refuse))
            .expect("ends");
        state(&tried).end_date()
    };
    assert_eq!(noticed(&book, "2013-04-01"), d("2013-05-01"));
    assert_eq!(noticed(&book, "2013-04-02"), d("2014-05-01"));
}

#[test]
fn a_tenure_ends_or_pauses_what_was_agreed_to() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    book.ask(agree("2 months", AtEnd::Terminate))
        .expect("is agreed");
    assert_eq!(state(&book).end_date(), d("2012-07-01"));
    book.ask(undo(Plan::End)).expect("goes on after all");
    assert_eq!(tick(&mut book, "2012-07-02"), ["over 2012-07-01"]);
    assert_eq!(state(&book).stage(book.today), Stage::Active);

    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    book.ask(agree("2 months", AtEnd::Pause))
        .expect("is agreed");
    assert_eq!(
        tick(&mut book, "2012-07-02"),
        ["over 2012-07-01", "paused 2012-07-01"]
    );
}

#[test]
fn a_moved_billing_day_leaves_a_bridge_and_keeps_the_months_of_long_periods() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    bill(&mut book, "2012-05-01");
    book.on("2012-05-10")
        .ask(move_day(31, Effective::EndOfPeriod))
        .expect("moves");
    assert_eq!(
        bill(&mut book, "2012-06-01"),
        ["alice [2012-06-01, 2012-06-30) 29.97"],
        "29 of the 30 days of [2012-05-31, 2012-06-30), day 31 clamped"
    );
    assert_eq!(
        bill(&mut book, "2012-07-31"),
        [
            "alice [2012-06-30, 2012-07-31) 31.00",
            "alice [2012-07-31, 2012-08-31) 31.00"
        ],
        "and back to day 31"
    );

    let mut book = shop();
    book.on("2011-01-01")
        .ask(start("yearly", "2011-01-01"))
        .expect("starts");
    assert_eq!(
        bill(&mut book, "2011-01-01"),
        ["alice [2011-01-01, 2012-01-01) 365.00"]
    );
    book.on("2011-03-10")
        .ask(move_day(15, Effective::Immediate))
        .expect("moves");
    assert_eq!(
        bill(&mut book, "2011-03-10"),
        [
            "alice [2011-03-10, 2012-01-01) -297.00",
            "alice [2011-03-10, 2012-01-15) 311.00"
        ],
        "311 of 365 days up to the next 15 January: a year does not move to March"
    );
    book.ask(start("counted", "2011-03-10"))
        .expect_err("has a name");
    let mut book = shop();
    book.ask(start("counted", "2012-05-01")).expect("starts");
    assert_eq!(
        book.refused(move_day(7, Effective::Immediate)),
        "BILLING_DAY_UNUSED"
    );
}

#[test]
fn the_billing_day_of_an_account_moves_those_subscriptions_that_have_it() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    bill(&mut book, "2012-05-01");
    let outcome = book
        .ask(Command::MoveAccountBillingDay {
            account: "alice".into(),
            day: 10,
            effective: Effective::EndOfPeriod,
        })
        .expect("moves");
    assert_eq!(outcome.touched.len(), 2, "{:?}", outcome.touched);
    assert_eq!(
        bill(&mut book, "2012-06-01"),
        ["alice [2012-06-01, 2012-06-10) 9.00"]
    );
}

#[test]
fn a_change_of_zone_bills_no_day_twice_and_leaves_none_out() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    let mut lines = bill(&mut book, "2012-05-31");
    for (zone, day) in [
        ("Pacific/Auckland", "2012-05-31"),
        ("Pacific/Honolulu", "2012-07-01"),
        ("Europe/Berlin", "2012-08-01"),
    ] {
        let mut terms = book.tenant().tables.accounts["alice"].state.terms.clone();
        terms.zone = zone.parse().expect("a zone");
        book.on(day)
            .ask(Command::ChangeAccount {
                account: "alice".into(),
                terms,
            })
            .expect("changes");
        lines.extend(bill(&mut book, day));
    }
    lines.extend(bill(&mut book, "2012-08-02"));
    assert_eq!(
        lines,
        [
            "alice setup 10.00",
            "alice [2012-05-01, 2012-06-01) 31.00",
            "alice [2012-06-01, 2012-07-01) 31.00",
            "alice [2012-07-01, 2012-08-01) 31.00",
            "alice [2012-08-01, 2012-09-01) 31.00"
        ]
    );
}

#[test]
fn a_forecast_says_what_the_runs_then_bill() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    bill(&mut book, "2012-05-01");
    book.on("2012-05-11");
    book.ask(change(Some("plus"), None, "2012-05-16"))
        .expect("is planned");
    book.ask(end_on("2012-07-11")).expect("ends");
    let coming = operations::coming(
        Session::new(book.tenant(), book.now()),
        "s",
        d("2012-12-31"),
    )
    .expect("is foreseen");
    let mut foreseen = Vec::new();
    for coming in &coming {
        let lines = coming.document.lines.iter();
        foreseen.extend(lines.map(|l| (coming.on, l.what.charge().to_string(), l.net.amount())));
    }
    let before = book.log.len();
    let mut billed = Vec::new();
    for day in [
        "2012-05-16",
        "2012-06-01",
        "2012-07-01",
        "2012-07-11",
        "2012-08-01",
    ] {
        bill(&mut book, day);
    }
    for (_, event) in &book.log[before..] {
        if let Event::Invoice(indelible_domain::invoices::Event::Finalised(e)) = event {
            let lines = e.document.lines.iter();
            let on = e.document.as_of;
            billed.extend(lines.map(|l| (on, l.what.charge().to_string(), l.net.amount())));
        }
    }
    assert_eq!(foreseen, billed);
    assert!(foreseen.len() >= 4, "{foreseen:?}");
}

#[test]
fn a_span_of_a_tenure_reads_as_it_is_written() {
    let book = shop();
    let catalog = &book.tenant().tables.catalogs["main"].state;
    let tenure = catalog
        .offer("yearly")
        .and_then(|o| o.tenure)
        .expect("a tenure");
    assert_eq!(tenure.lasts, Span::months(12));
    assert_eq!(tenure.at_end, AtEnd::Renew);
}

#[test]
fn a_try_of_what_is_told_late_foresees_what_the_run_then_bills() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    for day in ["2012-05-01", "2012-06-01", "2012-07-01", "2012-08-01"] {
        bill(&mut book, day);
    }
    book.on("2012-08-10");
    let late = [
        pause("holiday", "2012-05-20"),
        change(None, Some(3), "2012-06-11"),
        change(Some("plus"), None, "2012-05-16"),
        move_day(15, Effective::On(d("2012-06-15"))),
        end_on("2012-06-21"),
    ];
    for command in late {
        let mut tried = Session::new(book.tenant(), book.now());
        operations::execute(&mut tried, command.clone()).expect("is legal");
        let through = d("2012-08-10");
        let foreseen = operations::coming(tried.fork(), "s", through).expect("is foreseen");
        let foreseen: Vec<String> = foreseen
            .iter()
            .flat_map(|coming| coming.document.lines.iter())
            .map(|l| match l.what.days() {
                Some(days) => format!("alice {days} {}", l.net.amount()),
                None => format!("alice {} {}", l.what.charge(), l.net.amount()),
            })
            .collect();
        let mut done = book.over(book.world.clone());
        done.ask(command.clone()).expect("is done");
        let billed = bill(&mut done, "2012-08-10");
        assert_eq!(foreseen, billed, "{command:?}");
        assert!(billed.len() >= 3, "{billed:?}");
    }
}

#[test]
fn what_is_refused_in_a_fork_takes_back_nothing_of_what_it_was_forked_from() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    let mut tried = Session::new(book.tenant(), book.now());
    operations::execute(&mut tried, pause("holiday", "2012-05-01")).expect("is tried");
    let mut fork = tried.fork();
    let refused = fork.attempt(|s| operations::execute(s, pause("holiday", "2012-05-01")));
    assert_eq!(refused.expect_err("twice").code, "SUBSCRIPTION_PAUSED");
    let sub = fork.get::<Subscription>("s").expect("is there");
    assert_eq!(sub.stage(book.today), Stage::Paused);
}

#[test]
fn what_has_not_begun_is_cancelled_even_if_its_end_is_planned() {
    for planned in [agree("12 months", AtEnd::Terminate), end_on("2012-09-01")] {
        let mut book = shop();
        book.ask(start("basic", "2012-06-01")).expect("starts");
        let mut planned = planned.clone();
        if let Command::AgreeTenure { from, .. } = &mut planned {
            *from = Some(d("2012-06-01"));
        }
        book.ask(planned).expect("an end is planned");
        book.ask(cancel()).expect("is taken back");
        assert_eq!(state(&book).stage(book.today), Stage::Cancelled);
        assert_eq!(bill(&mut book, "2012-10-01"), Vec::<String>::new());
    }
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    book.ask(end_on("2012-09-01")).expect("an end is planned");
    assert_eq!(book.refused(cancel()), "SUBSCRIPTION_STARTED");
}

#[test]
fn a_pause_does_not_end_after_the_contract_did() {
    let mut book = shop();
    book.ask(start("basic", "2012-05-01")).expect("starts");
    book.ask(pause("holiday", "2012-05-05")).expect("is paused");
    book.ask(end_on("2012-05-20")).expect("ends");
    let late = resume("holiday", "2012-05-20");
    assert_eq!(book.refused(late), "SUBSCRIPTION_TERMINATED");
    book.ask(resume("holiday", "2012-05-19"))
        .expect("its last day ran after all");
    assert!(state(&book).pauses[0].until.is_some());
}

#[test]
fn an_end_that_is_undone_gives_back_the_end_of_the_tenure() {
    let tenure = agree("12 months", AtEnd::Terminate);
    for sooner in [
        end(
            EndWhen::Effective(Effective::On(d("2012-06-11"))),
            Rest::Waive,
        ),
        transfer("2012-06-11"),
    ] {
        let mut book = shop();
        book.ask(start("basic", "2012-05-01")).expect("starts");
        book.ask(tenure.clone()).expect("is agreed");
        let agreed = state(&book);
        book.ask(sooner).expect("ends sooner");
        assert_eq!(state(&book).end_date(), d("2012-06-11"));
        book.ask(undo(Plan::End)).expect("is undone");
        assert_eq!(state(&book), agreed);
        book.ask(undo(Plan::End)).expect("the tenure's own end too");
        assert_eq!(state(&book).end, None);
    }
}
