//! Files damaged at random places, the same on every run.

use indelible_domain::mediation::formats::{Format, read};

use super::{data, faults, readings};

/// A linear congruential generator: the same damage on every run.
struct Damage(u64);

impl Damage {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound.max(1)
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const SPLINTERS: [&[u8]; 10] = [
            b"\"",
            b",",
            b";",
            b"\n",
            b"\r",
            b"\xff",
            b"-",
            b"9999999999999999999999999999999",
            b"e-28",
            b"\n300,",
        ];
        for _ in 0..=self.below(12) {
            let at = self.below(bytes.len() + 1);
            match self.below(4) {
                0 => bytes.truncate(at.max(bytes.len() / 2)),
                1 => {
                    let until = (at + self.below(40)).min(bytes.len());
                    bytes.drain(at..until);
                }
                2 => {
                    let splinter = SPLINTERS[self.below(SPLINTERS.len())];
                    bytes.splice(at..at, splinter.iter().copied());
                }
                _ => {
                    let byte = u8::try_from(self.below(256)).unwrap_or_default();
                    if let Some(place) = bytes.get_mut(at) {
                        *place = byte;
                    }
                }
            }
        }
    }
}

#[test]
fn damaged_files_end_in_lines_or_a_refusal_and_never_in_a_panic() {
    let seeds: [Vec<u8>; 5] = [
        data("telecom/voice-calls.csv")
            .into_iter()
            .take(2_000)
            .collect(),
        data("cloud/focus-1.0-sample.csv")
            .into_iter()
            .take(5_000)
            .collect(),
        data("energy/nem12/Example_NEM12_multiple_quality.csv"),
        data("energy/nem12/Example_NEM13_forward_estimate.csv"),
        b"key,metric,access,at,quantity,unit,amount,zone\nk,m,a,2026-01-01T00:00:00Z,1,GB,2,z\n"
            .to_vec(),
    ];
    let mut damage = Damage(20_261_001);
    let (mut read_some, mut found_faults, mut refused) = (0, 0, 0);
    for round in 0..1_500 {
        let mut bytes = seeds[round % seeds.len()].clone();
        damage.mutate(&mut bytes);
        for format in Format::ALL {
            match read(format, &bytes) {
                Ok(lines) => {
                    let number_max = 1 + bytes
                        .iter()
                        .fold(0, |lines, byte| lines + u64::from(*byte == b'\n'));
                    for line in &lines {
                        assert!(
                            (1..=number_max).contains(&line.number),
                            "round {round}: line {}",
                            line.number
                        );
                    }
                    read_some += readings(&lines).len();
                    found_faults += faults(&lines).len();
                }
                Err(_) => refused += 1,
            }
        }
    }
    // The damage is neither so small nor so great that one way out is never taken.
    assert!(
        read_some > 1_000 && found_faults > 1_000 && refused > 1_000,
        "{read_some} {found_faults} {refused}"
    );
}
