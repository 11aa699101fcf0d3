use crate::sample;
use indelible_bank::read;

/// A small generator (xorshift), so that each failure has a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).expect("smaller than the end")
    }
}

/// Damage is answered, never a crash; and what is still read still adds up.
#[test]
fn a_damaged_file_is_refused_or_read_but_stops_nothing() {
    let files = [
        "camt.053.001.08.xml",
        "camt.053.001.02.xml",
        "camt.054.001.08.xml",
        "camt.052.001.08.xml",
        "german.sta",
        "dutch.940",
    ];
    for (n, file) in files.iter().enumerate() {
        let good = sample(file);
        for seed in 1..=400_u64 {
            let mut random = Random(seed * 7919 + n as u64);
            let mut bytes = good.clone();
            for _ in 0..=random.below(4) {
                if bytes.is_empty() {
                    break;
                }
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[at] = u8::try_from(random.below(256)).expect("a byte"),
                    1 => bytes.truncate(at.max(1)),
                    2 => {
                        bytes.remove(at);
                    }
                    _ => {
                        let again = bytes[at..(at + random.below(40)).min(bytes.len())].to_vec();
                        bytes.splice(at..at, again);
                    }
                }
            }
            if let Ok(statements) = read(&bytes) {
                for statement in statements {
                    let (Some(opening), Some(closing)) = (statement.opening, statement.closing)
                    else {
                        continue;
                    };
                    let sum: i128 = statement.entries.iter().map(|e| e.amount.minor).sum();
                    assert_eq!(
                        opening.amount.minor + sum,
                        closing.amount.minor,
                        "{file}, seed {seed}"
                    );
                }
            }
        }
    }
}
