//! Dunning and the reports, after the server's own clock has done its work.

use indelible_api::timers;
use serde_json::{Value, json};

use crate::shop::{self, Shop};

/// Two months billed, nothing paid, and a policy with a reminder, a fee and a suspension.
async fn overdue() -> (Shop, Value) {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop.acme
        .data(
            r#"mutation {
                setDunningPolicy(idempotencyKey: "dp", id: "strict", levels: [
                    { name: "reminder", afterDays: 5, actions: [{ kind: REMIND }] }
                    { name: "fee", afterDays: 10, actions: [{ kind: FEE, fee: "5.00" }] }
                    { name: "stop", afterDays: 15, actions: [{ kind: SUSPEND }] }
                ]) { policy { levels { name afterDays actions { kind fee } } } }
                changeAccount(idempotencyKey: "da", input: { id: "alice", dunningPolicy: "strict" }) { receipt { replayed } }
            }"#,
            json!({}),
        )
        .await;
    shop::bill(&shop.acme, "march").await;
    // Due on 15 March; the 31st is 16 days later.
    shop.move_to("2026-03-31T08:00:00Z");
    timers::tick(&shop.office);
    let position = shop
        .acme
        .data(
            "{ events(first: 100) { edges { node { position } } } }",
            json!({}),
        )
        .await;
    let position = position["events"]["edges"]
        .as_array()
        .and_then(|edges| edges.last())
        .expect("a fact")
        .clone();
    (shop, position["node"]["position"].clone())
}

#[tokio::test]
async fn the_clock_reminds_charges_and_suspends_and_the_board_shows_it() {
    let (shop, position) = overdue().await;
    let board = shop
        .acme
        .data(
            r#"query($p: Position) {
                dunningBoard(first: 5, minPosition: $p) { edges { node { account { key } open level reachedOn overdue fees
                    suspended { key stage } steps(first: 10) { edges { node { kind level on amount } } } } } }
                dunningCounts(minPosition: $p) { kind times }
                subscription(id: "s1") { stage pauses { reason } }
            }"#,
            json!({ "p": position }),
        )
        .await;
    let case = &board["dunningBoard"]["edges"][0]["node"];
    assert_eq!(case["account"]["key"], "alice");
    assert_eq!(
        (&case["level"], &case["reachedOn"]),
        (&json!("stop"), &json!("2026-03-30"))
    );
    assert_eq!(case["overdue"], "36.00 EUR");
    assert_eq!(case["fees"], "5.00 EUR");
    assert_eq!(
        case["suspended"],
        json!([{ "key": "s1", "stage": "PAUSED" }])
    );
    let kinds: Vec<&str> = case["steps"]["edges"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|edge| edge["node"]["kind"].as_str().expect("a kind"))
        .collect();
    assert_eq!(
        kinds,
        [
            "BEGUN",
            "LEVEL_REACHED",
            "REMINDED",
            "LEVEL_REACHED",
            "FEE_CHARGED",
            "LEVEL_REACHED",
            "SUSPENDED"
        ],
        "{board:#}"
    );
    let head = shop.office.store().head();
    timers::tick(&shop.office);
    assert_eq!(
        shop.office.store().head(),
        head,
        "a repeated tick does nothing again"
    );
}

#[tokio::test]
async fn paying_clears_the_case_and_the_subscription_runs_again() {
    let (shop, _) = overdue().await;
    let paid = shop
        .acme
        .data(
            r#"mutation { recordPayment(idempotencyKey: "p", input: { id: "p1", account: "alice", amount: "36.00 EUR" })
                { receipt { position } } }"#,
            json!({}),
        )
        .await;
    let seen = shop
        .acme
        .data(
            r#"query($p: Position) { dunningCase(account: "alice", minPosition: $p) { open clearedOn }
                subscription(id: "s1") { stage } }"#,
            json!({ "p": paid["recordPayment"]["receipt"]["position"] }),
        )
        .await;
    assert_eq!(
        seen["dunningCase"],
        json!({ "open": false, "clearedOn": "2026-03-31" })
    );
    assert_eq!(seen["subscription"]["stage"], "ACTIVE");
}

