//! The running totals of a charge that remembers its records: one per slot, moved record by record.

use super::levels::{Carried, CarriedIn, Over, Steps, Walk};
use super::price;
use crate::catalog::{Price, Usage};
use crate::kernel::{Date, Exact, Rejection};
use crate::mediation::Key;
use crate::subscriptions::{Subscription, schedule};
use crate::usage::{Gone, Group, Memory, Moved, Remembered, Slot, Worth};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Which period of a charge is rated, and what was there when it began.
#[derive(Clone, Debug)]
pub struct Period<'a> {
    pub charge: &'a Usage,
    pub price: &'a Price,
    pub over: Over,
    pub carried: CarriedIn,
}

impl<'a> Period<'a> {
    pub fn new(charge: &'a Usage, over: Over, carried: CarriedIn) -> Period<'a> {
        Period {
            charge,
            price: charge.price_on(over.days.from),
            over,
            carried,
        }
    }

    /// The price of a slot: that of its line in a matrix, or the charge's own.
    fn price_of(&self, slot: &Slot) -> Result<&'a Price, Rejection> {
        match self.price {
            Price::Matrix(matrix) => {
                let line = usize::try_from(slot.line)
                    .ok()
                    .and_then(|n| n.checked_sub(1));
                matrix.price(line).ok_or_else(|| {
                    Rejection::new(
                        "NO_PRICE",
                        format!("the matrix of charge {} has no such line", self.charge.code),
                    )
                })
            }
            price => Ok(price),
        }
    }

    fn walk(&self, slot: &Slot) -> Result<Walk<'a>, Rejection> {
        let carried = self.carried.get(slot).cloned().unwrap_or_default();
        Ok(Walk::new(
            self.charge,
            self.price_of(slot)?,
            self.over,
            carried,
        ))
    }

    fn walked(&self, slot: &Slot, moves: &[Moved]) -> Result<Walk<'a>, Rejection> {
        let mut walk = self.walk(slot)?;
        moves.iter().try_for_each(|moved| walk.pass(moved))?;
        Ok(walk)
    }

    /// Slots that cost something without any record: what was carried in, and where nothing is grouped the only one.
    fn standing(&self) -> Vec<Slot> {
        let only = Slot::default();
        let mut slots: Vec<Slot> = self.carried.keys().cloned().collect();
        if self.single() && !slots.contains(&only) {
            slots.push(only);
        }
        slots
    }

    fn stands(&self, slot: &Slot) -> bool {
        self.carried.contains_key(slot) || (self.single() && *slot == Slot::default())
    }

    /// Whether there is one running total for all records.
    fn single(&self) -> bool {
        self.charge.group_by.is_empty() && !matches!(self.price, Price::Matrix(_))
    }

    /// What the period comes to as it was recorded: only a level that was carried in can have changed since.
    fn recorded(&self, memory: Option<&Memory>) -> Result<Worth, Rejection> {
        let Some(memory) = memory.filter(|_| !self.charge.carry) else {
            return self.worth(memory);
        };
        let mut sum = Worth::default();
        if self.single() && !memory.groups.contains_key(&Slot::default()) {
            sum = self.walk(&Slot::default())?.worth()?;
        }
        let recorded = memory.groups.values().map(|group| group.worth);
        recorded.into_iter().try_fold(sum, Worth::plus)
    }

    /// What the period comes to, from nothing; `memory` are its records.
    pub fn worth(&self, memory: Option<&Memory>) -> Result<Worth, Rejection> {
        let mut sum = Worth::default();
        for slot in self.standing() {
            if memory.is_none_or(|m| !m.groups.contains_key(&slot)) {
                sum = sum.plus(self.walk(&slot)?.worth()?)?;
            }
        }
        for (slot, group) in memory.iter().flat_map(|m| &m.groups) {
            sum = sum.plus(self.walked(slot, &group.moves)?.worth()?)?;
        }
        Ok(sum)
    }

    /// What each slot comes to, step by step, with its price and what it is worth.
    pub fn steps(
        &self,
        memory: Option<&Memory>,
    ) -> Result<Vec<(Slot, &'a Price, Steps, Worth)>, Rejection> {
        let mut all = Vec::new();
        let none = Vec::new();
        let standing = self.standing().into_iter();
        let alone = standing.filter(|slot| memory.is_none_or(|m| !m.groups.contains_key(slot)));
        let alone = alone.map(|slot| (slot, &none));
        let groups = memory.iter().flat_map(|m| &m.groups);
        for (slot, moves) in alone.chain(groups.map(|(slot, group)| (slot.clone(), &group.moves))) {
            let mut walk = self.walk(&slot)?.kept();
            moves.iter().try_for_each(|moved| walk.pass(moved))?;
            let (steps, worth) = (walk.steps()?, walk.worth()?);
            all.push((slot.clone(), self.price_of(&slot)?, steps, worth));
        }
        Ok(all)
    }

    /// What goes over to the period after it.
    pub fn carries(mut self, memory: Option<&Memory>) -> Result<CarriedIn, Rejection> {
        let mut next = CarriedIn::new();
        for (slot, group) in memory.iter().flat_map(|m| &m.groups) {
            next.insert(slot.clone(), self.walked(slot, &group.moves)?.carries());
            self.carried.remove(slot);
        }
        next.extend(self.carried);
        next.retain(|_, c| *c != Carried::default());
        Ok(next)
    }
}

