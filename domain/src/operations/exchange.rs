//! Charges in another currency than the account's: in which currency a sale is, which rate counts, and the amount it makes.

use super::billing::owner_of;
use super::entity_terms;
use crate::accounts::AccountTerms;
use crate::charges::{Charges, What};
use crate::command::{Outcome, RateOfDay};
use crate::exchange::{self, Command, ExchangeRates, Quote, RateTold, RateWithdrawn};
use crate::invoices::{Converted, Invoice, Line, product_lines::served_from};
use crate::invoicing::{self, Exchange, Invoicing, RateDay};
use crate::kernel::{Currency, Date, Exact, Id, Money, Rejection, Rounding, calendar::add_days};
use crate::session::Session;
use crate::subscriptions::Subscription;
use std::collections::BTreeMap;

pub(super) fn tell(
    session: &mut Session<'_>,
    entity: Option<Id>,
    rates: Vec<RateOfDay>,
) -> Result<Outcome, Rejection> {
    if rates.is_empty() || rates.len() > exchange::RATES_AT_ONCE {
        return Err(Rejection::new(
            "RATES_TOO_MANY",
            format!(
                "1 to {} rates are told at once, not {}",
                exchange::RATES_AT_ONCE,
                rates.len()
            ),
        ));
    }
    if let Some(entity) = &entity {
        entity_terms(session, entity)?;
    }
    let mut outcome = Outcome::default();
    for rate in rates {
        let pair = pair(entity.as_deref(), rate.from, rate.to)?;
        let told = RateTold {
            on: rate.on,
            rate: rate.rate,
            source: rate.source,
        };
        session.decide::<ExchangeRates>(&pair, Command::Tell(told))?;
        let touched = ("exchange".to_string(), pair);
        if !outcome.touched.contains(&touched) {
            outcome.touched.push(touched);
        }
    }
    Ok(outcome)
}

pub(super) fn withdraw(
    session: &mut Session<'_>,
    entity: Option<&str>,
    (from, to): (Currency, Currency),
    on: Date,
    reason: String,
) -> Result<Outcome, Rejection> {
    let pair = pair(entity, from, to)?;
    let gone = RateWithdrawn { on, reason };
    session.decide::<ExchangeRates>(&pair, Command::Withdraw(gone))?;
    Ok(Outcome::of("exchange", &pair))
}

fn pair(entity: Option<&str>, from: Currency, to: Currency) -> Result<Id, Rejection> {
    if from == to || [from, to].contains(&Currency::default()) {
        return Err(Rejection::new(
            "RATE_INVALID",
            format!("a rate is of two currencies, not of {from} in {to}"),
        ));
    }
    Ok(exchange::id(entity, from, to))
}

/// How charges in another currency come onto an account's documents; none: they cannot.
pub(super) fn terms_of(session: &Session<'_>, account: &str, entity: &str) -> Option<Exchange> {
    let said = |stream: &str| session.find::<Invoicing>(stream)?.state.exchange;
    said(&invoicing::of_account(account)).or_else(|| said(&invoicing::of_entity(entity)))
}

/// The currency that a subscription is sold in and its charge stream remembers.
pub(crate) fn currency_of(sub: &Subscription, account: Currency) -> Currency {
    let sold = sub.terms.first().map(|t| t.offer.currency);
    sold.filter(|c| *c != Currency::default())
        .unwrap_or(account)
}

/// The currency of a sale: a subscription keeps its own, a new one has the account's.
pub(super) fn currency_of_sale(
    session: &Session<'_>,
    subscription: &str,
    terms: &AccountTerms,
) -> Currency {
    let known = session.find::<Subscription>(subscription);
    known.map_or(terms.currency, |e| currency_of(&e.state, terms.currency))
}

/// Whether the documents of who pays for an account convert what is sold in another currency.
pub(super) fn converts(session: &Session<'_>, account: &str, terms: &AccountTerms) -> bool {
    terms_of(session, terms.payer(account), &terms.entity).is_some()
}

