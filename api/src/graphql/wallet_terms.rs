//! What is agreed about a wallet, as it is shown and as it is asked for.

use async_graphql::{Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::kernel::Span;
use indelible_domain::wallets as domain;

use super::errors;
use super::scalars::{Date, Decimal};

/// When a wallet is burnt.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::Burn")]
pub enum WalletBurn {
    /// In real time, as usage is rated; its balance excludes tax.
    Rating,
    /// When an invoice is finalised; it pays the gross.
    Finalising,
    /// In real time, as usage is rated; its balance includes the tax of what it pays.
    RatingWithTax,
}

/// Who pays for what is put into a wallet.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::Funding")]
pub enum WalletFunding {
    /// Money that was received with it.
    Paid,
    /// Nobody: a gift of the seller.
    Free,
    /// The account, by an invoice of its own; it can be used once that is paid.
    Invoice,
}

/// What is agreed about a wallet. Levels and limits are in units of the wallet.
pub struct WalletTerms {
    pub terms: domain::Terms,
}

#[Object]
impl WalletTerms {
    /// Name of the unit; none: the currency.
    async fn unit(&self) -> Option<&str> {
        self.terms.unit.as_ref().map(|unit| unit.name.as_str())
    }

    /// What one unit is worth in the currency.
    async fn rate(&self) -> Option<Decimal> {
        self.terms.unit.as_ref().map(|unit| Decimal(unit.rate))
    }

    /// Wallets with lower numbers are burnt first.
    async fn priority(&self) -> u32 {
        self.terms.priority
    }

    async fn burn(&self) -> WalletBurn {
        self.terms.burn.into()
    }

    /// Pays for nothing but these offers; none: all.
    async fn offers(&self) -> Vec<&String> {
        self.terms.targets.offers.iter().collect()
    }

    /// Pays nothing but these charges; none: all.
    async fn charges(&self) -> Vec<&String> {
        self.terms.targets.charges.iter().collect()
    }

    /// Pays nothing but usage of these metrics; none: everything.
    async fn metrics(&self) -> Vec<&String> {
        self.terms.targets.metrics.iter().collect()
    }

    /// How far it may go below zero.
    async fn credit_limit(&self) -> Decimal {
        Decimal(self.terms.credit_limit)
    }

    /// It pays nothing that would leave less than this; none: minus the credit limit.
    async fn reject_level(&self) -> Option<Decimal> {
        self.terms.reject_level.map(Decimal)
    }

    /// Falling to this is said once per crossing.
    async fn low_level(&self) -> Option<Decimal> {
        self.terms.low_level.map(Decimal)
    }

    /// Automatic top-ups.
    async fn rules(&self) -> Vec<WalletRule> {
        self.terms.rules.iter().map(WalletRule::of).collect()
    }
}

/// An automatic top-up.
#[derive(SimpleObject)]
pub struct WalletRule {
    code: String,
    /// It happens when spending leaves less units than this.
    below: Option<Decimal>,
    /// It happens from `from` on, every so often, such as `1 month`.
    every: Option<String>,
    from: Option<Date>,
    /// So many units are put in.
    fixed: Option<Decimal>,
    /// What lacks to so many units is put in.
    target: Option<Decimal>,
    least: Option<Decimal>,
    most: Option<Decimal>,
    times: Option<u32>,
    until: Option<Date>,
    funding: WalletFunding,
    priority: u32,
    lasts: Option<String>,
    rollover: Option<WalletRollover>,
}

impl WalletRule {
    fn of(rule: &domain::Rule) -> WalletRule {
        let (below, every, from) = match &rule.when {
            domain::When::Below(units) => (Some(*units), None, None),
            domain::When::Every { every, from } => (None, Some(every), Some(*from)),
        };
        let (fixed, target) = match rule.size {
            domain::Size::Fixed(units) => (Some(units), None),
            domain::Size::Target(units) => (None, Some(units)),
        };
        WalletRule {
            code: rule.code.clone(),
            below: below.map(Decimal),
            every: every.map(Span::to_string),
            from: from.map(Date),
            fixed: fixed.map(Decimal),
            target: target.map(Decimal),
            least: rule.least.map(Decimal),
            most: rule.most.map(Decimal),
            times: rule.times,
            until: rule.until.map(Date),
            funding: rule.funding.into(),
            priority: rule.priority,
            lasts: rule.lasts.map(|span| span.to_string()),
            rollover: rule.rollover.as_ref().map(|rollover| WalletRollover {
                max: rollover.max.map(Decimal),
                min: rollover.min.map(Decimal),
                lasts: rollover.lasts.map(|span| span.to_string()),
            }),
        }
    }
}

/// What becomes of what is left of a grant when it expires.
#[derive(SimpleObject)]
pub struct WalletRollover {
    /// Units carried at most; none: all.
    max: Option<Decimal>,
    /// Units there are at least afterwards.
    min: Option<Decimal>,
    lasts: Option<String>,
}

#[derive(InputObject)]
pub struct ChangeWalletInput {
    pub wallet: ID,
    pub terms: WalletTermsInput,
}

/// Levels and limits are in units of the wallet.
#[derive(InputObject)]
pub struct WalletTermsInput {
    /// Name of the unit; none: the currency.
    unit: Option<String>,
    /// What one unit is worth in the currency; needed with a unit.
    rate: Option<Decimal>,
    #[graphql(default)]
    priority: u32,
    #[graphql(default_with = "WalletBurn::Rating")]
    burn: WalletBurn,
    #[graphql(default)]
    offers: Vec<String>,
    #[graphql(default)]
    charges: Vec<String>,
    #[graphql(default)]
    metrics: Vec<String>,
    credit_limit: Option<Decimal>,
    reject_level: Option<Decimal>,
    low_level: Option<Decimal>,
    #[graphql(default)]
    rules: Vec<WalletRuleInput>,
}

impl WalletTermsInput {
    pub fn read(self) -> Result<domain::Terms> {
        let unit = match (self.unit, self.rate) {
            (None, None) => None,
            (Some(name), Some(rate)) => Some(domain::Unit { name, rate: rate.0 }),
            _ => return Err(unfit("a unit needs a name and a rate")),
        };
        let rules = self.rules.into_iter().map(WalletRuleInput::read);
        Ok(domain::Terms {
            unit,
            priority: self.priority,
            targets: domain::Targets {
                offers: self.offers.into_iter().collect(),
                charges: self.charges.into_iter().collect(),
                metrics: self.metrics.into_iter().collect(),
            },
            burn: self.burn.into(),
            credit_limit: self.credit_limit.map(|limit| limit.0).unwrap_or_default(),
            reject_level: self.reject_level.map(|level| level.0),
            low_level: self.low_level.map(|level| level.0),
            rules: rules.collect::<Result<_>>()?,
        })
    }
}

/// An automatic top-up: `below` or `every` with `from`; `fixed` or `target`.
#[derive(InputObject)]
pub struct WalletRuleInput {
    code: String,
    below: Option<Decimal>,
    every: Option<String>,
    from: Option<Date>,
    fixed: Option<Decimal>,
    target: Option<Decimal>,
    least: Option<Decimal>,
    most: Option<Decimal>,
    times: Option<u32>,
    until: Option<Date>,
    #[graphql(default_with = "WalletFunding::Free")]
    funding: WalletFunding,
    #[graphql(default)]
    priority: u32,
    /// How long a grant lasts, such as `1 month`; none: for ever.
    lasts: Option<String>,
    rollover: Option<RolloverInput>,
}

impl WalletRuleInput {
    fn read(self) -> Result<domain::Rule> {
        let when = match (self.below, self.every, self.from) {
            (Some(units), None, None) => domain::When::Below(units.0),
            (None, Some(every), Some(from)) => domain::When::Every {
                every: span(&every)?,
                from: from.0,
            },
            _ => return Err(unfit("a top-up is either `below` or `every` with `from`")),
        };
        let size = match (self.fixed, self.target) {
            (Some(units), None) => domain::Size::Fixed(units.0),
            (None, Some(units)) => domain::Size::Target(units.0),
            _ => return Err(unfit("a top-up is either `fixed` or to a `target`")),
        };
        Ok(domain::Rule {
            code: self.code,
            when,
            size,
            least: self.least.map(|units| units.0),
            most: self.most.map(|units| units.0),
            times: self.times,
            until: self.until.map(|date| date.0),
            funding: self.funding.into(),
            priority: self.priority,
            lasts: self.lasts.as_deref().map(span).transpose()?,
            rollover: self.rollover.map(RolloverInput::read).transpose()?,
        })
    }
}

/// What becomes of what is left of a grant when it expires: a new grant of it.
#[derive(InputObject)]
pub struct RolloverInput {
    /// Units carried at most; none: all.
    max: Option<Decimal>,
    /// Units there are at least afterwards, even if nothing was left.
    min: Option<Decimal>,
    /// How long the new grant lasts, such as `1 month`; none: for ever.
    lasts: Option<String>,
}

impl RolloverInput {
    pub fn read(self) -> Result<domain::Rollover> {
        Ok(domain::Rollover {
            max: self.max.map(|units| units.0),
            min: self.min.map(|units| units.0),
            lasts: self.lasts.as_deref().map(span).transpose()?,
        })
    }
}

#[derive(InputObject)]
pub struct GrantWalletInput {
    pub wallet: ID,
    /// Id of the grant, chosen by you.
    pub grant: ID,
    /// In units of the wallet; cut to whole minor units of its currency.
    pub units: Decimal,
    #[graphql(default_with = "WalletFunding::Free")]
    pub funding: WalletFunding,
    /// The first day on which it cannot be used.
    pub expires: Option<Date>,
    #[graphql(default)]
    pub priority: u32,
    pub rollover: Option<RolloverInput>,
}

fn span(text: &str) -> Result<Span> {
    text.parse().map_err(errors::rejected)
}

fn unfit(why: &str) -> async_graphql::Error {
    errors::refused("WALLET_TERMS_INVALID", why)
}
