use super::{
    Counter, Crossed, Drawn, Event, Granted, Resized, Rolled, Share, Taken, reached, size,
};
use crate::kernel::{Date, Decider, Exact, Rejection, Text};
use crate::usage::chunks;
use std::sync::Arc;

/// Results of rating, computed on this period by `operations::usage` within the same session; and what members bring.
#[derive(Clone, Debug)]
pub enum Command {
    Grant(Box<Granted>),
    /// What these subscriptions bring from now on.
    Bring {
        brought: Vec<Share>,
        on: Date,
    },
    Draw {
        batch: Text,
        source: Text,
        taken: Vec<Taken>,
        /// By records of later periods.
        later: Exact,
        crossed: Vec<Crossed>,
    },
    Roll(Rolled),
}

impl Decider for Counter {
    type State = Counter;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Counter, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Grant(granted) => match state.terms {
                Some(_) => Err(Rejection::new(
                    "COUNTER_GRANTED",
                    "this period of the counter was granted before",
                )),
                None => Ok(vec![(*granted).into()]),
            },
            Command::Bring { brought, on } => bring(state, brought, on),
            Command::Draw {
                batch,
                source,
                taken,
                later,
                crossed,
            } => draw(state, (batch, source), taken, later, crossed),
            Command::Roll(rolled) => Ok(vec![rolled.into()]),
        }
    }

    fn evolve(state: &mut Counter, event: &Event) {
        match event {
            Event::Granted(e) => {
                state.terms = Some(e.terms.clone());
                state.size = e.size;
                brings(state, &e.brought);
            }
            Event::Resized(e) => {
                state.size = e.size;
                brings(state, &e.brought);
            }
            Event::Drawn(e) => (state.used, state.later) = (e.used, e.later),
            Event::Rolled(e) => state.later_max = Some(e.later_max),
            Event::Crossed(_) => {}
        }
    }
}

fn brings(state: &mut Counter, brought: &[Share]) {
    let members = Arc::make_mut(&mut state.brought);
    for share in brought {
        match share.amount.is_zero() {
            true => members.remove(&share.subscription),
            false => members.insert(share.subscription.clone(), share.amount),
        };
    }
}

fn bring(state: &Counter, brought: Vec<Share>, on: Date) -> Result<Vec<Event>, Rejection> {
    let Some(rule) = state.rule() else {
        return Ok(vec![]);
    };
    let had = |share: &Share| state.brought.get(&share.subscription).copied();
    let news = |share: &Share| had(share).unwrap_or(Exact::ZERO) != share.amount;
    let brought: Vec<Share> = brought.into_iter().filter(news).collect();
    if brought.is_empty() {
        return Ok(vec![]);
    }
    let mut members = (*state.brought).clone();
    for share in &brought {
        members.insert(share.subscription.clone(), share.amount);
    }
    let size = size(rule, members.into_values())?;
    let crossed = reached(rule, (state.size, state.used), (size, state.used))?;
    let mut events: Vec<Event> = vec![Resized { brought, size }.into()];
    events.extend(crossed.into_iter().map(|(threshold, level)| {
        Crossed {
            threshold,
            level,
            used: state.used,
            size,
            on,
            meter: None,
        }
        .into()
    }));
    Ok(events)
}

fn draw(
    state: &Counter,
    (batch, source): (Text, Text),
    taken: Vec<Taken>,
    later: Exact,
    crossed: Vec<Crossed>,
) -> Result<Vec<Event>, Rejection> {
    let mut sums = taken.iter().map(|t| t.amount);
    let sum = sums.try_fold(Exact::ZERO, Exact::plus)?;
    let used = state.used.plus(sum)?;
    let beyond = used > state.size && sum > Exact::ZERO;
    if state.terms.is_none() || beyond || used.is_negative() {
        return Err(Rejection::new(
            "COUNTER_MOVED",
            format!(
                "{} of {} are used, a draw of {} was computed for another counter",
                state.used.to_decimal(12),
                state.size.to_decimal(12),
                sum.to_decimal(12)
            ),
        ));
    }
    let later = state.later.plus(later)?;
    let mut parts = chunks(taken, |t: &Taken| 48 + t.meter.len());
    if parts.is_empty() && later != state.later {
        parts.push(vec![]);
    }
    let mut events: Vec<Event> = Vec::new();
    for taken in parts {
        events.push(
            Drawn {
                batch: batch.clone(),
                source: source.clone(),
                taken,
                used,
                later,
            }
            .into(),
        );
    }
    events.extend(crossed.into_iter().map(Event::from));
    Ok(events)
}
