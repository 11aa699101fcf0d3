//! Rerating: the past rated again, tried, done and undone; and what-if, which writes nothing.

use std::sync::Arc;

use async_graphql::connection::{CursorType, OpaqueCursor};
use async_graphql::{Context, Enum, ID, InputObject, Json, Object, Result, SimpleObject};
use indelible_domain::catalog;
use indelible_domain::catalog::File;
use indelible_domain::drafts::Draft;
use indelible_domain::kernel::Rejection;
use indelible_domain::mediation::Key;
use indelible_domain::mediation::formats::Reading;
use indelible_domain::operations::reratings::what_if;
use indelible_domain::reratings::{self as domain, Amend, Ask, Change, Which};
use indelible_domain::session::Session;
use indelible_domain::world::{Entry, Event};

use super::books::Books;
use super::desk::{self, Receipt};
use super::invoices::Invoice;
use super::page;
use super::scalars::{Date, Decimal, Money};
use super::usage::{AttributeInput, IngestUsageInput};
use super::{errors, ids};
use crate::auth::Scope;

/// Events of one stream that are read to answer.
const EVENTS: usize = 10_000;

/// One rerating. Each step is a commit of its own, so it goes on after a crash where it stood.
pub struct Rerating {
    key: String,
    state: Arc<Entry<domain::Rerating>>,
}

