//! An attempt that asks a wallet: it pays at once what it holds.

use super::decide::refuse;
use super::{Collected, Collection, Event};
use crate::command::FailureKind;
use crate::kernel::{Date, Id, Money, Rejection};
use serde::{Deserialize, Serialize};

/// Code of an attempt whose wallet held too little.
pub const WALLET_SHORT: &str = "WALLET_INSUFFICIENT";

/// What a wallet paid of one open item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrawnPart {
    pub invoice: Id,
    pub amount: Money,
}

/// A wallet was asked; what it paid it paid in the same commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    pub account: Id,
    /// Id of the attempt within the collection; no payment has it.
    pub attempt: Id,
    pub method: Id,
    pub wallet: Id,
    /// What was open.
    pub asked: Money,
    /// None: it paid all of it. Soft: it held too little, and there is no other method to go on with. Hard: it held too
    /// little, and the rest goes on with the next one.
    pub failure: Option<FailureKind>,
    pub parts: Vec<DrawnPart>,
    pub on: Date,
}

impl Drawn {
    /// What it paid.
    pub fn paid(&self) -> Money {
        Money::sum(self.asked.currency, self.parts.iter().map(|p| p.amount))
    }
}

pub(super) fn draw(
    state: &Collection,
    mut drawn: Drawn,
    usable: &[Id],
) -> Result<Vec<Event>, Rejection> {
    if state.under_way().is_some() {
        return Err(Rejection::new(
            "COLLECTION_UNDER_WAY",
            "a payment of this collection is under way",
        ));
    }
    let (account, payment, on) = (drawn.account.clone(), drawn.attempt.clone(), drawn.on);
    if drawn.paid() == drawn.asked {
        let collected = Collected {
            account,
            payment,
            on,
        };
        return Ok(vec![drawn.into(), collected.into()]);
    }
    let other = |m: &&Id| **m != drawn.method && !state.exhausted(m);
    let goes_on = state.rules.fallback && usable.iter().any(|m| other(&m));
    drawn.failure = Some(match goes_on {
        true => FailureKind::Hard,
        false => FailureKind::Soft,
    });
    Ok(refuse(state, drawn.into(), (on, WALLET_SHORT), usable))
}
