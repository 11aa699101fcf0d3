use crate::{sample, schema::valid};
use indelible_bank::status::{Status, read};
use indelible_bank::{Incoming, incoming};

fn text(name: &str) -> String {
    String::from_utf8(sample(name)).expect("UTF-8")
}

#[test]
fn the_sample_of_a_report_is_valid_by_its_schema() {
    valid("pain.002.001.03", text("pain.002.001.03.xml").as_bytes())
        .unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_report_says_what_became_of_batches_and_of_payments() {
    let Incoming::Report(report) = incoming(&sample("pain.002.001.10.xml")).expect("a good file")
    else {
        panic!("it is a report")
    };
    assert_eq!(
        (report.id.as_str(), report.message.as_str()),
        ("STS-1", "debit-7")
    );
    assert_eq!(report.whole.map(|v| v.status), Some(Status::Partly));
    let batches: Vec<_> = report
        .batches
        .iter()
        .map(|(id, v)| (id.as_str(), v.status, v.code.as_str()))
        .collect();
    assert_eq!(
        batches,
        [
            ("debit-7-1", Status::Settled, ""),
            ("debit-7-2", Status::Rejected, "DT01")
        ]
    );
    let payments: Vec<_> = report
        .payments
        .iter()
        .map(|(id, v)| (id.as_str(), v.code.as_str()))
        .collect();
    assert_eq!(
        payments,
        [("e2e-1", "DT01"), ("e2e-3", "AC04")],
        "a payment without a reason has that of its batch"
    );
}

#[test]
fn a_file_that_is_refused_as_a_whole_names_no_payment() {
    let report = read(&text("pain.002.001.03.xml")).expect("a good file");
    let whole = report.whole.expect("a verdict");
    assert_eq!(
        (whole.status, whole.code.as_str()),
        (Status::Rejected, "XY1")
    );
    assert!(report.payments.is_empty() && report.batches.is_empty());
}

#[test]
fn a_status_that_nobody_knows_is_refused_before_anything_follows_from_it() {
    for (was, is, code) in [
        ("<TxSts>RJCT</TxSts>", "<TxSts>ZZZZ</TxSts>", "PAIN_STATUS"),
        ("<OrgnlMsgId>debit-7</OrgnlMsgId>", "", "SCHEMA_VIOLATED"),
        ("pain.002.001.10", "pain.002.001.11", "PAIN_VERSION"),
    ] {
        let spoilt = text("pain.002.001.10.xml").replacen(was, is, 1);
        assert_eq!(read(&spoilt).map_err(|f| f.code), Err(code), "{is}");
    }
}
