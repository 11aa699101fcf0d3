//! How fast credit control answers: reservations that many clients ask for at once, each durable when it is answered.
//!
//! A session is two requests: a reservation, and a report of a part of it that ends the session. Both shapes are
//! measured by the same clients: all sessions on one wallet, and each on a wallet drawn from many.

use super::resources::peak_memory_kib;
use super::{Place, conditions, per_second, since, waits};
use crate::cli::Failure;
use clap::Args;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::audit::audit;
use indelible_domain::catalog;
use indelible_domain::command::{Command, StartSubscription};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Currency, Decimal, Exact, Instant};
use indelible_domain::reservations::{
    Answer, Ask, Kind, LastAction, Request as Asked, Units, code,
};
use indelible_store::{EventStore, Ledger, Request, SledStore};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant as Clock};

const TENANT: &str = "bench";
/// 1 January 2026, 12:00 UTC.
const NOON: i64 = 1_767_268_800_000_000;
/// Threads that open accounts; they wait for the disk, not for a core.
const OPENERS: u64 = 64;
/// Put into each wallet, in EUR: more than any number of sessions asks for.
const TOP_UP: &str = "100000000.00 EUR";

const CATALOG: &str = r#"
[[offer]]
code = "prepaid"
name = "Prepaid"
currency = "EUR"
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "MB"
every = "1 month"
align = "calendar"
pay = "wallet"
price = { per_unit = "0.01" }
"#;

#[derive(Args)]
pub struct Options {
    /// Clients that ask and wait.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1024))]
    clients: u64,
    /// Sessions in all, for each of the two shapes; two requests each.
    #[arg(long, default_value_t = 50_000)]
    sessions: u64,
    /// Wallets of the second shape.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    wallets: u64,
    #[command(flatten)]
    place: Place,
}

pub fn run(options: &Options) -> Result<Value, Failure> {
    let hot = measure(options, 1)?;
    let spread = measure(options, options.wallets)?;
    Ok(json!({
        "bench": "wallet",
        "conditions": conditions(),
        "clients": options.clients,
        "one_wallet": hot,
        "many_wallets": spread,
        "peak_memory_kib": peak_memory_kib(),
    }))
}

fn measure(options: &Options, wallets: u64) -> Result<Value, Failure> {
    let scratch = options.place.make("wallet")?;
    let store = Arc::new(SledStore::open(scratch.path()).map_err(Failure::store)?);
    let ledger = Ledger::open(store.clone()).map_err(Failure::store)?;
    let opening = Clock::now();
    set_up(&ledger, wallets)?;
    let opening = since(opening);
    let syncs_before = store.stats().syncs;
    let next = AtomicU64::new(0);
    let start = Clock::now();
    let clients = in_parallel(options.clients, |_| {
        serve(&ledger, &next, options.sessions, wallets)
    })?;
    let took = since(start);
    let (mut reserving, mut confirming, mut units) = (Vec::new(), Vec::new(), 0_u64);
    for client in clients {
        reserving.extend(client.reserving);
        confirming.extend(client.confirming);
        units += client.units;
    }
    let syncs = store.stats().syncs - syncs_before;
    let burnt = sum_burnt(&ledger)?;
    // The independent sum: every client's own count of what it reported, at 0.01 EUR.
    let expected = Exact::ratio(i128::from(units), 100).map_err(Failure::refused)?;
    let quotas = ledger.read(TENANT, |tenant| tenant.index.reserved.iter().count());
    if burnt != expected || quotas != 0 {
        return Err(Failure::refused(format!(
            "wallets burnt {burnt} EUR and {quotas} quotas are left, an independent sum says {expected} EUR and none"
        )));
    }
    let broken = ledger.read(TENANT, audit);
    if !broken.is_empty() {
        return Err(Failure::refused(broken.join("; ")));
    }
    let verified = store.verify(&mut |_, _| {}).map_err(Failure::store)?;
    Ok(json!({
        "wallets": wallets,
        "sessions": options.sessions,
        "opening_seconds": opening.as_secs(),
        "requests_per_second": per_second(options.sessions * 2, took),
        "reservations_per_second": per_second(options.sessions, took),
        "reserve_wait": waits(reserving),
        "confirm_wait": waits(confirming),
        "syncs": syncs,
        "burnt_eur": burnt.to_decimal(12),
        "expected_eur": expected.to_decimal(12),
        "verified": { "events": verified.events, "blocks": verified.blocks },
    }))
}

/// What one client saw.
#[derive(Default)]
struct Client {
    reserving: Vec<Duration>,
    confirming: Vec<Duration>,
    /// Units reported.
    units: u64,
}

