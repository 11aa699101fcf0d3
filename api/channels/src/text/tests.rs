//! What readers get to read.

use super::{Facts, Invoice, TextError, Texts, built_in, render};

fn facts() -> Facts {
    Facts {
        name: "Ada Lovelace".into(),
        account: "ada".into(),
        sender: "Example GmbH".into(),
        on: "2026-03-15".into(),
        invoices: vec![
            Invoice {
                number: "2026-0007".into(),
                issued: "2026-02-01".into(),
                due: "2026-02-15".into(),
                total: "1200.00 EUR".into(),
                open: "1150.00 EUR".into(),
            },
            Invoice {
                number: "2026-0011".into(),
                issued: "2026-03-01".into(),
                due: "2026-03-14".into(),
                total: "84.50 EUR".into(),
                open: "84.50 EUR".into(),
            },
        ],
        open: "1234.50 EUR".into(),
        values: [("fee".to_string(), "5.00 EUR".to_string())].into(),
    }
}

#[test]
fn a_reminder_says_what_is_open_since_when() {
    let (text, language) = Texts::built_in()
        .write("reminder", "de-AT", &facts())
        .expect("it is written");
    assert_eq!(language, "de-AT");
    assert_eq!(text.subject, "Zahlungserinnerung – Kundenkonto ada");
    assert_eq!(
        text.body,
        "Guten Tag Ada Lovelace,\n\
         \n\
         vielleicht haben Sie unsere Rechnung übersehen. Am 15.03.2026 war noch offen:\n\
         \n  2026-0007, fällig am 15.02.2026: 1.150,00\u{a0}EUR\n  \
         2026-0011, fällig am 14.03.2026: 84,50\u{a0}EUR\n\
         \n\
         Insgesamt offen: 1.234,50\u{a0}EUR\n\
         \n\
         Hinzu kommt eine Mahngebühr von 5,00\u{a0}EUR.\n\
         \n\
         Bitte zahlen Sie in den nächsten Tagen. Ist Ihre Zahlung schon unterwegs, betrachten Sie dieses Schreiben als erledigt.\n\
         \n\
         Freundliche Grüße\n\
         Example GmbH\n"
    );
}

#[test]
fn every_built_in_text_can_be_written_with_much_and_with_nothing() {
    let mut written = 0;
    for name in built_in::NAMES {
        for language in ["en", "de", "fr"] {
            for facts in [facts(), Facts::default()] {
                let (text, said) = Texts::built_in()
                    .write(name, language, &facts)
                    .unwrap_or_else(|error| panic!("{name} in {language}: {error}"));
                assert_eq!(said, language);
                let parts = [&text.subject, &text.short, &text.body];
                for part in parts {
                    assert!(!part.trim().is_empty(), "{name} in {language}");
                    assert!(!part.contains("{{") && !part.contains("{%"), "{part}");
                }
                assert!(
                    !text.body.contains("\n\n\n\n"),
                    "{name} in {language}: {}",
                    text.body
                );
                assert!(
                    text.short.chars().count() <= 160,
                    "{name} in {language}: {}",
                    text.short
                );
                written += 1;
            }
        }
    }
    assert_eq!(written, built_in::NAMES.len() * 6);
}

#[test]
fn a_language_without_the_text_falls_back_to_english() {
    let (text, language) = Texts::built_in()
        .write("reminder", "pl", &facts())
        .expect("it is written");
    assert_eq!(language, "en");
    assert!(text.body.contains("EUR 1,234.50"), "{}", text.body);
}

#[test]
fn ones_own_text_goes_before_the_built_in_one_and_the_region_before_the_language() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |tag: &str, text: &str| {
        let of = folder.path().join(tag);
        std::fs::create_dir_all(&of).expect("a folder");
        std::fs::write(of.join("reminder.txt"), text).expect("a file");
    };
    put(
        "de",
        "subject: Hallo\r\nshort: kurz\r\n\r\nGrüezi {{ name }}\r\n",
    );
    let texts = Texts::within(folder.path());
    let body = |language: &str| {
        let written = texts.write("reminder", language, &facts());
        written.expect("it is written").0.body
    };
    assert_eq!(body("de-CH"), "Grüezi Ada Lovelace\n");
    put("de-ch", "subject: a\nshort: b\n\nSali {{ name }}");
    assert_eq!(body("de-CH"), "Sali Ada Lovelace\n");
    assert!(body("fr").starts_with("Bonjour"));
}

#[test]
fn a_name_that_leaves_the_folder_finds_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("secret.txt"),
        "subject: a\nshort: b\n\nc",
    )
    .expect("a file");
    let texts = Texts::within(&folder.path().join("texts"));
    for name in ["../../secret", "..", "", "a/b"] {
        let found = texts.write(name, "en", &facts());
        assert!(matches!(found, Err(TextError::Unknown { .. })), "{name}");
    }
}

#[test]
fn what_values_say_is_never_a_template_and_never_a_header() {
    let mut facts = facts();
    facts.name = "{{ open }}\nBcc: all@example.com".into();
    let text = render(
        "x",
        "subject: {{ name }}\nshort: {{ name }}\n\n{{ name }}",
        "en",
        &facts,
    )
    .expect("it is written");
    assert_eq!(text.subject, "{{ open }} Bcc: all@example.com");
    assert_eq!(text.body, "{{ open }}\nBcc: all@example.com\n");
}

#[test]
fn a_mistake_in_a_text_is_told_without_what_it_was_given() {
    let told = |source: &str| {
        render("own", source, "en", &facts())
            .expect_err("it is refused")
            .to_string()
    };
    assert_eq!(
        told("subject: a\nshort: b\n\n{{ unknown_name }}"),
        "text \"own\" cannot be written: UndefinedError in line 1 of it"
    );
    assert_eq!(
        told("subject: a\n\nb"),
        "text \"own\" has no line `short:` before its first empty line"
    );
    let endless = "subject: a\nshort: b\n\n{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    assert!(told(endless).contains("OutOfFuel"), "{}", told(endless));
}
