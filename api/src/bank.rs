//! Bank files at the edge: statements are sealed before they become commands, and payers are opened to write a file.

use indelible_bank::{Fault, Incoming, ident, incoming, reason, status};
use indelible_domain::Command;
use indelible_domain::bank::entry::{Part, Returned, Said};
use indelible_domain::bank::statement::{ENTRIES_MAX, Kind};
use indelible_domain::bank::{Balance, Status, Verdict};
use indelible_domain::command::{ImportStatement, ImportStatusReport, ReceivedEntry, ReceivedPart};
use indelible_domain::kernel::Purpose;
use indelible_store::{Keyring, KeyringError};
use std::collections::BTreeMap;

use crate::forget::{self, SealError};

mod outgoing;

pub use outgoing::write;

/// Which edition of its messages a bank takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edition {
    /// pain.008.001.02 and pain.001.001.03.
    Of2009,
    /// pain.008.001.08 and pain.001.001.09.
    #[default]
    Of2019,
}

/// Why a bank file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum BankError {
    #[error(transparent)]
    File(#[from] Fault),
    #[error("personal data could not be sealed or opened")]
    Personal(#[from] SealError),
    #[error("there is no file {0:?}")]
    Unknown(String),
    /// The payer was forgotten after the file was drawn.
    #[error("the bank account of payment {0} is forgotten: withdraw the file")]
    Forgotten(String),
}

impl From<KeyringError> for BankError {
    fn from(error: KeyringError) -> BankError {
        BankError::Personal(SealError::Keyring(error))
    }
}

impl BankError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            BankError::File(fault) => fault.code,
            BankError::Personal(error) => error.code(),
            BankError::Unknown(_) => "BANK_FILE_UNKNOWN",
            BankError::Forgotten(_) => "PAYER_FORGOTTEN",
        }
    }
}

/// Keyed hash of a bank account: finds who paid without reading the number. `iban` without spaces, in capitals.
pub fn account_hash(keyring: &Keyring, tenant: &str, iban: &str) -> String {
    let full = keyring.lookup_hash(tenant, format!("iban:{iban}").as_bytes());
    full.iter().map(|b| format!("{b:02x}")).collect()
}

/// The commands that take whatever a bank sends: statements, or a status report on a file of ours.
///
/// # Errors
/// What the readers of [`indelible_bank`] say, and a keyring that cannot seal. Nothing of a refused file is taken.
pub fn commands(keyring: &Keyring, tenant: &str, bytes: &[u8]) -> Result<Vec<Command>, BankError> {
    match incoming(bytes)? {
        Incoming::Report(report) => Ok(vec![Command::ImportStatusReport(Box::new(told(&report)))]),
        Incoming::Statements(read) => {
            let parts = statements(keyring, tenant, &read)?.into_iter();
            let parts = parts.map(|part| Command::ImportStatement(Box::new(part)));
            Ok(parts.collect())
        }
    }
}

fn told(report: &status::Report) -> ImportStatusReport {
    let verdict = |verdict: &status::Verdict| Verdict {
        status: match verdict.status {
            status::Status::Pending => Status::Pending,
            status::Status::Accepted => Status::Accepted,
            status::Status::Partly => Status::Partly,
            status::Status::Settled => Status::Settled,
            status::Status::Rejected => Status::Rejected,
        },
        code: verdict.code.clone(),
        reason: match verdict.code.is_empty() {
            true => String::new(),
            false => reason::words(&verdict.code).to_owned(),
        },
        retry: reason::outlook(&verdict.code) == reason::Outlook::Retry,
    };
    let of = |all: &[(String, status::Verdict)]| {
        let all = all.iter().map(|(id, said)| (id.clone(), verdict(said)));
        all.collect::<Vec<_>>()
    };
    let mut whole = Words::new("report");
    whole.add(&report.id).add(&format!("{report:?}"));
    ImportStatusReport {
        report: report.id.clone(),
        digest: whole.key(),
        file: report.message.clone(),
        whole: report.whole.as_ref().map(verdict),
        batches: of(&report.batches),
        payments: of(&report.payments),
    }
}

/// A large statement comes in parts.
fn statements(
    keyring: &Keyring,
    tenant: &str,
    read: &[indelible_bank::Statement],
) -> Result<Vec<ImportStatement>, BankError> {
    let mut commands = Vec::new();
    for statement in read {
        commands.extend(commands_of(keyring, tenant, statement)?);
    }
    Ok(commands)
}

