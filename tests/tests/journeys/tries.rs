//! Dry runs: each answers with what would be, writes nothing, and is what then comes of the command; and refusals of the same
//! doors that say what was asked and what is allowed.

use serde_json::{Value, json};

use crate::http::Client;
use crate::shop::{self, Shop};

async fn ask(client: &Client, mutation: &str) -> Value {
    client
        .data(&format!("mutation {{ {mutation} }}"), json!({}))
        .await
}

async fn look(client: &Client, query: &str) -> Value {
    client.data(&format!("{{ {query} }}"), json!({})).await
}

/// Code and sentence of a refusal.
async fn refused(client: &Client, mutation: &str) -> (String, String) {
    let error = client
        .error(&format!("mutation {{ {mutation} }}"), json!({}))
        .await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&error["extensions"]["code"]), text(&error["message"]))
}

/// Tries a mutation, then does it: both answer the same, the first one writes nothing, and one key serves both. `ARGS` in the
/// mutation stands for the key and whether it is tried.
async fn tried_then_done(shop: &Shop, key: &str, mutation: &str) -> Value {
    let field = mutation.split('(').next().unwrap_or_default().trim();
    let with = |dry: &str| {
        let args = format!(r#"idempotencyKey: "{key}"{dry}"#);
        mutation.replace("ARGS", &args)
    };
    let head = shop.office.store().head();
    let tried = ask(&shop.acme, &with(", dryRun: true")).await[field].take();
    assert_eq!(
        shop.office.store().head(),
        head,
        "{field}: nothing is written"
    );
    let done = ask(&shop.acme, &with("")).await[field].take();
    assert!(
        shop.office.store().head() > head,
        "{field}: something is written"
    );
    assert_eq!(tried, done, "{field}: what was tried is what comes of it");
    done
}

#[tokio::test]
async fn a_charge_is_tried_before_it_is_added_and_before_it_is_taken_back() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let shown = "{ pending { id amount } coming { on total lines { charge net } } }";
    let added = tried_then_done(
        &shop,
        "c1",
        &format!(
            r#"addCharge(ARGS, input: {{ id: "visit", account: "alice", text: "Visit", amount: "10.00 EUR", on: "2026-03-05" }}) {shown}"#
        ),
    )
    .await;
    assert_eq!(
        added["pending"],
        json!([{ "id": "charge:visit", "amount": "10.00 EUR" }])
    );
    // The fee of March, then the visit alone.
    assert_eq!(added["coming"][0]["on"], "2026-03-01");
    assert_eq!(added["coming"][0]["total"], "36.00 EUR");
    assert_eq!(
        added["coming"][1],
        json!({ "on": "2026-03-05", "total": "12.00 EUR", "lines": [{ "charge": "visit", "net": "10.00 EUR" }] })
    );
    let cancelled = tried_then_done(
        &shop,
        "c2",
        &format!(r#"cancelCharge(ARGS, account: "alice", id: "visit") {shown}"#),
    )
    .await;
    assert_eq!(cancelled["pending"], json!([]));
    assert_eq!(cancelled["coming"][1]["on"], "2026-04-01");
}

#[tokio::test]
async fn what_a_discount_a_commitment_and_an_exemption_take_and_add_is_seen_before_they_are_agreed()
{
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let offered = tried_then_done(
        &shop,
        "d1",
        r#"defineDiscount(ARGS, input: { code: "SPRING", name: "Spring", off: { percent: "0.1" }, lasts: { forever: true } }) {
            discount { code percent redeemed } }"#,
    )
    .await;
    assert_eq!(offered["discount"]["percent"], "0.1");
    let redeemed = tried_then_done(
        &shop,
        "r1",
        r#"redeemDiscount(ARGS, input: { id: "r1", account: "alice", code: "SPRING" }) {
            account { redemptions { key } } coming { on total } }"#,
    )
    .await;
    assert_eq!(redeemed["account"]["redemptions"], json!([{ "key": "r1" }]));
    assert_eq!(
        redeemed["coming"][0],
        json!({ "on": "2026-03-01", "total": "32.40 EUR" })
    );
    let ended = tried_then_done(
        &shop,
        "r2",
        r#"endRedemption(ARGS, account: "alice", redemption: "r1", on: "2026-03-01") {
            account { redemptions { until } } coming { total } }"#,
    )
    .await;
    assert_eq!(
        ended["account"]["redemptions"],
        json!([{ "until": "2026-03-01" }])
    );
    assert_eq!(ended["coming"][0]["total"], "36.00 EUR");
    let gone = tried_then_done(
        &shop,
        "d2",
        r#"withdrawDiscount(ARGS, code: "SPRING", reason: "summer") { discount { withdrawn } }"#,
    )
    .await;
    assert_eq!(gone["discount"]["withdrawn"], true);
    let agreed = tried_then_done(
        &shop,
        "m1",
        r#"agreeCommitment(ARGS, input: { id: "m1", account: "alice", name: "At least", min: "100", every: "1 month", from: "2026-03-01" }) {
            account { commitments { key min until } } coming { on total lines { net } } }"#,
    )
    .await;
    assert_eq!(
        agreed["account"]["commitments"],
        json!([{ "key": "m1", "min": "100", "until": null }])
    );
    // What March lacks comes with the fee of April.
    assert_eq!(agreed["coming"][1]["on"], "2026-04-01");
    assert_eq!(
        agreed["coming"][1]["lines"],
        json!([{ "net": "30.00 EUR" }, { "net": "70.00 EUR" }])
    );
    let ended = tried_then_done(
        &shop,
        "m2",
        r#"endCommitment(ARGS, account: "alice", commitment: "m1", on: "2026-03-01") {
            account { commitments { until } } coming { on total } }"#,
    )
    .await;
    assert_eq!(
        ended["coming"][1],
        json!({ "on": "2026-04-01", "total": "36.00 EUR" })
    );
    let exempt = tried_then_done(
        &shop,
        "x1",
        r#"exemptFromTax(ARGS, input: { account: "alice", reason: "Embassy", from: "2026-03-01" }) {
            account { taxExemptions { reason until } } coming { total tax } }"#,
    )
    .await;
    assert_eq!(
        exempt["account"]["taxExemptions"],
        json!([{ "reason": "Embassy", "until": null }])
    );
    assert_eq!(
        exempt["coming"][0],
        json!({ "total": "30.00 EUR", "tax": "0.00 EUR" })
    );
    let taxed = tried_then_done(
        &shop,
        "x2",
        r#"endTaxExemption(ARGS, account: "alice", on: "2026-03-01") { coming { total } }"#,
    )
    .await;
    assert_eq!(taxed["coming"][0]["total"], "36.00 EUR");
}

