//! Bill runs and drafts: gathers what is due of everything an account pays for, and turns it into a document.

use super::{account_terms, entity_terms, taxes};
use crate::accounts::AccountTerms;
use crate::charges::due::{self, Basis, Due};
use crate::charges::{self, Charges, Item, What};
use crate::command::Outcome;
use crate::entities::EntityTerms;
use crate::invoices::{self, Document, Invoice, Line, Series, Stage, compose, series};
use crate::kernel::{Date, Id, Money, Rejection, calendar::add_days, check_id, event};
use crate::processes::agenda::Timer;
use crate::runs::{self, BillRun};
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::taxes::Answer;
use crate::usage::Metered;
use chrono::Datelike;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn start_run(
    session: &mut Session<'_>,
    run: &str,
    as_of: Option<Date>,
    accounts: Vec<Id>,
    draft: bool,
) -> Result<Outcome, Rejection> {
    check_id("bill run", run)?;
    let mut payers = Vec::new();
    let mut last_day = as_of;
    let named = if accounts.is_empty() {
        last_day = last_day.or_else(|| session.agenda().last_today(session.now()));
        waiting(session, last_day)?.into_iter().collect()
    } else {
        accounts
    };
    for account in named {
        let terms = account_terms(session, &account)?;
        let payer = terms.payer(&account).to_string();
        let day = as_of.unwrap_or_else(|| session.today(&terms.zone));
        last_day = last_day.max(Some(day));
        if !payers.contains(&payer) && compose_document(session, &payer, day)?.is_some() {
            payers.push(payer);
        }
    }
    let left = payers.len() as u64;
    let as_of = last_day.unwrap_or_else(|| session.today(&crate::kernel::Zone::default()));
    session.decide::<BillRun>(
        run,
        runs::Command::Start {
            as_of,
            accounts: payers,
            draft,
        },
    )?;
    Ok(Outcome {
        left: left + 1,
        ..Outcome::of("bill-run", run)
    })
}

/// Accounts for which the agenda has something to bill by a day, with everybody on the same invoice, in order: nobody
/// else is looked at.
fn waiting(session: &Session<'_>, day: Option<Date>) -> Result<BTreeSet<Id>, Rejection> {
    let mut accounts = BTreeSet::new();
    for (_, timer) in day.iter().flat_map(|day| session.agenda().through(*day)) {
        let Timer::Bill { account } = timer else {
            continue;
        };
        let terms = account_terms(session, account)?;
        let payer = terms.payer(account).to_string();
        accounts.extend(
            session
                .index()
                .paid_by
                .get(&payer)
                .into_iter()
                .flatten()
                .cloned(),
        );
        accounts.insert(payer);
    }
    Ok(accounts)
}

pub(super) fn step_run(session: &mut Session<'_>, run: &str) -> Result<Outcome, Rejection> {
    let state = session.get::<BillRun>(run)?;
    let (waiting, drafts) = (state.pending.len() as u64, state.draft);
    let (Some(as_of), false) = (state.as_of, state.completed) else {
        return Ok(Outcome::of("bill-run", run));
    };
    let Some(account) = state.pending.first().cloned() else {
        session.decide::<BillRun>(run, runs::Command::Complete)?;
        return Ok(Outcome::of("bill-run", run));
    };
    let invoice = format!("{run}.{account}");
    let mut outcome = Outcome {
        left: waiting,
        ..Outcome::of("bill-run", run)
    };
    let billed = session.attempt(|s| bill(s, &invoice, &account, as_of, drafts, run));
    let step = match billed {
        Ok(billed) => {
            let invoice = billed.then_some(invoice);
            outcome
                .touched
                .extend(invoice.iter().map(|i| ("invoice".to_string(), i.clone())));
            runs::Command::Billed { account, invoice }
        }
        Err(rejection) => runs::Command::Refused { account, rejection },
    };
    session.decide::<BillRun>(run, step)?;
    Ok(outcome)
}

/// Bills one payer; false when nothing is due.
fn bill(
    session: &mut Session<'_>,
    invoice: &str,
    account: &str,
    as_of: Date,
    draft: bool,
    run: &str,
) -> Result<bool, Rejection> {
    // Late fees and suspensions of days that have come are billed, whenever the clock is asked.
    super::dunning::dun(session, account)?;
    let Some(mut document) = compose_document(session, account, as_of)? else {
        return Ok(false);
    };
    document.run = Some(run.to_string());
    if draft {
        session.decide::<Invoice>(invoice, invoices::Command::Draft(Box::new(document)))?;
    } else {
        finalise(session, invoice, document)?;
    }
    Ok(true)
}

