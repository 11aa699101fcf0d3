//! Rerating: asks, rates subscription after subscription again, settles payer after payer, and takes all of it back.
//!
//! A dry run is the same code in a session that is dropped.

mod owed;
mod scope;
mod settle;
mod terms;
mod undo;
pub mod what_if;

use super::account_terms;
use super::usage::recount::{Counted, Edit, Recounting, Said, Which, recount};
use crate::command::Outcome;
use crate::kernel::{Date, Id, Rejection, check_id};
use crate::mediation::{Batch, IN_PARTS, Intake, is_of};
use crate::reratings::{
    Amend, Ask, Change, Command, Done, Failed, PartAdded, Rerated, Rerating, Stage, in_parts,
};
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::usage::Standing;
use std::collections::{BTreeMap, BTreeSet};

pub(super) use settle::as_billed;

/// Records after which a step ends: a commit that everybody else waits for stays short.
const STEP_RECORDS: u64 = 5_000;

/// Subscriptions after which a step ends.
const STEP_SUBSCRIPTIONS: usize = 100;

/// Asks for a rerating, or for the rest of one that was asked for before. `add`: past records, which are rated in the same
/// commit.
pub(super) fn ask(
    session: &mut Session<'_>,
    rerating: &str,
    mut ask: Ask,
    add: Option<Intake>,
) -> Result<Outcome, Rejection> {
    check_id("rerating", rerating)?;
    if let Some(intake) = &add {
        ask.change = Change::Add {
            batch: intake.batch.clone(),
        };
    }
    ask.check()?;
    let known = session.find::<Rerating>(rerating).is_some();
    if known {
        session.decide::<Rerating>(
            rerating,
            Command::Ask {
                ask,
                subscriptions: vec![],
            },
        )?;
        // It goes on in the same halves.
        if let (true, Some(intake)) = (session.get::<Rerating>(rerating)?.adding, &add) {
            return Err(Rejection::new(
                IN_PARTS,
                format!("batch {} was received in parts", intake.batch),
            ));
        }
        return Ok(outcome(session, rerating));
    }
    terms::check(session, &ask)?;
    let usage = match (&ask.change, add) {
        (Change::Add { .. }, Some(intake)) => Some(super::usage::ingest(session, intake)?),
        (Change::Add { .. }, None) => {
            return Err(Rejection::new(
                "RECORDS_UNNAMED",
                "the rerating adds records, and there are none",
            ));
        }
        _ => None,
    };
    let added = scope::touched(session);
    let subscriptions = match usage.is_some() {
        true => added.keys().cloned().collect(),
        false => scope::subscriptions(session, &ask)?,
    };
    session.decide::<Rerating>(rerating, Command::Ask { ask, subscriptions })?;
    // What was added is rated already: its difference is told in the commit in which it was.
    if usage.is_some() {
        for (subscription, meters) in added {
            let counted = Counted { records: 0, meters };
            note_done(session, rerating, &subscription, counted, None)?;
        }
    }
    Ok(Outcome {
        usage: usage.and_then(|u| u.usage),
        ..outcome(session, rerating)
    })
}

/// Takes in one half of what a rerating adds, or a half of a half, where the whole leads to more facts than a commit takes: all
/// that follows from it is told in its commit, and nothing is settled before the last is there (`more`: others follow).
///
/// Sent again, a half that is there changes nothing.
pub(super) fn add_part(
    session: &mut Session<'_>,
    rerating: &str,
    ask: Ask,
    part: Intake,
    more: bool,
) -> Result<Outcome, Rejection> {
    check_id("rerating", rerating)?;
    ask.check()?;
    let batch = part.batch.clone();
    let of_it = matches!(&ask.change, Change::Add { batch: whole } if *whole != batch && is_of(&batch, whole));
    if !of_it {
        return Err(Rejection::new(
            "RECORDS_UNNAMED",
            format!("batch {batch} is no part of what the rerating adds"),
        ));
    }
    let known = session.find::<Rerating>(rerating).map(|e| e.state.adding);
    if known.is_none() {
        terms::check(session, &ask)?;
    }
    let subscriptions = vec![];
    session.decide::<Rerating>(rerating, Command::Ask { ask, subscriptions })?;
    // It is there as a whole.
    if known == Some(false) {
        return Ok(outcome(session, rerating));
    }
    let fresh = session.find::<Batch>(&batch).is_none();
    if known.is_none() && !fresh {
        return Err(Rejection::new(
            "BATCH_EXISTS",
            format!("batch {batch} was received by itself: name what the rerating adds otherwise"),
        ));
    }
    let usage = super::usage::ingest(session, part)?;
    let added = scope::touched(session);
    if fresh || !more {
        let part = PartAdded { batch, more };
        session.decide::<Rerating>(rerating, Command::Add(part))?;
    }
    for (subscription, meters) in added {
        let counted = Counted { records: 0, meters };
        note_done(session, rerating, &subscription, counted, None)?;
    }
    Ok(Outcome {
        usage: usage.usage,
        ..outcome(session, rerating)
    })
}

fn outcome(session: &Session<'_>, rerating: &str) -> Outcome {
    let left = session
        .find::<Rerating>(rerating)
        .map_or(0, |e| e.state.left());
    Outcome {
        left,
        ..Outcome::of("rerating", rerating)
    }
}