/// Takes sessions until there are none left.
fn serve(
    ledger: &Ledger,
    next: &AtomicU64,
    sessions: u64,
    wallets: u64,
) -> Result<Client, Failure> {
    let mut client = Client::default();
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= sessions {
            return Ok(client);
        }
        // Spread, and the same in every run.
        let wallet = n.wrapping_mul(2_654_435_761) % wallets;
        let (asked, used) = (10 + n % 90, 1 + n % 10);
        let begun = Clock::now();
        let granted = control(ledger, n, wallet, Kind::Initial, None, Some(asked))?;
        client.reserving.push(since(begun));
        if granted.result != code::SUCCESS {
            return Err(Failure::refused(format!(
                "session {n} was answered {}",
                granted.result
            )));
        }
        let begun = Clock::now();
        control(ledger, n, wallet, Kind::Terminate, Some(used), None)?;
        client.confirming.push(since(begun));
        client.units += used;
    }
}

fn control(
    ledger: &Ledger,
    n: u64,
    wallet: u64,
    kind: Kind,
    used: Option<u64>,
    requested: Option<u64>,
) -> Result<Answer, Failure> {
    let units = |quantity: u64| Units {
        quantity: Decimal::new(quantity.into()),
        amount: None,
    };
    let asked = Asked {
        session: format!("gy{n}"),
        number: u32::from(kind != Kind::Initial),
        kind,
        access: format!("subscription:s{wallet}"),
        at: None,
        validity: None,
        last: LastAction::Terminate,
        strict: false,
        services: vec![Ask {
            service: "web".into(),
            metric: "data".into(),
            used: used.map(units),
            requested: requested.map(units),
            ..Ask::default()
        }],
    };
    ask(ledger, Command::ControlCredit(Box::new(asked)))?
        .ok_or_else(|| Failure::refused("a request was not answered"))
}

fn ask(ledger: &Ledger, command: Command) -> Result<Option<Answer>, Failure> {
    let request = Request::new(TENANT, "bench", Instant(NOON), command);
    let done = ledger.execute(request);
    done.map(|receipt| receipt.outcome.answer)
        .map_err(|refused| Failure::refused(refused.message()))
}

/// Runs the same on several threads, and answers what each came to.
pub(super) fn in_parallel<T: Send>(
    threads: u64,
    work: impl Fn(u64) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    std::thread::scope(|scope| {
        let work = &work;
        let all: Vec<_> = (0..threads).map(|n| scope.spawn(move || work(n))).collect();
        all.into_iter()
            .map(|t| {
                t.join()
                    .unwrap_or_else(|_| Err(Failure::refused("a client panicked")))
            })
            .collect()
    })
}

fn set_up(ledger: &Ledger, wallets: u64) -> Result<(), Failure> {
    let currency = "EUR".parse().map_err(Failure::refused)?;
    let terms = EntityTerms {
        name: "Bench".into(),
        country: "DE".into(),
        currency,
        ..EntityTerms::default()
    };
    ask(
        ledger,
        Command::OpenEntity {
            entity: "main".into(),
            terms,
        },
    )?;
    let offers = catalog::parse(CATALOG).map_err(Failure::refused)?;
    ask(ledger, Command::ApplyCatalog { offers })?;
    in_parallel(OPENERS, |opener| {
        (opener..wallets)
            .step_by(usize::try_from(OPENERS).unwrap_or(1))
            .try_for_each(|n| open(ledger, n, currency))
    })?;
    Ok(())
}

/// Account, subscription and wallet number `n`.
fn open(ledger: &Ledger, n: u64, currency: Currency) -> Result<(), Failure> {
    let terms = AccountTerms {
        entity: "main".into(),
        currency,
        ..AccountTerms::default()
    };
    let start = StartSubscription {
        subscription: format!("s{n}"),
        account: format!("a{n}"),
        offer: "prepaid".into(),
        quantity: Decimal::ONE,
        from: None,
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec![],
    };
    let commands = [
        Command::OpenAccount {
            account: format!("a{n}"),
            terms,
        },
        Command::StartSubscription(Box::new(start)),
        Command::OpenWallet {
            wallet: format!("w{n}"),
            account: format!("a{n}"),
            priority: 1,
        },
        Command::TopUpWallet {
            wallet: format!("w{n}"),
            grant: "g".into(),
            amount: TOP_UP.parse().map_err(Failure::refused)?,
            expires: None,
        },
    ];
    commands
        .into_iter()
        .try_for_each(|command| ask(ledger, command).map(drop))
}

fn sum_burnt(ledger: &Ledger) -> Result<Exact, Failure> {
    ledger
        .read(TENANT, |tenant| {
            let mut wallets = tenant.tables.wallets.values();
            wallets.try_fold(Exact::ZERO, |sum, w| sum.plus(w.state.burnt))
        })
        .map_err(Failure::refused)
}
