//! What payments, money from elsewhere and dunning mean for collections.

use super::attempt::{attempt, methods, open, open_collections, rules_of};
use super::{Collection, Command, Event as Fact, Opened, Stage, Why};
use crate::accounts::folio;
use crate::command::FailureKind;
use crate::dunning;
use crate::kernel::{Date, Id, Rejection};
use crate::methods::{self, Methods};
use crate::operations::folio_terms;
use crate::payments::{self, NOTHING_OPEN, Payment};
use crate::receivables::{Event as Receivable, Receivables};
use crate::session::{Session, Staged};
use crate::world::Event;

/// Follows payments, plans of its own, what becomes of open items, and dunning that asks again.
pub fn react(session: &mut Session<'_>, fact: &Staged) -> Result<(), Rejection> {
    match &fact.event {
        Event::Payment(payments::Event::Failed(e)) => failed(session, &fact.id, e),
        Event::Payment(payments::Event::Settled(e)) => settled(session, &fact.id, e.on),
        Event::Collection(Fact::Planned(e)) => {
            let today = session.today(&folio_terms(session, &e.account)?.zone);
            match e.next <= today {
                true => attempt(session, &fact.id, None, today),
                false => Ok(()),
            }
        }
        Event::Receivable(
            Receivable::PaymentApplied(_)
            | Receivable::CreditApplied(_)
            | Receivable::ItemCredited(_)
            | Receivable::ItemVoided(_)
            | Receivable::ClaimEnded(_)
            | Receivable::WrittenOff(_),
        ) => close_paid(session, &fact.id),
        Event::Dunning(dunning::Event::RetryAsked(e)) => again(session, &fact.id, &e.invoices),
        _ => Ok(()),
    }
}

fn of(session: &Session<'_>, payment: &str) -> Option<(Id, payments::Route)> {
    let route = session.find::<Payment>(payment)?.state.route.clone()?;
    Some((route.collection.clone()?, route))
}

fn failed(session: &mut Session<'_>, payment: &str, e: &payments::Failed) -> Result<(), Rejection> {
    let Some((collection, route)) = of(session, payment) else {
        return Ok(());
    };
    let code = e.code.clone().unwrap_or_else(|| "FAILED".to_string());
    let on = e.on;
    if code == NOTHING_OPEN {
        let reason = e.reason.clone();
        session.decide::<Collection>(&collection, Command::Close { reason, on })?;
        return Ok(());
    }
    let refused = e.code.is_some() && e.kind == FailureKind::Hard;
    let payer = folio::owner(&e.account);
    if refused && session.find::<Methods>(payer).is_some() {
        let block = methods::Command::Block {
            method: route.method,
            code: code.clone(),
            on,
        };
        session.decide::<Methods>(payer, block)?;
    }
    let usable = methods(session, &e.account);
    let usable = usable
        .usable(on)
        .filter(|m| m.collects())
        .map(|m| m.id.clone());
    let refuse = Command::Refuse {
        payment: payment.to_string(),
        kind: e.kind,
        code,
        on,
        usable: usable.collect(),
    };
    if session
        .find::<Collection>(&collection)
        .is_some_and(|c| c.state.is_open())
    {
        session.decide::<Collection>(&collection, refuse)?;
    }
    Ok(())
}

fn settled(session: &mut Session<'_>, payment: &str, on: Date) -> Result<(), Rejection> {
    let Some((collection, _)) = of(session, payment) else {
        return Ok(());
    };
    let payment = payment.to_string();
    session.decide::<Collection>(&collection, Command::Collect { payment, on })?;
    Ok(())
}

/// A collection that waits for its next attempt is over as soon as nothing is left to collect.
fn close_paid(session: &mut Session<'_>, account: &str) -> Result<(), Rejection> {
    for id in open_collections(session, account) {
        let Some(collection) = session.find::<Collection>(&id).map(|e| &e.state) else {
            continue;
        };
        let owed = session.get::<Receivables>(account)?;
        let waits = matches!(collection.stage, Stage::Waiting { .. });
        let left = owed.open_items().any(|i| collection.covers(&i.invoice));
        if waits && !left {
            let on = session.today(&folio_terms(session, account)?.zone);
            let reason = "nothing is open any more".to_string();
            session.decide::<Collection>(&id, Command::Close { reason, on })?;
        }
    }
    Ok(())
}

/// A collection that waits is tried now; where there is none one is opened. Without a method nothing can be asked.
fn again(session: &mut Session<'_>, account: &str, invoices: &[Id]) -> Result<(), Rejection> {
    let on = session.today(&folio_terms(session, account)?.zone);
    let methods = methods(session, account);
    if !methods.usable(on).any(methods::Method::collects) {
        return Ok(());
    }
    let rules = rules_of(session, account)?;
    for invoice in invoices {
        let owed = session.get::<Receivables>(account)?;
        if owed
            .item(invoice)
            .is_none_or(|i| i.pending.is_some() || !i.open.is_positive())
        {
            continue;
        }
        let waiting = open_collections(session, account).into_iter().find(|id| {
            session.find::<Collection>(id).is_some_and(|c| {
                matches!(c.state.stage, Stage::Waiting { .. }) && c.state.covers(invoice)
            })
        });
        if let Some(id) = waiting {
            attempt(session, &id, None, on)?;
            // That payment may be for all of them.
            if session.get::<Collection>(&id)?.invoice.is_none() {
                return Ok(());
            }
            continue;
        }
        let id = free_id(session, invoice);
        let opened = Opened {
            account: account.to_string(),
            invoice: Some(invoice.clone()),
            why: Why::Dunning,
            rules: rules.clone(),
            on,
        };
        open(session, &id, opened, None)?;
    }
    Ok(())
}

/// `again.<invoice>`, with a number from the second time on.
fn free_id(session: &Session<'_>, invoice: &str) -> Id {
    let mut id = format!("again.{invoice}");
    let mut n = 1;
    while session.find::<Collection>(&id).is_some() {
        n += 1;
        id = format!("again.{invoice}.{n}");
    }
    id
}
