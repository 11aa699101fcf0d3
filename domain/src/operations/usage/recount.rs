//! Counts meters of a subscription anew from the records that stand on them: what a rerating does to usage.
//!
//! Every record of a meter that is looked at is placed and measured again, as the contract is known now, and the meter is
//! added up from nothing. What comes out is the same as if the records came for the first time, so counting anew twice
//! changes nothing. Wallets pay or get back only the difference of the whole meter.

use super::desk::tax_rate;
use crate::catalog::{Pay, Usage};
use crate::kernel::{Date, Days, Exact, Id, Rejection, Text, Zone, calendar::parse_date};
use crate::mediation::{self, Batch, Key, UsageRecord};
use crate::operations::{account_terms, entity_terms};
use crate::rating::{self, CarriedIn, Over, Place, Tally, measured};
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::usage::{
    self, Basis, Gone, Meter, Metered, Part, Payer, RatedRecord, Recount, Recounted, Remembered,
    Reversed, Standing, Worth, standing,
};
use crate::wallets::{self, Purse, Target, Wallet};
use crate::{ENGINE, kernel::time::tzdb_version};
use std::collections::{BTreeMap, BTreeSet};

/// Most records of one subscription that are counted anew together: they are one commit.
pub const RECOUNTED_MAX: usize = 20_000;

/// What becomes of a record before it is counted again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Edit {
    Keep,
    /// It counts nowhere any more.
    Void,
    /// It says something else than it did.
    Amend(Box<Said>),
}

/// What a record says, as far as that can be changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub quantity: crate::kernel::Decimal,
    pub amount: Option<crate::kernel::Decimal>,
    pub attributes: BTreeMap<String, String>,
}

impl Said {
    pub fn of(record: &RatedRecord) -> Said {
        Said {
            quantity: record.quantity,
            amount: record.amount_carried,
            attributes: record.attributes.clone(),
        }
    }
}

/// Which meters are counted anew, and what becomes of their records.
pub(crate) struct Recounting<'a> {
    /// Who asks: the id of a rerating.
    pub by: &'a str,
    pub subscription: &'a str,
    /// Meters of periods that meet these days.
    pub days: Days,
    /// Codes of charges; empty: all.
    pub charges: &'a [String],
    pub edit: &'a dyn Fn(&Standing, Date) -> Edit,
    /// Records that count nowhere now and come back, each with the charge it was priced by.
    pub back: Vec<(String, Standing)>,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counted {
    /// Records that were looked at.
    pub records: u64,
    /// Meters that changed.
    pub meters: BTreeSet<Id>,
}

/// A record on its way from one meter to another, mostly the same.
struct Item {
    standing: Standing,
    /// None where it comes back.
    from: Option<Id>,
    /// None: it is void.
    record: Option<UsageRecord>,
    to: Option<Id>,
}

/// Counts anew and stages what changes: meters, wallets, and what the batches of void records say of them.
///
/// Errors: RERATING_TOO_LARGE, METER_RESERVED, and whatever rating a record may say; then nothing is staged that a caller
/// keeps (policy 17).
pub(crate) fn recount(
    session: &mut Session<'_>,
    ask: &Recounting<'_>,
) -> Result<Counted, Rejection> {
    let (items, meters) = gather(session, ask)?;
    let mut done = Counted {
        records: items.len() as u64,
        ..Counted::default()
    };
    let mut targets: BTreeMap<(Date, Id), ()> = BTreeMap::new();
    let ids = meters
        .iter()
        .chain(items.iter().filter_map(|i| i.to.as_ref()));
    for id in ids {
        targets.insert((first_day(id)?, id.clone()), ());
    }
    for (_, id) in targets.into_keys() {
        let Some((command, draws)) = count(session, ask, &id, &items)? else {
            continue;
        };
        stage(session, ask.by, &id, command, draws)?;
        done.meters.insert(id);
    }
    tell_batches(session, ask.by, &items)?;
    if !done.meters.is_empty() {
        let account = session
            .get::<Subscription>(ask.subscription)?
            .account
            .clone();
        crate::operations::wallets::watch(session, &account)?;
    }
    Ok(done)
}

