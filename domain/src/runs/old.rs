//! Facts of bill runs as they were stored before an account could have several documents.

use super::AccountBilled;
use crate::kernel::Id;
use serde::Deserialize;

/// Of version 1.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct AccountBilledV1 {
    account: Id,
    invoice: Option<Id>,
}

impl From<AccountBilledV1> for AccountBilled {
    fn from(old: AccountBilledV1) -> AccountBilled {
        AccountBilled {
            account: old.account,
            invoices: old.invoice.into_iter().collect(),
        }
    }
}
