//! All wallets of an account together, as one batch of usage draws on them.

use super::{Hold, Wallet};
use crate::kernel::{Date, Exact, Id, Instant, Rejection};
use crate::usage::Part;
use std::collections::{BTreeMap, BTreeSet};

/// One grant's place in the order of burning.
#[derive(Clone, Debug)]
struct Pocket {
    wallet: Id,
    grant: Id,
    /// The first day on which it is gone.
    expires: Option<Date>,
    left: Exact,
}

impl Pocket {
    fn usable_on(&self, date: Date) -> bool {
        self.expires.is_none_or(|expires| date < expires)
    }
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

/// What becomes of the money one wallet holds for something.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub wallet: Id,
    pub by: Id,
    /// Told to the wallet before anything is burnt.
    pub release: bool,
    /// Told to the wallet after that.
    pub hold: Option<Hold>,
}

/// Money set aside in several wallets.
#[derive(Clone, Debug, PartialEq)]
struct Aside {
    parts: Vec<Part>,
    until: Instant,
}

impl Aside {
    fn of(&self, wallet: &str) -> Option<Hold> {
        let parts: Vec<_> = self
            .parts
            .iter()
            .filter(|p| p.wallet == wallet)
            .map(|p| (p.grant.clone(), p.amount))
            .collect();
        (!parts.is_empty()).then_some(Hold {
            parts,
            until: self.until,
        })
    }
}

#[derive(Clone, Debug, Default)]
pub struct Purse {
    /// What is left without what is held.
    pockets: Vec<Pocket>,
    /// Living holds.
    held: BTreeMap<Id, Aside>,
    /// As they were at first; none: there was none.
    held_before: BTreeMap<Id, Option<Aside>>,
    /// What each wallet's grants paid so far, in the order of the first payment; negative: got back.
    burnt: BTreeMap<Id, Vec<(Id, Exact)>>,
    /// Latest event date paid.
    last: Option<Date>,
}

