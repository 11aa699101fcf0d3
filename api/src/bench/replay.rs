//! How fast a log is read from its beginning: blocks checked, envelopes decoded, facts decoded. One thread each.

use super::event::{checksum, expected};
use super::resources::peak_memory_kib;
use super::{Place, conditions, ingest, open, per_second, since};
use crate::cli::Failure;
use clap::Args;
use indelible_domain::{Event, usage};
use indelible_store::{EventStore, SledStore, StoreError};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Bytes of blocks asked for at a time.
const CHUNK_BYTES: usize = 8 << 20;

#[derive(Args)]
pub struct Options {
    /// Events of 120 bytes, in commits of 1,000.
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// Records of usage, taken in and rated as `bench ingest` does.
    #[arg(long, default_value_t = 500_000)]
    records: u64,
    /// Passes; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    #[command(flatten)]
    place: Place,
}

pub fn run(options: &Options) -> Result<Value, Failure> {
    let opaque = opaque(options)?;
    let product = product(options)?;
    Ok(json!({
        "bench": "replay",
        "conditions": conditions(),
        "rounds": options.rounds,
        "log": opaque,
        "usage": product,
        "peak_memory_kib": peak_memory_kib(),
    }))
}

/// The log alone, over events whose payloads it does not know.
fn opaque(options: &Options) -> Result<Value, Failure> {
    let scratch = options.place.make("replay")?;
    let store = SledStore::open(&scratch.path().join("data")).map_err(Failure::store)?;
    open::fill(&store, options.events)?;
    let events = store.head();
    let mut bytes = 0;
    let checked = median(options.rounds, || {
        bytes = 0;
        let mut after = 0;
        while after < events {
            let blocks = store.blocks(after, CHUNK_BYTES).map_err(Failure::store)?;
            bytes += blocks.iter().map(|b| b.bytes.len() as u64).sum::<u64>();
            after = blocks.last().map_or(events, |b| b.last_position);
        }
        Ok(())
    })?;
    let mut sum = 0_u64;
    let decoded = median(options.rounds, || {
        sum = 0;
        store
            .replay(0, events, &mut |event| {
                sum = sum.wrapping_add(checksum(event.payload));
                Ok(true)
            })
            .map_err(Failure::store)
    })?;
    if sum != expected(events) {
        return Err(Failure::refused(
            "the payloads read back differ from those written",
        ));
    }
    let verified = store.verify(&mut |_, _| {}).map_err(Failure::store)?;
    Ok(json!({
        "events": events,
        "logical_bytes": bytes,
        "blocks_checked_events_per_second": per_second(events, checked),
        "envelopes_decoded_events_per_second": per_second(events, decoded),
        "envelopes_decoded_bytes_per_second": per_second(bytes, decoded),
        "verified": { "events": verified.events, "blocks": verified.blocks },
    }))
}

/// A ledger's log of usage, decoded to the product's facts.
fn product(options: &Options) -> Result<Value, Failure> {
    let filled = ingest::fill(&ingest::Options {
        records: options.records,
        subscriptions: 1_000,
        batch: 5_000,
        place: options.place.clone(),
    })?;
    let store = &filled.store;
    let events = store.head();
    let (mut records, mut rated) = (0_u64, 0_u64);
    let took =
        median(options.rounds, || {
            (records, rated) = (0, 0);
            store
                .replay(0, events, &mut |event| {
                    let fact = Event::decode(event.event_type, event.schema, event.payload)
                        .map_err(|e| StoreError::Corrupt {
                            block: event.position,
                            what: e.to_string(),
                        })?;
                    if let Event::Usage(usage::Event::Rated(fact)) = fact {
                        rated += 1;
                        records += fact.records.len() as u64;
                    }
                    Ok(true)
                })
                .map_err(Failure::store)
        })?;
    let verified = store.verify(&mut |_, _| {}).map_err(Failure::store)?;
    if verified.events != events || records == 0 {
        return Err(Failure::refused("the log of usage was not read whole"));
    }
    Ok(json!({
        "events": events,
        "usage_events": rated,
        "usage_records": records,
        "facts_decoded_events_per_second": per_second(events, took),
        "usage_records_decoded_per_second": per_second(records, took),
        "verified": { "events": verified.events, "blocks": verified.blocks },
    }))
}

fn median(rounds: u32, mut pass: impl FnMut() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let mut took = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        pass()?;
        took.push(since(start));
    }
    took.sort();
    took.get(took.len() / 2)
        .copied()
        .ok_or_else(|| Failure::refused("no round was asked for"))
}
