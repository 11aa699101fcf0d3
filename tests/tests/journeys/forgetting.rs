//! Forgetting a customer: the person goes, the books stay, and the law is waited for.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use indelible_api::clock::Clock;
use indelible_api::forget;
use indelible_api::office::Office;
use indelible_domain::accounts::{AccountTerms, Contact};
use indelible_domain::command::Command;
use indelible_domain::kernel::{Instant, Purpose};
use indelible_store::Request;
use serde_json::{Value, json};

use crate::shop::{self, Shop};

const CALLS: &str = "key,metric,access,at,quantity\nc1,voice,+49 170 1,2026-03-02T10:00:00Z,600\n";

/// What names alice, as she is furnished, and where she lives.
const NAMES: [&str; 4] = [
    "Alice Example",
    "alice@example.org",
    "1 Quiet Lane",
    "+49 170 1",
];

const FORGET: &str = r#"mutation($key: String!, $account: ID!, $purposes: [Purpose!]!) {
    forgetAccount(idempotencyKey: $key, input: { account: $account, purposes: $purposes }) {
        keysDestroyed account { contact { name } forgotten { purposes on by } } receipt { replayed } } }"#;

const PERSON: &str = r#"{
    account(id: "alice") { contact { name email } personalData { purpose held keptThrough forgettableFrom } }
    invoice(id: "april.alice") { buyer { name address } number
        lines(first: 9) { nodes { kind charges(first: 9) { nodes { record { raw } } } } } }
    events(stream: "account:alice", first: 50) { nodes { type data } }
    documents: events(stream: "invoice:april.alice", first: 50) { nodes { type data } }
}"#;

const BOOKS: &str = r#"{
    account(id: "alice") { balance { balance open unapplied } }
    balances(first: 9) { nodes { account { key } balance } }
    aging(day: "2026-06-01") { totals { currency open overdue } }
    invoice(id: "april.alice") { total tax open lines(first: 9) { nodes { net charges(first: 9) { nodes { exact } } } } }
}"#;

/// What the books say, with everything in them that was written so far.
async fn books(shop: &Shop) -> Value {
    shop.follows();
    shop.acme.data(BOOKS, json!({})).await
}

/// Alice with a name, an address, a used number, two invoices and a payment.
async fn history(shop: &Shop) {
    shop::furnish(&shop.acme).await;
    let change = r#"mutation { changeAccount(idempotencyKey: "move", input: { id: "alice", contact: {
        name: "Alice Example", email: "alice@example.org", address: "1 Quiet Lane" } }) { account { key } } }"#;
    shop.acme.data(change, json!({})).await;
    shop::bill(&shop.acme, "march").await;
    let ingest = r#"mutation($file: String!) { ingestUsage(idempotencyKey: "u", input: {
        batch: "b1", source: "switch", format: RECORDS, file: $file }) { counts { rated } } }"#;
    let done = shop.acme.data(ingest, json!({ "file": CALLS })).await;
    assert_eq!(done["ingestUsage"]["counts"]["rated"], 1);
    shop.move_to("2026-04-01T08:00:00Z");
    shop::bill(&shop.acme, "april").await;
    let pay = r#"mutation { recordPayment(idempotencyKey: "p", input: {
        id: "p1", account: "alice", amount: "10.00 EUR", method: "transfer" }) { receipt { position } } }"#;
    shop.acme.data(pay, json!({})).await;
}

async fn forget(shop: &Shop, key: &str, purposes: &[&str]) -> Value {
    let asked = json!({ "key": key, "account": "alice", "purposes": purposes });
    shop.acme.data(FORGET, asked).await["forgetAccount"].take()
}

fn raw(person: &Value) -> Vec<Value> {
    let lines = person["invoice"]["lines"]["nodes"]
        .as_array()
        .expect("lines");
    let usage = lines.iter().find(|line| line["kind"] == "USAGE");
    let charges = usage.expect("a usage line")["charges"]["nodes"].as_array();
    let charges = charges.expect("charges").iter();
    charges
        .map(|charge| charge["record"]["raw"].clone())
        .collect()
}

