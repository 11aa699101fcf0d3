//! All aggregates of all tenants as the log has made them: the state that decisions are taken on.
//!
//! A pure fold of the log. The runtime keeps one, advances it with every commit, and rebuilds it by replay.

use crate::berths::{self, Berths};
use crate::index::Index;
use crate::kernel::event::CodecError;
use crate::kernel::{Decider, Id, Recorded};
use crate::processes::agenda::Agenda;
use crate::session::{Apart, Staged};
use crate::table::Newcomer;
use crate::usage::{self, Metered};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Version of what a stored state looks like and means. Raised whenever the shape of a state or what `evolve` makes of
/// an event changes, so that no snapshot of before is taken for a state of now (`tests/tests/golden_events/state.rs`).
pub const STATE_VERSION: u32 = 9;

/// One aggregate: its state and the version of its stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry<S> {
    pub version: u64,
    pub state: S,
}

pub use crate::table::{Listed, Table};

/// An aggregate that has streams of its own kind.
pub trait Noun: Decider {
    /// First part of the stream's name and of its event types.
    const KIND: &'static str;
    fn table(tables: &Tables) -> &Table<Self::State>;
    fn table_mut(tables: &mut Tables) -> &mut Table<Self::State>;
    /// The event as one of the whole product.
    fn root(event: Self::Event) -> Event;
}

macro_rules! nouns {
    ($( $variant:ident in $field:ident : $module:ident :: $decider:ident, kind $kind:literal, event $event:path $(, $by_family:ident)? );+ $(;)?) => {
        /// The aggregates of one tenant.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct Tables {
            $( pub $field: Table<<crate::$module::$decider as Decider>::State> ),+
        }

        /// Any fact of the product.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Event { $( $variant($event) ),+ }

        impl Event {
            /// Kind of the stream this event belongs to.
            pub fn kind(&self) -> &'static str {
                match self { $( Event::$variant(_) => $kind ),+ }
            }

            /// Stored name and schema version.
            pub fn event_type(&self) -> (&'static str, u16) {
                match self { $( Event::$variant(e) => e.event_type() ),+ }
            }

            pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
                match self { $( Event::$variant(e) => e.encode() ),+ }
            }

            /// Appends what [`Event::encode`] answers. Rated usage, which is nearly every event of a ledger, is written once and
            /// in place.
            pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
                match self {
                    Event::Usage(crate::usage::Event::Rated(rated)) => rated.store(out),
                    other => return other.store(out),
                }
                Ok(())
            }

            fn store(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
                match self { $( Event::$variant(e) => e.encode_into(out) ),+ }
            }

            /// At least as many bytes as a fact of usage is stored with; none for any other.
            pub fn size_bound(&self) -> Option<usize> {
                match self {
                    Event::Usage(crate::usage::Event::Rated(rated)) => Some(rated.size_bound()),
                    Event::Batch(batch) => batch.encode().ok().map(|bytes| bytes.len()),
                    _ => None,
                }
            }

            /// Reads an event of any version ever shipped.
            pub fn decode(event_type: &str, schema: u16, bytes: &[u8]) -> Result<Event, CodecError> {
                let kind = event_type.split_once('.').map_or(event_type, |(kind, _)| kind);
                match kind {
                    $( $kind => <$event>::decode(event_type, schema, bytes).map(Event::$variant), )+
                    _ => Err(CodecError::Unknown { event_type: event_type.to_string(), schema }),
                }
            }

            /// Every event type with its current schema version.
            pub fn types() -> Vec<(&'static str, u16)> {
                let mut all = Vec::new();
                $( all.extend_from_slice(<$event>::TYPES); )+
                all
            }
        }

        $( impl Noun for crate::$module::$decider {
            const KIND: &'static str = $kind;
            fn table(tables: &Tables) -> &Table<Self::State> { &tables.$field }
            fn table_mut(tables: &mut Tables) -> &mut Table<Self::State> { &mut tables.$field }
            fn root(event: Self::Event) -> Event { Event::$variant(event) }
        } )+

        $( impl Listed for <crate::$module::$decider as Decider>::State {
            $( const $by_family: bool = true; )?
        } )+

        impl Tables {
            /// Advances one aggregate by one recorded event.
            fn evolve(&mut self, id: &str, version: u64, event: &Event) {
                match event {
                    $( Event::$variant(e) => {
                        let entry = Arc::make_mut(self.$field.entry(id));
                        entry.version = version;
                        <crate::$module::$decider as Decider>::evolve(&mut entry.state, e);
                    } )+
                }
            }

            /// Number of aggregates.
            pub fn len(&self) -> usize {
                0 $( + self.$field.len() )+
            }

            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Kind and id of the first aggregate that is not the same in both.
            pub fn first_difference(&self, other: &Tables) -> Option<(&'static str, Id)> {
                $( if let Some(id) = first_difference(&self.$field, &other.$field) {
                    return Some(($kind, id));
                } )+
                None
            }

            /// Takes over every aggregate that `newer` holds.
            fn absorb(&mut self, newer: Box<Tables>) {
                $( self.$field.absorb(newer.$field); )+
            }

            /// Empty, for what one command stages.
            pub(crate) fn unordered() -> Tables {
                Tables { $( $field: Table::unordered() ),+ }
            }
        }
    };
}

