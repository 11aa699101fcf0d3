//! Rates the past again, step after step, and remembers what differed. What is only tried is decided on a copy.

use indelible_domain::command::Outcome;
use indelible_domain::kernel::{Instant, Rejection};
use indelible_domain::past::Memory;
use indelible_domain::reratings::{Amend, Change, Difference, Event as Fact, Rerating, Which};
use indelible_domain::world::{Noun, Tenant};
use indelible_domain::{Command, Event, Session, operations};
use indelible_store::ledger::TenantPast;
use std::collections::BTreeMap;

use super::super::ast::Rerate;
use super::draw::Row;
use super::steps::hash;
use super::story::Story;

/// A copy of the books on which steps are tried.
pub(super) struct Copy {
    pub tenant: Tenant,
    pub past: TenantPast,
}

impl Story {
    /// Asks for a rerating and takes its steps; the answer of one that is only tried is all that stays.
    pub(super) fn rerate(&mut self, asked: &Rerate) -> Result<(), Rejection> {
        let mut ask = asked.ask.clone();
        if !asked.void.is_empty() {
            ask.change = Change::Void(Which {
                keys: asked.void.iter().map(|key| hash(key)).collect(),
                attributes: BTreeMap::new(),
            });
        }
        if !asked.correct.is_empty() {
            let amend = |(key, quantity): &(String, rust_decimal::Decimal)| Amend {
                key: hash(key),
                quantity: Some(indelible_domain::kernel::Decimal::new(*quantity)),
                amount: None,
                attributes: None,
            };
            ask.change = Change::Correct(asked.correct.iter().map(amend).collect());
        }
        let add = match &asked.add {
            Some(usage) => Some(Box::new(self.intake(usage)?)),
            None => None,
        };
        if let Some(intake) = &add {
            ask.change = Change::Add {
                batch: intake.batch.clone(),
            };
        }
        let command = Command::Rerate {
            rerating: asked.rerating.clone(),
            ask: Box::new(ask),
            add,
        };
        self.all_steps(&asked.rerating, command, asked.dry)
    }

    pub(super) fn undo_rerating(&mut self, rerating: &str) -> Result<(), Rejection> {
        let command = Command::UndoRerating {
            rerating: rerating.to_owned(),
            reason: "scenario".to_owned(),
        };
        self.all_steps(rerating, command, false)
    }

    fn all_steps(&mut self, rerating: &str, command: Command, dry: bool) -> Result<(), Rejection> {
        let told = tried(self.books.copy(), self.now(), rerating, command.clone())?;
        self.rerated.insert(rerating.to_owned(), told);
        if !dry {
            let mut left = self.execute(command)?.left;
            while left > 0 {
                left = self.execute(step(rerating))?.left;
            }
        }
        Ok(())
    }

    /// What differed of charges, against what is expected.
    pub(super) fn rerated_rows(
        &self,
        rerating: &str,
        expected: &[super::super::ast::Differs],
    ) -> Result<Vec<Row>, Rejection> {
        let Some(told) = self.rerated.get(rerating) else {
            return Err(Rejection::new(
                "RERATING_UNKNOWN",
                format!("nothing was rated again as {rerating:?}"),
            ));
        };
        let mut wanted: Vec<String> = expected
            .iter()
            .map(|d| format!("{} {} {} -> {}", d.charge, d.from, d.before, d.after))
            .collect();
        let mut found: Vec<String> = told
            .iter()
            .map(|d| {
                let (from, before, after) = (d.days.from, d.before.amount(), d.after.amount());
                format!("{} {from} {before} -> {after}", d.charge)
            })
            .collect();
        wanted.sort();
        found.sort();
        let shown = |list: Vec<String>| match list.is_empty() {
            true => "nothing".to_owned(),
            false => list.join(", "),
        };
        let what = format!("what rerating {rerating} changes");
        Ok(vec![Row::new(what, shown(wanted), shown(found))])
    }
}

fn step(rerating: &str) -> Command {
    Command::StepRerating {
        rerating: rerating.to_owned(),
    }
}

/// What would differ, all steps taken. A subscription that cannot be rated again refuses the whole of it.
fn tried(
    copy: Copy,
    now: Instant,
    rerating: &str,
    first: Command,
) -> Result<Vec<Difference>, Rejection> {
    let Copy { mut tenant, past } = copy;
    let (mut memory, mut told) = (Memory::beyond(), Vec::new());
    let mut next = Some(first);
    while let Some(command) = next.take() {
        let over = memory.over(&past);
        let mut session = Session::new(&tenant, now).with(&over);
        let Outcome { left, .. } = operations::execute(&mut session, command)?;
        let (tables, staged) = session.finish();
        tenant.absorb(tables, &staged);
        memory.absorb(&staged);
        for staged in staged {
            match staged.event {
                Event::Rerating(Fact::Rerated(e)) => told.extend(e.differences),
                Event::Rerating(Fact::Restored(e)) => told.extend(e.differences),
                _ => {}
            }
        }
        next = (left > 0).then(|| step(rerating));
    }
    let state = Rerating::table(&tenant.tables).get(rerating);
    match state.and_then(|e| e.state.failed.first().cloned()) {
        Some(failed) => Err(failed.reason),
        None => Ok(told),
    }
}
