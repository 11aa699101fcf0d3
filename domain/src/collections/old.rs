//! Collections as they were stored before a method could be asked ahead of the due date.

use super::{Opened, Rules, Why};
use crate::kernel::{Date, Id};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The rules of then: on the due date, without a word to the payer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RulesV1 {
    automatic: bool,
    soft_days: Vec<u32>,
    fallback: bool,
}

impl From<RulesV1> for Rules {
    fn from(old: RulesV1) -> Rules {
        let RulesV1 {
            automatic,
            soft_days,
            fallback,
        } = old;
        Rules {
            automatic,
            soft_days,
            fallback,
            lead_days: BTreeMap::new(),
            notify: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenedV1 {
    account: Id,
    invoice: Option<Id>,
    why: Why,
    rules: RulesV1,
    on: Date,
}

impl From<OpenedV1> for Opened {
    fn from(old: OpenedV1) -> Opened {
        let OpenedV1 {
            account,
            invoice,
            why,
            rules,
            on,
        } = old;
        Opened {
            account,
            invoice,
            why,
            rules: rules.into(),
            on,
        }
    }
}
