//! Money is collected through providers: by cards and mandates that were added over the API, once, whatever is lost.

use std::sync::Arc;

use indelible_api::collections::{self, Rounds};
use indelible_api::providers::Providers;
use indelible_api::timers;
use indelible_domain::command::FailureKind;
use indelible_gateways::test_gateway::Step;
use indelible_gateways::{Collector, TestGateway};
use serde_json::{Value, json};

use crate::shop::{self, Shop};

/// A shop, its provider, and what carries intents to it.
pub struct Till {
    pub shop: Shop,
    pub gateway: Arc<TestGateway>,
    collector: Collector,
    rounds: Rounds,
}

/// Alice owes 36.00 EUR from 15 March on, and what is due is collected without being asked.
pub async fn owing(steps: impl IntoIterator<Item = Step>) -> Till {
    let gateway = Arc::new(TestGateway::scripted(steps));
    let providers = Providers::default().with(Arc::<TestGateway>::clone(&gateway));
    let collector = Collector::new(providers.gateways.clone());
    let shop = shop::open_with("2026-03-01T08:00:00Z", providers).await;
    shop::furnish(&shop.acme).await;
    let rules = r#"mutation { setCollectionRules(idempotencyKey: "rules", input: {
        entity: "main", automatic: true, retryDays: [3, 5] }) {
        entity { collectionRules { automatic retryDays fallback } } } }"#;
    let set = shop.acme.data(rules, json!({})).await;
    assert_eq!(
        set["setCollectionRules"]["entity"]["collectionRules"],
        json!({ "automatic": true, "retryDays": [3, 5], "fallback": true })
    );
    shop::bill(&shop.acme, "march").await;
    Till {
        shop,
        gateway,
        collector,
        rounds: Rounds::default(),
    }
}

