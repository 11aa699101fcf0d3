//! How fast usage becomes durable charges: bytes in → read → de-duplicated, also against everything seen before → rated →
//! on disk, acknowledged → visible in the open usage of its subscription.
//!
//! The clock runs from the first byte to the last visible acknowledgement. Input is made beforehand; what it must cost is
//! summed by an oracle that shares nothing with the product's rating, and the log is verified afterwards.

mod mix;
mod single;

use super::resources::{self, cpu_by_thread, cpu_of_process, peak_memory_kib, resident_memory_kib};
use super::{Place, Scratch, conditions, per_second, since, waits};
use crate::cli::Failure;
use crate::ingest::{self, Origin, Raw};
use clap::Args;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::audit::audit;
use indelible_domain::catalog;
use indelible_domain::command::{Command, StartSubscription, UsageCounts};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Decimal, Exact, Instant};
use indelible_domain::mediation::Intake;
use indelible_domain::mediation::formats::Format;
use indelible_store::{EventStore, Keyring, KeysStats, Ledger, Request, SledStore, StoreStats};
use mix::{Mix, Written};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

const TENANT: &str = "bench";
/// 1 December 2025: everything is opened on this day.
const OPENED: Instant = Instant(1_764_547_200_000_000);
/// 1 February 2026: the usage of January arrives.
const ARRIVED: Instant = Instant(1_769_904_000_000_000);
/// Records of one file.
const FILE: u64 = 500_000;

#[derive(Args)]
pub struct Options {
    /// Usage records in all: 60 % per unit with an allowance, 25 % graduated, 10 % by a matrix, 5 % by an
    /// expression; 1 % duplicates, 0.1 % conflicts, 1 % late.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Subscriptions they belong to, in random order.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=5_000_000))]
    subscriptions: u64,
    /// How they are written.
    #[arg(long, value_enum, default_value_t = Written::Csv)]
    format: Written,
    /// Seal and keep the text of every line, as for a source that does not say that its lines hold nothing of a person.
    #[arg(long)]
    sealed: bool,
    /// Instead: records sent one by one through GraphQL, each durable when it is answered.
    #[arg(long, value_name = "RECORDS")]
    singles: Option<u64>,
    /// Clients that send single records and wait.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1024))]
    clients: u64,
    /// Instead of clients that wait: so many single records per second in all, whether or not those before are answered. A
    /// wait counts from the instant at which a record was to be sent.
    #[arg(long, value_name = "PER SECOND", requires = "singles", conflicts_with = "clients",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pace: Option<u64>,
    /// Also fold the whole log again and compare the state.
    #[arg(long)]
    fold: bool,
    #[command(flatten)]
    place: Place,
}

/// A ledger with subscriptions that nothing was used on yet.
struct Opened {
    scratch: Scratch,
    store: Arc<SledStore>,
    keyring: Keyring,
    ledger: Ledger,
}

pub fn run(options: &Options) -> Result<Value, Failure> {
    if let Some(records) = options.singles {
        return single::run(options, records);
    }
    let mix = Mix {
        records: options.records,
        subscriptions: options.subscriptions,
        written: options.format,
    };
    let empty = resident_memory_kib();
    let opened = open(options)?;
    let ready = resident_memory_kib();
    let files = write(&mix);
    let measured = measure(&opened, &files, options)?;
    let memory = Memory {
        empty,
        ready,
        ended: resident_memory_kib(),
        peak: peak_memory_kib(),
        input: files.iter().map(|file| file.capacity() as u64).sum(),
    };
    let memory = memory.report(options.subscriptions, &opened.ledger.keys());
    let Opened {
        scratch,
        store,
        ledger,
        ..
    } = opened;
    let (expected, counted) = mix.oracle().map_err(Failure::refused)?;
    let charged = charged(&ledger)?;
    let sent = (
        measured.sum.received,
        measured.sum.rated,
        measured.sum.duplicates,
        measured.sum.conflicts,
    );
    let asked = (
        counted.received,
        counted.rated,
        counted.duplicates,
        counted.conflicts,
    );
    if charged != expected || sent != asked {
        return Err(Failure::refused(format!(
            "charged {charged} EUR for {sent:?}, the oracle says {expected} EUR for {asked:?} (received, rated, duplicates, conflicts)"
        )));
    }
    let verified = store.verify(&mut |_, _| {}).map_err(Failure::store)?;
    let broken = ledger.read(TENANT, audit);
    if !broken.is_empty() {
        return Err(Failure::refused(broken.join("; ")));
    }
    let folded = match options.fold {
        true => {
            let check = ledger.verify_state().map_err(Failure::store)?;
            if !check.differing.is_empty() {
                return Err(Failure::refused(
                    "the state is not the fold of the log".to_string(),
                ));
            }
            json!(check.position)
        }
        false => Value::Null,
    };
    let bytes: u64 = files.iter().map(|file| file.len() as u64).sum();
    let peak = peak_memory_kib();
    let disk = resources::bytes_on_disk(scratch.path());
    Ok(json!({
        "bench": "usage",
        "conditions": conditions(),
        "format": format!("{:?}", options.format).to_lowercase(),
        "raw_lines": if options.sealed { "sealed" } else { "not kept" },
        "records": counted.received,
        "subscriptions": options.subscriptions,
        "mix": {
            "per_unit_with_allowance_percent": 60, "graduated_percent": 25, "matrix_percent": 10,
            "expression_percent": 5, "duplicates": counted.duplicates, "conflicts": counted.conflicts, "late": counted.late,
        },
        "bytes_in_per_record": bytes / counted.received.max(1),
        "records_per_second": per_second(counted.received, measured.took),
        "cpu_micros_per_record": micros_each(measured.cpu, counted.received),
        "records_per_cpu_second_on_two_cores": per_second(counted.received * 2, measured.cpu),
        "by_tenth": measured.tenths,
        "stages": measured.stages,
        "batch_wait": waits(measured.waits),
        "charged_eur": charged.to_decimal(12),
        "oracle_eur": expected.to_decimal(12),
        "verified": { "events": verified.events, "blocks": verified.blocks },
        "folded_up_to": folded,
        "memory": memory,
        "peak_memory_kib": peak,
        "bytes_on_disk_per_record": disk / counted.received.max(1),
    }))
}

