//! Patterns of values: characters, classes, groups and counted repeats, as the ISO 20022 schemas write them.

use std::collections::BTreeSet;
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// What a whole value must look like.
#[derive(Debug)]
pub struct Pattern {
    repeats: Vec<Repeat>,
    text: String,
}

#[derive(Debug)]
struct Repeat {
    piece: Piece,
    least: usize,
    most: usize,
}

#[derive(Debug)]
enum Piece {
    /// One character of these ranges.
    Class(Vec<(char, char)>),
    Group(Vec<Repeat>),
}

impl Pattern {
    /// None: it uses what is not known here.
    pub fn read(text: &str) -> Option<Pattern> {
        let mut chars = text.chars().peekable();
        let repeats = read_all(&mut chars)?;
        let text = text.to_owned();
        chars.next().is_none().then_some(Pattern { repeats, text })
    }

    /// True if all of a text looks like it.
    pub fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        ends(&self.repeats, &text, BTreeSet::from([0])).contains(&text.len())
    }
}

#[cfg(test)]
impl Pattern {
    /// A text that fits, as `pick(n)` (a number below n) would have it.
    pub fn example(&self, pick: &mut dyn FnMut(usize) -> usize) -> String {
        let mut text = String::new();
        write(&self.repeats, &mut text, pick);
        text
    }
}

#[cfg(test)]
fn write(repeats: &[Repeat], text: &mut String, pick: &mut dyn FnMut(usize) -> usize) {
    for repeat in repeats {
        for _ in 0..repeat.least + pick(repeat.most - repeat.least + 1) {
            match &repeat.piece {
                Piece::Group(group) => write(group, text, pick),
                Piece::Class(ranges) => {
                    let (from, until) = ranges[pick(ranges.len())];
                    let all: Vec<char> = (from..=until).collect();
                    text.push(all[pick(all.len())]);
                }
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn read_all(chars: &mut Peekable<Chars<'_>>) -> Option<Vec<Repeat>> {
    let mut repeats = Vec::new();
    while let Some(next) = chars.next_if(|c| *c != ')') {
        let piece = match next {
            '[' => Piece::Class(class(chars)?),
            '(' => {
                let group = read_all(chars)?;
                chars.next_if_eq(&')')?;
                Piece::Group(group)
            }
            '\\' => {
                let c = chars.next()?;
                Piece::Class(vec![(c, c)])
            }
            '?' | '*' | '+' | '|' | '.' | '^' | '$' | '{' | ']' | '}' => return None,
            c => Piece::Class(vec![(c, c)]),
        };
        let (least, most) = times(chars)?;
        repeats.push(Repeat { piece, least, most });
    }
    Some(repeats)
}

/// What follows `[`, up to and with its `]`.
fn class(chars: &mut Peekable<Chars<'_>>) -> Option<Vec<(char, char)>> {
    let mut ranges = Vec::new();
    loop {
        let from = match chars.next()? {
            ']' => return Some(ranges),
            '\\' => chars.next()?,
            '^' => return None,
            c => c,
        };
        let until = match chars.next_if_eq(&'-') {
            Some(_) => chars.next()?,
            None => from,
        };
        ranges.push((from, until));
    }
}

/// `{2}` or `{1,30}`; nothing is once.
fn times(chars: &mut Peekable<Chars<'_>>) -> Option<(usize, usize)> {
    if chars.next_if_eq(&'{').is_none() {
        return Some((1, 1));
    }
    let mut text = String::new();
    loop {
        match chars.next()? {
            '}' => break,
            c => text.push(c),
        }
    }
    let (least, most) = text.split_once(',').unwrap_or((&text, &text));
    Some((least.parse().ok()?, most.parse().ok()?))
}

/// Where repeats can end that begin at one of these places.
fn ends(repeats: &[Repeat], text: &[char], from: BTreeSet<usize>) -> BTreeSet<usize> {
    repeats.iter().fold(from, |from, repeat| {
        let mut at = from;
        let mut all = BTreeSet::new();
        for count in 0..=repeat.most {
            if count >= repeat.least {
                all.extend(&at);
            }
            if at.is_empty() || count == repeat.most {
                break;
            }
            at = match &repeat.piece {
                Piece::Group(group) => ends(group, text, at),
                Piece::Class(ranges) => {
                    let fits = |c: &char| ranges.iter().any(|(a, b)| (a..=b).contains(&c));
                    let here = at.into_iter().filter(|n| text.get(*n).is_some_and(fits));
                    here.map(|n| n + 1).collect()
                }
            };
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_pattern_fits_whole_values_only() {
        let bic = Pattern::read("[A-Z]{6}[A-Z2-9][A-NP-Z0-9]([A-Z0-9]{3}){0,1}").expect("known");
        for (text, fits) in [
            ("COBADEFF", true),
            ("COBADEFFXXX", true),
            ("COBADEFFXX", false),
            ("COBADEFO", false),
            ("COBADE1F", false),
            ("", false),
            (" COBADEFF", false),
        ] {
            assert_eq!(bic.fits(text), fits, "{text}");
        }
        let phone = Pattern::read("\\+[0-9]{1,3}-[0-9()+\\-]{1,30}").expect("known");
        assert!(phone.fits("+49-(0)30-1") && !phone.fits("49-1") && !phone.fits("+49-"));
    }

    #[test]
    fn what_is_not_known_is_not_guessed_at() {
        for unknown in ["a|b", "a*", "[^a]", "a{x}", "(a", "a)", "[a"] {
            assert!(Pattern::read(unknown).is_none(), "{unknown}");
        }
    }
}
