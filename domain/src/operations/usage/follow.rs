//! Usage follows its contract: what was rated in periods that a back-dated change takes away, cuts or prices otherwise is
//! rated again in the commit of the change, as if the change had been known before
//! (docs/decisions/0042-usage-follows-its-contract.md).

use super::recount::{Edit, RECOUNTED_MAX, Recounting, Which, recount};
use crate::accounts::Account;
use crate::kernel::{Date, Days, Id, Rejection};
use crate::operations::{account_terms, counters};
use crate::session::Session;
use crate::subscriptions::schedule::{UsagePeriod, usage_periods_since};
use crate::subscriptions::{self, Subscription};
use crate::usage::{self, Metered};
use crate::world::Event;
use std::collections::BTreeSet;

/// Rates again what the changes of this command to a subscription make different of its usage.
///
/// Errors: those of a log that cannot be read.
pub(in crate::operations) fn follow(session: &mut Session<'_>, id: &str) -> Result<(), Rejection> {
    // What begins in this command has no usage yet.
    let Some(old) = session.before::<Subscription>(id) else {
        return Ok(());
    };
    let Some((from, version)) = changed_from(session, id) else {
        return Ok(());
    };
    let new = session.get::<Subscription>(id)?;
    let zone = account_terms(session, &new.account)?.zone;
    if from > session.today(&zone) {
        return Ok(());
    }
    let meters = stale(session, id, (&old.state, new), from);
    let records = meters.iter().filter_map(|m| session.find::<Metered>(m));
    let records: u64 = records.map(|m| m.state.meter.records).sum();
    if records == 0 || records.saturating_add(recounted(session)) > RECOUNTED_MAX as u64 {
        return Ok(());
    }
    let contracts = contracts(&old.state, new);
    let by = format!("contract/{version}");
    let ask = Recounting {
        by: &by,
        subscription: id,
        which: Which::These(&meters),
        contracts: &contracts,
        edit: &|_, _| Edit::Keep,
        back: vec![],
    };
    let done = session.attempt(|s| {
        // It draws on counters of the size that the change brings.
        counters::follow(s, id)?;
        recount(s, &ask)
    });
    match done {
        // The log could not be read: that is no answer about the usage.
        Err(why) if why.code.starts_with("PAST_") && why.code != "PAST_UNKNOWN" => Err(why),
        // What cannot be rated again stays where it is, and is billed there: `charges::used::left_behind`.
        _ => Ok(()),
    }
}

/// Rates again what an account used in periods that reach beyond a day, because its days begin at other instants now.
///
/// Errors: ZONE_MOVES_USAGE for more records than one command takes, and whatever rating them again may say.
pub(in crate::operations) fn rezone(
    session: &mut Session<'_>,
    account: &str,
    day: Date,
) -> Result<(), Rejection> {
    let own = session.index().subscriptions_of.get(account);
    let mut used = Vec::new();
    for id in own.into_iter().flatten() {
        let sub = session.get::<Subscription>(id)?;
        let meters = used_beyond(session, id, &[sub], day);
        if !meters.is_empty() {
            let meters: BTreeSet<Id> = meters.into_iter().map(|u| u.meter).collect();
            used.push((id, meters));
        }
    }
    let meters = used.iter().flat_map(|(_, meters)| meters);
    let counted = meters.filter_map(|m| session.find::<Metered>(m));
    let records: u64 = counted.map(|m| m.state.meter.records).sum();
    if records > RECOUNTED_MAX as u64 {
        return Err(Rejection::new(
            "ZONE_MOVES_USAGE",
            format!(
                "account {account} has {records} records in periods that would begin at another time, at most {RECOUNTED_MAX} are rated again at once: let the zone change on a later day"
            ),
        ));
    }
    let version = session.find::<Account>(account).map(|a| a.version);
    let by = format!("zone/{account}/{}", version.unwrap_or_default());
    for (id, meters) in used {
        let sub = session.get::<Subscription>(id)?;
        let contracts = contracts(sub, sub);
        recount(
            session,
            &Recounting {
                by: &by,
                subscription: id,
                which: Which::These(&meters),
                contracts: &contracts,
                edit: &|_, _| Edit::Keep,
                back: vec![],
            },
        )?;
    }
    Ok(())
}

/// The first day that this command changes of a subscription, and its version; none where its usage was rated in the
/// command already: what the log says of it is not all of it then.
fn changed_from(session: &Session<'_>, id: &str) -> Option<(Date, u64)> {
    let meters = format!("{id}/");
    let mut changed: Option<(Date, u64)> = None;
    for staged in session.events() {
        match &staged.event {
            Event::Subscription(subscriptions::Event::Changed(e)) if *staged.id == id => {
                let from = changed.map_or(e.term.from, |(day, _)| day.min(e.term.from));
                changed = Some((from, staged.version));
            }
            Event::Usage(_) if staged.id.starts_with(&meters) => return None,
            _ => {}
        }
    }
    changed
}

