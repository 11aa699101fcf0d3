//! One record alone: sent through GraphQL, durable when it is answered; by many clients that wait, or at a steady pace.

use super::super::resources::peak_memory_kib;
use super::super::{conditions, per_second, since, waits};
use super::{ARRIVED, Options, TENANT, set_up};
use crate::auth::{Caller, Scope};
use crate::cli::Failure;
use crate::clock::Clock as Time;
use crate::graphql::{self, Schema};
use crate::office::{Begin, Office};
use crate::request_id::RequestId;
use async_graphql::{Request, Variables};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};
use tokio::runtime::Runtime;

const SEND: &str = r#"mutation($key: String!, $batch: ID!, $record: UsageRecordInput!) {
  ingestUsage(idempotencyKey: $key, input: { batch: $batch, source: "bench", records: [$record] }) { counts { rated } }
}"#;

pub fn run(options: &Options, records: u64) -> Result<Value, Failure> {
    let scratch = options.place.make("usage-single")?;
    let clock = Time::movable(ARRIVED);
    let office = Office::begin(scratch.path(), clock, Begin::Log).map_err(Failure::store)?;
    set_up(&office.ledger, &office.keyring, options.subscriptions)?;
    let schema = graphql::schema(Arc::clone(&office));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::store)?;
    let syncs = office.store().stats().syncs;
    let start = Clock::now();
    let (sent, taken) = match options.pace {
        Some(pace) => (records, paced(&runtime, &schema, options, records, pace)?),
        None => {
            let each = records / options.clients;
            let taken = waiting(&runtime, &schema, options, each)?;
            (each * options.clients, taken)
        }
    };
    let took = since(start);
    let rated = office.ledger.read(TENANT, |tenant| {
        let meters = tenant.tables.usage.values();
        meters.map(|meter| meter.state.meter.records).sum::<u64>()
    });
    if rated != sent {
        return Err(Failure::refused(format!(
            "{rated} records were rated, {sent} were sent"
        )));
    }
    let verified = office
        .store()
        .verify(&mut |_, _| {})
        .map_err(Failure::store)?;
    Ok(json!({
        "bench": "usage, one record at a time through GraphQL",
        "conditions": conditions(),
        "clients": options.pace.is_none().then_some(options.clients),
        "pace": options.pace,
        "records": sent,
        "subscriptions": options.subscriptions,
        "records_per_second": per_second(sent, took),
        "wait": waits(taken),
        "syncs": office.store().stats().syncs - syncs,
        "verified": { "events": verified.events, "blocks": verified.blocks },
        "peak_memory_kib": peak_memory_kib(),
    }))
}

/// Clients that each send a record when the one before is answered.
fn waiting(
    runtime: &Runtime,
    schema: &Schema,
    options: &Options,
    each: u64,
) -> Result<Vec<Duration>, Failure> {
    let subscriptions = options.subscriptions;
    let clients: Vec<_> = (0..options.clients)
        .map(|client| {
            let schema = schema.clone();
            runtime.spawn(async move {
                let mut taken = Vec::new();
                for n in 0..each {
                    let number = client * each + n;
                    taken.push(send(&schema, number, subscriptions, Clock::now()).await?);
                }
                Ok::<_, String>(taken)
            })
        })
        .collect();
    let mut taken = Vec::new();
    for client in clients {
        let done = runtime.block_on(client).map_err(Failure::store)?;
        taken.extend(done.map_err(Failure::refused)?);
    }
    Ok(taken)
}

/// Records that are sent at their time, whatever became of those before: what waits in a queue is not hidden by a client that
/// sends nothing meanwhile.
fn paced(
    runtime: &Runtime,
    schema: &Schema,
    options: &Options,
    records: u64,
    pace: u64,
) -> Result<Vec<Duration>, Failure> {
    let start = Clock::now();
    let sent: Vec<_> = (0..records)
        .map(|n| {
            let due = start + Duration::from_nanos(n.saturating_mul(1_000_000_000) / pace);
            std::thread::sleep(due.saturating_duration_since(Clock::now()));
            let (schema, subscriptions) = (schema.clone(), options.subscriptions);
            runtime.spawn(async move { send(&schema, n, subscriptions, due).await })
        })
        .collect();
    sent.into_iter()
        .map(|sent| {
            let done = runtime.block_on(sent).map_err(Failure::store)?;
            done.map_err(Failure::refused)
        })
        .collect()
}

/// Sends a record; the answer is how long that took since `begun`.
async fn send(
    schema: &Schema,
    n: u64,
    subscriptions: u64,
    begun: Clock,
) -> Result<Duration, String> {
    let subscriber = n.wrapping_mul(2_654_435_761) % subscriptions;
    let variables = json!({
        "key": format!("k{n}"),
        "batch": format!("one-{n}"),
        "record": {
            "key": format!("r{n}"),
            "metric": "voice",
            "access": format!("n{subscriber}"),
            "at": "2026-01-15T12:00:00Z",
            "quantity": "60",
            "unit": "second",
        },
    });
    let caller = Caller {
        tenant: TENANT.to_string(),
        scope: Scope::Operate,
        actor: "bench".to_string(),
    };
    let request = Request::new(SEND)
        .variables(Variables::from_json(variables))
        .data(Arc::new(caller))
        .data(RequestId::default());
    let answer = schema.execute(request).await;
    let took = since(begun);
    match answer.errors.first() {
        Some(error) => Err(error.message.clone()),
        None => Ok(took),
    }
}
