//! Where one batch is judged: duplicate, conflict, correction or new; and, if accepted, rated, waiting or rejected.
//!
//! Works on copies of the meters and wallets it touches and stages nothing; the plan it ends with does.

mod entitled;
mod reserve;

use super::lots::Lots;
use super::open::{Closed, Meters, Name};
use super::quick::{Provenances, Quick, Short, TOGETHER};
use super::working::{By, Offers, Rules, Working};
use crate::accounts::Account;
use crate::berths::Spot;
use crate::catalog::{Pay, Usage};
use crate::command::UsageCounts;
use crate::counters::{self, Counter};
use crate::kernel::key::ByKey;
use crate::kernel::{Date, Exact, Id, Rejection, Text, Zone, calendar::parse_date};
use crate::mediation::{
    self, Batch, Conflict, Held, Key, Listed, Received, Refused, Replaced, Unreadable, UsageRecord,
};
use crate::operations::{account_terms, entity_terms, taxes};
use crate::past::Sighting;
use crate::rating::{self, CarriedIn, Place};
use crate::reservations::Living;
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::usage::{self, Metered, Way};
use crate::wallets::{self, Purse, Wallet};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A line of this batch that holds a key.
#[derive(Clone, Copy)]
struct Here {
    content: Key,
    line: u64,
    /// The meter it is rated on, by its place.
    meter: Option<usize>,
}

/// The record that holds a key now.
struct Standing {
    batch: Id,
    /// Line of this batch; none for an earlier one.
    line: Option<u64>,
    /// Where it is rated.
    meter: Option<Id>,
}

pub(in crate::operations) struct Desk<'s, 'w> {
    pub(super) session: &'s Session<'w>,
    batch: Text,
    source: Text,
    rules: Rules,
    /// A subscription that starts in this command, which the index does not know yet.
    pub newcomer: Option<&'s str>,
    pub counts: UsageCounts,
    listed: Listed,
    /// In the order in which they were reached.
    pub(super) meters: Meters<'s>,
    /// Places in `meters`, of all that the long way has to know of.
    pub(super) places: HashMap<Name<'s>, usize>,
    /// How many of `meters` are in `places`, as far as they are of the short way.
    named: usize,
    pub(super) short: Option<Short<'s>>,
    purses: BTreeMap<&'s str, Purse>,
    /// Accounts whose usage was rated and whose wallets may have to be told.
    watched: BTreeSet<&'s str>,
    here: HashMap<Key, Here, ByKey>,
    /// By earlier batch: records that were rated, and records that were not.
    superseded: BTreeMap<Id, (Vec<Key>, Vec<Key>)>,
    released: Vec<Key>,
    /// What is reserved on meters that were looked at.
    living: BTreeMap<Id, Vec<Living>>,
    /// Counters that records draw on.
    lots: Lots<'s, 'w>,
    /// Records are of a reservation: what others reserved never stands in their way.
    pub reporting: bool,
}

/// What is to happen to one meter.
enum Step {
    Long(Id, Box<usage::Command>),
    /// By its place among the quick ones.
    Short(usize),
}

/// Decisions to stage, in order.
#[derive(Default)]
pub(in crate::operations) struct Plan {
    meters: Vec<Step>,
    quick: Vec<Option<Quick>>,
    by: Option<By>,
    counters: Vec<(Id, counters::Command)>,
    wallets: Vec<(Id, wallets::Command)>,
    batches: Vec<(Id, mediation::Command)>,
}

impl Plan {
    pub fn stage(mut self, session: &mut Session<'_>) -> Result<(), Rejection> {
        session.expect(self.meters.len() + self.batches.len());
        let mut sold = Provenances::default();
        for step in self.meters {
            match (step, &self.by) {
                (Step::Short(place), Some(by)) => {
                    let quick = self.quick.get_mut(place).and_then(Option::take);
                    let told = quick.filter(|quick| !quick.records.is_empty());
                    told.map_or(Ok(()), |quick| quick.stage(session, by, &mut sold))?;
                }
                (Step::Long(id, command), _) => {
                    session.decide_owned::<Metered>(id, *command)?;
                }
                (Step::Short(_), None) => {}
            }
        }
        self.counters
            .into_iter()
            .try_for_each(|(id, c)| session.decide_owned::<Counter>(id, c).map(|_| ()))?;
        self.wallets
            .into_iter()
            .try_for_each(|(id, c)| session.decide::<Wallet>(&id, c).map(|_| ()))?;
        self.batches
            .into_iter()
            .try_for_each(|(id, c)| session.decide::<Batch>(&id, c).map(|_| ()))
    }
}

