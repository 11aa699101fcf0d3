//! From characters to tokens.

use super::{Problem, SOURCE_MAX};
use crate::kernel::Decimal;

/// Digits that a number may be written with.
const NUMBER_DIGITS_MAX: usize = 28;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(Decimal),
    Text(String),
    /// A name, a keyword or a function: letters, digits, `_` and dots between them.
    Word(String),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

impl Token {
    /// What it is called in a message.
    pub fn shown(&self) -> String {
        match self {
            Token::Number(n) => n.to_string(),
            Token::Text(t) => format!("the text {t:?}"),
            Token::Word(w) => w.clone(),
            Token::Sign(s) => format!("{s:?}"),
            Token::End => "the end".to_string(),
        }
    }
}

/// Signs, the longer before the shorter. `==` is read as `=` and `<>` as `!=`.
const SIGNS: [(&str, &str); 19] = [
    ("==", "="),
    ("!=", "!="),
    ("<>", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("=", "="),
    ("<", "<"),
    (">", ">"),
    ("+", "+"),
    ("-", "-"),
    ("*", "*"),
    ("/", "/"),
    ("(", "("),
    (")", ")"),
    ("[", "["),
    ("]", "]"),
    (",", ","),
    // Not of the language: read so that the message can say what is.
    ("&&", "&&"),
    ("||", "||"),
];

/// The tokens with the column of each; the last one is the end.
pub(super) fn tokens(source: &str) -> Result<Vec<(usize, Token)>, Problem> {
    if source.len() > SOURCE_MAX {
        return Err(Problem::at(
            1,
            format!(
                "the expression has {} bytes, {SOURCE_MAX} are allowed",
                source.len()
            ),
        ));
    }
    let mut out = Vec::new();
    let mut rest = source;
    let mut column = 1;
    while let Some(first) = rest.chars().next() {
        let (token, used) = match first {
            c if c.is_whitespace() => {
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                column += 1;
                continue;
            }
            c if c.is_ascii_digit() => number(rest, column)?,
            c if c.is_ascii_alphabetic() || c == '_' => word(rest),
            '"' | '\'' => text(rest, first, column)?,
            c => SIGNS
                .iter()
                .find(|(written, _)| rest.starts_with(written))
                .map(|(written, sign)| (Token::Sign(sign), written.len()))
                .ok_or_else(|| {
                    Problem::at(column, format!("{c:?} has no meaning in an expression"))
                })?,
        };
        out.push((column, token));
        let (head, tail) = rest.split_at_checked(used).unwrap_or((rest, ""));
        column += head.chars().count();
        rest = tail;
    }
    out.push((column, Token::End));
    Ok(out)
}

/// Bytes at the start of `text` whose characters hold `is`.
fn while_holds(text: &str, is: impl Fn(char) -> bool) -> usize {
    text.find(|c: char| !is(c)).unwrap_or(text.len())
}

fn number(rest: &str, column: usize) -> Result<(Token, usize), Problem> {
    let used = while_holds(rest, |c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
    let written = rest.get(..used).unwrap_or_default();
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let formed = written.split('.').all(digits)
        && written.bytes().filter(u8::is_ascii_digit).count() <= NUMBER_DIGITS_MAX;
    match written.parse() {
        Ok(value) if formed => Ok((Token::Number(value), used)),
        _ => Err(Problem::at(
            column,
            format!(
                "{written:?} is not a number like 12 or 0.045 of at most {NUMBER_DIGITS_MAX} digits"
            ),
        )),
    }
}

fn word(rest: &str) -> (Token, usize) {
    let used = while_holds(rest, |c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    let written = rest.get(..used).unwrap_or_default();
    (Token::Word(written.to_string()), used)
}

/// A text between two equal quotes; `\` before a quote, a `\` or one of `n`, `t` makes it that character.
fn text(rest: &str, quote: char, column: usize) -> Result<(Token, usize), Problem> {
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((Token::Text(out), at + c.len_utf8())),
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\'' | '\\'))) => out.push(c),
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                _ => {
                    return Err(Problem::at(
                        column,
                        "in a text, \\ stands before a quote, \\, n or t",
                    ));
                }
            },
            c => out.push(c),
        }
    }
    Err(Problem::at(
        column,
        format!("the text that begins here has no closing {quote}"),
    ))
}
