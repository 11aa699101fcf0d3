//! What was agreed about a wallet: its unit, what it pays and when, how far below zero, and how it is refilled.

use crate::kernel::{Date, Decimal, Exact, Id, Rejection, Span, check_id};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most automatic top-ups that one wallet may have agreed.
pub const RULES_MAX: usize = 20;

/// Decimals to which an amount of units is cut when it is taken out by hand.
pub const UNIT_DECIMALS: u32 = 5;

/// How a wallet counts when it does not count in its currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Shown to people: "credit", "token".
    pub name: String,
    /// Units of the currency that one unit is worth; above zero.
    pub rate: Decimal,
}

/// When a wallet is burnt (policy 30).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Burn {
    /// In real time, as usage is rated; its balance excludes tax.
    #[default]
    Rating,
    /// When an invoice is finalised; it pays the gross.
    Finalising,
    /// In real time, as usage is rated; its balance includes the tax of what it pays (policy 30, "unless set").
    RatingWithTax,
}

impl Burn {
    /// It pays usage as it is rated.
    pub fn at_rating(self) -> bool {
        self != Burn::Finalising
    }
}

/// What a wallet may pay. An empty set does not narrow; what is in several sets must be in each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    pub offers: BTreeSet<String>,
    pub charges: BTreeSet<String>,
    /// Usage of these metrics; then nothing but usage is paid.
    pub metrics: BTreeSet<String>,
}

/// One thing to be paid, as targets see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target<'a> {
    pub offer: Option<&'a str>,
    pub charge: &'a str,
    pub metric: Option<&'a str>,
}

impl Targets {
    pub fn cover(&self, target: &Target<'_>) -> bool {
        let within = |set: &BTreeSet<String>, value: Option<&str>| {
            set.is_empty() || value.is_some_and(|v| set.contains(v))
        };
        within(&self.offers, target.offer)
            && within(&self.charges, Some(target.charge))
            && within(&self.metrics, target.metric)
    }
}

/// What becomes of what is left of a grant when it expires: a new grant of it, within bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollover {
    /// Units carried at most; none: all.
    pub max: Option<Decimal>,
    /// Units there are at least afterwards, even if nothing was left.
    pub min: Option<Decimal>,
    /// How long the new grant lasts; none: for ever. One that ends rolls over again by the same rule.
    pub lasts: Option<Span>,
}

/// Who pays for what is put into a wallet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Funding {
    /// Money that was received with it.
    #[default]
    Paid,
    /// Nobody: a gift of the seller.
    Free,
    /// The account, by an invoice of its own; it can be used once that invoice is paid.
    Invoice,
}

/// When an automatic top-up happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Whenever spending leaves less than this many units.
    Below(Decimal),
    /// On `from` and every `every` after it.
    Every { every: Span, from: Date },
}

/// How much is put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// So many units.
    Fixed(Decimal),
    /// What lacks to so many units.
    Target(Decimal),
}

/// An automatic top-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Unique within the wallet; names its grants.
    pub code: Id,
    pub when: When,
    pub size: Size,
    /// Units of one top-up at least; a smaller one is raised to it.
    pub least: Option<Decimal>,
    /// Units of one top-up at most; a larger one is lowered to it.
    pub most: Option<Decimal>,
    /// Top-ups in all; none: without end.
    pub times: Option<u32>,
    /// The first day on which it no longer happens.
    pub until: Option<Date>,
    /// Automatic top-ups are free or invoiced: nobody has received money for them.
    pub funding: Funding,
    /// Among the grants of the wallet, lower is burnt first.
    pub priority: u32,
    /// How long a grant lasts; none: for ever.
    pub lasts: Option<Span>,
    pub rollover: Option<Rollover>,
}

