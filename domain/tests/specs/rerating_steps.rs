//! A rerating that is interrupted goes on where it stood, and what it gave back is remembered by what was billed.

use crate::book::{Book, d, usd};
use crate::ingest::{book, record, send};
use crate::rerating::{OFFER, ask, bill, documents, price, rerate, undo, used};
use indelible_domain::command::StartSubscription;
use indelible_domain::kernel::{Decimal, Money};
use indelible_domain::mediation::UsageRecord;
use indelible_domain::past::Memory;
use indelible_domain::reratings::{Ask, Change, Stage};
use indelible_domain::{Command, Event, World};
use std::collections::{BTreeMap, HashMap};

fn cheaper(text: &str) -> Ask {
    let change = Change::Price {
        charge: "data".into(),
        price: price(text),
    };
    ask("2012-05-01", "2012-06-01", change)
}

fn begin(asked: &Ask) -> Command {
    Command::Rerate {
        rerating: "r1".into(),
        ask: Box::new(asked.clone()),
        add: None,
    }
}

fn take_back() -> Command {
    Command::UndoRerating {
        rerating: "r1".into(),
        reason: "no".into(),
    }
}

/// Goes through the steps of a command, at most so many commits; the answer is how many there were.
fn go(book: &mut Book, command: Command, most: usize) -> usize {
    if most == 0 {
        return 0;
    }
    book.ask(command).expect("is asked for");
    let step = Command::StepRerating {
        rerating: "r1".into(),
    };
    let mut commits = 1;
    while commits < most {
        commits += 1;
        if book.ask(step.clone()).expect("a step").left == 0 {
            break;
        }
    }
    commits
}

/// The same book, read from its log alone.
fn reopened(book: &Book) -> Book {
    let (mut world, mut past) = (World::default(), Memory::default());
    let mut versions: HashMap<(&str, &str), u64> = HashMap::new();
    for (id, event) in &book.log {
        let version = versions.entry((event.kind(), id)).or_default();
        *version += 1;
        world.fold("t", id, *version, event);
        past.learn(id, event);
    }
    let mut reopened = book.over(world);
    reopened.past = past;
    reopened
}

/// Three lines of two payers, each with 5 GB and 25 minutes in May, invoiced.
fn three() -> Book {
    let mut book = book(OFFER);
    book.open("carl", |_| {});
    for (id, account) in [("line-2", "berta"), ("line-3", "carl")] {
        let start = StartSubscription {
            subscription: id.into(),
            account: account.into(),
            offer: "line".into(),
            quantity: Decimal::ONE,
            from: Some(d("2012-05-01")),
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: true,
            access: vec![format!("no-{}", &id[5..])],
        };
        book.ask(Command::StartSubscription(Box::new(start)))
            .expect("starts");
    }
    for n in 1..=3 {
        let of = |text: String| UsageRecord {
            access: format!("no-{n}"),
            ..record(&text)
        };
        send(
            &mut book,
            &format!("b{n}"),
            vec![
                of(format!("a{n} data 2012-05-04T10:00:00Z 5")),
                of(format!("c{n} voice 2012-05-04T10:00:00Z 1500")),
            ],
        );
    }
    book.on("2012-06-02");
    bill(&mut book);
    book
}

#[test]
fn stopped_after_any_commit_and_read_from_the_log_it_goes_on_to_the_same_end() {
    let start = three();
    let asked = cheaper("0.70");
    let mut whole = start.over(start.world.clone());
    let commits = go(&mut whole, begin(&asked), usize::MAX);
    assert!(commits > 3, "it takes {commits} commits");
    assert_eq!(documents(&whole, start.log.len()).len(), 2);
    for stop in 0..=commits {
        for repeat in [true, false] {
            let mut book = start.over(start.world.clone());
            go(&mut book, begin(&asked), stop);
            let mut book = reopened(&book);
            assert_eq!(
                book.tenant()
                    .tables
                    .first_difference(&reopened(&book).tenant().tables),
                None
            );
            let command = match repeat || stop == 0 {
                true => begin(&asked),
                false => Command::StepRerating {
                    rerating: "r1".into(),
                },
            };
            go(&mut book, command, usize::MAX);
            assert!(book.log == whole.log, "stopped after {stop} commits");
            go(&mut book, begin(&asked), usize::MAX);
            assert!(book.log == whole.log, "repeated after {stop} commits");
        }
    }
}

