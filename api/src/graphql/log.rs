//! The log itself: every fact, in order, as a page and as a feed.

use async_graphql::connection::{Connection, Edge, OpaqueCursor};
use async_graphql::{Context, ID, Json, Object, Result, Subscription};
use futures_util::Stream;
use indelible_domain::Recorded;
use indelible_domain::kernel::Purpose;
use indelible_domain::world::Event;
use indelible_store::Sealed;
use serde_json::Value;

use super::books::Books;
use super::page::{self, Cursor};
use super::scalars::{Instant, Position};
use super::{errors, ids};

/// Facts sent in one go to a subscriber who is behind.
const BATCH: usize = 200;

/// One fact of the log.
pub struct Fact {
    recorded: Recorded<Event>,
}

impl Fact {
    pub fn new(recorded: Recorded<Event>) -> Fact {
        Fact { recorded }
    }

    /// A fact that a dry run decided and nobody wrote.
    pub fn tried(staged: indelible_domain::Staged, tenant: &str) -> Fact {
        Fact {
            recorded: Recorded {
                position: 0,
                tenant: tenant.to_owned(),
                kind: staged.kind.to_owned(),
                id: staged.id.to_string(),
                version: staged.version,
                event: staged.event,
                meta: indelible_domain::kernel::Meta::default(),
            },
        }
    }

    fn written(&self) -> bool {
        self.recorded.position > 0
    }
}

#[Object]
impl Fact {
    /// Its place in the log; none for a fact of a dry run.
    async fn position(&self, ctx: &Context<'_>) -> Result<Option<Position>> {
        Ok(if self.written() {
            Some(Books::of(ctx)?.tokens().token(self.recorded.position))
        } else {
            None
        })
    }

    /// What it happened to, as a node id.
    async fn subject(&self) -> ID {
        ids::node(&self.recorded.kind, &self.recorded.id)
    }

    /// Its place in the stream of its subject, counted from 1.
    async fn version(&self) -> u64 {
        self.recorded.version
    }

    /// What happened, such as `invoice.finalised`.
    #[graphql(name = "type")]
    async fn event_type(&self) -> &str {
        self.recorded.event.event_type().0
    }

    /// Version of the shape of its data.
    async fn schema(&self) -> u16 {
        self.recorded.event.event_type().1
    }

    /// When it was written; business dates are in its data.
    async fn recorded_at(&self) -> Option<Instant> {
        self.written()
            .then_some(Instant(self.recorded.meta.recorded_at))
    }

    /// Who asked for it.
    async fn actor(&self) -> &str {
        &self.recorded.meta.actor
    }

    /// Idempotency key of the command that caused it.
    async fn command(&self) -> Option<&str> {
        self.recorded.meta.command_id.as_deref()
    }

    /// Shared by every fact that one request from outside led to; empty where none did.
    async fn correlation(&self) -> &str {
        &self.recorded.meta.correlation
    }

    /// Place of the fact that led to the command behind this one, such as the start of its bill run; none where
    /// somebody asked for it.
    async fn caused_by(&self, ctx: &Context<'_>) -> Result<Option<Position>> {
        let cause = self.recorded.meta.causation;
        Ok(if cause > 0 {
            Some(Books::of(ctx)?.tokens().token(cause))
        } else {
            None
        })
    }

    /// One line for people.
    async fn summary(&self) -> String {
        let what = self
            .recorded
            .event
            .event_type()
            .0
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .replace('-', " ");
        format!("{} {}: {what}", self.recorded.kind, self.recorded.id)
    }

    /// The fact itself. Money and decimals are strings; personal data is opened, or null once it was forgotten. What
    /// legal documents need of a person is opened in facts of documents only.
    async fn data(&self, ctx: &Context<'_>) -> Result<Json<Value>> {
        let books = Books::of(ctx)?;
        let mut value = data(&self.recorded.event).map_err(|error| {
            errors::broken(
                "EVENT_UNREADABLE",
                "a fact of the log could not be shown",
                &error,
            )
        })?;
        let documents = matches!(self.recorded.event, Event::Invoice(_));
        open(&books, documents, &mut value);
        Ok(Json(value))
    }
}

/// The data of a fact without the names that are in its type already: {"Invoice": {"Finalised": {…}}} is {…}.
pub(crate) fn data(event: &Event) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(event)?;
    for _ in 0..2 {
        if let Value::Object(map) = &mut value
            && map.len() == 1
            && let Some((_, inner)) = std::mem::take(map).into_iter().next()
        {
            value = inner;
        }
    }
    Ok(value)
}

