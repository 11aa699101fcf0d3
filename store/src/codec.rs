//! Between the product's facts and the log's bytes. Names events and streams, and matches on no event.

use indelible_domain::{Event, Recorded, Staged, kernel::Instant, kernel::Meta};

use crate::{EventRef, NewEvent, StoreError, StoredEvent, StreamKey};

/// A staged fact as the log takes it.
///
/// Errors: TOO_LARGE when its payload exceeds what one event may hold.
pub(crate) fn encode(tenant: &str, staged: &Staged) -> Result<NewEvent, StoreError> {
    let (event_type, schema) = staged.event.event_type();
    let payload = staged
        .event
        .encode()
        .map_err(|e| StoreError::InvalidCommit {
            what: e.to_string(),
        })?;
    Ok(NewEvent {
        stream: StreamKey::new(tenant, staged.kind, staged.id.as_str()),
        expected_version: staged.version.saturating_sub(1),
        event_type: event_type.to_string(),
        schema,
        payload,
    })
}

/// A stored event of any version ever shipped, as the current one.
///
/// Errors: CORRUPT when its type is unknown or its bytes are not those of its type.
pub fn decode(stored: StoredEvent) -> Result<Recorded<Event>, StoreError> {
    let event = Event::decode(&stored.event_type, stored.schema, &stored.payload)
        .map_err(|e| StoreError::corrupt(stored.position, e.to_string()))?;
    Ok(Recorded {
        position: stored.position,
        tenant: stored.stream.tenant,
        kind: stored.stream.kind,
        id: stored.stream.id,
        version: stored.version,
        event,
        meta: Meta {
            recorded_at: Instant(stored.recorded_at),
            actor: stored.actor,
            command_id: stored.command_id,
            correlation: stored.correlation,
            causation: stored.causation,
        },
    })
}

/// [`decode`] of an event that lies in its block: only what the fact keeps is copied.
pub fn decode_ref(stored: &EventRef<'_>) -> Result<Recorded<Event>, StoreError> {
    let event = Event::decode(stored.event_type, stored.schema, stored.payload)
        .map_err(|e| StoreError::corrupt(stored.position, e.to_string()))?;
    Ok(Recorded {
        position: stored.position,
        tenant: stored.tenant.into(),
        kind: stored.kind.into(),
        id: stored.id.into(),
        version: stored.version,
        event,
        meta: Meta {
            recorded_at: Instant(stored.recorded_at),
            actor: stored.actor.into(),
            command_id: stored.command_id.map(Into::into),
            correlation: stored.correlation.into(),
            causation: stored.causation,
        },
    })
}
