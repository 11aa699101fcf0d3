//! Where the records of a number, meter or resource are counted: found once, then remembered beside the state.
//!
//! Derived from the state, never stored, and no part of its meaning: whoever finds no berth asks the state itself
//! (`operations::usage`). A berth holds for an epoch, which ends with every fact but those of usage. It is taken over into
//! the next one only if the state of its subscription and of its account are the very same ones as before, and nothing else is found
//! by its accesses; so no rule has to say which facts could change what a berth says.

use crate::accounts::Account;
use crate::catalog::{Aggregate, Pay, Sold, Usage};
use crate::kernel::key::ByKey;
use crate::kernel::{Date, Days, Id, Instant, Text, Zone};
use crate::mediation::{Key, UsageRecord};
use crate::subscriptions::{Subscription, schedule};
use crate::table::Place;
use crate::world::{Entry, Tenant};
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// Berths and offers at which a book begins anew: far more than a tenant has at work, and what was replaced goes with it.
const BERTHS_MAX: usize = 1 << 23;
const OFFERS_MAX: usize = 1 << 18;

/// Meters of one berth, of all periods that were used: above, they are found anew.
const METERS_MAX: usize = 64;

/// Accesses that are fetched together at most.
pub(crate) const NEAR: usize = 32;

/// Microseconds by which clocks may show an hour twice, or a day begin late, and more: 26 hours.
const MARGIN: i64 = 26 * 3_600 * 1_000_000;

/// The berths of a tenant. A copy of a tenant begins without any.
#[derive(Default)]
pub struct Berths(Mutex<Book>);

impl Berths {
    /// The book, unless somebody else reads in it now.
    pub(crate) fn open(&self) -> Option<MutexGuard<'_, Book>> {
        match self.0.try_lock() {
            Ok(book) => Some(book),
            Err(TryLockError::Poisoned(book)) => Some(book.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(crate) fn book(&mut self) -> &mut Book {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Berths {
    fn clone(&self) -> Berths {
        Berths::default()
    }
}

impl PartialEq for Berths {
    fn eq(&self, _: &Berths) -> bool {
        true
    }
}

impl fmt::Debug for Berths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Berths")
    }
}

#[derive(Default)]
pub(crate) struct Book {
    epoch: u32,
    /// Number of the batch at work.
    batch: u32,
    /// The berth of an access, and the epoch in which the state said so.
    by_access: HashMap<Key, (u32, u32), ByKey>,
    by_subscription: HashMap<Place, u32>,
    berths: Vec<Berth>,
    /// By where the offer lies in memory; each is held, so no other can lie there.
    offers: HashMap<usize, Arc<Known>>,
}

/// An offer as sold, with what is known of its usage charges.
pub(crate) struct Known {
    pub sold: Sold,
    pub code: Text,
    /// Of each usage charge: whether its records may be counted by the short way.
    common: Vec<bool>,
}

/// One subscription, as far as the records of one term need it.
pub(crate) struct Berth {
    epoch: u32,
    /// Usage may be counted here by the short way.
    usable: bool,
    pub subscription: Place,
    /// Its id, which begins that of each of its meters.
    pub id: Arc<Id>,
    pub account: Place,
    /// The states that all of this was read from.
    of: (Arc<Entry<Subscription>>, Arc<Entry<Account>>),
    pub zone: Zone,
    pub known: Arc<Known>,
    pub term: usize,
    /// Days of the term.
    days: Days,
    /// Some usage is billed when its period begins.
    in_advance: bool,
    /// The earliest day on which its usage was put on the agenda, and how often bills had been put off then.
    billed: (u64, Date),
    pub meters: Vec<Counted>,
}

/// What the agenda is still to be told of a meter that was counted on.
pub(crate) enum Agenda<'b> {
    /// Nothing: it was told.
    Told,
    /// Its account has something to bill by this day, as far as bills go.
    BillBy(&'b str, Date),
    /// It finds out by itself.
    Ask,
}

/// One charge in one period.
pub(crate) struct Counted {
    /// Its number among the usage charges of the offer.
    pub charge: usize,
    pub days: Days,
    pub whole: Days,
    /// Instants that are certainly on these days.
    certain: Range<i64>,
    /// Its meter, once there is one.
    pub row: Option<Place>,
    /// The batch that opened it last, and as which of its meters.
    open: (u32, u32),
    /// How often bills had been put off when its bill was put on the agenda last.
    pub asked: u64,
}

/// A berth and one of its meters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub berth: u32,
    pub meter: u32,
}

impl Counted {
    /// Which of the batch's meters it is, if the batch has opened it.
    pub fn opened(&self, batch: u32) -> Option<usize> {
        let (by, number) = self.open;
        (by == batch).then_some(number as usize)
    }
}

impl Book {
    /// Begins a batch; the answer is its number.
    pub fn begin(&mut self) -> u32 {
        if self.berths.len() > BERTHS_MAX
            || self.offers.len() > OFFERS_MAX
            || self.batch == u32::MAX
        {
            *self = Book {
                epoch: self.epoch,
                ..Book::default()
            };
        }
        self.batch += 1;
        self.batch
    }

