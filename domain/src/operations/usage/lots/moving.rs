//! Moves what goes over counters, and what none of them covers.

use super::{Drawer, Lots, Undo};
use crate::catalog::Beyond;
use crate::counters::{Crossed, reached};
use crate::kernel::{Exact, Rejection};
use crate::usage::draws::{Lot, Sum};

impl Lots<'_, '_> {
    /// What may still be drawn.
    pub(super) fn left(&mut self, lot: &Lot) -> Result<Exact, Rejection> {
        let at = self.at(lot)?;
        let Some(open) = self.open.get(at) else {
            return Ok(Exact::ZERO);
        };
        match lot.later {
            true => open.state.left_later(),
            false => open.state.left(),
        }
    }

    /// Everything that may be drawn on some lots.
    pub fn all_left(&mut self, lots: &[Lot]) -> Result<Exact, Rejection> {
        let mut sum = Exact::ZERO;
        for lot in lots {
            sum = sum.plus(self.left(lot)?)?;
        }
        Ok(sum)
    }
    /// Moves what went over some lots by `delta`; the answer is by how much that moves what none of them covers. `sum` is
    /// what went over them before, and after.
    pub fn move_by(
        &mut self,
        lots: &[Lot],
        sum: &mut Sum,
        delta: Exact,
        drawer: Drawer<'_>,
    ) -> Result<Exact, Rejection> {
        sum.parts.resize(lots.len(), Exact::ZERO);
        let mut beyond = sum.used.minus(sum.covered()?)?;
        let before = beyond;
        sum.used = sum.used.plus(delta)?;
        let mut rest = delta;
        if delta.is_negative() {
            // What was beyond comes back first, then the last counter.
            let back = rest.negated().min(beyond.max(Exact::ZERO));
            (beyond, rest) = (beyond.minus(back)?, rest.plus(back)?);
            for (lot, part) in lots.iter().zip(sum.parts.iter_mut()).rev() {
                let back = rest.negated().min(*part);
                if back > Exact::ZERO {
                    self.take(lot, back.negated(), drawer)?;
                    (*part, rest) = (part.minus(back)?, rest.plus(back)?);
                }
            }
        } else {
            // What was given back beyond everything is filled first.
            let filled = rest.min(beyond.min(Exact::ZERO).negated());
            (beyond, rest) = (beyond.plus(filled)?, rest.minus(filled)?);
            for (lot, part) in lots.iter().zip(sum.parts.iter_mut()) {
                if rest.is_zero() {
                    break;
                }
                let taken = rest.min(self.left(lot)?);
                if taken > Exact::ZERO {
                    self.take(lot, taken, drawer)?;
                    (*part, rest) = (part.plus(taken)?, rest.minus(taken)?);
                }
            }
            self.refused(lots, rest)?;
        }
        beyond.plus(rest)?.minus(before)
    }

    /// A counter with nothing behind it refuses what it cannot cover.
    fn refused(&self, lots: &[Lot], rest: Exact) -> Result<(), Rejection> {
        if rest.is_zero() {
            return Ok(());
        }
        let mut rules = lots.iter().filter_map(|lot| self.rule(lot));
        match rules.find(|rule| rule.beyond == Beyond::Refuse) {
            None => Ok(()),
            Some(rule) => Err(Rejection::new(
                "COUNTER_EXHAUSTED",
                format!(
                    "{} is used up: {} {} are beyond it",
                    rule.shown(),
                    rest.to_decimal(12),
                    rule.unit.as_deref().unwrap_or("of money")
                ),
            )),
        }
    }

    pub(super) fn take(
        &mut self,
        lot: &Lot,
        amount: Exact,
        drawer: Drawer<'_>,
    ) -> Result<(), Rejection> {
        let at = self.at(lot)?;
        let Some(open) = self.open.get_mut(at) else {
            return Ok(());
        };
        let state = &mut open.state;
        let used = state.used.plus(amount)?;
        let before = (state.size, state.used);
        let crossed = match state.rule() {
            Some(rule) if amount > Exact::ZERO && !rule.thresholds.is_empty() => {
                reached(rule, before, (state.size, used))?
            }
            _ => vec![],
        };
        let known = open.taken.get(drawer.meter).copied();
        self.journal.push(Undo::Moved {
            at,
            used: state.used,
            later_all: state.later,
            later: open.later,
            crossed: open.crossed.len(),
            meter: drawer.meter.to_string(),
            taken: known,
        });
        if lot.later {
            state.later = state.later.plus(amount)?;
            open.later = open.later.plus(amount)?;
        }
        state.used = used;
        let all = known.unwrap_or(Exact::ZERO).plus(amount)?;
        open.taken.insert(drawer.meter.to_string(), all);
        let size = state.size;
        open.crossed
            .extend(crossed.into_iter().map(|(threshold, level)| Crossed {
                threshold,
                level,
                used,
                size,
                on: drawer.on,
                meter: Some(drawer.meter.to_string()),
            }));
        Ok(())
    }
}
