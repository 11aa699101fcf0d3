//! A customer who moves: days before the move stay in the old time zone, days after it are of the new one.

use serde_json::{Value, json};

use crate::http::Client;
use crate::shop;

async fn move_to(client: &Client, key: &str, zone: &str, more: &str) -> Value {
    let ask = format!(
        r#"mutation {{ setAccountZone(idempotencyKey: "{key}", account: "alice", zone: "{zone}" {more}) {{
            account {{ zone zones {{ from zone }} }} receipt {{ dryRun }} }} }}"#
    );
    client.data(&ask, json!({})).await["setAccountZone"].take()
}

async fn use_voice(client: &Client, key: &str, at: &str) {
    let used = format!(
        r#"mutation {{ ingestUsage(idempotencyKey: "{key}", input: {{ batch: "{key}", source: "api", records: [
            {{ key: "{key}", metric: "voice", access: "+49 170 1", at: "{at}", quantity: "600" }} ] }}) {{ counts {{ rated }} }} }}"#
    );
    let counted = client.data(&used, json!({})).await;
    assert_eq!(counted["ingestUsage"]["counts"]["rated"], 1);
}

/// Days and net of the lines of the only document of a run.
async fn billed(client: &Client, run: &str) -> Value {
    let made = shop::bill(client, run).await;
    let key = made["invoices"][0]["key"].as_str().expect("a key");
    let query = format!(
        r#"{{ invoice(id: "{key}") {{ lines(first: 9) {{ nodes {{ net from until }} }} }} }}"#
    );
    let told = client.data(&query, json!({})).await;
    let lines = told["invoice"]["lines"]["nodes"].as_array();
    let line = |line: &Value| {
        let of = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        json!([of("from"), of("until"), line["net"]])
    };
    lines.expect("lines").iter().map(line).collect()
}

