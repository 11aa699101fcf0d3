//! Wallets as a payment method, and top-ups whose money goes back.

use crate::book::{Book, d, sums, usd};
use indelible_domain::Command;
use indelible_domain::collections::{Collection, Rules, Stage as Round};
use indelible_domain::command::{AddMethod, Collect, GrantWallet};
use indelible_domain::kernel::{Decimal, Id};
use indelible_domain::methods::{Card, Means, Month};
use indelible_domain::payments::Answer;
use indelible_domain::processes::agenda;
use indelible_domain::wallets::{Funding, Terms, Unit, Wallet};

fn card() -> Means {
    Means::Card(Card {
        gateway: "test".into(),
        token: "tok_1".into(),
        customer: None,
        brand: "visa".into(),
        last4: "4242".into(),
        expires: Month {
            year: 2030,
            month: 1,
        },
    })
}

fn add(book: &mut Book, method: &str, means: Means) {
    book.ask(Command::AddMethod(Box::new(AddMethod {
        account: "alice".into(),
        method: method.into(),
        means,
        preferred: false,
    })))
    .expect("is added");
}

/// Alice, with a wallet that is her first payment method and holds so much.
fn book(units: &str) -> Book {
    let mut book = Book::new();
    let open = Command::OpenWallet {
        wallet: "w".into(),
        account: "alice".into(),
        priority: 0,
    };
    book.ask(open).expect("opens");
    give(&mut book, "g", units, Funding::Paid);
    add(&mut book, "purse", Means::Wallet("w".into()));
    book
}

fn give(book: &mut Book, grant: &str, units: &str, funding: Funding) {
    let units: Decimal = units.parse().expect("a number");
    if units.is_zero() {
        return;
    }
    book.ask(Command::GrantWallet(Box::new(GrantWallet {
        wallet: "w".into(),
        grant: grant.into(),
        units,
        funding,
        ..GrantWallet::default()
    })))
    .expect("is granted");
}

fn collect(book: &mut Book, id: &str, invoice: &str) {
    let ask = Collect {
        collection: id.into(),
        account: "alice".into(),
        invoice: Some(invoice.into()),
        method: None,
    };
    book.ask(Command::Collect(ask)).expect("is asked for");
}

fn collection(book: &Book, id: &str) -> Collection {
    book.tenant().tables.collections[id].state.clone()
}

fn wallet(book: &Book) -> Wallet {
    book.tenant().tables.wallets["w"].state.clone()
}

fn balance(book: &Book) -> String {
    wallet(book).balance(book.today).to_string()
}

fn limit(book: &mut Book, limit: &str) {
    let terms = Terms {
        credit_limit: limit.parse().expect("a number"),
        ..Terms::default()
    };
    let change = Command::ChangeWallet {
        wallet: "w".into(),
        terms: Box::new(terms),
    };
    book.ask(change).expect("is agreed");
}

#[test]
fn a_wallet_is_collected_from_in_the_commit_that_asks_and_no_provider_is_called() {
    let mut book = book("50.00");
    let invoice = book.invoice("20.00");
    collect(&mut book, "c1", &invoice);
    assert_eq!(book.owes(), sums("0.00", "0.00"));
    assert_eq!(balance(&book), "30");
    assert_eq!(collection(&book, "c1").stage, Round::Collected);
    assert!(book.tenant().tables.payments.is_empty());
    // Void, everything is back where it came from.
    book.void(&invoice).expect("is voided");
    assert_eq!(
        (balance(&book).as_str(), book.owes()),
        ("50", sums("0.00", "0.00"))
    );
}

#[test]
fn what_a_wallet_lacks_goes_on_with_the_next_method_at_once() {
    let mut book = book("8.00");
    add(&mut book, "visa", card());
    let invoice = book.invoice("20.00");
    collect(&mut book, "c1", &invoice);
    assert_eq!(
        (balance(&book).as_str(), book.open_of(&invoice)),
        ("0", "12.00".into())
    );
    let attempts = collection(&book, "c1").attempts;
    let amounts: Vec<_> = attempts
        .iter()
        .map(|a| (a.method.as_str(), a.amount))
        .collect();
    assert_eq!(amounts, [("purse", usd("8.00")), ("visa", usd("12.00"))]);
    book.ask(Command::SendPayment {
        payment: "c1.2".into(),
        again: false,
    })
    .expect("is sent");
    let reference = "ch_1".to_string();
    book.ask(Command::AnswerPayment {
        payment: "c1.2".into(),
        answer: Answer::Settled { reference },
    })
    .expect("is answered");
    assert_eq!(collection(&book, "c1").stage, Round::Collected);
    assert_eq!(book.owes(), sums("0.00", "0.00"));
}

