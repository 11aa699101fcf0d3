//! Ways to pay that change: a card that is replaced, an order of methods, collections that are turned off or closed, and
//! bank files that never reached the bank.

use indelible_domain::command::FailureKind;
use indelible_gateways::test_gateway::Step;
use serde_json::{Value, json};

use crate::collections::{Till, owing};

async fn ask(till: &Till, query: &str) -> Value {
    till.ask(query).await
}

async fn import(till: &Till, number: u32, opening: &str, closing: &str, line: &str) {
    let iban = "DE89370400440532013000";
    let file = format!(
        ":20:STARTUMS\n:25:{iban}\n:28C:{number}\n:60F:{opening}\n{line}:62F:{closing}\n-\n"
    );
    let take = r#"mutation($key: String!, $file: String!) { importBankStatement(idempotencyKey: $key, file: $file) {
        statements { booked expectedOpening } } }"#;
    let sent = json!({ "key": format!("statement-{number}"), "file": file });
    let taken = till.shop.acme.data(take, sent).await;
    assert_eq!(
        taken["importBankStatement"]["statements"],
        json!([{ "booked": 1, "expectedOpening": null }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_was_blocked_is_replaced_under_its_name_and_pays() {
    let till = owing([]).await;
    till.add_card("card-1", "decline-hard:lost_card").await;
    till.shop.move_to("2026-03-15T08:00:00Z");
    till.turn();
    let given_up = till.collection().await;
    assert_eq!(given_up["stage"], "GIVEN_UP");
    let change = r#"mutation { changePaymentMethod(idempotencyKey: "new", account: "alice", id: "card-1", means: { card: {
        gateway: "test", token: "tok_new", brand: "visa", last4: "1111", expiryYear: 2031, expiryMonth: 2 } }) {
        methods { methods { key usable blocked { code } means { ... on CardMeans { last4 goodThrough } } } } } }"#;
    assert_eq!(
        ask(&till, change).await["changePaymentMethod"]["methods"]["methods"],
        json!([{ "key": "card-1", "usable": true, "blocked": null,
            "means": { "last4": "1111", "goodThrough": "2031-02-28" } }])
    );
    let other_kind = r#"mutation { changePaymentMethod(idempotencyKey: "cash", account: "alice", id: "card-1",
        means: { brought: CASH }) { receipt { replayed } } }"#;
    let refused = till.shop.acme.error(other_kind, json!({})).await;
    assert_eq!(refused["extensions"]["code"], "METHOD_FIXED");
    let collect = r#"mutation { collect(idempotencyKey: "collect-again", input: { id: "again", account: "alice", invoice: "march.alice" }) {
        collection { stage why } } }"#;
    assert_eq!(
        ask(&till, collect).await["collect"]["collection"],
        json!({ "stage": "TRYING", "why": "ASKED" })
    );
    till.turn();
    assert_eq!(till.open().await, "0.00 EUR");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_collected_by_itself_where_that_is_turned_off_and_methods_are_tried_in_their_order()
 {
    let till = owing([]).await;
    till.add_card("card-1", "tok_1").await;
    till.add_card("card-2", "tok_2").await;
    let order = r#"mutation { orderPaymentMethods(idempotencyKey: "o", account: "alice", order: ["card-2", "card-1"]) {
        methods { preferred { key } methods { key } } } }"#;
    assert_eq!(
        ask(&till, order).await["orderPaymentMethods"]["methods"],
        json!({ "preferred": { "key": "card-2" }, "methods": [{ "key": "card-2" }, { "key": "card-1" }] })
    );
    let part = order
        .replace(r#"["card-2", "card-1"]"#, r#"["card-1"]"#)
        .replace(r#""o""#, r#""o2""#);
    let refused = till.shop.acme.error(&part, json!({})).await;
    assert_eq!(refused["extensions"]["code"], "METHODS_INCOMPLETE");
    let automatic = |key: &str, value: &str| {
        format!(
            r#"mutation {{ setAutomaticCollection(idempotencyKey: "{key}", account: "alice", automatic: {value}) {{
                methods {{ automatic }} }} }}"#
        )
    };
    let off = ask(&till, &automatic("off", "false")).await;
    assert_eq!(off["setAutomaticCollection"]["methods"]["automatic"], false);
    till.shop.move_to("2026-03-15T08:00:00Z");
    till.turn();
    assert_eq!(till.gateway.calls(), 0);
    let none = r#"{ collections(account: "alice") { nodes { key } } }"#;
    assert_eq!(ask(&till, none).await["collections"]["nodes"], json!([]));
    let as_entity = ask(&till, &automatic("as-entity", "null")).await;
    assert_eq!(
        as_entity["setAutomaticCollection"]["methods"]["automatic"],
        Value::Null
    );
    till.shop.move_to("2026-03-16T08:00:00Z");
    till.turn();
    let done = till.collection().await;
    assert_eq!(
        (&done["stage"], &done["attempts"][0]["method"]),
        (&json!("COLLECTED"), &json!("card-2"))
    );
    assert_eq!(till.open().await, "0.00 EUR");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_is_closed_makes_no_further_attempt() {
    let soft = Step::Decline {
        kind: FailureKind::Soft,
        code: "insufficient_funds".to_owned(),
    };
    let till = owing([soft]).await;
    till.add_card("card-1", "tok_1").await;
    till.shop.move_to("2026-03-15T08:00:00Z");
    till.turn();
    let waits = till.collection().await;
    assert_eq!(waits["next"]["on"], "2026-03-18");
    let close = r#"mutation($id: ID!) { closeCollection(idempotencyKey: "close", id: $id, reason: "she will transfer it") {
        collection { stage reason next { on } } } }"#;
    let closed = till
        .shop
        .acme
        .data(close, json!({ "id": waits["key"] }))
        .await;
    assert_eq!(
        closed["closeCollection"]["collection"],
        json!({ "stage": "CLOSED", "reason": "she will transfer it", "next": null })
    );
    till.shop.move_to("2026-03-18T08:00:00Z");
    till.turn();
    assert_eq!(till.gateway.calls(), 1);
    assert_eq!(till.open().await, "36.00 EUR");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_never_reached_the_bank_is_withdrawn_and_what_was_in_it_goes_out_and_comes_back_by_others()
 {
    let till = owing([]).await;
    let bank = |what: &str, days: u32, iban: &str| {
        format!(
            r#"mutation {{ {what}, input: {{ id: "bank", entity: "main", holder: "Acme Ltd",
                iban: "{iban}", bic: "COBADEFFXXX", creditorId: "DE98ZZZ09999999999", leadDays: {days} }}) {{
                bankAccount {{ iban leadDays }} }} }}"#
        )
    };
    let ours = "DE89370400440532013000";
    ask(
        &till,
        &bank(r#"openBankAccount(idempotencyKey: "open""#, 1, ours),
    )
    .await;
    let debit = r#"mutation { addPaymentMethod(idempotencyKey: "m", input: { account: "alice", id: "debit", means: { directDebit: {
        reference: "M-1", signed: "2026-02-01", account: { iban: "NL91ABNA0417164300", holder: "Alice Example" } } } }) {
        methods { preferred { key } } } }"#;
    ask(&till, debit).await;
    // Due on a Sunday, the 15th; looked at on Monday.
    till.shop.move_to("2026-03-16T08:00:00Z");
    till.turn();
    let payment = till.collection().await["attempts"][0]["payment"]["key"].take();
    let draw = |what: &str, file: &str| {
        format!(
            r#"mutation {{ {what}file: "{file}", idempotencyKey: "{file}", bank: "bank") {{
                left bankFile {{ withdrawn items {{ payment amount on sequence endToEnd }} content }} }} }}"#
        )
    };
    let first = ask(&till, &draw("drawDebits(", "debit-1")).await["drawDebits"]["bankFile"].take();
    assert_eq!(
        (&first["items"][0]["payment"], &first["items"][0]["on"]),
        (&payment, &json!("2026-03-17"))
    );
    let twice = till
        .shop
        .acme
        .error(&draw("drawDebits(", "debit-2"), json!({}))
        .await;
    assert_eq!(twice["extensions"]["code"], "NOTHING_TO_DRAW");
    let withdraw = r#"mutation { withdrawBankFile(idempotencyKey: "w", file: "debit-1", reason: "the line was cut") {
        bankFile { withdrawn } } }"#;
    let withdrawn = ask(&till, withdraw).await;
    assert_eq!(withdrawn["withdrawBankFile"]["bankFile"]["withdrawn"], true);
    // The bank wants its files earlier from now on.
    let changed = ask(
        &till,
        &bank(r#"changeBankAccount(idempotencyKey: "change""#, 3, ours),
    )
    .await;
    assert_eq!(
        changed["changeBankAccount"]["bankAccount"],
        json!({ "iban": ours, "leadDays": 3 })
    );
    let moved = bank(
        r#"changeBankAccount(idempotencyKey: "move""#,
        3,
        "DE02120300000000202051",
    );
    let refused = till.shop.acme.error(&moved, json!({})).await;
    assert_eq!(refused["extensions"]["code"], "BANK_ACCOUNT_FIXED");
    let second = ask(&till, &draw("drawDebits(", "debit-3")).await["drawDebits"]["bankFile"].take();
    assert_eq!(
        (&second["items"][0]["payment"], &second["items"][0]["on"]),
        (&payment, &json!("2026-03-19"))
    );
    let named = second["items"][0]["endToEnd"].as_str().expect("a name");
    till.shop.move_to("2026-03-19T08:00:00Z");
    let credit = format!(":61:2603190319CR36,00NDDTNONREF//B1\n:86:/EREF/{named}/\n");
    import(&till, 1, "C260316EUR0,", "C260319EUR36,", &credit).await;
    assert_eq!(till.open().await, "0.00 EUR");

    // Ten of it go back by a transfer: in a file, and then on the statement.
    let refund = r#"mutation($id: ID!) { refundPayment(idempotencyKey: "r", id: $id, amount: "10.00 EUR", reason: "goodwill") {
        payment { refunded } } }"#;
    let asked = till.shop.acme.data(refund, json!({ "id": payment })).await;
    assert_eq!(asked["refundPayment"]["payment"]["refunded"], "0.00 EUR");
    till.turn();
    let out =
        ask(&till, &draw("drawTransfers(", "out-1")).await["drawTransfers"]["bankFile"].take();
    assert_eq!(
        (&out["items"][0]["amount"], &out["items"][0]["sequence"]),
        (&json!("10.00 EUR"), &Value::Null)
    );
    let content = out["content"].as_str().expect("a file");
    for part in [
        "pain.001.001.09",
        "<IBAN>NL91ABNA0417164300</IBAN>",
        "<InstdAmt Ccy=\"EUR\">10.00</InstdAmt>",
    ] {
        assert!(content.contains(part), "{part} is not in {content}");
    }
    let named = out["items"][0]["endToEnd"].as_str().expect("a name");
    let debit = format!(":61:2603200320DR10,00NTRFNONREF//B2\n:86:/EREF/{named}/\n");
    till.shop.move_to("2026-03-24T08:00:00Z");
    import(&till, 2, "C260319EUR36,", "C260320EUR26,", &debit).await;
    let look = "query($id: ID!) { payment(id: $id) { refunded unapplied } balance(account: \"alice\") { open unapplied } }";
    let after = till.shop.acme.data(look, json!({ "id": payment })).await;
    assert_eq!(after["payment"]["refunded"], "10.00 EUR");
    assert_eq!(after["balance"]["open"], "10.00 EUR");
}