fn data<'a>(facts: &'a Value, kind: &str) -> &'a Value {
    let facts = facts["nodes"].as_array().expect("facts");
    let found = facts.iter().find(|fact| fact["type"] == kind);
    &found.unwrap_or_else(|| panic!("a fact {kind} in {facts:#?}"))["data"]
}

/// Every file below a directory.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
    found
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// No file of the directory and no payload of the log holds a name; what is no secret is found in both.
fn names_nobody(shop: &Shop, dir: &Path) {
    shop.follows();
    let files = files(dir);
    let events = shop
        .office
        .store()
        .read(0, 10_000)
        .expect("the log is read");
    assert_eq!(events.len() as u64, shop.office.store().head());
    for name in NAMES {
        for (file, bytes) in &files {
            assert!(!holds(bytes, name), "{file} holds {name}");
        }
        for event in &events {
            assert!(
                !holds(&event.payload, name),
                "{} holds {name}",
                event.event_type
            );
        }
    }
    for known in ["alice", "Acme Ltd"] {
        assert!(
            files.iter().any(|(_, bytes)| holds(bytes, known)),
            "no file holds {known}"
        );
    }
    assert!(events.iter().any(|event| holds(&event.payload, "Acme Ltd")));
}

/// The chain of hashes, the state and the read models are what the log says.
fn verifies(shop: &Shop) {
    let head = shop.office.store().head();
    let verified = shop
        .office
        .store()
        .verify(&mut |_, _| {})
        .expect("the log verifies");
    assert_eq!(verified.head, head);
    let tenant = |books: &_| indelible_domain::audit::audit(books);
    assert_eq!(
        shop.office.ledger.read("acme", tenant),
        Vec::<String>::new()
    );
    let differs = shop
        .office
        .views
        .verify(&mut |_| {})
        .expect("the views are compared");
    assert_eq!(differs, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_customer_is_nowhere_and_the_books_stay() {
    let dir = tempfile::tempdir().expect("a folder");
    let shop = shop::open_in(dir.path(), "2026-03-01T08:00:00Z").await;
    history(&shop).await;
    names_nobody(&shop, dir.path());
    let before = shop.acme.data(PERSON, json!({})).await;
    assert_eq!(before["account"]["contact"]["name"], "Alice Example");
    let buyer = json!({ "name": "Alice Example", "address": "1 Quiet Lane" });
    assert_eq!(before["invoice"]["buyer"], buyer);
    assert_eq!(raw(&before), [CALLS.lines().nth(1).expect("a line")]);
    assert_eq!(
        before["account"]["personalData"],
        json!([
            { "purpose": "CONTACT", "held": true, "keptThrough": null, "forgettableFrom": null },
            { "purpose": "LEGAL_DOCUMENT", "held": true, "keptThrough": "2036-12-31", "forgettableFrom": "2037-01-01" },
            { "purpose": "USAGE_RAW", "held": true, "keptThrough": null, "forgettableFrom": null },
            { "purpose": "PAYMENT", "held": false, "keptThrough": null, "forgettableFrom": null },
        ])
    );
    let told = books(&shop).await;

    let done = forget(&shop, "f1", &["CONTACT", "USAGE_RAW"]).await;
    assert_eq!(done["keysDestroyed"], 2);
    assert_eq!(done["account"]["contact"], json!(null));
    assert_eq!(
        done["account"]["forgotten"],
        json!([{ "purposes": ["CONTACT", "USAGE_RAW"], "on": "2026-04-01", "by": "key:test" }])
    );
    let again = forget(&shop, "f1", &["CONTACT", "USAGE_RAW"]).await;
    assert_eq!(again["receipt"]["replayed"], true);
    assert_eq!(again["keysDestroyed"], 0);

    let after = shop.acme.data(PERSON, json!({})).await;
    assert_eq!(after["account"]["contact"], json!(null));
    assert_eq!(raw(&after), [json!(null)]);
    assert_eq!(after["account"]["personalData"][0]["held"], false);
    assert_eq!(after["account"]["personalData"][2]["held"], false);
    // Documents show their buyer; elsewhere not even that is shown.
    assert_eq!(after["invoice"]["buyer"], buyer);
    assert_eq!(
        data(&after["documents"], "invoice.finalised")["buyer"],
        buyer
    );
    let opened = &data(&after["events"], "account.opened")["terms"];
    assert_eq!(
        (&opened["contact"], &opened["buyer"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(books(&shop).await, told);
    names_nobody(&shop, dir.path());
    verifies(&shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn legal_documents_are_kept_until_their_retention_ends_and_not_longer() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    history(&shop).await;
    let told = books(&shop).await;
    let asked = json!({ "key": "l", "account": "alice", "purposes": ["LEGAL_DOCUMENT"] });
    for now in ["2026-04-02T08:00:00Z", "2036-12-31T22:59:59Z"] {
        shop.move_to(now);
        let error = shop.acme.error(FORGET, asked.clone()).await;
        assert_eq!(error["extensions"]["code"], "RETENTION_NOT_OVER", "{error}");
        let says = error["message"].as_str().expect("a sentence");
        assert!(says.contains("must be kept until 2036-12-31"), "{says}");
    }
    // Midnight in Berlin, where the seller is.
    shop.move_to("2036-12-31T23:00:00Z");
    let done = forget(&shop, "l", &["LEGAL_DOCUMENT"]).await;
    assert_eq!(done["keysDestroyed"], 1);
    let after = shop.acme.data(PERSON, json!({})).await;
    assert_eq!(after["invoice"]["buyer"], json!(null));
    assert_eq!(
        data(&after["documents"], "invoice.finalised")["buyer"],
        json!(null)
    );
    assert_eq!(after["invoice"]["number"], "2026-000002");
    // The contact is another purpose, and was not asked for.
    assert_eq!(after["account"]["contact"]["name"], "Alice Example");
    assert_eq!(books(&shop).await, told);
    verifies(&shop);
}

#[tokio::test]
async fn a_legal_entity_may_keep_its_documents_for_another_time() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    history(&shop).await;
    let set = r#"mutation { setRetention(idempotencyKey: "r", input: { entity: "main", from: "2025-01-01", years: 8 })
        { entity { retention { from years } } } }"#;
    let done = shop.acme.data(set, json!({})).await;
    let rules = &done["setRetention"]["entity"]["retention"];
    assert_eq!(rules, &json!([{ "from": "2025-01-01", "years": 8 }]));
    let person = shop.acme.data(PERSON, json!({})).await;
    let legal = &person["account"]["personalData"][1];
    assert_eq!(legal["forgettableFrom"], "2035-01-01");
    let error = shop.reader.error(set, json!({})).await;
    assert_eq!(error["extensions"]["code"], "SCOPE_TOO_SMALL");
}

#[tokio::test]
async fn only_an_admin_of_the_tenant_forgets_its_customers() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let asked = json!({ "key": "f", "account": "alice", "purposes": ["CONTACT"] });
    let error = shop.reader.error(FORGET, asked.clone()).await;
    assert_eq!(error["extensions"]["code"], "SCOPE_TOO_SMALL");
    let error = shop.rival.error(FORGET, asked).await;
    assert_eq!(error["extensions"]["code"], "ACCOUNT_UNKNOWN");
    let person = shop.acme.data(PERSON, json!({})).await;
    assert_eq!(person["account"]["contact"]["name"], "Alice Example");
}

#[tokio::test]
async fn who_comes_back_is_known_by_what_is_new() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    forget(&shop, "f", &["CONTACT"]).await;
    let change = r#"mutation { changeAccount(idempotencyKey: "back", input: { id: "alice", contact: {
        name: "Alice Again" } }) { account { contact { name email } } } }"#;
    let back = shop.acme.data(change, json!({})).await;
    assert_eq!(
        back["changeAccount"]["account"]["contact"]["name"],
        "Alice Again"
    );
    let person = shop.acme.data(PERSON, json!({})).await;
    let opened = &data(&person["events"], "account.opened")["terms"];
    assert_eq!(opened["contact"], json!(null), "the old stays forgotten");
    assert_eq!(forget(&shop, "f2", &["CONTACT"]).await["keysDestroyed"], 1);
}

