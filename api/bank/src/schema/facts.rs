//! The facts of the messages, one line each, read once.
//!
//! ```text
//! = <message> <element> <type>             a message, and what its Document holds
//! : <type> <element><times> <type>, …      these elements in this order
//! | <type> <element><times> <type>, …      one of these elements
//! % <type>                                 any one element
//! @ <type> <attribute> <type> <type>       a value with an attribute that it needs
//! $ <type> text 1..35 | text <pattern>     a text, by its characters
//! $ <type> code AAAA BBBB                  one of these words
//! $ <type> decimal 18.5 [positive]         digits in all, and behind the point
//! $ <type> date | dateTime | boolean | gYear | gYearMonth | base64 1..10240
//! ```
//!
//! `times` is nothing for once, `?` for at most once, `*` for any number, `+` for once or more, `{0,5}` for a range.

use super::pattern::Pattern;
use super::value::{Decimal, Simple, Text};
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

/// Index of a type.
pub type TypeId = usize;

/// An element that a type may hold, and how often.
#[derive(Debug)]
pub struct Slot {
    pub name: &'static str,
    pub of: TypeId,
    pub least: u32,
    pub most: u32,
}

/// What a type holds.
#[derive(Debug)]
pub enum Type {
    Sequence(Vec<Slot>),
    Choice(Vec<Slot>),
    /// One element of any kind, which is not looked into.
    Any,
    /// A value, and its one attribute.
    Attributed {
        attribute: &'static str,
        of: TypeId,
        value: TypeId,
    },
    Simple(Simple),
}

/// Everything that is known.
pub struct Facts {
    pub types: Vec<Type>,
    /// The type of its `Document` by message.
    pub messages: BTreeMap<&'static str, TypeId>,
}

impl Facts {
    pub fn of(&self, id: TypeId) -> &Type {
        self.types.get(id).unwrap_or(&Type::Any)
    }
}

/// The facts that come with this program.
pub fn facts() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| {
        read(include_str!("facts.txt")).expect("the facts that come with the program are whole")
    })
}

/// Ids by name, given out when a type is first named.
#[derive(Default)]
struct Names {
    ids: HashMap<&'static str, TypeId>,
    types: Vec<Option<Type>>,
}

impl Names {
    fn id(&mut self, name: &'static str) -> TypeId {
        let next = self.types.len();
        let id = *self.ids.entry(name).or_insert(next);
        if id == next {
            self.types.push(None);
        }
        id
    }

    fn set(&mut self, name: &'static str, of: Type) {
        let id = self.id(name);
        if let Some(place) = self.types.get_mut(id) {
            *place = Some(of);
        }
    }
}

/// None: a line is not understood, or a type is named that no line describes.
fn read(text: &'static str) -> Option<Facts> {
    let mut names = Names::default();
    let mut messages = BTreeMap::new();
    for line in text.lines() {
        let (kind, rest) = line.split_once(' ')?;
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let of = match kind {
            "=" => {
                let document = Type::Sequence(slots(&mut names, rest)?);
                let id = names.types.len();
                names.types.push(Some(document));
                messages.insert(name, id);
                continue;
            }
            ":" => Type::Sequence(slots(&mut names, rest)?),
            "|" => Type::Choice(slots(&mut names, rest)?),
            "%" => Type::Any,
            "@" => {
                let mut words = rest.split(' ');
                Type::Attributed {
                    attribute: words.next()?,
                    of: names.id(words.next()?),
                    value: names.id(words.next()?),
                }
            }
            "$" => Type::Simple(simple(rest)?),
            _ => return None,
        };
        names.set(name, of);
    }
    Some(Facts {
        types: names.types.into_iter().collect::<Option<_>>()?,
        messages,
    })
}

fn slots(names: &mut Names, text: &'static str) -> Option<Vec<Slot>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let slot = |part: &'static str| {
        let (element, of) = part.split_once(' ')?;
        let end = element.find(['?', '*', '+', '{']).unwrap_or(element.len());
        let (name, times) = element.split_at(end);
        let (least, most) = match times {
            "" => (1, 1),
            "?" => (0, 1),
            "*" => (0, u32::MAX),
            "+" => (1, u32::MAX),
            range => {
                let range = range.strip_prefix('{')?.strip_suffix('}')?;
                let (least, most) = range.split_once(',')?;
                (least.parse().ok()?, most.parse().ok()?)
            }
        };
        Some(Slot {
            name,
            of: names.id(of),
            least,
            most,
        })
    };
    text.split(", ").map(slot).collect()
}

fn simple(text: &'static str) -> Option<Simple> {
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    Some(match kind {
        "text" => Simple::Text(match range(rest) {
            Some((least, most)) => Text::Length { least, most },
            None if rest.is_empty() => return None,
            None => Text::Pattern(Pattern::read(rest)?),
        }),
        "code" => Simple::Code(rest.split(' ').collect()),
        "decimal" => {
            let (digits, positive) = match rest.strip_suffix(" positive") {
                Some(digits) => (digits, true),
                None => (rest, false),
            };
            let (total, fraction) = digits.split_once('.')?;
            Simple::Decimal(Decimal {
                total: total.parse().ok()?,
                fraction: fraction.parse().ok()?,
                positive,
            })
        }
        "date" => Simple::Date,
        "dateTime" => Simple::DateTime,
        "boolean" => Simple::Boolean,
        "gYear" => Simple::Year,
        "gYearMonth" => Simple::YearMonth,
        "base64" => {
            let (least, most) = range(rest)?;
            Simple::Base64 { least, most }
        }
        _ => return None,
    })
}

fn range(text: &str) -> Option<(usize, usize)> {
    let (least, most) = text.split_once("..")?;
    Some((least.parse().ok()?, most.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_is_named_is_described() {
        let facts = read(include_str!("facts.txt")).expect("whole");
        assert_eq!(facts.messages.len(), 15);
        assert!(read("= a.b X Missing").is_none());
    }

    #[test]
    fn a_sequence_names_an_element_once_so_that_its_place_is_known() {
        for of in &facts().types {
            if let Type::Sequence(slots) | Type::Choice(slots) = of {
                let mut names: Vec<_> = slots.iter().map(|slot| slot.name).collect();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), slots.len(), "{slots:?}");
            }
        }
    }
}
