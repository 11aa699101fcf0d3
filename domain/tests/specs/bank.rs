//! What a bank says is taken once, and each entry brings about what follows from it, or waits for a person.

use crate::book::{Book, d, usd};
use indelible_domain::Command;
use indelible_domain::bank::entry::{self, Fate, Part, Returned};
use indelible_domain::bank::{
    Balance, BankFile, Entry, Order, Sequence, Statement, Terms, statement,
};
use indelible_domain::command::{
    AddMethod, ImportStatement, ReceivedEntry, ReceivedPart, RecordPayment,
};
use indelible_domain::invoices::Invoice;
use indelible_domain::kernel::{Money, Personal};
use indelible_domain::methods::{Mandate, Means, Scheme, SealedBank};
use indelible_domain::payments::{Payment, Stage};
use indelible_domain::world::Noun;

const IBAN: &str = "DE89370400440532013000";

fn terms() -> Terms {
    Terms {
        entity: "arms".into(),
        currency: usd("1").currency,
        holder: "Arms".into(),
        iban: IBAN.into(),
        bic: None,
        known_as: vec!["37040044/532013000".into()],
        creditor_id: Some("DE98ZZZ09999999999".into()),
        lead_days: 1,
    }
}

fn book() -> Book {
    let mut book = Book::new();
    book.ask(Command::OpenBankAccount {
        bank: "main".into(),
        terms: Box::new(terms()),
    })
    .expect("opens");
    book
}

/// An entry of one part.
fn entry(key: u8, amount: &str) -> ReceivedEntry {
    entry_of(key, vec![part(amount)])
}

fn part(amount: &str) -> ReceivedPart {
    ReceivedPart {
        part: Part {
            amount: match amount.strip_prefix('-') {
                Some(out) => usd(out).negated(),
                None => usd(amount),
            },
            ..Part::default()
        },
        reference: String::new(),
        payer: None,
    }
}

fn entry_of(key: u8, parts: Vec<ReceivedPart>) -> ReceivedEntry {
    ReceivedEntry {
        key: [key; 16],
        referenced: true,
        amount: Money::sum(usd("1").currency, parts.iter().map(|p| p.part.amount)),
        reversal: false,
        booked: d("2012-05-03"),
        value: d("2012-05-02"),
        code: "PMNT-RCDT-ESCT".into(),
        parts,
    }
}

fn statement(name: &str, entries: Vec<ReceivedEntry>) -> ImportStatement {
    let digest = blake(&format!("{entries:?}"));
    ImportStatement {
        number: IBAN.into(),
        kind: statement::Kind::Statement,
        name: name.into(),
        digest,
        opening: None,
        closing: None,
        part: 1,
        parts: 1,
        entries,
    }
}

fn blake(text: &str) -> [u8; 16] {
    let sum = text.bytes().fold(7_u128, |sum, b| {
        sum.wrapping_mul(31).wrapping_add(u128::from(b))
    });
    sum.to_le_bytes()
}

fn import(book: &mut Book, statement: ImportStatement) -> String {
    let outcome = book
        .ask(Command::ImportStatement(Box::new(statement)))
        .expect("is taken");
    outcome.touched[0].1.clone()
}

fn fate(book: &Book, key: u8, part: usize) -> Fate {
    let id = entry::id("main", &[key; 16]);
    let entry = &<Entry as Noun>::table(&book.tenant().tables)[&id].state;
    entry.fates[part].clone().expect("every part has a fate")
}

fn counts(book: &Book, id: &str) -> (u64, u64, u64) {
    let counts = <Statement as Noun>::table(&book.tenant().tables)[id]
        .state
        .counts;
    (counts.new, counts.known, counts.left)
}

fn open_code(fate: Fate) -> String {
    match fate {
        Fate::Open { code, .. } => code,
        other => panic!("{other:?} is not open"),
    }
}

fn mandate(reference: &str) -> Means {
    Means::DirectDebit(Mandate {
        gateway: "direct-debit".into(),
        reference: reference.into(),
        signed: d("2012-01-01"),
        scheme: Scheme::Core,
        bank: SealedBank {
            last4: "4300".into(),
            hash: "0".repeat(64),
            account: Personal::sealed("k".into(), [0; 24], vec![1]),
        },
    })
}

