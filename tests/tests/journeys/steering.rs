//! Dunning that acts, and the hands on it: chosen services stop and come back, invoices are kept out, policies are
//! chosen by rules, switched and stopped, cases are taken back from an agency.

use serde_json::{Value, json};

use crate::shop::{self, Shop};

/// Two services that are used, beside what every shop sells.
const TRAVEL: &str = r#"
[[offer]]
code = "travel"
name = "Travel"
currency = "EUR"

[[offer.usage]]
code = "roaming"
name = "Roaming"
metric = "roaming"
unit = "minute"
per = "60"
every = "1 month"
price = { per_unit = "0.50" }

[[offer.usage]]
code = "text"
name = "Text messages"
metric = "text"
unit = "message"
every = "1 month"
price = { per_unit = "0.10" }
"#;

/// Alice owes 36.00 EUR since 15 March.
async fn owing() -> Shop {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop::bill(&shop.acme, "march").await;
    shop
}

async fn ask(shop: &Shop, query: &str) -> Value {
    shop.acme.data(query, json!({})).await
}

/// It is the morning of a day, and the server's clock did its work.
fn dawn(shop: &Shop, day: &str) {
    shop.move_to(&format!("{day}T08:00:00Z"));
    indelible_api::timers::tick(&shop.office);
}

async fn policy(shop: &Shop, id: &str, levels: &str) {
    let set = format!(
        r#"mutation {{ setDunningPolicy(idempotencyKey: "policy-{id}", id: "{id}", levels: [{levels}])
            {{ policy {{ key }} }} }}"#
    );
    ask(shop, &set).await;
}

async fn dunned_by(shop: &Shop, id: &str) {
    let change = format!(
        r#"mutation {{ changeAccount(idempotencyKey: "by-{id}", input: {{ id: "alice", dunningPolicy: "{id}" }})
            {{ account {{ key }} }} }}"#
    );
    ask(shop, &change).await;
}

/// Asks what needs to have seen everything that was written.
async fn up_to_date(shop: &Shop, query: &str) -> Value {
    shop.follows();
    ask(shop, query).await
}

async fn case(shop: &Shop) -> Value {
    let query = r#"{ dunningCase(account: "alice") {
        open stage level fees agency chosenBy policy { key } suspended { key } excluded { key }
        next { on level policy } } }"#;
    up_to_date(shop, query).await["dunningCase"].take()
}

/// What was done so far, in order.
async fn steps(shop: &Shop) -> Vec<String> {
    let query = r#"{ dunningSteps(account: "alice", first: 100) {
        nodes { on kind level } } }"#;
    let data = up_to_date(shop, query).await;
    let nodes = data["dunningSteps"]["nodes"].as_array().expect("steps");
    let said = nodes.iter().map(|step| {
        let word = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
        let all = [word("on"), word("kind"), word("level")].join(" ");
        all.trim_end().to_owned()
    });
    said.collect()
}

async fn stage(shop: &Shop, subscription: &str) -> Value {
    let query = format!(r#"{{ subscription(id: "{subscription}") {{ stage }} }}"#);
    ask(shop, &query).await["subscription"]["stage"].take()
}

async fn pay(shop: &Shop, id: &str, amount: &str) {
    let pay = format!(
        r#"mutation {{ recordPayment(idempotencyKey: "{id}", input: {{ id: "{id}", account: "alice",
            amount: "{amount} EUR" }}) {{ payment {{ stage }} }} }}"#
    );
    ask(shop, &pay).await;
}

/// Ingests a minute, or sixty messages, of each; answers with how many were rated, and what was not.
async fn consume(shop: &Shop, batch: &str, records: &[(&str, &str, &str)]) -> (Value, Value) {
    let query = r#"mutation($batch: ID!, $key: String!, $records: [UsageRecordInput!]!) {
        ingestUsage(idempotencyKey: $key, input: { batch: $batch, source: "switch", records: $records }) {
            counts { rated } batches { problems { nodes { line outcome code reason } } } } }"#;
    let row = |(n, (metric, subscription, day)): (usize, &(&str, &str, &str))| {
        json!({ "key": format!("{batch}-{n}"), "metric": metric, "access": format!("subscription:{subscription}"),
            "at": format!("{day}T10:00:00Z"), "quantity": "60" })
    };
    let records: Vec<Value> = records.iter().enumerate().map(row).collect();
    let sent = json!({ "batch": batch, "key": batch, "records": records });
    let mut done = shop.acme.data(query, sent).await["ingestUsage"].take();
    (
        done["counts"]["rated"].take(),
        done["batches"][0]["problems"]["nodes"].take(),
    )
}

