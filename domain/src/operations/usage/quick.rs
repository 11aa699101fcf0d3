//! The short way of a record: an invoice pays it, its charge needs nothing but sums, and its berth is known.
//!
//! It leads to the same facts as the long way, which serves everything else and is what is meant: where anything is out of
//! the ordinary, a refusal included, this one answers nothing and leaves nothing behind.

use super::desk::Desk;
use super::open::Name;
use super::working::{By, rated};
use crate::berths::{Berth, Book, Known, NEAR, Spot, short_access};
use crate::catalog::{Price, Usage};
use crate::kernel::{Date, Id, Rejection};
use crate::mediation::{Received, UsageRecord};
use crate::rating::measured::measured_plainly;
use crate::rating::tally::Use;
use crate::rating::{self, CarriedIn, Over, Place, Tally, measured};
use crate::session::{Apart, Session};
use crate::table;
use crate::usage::{self, Meter, Payer, Provenance, Rated, RatedRecord};
use std::sync::{Arc, MutexGuard};

/// Records whose berths and meters are fetched together, so that the waits for memory overlap.
pub(super) const TOGETHER: usize = NEAR;

/// The book of berths, open for one batch.
pub(super) struct Short<'s> {
    book: MutexGuard<'s, Book>,
    batch: u32,
}

/// A meter of a batch that so far saw nothing but records of the short way.
pub(super) struct Quick {
    pub spot: Spot,
    /// Of its stream.
    id: Arc<Id>,
    row: Option<table::Place>,
    /// Of its stream, before the batch.
    version: u64,
    pub meter: Meter,
    pub records: Vec<RatedRecord>,
    /// What the records are stored with at most.
    bytes: usize,
    known: Arc<Known>,
    pub charge: usize,
    over: Over,
}

impl<'s> Short<'s> {
    /// Opens the book; none where the long way is to be taken by all records.
    pub fn open(session: &'s Session<'_>) -> Option<Short<'s>> {
        let plain = session.takes_berths() && session.index().reserved.is_empty();
        if !plain {
            return None;
        }
        let mut book = session.base().berths.open()?;
        let batch = book.begin();
        Some(Short { book, batch })
    }

    /// Finds where some records are counted, and fetches what counting them will need: all of it before the first is
    /// counted, and so few that all of it is still near by then. Each step of the way is made for all of them before the
    /// next one, so that the waits for memory overlap.
    pub fn spots(
        &mut self,
        session: &Session<'_>,
        some: &[Received],
        spots: &mut [Option<Spot>; TOGETHER],
    ) {
        let mut accesses = [None; TOGETHER];
        for (line, access) in some.iter().zip(&mut accesses) {
            if let Received::Record(record) = line {
                *access = short_access(&record.access);
            }
        }
        let known = accesses.map(|access| self.book.known(&access?));
        let berths = known.map(|known| self.book.berth(known?.0));
        let touched = berths.iter().flatten().fold(0, |touched, berth| {
            touched ^ berth.term ^ berth.meters.len()
        });
        let touched = berths.iter().flatten().fold(touched, |touched, berth| {
            let ends = [berth.meters.first(), berth.meters.last()];
            let ends = ends.into_iter().flatten();
            ends.fold(touched, |touched, counted| touched ^ counted.charge)
        });
        std::hint::black_box(touched);
        self.fetch_strangers(session, some, &known);
        let mut berths = [None; TOGETHER];
        let found = some.iter().zip(accesses).zip(known).zip(&mut berths);
        for (((line, access), known), berth) in found {
            if let (Received::Record(record), Some(access)) = (line, access) {
                *berth = self.book.find(session.base(), record, access, known);
            }
        }
        let moored = some
            .iter()
            .zip(berths)
            .filter_map(|(line, berth)| match line {
                Received::Record(record) => Some((berth?, record)),
                Received::Unreadable { .. } => None,
            });
        self.book.fetch_new(moored);
        spots.fill(None);
        for ((line, berth), spot) in some.iter().zip(berths).zip(spots.iter_mut()) {
            if let (Received::Record(record), Some(berth)) = (line, berth) {
                *spot = self.book.spot(berth, record);
            }
        }
        self.fetch(session, spots);
    }

    /// Fetches what finding the berths of these records needs, as far as they are not known.
    fn fetch_strangers(
        &self,
        session: &Session<'_>,
        some: &[Received],
        known: &[Option<(u32, u32)>; TOGETHER],
    ) {
        let mut strangers = [""; TOGETHER];
        let mut count = 0;
        let unknown = some
            .iter()
            .zip(known)
            .filter_map(|(line, known)| match line {
                Received::Record(record) if !self.book.is_current(*known) => Some(record),
                _ => None,
            });
        for (record, place) in unknown.zip(&mut strangers) {
            *place = &record.access;
            count += 1;
        }
        // One alone waits as long either way.
        if count > 1 {
            let strangers = strangers.get(..count).unwrap_or_default();
            self.book.near(session.base(), strangers);
        }
    }

    /// Fetches the meters at some spots.
    fn fetch(&mut self, session: &Session<'_>, spots: &[Option<Spot>; TOGETHER]) {
        let rows = spots.map(|spot| self.book.counted(spot?)?.row);
        usage::fetch(&session.base().tables.usage, rows.into_iter().flatten());
    }

    /// What the long way knows a meter by.
    pub fn name<'n>(&self, session: &'n Session<'_>, quick: &Quick) -> Option<Name<'n>> {
        quick.name(session, self.book.berth(quick.spot.berth)?)
    }
}

