//! How documents come to be: reviewed, held, split, carried forward, asked for at once or because a threshold is reached.

use super::billing::{
    claim, compose_document, document_of, finalise, freeze, line_of, nothing_due, tax_included,
    unclaim,
};
use super::{
    account_terms, advances, entity_terms, exchange, folio_terms, folios, taxes,
    terms_of as account_of,
};
use crate::accounts::AccountTerms;
use crate::catalog::Progressive;
use crate::charges::due::{self, Basis};
use crate::charges::{Charges, What};
use crate::command::{InvoicingPlace, Outcome};
use crate::invoices::{
    self, Document, GRACE, Hold, Invoice, KEPT, Kind, Line, Reason, Shown, Stage, compose,
};
use crate::invoicing::{
    self, Invoicing, MinimumSet, OfOrder, PaidBy, Progress, Split, Terms, Verdict, progress,
    review::Looked, review::review,
};
use crate::kernel::{
    Currency, Date, Decimal, Exact, Id, Money, Rejection, Rounding, calendar::add_days, check_id,
};
use crate::methods::Methods;
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::usage::Metered;
use crate::world::Tables;
use std::collections::BTreeMap;

/// Documents looked back at for the one before.
const LOOKED_BACK: usize = 50;
/// Rule of a draft that somebody held.
const BY_HAND: &str = "hand";
/// Rule of a draft that lacks an exchange rate.
const BY_RATE: &str = "rate";

pub(super) fn set(
    session: &mut Session<'_>,
    place: &InvoicingPlace,
    terms: Option<Box<Terms>>,
) -> Result<Outcome, Rejection> {
    tell(session, place, invoicing::Command::Set(terms.map(|t| *t)))
}

/// How charges in another currency come onto documents.
pub(super) fn set_exchange(
    session: &mut Session<'_>,
    place: &InvoicingPlace,
    exchange: Option<invoicing::Exchange>,
) -> Result<Outcome, Rejection> {
    tell(session, place, invoicing::Command::Exchange(exchange))
}

/// How lines are put together on documents.
pub(super) fn set_shown(
    session: &mut Session<'_>,
    place: &InvoicingPlace,
    shown: Option<Shown>,
) -> Result<Outcome, Rejection> {
    tell(session, place, invoicing::Command::Show(shown))
}

/// The total below which documents in a currency wait for more.
pub(super) fn set_minimum(
    session: &mut Session<'_>,
    place: &InvoicingPlace,
    currency: Currency,
    minimum: Option<Decimal>,
) -> Result<Outcome, Rejection> {
    let set = MinimumSet { currency, minimum };
    tell(session, place, invoicing::Command::Least(set))
}

/// How the lines of an account's documents are put together: as it says, else as its legal entity does.
pub(super) fn shown(session: &Session<'_>, account: &str, entity: &str) -> Shown {
    let said = |stream: &str| session.find::<Invoicing>(stream)?.state.shown;
    let own = said(&invoicing::of_account(account));
    own.or_else(|| said(&invoicing::of_entity(entity)))
        .unwrap_or_default()
}

pub(super) fn tell(
    session: &mut Session<'_>,
    place: &InvoicingPlace,
    command: invoicing::Command,
) -> Result<Outcome, Rejection> {
    let stream = match place {
        InvoicingPlace::Entity(entity) => {
            entity_terms(session, entity)?;
            invoicing::of_entity(entity)
        }
        InvoicingPlace::Account(account) => {
            account_terms(session, account)?;
            invoicing::of_account(account)
        }
    };
    session.decide::<Invoicing>(&stream, command)?;
    Ok(Outcome::of("invoicing", &stream))
}

/// Puts a subscription into an invoice group, with whoever pays for it.
pub(super) fn group(
    session: &mut Session<'_>,
    subscription: Id,
    group: Option<String>,
) -> Result<Outcome, Rejection> {
    let account = session.get::<Subscription>(&subscription)?.account.clone();
    let stream = invoicing::of_account(&account);
    let command = invoicing::Command::Group {
        subscription,
        group,
    };
    session.decide::<Invoicing>(&stream, command)?;
    Ok(Outcome::of("invoicing", &stream))
}

