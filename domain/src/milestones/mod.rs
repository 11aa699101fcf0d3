//! A price that is invoiced in parts: at signing, at delivery, on a day.
//!
//! - The parts are shares of one total and make all of it, to the cent (policy 3).
//! - A part with a day is due on it. A part without is due once somebody says that its milestone is reached, once.
//! - What is due is a charge of the account, or of a subscription, like any that is added by hand.
//! - Cancelling takes out what no document has; what was invoiced stays, and is corrected by credit notes.

use crate::events;
use crate::kernel::{Date, Decider, Decimal, Exact, Id, Money, Rejection, check_id};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most parts of one plan.
pub const MILESTONES_MAX: usize = 120;
/// Shares have at most four decimals: this many of the smallest make one percent.
const SHARE_SCALE: i128 = 10_000;

/// One part of the total.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Milestone {
    pub code: Id,
    /// What the line says.
    pub text: String,
    /// In percent of the total, above zero, with at most four decimals.
    pub share: Decimal,
    /// The day on which it is due by itself; none: when it is reached.
    pub on: Option<Date>,
}

/// What is agreed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub account: Id,
    /// A subscription of the account whose charges they are; none: the account's own.
    pub subscription: Option<Id>,
    pub text: String,
    pub total: Option<Money>,
    pub tax_class: String,
    /// Shares of all make 100.
    pub milestones: Vec<Milestone>,
}

impl Plan {
    /// What each part comes to, in their order.
    pub fn amounts(&self) -> Result<Vec<Money>, Rejection> {
        let total = self
            .total
            .ok_or_else(|| invalid("there is no total".to_string()))?;
        let weights = self.milestones.iter().map(weight);
        total.allocate(&weights.collect::<Result<Vec<_>, _>>()?)
    }

    /// The charge stream that has its charges.
    pub fn owner(&self) -> &Id {
        self.subscription.as_ref().unwrap_or(&self.account)
    }
}

/// Id of the charge that a part becomes.
pub fn charge(plan: &str, milestone: &str) -> Id {
    format!("{plan}.{milestone}")
}

fn weight(milestone: &Milestone) -> Result<i128, Rejection> {
    let scaled = Exact::from(milestone.share).times(Exact::from(SHARE_SCALE))?;
    match scaled.denominator() == 1 && scaled.numerator() > 0 {
        true => Ok(scaled.numerator()),
        false => Err(invalid(format!(
            "a share of {} is not above zero or has more than four decimals",
            milestone.share
        ))),
    }
}

fn invalid(why: String) -> Rejection {
    Rejection::new("MILESTONES_INVALID", why)
}

/// See the module. Stream id: the plan's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Milestones {
    pub plan: Option<Plan>,
    /// Parts that are due or will be by their day, with the day.
    pub reached: BTreeMap<Id, Date>,
    /// Why the rest is not asked for.
    pub cancelled: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreed {
    pub plan: Plan,
}

/// A part is due from a day on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    pub milestone: Id,
    pub on: Date,
}

/// What no document has is not asked for any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cancelled {
    pub reason: String,
}

events! {
    /// What happens to a price in parts.
    pub enum Event in "milestone" {
        Agreed = "agreed" 1,
        Reached = "reached" 1,
        Cancelled = "cancelled" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Agree(Plan),
    Reach(Reached),
    Cancel { reason: String },
}

impl Decider for Milestones {
    type State = Milestones;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Milestones, command: Command) -> Result<Vec<Event>, Rejection> {
        match (command, &state.plan) {
            (Command::Agree(_), Some(_)) => Err(Rejection::new(
                "MILESTONES_EXIST",
                "this plan is agreed already: cancel it and agree another one",
            )),
            (Command::Agree(plan), None) => {
                check(&plan)?;
                let dated = plan.milestones.iter().filter_map(|m| {
                    let (milestone, on) = (m.code.clone(), m.on?);
                    Some(Reached { milestone, on }.into())
                });
                let dated: Vec<Event> = dated.collect();
                let mut events = vec![Agreed { plan }.into()];
                events.extend(dated);
                Ok(events)
            }
            (_, None) => Err(Rejection::new(
                "MILESTONES_UNKNOWN",
                "there is no such plan",
            )),
            (_, Some(_)) if state.cancelled.is_some() => Err(Rejection::new(
                "MILESTONES_CANCELLED",
                "this plan is cancelled: nothing more of it is asked for",
            )),
            (Command::Reach(reached), Some(plan)) => {
                let known = plan.milestones.iter().any(|m| m.code == reached.milestone);
                if !known {
                    return Err(Rejection::new(
                        "MILESTONE_UNKNOWN",
                        format!("this plan has no milestone {:?}", reached.milestone),
                    ));
                }
                if let Some(on) = state.reached.get(&reached.milestone) {
                    return Err(Rejection::new(
                        "MILESTONE_REACHED",
                        format!("milestone {} is due from {on} on", reached.milestone),
                    ));
                }
                Ok(vec![reached.into()])
            }
            (Command::Cancel { reason }, Some(_)) => Ok(vec![Cancelled { reason }.into()]),
        }
    }

    fn evolve(state: &mut Milestones, event: &Event) {
        match event {
            Event::Agreed(e) => state.plan = Some(e.plan.clone()),
            Event::Reached(e) => {
                state.reached.insert(e.milestone.clone(), e.on);
            }
            Event::Cancelled(e) => state.cancelled = Some(e.reason.clone()),
        }
    }
}

fn check(plan: &Plan) -> Result<(), Rejection> {
    let parts = plan.milestones.len();
    if parts == 0 || parts > MILESTONES_MAX {
        return Err(invalid(format!(
            "a plan has 1 to {MILESTONES_MAX} milestones, not {parts}"
        )));
    }
    if plan.total.is_none_or(|total| !total.is_positive()) {
        return Err(invalid("the total is not above zero".to_string()));
    }
    let mut codes = BTreeSet::new();
    let mut sum: i128 = 0;
    for milestone in &plan.milestones {
        check_id("milestone", &milestone.code)?;
        if !codes.insert(&milestone.code) {
            return Err(invalid(format!(
                "there are two milestones {:?}",
                milestone.code
            )));
        }
        sum = sum.saturating_add(weight(milestone)?);
    }
    if sum != 100 * SHARE_SCALE {
        let made = Exact::ratio(sum, SHARE_SCALE)?.to_decimal(4);
        return Err(invalid(format!("the shares make {made} percent, not 100")));
    }
    plan.amounts().map(|_| ())
}
