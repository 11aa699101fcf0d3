//! What a payer is told before a debit.

use crate::kernel::{Money, Rejection};
use crate::messages::{self, Ask, Message};
use crate::methods::{Means, Method};
use crate::payments::Routed;
use crate::session::Session;
use std::collections::BTreeMap;

/// Text that tells of a debit.
const TEMPLATE: &str = "debit-notice";

/// Tells the payer how much is debited, when, and on which mandate; of other methods nothing has to be told.
pub(super) fn of_debit(
    session: &mut Session<'_>,
    payment: &str,
    method: &Method,
    route: &Routed,
    amount: Money,
) -> Result<(), Rejection> {
    let Means::DirectDebit(mandate) = &method.means else {
        return Ok(());
    };
    let values = [
        ("amount", amount.to_string()),
        ("day", route.on.to_string()),
        ("mandate", mandate.reference.clone()),
        ("digits", mandate.bank.last4.clone()),
        ("text", route.text.clone()),
    ];
    let ask = Ask {
        account: crate::accounts::folio::owner(&route.account).to_string(),
        template: TEMPLATE.to_string(),
        values: BTreeMap::from(values.map(|(name, value)| (name.to_string(), value))),
        on: session.today(&crate::operations::folio_terms(session, &route.account)?.zone),
        ..Ask::default()
    };
    let message = format!("debit.{payment}");
    session.decide::<Message>(&message, messages::Command::Ask(Box::new(ask)))?;
    Ok(())
}
