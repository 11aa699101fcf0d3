//! A cloud bill in FOCUS 1.0, the FinOps cost and usage format.
//!
//! FOCUS gives its rows no key. This format declares that identical records are duplicates (policy 13): a row's key
//! is the hash of everything FOCUS says about it. A row restated with another cost is therefore another record; a
//! key made of fewer columns would refuse bills that split one resource's hour over several rows.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::delimited::{self, Layout, Row};
use super::{Line, Reading, Unreadable, fields};

const LAYOUT: Layout = Layout {
    delimiter: b',',
    quoted: true,
    required: &[
        "BilledCost",
        "BillingCurrency",
        "ChargeCategory",
        "ChargePeriodStart",
        "SubAccountId",
    ],
    null: Some("NULL"),
};

/// The columns of FOCUS 1.0. A column outside the specification (an exporter's row number, a tag of one's own) does
/// not tell records apart: the next export of the same charge may number it anew.
const COLUMNS: [&str; 43] = [
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
];

/// The columns a price may depend on, and what they are called in a reading.
const ATTRIBUTES: [(&str, &str); 4] = [
    ("charge_category", "ChargeCategory"),
    ("currency", "BillingCurrency"),
    ("region", "RegionId"),
    ("service", "ServiceName"),
];

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Line>, Unreadable> {
    delimited::read(bytes, &LAYOUT, charge)
}

fn charge(row: &Row<'_>) -> Result<Reading, Unreadable> {
    row.require("BillingCurrency")?;
    row.require("ChargeCategory")?;
    let amount = fields::decimal("BilledCost", row.require("BilledCost")?)?;
    let (quantity, unit) = quantity(row)?;
    let attributes: BTreeMap<String, String> = ATTRIBUTES
        .iter()
        .filter_map(|(name, column)| Some(((*name).to_owned(), row.get(column)?.to_owned())))
        .collect();
    Ok(Reading {
        key: key(row),
        corrects: false,
        metric: "cloud".to_owned(),
        access: row.require("SubAccountId")?.to_owned(),
        at_micros: fields::utc_moment("ChargePeriodStart", row.require("ChargePeriodStart")?)?,
        quantity,
        unit,
        amount: Some(amount),
        attributes,
    })
}

/// What is priced; what was consumed where nothing is priced by quantity; nothing for a tax or an adjustment, which
/// FOCUS gives a cost and no quantity.
fn quantity(row: &Row<'_>) -> Result<(Decimal, String), Unreadable> {
    for (quantity, unit) in [
        ("PricingQuantity", "PricingUnit"),
        ("ConsumedQuantity", "ConsumedUnit"),
    ] {
        if let Some(text) = row.get(quantity) {
            return Ok((
                fields::decimal(quantity, text)?,
                row.get(unit).unwrap_or("charge").to_owned(),
            ));
        }
    }
    Ok((Decimal::ZERO, "charge".to_owned()))
}

/// 16 bytes of BLAKE3 in hex over the columns of the specification that have a value, in a fixed order, so that
/// neither the order of columns nor an empty one more makes another record.
fn key(row: &Row<'_>) -> String {
    let mut hash = blake3::Hasher::new();
    for (place, column) in (0_u64..).zip(COLUMNS) {
        if let Some(value) = row.get(column) {
            let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
            hash.update(&place.to_be_bytes())
                .update(&length.to_be_bytes())
                .update(value.as_bytes());
        }
    }
    let hex = hash.finalize().to_hex();
    hex.chars().take(32).collect()
}
