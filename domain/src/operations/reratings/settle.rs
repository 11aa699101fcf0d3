//! Settles what a rerating made different of what was invoiced: a note of its own, and drafts computed again.

use super::owed::same;
use crate::accounts::folio;
use crate::charges::{Charges, Item, What};
use crate::invoices::{self, Document, Invoice, Kind, Line, Stage, compose};
use crate::kernel::{Date, Days, Id, Money, Rejection};
use crate::operations::billing::{self, owner_of};
use crate::operations::{discounts, entity_terms, folio_terms, folios, invoicing};
use crate::reratings::{Rerating, Settle};
use crate::session::Session;
use std::collections::{BTreeMap, BTreeSet};

/// What of a payer's lines a rerating settles.
struct Scope<'a> {
    days: Days,
    subscriptions: BTreeSet<&'a Id>,
    /// Subscriptions whose recurring charges have other prices now.
    repriced: BTreeSet<&'a Id>,
}

/// Settles one payer; the answer is a document for each folio that differs.
pub(super) fn settle(
    session: &mut Session<'_>,
    id: &str,
    rerating: &Rerating,
    payer: &str,
    undo: bool,
) -> Result<Vec<Id>, Rejection> {
    let Some(ask) = &rerating.ask else {
        return Ok(vec![]);
    };
    // A held draft has its charges already: it is computed again before anything counts them as invoiced.
    redraft(session, payer, true)?;
    let on = match ask.settle {
        Settle::Note => folios::of(session, payer)?,
        Settle::NextInvoice => vec![],
    };
    let mut made = Vec::new();
    for folio in on {
        let Some(mut document) = note(session, rerating, &folio, ask.days(), undo)? else {
            continue;
        };
        for line in &mut document.lines {
            let what = if undo { "undone" } else { ask.reason.as_str() };
            line.explain.push_str(&format!(" (rerating {id}: {what})"));
        }
        let mut name = match undo {
            true => format!("{id}.undo.{payer}"),
            false => format!("{id}.{payer}"),
        };
        if !made.is_empty() {
            name.push_str(&format!(".{}", made.len() + 1));
        }
        billing::finalise(session, &name, document)?;
        remember(session, &name, rerating)?;
        made.push(name);
    }
    redraft(session, payer, false)?;
    Ok(made)
}

/// The differences to what was invoiced on a folio, as a document; none where there are none.
fn note(
    session: &Session<'_>,
    rerating: &Rerating,
    folio: &str,
    days: Days,
    undo: bool,
) -> Result<Option<Document>, Rejection> {
    let (payer, terms) = (folio::owner(folio), folio_terms(session, folio)?);
    let entity = entity_terms(session, &terms.entity)?;
    let as_of = session.today(&terms.zone);
    let done = rerating.done.iter().filter(|d| d.payer == payer);
    let scope = Scope {
        days: widest(days, rerating, payer),
        subscriptions: done.clone().map(|d| &d.subscription).collect(),
        repriced: done
            .filter(|d| d.terms.is_some())
            .map(|d| &d.subscription)
            .collect(),
    };
    let mut lines = billing::all_lines(session, folio, as_of)?;
    lines.retain(|line| settles(session, &scope, line));
    as_billed(session, &mut lines, true);
    let mut taken_back = match undo {
        true => reversals(session, rerating, payer, &mut lines),
        false => vec![],
    };
    discounts::lower(session, payer, &mut lines, entity.rounding)?;
    lines.append(&mut taken_back);
    let nothing = |l: &Line| l.net.is_zero() && l.gross.is_none_or(|g| g.is_zero());
    if lines.iter().all(nothing) {
        return Ok(None);
    }
    let document = Document {
        // A credit note, if it gives back more than it asks for.
        kind: Kind::DebitNote,
        account: payer.to_string(),
        shown: invoicing::shown(session, payer, &terms.entity),
        entity: terms.entity,
        currency: terms.currency,
        rounding: entity.rounding,
        as_of,
        lines,
        ..Document::default()
    };
    compose::complete(document).map(Some)
}

/// The scope's days, and those of every meter that was counted anew.
fn widest(days: Days, rerating: &Rerating, payer: &str) -> Days {
    let meters = rerating.done.iter().filter(|d| d.payer == payer);
    let first = |meter: &Id| {
        let day = meter.rsplit('/').next().unwrap_or_default();
        crate::kernel::calendar::parse_date(day).ok()
    };
    let firsts = meters.flat_map(|d| &d.meters).filter_map(first);
    let from: Option<Date> = firsts.min();
    Days::new(from.map_or(days.from, |f| f.min(days.from)), days.until)
}

