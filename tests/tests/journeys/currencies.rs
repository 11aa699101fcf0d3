//! What is sold in one currency and owed in another: told rates, converted lines, a missing rate, and the way back. And
//! documents whose lines are put together, and that are split by orders.

use serde_json::{Value, json};

use crate::http::Client;
use crate::shop;

async fn ask(client: &Client, mutation: &str) -> Value {
    client
        .data(&format!("mutation {{ {mutation} }}"), json!({}))
        .await
}

async fn look(client: &Client, query: &str) -> Value {
    client.data(&format!("{{ {query} }}"), json!({})).await
}

#[tokio::test]
async fn euros_are_sold_to_an_account_in_dollars_at_the_rate_that_was_told() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    ask(
        acme,
        r#"openAccount(idempotencyKey: "a2", input: { id: "bob", entity: "main", currency: "USD" }) { account { key } }"#,
    )
    .await;
    let start = |key: &str| {
        format!(
            r#"startSubscription(idempotencyKey: "{key}", input: {{ id: "s2", account: "bob", offer: "basic", from: "2026-03-01" }}) {{ subscription {{ stage }} }}"#
        )
    };
    let refused = acme
        .error(&format!("mutation {{ {} }}", start("s2a")), json!({}))
        .await;
    assert_eq!(refused["extensions"]["code"], "CURRENCY_MISMATCH");
    let set = r#"setExchange(idempotencyKey: "x1", entity: "main", terms: { day: DOCUMENT, maxAgeDays: 3 }) { exchange { day maxAgeDays } }"#;
    assert_eq!(
        ask(acme, set).await["setExchange"]["exchange"],
        json!({ "day": "DOCUMENT", "maxAgeDays": 3 })
    );
    ask(acme, &start("s2b")).await;
    shop::bill(acme, "r1").await;
    let run = look(
        acme,
        r#"billRun(id: "r1") { refused { code account { key } } }"#,
    )
    .await;
    assert_eq!(
        run["billRun"]["refused"],
        json!([{ "code": "RATE_MISSING", "account": { "key": "bob" } }])
    );
    let tell = r#"tellExchangeRates(idempotencyKey: "x2", rates: [
        { from: "EUR", to: "USD", on: "2026-02-27", rate: "1.25", source: "ecb" },
        { from: "EUR", to: "USD", on: "2026-02-28", rate: "1.5", source: "typo" }]) { dryRun }"#;
    ask(acme, tell).await;
    let gone = r#"withdrawExchangeRate(idempotencyKey: "x3", from: "EUR", to: "USD", on: "2026-02-28", reason: "typed wrong") { dryRun }"#;
    ask(acme, gone).await;
    let told = look(
        acme,
        r#"exchangeRates(from: "EUR", to: "USD") { nodes { on rate source } }"#,
    )
    .await;
    assert_eq!(
        told["exchangeRates"]["nodes"],
        json!([{ "on": "2026-02-27", "rate": "1.25", "source": "ecb" }])
    );
    let retry = r#"retryBillRun(idempotencyKey: "t1", id: "r1") { refused { code } invoices { total lines(first: 1) { nodes {
        net exact converted { from rate on source } } } } }"#;
    let retried = ask(acme, retry).await;
    assert_eq!(retried["retryBillRun"]["refused"], json!([]));
    assert_eq!(
        retried["retryBillRun"]["invoices"][1],
        json!({ "total": "45.00 USD", "lines": { "nodes": [{ "net": "37.50 USD", "exact": "37.5",
            "converted": { "from": "30.00 EUR", "rate": "1.25", "on": "2026-02-27", "source": "ecb" } }] } })
    );
    // The seller accounts for tax in euros: 7.50 ÷ 1.25.
    let told = look(
        acme,
        r#"invoice(id: "r1.bob") { tax taxInAccountingCurrency { currency total
            parts { name rate tax amount exchangeRate on source } } explain }"#,
    )
    .await;
    assert_eq!(
        told["invoice"]["taxInAccountingCurrency"],
        json!({ "currency": "EUR", "total": "6.00 EUR", "parts": [{ "name": "VAT", "rate": "0.2", "tax": "7.50 USD",
            "amount": "6.00 EUR", "exchangeRate": "0.8", "on": "2026-02-27", "source": "ecb" }] })
    );
    let words = told["invoice"]["explain"].as_array().expect("sentences");
    assert_eq!(
        words[words.len() - 2..],
        [
            json!(
                "VAT at rate 0.2: 7.50 USD × 0.8 EUR each on 2026-02-27 (ecb), rounded once: 6.00 EUR"
            ),
            json!("tax in the accounting currency: 6.00 EUR")
        ]
    );
    let own = look(
        acme,
        r#"invoice(id: "r1.alice") { tax taxInAccountingCurrency { total } }"#,
    )
    .await;
    assert_eq!(
        own["invoice"],
        json!({ "tax": "6.00 EUR", "taxInAccountingCurrency": null })
    );
    let newer = r#"tellExchangeRates(idempotencyKey: "x5", rates: [
        { from: "EUR", to: "USD", on: "2026-03-01", rate: "2", source: "ecb" }]) { dryRun }"#;
    ask(acme, newer).await;
    let credit = r#"creditInvoice(idempotencyKey: "cn", input: { id: "cn1", invoice: "r1.bob", reason: "outage",
        parts: [{ line: 1, amount: "10.00 USD" }] }) { invoice { total taxInAccountingCurrency { total parts { on } } } }"#;
    assert_eq!(
        ask(acme, credit).await["creditInvoice"]["invoice"],
        json!({ "total": "-12.00 USD", "taxInAccountingCurrency": { "total": "-1.60 EUR", "parts": [{ "on": "2026-02-27" }] } })
    );
    let none = r#"setExchange(idempotencyKey: "x4", entity: "main") { exchange { day } }"#;
    assert_eq!(
        ask(acme, none).await["setExchange"]["exchange"],
        Value::Null
    );
    let said = look(acme, r#"exchange(entity: "main") { day }"#).await;
    assert_eq!(said["exchange"], Value::Null);
}

