//! What a payer's text says: numbers of invoices, structured creditor references, numbers of accounts.

/// Characters of a text that are looked at. A bank's statement has at most 390 (MT940 field 86: 6 lines of 65).
pub const REFERENCE_MAX: usize = 1_000;

/// Words that one number may be written as: `ACME-CN 2026 / 000001` has four.
const WORDS_MAX: usize = 6;

/// Longest text behind the check digits of a creditor reference (ISO 11649).
const CREDITOR_REFERENCE_MAX: usize = 21;

/// A number as it is compared: letters and digits only, capitals.
pub fn normal(number: &str) -> String {
    number
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

/// The words of a text that can be numbers: those with a digit. Names of people have none, and bank accounts are left
/// out, because what is stored of a text must not name anybody.
pub fn words(text: &str) -> String {
    let all: Vec<&str> = text
        .char_indices()
        .nth(REFERENCE_MAX)
        .map_or(text, |(end, _)| text.split_at(end).0)
        .split_whitespace()
        .collect();
    let kept = all
        .iter()
        .filter(|w| w.chars().any(|c| c.is_ascii_digit()) && !is_bank_account(&normal(w)));
    kept.copied().collect::<Vec<_>>().join(" ")
}

/// Everything in a text that can be the number of something, longest first: runs of neighbouring words put together.
pub fn candidates(text: &str) -> Vec<String> {
    let end = text
        .char_indices()
        .nth(REFERENCE_MAX)
        .map_or(text.len(), |(end, _)| end);
    let words: Vec<String> = text
        .split_at(end)
        .0
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_ascii_uppercase)
        .collect();
    let mut found = Vec::new();
    for length in (1..=WORDS_MAX).rev() {
        for run in words.windows(length) {
            let joined = run.concat();
            if joined.chars().any(|c| c.is_ascii_digit()) && !found.contains(&joined) {
                found.push(joined);
            }
        }
    }
    found
}

/// The structured creditor reference of a number (ISO 11649): `RF`, two check digits, the number; none if that is too
/// long or empty.
pub fn creditor_reference(number: &str) -> Option<String> {
    let body = normal(number);
    if body.is_empty() || body.len() > CREDITOR_REFERENCE_MAX {
        return None;
    }
    let rest = remainder_97(&format!("{body}RF00"))?;
    Some(format!("RF{:02}{body}", 98 - rest))
}

/// The number inside a creditor reference with right check digits.
pub fn referred(candidate: &str) -> Option<&str> {
    let behind = candidate.strip_prefix("RF")?;
    let (digits, body) = behind.split_at_checked(2)?;
    let right = digits.chars().all(|c| c.is_ascii_digit())
        && !body.is_empty()
        && body.len() <= CREDITOR_REFERENCE_MAX
        && remainder_97(&format!("{body}RF{digits}")) == Some(1);
    right.then_some(body)
}

/// Whether a word is an international bank account number (ISO 13616) by shape and check digits.
fn is_bank_account(word: &str) -> bool {
    let Some((head, body)) = word.split_at_checked(4) else {
        return false;
    };
    (15..=34).contains(&word.len())
        && !head.starts_with("RF")
        && head.chars().take(2).all(|c| c.is_ascii_uppercase())
        && head.chars().skip(2).all(|c| c.is_ascii_digit())
        && remainder_97(&format!("{body}{head}")) == Some(1)
}

/// ISO 7064 MOD 97-10 of capitals and digits, letters counting from A = 10.
fn remainder_97(text: &str) -> Option<u32> {
    text.chars().try_fold(0_u32, |rest, c| {
        let value = c.to_digit(36)?;
        Some(if value < 10 {
            (rest * 10 + value) % 97
        } else {
            (rest * 100 + value) % 97
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creditor_reference_is_made_and_read() {
        // The worked example of ISO 11649: 539007547034 has the check digits 18.
        assert_eq!(
            creditor_reference("539007547034").as_deref(),
            Some("RF18539007547034")
        );
        assert_eq!(referred("RF18539007547034"), Some("539007547034"));
        assert_eq!(referred("RF19539007547034"), None);
        let made = creditor_reference("ACME-2026-000001").expect("it fits");
        assert_eq!(referred(&made), Some("ACME2026000001"));
        assert_eq!(creditor_reference(&"9".repeat(22)), None);
    }

    #[test]
    fn a_number_is_found_however_its_parts_are_set_apart() {
        for text in [
            "invoice ACME-2026-000001, thanks",
            "ACME 2026 000001",
            "acme2026-000001",
        ] {
            assert!(
                candidates(text).contains(&"ACME2026000001".to_string()),
                "{text}"
            );
        }
    }

    #[test]
    fn names_and_bank_accounts_are_not_kept_of_a_text() {
        assert_eq!(
            words("Erika Mustermann 2026-000001 DE89370400440532013000 RF18539007547034"),
            "2026-000001 RF18539007547034"
        );
    }
}
