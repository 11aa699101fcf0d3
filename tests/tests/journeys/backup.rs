//! Backups of a server at work, and the drill that they are for: the original is lost, the copy is the same books.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indelible_api::auth::{ALL_TENANTS, Keys, Scope};
use indelible_api::clock::Clock;
use indelible_api::office::Office;
use indelible_api::remote::RemoteLog;
use indelible_api::server::{self, Edge};
use indelible_domain::receivables::Receivables;
use indelible_store::segments::{SegmentError, Source};
use indelible_store::{EventStore, Ledger, SledStore};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::http::Client;
use crate::shop;

const NOW: &str = "2026-03-01T08:00:00Z";
const ACCOUNTS: [&str; 3] = ["alice", "bob", "carol"];
const CLIENTS: u32 = 3;

/// A server over a data directory, with a key of a tenant and one for backups.
struct Served {
    office: Arc<Office>,
    client: Client,
    vault: Client,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
    /// Its own, so that nothing of the server is left when it ends: not even a connection that holds the log.
    runtime: Runtime,
}

impl Served {
    async fn open(data: &Path) -> Served {
        let clock = Clock::movable(NOW.parse().expect("an instant"));
        let office = Office::open(data, clock).expect("a new ledger");
        let mut keys = Keys::load(data).expect("no keys yet");
        let admin = keys.add("acme", Scope::Admin, "test").expect("a key");
        let vault = keys
            .add(ALL_TENANTS, Scope::Backup, "vault")
            .expect("a key");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads");
        let (stop, stopped) = watch::channel(false);
        let (bound, address) = tokio::sync::oneshot::channel();
        let of_server = Arc::clone(&office);
        let serving = runtime.spawn(async move {
            let here = "127.0.0.1:0".parse().expect("an address");
            let listener = server::bind(here, &keys).await.expect("a free port");
            let address = listener.local_addr().expect("an address");
            bound.send(address).expect("the test waits for it");
            let edge = Edge::over(of_server, keys);
            server::serve(listener, edge, stopped)
                .await
                .expect("it serves");
        });
        let address = address.await.expect("an address");
        Served {
            office,
            client: Client::new(address, Some(&admin)),
            vault: Client::new(address, Some(&vault)),
            stop,
            serving,
            runtime,
        }
    }

    async fn close(self) {
        self.stop.send_replace(true);
        self.serving.await.expect("it ends");
        let runtime = self.runtime;
        let ended = tokio::task::spawn_blocking(move || drop(runtime));
        ended.await.expect("its threads end");
    }

    fn url(&self) -> String {
        format!("http://{}", self.vault.address)
    }

    /// Copies the log with the command, as an operator would.
    async fn back_up(&self, to: &Path) -> Value {
        let (url, key) = (self.url(), self.vault.key.clone().expect("a key"));
        let to = to.to_owned();
        let copied = tokio::task::spawn_blocking(move || {
            let to = to.to_str().expect("a plain path");
            run(&[
                "backup", "--to", to, "--from", &url, "--key", &key, "--json",
            ])
        });
        copied.await.expect("the command ran")
    }
}

/// Runs the program; what it says as JSON.
fn run(arguments: &[&str]) -> Value {
    let (code, out, err) = outcome(arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {err}");
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {out}"))
}

fn outcome(arguments: &[&str]) -> (Option<i32>, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_indelible-under-test"))
        .args(arguments)
        .output()
        .expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

/// Charges and pays without end, until told to stop; every answer must be a success.
async fn trade(client: Client, name: u32, stop: Arc<AtomicBool>) {
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let account = ACCOUNTS[(name as usize + n) % ACCOUNTS.len()];
        let key = format!("{name}-{n}");
        client
            .data(
                r#"mutation($key: String!, $id: ID!, $account: ID!, $amount: Money!) {
                    recordPayment(idempotencyKey: $key, input: { id: $id, account: $account, amount: $amount })
                    { receipt { replayed } } }"#,
                json!({ "key": key, "id": key, "account": account, "amount": format!("{}.05 EUR", n % 7 + 1) }),
            )
            .await;
    }
}

/// What everybody owes at a position: folded from the log, never from a read model.
fn books(ledger: &Ledger, at: u64) -> Vec<Option<Receivables>> {
    let state = |account: &&str| {
        ledger
            .state_at::<Receivables>("acme", account, Some(at))
            .expect("the log is readable")
    };
    ACCOUNTS.iter().map(state).collect()
}

fn open(data: &Path) -> (Arc<SledStore>, Ledger) {
    let store = Arc::new(SledStore::open(data).expect("a whole log"));
    let ledger = Ledger::open(store.clone()).expect("it folds");
    (store, ledger)
}

fn number(report: &Value, name: &str) -> u64 {
    report[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} in {report}"))
}

