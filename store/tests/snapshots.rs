//! Snapshots: never the truth, always the same state, thrown away at the least doubt.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indelible_domain::Command;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::catalog;
use indelible_domain::command::StartSubscription;
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Decimal, Instant};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::world::Tenant;
use indelible_store::snapshots::{Finding, SnapshotCheck, check};
use indelible_store::{
    EventStore, Ledger, MemoryStore, Pace, Refused, Request, SledStore, SnapshotNews, Snapshots,
    StoreError,
};

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

/// A snapshot after so many events, and at the end after a quarter of them.
fn every(events: u64) -> Pace {
    Pace {
        events,
        bytes: u64::MAX,
        growth: 0,
    }
}

fn ask(ledger: &Ledger, tenant: &str, command: Command) {
    let now: Instant = "2026-01-05T09:00:00Z".parse().expect("an instant");
    ledger
        .execute(Request::new(tenant, "test", now, command))
        .expect("accepted");
}

fn open_account(id: &str, payment_days: u32) -> Command {
    Command::OpenAccount {
        account: id.into(),
        terms: AccountTerms {
            entity: "acme".into(),
            currency: "EUR".parse().expect("a currency"),
            payment_days: Some(payment_days),
            ..AccountTerms::default()
        },
    }
}

/// Ten customers with a line each.
fn customers(ledger: &Ledger, tenant: &str) {
    let terms = EntityTerms {
        name: "Acme".into(),
        ..EntityTerms::default()
    };
    let entity = "acme".into();
    ask(ledger, tenant, Command::OpenEntity { entity, terms });
    let offers = catalog::parse(CATALOG).expect("a catalog");
    ask(ledger, tenant, Command::ApplyCatalog { offers });
    for n in 0..10 {
        ask(ledger, tenant, open_account(&format!("a{n}"), 14));
        let start = StartSubscription {
            subscription: format!("s{n}"),
            account: format!("a{n}"),
            offer: "line".into(),
            quantity: Decimal::ONE,
            from: None,
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: true,
            access: vec![format!("no-{n}")],
        };
        ask(ledger, tenant, Command::StartSubscription(Box::new(start)));
    }
}

/// A batch of calls: some known from the batch before, some of nobody.
fn calls(ledger: &Ledger, tenant: &str, batch: u64) {
    let hash = |text: String| {
        let mut key = [0; 16];
        key.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
        key
    };
    let lines = (batch * 40..batch * 40 + 50)
        .map(|n| UsageRecord {
            line: n,
            key: hash(format!("key {n}")),
            content: hash(format!("content {n}")),
            corrects: false,
            metric: "voice".into(),
            access: format!("no-{}", n % 11),
            at: "2026-01-05T08:00:00Z".parse().expect("an instant"),
            quantity: Decimal::from(60 + (n % 7) as i64),
            amount: None,
            attributes: BTreeMap::new(),
            raw: None,
        })
        .map(Received::Record);
    let intake = Intake {
        batch: format!("b{batch}"),
        source: "test".into(),
        format: "records".into(),
        name: "test".into(),
        lines: lines.collect(),
    };
    ask(ledger, tenant, Command::IngestUsage(Box::new(intake)));
}

/// A folder for snapshots and what was told about them.
struct Folder {
    dir: tempfile::TempDir,
    news: Arc<Mutex<Vec<SnapshotNews>>>,
}

