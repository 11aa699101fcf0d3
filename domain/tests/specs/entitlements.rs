//! What may be used, how much of it is left, and what would give more.

use crate::book::Book;
use crate::counters::with;
use crate::ingest::{book, record, send};
use indelible_domain::entitlements::{Answer, Entitlement, Of};
use indelible_domain::operations::entitlements::{all, check};
use indelible_domain::{Command, Rejection, Session};
use std::collections::BTreeMap;

const SHOP: &str = r#"
[[offer.counter]]
code = "gb"
name = "Data"
unit = "GB"
size = "5"
reset = "month"
charges = ["data"]
[[offer.counter]]
code = "minutes"
unit = "minute"
size = "60"
reset = "week"
beyond = "refuse"
[[offer.feature]]
code = "roaming"
on = false
[[offer.feature]]
code = "sims"
limit = "2"
[[offer.option]]
code = "more-data"
offer = "extra"
max = "3"

[[offer]]
code = "extra"
name = "Data 10"
currency = "USD"
[[offer.counter]]
code = "gb"
unit = "GB"
size = "10"
reset = "month"

[[offer]]
code = "line-xl"
name = "Line XL"
currency = "USD"
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "GB"
every = "1 month"
allowance = "50"
price = { per_unit = "1" }
[[offer.feature]]
code = "roaming"
on = true
[[offer.feature]]
code = "sims"
limit = "5"
"#;

fn shop() -> Book {
    let mut book = book(&with(SHOP));
    book.on("2012-05-10");
    book
}

fn ask(book: &Book, class: &str, quantity: &str) -> Result<Answer, Rejection> {
    let session = Session::new(book.tenant(), book.now()).with(&book.past);
    let quantity = quantity.parse().expect("a number");
    check(&session, "line-1", class, quantity, BTreeMap::new())
}

/// Whether, how much, how much of it free, and why not.
fn shown(book: &Book, class: &str, quantity: &str) -> String {
    let answer = ask(book, class, quantity).expect("an answer");
    let why = answer.refused.map_or(String::new(), |r| r.code);
    format!(
        "{} {} {} {why}",
        answer.allowed,
        answer.granted.to_decimal(2),
        answer.covered.to_decimal(2)
    )
    .trim_end()
    .to_string()
}

fn of(book: &Book, class: &str) -> Entitlement {
    let session = Session::new(book.tenant(), book.now()).with(&book.past);
    let all = all(&session, Of::Subscription("line-1")).expect("entitlements");
    all.into_iter()
        .find(|e| e.class == class)
        .expect("it has the class")
}

#[test]
fn a_request_is_answered_from_the_counters() {
    let mut book = shop();
    assert_eq!(shown(&book, "data", "3"), "true 3 3");
    assert_eq!(shown(&book, "data", "8"), "true 8 5");
    assert_eq!(shown(&book, "voice", "60"), "true 60 60");
    assert_eq!(shown(&book, "voice", "61"), "false 60 60 COUNTER_EXHAUSTED");
    send(
        &mut book,
        "b1",
        vec![
            record("k1 voice 2012-05-09T10:00:00Z 50"),
            record("k2 data 2012-05-02T10:00:00Z 4"),
        ],
    );
    assert_eq!(shown(&book, "voice", "11"), "false 10 10 COUNTER_EXHAUSTED");
    assert_eq!(shown(&book, "data", "8"), "true 8 1");
    // The week begins anew on Monday, the month goes on.
    book.on("2012-05-15");
    assert_eq!(shown(&book, "voice", "11"), "true 11 11");
    assert_eq!(shown(&book, "data", "8"), "true 8 1");
    assert_eq!(
        ask(&book, "water", "1").expect_err("a refusal").code,
        "CLASS_UNKNOWN"
    );
}

#[test]
fn features_are_switches_limits_and_texts() {
    let book = shop();
    assert_eq!(shown(&book, "roaming", "1"), "false 0 0 FEATURE_OFF");
    assert_eq!(shown(&book, "sims", "2"), "true 2 2");
    assert_eq!(shown(&book, "sims", "3"), "false 2 2 FEATURE_LIMIT");
}

#[test]
fn a_paused_subscription_may_use_nothing() {
    let mut book = shop();
    book.ask(Command::PauseSubscription {
        subscription: "line-1".into(),
        reason: "lost".into(),
        from: Some(crate::book::d("2012-05-10")),
    })
    .expect("pauses");
    assert_eq!(shown(&book, "data", "1"), "false 0 0 SUBSCRIPTION_PAUSED");
    let data = of(&book, "data");
    assert_eq!(
        data.refused.map(|r| r.code),
        Some("SUBSCRIPTION_PAUSED".to_string())
    );
}

#[test]
fn what_is_left_when_it_begins_anew_and_what_gives_more() {
    let mut book = shop();
    send(
        &mut book,
        "b1",
        vec![record("k1 data 2012-05-02T10:00:00Z 4")],
    );
    let data = of(&book, "data");
    let left: Vec<String> = data
        .left
        .iter()
        .map(|l| {
            format!(
                "{} {} of {} until {}",
                l.name,
                l.left.to_decimal(2),
                l.size.to_decimal(2),
                l.resets.map_or(String::new(), |on| on.to_string())
            )
        })
        .collect();
    assert_eq!(left, ["Data 1 of 5 until 2012-06-01"]);
    let more: Vec<String> = data
        .more
        .iter()
        .map(|m| format!("{:?} {} gives {}", m.option, m.offer, m.gives))
        .collect();
    assert_eq!(
        more,
        [
            "Some(\"more-data\") extra gives 10 GB per month",
            "None line-xl gives 50 GB per month"
        ]
    );
    let roaming = of(&book, "roaming");
    assert_eq!(roaming.more.len(), 1);
    assert_eq!(roaming.more[0].offer, "line-xl");
    assert_eq!(of(&book, "sims").more[0].gives, "up to 5");
}

#[test]
fn what_the_customer_may_not_have_is_not_told_to_give_more() {
    let told = |eligible: &str| {
        let xl = "code = \"line-xl\"\n";
        let mut book = book(&with(&SHOP.replace(xl, &format!("{xl}{eligible}"))));
        book.on("2012-05-10");
        let more = of(&book, "sims").more;
        more.into_iter().map(|m| m.offer).collect::<Vec<_>>()
    };
    assert_eq!(told(""), ["line-xl"]);
    assert_eq!(told("eligible = \"account.country = 'US'\"\n").len(), 0);
    assert_eq!(told("eligible = \"account.country = ''\"\n"), ["line-xl"]);
    assert_eq!(told("requires = [\"extra\"]\n").len(), 0);
}