/// Zeros in the middle of every file below a directory.
fn destroy(dir: &Path) {
    for entry in std::fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            destroy(&path);
        } else {
            let length = std::fs::metadata(&path).expect("readable").len();
            let half = usize::try_from(length / 2).expect("small");
            let mut bytes = std::fs::read(&path).expect("readable");
            bytes[half / 2..].fill(0);
            std::fs::write(&path, bytes).expect("writable");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_under_load_is_backed_up_destroyed_and_restored_to_the_same_books() {
    let home = tempfile::tempdir().expect("a directory");
    let path = |name: &str| home.path().join(name);
    let text = |name: &str| path(name).to_str().expect("a plain path").to_owned();
    let served = Served::open(&path("data")).await;
    shop::furnish(&served.client).await;
    for name in ["bob", "carol"] {
        let open = r#"mutation($key: String!, $id: ID!) { openAccount(idempotencyKey: $key, input: {
            id: $id, entity: "main" }) { account { key } } }"#;
        served
            .client
            .data(open, json!({ "key": name, "id": name }))
            .await;
    }
    shop::bill(&served.client, "march").await;

    let enough = Arc::new(AtomicBool::new(false));
    let traders: Vec<_> = (0..CLIENTS)
        .map(|name| tokio::spawn(trade(served.client.clone(), name, Arc::clone(&enough))))
        .collect();
    let mut head = served.office.head.clone();
    let begun = *head.borrow();
    head.wait_for(|head| *head > begun + 20)
        .await
        .expect("trade");
    let first = served.back_up(&path("backup")).await;
    let (first_head, first_hash) = (number(&first, "head"), first["head_hash"].clone());
    assert!(first_head > begun + 20, "{first}");
    head.wait_for(|head| *head > first_head + 40)
        .await
        .expect("trade");
    let second = served.back_up(&path("backup")).await;
    let last = number(&second, "head");
    assert!(last > first_head + 40, "{second}");
    assert_eq!(number(&second, "segments"), 2, "{second}");
    assert_eq!(
        number(&second, "commits"),
        number(&first, "commits") + number(&second, "new_commits")
    );
    // Some more that no backup has: the drill must end at the backup's head.
    head.wait_for(|head| *head > last).await.expect("trade");
    enough.store(true, Ordering::SeqCst);
    for trader in traders {
        trader.await.expect("no payment was refused");
    }
    served.close().await;

    // What was true, asked of the original while it is whole.
    let (store, ledger) = open(&path("data"));
    assert!(store.head() > last);
    let (hash, then, earlier) = (
        store.hash_at(last).expect("readable"),
        books(&ledger, last),
        books(&ledger, first_head),
    );
    let original: Vec<u8> = store
        .blocks(0, usize::MAX)
        .expect("readable")
        .into_iter()
        .filter(|block| block.last_position <= last)
        .flat_map(|block| block.bytes)
        .collect();
    assert!(then.iter().all(Option::is_some) && then != earlier);
    drop((store, ledger));

    for name in ["keys", "master.key"] {
        std::fs::copy(path("data").join(name), path(name)).expect("the keys are kept apart");
    }
    destroy(&path("data").join("log"));
    let (code, _, err) = outcome(&["verify", "--data", &text("data")]);
    assert_ne!(code, Some(0), "the original is lost: {err}");

    let restored = run(&[
        "restore",
        "--from",
        &text("backup"),
        "--data",
        &text("new"),
        "--json",
    ]);
    assert_eq!(
        (number(&restored, "head"), &restored["head_hash"]),
        (last, &second["head_hash"])
    );
    for name in ["keys", "master.key"] {
        std::fs::copy(path(name), path("new").join(name)).expect("the keys come back");
    }
    let verified = run(&["verify", "--data", &text("new"), "--json"]);
    assert_eq!(verified["head_hash"], second["head_hash"]);
    assert_eq!(verified["broken"], json!([]));
    let (store, ledger) = open(&path("new"));
    assert_eq!(store.hash_at(last).expect("readable"), hash);
    assert_eq!(books(&ledger, last), then, "the same books");
    let copy: Vec<u8> = store
        .blocks(0, usize::MAX)
        .expect("readable")
        .into_iter()
        .flat_map(|block| block.bytes)
        .collect();
    assert!(copy == original, "the same bytes");
    drop((store, ledger));

    // A point in time: the state at the end of the first backup.
    let position = first_head.to_string();
    let until = ["--until-position", &position];
    let past = text("past");
    let mut arguments = vec!["restore", "--from", "", "--data", &past, "--json"];
    let backup = text("backup");
    arguments[2] = &backup;
    arguments.extend(until);
    let past_report = run(&arguments);
    assert_eq!(past_report["head_hash"], first_hash);
    let (store, ledger) = open(&path("past"));
    assert_eq!(store.head(), first_head);
    let live = |account: &&str| {
        ledger.read("acme", |tenant| {
            tenant
                .tables
                .receivables
                .get(account)
                .map(|entry| entry.state.clone())
        })
    };
    assert_eq!(ACCOUNTS.iter().map(live).collect::<Vec<_>>(), earlier);
    drop((store, ledger));
    // It went another way from there on, so it is not what the backup continues with.
    let (code, _, err) = outcome(&["backup", "--to", &text("backup"), "--data", &text("past")]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("is a backup of another log"), "{err}");

    // The export of the rest makes the past the present again, and the numbers of both are the same.
    let part = text("part");
    let from = [
        "export",
        "--to",
        &part,
        "--data",
        &text("new"),
        "--after",
        &position,
        "--json",
    ]
    .map(str::to_owned);
    run(&from.iter().map(String::as_str).collect::<Vec<_>>());
    let imported = run(&["import", "--from", &part, "--data", &past, "--json"]);
    assert_eq!(imported["head_hash"], second["head_hash"]);
    let stats = run(&["log", "stats", "--data", &past, "--json"]);
    assert_eq!(number(&stats, "events"), last);
    assert_eq!(stats["tenants"]["acme"]["events"], json!(last));
    assert_eq!(stats["commits"], second["commits"]);
    assert_eq!(stats["head_hash"], second["head_hash"]);
    let by_type: u64 = stats["types"]
        .as_object()
        .expect("types")
        .values()
        .map(|share| number(share, "events"))
        .sum();
    assert_eq!(by_type, last);
    let (_, lines, _) = outcome(&["log", "tail", "--data", &past, "--after", "0", "--json"]);
    let facts: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is an object"))
        .collect();
    let positions: Vec<u64> = facts.iter().map(|fact| number(fact, "position")).collect();
    assert_eq!(positions, (1..=last).collect::<Vec<_>>(), "no gap");
    assert!(facts.iter().all(|fact| fact["data"]["unknown"].is_null()));
    assert!(
        !lines.contains("Alice Example") && lines.contains("\"sealed\":"),
        "personal data stays sealed"
    );
}

