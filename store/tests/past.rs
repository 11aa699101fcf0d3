//! What usage left behind: keys and records that lie on disk answer what the plain memory over the same facts answers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indelible_domain::accounts::AccountTerms;
use indelible_domain::command::StartSubscription;
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Date, Decimal, Instant};
use indelible_domain::mediation::{Intake, Key, Received, UsageRecord};
use indelible_domain::past::{Memory, Past};
use indelible_domain::{
    Command, Event, Outcome, Rejection, Session, World, catalog, operations, usage,
};
use indelible_store::{EventStore, KeysLimits, Ledger, MemoryStore, Refused, Request, SledStore};

const TENANT: &str = "t";
const SMALL: KeysLimits = KeysLimits {
    tail_keys: 24,
    tail_facts: 90,
    page_bytes: 128,
    fanout: 3,
    aside_facts: 3,
};
/// Keys of records; so few that most come again.
const KEYS: u64 = 150;

/// One charge per way to correct: by the sums, and by tallying all records anew.
const OFFER: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "EUR"
[[offer.usage]]
code = "voice"
name = "Voice"
metric = "voice"
unit = "minute"
every = "1 month"
align = "calendar"
price = { graduated = [{ up_to = "10", unit = "0.10" }, { unit = "0.05" }] }
[[offer.usage]]
code = "peak"
name = "Peak"
metric = "peak"
unit = "kW"
every = "1 month"
align = "calendar"
aggregate = "max"
price = { per_unit = "2.50" }
[[offer.usage]]
code = "share"
name = "Share"
metric = "share"
unit = "EUR"
every = "1 month"
align = "calendar"
price = { percentage = { rate = "0.013", fixed = "2", free_events = 3 } }
"#;

/// A sequence that looks random and is the same each time (the finaliser of SplitMix64).
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

fn now() -> Instant {
    "2012-07-01T00:00:00Z".parse().expect("an instant")
}

fn short(text: &str) -> Key {
    let hash = blake3::hash(text.as_bytes());
    *hash.as_bytes().first_chunk().expect("16 bytes")
}

fn key(n: u64) -> Key {
    short(&format!("key {n}"))
}

fn record(dice: &mut Dice) -> UsageRecord {
    let n = dice.below(KEYS);
    let (quantity, day, month) = (1 + dice.below(2), 1 + n % 28, 5 + dice.below(2));
    // Mostly the same for the same key, so that there are duplicates.
    let kinds = [
        "voice", "peak", "share", "voice", "peak", "share", "unknown",
    ];
    let moved = u64::from(dice.below(8) == 0);
    let metric = kinds[((n + moved) % 7) as usize];
    let month = if moved == 1 { month } else { 5 };
    let at = format!("2012-{month:02}-{day:02}T10:00:00Z");
    UsageRecord {
        line: 0,
        key: key(n),
        content: short(&format!("{n} {metric} {at} {quantity}")),
        corrects: dice.below(2) == 0,
        metric: metric.into(),
        access: ["no-1", "no-2", "no-1", "no-1"][(n % 4) as usize].into(),
        at: at.parse().expect("an instant"),
        quantity: Decimal::from(quantity as i64),
        amount: None,
        attributes: BTreeMap::new(),
        raw: None,
    }
}

fn batch(n: u64, dice: &mut Dice) -> Command {
    let lines = (1..=1 + dice.below(12)).map(|line| {
        Received::Record(UsageRecord {
            line,
            ..record(dice)
        })
    });
    Command::IngestUsage(Box::new(Intake {
        batch: format!("b{n}"),
        source: "switch".into(),
        format: "records".into(),
        name: "x.csv".into(),
        lines: lines.collect(),
    }))
}

fn start(id: &str, access: &str) -> Command {
    let from: Date = "2012-05-01".parse().expect("a date");
    Command::StartSubscription(Box::new(StartSubscription {
        subscription: id.into(),
        account: "alice".into(),
        offer: "line".into(),
        quantity: Decimal::ONE,
        from: Some(from),
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec![access.into()],
    }))
}