#[tokio::test]
async fn a_number_that_two_customers_had_is_not_forgotten_with_one_of_them() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    history(&shop).await;
    let query = r#"mutation { openAccount(idempotencyKey: "bob", input: { id: "bob", entity: "main" }) { account { key } }
        startSubscription(idempotencyKey: "s2", input: {
            id: "s2", account: "bob", offer: "basic", from: "2026-04-01", access: ["+49 170 1"]
        }) { subscription { stage } } }"#;
    shop.acme.data(query, json!({})).await;
    assert_eq!(forget(&shop, "f", &["USAGE_RAW"]).await["keysDestroyed"], 0);
    let person = shop.acme.data(PERSON, json!({})).await;
    assert_eq!(raw(&person), [CALLS.lines().nth(1).expect("a line")]);
}

const DATE: &str = "2026-03-01T08:00:00Z";

fn now() -> Instant {
    DATE.parse().expect("an instant")
}

fn office(dir: &Path) -> std::sync::Arc<Office> {
    Office::open(dir, Clock::movable(now())).expect("the directory opens")
}

fn hand_in(office: &Office, command: Command) {
    let request = Request::new("acme", "test", now(), command);
    office.ledger.execute(request).expect("it is done");
}

fn forget_by_log(office: &Office) {
    let purposes = BTreeSet::from([Purpose::Contact]);
    let command = office.ledger.read("acme", |books| {
        forget::command(&office.keyring, "acme", books, "bob", purposes, "test")
    });
    hand_in(
        office,
        Command::ForgetAccount(Box::new(command.expect("keys"))),
    );
}

