//! How a legal entity collects.

use crate::kernel::Rejection;
use serde::{Deserialize, Serialize};

/// Most retries of one method.
pub const STEPS_MAX: usize = 10;
/// Longest wait between two attempts, in days.
pub const DAYS_MAX: u32 = 90;

/// When and how often is collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// What is due is collected on its due date without being asked, unless the account says otherwise.
    pub automatic: bool,
    /// Days from the first soft refusal of a method to the second attempt, from that one's to the third, and so on.
    pub soft_days: Vec<u32>,
    /// After a hard refusal, or when the schedule has run out, the next method is tried.
    pub fallback: bool,
}

impl Default for Rules {
    /// Not automatic; again after 3, 5 and 7 days; then the next method.
    fn default() -> Rules {
        Rules {
            automatic: false,
            soft_days: vec![3, 5, 7],
            fallback: true,
        }
    }
}

impl Rules {
    /// Refuses a schedule that is too long or tries twice on one day.
    pub fn check(&self) -> Result<(), Rejection> {
        let wrong = self
            .soft_days
            .iter()
            .find(|days| !(1..=DAYS_MAX).contains(days));
        if let Some(days) = wrong {
            return Err(Rejection::new(
                "COLLECTION_RULES_INVALID",
                format!("a retry after {days} days is not between 1 and {DAYS_MAX}"),
            ));
        }
        if self.soft_days.len() > STEPS_MAX {
            return Err(Rejection::new(
                "COLLECTION_RULES_INVALID",
                format!(
                    "a method is tried again at most {STEPS_MAX} times, asked for {}",
                    self.soft_days.len()
                ),
            ));
        }
        Ok(())
    }
}