/// Says which order a subscription is of.
pub(super) fn order(
    session: &mut Session<'_>,
    subscription: Id,
    order: Option<String>,
) -> Result<Outcome, Rejection> {
    let account = session.get::<Subscription>(&subscription)?.account.clone();
    let stream = invoicing::of_account(&account);
    let of = OfOrder {
        subscription,
        order,
    };
    session.decide::<Invoicing>(&stream, invoicing::Command::Order(of))?;
    Ok(Outcome::of("invoicing", &stream))
}

/// Says which method of who pays a subscription is paid by.
pub(super) fn pay_by(
    session: &mut Session<'_>,
    subscription: Id,
    method: Option<Id>,
) -> Result<Outcome, Rejection> {
    let account = session.get::<Subscription>(&subscription)?.account.clone();
    if let Some(method) = &method {
        let terms = account_terms(session, &account)?;
        let payer = terms.payer(&account);
        let known = session.find::<Methods>(payer);
        if known.is_none_or(|e| e.state.method(method).is_none()) {
            return Err(Rejection::new(
                "METHOD_UNKNOWN",
                format!("account {payer} has no payment method {method:?}"),
            ));
        }
    }
    let stream = invoicing::of_account(&account);
    let by = PaidBy {
        subscription,
        method,
    };
    session.decide::<Invoicing>(&stream, invoicing::Command::Pay(by))?;
    Ok(Outcome::of("invoicing", &stream))
}

/// What holds for an account: its own terms, else its legal entity's.
pub(super) fn terms_of(session: &Session<'_>, account: &str, entity: &str) -> Terms {
    let said = |stream: &str| session.find::<Invoicing>(stream)?.state.terms.clone();
    let own = said(&invoicing::of_account(account));
    own.or_else(|| said(&invoicing::of_entity(entity)))
        .unwrap_or_default()
}

/// The minimum that a document stays below, if it can wait for more.
pub(super) fn carries(
    session: &Session<'_>,
    document: &Document,
    terms: &Terms,
) -> Result<Option<Money>, Rejection> {
    let told = |stream: &str| {
        let said = session.find::<Invoicing>(stream)?;
        said.state.minimums.get(&document.currency).copied()
    };
    let told = told(&invoicing::of_account(&document.account))
        .or_else(|| told(&invoicing::of_entity(&document.entity)));
    let minimum = match (told, terms.minimum) {
        (Some(told), _) => told,
        // It is told in the account's currency and says nothing about another one.
        (None, Some(minimum))
            if account_of(session, &document.account)?.currency == document.currency =>
        {
            minimum
        }
        _ => return Ok(None),
    };
    let minimum = Money::round(minimum.into(), document.currency, document.rounding)?;
    let small = document.total.is_positive() && document.total.minor < minimum.minor;
    if !small || !runs_on(session, &document.account, document.as_of) {
        return Ok(None);
    }
    Ok(Some(minimum))
}

/// Whether something of an account or of those it pays for runs after a day.
fn runs_on(session: &Session<'_>, payer: &str, day: Date) -> bool {
    let index = session.index();
    let children = index.paid_by.get(payer).into_iter().flatten();
    let accounts = std::iter::once(payer).chain(children.map(String::as_str));
    accounts
        .flat_map(|account| index.subscriptions_of.get(account).into_iter().flatten())
        .filter_map(|id| session.find::<Subscription>(id))
        .any(|e| e.state.end_date() > day)
}

/// The documents that a whole one becomes; what belongs to nothing of its own is the last.
pub(super) fn split(
    session: &Session<'_>,
    whole: Document,
    how: Split,
) -> Result<Vec<Document>, Rejection> {
    if how == Split::Whole {
        return Ok(vec![whole]);
    }
    // Each part takes off what is for it.
    let whole = advances::without(whole)?;
    let mut used = advances::Used::new();
    let mut parts: BTreeMap<(bool, Id), Vec<Line>> = BTreeMap::new();
    let Document { lines, .. } = whole.clone();
    for line in lines {
        let key = key(session, &line, how);
        let at = (key.is_none(), key.unwrap_or_default());
        parts.entry(at).or_default().push(line);
    }
    parts
        .into_iter()
        .map(|((_, key), lines)| {
            let key = Some(key).filter(|key| !key.is_empty());
            let part = compose::complete(Document {
                lines,
                order: key.clone().filter(|_| how == Split::Order),
                method: key.filter(|_| how == Split::Method),
                ..whole.clone()
            })?;
            advances::deduct(session, part, &mut used)
        })
        .collect()
}

