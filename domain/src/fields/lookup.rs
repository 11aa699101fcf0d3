//! The value of a custom field for something on a day, inherited where the field is.

use super::definition::MAIN;
use super::{Carrier, Definition, Definitions, FieldValue, Held, Inheritance, Period, Place};
use crate::accounts::{Account, AccountTerms};
use crate::kernel::Date;
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::world::{Noun, Tables};

/// Where definitions, values and the hierarchy are looked up.
pub trait Look {
    fn definitions(&self) -> Option<&Definitions>;
    /// Values of a carrier, by its stream.
    fn held(&self, stream: &str) -> Option<&Held>;
    fn account(&self, account: &str) -> Option<&AccountTerms>;
    fn subscription(&self, subscription: &str) -> Option<&Subscription>;
}

impl Look for Session<'_> {
    fn definitions(&self) -> Option<&Definitions> {
        self.find::<Definitions>(MAIN).map(|e| &e.state)
    }

    fn held(&self, stream: &str) -> Option<&Held> {
        self.find::<Held>(stream).map(|e| &e.state)
    }

    fn account(&self, account: &str) -> Option<&AccountTerms> {
        self.find::<Account>(account).map(|e| &e.state.terms)
    }

    fn subscription(&self, subscription: &str) -> Option<&Subscription> {
        self.find::<Subscription>(subscription).map(|e| &e.state)
    }
}

impl Look for Tables {
    fn definitions(&self) -> Option<&Definitions> {
        Definitions::table(self).get(MAIN).map(|e| &e.state)
    }

    fn held(&self, stream: &str) -> Option<&Held> {
        Held::table(self).get(stream).map(|e| &e.state)
    }

    fn account(&self, account: &str) -> Option<&AccountTerms> {
        Account::table(self).get(account).map(|e| &e.state.terms)
    }

    fn subscription(&self, subscription: &str) -> Option<&Subscription> {
        Subscription::table(self)
            .get(subscription)
            .map(|e| &e.state)
    }
}

/// Whose field is asked for, from the nearest to the farthest: a customer's own word counts before that of what was
/// bought, and both before the seller's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Subject<'a> {
    pub subscription: Option<&'a str>,
    pub account: Option<&'a str>,
    /// Offer, and the charge in it.
    pub offer: Option<&'a str>,
    pub charge: Option<&'a str>,
    pub entity: Option<&'a str>,
}

impl<'a> Subject<'a> {
    /// The subject of one carrier, with everything that it inherits from.
    pub fn of(look: &'a (impl Look + ?Sized), place: &'a Place) -> Subject<'a> {
        let id = place.id.as_str();
        let account = |account: &'a str| Subject {
            account: Some(account),
            entity: look.account(account).map(|a| a.entity.as_str()),
            ..Subject::default()
        };
        match place.carrier {
            Carrier::LegalEntity => Subject {
                entity: Some(id),
                ..Subject::default()
            },
            Carrier::Account => account(id),
            Carrier::Subscription => {
                let of = look.subscription(id).map(|s| s.account.as_str());
                Subject {
                    subscription: Some(id),
                    ..of.map_or(Subject::default(), account)
                }
            }
            Carrier::Offer => Subject {
                offer: Some(id),
                ..Subject::default()
            },
            Carrier::Charge => {
                let (offer, charge) = id.split_once('/').unwrap_or((id, ""));
                Subject {
                    offer: Some(offer),
                    charge: Some(charge),
                    ..Subject::default()
                }
            }
        }
    }

    /// The carriers in the order they are asked.
    fn chain<L: Look + ?Sized>(self, look: &'a L) -> impl Iterator<Item = Place> + use<'a, L> {
        let account = self.account.and_then(|a| look.account(a));
        let payer = account.and_then(|a| a.payer.as_deref());
        let entity = self.entity.or(account.map(|a| a.entity.as_str()));
        let charge = self
            .offer
            .zip(self.charge)
            .map(|(offer, charge)| format!("{offer}/{charge}"));
        let place = |carrier, id: Option<&str>| id.map(|id| Place::new(carrier, id));
        [
            place(Carrier::Subscription, self.subscription),
            place(Carrier::Account, self.account),
            place(Carrier::Account, payer),
            charge.map(|id| Place::new(Carrier::Charge, id)),
            place(Carrier::Offer, self.offer),
            place(Carrier::LegalEntity, entity),
        ]
        .into_iter()
        .flatten()
    }
}

/// A value, and where it comes from; no place: it is the default of the field.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<'a> {
    pub value: &'a FieldValue,
    pub place: Option<Place>,
    pub period: Option<&'a Period>,
}

/// The value of a field for a subject on a day. A field that is not inherited is asked of the nearest carrier it can be
/// of, and of no other.
pub fn find<'a>(
    look: &'a (impl Look + ?Sized),
    definition: &'a Definition,
    subject: Subject<'a>,
    day: Date,
) -> Option<Found<'a>> {
    let reach = match definition.inheritance {
        Inheritance::None => 1,
        Inheritance::Nearest => usize::MAX,
    };
    let carriers = subject
        .chain(look)
        .filter(|place| definition.of.contains(&place.carrier))
        .take(reach);
    for place in carriers {
        let held = look.held(&place.stream());
        if let Some(period) = held.and_then(|held| held.on(&definition.code, day)) {
            return Some(Found {
                value: &period.value,
                place: Some(place),
                period: Some(period),
            });
        }
    }
    definition.default.as_ref().map(|value| Found {
        value,
        place: None,
        period: None,
    })
}

/// Codes of required fields that have no value for a subject on a day.
pub fn missing<'a>(
    look: &'a (impl Look + ?Sized),
    subject: Subject<'a>,
    day: Date,
) -> Vec<&'a str> {
    let definitions = look
        .definitions()
        .into_iter()
        .flat_map(|d| d.fields.values());
    definitions
        .filter(|d| d.required)
        .filter(|d| subject.chain(look).any(|p| d.of.contains(&p.carrier)))
        .filter(|d| find(look, d, subject, day).is_none())
        .map(|d| d.code.as_str())
        .collect()
}
