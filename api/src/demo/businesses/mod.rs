//! The three businesses: who sells, to whom, and what their customers do in six months.
//!
//! Three legal entities of one tenant, so that one report shows three currencies apart.

pub mod cloud;
pub mod energy;
pub mod mobile;

use chrono::NaiveDate;
use indelible_domain::Command;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::command::{DunningAction, DunningLevel};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Currency, Decimal, Rounding, Zone};
use indelible_domain::taxes::Rate;

/// Name of the one dunning policy.
pub const DUNNING: &str = "standard";

/// One business.
pub struct Business {
    pub entity: &'static str,
    pub terms: EntityTerms,
    pub taxes: Vec<Rate>,
    /// In the order of their days.
    pub steps: Vec<(NaiveDate, Step)>,
}

/// Something that happens on a day.
#[derive(Clone, Debug)]
pub enum Step {
    Open {
        account: String,
        terms: Box<AccountTerms>,
        name: String,
    },
    Subscribe(Contract),
    /// Anything that holds no personal data.
    Do(Box<Command>),
}

/// A subscription as it is sold.
#[derive(Clone, Debug)]
pub struct Contract {
    pub subscription: String,
    pub account: String,
    pub offer: &'static str,
    pub quantity: i64,
    /// Numbers, meters or resources, in the clear: hashed when it is sold.
    pub access: Vec<String>,
}

/// A reminder, a fee, suspension, and after two months the end of hope.
pub fn dunning_levels() -> Vec<DunningLevel> {
    let level = |name: &str, after_days, actions| DunningLevel {
        name: name.to_string(),
        after_days,
        minimum: None,
        actions,
    };
    vec![
        level("reminder", 7, vec![DunningAction::Remind]),
        level("late-fee", 14, vec![DunningAction::Fee(Decimal::from(5))]),
        level("suspension", 21, vec![DunningAction::Suspend]),
        level("write-off", 60, vec![DunningAction::WriteOff]),
    ]
}

/// What the entities have in common.
struct Seller<'a> {
    name: &'a str,
    country: &'a str,
    currency: &'a str,
    zone: &'a str,
    payment_days: u32,
    prefix: &'a str,
}

impl Seller<'_> {
    fn terms(&self) -> EntityTerms {
        EntityTerms {
            name: self.name.to_string(),
            country: self.country.to_string(),
            currency: currency(self.currency),
            zone: zone(self.zone),
            rounding: Rounding::HalfUp,
            payment_days: self.payment_days,
            number_prefix: self.prefix.to_string(),
            dunning_policy: Some(DUNNING.to_string()),
        }
    }

    /// A customer in the seller's own country.
    fn customer(&self, entity: &str) -> AccountTerms {
        AccountTerms {
            entity: entity.to_string(),
            currency: currency(self.currency),
            zone: zone(self.zone),
            country: self.country.to_string(),
            tax_category: "standard".to_string(),
            ..AccountTerms::default()
        }
    }

    fn tax(&self, name: &str, rate: &str) -> Rate {
        Rate {
            name: name.to_string(),
            category: "*".to_string(),
            class: "standard".to_string(),
            seller: self.country.to_string(),
            buyer: self.country.to_string(),
            rate: rate.parse().expect("a decimal in the source"),
            from: day(2020, 1, 1),
            parts: vec![],
        }
    }
}

fn currency(code: &str) -> Currency {
    code.parse().expect("a currency in the source")
}

fn zone(name: &str) -> Zone {
    name.parse().expect("a zone in the source")
}

/// A day written in the source.
pub fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a day in the source")
}

/// The first day of the story.
pub fn opening() -> NaiveDate {
    day(2026, 10, 1)
}

/// Steps of one day stay in the order they were written.
fn in_order(mut steps: Vec<(NaiveDate, Step)>) -> Vec<(NaiveDate, Step)> {
    steps.sort_by_key(|(on, _)| *on);
    steps
}

fn act(command: Command) -> Step {
    Step::Do(Box::new(command))
}

/// Invented people and companies.
fn name(list: &[&str], n: usize) -> String {
    const FAMILY: [&str; 12] = [
        "Albers", "Brandt", "Conrad", "Dietrich", "Engel", "Falk", "Gruber", "Hartung", "Ihde",
        "Jansen", "Krause", "Lorenz",
    ];
    match list.get(n % list.len().max(1)) {
        Some(first) => format!(
            "{first} {}",
            FAMILY[(n / list.len().max(1) + n) % FAMILY.len()]
        ),
        None => format!("Customer {n}"),
    }
}
