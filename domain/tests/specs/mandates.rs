//! What a mandate allows, and what the bank is told of it.

use crate::bank_files::{collecting, draw, file, mandate, sealed, stage};
use crate::book::{Book, d, usd};
use indelible_domain::Command;
use indelible_domain::bank::{Order, Sequence, Terms};
use indelible_domain::command::RecordPayment;
use indelible_domain::methods::{MandateTerm, Means};
use indelible_domain::payments::Stage;

fn ask(book: &mut Book, payment: &str) {
    let invoice = book.invoice("7.00");
    book.ask(Command::RecordPayment(RecordPayment {
        payment: payment.into(),
        account: "alice".into(),
        amount: usd("7.00"),
        invoice: Some(invoice),
        method: "direct-debit".into(),
        pending: true,
    }))
    .expect("is recorded");
}

fn term(book: &mut Book, term: MandateTerm) {
    book.ask(Command::SetMandateTerm {
        account: "alice".into(),
        method: "debit".into(),
        term,
    })
    .expect("is set");
}

fn sequences(book: &Book, of: &str) -> Vec<Sequence> {
    let items = file(book, of).items;
    let sequences = items.iter().filter_map(|item| match &item.order {
        Order::Debit { sequence, .. } => Some(*sequence),
        Order::Transfer { .. } => None,
    });
    sequences.collect()
}

fn change(book: &mut Book, means: Means) {
    book.ask(Command::ChangeMethod {
        account: "alice".into(),
        method: "debit".into(),
        means: Box::new(means),
    })
    .expect("is changed");
}

#[test]
fn a_mandate_for_one_collection_has_one() {
    let mut book = collecting(&["7.00", "5.00"]);
    term(&mut book, MandateTerm::Once);
    draw(&mut book, "f1").expect("is drawn");
    assert_eq!(sequences(&book, "f1"), [Sequence::OneOff]);
    assert_eq!(
        (stage(&book, "c1"), stage(&book, "c2")),
        (Stage::Pending, Stage::Failed)
    );
}

#[test]
fn the_last_collection_is_final_and_none_comes_after_it() {
    let mut book = collecting(&["7.00"]);
    draw(&mut book, "f1").expect("is drawn");
    term(&mut book, MandateTerm::Last);
    ask(&mut book, "c2");
    ask(&mut book, "c3");
    draw(&mut book, "f2").expect("is drawn");
    assert_eq!(
        sequences(&book, "f2"),
        [Sequence::Recurring, Sequence::Final]
    );
    ask(&mut book, "c4");
    let outcome = draw(&mut book, "f3");
    assert_eq!(outcome, Ok(0), "the refusal is kept, no file is drawn");
    assert_eq!(stage(&book, "c4"), Stage::Failed);
    let withdraw = Command::WithdrawBankFile {
        file: "f2".into(),
        reason: "lost".into(),
    };
    book.ask(withdraw).expect("is withdrawn");
    draw(&mut book, "f4").expect("is drawn");
    assert_eq!(
        sequences(&book, "f4"),
        [Sequence::Recurring, Sequence::Final]
    );
}

#[test]
fn a_mandate_that_was_not_used_for_36_months_is_over() {
    let mut book = collecting(&["7.00"]);
    draw(&mut book, "f1").expect("is drawn");
    let last = file(&book, "f1").items[0].on;
    assert_eq!(last.to_string().get(..4), Some("2012"));
    book.on("2015-04-20");
    ask(&mut book, "c2");
    draw(&mut book, "f2").expect("is drawn: the lead time ends in time");
    book.on("2018-06-01");
    ask(&mut book, "c3");
    assert_eq!(draw(&mut book, "f3"), Ok(0));
    assert_eq!(stage(&book, "c3"), Stage::Failed);
}

#[test]
fn a_changed_mandate_is_amended_once_and_goes_on_as_it_was() {
    let mut book = collecting(&["7.00"]);
    draw(&mut book, "f1").expect("is drawn");
    assert!(file(&book, "f1").amendments.is_empty());
    let Means::DirectDebit(mut renamed) = mandate("M-2") else {
        panic!("a mandate")
    };
    renamed.bank = sealed("5");
    change(&mut book, Means::DirectDebit(renamed));
    let terms = Terms {
        creditor_id: Some("DE97ZZZ00000000001".into()),
        ..book_terms(&book)
    };
    book.ask(Command::ChangeBankAccount {
        bank: "main".into(),
        terms: Box::new(terms),
    })
    .expect("is changed");
    ask(&mut book, "c2");
    ask(&mut book, "c3");
    draw(&mut book, "f2").expect("is drawn");
    assert_eq!(
        sequences(&book, "f2"),
        [Sequence::Recurring, Sequence::Recurring]
    );
    let amendments = file(&book, "f2").amendments;
    let amendment = &amendments["c2"];
    assert_eq!(amendments.len(), 1, "the second collection says nothing");
    assert_eq!(amendment.mandate.as_deref(), Some("M-1"));
    assert_eq!(amendment.creditor_id.as_deref(), Some("DE98ZZZ09999999999"));
    let account = amendment.account.as_ref().expect("the account it was for");
    assert_eq!(account.hash, "0".repeat(64));
    ask(&mut book, "c4");
    draw(&mut book, "f3").expect("is drawn");
    assert!(file(&book, "f3").amendments.is_empty(), "the bank knows");
}

#[test]
fn a_mandate_signed_anew_is_another_one() {
    let mut book = collecting(&["7.00"]);
    draw(&mut book, "f1").expect("is drawn");
    let Means::DirectDebit(mut signed) = mandate("M-2") else {
        panic!("a mandate")
    };
    signed.signed = d("2012-04-01");
    change(&mut book, Means::DirectDebit(signed));
    ask(&mut book, "c2");
    draw(&mut book, "f2").expect("is drawn");
    assert_eq!(sequences(&book, "f2"), [Sequence::First]);
    assert!(file(&book, "f2").amendments.is_empty());
}

fn book_terms(book: &Book) -> Terms {
    use indelible_domain::bank::BankAccount;
    use indelible_domain::world::Noun;
    <BankAccount as Noun>::table(&book.tenant().tables)["main"]
        .state
        .terms
        .clone()
}
