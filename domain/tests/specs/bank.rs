//! What a bank says is taken once, and each entry brings about what follows from it, or waits for a person.

use crate::book::{Book, d, usd};
use indelible_domain::Command;
use indelible_domain::bank::entry::{self, Fate, Part};
use indelible_domain::bank::{Balance, Entry, Statement, Terms, statement};
use indelible_domain::command::{ImportStatement, ReceivedEntry, ReceivedPart};
use indelible_domain::invoices::Invoice;
use indelible_domain::kernel::Money;
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

pub fn book() -> Book {
    let mut book = Book::new();
    book.ask(Command::OpenBankAccount {
        bank: "main".into(),
        terms: Box::new(terms()),
    })
    .expect("opens");
    book
}

/// An entry of one part.
pub fn entry(key: u8, amount: &str) -> ReceivedEntry {
    entry_of(key, vec![part(amount)])
}

pub fn part(amount: &str) -> ReceivedPart {
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

pub fn entry_of(key: u8, parts: Vec<ReceivedPart>) -> ReceivedEntry {
    ReceivedEntry {
        key: [key; 16],
        referenced: true,
        amount: Money::sum(usd("1").currency, parts.iter().map(|p| p.part.amount)),
        reversal: false,
        pending: false,
        booked: d("2012-05-03"),
        value: d("2012-05-02"),
        code: "PMNT-RCDT-ESCT".into(),
        parts,
    }
}

pub fn statement(name: &str, entries: Vec<ReceivedEntry>) -> ImportStatement {
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

pub fn import(book: &mut Book, statement: ImportStatement) -> String {
    let outcome = book
        .ask(Command::ImportStatement(Box::new(statement)))
        .expect("is taken");
    outcome.touched[0].1.clone()
}

pub fn fate(book: &Book, key: u8, part: usize) -> Fate {
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

pub fn open_code(fate: Fate) -> String {
    match fate {
        Fate::Open { code, .. } => code,
        other => panic!("{other:?} is not open"),
    }
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
            .balances
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
fn what_others_call_their_payments_is_not_kept() {
    let mut book = book();
    let mut paid = part("5.00");
    paid.part.end_to_end = Some("rent of Erika Muster".into());
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