/// The records of every meter that is looked at, edited and placed again; and those meters.
fn gather(
    session: &Session<'_>,
    ask: &Recounting<'_>,
) -> Result<(Vec<Item>, BTreeSet<Id>), Rejection> {
    let id = ask.subscription;
    let sub = session.get::<Subscription>(id)?;
    let zone = account_terms(session, &sub.account)?.zone;
    let mut queue: Vec<Id> = session
        .ids::<Metered>(&format!("{id}/"))
        .into_iter()
        .filter(|meter| {
            let period = session
                .find::<Metered>(meter)
                .and_then(|m| m.state.meter.period);
            let code = meter.split('/').nth(1).unwrap_or_default();
            period.is_some_and(|days| !days.overlap(ask.days).is_empty())
                && (ask.charges.is_empty() || ask.charges.iter().any(|c| c == code))
        })
        .collect();
    let (mut items, mut meters) = (Vec::new(), BTreeSet::new());
    for (code, standing) in &ask.back {
        let charge = sold(sub, code)?;
        items.push(placed(
            session,
            (id, sub),
            &zone,
            charge,
            None,
            standing.clone(),
            Edit::Keep,
        )?);
    }
    queue.reverse();
    while let Some(meter) = queue.pop() {
        if !meters.insert(meter.clone()) {
            continue;
        }
        if session.index().reserved.any_on(&meter)
            && session
                .index()
                .reserved
                .on(&meter, session.now())
                .next()
                .is_some()
        {
            return Err(Rejection::new(
                "METER_RESERVED",
                format!(
                    "quotas are reserved on meter {meter}: they have to end before it is counted anew"
                ),
            ));
        }
        let code = meter.split('/').nth(1).unwrap_or_default().to_string();
        for standing in standing(&session.past().meter(&meter)?) {
            if items.len() >= RECOUNTED_MAX {
                return Err(Rejection::new(
                    "RERATING_TOO_LARGE",
                    format!(
                        "subscription {id} has more than {RECOUNTED_MAX} records in the scope: rerate fewer days or charges at once"
                    ),
                ));
            }
            let on = zone.date(standing.record.at);
            let edit = (ask.edit)(&standing, on);
            let charge = sold(sub, &code)?;
            let from = Some(meter.clone());
            let item = placed(session, (id, sub), &zone, charge, from, standing, edit)?;
            // A record that moves takes the meter it comes to along.
            queue.extend(item.to.iter().filter(|to| !meters.contains(*to)).cloned());
            items.push(item);
        }
    }
    Ok((items, meters))
}

/// A usage charge by its code, of whichever term has it.
fn sold<'s>(sub: &'s Subscription, code: &str) -> Result<&'s Usage, Rejection> {
    let mut charges = sub.terms.iter().rev().flat_map(|t| &t.offer.usage);
    charges.find(|u| u.code == code).ok_or_else(|| {
        Rejection::new(
            "CHARGE_UNKNOWN",
            format!("the contract no longer has the charge {code} that records were rated by"),
        )
    })
}

fn placed(
    session: &Session<'_>,
    (id, sub): (&str, &Subscription),
    zone: &Zone,
    charge: &Usage,
    from: Option<Id>,
    standing: Standing,
    edit: Edit,
) -> Result<Item, Rejection> {
    let said = match edit {
        Edit::Void => None,
        Edit::Keep => Some(Said::of(&standing.record)),
        Edit::Amend(said) => Some(*said),
    };
    let record = said.map(|said| UsageRecord {
        line: standing.record.line,
        key: standing.record.key,
        content: standing.record.content,
        corrects: false,
        metric: charge.metric.clone(),
        access: format!("subscription:{id}"),
        at: standing.record.at,
        quantity: said.quantity,
        amount: said.amount,
        attributes: said.attributes,
        raw: standing.record.raw.clone(),
    });
    let to = match &record {
        Some(record) => {
            let place = rating::place(session, (id, sub), zone, record)?;
            Some(usage::id(id, &place.charge.code, place.days.from))
        }
        None => None,
    };
    Ok(Item {
        standing,
        from,
        record,
        to,
    })
}

fn first_day(meter: &str) -> Result<Date, Rejection> {
    parse_date(meter.rsplit('/').next().unwrap_or_default())
}

