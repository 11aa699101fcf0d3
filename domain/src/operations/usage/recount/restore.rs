//! Puts meters back to what they were before a rerating, by new facts.

use super::count::{Drew, Paid, drawn, remembered, reversed};
use super::paid::purse;
use super::{SOURCE, drawing_batch, first_day, settled, sold, stage, supersede};
use crate::catalog::Pay;
use crate::counters::Counter;
use crate::kernel::{Id, Rejection, Text};
use crate::mediation::{Key, is_of};
use crate::operations::usage::lots::{Drawer, Lots};
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::usage::{
    self, Drawing, Draws, Meter, Metered, Payer, RatedRecord, Recount, Recounted, Remembered,
    Standing, Worth, standing,
};
use crate::wallets::{Purse, Target};
use std::collections::{BTreeMap, BTreeSet};

/// What a rerating did to meters: its name, and the batch it added, as a whole or by halves.
#[derive(Clone, Copy)]
pub(crate) struct Own<'a> {
    pub by: &'a str,
    pub batch: Option<&'a str>,
}

impl Own<'_> {
    /// Whether a fact of a meter is the rerating's.
    pub fn has(&self, event: &usage::Event) -> bool {
        let added = |batch: &Text| self.batch.is_some_and(|own| is_of(batch, own));
        match event {
            usage::Event::Recounted(e) => e.rerating == *self.by,
            usage::Event::Rated(e) => added(&e.provenance.batch),
            usage::Event::Corrected(e) => added(&e.batch),
            usage::Event::Drawn(e) => added(&e.batch) || *e.batch == *drawing_batch(self.by),
            usage::Event::Remembered(_) => false,
        }
    }
}

/// A meter that is put back.
struct Back {
    id: Id,
    old: Metered,
    was: Vec<Standing>,
    now: Vec<Standing>,
    /// What its records drew.
    drawings: Vec<Drawing>,
}

/// Puts meters of a subscription back to what they were before a rerating first touched them, by new facts.
///
/// Errors: RERATING_BUILT_UPON when something else happened to one of them since, or others used what one of them drew.
pub(crate) fn restore(
    session: &mut Session<'_>,
    own: Own<'_>,
    subscription: &str,
    meters: &BTreeSet<Id>,
) -> Result<(), Rejection> {
    let by = own.by;
    let mut told: BTreeMap<Text, (BTreeSet<Key>, BTreeSet<Key>)> = BTreeMap::new();
    let all = meters.iter().map(|id| before(session, own, id));
    let all = all.collect::<Result<Vec<Back>, _>>()?;
    let counters = draw_back(session, own, &all)?;
    for back in all {
        let Some((command, purse)) = put_back(session, own, &back)? else {
            continue;
        };
        let Back { id, was, now, .. } = back;
        for (from, to) in [(&was, &now), (&now, &was)] {
            // Of a record that moved, one meter says that it left and another that it came: that cancels out below.
            let same =
                |a: &Standing, b: &Standing| (a.record.key, &a.batch) == (b.record.key, &b.batch);
            let gone = from.iter().filter(|s| !to.iter().any(|t| same(s, t)));
            for standing in gone {
                let (left, came) = told.entry(standing.batch.clone()).or_default();
                let list = if std::ptr::eq(from, &now) { left } else { came };
                list.insert(standing.record.key);
            }
        }
        stage(session, by, &id, command, purse)?;
    }
    for (id, command) in counters {
        session.decide::<Counter>(&id, command)?;
    }
    for (batch, (left, came)) in told {
        let void = left.difference(&came).copied().collect();
        let back = came.difference(&left).copied().collect();
        supersede(session, by, &batch, void, back)?;
    }
    settled(session, by, subscription, meters)
}

/// What counters are to be told: all that the meters draw now goes back, and what they drew is drawn again.
fn draw_back(
    session: &Session<'_>,
    own: Own<'_>,
    all: &[Back],
) -> Result<Vec<(Id, crate::counters::Command)>, Rejection> {
    let mut lots = Lots::new(session);
    for Back { id, .. } in all {
        let current = session.find::<Metered>(id);
        if let Some(draws) = current.and_then(|e| e.state.draws.as_ref()) {
            let on = first_day(id)?;
            lots.give_back(draws, Drawer { meter: id, on })?;
        }
    }
    for Back { id, old, .. } in all {
        if let Some(draws) = &old.draws {
            let on = first_day(id)?;
            let drawn = lots.draw_again(draws, Drawer { meter: id, on });
            drawn.map_err(|e| built_upon(&e.message))?;
        }
    }
    lots.cross_once()?;
    let batch: Text = drawing_batch(own.by).as_str().into();
    Ok(lots.finish(&batch, &SOURCE.into()))
}

fn built_upon(why: &str) -> Rejection {
    Rejection::new("RERATING_BUILT_UPON", why)
}

