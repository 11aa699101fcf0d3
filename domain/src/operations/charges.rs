//! Charges added by hand.

use super::account_terms;
use crate::charges::{Charges, Command, Pending};
use crate::command::Outcome;
use crate::kernel::{Date, Id, Money, Rejection, check_id};
use crate::session::Session;

pub(super) fn add(
    session: &mut Session<'_>,
    account: &str,
    charge: Id,
    text: String,
    amount: Money,
    on: Option<Date>,
    tax_class: String,
) -> Result<Outcome, Rejection> {
    check_id("charge", &charge)?;
    let terms = account_terms(session, account)?;
    if amount.currency != terms.currency {
        return Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!(
                "account {account} is in {}, the charge in {}",
                terms.currency, amount.currency
            ),
        ));
    }
    let on = on.unwrap_or_else(|| session.today(&terms.zone));
    let outcome = Outcome::of("charge", &charge);
    session.decide::<Charges>(
        account,
        Command::Add(Pending {
            charge,
            text,
            amount,
            on,
            tax_class,
        }),
    )?;
    Ok(outcome)
}

pub(super) fn cancel(
    session: &mut Session<'_>,
    account: &str,
    charge: Id,
) -> Result<Outcome, Rejection> {
    let outcome = Outcome::of("charge", &charge);
    session.decide::<Charges>(account, Command::Cancel { charge })?;
    Ok(outcome)
}
