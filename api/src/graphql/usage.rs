//! Usage: batches as they were received, and what each record cost.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::connection::Connection;
use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::{Command, Outcome, UsageCounts as DomainCounts};
use indelible_domain::kernel;
use indelible_domain::mediation::formats::{Format, Reading};
use indelible_domain::mediation::{
    self, Intake, Key, LINES_MAX, Received, UsageRecord, record_from,
};
use indelible_domain::usage::{self as domain, Payer, RatedRecord};
use indelible_domain::world::{Entry, Event};

use super::books::Books;
use super::desk::{self, Receipt, UsageCounts};
use super::page::{self, Cursor};
use super::scalars::{Decimal, Instant};
use super::{errors, ids};
use crate::auth::Scope;
use crate::ingest;

/// Decimals of an exact amount (policy 1).
const EXACT_PLACES: u32 = 12;
/// Events of one stream that are read to answer a page.
const EVENTS: usize = 10_000;

/// One batch of usage as it was received, and what became of its records.
pub struct Batch {
    key: String,
    state: Arc<Entry<mediation::Batch>>,
}

impl Batch {
    pub fn find(ctx: &Context<'_>, key: &str) -> Result<Option<Batch>> {
        let state = Books::of(ctx)?.find::<mediation::Batch>(key);
        Ok(state.map(|state| Batch {
            key: key.to_owned(),
            state,
        }))
    }
}