impl<'s, 'w> Desk<'s, 'w> {
    pub fn new(session: &'s Session<'w>, batch: &str, source: &str) -> Desk<'s, 'w> {
        Desk {
            session,
            batch: batch.into(),
            source: source.into(),
            rules: Rules::default(),
            newcomer: None,
            counts: UsageCounts::default(),
            listed: Listed::default(),
            meters: Meters::default(),
            places: HashMap::new(),
            named: 0,
            short: None,
            purses: BTreeMap::new(),
            watched: BTreeSet::new(),
            here: HashMap::default(),
            superseded: BTreeMap::new(),
            released: Vec::new(),
            living: BTreeMap::new(),
            lots: Lots::new(session),
            reporting: false,
        }
    }

    /// Records go the short way where they can (`quick`): for a command that does nothing else with meters.
    #[must_use]
    pub fn with_berths(self) -> Self {
        Desk {
            short: Short::open(self.session),
            ..self
        }
    }

    /// Judges lines in their order; what holds their keys is asked for once.
    pub fn take_all(&mut self, lines: Vec<Received>) -> Result<(), Rejection> {
        let keys: Vec<Key> = lines.iter().filter_map(key_of).collect();
        let mut sightings = self.session.past().sightings(&keys)?.into_iter();
        self.here.reserve(keys.len());
        self.meters.reserve(lines.len());
        let mut lines = lines;
        let mut spots: [Option<Spot>; TOGETHER] = [None; TOGETHER];
        for some in lines.chunks_mut(TOGETHER) {
            if let Some(short) = self.short.as_mut() {
                short.spots(self.session, some, &mut spots);
            }
            for (line, spot) in some.iter_mut().zip(spots) {
                let sighting = match key_of(line) {
                    Some(_) => sightings.next().flatten(),
                    None => None,
                };
                self.judge(line, sighting, spot)?;
                // Given back while it is near: at the end, each would be fetched once more.
                *line = Received::nothing();
            }
        }
        Ok(())
    }

    /// Judges one line.
    pub fn take(&mut self, line: Received) -> Result<(), Rejection> {
        self.take_all(vec![line])
    }

    fn judge(
        &mut self,
        line: &mut Received,
        sighting: Option<Sighting>,
        spot: Option<Spot>,
    ) -> Result<(), Rejection> {
        self.counts.received += 1;
        let record = match line {
            Received::Unreadable { line, code, reason } => {
                self.counts.unreadable += 1;
                self.listed.unreadable.push(Unreadable {
                    line: *line,
                    code: std::mem::take(code),
                    reason: std::mem::take(reason),
                });
                return Ok(());
            }
            Received::Record(record) => record,
        };
        let key = record.key;
        let here = self.here.get(&key);
        let content = here
            .map(|here| here.content)
            .or(sighting.map(|earlier| earlier.content));
        match content {
            None => self.accept(record, None, spot),
            Some(known) if known == record.content => {
                self.counts.duplicates += 1;
                self.listed.duplicates.push(record.line);
            }
            Some(_) if record.corrects => {
                let known = match (here, sighting) {
                    (Some(here), _) => Some(self.standing(*here)),
                    (None, Some(earlier)) => Some(self.earlier(&key, earlier)?),
                    (None, None) => None,
                };
                self.accept(record, known, None);
            }
            Some(_) => {
                let batch = match here {
                    Some(_) => self.batch.to_string(),
                    None => self.session.past().batch_of(&key)?,
                };
                self.counts.conflicts += 1;
                let line = record.line;
                self.listed.conflicts.push(Conflict { line, key, batch });
            }
        }
        Ok(())
    }

