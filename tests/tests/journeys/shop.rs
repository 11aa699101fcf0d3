//! A server over an in-memory ledger with a clock that the test moves, and the keys of two tenants.

use std::path::Path;
use std::sync::Arc;

use indelible_api::auth::{Keys, Scope};
use indelible_api::clock::Clock;
use indelible_api::office::Office;
use indelible_api::providers::Providers;
use indelible_api::server::{self, Edge};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::http::{Client, PATIENCE};

/// A running server.
pub struct Shop {
    pub clock: Clock,
    pub office: Arc<Office>,
    /// Scope admin of tenant `acme`.
    pub acme: Client,
    /// Scope read of tenant `acme`.
    pub reader: Client,
    /// Scope admin of tenant `rival`.
    pub rival: Client,
    /// No key.
    pub stranger: Client,
    stop: watch::Sender<bool>,
    _keys: tempfile::TempDir,
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// Starts a server at the given moment.
pub async fn open(now: &str) -> Shop {
    let clock = Clock::movable(now.parse().expect("an instant"));
    let office = Office::in_memory(7, clock.clone()).expect("an empty log opens");
    serve(office, clock, Providers::default()).await
}

/// Starts a server that talks to these payment providers.
pub async fn open_with(now: &str, providers: Providers) -> Shop {
    let clock = Clock::movable(now.parse().expect("an instant"));
    let office = Office::in_memory(7, clock.clone()).expect("an empty log opens");
    serve(office, clock, providers).await
}

/// Starts a server over a data directory.
pub async fn open_in(data: &Path, now: &str) -> Shop {
    let clock = Clock::movable(now.parse().expect("an instant"));
    let office = Office::open(data, clock.clone()).expect("the directory opens");
    serve(office, clock, Providers::default()).await
}

async fn serve(office: Arc<Office>, clock: Clock, providers: Providers) -> Shop {
    let folder = tempfile::tempdir().expect("a folder for the keys");
    let mut keys = Keys::load(folder.path()).expect("no keys yet");
    let mut key = |tenant, scope| keys.add(tenant, scope, "test").expect("a key");
    let (admin, read, rival) = (
        key("acme", Scope::Admin),
        key("acme", Scope::Read),
        key("rival", Scope::Admin),
    );
    let address = "127.0.0.1:0".parse().expect("an address");
    let listener = server::bind(address, &keys).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(server::serve(
        listener,
        Edge::with_providers(Arc::clone(&office), keys, providers),
        stopped,
    ));
    Shop {
        clock,
        office,
        acme: Client::new(address, Some(&admin)),
        reader: Client::new(address, Some(&read)),
        rival: Client::new(address, Some(&rival)),
        stranger: Client::new(address, None),
        stop,
        _keys: folder,
    }
}

impl Shop {
    pub fn move_to(&self, now: &str) {
        self.clock.move_to(now.parse().expect("an instant"));
    }

    /// Waits until the read models have seen everything that was written.
    pub fn follows(&self) {
        let head = self.office.store().head();
        let seen = self.office.views.wait_for(head, PATIENCE);
        seen.expect("the read models follow the log");
    }
}

/// One offer: 30.00 a month in advance, and voice at 0.05 a minute.
pub const CATALOG: &str = r#"
[[offer]]
code = "basic"
name = "Basic"
currency = "EUR"

[[offer.recurring]]
code = "fee"
name = "Monthly fee"
price = { flat = "30.00" }
every = "1 month"

[[offer.usage]]
code = "voice"
name = "Voice minutes"
metric = "voice"
unit = "minute"
per = "60"
every = "1 month"
price = { per_unit = "0.05" }
"#;

/// A legal entity, 20 % tax, the catalog, and the account `alice` with the subscription `s1` from 1 March.
pub async fn furnish(client: &Client) {
    client
        .data(
            r#"mutation { setLegalEntity(idempotencyKey: "e", input: {
                id: "main", name: "Acme Ltd", country: "DE", currency: "EUR", zone: "Europe/Berlin", paymentDays: 14
            }) { entity { name } } }"#,
            json!({}),
        )
        .await;
    client
        .data(
            r#"mutation { setTaxRate(idempotencyKey: "t", input: { rate: "0.20", from: "2000-01-01" })
                { receipt { dryRun } } }"#,
            json!({}),
        )
        .await;
    client
        .data(
            r#"mutation($toml: String!) { applyCatalog(idempotencyKey: "c", toml: $toml) { offers { code version } } }"#,
            json!({ "toml": CATALOG }),
        )
        .await;
    client
        .data(
            r#"mutation { openAccount(idempotencyKey: "a", input: {
                id: "alice", entity: "main", contact: { name: "Alice Example", email: "alice@example.org" }
            }) { account { key } } }"#,
            json!({}),
        )
        .await;
    client
        .data(
            r#"mutation { startSubscription(idempotencyKey: "s", input: {
                id: "s1", account: "alice", offer: "basic", from: "2026-03-01", access: ["+49 170 1"]
            }) { subscription { stage } } }"#,
            json!({}),
        )
        .await;
}

/// Bills everything due today.
pub async fn bill(client: &Client, run: &str) -> Value {
    client
        .data(
            r#"mutation($run: ID!, $key: String!) { runBill(idempotencyKey: $key, input: { id: $run }) {
                invoices { key number total issued due } receipt { position replayed } } }"#,
            json!({ "run": run, "key": format!("bill-{run}") }),
        )
        .await["runBill"]
        .take()
}