    /// Nothing that was read of the state before may be taken for certain any more.
    pub fn expire(&mut self) {
        match self.epoch.checked_add(1) {
            Some(next) => self.epoch = next,
            None => *self = Book::default(),
        }
    }

    pub fn berth(&self, number: u32) -> Option<&Berth> {
        self.berths.get(number as usize)
    }

    /// Fetches some berths and their meters.
    pub fn touch(&self, spots: impl Iterator<Item = Spot> + Clone) -> usize {
        let berths = spots.clone().filter_map(|spot| self.berth(spot.berth));
        let touched = berths.fold(0, |touched, berth| touched ^ berth.meters.len());
        spots.fold(touched, |touched, spot| {
            let berth = self.berth(spot.berth);
            let counted = berth.and_then(|berth| berth.meters.get(spot.meter as usize));
            touched ^ counted.map_or(0, |counted| counted.charge)
        })
    }

    /// The accounts of some berths for which a bill may still have to be put on the agenda.
    pub fn to_bill(
        &self,
        spots: impl Iterator<Item = Spot>,
        put_off: u64,
    ) -> impl Iterator<Item = &str> {
        let berths = spots.filter_map(|spot| self.berth(spot.berth));
        let untold = berths.filter(move |berth| berth.billed.0 != put_off);
        untold.map(|berth| berth.of.0.state.account.as_str())
    }

    /// Fetches what finding these accesses anew will need, each step of the way for all of them before the next one.
    pub fn near(&self, tenant: &Tenant, accesses: &[&str]) {
        let access = &tenant.index.access;
        let mut found: [&[Id]; NEAR] = [&[]; NEAR];
        for (found, access) in found
            .iter_mut()
            .zip(accesses.iter().map(|a| access.get(*a)))
        {
            *found = access.map_or(&[], Vec::as_slice);
        }
        let mut ids = [""; NEAR];
        let mut count = 0;
        for (id, place) in found.iter().filter_map(|ids| ids.first()).zip(&mut ids) {
            *place = id;
            count += 1;
        }
        let ids = ids.get(..count).unwrap_or_default();
        let mut accounts = [""; NEAR];
        let (subscriptions, owners) = (&tenant.tables.subscriptions, &tenant.tables.accounts);
        let mut states: [Option<&Subscription>; NEAR] = [None; NEAR];
        subscriptions.each_near(ids, &mut states, |sub| {
            sub.account.len() ^ sub.terms.len() ^ sub.access.len()
        });
        let mut count = 0;
        for (sub, place) in states.iter().flatten().zip(&mut accounts) {
            *place = &sub.account;
            count += 1;
        }
        let terms = states.iter().flatten().fold(0, |touched, sub| {
            let term = sub.terms.first().map_or(0, |term| term.offer.address());
            let access = sub.access.first().map_or(0, String::len);
            touched ^ term ^ access
        });
        std::hint::black_box(terms);
        let accounts = accounts.get(..count).unwrap_or_default();
        owners.near(accounts, |account| account.terms.entity.len());
    }

