use super::answer::code;
use super::{ANSWERS_KEPT, Answered, Event, Expired, Given, Kind, Request, Reservation, Stage};
use crate::kernel::{Decider, Id, Instant, Rejection};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub enum Command {
    /// What `operations::reservations` found, in the same session.
    Answer(Box<Answered>),
    /// Notes quotas that have ended by an instant.
    Expire { now: Instant },
}

impl Reservation {
    /// What was answered to this very request.
    ///
    /// Errors: REQUEST_CONFLICT when its number was used for another one; REQUEST_OUTDATED when a later one was answered.
    pub fn known(&self, request: &Request) -> Result<Option<&Given>, Rejection> {
        let (session, number) = (&request.session, request.number);
        match (self.answered.get(&number), self.last) {
            (Some(given), _) if request.is(&given.digest) => Ok(Some(given)),
            (Some(_), _) => Err(Rejection::new(
                "REQUEST_CONFLICT",
                format!(
                    "request {number} of session {session} was answered before, and asked something else"
                ),
            )),
            (None, Some(last)) if number <= last => Err(Rejection::new(
                "REQUEST_OUTDATED",
                format!("session {session} has answered request {last}, {number} comes too late"),
            )),
            _ => Ok(None),
        }
    }

    /// Whether a request of this kind can follow.
    ///
    /// Errors: SESSION_EXISTS, SESSION_UNKNOWN, SESSION_ENDED.
    pub fn admits(&self, request: &Request) -> Result<(), Rejection> {
        let session = &request.session;
        let refuse =
            |code: &str, what: &str| Err(Rejection::new(code, format!("session {session} {what}")));
        match (request.kind, self.stage) {
            (Kind::Initial, Stage::Refused) => Ok(()),
            (Kind::Event(_), Stage::Refused | Stage::Events) => Ok(()),
            (Kind::Initial | Kind::Event(_), _) => refuse("SESSION_EXISTS", "is there already"),
            (_, Stage::Open | Stage::Expired) => Ok(()),
            (_, Stage::Confirmed | Stage::Cancelled) => refuse("SESSION_ENDED", "has ended"),
            (_, Stage::Refused | Stage::Events) => refuse(
                "SESSION_UNKNOWN",
                "was never begun by a request that was granted",
            ),
        }
    }
}

impl Decider for Reservation {
    type State = Reservation;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Reservation, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Answer(answered) => match state.last {
                Some(last) if answered.number <= last => Err(Rejection::new(
                    "REQUEST_OUTDATED",
                    format!(
                        "request {last} was answered, {} comes too late",
                        answered.number
                    ),
                )),
                _ => Ok(vec![(*answered).into()]),
            },
            Command::Expire { now } => {
                let mut ended: BTreeMap<Instant, Vec<Id>> = BTreeMap::new();
                for (service, quota) in state.quotas.iter().filter(|(_, q)| q.until <= now) {
                    ended.entry(quota.until).or_default().push(service.clone());
                }
                let expired = |(at, services)| Expired { services, at }.into();
                Ok(ended.into_iter().map(expired).collect())
            }
        }
    }

    fn evolve(state: &mut Reservation, event: &Event) {
        match event {
            Event::Answered(e) => {
                if e.kind == Kind::Terminate {
                    state.quotas.clear();
                }
                for served in &e.answer.services {
                    match &served.quota {
                        Some(quota) => state.quotas.insert(served.service.clone(), quota.clone()),
                        None => state.quotas.remove(&served.service),
                    };
                    state.used |= served.debited.is_some();
                }
                state.stage = match e.kind {
                    Kind::Event(_) => Stage::Events,
                    Kind::Initial if e.answer.result != code::SUCCESS => Stage::Refused,
                    Kind::Terminate if state.used => Stage::Confirmed,
                    Kind::Terminate => Stage::Cancelled,
                    Kind::Initial | Kind::Update => Stage::Open,
                };
                if state.account.is_none() {
                    state.account.clone_from(&e.account);
                    state.subscription.clone_from(&e.subscription);
                }
                let (digest, answer) = (e.digest, e.answer.clone());
                state.answered.insert(e.number, Given { digest, answer });
                while state.answered.len() > ANSWERS_KEPT {
                    state.answered.pop_first();
                }
                state.last = Some(e.number);
            }
            Event::Expired(e) => {
                state
                    .quotas
                    .retain(|service, _| !e.services.contains(service));
                if state.quotas.is_empty() && state.stage == Stage::Open {
                    state.stage = Stage::Expired;
                }
            }
        }
    }
}
