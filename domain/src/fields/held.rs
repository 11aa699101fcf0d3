//! The values that one account, offer, … has in its custom fields. One stream for each.

use super::{Definition, FieldValue};
use crate::events;
use crate::kernel::{Date, Decider, Rejection};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most periods of one field of one carrier.
pub const PERIODS_MAX: usize = 200;

/// A value and the days it holds on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Period {
    pub value: FieldValue,
    /// None: since ever.
    pub from: Option<Date>,
    /// Exclusive; none: until further notice.
    pub until: Option<Date>,
    /// The highest that holds on a day counts.
    pub priority: i32,
}

impl Period {
    pub fn holds_on(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day < until)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Periods by code of the field, in the order they were set.
    pub fields: BTreeMap<String, Vec<Period>>,
}

impl Held {
    /// The value that counts on a day: highest priority, then latest first day, then set last.
    pub fn on(&self, code: &str, day: Date) -> Option<&Period> {
        let periods = self.fields.get(code)?.iter();
        periods
            .filter(|p| p.holds_on(day))
            .max_by_key(|p| (p.priority, p.from))
    }
}

/// A field has a value on these days; a period with the same first day and priority is replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueSet {
    pub field: String,
    pub period: Period,
}

/// The period with this first day and priority holds no more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueEnded {
    pub field: String,
    pub from: Option<Date>,
    pub priority: i32,
}

events! {
    /// What happens to the custom fields of one carrier.
    pub enum Event in "custom" {
        ValueSet = "value-set" 1,
        ValueEnded = "value-ended" 1,
    }
}

/// Both come with what `operations::fields` knows: the definition, and keys that were destroyed.
#[derive(Clone, Debug)]
pub enum Command {
    Set {
        definition: Box<Definition>,
        period: Period,
        destroyed: BTreeSet<String>,
    },
    Clear {
        field: String,
        from: Option<Date>,
        priority: i32,
    },
}

impl Decider for Held {
    type State = Held;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Held, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Set {
                definition,
                period,
                destroyed,
            } => set(state, &definition, period, &destroyed),
            Command::Clear {
                field,
                from,
                priority,
            } => {
                let same = |p: &Period| p.from == from && p.priority == priority;
                let known = state.fields.get(&field).is_some_and(|f| f.iter().any(same));
                let ended = ValueEnded {
                    field,
                    from,
                    priority,
                };
                Ok(if known { vec![ended.into()] } else { vec![] })
            }
        }
    }

    fn evolve(state: &mut Held, event: &Event) {
        match event {
            Event::ValueSet(e) => {
                let periods = state.fields.entry(e.field.clone()).or_default();
                let (from, priority) = (e.period.from, e.period.priority);
                periods.retain(|p| p.from != from || p.priority != priority);
                periods.push(e.period.clone());
            }
            Event::ValueEnded(e) => {
                if let Some(periods) = state.fields.get_mut(&e.field) {
                    periods.retain(|p| p.from != e.from || p.priority != e.priority);
                    if periods.is_empty() {
                        state.fields.remove(&e.field);
                    }
                }
            }
        }
    }
}

fn set(
    state: &Held,
    definition: &Definition,
    period: Period,
    destroyed: &BTreeSet<String>,
) -> Result<Vec<Event>, Rejection> {
    definition.takes(&period.value)?;
    let code = &definition.code;
    if let (Some(from), Some(until)) = (period.from, period.until)
        && until <= from
    {
        return Err(Rejection::new(
            "FIELD_PERIOD_INVALID",
            format!("custom field {code:?} cannot hold from {from} until {until}"),
        ));
    }
    if let FieldValue::Sealed(sealed) = &period.value
        && destroyed.contains(&sealed.key_id)
    {
        return Err(Rejection::new(
            "FORGOTTEN_MEANWHILE",
            "this account was forgotten while it was changed: ask again",
        ));
    }
    let known = state.fields.get(code).map_or(&[][..], Vec::as_slice);
    if known.contains(&period) {
        return Ok(vec![]);
    }
    if known.len() >= PERIODS_MAX {
        return Err(Rejection::new(
            "FIELD_PERIODS_TOO_MANY",
            format!("custom field {code:?} has {PERIODS_MAX} periods here already"),
        ));
    }
    let field = code.clone();
    Ok(vec![ValueSet { field, period }.into()])
}
