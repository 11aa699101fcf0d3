//! Drafts and documents: gathers what is due of everything an account pays for, and turns it into a document.

use super::usage::follow::left_behind;
use super::{
    advances, exchange, folio_terms, folio_terms_of, folios, seller_of, stated, taxes, terms_of,
};
use crate::accounts::{AccountTerms, Folio, folio};
use crate::charges::due::{self, Basis, Due};
use crate::charges::{self, Charges, Item, What, used};
use crate::command::Outcome;
use crate::entities::EntityTerms;
use crate::invoices::{self, Document, Invoice, Line, Series, Stage, compose, series};
use crate::invoicing::{self, Invoicing};
use crate::kernel::{Date, Id, Money, Rejection, calendar::add_days, check_id, event};
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::taxes::Answer;
use crate::usage::Metered;
use chrono::Datelike;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn draft(
    session: &mut Session<'_>,
    invoice: &str,
    account: &str,
    as_of: Option<Date>,
) -> Result<Outcome, Rejection> {
    check_id("invoice", invoice)?;
    super::dunning::dun(session, account)?;
    let held = session.find::<Invoice>(invoice).map(|e| &e.state);
    if held.is_some_and(|i| i.hold.is_some()) {
        super::invoicing::again(session, invoice)?;
        return Ok(Outcome::of("invoice", invoice));
    }
    let terms = folio_terms(session, account)?;
    let as_of = as_of.unwrap_or_else(|| session.today(&terms.zone));
    let Some(document) = compose_document(session, account, as_of)? else {
        return Err(nothing_due(account, as_of));
    };
    session.decide::<Invoice>(invoice, invoices::Command::Draft(Box::new(document)))?;
    Ok(Outcome::of("invoice", invoice))
}

/// Computes the draft again, so that facts that came after it are on the document, then numbers and freezes it (policy 23).
pub(super) fn finalise_draft(
    session: &mut Session<'_>,
    invoice: &str,
) -> Result<Outcome, Rejection> {
    let state = session.get::<Invoice>(invoice)?;
    if state.stage != Stage::Draft {
        return Err(Rejection::new(
            "INVOICE_NOT_DRAFT",
            format!("document {invoice} is not a draft"),
        ));
    }
    match &state.hold {
        Some(hold) if hold.is_grace() => return super::invoicing::ripen(session, invoice),
        Some(hold) => {
            let why = hold.reasons.iter().map(|r| r.text.as_str());
            return Err(Rejection::new(
                "INVOICE_HELD",
                format!(
                    "document {invoice} is held and has to be released: {}",
                    why.collect::<Vec<_>>().join("; ")
                ),
            ));
        }
        None => {}
    }
    let drafted = state.document.clone();
    let (account, as_of) = (folios::of_document(session, &drafted)?, drafted.as_of);
    super::dunning::dun(session, &account)?;
    let whole = compose_document(session, &account, as_of)?;
    let due = match whole {
        // A draft of a run may be one of several.
        Some(whole) if drafted.run.is_some() => {
            super::invoicing::part_of(session, &drafted, whole)?
        }
        whole => whole,
    };
    let Some(mut document) = due else {
        return Err(nothing_due(&account, as_of));
    };
    document.run.clone_from(&drafted.run);
    finalise(session, invoice, document)?;
    Ok(Outcome::of("invoice", invoice))
}

pub(super) fn nothing_due(account: &str, as_of: Date) -> Rejection {
    Rejection::new(
        "NOTHING_DUE",
        format!("nothing is due for account {account} on {as_of}"),
    )
}

/// What the account's next document would be; nothing is staged.
pub fn preview(
    session: &Session<'_>,
    account: &str,
    as_of: Date,
) -> Result<Option<Document>, Rejection> {
    compose_document(session, account, as_of)
}

/// The same with what was used so far of periods that still run.
pub fn outlook(
    session: &Session<'_>,
    account: &str,
    as_of: Date,
) -> Result<Option<Document>, Rejection> {
    document_of(session, account, as_of, true)
}

/// Numbers, freezes and books a document: series, document and billed charges in one commit, so that a number without
/// a document, or a charge billed twice, cannot exist (policy 23, 24).
pub(super) fn finalise(
    session: &mut Session<'_>,
    invoice: &str,
    document: Document,
) -> Result<(), Rejection> {
    claim(session, invoice, &document)?;
    freeze(session, invoice, document)
}

/// Remembers the lines of a document in the charge streams, and what it takes of discounts: nothing else bills them.
pub(super) fn claim(
    session: &mut Session<'_>,
    invoice: &str,
    document: &Document,
) -> Result<(), Rejection> {
    for (owner, items) in billed_items(invoice, document)? {
        session.decide::<Charges>(&owner, charges::Command::Bill { items })?;
    }
    super::advances::take(session, invoice, &document.lines)?;
    super::discounts::take(session, invoice, document)
}