impl Purse {
    /// Wallets by priority; within one, grants by earliest expiry, then age (policy 30). What is held at `now` is only
    /// there for whoever holds it.
    pub fn new<'a>(wallets: impl IntoIterator<Item = (&'a Id, &'a Wallet)>, now: Instant) -> Purse {
        let mut ordered = Vec::new();
        let mut held: BTreeMap<Id, Aside> = BTreeMap::new();
        for (id, wallet) in wallets {
            for (by, hold) in wallet.holds.iter().filter(|(_, hold)| hold.lives(now)) {
                let aside = held.entry(by.clone()).or_insert_with(|| Aside {
                    parts: vec![],
                    until: hold.until,
                });
                aside
                    .parts
                    .extend(hold.parts.iter().map(|(grant, amount)| Part {
                        wallet: id.clone(),
                        grant: grant.clone(),
                        amount: *amount,
                    }));
            }
            for (n, grant) in wallet.grants.iter().enumerate() {
                let expires = grant.expires.unwrap_or(Date::MAX);
                let pocket = Pocket {
                    wallet: id.clone(),
                    grant: grant.id.clone(),
                    expires: grant.expires,
                    // The wallet lets nobody hold more than is left.
                    left: grant
                        .remaining
                        .minus(wallet.held_of(&grant.id, now))
                        .unwrap_or(Exact::ZERO),
                };
                ordered.push(((wallet.priority, expires, grant.at, id.clone(), n), pocket));
            }
        }
        ordered.sort_by(|a, b| a.0.cmp(&b.0));
        Purse {
            pockets: ordered.into_iter().map(|(_, p)| p).collect(),
            held,
            ..Purse::default()
        }
    }

    /// Takes an amount on a day, all of it or nothing.
    pub fn draw(&mut self, amount: Exact, on: Date) -> Result<Vec<Part>, Rejection> {
        let parts = self.find(amount, on)?;
        self.book(&parts)?;
        self.last = self.last.max(Some(on));
        Ok(parts)
    }

    /// What can be drawn on a day.
    pub fn available(&self, on: Date) -> Result<Exact, Rejection> {
        let usable = self.pockets.iter().filter(|p| p.usable_on(on));
        usable.map(|p| p.left).try_fold(Exact::ZERO, Exact::plus)
    }

    /// Sets `amount` aside until an instant, in place of what is set aside under the same id: all of it, or everything
    /// stays as it was. Nothing is a hold too: it ends the one there was.
    pub fn hold(
        &mut self,
        by: &str,
        amount: Exact,
        until: Instant,
        on: Date,
    ) -> Result<(), Rejection> {
        let (pockets, held) = (self.pockets.clone(), self.held.clone());
        let before = self.held_before.clone();
        self.release(by)?;
        let parts = match self.find(amount, on) {
            Ok(parts) => parts,
            Err(refused) => {
                (self.pockets, self.held, self.held_before) = (pockets, held, before);
                return Err(refused);
            }
        };
        for part in &parts {
            self.move_left(part, part.amount)?;
        }
        if !parts.is_empty() {
            self.held.insert(by.to_string(), Aside { parts, until });
        }
        Ok(())
    }

    /// Puts back what is set aside.
    pub fn release(&mut self, by: &str) -> Result<(), Rejection> {
        let aside = self.held.remove(by);
        for part in aside.iter().flat_map(|a| &a.parts) {
            self.move_left(part, part.amount.negated())?;
        }
        self.held_before.entry(by.to_string()).or_insert(aside);
        Ok(())
    }

    /// What is set aside under an id.
    pub fn held(&self, by: &str) -> Exact {
        let parts = self.held.get(by).into_iter().flat_map(|a| &a.parts);
        parts.fold(Exact::ZERO, |sum, p| sum.plus(p.amount).unwrap_or(sum))
    }

    /// Takes from what is left of a part's grant.
    fn move_left(&mut self, part: &Part, amount: Exact) -> Result<(), Rejection> {
        let mut pockets = self.pockets.iter_mut();
        if let Some(pocket) = pockets.find(|p| p.wallet == part.wallet && p.grant == part.grant) {
            pocket.left = pocket.left.minus(amount)?;
        }
        Ok(())
    }

    /// Where an amount would be taken from on a day.
    fn find(&self, amount: Exact, on: Date) -> Result<Vec<Part>, Rejection> {
        let mut missing = amount;
        let mut parts = Vec::new();
        for pocket in &self.pockets {
            if missing.is_zero() {
                break;
            }
            if pocket.left.is_zero() || !pocket.usable_on(on) {
                continue;
            }
            let part = missing.min(pocket.left);
            missing = missing.minus(part)?;
            parts.push(Part {
                wallet: pocket.wallet.clone(),
                grant: pocket.grant.clone(),
                amount: part,
            });
        }
        if !missing.is_zero() {
            return Err(Rejection::new(
                "WALLET_INSUFFICIENT",
                format!("the wallets lack {missing} of a charge of {amount} on {on}"),
            ));
        }
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
            self.move_left(part, part.amount)?;
            let burnt = self.burnt.entry(part.wallet.clone()).or_default();
            match burnt.iter_mut().find(|(grant, _)| *grant == part.grant) {
                Some((_, sum)) => *sum = sum.plus(part.amount)?,
                None => burnt.push((part.grant.clone(), part.amount)),
            }
        }
        Ok(())
    }

    /// What each wallet is to be told about what it holds.
    pub fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (by, before) in &self.held_before {
            let now = self.held.get(by);
            let both = before.iter().chain(now).flat_map(|a| &a.parts);
            let wallets: BTreeSet<&Id> = both.map(|p| &p.wallet).collect();
            for wallet in wallets {
                let was = before.as_ref().and_then(|a| a.of(wallet));
                let hold = now.and_then(|a| a.of(wallet));
                if was != hold {
                    changes.push(Change {
                        wallet: wallet.clone(),
                        by: by.clone(),
                        release: was.is_some(),
                        hold,
                    });
                }
            }
        }
        changes
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