/// What a line is split by.
fn key(session: &Session<'_>, line: &Line, how: Split) -> Option<Id> {
    let subscription = line.subscription.as_ref();
    match how {
        Split::Whole => None,
        Split::Subscription => subscription.cloned(),
        Split::Account => Some(line.account.clone()),
        Split::Group | Split::Order | Split::Method => {
            let stream = invoicing::of_account(&line.account);
            let said = &session.find::<Invoicing>(&stream)?.state;
            let of = match how {
                Split::Order => &said.orders,
                Split::Method => &said.methods,
                _ => &said.groups,
            };
            of.get(subscription?).cloned()
        }
    }
}

/// Reviews a document and finalises it, or holds it as a draft that keeps its lines.
///
/// Errors: INVOICE_REJECTED where a rule rejects it.
pub(super) fn conclude(
    session: &mut Session<'_>,
    invoice: &str,
    document: Document,
    terms: &Terms,
) -> Result<(), Rejection> {
    let account = account_of(session, &document.account)?;
    let mut held = reviewed(session, account, &document, terms)?;
    let today = session.today(&account.zone);
    let mut until = None;
    if terms.keep_drafts {
        held.push(Reason {
            rule: KEPT.to_string(),
            text: "documents of this account are kept as drafts".to_string(),
        });
    } else if held.is_empty() && terms.grace_days > 0 {
        let day = add_days(today, terms.grace_days.into());
        until = Some(day);
        held.push(Reason {
            rule: GRACE.to_string(),
            text: format!("a draft until {day}"),
        });
    }
    if held.is_empty() {
        return finalise(session, invoice, document);
    }
    let hold = Hold {
        reasons: held,
        until,
    };
    claim(session, invoice, &document)?;
    session.decide::<Invoice>(invoice, invoices::Command::Draft(Box::new(document)))?;
    session.decide::<Invoice>(invoice, invoices::Command::Hold(hold))?;
    Ok(())
}

/// A document keeps its lines and waits until it can be finalised.
pub(super) fn hold(
    session: &mut Session<'_>,
    invoice: &str,
    document: Document,
    why: Rejection,
) -> Result<(), Rejection> {
    claim(session, invoice, &document)?;
    session.decide::<Invoice>(invoice, invoices::Command::Draft(Box::new(document)))?;
    let hold = Hold {
        reasons: vec![Reason {
            rule: BY_RATE.to_string(),
            text: why.message,
        }],
        until: None,
    };
    session.decide::<Invoice>(invoice, invoices::Command::Hold(hold))?;
    Ok(())
}

/// Why a document has to wait; nothing: it can go out.
fn reviewed(
    session: &Session<'_>,
    account: &AccountTerms,
    document: &Document,
    terms: &Terms,
) -> Result<Vec<Reason>, Rejection> {
    if terms.rules.is_empty() {
        return Ok(vec![]);
    }
    let looked = Looked {
        document,
        previous: previous(session, document),
        country: &account.country,
        group: account.group.as_deref().unwrap_or_default(),
    };
    match review(terms, looked) {
        (Verdict::Reject, reasons) => {
            let why = reasons.iter().map(|r| format!("{}: {}", r.rule, r.text));
            Err(Rejection::new(
                "INVOICE_REJECTED",
                format!(
                    "a document of {} is rejected by {}",
                    document.total,
                    why.collect::<Vec<_>>().join("; ")
                ),
            ))
        }
        (_, reasons) => Ok(reasons),
    }
}

/// Total of the latest invoice that is final, of the same account, legal entity and currency.
fn previous(session: &Session<'_>, of: &Document) -> Option<Money> {
    let documents = session.index().invoices_of.get(&of.account)?;
    documents
        .iter()
        .rev()
        .take(LOOKED_BACK)
        .filter_map(|id| session.find::<Invoice>(id))
        .map(|e| &e.state)
        .filter(|i| i.document.entity == of.entity && i.document.currency == of.currency)
        .find(|i| i.stage == Stage::Finalised && i.document.kind == Kind::Invoice)
        .map(|i| i.document.total)
}

