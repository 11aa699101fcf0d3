//! Price models: how a catalog writes them, and what they come to when units are counted one after the other.

use crate::Dice;
use crate::fraction::{Fraction, ZERO, decimal, mill, over, sum, whole};

/// A tier: its upper edge in units, and prices in thousandths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tier {
    pub up_to: Option<i64>,
    pub unit: i64,
    pub flat: i64,
    pub block: Option<i64>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    Flat(i64),
    PerUnit(i64),
    Package { size: i64, price: i64, free: i64 },
    Graduated(Vec<Tier>),
    Volume(Vec<Tier>),
}

impl Model {
    /// Any of the models that price a total; every price is a multiple of `by` thousandths.
    pub fn any(dice: &mut Dice, by: i64, blocks: bool) -> Model {
        let price = |dice: &mut Dice, low| dice.within(low, 40) * by;
        match dice.roll(6) {
            0 => Model::Flat(price(dice, 1)),
            1 => Model::PerUnit(price(dice, 1)),
            2 => Model::Package {
                size: dice.within(1, 7),
                price: price(dice, 1),
                free: dice.roll(4),
            },
            kind => {
                let mut tiers = Vec::new();
                let mut edge = 0;
                let count = dice.within(1, 4);
                for n in 1..=count {
                    edge += dice.within(1, 6);
                    let flat = if dice.once_in(2) { price(dice, 0) } else { 0 };
                    tiers.push(Tier {
                        // The last tier takes the rest, whether it says an edge or not.
                        up_to: (n < count || dice.once_in(3)).then_some(edge),
                        unit: price(dice, 0),
                        flat,
                        block: (blocks && dice.once_in(4)).then(|| dice.within(1, 4)),
                    });
                }
                match kind {
                    3 | 4 => Model::Graduated(tiers),
                    _ => Model::Volume(tiers),
                }
            }
        }
    }

    pub fn text(&self) -> String {
        let tiers = |tiers: &[Tier]| {
            let all: Vec<String> = tiers.iter().map(Tier::text).collect();
            format!("[{}]", all.join(", "))
        };
        match self {
            Model::Flat(p) => format!("{{ flat = \"{}\" }}", decimal(*p)),
            Model::PerUnit(p) => format!("{{ per_unit = \"{}\" }}", decimal(*p)),
            Model::Package { size, price, free } => format!(
                "{{ package = {{ size = \"{size}\", price = \"{}\", free = \"{free}\" }} }}",
                decimal(*price)
            ),
            Model::Graduated(t) => format!("{{ graduated = {} }}", tiers(t)),
            Model::Volume(t) => format!("{{ volume = {} }}", tiers(t)),
        }
    }

    /// What a total costs. Below zero it is zero (policy 16), except what a price per unit below zero brings the customer.
    pub fn of(&self, units: Fraction) -> Fraction {
        let amount = match self {
            Model::Flat(p) => mill(*p),
            Model::PerUnit(p) if *p < 0 => return units.most(ZERO).times(mill(*p)),
            Model::PerUnit(p) => one_by_one(units, |_| mill(*p)),
            Model::Package { size, price, free } => {
                let mut left = units.minus(whole(*free));
                let mut packages = 0;
                while ZERO.below(left) {
                    packages += 1;
                    left = left.minus(whole(*size));
                }
                mill(*price).times(whole(packages))
            }
            Model::Graduated(tiers) => {
                let mut below = ZERO;
                let mut amount = ZERO;
                for (n, tier) in tiers.iter().enumerate() {
                    if n > 0 && !below.below(units) {
                        break;
                    }
                    let last = n + 1 == tiers.len();
                    let above = tier
                        .up_to
                        .filter(|_| !last)
                        .map_or(units, |e| units.least(whole(e)));
                    amount = amount
                        .plus(mill(tier.flat))
                        .plus(tier.fill(above.minus(below)));
                    below = above;
                }
                amount
            }
            Model::Volume(tiers) => {
                let fits = |t: &&Tier| t.up_to.is_none_or(|e| !whole(e).below(units));
                let tier = tiers.iter().find(fits).or(tiers.last()).expect("a tier");
                mill(tier.flat).plus(tier.fill(units))
            }
        };
        amount.most(ZERO)
    }
}

impl Tier {
    fn text(&self) -> String {
        let mut parts = vec![format!("unit = \"{}\"", decimal(self.unit))];
        parts.extend(self.up_to.map(|e| format!("up_to = \"{e}\"")));
        parts.extend(self.block.map(|b| format!("block = \"{b}\"")));
        if self.flat != 0 {
            parts.push(format!("flat = \"{}\"", decimal(self.flat)));
        }
        format!("{{ {} }}", parts.join(", "))
    }

