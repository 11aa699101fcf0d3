//! Usage: takes in batches, and rates what waited once its subscription starts.

mod desk;
pub(crate) mod follow;
mod lots;
mod open;
mod quick;
pub(crate) mod recount;
mod working;

use crate::command::{Outcome, UsageCounts};
use crate::kernel::{Rejection, check_id};
use crate::mediation::{Batch, IN_PARTS, Intake, half};
use crate::session::{Session, Staged};
use crate::subscriptions;
use crate::world::Event;
pub(super) use desk::Desk;
pub(super) use follow::rezone;
use std::collections::BTreeSet;

/// Judges every line of a batch and rates what can be rated: one commit. The same batch sent again answers with what
/// became of it so far.
pub(super) fn ingest(session: &mut Session<'_>, intake: Intake) -> Result<Outcome, Rejection> {
    check_id("batch", &intake.batch)?;
    intake.check()?;
    let digest = intake.digest();
    if let Some(known) = session.find::<Batch>(&intake.batch) {
        if known.state.digest == digest {
            return Ok(outcome(&intake.batch, known.state.counts));
        }
        return Err(Rejection::new(
            "BATCH_EXISTS",
            format!(
                "batch {} was already received with other content",
                intake.batch
            ),
        ));
    }
    // Its records would be duplicates of those of its parts.
    if session.find::<Batch>(&half(&intake.batch, 1)).is_some() {
        return Err(Rejection::new(
            IN_PARTS,
            format!("batch {} was received in parts", intake.batch),
        ));
    }
    let Intake {
        batch,
        source,
        format,
        name,
        lines,
    } = intake;
    let mut desk = Desk::new(session, &batch, &source).with_berths();
    desk.take_all(lines)?;
    let counts = desk.counts;
    let accounts = desk.accounts();
    let plan = desk.receive(format, name, digest)?;
    plan.stage(session)?;
    for account in accounts {
        super::wallets::watch(session, &account)?;
    }
    Ok(outcome(&batch, counts))
}

fn outcome(batch: &str, counts: UsageCounts) -> Outcome {
    Outcome {
        usage: Some(counts),
        ..Outcome::of("batch", batch)
    }
}

/// Rates the records that waited for a subscription that starts.
pub(crate) fn react(session: &mut Session<'_>, fact: &Staged) -> Result<(), Rejection> {
    let Event::Subscription(subscriptions::Event::Started(started)) = &fact.event else {
        return Ok(());
    };
    let direct = format!("subscription:{}", fact.id);
    let accesses: BTreeSet<&String> = started.access.iter().chain([&direct]).collect();
    let index = session.index();
    let batches: BTreeSet<_> = accesses
        .iter()
        .filter_map(|a| index.waiting.get(*a))
        .flatten()
        .collect();
    for batch in batches {
        let Some(state) = session.find::<Batch>(batch).map(|e| &e.state) else {
            continue;
        };
        let held: Vec<_> = state
            .pending
            .iter()
            .filter(|h| accesses.contains(&h.record.access))
            .map(|h| h.record.clone())
            .collect();
        let mut desk = Desk::new(session, batch, &state.source);
        desk.newcomer = Some(&fact.id);
        for record in held {
            desk.release(record);
        }
        let accounts = desk.accounts();
        desk.settle()?.stage(session)?;
        for account in accounts {
            super::wallets::watch(session, &account)?;
        }
    }
    Ok(())
}