impl Folder {
    fn new() -> Folder {
        Folder {
            dir: tempfile::tempdir().expect("a temporary directory"),
            news: Arc::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("snapshots")
    }

    fn try_open(&self, store: Arc<dyn EventStore>, pace: Pace) -> Result<Ledger, StoreError> {
        let news = Arc::clone(&self.news);
        let told = move |new| news.lock().expect("no panic").push(new);
        Ledger::open_with_snapshots(
            store,
            Snapshots {
                pace,
                ..Snapshots::within(self.path(), told)
            },
        )
    }

    fn open(&self, store: &Arc<MemoryStore>, pace: Pace) -> Ledger {
        self.try_open(Arc::clone(store) as Arc<dyn EventStore>, pace)
            .expect("opens")
    }

    /// What was told since the last time, in words without figures of time.
    fn told(&self) -> Vec<String> {
        let news = std::mem::take(&mut *self.news.lock().expect("no panic"));
        news.into_iter()
            .map(|new| match new {
                SnapshotNews::Ignored { why, .. } => format!("ignored: {why}"),
                SnapshotNews::Loaded { position, .. } => format!("loaded {position}"),
                SnapshotNews::Folded { events, .. } => format!("folded {events}"),
                SnapshotNews::Taken { position, .. } => format!("taken {position}"),
                SnapshotNews::Failed { why } => format!("failed: {why}"),
                _ => String::new(),
            })
            .collect()
    }

    fn files(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path()) else {
            return vec![];
        };
        let mut names: Vec<String> = entries
            .map(|e| e.expect("readable").file_name().to_string_lossy().into())
            .collect();
        names.sort();
        names
    }

    fn file(&self, position: u64) -> PathBuf {
        self.path().join(format!("{position:020}.snap"))
    }

    fn check(&self, store: &Arc<MemoryStore>) -> Vec<SnapshotCheck> {
        check(store.as_ref(), &self.path(), &mut |_, _| {}).expect("the log reads")
    }
}

fn state(ledger: &Ledger) -> Vec<(String, Tenant)> {
    let names = ledger.tenants();
    let state = |name: String| (name.clone(), ledger.read(&name, Clone::clone));
    names.into_iter().map(state).collect()
}

fn folded(store: &Arc<MemoryStore>) -> Vec<(String, Tenant)> {
    let ledger = Ledger::open(Arc::clone(store) as Arc<dyn EventStore>).expect("opens");
    state(&ledger)
}

/// A log of two tenants with a snapshot at its head, in a folder.
fn with_snapshot() -> (Arc<MemoryStore>, Folder, u64) {
    let (store, folder) = (Arc::new(MemoryStore::new()), Folder::new());
    let ledger = folder.open(&store, every(u64::MAX / 8));
    customers(&ledger, "north");
    customers(&ledger, "south");
    calls(&ledger, "south", 0);
    drop(ledger);
    assert_eq!(folder.files(), Vec::<String>::new());
    drop(folder.open(&store, every(100)));
    let head = store.head();
    assert_eq!(folder.files(), [format!("{head:020}.snap")]);
    folder.told();
    (store, folder, head)
}

#[test]
fn a_ledger_that_begins_with_a_snapshot_has_the_state_of_a_full_replay_and_goes_on_the_same() {
    let (store, folder, head) = with_snapshot();
    let never = Arc::new(MemoryStore::new());
    let plain = Ledger::open(Arc::clone(&never) as Arc<dyn EventStore>).expect("opens");
    customers(&plain, "north");
    customers(&plain, "south");
    calls(&plain, "south", 0);
    let ledger = folder.open(&store, every(u64::MAX / 8));
    assert_eq!(folder.told(), [format!("loaded {head}"), "folded 0".into()]);
    assert!(state(&ledger) == folded(&store));
    for ledger in [&ledger, &plain] {
        calls(ledger, "south", 1);
        calls(ledger, "north", 1);
        ask(ledger, "north", open_account("late", 7));
    }
    assert!(state(&ledger) == state(&plain));
    let facts = |store: &MemoryStore| store.read(0, usize::MAX).expect("readable");
    assert!(facts(&store) == facts(&never), "the two wrote other facts");
    let found = ledger.verify_state().expect("the log reads");
    assert_eq!(found.differing, Vec::<String>::new());
    drop(ledger);
    let behind = store.head() - head;
    let ledger = folder.open(&store, every(u64::MAX / 8));
    assert_eq!(
        folder.told(),
        [format!("loaded {head}"), format!("folded {behind}")]
    );
    assert!(state(&ledger) == folded(&store));
}

