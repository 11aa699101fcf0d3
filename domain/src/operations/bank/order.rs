//! What the bank is told of a mandate: where a collection stands in its life, and what changed since the last one.

use super::draw::Waits;
use crate::bank::file::Amendment;
use crate::bank::{BankFile, Item, MandateUse, Order, Sequence, Terms};
use crate::kernel::calendar::Span;
use crate::kernel::{Date, Rejection};
use crate::methods::MandateTerm;
use crate::session::Session;
use std::collections::BTreeMap;

/// A mandate that nothing was drawn on for so long is over (EPC rulebooks, 4.1: 36 months after the latest collection).
/// One that was never used counts from its signature, as banks do.
const UNUSED_MONTHS: u32 = 36;

/// What is ordered with one file: it counts what it draws on each mandate itself.
pub(super) struct Orders {
    /// Collections of this file still to come, by mandate.
    waiting: BTreeMap<String, usize>,
    /// Mandates that this file already draws on.
    drawn: BTreeMap<String, Sequence>,
    pub amendments: BTreeMap<String, Amendment>,
}

impl Orders {
    pub fn new(waiting: &[Waits]) -> Orders {
        let mut count = BTreeMap::new();
        for waits in waiting {
            *count.entry(waits.mandate.reference.clone()).or_default() += 1;
        }
        Orders {
            waiting: count,
            drawn: BTreeMap::new(),
            amendments: BTreeMap::new(),
        }
    }

    /// The order for one collection, or why its mandate does not carry it.
    pub fn order(
        &mut self,
        session: &Session<'_>,
        terms: &Terms,
        waits: &Waits,
        item: &Item,
    ) -> Result<Result<Order, Rejection>, Rejection> {
        let mandate = &waits.mandate;
        let left = self.waiting.entry(mandate.reference.clone()).or_default();
        *left = left.saturating_sub(1);
        let more = *left > 0;
        let used = used(session, waits);
        let here = self.drawn.get(&mandate.reference).copied();
        if let Err(why) = carries(waits, used, here, item.on) {
            return Ok(Err(why));
        }
        let sequence = match waits.term {
            MandateTerm::Once => Sequence::OneOff,
            MandateTerm::Last if !more => Sequence::Final,
            _ if used.is_none() && here.is_none() => Sequence::First,
            _ => Sequence::Recurring,
        };
        if here.is_none()
            && let Some(used) = used
            && let Some(amendment) = amendment(session, terms, waits, used)?
        {
            self.amendments.insert(item.end_to_end.clone(), amendment);
        }
        self.drawn.insert(mandate.reference.clone(), sequence);
        Ok(Ok(Order::Debit {
            mandate: mandate.reference.clone(),
            signed: mandate.signed,
            scheme: mandate.scheme,
            sequence,
        }))
    }
}

/// What was drawn on a mandate, under this reference or the last one it had before.
fn used<'a>(session: &'a Session<'_>, waits: &Waits) -> Option<&'a MandateUse> {
    let uses = &session.index().bank.mandates;
    let former = waits.former.iter().rev();
    let mut references = std::iter::once(&waits.mandate.reference).chain(former);
    references.find_map(|reference| uses.get(reference))
}

fn carries(
    waits: &Waits,
    used: Option<&MandateUse>,
    here: Option<Sequence>,
    on: Date,
) -> Result<(), Rejection> {
    let reference = &waits.mandate.reference;
    let over = |of: &Sequence| matches!(of, Sequence::OneOff | Sequence::Final);
    if used.is_some_and(MandateUse::is_over)
        || here.as_ref().is_some_and(over)
        || (waits.term == MandateTerm::Once && used.is_some())
    {
        return Err(Rejection::new(
            "MANDATE_USED",
            format!("mandate {reference} has had the last collection it was given for"),
        ));
    }
    let last = used.and_then(MandateUse::last).map(|last| last.on);
    let since = last.unwrap_or(waits.mandate.signed);
    let until = Span::months(UNUSED_MONTHS).after(since);
    if here.is_none() && on > until {
        return Err(Rejection::new(
            "MANDATE_EXPIRED",
            format!(
                "mandate {reference} was last used or signed on {since} and ended on {until}, {UNUSED_MONTHS} months later"
            ),
        ));
    }
    Ok(())
}

/// What differs from the last collection that the bank has seen.
fn amendment(
    session: &Session<'_>,
    terms: &Terms,
    waits: &Waits,
    used: &MandateUse,
) -> Result<Option<Amendment>, Rejection> {
    let Some(last) = used.last() else {
        return Ok(None);
    };
    let references: Vec<&String> = waits
        .former
        .iter()
        .chain([&waits.mandate.reference])
        .collect();
    let items = &session.get::<BankFile>(&last.file)?.items;
    let told = items.iter().rev().find_map(|item| match &item.order {
        Order::Debit { mandate, .. } if references.contains(&mandate) => Some((mandate, item)),
        _ => None,
    });
    let Some((mandate, item)) = told else {
        return Ok(None);
    };
    let creditor = terms.creditor_id.as_ref();
    let amendment = Amendment {
        mandate: (*mandate != waits.mandate.reference).then(|| mandate.clone()),
        account: (item.account.hash != waits.mandate.bank.hash)
            .then(|| Box::new(item.account.clone())),
        creditor_id: Some(last.creditor.clone())
            .filter(|before| !before.is_empty() && Some(before) != creditor),
    };
    Ok(Some(amendment).filter(|amendment| *amendment != Amendment::default()))
}
