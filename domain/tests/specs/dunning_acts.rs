//! What levels do beside reminding: interest, restrictions, holds, hand-overs, and what clerks and payments do to a case.

use crate::book::{Book, d, sums, usd};
use crate::dunning::{at_least, check, dunned, level, said, subscribe};
use indelible_domain::Command;
use indelible_domain::command::DunningAction;
use indelible_domain::dunning::{
    DayCount, Grace, Interest, LateFee, Notice, PartPayment, Restriction, Steer, Terms,
};
use indelible_domain::subscriptions::{Stage, UsageRule};

fn decimal(text: &str) -> indelible_domain::kernel::Decimal {
    text.parse().expect("a decimal")
}

fn interest(rate: &str, day_count: DayCount, cap: Option<&str>) -> DunningAction {
    DunningAction::Interest(Interest {
        rate: decimal(rate),
        day_count,
        cap_percent: cap.map(decimal),
        tax_class: "standard".into(),
    })
}

fn steer(book: &mut Book, steer: Steer) -> Vec<String> {
    let before = book.log.len();
    book.ask(Command::SteerDunning {
        account: "alice".into(),
        steer,
    })
    .expect("steers");
    said(book, before)
}

fn pay(book: &mut Book, on: &str, amount: &str, invoice: Option<&str>) -> Vec<String> {
    let before = book.log.len();
    book.on(on).pay(amount, invoice);
    said(book, before)
}

fn terms(book: &mut Book, part_payment: PartPayment, grace: Option<Grace>) {
    book.ask(Command::SetDunningTerms {
        policy: "strict".into(),
        terms: Terms {
            part_payment,
            grace,
        },
    })
    .expect("terms are set");
}

fn stage(book: &Book) -> Stage {
    book.tenant().tables.subscriptions["s"]
        .state
        .stage(book.today)
}

/// What a level says that charges interest on 100.00 due 2012-05-01, ninety days late.
fn interest_on_a_hundred(action: DunningAction) -> String {
    let mut book = dunned(vec![level("late", 90, &[action])]);
    book.invoice("100.00");
    check(&mut book, "2012-07-30")
        .last()
        .cloned()
        .expect("said")
}

#[test]
fn interest_is_principal_by_rate_by_days_rounded_once() {
    use DayCount::{Actual360, Actual365, Thirty360};
    // 2012-05-01 to 2012-07-30: 90 days, or 2 months and 29 days = 89 of thirty each.
    for (rate, count, cap, amount) in [
        // 100 × 9.12 % × 90/365 = 2.24877
        ("9.12", Actual365, None, "2.25"),
        // 100 × 9.12 % × 90/360 = 2.28
        ("9.12", Actual360, None, "2.28"),
        // 100 × 9.12 % × 89/360 = 2.25467
        ("9.12", Thirty360, None, "2.25"),
        // At most 1.5 % of 100.
        ("9.12", Actual365, Some("1.5"), "1.50"),
    ] {
        assert_eq!(
            interest_on_a_hundred(interest(rate, count, cap)),
            format!("2012-07-30 interest dun.alice.1.1 {amount}"),
            "{rate} % {count:?} {cap:?}"
        );
    }
}

#[test]
fn interest_is_owed_on_the_principal_of_each_day_and_for_no_day_twice() {
    let rate = || interest("36.5", DayCount::Actual365, None);
    let mut book = dunned(vec![
        level("first", 20, &[rate()]),
        level("second", 40, &[rate()]),
    ]);
    terms(&mut book, PartPayment::Keep, None);
    book.on("2012-05-01").invoice("100.00");
    // A tenth of a per cent a day: ten days on 100, then on 40.
    assert_eq!(
        pay(&mut book, "2012-05-11", "60.00", None),
        ["2012-05-11 carried 1"]
    );
    assert_eq!(
        check(&mut book, "2012-05-21"),
        [
            "2012-05-21 first over 40.00",
            "2012-05-21 interest dun.alice.1.1 1.40"
        ]
    );
    assert_eq!(
        check(&mut book, "2012-06-10"),
        [
            "2012-06-10 second over 40.00",
            "2012-06-10 interest dun.alice.1.2 0.80"
        ]
    );
}

