//! What is fuzzed: the three texts that come from outside and are computed with. Each entry takes any bytes and panics only if
//! the product broke a promise.
//!
//! The same entries run on every test run over seeded changes of good texts (`domain/tests/specs/any_bytes.rs`).

use indelible_domain::accounts::AccountTerms;
use indelible_domain::catalog::{self, Catalog, Sold};
use indelible_domain::command::StartSubscription;
use indelible_domain::entities::EntityTerms;
use indelible_domain::expressions::{Expression, Kind, Moment, Names, Value, parse};
use indelible_domain::kernel::{Date, Decider, Decimal, Instant, Zone};
use indelible_domain::mediation::formats::{Format, read};
use indelible_domain::mediation::{Intake, Received, record_from};
use indelible_domain::past::Memory;
use indelible_domain::rating::names::usage_schema;
use indelible_domain::world::World;
use indelible_domain::{Command, Session, operations};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// A value under every name, chosen by the name's length, so that every kind and nothing at all come up.
struct Anything;

fn anything(name: &str) -> Value<'static> {
    let day = Date::from_ymd_opt(2027, 2, 28).unwrap_or_default();
    match name.len() % 7 {
        0 => Value::Null,
        1 => Value::from(Decimal::from(i64::try_from(name.len()).unwrap_or(1))),
        2 => Value::Text(name.to_string().into()),
        3 => Value::Boolean(true),
        4 => Value::Date(day),
        5 => Value::Moment(Moment {
            date: day,
            minute: 1439,
        }),
        _ => Value::from(
            "-0.0000000000000000000000000001"
                .parse::<Decimal>()
                .unwrap_or_default(),
        ),
    }
}

impl Names for Anything {
    fn name(&self, name: &str) -> Option<Value<'_>> {
        Some(anything(name))
    }

    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        Some(anything(name))
    }

    fn field(&self, code: &str) -> Option<Value<'_>> {
        Some(anything(code))
    }
}

/// What can be read is printed as something that reads back as the same; what is checked without a problem fails over values
/// and never over kinds; the same names give the same value.
pub fn expression(bytes: &[u8]) {
    let source = String::from_utf8_lossy(bytes);
    let expression = Expression::new(&*source);
    let schema = usage_schema(None);
    let kinds = [
        Kind::Number,
        Kind::Text,
        Kind::Boolean,
        Kind::Date,
        Kind::Moment,
    ];
    let fits = kinds.map(|kind| expression.check(&schema, kind).is_empty());
    let value = expression.eval(&Anything);
    assert_eq!(value, expression.eval(&Anything), "{source:?}");
    let Ok(tree) = parse(&source) else {
        assert!(value.is_err_and(|failure| failure.code == "EXPRESSION_INVALID"));
        assert_eq!(fits, [false; 5], "{source:?}");
        return;
    };
    let printed = tree.to_string();
    match parse(&printed) {
        Ok(back) => {
            assert_eq!(back, tree, "{source:?} was printed as {printed:?}");
            assert_eq!(Expression::new(printed).eval(&Anything).ok(), value.ok());
        }
        // What is printed in full can be longer than an expression may be.
        Err(problem) => assert!(problem.message.contains("bytes"), "{source:?}: {problem}"),
    }
}

/// A catalog file is refused or published; what is published is stored as a text that reads back as the same.
pub fn catalog(bytes: &[u8]) {
    let Ok(offers) = catalog::parse(&String::from_utf8_lossy(bytes)) else {
        return;
    };
    let state = Catalog::default();
    let Ok(events) = Catalog::decide(
        &state,
        catalog::Command::Apply {
            file: offers.into(),
            found: vec![],
        },
    ) else {
        return;
    };
    for event in events {
        let stored = event.encode().expect("a published offer can be stored");
        let (kind, version) = event.event_type();
        let back = catalog::Event::decode(kind, version, &stored).expect("and be read");
        assert_eq!(back, event);
        if let catalog::Event::OfferPublished(published) = back {
            let offer: catalog::Offer =
                serde_json::from_str(published.offer.text()).expect("its text reads back");
            assert_eq!(Sold::new(offer), published.offer);
        }
    }
}

/// A file of usage ends in records or reasons, and every record in exactly one count.
pub fn usage(bytes: &[u8]) {
    let Some((first, file)) = bytes.split_first() else {
        return;
    };
    let formats = Format::ALL;
    let Some(format) = formats.get(usize::from(*first) % formats.len()) else {
        return;
    };
    let Ok(lines) = read(*format, file) else {
        return;
    };
    let hash = |bytes: &[u8]| *blake3::hash(bytes).as_bytes();
    let take = |line: &indelible_domain::mediation::formats::Line| match &line.reading {
        Ok(reading) => {
            let mut record = record_from(reading, "fuzz", hash);
            record.line = line.number;
            // Whatever it names, it is the subscription there is.
            record.access = "subscription:s".to_string();
            if reading.access.len() % 5 == 0 {
                record.access = "subscription:nobody".to_string();
            }
            Received::Record(record)
        }
        Err(fault) => Received::Unreadable {
            line: line.number,
            code: fault.code.to_string(),
            reason: fault.reason.clone(),
        },
    };
    let received: Vec<_> = lines.iter().take(2_000).map(take).collect();
    let intake = Intake {
        batch: "b".to_string(),
        source: "fuzz".to_string(),
        format: format.name().to_string(),
        name: "file".to_string(),
        lines: received,
    };
    let past = Memory::default();
    let mut session = Session::new(world().tenant("t"), now()).with(&past);
    let Ok(outcome) = operations::execute(&mut session, Command::IngestUsage(Box::new(intake)))
    else {
        return;
    };
    let n = outcome.usage.expect("usage is counted");
    assert_eq!(
        n.received,
        n.accepted + n.duplicates + n.conflicts + n.unreadable
    );
    assert_eq!(n.accepted, n.rated + n.pending + n.rejected + n.superseded);
    for staged in session.events() {
        let _ = staged
            .event
            .encode()
            .expect("what was decided can be stored");
    }
}

fn now() -> Instant {
    Zone::default().start_of(Date::from_ymd_opt(2027, 1, 1).unwrap_or_default())
}

/// A seller, a customer, and a subscription to everything that usage can be priced by.
fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let mut world = World::default();
        let past = Memory::default();
        let mut ask = |command| {
            let mut session = Session::new(world.tenant("t"), now()).with(&past);
            operations::execute(&mut session, command).expect("the world is set up");
            let (tables, events) = session.finish();
            world.absorb("t", tables, &events);
        };
        let currency = "EUR".parse().expect("a currency");
        ask(Command::OpenEntity {
            entity: "e".into(),
            terms: EntityTerms {
                name: "E".into(),
                country: "DE".into(),
                currency,
                ..EntityTerms::default()
            },
        });
        ask(Command::OpenAccount {
            account: "a".into(),
            terms: AccountTerms {
                entity: "e".into(),
                currency,
                zone: "Europe/Berlin".parse().expect("a zone"),
                ..AccountTerms::default()
            },
        });
        let offers = catalog::parse(OFFERS).expect("the offer reads");
        ask(Command::ApplyCatalog { offers });
        ask(Command::StartSubscription(Box::new(StartSubscription {
            subscription: "s".into(),
            account: "a".into(),
            offer: "all".into(),
            quantity: Decimal::ONE,
            from: Date::from_ymd_opt(2000, 1, 31),
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: false,
            access: vec![],
        })));
        world
    })
}

/// An offer with every way of pricing usage; also a good seed for catalogs.
pub const OFFERS: &str = include_str!("../seeds/offers.toml");
