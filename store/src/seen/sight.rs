//! One row of the memory: what holds a key, and where.

use indelible_domain::past::Sighting;

use crate::runs::{Row, put_varint, take, varint};

/// The record that holds a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    pub content: [u8; 16],
    /// Position of the fact that says so.
    pub position: u64,
    /// Where the name of its batch begins among the notes.
    pub batch: u64,
    /// It counts on a meter. If not, it holds the key only if nothing older does.
    pub counted: bool,
}

impl Sight {
    pub fn sighting(&self) -> Sighting {
        Sighting {
            content: self.content,
            position: self.position,
            counted: self.counted,
        }
    }
}

impl Row for Sight {
    const RUN: [u8; 4] = *b"KEYR";
    const MANIFEST: [u8; 4] = *b"KEYS";
    const FILTER_BITS: u64 = 16;

    fn order(&self) -> u64 {
        self.position
    }

    fn join(&mut self, newer: &Sight) -> bool {
        if newer.counted {
            *self = *newer;
        }
        true
    }

    fn write(&self, _: Option<&Sight>, base: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.content);
        let place = self.position.saturating_sub(base);
        put_varint(out, place << 1 | u64::from(self.counted));
        put_varint(out, self.batch);
    }

    fn read(rest: &mut &[u8], _: Option<&Sight>, base: u64) -> Option<Sight> {
        let content = take(rest)?;
        let place = varint(rest)?;
        Some(Sight {
            content,
            position: base.checked_add(place >> 1)?,
            counted: place & 1 == 1,
            batch: varint(rest)?,
        })
    }

    fn shift_notes(&mut self, by: u64) {
        self.batch += by;
    }
}