#[tokio::test]
async fn the_reports_agree_with_each_other_at_a_position() {
    let (shop, position) = overdue().await;
    let reports = shop
        .acme
        .data(
            r#"query($p: Position) {
                balances(first: 5, minPosition: $p) { edges { node { account { key } balance open unapplied } } }
                openItems(first: 5, minPosition: $p) { edges { node { number open due invoice { key } } } }
                aging(day: "2026-03-31", minPosition: $p) {
                    totals { currency notDue days1To30 days31To60 open overdue }
                    accounts(first: 5) { edges { node { account { key } buckets { open } } } } }
                before: aging(day: "2026-03-10", minPosition: $p) { totals { notDue days1To30 } }
                issuedByMonth(minPosition: $p) { month invoices net tax total }
                recurringRevenue(day: "2026-03-15", minPosition: $p) { currency mrr arr }
                totalContractValue(minPosition: $p) { currency contracts recurring oneOff value }
                contractValues(first: 5, minPosition: $p) { edges { node { subscription until value account { key } } } }
                one: contractValues(subscription: "s1", minPosition: $p) { edges { node { value currency } } }
                recurringRevenueByMonth(currency: "EUR", from: "2026-02-01", through: "2026-03-31", minPosition: $p)
                    { from opening new churn contraction closing accountsClosing }
                revenueMovements(currency: "EUR", from: "2026-03-01", until: "2026-04-01", first: 5, minPosition: $p)
                    { edges { node { on kind before after account { key } } } }
                churn(currency: "EUR", from: "2026-03-01", through: "2026-03-31", minPosition: $p) { month accounts logoChurn }
                trialBalance(minPosition: $p) { account debit credit net }
                usageCompleteness(minPosition: $p) { counts { received } reasons { code } }
            }"#,
            json!({ "p": position }),
        )
        .await;
    assert_eq!(
        reports["balances"]["edges"][0]["node"]["balance"],
        "36.00 EUR"
    );
    assert_eq!(
        reports["openItems"]["edges"][0]["node"]["invoice"]["key"],
        "march.alice"
    );
    assert_eq!(
        reports["aging"]["totals"],
        json!([{ "currency": "EUR", "notDue": "0.00 EUR", "days1To30": "36.00 EUR", "days31To60": "0.00 EUR",
                 "open": "36.00 EUR", "overdue": "36.00 EUR" }])
    );
    assert_eq!(
        reports["before"]["totals"],
        json!([{ "notDue": "36.00 EUR", "days1To30": "0.00 EUR" }])
    );
    assert_eq!(
        reports["issuedByMonth"],
        json!([{ "month": "2026-03-01", "invoices": 1, "net": "30.00 EUR", "tax": "6.00 EUR", "total": "36.00 EUR" }])
    );
    assert_eq!(
        reports["recurringRevenue"],
        json!([{ "currency": "EUR", "mrr": "30", "arr": "360" }])
    );
    // Nobody is committed to more than a period, and of that dunning took the last two days of March.
    assert_eq!(
        reports["totalContractValue"],
        json!([{ "currency": "EUR", "contracts": 1, "recurring": "28.064516129032", "oneOff": "0", "value": "28.064516129032" }])
    );
    assert_eq!(
        reports["contractValues"]["edges"][0]["node"],
        json!({ "subscription": "subscription:s1", "until": null, "value": "28.064516129032", "account": { "key": "alice" } })
    );
    assert_eq!(
        reports["one"]["edges"][0]["node"],
        json!({ "value": "28.064516129032", "currency": "EUR" })
    );
    let march = &reports["recurringRevenueByMonth"][1];
    assert_eq!(
        (&march["opening"], &march["new"]),
        (&json!("0"), &json!("30"))
    );
    assert_eq!(
        reports["revenueMovements"]["edges"][0]["node"]["kind"],
        "NEW"
    );
    let trial = reports["trialBalance"].as_array().expect("lines");
    let minor = |line: &Value, side: &str| -> i64 {
        line[side]
            .as_str()
            .and_then(|text| text.strip_suffix(" EUR"))
            .expect("euros")
            .replace('.', "")
            .parse()
            .expect("cents")
    };
    let (debits, credits): (i64, i64) = trial.iter().fold((0, 0), |(d, c), line| {
        (d + minor(line, "debit"), c + minor(line, "credit"))
    });
    assert_eq!((debits, credits), (3600, 3600), "{trial:?}");
    assert_eq!(reports["usageCompleteness"]["counts"]["received"], 0);
}

