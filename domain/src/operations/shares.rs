//! Gives parties their shares of a document when it is finalised, and takes them back.

use crate::catalog::{self, Share};
use crate::charges::{Charges, What};
use crate::invoices::{Document, Invoice, Line};
use crate::journal;
use crate::kernel::{Date, Exact, Id, Money, Rejection};
use crate::session::Session;
use crate::shares::{Command, Owed, Part, Shares};
use crate::subscriptions::Subscription;

/// What parties get of the lines of a document that is about to be final.
pub(super) fn parts(session: &Session<'_>, document: &Document) -> Result<Vec<Part>, Rejection> {
    let mut all = Vec::new();
    for line in &document.lines {
        let Some(shares) = shared_with(session, line) else {
            continue;
        };
        let split = |amount: Money| {
            let whole = whole(session, line, amount)?;
            catalog::split(shares, amount, whole, document.rounding)
        };
        let amounts = match (&document.corrects, line.corrects_line) {
            (Some(corrected), Some(no)) => {
                // The credit note is counted already: what is left now, and what was before it.
                let invoice = session.get::<Invoice>(corrected)?;
                let left = invoice.line(no).map(|of| invoice.line_left(of));
                let left = left.unwrap_or(Money::zero(document.currency));
                let (after, before) = (split(left)?, split(left.minus(line.net))?);
                let both = after.into_iter().zip(before);
                both.map(|(after, before)| after.minus(before)).collect()
            }
            _ => split(line.net)?,
        };
        let of = journal::posting::earned(session, line);
        let given = shares.iter().zip(amounts);
        all.extend(
            given
                .filter(|(_, amount)| !amount.is_zero())
                .map(|(share, amount)| Part {
                    line: line.no,
                    charge: line.what.charge().to_string(),
                    party: share.party.clone(),
                    amount,
                    of,
                }),
        );
    }
    Ok(all)
}

/// Says on each line what others get of it.
pub(super) fn told(document: &mut Document, parts: &[Part]) {
    for part in parts {
        let line = document.lines.iter_mut().find(|l| l.no == part.line);
        if let Some(line) = line {
            let told = format!("; {} gets {} of it", part.party, part.amount);
            line.explain.push_str(&told);
        }
    }
}

pub(super) fn owe(
    session: &mut Session<'_>,
    invoice: &str,
    (entity, account): (Id, Id),
    on: Date,
    parts: Vec<Part>,
) -> Result<(), Rejection> {
    if parts.is_empty() {
        return Ok(());
    }
    let owed = Owed {
        entity,
        account,
        on,
        parts,
    };
    session
        .decide::<Shares>(invoice, Command::Owe(Box::new(owed)))
        .map(|_| ())
}

/// Nobody is owed anything of a document that is void.
pub(super) fn take_back(session: &mut Session<'_>, invoice: &str) -> Result<(), Rejection> {
    let Some(owed) = session
        .find::<Shares>(invoice)
        .and_then(|e| e.state.owed.clone())
    else {
        return Ok(());
    };
    let on = session.today(&super::entity_terms(session, &owed.entity)?.zone);
    session
        .decide::<Shares>(invoice, Command::TakeBack { on })
        .map(|_| ())
}

/// With whom the charge of a line is shared: as the term of its days says, else the latest one that has the charge.
fn shared_with<'a>(session: &'a Session<'_>, line: &Line) -> Option<&'a [Share]> {
    let id = line.subscription.as_ref()?;
    let sub = &session.find::<Subscription>(id)?.state;
    let code = match &line.what {
        What::Added { charge, .. } => {
            let charges = &session.find::<Charges>(id)?.state;
            charges.orders.get(charge)?.code.as_str()
        }
        What::Recurring { .. } | What::Credit { .. } | What::Usage { .. } | What::OneOff { .. } => {
            line.what.charge()
        }
        _ => return None,
    };
    let from = line.what.days().map(|d| d.from);
    let on_day = from.and_then(|day| sub.term_on(day)).map(|(_, t)| t);
    let mut terms = on_day.into_iter().chain(sub.terms.iter().rev());
    let shares = terms.find_map(|t| t.offer.shares_of(code))?;
    Some(shares).filter(|s| !s.is_empty())
}

/// How much of one whole charge an amount of a line is.
fn whole(session: &Session<'_>, line: &Line, amount: Money) -> Result<Exact, Rejection> {
    let owner = line.subscription.as_ref().unwrap_or(&line.account);
    let charges = session.find::<Charges>(owner).map(|e| &e.state);
    let full = match &line.what {
        What::Recurring { full, .. } => Some(*full),
        What::Credit { invoice, line, .. } => charges.and_then(|c| {
            let of = |i: &&crate::charges::Item| i.invoice == *invoice && i.line == *line;
            match &c.items.iter().find(of)?.what {
                What::Recurring { full, .. } => Some(*full),
                _ => None,
            }
        }),
        What::Added { charge, .. } => {
            let order = charges.and_then(|c| c.orders.get(charge));
            order.map(|o| o.price.into())
        }
        What::OneOff { code, .. } => {
            let sub = session.find::<Subscription>(owner).map(|e| &e.state);
            let fees = sub.into_iter().flat_map(|s| s.terms.iter().rev());
            let mut fees = fees.flat_map(|t| &t.offer.one_off);
            fees.find(|f| f.code == *code).map(|f| f.amount.into())
        }
        _ => None,
    };
    let size = amount.exact();
    let size = if size.is_negative() {
        size.negated()
    } else {
        size
    };
    match full {
        Some(full) if !full.is_zero() => size.share(full.denominator(), full.numerator()),
        _ => Ok(Exact::ZERO),
    }
}