/// One commit's worth of what is left to do.
pub(super) fn step(session: &mut Session<'_>, rerating: &str) -> Result<Outcome, Rejection> {
    let state = session.get::<Rerating>(rerating)?.clone();
    let undo = state.stage == Stage::Undoing;
    if state.left() == 0 {
        return Ok(outcome(session, rerating));
    }
    if state.adding {
        return Err(in_parts());
    }
    if !state.pending.is_empty() {
        match undo {
            true => undo::next(session, rerating, &state)?,
            false => next(session, rerating, &state)?,
        }
    } else if let Some(payer) = state.payers.first().cloned() {
        let documents = settle::settle(session, rerating, &state, &payer, undo)?;
        session.decide::<Rerating>(rerating, Command::Settle { payer, documents })?;
    } else {
        session.decide::<Rerating>(rerating, Command::Complete)?;
    }
    Ok(outcome(session, rerating))
}

/// Rates the next subscriptions again.
fn next(session: &mut Session<'_>, rerating: &str, state: &Rerating) -> Result<(), Rejection> {
    let Some(ask) = state.ask.as_deref() else {
        return Ok(());
    };
    let edits = Edits::of(ask);
    let mut passed: Vec<Id> = Vec::new();
    let (mut records, mut looked_at) = (0, 0);
    for subscription in state.pending.iter().take(STEP_SUBSCRIPTIONS) {
        let done = session.attempt(|s| {
            let terms = terms::lay(s, subscription, ask, rerating)?;
            let days = scope::days(s, subscription, ask)?;
            let counted = recount(
                s,
                &Recounting {
                    by: rerating,
                    subscription,
                    which: Which::Met {
                        days,
                        charges: &ask.charges,
                    },
                    contracts: &[],
                    edit: &|standing, on| edits.edit(ask, standing, on),
                    back: vec![],
                },
            )?;
            let count = counted.records;
            let moved = terms.is_some() || !counted.meters.is_empty();
            if moved {
                note_done(s, rerating, subscription, counted, terms)?;
            }
            Ok((count, moved))
        });
        match done {
            Ok((count, true)) => looked_at += count,
            Ok((count, false)) => {
                (looked_at, records) = (looked_at + count, records + count);
                passed.push(subscription.clone());
            }
            // The log could not be read: that is no answer about the subscription.
            Err(reason) if reason.code.starts_with("PAST_") => return Err(reason),
            Err(reason) => {
                let failed = Failed {
                    subscription: subscription.clone(),
                    reason,
                };
                session.decide::<Rerating>(rerating, Command::Refuse(failed))?;
            }
        }
        if looked_at >= STEP_RECORDS {
            break;
        }
    }
    session.decide::<Rerating>(
        rerating,
        Command::Passed {
            subscriptions: passed,
            records,
        },
    )?;
    Ok(())
}

/// Notes what a subscription came to, line by line.
fn note_done(
    session: &mut Session<'_>,
    rerating: &str,
    subscription: &str,
    counted: Counted,
    terms: Option<terms::Laid>,
) -> Result<(), Rejection> {
    let days = scope::whole(session, &counted.meters, rerating)?;
    let before = owed::before(session, subscription, days)?;
    let after = owed::now(session, subscription, days)?;
    let differences = owed::differences(session, subscription, &before, &after, &counted.meters)?;
    let account = session.get::<Subscription>(subscription)?.account.clone();
    let payer = account_terms(session, &account)?
        .payer(&account)
        .to_string();
    let done = Done {
        subscription: subscription.to_string(),
        payer,
        meters: counted.meters,
        terms,
    };
    let rerated = Rerated {
        done,
        records: counted.records,
        differences,
    };
    session.decide::<Rerating>(rerating, Command::Rerated(Box::new(rerated)))?;
    Ok(())
}

/// Notes that a subscription came back to what it was.
fn note_restored(session: &mut Session<'_>, rerating: &str, done: &Done) -> Result<(), Rejection> {
    let id = &done.subscription;
    let days = scope::whole(session, &done.meters, rerating)?;
    let before = owed::before(session, id, days)?;
    let after = owed::now(session, id, days)?;
    let differences = owed::differences(session, id, &before, &after, &done.meters)?;
    let restored = Command::Restored {
        subscription: id.clone(),
        differences,
    };
    session.decide::<Rerating>(rerating, restored)?;
    Ok(())
}

/// What becomes of each record, found by key.
struct Edits<'a> {
    void: BTreeSet<crate::mediation::Key>,
    amend: BTreeMap<crate::mediation::Key, &'a Amend>,
}

impl<'a> Edits<'a> {
    fn of(ask: &'a Ask) -> Edits<'a> {
        let (mut void, mut amend) = (BTreeSet::new(), BTreeMap::new());
        match &ask.change {
            Change::Void(which) => void.extend(which.keys.iter().copied()),
            Change::Correct(amends) => amend.extend(amends.iter().map(|a| (a.key, a))),
            _ => {}
        }
        Edits { void, amend }
    }

    fn edit(&self, ask: &Ask, standing: &Standing, on: Date) -> Edit {
        let record = &standing.record;
        if let Change::Void(which) = &ask.change {
            let named = match which.keys.is_empty() {
                false => self.void.contains(&record.key),
                true => {
                    let says = |(name, value): (&String, &String)| {
                        record.attributes.get(name) == Some(value)
                    };
                    ask.days().contains(on) && which.attributes.iter().all(says)
                }
            };
            return if named { Edit::Void } else { Edit::Keep };
        }
        let Some(amend) = self.amend.get(&record.key) else {
            return Edit::Keep;
        };
        let was = Said::of(record);
        Edit::Amend(Box::new(Said {
            quantity: amend.quantity.unwrap_or(was.quantity),
            amount: amend.amount.or(was.amount),
            attributes: amend.attributes.clone().unwrap_or(was.attributes),
        }))
    }
}

/// Begins to take everything back that a rerating did.
pub(super) fn undo(
    session: &mut Session<'_>,
    rerating: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    session.get::<Rerating>(rerating)?;
    session.decide::<Rerating>(rerating, Command::Undo { reason })?;
    Ok(outcome(session, rerating))
}
