//! Signed notes: a text that people can read, and below it who signed it.
//!
//! The format is that of C2SP signed-note: text lines, an empty line, and signature lines
//! `— <name> <base64 of 4 bytes of key hash and the signature>`. Keys are written as C2SP writes them: the public one
//! `<name>+<key hash>+<base64 of 0x01 and 32 bytes>`, the private one with `PRIVATE+KEY+` before it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::ProofError;

/// The algorithm byte of Ed25519.
const ED25519: u8 = 1;
const PRIVATE: &str = "PRIVATE+KEY+";
const DASH: &str = "\u{2014} ";

/// Who may be believed: the name and public key of a ledger's checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: VerifyingKey,
}

/// Signs the checkpoints of one ledger.
pub struct Signer {
    public: PublicKey,
    key: SigningKey,
}

impl Signer {
    /// The signer of a secret seed. Its name is `indelible/` and 16 hex digits of the SHA-256 of its public key.
    pub fn from_seed(seed: &[u8; 32]) -> Signer {
        let key = SigningKey::from_bytes(seed);
        let digest = Sha256::digest(key.verifying_key().as_bytes());
        let short: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        Signer {
            public: PublicKey {
                name: format!("indelible/{short}"),
                key: key.verifying_key(),
            },
            key,
        }
    }

    /// Reads what [`secret_text`](Signer::secret_text) wrote.
    pub fn from_secret_text(text: &str) -> Result<Signer, ProofError> {
        let wrong = |what: &str| ProofError::Key {
            what: format!("the private key {what}"),
        };
        let rest = text
            .trim()
            .strip_prefix(PRIVATE)
            .ok_or_else(|| wrong("does not begin with PRIVATE+KEY+"))?;
        let (name, id, bytes) =
            parts(rest).ok_or_else(|| wrong("is not <name>+<hash>+<base64>"))?;
        let seed: [u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| wrong("is not 32 bytes long"))?;
        let key = SigningKey::from_bytes(&seed);
        let public = PublicKey {
            name: name.to_owned(),
            key: key.verifying_key(),
        };
        if public.id() != id {
            return Err(wrong("does not fit its own key hash"));
        }
        Ok(Signer { public, key })
    }

    /// One line, to be kept secret.
    pub fn secret_text(&self) -> String {
        let text = written(&self.public, self.key.as_bytes());
        format!("{PRIVATE}{text}\n")
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The note of a text, which must end with a line break and hold no empty line.
    pub fn sign(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        let mut bytes = self.public.id().to_vec();
        bytes.extend_from_slice(&signature);
        format!(
            "{text}\n{DASH}{} {}\n",
            self.public.name,
            BASE64.encode(bytes)
        )
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public)
    }
}

impl PublicKey {
    /// What the checkpoints of this key call their origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// First bytes of the SHA-256 of name, line break, algorithm and key (C2SP signed-note).
    fn id(&self) -> [u8; 4] {
        let mut hasher = Sha256::new();
        hasher.update(self.name.as_bytes());
        hasher.update([b'\n', ED25519]);
        hasher.update(self.key.as_bytes());
        let digest: [u8; 32] = hasher.finalize().into();
        let [a, b, c, d, ..] = digest;
        [a, b, c, d]
    }

    /// The text of a note that this key signed, and that nobody else did.
    pub fn open<'n>(&self, note: &'n str) -> Result<&'n str, ProofError> {
        let wrong = |what: String| ProofError::Checkpoint { what };
        let Some((text, signatures)) = split(note) else {
            return Err(wrong(
                "it is no signed note: no empty line, or no signature below it".into(),
            ));
        };
        let Some(line) = signatures.strip_suffix('\n').filter(|l| !l.contains('\n')) else {
            return Err(wrong("it has more than one signature line".into()));
        };
        let (name, bytes) = line
            .strip_prefix(DASH)
            .and_then(|rest| rest.split_once(' '))
            .ok_or_else(|| wrong("its signature line is not `\u{2014} name base64`".into()))?;
        let bytes = BASE64
            .decode(bytes)
            .map_err(|e| wrong(format!("its signature is not base64: {e}")))?;
        let (id, signature) = bytes
            .split_first_chunk::<4>()
            .ok_or_else(|| wrong("its signature is too short".into()))?;
        if name != self.name || *id != self.id() {
            return Err(wrong(format!(
                "it is signed by {name}, not by {}",
                self.name
            )));
        }
        let signature = Signature::from_slice(signature)
            .map_err(|_| wrong("its signature is not 64 bytes long".into()))?;
        self.key
            .verify_strict(text.as_bytes(), &signature)
            .map_err(|_| wrong(format!("its text is not what {name} signed")))?;
        Ok(text)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(self, self.key.as_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<PublicKey, ProofError> {
        let wrong = |what: &str| ProofError::Key {
            what: format!("the public key {what}"),
        };
        let (name, id, bytes) =
            parts(text.trim()).ok_or_else(|| wrong("is not <name>+<hash>+<base64>"))?;
        let bytes: [u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| wrong("is not 32 bytes long"))?;
        let key =
            VerifyingKey::from_bytes(&bytes).map_err(|_| wrong("is no point of the curve"))?;
        let public = PublicKey {
            name: name.to_owned(),
            key,
        };
        if public.id() != id {
            return Err(wrong("does not fit its own key hash"));
        }
        Ok(public)
    }
}

/// Text with its last line break, and everything below the empty line.
pub fn split(note: &str) -> Option<(&str, &str)> {
    let end = note.find("\n\n")?;
    let (text, rest) = note.split_at_checked(end + 1)?;
    let signatures = rest.strip_prefix('\n')?;
    signatures.starts_with(DASH).then_some((text, signatures))
}

fn written(public: &PublicKey, bytes: &[u8; 32]) -> String {
    let id: String = public.id().iter().map(|b| format!("{b:02x}")).collect();
    let mut value = vec![ED25519];
    value.extend_from_slice(bytes);
    format!("{}+{id}+{}", public.name, BASE64.encode(value))
}

/// Name, key hash and the bytes behind the algorithm byte.
fn parts(text: &str) -> Option<(&str, [u8; 4], Vec<u8>)> {
    let (name, rest) = text.split_once('+')?;
    let (id, value) = rest.split_once('+')?;
    let id = u32::from_str_radix(id, 16).ok().filter(|_| id.len() == 8)?;
    let mut value = BASE64.decode(value).ok()?;
    if name.is_empty() || name.contains(char::is_whitespace) || value.first() != Some(&ED25519) {
        return None;
    }
    value.remove(0);
    Some((name, id.to_be_bytes(), value))
}
