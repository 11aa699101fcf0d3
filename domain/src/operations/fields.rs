//! Custom fields: which there are, and what they say.

use super::{account_terms, entity_terms};
use crate::accounts::Account;
use crate::catalog::Catalog;
use crate::command::Outcome;
use crate::fields::{
    self, Carrier, Definition, DefinitionCommand, Definitions, FieldValue, Held, Look, Period,
    Place, Subject,
};
use crate::kernel::{Date, Rejection};
use crate::operations::catalog::MAIN;
use crate::session::Session;
use crate::subscriptions::Subscription;
use std::collections::BTreeSet;

pub(super) fn define(
    session: &mut Session<'_>,
    definition: Definition,
) -> Result<Outcome, Rejection> {
    session.decide::<Definitions>(MAIN, DefinitionCommand::Define(definition))?;
    Ok(Outcome::of("field", MAIN))
}

pub(super) fn withdraw(session: &mut Session<'_>, code: String) -> Result<Outcome, Rejection> {
    let used = users(session, &code);
    session.decide::<Definitions>(MAIN, DefinitionCommand::Withdraw { code, used })?;
    Ok(Outcome::of("field", MAIN))
}

pub(super) fn set(
    session: &mut Session<'_>,
    place: &Place,
    code: &str,
    period: Period,
) -> Result<Outcome, Rejection> {
    let definition = defined(session, place, code)?;
    exists(session, place)?;
    let owner = match place.carrier {
        Carrier::Account => Some(place.id.clone()),
        Carrier::Subscription => session
            .find::<Subscription>(&place.id)
            .map(|s| s.state.account.clone()),
        _ => None,
    };
    let destroyed = match (&period.value, owner) {
        (FieldValue::Sealed(_), None) => {
            return Err(Rejection::new(
                "FIELD_PERSONAL",
                format!("{place} belongs to no account yet: whose personal data is it"),
            ));
        }
        (FieldValue::Sealed(_), Some(owner)) => session
            .find::<Account>(&owner)
            .map(|a| a.state.destroyed_keys().cloned().collect())
            .unwrap_or_default(),
        _ => BTreeSet::new(),
    };
    let command = fields::Command::Set {
        definition: Box::new(definition),
        period,
        destroyed,
    };
    session.decide::<Held>(&place.stream(), command)?;
    Ok(Outcome::of("custom", &place.stream()))
}

pub(super) fn clear(
    session: &mut Session<'_>,
    place: &Place,
    code: &str,
    from: Option<Date>,
    priority: i32,
) -> Result<Outcome, Rejection> {
    defined(session, place, code)?;
    let field = code.to_string();
    let command = fields::Command::Clear {
        field,
        from,
        priority,
    };
    session.decide::<Held>(&place.stream(), command)?;
    Ok(Outcome::of("custom", &place.stream()))
}

/// Refuses a subscription that starts without a value in a required field of its own, of its account, its offer, its
/// charges or its seller.
pub(super) fn require(
    session: &Session<'_>,
    subscription: &str,
    account: &str,
    offer: &crate::catalog::Offer,
    day: Date,
) -> Result<(), Rejection> {
    let any = session
        .definitions()
        .is_some_and(|d| d.fields.values().any(|d| d.required));
    if !any {
        return Ok(());
    }
    let subject = Subject {
        subscription: Some(subscription),
        account: Some(account),
        offer: Some(&offer.code),
        ..Subject::default()
    };
    let charges = (offer.one_off.iter().map(|c| &c.code))
        .chain(offer.recurring.iter().map(|c| &c.code))
        .chain(offer.usage.iter().map(|c| &c.code));
    let of_charges = charges.flat_map(|charge| {
        let charge = Some(charge.as_str());
        fields::missing(session, Subject { charge, ..subject }, day)
    });
    let missing: BTreeSet<_> = fields::missing(session, subject, day)
        .into_iter()
        .chain(of_charges)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let codes: Vec<_> = missing.into_iter().collect();
    Err(Rejection::new(
        "FIELD_REQUIRED",
        format!(
            "subscription {subscription} of account {account} to offer {} has no value on {day} in the required custom fields {}",
            offer.code,
            codes.join(", ")
        ),
    ))
}

/// A field that there is, for a carrier that it can be of.
fn defined(session: &Session<'_>, place: &Place, code: &str) -> Result<Definition, Rejection> {
    let none = Definitions::default();
    let definition = session.definitions().unwrap_or(&none).get(code)?;
    match definition.of.contains(&place.carrier) {
        true => Ok(definition.clone()),
        false => {
            let of: Vec<_> = definition.of.iter().map(|c| c.name()).collect();
            Err(Rejection::new(
                "FIELD_NOT_OF",
                format!(
                    "custom field {code:?} is one of {}, not of {place}",
                    of.join(", ")
                ),
            ))
        }
    }
}

/// Refuses carriers that are not there. A subscription may be described before it starts.
fn exists(session: &Session<'_>, place: &Place) -> Result<(), Rejection> {
    let id = place.id.as_str();
    let offer = |code: &str| {
        let catalog = session.find::<Catalog>(MAIN);
        catalog
            .and_then(|c| c.state.offer(code))
            .ok_or_else(|| Rejection::new("OFFER_UNKNOWN", format!("there is no offer {code:?}")))
    };
    match place.carrier {
        Carrier::LegalEntity => entity_terms(session, id).map(|_| ()),
        Carrier::Account => account_terms(session, id).map(|_| ()),
        Carrier::Subscription => crate::kernel::check_id("subscription", id),
        Carrier::Offer => offer(id).map(|_| ()),
        Carrier::Charge => {
            let (of, charge) = id.split_once('/').unwrap_or((id, ""));
            let offer = offer(of)?;
            let known = (offer.one_off.iter().map(|c| &c.code))
                .chain(offer.recurring.iter().map(|c| &c.code))
                .chain(offer.usage.iter().map(|c| &c.code))
                .any(|code| code == charge);
            match known {
                true => Ok(()),
                false => Err(Rejection::new(
                    "CHARGE_UNKNOWN",
                    format!(
                        "offer {of:?} has no charge {charge:?}: charges are named offer/charge"
                    ),
                )),
            }
        }
    }
}

/// The newest versions of offers whose text reads a field.
fn users(session: &Session<'_>, code: &str) -> Vec<String> {
    let catalog = session.find::<Catalog>(MAIN);
    let offers = catalog.into_iter().flat_map(|c| c.state.offers.values());
    offers
        .filter_map(|versions| versions.last())
        .filter(|offer| serde_json::to_value(&***offer).is_ok_and(|value| reads(&value, code)))
        .map(|offer| format!("offer {}", offer.code))
        .collect()
}

/// Whether any text in a value is an expression that reads a custom field.
fn reads(value: &serde_json::Value, code: &str) -> bool {
    use crate::expressions::{Expression, Read};
    match value {
        serde_json::Value::String(text) => {
            text.contains("field(")
                && Expression::new(text.as_str())
                    .reads()
                    .contains(&Read::Field(code.to_string()))
        }
        serde_json::Value::Array(list) => list.iter().any(|v| reads(v, code)),
        serde_json::Value::Object(map) => map.values().any(|v| reads(v, code)),
        _ => false,
    }
}
