//! HTTP: one GraphQL endpoint over POST and websocket, the console, health and metrics, the raw log for backups, and what
//! payment providers tell by themselves.
//!
//! - GraphQL answers to POST only: a GET could be made by a link on a foreign page. A foreign page cannot POST
//!   either, because the body must be `application/json`, which a browser sends only after asking, and a request
//!   whose `Origin` is another host is refused.
//! - A server without keys also refuses names that are not loopback in `Host`, so that a foreign page cannot reach
//!   it by pointing its own name at 127.0.0.1.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::Data;
use async_graphql::http::ALL_WEBSOCKET_PROTOCOLS;
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use indelible_domain::index::Outbox;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::auth::{Keys, Scope};
use crate::graphql::Schema;
use crate::metrics::{Metrics, Outcome};
use crate::office::Office;
use crate::providers::Providers;
use crate::request_id::RequestId;
use crate::{console, limits};

mod answer;
mod log;
mod webhooks;

use answer::{Media, Refusal};
pub use log::LogHead;

/// Where a server listens unless told otherwise.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:4000";

/// How long open connections may finish after a signal.
const GRACE: Duration = Duration::from_secs(10);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What the routes share.
pub struct Edge {
    office: Arc<Office>,
    schema: Schema,
    keys: Keys,
    metrics: Metrics,
    /// One permit for each answer of `/log/blocks` that is in memory.
    log_readers: Arc<Semaphore>,
    providers: Providers,
    /// One permit for each webhook that is being answered.
    webhook_calls: Arc<Semaphore>,
}

impl Edge {
    /// The edge over an office, for those who hold one of these keys.
    pub fn over(office: Arc<Office>, keys: Keys) -> Arc<Edge> {
        Edge::with_providers(office, keys, Providers::default())
    }

    /// The same, with payment providers whose webhooks are believed.
    pub fn with_providers(office: Arc<Office>, keys: Keys, providers: Providers) -> Arc<Edge> {
        let schema = crate::graphql::schema(Arc::clone(&office));
        let metrics = Metrics::with(&office.messages);
        Arc::new(Edge {
            office,
            schema,
            keys,
            metrics,
            log_readers: Arc::new(Semaphore::new(limits::LOG_READERS)),
            providers,
            webhook_calls: Arc::new(Semaphore::new(limits::WEBHOOK_CALLS)),
        })
    }

    /// Brings the gauges up to date.
    fn observe(&self) {
        let number = |position: u64| i64::try_from(position).unwrap_or(i64::MAX);
        let (head, seen) = (self.office.store().head(), self.office.views.position());
        self.metrics.log_position.set(number(head));
        self.metrics
            .views_lag
            .set(number(head.saturating_sub(seen)));
        let count = |of: &dyn Fn(&Outbox) -> usize| {
            let tenants = self.office.ledger.tenants().into_iter();
            let counts = tenants.map(|t| self.office.ledger.read(&t, |b| of(&b.index.outbox)));
            i64::try_from(counts.sum::<usize>()).unwrap_or(i64::MAX)
        };
        self.metrics.messages_waiting.set(count(&Outbox::waiting));
        self.metrics.messages_stuck.set(count(&|o| o.stuck.len()));
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "there is no API key yet, so only loopback is served, and {0} is not loopback; make a key first: indelible keys add --tenant NAME --scope admin"
    )]
    KeysNeeded(SocketAddr),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("the server stopped")]
    Serve(#[source] std::io::Error),
}

/// Refuses an address that is not loopback while there is no key.
pub fn check(address: SocketAddr, keys: &Keys) -> Result<(), StartError> {
    if keys.is_empty() && !address.ip().is_loopback() {
        return Err(StartError::KeysNeeded(address));
    }
    Ok(())
}

/// Binds the address; without keys only a loopback address.
pub async fn bind(address: SocketAddr, keys: &Keys) -> Result<TcpListener, StartError> {
    check(address, keys)?;
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

/// Serves until `stop` turns true, then lets open requests finish.
pub async fn serve(
    listener: TcpListener,
    edge: Arc<Edge>,
    stop: watch::Receiver<bool>,
) -> Result<(), StartError> {
    let stopped = |mut stop: watch::Receiver<bool>| async move {
        // An error means the sender is gone, which is a stop as well.
        stop.wait_for(|stop| *stop).await.ok();
    };
    let app = router(edge, stop.clone());
    let serving = axum::serve(listener, app).with_graceful_shutdown(stopped(stop.clone()));
    tokio::select! {
        done = serving => done.map_err(StartError::Serve),
        () = async { stopped(stop).await; tokio::time::sleep(GRACE).await } => {
            tracing::warn!(seconds = GRACE.as_secs(), "connections were still open after the grace period");
            Ok(())
        }
    }
}

/// Turns the first SIGINT or SIGTERM into a stop; a second one ends the process at once.
pub fn stop_on_signals() -> std::io::Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        for round in 0..2 {
            let name = tokio::select! { _ = interrupt.recv() => "SIGINT", _ = terminate.recv() => "SIGTERM" };
            if round == 0 {
                tracing::info!(signal = name, "stopping");
                sender.send_replace(true);
            } else {
                std::process::exit(130);
            }
        }
    });
    Ok(receiver)
}

#[derive(Clone)]
struct Shared {
    edge: Arc<Edge>,
    stop: watch::Receiver<bool>,
}

fn router(edge: Arc<Edge>, stop: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/graphql", post(graphql))
        .route("/graphql/ws", get(websocket))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .route("/log/head", get(log::head))
        .route("/log/blocks", get(log::blocks))
        .route("/webhooks/stripe/{tenant}", post(webhooks::stripe))
        .merge(console::routes())
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES))
        .with_state(Shared { edge, stop })
}

