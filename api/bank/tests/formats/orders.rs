use crate::schema::valid;
use indelible_bank::debit::{self, Collection, DebitFile, Scheme, Sequence};
use indelible_bank::transfer::{self, Transfer, TransferFile};
use indelible_bank::{Agent, Remittance};
use indelible_domain::kernel::{Currency, Date, Instant, Money};

fn euros(minor: i128) -> Money {
    Money::new(minor, "EUR".parse::<Currency>().expect("a currency"))
}

fn day(day: u32) -> Date {
    Date::from_ymd_opt(2026, 11, day).expect("a day of November")
}

fn agent(name: &str, iban: &str, bic: Option<&str>) -> Agent {
    Agent {
        name: name.to_owned(),
        iban: iban.to_owned(),
        bic: bic.map(str::to_owned),
    }
}

fn collection(n: u32, sequence: Sequence, on: u32) -> Collection {
    Collection {
        end_to_end: format!("e2e-{n}"),
        batch: match sequence {
            Sequence::First => 1,
            _ => 2,
        },
        amount: euros(11_900 + i128::from(n)),
        scheme: Scheme::Core,
        sequence,
        on: day(on),
        mandate: format!("M-{n}"),
        signed: day(1),
        debtor: agent("Jürgen Groß & Söhne", "NL91 ABNA 0417 1643 00", None),
        remittance: Remittance::Text("ACME-2026-00001 <urgent>".to_owned()),
        amendment: None,
    }
}

fn debits() -> DebitFile {
    DebitFile {
        message: "debit-7".to_owned(),
        created: "2026-11-22T09:00:00.123456Z"
            .parse::<Instant>()
            .expect("an instant"),
        creditor: agent(
            "ACME Energie GmbH",
            "DE89370400440532013000",
            Some("COBADEFFXXX"),
        ),
        creditor_id: "DE98ZZZ09999999999".to_owned(),
        collections: vec![
            collection(1, Sequence::Recurring, 25),
            collection(2, Sequence::First, 25),
            collection(3, Sequence::Recurring, 25),
            Collection {
                scheme: Scheme::B2b,
                batch: 3,
                debtor: agent("Firma", "DE89370400440532013000", Some("COBADEFF")),
                remittance: Remittance::Reference("RF18539007547034".to_owned()),
                ..collection(4, Sequence::OneOff, 26)
            },
        ],
    }
}

fn transfers() -> TransferFile {
    let transfer = |n: u32, bic| Transfer {
        end_to_end: format!("refund-{n}"),
        batch: n,
        amount: euros(1),
        on: day(22 + n),
        creditor: agent("Zoë Łuk", "NL91ABNA0417164300", bic),
        remittance: Remittance::Text("credit note".to_owned()),
    };
    TransferFile {
        message: "transfer-1".to_owned(),
        created: "2026-11-22T09:00:00Z"
            .parse::<Instant>()
            .expect("an instant"),
        debtor: agent("ACME Energie GmbH", "DE89370400440532013000", None),
        transfers: vec![transfer(1, None), transfer(2, Some("ABNANL2A"))],
    }
}

#[test]
fn a_debit_file_is_valid_by_the_schema_of_each_edition() {
    for (message, edition) in [
        ("pain.008.001.02", debit::Edition::V02),
        ("pain.008.001.08", debit::Edition::V08),
    ] {
        let text = debit::write(&debits(), edition).expect("a good file");
        valid(message, text.as_bytes()).unwrap_or_else(|why| panic!("{message}: {why}\n{text}"));
    }
}

#[test]
fn a_transfer_file_is_valid_by_the_schema_of_each_edition() {
    for (message, edition) in [
        ("pain.001.001.03", transfer::Edition::V03),
        ("pain.001.001.09", transfer::Edition::V09),
    ] {
        let text = transfer::write(&transfers(), edition).expect("a good file");
        valid(message, text.as_bytes()).unwrap_or_else(|why| panic!("{message}: {why}\n{text}"));
    }
}

/// The control: without it, a check that always says yes would pass.
#[test]
fn the_schema_refuses_a_file_without_its_sum_or_with_elements_out_of_order() {
    let text = debit::write(&debits(), debit::Edition::V08).expect("a good file");
    let broken = [
        text.replacen("<NbOfTxs>4</NbOfTxs>", "", 1),
        text.replacen("<PmtMtd>DD</PmtMtd>", "<PmtMtd>XX</PmtMtd>", 1),
        text.replacen("NL91ABNA0417164300", "NL91", 1),
    ];
    for broken in broken {
        assert_ne!(broken, text);
        assert_ne!(valid("pain.008.001.08", broken.as_bytes()), Ok(true));
    }
}

