//! What a PaymentIntent says (Stripe: "The PaymentIntents lifecycle").

use indelible_domain::command::FailureKind;
use serde_json::Value;

use super::decline;
use crate::{Answer, Decline};

/// Reads an intent. A status that is not known here is no answer.
pub fn answer(intent: &Value) -> Answer {
    let unknown = |why: String| Answer::Unknown { why };
    let Some(reference) = intent["id"].as_str().map(str::to_owned) else {
        return unknown("Stripe's answer names no intent".to_owned());
    };
    let error = &intent["last_payment_error"];
    let declined = |decline| Answer::Declined {
        reference: Some(reference.clone()),
        decline,
    };
    match intent["status"].as_str().unwrap_or_default() {
        "succeeded" => Answer::Settled { reference },
        "processing" | "requires_capture" => Answer::Pending { reference },
        "requires_action" => Answer::ActionRequired {
            reference,
            url: page(&intent["next_action"]),
        },
        "requires_payment_method" if decline::needs_payer(error) => Answer::ActionRequired {
            reference,
            url: None,
        },
        "requires_payment_method" => declined(decline::read(error)),
        // It is confirmed when it is made; one that is not will never move by itself.
        "requires_confirmation" => declined(Decline {
            kind: FailureKind::Soft,
            code: "requires_confirmation".to_owned(),
            reason: "the intent was made and never confirmed".to_owned(),
        }),
        "canceled" => declined(Decline {
            kind: FailureKind::Hard,
            code: intent["cancellation_reason"]
                .as_str()
                .unwrap_or("canceled")
                .to_owned(),
            reason: "the intent was cancelled".to_owned(),
        }),
        other => unknown(format!("intent {reference} has the status {other:?}")),
    }
}

/// Reads what Stripe says when it refuses: with the intent where one was made.
pub fn refusal(status: u16, body: &Value) -> Answer {
    let error = &body["error"];
    let intent = &error["payment_intent"];
    if intent.is_object() {
        return answer(intent);
    }
    let mut decline = decline::read(error);
    // A request that makes no sense makes none tomorrow; a payer who is refused (402) may be taken then.
    if status != 402 {
        decline.kind = FailureKind::Hard;
    }
    Answer::Declined {
        reference: None,
        decline,
    }
}

/// Where the payer goes on, if Stripe serves the page.
fn page(next: &Value) -> Option<String> {
    next["redirect_to_url"]["url"]
        .as_str()
        .or(next["hosted_verification_url"].as_str())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn intent(status: &str) -> Value {
        json!({"id": "pi_1", "status": status})
    }

    fn reference() -> String {
        "pi_1".to_owned()
    }

    #[test]
    fn each_status_of_an_intent_has_one_meaning() {
        assert_eq!(
            answer(&intent("succeeded")),
            Answer::Settled {
                reference: reference()
            }
        );
        for waiting in ["processing", "requires_capture"] {
            assert_eq!(
                answer(&intent(waiting)),
                Answer::Pending {
                    reference: reference()
                }
            );
        }
        for ended in [
            "requires_payment_method",
            "requires_confirmation",
            "canceled",
        ] {
            assert!(
                matches!(
                    answer(&intent(ended)),
                    Answer::Declined {
                        reference: Some(_),
                        ..
                    }
                ),
                "{ended}"
            );
        }
        for strange in ["", "blocked", "Succeeded"] {
            assert!(
                matches!(answer(&intent(strange)), Answer::Unknown { .. }),
                "{strange}"
            );
        }
        assert!(matches!(
            answer(&json!({"status": "succeeded"})),
            Answer::Unknown { .. }
        ));
    }

    #[test]
    fn an_intent_that_wants_the_payer_says_where_to_go() {
        let mut wanting = intent("requires_action");
        assert_eq!(
            answer(&wanting),
            Answer::ActionRequired {
                reference: reference(),
                url: None
            }
        );
        wanting["next_action"] = json!({"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.example/3ds"}});
        let url = Some("https://hooks.example/3ds".to_owned());
        assert_eq!(
            answer(&wanting),
            Answer::ActionRequired {
                reference: reference(),
                url
            }
        );
    }

    #[test]
    fn an_off_session_charge_that_the_issuer_wants_authenticated_is_no_decline() {
        let body = json!({"error": {
            "type": "card_error", "code": "authentication_required",
            "payment_intent": {
                "id": "pi_1", "status": "requires_payment_method",
                "last_payment_error": {"code": "authentication_required", "decline_code": "authentication_required"},
            },
        }});
        assert_eq!(
            refusal(402, &body),
            Answer::ActionRequired {
                reference: reference(),
                url: None
            }
        );
    }

    #[test]
    fn a_refused_card_may_be_asked_again_and_a_request_that_makes_no_sense_may_not() {
        let kind = |status, body: Value| match refusal(status, &body) {
            Answer::Declined { decline, .. } => decline.kind,
            other => panic!("{other:?}"),
        };
        let nonsense =
            json!({"error": {"type": "invalid_request_error", "code": "resource_missing"}});
        assert_eq!(kind(404, nonsense), FailureKind::Hard);
        let card = json!({"error": {"type": "card_error", "code": "card_declined", "decline_code": "try_again_later"}});
        assert_eq!(kind(402, card), FailureKind::Soft);
    }
}