/// The first id, in order, under which the two hold something else or only one holds anything.
fn first_difference<S: PartialEq>(left: &Table<S>, right: &Table<S>) -> Option<Id> {
    let differs = |of: &Table<S>, id: &Id, entry: &Arc<Entry<S>>| of.get(id) != Some(entry);
    let changed = left.iter().find(|(id, e)| differs(right, id, e));
    let missing = right.keys().find(|id| !left.contains_key(id));
    changed
        .map(|(id, _)| id)
        .into_iter()
        .chain(missing)
        .min()
        .cloned()
}

nouns! {
    Entity in entities: entities::LegalEntity, kind "entity", event crate::entities::Event;
    Tax in taxes: taxes::TaxTable, kind "tax", event crate::taxes::Event;
    Catalog in catalogs: catalog::Catalog, kind "catalog", event crate::catalog::Event;
    Account in accounts: accounts::Account, kind "account", event crate::accounts::Event;
    Subscription in subscriptions: subscriptions::Subscription, kind "subscription", event crate::subscriptions::Event;
    Usage in usage: usage::Metered, kind "usage", event crate::usage::Event, BY_FAMILY;
    Batch in batches: mediation::Batch, kind "batch", event crate::mediation::Event;
    CatalogDraft in catalog_drafts: drafts::Draft, kind "catalog-draft", event crate::drafts::Event;
    Discount in discounts: discounts::Discount, kind "discount", event crate::discounts::Event;
    Redemption in redemptions: discounts::Redemptions, kind "redemption", event crate::discounts::redemptions::Event;
    Commitment in commitments: commitments::Commitments, kind "commitment", event crate::commitments::Event;
    Charge in charges: charges::Charges, kind "charge", event crate::charges::Event;
    Wallet in wallets: wallets::Wallet, kind "wallet", event crate::wallets::Event;
    Reservation in reservations: reservations::Reservation, kind "reservation", event crate::reservations::Event;
    Invoice in invoices: invoices::Invoice, kind "invoice", event crate::invoices::Event;
    Invoicing in invoicings: invoicing::Invoicing, kind "invoicing", event crate::invoicing::Event;
    Progress in progresses: invoicing::Progress, kind "progress", event crate::invoicing::progress::Event;
    Share in shares: shares::Shares, kind "share", event crate::shares::Event;
    Series in series: invoices::Series, kind "series", event crate::invoices::series::Event;
    Method in methods: methods::Methods, kind "method", event crate::methods::Event;
    Collection in collections: collections::Collection, kind "collection", event crate::collections::Event;
    Payment in payments: payments::Payment, kind "payment", event crate::payments::Event;
    Receivable in receivables: receivables::Receivables, kind "receivable", event crate::receivables::Event;
    Cash in cash: cash::Desk, kind "cash", event crate::cash::Event;
    DunningPolicy in dunning_policies: dunning::Policy, kind "dunning-policy", event crate::dunning::policy::Event;
    DunningRules in dunning_rules: dunning::Rules, kind "dunning-rules", event crate::dunning::rules::Event;
    Dunning in dunning: dunning::Case, kind "dunning", event crate::dunning::Event;
    Message in messages: messages::Message, kind "message", event crate::messages::Event;
    Run in runs: runs::BillRun, kind "bill-run", event crate::runs::Event;
    Journal in journals: journal::Journal, kind "journal", event crate::journal::Event;
    BankAccount in bank_accounts: bank::BankAccount, kind "bank-account", event crate::bank::account::Event;
    BankStatement in bank_statements: bank::Statement, kind "bank-statement", event crate::bank::statement::Event;
    BankEntry in bank_entries: bank::Entry, kind "bank-entry", event crate::bank::entry::Event;
    Field in fields: fields::Definitions, kind "field", event crate::fields::DefinitionEvent;
    Custom in customs: fields::Held, kind "custom", event crate::fields::Event;
    BankFile in bank_files: bank::BankFile, kind "bank-file", event crate::bank::file::Event;
    Rerating in reratings: reratings::Rerating, kind "rerating", event crate::reratings::Event;
    Contract in contracts: contracts::Contract, kind "contract", event crate::contracts::Event;
    Counter in counters: counters::Counter, kind "counter", event crate::counters::Event;
    Exchange in exchanges: exchange::ExchangeRates, kind "exchange", event crate::exchange::Event;
    Milestone in milestones: milestones::Milestones, kind "milestone", event crate::milestones::Event;
    Advance in advances: advances::Advance, kind "advance", event crate::advances::Event;
}

