//! Levels of dunning and what is done on them.

use crate::dunning;
use crate::kernel::Decimal;
use serde::{Deserialize, Serialize};

/// Reached on the day `after_days` after the due date of the oldest unpaid invoice (policy 29).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DunningLevel {
    pub name: String,
    pub after_days: u32,
    /// Only when at least this much is overdue.
    pub minimum: Option<Decimal>,
    pub actions: Vec<DunningAction>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DunningAction {
    Remind,
    /// A charge on the next invoice.
    Fee(Decimal),
    /// Pauses the account's subscriptions until everything overdue is paid.
    Suspend,
    /// Asks the payment provider again (the edge acts on the event).
    RetryPayment,
    WriteOff,
    /// A charge on the next invoice: flat, a share of what is overdue, or both.
    LateFee(dunning::LateFee),
    /// A charge on the next invoice: interest on what is overdue.
    Interest(dunning::Interest),
    /// Restricts chosen services until everything overdue is paid.
    Restrict(dunning::Restriction),
    /// Nothing new is sold to the account until everything overdue is paid.
    Hold,
    /// An agency collects.
    HandOver {
        agency: String,
    },
    /// Ends the account's contracts.
    Terminate,
    /// Another message than the reminder.
    Send(dunning::Notice),
}
