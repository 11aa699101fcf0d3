//! Money that comes in finds its account, or waits for somebody who knows.

use crate::book::{Book, d, sums, usd};
use indelible_domain::Command;
use indelible_domain::cash::reference::creditor_reference;
use indelible_domain::command::ReceiveCash;
use indelible_domain::invoices::Invoice;
use indelible_domain::receivables::Receivables;
use indelible_domain::world::Noun;

fn money(payment: &str, amount: &str, reference: &str) -> ReceiveCash {
    ReceiveCash {
        payment: payment.into(),
        entity: "arms".into(),
        account: None,
        amount: usd(amount),
        value_date: d("2012-05-02"),
        reference: reference.into(),
        payer: None,
        method: "transfer".into(),
    }
}

fn receive(book: &mut Book, cash: ReceiveCash) -> String {
    let outcome = book
        .ask(Command::ReceiveCash(Box::new(cash)))
        .expect("is received");
    outcome.touched[0].0.clone()
}

fn number(book: &Book, invoice: &str) -> String {
    <Invoice as Noun>::table(&book.tenant().tables)[invoice]
        .state
        .number
        .clone()
}

fn waiting(book: &Book) -> usize {
    let desk = book.tenant().tables.cash.get("arms");
    desk.map_or(0, |d| d.state.unallocated.len())
}

#[test]
fn numbers_in_the_text_say_whose_money_is_and_what_it_pays_first() {
    let mut book = Book::new();
    let (first, second) = (book.invoice("7.00"), book.invoice("5.00"));
    let text = format!("for {} thanks", number(&book, &second).replace('-', " "));
    assert_eq!(receive(&mut book, money("m1", "6.00", &text)), "payment");
    assert_eq!(
        (book.open_of(&first), book.open_of(&second)),
        sums("6.00", "0.00")
    );
}

#[test]
fn one_payment_pays_every_invoice_it_names() {
    let mut book = Book::new();
    let (first, second, third) = (
        book.invoice("7.00"),
        book.invoice("5.00"),
        book.invoice("4.00"),
    );
    let text = format!("{}/{}", number(&book, &second), number(&book, &third));
    receive(&mut book, money("m1", "9.00", &text));
    assert_eq!(book.open_of(&first), "7.00");
    assert_eq!(
        (book.open_of(&second), book.open_of(&third)),
        sums("0.00", "0.00")
    );
}

#[test]
fn a_creditor_reference_says_whose_money_is() {
    let mut book = Book::new();
    let (_, second) = (book.invoice("7.00"), book.invoice("5.00"));
    let text = creditor_reference(&number(&book, &second)).expect("the number fits");
    receive(&mut book, money("m1", "5.00", &text));
    assert_eq!(book.open_of(&second), "0.00");
}

#[test]
fn a_known_bank_account_says_whose_money_is() {
    let mut book = Book::new();
    let invoice = book.invoice("7.00");
    let mut known = money("m1", "2.00", &number(&book, &invoice));
    known.payer = Some("h1".into());
    receive(&mut book, known);
    let mut silent = money("m2", "5.00", "nothing said");
    silent.payer = Some("h1".into());
    assert_eq!(receive(&mut book, silent), "payment");
    assert_eq!(book.open_of(&invoice), "0.00");
}

#[test]
fn money_that_nobody_claims_waits_until_it_is_allocated() {
    let mut book = Book::new();
    let invoice = book.invoice("7.00");
    assert_eq!(
        receive(&mut book, money("m1", "5.00", "Erika Muster")),
        "cash"
    );
    assert_eq!((book.open_of(&invoice), waiting(&book)), ("7.00".into(), 1));
    let again = Command::ReceiveCash(Box::new(money("m1", "5.00", "")));
    assert_eq!(book.refused(again), "PAYMENT_EXISTS");
    book.ask(Command::AllocateCash {
        entity: "arms".into(),
        payment: "m1".into(),
        account: "alice".into(),
        invoices: vec![invoice.clone()],
        exchange: None,
    })
    .expect("is allocated");
    assert_eq!((book.open_of(&invoice), waiting(&book)), ("2.00".into(), 0));
    let again = Command::ReceiveCash(Box::new(money("m1", "5.00", "")));
    assert_eq!(book.refused(again), "PAYMENT_EXISTS");
}

#[test]
fn money_between_two_accounts_names_both_and_waits() {
    let mut book = Book::new();
    book.open("c2", |_| {});
    book.open("c3", |_| {});
    assert_eq!(
        receive(&mut book, money("m1", "5.00", "customers c2 c3")),
        "cash"
    );
    let desk = &book.tenant().tables.cash["arms"].state;
    assert_eq!(desk.unallocated["m1"].candidates, ["c2", "c3"]);
}

#[test]
fn unallocated_money_can_go_back_and_then_is_gone() {
    let mut book = Book::new();
    receive(&mut book, money("m1", "5.00", ""));
    let back = Command::ReturnCash {
        entity: "arms".into(),
        payment: "m1".into(),
        reason: "not for us".into(),
    };
    book.ask(back.clone()).expect("goes back");
    assert_eq!(book.refused(back), "CASH_UNKNOWN");
    let again = Command::ReceiveCash(Box::new(money("m1", "5.00", "")));
    assert_eq!(book.refused(again), "PAYMENT_EXISTS");
}

#[test]
fn what_payers_said_is_forgotten_once_their_payment_is_applied() {
    let mut book = Book::new();
    let invoice = book.invoice("7.00");
    let text = number(&book, &invoice);
    receive(&mut book, money("m1", "5.00", &text));
    let state = &<Receivables as Noun>::table(&book.tenant().tables)["alice"].state;
    assert!(state.remittances.is_empty());
}
