//! Files of usage: read, sealed and cut into batches, ready to be handed in.
//!
//! - Raw lines are sealed under a key of their number, meter or resource: destroying that key forgets them.
//! - What identifies people leaves here only as a hash under the tenant's key.

use std::sync::mpsc;

use indelible_domain::command::UsageCounts;
use indelible_domain::kernel::{Personal, Purpose};
use indelible_domain::mediation::formats::{self, Format, LineRef, Unreadable};
use indelible_domain::mediation::{
    BATCH_BYTES_MAX, Intake, LINES_MAX, Received, Sealer, UsageRecord, access_hash,
};
use indelible_store::{Keyring, KeyringError, Ledger, Receipt, Refused, Request};

/// Stored bytes of a line besides its text and attributes, roughly and never too little.
const LINE_BYTES: usize = 600;

/// Why a file did not become batches.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Nothing in it can be understood.
    #[error("{name} cannot be read as {format}: {source}", format = .format.name())]
    Unreadable {
        name: String,
        format: Format,
        source: Unreadable,
    },
    #[error("personal data could not be sealed")]
    Seal(#[from] KeyringError),
}

impl IngestError {
    /// The stable code.
    pub fn code(&self) -> &str {
        match self {
            IngestError::Unreadable { source, .. } => source.code,
            IngestError::Seal(error) => error.code(),
        }
    }
}

/// Where usage comes from and what it is called.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    pub tenant: &'a str,
    /// Who sent it: a record's identity holds within (tenant, source) (policy 13).
    pub source: &'a str,
    pub format: Format,
    /// File name or caller.
    pub name: &'a str,
    /// Id of the first batch; further ones add `-2`, `-3` and so on.
    pub batch: &'a str,
}

/// What becomes of the text of a line beside what was read from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Raw {
    /// Sealed under a key of its number, meter or resource, and kept.
    #[default]
    Sealed,
    /// Not kept: the sender says that lines hold nothing of a person, and a record has all that a line says.
    Dropped,
}

/// A file as batches of at most [`LINES_MAX`] records, in file order.
pub fn intakes(
    keyring: &Keyring,
    origin: &Origin<'_>,
    bytes: &[u8],
) -> Result<Vec<Intake>, IngestError> {
    let mut batches = Vec::new();
    each_intake(keyring, origin, Raw::Sealed, bytes, &mut |batch| {
        batches.push(batch);
        true
    })?;
    Ok(batches)
}

/// Hands out the batches of [`intakes`] as soon as each is whole, until `take` answers false.
pub fn each_intake(
    keyring: &Keyring,
    origin: &Origin<'_>,
    raw: Raw,
    bytes: &[u8],
    take: &mut dyn FnMut(Intake) -> bool,
) -> Result<(), IngestError> {
    let lookup = keyring.lookup(origin.tenant);
    let mut cutter = Cutter {
        keyring,
        origin,
        raw,
        sealer: Sealer::new(origin.source, |bytes: &[u8]| lookup.hash(bytes)),
        batch: empty(origin, 1),
        number: 1,
        room: BATCH_BYTES_MAX,
        ended: false,
        take,
    };
    let mut failed = None;
    let read = formats::each(origin.format, bytes, &mut |line| {
        if failed.is_none() && !cutter.ended {
            failed = cutter.line(line).err();
        }
    });
    read.map_err(|source| IngestError::Unreadable {
        name: origin.name.to_string(),
        format: origin.format,
        source,
    })?;
    if let Some(failed) = failed {
        return Err(failed.into());
    }
    cutter.hand_over();
    Ok(())
}

/// Cuts lines into batches.
struct Cutter<'a, H> {
    keyring: &'a Keyring,
    origin: &'a Origin<'a>,
    raw: Raw,
    sealer: Sealer<'a, H>,
    batch: Intake,
    number: usize,
    room: usize,
    ended: bool,
    take: &'a mut dyn FnMut(Intake) -> bool,
}

impl<H: Fn(&[u8]) -> [u8; 32]> Cutter<'_, H> {
    fn line(&mut self, line: LineRef<'_>) -> Result<(), KeyringError> {
        let size = size(&line);
        if self.batch.lines.len() == LINES_MAX || (size > self.room && !self.batch.lines.is_empty())
        {
            self.hand_over();
            self.room = BATCH_BYTES_MAX;
        }
        self.room = self.room.saturating_sub(size);
        let said = match line.said {
            Ok(said) => said,
            Err(fault) => {
                self.batch.lines.push(Received::Unreadable {
                    line: line.number,
                    code: fault.code.to_string(),
                    reason: fault.reason,
                });
                return Ok(());
            }
        };
        let record = self.sealer.record(said);
        let raw = match self.raw {
            Raw::Sealed => {
                let text = line.raw.to_text();
                let (tenant, purpose) = (self.origin.tenant, Purpose::UsageRaw);
                let sealed = self
                    .keyring
                    .seal(tenant, &record.access, purpose, text.as_bytes())?;
                Some(Personal::sealed(
                    sealed.key_id,
                    sealed.nonce,
                    sealed.ciphertext,
                ))
            }
            Raw::Dropped => None,
        };
        self.batch.lines.push(Received::Record(UsageRecord {
            line: line.number,
            raw,
            ..record
        }));
        Ok(())
    }

    fn hand_over(&mut self) {
        if self.batch.lines.is_empty() || self.ended {
            return;
        }
        self.number += 1;
        let next = empty(self.origin, self.number);
        let whole = std::mem::replace(&mut self.batch, next);
        self.ended = !(self.take)(whole);
    }
}

