//! Whose money it is, what it pays when somebody says so, and what is not asked for yet.

use serde_json::{Value, json};

use crate::shop::{self, Shop};

/// Alice owes 36.00 for March, due on the 15th.
async fn billed() -> Shop {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop::bill(&shop.acme, "march").await;
    shop
}

/// She owes 36.00 for April too; money that names nothing waits.
async fn billed_twice() -> Shop {
    let shop = billed().await;
    shop.move_to("2026-04-01T08:00:00Z");
    shop::bill(&shop.acme, "april").await;
    rules(&shop, "r1", "[REFERENCE]").await;
    shop
}

async fn ask(shop: &Shop, query: &str) -> Value {
    shop.acme.data(query, json!({})).await
}

async fn code(shop: &Shop, query: &str) -> Value {
    shop.acme.error(query, json!({})).await["extensions"]["code"].take()
}

async fn rules(shop: &Shop, key: &str, order: &str) {
    let set = format!(
        r#"mutation {{ setCashRules(idempotencyKey: "{key}", input: {{ entity: "main", order: {order} }}) {{ dryRun }} }}"#
    );
    ask(shop, &set).await;
}

/// Total, due, overdue, disputed, unapplied and held, in this order.
async fn figures(shop: &Shop, account: &str) -> [String; 6] {
    let query = format!(
        r#"{{ balanceFigures(account: "{account}") {{ total due overdue disputed unapplied deposits }} }}"#
    );
    let data = ask(shop, &query).await;
    [
        "total",
        "due",
        "overdue",
        "disputed",
        "unapplied",
        "deposits",
    ]
    .map(|name| {
        let amount = data["balanceFigures"][name].as_str().expect("an amount");
        amount.strip_suffix(" EUR").expect("in euro").to_owned()
    })
}

/// Open amounts by invoice.
async fn open(shop: &Shop, account: &str) -> Value {
    let query = format!(
        r#"{{ balance(account: "{account}") {{ openItems {{ open invoice {{ key }} }} }} }}"#
    );
    let mut data = ask(shop, &query).await;
    let items = data["balance"]["openItems"].take();
    let items = items.as_array().expect("items").iter();
    items
        .map(|i| json!([i["invoice"]["key"], i["open"]]))
        .collect()
}

/// Money for the account, that names no invoice.
async fn receive(shop: &Shop, payment: &str, account: &str, amount: &str) {
    let query = format!(
        r#"mutation {{ receiveCash(idempotencyKey: "{payment}", input: {{ payment: "{payment}", entity: "main",
            account: "{account}", amount: "{amount}", valueDate: "2026-04-01" }}) {{ account }} }}"#
    );
    assert_eq!(ask(shop, &query).await["receiveCash"]["account"], account);
}

async fn open_bob(shop: &Shop) {
    let bob = r#"mutation { openAccount(idempotencyKey: "bob", input: {
        id: "bob", entity: "main", contact: { name: "Bob Example", email: "bob@example.org" } }) { account { key } } }"#;
    ask(shop, bob).await;
}

