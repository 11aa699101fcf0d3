//! Which runs there are, and of which chain: the one file that makes runs a table.

use std::fs;
use std::io;
use std::path::Path;

use super::{Row, Tip, Totals};
use crate::data_dir::write_whole;

const VERSION: u16 = 1;
const NAME: &str = "manifest";
/// A run has at least a few entries, so a manifest of more is none.
const MOST_RUNS: u32 = 10_000;

/// One run by name and size class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub number: u64,
    /// 0 = written from a tail; a merge of runs of one level makes a run of the next.
    pub level: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The log up to the last block that is in the runs.
    pub totals: Totals,
    /// No run has this number or a higher one.
    pub next_run: u64,
    /// Oldest first.
    pub runs: Vec<Listed>,
}

impl Manifest {
    /// Replaces the manifest of a directory, whole or not at all.
    pub fn write<R: Row>(&self, dir: &Path) -> io::Result<()> {
        let Totals { tip, blocks, bytes } = &self.totals;
        let count = u32::try_from(self.runs.len()).map_err(io::Error::other)?;
        let mut out = Vec::new();
        out.extend_from_slice(&R::MANIFEST);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&tip.head.to_le_bytes());
        out.extend_from_slice(&tip.hash);
        out.extend_from_slice(&tip.recorded_at.to_le_bytes());
        out.extend_from_slice(&blocks.to_le_bytes());
        out.extend_from_slice(&bytes.to_le_bytes());
        out.extend_from_slice(&self.next_run.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        for run in &self.runs {
            out.extend_from_slice(&run.number.to_le_bytes());
            out.push(run.level);
        }
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        write_whole(dir, NAME, &out)
    }

    /// None if there is none that is whole and of this version.
    pub fn read<R: Row>(dir: &Path) -> Option<Manifest> {
        let bytes = fs::read(dir.join(NAME)).ok()?;
        let (mut rest, crc) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(rest) != u32::from_le_bytes(*crc) {
            return None;
        }
        let rest = &mut rest;
        if take::<4>(rest)? != R::MANIFEST || u16::from_le_bytes(take(rest)?) != VERSION {
            return None;
        }
        let tip = Tip {
            head: u64::from_le_bytes(take(rest)?),
            hash: take(rest)?,
            recorded_at: i64::from_le_bytes(take(rest)?),
        };
        let totals = Totals {
            tip,
            blocks: u64::from_le_bytes(take(rest)?),
            bytes: u64::from_le_bytes(take(rest)?),
        };
        let next_run = u64::from_le_bytes(take(rest)?);
        let count = u32::from_le_bytes(take(rest)?);
        if count > MOST_RUNS {
            return None;
        }
        let mut runs = Vec::new();
        for _ in 0..count {
            runs.push(Listed {
                number: u64::from_le_bytes(take(rest)?),
                level: u8::from_le_bytes(take(rest)?),
            });
        }
        rest.is_empty().then_some(Manifest {
            totals,
            next_run,
            runs,
        })
    }

    /// Makes the directory one without a table. The files of runs may stay: without a manifest they are nothing.
    pub fn remove(dir: &Path) {
        // What cannot be removed now is replaced by the next manifest.
        let _ = fs::remove_file(dir.join(NAME));
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Entry;

    #[test]
    fn a_manifest_is_read_as_it_was_written_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = Manifest {
            totals: Totals {
                tip: Tip {
                    head: 9,
                    hash: [3; 32],
                    recorded_at: -4,
                },
                blocks: 5,
                bytes: 700,
            },
            next_run: 8,
            runs: vec![
                Listed {
                    number: 4,
                    level: 1,
                },
                Listed {
                    number: 7,
                    level: 0,
                },
            ],
        };
        assert_eq!(Manifest::read::<Entry>(dir.path()), None);
        manifest.write::<Entry>(dir.path()).unwrap();
        assert_eq!(Manifest::read::<Entry>(dir.path()), Some(manifest));
        let good = fs::read(dir.path().join(NAME)).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(dir.path().join(NAME), &bad).unwrap();
            assert_eq!(Manifest::read::<Entry>(dir.path()), None, "byte {at}");
            fs::write(dir.path().join(NAME), &good[..at]).unwrap();
            assert_eq!(Manifest::read::<Entry>(dir.path()), None, "cut at {at}");
        }
    }
}
