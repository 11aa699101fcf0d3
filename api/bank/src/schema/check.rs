//! Walks through a document once, element by element, beside the facts of its message.

use super::facts::{Slot, Type, TypeId, facts};
use super::value::Simple;
use super::{NAMESPACE, PROBLEMS_MAX, Problem};
use crate::Fault;
use crate::xml::{DEPTH_MAX, reference};
use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

/// Namespace of the attributes that any document may have.
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Longest value that is shown with a problem, in characters.
const SHOWN_MAX: usize = 40;

/// An element that is open.
struct Open {
    name: String,
    at: usize,
    of: TypeId,
    /// The slot of the last element, and how many of it there were.
    slot: Option<usize>,
    count: u32,
    text: String,
}

struct Walk<'a> {
    document: &'a str,
    namespace: String,
    open: Vec<Open>,
    /// Elements that are open below one that is not looked into.
    skipped: usize,
    problems: Vec<Problem>,
}

pub fn check(document: &str) -> Result<Vec<Problem>, Fault> {
    let mut reader = NsReader::from_str(document);
    let mut walk: Option<Walk<'_>> = None;
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader.read_event().map_err(|e| malformed(&e.to_string()))?;
        if walk.as_ref().is_some_and(Walk::is_full) {
            break;
        }
        match event {
            Event::Start(start) => begin(&mut walk, &reader, document, &start, at)?,
            Event::Empty(start) => {
                begin(&mut walk, &reader, document, &start, at)?;
                end(&mut walk, at);
            }
            Event::End(_) => end(&mut walk, at),
            Event::Text(text) => add(&mut walk, &text, at),
            Event::CData(data) => add(&mut walk, &data, at),
            Event::GeneralRef(name) => {
                let text = reference(&name).ok_or_else(|| malformed("an unknown entity"))?;
                add(&mut walk, &text, at);
            }
            Event::DocType(_) => return Err(malformed("a document type is not taken")),
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
        }
    }
    let walk = walk.ok_or_else(|| malformed("there is no element"))?;
    if !walk.open.is_empty() && !walk.is_full() {
        return Err(malformed("the document ends before its elements do"));
    }
    Ok(walk.problems)
}

fn malformed(why: &str) -> Fault {
    Fault::new("XML_MALFORMED", format!("the file is no XML: {why}"))
}

fn begin<'a>(
    walk: &mut Option<Walk<'a>>,
    reader: &NsReader<&[u8]>,
    document: &'a str,
    start: &BytesStart<'_>,
    at: usize,
) -> Result<(), Fault> {
    let (namespace, name) = reader.resolver().resolve_element(start.name());
    let namespace = match namespace {
        ResolveResult::Bound(Namespace(namespace)) => namespace,
        _ => "",
    };
    match walk {
        Some(walk) => {
            if walk.open.len() + walk.skipped > DEPTH_MAX {
                return Err(malformed("its elements are too deep inside one another"));
            }
            walk.begin(namespace, name.as_ref(), at);
        }
        None => *walk = Some(Walk::new(document, namespace, name.as_ref(), at)?),
    }
    let Some(walk) = walk.as_mut().filter(|walk| walk.skipped == 0) else {
        return Ok(());
    };
    let mut given = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| malformed(&e.to_string()))?;
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        let (namespace, name) = reader.resolver().resolve_attribute(attribute.key);
        let locates = matches!(
            name.as_ref(),
            "schemaLocation" | "noNamespaceSchemaLocation"
        );
        let instance = matches!(namespace, ResolveResult::Bound(Namespace(INSTANCE)));
        if instance && locates {
            continue;
        }
        let own = matches!(namespace, ResolveResult::Unbound);
        let value = attribute.normalized_value(XmlVersion::Explicit1_0);
        let value = value.map_err(|e| malformed(&e.to_string()))?.into_owned();
        given.push((own, name.as_ref().to_owned(), value));
    }
    walk.attributes(&given, at);
    Ok(())
}

fn end(walk: &mut Option<Walk<'_>>, at: usize) {
    if let Some(walk) = walk {
        walk.end(at);
    }
}

/// Line ends are one character, whatever the file has (XML 1.0, 2.11).
fn add(walk: &mut Option<Walk<'_>>, text: &str, at: usize) {
    if let Some(walk) = walk.as_mut().filter(|walk| walk.skipped == 0) {
        match text.contains('\r') {
            true => walk.add(&text.replace("\r\n", "\n").replace('\r', "\n"), at),
            false => walk.add(text, at),
        }
    }
}

