//! What a resolver may read: the books of the caller's tenant, and of nobody else.
//!
//! Every read goes through [`Books`], which takes its tenant from authentication. No method takes a tenant.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, InputObject, Result};
use indelible_domain::Recorded;
use indelible_domain::accounts::{Buyer, Contact, folio};
use indelible_domain::index::Index;
use indelible_domain::kernel::{self, Decider, Personal, Purpose};
use indelible_domain::world::{Entry, Event, Noun, Tables, Tenant, World};
use indelible_domain::{catalog, taxes};
use indelible_projections::{Snapshot, ViewError};
use indelible_store::{KeyringError, Sealed, StoreError, TenantPast};
use serde::de::DeserializeOwned;

use super::errors;
use super::page::Asked;
use super::position::Tokens;
use super::scalars::{Date, Instant, Position};
use crate::auth::Caller;
use crate::forget;
use crate::office::Office;

/// Stream id of things a tenant has one of.
const MAIN: &str = "main";
/// Rows looked at while commands wait.
const AT_ONCE: usize = 10_000;
/// How long a query waits for the position it must see.
const PATIENCE: Duration = Duration::from_secs(10);

/// A past to look at. Both parts may be left out. What is reached from a thing that was asked for so is of the same past.
#[derive(Clone, Copy, InputObject)]
pub struct AsOf {
    /// Only what the log held at this moment.
    known: Option<Instant>,
    /// The business date inside what was known; facts that carry no date of their own count from the day they were
    /// recorded. None: the day of `known`, or today.
    effective: Option<Date>,
}

/// The cut through the log that an `asOf` means, or what a dry run would leave. What is reached from a thing is seen at the
/// same cut.
#[derive(Clone, Debug, Default)]
pub struct Cut {
    /// Last position that was known; none: all of them.
    pub known: Option<u64>,
    pub effective: Option<kernel::Date>,
    /// The moment that `known` was asked for by.
    moment: Option<kernel::Instant>,
    /// What a dry run made or changed: looked for here before the log is asked.
    tried: Option<Arc<Tables>>,
}

impl Cut {
    /// Everything known, today.
    pub fn now() -> Cut {
        Cut::default()
    }

    /// Everything known, today, and what a dry run would leave of it.
    pub fn tried(made: Arc<Tables>) -> Cut {
        Cut {
            tried: Some(made),
            ..Cut::default()
        }
    }

    /// Whether it is less than everything known, today.
    pub fn is_past(&self) -> bool {
        self.known.is_some() || self.effective.is_some() || self.moment.is_some()
    }

    /// The moment that is looked at, where one was asked for and no day.
    pub fn moment(&self) -> Option<kernel::Instant> {
        self.moment.filter(|_| self.effective.is_none())
    }

    /// The day that is looked at, where the zone is; none: today.
    pub fn day(&self, zone: &kernel::Zone) -> Option<kernel::Date> {
        self.effective
            .or_else(|| self.moment.map(|moment| zone.date(moment)))
    }
}

/// The books of one caller's tenant.
#[derive(Clone)]
pub struct Books {
    office: Arc<Office>,
    caller: Arc<Caller>,
}

impl Books {
    /// The books the caller may read.
    pub fn of(ctx: &Context<'_>) -> Result<Books> {
        let office = Arc::clone(ctx.data::<Arc<Office>>()?);
        Ok(Books {
            office,
            caller: Arc::clone(ctx.data::<Arc<Caller>>()?),
        })
    }

    pub fn office(&self) -> &Arc<Office> {
        &self.office
    }

    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    pub fn tenant(&self) -> &str {
        &self.caller.tenant
    }

    pub fn now(&self) -> kernel::Instant {
        self.office.clock.now()
    }

    /// Reads the tenant's live state. What it rests on is on disk when this answers, so `read` may wait for a sync;
    /// it must be short, because commands wait for it.
    pub fn live<T>(&self, read: impl FnOnce(&Tenant) -> T) -> T {
        let ledger = &self.office.ledger;
        // To leave the thread to others costs more than nearly every look.
        match ledger.read_now(self.tenant(), read) {
            Ok(answer) => answer,
            Err(read) => waiting(|| ledger.read(self.tenant(), read)),
        }
    }

    /// What the log knows of the tenant's usage, for a session of ours.
    pub fn past(&self) -> TenantPast {
        waiting(|| self.office.ledger.past(self.tenant()))
    }

    /// A thing as it is now; none if it has no facts.
    pub fn find<N: Noun>(&self, key: &str) -> Option<Arc<Entry<N::State>>> {
        self.live(|tenant| N::table(&tenant.tables).get(key).cloned())
    }

