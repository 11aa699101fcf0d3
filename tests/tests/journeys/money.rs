//! Money that comes, is applied, goes back, and what was known of it when.

use serde_json::json;

use crate::shop::{self, Shop};

async fn billed() -> Shop {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop::bill(&shop.acme, "march").await;
    shop
}

const BALANCE: &str = r#"query($known: Instant, $effective: Date) {
    balance(account: "alice", asOf: { known: $known, effective: $effective }) {
        balance open unapplied openItems { number open due invoice { key } } } }"#;

#[tokio::test]
async fn a_payment_pays_the_oldest_invoice_and_the_rest_is_credit() {
    let shop = billed().await;
    let owed = shop.acme.data(BALANCE, json!({})).await["balance"].take();
    assert_eq!(owed["balance"], "36.00 EUR");
    assert_eq!(owed["openItems"][0]["invoice"]["key"], "march.alice");
    let paid = shop
        .acme
        .data(
            r#"mutation { recordPayment(idempotencyKey: "p", input: { id: "p1", account: "alice", amount: "40.00 EUR" }) {
                payment { stage unapplied applied { amount source invoice { number open } } } } }"#,
            json!({}),
        )
        .await["recordPayment"]["payment"]
        .take();
    assert_eq!(paid["stage"], "SETTLED");
    assert_eq!(paid["unapplied"], "4.00 EUR");
    assert_eq!(paid["applied"][0]["amount"], "36.00 EUR");
    assert_eq!(paid["applied"][0]["source"], "payment:p1");
    assert_eq!(paid["applied"][0]["invoice"]["open"], "0.00 EUR");
    let owed = shop.acme.data(BALANCE, json!({})).await["balance"].take();
    assert_eq!(
        owed,
        json!({ "balance": "-4.00 EUR", "open": "0.00 EUR", "unapplied": "4.00 EUR", "openItems": [] })
    );
}

