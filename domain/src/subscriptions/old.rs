//! Terms as they were stored in version 1: with every field of the offer.

use super::{ActivationAwaited, Changed, Started, Term, Unused};
use crate::catalog::{OfferV1, Sold};
use crate::kernel::{Date, Decimal, Id};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
struct TermV1 {
    from: Date,
    offer: OfferV1,
    quantity: Decimal,
    billing_day: u32,
    unused: Unused,
}

/// A start of version 1.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct StartedV1 {
    account: Id,
    term: TermV1,
    access: Vec<String>,
}

/// A change of version 1.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ChangedV1 {
    term: TermV1,
}

/// What was sold in version 1 did not say whether its billing day was chosen.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ActivationAwaitedV1 {}

impl From<ActivationAwaitedV1> for ActivationAwaited {
    fn from(_: ActivationAwaitedV1) -> ActivationAwaited {
        ActivationAwaited { day_chosen: false }
    }
}

impl From<TermV1> for Term {
    fn from(old: TermV1) -> Term {
        Term {
            from: old.from,
            offer: Sold::new(old.offer.into()),
            quantity: old.quantity,
            billing_day: old.billing_day,
            unused: old.unused,
        }
    }
}

impl From<StartedV1> for Started {
    fn from(old: StartedV1) -> Started {
        Started {
            account: old.account,
            term: old.term.into(),
            access: old.access,
        }
    }
}

impl From<ChangedV1> for Changed {
    fn from(old: ChangedV1) -> Changed {
        Changed {
            term: old.term.into(),
        }
    }
}
