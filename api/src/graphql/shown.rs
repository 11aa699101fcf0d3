//! How lines are put together on documents, and what goes onto a document of its own.

use std::collections::BTreeMap;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::charges::What;
use indelible_domain::command::{Command, InvoicingPlace};
use indelible_domain::invoices::{self as documents, shown as domain};
use indelible_domain::invoicing::Invoicing;
use indelible_domain::kernel;
use indelible_domain::mediation::Key;
use indelible_domain::usage::{self, RatedRecord};
use indelible_domain::world::Event;

use super::books::{Books, Cut};
use super::desk::{self, Receipt};
use super::explained::{self, LineFigure};
use super::invoicing::{place, stream_of};
use super::scalars::{Date, Decimal, Money};
use super::{errors, ids};
use crate::auth::Scope;

/// Decimals of an exact price (policy 1).
const EXACT_PLACES: u32 = 12;
/// Events of one stream that are read to put a line together.
const EVENTS: usize = 10_000;

/// The days that usage is put together by.
#[derive(Clone, Copy, Enum, PartialEq, Eq, Default)]
#[graphql(remote = "domain::UsageDate")]
pub enum ShownUsageDate {
    /// The whole period at once.
    #[default]
    Whole,
    Day,
    /// From Monday.
    Week,
    Month,
}

/// How lines are put together for whoever reads a document.
#[derive(SimpleObject)]
pub struct ShownTerms {
    usage_date: ShownUsageDate,
    /// Usage of different unit prices is shown apart.
    unit_price: bool,
    /// Lines of the same charge, tax and rate are shown as one, of whichever subscription.
    service: bool,
    /// A charge that counts by groups is shown by them, and not by days and unit prices.
    group: bool,
}

impl ShownTerms {
    pub fn of(shown: documents::Shown) -> ShownTerms {
        ShownTerms {
            usage_date: shown.usage_date.into(),
            unit_price: shown.unit_price,
            service: shown.service,
            group: shown.group,
        }
    }
}

#[derive(InputObject)]
pub struct ShownTermsInput {
    #[graphql(default)]
    usage_date: ShownUsageDate,
    #[graphql(default)]
    unit_price: bool,
    #[graphql(default)]
    service: bool,
    #[graphql(default)]
    group: bool,
}

/// What a document shows as one: parts of its lines.
#[derive(SimpleObject)]
pub struct ShownLine {
    text: String,
    /// First day that it is about.
    from: Option<Date>,
    /// Day after the last one.
    until: Option<Date>,
    /// None where quantities of several lines do not sum.
    quantity: Option<String>,
    /// Before discounts, in the currency of the sale, with at most 12 decimals; where lines are shown by it.
    unit_price: Option<String>,
    /// Of usage that is shown by its groups: what its records have in common.
    group: Vec<ShownGroup>,
    /// What the group came to, step by step, before what bounds the whole line, discounts and conversion.
    figures: Vec<LineFigure>,
    tax_name: String,
    tax_rate: Decimal,
    net: Money,
    /// The lines beneath.
    parts: Vec<ShownPart>,
}

/// An attribute of records and the value that they have.
#[derive(SimpleObject)]
pub struct ShownGroup {
    name: String,
    /// Empty: they do not have it.
    value: String,
}

/// A part of a line.
#[derive(SimpleObject)]
pub struct ShownPart {
    /// Number of the line.
    line: u32,
    net: Money,
}

impl ShownLine {
    fn of(together: domain::Together, beneath: &BTreeMap<u32, domain::Beneath>) -> ShownLine {
        let lines = together.parts.iter().filter_map(|(no, _)| beneath.get(no));
        let groups = lines
            .filter_map(|beneath| beneath.groups.as_ref())
            .flatten();
        let own = groups.filter(|g| !g.values.is_empty() && g.values == together.group);
        let figures = own.flat_map(|g| g.figures.iter().map(|f| LineFigure::of(f, &g.unit)));
        let figures = figures.collect();
        let part = |(line, net): (u32, kernel::Money)| ShownPart {
            line,
            net: Money(net),
        };
        ShownLine {
            text: together.text,
            from: together.days.map(|days| Date(days.from)),
            until: together.days.map(|days| Date(days.until)),
            quantity: together.quantity,
            unit_price: together.unit_price.map(|p| p.to_decimal(EXACT_PLACES)),
            group: together
                .group
                .into_iter()
                .map(|(name, value)| ShownGroup { name, value })
                .collect(),
            figures,
            tax_name: together.tax.name,
            tax_rate: Decimal(together.tax.rate),
            net: Money(together.net),
            parts: together.parts.into_iter().map(part).collect(),
        }
    }
}

