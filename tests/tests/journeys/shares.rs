//! A charge that is shared with others, over HTTP.

use serde_json::{Value, json};

use crate::shop;

const CATALOG: &str = r#"
[[offer]]
code = "radio"
name = "Radio"
currency = "EUR"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { flat = "9.99" }
every = "1 month"
align = "calendar"
shares = [ { party = "label", percent = "33.3333" }, { party = "union", fixed = "0.50" }, { party = "artist" } ]
"#;

#[tokio::test]
async fn what_parties_get_is_seen_on_the_invoice_and_on_their_statement_and_goes_back_with_a_void()
{
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let apply = "mutation($toml: String!) { applyCatalog(idempotencyKey: \"radio\", toml: $toml) { offers { code } } }";
    acme.data(apply, json!({ "toml": CATALOG })).await;
    let start = r#"mutation { startSubscription(idempotencyKey: "radio-1", input: { id: "radio-1", account: "alice",
        offer: "radio" }) { receipt { position } } }"#;
    acme.data(start, json!({})).await;
    let billed = shop::bill(acme, "run-1").await;
    let invoice =
        r#"{ invoice(id: "run-1.alice") { shares { line charge party amount revenueAccount } } }"#;
    let answer = acme.data(invoice, json!({})).await;
    let shares = answer["invoice"]["shares"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let told: Vec<&str> = shares.iter().filter_map(|s| s["party"].as_str()).collect();
    assert_eq!(told, ["label", "union", "artist"], "{answer}");
    let statement = r#"query($at: Position!) { partnerShares(party: "artist", minPosition: $at) { on line charge amount revenueAccount } }"#;
    let at = &billed["receipt"]["position"];
    let artist = acme.data(statement, json!({ "at": at })).await["partnerShares"].take();
    assert_eq!(artist[0]["amount"], "6.16 EUR", "{artist}");
    assert_eq!(artist[0]["revenueAccount"], 4000);
    let void = r#"mutation { voidInvoice(idempotencyKey: "void-1", id: "run-1.alice", reason: "wrong") { receipt { position } } }"#;
    let voided = acme.data(void, json!({})).await;
    let at = voided["voidInvoice"]["receipt"]["position"].clone();
    let after = acme.data(statement, json!({ "at": at })).await["partnerShares"].take();
    assert_eq!(after[1]["amount"], "-6.16 EUR", "{after}");
    let nobody = acme
        .data(r#"{ partnerShares(party: "nobody") { line } }"#, json!({}))
        .await;
    assert_eq!(nobody["partnerShares"], Value::Array(vec![]));
}
