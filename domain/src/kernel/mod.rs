//! What every context shares: money, quantities, calendar, identity, the shape of facts.
//!
//! Nothing here knows a business noun, reads a clock or does I/O.

pub mod calendar;
pub mod decider;
pub mod decimal;
pub mod event;
pub mod exact;
pub mod key;
pub mod money;
pub mod personal;
pub mod recorded;
pub mod roll;
pub mod text;
pub mod time;
pub(crate) mod written;
pub mod zone;

pub use calendar::{Date, Days, Grid, Span};
pub use decider::{Decider, Rejection};
pub use decimal::Decimal;
pub use exact::Exact;
pub use money::{Currency, Money, Rounding};
pub use personal::{Personal, Purpose};
pub use recorded::{Meta, Recorded};
pub use roll::{Roll, ShortRoll};
pub use text::Text;
pub use time::Instant;
pub use zone::Zone;

/// An identifier given by whoever creates the thing; unique within (tenant, kind).
pub type Id = String;

/// Longest identifier accepted, in bytes.
pub const ID_MAX: usize = 120;

/// Refuses identifiers that could not be a stream's name: empty, longer than [`ID_MAX`], or with
/// characters outside `A–Z a–z 0–9 . _ : -`. Personal data has no place in an identifier.
pub fn check_id(what: &str, id: &str) -> Result<(), Rejection> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    if id.is_empty() || id.len() > ID_MAX || !id.chars().all(allowed) {
        return Err(Rejection::new(
            "ID_INVALID",
            format!(
                "{what} id {id:?} must be 1 to {ID_MAX} characters out of letters, digits and . _ : -"
            ),
        ));
    }
    Ok(())
}
