//! A dunning policy: levels in the order they are reached, and what holds for all of them.
//!
//! - Levels are sorted by days, their names differ, and no level is reached on the due date itself (policy 29).

use super::Terms;
use crate::command::{DunningAction, DunningLevel};
use crate::events;
use crate::kernel::{Decider, Decimal, Rejection};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Later than this nobody is reminded.
const DAYS_MAX: u32 = 3650;
/// Most levels of a policy.
const LEVELS_MAX: usize = 50;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// By `after_days`, then in the order given.
    pub levels: Vec<DunningLevel>,
    pub terms: Terms,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Set {
    pub levels: Vec<DunningLevel>,
}

/// What holds for all levels, from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TermsSet {
    pub terms: Terms,
}

events! {
    /// What happens to a dunning policy.
    pub enum Event in "dunning-policy" {
        Set = "set" 1,
        TermsSet = "terms-set" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Set { levels: Vec<DunningLevel> },
    SetTerms(Terms),
}

impl Policy {
    pub fn charges_interest(&self) -> bool {
        let interest = |a: &DunningAction| matches!(a, DunningAction::Interest(_));
        self.levels.iter().any(|l| l.actions.iter().any(interest))
    }

    pub fn level(&self, name: &str) -> Option<&DunningLevel> {
        self.levels.iter().find(|l| l.name == name)
    }
}

impl Decider for Policy {
    type State = Policy;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Policy, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Set { mut levels } => {
                check(&levels)?;
                levels.sort_by_key(|l| l.after_days);
                Ok(if levels == state.levels {
                    vec![]
                } else {
                    vec![Set { levels }.into()]
                })
            }
            Command::SetTerms(_) if state.levels.is_empty() => Err(Rejection::new(
                "DUNNING_POLICY_UNKNOWN",
                "a policy without levels has no terms: set its levels first",
            )),
            Command::SetTerms(terms) if terms == state.terms => Ok(vec![]),
            Command::SetTerms(terms) => {
                terms.check()?;
                Ok(vec![TermsSet { terms }.into()])
            }
        }
    }

    fn evolve(state: &mut Policy, event: &Event) {
        match event {
            Event::Set(e) => state.levels.clone_from(&e.levels),
            Event::TermsSet(e) => state.terms.clone_from(&e.terms),
        }
    }
}

fn check(levels: &[DunningLevel]) -> Result<(), Rejection> {
    let refused = |why: String| Err(Rejection::new("DUNNING_POLICY_INVALID", why));
    let mut names = BTreeSet::new();
    if levels.is_empty() || levels.len() > LEVELS_MAX {
        return refused(format!(
            "a dunning policy has 1 to {LEVELS_MAX} levels, asked for {}",
            levels.len()
        ));
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
        if let Some(why) = level.actions.iter().find_map(wrong) {
            return refused(format!("level {} {why}", level.name));
        }
    }
    Ok(())
}

/// What is wrong with an action, if anything is.
fn wrong(action: &DunningAction) -> Option<String> {
    let empty = |what: &str, text: &str| {
        text.trim()
            .is_empty()
            .then(|| format!("has {what} without a name"))
    };
    match action {
        DunningAction::Fee(fee) if fee.is_negative() => {
            Some("charges a fee below zero".to_string())
        }
        DunningAction::LateFee(fee) => fee.check().err(),
        DunningAction::Interest(interest) => interest.check().err(),
        DunningAction::Send(notice) => notice.check().err(),
        DunningAction::HandOver { agency } => empty("a collection agency", agency),
        _ => None,
    }
}
