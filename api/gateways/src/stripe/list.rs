//! Finding an attempt whose answer was lost, by the key in its metadata.
//!
//! Stripe's search knows everything but the last minutes; its lists know everything at once, newest first, and are long.
//! Together they say for certain that something never arrived: not found by search, and not in the list of the last day.

use serde_json::Value;

use super::http::{Http, Reply};
use super::{KEY, intent, known, refund};
use crate::{Answer, Known, Return};

/// The most that Stripe lists at once.
const PAGE: &str = "100";
/// So many pages are read before giving up.
const PAGES: u32 = 50;
/// Search may lag by minutes, in bad times by hours; a day is what the list is read for.
const SEARCH_LAGS_SECONDS: i64 = 86_400;

/// The intent that was asked for under this key.
pub fn find_intent(http: &Http, key: &str) -> Known {
    let quoted = key.replace('\\', "\\\\").replace('\'', "\\'");
    let query = format!("metadata['{KEY}']:'{quoted}'");
    let searched = match http.get("/v1/payment_intents/search", &[("query", &query)]) {
        Reply::Body(found) => match with_key(&found, key) {
            Some(one) => return known(intent::answer(one)),
            None => true,
        },
        // Not offered to every account: then the list alone must do.
        Reply::Refused { .. } => false,
        Reply::Lost(why) => return Known::NotYet { why },
    };
    let enough = searched.then_some(SEARCH_LAGS_SECONDS);
    walk(
        http,
        "/v1/payment_intents",
        &[],
        key,
        enough,
        intent::answer,
    )
}

/// The refund that was asked for under this key: it can only be among those of its collection.
pub fn find_refund(http: &Http, back: &Return) -> Known {
    let of = (
        refund::collection_field(&back.reference),
        back.reference.as_str(),
    );
    walk(http, "/v1/refunds", &[of], &back.key, None, refund::answer)
}

/// Reads a list page by page. `enough`: how many seconds of it, counted from its newest, are all that matters.
fn walk(
    http: &Http,
    path: &str,
    only: &[(&str, &str)],
    key: &str,
    enough: Option<i64>,
    read: fn(&Value) -> Answer,
) -> Known {
    let mut after: Option<String> = None;
    let mut newest = None;
    for _ in 0..PAGES {
        let mut query = only.to_vec();
        query.push(("limit", PAGE));
        if let Some(after) = &after {
            query.push(("starting_after", after));
        }
        let page = match http.get(path, &query) {
            Reply::Body(page) => page,
            Reply::Refused { status, .. } => {
                let why = format!("Stripe answered {status} to {path}");
                return Known::NotYet { why };
            }
            Reply::Lost(why) => return Known::NotYet { why },
        };
        if let Some(one) = with_key(&page, key) {
            return known(read(one));
        }
        let Some(things) = page["data"].as_array() else {
            let why = format!("the answer to {path} is no list");
            return Known::NotYet { why };
        };
        let created = |thing: Option<&Value>| thing.and_then(|thing| thing["created"].as_i64());
        newest = newest.or(created(things.first()));
        let last = things.last();
        let old = matches!((newest, created(last), enough), (Some(newest), Some(last), Some(enough)) if newest - last > enough);
        after = last
            .and_then(|thing| thing["id"].as_str())
            .map(str::to_owned);
        if old || page["has_more"] != true || after.is_none() {
            return Known::NeverArrived;
        }
    }
    Known::NotYet {
        why: format!("not among the newest {} of {path}", PAGES * 100),
    }
}

/// The one of a list that carries the key.
fn with_key<'a>(list: &'a Value, key: &str) -> Option<&'a Value> {
    let things = list["data"].as_array()?;
    things.iter().find(|thing| thing["metadata"][KEY] == key)
}
