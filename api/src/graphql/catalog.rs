//! What is sold, and the tax it bears.

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, InputObject, Json, Object, Result, SimpleObject};
use indelible_domain::catalog as domain;
use indelible_domain::command::Command;
use indelible_domain::fields::Carrier;
use indelible_domain::taxes;

use super::books::Books;
use super::custom_fields::{self, CustomFieldValue};
use super::desk::{self, Receipt};
use super::errors;
use super::page::{self, Cursor};
use super::scalars::{Date, Decimal};
use crate::auth::Scope;

/// One version of an offer. A subscription keeps the version it was sold.
pub struct Offer {
    offer: domain::Sold,
}

impl Offer {
    pub fn new(offer: domain::Sold) -> Offer {
        Offer { offer }
    }
}

#[Object]
impl Offer {
    async fn code(&self) -> &str {
        &self.offer.code
    }

    async fn name(&self) -> &str {
        &self.offer.name
    }

    /// The product line it belongs to now; none: to none.
    async fn product_line(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let catalog = Books::of(ctx)?.catalog();
        let line = catalog.map(|c| c.state.product_line(&self.offer.code).to_owned());
        Ok(line.filter(|line| !line.is_empty()))
    }

    /// What its custom fields say on a day, today if none is given; defaults included.
    async fn custom_fields(
        &self,
        ctx: &Context<'_>,
        on: Option<Date>,
    ) -> Result<Vec<CustomFieldValue>> {
        custom_fields::values(ctx, Carrier::Offer, &self.offer.code, on)
    }

    /// Counted from 1; given when the offer is published.
    async fn version(&self) -> u32 {
        self.offer.version
    }

    /// ISO 4217 code.
    async fn currency(&self) -> &str {
        self.offer.currency.code()
    }

    /// Recurring charges begin on the day after the trial, such as `30 days`.
    async fn trial(&self) -> Option<String> {
        self.offer.trial.map(|span| span.to_string())
    }

    async fn charges(&self) -> Vec<OfferCharge> {
        let one_off = self.offer.one_off.iter().map(|charge| OfferCharge {
            kind: ChargeKind::OneOff,
            code: charge.code.clone(),
            name: charge.name.clone(),
            every: None,
            tax_class: charge.tax_class.clone(),
            price: None,
            amount: Some(Decimal(charge.amount)),
        });
        let recurring = self.offer.recurring.iter().map(|charge| OfferCharge {
            kind: ChargeKind::Recurring,
            code: charge.code.clone(),
            name: charge.name.clone(),
            every: Some(charge.every.to_string()),
            tax_class: charge.tax_class.clone(),
            price: price(&charge.price),
            amount: None,
        });
        let usage = self.offer.usage.iter().map(|charge| OfferCharge {
            kind: ChargeKind::Usage,
            code: charge.code.clone(),
            name: charge.name.clone(),
            every: Some(charge.every.to_string()),
            tax_class: charge.tax_class.clone(),
            price: price(&charge.price),
            amount: None,
        });
        one_off.chain(recurring).chain(usage).collect()
    }
}

