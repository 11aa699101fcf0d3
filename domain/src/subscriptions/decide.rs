use super::{
    Changed, End, Event, Pause, Paused, Restricted, Resumed, Started, Subscription, Term,
    Terminated, Unused, UsageRule,
};
use crate::kernel::{Date, Decider, Id, Rejection};

#[derive(Clone, Debug)]
pub struct Start {
    pub account: Id,
    pub term: Term,
    pub access: Vec<String>,
}

#[derive(Clone, Debug)]
pub enum Command {
    Start(Box<Start>),
    /// Begins a new term; the caller resolved `from` and the offer.
    Change(Box<Term>),
    Pause {
        reason: String,
        from: Date,
    },
    Restrict(Restricted),
    Resume {
        reason: String,
        on: Date,
    },
    Terminate {
        on: Date,
        unused: Unused,
    },
}

impl Decider for Subscription {
    type State = Subscription;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Subscription, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Start(start) => begin(state, *start),
            Command::Change(term) => change(state, *term),
            Command::Pause { reason, from } => pause(state, reason, from),
            Command::Restrict(ask) => {
                unpaused(state, &ask.reason, ask.from)?;
                Ok(vec![ask.into()])
            }
            Command::Resume { reason, on } => resume(state, reason, on),
            Command::Terminate { on, unused } => terminate(state, on, unused),
        }
    }

    fn evolve(state: &mut Subscription, event: &Event) {
        match event {
            Event::Started(e) => {
                state.account = e.account.clone();
                state.terms = vec![e.term.clone()];
                state.access = e.access.clone();
            }
            Event::Changed(e) => {
                state.terms.retain(|t| t.from < e.term.from);
                state.terms.push(e.term.clone());
            }
            Event::Paused(e) => state.pauses.push(Pause {
                reason: e.reason.clone(),
                from: e.from,
                until: None,
                billing_stops: true,
                usage: UsageRule::Refused,
            }),
            Event::Restricted(e) => state.pauses.push(Pause {
                reason: e.reason.clone(),
                from: e.from,
                until: None,
                billing_stops: e.billing_stops,
                usage: e.usage.clone(),
            }),
            Event::Resumed(e) => {
                for pause in state
                    .pauses
                    .iter_mut()
                    .filter(|p| p.reason == e.reason && p.until.is_none())
                {
                    pause.until = Some(e.on.max(pause.from));
                }
                state.pauses.retain(|p| p.until != Some(p.from));
            }
            Event::Terminated(e) => state.end = Some(e.end.clone()),
        }
    }
}

fn begin(state: &Subscription, start: Start) -> Result<Vec<Event>, Rejection> {
    if !state.terms.is_empty() {
        return Err(Rejection::new(
            "SUBSCRIPTION_EXISTS",
            format!(
                "this subscription already started on {}",
                state.terms[0].from
            ),
        ));
    }
    check_quantity(&start.term)?;
    Ok(vec![
        Started {
            account: start.account,
            term: start.term,
            access: start.access,
        }
        .into(),
    ])
}

fn change(state: &Subscription, term: Term) -> Result<Vec<Event>, Rejection> {
    let current = running(state, term.from)?;
    check_quantity(&term)?;
    let same = (&current.offer, current.quantity, current.billing_day)
        == (&term.offer, term.quantity, term.billing_day);
    if same && state.terms.iter().all(|t| t.from <= term.from) {
        return Ok(vec![]);
    }
    Ok(vec![Changed { term }.into()])
}

fn pause(state: &Subscription, reason: String, from: Date) -> Result<Vec<Event>, Rejection> {
    unpaused(state, &reason, from)?;
    Ok(vec![Paused { reason, from }.into()])
}

/// Refuses to pause twice for one reason, or what does not run.
fn unpaused(state: &Subscription, reason: &str, from: Date) -> Result<(), Rejection> {
    running(state, from)?;
    if let Some(open) = state
        .pauses
        .iter()
        .find(|p| p.reason == reason && p.until.is_none_or(|u| u > from))
    {
        return Err(Rejection::new(
            "SUBSCRIPTION_PAUSED",
            format!(
                "the subscription is already paused for {reason:?} from {}, asked to pause from {from}",
                open.from
            ),
        ));
    }
    Ok(())
}

fn resume(state: &Subscription, reason: String, on: Date) -> Result<Vec<Event>, Rejection> {
    if !state
        .pauses
        .iter()
        .any(|p| p.reason == reason && p.until.is_none())
    {
        return Err(Rejection::new(
            "SUBSCRIPTION_NOT_PAUSED",
            format!("the subscription is not paused for {reason:?}, asked to resume on {on}"),
        ));
    }
    Ok(vec![Resumed { reason, on }.into()])
}

fn terminate(state: &Subscription, on: Date, unused: Unused) -> Result<Vec<Event>, Rejection> {
    let Some(start) = state.start() else {
        return Err(unknown());
    };
    if on < start {
        return Err(Rejection::new(
            "DATE_BEFORE_START",
            format!("the subscription started on {start}, asked to end it from {on}"),
        ));
    }
    match &state.end {
        Some(end) if end.on == on && end.unused == unused => Ok(vec![]),
        Some(end) if end.on < on => Err(Rejection::new(
            "SUBSCRIPTION_TERMINATED",
            format!(
                "the subscription ends on {}, asked to end it later, on {on}",
                end.on
            ),
        )),
        _ => Ok(vec![
            Terminated {
                end: End { on, unused },
            }
            .into(),
        ]),
    }
}

fn unknown() -> Rejection {
    Rejection::new("SUBSCRIPTION_UNKNOWN", "this subscription never started")
}

/// The term in force on `date`, or why there is none.
fn running(state: &Subscription, date: Date) -> Result<&Term, Rejection> {
    let Some(start) = state.start() else {
        return Err(unknown());
    };
    if date < start {
        return Err(Rejection::new(
            "DATE_BEFORE_START",
            format!("the subscription started on {start}, asked for {date}"),
        ));
    }
    state.term_on(date).map(|(_, t)| t).ok_or_else(|| {
        Rejection::new(
            "SUBSCRIPTION_TERMINATED",
            format!(
                "the subscription ended on {}, asked for {date}",
                state.end_date()
            ),
        )
    })
}

fn check_quantity(term: &Term) -> Result<(), Rejection> {
    if term.quantity.is_negative() {
        return Err(Rejection::new(
            "QUANTITY_NEGATIVE",
            format!("a quantity of {} is below zero", term.quantity),
        ));
    }
    if !(1..=31).contains(&term.billing_day) {
        return Err(Rejection::new(
            "BILLING_DAY_INVALID",
            format!("billing day {} is not between 1 and 31", term.billing_day),
        ));
    }
    Ok(())
}
