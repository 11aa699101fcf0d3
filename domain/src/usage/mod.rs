//! Rated usage of one charge in one period: the records, what each cost, and the running totals.
//!
//! Stream id: `subscription/charge/first day of the period`. Totals use the event date, never the arrival (policy 15).

use crate::events;
use crate::kernel::{Days, Decider, Decimal, Exact, Rejection};
use serde::{Deserialize, Serialize};

/// Running totals of one usage charge in one period.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meter {
    pub period: Option<Days>,
    pub records: u64,
    /// Aggregated units, after `per`.
    pub quantity: Decimal,
    /// What the records cost beyond the price of using nothing, payable by invoice.
    pub amount: Exact,
    /// What was burnt from wallets.
    pub burnt: Exact,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metered {
    pub meter: Meter,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rated {
    pub meter: Meter,
}

events! {
    /// What happens to the usage of one charge in one period.
    pub enum Event in "usage" {
        Rated = "rated" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Rate(Meter),
}

impl Decider for Metered {
    type State = Metered;
    type Command = Command;
    type Event = Event;

    fn decide(_: &Metered, command: Command) -> Result<Vec<Event>, Rejection> {
        let Command::Rate(meter) = command;
        Ok(vec![Rated { meter }.into()])
    }

    fn evolve(state: &mut Metered, event: &Event) {
        let Event::Rated(e) = event;
        state.meter = e.meter.clone();
    }
}

/// Stream id of a usage charge's period.
pub fn id(subscription: &str, charge: &str, from: crate::kernel::Date) -> crate::kernel::Id {
    format!("{subscription}/{charge}/{from}")
}
