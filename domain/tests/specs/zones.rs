//! Time zones of an account: each day is of one zone, and a change moves no day, only where days begin.

use crate::book::{Book, d, usd};
use crate::ingest::{meter, metered, record, send};
use indelible_domain::catalog;
use indelible_domain::command::{Effective, StartSubscription};
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::kernel::zone::ZONES_MAX;
use indelible_domain::kernel::{Date, Instant, Money, Zone};
use indelible_domain::subscriptions::Unused;
use indelible_domain::{Command, Event, accounts};
use std::collections::BTreeMap;

const OFFER: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { flat = "31.00" }
every = "1 month"
align = "calendar"
[[offer.usage]]
code = "day"
name = "Day"
metric = "energy"
unit = "kWh"
every = "1 month"
align = "calendar"
price = { per_unit = "0.30" }
[[offer.usage.when]]
from = "06:00"
until = "22:00"
[[offer.usage]]
code = "night"
name = "Night"
metric = "energy"
unit = "kWh"
every = "1 month"
align = "calendar"
price = { per_unit = "0.10" }
"#;

fn zone(name: &str) -> Zone {
    name.parse().expect("a zone")
}

fn at(text: &str) -> Instant {
    text.parse().expect("an instant")
}

fn berlin_then(name: &str, from: &str) -> Zone {
    let berlin = zone("Europe/Berlin");
    berlin.followed_by(&zone(name), d(from)).expect("follows")
}

/// Alice in Berlin, with a line since 1 May 2012.
fn book() -> Book {
    let mut book = Book::new();
    let offers = catalog::parse(OFFER).expect("the catalog is read");
    book.ask(Command::ApplyCatalog { offers }).expect("applies");
    move_to(&mut book, "Europe/Berlin", Some("2011-01-01")).expect("moves");
    let start = StartSubscription {
        subscription: "line-1".into(),
        account: "alice".into(),
        offer: "line".into(),
        quantity: 1.into(),
        from: Some(d("2012-05-01")),
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec!["no-1".into()],
    };
    book.ask(Command::StartSubscription(Box::new(start)))
        .expect("starts");
    book
}

fn move_to(book: &mut Book, name: &str, from: Option<&str>) -> Result<(), String> {
    book.ask(Command::SetAccountZone {
        account: "alice".into(),
        zone: zone(name),
        from: from.map(d),
    })
    .map(|_| ())
    .map_err(|why| why.code)
}

fn own(book: &Book) -> &Zone {
    &book.tenant().tables.accounts["alice"].state.terms.zone
}

fn bill(book: &mut Book, run: &str) {
    book.ask(Command::StartBillRun {
        run: run.into(),
        as_of: None,
        accounts: vec![],
        draft: false,
    })
    .expect("starts");
    let step = Command::StepBillRun { run: run.into() };
    while book.ask(step.clone()).expect("steps").left > 0 {}
    let failed = &book.tenant().tables.runs[run].state.failed;
    assert!(failed.is_empty(), "{failed:?}");
}

/// Net of each finalised document, in order.
fn billed(book: &Book) -> Vec<String> {
    let finalised = book.log.iter().filter_map(|(_, event)| match event {
        Event::Invoice(indelible_domain::invoices::Event::Finalised(e)) => {
            Some(e.document.total.to_string())
        }
        _ => None,
    });
    finalised.collect()
}

/// Everything billed of the line.
fn total(book: &Book) -> Money {
    let items = &book.tenant().tables.charges["line-1"].state.items;
    items.iter().fold(usd("0"), |sum, item| sum.plus(item.net))
}

#[test]
fn the_day_before_a_change_is_longer_where_days_begin_later_and_shorter_where_they_begin_earlier() {
    // zone, first instant of 1 March, hours of 28 February
    for (name, begins, hours) in [
        ("America/New_York", "2013-03-01T05:00:00Z", 30),
        ("Asia/Tokyo", "2013-02-28T15:00:00Z", 16),
        ("Europe/Berlin", "2013-02-28T23:00:00Z", 24),
    ] {
        let zone = berlin_then(name, "2013-03-01");
        assert_eq!(zone.start_of(d("2013-02-28")), at("2013-02-27T23:00:00Z"));
        assert_eq!(zone.start_of(d("2013-03-01")), at(begins), "{name}");
        let day = zone.start_of(d("2013-03-01")).0 - zone.start_of(d("2013-02-28")).0;
        assert_eq!(day, hours * 3_600_000_000, "{name}");
        assert_eq!(zone.name_on(d("2013-02-28")), "Europe/Berlin");
        assert_eq!(zone.name_on(d("2013-03-01")), name);
    }
}

