//! What the memory of usage keys costs: nanoseconds per key learnt and looked up, bytes per key in memory and on disk.
//!
//! `cargo run --release -p indelible-store --example keys -- <empty directory> [millions of keys] [keys per batch]`
//!
//! Each batch is looked up, as ingestion does before it rates, and then learnt; 1 % of its keys are known already. One small
//! commit per batch stands for the log. At each doubling, and at the end, look-ups are timed alone. Times are those the thread
//! spent on a processor, where the system says (waits for a busy machine are not in them), except that of the slowest batch.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible_domain::kernel::Exact;
use indelible_domain::mediation::Key;
use indelible_domain::usage::{Basis, Meter, Payer, Provenance, Rated, RatedRecord};
use indelible_domain::{Event, Staged};
use indelible_store::{Commit, EventStore, KeysLimits, NewEvent, Seen, SledStore, StreamKey};

/// Batches of new and of known keys that are looked up at each measuring point.
const PROBES: u64 = 100;
const TENANT: &str = "bench";

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().ok_or("a directory, please")?);
    let millions: u64 = args.next().map_or(Ok(10), |n| n.parse())?;
    let per_batch: u64 = args.next().map_or(Ok(5_000), |n| n.parse())?;
    let keys = millions * 1_000_000;
    let store: Arc<dyn EventStore> = Arc::new(SledStore::open(&dir)?);
    let seen = Seen::open(&store, KeysLimits::default(), 0, &mut |_, _| {})?;
    println!(
        "keys look-up+learn_ns look-up_new_ns look-up_known_ns slowest_batch_ms runs memory_bytes_per_key disk_bytes_per_key rss_mb"
    );
    let (mut known, mut next_report) = (0, 1_000_000.min(keys));
    let (mut spent, mut since, mut slowest) = (Duration::ZERO, 0, Duration::ZERO);
    let mut batch = 0;
    while known < keys {
        let position = append(store.as_ref(), batch)?;
        let new: Vec<Key> = (known..known + per_batch).map(key).collect();
        let repeated = per_batch / 100;
        let mut asked = new.clone();
        asked.extend((0..repeated.min(known)).map(|n| key((n * 7_919 + batch * 104_729) % known)));
        let staged = Arc::new(fact(batch, &new));
        let (begun, busy) = (Instant::now(), busy());
        let found = seen.sightings(TENANT, &asked)?;
        seen.learn(TENANT, position - 1, &staged);
        let (waited, took) = (begun.elapsed(), crate::busy().saturating_sub(busy));
        let (duplicates, first) = (found.iter().flatten().count() as u64, known == 0);
        if duplicates != repeated.min(known) && !first {
            return Err(format!("{duplicates} of {repeated} repeated keys were found").into());
        }
        spent += took;
        slowest = slowest.max(waited);
        known += per_batch;
        since += per_batch;
        batch += 1;
        if known >= next_report {
            let (new, old) = probe(&seen, known, per_batch)?;
            let stats = seen.stats();
            println!(
                "{known} {} {new} {old} {:.1} {} {:.2} {:.1} {}",
                spent.as_nanos() as u64 / since,
                slowest.as_secs_f64() * 1e3,
                stats.runs,
                stats.filter_bytes as f64 / stats.on_disk.max(1) as f64,
                stats.disk_bytes as f64 / stats.on_disk.max(1) as f64,
                rss_mb(),
            );
            (spent, since, slowest) = (Duration::ZERO, 0, Duration::ZERO);
            next_report = (known * 2).min(keys).max(known + 1);
        }
    }
    let begun = Instant::now();
    let rested = seen.idle_within(Duration::from_secs(600));
    let (new, old) = probe(&seen, known, per_batch)?;
    let stats = seen.stats();
    println!(
        "at rest after {:.1?} ({rested}): look-up new {new} ns, known {old} ns, {stats:?}, rss {} MB",
        begun.elapsed(),
        rss_mb(),
    );
    drop(seen);
    let begun = Instant::now();
    let seen = Seen::open(&store, KeysLimits::default(), store.head(), &mut |_, _| {})?;
    println!(
        "opened again in {:.1?}: {:?}",
        begun.elapsed(),
        seen.stats()
    );
    Ok(())
}