#[test]
fn interest_of_a_charged_back_payment_runs_from_the_day_it_is_owed_again() {
    let rate = interest("36.5", DayCount::Actual365, None);
    let mut book = dunned(vec![level("late", 10, &[rate])]);
    book.on("2012-05-01").invoice("100.00");
    book.on("2012-05-06");
    let payment = book.pay("100.00", None);
    book.on("2012-06-01");
    book.ask(Command::ChargeBackPayment {
        payment,
        amount: None,
        reason: "disputed".into(),
    })
    .expect("is charged back");
    // The level's day has long passed: it is reached on the day the debt is back, and the five days of May are owed.
    assert_eq!(
        check(&mut book, "2012-06-01"),
        [
            "2012-06-01 late over 100.00",
            "2012-06-01 interest dun.alice.1.1 0.50"
        ]
    );
}

#[test]
fn a_late_fee_is_a_share_of_what_is_overdue_within_its_limits() {
    let fee = |percent: &str, min: Option<&str>, max: Option<&str>| {
        DunningAction::LateFee(LateFee {
            flat: Some(decimal("1")),
            percent: Some(decimal(percent)),
            min: min.map(decimal),
            max: max.map(decimal),
            tax_class: "standard".into(),
        })
    };
    for (action, amount) in [
        (fee("2.5", None, None), "6.01"),
        (fee("2.5", Some("10"), None), "10.00"),
        (fee("2.5", None, Some("4")), "4.00"),
    ] {
        let mut book = dunned(vec![level("late", 5, &[action])]);
        book.invoice("200.50");
        assert_eq!(
            check(&mut book, "2012-05-06").last().expect("said"),
            &format!("2012-05-06 fee dun.alice.1.1 {amount}")
        );
    }
}

#[test]
fn a_waived_fee_is_cancelled_before_it_is_billed_and_credited_after() {
    let fee = DunningAction::Fee(decimal("5"));
    let mut book = dunned(vec![level("late", 5, &[fee])]);
    book.on("2012-05-01").invoice("20.00");
    check(&mut book, "2012-05-06");
    let waive = || Steer::Waive {
        charge: "dun.alice.1.1".into(),
        reason: "goodwill".into(),
    };
    assert_eq!(
        steer(&mut book, waive()),
        ["2012-05-06 waived dun.alice.1.1 5.00"]
    );
    let charges = &book.tenant().tables.charges["alice"].state;
    assert!(charges.pending.iter().all(|p| p.charge != "dun.alice.1.1"));
    let again = Command::SteerDunning {
        account: "alice".into(),
        steer: waive(),
    };
    assert_eq!(book.refused(again), "DUNNING_CHARGE_UNKNOWN");
    // The same fee of the next episode, billed before it is waived.
    pay(&mut book, "2012-05-07", "20.00", None);
    book.on("2012-06-01").invoice("20.00");
    check(&mut book, "2012-06-06");
    book.invoice("1.00");
    assert_eq!(book.owes(), sums("26.00", "0.00"));
    let charge = "dun.alice.2.1".to_string();
    let reason = "goodwill".to_string();
    assert_eq!(
        steer(&mut book, Steer::Waive { charge, reason }),
        ["2012-06-06 waived dun.alice.2.1 5.00"]
    );
    assert_eq!(book.owes(), sums("21.00", "0.00"));
}

