//! What must be true of a tenant's whole state, checked by going through all of it.
//!
//! The deciders refuse every single command that would break one of these; this looks at the result, independently,
//! as `indelible verify` and the crash tests do. Each broken invariant is one sentence.

use crate::charges::{Charges, What};
use crate::invoices::{Invoice, Kind, Stage, stated::broken as broken_tax};
use crate::kernel::{Days, Id, Instant, Money};
use crate::world::{Entry, Tenant};
use chrono::Datelike;
use std::collections::{BTreeMap, BTreeSet};

/// Every broken invariant of one tenant; empty when all is well.
pub fn audit(tenant: &Tenant) -> Vec<String> {
    let mut broken = Vec::new();
    documents(tenant, &mut broken);
    numbers(tenant, &mut broken);
    for (owner, charges) in &tenant.tables.charges {
        days_billed_once(owner, &charges.state, &mut broken);
        nothing_over_credited(owner, &charges.state, &mut broken);
    }
    every_line_is_remembered(tenant, &mut broken);
    crate::receivables::audit::audit(tenant, &mut broken);
    crate::wallets::audit::audit(tenant, &mut broken);
    crate::counters::audit::audit(tenant, &mut broken);
    crate::advances::audit::audit(tenant, &mut broken);
    broken
}

/// The same and what must be true of reserved money at an instant, which is that of the last fact or later.
pub fn audit_at(tenant: &Tenant, at: Instant) -> Vec<String> {
    let mut broken = audit(tenant);
    crate::wallets::audit::audit_at(tenant, at, &mut broken);
    broken
}

/// Total = Σ net lines + Σ group taxes, groups = their lines, credit notes within their invoice.
fn documents(tenant: &Tenant, broken: &mut Vec<String>) {
    for (id, invoice) in &tenant.tables.invoices {
        let doc = &invoice.state.document;
        let net = Money::sum(doc.currency, doc.lines.iter().map(|l| l.net));
        let tax = Money::sum(doc.currency, doc.taxes.iter().map(|t| t.amount));
        if net.plus(tax) != doc.total || net != doc.net || tax != doc.tax {
            broken.push(format!(
                "document {id}: lines {net} and tax {tax} do not make {}",
                doc.total
            ));
        }
        for group in &doc.taxes {
            let lines = doc
                .lines
                .iter()
                .filter(|l| l.tax == group.tax)
                .map(|l| l.net);
            if Money::sum(doc.currency, lines) != group.net {
                broken.push(format!(
                    "document {id}: tax group {} is not the sum of its lines",
                    group.tax.name
                ));
            }
        }
        let stated = invoice.state.stated.as_ref();
        if let Some(why) = stated.and_then(|told| broken_tax(&invoice.state, told)) {
            broken.push(format!("document {id}: {why}"));
        }
        if doc.kind != Kind::CreditNote && invoice.state.left().is_negative() {
            broken.push(format!(
                "document {id}: its credit notes exceed it by {}",
                invoice.state.left().negated()
            ));
        }
    }
}

/// Each series counts 1, 2, 3 … and each number is on one document that was numbered once.
fn numbers(tenant: &Tenant, broken: &mut Vec<String>) {
    let mut used: BTreeMap<Id, BTreeSet<u64>> = BTreeMap::new();
    for (id, invoice) in &tenant.tables.invoices {
        let (Some(issued), false) = (invoice.state.issued, invoice.state.number.is_empty()) else {
            continue;
        };
        let doc = &invoice.state.document;
        let series = crate::invoices::series::id(&doc.entity, doc.kind, issued.year());
        let n = invoice
            .state
            .number
            .rsplit('-')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        if !used.entry(series).or_default().insert(n) {
            broken.push(format!(
                "document {id}: number {} is on another document too",
                invoice.state.number
            ));
        }
    }
    for (series, entry) in &tenant.tables.series {
        let numbers = used.remove(series).unwrap_or_default();
        let expected: BTreeSet<u64> = (1..=entry.state.last).collect();
        if numbers != expected {
            let gaps: Vec<&u64> = expected.symmetric_difference(&numbers).take(5).collect();
            broken.push(format!(
                "series {series}: numbers and documents differ at {gaps:?}"
            ));
        }
    }
    for series in used.keys() {
        broken.push(format!("series {series}: documents without a series"));
    }
}

/// No day of a recurring charge is held by two lines (policy 24).
fn days_billed_once(owner: &str, charges: &Charges, broken: &mut Vec<String>) {
    let mut held: BTreeMap<&str, Vec<Days>> = BTreeMap::new();
    for item in charges.items.iter() {
        let What::Recurring { charge, days, .. } = &item.what else {
            continue;
        };
        held.entry(charge)
            .or_default()
            .extend(charges.held(&item.invoice, item.line, *days));
    }
    for (charge, mut days) in held {
        days.sort();
        for pair in days.windows(2) {
            if let [a, b] = pair
                && b.from < a.until
            {
                broken.push(format!(
                    "{owner}: charge {charge} is billed twice on {}",
                    a.overlap(*b)
                ));
            }
        }
    }
}

/// Nothing is given back of a line beyond what it billed, and nothing of a line that is no more.
fn nothing_over_credited(owner: &str, charges: &Charges, broken: &mut Vec<String>) {
    let billed: BTreeSet<(&str, u32)> = charges
        .items
        .iter()
        .map(|i| (i.invoice.as_str(), i.line))
        .collect();
    for item in charges.items.iter() {
        if let What::Credit { invoice, line, .. } = &item.what
            && !item.net.is_zero()
            && !billed.contains(&(invoice.as_str(), *line))
        {
            broken.push(format!(
                "{owner}: {} gives back of line {line} of {invoice}, which bills nothing any more",
                item.invoice
            ));
        }
    }
    for item in charges
        .items
        .iter()
        .filter(|i| matches!(i.what, What::Recurring { .. }))
    {
        if charges.left(item).is_negative() {
            broken.push(format!(
                "{owner}: line {} of {} was given back more than whole",
                item.line, item.invoice
            ));
        }
    }
}

/// What finalised documents and held drafts say was billed and what the charge streams remember is the same.
fn every_line_is_remembered(tenant: &Tenant, broken: &mut Vec<String>) {
    // A held draft keeps its lines.
    let bills = |i: &Invoice| {
        let bills = i.document.corrects.is_none() && i.document.kind.is_booked();
        i.hold.is_some() || i.stage == Stage::Finalised && bills
    };
    let on_documents: usize = tenant
        .tables
        .invoices
        .values()
        .filter(|i| bills(&i.state))
        .map(|i| i.state.document.lines.len())
        .sum();
    let remembered: usize = tenant
        .tables
        .charges
        .values()
        .flat_map(|c: &std::sync::Arc<Entry<Charges>>| c.state.items.iter())
        .filter(|i| !matches!(i.what, What::Reduction { .. }))
        .count();
    if on_documents != remembered {
        broken.push(format!("finalised documents and held drafts have {on_documents} lines, the charge streams remember {remembered}"));
    }
}
