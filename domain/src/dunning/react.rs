//! What payments, credit, voids and write-offs mean for an account's dunning.

use super::{Case, Command};
use crate::kernel::{Id, Rejection};
use crate::operations::account_terms;
use crate::receivables::{Event as Receivable, Receivables};
use crate::session::{Session, Staged};
use crate::subscriptions::{self, Subscription};
use crate::world::Event;

/// Why a suspended subscription is paused.
pub const REASON: &str = "dunning";

/// Clears the case as soon as nothing overdue is left, and takes note of debts that come back.
pub fn react(session: &mut Session<'_>, fact: &Staged) -> Result<(), Rejection> {
    let Event::Receivable(event) = &fact.event else {
        return Ok(());
    };
    let account = fact.id.as_str();
    let today = session.today(&account_terms(session, account)?.zone);
    let overdue = session
        .get::<Receivables>(account)?
        .overdue(today)
        .next()
        .is_some();
    let case = session
        .find::<Case>(account)
        .map(|e| e.state.clone())
        .unwrap_or_default();
    let back = matches!(
        event,
        Receivable::PaymentUnapplied(_)
            | Receivable::CreditReturned(_)
            | Receivable::WriteOffReversed(_)
    );
    match &case.open {
        Some(episode) if !overdue => {
            let resumed = resume(session, &episode.suspended, today)?;
            session.decide::<Case>(account, Command::Clear { on: today, resumed })?;
        }
        None if overdue && back => {
            session.decide::<Case>(account, Command::Reopen { on: today })?;
        }
        _ => {}
    }
    Ok(())
}

/// Ends the pauses that dunning began; answers with the subscriptions that had one.
fn resume(
    session: &mut Session<'_>,
    suspended: &[Id],
    on: crate::kernel::Date,
) -> Result<Vec<Id>, Rejection> {
    let mut resumed = Vec::new();
    for id in suspended {
        let paused = session
            .get::<Subscription>(id)?
            .pauses
            .iter()
            .any(|p| p.reason == REASON && p.until.is_none());
        if paused {
            session.decide::<Subscription>(
                id,
                subscriptions::Command::Resume {
                    reason: REASON.to_string(),
                    on,
                },
            )?;
            resumed.push(id.clone());
        }
    }
    Ok(resumed)
}
