use crate::sample;
use indelible_bank::read;

#[test]
fn a_german_statement_is_read_with_its_sepa_words() {
    let statements = read(&sample("german.sta")).expect("a good file");
    let statement = &statements[0];
    assert_eq!(
        (statement.id.as_str(), statement.account.as_str()),
        ("2026-11-20/00224/001", "37040044/0532013000EUR")
    );
    let [paid, batch, back] = statement.entries.as_slice() else {
        panic!("three entries")
    };
    assert_eq!(paid.reference.as_deref(), Some("2026112000001"));
    assert_eq!(paid.details[0].end_to_end.as_deref(), Some("K-77"));
    assert_eq!(paid.details[0].text, "Invoice ACME-2026-00001");
    assert_eq!(paid.details[0].name.as_deref(), Some("ERIKA BEISPIEL"));
    assert_eq!(paid.details[0].iban.as_deref(), Some("NL91ABNA0417164300"));
    assert_eq!(batch.details[0].message.as_deref(), Some("debit-7-1"));
    assert_eq!(back.amount.to_string(), "-62.50 EUR");
    assert_eq!(
        back.details[0].returned.as_ref().map(|r| r.code.as_str()),
        Some("AM04")
    );
    assert_eq!(back.details[0].end_to_end.as_deref(), Some("e2e-0"));
    assert_ne!(back.value, back.booked);
}

#[test]
fn a_statement_in_network_blocks_with_code_words_is_read_alike() {
    let statements = read(&sample("dutch.940")).expect("a good file");
    let statement = &statements[0];
    assert_eq!(
        (statement.id.as_str(), statement.account.as_str()),
        ("2027-01-02/366", "NL91ABNA0417164300")
    );
    let [paid, back] = statement.entries.as_slice() else {
        panic!("two entries")
    };
    assert_eq!(paid.details[0].end_to_end.as_deref(), Some("ORDER-9"));
    assert_eq!(
        paid.details[0].iban.as_deref(),
        Some("DE89370400440532013000")
    );
    assert_eq!(paid.details[0].name.as_deref(), Some("Max Muster"));
    assert_eq!(paid.details[0].text, "pays RF18 5390 0754 7034");
    assert_eq!(
        back.details[0].returned.as_ref().map(|r| r.code.as_str()),
        Some("MD06")
    );
    assert_eq!(back.details[0].mandate.as_deref(), Some("M-9"));
}

#[test]
fn around_new_year_the_booking_day_is_the_one_nearest_to_the_value_day() {
    let statements = read(&sample("dutch.940")).expect("a good file");
    let days = statements[0]
        .entries
        .iter()
        .map(|e| (e.value.to_string(), e.booked.to_string()));
    assert_eq!(
        days.collect::<Vec<_>>(),
        [
            ("2026-12-31".to_owned(), "2027-01-02".to_owned()),
            ("2027-01-01".to_owned(), "2027-01-02".to_owned())
        ]
    );
}

#[test]
fn two_statements_in_one_file_are_two() {
    let mut both = sample("german.sta");
    both.extend(sample("german.sta"));
    assert_eq!(read(&both).map(|all| all.len()), Ok(2));
}

#[test]
fn a_file_in_the_old_character_set_keeps_its_letters() {
    let text = String::from_utf8(sample("german.sta"))
        .expect("UTF-8")
        .replace("ERIKA BEI", "J\u{fc}RGEN ");
    let latin: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).expect("Latin-1"))
        .collect();
    let statements = read(&latin).expect("a good file");
    assert_eq!(
        statements[0].entries[0].details[0].name.as_deref(),
        Some("J\u{fc}RGEN SPIEL")
    );
}

#[test]
fn what_cannot_be_read_is_refused_with_its_field() {
    let text = String::from_utf8(sample("german.sta")).expect("UTF-8");
    let cases = [
        (text.replace(":62F:C261120EUR1206,50", ""), "MT940_FIELD"),
        (text.replace(":60F:C261119EUR1000,00", ""), "MT940_FIELD"),
        (text.replace("CR119,00", "CR119.00"), "MT940_FIELD"),
        (text.replace("CR119,00", "XX119,00"), "MT940_FIELD"),
        (
            text.replace("2611201120CR119", "2613201120CR119"),
            "MT940_FIELD",
        ),
        (
            text.replace(":62F:C261120EUR1206,50", ":62F:C261120EUR1206,49"),
            "STATEMENT_DOES_NOT_ADD_UP",
        ),
        (text.replace("EUR1206,50", "EUX1206,50"), "BANK_FILE_VALUE"),
    ];
    for (spoilt, code) in cases {
        assert_eq!(read(spoilt.as_bytes()).map_err(|f| f.code), Err(code));
    }
}