async fn graphql(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let started = Instant::now();
    let edge = &shared.edge;
    let (response, outcome) = match accept(edge, &headers, body).await {
        Ok((media, caller, request)) => {
            let operation = request.operation_name.clone();
            let tenant = caller.tenant.clone();
            let id = RequestId::default();
            let request = request.data(Arc::new(caller)).data(id);
            let answer = edge.schema.execute(request).await;
            let errors = answer.errors.len();
            let (response, outcome) = answer::graphql(media, answer);
            let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            tracing::info!(tenant, operation, outcome, errors, micros, request = %id, "graphql");
            (response, outcome)
        }
        Err(refusal) => {
            tracing::info!(
                code = refusal.code,
                status = refusal.status.as_u16(),
                "refused"
            );
            (refusal.into_response(), "refused")
        }
    };
    edge.metrics
        .graphql
        .get_or_create(&Outcome { outcome })
        .inc();
    edge.metrics
        .graphql_seconds
        .observe(started.elapsed().as_secs_f64());
    edge.metrics
        .answered("/graphql", response.status().as_u16());
    response
}

async fn accept(
    edge: &Edge,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(Media, crate::auth::Caller, async_graphql::Request), Refusal> {
    let media = Media::wanted(headers)?;
    let authorization = text(headers, header::AUTHORIZATION);
    same_site(edge, headers).map_err(|refusal| refusal.with(media))?;
    let caller = edge
        .keys
        .authenticate(authorization)
        .map_err(|denied| Refusal::denied(media, &denied))?;
    if caller.scope < Scope::Read {
        return Err(not_for_people(caller.scope).with(media));
    }
    let request = answer::request(media, headers, body)?;
    Ok((media, caller, request))
}

/// A key for backups has no tenant whose books it could see.
fn not_for_people(scope: Scope) -> Refusal {
    let sentence = format!(
        "the key may {scope}, this needs a key that may {}",
        Scope::Read
    );
    Refusal::new(StatusCode::FORBIDDEN, "SCOPE_TOO_SMALL", sentence)
}

/// Refuses requests that a page of another site made a browser send.
fn same_site(edge: &Edge, headers: &HeaderMap) -> Result<(), Refusal> {
    let host = text(headers, header::HOST).unwrap_or_default();
    if edge.keys.is_empty() && !is_loopback_name(host) {
        let sentence =
            format!("this server has no API keys and serves loopback only, not the host `{host}`");
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "HOST_REFUSED",
            sentence,
        ));
    }
    match text(headers, header::ORIGIN) {
        None => Ok(()),
        Some(origin)
            if origin
                .split_once("://")
                .is_some_and(|(_, name)| name.eq_ignore_ascii_case(host)) =>
        {
            Ok(())
        }
        Some(origin) => {
            let sentence = format!("a page of `{origin}` may not use the server `{host}`");
            Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "ORIGIN_REFUSED",
                sentence,
            ))
        }
    }
}

/// Whether a `Host` header names this machine: `localhost`, 127.0.0.0/8 or `[::1]`, with or without a port.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

async fn websocket(
    State(shared): State<Shared>,
    headers: HeaderMap,
    protocol: GraphQLProtocol,
    upgrade: WebSocketUpgrade,
) -> Response {
    if let Err(refusal) = same_site(&shared.edge, &headers) {
        return refusal.into_response();
    }
    let authorization = text(&headers, header::AUTHORIZATION).map(str::to_owned);
    upgrade
        .max_message_size(limits::BODY_BYTES)
        .max_frame_size(limits::BODY_BYTES)
        .protocols(ALL_WEBSOCKET_PROTOCOLS)
        .on_upgrade(move |socket| async move {
            let Shared { edge, mut stop } = shared;
            edge.metrics.websockets.inc();
            let doorkeeper = Arc::clone(&edge);
            // Browsers cannot set headers here: the key comes in the payload of `connection_init`.
            let greet = move |payload: serde_json::Value| async move {
                let sent = payload
                    .as_object()
                    .and_then(|map| {
                        map.iter()
                            .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
                    })
                    .and_then(|(_, value)| value.as_str().map(str::to_owned));
                let caller = doorkeeper
                    .keys
                    .authenticate(sent.or(authorization).as_deref())?;
                if caller.scope < Scope::Read {
                    return Err(async_graphql::Error::new("the key may backup only"));
                }
                let mut data = Data::default();
                data.insert(Arc::new(caller));
                Ok(data)
            };
            let talking = GraphQLWebSocket::new(socket, edge.schema.clone(), protocol)
                .keepalive_timeout(KEEPALIVE)
                .on_connection_init(greet)
                .serve();
            tokio::select! {
                () = talking => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            edge.metrics.websockets.dec();
        })
}

async fn health(State(shared): State<Shared>) -> Response {
    let (status, body) = match shared.edge.office.ledger.stopped() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => {
            let sentence = format!("the ledger takes no commands any more: {why}\n");
            (StatusCode::SERVICE_UNAVAILABLE, sentence)
        }
    };
    (status, body).into_response()
}

async fn metrics(State(shared): State<Shared>) -> Response {
    shared.edge.observe();
    let kind =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], shared.edge.metrics.page()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for name in [
            "localhost",
            "LOCALHOST:4000",
            "127.0.0.1",
            "127.3.2.1:80",
            "[::1]:4000",
            "[::1]",
        ] {
            assert!(is_loopback_name(name), "{name}");
        }
        for name in [
            "",
            "example.org",
            "127.0.0.1.example.org",
            "localhost.example.org:4000",
            "10.0.0.1",
            "[::2]:1",
        ] {
            assert!(!is_loopback_name(name), "{name}");
        }
    }
}
