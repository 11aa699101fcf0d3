//! From a catalog to an invoice, through the front door.

use serde_json::json;

use crate::shop;

#[tokio::test]
async fn a_month_in_advance_is_billed_once_and_explained() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let billed = shop::bill(&shop.acme, "march").await;
    assert_eq!(billed["invoices"][0]["total"], "36.00 EUR", "{billed:#}");
    assert_eq!(billed["invoices"][0]["issued"], "2026-03-01");
    assert_eq!(billed["invoices"][0]["due"], "2026-03-15");

    let again = shop::bill(&shop.acme, "march-again").await;
    assert_eq!(
        again["invoices"],
        json!([]),
        "a day that is billed is not billed again"
    );

    let invoice = shop
        .acme
        .data(
            r#"{ invoice(id: "march.alice") {
                id number stage net tax total taxes { name rate net amount } explain
                account { key contact { name } }
                lines(first: 10) { edges { node { no kind charge from until net exact taxRate explain
                    subscription { key } } } }
            } }"#,
            json!({}),
        )
        .await["invoice"]
        .take();
    assert_eq!(invoice["id"], "invoice:march.alice");
    assert_eq!(invoice["stage"], "FINALISED");
    assert_eq!(
        invoice["taxes"],
        json!([{ "name": "VAT", "rate": "0.2", "net": "30.00 EUR", "amount": "6.00 EUR" }])
    );
    assert_eq!(invoice["account"]["contact"]["name"], "Alice Example");
    let line = &invoice["lines"]["edges"][0]["node"];
    assert_eq!(line["kind"], "RECURRING");
    assert_eq!(
        (&line["from"], &line["until"]),
        (&json!("2026-03-01"), &json!("2026-04-01"))
    );
    assert_eq!(line["exact"], "30");
    assert_eq!(line["subscription"]["key"], "s1");
    let last = invoice["explain"]
        .as_array()
        .and_then(|list| list.last())
        .expect("a sentence");
    assert_eq!(last, "30.00 EUR net + 6.00 EUR tax = 36.00 EUR");
}

#[tokio::test]
async fn a_dry_run_shows_the_invoices_and_writes_nothing() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let head = shop.office.store().head();
    let query = r#"mutation { runBill(idempotencyKey: "k", dryRun: true, input: { id: "march" }) {
        run { key } invoices { key total } receipt { position dryRun touched events { type position } } } }"#;
    let tried = shop.acme.data(query, json!({})).await["runBill"].take();
    assert_eq!(
        tried["invoices"],
        json!([{ "key": "march.alice", "total": "36.00 EUR" }])
    );
    assert_eq!(tried["run"], json!(null));
    assert_eq!(tried["receipt"]["dryRun"], true);
    assert_eq!(tried["receipt"]["position"], json!(null));
    let events = tried["receipt"]["events"].as_array().expect("events");
    assert!(
        events
            .iter()
            .any(|event| event["type"] == "invoice.finalised" && event["position"].is_null())
    );
    assert_eq!(shop.office.store().head(), head, "nothing was written");
    // The key was not used up, and the invoice gets the first number.
    let billed = shop
        .acme
        .data(
            r#"mutation { runBill(idempotencyKey: "k", input: { id: "march" }) { invoices { number } } }"#,
            json!({}),
        )
        .await;
    let number = billed["runBill"]["invoices"][0]["number"]
        .as_str()
        .expect("a number")
        .to_owned();
    assert!(number.ends_with('1'), "{number}");
}

#[tokio::test]
async fn the_same_key_with_the_same_input_gets_the_first_receipt_and_with_another_is_refused() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let query = r#"mutation($amount: Money!) { addCharge(idempotencyKey: "c-1", input: {
        id: "setup", account: "alice", text: "Setup", amount: $amount
    }) { receipt { position replayed touched } pending { amount } } }"#;
    let first = shop
        .acme
        .data(query, json!({ "amount": "10.00 EUR" }))
        .await["addCharge"]
        .take();
    assert_eq!(first["receipt"]["replayed"], false);
    let again = shop
        .acme
        .data(query, json!({ "amount": "10.00 EUR" }))
        .await["addCharge"]
        .take();
    assert_eq!(again["receipt"]["replayed"], true);
    assert_eq!(again["receipt"]["position"], first["receipt"]["position"]);
    assert_eq!(again["pending"].as_array().map(Vec::len), Some(1));
    let other = shop
        .acme
        .error(query, json!({ "amount": "11.00 EUR" }))
        .await;
    assert_eq!(other["extensions"]["code"], "COMMAND_ID_REUSED", "{other}");
}