/// Batches read ahead of those that are decided.
const READ_AHEAD: usize = 2;

/// Takes a whole file in: one thread reads, this one decides, and the log's own writes. Tells each receipt when it is
/// durable. `request` makes the request of a batch.
pub fn take_in(
    ledger: &Ledger,
    keyring: &Keyring,
    origin: &Origin<'_>,
    raw: Raw,
    bytes: &[u8],
    request: &(dyn Fn(Intake) -> Request + Sync),
    told: &mut dyn FnMut(Receipt),
) -> Result<(), TakeInError> {
    let (send, receive) = mpsc::sync_channel(READ_AHEAD);
    std::thread::scope(|scope| {
        let read = move || {
            // Who decides has ended where nobody takes a batch any more.
            let mut hand = |batch: Intake| send.send(request(batch)).is_ok();
            each_intake(keyring, origin, raw, bytes, &mut hand)
        };
        let reader = std::thread::Builder::new().name("usage-reader".into());
        let reader = reader.spawn_scoped(scope, read)?;
        let decided = ledger.execute_all(receive, told);
        let read = reader
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        decided?;
        Ok(read?)
    })
}

/// Why a file was not taken in, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum TakeInError {
    #[error(transparent)]
    Read(#[from] IngestError),
    #[error("{}", .0.message())]
    Refused(#[from] Refused),
    #[error("no thread could be started to read the file")]
    Thread(#[from] std::io::Error),
}

/// Sums the counts of two batches.
pub fn added(a: &UsageCounts, b: &UsageCounts) -> UsageCounts {
    UsageCounts {
        received: a.received + b.received,
        accepted: a.accepted + b.accepted,
        duplicates: a.duplicates + b.duplicates,
        conflicts: a.conflicts + b.conflicts,
        unreadable: a.unreadable + b.unreadable,
        rated: a.rated + b.rated,
        pending: a.pending + b.pending,
        rejected: a.rejected + b.rejected,
        superseded: a.superseded + b.superseded,
    }
}

/// The keyed hash by which a subscription is found in usage records.
pub fn access(keyring: &Keyring, tenant: &str, access: &str) -> String {
    access_hash(access, |bytes| keyring.lookup_hash(tenant, bytes))
}

fn empty(origin: &Origin<'_>, number: usize) -> Intake {
    let batch = match number {
        1 => origin.batch.to_string(),
        n => format!("{}-{n}", origin.batch),
    };
    Intake {
        batch,
        source: origin.source.to_string(),
        format: origin.format.name().to_string(),
        name: origin.name.to_string(),
        lines: Vec::new(),
    }
}

fn size(line: &LineRef<'_>) -> usize {
    let attributes = line.said.as_ref().map_or(0, |said| {
        said.attributes
            .iter()
            .map(|(k, v)| 16 + k.len() + v.len())
            .sum()
    });
    LINE_BYTES + line.raw.len() + attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin<'static> {
        Origin {
            tenant: "t",
            source: "switch",
            format: Format::Calls,
            name: "calls.csv",
            batch: "b",
        }
    }

    fn calls(count: usize) -> Vec<u8> {
        let rows: String = (0..count)
            .map(|n| format!("r{n};491700000001;2026-10-01T00:00:00+00:00;60\n"))
            .collect();
        format!("record_id;msisdn;start;seconds\n{rows}").into_bytes()
    }

    #[test]
    fn no_batch_has_more_records_than_a_commit_takes_and_none_is_lost() {
        let keyring = Keyring::in_memory(1);
        let batches = intakes(&keyring, &origin(), &calls(LINES_MAX + 1)).expect("calls");
        assert!(batches.iter().all(|b| b.check().is_ok()));
        assert_eq!(
            batches.iter().map(|b| b.lines.len()).sum::<usize>(),
            LINES_MAX + 1
        );
        assert_eq!(batches[1].batch, "b-2");
    }

    #[test]
    fn a_batch_shows_no_number_of_a_person() {
        let keyring = Keyring::in_memory(1);
        let batches = intakes(&keyring, &origin(), &calls(1)).expect("calls");
        assert!(!format!("{batches:?}").contains("491700000001"));
    }

    #[test]
    fn the_hash_of_a_number_finds_the_record_with_that_number() {
        let keyring = Keyring::in_memory(1);
        let batches = intakes(&keyring, &origin(), &calls(1)).expect("calls");
        let Received::Record(record) = &batches[0].lines[0] else {
            panic!("the line is readable")
        };
        assert_eq!(record.access, access(&keyring, "t", "491700000001"));
    }
}
