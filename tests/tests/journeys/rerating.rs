//! The past rated again over HTTP: tried, done, repeated, undone; and a catalog priced against it that is not published.

use serde_json::{Value, json};

use crate::shop;

const RECORDS: &str = r#"mutation { ingestUsage(idempotencyKey: "u", input: { batch: "b1", source: "switch", records: [
    { key: "c1", metric: "voice", access: "+49 170 1", at: "2026-03-02T10:00:00Z", quantity: "600" },
    { key: "c2", metric: "voice", access: "+49 170 1", at: "2026-03-03T10:00:00Z", quantity: "1200" }
] }) { counts { rated } } }"#;

const PRICE: &str = r#"mutation($key: String!, $dry: Boolean!) { rerateUsage(idempotencyKey: $key, dryRun: $dry, input: {
    id: "r1", from: "2026-03-01", until: "2026-04-01", reason: "late price list",
    price: { charge: "voice", price: { per_unit: "0.045" } } }) {
    differences { charge from quantityAfter before after amount billedOn }
    documents { kind net tax total } refused { code } rerating { stage left records } } }"#;

async fn invoiced() -> shop::Shop {
    let shop = shop::open("2026-03-10T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop.acme.data(RECORDS, json!({})).await;
    shop.move_to("2026-04-01T08:00:00Z");
    shop::bill(&shop.acme, "april").await;
    shop
}

fn told(payload: &Value) -> Value {
    json!({ "differences": payload["differences"], "refused": payload["refused"] })
}

#[tokio::test]
async fn a_price_of_the_past_is_tried_changed_and_taken_back_to_the_cent() {
    let shop = invoiced().await;
    let head = shop.office.store().head();
    let tried = shop
        .acme
        .data(PRICE, json!({ "key": "k", "dry": true }))
        .await["rerateUsage"]
        .take();
    assert_eq!(shop.office.store().head(), head);
    assert_eq!(
        tried["differences"],
        json!([{ "charge": "voice", "from": "2026-03-01", "quantityAfter": "30 minute", "before": "1.50 EUR",
            "after": "1.35 EUR", "amount": "-0.15 EUR", "billedOn": "invoice:april.alice" }])
    );
    let done = shop
        .acme
        .data(PRICE, json!({ "key": "k", "dry": false }))
        .await["rerateUsage"]
        .take();
    assert_eq!(told(&done), told(&tried));
    assert_eq!(
        done["documents"],
        json!([{ "kind": "CREDIT_NOTE", "net": "-0.15 EUR", "tax": "-0.03 EUR", "total": "-0.18 EUR" }])
    );
    assert_eq!(
        done["rerating"],
        json!({ "stage": "DONE", "left": 0, "records": 2 })
    );
    let head = shop.office.store().head();
    shop.acme
        .data(PRICE, json!({ "key": "another", "dry": false }))
        .await;
    // The key of the request is noted, if anything: nothing is rated again.
    let undo = r#"mutation { undoRerating(idempotencyKey: "z", id: "r1", reason: "it was right") {
        differences { amount } documents { total } rerating { stage } } }"#;
    assert!(shop.office.store().head() <= head + 1);
    let undone = shop.acme.data(undo, json!({})).await["undoRerating"].take();
    assert_eq!(undone["rerating"]["stage"], "UNDONE");
    assert_eq!(
        undone["differences"],
        json!([{ "amount": "-0.15 EUR" }, { "amount": "0.15 EUR" }])
    );
    assert_eq!(
        undone["documents"],
        json!([{ "total": "-0.18 EUR" }, { "total": "0.18 EUR" }])
    );
}

#[tokio::test]
async fn a_catalog_that_is_not_published_is_priced_against_the_past() {
    let shop = invoiced().await;
    let head = shop.office.store().head();
    let ask = r#"query($toml: String!) { whatIf(toml: $toml, from: "2026-03-01", until: "2026-04-01") {
        totals { before after difference } accounts { account lines { charge amount } refused { code } } hasNextPage endCursor } }"#;
    let toml = shop::CATALOG.replace("0.05", "0.10");
    let found = shop.acme.data(ask, json!({ "toml": toml })).await["whatIf"].take();
    assert_eq!(
        found["totals"],
        json!([{ "before": "31.50 EUR", "after": "33.00 EUR", "difference": "1.50 EUR" }])
    );
    assert_eq!(
        found["accounts"][0]["lines"],
        json!([{ "charge": "voice", "amount": "1.50 EUR" }])
    );
    assert_eq!(found["hasNextPage"], false);
    assert!(found["endCursor"].is_null());
    assert_eq!(shop.office.store().head(), head);
}
