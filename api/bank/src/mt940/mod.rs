//! MT940, the customer statement message of SWIFT (Standards MT, category 9), as banks deliver it: with or without the
//! blocks of the network around it, several statements in one file.
//!
//! - Fields read: `:20:`, `:25:`, `:28C:`, `:60F:` or `:60M:`, `:61:`, `:86:`, `:62F:` or `:62M:`.
//! - A statement of several pages stays several statements; their balances tie them together.
//! - The numbers of `:28C:` start again each year, so a statement is known by its closing day and number.

mod line;
mod narrative;

use crate::{Balance, Entry, Fault, Kind, Statement, ident};
use indelible_domain::kernel::{Currency, Date, Decimal, Money};

/// Reads a file.
///
/// # Errors
/// `MT940_FIELD` with the field that cannot be read.
pub fn read(text: &str) -> Result<Vec<Statement>, Fault> {
    let mut statements = Vec::new();
    let mut open: Option<Draft> = None;
    for Field { tag, content } in fields(text) {
        if tag == "20" {
            statements.extend(open.take().map(Draft::done).transpose()?);
            open = Some(Draft::default());
            continue;
        }
        let Some(draft) = open.as_mut() else {
            return Err(wrong(&tag, "a statement begins with :20:"));
        };
        draft.field(&tag, &content)?;
    }
    statements.extend(open.map(Draft::done).transpose()?);
    match statements.is_empty() {
        true => Err(wrong("20", "there is no statement in the file")),
        false => Ok(statements),
    }
}

struct Field {
    tag: String,
    content: String,
}

/// Fields with the lines that continue them. What stands before `:20:` or in braces is the network's.
fn fields(text: &str) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for line in text.lines() {
        let line = line.rsplit_once("{4:").map_or(line, |(_, rest)| rest);
        if line.trim().is_empty() || line == "-" || line.starts_with("-}") || line.starts_with('{')
        {
            continue;
        }
        match tagged(line) {
            Some((tag, content)) => fields.push(Field {
                tag: tag.to_owned(),
                content: content.to_owned(),
            }),
            None => {
                if let Some(last) = fields.last_mut() {
                    last.content.push('\n');
                    last.content.push_str(line);
                }
            }
        }
    }
    fields
}

/// `:61:…` as `61` and the rest. A text that continues a field may hold colons, so a tag is two digits and perhaps a letter.
fn tagged(line: &str) -> Option<(&str, &str)> {
    let (tag, content) = line.strip_prefix(':')?.split_once(':')?;
    let mut bytes = tag.bytes();
    let digits = bytes.next()?.is_ascii_digit() && bytes.next()?.is_ascii_digit();
    let rest = bytes.all(|b| b.is_ascii_uppercase());
    (digits && rest && tag.len() <= 3).then_some((tag, content))
}

#[derive(Default)]
struct Draft {
    account: String,
    number: String,
    opening: Option<Balance>,
    closing: Option<Balance>,
    entries: Vec<Entry>,
    /// A `:86:` after the closing balance is about the statement, not an entry.
    closed: bool,
}

impl Draft {
    fn field(&mut self, tag: &str, content: &str) -> Result<(), Fault> {
        match tag {
            "25" | "25P" => self.account = account(content),
            "28" | "28C" => self.number = content.trim().to_owned(),
            "60F" | "60M" => self.opening = Some(balance(tag, content)?),
            "62F" | "62M" => {
                self.closing = Some(balance(tag, content)?);
                self.closed = true;
            }
            "61" => {
                let opening = self
                    .opening
                    .ok_or_else(|| wrong(tag, "it comes before the opening balance"))?;
                self.entries
                    .push(line::read(content, opening.amount.currency)?);
            }
            "86" if !self.closed => {
                if let Some(entry) = self.entries.last_mut() {
                    narrative::read(content, entry);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn done(self) -> Result<Statement, Fault> {
        let closing = self
            .closing
            .ok_or_else(|| wrong("62F", "the statement has none"))?;
        if self.account.is_empty() {
            return Err(wrong("25", "the statement has none"));
        }
        Ok(Statement {
            kind: Kind::Statement,
            id: format!("{}/{}", closing.on.format("%Y-%m-%d"), self.number),
            account: self.account,
            opening: self.opening,
            closing: Some(closing),
            entries: self.entries,
        })
    }
}

/// An IBAN, or bank and account number as the bank writes them; some append the currency.
fn account(content: &str) -> String {
    let first = content.lines().next().unwrap_or_default().replace(' ', "");
    let without = first.strip_suffix("EUR").unwrap_or(&first);
    ident::iban(without).unwrap_or(first)
}

/// `C261122EUR1234,56`.
fn balance(tag: &str, content: &str) -> Result<Balance, Fault> {
    let bad = || wrong(tag, "it is not sign, day, currency and amount");
    let content = content.trim();
    let sign = content.get(..1).ok_or_else(bad)?;
    let on = day(content.get(1..7).ok_or_else(bad)?).ok_or_else(bad)?;
    let currency: Currency = content.get(7..10).ok_or_else(bad)?.parse()?;
    let amount = amount(tag, content.get(10..).ok_or_else(bad)?, currency)?;
    let amount = match sign {
        "C" => amount,
        "D" => amount.negated(),
        _ => return Err(bad()),
    };
    Ok(Balance { amount, on })
}

/// An amount with a decimal comma that is always there (SWIFT format `15d`).
fn amount(tag: &str, text: &str, currency: Currency) -> Result<Money, Fault> {
    let bad = || wrong(tag, "its amount is not digits and one comma");
    let (whole, part) = text.split_once(',').ok_or_else(bad)?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return Err(bad());
    }
    let number: Decimal = format!("{whole}.{part}")
        .trim_end_matches('.')
        .parse()
        .map_err(|_| bad())?;
    Ok(Money::parse(number, currency)?)
}

/// `YYMMDD`; years are of this century.
fn day(text: &str) -> Option<Date> {
    if text.len() != 6 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    let year = i32::try_from(part(0..2)?).ok()?;
    Date::from_ymd_opt(2000 + year, part(2..4)?, part(4..6)?)
}

fn wrong(tag: &str, why: &str) -> Fault {
    Fault::new(
        "MT940_FIELD",
        format!("field :{tag}: cannot be read: {why}"),
    )
}