/// Whether a line corrects something that was billed before, within the scope.
fn settles(session: &Session<'_>, scope: &Scope<'_>, line: &Line) -> bool {
    let none = Charges::default();
    let owner = owner_of(line);
    let charges = session.find::<Charges>(&owner).map_or(&none, |e| &e.state);
    let of = |set: &BTreeSet<&Id>| line.subscription.as_ref().is_some_and(|s| set.contains(s));
    let meets = |what: &What| {
        what.days()
            .is_some_and(|d| !d.overlap(scope.days).is_empty())
    };
    // A price in the middle of a period cuts it: what was billed of it lies in the scope, if not each of its pieces.
    let billed = || {
        let from = line.what.days().map_or(Date::MIN, |days| days.from);
        let mut items = charges.since(from);
        items.any(|i| corrects(&i.what, &line.what) && meets(&i.what))
    };
    match &line.what {
        What::Usage { .. } => of(&scope.subscriptions) && billed(),
        // What all subscriptions together commit to has no subscription.
        What::TrueUp { .. } | What::Cap { .. } => {
            billed() && (line.subscription.is_none() || of(&scope.subscriptions))
        }
        What::Recurring { .. } => of(&scope.repriced) && billed(),
        What::Credit { .. } => meets(&line.what) && of(&scope.repriced),
        _ => false,
    }
}

/// Whether a line tells anew what a billed one told: of the same charge and period, or of usage on some of its days, where
/// a price in the middle of a period cut it.
fn corrects(billed: &What, line: &What) -> bool {
    match (billed, line) {
        (What::Usage { charge: a, days: x }, What::Usage { charge: b, days: y }) => {
            a == b && !x.overlap(*y).is_empty()
        }
        _ => same(billed, line),
    }
}

/// What corrects a line that was billed before is taxed as that line was, whatever holds today: the supply was then (policy
/// 21, 22; Directive 2006/112/EC, article 90: the taxable amount of the supply is reduced). `all`: recurring charges that a
/// rerating bills anew too, and usage of whichever stage.
pub(in crate::operations) fn as_billed(session: &Session<'_>, lines: &mut [Line], all: bool) {
    for line in lines {
        let (owner, none) = (owner_of(line), Charges::default());
        let charges = session.find::<Charges>(&owner).map_or(&none, |e| &e.state);
        // Years before the days of the line hold nothing that it could correct.
        let from = line.what.days().map_or(Date::MIN, |days| days.from);
        let billed = charges.since(from);
        let mut billed = billed.filter(|i| corrects(&i.what, &line.what));
        let found = match &line.what {
            What::Usage { .. } if !all => {
                let last = billed.last();
                last.filter(|last| line.net.is_negative() || !stage(session, last))
                    .map(place)
            }
            What::Usage { .. } | What::TrueUp { .. } | What::Cap { .. } => billed.next().map(place),
            What::Recurring { .. } if all => billed.next().map(place),
            What::Credit { invoice, line, .. } => Some((invoice, *line)),
            _ => None,
        };
        let origin = found.and_then(|(invoice, no)| {
            let invoice = session.find::<Invoice>(invoice)?;
            invoice.state.line(no).map(|l| l.tax.clone())
        });
        if let Some(tax) = origin {
            line.tax = tax;
        }
    }
}

/// The invoice that carries a billed line, and its number there.
fn place(item: &Item) -> (&Id, u32) {
    (&item.invoice, item.line)
}

/// Whether a line billed what was used of a period that still ran then. What is used afterwards is no correction of it but
/// the next part of a continuous supply, with the tax of its own day (policy 21; Directive 2006/112/EC, article 64).
fn stage(session: &Session<'_>, item: &crate::charges::Item) -> bool {
    let document = session.find::<Invoice>(&item.invoice);
    let until = item.what.days().map(|days| days.until);
    document
        .zip(until)
        .is_some_and(|(invoice, until)| invoice.state.document.as_of < until)
}

/// Lines that take back exactly what a line of the rerating's own note asked for, with its tax and discounts; they are
/// taken out of `lines`.
fn reversals(
    session: &Session<'_>,
    rerating: &Rerating,
    payer: &str,
    lines: &mut Vec<Line>,
) -> Vec<Line> {
    let notes = rerating.documents.iter().filter(|(of, _)| of == payer);
    let notes = notes.filter_map(|(_, id)| session.find::<Invoice>(id));
    let mut asked: Vec<Line> = notes.flat_map(|n| n.state.document.lines.clone()).collect();
    let mut out = Vec::new();
    lines.retain(|line| {
        let exact = |a: &Line| {
            same(&a.what, &line.what)
                && a.subscription == line.subscription
                && a.before_discounts().negated() == line.before_discounts()
                && !matches!(line.what, What::Recurring { .. })
        };
        let Some(at) = asked.iter().position(exact) else {
            return true;
        };
        let was = asked.remove(at);
        let reductions = was.reductions.iter().map(|r| invoices::Reduction {
            // What a discount has left to give is not moved by taking back.
            redemption: Id::new(),
            text: r.text.clone(),
            amount: r.amount.negated(),
        });
        out.push(Line {
            net: was.net.negated(),
            gross: was.gross.map(|g| g.negated()),
            tax: was.tax.clone(),
            reductions: reductions.collect(),
            ..line.clone()
        });
        false
    });
    out
}

