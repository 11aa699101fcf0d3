//! The zones of a legal entity follow each other: what is issued and posted is dated by the one of its day.

use crate::book::{Book, d, usd};
use indelible_domain::entities::{Closing, EntityTerms, Late};
use indelible_domain::kernel::{Date, Instant, Zone};
use indelible_domain::{
    Command, Event, Outcome, Rejection, Session, invoices, journal, operations,
};

fn zone(name: &str) -> Zone {
    name.parse().expect("a zone")
}

/// A book whose clock shows an instant, not the beginning of a day.
struct Clock {
    book: Book,
    at: Instant,
    made: u32,
}

impl Clock {
    fn new(name: &str) -> Clock {
        let mut clock = Clock {
            book: Book::new(),
            at: at("2012-05-01T00:00:00Z"),
            made: 0,
        };
        clock.move_to(name, Some("2000-01-01")).expect("moves");
        clock
    }

    fn ask(&mut self, command: Command) -> Result<Outcome, Rejection> {
        let mut session = Session::new(self.book.world.tenant("t"), self.at).with(&self.book.past);
        let outcome = operations::execute(&mut session, command)?;
        let (tables, events) = session.finish();
        self.book.world.absorb("t", tables, &events);
        let events = events.into_iter();
        self.book
            .log
            .extend(events.map(|s| (s.id.to_string(), s.event)));
        assert_eq!(
            indelible_domain::audit::audit(self.book.tenant()),
            Vec::<String>::new()
        );
        Ok(outcome)
    }

    fn move_to(&mut self, name: &str, from: Option<&str>) -> Result<(), String> {
        let set = Command::SetEntityZone {
            entity: "arms".into(),
            zone: zone(name),
            from: from.map(d),
        };
        self.ask(set).map(|_| ()).map_err(|why| why.code)
    }

    /// Number and issue date of a new invoice at an instant.
    fn issue(&mut self, at_: &str) -> (String, String) {
        self.at = at(at_);
        self.made += 1;
        let (charge, invoice) = (format!("c{}", self.made), format!("i{}", self.made));
        let add = Command::AddCharge {
            account: "alice".into(),
            charge,
            text: "visit".into(),
            amount: usd("10.00"),
            on: Some(d("2012-05-01")),
            tax_class: "standard".into(),
        };
        self.ask(add).expect("is added");
        let now = Command::InvoiceNow {
            invoice: invoice.clone(),
            account: "alice".into(),
            usage: false,
        };
        self.ask(now).expect("is invoiced");
        let made = &self.book.tenant().tables.invoices[&invoice].state;
        let issued = made.issued.map(|day| day.to_string());
        (made.number.clone(), issued.unwrap_or_default())
    }

    fn own(&self) -> &Zone {
        &self.book.tenant().tables.entities["arms"].state.terms.zone
    }

    /// Days of the entries, in order.
    fn posted(&self) -> Vec<Date> {
        let posted = self.book.log.iter().filter_map(|(_, event)| match event {
            Event::Journal(journal::Event::Posted(e)) => Some(e.entry.on()),
            _ => None,
        });
        posted.collect()
    }
}

fn at(text: &str) -> Instant {
    text.parse().expect("an instant")
}

fn told(number: &str, issued: &str) -> (String, String) {
    (number.into(), issued.into())
}

#[test]
fn documents_and_entries_are_dated_by_the_zone_of_their_day_and_those_before_stay() {
    let mut clock = Clock::new("Europe/Berlin");
    // 23:30 of 31 December in Berlin.
    assert_eq!(
        clock.issue("2012-12-31T22:30:00Z"),
        told("2012-000001", "2012-12-31")
    );
    // From that day on in Tokyo, where it is the next year already: told late.
    clock
        .move_to("Asia/Tokyo", Some("2012-12-31"))
        .expect("moves");
    assert_eq!(
        clock.own().to_string(),
        "UTC > 2000-01-01 Europe/Berlin > 2012-12-31 Asia/Tokyo"
    );
    assert_eq!(
        clock.issue("2012-12-31T22:40:00Z"),
        told("2013-000001", "2013-01-01")
    );
    let first = &clock.book.tenant().tables.invoices["i1"].state;
    assert_eq!(
        (first.number.as_str(), first.issued),
        ("2012-000001", Some(d("2012-12-31")))
    );
    assert_eq!(clock.posted(), [d("2012-12-31"), d("2013-01-01")]);
    // Planned for later, and dropped by what is said for good.
    clock
        .move_to("America/New_York", Some("2013-06-01"))
        .expect("moves");
    assert_eq!(
        clock.issue("2013-06-01T03:30:00Z"),
        told("2013-000002", "2013-05-31"),
        "Tokyo's clocks show 12:30 of 1 June, and that day begins in New York at 04:00 UTC"
    );
    assert_eq!(
        clock.issue("2013-06-01T04:30:00Z"),
        told("2013-000003", "2013-06-01")
    );
}