#[tokio::test]
async fn usage_is_shown_by_the_day_and_orders_have_documents_of_their_own() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let set = r#"setShown(idempotencyKey: "w1", account: "alice", terms: { usageDate: DAY, unitPrice: true }) { shown { usageDate unitPrice service } }"#;
    assert_eq!(
        ask(acme, set).await["setShown"]["shown"],
        json!({ "usageDate": "DAY", "unitPrice": true, "service": false })
    );
    let split = r#"setInvoicing(idempotencyKey: "w2", account: "alice", terms: { split: ORDER }) { terms { split } }"#;
    ask(acme, split).await;
    let more = r#"startSubscription(idempotencyKey: "w3", input: { id: "s2", account: "alice", offer: "basic", from: "2026-03-01" }) { subscription { stage } }"#;
    ask(acme, more).await;
    let order =
        r#"orderSubscription(idempotencyKey: "w4", subscription: "s1", order: "po-7") { dryRun }"#;
    ask(acme, order).await;
    let unknown = r#"mutation { paySubscriptionBy(idempotencyKey: "w5", subscription: "s1", method: "card") { dryRun } }"#;
    assert_eq!(
        acme.error(unknown, json!({})).await["extensions"]["code"],
        "METHOD_UNKNOWN"
    );
    let used = r#"ingestUsage(idempotencyKey: "u", input: { batch: "u", source: "api", records: [
        { key: "k1", metric: "voice", access: "+49 170 1", at: "2026-03-09T10:00:00Z", quantity: "620" },
        { key: "k2", metric: "voice", access: "+49 170 1", at: "2026-03-09T23:30:00Z", quantity: "60" },
        { key: "k3", metric: "voice", access: "+49 170 1", at: "2026-03-12T10:00:00Z", quantity: "1200" }
    ] }) { counts { rated } }"#;
    assert_eq!(ask(acme, used).await["ingestUsage"]["counts"]["rated"], 3);
    shop.move_to("2026-04-01T08:00:00Z");
    let made = shop::bill(acme, "r1").await;
    let first = made["invoices"][0]["key"]
        .as_str()
        .expect("a key")
        .to_owned();
    let of = look(
        acme,
        &format!(
            r#"invoice(id: "{first}") {{ order method net shown {{ usageDate }} shownLines {{ text from quantity unitPrice net parts {{ line net }} }} }}"#
        ),
    )
    .await;
    let of = &of["invoice"];
    assert_eq!(
        (&of["order"], &of["method"]),
        (&json!("po-7"), &Value::Null)
    );
    let shown = of["shownLines"].as_array().expect("lines");
    let voice: Vec<_> = shown
        .iter()
        .filter(|l| l["text"] == "Basic Voice minutes")
        .map(|l| (l["from"].clone(), l["quantity"].clone(), l["net"].clone()))
        .collect();
    // 620 + 60 + 1200 seconds are 31.333 minutes: 1.57; the 10th of March begins at 23:00 UTC.
    assert_eq!(
        voice,
        [
            (json!("2026-03-09"), json!("620"), json!("0.52 EUR")),
            (json!("2026-03-10"), json!("60"), json!("0.05 EUR")),
            (json!("2026-03-12"), json!("1200"), json!("1.00 EUR")),
        ]
    );
    let shop_sum = made["invoices"].as_array().expect("documents").len();
    assert_eq!(shop_sum, 2);
}