#[test]
fn stopped_while_it_is_undone_it_goes_on_to_the_same_end() {
    let mut start = three();
    go(&mut start, begin(&cheaper("0.70")), usize::MAX);
    let mut whole = start.over(start.world.clone());
    let commits = go(&mut whole, take_back(), usize::MAX);
    assert!(commits > 3, "it takes {commits} commits");
    let stage = whole.tenant().tables.reratings["r1"].state.stage;
    assert_eq!(stage, Stage::Undone);
    for stop in 1..=commits {
        let mut book = start.over(start.world.clone());
        go(&mut book, take_back(), stop);
        let mut book = reopened(&book);
        go(&mut book, take_back(), usize::MAX);
        assert!(book.log == whole.log, "stopped after {stop} commits");
        go(&mut book, take_back(), usize::MAX);
        assert!(book.log == whole.log, "repeated after {stop} commits");
    }
}

/// One line with 5 GB in May, invoiced with 5.00.
fn one() -> Book {
    let mut book = book(OFFER);
    send(
        &mut book,
        "b1",
        vec![used("k3 data 2012-05-04T10:00:00Z 5")],
    );
    book.on("2012-06-02");
    bill(&mut book);
    book
}

fn first_invoice(book: &Book) -> String {
    let mut finalised = book.log.iter().filter_map(|(id, event)| match event {
        Event::Invoice(indelible_domain::invoices::Event::Finalised(_)) => Some(id.clone()),
        _ => None,
    });
    finalised.next().expect("was billed")
}

/// Gives back everything that is left of a document; the answer is what that was.
fn give_all_back(book: &mut Book, note: &str, invoice: &str) -> Money {
    let since = book.log.len();
    book.ask(Command::CreditInvoice {
        note: note.into(),
        invoice: invoice.into(),
        parts: vec![(1, None)],
        reason: "goodwill".into(),
    })
    .expect("is credited");
    documents(book, since)[0].total
}

#[test]
fn what_a_rerating_gave_back_cannot_be_given_back_once_more() {
    let mut book = one();
    let invoice = first_invoice(&book);
    rerate(&mut book, "r1", cheaper("0.70")).expect("is rated again");
    assert_eq!(give_all_back(&mut book, "n1", &invoice), usd("-3.50"));
    let state = &book.tenant().tables.invoices[invoice.as_str()].state;
    assert_eq!(state.left(), usd("0"));
}

#[test]
fn two_reratings_that_give_back_are_both_remembered() {
    let mut book = one();
    let invoice = first_invoice(&book);
    rerate(&mut book, "r1", cheaper("0.70")).expect("is rated again");
    rerate(&mut book, "r2", cheaper("0.50")).expect("is rated again");
    assert_eq!(give_all_back(&mut book, "n1", &invoice), usd("-2.50"));
}

#[test]
fn what_undoing_asks_for_again_is_given_back_of_its_own_document() {
    let mut book = one();
    let invoice = first_invoice(&book);
    rerate(&mut book, "r1", cheaper("0.70")).expect("is rated again");
    undo(&mut book, "r1");
    let first = give_all_back(&mut book, "n1", &invoice);
    let second = give_all_back(&mut book, "n2", "r1.undo.berta");
    assert_eq!((first, second), (usd("-3.50"), usd("-1.50")));
}

#[test]
fn what_undoing_takes_back_of_a_debit_is_remembered_by_that_debit() {
    let mut book = one();
    let invoice = first_invoice(&book);
    rerate(&mut book, "r1", cheaper("1.40")).expect("is rated again");
    undo(&mut book, "r1");
    let debit = &book.tenant().tables.invoices["r1.berta"].state;
    assert_eq!((debit.document.total, debit.left()), (usd("2"), usd("0")));
    assert_eq!(give_all_back(&mut book, "n1", &invoice), usd("-5"));
}

#[test]
fn pieces_of_a_period_count_together_against_the_line_that_they_cut() {
    let mut book = one();
    let invoice = first_invoice(&book);
    let change = Change::Price {
        charge: "data".into(),
        price: price("0.10"),
    };
    let asked = ask("2012-05-03", "2012-05-05", change);
    rerate(&mut book, "r1", asked).expect("is rated again");
    // -4.87 + 0.50 + 1.74 of 5.00.
    assert_eq!(give_all_back(&mut book, "n1", &invoice), usd("-2.37"));
}
