//! Tax in the accounting currency: what the tax of a document is in the currency of the legal entity that sells, where the
//! document has another one.
//!
//! - A document may be in any currency; its tax is told in the national one too (Directive 2006/112/EC, article 230), at the
//!   rate of the day on which the tax became due (article 91 (2)). EN 16931 has it as BT-6 and BT-111.
//! - It is a fact beside the finalised document, of which nothing is told where both currencies are the same.
//! - Each part is rounded once, and the parts make the total.

use super::{Invoice, Stage};
use crate::exchange::Quote;
use crate::kernel::{Currency, Date, Exact, Money, Rejection, Rounding};
use crate::taxes::Answer;
use serde::{Deserialize, Serialize};

/// The tax of one tax group, or of what a group gives back of one earlier document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatedTax {
    /// The tax group.
    pub tax: Answer,
    /// In the document's currency; below zero where it is given back.
    pub of: Money,
    /// In the accounting currency.
    pub amount: Money,
    /// Units of the accounting currency for one unit of the document's.
    pub rate: Exact,
    /// The day whose rate it is.
    pub on: Date,
    /// Who told the rate.
    pub source: String,
}

/// The tax of a finalised document was told in the accounting currency of its legal entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaxStated {
    /// Groups without tax are left out.
    pub parts: Vec<StatedTax>,
    /// The sum of the parts.
    pub total: Money,
}

impl TaxStated {
    /// Sums parts; none where there are none.
    pub fn of(currency: Currency, parts: Vec<StatedTax>) -> Option<TaxStated> {
        let total = Money::sum(currency, parts.iter().map(|part| part.amount));
        (!parts.is_empty()).then_some(TaxStated { parts, total })
    }

    /// The part of a tax; another one of the same document where it has none of this tax.
    pub fn part(&self, tax: &Answer) -> Option<&StatedTax> {
        let same = self.parts.iter().find(|part| part.tax == *tax);
        same.or(self.parts.first())
    }
}

impl StatedTax {
    /// The rate that it has.
    pub fn quote(&self) -> Quote {
        Quote {
            rate: self.rate,
            on: self.on,
            source: self.source.clone(),
        }
    }

    /// An amount of tax at a rate, rounded once.
    ///
    /// Errors: AMOUNT_TOO_LARGE.
    pub fn at(
        quote: Quote,
        tax: &Answer,
        of: Money,
        to: Currency,
        rounding: Rounding,
    ) -> Result<StatedTax, Rejection> {
        Ok(StatedTax {
            tax: tax.clone(),
            of,
            amount: worth(&quote, of, to, rounding)?,
            rate: quote.rate,
            on: quote.on,
            source: quote.source,
        })
    }

    /// What a credit note gives back, `before` of it being given back already, both above zero: with the last of it the notes
    /// have given back what the document stated, to the cent (policy 22).
    ///
    /// Errors: AMOUNT_TOO_LARGE.
    pub fn given_back(
        quote: Quote,
        tax: &Answer,
        (before, now): (Money, Money),
        to: Currency,
        rounding: Rounding,
    ) -> Result<StatedTax, Rejection> {
        let upto = worth(&quote, before.plus(now), to, rounding)?;
        let gone = worth(&quote, before, to, rounding)?;
        let amount = gone.minus(upto);
        let whole = StatedTax::at(quote, tax, now.negated(), to, rounding)?;
        Ok(StatedTax { amount, ..whole })
    }
}

fn worth(quote: &Quote, of: Money, to: Currency, rounding: Rounding) -> Result<Money, Rejection> {
    Money::round(of.exact().times(quote.rate)?, to, rounding)
}

/// Only of a finalised document, once, and of all of its tax.
pub(super) fn decide(state: &Invoice, told: TaxStated) -> Result<TaxStated, Rejection> {
    if state.stage != Stage::Finalised || state.stated.is_some() {
        return Err(Rejection::new(
            "TAX_NOT_STATED",
            "the tax of a document is told once, when it is finalised",
        ));
    }
    match broken(state, &told) {
        None => Ok(told),
        Some(why) => Err(Rejection::new("DOCUMENT_UNBALANCED", why)),
    }
}

/// What does not hold of stated tax: its parts make its total, and are of all the tax of the document.
pub(crate) fn broken(invoice: &Invoice, told: &TaxStated) -> Option<String> {
    let document = &invoice.document;
    let sum = Money::sum(
        told.total.currency,
        told.parts.iter().map(|part| part.amount),
    );
    if sum != told.total {
        return Some(format!(
            "parts of {sum} do not make a tax of {}",
            told.total
        ));
    }
    document.taxes.iter().find_map(|group| {
        let of = told.parts.iter().filter(|part| part.tax == group.tax);
        let of = Money::sum(document.currency, of.map(|part| part.of));
        (of != group.amount).then(|| {
            format!(
                "tax of {} is told in {}, of {} there is {}",
                of, told.total.currency, group.tax.name, group.amount
            )
        })
    })
}