impl Till {
    pub async fn add_card(&self, id: &str, token: &str) -> Value {
        let add = r#"mutation($key: String!, $id: String!, $token: String!) {
            addPaymentMethod(idempotencyKey: $key, input: { account: "alice", id: $id, means: { card: {
                gateway: "test", token: $token, brand: "visa", last4: "4242", expiryYear: 2030, expiryMonth: 12 } } }) {
                methods { preferred { key } methods { key kind usable means { ... on CardMeans { last4 goodThrough } } } } } }"#;
        let ask = json!({ "key": format!("add-{id}"), "id": id, "token": token });
        self.shop.acme.data(add, ask).await["addPaymentMethod"]["methods"].take()
    }

    /// One turn of the server's own loop: what the day asks for, then what providers are to be told.
    pub fn turn(&self) {
        timers::tick(&self.shop.office);
        collections::turn(&self.shop.office, &self.collector, &self.rounds, &|| false);
    }

    pub async fn ask(&self, query: &str) -> Value {
        self.shop.acme.data(query, json!({})).await
    }

    pub async fn open(&self) -> Value {
        self.ask(r#"{ invoice(id: "march.alice") { open } }"#).await["invoice"]["open"].take()
    }

    /// The only collection of alice.
    pub async fn collection(&self) -> Value {
        let list = r#"{ collections(account: "alice") { nodes { key stage why next { on method }
            attempts { method amount failure code payment { key stage } } } } }"#;
        let mut nodes = self.ask(list).await["collections"]["nodes"].take();
        assert_eq!(nodes.as_array().map(Vec::len), Some(1), "{nodes}");
        nodes[0].take()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_due_invoice_is_collected_once_although_the_answer_was_lost() {
    let till = owing([Step::Lost(Box::new(Step::Settle))]).await;
    let methods = till.add_card("card-1", "tok_1").await;
    assert_eq!(
        methods["methods"][0],
        json!({ "key": "card-1", "kind": "CARD", "usable": true,
            "means": { "last4": "4242", "goodThrough": "2030-12-31" } })
    );
    till.turn();
    assert_eq!(till.gateway.calls(), 0, "nothing is due yet");

    till.shop.move_to("2026-03-15T08:00:00Z");
    till.turn();
    assert_eq!(till.gateway.calls(), 1);
    assert_eq!(till.open().await, "36.00 EUR", "nobody knows that it came");
    let work = "{ paymentWork { nodes { why payment { key stage provider { gateway method calls code } } } } }";
    let waiting = till.ask(work).await["paymentWork"]["nodes"].take();
    assert_eq!(waiting[0]["why"], json!(["OUTCOME_UNKNOWN"]));
    assert_eq!(waiting[0]["payment"]["stage"], "UNKNOWN");
    assert_eq!(
        waiting[0]["payment"]["provider"],
        json!({ "gateway": "test", "method": "card-1", "calls": 1, "code": "the answer was lost" })
    );
    assert_eq!(till.collection().await["stage"], "TRYING");

    till.shop.move_to("2026-03-15T08:00:02Z");
    till.turn();
    assert_eq!(till.open().await, "0.00 EUR");
    let done = till.collection().await;
    assert_eq!(done["stage"], "COLLECTED");
    assert_eq!(done["why"], "DUE");
    assert_eq!(done["attempts"][0]["payment"]["stage"], "SETTLED");
    assert_eq!(till.ask(work).await["paymentWork"]["nodes"], json!([]));

    let head = till.shop.office.store().head();
    till.shop.move_to("2026-03-15T20:00:00Z");
    till.turn();
    assert_eq!(
        till.shop.office.store().head(),
        head,
        "nothing is left to do"
    );
    assert_eq!(till.gateway.calls(), 1, "it was looked up, not asked again");
    let moved: Vec<u32> = till.gateway.moved().into_values().collect();
    assert_eq!(moved, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_refused_for_good_is_blocked_and_the_second_one_pays() {
    let till = owing([]).await;
    till.add_card("card-1", "decline-hard:lost_card").await;
    till.add_card("card-2", "tok_2").await;
    till.shop.move_to("2026-03-15T08:00:00Z");
    till.turn();
    till.turn();
    assert_eq!(till.open().await, "0.00 EUR");
    let done = till.collection().await;
    assert_eq!(done["stage"], "COLLECTED");
    let attempts = &done["attempts"];
    assert_eq!(
        (&attempts[0]["failure"], &attempts[0]["code"]),
        (&json!("HARD"), &json!("lost_card"))
    );
    assert_eq!(
        (&attempts[1]["method"], &attempts[1]["failure"]),
        (&json!("card-2"), &Value::Null)
    );
    let methods = r#"{ paymentMethods(account: "alice") {
        preferred { key } methods { key usable blocked { code on } } } }"#;
    assert_eq!(
        till.ask(methods).await["paymentMethods"],
        json!({ "preferred": { "key": "card-2" }, "methods": [
            { "key": "card-1", "usable": false, "blocked": { "code": "lost_card", "on": "2026-03-15" } },
            { "key": "card-2", "usable": true, "blocked": null }] })
    );
    assert_eq!(till.gateway.moved().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_refusal_is_tried_again_on_its_day_or_when_somebody_asks() {
    let soft = Step::Decline {
        kind: FailureKind::Soft,
        code: "insufficient_funds".to_owned(),
    };
    let till = owing([soft.clone(), soft]).await;
    till.add_card("card-1", "tok_1").await;
    till.shop.move_to("2026-03-15T08:00:00Z");
    till.turn();
    let waits = till.collection().await;
    assert_eq!(waits["stage"], "WAITING");
    assert_eq!(
        waits["next"],
        json!({ "on": "2026-03-18", "method": "card-1" })
    );
    till.shop.move_to("2026-03-18T08:00:00Z");
    till.turn();
    assert_eq!(till.gateway.calls(), 2);
    assert_eq!(till.collection().await["next"]["on"], "2026-03-23");
    let collect = r#"mutation { collect(idempotencyKey: "now", input: {
        id: "now", account: "alice", invoice: "march.alice" }) { collection { key attempts { amount } } } }"#;
    let asked = till.ask(collect).await["collect"]["collection"].take();
    assert_eq!(asked["key"], waits["key"], "the one that waits is tried");
    assert_eq!(asked["attempts"].as_array().map(Vec::len), Some(3));
    till.turn();
    assert_eq!(till.open().await, "0.00 EUR");
}