#[tokio::test]
async fn a_price_in_parts_is_invoiced_as_its_milestones_are_reached() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    shop::bill(acme, "r0").await;
    let agree = r#"agreeMilestones(idempotencyKey: "m1", input: { id: "p1", account: "alice", text: "Machine", total: "1000.00 EUR",
        milestones: [{ code: "signed", text: "at signing", share: "30", on: "2026-03-01" }, { code: "delivered", text: "at delivery", share: "70" }] })
        { plan { total milestones { code amount due charge } } }"#;
    assert_eq!(
        ask(acme, agree).await["agreeMilestones"]["plan"],
        json!({ "total": "1000.00 EUR", "milestones": [
            { "code": "signed", "amount": "300.00 EUR", "due": "2026-03-01", "charge": "p1.signed" },
            { "code": "delivered", "amount": "700.00 EUR", "due": null, "charge": "p1.delivered" }] })
    );
    let made = shop::bill(acme, "r1").await;
    assert_eq!(made["invoices"][0]["total"], "360.00 EUR");
    let reach = r#"reachMilestone(idempotencyKey: "m2", id: "p1", milestone: "delivered") { plan { milestones { due } } }"#;
    ask(acme, reach).await;
    let cancel = r#"cancelMilestones(idempotencyKey: "m3", id: "p1", reason: "called off") { plan { cancelled } }"#;
    ask(acme, cancel).await;
    let plan = look(
        acme,
        r#"milestonePlan(id: "p1") { account cancelled milestones { due } }"#,
    )
    .await;
    assert_eq!(
        plan["milestonePlan"],
        json!({ "account": "alice", "cancelled": "called off",
            "milestones": [{ "due": "2026-03-01" }, { "due": "2026-03-01" }] })
    );
    let made = shop::bill(acme, "r2").await;
    assert_eq!(made["invoices"], json!([]));
}

