//! A proof, asked for by GraphQL or on the command line, and checked by somebody who has only the files.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command as Process, Output};

use indelible_api::clock::Clock;
use indelible_api::ingest;
use indelible_api::office::Office;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::command::StartSubscription;
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::Decimal;
use indelible_domain::{Command, catalog};
use indelible_store::Request;
use indelible_store::proof::{PublicKey, check};
use serde_json::{Value, json};

use crate::shop;

const FILE: &str = "key,metric,access,at,quantity\n\
    c1,voice,+49 170 1,2026-03-02T10:00:00Z,600\n\
    c2,voice,+49 170 1,2026-03-03T10:00:00Z,61\n";

const PROOF: &str = "query($id: ID!) { proof(invoice: $id) { file checkpoint key says } }";

#[tokio::test]
async fn a_served_ledger_answers_with_a_proof_that_holds_without_it() {
    let shop = shop::open("2026-03-10T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    let ingest = r#"mutation($file: String!) { ingestUsage(idempotencyKey: "u", input: {
        batch: "b1", source: "switch", format: RECORDS, file: $file }) { counts { rated } } }"#;
    shop.acme.data(ingest, json!({ "file": FILE })).await;
    shop.move_to("2026-04-01T08:00:00Z");
    let billed = shop::bill(&shop.acme, "april").await;
    let number = billed["invoices"][0]["number"].clone();
    let by_number = shop.acme.data(PROOF, json!({ "id": number })).await["proof"].take();
    let by_id = shop
        .acme
        .data(PROOF, json!({ "id": "invoice:april.alice" }))
        .await["proof"]
        .take();
    assert_eq!(by_number, by_id);
    let text = |name: &str| by_id[name].as_str().expect("a text").to_owned();
    let published = shop
        .acme
        .data("{ checkpoint { note key size } }", json!({}))
        .await;
    let published = &published["checkpoint"];
    assert_eq!(
        published["note"], by_id["checkpoint"],
        "nothing was written since"
    );
    assert_eq!(published["size"], json!(shop.office.store().head()));
    let key: PublicKey = text("key").parse().expect("a key");
    let checked = check(&text("file"), &text("checkpoint"), &key).expect("it holds");
    assert_eq!(json!(checked.proven.sentences()), by_id["says"]);
    assert_eq!(json!(checked.proven.number), number);
    let file = text("file");
    assert!(
        !file.contains("Alice Example") && !file.contains("+49 170 1"),
        "no personal data"
    );
}

#[tokio::test]
async fn proofs_need_scope_operate_and_know_no_other_tenant() {
    let shop = shop::open("2026-03-01T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop::bill(&shop.acme, "march").await;
    let id = json!({ "id": "march.alice" });
    let code = |error: &Value| error["extensions"]["code"].clone();
    assert_eq!(
        code(&shop.reader.error(PROOF, id.clone()).await),
        "SCOPE_TOO_SMALL"
    );
    assert_eq!(
        code(
            &shop
                .reader
                .error("{ checkpoint { size } }", json!({}))
                .await
        ),
        "SCOPE_TOO_SMALL"
    );
    assert_eq!(code(&shop.rival.error(PROOF, id).await), "NOT_FOUND");
    let draft = r#"mutation { draftInvoice(idempotencyKey: "d", id: "d1", account: "alice", asOf: "2026-05-01")
        { invoice { stage } } }"#;
    shop.acme.data(draft, json!({})).await;
    let early = shop.acme.error(PROOF, json!({ "id": "d1" })).await;
    assert_eq!(code(&early), "INVOICE_NOT_FINAL");
}

/// A data directory with one account, ready to be used on the command line.
pub fn furnish(data: &Path) {
    let now = "2026-03-01T08:00:00Z".parse().expect("an instant");
    let office = Office::open(data, Clock::movable(now)).expect("a new ledger");
    let start = StartSubscription {
        subscription: "s1".into(),
        account: "alice".into(),
        offer: "basic".into(),
        quantity: Decimal::ONE,
        from: Some("2026-03-01".parse().expect("a date")),
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec![ingest::access(&office.keyring, "default", "+49 170 1")],
    };
    let commands = [
        Command::OpenEntity {
            entity: "main".into(),
            terms: EntityTerms {
                name: "Acme".into(),
                ..EntityTerms::default()
            },
        },
        Command::ApplyCatalog {
            offers: catalog::parse(shop::CATALOG).expect("a catalog"),
        },
        Command::OpenAccount {
            account: "alice".into(),
            terms: AccountTerms {
                entity: "main".into(),
                currency: "EUR".parse().expect("a currency"),
                ..AccountTerms::default()
            },
        },
        Command::StartSubscription(Box::new(start)),
    ];
    for command in commands {
        let request = Request::new("default", "test", now, command);
        office.ledger.execute(request).expect("accepted");
    }
}

fn indelible(folder: &Path, arguments: &[&str]) -> Output {
    Process::new(env!("CARGO_BIN_EXE_indelible-under-test"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program starts")
}

pub fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = indelible(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

pub fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = indelible(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn an_auditor_checks_an_invoice_on_the_command_line_with_three_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    furnish(&here.join("data"));
    std::fs::write(here.join("calls.csv"), FILE).expect("written");
    let ingest = [
        "ingest",
        "calls.csv",
        "--format",
        "records",
        "--data",
        "data",
    ];
    done(here, &ingest);
    let bill = ["bill", "--as-of", "2026-04-01", "--data", "data", "--json"];
    let billed: Value = serde_json::from_str(&done(here, &bill)).expect("JSON");
    let number = billed["invoices"][0]["number"]
        .as_str()
        .expect("a number")
        .to_owned();

    let key = done(here, &["checkpoint", "--key", "--data", "data"]);
    std::fs::write(here.join("indelible.key"), key).expect("written");
    let prove = [
        "prove",
        "invoice",
        &number,
        "--data",
        "data",
        "--out",
        "invoice.proof",
    ];
    let made = done(here, &prove);
    assert!(made.contains("events"), "{made}");
    let note = done(here, &["checkpoint", "--data", "data"]);
    assert!(
        made.ends_with(&note),
        "the proof made the checkpoint: {made}"
    );
    assert_eq!(
        done(here, &["checkpoint", "--list", "--data", "data"]),
        note
    );
    std::fs::write(here.join("published.txt"), &note).expect("written");
    let verified = done(here, &["verify", "--data", "data", "--json"]);
    let verified: Value = serde_json::from_str(&verified).expect("JSON");
    assert_eq!(verified["checkpoints"], 1);

    // The auditor has the three files and nothing else.
    std::fs::remove_dir_all(here.join("data")).expect("removed");
    let arguments = [
        "prove",
        "--check",
        "invoice.proof",
        "--checkpoint",
        "published.txt",
        "--key",
        "indelible.key",
    ];
    let proven = done(here, &arguments);
    assert!(
        proven.contains(&format!("invoice {number} for account alice")),
        "{proven}"
    );
    assert!(
        proven.contains("from 2 usage records in 1 facts"),
        "{proven}"
    );
    assert!(!here.join("data").exists(), "the check makes nothing");

    let file = std::fs::read_to_string(here.join("invoice.proof")).expect("readable");
    let changed = file.replacen("\"leaf\": \"AQ", "\"leaf\": \"Ag", 1);
    assert_ne!(changed, file);
    std::fs::write(here.join("invoice.proof"), changed).expect("written");
    let sentence = refused(here, &arguments);
    assert!(sentence.contains("the event at position"), "{sentence}");
}