/// Computes the payer's drafts again, so that they show what is known now.
fn redraft(session: &mut Session<'_>, payer: &str, held: bool) -> Result<(), Rejection> {
    let ids = session.index().invoices_of.get(payer).into_iter().flatten();
    let drafts = ids.filter_map(|id| {
        let state = &session.find::<Invoice>(id)?.state;
        let draft = state.stage == Stage::Draft && state.hold.is_some() == held;
        draft.then(|| (id.clone(), Document::clone(&state.document)))
    });
    let drafts: Vec<(Id, Document)> = drafts.collect();
    for (id, before) in drafts {
        if held {
            invoicing::again(session, &id)?;
            continue;
        }
        let folio = folios::of_document(session, &before)?;
        if let Some(mut document) = billing::compose_document(session, &folio, before.as_of)? {
            document.run = before.run;
            session.decide::<Invoice>(&id, invoices::Command::Draft(Box::new(document)))?;
        }
    }
    Ok(())
}

/// What the document of a rerating gives back is remembered by the documents that billed it, as what a credit note gives
/// back is: notes for everything that is left of them then come to exactly what is owed, and no more (policy 22).
///
/// As much as the note as a whole gives back: what it asks for besides can be given back of the note itself.
fn remember(session: &mut Session<'_>, note: &str, rerating: &Rerating) -> Result<(), Rejection> {
    let document = session.get::<Invoice>(note)?.document.clone();
    let mut left = document.net.negated();
    if !document.total.is_negative() || !left.is_positive() {
        return Ok(());
    }
    let own: BTreeSet<&Id> = rerating.documents.iter().map(|(_, id)| id).collect();
    let mut billed: Vec<Billed> = Vec::new();
    for line in &document.lines {
        let lines = billers(session, note, line, &own);
        match billed.iter_mut().find(|b| b.lines == lines) {
            Some(known) => known.net = known.net.plus(line.net),
            None => billed.push(Billed {
                net: line.net,
                lines,
            }),
        }
    }
    let mut parts: BTreeMap<Id, Vec<(u32, Money)>> = BTreeMap::new();
    for Billed { net, lines } in billed {
        let mut back = net.negated().min(left);
        for (invoice, no) in lines {
            let Some(state) = session.find::<Invoice>(&invoice).map(|e| &e.state) else {
                continue;
            };
            let taken = parts.get(&invoice).into_iter().flatten();
            let taken = taken.filter(|(n, _)| *n == no).map(|(_, m)| *m);
            let taken = Money::sum(document.currency, taken);
            let room = state
                .line(no)
                .map(|line| state.line_left(line).minus(taken));
            let part = room.map_or(taken, |room| room.min(back));
            if part.is_positive() && state.stage == Stage::Finalised {
                (back, left) = (back.minus(part), left.minus(part));
                parts.entry(invoice).or_default().push((no, part));
            }
        }
    }
    for (invoice, parts) in parts {
        let state = session.get::<Invoice>(&invoice)?;
        let (_, credited) = compose::credit_note(state, &invoice, note, &parts, &BTreeMap::new())?;
        session.decide::<Invoice>(&invoice, invoices::Command::Credit { parts: credited })?;
    }
    Ok(())
}

/// What a note says of what the same lines billed.
struct Billed {
    net: Money,
    lines: Vec<(Id, u32)>,
}

/// Lines that billed what a line of a note corrects: those of the rerating's own documents first, then the oldest.
fn billers(session: &Session<'_>, note: &str, line: &Line, own: &BTreeSet<&Id>) -> Vec<(Id, u32)> {
    if let What::Credit { invoice, line, .. } = &line.what {
        return vec![(invoice.clone(), *line)];
    }
    let (owner, none) = (owner_of(line), Charges::default());
    let charges = session.find::<Charges>(&owner).map_or(&none, |e| &e.state);
    let corrected = charges
        .items
        .iter()
        .filter(|i| i.invoice != note && i.net.is_positive() && corrects(&i.what, &line.what));
    let mut found: Vec<(Id, u32)> = corrected.map(|i| (i.invoice.clone(), i.line)).collect();
    found.sort_by_key(|(invoice, _)| !own.contains(invoice));
    found.dedup();
    found
}