#[tokio::test]
async fn money_finds_its_account_by_the_number_it_names_else_waits_for_somebody() {
    let shop = billed().await;
    let number =
        ask(&shop, r#"{ invoice(id: "march.alice") { number } }"#).await["invoice"]["number"]
            .take();
    let receive = r#"mutation($payment: ID!, $amount: Money!, $text: String!) {
        receiveCash(idempotencyKey: $payment, input: { payment: $payment, entity: "main", amount: $amount,
            valueDate: "2026-03-02", reference: $text }) { account receipt { replayed } } }"#;
    let named = json!({ "payment": "c1", "amount": "6.00 EUR",
        "text": format!("for {}, thanks", number.as_str().expect("a number")) });
    let taken = shop.acme.data(receive, named.clone()).await["receiveCash"].take();
    assert_eq!(
        taken,
        json!({ "account": "alice", "receipt": { "replayed": false } })
    );
    let again = shop.acme.data(receive, named).await["receiveCash"].take();
    assert_eq!(
        again,
        json!({ "account": "alice", "receipt": { "replayed": true } })
    );
    assert_eq!(
        open(&shop, "alice").await,
        json!([["march.alice", "30.00 EUR"]])
    );
    for (payment, amount) in [("c2", "30.00 EUR"), ("c3", "7.00 EUR")] {
        let unclear = json!({ "payment": payment, "amount": amount, "text": "gift" });
        let taken = shop.acme.data(receive, unclear).await["receiveCash"].take();
        assert_eq!(taken["account"], json!(null));
    }
    let waiting = r#"{ unallocatedCash(entity: "main") { payment amount candidates } }"#;
    assert_eq!(
        ask(&shop, waiting).await["unallocatedCash"],
        json!([{ "payment": "c2", "amount": "30.00 EUR", "candidates": [] },
            { "payment": "c3", "amount": "7.00 EUR", "candidates": [] }])
    );
    let clear = r#"mutation {
        allocateCash(idempotencyKey: "allocate", input: { entity: "main", payment: "c2", account: "account:alice",
            invoices: ["march.alice"] }) { account }
        returnCash(idempotencyKey: "return", entity: "main", payment: "c3", reason: "nobody's") { account } }"#;
    let cleared = ask(&shop, clear).await;
    assert_eq!(cleared["allocateCash"]["account"], "alice");
    assert_eq!(cleared["returnCash"]["account"], json!(null));
    assert_eq!(
        ask(&shop, waiting).await["unallocatedCash"],
        json!([]),
        "nothing waits"
    );
    assert_eq!(figures(&shop, "alice").await[0], "0.00");
    let twice = clear.replace("\"allocate\"", "\"again\"");
    assert_eq!(code(&shop, &twice).await, "CASH_UNKNOWN");
    let refused = shop.reader.error(clear, json!({})).await;
    assert_eq!(refused["extensions"]["code"], "SCOPE_TOO_SMALL");
}

