//! Facts of usage as earlier versions stored them, and how they are stored now.

use super::{
    Basis, Gone, Meter, Moved, Provenance, Rated, RatedRecord, Remembered, Slot, Worth, packed,
};
use crate::kernel::{Date, Decimal, Exact, Instant, Text};
use crate::mediation::Key;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// Version 1: every field at its full width.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RatedV1 {
    batch: Text,
    source: Text,
    basis: Basis,
    records: Vec<RatedRecord>,
    meter: Meter,
}

impl From<RatedV1> for Rated {
    fn from(old: RatedV1) -> Rated {
        let RatedV1 {
            batch,
            source,
            basis,
            records,
            meter,
        } = old;
        let provenance = Provenance {
            batch,
            source,
            basis,
        };
        Rated {
            provenance: Arc::new(provenance),
            records,
            meter,
        }
    }
}

/// Version 1: a record that no expression priced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct MovedV1 {
    #[serde(with = "crate::kernel::key")]
    key: Key,
    at: Instant,
    on: Date,
    clock: u32,
    units: Exact,
    carried: Option<Decimal>,
    value: Option<Key>,
}

/// Version 1: expressions did not go together with what remembers records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RememberedV1 {
    gone: Vec<Gone>,
    moves: Vec<(Slot, MovedV1)>,
    worth: Vec<(Slot, Worth)>,
}

impl From<MovedV1> for Moved {
    fn from(old: MovedV1) -> Moved {
        let MovedV1 {
            key,
            at,
            on,
            clock,
            units,
            carried,
            value,
        } = old;
        Moved {
            key,
            at,
            on,
            clock,
            units,
            carried,
            value,
            priced: None,
        }
    }
}

impl From<RememberedV1> for Remembered {
    fn from(old: RememberedV1) -> Remembered {
        let moves = old.moves.into_iter();
        Remembered {
            gone: old.gone,
            moves: moves.map(|(slot, moved)| (slot, moved.into())).collect(),
            worth: old.worth,
        }
    }
}

/// The fields of a fact, for a reader that wants their names.
#[derive(Serialize)]
struct Shown<'a> {
    batch: &'a Text,
    source: &'a Text,
    basis: &'a Basis,
    records: &'a [RatedRecord],
    meter: &'a Meter,
}

impl Rated {
    /// Appends the stored bytes, as `Serialize` gives them.
    pub(crate) fn store(&self, out: &mut Vec<u8>) {
        let length = out.len();
        out.extend_from_slice(&[0; 8]);
        packed::pack_into(self, out);
        let written = (out.len() - length - 8) as u64;
        if let Some(place) = out.get_mut(length..length + 8) {
            place.copy_from_slice(&written.to_le_bytes());
        }
    }
}

impl Serialize for Rated {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(&packed::pack(self));
        }
        let Rated {
            provenance,
            records,
            meter,
        } = self;
        let Provenance {
            batch,
            source,
            basis,
        } = provenance.as_ref();
        let shown = Shown {
            batch,
            source,
            basis,
            records,
            meter,
        };
        shown.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Packed;
        impl Visitor<'_> for Packed {
            type Value = Rated;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("rated usage, packed")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Rated, E> {
                packed::unpack(bytes).ok_or_else(|| E::custom("these are not rated records"))
            }

            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Rated, E> {
                self.visit_bytes(&bytes)
            }
        }
        if deserializer.is_human_readable() {
            return RatedV1::deserialize(deserializer).map(Rated::from);
        }
        deserializer.deserialize_bytes(Packed)
    }
}
