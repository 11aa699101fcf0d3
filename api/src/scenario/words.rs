//! One line cut into words, read from left to right with a sentence for everything that does not fit.

use chrono::{NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;

use super::ast::midnight;
use super::parse::Mistake;

/// A word is bare (`alice`), quoted (`"External charge"`) or an interval (`[2012-05-12, 2013-05-01)`).
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Bare(String),
    Quoted(String),
    Interval(String),
}

impl Word {
    fn text(&self) -> &str {
        match self {
            Word::Bare(text) | Word::Quoted(text) | Word::Interval(text) => text,
        }
    }
}

/// The unread rest of one line.
#[derive(Debug)]
pub(super) struct Words {
    line: usize,
    verb: String,
    words: std::vec::IntoIter<Word>,
}

impl Words {
    /// Cuts a line; the first word becomes the verb. `None` for a line that is empty or a comment.
    pub(super) fn cut(line: usize, text: &str) -> Result<Option<Words>, Mistake> {
        let mut words = split(line, text)?.into_iter();
        let Some(first) = words.next() else {
            return Ok(None);
        };
        Ok(Some(Words {
            line,
            verb: first.text().to_owned(),
            words,
        }))
    }

    pub(super) fn verb(&self) -> &str {
        &self.verb
    }

    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Takes the next word as the verb, for steps that begin with two words or stand after `refused CODE:`.
    pub(super) fn descend(&mut self, what: &str) -> Result<(), Mistake> {
        self.verb = self.need(what)?;
        Ok(())
    }

    pub(super) fn take(&mut self) -> Option<String> {
        self.words.next().map(|word| word.text().to_owned())
    }

    pub(super) fn peek(&self) -> Option<&str> {
        self.words.as_slice().first().map(Word::text)
    }

    /// Takes the next word if it is this one.
    pub(super) fn skip(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        if found {
            self.words.next();
        }
        found
    }

    pub(super) fn need(&mut self, what: &str) -> Result<String, Mistake> {
        self.take()
            .ok_or_else(|| self.mistake(format!("needs {what}, found the end of the line")))
    }

    /// A name of the file's own: letters, digits, `-`, `_`, `.`.
    pub(super) fn name(&mut self, what: &str) -> Result<String, Mistake> {
        let word = self.need(what)?;
        let plain = word
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+' | '~'));
        if plain && !word.is_empty() {
            Ok(word)
        } else {
            Err(self.misfit(what, &word))
        }
    }

    pub(super) fn decimal(&mut self, what: &str) -> Result<Decimal, Mistake> {
        let word = self.need(what)?;
        Decimal::from_str_exact(&word).map_err(|_| self.misfit(what, &word))
    }

    pub(super) fn whole<N: std::str::FromStr>(&mut self, what: &str) -> Result<N, Mistake> {
        let word = self.need(what)?;
        word.parse().map_err(|_| self.misfit(what, &word))
    }

    pub(super) fn ordinal(&mut self, what: &str) -> Result<usize, Mistake> {
        match self.whole::<usize>(what)? {
            0 => Err(self.mistake(format!("needs {what}, counted from 1, found `0`"))),
            n => Ok(n),
        }
    }

    pub(super) fn date(&mut self, what: &str) -> Result<NaiveDate, Mistake> {
        let word = self.need(what)?;
        date(&word).ok_or_else(|| self.misfit(what, &word))
    }

    /// A day, or a day and a time: `2012-05-03` is `2012-05-03T00:00`.
    pub(super) fn moment(&mut self, what: &str) -> Result<NaiveDateTime, Mistake> {
        let word = self.need(what)?;
        let timed = |format| NaiveDateTime::parse_from_str(&word, format).ok();
        date(&word)
            .map(midnight)
            .or_else(|| timed("%Y-%m-%dT%H:%M"))
            .or_else(|| timed("%Y-%m-%dT%H:%M:%S"))
            .ok_or_else(|| self.misfit(what, &word))
    }

    /// `[2012-05-12, 2013-05-01)` or a single day.
    pub(super) fn span(&mut self) -> Result<(NaiveDate, Option<NaiveDate>), Mistake> {
        let what = "a period `[from, until)` or a day";
        let Some(word) = self.words.next() else {
            return Err(self.mistake(format!("needs {what}, found the end of the line")));
        };
        let Word::Interval(inner) = &word else {
            return date(word.text())
                .map(|day| (day, None))
                .ok_or_else(|| self.misfit(what, word.text()));
        };
        let ends = inner
            .split_once(',')
            .and_then(|(from, until)| Some((date(from.trim())?, date(until.trim())?)));
        let (from, until) = ends.ok_or_else(|| self.misfit(what, inner))?;
        if from >= until {
            return Err(self.mistake(format!("has an empty period [{from}, {until})")));
        }
        Ok((from, Some(until)))
    }

    /// All words left, as written, joined by single spaces.
    pub(super) fn rest(&mut self) -> Option<String> {
        let rest: Vec<String> = self
            .words
            .by_ref()
            .map(|word| word.text().to_owned())
            .collect();
        (!rest.is_empty()).then(|| rest.join(" "))
    }

    pub(super) fn end(&mut self) -> Result<(), Mistake> {
        match self.take() {
            None => Ok(()),
            Some(word) => Err(self.unknown(&word)),
        }
    }

    pub(super) fn unknown(&self, word: &str) -> Mistake {
        self.mistake(format!("does not know what to do with `{word}`"))
    }

    pub(super) fn misfit(&self, what: &str, found: &str) -> Mistake {
        self.mistake(format!("needs {what}, found `{found}`"))
    }

    /// A sentence about the verb of this line.
    pub(super) fn mistake(&self, sentence: impl std::fmt::Display) -> Mistake {
        Mistake {
            line: self.line,
            sentence: format!("`{}` {sentence}", self.verb),
        }
    }
}

fn date(word: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(word, "%Y-%m-%d").ok()
}

/// Everything before a `#` that begins a word and is not inside quotes.
pub(super) fn without_comment(text: &str) -> &str {
    let (mut quoted, mut before) = (false, ' ');
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted && before.is_whitespace() => {
                return text.get(..at).unwrap_or(text).trim();
            }
            _ => {}
        }
        before = c;
    }
    text.trim()
}

fn split(line: usize, text: &str) -> Result<Vec<Word>, Mistake> {
    let mut words = Vec::new();
    let mut chars = without_comment(text).chars().peekable();
    let unclosed = |what: &str| Mistake {
        line,
        sentence: format!("{what} is opened and not closed"),
    };
    while let Some(&c) = chars.peek() {
        match c {
            c if c.is_whitespace() => {
                chars.next();
            }
            '"' => {
                chars.next();
                let text: String = chars.by_ref().take_while(|c| *c != '"').collect();
                words.push(Word::Quoted(text));
            }
            '[' => {
                chars.next();
                let mut inner = String::new();
                loop {
                    match chars.next() {
                        Some(')') => break,
                        Some(c) => inner.push(c),
                        None => return Err(unclosed("a period `[from, until)`")),
                    }
                }
                words.push(Word::Interval(inner));
            }
            _ => {
                let mut bare = String::new();
                while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
                    bare.push(c);
                }
                words.push(Word::Bare(bare));
            }
        }
    }
    match without_comment(text).matches('"').count() % 2 {
        0 => Ok(words),
        _ => Err(unclosed("a quotation")),
    }
}