/// Forgets them again: what it billed is due.
pub(super) fn unclaim(
    session: &mut Session<'_>,
    invoice: &str,
    account: &str,
    lines: &[Line],
) -> Result<(), Rejection> {
    super::discounts::give_back(session, invoice, account, lines)?;
    super::advances::give_back(session, invoice, lines)?;
    let owners: BTreeSet<Id> = lines.iter().map(owner_of).collect();
    for owner in owners {
        let invoice = invoice.to_string();
        session.decide::<Charges>(&owner, charges::Command::Release { invoice })?;
    }
    Ok(())
}

/// Numbers a document whose lines are remembered, and tells its tax in the currency of its legal entity.
pub(super) fn freeze(
    session: &mut Session<'_>,
    invoice: &str,
    document: Document,
) -> Result<(), Rejection> {
    let issued = book(session, invoice, document)?;
    let document = &session.get::<Invoice>(invoice)?.document;
    let told = stated::of(session, document, issued)?;
    stated::tell(session, invoice, told)
}

/// Numbers and books a document; the answer is the day on which it is issued.
pub(super) fn book(
    session: &mut Session<'_>,
    invoice: &str,
    mut document: Document,
) -> Result<Date, Rejection> {
    let entity = seller_of(session, &document.entity)?;
    let account = terms_of(session, &document.account)?;
    let issued = session.today(&entity.zone);
    let days = account.payment_days.unwrap_or(entity.payment_days);
    let (prefix, buyer) = (entity.number_prefix.clone(), account.buyer.clone());
    let shared = super::shares::parts(session, &document)?;
    super::shares::told(&mut document, &shared);
    let of = (document.entity.clone(), document.account.clone());
    let (number, issued) = number(session, invoice, &prefix, &document, issued)?;
    let due = add_days(issued, i64::from(days));
    session.decide::<Invoice>(
        invoice,
        invoices::Command::Finalise {
            number,
            issued,
            due,
            document: Box::new(document),
            buyer,
        },
    )?;
    super::shares::owe(session, invoice, of, issued, shared)?;
    Ok(issued)
}

/// The day that a document would be issued on now.
pub(super) fn issued(session: &Session<'_>, document: &Document) -> Result<Date, Rejection> {
    let zone = &seller_of(session, &document.entity)?.zone;
    Ok(issue_day(session, document, session.today(zone)))
}

/// The day that a document is issued on: today, or the last day of its series where the zone of the legal entity changed to one
/// whose clocks are behind. Dates of a series never go back (policy 23), and neither does its year.
fn issue_day(session: &Session<'_>, document: &Document, today: Date) -> Date {
    let last = |year: i32| {
        let series = series::id(&document.entity, document.kind, year);
        session.find::<Series>(&series)?.state.last_issued
    };
    let (now, next) = (last(today.year()), last(today.year().saturating_add(1)));
    today.max(now.max(next).unwrap_or(today))
}

/// Takes the next number of the document's series.
pub(super) fn number(
    session: &mut Session<'_>,
    invoice: &str,
    prefix: &str,
    document: &Document,
    issued: Date,
) -> Result<(String, Date), Rejection> {
    let bytes = event::to_bytes("document", document)
        .map_err(|e| Rejection::new("DOCUMENT_TOO_LARGE", e.to_string()))?;
    let digest = *blake3::hash(&bytes).as_bytes();
    let issued = issue_day(session, document, issued);
    let series = series::id(&document.entity, document.kind, issued.year());
    session.decide::<Series>(
        &series,
        series::Command::Number {
            invoice: invoice.to_string(),
            issued,
            digest,
        },
    )?;
    let n = session.get::<Series>(&series)?.last;
    Ok((
        series::number(prefix, document.kind, issued.year(), n),
        issued,
    ))
}

/// The lines of a document by the charge stream that remembers them.
fn billed_items(invoice: &str, document: &Document) -> Result<BTreeMap<Id, Vec<Item>>, Rejection> {
    let mut by_owner: BTreeMap<Id, Vec<Item>> = BTreeMap::new();
    for line in &document.lines {
        let items = by_owner.entry(owner_of(line)).or_default();
        let item = |what: What, net: Money| Item {
            invoice: invoice.to_string(),
            line: line.no,
            what,
            net,
        };
        let (whole, taken) = line.sold()?;
        items.push(item(line.what.clone(), whole));
        items.extend(line.reductions.iter().zip(taken).map(|(r, amount)| {
            let what = What::Reduction {
                redemption: r.redemption.clone(),
                charge: line.what.charge().to_string(),
            };
            item(what, amount.negated())
        }));
    }
    Ok(by_owner)
}

