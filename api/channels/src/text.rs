//! Texts of messages, by name and language.
//!
//! A text is a file: lines `subject:` and `short:` (what fits on a telephone), an empty line, the body. All three are
//! Jinja templates. One's own go into a folder, `<folder>/<language>/<name>.txt`, and are read at every sending, so that
//! a change needs no restart; what is not there is built in, in English, German and French.

mod built_in;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use crate::locale;

/// The language of a text that exists in no other.
pub const FALLBACK: &str = "en";

/// Longest text that is read from a file, in bytes.
pub const TEXT_MAX: u64 = 256 * 1024;

/// Steps of a template, loops counted as often as they turn: a text of a thousand invoices takes a tenth.
const FUEL: u64 = 1_000_000;

/// Longest subject, in characters; what is longer is cut.
const SUBJECT_MAX: usize = 200;

/// What is said, ready to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pub subject: String,
    /// For channels with little room.
    pub short: String,
    pub body: String,
}

/// An invoice that a message is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invoice {
    pub number: String,
    /// Day it was issued, as `2026-10-01`.
    pub issued: String,
    pub due: String,
    /// As `12.00 EUR`.
    pub total: String,
    /// What is open of it now.
    pub open: String,
}

/// What a text can speak of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Name of the holder.
    pub name: String,
    pub account: String,
    /// Name of the legal entity.
    pub sender: String,
    /// Day the message is dated.
    pub on: String,
    pub invoices: Vec<Invoice>,
    /// Sum of what is open of the invoices, as `12.00 EUR`; empty if there is none.
    pub open: String,
    /// What whoever asked for the message gave; it goes before the rest.
    pub values: BTreeMap<String, String>,
}

/// Why a text cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    #[error("there is no text {name:?}, neither in {language} nor in English")]
    Unknown { name: String, language: String },
    #[error("text {name:?} cannot be read: {source}")]
    Unreadable {
        name: String,
        source: std::io::Error,
    },
    #[error("text {name:?} is longer than {TEXT_MAX} bytes")]
    TooLong { name: String },
    #[error("text {name:?} has no line `{missing}:` before its first empty line")]
    Headless { name: String, missing: &'static str },
    /// The template's mistake, without what it was given.
    #[error("text {name:?} cannot be written: {why}")]
    Broken { name: String, why: String },
}

/// All texts: one's own before the built-in ones.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    folder: Option<PathBuf>,
}

impl Texts {
    /// The built-in texts alone.
    pub fn built_in() -> Texts {
        Texts::default()
    }

    /// One's own texts in a folder, and the built-in ones for the rest.
    pub fn within(folder: &Path) -> Texts {
        Texts {
            folder: Some(folder.to_owned()),
        }
    }

    /// Writes a text in a language, else in the language without its region, else in English. Answers also with the
    /// language it is in.
    pub fn write(
        &self,
        name: &str,
        language: &str,
        facts: &Facts,
    ) -> Result<(Text, String), TextError> {
        let wanted = language.to_ascii_lowercase();
        for tag in [wanted.clone(), locale::primary(language), FALLBACK.into()] {
            if let Some(source) = self.source(name, &tag)? {
                let text = render(name, &source, &tag, facts)?;
                // What was asked for, if it is the same language: its region still says something.
                let said = match locale::primary(language) == locale::primary(&tag) {
                    true => language.to_owned(),
                    false => tag,
                };
                return Ok((text, said));
            }
        }
        Err(TextError::Unknown {
            name: name.to_owned(),
            language: language.to_owned(),
        })
    }

    fn source(&self, name: &str, tag: &str) -> Result<Option<String>, TextError> {
        // Both come from the log, where they were checked; a path is made of them all the same only if they are plain.
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        if let Some(folder) = &self.folder
            && plain(name)
            && plain(tag)
        {
            let path = folder.join(tag).join(format!("{name}.txt"));
            match read(&path) {
                Ok(Some(source)) => return Ok(Some(source)),
                Ok(None) => {
                    return Err(TextError::TooLong {
                        name: name.to_owned(),
                    });
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(TextError::Unreadable {
                        name: name.to_owned(),
                        source,
                    });
                }
            }
        }
        Ok(built_in::find(name, tag).map(str::to_owned))
    }
}