    /// What units cost that lie in this tier.
    fn fill(&self, units: Fraction) -> Fraction {
        match self.block {
            None => one_by_one(units, |_| mill(self.unit)),
            Some(block) => {
                let started = units.by(whole(block)).ceil();
                mill(self.unit).times(over(started, 1))
            }
        }
    }
}

/// Units, and a last part of one, each at its price; below zero they are taken away at the price of the first.
fn one_by_one(units: Fraction, price: impl Fn(i64) -> Fraction) -> Fraction {
    let size = units.size();
    let mut amount = ZERO;
    let mut n = 0;
    while whole(n).below(size) {
        let part = size.minus(whole(n)).least(whole(1));
        amount = amount.plus(part.times(price(n)));
        n += 1;
    }
    if units.negative() {
        ZERO.minus(amount)
    } else {
        amount
    }
}

/// A percentage, in thousandths: of each record, in the order in which they count.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    pub rate: i64,
    pub fixed: i64,
    pub free_events: Option<i64>,
    pub free_amount: Option<i64>,
    pub min: Option<i64>,
    pub max: Option<i64>,
}

impl Share {
    pub fn any(dice: &mut Dice) -> Share {
        let min = dice.once_in(3).then(|| dice.within(0, 900));
        Share {
            rate: dice.within(0, 300),
            fixed: if dice.once_in(2) {
                dice.within(1, 2000)
            } else {
                0
            },
            free_events: dice.once_in(3).then(|| dice.within(0, 4)),
            free_amount: dice.once_in(3).then(|| dice.within(0, 12_000)),
            min,
            max: dice
                .once_in(3)
                .then(|| min.unwrap_or(0) + dice.within(0, 2000)),
        }
    }

    pub fn text(&self) -> String {
        let mut parts = vec![
            format!("rate = \"{}\"", decimal(self.rate)),
            format!("fixed = \"{}\"", decimal(self.fixed)),
        ];
        parts.extend(self.free_events.map(|n| format!("free_events = {n}")));
        let bounds = [
            ("free_amount", self.free_amount),
            ("min", self.min),
            ("max", self.max),
        ];
        let bounds = bounds
            .iter()
            .filter_map(|(name, value)| Some((name, (*value)?)));
        parts.extend(bounds.map(|(name, value)| format!("{name} = \"{}\"", decimal(value))));
        format!("{{ percentage = {{ {} }} }}", parts.join(", "))
    }

    /// What values cost that follow each other. A value is free while its number and the running total after it are
    /// within what is free, strictly below a free amount (policy 16); of the first that is not, what exceeds it is paid.
    pub fn of(&self, values: &[Fraction]) -> Fraction {
        let has_free = self.free_events.is_some() || self.free_amount.is_some();
        let mut paid = Vec::new();
        for (n, value) in (1..).zip(values) {
            let before = sum(values[..n - 1].iter().copied());
            let after = before.plus(*value);
            let counted = i64::try_from(n).expect("few");
            let in_count = has_free && self.free_events.is_none_or(|most| counted <= most);
            let mut rest = *value;
            if in_count {
                match self.free_amount.map(mill) {
                    None => continue,
                    Some(free) if after.below(free) => continue,
                    Some(free) => rest = rest.minus(free.minus(before).most(ZERO)),
                }
            }
            let mut amount = rest.times(mill(self.rate)).plus(mill(self.fixed));
            if let Some(min) = self.min {
                amount = amount.most(mill(min));
            }
            if let Some(max) = self.max {
                amount = amount.least(mill(max));
            }
            paid.push(amount);
        }
        sum(paid)
    }
}

#[test]
fn the_count_agrees_with_sums_on_paper() {
    let tier = |up_to, unit, flat| Tier {
        up_to,
        unit,
        flat,
        block: None,
    };
    let tiers = vec![
        tier(Some(10), 10_000, 2_000),
        tier(Some(20), 5_000, 3_000),
        tier(None, 5_000, 3_000),
    ];
    let graduated = Model::Graduated(tiers);
    let rows = [(0, 2), (1, 12), (10, 102), (11, 110), (21, 163), (-1, 0)];
    for (units, amount) in rows {
        assert_eq!(graduated.of(whole(units)), whole(amount), "{units}");
    }
    let share = Share {
        rate: 13,
        fixed: 2_000,
        free_events: Some(3),
        free_amount: Some(250_000),
        min: None,
        max: None,
    };
    // 100 and 100 are free; of the third 50 are.
    let values = [whole(100), whole(100), whole(100), whole(10)];
    assert_eq!(share.of(&values), mill(650 + 2_000 + 130 + 2_000));
}
