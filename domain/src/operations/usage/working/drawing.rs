//! Records that draw on counters: units beside the price first, then what the price makes of the rest.

use super::{Working, rated};
use crate::catalog::Aggregate;
use crate::kernel::{Exact, Id, Rejection};
use crate::mediation::{Key, UsageRecord};
use crate::operations::usage::lots::{Drawer, Lots};
use crate::rating::tally::Use;
use crate::rating::{Place, measured};
use crate::usage::draws::{Sums, found};
use crate::usage::{Correction, Drawing, Kept, Payer, Reversed, Way};
use crate::wallets::Purse;

/// Which side of a way something goes over.
#[derive(Clone, Copy)]
enum Side {
    Units,
    Money,
}

/// What a move makes of a charge.
#[derive(Default)]
struct Moves {
    /// To be paid.
    rest: Exact,
    /// Paid by counters of money.
    covered: Exact,
    moved: Vec<(Id, Exact)>,
}

impl Moves {
    fn and(mut self, more: Moves) -> Result<Moves, Rejection> {
        self.rest = self.rest.plus(more.rest)?;
        self.covered = self.covered.plus(more.covered)?;
        for (counter, amount) in more.moved {
            match self.moved.iter_mut().find(|(known, _)| *known == counter) {
                Some((_, known)) => *known = known.plus(amount)?,
                None => self.moved.push((counter, amount)),
            }
        }
        Ok(self)
    }
}

impl<'s> Working<'s> {
    /// Rates a record that was not here before and may draw on counters. Refused, it leaves nothing here; the caller
    /// brings the counters back.
    pub fn add_drawing(
        &mut self,
        record: &mut UsageRecord,
        place: Place<'s>,
        purse: &mut Purse,
        lots: &mut Lots<'_, '_>,
        way: &Way,
    ) -> Result<(), Rejection> {
        let used = measured(&place, record)?;
        let units = used.units;
        let way = with_rate(way, &used);
        let (meter, covered) = (self.tally.meter.clone(), self.tally.covered());
        let before = self.draws.as_ref().and_then(|d| d.ways.get(&way).cloned());
        let mut added = false;
        let entered = self.enter(&way, used, place, lots, &mut added);
        let done = entered.and_then(|moves| {
            let payer = self.pay(moves.rest, place, purse)?;
            Ok((moves, payer))
        });
        match done {
            Ok((moves, payer)) => {
                self.records.push(rated(record, units, moves.rest, payer));
                self.note(record.key, Some(way), moves.moved, moves.covered);
                Ok(())
            }
            Err(refused) => {
                if added {
                    self.tally.undo(meter, &record.key)?;
                } else {
                    self.tally.meter = meter;
                }
                self.tally.uncover(covered);
                if let Some(draws) = &mut self.draws {
                    match before {
                        Some(sums) => draws.ways.insert(way, sums),
                        None => draws.ways.remove(&way),
                    };
                }
                Err(refused)
            }
        }
    }

