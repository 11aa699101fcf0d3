//! Documents that are reviewed, held, released, rejected, asked for at once and looked at ahead; runs that are watched, tried
//! again and cancelled.

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
async fn a_document_is_held_by_a_rule_listed_with_its_reason_and_released() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let set = r#"setInvoicing(idempotencyKey: "i1", entity: "main", terms: {
        rules: [{ code: "large", when: "total > 20", verdict: HOLD, text: "more than 20" }] }) {
            terms { graceDays keepDrafts split minimum rules { code when verdict text } } }"#;
    let said = ask(acme, set).await;
    assert_eq!(
        said["setInvoicing"]["terms"],
        json!({ "graceDays": 0, "keepDrafts": false, "split": "WHOLE", "minimum": null,
            "rules": [{ "code": "large", "when": "total > 20", "verdict": "HOLD", "text": "more than 20" }] })
    );
    let preview = look(acme, r#"invoicePreview(account: "alice") { total stage }"#).await;
    assert_eq!(
        preview["invoicePreview"],
        json!({ "total": "36.00 EUR", "stage": "DRAFT" })
    );
    shop::bill(acme, "r1").await;
    let held = look(
        acme,
        "heldInvoices { nodes { key number total hold { until reasons { rule text } } } }",
    )
    .await;
    assert_eq!(
        held["heldInvoices"]["nodes"],
        json!([{ "key": "r1.alice", "number": null, "total": "36.00 EUR",
            "hold": { "until": null, "reasons": [{ "rule": "large", "text": "more than 20" }] } }])
    );
    let release = r#"releaseInvoice(idempotencyKey: "l1", id: "r1.alice", note: "seen") { invoice { stage number hold { until } } }"#;
    let released = ask(acme, release).await;
    assert_eq!(released["releaseInvoice"]["invoice"]["stage"], "FINALISED");
    assert_eq!(released["releaseInvoice"]["invoice"]["hold"], Value::Null);
    let held = look(acme, "heldInvoices { nodes { key } }").await;
    assert_eq!(held["heldInvoices"]["nodes"], json!([]));
    let none = ask(
        acme,
        r#"setInvoicing(idempotencyKey: "i2", entity: "main") { terms { graceDays } }"#,
    )
    .await;
    assert_eq!(none["setInvoicing"]["terms"], Value::Null);
    let said = look(acme, r#"invoicing(entity: "main") { graceDays }"#).await;
    assert_eq!(said["invoicing"], Value::Null);
}

#[tokio::test]
async fn a_document_is_asked_for_at_once_held_by_hand_and_rejected() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let group = r#"groupSubscription(idempotencyKey: "g1", subscription: "s1", group: "order-7") { dryRun }"#;
    assert_eq!(ask(acme, group).await["groupSubscription"]["dryRun"], false);
    let draft =
        r#"draftInvoice(idempotencyKey: "d1", id: "d1", account: "alice") { invoice { stage } }"#;
    ask(acme, draft).await;
    let hold = r#"holdInvoice(idempotencyKey: "h1", id: "d1", reason: "ask first") { invoice { hold { reasons { rule text } } } }"#;
    let held = ask(acme, hold).await;
    assert_eq!(
        held["holdInvoice"]["invoice"]["hold"]["reasons"],
        json!([{ "rule": "hand", "text": "ask first" }])
    );
    let reject =
        r#"rejectInvoice(idempotencyKey: "j1", id: "d1", reason: "no") { invoice { stage } }"#;
    assert_eq!(
        ask(acme, reject).await["rejectInvoice"]["invoice"]["stage"],
        "REJECTED"
    );
    let now = r#"invoiceNow(idempotencyKey: "n1", id: "n1", account: "alice", usage: true) { invoice { stage total } }"#;
    assert_eq!(
        ask(acme, now).await["invoiceNow"]["invoice"],
        json!({ "stage": "FINALISED", "total": "36.00 EUR" })
    );
}

