use super::{
    Added, AutomaticSet, Blocked, Changed, Event, Expired, Expiring, METHODS_MAX, MandateTerm,
    MandateTermSet, Means, Method, Methods, NOTICE_DAYS, Ordered, Refusal, Removed,
};
use crate::kernel::{Date, Decider, Id, Rejection, calendar::add_days};

/// What can be asked of the methods of an account. Days are business days in its zone.
#[derive(Clone, Debug)]
pub enum Command {
    Add {
        method: Id,
        means: Means,
        preferred: bool,
        on: Date,
    },
    /// Another card or mandate of the same kind under the same id.
    Change {
        method: Id,
        means: Means,
        on: Date,
    },
    /// Every method, once, in the order in which they are to be tried.
    Order {
        order: Vec<Id>,
        on: Date,
    },
    Remove {
        method: Id,
        reason: String,
        on: Date,
    },
    /// A provider refused it for good; repeated it says nothing.
    Block {
        method: Id,
        code: String,
        on: Date,
    },
    /// Tells of cards that will expire or have expired by a day.
    Notice {
        on: Date,
    },
    SetAutomatic {
        automatic: Option<bool>,
        on: Date,
    },
    /// How many collections a mandate is for.
    SetMandateTerm {
        method: Id,
        term: MandateTerm,
        on: Date,
    },
    /// Removes everything by which a provider or bank knows the payer.
    Forget {
        on: Date,
    },
}

impl Decider for Methods {
    type State = Methods;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Methods, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Add {
                method,
                means,
                preferred,
                on,
            } => {
                means.check()?;
                may_add(state, &method, &means, on)?;
                let added = Added {
                    method,
                    means,
                    preferred,
                    on,
                };
                Ok(vec![added.into()])
            }
            Command::Change { method, means, on } => change(state, method, means, on),
            Command::Order { order, on } => reorder(state, order, on),
            Command::Remove { method, reason, on } => {
                known(state, &method)?;
                Ok(vec![Removed { method, reason, on }.into()])
            }
            Command::Block { method, code, on } => Ok(match state.method(&method) {
                Some(found) if found.blocked.is_none() => {
                    vec![Blocked { method, code, on }.into()]
                }
                _ => vec![],
            }),
            Command::Notice { on } => Ok(notices(state, on)),
            Command::SetAutomatic { automatic, .. } if automatic == state.automatic => Ok(vec![]),
            Command::SetAutomatic { automatic, on } => {
                Ok(vec![AutomaticSet { automatic, on }.into()])
            }
            Command::SetMandateTerm { method, term, on } => {
                let found = known(state, &method)?;
                if !matches!(found.means, Means::DirectDebit(_)) {
                    return Err(Rejection::new(
                        "METHOD_INVALID",
                        format!("payment method {method} has no mandate"),
                    ));
                }
                let same = found.term == term;
                let event = MandateTermSet { method, term, on };
                Ok((!same).then(|| event.into()).into_iter().collect())
            }
            Command::Forget { on } => {
                let known = |m: &Means| m.gateway().is_some() || m.bank().is_some();
                let named = |m: &&Method| known(&m.means);
                let removed = state.methods.iter().filter(named).map(|m| {
                    let reason = "forgotten".to_string();
                    let method = m.id.clone();
                    Removed { method, reason, on }.into()
                });
                Ok(removed.collect())
            }
        }
    }

    fn evolve(state: &mut Methods, event: &Event) {
        match event {
            Event::Added(e) => {
                let at = if e.preferred { 0 } else { state.methods.len() };
                state.methods.insert(at, fresh(&e.method, &e.means));
            }
            Event::Changed(e) => {
                if let Some(method) = state.found(&e.method) {
                    *method = changed(method, &e.means);
                }
            }
            Event::Ordered(e) => {
                let place = |m: &Method| e.order.iter().position(|id| *id == m.id);
                state.methods.sort_by_key(place);
            }
            Event::Removed(e) => state.methods.retain(|m| m.id != e.method),
            Event::Blocked(e) => {
                if let Some(method) = state.found(&e.method) {
                    method.blocked = Some(Refusal {
                        code: e.code.clone(),
                        on: e.on,
                    });
                }
            }
            Event::Expiring(e) => {
                if let Some(method) = state.found(&e.method) {
                    method.noticed = true;
                }
            }
            Event::Expired(e) => {
                if let Some(method) = state.found(&e.method) {
                    method.noticed = true;
                    method.expired = true;
                }
            }
            Event::AutomaticSet(e) => state.automatic = e.automatic,
            Event::MandateTermSet(e) => {
                if let Some(method) = state.found(&e.method) {
                    method.term = e.term;
                }
            }
        }
    }
}

