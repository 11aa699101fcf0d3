//! The list of a run in parts: of events that fit the log, and of as many of them as fit one commit.

use super::{Event, Listed, Started};
use crate::kernel::{Date, Id, Rejection};

/// Most bytes that the accounts of one event take: the least with which an event is well within its limit
/// (`kernel::event::PAYLOAD_MAX`), and enough for 40,000 accounts with ids of 18 characters.
pub const PART_BYTES: usize = 1 << 20;

/// Most parts of one commit, which takes 8 MiB in all: what goes beyond is listed by further commits.
pub const PARTS: usize = 6;

/// Bytes of an id beside its characters: its length.
const ID_BYTES: usize = 8;

/// Parts of a list, as many as one commit takes, and how many entries are in none of them.
pub(super) fn parts(accounts: impl IntoIterator<Item = Id>) -> (Vec<Vec<Id>>, u64) {
    let mut parts: Vec<Vec<Id>> = Vec::new();
    let (mut room, mut left) = (0, 0);
    for account in accounts {
        let bytes = ID_BYTES + account.len();
        if left == 0 && room < bytes && parts.len() < PARTS {
            parts.push(Vec::new());
            room = PART_BYTES;
        }
        match parts.last_mut() {
            Some(part) if left == 0 && room >= bytes => {
                part.push(account);
                room -= bytes;
            }
            _ => left += 1,
        }
    }
    (parts, left)
}

/// A run over a list, the first parts of it included.
pub(super) fn start(as_of: Date, accounts: Vec<Id>, draft: bool, named: bool) -> Vec<Event> {
    let (parts, left) = parts(accounts);
    let mut parts = parts.into_iter();
    let started = Started {
        as_of,
        accounts: parts.next().unwrap_or_default(),
        draft,
    };
    let mut events = vec![started.into()];
    events.extend(listed(parts.collect(), left, named));
    events
}

/// The rest of a list, or the next parts of it. An empty rest ends the list: what was to be billed may be gone meanwhile.
pub(super) fn rest(accounts: Vec<Id>, named: bool) -> Vec<Event> {
    let (mut parts, left) = parts(accounts);
    if parts.is_empty() {
        parts.push(Vec::new());
    }
    listed(parts, left, named)
}

fn listed(parts: Vec<Vec<Id>>, left: u64, named: bool) -> Vec<Event> {
    let mut events = Vec::with_capacity(parts.len());
    let mut left = left;
    for accounts in parts.into_iter().rev() {
        let after = left;
        left += accounts.len() as u64;
        let part = Listed {
            accounts,
            left: after,
            named,
        };
        events.push(part.into());
    }
    events.reverse();
    events
}

pub(super) fn not_whole(unlisted: u64) -> Rejection {
    Rejection::new(
        "RUN_NOT_LISTED",
        format!(
            "{unlisted} accounts of this bill run are not listed yet: start it again as it was started"
        ),
    )
}
