//! What became of each grant, part by part: from what was put in to what it paid.

use indelible_domain::kernel::{Date, Exact, Id};
use indelible_domain::wallets::{Event as Fact, Wallet as State};
use serde::{Deserialize, Serialize};

use super::list::Wallets;
use crate::{Page, Rows, Snapshot, ViewError};

/// What a part of a grant was used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Use {
    /// Usage of a batch.
    Batch(Id),
    Invoice(Id),
    /// What had been burnt below zero before.
    Repaid,
    Expired(Date),
    TakenOut(String),
}

/// A part of a grant that left it; below zero: that came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spend {
    pub grant: Id,
    pub what: Use,
    pub amount: Exact,
    /// Position of the fact in the log.
    pub position: u64,
}

/// Rows `s/wallet/grant/position.n`. `before`: the wallet before this fact.
pub(super) fn fold(
    rows: &mut Rows<'_>,
    wallet: &str,
    before: &State,
    fact: &Fact,
    position: u64,
) -> Result<(), ViewError> {
    let (what, parts) = match fact {
        Fact::Burnt(e) => (Use::Batch(e.batch.clone()), e.parts.clone()),
        Fact::Paid(e) => (Use::Invoice(e.invoice.clone()), e.parts.clone()),
        Fact::Returned(e) => {
            let paid = before.paid.get(&e.invoice).into_iter().flatten();
            let back = paid.map(|(grant, amount)| (grant.clone(), amount.negated()));
            (Use::Invoice(e.invoice.clone()), back.collect())
        }
        Fact::Repaid(e) => (Use::Repaid, vec![(e.grant.clone(), e.amount)]),
        Fact::Expired(e) => (Use::Expired(e.on), vec![(e.grant.clone(), e.amount)]),
        Fact::Voided(e) => (Use::TakenOut(e.reason.clone()), e.parts.clone()),
        Fact::Revoked(e) => (unpaid(&e.invoice), e.parts.clone()),
        Fact::Restored(e) => {
            let back = e
                .parts
                .iter()
                .map(|(id, amount)| (id.clone(), amount.negated()));
            (unpaid(&e.invoice), back.collect())
        }
        _ => return Ok(()),
    };
    for (n, (grant, amount)) in parts.into_iter().enumerate() {
        if amount.is_zero() {
            continue;
        }
        let key = format!("s/{wallet}/{grant}/{position:020}.{n:04}");
        let spend = Spend {
            grant,
            what: what.clone(),
            amount,
            position,
        };
        rows.put(&key, &spend)?;
    }
    Ok(())
}

/// Why a top-up is taken out again.
fn unpaid(invoice: &str) -> Use {
    Use::TakenOut(format!("invoice {invoice} is not paid any more"))
}

/// What one grant was used for, oldest first.
pub fn page(
    snapshot: &Snapshot<'_>,
    wallet: &str,
    grant: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Spend>, ViewError> {
    snapshot.page::<Wallets, _>(&format!("s/{wallet}/{grant}/"), after, limit)
}
