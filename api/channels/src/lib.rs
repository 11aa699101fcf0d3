//! How messages reach people: e-mail, letters, and what a webhook carries on.
//!
//! The ledger asks for a message and remembers what became of it; here is only the last step: a text in the reader's
//! language, and a carrier that takes it. Carriers know nothing of the ledger, and nothing of each other.
//!
//! - One message keeps one identity however often it is sent, so that whoever gets it twice can tell.
//! - What a carrier says of a failure holds no personal data: codes, never other people's sentences.

pub mod bounce;
pub mod config;
pub mod letters;
pub mod locale;
pub mod smtp;
pub mod text;
pub mod webhook;

use std::time::SystemTime;

use indelible_domain::accounts::Contact;
use indelible_domain::command::FailureKind;
use indelible_domain::messages::Channel;
use sha2::{Digest, Sha256};

pub use config::{ConfigError, Outlets};
pub use text::{Text, TextError, Texts};

/// One message on its way, addressed and written.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub tenant: String,
    /// Id of the message in the ledger.
    pub message: String,
    /// How often somebody asked to send it again: a resend is meant to arrive, a repetition is not.
    pub edition: u32,
    pub account: String,
    /// Legal entity in whose name it is sent.
    pub entity: String,
    /// Name of that entity.
    pub sender: String,
    pub to: Contact,
    pub language: String,
    pub text: Text,
    /// Business day it is dated, as `2026-10-01`.
    pub dated: String,
    /// Now, by the clock of whoever sends.
    pub now: SystemTime,
}

impl Parcel {
    /// The same for every attempt to send one edition of one message: 32 hexadecimal digits.
    pub fn identity(&self) -> String {
        let mut hash = Sha256::new();
        for part in [&self.tenant, &self.message] {
            // Lengths before the parts, so that no two pairs read the same.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(self.edition.to_be_bytes());
        let digest = hash.finalize();
        digest.iter().take(16).map(|b| format!("{b:02x}")).collect()
    }
}

/// Why a carrier did not take a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Soft: may be taken later. Hard: never, as it is.
    pub kind: FailureKind,
    /// Without personal data.
    pub reason: String,
}

impl Undelivered {
    pub fn soft(reason: impl Into<String>) -> Undelivered {
        Undelivered {
            kind: FailureKind::Soft,
            reason: reason.into(),
        }
    }

    pub fn hard(reason: impl Into<String>) -> Undelivered {
        Undelivered {
            kind: FailureKind::Hard,
            reason: reason.into(),
        }
    }
}

/// Takes parcels of one channel. Calls block; whoever has a thread to spare calls.
pub trait Carrier: Send + Sync {
    /// Hands a parcel over; answers with what the carrier knows it by, empty if it said nothing.
    fn carry(&self, parcel: &Parcel) -> Result<String, Undelivered>;
}

/// Whether a contact can be reached by a channel. An app is found by its account, so it always can.
pub fn reaches(channel: Channel, contact: &Contact) -> bool {
    let given = |text: &str| !text.trim().is_empty();
    match channel {
        Channel::Email => given(&contact.email),
        Channel::Letter => given(&contact.name) && given(&contact.address),
        Channel::Sms => given(&contact.phone),
        Channel::Push => true,
    }
}

/// The channel to take: the one asked for or nothing; else the preferred one if it can be used, else e-mail, else a
/// letter.
pub fn choose(
    asked: Option<Channel>,
    preferred: Option<Channel>,
    contact: &Contact,
) -> Option<Channel> {
    if asked.is_some() {
        return asked.filter(|channel| reaches(*channel, contact));
    }
    preferred
        .into_iter()
        .chain([Channel::Email, Channel::Letter])
        .find(|channel| reaches(*channel, contact))
}