#[test]
fn snapshots_are_taken_while_commands_go_on_and_the_newest_two_are_kept() {
    let (store, folder) = (Arc::new(MemoryStore::new()), Folder::new());
    let (tell, taken) = channel();
    let tell = Mutex::new(tell);
    let told = move |new| {
        if let SnapshotNews::Taken { position, .. } = new {
            let _ = tell.lock().expect("no panic").send(position);
        }
    };
    let snapshots = Snapshots {
        pace: every(10),
        ..Snapshots::within(folder.path(), told)
    };
    let ledger = Ledger::open_with_snapshots(Arc::clone(&store) as Arc<dyn EventStore>, snapshots);
    let ledger = ledger.expect("opens");
    let wait = |taken: &Receiver<u64>| {
        let within = Duration::from_secs(5);
        taken.recv_timeout(within).expect("a snapshot is taken")
    };
    customers(&ledger, "t");
    let mut positions = vec![wait(&taken)];
    for batch in 0..3 {
        for n in 0..12 {
            ask(&ledger, "t", open_account(&format!("b{batch}.{n}"), 7));
        }
        calls(&ledger, "t", batch);
        while positions.last().copied() < Some(store.head() - 9) {
            positions.push(wait(&taken));
        }
    }
    assert!(positions.len() >= 3 && positions.is_sorted());
    drop(ledger);
    positions.extend(taken.iter());
    let newest = &positions[positions.len() - 2..];
    let names: Vec<String> = newest.iter().map(|p| format!("{p:020}.snap")).collect();
    assert_eq!(folder.files(), names);
    for found in folder.check(&store) {
        assert!(matches!(found.finding, Finding::Equal { .. }), "{found:?}");
    }
}

#[test]
fn a_snapshot_of_another_log_or_of_positions_that_do_not_exist_is_ignored() {
    let (_, folder, head) = with_snapshot();
    let other = Arc::new(MemoryStore::new());
    let ledger = Ledger::open(Arc::clone(&other) as Arc<dyn EventStore>).expect("opens");
    customers(&ledger, "north");
    drop(ledger);
    assert!(other.head() < head);
    let ledger = folder.open(&other, every(u64::MAX / 8));
    let shorter = other.head();
    assert_eq!(
        folder.told(),
        [
            format!("ignored: it is of position {head}, the log ends at {shorter}"),
            format!("folded {shorter}")
        ]
    );
    for n in shorter..head {
        ask(&ledger, "north", open_account(&format!("x{n}"), 7));
    }
    drop(ledger);
    assert!(other.head() >= head);
    let ledger = folder.open(&other, every(u64::MAX / 8));
    assert_eq!(
        folder.told().first().map(String::as_str),
        Some(
            format!("ignored: it is of another log: the hash at position {head} is not the same")
                .as_str()
        )
    );
    assert!(state(&ledger) == folded(&other));
}

#[test]
fn a_snapshot_of_another_version_is_ignored() {
    let (store, folder, head) = with_snapshot();
    let whole = fs::read(folder.file(head)).expect("readable");
    for (at, value, why) in [
        (0, b'X', "it is not a snapshot"),
        (
            4,
            2,
            "it has format version 2, this program reads version 1",
        ),
        (
            6,
            99,
            "it holds a state of version 99, this program has version",
        ),
    ] {
        let mut bent = whole.clone();
        bent[at] = value;
        fs::write(folder.file(head), bent).expect("writable");
        let ledger = folder.open(&store, every(u64::MAX / 8));
        let told = folder.told();
        assert!(told[0].starts_with(&format!("ignored: {why}")), "{told:?}");
        assert!(state(&ledger) == folded(&store));
    }
}

#[test]
fn a_snapshot_that_is_torn_or_has_one_wrong_bit_is_never_used() {
    let (store, folder, head) = with_snapshot();
    let file = folder.file(head);
    let whole = fs::read(&file).expect("readable");
    let ignored = |what: String| match folder.check(&store).as_slice() {
        [
            SnapshotCheck {
                finding: Finding::Ignored(_),
                ..
            },
        ] => {}
        other => panic!("{what}: {other:?}"),
    };
    for cut in (0..whole.len()).step_by(whole.len() / 97 + 1) {
        fs::write(&file, &whole[..cut]).expect("writable");
        ignored(format!("cut at {cut} of {} bytes", whole.len()));
    }
    for at in (0..whole.len()).step_by(whole.len() / 397 + 1) {
        let mut bent = whole.clone();
        bent[at] ^= 1 << (at % 8);
        fs::write(&file, bent).expect("writable");
        ignored(format!("bent at {at} of {} bytes", whole.len()));
    }
    fs::write(&file, &whole).expect("writable");
    let found = folder.check(&store);
    assert_eq!(found[0].finding, Finding::Equal { position: head });
}

