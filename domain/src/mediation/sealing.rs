//! From a reading to a usage record: what identifies people is replaced by keyed hashes.

use super::formats::Reading;
use super::{Key, UsageRecord};
use crate::kernel::{Decimal, Instant};

/// Prefix of an access that names its subscription openly: nothing to hide, nothing to look up.
const SUBSCRIPTION: &str = "subscription:";

/// What `Subscription::access` and `UsageRecord::access` hold for a number, meter or resource. `hash` is the tenant's
/// keyed hash: without its key nobody can try all telephone numbers.
pub fn access_hash(access: &str, hash: impl Fn(&[u8]) -> [u8; 32]) -> String {
    if access.starts_with(SUBSCRIPTION) {
        return access.to_string();
    }
    let full = hash(format!("access:{access}").as_bytes());
    full.iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// The usage record of a reading from `source`. The caller adds its line and its sealed raw text.
pub fn record_from(
    reading: &Reading,
    source: &str,
    hash: impl Fn(&[u8]) -> [u8; 32],
) -> UsageRecord {
    let quantity = Decimal::new(reading.quantity);
    let amount = reading.amount.map(Decimal::new);
    let mut says = Parts::new("content");
    says.add(&reading.metric)
        .add(&reading.access)
        .add(&reading.at_micros.to_string())
        .add(&quantity.to_string())
        .add(&reading.unit);
    says.add(&amount.map(|a| a.to_string()).unwrap_or_default());
    for (name, value) in &reading.attributes {
        says.add(name).add(value);
    }
    let mut identity = Parts::new("key");
    identity.add(source).add(&reading.key);
    UsageRecord {
        line: 0,
        key: short(hash(&identity.0)),
        content: short(hash(&says.0)),
        corrects: reading.corrects,
        metric: reading.metric.clone(),
        access: access_hash(&reading.access, hash),
        at: Instant(reading.at_micros),
        quantity,
        amount,
        attributes: reading.attributes.clone(),
        raw: None,
    }
}

/// Texts behind their lengths, so that no two lists of texts have the same bytes.
struct Parts(Vec<u8>);

impl Parts {
    fn new(what: &str) -> Parts {
        let mut parts = Parts(Vec::with_capacity(256));
        parts.add(what);
        parts
    }

    fn add(&mut self, text: &str) -> &mut Parts {
        self.0.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }
}

fn short(full: [u8; 32]) -> Key {
    let mut key = [0; 16];
    key.copy_from_slice(&full[..16]);
    key
}