    /// A thing as it is now, or as a dry run would leave it: no other cut is looked at.
    pub fn find_tried<N: Noun>(&self, key: &str, cut: &Cut) -> Option<Arc<Entry<N::State>>> {
        let tried = cut.tried.as_ref();
        let tried = tried.and_then(|made| N::table(made).get(key).cloned());
        tried.or_else(|| self.find::<N>(key))
    }

    /// A thing as it was at the cut, folded from its own stream. `zone` tells the business date of facts that carry
    /// none of their own: the day they were recorded. None: the effective date cuts no facts off.
    pub async fn find_at<N>(
        &self,
        key: &str,
        cut: &Cut,
        zone: Option<kernel::Zone>,
    ) -> Result<Option<Arc<Entry<N::State>>>>
    where
        N: Noun,
        N::State: Send + Sync + 'static,
    {
        let found = self.all_at::<N>(vec![key.to_owned()], cut, zone).await?;
        Ok(found.into_iter().next().map(|(_, state)| state))
    }

    /// Those of some things that there were at the cut, as [`find_at`](Books::find_at) finds one.
    pub async fn all_at<N>(
        &self,
        keys: Vec<String>,
        cut: &Cut,
        zone: Option<kernel::Zone>,
    ) -> Result<Vec<(String, Arc<Entry<N::State>>)>>
    where
        N: Noun,
        N::State: Send + Sync + 'static,
    {
        let until = cut.effective.zip(zone);
        if cut.known.is_none() && until.is_none() {
            return Ok(self.live(|tenant| {
                let table = N::table(&tenant.tables);
                let tried = cut.tried.as_ref().map(|made| N::table(made));
                let found = keys.into_iter().filter_map(|key| {
                    let tried = tried.and_then(|table| table.get(&key));
                    let state = tried.or_else(|| table.get(&key)).cloned()?;
                    Some((key, state))
                });
                found.collect()
            }));
        }
        let (tenant, known) = (self.tenant().to_owned(), cut.known);
        self.blocking(move |office| {
            let mut past = World::default();
            for key in &keys {
                for event in office.ledger.stream(&tenant, N::KIND, key, known)? {
                    let day = until
                        .as_ref()
                        .map(|(until, zone)| (zone.date(event.meta.recorded_at), *until));
                    if day.is_none_or(|(on, until)| on <= until) {
                        past.apply(&event);
                    }
                }
            }
            let table = N::table(&past.tenant(&tenant).tables);
            let found = keys.into_iter().filter_map(|key| {
                let state = table.get(&key).cloned()?;
                Some((key, state))
            });
            Ok(found.collect())
        })
        .await
    }

