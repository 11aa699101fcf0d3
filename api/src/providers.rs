//! Which payment providers a server talks to, and with which keys.
//!
//! The file names where each key lies and never holds one: it may be kept with the rest of a machine's configuration, shown
//! and printed. Keys come from the environment or from files of their own, and no error or log line repeats them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indelible_gateways::stripe::{Account, ConfigError, LIVE, Secret, Stripe, Tenants};
use indelible_gateways::{DirectDebit, Gateway, Gateways};
use serde::Deserialize;
use toml::Value;

/// The providers that are at hand.
#[derive(Clone)]
pub struct Providers {
    /// All of them, by the name that payment methods use.
    pub gateways: Gateways,
    /// Stripe again, for its webhooks.
    pub stripe: Arc<Tenants>,
}

impl Default for Providers {
    /// Direct debit by file alone: it needs no key, its files are drawn by hand.
    fn default() -> Providers {
        Providers {
            gateways: Gateways::default().with(Arc::new(DirectDebit)),
            stripe: Arc::default(),
        }
    }
}

/// Why a configuration of providers is not used.
#[derive(Debug, thiserror::Error)]
pub enum ProvidersError {
    #[error("{path} cannot be read")]
    File {
        path: String,
        source: std::io::Error,
    },
    #[error("{path}, line {line}: {message}")]
    Syntax {
        path: String,
        line: usize,
        message: String,
    },
    /// What was written there instead is not repeated: it may be a key.
    #[error(
        "{what} of tenant {tenant} must say where the key lies: {{ env = \"NAME\" }} or {{ file = \"PATH\" }}"
    )]
    Place { what: &'static str, tenant: String },
    #[error(
        "{what} of tenant {tenant} is to be in the environment variable {name}, which is not set"
    )]
    NoVariable {
        what: &'static str,
        tenant: String,
        name: String,
    },
    #[error("tenant {0} has two Stripe accounts")]
    Twice(String),
    #[error("the Stripe account of tenant {tenant} cannot be used")]
    Account { tenant: String, source: ConfigError },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    stripe: Vec<StripeAccount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StripeAccount {
    tenant: String,
    /// Read by hand, so that a key written here by mistake is in no error.
    secret_key: Value,
    #[serde(default)]
    webhook_secrets: Vec<Value>,
    base: Option<String>,
    method_types: Option<Vec<String>>,
    patience_seconds: Option<u64>,
    describes: Option<bool>,
}

impl Providers {
    /// Reads the file, and each key from where the file says it lies.
    pub fn load(path: &Path) -> Result<Providers, ProvidersError> {
        let text = read(path)?;
        Providers::parse(&path.display().to_string(), &text, &|name| {
            std::env::var(name).ok()
        })
    }

    fn parse(
        path: &str,
        text: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Providers, ProvidersError> {
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.get(..at).unwrap_or_default();
            ProvidersError::Syntax {
                path: path.to_owned(),
                line: before.matches('\n').count() + 1,
                message: error.message().to_owned(),
            }
        })?;
        let mut tenants = Tenants::default();
        for entry in file.stripe {
            let tenant = entry.tenant.clone();
            let stripe = Stripe::new(account(entry, variable)?);
            let stripe = stripe.map_err(|source| ProvidersError::Account {
                tenant: tenant.clone(),
                source,
            })?;
            if !tenants.add(&tenant, stripe) {
                return Err(ProvidersError::Twice(tenant));
            }
        }
        Ok(Providers::default().with_stripe(tenants))
    }

    /// The same with one provider more.
    #[must_use]
    pub fn with(self, gateway: Arc<dyn Gateway>) -> Providers {
        Providers {
            gateways: self.gateways.with(gateway),
            ..self
        }
    }

    /// The same with these Stripe accounts.
    #[must_use]
    pub fn with_stripe(self, tenants: Tenants) -> Providers {
        let stripe = Arc::new(tenants);
        let gateways = match stripe.is_empty() {
            true => self.gateways,
            false => self.gateways.with(Arc::<Tenants>::clone(&stripe)),
        };
        Providers { gateways, stripe }
    }
}