/// What a meter comes to, and what wallets pay for it; nothing if it is what it was.
fn count(
    session: &Session<'_>,
    ask: &Recounting<'_>,
    id: &str,
    items: &[Item],
) -> Result<Option<(usage::Command, Option<Purse>)>, Rejection> {
    let sub = session.get::<Subscription>(ask.subscription)?;
    let zone = account_terms(session, &sub.account)?.zone;
    let none = Metered::default();
    let before = session.find::<Metered>(id).map_or(&none, |e| &e.state);
    let mine = |of: &Option<Id>| of.as_deref() == Some(id);
    let old = || items.iter().filter(|i| mine(&i.from));
    // Those that were here stay in their order, and what comes follows them.
    let stay = items.iter().filter(|i| mine(&i.to) && mine(&i.from));
    let come = items.iter().filter(|i| mine(&i.to) && !mine(&i.from));
    let all: Vec<&Item> = stay.chain(come).collect();
    if before.draws.is_some() {
        return Err(drawn(id));
    }
    let places = all.iter().map(|item| {
        let record = item.record.as_ref().ok_or_else(crate::past::gone)?;
        rating::place(session, (ask.subscription, sub), &zone, record).map(|p| (p, record))
    });
    let places = places.collect::<Result<Vec<_>, _>>()?;
    if places.iter().any(|(p, _)| p.term.offer.has_counters()) {
        return Err(drawn(id));
    }
    let fresh = match places.first() {
        Some((place, _)) => rated(session, ask.subscription, sub, *place, &places)?,
        None => Fresh::empty(before, old().next().map(|i| &i.standing.basis)),
    };
    let mut changes = Vec::new();
    for item in old().filter(|i| !mine(&i.to)) {
        changes.push(Recount {
            key: item.standing.record.key,
            batch: item.standing.batch.clone(),
            source: item.standing.source.clone(),
            was: Some(reversed(&item.standing.record)),
            now: None,
            void: item.record.is_none(),
        });
    }
    let mut moved = !changes.is_empty();
    for (item, now) in all.iter().zip(fresh.records) {
        let (was, here) = (&item.standing.record, mine(&item.from));
        let says = Said::of(was) == Said::of(&now);
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
    let (meter, parts, purse) =
        settle(session, &sub.account, id, before, &fresh.paid, fresh.meter)?;
    // The same total shared otherwise among the same records is no difference.
    if changes.is_empty() || (!moved && meter == before.meter) {
        return Ok(None);
    }
    let remembered = remembered(before, fresh.remembered);
    let counted = Recounted {
        rerating: ask.by.into(),
        basis: fresh.basis,
        changes,
        parts,
        meter,
    };
    let command = usage::Command::Recount {
        counted,
        remembered,
    };
    Ok(Some((command, purse)))
}

/// What a meter drew on counters was in the order in which everybody drew, which counting one meter anew cannot repeat.
fn drawn(meter: &str) -> Rejection {
    Rejection::new(
        "METER_DRAWS",
        format!("the records of meter {meter} draw on counters: correct them one by one instead"),
    )
}

/// A meter that was added up from nothing; nobody paid yet.
struct Fresh<'s> {
    meter: Meter,
    records: Vec<RatedRecord>,
    remembered: Option<Remembered>,
    basis: Basis,
    paid: Paid<'s>,
}

/// How a meter is paid.
struct Paid<'s> {
    pay: Pay,
    on: Date,
    target: Option<Target<'s>>,
    tax_class: &'s str,
}

impl<'s> Fresh<'s> {
    /// Nothing is left.
    fn empty(before: &Metered, basis: Option<&Basis>) -> Fresh<'s> {
        let period = before.meter.period;
        Fresh {
            meter: Meter {
                period,
                ..Meter::default()
            },
            records: vec![],
            remembered: None,
            basis: basis.cloned().unwrap_or_default(),
            paid: Paid {
                pay: Pay::Invoice,
                on: period.map(|days| days.from).unwrap_or_default(),
                target: None,
                tax_class: "standard",
            },
        }
    }
}

fn reversed(record: &RatedRecord) -> Reversed {
    Reversed {
        units: record.units,
        amount: record.amount,
    }
}

