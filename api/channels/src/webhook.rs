//! Short messages and notifications, handed to somebody else's HTTP address who carries them on.
//!
//! Signed the way of the Standard Webhooks specification: the receiver checks `webhook-signature` over id, time and body,
//! refuses old times, and remembers `webhook-id`, which is the same for every attempt to send one message.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use indelible_domain::messages::Channel;

use crate::config::ConfigError;
use crate::{Carrier, Parcel, Undelivered};

/// What a secret begins with where it is written down.
pub const SECRET_PREFIX: &str = "whsec_";

/// Shortest secret, in bytes.
pub const SECRET_MIN: usize = 24;

/// Most of an answer that is read, in bytes.
const ANSWER_MAX: u64 = 64 * 1024;

/// Longest reference taken over from an answer, in bytes.
const REFERENCE_MAX: usize = 120;

/// Key of a webhook's signatures.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Reads `whsec_` and base64 behind it.
    pub fn read(text: &str) -> Result<Secret, ConfigError> {
        text.trim()
            .strip_prefix(SECRET_PREFIX)
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .filter(|key| key.len() >= SECRET_MIN)
            .map(Secret)
            .ok_or(ConfigError::Secret)
    }

    /// What stands in `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        format!(
            "v1,{}",
            STANDARD.encode(self.mac(id, timestamp, body).finalize().into_bytes())
        )
    }

    /// Whether one of the signatures of a header is ours, in the same time whatever it says.
    pub fn signed(&self, id: &str, timestamp: u64, body: &[u8], header: &str) -> bool {
        header
            .split(' ')
            .filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok())
            .any(|given| self.mac(id, timestamp, body).verify_slice(&given).is_ok())
    }

    fn mac(&self, id: &str, timestamp: u64, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .expect("a key of any length is a key of this hash");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        mac
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where parcels of one channel are posted to.
pub struct Webhook {
    agent: Agent,
    url: String,
    secret: Secret,
    channel: Channel,
}

impl Webhook {
    /// Checks the address and loads what TLS needs; connects to nobody yet. In the clear only to this machine.
    pub fn to(
        url: &str,
        secret: Secret,
        channel: Channel,
        patience: Duration,
    ) -> Result<Webhook, ConfigError> {
        let uri: Uri = url
            .parse()
            .map_err(|_| ConfigError::Address(url.to_owned()))?;
        let encrypted = uri.scheme_str() == Some("https");
        let near = uri.scheme_str() == Some("http") && uri.host().is_some_and(is_loopback);
        if !encrypted && !near {
            return Err(ConfigError::Plain(url.to_owned()));
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .https_only(encrypted)
            .user_agent("indelible")
            .timeout_global(Some(patience));
        if encrypted {
            config = config.tls_config(tls()?);
        } else {
            // A proxy named in the environment is none for this machine's own ports.
            config = config.proxy(None);
        }
        Ok(Webhook {
            agent: config.build().new_agent(),
            url: url.to_owned(),
            secret,
            channel,
        })
    }

    fn body(&self, parcel: &Parcel) -> String {
        let to = match self.channel {
            Channel::Sms => json!(parcel.to.phone),
            Channel::Email => json!(parcel.to.email),
            // An app is found by its account.
            Channel::Push | Channel::Letter => Value::Null,
        };
        json!({
            "type": format!("message.{}", self.channel.name()),
            "data": {
                "tenant": parcel.tenant,
                "message": parcel.message,
                "account": parcel.account,
                "entity": parcel.entity,
                "to": to,
                "language": parcel.language,
                "subject": parcel.text.subject,
                "text": parcel.text.short,
            },
        })
        .to_string()
    }
}

impl Carrier for Webhook {
    fn carry(&self, parcel: &Parcel) -> Result<String, Undelivered> {
        let id = format!("msg_{}", parcel.identity());
        let since = parcel.now.duration_since(UNIX_EPOCH);
        let timestamp = since.map_or(0, |since| since.as_secs());
        let body = self.body(parcel);
        let sent = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp.to_string())
            .header(
                "webhook-signature",
                self.secret.sign(&id, timestamp, body.as_bytes()),
            )
            .send(body.as_str());
        let mut answer = match sent {
            Ok(answer) => answer,
            Err(ureq::Error::Timeout(_)) => {
                return Err(Undelivered::soft("the webhook did not answer in time"));
            }
            Err(_) => return Err(Undelivered::soft("the webhook could not be reached")),
        };
        let status = answer.status().as_u16();
        let said = || format!("the webhook answered {status}");
        match status {
            200..=299 => {
                let text = answer
                    .body_mut()
                    .with_config()
                    .limit(ANSWER_MAX)
                    .read_to_string();
                Ok(text
                    .ok()
                    .and_then(|text| reference(&text))
                    .unwrap_or_default())
            }
            // It asks for patience, or is not well.
            408 | 425 | 429 | 500..=599 => Err(Undelivered::soft(said())),
            _ => Err(Undelivered::hard(said())),
        }
    }
}

/// The `reference` or `id` of an answer, if it is a plain name: it is kept for ever, a telephone number must not be.
fn reference(answer: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let named = answer
        .get("reference")
        .or_else(|| answer.get("id"))?
        .as_str()?;
    let plain = named.len() <= REFERENCE_MAX
        && named.bytes().any(|b| b.is_ascii_alphabetic())
        && named
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    plain.then(|| named.to_owned())
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The machine's own root certificates, as its keeper set them.
fn tls() -> Result<TlsConfig, ConfigError> {
    let roots: Vec<_> = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .map(|root| Certificate::from_der(root).to_owned())
        .collect();
    if roots.is_empty() {
        return Err(ConfigError::NoRoots);
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}
