//! What a meter remembers of each record where sums alone do not say what the records cost: levels, different values,
//! latest values, and everything that is counted by group.

use crate::kernel::{Date, Decimal, Exact, Instant};
use crate::mediation::Key;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Which running total of a meter a record counts in.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot {
    /// Number of the line of a price matrix, from 1; 0 where there is none or its default price holds.
    pub line: u32,
    /// Values of the attributes that the charge groups by, in their order; a missing one is empty.
    pub group: Vec<String>,
}

/// A record, as far as its aggregation needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    #[serde(with = "crate::kernel::key")]
    pub key: Key,
    pub at: Instant,
    /// Business date of `at`.
    pub on: Date,
    /// What clocks showed at `at`: seconds since midnight.
    pub clock: u32,
    pub units: Exact,
    /// The amount of money it carries.
    pub carried: Option<Decimal>,
    /// Hash of the value that is to be told from others.
    pub value: Option<Key>,
    /// What an expression asks for it.
    pub priced: Option<Box<Exact>>,
}

/// What one slot comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    pub units: Exact,
    /// What the price model asks for it, from nothing.
    pub amount: Exact,
}

impl Worth {
    pub(crate) fn plus(self, other: Worth) -> Result<Worth, crate::kernel::Rejection> {
        Ok(Worth {
            units: self.units.plus(other.units)?,
            amount: self.amount.plus(other.amount)?,
        })
    }

    pub(crate) fn minus(self, other: Worth) -> Result<Worth, crate::kernel::Rejection> {
        Ok(Worth {
            units: self.units.minus(other.units)?,
            amount: self.amount.minus(other.amount)?,
        })
    }
}

/// Records of one slot in the order of their own time, those of one instant in the order they came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub moves: Vec<Moved>,
    pub worth: Worth,
}

impl Group {
    pub(crate) fn insert(&mut self, moved: Moved) {
        let at = self.moves.partition_point(|m| m.at <= moved.at);
        self.moves.insert(at, moved);
    }

    pub(crate) fn take(&mut self, key: &Key) -> Option<Moved> {
        let at = self.moves.iter().rposition(|m| m.key == *key)?;
        Some(self.moves.remove(at))
    }
}

/// The records of a meter by slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub groups: BTreeMap<Slot, Arc<Group>>,
}

impl Memory {
    /// The slot that a record counts in.
    pub fn slot_of(&self, key: &Key) -> Option<&Slot> {
        let has = |group: &Group| group.moves.iter().any(|m| m.key == *key);
        self.groups
            .iter()
            .find(|(_, group)| has(group))
            .map(|(slot, _)| slot)
    }

    pub(super) fn apply(&mut self, event: &Remembered) {
        if !event.gone.is_empty() {
            let gone: HashSet<&Key> = event.gone.iter().map(|g| &g.0).collect();
            for group in self.groups.values_mut() {
                if group.moves.iter().any(|m| gone.contains(&m.key)) {
                    let group = Arc::make_mut(group);
                    group.moves.retain(|m| !gone.contains(&m.key));
                }
            }
        }
        for (slot, moved) in &event.moves {
            let group = self.groups.entry(slot.clone()).or_default();
            Arc::make_mut(group).insert(moved.clone());
        }
        for (slot, worth) in &event.worth {
            let group = self.groups.entry(slot.clone()).or_default();
            Arc::make_mut(group).worth = *worth;
        }
        self.groups.retain(|_, group| !group.moves.is_empty());
    }
}

/// A key by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gone(#[serde(with = "crate::kernel::key")] pub Key);

/// Records of the same commit, as their aggregation needs them; those that left or were replaced are taken out first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    pub gone: Vec<Gone>,
    /// In the order they came.
    pub moves: Vec<(Slot, Moved)>,
    /// Of every slot that moved, after the whole commit.
    pub worth: Vec<(Slot, Worth)>,
}