#[tokio::test]
async fn usage_of_the_services_that_dunning_restricts_is_refused_until_the_debt_is_paid() {
    let shop = owing().await;
    let sell = r#"mutation($toml: String!) {
        applyCatalog(idempotencyKey: "travel", toml: $toml) { offers { code } }
        classifyOffer(idempotencyKey: "line", offer: "travel", productLine: "abroad") { offers { code } }
        startSubscription(idempotencyKey: "s2", input: { id: "s2", account: "alice", offer: "travel" }) {
            subscription { stage } } }"#;
    shop.acme.data(sell, json!({ "toml": TRAVEL })).await;
    let levels = r#"{ name: "stay", afterDays: 5, actions: [{ kind: RESTRICT, restriction: {
        productLines: ["abroad"], usage: REFUSED_FOR, charges: ["roaming"] } }] }"#;
    policy(&shop, "strict", levels).await;
    dunned_by(&shop, "strict").await;

    dawn(&shop, "2026-03-20");
    assert_eq!(case(&shop).await["suspended"], json!([{ "key": "s2" }]));
    assert_eq!(stage(&shop, "s2").await, "ACTIVE", "what it costs goes on");
    shop.move_to("2026-03-20T20:00:00Z");
    let used = [
        // Used before it was restricted, however late it is told.
        ("roaming", "s2", "2026-03-19"),
        ("roaming", "s2", "2026-03-20"),
        ("text", "s2", "2026-03-20"),
        ("voice", "s1", "2026-03-20"),
    ];
    let (rated, problems) = consume(&shop, "b1", &used).await;
    assert_eq!(rated, 3);
    let refused = problems.as_array().expect("problems");
    assert_eq!(refused.len(), 1, "{problems}");
    assert_eq!(
        (&refused[0]["outcome"], &refused[0]["code"]),
        (&json!("REJECTED"), &json!("USAGE_RESTRICTED"))
    );
    let reason = refused[0]["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("usage of roaming is refused") && reason.contains("2026-03-20"),
        "{reason}"
    );

    shop.move_to("2026-03-21T08:00:00Z");
    pay(&shop, "p1", "36.00").await;
    let after = case(&shop).await;
    assert_eq!(
        (&after["stage"], &after["suspended"]),
        (&json!("CLEAR"), &json!([]))
    );
    shop.move_to("2026-03-21T20:00:00Z");
    let used = [
        ("roaming", "s2", "2026-03-21"),
        ("roaming", "s2", "2026-03-20"),
    ];
    let (rated, problems) = consume(&shop, "b2", &used).await;
    assert_eq!(rated, 1);
    assert_eq!(
        problems[0]["code"], "USAGE_RESTRICTED",
        "that day it was refused"
    );

    // Two minutes abroad at 0.50, sixty messages at 0.10, a minute at home at 0.05, and nothing else that was used.
    shop.move_to("2026-04-02T08:00:00Z");
    shop::bill(&shop.acme, "april").await;
    let lines = r#"{ invoice(id: "april.alice") { lines(first: 10) { nodes { kind net } } } }"#;
    let lines = ask(&shop, lines).await["invoice"]["lines"]["nodes"].take();
    let mut used: Vec<&str> = lines
        .as_array()
        .expect("lines")
        .iter()
        .filter(|line| line["kind"] == "USAGE")
        .filter_map(|line| line["net"].as_str())
        .collect();
    used.sort_unstable();
    assert_eq!(used, ["0.05 EUR", "1.00 EUR", "6.00 EUR"]);
}

