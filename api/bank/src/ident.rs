//! Identifiers with check digits, and the characters that banks take.

use crate::Fault;

/// Longest identification of a message, batch or transaction (ISO 20022 `Max35Text`).
pub const ID_MAX: usize = 35;
/// Longest name of a party in SEPA messages (EPC guidelines: 70 of the 140 characters of the standard).
pub const NAME_MAX: usize = 70;
/// Longest unstructured remittance text (EPC guidelines: one occurrence of 140 characters).
pub const TEXT_MAX: usize = 140;

/// Lengths of IBANs by country (registry of ISO 13616): the countries of the SEPA schemes.
const IBAN_LENGTHS: [(&str, usize); 43] = [
    ("AD", 24),
    ("AL", 28),
    ("AT", 20),
    ("BE", 16),
    ("BG", 22),
    ("CH", 21),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("EE", 20),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IS", 26),
    ("IT", 27),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MT", 31),
    ("NL", 18),
    ("NO", 15),
    ("PL", 28),
    ("PT", 25),
    ("RO", 24),
    ("RS", 22),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
];

/// An IBAN without spaces and in capitals, if its length and check digits are right (ISO 13616, ISO 7064 MOD 97-10).
pub fn iban(text: &str) -> Result<String, Fault> {
    let iban = compact(text);
    let country = iban.get(..2).unwrap_or_default();
    let expected = IBAN_LENGTHS.iter().find(|(code, _)| *code == country);
    let length_fits = expected.map_or((15..=34).contains(&iban.len()), |(_, n)| iban.len() == *n);
    if !length_fits || !is_iban_shape(&iban) || mod_97(rotated(&iban, 4)) != Some(1) {
        return Err(Fault::new(
            "IBAN_INVALID",
            format!(
                "{} is not an IBAN: its length or check digits are wrong",
                masked(&iban)
            ),
        ));
    }
    Ok(iban)
}

/// An account as people may see it: country and last four characters.
pub fn masked(iban: &str) -> String {
    let (head, tail) = (
        iban.get(..2),
        iban.len().checked_sub(4).and_then(|n| iban.get(n..)),
    );
    match (head, tail) {
        (Some(head), Some(tail)) if iban.len() > 8 => format!("{head}…{tail}"),
        _ => "…".to_string(),
    }
}

/// A BIC of 8 or 11 characters in capitals (ISO 9362).
pub fn bic(text: &str) -> Result<String, Fault> {
    let bic = compact(text);
    let shape = bic.bytes().enumerate().all(|(at, b)| match at {
        4 | 5 => b.is_ascii_uppercase(),
        _ => b.is_ascii_uppercase() || b.is_ascii_digit(),
    });
    if !matches!(bic.len(), 8 | 11) || !shape {
        return Err(Fault::new(
            "BIC_INVALID",
            format!("{text:?} is not a BIC of 8 or 11 characters"),
        ));
    }
    Ok(bic)
}

/// A SEPA creditor identifier: country, check digits over all but the business code, business code, national part
/// (EPC262-08).
pub fn creditor(text: &str) -> Result<String, Fault> {
    let id = compact(text);
    let checked = id
        .get(7..)
        .zip(id.get(..4))
        .map(|(rest, head)| format!("{rest}{head}"));
    let fits = (9..=ID_MAX).contains(&id.len()) && is_iban_shape(&id);
    if !fits || checked.and_then(mod_97) != Some(1) {
        return Err(Fault::new(
            "CREDITOR_ID_INVALID",
            format!("{text:?} is not a creditor identifier: its length or check digits are wrong"),
        ));
    }
    Ok(id)
}

/// The structured creditor reference of a reference: `RF`, two check digits, the reference (ISO 11649).
pub fn creditor_reference(of: &str) -> Option<String> {
    let reference = compact(&of.replace(['-', '/', '.', '_'], ""));
    if reference.is_empty()
        || reference.len() > 21
        || !reference.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        return None;
    }
    let rest = mod_97(format!("{reference}RF00"))?;
    Some(format!("RF{:02}{reference}", 98 - rest))
}

/// True for a structured creditor reference with right check digits.
pub fn is_creditor_reference(text: &str) -> bool {
    let text = compact(text);
    (5..=25).contains(&text.len())
        && text.starts_with("RF")
        && is_iban_shape(&text)
        && mod_97(rotated(&text, 4)) == Some(1)
}

/// Text in the characters that every SEPA bank takes (EPC217-08): the Latin letters without marks, digits, and some signs.
/// What has no likeness becomes a full stop.
pub fn plain(text: &str, max: usize) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'a'..='z'
            | 'A'..='Z'
            | '0'..='9'
            | '/'
            | '-'
            | '?'
            | ':'
            | '('
            | ')'
            | '.'
            | ','
            | '\''
            | '+'
            | ' ' => plain.push(c),
            '&' => plain.push('+'),
            '_' | '–' | '—' => plain.push('-'),
            '\n' | '\t' | '\u{a0}' => plain.push(' '),
            _ => plain.push_str(unmarked(c)),
        }
    }
    let cut: String = plain.trim().chars().take(max).collect();
    cut.trim_end().to_string()
}

/// An identification that is allowed in every SEPA message: at most 35 plain characters, neither beginning nor ending with
/// a slash and without two in a row (EPC guidelines, 1.5.2).
pub fn check_id(what: &str, id: &str) -> Result<(), Fault> {
    let plain_id = plain(id, ID_MAX) == id && !id.is_empty();
    if !plain_id || id.starts_with('/') || id.ends_with('/') || id.contains("//") {
        return Err(Fault::new(
            "BANK_ID_INVALID",
            format!("{what} {id:?} is not 1 to {ID_MAX} of the characters that banks take"),
        ));
    }
    Ok(())
}

