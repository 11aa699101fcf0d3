//! Rates of tax, what advances bear of it, and what documents tell of it in the currency of their seller.

use super::documents::is_booked;
use super::{History, currency};
use indelible_domain::charges::What;
use indelible_domain::invoices::{Invoice, TaxStated};
use indelible_domain::kernel::{Decimal, Exact, Money, Rounding};
use std::collections::BTreeSet;

/// Seller, class of tax, rate.
pub(super) const TAXES: [(&str, &str, &str); 4] = [
    ("US", "standard", "0.0825"),
    ("US", "reduced", "0.02"),
    ("CA", "standard", "0.13"),
    ("CA", "reduced", "0.05"),
];

/// The same from the day on which they change.
pub(super) const LATER: [(&str, &str, &str); 3] = [
    ("US", "standard", "0.09"),
    ("US", "reduced", "0.015"),
    ("CA", "standard", "0.15"),
];

impl History {
    /// Net amounts of classes with what they are taxed with today.
    pub(super) fn taxed(&self, seller: &str, lines: &[(&str, Money)]) -> Money {
        let country = if seller == "legs" { "CA" } else { "US" };
        let changed = self.book.today >= self.changed;
        let rate = |class: &str| {
            let rows = LATER.iter().filter(|_| changed).chain(&TAXES);
            let mut own = rows.filter(|row| (row.0, row.1) == (country, class));
            let rate: Decimal = own.next().expect("a rate").2.parse().expect("a number");
            Exact::from(rate)
        };
        let with_tax = |(class, net): &(&str, Money)| {
            let tax = net.exact().times(rate(class)).expect("fits");
            net.plus(Money::round(tax, net.currency, Rounding::HalfUp).expect("fits"))
        };
        Money::sum(lines[0].1.currency, lines.iter().map(with_tax))
    }

    /// Days that are given back are taxed as the line that billed them.
    pub(super) fn check_tax(&self, invoice: &Invoice) -> Result<(), String> {
        for line in &invoice.document.lines {
            if let What::Credit {
                invoice: of,
                line: no,
                ..
            } = &line.what
            {
                let origin = &self.book.tenant().tables.invoices[of.as_str()].state;
                let tax = origin.line(*no).map(|l| &l.tax);
                if tax != Some(&line.tax) {
                    return Err(format!(
                        "line {no} of {of} bore {tax:?}, not {:?}",
                        line.tax
                    ));
                }
            }
        }
        Ok(())
    }

    /// A document in another currency tells all its tax in dollars, which is its seller's; a note at the rate of its document,
    /// and with the last one all that was told is given back.
    pub(super) fn check_stated(&self, id: &str, invoice: &Invoice) -> Result<(), String> {
        let document = &invoice.document;
        let taxed = document.taxes.iter().any(|group| !group.amount.is_zero());
        let tells = taxed && document.currency != currency("USD") && is_booked(invoice);
        let told = match &invoice.stated {
            Some(told) if tells => told,
            None if !tells => return Ok(()),
            told => return Err(format!("{id} in {} tells {told:?}", document.currency)),
        };
        let fixed = match document.currency.code() {
            "JPY" => Exact::ratio(67, 10_000),
            _ => Exact::ratio(5, 4),
        };
        let fixed = fixed.expect("fits");
        let corrected = document.corrects.as_ref().map(|id| self.document(id));
        for part in &told.parts {
            if self.fixed && part.rate != fixed {
                return Err(format!("{id} has a rate of {}", part.rate));
            }
            let exact = part.of.exact().times(part.rate).expect("fits");
            let whole = Money::round(exact, currency("USD"), Rounding::HalfUp).expect("fits");
            // What notes before rounded away is made good by a later one.
            let off = i128::from(corrected.is_some());
            if part.amount.minus(whole).minor.abs() > off {
                return Err(format!(
                    "{id}: {} of tax is told as {}",
                    part.of, part.amount
                ));
            }
            let origin = corrected.and_then(|c| c.stated.as_ref());
            let same = |told: &TaxStated| told.parts.iter().any(|o| o.rate == part.rate);
            if corrected.is_some() && !origin.is_some_and(|told| same(told)) {
                return Err(format!("{id} has another rate than what it corrects"));
            }
        }
        let notes: BTreeSet<&String> = invoice.credited.iter().map(|c| &c.note).collect();
        let of_notes = notes
            .iter()
            .filter_map(|note| self.document(note).stated.as_ref());
        let back = Money::sum(currency("USD"), of_notes.map(|told| told.total));
        let rest = told.total.plus(back);
        match invoice.left().is_zero() && !notes.is_empty() && !rest.is_zero() {
            true => Err(format!("{id} is given back, {rest} of tax stays told")),
            false => Ok(()),
        }
    }
}
