//! How fast all read models are made again from the log.

use super::{conditions, ingest, per_second, since};
use crate::cli::Failure;
use indelible_projections::Views;
use indelible_store::EventStore;
use serde_json::{Value, json};
use std::time::Instant;

pub fn run(options: &ingest::Options) -> Result<Value, Failure> {
    let filled = ingest::fill(options)?;
    let views = Views::open(filled.store.clone(), filled.scratch.path(), &mut |_| {})
        .map_err(Failure::store)?;
    let events = filled.store.head();
    let start = Instant::now();
    let rebuilt = views.rebuild(&[], &mut |_| {}).map_err(Failure::store)?;
    let took = since(start);
    let differing = views.verify(&mut |_| {}).map_err(Failure::store)?;
    if !differing.is_empty() {
        return Err(Failure::refused(format!(
            "rebuilt rows differ: {}",
            differing.join(", ")
        )));
    }
    Ok(json!({
        "bench": "rebuild",
        "conditions": conditions(),
        "read_models": rebuilt,
        "events": events,
        "usage_records": options.records,
        "events_per_second": per_second(events, took),
        "usage_records_per_second": per_second(options.records, took),
        "milliseconds": took.as_millis().to_string(),
        "equal_to_incremental": true,
    }))
}
