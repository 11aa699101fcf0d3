//! Collections go to the bank in files, and what comes back says what became of each.

use crate::bank::{book, entry, entry_of, fate, import, open_code, part, statement};
use crate::book::{Book, d, usd};
use indelible_domain::Command;
use indelible_domain::bank::entry::{Fate, Returned};
use indelible_domain::bank::{BankFile, Order, Sequence};
use indelible_domain::command::{AddMethod, Collect, ReceivedPart, RecordPayment};
use indelible_domain::kernel::Personal;
use indelible_domain::methods::{Mandate, Means, Scheme, SealedBank};
use indelible_domain::payments::{Answer, Payment, Stage};
use indelible_domain::world::Noun;

pub fn mandate(reference: &str) -> Means {
    Means::DirectDebit(Mandate {
        gateway: "direct-debit".into(),
        reference: reference.into(),
        signed: d("2012-01-01"),
        scheme: Scheme::Core,
        bank: sealed("0"),
    })
}

pub fn sealed(digit: &str) -> SealedBank {
    SealedBank {
        last4: "4300".into(),
        hash: digit.repeat(64),
        account: Personal::sealed("k".into(), [0; 24], vec![1]),
    }
}

/// Alice pays by direct debit, and a collection of each amount waits for a file.
pub fn collecting(amounts: &[&str]) -> Book {
    let mut book = book();
    book.ask(Command::AddMethod(Box::new(AddMethod {
        account: "alice".into(),
        method: "debit".into(),
        means: mandate("M-1"),
        preferred: true,
    })))
    .expect("is added");
    for (n, amount) in amounts.iter().enumerate() {
        let invoice = book.invoice(amount);
        book.ask(Command::RecordPayment(RecordPayment {
            payment: format!("c{}", n + 1),
            account: "alice".into(),
            amount: usd(amount),
            invoice: Some(invoice),
            method: "direct-debit".into(),
            pending: true,
        }))
        .expect("is recorded");
    }
    book
}

pub fn draw(book: &mut Book, file: &str) -> Result<u64, String> {
    let draw = Command::DrawDebits {
        file: file.into(),
        bank: "main".into(),
        on: None,
    };
    book.ask(draw).map(|o| o.left).map_err(|r| r.code)
}

pub fn file(book: &Book, file: &str) -> BankFile {
    <BankFile as Noun>::table(&book.tenant().tables)[file]
        .state
        .clone()
}

pub fn stage(book: &Book, payment: &str) -> Stage {
    <Payment as Noun>::table(&book.tenant().tables)[payment]
        .state
        .stage
}

/// A part about one of our collections.
pub fn about(end_to_end: &str, amount: &str) -> ReceivedPart {
    let mut part = part(amount);
    part.part.end_to_end = Some(end_to_end.into());
    part
}

pub fn back(end_to_end: &str, amount: &str, code: &str) -> ReceivedPart {
    let mut part = about(end_to_end, amount);
    part.part.returned = Some(Returned {
        code: code.into(),
        reason: "insufficient funds".into(),
        retry: true,
    });
    part
}