#[tokio::test]
async fn the_same_account_can_be_opened_again_with_its_personal_data_under_the_same_key() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let head = shop.office.store().head();
    shop::furnish(&shop.acme).await;
    assert_eq!(
        shop.office.store().head(),
        head,
        "sealing again must not look like other input"
    );
}

#[tokio::test]
async fn a_refusal_has_a_code_a_sentence_and_a_path() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let query = r#"mutation { startSubscription(idempotencyKey: "k", input: {
        id: "s2", account: "alice", offer: "gold" }) { receipt { position } } }"#;
    let error = shop.acme.error(query, json!({})).await;
    assert_eq!(error["extensions"]["code"], "OFFER_UNKNOWN");
    assert_eq!(error["path"], json!(["startSubscription"]));
    assert_eq!(error["message"], r#"there is no published offer "gold""#);
    // A refusal stores nothing: the same key is free for a request that works.
    let fixed = query.replace("gold", "basic");
    shop.acme.data(&fixed, json!({})).await;
}

#[tokio::test]
async fn numbers_are_refused_where_text_is_needed() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let with = |quantity: &str| {
        format!(
            r#"mutation {{ changeSubscription(idempotencyKey: "q", input: {{ id: "s1", quantity: {quantity} }})
                {{ subscription {{ current {{ quantity }} }} }} }}"#
        )
    };
    let error = shop.acme.error(&with("2"), json!({})).await;
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("must be written as a string")),
        "{error}"
    );
    let data = shop.acme.data(&with("\"2.50\""), json!({})).await;
    assert_eq!(
        data["changeSubscription"]["subscription"]["current"]["quantity"],
        "2.5"
    );
}

#[tokio::test]
async fn a_thing_can_be_seen_as_it_was_known_then() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop.move_to("2026-03-10T08:00:00Z");
    let change = r#"mutation { changeAccount(idempotencyKey: "m", input: { id: "alice", paymentDays: 30 })
        { account { paymentDays } } }"#;
    assert_eq!(
        shop.acme.data(change, json!({})).await["changeAccount"]["account"]["paymentDays"],
        30
    );
    let query = r#"query($known: Instant, $effective: Date) {
        account(id: "alice", asOf: { known: $known }) { paymentDays version }
        subscription(id: "s1", asOf: { known: $known, effective: $effective }) { stage }
    }"#;
    let then = shop
        .acme
        .data(
            query,
            json!({ "known": "2026-03-09T00:00:00Z", "effective": "2026-02-01" }),
        )
        .await;
    assert_eq!(
        then["account"],
        json!({ "paymentDays": null, "version": 1 })
    );
    assert_eq!(then["subscription"]["stage"], "PENDING");
    let now = shop.acme.data(query, json!({})).await;
    assert_eq!(now["account"], json!({ "paymentDays": 30, "version": 2 }));
    let before = shop
        .acme
        .data(query, json!({ "known": "2026-02-01T00:00:00Z" }))
        .await;
    assert_eq!(
        before["account"],
        json!(null),
        "nothing was known of it then"
    );
}

