//! What is sold in one currency and owed in another: told rates, converted lines, a missing rate, and the way back.

use serde_json::{Value, json};

use crate::http::Client;
use crate::shop;

async fn ask(client: &Client, mutation: &str) -> Value {
    client
        .data(&format!("mutation {{ {mutation} }}"), json!({}))
        .await
}

async fn look(client: &Client, query: &str) -> Value {
    client.data(&format!("{{ {query} }}"), json!({})).await
}

#[tokio::test]
async fn euros_are_sold_to_an_account_in_dollars_at_the_rate_that_was_told() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    ask(
        acme,
        r#"openAccount(idempotencyKey: "a2", input: { id: "bob", entity: "main", currency: "USD" }) { account { key } }"#,
    )
    .await;
    let start = |key: &str| {
        format!(
            r#"startSubscription(idempotencyKey: "{key}", input: {{ id: "s2", account: "bob", offer: "basic", from: "2026-03-01" }}) {{ subscription {{ stage }} }}"#
        )
    };
    let refused = acme
        .refusal(&format!("mutation {{ {} }}", start("s2a")), json!({}))
        .await;
    assert_eq!(refused, "CURRENCY_MISMATCH");
    let set = r#"setExchange(idempotencyKey: "x1", entity: "main", terms: { day: DOCUMENT, maxAgeDays: 3 }) { exchange { day maxAgeDays } }"#;
    assert_eq!(
        ask(acme, set).await["setExchange"]["exchange"],
        json!({ "day": "DOCUMENT", "maxAgeDays": 3 })
    );
    ask(acme, &start("s2b")).await;
    shop::bill(acme, "r1").await;
    let run = look(acme, r#"billRun(id: "r1") { refused { code account { key } } }"#).await;
    assert_eq!(
        run["billRun"]["refused"],
        json!([{ "code": "RATE_MISSING", "account": { "key": "bob" } }])
    );
    let tell = r#"tellExchangeRates(idempotencyKey: "x2", rates: [
        { from: "EUR", to: "USD", on: "2026-02-27", rate: "1.25", source: "ecb" },
        { from: "EUR", to: "USD", on: "2026-02-28", rate: "1.5", source: "typo" }]) { dryRun }"#;
    ask(acme, tell).await;
    let gone = r#"withdrawExchangeRate(idempotencyKey: "x3", from: "EUR", to: "USD", on: "2026-02-28", reason: "typed wrong") { dryRun }"#;
    ask(acme, gone).await;
    let told = look(
        acme,
        r#"exchangeRates(from: "EUR", to: "USD") { nodes { on rate source } }"#,
    )
    .await;
    assert_eq!(
        told["exchangeRates"]["nodes"],
        json!([{ "on": "2026-02-27", "rate": "1.25", "source": "ecb" }])
    );
    let retry = r#"retryBillRun(idempotencyKey: "t1", id: "r1") { refused { code } invoices { total lines(first: 1) { nodes {
        net exact converted { from rate on source } } } } }"#;
    let retried = ask(acme, retry).await;
    assert_eq!(
        retried["retryBillRun"],
        json!({ "refused": [], "invoices": [{ "total": "45.00 USD", "lines": { "nodes": [{
            "net": "37.50 USD", "exact": "37.5",
            "converted": { "from": "30.00 EUR", "rate": "1.25", "on": "2026-02-27", "source": "ecb" } }] } }] })
    );
    let none = r#"setExchange(idempotencyKey: "x4", entity: "main") { exchange { day } }"#;
    assert_eq!(ask(acme, none).await["setExchange"]["exchange"], Value::Null);
    let said = look(acme, r#"exchange(entity: "main") { day }"#).await;
    assert_eq!(said["exchange"], Value::Null);
}
