//! How fast usage becomes durable charges: bytes in → read → de-duplicated → rated → on disk, acknowledged.

use super::{Place, Scratch, conditions, per_second, since, waits};
use crate::cli::Failure;
use clap::Args;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::audit::audit;
use indelible_domain::catalog;
use indelible_domain::command::{Command, StartSubscription};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Decimal, Exact, Instant};
use indelible_domain::mediation::formats::{self, Format};
use indelible_domain::mediation::{Intake, Received, access_hash, record_from};
use indelible_store::{EventStore, Keyring, Ledger, Request, SledStore};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

pub const TENANT: &str = "bench";

const CATALOG: &str = r#"
[[offer]]
code = "bench"
name = "Bench"
currency = "EUR"
[[offer.recurring]]
code = "fee"
name = "Fee"
every = "1 month"
price = { flat = "9.95" }
[[offer.usage]]
code = "voice"
name = "Voice"
metric = "voice"
unit = "minute"
per = "60"
every = "1 month"
align = "calendar"
price = { per_unit = "0.05" }
"#;

#[derive(Args)]
pub struct Options {
    /// Usage records in all; one in a hundred is sent twice.
    #[arg(long, default_value_t = 200_000)]
    pub records: u64,
    /// Subscriptions they belong to.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub subscriptions: u64,
    /// Records per batch.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub batch: u64,
    #[command(flatten)]
    pub place: Place,
}

/// A ledger with usage in it, and what it took to get it there.
pub struct Filled {
    pub scratch: Scratch,
    pub store: Arc<SledStore>,
    pub ledger: Ledger,
    took: Duration,
    reading: Duration,
    waits: Vec<Duration>,
    seconds: i128,
    received: u64,
}

pub fn run(options: &Options) -> Result<Value, Failure> {
    let filled = fill(options)?;
    let rated = filled.ledger.read(TENANT, |tenant| {
        tenant
            .tables
            .usage
            .values()
            .try_fold(Exact::ZERO, |sum, m| sum.plus(m.state.meter.amount))
    });
    let rated = rated.map_err(Failure::refused)?;
    // The independent sum: all seconds × 0.05 EUR ÷ 60.
    let expected = Exact::ratio(filled.seconds * 5, 6_000).map_err(Failure::refused)?;
    if rated != expected {
        return Err(Failure::refused(format!(
            "rated {rated} EUR, an independent sum says {expected} EUR"
        )));
    }
    let broken = filled.ledger.read(TENANT, audit);
    let verified = filled
        .store
        .verify(&mut |_, _| {})
        .map_err(Failure::store)?;
    if !broken.is_empty() {
        return Err(Failure::refused(broken.join("; ")));
    }
    let stats = filled.store.stats();
    Ok(json!({
        "bench": "ingest",
        "conditions": conditions(),
        "format": "records (CSV)",
        "records": filled.received,
        "subscriptions": options.subscriptions,
        "records_per_batch": options.batch,
        "records_per_second": per_second(filled.received, filled.took),
        "share_of_reading_percent": filled.reading.as_micros() * 100 / filled.took.as_micros().max(1),
        "batch_wait": waits(filled.waits),
        "syncs": stats.syncs,
        "charged_eur": rated.to_decimal(12),
        "expected_eur": expected.to_decimal(12),
        "verified": { "events": verified.events, "blocks": verified.blocks },
    }))
}

