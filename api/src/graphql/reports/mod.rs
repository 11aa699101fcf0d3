//! Reports: what the read models know, per question.
//!
//! Amounts that are sums of money are money; recurring revenue and shares are exact and shown with 12 decimals.

mod aging;
mod finance;
mod receivables;
mod revenue;
mod usage;

pub use aging::AgingQueries;
pub use finance::FinanceQueries;
pub use receivables::ReceivableQueries;
pub use revenue::RevenueQueries;
pub use usage::UsageReportQueries;

use async_graphql::Result;
use indelible_domain::kernel::{self, Exact};

use super::errors;

/// Decimals of an exact amount (policy 1).
const EXACT_PLACES: u32 = 12;
/// Months of one report.
const MONTHS: i64 = 120;

fn exact(amount: Exact) -> String {
    amount.to_decimal(EXACT_PLACES)
}

fn currency(code: &str) -> Result<kernel::Currency> {
    code.parse().map_err(errors::rejected)
}

/// Refuses a range that would make an unbounded report.
fn range(from: kernel::Date, through: kernel::Date) -> Result<()> {
    let days = kernel::calendar::days_between(from, through);
    if days < 0 {
        return Err(errors::refused(
            "RANGE_EMPTY",
            format!("{through} is before {from}"),
        ));
    }
    if days > MONTHS * 31 {
        return Err(errors::refused(
            "RANGE_TOO_LONG",
            format!("{from} to {through} is more than {MONTHS} months"),
        ));
    }
    Ok(())
}