impl<'a> Walk<'a> {
    /// `name` is the root's.
    fn new(document: &'a str, namespace: &str, name: &str, at: usize) -> Result<Walk<'a>, Fault> {
        let message = namespace.strip_prefix(NAMESPACE);
        let of = message.and_then(|message| facts().messages.get(message));
        let of = *of.ok_or_else(|| {
            Fault::new(
                "BANK_MESSAGE_UNKNOWN",
                format!("the schema of a document of {namespace:?} is not known"),
            )
        })?;
        let mut walk = Walk {
            document,
            namespace: namespace.to_owned(),
            open: Vec::new(),
            skipped: 0,
            problems: Vec::new(),
        };
        walk.push(name, of, at);
        if name != "Document" {
            walk.problem(at, format!("found {name}, expected Document"));
        }
        Ok(walk)
    }

    fn is_full(&self) -> bool {
        self.problems.len() >= PROBLEMS_MAX
    }

    fn push(&mut self, name: &str, of: TypeId, at: usize) {
        self.open.push(Open {
            name: name.to_owned(),
            at,
            of,
            slot: None,
            count: 0,
            text: String::new(),
        });
    }

    fn problem(&mut self, at: usize, what: String) {
        if self.is_full() {
            return;
        }
        let before = self.document.as_bytes().get(..at).unwrap_or_default();
        let path: Vec<&str> = self.open.iter().map(|open| open.name.as_str()).collect();
        self.problems.push(Problem {
            line: before.iter().filter(|b| **b == b'\n').count() + 1,
            path: path.join("/"),
            what,
        });
    }

    fn begin(&mut self, namespace: &str, name: &str, at: usize) {
        if self.skipped > 0 {
            self.skipped += 1;
            return;
        }
        let Some(parent) = self.open.last_mut() else {
            // A second root is no document; the reader of it says so.
            self.skipped += 1;
            return;
        };
        let taken = match facts().of(parent.of) {
            Type::Any => {
                parent.count += 1;
                self.skipped += 1;
                return;
            }
            Type::Sequence(slots) | Type::Choice(slots) if namespace != self.namespace => {
                let expected = expected(slots, parent);
                Err(format!(
                    "{name} is of the namespace {namespace:?}, expected {expected} of {:?}",
                    self.namespace
                ))
            }
            Type::Sequence(slots) => next(slots, parent, name),
            Type::Choice(slots) => choose(slots, parent, name),
            Type::Attributed { .. } | Type::Simple(_) => {
                Err(format!("found element {name}, expected a value alone"))
            }
        };
        match taken {
            Ok((of, said)) => {
                for what in said {
                    self.problem(at, what);
                }
                self.push(name, of, at);
            }
            Err(what) => {
                self.problem(at, what);
                self.skipped += 1;
            }
        }
    }

    fn attributes(&mut self, given: &[(bool, String, String)], at: usize) {
        let Some(open) = self.open.last() else { return };
        let (wanted, of) = match facts().of(open.of) {
            Type::Attributed { attribute, of, .. } => (Some(*attribute), Some(facts().of(*of))),
            _ => (None, None),
        };
        let mut problems = Vec::new();
        for (own, name, value) in given {
            match of {
                Some(Type::Simple(simple)) if *own && Some(name.as_str()) == wanted => {
                    if !simple.fits(value) {
                        problems.push(differs(&format!("attribute {name}"), value, simple));
                    }
                }
                _ => problems.push(format!("attribute {name} is not expected here")),
            }
        }
        let has = |wanted: &&str| given.iter().any(|(own, name, _)| *own && name == wanted);
        if let Some(wanted) = wanted.filter(|wanted| !has(wanted)) {
            problems.push(format!("attribute {wanted} is missing"));
        }
        for what in problems {
            self.problem(at, what);
        }
    }

    fn add(&mut self, text: &str, at: usize) {
        let Some(open) = self.open.last_mut() else {
            return;
        };
        match facts().of(open.of) {
            Type::Simple(_) | Type::Attributed { .. } => open.text.push_str(text),
            _ if text.trim_matches([' ', '\t', '\n', '\r']).is_empty() => {}
            _ => self.problem(
                at,
                format!("found the text {}, expected elements", shown(text)),
            ),
        }
    }

    fn end(&mut self, at: usize) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        let Some(open) = self.open.last() else { return };
        let began = open.at;
        let lacks = |slot: &Slot| format!("ends without {}", slot.name);
        let (at, what) = match facts().of(open.of) {
            Type::Sequence(slots) => {
                let missing = missing(slots, open.slot, open.count, slots.len());
                (at, missing.first().map(|slot| lacks(slot)))
            }
            Type::Choice(slots) => {
                let chosen = open.slot.and_then(|n| slots.get(n));
                let what = match chosen {
                    Some(slot) => (open.count < slot.least).then(|| lacks(slot)),
                    None if slots.iter().any(|slot| slot.least == 0) => None,
                    None => Some(format!("ends without {}", expected(slots, open))),
                };
                (at, what)
            }
            Type::Any => {
                let what = format!("has {} elements, expected one", open.count);
                (at, (open.count != 1).then_some(what))
            }
            Type::Simple(simple) => (began, misfit(simple, &open.text)),
            Type::Attributed { value, .. } => match facts().of(*value) {
                Type::Simple(simple) => (began, misfit(simple, &open.text)),
                _ => (began, None),
            },
        };
        if let Some(what) = what {
            self.problem(at, what);
        }
        self.open.pop();
    }
}

