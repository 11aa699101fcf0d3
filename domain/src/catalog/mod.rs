//! What is sold: offers with their one-off, recurring and usage charges, and the price models behind them.
//!
//! An offer is published as a whole, under a version number; a subscription keeps the version it was sold
//! (its [`Sold`] offer is in the subscription's events), so a new version never changes an old contract.
//!
//! Stored offers are text: a field may be added to a struct of this module, with a default that is not written, and no
//! event gets a new version for it. A field is never renamed or taken away.

mod book;
mod check;
mod check_counters;
mod check_measure;
mod check_structure;
mod counters;
mod defaults;
pub mod diff;
mod lists;
mod matrix;
mod measure;
mod old;
mod options;
mod priced;
mod scale;
mod shares;
mod sold;
mod stored;
mod text;

use crate::expressions::Expression;
use crate::kernel::{Currency, Date, Decimal, Id, Span};
use crate::subscriptions::TenureTerms;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use book::{
    Catalog, Command, Event, OfferClassified, OfferDeleted, OfferPublished, OfferReopened,
    OfferRetired, PriceListPublished,
};
pub use check::problems as problems_of;
pub use check_structure::price_terms;
pub use counters::{
    Beyond, COUNTERS_MAX, CounterRule, Feature, Owner, ROLLOVER_MAX, Reset, Rollover, Threshold,
};
pub use lists::{Market, PriceList, PriceTerm};
pub use matrix::{Cells, Column, ColumnKind, Matrix, MatrixLine};
pub use measure::{By, PriceFrom, Round, RoundMode, RoundPer, UnitOf, conversion};
pub(crate) use old::OfferV1;
pub use options::{Chosen, OPTIONS_MAX, OfOption, OptionRule, completed, problems};
pub use priced::{Framework, PriceRule, PriceSource, Prices};
pub use shares::{Share, split};
pub use sold::Sold;
pub use stored::Text;
pub use text::{File, parse, read, unreadable};

/// What a customer subscribes to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    pub code: String,
    pub name: String,
    pub currency: Currency,
    /// Given by publishing, from 1; not part of the text format.
    #[serde(default, skip_serializing_if = "is_default")]
    pub version: u32,
    /// Recurring charges begin on the day after the trial (policy 12).
    #[serde(default, skip_serializing_if = "is_default")]
    pub trial: Option<Span>,
    /// Day of the month that its `billing_day` charges lie on, whatever the account's is; none: the account's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub billing_day: Option<u32>,
    /// How long it is sold for, and what follows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tenure: Option<TenureTerms>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub one_off: Vec<OneOff>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub recurring: Vec<Recurring>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub usage: Vec<Usage>,
    /// Units of measure beside those that are known to everybody.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unit: Vec<UnitOf>,
    /// What a period costs at least, or at most.
    #[serde(default, skip_serializing_if = "is_default")]
    pub commitments: Vec<Commitment>,
    /// When usage of a running period is invoiced ahead of its end; none: never.
    #[serde(default, skip_serializing_if = "is_default")]
    pub progressive: Option<Progressive>,
    /// Prices are what the customer pays, tax included (policy 21).
    #[serde(default, skip_serializing_if = "is_default")]
    pub tax_included: bool,
    /// The first day on which this version is sold; none: from when it is published.
    #[serde(default, skip_serializing_if = "is_default")]
    pub valid_from: Option<Date>,
    /// The first day on which it is not sold any more; none: until a later version is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub valid_until: Option<Date>,
    /// Who has an older version keeps it until this day and gets this version with the next period; none: keeps it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub grandfathered_until: Option<Date>,
    /// What it is made of and may be extended by.
    #[serde(default, skip_serializing_if = "is_default")]
    pub option: Vec<OptionRule>,
    /// Options of other offers that are in the price here: who changes to this offer gives them up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub includes: Vec<String>,
    /// Offers of which the account must have one running each.
    #[serde(default, skip_serializing_if = "is_default")]
    pub requires: Vec<String>,
    /// Offers of which the account must have none running.
    #[serde(default, skip_serializing_if = "is_default")]
    pub excludes: Vec<String>,
    /// Who may buy it: an expression over the contract (docs/expressions.md); none: everybody.
    #[serde(default, skip_serializing_if = "is_default")]
    pub eligible: Option<Expression>,
    /// The options that a customer has; written by selling, not part of the text format.
    #[serde(default, skip_serializing_if = "is_default")]
    pub chosen: Vec<Chosen>,
    /// The contract that a subscription was sold under; written by selling, not part of the text format.
    #[serde(default, skip_serializing_if = "is_default")]
    pub contract: Option<Id>,
    /// What may be used before prices are asked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub counter: Vec<CounterRule>,
    /// What it allows beside what is charged.
    #[serde(default, skip_serializing_if = "is_default")]
    pub feature: Vec<Feature>,
}

