//! Prepaid wallets: the order of burning, all or nothing, and what is posted.

use crate::book::{Book, d, usd};
use crate::ingest::{self, meter, record, send};
use indelible_domain::mediation::{Event as BatchEvent, UsageRecord};
use indelible_domain::wallets::Event as WalletEvent;
use indelible_domain::{Command, Event};

const OFFER: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "USD"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "voice"
unit = "minute"
every = "1 month"
align = "calendar"
pay = "wallet"
price = { per_unit = "0.333" }
"#;

fn book(wallets: &[(&str, u32)]) -> Book {
    let mut book = ingest::book(OFFER);
    for (wallet, priority) in wallets {
        book.ask(Command::OpenWallet {
            wallet: (*wallet).into(),
            account: "berta".into(),
            priority: *priority,
        })
        .expect("opens");
    }
    book
}

fn top_up(book: &mut Book, wallet: &str, grant: &str, amount: &str, expires: Option<&str>) {
    let ask = Command::TopUpWallet {
        wallet: wallet.into(),
        grant: grant.into(),
        amount: usd(amount),
        expires: expires.map(d),
    };
    book.ask(ask).expect("tops up");
}

fn left(book: &Book, wallet: &str) -> Vec<String> {
    book.tenant().tables.wallets[wallet]
        .state
        .grants
        .iter()
        .map(|g| format!("{} {}", g.id, g.remaining))
        .collect()
}

/// What wallets posted and said, in order.
fn said(book: &Book) -> Vec<String> {
    let tell = |(id, event): &(String, Event)| match event {
        Event::Wallet(WalletEvent::Burnt(e)) => {
            Some(format!("{id} {} posted {}", e.amount, e.posted))
        }
        Event::Wallet(WalletEvent::Emptied(e)) => Some(format!("{id} empty on {}", e.on)),
        _ => None,
    };
    book.log.iter().filter_map(tell).collect()
}

fn rejected(book: &Book) -> Vec<String> {
    let of = |(_, event): &(String, Event)| match event {
        Event::Batch(BatchEvent::Received(e)) => e
            .listed
            .rejected
            .iter()
            .map(|r| r.reason.code.clone())
            .collect(),
        _ => vec![],
    };
    book.log.iter().flat_map(of).collect()
}

#[test]
fn wallets_are_burnt_by_priority_then_expiry_then_age() {
    let mut book = book(&[("late", 2), ("first", 1)]);
    top_up(&mut book, "late", "l", "10.00", None);
    top_up(&mut book, "first", "old", "1.00", None);
    top_up(&mut book, "first", "new", "1.00", None);
    top_up(&mut book, "first", "soon", "1.00", Some("2012-06-01"));
    // 10 minutes = 3.33: soon, old, new, and 0.33 of the later wallet.
    send(
        &mut book,
        "b1",
        vec![record("k1 voice 2012-05-02T10:00:00Z 10")],
    );
    assert_eq!(left(&book, "first"), ["old 0", "new 0", "soon 0"]);
    assert_eq!(left(&book, "late"), ["l 9.67"]);
    assert_eq!(
        said(&book),
        [
            "first 3 posted 3.00 USD",
            "first empty on 2012-05-02",
            "late 0.33 posted 0.33 USD"
        ]
    );
    let m = meter(&book, "line-1/calls/2012-05-01");
    assert_eq!(
        (m.amount.to_string(), m.burnt.to_string()),
        ("0".to_string(), "3.33".to_string())
    );
}

#[test]
fn a_record_is_paid_in_full_or_rejected_without_a_trace() {
    let mut book = book(&[("w", 1)]);
    top_up(&mut book, "w", "g", "1.00", None);
    send(
        &mut book,
        "b1",
        vec![
            record("k1 voice 2012-05-02T10:00:00Z 2"),
            record("k2 voice 2012-05-03T10:00:00Z 2"),
            record("k3 voice 2012-05-04T10:00:00Z 1"),
        ],
    );
    assert_eq!(rejected(&book), ["WALLET_INSUFFICIENT"]);
    assert_eq!(left(&book, "w"), ["g 0.001"]);
    let m = meter(&book, "line-1/calls/2012-05-01");
    assert_eq!((m.records, m.burnt.to_string()), (2, "0.999".to_string()));
}