/// The charge stream a line belongs to: its subscription's, else its account's.
pub(super) fn owner_of(line: &Line) -> Id {
    line.subscription
        .clone()
        .unwrap_or_else(|| line.account.clone())
}

/// True-ups and caps of what the payer committed itself to on the first of two folios; the second one is its own.
fn committed_lines(
    session: &Session<'_>,
    (payer, on): (&str, (&Folio, &Folio)),
    terms: &AccountTerms,
    entity: &EntityTerms,
    basis: Basis,
) -> Result<Vec<Line>, Rejection> {
    let none = Charges::default();
    let own = session.find::<Charges>(payer).map_or(&none, |e| &e.state);
    let due = super::commitments::due(session, payer, on, own, basis)?;
    Ok(due
        .into_iter()
        .map(|due| {
            let tax = taxes::answer(session, payer, terms, entity, &due.tax_class, basis.as_of);
            line_of(payer, None, tax, false, due)
        })
        .collect())
}

pub(super) fn line_of(
    account: &str,
    subscription: Option<&Id>,
    tax: Answer,
    gross: bool,
    due: Due,
) -> Line {
    Line {
        no: 0,
        account: account.to_string(),
        subscription: subscription.cloned(),
        tax,
        what: due.what,
        text: due.text,
        quantity: due.quantity,
        exact: due.exact,
        net: due.net,
        explain: due.explain,
        corrects_line: None,
        reductions: vec![],
        gross: gross.then_some(due.net),
        converted: None,
    }
}

/// Whether the price of a line includes tax: as its offer says, and for days given back as the line that billed them.
pub(super) fn tax_included(session: &Session<'_>, subscription: &str, what: &What) -> bool {
    if let What::Credit { invoice, line, .. } = what {
        let origin = session.find::<Invoice>(invoice).map(|e| &e.state);
        return origin
            .and_then(|i| i.line(*line))
            .is_some_and(|l| l.gross.is_some());
    }
    let on = match what {
        What::OneOff { on, .. }
        | What::Added { on, .. }
        | What::TopUp { on, .. }
        | What::Advance { on, .. } => Some(*on),
        other => other.days().map(|days| days.from),
    };
    session
        .find::<Subscription>(subscription)
        .map(|e| &e.state)
        .and_then(|sub| {
            let running = on.and_then(|on| sub.term_on(on)).map(|(_, term)| term);
            running.or(sub.terms.last())
        })
        .is_some_and(|term| term.offer.tax_included)
}

/// Everything due on a folio of an account, for it and for those it pays for, as a document; none when nothing is due.
pub(super) fn compose_document(
    session: &Session<'_>,
    folio: &str,
    as_of: Date,
) -> Result<Option<Document>, Rejection> {
    document_of(session, folio, as_of, false)
}

/// What would be billed if every period ended now: what is due, and what was used of running periods.
pub(super) fn expected(session: &Session<'_>, payer: &str) -> Result<Option<Document>, Rejection> {
    let today = session.today(&terms_of(session, payer)?.zone);
    document_of(session, payer, today, true)
}

/// The same; `running` with what was used so far of periods that have not ended.
pub(super) fn document_of(
    session: &Session<'_>,
    on: &str,
    as_of: Date,
    running: bool,
) -> Result<Option<Document>, Rejection> {
    let (payer, terms) = (folio::owner(on), folio_terms_of(session, on)?);
    if let Some(other) = &terms.payer {
        return Err(Rejection::new(
            "PAID_BY_OTHER",
            format!("account {payer} is paid for by {other}: bill that account"),
        ));
    }
    let entity = seller_of(session, &terms.entity)?;
    let basis = Basis {
        currency: terms.currency,
        rounding: entity.rounding,
        as_of,
        running,
    };
    let mut lines = lines_of(session, payer, &terms, entity, basis)?;
    super::discounts::lower(session, payer, &mut lines, entity.rounding)?;
    // A credit of nothing frees its days for what comes next; alone it is no document.
    let nothing = |l: &Line| l.net.is_zero() && matches!(l.what, What::Credit { .. });
    if lines.iter().all(nothing) {
        return Ok(None);
    }
    let document = Document {
        account: payer.to_string(),
        shown: super::invoicing::shown(session, payer, &terms.entity),
        entity: terms.entity.clone(),
        currency: terms.currency,
        rounding: entity.rounding,
        as_of,
        lines,
        ..Document::default()
    };
    let whole = compose::complete(document)?;
    advances::deduct(session, whole, &mut advances::Used::new()).map(Some)
}