#[tokio::test]
async fn prices_of_a_contract_and_the_end_of_an_offer_are_tried() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let agreed = tried_then_done(
        &shop,
        "k1",
        r#"defineContract(ARGS, input: { id: "k1", account: "alice", name: "Frame", from: "2026-03-01",
            prices: [{ offer: "basic", charge: "fee", price: { flat: "20.00" } }] }) {
            contract { name until prices { charge } } coming { on total } }"#,
    )
    .await;
    assert_eq!(agreed["contract"]["name"], "Frame");
    assert_eq!(
        agreed["coming"][0],
        json!({ "on": "2026-03-01", "total": "24.00 EUR" })
    );
    let ended = tried_then_done(
        &shop,
        "k2",
        r#"endContract(ARGS, id: "k1", on: "2026-04-01") { contract { until } coming { on total } }"#,
    )
    .await;
    assert_eq!(ended["contract"]["until"], "2026-04-01");
    assert_eq!(
        ended["coming"][1],
        json!({ "on": "2026-04-01", "total": "36.00 EUR" })
    );
    for (key, mutation) in [
        (
            "o1",
            r#"retireOffer(ARGS, offer: "basic") { receipt { touched } }"#,
        ),
        (
            "o2",
            r#"reopenOffer(ARGS, offer: "basic") { receipt { touched } }"#,
        ),
    ] {
        tried_then_done(&shop, key, mutation).await;
    }
}

