//! Dunning: what happens when invoices stay unpaid, level by level, until they are paid.
//!
//! A policy lists the levels; a case follows one account. An episode begins with the first level reached and is
//! cleared when nothing overdue is left; then the next one may begin.

mod case;
pub mod policy;
mod react;
mod timing;

pub use case::{Case, Command, Episode, Event, Step};
pub use case::{
    Cleared, FeeCharged, LevelReached, Paused, Reminded, Reopened, Resumed, RetryAsked, Suspended,
    WroteOff,
};
pub use policy::Policy;
pub use react::{REASON, react};
pub use timing::next;

use crate::accounts::AccountTerms;
use crate::entities::EntityTerms;
use crate::kernel::Id;

/// The policy that an account is dunned by; its own goes before its entity's.
pub fn policy_of<'a>(account: &'a AccountTerms, entity: &'a EntityTerms) -> Option<&'a Id> {
    account
        .dunning_policy
        .as_ref()
        .or(entity.dunning_policy.as_ref())
}
