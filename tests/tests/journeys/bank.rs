//! Statements of a bank come in, files for it go out, and what comes back says what became of each collection.

use indelible_api::forget;
use indelible_domain::Command;
use indelible_domain::command::AddMethod;
use indelible_domain::journal::{Ledger, trial_balance};
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
        recordPayment(idempotencyKey: "pay-1", input: { id: "p1", account: "alice", amount: "36.00 EUR", pending: true,
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

/// One camt document of these entries: `Stmt` of a camt.053, or `Rpt` of a camt.052 without balances.
fn camt(message: &str, id: &str, balances: &str, entries: &str) -> String {
    let (body, each) = match message {
        "camt.052.001.08" => ("BkToCstmrAcctRpt", "Rpt"),
        _ => ("BkToCstmrStmt", "Stmt"),
    };
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{message}"><{body}>
<GrpHdr><MsgId>{id}</MsgId><CreDtTm>2026-03-03T12:00:00Z</CreDtTm></GrpHdr>
<{each}><Id>{id}</Id><CreDtTm>2026-03-03T12:00:00Z</CreDtTm><Acct><Id><IBAN>{OURS}</IBAN></Id></Acct>
{balances}{entries}</{each}></{body}></Document>"#
    )
}

fn entry(amount: &str, status: &str, code: &str, reference: &str) -> String {
    let (amount, side) = match amount.strip_prefix('-') {
        Some(amount) => (amount, "DBIT"),
        None => (amount, "CRDT"),
    };
    format!(
        r#"<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts><Cd>{status}</Cd></Sts>
<BookgDt><Dt>2026-03-03</Dt></BookgDt><AcctSvcrRef>{reference}</AcctSvcrRef><BkTxCd><Prtry><Cd>{code}</Cd></Prtry></BkTxCd></Ntry>
"#
    )
}

fn balance(code: &str, amount: &str) -> String {
    format!(
        r#"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-03</Dt></Dt></Bal>
"#
    )
}

#[tokio::test]
async fn the_day_so_far_is_shown_the_statement_books_it_once_and_fees_are_posted() {
    let shop = billed().await;
    let expected = || async {
        let ask = r#"{ bankAccount(id: "bank") { expected { amount pending code } } }"#;
        shop.acme.data(ask, json!({})).await["bankAccount"]["expected"].take()
    };
    let money = entry("50.00", "PDNG", "NTRF", "R1");
    import(&shop, "i1", &camt("camt.052.001.08", "I1", "", &money)).await;
    assert_eq!(
        expected().await,
        json!([{ "amount": "50.00 EUR", "pending": true, "code": "NTRF" }])
    );
    let rule = r#"mutation { ruleBankFees(idempotencyKey: "fees", input: { bank: "bank", codes: ["NCHG"] }) {
        bankAccount { fees { codes ledger recharge } } } }"#;
    let ruled = shop.acme.data(rule, json!({})).await;
    assert_eq!(
        ruled["ruleBankFees"]["bankAccount"]["fees"],
        json!({ "codes": ["NCHG"], "ledger": "bank fees", "recharge": null })
    );
    let balances = [balance("OPBD", "0.00"), balance("CLBD", "46.50")].concat();
    let entries = [
        entry("50.00", "BOOK", "NTRF", "R1"),
        entry("-3.50", "BOOK", "NCHG", "R2"),
    ]
    .concat();
    let day = camt("camt.053.001.08", "S1", &balances, &entries);
    let taken = import(&shop, "s1", &day).await;
    assert_eq!(taken[0]["booked"], 2);
    assert_eq!(expected().await, json!([]));
    let fees = shop.office.ledger.read("acme", |books| {
        let sums = trial_balance(&books.tables).into_iter();
        let fees = sums.filter(|sum| sum.account == Ledger::BankFees);
        fees.map(|sum| sum.net().to_string()).collect::<Vec<_>>()
    });
    assert_eq!(fees, ["3.50 EUR"]);
    let broken = day.replace("S1", "S2").replace("<Id>S2</Id>", "");
    let ask = r#"mutation($file: String!) { importBankStatement(idempotencyKey: "s2", file: $file) { statements { name } } }"#;
    let refused = shop.acme.error(ask, json!({ "file": broken })).await;
    assert_eq!(refused["extensions"]["code"], "SCHEMA_VIOLATED");
    let why = refused["message"].as_str().expect("a sentence");
    assert!(
        why.contains("line 4, Document/BkToCstmrStmt/Stmt: found CreDtTm, expected Id before it"),
        "{why}"
    );
}

