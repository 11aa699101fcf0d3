//! Which carriers there are, read from a file; secrets come from the environment or files of their own.
//!
//! ```toml
//! templates = "texts"                # one's own texts, beside this file
//!
//! [email]
//! host = "mail.example.com"
//! port = 587                         # 587 for starttls, 465 for tls, 25 for none
//! security = "starttls"              # or "tls"; "none" to this machine only
//! user = "billing"
//! password_env = "SMTP_PASSWORD"     # or password_file
//! from = "Example Billing <billing@example.com>"
//! reply_to = "service@example.com"
//! senders = { "acme/acme-fr" = "Facturation <facturation@example.fr>" }
//!
//! [letter]
//! folder = "letters"
//!
//! [sms]                              # and [push]
//! url = "https://sms.example.com/send"
//! secret_env = "SMS_SECRET"          # whsec_…, or secret_file
//!
//! [tenants.acme.email]               # instead of the above for one tenant, by channel; its texts likewise
//! host = "mail.acme.example"
//! from = "Acme <billing@acme.example>"
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indelible_domain::messages::Channel;
use lettre::message::Mailbox;
use serde::Deserialize;

use crate::letters::Letters;
use crate::smtp::{Security, Senders, Server, Smtp};
use crate::webhook::{self, Secret, Webhook};
use crate::{Carrier, Texts};

/// How long a step of a conversation, or a whole webhook call, may take unless the file says otherwise.
const PATIENCE_SECONDS: u64 = 30;

/// Longest patience that can be set, in seconds.
const PATIENCE_SECONDS_MAX: u64 = 600;