impl<'s> Desk<'s, '_> {
    /// Counts a record the short way; the answer is its meter among the open ones.
    pub(super) fn count_shortly(
        &mut self,
        record: &mut UsageRecord,
        spot: Option<Spot>,
    ) -> Option<usize> {
        let spot = spot?;
        let session = self.session;
        let short = self.short.as_mut()?;
        let counted = short.book.counted(spot)?;
        let number = match counted.opened(short.batch) {
            Some(number) => number,
            None => {
                let over = Over {
                    days: counted.days,
                    whole: counted.whole,
                };
                let (charge, row) = (counted.charge, counted.row);
                let berth = short.book.berth(spot.berth)?;
                let quick = Quick::open(session, berth, spot, charge, over, row)?;
                // Somebody may have come to the same meter by its name.
                if !self.places.is_empty() {
                    let name = quick.name(session, berth)?;
                    if self.places.contains_key(&name) {
                        return None;
                    }
                }
                let number = self.meters.len();
                short.book.note(spot, number);
                self.meters.push_quick(quick);
                number
            }
        };
        let berth = short.book.berth(spot.berth)?;
        self.meters.quick_mut(number)?.add(session, berth, record)?;
        Some(number)
    }
}

impl Quick {
    fn open(
        session: &Session<'_>,
        berth: &Berth,
        spot: Spot,
        charge: usize,
        over: Over,
        row: Option<table::Place>,
    ) -> Option<Quick> {
        let tables = &session.base().tables;
        let known = row.and_then(|row| Some((Arc::clone(tables.usage.name(row)?), Some(row))));
        let (id, row) = match known {
            Some(known) => known,
            None => {
                let code = &berth.known.sold.usage.get(charge)?.code;
                let id = usage::id(&berth.id, code, over.days.from);
                let row = tables.usage.place(&id);
                (Arc::new(id), row)
            }
        };
        let (version, meter) = match row.and_then(|row| tables.usage.at(row)) {
            Some((_, entry)) => {
                let metered = &entry.state;
                if metered.memory.is_some()
                    || metered.draws.is_some()
                    || metered.voided.is_some()
                    || !metered.paid.is_empty()
                {
                    return None;
                }
                (entry.version, metered.meter.clone())
            }
            None => (0, Meter::default()),
        };
        let meter = Meter {
            period: Some(over.days),
            ..meter
        };
        Some(Quick {
            spot,
            id,
            row,
            version,
            meter,
            records: Vec::new(),
            bytes: 0,
            known: Arc::clone(&berth.known),
            charge,
            over,
        })
    }