#[test]
fn collections_of_one_scheme_sequence_and_day_make_one_batch_with_its_own_sum() {
    let text = debit::write(&debits(), debit::Edition::V08).expect("a good file");
    assert_eq!(text.matches("<PmtInf>").count(), 3);
    let recurring = text
        .split("<PmtInf>")
        .find(|batch| batch.contains("RCUR"))
        .expect("a recurring batch");
    assert!(
        recurring.contains("<NbOfTxs>2</NbOfTxs>")
            && recurring.contains("<CtrlSum>238.04</CtrlSum>"),
        "{recurring}"
    );
    assert!(text.contains("<CtrlSum>476.10</CtrlSum>"), "{text}");
}

#[test]
fn the_same_order_gives_the_same_bytes() {
    let once = debit::write(&debits(), debit::Edition::V08);
    assert_eq!(once, debit::write(&debits(), debit::Edition::V08));
}

#[test]
fn names_and_texts_are_written_in_the_characters_that_banks_take() {
    let text = debit::write(&debits(), debit::Edition::V08).expect("a good file");
    assert!(text.contains("<Nm>Juergen Gross + Soehne</Nm>"), "{text}");
    assert!(
        text.contains("<Ustrd>ACME-2026-00001 .urgent.</Ustrd>"),
        "{text}"
    );
}

#[test]
fn what_a_bank_would_refuse_the_file_for_is_refused_before_it_is_written() {
    type Break = fn(&mut DebitFile);
    let breaks: [(&str, Break); 11] = [
        ("BANK_FILE_SIZE", |f| f.collections.clear()),
        ("BANK_BATCH_INVALID", |f| f.collections[1].batch = 2),
        ("BANK_ID_TWICE", |f| {
            f.collections[1].end_to_end = "e2e-1".to_owned()
        }),
        ("BANK_ID_INVALID", |f| {
            f.collections[0].mandate = "über".to_owned()
        }),
        ("BANK_ID_INVALID", |f| f.message = "m".repeat(35)),
        ("SEPA_CURRENCY", |f| {
            f.collections[0].amount = Money::new(1, "CHF".parse().expect("a currency"))
        }),
        ("SEPA_AMOUNT", |f| f.collections[0].amount = euros(0)),
        ("IBAN_INVALID", |f| {
            f.collections[0].debtor.iban = "NL92ABNA0417164300".to_owned()
        }),
        ("NAME_MISSING", |f| {
            f.collections[0].debtor.name = " ".to_owned()
        }),
        ("CREDITOR_ID_INVALID", |f| {
            f.creditor_id = "DE97ZZZ09999999999".to_owned()
        }),
        ("CREDITOR_REFERENCE_INVALID", |f| {
            f.collections[0].remittance = Remittance::Reference("RF19539007547034".to_owned())
        }),
    ];
    for (code, spoil) in breaks {
        let mut file = debits();
        spoil(&mut file);
        assert_eq!(
            debit::write(&file, debit::Edition::V08).map_err(|f| f.code),
            Err(code)
        );
    }
}

#[test]
fn a_changed_mandate_says_what_it_was() {
    let mut file = debits();
    file.collections[0].amendment = Some(debit::Amendment {
        mandate: Some("M-0".to_owned()),
        account: Some(debit::Former::Iban("DE89370400440532013000".to_owned())),
        creditor_id: Some("DE98ABC09999999999".to_owned()),
    });
    file.collections[2].amendment = Some(debit::Amendment {
        account: Some(debit::Former::Unknown),
        ..debit::Amendment::default()
    });
    for (message, edition) in [
        ("pain.008.001.02", debit::Edition::V02),
        ("pain.008.001.08", debit::Edition::V08),
    ] {
        let text = debit::write(&file, edition).expect("a good file");
        valid(message, text.as_bytes()).unwrap_or_else(|why| panic!("{message}: {why}\n{text}"));
        for part in [
            "<AmdmntInd>true</AmdmntInd>",
            "<OrgnlMndtId>M-0</OrgnlMndtId>",
            "<Id>DE98ABC09999999999</Id>",
            "<Id>SMNDA</Id>",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
    file.collections[0].amendment = Some(debit::Amendment {
        creditor_id: Some("DE99ABC09999999999".to_owned()),
        ..debit::Amendment::default()
    });
    assert_eq!(
        debit::write(&file, debit::Edition::V08).map_err(|f| f.code),
        Err("CREDITOR_ID_INVALID")
    );
}

/// Whatever a caller hands in, nothing leaves that a bank's own check of the schema would refuse.
#[test]
fn what_is_written_is_checked_against_its_schema_before_it_is_handed_out() {
    let mut file = transfers();
    file.created = Instant(i64::MIN / 2);
    let written = transfer::write(&file, transfer::Edition::V09);
    assert_eq!(written.map_err(|f| f.code), Err("SCHEMA_VIOLATED"));
}
