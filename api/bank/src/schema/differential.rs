//! Our verdict against that of `xmllint` with the schemas of ISO, document by document.
//!
//! Documents are made from our facts by a seed, so a fact that is wrong makes a document that the schema refuses; then they
//! are damaged, one place at a time. The schemas are not part of this source: `cargo xtask prepare` installs packages that
//! carry them, and without them this says NOT RUN.

use super::facts::{Slot, Type, TypeId, facts};
use super::value::{Decimal, Simple, Text};
use super::{NAMESPACE, problems};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sound documents of each message, and damages of each of them.
const SOUND: u64 = 12;
const DAMAGED: u64 = 40;

/// Package and the folder in it that has schemas.
const CARRIERS: [(&str, &str); 3] = [
    ("sepaxml", "sepaxml/schemas"),
    ("camt053", "camt053/xsd"),
    ("pain001", "pain001/pain002/schemas"),
];

/// Numbers that look random and are the same for the same seed (xorshift64*).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        (0..4).for_each(|_| {
            random.next();
        });
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n.max(1)
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

#[derive(Clone, Default)]
struct Node {
    name: String,
    attributes: String,
    text: String,
    children: Vec<Node>,
}

impl Node {
    fn write(&self, to: &mut String) {
        to.push_str(&format!("<{}{}>", self.name, self.attributes));
        to.push_str(&self.text);
        for child in &self.children {
            to.push('\n');
            child.write(to);
        }
        let name = self.name.split(' ').next().unwrap_or_default();
        to.push_str(&format!("</{name}>"));
    }

    fn count(&self) -> usize {
        1 + self.children.iter().map(Node::count).sum::<usize>()
    }

    /// The parent and place of the element that comes as number `n` below this one, counted from 1.
    fn find(&mut self, n: &mut usize) -> Option<(&mut Node, usize)> {
        for place in 0..self.children.len() {
            *n -= 1;
            if *n == 0 {
                return Some((self, place));
            }
            let below = self.children[place].count() - 1;
            if *n <= below {
                return self.children[place].find(n);
            }
            *n -= below;
        }
        None
    }
}

fn document(message: &str, root: &Node) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"{NAMESPACE}{message}\"{}>",
        root.attributes
    );
    for child in &root.children {
        text.push('\n');
        child.write(&mut text);
    }
    text.push_str(&root.text);
    text.push_str("</Document>\n");
    text
}

fn sound(of: TypeId, depth: usize, random: &mut Random, node: &mut Node) {
    match facts().of(of) {
        Type::Sequence(slots) => slots
            .iter()
            .for_each(|slot| some(slot, depth, random, node)),
        Type::Choice(slots) if !slots.is_empty() => {
            // Deep down the shortest way out: values come first in choices of codes.
            let slot = &slots[if depth > 12 {
                0
            } else {
                random.below(slots.len())
            }];
            let slot = Slot {
                name: slot.name,
                of: slot.of,
                least: slot.least.max(1),
                most: slot.most,
            };
            some(&slot, depth, random, node);
        }
        Type::Choice(_) => {}
        Type::Any => node.children.push(Node {
            name: "x:any xmlns:x=\"urn:x\"".to_owned(),
            text: "1".to_owned(),
            ..Node::default()
        }),
        Type::Attributed {
            attribute,
            of,
            value,
        } => {
            let written = |of: TypeId, random: &mut Random| match facts().of(of) {
                Type::Simple(simple) => good(simple, random),
                _ => String::new(),
            };
            node.attributes = format!(" {attribute}=\"{}\"", written(*of, random));
            node.text = written(*value, random);
        }
        Type::Simple(simple) => node.text = good(simple, random),
    }
}

fn some(slot: &Slot, depth: usize, random: &mut Random, node: &mut Node) {
    let likely = if depth < 4 { 2 } else { 5 };
    let more = depth < 12 && random.below(likely) == 0;
    let most = slot.most.min(slot.least + 2);
    let count = if more {
        slot.least + random.below((most - slot.least) as usize + 1) as u32
    } else {
        slot.least
    };
    for _ in 0..count {
        let mut child = Node {
            name: slot.name.to_owned(),
            ..Node::default()
        };
        sound(slot.of, depth + 1, random, &mut child);
        node.children.push(child);
    }
}