    /// A line of this batch as the record that a later one corrects.
    fn standing(&self, here: Here) -> Standing {
        let meter = here.meter.and_then(|number| self.id_of(number));
        Standing {
            batch: self.batch.to_string(),
            line: Some(here.line),
            meter,
        }
    }

    /// Stream of an open meter.
    fn id_of(&self, number: usize) -> Option<Id> {
        if let Some(quick) = self.meters.quick(number) {
            let (sub, charge, from) = self.short.as_ref()?.name(self.session, quick)?;
            return Some(usage::id(sub, charge, from));
        }
        Some(self.meters.get(number)?.id().to_string())
    }

    /// The record of an earlier batch that holds a key.
    fn earlier(&self, key: &Key, sighting: Sighting) -> Result<Standing, Rejection> {
        let past = self.session.past();
        let meter = match sighting.counted {
            true => Some(past.fact(sighting.position)?.0),
            false => None,
        };
        Ok(Standing {
            batch: past.batch_of(key)?,
            line: None,
            meter,
        })
    }

    fn accept(&mut self, record: &mut UsageRecord, earlier: Option<Standing>, spot: Option<Spot>) {
        self.counts.accepted += 1;
        let (key, content, line) = (record.key, record.content, record.line);
        let rated = match self.count_shortly(record, spot) {
            Some(meter) => Ok(meter),
            None => self.rate(record, earlier.as_ref().and_then(|e| e.meter.as_deref())),
        };
        let stands = |meter| Here {
            content,
            line,
            meter,
        };
        match rated {
            Ok(meter) => {
                self.counts.rated += 1;
                let now = stands(Some(meter));
                self.here.insert(key, now);
                if let Some(earlier) = earlier {
                    self.supersede(key, line, earlier);
                }
            }
            // What a correction that cannot be rated would replace still stands: only rated corrections supersede.
            Err(reason) if earlier.is_some() => self.reject(record.clone(), reason),
            Err(reason) => {
                let now = stands(None);
                self.here.insert(key, now);
                if reason.code == "ACCESS_UNKNOWN" {
                    self.counts.pending += 1;
                    let record = record.clone();
                    self.listed.pending.push(Held { record, reason });
                } else {
                    self.reject(record.clone(), reason);
                }
            }
        }
    }

    fn reject(&mut self, record: UsageRecord, reason: Rejection) {
        self.counts.rejected += 1;
        self.listed.rejected.push(Refused { record, reason });
    }

    /// The earlier record stops counting as what it was, in the batch it came with.
    fn supersede(&mut self, key: Key, by: u64, earlier: Standing) {
        let Some(line) = earlier.line else {
            let (rated, unrated) = self.superseded.entry(earlier.batch).or_default();
            if earlier.meter.is_some() {
                rated.push(key)
            } else {
                unrated.push(key)
            }
            return;
        };
        self.counts.superseded += 1;
        self.listed.superseded.push(Replaced { line, key, by });
        if earlier.meter.is_some() {
            self.counts.rated -= 1;
            return;
        }
        let (pending, rejected) = (self.listed.pending.len(), self.listed.rejected.len());
        self.listed
            .pending
            .retain(|h| h.record.key != key || h.record.line != line);
        self.listed
            .rejected
            .retain(|r| r.record.key != key || r.record.line != line);
        self.counts.pending -= (pending - self.listed.pending.len()) as u64;
        self.counts.rejected -= (rejected - self.listed.rejected.len()) as u64;
    }

    /// Rates a record that waited, if it can be now; otherwise it goes on waiting, or is rejected for another reason.
    pub fn release(&mut self, mut record: UsageRecord) {
        match self.rate(&mut record, None) {
            Ok(_) => self.released.push(record.key),
            // Usage from before the start may belong to a subscription that is still to come.
            Err(reason)
                if matches!(
                    reason.code.as_str(),
                    "ACCESS_UNKNOWN" | "SUBSCRIPTION_NOT_ACTIVE"
                ) => {}
            Err(reason) => self.reject(record, reason),
        }
    }

