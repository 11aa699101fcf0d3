//! Statements of a bank come in, files for it go out, and what comes back says what became of each collection.

use indelible_api::forget;
use indelible_domain::Command;
use indelible_domain::command::AddMethod;
use indelible_domain::kernel::{Instant, Purpose};
use indelible_domain::methods::{BankAccount, Mandate, Means, Scheme, SealedBank};
use indelible_store::Request;
use serde_json::{Value, json};

use crate::shop::{self, Shop};

const OURS: &str = "DE89370400440532013000";
const ALICES: &str = "NL91ABNA0417164300";

async fn billed() -> Shop {
    let shop = shop::open("2026-03-02T08:00:00Z").await;
    shop::furnish(&shop.acme).await;
    shop::bill(&shop.acme, "march").await;
    let open = r#"mutation { openBankAccount(idempotencyKey: "b", input: {
        id: "bank", entity: "main", holder: "Acme Ltd", iban: "DE89 3704 0044 0532 0130 00", bic: "COBADEFFXXX",
        creditorId: "DE98ZZZ09999999999", leadDays: 1
    }) { bankAccount { iban leadDays } } }"#;
    let opened = shop.acme.data(open, json!({})).await;
    assert_eq!(opened["openBankAccount"]["bankAccount"]["iban"], OURS);
    shop
}

/// One MT940 statement of these lines.
fn statement(number: u32, opening: &str, closing: &str, lines: &str) -> String {
    format!(":20:STARTUMS\n:25:{OURS}\n:28C:{number}\n:60F:{opening}\n{lines}:62F:{closing}\n-\n")
}

async fn import(shop: &Shop, key: &str, file: &str) -> Value {
    let ask = r#"mutation($key: String!, $file: String!) { importBankStatement(idempotencyKey: $key, file: $file) {
        statements { name received booked known expectedOpening } } }"#;
    let mut data = shop
        .acme
        .data(ask, json!({ "key": key, "file": file }))
        .await;
    data["importBankStatement"]["statements"].take()
}

async fn owed(shop: &Shop) -> Value {
    let ask = r#"{ balance(account: "alice") { balance } }"#;
    shop.acme.data(ask, json!({})).await["balance"]["balance"].take()
}

/// Alice lets us debit her account: what the edge of payment methods does, without it.
fn let_debit(shop: &Shop) {
    let account = BankAccount {
        iban: ALICES.to_owned(),
        bic: String::new(),
        holder: "Alice Jürgens".to_owned(),
    };
    let keyring = &shop.office.keyring;
    let sealed = forget::seal(keyring, "acme", "alice", Purpose::Payment, &account);
    let means = Means::DirectDebit(Mandate {
        gateway: "direct-debit".to_owned(),
        reference: "M-1".to_owned(),
        signed: "2026-01-31".parse().expect("a day"),
        scheme: Scheme::Core,
        bank: SealedBank {
            last4: "4300".to_owned(),
            hash: indelible_api::bank::account_hash(keyring, "acme", ALICES),
            account: sealed.expect("the keyring seals"),
        },
    });
    let command = Command::AddMethod(Box::new(AddMethod {
        account: "alice".to_owned(),
        method: "debit".to_owned(),
        means,
        preferred: true,
    }));
    let now: Instant = shop.clock.now();
    let request = Request::new("acme", "test", now, command);
    shop.office.ledger.execute(request).expect("is added");
}

