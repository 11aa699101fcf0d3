//! One meter while a batch is rated on it: nothing is decided until the whole batch is.

mod anew;
mod drawing;

use super::lots::Lots;
use crate::ENGINE;
use crate::catalog::{Pay, Usage};
use crate::kernel::{Date, Exact, Id, Rejection, Text, time::tzdb_version};
use crate::mediation::{Key, UsageRecord};
use crate::past::{Past, gone};
use crate::rating::tally::Use;
use crate::rating::{CarriedIn, Over, Place, Tally, measured};
use crate::usage::{
    Basis, Command, Correction, Drawing, Drawn, Draws, Kept, Meter, Metered, Part, Payer,
    Provenance, RatedRecord, Records, Reversed, Voided, Way, book,
};
use crate::wallets::{Purse, Target};
use crate::world::Event;
use std::collections::{BTreeSet, HashMap};

pub(super) use anew::Anew;

/// Which rules rate: named once for all results.
pub(super) struct Rules {
    pub engine: Text,
    pub tzdb: Text,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            engine: ENGINE.into(),
            tzdb: tzdb_version().into(),
        }
    }
}

/// What the results of a batch have in common.
pub(super) struct By {
    pub batch: Text,
    pub source: Text,
    pub rules: Rules,
}

impl By {
    /// Where the results under one offer come from.
    pub fn under(&self, offer: Text, version: u32) -> Provenance {
        Provenance {
            batch: self.batch.clone(),
            source: self.source.clone(),
            basis: Basis {
                engine: self.rules.engine.clone(),
                tzdb: self.rules.tzdb.clone(),
                offer,
                version,
            },
        }
    }
}

/// Codes of offers, each shared by all results under it.
#[derive(Default)]
pub(super) struct Offers {
    last: Text,
}

impl Offers {
    fn name(&mut self, code: &str) -> Text {
        if self.last != *code {
            self.last = code.into();
        }
        self.last.clone()
    }
}

pub(super) struct Working<'s> {
    place: Place<'s>,
    tally: Tally<'s>,
    /// Records that a rerating took out.
    voided: Option<&'s Voided>,
    /// Where earlier records are, and the meter they are on.
    past: &'s dyn Past,
    id: Id,
    /// What wallets paid here, with what the batch added.
    paid: Vec<Part>,
    records: Vec<RatedRecord>,
    corrections: Vec<Correction>,
    /// All records from before the batch; read when a correction tallies them anew.
    known: Option<Records>,
    /// What the batch's corrections made of records.
    changed: HashMap<Key, Option<Kept>>,
    /// What records drew on counters, with what the batch drew.
    draws: Option<Box<Draws>>,
    drawings: Vec<Drawing>,
    moved_ways: BTreeSet<Way>,
    /// Nobody pays record by record: a meter that is counted anew is settled as a whole.
    unpaid: bool,
}

/// A point to return to when what follows is refused.
pub(super) struct Mark<'s> {
    tally: Tally<'s>,
    paid: Vec<Part>,
    records: usize,
    corrections: usize,
    changed: Option<Option<Kept>>,
    key: Key,
    draws: Option<Box<Draws>>,
    drawings: usize,
}