    /// Rates a record, in place of one that counts on `earlier`; the answer is the meter. Refused, nothing of it stays.
    fn rate(
        &mut self,
        record: &mut UsageRecord,
        earlier: Option<&str>,
    ) -> Result<usize, Rejection> {
        let mark = self.lots.mark();
        let rated = self.rate_one(record, earlier);
        match rated {
            Ok(_) => self.lots.settle(),
            Err(_) => self.lots.restore(mark),
        }
        rated
    }

    fn rate_one(
        &mut self,
        record: &mut UsageRecord,
        earlier: Option<&str>,
    ) -> Result<usize, Rejection> {
        let (id, sub, zone) = self.subscription(record)?;
        let place = rating::place(self.session, (id, sub), zone, record)?;
        let meter = self.open(id, place)?;
        let account = sub.account.as_str();
        if place.charge.pay != Pay::Invoice {
            self.purse(account);
            self.tax(account, meter, place.charge, place.on)?;
        }
        self.watch(account);
        let way = self.lots.way((id, sub), &place, record)?;
        if !self.reporting && !self.session.index().reserved.is_empty() {
            let id = self.meters.get(meter).map(|w| w.id().to_string());
            if let Some(id) = id
                && self.moves_others(&id)
            {
                self.purse(account);
                return self.rate_beside(record, place, (account, way.as_ref()), earlier, meter);
            }
        }
        self.count(record, place, (account, way.as_ref()), earlier, meter)?;
        Ok(meter)
    }

    /// Notes an account whose wallets may have to be told that there is more to pay.
    fn watch(&mut self, account: &'s str) {
        let wallets = &self.session.index().wallets_of;
        if wallets.is_empty() {
            return;
        }
        let terms = self.session.find::<Account>(account);
        let payer = terms.map_or(account, |entry| entry.state.terms.payer(account));
        if wallets.contains_key(payer) {
            self.watched.insert(account);
        }
    }