fn good(simple: &Simple, random: &mut Random) -> String {
    match simple {
        Simple::Text(Text::Length { least, most }) => {
            let length = least + random.below((most - least).min(20) + 1);
            let length = if random.below(8) == 0 { *most } else { length };
            (0..length)
                .map(|_| random.pick(&["a", "Z", "0", "ü", "-", "€"]))
                .collect()
        }
        Simple::Text(Text::Pattern(pattern)) => pattern.example(&mut |n| random.below(n)),
        Simple::Code(codes) => codes[random.below(codes.len())].to_owned(),
        Simple::Decimal(Decimal { .. }) => random
            .pick(&["1", "12.50", "0", "+7.5", ".5", "1234567.12345", " 3 "])
            .to_owned(),
        Simple::Date => random
            .pick(&["2026-11-22", "2024-02-29", "2026-11-22Z"])
            .to_owned(),
        Simple::DateTime => random
            .pick(&[
                "2026-11-22T10:00:00",
                "2026-11-22T10:00:00.5Z",
                "2026-11-22T24:00:00+01:00",
            ])
            .to_owned(),
        Simple::Boolean => random.pick(&["true", "false", "1", "0"]).to_owned(),
        Simple::Year => "2026".to_owned(),
        Simple::YearMonth => "2026-11".to_owned(),
        Simple::Base64 { .. } => "aGVsbG8=".to_owned(),
    }
}

/// Values that are good for some types and bad for others.
const VALUES: [&str; 44] = [
    "",
    " ",
    "x",
    "EUR",
    "eur",
    "EURO",
    " EUR",
    "1",
    "-1",
    "-0",
    "0",
    "1.123456",
    "1.500000",
    "12345678901234567890",
    "1234567890123.12345",
    "12345678901234.12345",
    "0.00000000000000001",
    "0.000000000000000001",
    "1e3",
    ".",
    "5.",
    "2026-11-22",
    "2026-02-29",
    "2026-02-28Z",
    "2026-13-01",
    "2026-11-22T10:00:00",
    "2026-11-22T10:00",
    "2026-11-22T24:00:00",
    "2026-11-22T25:00:00",
    "2026-11-22T23:59:60",
    "2026-11-22+14:00",
    "2026-11-22+14:01",
    "TRUE",
    "true",
    "yes",
    "BOOK",
    "CRDT",
    "XXXX",
    "DE89370400440532013000",
    "COBADEFFXXX",
    "aaaaaaaaaabbbbbbbbbbccccccccccdddddd",
    "&#13;",
    "<![CDATA[x]]>",
    "<!-- a -->1",
];

/// Damages one place; what is done may also leave the document sound.
fn damage(root: &mut Node, random: &mut Random) {
    let mut n = 1 + random.below(root.count() - 1);
    let names: Vec<String> = [
        "Id", "Amt", "Cd", "Prtry", "Ntry", "Dt", "Xyz", "GrpHdr", "IBAN", "Othr",
    ]
    .map(str::to_owned)
    .into();
    let Some((parent, place)) = root.find(&mut n) else {
        return;
    };
    let siblings = parent.children.len();
    match random.below(15) {
        0 | 1 => drop(parent.children.remove(place)),
        2 => {
            let again = parent.children[place].clone();
            parent.children.insert(place, again);
        }
        3 => parent.children.swap(place, random.below(siblings)),
        4 => {
            let moved = parent.children.remove(place);
            parent.children.insert(random.below(siblings), moved);
        }
        5 => parent.children[place].name = names[random.below(names.len())].clone(),
        6..=8 => parent.children[place].text = random.pick(&VALUES).to_owned(),
        9 => {
            parent.children[place].attributes = random
                .pick(&[
                    "",
                    " Ccy=\"EUR\"",
                    " Ccy=\"eu\"",
                    " Ccy=\"EUR\" a=\"1\"",
                    " xml:lang=\"de\"",
                ])
                .to_owned()
        }
        10 => parent.children[place]
            .attributes
            .push_str(" xmlns=\"urn:other\""),
        11 => {
            let named = Node {
                name: names[random.below(names.len())].clone(),
                text: "1".to_owned(),
                ..Node::default()
            };
            parent.children.insert(place, named);
        }
        12 => parent.children[place].children.clear(),
        13 => {
            parent.text = random
                .pick(&["x", "\n ", "<!-- a -->", "<?p i?>", "&#32;"])
                .to_owned()
        }
        _ => {
            for _ in 0..10 {
                let again = parent.children[place].clone();
                parent.children.insert(place, again);
            }
        }
    }
}