fn commands_of(
    keyring: &Keyring,
    tenant: &str,
    statement: &indelible_bank::Statement,
) -> Result<Vec<ImportStatement>, BankError> {
    let (keys, digest) = identify(statement);
    let mut entries = Vec::new();
    for (entry, key) in statement.entries.iter().zip(keys) {
        entries.push(received(keyring, tenant, entry, key)?);
    }
    let balance = |b: indelible_bank::Balance| Balance {
        amount: b.amount,
        on: b.on,
    };
    let parts = entries.len().div_ceil(ENTRIES_MAX).max(1);
    let mut entries = entries.into_iter();
    let command = |part: usize| ImportStatement {
        number: statement.account.clone(),
        kind: match statement.kind {
            indelible_bank::Kind::Statement => Kind::Statement,
            indelible_bank::Kind::Notification => Kind::Notification,
            indelible_bank::Kind::Interim => Kind::Interim,
        },
        name: statement.id.clone(),
        digest,
        opening: statement.opening.map(balance),
        closing: statement.closing.map(balance),
        part: u32::try_from(part).unwrap_or(u32::MAX),
        parts: u32::try_from(parts).unwrap_or(u32::MAX),
        entries: entries.by_ref().take(ENTRIES_MAX).collect(),
    };
    Ok((1..=parts).map(command).collect())
}

/// A key for each entry, the same in every message that brings it, and one for the whole statement.
///
/// With the bank's reference an entry is known by that, its amount and its day: some banks use one reference for a payment
/// and its fee. Without one it is known by its place in its statement.
fn identify(statement: &indelible_bank::Statement) -> (Vec<[u8; 16]>, [u8; 16]) {
    let mut seen: BTreeMap<[u8; 16], u64> = BTreeMap::new();
    let mut whole = Words::new("statement");
    whole.add(&statement.id);
    for balance in [statement.opening, statement.closing].into_iter().flatten() {
        whole.add(&balance.amount.to_string());
        whole.add(&balance.on.to_string());
    }
    let mut keys = Vec::new();
    for entry in &statement.entries {
        let mut words = Words::new("entry");
        match &entry.reference {
            Some(reference) => words.add("reference").add(reference),
            None => words.add("place").add(&statement.id),
        };
        words
            .add(&entry.amount.to_string())
            .add(&entry.booked.to_string());
        // The second of two alike is another one, in every message that brings both.
        let again = seen.entry(words.key()).or_default();
        words.add(&again.to_string());
        *again += 1;
        let key = words.key();
        whole.add(&format!("{key:?}"));
        whole.add(&entry.value.to_string());
        keys.push(key);
    }
    (keys, whole.key())
}

fn received(
    keyring: &Keyring,
    tenant: &str,
    entry: &indelible_bank::Entry,
    key: [u8; 16],
) -> Result<ReceivedEntry, BankError> {
    let whole = [indelible_bank::Detail {
        amount: Some(entry.amount),
        ..entry.details.first().cloned().unwrap_or_default()
    }];
    // Transactions without their amounts cannot share the entry among themselves.
    let complete = !entry.details.is_empty() && entry.details.iter().all(|d| d.amount.is_some());
    let details = match complete {
        true => entry.details.as_slice(),
        false => whole.as_slice(),
    };
    let mut parts = Vec::new();
    for detail in details {
        parts.push(part(keyring, tenant, entry, detail, &key)?);
    }
    Ok(ReceivedEntry {
        key,
        referenced: entry.reference.is_some(),
        amount: entry.amount,
        reversal: entry.reversal,
        pending: entry.pending,
        booked: entry.booked,
        value: entry.value,
        code: entry.code.clone(),
        parts,
    })
}

