//! A top-up that was invoiced, and whose invoice is not paid any more, credited or void.

use super::decide::Work;
use super::{Event, Grant, OVERDRAFT, Origin, Repaid, Wallet};
use crate::kernel::{Date, Exact, Id, Instant, Money, Rejection, Rounding};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A part of a top-up was taken out again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revoked {
    pub grant: Id,
    pub invoice: Id,
    /// Where it was: the grant itself, what it rolled over into, other grants, below zero.
    pub parts: Vec<(Id, Exact)>,
    pub amount: Money,
}

/// Its invoice is paid after all: a part of what was taken out is there again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    pub grant: Id,
    pub invoice: Id,
    /// Where it was taken from; positive.
    pub parts: Vec<(Id, Exact)>,
    pub amount: Money,
}

/// How much of a top-up its invoice stands for now.
#[derive(Clone, Debug)]
pub struct Entitlement {
    pub invoice: Id,
    pub grant: Id,
    /// What was paid of it, in money of the wallet.
    pub paid: Money,
    /// What was credited of it or is void: nobody owes it any more.
    pub credited: Money,
}

fn total(parts: &[(Id, Exact)]) -> Result<Exact, Rejection> {
    let mut parts = parts.iter().map(|(_, amount)| *amount);
    parts.try_fold(Exact::ZERO, Exact::plus)
}

impl Wallet {
    pub(super) fn revoke(&mut self, e: &Revoked) -> Result<(), Rejection> {
        self.take(&e.parts)?;
        self.gone = self.gone.plus(e.amount.exact())?;
        self.posted = self.posted.plus(e.amount);
        let revoked = self.revoked.entry(e.grant.clone()).or_default();
        for (id, amount) in &e.parts {
            match revoked.iter_mut().find(|(known, _)| known == id) {
                Some((_, sum)) => *sum = sum.plus(*amount)?,
                None => revoked.push((id.clone(), *amount)),
            }
        }
        Ok(())
    }

    pub(super) fn restore(&mut self, e: &Restored) -> Result<(), Rejection> {
        let back = e
            .parts
            .iter()
            .map(|(id, amount)| (id.clone(), amount.negated()));
        let back: Vec<(Id, Exact)> = back.collect();
        self.take(&back)?;
        self.gone = self.gone.minus(e.amount.exact())?;
        self.posted = self.posted.minus(e.amount);
        if let Some(revoked) = self.revoked.get_mut(&e.grant) {
            for (id, amount) in &e.parts {
                if let Some((_, sum)) = revoked.iter_mut().find(|(known, _)| known == id) {
                    *sum = sum.minus(*amount)?;
                }
            }
            revoked.retain(|(_, amount)| !amount.is_zero());
        }
        self.revoked.retain(|_, parts| !parts.is_empty());
        Ok(())
    }

    /// A grant and what it rolled over into.
    fn family(&self, grant: &str) -> BTreeSet<Id> {
        let mut ids = BTreeSet::from([grant.to_string()]);
        for grant in &self.grants {
            if let Origin::Rollover { from, .. } = &grant.origin
                && ids.contains(from)
            {
                ids.insert(grant.id.clone());
            }
        }
        ids
    }

    /// How much further below zero it may go at an instant.
    fn room_below(&self, at: Instant) -> Result<Exact, Rejection> {
        let limit = self.terms.floor().negated().max(Exact::ZERO);
        let used = self.overdraft.plus(self.held_of(OVERDRAFT, at))?;
        Ok(limit.minus(used)?.max(Exact::ZERO))
    }
}