/// Up to which day nothing of a subscription can be due; not known where this very command changed something of it.
fn settled(session: &Session<'_>, subscription: &str) -> Date {
    let version = |now: bool| {
        let sub = match now {
            true => session.find::<Subscription>(subscription),
            false => session.before::<Subscription>(subscription),
        };
        let charges = match now {
            true => session.find::<Charges>(subscription),
            false => session.before::<Charges>(subscription),
        };
        (sub.map(|e| e.version), charges.map(|e| e.version))
    };
    let known = session.agenda().settled(subscription);
    known
        .filter(|_| !session.decided() || version(true) == version(false))
        .unwrap_or(Date::MIN)
}

/// Everything due on a folio of an account, for it and for those it pays for, before discounts.
pub(super) fn all_lines(
    session: &Session<'_>,
    on: &str,
    as_of: Date,
) -> Result<Vec<Line>, Rejection> {
    let (payer, terms) = (folio::owner(on), folio_terms_of(session, on)?);
    let entity = seller_of(session, &terms.entity)?;
    let basis = Basis {
        currency: terms.currency,
        rounding: entity.rounding,
        as_of,
        running: false,
    };
    lines_of(session, payer, &terms, entity, basis)
}

fn lines_of(
    session: &Session<'_>,
    payer: &str,
    terms: &AccountTerms,
    entity: &EntityTerms,
    basis: Basis,
) -> Result<Vec<Line>, Rejection> {
    let own = Folio::own(terms_of(session, payer)?);
    let on = (&Folio::own(terms), &own);
    let mut lines = due_lines(session, (payer, on), terms, entity, basis)?;
    for child in session.index().paid_by.get(payer).into_iter().flatten() {
        let child_terms = terms_of(session, child)?;
        lines.extend(due_lines(session, (child, on), child_terms, entity, basis)?);
    }
    lines.extend(committed_lines(session, (payer, on), terms, entity, basis)?);
    let to = exchange::Target {
        payer,
        entity: &terms.entity,
        currency: basis.currency,
        rounding: basis.rounding,
        as_of: basis.as_of,
    };
    exchange::convert(session, &to, &mut lines)?;
    super::reratings::as_billed(session, &mut lines, false);
    Ok(lines)
}

/// What is due on the first of two folios; the second one is the payer's own, where everything is that has no other.
fn due_lines(
    session: &Session<'_>,
    (account, (on, own)): (&str, (&Folio, &Folio)),
    terms: &AccountTerms,
    entity: &EntityTerms,
    basis: Basis,
) -> Result<Vec<Line>, Rejection> {
    let none = Charges::default();
    let said = session.find::<Invoicing>(&invoicing::of_account(account));
    let said = said.map(|e| &e.state);
    let mut lines = Vec::new();
    for subscription in session
        .index()
        .subscriptions_of
        .get(account)
        .into_iter()
        .flatten()
    {
        let folio = said.and_then(|s| s.folios.get(subscription));
        if folio.unwrap_or(own) != on {
            continue;
        }
        lines.extend(subscription_lines(
            session,
            account,
            (terms, entity),
            subscription,
            basis,
        )?);
    }
    let charges = session.find::<Charges>(account).map_or(&none, |e| &e.state);
    let added = due::added(charges, basis.as_of).into_iter();
    let here = added.filter(|due| {
        let folio = said.and_then(|s| s.charges.get(due.what.charge()));
        folio.unwrap_or(own) == on
    });
    lines.extend(here.map(|due| {
        let tax = taxes::answer(session, account, terms, entity, &due.tax_class, basis.as_of);
        line_of(account, None, tax, false, due)
    }));
    Ok(lines)
}

/// What is due of one subscription, as lines in the currency that it is sold in.
pub(super) fn subscription_lines(
    session: &Session<'_>,
    account: &str,
    (terms, entity): (&AccountTerms, &EntityTerms),
    subscription: &Id,
    basis: Basis,
) -> Result<Vec<Line>, Rejection> {
    let none = Charges::default();
    let sub = session.get::<Subscription>(subscription)?;
    let basis = Basis {
        currency: exchange::currency_of(sub, basis.currency),
        ..basis
    };
    let charges = session
        .find::<Charges>(subscription)
        .map_or(&none, |e| &e.state);
    let metered = |charge: &str, from: Date| -> Option<&Metered> {
        session
            .find::<Metered>(&crate::usage::id(subscription, charge, from))
            .map(|e| &e.state)
    };
    let settled = settled(session, subscription);
    let mut due = due::of_subscription(sub, charges, metered, basis, settled)?;
    let left = left_behind(session, subscription, sub, settled);
    due.extend(used::left_behind(sub, charges, &left, metered, basis)?);
    let line = |due: Due| {
        let gross = tax_included(session, subscription, &due.what);
        let tax = taxes::answer(session, account, terms, entity, &due.tax_class, basis.as_of);
        line_of(account, Some(subscription), tax, gross, due)
    };
    Ok(due.into_iter().map(line).collect())
}
