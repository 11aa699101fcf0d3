//! Messages: asked for by hand, reported by whoever sends them, sent again, withdrawn.

use super::account_terms;
use crate::command::Outcome;
use crate::kernel::{Rejection, check_id};
use crate::messages::{Ask, Bounce, Channel, Command, Message, Report};
use crate::session::Session;

pub(super) fn ask(
    session: &mut Session<'_>,
    message: &str,
    ask: Ask,
) -> Result<Outcome, Rejection> {
    check_id("message", message)?;
    account_terms(session, &ask.account)?;
    decide(session, message, Command::Ask(Box::new(ask)))
}

pub(super) fn report(
    session: &mut Session<'_>,
    message: &str,
    attempt: u32,
    report: Report,
) -> Result<Outcome, Rejection> {
    let at = session.now();
    let command = Command::Report {
        attempt,
        at,
        report,
    };
    decide(session, message, command)
}

pub(super) fn resend(
    session: &mut Session<'_>,
    message: &str,
    channel: Option<Channel>,
) -> Result<Outcome, Rejection> {
    let at = session.now();
    decide(session, message, Command::Resend { channel, at })
}

pub(super) fn withdraw(
    session: &mut Session<'_>,
    message: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    let at = session.now();
    decide(session, message, Command::Withdraw { reason, at })
}

pub(super) fn bounce(
    session: &mut Session<'_>,
    message: &str,
    bounce: Bounce,
) -> Result<Outcome, Rejection> {
    let at = session.now();
    decide(session, message, Command::Bounce { bounce, at })
}

fn decide(
    session: &mut Session<'_>,
    message: &str,
    command: Command,
) -> Result<Outcome, Rejection> {
    session.decide::<Message>(message, command)?;
    Ok(Outcome::of("message", message))
}
