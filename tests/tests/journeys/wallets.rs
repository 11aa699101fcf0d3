//! What is put into wallets, what is agreed about them, and what leaves them.

use serde_json::{Value, json};

use crate::shop::{self, Shop};

/// Alice has an empty wallet and nothing is billed yet.
async fn opened() -> Shop {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let open = r#"mutation { openWallet(idempotencyKey: "w", id: "w1", account: "alice") { wallet { currency balance } } }"#;
    let opened = ask(&shop, open).await;
    assert_eq!(
        opened["openWallet"]["wallet"],
        json!({ "currency": "EUR", "balance": "0" })
    );
    shop
}

async fn ask(shop: &Shop, query: &str) -> Value {
    shop.acme.data(query, json!({})).await
}

async fn code(shop: &Shop, query: &str) -> Value {
    shop.acme.error(query, json!({})).await["extensions"]["code"].take()
}

fn change(key: &str, terms: &str) -> String {
    format!(
        r#"mutation {{ changeWallet(idempotencyKey: "{key}", input: {{ wallet: "wallet:w1", terms: {{ {terms} }} }}) {{
            wallet {{ priority terms {{ unit rate burn creditLimit lowLevel rules {{ code below fixed funding }} }} }} }} }}"#
    )
}

fn grant(key: &str, units: &str, more: &str) -> String {
    format!(
        r#"mutation {{ grantWallet(idempotencyKey: "{key}", input: {{ wallet: "w1", grant: "{key}", units: "{units}" {more} }}) {{
            wallet {{ units balance grants {{ key amount free expires invoice }} asked {{ grant invoice amount }} }} }} }}"#
    )
}

/// What one of its grants was used for, as of the position of a receipt.
async fn spends(shop: &Shop, grant: &str, position: &Value) -> Value {
    let query = r#"query($grant: ID!, $position: Position) { wallet(id: "w1") {
        spends(grant: $grant, minPosition: $position) { nodes { amount invoice takenOut expired } } } }"#;
    let variables = json!({ "grant": grant, "position": position });
    let mut data = shop.acme.data(query, variables).await;
    data["wallet"]["spends"]["nodes"].take()
}