    /// The facts of one stream that there were at the cut, in order, as [`all_at`](Books::all_at) counts them.
    pub async fn facts_at(
        &self,
        (kind, key): (&'static str, &str),
        cut: &Cut,
        zone: kernel::Zone,
    ) -> Result<Vec<Recorded<Event>>> {
        let (tenant, key, cut) = (self.tenant().to_owned(), key.to_owned(), cut.clone());
        self.blocking(move |office| {
            let mut facts = office.ledger.stream(&tenant, kind, &key, cut.known)?;
            let on = |fact: &Recorded<Event>| zone.date(fact.meta.recorded_at);
            facts.retain(|fact| cut.effective.is_none_or(|until| on(fact) <= until));
            Ok(facts)
        })
        .await
    }

    /// The zone of an account, as it is now.
    pub fn zone(&self, account: &str) -> kernel::Zone {
        let account = folio::owner(account);
        let account = self.find::<indelible_domain::accounts::Account>(account);
        account
            .map(|account| account.state.terms.zone.clone())
            .unwrap_or_default()
    }

    /// The zone that dates the documents of an account: that of its legal entity.
    pub fn document_zone_of(&self, account: &str) -> Option<kernel::Zone> {
        let account = self.find::<indelible_domain::accounts::Account>(account)?;
        let entity = &account.state.terms.entity;
        let entity = self.find::<indelible_domain::entities::LegalEntity>(entity)?;
        Some(entity.state.terms.zone.clone())
    }

    /// The zone that dates a document: that of its legal entity.
    pub fn document_zone(&self, invoice: &str) -> Option<kernel::Zone> {
        let entity = self
            .find::<indelible_domain::invoices::Invoice>(invoice)?
            .state
            .document
            .entity
            .clone();
        Some(
            self.find::<indelible_domain::entities::LegalEntity>(&entity)?
                .state
                .terms
                .zone
                .clone(),
        )
    }

    /// Today in the zone of an account.
    pub fn today(&self, account: &str) -> kernel::Date {
        self.zone(account).date(self.now())
    }

    /// One page of things in the order of their keys, and one more to tell whether there is a next page.
    pub fn page<N: Noun>(&self, asked: &Asked) -> Vec<(String, Arc<Entry<N::State>>)> {
        use std::ops::Bound;
        let from = asked
            .after
            .clone()
            .map_or(Bound::Unbounded, Bound::Excluded);
        self.live(|tenant| {
            let rows = N::table(&tenant.tables)
                .range((from, Bound::Unbounded))
                .take(asked.first + 1);
            rows.map(|(key, entry)| (key.clone(), Arc::clone(entry)))
                .collect()
        })
    }

    /// The same of things that fit, among those whose keys begin with `prefix`. Commands wait for parts of it only.
    pub fn page_of<N: Noun>(
        &self,
        asked: &Asked,
        prefix: &str,
        fits: impl Fn(&N::State) -> bool,
    ) -> Vec<(String, Arc<Entry<N::State>>)> {
        use std::ops::Bound;
        let mut found = Vec::new();
        let mut from = match &asked.after {
            Some(after) if after.as_str() >= prefix => Bound::Excluded(after.clone()),
            _ => Bound::Included(prefix.to_owned()),
        };
        loop {
            let looked_at = self.live(|tenant| {
                let rows = N::table(&tenant.tables).range((from.clone(), Bound::Unbounded));
                let rows = rows.take_while(|(key, _)| key.starts_with(prefix));
                let mut last = None;
                for (n, (key, entry)) in rows.enumerate() {
                    if fits(&entry.state) {
                        found.push((key.clone(), Arc::clone(entry)));
                    }
                    if n + 1 == AT_ONCE || found.len() > asked.first {
                        last = Some(key.clone());
                        break;
                    }
                }
                last
            });
            match looked_at {
                Some(last) if found.len() <= asked.first => from = Bound::Excluded(last),
                _ => return found,
            }
        }
    }

    /// Reads the look-ups over the tenant's things.
    pub fn index<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        self.live(|tenant| read(&tenant.index))
    }

    pub fn catalog(&self) -> Option<Arc<Entry<<catalog::Catalog as Decider>::State>>> {
        self.find::<catalog::Catalog>(MAIN)
    }

    pub fn tax_table(&self) -> Option<Arc<Entry<<taxes::TaxTable as Decider>::State>>> {
        self.find::<taxes::TaxTable>(MAIN)
    }

    /// Turns what was asked into a cut: the last position recorded at or before the moment.
    pub async fn cut(&self, as_of: Option<AsOf>) -> Result<Cut> {
        let Some(AsOf { known, effective }) = as_of else {
            return Ok(Cut::now());
        };
        let effective = effective.map(|date| date.0);
        let known = match known {
            None => None,
            Some(moment) => {
                let find = move |office: &Office| office.ledger.position_at(moment.0);
                Some(self.blocking(find).await?)
            }
        };
        Ok(Cut {
            known,
            effective,
            moment: as_of.and_then(|as_of| as_of.known).map(|moment| moment.0),
            tried: None,
        })
    }

    /// Events of the tenant after a position, at most `max`.
    pub async fn events(&self, after: u64, max: usize) -> Result<Vec<Recorded<Event>>> {
        let tenant = self.tenant().to_owned();
        self.blocking(move |office| office.ledger.events(&tenant, after, max))
            .await
    }

    /// Events of one stream of the tenant after a position, at most `max`.
    pub async fn stream_events(
        &self,
        kind: &str,
        key: &str,
        after: u64,
        max: usize,
    ) -> Result<Vec<Recorded<Event>>> {
        let (tenant, kind, key) = (self.tenant().to_owned(), kind.to_owned(), key.to_owned());
        self.blocking(move |office| {
            let events = office.ledger.stream(&tenant, &kind, &key, None)?;
            Ok(events
                .into_iter()
                .filter(|event| event.position > after)
                .take(max)
                .collect())
        })
        .await
    }