#[tokio::test]
async fn a_pending_payment_settles_or_fails_and_a_settled_one_can_go_back() {
    let shop = billed().await;
    let steps = r#"mutation {
        recordPayment(idempotencyKey: "1", input: { id: "p1", account: "alice", amount: "36.00 EUR", pending: true, method: "card" })
            { payment { stage } }
        failPayment(idempotencyKey: "2", id: "p1", kind: SOFT, reason: "insufficient funds") { payment { stage } }
        second: recordPayment(idempotencyKey: "3", input: { id: "p2", account: "alice", amount: "36.00 EUR", pending: true })
            { payment { stage } }
        settlePayment(idempotencyKey: "4", id: "p2") { payment { stage } }
        refundPayment(idempotencyKey: "5", id: "p2", amount: "6.00 EUR", reason: "goodwill") { payment { refunded stage } }
        chargeBackPayment(idempotencyKey: "6", id: "p2", reason: "disputed") { payment { chargedBack stage } }
    }"#;
    let data = shop.acme.data(steps, json!({})).await;
    assert_eq!(data["failPayment"]["payment"]["stage"], "FAILED");
    assert_eq!(data["settlePayment"]["payment"]["stage"], "SETTLED");
    assert_eq!(
        data["refundPayment"]["payment"],
        json!({ "refunded": "6.00 EUR", "stage": "SETTLED" })
    );
    assert_eq!(
        data["chargeBackPayment"]["payment"],
        json!({ "chargedBack": "30.00 EUR", "stage": "RETURNED" })
    );
    assert_eq!(
        shop.acme.data(BALANCE, json!({})).await["balance"]["balance"],
        "36.00 EUR"
    );
    let error = shop
        .acme
        .error(
            r#"mutation { refundPayment(idempotencyKey: "7", id: "p2", reason: "again") { payment { stage } } }"#,
            json!({}),
        )
        .await;
    assert_eq!(error["extensions"]["code"], "REFUND_TOO_LARGE");
    let payments = shop
        .acme
        .data(
            r#"{ account(id: "alice") { payments { edges { node { key stage } } } } }"#,
            json!({}),
        )
        .await;
    assert_eq!(
        payments["account"]["payments"]["edges"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn a_balance_can_be_seen_as_of_a_moment_and_as_of_a_business_day() {
    let shop = billed().await;
    shop.move_to("2026-03-20T23:30:00Z");
    shop.acme
        .data(
            r#"mutation { recordPayment(idempotencyKey: "p", input: { id: "p1", account: "alice", amount: "10.00 EUR" })
                { payment { stage } } }"#,
            json!({}),
        )
        .await;
    let balance =
        async |variables| shop.acme.data(BALANCE, variables).await["balance"]["balance"].take();
    assert_eq!(balance(json!({})).await, "26.00 EUR");
    assert_eq!(
        balance(json!({ "known": "2026-03-20T23:29:59Z" })).await,
        "36.00 EUR"
    );
    assert_eq!(
        balance(json!({ "known": "2026-02-01T00:00:00Z" })).await,
        "0.00 EUR"
    );
    // 23:30 UTC is half past midnight of the 21st in Berlin.
    assert_eq!(
        balance(json!({ "effective": "2026-03-20" })).await,
        "36.00 EUR"
    );
    assert_eq!(
        balance(json!({ "effective": "2026-03-21" })).await,
        "26.00 EUR"
    );
    let figures = async |variables| {
        let query = r#"query($known: Instant, $effective: Date) { balanceFigures(account: "alice",
            asOf: { known: $known, effective: $effective }) { total due overdue unapplied } }"#;
        shop.acme.data(query, variables).await["balanceFigures"].take()
    };
    let owed = |total: &str, due: &str, overdue: &str| json!({ "total": total, "due": due, "overdue": overdue, "unapplied": "0.00 EUR" });
    for (day, expected) in [
        ("2026-03-14", owed("36.00 EUR", "0.00 EUR", "0.00 EUR")),
        ("2026-03-15", owed("36.00 EUR", "36.00 EUR", "0.00 EUR")),
        ("2026-03-20", owed("36.00 EUR", "36.00 EUR", "36.00 EUR")),
        ("2026-03-21", owed("26.00 EUR", "26.00 EUR", "26.00 EUR")),
    ] {
        assert_eq!(
            figures(json!({ "effective": day })).await,
            expected,
            "{day}"
        );
    }
    let invoice = r#"query($effective: Date) { invoice(id: "march.alice", asOf: { effective: $effective }) { open stage } }"#;
    let then = shop
        .acme
        .data(invoice, json!({ "effective": "2026-03-10" }))
        .await;
    assert_eq!(
        then["invoice"],
        json!({ "open": "36.00 EUR", "stage": "FINALISED" })
    );
    let before = shop
        .acme
        .data(invoice, json!({ "effective": "2026-02-10" }))
        .await;
    assert_eq!(before["invoice"], json!(null));
}

#[tokio::test]
async fn a_credit_note_and_a_void_are_tried_before_they_are_done() {
    let shop = billed().await;
    let credit = r#"mutation($dry: Boolean!) { creditInvoice(idempotencyKey: "cn", dryRun: $dry, input: {
        id: "cn1", invoice: "march.alice", reason: "outage", parts: [{ line: 1, amount: "10.00 EUR" }] }) {
        invoice { kind number net tax total corrects { key } } receipt { dryRun } } }"#;
    let tried = shop.acme.data(credit, json!({ "dry": true })).await["creditInvoice"].take();
    assert_eq!(tried["invoice"]["total"], "-12.00 EUR");
    assert_eq!(
        shop.acme.data(BALANCE, json!({})).await["balance"]["balance"],
        "36.00 EUR"
    );
    let done = shop.acme.data(credit, json!({ "dry": false })).await["creditInvoice"].take();
    assert_eq!(
        done["invoice"], tried["invoice"],
        "the real one is what the trial showed"
    );
    assert_eq!(
        shop.acme.data(BALANCE, json!({})).await["balance"]["balance"],
        "24.00 EUR"
    );
    let void = r#"mutation { voidInvoice(idempotencyKey: "void", id: "march.alice", reason: "mistake") { invoice { stage } } }"#;
    assert_eq!(
        shop.acme.error(void, json!({})).await["extensions"]["code"],
        "INVOICE_CREDITED"
    );
}