#[tokio::test]
async fn an_account_and_a_legal_entity_are_tried_before_they_are_opened_and_changed() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let entity = |days: u32| {
        format!(
            r#"setLegalEntity(ARGS, input: {{ id: "main", name: "Acme Ltd", country: "DE", currency: "EUR", zone: "Europe/Berlin",
                paymentDays: {days} }}) {{ entity {{ key paymentDays }} }}"#
        )
    };
    let opened = tried_then_done(&shop, "e1", &entity(14)).await;
    assert_eq!(
        opened["entity"],
        json!({ "key": "main", "paymentDays": 14 })
    );
    let changed = tried_then_done(&shop, "e2", &entity(30)).await;
    assert_eq!(changed["entity"]["paymentDays"], 30);
    let moved = tried_then_done(
        &shop,
        "e3",
        r#"setEntityZone(ARGS, entity: "main", zone: "Europe/Paris", from: "2026-03-01") { entity { zone } }"#,
    )
    .await;
    assert_eq!(moved["entity"]["zone"], "Europe/Paris");
    let opened = tried_then_done(
        &shop,
        "a1",
        r#"openAccount(ARGS, input: { id: "bob", entity: "main", contact: { name: "Bob", email: "bob@example.org" } }) {
            account { key currency zone } }"#,
    )
    .await;
    assert_eq!(
        opened["account"],
        json!({ "key": "bob", "currency": "EUR", "zone": "Europe/Paris" })
    );
    let changed = tried_then_done(
        &shop,
        "a2",
        r#"changeAccount(ARGS, input: { id: "bob", paymentDays: 7 }) { account { paymentDays } }"#,
    )
    .await;
    assert_eq!(changed["account"]["paymentDays"], 7);
    let moved = tried_then_done(
        &shop,
        "a3",
        r#"setAccountZone(ARGS, account: "bob", zone: "Asia/Tokyo", from: "2026-03-01") { account { zone } }"#,
    )
    .await;
    assert_eq!(moved["account"]["zone"], "Asia/Tokyo");
}

#[tokio::test]
async fn settings_plans_and_advances_are_shown_as_they_would_be() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    for (key, mutation) in [
        (
            "i1",
            r#"setInvoicing(ARGS, account: "alice", terms: { graceDays: 3 }) { terms { graceDays } }"#,
        ),
        (
            "i2",
            r#"setDocumentCurrencies(ARGS, account: "alice", currencies: SALE) { currencies }"#,
        ),
        (
            "i3",
            r#"setShown(ARGS, account: "alice", terms: { unitPrice: true }) { shown { unitPrice } }"#,
        ),
        (
            "i4",
            r#"setExchange(ARGS, account: "alice", terms: { maxAgeDays: 5 }) { exchange { maxAgeDays } }"#,
        ),
        (
            "p1",
            r#"agreeMilestones(ARGS, input: { id: "p1", account: "alice", text: "Site", total: "100.00 EUR",
                milestones: [{ code: "all", text: "All", share: "100" }] }) { plan { key total milestones { amount due } } }"#,
        ),
        (
            "p2",
            r#"reachMilestone(ARGS, id: "p1", milestone: "all", on: "2026-03-02") { plan { milestones { due } } }"#,
        ),
        (
            "v1",
            r#"askAdvance(ARGS, input: { id: "v1", account: "alice", lines: [{ text: "A third", amount: "33.33 EUR" }] }) {
                advance { left { net tax } invoice { key total open } } }"#,
        ),
        (
            "v2",
            r#"closeAdvance(ARGS, id: "v1", reason: "called off") { advance { left { net } closed { note { total } } } }"#,
        ),
    ] {
        tried_then_done(&shop, key, mutation).await;
    }
}

