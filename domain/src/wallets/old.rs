//! Wallets as they were stored before grants had priorities, origins and rules.

use super::{Grant, Origin, ToppedUp};
use crate::kernel::{Date, Exact, Id, Instant, Money};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct GrantV1 {
    id: Id,
    amount: Money,
    remaining: Exact,
    expires: Option<Date>,
    at: Instant,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ToppedUpV1 {
    grant: GrantV1,
}

impl From<ToppedUpV1> for ToppedUp {
    fn from(old: ToppedUpV1) -> ToppedUp {
        let GrantV1 {
            id,
            amount,
            remaining,
            expires,
            at,
        } = old.grant;
        ToppedUp {
            grant: Grant {
                id,
                amount,
                remaining,
                expires,
                at,
                priority: 0,
                // Every top-up was one that had been paid.
                origin: Origin::Paid,
                rollover: None,
                rule: None,
                repaid: Exact::ZERO,
            },
        }
    }
}
