//! What a Refund says (Stripe: "Refund and cancel payments").

use indelible_domain::command::FailureKind;
use serde_json::Value;

use crate::{Answer, Decline};

/// Reads a refund. One that waits for the payer's bank details is pending: the money has not moved.
pub fn answer(refund: &Value) -> Answer {
    let Some(reference) = refund["id"].as_str().map(str::to_owned) else {
        return Answer::Unknown {
            why: "Stripe's answer names no refund".to_owned(),
        };
    };
    match refund["status"].as_str().unwrap_or_default() {
        "succeeded" => Answer::Settled { reference },
        "pending" | "requires_action" => Answer::Pending { reference },
        ended @ ("failed" | "canceled") => Answer::Declined {
            reference: Some(reference),
            decline: Decline {
                kind: FailureKind::Hard,
                code: refund["failure_reason"]
                    .as_str()
                    .unwrap_or(ended)
                    .to_owned(),
                reason: format!("the refund {ended}"),
            },
        },
        other => Answer::Unknown {
            why: format!("refund {reference} has the status {other:?}"),
        },
    }
}

/// Whether a reference names a refund and not a collection.
pub fn is_refund(reference: &str) -> bool {
    ["re_", "pyr_"]
        .iter()
        .any(|start| reference.starts_with(start))
}

/// By which field a refund names the collection: intents, or charges made without one.
pub fn collection_field(collection: &str) -> &'static str {
    match collection.starts_with("pi_") {
        true => "payment_intent",
        false => "charge",
    }
}
