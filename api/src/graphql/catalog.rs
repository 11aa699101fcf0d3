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

    /// The first day on which this version is sold; none: from when it was published.
    async fn valid_from(&self) -> Option<Date> {
        self.offer.valid_from.map(Date)
    }

    /// The first day on which it is not sold any more; none: until a later version is.
    async fn valid_until(&self) -> Option<Date> {
        self.offer.valid_until.map(Date)
    }

    /// Who has an older version keeps it until this day and gets this one with the next period; none: keeps it.
    async fn grandfathered_until(&self) -> Option<Date> {
        self.offer.grandfathered_until.map(Date)
    }

    /// Since when nobody new can subscribe to the offer; none: it is sold.
    async fn retired_from(&self, ctx: &Context<'_>) -> Result<Option<Date>> {
        let catalog = Books::of(ctx)?.catalog();
        Ok(catalog
            .and_then(|c| c.state.retired(&self.offer.code))
            .map(Date))
    }

    /// What it is made of and may be extended by.
    async fn options(&self) -> Vec<OfferOption> {
        let option = |rule: &domain::OptionRule| OfferOption {
            code: rule.code.clone(),
            offer: rule.offer.clone(),
            min: Decimal(rule.min),
            max: Decimal(rule.max),
            mandatory: rule.mandatory(),
            requires: rule.requires.clone(),
            excludes: rule.excludes.clone(),
        };
        self.offer.option.iter().map(option).collect()
    }

    /// The options that a customer has; empty for an offer of the catalog.
    async fn chosen(&self) -> Vec<ChosenOption> {
        let chosen = |chosen: &domain::Chosen| ChosenOption {
            option: chosen.option.clone(),
            offer: chosen.offer.clone(),
            version: chosen.version,
            quantity: Decimal(chosen.quantity),
            from: Date(chosen.from),
        };
        self.offer.chosen.iter().map(chosen).collect()
    }

    /// The contract that a subscription was sold under.
    async fn contract(&self) -> Option<&str> {
        self.offer.contract.as_deref()
    }

    /// Which rule each price follows from, and why; charges without an entry have the offer's own price, and no other was
    /// looked at.
    async fn price_sources(&self) -> Vec<OfferPriceSource> {
        let offer = &self.offer;
        let all = offer.one_off.iter().map(|c| (&c.code, &c.source));
        let all = all.chain(offer.recurring.iter().map(|c| (&c.code, &c.source)));
        let all = all.chain(offer.usage.iter().map(|c| (&c.code, &c.source)));
        let source = |(charge, source): (&String, &Option<domain::PriceSource>)| {
            let source = source.as_ref()?;
            Some(OfferPriceSource {
                charge: charge.clone(),
                rule: source.rule.into(),
                id: (!source.id.is_empty()).then(|| source.id.clone()),
                why: source.why.clone(),
            })
        };
        all.filter_map(source).collect()
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

/// An offer within an offer, and how many of it there may be.
#[derive(SimpleObject)]
pub struct OfferOption {
    code: String,
    /// Code of the offer whose charges it brings, as `code.charge`.
    offer: String,
    min: Decimal,
    max: Decimal,
    /// It always comes along.
    mandatory: bool,
    /// Only together with all of these.
    requires: Vec<String>,
    /// Never together with one of these.
    excludes: Vec<String>,
}

/// An option that a customer has.
#[derive(SimpleObject)]
pub struct ChosenOption {
    option: String,
    offer: String,
    version: u32,
    quantity: Decimal,
    /// The day from which its phases and its trial are counted.
    from: Date,
}

/// The rule that a price follows from; each wins over those after it.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::PriceRule")]
pub enum PriceRule {
    Override,
    SubscriptionContract,
    AccountContract,
    PriceList,
    Default,
}

/// Why a price is what it is.
#[derive(SimpleObject)]
pub struct OfferPriceSource {
    charge: String,
    rule: PriceRule,
    /// The contract or price list.
    id: Option<String>,
    why: String,
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
    /// Publishes every offer and price list of a catalog file that is new or differs from its newest version. Contracts already
    /// sold do not change. Refused as a whole if the file has a mistake. Scope admin.
    async fn apply_catalog(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        toml: String,
    ) -> Result<CatalogPayload> {
        let file = domain::read(&toml).map_err(errors::rejected)?;
        let codes: Vec<String> = file.offer.iter().map(|offer| offer.code.clone()).collect();
        let receipt = desk::hand_in(
            ctx,
            Scope::Admin,
            &idempotency_key,
            Command::PublishCatalog(Box::new(file)),
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
