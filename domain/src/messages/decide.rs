//! What may be asked of a message, and what its facts make of it.

use super::{
    ABOUT_MAX, Ask, Asked, AskedAgain, Attempt, Bounce, Bounced, Channel, Event, Failed, Message,
    REASON_LENGTH_MAX, Report, STATUS_LENGTH_MAX, Sent, Stage, Suppressed, Then, VALUE_LENGTH_MAX,
    VALUES_MAX, Withdrawn, next_attempt,
};
use crate::accounts::check_language;
use crate::command::FailureKind;
use crate::kernel::{Decider, Id, Instant, Rejection, check_id};

/// What is asked of a message.
#[derive(Clone, Debug)]
pub enum Command {
    /// The same again changes nothing; anything else under the id of a message is refused.
    Ask(Box<Ask>),
    /// What came of an attempt, counted from 1. A second report of one attempt changes nothing.
    Report {
        attempt: u32,
        at: Instant,
        report: Report,
    },
    /// Sends it again, whatever became of it. `channel` none: as before.
    Resend {
        channel: Option<Channel>,
        at: Instant,
    },
    /// Takes it back while it waits or after it failed.
    Withdraw { reason: String, at: Instant },
    /// What was sent under a reference came back. The same again changes nothing.
    Bounce { bounce: Bounce, at: Instant },
}

impl Decider for Message {
    type State = Message;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Message, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Ask(ask) => decide_ask(state, *ask),
            _ if state.stage == Stage::Absent => Err(Rejection::new(
                "MESSAGE_UNKNOWN",
                "this message was never asked for",
            )),
            Command::Report {
                attempt,
                at,
                report,
            } => Ok(reported(state, attempt, at, report)),
            Command::Resend { channel, at }
                if state.stage == Stage::Waiting
                    && state.due <= at
                    && (channel.is_none() || channel == state.ask.channel) =>
            {
                Ok(vec![])
            }
            Command::Resend { channel, at } => Ok(vec![
                AskedAgain {
                    account: account(state),
                    channel,
                    at,
                }
                .into(),
            ]),
            Command::Withdraw { reason, at } => withdraw(state, reason, at),
            Command::Bounce { bounce, at } => bounced(state, bounce, at),
        }
    }

    fn evolve(state: &mut Message, event: &Event) {
        match event {
            Event::Asked(e) => {
                state.ask = e.ask.clone();
                state.stage = Stage::Waiting;
            }
            Event::Sent(e) => {
                state.stage = Stage::Sent;
                tried(
                    state,
                    e.at,
                    Report::Sent {
                        channel: e.channel,
                        language: e.language.clone(),
                        reference: e.reference.clone(),
                    },
                );
            }
            Event::Failed(e) => {
                match e.next {
                    // A late failure of what was withdrawn meanwhile does not bring it back.
                    Some(next) if state.stage == Stage::Waiting => state.due = next,
                    None if state.stage == Stage::Waiting => state.stage = Stage::Failed,
                    _ => {}
                }
                tried(
                    state,
                    e.at,
                    Report::Failed {
                        channel: e.channel,
                        kind: e.kind,
                        reason: e.reason.clone(),
                    },
                );
            }
            Event::Suppressed(e) => {
                state.stage = Stage::Suppressed;
                tried(
                    state,
                    e.at,
                    Report::Suppressed {
                        channel: e.channel,
                        why: e.why,
                    },
                );
            }
            Event::AskedAgain(e) => {
                state.stage = Stage::Waiting;
                state.due = e.at;
                state.before = u32::try_from(state.attempts.len()).unwrap_or(u32::MAX);
                state.ask.channel = e.channel.or(state.ask.channel);
            }
            Event::Withdrawn(_) => state.stage = Stage::Withdrawn,
            Event::Bounced(e) => {
                match e.then {
                    Then::Again => {
                        state.stage = Stage::Waiting;
                        state.due = e.at;
                        state.before = u32::try_from(state.attempts.len()).unwrap_or(u32::MAX);
                    }
                    Then::Stuck => state.stage = Stage::Failed,
                    Then::Nothing => {}
                }
                state.bounces.push(e.bounce.clone());
            }
        }
    }
}