impl Work {
    /// Takes out of a top-up what its invoice does not stand for any more, or puts it back.
    ///
    /// What is owed again is taken as far as it is there and free: the rest is owed on the invoice. What nobody owes any
    /// more is taken whole, from other grants and below zero too.
    ///
    /// # Errors
    /// `TOP_UP_SPENT` when that is more than the wallet can give.
    pub(super) fn entitle(
        &mut self,
        now: &Entitlement,
        (on, at): (Date, Instant),
    ) -> Result<(), Rejection> {
        let own = |g: &&Grant| matches!(&g.origin, Origin::Invoice(by) if *by == now.invoice);
        let mut grants = self.next.grants.iter().filter(own);
        let Some(grant) = grants.find(|g| g.id == now.grant).cloned() else {
            return Ok(());
        };
        let revoked = self.next.revoked.get(&grant.id);
        let revoked = total(revoked.map(Vec::as_slice).unwrap_or_default())?;
        let wanted = grant.amount.minus(now.paid).exact().minus(revoked)?;
        if wanted.is_negative() {
            return self.give_again(&grant, &now.invoice, wanted.negated());
        }
        let must = now.credited.exact().minus(revoked)?.max(Exact::ZERO);
        let family = self.next.family(&grant.id);
        let (mut parts, there) = self.free_parts(wanted, |g| family.contains(&g.id))?;
        if must > there {
            let rest = must.minus(there)?;
            let others = |g: &Grant| !family.contains(&g.id) && g.usable_on(on);
            let (more, found) = self.free_parts(rest, others)?;
            parts.extend(more);
            let below = rest.minus(found)?;
            if below > self.next.room_below(at)? {
                return Err(Rejection::new(
                    "TOP_UP_SPENT",
                    format!(
                        "{must} of top-up {} would be taken out, and the wallet lacks {below} of it: it is spent, expired or held",
                        grant.id
                    ),
                ));
            }
            if below > Exact::ZERO {
                parts.push((OVERDRAFT.to_string(), below));
            }
        }
        let amount = Money::round(total(&parts)?, grant.amount.currency, Rounding::Down)?;
        if !amount.is_positive() {
            return Ok(());
        }
        let before = self.next.balance(on);
        self.say(Revoked {
            grant: grant.id,
            invoice: now.invoice.clone(),
            parts,
            amount,
        });
        self.crossings(before, on);
        Ok(())
    }

    /// Up to an amount of what is free in some grants, cut to whole minor units, in the order of burning.
    fn free_parts(
        &self,
        amount: Exact,
        of: impl Fn(&Grant) -> bool,
    ) -> Result<(Vec<(Id, Exact)>, Exact), Rejection> {
        let mut grants: Vec<&Grant> = self.next.grants.iter().filter(|g| of(g)).collect();
        grants.sort_by_key(|g| (g.priority, g.expires.unwrap_or(Date::MAX), g.at));
        let mut all = Exact::ZERO;
        for grant in &grants {
            all = all.plus(self.next.free(grant)?)?;
        }
        let whole = Money::round(all.min(amount), self.next.currency, Rounding::Down)?.exact();
        let mut left = whole;
        let mut parts = Vec::new();
        for grant in grants {
            let part = left.min(self.next.free(grant)?);
            if part > Exact::ZERO {
                left = left.minus(part)?;
                parts.push((grant.id.clone(), part));
            }
        }
        Ok((parts, whole))
    }

    /// Puts back what was taken out last.
    fn give_again(&mut self, grant: &Grant, invoice: &str, amount: Exact) -> Result<(), Rejection> {
        let revoked = self.next.revoked.get(&grant.id).cloned();
        let mut left = amount;
        let mut parts = Vec::new();
        for (id, taken) in revoked.unwrap_or_default().into_iter().rev() {
            let part = left.min(taken);
            if part > Exact::ZERO {
                left = left.minus(part)?;
                parts.push((id, part));
            }
        }
        let back = Money::round(total(&parts)?, grant.amount.currency, Rounding::Down)?;
        if !back.is_positive() {
            return Ok(());
        }
        let to = parts.iter().map(|(id, amount)| (id.clone(), *amount));
        let to: Vec<(Id, Exact)> = to.filter(|(id, _)| id != OVERDRAFT).collect();
        self.say(Restored {
            grant: grant.id.clone(),
            invoice: invoice.to_string(),
            parts,
            amount: back,
        });
        for (grant, amount) in to {
            let owed = self.next.overdraft.min(amount);
            if owed > Exact::ZERO {
                let amount = owed;
                self.say(Event::from(Repaid { grant, amount }));
            }
        }
        Ok(())
    }
}
