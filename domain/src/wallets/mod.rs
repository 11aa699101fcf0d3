//! Prepaid wallets: money paid in before it is used, burnt as usage is rated.
//!
//! - A wallet belongs to one account and holds one currency; its balance excludes tax.
//! - It is burnt by priority of the wallet, then earliest expiry, then oldest grant (policy 30), and never below zero.
//! - What was burnt is exact; what is posted is the rounded sum so far minus what was posted before, so that the
//!   postings of a wallet never drift from it.
//! - The day a grant expires is the first day on which it is gone; the event date of the usage decides.

mod holds;
mod purse;

use crate::events;
use crate::kernel::{Currency, Date, Decider, Exact, Id, Instant, Money, Rejection, Rounding};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use holds::{Held, Hold, Released};
pub use purse::{Change, Draw, Purse};

/// Money put into a wallet at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    pub id: Id,
    pub amount: Money,
    pub remaining: Exact,
    /// The first day on which it cannot be used.
    pub expires: Option<Date>,
    pub at: Instant,
}

impl Grant {
    pub fn usable_on(&self, date: Date) -> bool {
        self.expires.is_none_or(|expires| date < expires)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wallet {
    pub account: Id,
    pub currency: Currency,
    /// Lower numbers are burnt first.
    pub priority: u32,
    /// Oldest first.
    pub grants: Vec<Grant>,
    pub burnt: Exact,
    /// The part of `burnt` that was posted in minor units.
    pub posted: Money,
    /// Money set aside, by what it is set aside for; also what counts no more until that is noted.
    pub holds: BTreeMap<Id, Hold>,
    open: bool,
}

impl Wallet {
    /// What can be used on a day.
    pub fn balance(&self, on: Date) -> Exact {
        let usable = self.grants.iter().filter(|g| g.usable_on(on));
        // Grants are whole minor units and what is left of them shares the denominators of prices: sums stay small.
        usable.fold(Exact::ZERO, |sum, g| sum.plus(g.remaining).unwrap_or(sum))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub account: Id,
    pub currency: Currency,
    pub priority: u32,
}

/// Money was paid in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToppedUp {
    pub grant: Grant,
}

/// Usage of one batch was paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Burnt {
    pub batch: Id,
    /// (grant, amount); negative: given back by a correction.
    pub parts: Vec<(Id, Exact)>,
    pub amount: Exact,
    /// What a journal posts for it.
    pub posted: Money,
}

/// Nothing usable is left; said once per crossing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Emptied {
    pub on: Date,
}

events! {
    /// What happens to a wallet.
    pub enum Event in "wallet" {
        Opened = "opened" 1,
        ToppedUp = "topped-up" 1,
        Burnt = "burnt" 1,
        Emptied = "emptied" 1,
        Held = "held" 1,
        Released = "released" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Open {
        account: Id,
        currency: Currency,
        priority: u32,
    },
    TopUp {
        grant: Id,
        amount: Money,
        expires: Option<Date>,
        at: Instant,
        today: Date,
    },
    /// `on` is the latest event date that was paid. What is held at `at` cannot be burnt.
    Burn {
        batch: Id,
        parts: Vec<(Id, Exact)>,
        on: Date,
        at: Instant,
        rounding: Rounding,
    },
    /// Sets money aside from `at` on, in place of what was set aside under the same id.
    Hold { by: Id, hold: Hold, at: Instant },
    /// Sets it aside no more; nothing happens if it was not.
    Release { by: Id },
}

impl Decider for Wallet {
    type State = Wallet;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Wallet, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Open { .. } if state.open => Err(Rejection::new(
                "WALLET_EXISTS",
                "this wallet is already open",
            )),
            Command::Open {
                account,
                currency,
                priority,
            } => Ok(vec![
                Opened {
                    account,
                    currency,
                    priority,
                }
                .into(),
            ]),
            _ if !state.open => Err(Rejection::new(
                "WALLET_UNKNOWN",
                "this wallet was never opened",
            )),
            Command::TopUp {
                grant,
                amount,
                expires,
                at,
                today,
            } => top_up(
                state,
                Grant {
                    id: grant,
                    amount,
                    remaining: amount.exact(),
                    expires,
                    at,
                },
                today,
            ),
            Command::Burn {
                batch,
                parts,
                on,
                at,
                rounding,
            } => burn(state, batch, parts, (on, at), rounding),
            Command::Hold { by, hold, at } => holds::hold(state, by, hold, at),
            Command::Release { by } => Ok(holds::release(state, by)),
        }
    }

    fn evolve(state: &mut Wallet, event: &Event) {
        match event {
            Event::Opened(e) => {
                state.open = true;
                state.account.clone_from(&e.account);
                state.currency = e.currency;
                state.priority = e.priority;
                state.posted = Money::zero(e.currency);
            }
            Event::ToppedUp(e) => state.grants.push(e.grant.clone()),
            Event::Burnt(e) => {
                for (grant, amount) in &e.parts {
                    if let Some(grant) = state.grants.iter_mut().find(|g| g.id == *grant) {
                        grant.remaining = grant.remaining.minus(*amount).unwrap_or(grant.remaining);
                    }
                }
                state.burnt = state.burnt.plus(e.amount).unwrap_or(state.burnt);
                state.posted = state.posted.plus(e.posted);
            }
            Event::Emptied(_) => {}
            Event::Held(e) => {
                let (parts, until) = (e.parts.clone(), e.until);
                state.holds.insert(e.by.clone(), Hold { parts, until });
            }
            Event::Released(e) => {
                state.holds.remove(&e.by);
            }
        }
    }
}