#[Object(name = "UsageBatch")]
impl Batch {
    pub async fn id(&self) -> ID {
        ids::node("batch", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    /// Who sent it.
    async fn source(&self) -> &str {
        &self.state.state.source
    }

    async fn format(&self) -> &str {
        &self.state.state.format
    }

    /// File name or caller.
    async fn name(&self) -> &str {
        &self.state.state.name
    }

    /// What came of its records, as it is now.
    async fn counts(&self) -> UsageCounts {
        self.state.state.counts.into()
    }

    /// Records that were not rated at once, with their reasons, in the order of their lines.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn problems(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Problem>> {
        let asked = page::asked(first, after)?;
        let events = Books::of(ctx)?
            .stream_events("batch", &self.key, 0, EVENTS)
            .await?;
        let mut rows = Vec::new();
        for event in &events {
            match &event.event {
                Event::Batch(mediation::Event::Received(e)) => rows.extend(problems(&e.listed)),
                Event::Batch(mediation::Event::Continued(e)) => rows.extend(problems(&e.listed)),
                _ => {}
            }
        }
        let rows = rows.into_iter().enumerate();
        let rows = rows.map(|(n, problem)| (format!("{:012}.{n:06}", problem.line), problem));
        Ok(page::sorted(&asked, rows.collect()))
    }
}

/// A record that was not rated at once.
#[derive(SimpleObject)]
#[graphql(name = "UsageProblem")]
pub struct Problem {
    /// Line of the source, counted from 1.
    line: u64,
    outcome: ProblemKind,
    code: String,
    reason: String,
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(
    name = "UsageProblemKind",
    remote = "indelible_projections::usage::completeness::Fate"
)]
pub enum ProblemKind {
    /// Nothing could be read from the line.
    Unreadable,
    /// The same record was accepted before.
    Duplicate,
    /// The same key was accepted before with other content.
    Conflict,
    /// Waited for a subscription when it came.
    Pending,
    /// Cannot be rated; nothing of it stays.
    Rejected,
    /// A later line of the same batch corrects it.
    Superseded,
}

fn problems(listed: &mediation::Listed) -> Vec<Problem> {
    let problem = |line: u64, outcome, code: &str, reason: String| Problem {
        line,
        outcome,
        code: code.to_owned(),
        reason,
    };
    let mut found = Vec::new();
    for u in &listed.unreadable {
        found.push(problem(
            u.line,
            ProblemKind::Unreadable,
            &u.code,
            u.reason.clone(),
        ));
    }
    for line in &listed.duplicates {
        let reason = "the same record was accepted before".to_owned();
        found.push(problem(*line, ProblemKind::Duplicate, "DUPLICATE", reason));
    }
    for c in &listed.conflicts {
        let reason = format!(
            "batch {} brought a record of the same key with other content",
            c.batch
        );
        found.push(problem(c.line, ProblemKind::Conflict, "CONFLICT", reason));
    }
    for h in &listed.pending {
        found.push(problem(
            h.record.line,
            ProblemKind::Pending,
            &h.reason.code,
            h.reason.message.clone(),
        ));
    }
    for r in &listed.rejected {
        found.push(problem(
            r.record.line,
            ProblemKind::Rejected,
            &r.reason.code,
            r.reason.message.clone(),
        ));
    }
    for s in &listed.superseded {
        let reason = format!("line {} of the same batch corrects it", s.by);
        found.push(problem(
            s.line,
            ProblemKind::Superseded,
            "SUPERSEDED",
            reason,
        ));
    }
    found
}

/// What one usage record costs.
pub struct Charge {
    batch: String,
    source: String,
    basis: domain::Basis,
    record: RatedRecord,
    unit: String,
    currency: kernel::Currency,
    /// By stream of a counter's period: what it took, or below zero gave back.
    drawn: Vec<(String, kernel::Exact)>,
}

impl Charge {
    /// Charges of one usage charge in one period, as they stand after every correction, in the order of the usage.
    pub async fn of_period(
        ctx: &Context<'_>,
        subscription: &str,
        charge: &str,
        from: kernel::Date,
    ) -> Result<Vec<(String, Charge)>> {
        let books = Books::of(ctx)?;
        let sold = books.find::<indelible_domain::subscriptions::Subscription>(subscription);
        let mut terms = sold.iter().flat_map(|sold| &sold.state.terms);
        let offer = terms.rfind(|term| term.offer.usage.iter().any(|usage| usage.code == charge));
        let unit =
            offer.and_then(|term| term.offer.usage.iter().find(|usage| usage.code == charge));
        let unit = unit.map(|usage| usage.unit.clone()).unwrap_or_default();
        let currency = offer.map(|term| term.offer.currency).unwrap_or_default();
        let stream = domain::id(subscription, charge, from);
        let events = books.stream_events("usage", &stream, 0, EVENTS).await?;
        let mut charges: BTreeMap<Key, Charge> = BTreeMap::new();
        for event in events {
            let make =
                |batch: &str, source: &str, basis: &domain::Basis, record: RatedRecord| Charge {
                    batch: batch.to_owned(),
                    source: source.to_owned(),
                    basis: basis.clone(),
                    record,
                    unit: unit.clone(),
                    currency,
                    drawn: Vec::new(),
                };
            match event.event {
                Event::Usage(domain::Event::Rated(e)) => {
                    let of = &e.provenance;
                    for record in e.records {
                        charges.insert(record.key, make(&of.batch, &of.source, &of.basis, record));
                    }
                }
                Event::Usage(domain::Event::Corrected(e)) => {
                    for correction in e.corrections {
                        charges.remove(&correction.key);
                        if let Some(record) = correction.now {
                            charges.insert(record.key, make(&e.batch, &e.source, &e.basis, record));
                        }
                    }
                }
                // It follows the facts of its records in their commit.
                Event::Usage(domain::Event::Drawn(e)) => {
                    for drawing in e.records {
                        if let Some(charge) = charges.get_mut(&drawing.key) {
                            charge.drawn = drawing.moved;
                        }
                    }
                }
                Event::Usage(domain::Event::Recounted(e)) => {
                    for change in e.changes {
                        charges.remove(&change.key);
                        if let Some(record) = change.now {
                            let charge = make(&change.batch, &change.source, &e.basis, record);
                            charges.insert(change.key, charge);
                        }
                    }
                }
                _ => {}
            }
        }
        // Times before 1970 sort after the others; nobody bills them.
        let key = |charge: &Charge| {
            format!(
                "{:020}.{}.{:012}",
                charge.record.at.0, charge.batch, charge.record.line
            )
        };
        Ok(charges
            .into_values()
            .map(|charge| (key(&charge), charge))
            .collect())
    }
}

#[Object(name = "UsageCharge")]
impl Charge {
    /// What the record adds to its period, exact, with at most 12 decimals.
    async fn exact(&self) -> String {
        self.record.amount.to_decimal(EXACT_PLACES)
    }

