//! The list of what was acknowledged, kept outside the store, and the comparison of a store with it.

use std::collections::BTreeMap;
use std::path::Path;

use indelible_store::{EventStore, SledStore, StoredEvent};

use super::load::{Name, commit};
use super::writer::hex;

/// Events read at a time.
const PAGE: usize = 4_096;

/// Where an acknowledged commit must lie, and the hash its block must have.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    first: u64,
    last: u64,
    hash: String,
}

/// Everything that was acknowledged by one store.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    acked: BTreeMap<Name, Place>,
}

/// What a comparison counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compared {
    pub commits: u64,
    /// In the log, whole, though nobody was told: the answer was under way.
    pub unanswered: u64,
    pub events: u64,
}

impl Truth {
    /// Takes note of one line of the writer; true when it was an acknowledgement.
    pub fn note(&mut self, line: &str) -> Result<bool, String> {
        let mut words = line.split(' ');
        if words.next() != Some("acked") {
            return Ok(false);
        }
        let mut word = || words.next().ok_or_else(|| format!("half a line: {line:?}"));
        let name: Name = word()?.parse()?;
        let number = |text: &str| text.parse().map_err(|_| format!("no position: {line:?}"));
        let place = Place {
            first: number(word()?)?,
            last: number(word()?)?,
            hash: word()?.to_string(),
        };
        match self.acked.insert(name, place) {
            None => Ok(true),
            Some(_) => Err(format!("commit {name} was acknowledged twice")),
        }
    }

    /// How many commits were acknowledged.
    pub fn len(&self) -> u64 {
        self.acked.len() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.acked.is_empty()
    }

    /// Opens the store, verifies it and compares.
    pub fn check_directory(&self, data: &Path) -> Result<Compared, String> {
        let store = SledStore::open(data)
            .map_err(|e| format!("does not open: {}: {}", e.code(), chain(&e)))?;
        self.check(&store)
    }

    /// Verifies the log and compares it: every acknowledged commit in its place, byte for byte; every other commit a
    /// whole one that was under way; nothing else.
    pub fn check(&self, store: &dyn EventStore) -> Result<Compared, String> {
        let verified = store
            .verify(&mut |_, _| {})
            .map_err(|e| format!("verify: {}: {}", e.code(), chain(&e)))?;
        let mut seen = Seen {
            truth: self,
            compared: Compared::default(),
            found: BTreeMap::new(),
        };
        let (mut after, mut commit): (u64, Vec<StoredEvent>) = (0, Vec::new());
        loop {
            let events = store
                .read(after, PAGE)
                .map_err(|e| format!("read: {}: {}", e.code(), chain(&e)))?;
            let Some(last) = events.last() else { break };
            after = last.position;
            for event in events {
                if commit
                    .first()
                    .is_some_and(|first| first.correlation != event.correlation)
                {
                    seen.commit(&commit)?;
                    commit.clear();
                }
                commit.push(event);
            }
        }
        if !commit.is_empty() {
            seen.commit(&commit)?;
        }
        seen.nothing_is_missing()?;
        if after != verified.head || store.head() != after {
            return Err(format!(
                "read to {after}, verified to {}, head {}",
                verified.head,
                store.head()
            ));
        }
        for (name, place) in &self.acked {
            let hash = store.hash_at(place.last).map_err(|e| e.to_string())?;
            let hash = hash.map_or_else(|| "none".into(), hex);
            if hash != place.hash {
                return Err(format!("commit {name} has hash {hash}, not {}", place.hash));
            }
        }
        Ok(seen.compared)
    }
}

/// What is left of a log whose sync was taken away: a count of acknowledged commits that are gone, or why it does not open.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

struct Seen<'a> {
    truth: &'a Truth,
    compared: Compared,
    found: BTreeMap<Name, u64>,
}

impl Seen<'_> {
    fn commit(&mut self, events: &[StoredEvent]) -> Result<(), String> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Ok(());
        };
        let name: Name = first.correlation.parse()?;
        same(name, events)?;
        if self.found.insert(name, first.position).is_some() {
            return Err(format!("commit {name} stands in the log twice"));
        }
        self.compared.commits += 1;
        self.compared.events += events.len() as u64;
        match self.truth.acked.get(&name) {
            Some(place) if (place.first, place.last) == (first.position, last.position) => Ok(()),
            Some(place) => Err(format!(
                "commit {name} lies at {}..={}, acknowledged at {}..={}",
                first.position, last.position, place.first, place.last
            )),
            None => {
                self.compared.unanswered += 1;
                // A submitter waits for each answer, so only the commit after its last answer can be under way.
                let before = name
                    .number
                    .checked_sub(1)
                    .map(|number| Name { number, ..name });
                match before {
                    Some(before) if !self.truth.acked.contains_key(&before) => Err(format!(
                        "commit {name} is in the log and the one before it was never acknowledged"
                    )),
                    _ => Ok(()),
                }
            }
        }
    }

    fn nothing_is_missing(&self) -> Result<(), String> {
        let missing: Vec<String> = self
            .truth
            .acked
            .keys()
            .filter(|name| !self.found.contains_key(name))
            .map(ToString::to_string)
            .collect();
        match missing.as_slice() {
            [] => Ok(()),
            [first, ..] => Err(format!(
                "{} of {} acknowledged commits are lost, the first is {first}",
                missing.len(),
                self.truth.acked.len()
            )),
        }
    }
}

/// Compares what was read with what was submitted. Versions and times are checked by `verify`.
fn same(name: Name, events: &[StoredEvent]) -> Result<(), String> {
    let submitted = commit(name, &|_| 0);
    if submitted.events.len() != events.len() {
        return Err(format!(
            "commit {name} has {} events of {}",
            events.len(),
            submitted.events.len()
        ));
    }
    let command = submitted.command.map(|command| command.command_id);
    for (read, sent) in events.iter().zip(&submitted.events) {
        let same = read.stream == sent.stream
            && read.event_type == sent.event_type
            && read.schema == sent.schema
            && read.payload == sent.payload
            && read.actor == submitted.actor
            && read.correlation == submitted.correlation
            && read.command_id == command
            && read.causation == submitted.causation;
        if !same {
            return Err(format!(
                "commit {name}: the event at {} is not what was submitted",
                read.position
            ));
        }
    }
    Ok(())
}
