//! Folios: what an account owes in one currency to one legal entity, kept apart from everything else it owes.
//!
//! - What an account owes to its own legal entity in its own currency is on the folio that has the account's id. Another
//!   currency to the same entity is on `account~USD`, another entity on `account~USD~entity`. No id of an account has a `~`.
//! - Open items, credit, payments, collections and dunning belong to a folio, so no two currencies and no two sellers ever meet
//!   in a sum. Documents belong to the account: their currency and entity say which folio they are on.
//! - The terms of a folio are those of its account, but for the two things that make it another one.

use super::AccountTerms;
use crate::kernel::{Currency, Id};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Between the parts of an id; `check_id` allows it nowhere else.
const MARK: char = '~';

/// To whom something is owed, and in which currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Folio {
    pub entity: Id,
    pub currency: Currency,
}

impl Folio {
    /// The one that has the account's id.
    pub fn own(terms: &AccountTerms) -> Folio {
        Folio {
            entity: terms.entity.clone(),
            currency: terms.currency,
        }
    }

    /// Its id. `terms`: the account's own.
    pub fn id(&self, account: &str, terms: &AccountTerms) -> Id {
        let same = self.currency == terms.currency;
        match self.entity == terms.entity {
            true if same => account.to_string(),
            true => format!("{account}{MARK}{}", self.currency),
            false => format!("{account}{MARK}{}{MARK}{}", self.currency, self.entity),
        }
    }
}

/// The account whose folio it is.
pub fn owner(id: &str) -> &str {
    id.split_once(MARK).map_or(id, |(account, _)| account)
}

/// What the ids of an account's other folios begin with.
pub fn beside(account: &str) -> String {
    format!("{account}{MARK}")
}

/// Whether it is the folio that has the account's id.
pub fn is_own(id: &str) -> bool {
    !id.contains(MARK)
}

/// The folio that an id names; none: it is no such id. `terms`: those of the account it belongs to.
pub fn named(id: &str, terms: &AccountTerms) -> Option<Folio> {
    if is_own(id) {
        return Some(Folio::own(terms));
    }
    let (currency, entity) = parts(id)?;
    let entity = entity.unwrap_or(&terms.entity).to_string();
    let folio = Folio { entity, currency };
    // One name for each: nothing may be owed in two places.
    (folio.id(owner(id), terms) == id).then_some(folio)
}

/// The currency that the id of a folio names, and the legal entity if it is another one than the account's; none: it is the
/// folio that has the account's id, or no such id at all.
pub fn parts(id: &str) -> Option<(Currency, Option<&str>)> {
    let (_, rest) = id.split_once(MARK)?;
    let (currency, entity) = match rest.split_once(MARK) {
        Some((currency, entity)) => (currency, Some(entity)),
        None => (rest, None),
    };
    let currency = currency.parse().ok()?;
    (entity != Some("")).then_some((currency, entity))
}

/// The terms that hold for a folio; none: the id names none.
pub fn terms<'t>(id: &str, own: &'t AccountTerms) -> Option<Cow<'t, AccountTerms>> {
    if is_own(id) {
        return Some(Cow::Borrowed(own));
    }
    let Folio { entity, currency } = named(id, own)?;
    Some(Cow::Owned(AccountTerms {
        entity,
        currency,
        ..own.clone()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> AccountTerms {
        AccountTerms {
            entity: "acme".to_string(),
            currency: "EUR".parse().expect("a currency"),
            ..AccountTerms::default()
        }
    }

    #[test]
    fn a_folio_has_one_name_and_is_found_by_it() {
        for id in ["alice", "alice~USD", "alice~EUR~other", "alice~USD~other"] {
            let folio = named(id, &own()).expect("a folio");
            assert_eq!(folio.id("alice", &own()), id);
            assert_eq!(owner(id), "alice");
            let own = own();
            let terms = terms(id, &own).expect("terms");
            assert_eq!(Folio::own(&terms), folio);
        }
        for id in [
            "alice~EUR",
            "alice~usd",
            "alice~USD~acme",
            "alice~",
            "alice~USD~",
        ] {
            assert_eq!(named(id, &own()), None, "{id}");
        }
    }
}