#[tokio::test]
async fn aging_is_cut_as_asked_and_a_statement_ends_with_the_balance() {
    let (shop, position) = overdue().await;
    let reports = shop
        .acme
        .data(
            r#"query($p: Position) {
                agingBy(input: { day: "2026-03-31", bounds: [7, 21], by: [ENTITY, ACCOUNT] }, minPosition: $p) {
                    edges { node { entity { key } account { key } productLine currency notDue open due overdue
                                   buckets { from until amount } } } }
                daysSalesOutstanding(day: "2026-03-31", minPosition: $p) { entity { key } open invoiced days }
                statement(input: { account: "alice", from: "2026-01-01", until: "2026-04-01" }, minPosition: $p) {
                    opening closing movements { edges { node { what amount balance } } } }
            }"#,
            json!({ "p": position }),
        )
        .await;
    assert_eq!(
        reports["agingBy"]["edges"],
        json!([{ "node": {
            "entity": { "key": "main" }, "account": { "key": "alice" }, "productLine": null, "currency": "EUR",
            "notDue": "0.00 EUR", "open": "36.00 EUR", "due": "36.00 EUR", "overdue": "36.00 EUR",
            "buckets": [
                { "from": 1, "until": 7, "amount": "0.00 EUR" },
                { "from": 8, "until": 21, "amount": "36.00 EUR" },
                { "from": 22, "until": null, "amount": "0.00 EUR" },
            ],
        } }])
    );
    // 36.00 open, 36.00 invoiced in 90 days.
    assert_eq!(
        reports["daysSalesOutstanding"],
        json!([{ "entity": { "key": "main" }, "open": "36.00 EUR", "invoiced": "36.00 EUR", "days": "90" }])
    );
    assert_eq!(
        reports["statement"],
        json!({ "opening": "0.00 EUR", "closing": "36.00 EUR", "movements": { "edges": [
            { "node": { "what": "receivable.item-opened", "amount": "36.00 EUR", "balance": "36.00 EUR" } },
        ] } })
    );
    let refused = shop
        .acme
        .error(
            r#"{ agingBy(input: { day: "2026-03-31", bounds: [30, 10], by: [] }) { edges { node { open } } } }"#,
            json!({}),
        )
        .await;
    assert_eq!(refused["extensions"]["code"], "AGING_SCHEME_INVALID");
}

#[tokio::test]
async fn books_that_are_closed_take_nothing_until_they_are_opened_again() {
    let (shop, _) = overdue().await;
    let close = r#"mutation($key: String!, $from: Date!, $late: LatePostings!) {
        closePeriod(idempotencyKey: $key, input: { entity: "main", openFrom: $from, late: $late }) {
            entity { closedPeriods { openFrom late number } } } }"#;
    let closed = shop
        .acme
        .data(
            close,
            json!({ "key": "close", "from": "2026-04-01", "late": "REFUSE" }),
        )
        .await;
    assert_eq!(
        closed["closePeriod"]["entity"]["closedPeriods"],
        json!({ "openFrom": "2026-04-01", "late": "REFUSE", "number": null })
    );
    let pay = r#"mutation { recordPayment(idempotencyKey: "p", input: { id: "p1", account: "alice", amount: "36.00 EUR" })
        { receipt { position } } }"#;
    let refused = shop.acme.error(pay, json!({})).await;
    assert_eq!(refused["extensions"]["code"], "PERIOD_CLOSED");
    let too_far = json!({ "key": "far", "from": "2026-05-01", "late": "FIRST_DAY" });
    let refused = shop.acme.error(close, too_far).await;
    assert_eq!(refused["extensions"]["code"], "PERIOD_NOT_OVER");
    shop.acme
        .data(
            r#"mutation { reopenPeriod(idempotencyKey: "open", input: { entity: "main", openFrom: "2026-03-01", reason: "a payment is late" })
                { entity { closedPeriods { openFrom } } } }"#,
            json!({}),
        )
        .await;
    shop.acme
        .data(&pay.replace("\"p\"", "\"again\""), json!({}))
        .await;
}

#[tokio::test]
async fn the_reports_of_another_tenant_are_empty() {
    let (shop, _) = overdue().await;
    let query = r#"{
        balances { edges { node { balance } } } openItems { edges { node { number } } }
        aging(day: "2026-03-31") { totals { open } } issuedByMonth { total } recurringRevenue(day: "2026-03-15") { mrr }
        revenueMovements(currency: "EUR", from: "2026-03-01", until: "2026-04-01") { edges { node { kind } } }
        trialBalance { net } dunningBoard(onlyOpen: false) { edges { node { open } } } dunningCounts { times }
        dunningSteps { edges { node { kind } } } usageCompleteness { counts { received } }
    }"#;
    let theirs = shop.rival.data(query, json!({})).await;
    for (field, value) in theirs.as_object().expect("fields") {
        let text = value.to_string();
        assert!(
            !text.contains("EUR") && !text.contains("true") && !text.contains("alice"),
            "{field}: {text}"
        );
    }
    assert_eq!(theirs["dunningBoard"]["edges"], json!([]));
}

