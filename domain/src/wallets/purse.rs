//! All wallets of an account together, as one batch of usage or one invoice draws on them.

use super::taxing::Taxing;
use super::{Burn, Hold, OVERDRAFT, Target, Targets, TaxPart, Wallet};
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
    /// What of it repaid what had been burnt below zero.
    repaid: Exact,
    /// Its place in its wallet, oldest first.
    age: usize,
}

impl Pocket {
    fn usable_on(&self, on: Date) -> bool {
        self.expires.is_none_or(|expires| on < expires)
    }
}

/// What a wallet allows besides its grants.
#[derive(Clone, Debug)]
struct Bounds {
    wallet: Id,
    targets: Targets,
    burn: Burn,
    /// The lowest balance that paying may leave.
    floor: Exact,
    overdraft: Exact,
    /// Tax of earlier usage was paid from it.
    taxed: bool,
}

/// What one wallet pays for a whole batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    pub wallet: Id,
    /// By grant, with the tax where the wallet includes it.
    pub parts: Vec<(Id, Exact)>,
    pub taxes: Vec<TaxPart>,
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
    /// In the order of burning.
    bounds: Vec<Bounds>,
    /// Living holds.
    held: BTreeMap<Id, Aside>,
    /// As they were at first; none: there was none.
    held_before: BTreeMap<Id, Option<Aside>>,
    /// What each wallet's grants paid so far, in the order of the first payment; negative: got back.
    burnt: BTreeMap<Id, Vec<(Id, Exact)>>,
    /// Latest event date paid.
    last: Option<Date>,
    taxing: Taxing,
}

