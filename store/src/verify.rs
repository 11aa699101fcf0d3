//! The check of the whole chain, over ranges of blocks at once.
//!
//! Each range is checked by itself by one thread; what only its neighbours can tell (the link between ranges, the versions
//! of a stream over ranges, a command that comes twice) is checked when all are done. Of all damage the first block in the
//! log's order is named, whoever found it.
//!
//! Memory: [`VERIFY_BYTES_PER_STREAM`] per stream and range that has it, [`VERIFY_BYTES_PER_COMMAND`] per command.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::block::{self, BlockRef, Header};
use crate::index::Tip;
use crate::index::key::{ByKey, Key};
use crate::log::Medium;
use crate::{EventRef, StoreError, Verified};

/// Most ranges at once.
const MOST_THREADS: usize = 8;
/// Events below which one range is enough.
const EVENTS_PER_RANGE: u64 = 1 << 15;
/// Events between two reports of a range among several.
const REPORT_AFTER: u64 = 1 << 14;
/// Bytes of memory that [`verify`](crate::EventStore::verify) takes per stream (and range of the log that has it): key, versions, block, and the room a map leaves free at worst.
pub const VERIFY_BYTES_PER_STREAM: usize = 94;
/// Bytes of memory that [`verify`](crate::EventStore::verify) takes per command: key, block, and the room a list leaves free at worst.
pub const VERIFY_BYTES_PER_COMMAND: usize = 48;

