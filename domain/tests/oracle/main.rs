//! Whole bills against a slow and obvious count, written without a line of the program's own arithmetic: usage record by
//! record and unit by unit, fees day by day, in zones whose rules stand in `calendar.rs`.
//!
//! Each seed makes an offer, a history and moments at which it is billed, and hands all of it to the commands that
//! everybody uses. `INDELIBLE_SEED=n` runs one seed alone and prints what it made, `INDELIBLE_SEEDS=n` the first n.

mod calendar;
mod fees;
mod fraction;
mod models;
mod plans;
mod records;
mod teller;
mod told;
mod usage;

/// A linear congruential generator: the same seed makes the same.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn of(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1))
    }

    /// From 0 to below `sides`.
    pub fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let sides = u64::try_from(sides).expect("sides above zero");
        i64::try_from((self.0 >> 33) % sides).expect("few")
    }

    /// From `low` to `high`, both included.
    pub fn within(&mut self, low: i64, high: i64) -> i64 {
        low + self.roll(high - low + 1)
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: i64) -> bool {
        self.roll(n) == 0
    }

    pub fn one<T: Clone>(&mut self, of: &[T]) -> T {
        let n = self.roll(i64::try_from(of.len()).expect("few"));
        of[usize::try_from(n).expect("few")].clone()
    }
}

/// Seeds of histories that were billed wrongly once.
const ONCE_WRONG: [u64; 8] = [206, 410, 568, 596, 964, 1676, 1705, 1854];

/// Calls `check` with every seed that was asked for and says which did not hold, the first of them in full. The answer is
/// how many there were.
#[track_caller]
pub fn seeds(usual: u64, check: impl Fn(u64) -> Result<(), String>) -> u64 {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let asked: Vec<u64> = match (number("INDELIBLE_SEED"), number("INDELIBLE_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, Some(many)) => (0..many).collect(),
        (None, None) => (0..usual).chain(ONCE_WRONG).collect(),
    };
    let wrong = asked
        .iter()
        .filter_map(|seed| Some((*seed, check(*seed).err()?)));
    let wrong: Vec<(u64, String)> = wrong.collect();
    if let Some((seed, why)) = wrong.first() {
        let all: Vec<u64> = wrong.iter().map(|(seed, _)| *seed).collect();
        panic!("seeds {all:?} do not hold; seed {seed}: {why}");
    }
    asked.len() as u64
}
