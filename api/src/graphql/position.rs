//! Positions of the log as clients see them.
//!
//! Inside, a position counts the events of every tenant. Outside it is a token of one tenant: a keyed permutation of
//! the number with a check, so that it tells nothing about how much others do, and a token of another tenant is no
//! token.

use super::scalars::Position;

const ROUNDS: u8 = 6;
const CHECK: usize = 4;

/// Turns positions of one tenant into tokens and back.
pub struct Tokens {
    key: [u8; 32],
}

impl Tokens {
    /// `key`: a secret of the installation for this tenant.
    pub fn new(key: [u8; 32]) -> Tokens {
        Tokens { key }
    }

    pub fn token(&self, position: u64) -> Position {
        let hidden = self.permute(position, (0..ROUNDS).collect::<Vec<_>>().iter().copied());
        let check = self.check(hidden);
        let bytes = hidden.to_be_bytes().into_iter().chain(check);
        Position(bytes.map(|byte| format!("{byte:02x}")).collect())
    }

    /// The position of a token; none if it was not made for this tenant.
    pub fn position(&self, token: &Position) -> Option<u64> {
        let text = token.0.as_bytes();
        if text.len() != 2 * (8 + CHECK) || !text.is_ascii() {
            return None;
        }
        let digits = |at: usize| {
            token
                .0
                .get(2 * at..2 * at + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        };
        let mut hidden = [0_u8; 8];
        for (at, byte) in hidden.iter_mut().enumerate() {
            *byte = digits(at)?;
        }
        let hidden = u64::from_be_bytes(hidden);
        for (at, byte) in self.check(hidden).into_iter().enumerate() {
            if digits(8 + at)? != byte {
                return None;
            }
        }
        Some(self.unpermute(hidden))
    }

    /// A Feistel network over the two halves: a permutation, whatever the round function is.
    fn permute(&self, value: u64, rounds: impl Iterator<Item = u8>) -> u64 {
        let (mut left, mut right) = halves(value);
        for round in rounds {
            (left, right) = (right, left ^ self.mix(round, right));
        }
        join(left, right)
    }

    fn unpermute(&self, value: u64) -> u64 {
        let (left, right) = halves(value);
        let back = self.permute(join(right, left), (0..ROUNDS).rev());
        let (left, right) = halves(back);
        join(right, left)
    }

    fn mix(&self, round: u8, half: u32) -> u32 {
        let mut input = [round; 5];
        input[1..].copy_from_slice(&half.to_be_bytes());
        let hash = blake3::keyed_hash(&self.key, &input);
        let mut bytes = [0_u8; 4];
        bytes.copy_from_slice(&hash.as_bytes()[..4]);
        u32::from_be_bytes(bytes)
    }

    fn check(&self, hidden: u64) -> [u8; CHECK] {
        let hash = blake3::keyed_hash(&self.key, &hidden.to_be_bytes());
        let mut bytes = [0_u8; CHECK];
        bytes.copy_from_slice(&hash.as_bytes()[..CHECK]);
        bytes
    }
}

fn halves(value: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    (
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
    )
}

fn join(left: u32, right: u32) -> u64 {
    (u64::from(left) << 32) | u64::from(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_position() {
        let tokens = Tokens::new([7; 32]);
        for position in [0, 1, 2, 1_000, u64::from(u32::MAX) + 5, u64::MAX] {
            assert_eq!(tokens.position(&tokens.token(position)), Some(position));
        }
    }

    #[test]
    fn a_token_of_another_tenant_or_a_changed_one_is_none() {
        let (ours, theirs) = (Tokens::new([7; 32]), Tokens::new([8; 32]));
        assert_eq!(ours.position(&theirs.token(12)), None);
        let mut changed = ours.token(12).0;
        let last = changed.pop().unwrap();
        changed.push(if last == '0' { '1' } else { '0' });
        assert_eq!(ours.position(&Position(changed)), None);
        for odd in ["", "12", "zz", "ééééééééééééé"] {
            assert_eq!(ours.position(&Position(odd.to_owned())), None, "{odd}");
        }
    }

    #[test]
    fn neighbouring_positions_have_unlike_tokens() {
        let tokens = Tokens::new([7; 32]);
        let (a, b) = (tokens.token(100).0, tokens.token(101).0);
        let alike = a.chars().zip(b.chars()).filter(|(a, b)| a == b).count();
        assert!(alike < 12, "{a} {b}");
    }
}