#[tokio::test]
async fn an_account_is_seen_with_everything_of_it_as_it_stood_on_a_day() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop::bill(&shop.acme, "march").await;
    shop.move_to("2026-03-20T08:00:00Z");
    let pays = r#"mutation { recordPayment(idempotencyKey: "p", input: { id: "p1", account: "alice", amount: "10.00 EUR" })
        { payment { stage } } }"#;
    shop.acme.data(pays, json!({})).await;
    shop.move_to("2026-04-01T08:00:00Z");
    shop::bill(&shop.acme, "april").await;
    let more = r#"mutation { startSubscription(idempotencyKey: "s2", input: { id: "s2", account: "alice", offer: "basic" })
        { subscription { key } }
        terminateSubscription(idempotencyKey: "end", input: { id: "s1" }) { subscription { stage } } }"#;
    shop.acme.data(more, json!({})).await;
    let query = r#"query($asOf: AsOf) { account(id: "alice", asOf: $asOf) {
        subscriptions { nodes { key stage account { version } } }
        invoices { nodes { key open applied { amount invoice { open } } } }
        payments { nodes { key unapplied applied { amount } } }
        balance { balance open openItems { open invoice { key open } } } } }"#;
    let then = async |as_of: serde_json::Value| {
        let found = shop.acme.data(query, json!({ "asOf": as_of })).await["account"].take();
        let keys = |list: &str| {
            let nodes = found[list]["nodes"].as_array().into_iter().flatten();
            let key = |node: &serde_json::Value| node["key"].as_str().unwrap_or("").to_owned();
            nodes.map(key).collect::<Vec<_>>()
        };
        let told = (keys("subscriptions"), keys("invoices"), keys("payments"));
        (told, found)
    };
    let lists = |subscriptions: &[&str], invoices: &[&str], payments: &[&str]| {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        (owned(subscriptions), owned(invoices), owned(payments))
    };
    // The same past by the business date and by the moment.
    for as_of in [
        json!({ "effective": "2026-03-10" }),
        json!({ "known": "2026-03-10T12:00:00Z" }),
    ] {
        let (told, found) = then(as_of).await;
        assert_eq!(told, lists(&["s1"], &["march.alice"], &[]));
        assert_eq!(found["subscriptions"]["nodes"][0]["stage"], "ACTIVE");
        assert_eq!(found["invoices"]["nodes"][0]["open"], "36.00 EUR");
        assert_eq!(found["balance"]["balance"], "36.00 EUR");
        assert_eq!(
            found["balance"]["openItems"][0]["invoice"]["open"],
            "36.00 EUR"
        );
    }
    let (told, found) = then(json!({ "effective": "2026-03-20" })).await;
    assert_eq!(told, lists(&["s1"], &["march.alice"], &["p1"]));
    assert_eq!(found["balance"]["balance"], "26.00 EUR");
    assert_eq!(
        found["invoices"]["nodes"][0]["applied"],
        json!([{ "amount": "10.00 EUR", "invoice": { "open": "26.00 EUR" } }])
    );
    assert_eq!(
        found["payments"]["nodes"][0]["applied"],
        json!([{ "amount": "10.00 EUR" }])
    );
    let (told, found) = then(json!({ "known": "2026-02-01T00:00:00Z" })).await;
    assert_eq!(found, json!(null), "nothing was known of it then: {told:?}");
}

/// Seats by day, and calls in tiers behind ten free ones.
const TIERED: &str = r#"
[[offer]]
code = "tiered"
name = "Tiered"
currency = "EUR"
[[offer.recurring]]
code = "seats"
name = "Seats"
price = { per_unit = "10.00" }
every = "1 month"
align = "calendar"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "minute"
per = "60"
allowance = "10"
every = "1 month"
align = "calendar"
price = { graduated = [ { up_to = "100", unit = "0.05", flat = "1.00" }, { unit = "0.04" } ] }
"#;

/// quantity × price × days ÷ period of a figure, and its amount, in fractions.
fn figure(told: &serde_json::Value) -> ((i128, i128), (i128, i128)) {
    let number = |value: &serde_json::Value| -> (i128, i128) {
        let part = |name: &str| value[name].as_str().and_then(|text| text.parse().ok());
        (
            part("numerator").expect("a number"),
            part("denominator").expect("a number"),
        )
    };
    let (quantity, price) = (number(&told["quantity"]), number(&told["price"]));
    let days = |name: &str| told[name].as_i64().map_or(1, i128::from);
    let product = (
        quantity.0 * price.0 * days("days"),
        quantity.1 * price.1 * days("periodDays"),
    );
    (product, number(&told["amount"]))
}

