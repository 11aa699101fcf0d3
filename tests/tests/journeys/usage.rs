//! From a raw line to the invoice that it is on, and back.

use serde_json::{Value, json};

use crate::shop;

const FILE: &str = "key,metric,access,at,quantity\n\
    c1,voice,+49 170 1,2026-03-02T10:00:00Z,600\n\
    c2,voice,+49 170 1,2026-03-03T10:00:00Z,61\n\
    c2,voice,+49 170 1,2026-03-03T10:00:00Z,61\n\
    c3,voice,+49 170 9,2026-03-04T10:00:00Z,60\n\
    c4,voice,+49 170 1,not a time,60\n";

const INGEST: &str = r#"mutation($batch: ID!, $file: String!) {
    ingestUsage(idempotencyKey: "u-1", input: { batch: $batch, source: "switch", format: RECORDS, file: $file }) {
        counts { received accepted duplicates conflicts unreadable rated pending rejected superseded }
        batches { key source problems { edges { node { line outcome code } } } }
        receipt { replayed touched }
    } }"#;

async fn ingest(shop: &shop::Shop) -> Value {
    shop.acme
        .data(INGEST, json!({ "batch": "b1", "file": FILE }))
        .await["ingestUsage"]
        .take()
}

#[tokio::test]
async fn every_line_is_counted_once_and_what_was_not_rated_says_why() {
    let shop = shop::open("2026-03-10T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let done = ingest(&shop).await;
    assert_eq!(
        done["counts"],
        json!({
            "received": 5, "accepted": 3, "duplicates": 1, "conflicts": 0, "unreadable": 1,
            "rated": 2, "pending": 1, "rejected": 0, "superseded": 0,
        })
    );
    let problems: Vec<(u64, &str)> = done["batches"][0]["problems"]["edges"]
        .as_array()
        .expect("problems")
        .iter()
        .map(|edge| {
            (
                edge["node"]["line"].as_u64().expect("a line"),
                edge["node"]["outcome"].as_str().expect("a kind"),
            )
        })
        .collect();
    assert_eq!(
        problems,
        [(4, "DUPLICATE"), (5, "PENDING"), (6, "UNREADABLE")]
    );
    let head = shop.office.store().head();
    let again = ingest(&shop).await;
    assert_eq!(again["receipt"]["replayed"], true);
    assert_eq!(again["counts"], done["counts"]);
    assert_eq!(shop.office.store().head(), head);
}

#[tokio::test]
async fn a_cent_leads_back_to_the_line_it_came_from() {
    let shop = shop::open("2026-03-10T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    ingest(&shop).await;
    shop.move_to("2026-04-01T08:00:00Z");
    shop::bill(&shop.acme, "april").await;
    let lines = shop
        .acme
        .data(
            r#"{ invoice(id: "april.alice") { lines(first: 5) { edges { node { kind exact net from until explain
                charges(first: 10) { edges { node { exact units offer offerVersion prepaid explain
                    record { at quantity line source raw batch { key } } } } } } } } } }"#,
            json!({}),
        )
        .await["invoice"]["lines"]["edges"]
        .take();
    let usage = lines
        .as_array()
        .expect("lines")
        .iter()
        .find(|line| line["node"]["kind"] == "USAGE")
        .expect("a usage line");
    // 661 seconds are 661/60 minutes at 0.05: 0.550833… EUR, rounded once.
    assert_eq!(usage["node"]["net"], "0.55 EUR");
    assert_eq!(usage["node"]["exact"], "0.550833333333");
    let charges = usage["node"]["charges"]["edges"]
        .as_array()
        .expect("charges");
    assert_eq!(charges.len(), 2);
    let second = &charges[1]["node"];
    assert_eq!(
        second["record"]["raw"],
        "c2,voice,+49 170 1,2026-03-03T10:00:00Z,61"
    );
    assert_eq!(second["record"]["line"], 3);
    assert_eq!(second["record"]["batch"]["key"], "b1");
    assert_eq!(
        (&second["offer"], &second["offerVersion"]),
        (&json!("basic"), &json!(1))
    );
    let sentence = second["explain"].as_str().expect("a sentence");
    assert!(
        sentence.starts_with("a quantity of 61 is 1.016666666667 minute; "),
        "{sentence}"
    );
}

#[tokio::test]
async fn records_can_be_sent_as_they_are() {
    let shop = shop::open("2026-03-10T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let query = r#"mutation { ingestUsage(idempotencyKey: "u", input: { batch: "b", source: "api", records: [
        { key: "1", metric: "voice", access: "subscription:s1", at: "2026-03-02T10:00:00Z", quantity: "60" }
        { key: "1", metric: "voice", access: "subscription:s1", at: "2026-03-02T10:00:00Z", quantity: "61" }
    ] }) { counts { received rated conflicts } } }"#;
    let counts = shop.acme.data(query, json!({})).await["ingestUsage"]["counts"].take();
    assert_eq!(counts, json!({ "received": 2, "rated": 1, "conflicts": 1 }));
}

#[tokio::test]
async fn a_prepaid_charge_is_burnt_from_the_wallet() {
    let shop = shop::open("2026-03-10T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let prepaid = r#"
[[offer]]
code = "prepaid"
name = "Prepaid"
currency = "EUR"

[[offer.usage]]
code = "voice"
name = "Voice"
metric = "voice"
unit = "minute"
per = "60"
every = "1 month"
pay = "wallet"
price = { per_unit = "0.10" }
"#;
    let steps = r#"mutation($toml: String!) {
        applyCatalog(idempotencyKey: "p1", toml: $toml) { offers { code } }
        startSubscription(idempotencyKey: "p2", input: { id: "pre", account: "alice", offer: "prepaid" }) { receipt { replayed } }
        openWallet(idempotencyKey: "p3", id: "w", account: "alice") { wallet { currency } }
        topUpWallet(idempotencyKey: "p4", input: { wallet: "w", grant: "g1", amount: "1.00 EUR" }) { wallet { balance } }
        ingestUsage(idempotencyKey: "p5", input: { batch: "pb", source: "api", records: [
            { key: "a", metric: "voice", access: "subscription:pre", at: "2026-03-10T07:00:00Z", quantity: "300" }
            { key: "b", metric: "voice", access: "subscription:pre", at: "2026-03-10T07:30:00Z", quantity: "600" }
        ] }) { counts { rated rejected } }
    }"#;
    let data = shop.acme.data(steps, json!({ "toml": prepaid })).await;
    assert_eq!(data["topUpWallet"]["wallet"]["balance"], "1");
    assert_eq!(
        data["ingestUsage"]["counts"],
        json!({ "rated": 1, "rejected": 1 })
    );
    let wallet = shop
        .acme
        .data(
            r#"{ wallet(id: "wallet:w") { balance burnt grants { remaining } } }"#,
            json!({}),
        )
        .await;
    assert_eq!(
        wallet["wallet"],
        json!({ "balance": "0.5", "burnt": "0.5", "grants": [{ "remaining": "0.5" }] })
    );
}