    /// Replaces a record that drew on counters, or may now.
    pub fn correct_drawing(
        &mut self,
        record: &mut UsageRecord,
        place: Place<'s>,
        purse: &mut Purse,
        lots: &mut Lots<'_, '_>,
        way: &Way,
    ) -> Result<(), Rejection> {
        let was = self.current(record.key)?;
        let now = measured(&place, record)?;
        let (units, carried) = (now.units, now.carried);
        let (old, covered) = self.way_of(&record.key)?.unwrap_or_default();
        let new = with_rate(way, &now);
        let mark = self.mark(record.key);
        let standing = |amount| {
            Some(Kept {
                key: record.key,
                units,
                carried,
                amount,
            })
        };
        self.changed.insert(record.key, standing(was.amount));
        let drawer = place;
        let moves = if old == new {
            self.again(&was, now, &new, drawer, lots).map(|mut moves| {
                moves.covered = moves.covered.plus(covered).unwrap_or(moves.covered);
                moves
            })
        } else {
            self.changed.insert(record.key, None);
            let left = self.leave(&was, &old, drawer, lots);
            self.changed.insert(record.key, standing(was.amount));
            left.and_then(|left| {
                let entered = self.enter(&new, now, drawer, lots, &mut false)?;
                let covered = entered.covered;
                let mut moves = left.and(entered)?;
                moves.covered = covered;
                Ok(moves)
            })
        };
        let done = moves.and_then(|moves| {
            let amount = was.amount.plus(moves.rest)?;
            let payer = self.pay(moves.rest, place, purse)?;
            Ok((moves, amount, payer))
        });
        match done {
            Ok((moves, amount, payer)) => {
                self.changed.insert(record.key, standing(amount));
                self.corrections.push(Correction {
                    key: record.key,
                    was: Reversed {
                        units: was.units,
                        amount: was.amount,
                    },
                    now: Some(rated(record, units, amount, payer)),
                    returned: vec![],
                });
                self.note(record.key, Some(new), moves.moved, moves.covered);
                Ok(())
            }
            Err(refused) => {
                self.restore(mark);
                Err(refused)
            }
        }
    }

    /// Takes a record away that drew on counters.
    pub fn remove_drawing(
        &mut self,
        key: Key,
        purse: &mut Purse,
        lots: &mut Lots<'_, '_>,
    ) -> Result<(), Rejection> {
        let was = self.current(key)?;
        let (old, _) = self.way_of(&key)?.unwrap_or_default();
        let mark = self.mark(key);
        self.changed.insert(key, None);
        let place = self.place;
        let done = self.leave(&was, &old, place, lots).and_then(|moves| {
            let payer = self.pay(moves.rest, place, purse)?;
            Ok((moves, payer))
        });
        match done {
            Ok((moves, payer)) => {
                let returned = match payer {
                    Payer::Invoice => vec![],
                    Payer::Wallet(parts) | Payer::Split { parts, .. } => parts,
                };
                self.corrections.push(Correction {
                    key,
                    was: Reversed {
                        units: was.units,
                        amount: was.amount,
                    },
                    now: None,
                    returned,
                });
                self.note(key, None, moves.moved, Exact::ZERO);
                Ok(())
            }
            Err(refused) => {
                self.restore(mark);
                Err(refused)
            }
        }
    }

    /// Whether records of this meter drew on counters before.
    pub fn draws(&self) -> bool {
        self.draws.is_some()
    }

    /// One record more.
    fn enter(
        &mut self,
        way: &Way,
        used: Use,
        place: Place<'s>,
        lots: &mut Lots<'_, '_>,
        added: &mut bool,
    ) -> Result<Moves, Rejection> {
        let mut moves = Moves::default();
        let difference = if way.units.is_empty() {
            let difference = self.tally.add(used)?;
            *added = true;
            difference
        } else {
            let counted = self.counted(used.units);
            self.beyond(way, (1, counted), place, lots, &mut moves)?
        };
        self.covered_by_money(way, difference, place, lots, moves)
    }

    /// One record less.
    fn leave(
        &mut self,
        was: &Kept,
        way: &Way,
        place: Place<'s>,
        lots: &mut Lots<'_, '_>,
    ) -> Result<Moves, Rejection> {
        let mut moves = Moves::default();
        let difference = if way.units.is_empty() {
            self.exchange(was, None)?
        } else {
            let counted = self.counted(was.units).negated();
            self.beyond(way, (-1, counted), place, lots, &mut moves)?
        };
        self.covered_by_money(way, difference, place, lots, moves)
    }

    /// The same record on the same way with other units.
    fn again(
        &mut self,
        was: &Kept,
        now: Use,
        way: &Way,
        place: Place<'s>,
        lots: &mut Lots<'_, '_>,
    ) -> Result<Moves, Rejection> {
        let mut moves = Moves::default();
        let difference = if way.units.is_empty() {
            self.exchange(was, Some(now))?
        } else {
            let delta = self.counted(now.units).minus(self.counted(was.units))?;
            self.beyond(way, (0, delta), place, lots, &mut moves)?
        };
        self.covered_by_money(way, difference, place, lots, moves)
    }

