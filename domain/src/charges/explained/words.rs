//! The figures as sentences.

use super::{Explained, Figure, Source};
use crate::kernel::{Exact, Rounding};

/// Decimals of exact amounts (policy 1).
const PLACES: u32 = 12;

fn shown(exact: Exact) -> String {
    exact.to_decimal(PLACES)
}

impl Figure {
    /// `100 minute at 0.05`, `15/31 of 1 at 30`.
    pub fn words(&self, unit: &str) -> String {
        let quantity = shown(self.quantity);
        let named = match (self.source, unit) {
            (Source::Price | Source::Percentage | Source::Carried, unit) if !unit.is_empty() => {
                format!("{quantity} {unit} at {}", shown(self.price))
            }
            _ if self.quantity == Exact::from(1) => shown(self.price),
            _ => format!("{quantity} × {}", shown(self.price)),
        };
        let shared = match self.share {
            Some((part, whole)) => format!("{part}/{whole} of {named}"),
            None => named,
        };
        let what = match self.source {
            Source::Flat => "once",
            Source::Paid => "paid before",
            Source::PerRecord | Source::RecordBounds | Source::Bounds | Source::Records => {
                &self.text
            }
            Source::Counters => "paid by counters",
            Source::Wallets => "paid by wallets",
            Source::Rated => "rated",
            Source::GivenBack => "given back",
            _ => "",
        };
        match what.is_empty() {
            true => shared,
            false => format!("{shared} ({what})"),
        }
    }
}

impl Explained {
    /// The arithmetic in one sentence: `100 minute at 0.05 + 20 minute at 0.04 = 5.80`.
    pub fn arithmetic(&self) -> String {
        let unit = self.used.as_ref().map_or("", |used| used.unit.as_str());
        let figures: Vec<String> = self.figures.iter().map(|f| f.words(unit)).collect();
        format!("{} = {}", figures.join(" + "), shown(self.exact))
    }

    /// All of it, one sentence each.
    pub fn words(&self) -> Vec<String> {
        let mut out = Vec::new();
        if let Some(sold) = &self.sold {
            let why = sold.source.as_ref().map(|s| format!("; price: {}", s.why));
            let why = why.unwrap_or_default();
            out.push(format!(
                "offer {} version {}{why}",
                sold.offer, sold.version
            ));
        }
        if let (Some(days), Some(period)) = (self.days, self.period) {
            let (part, whole) = (days.count(), period.count());
            out.push(format!("{days}, {part} of {whole} days of {period}"));
        }
        if let Some(used) = &self.used {
            let mut told = format!(
                "{} {} in {} records",
                shown(used.units),
                used.unit,
                used.records
            );
            if let Some(allowance) = used.allowance {
                let priced = shown(used.priced);
                told.push_str(&format!(", {allowance} free, {priced} priced"));
            }
            out.push(told);
            out.extend(used.counters.iter().map(|c| {
                let of = if c.money { "of the amount" } else { &used.unit };
                format!("counter {} covered {} {of}", c.counter, shown(c.amount))
            }));
        }
        out.push(self.arithmetic());
        let how = match self.rounding {
            Rounding::HalfUp => "half away from zero",
            Rounding::HalfEven => "half to even",
            Rounding::Up => "up",
            Rounding::Down => "down",
        };
        out.push(format!("rounded {how}: {}", self.rounded));
        if !self.billed_before.is_zero() {
            let left = self.rounded.minus(self.billed_before);
            out.push(format!(
                "{} of it was billed before: {left}",
                self.billed_before
            ));
        }
        if let Some(converted) = &self.converted {
            out.push(format!(
                "{} at {} each on {} ({}): {}",
                converted.from,
                shown(converted.rate),
                converted.on,
                converted.source,
                self.before_discounts
            ));
        }
        let off = self.reductions.iter();
        out.extend(off.map(|r| format!("{}: −{}", r.text, r.amount)));
        let tax = &self.tax;
        if let Some(gross) = self.gross {
            out.push(format!("{gross} with tax, {} without", self.net));
        }
        out.push(format!(
            "{} at rate {} on {} of the document is {}, of which this line has {}",
            tax.name, tax.rate, tax.group_net, tax.group_amount, tax.amount
        ));
        out
    }
}
