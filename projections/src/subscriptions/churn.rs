//! Churn per month: which share of accounts and of recurring revenue was lost (policy 33). Computed from [`mrr`].

use std::collections::BTreeMap;

use indelible_domain::Rejection;
use indelible_domain::kernel::{Currency, Date, Exact};
use serde::{Deserialize, Serialize};

use super::mrr::{self, Stretch};
use crate::{Snapshot, ViewError};

/// The churn of one month. Shares are exact; none where the month opened with nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Churn {
    /// First day of the month.
    pub month: Date,
    /// Accounts with recurring revenue when the month began.
    pub accounts: u64,
    /// Those of them that have none when it ends.
    pub accounts_lost: u64,
    /// accounts_lost ÷ accounts.
    pub logo: Option<Exact>,
    /// (contraction + churn) ÷ opening.
    pub gross_revenue: Option<Exact>,
    /// (contraction + churn − expansion − reactivation) ÷ opening; below zero when more was won back than lost.
    pub net_revenue: Option<Exact>,
}

/// One row per calendar month from the month of `from` to that of `through`.
pub fn by_month(
    snapshot: &Snapshot<'_>,
    currency: Currency,
    from: Date,
    through: Date,
) -> Result<Vec<Churn>, ViewError> {
    let months = mrr::by_month(snapshot, currency, from, through)?;
    months
        .iter()
        .map(|month| of(snapshot, currency, month))
        .collect()
}

fn of(snapshot: &Snapshot<'_>, currency: Currency, month: &Stretch) -> Result<Churn, ViewError> {
    let mut moved: BTreeMap<String, (Exact, Exact)> = BTreeMap::new();
    for movement in mrr::movements_between(snapshot, currency, month.from, month.until)? {
        let first = (movement.before, movement.after);
        moved.entry(movement.account).or_insert(first).1 = movement.after;
    }
    let lost = moved
        .values()
        .filter(|(opening, closing)| !opening.is_zero() && closing.is_zero())
        .count() as u64;
    let figures = || -> Result<Churn, Rejection> {
        let moves = &month.moves;
        let gross = moves.contraction.plus(moves.churn)?;
        let net = gross.minus(moves.expansion)?.minus(moves.reactivation)?;
        Ok(Churn {
            month: month.from,
            accounts: month.accounts_opening,
            accounts_lost: lost,
            logo: ratio(count(lost), count(month.accounts_opening))?,
            gross_revenue: ratio(gross, month.opening)?,
            net_revenue: ratio(net, month.opening)?,
        })
    };
    figures().map_err(|why| ViewError::figure("subscriptions/churn", why))
}

fn count(n: u64) -> Exact {
    Exact::from(i128::from(n))
}

fn ratio(part: Exact, whole: Exact) -> Result<Option<Exact>, Rejection> {
    if whole.is_zero() {
        return Ok(None);
    }
    let inverse = Exact::ratio(whole.denominator(), whole.numerator())?;
    part.times(inverse).map(Some)
}