/// Adds up the records of one meter.
fn rated<'s>(
    session: &Session<'_>,
    id: &str,
    sub: &'s Subscription,
    place: Place<'s>,
    records: &[(Place<'s>, &UsageRecord)],
) -> Result<Fresh<'s>, Rejection> {
    let carried = carried(session, id, sub, place)?;
    let meter = Meter {
        period: Some(place.days),
        ..Meter::default()
    };
    let over = Over {
        days: place.days,
        whole: place.whole,
    };
    let mut tally = Tally::over(place.charge, meter, over, None, carried)?;
    let mut out = Vec::with_capacity(records.len());
    let mut on = place.on;
    for (place, record) in records {
        let used = measured(place, record)?;
        let units = used.units;
        let amount = tally.add(used)?;
        on = on.max(place.on);
        out.push(RatedRecord {
            line: record.line,
            key: record.key,
            content: record.content,
            at: record.at,
            quantity: record.quantity,
            units,
            amount,
            payer: Payer::Invoice,
            attributes: record.attributes.clone(),
            amount_carried: record.amount,
            raw: record.raw.clone(),
        });
    }
    let (meter, remembered) = tally.finish_all()?;
    let offer = &place.term.offer;
    Ok(Fresh {
        meter,
        records: out,
        remembered,
        basis: Basis {
            engine: ENGINE.into(),
            tzdb: tzdb_version().into(),
            offer: Text::from(&offer.code),
            version: offer.version,
        },
        paid: Paid {
            pay: place.charge.pay,
            on,
            target: Some(place.target()),
            tax_class: &place.charge.tax_class,
        },
    })
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

/// Wallets pay the difference of the whole meter, or get it back; the invoice's side is the rest.
fn settle(
    session: &Session<'_>,
    account: &str,
    id: &str,
    before: &Metered,
    paid: &Paid<'_>,
    mut meter: Meter,
) -> Result<(Meter, Vec<Part>, Option<Purse>), Rejection> {
    let total = meter.amount.plus(meter.burnt)?;
    let burnt = before.meter.burnt;
    let asked = match paid.pay {
        Pay::Invoice => Exact::ZERO,
        Pay::Wallet => total,
        // Wallets keep what they paid, as far as that much is still due, and are asked for what is new.
        Pay::WalletThenInvoice => {
            let new = total.minus(before.meter.amount.plus(burnt)?)?;
            burnt
                .plus(new.max(Exact::ZERO))?
                .min(total.max(Exact::ZERO))
        }
    };
    let difference = asked.minus(burnt)?;
    (meter.amount, meter.burnt) = (total.minus(burnt)?, burnt);
    if difference.is_zero() {
        return Ok((meter, vec![], None));
    }
    let mut purse = purse(session, account, id, paid)?;
    let parts = match (difference.is_negative(), paid.pay, &paid.target) {
        (true, ..) => purse.give_back(difference.negated(), &before.paid, paid.on)?,
        (false, Pay::WalletThenInvoice, Some(target)) => {
            purse.draw_most(difference, paid.on, target)?.0
        }
        (false, _, Some(target)) => purse.draw(difference, paid.on, target)?,
        (false, _, None) => vec![],
    };
    let mut amounts = parts.iter().map(|p| p.amount);
    let sum = amounts.try_fold(Exact::ZERO, Exact::plus)?;
    (meter.amount, meter.burnt) = (meter.amount.minus(sum)?, burnt.plus(sum)?);
    Ok((meter, parts, Some(purse)))
}

fn purse(
    session: &Session<'_>,
    account: &str,
    meter: &str,
    paid: &Paid<'_>,
) -> Result<Purse, Rejection> {
    let ids = session.index().wallets_of.get(account);
    let wallets = || {
        let ids = ids.into_iter().flatten();
        ids.filter_map(|id| session.find::<Wallet>(id).map(|e| (id, &e.state)))
    };
    let mut purse = Purse::new(wallets(), session.now());
    if purse.asks_for_tax() {
        let rate = tax_rate(session, account, paid.tax_class, paid.on)?;
        let known = wallets().flat_map(|(id, w)| w.taxes_of(meter).iter().map(move |t| (id, t)));
        purse.tax(meter, rate, known);
    }
    Ok(purse)
}

/// What the meter forgets and remembers: all of before, all of now.
fn remembered(before: &Metered, fresh: Option<Remembered>) -> Option<Remembered> {
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

fn stage(
    session: &mut Session<'_>,
    by: &str,
    id: &str,
    command: usage::Command,
    purse: Option<Purse>,
) -> Result<(), Rejection> {
    session.decide::<Metered>(id, command)?;
    let Some(purse) = purse else {
        return Ok(());
    };
    let sub = id.split('/').next().unwrap_or_default();
    let account = session.get::<Subscription>(sub)?.account.clone();
    let rounding = entity_terms(session, &account_terms(session, &account)?.entity)?.rounding;
    let at = session.now();
    for draw in purse.finish() {
        let burn = wallets::Command::Burn {
            batch: by.to_string(),
            parts: draw.parts,
            taxes: draw.taxes,
            on: draw.on,
            at,
            rounding,
        };
        session.decide::<Wallet>(&draw.wallet, burn)?;
    }
    Ok(())
}

/// Void records are superseded in the batch that brought them, and those that come back are rated there (policy 14).
fn tell_batches(session: &mut Session<'_>, by: &str, items: &[Item]) -> Result<(), Rejection> {
    let mut told: BTreeMap<&str, (Vec<Key>, Vec<Key>)> = BTreeMap::new();
    for item in items {
        let (void, back) = told.entry(&item.standing.batch).or_default();
        match (&item.from, &item.to) {
            (Some(_), None) => void.push(item.standing.record.key),
            (None, Some(_)) => back.push(item.standing.record.key),
            _ => {}
        }
    }
    for (batch, (void, back)) in told {
        supersede(session, by, batch, void, back)?;
    }
    Ok(())
}

/// Tells a batch which of its records count no more, and which do again. What credit control brought has no batch.
fn supersede(
    session: &mut Session<'_>,
    by: &str,
    batch: &str,
    void: Vec<Key>,
    back: Vec<Key>,
) -> Result<(), Rejection> {
    if session.find::<Batch>(batch).is_none() {
        return Ok(());
    }
    let by = by.to_string();
    if !void.is_empty() {
        let command = mediation::Command::Supersede {
            by: by.clone(),
            rated: void,
            unrated: vec![],
        };
        session.decide::<Batch>(batch, command)?;
    }
    session.decide::<Batch>(batch, mediation::Command::Restore { by, rated: back })?;
    Ok(())
}

/// What a rerating did to meters: its name, and the batch it added.
#[derive(Clone, Copy)]
pub(crate) struct Own<'a> {
    pub by: &'a str,
    pub batch: Option<&'a str>,
}

impl Own<'_> {
    /// Whether a fact of a meter is the rerating's.
    pub fn has(&self, event: &usage::Event) -> bool {
        let added = |batch: &Text| self.batch.is_some_and(|own| *batch == *own);
        match event {
            usage::Event::Recounted(e) => e.rerating == *self.by,
            usage::Event::Rated(e) => added(&e.batch),
            usage::Event::Corrected(e) => added(&e.batch),
            usage::Event::Remembered(_) | usage::Event::Drawn(_) => false,
        }
    }
}

