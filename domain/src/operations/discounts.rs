//! Discounts: offers and redeems them, and lets them lower the lines of a document.

use super::account_terms;
use crate::charges::{Charges, What};
use crate::command::{Outcome, RedeemDiscount};
use crate::discounts::{
    self, ChargeKind, Discount, DiscountTerms, Lasts, Place, Redemption, Redemptions, Used,
};
use crate::invoices::{Document, Line, Reduction, product_lines::served_from};
use crate::kernel::{Date, Exact, Id, Money, Rejection, Rounding, check_id};
use crate::session::Session;
use crate::subscriptions::{Subscription, Term};

pub(super) fn define(
    session: &mut Session<'_>,
    discount: &str,
    terms: DiscountTerms,
) -> Result<Outcome, Rejection> {
    check_id("discount", discount)?;
    session.decide::<Discount>(discount, discounts::Command::Define(terms))?;
    Ok(Outcome::of("discount", discount))
}

pub(super) fn withdraw(
    session: &mut Session<'_>,
    discount: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    session.decide::<Discount>(discount, discounts::Command::Withdraw { reason })?;
    Ok(Outcome::of("discount", discount))
}

/// Gives an account a discount, within its limits: the discount counts it and the account has it, or neither.
pub(super) fn redeem(session: &mut Session<'_>, ask: RedeemDiscount) -> Result<Outcome, Rejection> {
    check_id("redemption", &ask.redemption)?;
    let account = account_terms(session, &ask.account)?;
    if let Some(payer) = &account.payer {
        return Err(Rejection::new(
            "PAID_BY_OTHER",
            format!(
                "account {} is paid for by {payer}: discounts belong to who pays",
                ask.account
            ),
        ));
    }
    if let Some(subscription) = &ask.subscription {
        belongs(session, &ask.account, subscription)?;
    }
    let today = session.today(&account.zone);
    let has = session.find::<Redemptions>(&ask.account);
    let has = has.into_iter().flat_map(|e| &e.state.redeemed);
    let before = has.filter(|r| r.discount == ask.discount).count();
    session.decide::<Discount>(
        &ask.discount,
        discounts::Command::Redeem {
            account: ask.account.clone(),
            redemption: ask.redemption.clone(),
            on: today,
            before: u32::try_from(before).unwrap_or(u32::MAX),
        },
    )?;
    let Some(terms) = session.get::<Discount>(&ask.discount)?.terms.clone() else {
        return Err(Rejection::new(
            "DISCOUNT_UNKNOWN",
            format!("there is no discount {:?}", ask.discount),
        ));
    };
    if let discounts::Off::Fixed(amount) = terms.off
        && amount.currency != account.currency
    {
        return Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!(
                "{} takes off {amount}, account {} is in {}",
                terms.name, ask.account, account.currency
            ),
        ));
    }
    let from = ask.from.unwrap_or(today);
    let until = match terms.lasts {
        Lasts::For(span) => Some(span.after(from)),
        Lasts::Once | Lasts::Times(_) | Lasts::Forever => None,
    };
    let redemption = Redemption {
        id: ask.redemption.clone(),
        discount: ask.discount,
        terms,
        subscription: ask.subscription,
        from,
        until,
        times: 0,
        taken: 0,
    };
    session.decide::<Redemptions>(
        &ask.account,
        discounts::redemptions::Command::Grant(Box::new(redemption)),
    )?;
    Ok(Outcome::of("redemption", &ask.redemption))
}

/// The subscription is one that the account pays for.
fn belongs(session: &Session<'_>, account: &str, subscription: &str) -> Result<(), Rejection> {
    let owner = session
        .find::<Subscription>(subscription)
        .map(|e| e.state.account.clone());
    let pays = match &owner {
        Some(owner) => account_terms(session, owner)?.payer(owner) == account,
        None => false,
    };
    if pays {
        return Ok(());
    }
    Err(Rejection::new(
        "SUBSCRIPTION_UNKNOWN",
        format!("account {account} pays for no subscription {subscription:?}"),
    ))
}

pub(super) fn end(
    session: &mut Session<'_>,
    account: &str,
    redemption: Id,
    on: Option<Date>,
) -> Result<Outcome, Rejection> {
    let zone = account_terms(session, account)?.zone;
    let on = on.unwrap_or_else(|| session.today(&zone));
    let outcome = Outcome::of("redemption", &redemption);
    session.decide::<Redemptions>(
        account,
        discounts::redemptions::Command::End { redemption, on },
    )?;
    Ok(outcome)
}