impl Purse {
    /// Wallets by priority; within one, grants by priority, then earliest expiry, then age (policy 30). What is held at
    /// `now` is only there for whoever holds it.
    pub fn new<'a>(wallets: impl IntoIterator<Item = (&'a Id, &'a Wallet)>, now: Instant) -> Purse {
        let mut ordered = Vec::new();
        let mut bounds = Vec::new();
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
            let below = wallet.overdraft.plus(wallet.held_of(OVERDRAFT, now));
            bounds.push((
                wallet.terms.priority,
                Bounds {
                    wallet: id.clone(),
                    targets: wallet.terms.targets.clone(),
                    burn: wallet.terms.burn,
                    floor: wallet.terms.floor(),
                    overdraft: below.unwrap_or(wallet.overdraft),
                    taxed: !wallet.taxed.is_empty(),
                },
            ));
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
                    repaid: grant.repaid,
                    age: n,
                };
                let order = (wallet.terms.priority, grant.priority, expires, grant.at);
                ordered.push(((order, id.clone(), n), pocket));
            }
        }
        ordered.sort_by(|a, b| a.0.cmp(&b.0));
        bounds.sort_by(|a, b| (a.0, &a.1.wallet).cmp(&(b.0, &b.1.wallet)));
        Purse {
            pockets: ordered.into_iter().map(|(_, p)| p).collect(),
            bounds: bounds.into_iter().map(|(_, b)| b).collect(),
            held,
            ..Purse::default()
        }
    }

    /// Whether some of these wallets include the tax of what they pay, or did: then it has to be known.
    pub fn asks_for_tax(&self) -> bool {
        let includes = |b: &Bounds| b.taxed || b.burn == Burn::RatingWithTax;
        self.bounds.iter().any(includes)
    }

    /// From now on usage of a meter is paid, taxed at a rate (0.19 is 19 %); `known`: the tax that a wallet paid for it
    /// before.
    pub fn tax<'a>(
        &mut self,
        meter: &str,
        rate: Exact,
        known: impl Iterator<Item = (&'a Id, &'a TaxPart)>,
    ) {
        self.taxing.of(meter, rate, known);
    }

    /// What a wallet is burnt by for each unit of money that it pays.
    fn factor(&self, bounds: &Bounds) -> Result<Exact, Rejection> {
        match bounds.burn {
            Burn::RatingWithTax => self.taxing.factor(),
            Burn::Rating | Burn::Finalising => Ok(Exact::from(1)),
        }
    }

    /// A part as it leaves its wallet: with its tax.
    fn gross(&self, part: &Part) -> Result<Part, Rejection> {
        let of = self.bounds.iter().find(|b| b.wallet == part.wallet);
        let amount = match of {
            Some(bounds) => part.amount.times(self.factor(bounds)?)?,
            None => part.amount,
        };
        Ok(Part {
            amount,
            ..part.clone()
        })
    }

    /// Takes an amount on a day for usage that is being rated, all of it or nothing.
    pub fn draw(
        &mut self,
        amount: Exact,
        on: Date,
        target: &Target<'_>,
    ) -> Result<Vec<Part>, Rejection> {
        let parts = self.all(amount, on, target)?;
        self.pay(parts, on)
    }

    /// Where all of an amount would be taken from.
    fn all(&self, amount: Exact, on: Date, target: &Target<'_>) -> Result<Vec<Part>, Rejection> {
        let (parts, missing) = self.find(amount, on, &rating(target))?;
        if !missing.is_zero() {
            return Err(Rejection::new(
                "WALLET_INSUFFICIENT",
                format!("the wallets lack {missing} of a charge of {amount} on {on}"),
            ));
        }
        Ok(parts)
    }

    /// What usage of a target can draw on a day.
    pub fn available(&self, on: Date, target: &Target<'_>) -> Result<Exact, Rejection> {
        let pays = rating(target);
        let mut sum = Exact::ZERO;
        for bounds in self.bounds.iter().filter(|b| pays(b)) {
            let room = self.balance(bounds, on)?.minus(bounds.floor)?;
            let factor = self.factor(bounds)?;
            let pays = room.share(factor.denominator(), factor.numerator())?;
            sum = sum.plus(pays.max(Exact::ZERO))?;
        }
        Ok(sum)
    }

    /// Sets `amount` aside until an instant, in place of what is set aside under the same id: all of it, or everything
    /// stays as it was. Nothing is a hold too: it ends the one there was.
    pub fn hold(
        &mut self,
        by: &str,
        amount: Exact,
        until: Instant,
        on: Date,
        target: &Target<'_>,
    ) -> Result<(), Rejection> {
        let before = self.clone();
        self.release(by)?;
        let parts = match self.all(amount, on, target) {
            Ok(parts) => parts,
            Err(refused) => {
                *self = before;
                return Err(refused);
            }
        };
        let parts = parts.iter().map(|part| self.gross(part));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        for part in &parts {
            self.set_aside(part, part.amount)?;
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
            self.set_aside(part, part.amount.negated())?;
        }
        self.held_before.entry(by.to_string()).or_insert(aside);
        Ok(())
    }

    /// What is set aside under an id, with its tax where a wallet includes it.
    pub fn held(&self, by: &str) -> Exact {
        let parts = self.held.get(by).into_iter().flat_map(|a| &a.parts);
        parts.fold(Exact::ZERO, |sum, p| sum.plus(p.amount).unwrap_or(sum))
    }

    /// Takes from what is left of a part's grant, or goes below zero by it.
    fn set_aside(&mut self, part: &Part, amount: Exact) -> Result<(), Rejection> {
        if part.grant == OVERDRAFT {
            if let Some(bounds) = self.bounds.iter_mut().find(|b| b.wallet == part.wallet) {
                bounds.overdraft = bounds.overdraft.plus(amount)?;
            }
            return Ok(());
        }
        let mut pockets = self.pockets.iter_mut();
        if let Some(pocket) = pockets.find(|p| p.wallet == part.wallet && p.grant == part.grant) {
            pocket.left = pocket.left.minus(amount)?;
        }
        Ok(())
    }

    /// Takes as much of an amount as there is; what is missing is the second part of the answer.
    pub fn draw_most(
        &mut self,
        amount: Exact,
        on: Date,
        target: &Target<'_>,
    ) -> Result<(Vec<Part>, Exact), Rejection> {
        let (parts, missing) = self.find(amount, on, &rating(target))?;
        Ok((self.pay(parts, on)?, missing))
    }

    /// Wallets that pay invoices, in the order of burning.
    pub fn finalising(&self) -> Vec<Id> {
        let pays = self.bounds.iter().filter(|b| b.burn == Burn::Finalising);
        pays.map(|b| b.wallet.clone()).collect()
    }

    /// Whether a wallet may pay something.
    pub fn covers(&self, wallet: &str, target: &Target<'_>) -> bool {
        let mut of = self.bounds.iter().filter(|b| b.wallet == wallet);
        of.any(|b| b.targets.cover(target))
    }

    /// Takes as much of an amount as one wallet has, cut down to what `whole` makes of it: an invoice is paid in
    /// whole minor units.
    pub fn draw_wallet(
        &mut self,
        wallet: &str,
        amount: Exact,
        on: Date,
        whole: impl Fn(Exact) -> Result<Exact, Rejection>,
    ) -> Result<Exact, Rejection> {
        let own = |b: &Bounds| b.wallet == wallet;
        let (_, missing) = self.find(amount, on, &own)?;
        let pays = whole(amount.minus(missing)?)?;
        if pays <= Exact::ZERO {
            return Ok(Exact::ZERO);
        }
        let (parts, _) = self.find(pays, on, &own)?;
        self.pay(parts, on)?;
        Ok(pays)
    }

    /// What a wallet has left on a day, less what was burnt below zero.
    fn balance(&self, bounds: &Bounds, on: Date) -> Result<Exact, Rejection> {
        let own = |p: &&Pocket| p.wallet == bounds.wallet && p.usable_on(on);
        let usable = self.pockets.iter().filter(own);
        let usable = usable.map(|p| p.left).try_fold(Exact::ZERO, Exact::plus)?;
        usable.minus(bounds.overdraft)
    }

    /// Finds an amount: first in grants, then below zero, down to the floor of each wallet. Nothing is taken. The parts
    /// are without the tax that a wallet pays with them.
    fn find(
        &self,
        amount: Exact,
        on: Date,
        pays: &impl Fn(&Bounds) -> bool,
    ) -> Result<(Vec<Part>, Exact), Rejection> {
        let mut missing = amount;
        let mut parts = Vec::new();
        let mut room: BTreeMap<&str, (Exact, Exact)> = BTreeMap::new();
        for bounds in self.bounds.iter().filter(|b| pays(b)) {
            let room_of = self.balance(bounds, on)?.minus(bounds.floor)?;
            let most = (room_of.max(Exact::ZERO), self.factor(bounds)?);
            room.insert(&bounds.wallet, most);
        }
        for pocket in &self.pockets {
            if missing <= Exact::ZERO {
                break;
            }
            let Some((room, factor)) = room.get_mut(pocket.wallet.as_str()) else {
                continue;
            };
            if !pocket.usable_on(on) {
                continue;
            }
            let taken = missing.times(*factor)?.min(pocket.left).min(*room);
            if taken <= Exact::ZERO {
                continue;
            }
            let part = taken.share(factor.denominator(), factor.numerator())?;
            missing = missing.minus(part)?;
            *room = room.minus(taken)?;
            parts.push(Part {
                wallet: pocket.wallet.clone(),
                grant: pocket.grant.clone(),
                amount: part,
            });
        }
        for bounds in self.bounds.iter().filter(|b| b.floor.is_negative()) {
            let Some((left, factor)) = room.get(bounds.wallet.as_str()) else {
                continue;
            };
            let part = missing.min(left.share(factor.denominator(), factor.numerator())?);
            if part <= Exact::ZERO {
                continue;
            }
            missing = missing.minus(part)?;
            parts.push(Part {
                wallet: bounds.wallet.clone(),
                grant: OVERDRAFT.to_string(),
                amount: part,
            });
        }
        Ok((parts, missing))
    }

    fn pay(&mut self, parts: Vec<Part>, on: Date) -> Result<Vec<Part>, Rejection> {
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
        self.pay(parts, on)
    }

    fn book(&mut self, parts: &[Part]) -> Result<(), Rejection> {
        for part in parts {
            let part = &self.with_tax(part)?;
            if part.grant == OVERDRAFT {
                self.below_zero(part)?;
            } else {
                self.set_aside(part, part.amount)?;
            }
            let burnt = self.burnt.entry(part.wallet.clone()).or_default();
            match burnt.iter_mut().find(|(grant, _)| *grant == part.grant) {
                Some((_, sum)) => *sum = sum.plus(part.amount)?,
                None => burnt.push((part.grant.clone(), part.amount)),
            }
        }
        Ok(())
    }

    /// A part as it leaves its wallet, or goes back there: with the tax, which is noted.
    fn with_tax(&mut self, part: &Part) -> Result<Part, Rejection> {
        let tax = match part.amount.is_negative() {
            true => self.taxing.back(part)?,
            false => self.gross(part)?.amount.minus(part.amount)?,
        };
        self.taxing.note(part, tax)?;
        Ok(Part {
            amount: part.amount.plus(tax)?,
            ..part.clone()
        })
    }

    /// As the wallet will do it: what goes back beyond what is owed goes to the grants that repaid it.
    fn below_zero(&mut self, part: &Part) -> Result<(), Rejection> {
        let Some(bounds) = self.bounds.iter_mut().find(|b| b.wallet == part.wallet) else {
            return Ok(());
        };
        bounds.overdraft = bounds.overdraft.plus(part.amount)?;
        let own = |p: &&mut Pocket| p.wallet == part.wallet && !p.repaid.is_zero();
        while bounds.overdraft.is_negative() {
            let latest = self.pockets.iter_mut().filter(own).max_by_key(|p| p.age);
            let Some(pocket) = latest else {
                break;
            };
            let back = bounds.overdraft.negated().min(pocket.repaid);
            pocket.repaid = pocket.repaid.minus(back)?;
            pocket.left = pocket.left.plus(back)?;
            bounds.overdraft = bounds.overdraft.plus(back)?;
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
    pub fn finish(mut self) -> Vec<Draw> {
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
                taxes: self.taxing.finish(&wallet),
                wallet,
                parts: net(parts),
                on,
            })
            .filter(|d| !d.parts.is_empty())
            .collect()
    }
}

/// Wallets that are burnt as usage is rated and may pay for this.
fn rating<'t>(target: &'t Target<'t>) -> impl Fn(&Bounds) -> bool + 't {
    move |bounds| bounds.burn.at_rating() && bounds.targets.cover(target)
}