/// What was agreed about a wallet. Levels and limits are in units of the wallet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// None: the currency, at one to one.
    pub unit: Option<Unit>,
    /// Lower numbers are burnt first.
    pub priority: u32,
    pub targets: Targets,
    pub burn: Burn,
    /// How far it may go below zero.
    pub credit_limit: Decimal,
    /// It pays nothing that would leave less than this; none: minus the credit limit.
    pub reject_level: Option<Decimal>,
    /// Falling to this or below it is said once per crossing.
    pub low_level: Option<Decimal>,
    pub rules: Vec<Rule>,
}

impl Terms {
    /// Money per unit.
    pub fn rate(&self) -> Exact {
        self.unit
            .as_ref()
            .map_or(Exact::from(1), |unit| Exact::from(unit.rate))
    }

    /// What units are worth.
    pub fn worth(&self, units: Decimal) -> Result<Exact, Rejection> {
        Exact::from(units).times(self.rate())
    }

    /// How many units an amount of money is.
    pub fn units(&self, money: Exact) -> Result<Exact, Rejection> {
        let rate = self.rate();
        money.share(rate.denominator(), rate.numerator())
    }

    /// The lowest balance, in money, that paying may leave.
    pub fn floor(&self) -> Exact {
        let level = self
            .reject_level
            .unwrap_or_else(|| self.credit_limit.negated());
        // Checked when the terms were agreed.
        self.worth(level).unwrap_or(Exact::ZERO)
    }

    /// Refuses what could never work.
    pub fn check(&self) -> Result<(), Rejection> {
        let no = |what: String| Err(Rejection::new("WALLET_TERMS_INVALID", what));
        if let Some(unit) = &self.unit
            && (unit.rate <= Decimal::ZERO || unit.name.is_empty())
        {
            return no(format!(
                "a unit {:?} worth {} is not a name and a rate above zero",
                unit.name, unit.rate
            ));
        }
        if self.credit_limit.is_negative() {
            return no(format!(
                "a credit limit of {} is below zero",
                self.credit_limit
            ));
        }
        if let Some(level) = self
            .reject_level
            .filter(|l| *l < self.credit_limit.negated())
        {
            return no(format!(
                "a reject level of {level} is below the credit limit of {}",
                self.credit_limit
            ));
        }
        if self.rules.len() > RULES_MAX {
            return no(format!(
                "{} automatic top-ups are more than {RULES_MAX}",
                self.rules.len()
            ));
        }
        for level in [self.reject_level, self.low_level, Some(self.credit_limit)]
            .into_iter()
            .flatten()
        {
            self.worth(level)?;
        }
        let mut codes = BTreeSet::new();
        for rule in &self.rules {
            check_id("top-up", &rule.code)?;
            if !codes.insert(&rule.code) {
                return no(format!("two automatic top-ups are named {}", rule.code));
            }
            rule.check()?;
        }
        Ok(())
    }
}

impl Rule {
    fn check(&self) -> Result<(), Rejection> {
        let no = |what: String| {
            let message = format!("top-up {}: {what}", self.code);
            Err(Rejection::new("WALLET_TERMS_INVALID", message))
        };
        let (Size::Fixed(units) | Size::Target(units)) = self.size;
        if units <= Decimal::ZERO {
            return no(format!("{units} units are not above zero"));
        }
        if self.funding == Funding::Paid {
            return no("nobody pays it on the spot: it is free or invoiced".to_string());
        }
        if let (Some(least), Some(most)) = (self.least, self.most)
            && least > most
        {
            return no(format!("at least {least} and at most {most} units"));
        }
        let spans = [self.lasts, self.rollover.as_ref().and_then(|r| r.lasts)];
        let every = match &self.when {
            When::Every { every, .. } => Some(*every),
            When::Below(_) => None,
        };
        if spans
            .into_iter()
            .flatten()
            .chain(every)
            .any(|s| s.is_zero())
        {
            return no("a span of nothing".to_string());
        }
        Ok(())
    }
}

/// Units cut to [`UNIT_DECIMALS`].
pub(super) fn cut(units: Decimal) -> Decimal {
    Decimal::new(units.get().trunc_with_scale(UNIT_DECIMALS))
}
