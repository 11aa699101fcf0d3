//! All wallets of an account together, as one batch of usage draws on them.

use super::Wallet;
use crate::kernel::{Date, Exact, Id, Rejection};
use crate::usage::Part;
use std::collections::BTreeMap;

/// One grant's place in the order of burning.
#[derive(Clone, Debug)]
struct Pocket {
    wallet: Id,
    grant: Id,
    /// The first day on which it is gone.
    expires: Option<Date>,
    left: Exact,
}

/// What one wallet pays for a whole batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    pub wallet: Id,
    /// Net, by grant.
    pub parts: Vec<(Id, Exact)>,
    /// Latest event date paid.
    pub on: Date,
}

#[derive(Clone, Debug, Default)]
pub struct Purse {
    pockets: Vec<Pocket>,
    /// What each wallet's grants paid so far, in the order of the first payment; negative: got back.
    burnt: BTreeMap<Id, Vec<(Id, Exact)>>,
    /// Latest event date paid.
    last: Option<Date>,
}

impl Purse {
    /// Wallets by priority; within one, grants by earliest expiry, then age (policy 30).
    pub fn new<'a>(wallets: impl IntoIterator<Item = (&'a Id, &'a Wallet)>) -> Purse {
        let mut ordered = Vec::new();
        for (id, wallet) in wallets {
            for (n, grant) in wallet.grants.iter().enumerate() {
                let expires = grant.expires.unwrap_or(Date::MAX);
                let pocket = Pocket {
                    wallet: id.clone(),
                    grant: grant.id.clone(),
                    expires: grant.expires,
                    left: grant.remaining,
                };
                ordered.push(((wallet.priority, expires, grant.at, id.clone(), n), pocket));
            }
        }
        ordered.sort_by(|a, b| a.0.cmp(&b.0));
        Purse {
            pockets: ordered.into_iter().map(|(_, p)| p).collect(),
            ..Purse::default()
        }
    }

    /// Takes an amount on a day, all of it or nothing.
    pub fn draw(&mut self, amount: Exact, on: Date) -> Result<Vec<Part>, Rejection> {
        let mut missing = amount;
        let mut taken = Vec::new();
        for (i, pocket) in self.pockets.iter().enumerate() {
            if missing.is_zero() {
                break;
            }
            if pocket.left.is_zero() || pocket.expires.is_some_and(|expires| on >= expires) {
                continue;
            }
            let part = missing.min(pocket.left);
            missing = missing.minus(part)?;
            taken.push((i, part));
        }
        if !missing.is_zero() {
            return Err(Rejection::new(
                "WALLET_INSUFFICIENT",
                format!("the wallets lack {missing} of a charge of {amount} on {on}"),
            ));
        }
        let mut parts = Vec::with_capacity(taken.len());
        for (i, amount) in taken {
            if let Some(pocket) = self.pockets.get(i) {
                parts.push(Part {
                    wallet: pocket.wallet.clone(),
                    grant: pocket.grant.clone(),
                    amount,
                });
            }
        }
        self.book(&parts)?;
        self.last = self.last.max(Some(on));
        Ok(parts)
    }

    /// Gives back `amount` (above zero) of what was `paid`, latest first; the answer has negative parts.
    pub fn give_back(
        &mut self,
        amount: Exact,
        paid: &[Part],
        on: Date,
    ) -> Result<Vec<Part>, Rejection> {
        let mut left = amount;
        let mut parts = Vec::new();
        for part in paid.iter().rev() {
            if left.is_zero() {
                break;
            }
            let back = left.min(part.amount);
            left = left.minus(back)?;
            parts.push(Part {
                amount: back.negated(),
                ..part.clone()
            });
        }
        if !left.is_zero() {
            return Err(Rejection::new(
                "WALLET_RETURN_TOO_LARGE",
                format!("{amount} would be given back, wallets paid {left} less in this period"),
            ));
        }
        self.book(&parts)?;
        self.last = self.last.max(Some(on));
        Ok(parts)
    }

    fn book(&mut self, parts: &[Part]) -> Result<(), Rejection> {
        for part in parts {
            if let Some(pocket) = self
                .pockets
                .iter_mut()
                .find(|p| p.wallet == part.wallet && p.grant == part.grant)
            {
                pocket.left = pocket.left.minus(part.amount)?;
            }
            let burnt = self.burnt.entry(part.wallet.clone()).or_default();
            match burnt.iter_mut().find(|(grant, _)| *grant == part.grant) {
                Some((_, sum)) => *sum = sum.plus(part.amount)?,
                None => burnt.push((part.grant.clone(), part.amount)),
            }
        }
        Ok(())
    }

    /// What each wallet is to be told.
    pub fn finish(self) -> Vec<Draw> {
        let on = self.last.unwrap_or_default();
        let net = |parts: Vec<(Id, Exact)>| {
            parts
                .into_iter()
                .filter(|(_, amount)| !amount.is_zero())
                .collect::<Vec<_>>()
        };
        self.burnt
            .into_iter()
            .map(|(wallet, parts)| Draw {
                wallet,
                parts: net(parts),
                on,
            })
            .filter(|d| !d.parts.is_empty())
            .collect()
    }
}
