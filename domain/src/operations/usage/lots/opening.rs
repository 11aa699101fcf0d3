//! Opens the periods of counters that a record reaches, and lets go on what was left of those before.

use super::{Lots, Open, Undo};
use crate::ENGINE;
use crate::accounts::Account;
use crate::catalog::{CounterRule, Owner, Text as Stored};
use crate::counters::{self, Brings, Counter, Granted, Rolled, Share, Terms};
use crate::kernel::{Date, Days, Exact, Id, Rejection, time::tzdb_version};
use crate::operations::account_terms;
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::usage::draws::Lot;
use std::collections::BTreeMap;

impl Lots<'_, '_> {
    /// The periods of one counter that a record of a day may draw on: what is left of earlier ones first, the oldest
    /// first; its own last.
    pub(super) fn lots(
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

    pub(super) fn put(&mut self, id: Id, state: Counter, granted: Option<Granted>) -> usize {
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
