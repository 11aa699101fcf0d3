//! Counts meters of a subscription anew from the records that stand on them: what a rerating does to usage.
//!
//! Every record of a meter that is looked at is placed and measured again, as the contract is known now, and the meter is
//! added up from nothing. What comes out is the same as if the records came for the first time, so counting anew twice
//! changes nothing. Wallets pay or get back only the difference of the whole meter, counters cover it. Meters of the
//! subscription that draw on the same counters are counted with it (docs/decisions/0041-rerating-draws-again.md).

mod count;
mod paid;
mod restore;

use super::desk::Desk;
use crate::catalog::Usage;
use crate::counters::Counter;
use crate::kernel::{Date, Days, Id, Rejection, Zone, calendar::parse_date};
use crate::mediation::{self, Batch, Key, UsageRecord};
use crate::operations::{account_terms, entity_terms};
use crate::rating;
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::usage::{self, Metered, RatedRecord, Standing, standing};
use crate::wallets::{self, Purse, Wallet};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use restore::{Own, restore};

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
    /// Meters that are counted anew.
    pub which: Which<'a>,
    /// The contract as records are placed by it; what the first one has no place for is placed by the next. None: as it is
    /// known now.
    pub contracts: &'a [Subscription],
    pub edit: &'a dyn Fn(&Standing, Date) -> Edit,
    /// Records that count nowhere now and come back, each with the charge it was priced by.
    pub back: Vec<(String, Standing)>,
}

/// Meters of a subscription.
#[derive(Clone, Copy)]
pub(crate) enum Which<'a> {
    /// Of periods that meet these days.
    Met {
        days: Days,
        /// Codes of charges; empty: all.
        charges: &'a [String],
    },
    These(&'a BTreeSet<Id>),
}

impl Which<'_> {
    fn has(self, session: &Session<'_>, meter: &Id) -> bool {
        let Which::Met { days, charges } = self else {
            return matches!(self, Which::These(meters) if meters.contains(meter));
        };
        let found = session.find::<Metered>(meter);
        let period = found.and_then(|m| m.state.meter.period);
        let code = meter.split('/').nth(1).unwrap_or_default();
        period.is_some_and(|period| !period.overlap(days).is_empty())
            && (charges.is_empty() || charges.iter().any(|c| c == code))
    }
}

impl<'a> Recounting<'a> {
    fn contracts<'s>(&self, sub: &'s Subscription) -> &'s [Subscription]
    where
        'a: 's,
    {
        match self.contracts {
            [] => std::slice::from_ref(sub),
            contracts => contracts,
        }
    }
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

/// Counts anew and stages what changes: meters, counters, wallets, what is held for quotas, and what the batches of void
/// records say of them.
///
/// Errors: RERATING_TOO_LARGE, and whatever rating a record may say; then nothing is staged that a caller keeps (policy 17).
pub(crate) fn recount(
    session: &mut Session<'_>,
    ask: &Recounting<'_>,
) -> Result<Counted, Rejection> {
    let (items, meters) = gather(session, ask)?;
    let mut done = Counted {
        records: items.len() as u64,
        ..Counted::default()
    };
    let mut targets: BTreeSet<(Date, Id)> = BTreeSet::new();
    let come = items.iter().filter_map(|i| i.to.as_ref());
    for id in meters.iter().chain(come) {
        targets.insert((first_day(id)?, id.clone()));
    }
    for ids in blocks(session.get::<Subscription>(ask.subscription)?, targets) {
        let together = count::together(session, ask, &ids, &items)?;
        for (id, fresh) in together.meters {
            let Some((command, purse)) = count::told(session, ask, &id, &items, fresh)? else {
                continue;
            };
            stage(session, ask.by, &id, command, purse)?;
            done.meters.insert(id);
        }
        for (id, command) in together.counters {
            session.decide::<Counter>(&id, command)?;
        }
    }
    tell_batches(session, ask.by, &items)?;
    settled(session, ask.by, ask.subscription, &done.meters)?;
    Ok(done)
}

/// Meters that are counted together: all, or where a level is carried into the next period those of one first day after
/// those of the days before it.
fn blocks(sub: &Subscription, targets: BTreeSet<(Date, Id)>) -> Vec<Vec<Id>> {
    let mut charges = sub.terms.iter().flat_map(|t| &t.offer.usage);
    let carries = charges.any(|u| u.carry);
    let mut blocks: Vec<Vec<Id>> = Vec::new();
    let mut last = None;
    for (day, id) in targets {
        match blocks.last_mut() {
            Some(block) if !carries || last == Some(day) => block.push(id),
            _ => blocks.push(vec![id]),
        }
        last = Some(day);
    }
    blocks
}

