//! Files of usage: read, sealed and cut into batches, ready to be handed in.
//!
//! - Raw lines are sealed under a key of their number, meter or resource: destroying that key forgets them.
//! - What identifies people leaves here only as a hash under the tenant's key.

use std::sync::mpsc;

use indelible_domain::command::{Command, UsageCounts};
use indelible_domain::kernel::{Personal, Purpose};
use indelible_domain::mediation::formats::{self, Format, LineRef, Unreadable};
use indelible_domain::mediation::{
    BATCH_BYTES_MAX, IN_PARTS, Intake, LINES_MAX, Received, Sealer, UsageRecord, access_hash,
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
    cutter.hand_over()?;
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
            self.hand_over()?;
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
                let sealed =
                    self.keyring
                        .seal_ahead(tenant, &record.access, purpose, text.as_bytes())?;
                let line = Personal::sealed(sealed.key_id, sealed.nonce, sealed.ciphertext);
                Some(Box::new(line))
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

    fn hand_over(&mut self) -> Result<(), KeyringError> {
        if self.batch.lines.is_empty() || self.ended {
            return Ok(());
        }
        if let Raw::Sealed = self.raw {
            self.keyring.keep()?;
        }
        self.number += 1;
        let next = empty(self.origin, self.number);
        let whole = std::mem::replace(&mut self.batch, next);
        self.ended = !(self.take)(whole);
        Ok(())
    }
}

/// A batch that may have to be taken in by halves. So few records never lead to more facts than a commit takes, whatever they
/// draw on; copying the others costs little beside deciding them.
const WHOLE: usize = 100;

/// What is needed to take a command in by halves, if it is a batch that may need it.
pub fn kept(command: &Command) -> Option<Intake> {
    match command {
        Command::IngestUsage(intake) => kept_of(intake),
        _ => None,
    }
}

/// The same of the batch itself.
pub fn kept_of(intake: &Intake) -> Option<Intake> {
    (intake.lines.len() > WHOLE).then(|| intake.clone())
}

/// Whether a batch was refused only because of how much it leads to: more than a commit takes, now or when it first came.
pub fn by_halves(refused: &Refused) -> bool {
    matches!(refused.code(), "TOO_LARGE" | IN_PARTS)
}

/// Takes a batch in, as a whole or, where that leads to more facts than a commit takes, as two, in its order.
fn take_one(
    ledger: &Ledger,
    batch: Intake,
    request: &(dyn Fn(Intake) -> Request + Sync),
    told: &mut dyn FnMut(Receipt),
) -> Result<(), Refused> {
    let mut waiting = vec![batch];
    while let Some(batch) = waiting.pop() {
        let request = request(batch);
        let kept = kept(&request.command);
        match (ledger.execute(request), kept.and_then(Intake::halves)) {
            (Ok(receipt), _) => told(receipt),
            (Err(no), Some([first, second])) if by_halves(&no) => waiting.extend([second, first]),
            (Err(no), _) => return Err(no),
        }
    }
    Ok(())
}

/// Batches read ahead of those that are decided.
const READ_AHEAD: usize = 2;

/// Takes a whole file in: one thread reads, this one decides, and the log's own writes. Tells each receipt when it is
/// durable. `request` makes the request of a batch.
///
/// From the first batch on that leads to more facts than a commit takes, it goes on batch by batch, and such batches are taken
/// in by halves.
pub fn take_in(
    ledger: &Ledger,
    keyring: &Keyring,
    origin: &Origin<'_>,
    raw: Raw,
    bytes: &[u8],
    request: &(dyn Fn(Intake) -> Request + Sync),
    told: &mut dyn FnMut(Receipt),
) -> Result<(), TakeInError> {
    let mut done = 0;
    let counted = &mut |receipt| {
        done += 1;
        told(receipt);
    };
    match ahead(ledger, keyring, origin, raw, bytes, request, counted) {
        Err(TakeInError::Refused(no)) if by_halves(&no) => {}
        ended => return ended,
    }
    let (mut passed, mut refused) = (0, None);
    each_intake(keyring, origin, raw, bytes, &mut |batch| {
        passed += 1;
        if passed > done {
            refused = take_one(ledger, batch, request, told).err();
        }
        refused.is_none()
    })?;
    refused.map_or(Ok(()), |no| Err(no.into()))
}