/// Opens subscriptions and sends the records, timed from the first byte read to the last acknowledgement.
pub fn fill(options: &Options) -> Result<Filled, Failure> {
    let scratch = options.place.make("ingest")?;
    let store = Arc::new(SledStore::open(scratch.path()).map_err(Failure::store)?);
    let keys = Keyring::open(scratch.path()).map_err(Failure::store)?;
    let ledger = Ledger::open(store.clone()).map_err(Failure::store)?;
    let hash = |bytes: &[u8]| keys.lookup_hash(TENANT, bytes);
    set_up(&ledger, options.subscriptions, &hash)?;
    let (batches, seconds) = generate(options);
    let (mut reading, mut waits, mut received) = (Duration::ZERO, Vec::new(), 0);
    let start = Clock::now();
    for (n, bytes) in batches.iter().enumerate() {
        let begun = Clock::now();
        let lines =
            formats::read(Format::Records, bytes).map_err(|e| Failure::refused(e.reason))?;
        let lines: Vec<Received> = lines
            .into_iter()
            .map(|line| match line.reading {
                Ok(reading) => {
                    let mut record = record_from(&reading, "bench", hash);
                    record.line = line.number;
                    Received::Record(record)
                }
                Err(e) => Received::Unreadable {
                    line: line.number,
                    code: e.code.to_string(),
                    reason: e.reason,
                },
            })
            .collect();
        reading += since(begun);
        received += lines.len() as u64;
        let batch = format!("b{n}");
        let intake = Intake {
            batch,
            source: "bench".into(),
            format: "records".into(),
            name: "bench".into(),
            lines,
        };
        ask(&ledger, Command::IngestUsage(Box::new(intake)))?;
        waits.push(since(begun));
    }
    Ok(Filled {
        took: since(start),
        scratch,
        store,
        ledger,
        reading,
        waits,
        seconds,
        received,
    })
}

/// 1 January 2026, 12:00 UTC.
const NOON: i64 = 1_767_268_800_000_000;

fn ask(ledger: &Ledger, command: Command) -> Result<(), Failure> {
    let request = Request::new(TENANT, "bench", Instant(NOON), command);
    ledger
        .execute(request)
        .map(|_| ())
        .map_err(|refused| Failure::refused(refused.message()))
}

fn set_up(
    ledger: &Ledger,
    subscriptions: u64,
    hash: &impl Fn(&[u8]) -> [u8; 32],
) -> Result<(), Failure> {
    let currency = "EUR".parse().map_err(Failure::refused)?;
    let terms = EntityTerms {
        name: "Bench".into(),
        country: "DE".into(),
        currency,
        ..EntityTerms::default()
    };
    ask(
        ledger,
        Command::OpenEntity {
            entity: "main".into(),
            terms,
        },
    )?;
    ask(
        ledger,
        Command::ApplyCatalog {
            offers: catalog::parse(CATALOG).map_err(Failure::refused)?,
        },
    )?;
    for n in 0..subscriptions {
        let terms = AccountTerms {
            entity: "main".into(),
            currency,
            ..AccountTerms::default()
        };
        ask(
            ledger,
            Command::OpenAccount {
                account: format!("a{n}"),
                terms,
            },
        )?;
        let start = StartSubscription {
            subscription: format!("s{n}"),
            account: format!("a{n}"),
            offer: "bench".into(),
            quantity: Decimal::ONE,
            from: None,
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: true,
            access: vec![access_hash(&format!("n{n}"), hash)],
        };
        ask(ledger, Command::StartSubscription(Box::new(start)))?;
    }
    Ok(())
}

/// CSV batches and the seconds of their distinct records.
fn generate(options: &Options) -> (Vec<Vec<u8>>, i128) {
    let (mut batches, mut seconds) = (Vec::new(), 0_i128);
    let mut next = 0_u64;
    while next < options.records {
        let mut text = String::from("key,metric,access,at,quantity\n");
        for _ in 0..options.batch.min(options.records - next) {
            // Every hundredth line repeats the one before it.
            let record = if next % 100 == 99 { next - 1 } else { next };
            let quantity = 1 + record.wrapping_mul(2_654_435_761) % 600;
            let at = Instant(NOON + i64::try_from(record % 2_000_000).unwrap_or(0) * 1_000_000);
            let subscriber = record % options.subscriptions;
            let _ = writeln!(text, "r{record},voice,n{subscriber},{at},{quantity}");
            seconds += if record == next {
                i128::from(quantity)
            } else {
                0
            };
            next += 1;
        }
        batches.push(text.into_bytes());
    }
    (batches, seconds)
}