#[tokio::test(flavor = "multi_thread")]
async fn money_goes_back_in_parts_through_the_provider_that_brought_it() {
    let till = owing([]).await;
    till.add_card("card-1", "tok_1").await;
    till.shop.move_to("2026-03-15T08:00:00Z");
    till.turn();
    let payment = till.collection().await["attempts"][0]["payment"]["key"].take();
    let refund = r#"mutation($key: String!, $id: ID!, $amount: Money!) {
        refundPayment(idempotencyKey: $key, id: $id, amount: $amount, reason: "goodwill") {
            payment { refunded provider { returns { number amount stage } } } } }"#;
    for (key, amount) in [("r1", "6.00 EUR"), ("r2", "4.00 EUR")] {
        let ask = json!({ "key": key, "id": payment, "amount": amount });
        let asked = till.shop.acme.data(refund, ask).await;
        assert_eq!(asked["refundPayment"]["payment"]["refunded"], "0.00 EUR");
    }
    let too_much = json!({ "key": "r3", "id": payment, "amount": "26.01 EUR" });
    let refused = till.shop.acme.error(refund, too_much).await;
    assert_eq!(refused["extensions"]["code"], "REFUND_TOO_LARGE");
    till.turn();
    let look = "query($id: ID!) { payment(id: $id) { refunded provider { returns { number amount stage } } } }";
    let done = till.shop.acme.data(look, json!({ "id": payment })).await;
    assert_eq!(
        done["payment"],
        json!({ "refunded": "10.00 EUR", "provider": { "returns": [
            { "number": 1, "amount": "6.00 EUR", "stage": "DONE" },
            { "number": 2, "amount": "4.00 EUR", "stage": "DONE" }] } })
    );
    assert_eq!(till.gateway.calls(), 3);
    let moved = till.gateway.moved();
    assert!(moved.values().all(|times| *times == 1), "{moved:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_account_is_sealed_at_the_edge_and_only_who_may_operate_reads_it() {
    let till = owing([]).await;
    let add = r#"mutation { addPaymentMethod(idempotencyKey: "m", input: { account: "alice", id: "debit", preferred: true,
        means: { directDebit: { reference: "M-1", signed: "2026-02-01",
            account: { iban: "nl91 abna 0417 1643 00", holder: "Alice Example" } } } }) {
        methods { preferred { key gateway bankAccount { iban holder } means { ... on MandateMeans { reference last4 scheme } } } } } }"#;
    let added = till.ask(add).await["addPaymentMethod"]["methods"]["preferred"].take();
    assert_eq!(
        added,
        json!({ "key": "debit", "gateway": "direct-debit",
            "bankAccount": { "iban": "NL91ABNA0417164300", "holder": "Alice Example" },
            "means": { "reference": "M-1", "last4": "4300", "scheme": "CORE" } })
    );
    let store = till.shop.office.store();
    for event in store.read(0, 10_000).expect("the log is read") {
        let text = String::from_utf8_lossy(&event.payload).into_owned();
        assert!(!text.contains("NL91ABNA"), "a fact names the account");
    }
    let peek = r#"{ paymentMethods(account: "alice") { methods { bankAccount { iban } } } }"#;
    let refused = till.shop.reader.error(peek, json!({})).await;
    assert_eq!(refused["extensions"]["code"], "SCOPE_TOO_SMALL");

    // Due on the 15th: it waits for a file of direct debits, which nobody has to be called for.
    till.shop.move_to("2026-03-15T08:00:00Z");
    till.turn();
    let attempt = till.collection().await["attempts"][0].take();
    assert_eq!(attempt["payment"]["stage"], "PENDING");
    let wrong = add.replace("0417", "0418").replace("\"m\"", "\"m2\"");
    let refused = till.shop.acme.error(&wrong, json!({})).await;
    assert_eq!(refused["extensions"]["code"], "IBAN_INVALID");
    let steps = r#"mutation {
        brought: addPaymentMethod(idempotencyKey: "m3", input: { account: "alice", id: "cash", means: { brought: CASH } }) {
            methods { preferred { key } } }
        preferPaymentMethod(idempotencyKey: "p", account: "alice", id: "cash") { methods { preferred { key } } }
        removePaymentMethod(idempotencyKey: "r", account: "alice", id: "cash", reason: "asked to") {
            methods { methods { key } } }
    }"#;
    let done = till.ask(steps).await;
    assert_eq!(done["brought"]["methods"]["preferred"]["key"], "debit");
    let preferred = &done["preferPaymentMethod"]["methods"]["preferred"];
    assert_eq!(preferred["key"], "cash");
    let left = &done["removePaymentMethod"]["methods"]["methods"];
    assert_eq!(*left, json!([{ "key": "debit" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_back_that_the_payer_loses_is_taken_back() {
    let till = owing([]).await;
    till.add_card("card-1", "tok_1").await;
    till.shop.move_to("2026-03-15T08:00:00Z");
    till.turn();
    let payment = till.collection().await["attempts"][0]["payment"]["key"].take();
    let id = json!({ "id": payment });
    let back = r#"mutation($id: ID!) { chargeBackPayment(idempotencyKey: "b", id: $id, reason: "disputed") {
        payment { stage chargedBack } } }"#;
    let done = till.shop.acme.data(back, id.clone()).await["chargeBackPayment"]["payment"].take();
    assert_eq!(
        done,
        json!({ "stage": "RETURNED", "chargedBack": "36.00 EUR" })
    );
    assert_eq!(till.open().await, "36.00 EUR");
    let reverse = r#"mutation($id: ID!) { reverseChargeBack(idempotencyKey: "w", id: $id, reason: "won") {
        payment { stage chargedBack } } }"#;
    let done = till.shop.acme.data(reverse, id).await["reverseChargeBack"]["payment"].take();
    assert_eq!(
        done,
        json!({ "stage": "SETTLED", "chargedBack": "0.00 EUR" })
    );
    assert_eq!(till.open().await, "0.00 EUR");
}
