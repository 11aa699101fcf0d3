//! With whom what a charge brings is shared: the artist, the shop owner, the network it was used in.

use super::check::Problems;
use super::{Offer, is_default};
use crate::kernel::{Decimal, Exact, Id, Money, Rejection, Rounding, check_id};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most parties that one charge is shared with.
const PARTIES_MAX: usize = 20;

/// What one party gets of a charge, after discounts and before tax. What nobody gets stays with the seller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    pub party: Id,
    /// 70 is 70 %.
    #[serde(default, skip_serializing_if = "is_default")]
    pub percent: Option<Decimal>,
    /// Of a whole period, or of one one-off charge; of a part of it in proportion. Neither: the last takes the rest.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fixed: Option<Decimal>,
}

/// What each party gets of an amount, in the order of the shares: each is rounded once and none gets more than the ones
/// before it left, so that with what stays they sum to the amount (policy 3). `whole` says how much of one whole charge
/// the amount is. Below zero it is taken back in the same way.
pub fn split(
    shares: &[Share],
    amount: Money,
    whole: Exact,
    rounding: Rounding,
) -> Result<Vec<Money>, Rejection> {
    let currency = amount.currency;
    let negative = amount.is_negative();
    let size = if negative { amount.negated() } else { amount };
    let mut left = size;
    let mut parts = Vec::with_capacity(shares.len());
    for share in shares {
        let wanted = match (share.percent, share.fixed) {
            (Some(percent), _) => {
                let exact = size.exact().times(percent.into())?.share(1, 100)?;
                Money::round(exact, currency, rounding)?
            }
            (None, Some(fixed)) => {
                Money::round(Exact::from(fixed).times(whole)?, currency, rounding)?
            }
            (None, None) => left,
        };
        let part = wanted.min(left);
        left = left.minus(part);
        parts.push(if negative { part.negated() } else { part });
    }
    Ok(parts)
}

impl Offer {
    /// With whom a charge is shared; none where the offer has no such charge.
    pub fn shares_of(&self, charge: &str) -> Option<&[Share]> {
        let all = self.one_off.iter().map(|c| (&c.code, &c.shares));
        let all = all.chain(self.recurring.iter().map(|c| (&c.code, &c.shares)));
        let mut all = all.chain(self.usage.iter().map(|c| (&c.code, &c.shares)));
        let (_, shares) = all.find(|(code, _)| *code == charge)?;
        Some(shares)
    }
}

/// Whether the shares of a charge make sense; `fixed` where it has an amount that a fixed share is of.
pub(super) fn check(shares: &[Share], fixed: bool, problems: &mut Problems) {
    problems.when(shares.len() > PARTIES_MAX, || {
        format!(
            "it is shared with {} parties, it may be with {PARTIES_MAX}",
            shares.len()
        )
    });
    let mut parties = BTreeSet::new();
    let mut percent = Some(Exact::ZERO);
    for (n, share) in shares.iter().enumerate() {
        let party = &share.party;
        problems.when(check_id("party", party).is_err(), || {
            format!("share {}: {party:?} is no id of a party", n + 1)
        });
        problems.when(!parties.insert(party), || {
            format!("there are two shares of {party}")
        });
        let what = format!("share of {party}");
        problems.when(share.percent.is_some() && share.fixed.is_some(), || {
            format!("{what}: it is a percentage or an amount, not both")
        });
        let rest = share.percent.is_none() && share.fixed.is_none();
        problems.when(rest && n + 1 < shares.len(), || {
            format!("{what}: only the last may be without percent and fixed, and takes the rest")
        });
        problems.when(share.fixed.is_some() && !fixed, || {
            format!("{what}: a share of usage is a percentage")
        });
        for value in [share.percent, share.fixed].into_iter().flatten() {
            problems.price(&what, value);
        }
        let one = share.percent.unwrap_or_default();
        percent = percent.and_then(|sum| sum.plus(one.into()).ok());
    }
    problems.when(percent.is_none_or(|p| p > Exact::from(100)), || {
        "the shares are more than 100 %".to_string()
    });
}