#[tokio::test]
async fn rules_choose_a_policy_by_how_it_is_paid_and_by_what_was_sold() {
    let shop = owing().await;
    for id in ["cables", "cards"] {
        policy(
            &shop,
            id,
            r#"{ name: "one", afterDays: 5, actions: [{ kind: REMIND }] }"#,
        )
        .await;
    }
    let setting = r#"mutation {
        setDunningRules(idempotencyKey: "r", rules: [
            { name: "cable", policy: "cables", productLines: ["cable"] },
            { name: "carded", policy: "cards", methods: [CARD] }]) { receipt { replayed } } }"#;
    ask(&shop, setting).await;
    // What is overdue is of no product line, and nobody has a card.
    dawn(&shop, "2026-03-20");
    assert_eq!(case(&shop).await, Value::Null);
    let card = r#"mutation { addPaymentMethod(idempotencyKey: "m", input: { account: "alice", id: "card", means: { card: {
        gateway: "test", token: "t", last4: "4242", expiryYear: 2030, expiryMonth: 12 } } }) { methods { preferred { kind } } } }"#;
    ask(&shop, card).await;
    dawn(&shop, "2026-03-21");
    let begun = case(&shop).await;
    assert_eq!(
        (&begun["chosenBy"], &begun["policy"]["key"]),
        (&json!("rule carded"), &json!("cards"))
    );
    pay(&shop, "p1", "36.00").await;
    let classify = r#"mutation { classifyOffer(idempotencyKey: "line", offer: "basic", productLine: "cable") { offers { code } } }"#;
    ask(&shop, classify).await;
    shop.move_to("2026-04-01T08:00:00Z");
    shop::bill(&shop.acme, "april").await;
    dawn(&shop, "2026-04-20");
    let begun = case(&shop).await;
    assert_eq!(
        (&begun["chosenBy"], &begun["policy"]["key"]),
        (&json!("rule cable"), &json!("cables")),
        "both fit: the first one counts"
    );
    let aging = r#"{ agingBy(input: { day: "2026-04-20", by: [PRODUCT_LINE] }) {
        nodes { productLine open } } }"#;
    assert_eq!(
        up_to_date(&shop, aging).await["agingBy"]["nodes"],
        json!([{ "productLine": "cable", "open": "36.00 EUR" }])
    );
}

#[tokio::test]
async fn an_invoice_that_is_kept_out_of_dunning_costs_nothing_until_it_is_taken_back_in() {
    let shop = owing().await;
    let levels = r#"{ name: "fee", afterDays: 5, actions: [{ kind: LATE_FEE, lateFee: { flat: "5.00" } }] }"#;
    policy(&shop, "fees", levels).await;
    dunned_by(&shop, "fees").await;
    shop.move_to("2026-03-18T08:00:00Z");
    let exclude = r#"mutation { excludeFromDunning(idempotencyKey: "out", account: "alice", invoice: "march.alice",
        reason: "lost in the post") { case { open excluded { key } next { on } } } }"#;
    assert_eq!(
        ask(&shop, exclude).await["excludeFromDunning"]["case"],
        json!({ "open": false, "excluded": [{ "key": "march.alice" }], "next": null })
    );
    dawn(&shop, "2026-03-25");
    assert_eq!(steps(&shop).await, ["2026-03-18 EXCLUDED"]);
    let include = r#"mutation { includeInDunning(idempotencyKey: "in", account: "alice", invoice: "march.alice") {
        case { excluded { key } next { on level } } } }"#;
    assert_eq!(
        ask(&shop, include).await["includeInDunning"]["case"],
        json!({ "excluded": [], "next": { "on": "2026-03-25", "level": "fee" } }),
        "from today, not from the day it would have been"
    );
    dawn(&shop, "2026-03-26");
    assert_eq!(case(&shop).await["fees"], "5.00 EUR");
    assert_eq!(
        steps(&shop).await[2..],
        [
            "2026-03-25 BEGUN",
            "2026-03-25 LEVEL_REACHED fee",
            "2026-03-25 FEE_CHARGED fee"
        ]
    );
    shop.move_to("2026-04-01T08:00:00Z");
    let billed = shop::bill(&shop.acme, "april").await;
    // 30.00 a month and the fee of 5.00, with 20 % tax.
    assert_eq!(billed["invoices"][0]["total"], "42.00 EUR");
}