#[test]
fn a_restriction_of_chosen_services_bills_on_and_ends_with_the_payment() {
    let calls = Restriction {
        offers: vec!["shotgun".into()],
        usage: UsageRule::RefusedFor(vec!["calls".into()]),
        ..Restriction::default()
    };
    let other = Restriction {
        offers: vec!["another".into()],
        billing_stops: true,
        ..Restriction::default()
    };
    let mut book = dunned(vec![
        level("calls", 5, &[DunningAction::Restrict(calls)]),
        level("other", 6, &[DunningAction::Restrict(other)]),
    ]);
    subscribe(&mut book, "10.00");
    book.invoice("20.00");
    assert_eq!(
        check(&mut book, "2012-05-08"),
        [
            "2012-05-06 calls over 20.00",
            "2012-05-06 restricted s",
            "2012-05-07 other over 20.00"
        ]
    );
    let pauses = |book: &Book| book.tenant().tables.subscriptions["s"].state.pauses.clone();
    assert_eq!(stage(&book), Stage::Active, "what it costs goes on");
    assert!(pauses(&book)[0].usage.refuses("calls") && !pauses(&book)[0].usage.refuses("data"));
    assert_eq!(
        pay(&mut book, "2012-05-09", "20.00", None),
        ["2012-05-09 cleared"]
    );
    assert_eq!(pauses(&book)[0].until, Some(d("2012-05-09")));
}

#[test]
fn nothing_new_is_sold_to_an_account_on_hold_and_an_agency_is_recalled_when_it_pays() {
    let agency = "Grab & Co".to_string();
    let mut book = dunned(vec![
        level("held", 5, &[DunningAction::Hold]),
        level("agency", 9, &[DunningAction::HandOver { agency }]),
    ]);
    subscribe(&mut book, "10.00");
    book.invoice("20.00");
    // Nobody asked the clock: the hold is of the 6th all the same.
    book.on("2012-05-07");
    let start = indelible_domain::command::StartSubscription {
        subscription: "more".into(),
        account: "alice".into(),
        offer: "shotgun".into(),
        quantity: 1.into(),
        from: None,
        billing_day: None,
        overrides: Default::default(),
        trial: true,
        access: vec![],
    };
    let start = Command::StartSubscription(Box::new(start));
    assert_eq!(book.refused(start.clone()), "ACCOUNT_HELD");
    assert_eq!(
        check(&mut book, "2012-05-10"),
        [
            "2012-05-06 held over 20.00",
            "2012-05-06 held",
            "2012-05-10 agency over 20.00",
            "2012-05-10 20.00 to Grab & Co"
        ]
    );
    assert_eq!(
        pay(&mut book, "2012-05-11", "20.00", None),
        [
            "2012-05-11 hold lifted",
            "2012-05-11 recalled from Grab & Co",
            "2012-05-11 cleared"
        ]
    );
    book.ask(start).expect("sells again");
}

#[test]
fn termination_is_for_good() {
    let mut book = dunned(vec![level("end", 30, &[DunningAction::Terminate])]);
    subscribe(&mut book, "10.00");
    book.invoice("20.00");
    assert_eq!(
        check(&mut book, "2012-06-05").last().expect("said"),
        "2012-05-31 terminated s"
    );
    pay(&mut book, "2012-06-06", "20.00", None);
    assert_eq!(stage(&book), Stage::Terminated);
}

#[test]
fn paying_the_oldest_anchors_the_ladder_on_what_is_still_open() {
    let ladder = || {
        vec![
            level("remind", 5, &[DunningAction::Remind]),
            level("block", 20, &[DunningAction::Suspend]),
        ]
    };
    let run = |part_payment| {
        let mut book = dunned(ladder());
        terms(&mut book, part_payment, None);
        subscribe(&mut book, "10.00");
        let first = book.on("2012-05-02").invoice("20.00");
        book.on("2012-05-12").invoice("30.00");
        check(&mut book, "2012-05-22");
        let said = pay(&mut book, "2012-05-23", "20.00", Some(&first));
        (book, said)
    };
    let (mut book, said) = run(PartPayment::Reanchor);
    assert_eq!(said, ["2012-05-23 back to remind without block"]);
    assert_eq!(stage(&book), Stage::Active);
    // Reached again by what was left open, on its own day.
    assert_eq!(
        check(&mut book, "2012-06-03"),
        ["2012-06-01 block over 30.00", "2012-06-01 suspended s"]
    );
    let (mut book, said) = run(PartPayment::Keep);
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(stage(&book), Stage::Paused);
    assert_eq!(check(&mut book, "2012-06-03"), Vec::<String>::new());
}