    /// Rates a record on a meter that others reserved on: they must still have what they need afterwards.
    fn rate_beside(
        &mut self,
        record: &mut UsageRecord,
        place: Place<'s>,
        (account, way): (&'s str, Option<&Way>),
        earlier: Option<&str>,
        meter: usize,
    ) -> Result<usize, Rejection> {
        let Some(id) = self.meters.get(meter).map(|w| w.id().to_string()) else {
            return Err(closed("of this record"));
        };
        let (purses, whole) = (self.purses.clone(), record.clone());
        // Where a correction leaves another meter, more than this one has to go back.
        if earlier.is_some_and(|earlier| earlier != id) {
            self.count(record, place, (account, way), earlier, meter)?;
            self.price_anew(&id, false)?;
            return Ok(meter);
        }
        let mark = self.meters.get_mut(meter).map(|w| w.mark(whole.key));
        let counted = self
            .count(record, place, (account, way), earlier, meter)
            .and_then(|()| self.price_anew(&id, true));
        match (counted, mark) {
            (Err(refused), Some(mark)) => {
                if let Some(working) = self.meters.get_mut(meter) {
                    working.restore(mark);
                }
                (self.purses, *record) = (purses, whole);
                Err(refused)
            }
            (counted, _) => counted.map(|()| meter),
        }
    }

    fn count(
        &mut self,
        record: &mut UsageRecord,
        place: Place<'s>,
        (account, way): (&'s str, Option<&Way>),
        earlier: Option<&str>,
        meter: usize,
    ) -> Result<(), Rejection> {
        let own = self.meters.get(meter).map(Working::id);
        match earlier.filter(|earlier| own != Some(*earlier)) {
            Some(other) => self.relocate(record, place, (account, way), other, meter),
            None => {
                let mut none = Purse::default();
                // What an invoice pays needs no purse.
                let purse = self.purses.get_mut(account).unwrap_or(&mut none);
                let Some(working) = self.meters.get_mut(meter) else {
                    return Err(closed("of this record"));
                };
                if earlier.is_some() {
                    working.correct(record, place, purse, (&mut self.lots, way))
                } else {
                    working.add(record, place, purse, (&mut self.lots, way))
                }
            }
        }
    }

    /// A correction that belongs to another charge: leaves one meter, enters the other, or neither.
    fn relocate(
        &mut self,
        record: &mut UsageRecord,
        place: Place<'s>,
        (account, way): (&'s str, Option<&Way>),
        from: &str,
        to: usize,
    ) -> Result<(), Rejection> {
        let (owner, left) = self.reopen(from)?;
        self.purse(account);
        let purses = self.purses.clone();
        if let Some((charge, on)) = self.meters.get(left).map(|w| (w.charge(), w.on())) {
            self.tax(owner, left, charge, on)?;
        }
        let mark = {
            let (Some(working), Some(purse)) =
                (self.meters.get_mut(left), self.purses.get_mut(owner))
            else {
                return Err(closed(from));
            };
            let mark = working.mark(record.key);
            working.remove(record.key, purse, &mut self.lots)?;
            mark
        };
        self.tax(account, to, place.charge, place.on)?;
        let (Some(working), Some(purse)) = (self.meters.get_mut(to), self.purses.get_mut(account))
        else {
            return Err(closed("of this record"));
        };
        let counters = (&mut self.lots, way);
        let added = working.add(record, place, purse, counters);
        added.inspect_err(|_| {
            self.purses = purses;
            if let Some(working) = self.meters.get_mut(left) {
                working.restore(mark);
            }
        })
    }

    /// Whose record it is: the subscription it names, or the one with its access that runs on its day.
    fn subscription(
        &self,
        record: &UsageRecord,
    ) -> Result<(&'s str, &'s Subscription, &'s Zone), Rejection> {
        let session = self.session;
        let named = record.access.strip_prefix("subscription:");
        let known = session.index().access.get(&record.access);
        let ids = known
            .into_iter()
            .flatten()
            .map(String::as_str)
            .chain(named)
            .chain(self.newcomer);
        let mut found: Option<(&'s str, &'s Subscription, &'s Zone)> = None;
        for id in ids {
            let Some((key, entry)) = session.entry::<Subscription>(id) else {
                continue;
            };
            let sub = &entry.state;
            let (true, Some(account)) = (
                finds(key, sub, &record.access),
                session.find::<Account>(&sub.account),
            ) else {
                continue;
            };
            let zone = &account.state.terms.zone;
            if sub.term_on(zone.date(record.at)).is_some() {
                return Ok((key, sub, zone));
            }
            // None runs on that day: the latest one says why.
            found = Some((key, sub, zone));
        }
        found.ok_or_else(|| {
            Rejection::new(
                "ACCESS_UNKNOWN",
                "no subscription has the number, meter or resource of this record".to_string(),
            )
        })
    }

    /// Opens the meter of a subscription at a place; the answer is where it is among the open ones.
    fn open(&mut self, sub: &'s str, place: Place<'s>) -> Result<usize, Rejection> {
        let name = (sub, place.charge.code.as_str(), place.days.from);
        self.name_quick();
        let open = self.places.get(&name).copied();
        if let Some(open) = open
            && self.meters.quick(open).is_none()
        {
            return Ok(open);
        }
        let id = usage::id(sub, &place.charge.code, place.days.from);
        let before = self.session.find::<Metered>(&id).map(|e| &e.state);
        let carried = self.carried(sub, place)?;
        let mut working = Working::new(id, place, before, carried, self.session.past())?;
        if let Some(open) = open {
            self.meters.lengthen(open, |quick| {
                working.resume(quick.meter, quick.records);
                working
            });
            return Ok(open);
        }
        let open = self.meters.len();
        self.meters.push(working);
        self.places.insert(name, open);
        Ok(open)
    }

    /// Lays the way to the meters of the short way by their names.
    fn name_quick(&mut self) {
        let Some(short) = &self.short else { return };
        for number in self.named..self.meters.len() {
            let quick = self.meters.quick(number);
            if let Some(name) = quick.and_then(|quick| short.name(self.session, quick)) {
                self.places.insert(name, number);
            }
        }
        self.named = self.meters.len();
    }

    /// What was there when the period of a meter began.
    fn carried(&self, id: &str, place: Place<'s>) -> Result<CarriedIn, Rejection> {
        if !place.charge.carry {
            return Ok(CarriedIn::new());
        }
        let session = self.session;
        let sub = &session.get::<Subscription>(id)?;
        rating::carried_in(sub, place.charge, place.days.from, |code, from| {
            let metered = session.find::<Metered>(&usage::id(id, code, from))?;
            metered.state.memory.as_deref()
        })
    }

    /// The open meter with an id.
    fn working(&self, meter: &str) -> Option<&Working<'s>> {
        let mut parts = meter.split('/');
        let (sub, charge, from) = (parts.next()?, parts.next()?, parts.next()?);
        let name = (sub, charge, parse_date(from).ok()?);
        self.meters.get(*self.places.get(&name)?)
    }

    /// Opens the meter on which an earlier record counts; the answer is the account that pays there, and the meter's place.
    fn reopen(&mut self, meter: &str) -> Result<(&'s str, usize), Rejection> {
        let gone = || {
            Rejection::new(
                "METER_UNKNOWN",
                format!(
                    "the contract no longer has the charge and period {meter} of the record to be corrected"
                ),
            )
        };
        let mut parts = meter.split('/');
        let (Some(sub), Some(code), Some(from)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(gone());
        };
        let on = parse_date(from)?;
        let (name, sub) = self
            .session
            .entry::<Subscription>(sub)
            .map(|(id, e)| (id, &e.state))
            .ok_or_else(gone)?;
        let (i, term) = sub.term_on(on).ok_or_else(gone)?;
        let charge = term
            .offer
            .usage
            .iter()
            .find(|u| u.code == code)
            .ok_or_else(gone)?;
        let (days, whole) = crate::subscriptions::schedule::usage_period(sub, i, charge, on);
        let account = self.session.find::<Account>(&sub.account);
        let zone = account.map(|a| &a.state.terms.zone).ok_or_else(gone)?;
        let names = match charge.reads_contract() {
            true => Some(rating::record::names(
                self.session,
                name,
                sub,
                term,
                charge,
                on,
            )?),
            false => None,
        };
        let place = Place {
            term,
            charge,
            days,
            whole,
            on,
            zone,
            names,
        };
        let open = self.open(name, place)?;
        self.purse(&sub.account);
        self.watch(&sub.account);
        Ok((&sub.account, open))
    }

    fn purse(&mut self, account: &'s str) {
        if !self.purses.contains_key(account) {
            let session = self.session;
            let ids = session
                .index()
                .wallets_of
                .get(account)
                .into_iter()
                .flatten();
            let wallets = ids.filter_map(|id| session.find::<Wallet>(id).map(|e| (id, &e.state)));
            let purse = Purse::new(wallets, session.now());
            self.purses.insert(account, purse);
        }
    }

    /// Tells the purse how usage of a meter is taxed on a day, where a wallet in it includes tax (policy 30): by the
    /// account's category, the charge's class and both countries (policy 21).
    fn tax(
        &mut self,
        account: &'s str,
        meter: usize,
        charge: &Usage,
        on: Date,
    ) -> Result<(), Rejection> {
        let session = self.session;
        let wallets = session.index().wallets_of.get(account);
        let Some(purse) = self.purses.get_mut(account).filter(|p| p.asks_for_tax()) else {
            return Ok(());
        };
        let Some(meter) = self.meters.get(meter).map(Working::id) else {
            return Ok(());
        };
        let rate = tax_rate(session, account, &charge.tax_class, on)?;
        let states = wallets.into_iter().flatten();
        let states = states.filter_map(|id| Some((id, &session.find::<Wallet>(id)?.state)));
        let known =
            states.flat_map(|(id, state)| state.taxes_of(meter).iter().map(move |t| (id, t)));
        purse.tax(meter, rate, known);
        Ok(())
    }

    /// Accounts whose usage was rated, if anybody's wallets are to be told of it.
    pub fn accounts(&self) -> Vec<Id> {
        self.watched
            .iter()
            .map(|account| account.to_string())
            .collect()
    }

    /// What a batch that is received leads to.
    pub fn receive(
        mut self,
        format: String,
        name: String,
        digest: [u8; 32],
    ) -> Result<Plan, Rejection> {
        let received = mediation::batch::Received {
            source: self.source.to_string(),
            format,
            name,
            digest,
            counts: self.counts,
            listed: std::mem::take(&mut self.listed),
        };
        let first = (
            self.batch.to_string(),
            mediation::Command::Receive(Box::new(received)),
        );
        let by = self.batch.to_string();
        let superseded = std::mem::take(&mut self.superseded);
        let mut plan = self.plan()?;
        plan.batches.push(first);
        plan.batches
            .extend(superseded.into_iter().map(|(batch, (rated, unrated))| {
                (
                    batch,
                    mediation::Command::Supersede {
                        by: by.clone(),
                        rated,
                        unrated,
                    },
                )
            }));
        Ok(plan)
    }

    /// What the release of waiting records leads to.
    pub fn settle(mut self) -> Result<Plan, Rejection> {
        let settle = mediation::Command::Settle {
            rated: std::mem::take(&mut self.released),
            rejected: std::mem::take(&mut self.listed.rejected),
        };
        let batch = self.batch.to_string();
        let mut plan = self.plan()?;
        plan.batches.push((batch, settle));
        Ok(plan)
    }

    pub fn plan(self) -> Result<Plan, Rejection> {
        let mut plan = Plan::default();
        let by = By {
            batch: self.batch.clone(),
            source: self.source.clone(),
            rules: self.rules,
        };
        let mut offers = Offers::default();
        plan.counters = self.lots.finish(&self.batch, &self.source);
        plan.meters.reserve(self.meters.len());
        let (all, quick) = self.meters.close();
        for closed in all {
            match closed {
                Closed::Full(working) => {
                    let told = working.finish(&by, &mut offers)?;
                    let step = |(id, command)| Step::Long(id, Box::new(command));
                    plan.meters.extend(told.map(step));
                }
                Closed::Quick(place) => plan.meters.push(Step::Short(place)),
            }
        }
        plan.quick = quick;
        plan.by = Some(by);
        for (account, purse) in self.purses {
            let changes = purse.changes();
            let burnt = purse.finish();
            if burnt.is_empty() && changes.is_empty() {
                continue;
            }
            let rounding =
                entity_terms(self.session, &account_terms(self.session, account)?.entity)?.rounding;
            let (batch, at) = (&self.batch, self.session.now());
            // A hold that is replaced by the only thing that happens to its wallet need not be released first.
            let alone = |c: &&wallets::Change| {
                burnt.iter().all(|d| d.wallet != c.wallet)
                    && changes.iter().filter(|o| o.wallet == c.wallet).count() == 1
            };
            let released = changes
                .iter()
                .filter(|c| c.release && !(c.hold.is_some() && alone(c)))
                .map(|c| {
                    (
                        c.wallet.clone(),
                        wallets::Command::Release { by: c.by.clone() },
                    )
                });
            plan.wallets.extend(released.collect::<Vec<_>>());
            plan.wallets.extend(burnt.into_iter().map(|d| {
                (
                    d.wallet,
                    wallets::Command::Burn {
                        batch: batch.to_string(),
                        parts: d.parts,
                        taxes: d.taxes,
                        on: d.on,
                        at,
                        rounding,
                    },
                )
            }));
            plan.wallets.extend(changes.into_iter().filter_map(|c| {
                let (by, hold) = (c.by, c.hold?);
                Some((c.wallet, wallets::Command::Hold { by, hold, at }))
            }));
        }
        Ok(plan)
    }
}

fn key_of(line: &Received) -> Option<Key> {
    match line {
        Received::Record(record) => Some(record.key),
        Received::Unreadable { .. } => None,
    }
}

/// The rate by which an account's usage of a class is taxed on a day.
pub(super) fn tax_rate(
    session: &Session<'_>,
    account: &str,
    class: &str,
    on: Date,
) -> Result<Exact, Rejection> {
    let terms = account_terms(session, account)?;
    let entity = entity_terms(session, &terms.entity)?;
    let answer = taxes::answer(session, account, &terms, &entity, class, on);
    Ok(answer.rate.into())
}

/// Whether a record with this access is this subscription's.
fn finds(id: &str, sub: &Subscription, access: &str) -> bool {
    access.strip_prefix("subscription:") == Some(id) || sub.access.iter().any(|a| a == access)
}

fn closed(meter: &str) -> Rejection {
    Rejection::new("METER_UNKNOWN", format!("meter {meter} is not open"))
}
