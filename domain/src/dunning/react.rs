//! What payments, credit, voids and write-offs mean for an account's dunning.

use crate::kernel::Rejection;
use crate::operations::dunning::{catch_up, follow};
use crate::receivables::{Event as Receivable, Receivables};
use crate::session::{Session, Staged};
use crate::world::Event;

/// Follows every change of what an account owes: first what its time had come for before the change is done, then the case
/// is cleared, given up or stepped back, or takes note of debts that come back.
pub fn react(session: &mut Session<'_>, fact: &Staged) -> Result<(), Rejection> {
    let Event::Receivable(event) = &fact.event else {
        return Ok(());
    };
    let account = fact.id.as_str();
    let before = session.before::<Receivables>(account);
    let first = fact.version == before.map_or(0, |e| e.version) + 1;
    if first && let Some(before) = before {
        catch_up(session, account, &before.state)?;
    }
    let lost = match event {
        Receivable::WrittenOff(e) => Some((&e.invoice, e.amount)),
        _ => None,
    };
    follow(session, account, lost)
}