/// Replaces sealed personal data by what is in it.
fn open(books: &Books, documents: bool, value: &mut Value) {
    if let Some(sealed) = sealed(value) {
        let keyring = &books.office().keyring;
        let readable = documents || keyring.purpose(&sealed.key_id) != Some(Purpose::LegalDocument);
        let opened = readable
            .then(|| keyring.unseal(&sealed).ok().flatten())
            .flatten();
        *value = opened.map_or(Value::Null, |bytes| {
            // What was sealed is an object or a plain text, such as a line of a file.
            let object = serde_json::from_slice(&bytes).ok().filter(Value::is_object);
            object.unwrap_or_else(|| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
        });
        return;
    }
    match value {
        Value::Object(map) => map
            .values_mut()
            .for_each(|value| open(books, documents, value)),
        Value::Array(list) => list
            .iter_mut()
            .for_each(|value| open(books, documents, value)),
        _ => {}
    }
}

/// Personal data, if a value is that.
pub(crate) fn sealed(value: &Value) -> Option<Sealed> {
    let map = value.as_object()?;
    if map.len() != 3 {
        return None;
    }
    Some(Sealed {
        key_id: map.get("key_id")?.as_str()?.to_owned(),
        nonce: serde_json::from_value(map.get("nonce")?.clone()).ok()?,
        ciphertext: serde_json::from_value(map.get("ciphertext")?.clone()).ok()?,
    })
}

#[derive(Default)]
pub struct LogQueries;

#[Object]
impl LogQueries {
    /// The log, or the stream of one thing, from the oldest fact on. `after` is the cursor of a page, or a position.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Node id of the thing, such as `invoice:run-1.alice`.")] stream: Option<
            ID,
        >,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Fact>> {
        let books = Books::of(ctx)?;
        let token = match &after {
            // A position is a cursor too, so that a feed can be picked up where a page ended and the other way round.
            Some(text) if books.tokens().position(&Position(text.clone())).is_some() => {
                after.clone()
            }
            _ => page::asked(None, after)?.after,
        };
        let asked = page::asked(first, None)?;
        let from = match token {
            Some(token) => books.position(&Position(token))?,
            None => 0,
        };
        let found = match &stream {
            None => books.events(from, asked.first + 1).await?,
            Some(id) => {
                let Some((kind, key)) = ids::split(id) else {
                    let sentence = format!("`{}` is no node id such as account:alice", id.as_str());
                    return Err(errors::refused("ID_INVALID", sentence));
                };
                books
                    .stream_events(kind, key, from, asked.first + 1)
                    .await?
            }
        };
        let tokens = books.tokens();
        let mut page = Connection::new(from > 0, found.len() > asked.first);
        for event in found.into_iter().take(asked.first) {
            page.edges.push(Edge::new(
                OpaqueCursor(tokens.token(event.position).0),
                Fact::new(event),
            ));
        }
        Ok(page)
    }
}

#[derive(Default)]
pub struct LogSubscriptions;

#[Subscription]
impl LogSubscriptions {
    /// Every fact after a position, as soon as it is on disk; without `after`, every fact from now on.
    async fn events(
        &self,
        ctx: &Context<'_>,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<Fact>> + use<>> {
        let books = Books::of(ctx)?;
        let mut head = books.office().head.clone();
        let from = match after {
            Some(token) => books.position(&token)?,
            None => *head.borrow_and_update(),
        };
        let start = Feed {
            books,
            head,
            at: from,
            ready: Vec::new().into_iter(),
            failed: false,
        };
        Ok(futures_util::stream::unfold(start, |mut feed| async move {
            let fact = feed.next().await?;
            Some((fact, feed))
        }))
    }
}

/// Where a subscriber stands.
struct Feed {
    books: Books,
    head: tokio::sync::watch::Receiver<u64>,
    at: u64,
    ready: std::vec::IntoIter<Recorded<Event>>,
    failed: bool,
}

impl Feed {
    /// The next fact of the tenant, waited for; none when the log is closed or could not be read.
    async fn next(&mut self) -> Option<Result<Fact>> {
        loop {
            if let Some(event) = self.ready.next() {
                self.at = event.position;
                return Some(Ok(Fact::new(event)));
            }
            if self.failed {
                return None;
            }
            // Taken before reading: what is written while we read is read in the next round.
            let head = *self.head.borrow_and_update();
            match self.books.events(self.at, BATCH).await {
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
                Ok(events) if events.is_empty() => {
                    self.at = self.at.max(head);
                    let at = self.at;
                    self.head.wait_for(|head| *head > at).await.ok()?;
                }
                Ok(events) => self.ready = events.into_iter(),
            }
        }
    }
}