#[tokio::test]
async fn a_line_is_explained_as_figures_down_to_the_records_as_they_were_received() {
    let shop = shop::open("2026-03-11T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let sells = r#"mutation($toml: String!) {
        applyCatalog(idempotencyKey: "more", toml: $toml) { offers { code } }
        openAccount(idempotencyKey: "carol", input: { id: "carol", entity: "main" }) { account { key } }
        startSubscription(idempotencyKey: "c1", input: {
            id: "c1", account: "carol", offer: "tiered", quantity: "3", access: ["line-1"] }) { subscription { key } }
    }"#;
    shop.acme.data(sells, json!({ "toml": TIERED })).await;
    let used = r#"mutation { ingestUsage(idempotencyKey: "u", input: { batch: "b1", source: "switch", records: [
        { key: "r1", metric: "calls", access: "line-1", at: "2026-03-20T10:00:00Z", quantity: "6000" },
        { key: "r2", metric: "calls", access: "line-1", at: "2026-03-21T10:00:00Z", quantity: "1800" }
    ] }) { receipt { replayed } } }"#;
    shop.move_to("2026-03-25T08:00:00Z");
    shop.acme.data(used, json!({})).await;
    let line = r#"net exact explanation {
        arithmetic words offer offerVersion traced rounded billedBefore net rounding
        charged { from until days } period { from until days }
        usage { unit records allowance units { decimal } priced { decimal } counters { counter } }
        figures { source tier upTo days periodDays quantity { decimal numerator denominator }
            price { decimal numerator denominator } amount { decimal numerator denominator } words }
        tax { rate groupNet groupAmount amount } }
        charges(first: 5) { nodes { exact record { raw line } } }"#;
    // The preview is explained as the invoice will be.
    let preview = format!(
        r#"{{ invoicePreview(account: "carol", asOf: "2026-04-01") {{ lines(first: 5) {{ nodes {{ {line} }} }} }} }}"#
    );
    shop.move_to("2026-04-01T08:00:00Z");
    let ahead =
        shop.acme.data(&preview, json!({})).await["invoicePreview"]["lines"]["nodes"].take();
    shop::bill(&shop.acme, "april").await;
    let query = format!(
        r#"{{ invoice(id: "april.carol") {{ net tax lines(first: 5) {{ nodes {{ {line} }} }} }} }}"#
    );
    let invoice = shop.acme.data(&query, json!({})).await["invoice"].take();
    let lines = invoice["lines"]["nodes"].as_array().expect("lines").clone();
    assert_eq!(json!(lines), ahead);
    let of = |arithmetic: &str| {
        let found = lines
            .iter()
            .find(|line| line["explanation"]["arithmetic"] == arithmetic);
        found.unwrap_or_else(|| panic!("no line says {arithmetic}: {lines:#?}"))
    };
    let seats = &of("21/31 of 3 × 10 = 20.322580645161")["explanation"];
    assert_eq!(seats["rounded"], "20.32 EUR");
    assert_eq!(
        seats["charged"],
        json!({ "from": "2026-03-11", "until": "2026-04-01", "days": 21 })
    );
    assert_eq!(seats["period"]["days"], 31);
    let calls = of("100 minute at 0.05 + 1 (once) + 20 minute at 0.04 = 6.8");
    let told = &calls["explanation"];
    assert_eq!(
        (&told["offer"], &told["offerVersion"]),
        (&json!("tiered"), &json!(1))
    );
    assert_eq!(
        told["usage"],
        json!({ "unit": "minute", "records": 2, "allowance": "10", "units": { "decimal": "130" },
            "priced": { "decimal": "120" }, "counters": [] })
    );
    assert_eq!(told["figures"][2]["tier"], 2);
    let records = calls["charges"]["nodes"].as_array().expect("records");
    assert_eq!(records.len(), 2);
    assert!(
        records[0]["record"]["raw"]
            .as_str()
            .is_some_and(|raw| raw.contains("6000"))
    );
    let minor = |money: &serde_json::Value| -> i128 {
        let text = money
            .as_str()
            .expect("money")
            .replace(" EUR", "")
            .replace('.', "");
        text.parse().expect("cents")
    };
    let (mut net, mut tax) = (0, 0);
    for line in &lines {
        let told = &line["explanation"];
        assert_eq!(told["traced"], true, "{told:#}");
        // Everything from the figures alone: their products, their sum, half away from zero.
        let (mut sum, mut by) = (0, 1);
        for told in told["figures"].as_array().expect("figures") {
            let (product, amount) = figure(told);
            assert_eq!(product.0 * amount.1, amount.0 * product.1, "{told:#}");
            (sum, by) = (sum * amount.1 + amount.0 * by, by * amount.1);
        }
        let cents = (2 * 100 * sum + by) / (2 * by);
        assert_eq!(cents - minor(&told["billedBefore"]), minor(&line["net"]));
        net += minor(&line["net"]);
        tax += minor(&told["tax"]["amount"]);
    }
    assert_eq!(
        (net, tax),
        (minor(&invoice["net"]), minor(&invoice["tax"])),
        "the shares of the lines sum to the tax of the document"
    );
}
