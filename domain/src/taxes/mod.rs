//! Tax rates: which rate a line bears, from when (policy 21).
//!
//! - A rate is found by account tax category × charge tax class × seller country × buyer country, dated.
//! - `*` in a row matches anything; the row with most exact matches wins, then the latest start.
//! - No row means no tax: the line says "no tax" in its group, never a guessed rate.
//! - A composite tax has parts, such as a federal and a provincial one; its rate is their sum, and of its amount the last
//!   part takes what the others leave.
//! - An account's exemption goes before every rate, and says why.

mod old;

use crate::events;
use crate::kernel::{Date, Decider, Decimal, Exact, Money, Rejection, Rounding};
use serde::{Deserialize, Serialize};

pub(crate) use old::AnswerV1;

/// One dated row of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    pub name: String,
    pub category: String,
    pub class: String,
    pub seller: String,
    pub buyer: String,
    /// 0.19 is 19 %; of a composite tax the sum of its parts.
    pub rate: Decimal,
    pub from: Date,
    /// What a composite tax is made of, in the order shown; empty for a simple one.
    pub parts: Vec<TaxPart>,
}

/// A part of a composite tax.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaxPart {
    pub name: String,
    pub rate: Decimal,
}

/// No tax is charged to an account, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemption {
    /// Tax class that it holds for; none: all.
    pub class: Option<String>,
    /// Shown on the invoice (EN 16931 BT-120).
    pub reason: String,
    pub from: Date,
    /// Exclusive.
    pub until: Option<Date>,
}

impl Exemption {
    /// Whether it holds for a class of charges on a day.
    pub fn holds(&self, class: &str, on: Date) -> bool {
        self.class.as_ref().is_none_or(|c| c == class)
            && self.from <= on
            && self.until.is_none_or(|until| on < until)
    }
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
    /// Of a composite tax, in the order shown.
    pub parts: Vec<TaxPart>,
    /// Why no tax is charged; empty where it is.
    pub exempt: String,
}

impl Answer {
    /// A tax without parts.
    pub fn simple(name: &str, rate: Decimal) -> Answer {
        Answer {
            name: name.to_string(),
            rate,
            parts: vec![],
            exempt: String::new(),
        }
    }

    /// No tax, because of an exemption.
    pub fn exempt(reason: &str) -> Answer {
        Answer {
            exempt: reason.to_string(),
            ..Answer::simple("exempt", Decimal::ZERO)
        }
    }

    /// The amount of each part of a composite tax; the last takes what the others leave (policy 21).
    pub fn split(
        &self,
        amount: Money,
        rounding: Rounding,
    ) -> Result<Vec<(String, Money)>, Rejection> {
        let mut left = amount;
        let mut out = Vec::with_capacity(self.parts.len());
        for (i, part) in self.parts.iter().enumerate() {
            let share = if i + 1 == self.parts.len() {
                left
            } else {
                let (part, whole) = (Exact::from(part.rate), Exact::from(self.rate));
                let exact = if whole.is_zero() {
                    Exact::ZERO
                } else {
                    amount
                        .exact()
                        .times(part)?
                        .share(whole.denominator(), whole.numerator())?
                };
                Money::round(exact, amount.currency, rounding)?
            };
            left = left.minus(share);
            out.push((part.name.clone(), share));
        }
        Ok(out)
    }
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
                || Answer::simple("no tax", Decimal::ZERO),
                |r| Answer {
                    parts: r.parts.clone(),
                    ..Answer::simple(&r.name, r.rate)
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
        RateSet = "rate-set" 2 from { 1: old::RateSetV1 },
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
        if !rate.parts.is_empty() {
            let sum = rate
                .parts
                .iter()
                .try_fold(Decimal::ZERO, |sum, part| sum.plus(part.rate))?;
            if sum != rate.rate || rate.parts.iter().any(|p| p.rate.is_negative()) {
                return Err(Rejection::new(
                    "TAX_PARTS_INVALID",
                    format!(
                        "the parts of {} sum to {sum}, its rate is {}; no part is below zero",
                        rate.name, rate.rate
                    ),
                ));
            }
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