/// Only what was sent by e-mail can come back; while it is the last thing that was done, something follows from it.
fn bounced(state: &Message, bounce: Bounce, at: Instant) -> Result<Vec<Event>, Rejection> {
    let formed = (1..=STATUS_LENGTH_MAX).contains(&bounce.status.len())
        && bounce
            .status
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'.');
    if !formed {
        return Err(Rejection::new(
            "BOUNCE_INVALID",
            format!("{:?} is not a status such as 5.1.1", bounce.status),
        ));
    }
    let of_it = |attempt: &Attempt| {
        matches!(&attempt.report, Report::Sent { channel: Channel::Email, reference, .. }
            if !reference.is_empty() && *reference == bounce.reference)
    };
    if !state.attempts.iter().any(of_it) {
        return Err(Rejection::new(
            "BOUNCE_UNKNOWN",
            "no e-mail of this message was sent under the reference of the bounce",
        ));
    }
    if state
        .bounces
        .iter()
        .any(|b| b.reference == bounce.reference)
    {
        return Ok(vec![]);
    }
    let last = state.stage == Stage::Sent && state.attempts.last().is_some_and(of_it);
    // Where e-mail was asked for by name there is no other way, unless there is another address by now.
    let no_other_way = state.ask.channel == Some(Channel::Email) && bounce.contact.is_some();
    let then = match last {
        false => Then::Nothing,
        true if no_other_way => Then::Stuck,
        true => Then::Again,
    };
    Ok(vec![
        Bounced {
            account: account(state),
            bounce,
            then,
            at,
        }
        .into(),
    ])
}

fn tried(state: &mut Message, at: Instant, report: Report) {
    state.attempts.push(Attempt { at, report });
}

fn account(state: &Message) -> Id {
    state.ask.account.clone()
}

fn decide_ask(state: &Message, ask: Ask) -> Result<Vec<Event>, Rejection> {
    if state.stage != Stage::Absent {
        return match state.ask == ask {
            true => Ok(vec![]),
            false => Err(Rejection::new(
                "MESSAGE_EXISTS",
                format!(
                    "there is another message of this id, {} to account {}",
                    state.ask.template, state.ask.account
                ),
            )),
        };
    }
    check_id("template", &ask.template)?;
    if let Some(tag) = &ask.language {
        check_language(tag)?;
    }
    let too_long = |what: String| Err(Rejection::new("MESSAGE_TOO_LONG", what));
    if ask.about.len() > ABOUT_MAX {
        return too_long(format!(
            "a message is about at most {ABOUT_MAX} invoices, not {}",
            ask.about.len()
        ));
    }
    if ask.values.len() > VALUES_MAX {
        return too_long(format!(
            "a message has at most {VALUES_MAX} values, not {}",
            ask.values.len()
        ));
    }
    let long = |(name, value): &(&String, &String)| name.len().max(value.len()) > VALUE_LENGTH_MAX;
    if let Some((name, value)) = ask.values.iter().find(long) {
        return too_long(format!(
            "a value of a message has at most {VALUE_LENGTH_MAX} bytes, one has {}",
            name.len().max(value.len())
        ));
    }
    Ok(vec![Asked { ask }.into()])
}

fn reported(state: &Message, attempt: u32, at: Instant, report: Report) -> Vec<Event> {
    if attempt != state.next_attempt() {
        return vec![];
    }
    let account = account(state);
    let event = match report {
        Report::Sent {
            channel,
            language,
            reference,
        } => Sent {
            account,
            channel,
            language,
            reference,
            at,
        }
        .into(),
        Report::Failed {
            channel,
            kind,
            reason,
        } => Failed {
            account,
            channel,
            kind,
            reason: cut(reason),
            at,
            next: match kind {
                FailureKind::Soft => next_attempt(attempt.saturating_sub(state.before), at),
                FailureKind::Hard => None,
            },
        }
        .into(),
        Report::Suppressed { channel, why } => Suppressed {
            account,
            channel,
            why,
            at,
        }
        .into(),
    };
    vec![event]
}

fn withdraw(state: &Message, reason: String, at: Instant) -> Result<Vec<Event>, Rejection> {
    match state.stage {
        Stage::Withdrawn => Ok(vec![]),
        Stage::Sent => Err(Rejection::new(
            "MESSAGE_SENT",
            "this message was sent and cannot be withdrawn",
        )),
        _ => Ok(vec![
            Withdrawn {
                account: account(state),
                reason: cut(reason),
                at,
            }
            .into(),
        ]),
    }
}

/// The reason within its length, cut between characters.
fn cut(mut reason: String) -> String {
    if reason.len() > REASON_LENGTH_MAX {
        reason.truncate(reason.floor_char_boundary(REASON_LENGTH_MAX));
    }
    reason
}