    /// What the long way knows the meter by.
    fn name<'s>(&self, session: &'s Session<'_>, berth: &Berth) -> Option<Name<'s>> {
        let (subscription, entry) = session.base().tables.subscriptions.at(berth.subscription)?;
        let charge = entry
            .state
            .terms
            .get(berth.term)?
            .offer
            .usage
            .get(self.charge)?;
        Some((subscription, &charge.code, self.over.days.from))
    }

    /// Where a record of the meter lies, as the long way sees it.
    fn place<'s>(&self, session: &'s Session<'_>, berth: &Berth, on: Date) -> Option<Place<'s>> {
        let tables = &session.base().tables;
        let (id, entry) = tables.subscriptions.at(berth.subscription)?;
        let (_, account) = tables.accounts.at(berth.account)?;
        let term = entry.state.terms.get(berth.term)?;
        let charge = term.offer.usage.get(self.charge)?;
        let names = match charge.reads_contract() {
            true => {
                let sub = &entry.state;
                Some(rating::record::names(session, id, sub, term, charge, on).ok()?)
            }
            false => None,
        };
        Some(Place {
            term,
            charge,
            days: self.over.days,
            whole: self.over.whole,
            on,
            zone: &account.state.terms.zone,
            names,
        })
    }

    /// Rates a record; none leaves the meter as it was.
    fn add(
        &mut self,
        session: &Session<'_>,
        berth: &Berth,
        record: &mut UsageRecord,
    ) -> Option<()> {
        let charge: &Usage = self.known.sold.usage.get(self.charge)?;
        let price = charge.price_on(self.over.days.from);
        let used: Use = match price {
            Price::Expression(_) => {
                let place = self.place(session, berth, berth.zone.date(record.at))?;
                measured(&place, record).ok()?
            }
            _ => measured_plainly(charge, price, &berth.zone, record)?,
        };
        let units = used.units;
        let (over, carried) = (self.over, CarriedIn::new());
        let mut tally = Tally::over(charge, self.meter.clone(), over, None, carried).ok()?;
        let amount = tally.add(used).ok()?;
        self.meter = tally.meter;
        // Most meters get one record from a batch.
        if self.records.capacity() == 0 {
            self.records.reserve_exact(1);
        }
        let rated = rated(record, units, amount, Payer::Invoice);
        self.bytes += usage::size(&rated);
        self.records.push(rated);
        Some(())
    }

    /// Stages what the batch did to the meter.
    pub fn stage(
        self,
        session: &mut Session<'_>,
        by: &By,
        sold: &mut Provenances,
    ) -> Result<(), Rejection> {
        let provenance = sold.of(&self.known, by);
        let names = provenance.size_bound();
        let meter = self.meter.written_out()?;
        let (id, row, spot) = (self.id, self.row, self.spot);
        let mut version = self.version;
        let mut stage = |id: Arc<Id>, fact: Rated, bytes: usize| {
            version += 1;
            let bytes = names + bytes;
            let apart = Apart { row, spot, bytes };
            session.stage_apart(id, version, fact.into(), apart);
        };
        let rated = Rated {
            provenance,
            records: self.records,
            meter,
        };
        match rated.in_parts(self.bytes) {
            Ok(whole) => stage(id, whole, self.bytes),
            Err(parts) => parts.into_iter().for_each(|part| {
                let bytes = part.records.iter().map(usage::size).sum();
                stage(Arc::clone(&id), part, bytes);
            }),
        }
        Ok(())
    }
}

/// Where the results of a batch come from, by the offer they were sold under last: nearly always it is the same again.
#[derive(Default)]
pub(super) struct Provenances(Option<(Arc<Known>, Arc<Provenance>)>);

impl Provenances {
    fn of(&mut self, known: &Arc<Known>, by: &By) -> Arc<Provenance> {
        match &self.0 {
            Some((last, provenance)) if Arc::ptr_eq(last, known) => Arc::clone(provenance),
            _ => {
                let made = Arc::new(by.under(known.code.clone(), known.sold.version));
                self.0 = Some((Arc::clone(known), Arc::clone(&made)));
                made
            }
        }
    }
}