    pub fn counted(&mut self, spot: Spot) -> Option<&mut Counted> {
        let berth = self.berths.get_mut(spot.berth as usize)?;
        berth.meters.get_mut(spot.meter as usize)
    }

    /// Whether what is known of an access is known of this epoch.
    pub fn is_current(&self, known: Option<(u32, u32)>) -> bool {
        known.is_some_and(|(_, epoch)| epoch == self.epoch)
    }

    /// Fetches the states of which meters are still to be made, where records of these berths need one.
    pub fn fetch_new<'r>(&self, records: impl Iterator<Item = (u32, &'r UsageRecord)> + Clone) {
        let new = records.filter_map(|(number, record)| {
            let berth = self.berth(number)?;
            let charge = berth.known.charge(record)?;
            berth.counted(charge, record.at).is_none().then_some(berth)
        });
        let touched = new.clone().fold(0, |touched, berth| {
            touched ^ berth.of.0.state.terms.len() ^ berth.id.len()
        });
        let touched = new.fold(touched, |touched, berth| {
            let term = berth.of.0.state.terms.get(berth.term);
            let id = berth.id.as_bytes().first().copied().unwrap_or_default();
            touched ^ term.map_or(0, |term| term.offer.address()) ^ usize::from(id)
        });
        std::hint::black_box(touched);
    }

    /// What is known of an access, as [`short_access`] says it: the number of its berth, and the epoch in which it was so.
    pub fn known(&self, access: &Key) -> Option<(u32, u32)> {
        self.by_access.get(access).copied()
    }

    /// The berth of a record and its access, of which that much is known; none where it is to be counted the long way.
    pub fn find(
        &mut self,
        tenant: &Tenant,
        record: &UsageRecord,
        access: Key,
        known: Option<(u32, u32)>,
    ) -> Option<u32> {
        let number = match known {
            Some((number, epoch)) if epoch == self.epoch => number,
            _ => {
                let number = self.moor(tenant, record, known.map(|(number, _)| number))?;
                self.by_access.insert(access, (number, self.epoch));
                number
            }
        };
        let berth = self.berths.get(number as usize)?;
        berth.usable.then_some(number)
    }

    /// Finds or makes the berth of an access as the state says now; `number` is where it was before.
    fn moor(&mut self, tenant: &Tenant, record: &UsageRecord, number: Option<u32>) -> Option<u32> {
        let [id] = tenant.index.access.get(&record.access)?.as_slice() else {
            return None;
        };
        let table = &tenant.tables.subscriptions;
        let is_it = |berth: &&Berth| {
            table
                .at(berth.subscription)
                .is_some_and(|(own, _)| own == id)
        };
        let before = number.and_then(|n| self.berths.get(n as usize));
        let subscription = match before.filter(is_it) {
            Some(berth) => berth.subscription,
            None => table.place(id)?,
        };
        let (_, entry) = table.at(subscription)?;
        if entry.state.access.iter().all(|a| *a != record.access) {
            return None;
        }
        // All accesses of a subscription share one: a batch must not open a meter twice.
        let Some(number) = self.by_subscription.get(&subscription).copied() else {
            let berth = self.read(tenant, subscription, record)?;
            let number = u32::try_from(self.berths.len()).ok()?;
            self.berths.push(berth);
            self.by_subscription.insert(subscription, number);
            return Some(number);
        };
        let berth = self.berths.get_mut(number as usize)?;
        if berth.epoch == self.epoch {
            return Some(number);
        }
        if berth.still_holds(tenant) {
            (berth.epoch, berth.usable) = (self.epoch, berth.is_usable(tenant));
            // Before any record of this batch was led to one of them.
            if berth.meters.len() > METERS_MAX {
                berth.meters.clear();
            }
            return Some(number);
        }
        let anew = self.read(tenant, subscription, record)?;
        *self.berths.get_mut(number as usize)? = anew;
        Some(number)
    }

    /// Reads a berth from the state, for the term in which a record lies.
    fn read(
        &mut self,
        tenant: &Tenant,
        subscription: Place,
        record: &UsageRecord,
    ) -> Option<Berth> {
        let (_, entry) = tenant.tables.subscriptions.at(subscription)?;
        let sub = &entry.state;
        let account = tenant.tables.accounts.place(&sub.account)?;
        let (_, owner) = tenant.tables.accounts.at(account)?;
        let zone = &owner.state.terms.zone;
        let (term, running) = sub.term_on(zone.date(record.at))?;
        let known = self.offer(&running.offer);
        let mut berth = Berth {
            epoch: self.epoch,
            usable: false,
            subscription,
            id: Arc::clone(tenant.tables.subscriptions.name(subscription)?),
            account,
            of: (Arc::clone(entry), Arc::clone(owner)),
            zone: zone.clone(),
            known,
            term,
            days: sub.term_days(term),
            in_advance: (sub.terms.iter())
                .any(|term| term.offer.usage.iter().any(Usage::in_advance)),
            billed: (0, Date::MAX),
            meters: Vec::new(),
        };
        berth.usable = berth.is_usable(tenant);
        Some(berth)
    }

    fn offer(&mut self, sold: &Sold) -> Arc<Known> {
        let known = self.offers.entry(sold.address()).or_insert_with(|| {
            Arc::new(Known {
                sold: sold.clone(),
                code: sold.code.as_str().into(),
                common: (sold.usage.iter())
                    .map(|charge| !sold.has_counters() && is_common(charge))
                    .collect(),
            })
        });
        Arc::clone(known)
    }

    /// Which charge and period of its berth a record counts in; none where that is to be found the long way.
    pub fn spot(&mut self, berth: u32, record: &UsageRecord) -> Option<Spot> {
        let number = berth;
        let berth = self.berths.get_mut(number as usize)?;
        let charge = berth.known.charge(record)?;
        let meter = match berth.counted(charge, record.at) {
            Some(meter) => meter,
            None => berth.count(charge, record.at)?,
        };
        Some(Spot {
            berth: number,
            meter: u32::try_from(meter).ok()?,
        })
    }

    /// Notes the row of a meter that was counted on; `settled` says that bills have reached its days already. Telling the
    /// agenda twice of a meter changes nothing, unless bills were put off or periods settled meanwhile.
    pub fn counted_on(
        &mut self,
        spot: Spot,
        row: Place,
        put_off: u64,
        settled: bool,
    ) -> Agenda<'_> {
        let Some(berth) = self.berths.get_mut(spot.berth as usize) else {
            return Agenda::Ask;
        };
        let Some(counted) = berth.meters.get_mut(spot.meter as usize) else {
            return Agenda::Ask;
        };
        counted.row = Some(row);
        if settled {
            return Agenda::Ask;
        }
        if counted.asked == put_off {
            return Agenda::Told;
        }
        counted.asked = put_off;
        if berth.in_advance {
            return Agenda::Ask;
        }
        let day = counted.days.until;
        match berth.billed {
            (told, by) if told == put_off && by <= day => Agenda::Told,
            _ => {
                berth.billed = (put_off, day);
                Agenda::BillBy(&berth.of.0.state.account, day)
            }
        }
    }

    /// Notes that a batch has opened a meter.
    pub fn note(&mut self, spot: Spot, number: usize) {
        let batch = self.batch;
        if let (Some(counted), Ok(number)) = (self.counted(spot), u32::try_from(number)) {
            counted.open = (batch, number);
        }
    }
}

