//! The tax table, exemptions, and the tax of a line.

use super::{account_terms, catalog::MAIN};
use crate::accounts::{self, Account, AccountTerms};
use crate::command::Outcome;
use crate::entities::EntityTerms;
use crate::kernel::{Date, Rejection};
use crate::session::Session;
use crate::taxes::{self, Answer, Exemption, Question, Rate, TaxTable};

pub(super) fn set_rate(session: &mut Session<'_>, rate: Rate) -> Result<Outcome, Rejection> {
    session.decide::<TaxTable>(MAIN, taxes::Command::SetRate(rate))?;
    Ok(Outcome::of("tax", MAIN))
}

pub(super) fn exempt(
    session: &mut Session<'_>,
    account: &str,
    exemption: Exemption,
) -> Result<Outcome, Rejection> {
    account_terms(session, account)?;
    session.decide::<Account>(account, accounts::Command::ExemptFromTax(exemption))?;
    Ok(Outcome::of("account", account))
}

pub(super) fn end_exemption(
    session: &mut Session<'_>,
    account: &str,
    class: Option<String>,
    on: Option<Date>,
) -> Result<Outcome, Rejection> {
    let zone = account_terms(session, account)?.zone;
    let on = on.unwrap_or_else(|| session.today(&zone));
    session.decide::<Account>(account, accounts::Command::EndTaxExemption { class, on })?;
    Ok(Outcome::of("account", account))
}

/// The tax of a class of charges of an account on a day: its exemption, else the rate of the table (policy 21).
pub(crate) fn answer(
    session: &Session<'_>,
    account: &str,
    terms: &AccountTerms,
    entity: &EntityTerms,
    class: &str,
    on: Date,
) -> Answer {
    let exempt = session
        .find::<Account>(account)
        .and_then(|e| e.state.exempt(class, on));
    if let Some(reason) = exempt {
        return Answer::exempt(reason);
    }
    let question = Question {
        category: &terms.tax_category,
        class,
        seller: &entity.country,
        buyer: &terms.country,
        on,
    };
    match session.find::<TaxTable>(MAIN) {
        Some(table) => table.state.rate(&question),
        None => TaxTable::default().rate(&question),
    }
}
