//! A name for one request from outside: in the server's log line, and in every fact that came of it.

use std::fmt;

use uuid::Uuid;

/// Sorted by time, unique without asking anybody (RFC 9562, version 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl Default for RequestId {
    fn default() -> RequestId {
        RequestId(Uuid::now_v7())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
