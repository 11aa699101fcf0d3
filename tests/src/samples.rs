//! One representative of every event type, made by hand and the same on every run.
//!
//! Each fills every field, and the variants of every value it carries, so that its golden bytes
//! (`tests/golden/events/`) pin them all. A new event type without a sample fails `golden_events`.

mod bank;
mod billing;
mod cash;
mod collecting;
mod counters;
mod custom;
mod discounts;
mod drafts;
mod dunning;
mod journal;
mod matching;
mod messages;
mod parties;
mod reratings;
mod reservations;
mod shares;
mod subscriptions;
mod usage;
mod wallets;

use indelible_domain::Event;
use indelible_domain::kernel::{Currency, Date, Days, Decimal, Exact, Instant, Money, Personal};

/// A representative of every event type, in the order of the nouns.
pub fn all() -> Vec<Event> {
    [
        parties::events(),
        custom::events(),
        subscriptions::events(),
        usage::events(),
        counters::events(),
        reratings::events(),
        reservations::events(),
        wallets::events(),
        discounts::events(),
        shares::events(),
        drafts::events(),
        billing::events(),
        cash::events(),
        collecting::events(),
        matching::events(),
        bank::events(),
        dunning::events(),
        journal::events(),
        messages::events(),
    ]
    .concat()
}

/// A decimal written as people write it.
fn decimal(text: &str) -> Decimal {
    text.parse().expect("a sample's number")
}

fn currency(code: &str) -> Currency {
    code.parse().expect("a sample's currency")
}

/// An amount like `12.34 EUR`.
fn money(text: &str) -> Money {
    text.parse().expect("a sample's amount of money")
}

fn ratio(numerator: i128, denominator: i128) -> Exact {
    Exact::ratio(numerator, denominator).expect("a sample's ratio")
}

/// A day like `2026-10-01`.
fn date(text: &str) -> Date {
    text.parse().expect("a sample's date")
}

fn days(from: &str, until: &str) -> Days {
    Days::new(date(from), date(until))
}

/// An instant like `2026-10-01T07:30:00Z`.
fn instant(text: &str) -> Instant {
    text.parse().expect("a sample's instant")
}

/// What the edge would have sealed; nobody opens it here.
fn sealed<T>() -> Personal<T> {
    Personal::sealed("key-1".to_string(), [7; 24], vec![1, 2, 3, 250])
}
