use super::ending::{self, Ending};
use super::planned::{self, Plan};
use super::tenure::{self, TenureTerms};
use super::{
    Activated, ActivationAwaited, Changed, End, EndKind, Ended, Event, Paused, Restricted, Resumed,
    Started, Subscription, TakenOver, Term, Terminated, Unused,
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
    /// Begins a new term; the caller resolved `from` and the offer. What is planned for later goes on over it.
    Change(Box<Term>),
    /// Exactly these terms follow from the first one's day on, whatever was there.
    Lay(Vec<Term>),
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
    /// An end with all that it asks for.
    End(Box<Ending>),
    /// Takes it back before it begins.
    Cancel {
        today: Date,
        reason: String,
    },
    /// Takes back an end; the days without it stay uncharged.
    Reactivate {
        on: Date,
    },
    /// Takes back what lies ahead.
    Undo {
        plan: Plan,
        today: Date,
    },
    /// It is sold, and begins when it is handed out.
    Await {
        /// Somebody chose the billing day.
        day_chosen: bool,
    },
    /// `billing_day` is that of the terms from now on.
    Activate {
        on: Date,
        billing_day: u32,
    },
    /// What was another account's goes on here.
    TakeOver {
        subscription: Id,
        since: Date,
    },
    /// The tenure of what it goes on with.
    CarryTenure {
        tenure: tenure::Tenure,
        /// Its end was not withdrawn.
        ends: bool,
    },
    AgreeTenure {
        from: Date,
        terms: TenureTerms,
    },
    /// Tells and does what the tenure asks for.
    Tend {
        today: Date,
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
            Command::Lay(terms) => lay(state, terms),
            Command::Pause { reason, from } => pause(state, reason, from),
            Command::Restrict(ask) => {
                unpaused(state, &ask.reason, ask.from)?;
                Ok(vec![ask.into()])
            }
            Command::Resume { reason, on } => resume(state, reason, on),
            Command::Terminate { on, unused } => {
                let end = End { on, unused };
                let asked = ending::may_end(state, &end.clone().into())?;
                Ok(asked
                    .then(|| Terminated { end }.into())
                    .into_iter()
                    .collect())
            }
            Command::End(ending) => {
                let asked = ending::may_end(state, &ending)?;
                let ended = asked.then(|| Ended { ending: *ending }.into());
                Ok(ended.into_iter().collect())
            }
            Command::Cancel { today, reason } => {
                let ended = ending::cancel(state, today, reason)?;
                Ok(ended.map(Into::into).into_iter().collect())
            }
            Command::Reactivate { on } => {
                started(state)?;
                Ok(vec![ending::reactivate(state, on)?.into()])
            }
            Command::Undo { plan, today } => planned::undo(state, plan, today),
            Command::Await { day_chosen } => await_activation(state, day_chosen),
            Command::Activate { on, billing_day } => activate(state, on, billing_day),
            Command::TakeOver {
                subscription,
                since,
            } => {
                running(state, since)?;
                Ok(vec![
                    TakenOver {
                        subscription,
                        since,
                    }
                    .into(),
                ])
            }
            Command::AgreeTenure { from, terms } => tenure::agree(state, from, terms),
            Command::CarryTenure { tenure, ends } => tenure::carry(state, &tenure, ends),
            Command::Tend { today } => {
                started(state)?;
                Ok(tenure::tend(state, today))
            }
        }
    }

    fn evolve(state: &mut Subscription, event: &Event) {
        super::evolve::evolve(state, event);
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
    if same {
        return Ok(vec![]);
    }
    let current = current.clone();
    let laid = planned::with_later(state, &current, term)?;
    Ok(laid
        .into_iter()
        .map(|term| Changed { term }.into())
        .collect())
}

fn lay(state: &Subscription, terms: Vec<Term>) -> Result<Vec<Event>, Rejection> {
    let mut events = Vec::new();
    for term in terms {
        running(state, term.from)?;
        check_quantity(&term)?;
        events.push(Changed { term }.into());
    }
    Ok(events)
}

fn await_activation(state: &Subscription, day_chosen: bool) -> Result<Vec<Event>, Rejection> {
    started(state)?;
    Ok(match state.awaits {
        true => vec![],
        false => vec![ActivationAwaited { day_chosen }.into()],
    })
}

fn activate(state: &Subscription, on: Date, billing_day: u32) -> Result<Vec<Event>, Rejection> {
    started(state)?;
    if let Some(end) = &state.end {
        return Err(ending::ended(end, on));
    }
    if !state.awaits {
        return Err(Rejection::new(
            "SUBSCRIPTION_ACTIVE",
            format!("the subscription is handed out already, asked to activate it on {on}"),
        ));
    }
    check_day(billing_day)?;
    let mut events = vec![Activated { on, billing_day }.into()];
    let tenure = state
        .tenure
        .as_ref()
        .map(|t| tenure::Tenure::new(on, t.terms));
    events.extend(tenure.and_then(|t| t.planned_end()).map(Into::into));
    Ok(events)
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
    started(state)?;
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

pub(super) fn unknown() -> Rejection {
    Rejection::new("SUBSCRIPTION_UNKNOWN", "this subscription never started")
}

fn started(state: &Subscription) -> Result<(), Rejection> {
    match state.terms.is_empty() {
        true => Err(unknown()),
        false => Ok(()),
    }
}

/// Refuses what a subscription cannot do before it is handed out.
pub(super) fn handed_out(state: &Subscription) -> Result<(), Rejection> {
    match (state.awaits, &state.end) {
        (true, None) => Err(Rejection::new(
            "SUBSCRIPTION_AWAITS_ACTIVATION",
            "the subscription is sold and not handed out yet: activate or cancel it",
        )),
        _ => Ok(()),
    }
}

/// The term in force on `date`, or why there is none.
pub fn running(state: &Subscription, date: Date) -> Result<&Term, Rejection> {
    let Some(start) = state.start() else {
        return Err(unknown());
    };
    handed_out(state)?;
    let over = |e: &&Ending| e.on <= date || e.kind == EndKind::Cancelled;
    if let Some(end) = state.end.as_ref().filter(over) {
        return Err(ending::ended(end, date));
    }
    let start = state.since.unwrap_or(start);
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
    check_day(term.billing_day)
}

fn check_day(billing_day: u32) -> Result<(), Rejection> {
    if !(1..=31).contains(&billing_day) {
        return Err(Rejection::new(
            "BILLING_DAY_INVALID",
            format!("billing day {billing_day} is not between 1 and 31"),
        ));
    }
    Ok(())
}
