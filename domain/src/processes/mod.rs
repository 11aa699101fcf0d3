//! Facts in, decisions out: what follows from what happened, within the same commit.
//!
//! Every process is a pure function of one staged fact and the session. They run until nothing new follows
//! (docs/decisions/0003-one-command-one-commit.md). Timers are `agenda`.

pub mod agenda;

use crate::kernel::Rejection;
use crate::session::{Session, Staged};
use crate::world::Event;

/// More consequences than any command has; a loop between processes is a broken invariant.
const STEPS_MAX: usize = 100_000;

/// Lets every process react to every fact staged so far, and to what that adds.
pub fn settle(session: &mut Session<'_>) -> Result<(), Rejection> {
    let mut next = 0;
    while let Some(fact) = session.events().get(next) {
        assert!(next < STEPS_MAX, "processes keep reacting to each other");
        if has_followers(&fact.event) {
            let fact = fact.clone();
            react(session, &fact)?;
        }
        next += 1;
    }
    Ok(())
}

/// Facts of usage are large and nothing follows from them here: what they cost is billed by their period's meter, and
/// what they burnt is a fact of the wallet. Others only keep count of what another fact of their commit says. They are not
/// copied for processes that would look away.
fn has_followers(event: &Event) -> bool {
    !matches!(
        event,
        Event::Usage(_)
            | Event::Batch(_)
            | Event::Charge(_)
            | Event::Discount(_)
            | Event::Redemption(_)
            | Event::Series(_)
            | Event::Journal(_)
            | Event::Run(_)
    )
}

/// One line per process.
fn react(session: &mut Session<'_>, fact: &Staged) -> Result<(), Rejection> {
    // Before usage that waited is rated: a member brings its share first.
    crate::operations::counters::react(session, fact)?;
    crate::operations::counters::tell(session, fact)?;
    crate::operations::usage::react(session, fact)?;
    crate::receivables::react(session, fact)?;
    // After the receivable: what is open of an invoice decides what a wallet can pay.
    crate::operations::wallets::react(session, fact)?;
    crate::operations::advances::react(session, fact)?;
    crate::journal::react(session, fact)?;
    crate::dunning::react(session, fact)?;
    crate::collections::react(session, fact)?;
    crate::methods::react(session, fact)?;
    Ok(())
}
