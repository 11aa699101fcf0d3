//! How a line came to its amount, as figures: every multiplication, in its order, down to rounding, discounts and tax.
//!
//! Nothing of it is stored: it follows from the contract, the charges and the meter as they stood when the document was
//! made, and whoever asks brings them. The figures sum to the line exactly ([`Explained::recomputed`]); what cannot be
//! traced any more, because it was changed since, is one figure that says so ([`Source::Other`]).

mod fees;
mod kept;
mod used;
mod words;

use super::{Charges, What};
use crate::catalog::PriceSource;
use crate::commitments::{Agreed, Commitments};
use crate::invoices::{Converted, Document, Line, Reduction, compose};
use crate::kernel::{Currency, Date, Days, Decimal, Exact, Id, Money, Rejection, Rounding};
use crate::subscriptions::{Subscription, Term, commitments, schedule};
use crate::usage::{Kept, Metered};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What stood behind a line when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Behind<'a> {
    /// The document's id: what it billed itself was not billed before.
    pub invoice: &'a str,
    pub subscription: Option<&'a Subscription>,
    /// The charge stream of the line.
    pub charges: Option<&'a Charges>,
    /// The meter of a line of usage.
    pub metered: Option<&'a Metered>,
    /// Its records, in the order they were rated: only models that price single records need them.
    pub records: &'a [Kept],
    /// Meters of the same charge before it, by their first days, where what stands carries over: see [`earlier`].
    pub before: &'a BTreeMap<Date, Metered>,
    /// What the account committed itself to, of a line that belongs to no subscription.
    pub commitments: Option<&'a Commitments>,
    /// What was rated of it, by subscription: see [`rated`].
    pub rated: &'a [(Id, Exact)],
}

impl Default for Behind<'_> {
    fn default() -> Self {
        static NONE: BTreeMap<Date, Metered> = BTreeMap::new();
        Behind {
            invoice: "",
            subscription: None,
            charges: None,
            metered: None,
            records: &[],
            before: &NONE,
            commitments: None,
            rated: &[],
        }
    }
}

/// First days of the earlier periods whose meters say what a period of a charge began with.
pub fn earlier(sub: &Subscription, charge: &str, from: Date) -> Vec<Date> {
    let carries = |t: &Term| {
        let mut usage = t.offer.usage.iter();
        usage.any(|u| u.code == charge && u.carry && u.remembers())
    };
    if !term_on(sub, from).is_some_and(carries) {
        return vec![];
    }
    let periods = schedule::usage_periods(sub, from).into_iter();
    let same = periods.filter(|p| p.charge.code == charge && p.days.from < from);
    same.map(|p| p.days.from).collect()
}

/// The meters that tell what was rated of a subscription in the days of a commitment: charge and first day.
pub fn meters(sub: &Subscription, days: Days) -> Vec<(String, Date)> {
    let carries = sub
        .terms
        .iter()
        .any(|t| t.offer.usage.iter().any(|u| u.carry));
    let since = if carries { Date::MIN } else { days.from };
    let periods = schedule::usage_periods_since(sub, since, days.until).into_iter();
    let mut all: Vec<_> = periods
        .map(|p| (p.charge.code.clone(), p.days.from))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// What counts of a subscription for a commitment of its account. `metered` answers for those of [`meters`].
///
/// Errors: an amount that does not fit.
pub fn rated<'m>(
    agreed: &Agreed,
    sub: &Subscription,
    days: Days,
    metered: impl Fn(&str, Date) -> Option<&'m Metered>,
) -> Result<Exact, Rejection> {
    let counts =
        |term: &Term, _: &str| agreed.offers.is_empty() || agreed.offers.contains(&term.offer.code);
    commitments::rated(sub, days, counts, metered)
}

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Units at the price of their tier, or of the model.
    Price,
    /// Due once because a tier was entered.
    Flat,
    /// An amount that was agreed or asked for.
    Amount,
    /// What the whole period costs, where that is not simply price × units: the highest quantity of the period, for example.
    Period,
    /// The part of it that an earlier line carries.
    Paid,
    /// Money that the records carry.
    Carried,
    /// A percentage of what the records are worth, beyond what is free.
    Percentage,
    /// A fee for each record that is not free.
    PerRecord,
    /// What the least and the most of a record change.
    RecordBounds,
    /// Records of which each has a price of its own; their charges say how they came to it.
    Records,
    /// A level, for as long as it stood.
    Level,
    /// What counters of money pay, less what units cost that counters cover.
    Counters,
    /// What wallets paid.
    Wallets,
    /// What the least or the most of a period changes.
    Bounds,
    /// What a commitment asks for.
    Commitment,
    /// What was rated of it.
    Rated,
    /// Unused days of an earlier line, given back.
    GivenBack,
    /// It stands on the document, and what it came from was changed since.
    Other,
}

