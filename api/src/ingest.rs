//! Files of usage: read, sealed and cut into batches, ready to be handed in.
//!
//! - Raw lines are sealed under a key of their number, meter or resource: destroying that key forgets them.
//! - What identifies people leaves here only as a hash under the tenant's key.

use indelible_domain::kernel::{Personal, Purpose};
use indelible_domain::mediation::formats::{self, Format, Line, Unreadable};
use indelible_domain::mediation::{
    BATCH_BYTES_MAX, Intake, LINES_MAX, Received, UsageRecord, access_hash, record_from,
};
use indelible_store::{Keyring, KeyringError};

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

/// A file as batches of at most [`LINES_MAX`] records, in file order.
pub fn intakes(
    keyring: &Keyring,
    origin: &Origin<'_>,
    bytes: &[u8],
) -> Result<Vec<Intake>, IngestError> {
    let lines = formats::read(origin.format, bytes).map_err(|source| IngestError::Unreadable {
        name: origin.name.to_string(),
        format: origin.format,
        source,
    })?;
    let mut batches: Vec<Intake> = Vec::new();
    let mut room = 0;
    for line in lines {
        let size = size(&line);
        if batches
            .last()
            .is_none_or(|batch| batch.lines.len() == LINES_MAX)
            || size > room
        {
            batches.push(empty(origin, batches.len() + 1));
            room = BATCH_BYTES_MAX;
        }
        room = room.saturating_sub(size);
        let received = receive(keyring, origin, line)?;
        if let Some(batch) = batches.last_mut() {
            batch.lines.push(received);
        }
    }
    Ok(batches)
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

fn size(line: &Line) -> usize {
    let attributes = line.reading.as_ref().map_or(0, |r| {
        r.attributes
            .iter()
            .map(|(k, v)| 16 + k.len() + v.len())
            .sum()
    });
    LINE_BYTES + line.raw.len() + attributes
}

fn receive(keyring: &Keyring, origin: &Origin<'_>, line: Line) -> Result<Received, IngestError> {
    let reading = match line.reading {
        Ok(reading) => reading,
        Err(fault) => {
            return Ok(Received::Unreadable {
                line: line.number,
                code: fault.code.to_string(),
                reason: fault.reason,
            });
        }
    };
    let record = record_from(&reading, origin.source, |bytes| {
        keyring.lookup_hash(origin.tenant, bytes)
    });
    let sealed = keyring.seal(
        origin.tenant,
        &record.access,
        Purpose::UsageRaw,
        line.raw.as_bytes(),
    )?;
    let raw = Personal::sealed(sealed.key_id, sealed.nonce, sealed.ciphertext);
    Ok(Received::Record(UsageRecord {
        line: line.number,
        raw: Some(raw),
        ..record
    }))
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