/// The latest rate of a day or shortly before: the entity's own, else the tenant's; either direction.
///
/// Errors: RATE_MISSING.
pub(super) fn quote(
    session: &Session<'_>,
    entity: &str,
    (from, to): (Currency, Currency),
    day: Date,
    terms: Exchange,
) -> Result<Quote, Rejection> {
    let oldest = add_days(day, -i64::from(terms.max_age_days));
    for of in [Some(entity), None] {
        let straight = latest(session, &exchange::id(of, from, to), day, oldest);
        let reverse = latest(session, &exchange::id(of, to, from), day, oldest);
        // Of both directions the one that was told last; of one day the straight one.
        let newer = |a: &Quote| reverse.as_ref().is_none_or(|b| b.on <= a.on);
        if let Some(quote) = straight.filter(newer) {
            return Ok(quote);
        }
        if let Some(quote) = reverse {
            let rate = Exact::ratio(quote.rate.denominator(), quote.rate.numerator())?;
            return Ok(Quote { rate, ..quote });
        }
    }
    Err(Rejection::new(
        "RATE_MISSING",
        format!(
            "no rate of {from} in {to} was told for {day} or up to {} days before",
            terms.max_age_days
        ),
    ))
}

fn latest(session: &Session<'_>, pair: &str, day: Date, oldest: Date) -> Option<Quote> {
    let table = &session.find::<ExchangeRates>(pair)?.state;
    let (on, told) = table.latest(day, oldest)?;
    Some(Quote {
        rate: told.rate.into(),
        on,
        source: told.source.clone(),
    })
}

/// What an exact amount of a day is in another currency, for sums that meet in one.
pub(super) fn worth(
    session: &Session<'_>,
    (account, entity): (&str, &str),
    amount: Exact,
    currencies: (Currency, Currency),
    day: Date,
) -> Result<Exact, Rejection> {
    let terms = terms_of(session, account, entity).ok_or_else(|| apart(currencies))?;
    amount.times(quote(session, entity, currencies, day, terms)?.rate)
}

fn apart((from, to): (Currency, Currency)) -> Rejection {
    Rejection::new(
        "CURRENCY_MISMATCH",
        format!("a charge is in {from}, the document in {to}, and nobody said how it is converted"),
    )
}

/// Where a document is going, for what comes in another currency.
pub(super) struct Target<'a> {
    pub payer: &'a str,
    pub entity: &'a str,
    pub currency: Currency,
    pub rounding: Rounding,
    pub as_of: Date,
}

/// Converts what is in another currency than the document's; nothing is looked up where nothing is.
///
/// Errors: RATE_MISSING, CURRENCY_MISMATCH.
pub(super) fn convert(
    session: &Session<'_>,
    to: &Target<'_>,
    lines: &mut [Line],
) -> Result<(), Rejection> {
    // What this document gives back of earlier lines, in the currency of the sale.
    let mut back: BTreeMap<(Id, u32), Money> = BTreeMap::new();
    for line in lines {
        if line.net.currency != to.currency {
            convert_line(session, to, line, &mut back)?;
        }
    }
    Ok(())
}

fn convert_line(
    session: &Session<'_>,
    to: &Target<'_>,
    line: &mut Line,
    back: &mut BTreeMap<(Id, u32), Money>,
) -> Result<(), Rejection> {
    let from = line.priced();
    if let What::Credit {
        invoice, line: no, ..
    } = &line.what
    {
        let of = (invoice.clone(), *no);
        if let Some((origin, converted)) = origin(session, &of) {
            let earlier = back.entry(of.clone()).or_insert(Money::zero(from.currency));
            let amount = given_back(session, line, &of, (origin.priced(), *earlier), from, to)?;
            *earlier = earlier.plus(from);
            let told = format!(
                "; converted as line {no} of {invoice} was, at the rate of {} ({}) = {amount}",
                converted.on, converted.source
            );
            let converted = Converted { from, ..converted };
            write(line, amount.exact(), amount, converted, &told);
            return Ok(());
        }
    }
    let quote = match corrected(session, line) {
        Some(converted) => Quote {
            rate: converted.rate,
            on: converted.on,
            source: converted.source,
        },
        None => {
            let pair = (from.currency, to.currency);
            let terms = terms_of(session, to.payer, to.entity).ok_or_else(|| apart(pair))?;
            let day = match terms.day {
                RateDay::Document => to.as_of,
                RateDay::Service => served_from(line).unwrap_or(to.as_of),
            };
            quote(session, to.entity, pair, day, terms)?
        }
    };
    let exact = line.exact.times(quote.rate)?;
    let amount = Money::round(exact, to.currency, to.rounding)?;
    let told = format!(
        "; {} {} × {} {} each on {} ({}) = {}, rounded to {amount}",
        line.exact.to_decimal(12),
        from.currency,
        quote.rate.to_decimal(12),
        to.currency,
        quote.on,
        quote.source,
        exact.to_decimal(12),
    );
    let converted = Converted {
        from,
        rate: quote.rate,
        on: quote.on,
        source: quote.source,
    };
    write(line, exact, amount, converted, &told);
    Ok(())
}