/// Amounts of usage over the life of a subscription, before discounts and tax, at which what was used is invoiced at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progressive {
    /// Ascending.
    #[serde(default, skip_serializing_if = "is_default")]
    pub at: Vec<Decimal>,
    /// And again each time as much more was used after the last of them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub every: Option<Decimal>,
}

/// Bounds of what is rated in a period, before discounts: a true-up makes up for what lacks, a cap takes off what is
/// beyond (policy 20).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    pub code: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub min: Option<Decimal>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub max: Option<Decimal>,
    pub every: Span,
    #[serde(default, skip_serializing_if = "is_default")]
    pub align: Align,
    #[serde(default, skip_serializing_if = "is_default")]
    pub anchor: Anchor,
    /// Codes of recurring and usage charges that count; empty: all of the offer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub charges: Vec<String>,
    #[serde(default = "standard", skip_serializing_if = "is_standard")]
    pub tax_class: String,
}

/// A fee at one moment of the contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneOff {
    pub code: String,
    pub name: String,
    pub amount: Decimal,
    pub on: Moment,
    #[serde(default = "standard", skip_serializing_if = "is_standard")]
    pub tax_class: String,
    /// Code of the revenue account it is posted to ([`crate::journal::REVENUE_CODES`]); none: one-off revenue.
    #[serde(default, skip_serializing_if = "is_default")]
    pub account: Option<u16>,
    /// The option it comes from; written by selling.
    #[serde(default, skip_serializing_if = "is_default")]
    pub of: Option<OfOption>,
    /// Why the price is what it is; written by selling.
    #[serde(default, skip_serializing_if = "is_default")]
    pub source: Option<PriceSource>,
    /// With whom it is shared.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shares: Vec<Share>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    #[default]
    Activation,
    Termination,
    /// When somebody asks for it, as often as somebody does.
    AdHoc,
}

/// A fee per period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recurring {
    pub code: String,
    pub name: String,
    /// Applied to the subscription's quantity; a flat price ignores it.
    pub price: Price,
    pub every: Span,
    #[serde(default, skip_serializing_if = "is_default")]
    pub timing: Timing,
    #[serde(default, skip_serializing_if = "is_default")]
    pub align: Align,
    #[serde(default, skip_serializing_if = "is_default")]
    pub anchor: Anchor,
    #[serde(default, skip_serializing_if = "is_default")]
    pub prorate: Prorate,
    /// Begins this long after the end of the trial.
    #[serde(default, skip_serializing_if = "is_default")]
    pub after: Option<Span>,
    /// Ends this long after it began.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lasts: Option<Span>,
    #[serde(default = "standard", skip_serializing_if = "is_standard")]
    pub tax_class: String,
    /// Ends after so many periods; another way to say `lasts`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub periods: Option<u32>,
    /// What a period costs that begins before the charge does; none: as `prorate` says.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_start: Option<Part>,
    /// What a period costs in which another term without this charge or price begins; none: as the change says.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_change: Option<Part>,
    /// What a period costs that is paused for a part; none: what is left of it by day.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_pause: Option<Part>,
    /// What a period costs in which the contract ends; none: as the end says.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_end: Option<Part>,
    /// False: an end that is known is not looked at before it is reached; what was billed beyond it comes back then.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub anticipates_end: bool,
    /// Code of the revenue account it is posted to ([`crate::journal::REVENUE_CODES`]); none: recurring revenue.
    #[serde(default, skip_serializing_if = "is_default")]
    pub account: Option<u16>,
    /// The option it comes from; written by selling.
    #[serde(default, skip_serializing_if = "is_default")]
    pub of: Option<OfOption>,
    /// Why the price is what it is; written by selling.
    #[serde(default, skip_serializing_if = "is_default")]
    pub source: Option<PriceSource>,
    /// The highest quantity of a period is what was paid for: less gives nothing back, more costs what exceeds it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub high_water: bool,
    /// With whom it is shared.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shares: Vec<Share>,
}

/// What a part of a period costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Its share of the whole, by day.
    Prorate,
    /// As much as the whole.
    Full,
    Nothing,
}

/// When a period is billed (policy 11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    #[default]
    Advance,
    Arrears,
}