    /// What the aggregation makes of a record's units.
    fn counted(&self, units: Exact) -> Exact {
        match self.place.charge.aggregate {
            Aggregate::Count => Exact::from(1),
            _ => units,
        }
    }

    /// Moves units over the counters of a way, and what none covers over the price. The answer is the difference in money.
    fn beyond(
        &mut self,
        way: &Way,
        (records, units): (i64, Exact),
        place: Place<'s>,
        lots: &mut Lots<'_, '_>,
        moves: &mut Moves,
    ) -> Result<Exact, Rejection> {
        let (beyond, cost) = self.over(Side::Units, way, units, place, lots, moves)?;
        let difference = self.tally.shift(records, beyond, way.rate)?;
        if cost.is_zero() {
            return Ok(difference);
        }
        self.tally.cover(cost.negated())?;
        difference.plus(cost)
    }

    fn covered_by_money(
        &mut self,
        way: &Way,
        difference: Exact,
        place: Place<'s>,
        lots: &mut Lots<'_, '_>,
        mut moves: Moves,
    ) -> Result<Moves, Rejection> {
        moves.rest = difference;
        if !way.money.is_empty() {
            let (rest, _) = self.over(Side::Money, way, difference, place, lots, &mut moves)?;
            moves.covered = difference.minus(rest)?;
            moves.rest = rest;
            self.tally.cover(moves.covered)?;
        }
        Ok(moves)
    }

    /// Moves one side of a way. The answer is what that moves beyond its counters, and what the units that they cover cost.
    fn over(
        &mut self,
        side: Side,
        way: &Way,
        delta: Exact,
        place: Place<'s>,
        lots: &mut Lots<'_, '_>,
        moves: &mut Moves,
    ) -> Result<(Exact, Exact), Rejection> {
        let drawer = Drawer {
            meter: &self.id,
            on: place.on,
        };
        let draws = self.draws.get_or_insert_default();
        let known: &mut Sums = draws.ways.entry(way.clone()).or_default();
        let (list, sum) = match side {
            Side::Units => (&way.units, &mut known.units),
            Side::Money => (&way.money, &mut known.money),
        };
        let before = sum.parts.clone();
        let beyond = lots.move_by(list, sum, delta, drawer)?;
        let mut cost = Exact::ZERO;
        for (n, lot) in list.iter().enumerate() {
            let part = |parts: &[Exact]| parts.get(n).copied().unwrap_or(Exact::ZERO);
            let moved = part(&sum.parts).minus(part(&before))?;
            if moved.is_zero() {
                continue;
            }
            if let Some(price) = lots.price(lot) {
                cost = cost.plus(moved.times(price)?)?;
            }
            moves.moved.push((lot.counter.clone(), moved));
        }
        self.moved_ways.insert(way.clone());
        Ok((beyond, cost))
    }

    fn note(&mut self, key: Key, way: Option<Way>, moved: Vec<(Id, Exact)>, covered: Exact) {
        self.drawings.push(Drawing {
            key,
            way,
            moved,
            covered,
        });
    }

    /// The way that a record goes, and what counters of money pay of it; none if it never drew.
    fn way_of(&self, key: &Key) -> Result<Option<(Way, Exact)>, Rejection> {
        if self.draws.is_none() {
            return Ok(None);
        }
        if let Some(drawing) = self.drawings.iter().rev().find(|d| d.key == *key) {
            return Ok(drawing.way.clone().map(|way| (way, drawing.covered)));
        }
        Ok(found(&self.past.meter(&self.id)?, key))
    }
}

/// The way with what the matrix asks for a unit beyond the counters.
fn with_rate(way: &Way, used: &Use) -> Way {
    Way {
        rate: used.unit_price,
        ..way.clone()
    }
}