/// Puts meters back to what they were before a rerating first touched them, by new facts.
///
/// Errors: RERATING_BUILT_UPON when something else happened to one of them since.
pub(crate) fn restore(
    session: &mut Session<'_>,
    own: Own<'_>,
    meters: &BTreeSet<Id>,
) -> Result<(), Rejection> {
    let by = own.by;
    let mut told: BTreeMap<Text, (BTreeSet<Key>, BTreeSet<Key>)> = BTreeMap::new();
    for id in meters {
        let facts = session.past().meter(id)?;
        let (before, now) = (before(&facts, own, id)?, standing(&facts));
        let was = standing(before);
        let mut old = Metered::default();
        for event in before {
            <Metered as crate::kernel::Decider>::evolve(&mut old, event);
        }
        let Some((command, purse)) = put_back(session, own, id, old, &was, &now)? else {
            continue;
        };
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
        stage(session, by, id, command, purse)?;
    }
    for (batch, (left, came)) in told {
        let void = left.difference(&came).copied().collect();
        let back = came.difference(&left).copied().collect();
        supersede(session, by, &batch, void, back)?;
    }
    Ok(())
}

/// The facts of a meter before a rerating, if all that followed is its own.
fn before<'e>(
    facts: &'e [usage::Event],
    own: Own<'_>,
    id: &str,
) -> Result<&'e [usage::Event], Rejection> {
    let first = facts.iter().position(|e| own.has(e)).unwrap_or(facts.len());
    let (before, since) = facts.split_at(first);
    let other = |e: &usage::Event| !own.has(e) && !matches!(e, usage::Event::Remembered(_));
    if since.iter().any(other) {
        return Err(Rejection::new(
            "RERATING_BUILT_UPON",
            format!("meter {id} was counted further after rerating {}", own.by),
        ));
    }
    Ok(before)
}

fn put_back(
    session: &Session<'_>,
    own: Own<'_>,
    id: &str,
    old: Metered,
    was: &[Standing],
    now: &[Standing],
) -> Result<Option<(usage::Command, Option<Purse>)>, Rejection> {
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
            void: now.is_none() && own.batch.is_some_and(|batch| standing.batch == *batch),
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
    if changes.is_empty() && current.meter == old.meter {
        return Ok(None);
    }
    let sub = id.split('/').next().unwrap_or_default();
    let sub = session.get::<Subscription>(sub)?;
    let difference = old.meter.burnt.minus(current.meter.burnt)?;
    let on = old.meter.period.or(current.meter.period);
    let code = id.split('/').nth(1).unwrap_or_default();
    let charge = sold(sub, code).ok();
    let paid = Paid {
        pay: Pay::Invoice,
        on: on.map(|days| days.from).unwrap_or_default(),
        target: None,
        tax_class: charge.map_or("standard", |c| c.tax_class.as_str()),
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
    let memory = old.memory.unwrap_or_default();
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
            ..old.meter
        },
    };
    let command = usage::Command::Recount {
        counted,
        remembered: remembered(current, fresh),
    };
    Ok(Some((command, used)))
}
