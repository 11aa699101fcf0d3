//! Loads PostgreSQL and UmaDB as `indelible bench append` loads the log: waiting clients, events per commit, every
//! answer durable. Prints one JSON object. Started by `cargo xtask peers`, which starts the servers.
//!
//! Usage: `indelible-peers CLIENTS BATCH EVENTS ROUNDS postgres=CONNECTION umadb=URL`

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use umadb_dcb::DcbEventStoreAsync as _;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PAYLOAD_BYTES: usize = 120;

#[derive(Clone, Copy)]
struct Shape {
    clients: u64,
    batch: u64,
    commits: u64,
}

/// One client's connection.
#[async_trait::async_trait]
trait Client: Send {
    /// Returns when these events are durable.
    async fn append(&mut self, first: u64, count: u64) -> Result<(), Failure>;
}

struct Postgres {
    client: tokio_postgres::Client,
    insert: tokio_postgres::Statement,
}

#[async_trait::async_trait]
impl Client for Postgres {
    async fn append(&mut self, first: u64, count: u64) -> Result<(), Failure> {
        let payloads: Vec<Vec<u8>> = (first..first + count).map(payload).collect();
        self.client.execute(&self.insert, &[&payloads]).await?;
        Ok(())
    }
}

struct Umadb(umadb_client::AsyncUmaDbClient);

#[async_trait::async_trait]
impl Client for Umadb {
    async fn append(&mut self, first: u64, count: u64) -> Result<(), Failure> {
        let events = (first..first + count)
            .map(|n| umadb_dcb::DcbEvent {
                event_type: "bench.appended".into(),
                tags: vec![],
                data: payload(n),
                ..Default::default()
            })
            .collect();
        self.0.append(events, None, None).await?;
        Ok(())
    }
}

/// As `indelible bench append` makes them: a random id, then small numbers in wide fields.
fn payload(number: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PAYLOAD_BYTES);
    bytes.extend_from_slice(&scramble(number).to_le_bytes());
    bytes.extend_from_slice(&scramble(!number).to_le_bytes());
    bytes.extend_from_slice(&(scramble(number ^ 7) % 10_000).to_le_bytes());
    bytes.extend_from_slice(&(1_767_268_800_000_000 + number * 1_000_003).to_le_bytes());
    bytes.extend_from_slice(&(1 + scramble(number ^ 11) % 600).to_le_bytes());
    for amount in 0..3 {
        let micros = scramble(number ^ (13 + amount)) % 50_000;
        bytes.extend_from_slice(&u128::from(micros).to_le_bytes());
        bytes.extend_from_slice(&6_u32.to_le_bytes());
    }
    bytes.resize(PAYLOAD_BYTES, 0);
    bytes
}

fn scramble(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

async fn postgres(connection: &str) -> Result<tokio_postgres::Client, Failure> {
    let (client, driver) = tokio_postgres::connect(connection, tokio_postgres::NoTls).await?;
    tokio::spawn(driver);
    Ok(client)
}

async fn postgres_clients(connection: &str, count: u64) -> Result<Vec<Box<dyn Client>>, Failure> {
    let setup = postgres(connection).await?;
    setup
        .batch_execute(
            "drop table if exists event;
             create table event (position bigserial primary key, payload bytea not null)",
        )
        .await?;
    let mut clients: Vec<Box<dyn Client>> = vec![];
    for _ in 0..count {
        let client = postgres(connection).await?;
        let insert = client
            .prepare("insert into event (payload) select unnest($1::bytea[])")
            .await?;
        clients.push(Box::new(Postgres { client, insert }));
    }
    Ok(clients)
}

async fn umadb_clients(url: &str, count: u64) -> Result<Vec<Box<dyn Client>>, Failure> {
    let mut clients: Vec<Box<dyn Client>> = vec![];
    for _ in 0..count {
        let client =
            umadb_client::AsyncUmaDbClient::connect(url.to_string(), None, None, None).await?;
        clients.push(Box::new(Umadb(client)));
    }
    Ok(clients)
}

async fn round(
    shape: Shape,
    clients: Vec<Box<dyn Client>>,
) -> Result<(Duration, Vec<Duration>), Failure> {
    let start = Instant::now();
    let running: Vec<_> = clients
        .into_iter()
        .zip(0_u64..)
        .map(|(mut client, number)| {
            tokio::spawn(async move {
                let mut waits = vec![];
                for commit in 0..shape.commits {
                    let begun = Instant::now();
                    let first = (number * shape.commits + commit) * shape.batch;
                    client.append(first, shape.batch).await?;
                    waits.push(begun.elapsed());
                }
                Ok::<_, Failure>(waits)
            })
        })
        .collect();
    let mut waits = vec![];
    for client in running {
        waits.extend(client.await??);
    }
    Ok((start.elapsed(), waits))
}

fn report(shape: Shape, mut rounds: Vec<(Duration, Vec<Duration>)>) -> Value {
    rounds.sort_by_key(|(took, _)| *took);
    let middle = rounds.len() / 2;
    let (took, mut waits) = rounds.swap_remove(middle);
    waits.sort();
    let at = |per_mille: usize| waits[(waits.len() - 1) * per_mille / 1000].as_micros();
    let events = shape.clients * shape.commits * shape.batch;
    json!({
        "events": events,
        "events_per_second": u128::from(events) * 1_000_000 / took.as_micros().max(1),
        "wait": { "p50_us": at(500), "p99_us": at(990), "max_us": at(1000) },
    })
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| -> Result<u64, Failure> {
        Ok(arguments
            .get(i)
            .ok_or("CLIENTS BATCH EVENTS ROUNDS are missing")?
            .parse()?)
    };
    let (clients, batch) = (number(0)?.max(1), number(1)?.max(1));
    let shape = Shape {
        clients,
        batch,
        commits: (number(2)? / clients / batch).max(1),
    };
    let rounds = number(3)?.max(1);
    let arguments = Arc::new(arguments);
    let mut all = serde_json::Map::new();
    for server in &arguments[4..] {
        let (name, place) = server.split_once('=').ok_or("a server is NAME=PLACE")?;
        let mut each = vec![];
        for _ in 0..rounds {
            let clients = match name {
                "postgres" => postgres_clients(place, shape.clients).await?,
                "umadb" => umadb_clients(place, shape.clients).await?,
                other => return Err(format!("no client for {other}").into()),
            };
            each.push(round(shape, clients).await?);
        }
        all.insert(name.to_string(), report(shape, each));
    }
    println!("{}", Value::Object(all));
    Ok(())
}