#[tokio::test]
async fn a_wallet_counts_in_its_own_unit_which_is_fixed_once_something_is_in_it() {
    let shop = opened().await;
    assert_eq!(
        code(&shop, &change("c0", r#"unit: "token""#)).await,
        "WALLET_TERMS_INVALID"
    );
    let tokens = r#"unit: "token", rate: "0.1", priority: 3, creditLimit: "20", lowLevel: "5""#;
    let changed = ask(&shop, &change("c1", tokens)).await;
    assert_eq!(
        changed["changeWallet"]["wallet"],
        json!({ "priority": 3, "terms": { "unit": "token", "rate": "0.1", "burn": "RATING", "creditLimit": "20",
            "lowLevel": "5", "rules": [] } })
    );
    let gift = ask(&shop, &grant("g1", "50", r#", expires: "2026-06-01""#)).await;
    let wallet = &gift["grantWallet"]["wallet"];
    assert_eq!(
        (&wallet["units"], &wallet["balance"]),
        (&json!("50"), &json!("5"))
    );
    assert_eq!(
        wallet["grants"],
        json!([{ "key": "g1", "amount": "5.00 EUR", "free": true, "expires": "2026-06-01", "invoice": null }])
    );
    assert_eq!(
        code(&shop, &change("c2", r#"unit: "token", rate: "0.2""#)).await,
        "WALLET_UNIT_FIXED"
    );
    assert_eq!(
        code(&shop, &grant("g2", "1", r#", expires: "2026-03-01""#)).await,
        "GRANT_EXPIRED"
    );
    let nowhere = change("c3", tokens).replace("w1", "w9");
    assert_eq!(code(&shop, &nowhere).await, "WALLET_UNKNOWN");
}

#[tokio::test]
async fn what_is_taken_out_by_hand_is_told_of_the_grant_that_it_left() {
    let shop = opened().await;
    let top_up = r#"mutation { topUpWallet(idempotencyKey: "t1", input: { wallet: "w1", grant: "t1", amount: "20.00 EUR" })
        { wallet { balance grants { key free } } receipt { replayed } } }"#;
    let first = ask(&shop, top_up).await["topUpWallet"].take();
    assert_eq!(
        first["wallet"],
        json!({ "balance": "20", "grants": [{ "key": "t1", "free": false }] })
    );
    let again = ask(&shop, top_up).await["topUpWallet"].take();
    assert_eq!(again["receipt"]["replayed"], true);
    assert_eq!(again["wallet"], first["wallet"], "it is put in once");
    let void = |key: &str, what: &str| {
        format!(
            r#"mutation {{ voidWallet(idempotencyKey: "{key}", wallet: "w1" {what}, reason: "fraud")
                {{ wallet {{ balance }} receipt {{ position }} }} }}"#
        )
    };
    assert_eq!(
        code(&shop, &void("v0", r#", units: "20.01""#)).await,
        "WALLET_INSUFFICIENT"
    );
    for units in [r#", units: "1""#, ""] {
        let elsewhere = void("v0", &format!(r#"{units}, grant: "t9""#));
        assert_eq!(code(&shop, &elsewhere).await, "GRANT_UNKNOWN");
    }
    let part =
        ask(&shop, &void("v1", r#", units: "7.50", grant: "t1""#)).await["voidWallet"].take();
    assert_eq!(part["wallet"]["balance"], "12.5");
    assert_eq!(
        spends(&shop, "t1", &part["receipt"]["position"]).await,
        json!([{ "amount": "7.5", "invoice": null, "takenOut": "fraud", "expired": null }])
    );
    let rest = ask(&shop, &void("v2", "")).await["voidWallet"].take();
    assert_eq!(rest["wallet"]["balance"], "0");
    let told = spends(&shop, "t1", &rest["receipt"]["position"]).await;
    assert_eq!(told[1]["amount"], "12.5");
}

#[tokio::test]
async fn a_wallet_that_is_burnt_at_finalising_pays_the_invoice_gross() {
    let shop = opened().await;
    let steps = r#"mutation {
        changeWallet(idempotencyKey: "change", input: { wallet: "w1", terms: { burn: FINALISING } }) { wallet { terms { burn } } }
        topUpWallet(idempotencyKey: "top-up", input: { wallet: "w1", grant: "t1", amount: "20.00 EUR" }) { wallet { balance } } }"#;
    let data = ask(&shop, steps).await;
    assert_eq!(
        data["changeWallet"]["wallet"]["terms"]["burn"],
        "FINALISING"
    );
    let run = shop::bill(&shop.acme, "march").await;
    assert_eq!(run["invoices"][0]["total"], "36.00 EUR");
    let told = spends(&shop, "t1", &run["receipt"]["position"]).await;
    assert_eq!(
        told,
        json!([{ "amount": "20", "invoice": "invoice:march.alice", "takenOut": null, "expired": null }])
    );
    let left = ask(
        &shop,
        r#"{ wallet(id: "w1") { balance } invoice(id: "march.alice") { open } }"#,
    )
    .await;
    assert_eq!(
        left,
        json!({ "wallet": { "balance": "0" }, "invoice": { "open": "16.00 EUR" } })
    );
}

#[tokio::test]
async fn a_grant_on_invoice_is_there_once_its_invoice_is_paid() {
    let shop = opened().await;
    let asked = ask(&shop, &grant("g1", "10", ", funding: INVOICE")).await;
    let wallet = &asked["grantWallet"]["wallet"];
    assert_eq!(wallet["balance"], "0");
    assert_eq!(
        wallet["asked"],
        json!([{ "grant": "g1", "invoice": "invoice:w1.g1", "amount": "10.00 EUR" }])
    );
    let open = ask(&shop, r#"{ invoice(id: "w1.g1") { open } }"#).await["invoice"]["open"].take();
    let pay = r#"mutation($amount: Money!) { recordPayment(idempotencyKey: "p", input: {
        id: "p1", account: "alice", amount: $amount, invoice: "w1.g1" }) { payment { stage } } }"#;
    shop.acme.data(pay, json!({ "amount": open })).await;
    let wallet = r#"{ wallet(id: "w1") { balance asked { grant } grants { key invoice free } } }"#;
    assert_eq!(
        ask(&shop, wallet).await["wallet"],
        json!({ "balance": "10", "asked": [],
            "grants": [{ "key": "g1", "invoice": "invoice:w1.g1", "free": false }] })
    );
}

#[tokio::test]
async fn a_wallet_that_falls_below_its_level_is_filled_by_rule() {
    let shop = opened().await;
    let both = r#"rules: [{ code: "auto", below: "5", every: "1 month", from: "2026-03-01", fixed: "8" }]"#;
    assert_eq!(
        code(&shop, &change("c0", both)).await,
        "WALLET_TERMS_INVALID"
    );
    let rule = r#"rules: [{ code: "auto", below: "5", fixed: "8" }]"#;
    let changed = ask(&shop, &change("c1", rule)).await;
    assert_eq!(
        changed["changeWallet"]["wallet"]["terms"]["rules"],
        json!([{ "code": "auto", "below": "5", "fixed": "8", "funding": "FREE" }])
    );
    ask(&shop, &grant("g1", "10", ", funding: PAID")).await;
    let void = r#"mutation { voidWallet(idempotencyKey: "v", wallet: "w1", units: "6", reason: "mistake")
        { wallet { balance grants { rule amount } } } }"#;
    assert_eq!(
        ask(&shop, void).await["voidWallet"]["wallet"],
        json!({ "balance": "12", "grants": [{ "rule": null, "amount": "10.00 EUR" }, { "rule": "auto", "amount": "8.00 EUR" }] })
    );
}
