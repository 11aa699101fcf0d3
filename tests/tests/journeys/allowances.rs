//! Counters, pools and what may be used, over HTTP.

use serde_json::{Value, json};

use crate::http::Client;
use crate::shop;

const CATALOG: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "EUR"
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "GB"
every = "1 month"
align = "calendar"
price = { per_unit = "2" }
[[offer.counter]]
code = "pool"
name = "Family data"
unit = "GB"
size = "10"
owner = "account"
reset = "month"
thresholds = ["80%"]
message = "allowance"
[[offer.feature]]
code = "sims"
limit = "2"
[[offer.option]]
code = "more"
offer = "data-10"

[[offer]]
code = "data-10"
name = "10 GB more"
currency = "EUR"
[[offer.counter]]
code = "extra"
unit = "GB"
size = "10"
reset = "month"
"#;

async fn ask(client: &Client, query: &str) -> Value {
    client.data(query, json!({})).await
}

async fn line(client: &Client, id: &str) {
    let start = format!(
        r#"mutation {{ startSubscription(idempotencyKey: "{id}", input: {{ id: "{id}", account: "alice", offer: "line" }})
            {{ receipt {{ position }} }} }}"#
    );
    ask(client, &start).await;
}

async fn used(client: &Client, key: &str, subscription: &str, quantity: &str) -> Value {
    let ingest = format!(
        r#"mutation {{ ingestUsage(idempotencyKey: "{key}", input: {{ batch: "{key}", source: "api", records: [
            {{ key: "{key}", metric: "data", access: "subscription:{subscription}", at: "2026-03-09T10:00:00Z", quantity: "{quantity}" }}
        ] }}) {{ counts {{ rated rejected }} }} }}"#
    );
    ask(client, &ingest).await["ingestUsage"]["counts"].take()
}

const CHECK: &str = r#"query($class: String!, $quantity: Decimal!) { checkEntitlement(input: { subscription: "l2", class: $class, quantity: $quantity })
    { allowed granted covered class refused { code } } }"#;

async fn check(client: &Client, class: &str, quantity: &str) -> Value {
    let asked = json!({ "class": class, "quantity": quantity });
    client.data(CHECK, asked).await["checkEntitlement"].take()
}

#[tokio::test]
async fn two_lines_share_a_pool_are_told_when_it_runs_out_and_what_would_give_more() {
    let shop = shop::open("2026-03-10T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let apply = "mutation($toml: String!) { applyCatalog(idempotencyKey: \"c2\", toml: $toml) { offers { code } } }";
    acme.data(apply, json!({ "toml": CATALOG })).await;
    line(acme, "l1").await;
    line(acme, "l2").await;
    shop.move_to("2026-03-11T08:00:00Z");
    let first = r#"mutation { ingestUsage(idempotencyKey: "u1", input: { batch: "u1", source: "api", records: [
        { key: "u1", metric: "data", access: "subscription:l1", at: "2026-03-10T10:00:00Z", quantity: "17" }
    ] }) { counts { rated rejected } } }"#;
    let counts = ask(acme, first).await["ingestUsage"]["counts"].take();
    assert_eq!(counts, json!({ "rated": 1, "rejected": 0 }));
    // Before the lines began nothing is rated, and nothing drawn.
    let early = used(acme, "u0", "l1", "1").await;
    assert_eq!(early["rated"], 0);

    assert_eq!(
        check(acme, "data", "5").await,
        json!({ "allowed": true, "granted": "5", "covered": "3", "class": "data", "refused": null })
    );
    assert_eq!(
        check(acme, "sims", "3").await,
        json!({ "allowed": false, "granted": "2", "covered": "2", "class": "sims", "refused": { "code": "FEATURE_LIMIT" } })
    );
    let told = ask(
        &shop.reader,
        r#"{ entitlements(of: { subscription: "l2" }) { class allowed feature { limit } beyond
            left { counter name owner of size used left resets } more { offer option gives } } }"#,
    )
    .await;
    assert_eq!(
        told["entitlements"],
        json!([
            { "class": "data", "allowed": true, "feature": null, "beyond": "INVOICE",
              "left": [{ "counter": "pool", "name": "Family data", "owner": "ACCOUNT", "of": "alice",
                         "size": "20", "used": "17", "left": "3", "resets": "2026-04-01" }],
              "more": [{ "offer": "data-10", "option": "more", "gives": "10 GB per month" }] },
            { "class": "sims", "allowed": true, "feature": { "limit": "2" }, "beyond": null, "left": [], "more": [] },
        ])
    );
    let periods = ask(
        acme,
        r#"{ counters(of: { account: "alice" }, counter: "pool") { stream from until size used left members { subscription amount } } }"#,
    )
    .await;
    assert_eq!(
        periods["counters"],
        json!([{ "stream": "account:alice/pool/2026-03-01", "from": "2026-03-01", "until": "2026-04-01",
            "size": "20", "used": "17", "left": "3", "members": [
                { "subscription": "subscription:l1", "amount": "10" },
                { "subscription": "subscription:l2", "amount": "10" },
            ] }])
    );
    // The account is written to, as the counter asks.
    let said = ask(
        acme,
        r#"{ account(id: "alice") { messages { nodes { template on stage } } } }"#,
    )
    .await;
    assert_eq!(
        said["account"]["messages"]["nodes"],
        json!([{ "template": "allowance", "on": "2026-03-10", "stage": "WAITING" }])
    );
    // Rated again, the first record takes its place: it was 7 only, so nothing is beyond what is left.
    let again = r#"mutation { rerateUsage(idempotencyKey: "rr", input: { id: "rr", from: "2026-03-01", until: "2026-04-01",
        reason: "misread", correct: [{ record: { source: "api", key: "u1" }, quantity: "7" }] })
        { differences { charge } refused { code } rerating { stage } } }"#;
    let again = ask(acme, again).await["rerateUsage"].take();
    assert_eq!(again["refused"], json!([]));
    assert_eq!(again["rerating"]["stage"], "DONE");
    assert_eq!(
        check(acme, "data", "15").await,
        json!({ "allowed": true, "granted": "15", "covered": "13", "class": "data", "refused": null })
    );
    let undo = r#"mutation { undoRerating(idempotencyKey: "ru", id: "rr", reason: "it was right") { refused { code } } }"#;
    let undone = ask(acme, undo).await["undoRerating"].take();
    assert_eq!(undone["refused"], json!([]));
    assert_eq!(check(acme, "data", "5").await["covered"], "3");
    // The threshold is a fact that every reader of the log sees.
    let facts = ask(
        acme,
        r#"{ events(stream: "counter:account:alice/pool/2026-03-01", first: 10) { edges { node { type } } } }"#,
    )
    .await;
    let types: Vec<&str> = facts["events"]["edges"]
        .as_array()
        .expect("facts")
        .iter()
        .filter_map(|edge| edge["node"]["type"].as_str())
        .collect();
    assert_eq!(
        types,
        [
            "counter.granted",
            "counter.drawn",
            "counter.crossed",
            // Rated again and taken back: the threshold was left and is reached anew.
            "counter.drawn",
            "counter.drawn",
            "counter.crossed",
        ]
    );
}
