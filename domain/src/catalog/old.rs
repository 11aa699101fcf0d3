//! Offers as they were stored in version 1 of every event that holds one: field by field, before they were kept as text.

use super::{
    Aggregate, Align, Anchor, Dynamic, Moment, Offer, OfferPublished, OneOff, Package, Pay,
    Percentage, Price, Prorate, RateTier, Recurring, Sold, Tier, Timing, Usage, Window,
};
use crate::kernel::{Currency, Decimal, Span};
use serde::Deserialize;
use std::collections::BTreeMap;

/// An offer of version 1.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OfferV1 {
    code: String,
    name: String,
    currency: Currency,
    version: u32,
    trial: Option<Span>,
    one_off: Vec<OneOffV1>,
    recurring: Vec<RecurringV1>,
    usage: Vec<UsageV1>,
}

#[derive(Clone, Debug, Deserialize)]
struct OneOffV1 {
    code: String,
    name: String,
    amount: Decimal,
    on: Moment,
    tax_class: String,
}

#[derive(Clone, Debug, Deserialize)]
struct RecurringV1 {
    code: String,
    name: String,
    price: PriceV1,
    every: Span,
    timing: Timing,
    align: Align,
    anchor: Anchor,
    prorate: Prorate,
    after: Option<Span>,
    lasts: Option<Span>,
    tax_class: String,
}

#[derive(Clone, Debug, Deserialize)]
struct UsageV1 {
    code: String,
    name: String,
    metric: String,
    unit: String,
    per: Option<Decimal>,
    aggregate: Aggregate,
    allowance: Option<Decimal>,
    price: PriceV1,
    every: Span,
    align: Align,
    pay: Pay,
    filter: BTreeMap<String, String>,
    when: Vec<WindowV1>,
    tax_class: String,
}

#[derive(Clone, Debug, Deserialize)]
struct WindowV1 {
    days: Vec<String>,
    from: String,
    until: String,
}

#[derive(Clone, Debug, Deserialize)]
enum PriceV1 {
    Flat(Decimal),
    PerUnit(Decimal),
    Package(PackageV1),
    Graduated(Vec<TierV1>),
    Volume(Vec<TierV1>),
    Percentage(PercentageV1),
    GraduatedPercentage(Vec<RateTierV1>),
    Dynamic(DynamicV1),
}

#[derive(Clone, Debug, Deserialize)]
struct PackageV1 {
    size: Decimal,
    price: Decimal,
    free: Decimal,
}

#[derive(Clone, Debug, Deserialize)]
struct TierV1 {
    up_to: Option<Decimal>,
    unit: Decimal,
    flat: Decimal,
    block: Option<Decimal>,
}

#[derive(Clone, Debug, Deserialize)]
struct PercentageV1 {
    rate: Decimal,
    fixed: Decimal,
    free_events: Option<u64>,
    free_amount: Option<Decimal>,
    min: Option<Decimal>,
    max: Option<Decimal>,
}

#[derive(Clone, Debug, Deserialize)]
struct RateTierV1 {
    up_to: Option<Decimal>,
    rate: Decimal,
    flat: Decimal,
}

#[derive(Clone, Debug, Deserialize)]
struct DynamicV1 {
    multiplier: Decimal,
}

/// A publication of version 1.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct OfferPublishedV1 {
    offer: OfferV1,
}

impl From<OfferPublishedV1> for OfferPublished {
    fn from(old: OfferPublishedV1) -> OfferPublished {
        OfferPublished {
            offer: Sold::new(old.offer.into()),
        }
    }
}

impl From<OfferV1> for Offer {
    fn from(old: OfferV1) -> Offer {
        Offer {
            code: old.code,
            name: old.name,
            currency: old.currency,
            version: old.version,
            trial: old.trial,
            one_off: old.one_off.into_iter().map(Into::into).collect(),
            recurring: old.recurring.into_iter().map(Into::into).collect(),
            usage: old.usage.into_iter().map(Into::into).collect(),
            ..Offer::default()
        }
    }
}

impl From<OneOffV1> for OneOff {
    fn from(old: OneOffV1) -> OneOff {
        OneOff {
            code: old.code,
            name: old.name,
            amount: old.amount,
            on: old.on,
            tax_class: old.tax_class,
            ..OneOff::default()
        }
    }
}

impl From<RecurringV1> for Recurring {
    fn from(old: RecurringV1) -> Recurring {
        Recurring {
            code: old.code,
            name: old.name,
            price: old.price.into(),
            every: old.every,
            timing: old.timing,
            align: old.align,
            anchor: old.anchor,
            prorate: old.prorate,
            after: old.after,
            lasts: old.lasts,
            tax_class: old.tax_class,
            ..Recurring::default()
        }
    }
}

impl From<UsageV1> for Usage {
    fn from(old: UsageV1) -> Usage {
        Usage {
            code: old.code,
            name: old.name,
            metric: old.metric,
            unit: old.unit,
            per: old.per,
            aggregate: old.aggregate,
            allowance: old.allowance,
            price: old.price.into(),
            every: old.every,
            align: old.align,
            pay: old.pay,
            filter: old.filter,
            when: old.when.into_iter().map(Into::into).collect(),
            tax_class: old.tax_class,
            ..Usage::default()
        }
    }
}

impl From<WindowV1> for Window {
    fn from(old: WindowV1) -> Window {
        Window {
            days: old.days,
            from: old.from,
            until: old.until,
        }
    }
}

impl From<PriceV1> for Price {
    fn from(old: PriceV1) -> Price {
        match old {
            PriceV1::Flat(p) => Price::Flat(p),
            PriceV1::PerUnit(p) => Price::PerUnit(p),
            PriceV1::Package(p) => Price::Package(p.into()),
            PriceV1::Graduated(p) => Price::Graduated(p.into_iter().map(Into::into).collect()),
            PriceV1::Volume(p) => Price::Volume(p.into_iter().map(Into::into).collect()),
            PriceV1::Percentage(p) => Price::Percentage(p.into()),
            PriceV1::GraduatedPercentage(p) => {
                Price::GraduatedPercentage(p.into_iter().map(Into::into).collect())
            }
            PriceV1::Dynamic(p) => Price::Dynamic(p.into()),
        }
    }
}

impl From<PackageV1> for Package {
    fn from(old: PackageV1) -> Package {
        Package {
            size: old.size,
            price: old.price,
            free: old.free,
        }
    }
}

impl From<TierV1> for Tier {
    fn from(old: TierV1) -> Tier {
        Tier {
            up_to: old.up_to,
            unit: old.unit,
            flat: old.flat,
            block: old.block,
        }
    }
}

impl From<PercentageV1> for Percentage {
    fn from(old: PercentageV1) -> Percentage {
        Percentage {
            rate: old.rate,
            fixed: old.fixed,
            free_events: old.free_events,
            free_amount: old.free_amount,
            min: old.min,
            max: old.max,
        }
    }
}

impl From<RateTierV1> for RateTier {
    fn from(old: RateTierV1) -> RateTier {
        RateTier {
            up_to: old.up_to,
            rate: old.rate,
            flat: old.flat,
        }
    }
}

impl From<DynamicV1> for Dynamic {
    fn from(old: DynamicV1) -> Dynamic {
        Dynamic {
            multiplier: old.multiplier,
        }
    }
}
