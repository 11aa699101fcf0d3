//! What one tenant knows, another one cannot even ask for.

use serde_json::json;

use crate::shop;

#[tokio::test]
async fn an_id_of_another_tenant_is_unknown() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop::bill(&shop.acme, "march").await;
    let query = r#"{
        account(id: "alice") { key } subscription(id: "s1") { key } invoice(id: "march.alice") { key }
        billRun(id: "march") { key } legalEntity(id: "main") { key } offer(code: "basic") { code }
        node(id: "invoice:march.alice") { id } taxRates { name }
        accounts { edges { node { key } } } events { edges { node { type } } }
        stream: events(stream: "account:alice") { edges { node { type } } }
    }"#;
    let own = shop.acme.data(query, json!({})).await;
    let theirs = shop.rival.data(query, json!({})).await;
    for (field, nothing) in theirs.as_object().expect("fields") {
        let empty = nothing.is_null() || *nothing == json!([]) || nothing["edges"] == json!([]);
        assert!(empty, "rival sees {field}: {nothing}");
        assert_ne!(
            &own[field], nothing,
            "{field} must show something to its owner"
        );
    }
}

#[tokio::test]
async fn a_mutation_cannot_reach_into_another_tenant() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    for mutation in [
        r#"changeAccount(idempotencyKey: "x", input: { id: "alice", paymentDays: 1 })"#,
        r#"addCharge(idempotencyKey: "x", input: { id: "c", account: "alice", text: "t", amount: "1.00 EUR" })"#,
        r#"terminateSubscription(idempotencyKey: "x", input: { id: "s1" })"#,
    ] {
        let error = shop
            .rival
            .error(
                &format!("mutation {{ {mutation} {{ receipt {{ position }} }} }}"),
                json!({}),
            )
            .await;
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        assert!(
            ["NOT_FOUND", "ACCOUNT_UNKNOWN", "SUBSCRIPTION_UNKNOWN"].contains(&code),
            "{mutation}: {error}"
        );
    }
}

#[tokio::test]
async fn idempotency_keys_ids_and_numbers_of_two_tenants_do_not_meet() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop::furnish(&shop.rival).await;
    let ours = shop::bill(&shop.acme, "march").await;
    let theirs = shop::bill(&shop.rival, "march").await;
    assert_eq!(
        ours["invoices"], theirs["invoices"],
        "both begin their own series"
    );
    assert_ne!(ours["receipt"]["position"], theirs["receipt"]["position"]);
}

#[tokio::test]
async fn a_position_of_another_tenant_is_no_position() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop::furnish(&shop.rival).await;
    let position = shop::bill(&shop.acme, "march").await["receipt"]["position"].take();
    let query =
        r#"query($after: String) { events(first: 1, after: $after) { edges { node { type } } } }"#;
    shop.acme.data(query, json!({ "after": position })).await;
    let error = shop.rival.error(query, json!({ "after": position })).await;
    assert_eq!(error["extensions"]["code"], "CURSOR_INVALID");
}

#[tokio::test]
async fn a_key_does_only_what_its_scope_allows() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop.reader
        .data(r#"{ account(id: "alice") { key } }"#, json!({}))
        .await;
    let error = shop
        .reader
        .error(
            r#"mutation { changeAccount(idempotencyKey: "x", input: { id: "alice", paymentDays: 1 })
                { receipt { position } } }"#,
            json!({}),
        )
        .await;
    assert_eq!(error["extensions"]["code"], "SCOPE_TOO_SMALL");
    let dry = shop
        .reader
        .error(
            r#"mutation { runBill(idempotencyKey: "x", dryRun: true, input: { id: "r" }) { invoices { key } } }"#,
            json!({}),
        )
        .await;
    assert_eq!(dry["extensions"]["code"], "SCOPE_TOO_SMALL");
    let answer = shop.stranger.post("{ viewer { tenant } }", json!({})).await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.json()["errors"][0]["extensions"]["code"],
        "API_KEY_MISSING"
    );
}

#[tokio::test]
async fn a_websocket_needs_a_key_as_well() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let (_, greeting) = shop.stranger.greet().await;
    assert_ne!(greeting["type"], "connection_ack", "{greeting}");
    let (_, greeting) = shop.reader.greet().await;
    assert_eq!(greeting["type"], "connection_ack", "{greeting}");
}
