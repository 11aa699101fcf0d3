//! International bank account numbers (ISO 13616).

use crate::kernel::Rejection;

/// Shortest and longest IBAN there is.
const LENGTHS: std::ops::RangeInclusive<usize> = 15..=34;

/// The IBAN without spaces and in capitals, if its check digits are right (ISO 7064 MOD 97-10).
///
/// Errors: IBAN_INVALID; the sentence shows nothing of the number.
pub fn normal(text: &str) -> Result<String, Rejection> {
    let iban: String = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let (head, tail) = iban.split_at_checked(4).unwrap_or((&iban, ""));
    let form = head.chars().take(2).all(|c| c.is_ascii_uppercase())
        && head.chars().skip(2).all(|c| c.is_ascii_digit())
        && tail.chars().all(|c| c.is_ascii_alphanumeric());
    if !LENGTHS.contains(&iban.len()) || !form || remainder(tail.chars().chain(head.chars())) != 1 {
        return Err(Rejection::new(
            "IBAN_INVALID",
            format!(
                "an IBAN of {} characters was given whose form or check digits are wrong",
                iban.chars().count()
            ),
        ));
    }
    Ok(iban)
}

fn remainder(characters: impl Iterator<Item = char>) -> u32 {
    characters
        .filter_map(|c| c.to_digit(36))
        .fold(0, |rest, digit| match digit {
            0..=9 => (rest * 10 + digit) % 97,
            _ => (rest * 100 + digit) % 97,
        })
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn check_digits_tell_a_number_from_a_slip() {
        assert_eq!(
            normal("de89 3704 0044 0532 0130 00").as_deref(),
            Ok("DE89370400440532013000")
        );
        assert!(normal("GB82WEST12345698765432").is_ok());
        for wrong in [
            "DE88370400440532013000",
            "DE89",
            "",
            "8937DE0400440532013000",
            "ÄÖ89370400440532013000",
        ] {
            assert_eq!(
                normal(wrong).map_err(|e| e.code),
                Err("IBAN_INVALID".to_string()),
                "{wrong}"
            );
        }
    }
}
