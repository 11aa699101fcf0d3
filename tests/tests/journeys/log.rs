//! The log as a page and as a feed.

use serde_json::json;

use crate::shop;

#[tokio::test]
async fn the_log_can_be_read_page_by_page_without_gap_or_repeat() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.rival).await;
    shop::furnish(&shop.acme).await;
    shop::bill(&shop.acme, "march").await;
    let query = r#"query($first: Int, $after: String) { events(first: $first, after: $after) {
        edges { cursor node { type subject } } pageInfo { hasNextPage endCursor } } }"#;
    let all = shop.acme.data(query, json!({ "first": 100 })).await["events"].take();
    let all = all["edges"].as_array().expect("edges").clone();
    assert!(all.len() > 6, "{all:?}");
    let (mut pages, mut after) = (Vec::new(), json!(null));
    loop {
        let page = shop
            .acme
            .data(query, json!({ "first": 3, "after": after }))
            .await["events"]
            .take();
        pages.extend(page["edges"].as_array().expect("edges").clone());
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(pages, all);
}

#[tokio::test]
async fn one_thing_has_its_own_stream_with_its_data_opened() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let query = r#"{ events(stream: "account:alice") { edges { node { type version actor command data } } } }"#;
    let events = shop.acme.data(query, json!({})).await;
    let fact = &events["events"]["edges"][0]["node"];
    assert_eq!(fact["type"], "account.opened");
    assert_eq!(fact["actor"], "key:test");
    assert_eq!(fact["command"], "a");
    assert_eq!(
        fact["data"]["terms"]["contact"]["name"], "Alice Example",
        "{fact:#}"
    );
}

#[tokio::test]
async fn a_subscriber_hears_of_its_own_tenant_only_and_misses_nothing() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let past = shop
        .acme
        .data(
            "{ events(first: 100) { edges { node { type } } } }",
            json!({}),
        )
        .await;
    let past: Vec<_> = past["events"]["edges"]
        .as_array()
        .expect("edges")
        .iter()
        .map(|edge| edge["node"].clone())
        .collect();

    let start = shop
        .acme
        .data(
            "{ events(first: 1) { edges { node { position } } } }",
            json!({}),
        )
        .await;
    let start = start["events"]["edges"][0]["node"]["position"]
        .as_str()
        .expect("a position")
        .to_owned();
    let mut feed = shop
        .acme
        .subscribe(&format!(
            r#"subscription {{ events(after: "{start}") {{ type }} }}"#
        ))
        .await;
    for fact in past.iter().skip(1) {
        assert_eq!(
            &feed.next().await["events"],
            fact,
            "the past comes first, in order"
        );
    }
    // While the feed waits, another tenant and then this one write.
    shop::furnish(&shop.rival).await;
    let billed = shop::bill(&shop.acme, "march").await;
    assert_eq!(billed["invoices"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        feed.next().await["events"]["type"],
        "bill-run.started",
        "nothing of the other tenant in between"
    );
}

#[tokio::test]
async fn the_facts_of_a_command_are_on_its_receipt() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let query = r#"mutation { pauseSubscription(idempotencyKey: "p", id: "subscription:s1", reason: "holiday") {
        subscription { stage } receipt { touched events { type subject recordedAt summary } } } }"#;
    let data = shop.acme.data(query, json!({})).await["pauseSubscription"].take();
    assert_eq!(data["subscription"]["stage"], "PAUSED");
    assert_eq!(data["receipt"]["touched"], json!(["subscription:s1"]));
    assert_eq!(
        data["receipt"]["events"],
        json!([{
            "type": "subscription.paused",
            "subject": "subscription:s1",
            "recordedAt": "2026-03-01T08:00:00Z",
            "summary": "subscription s1: paused",
        }])
    );
}

#[tokio::test]
async fn a_fact_names_the_request_and_the_fact_it_came_of() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop::bill(&shop.acme, "march").await;
    let query = "{ events(first: 100) { nodes { type position correlation causedBy } } }";
    let facts = shop.acme.data(query, json!({})).await["events"]["nodes"].take();
    let facts = facts.as_array().expect("nodes");
    let of = |kind: &str| {
        let found = facts.iter().find(|fact| fact["type"] == kind);
        found.unwrap_or_else(|| panic!("a fact {kind} in {facts:#?}"))
    };
    let (opened, started) = (of("account.opened"), of("bill-run.started"));
    let finalised = of("invoice.finalised");
    assert_eq!(finalised["causedBy"], started["position"]);
    assert_eq!(finalised["correlation"], started["correlation"]);
    assert_eq!(started["causedBy"], json!(null), "somebody asked for it");
    assert_ne!(opened["correlation"], started["correlation"]);
    assert_ne!(opened["correlation"], "");
}
