//! Messages to customers: what is to be said to whom, and what became of it.
//!
//! A fact asks for a message; the edge opens the customer's address, writes the text and sends it, and reports back.
//!
//! - Names and addresses are never here: a message says which account it is for, and the edge looks the rest up when it sends.
//! - Sending is at least once: a crash between a provider's answer and our record sends again, under the same identity
//!   (docs/decisions/0022-messages.md).
//! - A temporary failure is tried again by a fixed schedule; a final one, or the last of the schedule, waits for a person.
//! - What was sent stays sent: a message can be sent again, never taken back.
//! - What came back is a fact of its own: the next channel is tried, and none of that address until the contact is another.

mod channel;
mod decide;
mod schedule;

use crate::command::FailureKind;
use crate::events;
use crate::kernel::{Date, Id, Instant};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use channel::Channel;
pub use decide::Command;
pub use schedule::{ATTEMPTS_MAX, next_attempt};

/// Most values that a message's text can be given.
pub const VALUES_MAX: usize = 50;

/// Longest value, in bytes.
pub const VALUE_LENGTH_MAX: usize = 2_000;

/// Most invoices that one message is about.
pub const ABOUT_MAX: usize = 500;

/// Longest reason kept of a failure, in bytes.
pub const REASON_LENGTH_MAX: usize = 300;

/// Longest status code of a bounce, in bytes: three numbers of at most three digits (RFC 3463 2).
pub const STATUS_LENGTH_MAX: usize = 11;

/// What is to be said to whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    pub account: Id,
    /// Name of the text, e.g. `reminder`.
    pub template: String,
    /// None: the one the account prefers, when it is sent.
    pub channel: Option<Channel>,
    /// BCP 47 tag; none: that of the account, when it is sent.
    pub language: Option<String>,
    /// Invoices it is about, in the order they are listed.
    pub about: Vec<Id>,
    /// What the text says, by name: amounts as `12.00 EUR`, days as `2026-10-01`. No personal data.
    pub values: BTreeMap<String, String>,
    /// Day it is dated.
    pub on: Date,
}

/// Why a message is not sent and will not be tried by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suppression {
    /// The account has no address for the channel.
    NoAddress,
    /// The account's holder was forgotten.
    Forgotten,
    /// What was sent to its address came back, and there is no other way.
    Bounced,
}

/// What came of one attempt to send a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    Sent {
        channel: Channel,
        language: String,
        /// What the provider knows it by; empty if it said nothing.
        reference: String,
    },
    Failed {
        channel: Option<Channel>,
        kind: FailureKind,
        /// No personal data: codes rather than the sentences of other people's servers.
        reason: String,
    },
    Suppressed {
        channel: Option<Channel>,
        why: Suppression,
    },
}

/// Where a message is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    #[default]
    Absent,
    /// To be sent as soon as `due` is reached.
    Waiting,
    Sent,
    /// Failed for good; somebody has to look.
    Failed,
    Suppressed,
    /// No longer to be said.
    Withdrawn,
}

/// One attempt, as it was reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub at: Instant,
    pub report: Report,
}

/// A message and its attempts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub ask: Ask,
    pub stage: Stage,
    /// When the next attempt may be made, while it waits.
    pub due: Instant,
    /// Every attempt, in order.
    pub attempts: Vec<Attempt>,
    /// Attempts before the schedule last began anew.
    pub before: u32,
    /// What came back of it, in order.
    pub bounces: Vec<Bounce>,
}

/// Which contact of an account: its seal is made anew whenever one is given.
pub type ContactSeal = [u8; 24];

/// What a mail system said of a message that it took and could not deliver (RFC 3464).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounce {
    /// What the message was known by when it was sent.
    pub reference: String,
    /// Enhanced status code, e.g. `5.1.1` (RFC 3463). Other people's sentences stay out.
    pub status: String,
    /// The contact whose address it is, if it is still that of the account: it is not written to any more.
    pub contact: Option<ContactSeal>,
}

/// What becomes of a message that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It is sent another way.
    Again,
    /// A person has to look.
    Stuck,
    /// Nothing: it was sent again, withdrawn or given up meanwhile.
    Nothing,
}

impl Message {
    /// Number of the attempt that is made next, from 1. A report of an earlier one is old news.
    pub fn next_attempt(&self) -> u32 {
        u32::try_from(self.attempts.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }
}

/// A message is to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub ask: Ask,
}

/// A provider took it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    pub account: Id,
    pub channel: Channel,
    pub language: String,
    pub reference: String,
    pub at: Instant,
}

/// An attempt failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    pub account: Id,
    pub channel: Option<Channel>,
    pub kind: FailureKind,
    pub reason: String,
    pub at: Instant,
    /// When it is tried again; none: given up.
    pub next: Option<Instant>,
}

/// It cannot reach anybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suppressed {
    pub account: Id,
    pub channel: Option<Channel>,
    pub why: Suppression,
    pub at: Instant,
}

/// Somebody asked to send it again; the schedule begins anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskedAgain {
    pub account: Id,
    /// None: as before.
    pub channel: Option<Channel>,
    pub at: Instant,
}

/// It is not to be said any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Withdrawn {
    pub account: Id,
    pub reason: String,
    pub at: Instant,
}

/// It came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounced {
    pub account: Id,
    pub bounce: Bounce,
    pub then: Then,
    pub at: Instant,
}

events! {
    /// What happens to a message.
    pub enum Event in "message" {
        Asked = "asked" 1,
        Sent = "sent" 1,
        Failed = "failed" 1,
        Suppressed = "suppressed" 1,
        AskedAgain = "asked-again" 1,
        Withdrawn = "withdrawn" 1,
        Bounced = "bounced" 1,
    }
}