#[tokio::test]
async fn a_run_is_watched_its_exceptions_are_tried_again_and_another_one_is_cancelled() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let refuse = r#"setInvoicing(idempotencyKey: "i1", account: "alice", terms: {
        rules: [{ code: "none", when: "true", verdict: REJECT, text: "not yet" }] }) { terms { graceDays } }"#;
    ask(acme, refuse).await;
    shop::bill(acme, "r1").await;
    let run = look(
        acme,
        r#"billRun(id: "r1") { completed done waiting cancelled carried { total } refused { code account { key } } }"#,
    )
    .await;
    assert_eq!(
        run["billRun"],
        json!({ "completed": true, "done": 1, "waiting": 0, "cancelled": null, "carried": [],
            "refused": [{ "code": "INVOICE_REJECTED", "account": { "key": "alice" } }] })
    );
    let grace = r#"setInvoicing(idempotencyKey: "i2", account: "alice", terms: { graceDays: 3 }) { terms { graceDays } }"#;
    ask(acme, grace).await;
    let retry = r#"retryBillRun(idempotencyKey: "t1", id: "r1") { refused { code } run { completed done } invoices { key stage hold { until } } }"#;
    let retried = ask(acme, retry).await;
    assert_eq!(
        retried["retryBillRun"],
        json!({ "refused": [], "run": { "completed": true, "done": 2 },
            "invoices": [{ "key": "r1.alice", "stage": "DRAFT", "hold": { "until": "2026-03-04" } }] })
    );
    let mut progress = acme
        .subscribe(r#"subscription { billRunProgress(id: "r1") { done waiting documents refused completed } }"#)
        .await;
    assert_eq!(
        progress.next().await["billRunProgress"],
        json!({ "done": 2, "waiting": 0, "documents": 1, "refused": 0, "completed": true })
    );
    let cancel = r#"cancelBillRun(idempotencyKey: "x1", id: "r1", reason: "wrong month") { run { cancelled } invoices { stage } }"#;
    assert_eq!(
        ask(acme, cancel).await["cancelBillRun"],
        json!({ "run": { "cancelled": "wrong month" }, "invoices": [{ "stage": "REJECTED" }] })
    );
}

#[tokio::test]
async fn an_advance_is_taken_off_the_final_invoice_with_its_tax_and_its_rest_goes_back() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let ask = r#"mutation { askAdvance(idempotencyKey: "a1", input: { id: "a1", account: "alice",
        lines: [{ text: "A third", amount: "33.33 EUR" }] }) {
        advance { asked { net tax rate } left { net tax } invoice { key total open lines { nodes { kind net } } } } } }"#;
    let asked = acme.data(ask, json!({})).await["askAdvance"]["advance"].take();
    assert_eq!(
        asked,
        json!({
            "asked": [{ "net": "33.33 EUR", "tax": "6.67 EUR", "rate": "0.2" }],
            "left": [{ "net": "33.33 EUR", "tax": "6.67 EUR" }],
            "invoice": { "key": "advance.a1", "total": "40.00 EUR", "open": "40.00 EUR",
                "lines": { "nodes": [{ "kind": "ADVANCE", "net": "33.33 EUR" }] } }
        })
    );
    let add = r#"mutation { addCharge(idempotencyKey: "c1", input: { id: "c1", account: "alice", text: "Visit", amount: "20.00 EUR" }) { pending { amount } } }"#;
    acme.data(add, json!({})).await;
    shop::bill(acme, "r1").await;
    let billed = r#"{ advance(id: "a1") { left { net } deductions { part { net tax } invoice { key lines { nodes { kind net text } } } } }
        account(id: "alice") { advances { key } } }"#;
    let found = acme.data(billed, json!({})).await;
    // The supply of the day asks for more than the advance.
    assert_eq!(found["advance"]["left"], json!([]));
    let deduction = &found["advance"]["deductions"][0];
    assert_eq!(
        deduction["part"],
        json!({ "net": "33.33 EUR", "tax": "6.67 EUR" })
    );
    let lines = deduction["invoice"]["lines"]["nodes"]
        .as_array()
        .expect("lines");
    let last = lines.last().expect("a line");
    assert_eq!(last["kind"], "DEDUCTED");
    assert_eq!(last["net"], "-33.33 EUR");
    let void = r#"mutation { voidInvoice(idempotencyKey: "v1", id: "advance.a1", reason: "wrong") { invoice { key } } }"#;
    let refused = acme.error(void, json!({})).await;
    assert_eq!(refused["extensions"]["code"], "ADVANCE_DEDUCTED");
    let more = r#"mutation { askAdvance(idempotencyKey: "a2", input: { id: "a2", account: "alice",
        lines: [{ text: "Another", amount: "10.00 EUR" }] }) { advance { key } } }"#;
    acme.data(more, json!({})).await;
    let close = r#"mutation { closeAdvance(idempotencyKey: "a3", id: "a2", rest: REFUND, reason: "called off") {
        advance { left { net } closed { rest reason note { total } } } } }"#;
    let closed = acme.data(close, json!({})).await["closeAdvance"]["advance"].take();
    assert_eq!(
        closed,
        json!({ "left": [], "closed": { "rest": "REFUND", "reason": "called off", "note": { "total": "-12.00 EUR" } } })
    );
    // What was left on an earlier day.
    shop.move_to("2026-03-10T08:00:00Z");
    let ask = r#"mutation { askAdvance(idempotencyKey: "a4", input: { id: "a4", account: "alice",
        lines: [{ text: "A third", amount: "50.00 EUR" }] }) { advance { key } } }"#;
    acme.data(ask, json!({})).await;
    shop.move_to("2026-04-01T08:00:00Z");
    shop::bill(acme, "r2").await;
    let then = r#"{ now: advance(id: "a4") { left { net } } then: advance(id: "a4", asOf: { effective: "2026-03-10" }) { left { net tax } }
        before: advance(id: "a4", asOf: { effective: "2026-03-09" }) { left { net } }
        account(id: "alice", asOf: { effective: "2026-03-10" }) { advances { key left { net } } } }"#;
    assert_eq!(
        acme.data(then, json!({})).await,
        json!({
            "now": { "left": [{ "net": "20.00 EUR" }] },
            "then": { "left": [{ "net": "50.00 EUR", "tax": "10.00 EUR" }] },
            "before": null,
            "account": { "advances": [{ "key": "a4", "left": [{ "net": "50.00 EUR" }] }] }
        })
    );
}