#[test]
fn a_part_payment_below_the_minimum_of_every_level_clears_the_case() {
    let mut book = dunned(vec![at_least("50", level("remind", 5, &[]))]);
    book.invoice("60.00");
    check(&mut book, "2012-05-06");
    assert_eq!(
        pay(&mut book, "2012-05-07", "20.00", None),
        ["2012-05-07 cleared"]
    );
}

#[test]
fn a_large_part_payment_buys_time() {
    let mut book = dunned(vec![level("one", 5, &[]), level("two", 7, &[])]);
    let grace = Grace {
        percent: decimal("50"),
        days: 10,
    };
    terms(&mut book, PartPayment::Reanchor, Some(grace));
    book.invoice("60.00");
    check(&mut book, "2012-05-06");
    assert_eq!(
        pay(&mut book, "2012-05-07", "29.99", None),
        Vec::<String>::new()
    );
    let mut early = book.over(book.world.clone());
    assert_eq!(
        check(&mut early, "2012-05-08"),
        ["2012-05-08 two over 30.01"]
    );
    assert_eq!(
        pay(&mut book, "2012-05-07", "15.01", None),
        ["2012-05-07 deferred until 2012-05-17"]
    );
    assert_eq!(
        check(&mut book, "2012-05-20"),
        ["2012-05-17 two over 15.00"]
    );
}

#[test]
fn a_promise_holds_dunning_until_its_day_and_is_kept_or_broken() {
    let promise = |amount: Option<&str>| Steer::Promise {
        until: d("2012-05-20"),
        amount: amount.map(usd),
    };
    let mut book = dunned(vec![level("one", 5, &[]), level("two", 7, &[])]);
    book.invoice("60.00");
    check(&mut book, "2012-05-06");
    assert_eq!(
        steer(&mut book, promise(Some("40.00"))),
        ["2012-05-06 promised 40.00 until 2012-05-20"]
    );
    let mut kept = book.over(book.world.clone());
    assert_eq!(
        pay(&mut kept, "2012-05-19", "40.00", None),
        ["2012-05-19 promise kept"]
    );
    assert_eq!(
        check(&mut kept, "2012-05-19"),
        ["2012-05-19 two over 20.00"]
    );
    assert_eq!(
        pay(&mut book, "2012-05-19", "39.99", None),
        Vec::<String>::new()
    );
    assert_eq!(
        check(&mut book, "2012-05-30"),
        [
            "2012-05-21 promise broken by 0.01",
            "2012-05-21 two over 20.01"
        ]
    );
    let too_much = Command::SteerDunning {
        account: "alice".into(),
        steer: promise(Some("99.00")),
    };
    assert_eq!(book.refused(too_much), "PROMISE_INVALID");
}

#[test]
fn a_pause_with_an_end_ends_by_itself() {
    let mut book = dunned(vec![level("one", 5, &[])]);
    book.invoice("60.00");
    let (reason, until) = ("holiday".to_string(), d("2012-05-20"));
    steer(&mut book, Steer::PauseUntil { reason, until });
    assert_eq!(
        check(&mut book, "2012-06-01"),
        ["2012-05-21 resumed", "2012-05-21 one over 60.00"]
    );
}

#[test]
fn an_excluded_invoice_is_not_dunned_and_stopping_excludes_what_is_overdue() {
    let mut book = dunned(vec![level("one", 5, &[DunningAction::Suspend])]);
    subscribe(&mut book, "10.00");
    let invoice = book.invoice("60.00");
    check(&mut book, "2012-05-06");
    let reason = || "complaint".to_string();
    let exclude = Steer::Exclude {
        invoice: invoice.clone(),
        reason: reason(),
    };
    assert_eq!(
        steer(&mut book, exclude),
        ["2012-05-06 excluded", "2012-05-06 cleared"]
    );
    assert_eq!(check(&mut book, "2012-05-10"), Vec::<String>::new());
    steer(&mut book, Steer::Include { invoice });
    assert_eq!(
        check(&mut book, "2012-05-10"),
        ["2012-05-10 one over 60.00", "2012-05-10 suspended s"]
    );
    let (stop, restore) = (reason(), false);
    assert_eq!(
        steer(
            &mut book,
            Steer::Stop {
                reason: stop,
                restore
            }
        ),
        ["2012-05-10 stopped"]
    );
    assert_eq!(stage(&book), Stage::Paused, "restoring was not asked for");
    assert_eq!(check(&mut book, "2012-06-10"), Vec::<String>::new());
    assert_eq!(
        steer(&mut book, Steer::Restore { reason: reason() }),
        ["2012-06-10 restored s"]
    );
    assert_eq!(stage(&book), Stage::Active);
}