#[tokio::test]
async fn a_match_asks_where_the_rest_stays_and_unmatching_brings_back_every_amount() {
    let shop = billed_twice().await;
    receive(&shop, "p1", "alice", "50.00 EUR").await;
    let before = (figures(&shop, "alice").await, open(&shop, "alice").await);
    assert_eq!(
        before.0,
        ["22.00", "36.00", "36.00", "0.00", "50.00", "0.00"]
    );
    let both = r#"account: "alice", invoices: ["march.alice", "april.alice"], credits: [{ payment: "payment:p1" }]"#;
    let candidates = format!("{{ matchCandidates({both}) {{ invoice credit }} }}");
    assert_eq!(
        ask(&shop, &candidates).await["matchCandidates"],
        json!([{ "invoice": "march.alice", "credit": null }, { "invoice": "april.alice", "credit": null }])
    );
    let go = |key: &str, rest: &str| {
        format!(
            r#"mutation {{ matchItems(idempotencyKey: "{key}", input: {{ {both} {rest} }}) {{ balance {{ balance }} }} }}"#
        )
    };
    let error = shop.acme.error(&go("m1", ""), json!({})).await;
    assert_eq!(error["extensions"]["code"], "MATCH_AMBIGUOUS");
    assert_eq!(
        error["message"],
        "the rest can stay on invoice march.alice, invoice april.alice: choose one"
    );
    let two = r#"restOnInvoice: "april.alice", restOnCredit: { payment: "p1" }"#;
    assert_eq!(code(&shop, &go("m2", two)).await, "MATCH_INVALID");
    let wrong = r#"restOnCredit: { payment: "p1" }"#;
    assert_eq!(code(&shop, &go("m3", wrong)).await, "MATCH_IMPOSSIBLE");
    let now = (figures(&shop, "alice").await, open(&shop, "alice").await);
    assert_eq!(now, before, "what is refused matches nothing");
    let matched = ask(&shop, &go("m4", r#"restOnInvoice: "april.alice""#)).await;
    assert_eq!(matched["matchItems"]["balance"]["balance"], "22.00 EUR");
    assert_eq!(
        open(&shop, "alice").await,
        json!([["april.alice", "22.00 EUR"]])
    );
    let undo = r#"mutation {
        a: unmatchItem(idempotencyKey: "u1", account: "alice", invoice: "march.alice", credit: { payment: "p1" })
            { balance { unapplied } }
        b: unmatchItem(idempotencyKey: "u2", account: "alice", invoice: "april.alice") { balance { unapplied } } }"#;
    let undone = ask(&shop, undo).await;
    assert_eq!(undone["a"]["balance"]["unapplied"], "36.00 EUR");
    assert_eq!(undone["b"]["balance"]["unapplied"], "50.00 EUR");
    let now = (figures(&shop, "alice").await, open(&shop, "alice").await);
    assert_eq!(now, before);
    assert_eq!(
        code(&shop, &undo.replace("\"u1\"", "\"u3\"")).await,
        "MATCH_UNKNOWN"
    );
    rules(&shop, "r2", "[OLDEST_DUE]").await;
    assert_eq!(
        open(&shop, "alice").await,
        before.1,
        "left alone until released"
    );
    let release = r#"mutation { releaseCredit(idempotencyKey: "l", account: "alice") { balance { unapplied } } }"#;
    assert_eq!(
        ask(&shop, release).await["releaseCredit"]["balance"]["unapplied"],
        "0.00 EUR"
    );
    assert_eq!(
        open(&shop, "alice").await,
        json!([["april.alice", "22.00 EUR"]])
    );
}

#[tokio::test]
async fn what_is_disputed_is_not_overdue_until_the_dispute_ends_and_a_credit_note_settles_it() {
    let shop = billed().await;
    shop.move_to("2026-04-01T08:00:00Z");
    let dispute = |id: &str, amount: &str| {
        format!(
            r#"mutation {{ disputeInvoice(idempotencyKey: "{id}", input: {{ id: "{id}", account: "alice",
                invoice: "march.alice", amount: "{amount}", reason: "no service" }}) {{ balance {{ open }} }} }}"#
        )
    };
    let end = |id: &str, upheld: bool| {
        format!(
            r#"mutation {{ endDispute(idempotencyKey: "end-{id}", id: "{id}", account: "alice", upheld: {upheld},
                reason: "looked at") {{ balance {{ open }} }} }}"#
        )
    };
    assert_eq!(
        code(&shop, &dispute("d0", "36.01 EUR")).await,
        "DISPUTE_TOO_LARGE"
    );
    let asked = ask(&shop, &dispute("d1", "12.00 EUR")).await;
    assert_eq!(asked["disputeInvoice"]["balance"]["open"], "36.00 EUR");
    assert_eq!(
        figures(&shop, "alice").await,
        ["36.00", "24.00", "24.00", "12.00", "0.00", "0.00"]
    );
    let lists = r#"{ disputes(account: "alice") { dispute invoice amount reason } dues(account: "alice") { invoice due open } }"#;
    assert_eq!(
        ask(&shop, lists).await,
        json!({ "disputes": [{ "dispute": "d1", "invoice": "march.alice", "amount": "12.00 EUR", "reason": "no service" }],
            "dues": [{ "invoice": "march.alice", "due": "2026-03-15", "open": "24.00 EUR" }] })
    );
    ask(&shop, &end("d1", false)).await;
    assert_eq!(
        figures(&shop, "alice").await,
        ["36.00", "36.00", "36.00", "0.00", "0.00", "0.00"]
    );
    ask(&shop, &dispute("d2", "12.00 EUR")).await;
    let upheld = ask(&shop, &end("d2", true)).await;
    assert_eq!(upheld["endDispute"]["balance"]["open"], "36.00 EUR");
    let credit = r#"mutation { creditInvoice(idempotencyKey: "cn", input: { id: "cn1", invoice: "march.alice",
        reason: "d2 was right", parts: [{ line: 1, amount: "10.00 EUR" }] }) { invoice { total } } }"#;
    assert_eq!(
        ask(&shop, credit).await["creditInvoice"]["invoice"]["total"],
        "-12.00 EUR"
    );
    assert_eq!(
        figures(&shop, "alice").await,
        ["24.00", "24.00", "24.00", "0.00", "0.00", "0.00"]
    );
    assert_eq!(code(&shop, &end("d3", true)).await, "DISPUTE_UNKNOWN");
}

