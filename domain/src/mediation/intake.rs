//! A batch of usage as the edge hands it over: read, sealed, not yet judged.

use crate::kernel::{Decimal, Id, Instant, Personal, Rejection};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A keyed hash, cut to 16 bytes: the identity or the content of a record.
pub type Key = [u8; 16];

/// Most records in one batch: one batch is one commit.
pub const LINES_MAX: usize = 10_000;

/// Most bytes in one batch, roughly: what one commit can hold, with room for what rating adds.
pub const BATCH_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Bytes of a batch that are hashed at a time.
const DIGEST_BYTES: usize = 16 * 1024;

/// One batch from one source, in the order received.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intake {
    pub batch: Id,
    /// Who sent it: identity of a record is (tenant, source, key) (policy 13).
    pub source: String,
    /// `calls`, `focus`, `nem12`, `records`, or `api`.
    pub format: String,
    /// File name or caller, for lineage.
    pub name: String,
    pub lines: Vec<Received>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Received {
    Record(UsageRecord),
    Unreadable {
        line: u64,
        code: String,
        reason: String,
    },
}

/// A usage record, with what identifies people replaced by keyed hashes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsageRecord {
    /// Line (or interval) of the source.
    pub line: u64,
    /// Keyed hash of (source, key).
    pub key: Key,
    /// Keyed hash of everything the record says.
    pub content: Key,
    /// Another content under the same key corrects the earlier record instead of conflicting with it.
    pub corrects: bool,
    pub metric: String,
    /// Keyed hash of what finds the subscription; matched against `Subscription::access`.
    /// A record that names a subscription directly has `subscription:<id>`.
    pub access: String,
    pub at: Instant,
    pub quantity: Decimal,
    /// The amount of money the record carries, for dynamic prices.
    pub amount: Option<Decimal>,
    pub attributes: BTreeMap<String, String>,
    /// The raw line.
    pub raw: Option<Box<Personal<String>>>,
}

impl Intake {
    /// Refuses a batch that would not fit one commit; the caller splits it.
    pub fn check(&self) -> Result<(), Rejection> {
        if self.lines.len() > LINES_MAX {
            return Err(Rejection::new(
                "BATCH_TOO_LARGE",
                format!(
                    "batch {} has {} records, a batch may have {LINES_MAX}: split it",
                    self.batch,
                    self.lines.len()
                ),
            ));
        }
        let bytes: usize = self.lines.iter().map(Received::size).sum();
        if bytes > BATCH_BYTES_MAX {
            return Err(Rejection::new(
                "BATCH_TOO_LARGE",
                format!(
                    "batch {} has about {bytes} bytes, a batch may have {BATCH_BYTES_MAX}: split it",
                    self.batch
                ),
            ));
        }
        Ok(())
    }

    /// The same lines in their order as two batches, for a commit that takes fewer facts than the whole would lead to; none
    /// of a single line. The same batch is always cut in the same way.
    pub fn halves(mut self) -> Option<[Intake; 2]> {
        let at = self.lines.len() / 2;
        if at == 0 {
            return None;
        }
        let second = Intake {
            batch: half(&self.batch, 2),
            source: self.source.clone(),
            format: self.format.clone(),
            name: self.name.clone(),
            lines: self.lines.split_off(at),
        };
        self.batch = half(&self.batch, 1);
        Some([self, second])
    }

    /// What was sent, in one number: the same batch sent again has the same digest, however its raw lines were sealed.
    pub fn digest(&self) -> [u8; 32] {
        // Hashed in long pieces, which costs a fraction of hashing each number by itself.
        let mut piece: Vec<u8> = Vec::with_capacity(2 * DIGEST_BYTES);
        let mut hash = blake3::Hasher::new();
        for text in [&self.source, &self.format] {
            piece.extend_from_slice(&(text.len() as u64).to_le_bytes());
            piece.extend_from_slice(text.as_bytes());
        }
        for line in &self.lines {
            match line {
                Received::Record(r) => {
                    piece.push(1);
                    piece.extend_from_slice(&r.line.to_le_bytes());
                    piece.extend_from_slice(&r.key);
                    piece.extend_from_slice(&r.content);
                }
                Received::Unreadable { line, code, .. } => {
                    piece.push(0);
                    piece.extend_from_slice(&line.to_le_bytes());
                    piece.extend_from_slice(&(code.len() as u64).to_le_bytes());
                    piece.extend_from_slice(code.as_bytes());
                }
            }
            if piece.len() >= DIGEST_BYTES {
                hash.update(&piece);
                piece.clear();
            }
        }
        hash.update(&piece);
        *hash.finalize().as_bytes()
    }
}

/// Code of the refusal of a batch of which a half was received: it goes on in the same halves ([`Intake::halves`]).
pub const IN_PARTS: &str = "BATCH_IN_PARTS";

/// Id of the first or second half of a batch.
pub fn half(batch: &str, number: u8) -> String {
    format!("{batch}::{number}")
}

/// Whether a batch is another one, or a half of it, or of a half.
pub fn is_of(batch: &str, whole: &str) -> bool {
    let Some(rest) = batch.strip_prefix(whole) else {
        return false;
    };
    let mut parts = rest.split("::");
    parts.next() == Some("") && parts.all(|part| matches!(part, "1" | "2"))
}

impl Received {
    /// What is left of a line that was judged.
    pub(crate) fn nothing() -> Received {
        Received::Unreadable {
            line: 0,
            code: String::new(),
            reason: String::new(),
        }
    }

    fn size(&self) -> usize {
        match self {
            Received::Record(record) => record.size(),
            Received::Unreadable { code, reason, .. } => 24 + code.len() + reason.len(),
        }
    }
}

impl UsageRecord {
    /// Stored bytes, roughly.
    pub(crate) fn size(&self) -> usize {
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(k, v)| 16 + k.len() + v.len())
            .sum();
        let raw = self
            .raw
            .as_ref()
            .map_or(0, |r| r.ciphertext.len() + r.key_id.len() + 48);
        200 + self.metric.len() + self.access.len() + attributes + raw
    }
}
