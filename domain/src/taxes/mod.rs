//! Tax rates: which rate a line bears, from when (policy 21).
//!
//! - A rate is found by account tax category × charge tax class × seller country × buyer country, dated.
//! - `*` in a row matches anything; the row with most exact matches wins, then the latest start.
//! - No row means no tax: the line says "no tax" in its group, never a guessed rate.

use crate::events;
use crate::kernel::{Date, Decider, Decimal, Rejection};
use serde::{Deserialize, Serialize};

/// One dated row of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    pub name: String,
    pub category: String,
    pub class: String,
    pub seller: String,
    pub buyer: String,
    /// 0.19 is 19 %.
    pub rate: Decimal,
    pub from: Date,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaxTable {
    pub rates: Vec<Rate>,
}

/// What is known of a line when its tax is determined.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    pub category: &'a str,
    pub class: &'a str,
    pub seller: &'a str,
    pub buyer: &'a str,
    pub on: Date,
}

/// The tax of a line: rows of one (name, rate) are taxed together on a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Answer {
    pub name: String,
    pub rate: Decimal,
}

impl TaxTable {
    /// The rate in force, or a zero rate named "no tax".
    pub fn rate(&self, q: &Question<'_>) -> Answer {
        let matches = |rule: &str, value: &str| rule == "*" || rule == value;
        let exact = |r: &Rate| {
            [&r.category, &r.class, &r.seller, &r.buyer]
                .iter()
                .filter(|v| v.as_str() != "*")
                .count()
        };
        self.rates
            .iter()
            .filter(|r| {
                r.from <= q.on
                    && matches(&r.category, q.category)
                    && matches(&r.class, q.class)
                    && matches(&r.seller, q.seller)
                    && matches(&r.buyer, q.buyer)
            })
            .max_by_key(|r| (exact(r), r.from))
            .map_or_else(
                || Answer {
                    name: "no tax".to_string(),
                    rate: Decimal::ZERO,
                },
                |r| Answer {
                    name: r.name.clone(),
                    rate: r.rate,
                },
            )
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateSet {
    pub rate: Rate,
}

events! {
    /// What happens to the tax table of a tenant.
    pub enum Event in "tax" {
        RateSet = "rate-set" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    SetRate(Rate),
}

impl Decider for TaxTable {
    type State = TaxTable;
    type Command = Command;
    type Event = Event;

    fn decide(state: &TaxTable, command: Command) -> Result<Vec<Event>, Rejection> {
        let Command::SetRate(rate) = command;
        if rate.rate.is_negative() || rate.rate > Decimal::from(10) {
            return Err(Rejection::new(
                "TAX_RATE_INVALID",
                format!(
                    "a tax rate of {} is not between 0 and 10 (0.19 is 19 %)",
                    rate.rate
                ),
            ));
        }
        if state.rates.contains(&rate) {
            return Ok(vec![]);
        }
        Ok(vec![RateSet { rate }.into()])
    }

    fn evolve(state: &mut TaxTable, event: &Event) {
        let Event::RateSet(e) = event;
        let same = |r: &Rate| {
            (&r.category, &r.class, &r.seller, &r.buyer, r.from)
                == (
                    &e.rate.category,
                    &e.rate.class,
                    &e.rate.seller,
                    &e.rate.buyer,
                    e.rate.from,
                )
        };
        state.rates.retain(|r| !same(r));
        state.rates.push(e.rate.clone());
    }
}
