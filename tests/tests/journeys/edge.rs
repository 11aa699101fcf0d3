//! The front door itself: media types, sizes, limits, foreign pages.

use serde_json::{Value, json};

use indelible_api::auth::Keys;
use indelible_api::clock::Clock;
use indelible_api::office::Office;
use indelible_api::server::{self, Edge};
use tokio::sync::watch;

use crate::http::Client;
use crate::shop;

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn a_client_that_knows_the_new_media_type_gets_a_status_that_tells() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let bearer = format!("Bearer {}", shop.acme.key.as_ref().expect("a key"));
    let ask = |accept: &'static str, query: &'static str| {
        let (client, bearer) = (shop.acme.clone(), bearer.clone());
        async move {
            let headers = [JSON, ("Accept", accept), ("Authorization", bearer.as_str())];
            client
                .send(
                    "POST",
                    "/graphql",
                    &headers,
                    json!({ "query": query }).to_string().as_bytes(),
                )
                .await
        }
    };
    let new = ask("application/graphql-response+json", "{ nonsense }").await;
    assert_eq!(new.status, 400);
    assert_eq!(
        new.header("content-type"),
        Some("application/graphql-response+json; charset=utf-8")
    );
    assert!(
        new.json().get("data").is_none(),
        "what was not executed has no data"
    );
    assert_eq!(
        new.json()["errors"][0]["extensions"]["code"],
        "GRAPHQL_INVALID"
    );
    let old = ask("application/json", "{ nonsense }").await;
    assert_eq!(old.status, 200);
    assert_eq!(ask("text/html", "{ viewer { tenant } }").await.status, 406);
    let good = ask("*/*", "{ viewer { tenant scope actor } }").await;
    assert_eq!(
        good.json()["data"]["viewer"],
        json!({ "tenant": "acme", "scope": "admin", "actor": "key:test" })
    );
}

#[tokio::test]
async fn only_a_single_json_operation_by_post_is_taken() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let bearer = format!("Bearer {}", shop.acme.key.as_ref().expect("a key"));
    let auth = ("Authorization", bearer.as_str());
    let send = |headers: Vec<(&'static str, String)>, body: String| {
        let client = shop.acme.clone();
        async move {
            let headers: Vec<(&str, &str)> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            client
                .send("POST", "/graphql", &headers, body.as_bytes())
                .await
        }
    };
    let with = |kind: &str| {
        vec![
            ("Content-Type", kind.to_owned()),
            ("Authorization", bearer.clone()),
        ]
    };
    let query = json!({ "query": "{ viewer { tenant } }" }).to_string();
    assert_eq!(
        send(with("application/json"), query.clone()).await.status,
        200
    );
    let form = send(with("text/plain"), query.clone()).await;
    assert_eq!(
        (form.status, code(&form.json())),
        (415, "UNSUPPORTED_MEDIA_TYPE".to_owned())
    );
    let batch = send(with("application/json"), format!("[{query}]")).await;
    assert_eq!(
        (batch.status, code(&batch.json())),
        (400, "BATCH_REFUSED".to_owned())
    );
    let large = send(
        with("application/json"),
        format!("{{\"query\":\"{}\"}}", "x".repeat(2 << 20)),
    )
    .await;
    assert_eq!(
        (large.status, code(&large.json())),
        (413, "BODY_TOO_LARGE".to_owned())
    );
    let get = shop
        .acme
        .send(
            "GET",
            "/graphql?query=%7Bviewer%7Btenant%7D%7D",
            &[auth],
            b"",
        )
        .await;
    assert_eq!(get.status, 405);
}

