//! Which Stripe account, and with which keys.

use std::fmt;
use std::time::Duration;

/// Where Stripe itself answers.
pub const LIVE: &str = "https://api.stripe.com";

/// How long a call may take before its outcome counts as unknown. Stripe itself gives up after 80 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// A key that shows itself to nobody: neither `{:?}` nor a log line prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The key itself, for the one place that sends or computes with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A Stripe account as it is configured.
#[derive(Clone, Debug)]
pub struct Account {
    /// `https://api.stripe.com`, or where a stand-in listens. Plain HTTP is allowed to loopback only.
    pub base: String,
    pub secret_key: Secret,
    /// Of the webhook endpoint; two while a secret is being replaced.
    pub webhook_secrets: Vec<Secret>,
    /// Kinds of payment methods the account takes, e.g. `card`, `sepa_debit`.
    pub method_types: Vec<String>,
    /// Whether [`crate::Ask::text`] is sent as the description that the payer sees.
    pub describes: bool,
    pub patience: Duration,
}

impl Account {
    /// An account of the real Stripe that takes cards.
    pub fn live(secret_key: Secret, webhook_secrets: Vec<Secret>) -> Account {
        Account {
            base: LIVE.to_owned(),
            secret_key,
            webhook_secrets,
            method_types: vec!["card".to_owned()],
            describes: true,
            patience: PATIENCE,
        }
    }
}

/// Why an account cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0} is neither https nor loopback, and the secret key would travel in the clear")]
    Plain(String),
    #[error("the secret key is empty")]
    NoKey,
    #[error("this machine has no root certificates to check Stripe's by")]
    NoRoots,
}
