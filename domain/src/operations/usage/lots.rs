//! Counters while a batch is rated on them: nothing is decided until the whole batch is.
//!
//! A period of a counter is opened when the first record reaches it; opened with it are the earlier ones of which
//! something may be left. A refused record leaves nothing: neither what it drew nor what it opened.

mod anew;
mod moving;
mod opening;

use crate::catalog::CounterRule;
use crate::counters::{Command, Counter, Crossed, Granted, Rolled, Taken};
use crate::entitlements::Left;
use crate::kernel::{Date, Exact, Id, Rejection, Span, Text};
use crate::mediation::UsageRecord;
use crate::rating::Place;
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::usage::Way;
use crate::usage::draws::Lot;
use std::collections::{BTreeMap, HashMap};

/// One period of a counter at work.
struct Open {
    id: Id,
    state: Counter,
    /// It was opened by this batch.
    granted: Option<Granted>,
    rolled: Vec<Rolled>,
    /// By meter, in the order of their names.
    taken: BTreeMap<Id, Exact>,
    /// By records of later periods.
    later: Exact,
    crossed: Vec<Crossed>,
    /// A record that was not refused may draw on it.
    reached: bool,
}

/// What brings an open period back to what it was.
enum Undo {
    Opened(usize),
    Rolled(usize, Option<Exact>),
    Moved {
        at: usize,
        used: Exact,
        later_all: Exact,
        later: Exact,
        crossed: usize,
        meter: Id,
        taken: Option<Exact>,
    },
}

/// Who draws, and when.
#[derive(Clone, Copy)]
pub(super) struct Drawer<'a> {
    pub meter: &'a str,
    pub on: Date,
}

pub(super) struct Lots<'s, 'w> {
    session: &'s Session<'w>,
    open: Vec<Open>,
    /// Places in `open`; none: nobody brings anything to that period.
    places: HashMap<Id, Option<usize>>,
    journal: Vec<Undo>,
}

impl<'s, 'w> Lots<'s, 'w> {
    pub fn new(session: &'s Session<'w>) -> Lots<'s, 'w> {
        Lots {
            session,
            open: Vec::new(),
            places: HashMap::new(),
            journal: Vec::new(),
        }
    }

    /// A point to return to when what follows is refused.
    pub fn mark(&self) -> usize {
        self.journal.len()
    }

    pub fn restore(&mut self, mark: usize) {
        while self.journal.len() > mark {
            match self.journal.pop() {
                Some(Undo::Opened(_)) => {
                    if let Some(open) = self.open.pop() {
                        self.places.remove(&open.id);
                    }
                }
                Some(Undo::Rolled(at, later_max)) => {
                    if let Some(open) = self.open.get_mut(at) {
                        open.state.later_max = later_max;
                        open.rolled.pop();
                    }
                }
                Some(Undo::Moved {
                    at,
                    used,
                    later_all,
                    later,
                    crossed,
                    meter,
                    taken,
                }) => {
                    let Some(open) = self.open.get_mut(at) else {
                        continue;
                    };
                    (open.state.used, open.state.later, open.later) = (used, later_all, later);
                    open.crossed.truncate(crossed);
                    match taken {
                        Some(taken) => open.taken.insert(meter, taken),
                        None => open.taken.remove(&meter),
                    };
                }
                None => return,
            }
        }
    }

    /// A record was rated: what it opened and drew stays.
    pub fn settle(&mut self) {
        for undo in self.journal.drain(..) {
            if let Undo::Opened(at) = undo
                && let Some(open) = self.open.get_mut(at)
            {
                open.reached = true;
            }
        }
    }

    /// The counters that a record may draw on, opened; none where there are none.
    pub fn way(
        &mut self,
        (id, sub): (&str, &Subscription),
        place: &Place<'_>,
        record: &UsageRecord,
    ) -> Result<Option<Way>, Rejection> {
        if !place.term.offer.has_counters() {
            return Ok(None);
        }
        let mut way = Way::default();
        for rule in place.term.offer.counters_of(place.charge) {
            if !rule.takes(&record.attributes) {
                continue;
            }
            let lots = self.lots(rule, (id, sub), place.on)?;
            let side = match rule.unit {
                Some(_) => &mut way.units,
                None => &mut way.money,
            };
            let new = lots
                .into_iter()
                .filter(|lot| side.iter().all(|known| known.counter != lot.counter));
            let new: Vec<Lot> = new.collect();
            side.extend(new);
        }
        let none = way.units.is_empty() && way.money.is_empty();
        Ok((!none).then_some(way))
    }
    /// A lot as it is told to people; none if it is not open.
    pub fn told(&mut self, lot: &Lot) -> Result<Option<Left>, Rejection> {
        let left = self.left(lot)?;
        let at = self.at(lot)?;
        let open = self.open.get(at);
        let Some((state, terms)) = open.and_then(|o| Some((&o.state, o.state.terms.as_ref()?)))
        else {
            return Ok(None);
        };
        let rule = &terms.rule;
        let resets = match rule.reset.every() {
            None => None,
            Some(every) if lot.later => {
                let lives = rule.rollover.as_ref().map_or(0, |r| r.periods);
                let more = Span {
                    months: every.months.saturating_mul(lives),
                    days: every.days.saturating_mul(lives),
                };
                Some(more.after(terms.days.until))
            }
            Some(_) => Some(terms.days.until),
        };
        Ok(Some(Left {
            counter: Some(rule.code.clone()),
            name: rule.shown().to_string(),
            owner: terms.owner,
            of: terms.of.clone(),
            unit: rule.unit.clone(),
            currency: terms.currency,
            size: state.size,
            used: state.used,
            left,
            carried: lot.later,
            resets,
        }))
    }

    pub fn rule(&self, lot: &Lot) -> Option<&CounterRule> {
        let at = (*self.places.get(&lot.counter)?)?;
        self.open.get(at)?.state.rule()
    }

    /// What a unit costs that a lot covers.
    pub fn price(&self, lot: &Lot) -> Option<Exact> {
        self.rule(lot)?.price.map(Exact::from)
    }
    fn at(&mut self, lot: &Lot) -> Result<usize, Rejection> {
        if let Some(Some(at)) = self.places.get(&lot.counter) {
            return Ok(*at);
        }
        let known = self.session.get::<Counter>(&lot.counter)?.clone();
        Ok(self.put(lot.counter.clone(), known, None))
    }
    /// What the counters are to be told.
    pub fn finish(self, batch: &Text, source: &Text) -> Vec<(Id, Command)> {
        let mut out = Vec::new();
        for open in self.open {
            let Open {
                id,
                granted,
                rolled,
                taken,
                later,
                crossed,
                reached,
                ..
            } = open;
            let taken: Vec<Taken> = taken
                .into_iter()
                .filter(|(_, amount)| !amount.is_zero())
                .map(|(meter, amount)| Taken { meter, amount })
                .collect();
            if let Some(granted) = granted {
                if !reached && taken.is_empty() {
                    continue;
                }
                out.push((id.clone(), Command::Grant(Box::new(granted))));
            }
            out.extend(rolled.into_iter().map(|r| (id.clone(), Command::Roll(r))));
            if !taken.is_empty() || !crossed.is_empty() || !later.is_zero() {
                let (batch, source) = (batch.clone(), source.clone());
                let draw = Command::Draw {
                    batch,
                    source,
                    taken,
                    later,
                    crossed,
                };
                out.push((id, draw));
            }
        }
        out
    }
}
