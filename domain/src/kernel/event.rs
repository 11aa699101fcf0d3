//! How an event is named and stored: an explicit type and schema version, and the bytes of one struct.

use bincode::Options;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// An upper bound on one event's stored payload, in bytes.
pub const PAYLOAD_MAX: u64 = 4 * 1024 * 1024;

/// Room to begin with for a payload of which nothing is known.
const USUAL_BYTES: usize = 256;

/// Why stored bytes could not be read as an event. Never a panic: a damaged log must be reported, not crash.
#[derive(Debug, Error)]
pub enum CodecError {
    #[error(
        "event type {event_type} version {schema} is not known to this program; it was written by a newer one"
    )]
    Unknown { event_type: String, schema: u16 },
    #[error("payload of {event_type} version {schema} cannot be read: {why}")]
    Malformed {
        event_type: String,
        schema: u16,
        why: String,
    },
    #[error("payload of {event_type} cannot be written: {why}")]
    Unwritable { event_type: String, why: String },
}

fn options() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_little_endian()
        .reject_trailing_bytes()
        .with_limit(PAYLOAD_MAX)
}

/// Appends the stored bytes of a payload struct.
///
/// The limit is looked at afterwards: asked to keep it, bincode walks through the whole value once before it writes anything.
pub fn write_into<T: Serialize>(
    event_type: &str,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let unwritable = |why: String| CodecError::Unwritable {
        event_type: event_type.to_string(),
        why,
    };
    let begin = out.len();
    let written = options().with_no_limit().serialize_into(&mut *out, value);
    written.map_err(|e| unwritable(e.to_string()))?;
    match (out.len() - begin) as u64 > PAYLOAD_MAX {
        true => Err(unwritable(format!("it has more than {PAYLOAD_MAX} bytes"))),
        false => Ok(()),
    }
}

/// The stored bytes of a payload struct.
pub fn to_bytes<T: Serialize>(event_type: &str, value: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    write_into(event_type, value, &mut bytes)?;
    Ok(bytes)
}

/// Reads a payload struct back; trailing bytes are refused.
pub fn from_bytes<T: DeserializeOwned>(
    event_type: &str,
    schema: u16,
    bytes: &[u8],
) -> Result<T, CodecError> {
    options()
        .deserialize(bytes)
        .map_err(|e| CodecError::Malformed {
            event_type: event_type.to_string(),
            schema,
            why: e.to_string(),
        })
}

/// Declares the events of one kind of stream: an enum with one payload struct per event, the stored name and
/// schema version of each, and the older versions that are still read (`docs/recipes/change-an-event.md`).
///
/// ```ignore
/// events! {
///     /// What happens to an account.
///     pub enum Event in "account" {
///         Opened = "opened" 2 from { 1: OpenedV1 },
///         Closed = "closed" 1,
///     }
/// }
/// ```
#[macro_export]
macro_rules! events {
    (
        $(#[$doc:meta])*
        pub enum Event in $kind:literal {
            $( $(#[$vdoc:meta])* $name:ident = $text:literal $schema:literal $(from { $($old:literal : $old_type:ty),+ $(,)? })? ),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum Event {
            $( $(#[$vdoc])* $name($name) ),+
        }

        impl Event {
            /// Every stored name with its current schema version.
            pub const TYPES: &'static [(&'static str, u16)] = &[ $( (concat!($kind, ".", $text), $schema) ),+ ];

            /// The stored name and schema version.
            pub fn event_type(&self) -> (&'static str, u16) {
                match self { $( Event::$name(_) => (concat!($kind, ".", $text), $schema) ),+ }
            }

            pub fn encode(&self) -> Result<Vec<u8>, $crate::kernel::event::CodecError> {
                match self { $( Event::$name(payload) => $crate::kernel::event::to_bytes(concat!($kind, ".", $text), payload) ),+ }
            }

            /// Appends what [`Event::encode`] answers.
            pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), $crate::kernel::event::CodecError> {
                match self { $( Event::$name(payload) => $crate::kernel::event::write_into(concat!($kind, ".", $text), payload, out) ),+ }
            }

            /// Reads any version ever shipped, as the current one.
            pub fn decode(event_type: &str, schema: u16, bytes: &[u8]) -> Result<Event, $crate::kernel::event::CodecError> {
                $(
                    if event_type == concat!($kind, ".", $text) {
                        if schema == $schema {
                            return Ok(Event::$name($crate::kernel::event::from_bytes(event_type, schema, bytes)?));
                        }
                        $( $(
                            if schema == $old {
                                let old: $old_type = $crate::kernel::event::from_bytes(event_type, schema, bytes)?;
                                return Ok(Event::$name(old.into()));
                            }
                        )+ )?
                    }
                )+
                Err($crate::kernel::event::CodecError::Unknown { event_type: event_type.to_string(), schema })
            }
        }

        $( impl From<$name> for Event { fn from(payload: $name) -> Self { Event::$name(payload) } } )+
    };
}
