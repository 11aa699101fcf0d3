//! Discounts: what may be taken off, for whom and for how long, and who has one.
//!
//! - A [`Discount`] is offered under a code; it is redeemed within its dates and limits.
//! - A redemption keeps the terms as they were when it was redeemed: a discount that is changed or withdrawn later takes
//!   nothing from those who have it.
//! - Discounts apply before tax, by sequence, percentages before fixed amounts, then oldest first; each to what the earlier
//!   ones left, never below zero, and what does not fit is not consumed (policy 19).

pub mod apply;
pub mod recurring;
pub mod redemptions;
mod terms;

use crate::events;
use crate::kernel::{Date, Decider, Id, Rejection};
use serde::{Deserialize, Serialize};

pub use apply::{Place, Used};
pub use redemptions::{Redemption, Redemptions};
pub use terms::{ChargeKind, DiscountTerms, Lasts, Off, Scope};

/// A discount that is offered, and how often it was redeemed. Stream id: its code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Discount {
    /// None before it is defined.
    pub terms: Option<DiscountTerms>,
    pub withdrawn: bool,
    /// By all accounts together. How often by one of them, the account itself knows: a list of everybody who has it would make
    /// each further redemption cost as much as all before it.
    pub redeemed: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Defined {
    pub terms: DiscountTerms,
}

/// Nobody redeems it any more; who has it keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Withdrawn {
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Redeemed {
    pub account: Id,
    pub redemption: Id,
}

events! {
    /// What happens to a discount.
    pub enum Event in "discount" {
        Defined = "defined" 1,
        Withdrawn = "withdrawn" 1,
        Redeemed = "redeemed" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    /// Offers it, or changes the terms for those who redeem it from now on.
    Define(DiscountTerms),
    Withdraw {
        reason: String,
    },
    Redeem {
        account: Id,
        redemption: Id,
        on: Date,
        /// How often the account redeemed it before.
        before: u32,
    },
}

impl Decider for Discount {
    type State = Discount;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Discount, command: Command) -> Result<Vec<Event>, Rejection> {
        match (command, &state.terms) {
            (Command::Define(terms), known) => {
                terms.check()?;
                let same = known.as_ref() == Some(&terms) && !state.withdrawn;
                Ok(if same {
                    vec![]
                } else {
                    vec![Defined { terms }.into()]
                })
            }
            (_, None) => Err(Rejection::new(
                "DISCOUNT_UNKNOWN",
                "there is no discount with this code",
            )),
            (Command::Withdraw { .. }, _) if state.withdrawn => Ok(vec![]),
            (Command::Withdraw { reason }, _) => Ok(vec![Withdrawn { reason }.into()]),
            (
                Command::Redeem {
                    account,
                    redemption,
                    on,
                    before,
                },
                Some(terms),
            ) => {
                redeemable(state, terms, (&account, before), on)?;
                Ok(vec![
                    Redeemed {
                        account,
                        redemption,
                    }
                    .into(),
                ])
            }
        }
    }

    fn evolve(state: &mut Discount, event: &Event) {
        match event {
            Event::Defined(e) => {
                state.terms = Some(e.terms.clone());
                state.withdrawn = false;
            }
            Event::Withdrawn(_) => state.withdrawn = true,
            Event::Redeemed(_) => state.redeemed += 1,
        }
    }
}

fn redeemable(
    state: &Discount,
    terms: &DiscountTerms,
    (account, mine): (&str, u32),
    on: Date,
) -> Result<(), Rejection> {
    if state.withdrawn {
        return Err(Rejection::new(
            "DISCOUNT_WITHDRAWN",
            format!("{} is not offered any more", terms.name),
        ));
    }
    if terms.redeem_from.is_some_and(|from| on < from)
        || terms.redeem_until.is_some_and(|until| on >= until)
    {
        return Err(Rejection::new(
            "DISCOUNT_NOT_VALID",
            format!(
                "{} can be redeemed from {} until {}, not on {on}",
                terms.name,
                shown(terms.redeem_from),
                shown(terms.redeem_until)
            ),
        ));
    }
    let used_up = |limit: Option<u32>, used: u32| limit.is_some_and(|limit| used >= limit);
    if used_up(terms.limit, state.redeemed) || used_up(terms.limit_per_account, mine) {
        return Err(Rejection::new(
            "DISCOUNT_USED_UP",
            format!(
                "{} was redeemed {} times, {mine} of them by {account}: its limit is reached",
                terms.name, state.redeemed
            ),
        ));
    }
    Ok(())
}

fn shown(day: Option<Date>) -> String {
    day.map_or("ever".to_string(), |day| day.to_string())
}