/// Alice pays by direct debit, and a collection of each amount waits for a file.
fn collecting(amounts: &[&str]) -> Book {
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

fn draw(book: &mut Book, file: &str) -> Result<u64, String> {
    let draw = Command::DrawDebits {
        file: file.into(),
        bank: "main".into(),
        on: None,
    };
    book.ask(draw).map(|o| o.left).map_err(|r| r.code)
}

fn file(book: &Book, file: &str) -> BankFile {
    <BankFile as Noun>::table(&book.tenant().tables)[file]
        .state
        .clone()
}

fn stage(book: &Book, payment: &str) -> Stage {
    <Payment as Noun>::table(&book.tenant().tables)[payment]
        .state
        .stage
}

/// A part about one of our collections.
fn about(end_to_end: &str, amount: &str) -> ReceivedPart {
    let mut part = part(amount);
    part.part.end_to_end = Some(end_to_end.into());
    part
}

fn back(end_to_end: &str, amount: &str, code: &str) -> ReceivedPart {
    let mut part = about(end_to_end, amount);
    part.part.returned = Some(Returned {
        code: code.into(),
        reason: "insufficient funds".into(),
        retry: true,
    });
    part
}

#[test]
fn money_of_an_entry_pays_the_invoice_it_names_in_the_same_commit() {
    let mut book = book();
    let invoice = book.invoice("7.00");
    let number = <Invoice as Noun>::table(&book.tenant().tables)[&invoice]
        .state
        .number
        .clone();
    let mut paid = part("7.00");
    paid.reference = format!("thanks for {number}");
    import(&mut book, statement("s1", vec![entry_of(1, vec![paid])]));
    assert_eq!(book.open_of(&invoice), "0.00");
    assert!(matches!(fate(&book, 1, 0), Fate::Received { .. }));
}

#[test]
fn a_statement_is_taken_once_and_refused_with_another_content() {
    let mut book = book();
    let whole = statement("s1", vec![entry(1, "5.00")]);
    let id = import(&mut book, whole.clone());
    let events = book.tenant().clone();
    assert_eq!(import(&mut book, whole), id);
    assert_eq!(*book.tenant(), events, "the second time writes nothing");
    let other = statement("s1", vec![entry(2, "6.00")]);
    assert_eq!(
        book.refused(Command::ImportStatement(Box::new(other))),
        "STATEMENT_CHANGED"
    );
}

#[test]
fn an_entry_is_booked_once_whatever_message_brings_it() {
    let mut book = book();
    let mut announced = statement("n1", vec![entry(1, "5.00")]);
    announced.kind = statement::Kind::Notification;
    let announced = import(&mut book, announced);
    let stated = import(
        &mut book,
        statement("s1", vec![entry(1, "5.00"), entry(2, "6.00")]),
    );
    assert_eq!(
        (counts(&book, &announced), counts(&book, &stated)),
        ((1, 0, 0), (1, 1, 0))
    );
}

#[test]
fn an_announced_entry_without_a_reference_is_left_to_the_statement() {
    let mut book = book();
    let mut unknown = entry(1, "5.00");
    unknown.referenced = false;
    let mut announced = statement("n1", vec![unknown]);
    announced.kind = statement::Kind::Notification;
    let id = import(&mut book, announced);
    assert_eq!(counts(&book, &id), (0, 0, 1));
}

#[test]
fn a_statement_that_does_not_begin_where_the_last_one_ended_says_so() {
    let mut book = book();
    let balanced = |name: &str, key: u8, opening: &str, closing: &str| ImportStatement {
        opening: Some(Balance {
            amount: usd(opening),
            on: d("2012-05-02"),
        }),
        closing: Some(Balance {
            amount: usd(closing),
            on: d("2012-05-03"),
        }),
        ..statement(name, vec![entry(key, "5.00")])
    };
    import(&mut book, balanced("s1", 1, "10.00", "15.00"));
    let next = import(&mut book, balanced("s2", 2, "15.00", "20.00"));
    let late = import(&mut book, balanced("s4", 3, "25.00", "30.00"));
    let gap = |id: &String| {
        <Statement as Noun>::table(&book.tenant().tables)[id]
            .state
            .gap
    };
    assert_eq!(gap(&next), None);
    assert_eq!(
        gap(&late).map(|g| (g.expected, g.found)),
        Some((usd("20.00"), usd("25.00")))
    );
}

#[test]
fn a_statement_of_another_currency_or_account_is_refused() {
    let mut book = book();
    let mut unknown = statement("s1", vec![]);
    unknown.number = "NL91ABNA0417164300".into();
    assert_eq!(
        book.refused(Command::ImportStatement(Box::new(unknown))),
        "BANK_ACCOUNT_UNKNOWN"
    );
    let mut foreign = entry(1, "5.00");
    foreign.amount.currency = "EUR".parse().expect("a currency");
    let foreign = Command::ImportStatement(Box::new(statement("s1", vec![foreign])));
    assert_eq!(book.refused(foreign), "CURRENCY_MISMATCH");
}

#[test]
fn a_large_statement_comes_in_parts_and_each_is_taken_once() {
    let mut book = book();
    let part = |part: u32, entries| ImportStatement {
        part,
        parts: 2,
        digest: [9; 16],
        ..statement("s1", entries)
    };
    let id = import(&mut book, part(2, vec![entry(2, "6.00")]));
    import(&mut book, part(1, vec![entry(1, "5.00")]));
    import(&mut book, part(2, vec![entry(2, "6.00")]));
    assert_eq!(counts(&book, &id), (2, 0, 0));
    let third = Command::ImportStatement(Box::new(part(3, vec![])));
    assert_eq!(book.refused(third), "STATEMENT_PART_UNKNOWN");
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
        entry: entry::id("main", &[2; 16]),
        part: 0,
        note: "rang the bank".into(),
    };
    book.ask(close.clone()).expect("is closed");
    assert_eq!(book.refused(close), "BANK_ENTRY_NOT_OPEN");
    assert_eq!(book.tenant().index.bank.open.len(), 2);
}

#[test]
fn what_others_call_their_payments_is_not_kept() {
    let mut book = book();
    let mut paid = about("rent of Erika Muster", "5.00");
    paid.part.batch = Some("salaries of Muster-1".into());
    import(&mut book, statement("s1", vec![entry_of(1, vec![paid])]));
    let kept = format!("{:?}", book.tenant().tables.bank_entries);
    assert!(!kept.contains("Muster"), "{kept}");
}

#[test]
fn a_number_leads_to_one_bank_account_only() {
    let mut book = book();
    let second = Command::OpenBankAccount {
        bank: "second".into(),
        terms: Box::new(terms()),
    };
    assert_eq!(book.refused(second), "BANK_NUMBER_TAKEN");
}
