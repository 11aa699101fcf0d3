//! What payment providers tell by themselves: `POST /webhooks/stripe/TENANT`.
//!
//! - Whoever signs with a secret of the tenant's endpoint is believed to be Stripe; nobody else gets past the first line.
//! - An event about a payment or a refund is only a reason to ask Stripe how it stands, and the ledger takes the answer as
//!   it takes any: late, twice and out of order it comes to the same. So the delivery of an event may be repeated at will.
//! - A refund that the ledger did not ask for, e.g. one made in Stripe's dashboard, becomes a fact once Stripe says it is made.
//! - A dispute's money moves once each way: the command's id is the dispute's, so a repeated event is a repeated command.
//! - 200 says that the ledger has it, or needs nothing of it. Anything else makes Stripe deliver it again later.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use indelible_domain::Command;
use indelible_domain::kernel::Id;
use indelible_domain::payments::Answer;
use indelible_gateways::stripe::{Dispute, NAME, News, Notice, Stripe};
use indelible_gateways::{Gateway as _, Known};
use indelible_store::{Refused, Request};

use super::Shared;
use crate::office::Office;
use crate::providers::Providers;

/// The header that Stripe signs with.
const SIGNATURE: &str = "stripe-signature";
/// Who did it, in the log.
const ACTOR: &str = "webhook:stripe";

/// What became of an event.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    /// The ledger has what it says.
    Recorded,
    /// It is about nothing of ours.
    Ignored,
}

/// Why an event is to be delivered again.
#[derive(Debug, thiserror::Error)]
enum Later {
    #[error("Stripe does not say how {reference} stands: {why}")]
    NotKnown { reference: String, why: String },
    #[error(transparent)]
    Refused(#[from] Refused),
}

pub(super) async fn stripe(
    State(shared): State<Shared>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let edge = Arc::clone(&shared.edge);
    let (status, says) = match body {
        Ok(body) => {
            let header = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
            let header = header.unwrap_or_default().to_owned();
            // Stripe is asked in between, which blocks.
            let permit = Arc::clone(&edge.webhook_calls).acquire_owned().await;
            let (office, providers) = (Arc::clone(&edge.office), edge.providers.clone());
            let taking = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                take(&office, &providers, &tenant, &header, &body)
            });
            taking.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a webhook was not finished");
                (StatusCode::INTERNAL_SERVER_ERROR, "failed")
            })
        }
        Err(rejection) => (rejection.status(), "unreadable"),
    };
    edge.metrics.answered("/webhooks/stripe", status.as_u16());
    (status, format!("{says}\n")).into_response()
}

/// Checks one delivery and does what it asks for: status and word of the answer.
fn take(
    office: &Office,
    providers: &Providers,
    tenant: &str,
    header: &str,
    body: &[u8],
) -> (StatusCode, &'static str) {
    // A tenant without an account is answered like a bad signature: who is a tenant here is nobody's business.
    let refused = (StatusCode::BAD_REQUEST, "refused");
    let Some(stripe) = providers.stripe.of(tenant) else {
        tracing::warn!(tenant, "a webhook for a tenant without a Stripe account");
        return refused;
    };
    let now = office.clock.now();
    let news = match stripe.news(header, body, now.0.div_euclid(1_000_000)) {
        Ok(news) => news,
        Err(error) => {
            tracing::warn!(tenant, %error, "a webhook was refused");
            return refused;
        }
    };
    match record(office, stripe, tenant, &news) {
        Ok(taken) => {
            tracing::info!(tenant, event = news.id, kind = news.kind, ?taken, "webhook");
            (StatusCode::OK, "taken")
        }
        Err(later) => {
            tracing::warn!(tenant, event = news.id, kind = news.kind, %later, "a webhook is to come again");
            let status = match &later {
                Later::Refused(Refused::Rejection(_) | Refused::Conflict { .. }) => {
                    StatusCode::CONFLICT
                }
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, "later")
        }
    }
}