#[tokio::test]
async fn a_draft_has_no_number_until_it_is_finalised() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let draft = shop
        .acme
        .data(
            r#"mutation { draftInvoice(idempotencyKey: "d", id: "i1", account: "alice") { invoice { stage number total open } } }"#,
            json!({}),
        )
        .await["draftInvoice"]["invoice"]
        .take();
    assert_eq!(
        draft,
        json!({ "stage": "DRAFT", "number": null, "total": "36.00 EUR", "open": "0.00 EUR" })
    );
    let done = shop
        .acme
        .data(
            r#"mutation { finaliseInvoice(idempotencyKey: "f", id: "i1") { invoice { stage number open } } }"#,
            json!({}),
        )
        .await["finaliseInvoice"]["invoice"]
        .take();
    assert_eq!(
        (&done["stage"], &done["open"]),
        (&json!("FINALISED"), &json!("36.00 EUR"))
    );
    let list = shop
        .acme
        .data(
            r#"{ invoices(account: "alice") { edges { node { key } } } }"#,
            json!({}),
        )
        .await;
    assert_eq!(list["invoices"]["edges"][0]["node"]["key"], "i1");
}

#[tokio::test]
async fn what_was_written_off_is_owed_again_when_that_is_taken_back() {
    let shop = billed().await;
    let balance = async || shop.acme.data(BALANCE, json!({})).await["balance"]["balance"].take();
    let write_off = r#"mutation { writeOffInvoice(idempotencyKey: "w", id: "march.alice", reason: "insolvent") { invoice { number } } }"#;
    shop.acme.data(write_off, json!({})).await;
    assert_eq!(balance().await, "0.00 EUR");
    let reverse = r#"mutation { reverseWriteOff(idempotencyKey: "r", id: "march.alice", reason: "found") { invoice { number } } }"#;
    shop.acme.data(reverse, json!({})).await;
    assert_eq!(balance().await, "36.00 EUR");
    let again = shop
        .acme
        .error(&reverse.replace("\"r\"", "\"r2\""), json!({}))
        .await;
    assert!(again["extensions"]["code"].is_string(), "{again}");
}

#[tokio::test]
async fn what_an_operator_does_by_hand_can_be_asked_for_and_taken_back() {
    let shop = billed().await;
    let steps = r#"mutation {
        addCharge(idempotencyKey: "1", input: { id: "x1", account: "alice", text: "cable", amount: "5.00 EUR" }) { pending { text } }
        cancelCharge(idempotencyKey: "2", account: "alice", id: "x1") { pending { text } }
        grantCredit(idempotencyKey: "3", input: { id: "g1", account: "alice", amount: "6.00 EUR", reason: "sorry" }) { balance { balance } }
        pauseSubscription(idempotencyKey: "4", id: "s1") { subscription { stage } }
        resumeSubscription(idempotencyKey: "5", id: "s1") { subscription { stage } }
    }"#;
    let data = shop.acme.data(steps, json!({})).await;
    assert_eq!(data["addCharge"]["pending"][0]["text"], "cable");
    assert_eq!(data["cancelCharge"]["pending"], json!([]));
    assert_eq!(data["grantCredit"]["balance"]["balance"], "30.00 EUR");
    assert_eq!(data["pauseSubscription"]["subscription"]["stage"], "PAUSED");
    assert_eq!(
        data["resumeSubscription"]["subscription"]["stage"],
        "ACTIVE"
    );
    let lists = "{ billRuns { nodes { key } } legalEntities { nodes { key } } }";
    assert_eq!(
        shop.acme.data(lists, json!({})).await,
        json!({ "billRuns": { "nodes": [{ "key": "march" }] }, "legalEntities": { "nodes": [{ "key": "main" }] } })
    );
    assert_eq!(
        shop.rival.data(lists, json!({})).await,
        json!({ "billRuns": { "nodes": [] }, "legalEntities": { "nodes": [] } })
    );
}

