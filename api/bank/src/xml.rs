//! XML in and out, as far as bank messages need it: elements, text, one attribute.

use crate::Fault;
use quick_xml::events::{BytesDecl, BytesEnd, BytesRef, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};

/// Deepest nesting that is read; the deepest path of a camt.053 has about 15 elements.
pub const DEPTH_MAX: usize = 40;
/// Most elements of one file.
const ELEMENTS_MAX: usize = 4_000_000;

/// An element without its prefix, with everything under it.
#[derive(Debug, Default)]
pub struct Element {
    pub name: String,
    /// Namespace as declared on this element.
    pub namespace: Option<String>,
    pub currency: Option<String>,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first element at a path like `Acct/Id/IBAN`.
    pub fn at(&self, path: &str) -> Option<&Element> {
        path.split('/').try_fold(self, |at, name| at.child(name))
    }

    /// The text at the first of the paths that has any.
    pub fn text_at(&self, paths: &[&str]) -> Option<&str> {
        let texts = paths.iter().filter_map(|path| self.at(path));
        texts
            .map(|found| found.text.trim())
            .find(|text| !text.is_empty())
    }
}

/// Reads a document. No entity but the five of XML is known and a document type is refused, so nothing can grow or fetch.
pub fn parse(text: &str) -> Result<Element, Fault> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    let mut elements = 0;
    loop {
        let event = reader
            .read_event()
            .map_err(|e| malformed(&reader, &e.to_string()))?;
        match event {
            Event::Start(start) => {
                count(&mut elements, open.len())?;
                open.push(begun(&start).map_err(|why| malformed(&reader, &why))?);
            }
            Event::Empty(start) => {
                count(&mut elements, open.len())?;
                let element = begun(&start).map_err(|why| malformed(&reader, &why))?;
                if let Some(parent) = open.last_mut() {
                    parent.children.push(element);
                }
            }
            Event::End(_) => {
                let done = open.pop().unwrap_or_default();
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => return Err(malformed(&reader, "an element ends that never began")),
                }
            }
            Event::Text(text) => push(&mut open, &text),
            Event::CData(data) => push(&mut open, &data),
            Event::GeneralRef(name) => {
                let resolved = reference(&name)
                    .ok_or_else(|| malformed(&reader, "an entity is not one of XML's own"))?;
                push(&mut open, &resolved);
            }
            Event::DocType(_) => return Err(malformed(&reader, "a document type is not taken")),
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
        }
    }
    let whole = open.pop().filter(|_| open.is_empty());
    let mut roots = whole.map(|whole| whole.children).unwrap_or_default();
    match (roots.pop(), roots.is_empty()) {
        (Some(root), true) => Ok(root),
        _ => Err(Fault::new(
            "XML_MALFORMED",
            "the file is not one whole XML document",
        )),
    }
}

/// What an entity of XML's own or a character reference stands for.
pub fn reference(name: &BytesRef<'_>) -> Option<String> {
    match name.resolve_char_ref() {
        Ok(Some(c)) => Some(c.to_string()),
        Ok(None) => quick_xml::escape::resolve_predefined_entity(name).map(str::to_owned),
        Err(_) => None,
    }
}

fn count(elements: &mut usize, depth: usize) -> Result<(), Fault> {
    *elements += 1;
    if depth > DEPTH_MAX || *elements > ELEMENTS_MAX {
        return Err(Fault::new(
            "XML_TOO_LARGE",
            format!(
                "the file has more than {ELEMENTS_MAX} elements or more than {DEPTH_MAX} inside one another"
            ),
        ));
    }
    Ok(())
}

fn push(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn begun(start: &BytesStart<'_>) -> Result<Element, String> {
    let mut element = Element {
        name: start.local_name().as_ref().to_owned(),
        ..Element::default()
    };
    let prefix = start.name().prefix().map(|p| p.as_ref().to_owned());
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        let value = || attribute.value.clone().into_owned();
        let declares = match &prefix {
            Some(prefix) => attribute.key.as_ref().strip_prefix("xmlns:") == Some(prefix.as_str()),
            None => attribute.key.as_ref() == "xmlns",
        };
        if declares {
            element.namespace = Some(value());
        } else if attribute.key.as_ref() == "Ccy" {
            element.currency = Some(value());
        }
    }
    Ok(element)
}