/// Lowers lines that are about to be a document of `payer`.
pub(super) fn lower(
    session: &Session<'_>,
    payer: &str,
    lines: &mut [Line],
    rounding: Rounding,
) -> Result<(), Rejection> {
    for line in lines.iter_mut() {
        take_back(session, line, rounding)?;
    }
    let Some(redemptions) = session.find::<Redemptions>(payer) else {
        return Ok(());
    };
    let places: Vec<Place> = lines.iter().map(|line| place(session, line)).collect();
    discounts::apply::apply(lines, &places, &redemptions.state.redeemed, rounding)
}

/// Usage of a period that was billed too high gives back what was asked for it, not what it cost before discounts.
fn take_back(session: &Session<'_>, line: &mut Line, rounding: Rounding) -> Result<(), Rejection> {
    let What::Usage { charge, days } = &line.what else {
        return Ok(());
    };
    let owner = line.subscription.as_deref().unwrap_or(&line.account);
    let (true, Some(charges)) = (
        line.priced().is_negative(),
        session.find::<Charges>(owner).map(|e| &e.state),
    ) else {
        return Ok(());
    };
    // As the stream remembers it, which may be another currency than the line's: only the share counts.
    let sold = line.converted.as_ref().map_or(line.net, |c| c.from);
    let none = Money::zero(sold.currency);
    let (priced, asked) = charges
        .usage_billed(charge, days.from)
        .fold((none, none), |(priced, asked), item| {
            (priced.plus(item.net), asked.plus(charges.paid_for(item)))
        });
    if priced == asked || !priced.is_positive() {
        return Ok(());
    }
    let share = line
        .priced()
        .exact()
        .times(Exact::from(priced.minus(asked).minor))?
        .share(1, priced.minor)?;
    let amount = Money::round(share, line.net.currency, rounding)?;
    let reduction = Reduction {
        redemption: Id::new(),
        text: "Discounts of the period".to_string(),
        amount,
    };
    let why = format!("{asked} of {priced} were asked for");
    discounts::apply::lower(line, reduction, &why);
    Ok(())
}

fn place(session: &Session<'_>, line: &Line) -> Place {
    let charge = line.what.charge().to_string();
    let on = served_from(line).unwrap_or_default();
    let kind = match line.what {
        What::Recurring { .. } => Some(ChargeKind::Recurring),
        What::Usage { .. } => Some(ChargeKind::Usage),
        What::OneOff { .. } | What::Added { .. } => Some(ChargeKind::OneOff),
        _ => None,
    };
    let term = line
        .subscription
        .as_deref()
        .and_then(|id| session.find::<Subscription>(id))
        .and_then(|e| term_of(&e.state, on));
    let metric = term.and_then(|t| t.offer.usage.iter().find(|u| u.code == charge));
    Place {
        offer: term.map_or(String::new(), |t| t.offer.code.clone()),
        metric: metric.map_or(String::new(), |u| u.metric.clone()),
        charge,
        kind,
        on,
    }
}

fn term_of(sub: &Subscription, on: Date) -> Option<&Term> {
    sub.term_on(on).map(|(_, term)| term).or(sub.terms.last())
}

/// A document is final: what it used of the payer's discounts is used.
pub(super) fn take(
    session: &mut Session<'_>,
    invoice: &str,
    document: &Document,
) -> Result<(), Rejection> {
    let used = discounts::apply::used(&document.lines);
    if used.is_empty() {
        return Ok(());
    }
    let invoice = invoice.to_string();
    session
        .decide::<Redemptions>(
            &document.account,
            discounts::redemptions::Command::Take { invoice, used },
        )
        .map(|_| ())
}

/// A document is void: what it used can be used again.
pub(super) fn give_back(
    session: &mut Session<'_>,
    invoice: &str,
    account: &str,
    lines: &[Line],
) -> Result<(), Rejection> {
    let used: Vec<Used> = discounts::apply::used(lines);
    if used.is_empty() {
        return Ok(());
    }
    let invoice = invoice.to_string();
    session
        .decide::<Redemptions>(
            account,
            discounts::redemptions::Command::Return { invoice, used },
        )
        .map(|_| ())
}