#[tokio::test]
async fn an_account_is_billed_and_pays_in_the_currency_of_each_sale_and_to_each_seller() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    ask(
        acme,
        r#"openAccount(idempotencyKey: "a2", input: { id: "bob", entity: "main", currency: "USD" }) { account { key } }"#,
    )
    .await;
    ask(
        acme,
        r#"setLegalEntity(idempotencyKey: "e2", input: { id: "other", name: "Other", country: "FR", currency: "EUR", numberPrefix: "O-" }) { entity { key } }"#,
    )
    .await;
    let set = r#"setDocumentCurrencies(idempotencyKey: "c1", account: "bob", currencies: SALE) { currencies }"#;
    assert_eq!(
        ask(acme, set).await["setDocumentCurrencies"]["currencies"],
        "SALE"
    );
    for id in ["s2", "s3"] {
        let start = format!(
            r#"startSubscription(idempotencyKey: "{id}", input: {{ id: "{id}", account: "bob", offer: "basic", from: "2026-03-01" }}) {{ subscription {{ stage }} }}"#
        );
        ask(acme, &start).await;
    }
    let seller = r#"setSubscriptionFolio(idempotencyKey: "c2", subscription: "s3", seller: "other") { dryRun }"#;
    ask(acme, seller).await;
    ask(
        acme,
        r#"addCharge(idempotencyKey: "c3", input: { account: "bob", id: "x", text: "Visit", amount: "10.00 USD" }) { pending { amount } }"#,
    )
    .await;
    // Both sellers account for tax in euros.
    let tell = r#"tellExchangeRates(idempotencyKey: "x1", rates: [
        { from: "EUR", to: "USD", on: "2026-03-01", rate: "1.25", source: "ecb" }]) { dryRun }"#;
    ask(acme, tell).await;
    shop::bill(acme, "r1").await;
    let of = look(
        acme,
        r#"account(id: "bob") {
            invoices { nodes { number total open folio entity { key } account { key } } }
            folios { key currency entity { key } balance { balance } }
        }"#,
    )
    .await;
    let of = &of["account"];
    let folios: Vec<_> = of["folios"]
        .as_array()
        .expect("folios")
        .iter()
        .map(|f| {
            (
                f["key"].as_str().unwrap_or_default(),
                f["currency"].as_str().unwrap_or_default(),
                f["entity"]["key"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        folios,
        [
            ("bob", "USD", "main"),
            ("bob~EUR", "EUR", "main"),
            ("bob~EUR~other", "EUR", "other")
        ]
    );
    let documents = of["invoices"]["nodes"].as_array().expect("documents");
    assert_eq!(documents.len(), 3);
    for (document, folio) in documents
        .iter()
        .zip(of["folios"].as_array().expect("folios"))
    {
        assert_eq!(document["folio"], folio["key"]);
        assert_eq!(document["entity"]["key"], folio["entity"]["key"]);
        assert_eq!(document["account"]["key"], "bob");
        assert_eq!(document["open"], document["total"]);
        assert_eq!(folio["balance"]["balance"], document["total"]);
    }
    assert_eq!(documents[2]["number"], "O-2026-000001");
    let owed = documents[1]["total"].as_str().expect("an amount");
    let pay = format!(
        r#"recordPayment(idempotencyKey: "p1", input: {{ id: "p1", account: "bob", amount: "{owed}", method: "transfer" }}) {{ payment {{ unapplied folio account {{ key }} applied {{ amount }} }} receipt {{ position }} }}"#
    );
    let paid = ask(acme, &pay).await["recordPayment"].take();
    assert_eq!(
        paid["payment"],
        json!({ "unapplied": "0.00 EUR", "folio": "bob~EUR", "account": { "key": "bob" }, "applied": [{ "amount": owed }] })
    );
    let after = acme
        .data(
            r#"query($p: Position) {
            balance(account: "bob~EUR") { balance }
            other: balance(account: "bob~EUR~other") { balance }
            own: balance(account: "bob") { balance }
            openItems(account: "bob~EUR~other", minPosition: $p) { nodes { number account { key } } }
            aging(day: "2026-03-01", account: "bob~EUR~other", minPosition: $p) { totals { currency open } } }"#,
            json!({ "p": paid["receipt"]["position"] }),
        )
        .await;
    assert_eq!(after["balance"]["balance"], "0.00 EUR");
    assert_eq!(after["other"]["balance"], documents[2]["total"]);
    assert_eq!(after["own"]["balance"], documents[0]["total"]);
    assert_eq!(
        after["openItems"]["nodes"],
        json!([{ "number": "O-2026-000001", "account": { "key": "bob" } }])
    );
    assert_eq!(
        after["aging"]["totals"],
        json!([{ "currency": "EUR", "open": documents[2]["total"] }])
    );
    let fixed =
        r#"mutation { setSubscriptionFolio(idempotencyKey: "c4", subscription: "s3") { dryRun } }"#;
    assert_eq!(
        acme.error(fixed, json!({})).await["extensions"]["code"],
        "FOLIO_FIXED"
    );
    // What holds for one folio: a minimum of its currency, a commitment of its own.
    let least = r#"setInvoiceMinimum(idempotencyKey: "c6", account: "bob", input: { currency: "EUR", minimum: "5.00" }) { dryRun }
        agreeCommitment(idempotencyKey: "c7", input: { id: "least", account: "bob~EUR", name: "At least", min: "100.00", every: "1 month", from: "2026-03-01" }) { account { key commitments { key } } }"#;
    let agreed = ask(acme, least).await;
    assert_eq!(
        agreed["agreeCommitment"]["account"],
        json!({ "key": "bob", "commitments": [] })
    );
    let said = look(
        acme,
        r#"invoiceMinimums(account: "bob") { currency minimum } account(id: "bob") { folios { key commitments { key min } } }"#,
    )
    .await;
    assert_eq!(
        said["invoiceMinimums"],
        json!([{ "currency": "EUR", "minimum": "5" }])
    );
    let folios = said["account"]["folios"].as_array().expect("folios");
    let of = |key: &str| folios.iter().find(|folio| folio["key"] == key);
    assert_eq!(
        of("bob~EUR").expect("a folio")["commitments"],
        json!([{ "key": "least", "min": "100" }])
    );
    let offer =
        r#"setOfferSeller(idempotencyKey: "c5", offer: "basic", seller: "other") { dryRun }"#;
    ask(acme, offer).await;
    let said = look(
        acme,
        r#"offerSeller(offer: "basic") { key } documentCurrencies(account: "bob")"#,
    )
    .await;
    assert_eq!(
        said,
        json!({ "offerSeller": { "key": "other" }, "documentCurrencies": "SALE" })
    );
}

#[tokio::test]
async fn a_charge_that_counts_by_groups_is_shown_and_explained_by_them() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let catalog = r#"
[[offer]]
code = "cloud"
name = "Cloud"
currency = "EUR"
[[offer.usage]]
code = "traffic"
name = "Traffic"
metric = "traffic"
unit = "GB"
every = "1 month"
group_by = ["region"]
maximum = "20"
price = { graduated = [ { up_to = "10", unit = "1" }, { unit = "0.5" } ] }
"#;
    let apply = r#"mutation($toml: String!) { applyCatalog(idempotencyKey: "g0", toml: $toml) { offers { code } } }"#;
    acme.data(apply, json!({ "toml": catalog })).await;
    let start = r#"startSubscription(idempotencyKey: "g1", input: { id: "c1", account: "alice", offer: "cloud", from: "2026-03-01", access: ["vm-1"] }) { subscription { stage } }"#;
    ask(acme, start).await;
    let set = r#"setShown(idempotencyKey: "g2", account: "alice", terms: { group: true }) { shown { group usageDate } }"#;
    assert_eq!(
        ask(acme, set).await["setShown"]["shown"],
        json!({ "group": true, "usageDate": "WHOLE" })
    );
    let used = r#"ingestUsage(idempotencyKey: "g3", input: { batch: "g", source: "api", records: [
        { key: "k1", metric: "traffic", access: "vm-1", at: "2026-03-09T10:00:00Z", quantity: "14", attributes: [{ name: "region", value: "eu" }] },
        { key: "k2", metric: "traffic", access: "vm-1", at: "2026-03-10T10:00:00Z", quantity: "8", attributes: [{ name: "region", value: "us" }] },
        { key: "k3", metric: "traffic", access: "vm-1", at: "2026-03-11T10:00:00Z", quantity: "4" }
    ] }) { counts { rated } }"#;
    assert_eq!(ask(acme, used).await["ingestUsage"]["counts"]["rated"], 3);
    shop.move_to("2026-04-01T08:00:00Z");
    let made = shop::bill(acme, "r1").await;
    let invoice = made["invoices"][0]["key"].as_str().expect("a key");
    let of = look(
        acme,
        &format!(
            r#"invoice(id: "{invoice}") {{ shownLines {{ text quantity net group {{ name value }} figures {{ words amount {{ decimal }} }} }} }}"#
        ),
    )
    .await;
    let shown = of["invoice"]["shownLines"].as_array().expect("lines");
    let traffic: Vec<_> = shown
        .iter()
        .filter(|l| l["text"].as_str().is_some_and(|t| t.starts_with("Cloud")))
        .map(|l| (l["text"].clone(), l["quantity"].clone(), l["net"].clone()))
        .collect();
    // 12, 8 and 4 of 24: the 20 that it costs at most are shared by them.
    assert_eq!(
        traffic,
        [
            (
                json!("Cloud Traffic, without region"),
                json!("4"),
                json!("3.33 EUR")
            ),
            (
                json!("Cloud Traffic, region eu"),
                json!("14"),
                json!("10.00 EUR")
            ),
            (
                json!("Cloud Traffic, region us"),
                json!("8"),
                json!("6.67 EUR")
            ),
        ]
    );
    let eu = shown
        .iter()
        .find(|l| l["group"] == json!([{ "name": "region", "value": "eu" }]))
        .expect("the group of eu");
    let figures = eu["figures"].as_array().expect("figures");
    let amounts: Vec<_> = figures
        .iter()
        .map(|f| f["amount"]["decimal"].clone())
        .collect();
    assert_eq!(amounts, [json!("10"), json!("2")], "{figures:?}");
}
