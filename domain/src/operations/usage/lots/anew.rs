//! Counters while meters are counted anew: everything that was drawn goes back before anything is drawn again.

use super::{Drawer, Lots};
use crate::counters::{Counter, Crossed, reached};
use crate::kernel::{Exact, Rejection};
use crate::usage::draws::{Draws, Lot};

impl Lots<'_, '_> {
    /// Takes back everything that a meter drew.
    pub fn give_back(&mut self, draws: &Draws, drawer: Drawer<'_>) -> Result<(), Rejection> {
        for (lot, part) in parts(draws) {
            self.take(lot, part.negated(), drawer)?;
        }
        Ok(())
    }

    /// Draws exactly what a meter drew before.
    ///
    /// Errors: COUNTER_MOVED when others have used what it needs since.
    pub fn draw_again(&mut self, draws: &Draws, drawer: Drawer<'_>) -> Result<(), Rejection> {
        for (lot, part) in parts(draws) {
            if part > self.left(lot)? {
                return Err(Rejection::new(
                    "COUNTER_MOVED",
                    format!(
                        "meter {} drew {} on {}, which others have used since",
                        drawer.meter,
                        part.to_decimal(12),
                        lot.counter
                    ),
                ));
            }
            self.take(lot, part, drawer)?;
        }
        Ok(())
    }

    /// Tells thresholds by what moved altogether: use that went back and came again has reached nothing anew.
    pub fn cross_once(&mut self) -> Result<(), Rejection> {
        for open in &mut self.open {
            if open.crossed.is_empty() {
                continue;
            }
            let known = self.session.find::<Counter>(&open.id);
            let before = known.map_or(Exact::ZERO, |e| e.state.used);
            let Some(rule) = open.state.rule() else {
                continue;
            };
            let size = open.state.size;
            let reached = reached(rule, (size, before), (size, open.state.used))?;
            let told = reached.into_iter().filter_map(|(threshold, level)| {
                let last = open.crossed.iter().rev();
                let mut same = last.filter(|c| c.threshold == threshold);
                let used = open.state.used;
                same.next().map(|crossed| Crossed {
                    level,
                    used,
                    ..crossed.clone()
                })
            });
            open.crossed = told.collect();
        }
        Ok(())
    }
}

/// What a meter drew on each counter's period.
fn parts(draws: &Draws) -> impl Iterator<Item = (&Lot, Exact)> {
    let parts = draws.ways.iter().flat_map(|(way, sums)| {
        let units = way.units.iter().zip(sums.units.parts.iter().copied());
        units.chain(way.money.iter().zip(sums.money.parts.iter().copied()))
    });
    parts.filter(|(_, part)| !part.is_zero())
}