#[test]
fn a_crash_while_a_snapshot_is_written_leaves_the_one_before() {
    let (store, folder, head) = with_snapshot();
    let whole = fs::read(folder.file(head)).expect("readable");
    let unfinished = folder.path().join(format!("{:020}.snap.tmp", head + 7));
    fs::write(&unfinished, &whole[..whole.len() / 2]).expect("writable");
    // A file system may also show a name whose bytes were never written.
    fs::write(folder.file(head + 8), vec![0; whole.len()]).expect("writable");
    let ledger = folder.open(&store, every(u64::MAX / 8));
    assert_eq!(
        folder.told(),
        [
            "ignored: it is not a snapshot".to_string(),
            format!("loaded {head}"),
            "folded 0".into()
        ]
    );
    assert!(!unfinished.exists(), "what the crash left was not removed");
    drop(ledger);
    let ledger = folder.open(&store, every(u64::MAX / 8));
    customers(&ledger, "west");
    drop(ledger);
    drop(folder.open(&store, every(1)));
    let now = store.head();
    let names = [head, now].map(|p| format!("{p:020}.snap"));
    assert_eq!(folder.files(), names, "the damaged one is gone");
}

#[test]
fn a_doctored_snapshot_is_found_and_the_aggregate_is_named() {
    let (store, folder, head) = with_snapshot();
    // The same log but for one figure of one account, and a snapshot of it that claims to be of the first log.
    let (other, forged) = (Arc::new(MemoryStore::new()), Folder::new());
    let ledger = forged.open(&other, every(100));
    customers(&ledger, "north");
    customers(&ledger, "south");
    calls(&ledger, "south", 0);
    drop(ledger);
    let mut facts = folded(&store);
    let account = &mut facts[0].1.tables.accounts;
    let mut alice = Arc::clone(account.get("a3").expect("a customer"));
    Arc::make_mut(&mut alice).state.terms.payment_days = Some(90);
    account.insert("a3".into(), alice);
    let bytes = doctor(&fs::read(forged.file(head)).expect("readable"), &facts[0].1);
    let hash = store
        .hash_at(head)
        .expect("readable")
        .expect("a block ends");
    fs::write(folder.file(head), sealed(bytes, hash)).expect("writable");
    // It would be used: nothing about it looks wrong.
    let ledger = folder.open(&store, every(u64::MAX / 8));
    assert_eq!(folder.told()[0], format!("loaded {head}"));
    let check_state = ledger.verify_state().expect("the log reads");
    assert_eq!(check_state.differing, ["north"]);
    assert_eq!(
        folder.check(&store)[0].finding,
        Finding::Differs {
            position: head,
            what: "account a3 of tenant north".into()
        }
    );
}

/// Bytes of a snapshot with other tables of its first tenant, not sealed yet: (frame and sections, contents).
fn doctor(snapshot: &[u8], tenant: &Tenant) -> (Vec<u8>, Vec<u8>) {
    use bincode::Options;
    let number =
        |at: usize| u64::from_le_bytes(snapshot[at..at + 8].try_into().expect("8 bytes")) as usize;
    let end = snapshot.len() - 44;
    let start = end - number(end + 4);
    // The first entry: length and name, part, aggregates, raw, stored, hash.
    let fields = start + 2 + "north".len() + 1;
    let stored = number(fields + 16);
    let raw = bincode::DefaultOptions::new()
        .serialize(&tenant.tables)
        .expect("it can be stored");
    let length = u32::try_from(raw.len()).expect("small").to_le_bytes();
    let section = [&length[..], &length[..], &raw].concat();
    let mut contents = snapshot[start..end + 12].to_vec();
    let at = fields - start;
    contents[at + 8..at + 16].copy_from_slice(&(raw.len() as u64).to_le_bytes());
    contents[at + 16..at + 24].copy_from_slice(&(section.len() as u64).to_le_bytes());
    contents[at + 24..at + 56].copy_from_slice(blake3::hash(&section).as_bytes());
    let sections = [&snapshot[..66], &section, &snapshot[66 + stored..start]].concat();
    (sections, contents)
}

