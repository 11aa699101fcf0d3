//! Chance that is the same for the same seed.

/// SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    /// From 0 to below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    /// From 0 to below `n`.
    pub fn below(&mut self, n: i64) -> i64 {
        i64::try_from(self.roll(n.unsigned_abs())).expect("few")
    }

    /// An index below `n`.
    pub fn of(&mut self, n: usize) -> usize {
        usize::try_from(self.roll(n as u64)).expect("few")
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.of(of.len())]
    }
}