fn write(line: &mut Line, exact: Exact, amount: Money, converted: Converted, told: &str) {
    line.exact = exact;
    line.net = amount;
    line.gross = line.gross.map(|_| amount);
    line.converted = Some(converted);
    line.explain.push_str(told);
}

/// The converted line of an earlier document.
fn origin<'s>(
    session: &'s Session<'_>,
    (invoice, no): &(Id, u32),
) -> Option<(&'s Line, Converted)> {
    let line = session.find::<Invoice>(invoice)?.state.line(*no)?;
    Some((line, line.converted.clone()?))
}

/// How the first line of the same usage or commitment was converted: what corrects it is worth what it was worth.
fn corrected(session: &Session<'_>, line: &Line) -> Option<Converted> {
    let is = |what: &What| match (what, &line.what) {
        (What::Usage { charge: a, days: x }, What::Usage { charge: b, days: y }) => {
            a == b && x.from == y.from
        }
        (What::TrueUp { .. }, What::TrueUp { .. }) | (What::Cap { .. }, What::Cap { .. }) => {
            what.charge() == line.what.charge()
                && what.days().map(|d| d.from) == line.what.days().map(|d| d.from)
        }
        _ => false,
    };
    let charges = &session.find::<Charges>(&owner_of(line))?.state;
    let from = line.what.days()?.from;
    let item = charges.since(from).find(|i| is(&i.what))?;
    origin(session, &(item.invoice.clone(), item.line)).map(|(_, converted)| converted)
}

/// What days of a converted line that are given back make: the share of what was asked for it, up to and with these days, less
/// the share before, so that all of its days make all of it.
fn given_back(
    session: &Session<'_>,
    line: &Line,
    (invoice, no): &(Id, u32),
    (asked, in_this): (Money, Money),
    from: Money,
    to: &Target<'_>,
) -> Result<Money, Rejection> {
    let charges = session.get::<Charges>(&owner_of(line))?;
    let mut items = charges.items.iter();
    let item = items.find(|i| i.invoice == *invoice && i.line == *no);
    let Some(item) = item else {
        return Ok(Money::zero(to.currency));
    };
    let sold = charges.paid_for(item);
    if sold.is_zero() {
        return Ok(Money::zero(to.currency));
    }
    let before = charges.left(item).minus(sold).plus(in_this);
    let share = |part: Money| {
        let exact = asked.exact().share(part.minor, sold.minor)?;
        Money::round(exact, to.currency, to.rounding)
    };
    Ok(share(before.plus(from))?.minus(share(before)?))
}

/// What a credit note takes off a line in the currency that the charge stream remembers; all that is left of it with the last
/// of the line. `left`: what notes before left of the line.
pub(super) fn taken_off(
    session: &Session<'_>,
    invoice: &str,
    line: &Line,
    amount: Money,
    last: bool,
) -> Result<Money, Rejection> {
    let Some(converted) = &line.converted else {
        return Ok(amount);
    };
    let charges = session.get::<Charges>(&owner_of(line))?;
    let mut items = charges.items.iter();
    let item = items.find(|i| i.invoice == invoice && i.line == line.no);
    let Some(item) = item else {
        return Ok(Money::zero(converted.from.currency));
    };
    let left = charges.left(item);
    if last || line.priced().is_zero() {
        return Ok(left);
    }
    let share = charges
        .paid_for(item)
        .exact()
        .share(amount.minor, line.priced().minor)?;
    Ok(Money::round(share, left.currency, Rounding::HalfUp)?.min(left))
}
