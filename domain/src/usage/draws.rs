//! What the records of a meter drew on counters, summed by the way that they went.
//!
//! Records that may draw on the same periods of the same counters go one [`Way`]. What they draw follows from the sum of
//! what they use, as what they cost does (docs/decisions/0033-counters.md): more use draws on the counters in their order,
//! and what none of them covers is left for the price; less use gives back what was beyond them first, then the last
//! counter, the first one at the end.

use super::chunks;
use crate::kernel::{Decimal, Exact, Id, Rejection, Text};
use crate::mediation::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One period of a counter, as a record sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lot {
    /// Stream of the counter's period.
    pub counter: Id,
    /// The record is of a later period: it uses what was left.
    pub later: bool,
}

/// The counters on which a record may draw, in the order in which they are drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Way {
    /// Those that cover units.
    pub units: Vec<Lot>,
    /// Those that pay for what the price makes of the rest.
    pub money: Vec<Lot>,
    /// What a unit beyond them costs, where a matrix says so.
    pub rate: Option<Decimal>,
}

/// What went one way so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    pub used: Exact,
    /// What each counter of the way covers of it.
    pub parts: Vec<Exact>,
}

impl Sum {
    pub(crate) fn covered(&self) -> Result<Exact, Rejection> {
        self.parts
            .iter()
            .try_fold(Exact::ZERO, |sum, part| sum.plus(*part))
    }
}

/// Units and money of one way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    pub units: Sum,
    pub money: Sum,
}

/// By code of the counter.
pub type ByCounter = BTreeMap<String, Exact>;

/// What the records of a meter drew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Draws {
    pub ways: BTreeMap<Way, Sums>,
    /// What counters of money paid, less what units cost that a counter with a price covers: the meter says what remains.
    pub covered: Exact,
}

impl Sums {
    /// Whether it comes to the same; what is not there is nothing.
    pub(crate) fn same(&self, other: &Sums) -> bool {
        let part = |sum: &Sum, n: usize| sum.parts.get(n).copied().unwrap_or(Exact::ZERO);
        let same = |a: &Sum, b: &Sum| {
            let most = a.parts.len().max(b.parts.len());
            a.used == b.used && (0..most).all(|n| part(a, n) == part(b, n))
        };
        same(&self.units, &other.units) && same(&self.money, &other.money)
    }
}

impl Draws {
    /// Streams of the counters' periods on which records may draw here.
    pub(crate) fn counters(&self) -> impl Iterator<Item = &Id> {
        let ways = self.ways.keys();
        ways.flat_map(|way| way.units.iter().chain(&way.money))
            .map(|lot| &lot.counter)
    }

    pub(super) fn apply(&mut self, event: &Drawn) {
        for (way, sums) in &event.ways {
            self.ways.insert(way.clone(), sums.clone());
        }
        self.covered = event.covered;
    }

    /// What one counter's period covers here: units of a counter of units, else money.
    pub fn from(&self, counter: &str) -> Result<Exact, Rejection> {
        let mut sum = Exact::ZERO;
        for (way, sums) in &self.ways {
            let units = way.units.iter().zip(&sums.units.parts);
            let money = way.money.iter().zip(&sums.money.parts);
            for (lot, part) in units.chain(money) {
                if lot.counter == counter {
                    sum = sum.plus(*part)?;
                }
            }
        }
        Ok(sum)
    }

    /// What each counter's periods cover together: of units, and of money.
    pub fn by_counter(&self) -> Result<(ByCounter, ByCounter), Rejection> {
        let (mut units, mut money) = (ByCounter::new(), ByCounter::new());
        let add = |to: &mut ByCounter, lots: &[Lot], parts: &[Exact]| {
            for (lot, part) in lots.iter().zip(parts) {
                let code = lot.counter.split('/').nth(1).unwrap_or_default();
                let known = to.entry(code.to_string()).or_insert(Exact::ZERO);
                *known = known.plus(*part)?;
            }
            Ok::<(), Rejection>(())
        };
        for (way, sums) in &self.ways {
            add(&mut units, &way.units, &sums.units.parts)?;
            add(&mut money, &way.money, &sums.money.parts)?;
        }
        Ok((units, money))
    }

    /// Units that counters cover.
    pub fn units(&self) -> Result<Exact, Rejection> {
        let mut sums = self.ways.values().map(|s| s.units.covered());
        sums.try_fold(Exact::ZERO, |sum, part| sum.plus(part?))
    }
}

/// What one record moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawing {
    #[serde(with = "crate::kernel::key")]
    pub key: Key,
    /// The way it goes from now on; none: it has left.
    pub way: Option<Way>,
    /// By counter: what it took, or below zero gave back.
    pub moved: Vec<(Id, Exact)>,
    /// What counters of money pay of it altogether.
    pub covered: Exact,
}

/// Records of the same commit drew on counters or gave back to them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    pub batch: Text,
    pub records: Vec<Drawing>,
    /// Every way that moved, after the whole commit.
    pub ways: Vec<(Way, Sums)>,
    /// After the whole commit.
    pub covered: Exact,
}

impl Drawn {
    /// Splits it so that no part is larger than one event may be.
    pub(super) fn cut(self) -> Vec<Drawn> {
        let Drawn {
            batch,
            records,
            ways,
            covered,
        } = self;
        let one = |records, ways| Drawn {
            batch: batch.clone(),
            records,
            ways,
            covered,
        };
        let of_way = |way: &Way| {
            let all = way.units.iter().chain(&way.money);
            40 + all.map(|lot| 80 + lot.counter.len()).sum::<usize>()
        };
        let ways = chunks(ways, |(way, _)| 200 + of_way(way));
        let records = chunks(records, |r: &Drawing| {
            let moved = r.moved.iter().map(|(id, _)| 48 + id.len()).sum::<usize>();
            80 + moved + r.way.as_ref().map_or(0, of_way)
        });
        let records = records.into_iter().map(|records| one(records, vec![]));
        let ways = ways.into_iter().map(|ways| one(vec![], ways));
        let mut out: Vec<Drawn> = records.chain(ways).collect();
        // Nearly always all of it fits into one.
        if let [records, ways] = out.as_mut_slice()
            && ways.records.is_empty()
            && ways.ways.len() < 1_000
            && records.records.len() < 1_000
        {
            records.ways = std::mem::take(&mut ways.ways);
            out.truncate(1);
        }
        out
    }
}

/// The way of a record and what money counters pay of it, as the facts of its meter say.
pub fn found<'e>(
    facts: impl IntoIterator<Item = &'e super::Event>,
    key: &Key,
) -> Option<(Way, Exact)> {
    let drawn = facts.into_iter().filter_map(|fact| match fact {
        super::Event::Drawn(drawn) => Some(drawn),
        _ => None,
    });
    let last = drawn
        .flat_map(|d| &d.records)
        .filter(|r| r.key == *key)
        .last()?;
    last.way.clone().map(|way| (way, last.covered))
}