/// Where period boundaries lie (policy 7, 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// The calendar's own boundaries.
    Calendar,
    /// The subscription's (or charge's) own first day.
    #[default]
    Anniversary,
    /// The account's or subscription's billing day.
    BillingDay,
}

/// What an anniversary grid is anchored on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The first day of the subscription, kept through every plan change (policy 8).
    #[default]
    Subscription,
    /// The first day of this charge itself (after a trial or an earlier phase).
    Charge,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prorate {
    #[default]
    Day,
    /// A begun period is charged whole, and nothing is credited.
    None,
}

/// A price per unit of what was used in a period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    pub code: String,
    pub name: String,
    /// Usage records of this metric are rated here.
    pub metric: String,
    /// Shown on the invoice.
    pub unit: String,
    /// Record quantity ÷ per = units (60 turns seconds into minutes).
    #[serde(default, skip_serializing_if = "is_default")]
    pub per: Option<Decimal>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub aggregate: Aggregate,
    /// Units free in each period, before the price model sees the rest.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allowance: Option<Decimal>,
    pub price: Price,
    pub every: Span,
    #[serde(default, skip_serializing_if = "is_default")]
    pub align: Align,
    #[serde(default, skip_serializing_if = "is_default")]
    pub pay: Pay,
    /// Attributes that must be equal.
    #[serde(default, rename = "where", skip_serializing_if = "is_default")]
    pub filter: BTreeMap<String, String>,
    /// Local-time windows, one of which must hold; empty means always.
    #[serde(default, skip_serializing_if = "is_default")]
    pub when: Vec<Window>,
    #[serde(default = "standard", skip_serializing_if = "is_standard")]
    pub tax_class: String,
    /// Code of the revenue account it is posted to ([`crate::journal::REVENUE_CODES`]); none: usage revenue.
    #[serde(default, skip_serializing_if = "is_default")]
    pub account: Option<u16>,
    /// The option it comes from; written by selling.
    #[serde(default, skip_serializing_if = "is_default")]
    pub of: Option<OfOption>,
    /// Why the price is what it is; written by selling.
    #[serde(default, skip_serializing_if = "is_default")]
    pub source: Option<PriceSource>,
    /// Of the charges that fit a record the lowest number prices it; equal ones, and those without, in the order of the
    /// catalog.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: Option<u32>,
    /// Only records for which this holds are rated here.
    #[serde(default, rename = "if", skip_serializing_if = "is_default")]
    pub condition: Option<Expression>,
    /// What is counted instead of the record's quantity.
    #[serde(default, skip_serializing_if = "is_default")]
    pub quantity: Option<Expression>,
    /// What the records' quantity is measured in; it is converted to `unit`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub usage_unit: Option<String>,
    /// A record that is not nothing counts as at least this many units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub least: Option<Decimal>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub round: Option<Round>,
    /// Attributes: each combination of their values has a running total and a price model of its own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub group_by: Vec<String>,
    /// The attribute whose different values are counted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unique: Option<String>,
    /// How finely a level is measured; days for `level`, seconds for `weighted`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by: Option<By>,
    /// The level at the end of a period goes over to the next one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub carry: bool,
    /// A record says what the level is, not by how much it moves.
    #[serde(default, skip_serializing_if = "is_default")]
    pub readings: bool,
    /// Of a level its highest value so far in the period counts on every day: what was paid is not given back.
    #[serde(default, skip_serializing_if = "is_default")]
    pub high_water: bool,
    /// In advance: what was used so far is due at once, not at the end of the period.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timing: Option<Timing>,
    /// A whole period costs at least this, a part of one its share by days.
    #[serde(default, skip_serializing_if = "is_default")]
    pub minimum: Option<Decimal>,
    /// A period costs at most this.
    #[serde(default, skip_serializing_if = "is_default")]
    pub maximum: Option<Decimal>,
    /// Prices that take the place of `price`, each from its day on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prices: Vec<PriceFrom>,
    /// With whom it is shared.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shares: Vec<Share>,
}

/// What records add up to in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    #[default]
    Sum,
    Max,
    Count,
    Min,
    /// What the latest record says, by its own time.
    Last,
    /// How many different values an attribute has.
    Unique,
    /// The average of a level over the time of the period; the price model sees the average.
    Weighted,
    /// A level, each of whose days is priced as a whole period of it would be, and shared.
    Level,
    /// The highest that a level has been.
    Peak,
}

/// Who pays a usage charge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pay {
    #[default]
    Invoice,
    /// Burnt from the account's wallets at rating (policy 30).
    Wallet,
    /// The same, as far as they reach; the rest is on the invoice (policy 17).
    WalletThenInvoice,
}