    /// Units of the price, exact, with at most 12 decimals.
    async fn units(&self) -> String {
        self.record.units.to_decimal(EXACT_PLACES)
    }

    /// True: burnt from wallets when it was rated. False: on the invoice.
    async fn prepaid(&self) -> bool {
        matches!(self.record.payer, Payer::Wallet(_))
    }

    /// Code of the offer that priced it.
    async fn offer(&self) -> &str {
        &self.basis.offer
    }

    /// Version of the offer as sold.
    async fn offer_version(&self) -> u32 {
        self.basis.version
    }

    /// Version of the rating rules.
    async fn engine(&self) -> &str {
        &self.basis.engine
    }

    /// Version of the time-zone rules.
    async fn tzdb(&self) -> &str {
        &self.basis.tzdb
    }

    async fn record(&self) -> Record<'_> {
        Record { charge: self }
    }

    /// What it took from counters when it was rated last, or below zero gave back to them.
    async fn draws(&self) -> Vec<UsageDraw> {
        let draw = |(counter, amount): &(String, kernel::Exact)| UsageDraw {
            counter: counter.clone(),
            amount: amount.to_decimal(EXACT_PLACES),
        };
        self.drawn.iter().map(draw).collect()
    }

    /// The arithmetic in words.
    async fn explain(&self) -> String {
        let RatedRecord {
            quantity,
            units,
            amount,
            payer,
            ..
        } = &self.record;
        let from = |parts: &[domain::Part]| {
            let parts = parts.iter().map(|part| {
                let amount = part.amount.to_decimal(EXACT_PLACES);
                format!("{amount} {} of wallet {}", self.currency, part.wallet)
            });
            parts.collect::<Vec<_>>().join(" and ")
        };
        let paid = match payer {
            Payer::Invoice => "on the invoice".to_owned(),
            Payer::Wallet(parts) => format!("paid from {}", from(parts)),
            Payer::Split { parts, rest } if parts.is_empty() => format!(
                "{} {} of it on the invoice",
                rest.to_decimal(EXACT_PLACES),
                self.currency
            ),
            Payer::Split { parts, rest } => format!(
                "paid from {}, and {} {} on the invoice",
                from(parts),
                rest.to_decimal(EXACT_PLACES),
                self.currency
            ),
        };
        let mut drawn = String::new();
        for (counter, part) in &self.drawn {
            let part = part.to_decimal(EXACT_PLACES);
            drawn.push_str(&format!("; counter {counter} covers {part}"));
        }
        format!(
            "a quantity of {quantity} is {} {}{drawn}; after the records before it, it adds {} {} under offer {} version {}, {paid}",
            units.to_decimal(EXACT_PLACES),
            self.unit,
            amount.to_decimal(EXACT_PLACES),
            self.currency,
            self.basis.offer,
            self.basis.version,
        )
    }
}

/// What a record took from a period of a counter.
#[derive(SimpleObject)]
pub struct UsageDraw {
    /// Stream of the counter's period.
    counter: String,
    /// In its unit or currency, exact, with at most 12 decimals; below zero: given back.
    amount: String,
}

/// A usage record as it was accepted.
pub struct Record<'a> {
    charge: &'a Charge,
}

#[Object(name = "UsageRecord")]
impl Record<'_> {
    async fn at(&self) -> Instant {
        Instant(self.charge.record.at)
    }

    /// As the source gave it.
    async fn quantity(&self) -> Decimal {
        Decimal(self.charge.record.quantity)
    }

    /// The amount of money the record itself carried.
    async fn amount(&self) -> Option<Decimal> {
        self.charge.record.amount_carried.map(Decimal)
    }

    async fn attributes(&self) -> Vec<Attribute> {
        let attributes = self.charge.record.attributes.iter();
        attributes
            .map(|(name, value)| Attribute {
                name: name.clone(),
                value: value.clone(),
            })
            .collect()
    }

    /// Who sent it.
    async fn source(&self) -> &str {
        &self.charge.source
    }

    /// Line of the source, counted from 1.
    async fn line(&self) -> u64 {
        self.charge.record.line
    }

    async fn batch(&self, ctx: &Context<'_>) -> Result<Option<Batch>> {
        Batch::find(ctx, &self.charge.batch)
    }

    /// The line as it was received; none if its personal data was erased.
    async fn raw(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        match &self.charge.record.raw {
            Some(raw) => Books::of(ctx)?.unseal_text(raw),
            None => Ok(None),
        }
    }
}