/// The type of the next element, and what is wrong with where it comes; an error for one that cannot be looked into.
type Taken = Result<(TypeId, Vec<String>), String>;

fn next(slots: &[Slot], parent: &mut Open, name: &str) -> Taken {
    let Some(found) = slots.iter().position(|slot| slot.name == name) else {
        return Err(format!(
            "found {name}, expected {}",
            expected(slots, parent)
        ));
    };
    let slot = slots.get(found);
    let (of, most) = slot.map_or((0, 0), |slot| (slot.of, slot.most));
    let now = parent.slot;
    if now.is_some_and(|now| found < now) {
        return Ok((
            of,
            vec![format!(
                "{name} comes too late, expected {}",
                expected(slots, parent)
            )],
        ));
    }
    if now == Some(found) {
        parent.count += 1;
        let many = parent.count > most;
        return Ok((of, many.then(|| often(name, most)).into_iter().collect()));
    }
    let said = missing(slots, now, parent.count, found);
    let said = said
        .iter()
        .map(|slot| format!("found {name}, expected {} before it", slot.name));
    let said = said.collect();
    parent.slot = Some(found);
    parent.count = 1;
    Ok((of, said))
}

fn choose(slots: &[Slot], parent: &mut Open, name: &str) -> Taken {
    let found = slots.iter().position(|slot| slot.name == name);
    let slot = found.and_then(|found| slots.get(found));
    let Some(slot) = slot else {
        return Err(format!(
            "found {name}, expected {}",
            expected(slots, parent)
        ));
    };
    match parent.slot {
        None => {
            parent.slot = found;
            parent.count = 1;
            Ok((slot.of, Vec::new()))
        }
        now if now == found => {
            parent.count += 1;
            let many = parent.count > slot.most;
            let said = many.then(|| often(name, slot.most));
            Ok((slot.of, said.into_iter().collect()))
        }
        _ => Ok((
            slot.of,
            vec![format!("found {name} beside another of the choice")],
        )),
    }
}

fn often(name: &str, most: u32) -> String {
    format!("{name} is there more than {most} times")
}

/// Elements that must be there between the last one and the slot `until`.
fn missing(slots: &[Slot], last: Option<usize>, count: u32, until: usize) -> Vec<&Slot> {
    let all = slots.iter().enumerate().take(until);
    let here = all.filter(|(n, slot)| match last {
        Some(last) if *n < last => false,
        Some(last) if *n == last => count < slot.least,
        _ => slot.least > 0,
    });
    here.map(|(_, slot)| slot).collect()
}

/// What may come next, in words.
fn expected(slots: &[Slot], parent: &Open) -> String {
    let from = parent.slot.unwrap_or(0);
    let mut names = Vec::new();
    match facts().of(parent.of) {
        Type::Choice(_) if parent.slot.is_some() => {}
        Type::Choice(_) => names.extend(slots.iter().map(|slot| slot.name)),
        _ => {
            for (n, slot) in slots.iter().enumerate().skip(from) {
                let full = parent.slot == Some(n) && parent.count >= slot.most;
                if !full {
                    names.push(slot.name);
                }
                let met = parent.slot == Some(n) && parent.count >= slot.least;
                if slot.least > 0 && !met {
                    break;
                }
            }
        }
    }
    match names.len() {
        0 => "the end".to_owned(),
        1..=6 => names.join(" or "),
        more => format!(
            "{} or {} others",
            names.get(..5).unwrap_or_default().join(" or "),
            more - 5
        ),
    }
}

fn misfit(simple: &Simple, text: &str) -> Option<String> {
    (!simple.fits(text)).then(|| differs("the value", text, simple))
}

fn differs(what: &str, value: &str, simple: &Simple) -> String {
    format!("{what} is {}, expected {simple}", shown(value))
}

fn shown(text: &str) -> String {
    match text.chars().count() > SHOWN_MAX {
        true => format!(
            "{:?} and more",
            text.chars().take(SHOWN_MAX).collect::<String>()
        ),
        false => format!("{text:?}"),
    }
}