fn unmarked(c: char) -> &'static str {
    match c {
        'ä' | 'æ' => "ae",
        'ö' | 'œ' | 'ø' => "oe",
        'ü' => "ue",
        'Ä' | 'Æ' => "Ae",
        'Ö' | 'Œ' | 'Ø' => "Oe",
        'Ü' => "Ue",
        'ß' => "ss",
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ą' | 'ă' | 'ā' => "a",
        'À' | 'Á' | 'Â' | 'Ã' | 'Å' | 'Ą' | 'Ă' | 'Ā' => "A",
        'ç' | 'ć' | 'č' => "c",
        'Ç' | 'Ć' | 'Č' => "C",
        'ď' | 'đ' | 'ð' => "d",
        'Ď' | 'Đ' | 'Ð' => "D",
        'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' | 'ē' | 'ė' => "e",
        'È' | 'É' | 'Ê' | 'Ë' | 'Ę' | 'Ě' | 'Ē' | 'Ė' => "E",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i",
        'Ì' | 'Í' | 'Î' | 'Ï' | 'Ī' | 'Į' | 'İ' => "I",
        'ł' | 'ľ' | 'ļ' => "l",
        'Ł' | 'Ľ' | 'Ļ' => "L",
        'ñ' | 'ń' | 'ň' | 'ņ' => "n",
        'Ñ' | 'Ń' | 'Ň' | 'Ņ' => "N",
        'ò' | 'ó' | 'ô' | 'õ' | 'ő' | 'ō' => "o",
        'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ő' | 'Ō' => "O",
        'ř' | 'ŕ' => "r",
        'Ř' | 'Ŕ' => "R",
        'š' | 'ś' | 'ş' | 'ș' => "s",
        'Š' | 'Ś' | 'Ş' | 'Ș' => "S",
        'ť' | 'ţ' | 'ț' => "t",
        'Ť' | 'Ţ' | 'Ț' => "T",
        'ù' | 'ú' | 'û' | 'ű' | 'ů' | 'ū' | 'ų' => "u",
        'Ù' | 'Ú' | 'Û' | 'Ű' | 'Ů' | 'Ū' | 'Ų' => "U",
        'ý' | 'ÿ' => "y",
        'Ý' | 'Ÿ' => "Y",
        'ž' | 'ź' | 'ż' => "z",
        'Ž' | 'Ź' | 'Ż' => "Z",
        _ => ".",
    }
}

fn compact(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_whitespace());
    kept.collect::<String>().to_ascii_uppercase()
}

/// Two letters, two digits, letters and digits.
fn is_iban_shape(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, b)| match at {
        0 | 1 => b.is_ascii_uppercase(),
        2 | 3 => b.is_ascii_digit(),
        _ => b.is_ascii_uppercase() || b.is_ascii_digit(),
    })
}

fn rotated(text: &str, by: usize) -> String {
    let (head, rest) = text.split_at_checked(by).unwrap_or((text, ""));
    format!("{rest}{head}")
}

/// The number that letters and digits spell (A is 10), modulo 97 (ISO 7064).
fn mod_97(text: impl AsRef<str>) -> Option<u32> {
    text.as_ref().chars().try_fold(0, |rest, c| {
        let digit = c.to_digit(36)?;
        let shift = if digit < 10 { 10 } else { 100 };
        Some((rest * shift + digit) % 97)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iban_is_known_by_its_length_and_check_digits() {
        for good in [
            "DE89 3704 0044 0532 0130 00",
            "gb82west12345698765432",
            "NO9386011117947",
            "FR1420041010050500013M02606",
        ] {
            assert!(iban(good).is_ok(), "{good}");
        }
        for bad in [
            "DE88370400440532013000",
            "DE8937040044053201300",
            "",
            "DE",
            "12345678901234567890",
            "ÄÖ89370400440532013000",
        ] {
            assert_eq!(iban(bad).unwrap_err().code, "IBAN_INVALID", "{bad}");
        }
    }

    #[test]
    fn a_refused_iban_is_not_repeated_in_full() {
        let fault = iban("DE88370400440532013000").unwrap_err();
        assert!(!fault.message.contains("37040044"), "{fault}");
    }

    #[test]
    fn a_creditor_identifier_is_checked_without_its_business_code() {
        assert!(creditor("DE98ZZZ09999999999").is_ok());
        assert!(creditor("DE98ABC09999999999").is_ok());
        assert!(creditor("DE97ZZZ09999999999").is_err());
        assert!(creditor("DE98ZZZ").is_err());
    }

    #[test]
    fn a_creditor_reference_carries_its_own_check_digits() {
        assert_eq!(
            creditor_reference("539007547034").as_deref(),
            Some("RF18539007547034")
        );
        let reference = creditor_reference("ACME-2026-00042").expect("short enough");
        assert!(is_creditor_reference(&reference));
        assert!(!is_creditor_reference("RF19539007547034"));
        assert_eq!(
            creditor_reference("an invoice number that is far too long"),
            None
        );
    }

    #[test]
    fn a_bic_has_eight_or_eleven_characters() {
        assert!(bic("COBADEFF").is_ok() && bic("cobadeffxxx").is_ok());
        assert!(bic("COBADEF").is_err() && bic("COBA12FF").is_err());
    }

    #[test]
    fn text_is_written_in_the_characters_that_every_bank_takes() {
        assert_eq!(
            plain("Müller & Søn — Łódź_1", 70),
            "Mueller + Soen - Lodz-1"
        );
        assert_eq!(plain("日本", 70), "..");
        assert_eq!(plain("a".repeat(80).as_str(), 70).len(), 70);
        assert!(check_id("message", "A//B").is_err() && check_id("message", "").is_err());
        assert!(check_id("message", "debit-2026-11-22").is_ok());
    }
}
