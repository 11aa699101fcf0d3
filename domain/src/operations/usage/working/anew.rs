//! A meter that is counted anew from nothing: its records cost and draw what they would the first time, and nobody has
//! paid yet.

use super::Working;
use crate::kernel::Rejection;
use crate::usage::{Drawing, Draws, Meter, RatedRecord, Remembered};

/// What it came to.
pub(in crate::operations::usage) struct Anew {
    pub meter: Meter,
    pub records: Vec<RatedRecord>,
    pub remembered: Option<Remembered>,
    /// What each record drew on counters.
    pub drawings: Vec<Drawing>,
    /// All of it together.
    pub draws: Draws,
}

impl Working<'_> {
    /// Nobody pays its records one by one.
    pub fn unpaid(mut self) -> Self {
        self.unpaid = true;
        self
    }

    /// What counting it anew came to.
    pub fn anew(self) -> Result<Anew, Rejection> {
        let covered = self.tally.covered();
        let (meter, remembered) = self.tally.finish_all()?;
        let draws = self.draws.map(|draws| *draws).unwrap_or_default();
        Ok(Anew {
            meter,
            records: self.records,
            remembered,
            drawings: self.drawings,
            draws: Draws { covered, ..draws },
        })
    }
}
