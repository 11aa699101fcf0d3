//! Forgetting a customer: what goes, what the law keeps, and until when.

use crate::book::{Book, d};
use indelible_domain::Command;
use indelible_domain::accounts::{Account, AccountTerms, Buyer, Contact};
use indelible_domain::catalog::{Moment, Offer, OneOff};
use indelible_domain::command::{Effective, ForgetAccount, StartSubscription};
use indelible_domain::entities::{Retention, retention};
use indelible_domain::invoices::Invoice;
use indelible_domain::kernel::{Personal, Purpose};
use indelible_domain::subscriptions::Unused;
use indelible_domain::world::Noun;
use std::collections::{BTreeMap, BTreeSet};

const CONTACT: &str = "key-contact";
const LEGAL: &str = "key-legal";

fn contact(key: &str) -> Option<Personal<Contact>> {
    Some(Personal::sealed(key.into(), [1; 24], vec![1]))
}

fn buyer(key: &str) -> Option<Personal<Buyer>> {
    Some(Personal::sealed(key.into(), [2; 24], vec![2]))
}

fn forget(purposes: &[Purpose], keys: &[&str]) -> ForgetAccount {
    ForgetAccount {
        account: "alice".into(),
        purposes: purposes.iter().copied().collect(),
        keys: keys.iter().map(|key| (*key).to_string()).collect(),
        buyer: None,
        by: "privacy desk".into(),
    }
}

fn ask(book: &mut Book, forget: ForgetAccount) -> Result<usize, (String, String)> {
    let before = book.log.len();
    book.ask(Command::ForgetAccount(Box::new(forget)))
        .map_err(|refused| (refused.code, refused.message))?;
    Ok(book.log.len() - before)
}

fn change(book: &mut Book, set: impl FnOnce(&mut AccountTerms)) -> Result<(), String> {
    let mut terms = account(book).terms;
    set(&mut terms);
    let account = "alice".into();
    book.ask(Command::ChangeAccount { account, terms })
        .map(drop)
        .map_err(|refused| refused.code)
}

fn account(book: &Book) -> Account {
    Account::table(&book.tenant().tables)["alice"].state.clone()
}

fn document(book: &Book, id: &str) -> Invoice {
    book.tenant().tables.invoices[id].state.clone()
}

/// Alice, known by name since she came.
fn book() -> Book {
    let mut book = Book::new();
    change(&mut book, |terms| {
        terms.contact = contact(CONTACT);
        terms.buyer = buyer(LEGAL);
    })
    .expect("she says who she is");
    book
}

#[test]
fn a_document_keeps_the_buyer_of_its_day_and_its_credit_note_names_the_same() {
    let mut book = book();
    let invoice = book.invoice("10");
    let moved = Some(Personal::sealed(LEGAL.into(), [3; 24], vec![3]));
    change(&mut book, |terms| terms.buyer = moved.clone()).expect("she moves");
    let note = book.credit(&invoice, None);
    let later = book.invoice("10");
    assert_eq!(document(&book, &invoice).buyer, buyer(LEGAL));
    assert_eq!(document(&book, &note).buyer, buyer(LEGAL));
    assert_eq!(document(&book, &later).buyer, moved);
}

#[test]
fn the_contact_goes_at_once_and_documents_keep_their_buyer_and_amounts() {
    let mut book = book();
    let invoice = book.invoice("10");
    let owes = book.owes();
    let ask_for = forget(&[Purpose::Contact], &[CONTACT]);
    assert_eq!(ask(&mut book, ask_for.clone()), Ok(1));
    assert_eq!(account(&book).terms.contact, None);
    assert_eq!(account(&book).terms.buyer, buyer(LEGAL));
    assert_eq!(document(&book, &invoice).buyer, buyer(LEGAL));
    assert_eq!(book.owes(), owes);
    let fact = account(&book).forgotten[0].clone();
    assert_eq!(fact.by, "privacy desk");
    assert_eq!(fact.on, book.today);
    assert_eq!(fact.keys, BTreeSet::from([CONTACT.to_string()]));
    // The edge may not have destroyed it yet, and asks with it again.
    assert_eq!(ask(&mut book, ask_for), Ok(0), "it is forgotten once");
    assert_eq!(ask(&mut book, forget(&[Purpose::Contact], &[])), Ok(0));
}

#[test]
fn legal_documents_are_refused_until_their_retention_ends_and_the_answer_says_when() {
    let mut book = book();
    book.invoice("10");
    book.on("2013-06-30");
    let voided = book.invoice("10");
    book.void(&voided).expect("is voided");
    book.draft("5");
    let legal = forget(
        &[Purpose::Contact, Purpose::LegalDocument],
        &[CONTACT, LEGAL],
    );
    for day in ["2013-06-30", "2022-12-31", "2023-12-31"] {
        let (code, message) = ask(book.on(day), legal.clone()).expect_err("too early");
        assert_eq!(code, "RETENTION_NOT_OVER");
        assert!(message.contains("until 2023-12-31"), "{message}");
        assert!(message.contains("from 2024-01-01 on"), "{message}");
        assert!(
            account(&book).terms.contact.is_some(),
            "a refusal does nothing"
        );
    }
    assert_eq!(ask(book.on("2024-01-01"), legal), Ok(1));
    assert_eq!(account(&book).terms.contact, None);
    assert_eq!(account(&book).terms.buyer, None);
}

#[test]
fn who_never_got_a_document_is_forgotten_whole_at_once() {
    let mut book = book();
    book.draft("5");
    let all = forget(&Purpose::ALL, &[CONTACT, LEGAL]);
    assert_eq!(ask(&mut book, all), Ok(1));
    assert_eq!(account(&book).terms.buyer, None);
}

