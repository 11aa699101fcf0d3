//! Which services dunning restricts, and how it lifts what it did.

use crate::accounts::folio;
use crate::catalog::Catalog;
use crate::dunning::{Measure, MeasureKind, Restriction, rules::MAIN};
use crate::kernel::{Date, Id, Rejection};
use crate::session::Session;
use crate::subscriptions::{self, Subscription};

/// Subscriptions that the account pays for, that a restriction covers, that run on a day, and that are not restricted for
/// the same reason yet. What began later is not meant, however late the day is looked at.
pub(super) fn running(
    session: &Session<'_>,
    account: &str,
    on: Date,
    restriction: &Restriction,
    reason: &str,
) -> Result<Vec<Id>, Rejection> {
    let index = session.index();
    let none = Catalog::default();
    let catalog = session.find::<Catalog>(MAIN).map_or(&none, |e| &e.state);
    // Whatever is not paid for, the services are the account's.
    let account = folio::owner(account);
    let children = index.paid_by.get(account).into_iter().flatten();
    let owners = std::iter::once(account).chain(children.map(String::as_str));
    let mut ids = Vec::new();
    for owner in owners {
        for id in index.subscriptions_of.get(owner).into_iter().flatten() {
            let sub = session.get::<Subscription>(id)?;
            let restricted = sub
                .pauses
                .iter()
                .any(|p| p.reason == reason && p.until.is_none_or(|until| until > on));
            let Some((_, term)) = sub.term_on(on) else {
                continue;
            };
            let line = catalog.product_line(&term.offer.code);
            if !restricted && restriction.covers(&term.offer.code, line) {
                ids.push(id.clone());
            }
        }
    }
    Ok(ids)
}

/// Ends what measures did to subscriptions; answers with those that had something to end, each once.
pub(super) fn lift<'m>(
    session: &mut Session<'_>,
    measures: impl IntoIterator<Item = &'m Measure>,
    on: Date,
) -> Result<Vec<Id>, Rejection> {
    let mut resumed: Vec<Id> = Vec::new();
    for measure in measures {
        let MeasureKind::Restriction {
            reason,
            subscriptions,
        } = &measure.kind
        else {
            continue;
        };
        for id in subscriptions {
            let pauses = &session.get::<Subscription>(id)?.pauses;
            if !pauses
                .iter()
                .any(|p| p.reason == *reason && p.until.is_none())
            {
                continue;
            }
            let reason = reason.clone();
            let resume = subscriptions::Command::Resume { reason, on };
            session.decide::<Subscription>(id, resume)?;
            if !resumed.contains(id) {
                resumed.push(id.clone());
            }
        }
    }
    Ok(resumed)
}
