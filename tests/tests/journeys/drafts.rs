//! The catalog as code and in drafts over HTTP: what would change, said before it does.

use serde_json::{Value, json};

use crate::http::Client;
use crate::shop;

const DRAFT: &str = "draft { key stage offers review { problems differences { code subscriptions concerns changes { part words } } } }";

async fn ask(client: &Client, mutation: &str, variables: Value) -> Value {
    let (head, body) = mutation.split_once('|').unwrap_or(("", mutation));
    client
        .data(&format!("mutation{head} {{ {body} }}"), variables)
        .await
}

#[tokio::test]
async fn what_a_file_would_change_is_said_in_words_and_to_whom() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let toml = shop::CATALOG.replace("0.05", "0.045");
    let review = "query($toml: String!) { reviewCatalog(toml: $toml) { problems differences { code version kind subscriptions
        concerns changes { part words } } } }";
    let found = shop.reader.data(review, json!({ "toml": toml })).await;
    let difference = &found["reviewCatalog"]["differences"][0];
    assert_eq!(found["reviewCatalog"]["problems"], json!([]));
    assert_eq!(difference["subscriptions"], 1);
    assert_eq!(
        difference["changes"],
        json!([{ "part": "voice", "words": "voice: price: 0.05 EUR per minute → 0.045 EUR per minute" }])
    );
    assert_eq!(
        difference["concerns"],
        "affects new contracts only, 1 subscriptions keep what they have"
    );
    let wrong = toml.replace("name = \"Basic\"", "name = \"\"");
    let found = shop.reader.data(review, json!({ "toml": wrong })).await;
    assert_eq!(
        found["reviewCatalog"]["problems"],
        json!(["offer basic: it has no name"])
    );
}

#[tokio::test]
async fn a_draft_is_worked_on_piece_by_piece_and_published_as_a_whole() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    let acme = &shop.acme;
    shop::furnish(acme).await;
    let put = format!(
        "($value: JSON!)|putDraftOfferPart(idempotencyKey: \"p1\", input: {{ draft: \"spring\", offer: \"basic\", part: RECURRING, value: $value }}) {{ {DRAFT} }}"
    );
    let fee = json!({ "code": "fee", "name": "Monthly fee", "price": { "flat": "25.00" }, "every": "1 month" });
    let draft = ask(acme, &put, json!({ "value": fee })).await;
    let review = &draft["putDraftOfferPart"]["draft"]["review"];
    assert_eq!(
        review["differences"][0]["changes"],
        json!([{ "part": "fee", "words": "fee: price: 30 EUR → 25 EUR" }])
    );
    let offer = "($offer: JSON!)|putDraftOffer(idempotencyKey: \"p2\", draft: \"spring\", offer: $offer) { draft { offers } }";
    let other = json!({ "code": "extra", "name": "Extra", "currency": "EUR",
        "one_off": [{ "code": "visit", "name": "Visit", "amount": "10", "on": "activation" }] });
    ask(acme, offer, json!({ "offer": other })).await;
    let drop_part = format!(
        "dropDraftOfferPart(idempotencyKey: \"p3\", draft: \"spring\", offer: \"extra\", part: ONE_OFF, code: \"visit\") {{ {DRAFT} }}"
    );
    let draft = ask(acme, &drop_part, json!({})).await;
    let problems = &draft["dropDraftOfferPart"]["draft"]["review"]["problems"];
    assert_eq!(
        problems.as_array().expect("problems").len(),
        1,
        "{problems}"
    );
    let publish = |key: &str| {
        format!(
            "publishCatalogDraft(idempotencyKey: \"{key}\", draft: \"spring\") {{ draft {{ stage }} }}"
        )
    };
    let refused = acme
        .error(&format!("mutation {{ {} }}", publish("p4")), json!({}))
        .await;
    assert_eq!(refused["extensions"]["code"], "CATALOG_INVALID");
    let drop_offer = "dropDraftOffer(idempotencyKey: \"p5\", draft: \"spring\", offer: \"extra\") { draft { offers } }";
    ask(acme, drop_offer, json!({})).await;
    let list = "($list: JSON!)|putDraftPriceList(idempotencyKey: \"p6\", draft: \"spring\", list: $list) { draft { priceLists } }";
    let austria = json!({ "code": "austria", "currency": "EUR", "country": "AT",
        "item": [{ "offer": "basic", "percent": "-10" }] });
    let draft = ask(acme, list, json!({ "list": austria })).await;
    assert_eq!(
        draft["putDraftPriceList"]["draft"]["priceLists"][0]["code"],
        "austria"
    );
    let drop_list = "dropDraftPriceList(idempotencyKey: \"p7\", draft: \"spring\", list: \"austria\") { draft { priceLists } }";
    ask(acme, drop_list, json!({})).await;
    let done = ask(acme, &publish("p8"), json!({})).await;
    assert_eq!(done["publishCatalogDraft"]["draft"]["stage"], "PUBLISHED");
    let seen = "{ offer(code: \"basic\") { version charges { code price } } }";
    let offer = shop.reader.data(seen, json!({})).await;
    assert_eq!(offer["offer"]["version"], 2);
    assert_eq!(
        offer["offer"]["charges"][0]["price"],
        json!({ "flat": "25" })
    );
    let discard = "mutation { discardCatalogDraft(idempotencyKey: \"p9\", draft: \"spring\") { draft { stage } } }";
    let closed = acme.error(discard, json!({})).await;
    assert_eq!(closed["extensions"]["code"], "DRAFT_CLOSED");
    let query = "{ catalogDraft(id: \"spring\") { stage } }";
    let draft = shop.reader.data(query, json!({})).await;
    assert_eq!(draft["catalogDraft"]["stage"], "PUBLISHED");
}