fn price(price: &domain::Price) -> Option<Json<serde_json::Value>> {
    serde_json::to_value(price).ok().map(Json)
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub enum ChargeKind {
    OneOff,
    Recurring,
    Usage,
}

/// One charge of an offer.
#[derive(SimpleObject)]
pub struct OfferCharge {
    kind: ChargeKind,
    code: String,
    name: String,
    /// Length of a period, such as `1 month`.
    every: Option<String>,
    tax_class: String,
    /// The price model, as in the catalog file; numbers are strings.
    price: Option<Json<serde_json::Value>>,
    /// Of a one-off charge.
    amount: Option<Decimal>,
}

/// One dated row of the tax table. `*` matches anything; the row with most exact matches wins, then the latest.
#[derive(SimpleObject)]
pub struct TaxRate {
    name: String,
    category: String,
    class: String,
    /// Country of the seller.
    seller: String,
    /// Country of the buyer.
    buyer: String,
    /// 0.19 is 19 %.
    rate: Decimal,
    from: Date,
    /// What a composite tax is made of, in the order shown.
    parts: Vec<TaxRatePart>,
}

/// A part of a composite tax.
#[derive(SimpleObject, InputObject)]
#[graphql(input_name = "TaxRatePartInput")]
pub struct TaxRatePart {
    name: String,
    /// 0.05 is 5 %.
    rate: Decimal,
}

#[derive(InputObject)]
pub struct TaxRateInput {
    #[graphql(default_with = "\"VAT\".to_owned()")]
    name: String,
    #[graphql(default_with = "\"*\".to_owned()")]
    category: String,
    #[graphql(default_with = "\"*\".to_owned()")]
    class: String,
    #[graphql(default_with = "\"*\".to_owned()")]
    seller: String,
    #[graphql(default_with = "\"*\".to_owned()")]
    buyer: String,
    /// 0.19 is 19 %; of a composite tax the sum of its parts.
    rate: Decimal,
    from: Date,
    /// Of a composite tax, in the order shown; the last part takes what rounding the others leaves.
    #[graphql(default)]
    parts: Vec<TaxRatePart>,
}

#[derive(SimpleObject)]
pub struct CatalogPayload {
    /// The offers of the file at their newest version.
    offers: Vec<Offer>,
    receipt: Receipt,
}

#[derive(SimpleObject)]
pub struct TaxRatePayload {
    receipt: Receipt,
}

#[derive(Default)]
pub struct CatalogQueries;

#[Object]
impl CatalogQueries {
    /// An offer at its newest version, or at the version asked for.
    async fn offer(
        &self,
        ctx: &Context<'_>,
        code: String,
        version: Option<u32>,
    ) -> Result<Option<Offer>> {
        let offer = Books::of(ctx)?.catalog().and_then(|catalog| match version {
            None => catalog.state.offer(&code).cloned(),
            Some(version) => catalog
                .state
                .offers
                .get(&code)?
                .iter()
                .find(|offer| offer.version == version)
                .cloned(),
        });
        Ok(offer.map(Offer::new))
    }

    /// Offers at their newest version, in the order of their codes.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn offers(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Offer>> {
        let asked = page::asked(first, after)?;
        let catalog = Books::of(ctx)?.catalog();
        let rows = catalog.iter().flat_map(|catalog| &catalog.state.offers);
        let rows = rows.filter_map(|(code, versions)| {
            Some((code.clone(), Offer::new(versions.last()?.clone())))
        });
        Ok(page::sorted(&asked, rows.collect()))
    }

    /// The tax table, in the order its rows were set.
    async fn tax_rates(&self, ctx: &Context<'_>) -> Result<Vec<TaxRate>> {
        let table = Books::of(ctx)?.tax_table();
        let rates = table.iter().flat_map(|table| table.state.rates.clone());
        let row = |rate: taxes::Rate| TaxRate {
            name: rate.name,
            category: rate.category,
            class: rate.class,
            seller: rate.seller,
            buyer: rate.buyer,
            rate: Decimal(rate.rate),
            from: Date(rate.from),
            parts: rate
                .parts
                .into_iter()
                .map(|part| TaxRatePart {
                    name: part.name,
                    rate: Decimal(part.rate),
                })
                .collect(),
        };
        Ok(rates.map(row).collect())
    }
}

#[derive(Default)]
pub struct CatalogMutations;

#[Object]
impl CatalogMutations {
    /// Publishes every offer of a catalog file that is new or differs from its newest version. Contracts already
    /// sold do not change. Refused as a whole if the file has a mistake. Scope admin.
    async fn apply_catalog(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        toml: String,
    ) -> Result<CatalogPayload> {
        let offers = domain::parse(&toml).map_err(errors::rejected)?;
        let codes: Vec<String> = offers.iter().map(|offer| offer.code.clone()).collect();
        let receipt = desk::hand_in(
            ctx,
            Scope::Admin,
            &idempotency_key,
            Command::ApplyCatalog { offers },
        )
        .await?;
        let catalog = Books::of(ctx)?.catalog();
        let newest = |code: String| Some(Offer::new(catalog.as_ref()?.state.offer(&code)?.clone()));
        Ok(CatalogPayload {
            offers: codes.into_iter().filter_map(newest).collect(),
            receipt,
        })
    }

    /// Puts an offer, all its versions, into a product line, for aging and dunning; without one, takes it out. What is
    /// invoiced from now on counts for it. Scope admin.
    async fn classify_offer(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        offer: String,
        product_line: Option<String>,
    ) -> Result<CatalogPayload> {
        let command = Command::ClassifyOffer {
            offer: offer.clone(),
            product_line,
        };
        let receipt = desk::hand_in(ctx, Scope::Admin, &idempotency_key, command).await?;
        let catalog = Books::of(ctx)?.catalog();
        let offer = catalog.and_then(|catalog| catalog.state.offer(&offer).cloned());
        Ok(CatalogPayload {
            offers: offer.into_iter().map(Offer::new).collect(),
            receipt,
        })
    }

    /// Sets a dated row of the tax table. Scope admin.
    async fn set_tax_rate(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: TaxRateInput,
    ) -> Result<TaxRatePayload> {
        let TaxRateInput {
            name,
            category,
            class,
            seller,
            buyer,
            rate,
            from,
            parts,
        } = input;
        let rate = taxes::Rate {
            name,
            category,
            class,
            seller,
            buyer,
            rate: rate.0,
            from: from.0,
            parts: parts
                .into_iter()
                .map(|part| taxes::TaxPart {
                    name: part.name,
                    rate: part.rate.0,
                })
                .collect(),
        };
        let receipt = desk::hand_in(
            ctx,
            Scope::Admin,
            &idempotency_key,
            Command::SetTaxRate(rate),
        )
        .await?;
        Ok(TaxRatePayload { receipt })
    }
}
