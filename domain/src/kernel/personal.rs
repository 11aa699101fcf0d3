//! Personal data as the log holds it: sealed, so that destroying one key forgets a person without touching a fact.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;

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