#[test]
fn a_wallet_without_another_method_behind_it_is_asked_again_by_the_schedule() {
    let mut book = book("8.00");
    let invoice = book.invoice("20.00");
    collect(&mut book, "c1", &invoice);
    assert_eq!(book.open_of(&invoice), "12.00");
    let next = match collection(&book, "c1").stage {
        Round::Waiting { next, method } => (next, method),
        other => panic!("{other:?}"),
    };
    assert_eq!(next, (d("2012-05-04"), "purse".to_string()));
    give(&mut book, "h", "100.00", Funding::Paid);
    book.days_later(3);
    for (_, command) in agenda::tick_commands(book.tenant(), book.now()) {
        book.ask(command).expect("ticks");
    }
    assert_eq!(collection(&book, "c1").stage, Round::Collected);
    // Twice from one wallet for one invoice: two credits, each of its own name.
    assert_eq!(
        (balance(&book).as_str(), book.owes()),
        ("88", sums("0.00", "0.00"))
    );
    book.void(&invoice).expect("is voided");
    assert_eq!(balance(&book), "108");
}

#[test]
fn what_is_due_is_taken_from_a_preferred_wallet_without_being_asked() {
    let mut book = book("50.00");
    book.ask(Command::SetCollectionRules {
        entity: "arms".into(),
        rules: Rules {
            automatic: true,
            ..Rules::default()
        },
    })
    .expect("is set");
    book.invoice("20.00");
    for (_, command) in agenda::tick_commands(book.tenant(), book.now()) {
        book.ask(command).expect("ticks");
    }
    assert_eq!(
        (balance(&book).as_str(), book.owes()),
        ("30", sums("0.00", "0.00"))
    );
}

#[test]
fn a_wallet_pays_down_to_its_limit_and_only_what_it_is_for() {
    let mut book = book("5.00");
    limit(&mut book, "10");
    let invoice = book.invoice("20.00");
    collect(&mut book, "c1", &invoice);
    assert_eq!(
        (balance(&book).as_str(), book.open_of(&invoice)),
        ("-10", "5.00".into())
    );
    let mut narrow = Terms::default();
    narrow.targets.metrics.insert("voice".into());
    let change = Command::ChangeWallet {
        wallet: "w".into(),
        terms: Box::new(narrow),
    };
    book.ask(change).expect("is agreed");
    give(&mut book, "h", "50.00", Funding::Paid);
    let other = book.invoice("7.00");
    collect(&mut book, "c2", &other);
    assert_eq!(book.open_of(&other), "7.00");
}

/// A top-up of 10 that is paid by a payment.
fn topped_up() -> (Book, Id) {
    let mut book = book("0");
    give(&mut book, "top", "10.00", Funding::Invoice);
    let payment = book.pay("10.00", Some("w.top"));
    assert_eq!(balance(&book), "10");
    (book, payment)
}

/// Takes money of the wallet for an invoice of its own.
fn spend(book: &mut Book, amount: &str) {
    let invoice = book.invoice(amount);
    collect(book, &format!("s{amount}"), &invoice);
}

#[test]
fn a_top_up_whose_money_goes_back_is_taken_out_and_is_there_again_when_it_is_paid_again() {
    let (mut book, payment) = topped_up();
    book.refund(&payment, Some("4.00"));
    assert_eq!(
        (balance(&book).as_str(), book.owes()),
        ("6", sums("4.00", "0.00"))
    );
    book.ask(Command::ChargeBackPayment {
        payment,
        amount: None,
        reason: "fraud".into(),
    })
    .expect("is charged back");
    assert_eq!(
        (balance(&book).as_str(), book.owes()),
        ("0", sums("10.00", "0.00"))
    );
    book.pay("10.00", Some("w.top"));
    assert_eq!(
        (balance(&book).as_str(), book.owes()),
        ("10", sums("0.00", "0.00"))
    );
    assert!(wallet(&book).revoked.is_empty());
}

#[test]
fn what_is_spent_of_a_top_up_stays_owed_on_its_invoice() {
    let (mut book, payment) = topped_up();
    spend(&mut book, "7.00");
    book.ask(Command::ChargeBackPayment {
        payment,
        amount: None,
        reason: "fraud".into(),
    })
    .expect("a charge-back is never refused");
    assert_eq!(
        (balance(&book).as_str(), book.open_of("w.top")),
        ("0", "10.00".into())
    );
    // Paid after all, what was taken out is there again, and no more.
    book.pay("10.00", Some("w.top"));
    assert_eq!(balance(&book), "3");
}

