//! Personal data as the log holds it: sealed, so that destroying one key forgets a person without touching a fact.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;

/// What personal data is kept for. Each customer has one key per purpose, so that what is no longer needed for one can be
/// forgotten while the law still asks for the other (docs/decisions/0011-personal-data.md).
///
/// Stored in events and in the key file: new purposes are added at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Reaching the holder of an account: name, address, e-mail, telephone.
    Contact,
    /// The buyer as printed on invoices and credit notes.
    LegalDocument,
    /// Lines of usage as they were delivered.
    UsageRaw,
    /// Bank accounts that money is drawn from or given back to.
    Payment,
}

impl Purpose {
    /// Every purpose there is.
    pub const ALL: [Purpose; 4] = [
        Purpose::Contact,
        Purpose::LegalDocument,
        Purpose::UsageRaw,
        Purpose::Payment,
    ];

    /// What it is called in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Contact => "contact",
            Purpose::LegalDocument => "legal documents",
            Purpose::UsageRaw => "raw usage",
            Purpose::Payment => "payment methods",
        }
    }
}

/// A value of type `T`, encrypted at the edge under the key `key_id`.
///
/// The domain carries it and never opens it; the log's hash chain runs over the ciphertext.
#[derive(Serialize, Deserialize)]
pub struct Personal<T> {
    pub key_id: String,
    pub nonce: [u8; 24],
    pub ciphertext: Vec<u8>,
    #[serde(skip)]
    marker: PhantomData<fn() -> T>,
}

impl<T> Personal<T> {
    pub fn sealed(key_id: String, nonce: [u8; 24], ciphertext: Vec<u8>) -> Self {
        Personal {
            key_id,
            nonce,
            ciphertext,
            marker: PhantomData,
        }
    }
}

impl<T> Clone for Personal<T> {
    fn clone(&self) -> Self {
        Personal::sealed(self.key_id.clone(), self.nonce, self.ciphertext.clone())
    }
}

impl<T> PartialEq for Personal<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key_id == other.key_id
            && self.nonce == other.nonce
            && self.ciphertext == other.ciphertext
    }
}

impl<T> Eq for Personal<T> {}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Personal({} bytes under {})",
            self.ciphertext.len(),
            self.key_id
        )
    }
}
