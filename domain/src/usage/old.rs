//! Facts of usage as earlier versions stored them, and how they are stored now.

use super::{Basis, Meter, Rated, RatedRecord, packed};
use crate::kernel::Text;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

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
        Rated {
            batch,
            source,
            basis,
            records,
            meter,
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
            batch,
            source,
            basis,
            records,
            meter,
        } = self;
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
