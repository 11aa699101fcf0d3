//! Rates and taxes of lines as they were stored before taxes had parts and exemptions.

use super::{Answer, Rate, RateSet};
use crate::kernel::{Date, Decimal};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
struct RateV1 {
    name: String,
    category: String,
    class: String,
    seller: String,
    buyer: String,
    rate: Decimal,
    from: Date,
}

/// A rate of version 1.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct RateSetV1 {
    rate: RateV1,
}

impl From<RateSetV1> for RateSet {
    fn from(old: RateSetV1) -> RateSet {
        let RateV1 {
            name,
            category,
            class,
            seller,
            buyer,
            rate,
            from,
        } = old.rate;
        RateSet {
            rate: Rate {
                name,
                category,
                class,
                seller,
                buyer,
                rate,
                from,
                parts: vec![],
            },
        }
    }
}

/// The tax of a line in documents of before.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AnswerV1 {
    name: String,
    rate: Decimal,
}

impl From<AnswerV1> for Answer {
    fn from(old: AnswerV1) -> Answer {
        Answer::simple(&old.name, old.rate)
    }
}