#[test]
fn a_document_is_kept_for_whole_years_after_the_year_of_its_issue() {
    let rule = |from: &str, years| Retention {
        from: d(from),
        years,
    };
    let rules = [rule("2016-07-01", 8), rule("2025-01-01", 6)];
    for (issued, free_from) in [
        ("2016-06-30", "2027-01-01"),
        ("2016-07-01", "2025-01-01"),
        ("2024-12-31", "2033-01-01"),
        ("2025-01-01", "2032-01-01"),
    ] {
        assert_eq!(retention::ends(&rules, d(issued)), d(free_from), "{issued}");
    }
    assert_eq!(retention::ends(&[], d("2012-01-01")), d("2023-01-01"));
    assert_eq!(retention::ends(&[], d("2012-12-31")), d("2023-01-01"));
}

#[test]
fn a_legal_entity_sets_its_own_time_from_a_day_on() {
    let mut book = book();
    let set = |years| Command::SetRetention {
        entity: "arms".into(),
        rule: Retention {
            from: d("2013-01-01"),
            years,
        },
    };
    book.ask(set(8)).expect("is set");
    book.ask(set(7)).expect("the same day is set anew");
    for years in [0, 101] {
        assert_eq!(book.refused(set(years)), "RETENTION_INVALID");
    }
    let legal = || forget(&[Purpose::LegalDocument], &[LEGAL]);
    book.on("2013-02-01").invoice("10");
    let (_, message) = ask(book.on("2020-12-31"), legal()).expect_err("too early");
    assert!(message.contains("from 2021-01-01 on"), "{message}");
    assert_eq!(ask(book.on("2021-01-01"), legal()), Ok(1));
}

#[test]
fn nobody_is_forgotten_who_is_not_there_or_for_nothing() {
    let mut book = book();
    let stranger = ForgetAccount {
        account: "bob".into(),
        ..forget(&[Purpose::Contact], &[])
    };
    assert_eq!(
        ask(&mut book, stranger).expect_err("no").0,
        "ACCOUNT_UNKNOWN"
    );
    let nothing = forget(&[], &[]);
    assert_eq!(
        ask(&mut book, nothing).expect_err("no").0,
        "PURPOSE_MISSING"
    );
}

#[test]
fn what_was_forgotten_is_not_brought_back_and_who_comes_back_has_a_new_key() {
    let mut book = book();
    let before = account(&book).terms;
    ask(&mut book, forget(&[Purpose::Contact], &[CONTACT])).expect("is forgotten");
    let stale = change(&mut book, |terms| {
        *terms = AccountTerms {
            payment_days: Some(9),
            ..before
        }
    });
    assert_eq!(stale, Err("FORGOTTEN_MEANWHILE".into()));
    change(&mut book, |terms| terms.contact = contact("key-new")).expect("she comes back");
    assert_eq!(account(&book).terms.contact, contact("key-new"));
    assert_eq!(
        ask(&mut book, forget(&[Purpose::Contact], &["key-new"])),
        Ok(1)
    );
    let keys: Vec<String> = account(&book).destroyed_keys().cloned().collect();
    assert_eq!(keys, [CONTACT, "key-new"]);
}

#[test]
fn an_account_without_a_recorded_buyer_gets_one_before_its_contact_goes() {
    let mut book = Book::new();
    change(&mut book, |terms| terms.contact = contact(CONTACT)).expect("as it was once");
    book.invoice("10");
    let ask_for = ForgetAccount {
        buyer: buyer(LEGAL),
        ..forget(&[Purpose::Contact], &[CONTACT])
    };
    assert_eq!(ask(&mut book, ask_for), Ok(2));
    assert_eq!(account(&book).terms.contact, None);
    assert_eq!(account(&book).terms.buyer, buyer(LEGAL));
}

#[test]
fn usage_finds_ended_subscriptions_of_a_forgotten_account_no_more() {
    let mut book = book();
    let activation = OneOff {
        code: "activation".into(),
        name: "Activation".into(),
        amount: 1.into(),
        on: Moment::Activation,
        tax_class: "standard".into(),
        ..OneOff::default()
    };
    let offer = Offer {
        code: "plan".into(),
        name: "Plan".into(),
        currency: "USD".parse().expect("USD"),
        one_off: vec![activation],
        ..Offer::default()
    };
    let offers = vec![offer];
    book.ask(Command::ApplyCatalog { offers }).expect("is sold");
    for id in ["ended", "running"] {
        let start = StartSubscription {
            subscription: id.into(),
            account: "alice".into(),
            offer: "plan".into(),
            quantity: 1.into(),
            from: None,
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: false,
            access: vec![format!("number-{id}"), "shared".into()],
        };
        book.ask(Command::StartSubscription(Box::new(start)))
            .expect("starts");
    }
    book.on("2012-05-20");
    book.ask(Command::TerminateSubscription {
        subscription: "ended".into(),
        effective: Effective::Immediate,
        unused: Unused::default(),
    })
    .expect("ends");
    assert_eq!(ask(&mut book, forget(&[Purpose::Contact], &[])), Ok(1));
    let found = |book: &Book, access: &str| book.tenant().index.access.get(access).cloned();
    assert!(
        found(&book, "number-ended").is_some(),
        "the contact is another purpose"
    );
    assert_eq!(ask(&mut book, forget(&[Purpose::UsageRaw], &[])), Ok(1));
    assert_eq!(found(&book, "number-ended"), None);
    assert_eq!(found(&book, "number-running"), Some(vec!["running".into()]));
    assert_eq!(found(&book, "shared"), Some(vec!["running".into()]));
    assert_eq!(ask(&mut book, forget(&[Purpose::UsageRaw], &[])), Ok(0));
}
