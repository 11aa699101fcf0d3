//! The ways a message can take.

use serde::{Deserialize, Serialize};

/// How a message reaches somebody. Stored in events: new ones are added at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// E-mail, by SMTP.
    Email,
    /// Printed and posted.
    Letter,
    /// Short message to a telephone.
    Sms,
    /// Notification to an app.
    Push,
}

impl Channel {
    /// Every channel there is.
    pub const ALL: [Channel; 4] = [Channel::Email, Channel::Letter, Channel::Sms, Channel::Push];

    /// What it is called in files and sentences.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Email => "email",
            Channel::Letter => "letter",
            Channel::Sms => "sms",
            Channel::Push => "push",
        }
    }

    /// The channel of that name.
    pub fn named(name: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|c| c.name() == name)
    }
}