/// Bob as accounts were before documents had a buyer of their own: with a contact and nothing else.
fn open_bob(office: &Office) {
    let entity = indelible_domain::entities::EntityTerms {
        name: "Acme Ltd".into(),
        ..Default::default()
    };
    hand_in(
        office,
        Command::OpenEntity {
            entity: "main".into(),
            terms: entity,
        },
    );
    let bob = Contact {
        name: "Bob Sample".into(),
        ..Contact::default()
    };
    let sealed = forget::seal(&office.keyring, "acme", "bob", Purpose::Contact, &bob);
    let terms = AccountTerms {
        entity: "main".into(),
        contact: Some(sealed.expect("is sealed")),
        ..AccountTerms::default()
    };
    hand_in(
        office,
        Command::OpenAccount {
            account: "bob".into(),
            terms,
        },
    );
}

fn living(office: &Office, purpose: Purpose) -> bool {
    office.keyring.key_id("acme", "bob", purpose).is_some()
}

#[test]
fn keys_that_the_log_says_are_destroyed_are_destroyed_at_the_next_start() {
    let dir = tempfile::tempdir().expect("a folder");
    let keys = dir.path().join("keys");
    {
        let office = office(dir.path());
        open_bob(&office);
        // The process ends between the fact and the deed.
        forget_by_log(&office);
        assert!(living(&office, Purpose::Contact));
    }
    // A backup of the keys from before.
    let backup = fs::read(&keys).expect("the keys");
    for _ in 0..2 {
        let office = office(dir.path());
        assert!(!living(&office, Purpose::Contact));
        assert!(living(&office, Purpose::LegalDocument));
        drop(office);
        fs::write(&keys, &backup).expect("the backup comes back");
    }
}

#[test]
fn an_account_of_before_keeps_the_buyer_of_its_documents_when_its_contact_goes() {
    let dir = tempfile::tempdir().expect("a folder");
    let office = office(dir.path());
    open_bob(&office);
    assert!(!living(&office, Purpose::LegalDocument));
    forget_by_log(&office);
    assert_eq!(
        forget::destroy(&office.keyring, &office.ledger, "acme", "bob").expect("is destroyed"),
        1
    );
    let terms = office.ledger.read("acme", |books| {
        books.tables.accounts["bob"].state.terms.clone()
    });
    assert_eq!(terms.contact, None);
    let buyer = forget::open(&office.keyring, &terms.buyer.expect("a buyer")).expect("opens");
    assert_eq!(buyer.map(|buyer| buyer.name), Some("Bob Sample".to_owned()));
}
