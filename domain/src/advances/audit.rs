//! What must be true of all advances of a tenant.

use super::Advance;
use crate::charges::What;
use crate::invoices::{Kind, Stage};
use crate::kernel::{Id, Money};
use crate::world::Tenant;
use std::collections::BTreeMap;

/// Adds a sentence for each broken invariant: what documents took off is what the advance remembers, tax included, nothing of it
/// is more than there was, and where nothing is left no tax is left.
pub fn audit(tenant: &Tenant, broken: &mut Vec<String>) {
    if tenant.tables.advances.is_empty() {
        return;
    }
    let mut taken: BTreeMap<&Id, (Money, Money)> = BTreeMap::new();
    for (_, invoice) in &tenant.tables.invoices {
        if invoice.state.stage != Stage::Finalised && invoice.state.hold.is_none() {
            continue;
        }
        for line in &invoice.state.document.lines {
            if let What::Deducted { advance, tax } = &line.what {
                let zero = Money::zero(line.net.currency);
                let sum = taken.entry(advance).or_insert((zero, zero));
                *sum = (sum.0.minus(line.net), sum.1.plus(*tax));
            }
        }
    }
    for (id, entry) in &tenant.tables.advances {
        let advance: &Advance = &entry.state;
        let Some(currency) = advance.parts.first().map(|part| part.net.currency) else {
            continue;
        };
        let own = || advance.taken.iter().map(|(_, part)| part);
        let told = (
            Money::sum(currency, own().map(|part| part.net)),
            Money::sum(currency, own().map(|part| part.amount)),
        );
        let zero = (Money::zero(currency), Money::zero(currency));
        let found = taken.remove(id).unwrap_or(zero);
        if told != found {
            broken.push(format!(
                "advance {id}: documents took off {} and tax {}, it remembers {} and {}",
                found.0, found.1, told.0, told.1
            ));
        }
        for part in advance.rest() {
            if part.net.is_negative() || part.net.is_zero() || part.amount.is_negative() {
                broken.push(format!(
                    "advance {id}: {} and tax {} of {} are left",
                    part.net, part.amount, part.tax.name
                ));
            }
        }
    }
    of_their_kind(tenant, broken);
    for id in taken.keys() {
        broken.push(format!(
            "advance {id}: a document took it off, and there is none"
        ));
    }
}

/// Documents of the kinds of advances belong to one, and a request is neither owed nor remembered by what was billed.
fn of_their_kind(tenant: &Tenant, broken: &mut Vec<String>) {
    for (id, invoice) in &tenant.tables.invoices {
        let kind = invoice.state.document.kind;
        let of = invoice.state.document.lines.first().map(|l| &l.what);
        let Some(What::Advance { advance, .. }) = of else {
            if matches!(kind, Kind::AdvanceInvoice | Kind::AdvanceRequest) {
                broken.push(format!(
                    "document {id}: it is an {}, and no advance is on it",
                    kind.name()
                ));
            }
            continue;
        };
        let state = tenant.tables.advances.get(advance).map(|a| &a.state);
        let belongs = state.is_some_and(|state| match kind {
            Kind::AdvanceRequest => state.requested.as_ref().is_some_and(|r| r.document == *id),
            Kind::CreditNote => true,
            // Before they had a kind of their own they were invoices.
            Kind::AdvanceInvoice | Kind::Invoice => state.invoice == *id,
            Kind::DebitNote => false,
        });
        if !belongs {
            broken.push(format!("document {id}: advance {advance} does not know it"));
        }
    }
    for (folio, owed) in &tenant.tables.receivables {
        for item in &owed.state.items {
            let document = tenant.tables.invoices.get(&item.invoice);
            if document.is_some_and(|d| !d.state.document.kind.is_booked()) {
                broken.push(format!("{folio}: {} is a request and is owed", item.number));
            }
        }
    }
}
