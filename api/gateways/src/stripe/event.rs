//! What a webhook is about (Stripe: "Events", "Types of events").
//!
//! Of payments and refunds only the name is taken: what became of them is asked for, because events come late, twice and
//! in any order; and how much a refund is, for one that the ledger did not ask for. A dispute is taken at its word, since
//! each of its two facts happens once.

use indelible_domain::kernel::{Currency, Money};
use serde_json::Value;

use super::{KEY, PAYMENT, amount};

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// The same for every delivery of the same event.
    pub id: String,
    /// Stripe's word, e.g. `payment_intent.succeeded`.
    pub kind: String,
    /// Seconds since 1970.
    pub created: i64,
    pub notice: Notice,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Something happened to a collection. Key and payment are none if it was not made by us.
    Collection {
        reference: String,
        key: Option<String>,
        payment: Option<String>,
    },
    /// Something happened to a refund.
    Return {
        reference: String,
        collection: Option<String>,
        key: Option<String>,
        /// How much it is, as the event says; none if it says no money.
        amount: Option<Money>,
        /// Why, in Stripe's word.
        reason: Option<String>,
    },
    Dispute(Dispute),
    /// Nothing that concerns us.
    Other,
}

/// Money that the payer's bank took back, or gave back after all.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispute {
    pub reference: String,
    /// The intent that is disputed, or the charge if it had none.
    pub collection: String,
    pub amount: Money,
    pub reason: String,
    /// True: taken from us (charged back). False: ours again (the chargeback is reversed).
    pub taken: bool,
}

/// Why a webhook with a good signature cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the webhook is not JSON")]
    NotJson,
    #[error("the webhook has no {0}")]
    Lacks(&'static str),
    #[error("the dispute's amount {0} is not money")]
    Amount(String),
}

/// Reads the body of a webhook.
pub fn read(body: &[u8]) -> Result<News, Unreadable> {
    let event: Value = serde_json::from_slice(body).map_err(|_| Unreadable::NotJson)?;
    let id = text(&event["id"]).ok_or(Unreadable::Lacks("id"))?;
    let kind = text(&event["type"]).ok_or(Unreadable::Lacks("type"))?;
    let notice = notice(&kind, &event["data"]["object"])?;
    Ok(News {
        id,
        kind,
        created: event["created"].as_i64().unwrap_or_default(),
        notice,
    })
}

fn notice(kind: &str, object: &Value) -> Result<Notice, Unreadable> {
    let reference = || text(&object["id"]).ok_or(Unreadable::Lacks("object id"));
    let key = || text(&object["metadata"][KEY]);
    let notice = match object["object"].as_str() {
        Some("payment_intent") => Notice::Collection {
            reference: reference()?,
            key: key(),
            payment: text(&object["metadata"][PAYMENT]),
        },
        Some("refund") => Notice::Return {
            reference: reference()?,
            collection: text(&object["payment_intent"]).or(text(&object["charge"])),
            key: key(),
            amount: money(object),
            reason: text(&object["reason"]),
        },
        Some("dispute") => match kind {
            "charge.dispute.funds_withdrawn" => Notice::Dispute(dispute(object, true)?),
            "charge.dispute.funds_reinstated" => Notice::Dispute(dispute(object, false)?),
            _ => Notice::Other,
        },
        _ => Notice::Other,
    };
    Ok(notice)
}

fn dispute(object: &Value, taken: bool) -> Result<Dispute, Unreadable> {
    Ok(Dispute {
        reference: text(&object["id"]).ok_or(Unreadable::Lacks("object id"))?,
        collection: text(&object["payment_intent"])
            .or(text(&object["charge"]))
            .ok_or(Unreadable::Lacks("disputed charge"))?,
        amount: money(object).ok_or_else(|| {
            Unreadable::Amount(format!("{} {}", object["amount"], object["currency"]))
        })?,
        reason: text(&object["reason"]).unwrap_or_else(|| "disputed".to_owned()),
        taken,
    })
}

/// The amount of an object in its currency.
fn money(object: &Value) -> Option<Money> {
    let code = object["currency"].as_str()?.to_ascii_uppercase();
    let currency: Currency = code.parse().ok()?;
    amount::from_stripe(object["amount"].as_i64()?, currency)
}

fn text(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(kind: &str, object: Value) -> Result<News, Unreadable> {
        let event = json!({"id": "evt_1", "type": kind, "created": 7, "data": {"object": object}});
        read(event.to_string().as_bytes())
    }

    #[test]
    fn an_event_of_an_intent_names_the_attempt_it_belongs_to() {
        let object = json!({
            "object": "payment_intent", "id": "pi_1", "status": "succeeded",
            "metadata": {"indelible_key": "pay-1:1", "indelible_payment": "pay-1"},
        });
        let news = event("payment_intent.succeeded", object).expect("an event");
        let notice = Notice::Collection {
            reference: "pi_1".to_owned(),
            key: Some("pay-1:1".to_owned()),
            payment: Some("pay-1".to_owned()),
        };
        assert_eq!(
            (news.id.as_str(), news.created, news.notice),
            ("evt_1", 7, notice)
        );
    }

    #[test]
    fn a_dispute_counts_when_money_moves_and_not_when_it_is_opened() {
        let object = |currency: &str| {
            json!({
                "object": "dispute", "id": "dp_1", "charge": "ch_1", "payment_intent": "pi_1",
                "amount": 500, "currency": currency, "reason": "fraudulent",
            })
        };
        assert_eq!(
            event("charge.dispute.created", object("jpy"))
                .expect("an event")
                .notice,
            Notice::Other
        );
        for (kind, taken) in [
            ("charge.dispute.funds_withdrawn", true),
            ("charge.dispute.funds_reinstated", false),
        ] {
            let Notice::Dispute(dispute) = event(kind, object("jpy")).expect("an event").notice
            else {
                panic!("{kind} is about a dispute");
            };
            assert_eq!(
                (dispute.taken, dispute.collection.as_str()),
                (taken, "pi_1")
            );
            assert_eq!(dispute.amount.to_string(), "500 JPY");
        }
        assert!(event("charge.dispute.funds_withdrawn", object("zzz")).is_err());
    }

    #[test]
    fn what_does_not_concern_us_is_other_and_what_is_no_event_is_an_error() {
        let customer = json!({"object": "customer", "id": "cus_1"});
        assert_eq!(
            event("customer.created", customer)
                .expect("an event")
                .notice,
            Notice::Other
        );
        assert_eq!(read(b"{"), Err(Unreadable::NotJson));
        assert_eq!(read(b"{}"), Err(Unreadable::Lacks("id")));
        assert!(
            event(
                "payment_intent.succeeded",
                json!({"object": "payment_intent"})
            )
            .is_err()
        );
    }
}