/// One step of the arithmetic: quantity × price × share = amount.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub source: Source,
    /// What it is about: a tier, a counter.
    pub text: String,
    pub quantity: Exact,
    pub price: Exact,
    /// Days of the period that count, and days of the whole period.
    pub share: Option<(i64, i64)>,
    pub amount: Exact,
    /// From 1, of a model with tiers.
    pub tier: Option<u32>,
    /// The tier begins after so many units.
    pub after: Option<Exact>,
    /// Its last quantity.
    pub up_to: Option<Decimal>,
}

impl Figure {
    fn new(source: Source, quantity: Exact, price: Exact) -> Result<Figure, Rejection> {
        Ok(Figure {
            source,
            text: String::new(),
            quantity,
            price,
            share: None,
            amount: quantity.times(price)?,
            tier: None,
            after: None,
            up_to: None,
        })
    }

    /// One amount, as it is.
    fn amount(source: Source, amount: Exact) -> Result<Figure, Rejection> {
        Figure::new(source, Exact::from(1), amount)
    }

    fn told(self, text: impl Into<String>) -> Figure {
        Figure {
            text: text.into(),
            ..self
        }
    }

    fn shared(self, (part, whole): (i64, i64)) -> Result<Figure, Rejection> {
        Ok(Figure {
            amount: self.amount.share(part.into(), whole.into())?,
            share: Some((part, whole)),
            ..self
        })
    }

    /// quantity × price × share, computed again.
    pub fn recomputed(&self) -> Result<Exact, Rejection> {
        let product = self.quantity.times(self.price)?;
        match self.share {
            Some((part, whole)) => product.share(part.into(), whole.into()),
            None => Ok(product),
        }
    }
}

/// The offer as it was sold, and why its price is what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Sold {
    pub offer: String,
    pub version: u32,
    /// None: simply the offer's.
    pub source: Option<PriceSource>,
}

/// What was used in a period.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    pub unit: String,
    pub records: u64,
    /// Aggregated units beyond counters, before the allowance.
    pub units: Exact,
    /// Free in each period before the price sees the rest.
    pub allowance: Option<Decimal>,
    /// Units that the price sees.
    pub priced: Exact,
    pub counters: Vec<Covered>,
    /// What wallets paid.
    pub burnt: Exact,
}

/// What a counter covered.
#[derive(Clone, Debug, PartialEq)]
pub struct Covered {
    pub counter: String,
    pub amount: Exact,
    /// False: units.
    pub money: bool,
}

/// The line's part of the tax of its group.
#[derive(Clone, Debug, PartialEq)]
pub struct TaxShare {
    pub name: String,
    pub rate: Decimal,
    pub group_net: Money,
    /// Rounded once for the group (policy 21).
    pub group_amount: Money,
    /// The parts of a group's lines sum to it (policy 3).
    pub amount: Money,
}

/// How a line came to its amount.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    pub sold: Option<Sold>,
    /// The days that are charged.
    pub days: Option<Days>,
    /// The whole period that they are part of.
    pub period: Option<Days>,
    pub used: Option<Use>,
    pub figures: Vec<Figure>,
    /// Sum of the figures, before rounding, in the currency of the sale.
    pub exact: Exact,
    pub rounding: Rounding,
    /// In the currency of the sale.
    pub rounded: Money,
    /// Of the same period, on earlier documents; in the currency of the sale.
    pub billed_before: Money,
    /// Of a charge that is sold in another currency than the document's: what is left, and the rate.
    pub converted: Option<Converted>,
    /// What is left of `rounded`, before discounts, in the document's currency.
    pub before_discounts: Money,
    pub reductions: Vec<Reduction>,
    /// Of a price that includes tax: what the customer pays.
    pub gross: Option<Money>,
    pub net: Money,
    pub tax: TaxShare,
}

