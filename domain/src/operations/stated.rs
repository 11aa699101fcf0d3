//! Tax in the currency of the legal entity, where a document has another one: which rate counts, and what is told.

use super::{exchange, seller_of};
use crate::advances::Advance;
use crate::charges::What;
use crate::exchange::Quote;
use crate::invoices::{Command, Document, Invoice, Line, StatedTax, TaxGroup, TaxStated};
use crate::invoicing::{Exchange, RateDay};
use crate::kernel::{Currency, Date, Exact, Id, Money, Rejection};
use crate::session::Session;
use std::collections::BTreeMap;

/// Days for which a rate holds where nobody said how long: a central bank publishes on working days, and around Easter none
/// comes for four days.
const RATE_AGE: u32 = 7;

/// Members of the Union: there a document has to tell its tax in the national currency. From elsewhere it does where a rate is known.
const UNION: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// Tells the tax of a document that was just finalised.
///
/// Errors: RATE_MISSING.
pub(super) fn tell(
    session: &mut Session<'_>,
    invoice: &str,
    told: Option<TaxStated>,
) -> Result<(), Rejection> {
    if let Some(told) = told {
        session.decide::<Invoice>(invoice, Command::StateTax(told))?;
    }
    Ok(())
}

/// The currency that a document's tax is told in beside its own; none where there is nothing to tell.
fn currency(session: &Session<'_>, document: &Document) -> Result<Option<Currency>, Rejection> {
    let own = seller_of(session, &document.entity)?.currency;
    let taxed = document.taxes.iter().any(|group| !group.amount.is_zero());
    let other = own != document.currency && own != Currency::default();
    Ok((other && taxed && document.kind.is_booked()).then_some(own))
}

/// The tax of a document that is issued on a day, in the currency of its legal entity; none where it has no other, or where no rate
/// is known and none is asked for.
///
/// The rate is that of the day the document is as of, whose tax rates it has, and never of a day that is still to come. What
/// a group only gives back of earlier documents has the rate that those had.
///
/// Errors: RATE_MISSING.
pub(super) fn of(
    session: &Session<'_>,
    document: &Document,
    issued: Date,
) -> Result<Option<TaxStated>, Rejection> {
    let Some(to) = currency(session, document)? else {
        return Ok(None);
    };
    let mut own: Option<Quote> = None;
    let mut parts = Vec::new();
    for group in &document.taxes {
        for (origin, of) in by_origin(session, document, group)? {
            let earlier = origin.and_then(|id| earlier(session, id, &group.tax, to));
            let quote = match (earlier, &own) {
                (Some(quote), _) => quote,
                (None, Some(own)) => own.clone(),
                (None, None) => {
                    let day = document.as_of.min(issued);
                    let Some(quote) = quote(session, document, to, day)? else {
                        return Ok(None);
                    };
                    own.insert(quote).clone()
                }
            };
            parts.push(StatedTax::at(quote, &group.tax, of, to, document.rounding)?);
        }
    }
    Ok(TaxStated::of(to, parts))
}

/// The tax of a credit note: at the rate of the document that it corrects, whatever the currency of the legal entity is now.
/// One that told nothing, because it is of a time before this was told, has the rate of its day.
///
/// Errors: RATE_MISSING.
pub(super) fn of_note(
    session: &Session<'_>,
    corrected: &Invoice,
    note: &Document,
) -> Result<Option<TaxStated>, Rejection> {
    let origin: &Document = &corrected.document;
    let to = match &corrected.stated {
        Some(told) => told.total.currency,
        None => match currency(session, origin)? {
            Some(to) => to,
            None => return Ok(None),
        },
    };
    let mut parts = Vec::new();
    for group in note.taxes.iter().filter(|group| !group.amount.is_zero()) {
        let told = corrected.stated.as_ref();
        let quote = match told.and_then(|told| told.part(&group.tax)) {
            Some(part) => part.quote(),
            None => {
                let issued = corrected.issued.unwrap_or(origin.as_of);
                let Some(quote) = quote(session, origin, to, origin.as_of.min(issued))? else {
                    return Ok(None);
                };
                quote
            }
        };
        let in_group = |line: u32| corrected.line(line).is_some_and(|l| l.tax == group.tax);
        let before = corrected.credited.iter().filter(|c| in_group(c.line));
        let before = Money::sum(origin.currency, before.map(|c| c.tax));
        let of = (before, group.amount.negated());
        parts.push(StatedTax::given_back(
            quote,
            &group.tax,
            of,
            to,
            origin.rounding,
        )?);
    }
    Ok(TaxStated::of(to, parts))
}

/// The rate of a day; none where there is none and nobody asks for one.
///
/// Errors: RATE_MISSING of a seller in the Union.
fn quote(
    session: &Session<'_>,
    document: &Document,
    to: Currency,
    day: Date,
) -> Result<Option<Quote>, Rejection> {
    let terms = exchange::terms_of(session, &document.account, &document.entity);
    let terms = terms.unwrap_or(Exchange {
        day: RateDay::Document,
        max_age_days: RATE_AGE,
    });
    let pair = (document.currency, to);
    let quote = exchange::quote(session, &document.entity, pair, day, terms);
    let asked = UNION.contains(&seller_of(session, &document.entity)?.country.as_str());
    match quote {
        Err(missing) if missing.code == "RATE_MISSING" && !asked => Ok(None),
        found => found.map(Some),
    }
}

/// The rate at which an earlier document told its tax in a currency.
fn earlier(
    session: &Session<'_>,
    invoice: &str,
    tax: &crate::taxes::Answer,
    to: Currency,
) -> Option<Quote> {
    let told = session.find::<Invoice>(invoice)?.state.stated.as_ref()?;
    let part = told.part(tax).filter(|_| told.total.currency == to)?;
    Some(part.quote())
}

/// The tax of a group by the documents that its lines give back; whole where one of them is a supply.
fn by_origin<'s>(
    session: &'s Session<'_>,
    document: &'s Document,
    group: &TaxGroup,
) -> Result<Vec<(Option<&'s Id>, Money)>, Rejection> {
    if group.amount.is_zero() {
        return Ok(vec![]);
    }
    let mut of: BTreeMap<&Id, i128> = BTreeMap::new();
    for line in document.lines.iter().filter(|l| l.tax == group.tax) {
        let Some((origin, weight)) = given_back(session, line)? else {
            return Ok(vec![(None, group.amount)]);
        };
        let sum = of.entry(origin).or_default();
        *sum = sum.saturating_add(weight);
    }
    let weights: Vec<i128> = of.values().copied().collect();
    Ok(match group.amount.allocate(&weights) {
        Ok(shares) => of.into_keys().map(Some).zip(shares).collect(),
        Err(_) => vec![(None, group.amount)],
    })
}

/// The earlier document that a line gives something of back, and how much of the tax of its group that is.
fn given_back<'s>(
    session: &'s Session<'_>,
    line: &'s Line,
) -> Result<Option<(&'s Id, i128)>, Rejection> {
    Ok(match &line.what {
        What::Credit { invoice, .. } => {
            let tax = line.net.exact().times(Exact::from(line.tax.rate))?;
            let tax = Money::round(tax, line.net.currency, Default::default())?;
            Some((invoice, tax.minor.saturating_neg()))
        }
        What::Deducted { advance, tax } => session
            .find::<Advance>(advance)
            .map(|e| (&e.state.invoice, tax.minor)),
        _ => None,
    })
}