#[tokio::test]
async fn a_case_goes_on_by_another_policy_and_is_over_when_somebody_stops_it() {
    let shop = owing().await;
    let hard = r#"{ name: "off", afterDays: 5, actions: [{ kind: SUSPEND }] },
        { name: "end", afterDays: 30, actions: [{ kind: TERMINATE }] }"#;
    policy(&shop, "hard", hard).await;
    let mild = r#"{ name: "word", afterDays: 3, actions: [{ kind: REMIND }] },
        { name: "off again", afterDays: 12, actions: [{ kind: SUSPEND }] }"#;
    policy(&shop, "mild", mild).await;
    dunned_by(&shop, "hard").await;
    dawn(&shop, "2026-03-20");
    assert_eq!(stage(&shop, "s1").await, "PAUSED");
    let switch = r#"mutation { switchDunningPolicy(idempotencyKey: "sw", account: "alice", policy: "mild", reason: "regret") {
        case { next { on level policy } } } }"#;
    assert_eq!(
        ask(&shop, switch).await["switchDunningPolicy"]["case"]["next"],
        json!({ "on": "2026-03-27", "level": "off again", "policy": "mild" }),
        "what comes by day 5 counts as done"
    );
    let restore = r#"mutation($key: String!) { restoreServices(idempotencyKey: $key, account: "alice", reason: "regret") {
        case { open suspended { key } } } }"#;
    let restored = shop.acme.data(restore, json!({ "key": "re" })).await;
    assert_eq!(
        restored["restoreServices"]["case"],
        json!({ "open": true, "suspended": [] })
    );
    assert_eq!(stage(&shop, "s1").await, "ACTIVE");
    let refused = shop.acme.error(restore, json!({ "key": "re2" })).await;
    assert_eq!(refused["extensions"]["code"], "DUNNING_NOT_RESTRICTED");
    dawn(&shop, "2026-03-28");
    assert_eq!(stage(&shop, "s1").await, "PAUSED");
    let stop = r#"mutation { stopDunning(idempotencyKey: "stop", account: "alice", reason: "settled in court", restore: true) {
        case { open stage suspended { key } excluded { key } next { on } } } }"#;
    assert_eq!(
        ask(&shop, stop).await["stopDunning"]["case"],
        json!({ "open": false, "stage": "STOPPED", "suspended": [], "excluded": [{ "key": "march.alice" }], "next": null })
    );
    assert_eq!(stage(&shop, "s1").await, "ACTIVE");
    let so_far = steps(&shop).await;
    dawn(&shop, "2026-05-30");
    assert_eq!(steps(&shop).await, so_far, "nothing is dunned any more");
    let owed = r#"{ balance(account: "alice") { open } }"#;
    assert_eq!(
        ask(&shop, owed).await["balance"]["open"],
        "36.00 EUR",
        "it is owed all the same"
    );
}

#[tokio::test]
async fn a_part_payment_buys_time_by_the_terms_and_a_case_comes_back_from_the_agency() {
    let shop = owing().await;
    let levels = r#"{ name: "agency", afterDays: 5, actions: [{ kind: HAND_OVER, agency: "Grab & Co" }] },
        { name: "late", afterDays: 8, actions: [{ kind: HOLD }] }"#;
    policy(&shop, "strict", levels).await;
    dunned_by(&shop, "strict").await;
    let terms = r#"mutation { setDunningTerms(idempotencyKey: "terms", policy: "strict", partPayment: KEEP,
        grace: { percent: "50", days: 10 }) { policy { partPayment grace { percent days } } } }"#;
    assert_eq!(
        ask(&shop, terms).await["setDunningTerms"]["policy"],
        json!({ "partPayment": "KEEP", "grace": { "percent": "50", "days": 10 } })
    );
    dawn(&shop, "2026-03-20");
    let handed = case(&shop).await;
    assert_eq!(
        (&handed["agency"], &handed["next"]["on"]),
        (&json!("Grab & Co"), &json!("2026-03-23"))
    );
    shop.move_to("2026-03-21T08:00:00Z");
    pay(&shop, "p1", "17.99").await;
    assert_eq!(
        case(&shop).await["next"]["on"],
        "2026-03-23",
        "a cent less than half buys no time"
    );
    pay(&shop, "p2", "10.00").await;
    let later = case(&shop).await;
    assert_eq!(
        (&later["level"], &later["next"]["on"]),
        (&json!("agency"), &json!("2026-03-31"))
    );
    let recall = r#"mutation { recallHandOver(idempotencyKey: "back", account: "alice", reason: "pays by herself") {
        case { agency open } } }"#;
    assert_eq!(
        ask(&shop, recall).await["recallHandOver"]["case"],
        json!({ "agency": null, "open": true })
    );
    assert_eq!(
        steps(&shop).await.last().map(String::as_str),
        Some("2026-03-21 RECALLED")
    );
}
