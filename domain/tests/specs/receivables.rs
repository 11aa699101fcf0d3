//! Open items, payments and credit (policy 26, 28).

use crate::book::{Book, sums, usd};
use indelible_domain::Command;
use indelible_domain::command::RecordPayment;

#[test]
fn a_payment_on_the_account_pays_the_oldest_first() {
    // S-H03
    let mut book = Book::new();
    let (first, second) = (book.invoice("7.00"), book.invoice("5.00"));
    book.pay("10.00", None);
    assert_eq!(
        (book.open_of(&first), book.open_of(&second)),
        sums("0.00", "2.00")
    );
    assert_eq!(book.owes(), sums("2.00", "0.00"));
}

#[test]
fn a_payment_for_a_named_invoice_leaves_older_ones_open_and_its_rest_pays_them() {
    let mut book = Book::new();
    let (first, second) = (book.invoice("7.00"), book.invoice("5.00"));
    book.pay("5.00", Some(&second));
    assert_eq!(
        (book.open_of(&first), book.open_of(&second)),
        sums("7.00", "0.00")
    );
    book.pay("10.00", Some(&first));
    assert_eq!(book.owes(), sums("-3.00", "3.00"));
}

#[test]
fn credit_larger_than_the_open_invoice_pays_a_part_of_the_next() {
    // S-H01
    let mut book = Book::new();
    let first = book.invoice("249.95");
    book.grant("300.00");
    assert_eq!(book.open_of(&first), "0.00");
    assert_eq!(book.owes(), sums("-50.05", "50.05"));
    let second = book.days_later(30).invoice("249.95");
    assert_eq!(book.open_of(&second), "199.90");
    book.pay("199.90", Some(&second));
    assert_eq!(book.owes(), sums("0.00", "0.00"));
}

#[test]
fn a_charge_back_reopens_what_the_payment_paid() {
    // S-H05, S-H07
    let mut book = Book::new();
    let invoice = book.invoice("249.95");
    let payment = book.pay("10.00", Some(&invoice));
    assert_eq!(book.open_of(&invoice), "239.95");
    book.ask(Command::ChargeBackPayment {
        payment,
        amount: None,
        reason: "disputed".into(),
    })
    .expect("is charged back");
    assert_eq!(book.open_of(&invoice), "249.95");
    assert_eq!(book.owes(), sums("249.95", "0.00"));
}

#[test]
fn a_full_refund_reopens_the_invoice_and_a_credit_note_for_it_closes_it() {
    // S-H09
    let mut book = Book::new();
    let invoice = book.invoice("233.82");
    let payment = book.pay("233.82", None);
    book.refund(&payment, None);
    assert_eq!(book.owes(), sums("233.82", "0.00"));
    book.credit(&invoice, None);
    assert_eq!(book.owes(), sums("0.00", "0.00"));
}

#[test]
fn a_pending_payment_counts_for_nothing_and_keeps_credit_away() {
    // S-H11
    let mut book = Book::new();
    let invoice = book.invoice("249.95");
    let payment = book
        .collect("249.95", Some(&invoice))
        .expect("is asked for");
    assert_eq!(book.open_of(&invoice), "249.95");
    book.grant("10.00");
    assert_eq!(book.open_of(&invoice), "249.95");
    assert_eq!(book.owes(), sums("239.95", "10.00"));
    book.settle(&payment);
    assert_eq!(book.open_of(&invoice), "0.00");
    assert_eq!(book.owes(), sums("-10.00", "10.00"));
    book.refund(&payment, Some("13.45"));
    book.credit(&invoice, Some("13.45"));
    assert_eq!(book.open_of(&invoice), "0.00");
    assert_eq!(book.owes(), sums("-10.00", "10.00"));
}

#[test]
fn a_second_collection_of_an_invoice_with_a_pending_payment_is_refused_until_that_fails() {
    let mut book = Book::new();
    let invoice = book.invoice("20.00");
    let payment = book.collect("20.00", Some(&invoice)).expect("is asked for");
    assert_eq!(
        book.collect("20.00", Some(&invoice))
            .expect_err("refused")
            .code,
        "INVOICE_PENDING"
    );
    assert_eq!(
        book.collect("20.00", None).expect_err("refused").code,
        "INVOICE_PENDING"
    );
    assert_eq!(
        book.void(&invoice).expect_err("refused").code,
        "INVOICE_PENDING"
    );
    book.grant("5.00");
    book.fail(&payment);
    assert_eq!(book.open_of(&invoice), "15.00");
    assert!(book.collect("15.00", Some(&invoice)).is_ok());
}

#[test]
fn a_draft_uses_no_credit_until_it_is_finalised() {
    // S-H15
    let mut book = Book::new();
    book.grant("10.00");
    let draft = book.draft("4.00");
    assert_eq!(book.owes(), sums("-10.00", "10.00"));
    book.ask(Command::FinaliseInvoice {
        invoice: draft.clone(),
    })
    .expect("finalises");
    assert_eq!(book.open_of(&draft), "0.00");
    assert_eq!(book.owes(), sums("-6.00", "6.00"));
}

#[test]
fn voiding_returns_the_credit_that_was_used() {
    // S-H17
    let mut book = Book::new();
    book.grant("200.00");
    let (first, _) = (book.invoice("100.00"), book.invoice("50.00"));
    assert_eq!(book.owes(), sums("-50.00", "50.00"));
    book.void(&first).expect("voids");
    assert_eq!(book.owes(), sums("-150.00", "150.00"));
}

