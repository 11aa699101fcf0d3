//! The raw log over HTTP, for backups: its head, and its blocks as they are stored.
//!
//! The log holds all tenants, so no key of a tenant reads it: a key of scope `backup` does, or anybody on the loopback
//! of a server without keys. What is personal stays sealed, and the keys that open it are never sent.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use indelible_store::{RawBlock, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{Media, Refusal};
use super::{Edge, Shared, same_site, text};
use crate::auth::Scope;
use crate::limits;

/// What is asked for of `/log/blocks`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The answer begins with the block that holds the first event after this position.
    #[serde(default)]
    after: u64,
    /// Bytes of blocks; at least one block is sent.
    #[serde(default = "page")]
    max: usize,
    /// Seconds to wait for news if there is nothing after the position.
    #[serde(default)]
    wait: u64,
}

fn page() -> usize {
    limits::LOG_PAGE_BYTES
}

/// What `/log/head` answers.
#[derive(Debug, Deserialize, Serialize)]
pub struct LogHead {
    pub position: u64,
    /// Hash of the last block in hex.
    pub hash: String,
    pub blocks: u64,
    /// Bytes of all blocks.
    pub bytes: u64,
    pub disk_bytes: u64,
    pub volumes: u64,
}

pub async fn head(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let answer = match admit(&shared.edge, &headers) {
        Ok(()) => look(&shared.edge).await,
        Err(refusal) => Err(refusal),
    };
    let response = match answer {
        Ok(head) => axum::Json(head).into_response(),
        Err(refusal) => refusal.into_response(),
    };
    let status = response.status().as_u16();
    shared.edge.metrics.answered("/log/head", status);
    response
}

pub async fn blocks(
    State(shared): State<Shared>,
    headers: HeaderMap,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Response {
    let answer = match admit(&shared.edge, &headers) {
        Ok(()) => match ask {
            Ok(Query(ask)) => pull(&shared, ask).await,
            Err(rejection) => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "QUERY_INVALID",
                rejection.body_text(),
            )),
        },
        Err(refusal) => Err(refusal),
    };
    let response = answer.unwrap_or_else(Refusal::into_response);
    let status = response.status().as_u16();
    shared.edge.metrics.answered("/log/blocks", status);
    response
}

fn admit(edge: &Edge, headers: &HeaderMap) -> Result<(), Refusal> {
    same_site(edge, headers)?;
    let caller = edge
        .keys
        .authenticate(text(headers, header::AUTHORIZATION))
        .map_err(|denied| Refusal::denied(Media::Json, &denied))?;
    if edge.keys.is_empty() || caller.scope == Scope::Backup {
        return Ok(());
    }
    let sentence = format!(
        "the key may {} for one tenant, the log is of all tenants: it needs a key that may backup",
        caller.scope
    );
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        "SCOPE_TOO_SMALL",
        sentence,
    ))
}

async fn look(edge: &Edge) -> Result<LogHead, Refusal> {
    let store = Arc::clone(edge.office.store());
    reading(move || {
        let position = store.head();
        let hash = store
            .hash_at(position)?
            .map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect());
        let stats = store.stats();
        Ok(LogHead {
            position,
            hash: hash.unwrap_or_default(),
            blocks: stats.blocks,
            bytes: stats.bytes,
            disk_bytes: stats.disk_bytes,
            volumes: stats.volumes,
        })
    })
    .await
}

async fn pull(shared: &Shared, ask: Ask) -> Result<Response, Refusal> {
    let edge = &shared.edge;
    if ask.wait > limits::LOG_WAIT_SECONDS {
        let most = limits::LOG_WAIT_SECONDS;
        let sentence = format!("a request may wait {most} seconds, not {}", ask.wait);
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "QUERY_INVALID",
            sentence,
        ));
    }
    if ask.wait > 0 {
        let (mut head, mut stop) = (edge.office.head.clone(), shared.stop.clone());
        // Whatever comes first; each of them ends the waiting and nothing else.
        tokio::select! {
            _ = head.wait_for(|head| *head > ask.after) => {}
            _ = stop.wait_for(|stop| *stop) => {}
            () = tokio::time::sleep(Duration::from_secs(ask.wait)) => {}
        }
    }
    let permit = Arc::clone(&edge.log_readers).acquire_owned().await;
    let permit = permit.map_err(|_| stopping())?;
    let store = Arc::clone(edge.office.store());
    let (after, max) = (ask.after, ask.max.min(limits::LOG_PAGE_BYTES));
    let blocks = reading(move || store.blocks(after, max)).await?;
    let length: usize = blocks.iter().map(|block| block.bytes.len()).sum();
    let mut response = Body::from_stream(stream(blocks, permit)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

/// Sends block by block, and lets the next reader in when all are sent.
fn stream(
    blocks: Vec<RawBlock>,
    permit: OwnedSemaphorePermit,
) -> impl futures_util::Stream<Item = Result<Bytes, std::convert::Infallible>> {
    let state = (blocks.into_iter(), permit);
    futures_util::stream::unfold(state, |(mut blocks, permit)| async move {
        let block = blocks.next()?;
        Some((Ok(Bytes::from(block.bytes)), (blocks, permit)))
    })
}

/// Reads the log where it disturbs no other request.
async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refusal> {
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|_| stopping())?.map_err(|error| {
        tracing::error!(code = error.code(), %error, "the log could not be read");
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            error.code(),
            error.to_string(),
        )
    })
}

fn stopping() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "STOPPING",
        "the server is stopping".to_owned(),
    )
}
