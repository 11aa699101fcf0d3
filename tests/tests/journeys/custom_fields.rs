//! Custom fields over HTTP: defined, dated, inherited, asked for by expressions, and forgotten with a person.

use serde_json::{Value, json};

use crate::shop;

const DEFINE: &str = r#"mutation($key: String!, $input: CustomFieldInput!) {
    defineCustomField(idempotencyKey: $key, input: $input) { field { code of type required default allowed personal inheritance } receipt { replayed } } }"#;

const SET: &str = r#"mutation($key: String!, $input: CustomFieldValueInput!) {
    setCustomField(idempotencyKey: $key, input: $input) { value { value setFor from until priority } } }"#;

const SEEN: &str = r#"query($on: Date) {
    account(id: "alice") { customFields(on: $on) { field { code } value setFor } }
    subscription(id: "s1") { customFields(on: $on) { field { code } value setFor } }
    offer(code: "basic") { customFields(on: $on) { field { code } value setFor } }
    customFields(of: CHARGE, id: "basic/voice", on: $on) { field { code } value setFor } }"#;

fn said(of: &Value, field: &str) -> (Value, Value) {
    let fields = of["customFields"].as_array().expect("fields");
    let found = fields.iter().find(|f| f["field"]["code"] == field);
    let found = found.unwrap_or_else(|| panic!("{field} in {fields:#?}"));
    (found["value"].clone(), found["setFor"].clone())
}

#[tokio::test]
async fn a_business_describes_its_customers_and_its_expressions_ask_for_it() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let everywhere = json!(["LEGAL_ENTITY", "ACCOUNT", "SUBSCRIPTION", "OFFER", "CHARGE"]);
    let segment = json!({ "code": "segment", "name": "Segment", "of": everywhere, "type": "CHOICE",
        "allowed": ["silver", "gold"], "default": "silver" });
    let define = |key: &str, input: Value| json!({ "key": key, "input": input });
    let done = shop.acme.data(DEFINE, define("f1", segment.clone())).await;
    assert_eq!(
        done["defineCustomField"]["field"],
        json!({ "code": "segment", "of": everywhere, "type": "CHOICE", "required": false,
            "default": "silver", "allowed": ["silver", "gold"], "personal": false, "inheritance": "NEAREST" })
    );
    let again = shop.acme.data(DEFINE, define("f1", segment)).await;
    assert_eq!(again["defineCustomField"]["receipt"]["replayed"], true);
    let birthday =
        json!({ "code": "birthday", "name": "Birthday", "of": ["ACCOUNT"], "personal": true });
    shop.acme.data(DEFINE, define("f2", birthday)).await;
    let refused = shop
        .reader
        .error(
            DEFINE,
            define("f3", json!({ "code": "x", "name": "X", "of": ["OFFER"] })),
        )
        .await;
    assert_eq!(refused["extensions"]["code"], "SCOPE_TOO_SMALL");

    let set = |key: &str, of: &str, id: &str, field: &str, value: &str, from: Value| json!({ "key": key, "input": { "of": of, "id": id, "field": field, "value": value, "from": from } });
    let gold = set(
        "v1",
        "ACCOUNT",
        "alice",
        "segment",
        "gold",
        json!("2026-04-01"),
    );
    let now = shop.acme.data(SET, gold).await;
    assert_eq!(
        now["setCustomField"]["value"]["value"], "silver",
        "it is March"
    );
    let offer = set("v2", "OFFER", "basic", "segment", "gold", Value::Null);
    shop.acme.data(SET, offer).await;
    let unknown = set("v3", "ACCOUNT", "alice", "segment", "bronze", Value::Null);
    let refused = shop.acme.error(SET, unknown).await;
    assert_eq!(refused["extensions"]["code"], "FIELD_VALUE_INVALID");
    shop.acme
        .data(
            SET,
            set(
                "v4",
                "ACCOUNT",
                "account:alice",
                "birthday",
                "1 May 1980",
                Value::Null,
            ),
        )
        .await;

    let march = shop.reader.data(SEEN, json!({ "on": "2026-03-31" })).await;
    let april = shop.reader.data(SEEN, json!({ "on": "2026-04-01" })).await;
    let silver = (json!("silver"), Value::Null);
    let alices = (json!("gold"), json!("account/alice"));
    let offers = (json!("gold"), json!("offer/basic"));
    assert_eq!(said(&march["account"], "segment"), silver);
    assert_eq!(said(&march["subscription"], "segment"), silver);
    assert_eq!(said(&april["account"], "segment"), alices);
    assert_eq!(
        said(&april["subscription"], "segment"),
        alices,
        "it is inherited"
    );
    assert_eq!(said(&april["offer"], "segment"), offers);
    assert_eq!(
        said(&april, "segment"),
        offers,
        "a charge has what its offer has"
    );
    assert_eq!(said(&april["account"], "birthday").0, "1 May 1980");

    let problems = r#"query($e: String!) { checkExpression(expression: $e, for: USAGE, kind: BOOLEAN) { column message } }"#;
    let good = json!({ "e": "field(\"segment\") = \"gold\" and quantity > 60" });
    assert_eq!(
        shop.reader.data(problems, good).await["checkExpression"],
        json!([])
    );
    let bad = json!({ "e": "quantity + field(\"birthday\")" });
    let found = shop.reader.data(problems, bad).await["checkExpression"].take();
    assert_eq!(
        found[0]["column"], 10,
        "a sum is a number, asked for is a boolean"
    );
    assert_eq!(
        found[1],
        json!({ "column": 12, "message": "there is no custom field \"birthday\" here (there are segment)" })
    );
    let names = shop
        .reader
        .data(
            "{ expressionNames(for: CONTRACT) { name kind } }",
            json!({}),
        )
        .await;
    let names = names["expressionNames"].as_array().expect("names");
    assert!(names.contains(&json!({ "name": "account.country", "kind": "TEXT" })));
    assert!(names.contains(&json!({ "name": "field(\"segment\")", "kind": "TEXT" })));

    let forget = r#"mutation { forgetAccount(idempotencyKey: "g", input: { account: "alice", purposes: [CONTACT] }) { keysDestroyed } }"#;
    shop.acme.data(forget, json!({})).await;
    let after = shop.acme.data(SEEN, json!({ "on": "2026-04-01" })).await;
    assert_eq!(
        said(&after["account"], "birthday"),
        (Value::Null, json!("account/alice"))
    );
    assert_eq!(
        said(&after["account"], "segment"),
        alices,
        "what is about nobody stays"
    );

    let clear = r#"mutation { clearCustomField(idempotencyKey: "c1", input: { of: ACCOUNT, id: "alice", field: "segment", from: "2026-04-01" }) { value { value } } }"#;
    shop.acme.data(clear, json!({})).await;
    let periods = r#"{ customFieldPeriods(of: ACCOUNT, id: "alice") { field value from until priority } customFieldDefinitions { code } }"#;
    let left = shop.acme.data(periods, json!({})).await;
    assert_eq!(
        left["customFieldPeriods"],
        json!([{ "field": "birthday", "value": null, "from": null, "until": null, "priority": 0 }])
    );
    assert_eq!(
        left["customFieldDefinitions"],
        json!([{ "code": "birthday" }, { "code": "segment" }])
    );
    let withdraw = r#"mutation { withdrawCustomField(idempotencyKey: "w", code: "birthday") { field { code } } }"#;
    let gone = shop.acme.data(withdraw, json!({})).await;
    assert_eq!(gone["withdrawCustomField"]["field"], Value::Null);
}
