//! Counters while a batch is rated on them: nothing is decided until the whole batch is.
//!
//! A period of a counter is opened when the first record reaches it; opened with it are the earlier ones of which
//! something may be left. A refused record leaves nothing: neither what it drew nor what it opened.

use crate::ENGINE;
use crate::accounts::Account;
use crate::catalog::{Beyond, CounterRule, Owner, Text as Stored};
use crate::counters::{
    self, Brings, Command, Counter, Crossed, Granted, Rolled, Share, Taken, Terms, reached,
};
use crate::entitlements::Left;
use crate::kernel::{Date, Days, Exact, Id, Rejection, Span, Text, time::tzdb_version};
use crate::mediation::UsageRecord;
use crate::operations::account_terms;
use crate::rating::Place;
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::usage::Way;
use crate::usage::draws::{Lot, Sum};
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

    /// The periods of one counter that a record of a day may draw on: what is left of earlier ones first, the oldest
    /// first; its own last.
    fn lots(
        &mut self,
        rule: &CounterRule,
        (id, sub): (&str, &Subscription),
        on: Date,
    ) -> Result<Vec<Lot>, Rejection> {
        let session = self.session;
        let payer;
        let (of, terms) = match rule.owner {
            Owner::Subscription => (id, None),
            Owner::Account => (
                sub.account.as_str(),
                Some(account_terms(session, &sub.account)?),
            ),
            Owner::Customer => {
                let own = account_terms(session, &sub.account)?;
                payer = own.payer(&sub.account).to_string();
                (payer.as_str(), Some(account_terms(session, &payer)?))
            }
        };
        let brings = match &terms {
            Some(terms) => Brings::Pool(terms),
            None => Brings::Subscription(sub),
        };
        let own = counters::period(rule, brings, on);
        let mut periods = vec![own];
        let lives = rule.rollover.as_ref().map_or(0, |r| r.periods);
        for _ in 0..lives {
            let first = periods.last().map_or(own.0, |p| p.0);
            periods.extend(counters::earlier(rule, brings, first));
        }
        periods.reverse();
        let before = self.open.len();
        let mut places = Vec::with_capacity(periods.len());
        for (days, whole) in periods {
            places.push(self.open(rule, of, (days, whole), (id, sub))?);
        }
        if lives > 0 && self.open.iter().skip(before).any(|o| o.granted.is_some()) {
            self.roll(rule, &places, own.0.from)?;
        }
        let last = places.len().saturating_sub(1);
        let lots = places.into_iter().enumerate().filter_map(|(n, place)| {
            Some(Lot {
                counter: self.open.get(place?)?.id.clone(),
                later: n < last,
            })
        });
        Ok(lots.collect())
    }

    /// Opens a period; none if nobody brings anything to it.
    fn open(
        &mut self,
        rule: &CounterRule,
        of: &str,
        (days, whole): (Days, Days),
        drawing: (&str, &Subscription),
    ) -> Result<Option<usize>, Rejection> {
        let id = counters::id(rule.owner, of, &rule.code, days.from);
        if let Some(known) = self.places.get(&id) {
            return Ok(*known);
        }
        if let Some(known) = self.session.find::<Counter>(&id) {
            let state = known.state.clone();
            return Ok(Some(self.put(id, state, None)));
        }
        let brought = brought(self.session, rule, of, (days, whole), drawing)?;
        let size = counters::size(rule, brought.iter().map(|s| s.amount))?;
        if size.is_zero() {
            self.places.insert(id, None);
            return Ok(None);
        }
        let currency = match rule.unit {
            Some(_) => None,
            None => drawing.1.terms.last().map(|t| t.offer.currency),
        };
        let granted = Granted {
            terms: Terms {
                owner: rule.owner,
                of: of.to_string(),
                rule: Stored::new(rule.clone()),
                currency,
                days,
            },
            brought,
            size,
            engine: ENGINE.into(),
            tzdb: tzdb_version().into(),
        };
        let state = Counter {
            terms: Some(granted.terms.clone()),
            size,
            ..Counter::default()
        };
        Ok(Some(self.put(id, state, Some(granted))))
    }

    fn put(&mut self, id: Id, state: Counter, granted: Option<Granted>) -> usize {
        let at = self.open.len();
        self.places.insert(id.clone(), Some(at));
        self.journal.push(Undo::Opened(at));
        self.open.push(Open {
            id,
            state,
            granted,
            rolled: vec![],
            taken: BTreeMap::new(),
            later: Exact::ZERO,
            crossed: vec![],
            reached: false,
        });
        at
    }

    /// What is left goes on into a period: of all together at most what the rule says, and what is beyond lapses from the
    /// oldest.
    fn roll(
        &mut self,
        rule: &CounterRule,
        places: &[Option<usize>],
        into: Date,
    ) -> Result<(), Rejection> {
        let mut room = rule.rollover.as_ref().and_then(|r| r.max).map(Exact::from);
        let earlier = places.split_last().map_or(&[][..], |(_, earlier)| earlier);
        for at in earlier.iter().rev().flatten() {
            let Some(open) = self.open.get_mut(*at) else {
                continue;
            };
            let left = match open.state.later_max {
                Some(_) => open.state.left_later()?,
                None => open.state.left()?,
            };
            let amount = room.map_or(left, |room| left.min(room));
            room = room.map(|room| room.minus(amount)).transpose()?;
            let later_max = open.state.later.plus(amount)?;
            if open.state.later_max == Some(later_max) {
                continue;
            }
            self.journal.push(Undo::Rolled(*at, open.state.later_max));
            open.state.later_max = Some(later_max);
            open.rolled.push(Rolled {
                into,
                amount,
                lapsed: left.minus(amount)?,
                later_max,
            });
        }
        Ok(())
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

    /// What may still be drawn.
    fn left(&mut self, lot: &Lot) -> Result<Exact, Rejection> {
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

    fn at(&mut self, lot: &Lot) -> Result<usize, Rejection> {
        if let Some(Some(at)) = self.places.get(&lot.counter) {
            return Ok(*at);
        }
        let known = self.session.get::<Counter>(&lot.counter)?.clone();
        Ok(self.put(lot.counter.clone(), known, None))
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

    fn take(&mut self, lot: &Lot, amount: Exact, drawer: Drawer<'_>) -> Result<(), Rejection> {
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

/// What each member brings to a period of a counter, in the order of their names.
fn brought(
    session: &Session<'_>,
    rule: &CounterRule,
    of: &str,
    days: (Days, Days),
    (id, sub): (&str, &Subscription),
) -> Result<Vec<Share>, Rejection> {
    let mut members: BTreeMap<&str, &Subscription> = BTreeMap::new();
    members.insert(id, sub);
    if rule.owner != Owner::Subscription {
        for account in accounts(session, rule.owner, of) {
            let subs = session.index().subscriptions_of.get(account);
            for id in subs.into_iter().flatten() {
                if let Some(entry) = session.find::<Subscription>(id) {
                    members.insert(id, &entry.state);
                }
            }
        }
    }
    let mut out = Vec::new();
    for (id, sub) in members {
        let amount = counters::share(sub, (rule.owner, &rule.code), days)?;
        if !amount.is_zero() {
            out.push(Share {
                subscription: id.to_string(),
                amount,
            });
        }
    }
    Ok(out)
}

/// Accounts whose subscriptions are members of a pool.
fn accounts<'s>(session: &'s Session<'_>, owner: Owner, of: &'s str) -> Vec<&'s str> {
    let mut all = vec![of];
    if owner == Owner::Customer {
        let paid = session.index().paid_by.get(of);
        let open = |id: &&str| session.find::<Account>(id).is_some();
        all.extend(paid.into_iter().flatten().map(String::as_str).filter(open));
    }
    all
}
