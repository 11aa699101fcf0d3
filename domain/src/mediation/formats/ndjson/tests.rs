use super::super::{Format, Reading, read};

fn one(line: &str) -> Result<Reading, (&'static str, String)> {
    let lines = read(Format::Ndjson, line.as_bytes()).expect("a file with a line");
    assert_eq!(lines.len(), 1, "{line}");
    let line = lines.into_iter().next().expect("it has one line");
    line.reading.map_err(|fault| (fault.code, fault.reason))
}

const CALL: &str = r#"{"key":"r1","metric":"voice","access":"n1","at":"2026-01-15T00:00:00Z","quantity":"60.50","zone":"eu","class":7}"#;

#[test]
fn a_line_says_what_a_row_of_records_says() {
    let row = "zone,key,metric,access,at,quantity,class,empty\neu,r1,voice,n1,2026-01-15T00:00:00Z,60.50,7,\n";
    let rows = read(Format::Records, row.as_bytes()).expect("a table");
    assert_eq!(
        Ok(one(CALL)),
        Ok::<_, ()>(rows[0].reading.clone().map_err(|_| ("", String::new())))
    );
}

#[test]
fn numbers_are_exact_however_they_are_written() {
    for (written, value) in [
        ("0.1", "0.1"),
        ("\"0.1\"", "0.1"),
        ("12345678901234567.890123456", "12345678901234567.890123456"),
        ("-2.5e-3", "-0.0025"),
        ("1E2", "100"),
    ] {
        let line = CALL.replace("\"60.50\"", written);
        assert_eq!(
            one(&line).map(|r| r.quantity.to_string()),
            Ok(value.to_string())
        );
    }
}

#[test]
fn strings_are_read_with_their_escapes() {
    let line = CALL.replace("\"eu\"", r#" "\u00e4\n\"\ud83d\ude00/\\ x" "#);
    let zone = one(&line).map(|r| r.attributes["zone"].clone());
    assert_eq!(zone, Ok("ä\n\"😀/\\ x".to_string()));
}

#[test]
fn what_cannot_be_read_says_why() {
    let cases = [
        ("{}", "MISSING_FIELD"),
        ("[]", "BAD_JSON"),
        ("null", "BAD_JSON"),
        (&CALL.replace("\"r1\"", "1"), "BAD_FIELD"),
        (&CALL.replace("\"r1\"", "null"), "MISSING_FIELD"),
        (&CALL.replace("\"r1\"", "\" \""), "MISSING_FIELD"),
        (&CALL.replace("\"eu\"", "{}"), "BAD_FIELD"),
        (&CALL.replace("zone", "class"), "BAD_FIELD"),
        (&CALL.replace("zone", "key"), "BAD_FIELD"),
        (&CALL.replace("zone", ""), "BAD_FIELD"),
        (&CALL.replace("\"60.50\"", "01"), "BAD_JSON"),
        (&CALL.replace("\"60.50\"", "1."), "BAD_JSON"),
        (&CALL.replace("\"60.50\"", "\"x\""), "BAD_NUMBER"),
        (&CALL.replace("\"60.50\"", "1e99"), "BAD_NUMBER"),
        (&CALL.replace("Z\"", "\""), "BAD_TIME"),
        (&CALL.replace("eu", r"\ud800"), "BAD_JSON"),
        (&CALL.replace("eu", r"\x"), "BAD_JSON"),
        (&CALL.replace("eu", "\u{1}"), "BAD_JSON"),
        (&CALL.replace('}', ",}"), "BAD_JSON"),
        (&format!("{CALL} x"), "BAD_JSON"),
        (&CALL[..60], "TRUNCATED"),
        (&format!("{}\n", &CALL[..60]), "BAD_JSON"),
    ];
    for (line, code) in cases {
        assert_eq!(one(line).map_err(|fault| fault.0), Err(code), "{line}");
    }
}

#[test]
fn every_line_is_counted_whatever_stands_in_it() {
    let mut file = format!("\n{CALL}\r\n  \n").into_bytes();
    file.extend_from_slice(b"{\"key\":\"\xff\"}\n");
    file.extend_from_slice(CALL.as_bytes());
    let lines = read(Format::Ndjson, &file).expect("a file");
    let read: Vec<_> = lines
        .iter()
        .map(|l| (l.number, l.reading.is_ok()))
        .collect();
    assert_eq!(read, [(2, true), (4, false), (5, true)]);
    assert_eq!(lines[0].raw, CALL);
    let codes = lines[1].reading.as_ref().map_err(|fault| fault.code);
    assert_eq!(codes.err(), Some("NOT_UTF8"));
}