#[tokio::test]
async fn a_request_for_an_advance_is_invoiced_when_its_money_comes_in() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let ask = r#"mutation { requestAdvance(idempotencyKey: "a1", input: { id: "a1", account: "alice",
        lines: [{ text: "A third", amount: "33.33 EUR" }] }) {
        advance { asked { net } invoice { key } request { key kind typeCode number total open explain } } } }"#;
    let asked = acme.data(ask, json!({})).await["requestAdvance"]["advance"].take();
    let number = asked["request"]["number"].as_str().unwrap_or_default();
    assert!(number.ends_with("PF-2026-000001"), "{number}");
    assert_eq!(
        asked["request"]["explain"][0],
        "a request for an advance is no invoice: nothing is owed by it and no tax may be deducted from it"
    );
    for (field, value) in [
        ("kind", json!("ADVANCE_REQUEST")),
        ("typeCode", json!(325)),
        ("total", json!("40.00 EUR")),
        ("open", json!("0.00 EUR")),
    ] {
        assert_eq!(asked["request"][field], value, "{field}");
    }
    assert_eq!(asked["invoice"], json!(null));
    assert_eq!(asked["asked"], json!([]));
    let pay = r#"mutation { recordPayment(idempotencyKey: "p1", input: { id: "p1", account: "alice", amount: "40.00 EUR",
        invoice: "advance.a1.request" }) { payment { key } } }"#;
    acme.data(pay, json!({})).await;
    let found = r#"{ advance(id: "a1") { left { net tax } invoice { kind typeCode open total } }
        requests: invoices(kind: ADVANCE_REQUEST) { nodes { key } }
        advances: invoices(kind: ADVANCE_INVOICE) { nodes { key } pageInfo { hasNextPage } }
        own: invoices(account: "alice", kind: ADVANCE_INVOICE) { nodes { key } }
        plain: invoices(kind: INVOICE) { nodes { key } }
        account(id: "alice") { advances { key } } }"#;
    assert_eq!(
        acme.data(found, json!({})).await,
        json!({
            "advance": {
                "left": [{ "net": "33.33 EUR", "tax": "6.67 EUR" }],
                "invoice": { "kind": "ADVANCE_INVOICE", "typeCode": 386, "open": "0.00 EUR", "total": "40.00 EUR" }
            },
            "requests": { "nodes": [{ "key": "advance.a1.request" }] },
            "advances": { "nodes": [{ "key": "advance.a1" }], "pageInfo": { "hasNextPage": false } },
            "own": { "nodes": [{ "key": "advance.a1" }] },
            "plain": { "nodes": [] },
            "account": { "advances": [{ "key": "a1" }] }
        })
    );
    let again =
        r#"mutation { invoiceAdvance(idempotencyKey: "i1", id: "a1") { advance { key } } }"#;
    let refused = acme.error(again, json!({})).await;
    assert_eq!(refused["extensions"]["code"], "ADVANCE_INVOICED");
}