/// The file's text; none if it is too long.
fn read(path: &Path) -> std::io::Result<Option<String>> {
    if std::fs::metadata(path)?.len() > TEXT_MAX {
        return Ok(None);
    }
    std::fs::read_to_string(path).map(Some)
}

fn render(name: &str, source: &str, tag: &str, facts: &Facts) -> Result<Text, TextError> {
    let source = source.replace("\r\n", "\n");
    let (head, body) = source.split_once("\n\n").unwrap_or((&source, ""));
    let line = |missing: &'static str| {
        head.lines()
            .find_map(|line| line.strip_prefix(missing)?.strip_prefix(':'))
            .map(str::trim)
            .ok_or_else(|| TextError::Headless {
                name: name.to_owned(),
                missing,
            })
    };
    let environment = environment(tag);
    let context = context(facts);
    let write = |template: &str| {
        environment
            .render_str(template, context.clone())
            .map_err(|error| TextError::Broken {
                name: name.to_owned(),
                // Its detail may quote values; its kind and line do not.
                why: match error.line() {
                    Some(line) => format!("{:?} in line {line} of it", error.kind()),
                    None => format!("{:?}", error.kind()),
                },
            })
    };
    let mut subject = one_line(&write(line("subject")?)?);
    if let Some((at, _)) = subject.char_indices().nth(SUBJECT_MAX) {
        subject.truncate(at);
    }
    Ok(Text {
        subject,
        short: one_line(&write(line("short")?)?),
        body: without_gaps(&write(body)?),
    })
}

/// With at most one empty line in a row and none at the ends: what was left out leaves no hole.
fn without_gaps(text: &str) -> String {
    let mut tidy = String::new();
    let mut gap = false;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() {
            gap = !tidy.is_empty();
            continue;
        }
        if std::mem::take(&mut gap) {
            tidy.push('\n');
        }
        tidy.push_str(line);
        tidy.push('\n');
    }
    tidy
}

/// Without line breaks and other control characters: a header must not grow another.
pub(crate) fn one_line(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn environment(tag: &str) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // A name that nobody gave is a mistake of the text, but may be asked for by `if`.
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    // A tag on a line of its own leaves no line behind.
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .expect("the default delimiters are valid");
    environment.set_syntax(syntax);
    environment.set_fuel(Some(FUEL));
    let of = tag.to_owned();
    environment.add_filter("amount", move |value: String| locale::amount(&value, &of));
    let of = tag.to_owned();
    environment.add_filter("day", move |value: String| locale::day(&value, &of));
    environment
}

fn context(facts: &Facts) -> Value {
    let mut all: BTreeMap<String, Value> = [
        ("name", &facts.name),
        ("account", &facts.account),
        ("sender", &facts.sender),
        ("on", &facts.on),
        ("open", &facts.open),
    ]
    .map(|(name, value)| (name.to_owned(), Value::from(value.as_str())))
    .into();
    all.insert(
        "invoices".to_owned(),
        facts.invoices.iter().map(listed).collect(),
    );
    let given = facts.values.iter();
    all.extend(given.map(|(name, value)| (name.clone(), Value::from(value.as_str()))));
    Value::from_pairs(all)
}

fn listed(invoice: &Invoice) -> Value {
    Value::from_pairs([
        ("number", invoice.number.as_str()),
        ("issued", invoice.issued.as_str()),
        ("due", invoice.due.as_str()),
        ("total", invoice.total.as_str()),
        ("open", invoice.open.as_str()),
    ])
}

#[cfg(test)]
#[path = "text/tests.rs"]
mod tests;