/// A meter as it was before a rerating, if all that followed is its own.
fn before(session: &Session<'_>, own: Own<'_>, id: &str) -> Result<Back, Rejection> {
    let facts = session.past().meter(id)?;
    let first = facts.iter().position(|e| own.has(e)).unwrap_or(facts.len());
    let (before, since) = facts.split_at(first);
    let other = |e: &usage::Event| !own.has(e) && !matches!(e, usage::Event::Remembered(_));
    if since.iter().any(other) {
        return Err(built_upon(&format!(
            "meter {id} was counted further after rerating {}",
            own.by
        )));
    }
    let mut old = Metered::default();
    for event in before {
        <Metered as crate::kernel::Decider>::evolve(&mut old, event);
    }
    let drawings = Drew::of(before).into_iter().filter_map(|(key, drew)| {
        Some(Drawing {
            key,
            way: Some(drew.way?),
            moved: drew.moved.into_iter().collect(),
            covered: drew.covered,
        })
    });
    Ok(Back {
        id: id.to_string(),
        old,
        was: standing(before),
        now: standing(&facts),
        drawings: drawings.collect(),
    })
}

fn put_back(
    session: &Session<'_>,
    own: Own<'_>,
    back: &Back,
) -> Result<Option<(usage::Command, Option<Purse>)>, Rejection> {
    let Back {
        id, old, was, now, ..
    } = back;
    let find = |list: &[Standing], key: &Key| {
        list.iter()
            .find(|s| s.record.key == *key)
            .map(|s| s.record.clone())
    };
    let mut changes = Vec::new();
    let change =
        |standing: &Standing, was: Option<&RatedRecord>, now: Option<RatedRecord>| Recount {
            key: standing.record.key,
            batch: standing.batch.clone(),
            source: standing.source.clone(),
            was: was.map(reversed),
            // What a rerating added counts nowhere when it is taken back.
            void: now.is_none() && own.batch.is_some_and(|batch| is_of(&standing.batch, batch)),
            now: now.map(|record| RatedRecord {
                payer: Payer::Invoice,
                ..record
            }),
        };
    for standing in now {
        match find(was, &standing.record.key) {
            Some(record) if record == standing.record => {}
            record => changes.push(change(standing, Some(&standing.record), record)),
        }
    }
    for standing in was {
        if find(now, &standing.record.key).is_none() {
            changes.push(change(standing, None, Some(standing.record.clone())));
        }
    }
    let none = Metered::default();
    let current = session.find::<Metered>(id).map_or(&none, |e| &e.state);
    let undrawn = Draws::default();
    let draws = old.draws.as_deref().unwrap_or(&undrawn);
    let drawn = drawn(session, own.by, id, current, (back.drawings.clone(), draws))?;
    if changes.is_empty() && current.meter == old.meter && drawn.is_none() {
        return Ok(None);
    }
    let sub = id.split('/').next().unwrap_or_default();
    let sub = session.get::<Subscription>(sub)?;
    let difference = old.meter.burnt.minus(current.meter.burnt)?;
    let on = old.meter.period.or(current.meter.period);
    let code = id.split('/').nth(1).unwrap_or_default();
    let charge = sold(std::slice::from_ref(sub), code).ok();
    let paid = Paid {
        pay: Pay::Invoice,
        on: on.map(|days| days.from).unwrap_or_default(),
        target: None,
        tax_class: charge.map_or("standard", |c| &c.tax_class).to_string(),
    };
    let (mut parts, mut used) = (vec![], None);
    if !difference.is_zero() {
        let mut purse = purse(session, &sub.account, id, &paid)?;
        let target = Target {
            offer: None,
            charge: code,
            metric: charge.map(|c| c.metric.as_str()),
        };
        parts = match difference.is_negative() {
            true => purse.give_back(difference.negated(), &current.paid, paid.on)?,
            false => purse.draw(difference, paid.on, &target)?,
        };
        used = Some(purse);
    }
    let memory = old.memory.clone().unwrap_or_default();
    let moves = memory.groups.iter().flat_map(|(slot, group)| {
        let moves = group.moves.iter();
        moves.map(move |moved| (slot.clone(), moved.clone()))
    });
    let worth: Vec<(usage::Slot, Worth)> = memory
        .groups
        .iter()
        .map(|(slot, group)| (slot.clone(), group.worth))
        .collect();
    let fresh = (!worth.is_empty()).then(|| Remembered {
        gone: vec![],
        moves: moves.collect(),
        worth,
    });
    let basis = was.first().or(now.first()).map(|s| s.basis.clone());
    let counted = Recounted {
        rerating: own.by.into(),
        basis: basis.unwrap_or_default(),
        changes,
        parts,
        // Of a period that was never rated before: everybody who looks at it must still know which one it is.
        meter: Meter {
            period: old.meter.period.or(current.meter.period),
            ..old.meter.clone()
        },
    };
    let command = usage::Command::Recount {
        counted,
        remembered: remembered(current, fresh),
        drawn,
    };
    Ok(Some((command, used)))
}