#[test]
fn postings_never_drift_from_what_was_burnt() {
    let mut book = book(&[("w", 1)]);
    top_up(&mut book, "w", "g", "5.00", None);
    for (i, day) in ["02", "03", "04"].iter().enumerate() {
        send(
            &mut book,
            &format!("b{i}"),
            vec![record(&format!("k{i} voice 2012-05-{day}T10:00:00Z 0.5"))],
        );
    }
    // 0.1665, 0.333, 0.4995 rounded: 0.17, 0.33, 0.50.
    assert_eq!(
        said(&book),
        [
            "w 0.1665 posted 0.17 USD",
            "w 0.1665 posted 0.16 USD",
            "w 0.1665 posted 0.17 USD"
        ]
    );
}

#[test]
fn an_expired_grant_is_not_burnt_from_its_last_day_on() {
    let mut book = book(&[("w", 1)]);
    top_up(&mut book, "w", "g", "5.00", Some("2012-05-10"));
    send(
        &mut book,
        "b1",
        vec![
            record("k1 voice 2012-05-09T21:59:00Z 1"),
            record("k2 voice 2012-05-09T22:00:00Z 1"),
        ],
    );
    assert_eq!(rejected(&book), ["WALLET_INSUFFICIENT"]);
    assert_eq!(left(&book, "w"), ["g 4.667"]);
}

#[test]
fn a_wallet_says_once_per_crossing_that_it_is_empty() {
    let mut book = book(&[("w", 1)]);
    top_up(&mut book, "w", "g1", "3.33", None);
    send(
        &mut book,
        "b1",
        vec![record("k1 voice 2012-05-02T10:00:00Z 10")],
    );
    send(
        &mut book,
        "b2",
        vec![record("k2 voice 2012-05-03T10:00:00Z 10")],
    );
    top_up(&mut book, "w", "g2", "3.33", None);
    send(
        &mut book,
        "b3",
        vec![record("k3 voice 2012-05-04T10:00:00Z 10")],
    );
    let empty: Vec<_> = said(&book)
        .into_iter()
        .filter(|s| s.contains("empty"))
        .collect();
    assert_eq!(empty, ["w empty on 2012-05-02", "w empty on 2012-05-04"]);
}

#[test]
fn a_correction_gives_back_or_burns_the_difference() {
    let mut book = book(&[("w", 1)]);
    top_up(&mut book, "w", "g", "5.00", None);
    let corrected = |text: &str| UsageRecord {
        corrects: true,
        ..record(text)
    };
    send(
        &mut book,
        "b1",
        vec![record("k1 voice 2012-05-02T10:00:00Z 10")],
    );
    send(
        &mut book,
        "b2",
        vec![corrected("k1 voice 2012-05-02T10:00:00Z 4")],
    );
    assert_eq!(left(&book, "w"), ["g 3.668"]);
    assert_eq!(
        meter(&book, "line-1/calls/2012-05-01").burnt.to_string(),
        "1.332"
    );
    send(
        &mut book,
        "b3",
        vec![corrected("k1 voice 2012-05-02T10:00:00Z 100")],
    );
    assert_eq!(rejected(&book), ["WALLET_INSUFFICIENT"]);
    assert_eq!(left(&book, "w"), ["g 3.668"]);
    send(
        &mut book,
        "b4",
        vec![corrected("k1 voice 2012-05-02T10:00:00Z 5")],
    );
    assert_eq!(left(&book, "w"), ["g 3.335"]);
    assert_eq!(
        meter(&book, "line-1/calls/2012-05-01").burnt.to_string(),
        "1.665"
    );
}

#[test]
fn a_top_up_is_refused_when_it_could_never_be_used_and_repeated_without_effect() {
    let mut book = book(&[("w", 1)]);
    let ask = |grant: &str, amount: &str, expires: Option<&str>| Command::TopUpWallet {
        wallet: "w".into(),
        grant: grant.into(),
        amount: amount.parse().expect("money"),
        expires: expires.map(d),
    };
    assert_eq!(
        book.refused(ask("g", "0.00 USD", None)),
        "AMOUNT_NOT_POSITIVE"
    );
    assert_eq!(
        book.refused(ask("g", "1.00 EUR", None)),
        "CURRENCY_MISMATCH"
    );
    assert_eq!(
        book.refused(ask("g", "1.00 USD", Some("2012-05-01"))),
        "GRANT_EXPIRED"
    );
    top_up(&mut book, "w", "g", "1.00", None);
    let log = book.log.len();
    top_up(&mut book, "w", "g", "1.00", None);
    assert_eq!(book.log.len(), log);
    assert_eq!(book.refused(ask("g", "2.00 USD", None)), "GRANT_EXISTS");
    assert_eq!(
        book.refused(Command::OpenWallet {
            wallet: "w".into(),
            account: "berta".into(),
            priority: 1
        }),
        "WALLET_EXISTS"
    );
}