/// What follows for others when meters of a subscription moved: quotas that are reserved on them are priced anew, and
/// wallets are told.
fn settled(
    session: &mut Session<'_>,
    by: &str,
    subscription: &str,
    meters: &BTreeSet<Id>,
) -> Result<(), Rejection> {
    if meters.is_empty() {
        return Ok(());
    }
    let reserved = &session.index().reserved;
    if meters.iter().any(|meter| reserved.any_on(meter)) {
        let mut desk = Desk::new(session, by, SOURCE);
        for meter in meters.iter().filter(|meter| reserved.any_on(meter)) {
            desk.price_anew(meter, true)?;
        }
        desk.plan()?.stage(session)?;
    }
    let account = session.get::<Subscription>(subscription)?.account.clone();
    crate::operations::wallets::watch(session, &account)
}

/// Where facts of counters say that their draws come from.
const SOURCE: &str = "rerating";

/// What facts of counters have for a batch. The slash keeps it apart from every batch that somebody sends.
fn drawing_batch(by: &str) -> String {
    format!("{SOURCE}/{by}")
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
        .filter(|meter| ask.which.has(session, meter))
        .collect();
    let contracts = ask.contracts(sub);
    let (mut items, mut meters) = (Vec::new(), BTreeSet::new());
    for (code, standing) in &ask.back {
        let charge = sold(contracts, code)?;
        items.push(placed(
            session,
            (id, contracts),
            &zone,
            charge,
            None,
            standing.clone(),
            Edit::Keep,
        )?);
    }
    let scope: BTreeSet<Id> = queue.iter().cloned().collect();
    queue.reverse();
    while let Some(meter) = queue.pop() {
        if !meters.insert(meter.clone()) {
            continue;
        }
        queue.extend(beside(session, id, &meter));
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
            // What only comes along because it draws on the same counters stays what it says.
            let edit = match scope.contains(&meter) {
                true => (ask.edit)(&standing, on),
                false => Edit::Keep,
            };
            let charge = sold(contracts, &code)?;
            let from = Some(meter.clone());
            let item = placed(
                session,
                (id, contracts),
                &zone,
                charge,
                from,
                standing,
                edit,
            )?;
            // A record that moves takes the meter it comes to along.
            queue.extend(item.to.iter().filter(|to| !meters.contains(*to)).cloned());
            items.push(item);
        }
    }
    Ok((items, meters))
}

/// Other meters of the subscription that draw on the counters of a meter.
fn beside(session: &Session<'_>, id: &str, meter: &str) -> Vec<Id> {
    let drawn = |id: &str| {
        let metered = session.find::<Metered>(id)?;
        metered.state.draws.as_deref()
    };
    let Some(draws) = drawn(meter) else {
        return vec![];
    };
    let own: BTreeSet<&Id> = draws.counters().collect();
    let mut others = session.ids::<Metered>(&format!("{id}/"));
    others.retain(|other| {
        other != meter && drawn(other).is_some_and(|d| d.counters().any(|c| own.contains(c)))
    });
    others
}

/// A usage charge by its code, of whichever term has it.
fn sold<'s>(contracts: &'s [Subscription], code: &str) -> Result<&'s Usage, Rejection> {
    let terms = contracts.iter().flat_map(|sub| sub.terms.iter().rev());
    let mut charges = terms.flat_map(|t| &t.offer.usage);
    charges.find(|u| u.code == code).ok_or_else(|| {
        Rejection::new(
            "CHARGE_UNKNOWN",
            format!("the contract no longer has the charge {code} that records were rated by"),
        )
    })
}

/// The place that the first of the contracts has for a record; the refusal is that of the first.
fn place<'a>(
    session: &'a Session<'_>,
    (id, contracts): (&'a str, &'a [Subscription]),
    zone: &'a Zone,
    record: &UsageRecord,
) -> Result<rating::Place<'a>, Rejection> {
    let mut refused = None;
    for sub in contracts {
        match rating::place(session, (id, sub), zone, record) {
            Ok(place) => return Ok(place),
            Err(why) => refused = refused.or(Some(why)),
        }
    }
    Err(refused.unwrap_or_else(crate::past::gone))
}

fn placed(
    session: &Session<'_>,
    (id, contracts): (&str, &[Subscription]),
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
            let place = place(session, (id, contracts), zone, record)?;
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