#[test]
fn each_waiting_collection_is_drawn_into_one_file_only() {
    let mut book = collecting(&["7.00", "5.00"]);
    assert_eq!(draw(&mut book, "f1"), Ok(0));
    let drawn = file(&book, "f1");
    let sequences: Vec<Sequence> = drawn
        .items
        .iter()
        .filter_map(|item| match &item.order {
            Order::Debit { sequence, .. } => Some(*sequence),
            Order::Transfer { .. } => None,
        })
        .collect();
    assert_eq!(sequences, [Sequence::First, Sequence::Recurring]);
    assert_eq!(
        drawn.items.iter().map(|i| i.batch).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(draw(&mut book, "f2"), Err("NOTHING_TO_DRAW".into()));
    assert_eq!(draw(&mut book, "f1"), Err("NOTHING_TO_DRAW".into()));
}

#[test]
fn a_file_keeps_the_lead_time_and_the_days_on_which_banks_settle() {
    let mut book = collecting(&["7.00"]);
    // Good Friday of 2012 was 6 April.
    book.on("2012-04-05");
    let on = |on: &str| Command::DrawDebits {
        file: "f1".into(),
        bank: "main".into(),
        on: Some(d(on)),
    };
    for early in ["2012-04-05", "2012-04-06", "2012-04-09", "2012-04-14"] {
        assert_eq!(book.refused(on(early)), "COLLECTION_DATE", "{early}");
    }
    draw(&mut book, "f1").expect("is drawn");
    assert_eq!(file(&book, "f1").items[0].on, d("2012-04-10"));
}

#[test]
fn a_withdrawn_file_gives_its_collections_to_the_next_one() {
    let mut book = collecting(&["7.00"]);
    draw(&mut book, "f1").expect("is drawn");
    let withdraw = Command::WithdrawBankFile {
        file: "f1".into(),
        reason: "lost".into(),
    };
    book.ask(withdraw.clone()).expect("is withdrawn");
    assert_eq!(draw(&mut book, "f2"), Ok(0));
    let first = &file(&book, "f2").items[0].order;
    assert!(matches!(
        first,
        Order::Debit {
            sequence: Sequence::First,
            ..
        }
    ));
    import(
        &mut book,
        statement("s1", vec![entry_of(1, vec![about("c1", "7.00")])]),
    );
    let booked = Command::WithdrawBankFile {
        file: "f2".into(),
        reason: "lost".into(),
    };
    assert_eq!(book.refused(booked), "BANK_FILE_BOOKED");
}

#[test]
fn a_credit_settles_the_collections_it_names() {
    let mut book = collecting(&["7.00", "5.00"]);
    draw(&mut book, "f1").expect("is drawn");
    let credit = entry_of(1, vec![about("c1", "7.00"), about("c2", "5.00")]);
    import(&mut book, statement("s1", vec![credit]));
    assert_eq!(
        (stage(&book, "c1"), stage(&book, "c2")),
        (Stage::Settled, Stage::Settled)
    );
}

#[test]
fn a_batch_booked_as_one_sum_settles_all_of_it_or_stays_open() {
    let mut book = collecting(&["7.00", "5.00"]);
    draw(&mut book, "f1").expect("is drawn");
    let batch = |key, batch: &str, amount| {
        let mut sum = part(amount);
        sum.part.batch = Some(batch.into());
        entry_of(key, vec![sum])
    };
    import(
        &mut book,
        statement(
            "s1",
            vec![batch(1, "f1-1", "6.99"), batch(2, "f1-2", "5.00")],
        ),
    );
    assert_eq!(open_code(fate(&book, 1, 0)), "BANK_BATCH_DIFFERS");
    assert_eq!(
        (stage(&book, "c1"), stage(&book, "c2")),
        (Stage::Pending, Stage::Settled)
    );
}

#[test]
fn a_collection_that_comes_back_fails_before_it_is_settled_and_is_charged_back_after() {
    let mut book = collecting(&["7.00", "5.00"]);
    draw(&mut book, "f1").expect("is drawn");
    import(
        &mut book,
        statement("s1", vec![entry_of(1, vec![about("c1", "7.00")])]),
    );
    // The bank adds its fee to what it takes back.
    let returns = vec![
        entry_of(2, vec![back("c1", "-10.00", "MD06")]),
        entry_of(3, vec![back("c2", "-5.00", "AM04")]),
    ];
    import(&mut book, statement("s2", returns));
    assert!(matches!(fate(&book, 2, 0), Fate::ChargedBack { code, .. } if code == "MD06"));
    assert!(matches!(fate(&book, 3, 0), Fate::Failed { code, .. } if code == "AM04"));
    assert_eq!(book.owes(), ("12.00".into(), "0.00".into()));
}

#[test]
fn a_credit_that_is_told_after_its_return_does_not_count() {
    for together in [true, false] {
        let mut book = collecting(&["7.00"]);
        draw(&mut book, "f1").expect("is drawn");
        let (back, credit) = (
            entry_of(1, vec![back("c1", "-7.00", "AM04")]),
            entry_of(2, vec![about("c1", "7.00")]),
        );
        if together {
            import(&mut book, statement("s1", vec![back, credit]));
        } else {
            import(&mut book, statement("s1", vec![back]));
            import(&mut book, statement("s2", vec![credit]));
        }
        assert!(matches!(fate(&book, 2, 0), Fate::Noted { .. }));
        assert_eq!(book.owes(), ("7.00".into(), "0.00".into()));
    }
}

#[test]
fn what_cannot_be_told_waits_for_a_person_and_the_entry_is_booked() {
    let mut book = collecting(&["7.00"]);
    draw(&mut book, "f1").expect("is drawn");
    let mut reversal = entry(3, "2.00");
    reversal.reversal = true;
    let entries = vec![
        entry_of(1, vec![about("c1", "6.00")]),
        entry_of(2, vec![back("nobody's", "-6.00", "AM04")]),
        reversal,
        entry(4, "-1.50"),
    ];
    import(&mut book, statement("s1", entries));
    assert_eq!(open_code(fate(&book, 1, 0)), "BANK_AMOUNT_DIFFERS");
    assert_eq!(open_code(fate(&book, 2, 0)), "BANK_RETURN_UNKNOWN");
    assert_eq!(open_code(fate(&book, 3, 0)), "BANK_RETURN_UNKNOWN");
    assert!(matches!(fate(&book, 4, 0), Fate::Noted { .. }));
    assert_eq!(stage(&book, "c1"), Stage::Pending);
    assert_eq!(book.tenant().index.bank.open.len(), 3);
    let close = Command::CloseBankEntry {
        entry: indelible_domain::bank::entry::id("main", &[2; 16]),
        part: 0,
        note: "rang the bank".into(),
    };
    book.ask(close.clone()).expect("is closed");
    assert_eq!(book.refused(close), "BANK_ENTRY_NOT_OPEN");
    assert_eq!(book.tenant().index.bank.open.len(), 2);
}

#[test]
fn a_collection_through_the_port_goes_out_comes_in_and_goes_back_by_files() {
    let mut book = collecting(&[]);
    book.invoice("7.00");
    let ask = Collect {
        collection: "k1".into(),
        account: "alice".into(),
        invoice: None,
        method: None,
    };
    let asked = book.ask(Command::Collect(ask)).expect("is asked for");
    let payment = asked.touched.last().expect("a payment").1.clone();
    let taken_on = |reference: &str| Answer::Pending {
        reference: reference.into(),
    };
    for command in [
        Command::SendPayment {
            payment: payment.clone(),
            again: false,
        },
        Command::AnswerPayment {
            payment: payment.clone(),
            answer: taken_on("e2e"),
        },
    ] {
        book.ask(command).expect("is taken on");
    }
    draw(&mut book, "f1").expect("is drawn");
    let credit = entry_of(1, vec![about("e2e", "7.00")]);
    import(&mut book, statement("s1", vec![credit]));
    assert_eq!(stage(&book, &payment), Stage::Settled);
    book.refund(&payment, Some("2.00"));
    for command in [
        Command::SendRefund {
            payment: payment.clone(),
            number: 1,
            again: false,
        },
        Command::AnswerRefund {
            payment: payment.clone(),
            number: 1,
            answer: taken_on("back"),
        },
        Command::DrawTransfers {
            file: "t1".into(),
            bank: "main".into(),
            on: None,
        },
    ] {
        book.ask(command).expect("is taken on and drawn");
    }
    let debit = entry_of(2, vec![about("back", "-2.00")]);
    import(&mut book, statement("s2", vec![debit]));
    assert!(matches!(fate(&book, 2, 0), Fate::Sent { returns, .. } if returns.len() == 1));
    let paid = &<Payment as Noun>::table(&book.tenant().tables)[&payment].state;
    assert_eq!(paid.refunded, usd("2.00"));
}
