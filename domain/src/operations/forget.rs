//! Forgetting an account, and how long its documents must be kept before that.

use super::{account_terms, entity_terms};
use crate::accounts::{self, Account};
use crate::command::{ForgetAccount, Outcome};
use crate::entities::{LegalEntity, retention};
use crate::invoices::Invoice;
use crate::kernel::{Date, Id, Purpose, Rejection};
use crate::methods::{self, Methods};
use crate::session::Session;
use crate::subscriptions::Subscription;
use std::collections::BTreeMap;

pub(super) fn forget(session: &mut Session<'_>, ask: ForgetAccount) -> Result<Outcome, Rejection> {
    let terms = account_terms(session, &ask.account)?;
    let on = session.today(&entity_terms(session, &terms.entity)?.zone);
    let unlinked = match ask.purposes.contains(&Purpose::UsageRaw) {
        true => ended(session, &ask.account, session.today(&terms.zone)),
        false => BTreeMap::new(),
    };
    let pays = ask.purposes.contains(&Purpose::Payment);
    let forget = accounts::Forget {
        purposes: ask.purposes,
        keys: ask.keys,
        unlinked,
        kept_until: kept_until(session, &ask.account),
        buyer: ask.buyer,
        on,
        by: ask.by,
    };
    session.decide::<Account>(&ask.account, accounts::Command::Forget(Box::new(forget)))?;
    if pays && session.find::<Methods>(&ask.account).is_some() {
        session.decide::<Methods>(&ask.account, methods::Command::Forget { on })?;
    }
    Ok(Outcome::of("account", &ask.account))
}

/// First day on which the law asks for none of the account's invoices and credit notes any more, void ones included;
/// none if it has none.
pub fn kept_until(session: &Session<'_>, account: &str) -> Option<Date> {
    let documents = session.index().invoices_of.get(account);
    let ends = documents.into_iter().flatten().filter_map(|id| {
        let invoice = &session.find::<Invoice>(id)?.state;
        let entity = session.find::<LegalEntity>(&invoice.document.entity)?;
        Some(retention::ends(&entity.state.retention, invoice.issued?))
    });
    ends.max()
}

/// Ended subscriptions of an account that usage still finds, with what it finds them by.
fn ended(session: &Session<'_>, account: &str, today: Date) -> BTreeMap<Id, Vec<String>> {
    let index = session.index();
    let mut found = BTreeMap::new();
    for id in index.subscriptions_of.get(account).into_iter().flatten() {
        let Some(sub) = session.find::<Subscription>(id) else {
            continue;
        };
        if sub.state.end_date() > today {
            continue;
        }
        let by: Vec<String> = sub
            .state
            .access
            .iter()
            .filter(|access| index.access.get(*access).is_some_and(|of| of.contains(id)))
            .cloned()
            .collect();
        if !by.is_empty() {
            found.insert(id.clone(), by);
        }
    }
    found
}