#[tokio::test]
async fn a_report_that_would_never_end_is_refused() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let query =
        r#"{ churn(currency: "EUR", from: "1900-01-01", through: "2026-03-31") { month } }"#;
    assert_eq!(
        shop.acme.error(query, json!({})).await["extensions"]["code"],
        "RANGE_TOO_LONG"
    );
    let query =
        r#"{ churn(currency: "EURO", from: "2026-01-01", through: "2026-03-31") { month } }"#;
    assert_eq!(
        shop.acme.error(query, json!({})).await["extensions"]["code"],
        "CURRENCY_UNKNOWN"
    );
}

#[tokio::test]
async fn dunning_messages_and_a_wallet_are_told_as_they_stood_on_a_past_day() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let steps = r#"mutation {
        setDunningPolicy(idempotencyKey: "dp", id: "strict", levels: [
            { name: "reminder", afterDays: 5, actions: [{ kind: REMIND }] }
            { name: "fee", afterDays: 10, actions: [{ kind: FEE, fee: "5.00" }] }
        ]) { policy { levels { name } } }
        changeAccount(idempotencyKey: "da", input: { id: "alice", dunningPolicy: "strict" }) { receipt { replayed } }
        sendMessage(idempotencyKey: "m1", input: { id: "m1", account: "alice", template: "reminder" }) { message { key } } }"#;
    shop.acme.data(steps, json!({})).await;
    shop::bill(&shop.acme, "march").await;
    for day in ["2026-03-21", "2026-03-27"] {
        shop.move_to(&format!("{day}T08:00:00Z"));
        timers::tick(&shop.office);
    }
    let wallet = r#"mutation {
        openWallet(idempotencyKey: "w1", id: "w1", account: "alice") { wallet { key } }
        changeWallet(idempotencyKey: "w2", input: { wallet: "w1", terms: { burn: FINALISING } }) { wallet { key } }
        topUpWallet(idempotencyKey: "w3", input: { wallet: "w1", grant: "t1", amount: "100.00 EUR" }) { wallet { balance expectedBalance } } }"#;
    let topped = shop.acme.data(wallet, json!({})).await;
    // The late fee is due, and nothing of April is yet.
    let expected = topped["topUpWallet"]["wallet"]["expectedBalance"].clone();
    shop.move_to("2026-04-02T08:00:00Z");
    let then = r#"query($on: Date) { account(id: "alice", asOf: { effective: $on }) {
        messages { nodes { key } }
        dunning { open level fees steps { nodes { kind } } next { on } }
        wallets { balance expectedBalance } } }"#;
    let of = |on: &'static str| {
        let client = &shop.acme;
        async move { client.data(then, json!({ "on": on })).await["account"].take() }
    };
    let before = of("2026-03-10").await;
    assert_eq!(before["dunning"], Value::Null);
    assert_eq!(before["messages"]["nodes"], json!([{ "key": "m1" }]));
    assert_eq!(before["wallets"], json!([]));
    let reminded = of("2026-03-22").await;
    assert_eq!(reminded["dunning"]["level"], "reminder");
    assert_eq!(reminded["dunning"]["fees"], Value::Null);
    assert_eq!(reminded["dunning"]["next"], Value::Null);
    let kinds: Vec<_> = reminded["dunning"]["steps"]["nodes"]
        .as_array()
        .expect("steps")
        .iter()
        .filter_map(|s| s["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["BEGUN", "LEVEL_REACHED", "REMINDED"]);
    let charged = of("2026-03-28").await;
    assert_eq!(charged["dunning"]["level"], "fee");
    assert_eq!(charged["dunning"]["fees"], "5.00 EUR");
    assert_eq!(charged["wallets"][0]["expectedBalance"], expected);
    // Today April is due as well.
    let now = shop
        .acme
        .data(
            r#"{ account(id: "alice") { wallets { expectedBalance } } }"#,
            json!({}),
        )
        .await;
    let now = &now["account"]["wallets"][0]["expectedBalance"];
    assert_ne!(*now, expected);
    assert_ne!(now.as_str(), Some("100"));
}
