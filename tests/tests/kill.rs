//! `kill -9` at random moments while usage, charges, payments and bill runs come in over HTTP.
//!
//! The client keeps the list of what was acknowledged; the server is never asked what it believes it did. After every
//! kill the server starts again on the same directory, every unanswered command is sent again under its key, and work
//! goes on. At the end: each acknowledged command stands in the log once, `verify` is content (chain, sums, numbers
//! without gaps, no day billed twice, read models equal to a rebuild).

use indelible_store::{EventStore, SledStore};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};

const KILLS: u32 = 50;
const INTERRUPTED_MIN: u64 = 33;
const CLIENTS: u64 = 4;

/// The server under test, and where it listens.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(data: &Path) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_indelible-under-test"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let address = lines
            .find_map(|line| {
                let line = line.ok()?;
                let at = line.find("http://127.0.0.1:")? + "http://".len();
                let end = line[at..]
                    .find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit())
                    .map_or(line.len(), |n| at + n);
                Some(line[at..end].to_string())
            })
            .expect("the server says where it listens");
        // Keeps the pipe open and empty, so that the server never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Server { child, address }
    }

    fn kill(mut self) {
        self.child.kill().expect("kill -9");
        self.child.wait().expect("reaped");
    }
}

/// One GraphQL request; none when the connection broke before the whole answer was here.
fn ask(address: &str, query: &str, variables: &Value) -> Option<Value> {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let mut stream = TcpStream::connect(address).ok()?;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nAccept: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let text = String::from_utf8(answer).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

/// A command with its key, so that it can be sent again exactly.
#[derive(Clone)]
struct Sent {
    key: String,
    query: &'static str,
    variables: Value,
}

const ENTITY: &str = "mutation($k:String!,$i:LegalEntityInput!){setLegalEntity(idempotencyKey:$k,input:$i){receipt{replayed}}}";
const CATALOG: &str =
    "mutation($k:String!,$i:String!){applyCatalog(idempotencyKey:$k,toml:$i){receipt{replayed}}}";
const ACCOUNT: &str = "mutation($k:String!,$i:OpenAccountInput!){openAccount(idempotencyKey:$k,input:$i){receipt{replayed}}}";
const START: &str = "mutation($k:String!,$i:StartSubscriptionInput!){startSubscription(idempotencyKey:$k,input:$i){receipt{replayed}}}";
const CHARGE: &str = "mutation($k:String!,$i:AddChargeInput!){addCharge(idempotencyKey:$k,input:$i){receipt{replayed}}}";
const INGEST: &str = "mutation($k:String!,$i:IngestUsageInput!){ingestUsage(idempotencyKey:$k,input:$i){receipt{replayed}}}";
const BILL: &str =
    "mutation($k:String!,$i:RunBillInput!){runBill(idempotencyKey:$k,input:$i){receipt{replayed}}}";
const PAY: &str = "mutation($k:String!,$i:RecordPaymentInput!){recordPayment(idempotencyKey:$k,input:$i){receipt{replayed}}}";

const OFFERS: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "EUR"
[[offer.recurring]]
code = "fee"
name = "fee"
price = { flat = "9.90" }
every = "1 month"
align = "calendar"
[[offer.usage]]
code = "voice"
name = "voice"
metric = "voice"
unit = "minute"
per = "60"
every = "1 month"
align = "calendar"
price = { per_unit = "0.09" }
"#;

fn setup() -> Vec<Sent> {
    let mut all = vec![
        Sent {
            key: "entity".into(),
            query: ENTITY,
            variables: json!({ "k": "entity", "i": { "id": "main", "name": "Main", "country": "DE", "currency": "EUR", "zone": "Europe/Berlin" } }),
        },
        Sent {
            key: "catalog".into(),
            query: CATALOG,
            variables: json!({ "k": "catalog", "i": OFFERS }),
        },
    ];
    for n in 0..8 {
        let key = format!("account-{n}");
        all.push(Sent {
            query: ACCOUNT,
            variables: json!({ "k": key, "i": { "id": format!("a{n}"), "entity": "main" } }),
            key,
        });
        let key = format!("start-{n}");
        let input = json!({ "id": format!("s{n}"), "account": format!("a{n}"), "offer": "line", "from": "2026-01-01", "access": [format!("49170000{n}")] });
        all.push(Sent {
            query: START,
            variables: json!({ "k": key, "i": input }),
            key,
        });
    }
    all
}

/// The n-th command of a client: mostly usage, with charges, payments and bill runs between.
fn work(client: u64, n: u64) -> Sent {
    let key = format!("c{client}-{n}");
    let account = format!("a{}", (client + n) % 8);
    let month = 2 + (n / 12) % 10;
    let (query, input) = match n % 6 {
        0 => (
            CHARGE,
            json!({ "id": key, "account": account, "text": "extra", "amount": "1.23 EUR", "on": "2026-01-15" }),
        ),
        1 => (
            BILL,
            json!({ "id": key, "asOf": format!("2026-{month:02}-01") }),
        ),
        2 => (
            PAY,
            json!({ "id": key, "account": account, "amount": "5.00 EUR", "method": "transfer" }),
        ),
        _ => {
            let records: Vec<Value> = (0..20)
                .map(|r| json!({
                    "key": format!("{key}-{r}"), "metric": "voice", "access": format!("49170000{}", (n + r) % 8),
                    "at": format!("2026-{month:02}-{:02}T10:00:00Z", 1 + r), "quantity": format!("{}", 30 + r),
                }))
                .collect();
            (
                INGEST,
                json!({ "batch": key, "source": "kill", "records": records }),
            )
        }
    };
    Sent {
        variables: json!({ "k": key, "i": input }),
        key,
        query,
    }
}

/// What the clients know: the only truth the log is judged by.
#[derive(Default)]
struct Known {
    acknowledged: BTreeSet<String>,
    unanswered: Vec<Sent>,
}

/// Sends one command; true when it was answered.
fn send(address: &str, sent: &Sent, known: &Mutex<Known>) -> bool {
    match ask(address, sent.query, &sent.variables) {
        Some(answer) => {
            assert!(
                answer.get("errors").is_none(),
                "{} was refused: {answer}",
                sent.key
            );
            known
                .lock()
                .expect("lock")
                .acknowledged
                .insert(sent.key.clone());
            true
        }
        None => {
            known.lock().expect("lock").unanswered.push(sent.clone());
            false
        }
    }
}

#[test]
fn fifty_kills_lose_nothing_that_was_acknowledged_and_bill_nothing_twice() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let known = Mutex::new(Known::default());
    let sequence: Vec<AtomicU64> = (0..CLIENTS).map(|_| AtomicU64::new(0)).collect();
    let mut random = 0x1234_5678_9abc_def0_u64;
    let mut interrupted = 0;
    let mut server = Server::start(&data);
    for sent in setup() {
        assert!(
            send(&server.address, &sent, &known),
            "the set-up is answered"
        );
    }
    for kill in 0..KILLS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let answers_before_kill = 3 + (random >> 33) % 13;
        let answered = (Mutex::new(0_u64), Condvar::new());
        let stop = AtomicBool::new(false);
        let address = server.address.clone();
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (answered, stop, address, known) = (&answered, &stop, &address, &known);
                let sequence = &sequence[usize::try_from(client).expect("few clients")];
                scope.spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        let sent = work(client, sequence.fetch_add(1, Ordering::SeqCst));
                        if !send(address, &sent, known) {
                            break;
                        }
                        *answered.0.lock().expect("lock") += 1;
                        answered.1.notify_all();
                    }
                });
            }
            let waiting = answered.0.lock().expect("lock");
            let waiting = answered
                .1
                .wait_while(waiting, |n| *n < answers_before_kill)
                .expect("lock");
            drop(waiting);
            // The clients go on sending: the kill falls among commands that are not answered yet.
            server.child.kill().expect("kill -9");
            server.child.wait().expect("reaped");
            stop.store(true, Ordering::SeqCst);
        });
        server = Server::start(&data);
        let unanswered = std::mem::take(&mut known.lock().expect("lock").unanswered);
        interrupted += unanswered.len() as u64;
        for sent in &unanswered {
            assert!(
                send(&server.address, sent, &known),
                "kill {kill}: {} is answered when sent again",
                sent.key
            );
        }
    }
    println!(
        "{KILLS} kills, {interrupted} commands interrupted, {} acknowledged",
        known.lock().expect("lock").acknowledged.len()
    );
    assert!(
        interrupted >= INTERRUPTED_MIN,
        "only {interrupted} unanswered commands were interrupted: the test did not test"
    );
    server.kill();

    let verify = Command::new(env!("CARGO_BIN_EXE_indelible-under-test"))
        .args(["verify", "--json", "--data"])
        .arg(&data)
        .output()
        .expect("verify runs");
    assert!(
        verify.status.success(),
        "verify: {}{}",
        String::from_utf8_lossy(&verify.stdout),
        String::from_utf8_lossy(&verify.stderr)
    );

    let store = SledStore::open(&data).expect("the log opens");
    let mut times: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    let mut commits: BTreeMap<String, u64> = BTreeMap::new();
    let (mut after, mut invoices) = (0, 0);
    loop {
        let events = store.read(after, 4096).expect("the log reads");
        let Some(last) = events.last() else { break };
        after = last.position;
        let mut before: Option<String> = None;
        for event in events {
            invoices += u64::from(event.event_type == "invoice.finalised");
            if let Some(id) = &event.command_id {
                times
                    .entry(id.clone())
                    .or_default()
                    .insert(event.recorded_at);
                if before.as_ref() != Some(id) {
                    *commits.entry(id.clone()).or_default() += 1;
                }
            }
            before = event.command_id;
        }
    }
    println!("{invoices} documents finalised between the kills");
    assert!(
        invoices >= 50,
        "only {invoices} documents were finalised: billing was not under way when the kills came"
    );
    for key in &known.lock().expect("lock").acknowledged {
        let empty_run = store
            .receipt("default", key)
            .expect("receipts read")
            .is_none();
        assert!(!empty_run, "{key} was acknowledged and is not in the log");
        assert_eq!(commits.get(key), Some(&1), "{key} stands in the log once");
        assert_eq!(
            times.get(key).map(BTreeSet::len),
            Some(1),
            "{key} was committed once"
        );
    }
}