/// A draft that is not held waits from now on.
pub(super) fn hold_by_hand(
    session: &mut Session<'_>,
    invoice: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    let state = session.get::<Invoice>(invoice)?;
    let fresh = state.stage == Stage::Draft && state.hold.is_none();
    let document = state.document.clone();
    if fresh {
        claim(session, invoice, &document)?;
    }
    let hold = Hold {
        reasons: vec![Reason {
            rule: BY_HAND.to_string(),
            text: reason,
        }],
        until: None,
    };
    session.decide::<Invoice>(invoice, invoices::Command::Hold(hold))?;
    Ok(Outcome::of("invoice", invoice))
}

/// Finalises a held draft, whatever the rules said.
pub(super) fn release(
    session: &mut Session<'_>,
    invoice: &str,
    note: String,
) -> Result<Outcome, Rejection> {
    let document = session.get::<Invoice>(invoice)?.document.clone();
    if !document.account.is_empty() {
        let folio = folios::of_document(session, &document)?;
        super::dunning::dun(session, &folio)?;
    }
    session.decide::<Invoice>(invoice, invoices::Command::Release { note })?;
    let document = match fresh(session, invoice)? {
        Fresh::Due(document) => document,
        Fresh::Nothing => return Err(nothing_left(invoice)),
        Fresh::Frozen => {
            let document = session.get::<Invoice>(invoice)?.document.clone();
            freeze(session, invoice, Document::clone(&document))?;
            return Ok(Outcome::of("invoice", invoice));
        }
    };
    finalise(session, invoice, *document)?;
    Ok(Outcome::of("invoice", invoice))
}

/// The grace period of a draft is over: it is computed and reviewed again.
pub(super) fn ripen(session: &mut Session<'_>, invoice: &str) -> Result<Outcome, Rejection> {
    let state = session.get::<Invoice>(invoice)?;
    let (account, entity) = (
        state.document.account.clone(),
        state.document.entity.clone(),
    );
    let folio = folios::of_document(session, &session.get::<Invoice>(invoice)?.document)?;
    super::dunning::dun(session, &folio)?;
    let terms = Terms {
        grace_days: 0,
        ..terms_of(session, &account, &entity)
    };
    match fresh(session, invoice)? {
        Fresh::Due(document) => conclude(session, invoice, *document, &terms)?,
        Fresh::Nothing => {
            let reason = "nothing is due any more".to_string();
            session.decide::<Invoice>(invoice, invoices::Command::Reject { reason })?;
        }
        Fresh::Frozen => {
            let document = session.get::<Invoice>(invoice)?.document.clone();
            freeze(session, invoice, Document::clone(&document))?;
        }
    }
    Ok(Outcome::of("invoice", invoice))
}

/// Computes a held draft again; nothing happens where it comes to the same.
pub(super) fn again(session: &mut Session<'_>, invoice: &str) -> Result<(), Rejection> {
    let now = session.get::<Invoice>(invoice)?.document.clone();
    let next = session.probe(|s| fresh(s, invoice))?;
    let Fresh::Due(document) = next else {
        return Ok(());
    };
    if *document == *now {
        return Ok(());
    }
    unclaim(session, invoice, &now.account, &now.lines)?;
    claim(session, invoice, &document)?;
    session.decide::<Invoice>(invoice, invoices::Command::Draft(document))?;
    Ok(())
}

/// What a held draft comes to now.
enum Fresh {
    /// Its lines are free, and this takes their place.
    Due(Box<Document>),
    /// Its lines are free, and nothing does.
    Nothing,
    /// It stands as it is: it was asked for ahead of its time, or a later document counts on it.
    Frozen,
}