/// Takes a whole file in, several batches ahead of the disk. The first refusal ends it.
fn ahead(
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
    use indelible_domain::accounts::AccountTerms;
    use indelible_domain::catalog;
    use indelible_domain::command::StartSubscription;
    use indelible_domain::entities::EntityTerms;
    use indelible_store::{MAX_EVENTS, MemoryStore};
    use std::collections::BTreeMap;
    use std::sync::Arc;

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

    /// An offer whose records draw on fifty counters, and so many customers who have it.
    fn office(keyring: &Keyring, customers: usize) -> Ledger {
        let counters: String = (0..50)
            .map(|n| format!("[[offer.counter]]\ncode = \"c{n}\"\nunit = \"s\"\nsize = \"1\"\n"))
            .collect();
        let offer = "[[offer]]\ncode = \"o\"\nname = \"o\"\ncurrency = \"EUR\"\n[[offer.usage]]\ncode = \"u\"\nname = \"u\"\n\
             metric = \"voice\"\nunit = \"s\"\nevery = \"1 month\"\nprice = { per_unit = \"1\" }\n";
        let ledger = Ledger::open(Arc::new(MemoryStore::new())).expect("an empty ledger");
        let ask = |command| ledger.execute(asked(command)).expect("is carried out");
        let eur = "EUR".parse().expect("EUR");
        ask(Command::OpenEntity {
            entity: "e".into(),
            terms: EntityTerms {
                name: "E".into(),
                country: "DE".into(),
                currency: eur,
                ..EntityTerms::default()
            },
        });
        ask(Command::OpenAccount {
            account: "a".into(),
            terms: AccountTerms {
                entity: "e".into(),
                currency: eur,
                ..AccountTerms::default()
            },
        });
        let offers = catalog::parse(&format!("{offer}{counters}")).expect("a catalog");
        ask(Command::ApplyCatalog { offers });
        for n in 0..customers {
            ask(Command::StartSubscription(Box::new(StartSubscription {
                subscription: format!("s{n}"),
                account: "a".into(),
                offer: "o".into(),
                quantity: 1.into(),
                from: None,
                billing_day: None,
                overrides: BTreeMap::new(),
                trial: false,
                access: vec![access(keyring, "t", &format!("49170{n:07}"))],
            })));
        }
        ledger
    }

    fn asked(command: Command) -> Request {
        Request {
            tenant: "t".into(),
            command_id: None,
            input_hash: [0; 32],
            actor: "test".into(),
            correlation: "test".into(),
            causation: 0,
            now: "2026-10-01T12:00:00Z".parse().expect("an instant"),
            command,
        }
    }

    #[test]
    fn a_batch_that_leads_to_more_facts_than_a_commit_takes_is_taken_in_by_halves_and_once() {
        // Fifty counters each begin and are drawn on: little more than a hundred facts.
        let customers = MAX_EVENTS / 95;
        let keyring = Keyring::in_memory(1);
        let ledger = office(&keyring, customers);
        let rows: String = (0..customers)
            .map(|n| format!("r{n};49170{n:07};2026-10-01T10:00:00+00:00;60\n"))
            .collect();
        let file = format!("record_id;msisdn;start;seconds\n{rows}").into_bytes();
        let request = |intake: Intake| asked(Command::IngestUsage(Box::new(intake)));
        let take = |bytes: &[u8]| {
            let (mut sum, mut batches) = (UsageCounts::default(), vec![]);
            let told = &mut |receipt: Receipt| {
                sum = added(&sum, &receipt.outcome.usage.unwrap_or_default());
                batches.extend(receipt.outcome.touched.into_iter().map(|(_, id)| id));
            };
            take_in(
                &ledger,
                &keyring,
                &origin(),
                Raw::Sealed,
                bytes,
                &request,
                told,
            )
            .expect("is taken in");
            (sum, batches)
        };
        let whole = intakes(&keyring, &origin(), &file)
            .expect("calls")
            .remove(0);
        let refused = ledger
            .execute(request(whole))
            .expect_err("is too much for one commit");
        assert_eq!(refused.code(), "TOO_LARGE");
        let (sum, batches) = take(&file);
        assert_eq!(
            (sum.rated, sum.received),
            (customers as u64, customers as u64)
        );
        assert_eq!(batches, ["b::1", "b::2"]);
        let head = ledger.store().head();
        assert_eq!(take(&file), (sum, batches));
        assert_eq!(
            ledger.store().head(),
            head,
            "sent again, nothing is written"
        );
    }
}