impl Berth {
    /// Whether the state still says what this was read from, whatever else has changed.
    fn still_holds(&self, tenant: &Tenant) -> bool {
        let (sub, owner) = &self.of;
        let subscription = tenant.tables.subscriptions.at(self.subscription);
        let account = tenant.tables.accounts.at(self.account);
        subscription.is_some_and(|(_, entry)| Arc::ptr_eq(entry, sub))
            && account.is_some_and(|(_, account)| Arc::ptr_eq(account, owner))
    }

    /// Whether nobody but an invoice asks for its usage, and nothing holds it up.
    fn is_usable(&self, tenant: &Tenant) -> bool {
        let (sub, owner) = &self.of;
        let account = sub.state.account.as_str();
        let wallets = &tenant.index.wallets_of;
        let payer = owner.state.terms.payer(account);
        let terms = &sub.state.terms;
        // Every record may reach a threshold at which usage is billed.
        terms.iter().all(|t| t.offer.progressive.is_none())
            && sub.state.pauses.is_empty()
            && !wallets.contains_key(account)
            && !wallets.contains_key(payer)
    }

    /// The meter of a charge at an instant, if it certainly is it.
    fn counted(&self, charge: usize, at: Instant) -> Option<usize> {
        let is_it = |c: &Counted| c.charge == charge && c.certain.contains(&at.0);
        self.meters.iter().position(is_it)
    }

