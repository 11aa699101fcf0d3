//! The untouched files, once, against figures that others computed from them.
//!
//! They lie years apart and outside the story, so they go into a tenant of their own, `check`, with the same price
//! list. What is compared is what the ledger made of them, not what the reader read: meters, counts, amounts.

use super::businesses::{Business, Contract, Step};
use super::desk::Desk;
use super::{DemoError, sample};
use chrono::NaiveDate;
use indelible_domain::command::UsageCounts;
use indelible_domain::kernel::{Decimal, Exact};
use indelible_domain::mediation::formats::Format;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Tenant of the untouched files.
pub const TENANT: &str = "check";

/// Σ BilledCost of the FOCUS file, in USD, as its publisher's sums give it.
const FOCUS_COST: &str = "20.52022672899";
/// What the price list makes of the provider's cost.
const MARK_UP: &str = "1.15";

/// One figure that agreed.
#[derive(Clone, Debug)]
pub struct Agreed {
    pub what: String,
    pub figure: String,
}

#[derive(Deserialize)]
struct Calls {
    unique: u64,
    duplicates: u64,
    totals: BTreeMap<String, Subscriber>,
}

#[derive(Deserialize)]
struct Subscriber {
    records: u64,
    seconds: u64,
}

#[derive(Deserialize)]
struct Register {
    intervals: u64,
    sum: serde_json::Number,
}

/// File → meter → register.
type Meters = BTreeMap<String, BTreeMap<String, BTreeMap<String, Register>>>;

/// Ingests the supplied files and compares; the first figure that differs ends the demo.
pub fn run(desk: &Desk, businesses: &[Business]) -> Result<Vec<Agreed>, DemoError> {
    let mut agreed = Vec::new();
    calls(desk, businesses, &mut agreed)?;
    cloud(desk, businesses, &mut agreed)?;
    energy(desk, &mut agreed)?;
    Ok(agreed)
}

fn calls(desk: &Desk, businesses: &[Business], agreed: &mut Vec<Agreed>) -> Result<(), DemoError> {
    let expected: Calls = parse(sample::CALLS_EXPECTED, sample::CALLS_EXPECTED_NAME)?;
    subscribe(desk, businesses, "mobile", "mobile-m", "2026-10-01")?;
    desk.ingest(
        "switch",
        Format::Calls,
        "voice-calls.csv",
        sample::CALLS.as_bytes(),
    )?;
    let counts = counts(desk, "voice-calls.csv")?;
    same(
        "calls received",
        counts.received,
        expected.unique + expected.duplicates,
        agreed,
    )?;
    same("calls accepted", counts.accepted, expected.unique, agreed)?;
    same(
        "calls repeated",
        counts.duplicates,
        expected.duplicates,
        agreed,
    )?;
    same("calls rated", counts.rated, expected.unique, agreed)?;
    let mut seconds = 0;
    for (number, of) in &expected.totals {
        let (records, minutes) = metered(desk, number, &["voice"])?;
        let found = minutes
            .times(Exact::from(60))
            .map_err(DemoError::arithmetic)?;
        let subscriber = number
            .get(number.len().saturating_sub(2)..)
            .unwrap_or(number);
        differ(
            &format!("calls of subscriber {subscriber}"),
            records,
            of.records,
        )?;
        differ(
            &format!("seconds of subscriber {subscriber}"),
            found.to_decimal(6),
            exact(of.seconds).to_decimal(6),
        )?;
        seconds += of.seconds;
    }
    agreed.push(Agreed {
        what: format!(
            "seconds of each of {} subscribers, in all",
            expected.totals.len()
        ),
        figure: seconds.to_string(),
    });
    Ok(())
}

fn cloud(desk: &Desk, businesses: &[Business], agreed: &mut Vec<Agreed>) -> Result<(), DemoError> {
    subscribe(desk, businesses, "cloud", "cloud", "2024-08-01")?;
    desk.ingest(
        "provider",
        Format::Focus,
        "focus-1.0-sample.csv",
        sample::FOCUS.as_bytes(),
    )?;
    let counts = counts(desk, "focus-1.0-sample.csv")?;
    same("cloud rows received", counts.received, 1_000, agreed)?;
    same("cloud rows rated", counts.rated, 1_000, agreed)?;
    let billed = desk.read(|tenant| {
        let meters = tenant
            .tables
            .usage
            .iter()
            .filter(|(id, _)| id.contains("/consumption/"));
        meters
            .map(|(_, entry)| entry.state.meter.amount)
            .try_fold(Exact::ZERO, Exact::plus)
    });
    let factor: Decimal = MARK_UP.parse().map_err(DemoError::arithmetic)?;
    let factor = Exact::from(factor);
    let billed = billed.map_err(DemoError::arithmetic)?;
    let cost = billed
        .share(factor.denominator(), factor.numerator())
        .map_err(DemoError::arithmetic)?;
    let shown = cost.to_decimal(12);
    let shown = shown.trim_end_matches('0');
    same(
        "cloud cost in USD before the mark-up",
        shown,
        FOCUS_COST,
        agreed,
    )
}

