//! What deciding usage costs: processor time of each thread per record, without reading files.
//!
//! `cargo run --release -p indelible-store --example usage -- DIR [records] [subscriptions]`
//!
//! 60 % of the records are priced per unit with an allowance, 25 % graduated, 10 % by a price matrix, 5 % by an
//! expression; subscriptions come in random order, in batches of 10,000 records that are made before the clock runs. What
//! was charged is compared with sums made without the product's rating, and the log is verified.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant as Clock;

use indelible_domain::Command;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::catalog;
use indelible_domain::command::StartSubscription;
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Decimal, Exact, Instant};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_store::{Ledger, Request, SledStore};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TENANT: &str = "bench";
const OFFER: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "EUR"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { flat = "9.95" }
every = "1 month"
[[offer.usage]]
code = "voice"
name = "Voice"
metric = "voice"
unit = "minute"
per = "60"
allowance = "10"
every = "1 month"
align = "calendar"
price = { per_unit = "0.05" }
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "MB"
every = "1 month"
align = "calendar"
price = { graduated = [{ up_to = "100", unit = "0.02" }, { up_to = "1000", unit = "0.015" }, { unit = "0.01" }] }
[[offer.usage]]
code = "roaming"
name = "Roaming"
metric = "roaming"
unit = "minute"
every = "1 month"
align = "calendar"
[offer.usage.price.matrix]
columns = [{ attribute = "zone" }, { attribute = "class" }]
lines = [
  { cells = ["eu", "peak"], price = { per_unit = "0.012" } },
  { cells = ["eu", "*"], price = { per_unit = "0.009" } },
  { cells = ["us", "peak"], price = { per_unit = "0.045" } },
  { cells = ["us", "off"], price = { per_unit = "0.031" } },
]
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "call"
every = "1 month"
align = "calendar"
price = { expression = 'if units > 100 then 100 * 0.0005 + (units - 100) * 0.0003 else units * 0.0005' }
"#;

/// Prices of roaming in thousandths, by zone and class.
const ROAMING: [(&str, &str, i128); 4] = [
    ("eu", "peak", 12),
    ("eu", "off", 9),
    ("us", "peak", 45),
    ("us", "off", 31),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("which directory?")?;
    let records: u64 = args.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let subscriptions: u64 = args.next().map_or(Ok(100_000), |n| n.parse())?;
    let store = Arc::new(SledStore::open(std::path::Path::new(&dir))?);
    let ledger = Ledger::open(store.clone())?;
    set_up(&ledger, subscriptions)?;
    let mut requests = Vec::new();
    for first in (0..records).step_by(10_000) {
        let lines = (first..records.min(first + 10_000)).map(|n| record(n, subscriptions));
        let intake = Intake {
            batch: format!("batch-{first}"),
            source: "switch-1".into(),
            format: "records".into(),
            name: "calls.csv".into(),
            lines: lines
                .map(|r| r.map(Received::Record))
                .collect::<Result<_, _>>()?,
        };
        requests.push(request(
            "2026-02-01T00:00:00Z",
            Command::IngestUsage(Box::new(intake)),
        )?);
    }
    let before = cpu_by_thread();
    let begun = Clock::now();
    let mut rated = 0;
    ledger.execute_all(requests, &mut |receipt| {
        rated += receipt.outcome.usage.unwrap_or_default().rated;
    })?;
    let took = begun.elapsed();
    println!(
        "{rated} records in {} ms, {} per second",
        took.as_millis(),
        u128::from(rated) * 1_000_000 / took.as_micros().max(1)
    );
    let mut all = 0;
    for (thread, (name, ticks)) in cpu_by_thread() {
        let used = ticks - before.get(&thread).map_or(0, |(_, t)| *t);
        all += used;
        if used > 0 {
            println!(
                "{name}: {} ns of a core per record",
                used * 10_000_000 / records
            );
        }
    }
    println!(
        "in all: {} ns of a core per record",
        all * 10_000_000 / records
    );
    if args.next().is_some_and(|word| word == "unchecked") {
        std::process::exit(0);
    }
    let charged = ledger.read(TENANT, |tenant| {
        let meters = tenant.tables.usage.values();
        let amounts = meters.map(|entry| entry.state.meter.amount);
        amounts.into_iter().try_fold(Exact::ZERO, Exact::plus)
    })?;
    let expected = oracle(records, subscriptions)?;
    if charged != expected {
        return Err(format!("charged {charged}, expected {expected}").into());
    }
    use indelible_store::EventStore;
    let verified = store.verify(&mut |_, _| {})?;
    let check = ledger.verify_state()?;
    println!(
        "charged {charged} EUR as expected, {} events verified, state differs for {:?}",
        verified.events, check.differing
    );
    Ok(())
}