fn record(office: &Office, stripe: &Stripe, tenant: &str, news: &News) -> Result<Taken, Later> {
    let (command, name) = match &news.notice {
        Notice::Other => return Ok(Taken::Ignored),
        Notice::Collection { reference, key, .. } => {
            let Some((payment, None)) = key.as_deref().and_then(|key| ours(tenant, key)) else {
                return Ok(Taken::Ignored);
            };
            let key = indelible_gateways::key(tenant, &payment, None);
            let answer = match stripe.look_up(&key, Some(reference)) {
                Known::As(answer) => answer,
                other => return Err(not_known(reference, other)),
            };
            (Command::AnswerPayment { payment, answer }, None)
        }
        Notice::Return {
            reference,
            collection,
            key,
            amount,
            reason,
        } => {
            let Some((payment, Some(number))) = key.as_deref().and_then(|key| ours(tenant, key))
            else {
                let collection = collection.as_deref().unwrap_or_default();
                let Some(payment) = collected(office, tenant, collection) else {
                    return Ok(Taken::Ignored);
                };
                let made = made(stripe, tenant, &payment, reference)?;
                let (true, Some(amount)) = (made, *amount) else {
                    return Ok(Taken::Ignored);
                };
                let observed = Command::ObserveRefund {
                    payment,
                    reference: reference.clone(),
                    amount,
                    reason: reason.clone().unwrap_or_else(|| news.kind.clone()),
                };
                return carry_out(office, tenant, news, observed, None);
            };
            let key = indelible_gateways::key(tenant, &payment, Some(number));
            let answer = match stripe.look_up(&key, Some(reference)) {
                Known::As(answer) => answer,
                other => return Err(not_known(reference, other)),
            };
            let answer = Command::AnswerRefund {
                payment,
                number,
                answer,
            };
            (answer, None)
        }
        Notice::Dispute(dispute) => {
            let Some(payment) = collected(office, tenant, &dispute.collection) else {
                return Ok(Taken::Ignored);
            };
            let way = if dispute.taken { "taken" } else { "returned" };
            let name = format!("{NAME}/{}/{way}", dispute.reference);
            (disputed(payment, dispute), Some(name))
        }
    };
    carry_out(office, tenant, news, command, name)
}

fn carry_out(
    office: &Office,
    tenant: &str,
    news: &News,
    command: Command,
    name: Option<String>,
) -> Result<Taken, Later> {
    let mut request = Request::new(tenant, ACTOR, office.clock.now(), command);
    request.correlation = news.id.clone();
    if let Some(name) = name {
        request = request.named(name);
    }
    office.ledger.execute(request)?;
    Ok(Taken::Recorded)
}

/// Payment, and number of its return, of a key that this tenant asked under.
fn ours(tenant: &str, key: &str) -> Option<(Id, Option<u32>)> {
    let rest = key.strip_prefix(tenant)?.strip_prefix('/')?;
    match rest.split_once('/') {
        None => Some((rest.to_owned(), None)),
        Some((payment, number)) => {
            let number = number.strip_prefix('r')?.parse().ok()?;
            Some((payment.to_owned(), Some(number)))
        }
    }
}

/// The payment that Stripe calls this.
fn collected(office: &Office, tenant: &str, reference: &str) -> Option<Id> {
    office.ledger.read(tenant, |state| {
        let named = state.index.intents.by_reference.get(reference)?;
        let by_stripe = |id: &&Id| {
            let payment = state.tables.payments.get(id.as_str());
            let route = payment.and_then(|payment| payment.state.route.as_ref());
            route.is_some_and(|route| route.gateway == NAME)
        };
        named.iter().find(by_stripe).cloned()
    })
}

fn disputed(payment: Id, dispute: &Dispute) -> Command {
    let amount = Some(dispute.amount);
    let reason = format!("{} ({})", dispute.reason, dispute.reference);
    match dispute.taken {
        true => Command::ChargeBackPayment {
            payment,
            amount,
            reason,
        },
        false => Command::ReverseChargeBack {
            payment,
            amount,
            reason,
        },
    }
}

/// Whether Stripe has made a refund that the ledger did not ask for; what is only on its way is told of again.
fn made(stripe: &Stripe, tenant: &str, payment: &str, refund: &str) -> Result<bool, Later> {
    let key = indelible_gateways::key(tenant, payment, None);
    match stripe.look_up(&key, Some(refund)) {
        Known::As(Answer::Settled { .. }) => Ok(true),
        Known::As(_) => Ok(false),
        other => Err(not_known(refund, other)),
    }
}

fn not_known(reference: &str, known: Known) -> Later {
    let why = match known {
        Known::NotYet { why } => why,
        _ => "it has no such thing".to_owned(),
    };
    Later::NotKnown {
        reference: reference.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_the_payment_and_the_number_of_a_return_of_its_tenant_only() {
        let pay = |number| Some(("pay-1".to_owned(), number));
        assert_eq!(ours("acme", "acme/pay-1"), pay(None));
        assert_eq!(ours("acme", "acme/pay-1/r2"), pay(Some(2)));
        for foreign in [
            "acmes/pay-1",
            "other/pay-1",
            "pay-1",
            "acme/pay-1/2",
            "acme/pay-1/r",
            "acme/pay-1/r2/r3",
            "",
        ] {
            assert_eq!(ours("acme", foreign), None, "{foreign}");
        }
    }
}