/// The lines of a document as they are to be shown, from the records as they stood when it was finalised.
pub async fn lines(
    ctx: &Context<'_>,
    key: &str,
    document: &documents::Document,
) -> Result<Vec<ShownLine>> {
    let mut beneath: BTreeMap<u32, domain::Beneath> = BTreeMap::new();
    let how = document.shown;
    let by_records = how.unit_price || how.usage_date != domain::UsageDate::Whole;
    if by_records || how.group {
        let books = Books::of(ctx)?;
        let facts = books.stream_events("invoice", key, 0, EVENTS).await?;
        let is_final =
            |event: &Event| matches!(event, Event::Invoice(documents::Event::Finalised(_)));
        let finalised = facts.iter().find(|fact| is_final(&fact.event));
        let before = finalised.map_or(u64::MAX, |fact| fact.position);
        for line in &document.lines {
            let groups = match how.group {
                true => explained::groups(&books, key, document, line).await?,
                false => None,
            };
            let records = match by_records && groups.is_none() {
                true => used(&books, line, before).await?,
                false => vec![],
            };
            beneath.insert(line.no, domain::Beneath { records, groups });
        }
    }
    let found = domain::together(document, |line| {
        beneath.get(&line.no).cloned().unwrap_or_default()
    });
    let found = found.map_err(errors::rejected)?;
    let shown = found.into_iter();
    Ok(shown.map(|line| ShownLine::of(line, &beneath)).collect())
}

/// The records beneath a line of usage, as facts before a position left them.
async fn used(books: &Books, line: &documents::Line, before: u64) -> Result<Vec<domain::Used>> {
    let (Some(subscription), What::Usage { charge, days }) = (&line.subscription, &line.what)
    else {
        return Ok(vec![]);
    };
    let stream = usage::id(subscription, charge, days.from);
    let zone = books.zone(&line.account);
    let facts = books.stream_events("usage", &stream, 0, EVENTS).await?;
    let facts = facts.iter().filter(|fact| fact.position < before);
    Ok(records(&zone, facts.map(|fact| &fact.event)))
}

/// The records of a meter, as its facts left them.
pub(crate) fn records<'f>(
    zone: &kernel::Zone,
    facts: impl Iterator<Item = &'f Event>,
) -> Vec<domain::Used> {
    let record = |record: &RatedRecord| domain::Used {
        on: zone.date(record.at),
        quantity: record.quantity,
        units: record.units,
        amount: record.amount,
    };
    let mut known: BTreeMap<Key, domain::Used> = BTreeMap::new();
    for fact in facts {
        match fact {
            Event::Usage(usage::Event::Rated(e)) => {
                known.extend(e.records.iter().map(|r| (r.key, record(r))));
            }
            Event::Usage(usage::Event::Corrected(e)) => {
                for correction in &e.corrections {
                    known.remove(&correction.key);
                    known.extend(correction.now.iter().map(|r| (r.key, record(r))));
                }
            }
            _ => {}
        }
    }
    known.into_values().collect()
}

/// The setting after it was changed.
#[derive(SimpleObject)]
pub struct ShownPayload {
    /// What is said there now; none: nothing.
    shown: Option<ShownTerms>,
    receipt: Receipt,
}

fn said(books: &Books, place: &InvoicingPlace, cut: &Cut) -> Option<ShownTerms> {
    let known = books.find_tried::<Invoicing>(&stream_of(place), cut)?;
    known.state.shown.map(ShownTerms::of)
}

#[derive(Default)]
pub struct ShownQueries;

#[Object]
impl ShownQueries {
    /// How lines are put together on documents, as a legal entity or an account itself says; none: nothing is said.
    async fn shown(
        &self,
        ctx: &Context<'_>,
        entity: Option<ID>,
        account: Option<ID>,
    ) -> Result<Option<ShownTerms>> {
        Ok(said(
            &Books::of(ctx)?,
            &place(entity, account)?,
            &Cut::now(),
        ))
    }
}

#[derive(Default)]
pub struct ShownMutations;

#[Object]
impl ShownMutations {
    /// Says how lines are put together on the documents of a legal entity's accounts, or of one account; without `terms`
    /// nothing is said there any more. What is billed stays the same.
    async fn set_shown(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        entity: Option<ID>,
        account: Option<ID>,
        terms: Option<ShownTermsInput>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<ShownPayload> {
        let place = place(entity, account)?;
        let shown = terms.map(|terms| documents::Shown {
            usage_date: terms.usage_date.into(),
            unit_price: terms.unit_price,
            service: terms.service,
            group: terms.group,
        });
        let command = Command::SetShown {
            place: place.clone(),
            shown,
        };
        let receipt =
            desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await?;
        Ok(ShownPayload {
            shown: said(&Books::of(ctx)?, &place, &receipt.cut()),
            receipt,
        })
    }

    /// Says which order a subscription is of, for documents that are split by orders; without `order` it is of none.
    async fn order_subscription(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        subscription: ID,
        order: Option<String>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<Receipt> {
        let command = Command::OrderSubscription {
            subscription: ids::key("subscription", &subscription),
            order,
        };
        desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await
    }

    /// Says which payment method of who pays a subscription is paid by, for documents that are split by methods; without
    /// `method` by the preferred one.
    async fn pay_subscription_by(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        subscription: ID,
        method: Option<String>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<Receipt> {
        let command = Command::PaySubscriptionBy {
            subscription: ids::key("subscription", &subscription),
            method,
        };
        desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await
    }
}