#[test]
fn clocks_of_the_longer_day_show_its_last_hours_again() {
    let zone = berlin_then("America/New_York", "2013-03-01");
    let shown = |text: &str| (zone.date(at(text)), zone.minute_of_day(at(text)));
    assert_eq!(
        shown("2013-02-28T22:59:00Z"),
        (d("2013-02-28"), 23 * 60 + 59)
    );
    assert_eq!(shown("2013-02-28T23:00:00Z"), (d("2013-02-28"), 18 * 60));
    assert_eq!(shown("2013-03-01T05:00:00Z"), (d("2013-03-01"), 0));
}

#[test]
fn every_instant_is_on_one_day_and_days_begin_where_the_ones_before_end() {
    let names = [
        "Europe/Berlin",
        "Pacific/Kiritimati",
        "Etc/GMT+12",
        "Australia/Lord_Howe",
    ];
    let first = d("2013-03-01");
    for a in names {
        for b in names {
            for c in names {
                let two = zone(a)
                    .followed_by(&zone(b), d("2013-03-20"))
                    .expect("follows");
                let zone = two.followed_by(&zone(c), d("2013-04-02")).expect("follows");
                let stored: Zone = bincode_of(&zone);
                assert_eq!(stored, zone);
                let mut before = Date::MIN;
                for half_hour in 0..45 * 48 {
                    let at = Instant(zone.start_of(first).0 + half_hour * 1_800_000_000);
                    let day = zone.date(at);
                    assert!(day >= before, "{zone}: {at} is on {day} after {before}");
                    let (from, until) = (zone.start_of(day), zone.start_of(add_days(day, 1)));
                    assert!(from <= at && at < until, "{zone}: {at} is not within {day}");
                    assert_eq!(stored.date(at), day);
                    assert_eq!(stored.minute_of_day(at), zone.minute_of_day(at));
                    before = day;
                }
            }
        }
    }
}

/// As it is after it was stored.
fn bincode_of(zone: &Zone) -> Zone {
    let text = serde_json::to_string(zone).expect("is stored");
    serde_json::from_str(&text).expect("is read")
}

#[test]
fn no_day_of_a_fee_is_billed_twice_or_dropped_when_the_zone_changes() {
    for (name, from) in [
        ("America/Los_Angeles", "2012-06-01"),
        ("Pacific/Auckland", "2012-06-01"),
        ("Pacific/Auckland", "2012-05-31"),
        ("America/Los_Angeles", "2012-05-17"),
    ] {
        let mut book = book();
        bill(&mut book, "r0");
        book.on("2012-05-17");
        move_to(&mut book, name, Some(from)).expect("moves");
        for day in 0..20 {
            book.on("2012-05-25").days_later(day);
            bill(&mut book, &format!("r{}", day + 1));
        }
        assert_eq!(billed(&book), ["31.00 USD", "31.00 USD"], "{name} {from}");
        book.ask(Command::TerminateSubscription {
            subscription: "line-1".into(),
            effective: Effective::On(d("2012-06-16")),
            unused: Unused::CreditProrata,
        })
        .expect("ends");
        book.on("2012-06-17");
        bill(&mut book, "last");
        assert_eq!(total(&book), usd("46.50"), "{name} {from}");
    }
}

#[test]
fn usage_of_days_before_the_change_stays_on_their_days_however_late_it_comes() {
    let mut book = book();
    book.on("2012-06-10");
    move_to(&mut book, "America/New_York", Some("2012-06-08")).expect("moves");
    // In Berlin this is 1 June already; in New York it would still be May.
    send(
        &mut book,
        "b1",
        vec![record("a energy 2012-05-31T22:30:00Z 5")],
    );
    assert_eq!(meter(&book, "line-1/night/2012-06-01").records, 1);
    // 20:30 on 30 June in New York, 2:30 on 1 July in Berlin.
    book.on("2012-07-05");
    send(
        &mut book,
        "b2",
        vec![record("b energy 2012-07-01T00:30:00Z 7")],
    );
    assert_eq!(metered(&book, "line-1/day/2012-06-01"), "1 records, 7, 2.1");
}