/// What the arithmetic of one kind of line comes to, before it is rounded.
#[derive(Default)]
struct Arithmetic {
    sold: Option<Sold>,
    period: Option<Days>,
    used: Option<Use>,
    figures: Vec<Figure>,
    billed_before: Option<Money>,
}

impl Arithmetic {
    fn of(figures: Vec<Figure>) -> Arithmetic {
        Arithmetic {
            figures,
            ..Arithmetic::default()
        }
    }
}

fn sum(figures: &[Figure]) -> Result<Exact, Rejection> {
    figures
        .iter()
        .try_fold(Exact::ZERO, |sum, figure| sum.plus(figure.amount))
}

/// Explains one line of a document.
///
/// Errors: an amount that does not fit.
pub fn line(document: &Document, line: &Line, behind: Behind<'_>) -> Result<Explained, Rejection> {
    let sold = sold(line, document)?;
    let sale = Sale {
        currency: sold.net.currency,
        rounding: document.rounding,
        as_of: document.as_of,
    };
    let zero = Money::zero(sale.currency);
    let mut found = match &sold.what {
        _ if sold.corrects_line.is_some() => {
            let back = Figure::amount(Source::GivenBack, sold.exact)?;
            Arithmetic::of(vec![back.told(sold.explain.as_str())])
        }
        What::Usage { charge, days } => used::arithmetic(&sold, charge, *days, behind, sale)?,
        other => fees::arithmetic(&sold, other, behind, sale)?,
    };
    let mut billed_before = found.billed_before.unwrap_or(zero);
    let mut exact = sum(&found.figures)?;
    let mut rounded = sale.round(exact)?;
    let asked = sold.before_discounts();
    if rounded.minus(billed_before) != asked {
        // What it was computed from is not there any more: a later fact changed it.
        let amount = match sale.round(sold.exact)? == asked {
            true => sold.exact,
            false => asked.exact(),
        };
        let other = Figure::amount(Source::Other, amount)?.told(sold.explain.as_str());
        found.figures = vec![other];
        (billed_before, exact, rounded) = (zero, amount, asked);
    }
    Ok(Explained {
        sold: found.sold,
        days: line.what.days(),
        period: found.period,
        used: found.used,
        figures: found.figures,
        exact,
        rounding: document.rounding,
        rounded,
        billed_before,
        converted: line.converted.clone(),
        before_discounts: line.before_discounts(),
        reductions: line.reductions.clone(),
        gross: line.gross,
        net: line.net,
        tax: tax_share(document, line)?,
    })
}

/// What one group of a charge comes to (`group_by`).
#[derive(Clone, Debug, PartialEq)]
pub struct OfGroup {
    /// Attributes of the records and the value that those of the group have; empty: they do not have it.
    pub values: Vec<(String, String)>,
    pub unit: String,
    pub units: Exact,
    /// Before what bounds the whole period, what counters and wallets paid, and discounts.
    pub amount: Exact,
    /// They sum to the amount.
    pub figures: Vec<Figure>,
}

/// The groups that a line of usage is made of; none where they do not make all of it.
///
/// Errors: an amount that does not fit.
pub fn groups(
    document: &Document,
    line: &Line,
    behind: Behind<'_>,
) -> Result<Option<Vec<OfGroup>>, Rejection> {
    let What::Usage { charge, days } = &line.what else {
        return Ok(None);
    };
    if line.corrects_line.is_some() {
        return Ok(None);
    }
    let sold = sold(line, document)?;
    let sale = Sale {
        currency: sold.net.currency,
        rounding: document.rounding,
        as_of: document.as_of,
    };
    used::groups(&sold, charge, *days, behind, sale)
}

/// How amounts of a line become money before they are converted.
#[derive(Clone, Copy, Debug)]
struct Sale {
    currency: Currency,
    rounding: Rounding,
    as_of: Date,
}

impl Sale {
    fn round(self, exact: Exact) -> Result<Money, Rejection> {
        Money::round(exact, self.currency, self.rounding)
    }
}

