//! Voice calls: each supplied call once a month, on a day and at an hour drawn for it.

use super::super::sample;
use super::{Delivery, Month, Outbox, PatternError, after};
use crate::demo::random::Random;
use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use indelible_domain::mediation::formats::Format;
use std::collections::BTreeMap;

/// Sent by the switch of the mobile operator.
pub(super) const SOURCE: &str = "switch";

struct Call<'a> {
    id: &'a str,
    msisdn: &'a str,
    start: NaiveDateTime,
    seconds: u32,
}

pub(super) fn deliveries(
    mut random: Random,
    months: &[Month],
    reachable: &dyn Fn(&str, NaiveDate) -> bool,
) -> Result<Vec<Delivery>, PatternError> {
    let pattern = pattern()?;
    let mut outbox = Outbox::new(SOURCE, Format::Calls, "record_id;msisdn;start;seconds\n");
    for month in months {
        repeat(&mut random, &pattern, *month, reachable, &mut outbox);
    }
    Ok(outbox.deliveries())
}

/// One month: the calls, the supplied repetitions, and what goes wrong between a switch and a biller.
fn repeat(
    random: &mut Random,
    pattern: &[Call<'_>],
    month: Month,
    reachable: &dyn Fn(&str, NaiveDate) -> bool,
    outbox: &mut Outbox,
) {
    let tag = month.tag();
    let mut sent: BTreeMap<&str, (NaiveDate, String)> = BTreeMap::new();
    for (n, call) in pattern.iter().enumerate() {
        if let Some((day, row)) = sent.get(call.id) {
            // A call that is supplied twice comes again with the next day's file.
            outbox.put(after(*day, 1).min(month.day(month.days)), row.clone());
            continue;
        }
        // The supplied calls fill the first four hours; 19 hours later is still the same day in UTC.
        let day = month.day(1 + random.below(month.days));
        let start = day.and_time(call.start.time()) + TimeDelta::hours(i64::from(random.below(20)));
        if !reachable(call.msisdn, day) {
            continue;
        }
        let row = |seconds: u32| {
            format!(
                "{}-{tag};{};{}+00:00;{seconds}",
                call.id,
                call.msisdn,
                start.format("%Y-%m-%dT%H:%M:%S")
            )
        };
        // Four calls of each month are found only after its invoices went out.
        let late = n % 500 == 77;
        let arrives = if late {
            after(month.next(), 3 + random.below(4))
        } else {
            day
        };
        outbox.put(arrives, row(call.seconds));
        if n % 400 == 123 {
            // Up to five calls come again with another duration.
            outbox.put(arrives, row(call.seconds + 30));
        }
        sent.insert(call.id, (arrives, row(call.seconds)));
    }
    for n in 0..3 {
        let day = month.day(4 + 7 * n);
        let at = day.format("%Y-%m-%d");
        outbox.put(
            day,
            format!("xx-{tag}-{n};49170999900{n};{at}T12:00:00+00:00;61"),
        );
        outbox.put(
            day,
            match n {
                0 => format!("bad-{tag}-{n};491700000001;{at}T12:00:00+00:00"),
                1 => format!("bad-{tag}-{n};491700000001;{at}T25:00:00+00:00;60"),
                _ => format!("bad-{tag}-{n};491700000001;{at}T12:00:00+00:00;one minute"),
            },
        );
    }
}

fn pattern() -> Result<Vec<Call<'static>>, PatternError> {
    let fault = |line: usize| PatternError {
        file: sample::CALLS_NAME,
        why: format!("line {line} is no call"),
    };
    let mut calls = Vec::new();
    for (n, line) in sample::CALLS.lines().enumerate().skip(1) {
        let cells: Vec<&str> = line.split(';').collect();
        let [id, msisdn, start, seconds] = cells[..] else {
            return Err(fault(n + 1));
        };
        let start = start.strip_suffix("+00:00").unwrap_or(start);
        calls.push(Call {
            id,
            msisdn,
            start: NaiveDateTime::parse_from_str(start, "%Y-%m-%dT%H:%M:%S")
                .map_err(|_| fault(n + 1))?,
            seconds: seconds.parse().map_err(|_| fault(n + 1))?,
        });
    }
    Ok(calls)
}
