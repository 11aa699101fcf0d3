//! Cloud consumption: each supplied row twice a month, a fortnight apart, in the charge period's own hour.

use super::super::sample;
use super::{Delivery, Month, Outbox, PatternError};
use crate::demo::random::Random;
use chrono::{NaiveDateTime, NaiveTime, TimeDelta, Timelike as _};
use indelible_domain::mediation::formats::Format;
use std::collections::BTreeSet;

/// Sent by the cloud provider.
pub(super) const SOURCE: &str = "provider";

const TIME: &str = "%Y-%m-%d %H:%M:%S";
/// New York is up to five hours behind UTC: what is used before belongs to the month before.
const FIRST_HOUR: u32 = 5;

struct Pattern {
    header: csv::StringRecord,
    rows: Vec<Row>,
    columns: Columns,
}

struct Columns {
    id: usize,
    start: usize,
    end: usize,
    billing_start: usize,
    billing_end: usize,
    cost: usize,
    account: usize,
}

struct Row {
    cells: Vec<String>,
    /// Day of the month from 1.
    day: u32,
    time: NaiveTime,
    length: TimeDelta,
}

pub(super) fn deliveries(
    mut random: Random,
    months: &[Month],
) -> Result<Vec<Delivery>, PatternError> {
    let pattern = pattern()?;
    let mut outbox = Outbox::new(
        SOURCE,
        Format::Focus,
        &format!("{}\n", line(pattern.header.iter())),
    );
    let mut number = 100_000_u64;
    for month in months {
        repeat(&mut random, &pattern, *month, &mut number, &mut outbox);
    }
    Ok(outbox.deliveries())
}

fn repeat(
    random: &mut Random,
    pattern: &Pattern,
    month: Month,
    number: &mut u64,
    outbox: &mut Outbox,
) {
    let columns = &pattern.columns;
    // A row's identity is all of it but the exporter's row number: rows that would become equal move on by an hour.
    let mut seen = BTreeSet::new();
    let mut last: Option<(chrono::NaiveDate, Vec<String>)> = None;
    for copy in 0..2 {
        for row in &pattern.rows {
            let day = month.day((row.day - 1 + 14 * copy) % month.days + 1);
            let mut start = day.and_time(row.time);
            if day == month.first && row.time.hour() < FIRST_HOUR {
                start = day.and_time(NaiveTime::MIN) + TimeDelta::hours(i64::from(FIRST_HOUR));
            }
            let mut cells = row.cells.clone();
            loop {
                cells[columns.start] = start.format(TIME).to_string();
                cells[columns.end] = (start + row.length).format(TIME).to_string();
                cells[columns.billing_start] = month.first.format("%Y-%m-%d 00:00:00").to_string();
                cells[columns.billing_end] = month.next().format("%Y-%m-%d 00:00:00").to_string();
                cells[columns.id] = String::new();
                if seen.insert(line(cells.iter().map(String::as_str))) {
                    break;
                }
                start += TimeDelta::hours(1);
            }
            number_it(&mut cells, columns, number);
            let used = start.date();
            outbox.put(used, line(cells.iter().map(String::as_str)));
            // One row in 150 is exported again under another row number.
            if random.below(150) == 0 {
                number_it(&mut cells, columns, number);
                outbox.put(used, line(cells.iter().map(String::as_str)));
            }
            last = Some((used, cells));
        }
    }
    if let Some((used, cells)) = last {
        let mut damaged = cells.clone();
        damaged[columns.cost] = "n/a".to_string();
        number_it(&mut damaged, columns, number);
        outbox.put(used, line(damaged.iter().map(String::as_str)));
        let mut stranger = cells;
        stranger[columns.account] = "00000000000".to_string();
        number_it(&mut stranger, columns, number);
        outbox.put(used, line(stranger.iter().map(String::as_str)));
    }
}

fn number_it(cells: &mut [String], columns: &Columns, number: &mut u64) {
    *number += 1;
    cells[columns.id] = number.to_string();
}

/// Quoted like the supplied file.
fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = cells
        .map(|cell| {
            if cell == "NULL" {
                cell.to_string()
            } else {
                format!("\"{}\"", cell.replace('"', "\"\""))
            }
        })
        .collect();
    quoted.join(",")
}

fn pattern() -> Result<Pattern, PatternError> {
    let fault = |why: String| PatternError {
        file: sample::FOCUS_NAME,
        why,
    };
    let mut reader = csv::Reader::from_reader(sample::FOCUS.as_bytes());
    let header = reader.headers().map_err(|e| fault(e.to_string()))?.clone();
    let column = |name: &str| {
        let at = header.iter().position(|cell| cell == name);
        at.ok_or_else(|| fault(format!("there is no column {name}")))
    };
    let columns = Columns {
        id: column("Id")?,
        start: column("ChargePeriodStart")?,
        end: column("ChargePeriodEnd")?,
        billing_start: column("BillingPeriodStart")?,
        billing_end: column("BillingPeriodEnd")?,
        cost: column("BilledCost")?,
        account: column("SubAccountId")?,
    };
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| fault(e.to_string()))?;
        let cells: Vec<String> = record.iter().map(str::to_string).collect();
        let time = |at: usize| {
            NaiveDateTime::parse_from_str(&cells[at], TIME).map_err(|e| fault(e.to_string()))
        };
        let (start, end) = (time(columns.start)?, time(columns.end)?);
        rows.push(Row {
            day: chrono::Datelike::day(&start.date()),
            time: start.time(),
            length: end - start,
            cells,
        });
    }
    Ok(Pattern {
        header,
        rows,
        columns,
    })
}

/// The sub-accounts of the supplied bill, in the order of their names.
pub fn sub_accounts() -> Result<BTreeSet<String>, PatternError> {
    let pattern = pattern()?;
    Ok(pattern
        .rows
        .into_iter()
        .map(|mut row| std::mem::take(&mut row.cells[pattern.columns.account]))
        .collect())
}
