//! Money set aside for something that is going on: a reservation (policy 30).
//!
//! - A hold names the grants it rests on, and the instant from which it counts no more. It then counts no more whether
//!   or not anybody has noted that: whoever asks brings the instant along.
//! - The living holds of a grant never exceed what is left of it. Nothing else can take what they hold.

use super::{Event, Grant, OVERDRAFT, Wallet};
use crate::kernel::{Date, Exact, Id, Instant, Rejection};
use serde::{Deserialize, Serialize};

/// Money of one wallet that is set aside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// (grant, amount above zero).
    pub parts: Vec<(Id, Exact)>,
    /// The first instant at which it counts no more.
    pub until: Instant,
}

impl Hold {
    pub fn lives(&self, at: Instant) -> bool {
        at < self.until
    }

    /// All of it together.
    pub fn amount(&self) -> Exact {
        let parts = self.parts.iter();
        parts.fold(Exact::ZERO, |sum, (_, part)| sum.plus(*part).unwrap_or(sum))
    }
}

/// Money was set aside, in place of what was set aside under the same id before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// What it is set aside for.
    pub by: Id,
    pub parts: Vec<(Id, Exact)>,
    pub until: Instant,
}

/// Money is set aside no more: it was used, given up, or its time is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Released {
    pub by: Id,
}

impl Wallet {
    /// What is set aside at an instant.
    pub fn reserved(&self, at: Instant) -> Exact {
        let living = self.holds.values().filter(|hold| hold.lives(at));
        living.fold(Exact::ZERO, |sum, h| sum.plus(h.amount()).unwrap_or(sum))
    }

    /// What can be spent on a day and is not set aside at an instant.
    pub fn available(&self, on: Date, at: Instant) -> Exact {
        let usable = self.grants.iter().filter(|g| g.usable_on(on));
        let free = usable.fold(Exact::ZERO, |sum, g| {
            let free = g.remaining.minus(self.held_of(&g.id, at));
            free.and_then(|free| sum.plus(free)).unwrap_or(sum)
        });
        let below = self.overdraft.plus(self.held_of(OVERDRAFT, at));
        below.and_then(|below| free.minus(below)).unwrap_or(free)
    }

    /// What is left of a grant and in no hold, be it one that counts no more and was not released yet.
    pub(super) fn free(&self, grant: &Grant) -> Result<Exact, Rejection> {
        let parts = self.holds.values().flat_map(|hold| &hold.parts);
        let mut held = parts.filter(|(id, _)| *id == grant.id);
        held.try_fold(grant.remaining, |free, (_, part)| free.minus(*part))
            .map(|free| free.max(Exact::ZERO))
    }

    /// What living holds take of one grant.
    pub(super) fn held_of(&self, grant: &str, at: Instant) -> Exact {
        let living = self.holds.values().filter(|hold| hold.lives(at));
        living
            .flat_map(|hold| &hold.parts)
            .filter(|(id, _)| id == grant)
            .fold(Exact::ZERO, |sum, (_, part)| sum.plus(*part).unwrap_or(sum))
    }
}

pub(super) fn hold(
    state: &Wallet,
    by: Id,
    hold: Hold,
    at: Instant,
) -> Result<Vec<Event>, Rejection> {
    if state.holds.get(&by) == Some(&hold) {
        return Ok(vec![]);
    }
    if !hold.lives(at) {
        return Err(Rejection::new(
            "HOLD_OVER",
            format!("a hold until {} counts no more at {at}", hold.until),
        ));
    }
    let mut next = state.clone();
    next.holds.insert(by.clone(), hold.clone());
    for (id, part) in &hold.parts {
        if id == OVERDRAFT {
            let owed = state.overdraft.plus(next.held_of(OVERDRAFT, at))?;
            let limit = state.terms.floor().negated();
            if owed > limit {
                return Err(Rejection::new(
                    "WALLET_INSUFFICIENT",
                    format!("the wallet would be {owed} below zero, {limit} are allowed"),
                ));
            }
            continue;
        }
        let Some(grant) = state.grants.iter().find(|g| g.id == *id) else {
            return Err(Rejection::new(
                "GRANT_UNKNOWN",
                format!("this wallet has no grant {id}"),
            ));
        };
        if part.is_negative() || part.is_zero() || next.held_of(id, at) > grant.remaining {
            return Err(Rejection::new(
                "WALLET_INSUFFICIENT",
                format!(
                    "grant {id} has {} left, {} would be held of it",
                    grant.remaining,
                    next.held_of(id, at)
                ),
            ));
        }
    }
    let Hold { parts, until } = hold;
    Ok(vec![Held { by, parts, until }.into()])
}

pub(super) fn release(state: &Wallet, by: Id) -> Vec<Event> {
    match state.holds.contains_key(&by) {
        true => vec![Released { by }.into()],
        false => vec![],
    }
}
