//! What the state in memory takes: bytes per subscription, per meter and per batch.
//!
//! `cargo run --release -p indelible-store --example state -- [subscriptions]`
//!
//! Resident memory before and after each step, over a state without a log: subscriptions are started, then each gets one
//! record of usage on each of its two charges, in batches of 1,000 records, then as many records again one by one. At last
//! one subscription gets 2,000,000 records more: what one of the first costs, and one of the last.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant as Instantly;

use indelible_domain::accounts::AccountTerms;
use indelible_domain::command::StartSubscription;
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Date, Decimal, Id, Instant, Rejection};
use indelible_domain::mediation::{Intake, Key, Received, UsageRecord};
use indelible_domain::past::{Past, Sighting, gone};
use indelible_domain::{Command, Event, Session, World, catalog, operations, usage};

const OFFER: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "EUR"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { flat = "9.90" }
every = "1 month"
[[offer.usage]]
code = "voice"
name = "Voice"
metric = "voice"
unit = "minute"
allowance = "10"
every = "1 month"
align = "calendar"
price = { per_unit = "0.10" }
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "MB"
every = "1 month"
align = "calendar"
price = { graduated = [{ up_to = "10", unit = "0.10" }, { unit = "0.05" }] }
"#;

/// A past in which nothing happened: every record is new.
struct Nothing;

impl Past for Nothing {
    fn sightings(&self, keys: &[Key]) -> Result<Vec<Option<Sighting>>, Rejection> {
        Ok(vec![None; keys.len()])
    }

    fn batch_of(&self, _: &Key) -> Result<Id, Rejection> {
        Err(gone())
    }

    fn fact(&self, _: u64) -> Result<(Id, Event), Rejection> {
        Err(gone())
    }

    fn meter(&self, _: &str) -> Result<Vec<usage::Event>, Rejection> {
        Ok(vec![])
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let count: u64 = std::env::args().nth(1).map_or(Ok(100_000), |n| n.parse())?;
    let mut world = World::default();
    let entity = Command::OpenEntity {
        entity: "acme".into(),
        terms: EntityTerms {
            name: "Acme".into(),
            ..EntityTerms::default()
        },
    };
    ask(&mut world, entity)?;
    let offers = catalog::parse(OFFER)?;
    ask(&mut world, Command::ApplyCatalog { offers })?;
    let mut before = rss();
    let mut step = |what: &str, count: u64| {
        let now = rss();
        let grown = now.saturating_sub(before);
        println!(
            "{what}: {count}, {} bytes each, {} MB in all",
            grown / count.max(1),
            now >> 20
        );
        before = now;
    };
    for n in 0..count {
        let account = Command::OpenAccount {
            account: format!("account-{n}"),
            terms: AccountTerms {
                entity: "acme".into(),
                currency: "EUR".parse()?,
                ..AccountTerms::default()
            },
        };
        ask(&mut world, account)?;
    }
    step("accounts", count);
    for n in 0..count {
        ask(&mut world, start(n)?)?;
    }
    step("subscriptions", count);
    for n in (0..count).step_by(500) {
        let lines = (n..(n + 500).min(count)).flat_map(|n| ["voice", "data"].map(|m| (n, m)));
        let lines = lines
            .map(|(n, metric)| record(n, metric))
            .collect::<Result<_, _>>()?;
        ask(&mut world, intake(format!("calls-{n}"), lines))?;
    }
    step("meters", 2 * count);
    for n in 0..count {
        ask(
            &mut world,
            intake(format!("call-{n}"), vec![record(n, "voice")?]),
        )?;
    }
    step("batches of one record", count);
    one_subscription(&mut world)
}

/// Time per record on one subscription, as its records become many.
fn one_subscription(world: &mut World) -> Result<(), Box<dyn Error>> {
    let records =
        |batch: u64| (0..1_000).map(move |n| record_of(0, batch * 1_000 + n + 1, "voice"));
    for hundred in 0..20 {
        let mut commands = Vec::new();
        for batch in hundred * 100..(hundred + 1) * 100 {
            let lines = records(batch).collect::<Result<_, _>>()?;
            commands.push(intake(format!("many-{batch}"), lines));
        }
        let begun = Instantly::now();
        for command in commands {
            ask(world, command)?;
        }
        let each = begun.elapsed().as_nanos() / 100_000;
        println!("one subscription, record {}00,000: {each} ns", hundred + 1);
    }
    Ok(())
}

fn start(n: u64) -> Result<Command, Box<dyn Error>> {
    let from: Date = "2027-01-01".parse()?;
    Ok(Command::StartSubscription(Box::new(StartSubscription {
        subscription: format!("line-{n}"),
        account: format!("account-{n}"),
        offer: "line".into(),
        quantity: Decimal::ONE,
        from: Some(from),
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec![blake3::hash(&n.to_le_bytes()).to_hex().to_string()],
    })))
}

fn record(n: u64, metric: &str) -> Result<UsageRecord, Box<dyn Error>> {
    record_of(n, 0, metric)
}

fn record_of(n: u64, time: u64, metric: &str) -> Result<UsageRecord, Box<dyn Error>> {
    let hash = blake3::hash(format!("{n} {time} {metric}").as_bytes());
    let key = *hash.as_bytes().first_chunk().ok_or("32 bytes")?;
    Ok(UsageRecord {
        line: 0,
        key,
        content: key,
        corrects: false,
        metric: metric.into(),
        access: blake3::hash(&n.to_le_bytes()).to_hex().to_string(),
        at: "2027-01-02T10:00:00Z".parse()?,
        quantity: Decimal::ONE,
        amount: None,
        attributes: BTreeMap::new(),
        raw: None,
    })
}

fn intake(batch: String, records: Vec<UsageRecord>) -> Command {
    Command::IngestUsage(Box::new(Intake {
        batch,
        source: "switch-1".into(),
        format: "records".into(),
        name: "calls.csv".into(),
        lines: records.into_iter().map(Received::Record).collect(),
    }))
}

fn ask(world: &mut World, command: Command) -> Result<(), Box<dyn Error>> {
    let now: Instant = "2027-01-03T09:00:00Z".parse()?;
    let mut session = Session::new(world.tenant("bench"), now).with(&Nothing);
    operations::execute(&mut session, command)?;
    let (tables, events) = session.finish();
    world.absorb("bench", tables, &events);
    Ok(())
}

/// Resident bytes of this process; 0 where the system does not say.
fn rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}