#[tokio::test]
async fn dunning_that_is_paused_does_nothing_until_it_is_resumed() {
    let shop = billed().await;
    let policy = r#"mutation {
        setDunningPolicy(idempotencyKey: "1", id: "strict", levels: [{ name: "reminder", afterDays: 5, actions: [{ kind: REMIND }] }])
            { receipt { replayed } }
        changeAccount(idempotencyKey: "2", input: { id: "alice", dunningPolicy: "strict" }) { receipt { replayed } }
        pauseDunning(idempotencyKey: "3", account: "alice", reason: "promised to pay") { receipt { replayed } }
    }"#;
    shop.acme.data(policy, json!({})).await;
    shop.move_to("2026-03-31T08:00:00Z");
    let dun = |key: &str| {
        format!(
            r#"mutation {{ dunAccount(idempotencyKey: "{key}", account: "alice") {{ receipt {{ events {{ type }} }} }} }}"#
        )
    };
    let nothing = shop.acme.data(&dun("4"), json!({})).await;
    assert_eq!(nothing["dunAccount"]["receipt"]["events"], json!([]));
    let resume = r#"mutation { resumeDunning(idempotencyKey: "5", account: "alice") { receipt { replayed } } }"#;
    shop.acme.data(resume, json!({})).await;
    shop.move_to("2026-04-10T08:00:00Z");
    let reminded =
        shop.acme.data(&dun("6"), json!({})).await["dunAccount"]["receipt"]["events"].take();
    let types: Vec<_> = reminded
        .as_array()
        .expect("events")
        .iter()
        .map(|e| e["type"].clone())
        .collect();
    assert_eq!(
        types,
        [
            "message.asked",
            "dunning.begun",
            "dunning.level-reached",
            "dunning.reminded"
        ]
    );
}

#[tokio::test]
async fn a_rule_chooses_the_policy_a_preview_tells_tomorrow_and_a_clerk_takes_a_promise_and_waives()
{
    let shop = billed().await;
    let rules = r#"mutation {
        setDunningPolicy(idempotencyKey: "1", id: "firm", levels: [
            { name: "fee", afterDays: 5, actions: [{ kind: LATE_FEE, lateFee: { percent: "10", min: "5.00" } }, { kind: HOLD }] },
            { name: "interest", afterDays: 20, actions: [{ kind: INTEREST, interest: { rate: "9.12", dayCount: ACTUAL_365 } }] }])
            { policy { levels { name actions { kind } } } }
        setDunningRules(idempotencyKey: "2", rules: [{ name: "everybody", policy: "firm", atLeast: "1.00" }]) { receipt { replayed } }
    }"#;
    shop.acme.data(rules, json!({})).await;
    let due = r#"{ dunningPreview(on: "2026-06-30") { nodes { steps { on kind level amount } refused } } }"#;
    let preview = shop.acme.data(due, json!({})).await;
    let steps = preview["dunningPreview"]["nodes"][0]["steps"].clone();
    assert_eq!(steps[0]["kind"], "BEGUN");
    assert_eq!(steps[1]["level"], "fee");
    shop.move_to("2026-06-30T08:00:00Z");
    let acts = r#"mutation {
        dunAccount(idempotencyKey: "3", account: "alice") {
            case { open stage chosenBy held policy { key } charges { charge amount interest } next { on } } }
        liftAccountHold(idempotencyKey: "4", account: "alice", reason: "good customer") { case { held } }
        promiseToPay(idempotencyKey: "5", account: "alice", until: "2026-07-10") { case { promised pausedUntil next { on level } } }
    }"#;
    let data = shop.acme.data(acts, json!({})).await;
    let case = &data["dunAccount"]["case"];
    assert_eq!(
        (&case["stage"], &case["chosenBy"], &case["held"]),
        (&json!("OPEN"), &json!("rule everybody"), &json!(true))
    );
    assert_eq!(case["policy"]["key"], "firm");
    assert_eq!(data["liftAccountHold"]["case"]["held"], false);
    // Kept or not, dunning looks again on the day after.
    assert_eq!(
        data["promiseToPay"]["case"]["next"],
        json!({ "on": "2026-07-11", "level": null })
    );
    let charge = case["charges"][0]["charge"].as_str().expect("a fee");
    let waive = format!(
        r#"mutation {{ waiveDunningCharge(idempotencyKey: "6", account: "alice", charge: "{charge}", reason: "goodwill") {{ case {{ fees charges {{ charge }} }} }} }}"#
    );
    let waived = shop.acme.data(&waive, json!({})).await["waiveDunningCharge"]["case"].take();
    assert_eq!(waived["fees"], "0.00 EUR");
}