/// Facts whose meters are fetched together.
const TOGETHER: usize = 32;

/// One tenant: its aggregates, the indexes over them, and what is to be done for them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
    pub tables: Tables,
    pub index: Index,
    pub agenda: Agenda,
    #[serde(skip)]
    pub(crate) berths: Berths,
}

/// Every tenant. Nothing is reachable without naming one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct World {
    tenants: BTreeMap<Id, Tenant>,
}

impl World {
    /// The tenant's state; an unknown tenant is an empty one.
    pub fn tenant(&self, tenant: &str) -> &Tenant {
        static EMPTY: std::sync::OnceLock<Tenant> = std::sync::OnceLock::new();
        self.tenants
            .get(tenant)
            .unwrap_or_else(|| EMPTY.get_or_init(Tenant::default))
    }

    pub fn tenants(&self) -> impl Iterator<Item = &Id> {
        self.tenants.keys()
    }

    /// Puts a tenant's whole state in place, as a snapshot kept it.
    pub fn restore(&mut self, tenant: Id, state: Tenant) {
        self.tenants.insert(tenant, state);
    }

    /// Folds one recorded event.
    pub fn apply(&mut self, recorded: &Recorded<Event>) {
        self.fold(
            &recorded.tenant,
            &recorded.id,
            recorded.version,
            &recorded.event,
        );
    }

    /// Folds one event of a stream, after which the stream has `version`: the replay path.
    pub fn fold(&mut self, tenant: &str, id: &str, version: u64, event: &Event) {
        let tenant = match self.tenants.get_mut(tenant) {
            Some(tenant) => tenant,
            None => self.tenants.entry(tenant.to_string()).or_default(),
        };
        tenant.tables.evolve(id, version, event);
        tenant.expire(event);
        tenant.index.apply(id, version, event);
        tenant
            .agenda
            .apply(&tenant.tables, &tenant.index, id, event);
    }

    /// Takes over what a session staged, once its commit has its place in the log.
    pub fn absorb(&mut self, tenant: &str, staged: Box<Tables>, events: &[crate::session::Staged]) {
        self.tenants
            .entry(tenant.to_string())
            .or_default()
            .absorb(staged, events);
    }
}

