//! Invoices and credit notes without their lines, in the order they came to be.

use indelible_domain::invoices::{Document, Event as Fact, Kind};
use indelible_domain::kernel::{Currency, Date, Grid, Id, Money, Span};
use indelible_domain::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::{Page, Projection, Rows, Snapshot, ViewError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Draft,
    Finalised,
    Void,
    /// A draft that became no invoice.
    Rejected,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    pub invoice: Id,
    pub account: Id,
    pub entity: Id,
    pub kind: Kind,
    pub stage: Stage,
    /// Empty for a draft.
    pub number: String,
    pub as_of: Date,
    pub issued: Option<Date>,
    pub due: Option<Date>,
    pub currency: Currency,
    pub lines: u64,
    pub net: Money,
    pub tax: Money,
    pub total: Money,
    /// What credit notes took off it, tax included.
    pub credited: Money,
    pub corrects: Option<Id>,
    pub run: Option<Id>,
    /// Where it came to be in the log.
    pub position: u64,
}

/// What was issued in one month and one currency; void documents do not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Month {
    /// First day of the month of issue.
    pub month: Date,
    /// Those of advances included.
    pub invoices: u64,
    pub credit_notes: u64,
    pub net: Money,
    pub tax: Money,
    /// Credit notes count below zero.
    pub total: Money,
}

/// See [`Invoice`]. Rows: `i/invoice`; `o/position` its id; `a/account/position` its id; `m/currency/month` a
/// [`Month`].
pub struct Invoices;

fn key(invoice: &str) -> String {
    format!("i/{invoice}")
}

impl Projection for Invoices {
    const NAME: &'static str = "invoices/list";
    const VERSION: u32 = 1;
    const KINDS: &'static [&'static str] = &["invoice"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let Event::Invoice(fact) = &recorded.event else {
            return Ok(());
        };
        match fact {
            Fact::Drafted(e) => {
                let row = of(recorded, &e.document, rows)?;
                keep(rows, recorded, &row)
            }
            Fact::Finalised(e) => {
                let row = Invoice {
                    stage: Stage::Finalised,
                    number: e.number.clone(),
                    issued: Some(e.issued),
                    due: Some(e.due),
                    ..of(recorded, &e.document, rows)?
                };
                issue(rows, &row, true)?;
                keep(rows, recorded, &row)
            }
            Fact::Voided(_) => {
                let Some(mut row) = rows.get::<Invoice>(&key(&recorded.id))? else {
                    return Ok(());
                };
                issue(rows, &row, false)?;
                row.stage = Stage::Void;
                rows.put(&key(&recorded.id), &row)
            }
            Fact::Rejected(_) => rows.change(&key(&recorded.id), |row: &mut Invoice| {
                row.stage = Stage::Rejected;
            }),
            // It is a draft before and after.
            Fact::Held(_) | Fact::Released(_) => Ok(()),
            // The list has each document in its own currency.
            Fact::TaxStated(_) => Ok(()),
            Fact::CreditNoted(e) => rows.change(&key(&recorded.id), |row: &mut Invoice| {
                for part in &e.parts {
                    row.credited = row.credited.plus(part.net).plus(part.tax);
                }
            }),
        }
    }
}

fn keep(rows: &mut Rows<'_>, recorded: &Recorded<Event>, row: &Invoice) -> Result<(), ViewError> {
    match recorded.version {
        1 => rows.add(&key(&recorded.id), row),
        _ => rows.put(&key(&recorded.id), row),
    }
}

fn of(
    recorded: &Recorded<Event>,
    document: &Document,
    rows: &mut Rows<'_>,
) -> Result<Invoice, ViewError> {
    // The first fact of a document finds nothing of it.
    let before = match recorded.version {
        1 => None,
        _ => rows.look(&key(&recorded.id), |row: Option<&Invoice>| {
            row.map(|row| row.position)
        })?,
    };
    let position = before.unwrap_or(recorded.position);
    let (all, own) = (
        format!("o/{position:020}"),
        format!("a/{}/{position:020}", document.account),
    );
    match before {
        None => {
            rows.add(&all, &recorded.id)?;
            rows.add(&own, &recorded.id)?;
        }
        Some(_) => {
            rows.put(&all, &recorded.id)?;
            rows.put(&own, &recorded.id)?;
        }
    }
    Ok(Invoice {
        invoice: recorded.id.clone(),
        account: document.account.clone(),
        entity: document.entity.clone(),
        kind: document.kind,
        stage: Stage::Draft,
        number: String::new(),
        as_of: document.as_of,
        issued: None,
        due: None,
        currency: document.currency,
        lines: document.lines.len() as u64,
        net: document.net,
        tax: document.tax,
        total: document.total,
        credited: Money::zero(document.currency),
        corrects: document.corrects.clone(),
        run: document.run.clone(),
        position,
    })
}

/// Counts a finalised document in its month, or takes it out again.
fn issue(rows: &mut Rows<'_>, row: &Invoice, count: bool) -> Result<(), ViewError> {
    // A request is no sale.
    let Some(issued) = row.issued.filter(|_| row.kind.is_booked()) else {
        return Ok(());
    };
    let first = Grid::calendar(issued, Span::months(1)).period(issued).from;
    let key = format!("m/{}/{first}", row.currency);
    let none = Money::zero(row.currency);
    let month = rows.get::<Month>(&key)?.unwrap_or(Month {
        month: first,
        invoices: 0,
        credit_notes: 0,
        net: none,
        tax: none,
        total: none,
    });
    let note = row.kind == Kind::CreditNote;
    let times = |n: u64, notes: bool| match (note == notes, count) {
        (false, _) => n,
        (true, true) => n + 1,
        (true, false) => n.saturating_sub(1),
    };
    let amount = |sum: Money, part: Money| match count {
        true => sum.plus(part),
        false => sum.minus(part),
    };
    let month = Month {
        month: first,
        invoices: times(month.invoices, false),
        credit_notes: times(month.credit_notes, true),
        net: amount(month.net, row.net),
        tax: amount(month.tax, row.tax),
        total: amount(month.total, row.total),
    };
    rows.put(&key, &month)
}

/// What was issued, by currency and month; months without documents are left out.
pub fn months(snapshot: &Snapshot<'_>) -> Result<Vec<Month>, ViewError> {
    let mut found = Vec::new();
    snapshot.each::<Invoices, Month>("m/", "m0", &mut |_, month| {
        found.push(month);
        Ok(true)
    })?;
    Ok(found)
}

/// One document.
pub fn get(snapshot: &Snapshot<'_>, invoice: &str) -> Result<Option<Invoice>, ViewError> {
    snapshot.get::<Invoices, _>(&key(invoice))
}

/// Documents of one account, or of all, in the order they came to be.
pub fn page(
    snapshot: &Snapshot<'_>,
    account: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Invoice>, ViewError> {
    let prefix = account.map_or("o/".to_string(), |account| format!("a/{account}/"));
    let found = snapshot.page::<Invoices, Id>(&prefix, after, limit)?;
    found.look_up(|id| get(snapshot, id))
}