/// Resident memory of the process in kibibytes, none where the system does not tell.
struct Memory {
    /// Before the ledger was opened.
    empty: Option<u64>,
    /// After every account and subscription was opened.
    ready: Option<u64>,
    /// After the last record, before anything is verified.
    ended: Option<u64>,
    /// At most up to then.
    peak: Option<u64>,
    /// Bytes of the files to send, which the bench itself holds during the run.
    input: u64,
}

impl Memory {
    fn report(&self, subscriptions: u64, keys: &KeysStats) -> Value {
        let grown = |from: Option<u64>, to: Option<u64>| Some(to?.saturating_sub(from?) * 1_024);
        let each = |bytes: Option<u64>| bytes.map(|bytes| bytes / subscriptions.max(1));
        let run = grown(self.ready, self.ended).map(|bytes| bytes.saturating_sub(self.input));
        let remembered = keys.in_tails + keys.on_disk;
        let of_keys = keys.filter_bytes + keys.tail_bytes;
        json!({
            "resident_kib_after_set_up": self.ready,
            "resident_kib_after_run": self.ended,
            "resident_kib_at_peak_of_run": self.peak,
            "input_kib": self.input / 1_024,
            "bytes_per_subscription_after_set_up": each(grown(self.empty, self.ready)),
            "bytes_per_subscription_from_run": each(run),
            "keys_remembered": remembered,
            "keys_bytes": of_keys,
            "bytes_per_remembered_key": of_keys / remembered.max(1),
        })
    }
}

fn open(options: &Options) -> Result<Opened, Failure> {
    let scratch = options.place.make("usage")?;
    let store = Arc::new(SledStore::open(scratch.path()).map_err(Failure::store)?);
    let keyring = Keyring::open(scratch.path()).map_err(Failure::store)?;
    let ledger = Ledger::open(store.clone()).map_err(Failure::store)?;
    set_up(&ledger, &keyring, options.subscriptions)?;
    Ok(Opened {
        scratch,
        store,
        keyring,
        ledger,
    })
}

fn request(now: Instant, command: Command, input_hash: [u8; 32]) -> Request {
    Request {
        tenant: TENANT.to_string(),
        command_id: None,
        input_hash,
        actor: "bench".to_string(),
        correlation: String::new(),
        causation: 0,
        now,
        command,
    }
}

/// Opens an account and a subscription for each number.
fn set_up(ledger: &Ledger, keyring: &Keyring, subscriptions: u64) -> Result<(), Failure> {
    let currency = "EUR".parse().map_err(Failure::refused)?;
    let entity = EntityTerms {
        name: "Bench".into(),
        country: "DE".into(),
        currency,
        ..EntityTerms::default()
    };
    let offers = catalog::parse(mix::CATALOG).map_err(Failure::refused)?;
    let first = [
        Command::OpenEntity {
            entity: "main".into(),
            terms: entity,
        },
        Command::ApplyCatalog { offers },
    ];
    let each = (0..subscriptions).flat_map(|n| {
        let account = format!("a{n}");
        let terms = AccountTerms {
            entity: "main".into(),
            currency,
            ..AccountTerms::default()
        };
        let start = StartSubscription {
            subscription: format!("s{n}"),
            account: account.clone(),
            offer: "bench".into(),
            quantity: Decimal::ONE,
            from: None,
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: true,
            access: vec![ingest::access(keyring, TENANT, &format!("n{n}"))],
        };
        [
            Command::OpenAccount { account, terms },
            Command::StartSubscription(Box::new(start)),
        ]
    });
    let commands = first.into_iter().chain(each);
    let requests = commands.map(|command| request(OPENED, command, [0; 32]));
    ledger
        .execute_all(requests, &mut |_| {})
        .map_err(|refused| Failure::refused(refused.message()))
}

