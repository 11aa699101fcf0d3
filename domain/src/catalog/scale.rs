//! A price model with every price in it so many times as high.

use super::{Dynamic, Matrix, MatrixLine, Package, Percentage, Price, RateTier, Tier};
use crate::kernel::{Decimal, Rejection};

/// Decimals of a unit price (policy 2).
const SCALE: u32 = 12;

impl Price {
    /// Widths, sizes and what is free stay; each price is rounded to 12 decimals, half away from zero.
    pub fn scaled(&self, factor: Decimal) -> Result<Price, Rejection> {
        let by = |value: Decimal| scaled(value, factor);
        let tiers = |tiers: &[Tier]| -> Result<Vec<Tier>, Rejection> {
            let tier = |t: &Tier| {
                Ok(Tier {
                    unit: by(t.unit)?,
                    flat: by(t.flat)?,
                    ..t.clone()
                })
            };
            tiers.iter().map(tier).collect()
        };
        Ok(match self {
            Price::Flat(amount) => Price::Flat(by(*amount)?),
            Price::PerUnit(unit) => Price::PerUnit(by(*unit)?),
            Price::Package(package) => Price::Package(Package {
                price: by(package.price)?,
                ..package.clone()
            }),
            Price::Graduated(list) => Price::Graduated(tiers(list)?),
            Price::Volume(list) => Price::Volume(tiers(list)?),
            Price::Percentage(p) => Price::Percentage(Percentage {
                rate: by(p.rate)?,
                fixed: by(p.fixed)?,
                min: p.min.map(by).transpose()?,
                max: p.max.map(by).transpose()?,
                ..p.clone()
            }),
            Price::GraduatedPercentage(list) => {
                let tier = |t: &RateTier| {
                    Ok(RateTier {
                        rate: by(t.rate)?,
                        flat: by(t.flat)?,
                        ..t.clone()
                    })
                };
                let list: Result<Vec<RateTier>, Rejection> = list.iter().map(tier).collect();
                Price::GraduatedPercentage(list?)
            }
            Price::Dynamic(d) => Price::Dynamic(Dynamic {
                multiplier: by(d.multiplier)?,
            }),
            Price::Expression(expression) => Price::Expression(expression.times(factor)?),
            Price::Matrix(m) => {
                let line = |l: &MatrixLine| {
                    Ok(MatrixLine {
                        price: l.price.scaled(factor)?,
                        ..l.clone()
                    })
                };
                let lines: Result<Vec<MatrixLine>, Rejection> = m.lines.iter().map(line).collect();
                let otherwise = m.otherwise.as_ref().map(|p| p.scaled(factor)).transpose()?;
                Price::Matrix(Matrix::new(m.columns.clone(), lines?, otherwise))
            }
        })
    }
}

/// A price so many times as high, to 12 decimals.
pub(super) fn scaled(value: Decimal, factor: Decimal) -> Result<Decimal, Rejection> {
    let exact = value.times(factor)?.get();
    let strategy = rust_decimal::RoundingStrategy::MidpointAwayFromZero;
    Ok(Decimal::new(exact.round_dp_with_strategy(SCALE, strategy)))
}