/// Checks all blocks up to a head that is the end of one.
pub(crate) fn run<M: Medium>(
    medium: &M,
    head: u64,
    threads: usize,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verified, StoreError> {
    let most = usize::try_from(head / EVENTS_PER_RANGE).unwrap_or(usize::MAX);
    let ranges = threads.min(most).clamp(1, MOST_THREADS);
    over_ranges(medium, head, ranges, progress)
}

fn over_ranges<M: Medium>(
    medium: &M,
    head: u64,
    ranges: usize,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verified, StoreError> {
    let mut starts = vec![1];
    for n in 1..ranges as u64 {
        // Damage that hides where a range could begin is found by the range before.
        if let Ok(Some(start)) = medium.floor(head / ranges as u64 * n)
            && starts.last().is_some_and(|last| *last < start)
        {
            starts.push(start);
        }
    }
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([head]);
    let bounds: Vec<(u64, u64)> = starts.iter().copied().zip(ends).collect();
    let checked = match bounds.as_slice() {
        [(from, to)] => vec![Range::check(medium, *from, *to, &mut |_, at| {
            progress(at, head);
        })],
        several => {
            let (reports, reported) = channel();
            thread::scope(|scope| {
                let workers: Vec<_> = several
                    .iter()
                    .map(|(from, to)| {
                        let reports = reports.clone();
                        scope.spawn(move || check_and_report(medium, *from, *to, &reports))
                    })
                    .collect();
                drop(reports);
                let mut done = 0;
                for events in reported {
                    done += events;
                    progress(done, head);
                }
                let results = workers.into_iter().map(|worker| worker.join());
                let panicked = |_| {
                    let why = io::Error::other("the storage engine panicked");
                    Err(StoreError::io("verifying the log", why))
                };
                results.map(|r| r.unwrap_or_else(panicked)).collect()
            })
        }
    };
    join(medium, checked)
}

fn check_and_report<M: Medium>(
    medium: &M,
    from: u64,
    to: u64,
    reports: &Sender<u64>,
) -> Result<Range, StoreError> {
    let mut unreported = 0;
    let checked = Range::check(medium, from, to, &mut |events, _| {
        unreported += events;
        if unreported >= REPORT_AFTER {
            // Nobody listens any more if the caller's thread died.
            let _ = reports.send(std::mem::take(&mut unreported));
        }
    });
    let _ = reports.send(unreported);
    checked
}

/// A stream within a range.
#[derive(Clone, Copy)]
struct Span {
    first: u64,
    /// Where the first version lies.
    block: u64,
    last: u64,
}

/// What a range knows of its blocks.
struct Range {
    /// Header of its first block.
    first: Option<Header>,
    tip: Tip,
    blocks: u64,
    events: u64,
    streams: HashMap<Key, Span, ByKey>,
    commands: Vec<(Key, u64)>,
    /// The first damage that the range can see alone; what lies behind it was not looked at.
    damage: Option<StoreError>,
}

impl Range {
    /// Checks the blocks from one position to another, both the ends of ranges. Calls `each` with the number of events and
    /// the last position of each block.
    ///
    /// The error is one of reading; damage is in the answer.
    fn check<M: Medium>(
        medium: &M,
        from: u64,
        to: u64,
        each: &mut dyn FnMut(u64, u64),
    ) -> Result<Range, StoreError> {
        let mut range = Range {
            first: None,
            tip: Tip {
                head: from - 1,
                ..Tip::BEFORE_ALL
            },
            blocks: 0,
            events: 0,
            streams: HashMap::default(),
            commands: Vec::new(),
            damage: None,
        };
        let walked = medium.scan(from, &mut |at, bytes| {
            if at > to {
                return Ok(false);
            }
            let before = range.tip.head;
            range.admit(at, bytes)?;
            each(range.tip.head - before, range.tip.head);
            Ok(true)
        });
        let whole = walked.and_then(|()| match range.tip.head {
            head if head == to => Ok(()),
            head if head > to => Err(StoreError::corrupt(
                to + 1,
                "missing, or inside the block before",
            )),
            head => Err(StoreError::corrupt(
                head + 1,
                format!("missing, the log goes on to position {to}"),
            )),
        });
        match whole {
            Ok(()) => Ok(range),
            Err(damage @ StoreError::Corrupt { .. }) => {
                range.damage = Some(damage);
                Ok(range)
            }
            Err(other) => Err(other),
        }
    }

    fn admit(&mut self, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let block = block::borrow(at, bytes)?;
        let header = block.header;
        if self.first.is_none() && self.tip.head > 0 {
            // The range before knows what this block must follow.
            self.tip.hash = header.prev_hash;
        }
        self.tip.follow(&header)?;
        self.streams_of(&block)?;
        if block.causation >= at {
            return Err(StoreError::corrupt(
                at,
                format!("names position {} as its cause", block.causation),
            ));
        }
        if let Some(command) = block.command {
            let key = Key::command(block.tenant, command.command_id);
            self.commands.push((key, at));
        }
        self.first = self.first.or(Some(header));
        self.blocks += 1;
        self.events += u64::from(header.count);
        Ok(())
    }

    fn streams_of(&mut self, block: &BlockRef<'_>) -> Result<(), StoreError> {
        let at = block.header.first_position;
        let mut last = None;
        for event in block.events() {
            let event = event?;
            let key = match last {
                Some((kind, id, key)) if kind == event.kind && id == event.id => key,
                _ => Key::stream(event.tenant, event.kind, event.id),
            };
            last = Some((event.kind, event.id, key));
            let version = event.version;
            match self.streams.entry(key) {
                Entry::Occupied(mut span) => {
                    let span = span.get_mut();
                    if span.last.checked_add(1) != Some(version) {
                        return Err(StoreError::corrupt(at, follows(&event, span.last)));
                    }
                    span.last = version;
                }
                Entry::Vacant(free) => {
                    free.insert(Span {
                        first: version,
                        block: at,
                        last: version,
                    });
                }
            }
        }
        Ok(())
    }
}

fn follows(event: &EventRef<'_>, before: u64) -> String {
    format!(
        "version {} of stream {}/{}/{} follows version {before}",
        event.version, event.tenant, event.kind, event.id
    )
}

/// Puts the ranges together, in order, and answers with the first damage if there is any.
fn join<M: Medium>(
    medium: &M,
    checked: Vec<Result<Range, StoreError>>,
) -> Result<Verified, StoreError> {
    let mut first = Damage(None);
    let mut tip = Tip::BEFORE_ALL;
    let (mut blocks, mut events) = (0, 0);
    let mut versions: HashMap<Key, u64, ByKey> = HashMap::default();
    let mut commands = Vec::new();
    for range in checked {
        let range = range?;
        if let Some(header) = range.first
            && let Err(damage) = tip.follow(&header)
        {
            first.add(damage);
        }
        for (key, span) in range.streams {
            let before = versions.insert(key, span.last).unwrap_or(0);
            if before.checked_add(1) != Some(span.first) && first.is_after(span.block) {
                let what = named(medium, key, span, before)?;
                first.add(StoreError::corrupt(span.block, what));
            }
        }
        if let Some(damage) = range.damage {
            first.add(damage);
        }
        commands.extend(range.commands);
        blocks += range.blocks;
        events += range.events;
        tip = range.tip;
    }
    commands.sort_unstable();
    for pair in commands.windows(2) {
        if let [(key, block), (again, at)] = pair
            && key == again
        {
            let what = format!("repeats the command of block {block}");
            first.add(StoreError::corrupt(*at, what));
        }
    }
    match first.0 {
        Some((_, damage)) => Err(damage),
        None => Ok(Verified {
            blocks,
            events,
            head: tip.head,
            head_hash: tip.hash,
        }),
    }
}

/// The damage that comes first in the log, with its block.
struct Damage(Option<(u64, StoreError)>);

impl Damage {
    fn is_after(&self, block: u64) -> bool {
        self.0.as_ref().is_none_or(|(known, _)| *known > block)
    }

    fn add(&mut self, damage: StoreError) {
        if let StoreError::Corrupt { block, .. } = damage
            && self.is_after(block)
        {
            self.0 = Some((block, damage));
        }
    }
}

/// What is wrong with a version, with the names that a key no longer has.
fn named<M: Medium>(medium: &M, key: Key, span: Span, before: u64) -> Result<String, StoreError> {
    let bytes = medium.load(span.block)?.unwrap_or_default();
    for event in block::borrow(span.block, &bytes)?.events() {
        let event = event?;
        if event.version == span.first && Key::stream(event.tenant, event.kind, event.id) == key {
            return Ok(follows(&event, before));
        }
    }
    let version = span.first;
    Ok(format!(
        "version {version} of a stream follows version {before}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Blocks, commit};
    use crate::{EventStore, Log};

    /// Twelve blocks over streams that several ranges have, with their first positions.
    fn blocks() -> (Blocks, Vec<u64>) {
        let medium = Blocks::default();
        let log = Log::over(medium.clone()).unwrap();
        for n in 0..12u64 {
            let own = format!("own-{n}");
            let id = format!("c{n}");
            let events = [("a", n), (own.as_str(), 0), ("b", n)];
            let few = &events[..1 + 2 * (n as usize % 2)];
            let events: Vec<_> = few
                .iter()
                .map(|(id, v)| (*id, if *id == "b" { n / 2 } else { *v }))
                .collect();
            log.append(commit(Some(&id), &events)).unwrap();
        }
        let firsts = medium.blocks.read().unwrap().keys().copied().collect();
        (medium, firsts)
    }

    fn head(medium: &Blocks) -> u64 {
        Log::over(medium.clone()).unwrap().head()
    }

    fn damaged(medium: &Blocks, head: u64, ranges: usize) -> u64 {
        match over_ranges(medium, head, ranges, &mut |_, _| {}) {
            Err(StoreError::Corrupt { block, .. }) => block,
            other => panic!("{ranges} ranges: {other:?}"),
        }
    }

    /// Replaces the blocks from the n-th on by others that continue the chain, made from altered commits.
    fn resealed(
        medium: &Blocks,
        firsts: &[u64],
        from: usize,
        alter: &dyn Fn(&mut crate::block::Body),
    ) {
        let mut map = medium.blocks.write().unwrap();
        let mut tip = match from.checked_sub(1) {
            None => block::GENESIS,
            Some(before) => {
                block::check(firsts[before], &map[&firsts[before]])
                    .unwrap()
                    .hash
            }
        };
        for (n, first) in firsts.iter().enumerate().skip(from) {
            let found = block::decode(*first, &map[first]).unwrap();
            let mut body = found.body;
            if n == from {
                alter(&mut body);
            }
            let command = body.command.clone();
            let events = body.events.iter().map(|event| crate::NewEvent {
                stream: crate::StreamKey::new(&body.tenant, &event.kind, &event.id),
                expected_version: event.version - 1,
                event_type: event.event_type.clone(),
                schema: event.schema,
                payload: event.payload.clone(),
            });
            let commit = crate::Commit {
                tenant: body.tenant.clone(),
                recorded_at: 0,
                actor: body.actor.clone(),
                correlation: body.correlation.clone(),
                causation: body.causation,
                command,
                events: events.collect(),
            };
            let body = block::encode_body(commit).unwrap();
            let (bytes, header) = block::seal(*first, found.header.count, 0, &tip, &body);
            tip = header.hash;
            map.insert(*first, bytes);
        }
    }

    #[test]
    fn any_number_of_ranges_finds_the_same_chain_and_reports_all_of_it() {
        let (medium, _) = blocks();
        let head = head(&medium);
        let one = over_ranges(&medium, head, 1, &mut |_, _| {}).unwrap();
        assert_eq!((one.blocks, one.events, one.head), (12, head, head));
        for ranges in 2..9 {
            let mut told = Vec::new();
            let several = over_ranges(&medium, head, ranges, &mut |at, of| told.push((at, of)));
            assert_eq!(several.unwrap(), one, "{ranges} ranges");
            assert_eq!(told.last(), Some(&(head, head)));
        }
        assert_eq!(
            over_ranges(&Blocks::default(), 0, 3, &mut |_, _| {})
                .unwrap()
                .blocks,
            0
        );
    }

    #[test]
    fn damage_is_named_by_its_first_block_however_many_ranges_look() {
        let (medium, firsts) = blocks();
        let head = head(&medium);
        for first in &firsts {
            let good = medium.blocks.read().unwrap()[first].clone();
            for ranges in 1..6 {
                let mut bad = good.clone();
                *bad.last_mut().unwrap() ^= 1;
                medium.blocks.write().unwrap().insert(*first, bad);
                assert_eq!(damaged(&medium, head, ranges), *first, "a flipped bit");
                medium.blocks.write().unwrap().remove(first);
                assert_eq!(damaged(&medium, head, ranges), *first, "a lost block");
                medium.blocks.write().unwrap().insert(*first, good.clone());
            }
        }
        // Of two, the first.
        for first in [firsts[3], firsts[10]] {
            medium.blocks.write().unwrap().remove(&first);
        }
        assert!((1..6).all(|ranges| damaged(&medium, head, ranges) == firsts[3]));
    }

    #[test]
    fn what_only_neighbours_can_tell_is_found_over_ranges() {
        type Alter = fn(&mut crate::block::Body);
        let wrong: [(&str, Alter); 4] = [
            ("a version is skipped", |body| body.events[0].version += 1),
            ("a version comes twice", |body| body.events[0].version -= 1),
            ("a command comes twice", |body| {
                body.command.as_mut().unwrap().command_id = "c0".into();
            }),
            ("a cause lies ahead", |body| body.causation = 1_000),
        ];
        for (what, alter) in wrong {
            for from in 2..12 {
                let (medium, firsts) = blocks();
                let head = head(&medium);
                resealed(&medium, &firsts, from, &alter);
                for ranges in 1..6 {
                    let found = damaged(&medium, head, ranges);
                    assert_eq!(found, firsts[from], "{what}, {ranges} ranges");
                }
            }
        }
    }

    #[test]
    fn a_block_that_does_not_follow_is_found_where_ranges_meet() {
        for from in 1..12 {
            let (medium, firsts) = blocks();
            let head = head(&medium);
            let before = medium.blocks.read().unwrap().clone();
            // Whole in itself, but the block after it follows another.
            resealed(&medium, &firsts, from - 1, &|body| {
                body.actor = "else".into()
            });
            let altered = medium.blocks.read().unwrap()[&firsts[from - 1]].clone();
            *medium.blocks.write().unwrap() = before;
            medium
                .blocks
                .write()
                .unwrap()
                .insert(firsts[from - 1], altered);
            for ranges in 1..6 {
                assert_eq!(
                    damaged(&medium, head, ranges),
                    firsts[from],
                    "{ranges} ranges"
                );
            }
        }
    }
}