/// The whole file, under a hash of the log.
fn sealed((mut sections, contents): (Vec<u8>, Vec<u8>), hash: [u8; 32]) -> Vec<u8> {
    sections[18..50].copy_from_slice(&hash);
    let mut seal = blake3::Hasher::new();
    seal.update(&sections[..66]).update(&contents);
    [sections, contents, seal.finalize().as_bytes().to_vec()].concat()
}

#[test]
fn what_is_not_durable_is_in_no_snapshot() {
    let broken = Arc::new(AtomicBool::new(false));
    let hook = Arc::clone(&broken);
    let store = MemoryStore::with_sync(Box::new(move || match hook.load(Ordering::SeqCst) {
        true => Err(std::io::Error::other("the disk is gone")),
        false => Ok(()),
    }));
    let (store, folder) = (Arc::new(store), Folder::new());
    let ledger = folder.open(&store, every(200));
    customers(&ledger, "t");
    broken.store(true, Ordering::SeqCst);
    let now: Instant = "2026-01-05T09:00:00Z".parse().expect("an instant");
    let refused = ledger.execute(Request::new("t", "test", now, open_account("lost", 7)));
    assert!(matches!(refused, Err(Refused::Store(_))), "{refused:?}");
    assert!(ledger.read("t", |t| t.tables.accounts.contains_key("lost")));
    drop(ledger);
    assert_eq!(folder.files(), Vec::<String>::new());
}

#[test]
fn a_folder_that_cannot_be_written_costs_the_snapshot_and_nothing_else() {
    let (store, folder) = (Arc::new(MemoryStore::new()), Folder::new());
    fs::write(folder.path(), "in the way").expect("writable");
    let ledger = folder.open(&store, every(8));
    customers(&ledger, "t");
    drop(ledger);
    let told = folder.told();
    assert!(
        told[1..].iter().all(|t| t.starts_with("failed: ")),
        "{told:?}"
    );
    assert!(told.len() > 1, "no snapshot was tried");
    assert!(state(&folder.open(&store, every(8))) == folded(&store));
}

#[test]
fn a_snapshot_never_takes_the_room_the_log_needs() {
    let (store, folder) = (Arc::new(MemoryStore::new()), Folder::new());
    let news = Arc::clone(&folder.news);
    let told = move |new| news.lock().expect("no panic").push(new);
    let snapshots = Snapshots {
        pace: every(8),
        free_space: Box::new(|_| Ok(64 << 20)),
        ..Snapshots::within(folder.path(), told)
    };
    let ledger = Ledger::open_with_snapshots(Arc::clone(&store) as Arc<dyn EventStore>, snapshots);
    let ledger = ledger.expect("opens");
    customers(&ledger, "t");
    drop(ledger);
    let told = folder.told();
    assert!(told.len() > 1, "no snapshot was tried");
    let full = "failed: 67108864 bytes are free on the disk";
    assert!(told[1..].iter().all(|t| t.starts_with(full)), "{told:?}");
    assert_eq!(folder.files(), Vec::<String>::new());
}

#[test]
fn on_disk_a_restart_begins_with_the_snapshot_and_keeps_the_receipts() {
    let folder = Folder::new();
    let data = folder.dir.path().join("data");
    let open = |data: &Path| {
        let store = SledStore::open(data).expect("the ledger opens");
        folder.try_open(Arc::new(store), every(20)).expect("opens")
    };
    let account = || {
        let now: Instant = "2026-01-05T09:00:00Z".parse().expect("an instant");
        Request::new("t", "test", now, open_account("named", 7)).named("c-1")
    };
    let ledger = open(&data);
    customers(&ledger, "t");
    let first = ledger.execute(account()).expect("accepted");
    let before = state(&ledger);
    drop(ledger);
    folder.told();
    let ledger = open(&data);
    let told = folder.told();
    assert!(told[0].starts_with("loaded "), "{told:?}");
    assert!(state(&ledger) == before);
    let again = ledger.execute(account()).expect("replayed");
    assert_eq!((again.position, again.replayed), (first.position, true));
}
