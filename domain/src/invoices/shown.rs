//! How the lines of a document are put together for whoever reads it.
//!
//! - Usage by the days, weeks or months on which it happened, and by its unit price; lines of one service as one.
//! - What is shown is split off the lines beneath in minor units, so that it sums to them to the cent (policy 3). Tax and
//!   totals are those of the document; nothing that is billed, remembered or credited depends on it.
//! - The document records how it is shown, so that it reads the same whatever is set later.

use serde::{Deserialize, Serialize};

/// The days that usage is put together by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageDate {
    /// The whole period at once.
    #[default]
    Whole,
    Day,
    /// From Monday.
    Week,
    Month,
}

/// How lines are put together; by default each is shown as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    pub usage_date: UsageDate,
    /// Usage of different unit prices is shown apart.
    pub unit_price: bool,
    /// Lines of one service are shown as one: the same charge, tax and rate, of whichever subscription.
    pub service: bool,
}

impl Shown {
    /// Whether each line is shown as it is.
    pub fn as_it_is(&self) -> bool {
        *self == Shown::default()
    }
}