    /// Reads the tenant's rows of the read models, all at one position. With `min_position` they are waited for, so
    /// that a client sees what it just did.
    pub async fn views<T: Send + 'static>(
        &self,
        min_position: Option<Position>,
        read: impl FnOnce(&Snapshot<'_>) -> std::result::Result<T, ViewError> + Send + 'static,
    ) -> Result<T> {
        let at_least = min_position
            .map(|token| self.position(&token))
            .transpose()?;
        let (office, tenant) = (Arc::clone(&self.office), self.tenant().to_owned());
        let read = move || {
            if let Some(position) = at_least {
                office.views.wait_for(position, PATIENCE)?;
            }
            read(&office.views.of(&tenant))
        };
        let found = tokio::task::spawn_blocking(read).await.map_err(|error| {
            errors::broken("INTERNAL", "the read models could not be read", &error)
        })?;
        found.map_err(|error| match &error {
            ViewError::Behind { .. } => errors::refused(error.code(), error.to_string()),
            _ => errors::broken(error.code(), "the read models could not be read", &error),
        })
    }

    /// Seals a contact of an account, and the buyer of its documents with it.
    pub fn seal_contact(
        &self,
        account: &str,
        contact: &Contact,
    ) -> Result<(Personal<Contact>, Personal<Buyer>)> {
        forget::seal_contact(&self.office.keyring, self.tenant(), account, contact).map_err(
            |error| errors::broken(error.code(), "personal data could not be sealed", &error),
        )
    }

    /// Seals a text of a subject as it is.
    pub fn seal_text(
        &self,
        subject: &str,
        purpose: Purpose,
        text: &str,
    ) -> Result<Personal<String>> {
        let keyring = &self.office.keyring;
        sealed(keyring.seal(self.tenant(), subject, purpose, text.as_bytes()))
    }

    /// Seals a line of usage. Its key may not be on disk yet: whoever takes the command that it comes with waits for it.
    pub fn seal_usage(&self, access: &str, text: &str) -> Result<Personal<String>> {
        let (keyring, purpose) = (&self.office.keyring, Purpose::UsageRaw);
        sealed(keyring.seal_ahead(self.tenant(), access, purpose, text.as_bytes()))
    }

    /// Opens a sealed text; none if its key was destroyed.
    pub fn unseal_text(&self, sealed: &Personal<String>) -> Result<Option<String>> {
        Ok(self
            .opened(sealed)?
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn opened<T>(&self, sealed: &Personal<T>) -> Result<Option<Vec<u8>>> {
        let opened = self.office.keyring.unseal(&forget::stored(sealed));
        opened.map_err(|error| {
            errors::broken(error.code(), "personal data could not be opened", &error)
        })
    }

    /// The tenant's keyed hash.
    pub fn keyed_hash(&self, bytes: &[u8]) -> [u8; 32] {
        self.office.keyring.lookup_hash(self.tenant(), bytes)
    }

    /// Opens personal data; none if its key was destroyed.
    pub fn unseal<T: DeserializeOwned>(&self, sealed: &Personal<T>) -> Result<Option<T>> {
        forget::open(&self.office.keyring, sealed).map_err(|error| {
            errors::broken(error.code(), "personal data could not be opened", &error)
        })
    }

    /// The keyed hash by which a number, meter or resource is found in usage records.
    pub fn lookup(&self, access: &str) -> String {
        crate::ingest::access(&self.office.keyring, self.tenant(), access)
    }

    /// Tokens of the tenant's positions.
    pub fn tokens(&self) -> Tokens {
        Tokens::new(
            self.office
                .keyring
                .lookup_hash(self.tenant(), b"indelible position token"),
        )
    }

    /// The position of a token a client handed back.
    pub fn position(&self, token: &Position) -> Result<u64> {
        self.tokens().position(token).ok_or_else(|| {
            errors::refused(
                "POSITION_INVALID",
                format!("`{}` is no position of this log", token.0),
            )
        })
    }

    /// Runs something that waits for the disk, away from the threads that answer requests.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Office) -> std::result::Result<T, StoreError> + Send + 'static,
    ) -> Result<T> {
        let office = Arc::clone(&self.office);
        tokio::task::spawn_blocking(move || work(&office))
            .await
            .map_err(|error| errors::broken("INTERNAL", "the work was not finished", &error))?
            .map_err(|error| errors::broken(error.code(), "the log could not be read", &error))
    }
}

/// Waits for the disk without holding up the other requests of this thread.
fn waiting<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

fn sealed(sealed: std::result::Result<Sealed, KeyringError>) -> Result<Personal<String>> {
    let Sealed {
        key_id,
        nonce,
        ciphertext,
    } = sealed.map_err(|error| {
        errors::broken(error.code(), "personal data could not be sealed", &error)
    })?;
    Ok(Personal::sealed(key_id, nonce, ciphertext))
}
