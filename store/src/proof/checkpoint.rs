//! What a checkpoint says: how long the log was, and what it was.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::ProofError;
use super::note::{PublicKey, Signer};
use super::tree::Hash;

/// A statement about the whole log up to the end of a block.
///
/// Its text is a C2SP tlog-checkpoint: origin, size, root, then two lines of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the key that signs.
    pub origin: String,
    /// Number of events, which is the position of the last one. A block ends there.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// Hash of that block: the chain over every byte before (docs/log-format.md).
    pub chain: Hash,
    /// When that block was recorded: microseconds since 1970 UTC.
    pub recorded_at: i64,
}

impl Checkpoint {
    /// The lines that are signed.
    pub fn text(&self) -> String {
        let chain: String = self.chain.iter().map(|b| format!("{b:02x}")).collect();
        format!(
            "{}\n{}\n{}\nchain {chain}\nrecorded {}\n",
            self.origin,
            self.size,
            BASE64.encode(self.root),
            self.recorded_at
        )
    }

    /// Reads the lines back. Another way to write the same is refused.
    pub fn parse(text: &str) -> Result<Checkpoint, ProofError> {
        let read = || {
            let mut lines = text.lines();
            let origin = lines.next()?.to_owned();
            let size = lines.next()?.parse().ok()?;
            let root = BASE64.decode(lines.next()?).ok()?.try_into().ok()?;
            let chain = hash(lines.next()?.strip_prefix("chain ")?)?;
            let recorded_at = lines.next()?.strip_prefix("recorded ")?.parse().ok()?;
            Some(Checkpoint {
                origin,
                size,
                root,
                chain,
                recorded_at,
            })
        };
        read()
            .filter(|checkpoint| checkpoint.text() == text)
            .ok_or_else(|| ProofError::Checkpoint {
                what: "its lines are not origin, size, root, chain and recorded".into(),
            })
    }
}

/// A checkpoint with the note it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub checkpoint: Checkpoint,
    /// Text and signature, as published.
    pub note: String,
}

impl Signed {
    pub fn by(signer: &Signer, checkpoint: Checkpoint) -> Signed {
        let note = signer.sign(&checkpoint.text());
        Signed { checkpoint, note }
    }

    /// Reads a note and believes it only if the key signed it.
    pub fn open(note: &str, key: &PublicKey) -> Result<Signed, ProofError> {
        let checkpoint = Checkpoint::parse(key.open(note)?)?;
        if checkpoint.origin != key.name() {
            return Err(ProofError::Checkpoint {
                what: format!(
                    "its origin is {}, its key {}",
                    checkpoint.origin,
                    key.name()
                ),
            });
        }
        Ok(Signed {
            checkpoint,
            note: note.to_owned(),
        })
    }
}

/// Cuts a file of notes that follow each other. The second part is what follows the last whole note.
pub fn notes(text: &str) -> (Vec<&str>, &str) {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("\n\n") {
        let signed = at + 2;
        let Some(line) = rest.get(signed..).and_then(|below| below.find('\n')) else {
            break;
        };
        let Some((note, after)) = rest.split_at_checked(signed + line + 1) else {
            break;
        };
        found.push(note);
        rest = after;
    }
    (found, rest)
}

/// 64 hex digits, lower case.
pub(super) fn hash(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        if !digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        {
            return None;
        }
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(hash)
}