impl Rerating {
    fn find(ctx: &Context<'_>, key: &str) -> Result<Option<Rerating>> {
        let state = Books::of(ctx)?.find::<domain::Rerating>(key);
        Ok(state.map(|state| Rerating {
            key: key.to_owned(),
            state,
        }))
    }
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::Stage")]
pub enum ReratingStage {
    Absent,
    /// Subscriptions are rated again, then payers settled.
    Running,
    Done,
    /// What was done is being taken back.
    Undoing,
    Undone,
}

#[Object]
impl Rerating {
    async fn id(&self) -> ID {
        ids::node("rerating", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    async fn stage(&self) -> ReratingStage {
        self.state.state.stage.into()
    }

    /// Steps that are left; ask again with the same key, and it goes on.
    async fn left(&self) -> u64 {
        self.state.state.left()
    }

    /// Records that were looked at.
    async fn records(&self) -> u64 {
        self.state.state.records
    }

    /// What periods came to and come to now, at most 10,000 facts of them; those of undoing follow.
    async fn differences(&self, ctx: &Context<'_>) -> Result<Vec<RatingDifference>> {
        let books = Books::of(ctx)?;
        let facts = books
            .stream_events("rerating", &self.key, 0, EVENTS)
            .await?;
        Ok(facts
            .iter()
            .flat_map(|fact| differences(&fact.event))
            .collect())
    }

    /// Documents that settled the difference to what was invoiced.
    async fn documents(&self, ctx: &Context<'_>) -> Result<Vec<Invoice>> {
        let documents = self.state.state.documents.iter();
        let found = documents.map(|(_, id)| Invoice::now(ctx, id));
        Ok(found
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect())
    }

    /// Subscriptions that could not be rated again, and why; nothing of them changed.
    async fn refused(&self) -> Vec<RatingRefusal> {
        let failed = self.state.state.failed.iter();
        failed.map(RatingRefusal::of).collect()
    }
}

/// What one period of a charge came to, and comes to now.
#[derive(SimpleObject)]
pub struct RatingDifference {
    subscription: ID,
    charge: String,
    from: Date,
    /// Exclusive.
    until: Date,
    text: String,
    quantity_before: String,
    quantity_after: String,
    /// Before discounts and tax.
    before: Money,
    after: Money,
    amount: Money,
    /// The first document that billed it: a note settles it. None: it is open, and its invoice shows it.
    billed_on: Option<ID>,
    /// The new arithmetic in words.
    explain: String,
}

impl RatingDifference {
    fn of(subscription: &str, line: &domain::Difference) -> RatingDifference {
        RatingDifference {
            subscription: ids::node("subscription", subscription),
            charge: line.charge.clone(),
            from: Date(line.days.from),
            until: Date(line.days.until),
            text: line.text.clone(),
            quantity_before: line.quantity_before.clone(),
            quantity_after: line.quantity_after.clone(),
            before: Money(line.before),
            after: Money(line.after),
            amount: Money(line.amount()),
            billed_on: line.billed_on.as_ref().map(|id| ids::node("invoice", id)),
            explain: line.explain.clone(),
        }
    }
}

fn differences(event: &Event) -> Vec<RatingDifference> {
    let (subscription, lines) = match event {
        Event::Rerating(domain::Event::Rerated(e)) => (&e.done.subscription, &e.differences),
        Event::Rerating(domain::Event::Restored(e)) => (&e.subscription, &e.differences),
        _ => return vec![],
    };
    let lines = lines.iter();
    lines
        .map(|line| RatingDifference::of(subscription, line))
        .collect()
}

/// Why a subscription was not rated again.
#[derive(SimpleObject)]
pub struct RatingRefusal {
    subscription: ID,
    code: String,
    reason: String,
}

impl RatingRefusal {
    fn of(failed: &domain::Failed) -> RatingRefusal {
        RatingRefusal {
            subscription: ids::node("subscription", &failed.subscription),
            code: failed.reason.code.clone(),
            reason: failed.reason.message.clone(),
        }
    }
}

/// Names a record as its source did.
#[derive(InputObject)]
pub struct RatedRecordInput {
    source: String,
    key: String,
}

impl RatedRecordInput {
    fn key(&self, books: &Books) -> Key {
        let reading = Reading {
            key: self.key.clone(),
            corrects: false,
            metric: String::new(),
            access: String::new(),
            at_micros: 0,
            quantity: Default::default(),
            unit: String::new(),
            amount: None,
            attributes: Default::default(),
        };
        let hash = |bytes: &[u8]| books.keyed_hash(bytes);
        indelible_domain::mediation::record_from(&reading, &self.source, hash).key
    }
}

/// Records that never should have counted: by name, or within the scope by their attributes.
#[derive(InputObject)]
pub struct VoidUsageInput {
    #[graphql(default)]
    records: Vec<RatedRecordInput>,
    /// Must be equal, where no records are named.
    #[graphql(default)]
    attributes: Vec<AttributeInput>,
}

/// What a record is to say; what is left out stays.
#[derive(InputObject)]
pub struct CorrectUsageInput {
    record: RatedRecordInput,
    quantity: Option<Decimal>,
    /// The amount of money it carries.
    amount: Option<Decimal>,
    /// Replaces all of them.
    attributes: Option<Vec<AttributeInput>>,
}

/// Another price of a charge on the days of the scope.
#[derive(InputObject)]
pub struct PastPriceInput {
    charge: String,
    /// The price model, as in the catalog file, such as `{ per_unit: "0.045" }`.
    price: Json<serde_json::Value>,
}

/// Another version of an offer on the days of the scope.
#[derive(InputObject)]
pub struct PastVersionInput {
    offer: String,
    version: u32,
}

/// How the difference to what was invoiced is settled.
#[derive(Clone, Copy, Enum, PartialEq, Eq, Default)]
#[graphql(remote = "domain::Settle")]
pub enum ReratingSettle {
    /// At once: a credit note below zero, above it an invoice over the difference.
    #[default]
    Note,
    /// With the account's next invoice, as an adjustment.
    NextInvoice,
}

/// Give at most one of `void`, `correct`, `add`, `price` and `version`; none: rate again what became known since.
#[derive(InputObject)]
pub struct RerateInput {
    /// Chosen by you. The same id again goes on where it stopped, or does nothing.
    id: ID,
    #[graphql(default)]
    accounts: Vec<ID>,
    #[graphql(default)]
    subscriptions: Vec<ID>,
    /// Codes of usage charges; none: all.
    #[graphql(default)]
    charges: Vec<String>,
    from: Date,
    /// Exclusive. Periods that meet these days are counted anew as a whole.
    until: Date,
    reason: String,
    #[graphql(default)]
    settle: ReratingSettle,
    void: Option<VoidUsageInput>,
    #[graphql(default)]
    correct: Vec<CorrectUsageInput>,
    add: Option<IngestUsageInput>,
    price: Option<PastPriceInput>,
    version: Option<PastVersionInput>,
}

impl RerateInput {
    fn into_domain(self, books: &Books) -> Result<desk::RerateAsk> {
        let attributes =
            |of: Vec<AttributeInput>| of.into_iter().map(|a| (a.name, a.value)).collect();
        let mut changes = Vec::new();
        let mut add = None;
        if let Some(void) = self.void {
            changes.push(Change::Void(Which {
                keys: void.records.iter().map(|r| r.key(books)).collect(),
                attributes: attributes(void.attributes),
            }));
        }
        if !self.correct.is_empty() {
            let amends = self.correct.into_iter().map(|c| Amend {
                key: c.record.key(books),
                quantity: c.quantity.map(|d| d.0),
                amount: c.amount.map(|d| d.0),
                attributes: c.attributes.map(attributes),
            });
            changes.push(Change::Correct(amends.collect()));
        }
        if let Some(input) = self.add {
            let mut intakes = super::usage::intakes(books, input)?.into_iter();
            let (Some(intake), None) = (intakes.next(), intakes.next()) else {
                let sentence = "a rerating adds the records of one batch: split it";
                return Err(errors::refused("BATCH_TOO_LARGE", sentence));
            };
            changes.push(Change::Add {
                batch: intake.batch.clone(),
            });
            add = Some(Box::new(intake));
        }
        if let Some(past) = self.price {
            let price = serde_json::from_value(past.price.0);
            changes.push(Change::Price {
                charge: past.charge,
                price: price.map_err(|e| errors::refused("PRICE_UNREADABLE", e.to_string()))?,
            });
        }
        if let Some(past) = self.version {
            changes.push(Change::Version {
                offer: past.offer,
                version: past.version,
            });
        }
        if changes.len() > 1 {
            let sentence =
                "a rerating changes one thing: give one of void, correct, add, price and version";
            return Err(errors::refused("RERATING_AMBIGUOUS", sentence));
        }
        let key = |kind: &'static str| move |id: &ID| ids::key(kind, id);
        let ask = Ask {
            accounts: self.accounts.iter().map(key("account")).collect(),
            subscriptions: self.subscriptions.iter().map(key("subscription")).collect(),
            charges: self.charges,
            from: self.from.0,
            until: self.until.0,
            change: changes.pop().unwrap_or(Change::Again),
            reason: self.reason,
            settle: self.settle.into(),
        };
        Ok(desk::RerateAsk {
            rerating: ids::key("rerating", &self.id),
            ask,
            add,
        })
    }
}

#[derive(SimpleObject)]
pub struct ReratingPayload {
    /// None for a dry run.
    rerating: Option<Rerating>,
    /// What differs, line by line.
    differences: Vec<RatingDifference>,
    /// What settles it; of a dry run without numbers kept, and with drafts as they would be.
    documents: Vec<Invoice>,
    refused: Vec<RatingRefusal>,
    receipt: Receipt,
}

/// What one account paid, and would have paid, before discounts and tax.
#[derive(SimpleObject)]
pub struct WhatIfAccount {
    account: ID,
    before: Money,
    after: Money,
    lines: Vec<RatingDifference>,
    /// Subscriptions that cannot be rated under the catalog; they count with what they pay now.
    refused: Vec<RatingRefusal>,
}

/// Revenue in one currency.
#[derive(SimpleObject)]
pub struct WhatIfTotal {
    before: Money,
    after: Money,
    difference: Money,
}

/// What a catalog that is not published would have brought: a page of accounts.
#[derive(SimpleObject)]
pub struct WhatIf {
    /// Of the accounts of this page, by currency. Pages add up to the whole.
    totals: Vec<WhatIfTotal>,
    accounts: Vec<WhatIfAccount>,
    /// Whether there are accounts that this page did not look at.
    has_next_page: bool,
    /// Where the next page begins, for `after`.
    end_cursor: Option<String>,
}

#[derive(Default)]
pub struct ReratingQueries;

#[Object]
impl ReratingQueries {
    async fn rerating(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Rerating>> {
        Rerating::find(ctx, &ids::key("rerating", &id))
    }

    /// Prices a draft of the catalog, or a catalog file, against what accounts really had and used from a day until
    /// another. No accounts: all. Nothing is written. A page ends with some 2,000 subscriptions or 200,000 records, never
    /// between accounts that one payer pays for, which share counters; `after` is the `endCursor` of the page before.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the arguments of the field"
    )]
    async fn what_if(
        &self,
        ctx: &Context<'_>,
        draft: Option<ID>,
        toml: Option<String>,
        #[graphql(default)] accounts: Vec<ID>,
        from: Date,
        until: Date,
        after: Option<String>,
    ) -> Result<WhatIf> {
        let page = what_if::Page {
            after: page::asked(None, after)?.after,
            ..what_if::Page::default()
        };
        let books = Books::of(ctx)?;
        let file = file(&books, draft, toml)?;
        let accounts = accounts.iter().map(|id| ids::key("account", id)).collect();
        // A copy shares its contents with the live state, and nobody waits while we look at it.
        let tenant = books.live(Clone::clone);
        let (past, now) = (books.past(), books.now());
        let priced = books
            .blocking(move |_| {
                let mut session = Session::new(&tenant, now).with(&past);
                let days = (from.0, until.0);
                let priced = what_if::price(&mut session, file, accounts, days, page);
                let failed = past.failure();
                let failed = failed.map(|f| Rejection::new(f.code(), f.to_string()));
                Ok(failed.map_or(priced, Err))
            })
            .await?;
        let what_if::Answer { customers, next } = priced.map_err(errors::rejected)?;
        let mut totals: Vec<WhatIfTotal> = Vec::new();
        for customer in &customers {
            let currency = customer.before.currency;
            let (before, after) = (customer.before, customer.after);
            match totals.iter_mut().find(|t| t.before.0.currency == currency) {
                Some(total) => {
                    total.before = Money(total.before.0.plus(before));
                    total.after = Money(total.after.0.plus(after));
                    total.difference = Money(total.after.0.minus(total.before.0));
                }
                None => totals.push(WhatIfTotal {
                    before: Money(before),
                    after: Money(after),
                    difference: Money(after.minus(before)),
                }),
            }
        }
        let accounts = customers.into_iter().map(|customer| WhatIfAccount {
            account: ids::node("account", &customer.account),
            before: Money(customer.before),
            after: Money(customer.after),
            lines: customer
                .lines
                .iter()
                .map(|(id, line)| RatingDifference::of(id, line))
                .collect(),
            refused: customer
                .refused
                .iter()
                .map(|(id, reason)| RatingRefusal {
                    subscription: ids::node("subscription", id),
                    code: reason.code.clone(),
                    reason: reason.message.clone(),
                })
                .collect(),
        });
        Ok(WhatIf {
            accounts: accounts.collect(),
            totals,
            has_next_page: next.is_some(),
            end_cursor: next.map(|payer| OpaqueCursor(payer).encode_cursor()),
        })
    }
}

fn file(books: &Books, draft: Option<ID>, toml: Option<String>) -> Result<File> {
    match (draft, toml) {
        (Some(id), None) => {
            let key = ids::key("catalog-draft", &id);
            let draft = books.find::<Draft>(&key);
            let draft = draft.ok_or_else(|| errors::unknown("catalog draft", &key))?;
            Ok(draft.state.file())
        }
        (None, Some(toml)) => catalog::read(&toml).map_err(errors::rejected),
        _ => Err(errors::refused(
            "CATALOG_AMBIGUOUS",
            "give either a `draft` or a catalog file as `toml`",
        )),
    }
}

#[derive(Default)]
pub struct ReratingMutations;

#[Object]
impl ReratingMutations {
    /// Rates usage of the past again: void, correct or add records, change a price or version for past days, or rate what
    /// became known since. What was invoiced is settled by a note over the exact difference. With `dryRun` nothing is
    /// written and no key is used up.
    async fn rerate_usage(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: RerateInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<ReratingPayload> {
        let ask = input.into_domain(&Books::of(ctx)?)?;
        let key = ask.rerating.clone();
        if dry_run {
            let tried = desk::try_rerating(ctx, Scope::Operate, ask).await?;
            let facts = tried.staged().iter();
            let differences = facts.flat_map(|s| differences(&s.event)).collect();
            let documents = tried.made::<indelible_domain::invoices::Invoice>();
            let made = tried.made::<domain::Rerating>();
            let failed = made.iter().flat_map(|(_, r)| &r.state.failed);
            let refused = failed.map(RatingRefusal::of).collect();
            return Ok(ReratingPayload {
                rerating: None,
                differences,
                documents: documents
                    .into_iter()
                    .map(|(key, state)| Invoice::tried(key, state, tried.receipt.cut()))
                    .collect(),
                refused,
                receipt: tried.receipt,
            });
        }
        let receipt = desk::rerate(ctx, Scope::Operate, &idempotency_key, ask).await?;
        payload(ctx, &key, receipt).await
    }

    /// Takes everything back that a rerating did, by new facts: terms, amounts and documents.
    async fn undo_rerating(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        reason: String,
    ) -> Result<ReratingPayload> {
        let key = ids::key("rerating", &id);
        let receipt =
            desk::undo_rerating(ctx, Scope::Operate, &idempotency_key, &key, reason).await?;
        payload(ctx, &key, receipt).await
    }
}

async fn payload(ctx: &Context<'_>, key: &str, receipt: Receipt) -> Result<ReratingPayload> {
    let rerating = Rerating::find(ctx, key)?;
    let (mut differences, mut documents, mut refused) = (vec![], vec![], vec![]);
    if let Some(rerating) = &rerating {
        differences = rerating.differences(ctx).await?;
        documents = rerating.documents(ctx).await?;
        let failed = &rerating.state.state.failed;
        refused = failed.iter().map(RatingRefusal::of).collect();
    }
    Ok(ReratingPayload {
        rerating,
        differences,
        documents,
        refused,
        receipt,
    })
}
