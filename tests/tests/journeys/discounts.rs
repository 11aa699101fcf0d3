//! Discounts, commitments and exemptions over HTTP, and what they do to an invoice.

use serde_json::{Value, json};

use crate::http::Client;
use crate::shop;

async fn ask(client: &Client, mutation: &str) -> Value {
    client
        .data(&format!("mutation {{ {mutation} }}"), json!({}))
        .await
}

async fn refused(client: &Client, mutation: &str) -> String {
    let error = client
        .error(&format!("mutation {{ {mutation} }}"), json!({}))
        .await;
    error["extensions"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// What would be on the next invoice: net of each line and the total.
async fn preview(client: &Client, key: &str) -> Value {
    let draft = format!(
        r#"draftInvoice(idempotencyKey: "{key}", id: "{key}", account: "alice", dryRun: true) {{
            invoice {{ total taxes {{ name amount exempt }} lines {{ nodes {{ kind net reductions {{ text amount }} }} }} }} }}"#
    );
    ask(client, &draft).await["draftInvoice"]["invoice"].take()
}

#[tokio::test]
async fn a_discount_is_offered_redeemed_shown_on_the_line_ended_and_withdrawn() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let define = r#"defineDiscount(idempotencyKey: "d1", input: { code: "SPRING", name: "Spring", off: { percent: "0.1" },
        lasts: { forever: true }, scope: { kinds: [RECURRING] } }) { discount { code percent lasts redeemed } }"#;
    let offered = ask(acme, define).await;
    assert_eq!(
        offered["defineDiscount"]["discount"],
        json!({ "code": "SPRING", "percent": "0.1", "lasts": "forever", "redeemed": 0 })
    );
    let redeem = |key: &str, code: &str| {
        format!(
            r#"redeemDiscount(idempotencyKey: "{key}", input: {{ id: "{key}", account: "alice", code: "{code}" }}) {{
                account {{ redemptions {{ key discount usedUp taken }} }} }}"#
        )
    };
    assert_eq!(
        refused(acme, &redeem("r0", "WINTER")).await,
        "DISCOUNT_UNKNOWN"
    );
    let had = ask(acme, &redeem("r1", "SPRING")).await;
    assert_eq!(
        had["redeemDiscount"]["account"]["redemptions"],
        json!([{ "key": "r1", "discount": "SPRING", "usedUp": false, "taken": "0.00 EUR" }])
    );
    let with = preview(acme, "i1").await;
    assert_eq!(with["lines"]["nodes"][0]["net"], "27.00 EUR");
    assert_eq!(
        with["lines"]["nodes"][0]["reductions"],
        json!([{ "text": "Spring", "amount": "3.00 EUR" }])
    );
    let end = r#"endRedemption(idempotencyKey: "e1", account: "alice", redemption: "r1", on: "2026-03-01") {
        account { redemptions { until } } }"#;
    let ended = ask(acme, end).await;
    assert_eq!(
        ended["endRedemption"]["account"]["redemptions"][0]["until"],
        "2026-03-01"
    );
    let without = preview(acme, "i2").await;
    assert_eq!(without["lines"]["nodes"][0]["net"], "30.00 EUR");
    let withdraw = r#"withdrawDiscount(idempotencyKey: "w1", code: "SPRING", reason: "it is summer") {
        discount { withdrawn redeemed } }"#;
    let gone = ask(acme, withdraw).await;
    assert_eq!(
        gone["withdrawDiscount"]["discount"],
        json!({ "withdrawn": true, "redeemed": 1 })
    );
    assert_eq!(
        refused(acme, &redeem("r2", "SPRING")).await,
        "DISCOUNT_WITHDRAWN"
    );
}

#[tokio::test]
async fn a_commitment_makes_up_for_what_lacks_and_an_exemption_takes_tax_away() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let agree = r#"agreeCommitment(idempotencyKey: "c1", input: { id: "frame", account: "alice", name: "Frame", min: "50.00",
        every: "1 month", from: "2026-03-01" }) { account { commitments { key min every until } } }"#;
    let agreed = ask(acme, agree).await;
    assert_eq!(
        agreed["agreeCommitment"]["account"]["commitments"],
        json!([{ "key": "frame", "min": "50", "every": "1 month", "until": null }])
    );
    shop.move_to("2026-04-01T08:00:00Z");
    let april = preview(acme, "i1").await;
    let lines = april["lines"]["nodes"].as_array().expect("lines");
    let made_up = lines.iter().find(|line| line["kind"] == "TRUE_UP");
    assert_eq!(made_up.expect("a true-up")["net"], "20.00 EUR");
    let exempt = r#"exemptFromTax(idempotencyKey: "x1", input: { account: "alice", reason: "diplomatic mission", from: "2026-01-01" }) {
        account { taxExemptions { reason until } } }"#;
    let free = ask(acme, exempt).await;
    assert_eq!(
        free["exemptFromTax"]["account"]["taxExemptions"][0]["reason"],
        "diplomatic mission"
    );
    let untaxed = preview(acme, "i2").await;
    assert_eq!(
        untaxed["taxes"],
        json!([{ "name": "exempt", "amount": "0.00 EUR", "exempt": "diplomatic mission" }])
    );
    let end = r#"endTaxExemption(idempotencyKey: "x2", account: "alice", on: "2026-04-01") {
        account { taxExemptions { until } } }"#;
    let ended = ask(acme, end).await;
    assert_eq!(
        ended["endTaxExemption"]["account"]["taxExemptions"][0]["until"],
        "2026-04-01"
    );
    let taxed = preview(acme, "i3").await;
    assert_eq!(taxed["taxes"][0]["exempt"], Value::Null);
    let end = r#"endCommitment(idempotencyKey: "c2", account: "alice", commitment: "frame", on: "2026-05-01") {
        account { commitments { until } } }"#;
    let ended = ask(acme, end).await;
    assert_eq!(
        ended["endCommitment"]["account"]["commitments"][0]["until"],
        "2026-05-01"
    );
}