fn malformed(reader: &Reader<&[u8]>, why: &str) -> Fault {
    Fault::new(
        "XML_MALFORMED",
        format!(
            "the file is no XML at byte {}: {why}",
            reader.buffer_position()
        ),
    )
}

/// Writes one document, two spaces for each level, so that the same message gives the same bytes.
pub struct Document {
    writer: Writer<Vec<u8>>,
}

impl Document {
    /// A document whose root `Document` has a namespace.
    pub fn write(namespace: &str, body: impl FnOnce(&mut Document)) -> String {
        let mut document = Document {
            writer: Writer::new_with_indent(Vec::new(), b' ', 2),
        };
        document.put(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        let mut root = BytesStart::new("Document");
        root.push_attribute(("xmlns", namespace));
        document.put(Event::Start(root));
        body(&mut document);
        document.put(Event::End(BytesEnd::new("Document")));
        let mut text = String::from_utf8_lossy(&document.writer.into_inner()).into_owned();
        text.push('\n');
        text
    }

    /// Elements inside `path`, whose parts are opened and closed around them.
    pub fn within(&mut self, path: &str, body: impl FnOnce(&mut Document)) {
        for name in path.split('/') {
            self.put(Event::Start(BytesStart::new(name)));
        }
        body(self);
        for name in path.rsplit('/') {
            self.put(Event::End(BytesEnd::new(name)));
        }
    }

    /// Text at `path`.
    pub fn leaf(&mut self, path: &str, text: &str) {
        match path.rsplit_once('/') {
            Some((outer, name)) => self.within(outer, |d| d.leaf(name, text)),
            None => {
                self.put(Event::Start(BytesStart::new(path)));
                self.put(Event::Text(BytesText::new(text)));
                self.put(Event::End(BytesEnd::new(path)));
            }
        }
    }

    /// An amount with its currency.
    pub fn amount(&mut self, name: &str, amount: &str, currency: &str) {
        let mut start = BytesStart::new(name);
        start.push_attribute(("Ccy", currency));
        self.put(Event::Start(start));
        self.put(Event::Text(BytesText::new(amount)));
        self.put(Event::End(BytesEnd::new(name)));
    }

    fn put(&mut self, event: Event<'_>) {
        self.writer
            .write_event(event)
            .expect("writing to memory cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_their_path_whatever_their_prefix() {
        let root =
            parse("<x:D xmlns:x=\"urn:a\"><x:A><x:B Ccy=\"EUR\">1 &amp; 2</x:B></x:A><x:E/></x:D>")
                .expect("well formed");
        assert_eq!(root.namespace.as_deref(), Some("urn:a"));
        assert_eq!(root.text_at(&["Z", "A/B"]), Some("1 & 2"));
        assert_eq!(
            root.at("A/B").and_then(|b| b.currency.as_deref()),
            Some("EUR")
        );
    }

    #[test]
    fn a_file_that_could_grow_or_fetch_is_refused() {
        for hostile in [
            "<!DOCTYPE d [<!ENTITY a \"b\">]><d>&a;</d>",
            "<d>&a;</d>",
            "<d></e>",
            "<d>",
            "</d>",
            "",
            "<a/><b/>",
        ] {
            assert_eq!(
                parse(hostile).unwrap_err().code,
                "XML_MALFORMED",
                "{hostile}"
            );
        }
        assert_eq!(
            parse(&"<d>".repeat(1_000)).unwrap_err().code,
            "XML_TOO_LARGE"
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = Document::write("urn:b", |d| d.within("A/B", |d| d.leaf("C/D", "x < y & z")));
        let root = parse(&text).expect("own output");
        assert_eq!(root.text_at(&["A/B/C/D"]), Some("x < y & z"));
    }
}