fn top_up(state: &Wallet, grant: Grant, today: Date) -> Result<Vec<Event>, Rejection> {
    if let Some(known) = state.grants.iter().find(|g| g.id == grant.id) {
        if known.amount == grant.amount && known.expires == grant.expires {
            return Ok(vec![]);
        }
        return Err(Rejection::new(
            "GRANT_EXISTS",
            format!(
                "grant {} of {} is already in this wallet",
                known.id, known.amount
            ),
        ));
    }
    if grant.amount.currency != state.currency {
        return Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!(
                "the wallet holds {}, asked to put in {}",
                state.currency, grant.amount
            ),
        ));
    }
    if !grant.amount.is_positive() {
        return Err(Rejection::new(
            "AMOUNT_NOT_POSITIVE",
            format!("a top-up of {} is not above zero", grant.amount),
        ));
    }
    if let Some(expires) = grant.expires.filter(|e| *e <= today) {
        return Err(Rejection::new(
            "GRANT_EXPIRED",
            format!("a grant that expires on {expires} is worth nothing on {today}"),
        ));
    }
    Ok(vec![ToppedUp { grant }.into()])
}

fn burn(
    state: &Wallet,
    batch: Id,
    parts: Vec<(Id, Exact)>,
    (on, at): (Date, Instant),
    rounding: Rounding,
) -> Result<Vec<Event>, Rejection> {
    let mut next = state.clone();
    let mut amount = Exact::ZERO;
    for (id, part) in &parts {
        let Some(grant) = next.grants.iter_mut().find(|g| g.id == *id) else {
            return Err(Rejection::new(
                "GRANT_UNKNOWN",
                format!("this wallet has no grant {id}"),
            ));
        };
        grant.remaining = grant.remaining.minus(*part)?;
        let held = state.held_of(id, at);
        if grant.remaining < held || grant.remaining > grant.amount.exact() {
            return Err(Rejection::new(
                "WALLET_INSUFFICIENT",
                format!(
                    "grant {id} of {} would have {} left, {held} of it is held",
                    grant.amount, grant.remaining
                ),
            ));
        }
        amount = amount.plus(*part)?;
    }
    if parts.is_empty() {
        return Ok(vec![]);
    }
    let total = Money::round(state.burnt.plus(amount)?, state.currency, rounding)?;
    let mut events: Vec<Event> = vec![
        Burnt {
            batch,
            parts,
            amount,
            posted: total.minus(state.posted),
        }
        .into(),
    ];
    if !state.balance(on).is_zero() && next.balance(on).is_zero() {
        events.push(Emptied { on }.into());
    }
    Ok(events)
}