/// The files to send, made before the clock runs.
fn write(mix: &Mix) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    let mut next = 0;
    while next < mix.records {
        let until = mix.records.min(next + FILE);
        let mut file = mix.head().as_bytes().to_vec();
        (next..until).for_each(|n| mix.write(n, &mut file));
        files.push(file);
        next = until;
    }
    files
}

struct Measured {
    took: Duration,
    cpu: Duration,
    tenths: Vec<Value>,
    stages: Value,
    waits: Vec<Duration>,
    sum: UsageCounts,
}

fn measure(opened: &Opened, files: &[Vec<u8>], options: &Options) -> Result<Measured, Failure> {
    let Opened {
        store,
        keyring,
        ledger,
        ..
    } = opened;
    let format = match options.format {
        Written::Csv => Format::Records,
        Written::Ndjson => Format::Ndjson,
    };
    let raw = match options.sealed {
        true => Raw::Sealed,
        false => Raw::Dropped,
    };
    let request = |intake: Intake| {
        let hash = intake.digest();
        request(ARRIVED, Command::IngestUsage(Box::new(intake)), hash)
    };
    let before = store.stats();
    let threads_before = cpu_by_thread();
    let cpu_before = cpu_of_process();
    let mut threads = BTreeMap::new();
    let (mut sum, mut all, mut batches) = (UsageCounts::default(), Vec::new(), 0_u64);
    let (mut tenths, mut tenth) = (Vec::new(), (0, Duration::ZERO, cpu_before));
    let start = Clock::now();
    let mut last = Duration::ZERO;
    for (n, file) in files.iter().enumerate() {
        let name = format!("file-{n}");
        let origin = Origin {
            tenant: TENANT,
            source: "bench",
            format,
            name: &name,
            batch: &name,
        };
        let told = &mut |receipt: indelible_store::Receipt| {
            let counts = receipt.outcome.usage.unwrap_or_default();
            sum = ingest::added(&sum, &counts);
            let now = since(start);
            all.push(now - last);
            last = now;
            batches += 1;
            // Threads end with their file, and what they took with them.
            if batches % 8 == 1 {
                threads.extend(cpu_by_thread());
            }
            if sum.received - tenth.0 >= options.records.div_ceil(10) {
                let cpu = cpu_of_process();
                let records = sum.received - tenth.0;
                tenths.push(json!({
                    "records_per_second": per_second(records, now - tenth.1),
                    "cpu_micros_per_record": micros_each(cpu.saturating_sub(tenth.2), records),
                }));
                tenth = (sum.received, now, cpu);
            }
        };
        ingest::take_in(ledger, keyring, &origin, raw, file, &request, told)
            .map_err(Failure::refused)?;
    }
    // The last answer counts when its usage can be seen.
    let seen = ledger.read(TENANT, |tenant| tenant.tables.usage.len());
    let took = since(start);
    let cpu = cpu_of_process().saturating_sub(cpu_before);
    threads.extend(cpu_by_thread());
    for (thread, before) in threads_before {
        if let Some((_, cpu)) = threads.get_mut(&thread) {
            *cpu = cpu.saturating_sub(before.1);
        }
    }
    let records = sum.received;
    let stages = stages(&threads, &before, &store.stats(), records, seen);
    Ok(Measured {
        took,
        cpu,
        tenths,
        stages,
        waits: all,
        sum,
    })
}

/// Where the time went, in microseconds of a core per record.
fn stages(
    threads: &BTreeMap<u64, (String, Duration)>,
    before: &StoreStats,
    after: &StoreStats,
    records: u64,
    meters: usize,
) -> Value {
    let mut by_name: BTreeMap<&str, Duration> = BTreeMap::new();
    for (name, cpu) in threads.values() {
        *by_name.entry(name).or_default() += *cpu;
    }
    let threads: serde_json::Map<String, Value> = by_name
        .into_iter()
        .filter(|(_, cpu)| !cpu.is_zero())
        .map(|(name, cpu)| (name.to_string(), json!(micros_each(cpu, records))))
        .collect();
    let writing = |stage: fn(&StoreStats) -> Duration| {
        micros_each(stage(after).saturating_sub(stage(before)), records)
    };
    json!({
        "cpu_by_thread": threads,
        "writer_packing": writing(|s| s.writing.packing),
        "writer_engine": writing(|s| s.writing.engine),
        "writer_sync": writing(|s| s.writing.sync),
        "syncs": after.syncs - before.syncs,
        "log_bytes_per_record": (after.bytes - before.bytes) / records.max(1),
        "meters": meters,
    })
}

/// Microseconds for each record, with two decimals, as text: a figure to read, not to compute with.
fn micros_each(all: Duration, records: u64) -> String {
    let hundredths = all.as_nanos() / 10 / u128::from(records.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn charged(ledger: &Ledger) -> Result<Exact, Failure> {
    let sum = ledger.read(TENANT, |tenant| {
        let meters = tenant.tables.usage.values();
        meters
            .map(|entry| entry.state.meter.amount)
            .try_fold(Exact::ZERO, Exact::plus)
    });
    sum.map_err(Failure::refused)
}