#[test]
fn usage_that_moves_with_a_change_told_late_is_rated_again_as_if_it_had_been_known_and_billed_once()
{
    let records = || {
        vec![
            record("a energy 2012-05-31T22:30:00Z 10"),
            record("b energy 2012-06-10T21:00:00Z 10"),
            record("c energy 2012-06-30T22:30:00Z 10"),
        ]
    };
    let mut told_late = book();
    told_late.on("2012-07-02");
    send(&mut told_late, "b", records());
    bill(&mut told_late, "r1");
    move_to(&mut told_late, "America/New_York", Some("2012-06-01")).expect("moves");
    let mut known = book();
    known.on("2012-07-02");
    move_to(&mut known, "America/New_York", Some("2012-06-01")).expect("moves");
    send(&mut known, "b", records());
    for book in [&mut told_late, &mut known] {
        // 18:30 on the longer last day of May; 17:00 on 10 June; 18:30 on 30 June.
        assert_eq!(metered(book, "line-1/day/2012-05-01"), "1 records, 10, 3");
        assert_eq!(metered(book, "line-1/day/2012-06-01"), "2 records, 20, 6");
        assert_eq!(meter(book, "line-1/night/2012-06-01").records, 0);
        assert_eq!(meter(book, "line-1/night/2012-07-01").records, 0);
        book.on("2012-08-02");
        bill(book, "r2");
    }
    assert_eq!(total(&told_late), total(&known));
    // Fees of four months and thirty units by day.
    assert_eq!(total(&known), usd("133.00"));
}

#[test]
fn a_change_of_terms_with_another_zone_is_in_force_from_today_on() {
    let mut book = book();
    book.on("2012-06-10");
    let mut terms = book.tenant().tables.accounts["alice"].state.terms.clone();
    terms.zone = zone("Asia/Tokyo");
    terms.group = Some("retail".into());
    let account = "alice".to_string();
    book.ask(Command::ChangeAccount { account, terms })
        .expect("changes");
    let each = own(&book).each();
    let told: Vec<&str> = each.iter().map(|(_, name)| *name).collect();
    assert_eq!(told, ["UTC", "Europe/Berlin", "Asia/Tokyo"]);
    assert_eq!(each[2].0, Some(d("2012-06-10")));
}

#[test]
fn a_change_that_lies_ahead_is_taken_back_by_saying_the_zone_that_is_in_force() {
    let mut book = book();
    book.on("2012-06-10");
    let before = own(&book).clone();
    move_to(&mut book, "Asia/Tokyo", Some("2012-09-01")).expect("moves");
    assert_eq!(own(&book).name_on(d("2012-08-31")), "Europe/Berlin");
    move_to(&mut book, "Europe/Berlin", Some("2012-09-01")).expect("moves");
    assert_eq!(own(&book), &before);
    let length = book.log.len();
    move_to(&mut book, "Europe/Berlin", Some("2012-07-01")).expect("moves");
    assert_eq!(book.log.len(), length, "the same again says nothing");
}

#[test]
fn too_many_zones_are_refused() {
    let mut book = book();
    let mut told = vec![];
    for n in 0..ZONES_MAX {
        let name = ["Asia/Tokyo", "Europe/Berlin"][n % 2];
        let from = add_days(d("2012-06-01"), i64::try_from(n).expect("few"));
        told.push(move_to(&mut book, name, Some(&from.to_string())));
    }
    // Two there are, thirty fit.
    assert_eq!(told[29], Ok(()));
    assert_eq!(told[30], Err("ZONES_TOO_MANY".into()));
}

#[test]
fn terms_that_were_stored_with_one_zone_have_it_on_every_day() {
    let zone: Zone = serde_json::from_str("\"Asia/Tokyo\"").expect("is read");
    assert_eq!(zone.each(), [(None, "Asia/Tokyo")]);
    let mut book = book();
    move_to(&mut book, "Asia/Tokyo", Some("2012-09-01")).expect("moves");
    let changed = book.log.iter().rev().find_map(|(_, event)| match event {
        Event::Account(accounts::Event::Changed(e)) => Some(e.terms.zone.to_string()),
        _ => None,
    });
    let stored = "UTC > 2011-01-01 Europe/Berlin > 2012-09-01 Asia/Tokyo";
    assert_eq!(changed.as_deref(), Some(stored));
}