/// A period at work.
#[derive(Clone, Debug)]
pub struct Groups<'a> {
    period: Period<'a>,
    before: Option<&'a Memory>,
    /// Slots that were looked at.
    slots: BTreeMap<Slot, Working<'a>>,
    /// What came and went, in order.
    changes: Vec<(Slot, Change)>,
    sum: Worth,
}

#[derive(Clone, Debug)]
struct Working<'a> {
    group: Cow<'a, Group>,
    walk: Walk<'a>,
    worth: Worth,
}

#[derive(Clone, Debug, PartialEq)]
enum Change {
    Came(Moved),
    Went(Key),
}

impl<'a> Groups<'a> {
    pub fn new(period: Period<'a>, before: Option<&'a Memory>) -> Result<Groups<'a>, Rejection> {
        let sum = period.recorded(before)?;
        Ok(Groups {
            period,
            before,
            slots: BTreeMap::new(),
            changes: Vec::new(),
            sum,
        })
    }

    pub fn sum(&self) -> Worth {
        self.sum
    }

    /// What the charge comes to: all slots, within its bounds.
    pub fn amount(&self) -> Result<Exact, Rejection> {
        price::bounded(self.period.charge, self.period.price, self.sum.amount)
    }

    /// Counts a record; refused, nothing of it stays.
    pub fn come(&mut self, slot: &Slot, moved: &Moved) -> Result<(), Rejection> {
        let period = self.period.clone();
        let working = self.open(slot)?;
        let in_order = working
            .group
            .moves
            .last()
            .is_none_or(|last| last.at <= moved.at);
        let group = working.group.to_mut();
        group.insert(moved.clone());
        let walked = match in_order {
            true => working.walk.pass(moved),
            false => period
                .walked(slot, &group.moves)
                .map(|walk| working.walk = walk),
        };
        let settled = walked.and_then(|()| self.settle(slot));
        if let Err(refused) = settled {
            let working = self.open(slot)?;
            let group = working.group.to_mut();
            group.take(&moved.key);
            working.walk = period.walked(slot, &group.moves)?;
            return Err(refused);
        }
        self.changes
            .push((slot.clone(), Change::Came(moved.clone())));
        Ok(())
    }

    /// Takes a record out again.
    pub fn go(&mut self, key: &Key) -> Result<(), Rejection> {
        let here = |w: &Working<'_>| w.group.moves.iter().any(|m| m.key == *key);
        let opened = self
            .slots
            .iter()
            .find(|(_, w)| here(w))
            .map(|(s, _)| s.clone());
        let slot = opened.or_else(|| self.before?.slot_of(key).cloned());
        let slot = slot.ok_or_else(|| {
            Rejection::new(
                "RECORD_GONE",
                "the record to be corrected is no longer counted here",
            )
        })?;
        let period = self.period.clone();
        let working = self.open(&slot)?;
        let group = working.group.to_mut();
        group.take(key);
        working.walk = period.walked(&slot, &group.moves)?;
        self.changes.push((slot.clone(), Change::Went(*key)));
        self.settle(&slot)
    }

    /// Takes the record that came last out again, as if it never had.
    pub fn undo(&mut self, key: &Key) -> Result<(), Rejection> {
        self.go(key)?;
        // Its coming and going are one after the other at the end.
        self.changes.truncate(self.changes.len().saturating_sub(2));
        Ok(())
    }

    fn settle(&mut self, slot: &Slot) -> Result<(), Rejection> {
        let stands = self.period.stands(slot);
        let working = self.open(slot)?;
        // A group without records costs nothing, flat fees included, unless something stands in it anyway.
        let worth = match working.group.moves.is_empty() && !stands {
            true => Worth::default(),
            false => working.walk.worth()?,
        };
        let before = working.worth;
        let sum = self.sum.plus(worth.minus(before)?)?;
        self.open(slot)?.worth = worth;
        self.sum = sum;
        Ok(())
    }

    fn open(&mut self, slot: &Slot) -> Result<&mut Working<'a>, Rejection> {
        if !self.slots.contains_key(slot) {
            let group = self
                .before
                .and_then(|m| m.groups.get(slot))
                .map(AsRef::as_ref);
            let group: Cow<'a, Group> = group.map_or_else(Cow::default, Cow::Borrowed);
            let walk = self.period.walked(slot, &group.moves)?;
            let stands = !group.moves.is_empty() || self.period.stands(slot);
            let worth = if stands {
                walk.worth()?
            } else {
                Worth::default()
            };
            let working = Working { group, walk, worth };
            self.slots.insert(slot.clone(), working);
        }
        self.slots.get_mut(slot).ok_or_else(|| {
            Rejection::new("METER_UNKNOWN", "a running total is not open".to_string())
        })
    }

    /// What the meter is to remember of it.
    pub fn finish(self) -> Remembered {
        let mut last: BTreeMap<Key, usize> = BTreeMap::new();
        for (n, (_, change)) in self.changes.iter().enumerate() {
            let (Change::Came(Moved { key, .. }) | Change::Went(key)) = change;
            last.insert(*key, n);
        }
        let known = |key: &Key| self.before.is_some_and(|m| m.slot_of(key).is_some());
        let corrected = self
            .changes
            .iter()
            .any(|(_, c)| matches!(c, Change::Went(_)));
        let gone = match corrected {
            true => last.keys().copied().filter(known).map(Gone).collect(),
            false => Vec::new(),
        };
        let changes = self.changes.into_iter().enumerate();
        let moves = changes.filter_map(|(n, (slot, change))| match change {
            Change::Came(moved) if last.get(&moved.key) == Some(&n) => Some((slot, moved)),
            _ => None,
        });
        Remembered {
            gone,
            moves: moves.collect(),
            worth: self
                .slots
                .into_iter()
                .map(|(slot, w)| (slot, w.worth))
                .collect(),
        }
    }
}

/// What goes over into the period of a charge that begins on a day, from all periods of it before; `memory` answers what
/// is remembered of one by its charge and first day.
pub fn carried_in<'m>(
    sub: &Subscription,
    charge: &Usage,
    from: Date,
    memory: impl Fn(&str, Date) -> Option<&'m Memory>,
) -> Result<CarriedIn, Rejection> {
    let mut carried = CarriedIn::new();
    if !charge.carry {
        return Ok(carried);
    }
    let periods = schedule::usage_periods(sub, from).into_iter();
    for before in periods.filter(|p| p.charge.code == charge.code && p.days.from < from) {
        let memory = memory(&charge.code, before.days.from);
        // Of a term in which it did not carry over, nothing does.
        carried = match before.charge.carry {
            true => {
                let (days, whole) = (before.days, before.whole);
                Period::new(before.charge, Over { days, whole }, carried).carries(memory)?
            }
            false => CarriedIn::new(),
        };
    }
    Ok(carried)
}