#[tokio::test]
async fn a_page_of_another_site_is_refused() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let bearer = format!("Bearer {}", shop.acme.key.as_ref().expect("a key"));
    let body = json!({ "query": "{ viewer { tenant } }" }).to_string();
    let own = format!("http://{}", shop.acme.address);
    for (origin, status) in [
        ("https://example.org", 403),
        ("null", 403),
        (own.as_str(), 200),
    ] {
        let headers = [JSON, ("Authorization", bearer.as_str()), ("Origin", origin)];
        let answer = shop
            .acme
            .send("POST", "/graphql", &headers, body.as_bytes())
            .await;
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[tokio::test]
async fn an_expensive_query_is_refused_before_it_runs() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let page = |first: u32| {
        format!(
            "{{ accounts(first: {first}) {{ edges {{ node {{ key subscriptions(first: 10) {{ edges {{ node {{ key }} }} }} }} }} }} }}"
        )
    };
    shop.acme.data(&page(5), json!({})).await;
    let error = shop.acme.error(&page(500), json!({})).await;
    assert_eq!(error["extensions"]["code"], "GRAPHQL_INVALID", "{error}");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("complex")),
        "{error}"
    );
    let deep = "{ account(id: \"alice\") { payer { payer { payer { payer { payer { payer { payer { payer { payer { payer { payer { key } } } } } } } } } } } } }";
    assert_eq!(
        shop.acme.error(deep, json!({})).await["extensions"]["code"],
        "QUERY_TOO_DEEP"
    );
    let aliases: String = (0..31)
        .map(|n| format!("a{n}: viewer {{ tenant }} "))
        .collect();
    let error = shop
        .acme
        .error(&format!("{{ {aliases} }}"), json!({}))
        .await;
    assert_eq!(error["extensions"]["code"], "QUERY_TOO_MANY_ROOT_FIELDS");
    let error = shop
        .acme
        .error(
            "{ accounts(first: 501) { pageInfo { hasNextPage } } }",
            json!({}),
        )
        .await;
    assert_eq!(error["extensions"]["code"], "PAGE_TOO_LARGE");
}

#[tokio::test]
async fn health_metrics_and_the_console_need_no_key_and_name_no_tenant() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let get = |path: &'static str| {
        let client = shop.stranger.clone();
        async move { client.send("GET", path, &[], b"").await }
    };
    assert_eq!(get("/healthz").await.body, "ok\n");
    let metrics = get("/metrics").await.body;
    assert!(
        metrics.contains("indelible_http_requests_total{route=\"/graphql\",status=\"200\"} 5"),
        "{metrics}"
    );
    assert!(metrics.contains("indelible_log_position 5"), "{metrics}");
    assert!(
        !metrics.contains("acme") && !metrics.contains("alice"),
        "{metrics}"
    );
    let console = get("/").await;
    assert_eq!(console.status, 200);
    assert!(
        console
            .header("content-security-policy")
            .is_some_and(|policy| policy.contains("script-src 'self'"))
    );
}

#[tokio::test]
async fn without_keys_only_this_machine_is_served_as_the_default_tenant() {
    let everywhere = "0.0.0.0:0".parse().expect("an address");
    let refused = server::bind(everywhere, &Keys::none()).await;
    assert!(
        matches!(refused, Err(server::StartError::KeysNeeded(_))),
        "{refused:?}"
    );

    let clock = Clock::movable("2026-03-01T08:00:00Z".parse().expect("an instant"));
    let office = Office::in_memory(7, clock).expect("an empty log opens");
    let here = "127.0.0.1:0".parse().expect("an address");
    let listener = server::bind(here, &Keys::none())
        .await
        .expect("a free port");
    let client = Client::new(listener.local_addr().expect("an address"), None);
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(server::serve(
        listener,
        Edge::over(office, Keys::none()),
        stopped,
    ));
    let viewer = client.data("{ viewer { tenant scope } }", json!({})).await;
    assert_eq!(
        viewer["viewer"],
        json!({ "tenant": "default", "scope": "admin" })
    );
    // A foreign name that was made to point at this machine.
    let body = json!({ "query": "{ viewer { tenant } }" }).to_string();
    let answer = client
        .send(
            "POST",
            "/graphql",
            &[JSON, ("Host", "rebound.example.org")],
            body.as_bytes(),
        )
        .await;
    assert_eq!(
        (answer.status, code(&answer.json())),
        (403, "HOST_REFUSED".to_owned())
    );
    // And it stops when it is told to.
    stop.send_replace(true);
    serving
        .await
        .expect("the server does not panic")
        .expect("a clean stop");
}

fn code(answer: &Value) -> String {
    answer["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
