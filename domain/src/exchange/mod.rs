//! Exchange rates: what one unit of a currency was worth in another on a day, and who says so.
//!
//! - Rates are facts of a day, told for the whole tenant or for one legal entity, whose own come first. A rate holds until the
//!   next one is told, for as many days as the account's terms allow: an old rate is no rate.
//! - A day's rate can be corrected or withdrawn. Documents keep the rate that they were made with; it is written on their lines.
//! - Where only the other direction was told, its reciprocal counts, exactly. Nothing is derived over a third currency.
//! - There is no rate of one to one that nobody told.

use crate::events;
use crate::kernel::{Currency, Date, Decider, Decimal, Exact, Id, Rejection};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most rates of one command.
pub const RATES_AT_ONCE: usize = 1_000;
/// Longest name of a source, in bytes.
pub const SOURCE_MAX: usize = 100;

/// One rate and who says so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Units of the second currency for one unit of the first; above zero.
    pub rate: Decimal,
    /// For example `ecb`.
    pub source: String,
}

/// The rates of one pair of currencies. Stream id: [`id`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExchangeRates {
    /// By the day from which they hold.
    pub told: BTreeMap<Date, Told>,
}

/// Stream of a pair; `entity` none: for the whole tenant.
pub fn id(entity: Option<&str>, from: Currency, to: Currency) -> Id {
    match entity {
        Some(entity) => format!("entity/{entity}/{from}-{to}"),
        None => format!("tenant/{from}-{to}"),
    }
}

/// A rate as it is used: exact, with the day and the source it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Quote {
    pub rate: Exact,
    pub on: Date,
    pub source: String,
}

impl ExchangeRates {
    /// The latest rate of the days from `oldest` up to `day`.
    pub fn latest(&self, day: Date, oldest: Date) -> Option<(Date, &Told)> {
        if day < oldest {
            return None;
        }
        let (on, told) = self.told.range(oldest..=day).next_back()?;
        Some((*on, told))
    }
}

/// A rate became known; it takes the place of what was told for the day before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateTold {
    pub on: Date,
    pub rate: Decimal,
    pub source: String,
}

/// There is no rate of that day any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateWithdrawn {
    pub on: Date,
    pub reason: String,
}

events! {
    /// What happens to the rates of a pair of currencies.
    pub enum Event in "exchange" {
        RateTold = "rate-told" 1,
        RateWithdrawn = "rate-withdrawn" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Tell(RateTold),
    Withdraw(RateWithdrawn),
}

impl Decider for ExchangeRates {
    type State = ExchangeRates;
    type Command = Command;
    type Event = Event;

    fn decide(state: &ExchangeRates, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Tell(rate) => {
                if rate.rate <= Decimal::ZERO {
                    return Err(Rejection::new(
                        "RATE_INVALID",
                        format!("a rate of {} is not above zero", rate.rate),
                    ));
                }
                if rate.source.trim().is_empty() || rate.source.len() > SOURCE_MAX {
                    return Err(Rejection::new(
                        "RATE_INVALID",
                        format!(
                            "who tells a rate is named by 1 to {SOURCE_MAX} bytes, {} were given",
                            rate.source.len()
                        ),
                    ));
                }
                let known = state.told.get(&rate.on);
                let same = known.is_some_and(|k| k.rate == rate.rate && k.source == rate.source);
                Ok(match same {
                    true => vec![],
                    false => vec![rate.into()],
                })
            }
            Command::Withdraw(gone) if state.told.contains_key(&gone.on) => Ok(vec![gone.into()]),
            Command::Withdraw(gone) => Err(Rejection::new(
                "RATE_UNKNOWN",
                format!("no rate was told for {}", gone.on),
            )),
        }
    }

    fn evolve(state: &mut ExchangeRates, event: &Event) {
        match event {
            Event::RateTold(e) => {
                let told = Told {
                    rate: e.rate,
                    source: e.source.clone(),
                };
                state.told.insert(e.on, told);
            }
            Event::RateWithdrawn(e) => {
                state.told.remove(&e.on);
            }
        }
    }
}