fn fresh(session: &mut Session<'_>, invoice: &str) -> Result<Fresh, Rejection> {
    let held = session.get::<Invoice>(invoice)?.document.clone();
    if held.run.is_none() {
        return Ok(Fresh::Frozen);
    }
    let freed = session.attempt(|s| unclaim(s, invoice, &held.account, &held.lines));
    if freed.is_err() {
        return Ok(Fresh::Frozen);
    }
    let folio = folios::of_document(session, &held)?;
    let Some(whole) = compose_document(session, &folio, held.as_of)? else {
        return Ok(Fresh::Nothing);
    };
    let whole = Document {
        run: held.run.clone(),
        ..whole
    };
    let part = part_of(session, &held, whole)?;
    Ok(part.map_or(Fresh::Nothing, |part| Fresh::Due(Box::new(part))))
}

/// The part of a whole document that a draft of a bill run is computed again as; none: nothing of it is due any more.
pub(super) fn part_of(
    session: &Session<'_>,
    draft: &Document,
    whole: Document,
) -> Result<Option<Document>, Rejection> {
    let how = terms_of(session, &draft.account, &draft.entity).split;
    let of = |document: &Document| {
        let line = document.lines.first();
        line.map(|line| key(session, line, how))
    };
    let wanted = of(draft);
    let mut parts = split(session, whole, how)?.into_iter();
    Ok(parts.find(|part| of(part) == wanted))
}

fn nothing_left(invoice: &str) -> Rejection {
    Rejection::new(
        "NOTHING_DUE",
        format!("nothing of draft {invoice} is due any more: reject it instead"),
    )
}

/// A draft becomes no invoice; what it kept is due again.
pub(super) fn reject(
    session: &mut Session<'_>,
    invoice: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    let state = session.get::<Invoice>(invoice)?;
    let (held, document) = (state.hold.is_some(), state.document.clone());
    session.decide::<Invoice>(invoice, invoices::Command::Reject { reason })?;
    if held {
        unclaim(session, invoice, &document.account, &document.lines)?;
    }
    Ok(Outcome::of("invoice", invoice))
}

/// Terms under which a document that is asked for at once is made: it waits for nothing but a review.
fn at_once(session: &Session<'_>, account: &str, entity: &str) -> Terms {
    Terms {
        minimum: None,
        grace_days: 0,
        keep_drafts: false,
        ..terms_of(session, account, entity)
    }
}

/// Invoices everything due now.
pub(super) fn now(
    session: &mut Session<'_>,
    invoice: &str,
    account: &str,
    usage: bool,
) -> Result<Outcome, Rejection> {
    check_id("invoice", invoice)?;
    if session.find::<Invoice>(invoice).is_some() {
        return Err(Rejection::new(
            "INVOICE_EXISTS",
            format!("document {invoice} is already there"),
        ));
    }
    super::dunning::dun(session, account)?;
    let today = session.today(&folio_terms(session, account)?.zone);
    let Some(document) = document_of(session, account, today, usage)? else {
        return Err(nothing_due(account, today));
    };
    let terms = at_once(session, &document.account, &document.entity);
    conclude(session, invoice, document, &terms)?;
    Ok(Outcome::of("invoice", invoice))
}

/// Usage of a subscription over its life, before discounts: what was billed of it and what was not.
pub(crate) fn used(
    tables: &Tables,
    id: &str,
    sub: &Subscription,
    settled: Date,
    on: Date,
) -> Result<Exact, Rejection> {
    let account = tables.accounts.get(&sub.account).map(|e| &e.state.terms);
    let entity = account.and_then(|a| tables.entities.get(&a.entity));
    let currency = account.map(|a| a.currency).unwrap_or_default();
    let basis = Basis {
        currency: exchange::currency_of(sub, currency),
        rounding: entity.map_or(Rounding::HalfUp, |e| e.state.terms.rounding),
        as_of: on,
        running: true,
    };
    let none = Charges::default();
    let charges = tables.charges.get(id).map_or(&none, |e| &e.state);
    let metered = |charge: &str, from: Date| -> Option<&Metered> {
        let meter = tables.usage.get(&crate::usage::id(id, charge, from));
        meter.map(|e| &e.state)
    };
    let open = due::usage(sub, charges, metered, basis, settled)?;
    Ok(sum(charges, open.iter().map(|d| d.net), basis))
}