#[tokio::test]
async fn only_a_key_for_backups_reads_the_raw_log_and_it_reads_nothing_else() {
    let home = tempfile::tempdir().expect("a directory");
    let served = Served::open(&home.path().join("data")).await;
    shop::furnish(&served.client).await;
    for path in ["/log/head", "/log/blocks?after=0"] {
        for (key, status, code) in [
            (None, 401, "API_KEY_MISSING"),
            (served.client.key.as_deref(), 403, "SCOPE_TOO_SMALL"),
        ] {
            let bearer = key.map(|key| format!("Bearer {key}"));
            let headers: Vec<_> = bearer
                .iter()
                .map(|b| ("Authorization", b.as_str()))
                .collect();
            let answer = served.vault.send("GET", path, &headers, b"").await;
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.json()["errors"][0]["extensions"]["code"], code);
        }
    }
    let bearer = format!("Bearer {}", served.vault.key.as_deref().expect("a key"));
    let headers = [("Authorization", bearer.as_str())];
    let head = served.vault.send("GET", "/log/head", &headers, b"").await;
    assert_eq!(head.json()["position"], json!(served.office.store().head()));
    for bad in ["?after=x", "?after=0&wait=31", "?before=1"] {
        let path = format!("/log/blocks{bad}");
        let answer = served.vault.send("GET", &path, &headers, b"").await;
        assert_eq!(answer.status, 400, "{bad}");
        assert_eq!(
            answer.json()["errors"][0]["extensions"]["code"],
            "QUERY_INVALID"
        );
    }
    let error = served.vault.error("{ viewer { tenant } }", json!({})).await;
    assert_eq!(error["extensions"]["code"], "SCOPE_TOO_SMALL");
    let (_, greeting) = served.vault.greet().await;
    assert_ne!(greeting["type"], "connection_ack", "{greeting}");
    served.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_at_the_head_waits_for_news_and_hears_of_the_next_commit() {
    let home = tempfile::tempdir().expect("a directory");
    let served = Served::open(&home.path().join("data")).await;
    shop::furnish(&served.client).await;
    let head = served.office.store().head();
    let mut remote = RemoteLog::at(&served.url(), served.vault.key.as_deref())
        .expect("an address")
        .waiting();
    let heard = tokio::task::spawn_blocking(move || {
        let blocks = Source::blocks(&mut remote, head, 1)?;
        Ok::<_, SegmentError>((blocks, Source::head(&mut remote)?))
    });
    shop::bill(&served.client, "march").await;
    let (blocks, after) = heard.await.expect("no panic").expect("an answer");
    assert!(after.position > head);
    let store = served.office.store();
    assert_eq!(blocks[0], store.blocks(head, 1).expect("readable")[0].bytes);
    served.close().await;
}