fn set_up() -> Vec<Command> {
    let entity = Command::OpenEntity {
        entity: "acme".into(),
        terms: EntityTerms {
            name: "Acme".into(),
            ..EntityTerms::default()
        },
    };
    let account = Command::OpenAccount {
        account: "alice".into(),
        terms: AccountTerms {
            entity: "acme".into(),
            currency: "EUR".parse().expect("a currency"),
            ..AccountTerms::default()
        },
    };
    let offers = catalog::parse(OFFER).expect("a catalog");
    vec![
        entity,
        account,
        Command::ApplyCatalog { offers },
        start("line-1", "no-1"),
    ]
}

/// The rules over plain memory: what every other way must answer.
#[derive(Default)]
struct Plain {
    world: World,
    past: Memory,
    log: Vec<(String, Event)>,
}

impl Plain {
    fn ask(&mut self, command: Command) -> Result<Outcome, Rejection> {
        let mut session = Session::new(self.world.tenant(TENANT), now()).with(&self.past);
        let outcome = operations::execute(&mut session, command)?;
        let (tables, events) = session.finish();
        self.world.absorb(TENANT, tables, &events);
        self.past.absorb(&events);
        self.log
            .extend(events.into_iter().map(|s| (s.id.to_string(), s.event)));
        Ok(outcome)
    }
}

fn ask(ledger: &Ledger, command: Command) -> Result<Outcome, Rejection> {
    match ledger.execute(Request::new(TENANT, "test", now(), command)) {
        Ok(receipt) => Ok(receipt.outcome),
        Err(Refused::Rejection(rejection)) => Err(rejection),
        Err(other) => panic!("{other}"),
    }
}

/// Every question of the port has the same answer.
fn same_past(ledger: &Ledger, plain: &Plain) {
    let past = ledger.past(TENANT);
    let keys: Vec<Key> = (0..KEYS + 20).map(key).collect();
    let found = past.sightings(&keys).expect("an answer");
    assert_eq!(found, plain.past.sightings(&keys).expect("an answer"));
    for (key, sighting) in keys.iter().zip(&found) {
        assert_eq!(past.batch_of(key), plain.past.batch_of(key));
        if let Some(sighting) = sighting.filter(|s| s.counted) {
            let fact = past.fact(sighting.position).expect("a fact");
            assert_eq!(fact, plain.past.fact(sighting.position).expect("a fact"));
            let Event::Usage(event) = fact.1 else {
                panic!("a record is counted by usage")
            };
            let record = event.record(key).expect("the record");
            assert_eq!(record.content, sighting.content);
        }
    }
    for meter in plain.world.tenant(TENANT).tables.usage.keys() {
        let (one, other) = (past.meter(meter), plain.past.meter(meter));
        assert_eq!(one, other);
        let standing = usage::Records::of(&one.expect("a meter"));
        let entry = &plain.world.tenant(TENANT).tables.usage[meter];
        assert_eq!(
            standing.iter().count() as u64,
            entry.state.meter.records,
            "{meter}"
        );
    }
    assert_eq!(past.meter("nobody/voice/2012-05-01"), Ok(vec![]));
}

fn same_log(ledger: &Ledger, plain: &Plain) {
    let events = ledger.events(TENANT, 0, usize::MAX).expect("events");
    let events: Vec<_> = events.into_iter().map(|e| (e.id, e.event)).collect();
    assert_eq!(events, plain.log);
}

fn open(dir: &Path) -> Ledger {
    let store: Arc<dyn EventStore> = Arc::new(SledStore::open(dir).expect("a log"));
    Ledger::open_with_keys(store, SMALL).expect("the log replays")
}

/// Loses or damages something of the memory's files.
fn harm(dir: &Path, dice: &mut Dice) {
    let keys = dir.join("usage-keys");
    let mut files: Vec<_> = fs::read_dir(&keys)
        .map(|entries| entries.flatten().map(|e| e.path()).collect())
        .unwrap_or_default();
    files.sort();
    let (how, pick) = (dice.below(5), dice.below(files.len().max(1) as u64));
    let Some(file) = files.get(pick as usize) else {
        return;
    };
    match how {
        // A ledger that is open may write a file into it while it goes.
        0 => while keys.exists() && fs::remove_dir_all(&keys).is_err() {},
        // It may also be merged into another one, and gone, since it was listed.
        1 => drop(fs::remove_file(file)),
        2 => fs::write(keys.join("run-00000000000fffff.tmp"), b"torn").expect("it is written"),
        _ => {
            let Ok(mut bytes) = fs::read(file) else {
                return;
            };
            let at = dice.below(bytes.len().max(1) as u64) as usize;
            match (how, bytes.get_mut(at)) {
                (3, Some(byte)) => *byte ^= 1 << dice.below(8),
                _ => bytes.truncate(at),
            }
            fs::write(file, bytes).expect("it is written");
        }
    }
}

