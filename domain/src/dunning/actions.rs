//! What a level can do beside reminding, retrying and writing off: its terms, and what is wrong with them.

use crate::accounts::check_language;
use crate::kernel::calendar::days_between;
use crate::kernel::{Date, Decimal, Exact, Money, Rejection, Rounding, check_id};
use crate::messages::Channel;
use chrono::Datelike;
use serde::{Deserialize, Serialize};

/// Percentages above this are mistakes: a fee or a yearly interest of ten times what is owed.
const PERCENT_MAX: i64 = 1000;

/// A fee for being late: a flat amount, a share of what is overdue, or both, within limits. In the account's currency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LateFee {
    pub flat: Option<Decimal>,
    /// Percent of what is overdue on the day of the level.
    pub percent: Option<Decimal>,
    pub min: Option<Decimal>,
    pub max: Option<Decimal>,
    /// Class that the fee is taxed under.
    pub tax_class: String,
}

/// Interest on what is overdue, simple and by day, from the due date or the day up to which it was charged before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interest {
    /// Percent a year.
    pub rate: Decimal,
    pub day_count: DayCount,
    /// All interest of an episode is at most this percentage of what is overdue.
    pub cap_percent: Option<Decimal>,
    /// Class that the interest is taxed under.
    pub tax_class: String,
}

/// How days become a part of a year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayCount {
    /// Calendar days ÷ 365.
    #[default]
    Actual365,
    /// Calendar days ÷ 360.
    Actual360,
    /// Months of 30 days ÷ 360; the 31st counts as the 30th (30E/360).
    Thirty360,
}

/// Services that are restricted until what is overdue is paid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Restriction {
    /// Codes of offers; with `product_lines` empty too: all services.
    pub offers: Vec<String>,
    pub product_lines: Vec<String>,
    /// Recurring charges stop; otherwise they go on.
    pub billing_stops: bool,
    pub usage: crate::subscriptions::UsageRule,
}

/// A message to the customer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub template: String,
    /// None: the one that the customer prefers.
    pub channel: Option<Channel>,
    /// None: the customer's.
    pub language: Option<String>,
}

/// What a part payment does to a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartPayment {
    /// The ladder is counted from what is still open: levels that it has not reached are taken back.
    #[default]
    Reanchor,
    /// Levels stay reached until all that is overdue is paid; the next ones are counted from what is still open.
    Keep,
}

/// A part payment that is large enough buys time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grace {
    /// At least this percentage of what was overdue has to be paid at once.
    pub percent: Decimal,
    /// Days in which no further level is reached.
    pub days: u32,
}

/// What holds for all levels of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    pub part_payment: PartPayment,
    pub grace: Option<Grace>,
}

impl LateFee {
    /// The fee for an overdue sum, rounded once.
    pub fn of(&self, overdue: Money, rounding: Rounding) -> Result<Money, Rejection> {
        let flat = self.flat.map_or(Exact::ZERO, Exact::from);
        let share = match self.percent {
            Some(percent) => percentage(overdue.exact(), percent)?,
            None => Exact::ZERO,
        };
        let mut fee = flat.plus(share)?;
        if let Some(min) = self.min {
            fee = fee.max(min.into());
        }
        if let Some(max) = self.max {
            fee = fee.min(max.into());
        }
        Money::round(fee, overdue.currency, rounding)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.flat.is_none() && self.percent.is_none() {
            return Err("charges a fee that is neither flat nor a percentage".to_string());
        }
        let parts = [self.flat, self.percent, self.min, self.max];
        if parts.into_iter().flatten().any(Decimal::is_negative) {
            return Err("charges a fee with an amount below zero".to_string());
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && Exact::from(min) > Exact::from(max)
        {
            return Err(format!(
                "charges a fee of at least {min} and at most {max}, which none can be"
            ));
        }
        self.percent.map_or(Ok(()), check_percent)
    }
}

impl Interest {
    /// Interest on a principal for `[from, until)`, not rounded.
    pub fn of(&self, principal: Money, from: Date, until: Date) -> Result<Exact, Rejection> {
        let (days, year) = self.day_count.fraction(from, until);
        percentage(principal.exact(), self.rate)?.share(i128::from(days.max(0)), i128::from(year))
    }

    /// The most that an episode may charge.
    pub fn cap(&self, overdue: Money) -> Result<Option<Exact>, Rejection> {
        self.cap_percent
            .map(|cap| percentage(overdue.exact(), cap))
            .transpose()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        check_percent(self.rate)?;
        self.cap_percent.map_or(Ok(()), check_percent)
    }
}

impl DayCount {
    /// Days of `[from, until)`, and the days of a year that they are divided by.
    pub fn fraction(self, from: Date, until: Date) -> (i64, i64) {
        match self {
            DayCount::Actual365 => (days_between(from, until), 365),
            DayCount::Actual360 => (days_between(from, until), 360),
            DayCount::Thirty360 => (thirty(until) - thirty(from), 360),
        }
    }
}

/// Days since year 0 in months of thirty days.
fn thirty(date: Date) -> i64 {
    360 * i64::from(date.year()) + 30 * i64::from(date.month()) + i64::from(date.day().min(30))
}

impl Restriction {
    /// Whether a service is meant, by its offer and that offer's product line.
    pub fn covers(&self, offer: &str, product_line: &str) -> bool {
        let all = self.offers.is_empty() && self.product_lines.is_empty();
        all || self.offers.iter().any(|o| o == offer)
            || self.product_lines.iter().any(|l| l == product_line)
    }
}

impl Notice {
    pub(super) fn check(&self) -> Result<(), String> {
        check_id("template", &self.template).map_err(|e| format!("sends by {}", e.message))?;
        match &self.language {
            Some(tag) => check_language(tag).map_err(|e| format!("writes in {}", e.message)),
            None => Ok(()),
        }
    }
}

impl Terms {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let Some(grace) = &self.grace else {
            return Ok(());
        };
        let why = match check_percent(grace.percent) {
            Err(why) => why,
            Ok(()) if grace.days == 0 || grace.days > 365 => {
                format!("a grace of {} days is not 1 to 365", grace.days)
            }
            Ok(()) => return Ok(()),
        };
        Err(Rejection::new("DUNNING_POLICY_INVALID", why))
    }
}

/// `percent` per cent of a value.
pub fn percentage(of: Exact, percent: Decimal) -> Result<Exact, Rejection> {
    of.times(percent.into())?.share(1, 100)
}

fn check_percent(percent: Decimal) -> Result<(), String> {
    let value = Exact::from(percent);
    if value.is_negative() || value > Exact::from(i128::from(PERCENT_MAX)) {
        return Err(format!("{percent} per cent is not 0 to {PERCENT_MAX}"));
    }
    Ok(())
}
