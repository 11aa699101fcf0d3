//! What stands behind a document: the facts that its lines and sums rest on.
//!
//! - The document's own stream.
//! - For each line: the fact that it was billed, and for usage every fact of the meter before the document was finalised.
//! - For a charge added by hand: its addition. For days given back: the bill that held them. For a credit note: the
//!   document it corrects.
//!
//! [`facts_behind`] collects them from a log, [`check`] judges a set of them without one.

mod proven;

pub use proven::{Proven, ProvenLine, ProvenUsage, check};

use crate::charges::{Charges, Event as ChargeEvent, What};
use crate::invoices::{Event as InvoiceEvent, Finalised, Invoice, Line};
use crate::kernel::{Id, Recorded, Rejection};
use crate::usage::{self, Metered};
use crate::world::{Event, Noun, Tables};
use std::collections::{BTreeMap, BTreeSet};

/// The id of a document, given its id or its number.
pub fn document_named<'t>(tables: &'t Tables, text: &str) -> Option<&'t Id> {
    let by_id = tables.invoices.get_key_value(text).map(|(id, _)| id);
    by_id.or_else(|| {
        let mut numbered = tables.invoices.iter();
        numbered
            .find(|(_, invoice)| invoice.state.number == text)
            .map(|(id, _)| id)
    })
}

/// Reads one stream by kind and id, from its first event on.
pub type ReadStream<'a, E> = dyn FnMut(&str, &str) -> Result<Vec<Recorded<Event>>, E> + 'a;

/// Positions of the facts behind a finalised document.
///
/// INVOICE_NOT_FINAL when it was never finalised, INVOICE_UNKNOWN when there is none.
pub fn facts_behind<E>(
    invoice: &str,
    read: &mut ReadStream<'_, E>,
) -> Result<Result<BTreeSet<u64>, Rejection>, E> {
    let own = read(Invoice::KIND, invoice)?;
    let Some((at, finalised)) = finalised(&own, invoice) else {
        return Ok(Err(if own.is_empty() {
            Rejection::new("INVOICE_UNKNOWN", format!("there is no document {invoice}"))
        } else {
            Rejection::new(
                "INVOICE_NOT_FINAL",
                format!("document {invoice} is not finalised: there is nothing to prove yet"),
            )
        }));
    };
    let mut found: BTreeSet<u64> = own.iter().map(|fact| fact.position).collect();
    match &finalised.document.corrects {
        Some(corrected) => {
            let lines = &finalised.document.lines;
            corrected_facts(invoice, at, corrected, lines, read, &mut found)?;
        }
        None => {
            let mut by_owner: BTreeMap<&Id, Vec<&Line>> = BTreeMap::new();
            for line in &finalised.document.lines {
                by_owner.entry(owner(line)).or_default().push(line);
            }
            for (owner, lines) in by_owner {
                let facts = read(Charges::KIND, owner)?;
                found.extend(billing_facts(invoice, at, &lines, &facts));
                for line in lines {
                    if let Some(meter) = meter(line) {
                        let facts = read(Metered::KIND, &meter)?;
                        found.extend(facts.iter().map(|f| f.position).filter(|p| *p < at));
                    }
                }
            }
        }
    }
    Ok(Ok(found))
}

/// The event that numbered and froze a document, and its position.
fn finalised<'a>(facts: &'a [Recorded<Event>], invoice: &str) -> Option<(u64, &'a Finalised)> {
    facts.iter().find_map(|fact| match &fact.event {
        Event::Invoice(InvoiceEvent::Finalised(e)) if fact.id == invoice => {
            Some((fact.position, e))
        }
        _ => None,
    })
}

/// The charge stream a line belongs to: its subscription's, else its account's.
fn owner(line: &Line) -> &Id {
    line.subscription.as_ref().unwrap_or(&line.account)
}

/// Stream id of the meter under a line of usage.
fn meter(line: &Line) -> Option<Id> {
    match (&line.subscription, &line.what, line.corrects_line) {
        (Some(subscription), What::Usage { charge, days }, None) => {
            Some(usage::id(subscription, charge, days.from))
        }
        _ => None,
    }
}

/// Facts of one charge stream that lines of a document rest on.
fn billing_facts(
    invoice: &str,
    at: u64,
    lines: &[&Line],
    facts: &[Recorded<Event>],
) -> BTreeSet<u64> {
    let wanted = |fact: &&Recorded<Event>| {
        match &fact.event {
        Event::Charge(ChargeEvent::Billed(billed)) => billed.items.iter().any(|item| {
            item.invoice == invoice
                || lines.iter().any(|line| {
                    matches!(&line.what, What::Credit { invoice, line, .. }
                        if *invoice == item.invoice && *line == item.line)
                })
        }),
        Event::Charge(ChargeEvent::Added(added)) => lines.iter().any(|line| {
            matches!(&line.what, What::Added { charge, .. } if *charge == added.pending.charge)
        }),
        Event::Charge(ChargeEvent::Ordered(ordered)) => lines.iter().any(|line| {
            matches!(&line.what, What::Added { charge, .. } if *charge == ordered.pending.charge)
        }),
        _ => false,
    }
    };
    let before = facts.iter().filter(|fact| fact.position < at);
    before.filter(wanted).map(|fact| fact.position).collect()
}

/// Facts behind a credit note: the document it corrects, and what was taken off its lines.
fn corrected_facts<E>(
    note: &str,
    at: u64,
    corrected: &str,
    lines: &[Line],
    read: &mut ReadStream<'_, E>,
    found: &mut BTreeSet<u64>,
) -> Result<(), E> {
    for fact in read(Invoice::KIND, corrected)? {
        let wanted = match &fact.event {
            // Its note gives back tax at the rate that it told.
            Event::Invoice(InvoiceEvent::Finalised(_) | InvoiceEvent::TaxStated(_)) => true,
            Event::Invoice(InvoiceEvent::CreditNoted(e)) => e.parts.iter().any(|p| p.note == note),
            _ => false,
        };
        if wanted {
            found.insert(fact.position);
        }
    }
    for line in lines {
        let facts = read(Charges::KIND, owner(line))?;
        let taken_off = facts.iter().rev().find(|fact| {
            fact.position < at
                && matches!(&fact.event, Event::Charge(ChargeEvent::Adjusted(e))
                    if e.invoice == corrected
                        && Some(e.line) == line.corrects_line
                        && (e.amount == line.net.negated() || line.converted.is_some()))
        });
        found.extend(taken_off.map(|fact| fact.position));
    }
    Ok(())
}