#[test]
fn voiding_is_refused_while_a_payment_is_applied() {
    let mut book = Book::new();
    let invoice = book.invoice("20.00");
    let payment = book.pay("5.00", None);
    assert_eq!(
        book.void(&invoice).expect_err("refused").code,
        "INVOICE_PAID"
    );
    book.refund(&payment, None);
    book.void(&invoice).expect("voids");
    assert_eq!(book.owes(), sums("0.00", "0.00"));
}

#[test]
fn what_a_refund_reopens_is_paid_by_credit_at_once() {
    // S-H19
    for (refund, balance, credit) in [("20.00", "0.00", "0.00"), ("7.00", "-13.00", "13.00")] {
        let mut book = Book::new();
        let invoice = book.invoice("20.00");
        let payment = book.pay("20.00", None);
        book.credit(&invoice, None);
        assert_eq!(book.owes(), sums("-20.00", "20.00"));
        book.refund(&payment, Some(refund));
        assert_eq!(book.owes(), sums(balance, credit));
    }
}

#[test]
fn refund_then_credit_ends_like_credit_then_refund() {
    // S-D01, S-D07
    let mut book = Book::new();
    let invoice = book.invoice("500.00");
    let payment = book.pay("500.00", None);
    book.refund(&payment, Some("333.33"));
    assert_eq!(book.open_of(&invoice), "333.33");
    book.invoice("-333.33");
    assert_eq!(book.open_of(&invoice), "0.00");
    assert_eq!(book.owes(), sums("0.00", "0.00"));
}

#[test]
fn a_credit_note_reduces_its_invoice_and_the_rest_is_credit() {
    // S-H21, S-H23
    let mut book = Book::new();
    let invoice = book.invoice("5.00");
    book.credit(&invoice, Some("2.00"));
    assert_eq!(book.owes(), sums("3.00", "0.00"));
    book.pay("1.00", None);
    book.credit(&invoice, None);
    assert_eq!(book.open_of(&invoice), "0.00");
    assert_eq!(book.owes(), sums("-1.00", "1.00"));
}

#[test]
fn a_document_below_zero_is_credit_and_voiding_it_takes_the_credit_back() {
    let mut book = Book::new();
    let note = book.invoice("-30.00");
    let invoice = book.invoice("20.00");
    assert_eq!(book.owes(), sums("-10.00", "10.00"));
    book.void(&note).expect("voids");
    assert_eq!(book.open_of(&invoice), "20.00");
    assert_eq!(book.owes(), sums("20.00", "0.00"));
}

#[test]
fn a_refund_takes_the_unapplied_rest_first_then_the_newest_invoice() {
    let mut book = Book::new();
    let first = book.invoice("10.00");
    let second = book.days_later(1).invoice("10.00");
    let payment = book.pay("25.00", None);
    book.refund(&payment, Some("8.00"));
    assert_eq!(
        (book.open_of(&first), book.open_of(&second)),
        sums("0.00", "3.00")
    );
    book.refund(&payment, None);
    assert_eq!(
        (book.open_of(&first), book.open_of(&second)),
        sums("10.00", "10.00")
    );
    let again = Command::RefundPayment {
        payment,
        amount: Some(usd("0.01")),
        reason: "again".into(),
    };
    assert_eq!(book.refused(again), "REFUND_TOO_LARGE");
}

#[test]
fn money_that_comes_for_a_written_off_invoice_takes_the_write_off_back() {
    let mut book = Book::new();
    let invoice = book.invoice("20.00");
    book.ask(Command::WriteOffInvoice {
        invoice: invoice.clone(),
        reason: "lost".into(),
    })
    .expect("is written off");
    assert_eq!(book.owes(), sums("0.00", "0.00"));
    book.pay("15.00", Some(&invoice));
    let item = book.receivables().item(&invoice).cloned().expect("item");
    assert_eq!((item.open, item.written_off), (usd("0.00"), usd("5.00")));
    assert_eq!(book.owes(), sums("0.00", "0.00"));
}

#[test]
fn another_currency_than_the_accounts_is_refused() {
    let mut book = Book::new();
    let euros = "10.00 EUR".parse().expect("euros");
    let payment = RecordPayment {
        payment: "p".into(),
        account: "alice".into(),
        amount: euros,
        invoice: None,
        method: "cash".into(),
        pending: false,
    };
    assert_eq!(
        book.refused(Command::RecordPayment(payment)),
        "CURRENCY_MISMATCH"
    );
    let credit = Command::GrantCredit {
        account: "alice".into(),
        credit: "g".into(),
        amount: euros,
        reason: "".into(),
    };
    assert_eq!(book.refused(credit), "CURRENCY_MISMATCH");
}

#[test]
fn a_payment_moves_only_from_pending_to_settled_or_failed() {
    let mut book = Book::new();
    book.invoice("20.00");
    let payment = book.collect("20.00", None).expect("is asked for");
    let back = Command::RefundPayment {
        payment: payment.clone(),
        amount: None,
        reason: "early".into(),
    };
    assert_eq!(book.refused(back), "PAYMENT_NOT_SETTLED");
    book.settle(&payment);
    assert_eq!(
        book.refused(Command::SettlePayment { payment }),
        "PAYMENT_NOT_PENDING"
    );
    assert_eq!(
        book.refused(Command::SettlePayment {
            payment: "nobody".into()
        }),
        "PAYMENT_UNKNOWN"
    );
}