#[tokio::test]
async fn instalments_take_the_place_of_a_due_date_until_the_plan_is_cancelled_or_broken() {
    let shop = billed().await;
    shop.move_to("2026-04-01T08:00:00Z");
    let agree = |id: &str, second: &str| {
        format!(
            r#"mutation {{ agreePaymentPlan(idempotencyKey: "{id}", input: {{ id: "{id}", account: "alice",
                invoices: ["march.alice"], graceDays: 3, instalments: [
                {{ due: "2026-04-10", amount: "20.00 EUR" }}, {{ due: "2026-05-10", amount: "{second}" }}] }})
                {{ balance {{ open }} }} }}"#
        )
    };
    assert_eq!(figures(&shop, "alice").await[2], "36.00");
    assert_eq!(code(&shop, &agree("n0", "15.00 EUR")).await, "PLAN_INVALID");
    ask(&shop, &agree("n1", "16.00 EUR")).await;
    assert_eq!(
        figures(&shop, "alice").await,
        ["36.00", "0.00", "0.00", "0.00", "0.00", "0.00"]
    );
    let dues = r#"{ dues(account: "alice") { due open } }"#;
    assert_eq!(
        ask(&shop, dues).await["dues"],
        json!([{ "due": "2026-04-10", "open": "20.00 EUR" }, { "due": "2026-05-10", "open": "16.00 EUR" }])
    );
    let cancel = r#"mutation { cancelPaymentPlan(idempotencyKey: "x", id: "n1", account: "alice", reason: "asked to")
        { balance { open } } }"#;
    ask(&shop, cancel).await;
    assert_eq!(figures(&shop, "alice").await[2], "36.00");
    assert_eq!(
        code(&shop, &cancel.replace("\"x\"", "\"y\"")).await,
        "PLAN_UNKNOWN"
    );
    ask(&shop, &agree("n2", "16.00 EUR")).await;
    shop.move_to("2026-04-11T08:00:00Z");
    assert_eq!(
        figures(&shop, "alice").await[2],
        "20.00",
        "the first instalment is overdue, the second is not due"
    );
}

#[tokio::test]
async fn a_deposit_pays_nothing_until_it_is_applied_and_the_rest_goes_back() {
    let shop = billed().await;
    let take = r#"mutation { takeDeposit(idempotencyKey: "take", input: { id: "dep", account: "alice", amount: "100.00 EUR",
        valueDate: "2026-03-01", reason: "new customer" }) { balance { open unapplied } } }"#;
    let taken = ask(&shop, take).await;
    assert_eq!(
        taken["takeDeposit"]["balance"],
        json!({ "open": "36.00 EUR", "unapplied": "0.00 EUR" })
    );
    assert_eq!(
        figures(&shop, "alice").await,
        ["36.00", "0.00", "0.00", "0.00", "0.00", "100.00"]
    );
    let apply = |key: &str, amount: &str| {
        format!(
            r#"mutation {{ applyDeposit(idempotencyKey: "{key}", input: {{ id: "dep", account: "alice",
                invoice: "march.alice", amount: "{amount}", reason: "for March" }}) {{ balance {{ open unapplied }} }} }}"#
        )
    };
    assert_eq!(
        code(&shop, &apply("a0", "100.01 EUR")).await,
        "DEPOSIT_INSUFFICIENT"
    );
    let applied = ask(&shop, &apply("a1", "30.00 EUR")).await;
    assert_eq!(
        applied["applyDeposit"]["balance"],
        json!({ "open": "6.00 EUR", "unapplied": "0.00 EUR" })
    );
    let back = |key: &str, amount: &str| {
        format!(
            r#"mutation {{ returnDeposit(idempotencyKey: "{key}", id: "dep", account: "alice" {amount}, reason: "left us")
                {{ balance {{ open unapplied }} }} }}"#
        )
    };
    ask(&shop, &back("b1", r#", amount: "50.00 EUR""#)).await;
    assert_eq!(figures(&shop, "alice").await[5], "20.00");
    ask(&shop, &back("b2", "")).await;
    assert_eq!(
        figures(&shop, "alice").await,
        ["6.00", "0.00", "0.00", "0.00", "0.00", "0.00"]
    );
    let payment = ask(&shop, r#"{ payment(id: "dep") { refunded unapplied } }"#).await;
    assert_eq!(
        payment["payment"],
        json!({ "refunded": "70.00 EUR", "unapplied": "0.00 EUR" })
    );
    assert_eq!(code(&shop, &back("b3", "")).await, "DEPOSIT_UNKNOWN");
}

#[tokio::test]
async fn a_deposit_can_be_taken_from_credit_and_pay_by_the_rules() {
    let shop = billed().await;
    receive(&shop, "p1", "alice", "50.00 EUR").await;
    let take = |amount: &str| {
        format!(
            r#"mutation {{ takeDeposit(idempotencyKey: "t{amount}", input: {{ id: "dep", account: "alice",
                amount: "{amount} EUR", reason: "risky" }}) {{ balance {{ unapplied }} }} }}"#
        )
    };
    assert_eq!(code(&shop, &take("14.01")).await, "CREDIT_INSUFFICIENT");
    let taken = ask(&shop, &take("14.00")).await;
    assert_eq!(taken["takeDeposit"]["balance"]["unapplied"], "0.00 EUR");
    shop.move_to("2026-04-01T08:00:00Z");
    shop::bill(&shop.acme, "april").await;
    assert_eq!(
        open(&shop, "alice").await,
        json!([["april.alice", "36.00 EUR"]])
    );
    let apply = r#"mutation { applyDeposit(idempotencyKey: "apply", input: { id: "dep", account: "alice", reason: "late" })
        { balance { open } } }"#;
    assert_eq!(
        ask(&shop, apply).await["applyDeposit"]["balance"]["open"],
        "22.00 EUR"
    );
}

