//! Charges added by hand, and those of an offer that are asked for one by one.

use super::exchange::{self, currency_of};
use super::subscriptions::running;
use super::{folio_terms, folios};
use crate::accounts::{Folio, folio};
use crate::catalog::{Moment, OneOff};
use crate::charges::{Charges, Command, Order, Ordered, Pending};
use crate::command::{OrderOneOff, Outcome};
use crate::kernel::{Date, Decimal, Exact, Id, Money, Rejection, check_id};
use crate::session::Session;

pub(super) fn add(
    session: &mut Session<'_>,
    account: &str,
    charge: Id,
    text: String,
    amount: Money,
    on: Option<Date>,
    tax_class: String,
) -> Result<Outcome, Rejection> {
    check_id("charge", &charge)?;
    let terms = folio_terms(session, account)?;
    if amount.currency != terms.currency
        && !exchange::converts(session, folio::owner(account), &terms)
        && !folios::apart(session, folio::owner(account), &terms)
    {
        return Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!(
                "account {account} is in {}, the charge in {}",
                terms.currency, amount.currency
            ),
        ));
    }
    let on = on.unwrap_or_else(|| session.today(&terms.zone));
    let outcome = Outcome::of("charge", &charge);
    let pending = Pending {
        charge: charge.clone(),
        text,
        amount,
        on,
        tax_class,
    };
    let owner = folio::owner(account);
    session.decide::<Charges>(owner, Command::Add(pending))?;
    match folio::is_own(account) {
        true => folios::charge(session, owner, &charge, amount.currency)?,
        false => folios::charge_on(session, owner, &charge, Folio::own(&terms))?,
    }
    Ok(outcome)
}

pub(super) fn cancel(
    session: &mut Session<'_>,
    account: &str,
    charge: Id,
) -> Result<Outcome, Rejection> {
    let outcome = Outcome::of("charge", &charge);
    session.decide::<Charges>(folio::owner(account), Command::Cancel { charge })?;
    Ok(outcome)
}

/// Charges an ad hoc one-off of the offer that is in force on the day; the price is that of the contract sold, unless the
/// command brings its own.
pub(super) fn order(session: &mut Session<'_>, ask: OrderOneOff) -> Result<Outcome, Rejection> {
    check_id("charge", &ask.charge)?;
    let (sub, today) = running(session, &ask.subscription)?;
    let on = ask.on.unwrap_or(today);
    let id = &ask.subscription;
    let Some((_, term)) = sub.term_on(on) else {
        return Err(Rejection::new(
            "SUBSCRIPTION_TERMINATED",
            format!("subscription {id} does not run on {on}"),
        ));
    };
    let fee = term
        .offer
        .one_off
        .iter()
        .find(|c| c.code == ask.code && c.on == Moment::AdHoc);
    let fee = fee.ok_or_else(|| {
        Rejection::new(
            "CHARGE_UNKNOWN",
            format!(
                "offer {} has no ad hoc charge {:?}",
                term.offer.code, ask.code
            ),
        )
    })?;
    if ask.quantity <= Decimal::ZERO {
        return Err(Rejection::new(
            "QUANTITY_NEGATIVE",
            format!("a quantity of {} is not above zero", ask.quantity),
        ));
    }
    if let Some(amount) = ask.amount.filter(|a| a.is_negative()) {
        return Err(Rejection::new(
            "PRICE_NEGATIVE",
            format!("a price of {amount} for charge {} is below zero", ask.code),
        ));
    }
    let (account, entity) = folios::sold_on(session, &sub.account, id)?;
    let rounding = entity.rounding;
    let price = ask.amount.unwrap_or(fee.amount);
    let exact = Exact::from(price).times(ask.quantity.into())?;
    let ordered = Ordered {
        pending: Pending {
            charge: ask.charge.clone(),
            text: format!("{} {}", term.offer.name, fee.name),
            amount: Money::round(exact, currency_of(&sub, account.currency), rounding)?,
            on,
            tax_class: fee.tax_class.clone(),
        },
        order: Order {
            code: ask.code,
            quantity: ask.quantity,
            price,
            exact,
            why: why(fee, ask.amount.is_some()),
            account: fee.account,
        },
    };
    let outcome = Outcome::of("charge", &ask.charge);
    session.decide::<Charges>(&ask.subscription, Command::Order(Box::new(ordered)))?;
    Ok(outcome)
}

fn why(fee: &OneOff, own: bool) -> String {
    match (&fee.source, own) {
        (_, true) => format!("agreed for this charge instead of {}", fee.amount),
        (Some(source), false) => source.why.clone(),
        (None, false) => "the offer's own price".to_string(),
    }
}
