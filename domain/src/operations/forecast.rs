//! What will be charged and credited for a subscription, and when: the documents of the coming days, computed by billing it
//! day after day in a session that is dropped.
//!
//! The same code bills in earnest, so a forecast cannot say anything else than the bill run will, as far as facts are known:
//! usage counts as it is now.

use super::billing::{self, subscription_lines};
use super::{discounts, exchange, folios, reratings};
use crate::charges::due::{self, Basis};
use crate::charges::{Charges, What};
use crate::invoices::{Document, compose};
use crate::kernel::{Date, Rejection};
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
