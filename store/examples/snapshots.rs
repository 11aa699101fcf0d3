//! What a snapshot saves and costs: `snapshots DIR RECORDS SUBSCRIPTIONS` fills a new ledger in DIR with rated usage, then
//! opens it by replay, takes a snapshot, opens it from that, and prints one JSON object.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use indelible_domain::accounts::AccountTerms;
use indelible_domain::command::StartSubscription;
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{self, Decimal};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::{Command, catalog};
use indelible_store::{
    EventStore, Ledger, Pace, Request, SledStore, SnapshotNews, Snapshots, snapshots,
};

const USAGE: &str = "snapshots DIR RECORDS SUBSCRIPTIONS";
const CATALOG: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "EUR"
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
/// Records of a batch.
const BATCH: u64 = 5_000;
/// 1 January 2026, 12:00 UTC, in microseconds.
const NOON: i64 = 1_767_268_800_000_000;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, records, subscriptions] = args.as_slice() else {
        return Err(USAGE.into());
    };
    let (dir, records) = (Path::new(dir), records.parse()?);
    let subscriptions: u64 = subscriptions.parse()?;
    fill(dir, records, subscriptions.max(1))?;
    let store: Arc<dyn EventStore> = Arc::new(SledStore::open(dir)?);
    let begun = Instant::now();
    let plain = Ledger::open(Arc::clone(&store))?;
    let replay = begun.elapsed();
    drop(plain);
    let (ledger, news) = open(&store, dir, 1)?;
    let (bytes, paused, took) = taken(&news)?;
    drop(ledger);
    let (_ledger, news) = open(&store, dir, u64::MAX)?;
    let (aggregates, load) = loaded(&news)?;
    let stats = store.stats();
    println!(
        "{{\"records\":{records},\"subscriptions\":{subscriptions},\"events\":{},\"log_bytes\":{},\"aggregates\":{aggregates},\
         \"replay_ms\":{},\"load_ms\":{},\"snapshot_bytes\":{bytes},\"bytes_per_record\":{},\"bytes_per_aggregate\":{},\
         \"pause_us\":{},\"take_ms\":{}}}",
        stats.events,
        stats.bytes,
        replay.as_millis(),
        load.as_millis(),
        bytes / u64::max(records, 1),
        bytes / aggregates.max(1),
        paused.as_micros(),
        took.as_millis(),
    );
    Ok(())
}

fn open(
    store: &Arc<dyn EventStore>,
    dir: &Path,
    events: u64,
) -> Result<(Ledger, Receiver<SnapshotNews>), Failure> {
    let (tell, news) = channel();
    let tell = std::sync::Mutex::new(tell);
    let told = move |new| {
        if let Ok(tell) = tell.lock() {
            let _ = tell.send(new);
        }
    };
    let ledger = Ledger::open_with_snapshots(
        Arc::clone(store),
        Snapshots {
            pace: Pace {
                events,
                bytes: u64::MAX,
                growth: 0,
            },
            ..Snapshots::within(dir.join(snapshots::FOLDER), told)
        },
    )?;
    Ok((ledger, news))
}

fn taken(news: &Receiver<SnapshotNews>) -> Result<(u64, Duration, Duration), Failure> {
    loop {
        match news.recv()? {
            SnapshotNews::Taken {
                bytes,
                paused,
                took,
                ..
            } => return Ok((bytes, paused, took)),
            SnapshotNews::Failed { why } => return Err(why.into()),
            _ => {}
        }
    }
}

fn loaded(news: &Receiver<SnapshotNews>) -> Result<(u64, Duration), Failure> {
    loop {
        match news.recv()? {
            SnapshotNews::Loaded {
                aggregates, took, ..
            } => return Ok((aggregates, took)),
            SnapshotNews::Ignored { why, .. } => return Err(why.into()),
            _ => {}
        }
    }
}

fn fill(dir: &Path, records: u64, subscriptions: u64) -> Result<(), Failure> {
    let ledger = Ledger::open(Arc::new(SledStore::open(dir)?))?;
    let ask = |command| {
        let request = Request::new("bench", "bench", kernel::Instant(NOON), command);
        ledger.execute(request).map(|_| ())
    };
    let (entity, currency) = (String::from("main"), "EUR".parse()?);
    let terms = EntityTerms {
        name: "Bench".into(),
        currency,
        ..EntityTerms::default()
    };
    ask(Command::OpenEntity { entity, terms })?;
    let offers = catalog::parse(CATALOG)?;
    ask(Command::ApplyCatalog { offers })?;
    for n in 0..subscriptions {
        let account = format!("a{n}");
        let terms = AccountTerms {
            entity: "main".into(),
            currency,
            ..AccountTerms::default()
        };
        ask(Command::OpenAccount {
            account: account.clone(),
            terms,
        })?;
        ask(Command::StartSubscription(Box::new(StartSubscription {
            subscription: format!("s{n}"),
            account,
            offer: "line".into(),
            quantity: Decimal::ONE,
            from: None,
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: true,
            access: vec![format!("no-{n}")],
        })))?;
    }
    for first in (0..records).step_by(BATCH as usize) {
        let lines = (first..records.min(first + BATCH))
            .map(|n| Received::Record(call(n, subscriptions)))
            .collect();
        ask(Command::IngestUsage(Box::new(Intake {
            batch: format!("b{first}"),
            source: "bench".into(),
            format: "records".into(),
            name: "bench".into(),
            lines,
        })))?;
    }
    Ok(())
}

fn call(n: u64, subscriptions: u64) -> UsageRecord {
    let hash = blake3::hash(&n.to_le_bytes());
    let (mut key, mut content) = ([0; 16], [0; 16]);
    key.copy_from_slice(&hash.as_bytes()[..16]);
    content.copy_from_slice(&hash.as_bytes()[16..]);
    UsageRecord {
        line: n % BATCH,
        key,
        content,
        corrects: false,
        metric: "voice".into(),
        access: format!("no-{}", n % subscriptions),
        at: kernel::Instant(NOON + (n % 2_000_000) as i64 * 1_000_000),
        quantity: Decimal::from(1 + (n.wrapping_mul(2_654_435_761) % 600) as i64),
        amount: None,
        attributes: BTreeMap::new(),
        raw: None,
    }
}