/// The message whose schema judges another one: version 10 of the status report is in no package, and version 12 differs
/// from it inside `OrgnlTxRef` only.
fn judge(message: &str) -> &str {
    match message {
        "pain.002.001.10" => "pain.002.001.12",
        other => other,
    }
}

fn schema(message: &str) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let environments = program.ancestors().nth(3)?.join("python");
    CARRIERS.iter().find_map(|(package, folder)| {
        let libraries = std::fs::read_dir(environments.join(package).join("lib")).ok()?;
        let mut libraries = libraries.filter_map(Result::ok).map(|l| l.path());
        libraries.find_map(|library| {
            let folder = library.join("site-packages").join(folder);
            let schema = folder.join(format!("{message}.xsd"));
            schema.is_file().then_some(schema)
        })
    })
}

/// Which documents of a folder `xmllint` finds valid, by number; None: there is no such program.
fn judged(schema: &Path, folder: &Path, count: usize) -> Option<Vec<bool>> {
    let mut command = Command::new("xmllint");
    command.args(["--noout", "--nonet", "--schema"]).arg(schema);
    command
        .current_dir(folder)
        .args((0..count).map(|n| n.to_string()));
    let output = command.output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let said: std::collections::BTreeSet<&str> = said.lines().collect();
    Some(
        (0..count)
            .map(|n| said.contains(format!("{n} validates").as_str()))
            .collect(),
    )
}

#[test]
fn our_verdict_is_that_of_the_schema() {
    let mut compared = (0, 0);
    for message in super::messages() {
        let Some(schema) = schema(judge(message)) else {
            println!("NOT RUN: no schema of {message}; cargo xtask prepare installs it");
            continue;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut documents = Vec::new();
        for seed in 0..SOUND {
            let mut random = Random::new(seed);
            let mut root = Node::default();
            sound(facts().messages[message], 0, &mut random, &mut root);
            if judge(message) != message {
                prune(&mut root, "OrgnlTxRef");
            }
            documents.push(document(message, &root));
            for _ in 0..DAMAGED {
                let mut damaged = root.clone();
                damage(&mut damaged, &mut random);
                documents.push(document(message, &damaged));
            }
        }
        for (n, document) in documents.iter().enumerate() {
            let judged = document.replacen(message, judge(message), 1);
            std::fs::write(folder.path().join(n.to_string()), judged).expect("a file");
        }
        let Some(verdicts) = judged(&schema, folder.path(), documents.len()) else {
            println!("NOT RUN: there is no xmllint; cargo xtask prepare installs it");
            return;
        };
        for (n, (document, theirs)) in documents.iter().zip(verdicts).enumerate() {
            let ours = problems(document);
            assert_eq!(
                ours.as_ref().is_ok_and(Vec::is_empty),
                theirs,
                "{message} number {n}: {ours:?}\n{document}"
            );
            if theirs {
                compared.0 += 1
            } else {
                compared.1 += 1
            }
        }
    }
    println!(
        "same verdict on {} valid and {} invalid documents",
        compared.0, compared.1
    );
}

fn prune(node: &mut Node, name: &str) {
    node.children.retain(|child| child.name != name);
    node.children
        .iter_mut()
        .for_each(|child| prune(child, name));
}