fn energy(desk: &Desk, agreed: &mut Vec<Agreed>) -> Result<(), DemoError> {
    let expected: Meters = parse(sample::NEM12_EXPECTED, sample::NEM12_EXPECTED_NAME)?;
    let files = [
        (sample::SOLAR_NAME, sample::SOLAR),
        (sample::INTERVAL_NAME, sample::INTERVAL),
        (sample::QUALITY_NAME, sample::QUALITY),
    ];
    for (path, text) in files {
        let name = path.rsplit('/').next().unwrap_or(path);
        let meters = expected
            .get(name)
            .ok_or_else(|| DemoError::Unexpected(format!("no figures for {name}")))?;
        for nmi in meters.keys() {
            sell(desk, "energy-1", nmi, "energy-home", "2004-01-01")?;
        }
        desk.ingest("meters", Format::Nem12, name, text.as_bytes())?;
        for (nmi, registers) in meters {
            for (register, of) in registers {
                let charges: &[&str] = match register.as_str() {
                    "E1" => &["peak", "off-peak"],
                    "B1" => &["feed-in"],
                    // Reactive energy has no price: its readings are rejected, with that reason.
                    _ => continue,
                };
                let (records, kwh) = metered(desk, nmi, charges)?;
                // The expected file has numbers, not text; their shortest form is what was written.
                let sum: Decimal = of.sum.to_string().parse().map_err(DemoError::arithmetic)?;
                same(
                    &format!("readings of {nmi} {register}"),
                    records,
                    of.intervals,
                    agreed,
                )?;
                same(
                    &format!("kWh of {nmi} {register}"),
                    kwh.to_decimal(6),
                    Exact::from(sum).to_decimal(6),
                    agreed,
                )?;
            }
        }
    }
    Ok(())
}

/// Sells every number or resource of a business from an early day, each under the name of what it is found by.
fn subscribe(
    desk: &Desk,
    businesses: &[Business],
    entity: &str,
    offer: &'static str,
    from: &str,
) -> Result<(), DemoError> {
    let mut done = std::collections::BTreeSet::new();
    for (_, step) in businesses
        .iter()
        .filter(|b| b.entity == entity)
        .flat_map(|b| &b.steps)
    {
        if let Step::Subscribe(contract) = step {
            for access in contract
                .access
                .iter()
                .filter(|access| done.insert((*access).clone()))
            {
                sell(desk, &format!("{entity}-{}", 1), access, offer, from)?;
            }
        }
    }
    Ok(())
}

fn sell(
    desk: &Desk,
    account: &str,
    access: &str,
    offer: &'static str,
    from: &str,
) -> Result<(), DemoError> {
    let contract = Contract {
        subscription: subscription(desk, access),
        account: account.to_string(),
        offer,
        quantity: 1,
        access: vec![access.to_string()],
    };
    let from: NaiveDate = from
        .parse()
        .map_err(|e: chrono::ParseError| DemoError::Broken(e.to_string()))?;
    desk.subscribe(&contract, from)
}

/// Ids hold no personal data: a subscription is called by the hash of its number.
fn subscription(desk: &Desk, access: &str) -> String {
    crate::ingest::access(&desk.office.keyring, desk.tenant, access)
}

/// Records and units of some charges of a subscription, over all periods.
fn metered(desk: &Desk, access: &str, charges: &[&str]) -> Result<(u64, Exact), DemoError> {
    let id = subscription(desk, access);
    let sum = desk.read(|tenant| {
        let mut sum = (0, Exact::ZERO);
        for (stream, entry) in tenant
            .tables
            .usage
            .range(format!("{id}/")..format!("{id}0"))
        {
            let mut parts = stream.split('/');
            if parts.next() != Some(id.as_str()) {
                break;
            }
            if parts.next().is_some_and(|charge| charges.contains(&charge)) {
                sum = (
                    sum.0 + entry.state.meter.records,
                    sum.1.plus(entry.state.meter.units)?,
                );
            }
        }
        Ok(sum)
    });
    sum.map_err(DemoError::arithmetic)
}

fn counts(desk: &Desk, batch: &str) -> Result<UsageCounts, DemoError> {
    desk.read(|tenant| tenant.tables.batches.get(batch).map(|b| b.state.counts))
        .ok_or_else(|| DemoError::Unexpected(format!("there is no batch {batch}")))
}

fn exact(whole: u64) -> Exact {
    Exact::from(i128::from(whole))
}

fn same(
    what: &str,
    found: impl ToString,
    expected: impl ToString,
    agreed: &mut Vec<Agreed>,
) -> Result<(), DemoError> {
    let figure = found.to_string();
    differ(what, &figure, expected.to_string())?;
    agreed.push(Agreed {
        what: what.to_string(),
        figure,
    });
    Ok(())
}

fn differ(what: &str, found: impl ToString, expected: impl ToString) -> Result<(), DemoError> {
    let (found, expected) = (found.to_string(), expected.to_string());
    if found == expected {
        return Ok(());
    }
    Err(DemoError::Figure {
        what: what.to_string(),
        found,
        expected,
    })
}

fn parse<T: for<'a> Deserialize<'a>>(text: &str, name: &str) -> Result<T, DemoError> {
    serde_json::from_str(text).map_err(|e| DemoError::Broken(format!("{name}: {e}")))
}