pub(super) fn draft(
    session: &mut Session<'_>,
    invoice: &str,
    account: &str,
    as_of: Option<Date>,
) -> Result<Outcome, Rejection> {
    check_id("invoice", invoice)?;
    super::dunning::dun(session, account)?;
    let terms = account_terms(session, account)?;
    let as_of = as_of.unwrap_or_else(|| session.today(&terms.zone));
    let Some(document) = compose_document(session, account, as_of)? else {
        return Err(Rejection::new(
            "NOTHING_DUE",
            format!("nothing is due for account {account} on {as_of}"),
        ));
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
    let (account, as_of, run) = (
        state.document.account.clone(),
        state.document.as_of,
        state.document.run.clone(),
    );
    super::dunning::dun(session, &account)?;
    let Some(mut document) = compose_document(session, &account, as_of)? else {
        return Err(Rejection::new(
            "NOTHING_DUE",
            format!("nothing is due any more for account {account} on {as_of}"),
        ));
    };
    document.run = run;
    finalise(session, invoice, document)?;
    Ok(Outcome::of("invoice", invoice))
}

/// What the account's next document would be; nothing is staged.
pub fn preview(
    session: &Session<'_>,
    account: &str,
    as_of: Date,
) -> Result<Option<Document>, Rejection> {
    compose_document(session, account, as_of)
}

/// Numbers, freezes and books a document: series, document and billed charges in one commit, so that a number without
/// a document, or a charge billed twice, cannot exist (policy 23, 24).
pub(super) fn finalise(
    session: &mut Session<'_>,
    invoice: &str,
    document: Document,
) -> Result<(), Rejection> {
    let entity = entity_terms(session, &document.entity)?;
    let account = account_terms(session, &document.account)?;
    let issued = session.today(&entity.zone);
    let (number, issued) = number(session, invoice, &entity, &document, issued)?;
    let days = account.payment_days.unwrap_or(entity.payment_days);
    let due = add_days(issued, i64::from(days));
    for (owner, items) in billed_items(invoice, &document) {
        session.decide::<Charges>(&owner, charges::Command::Bill { items })?;
    }
    super::discounts::take(session, invoice, &document)?;
    session.decide::<Invoice>(
        invoice,
        invoices::Command::Finalise {
            number,
            issued,
            due,
            document: Box::new(document),
            buyer: account.buyer,
        },
    )?;
    Ok(())
}

/// Takes the next number of the document's series.
pub(super) fn number(
    session: &mut Session<'_>,
    invoice: &str,
    entity: &EntityTerms,
    document: &Document,
    issued: Date,
) -> Result<(String, Date), Rejection> {
    let bytes = event::to_bytes("document", document)
        .map_err(|e| Rejection::new("DOCUMENT_TOO_LARGE", e.to_string()))?;
    let digest = *blake3::hash(&bytes).as_bytes();
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
        series::number(&entity.number_prefix, document.kind, issued.year(), n),
        issued,
    ))
}

/// The lines of a document by the charge stream that remembers them.
fn billed_items(invoice: &str, document: &Document) -> BTreeMap<Id, Vec<Item>> {
    let mut by_owner: BTreeMap<Id, Vec<Item>> = BTreeMap::new();
    for line in &document.lines {
        let items = by_owner.entry(owner_of(line)).or_default();
        let item = |what: What, net: Money| Item {
            invoice: invoice.to_string(),
            line: line.no,
            what,
            net,
        };
        items.push(item(line.what.clone(), line.before_discounts()));
        items.extend(line.reductions.iter().map(|r| {
            let what = What::Reduction {
                redemption: r.redemption.clone(),
                charge: line.what.charge().to_string(),
            };
            item(what, r.amount.negated())
        }));
    }
    by_owner
}

/// The charge stream a line belongs to: its subscription's, else its account's.
pub(super) fn owner_of(line: &Line) -> Id {
    line.subscription
        .clone()
        .unwrap_or_else(|| line.account.clone())
}

/// True-ups and caps of the payer's own commitments.
fn committed_lines(
    session: &Session<'_>,
    payer: &str,
    terms: &AccountTerms,
    entity: &EntityTerms,
    basis: Basis,
) -> Result<Vec<Line>, Rejection> {
    let none = Charges::default();
    let own = session.find::<Charges>(payer).map_or(&none, |e| &e.state);
    let due = super::commitments::due(session, payer, own, basis)?;
    Ok(due
        .into_iter()
        .map(|due| {
            let tax = taxes::answer(session, payer, terms, entity, &due.tax_class, basis.as_of);
            line_of(payer, None, tax, false, due)
        })
        .collect())
}

