//! The agenda finds what is to be done without looking at anybody else, and is the same after a replay.

use crate::book::{Book, d, run};
use indelible_domain::command::{ChangeSubscription, DunningAction, DunningLevel, Effective};
use indelible_domain::kernel::{Meta, Recorded, Zone};
use indelible_domain::processes::agenda::{Agenda, Timer, due, tick_commands};
use indelible_domain::subscriptions::Unused;
use indelible_domain::{Command, Session, World, operations};

/// The agenda that a replay of the log makes.
pub fn replayed(book: &Book) -> Agenda {
    let mut world = World::default();
    for (n, (id, event)) in (1..).zip(&book.log) {
        world.apply(&Recorded {
            position: n,
            tenant: "t".into(),
            kind: event.kind().into(),
            id: id.clone(),
            version: n,
            event: event.clone(),
            meta: Meta::default(),
        });
    }
    world.tenant("t").agenda.clone()
}

/// Everybody who has something due is on the agenda by then, on every day of the next months.
pub fn misses_nobody(book: &Book) {
    let session = Session::new(book.tenant(), book.now());
    for days in [0, 1, 20, 45] {
        let day = indelible_domain::kernel::calendar::add_days(book.today, days);
        for (account, entry) in &book.tenant().tables.accounts {
            if entry.state.terms.payer.is_some() {
                continue;
            }
            let mut waiting = book
                .tenant()
                .agenda
                .through(day)
                .filter(|(_, t)| matches!(t, Timer::Bill { .. }));
            let paid_by =
                |who: &str| book.tenant().tables.accounts[who].state.terms.payer(who) == account;
            let is_due = operations::preview(&session, account, day)
                .expect("previews")
                .is_some();
            let waits = waiting.any(|(_, t)| paid_by(t.account()));
            assert!(
                waits || !is_due,
                "{account} has something due on {day} that the agenda does not know"
            );
        }
    }
}

fn timer(book: &Book) -> Option<String> {
    let dun = Timer::Dun {
        account: "alice".into(),
    };
    book.tenant().agenda.day(&dun).map(|day| day.to_string())
}

#[test]
fn the_dunning_timer_follows_what_is_open() {
    let mut book = Book::new();
    let level = |name: &str, after_days| DunningLevel {
        name: name.into(),
        after_days,
        minimum: None,
        actions: vec![DunningAction::Remind],
    };
    let levels = vec![level("first", 5), level("second", 10)];
    book.ask(Command::SetDunningPolicy {
        policy: "strict".into(),
        levels,
    })
    .expect("policy is set");
    let invoice = book.invoice("20.00");
    assert_eq!(timer(&book), None, "nobody chose the policy");
    let mut terms = book.tenant().tables.entities["arms"].state.terms.clone();
    terms.dunning_policy = Some("strict".into());
    book.ask(Command::ChangeEntity {
        entity: "arms".into(),
        terms,
    })
    .expect("entity changes");
    assert_eq!(timer(&book), Some("2012-05-06".into()));
    assert_eq!(tick_commands(book.tenant(), book.now()), vec![]);
    book.on("2012-05-06");
    let ticks = tick_commands(book.tenant(), book.now());
    assert_eq!(ticks.len(), 1);
    assert!(
        ticks[0].0.starts_with("dun:alice:2012-05-06:"),
        "{}",
        ticks[0].0
    );
    book.ask(ticks[0].1.clone()).expect("duns");
    assert_eq!(timer(&book), Some("2012-05-11".into()));
    assert_eq!(tick_commands(book.tenant(), book.now()), vec![]);
    book.pay("20.00", Some(&invoice));
    assert_eq!(timer(&book), None);
    assert_eq!(replayed(&book), book.tenant().agenda);
}

#[test]
fn a_timer_comes_on_the_day_of_its_accounts_zone() {
    let mut book = Book::new();
    book.open("kiwi", |terms| {
        terms.zone = "Pacific/Auckland".parse::<Zone>().expect("zone")
    });
    for account in ["alice", "kiwi"] {
        let charge = Command::AddCharge {
            account: account.into(),
            charge: format!("c-{account}"),
            text: "service".into(),
            amount: crate::book::usd("1.00"),
            on: Some(d("2012-06-01")),
            tax_class: "standard".into(),
        };
        book.ask(charge).expect("charge is added");
    }
    let evening: indelible_domain::kernel::Instant =
        "2012-05-31T20:00:00Z".parse().expect("instant");
    let kiwi = (
        d("2012-06-01"),
        Timer::Bill {
            account: "kiwi".into(),
        },
    );
    assert_eq!(due(book.tenant(), evening), vec![kiwi]);
}

const LINES: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "Fee"
every = "1 month"
timing = "arrears"
price = { flat = "10" }

[[offer]]
code = "ahead"
name = "Ahead"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "Fee"
every = "1 month"
price = { flat = "10" }

[[offer]]
code = "set-up"
name = "Set-up"
currency = "USD"
[[offer.one_off]]
code = "set-up"
name = "Set-up"
on = "activation"
amount = "5"
[[offer.recurring]]
code = "fee"
name = "Fee"
every = "1 month"
timing = "arrears"
price = { flat = "10" }
"#;

fn bill_day(book: &Book) -> Option<String> {
    let bill = Timer::Bill {
        account: "alice".into(),
    };
    book.tenant().agenda.day(&bill).map(|day| day.to_string())
}

#[test]
fn a_new_contract_is_looked_at_when_its_first_charge_is_due() {
    for (offer, day) in [
        ("line", "2012-06-01"),
        ("ahead", "2012-05-01"),
        ("set-up", "2012-05-01"),
    ] {
        let mut book = Book::new();
        book.sells(LINES);
        book.start("s", offer);
        assert_eq!(bill_day(&book), Some(day.into()), "{offer}");
        misses_nobody(&book);
        assert_eq!(replayed(&book), book.tenant().agenda);
        let listed = run(&mut book, "run").accounts;
        assert_eq!(listed.is_empty(), offer == "line", "{offer}");
    }
}

#[test]
fn an_account_for_which_a_run_found_nothing_is_not_looked_at_again_before_something_is_due() {
    let mut book = Book::new();
    book.sells(LINES);
    book.start("s", "line");
    let change = ChangeSubscription {
        subscription: "s".into(),
        offer: None,
        quantity: Some(2.into()),
        billing_day: None,
        overrides: Default::default(),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    };
    book.ask(Command::ChangeSubscription(Box::new(change)))
        .expect("changes");
    assert_eq!(bill_day(&book), Some("2012-05-01".into()));
    let first = run(&mut book, "first");
    assert_eq!((first.accounts.len(), first.billed.len()), (1, 0));
    assert_eq!(bill_day(&book), Some("2012-06-01".into()));
    assert!(run(&mut book, "second").accounts.is_empty());
    misses_nobody(&book);
    assert_eq!(replayed(&book), book.tenant().agenda);
    book.on("2012-06-01");
    assert_eq!(run(&mut book, "third").billed.len(), 1);
}
