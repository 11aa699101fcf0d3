//! Options, versions, price lists, contracts and ad hoc charges over HTTP.

use serde_json::{Value, json};

use crate::http::Client;
use crate::shop;

/// A bundle with an add-on, and a price list for German customers.
fn catalog(fee: &str) -> String {
    format!(
        r#"
[[offer]]
code = "bundle"
name = "Bundle"
currency = "EUR"
[[offer.option]]
code = "line"
offer = "line"
min = "1"
[[offer.option]]
code = "fax"
offer = "fax"
max = "2"
[[offer.recurring]]
code = "fee"
name = "fee"
price = {{ flat = "{fee}" }}
every = "1 month"
align = "calendar"
[[offer.one_off]]
code = "visit"
name = "visit"
amount = "80"
on = "ad_hoc"

[[offer]]
code = "line"
name = "Line"
currency = "EUR"
[[offer.recurring]]
code = "fee"
name = "fee"
price = {{ flat = "6.00" }}
every = "1 month"
align = "calendar"

[[offer]]
code = "fax"
name = "Fax"
currency = "EUR"
[[offer.recurring]]
code = "fee"
name = "fee"
price = {{ flat = "3.10" }}
every = "1 month"
align = "calendar"

[[price_list]]
code = "gold"
currency = "EUR"
group = "gold"
[[price_list.item]]
offer = "bundle"
percent = "-50"
"#
    )
}

const TERM: &str = "subscription { terms { from offer { version contract chosen { option quantity }
    priceSources { charge rule id why } charges { code price } } } }";

async fn apply(client: &Client, key: &str, fee: &str) -> Value {
    let apply = "mutation($key: String!, $toml: String!) { applyCatalog(idempotencyKey: $key, toml: $toml) {
        offers { code version options { code min max mandatory } } } }";
    client
        .data(apply, json!({ "key": key, "toml": catalog(fee) }))
        .await["applyCatalog"]
        .take()
}

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

#[tokio::test]
async fn a_bundle_is_sold_changed_priced_by_contract_migrated_and_retired() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let offers = apply(acme, "c2", "30.00").await;
    assert_eq!(offers["offers"][0]["options"][0]["mandatory"], true);

    let wrong = r#"startSubscription(idempotencyKey: "b0", input: { id: "b1", account: "alice", offer: "bundle",
        options: [{ option: "fax", quantity: "3" }, { option: "tv" }] }) { receipt { position } }"#;
    assert_eq!(refused(acme, wrong).await, "OFFER_RULES_BROKEN");
    let start = format!(
        r#"startSubscription(idempotencyKey: "b1", input: {{ id: "b1", account: "alice", offer: "bundle" }}) {{ {TERM} }}"#
    );
    let sold = ask(acme, &start).await;
    let offer = &sold["startSubscription"]["subscription"]["terms"][0]["offer"];
    assert_eq!(
        offer["chosen"],
        json!([{ "option": "line", "quantity": "1" }])
    );

    let add = format!(
        r#"addOption(idempotencyKey: "o1", input: {{ subscription: "b1", option: {{ option: "fax" }}, effective: {{ when: ON, date: "2026-03-11" }} }}) {{ {TERM} }}"#
    );
    let added = ask(acme, &add).await;
    let terms = added["addOption"]["subscription"]["terms"]
        .as_array()
        .expect("terms");
    assert_eq!(terms.len(), 2);
    let remove = format!(
        r#"removeOption(idempotencyKey: "o2", input: {{ subscription: "b1", option: "fax", effective: {{ when: ON, date: "2026-03-21" }} }}) {{ {TERM} }}"#
    );
    ask(acme, &remove).await;
    let order = r#"orderCharge(idempotencyKey: "v1", input: { id: "visit-1", subscription: "b1", charge: "visit",
        quantity: "2", amount: "50" }) { receipt { replayed } }"#;
    ask(acme, order).await;

    let define = r#"defineContract(idempotencyKey: "k1", input: { id: "frame", account: "alice", name: "Frame",
        from: "2026-04-01", prices: [{ offer: "bundle", charge: "fee", price: { flat: "20" } }] })
        { contract { from until prices { offer charge price } } }"#;
    ask(acme, define).await;
    let seen = acme
        .data(
            r#"{ subscription(id: "b1") { terms { from offer { priceSources { charge rule id why } } } }
                contracts(account: "alice") { key account from until } contract(id: "frame") { name }
                priceLists { code group prices { offer percent } } }"#,
            json!({}),
        )
        .await;
    let last = seen["subscription"]["terms"]
        .as_array()
        .and_then(|t| t.last())
        .expect("a term");
    assert_eq!(last["from"], "2026-04-01");
    let sources = last["offer"]["priceSources"].as_array().expect("sources");
    let fee = sources
        .iter()
        .find(|s| s["charge"] == "fee")
        .expect("of the fee");
    assert_eq!(fee["rule"], "ACCOUNT_CONTRACT");
    assert_eq!(fee["id"], "frame");
    assert_eq!(seen["priceLists"][0]["prices"][0]["percent"], "-50");
    let end = r#"endContract(idempotencyKey: "k2", id: "frame", on: "2026-05-01") { contract { until } }"#;
    assert_eq!(
        ask(acme, end).await["endContract"]["contract"]["until"],
        "2026-05-01"
    );

    apply(acme, "c3", "33.00").await;
    let one = format!(
        r#"migrateSubscription(idempotencyKey: "m1", id: "b1", effective: {{ when: ON, date: "2026-06-01" }}) {{ {TERM} }}"#
    );
    let moved = ask(acme, &one).await;
    let terms = moved["migrateSubscription"]["subscription"]["terms"]
        .as_array()
        .expect("terms");
    assert_eq!(terms.last().expect("a term")["offer"]["version"], 2);
    let all =
        r#"migrateSubscriptions(idempotencyKey: "m2", input: { offer: "bundle" }) { moved left }"#;
    let tried = all.replace(" }) {", " }, dryRun: true) {");
    for asked in [tried.as_str(), all] {
        assert_eq!(
            ask(acme, asked).await["migrateSubscriptions"],
            json!({ "moved": [], "left": 0 })
        );
    }

    let delete = r#"deleteOffer(idempotencyKey: "d1", offer: "bundle") { receipt { replayed } }"#;
    assert_eq!(refused(acme, delete).await, "OFFER_IN_USE");
    ask(
        acme,
        r#"retireOffer(idempotencyKey: "r1", offer: "bundle") { receipt { replayed } }"#,
    )
    .await;
    let late = r#"startSubscription(idempotencyKey: "b2", input: { id: "b2", account: "alice", offer: "bundle" }) { receipt { position } }"#;
    assert_eq!(refused(acme, late).await, "OFFER_RETIRED");
    ask(
        acme,
        r#"reopenOffer(idempotencyKey: "r2", offer: "bundle") { receipt { replayed } }"#,
    )
    .await;
    let again = r#"startSubscription(idempotencyKey: "b3", input: { id: "b2", account: "alice", offer: "bundle" }) { receipt { position } }"#;
    ask(acme, again).await;
}
