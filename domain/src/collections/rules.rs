//! How a legal entity collects.

use crate::kernel::{Date, Rejection, calendar::add_days};
use crate::methods::Kind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most retries of one method.
pub const STEPS_MAX: usize = 10;
/// Longest wait between two attempts, in days.
pub const DAYS_MAX: u32 = 90;
/// Longest time before a due date that a method may be asked, in days.
pub const LEAD_MAX: u32 = 60;

/// When and how often is collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// What is due is collected on its due date without being asked, unless the account says otherwise.
    pub automatic: bool,
    /// Days from the first soft refusal of a method to the second attempt, from that one's to the third, and so on.
    pub soft_days: Vec<u32>,
    /// After a hard refusal, or when the schedule has run out, the next method is tried.
    pub fallback: bool,
    /// Days before the due date on which a method of this kind is asked, so that the money moves on it; none: 0. A
    /// wallet and what is brought by the payer have none.
    pub lead_days: BTreeMap<Kind, u32>,
    /// Whoever is debited is told the amount and the day when the debit is initiated (SEPA pre-notification, EPC 016-06
    /// 4.1: 14 days before, unless another time was agreed).
    pub notify: bool,
}

impl Default for Rules {
    /// Not automatic; again after 3, 5 and 7 days; then the next method; nothing ahead of its day.
    fn default() -> Rules {
        Rules {
            automatic: false,
            soft_days: vec![3, 5, 7],
            fallback: true,
            lead_days: BTreeMap::new(),
            notify: false,
        }
    }
}

impl Rules {
    /// The day on which what is due on a day is asked for by a method of a kind.
    pub fn asked_on(&self, due: Date, kind: Kind) -> Date {
        add_days(due, -i64::from(self.lead(kind)))
    }

    /// Days before the due date on which a method of a kind is asked.
    pub fn lead(&self, kind: Kind) -> u32 {
        self.lead_days.get(&kind).copied().unwrap_or_default()
    }

    /// The longest time ahead of any kind, in days.
    pub fn longest_lead(&self) -> u32 {
        self.lead_days.values().copied().max().unwrap_or_default()
    }

    /// Refuses a schedule that is too long or tries twice on one day, and a lead that cannot be.
    pub fn check(&self) -> Result<(), Rejection> {
        let no = |why: String| Err(Rejection::new("COLLECTION_RULES_INVALID", why));
        let wrong = self
            .soft_days
            .iter()
            .find(|days| !(1..=DAYS_MAX).contains(days));
        if let Some(days) = wrong {
            return no(format!(
                "a retry after {days} days is not between 1 and {DAYS_MAX}"
            ));
        }
        if self.soft_days.len() > STEPS_MAX {
            return no(format!(
                "a method is tried again at most {STEPS_MAX} times, asked for {}",
                self.soft_days.len()
            ));
        }
        for (kind, days) in &self.lead_days {
            if !matches!(kind, Kind::Card | Kind::DirectDebit) {
                return no(format!(
                    "a {} is not asked of a provider: it needs no days ahead",
                    kind.name()
                ));
            }
            if *days > LEAD_MAX {
                return no(format!("{days} days ahead are more than {LEAD_MAX}"));
            }
        }
        Ok(())
    }
}