#[tokio::test]
async fn a_statement_pays_the_invoice_it_names_once_and_what_is_unclear_waits() {
    let shop = billed().await;
    let number = shop
        .acme
        .data(r#"{ invoice(id: "march.alice") { number } }"#, json!({}))
        .await["invoice"]["number"]
        .take();
    let lines = format!(
        ":61:2603020302CR36,00NTRFNONREF//B1\n:86:{}\n:61:2603020302DR1,00NRTINONREF//B2\n:86:/EREF/X/RTRN/AM04/\n",
        number.as_str().expect("a number")
    );
    let file = statement(1, "C260301EUR0,", "C260302EUR35,00", &lines);
    let taken = import(&shop, "s1", &file).await;
    assert_eq!(
        taken[0],
        json!({ "name": "2026-03-02/1", "received": 2, "booked": 2, "known": 0, "expectedOpening": null })
    );
    assert_eq!(owed(&shop).await, "0.00 EUR");
    let again = import(&shop, "s2", &file).await;
    assert_eq!(again[0]["booked"], 2, "it is the statement of before");
    assert_eq!(owed(&shop).await, "0.00 EUR");
    let next = statement(3, "C260304EUR40,", "C260304EUR40,", "");
    assert_eq!(
        import(&shop, "s3", &next).await[0]["expectedOpening"],
        "35.00 EUR"
    );
    let waiting = r#"{ openBankEntries { nodes { entry part code amount } } }"#;
    let waiting = shop.acme.data(waiting, json!({})).await["openBankEntries"]["nodes"].take();
    assert_eq!(waiting[0]["code"], "BANK_RETURN_UNKNOWN");
    assert_eq!(waiting[0]["amount"], "-1.00 EUR");
    let close = r#"mutation($entry: ID!) {
        closeBankEntry(idempotencyKey: "close", entry: $entry, part: 0, note: "asked the bank") { receipt { dryRun } } }"#;
    shop.acme
        .data(close, json!({ "entry": waiting[0]["entry"] }))
        .await;
    let left = shop
        .acme
        .data("{ openBankEntries { nodes { entry } } }", json!({}))
        .await;
    assert_eq!(left["openBankEntries"]["nodes"], json!([]));
}

#[tokio::test]
async fn a_collection_goes_to_the_bank_in_a_file_and_the_statement_settles_it_or_takes_it_back() {
    let shop = billed().await;
    let_debit(&shop);
    let ask = r#"mutation {
        recordPayment(idempotencyKey: "p", input: { id: "p1", account: "alice", amount: "36.00 EUR", pending: true,
            method: "direct-debit" }) { payment { stage } }
        drawDebits(idempotencyKey: "d", file: "debit-1", bank: "bank") {
            left bankFile { items { payment endToEnd on sequence } content old: content(edition: OF_2009) } }
    }"#;
    let mut data = shop.acme.data(ask, json!({})).await;
    let file = data["drawDebits"]["bankFile"].take();
    assert_eq!(
        file["items"][0],
        json!({ "payment": "p1", "endToEnd": "p1", "on": "2026-03-03", "sequence": "FRST" })
    );
    let content = file["content"].as_str().expect("a file");
    for part in [
        "pain.008.001.08",
        "<IBAN>NL91ABNA0417164300</IBAN>",
        "<Nm>Alice Juergens</Nm>",
        "<MndtId>M-1</MndtId>",
        "<EndToEndId>p1</EndToEndId>",
    ] {
        assert!(content.contains(part), "{part} is not in {content}");
    }
    assert!(
        file["old"]
            .as_str()
            .expect("a file")
            .contains("pain.008.001.02")
    );
    let refused = shop
        .reader
        .error(r#"{ bankFile(id: "debit-1") { content } }"#, json!({}))
        .await;
    assert_eq!(refused["extensions"]["code"], "SCOPE_TOO_SMALL");
    let credit = ":61:2603030303CR36,00NDDTNONREF//B1\n:86:/PREF/debit-1-1/\n";
    import(
        &shop,
        "s1",
        &statement(1, "C260302EUR0,", "C260303EUR36,", credit),
    )
    .await;
    assert_eq!(owed(&shop).await, "0.00 EUR");
    let back = ":61:2603050305DR39,00NRTINONREF//B2\n:86:/EREF/p1/RTRN/MD06/\n";
    import(
        &shop,
        "s2",
        &statement(2, "C260303EUR36,", "D260305EUR3,", back),
    )
    .await;
    assert_eq!(owed(&shop).await, "36.00 EUR");
    let payment = shop
        .acme
        .data(r#"{ payment(id: "p1") { stage chargedBack } }"#, json!({}))
        .await;
    assert_eq!(payment["payment"]["chargedBack"], "36.00 EUR");
}
