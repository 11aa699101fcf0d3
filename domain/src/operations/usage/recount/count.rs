//! Adds meters up from nothing: what they come to, what they draw on counters, and what is different about that.
//!
//! Meters of one subscription are counted together. Everything they drew on counters goes back first; then their records draw
//! again, within a meter in their order, between meters in the order in which they happened (policy 15).

use super::{Item, Recounting, drawing_batch};
use crate::ENGINE;
use crate::catalog::{Pay, Usage};
use crate::counters;
use crate::kernel::{Date, Exact, Id, Instant, Rejection, Text, time::tzdb_version};
use crate::mediation::Key;
use crate::operations::account_terms;
use crate::operations::usage::lots::{Drawer, Lots};
use crate::operations::usage::working::{Anew, Working};
use crate::rating::{self, CarriedIn, Place};
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::usage::draws::Sums;
use crate::usage::{
    self, Basis, Drawing, Drawn, Draws, Event, Gone, Meter, Metered, RatedRecord, Recount,
    Recounted, Remembered, Reversed, Way,
};
use crate::wallets::{Purse, Target};
use std::collections::{BTreeMap, BTreeSet};

/// A meter that was added up from nothing; nobody paid yet.
pub(super) struct Fresh {
    meter: Meter,
    records: Vec<RatedRecord>,
    remembered: Option<Remembered>,
    drawings: Vec<Drawing>,
    draws: Draws,
    basis: Basis,
    paid: Paid,
}

/// How a meter is paid.
pub(super) struct Paid {
    pub pay: Pay,
    pub on: Date,
    pub tax_class: String,
    /// What wallets see of it: offer, charge and metric; none where nothing is left to be paid.
    pub target: Option<(String, String, String)>,
}

impl Paid {
    fn of(place: &Place<'_>, on: Date) -> Paid {
        let charge: &Usage = place.charge;
        let offer = &place.term.offer.code;
        Paid {
            pay: charge.pay,
            on,
            tax_class: charge.tax_class.clone(),
            target: Some((offer.clone(), charge.code.clone(), charge.metric.clone())),
        }
    }

    pub fn target(&self) -> Option<Target<'_>> {
        let (offer, charge, metric) = self.target.as_ref()?;
        Some(Target {
            offer: Some(offer),
            charge,
            metric: Some(metric),
        })
    }
}

impl Fresh {
    /// Nothing is left.
    fn empty(before: &Metered, basis: Option<&Basis>) -> Fresh {
        let period = before.meter.period;
        Fresh {
            meter: Meter {
                period,
                ..Meter::default()
            },
            records: vec![],
            remembered: None,
            drawings: vec![],
            draws: Draws::default(),
            basis: basis.cloned().unwrap_or_default(),
            paid: Paid {
                pay: Pay::Invoice,
                on: period.map(|days| days.from).unwrap_or_default(),
                tax_class: "standard".to_string(),
                target: None,
            },
        }
    }
}

/// What counting some meters together came to.
pub(super) struct Together {
    pub meters: Vec<(Id, Fresh)>,
    pub counters: Vec<(Id, counters::Command)>,
}

/// Items of one meter: those that were here stay in their order, and what comes follows them.
fn of_meter<'i>(items: &'i [Item], id: &str) -> Vec<&'i Item> {
    let mine = |of: &Option<Id>| of.as_deref() == Some(id);
    let stay = items.iter().filter(|i| mine(&i.to) && mine(&i.from));
    let come = items.iter().filter(|i| mine(&i.to) && !mine(&i.from));
    stay.chain(come).collect()
}