fn part(
    keyring: &Keyring,
    tenant: &str,
    entry: &indelible_bank::Entry,
    detail: &indelible_bank::Detail,
    key: &[u8; 16],
) -> Result<ReceivedPart, BankError> {
    let iban = detail
        .iban
        .as_deref()
        .and_then(|iban| ident::iban(iban).ok());
    let payer = iban
        .as_deref()
        .map(|iban| account_hash(keyring, tenant, iban));
    let said = Said {
        name: detail.name.clone().unwrap_or_default(),
        iban: iban.unwrap_or_default(),
        text: detail.text.clone(),
    };
    // Under the payer's own key, which is destroyed with those of the account that he pays for.
    let subject = match &payer {
        Some(hash) => forget::payer(hash),
        None => format!("entry:{}", u128::from_be_bytes(*key)),
    };
    let said = match said == Said::default() {
        true => None,
        false => Some(forget::seal(
            keyring,
            tenant,
            &subject,
            Purpose::Payment,
            &said,
        )?),
    };
    let batches = [&detail.batch, &entry.batch, &detail.message, &entry.message];
    let words = [
        detail.creditor_reference.as_deref(),
        Some(detail.text.as_str()),
        detail.end_to_end.as_deref(),
    ];
    let words: Vec<&str> = words
        .into_iter()
        .flatten()
        .filter(|w| !w.is_empty())
        .collect();
    Ok(ReceivedPart {
        part: Part {
            amount: detail.amount.unwrap_or(entry.amount),
            batch: batches.into_iter().flatten().next().cloned(),
            end_to_end: detail.end_to_end.clone(),
            returned: detail.returned.as_ref().map(|returned| Returned {
                code: returned.code.clone(),
                reason: reason::words(&returned.code).to_owned(),
                retry: reason::outlook(&returned.code) == reason::Outlook::Retry,
            }),
            said,
        },
        reference: words.join(" "),
        payer,
    })
}

/// Texts behind their lengths, so that no two lists of texts have the same bytes.
struct Words(blake3::Hasher);

impl Words {
    fn new(what: &str) -> Words {
        let mut words = Words(blake3::Hasher::new());
        words.add(what);
        words
    }

    fn add(&mut self, text: &str) -> &mut Words {
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
        self
    }

    fn key(&self) -> [u8; 16] {
        let mut key = [0; 16];
        key.copy_from_slice(&self.0.finalize().as_bytes()[..16]);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATEMENT: &str = ":20:A\n:25:DE89370400440532013000\n:28C:1\n:60F:C261119EUR0,\n\
        :61:2611201120CR5,NTRFNONREF//B1\n:86:Erika Muster ACME-2026-000001\n\
        :61:2611201120CR5,NTRFNONREF//B1\n:61:2611201120CR5,NTRFNONREF\n:62F:C261120EUR15,\n";

    fn read(text: &str) -> Vec<ImportStatement> {
        let read = indelible_bank::read(text.as_bytes()).expect("a statement");
        statements(&Keyring::in_memory(1), "t", &read).expect("is sealed")
    }

    #[test]
    fn an_entry_has_the_same_key_in_whatever_statement_the_bank_brings_it() {
        let (first, other) = (
            read(STATEMENT),
            read(&STATEMENT.replace(":28C:1", ":28C:2")),
        );
        let keys =
            |all: &[ImportStatement]| all[0].entries.iter().map(|e| e.key).collect::<Vec<_>>();
        let (first, other) = (keys(&first), keys(&other));
        assert_eq!(first[..2], other[..2]);
        assert_ne!(first[0], first[1], "two alike in one statement are two");
        assert_ne!(
            first[2], other[2],
            "without a reference it is known by its statement"
        );
    }

    #[test]
    fn what_payers_say_leaves_sealed() {
        let commands = read(STATEMENT);
        let stored = format!("{:?}", commands[0].entries[0].parts[0].part);
        assert!(!stored.contains("Muster"), "{stored}");
        assert_eq!(
            commands[0].entries[0].parts[0].reference,
            "Erika Muster ACME-2026-000001"
        );
    }

    #[test]
    fn a_large_statement_comes_in_parts_that_hold_every_entry_once() {
        let line = |n: usize| format!(":61:2611201120CR1,NTRFNONREF//R{n}\n");
        let lines: String = (0..ENTRIES_MAX + 1).map(line).collect();
        let total = ENTRIES_MAX + 1;
        let text = format!(
            ":20:A\n:25:DE89370400440532013000\n:28C:1\n:60F:C261119EUR0,\n{lines}:62F:C261120EUR{total},\n"
        );
        let commands = read(&text);
        let sizes: Vec<_> = commands
            .iter()
            .map(|c| (c.part, c.parts, c.entries.len()))
            .collect();
        assert_eq!(sizes, [(1, 2, ENTRIES_MAX), (2, 2, 1)]);
        assert_eq!(commands[0].digest, commands[1].digest);
    }
}
