//! Exchange rates, and how charges in another currency come onto documents.

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::{Command, InvoicingPlace, RateOfDay};
use indelible_domain::exchange as domain;
use indelible_domain::invoices;
use indelible_domain::invoicing::{self, Invoicing};
use indelible_domain::kernel::{self, Exact};

use super::books::{Books, Cut};
use super::desk::{self, Receipt};
use super::invoicing::{place, stream_of};
use super::page::{self, Cursor};
use super::scalars::{Date, Decimal, Money};
use super::{errors, ids};
use crate::auth::Scope;

/// Decimals of a rate that follows from the other direction.
const RATE_PLACES: u32 = 12;

/// What a line was before it was converted, and by which rate.
#[derive(SimpleObject)]
pub struct ConvertedFrom {
    /// Before discounts, in the currency that it is sold in.
    from: Money,
    /// Units of the document's currency for one unit of that currency, with at most 12 decimals.
    rate: String,
    /// The day whose rate it is.
    on: Date,
    /// Who told the rate.
    source: String,
}

impl ConvertedFrom {
    pub fn of(converted: &invoices::Converted) -> ConvertedFrom {
        ConvertedFrom {
            from: Money(converted.from),
            rate: shown(converted.rate),
            on: Date(converted.on),
            source: converted.source.clone(),
        }
    }
}

pub(super) fn shown(rate: Exact) -> String {
    rate.to_decimal(RATE_PLACES)
}

/// The day whose exchange rate counts.
#[derive(Clone, Copy, Enum, PartialEq, Eq, Default)]
#[graphql(remote = "invoicing::RateDay")]
pub enum ExchangeRateDay {
    /// Everything due on or before this day is on the document.
    #[default]
    Document,
    /// The first day that the line is about.
    Service,
}

/// How charges in another currency come onto documents.
#[derive(SimpleObject)]
pub struct ExchangeTerms {
    day: ExchangeRateDay,
    /// Days for which a rate holds when no newer one is told.
    max_age_days: u32,
}

#[derive(InputObject)]
pub struct ExchangeTermsInput {
    #[graphql(default)]
    day: ExchangeRateDay,
    /// Days for which a rate holds when no newer one is told; 0: only on its own day.
    #[graphql(default = 7)]
    max_age_days: u32,
}

/// What one unit of a currency is worth in another on a day.
#[derive(InputObject)]
pub struct ExchangeRateInput {
    /// ISO 4217 code.
    from: String,
    /// ISO 4217 code.
    to: String,
    on: Date,
    /// Units of `to` for one of `from`.
    rate: Decimal,
    /// Who tells it, for example `ecb`.
    source: String,
}

/// A rate that was told.
#[derive(SimpleObject)]
pub struct ExchangeRate {
    on: Date,
    /// Units of the second currency for one of the first.
    rate: Decimal,
    source: String,
}

/// The setting after it was changed.
#[derive(SimpleObject)]
pub struct ExchangePayload {
    /// What is said there now; none: nothing.
    exchange: Option<ExchangeTerms>,
    receipt: Receipt,
}

fn currency(code: &str) -> Result<kernel::Currency> {
    code.parse().map_err(errors::rejected)
}

fn said(books: &Books, place: &InvoicingPlace, cut: &Cut) -> Option<ExchangeTerms> {
    let known = books.find_tried::<Invoicing>(&stream_of(place), cut)?;
    let exchange = known.state.exchange?;
    Some(ExchangeTerms {
        day: exchange.day.into(),
        max_age_days: exchange.max_age_days,
    })
}

#[derive(Default)]
pub struct ExchangeQueries;

#[Object]
impl ExchangeQueries {
    /// How charges in another currency come onto documents, as a legal entity or an account itself says; none: nothing is said.
    async fn exchange(
        &self,
        ctx: &Context<'_>,
        entity: Option<ID>,
        account: Option<ID>,
    ) -> Result<Option<ExchangeTerms>> {
        Ok(said(
            &Books::of(ctx)?,
            &place(entity, account)?,
            &Cut::now(),
        ))
    }

    /// Rates of a pair of currencies by day; `entity` none: those told for all entities.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn exchange_rates(
        &self,
        ctx: &Context<'_>,
        from: String,
        to: String,
        entity: Option<ID>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, ExchangeRate>> {
        let asked = page::asked(first, after)?;
        let entity = entity.map(|entity| ids::key("entity", &entity));
        let pair = domain::id(entity.as_deref(), currency(&from)?, currency(&to)?);
        let known = Books::of(ctx)?.find::<domain::ExchangeRates>(&pair);
        let told = known.iter().flat_map(|known| &known.state.told);
        let rows = told.map(|(on, told)| {
            let rate = ExchangeRate {
                on: Date(*on),
                rate: Decimal(told.rate),
                source: told.source.clone(),
            };
            (on.to_string(), rate)
        });
        Ok(page::sorted(&asked, rows.collect()))
    }
}

#[derive(Default)]
pub struct ExchangeMutations;

#[Object]
impl ExchangeMutations {
    /// Says how charges in another currency come onto the documents of a legal entity's accounts, or of one account; without
    /// `terms` nothing is said there any more. Where nothing is said, nothing is sold in another currency.
    async fn set_exchange(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        entity: Option<ID>,
        account: Option<ID>,
        terms: Option<ExchangeTermsInput>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<ExchangePayload> {
        let place = place(entity, account)?;
        let exchange = terms.map(|terms| invoicing::Exchange {
            day: terms.day.into(),
            max_age_days: terms.max_age_days,
        });
        let command = Command::SetExchange {
            place: place.clone(),
            exchange,
        };
        let receipt =
            desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await?;
        Ok(ExchangePayload {
            exchange: said(&Books::of(ctx)?, &place, &receipt.cut()),
            receipt,
        })
    }

    /// Tells what currencies are worth on days, at most 1000 at once; without `entity` for all of them. A rate told again for a
    /// day is a correction: documents that are final keep the one they were made with.
    async fn tell_exchange_rates(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        entity: Option<ID>,
        rates: Vec<ExchangeRateInput>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<Receipt> {
        let of_day = |rate: ExchangeRateInput| -> Result<RateOfDay> {
            Ok(RateOfDay {
                from: currency(&rate.from)?,
                to: currency(&rate.to)?,
                on: rate.on.0,
                rate: rate.rate.0,
                source: rate.source,
            })
        };
        let command = Command::TellRates {
            entity: entity.map(|entity| ids::key("entity", &entity)),
            rates: rates.into_iter().map(of_day).collect::<Result<_>>()?,
        };
        desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await
    }

    /// Takes the rate of a day out of the table.
    #[allow(clippy::too_many_arguments)]
    async fn withdraw_exchange_rate(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        entity: Option<ID>,
        from: String,
        to: String,
        on: Date,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<Receipt> {
        let command = Command::WithdrawRate {
            entity: entity.map(|entity| ids::key("entity", &entity)),
            from: currency(&from)?,
            to: currency(&to)?,
            on: on.0,
            reason,
        };
        desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await
    }
}
