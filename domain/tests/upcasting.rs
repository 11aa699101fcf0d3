//! An event that changed its shape: what was stored in the old one is read as the new one.
//!
//! The events here exist only in this test; `docs/recipes/change-an-event.md` describes the same steps.

use indelible_domain::events;
use indelible_domain::kernel::event::{self, CodecError};
use serde::{Deserialize, Serialize};

/// What a payment looked like at first: whole cents, no currency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SettledV1 {
    cents: u64,
}

/// Then with a currency, under another name of its field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SettledV2 {
    minor: u64,
    currency: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    pub minor: u64,
    pub currency: String,
    pub channel: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    pub reason: String,
}

impl From<SettledV1> for Settled {
    fn from(old: SettledV1) -> Settled {
        SettledV2 {
            minor: old.cents,
            currency: "EUR".to_string(),
        }
        .into()
    }
}

impl From<SettledV2> for Settled {
    fn from(old: SettledV2) -> Settled {
        Settled {
            minor: old.minor,
            currency: old.currency,
            channel: None,
        }
    }
}

events! {
    /// What happens to a payment of this test.
    pub enum Event in "sample" {
        Settled = "settled" 3 from { 1: SettledV1, 2: SettledV2 },
        Failed = "failed" 1,
    }
}

fn settled(currency: &str, channel: Option<&str>) -> Event {
    Settled {
        minor: 1250,
        currency: currency.to_string(),
        channel: channel.map(ToString::to_string),
    }
    .into()
}

/// The stored bytes of one of the structs above.
fn stored<T: Serialize>(payload: &T) -> Vec<u8> {
    event::to_bytes("sample.settled", payload).expect("a payload can be stored")
}

#[test]
fn what_was_stored_in_an_older_version_is_read_as_the_current_one() {
    let first = stored(&SettledV1 { cents: 1250 });
    let second = stored(&SettledV2 {
        minor: 1250,
        currency: "USD".to_string(),
    });
    let third = settled("JPY", Some("card"))
        .encode()
        .expect("an event can be stored");
    for (schema, bytes, expected) in [
        (1, first, settled("EUR", None)),
        (2, second, settled("USD", None)),
        (3, third, settled("JPY", Some("card"))),
    ] {
        let read = Event::decode("sample.settled", schema, &bytes)
            .unwrap_or_else(|e| panic!("version {schema}: {e}"));
        assert_eq!(read, expected, "version {schema}");
    }
}

#[test]
fn an_event_is_always_written_in_its_current_version() {
    let read = Event::decode("sample.settled", 1, &stored(&SettledV1 { cents: 1250 }))
        .expect("version 1 is read");
    assert_eq!(read.event_type(), ("sample.settled", 3));
    assert_eq!(Event::TYPES, [("sample.settled", 3), ("sample.failed", 1)]);
}

#[test]
fn a_version_that_never_was_is_refused_by_name() {
    for (name, schema) in [
        ("sample.settled", 4),
        ("sample.failed", 2),
        ("sample.lost", 1),
    ] {
        match Event::decode(name, schema, &[]) {
            Err(CodecError::Unknown {
                event_type,
                schema: s,
            }) => assert_eq!((event_type.as_str(), s), (name, schema)),
            other => panic!("{name} version {schema}: {other:?}"),
        }
    }
}

#[test]
fn bytes_of_one_version_are_not_taken_for_another() {
    let first = stored(&SettledV1 { cents: 1250 });
    for schema in [2, 3] {
        let read = Event::decode("sample.settled", schema, &first);
        assert!(
            matches!(read, Err(CodecError::Malformed { .. })),
            "version {schema}: {read:?}"
        );
    }
}
