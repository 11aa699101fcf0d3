//! Voice calls as `;`-separated text. A call is identified by its `record_id`.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::delimited::{self, Layout, Row};
use super::{Line, Reading, Unreadable, fields};

const LAYOUT: Layout = Layout {
    delimiter: b';',
    quoted: false,
    required: &["record_id", "msisdn", "start", "seconds"],
    null: None,
};

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Line>, Unreadable> {
    delimited::read(bytes, &LAYOUT, call)
}

fn call(row: &Row<'_>) -> Result<Reading, Unreadable> {
    let seconds = row.require("seconds")?;
    // Whole and not negative; zero is a real call, of which a price plan may still charge the set-up.
    let quantity = seconds.parse::<u64>().map(Decimal::from).map_err(|_| {
        Unreadable::new(
            "BAD_NUMBER",
            format!("seconds is {seconds:?}, which is no count of seconds"),
        )
    })?;
    Ok(Reading {
        key: row.require("record_id")?.to_owned(),
        corrects: false,
        metric: "voice".to_owned(),
        access: row.require("msisdn")?.to_owned(),
        at_micros: fields::moment("start", row.require("start")?)?,
        quantity,
        unit: "second".to_owned(),
        amount: None,
        attributes: BTreeMap::new(),
    })
}