/// The line before it was converted and before discounts.
fn sold<'l>(line: &'l Line, document: &Document) -> Result<Cow<'l, Line>, Rejection> {
    let Some(converted) = &line.converted else {
        return Ok(Cow::Borrowed(line));
    };
    let (from, rate) = (converted.from, converted.rate);
    let exact = match rate.is_zero() {
        true => from.exact(),
        false => line.exact.share(rate.denominator(), rate.numerator())?,
    };
    let rounds = Money::round(exact, from.currency, document.rounding)? == from;
    Ok(Cow::Owned(Line {
        exact: if rounds { exact } else { from.exact() },
        net: from,
        gross: line.gross.map(|_| from),
        reductions: vec![],
        converted: None,
        ..line.clone()
    }))
}

/// The tax of the line's group, split over the lines of the group: by largest remainder; where lines below zero are among
/// them, so that what the lines up to each one come to is rounded.
fn tax_share(document: &Document, line: &Line) -> Result<TaxShare, Rejection> {
    let zero = Money::zero(document.currency);
    let mut share = TaxShare {
        name: line.tax.name.clone(),
        rate: line.tax.rate,
        group_net: zero,
        group_amount: zero,
        amount: zero,
    };
    let Some(group) = document.taxes.iter().find(|g| g.tax == line.tax) else {
        return Ok(share);
    };
    (share.group_net, share.group_amount) = (group.net, group.amount);
    // An advance is taken off with the tax that it had; the other lines share what is asked for them.
    if let What::Deducted { tax, .. } = &line.what {
        share.amount = tax.negated();
        return Ok(share);
    }
    let members = || document.lines.iter().filter(|l| l.tax == line.tax);
    let (taken, taxed) = compose::taken_off(members(), document.currency);
    let (net, amount) = (group.net.plus(taken), group.amount.plus(taxed));
    let lines: Vec<&Line> = members()
        .filter(|l| !matches!(l.what, What::Deducted { .. }))
        .collect();
    let at = lines.iter().position(|l| l.no == line.no).unwrap_or(0);
    let one_sign =
        lines.iter().all(|l| !l.net.is_negative()) || lines.iter().all(|l| !l.net.is_positive());
    let parts: Vec<Money> = if net.is_zero() {
        let mut parts = vec![zero; lines.len()];
        if let Some(last) = parts.last_mut() {
            *last = amount;
        }
        parts
    } else if one_sign {
        let weight = |l: &&Line| l.net.minor.saturating_abs();
        amount.allocate(&lines.iter().map(weight).collect::<Vec<_>>())?
    } else {
        let (mut so_far, mut before, mut parts) = (Exact::ZERO, zero, Vec::new());
        for line in &lines {
            so_far = so_far.plus(line.net.exact())?;
            let part = so_far.times(amount.exact())?;
            let whole = net.exact();
            let upto = part.share(whole.denominator(), whole.numerator())?;
            let upto = Money::round(upto, document.currency, Rounding::HalfUp)?;
            parts.push(upto.minus(before));
            before = upto;
        }
        parts
    };
    share.amount = parts.get(at).copied().unwrap_or(zero);
    Ok(share)
}

impl Explained {
    /// What the figures come to when everything is computed again from them; it is the line's net (of a price that
    /// includes tax: what the customer pays).
    pub fn recomputed(&self) -> Result<Money, Rejection> {
        let each = self.figures.iter().map(Figure::recomputed);
        let exact = each
            .into_iter()
            .try_fold(Exact::ZERO, |sum, e| sum.plus(e?))?;
        let rounded = Money::round(exact, self.rounded.currency, self.rounding)?;
        let asked = rounded.minus(self.billed_before);
        let off = Money::sum(self.net.currency, self.reductions.iter().map(|r| r.amount));
        match &self.converted {
            // What days that are given back make in the other currency follows from their line, not from the rate alone.
            Some(converted) if converted.from == asked => Ok(self.before_discounts.minus(off)),
            Some(converted) => {
                let amount = asked.exact().times(converted.rate)?;
                let amount = Money::round(amount, self.net.currency, self.rounding)?;
                Ok(amount.minus(off))
            }
            None => Ok(asked.minus(off)),
        }
    }

    /// Whether everything could be traced to what it came from.
    pub fn traced(&self) -> bool {
        self.figures.iter().all(|f| f.source != Source::Other)
    }
}

/// The term of a subscription that a day of a charge belongs to.
fn term_on(sub: &Subscription, on: Date) -> Option<&Term> {
    let running = sub.term_on(on).map(|(_, term)| term);
    running.or_else(|| sub.terms.iter().rev().find(|t| t.from <= on))
}
