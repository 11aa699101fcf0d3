//! What will be charged and credited for a subscription, and when: the documents of the coming days, computed by billing it
//! day after day in a session that is dropped.
//!
//! The same code bills in earnest, so a forecast cannot say anything else than the bill run will, as far as facts are known:
//! usage counts as it is now.

use super::billing::{self, subscription_lines};
use super::{account_terms, discounts, exchange, folios, reratings, terms_of};
use crate::accounts::folio;
use crate::charges::due::{self, Basis};
use crate::charges::{Charges, What};
use crate::commitments::Commitments;
use crate::invoices::{Document, compose};
use crate::kernel::{Date, Rejection, calendar::add_days};
use crate::session::Session;
use crate::subscriptions::Subscription;

/// Most documents that are looked ahead.
pub const COMING_MAX: usize = 100;

/// What becomes due on a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Coming {
    pub on: Date,
    /// Lines, tax and total of this subscription alone.
    pub document: Document,
}

/// What becomes due of a subscription from today up to and including a day, as a session sees it, whose facts are dropped.
pub fn coming(
    mut session: Session<'_>,
    subscription: &str,
    through: Date,
) -> Result<Vec<Coming>, Rejection> {
    let id = subscription.to_string();
    let account = session.get::<Subscription>(&id)?.account.clone();
    let (terms, entity) = folios::sold_on(&session, &account, &id)?;
    let payer = terms.payer(&account).to_string();
    let mut found = Vec::new();
    let mut day = session.today(&terms.zone);
    while day <= through && found.len() < COMING_MAX {
        let basis = Basis {
            currency: terms.currency,
            rounding: entity.rounding,
            as_of: day,
            running: false,
        };
        let mut lines = subscription_lines(&session, &account, (&terms, &entity), &id, basis)?;
        let to = exchange::Target {
            payer: &payer,
            entity: &terms.entity,
            currency: terms.currency,
            rounding: entity.rounding,
            as_of: day,
        };
        exchange::convert(&session, &to, &mut lines)?;
        reratings::as_billed(&session, &mut lines, false);
        discounts::lower(&session, &payer, &mut lines, entity.rounding)?;
        let says =
            |l: &crate::invoices::Line| !(l.net.is_zero() && matches!(l.what, What::Credit { .. }));
        if lines.iter().any(says) {
            let document = compose::complete(Document {
                account: payer.clone(),
                entity: terms.entity.clone(),
                currency: terms.currency,
                rounding: entity.rounding,
                as_of: day,
                lines,
                ..Document::default()
            })?;
            let invoice = format!("coming-{}", found.len() + 1);
            // Of days to come no rate is known yet: what its tax is in another currency is not told.
            billing::claim(&mut session, &invoice, &document)?;
            billing::book(&mut session, &invoice, document.clone())?;
            found.push(Coming { on: day, document });
        }
        let none = Charges::default();
        let sub = session.get::<Subscription>(&id)?;
        let charges = session.find::<Charges>(&id).map_or(&none, |e| &e.state);
        match due::next_date(sub, charges, day) {
            Some(next) => day = next,
            None => break,
        }
    }
    Ok(found)
}

/// What becomes due of everything that is billed with an account in so many days from today on, as a session sees it, whose facts
/// are dropped: the documents of who pays for it, folio by folio, with discounts, commitments, advances and charges that wait, in
/// the order of their days. What reviews, minimums and groups make of them is not looked at.
pub fn coming_with(
    mut session: Session<'_>,
    account: &str,
    days: i64,
) -> Result<Vec<Coming>, Rejection> {
    let owner = folio::owner(account);
    let payer = account_terms(&session, owner)?.payer(owner).to_string();
    let first = session.today(&terms_of(&session, &payer)?.zone);
    let (through, mut day) = (add_days(first, days), first);
    let mut found = Vec::new();
    while day <= through && found.len() < COMING_MAX {
        for folio in folios::of(&session, &payer)? {
            let Some(document) = billing::compose_document(&session, &folio, day)? else {
                continue;
            };
            let invoice = format!("coming-{}", found.len() + 1);
            billing::claim(&mut session, &invoice, &document)?;
            billing::book(&mut session, &invoice, document.clone())?;
            found.push(Coming { on: day, document });
        }
        match next_day(&session, &payer, day) {
            Some(next) => day = next,
            None => break,
        }
    }
    Ok(found)
}

/// The first day after another one on which something of a payer and of those it pays for may be due.
fn next_day(session: &Session<'_>, payer: &str, after: Date) -> Option<Date> {
    let (index, none) = (session.index(), Charges::default());
    let children = index.paid_by.get(payer).into_iter().flatten();
    let accounts: Vec<&str> = std::iter::once(payer)
        .chain(children.map(String::as_str))
        .collect();
    let charges = |owner: &str| session.find::<Charges>(owner).map(|e| &e.state);
    let subscriptions = accounts
        .iter()
        .flat_map(|account| index.subscriptions_of.get(*account).into_iter().flatten())
        .filter_map(|id| {
            let sub = &session.find::<Subscription>(id)?.state;
            due::next_date(sub, charges(id).unwrap_or(&none), after)
        });
    let waiting = accounts
        .iter()
        .filter_map(|account| charges(account))
        .flat_map(|charges| charges.pending.iter().map(|pending| pending.on))
        .filter(|on| *on > after);
    let folios = session.ids::<Commitments>(&folio::beside(payer));
    let committed = std::iter::once(payer.to_string())
        .chain(folios)
        .filter_map(|id| session.find::<Commitments>(&id)?.state.next_day(after));
    subscriptions.chain(waiting).chain(committed).min()
}