impl Methods {
    fn found(&mut self, id: &str) -> Option<&mut Method> {
        self.methods.iter_mut().find(|m| m.id == id)
    }
}

fn fresh(id: &str, means: &Means) -> Method {
    Method {
        id: id.to_string(),
        means: means.clone(),
        blocked: None,
        noticed: false,
        expired: false,
        term: MandateTerm::default(),
        former: Vec::new(),
    }
}

/// A mandate of the same signature is the same mandate, whatever its reference is now: a bank is told what it was before.
fn changed(before: &Method, means: &Means) -> Method {
    let mut method = fresh(&before.id, means);
    if let (Means::DirectDebit(was), Means::DirectDebit(is)) = (&before.means, means)
        && (was.reference == is.reference || was.signed == is.signed)
    {
        method.term = before.term;
        method.former = before.former.clone();
        if was.reference != is.reference {
            method.former.retain(|of| *of != is.reference);
            method.former.push(was.reference.clone());
        }
    }
    method
}

fn known<'a>(state: &'a Methods, id: &str) -> Result<&'a Method, Rejection> {
    state.method(id).ok_or_else(|| {
        Rejection::new(
            "METHOD_UNKNOWN",
            format!("the account has no payment method {id:?}"),
        )
    })
}

fn may_add(state: &Methods, method: &str, means: &Means, on: Date) -> Result<(), Rejection> {
    if state.method(method).is_some() {
        return Err(Rejection::new(
            "METHOD_EXISTS",
            format!("the account already has a payment method {method:?}"),
        ));
    }
    if state.methods.len() >= METHODS_MAX {
        return Err(Rejection::new(
            "METHODS_TOO_MANY",
            format!("an account has at most {METHODS_MAX} payment methods: remove one first"),
        ));
    }
    still_good(means, on)
}

fn still_good(means: &Means, on: Date) -> Result<(), Rejection> {
    match means.expires() {
        Some(month) if month.last_day() < on => Err(Rejection::new(
            "CARD_EXPIRED",
            format!(
                "the card was good through {}, today is {on}",
                month.last_day()
            ),
        )),
        _ => Ok(()),
    }
}

fn change(state: &Methods, method: Id, means: Means, on: Date) -> Result<Vec<Event>, Rejection> {
    let before = known(state, &method)?;
    means.check()?;
    if before.means.kind() != means.kind() {
        return Err(Rejection::new(
            "METHOD_FIXED",
            format!(
                "payment method {method} is a {}, asked to make it a {}: add another one instead",
                before.means.kind().name(),
                means.kind().name()
            ),
        ));
    }
    still_good(&means, on)?;
    if before.means == means && before.blocked.is_none() {
        return Ok(vec![]);
    }
    Ok(vec![Changed { method, means, on }.into()])
}

fn reorder(state: &Methods, order: Vec<Id>, on: Date) -> Result<Vec<Event>, Rejection> {
    let mut asked: Vec<&Id> = order.iter().collect();
    let mut there: Vec<&Id> = state.methods.iter().map(|m| &m.id).collect();
    if asked == there {
        return Ok(vec![]);
    }
    asked.sort();
    there.sort();
    if asked != there {
        return Err(Rejection::new(
            "METHODS_INCOMPLETE",
            format!(
                "an order names each of the account's {} payment methods once, this one has {} names",
                there.len(),
                asked.len()
            ),
        ));
    }
    Ok(vec![Ordered { order, on }.into()])
}

/// A tick that comes late tells of both at once, each once.
fn notices(state: &Methods, on: Date) -> Vec<Event> {
    let mut events = Vec::new();
    for method in &state.methods {
        let Some(expires) = method.means.expires() else {
            continue;
        };
        let last = expires.last_day();
        let id = || method.id.clone();
        if !method.noticed && add_days(last, -NOTICE_DAYS) <= on {
            let method = id();
            events.push(
                Expiring {
                    method,
                    expires,
                    on,
                }
                .into(),
            );
        }
        if !method.expired && last < on {
            events.push(Expired { method: id(), on }.into());
        }
    }
    events
}