/// Records that this command rated again so far: all of it is one commit.
fn recounted(session: &Session<'_>) -> u64 {
    let events = session.events().iter();
    let changes = events.filter_map(|staged| match &staged.event {
        Event::Usage(usage::Event::Recounted(e)) => Some(e.changes.len() as u64),
        _ => None,
    });
    changes.sum()
}

/// A meter with records: its stream, code of its charge, its period.
struct Used {
    meter: Id,
    code: String,
    days: Days,
}

/// Meters with records whose periods reach beyond a day, in order. No others are looked at, except of charges that the
/// contract does not have any more.
fn used_beyond(
    session: &Session<'_>,
    id: &str,
    contracts: &[&Subscription],
    day: Date,
) -> Vec<Used> {
    let mut found = Vec::new();
    let prefix = format!("{id}/");
    let mut next = prefix.clone();
    while let Some(first) = session.first_id::<Metered>(&prefix, &next) {
        let code = first.split('/').nth(1).unwrap_or_default().to_string();
        let of_charge = format!("{prefix}{code}/");
        let earliest = usage::id(id, &code, earliest(contracts, &code, day));
        for meter in session.ids_from::<Metered>(&of_charge, &earliest) {
            let state = session.find::<Metered>(&meter).map(|m| &m.state.meter);
            let days = state.filter(|m| m.records > 0).and_then(|m| m.period);
            if let Some(days) = days.filter(|days| days.until > day) {
                let code = code.clone();
                found.push(Used { meter, code, days });
            }
        }
        // The character after the slash that ends the code.
        next = format!("{prefix}{code}0");
    }
    found
}

/// No period of a charge that begins before this day reaches beyond `day`.
fn earliest(contracts: &[&Subscription], code: &str, day: Date) -> Date {
    let terms = contracts.iter().flat_map(|sub| &sub.terms);
    let charges = terms.flat_map(|t| &t.offer.usage);
    let own = charges.filter(|u| u.code == code);
    own.map(|u| u.every.before(day)).min().unwrap_or(Date::MIN)
}

/// Periods of a contract that may be those of meters.
fn periods<'s>(sub: &'s Subscription, used: &[Used]) -> Vec<UsagePeriod<'s>> {
    let first = used.iter().map(|u| u.days.from);
    match (first.clone().min(), first.max()) {
        (Some(since), Some(through)) => usage_periods_since(sub, since, through),
        _ => vec![],
    }
}

impl Used {
    fn period<'p, 's>(&self, periods: &'p [UsagePeriod<'s>]) -> Option<&'p UsagePeriod<'s>> {
        let own =
            |p: &&UsagePeriod<'_>| p.charge.code == self.code && p.days.from == self.days.from;
        periods.iter().find(own)
    }
}

/// Meters with records of the changed days whose period is another one now, or is sold otherwise.
fn stale(
    session: &Session<'_>,
    id: &str,
    (old, new): (&Subscription, &Subscription),
    from: Date,
) -> BTreeSet<Id> {
    let used = used_beyond(session, id, &[old, new], from);
    let (was, is) = (periods(old, &used), periods(new, &used));
    let stays = |u: &Used| match (u.period(&was), u.period(&is)) {
        (Some(was), Some(is)) => same(was, is),
        _ => false,
    };
    let moved = used.into_iter().filter(|u| !stays(u));
    moved.map(|u| u.meter).collect()
}

/// Whether what was rated in a period would be rated the same in another.
fn same(was: &UsagePeriod<'_>, is: &UsagePeriod<'_>) -> bool {
    (was.days, was.whole) == (is.days, is.whole)
        && was.charge == is.charge
        && (was.term.quantity == is.term.quantity || !was.charge.reads_contract())
}

/// The contract as records are placed by it. What was rated stays rated: a pause or an end that was told later takes no
/// usage back, and what the contract has no price for any more keeps the one it had.
fn contracts(old: &Subscription, new: &Subscription) -> [Subscription; 3] {
    let goes_on = |sub: &Subscription| Subscription {
        pauses: vec![],
        end: None,
        ..sub.clone()
    };
    let unpaused = Subscription {
        pauses: vec![],
        ..new.clone()
    };
    [unpaused, goes_on(new), goes_on(old)]
}

/// Meters with records whose period the contract does not have, by charge and first day, of periods that reach beyond a day.
pub(in crate::operations) fn left_behind(
    session: &Session<'_>,
    id: &str,
    sub: &Subscription,
    settled: Date,
) -> Vec<(String, Date)> {
    // One term that goes on has every period there ever was.
    if sub.terms.len() < 2 && sub.end.is_none() {
        return vec![];
    }
    let mut used = used_beyond(session, id, &[sub], settled);
    let has = periods(sub, &used);
    used.retain(|u| u.period(&has).is_none());
    used.into_iter().map(|u| (u.code, u.days.from)).collect()
}