#[tokio::test]
async fn what_would_be_open_of_an_invoice_is_shown_when_it_is_voided_credited_or_made_at_once() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let now = tried_then_done(
        &shop,
        "n1",
        r#"invoiceNow(ARGS, id: "now", account: "alice") { invoice { stage total open account { balance { balance } } } }"#,
    )
    .await;
    assert_eq!(
        now["invoice"],
        json!({ "stage": "FINALISED", "total": "36.00 EUR", "open": "36.00 EUR",
            "account": { "balance": { "balance": "36.00 EUR" } } })
    );
    let credited = tried_then_done(
        &shop,
        "n2",
        r#"creditInvoice(ARGS, input: { id: "note", invoice: "now", reason: "late", parts: [{ line: 1, amount: "10.00 EUR" }] }) {
            invoice { total corrects { open leftAfterCreditNotes } } }"#,
    )
    .await;
    assert_eq!(
        credited["invoice"],
        json!({ "total": "-12.00 EUR",
            "corrects": { "open": "24.00 EUR", "leftAfterCreditNotes": "24.00 EUR" } })
    );
    let off = tried_then_done(
        &shop,
        "n3",
        r#"writeOffInvoice(ARGS, id: "now", reason: "gone") { invoice { open } }"#,
    )
    .await;
    assert_eq!(off["invoice"]["open"], "0.00 EUR");
    let back = tried_then_done(
        &shop,
        "n4",
        r#"reverseWriteOff(ARGS, id: "now", reason: "back") { invoice { open } }"#,
    )
    .await;
    assert_eq!(back["invoice"]["open"], "24.00 EUR");
    shop.move_to("2026-04-01T08:00:00Z");
    shop::bill(acme, "april").await;
    let void = tried_then_done(
        &shop,
        "n5",
        r#"voidInvoice(ARGS, id: "april.alice", reason: "wrong") { invoice { stage open account { balance { open } } } }"#,
    )
    .await;
    assert_eq!(
        void["invoice"],
        json!({ "stage": "VOID", "open": "0.00 EUR", "account": { "balance": { "open": "24.00 EUR" } } })
    );
}

#[tokio::test]
async fn a_bill_run_is_tried_again_and_cancelled_as_a_dry_run_says_and_not_at_all_once_it_is_final()
{
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let refuse = r#"setInvoicing(idempotencyKey: "i1", account: "alice", terms: {
        rules: [{ code: "none", when: "true", verdict: REJECT, text: "not yet" }] }) { terms { graceDays } }"#;
    ask(acme, refuse).await;
    shop::bill(acme, "r1").await;
    let drafts = r#"setInvoicing(idempotencyKey: "i2", account: "alice", terms: { graceDays: 3 }) { terms { graceDays } }"#;
    ask(acme, drafts).await;
    let retried = tried_then_done(
        &shop,
        "t1",
        r#"retryBillRun(ARGS, id: "r1") { refused { code } run { completed done invoices { nodes { key } } } invoices { key stage total } }"#,
    )
    .await;
    assert_eq!(
        retried,
        json!({ "refused": [], "run": { "completed": true, "done": 2, "invoices": { "nodes": [{ "key": "r1.alice" }] } },
            "invoices": [{ "key": "r1.alice", "stage": "DRAFT", "total": "36.00 EUR" }] })
    );
    let cancelled = tried_then_done(
        &shop,
        "x1",
        r#"cancelBillRun(ARGS, id: "r1", reason: "wrong month") { run { cancelled } invoices { key stage } }"#,
    )
    .await;
    assert_eq!(
        cancelled,
        json!({ "run": { "cancelled": "wrong month" }, "invoices": [{ "key": "r1.alice", "stage": "REJECTED" }] })
    );
    let at_once = r#"setInvoicing(idempotencyKey: "i3", account: "alice") { terms { graceDays } }"#;
    ask(acme, at_once).await;
    shop::bill(acme, "r2").await;
    for dry in ["", ", dryRun: true"] {
        let cancel = format!(
            r#"cancelBillRun(idempotencyKey: "x2", id: "r2", reason: "late"{dry}) {{ run {{ cancelled }} }}"#
        );
        let (code, why) = refused(acme, &cancel).await;
        assert_eq!(code, "RUN_FINAL");
        assert!(why.contains("r2") && why.contains("1 documents"), "{why}");
    }
    let run = look(acme, r#"billRun(id: "r2") { cancelled }"#).await;
    assert_eq!(run["billRun"]["cancelled"], Value::Null);
}