/// Nanoseconds per key: of keys that are nowhere, and of keys that are somewhere.
fn probe(seen: &Seen, known: u64, per_batch: u64) -> Result<(u64, u64), Box<dyn Error>> {
    let few = (per_batch / 10).max(1);
    let new = |n: u64| (0..per_batch).map(move |i| key(u64::MAX - n * per_batch - i));
    let old = |n: u64| (0..few).map(move |i| key((n * few + i) * 15_485_863 % known));
    let new = timed(seen, (0..PROBES).map(|n| new(n).collect()), 0)?;
    let old = timed(seen, (0..PROBES).map(|n| old(n).collect()), few)?;
    Ok((new, old))
}

fn timed(
    seen: &Seen,
    batches: impl Iterator<Item = Vec<Key>>,
    expected: u64,
) -> Result<u64, Box<dyn Error>> {
    let (mut took, mut asked) = (Duration::ZERO, 0);
    for keys in batches {
        let begun = busy();
        let found = seen.sightings(TENANT, &keys)?;
        took += busy().saturating_sub(begun);
        asked += keys.len() as u64;
        let found = found.iter().flatten().count() as u64;
        if found != expected {
            return Err(format!("{found} keys were found, not {expected}").into());
        }
    }
    Ok(took.as_nanos() as u64 / asked.max(1))
}

/// The nth key: looks random, and is the same each time (the finaliser of SplitMix64, twice).
fn key(n: u64) -> Key {
    let half = |salt: u64| {
        let mut z = n
            .wrapping_mul(2)
            .wrapping_add(salt)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let both = (u128::from(half(1)) << 64) | u128::from(half(2));
    both.to_le_bytes()
}

/// One fact that says of these keys that they are counted.
fn fact(batch: u64, keys: &[Key]) -> Vec<Staged> {
    let record = |(key, line): (&Key, u64)| RatedRecord {
        line,
        key: *key,
        content: *key,
        at: indelible_domain::kernel::Instant(0),
        quantity: Default::default(),
        units: Exact::ZERO,
        amount: Exact::ZERO,
        payer: Payer::Invoice,
        attributes: Default::default(),
        amount_carried: None,
        raw: None,
    };
    let provenance = Provenance {
        batch: format!("calls-2027-01-01-{batch}").into(),
        source: "switch-1".into(),
        basis: Basis::default(),
    };
    let rated = Rated {
        provenance: Arc::new(provenance),
        records: keys.iter().zip(1..).map(record).collect(),
        meter: Meter::default(),
    };
    vec![Staged {
        kind: "usage",
        id: Arc::new(format!("line-{batch}/voice/2027-01-01")),
        version: 1,
        event: Event::Usage(rated.into()),
        apart: None,
    }]
}

/// A commit of one small event; the answer is its position.
fn append(store: &dyn EventStore, batch: u64) -> Result<u64, Box<dyn Error>> {
    let appended = store.append(Commit {
        tenant: TENANT.into(),
        recorded_at: 0,
        actor: "bench".into(),
        correlation: String::new(),
        causation: 0,
        command: None,
        events: vec![NewEvent {
            stream: StreamKey::new(TENANT, "bench", batch.to_string()),
            expected_version: 0,
            event_type: "bench.batch".into(),
            schema: 1,
            payload: vec![],
        }],
    })?;
    Ok(appended.last_position)
}

/// Time this thread was on a processor; elsewhere than on Linux, time that passed.
fn busy() -> Duration {
    static BEGUN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let begun = *BEGUN;
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split_whitespace().next().and_then(|n| n.parse().ok());
    nanos.map_or_else(|| begun.elapsed(), Duration::from_nanos)
}

/// Resident memory of this process; 0 where the system does not say.
fn rss_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}
