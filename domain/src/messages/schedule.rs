//! When a message that failed for the moment is tried again.

use crate::kernel::Instant;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

/// Waits after the first, second, … failed attempt, in microseconds. Together four days and a half: SMTP servers are
/// given four to five days (RFC 5321 4.5.4.1), and a reminder that late is better seen by a person.
const WAITS: [i64; ATTEMPTS_MAX as usize - 1] = [
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    8 * HOUR,
    24 * HOUR,
    24 * HOUR,
    48 * HOUR,
];

/// Attempts after which a message is given up.
pub const ATTEMPTS_MAX: u32 = 8;

/// When to try again after the `failed`th attempt failed at `at`; none: not any more.
pub fn next_attempt(failed: u32, at: Instant) -> Option<Instant> {
    let wait = WAITS.get(usize::try_from(failed.checked_sub(1)?).ok()?)?;
    Some(Instant(at.0.saturating_add(*wait)))
}
