//! The demo's own random numbers: the same seed gives the same numbers on every machine and in every version.

/// SplitMix64. Its output is part of what `--seed` promises, so the constants never change.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A stream of numbers of its own for each purpose, so that drawing one more for calls moves no payment.
    pub fn new(seed: u64, purpose: &str) -> Random {
        let mut state = seed ^ 0xcbf2_9ce4_8422_2325;
        for byte in purpose.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Random { state }
    }

    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 up to, not including, `bound`; 0 for a bound of 0. Uneven by less than one in 2⁵⁰ for the small bounds used here.
    pub fn below(&mut self, bound: u32) -> u32 {
        let share = (u128::from(self.number()) * u128::from(bound)) >> 64;
        u32::try_from(share).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_the_same_numbers_for_ever_and_another_purpose_gives_others() {
        let draw = |seed, purpose| {
            let mut random = Random::new(seed, purpose);
            [random.below(1000), random.below(1000), random.below(1000)]
        };
        assert_eq!(draw(1, "calls"), draw(1, "calls"));
        assert_ne!(draw(1, "calls"), draw(2, "calls"));
        assert_ne!(draw(1, "calls"), draw(1, "payments"));
    }

    #[test]
    fn no_number_reaches_its_bound() {
        let mut random = Random::new(7, "bound");
        assert!((0..10_000).all(|_| random.below(6) < 6));
        assert_eq!(random.below(0), 0);
    }
}
