//! The catalog of a tenant.

use crate::catalog::{self, Catalog, Offer};
use crate::command::Outcome;
use crate::kernel::Rejection;
use crate::session::Session;

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