#[tokio::test]
async fn a_status_report_refuses_a_collection_once_and_a_mandate_for_one_carries_no_second() {
    let shop = billed().await;
    let_debit(&shop);
    let ask = r#"mutation {
        setMandateTerm(idempotencyKey: "once", account: "alice", id: "debit", term: ONCE) {
            methods { methods { means { ... on MandateMeans { term } } } } }
        recordPayment(idempotencyKey: "pay-1", input: { id: "p1", account: "alice", amount: "36.00 EUR", pending: true,
            method: "direct-debit" }) { payment { stage } }
        drawDebits(idempotencyKey: "d", file: "debit-1", bank: "bank") { bankFile { items { sequence amended } } }
    }"#;
    let drawn = shop.acme.data(ask, json!({})).await;
    assert_eq!(
        drawn["setMandateTerm"]["methods"]["methods"][0]["means"]["term"],
        "ONCE"
    );
    assert_eq!(
        drawn["drawDebits"]["bankFile"]["items"],
        json!([{ "sequence": "OOFF", "amended": false }])
    );
    let report = r#"<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
        <GrpHdr><MsgId>STS-1</MsgId><CreDtTm>2026-03-02T12:00:00Z</CreDtTm></GrpHdr>
        <OrgnlGrpInfAndSts><OrgnlMsgId>debit-1</OrgnlMsgId><OrgnlMsgNmId>pain.008.001.08</OrgnlMsgNmId>
            <GrpSts>PART</GrpSts></OrgnlGrpInfAndSts>
        <OrgnlPmtInfAndSts><OrgnlPmtInfId>debit-1-1</OrgnlPmtInfId><TxInfAndSts>
            <OrgnlEndToEndId>p1</OrgnlEndToEndId><TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf>
        </TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"#;
    let take = r#"mutation($key: String!, $file: String!) { importBankStatement(idempotencyKey: $key, file: $file) {
        statements { name } bankFiles { reports verdict { status } items { verdict { status code reason retry } } } } }"#;
    for key in ["report-1", "report-2"] {
        let sent = json!({ "key": key, "file": report });
        let taken = shop.acme.data(take, sent).await;
        assert_eq!(
            taken["importBankStatement"],
            json!({ "statements": [], "bankFiles": [{ "reports": ["STS-1"], "verdict": { "status": "PARTLY" }, "items": [
                { "verdict": { "status": "REJECTED", "code": "AC04", "reason": "account is closed", "retry": false } }] }] })
        );
    }
    let stage = r#"{ payment(id: "p1") { stage } }"#;
    assert_eq!(
        shop.acme.data(stage, json!({})).await["payment"]["stage"],
        "FAILED"
    );
    let again = r#"mutation {
        recordPayment(idempotencyKey: "pay-2", input: { id: "p2", account: "alice", amount: "36.00 EUR", pending: true,
            method: "direct-debit" }) { payment { stage } }
        drawDebits(idempotencyKey: "d2", file: "debit-2", bank: "bank") { bankFile { key } }
    }"#;
    let drawn = shop.acme.data(again, json!({})).await;
    assert_eq!(drawn["drawDebits"]["bankFile"], Value::Null);
    assert_eq!(
        shop.acme
            .data(r#"{ payment(id: "p2") { stage } }"#, json!({}))
            .await["payment"]["stage"],
        "FAILED"
    );
}
