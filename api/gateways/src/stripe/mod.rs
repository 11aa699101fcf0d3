//! Stripe over HTTP: cards and what else a Stripe account takes, off-session.
//!
//! - One attempt is one PaymentIntent, made and confirmed in one request, with [`Ask::key`] as `Idempotency-Key` and in its
//!   metadata. Stripe forgets idempotency keys after a day; the metadata it keeps, and look-ups go by them.
//! - Only a definite answer is passed on as one. A timeout, a broken connection, 409, 429, 5xx, a refused API key and an
//!   answer that cannot be read are all [`Answer::Unknown`]: nobody is charged again on a guess.
//! - What a webhook tells is taken as a hint that something happened; what happened is then asked for. So a late, repeated
//!   or overtaken event cannot set anything back.

mod account;
mod amount;
mod decline;
mod event;
mod http;
mod intent;
mod list;
mod refund;
mod signature;
mod tenants;

use indelible_domain::command::FailureKind;

use crate::{Answer, Ask, Decline, Gateway, Known, Return};
use http::{Http, Reply};

pub use account::{Account, ConfigError, LIVE, Secret};
pub use event::{Dispute, News, Notice, Unreadable};
pub use signature::{SignatureError, TOLERANCE_SECONDS, sign, verify};
pub use tenants::Tenants;

/// What payment methods name it by.
pub const NAME: &str = "stripe";

/// Where an intent or refund carries the key it was asked under.
const KEY: &str = "indelible_key";
const PAYMENT: &str = "indelible_payment";
const REASON: &str = "indelible_reason";
/// Longest metadata value and description that Stripe takes, in characters.
const VALUE_MAX: usize = 500;

/// One Stripe account as a gateway.
pub struct Stripe {
    account: Account,
    http: Http,
}

impl Stripe {
    /// A gateway to this account. Errors: an address over which a key must not travel, no root certificates.
    pub fn new(account: Account) -> Result<Stripe, ConfigError> {
        let http = Http::to(&account)?;
        Ok(Stripe { account, http })
    }

    /// The account it talks to.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Checks who a webhook's body is from, and reads it. `now` in seconds since 1970.
    pub fn news(&self, header: &str, body: &[u8], now: i64) -> Result<News, NewsError> {
        let secrets = &self.account.webhook_secrets;
        verify(header, body, secrets, now)?;
        Ok(event::read(body)?)
    }
}

/// Why a webhook is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NewsError {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl Gateway for Stripe {
    fn name(&self) -> &str {
        NAME
    }

    fn collect(&self, ask: &Ask) -> Answer {
        let amount = match amount::to_stripe(ask.amount) {
            Ok(amount) => amount,
            Err(reason) => return refused("amount_not_representable", reason),
        };
        let mut form = vec![
            ("amount".to_owned(), amount.to_string()),
            ("currency".to_owned(), amount::code(ask.amount.currency)),
            ("payment_method".to_owned(), ask.token.clone()),
            ("confirm".to_owned(), "true".to_owned()),
            ("off_session".to_owned(), "true".to_owned()),
            (format!("metadata[{KEY}]"), ask.key.clone()),
            (format!("metadata[{PAYMENT}]"), ask.payment.clone()),
        ];
        for (place, kind) in self.account.method_types.iter().enumerate() {
            form.push((format!("payment_method_types[{place}]"), kind.clone()));
        }
        if let Some(customer) = &ask.customer {
            form.push(("customer".to_owned(), customer.clone()));
        }
        if self.account.describes && !ask.text.is_empty() {
            form.push(("description".to_owned(), cut(&ask.text)));
        }
        match self.http.post("/v1/payment_intents", &ask.key, &form) {
            Reply::Body(body) => intent::answer(&body),
            Reply::Refused { status, body } => intent::refusal(status, &body),
            Reply::Lost(why) => Answer::Unknown { why },
        }
    }

    fn look_up(&self, key: &str, reference: Option<&str>) -> Known {
        match reference {
            Some(reference) if refund::is_refund(reference) => {
                self.one("refunds", reference, refund::answer)
            }
            Some(reference) => self.one("payment_intents", reference, intent::answer),
            None => list::find_intent(&self.http, key),
        }
    }

    fn look_up_return(&self, back: &Return, reference: Option<&str>) -> Known {
        match reference {
            Some(reference) => self.one("refunds", reference, refund::answer),
            None => list::find_refund(&self.http, back),
        }
    }

    fn give_back(&self, back: &Return) -> Answer {
        let amount = match amount::to_stripe(back.amount) {
            Ok(amount) => amount,
            Err(reason) => return refused("amount_not_representable", reason),
        };
        let form = [
            (
                refund::collection_field(&back.reference).to_owned(),
                back.reference.clone(),
            ),
            ("amount".to_owned(), amount.to_string()),
            (format!("metadata[{KEY}]"), back.key.clone()),
            // Stripe's own `reason` is a word out of three; a sentence goes beside it.
            (format!("metadata[{REASON}]"), cut(&back.reason)),
        ];
        match self.http.post("/v1/refunds", &back.key, &form) {
            Reply::Body(body) => refund::answer(&body),
            Reply::Refused { status, body } => intent::refusal(status, &body),
            Reply::Lost(why) => Answer::Unknown { why },
        }
    }
}

impl Stripe {
    /// What became of a thing that Stripe has named.
    fn one(&self, folder: &str, reference: &str, read: fn(&serde_json::Value) -> Answer) -> Known {
        if !http::is_reference(reference) {
            let why = format!("{reference:?} is no reference of Stripe");
            return Known::NotYet { why };
        }
        match self.http.get(&format!("/v1/{folder}/{reference}"), &[]) {
            Reply::Body(body) => known(read(&body)),
            Reply::Refused { status, .. } => Known::NotYet {
                why: format!(
                    "Stripe answered {status} when asked for {reference}: is this the account that made it?"
                ),
            },
            Reply::Lost(why) => Known::NotYet { why },
        }
    }
}

/// An answer to a look-up; one that says nothing is no knowledge.
fn known(answer: Answer) -> Known {
    match answer {
        Answer::Unknown { why } => Known::NotYet { why },
        answer => Known::As(answer),
    }
}

/// Refused before Stripe was asked.
fn refused(code: &str, reason: String) -> Answer {
    Answer::Declined {
        reference: None,
        decline: Decline {
            kind: FailureKind::Hard,
            code: code.to_owned(),
            reason,
        },
    }
}

/// As much as a metadata value or a description takes.
fn cut(text: &str) -> String {
    text.chars().take(VALUE_MAX).collect()
}
