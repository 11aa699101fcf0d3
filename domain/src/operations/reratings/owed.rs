//! What a subscription owes for the past, line by line, whatever was billed of it: the two sides of a difference.

use crate::charges::due::{self, Basis, Due};
use crate::charges::{Charges, What, used};
use crate::kernel::{Date, Days, Id, Money, Rejection};
use crate::operations::usage::follow::left_behind;
use crate::operations::{account_terms, entity_terms, exchange};
use crate::reratings::Difference;
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::usage::{self, Metered};
use std::collections::{BTreeMap, BTreeSet};

/// What a line is of: kind, charge and first day.
type Place = (u8, String, Date);

/// Lines by what they are of.
pub(super) type Owed = BTreeMap<Place, Due>;

/// Lines of usage, recurring charges and commitments of periods that meet the days, up to today.
pub(super) fn owed<'m>(
    session: &Session<'_>,
    (id, sub): (&str, &Subscription),
    days: Days,
    metered: impl Fn(&str, Date) -> Option<&'m Metered>,
) -> Result<Owed, Rejection> {
    let terms = account_terms(session, &sub.account)?;
    let entity = entity_terms(session, &terms.entity)?;
    let basis = Basis {
        currency: exchange::currency_of(sub, terms.currency),
        rounding: entity.rounding,
        as_of: session.today(&terms.zone),
        running: true,
    };
    let mut owed = Owed::new();
    let none = Charges::default();
    let mut lines = due::of_subscription(sub, &none, &metered, basis, Date::MIN)?;
    let left = left_behind(session, id, sub, Date::MIN);
    lines.extend(used::left_behind(sub, &none, &left, &metered, basis)?);
    for line in lines {
        let kind = match &line.what {
            What::Usage { .. } => 0,
            What::Recurring { .. } => 1,
            What::TrueUp { .. } => 2,
            What::Cap { .. } => 3,
            _ => continue,
        };
        let of = line.what.days().filter(|d| !d.overlap(days).is_empty());
        if let Some(of) = of {
            owed.insert((kind, line.what.charge().to_string(), of.from), line);
        }
    }
    Ok(owed)
}

/// The same of a subscription as the session has it now.
pub(super) fn now(session: &Session<'_>, id: &str, days: Days) -> Result<Owed, Rejection> {
    let sub = session.get::<Subscription>(id)?;
    owed(session, (id, sub), days, |charge, from| {
        let metered = session.find::<Metered>(&usage::id(id, charge, from));
        metered.map(|e| &e.state)
    })
}

/// The same as it was before this command.
pub(super) fn before(session: &Session<'_>, id: &str, days: Days) -> Result<Owed, Rejection> {
    let sub = session.get::<Subscription>(id)?;
    let sub = session.before::<Subscription>(id).map_or(sub, |e| &e.state);
    owed(session, (id, sub), days, |charge, from| {
        let metered = session.before::<Metered>(&usage::id(id, charge, from));
        metered.map(|e| &e.state)
    })
}

/// What differs, line by line. `burnt`: what wallets paid of meters before and after.
pub(super) fn differences(
    session: &Session<'_>,
    id: &str,
    before: &Owed,
    after: &Owed,
    meters: &BTreeSet<Id>,
) -> Result<Vec<Difference>, Rejection> {
    let none = Charges::default();
    let charges = session.find::<Charges>(id).map_or(&none, |e| &e.state);
    let places: BTreeSet<&Place> = before.keys().chain(after.keys()).collect();
    let mut out = Vec::new();
    for place in places {
        let (was, is) = (before.get(place), after.get(place));
        let Some(any) = is.or(was) else { continue };
        let zero = Money::zero(any.net.currency);
        let net = |due: Option<&Due>| due.map_or(zero, |d| d.net);
        let quantity = |due: Option<&Due>| due.map_or(String::new(), |d| d.quantity.clone());
        let changed = net(was) != net(is)
            || (place.0 == 0 && was.map(|d| &d.exact) != is.map(|d| &d.exact))
            || (place.0 == 0 && quantity(was) != quantity(is));
        if !changed {
            continue;
        }
        let days = any.what.days().unwrap_or(Days::new(place.2, place.2));
        out.push(Difference {
            charge: place.1.clone(),
            days,
            text: any.text.clone(),
            quantity_before: quantity(was),
            quantity_after: quantity(is),
            before: net(was),
            after: net(is),
            billed_on: billed_on(charges, &any.what),
            explain: is.map_or("nothing is owed any more".to_string(), |d| {
                d.explain.clone()
            }),
        });
    }
    out.extend(burnt(session, id, meters)?);
    Ok(out)
}

/// What wallets paid of meters that changed.
fn burnt(
    session: &Session<'_>,
    id: &str,
    meters: &BTreeSet<Id>,
) -> Result<Vec<Difference>, Rejection> {
    let account = &session.get::<Subscription>(id)?.account;
    let terms = account_terms(session, account)?;
    let rounding = entity_terms(session, &terms.entity)?.rounding;
    let none = Metered::default();
    let mut out = Vec::new();
    for id in meters {
        let was = session.before::<Metered>(id).map_or(&none, |e| &e.state);
        let is = session.find::<Metered>(id).map_or(&none, |e| &e.state);
        let Some(days) = is.meter.period.or(was.meter.period) else {
            continue;
        };
        if was.meter.burnt == is.meter.burnt {
            continue;
        }
        let charge = id.split('/').nth(1).unwrap_or_default().to_string();
        let round = |exact| Money::round(exact, terms.currency, rounding);
        out.push(Difference {
            text: format!("{charge} from wallets"),
            charge,
            days,
            quantity_before: was.meter.quantity.to_string(),
            quantity_after: is.meter.quantity.to_string(),
            before: round(was.meter.burnt)?,
            after: round(is.meter.burnt)?,
            billed_on: None,
            explain: format!(
                "wallets paid {}, and pay {}",
                was.meter.burnt.to_decimal(12),
                is.meter.burnt.to_decimal(12)
            ),
        });
    }
    Ok(out)
}

/// The first document that billed what a line is of.
pub(super) fn billed_on(charges: &Charges, what: &What) -> Option<Id> {
    charges
        .items
        .iter()
        .find(|item| same(&item.what, what))
        .map(|item| item.invoice.clone())
}

/// Whether two lines are of the same charge and period.
pub(super) fn same(a: &What, b: &What) -> bool {
    let kind = std::mem::discriminant(a) == std::mem::discriminant(b);
    let period = |what: &What| match what {
        What::Recurring { period, .. } => Some(period.from),
        What::Usage { days, .. } | What::TrueUp { days, .. } | What::Cap { days, .. } => {
            Some(days.from)
        }
        _ => None,
    };
    kind && a.charge() == b.charge() && period(a).is_some() && period(a) == period(b)
}
