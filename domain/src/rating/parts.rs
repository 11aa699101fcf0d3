//! What a price model makes of a total, tier by tier: the parts sum to [`price::amount`](super::price::amount).

use super::price;
use crate::catalog::{Price, Tier};
use crate::kernel::{Decimal, Exact, Rejection};

/// One tier that was touched, or the whole of a model without tiers.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// From 1; none where the model has no tiers.
    pub tier: Option<u32>,
    /// The tier begins after so many units.
    pub after: Exact,
    /// The last quantity of the tier; none: it has no end.
    pub up_to: Option<Decimal>,
    /// Units that fall into it.
    pub units: Exact,
    /// What is multiplied: the units, or the started blocks or packages of them.
    pub counted: Exact,
    /// Of one of them; of a graduated percentage the rate.
    pub price: Decimal,
    /// Due once when the tier is entered.
    pub flat: Decimal,
}

impl Part {
    fn plain(units: Exact, counted: Exact, price: Decimal) -> Part {
        Part {
            tier: None,
            after: Exact::ZERO,
            up_to: None,
            units,
            counted,
            price,
            flat: Decimal::ZERO,
        }
    }

    /// Counted × price, without the flat fee.
    pub fn by_units(&self) -> Result<Exact, Rejection> {
        self.counted.times(self.price.into())
    }

    /// All of it.
    pub fn amount(&self) -> Result<Exact, Rejection> {
        self.by_units()?.plus(self.flat.into())
    }
}

/// The parts of `quantity` units under `price`, tiers in their order. Empty for models that price single records.
pub fn parts(price: &Price, quantity: Exact) -> Result<Vec<Part>, Rejection> {
    Ok(match price {
        Price::Flat(amount) => vec![Part::plain(quantity, Exact::from(1), *amount)],
        Price::PerUnit(unit) if price.pays_the_customer() => {
            vec![Part::plain(quantity, quantity.max(Exact::ZERO), *unit)]
        }
        Price::PerUnit(unit) => vec![Part::plain(quantity, quantity, *unit)],
        Price::Package(package) => {
            let paid = quantity.minus(package.free.into())?.max(Exact::ZERO);
            let packages = price::blocks(paid, Some(package.size))?;
            vec![Part::plain(quantity, packages, package.price)]
        }
        Price::Graduated(tiers) => graduated(tiers, quantity)?,
        Price::GraduatedPercentage(rates) => {
            let tier = |t: &crate::catalog::RateTier| Tier {
                up_to: t.up_to,
                unit: t.rate,
                flat: t.flat,
                block: None,
            };
            graduated(&rates.iter().map(tier).collect::<Vec<_>>(), quantity)?
        }
        Price::Volume(tiers) => volume(tiers, quantity)?,
        Price::Percentage(_) | Price::Dynamic(_) | Price::Matrix(_) | Price::Expression(_) => {
            vec![]
        }
    })
}

fn numbered(i: usize) -> Option<u32> {
    u32::try_from(i + 1).ok()
}

fn graduated(tiers: &[Tier], quantity: Exact) -> Result<Vec<Part>, Rejection> {
    let last = tiers.len().saturating_sub(1);
    let (mut lower, mut found) = (Exact::ZERO, Vec::new());
    for (i, tier) in tiers.iter().enumerate() {
        if i > 0 && quantity <= lower {
            break;
        }
        let edge = tier.up_to.filter(|_| i < last);
        let upper = edge.map_or(quantity, |edge| quantity.min(edge.into()));
        let units = upper.minus(lower)?;
        found.push(Part {
            tier: numbered(i),
            after: lower,
            up_to: edge,
            units,
            counted: price::blocks(units, tier.block)?,
            price: tier.unit,
            flat: tier.flat,
        });
        lower = upper;
        if upper == quantity {
            break;
        }
    }
    Ok(found)
}

fn volume(tiers: &[Tier], quantity: Exact) -> Result<Vec<Part>, Rejection> {
    let reaches = |t: &Tier| t.up_to.is_none_or(|edge| quantity <= edge.into());
    let at = tiers.iter().position(reaches);
    let Some(i) = at.or(tiers.len().checked_sub(1)) else {
        return Ok(vec![]);
    };
    let before = i.checked_sub(1).and_then(|i| tiers.get(i));
    let after = before
        .and_then(|t| t.up_to)
        .map_or(Exact::ZERO, Exact::from);
    let reached = tiers.get(i).map(|tier| {
        Ok::<Part, Rejection>(Part {
            tier: numbered(i),
            after,
            up_to: tier.up_to,
            units: quantity,
            counted: price::blocks(quantity, tier.block)?,
            price: tier.unit,
            flat: tier.flat,
        })
    });
    reached.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Package, RateTier};

    fn d(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    fn tier(up_to: Option<&str>, unit: &str, flat: &str, block: Option<&str>) -> Tier {
        Tier {
            up_to: up_to.map(d),
            unit: d(unit),
            flat: d(flat),
            block: block.map(d),
        }
    }

    #[test]
    fn the_parts_of_every_model_sum_to_what_it_asks() {
        let tiers = vec![
            tier(Some("10"), "5", "2", None),
            tier(Some("20"), "3.5", "1", Some("4")),
            tier(Some("30"), "0.0311", "0", None),
        ];
        let rates = vec![
            RateTier {
                up_to: Some(d("100")),
                rate: d("0.02"),
                flat: d("1"),
            },
            RateTier {
                up_to: None,
                rate: d("0.01"),
                flat: d("0.50"),
            },
        ];
        let package = Package {
            size: d("10"),
            price: d("100"),
            free: d("3"),
        };
        let models = [
            Price::Flat(d("9.90")),
            Price::PerUnit(d("0.0713")),
            Price::PerUnit(d("-0.05")),
            Price::Package(package),
            Price::Graduated(tiers.clone()),
            Price::Volume(tiers),
            Price::GraduatedPercentage(rates),
        ];
        for model in &models {
            for quarters in 0..200_i128 {
                let quantity = Exact::ratio(quarters, 4).expect("a ratio");
                let found = parts(model, quantity).expect("has parts");
                let sum = found.iter().fold(Exact::ZERO, |sum, part| {
                    sum.plus(part.amount().expect("fits")).expect("fits")
                });
                let asked = price::amount(model, quantity).expect("has an amount");
                assert_eq!(sum, asked, "{model:?} at {quantity}");
            }
        }
    }
}