fn account(
    entry: StripeAccount,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Account, ProvidersError> {
    let tenant = &entry.tenant;
    let mut webhook_secrets = vec![];
    for place in &entry.webhook_secrets {
        webhook_secrets.push(key("webhook_secrets", tenant, place, variable)?);
    }
    let secret_key = key("secret_key", tenant, &entry.secret_key, variable)?;
    let usual = Account::live(secret_key, webhook_secrets);
    Ok(Account {
        base: entry.base.unwrap_or_else(|| LIVE.to_owned()),
        method_types: entry.method_types.unwrap_or(usual.method_types),
        patience: entry
            .patience_seconds
            .map_or(usual.patience, Duration::from_secs),
        describes: entry.describes.unwrap_or(usual.describes),
        secret_key: usual.secret_key,
        webhook_secrets: usual.webhook_secrets,
    })
}

/// Fetches a key from its place: `{ env = "NAME" }` or `{ file = "PATH" }`, without the line's end.
fn key(
    what: &'static str,
    tenant: &str,
    place: &Value,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Secret, ProvidersError> {
    let tenant = tenant.to_owned();
    let entry = place
        .as_table()
        .filter(|table| table.len() == 1)
        .and_then(|table| table.iter().next());
    let text = match entry.map(|(kind, value)| (kind.as_str(), value.as_str())) {
        Some(("env", Some(name))) => variable(name).ok_or_else(|| ProvidersError::NoVariable {
            what,
            tenant,
            name: name.to_owned(),
        })?,
        Some(("file", Some(path))) => read(&PathBuf::from(path))?,
        _ => return Err(ProvidersError::Place { what, tenant }),
    };
    Ok(Secret::new(text.trim_end()))
}

fn read(path: &Path) -> Result<String, ProvidersError> {
    std::fs::read_to_string(path).map_err(|source| ProvidersError::File {
        path: path.display().to_string(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Providers, ProvidersError> {
        let known = |name: &str| match name {
            "STRIPE_ACME" => Some("sk_test_acme\n".to_owned()),
            "HOOK_ACME" => Some("whsec_acme".to_owned()),
            _ => None,
        };
        Providers::parse("gateways.toml", text, &known)
    }

    #[test]
    fn each_tenant_gets_its_account_with_keys_from_where_the_file_says() {
        let providers = parse(
            r#"
            [[stripe]]
            tenant = "acme"
            secret_key = { env = "STRIPE_ACME" }
            webhook_secrets = [{ env = "HOOK_ACME" }]
            base = "http://127.0.0.1:1/"
            method_types = ["card", "sepa_debit"]
            patience_seconds = 5
            "#,
        )
        .expect("a configuration");
        let account = providers.stripe.of("acme").expect("an account").account();
        assert_eq!(account.secret_key.expose(), "sk_test_acme");
        assert_eq!(account.webhook_secrets, [Secret::new("whsec_acme")]);
        assert_eq!(account.method_types, ["card", "sepa_debit"]);
        assert_eq!(account.patience, Duration::from_secs(5));
        assert!(providers.stripe.of("other").is_none());
        assert!(providers.gateways.named(providers.stripe.name()).is_some());
    }

    #[test]
    fn a_file_without_accounts_leaves_direct_debit_by_file() {
        let providers = parse("").expect("a configuration");
        assert!(providers.stripe.is_empty());
        assert!(providers.gateways.named("direct-debit").is_some());
        assert!(providers.gateways.named("stripe").is_none());
    }

    #[test]
    fn a_key_that_was_written_into_the_file_by_mistake_is_refused_and_not_repeated() {
        for place in [
            r#""sk_live_1""#,
            r#"{ key = "sk_live_1" }"#,
            r#"["sk_live_1"]"#,
            r#"{ env = ["sk_live_1"] }"#,
        ] {
            let text = format!("[[stripe]]\ntenant = \"acme\"\nsecret_key = {place}\n");
            let error = parse(&text).err().expect("refused");
            assert!(
                !format!("{error} {error:?}").contains("sk_live_1"),
                "{error:?}"
            );
            assert!(
                error.to_string().starts_with("secret_key of tenant acme"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_named_with_its_line() {
        let entry = "[[stripe]]\ntenant = \"acme\"\nsecret_key = { env = \"STRIPE_ACME\" }\n";
        let error = |text: String| parse(&text).err().expect("refused").to_string();
        assert!(
            error(format!("{entry}surprise = 1\n"))
                .starts_with("gateways.toml, line 4: unknown field")
        );
        assert!(error(format!("{entry}{entry}")).contains("two Stripe accounts"));
        assert!(
            error(entry.replace("STRIPE_ACME", "NOWHERE")).contains("NOWHERE, which is not set")
        );
        let plain = error(format!("{entry}base = \"http://api.example.org\"\n"));
        assert_eq!(plain, "the Stripe account of tenant acme cannot be used");
    }
}