    /// Adds the meter of a charge on the day of an instant.
    fn count(&mut self, charge: usize, at: Instant) -> Option<usize> {
        let on = self.zone.date(at);
        if !self.days.contains(on) {
            return None;
        }
        let known = |c: &Counted| c.charge == charge && c.days.contains(on);
        if let Some(meter) = self.meters.iter().position(known) {
            return Some(meter);
        }
        let usage = self.known.sold.usage.get(charge)?;
        let (days, whole) = schedule::usage_period(&self.of.0.state, self.term, usage, on);
        let here = days.overlap(self.days);
        let (from, until) = (
            self.zone.start_of(here.from),
            self.zone.start_of(here.until),
        );
        self.meters.push(Counted {
            charge,
            days,
            whole,
            certain: from.0.saturating_add(MARGIN)..until.0.saturating_sub(MARGIN),
            row: None,
            open: (0, 0),
            asked: 0,
        });
        Some(self.meters.len() - 1)
    }
}

impl Known {
    /// The number of the charge that prices a record; none where one that could is not common.
    fn charge(&self, record: &UsageRecord) -> Option<usize> {
        let rank = |u: &Usage| u.priority.unwrap_or(u32::MAX);
        let mut found: Option<(usize, &Usage)> = None;
        for (number, (charge, common)) in self.sold.usage.iter().zip(&self.common).enumerate() {
            if charge.metric != record.metric {
                continue;
            }
            if !common {
                return None;
            }
            let before = found.is_some_and(|(_, f)| rank(f) <= rank(charge));
            let holds =
                |(name, value): (&String, &String)| record.attributes.get(name) == Some(value);
            if !before && charge.filter.iter().all(holds) {
                found = Some((number, charge));
            }
        }
        found.map(|(number, _)| number)
    }
}

/// Whether a charge is paid by invoice, and its sums say what it costs, whoever else uses anything.
fn is_common(charge: &Usage) -> bool {
    charge.pay == Pay::Invoice
        && matches!(charge.aggregate, Aggregate::Sum | Aggregate::Count)
        && charge.condition.is_none()
        && charge.quantity.is_none()
        && charge.usage_unit.is_none()
        && charge.when.is_empty()
        && !charge.carry
        && !charge.remembers()
}

/// Sixteen bytes that say the same as the access of a record, which is a hash in hexadecimal digits.
pub(crate) fn short_access(access: &str) -> Option<Key> {
    let digits: &[u8; 32] = access.as_bytes().try_into().ok()?;
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut key = Key::default();
    let (pairs, _) = digits.as_chunks::<2>();
    for (byte, [high, low]) in key.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(key)
}