#[test]
fn numbers_and_dates_of_a_series_do_not_go_back_where_the_clocks_do() {
    let mut clock = Clock::new("Asia/Tokyo");
    // 00:30 of 1 January in Tokyo.
    assert_eq!(
        clock.issue("2012-12-31T15:30:00Z"),
        told("2013-000001", "2013-01-01")
    );
    clock.move_to("America/New_York", None).expect("moves");
    // 11:00 of 31 December in New York: the year is not opened again.
    assert_eq!(
        clock.issue("2012-12-31T16:00:00Z"),
        told("2013-000002", "2013-01-01")
    );
    assert_eq!(
        clock.issue("2013-01-01T16:00:00Z"),
        told("2013-000003", "2013-01-01")
    );
    assert_eq!(
        clock.issue("2013-01-02T16:00:00Z"),
        told("2013-000004", "2013-01-02")
    );
    let years: Vec<_> = clock
        .book
        .tenant()
        .tables
        .series
        .iter()
        .map(|(id, _)| id.clone())
        .collect();
    assert_eq!(years, ["arms/invoice/2013"]);
    let issued = clock.book.log.iter().filter_map(|(_, event)| match event {
        Event::Invoice(invoices::Event::Finalised(e)) => Some(e.issued),
        _ => None,
    });
    assert!(issued.clone().is_sorted() && issued.count() == 4);
}

#[test]
fn a_period_is_closed_up_to_the_day_that_it_is_there() {
    let mut clock = Clock::new("Asia/Tokyo");
    clock.at = at("2013-01-31T15:30:00Z");
    let close = |from: &str, late| Command::ClosePeriod {
        entity: "arms".into(),
        closing: Closing {
            open_from: d(from),
            late,
        },
    };
    // It is 1 February in Tokyo, and still January in New York.
    clock
        .ask(close("2013-02-02", Late::FirstDay))
        .expect("closes");
    clock.move_to("America/New_York", None).expect("moves");
    let refused = clock.ask(close("2013-02-03", Late::FirstDay));
    assert_eq!(refused.expect_err("is to come").code, "PERIOD_NOT_OVER");
    // A day that is closed already gets nothing any more.
    clock.issue("2013-01-31T16:00:00Z");
    assert_eq!(clock.posted(), [d("2013-02-02")]);
}

#[test]
fn terms_that_name_the_zone_of_today_leave_the_others_as_they_are() {
    let mut clock = Clock::new("Europe/Berlin");
    clock
        .move_to("Asia/Tokyo", Some("2013-01-01"))
        .expect("moves");
    let before = clock.own().clone();
    let change = |name: &str, days: u32| {
        let terms = EntityTerms {
            name: "Arms".into(),
            country: "US".into(),
            currency: usd("0").currency,
            zone: zone(name),
            payment_days: days,
            ..EntityTerms::default()
        };
        Command::ChangeEntity {
            entity: "arms".into(),
            terms,
        }
    };
    clock.ask(change("Europe/Berlin", 7)).expect("changes");
    assert_eq!(*clock.own(), before);
    let days = clock.book.tenant().tables.entities["arms"]
        .state
        .terms
        .payment_days;
    assert_eq!(days, 7);
    // Another one is in force from today on, for good.
    clock.ask(change("UTC", 7)).expect("changes");
    assert_eq!(
        clock.own().to_string(),
        "UTC > 2000-01-01 Europe/Berlin > 2012-05-01 UTC"
    );
    let written = clock.book.log.len();
    clock
        .move_to("UTC", Some("2012-07-01"))
        .expect("says nothing new");
    assert_eq!(clock.book.log.len(), written);
    let unknown = clock.ask(Command::SetEntityZone {
        entity: "nobody".into(),
        zone: zone("UTC"),
        from: None,
    });
    assert_eq!(unknown.expect_err("is unknown").code, "ENTITY_UNKNOWN");
    for n in 0..40 {
        let name = ["Europe/Berlin", "UTC"][n % 2];
        let day = format!("{}-01-01", 2014 + n);
        match clock.move_to(name, Some(&day)) {
            Ok(()) => {}
            Err(code) => {
                assert_eq!((code.as_str(), n), ("ZONES_TOO_MANY", 29));
                return;
            }
        }
    }
    panic!("too many zones were taken");
}