impl<'s> Working<'s> {
    pub fn new(
        id: Id,
        place: Place<'s>,
        before: Option<&'s Metered>,
        carried: CarriedIn,
        past: &'s dyn Past,
    ) -> Result<Working<'s>, Rejection> {
        let mut meter = before.map(|b| b.meter.clone()).unwrap_or_default();
        meter.period = Some(place.days);
        let over = Over {
            days: place.days,
            whole: place.whole,
        };
        let memory = before.and_then(|b| b.memory.as_deref());
        let draws = before.and_then(|b| b.draws.clone());
        let covered = draws.as_ref().map_or(Exact::ZERO, |d| d.covered);
        Ok(Working {
            place,
            tally: Tally::over(place.charge, meter, over, memory, carried)?.beside(covered),
            voided: before.and_then(|b| b.voided.as_deref()),
            past,
            id,
            paid: before.map(|b| b.paid.clone()).unwrap_or_default(),
            records: Vec::new(),
            corrections: Vec::new(),
            known: None,
            changed: HashMap::new(),
            draws,
            drawings: Vec::new(),
            moved_ways: BTreeSet::new(),
            unpaid: false,
        })
    }

    /// Goes on where the short way stops: the totals and records of the batch so far.
    pub fn resume(&mut self, meter: Meter, records: Vec<RatedRecord>) {
        self.tally.meter = meter;
        self.records = records;
    }

    /// Rates a record that was not here before.
    pub fn add(
        &mut self,
        record: &mut UsageRecord,
        place: Place<'s>,
        purse: &mut Purse,
        (lots, way): (&mut Lots<'_, '_>, Option<&Way>),
    ) -> Result<(), Rejection> {
        if self.changed.contains_key(&record.key) {
            let message = "a correction moves this record back to a charge that the same batch took it from: send it in a batch of its own";
            return Err(Rejection::new("CORRECTED_TWICE", message));
        }
        if let Some(way) = way {
            return self.add_drawing(record, place, purse, lots, way);
        }
        let used = measured(&place, record)?;
        let (meter, units) = (self.tally.meter.clone(), used.units);
        let amount = self.tally.add(used)?;
        match self.pay(amount, place, purse) {
            Ok(payer) => {
                // Most meters get one record from a batch.
                if self.records.capacity() == 0 {
                    self.records.reserve_exact(1);
                }
                self.records.push(rated(record, units, amount, payer));
                Ok(())
            }
            Err(refused) => {
                self.tally.undo(meter, &record.key)?;
                Err(refused)
            }
        }
    }

    /// Replaces a record that is here by its correction; its charge moves by the exact difference (policy 18).
    pub fn correct(
        &mut self,
        record: &mut UsageRecord,
        place: Place<'s>,
        purse: &mut Purse,
        (lots, way): (&mut Lots<'_, '_>, Option<&Way>),
    ) -> Result<(), Rejection> {
        if way.is_some() || self.draws() {
            let none = Way::default();
            return self.correct_drawing(record, place, purse, lots, way.unwrap_or(&none));
        }
        let was = self.current(record.key)?;
        let now = measured(&place, record)?;
        let (units, carried) = (now.units, now.carried);
        let mark = self.mark(record.key);
        self.changed.insert(
            record.key,
            Some(Kept {
                key: record.key,
                units,
                carried,
                amount: was.amount,
            }),
        );
        let done = self.exchange(&was, Some(now)).and_then(|difference| {
            let amount = was.amount.plus(difference)?;
            Ok((amount, self.pay(difference, place, purse)?))
        });
        match done {
            Ok((amount, payer)) => {
                self.changed.insert(
                    record.key,
                    Some(Kept {
                        key: record.key,
                        units,
                        carried,
                        amount,
                    }),
                );
                let was = Reversed {
                    units: was.units,
                    amount: was.amount,
                };
                let now = Some(rated(record, units, amount, payer));
                self.corrections.push(Correction {
                    key: record.key,
                    was,
                    now,
                    returned: vec![],
                });
                Ok(())
            }
            Err(refused) => {
                self.restore(mark);
                Err(refused)
            }
        }
    }

    /// Takes a record away that its correction moves to another charge.
    pub fn remove(
        &mut self,
        key: Key,
        purse: &mut Purse,
        lots: &mut Lots<'_, '_>,
    ) -> Result<(), Rejection> {
        if self.draws() {
            return self.remove_drawing(key, purse, lots);
        }
        let was = self.current(key)?;
        let mark = self.mark(key);
        self.changed.insert(key, None);
        let place = self.place;
        let done = self
            .exchange(&was, None)
            .and_then(|difference| self.pay(difference, place, purse));
        match done {
            Ok(payer) => {
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
                Ok(())
            }
            Err(refused) => {
                self.restore(mark);
                Err(refused)
            }
        }
    }

    /// Stream of the meter.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn meter(&self) -> &Meter {
        &self.tally.meter
    }

    pub fn charge(&self) -> &'s Usage {
        self.place.charge
    }

    /// Its records may draw on counters.
    pub fn counts(&self) -> bool {
        self.place.term.offer.has_counters()
    }

    /// What is to be paid here, as wallets see it.
    pub fn target(&self) -> Target<'s> {
        self.place.target()
    }

    /// A business date of this period.
    pub fn on(&self) -> Date {
        self.place.on
    }

    /// The charge of the record that was rated last.
    pub fn last_amount(&self) -> Option<Exact> {
        self.records.last().map(|r| r.amount)
    }

    pub fn mark(&self, key: Key) -> Mark<'s> {
        Mark {
            tally: self.tally.clone(),
            paid: self.paid.clone(),
            records: self.records.len(),
            corrections: self.corrections.len(),
            changed: self.changed.get(&key).cloned(),
            key,
            draws: self.draws.clone(),
            drawings: self.drawings.len(),
        }
    }

    pub fn restore(&mut self, mark: Mark<'s>) {
        self.tally = mark.tally;
        self.paid = mark.paid;
        self.records.truncate(mark.records);
        self.corrections.truncate(mark.corrections);
        self.draws = mark.draws;
        self.drawings.truncate(mark.drawings);
        match mark.changed {
            Some(changed) => self.changed.insert(mark.key, changed),
            None => self.changed.remove(&mark.key),
        };
    }

    /// The record as it stands now.
    fn current(&self, key: Key) -> Result<Kept, Rejection> {
        if self.voided.is_some_and(|voided| voided.has(&key)) {
            return Err(Rejection::new(
                "RECORD_VOID",
                "a rerating took the record to be corrected out: undo it, or send the record under another key",
            ));
        }
        if let Some(changed) = self.changed.get(&key) {
            return changed.clone().ok_or_else(gone);
        }
        if let Some(record) = self.records.iter().rev().find(|r| r.key == key) {
            return Ok(Kept::of(record));
        }
        let sightings = self.past.sightings(&[key])?;
        let held = sightings.into_iter().flatten().find(|s| s.counted);
        match self.past.fact(held.ok_or_else(gone)?.position)? {
            (id, Event::Usage(fact)) if id == self.id => {
                fact.record(&key).map(Kept::of).ok_or_else(gone)
            }
            _ => Err(gone()),
        }
    }

    fn exchange(&mut self, was: &Kept, now: Option<Use>) -> Result<Exact, Rejection> {
        if self.tally.by_order() && self.known.is_none() {
            self.known = Some(Records::of(&self.past.meter(&self.id)?));
        }
        let (known, records, changed) = (&self.known, &self.records, &self.changed);
        let before = known.iter().flat_map(|known| known.iter().cloned());
        let all = before.chain(records.iter().map(Kept::of));
        let standing = all.filter_map(|k| match changed.get(&k.key) {
            Some(changed) => changed.clone(),
            None => Some(k),
        });
        self.tally.replace(was, now, standing.map(|k| k.used()))
    }

    /// Settles a charge, or the difference a correction makes, with whoever pays.
    fn pay(
        &mut self,
        amount: Exact,
        place: Place<'s>,
        purse: &mut Purse,
    ) -> Result<Payer, Rejection> {
        if self.unpaid {
            return Ok(Payer::Invoice);
        }
        let target = place.target();
        let payer = match place.charge.pay {
            Pay::Invoice => Payer::Invoice,
            Pay::Wallet if amount.is_negative() => {
                Payer::Wallet(purse.give_back(amount.negated(), &self.paid, place.on)?)
            }
            Pay::Wallet => Payer::Wallet(purse.draw(amount, place.on, &target)?),
            Pay::WalletThenInvoice => self.split(amount, place, purse, &target)?,
        };
        for part in payer.parts() {
            book(&mut self.paid, part);
        }
        Ok(payer)
    }

    /// Wallets pay first and get back last. The whole of `amount` is on the invoice's side of the meter already.
    fn split(
        &mut self,
        amount: Exact,
        place: Place<'s>,
        purse: &mut Purse,
        target: &Target<'_>,
    ) -> Result<Payer, Rejection> {
        let parts = if amount.is_negative() {
            // What the invoice's side cannot give back, wallets get, as far as they paid here.
            let mut parts = self.paid.iter().map(|p| p.amount);
            let paid = parts.try_fold(Exact::ZERO, Exact::plus)?;
            let back = self.tally.meter.amount.negated().min(paid);
            if back > Exact::ZERO {
                purse.give_back(back, &self.paid, place.on)?
            } else {
                vec![]
            }
        } else {
            purse.draw_most(amount, place.on, target)?.0
        };
        let mut amounts = parts.iter().map(|p| p.amount);
        let sum = amounts.try_fold(Exact::ZERO, Exact::plus)?;
        self.tally.paid_by_wallets(sum)?;
        Ok(Payer::Split {
            parts,
            rest: amount.minus(sum)?,
        })
    }

    /// What the meter is to be told; nothing if every record was refused.
    pub fn finish(self, by: &By, offers: &mut Offers) -> Result<Option<(Id, Command)>, Rejection> {
        if self.records.is_empty() && self.corrections.is_empty() {
            return Ok(None);
        }
        let offer = &self.place.term.offer;
        let provenance = by.under(offers.name(&offer.code), offer.version);
        let covered = self.tally.covered();
        let (meter, remembered) = self.tally.finish_all()?;
        let (ways, moved) = (self.draws.map(|d| d.ways), self.moved_ways);
        let ways = ways
            .into_iter()
            .flatten()
            .filter(|(way, _)| moved.contains(way));
        let drawn = (!self.drawings.is_empty()).then(|| Drawn {
            batch: by.batch.clone(),
            records: self.drawings,
            ways: ways.collect(),
            covered,
        });
        let command = Command::Record {
            batch: provenance.batch,
            source: provenance.source,
            basis: provenance.basis,
            records: self.records,
            corrections: self.corrections,
            meter,
            remembered,
            drawn,
        };
        Ok(Some((self.id, command)))
    }
}

/// A record with what it cost and who pays it.
pub(super) fn rated(
    record: &mut UsageRecord,
    units: Exact,
    amount: Exact,
    payer: Payer,
) -> RatedRecord {
    RatedRecord {
        line: record.line,
        key: record.key,
        content: record.content,
        at: record.at,
        quantity: record.quantity,
        units,
        amount,
        payer,
        // Rated last of all: whoever keeps a refused record still has it whole.
        attributes: std::mem::take(&mut record.attributes),
        amount_carried: record.amount,
        raw: record.raw.take(),
    }
}
