//! Holds what a scenario expects of counters and entitlements against the books.

use indelible_domain::entitlements::{Answer, Of};
use indelible_domain::kernel::{Decimal, Exact, Instant, Rejection};
use indelible_domain::operations::entitlements::{all, check};
use indelible_domain::session::Session;
use std::collections::BTreeMap;

use super::books::Books;

/// What is left of a counter today, with what was carried into its period.
pub(super) fn left(
    books: &Books,
    now: Instant,
    subscription: &str,
    counter: &str,
) -> Result<Exact, Rejection> {
    let of = Of::Subscription(subscription);
    let entitled = books.read(|tenant| all(&Session::new(tenant, now), of))?;
    let mut seen: Vec<(Option<String>, bool, Option<_>)> = Vec::new();
    let mut sum = Exact::ZERO;
    for left in entitled.into_iter().flat_map(|e| e.left) {
        let period = (left.counter.clone(), left.carried, left.resets);
        if left.counter.as_deref() != Some(counter) || seen.contains(&period) {
            continue;
        }
        // Several charges draw on it.
        seen.push(period);
        sum = sum.plus(left.left)?;
    }
    match seen.is_empty() {
        false => Ok(sum),
        true => Err(Rejection::new(
            "NOT_FOUND",
            format!("subscription {subscription} has no counter {counter}"),
        )),
    }
}

pub(super) fn entitled(
    books: &Books,
    now: Instant,
    (subscription, class): (&str, &str),
    quantity: Decimal,
) -> Result<Answer, Rejection> {
    books.read(|tenant| {
        let session = Session::new(tenant, now);
        check(&session, subscription, class, quantity, BTreeMap::new())
    })
}
