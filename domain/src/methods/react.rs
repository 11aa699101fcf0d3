//! What the ways to pay mean for others: a payer is asked for another card before his expires.

use super::{Event as Fact, Expiring, Means, Methods};
use crate::kernel::Rejection;
use crate::messages::{self, Ask, Message};
use crate::session::{Session, Staged};
use crate::world::Event;
use std::collections::BTreeMap;

/// Text that asks for another card.
const TEMPLATE: &str = "card-expiring";

/// Follows cards that will expire.
pub fn react(session: &mut Session<'_>, fact: &Staged) -> Result<(), Rejection> {
    match &fact.event {
        Event::Method(Fact::Expiring(e)) => expiring(session, &fact.id, e),
        _ => Ok(()),
    }
}

/// One message for each card and the month in which it expires, by the account's channel and language.
fn expiring(session: &mut Session<'_>, account: &str, e: &Expiring) -> Result<(), Rejection> {
    let methods = session.get::<Methods>(account)?;
    let Some(Means::Card(card)) = methods.method(&e.method).map(|m| m.means.clone()) else {
        return Ok(());
    };
    let values = [
        ("brand", card.brand),
        ("digits", card.last4),
        (
            "expires",
            format!("{:02}/{}", e.expires.month, e.expires.year),
        ),
    ];
    let ask = Ask {
        account: account.to_string(),
        template: TEMPLATE.to_string(),
        values: BTreeMap::from(values.map(|(name, value)| (name.to_string(), value))),
        on: e.on,
        ..Ask::default()
    };
    let month = format!("{}-{:02}", e.expires.year, e.expires.month);
    let message = format!("card.{account}.{}.{month}", e.method);
    // Another card under the same id may end in the same month: then it was told of.
    if session.find::<Message>(&message).is_none() {
        session.decide::<Message>(&message, messages::Command::Ask(Box::new(ask)))?;
    }
    Ok(())
}
