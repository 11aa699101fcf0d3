//! The agenda: what will have to be done for an account, and on which day, in the order of days.
//!
//! Derived from the log like every index. It may name a day too early (then nothing is found to do), never too late:
//!
//! - `Bill`: the first day on which something of the account may be due. A finalised document covers everything up to
//!   its day, and so does a run that found nothing; the next day follows from the contracts, and every fact that could make
//!   something due earlier moves it there.
//! - `Wallet`: the first day on which a grant expires or a top-up by schedule is due.
//! - `Dun`: the day the next dunning level is reached.
//! - `Collect`: the day of the next attempt, or of an invoice that is collected on its due date.
//! - `Move`: the day from which an older version of an offer is kept no longer.
//! - `Tenure`: the day a tenure is told of, renews or is over.
//! - `Cards`: the day a card is to be told of.
//! - `Grace`: the day a draft is finalised.
//! - `Progress`: usage reached a threshold.
//!
//! Beside them it keeps up to which day a subscription is settled: its periods that end on or before this day were billed as
//! the contract has them. Every fact about an earlier day lowers it, so billing looks at what can be due and not at history.

mod ticks;

pub use self::ticks::tick_commands;

use crate::accounts::folio;
use crate::charges::{self, Charges, due};
use crate::index::Index;
use crate::kernel::{Date, Days, Decider, Id, Instant, Zone, calendar::add_days};
use crate::operations::catalog::MAIN;
use crate::operations::invoicing as billing;
use crate::operations::migration::kept_until;
use crate::table::ById;
use crate::world::{Event, Tables, Tenant};
use crate::{
    accounts, catalog, collections, commitments, dunning, entities, invoices, invoicing, reratings,
    runs, subscriptions, usage,
};
use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Something to do for an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// Something the account used may be due; whoever pays for it is to be billed.
    Bill { account: Id },
    /// A dunning level is reached.
    Dun { account: Id },
    /// A grant of a wallet expires, or a top-up is due.
    Wallet { account: Id, wallet: Id },
    /// A payment plan is broken unless something is paid.
    Plan { account: Id },
    /// Money is to be collected.
    Collect { account: Id },
    /// A card is to be told of before it expires.
    Cards { account: Id },
    /// A subscription gets a newer version of its offer.
    Move { account: Id, subscription: Id },
    /// A draft is finalised.
    Grace { account: Id, invoice: Id },
    /// Usage of a subscription reached a threshold.
    Progress { account: Id, subscription: Id },
    /// The tenure of a subscription is told of, renews or is over.
    Tenure { account: Id, subscription: Id },
}

