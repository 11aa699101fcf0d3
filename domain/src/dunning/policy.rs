//! A dunning policy: levels in the order they are reached.
//!
//! - Levels are sorted by days, their names differ, and no level is reached on the due date itself (policy 29).

use crate::command::{DunningAction, DunningLevel};
use crate::events;
use crate::kernel::{Decider, Decimal, Rejection};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Later than this nobody is reminded.
const DAYS_MAX: u32 = 3650;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// By `after_days`, then in the order given.
    pub levels: Vec<DunningLevel>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Set {
    pub levels: Vec<DunningLevel>,
}

events! {
    /// What happens to a dunning policy.
    pub enum Event in "dunning-policy" {
        Set = "set" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Set { levels: Vec<DunningLevel> },
}

impl Decider for Policy {
    type State = Policy;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Policy, command: Command) -> Result<Vec<Event>, Rejection> {
        let Command::Set { mut levels } = command;
        check(&levels)?;
        levels.sort_by_key(|l| l.after_days);
        Ok(if levels == state.levels {
            vec![]
        } else {
            vec![Set { levels }.into()]
        })
    }

    fn evolve(state: &mut Policy, event: &Event) {
        let Event::Set(e) = event;
        state.levels.clone_from(&e.levels);
    }
}

fn check(levels: &[DunningLevel]) -> Result<(), Rejection> {
    let refused = |why: String| Err(Rejection::new("DUNNING_POLICY_INVALID", why));
    let mut names = BTreeSet::new();
    if levels.is_empty() {
        return refused("a dunning policy needs at least one level".to_string());
    }
    for level in levels {
        if level.name.trim().is_empty() || !names.insert(&level.name) {
            return refused(format!(
                "level name {:?} is empty or used twice",
                level.name
            ));
        }
        if !(1..=DAYS_MAX).contains(&level.after_days) {
            return refused(format!(
                "level {} is reached after {} days, which is not 1 to {DAYS_MAX}",
                level.name, level.after_days
            ));
        }
        if level.minimum.is_some_and(Decimal::is_negative) {
            return refused(format!("level {} has a minimum below zero", level.name));
        }
        let fee_wrong =
            |a: &DunningAction| matches!(a, DunningAction::Fee(fee) if fee.is_negative());
        if level.actions.iter().any(fee_wrong) {
            return refused(format!("level {} charges a fee below zero", level.name));
        }
    }
    Ok(())
}