fn line_of(account: &str, subscription: Option<&Id>, tax: Answer, gross: bool, due: Due) -> Line {
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
    }
}

/// Whether the price of a line includes tax: as its offer says, and for days given back as the line that billed them.
fn tax_included(session: &Session<'_>, subscription: &str, what: &What) -> bool {
    if let What::Credit { invoice, line, .. } = what {
        let origin = session.find::<Invoice>(invoice).map(|e| &e.state);
        return origin
            .and_then(|i| i.line(*line))
            .is_some_and(|l| l.gross.is_some());
    }
    let on = match what {
        What::OneOff { on, .. } | What::Added { on, .. } | What::TopUp { on, .. } => Some(*on),
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

/// Everything due for an account and those it pays for, as a document; none when nothing is due.
fn compose_document(
    session: &Session<'_>,
    payer: &str,
    as_of: Date,
) -> Result<Option<Document>, Rejection> {
    document_of(session, payer, as_of, false)
}

/// What would be billed if every period ended now: what is due, and what was used of running periods.
pub(super) fn expected(session: &Session<'_>, payer: &str) -> Result<Option<Document>, Rejection> {
    let today = session.today(&account_terms(session, payer)?.zone);
    document_of(session, payer, today, true)
}

fn document_of(
    session: &Session<'_>,
    payer: &str,
    as_of: Date,
    running: bool,
) -> Result<Option<Document>, Rejection> {
    let terms = account_terms(session, payer)?;
    if let Some(other) = &terms.payer {
        return Err(Rejection::new(
            "PAID_BY_OTHER",
            format!("account {payer} is paid for by {other}: bill that account"),
        ));
    }
    let entity = entity_terms(session, &terms.entity)?;
    let basis = Basis {
        currency: terms.currency,
        rounding: entity.rounding,
        as_of,
        running,
    };
    let mut lines = due_lines(session, payer, &terms, &entity, basis)?;
    for child in session.index().paid_by.get(payer).into_iter().flatten() {
        let child_terms = account_terms(session, child)?;
        lines.extend(due_lines(session, child, &child_terms, &entity, basis)?);
    }
    lines.extend(committed_lines(session, payer, &terms, &entity, basis)?);
    super::discounts::lower(session, payer, &mut lines, entity.rounding)?;
    // A credit of nothing frees its days for what comes next; alone it is no document.
    let nothing = |l: &Line| l.net.is_zero() && matches!(l.what, What::Credit { .. });
    if lines.iter().all(nothing) {
        return Ok(None);
    }
    let document = Document {
        account: payer.to_string(),
        entity: terms.entity,
        currency: terms.currency,
        rounding: entity.rounding,
        as_of,
        lines,
        ..Document::default()
    };
    compose::complete(document).map(Some)
}

fn due_lines(
    session: &Session<'_>,
    account: &str,
    terms: &AccountTerms,
    entity: &EntityTerms,
    basis: Basis,
) -> Result<Vec<Line>, Rejection> {
    let none = Charges::default();
    let mut lines = Vec::new();
    let line = |subscription: Option<&Id>, due: Due| {
        let gross = subscription.is_some_and(|id| tax_included(session, id, &due.what));
        let tax = taxes::answer(session, account, terms, entity, &due.tax_class, basis.as_of);
        line_of(account, subscription, tax, gross, due)
    };
    for subscription in session
        .index()
        .subscriptions_of
        .get(account)
        .into_iter()
        .flatten()
    {
        let sub = session.get::<Subscription>(subscription)?;
        let charges = session
            .find::<Charges>(subscription)
            .map_or(&none, |e| &e.state);
        let metered = |charge: &str, from: Date| -> Option<&Metered> {
            session
                .find::<Metered>(&crate::usage::id(subscription, charge, from))
                .map(|e| &e.state)
        };
        lines.extend(
            due::of_subscription(sub, charges, metered, basis)?
                .into_iter()
                .map(|d| line(Some(subscription), d)),
        );
    }
    let own = session.find::<Charges>(account).map_or(&none, |e| &e.state);
    lines.extend(
        due::added(own, basis.as_of)
            .into_iter()
            .map(|d| line(None, d)),
    );
    Ok(lines)
}