impl Tenant {
    /// Takes over what a session staged. On a copy of a tenant: a dry run of several commands.
    pub fn absorb(&mut self, staged: Box<Tables>, events: &[crate::session::Staged]) {
        self.tables.absorb(staged);
        for some in events.chunks(TOGETHER) {
            let newcomers = self.near(some);
            for (staged, newcomer) in some.iter().zip(newcomers) {
                match staged.apart {
                    Some(apart) => self.count(apart, staged, newcomer),
                    None => {
                        self.expire(&staged.event);
                        self.index.apply(&staged.id, staged.version, &staged.event);
                        self.agenda
                            .apply(&self.tables, &self.index, &staged.id, &staged.event);
                    }
                }
            }
        }
    }

    /// Fetches what some facts change whose meters were not staged, each step of the way for all of them before the next one,
    /// so that the waits for memory overlap. The answer is what was found of meters that are still to be made.
    fn near(&self, some: &[Staged]) -> [Newcomer; TOGETHER] {
        let meters = &self.tables.usage;
        let mut newcomers = [Newcomer::default(); TOGETHER];
        let Some(book) = self.berths.open() else {
            return newcomers;
        };
        let touched = book.touch(some.iter().filter_map(|staged| Some(staged.apart?.spot)));
        let rows = some.iter().filter_map(|staged| staged.apart?.row);
        usage::fetch(meters, rows);
        let new = some.iter().zip(&mut newcomers);
        let new = new.filter(|(staged, _)| staged.apart.is_some_and(|apart| apart.row.is_none()));
        let touched = new.fold(touched, |touched, (staged, newcomer)| {
            let (found, near) = meters.announce(&staged.id);
            *newcomer = found;
            touched ^ near as usize
        });
        let put_off = self.agenda.put_off();
        let spots = some.iter().filter_map(|staged| Some(staged.apart?.spot));
        let mut accounts = [""; TOGETHER];
        let mut asked = 0;
        for (account, place) in book.to_bill(spots, put_off).zip(&mut accounts) {
            *place = account;
            asked += 1;
        }
        self.agenda
            .near(accounts.get(..asked).unwrap_or_default(), &[]);
        std::hint::black_box(touched);
        newcomers
    }

    /// Folds a fact whose meter was not staged.
    fn count(&mut self, Apart { row, spot, .. }: Apart, staged: &Staged, newcomer: Newcomer) {
        let counted = self.berths.book().counted(spot);
        let row = row.or_else(|| counted.as_ref().and_then(|c| c.row));
        let row = row.unwrap_or_else(|| self.tables.usage.make(Arc::clone(&staged.id), newcomer));
        if let (Some(entry), Event::Usage(event)) = (self.tables.usage.at_mut(row), &staged.event) {
            let entry = Arc::make_mut(entry);
            entry.version = staged.version;
            Metered::evolve(&mut entry.state, event);
        }
        let period = match &staged.event {
            Event::Usage(usage::Event::Rated(fact)) => fact.meter.period,
            _ => None,
        };
        // Without a period, whatever there is to say is said by the agenda itself.
        let settled = period.is_none_or(|period| self.agenda.has_settled(period.until));
        let put_off = self.agenda.put_off();
        let book = self.berths.book();
        match book.counted_on(spot, row, put_off, settled) {
            berths::Agenda::Told => {}
            berths::Agenda::BillBy(account, day) => self.agenda.bill_by(account, day),
            berths::Agenda::Ask => {
                let (id, event) = (&staged.id, &staged.event);
                self.agenda.apply(&self.tables, &self.index, id, event);
            }
        }
    }

    /// Ends what berths were read from, with every fact but those of usage.
    fn expire(&mut self, event: &Event) {
        if !matches!(event, Event::Usage(_) | Event::Batch(_)) {
            self.berths.book().expire();
        }
    }
}