/// Why carriers cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{0:?} has tenants of its own: a tenant has none")]
    Nested(String),
    #[error("{path} is not as it should be: {why}")]
    Malformed { path: PathBuf, why: String },
    #[error("{text:?} is not an e-mail address like Example <billing@example.com>")]
    Mailbox { text: String },
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    #[error("{what} is given both by the environment and by a file")]
    Twice { what: &'static str },
    #[error("a user without a password, or a password without a user, is given for e-mail")]
    HalfCredentials,
    #[error("e-mail to {0} would go in the clear: security none is for this machine only")]
    PlainMail(String),
    #[error("the certificates for e-mail cannot be used: {0}")]
    Certificates(lettre::transport::smtp::Error),
    #[error(
        "a secret of a webhook is whsec_ and at least {} bytes in base64",
        webhook::SECRET_MIN
    )]
    Secret,
    #[error("a webhook needs a secret")]
    NoSecret,
    #[error("{0:?} is not an address")]
    Address(String),
    #[error("{0:?} is neither https nor on this machine")]
    Plain(String),
    #[error("this machine has no root certificates to check others by")]
    NoRoots,
    #[error("a patience of {0} seconds is not between 1 and {PATIENCE_SECONDS_MAX}")]
    Patience(u64),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    templates: Option<PathBuf>,
    email: Option<Email>,
    letter: Option<Letter>,
    sms: Option<Hook>,
    push: Option<Hook>,
    tenants: BTreeMap<String, File>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Email {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    security: Security,
    user: Option<String>,
    password_env: Option<String>,
    password_file: Option<PathBuf>,
    from: String,
    reply_to: Option<String>,
    #[serde(default)]
    senders: BTreeMap<String, String>,
    root_certificate: Option<PathBuf>,
    patience_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Letter {
    folder: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hook {
    url: String,
    secret_env: Option<String>,
    secret_file: Option<PathBuf>,
    patience_seconds: Option<u64>,
}

/// The texts, and a carrier for each channel that is set up; some tenants have their own.
#[derive(Default)]
pub struct Outlets {
    texts: Option<Texts>,
    carriers: BTreeMap<Channel, Box<dyn Carrier>>,
    tenants: BTreeMap<String, Outlets>,
}

impl Outlets {
    /// Reads a file; paths in it are beside it.
    pub fn read(path: &Path) -> Result<Outlets, ConfigError> {
        Outlets::read_with(path, &|name| std::env::var(name).ok())
    }

    /// Reads a file with variables from elsewhere than the environment.
    pub fn read_with(
        path: &Path,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Outlets, ConfigError> {
        let text = read(path)?;
        let file: File = toml::from_str(&text).map_err(|error| ConfigError::Malformed {
            path: path.to_owned(),
            why: error.message().to_owned(),
        })?;
        let beside = Beside {
            folder: path.parent().unwrap_or(Path::new(".")),
            variable,
        };
        let mut outlets = beside.outlets(&file)?;
        for (tenant, own) in &file.tenants {
            if !own.tenants.is_empty() {
                return Err(ConfigError::Nested(tenant.clone()));
            }
            outlets.tenants.insert(tenant.clone(), beside.outlets(own)?);
        }
        Ok(outlets)
    }

    /// Sets a channel's carrier.
    pub fn add(&mut self, channel: Channel, carrier: Box<dyn Carrier>) {
        self.carriers.insert(channel, carrier);
    }

    /// The carrier of a channel for a tenant, if one is set up: its own, or that of everybody.
    pub fn carrier(&self, tenant: &str, channel: Channel) -> Option<&dyn Carrier> {
        let own = self.own(tenant, channel);
        own.or_else(|| self.carriers.get(&channel).map(AsRef::as_ref))
    }

    /// Whether a tenant's messages of a channel go another way than everybody's.
    pub fn has_own(&self, tenant: &str, channel: Channel) -> bool {
        self.own(tenant, channel).is_some()
    }

    fn own(&self, tenant: &str, channel: Channel) -> Option<&dyn Carrier> {
        let own = self.tenants.get(tenant)?;
        own.carriers.get(&channel).map(AsRef::as_ref)
    }

    /// The texts of a tenant: its own, or those of everybody.
    pub fn texts(&self, tenant: &str) -> Texts {
        let own = self.tenants.get(tenant).and_then(|o| o.texts.clone());
        own.or_else(|| self.texts.clone()).unwrap_or_default()
    }

    /// Channels that are set up for everybody.
    pub fn channels(&self) -> impl Iterator<Item = Channel> {
        self.carriers.keys().copied()
    }
}

/// Where the file lies and what its variables are.
struct Beside<'a> {
    folder: &'a Path,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Beside<'_> {
    fn outlets(&self, file: &File) -> Result<Outlets, ConfigError> {
        let mut outlets = Outlets::default();
        if let Some(folder) = &file.templates {
            outlets.texts = Some(Texts::within(&self.folder.join(folder)));
        }
        if let Some(email) = &file.email {
            outlets.add(Channel::Email, Box::new(self.smtp(email)?));
        }
        if let Some(letter) = &file.letter {
            let folder = self.folder.join(&letter.folder);
            outlets.add(Channel::Letter, Box::new(Letters::into(&folder)));
        }
        for (channel, hook) in [(Channel::Sms, &file.sms), (Channel::Push, &file.push)] {
            if let Some(hook) = hook {
                outlets.add(channel, Box::new(self.webhook(hook, channel)?));
            }
        }
        Ok(outlets)
    }

    fn smtp(&self, email: &Email) -> Result<Smtp, ConfigError> {
        if email.security == Security::None && !webhook::is_loopback(&email.host) {
            return Err(ConfigError::PlainMail(email.host.clone()));
        }
        let password = self.secret("a password", &email.password_env, &email.password_file)?;
        let credentials = match (email.user.clone(), password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => return Err(ConfigError::HalfCredentials),
        };
        let root = match &email.root_certificate {
            Some(path) => Some(read(&self.folder.join(path))?.into_bytes()),
            None => None,
        };
        let server = Server {
            host: email.host.clone(),
            // RFC 6409 3.1 and RFC 8314 7.3.
            port: email.port.unwrap_or(match email.security {
                Security::StartTls => 587,
                Security::Tls => 465,
                Security::None => 25,
            }),
            security: email.security,
            credentials,
            root,
            patience: patience(email.patience_seconds)?,
        };
        let others = email.senders.iter();
        let senders = Senders {
            from: mailbox(&email.from)?,
            reply_to: email.reply_to.as_deref().map(mailbox).transpose()?,
            others: others
                .map(|(of, from)| Ok((of.clone(), mailbox(from)?)))
                .collect::<Result<_, ConfigError>>()?,
        };
        Smtp::to(&server, senders).map_err(ConfigError::Certificates)
    }

    fn webhook(&self, hook: &Hook, channel: Channel) -> Result<Webhook, ConfigError> {
        let secret = self
            .secret("a webhook's secret", &hook.secret_env, &hook.secret_file)?
            .ok_or(ConfigError::NoSecret)?;
        let patience = patience(hook.patience_seconds)?;
        Webhook::to(&hook.url, Secret::read(&secret)?, channel, patience)
    }

    fn secret(
        &self,
        what: &'static str,
        name: &Option<String>,
        path: &Option<PathBuf>,
    ) -> Result<Option<String>, ConfigError> {
        match (name, path) {
            (Some(_), Some(_)) => Err(ConfigError::Twice { what }),
            (Some(name), None) => match (self.variable)(name) {
                Some(value) => Ok(Some(value)),
                None => Err(ConfigError::NoVariable(name.clone())),
            },
            (None, Some(path)) => {
                let text = read(&self.folder.join(path))?;
                Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
            (None, None) => Ok(None),
        }
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn mailbox(text: &str) -> Result<Mailbox, ConfigError> {
    text.parse().map_err(|_| ConfigError::Mailbox {
        text: text.to_owned(),
    })
}

fn patience(seconds: Option<u64>) -> Result<Duration, ConfigError> {
    match seconds.unwrap_or(PATIENCE_SECONDS) {
        seconds @ 1..=PATIENCE_SECONDS_MAX => Ok(Duration::from_secs(seconds)),
        seconds => Err(ConfigError::Patience(seconds)),
    }
}
