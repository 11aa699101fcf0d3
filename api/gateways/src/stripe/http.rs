//! Calls of Stripe's API: what arrives, and what nobody knows.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::account::{Account, ConfigError, Secret};

/// The shape of requests and answers that this adapter was written for.
const VERSION: &str = "2024-06-20";
/// More than a page of a hundred intents; what is longer is not read.
const BODY_MAX: u64 = 4 << 20;

/// What a call came to.
#[derive(Debug)]
pub enum Reply {
    /// 200, and a JSON object.
    Body(Value),
    /// Stripe refused, and will refuse again: 400, 402, 404 and the like. Nothing moved, or the body says what.
    Refused { status: u16, body: Value },
    /// No answer, or one that leaves open what happened.
    Lost(String),
}

/// One account's door to the API.
pub struct Http {
    agent: Agent,
    base: String,
    key: Secret,
}

impl Http {
    /// Checks the address and loads what TLS needs; connects to nobody yet.
    pub fn to(account: &Account) -> Result<Http, ConfigError> {
        if account.secret_key.expose().is_empty() {
            return Err(ConfigError::NoKey);
        }
        let base = account.base.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().map_err(|_| ConfigError::Plain(base.clone()))?;
        let encrypted = uri.scheme_str() == Some("https");
        let plain = uri.scheme_str() == Some("http") && uri.host().is_some_and(is_loopback);
        if !encrypted && !plain {
            return Err(ConfigError::Plain(base));
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .https_only(encrypted)
            .user_agent("indelible")
            .timeout_global(Some(account.patience));
        if encrypted {
            config = config.tls_config(tls()?);
        } else {
            // A proxy named in the environment is none for this machine's own ports.
            config = config.proxy(None);
        }
        Ok(Http {
            agent: config.build().new_agent(),
            base,
            key: account.secret_key.clone(),
        })
    }

    /// Asks for something to be done, under a key that makes repeating it harmless.
    pub fn post(&self, path: &str, key: &str, form: &[(String, String)]) -> Reply {
        let sent = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("Authorization", self.authorization())
            .header("Stripe-Version", VERSION)
            .header("Idempotency-Key", key)
            .send_form(form.iter().map(|(name, value)| (name, value)));
        understand(path, sent)
    }

    /// Asks what is so.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> Reply {
        let mut request = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("Authorization", self.authorization())
            .header("Stripe-Version", VERSION);
        for (name, value) in query {
            request = request.query(name, value);
        }
        understand(path, request.call())
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.key.expose())
    }
}

/// Sorts an answer into what is certain and what is not.
fn understand(path: &str, answer: Result<Response<Body>, ureq::Error>) -> Reply {
    let mut response = match answer {
        Ok(response) => response,
        Err(error) => return Reply::Lost(format!("no answer to {path}: {error}")),
    };
    let status = response.status().as_u16();
    let body = response
        .body_mut()
        .with_config()
        .limit(BODY_MAX)
        .read_to_string();
    let body: Value = match body.map(|text| serde_json::from_str(&text)) {
        Ok(Ok(body)) => body,
        Ok(Err(_)) if status != 200 => Value::Null,
        Ok(Err(_)) => return Reply::Lost(format!("the answer to {path} is not JSON")),
        Err(error) => return Reply::Lost(format!("the answer to {path} broke off: {error}")),
    };
    match status {
        200 => Reply::Body(body),
        // The key was used with other parameters: an attempt of that name exists, and this was not it.
        400 if body["error"]["type"] == "idempotency_error" => {
            Reply::Lost(format!("{path}: the key names another request"))
        }
        // Neither a wrong key of ours nor a request under way says anything about the payer.
        400 | 402 | 404 => Reply::Refused { status, body },
        status => Reply::Lost(format!("Stripe answered {status} to {path}")),
    }
}

/// Whether this may be a part of a path: Stripe's own names are letters, digits and `_`.
pub fn is_reference(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_loopback(host: &str) -> bool {
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
