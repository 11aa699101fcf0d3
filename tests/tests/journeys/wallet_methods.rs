//! A wallet as a payment method, what a provider does by itself, and work that a person has seen.

use indelible_domain::Command;
use indelible_domain::command::FailureKind;
use indelible_domain::payments::{Answer, Decline};
use indelible_store::Request;
use serde_json::json;

use crate::collections::{Till, owing};

/// What a provider says, as the collector or a webhook takes it in.
fn told(till: &Till, command: Command) {
    let office = &till.shop.office;
    let request = Request::new("acme", "provider", office.clock.now(), command);
    office.ledger.execute(request).expect("is taken in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_pays_what_it_holds_and_the_card_behind_it_pays_the_rest() {
    let till = owing([]).await;
    till.ask(r#"mutation { openWallet(idempotencyKey: "w", id: "w1", account: "alice") { wallet { balance } } }"#)
        .await;
    till.ask(r#"mutation { grantWallet(idempotencyKey: "g", input: { wallet: "w1", grant: "g1", units: "10", funding: PAID }) { wallet { balance } } }"#)
        .await;
    till.ask(r#"mutation { addPaymentMethod(idempotencyKey: "m", input: { account: "alice", id: "purse", means: { wallet: "w1" } }) {
        methods { preferred { key } } } }"#)
        .await;
    till.add_card("card-1", "tok_1").await;
    let ahead = r#"mutation { setCollectionRules(idempotencyKey: "ahead", input: { entity: "main", automatic: true,
        leadDays: [{ kind: DIRECT_DEBIT, days: 5 }], notify: true }) {
        entity { collectionRules { leadDays { kind days } notify } } } }"#;
    let set = till.ask(ahead).await["setCollectionRules"]["entity"]["collectionRules"].take();
    assert_eq!(
        set,
        json!({ "leadDays": [{ "kind": "DIRECT_DEBIT", "days": 5 }], "notify": true })
    );

    till.shop.move_to("2026-03-15T08:00:00Z");
    till.turn();
    let done = till.collection().await;
    assert_eq!(done["stage"], "COLLECTED");
    assert_eq!(
        done["attempts"],
        json!([
            { "method": "purse", "amount": "10.00 EUR", "failure": "HARD", "code": "WALLET_INSUFFICIENT", "payment": null },
            { "method": "card-1", "amount": "26.00 EUR", "failure": null, "code": null,
                "payment": { "key": "due.march.alice.2026-03-15.2", "stage": "SETTLED" } },
        ])
    );
    assert_eq!(till.open().await, "0.00 EUR");
    let wallet = till.ask(r#"{ wallet(id: "w1") { balance } }"#).await["wallet"].take();
    assert_eq!(wallet, json!({ "balance": "0" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_says_that_cannot_be_is_work_until_a_person_has_seen_it() {
    let till = owing([]).await;
    till.add_card("card-1", "tok_1").await;
    till.shop.move_to("2026-03-15T08:00:00Z");
    till.turn();
    let payment = "due.march.alice.2026-03-15.1".to_string();
    let decline = Decline {
        kind: FailureKind::Hard,
        code: "fraud".to_string(),
        reason: "refused".to_string(),
    };
    let answer = Answer::Declined {
        reference: None,
        decline,
    };
    told(
        &till,
        Command::AnswerPayment {
            payment: payment.clone(),
            answer,
        },
    );
    let work = "{ paymentWork { nodes { why payment { key } } } }";
    let waiting = till.ask(work).await["paymentWork"]["nodes"].take();
    assert_eq!(
        waiting,
        json!([{ "why": ["CONTRADICTED"], "payment": { "key": payment } }])
    );
    let seen = r#"mutation($id: ID!) { acknowledgePayment(idempotencyKey: "seen", id: $id, note: "the provider corrected it") {
        payment { stage } } }"#;
    let seen = till.shop.acme.data(seen, json!({ "id": payment })).await;
    assert_eq!(
        seen["acknowledgePayment"]["payment"],
        json!({ "stage": "SETTLED" })
    );
    assert_eq!(till.ask(work).await["paymentWork"]["nodes"], json!([]));
    // Money that goes back without being asked for is a fact, however often it is told.
    for _ in 0..2 {
        let observed = Command::ObserveRefund {
            payment: payment.clone(),
            reference: "re_1".to_string(),
            amount: "6.00 EUR".parse().expect("an amount"),
            reason: "requested_by_customer".to_string(),
        };
        told(&till, observed);
    }
    assert_eq!(till.open().await, "6.00 EUR");
}
