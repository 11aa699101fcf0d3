//! Why banks send payments back: ISO 20022 external return reason codes, as the SEPA rulebooks use them.

/// What to expect of another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// May succeed on another day.
    Retry,
    /// Will not, until the payer gives another account or mandate.
    Never,
}

/// Code, what it means, and whether another try is worth while.
const REASONS: [(&str, &str, Outlook); 27] = [
    ("AC01", "account number is wrong", Outlook::Never),
    ("AC04", "account is closed", Outlook::Never),
    ("AC06", "account is blocked", Outlook::Never),
    (
        "AC13",
        "account is a consumer's, not for this scheme",
        Outlook::Never,
    ),
    (
        "AG01",
        "direct debits are not allowed on this account",
        Outlook::Never,
    ),
    ("AG02", "operation code is wrong", Outlook::Never),
    ("AM04", "insufficient funds", Outlook::Retry),
    ("AM05", "the bank has the collection twice", Outlook::Never),
    ("BE04", "creditor's address is missing", Outlook::Never),
    (
        "BE05",
        "creditor is not known to the debtor's bank",
        Outlook::Never,
    ),
    ("CNOR", "creditor's bank is not reachable", Outlook::Retry),
    ("DNOR", "debtor's bank is not reachable", Outlook::Retry),
    ("DT01", "date is wrong", Outlook::Retry),
    ("ED05", "settlement failed", Outlook::Retry),
    ("FF01", "file format is wrong", Outlook::Retry),
    ("FOCR", "called back by the sender", Outlook::Never),
    (
        "MD01",
        "there is no mandate, or the debtor disputes it",
        Outlook::Never,
    ),
    ("MD02", "mandate data is missing or wrong", Outlook::Never),
    (
        "MD06",
        "the debtor asked for the money back",
        Outlook::Never,
    ),
    ("MD07", "the debtor died", Outlook::Never),
    ("MS02", "the debtor refused", Outlook::Never),
    ("MS03", "reason is not given", Outlook::Retry),
    ("RC01", "bank is wrong", Outlook::Never),
    ("RR01", "debtor's account is missing", Outlook::Never),
    ("RR04", "regulatory reason", Outlook::Never),
    (
        "SL01",
        "the debtor's bank blocks this creditor",
        Outlook::Never,
    ),
    ("TM01", "the file came too late", Outlook::Retry),
];

/// A code's meaning in words; the code itself if it is not known.
pub fn words(code: &str) -> &str {
    let known = REASONS.iter().find(|(known, _, _)| *known == code);
    known.map_or(code, |(_, words, _)| words)
}

/// Whether another try is worth while; an unknown reason may have passed.
pub fn outlook(code: &str) -> Outlook {
    let known = REASONS.iter().find(|(known, _, _)| *known == code);
    known.map_or(Outlook::Retry, |(_, _, outlook)| *outlook)
}

/// The first known code in a text, as a word of its own.
pub fn find(text: &str) -> Option<&'static str> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.find_map(|word| {
        let known = REASONS.iter().find(|(code, _, _)| *code == word);
        known.map(|(code, _, _)| *code)
    })
}