/// What a price may depend on.
#[derive(SimpleObject)]
pub struct Attribute {
    name: String,
    value: String,
}

#[derive(InputObject)]
pub struct AttributeInput {
    pub name: String,
    pub value: String,
}

/// The formats of usage files.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "Format")]
pub enum UsageFormat {
    /// Voice calls: `record_id;msisdn;start;seconds`.
    Calls,
    /// A cloud bill in FOCUS 1.0, as CSV.
    Focus,
    /// Any usage as lines of JSON: `{"key": …, "metric": …, "access": …, "at": …, "quantity": …}`.
    Ndjson,
    /// Interval meter data in NEM12.
    Nem12,
    /// Any usage as CSV: `key,metric,access,at,quantity[,unit][,amount][,attribute…]`.
    Records,
}

#[derive(InputObject)]
pub struct UsageRecordInput {
    /// Identifies the record within its source.
    key: String,
    metric: String,
    /// What finds the subscription: a number, meter or resource, or `subscription:<id>`.
    access: String,
    at: Instant,
    quantity: Decimal,
    #[graphql(default)]
    unit: String,
    /// The amount of money the record carries, for prices that depend on it.
    amount: Option<Decimal>,
    #[graphql(default)]
    attributes: Vec<AttributeInput>,
}

/// Give either `file` with `format`, or `records`.
#[derive(InputObject)]
pub struct IngestUsageInput {
    /// Id of the batch, chosen by you. A file of more than 10,000 records becomes further batches `-2`, `-3` and so on.
    batch: ID,
    /// Who sends it: a record is known by source and key.
    source: String,
    /// File name or caller, kept for lineage.
    #[graphql(default)]
    name: String,
    format: Option<UsageFormat>,
    /// The text of a file.
    file: Option<String>,
    #[graphql(default)]
    records: Vec<UsageRecordInput>,
}

#[derive(SimpleObject)]
#[graphql(complex)]
pub struct UsagePayload {
    #[graphql(skip)]
    keys: Vec<String>,
    /// Sum over the batches.
    counts: UsageCounts,
    receipt: Receipt,
}

#[ComplexObject]
impl UsagePayload {
    // Looked up for who asks: the counts are in the answer of the command.
    async fn batches(&self, ctx: &Context<'_>) -> Result<Vec<Batch>> {
        let found = self.keys.iter().map(|batch| Batch::find(ctx, batch));
        found.filter_map(Result::transpose).collect()
    }
}

#[derive(Default)]
pub struct UsageQueries;

#[Object]
impl UsageQueries {
    async fn usage_batch(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Batch>> {
        Batch::find(ctx, &ids::key("batch", &id))
    }

    /// Batches in the order of their keys.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn usage_batches(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Batch>> {
        let asked = page::asked(first, after)?;
        let rows = Books::of(ctx)?.page::<mediation::Batch>(&asked);
        Ok(page::page(
            &asked,
            rows.into_iter()
                .map(|(key, state)| (key.clone(), Batch { key, state })),
        ))
    }
}

#[derive(Default)]
pub struct UsageMutations;

