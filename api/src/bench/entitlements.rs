//! How fast it is answered what may be used: the check that a gateway makes on every request.
//!
//! A check reads the subscription, its offer, its counters and its meter in memory, as `checkEntitlement` does. It is measured alone, and
//! beside a client that sends usage all the time, one record in a commit. The answers are held against what was really sent.

use super::resources::peak_memory_kib;
use super::wallet::in_parallel;
use super::{Place, conditions, per_second, since, waits};
use crate::cli::Failure;
use clap::Args;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::audit::audit;
use indelible_domain::catalog;
use indelible_domain::command::{Command, StartSubscription};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Decimal, Exact, Instant};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::operations::entitlements;
use indelible_domain::session::Session;
use indelible_store::{Ledger, Request, SledStore};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant as Clock};

const TENANT: &str = "bench";
/// 1 January 2026, 12:00 UTC.
const NOON: i64 = 1_767_268_800_000_000;
/// What each subscription may use in a month.
const SIZE: i128 = 1_000_000;
/// Threads that open accounts; they wait for the disk, not for a core.
const OPENERS: u64 = 64;
/// Records of one batch while usage is sent before the clock runs.
const BATCH: u64 = 5_000;

const CATALOG: &str = r#"
[[offer]]
code = "plan"
name = "Plan"
currency = "EUR"
[[offer.usage]]
code = "calls"
name = "API calls"
metric = "calls"
unit = "call"
every = "1 month"
align = "calendar"
price = { graduated = [{ up_to = "1000", unit = "0.02" }, { unit = "0.01" }] }
[[offer.counter]]
code = "quota"
unit = "call"
size = "1000000"
reset = "month"
beyond = "refuse"
[[offer.feature]]
code = "exports"
limit = "5"
"#;

#[derive(Args)]
pub struct Options {
    /// Threads that ask.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=256))]
    threads: u64,
    /// Checks of each of the two shapes, in all.
    #[arg(long, default_value_t = 500_000)]
    checks: u64,
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    subscriptions: u64,
    #[command(flatten)]
    place: Place,
}

pub fn run(options: &Options) -> Result<Value, Failure> {
    let scratch = options.place.make("entitlements")?;
    let store = Arc::new(SledStore::open(scratch.path()).map_err(Failure::store)?);
    let ledger = Ledger::open(store.clone()).map_err(Failure::store)?;
    let opening = Clock::now();
    set_up(&ledger, options.subscriptions)?;
    let opening = since(opening);
    let alone = measure(&ledger, options, &AtomicBool::new(true), 0)?;
    let done = AtomicBool::new(false);
    let (beside, sent) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send_on(&ledger, options.subscriptions, &done));
        let beside = measure(&ledger, options, &done, 1);
        done.store(true, Ordering::Relaxed);
        let sent = sender.join();
        (
            beside,
            sent.unwrap_or_else(|_| Err(Failure::refused("the sender panicked"))),
        )
    });
    let (beside, sent) = (beside?, sent?);
    let broken = ledger.read(TENANT, audit);
    if !broken.is_empty() {
        return Err(Failure::refused(broken.join("; ")));
    }
    // Everybody sent one call before, and the sender those it counted.
    let used = ledger.read(TENANT, |tenant| {
        let mut counters = tenant.tables.counters.values();
        counters.try_fold(Exact::ZERO, |sum, c| sum.plus(c.state.used))
    });
    let expected = Exact::from(i128::from(options.subscriptions + sent));
    if used.map_err(Failure::refused)? != expected {
        return Err(Failure::refused(format!(
            "counters say another sum than the {} calls that were sent",
            options.subscriptions + sent
        )));
    }
    Ok(json!({
        "bench": "entitlements",
        "conditions": conditions(),
        "threads": options.threads,
        "subscriptions": options.subscriptions,
        "opening_seconds": opening.as_secs(),
        "alone": alone,
        "beside_usage": beside,
        "usage_commits_beside": sent,
        "peak_memory_kib": peak_memory_kib(),
    }))
}

/// Asks on every thread; `moved`: calls may have been sent meanwhile.
fn measure(
    ledger: &Ledger,
    options: &Options,
    still: &AtomicBool,
    moved: i128,
) -> Result<Value, Failure> {
    let each = options.checks / options.threads;
    let start = Clock::now();
    let all = in_parallel(options.threads, |thread| {
        ask_on(ledger, options, thread, each, moved)
    })?;
    let took = since(start);
    still.store(true, Ordering::Relaxed);
    let waited: Vec<Duration> = all.into_iter().flatten().collect();
    Ok(json!({
        "checks": each * options.threads,
        "checks_per_second": per_second(each * options.threads, took),
        "wait": waits(waited),
    }))
}

