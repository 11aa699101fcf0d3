//! Which refusals may end differently another time (Stripe: "Decline codes", "Failed SEPA debits").

use indelible_domain::command::FailureKind;
use serde_json::Value;

use crate::Decline;

/// Asking the same method again is of no use; every other code may pass when asked later.
const FINAL: [&str; 36] = [
    "account_closed",
    "bank_account_closed",
    "bank_account_restricted",
    "bank_account_unusable",
    "card_not_supported",
    "currency_not_supported",
    "debit_not_authorized",
    "expired_card",
    "fraudulent",
    "incorrect_account_holder_name",
    "incorrect_cvc",
    "incorrect_number",
    "invalid_account",
    "invalid_account_number",
    "invalid_amount",
    "invalid_cvc",
    "invalid_expiry_month",
    "invalid_expiry_year",
    "invalid_number",
    "live_mode_test_card",
    "lost_card",
    "mandate_invalid",
    "merchant_blacklist",
    "new_account_information_available",
    "no_account",
    "not_permitted",
    "payment_method_unactivated",
    "pickup_card",
    "recipient_deceased",
    "restricted_card",
    "revocation_of_all_authorizations",
    "revocation_of_authorization",
    "security_violation",
    "stolen_card",
    "stop_payment_order",
    "testmode_decline",
];

/// The payer must prove to be the payer: no refusal, and no use in asking again without them.
pub const AUTHENTICATION: [&str; 2] = ["authentication_required", "authentication_not_handled"];

/// Reads Stripe's error object: the issuer's own code before Stripe's, and the network's advice before both.
pub fn read(error: &Value) -> Decline {
    let text = |field: &str| error[field].as_str().filter(|text| !text.is_empty());
    let code = text("decline_code")
        .or(text("code"))
        .or(text("type"))
        .unwrap_or("declined");
    let kind = match text("advice_code") {
        Some("do_not_try_again") => FailureKind::Hard,
        Some("try_again_later") => FailureKind::Soft,
        _ if FINAL.contains(&code) => FailureKind::Hard,
        _ => FailureKind::Soft,
    };
    let reason = text("message").unwrap_or("the provider gave no reason");
    Decline {
        kind,
        code: code.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Whether the payer has to do something before it can go on.
pub fn needs_payer(error: &Value) -> bool {
    ["code", "decline_code"]
        .iter()
        .filter_map(|field| error[*field].as_str())
        .any(|code| AUTHENTICATION.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_issuers_code_counts_before_stripes_and_the_networks_advice_before_both() {
        let table = [
            (
                json!({"code": "card_declined", "decline_code": "insufficient_funds"}),
                "insufficient_funds",
                FailureKind::Soft,
            ),
            (
                json!({"code": "card_declined", "decline_code": "stolen_card"}),
                "stolen_card",
                FailureKind::Hard,
            ),
            (
                json!({"code": "expired_card"}),
                "expired_card",
                FailureKind::Hard,
            ),
            (
                json!({"code": "card_declined"}),
                "card_declined",
                FailureKind::Soft,
            ),
            (
                json!({"code": "card_declined", "decline_code": "do_not_honor", "advice_code": "do_not_try_again"}),
                "do_not_honor",
                FailureKind::Hard,
            ),
            (
                json!({"code": "card_declined", "decline_code": "stolen_card", "advice_code": "try_again_later"}),
                "stolen_card",
                FailureKind::Soft,
            ),
            (
                json!({"type": "invalid_request_error"}),
                "invalid_request_error",
                FailureKind::Soft,
            ),
            (json!(null), "declined", FailureKind::Soft),
        ];
        for (error, code, kind) in table {
            let decline = read(&error);
            assert_eq!(
                (decline.code.as_str(), decline.kind),
                (code, kind),
                "{error}"
            );
        }
    }

    #[test]
    fn the_codes_are_sorted_and_named_once() {
        assert!(FINAL.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
