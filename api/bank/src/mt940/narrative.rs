//! Field 86: what an entry is about. Two ways of writing it are common, and everything else is text.
//!
//! - The German banks': a business code of three digits, then subfields `?00` to `?63`; in the text of `?20` to `?29`, words
//!   like `EREF+`, `MREF+`, `SVWZ+` begin the SEPA fields (DFÜ agreement, annex 3).
//! - The code words of SWIFT, as Dutch and other banks use them: `/EREF/…/REMI/…/RTRN/AM04/`.

use crate::{Detail, Entry, Returned, ident, reason};

/// Business codes of returned direct debits and transfers: 108 and 109 direct debits, 159 transfers.
const RETURNS: [&str; 3] = ["108", "109", "159"];
const SEPA_WORDS: [&str; 12] = [
    "EREF+", "KREF+", "MREF+", "CRED+", "DEBT+", "SVWZ+", "ABWA+", "ABWE+", "IBAN+", "BIC+",
    "COAM+", "OAMT+",
];
const CODE_WORDS: [&str; 16] = [
    "EREF", "PREF", "MARF", "CSID", "REMI", "RTRN", "IBAN", "BIC", "NAME", "CNTP", "TRTP", "ULTC",
    "ULTD", "PURP", "TRCD", "ORDP",
];

/// Adds what the text says to the only detail of its entry.
pub(super) fn read(content: &str, entry: &mut Entry) {
    let Some(detail) = entry.details.first_mut() else {
        return;
    };
    let code = content
        .get(..3)
        .filter(|code| code.bytes().all(|b| b.is_ascii_digit()));
    let separator = content
        .chars()
        .nth(3)
        .filter(|c| !c.is_alphanumeric() && *c != '\n');
    match (code, separator) {
        (Some(code), Some(separator)) => {
            subfields(content, separator, detail);
            if RETURNS.contains(&code) {
                let text = detail.text.clone();
                returned(detail, reason::find(&text), &text);
            }
        }
        _ if content.starts_with('/') => code_words(&content.replace('\n', ""), detail),
        _ => detail.text = content.replace('\n', " "),
    }
    if entry.reversal && detail.returned.is_none() {
        let text = detail.text.clone();
        returned(detail, reason::find(&text), &text);
    }
}

fn subfields(content: &str, separator: char, detail: &mut Detail) {
    let joined = content.replace('\n', "");
    let (mut text, mut name) = (String::new(), String::new());
    for part in joined.split(separator).skip(1) {
        let Some((number, value)) = part.split_at_checked(2) else {
            continue;
        };
        match number {
            "20" | "21" | "22" | "23" | "24" | "25" | "26" | "27" | "28" | "29" | "60" | "61"
            | "62" | "63" => text.push_str(value),
            "31" => detail.iban = ident::iban(value).ok(),
            "32" | "33" => name.push_str(value),
            _ => {}
        }
    }
    if !name.trim().is_empty() {
        detail.name = Some(name.trim().to_owned());
    }
    sepa_words(&text, detail);
}

/// `EREF+abcMREF+defSVWZ+text`: each word holds until the next. Text without any word is all text.
fn sepa_words(text: &str, detail: &mut Detail) {
    let mut found: Vec<(usize, &str)> = SEPA_WORDS
        .iter()
        .flat_map(|word| text.match_indices(word))
        .collect();
    found.sort_unstable();
    if found.is_empty() {
        text.trim().clone_into(&mut detail.text);
        return;
    }
    for (n, (at, word)) in found.iter().enumerate() {
        let until = found.get(n + 1).map_or(text.len(), |(next, _)| *next);
        let value = text.get(at + word.len()..until).unwrap_or_default().trim();
        match *word {
            "EREF+" => detail.end_to_end = given(value).or_else(|| detail.end_to_end.take()),
            "KREF+" => detail.message = given(value),
            "MREF+" => detail.mandate = given(value),
            "IBAN+" => detail.iban = ident::iban(value).ok().or_else(|| detail.iban.take()),
            "SVWZ+" => value.clone_into(&mut detail.text),
            _ => {}
        }
    }
    reference(detail);
}

fn code_words(text: &str, detail: &mut Detail) {
    let mut word = "";
    let mut values: Vec<(&str, String)> = Vec::new();
    for part in text.split('/').skip(1) {
        if CODE_WORDS.contains(&part) {
            word = part;
            values.push((part, String::new()));
        } else if let Some((_, value)) = values.last_mut() {
            if !value.is_empty() {
                value.push('/');
            }
            value.push_str(part);
        } else if !word.is_empty() {
            break;
        }
    }
    for (word, value) in values {
        let value = value.trim_end_matches('/').trim();
        match word {
            "EREF" => detail.end_to_end = given(value).or_else(|| detail.end_to_end.take()),
            "PREF" => detail.message = given(value),
            "MARF" => detail.mandate = given(value),
            "IBAN" => detail.iban = ident::iban(value).ok(),
            "NAME" => detail.name = given(value),
            // Account, BIC, name, address of the other side.
            "CNTP" => {
                let mut parts = value.split('/');
                detail.iban = parts.next().and_then(|iban| ident::iban(iban).ok());
                detail.name = parts.nth(1).and_then(given);
            }
            "REMI" => {
                let value = value
                    .strip_prefix("USTD//")
                    .or_else(|| value.strip_prefix("STRD/CUR/"))
                    .unwrap_or(value);
                value.clone_into(&mut detail.text);
            }
            "RTRN" => returned(detail, reason::find(value), value),
            _ => {}
        }
    }
    reference(detail);
}

/// A text that is a structured creditor reference and nothing else.
fn reference(detail: &mut Detail) {
    if ident::is_creditor_reference(&detail.text) {
        detail.creditor_reference = Some(detail.text.replace(' ', ""));
    }
}

fn returned(detail: &mut Detail, code: Option<&str>, text: &str) {
    detail.returned = Some(Returned {
        code: code.unwrap_or_default().to_owned(),
        text: text.to_owned(),
    });
}

fn given(value: &str) -> Option<String> {
    let value = value.trim();
    let nothing =
        value.is_empty() || value.eq_ignore_ascii_case("NOTPROVIDED") || value == "NONREF";
    (!nothing).then(|| value.to_owned())
}
