//! Dunning: what happens when invoices stay unpaid, level by level, until they are paid.
//!
//! A policy lists the levels, rules choose the policy, and a case follows one account. An episode begins with the first
//! level reached and is cleared when nothing overdue is left; then the next one may begin.

pub mod actions;
mod case;
mod decide;
mod events;
pub mod owed;
pub mod policy;
mod react;
pub mod rules;
mod steer;
mod step;
mod timing;

pub use actions::{DayCount, Grace, Interest, LateFee, Notice, PartPayment, Restriction, Terms};
pub use case::{Case, Episode, Measure, MeasureKind, Pause, Promise, Unpaid};
pub use decide::Command;
pub use events::Event;
pub use events::{
    Begun, Cleared, Deferred, Excluded, FeeCharged, GivenUp, HandedOver, Held, HoldLifted,
    Included, InterestCarried, InterestCharged, InvoiceLost, LevelReached, Noticed, Paused,
    PausedUntil, PromiseBroken, PromiseKept, Promised, Recalled, Reminded, Reopened, Restored,
    Restricted, Resumed, RetryAsked, Span, SteppedBack, Stopped, Suspended, Switched, Terminated,
    Waived, WroteOff,
};
pub use policy::Policy;
pub use react::react;
pub use rules::{Choice, Rule, Rules, When, Why};
pub use steer::Steer;
pub use step::{Effect, Step};
pub use timing::{Look, Next, chosen, next, reached_on};

/// Why a suspended subscription is paused.
pub const REASON: &str = "dunning";

/// Why a level's restrictions are in force.
pub fn reason_of(level: &str) -> String {
    format!("{REASON} {level}")
}