/// Usage that was billed and usage that is due.
fn sum(charges: &Charges, due: impl Iterator<Item = Money>, basis: Basis) -> Exact {
    let usage = charges.items.iter();
    let billed = usage
        .filter(|i| matches!(i.what, What::Usage { .. }))
        .map(|i| i.net);
    Money::sum(basis.currency, billed.chain(due)).exact()
}

/// The threshold that usage reached and that was not dealt with.
pub(crate) fn threshold(
    tables: &Tables,
    id: &str,
    sub: &Subscription,
    settled: Date,
    on: Date,
) -> Option<Decimal> {
    let terms = progressive(sub)?;
    let used = used(tables, id, sub, settled, on).ok()?;
    let before = tables.progresses.get(id).and_then(|e| e.state.reached);
    progress::reached(terms, used, before).ok()?
}

fn progressive(sub: &Subscription) -> Option<&Progressive> {
    sub.terms.last()?.offer.progressive.as_ref()
}

/// Invoices what was used of running periods if a threshold is reached; periods that have ended are left to the bill run.
pub(super) fn bill_threshold(session: &mut Session<'_>, id: &str) -> Result<Outcome, Rejection> {
    let sub = session.get::<Subscription>(id)?.clone();
    let mut outcome = Outcome::of("subscription", id);
    let Some(terms) = progressive(&sub) else {
        return Ok(outcome);
    };
    let (user, entity) = folios::sold_on(session, &sub.account, id)?;
    let payer = user.payer(&sub.account).to_string();
    let basis = Basis {
        currency: exchange::currency_of(&sub, user.currency),
        rounding: entity.rounding,
        as_of: session.today(&user.zone),
        running: true,
    };
    let none = Charges::default();
    let charges = session.find::<Charges>(id).map_or(&none, |e| &e.state);
    let metered = |charge: &str, from: Date| -> Option<&Metered> {
        let meter = session.find::<Metered>(&crate::usage::id(id, charge, from));
        meter.map(|e| &e.state)
    };
    let settled = session.agenda().settled(id).unwrap_or(Date::MIN);
    let open = due::usage(&sub, charges, metered, basis, settled)?;
    let used = sum(charges, open.iter().map(|d| d.net), basis);
    let known = session.find::<Progress>(id).map(|e| e.state.clone());
    let known = known.unwrap_or_default();
    let Some(threshold) = progress::reached(terms, used, known.reached)? else {
        return Ok(outcome);
    };
    let running = open.into_iter().filter(|due| {
        let days = due.what.days();
        !due.net.is_zero() && days.is_some_and(|days| days.until > basis.as_of)
    });
    let mut lines: Vec<Line> = running
        .map(|due| {
            let gross = tax_included(session, id, &due.what);
            let class = due.tax_class.clone();
            let tax = taxes::answer(session, &sub.account, &user, &entity, &class, basis.as_of);
            line_of(&sub.account, Some(&id.to_string()), tax, gross, due)
        })
        .collect();
    let to = exchange::Target {
        payer: &payer,
        entity: &user.entity,
        currency: user.currency,
        rounding: entity.rounding,
        as_of: basis.as_of,
    };
    exchange::convert(session, &to, &mut lines)?;
    super::reratings::as_billed(session, &mut lines, false);
    super::discounts::lower(session, &payer, &mut lines, entity.rounding)?;
    let mut invoice = None;
    if !lines.is_empty() {
        let document = compose::complete(Document {
            account: payer.clone(),
            entity: user.entity.clone(),
            currency: user.currency,
            rounding: entity.rounding,
            as_of: basis.as_of,
            lines,
            shown: shown(session, &payer, &user.entity),
            ..Document::default()
        })?;
        let document = advances::deduct(session, document, &mut advances::Used::new())?;
        let number = format!("{id}.progress-{}", known.times + 1);
        let terms = at_once(session, &payer, &document.entity);
        conclude(session, &number, document, &terms)?;
        outcome
            .touched
            .push(("invoice".to_string(), number.clone()));
        invoice = Some(number);
    }
    let reached = progress::Reached {
        threshold,
        usage: used,
        invoice,
        on: basis.as_of,
    };
    session.decide::<Progress>(id, progress::Command::Reach(reached))?;
    Ok(outcome)
}
