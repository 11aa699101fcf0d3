//! What an account committed itself to over everything it pays for: a minimum or a maximum per period. Stream id: the
//! account's.
//!
//! - Periods follow from the first day of the commitment; the last one may be short, and is prorated (policy 20).
//! - What a period lacks is a true-up, what it has beyond a cap; both compare with what was rated, before discounts.

use crate::events;
use crate::kernel::{
    Date, Days, Decider, Decimal, Grid, Id, Rejection, Span, calendar::LAST_DATE, check_id,
};
use serde::{Deserialize, Serialize};

/// A commitment of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreed {
    pub id: Id,
    pub name: String,
    /// In the account's currency, per period.
    pub min: Option<Decimal>,
    pub max: Option<Decimal>,
    pub every: Span,
    pub from: Date,
    /// Exclusive.
    pub until: Option<Date>,
    /// Codes of offers whose charges count; empty: all.
    pub offers: Vec<String>,
    pub tax_class: String,
}

impl Agreed {
    /// Its periods that begin on or before a day: the days, and the whole period they are a part of.
    pub fn periods(&self, through: Date) -> Vec<(Days, Days)> {
        let until = self.until.unwrap_or(LAST_DATE);
        let grid = Grid::anchored(self.from, self.every);
        let mut out = Vec::new();
        let mut from = self.from;
        while from <= through && from < until {
            let period = grid.period(from);
            let days = Days::new(from, period.until.min(until));
            if days.is_empty() {
                break;
            }
            from = days.until;
            out.push((days, period));
        }
        out
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Commitments {
    /// Oldest first.
    pub agreed: Vec<Agreed>,
}

impl Commitments {
    /// The first day after `after` on which a period ends.
    pub fn next_day(&self, after: Date) -> Option<Date> {
        let ends = self.agreed.iter().flat_map(|a| {
            let horizon = a.every.after(a.every.after(after.max(a.from)));
            a.periods(horizon).into_iter().map(|(days, _)| days.until)
        });
        ends.filter(|day| *day > after).min()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitmentAgreed {
    pub agreed: Agreed,
}

/// It binds until this day, exclusive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitmentEnded {
    pub commitment: Id,
    pub on: Date,
}

events! {
    /// What happens to the commitments of an account.
    pub enum Event in "commitment" {
        CommitmentAgreed = "agreed" 1,
        CommitmentEnded = "ended" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Agree(Agreed),
    End { commitment: Id, on: Date },
}

impl Decider for Commitments {
    type State = Commitments;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Commitments, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Agree(agreed) => {
                check(&agreed)?;
                if state.agreed.iter().any(|a| a.id == agreed.id) {
                    return Err(Rejection::new(
                        "COMMITMENT_EXISTS",
                        format!("commitment {} was already agreed", agreed.id),
                    ));
                }
                Ok(vec![CommitmentAgreed { agreed }.into()])
            }
            Command::End { commitment, on } => {
                let Some(known) = state.agreed.iter().find(|a| a.id == commitment) else {
                    return Err(Rejection::new(
                        "COMMITMENT_UNKNOWN",
                        format!("the account has no commitment {commitment:?}"),
                    ));
                };
                if on < known.from {
                    return Err(Rejection::new(
                        "COMMITMENT_NOT_BEGUN",
                        format!(
                            "commitment {commitment} begins on {}, asked to end it on {on}",
                            known.from
                        ),
                    ));
                }
                if known.until.is_some_and(|until| until <= on) {
                    return Ok(vec![]);
                }
                Ok(vec![CommitmentEnded { commitment, on }.into()])
            }
        }
    }

    fn evolve(state: &mut Commitments, event: &Event) {
        match event {
            Event::CommitmentAgreed(e) => state.agreed.push(e.agreed.clone()),
            Event::CommitmentEnded(e) => {
                let of = state.agreed.iter_mut().filter(|a| a.id == e.commitment);
                of.for_each(|a| a.until = Some(e.on));
            }
        }
    }
}

fn check(agreed: &Agreed) -> Result<(), Rejection> {
    check_id("commitment", &agreed.id)?;
    let wrong = |what: String| Err(Rejection::new("COMMITMENT_INVALID", what));
    if agreed.name.trim().is_empty() {
        return wrong("a commitment needs a name: it is shown on invoices".to_string());
    }
    if agreed.every.is_zero() {
        return wrong("a commitment needs periods of some length".to_string());
    }
    if agreed.until.is_some_and(|until| until <= agreed.from) {
        return wrong(format!(
            "a commitment from {} has to end later",
            agreed.from
        ));
    }
    if [agreed.min, agreed.max]
        .iter()
        .flatten()
        .any(|b| b.is_negative())
    {
        return wrong("neither a minimum nor a maximum is below zero".to_string());
    }
    match (agreed.min, agreed.max) {
        (None, None) => wrong("a commitment has a minimum or a maximum".to_string()),
        (Some(min), Some(max)) if min > max => {
            wrong(format!("a minimum of {min} is above a maximum of {max}"))
        }
        _ => Ok(()),
    }
}