#[tokio::test]
async fn a_credit_of_nothing_and_a_draft_that_is_void_are_refused_in_words_that_help() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let draft =
        r#"draftInvoice(idempotencyKey: "d1", id: "d1", account: "alice") { invoice { stage } }"#;
    ask(acme, draft).await;
    let void = |key: &str| {
        format!(
            r#"voidInvoice(idempotencyKey: "{key}", id: "d1", reason: "no") {{ invoice {{ stage }} }}"#
        )
    };
    ask(acme, &void("v1")).await;
    assert_eq!(
        refused(acme, &void("v2")).await,
        (
            "INVOICE_VOID".to_owned(),
            "draft d1 is already void".to_owned()
        )
    );
    shop::bill(acme, "r1").await;
    let number = look(acme, r#"invoice(id: "r1.alice") { number }"#).await;
    let number = number["invoice"]["number"].as_str().unwrap_or_default();
    let credit = |amount: &str| {
        format!(
            r#"creditInvoice(idempotencyKey: "k1", input: {{ id: "n1", invoice: "r1.alice", reason: "late",
                parts: [{{ line: 1{amount} }}] }}) {{ invoice {{ total }} }}"#
        )
    };
    for amount in ["0.00 EUR", "-5.00 EUR"] {
        let (code, why) = refused(acme, &credit(&format!(r#", amount: "{amount}""#))).await;
        assert_eq!(code, "CREDIT_NOT_POSITIVE");
        assert_eq!(
            why,
            format!(
                "asked to credit {amount} of line 1 of {number}: more than zero and up to 30.00 EUR can be credited"
            )
        );
    }
    let (code, _) = refused(acme, &credit(r#", amount: "5.00 USD""#)).await;
    assert_eq!(code, "CURRENCY_MISMATCH");
    ask(acme, &credit("")).await;
    let again = credit("").replace(r#""k1""#, r#""k2""#).replace("n1", "n2");
    let (code, why) = refused(acme, &again).await;
    assert_eq!(code, "NOTHING_TO_CREDIT");
    assert!(why.contains("0.00 EUR is left"), "{why}");
}

#[tokio::test]
async fn money_that_comes_moves_and_goes_back_is_tried() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    shop::bill(acme, "r1").await;
    let paid = tried_then_done(
        &shop,
        "p1",
        r#"recordPayment(ARGS, input: { id: "p1", account: "alice", amount: "40.00 EUR" }) {
            payment { amount account { balance { balance unapplied } } } }"#,
    )
    .await;
    assert_eq!(
        paid["payment"]["account"]["balance"],
        json!({ "balance": "-4.00 EUR", "unapplied": "4.00 EUR" })
    );
    let shown = "{ balance { balance open unapplied openItems { open } } }";
    for (key, mutation, balance) in [
        (
            "g1",
            r#"grantCredit(ARGS, input: { id: "g1", account: "alice", amount: "5.00 EUR", reason: "sorry" })"#,
            "-9.00 EUR",
        ),
        (
            "g2",
            r#"refundCredit(ARGS, id: "f1", account: "alice", amount: "2.00 EUR", reason: "asked")"#,
            "-7.00 EUR",
        ),
        (
            "g3",
            r#"unmatchItem(ARGS, account: "alice", invoice: "r1.alice")"#,
            "-7.00 EUR",
        ),
    ] {
        let done = tried_then_done(&shop, key, &format!("{mutation} {shown}")).await;
        assert_eq!(done["balance"]["balance"], balance);
    }
    let owed = look(acme, r#"balance(account: "alice") { open }"#).await;
    assert_eq!(owed["balance"]["open"], "36.00 EUR");
    let back = tried_then_done(
        &shop,
        "p2",
        r#"refundPayment(ARGS, id: "p1", amount: "1.00 EUR", reason: "asked") { payment { refunded } }"#,
    )
    .await;
    // Two of them were paid out as credit.
    assert_eq!(back["payment"]["refunded"], "3.00 EUR");
    let opened = tried_then_done(
        &shop,
        "w1",
        r#"openWallet(ARGS, id: "w1", account: "alice") { wallet { key units } }"#,
    )
    .await;
    assert_eq!(opened["wallet"], json!({ "key": "w1", "units": "0" }));
    let granted = tried_then_done(
        &shop,
        "w2",
        r#"grantWallet(ARGS, input: { wallet: "w1", grant: "one", units: "10" }) { wallet { units } }"#,
    )
    .await;
    assert_eq!(granted["wallet"]["units"], "10");
}