#[Object]
impl UsageMutations {
    /// Takes in usage and rates it. Nothing disappears: every record is accepted, a duplicate, a conflict or
    /// unreadable, and the counts say so. The same batch sent again changes nothing.
    async fn ingest_usage(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: IngestUsageInput,
    ) -> Result<UsagePayload> {
        let books = Books::of(ctx)?;
        let intakes = intakes(&books, input)?;
        let commands = intakes
            .into_iter()
            .map(|intake| Command::IngestUsage(Box::new(intake)))
            .collect();
        let receipt = desk::hand_in_all(ctx, Scope::Operate, &idempotency_key, commands).await?;
        let counts = receipt.outcome().usage.unwrap_or_default().into();
        let touched = receipt.outcome().touched.iter();
        let batches = touched.filter(|(kind, _)| kind == "batch");
        let keys = batches.map(|(_, batch)| batch.clone()).collect();
        Ok(UsagePayload {
            keys,
            counts,
            receipt,
        })
    }
}

pub(super) fn intakes(books: &Books, input: IngestUsageInput) -> Result<Vec<Intake>> {
    let batch = ids::key("batch", &input.batch);
    let (tenant, source, name) = (books.tenant(), input.source.as_str(), input.name.as_str());
    match (input.format, input.file) {
        (Some(format), Some(file)) if input.records.is_empty() => {
            let origin = ingest::Origin {
                tenant,
                source,
                format: format.into(),
                name,
                batch: &batch,
            };
            ingest::intakes(&books.office().keyring, &origin, file.as_bytes()).map_err(|error| {
                match &error {
                    ingest::IngestError::Unreadable { .. } => {
                        errors::refused(error.code(), error.to_string())
                    }
                    ingest::IngestError::Seal(_) => {
                        errors::broken(error.code(), "usage could not be sealed", &error)
                    }
                }
            })
        }
        (None, None) if !input.records.is_empty() => {
            if input.records.len() > LINES_MAX {
                let sentence = format!(
                    "{} records were sent, a batch may have {LINES_MAX}",
                    input.records.len()
                );
                return Err(errors::refused("BATCH_TOO_LARGE", sentence));
            }
            let lines = input
                .records
                .iter()
                .zip(1..)
                .map(|(record, line)| received(books, source, record, line));
            Ok(vec![Intake {
                batch,
                source: source.to_owned(),
                format: "api".to_owned(),
                name: name.to_owned(),
                lines: lines.collect::<Result<_>>()?,
            }])
        }
        _ => Err(errors::refused(
            "USAGE_AMBIGUOUS",
            "give either a `file` with its `format`, or `records`",
        )),
    }
}

fn received(books: &Books, source: &str, input: &UsageRecordInput, line: u64) -> Result<Received> {
    let reading = Reading {
        key: input.key.clone(),
        corrects: false,
        metric: input.metric.clone(),
        access: input.access.clone(),
        at_micros: input.at.0.0,
        quantity: input.quantity.0.get(),
        unit: input.unit.clone(),
        amount: input.amount.map(|amount| amount.0.get()),
        attributes: input
            .attributes
            .iter()
            .map(|a| (a.name.clone(), a.value.clone()))
            .collect(),
    };
    let record = record_from(&reading, source, |bytes| books.keyed_hash(bytes));
    let raw = serde_json::json!({
        "key": input.key,
        "metric": input.metric,
        "access": input.access,
        "at": input.at.0.to_string(),
        "quantity": input.quantity.0.to_string(),
        "unit": input.unit,
        "amount": input.amount.map(|amount| amount.0.to_string()),
        "attributes": reading.attributes,
    });
    let raw = books.seal_usage(&record.access, &raw.to_string())?;
    Ok(Received::Record(UsageRecord {
        line,
        raw: Some(Box::new(raw)),
        ..record
    }))
}

/// Sums the counts of several batches.
pub fn add(mut sum: Outcome, next: Outcome) -> Outcome {
    sum.touched.extend(next.touched);
    sum.usage = match (sum.usage, next.usage) {
        (Some(a), Some(b)) => Some(DomainCounts {
            received: a.received + b.received,
            accepted: a.accepted + b.accepted,
            duplicates: a.duplicates + b.duplicates,
            conflicts: a.conflicts + b.conflicts,
            unreadable: a.unreadable + b.unreadable,
            rated: a.rated + b.rated,
            pending: a.pending + b.pending,
            rejected: a.rejected + b.rejected,
            superseded: a.superseded + b.superseded,
        }),
        (a, b) => a.or(b),
    };
    sum
}
