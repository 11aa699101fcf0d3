//! Payments as they were stored before providers named what they did.

use super::{Failed, Refunded, Settled};
use crate::command::FailureKind;
use crate::kernel::{Date, Id, Money};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SettledV1 {
    account: Id,
    amount: Money,
    on: Date,
}

impl From<SettledV1> for Settled {
    fn from(old: SettledV1) -> Settled {
        let SettledV1 {
            account,
            amount,
            on,
        } = old;
        Settled {
            account,
            amount,
            on,
            value: on,
            reference: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FailedV1 {
    account: Id,
    kind: FailureKind,
    reason: String,
    on: Date,
}

impl From<FailedV1> for Failed {
    fn from(old: FailedV1) -> Failed {
        let FailedV1 {
            account,
            kind,
            reason,
            on,
        } = old;
        Failed {
            account,
            kind,
            reason,
            on,
            code: None,
            reference: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RefundedV1 {
    account: Id,
    amount: Money,
    reason: String,
    on: Date,
}

impl From<RefundedV1> for Refunded {
    fn from(old: RefundedV1) -> Refunded {
        let RefundedV1 {
            account,
            amount,
            reason,
            on,
        } = old;
        Refunded {
            account,
            amount,
            reason,
            on,
            number: None,
            reference: None,
        }
    }
}
