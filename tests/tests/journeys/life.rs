//! The life of a subscription over HTTP: tried first, planned, undone, moved, handed over, ended.

use serde_json::{Value, json};

use crate::http::Client;
use crate::shop;

const OFFERS: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "EUR"
[[offer.recurring]]
code = "fee"
name = "fee"
price = { per_unit = "30.00" }
every = "1 month"
align = "billing_day"
"#;

async fn ask(client: &Client, mutation: &str) -> Value {
    let mut answer = client
        .data(&format!("mutation {{ {mutation} }}"), json!({}))
        .await;
    let name = mutation.split('(').next().unwrap_or_default().trim();
    answer[name].take()
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

async fn sold(now: &str) -> shop::Shop {
    let shop = shop::open(now).await;
    shop::furnish(&shop.acme).await;
    let apply = "mutation($toml: String!) { applyCatalog(idempotencyKey: \"lines\", toml: $toml) { offers { code } } }";
    shop.acme.data(apply, json!({ "toml": OFFERS })).await;
    ask(
        &shop.acme,
        r#"openAccount(idempotencyKey: "bob", input: { id: "bob", entity: "main" }) { account { id } }"#,
    )
    .await;
    shop
}

#[tokio::test]
async fn every_step_of_a_life_can_be_tried_before_it_is_asked() {
    let shop = sold("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    let start = |key: &str, more: &str| {
        format!(
            r#"startSubscription(idempotencyKey: "{key}", {more} input: {{ id: "l1", account: "alice", offer: "line",
            tenure: {{ lasts: "12 months", notice: "1 month", atEnd: RENEW }} }})
            {{ subscription {{ stage tenure {{ until noticeBy atEnd }} }} coming {{ on total lines {{ from until net }} }} receipt {{ dryRun }} }}"#
        )
    };
    let tried = ask(acme, &start("x", "dryRun: true,")).await;
    assert_eq!(tried["receipt"]["dryRun"], true);
    assert_eq!(tried["subscription"]["tenure"]["until"], "2027-03-01");
    assert_eq!(tried["subscription"]["tenure"]["noticeBy"], "2027-02-01");
    assert_eq!(tried["coming"][0]["on"], "2026-03-01");
    assert_eq!(tried["coming"][0]["total"], "36.00 EUR");
    assert_eq!(tried["coming"][1]["on"], "2026-04-01");
    let nobody = acme
        .data(r#"{ subscription(id: "l1") { id } }"#, json!({}))
        .await;
    assert!(nobody["subscription"].is_null(), "a try leaves nothing");
    let done = ask(acme, &start("l1", "")).await;
    assert_eq!(done["coming"], tried["coming"], "it costs what was said");

    shop::bill(acme, "r1").await;
    let upgrade = r#"changeSubscription(idempotencyKey: "u1", input: { id: "l1", quantity: "2",
        effective: { when: ON, date: "2026-03-16" } }) { subscription { terms { from quantity } } }"#;
    assert_eq!(
        ask(acme, upgrade).await["subscription"]["terms"],
        json!([{ "from": "2026-03-01", "quantity": "1" }, { "from": "2026-03-16", "quantity": "2" }])
    );
    let undo = r#"undoPlan(idempotencyKey: "u2", id: "l1", plan: { kind: CHANGE, date: "2026-03-16" })
        { subscription { terms { from } } }"#;
    assert_eq!(
        ask(acme, undo).await["subscription"]["terms"],
        json!([{ "from": "2026-03-01" }])
    );
    assert_eq!(
        refused(acme, &undo.replace("u2", "u3")).await,
        "NOT_PLANNED"
    );

    let moves = r#"moveBillingDay(idempotencyKey: "m0", id: "l1", day: 10, dryRun: true)
        { coming { on lines { from until net } } }"#;
    let bridge = &ask(acme, moves).await["coming"][0];
    assert_eq!(bridge["on"], "2026-04-01");
    assert_eq!(
        bridge["lines"],
        json!([{ "from": "2026-04-01", "until": "2026-04-10", "net": "8.71 EUR" }])
    );
    let account = r#"moveAccountBillingDay(idempotencyKey: "m1", account: "alice", day: 10) { moved receipt { dryRun } }"#;
    let moved = ask(acme, account).await;
    assert!(
        !moved["moved"].as_array().expect("ids").is_empty(),
        "{moved}"
    );
    let real = ask(
        acme,
        &moves.replace(", dryRun: true", "").replace("m0", "m2"),
    )
    .await;
    assert_eq!(&real["coming"][0], bridge);

    let early = |more: &str| {
        format!(
            r#"terminateSubscription(idempotencyKey: "t{}", {more}) {{ subscription {{ until ending {{ kind reason chargedUntil fees }} }}
                coming {{ on lines {{ from until net }} }} }}"#,
            more.len()
        )
    };
    assert_eq!(
        refused(acme, &early(r#"input: { id: "l1" }"#)).await,
        "TENURE_RUNNING"
    );
    let waived = ask(
        acme,
        &early(r#"input: { id: "l1", rest: WAIVE, effective: { when: ON, date: "2026-03-17" } }, dryRun: true"#),
    )
    .await;
    assert_eq!(
        waived["coming"][0]["lines"],
        json!([{ "from": "2026-03-17", "until": "2026-04-01", "net": "-14.52 EUR" }])
    );
    let noticed = ask(
        acme,
        &early(r#"input: { id: "l1", by: NOTICE, reason: "moves away" }"#),
    )
    .await;
    assert_eq!(noticed["subscription"]["until"], "2027-03-01");
    let kept = r#"reactivateSubscription(idempotencyKey: "k1", id: "l1") { subscription { until ending { kind } } }"#;
    assert!(ask(acme, kept).await["subscription"]["ending"].is_null());
}

#[tokio::test]
async fn a_try_of_what_is_told_after_runs_says_what_it_then_costs() {
    let shop = sold("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    let start = r#"startSubscription(idempotencyKey: "l1", input: { id: "l1", account: "alice", offer: "line" })
        { subscription { stage } }"#;
    ask(acme, start).await;
    for (run, now) in ["2026-03-01", "2026-04-01", "2026-05-01"]
        .iter()
        .enumerate()
    {
        shop.move_to(&format!("{now}T08:00:00Z"));
        shop::bill(acme, &format!("r{run}")).await;
    }
    let pause = r#"pauseSubscription(idempotencyKey: "p", id: "l1", from: "2026-03-16", dryRun: true)
        { subscription { stage } coming { on total lines { from until net } } }"#;
    let tried = ask(acme, pause).await;
    assert_eq!(
        tried["coming"][0]["lines"],
        json!([
            { "from": "2026-03-16", "until": "2026-04-01", "net": "-15.48 EUR" },
            { "from": "2026-04-01", "until": "2026-05-01", "net": "-30.00 EUR" },
            { "from": "2026-05-01", "until": "2026-06-01", "net": "-30.00 EUR" }
        ])
    );
    let done = ask(acme, &pause.replace(", dryRun: true", "")).await;
    assert_eq!(done, tried);
}

#[tokio::test]
async fn a_subscription_is_activated_handed_over_and_cancelled() {
    let shop = sold("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    let start = |id: &str, more: &str| {
        format!(
            r#"startSubscription(idempotencyKey: "{id}", input: {{ id: "{id}", account: "alice", offer: "line", {more} }})
            {{ subscription {{ stage awaitsActivation }} }}"#
        )
    };
    let waits = ask(acme, &start("w", "awaitsActivation: true")).await;
    assert_eq!(waits["subscription"]["stage"], "PENDING");
    assert_eq!(waits["subscription"]["awaitsActivation"], true);
    let pause = r#"pauseSubscription(idempotencyKey: "w-p", id: "w") { receipt { dryRun } }"#;
    assert_eq!(refused(acme, pause).await, "SUBSCRIPTION_AWAITS_ACTIVATION");
    shop.move_to("2026-03-09T08:00:00Z");
    let hand_out = r#"activateSubscription(idempotencyKey: "w-a", id: "w") { subscription { stage from current { billingDay } } }"#;
    assert_eq!(
        ask(acme, hand_out).await["subscription"],
        json!({ "stage": "ACTIVE", "from": "2026-03-09", "current": { "billingDay": 9 } })
    );
    let tenure = r#"agreeTenure(idempotencyKey: "w-g", id: "w", tenure: { lasts: "6 months" })
        { subscription { tenure { from until over } } }"#;
    assert_eq!(
        ask(acme, tenure).await["subscription"]["tenure"]["until"],
        "2026-09-09"
    );

    shop::bill(acme, "r1").await;
    shop.move_to("2026-03-24T08:00:00Z");
    let transfer = r#"transferSubscription(idempotencyKey: "w-h", input: { id: "w", to: "w2", account: "bob" })
        { subscription { key takenOverOn account { key } coming { on lines { from until net } } }
          elsewhere { subscription coming { on lines { from until net } } } }"#;
    let try_it = transfer
        .replace("input: {", "dryRun: true, input: {")
        .replace(
            " coming { on lines { from until net } } }\n          else",
            " }\n          else",
        );
    let tried = ask(acme, &try_it).await;
    let handed = ask(acme, transfer).await;
    assert_eq!(
        handed["elsewhere"][0]["coming"][0]["lines"],
        json!([{ "from": "2026-03-24", "until": "2026-04-09", "net": "-15.48 EUR" }]),
        "what the other account gets back"
    );
    assert_eq!(handed["elsewhere"], tried["elsewhere"]);
    assert_eq!(handed["subscription"]["account"]["key"], "bob");
    assert_eq!(handed["subscription"]["takenOverOn"], "2026-03-24");
    assert_eq!(
        handed["subscription"]["coming"][0]["lines"],
        json!([{ "from": "2026-03-24", "until": "2026-04-09", "net": "15.48 EUR" }])
    );
    let old = acme
        .data(
            r#"{ subscription(id: "w") { stage ending { kind handedTo } coming(through: "2026-12-31") { lines { net } } } }"#,
            json!({}),
        )
        .await;
    assert_eq!(old["subscription"]["stage"], "TERMINATED");
    assert_eq!(old["subscription"]["ending"]["kind"], "HANDED_OVER");
    assert_eq!(
        old["subscription"]["coming"][0]["lines"][0]["net"],
        "-15.48 EUR"
    );

    ask(acme, &start("later", r#"from: "2026-05-01""#)).await;
    let cancel = r#"cancelSubscription(idempotencyKey: "w-c", id: "later", reason: "changed his mind") { subscription { stage } coming { on } }"#;
    let cancelled = ask(acme, cancel).await;
    assert_eq!(cancelled["subscription"]["stage"], "CANCELLED");
    assert_eq!(cancelled["coming"], json!([]));
}
