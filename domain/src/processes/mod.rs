//! Facts in, decisions out: what follows from what happened, within the same commit.
//!
//! Every process is a pure function of one staged fact and the session. They run until nothing new follows
//! (docs/decisions/0003-one-command-one-commit.md). Timers are `agenda`.

pub mod agenda;

use crate::kernel::Rejection;
use crate::session::{Session, Staged};

/// More consequences than any command has; a loop between processes is a broken invariant.
const STEPS_MAX: usize = 100_000;

/// Lets every process react to every fact staged so far, and to what that adds.
pub fn settle(session: &mut Session<'_>) -> Result<(), Rejection> {
    let mut next = 0;
    while let Some(fact) = session.events().get(next).cloned() {
        assert!(next < STEPS_MAX, "processes keep reacting to each other");
        react(session, &fact)?;
        next += 1;
    }
    Ok(())
}

/// One line per process.
fn react(session: &mut Session<'_>, fact: &Staged) -> Result<(), Rejection> {
    crate::operations::usage::react(session, fact)?;
    crate::receivables::react(session, fact)?;
    crate::journal::react(session, fact)?;
    crate::dunning::react(session, fact)?;
    Ok(())
}
