//! How fast all read models are made again from the log: of usage, and of all that a month of it leads to.

use super::{conditions, ingest, per_second, resources, since};
use crate::cli::Failure;
use indelible_domain::Command;
use indelible_domain::command::RecordPayment;
use indelible_domain::kernel::Instant;
use indelible_projections::{Spent, Views, names};
use indelible_store::{BillRunRequest, EventStore, Request};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant as Clock;

/// 1 February 2026, 12:00 UTC: the month of the usage is over.
const BILLED: i64 = 1_769_947_200_000_000;

pub fn run(options: &ingest::Options) -> Result<Value, Failure> {
    let filled = ingest::fill(options)?;
    bill(&filled, options)?;
    let store = filled.store.clone();
    let views =
        Views::open(store.clone(), filled.scratch.path(), &mut |_| {}).map_err(Failure::store)?;
    let mix = mix(&*store)?;
    let events = store.head();
    let start = Clock::now();
    let spent = views.rebuild_measured(&[], &mut |_| {});
    let spent = spent.map_err(Failure::store)?;
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
        "read_models": names(),
        "events": events,
        "events_by_kind": mix,
        "usage_records": options.records,
        "events_per_second": per_second(events, took),
        "usage_records_per_second": per_second(options.records, took),
        "milliseconds": took.as_millis().to_string(),
        "milliseconds_by_stage": stages(&spent),
        "peak_memory_kib": resources::peak_memory_kib(),
        "equal_to_incremental": true,
    }))
}

/// Bills every account for its month, and has each pay one euro of it.
fn bill(filled: &ingest::Filled, options: &ingest::Options) -> Result<(), Failure> {
    let ask = BillRunRequest {
        tenant: ingest::TENANT.into(),
        run: "january".into(),
        as_of: Some("2026-02-01".parse().map_err(Failure::refused)?),
        accounts: vec![],
        draft: false,
        command_id: None,
        input_hash: [0; 32],
        actor: "bench".into(),
        correlation: String::new(),
        now: Instant(BILLED),
    };
    let refused = |refused: indelible_store::Refused| Failure::refused(refused.message());
    filled
        .ledger
        .run_bill(&ask, &mut |_, _| {})
        .map_err(refused)?;
    for n in 0..options.subscriptions {
        let payment = RecordPayment {
            payment: format!("p{n}"),
            account: format!("a{n}"),
            amount: "1.00 EUR".parse().map_err(Failure::refused)?,
            invoice: None,
            method: "transfer".into(),
            pending: false,
        };
        let command = Command::RecordPayment(payment);
        let request = Request::new(ingest::TENANT, "bench", Instant(BILLED), command);
        filled.ledger.execute(request).map_err(refused)?;
    }
    Ok(())
}

/// How many events of each kind the log has.
fn mix(store: &dyn EventStore) -> Result<BTreeMap<String, u64>, Failure> {
    let mut mix: BTreeMap<String, u64> = BTreeMap::new();
    let counted = store.replay(0, store.head(), &mut |event| {
        match mix.get_mut(event.kind) {
            Some(count) => *count += 1,
            None => {
                mix.insert(event.kind.into(), 1);
            }
        }
        Ok(true)
    });
    counted.map_err(Failure::store)?;
    Ok(mix)
}

/// What the threads spent; they work side by side, so the sum is more than the time that passed.
fn stages(spent: &Spent) -> Value {
    let models: BTreeMap<&str, Value> = spent
        .models
        .iter()
        .map(|model| {
            let (folding, writing) = (model.folding.as_millis(), model.writing.as_millis());
            let share = json!({ "folding": folding.to_string(), "writing": writing.to_string() });
            (model.name, share)
        })
        .collect();
    json!({
        "reading_and_decoding": spent.reading.as_millis().to_string(),
        "read_models": models,
        "switching": spent.switching.as_millis().to_string(),
        "clearing_old_rows": spent.clearing.as_millis().to_string(),
    })
}
