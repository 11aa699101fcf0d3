use crate::{sample, schema::valid};
use indelible_bank::{Kind, read};

#[test]
fn the_samples_are_valid_by_their_schemas() {
    for message in [
        "camt.052.001.08",
        "camt.053.001.02",
        "camt.053.001.08",
        "camt.054.001.08",
    ] {
        valid(message, &sample(&format!("{message}.xml")))
            .unwrap_or_else(|why| panic!("{message}: {why}"));
    }
}

#[test]
fn a_statement_is_read_with_its_balances_and_booked_entries() {
    let statements = read(&sample("camt.053.001.08.xml")).expect("a good file");
    let [statement] = statements.as_slice() else {
        panic!("one statement")
    };
    assert_eq!(statement.kind, Kind::Statement);
    assert_eq!(
        (statement.id.as_str(), statement.account.as_str()),
        ("STMT-2026-224", "DE89370400440532013000")
    );
    assert_eq!(
        statement.closing.map(|b| b.amount.to_string()).as_deref(),
        Some("1206.50 EUR")
    );
    let amounts: Vec<String> = statement
        .entries
        .iter()
        .map(|e| e.amount.to_string())
        .collect();
    assert_eq!(
        amounts,
        ["119.00 EUR", "150.00 EUR", "-62.50 EUR"],
        "the pending entry is left out"
    );
}

#[test]
fn an_entry_says_who_paid_what_for() {
    let statements = read(&sample("camt.053.001.08.xml")).expect("a good file");
    let entry = &statements[0].entries[0];
    assert_eq!(entry.reference.as_deref(), Some("2026112000001"));
    assert_eq!(entry.code, "PMNT-RCDT-ESCT");
    let detail = &entry.details[0];
    assert_eq!(detail.end_to_end, None, "NOTPROVIDED is nothing");
    assert_eq!(detail.text, "Invoice ACME-2026-00001 thank you");
    assert_eq!(
        (detail.name.as_deref(), detail.iban.as_deref()),
        (Some("Erika Beispiel"), Some("NL91ABNA0417164300"))
    );
}

#[test]
fn a_batch_names_our_file_and_each_of_its_transactions() {
    let statements = read(&sample("camt.053.001.08.xml")).expect("a good file");
    let entry = &statements[0].entries[1];
    assert_eq!(
        (entry.message.as_deref(), entry.batch.as_deref()),
        (Some("debit-7"), Some("debit-7-1"))
    );
    let ids: Vec<_> = entry
        .details
        .iter()
        .map(|d| d.end_to_end.as_deref())
        .collect();
    assert_eq!(ids, [Some("e2e-1"), Some("e2e-2")]);
}

#[test]
fn a_return_says_why() {
    let statements = read(&sample("camt.053.001.08.xml")).expect("a good file");
    let detail = &statements[0].entries[2].details[0];
    assert_eq!(
        detail.returned.as_ref().map(|r| r.code.as_str()),
        Some("AM04")
    );
    assert_eq!(detail.end_to_end.as_deref(), Some("e2e-0"));
}

#[test]
fn an_old_version_with_a_prefix_is_read_alike() {
    let statements = read(&sample("camt.053.001.02.xml")).expect("a good file");
    let statement = &statements[0];
    assert_eq!(statement.account, "100-4711");
    assert_eq!(
        statement.opening.map(|b| b.amount.to_string()).as_deref(),
        Some("-10.00 EUR")
    );
    let entry = &statement.entries[0];
    assert_eq!(
        (entry.booked, entry.value),
        (entry.value, entry.booked),
        "no value date: the day it was booked"
    );
    assert_eq!(
        entry.details[0].creditor_reference.as_deref(),
        Some("RF18539007547034")
    );
    assert_eq!(entry.details[0].name.as_deref(), Some("A & B"));
}

#[test]
fn a_notification_has_no_balances() {
    let statements = read(&sample("camt.054.001.08.xml")).expect("a good file");
    assert_eq!(statements[0].kind, Kind::Notification);
    assert_eq!((statements[0].opening, statements[0].closing), (None, None));
}