#[test]
fn any_history_leaves_the_same_behind_on_disk_as_in_memory_whatever_happens_to_the_files() {
    for seed in 0..4 {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut plain, mut dice) = (Plain::default(), Dice(seed));
        let mut ledger = Some(open(dir.path()));
        let in_memory = Ledger::open(Arc::new(MemoryStore::new())).expect("an empty log");
        let mut commands = set_up();
        for n in 0..90 {
            commands.push(match n {
                60 => start("line-2", "no-2"),
                n => batch(n, &mut dice),
            });
        }
        for (n, command) in commands.into_iter().enumerate() {
            let expected = plain.ask(command.clone());
            let on_disk = ledger.as_ref().expect("open");
            assert_eq!(ask(&in_memory, command.clone()), expected, "{seed}: {n}");
            assert_eq!(ask(on_disk, command), expected, "seed {seed}, command {n}");
            if dice.below(9) > 0 {
                continue;
            }
            let open_meanwhile = dice.below(3) == 0;
            if !open_meanwhile {
                ledger = None;
            }
            if dice.below(2) == 0 {
                harm(dir.path(), &mut dice);
            }
            let on_disk = ledger.get_or_insert_with(|| open(dir.path()));
            same_past(on_disk, &plain);
        }
        let on_disk = ledger.as_ref().expect("open");
        assert!(on_disk.keys_settled(Duration::from_secs(60)));
        assert!(on_disk.keys().runs > 0, "nothing reached the disk");
        for ledger in [on_disk, &in_memory] {
            same_past(ledger, &plain);
            same_log(ledger, &plain);
        }
        let check = on_disk.verify_state().expect("the log is read");
        assert_eq!(check.differing, Vec::<String>::new());
    }
}

#[test]
fn a_record_that_came_before_a_restart_is_a_duplicate_though_the_files_are_gone() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut dice = Dice(1);
    let first = batch(1, &mut dice);
    let Command::IngestUsage(intake) = &first else {
        panic!("a batch")
    };
    let again = |n: u64| {
        let mut intake = intake.clone();
        intake.batch = format!("again-{n}");
        Command::IngestUsage(intake)
    };
    let ledger = open(dir.path());
    for command in set_up() {
        ask(&ledger, command).expect("done");
    }
    let counts = ask(&ledger, first.clone()).expect("done").usage;
    let accepted = counts.expect("counts").accepted;
    assert!(accepted > 3);
    drop(ledger);
    for n in 0..3 {
        if n > 0 {
            let _ = fs::remove_dir_all(dir.path().join("usage-keys"));
        }
        let ledger = open(dir.path());
        let counts = ask(&ledger, again(n)).expect("done").usage.expect("counts");
        assert_eq!((counts.accepted, counts.received), (0, counts.duplicates));
    }
}

#[test]
fn a_start_reads_only_what_the_files_do_not_hold() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut dice = Dice(7);
    let ledger = open(dir.path());
    for command in set_up() {
        ask(&ledger, command).expect("done");
    }
    for n in 0..40 {
        ask(&ledger, batch(n, &mut dice)).expect("done");
    }
    assert!(ledger.keys_settled(Duration::from_secs(60)));
    let before = ledger.keys();
    drop(ledger);
    let after = open(dir.path()).keys();
    assert!(before.on_disk > 0 && after.on_disk >= before.on_disk);
    assert!(
        after.in_tails < SMALL.tail_keys as u64,
        "{after:?} after {before:?}"
    );
}

#[test]
fn two_tenants_do_not_know_each_others_records() {
    let dir = tempfile::tempdir().expect("a directory");
    let ledger = open(dir.path());
    let mut dice = Dice(3);
    let sent = batch(1, &mut dice);
    for tenant in ["one", "two"] {
        for command in set_up().into_iter().chain([sent.clone()]) {
            let done = ledger.execute(Request::new(tenant, "test", now(), command));
            let outcome = done.expect("done").outcome;
            if let Some(counts) = outcome.usage {
                assert!(counts.accepted > 0, "{tenant}: {counts:?}");
            }
        }
    }
}
