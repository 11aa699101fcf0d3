//! The catalog and the tax table of a tenant.

use crate::catalog::{self, Catalog, Offer};
use crate::command::Outcome;
use crate::kernel::Rejection;
use crate::session::Session;
use crate::taxes::{self, Rate, TaxTable};

/// Stream id of things a tenant has one of.
pub(crate) const MAIN: &str = "main";

pub(super) fn apply(session: &mut Session<'_>, offers: Vec<Offer>) -> Result<Outcome, Rejection> {
    session.decide::<Catalog>(MAIN, catalog::Command::Apply(offers))?;
    Ok(Outcome::of("catalog", MAIN))
}

pub(super) fn classify(
    session: &mut Session<'_>,
    offer: String,
    product_line: Option<String>,
) -> Result<Outcome, Rejection> {
    session.decide::<Catalog>(
        MAIN,
        catalog::Command::Classify {
            offer,
            product_line,
        },
    )?;
    Ok(Outcome::of("catalog", MAIN))
}

pub(super) fn set_tax_rate(session: &mut Session<'_>, rate: Rate) -> Result<Outcome, Rejection> {
    session.decide::<TaxTable>(MAIN, taxes::Command::SetRate(rate))?;
    Ok(Outcome::of("tax", MAIN))
}