#[test]
fn a_statement_that_does_not_add_up_is_refused() {
    let text = String::from_utf8(sample("camt.053.001.08.xml")).expect("UTF-8");
    for (was, is) in [
        ("1206.50", "1206.51"),
        (">50.00<", ">49.00<"),
        ("Ccy=\"EUR\">1000.00", "Ccy=\"CHF\">1000.00"),
    ] {
        let spoilt = text.replacen(was, is, 1);
        assert_ne!(spoilt, text);
        assert_eq!(
            read(spoilt.as_bytes()).map_err(|f| f.code),
            Err("STATEMENT_DOES_NOT_ADD_UP"),
            "{is}"
        );
    }
}

#[test]
fn what_is_no_statement_is_named_and_refused() {
    let text = String::from_utf8(sample("camt.053.001.08.xml")).expect("UTF-8");
    let cases = [
        (
            text.replace("camt.053.001.08", "camt.053.001.99"),
            "CAMT_VERSION",
        ),
        (
            text.replace("<Id>STMT-2026-224</Id>", ""),
            "SCHEMA_VIOLATED",
        ),
        (
            text.replace("<CdtDbtInd>DBIT</CdtDbtInd>", ""),
            "SCHEMA_VIOLATED",
        ),
        (text.replace("119.00", "119.001"), "BANK_FILE_VALUE"),
        (text.replace("119.00", "-119.00"), "SCHEMA_VIOLATED"),
        (text.replace("2026-11-18", "2026-02-30"), "SCHEMA_VIOLATED"),
        (text.replace("</Stmt>", ""), "XML_MALFORMED"),
        ("date,amount\n".to_owned(), "BANK_FORMAT_UNKNOWN"),
        (String::new(), "BANK_FORMAT_UNKNOWN"),
    ];
    for (spoilt, code) in cases {
        assert_eq!(
            read(spoilt.as_bytes()).map_err(|f| f.code),
            Err(code),
            "{code}"
        );
    }
}

#[test]
fn a_report_of_the_day_shows_what_is_booked_and_what_is_pending() {
    let reports = read(&sample("camt.052.001.08.xml")).expect("a good file");
    assert_eq!(reports[0].kind, Kind::Interim);
    let entries: Vec<_> = reports[0]
        .entries
        .iter()
        .map(|e| (e.amount.to_string(), e.pending, e.booked.to_string()))
        .collect();
    assert_eq!(
        entries,
        [
            ("119.00 EUR".to_owned(), false, "2026-11-20".to_owned()),
            ("5.00 EUR".to_owned(), true, "2026-11-20".to_owned())
        ],
        "what is for information only is left out; what has no day has that of the report"
    );
}

#[test]
fn a_file_that_its_schema_does_not_allow_is_refused_with_every_problem_and_its_place() {
    let text = String::from_utf8(sample("camt.053.001.08.xml")).expect("UTF-8");
    let spoilt = text
        .replace("<Id>STMT-2026-224</Id>", "")
        .replace("<Dt>2026-11-18</Dt>", "<Dt>2026-02-30</Dt>")
        .replace("Ccy=\"EUR\">62.50", "Ccy=\"Euro\">62.50");
    let fault = read(spoilt.as_bytes()).expect_err("it is refused");
    assert_eq!(fault.code, "SCHEMA_VIOLATED");
    for told in [
        "4 problems",
        "line 7, Document/BkToCstmrStmt/Stmt: found ElctrncSeqNb, expected Id before it",
        "line 36, Document/BkToCstmrStmt/Stmt/Ntry/Amt: attribute Ccy is \"Euro\"",
        "line 37, Document/BkToCstmrStmt/Stmt/Ntry/ValDt/Dt: the value is \"2026-02-30\", expected a day YYYY-MM-DD",
    ] {
        assert!(fault.message.contains(told), "{told} is not in {fault}");
    }
}