/// Every third check asks for a feature, the others for calls.
fn ask_on(
    ledger: &Ledger,
    options: &Options,
    thread: u64,
    checks: u64,
    moved: i128,
) -> Result<Vec<Duration>, Failure> {
    let mut waited = Vec::with_capacity(usize::try_from(checks).unwrap_or_default());
    for n in 0..checks {
        let of = spread(n * options.threads + thread, options.subscriptions);
        let (class, quantity) = match n % 3 {
            0 => ("exports", 5),
            _ => ("calls", 10),
        };
        let begun = Clock::now();
        let answer = ledger.read(TENANT, |tenant| {
            let session = Session::new(tenant, Instant(NOON));
            let quantity = Decimal::from(quantity);
            entitlements::check(
                &session,
                &format!("s{of}"),
                class,
                quantity,
                BTreeMap::new(),
            )
        });
        waited.push(since(begun));
        let answer = answer.map_err(Failure::refused)?;
        let right = answer.allowed && answer.granted == Exact::from(i128::from(quantity));
        if !right {
            return Err(Failure::refused(format!(
                "s{of} may not use {quantity} {class}"
            )));
        }
    }
    // What is left is what was not sent, as far as nobody sends meanwhile.
    let left = ledger.read(TENANT, |tenant| {
        let session = Session::new(tenant, Instant(NOON));
        let all = Decimal::new((SIZE - 1).into());
        entitlements::check(&session, "s0", "calls", all, BTreeMap::new())
    });
    let left = left.map_err(Failure::refused)?;
    match left.allowed || moved > 0 {
        true => Ok(waited),
        false => Err(Failure::refused("s0 used one call and has not the rest")),
    }
}

/// Sends one call after the other until it is told to stop; the answer is how many.
fn send_on(ledger: &Ledger, subscriptions: u64, done: &AtomicBool) -> Result<u64, Failure> {
    let mut sent = 0;
    while !done.load(Ordering::Relaxed) {
        let of = spread(sent, subscriptions);
        ask(
            ledger,
            intake(&format!("more-{sent}"), [(sent + subscriptions, of)]),
        )?;
        sent += 1;
    }
    Ok(sent)
}

/// Spread, and the same in every run.
fn spread(n: u64, over: u64) -> u64 {
    n.wrapping_mul(2_654_435_761) % over
}

fn ask(ledger: &Ledger, command: Command) -> Result<(), Failure> {
    let request = Request::new(TENANT, "bench", Instant(NOON), command);
    let done = ledger.execute(request);
    done.map(drop)
        .map_err(|refused| Failure::refused(refused.message()))
}

/// One call of each subscription that is named, with the number of its record.
fn intake(batch: &str, of: impl IntoIterator<Item = (u64, u64)>) -> Command {
    let record = |(line, (number, of)): (u64, (u64, u64))| {
        let key = u128::from(number).to_be_bytes();
        Received::Record(UsageRecord {
            line,
            key,
            content: key,
            corrects: false,
            metric: "calls".into(),
            access: format!("subscription:s{of}"),
            at: Instant(NOON),
            quantity: Decimal::ONE,
            amount: None,
            attributes: BTreeMap::new(),
            raw: None,
        })
    };
    Command::IngestUsage(Box::new(Intake {
        batch: batch.to_string(),
        source: "bench".into(),
        format: "records".into(),
        name: batch.to_string(),
        lines: (1..).zip(of).map(record).collect(),
    }))
}

fn set_up(ledger: &Ledger, subscriptions: u64) -> Result<(), Failure> {
    let currency = "EUR".parse().map_err(Failure::refused)?;
    let terms = EntityTerms {
        name: "Bench".into(),
        country: "DE".into(),
        currency,
        ..EntityTerms::default()
    };
    let entity = "main".to_string();
    ask(ledger, Command::OpenEntity { entity, terms })?;
    let offers = catalog::parse(CATALOG).map_err(Failure::refused)?;
    ask(ledger, Command::ApplyCatalog { offers })?;
    let terms = AccountTerms {
        entity: "main".into(),
        currency,
        ..AccountTerms::default()
    };
    in_parallel(OPENERS, |opener| {
        let own = (opener..subscriptions).step_by(usize::try_from(OPENERS).unwrap_or(1));
        for n in own {
            let account = format!("a{n}");
            let terms = terms.clone();
            ask(ledger, Command::OpenAccount { account, terms })?;
            let start = StartSubscription {
                subscription: format!("s{n}"),
                account: format!("a{n}"),
                offer: "plan".into(),
                quantity: Decimal::ONE,
                from: None,
                billing_day: None,
                overrides: BTreeMap::new(),
                trial: true,
                access: vec![],
            };
            ask(ledger, Command::StartSubscription(Box::new(start)))?;
        }
        Ok(())
    })?;
    let mut from = 0;
    while from < subscriptions {
        let until = (from + BATCH).min(subscriptions);
        let all = (from..until).map(|n| (n, n));
        ask(ledger, intake(&format!("first-{from}"), all))?;
        from = until;
    }
    Ok(())
}