#[tokio::test]
async fn days_before_a_move_stay_where_they_were_and_no_day_is_billed_twice() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let tried = move_to(
        acme,
        "z0",
        "America/New_York",
        r#"from: "2026-04-01", dryRun: true"#,
    )
    .await;
    assert_eq!(tried["receipt"]["dryRun"], true);
    assert_eq!(
        tried["account"]["zones"],
        json!([{ "from": null, "zone": "Europe/Berlin" }, { "from": "2026-04-01", "zone": "America/New_York" }])
    );
    let now = acme
        .data(
            r#"{ account(id: "alice") { zones { from zone } } }"#,
            json!({}),
        )
        .await;
    assert_eq!(
        now["account"]["zones"],
        json!([{ "from": null, "zone": "Europe/Berlin" }])
    );
    let moved = move_to(acme, "z1", "America/New_York", r#"from: "2026-04-01""#).await;
    assert_eq!(
        moved["account"],
        json!({ "zone": "Europe/Berlin", "zones": [
            { "from": null, "zone": "Europe/Berlin" }, { "from": "2026-04-01", "zone": "America/New_York" }] })
    );
    // 3:00 on 1 April in Berlin is 21:00 on 31 March in New York.
    shop.move_to("2026-04-01T01:30:00Z");
    use_voice(acme, "late", "2026-04-01T01:00:00Z").await;
    shop.move_to("2026-04-02T08:00:00Z");
    use_voice(acme, "told-late", "2026-02-28T23:30:00Z").await;
    assert_eq!(
        billed(acme, "r1").await,
        json!([
            ["2026-03-01", "2026-04-01", "30.00 EUR"],
            ["2026-04-01", "2026-05-01", "30.00 EUR"],
            ["2026-03-01", "2026-04-01", "1.00 EUR"],
        ])
    );
    let now = r#"{ account(id: "alice") { zone } }"#;
    assert_eq!(
        acme.data(now, json!({})).await["account"]["zone"],
        "America/New_York"
    );
    let then = r#"{ account(id: "alice", asOf: { effective: "2026-03-15" }) { zone } }"#;
    assert_eq!(
        acme.data(then, json!({})).await["account"]["zone"],
        "Europe/Berlin"
    );
    // Taken back late: what was used in the night is of April again.
    move_to(acme, "z2", "Europe/Berlin", r#"from: "2026-04-01""#).await;
    shop.move_to("2026-05-01T08:00:00Z");
    assert_eq!(
        billed(acme, "r2").await,
        json!([
            ["2026-05-01", "2026-06-01", "30.00 EUR"],
            ["2026-03-01", "2026-04-01", "-0.50 EUR"],
            ["2026-04-01", "2026-05-01", "0.50 EUR"],
        ])
    );
    let unknown = r#"mutation { setAccountZone(idempotencyKey: "z3", account: "alice", zone: "Mars/Base") { receipt { dryRun } } }"#;
    assert_eq!(
        acme.error(unknown, json!({})).await["extensions"]["code"],
        "ZONE_UNKNOWN"
    );
}

#[tokio::test]
async fn a_seller_that_moves_dates_its_documents_by_the_zone_of_their_day() {
    let shop = shop::open("2026-12-31T22:30:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let set = |key: &str, more: &str| {
        format!(
            r#"mutation {{ setEntityZone(idempotencyKey: "{key}", entity: "main", zone: "Asia/Tokyo" {more}) {{
                entity {{ zone zones {{ from zone }} }} receipt {{ dryRun }} }} }}"#
        )
    };
    // 23:30 of the last day of the year in Berlin.
    let before = issued(acme, "c1").await;
    assert_eq!(
        before,
        json!({ "issued": "2026-12-31", "number": "2026-000001" })
    );
    let tried = set("z0", r#"from: "2026-12-31", dryRun: true"#);
    let tried = acme.data(&tried, json!({})).await["setEntityZone"].take();
    assert_eq!(tried["receipt"]["dryRun"], true);
    assert_eq!(
        tried["entity"]["zones"],
        json!([{ "from": null, "zone": "Europe/Berlin" }, { "from": "2026-12-31", "zone": "Asia/Tokyo" }])
    );
    let now = r#"{ legalEntity(id: "main") { zones { from zone } } }"#;
    assert_eq!(
        acme.data(now, json!({})).await["legalEntity"]["zones"],
        json!([{ "from": null, "zone": "Europe/Berlin" }])
    );
    let moved = set("z1", r#"from: "2026-12-31""#);
    let moved = acme.data(&moved, json!({})).await["setEntityZone"].take();
    assert_eq!(
        moved["entity"],
        json!({ "zone": "Asia/Tokyo", "zones": [
            { "from": null, "zone": "Europe/Berlin" }, { "from": "2026-12-31", "zone": "Asia/Tokyo" } ] })
    );
    let after = issued(acme, "c2").await;
    assert_eq!(
        after,
        json!({ "issued": "2027-01-01", "number": "2027-000001" })
    );
    let unknown = r#"mutation { setEntityZone(idempotencyKey: "z2", entity: "main", zone: "Mars/Base") { receipt { dryRun } } }"#;
    let refused = acme.error(unknown, json!({})).await;
    assert_eq!(refused["extensions"]["code"], "ZONE_UNKNOWN");
}

/// Issue date and number of a document over a charge.
async fn issued(client: &Client, charge: &str) -> Value {
    let add = format!(
        r#"mutation {{ addCharge(idempotencyKey: "{charge}", input: {{ id: "{charge}", account: "alice", text: "Visit", amount: "20.00 EUR" }}) {{ pending {{ amount }} }} }}"#
    );
    client.data(&add, json!({})).await;
    let now = format!(
        r#"mutation {{ invoiceNow(idempotencyKey: "i{charge}", id: "i{charge}", account: "alice") {{ invoice {{ issued number }} }} }}"#
    );
    client.data(&now, json!({})).await["invoiceNow"]["invoice"].take()
}
