//! Any usage as CSV with a header, for sources that have no format of their own.
//!
//! Columns: `key`, `metric`, `access`, `at` (RFC 3339), `quantity`, and optionally `unit` and `amount`; every other
//! named column is an attribute. A record is identified by its `key`.

use super::delimited::{self, Layout, Row};
use super::{Line, Reading, Unreadable, fields};

const LAYOUT: Layout = Layout {
    delimiter: b',',
    quoted: true,
    required: &["key", "metric", "access", "at", "quantity"],
    null: None,
};
const OPTIONAL: [&str; 2] = ["unit", "amount"];

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Line>, Unreadable> {
    delimited::read(bytes, &LAYOUT, record)
}

fn record(row: &Row<'_>) -> Result<Reading, Unreadable> {
    let attributes = row
        .columns()
        .filter(|name| {
            !name.is_empty() && !LAYOUT.required.contains(name) && !OPTIONAL.contains(name)
        })
        .filter_map(|name| Some((name.to_owned(), row.get(name)?.to_owned())))
        .collect();
    Ok(Reading {
        key: row.require("key")?.to_owned(),
        corrects: false,
        metric: row.require("metric")?.to_owned(),
        access: row.require("access")?.to_owned(),
        at_micros: fields::moment("at", row.require("at")?)?,
        quantity: fields::decimal("quantity", row.require("quantity")?)?,
        unit: row.get("unit").unwrap_or("unit").to_owned(),
        amount: row
            .get("amount")
            .map(|text| fields::decimal("amount", text))
            .transpose()?,
        attributes,
    })
}
