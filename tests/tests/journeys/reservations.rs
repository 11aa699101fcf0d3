//! Money set aside while something is used: by name, and with the words of credit control.

use serde_json::{Value, json};

use crate::http::Client;
use crate::shop::{self, Shop};

const CATALOG: &str = r#"
[[offer]]
code = "prepaid"
name = "Prepaid"
currency = "EUR"
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "MB"
every = "1 month"
pay = "wallet"
price = { per_unit = "0.10" }
"#;

const CONTROL: &str = r#"mutation($input: ControlCreditInput!) { controlCredit(input: $input) {
    result
    services { service result granted validity until cost debited code finalUnit { action redirectTo } }
    reservation { stage lastRequest quotas { service granted } account { key } }
    receipt { replayed } } }"#;

const WALLET: &str = r#"{ wallet(id: "w") { balance reserved available } }"#;

/// A shop where alice has 10 EUR in a wallet.
async fn open() -> Shop {
    let shop = shop::open("2026-03-10T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let toml = "mutation($toml: String!) { applyCatalog(idempotencyKey: \"p\", toml: $toml) { offers { code } } }";
    shop.acme.data(toml, json!({ "toml": CATALOG })).await;
    let rest = r#"mutation {
        startSubscription(idempotencyKey: "p1", input: {
            id: "line", account: "alice", offer: "prepaid", access: ["+49 171 1"]
        }) { receipt { replayed } }
        openWallet(idempotencyKey: "w1", id: "w", account: "alice") { receipt { replayed } }
        topUpWallet(idempotencyKey: "w2", input: { wallet: "w", grant: "g", amount: "10.00 EUR" }) {
            receipt { replayed } }
    }"#;
    shop.acme.data(rest, json!({})).await;
    shop
}

async fn control(shop: &Shop, input: Value) -> Value {
    let done = shop.acme.data(CONTROL, json!({ "input": input })).await;
    done["controlCredit"].clone()
}

async fn wallet(shop: &Shop) -> Value {
    shop.acme.data(WALLET, json!({})).await["wallet"].clone()
}

async fn error_code(client: &Client, query: &str, variables: Value) -> String {
    let error = client.error(query, variables).await;
    error["extensions"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_string()
}

fn sums(balance: &str, reserved: &str, available: &str) -> Value {
    json!({ "balance": balance, "reserved": reserved, "available": available })
}

#[tokio::test]
async fn a_session_reserves_reports_and_ends_and_a_duplicate_gets_the_same_answer() {
    let shop = open().await;
    let web = |used: Option<&str>, requested: Option<&str>| json!([{ "service": "web", "metric": "data", "used": used, "requested": requested }]);
    let first = json!({ "session": "gy:1", "number": 0, "type": "INITIAL", "access": "+49 171 1",
        "services": web(None, Some("60")) });
    let begun = control(&shop, first.clone()).await;
    assert_eq!(begun["result"], 2001);
    assert_eq!(begun["services"][0]["granted"], "60");
    assert_eq!(begun["services"][0]["until"], "2026-03-10T08:01:00Z");
    assert_eq!(begun["reservation"]["account"]["key"], "alice");
    assert_eq!(wallet(&shop).await, sums("10", "6", "4"));

    let update = json!({ "session": "gy:1", "number": 1, "type": "UPDATE",
        "services": web(Some("50"), Some("80")),
        "finalUnit": { "action": "REDIRECT", "redirectTo": "https://top-up.example" } });
    let answer = control(&shop, update.clone()).await;
    let served = &answer["services"][0];
    assert_eq!(
        (served["debited"].as_str(), served["granted"].as_str()),
        (Some("5"), Some("50"))
    );
    assert_eq!(served["finalUnit"]["redirectTo"], "https://top-up.example");
    assert_eq!(wallet(&shop).await, sums("5", "5", "0"));

    let head = shop.office.store().head();
    let again = control(&shop, update).await;
    assert_eq!(again["services"], answer["services"]);
    assert_eq!(again["receipt"]["replayed"], true);
    assert_eq!(control(&shop, first).await["services"], begun["services"]);
    assert_eq!(shop.office.store().head(), head);

    // Beyond its end a quota holds nothing, and what was used is still debited.
    shop.move_to("2026-03-10T08:01:00Z");
    assert_eq!(wallet(&shop).await, sums("5", "0", "5"));
    let last = json!({ "session": "gy:1", "number": 2, "type": "TERMINATE",
        "services": web(Some("20"), None) });
    let ended = control(&shop, last).await;
    assert_eq!(ended["services"][0]["debited"], "2");
    assert_eq!(ended["reservation"]["stage"], "CONFIRMED");
    assert_eq!(wallet(&shop).await, sums("3", "0", "3"));
}

#[tokio::test]
async fn who_is_unknown_and_what_has_no_price_is_told_by_its_code() {
    let shop = open().await;
    let ask = |session: &str, access: &str, metric: &str| {
        json!({ "session": session, "number": 0, "type": "DIRECT_DEBIT", "access": access,
            "services": [{ "service": "s", "metric": metric, "requested": "1" }] })
    };
    for (session, access, metric, result) in [
        ("e1", "+49 171 9", "data", 5030),
        ("e2", "+49 171 1", "cinema", 5031),
        ("e3", "+49 171 1", "data", 2001),
    ] {
        assert_eq!(
            control(&shop, ask(session, access, metric)).await["result"],
            result
        );
    }
}

#[tokio::test]
async fn a_reservation_is_confirmed_in_part_or_cancelled_and_never_both() {
    let shop = open().await;
    let reserve = r#"mutation($id: ID!, $n: Decimal!) { reserve(input: { reservation: $id, access: "subscription:line",
        services: [{ service: "web", metric: "data", requested: $n }] }) { result services { granted } } }"#;
    let confirm = r#"mutation($id: ID!, $n: Decimal!) { confirmReservation(reservation: $id,
        services: [{ service: "web", metric: "data", used: $n }]) { result services { debited } } }"#;
    let cancel =
        r#"mutation($id: ID!) { cancelReservation(reservation: $id) { reservation { stage } } }"#;
    for id in ["r1", "r2"] {
        shop.acme
            .data(reserve, json!({ "id": id, "n": "50" }))
            .await;
    }
    assert_eq!(wallet(&shop).await, sums("10", "10", "0"));
    let none = shop
        .acme
        .data(reserve, json!({ "id": "r3", "n": "1" }))
        .await;
    assert_eq!(none["reserve"]["result"], 4012);
    let code = error_code(&shop.acme, confirm, json!({ "id": "r1", "n": "51" })).await;
    assert_eq!(code, "RESERVATION_EXCEEDED");
    shop.acme
        .data(confirm, json!({ "id": "r1", "n": "20" }))
        .await;
    let cancelled = shop.acme.data(cancel, json!({ "id": "r2" })).await;
    assert_eq!(
        cancelled["cancelReservation"]["reservation"]["stage"],
        "CANCELLED"
    );
    assert_eq!(wallet(&shop).await, sums("8", "0", "8"));
    let code = error_code(&shop.acme, confirm, json!({ "id": "r2", "n": "1" })).await;
    assert_eq!(code, "COMMAND_ID_REUSED");
    let code = error_code(&shop.reader, cancel, json!({ "id": "r1" })).await;
    assert_eq!(code, "SCOPE_TOO_SMALL");
}