#[tokio::test]
async fn credit_and_debt_move_between_accounts_and_credit_is_paid_out() {
    let shop = billed().await;
    open_bob(&shop).await;
    receive(&shop, "p1", "alice", "50.00 EUR").await;
    let transfer = |id: &str, what: &str| {
        format!(
            r#"mutation {{ transferBetweenAccounts(idempotencyKey: "{id}", input: {{ id: "{id}", from: "alice", to: "bob",
                {what} reason: "one household" }}) {{ balance {{ account {{ key }} open unapplied }} }} }}"#
        )
    };
    assert_eq!(code(&shop, &transfer("x0", "")).await, "AMOUNT_INVALID");
    let credit = ask(&shop, &transfer("x1", r#"amount: "10.00 EUR","#)).await;
    assert_eq!(
        credit["transferBetweenAccounts"]["balance"],
        json!({ "account": { "key": "alice" }, "open": "0.00 EUR", "unapplied": "4.00 EUR" })
    );
    assert_eq!(figures(&shop, "bob").await[4], "10.00");
    let refund = |id: &str, amount: &str| {
        format!(
            r#"mutation {{ refundCredit(idempotencyKey: "{id}", id: "{id}", account: "alice", amount: "{amount}",
                reason: "asked for it") {{ balance {{ unapplied }} }} }}"#
        )
    };
    assert_eq!(
        code(&shop, &refund("f0", "4.01 EUR")).await,
        "CREDIT_INSUFFICIENT"
    );
    let paid_out = ask(&shop, &refund("f1", "4.00 EUR")).await;
    assert_eq!(paid_out["refundCredit"]["balance"]["unapplied"], "0.00 EUR");
    let payment = ask(&shop, r#"{ payment(id: "p1") { refunded } }"#).await;
    assert_eq!(payment["payment"]["refunded"], "4.00 EUR");
    shop.move_to("2026-04-01T08:00:00Z");
    shop::bill(&shop.acme, "april").await;
    ask(&shop, &transfer("x2", r#"invoice: "april.alice","#)).await;
    assert_eq!(figures(&shop, "alice").await[0], "0.00");
    assert_eq!(
        figures(&shop, "bob").await[0],
        "26.00",
        "the debt is paid with the credit that came before"
    );
}