/// What all records must come to.
fn oracle(records: u64, subscriptions: u64) -> Result<Exact, Box<dyn Error>> {
    let mut seconds: BTreeMap<u64, i128> = BTreeMap::new();
    let mut thousandths: BTreeMap<u64, i128> = BTreeMap::new();
    // In units of 10^-6 money.
    let mut rest = 0;
    for n in 0..records {
        let (subscription, random) = whose(n, subscriptions);
        let quantity = i128::from(1 + (random >> 20) % 600);
        match random % 100 {
            0..60 => *seconds.entry(subscription).or_default() += quantity,
            60..85 => {
                let more = i128::from((random >> 40) % 1_000);
                *thousandths.entry(subscription).or_default() += quantity * 1_000 + more;
            }
            85..95 => rest += quantity * ROAMING[(random >> 10) as usize % 4].2 * 1_000,
            _ => rest += quantity.min(100) * 500 + (quantity - 100).max(0) * 300,
        }
    }
    let seconds: i128 = seconds.values().map(|s| (s - 600).max(0)).sum();
    let tiers = |q: &i128| {
        20 * (*q).min(100_000)
            + 15 * (*q - 100_000).clamp(0, 900_000)
            + 10 * (*q - 1_000_000).max(0)
    };
    let data: i128 = thousandths.values().map(tiers).sum();
    Ok(Exact::ratio(seconds * 5, 6_000)?.plus(Exact::ratio(data + rest, 1_000_000)?)?)
}

/// Scatters a number (SplitMix64).
fn scatter(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn whose(n: u64, subscriptions: u64) -> (u64, u64) {
    let random = scatter(n);
    (scatter(random) % subscriptions, random)
}

fn access(n: u64) -> String {
    blake3::hash(&n.to_le_bytes()).to_hex()[..32].to_string()
}

fn record(n: u64, subscriptions: u64) -> Result<UsageRecord, Box<dyn Error>> {
    let (subscription, random) = whose(n, subscriptions);
    let hash = blake3::hash(format!("key {n}").as_bytes());
    let key = *hash.as_bytes().first_chunk().ok_or("32 bytes")?;
    let content = *hash.as_bytes().last_chunk().ok_or("32 bytes")?;
    let quantity = 1 + (random >> 20) % 600;
    let mut attributes = BTreeMap::new();
    let (metric, quantity) = match random % 100 {
        0..60 => ("voice", quantity.to_string()),
        60..85 => ("data", format!("{quantity}.{:03}", (random >> 40) % 1_000)),
        85..95 => {
            let (zone, class, _) = ROAMING[(random >> 10) as usize % 4];
            attributes.insert("zone".to_string(), zone.to_string());
            attributes.insert("class".to_string(), class.to_string());
            ("roaming", quantity.to_string())
        }
        _ => ("calls", quantity.to_string()),
    };
    Ok(UsageRecord {
        line: n % 500_000,
        key,
        content,
        corrects: false,
        metric: metric.into(),
        access: access(subscription),
        at: Instant(1_768_435_200_000_000 + (n % 1_200_000) as i64 * 1_000_000),
        quantity: quantity.parse()?,
        amount: None,
        attributes,
        raw: None,
    })
}

fn set_up(ledger: &Ledger, subscriptions: u64) -> Result<(), Box<dyn Error>> {
    let currency = "EUR".parse()?;
    let entity = EntityTerms {
        name: "Bench".into(),
        country: "DE".into(),
        currency,
        ..EntityTerms::default()
    };
    let mut requests = vec![
        Command::OpenEntity {
            entity: "main".into(),
            terms: entity,
        },
        Command::ApplyCatalog {
            offers: catalog::parse(OFFER)?,
        },
    ];
    for n in 0..subscriptions {
        requests.push(Command::OpenAccount {
            account: format!("a{n}"),
            terms: AccountTerms {
                entity: "main".into(),
                currency,
                ..AccountTerms::default()
            },
        });
        requests.push(Command::StartSubscription(Box::new(StartSubscription {
            subscription: format!("s{n}"),
            account: format!("a{n}"),
            offer: "line".into(),
            quantity: Decimal::ONE,
            from: None,
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: true,
            access: vec![access(n)],
        })));
    }
    let requests = requests
        .into_iter()
        .map(|c| request("2025-12-01T00:00:00Z", c));
    let requests: Vec<Request> = requests.collect::<Result<_, _>>()?;
    ledger.execute_all(requests, &mut |_| {})?;
    Ok(())
}

fn request(now: &str, command: Command) -> Result<Request, Box<dyn Error>> {
    Ok(Request {
        tenant: TENANT.to_string(),
        command_id: None,
        input_hash: [0; 32],
        actor: "bench".to_string(),
        correlation: String::new(),
        causation: 0,
        now: now.parse()?,
        command,
    })
}

/// Ticks of 10 ms that each living thread ran (proc(5): fields 2, 14 and 15); empty where the system does not say.
fn cpu_by_thread() -> BTreeMap<u64, (String, u64)> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let read = |task: std::io::Result<std::fs::DirEntry>| {
        let path = task.ok()?.path();
        let number = path.file_name()?.to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(path.join("stat")).ok()?;
        let (name, rest) = stat.rsplit_once(')')?;
        let ticks = |field: usize| rest.split_whitespace().nth(field - 3)?.parse::<u64>().ok();
        let name = name.split_once('(')?.1.to_string();
        Some((number, (name, ticks(14)? + ticks(15)?)))
    };
    tasks.filter_map(read).collect()
}