impl Timer {
    pub fn account(&self) -> &str {
        match self {
            Timer::Bill { account }
            | Timer::Dun { account }
            | Timer::Wallet { account, .. }
            | Timer::Plan { account }
            | Timer::Collect { account }
            | Timer::Cards { account }
            | Timer::Move { account, .. }
            | Timer::Grace { account, .. }
            | Timer::Progress { account, .. }
            | Timer::Tenure { account, .. } => account,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Agenda {
    days: ById<Date, Timer>,
    /// `days`, by day. The timers of a day come into their order when they are asked for: that is done once for a run over
    /// all of them, and each of them is moved by it.
    #[serde(skip)]
    by_day: BTreeMap<Date, HashSet<Timer, RandomState>>,
    /// Days of `Bill`, by account: usage asks for one with nearly every fact.
    #[serde(skip)]
    bills: ById<Date>,
    zone_of: BTreeMap<Id, Zone>,
    settled: ById<Date>,
    /// No subscription is settled beyond this day.
    settled_most: Option<Date>,
    /// Documents whose lines were computed in the commit at hand; a draft that stands as it was is not among them.
    #[serde(skip)]
    fresh: Beside<BTreeSet<Id>>,
    /// How many accounts have a zone.
    #[serde(skip)]
    zones: BTreeMap<Zone, usize>,
    #[serde(skip)]
    /// How often a bill was moved to a later day or taken off.
    put_off: Beside<u64>,
}

/// What whoever works with the agenda keeps beside it; no part of it, so it is neither stored nor compared.
#[derive(Clone, Copy, Debug, Default)]
struct Beside<T>(T);

impl<T> PartialEq for Beside<T> {
    fn eq(&self, _: &Beside<T>) -> bool {
        true
    }
}

/// What of an agenda is stored; the rest follows from it.
#[derive(Deserialize)]
struct Stored {
    days: ById<Date, Timer>,
    zone_of: BTreeMap<Id, Zone>,
    settled: ById<Date>,
    settled_most: Option<Date>,
}

impl From<Stored> for Agenda {
    fn from(stored: Stored) -> Agenda {
        let Stored {
            days,
            zone_of,
            settled,
            settled_most,
        } = stored;
        let mut zones = BTreeMap::new();
        for zone in zone_of.values() {
            *zones.entry(zone.clone()).or_default() += 1;
        }
        let bill = |(timer, day): (&Timer, &Date)| match timer {
            Timer::Bill { account } => Some((account.clone(), *day)),
            _ => None,
        };
        let mut by_day: BTreeMap<Date, HashSet<Timer, RandomState>> = BTreeMap::new();
        for (timer, day) in days.iter() {
            by_day.entry(*day).or_default().insert(timer.clone());
        }
        Agenda {
            bills: days.iter().filter_map(bill).collect(),
            by_day,
            days,
            zone_of,
            settled,
            settled_most,
            fresh: Beside::default(),
            zones,
            put_off: Beside::default(),
        }
    }
}

impl Agenda {
    /// Whether periods that end on a day may be settled, so that usage in them unsettles them.
    pub(crate) fn has_settled(&self, until: Date) -> bool {
        self.settled_most.is_some_and(|most| until <= most)
    }

    /// How often a bill was put off; above zero.
    pub(crate) fn put_off(&self) -> u64 {
        self.put_off.0 + 1
    }

    /// Timers up to and including a day, in order; no other timer is looked at.
    pub fn through(&self, day: Date) -> impl Iterator<Item = (Date, &Timer)> {
        self.by_day.range(..=day).flat_map(|(on, timers)| {
            let mut timers: Vec<&Timer> = timers.iter().collect();
            timers.sort_unstable();
            timers.into_iter().map(|timer| (*on, timer))
        })
    }

    /// The same, those of a day in no order: for who brings them into an order of its own.
    pub fn all_through(&self, day: Date) -> impl Iterator<Item = (Date, &Timer)> {
        let days = self.by_day.range(..=day);
        days.flat_map(|(on, timers)| timers.iter().map(|timer| (*on, timer)))
    }

    /// The day of a timer.
    pub fn day(&self, timer: &Timer) -> Option<Date> {
        self.days.get(timer).copied()
    }

    /// Periods of a subscription that end on or before this day are billed and nothing changed them since.
    pub fn settled(&self, subscription: &str) -> Option<Date> {
        self.settled.get(subscription).copied()
    }

    /// Fetches what is known of some accounts and subscriptions, so that the waits for memory overlap.
    pub(crate) fn near(&self, accounts: &[&str], subscriptions: &[&str]) {
        let bills = accounts.iter().filter_map(|id| self.bills.get(*id));
        let settled = subscriptions.iter().filter_map(|id| self.settled.get(*id));
        std::hint::black_box(bills.chain(settled).max());
    }

    /// Billing looks at the whole of every contract again: what it finds must be the same.
    pub fn forget_settled(&mut self) {
        self.settled.clear();
        self.settled_most = None;
    }

    /// The latest business date that any account has at an instant.
    pub fn last_today(&self, now: Instant) -> Option<Date> {
        self.zones.keys().map(|zone| zone.date(now)).max()
    }

    /// Advances by one event. `tables` and `index` hold it already, and perhaps later ones of the same commit.
    pub fn apply(&mut self, tables: &Tables, index: &Index, id: &str, event: &Event) {
        match event {
            Event::Account(accounts::Event::Opened(e)) => {
                self.account(tables, index, id, &e.terms.zone);
            }
            Event::Account(accounts::Event::Changed(e)) => {
                self.account(tables, index, id, &e.terms.zone);
            }
            Event::Subscription(e) => {
                let day = affected_from(e);
                if let Some(day) = day {
                    self.unsettle(id, day);
                }
                if let Some(sub) = tables.subscriptions.get(id) {
                    let due = match e {
                        subscriptions::Event::Started(started) => Some(first_bill(e, started)),
                        _ => day,
                    };
                    if let Some(day) = due {
                        self.bill_by(&sub.state.account, day);
                    }
                    self.moves(tables, id);
                    self.tenure(tables, id);
                }
            }
            Event::Catalog(catalog::Event::OfferPublished(e))
                if e.offer.grandfathered_until.is_some() =>
            {
                let has = |sub: &subscriptions::Subscription| {
                    sub.terms
                        .last()
                        .is_some_and(|t| t.offer.code == e.offer.code)
                };
                for (id, entry) in &tables.subscriptions {
                    if has(&entry.state) {
                        self.moves(tables, id);
                    }
                }
            }
            Event::Charge(charges::Event::Ordered(e)) => {
                self.owner_bill_by(tables, id, e.pending.on);
            }
            Event::Charge(charges::Event::Added(e)) => self.owner_bill_by(tables, id, e.pending.on),
            Event::Charge(charges::Event::Billed(e)) => {
                self.fresh
                    .0
                    .extend(e.items.first().map(|i| i.invoice.clone()));
            }
            Event::Charge(charges::Event::Released(_)) => {
                self.unsettle(id, Date::MIN);
                self.owner_bill_by(tables, id, Date::MIN);
            }
            Event::Usage(usage::Event::Rated(e)) => self.used(tables, id, &e.meter),
            Event::Usage(usage::Event::Corrected(e)) => self.used(tables, id, &e.meter),
            Event::Usage(usage::Event::Recounted(e)) => self.used(tables, id, &e.meter),
            Event::Invoice(invoices::Event::Finalised(e)) if e.document.corrects.is_none() => {
                self.grace(tables, id);
                self.settle(id, &e.document);
                if covers_all(tables, index, &e.document) {
                    self.billed(tables, index, &e.document.account, e.document.as_of);
                }
            }
            // What a held draft bills is not due any more, as with a finalised one.
            Event::Invoice(invoices::Event::Held(_) | invoices::Event::Drafted(_)) => {
                self.grace(tables, id);
                if let Some(held) = tables.invoices.get(id).filter(|i| i.state.hold.is_some()) {
                    let document = &held.state.document;
                    self.settle(id, document);
                    if covers_all(tables, index, document) {
                        self.billed(tables, index, &document.account, document.as_of);
                    }
                }
            }
            Event::Invoice(
                invoices::Event::Released(_)
                | invoices::Event::Rejected(_)
                | invoices::Event::Voided(_),
            ) => self.grace(tables, id),
            // The day of its timer was too early.
            Event::Run(runs::Event::AccountBilled(e)) if e.invoices.is_empty() => {
                let run = tables.runs.get(id);
                if let Some(as_of) = run.and_then(|run| run.state.as_of) {
                    self.billed(tables, index, &e.account, as_of);
                }
            }
            // It is due still.
            Event::Run(runs::Event::FolioCarried(e)) => {
                self.bill_by(folio::owner(&e.folio), Date::MIN);
            }
            Event::Progress(_) => self.progress(tables, id, None),
            // A note settles what a rerating is about and nothing else: whatever is due besides is due still.
            Event::Rerating(reratings::Event::Settled(e)) => {
                let done = tables
                    .reratings
                    .get(id)
                    .into_iter()
                    .flat_map(|r| &r.state.done);
                for done in done.filter(|d| d.payer == e.payer) {
                    self.unsettle(&done.subscription, Date::MIN);
                }
                self.bill_by(&e.payer, Date::MIN);
            }
            // Something may be due on the day a period ends, or has to be taken back.
            Event::Commitment(e) => {
                let state = tables.commitments.get(id).map(|c| &c.state);
                let day = match e {
                    commitments::Event::CommitmentAgreed(e) => {
                        state.and_then(|s| s.next_day(e.agreed.from))
                    }
                    commitments::Event::CommitmentEnded(e) => Some(e.on),
                };
                if let Some(day) = day {
                    self.bill_by(folio::owner(id), day);
                }
            }
            Event::Wallet(_) => self.wallet(tables, id),
            Event::Receivable(_) => {
                self.dun(tables, id);
                self.plans(tables, id);
                self.collect(tables, index, id);
            }
            Event::Dunning(_) => self.dun(tables, id),
            Event::Collection(e) => self.collect(tables, index, e.account()),
            Event::Method(_) => {
                for folio in folios(index, id) {
                    self.dun(tables, folio);
                    self.collect(tables, index, folio);
                }
                let next = tables.methods.get(id).and_then(|e| e.state.next_notice());
                let account = id.to_string();
                self.set(Timer::Cards { account }, next);
            }
            Event::Entity(entities::Event::CollectionSet(_)) => {
                for account in tables.methods.keys() {
                    for folio in folios(index, account) {
                        self.collect(tables, index, folio);
                    }
                }
            }
            Event::DunningPolicy(_)
            | Event::DunningRules(_)
            | Event::Catalog(catalog::Event::OfferClassified(_))
            | Event::Entity(entities::Event::Changed(_)) => {
                for account in tables.receivables.keys() {
                    self.dun(tables, account);
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, timer: Timer, day: Option<Date>) {
        let before = self.days.get(&timer).copied();
        if before == day {
            return;
        }
        if let Some(before) = before
            && let Some(timers) = self.by_day.get_mut(&before)
        {
            timers.remove(&timer);
            if timers.is_empty() {
                self.by_day.remove(&before);
            }
        }
        if let Timer::Bill { account } = &timer {
            let before = self.bills.get(account);
            if before.is_some_and(|before| day.is_none_or(|day| day > *before)) {
                self.put_off.0 += 1;
            }
            match day {
                Some(day) => self.bills.insert(account.clone(), day),
                None => self.bills.remove(account),
            };
        }
        match day {
            Some(day) => {
                self.by_day.entry(day).or_default().insert(timer.clone());
                self.days.insert(timer, day);
            }
            None => {
                self.days.remove(&timer);
            }
        }
    }

    fn account(&mut self, tables: &Tables, index: &Index, id: &str, zone: &Zone) {
        if let Some(before) = self.zone_of.insert(id.to_string(), zone.clone())
            && let Some(count) = self.zones.get_mut(&before)
        {
            *count -= 1;
            if *count == 0 {
                self.zones.remove(&before);
            }
        }
        *self.zones.entry(zone.clone()).or_default() += 1;
        for folio in folios(index, id) {
            self.dun(tables, folio);
        }
    }

    /// Something may be due on `day`, if nothing is earlier.
    pub(crate) fn bill_by(&mut self, account: &str, day: Date) {
        if self.bills.get(account).is_some_and(|before| *before <= day) {
            return;
        }
        let timer = Timer::Bill {
            account: account.to_string(),
        };
        self.set(timer, Some(day));
    }

    /// The same for a stream of charges: a subscription's or an account's.
    fn owner_bill_by(&mut self, tables: &Tables, owner: &str, day: Date) {
        if let Some(sub) = tables.subscriptions.get(owner) {
            self.bill_by(&sub.state.account, day);
        }
        if tables.accounts.contains_key(owner) {
            self.bill_by(owner, day);
        }
    }

    /// Everything of its subscriptions up to the document's day is billed, unless it is ahead of its time.
    fn settle(&mut self, id: &str, document: &invoices::Document) {
        if !self.fresh.0.remove(id) {
            return;
        }
        let ahead = |line: &invoices::Line| match &line.what {
            charges::What::Usage { days, .. } => days.until > document.as_of,
            _ => false,
        };
        let owners = document
            .lines
            .iter()
            .filter(|l| !ahead(l))
            .filter_map(|l| l.subscription.as_ref());
        for id in owners.collect::<BTreeSet<_>>() {
            let day = self.settled.entry(id.clone()).or_insert(document.as_of);
            *day = document.as_of.max(*day);
            self.settled_most = self.settled_most.max(Some(document.as_of));
        }
    }

    /// Something of a day changed: what ends after it may not be billed as it should be.
    fn unsettle(&mut self, subscription: &str, from: Date) {
        if let Some(day) = self.settled.get_mut(subscription) {
            *day = from.min(*day);
        }
    }

    /// When a draft is finalised without being asked.
    fn grace(&mut self, tables: &Tables, id: &str) {
        let Some(invoice) = tables.invoices.get(id).map(|e| &e.state) else {
            return;
        };
        let timer = Timer::Grace {
            account: invoice.document.account.clone(),
            invoice: id.to_string(),
        };
        let until = invoice.hold.as_ref().and_then(|hold| hold.until);
        if until.is_some() || self.days.contains_key(&timer) {
            self.set(timer, until);
        }
    }

    /// Whether usage reached a threshold, on a day of the period it was in; none: it was dealt with.
    fn progress(&mut self, tables: &Tables, id: &str, on: Option<Days>) {
        let Some(sub) = tables.subscriptions.get(id).map(|e| &e.state) else {
            return;
        };
        let reached = on.filter(|period| {
            let settled = self.settled(id).unwrap_or(Date::MIN);
            billing::threshold(tables, id, sub, settled, period.from).is_some()
        });
        let timer = Timer::Progress {
            account: sub.account.clone(),
            subscription: id.to_string(),
        };
        if reached.is_some() || self.days.contains_key(&timer) {
            self.set(timer, reached.map(|period| period.from));
        }
    }

    /// Usage is due when its period has ended, be it long ago; what wallets paid is not.
    fn used(&mut self, tables: &Tables, meter_id: &str, meter: &usage::Meter) {
        let subscription = meter_id.split('/').next().unwrap_or(meter_id);
        if let Some(period) = meter.period
            && self.has_settled(period.until)
        {
            self.unsettle(subscription, period.from);
        }
        let prepaid = meter.amount.is_zero() && !meter.burnt.is_zero();
        if let (Some(sub), Some(period), false) = (
            tables.subscriptions.get(subscription),
            meter.period,
            prepaid,
        ) {
            let code = meter_id.split('/').nth(1).unwrap_or_default();
            let mut usage = sub.state.terms.iter().flat_map(|t| &t.offer.usage);
            let day = match usage.any(|u| u.code == code && u.in_advance()) {
                true => period.from,
                false => period.until,
            };
            self.bill_by(&sub.state.account, day);
            let progressive = sub
                .state
                .terms
                .last()
                .is_some_and(|t| t.offer.progressive.is_some());
            if progressive {
                self.progress(tables, subscription, Some(period));
            }
        }
    }

    /// Everything up to `as_of` is billed for an account and those it pays for.
    fn billed(&mut self, tables: &Tables, index: &Index, payer: &str, as_of: Date) {
        let children = index
            .paid_by
            .get(payer)
            .into_iter()
            .flatten()
            .map(String::as_str);
        for account in std::iter::once(payer).chain(children) {
            let next = next_bill(tables, index, account, as_of);
            self.set(
                Timer::Bill {
                    account: account.to_string(),
                },
                next,
            );
        }
    }

    fn wallet(&mut self, tables: &Tables, wallet: &str) {
        if let Some(entry) = tables.wallets.get(wallet) {
            let timer = Timer::Wallet {
                account: entry.state.account.clone(),
                wallet: wallet.to_string(),
            };
            self.set(timer, entry.state.next_day());
        }
    }

    /// When a newer version takes the place of what a subscription has.
    fn moves(&mut self, tables: &Tables, id: &str) {
        let Some(sub) = tables.subscriptions.get(id).map(|e| &e.state) else {
            return;
        };
        let catalog = tables.catalogs.get(MAIN).map(|e| &e.state);
        let day = catalog.and_then(|c| kept_until(c, sub));
        let timer = Timer::Move {
            account: sub.account.clone(),
            subscription: id.to_string(),
        };
        self.set(timer, day.filter(|day| *day < sub.end_date()));
    }

    /// When a tenure is told of, renews or is over.
    fn tenure(&mut self, tables: &Tables, id: &str) {
        let Some(sub) = tables.subscriptions.get(id).map(|e| &e.state) else {
            return;
        };
        let tenure = sub.tenure.as_ref().filter(|_| !sub.awaits);
        let day = tenure.and_then(|t| t.next_day(sub.end.as_ref().map(|e| e.on)));
        let timer = Timer::Tenure {
            account: sub.account.clone(),
            subscription: id.to_string(),
        };
        self.set(timer, day);
    }

    fn plans(&mut self, tables: &Tables, account: &str) {
        let state = tables.receivables.get(account);
        let day = state.and_then(|e| e.state.next_break());
        let timer = Timer::Plan {
            account: account.to_string(),
        };
        self.set(timer, day);
    }

    fn collect(&mut self, tables: &Tables, index: &Index, account: &str) {
        let open = index.collections_of.get(account);
        let open: Vec<Id> = open.into_iter().flatten().cloned().collect();
        let next = collections::next_due(tables, &open, account);
        let account = account.to_string();
        self.set(Timer::Collect { account }, next);
    }

    fn dun(&mut self, tables: &Tables, account: &str) {
        self.set(
            Timer::Dun {
                account: account.to_string(),
            },
            next_dun(tables, account),
        );
    }
}

/// Whether everything up to its day is billed by a document: not by one that only asks for money before the supply, nor by
/// one that was asked for alone where the account is billed on several folios. A run bills them all.
fn covers_all(tables: &Tables, index: &Index, document: &invoices::Document) -> bool {
    let ahead = |line: &invoices::Line| {
        matches!(
            line.what,
            charges::What::Advance { .. } | charges::What::TopUp { .. }
        )
    };
    if document.lines.iter().all(ahead) {
        return false;
    }
    if document.run.is_some() {
        return true;
    }
    let children = index.paid_by.get(&document.account).into_iter().flatten();
    let mut accounts = std::iter::once(&document.account).chain(children);
    accounts.all(|account| {
        let said = tables.invoicings.get(&invoicing::of_account(account));
        said.is_none_or(|s| s.state.folios.is_empty() && s.state.charges.is_empty())
    })
}

/// The folios of an account: its own, and others on which something was owed.
fn folios<'i>(index: &'i Index, account: &'i str) -> impl Iterator<Item = &'i str> {
    let others = index.folios_of.get(account).into_iter().flatten();
    std::iter::once(account).chain(others.map(String::as_str))
}

/// The first day whose charges a fact can change; none: it changes none.
fn affected_from(event: &subscriptions::Event) -> Option<Date> {
    Some(match event {
        subscriptions::Event::Started(e) => e.term.from,
        subscriptions::Event::Changed(e) => e.term.from,
        subscriptions::Event::Paused(e) => e.from,
        subscriptions::Event::Restricted(e) => e.from,
        subscriptions::Event::Resumed(e) => e.on,
        subscriptions::Event::Terminated(e) => e.end.on,
        subscriptions::Event::Ended(e) => e.ending.on,
        subscriptions::Event::Activated(e) => e.on,
        subscriptions::Event::TakenOver(e) => e.since,
        // The fact does not say what it takes back.
        subscriptions::Event::Reactivated(_) | subscriptions::Event::Undone(_) => Date::MIN,
        subscriptions::Event::ActivationAwaited(_)
        | subscriptions::Event::TenureAgreed(_)
        | subscriptions::Event::TenureEnding(_)
        | subscriptions::Event::Renewed(_)
        | subscriptions::Event::TenureOver(_) => return None,
    })
}

/// The first day on which something of a new contract may be due: the one it begins on where it charges anything once, otherwise
/// that of its first period. Of what the fact alone says, so that what else its commit holds changes nothing.
fn first_bill(event: &subscriptions::Event, started: &subscriptions::Started) -> Date {
    let from = started.term.from;
    let mut sub = subscriptions::Subscription::default();
    subscriptions::Subscription::evolve(&mut sub, event);
    match (started.term.offer.one_off.is_empty(), from.pred_opt()) {
        (true, Some(before)) => {
            let next = due::next_date(&sub, &Charges::default(), before);
            next.unwrap_or(from)
        }
        _ => from,
    }
}

fn next_bill(tables: &Tables, index: &Index, account: &str, after: Date) -> Option<Date> {
    let none = Charges::default();
    let charges = |owner: &str| tables.charges.get(owner).map(|e| &e.state);
    let subscriptions = index
        .subscriptions_of
        .get(account)
        .into_iter()
        .flatten()
        .filter_map(|id| {
            let sub = &tables.subscriptions.get(id)?.state;
            let next = due::next_date(sub, charges(id).unwrap_or(&none), after);
            // A phase may begin after the days that were looked at: then every run looks again.
            let later = sub.end.is_none()
                && sub
                    .terms
                    .iter()
                    .any(|t| t.offer.recurring.iter().any(|c| c.after.is_some()));
            next.or_else(|| later.then(|| add_days(after, 1)))
        });
    let own = charges(account)
        .unwrap_or(&none)
        .pending
        .iter()
        .map(|p| p.on)
        .filter(|on| *on > after);
    let committed = commitments(tables, account).filter_map(|c| c.next_day(after));
    subscriptions.chain(own).chain(committed).min()
}

/// What an account committed itself to on any of its folios.
fn commitments<'t>(
    tables: &'t Tables,
    account: &'t str,
) -> impl Iterator<Item = &'t commitments::Commitments> {
    let own = tables.commitments.get(account);
    // Others whose ids begin alike lie between an account and its folios: they are not walked through.
    let begin = (!tables.commitments.is_empty()).then(|| folio::beside(account));
    let beside = begin.into_iter().flat_map(|begin| {
        let from = tables.commitments.range(begin.as_str()..);
        from.take_while(move |(id, _)| id.starts_with(&begin))
    });
    let beside = beside.map(|(_, entry)| entry);
    own.into_iter().chain(beside).map(|entry| &entry.state)
}

fn next_dun(tables: &Tables, account: &str) -> Option<Date> {
    let owed = &tables.receivables.get(account)?.state;
    dunning::next(tables, account, owed).map(|next| next.on())
}

/// Timers whose day has come for their account, in order.
pub fn due(tenant: &Tenant, now: Instant) -> Vec<(Date, Timer)> {
    let agenda = &tenant.agenda;
    let Some(last) = agenda.last_today(now) else {
        return vec![];
    };
    let reached = |(on, timer): &(Date, &Timer)| {
        agenda
            .zone_of
            .get(folio::owner(timer.account()))
            .is_some_and(|zone| *on <= zone.date(now))
    };
    let due = agenda.through(last).filter(reached);
    due.map(|(on, timer)| (on, timer.clone())).collect()
}