/// Counts some meters of a subscription anew.
pub(super) fn together(
    session: &Session<'_>,
    ask: &Recounting<'_>,
    ids: &[Id],
    items: &[Item],
) -> Result<Together, Rejection> {
    let sub = session.get::<Subscription>(ask.subscription)?;
    let zone = account_terms(session, &sub.account)?.zone;
    let none = Metered::default();
    let before = |id: &Id| session.find::<Metered>(id).map_or(&none, |e| &e.state);
    let mut lots = Lots::new(session);
    for id in ids {
        if let Some(draws) = &before(id).draws {
            let on = super::first_day(id)?;
            lots.give_back(draws, Drawer { meter: id, on })?;
        }
    }
    // Within a meter a record waits for those before it.
    let mut order: Vec<(Instant, usize, usize, &Item)> = Vec::new();
    for (number, id) in ids.iter().enumerate() {
        let mut at: Option<Instant> = None;
        for (place, item) in of_meter(items, id).into_iter().enumerate() {
            let own = item.standing.record.at;
            let since = at.map_or(own, |at| at.max(own));
            at = Some(since);
            order.push((since, number, place, item));
        }
    }
    order.sort_by_key(|(at, number, place, _)| (*at, *number, *place));
    let mut open: BTreeMap<usize, (Working<'_>, Place<'_>, Date)> = BTreeMap::new();
    let mut nobody = Purse::default();
    for (_, number, _, item) in order {
        let mut record = item.record.clone().ok_or_else(crate::past::gone)?;
        let contracts = ask.contracts(sub);
        let place = super::place(session, (ask.subscription, contracts), &zone, &record)?;
        let way = lots.way((ask.subscription, sub), &place, &record)?;
        if let std::collections::btree_map::Entry::Vacant(free) = open.entry(number) {
            let id = ids.get(number).cloned().unwrap_or_default();
            let carried = carried(session, ask.subscription, sub, place)?;
            let working = Working::new(id, place, None, carried, session.past())?;
            free.insert((working.unpaid(), place, place.on));
        }
        if let Some((working, _, on)) = open.get_mut(&number) {
            working.add(&mut record, place, &mut nobody, (&mut lots, way.as_ref()))?;
            *on = (*on).max(place.on);
        }
        lots.settle();
    }
    let mut meters = Vec::with_capacity(ids.len());
    for (number, id) in ids.iter().enumerate() {
        let fresh = match open.remove(&number) {
            Some((working, place, on)) => {
                let offer = &place.term.offer;
                let Anew {
                    meter,
                    records,
                    remembered,
                    drawings,
                    draws,
                } = working.anew()?;
                Fresh {
                    meter,
                    records,
                    remembered,
                    drawings,
                    draws,
                    basis: Basis {
                        engine: ENGINE.into(),
                        tzdb: tzdb_version().into(),
                        offer: Text::from(&offer.code),
                        version: offer.version,
                    },
                    paid: Paid::of(&place, on),
                }
            }
            None => {
                let mut old = items.iter().filter(|i| i.from.as_ref() == Some(id));
                Fresh::empty(before(id), old.next().map(|i| &i.standing.basis))
            }
        };
        meters.push((id.clone(), fresh));
    }
    lots.cross_once()?;
    let batch: Text = drawing_batch(ask.by).as_str().into();
    Ok(Together {
        meters,
        counters: lots.finish(&batch, &super::SOURCE.into()),
    })
}

/// What a meter is to be told, and what wallets pay for it; nothing if it is what it was.
pub(super) fn told(
    session: &Session<'_>,
    ask: &Recounting<'_>,
    id: &str,
    items: &[Item],
    fresh: Fresh,
) -> Result<Option<(usage::Command, Option<Purse>)>, Rejection> {
    let sub = session.get::<Subscription>(ask.subscription)?;
    let none = Metered::default();
    let before = session.find::<Metered>(id).map_or(&none, |e| &e.state);
    let mine = |of: &Option<Id>| of.as_deref() == Some(id);
    let left = items.iter().filter(|i| mine(&i.from) && !mine(&i.to));
    let mut changes: Vec<Recount> = left
        .map(|item| Recount {
            key: item.standing.record.key,
            batch: item.standing.batch.clone(),
            source: item.standing.source.clone(),
            was: Some(reversed(&item.standing.record)),
            now: None,
            void: item.record.is_none(),
        })
        .collect();
    let mut moved = !changes.is_empty();
    for (item, now) in of_meter(items, id).into_iter().zip(fresh.records) {
        let (was, here) = (&item.standing.record, mine(&item.from));
        let says = super::Said::of(was) == super::Said::of(&now);
        if here && says && (was.units, was.amount) == (now.units, now.amount) {
            continue;
        }
        moved |= !here || !says;
        changes.push(Recount {
            key: now.key,
            batch: item.standing.batch.clone(),
            source: item.standing.source.clone(),
            was: here.then(|| reversed(was)),
            now: Some(now),
            void: false,
        });
    }
    let drawn = drawn(session, ask.by, id, before, (fresh.drawings, &fresh.draws))?;
    let account = &sub.account;
    let (meter, parts, purse) = match changes.is_empty() {
        true => (before.meter.clone(), vec![], None),
        false => super::paid::settle(session, account, id, before, &fresh.paid, fresh.meter)?,
    };
    // The same total shared otherwise among the same records is no difference.
    let same = changes.is_empty() || (!moved && meter == before.meter);
    if same && drawn.is_none() {
        return Ok(None);
    }
    let counted = Recounted {
        rerating: ask.by.into(),
        basis: fresh.basis,
        changes,
        parts,
        meter,
    };
    let command = usage::Command::Recount {
        counted,
        remembered: remembered(before, fresh.remembered),
        drawn,
    };
    Ok(Some((command, purse)))
}