/// Local times of day `[from, until)` on some weekdays, in the account's zone. `until` "24:00" is the end of the day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// mon … sun; empty means every day.
    #[serde(default, skip_serializing_if = "is_default")]
    pub days: Vec<String>,
    pub from: String,
    pub until: String,
}

/// How an amount follows from a quantity. Every model is a function of the period's total; the charge of one record
/// is the difference it makes, so that charges always sum to the model (docs/contexts/rating.md).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Price {
    Flat(Decimal),
    PerUnit(Decimal),
    Package(Package),
    Graduated(Vec<Tier>),
    Volume(Vec<Tier>),
    Percentage(Percentage),
    GraduatedPercentage(Vec<RateTier>),
    Dynamic(Dynamic),
    Matrix(Matrix),
    /// The amount of a record; it reads what a condition does, and `units`, what the record counts as.
    Expression(Expression),
}

impl Price {
    /// A price per unit below zero: the seller pays for what the customer delivers. Of every other model an amount
    /// below zero over a period is zero (policy 16).
    pub fn pays_the_customer(&self) -> bool {
        matches!(self, Price::PerUnit(unit) if unit.is_negative())
    }
}

/// Started packages of `size` units at `price`, after `free` units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    pub size: Decimal,
    pub price: Decimal,
    #[serde(default, skip_serializing_if = "is_default")]
    pub free: Decimal,
}

/// A contiguous half-open width: up to and including `up_to` cumulative units (policy 16). The last tier takes the overflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    #[serde(default, skip_serializing_if = "is_default")]
    pub up_to: Option<Decimal>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub unit: Decimal,
    #[serde(default, skip_serializing_if = "is_default")]
    pub flat: Decimal,
    /// Started blocks of this many units are priced at `unit` each.
    #[serde(default, skip_serializing_if = "is_default")]
    pub block: Option<Decimal>,
}

/// A share of each record's amount of money. `rate` 0.013 is 1.3 %.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Percentage {
    pub rate: Decimal,
    #[serde(default, skip_serializing_if = "is_default")]
    pub fixed: Decimal,
    #[serde(default, skip_serializing_if = "is_default")]
    pub free_events: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub free_amount: Option<Decimal>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub min: Option<Decimal>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub max: Option<Decimal>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateTier {
    #[serde(default, skip_serializing_if = "is_default")]
    pub up_to: Option<Decimal>,
    pub rate: Decimal,
    #[serde(default, skip_serializing_if = "is_default")]
    pub flat: Decimal,
}

/// The record carries its amount; it is multiplied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dynamic {
    pub multiplier: Decimal,
}

impl Offer {
    /// The revenue account that a charge names.
    pub fn account_of(&self, charge: &str) -> Option<u16> {
        let all = self.one_off.iter().map(|c| (&c.code, c.account));
        let all = all.chain(self.recurring.iter().map(|c| (&c.code, c.account)));
        let mut all = all.chain(self.usage.iter().map(|c| (&c.code, c.account)));
        all.find(|(code, _)| *code == charge)?.1
    }
}

impl Recurring {
    /// The units that the price sees: those of its option, else those of the subscription.
    pub fn units(&self, subscription: Decimal) -> Decimal {
        self.of.as_ref().map_or(subscription, |of| of.quantity)
    }
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn standard() -> String {
    "standard".to_string()
}

fn is_standard(class: &str) -> bool {
    class == "standard"
}

/// What is as it is by default is not written, so that an offer's text does not change when a field is added.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Window {
    /// First and last minute of day, exclusive, if both are times like `07:00`; `24:00` ends a day.
    pub fn minutes(&self) -> Option<(u16, u16)> {
        minute(&self.from).zip(minute(&self.until))
    }

    /// Whether a local time lies in the window. `weekday` counts from Monday, 0.
    pub fn covers(&self, weekday: u32, minute: u16) -> bool {
        let day = |name: &String| {
            WEEKDAYS.iter().position(|d| d == name) == usize::try_from(weekday).ok()
        };
        (self.days.is_empty() || self.days.iter().any(day))
            && self
                .minutes()
                .is_some_and(|(from, until)| (from..until).contains(&minute))
    }
}

/// Names of weekdays in a window.
pub const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn minute(time: &str) -> Option<u16> {
    let (hours, minutes) = time
        .split_once(':')
        .filter(|(h, m)| h.len() == 2 && m.len() == 2)?;
    let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
    let whole = hours * 60 + minutes;
    (minutes < 60 && whole <= 24 * 60).then_some(whole)
}
