//! One invoice in full, with the arithmetic of each line.

use super::figures::{Figures, plain};
use super::tables::{percent, table};
use super::{TENANT, businesses::energy};
use crate::office::Office;
use comfy_table::Table;
use indelible_domain::invoices::Invoice;
use indelible_domain::kernel::Exact;

/// The newest invoice of the house with solar panels: peak, off-peak, feed-in and tax.
pub(super) fn one_invoice(office: &Office, figures: &Figures) -> Option<(String, Table, String)> {
    let account = energy::account(1);
    let newest = figures
        .documents
        .iter()
        .rev()
        .find(|d| d.account == account)?;
    let invoice: Invoice = office.ledger.read(TENANT, |tenant| {
        tenant
            .tables
            .invoices
            .get(&newest.invoice)
            .map(|entry| entry.state.clone())
    })?;
    let document = &invoice.document;
    let mut table = table(
        &["line", "text and arithmetic", "quantity", "net", "tax"],
        2,
    );
    for line in &document.lines {
        table.add_row([
            line.no.to_string(),
            format!("{}\n{}", line.text, wrapped(&line.explain, 78)),
            line.quantity.clone(),
            plain(line.net),
            format!("{} %", percent(Exact::from(line.tax.rate))),
        ]);
    }
    let day = |d: Option<chrono::NaiveDate>| d.map(|d| d.to_string()).unwrap_or_default();
    let title = format!(
        "Invoice {} to {account}, issued {}, due {}",
        invoice.number,
        day(invoice.issued),
        day(invoice.due)
    );
    let taxes: Vec<String> = document
        .taxes
        .iter()
        .map(|t| {
            format!(
                "{} {} % of {} = {}",
                t.tax.name,
                percent(Exact::from(t.tax.rate)),
                t.net,
                t.amount
            )
        })
        .collect();
    let totals = format!(
        "net {}, {}, total {}",
        document.net,
        taxes.join(", "),
        document.total
    );
    Some((title, table, totals))
}

/// Breaks a sentence at spaces.
fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            out.push('\n');
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out
}