#[test]
fn a_credited_top_up_is_taken_out_whole_down_to_the_credit_limit_or_the_credit_is_refused() {
    let (mut book, _) = topped_up();
    spend(&mut book, "7.00");
    let credit = |amount: Option<&str>, note: &str| Command::CreditInvoice {
        note: note.into(),
        invoice: "w.top".into(),
        parts: vec![(1, amount.map(usd))],
        reason: "asked".into(),
    };
    assert_eq!(book.refused(credit(None, "n1")), "TOP_UP_SPENT");
    book.ask(credit(Some("2.00"), "n2")).expect("that is there");
    assert_eq!(balance(&book), "1");
    limit(&mut book, "5");
    assert_eq!(book.refused(credit(None, "n3")), "TOP_UP_SPENT");
    limit(&mut book, "7");
    book.ask(credit(None, "n4")).expect("is credited");
    assert_eq!(
        (balance(&book).as_str(), book.owes()),
        ("-7", sums("-10.00", "10.00"))
    );
}

#[test]
fn other_money_of_the_wallet_stands_in_for_what_is_spent_of_a_voided_top_up() {
    let (mut book, payment) = topped_up();
    spend(&mut book, "7.00");
    book.refund(&payment, None);
    assert_eq!(balance(&book), "0");
    assert_eq!(
        book.void("w.top").expect_err("7 of it are spent").code,
        "TOP_UP_SPENT"
    );
    give(&mut book, "h", "20.00", Funding::Paid);
    book.void("w.top").expect("is voided");
    assert_eq!(
        (balance(&book).as_str(), book.owes()),
        ("13", sums("0.00", "0.00"))
    );
}

#[test]
fn of_a_top_up_that_was_credited_in_parts_before_it_was_paid_only_the_rest_is_there() {
    let mut book = book("0");
    give(&mut book, "top", "10.00", Funding::Invoice);
    book.credit("w.top", Some("4.00"));
    book.pay("6.00", Some("w.top"));
    assert_eq!(
        (balance(&book).as_str(), book.owes()),
        ("6", sums("0.00", "0.00"))
    );
}

#[test]
fn a_part_of_a_paid_top_up_that_is_credited_is_taken_out_of_the_wallet() {
    let mut book = book("0");
    give(&mut book, "top", "15.00", Funding::Invoice);
    book.pay("15.00", Some("w.top"));
    book.credit("w.top", Some("5.00"));
    assert_eq!(
        (balance(&book).as_str(), book.owes()),
        ("10", sums("-5.00", "5.00")),
        "P-I09"
    );
    // The source refuses a credit note of a top-up that is not paid; here less is asked for, and less will be there.
    give(&mut book, "next", "15.00", Funding::Invoice);
    book.credit("w.next", Some("5.00"));
    assert_eq!(balance(&book), "10");
    assert_eq!(book.open_of("w.next"), "5.00");
}

#[test]
fn a_top_up_in_units_is_cut_to_whole_minor_units_and_one_of_nothing_is_refused() {
    let worth = |currency: &str, rate: &str, units: &str| {
        let mut book = Book::new();
        book.open("bob", |terms| {
            terms.currency = currency.parse().expect("a currency");
        });
        let open = Command::OpenWallet {
            wallet: "w".into(),
            account: "bob".into(),
            priority: 0,
        };
        book.ask(open).expect("opens");
        let unit = Unit {
            name: "credit".into(),
            rate: rate.parse().expect("a number"),
        };
        let terms = Terms {
            unit: Some(unit),
            ..Terms::default()
        };
        let change = Command::ChangeWallet {
            wallet: "w".into(),
            terms: Box::new(terms),
        };
        book.ask(change).expect("is agreed");
        let grant = GrantWallet {
            wallet: "w".into(),
            grant: "g".into(),
            units: units.parse().expect("a number"),
            funding: Funding::Paid,
            ..GrantWallet::default()
        };
        match book.ask(Command::GrantWallet(Box::new(grant))) {
            Ok(_) => balance(&book),
            Err(refused) => refused.code,
        }
    };
    // P-M03.
    assert_eq!(worth("JPY", "1", "4.39999"), "4");
    assert_eq!(worth("EUR", "100", "4.3789"), "437.89");
    assert_eq!(worth("KWD", "0.001", "1"), "0.001");
    assert_eq!(worth("EUR", "0.01", "0.4"), "AMOUNT_NOT_POSITIVE");
}