#[test]
fn a_switched_policy_begins_where_the_old_one_was() {
    let mut book = dunned(vec![level("a", 5, &[]), level("b", 20, &[])]);
    let levels = vec![level("x", 3, &[]), level("y", 6, &[]), level("z", 9, &[])];
    book.ask(Command::SetDunningPolicy {
        policy: "mild".into(),
        levels,
    })
    .expect("policy");
    book.invoice("60.00");
    check(&mut book, "2012-05-06");
    let (policy, reason) = ("mild".to_string(), "new terms".to_string());
    assert_eq!(
        steer(&mut book, Steer::Switch { policy, reason }),
        ["2012-05-06 switched with x"]
    );
    assert_eq!(
        check(&mut book, "2012-06-01"),
        ["2012-05-07 y over 60.00", "2012-05-10 z over 60.00"]
    );
}

#[test]
fn a_reminder_asks_for_a_message_about_what_is_overdue() {
    let notice = Notice {
        template: "last-warning".into(),
        language: Some("fr".into()),
        ..Notice::default()
    };
    let mut book = dunned(vec![level(
        "warn",
        5,
        &[
            DunningAction::Remind,
            DunningAction::Send(notice),
            DunningAction::Fee(decimal("5")),
        ],
    )]);
    let invoice = book.invoice("60.00");
    check(&mut book, "2012-05-08");
    let messages = &book.tenant().tables.messages;
    let asks: Vec<_> = messages.values().map(|m| &m.state.ask).collect();
    let texts: Vec<&str> = asks.iter().map(|a| a.template.as_str()).collect();
    assert_eq!(texts, ["reminder", "last-warning"]);
    assert!(asks.iter().all(|a| a.about == [invoice.clone()]));
    assert!(asks.iter().all(|a| a.on == d("2012-05-06")));
    assert_eq!(asks[1].language.as_deref(), Some("fr"));
    assert_eq!(asks[0].values["open"], "60.00 USD");
    assert_eq!(asks[0].values["fee"], "5.00 USD", "it says what it costs");
    assert_eq!(asks[0].values["days"], "5");
}

#[test]
fn a_payment_after_the_levels_day_does_not_skip_the_level_that_nobody_had_asked_for() {
    let fee = DunningAction::Fee(decimal("5"));
    let mut book = dunned(vec![level("late", 5, &[fee])]);
    book.invoice("60.00");
    assert_eq!(
        pay(&mut book, "2012-05-08", "60.00", None),
        [
            "2012-05-06 late over 60.00",
            "2012-05-06 fee dun.alice.1.1 5.00",
            "2012-05-08 cleared"
        ]
    );
    assert_eq!(
        pay(&mut book, "2012-05-08", "1.00", None),
        Vec::<String>::new()
    );
}

#[test]
fn a_preview_says_what_a_day_would_bring_and_writes_nothing() {
    let mut book = dunned(vec![level("late", 5, &[DunningAction::Remind])]);
    book.invoice("60.00");
    let before = book.tenant().clone();
    let on = |day: &str| {
        let made = indelible_domain::operations::preview_dunning(&before, d(day), None, 10);
        made.into_iter()
            .map(|p| (p.account, p.events.expect("is possible").len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(on("2012-05-05"), vec![]);
    // The episode, the level, the reminder.
    assert_eq!(on("2012-05-06"), vec![("alice".to_string(), 3)]);
    assert_eq!(*book.tenant(), before);
}
