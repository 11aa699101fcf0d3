//! Takes back what a rerating did to a subscription, by new facts: the terms it had, the amounts its meters had.
//!
//! Where something else happened to a meter since, the amounts of before mean nothing any more: then what was changed is
//! changed back and the meter is counted anew.

use super::{note_restored, terms};
use crate::kernel::Rejection;
use crate::mediation::{Key, is_of};
use crate::operations::usage::recount::{Edit, Own, Recounting, Said, Which, recount, restore};
use crate::reratings::{Change, Command, Done, Failed, Rerating};
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::usage::{self, Standing, standing};
use std::collections::BTreeMap;

/// Records that count nowhere, each with the charge it was priced by.
type Gone = Vec<(String, Standing)>;

/// Subscriptions of one step.
const STEP: usize = 20;

pub(super) fn next(
    session: &mut Session<'_>,
    rerating: &str,
    state: &Rerating,
) -> Result<(), Rejection> {
    for subscription in state.pending.iter().take(STEP) {
        let Some(done) = state.done.iter().find(|d| d.subscription == *subscription) else {
            continue;
        };
        let undone = session.attempt(|s| {
            back(s, rerating, state, done)?;
            note_restored(s, rerating, done)
        });
        match undone {
            Ok(()) => {}
            Err(reason) if reason.code.starts_with("PAST_") => return Err(reason),
            Err(reason) => {
                let failed = Failed {
                    subscription: subscription.clone(),
                    reason,
                };
                session.decide::<Rerating>(rerating, Command::Refuse(failed))?;
            }
        }
    }
    Ok(())
}

fn back(
    session: &mut Session<'_>,
    rerating: &str,
    state: &Rerating,
    done: &Done,
) -> Result<(), Rejection> {
    let id = &done.subscription;
    if let Some((before, after)) = &done.terms {
        let now = session.get::<Subscription>(id)?.terms.clone();
        if now != *after {
            return Err(Rejection::new(
                "RERATING_BUILT_UPON",
                format!(
                    "the terms of subscription {id} changed since rerating {rerating}: undoing it would drop that"
                ),
            ));
        }
        terms::put(session, id, &now, before)?;
    }
    let change = state.ask.as_deref().map(|a| &a.change);
    let own = Own {
        by: rerating,
        batch: match change {
            Some(Change::Add { batch }) => Some(batch),
            _ => None,
        },
    };
    let restored = session.attempt(|s| restore(s, own, id, &done.meters));
    match (restored, change) {
        (Err(e), Some(change)) if e.code == "RERATING_BUILT_UPON" => {
            if *change == Change::Again {
                return Err(e);
            }
            if let Some(batch) = own.batch {
                let edit = |standing: &Standing, _| match is_of(&standing.batch, batch) {
                    true => Edit::Void,
                    false => Edit::Keep,
                };
                return count(session, rerating, done, &edit, vec![]);
            }
            let (said, void) = said_before(session, rerating, done)?;
            let edit = |standing: &Standing, _| match said.get(&standing.record.key) {
                Some(said) => Edit::Amend(Box::new(said.clone())),
                None => Edit::Keep,
            };
            count(session, rerating, done, &edit, void)
        }
        (done, _) => done,
    }
}

/// Counts the meters of a rerating anew.
fn count(
    session: &mut Session<'_>,
    rerating: &str,
    done: &Done,
    edit: &dyn Fn(&Standing, crate::kernel::Date) -> Edit,
    back: Vec<(String, Standing)>,
) -> Result<(), Rejection> {
    let days = super::scope::whole(session, &done.meters, rerating)?;
    recount(
        session,
        &Recounting {
            by: rerating,
            subscription: &done.subscription,
            which: Which::Met { days, charges: &[] },
            contracts: &[],
            edit,
            back,
        },
    )
    .map(|_| ())
}

/// What records said before a rerating changed them, and those it took out, with the charge each was priced by.
fn said_before(
    session: &Session<'_>,
    rerating: &str,
    done: &Done,
) -> Result<(BTreeMap<Key, Said>, Gone), Rejection> {
    let (mut said, mut void) = (BTreeMap::new(), Vec::new());
    for meter in &done.meters {
        let facts = session.past().meter(meter)?;
        let own =
            |e: &usage::Event| matches!(e, usage::Event::Recounted(r) if r.rerating == *rerating);
        let first = facts.iter().position(own).unwrap_or(facts.len());
        let was = standing(facts.iter().take(first));
        let changes = facts.iter().filter(|e| own(e)).flat_map(|e| match e {
            usage::Event::Recounted(e) => e.changes.as_slice(),
            _ => &[],
        });
        for change in changes {
            let Some(old) = was.iter().find(|s| s.record.key == change.key) else {
                continue;
            };
            if change.void {
                let charge = meter.split('/').nth(1).unwrap_or_default();
                void.push((charge.to_string(), old.clone()));
            } else if change
                .now
                .as_ref()
                .is_none_or(|now| Said::of(now) != Said::of(&old.record))
            {
                said.insert(change.key, Said::of(&old.record));
            }
        }
    }
    Ok((said, void))
}