/// What a meter drew other than it did; nothing where its counters cover what they covered.
pub(super) fn drawn(
    session: &Session<'_>,
    by: &str,
    id: &str,
    before: &Metered,
    (drawings, now): (Vec<Drawing>, &Draws),
) -> Result<Option<Drawn>, Rejection> {
    let none = Draws::default();
    let was = before.draws.as_deref().unwrap_or(&none);
    let nothing = Sums::default();
    let all: BTreeSet<&Way> = was.ways.keys().chain(now.ways.keys()).collect();
    let mut ways = Vec::new();
    for way in all {
        let sums = |draws: &Draws| draws.ways.get(way).cloned().unwrap_or_default();
        let (old, new) = (sums(was), sums(now));
        if !old.same(&new) {
            let empty = new.same(&nothing);
            ways.push((way.clone(), if empty { Sums::default() } else { new }));
        }
    }
    if ways.is_empty() && was.covered == now.covered {
        return Ok(None);
    }
    let known = match before.draws {
        Some(_) => Drew::of(&session.past().meter(id)?),
        None => BTreeMap::new(),
    };
    let mut records = Vec::new();
    let mut stay: BTreeSet<Key> = BTreeSet::new();
    for drawing in drawings {
        stay.insert(drawing.key);
        let old = known.get(&drawing.key);
        let moved = Drew::difference(old, &drawing.moved)?;
        let same = old.is_some_and(|o| o.way == drawing.way && o.covered == drawing.covered);
        if !same || !moved.is_empty() {
            records.push(Drawing { moved, ..drawing });
        }
    }
    for (key, old) in known.iter().filter(|(key, _)| !stay.contains(*key)) {
        if old.way.is_some() {
            records.push(Drawing {
                key: *key,
                way: None,
                moved: Drew::difference(Some(old), &[])?,
                covered: Exact::ZERO,
            });
        }
    }
    Ok(Some(Drawn {
        batch: drawing_batch(by).as_str().into(),
        records,
        ways,
        covered: now.covered,
    }))
}

/// What one record drew so far.
#[derive(Default)]
pub(super) struct Drew {
    pub way: Option<Way>,
    pub covered: Exact,
    pub moved: BTreeMap<Id, Exact>,
}

impl Drew {
    /// Of every record, as the facts of its meter say.
    pub fn of<'e>(facts: impl IntoIterator<Item = &'e Event>) -> BTreeMap<Key, Drew> {
        let mut out: BTreeMap<Key, Drew> = BTreeMap::new();
        let drawn = facts.into_iter().filter_map(|fact| match fact {
            Event::Drawn(drawn) => Some(drawn),
            _ => None,
        });
        for drawing in drawn.flat_map(|d| &d.records) {
            let known = out.entry(drawing.key).or_default();
            (known.way, known.covered) = (drawing.way.clone(), drawing.covered);
            for (counter, amount) in &drawing.moved {
                let sum = known.moved.entry(counter.clone()).or_insert(Exact::ZERO);
                // Amounts of one period are far from the limits of an exact number.
                *sum = sum.plus(*amount).unwrap_or(*sum);
            }
        }
        out
    }

    /// What it takes from each counter to come from what was drawn to what is.
    fn difference(was: Option<&Drew>, now: &[(Id, Exact)]) -> Result<Vec<(Id, Exact)>, Rejection> {
        let mut moved: BTreeMap<&Id, Exact> = BTreeMap::new();
        for (counter, amount) in was.iter().flat_map(|w| &w.moved) {
            moved.insert(counter, amount.negated());
        }
        for (counter, amount) in now {
            let known = moved.entry(counter).or_insert(Exact::ZERO);
            *known = known.plus(*amount)?;
        }
        let moved = moved.into_iter().filter(|(_, amount)| !amount.is_zero());
        Ok(moved.map(|(id, amount)| (id.clone(), amount)).collect())
    }
}

pub(super) fn reversed(record: &RatedRecord) -> Reversed {
    Reversed {
        units: record.units,
        amount: record.amount,
    }
}

fn carried(
    session: &Session<'_>,
    id: &str,
    sub: &Subscription,
    place: Place<'_>,
) -> Result<CarriedIn, Rejection> {
    if !place.charge.carry {
        return Ok(CarriedIn::new());
    }
    rating::carried_in(sub, place.charge, place.days.from, |code, from| {
        let metered = session.find::<Metered>(&usage::id(id, code, from))?;
        metered.state.memory.as_deref()
    })
}

/// What the meter forgets and remembers: all of before, all of now.
pub(super) fn remembered(before: &Metered, fresh: Option<Remembered>) -> Option<Remembered> {
    let known = before.memory.iter().flat_map(|m| m.groups.values());
    let gone: Vec<Gone> = known.flat_map(|g| &g.moves).map(|m| Gone(m.key)).collect();
    match fresh {
        None if gone.is_empty() => None,
        fresh => Some(Remembered {
            gone,
            ..fresh.unwrap_or_default()
        }),
    }
}
