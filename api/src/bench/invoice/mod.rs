//! How fast what is due becomes finalised documents: every account that is due is billed in a commit of its own, with lines,
//! discount, taxes, number, journal entry and open item, while somebody else asks questions.
//!
//! All data is made through the public commands. What must be billed is counted by an oracle in cents; the log and the
//! books are verified afterwards.

mod book;

use super::resources::{self, cpu_by_thread, cpu_of_process, peak_memory_kib};
use super::{Place, conditions, per_second, since, waits};
use crate::auth::{Caller, Scope};
use crate::cli::Failure;
use crate::clock::Clock as Time;
use crate::graphql::{self, Schema};
use crate::ingest::{self, Origin, Raw};
use crate::office::{Begin, Office};
use crate::request_id::RequestId;
use async_graphql::Variables;
use book::{CATALOG, Month, OFFERS, Total};
use chrono::{Datelike, NaiveDate};
use clap::Args;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::audit::audit;
use indelible_domain::catalog;
use indelible_domain::command::{Command, RedeemDiscount, StartSubscription};
use indelible_domain::discounts::{ChargeKind, DiscountTerms, Lasts, Off, Scope as Of};
use indelible_domain::entities::EntityTerms;
use indelible_domain::invoices::Stage;
use indelible_domain::kernel::{Currency, Date, Decimal, Instant};
use indelible_domain::mediation::Intake;
use indelible_domain::mediation::formats::Format;
use indelible_domain::taxes::Rate;
use indelible_store::{BillRunRequest, Request};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant as Clock};

const TENANT: &str = "bench";
/// Records of one file.
const FILE: u64 = 500_000;
/// The accounts that are not due begin on this day of the month, and are due on it.
const OTHER_DAY: u32 = 15;
/// Newcomers begin on this one.
const NEW_DAY: u32 = 10;
/// Months of newcomers: the last ones.
const YEAR: u64 = 12;

#[derive(Args)]
pub struct Options {
    /// Accounts, with three subscriptions each.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=2_000_000))]
    accounts: u64,
    /// How many of them are due on the day of the run.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    due: u64,
    /// Usage records of each due account in each month.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(2..=10_000))]
    records: u64,
    /// Months that are billed one after the other; 120 are ten years of history.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=240))]
    months: u64,
    /// Accounts that begin only with the last year. Each of its months is billed in two runs, of those that were there and of
    /// these, so that history is all that differs.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    newcomers: u64,
    /// Previews that are asked for after the last month.
    #[arg(long, default_value_t = 2_000)]
    previews: u64,
    #[command(flatten)]
    place: Place,
}

/// What a run took.
struct Run {
    took: Duration,
    cpu: Duration,
    /// From its beginning until the read models showed the last of it.
    visible: Duration,
    waits: Vec<Duration>,
    threads: Value,
}

pub fn run(options: &Options) -> Result<Value, Failure> {
    // The others are due in the middle of each month, and no oracle counts them.
    if options.months > 1 && options.accounts > options.due {
        return Err(Failure::refused(format!(
            "over several months every account is due: {} accounts were asked for and {} of them due",
            options.accounts, options.due
        )));
    }
    let scratch = options.place.make("invoice")?;
    let first = first_of(0)?;
    let office = Office::begin(scratch.path(), Time::movable(noon(first)), Begin::Log);
    let office = office.map_err(Failure::store)?;
    let opening = Clock::now();
    set_up(&office, options)?;
    let opening = since(opening);
    let schema = graphql::schema(Arc::clone(&office));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::store)?;
    let mut expected = Total::default();
    let (mut months, mut cpu, mut cpu_of_new) = (Vec::new(), Vec::new(), Vec::new());
    let mut last = None;
    let begin = options.months.saturating_sub(YEAR);
    let opened = options.accounts.max(options.due);
    for number in 0..options.months {
        let old = Month {
            number,
            begins: seconds(first_of(number)?),
            first: 0,
            accounts: options.due,
            records_each: options.records,
        };
        let from = day_of(number, NEW_DAY)?;
        let new = Month {
            begins: seconds(from),
            first: opened,
            accounts: if number < begin { 0 } else { options.newcomers },
            ..old
        };
        if number == begin {
            open(&office, opened, options.newcomers, from)?;
        }
        let mut run = |month: &Month, day: Date| {
            send(&office, month, noon(day))?;
            expected.add(month.all());
            bill(&office, &schema, &runtime, month, options, day)
        };
        let measured = run(&old, first_of(number + 1)?)?;
        months.push(per_second(options.due, measured.took));
        cpu.push(measured.cpu);
        last = Some(measured);
        if new.accounts > 0 {
            cpu_of_new.push(run(&new, day_of(number + 1, NEW_DAY)?)?.cpu);
        }
    }
    let invoices = options.due * options.months + options.newcomers * options.months.min(YEAR);
    let billed = billed(&office);
    if billed != (invoices, expected) {
        return Err(Failure::refused(format!(
            "billed (documents, cents) {billed:?}, the oracle says {:?}",
            (invoices, expected)
        )));
    }
    let last = last.ok_or_else(|| Failure::refused("no month was billed"))?;
    let previews = previews(&office, &schema, &runtime, options)?;
    let broken = office.ledger.read(TENANT, audit);
    if !broken.is_empty() {
        return Err(Failure::refused(broken.join("; ")));
    }
    let verified = office.store().verify(&mut |_, _| {});
    let verified = verified.map_err(Failure::store)?;
    Ok(json!({
        "bench": "invoice",
        "conditions": conditions(),
        "accounts": options.accounts,
        "subscriptions": options.accounts * 3,
        "due": options.due,
        "records_per_invoice": options.records,
        "months": options.months,
        "opening_seconds": opening.as_secs(),
        "invoices_per_second": per_second(options.due, last.took),
        "invoices_per_second_by_month": months,
        "cpu_micros_per_invoice": micros(last.cpu, options.due),
        "cpu_micros_per_invoice_by_year": by_year(&cpu, options.due),
        "newcomers": options.newcomers,
        "cpu_micros_per_invoice_of_newcomers": by_year(&cpu_of_new, options.newcomers),
        "cpu_micros_per_invoice_by_thread": last.threads,
        "invoices_per_second_until_visible": per_second(options.due, last.visible),
        "query_wait_during_run": waits(last.waits),
        "preview_wait": waits(previews),
        "billed": { "documents": billed.0, "net_cents": billed.1.net, "tax_cents": billed.1.tax },
        "oracle": { "documents": invoices, "net_cents": expected.net, "tax_cents": expected.tax },
        "verified": { "events": verified.events, "blocks": verified.blocks },
        "peak_memory_kib": peak_memory_kib(),
        "bytes_on_disk": resources::bytes_on_disk(scratch.path()),
    }))
}

/// The first day of a month, counted from January 2026.
fn first_of(number: u64) -> Result<Date, Failure> {
    let year = 2026 + i32::try_from(number / 12).map_err(Failure::store)?;
    let month = u32::try_from(number % 12).map_err(Failure::store)? + 1;
    NaiveDate::from_ymd_opt(year, month, 1).ok_or_else(|| Failure::refused("no such month"))
}

fn day_of(number: u64, day: u32) -> Result<Date, Failure> {
    let first = first_of(number)?;
    let day = first.with_day(day);
    day.ok_or_else(|| Failure::refused("no such day"))
}

fn seconds(day: Date) -> i64 {
    day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp()
}

fn noon(day: Date) -> Instant {
    Instant((seconds(day) + 43_200) * 1_000_000)
}

fn micros(all: Duration, each: u64) -> String {
    let hundredths = all.as_nanos() / 10 / u128::from(each.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Without a command id nobody compares inputs, so none is hashed.
fn request(now: Instant, command: Command) -> Request {
    Request {
        tenant: TENANT.into(),
        command_id: None,
        input_hash: [0; 32],
        actor: "bench".into(),
        correlation: String::new(),
        causation: 0,
        now,
        command,
    }
}

fn set_up(office: &Office, options: &Options) -> Result<(), Failure> {
    let currency: Currency = "EUR".parse().map_err(Failure::refused)?;
    let first = first_of(0)?;
    let entity = EntityTerms {
        name: "Bench".into(),
        country: "DE".into(),
        currency,
        ..EntityTerms::default()
    };
    let rate = |class: &str, rate: &str| {
        Ok(Command::SetTaxRate(Rate {
            name: "VAT".into(),
            category: String::new(),
            class: class.into(),
            seller: "DE".into(),
            buyer: "DE".into(),
            rate: rate.parse().map_err(Failure::store)?,
            from: first,
            parts: vec![],
        }))
    };
    let terms = DiscountTerms {
        name: "Ten percent off fees".into(),
        off: Off::Percent("0.1".parse().map_err(Failure::store)?),
        scope: Of {
            kinds: vec![ChargeKind::Recurring],
            ..Of::default()
        },
        lasts: Lasts::Forever,
        redeem_from: None,
        redeem_until: None,
        limit: None,
        limit_per_account: None,
        sequence: 0,
        exclusive: false,
    };
    let before = [
        Command::OpenEntity {
            entity: "main".into(),
            terms: entity,
        },
        rate("standard", "0.19")?,
        rate("reduced", "0.07")?,
        Command::ApplyCatalog {
            offers: catalog::parse(CATALOG).map_err(Failure::refused)?,
        },
        Command::DefineDiscount {
            discount: "ten".into(),
            terms: Box::new(terms),
        },
    ];
    let commands = before.into_iter();
    let commands = commands.map(|command| request(noon(first), command));
    execute(office, commands)?;
    open(office, 0, options.due, first)?;
    let others = options.accounts.saturating_sub(options.due);
    open(office, options.due, others, day_of(0, OTHER_DAY)?)
}

fn execute(office: &Office, commands: impl Iterator<Item = Request>) -> Result<(), Failure> {
    office
        .ledger
        .execute_all(commands, &mut |_| {})
        .map_err(|refused| Failure::refused(refused.message()))
}

/// Accounts with their contracts and discount, from a day on.
fn open(office: &Office, first: u64, accounts: u64, from: Date) -> Result<(), Failure> {
    let currency: Currency = "EUR".parse().map_err(Failure::refused)?;
    let access = |n: &str| ingest::access(&office.keyring, TENANT, n);
    let each = |n: u64| {
        let account = format!("a{n}");
        let terms = AccountTerms {
            entity: "main".into(),
            currency,
            country: "DE".into(),
            ..AccountTerms::default()
        };
        let redeem = RedeemDiscount {
            account: account.clone(),
            discount: "ten".into(),
            redemption: format!("ten-{n}"),
            subscription: None,
            from: None,
        };
        let opened = Command::OpenAccount {
            account: account.clone(),
            terms,
        };
        let contracts = OFFERS.map(|(offer, used)| {
            Command::StartSubscription(Box::new(StartSubscription {
                subscription: format!("{offer}-{n}"),
                account: account.clone(),
                offer: offer.into(),
                quantity: Decimal::ONE,
                from: None,
                billing_day: None,
                overrides: BTreeMap::new(),
                trial: true,
                access: if used {
                    vec![access(&format!("{offer}-{n}"))]
                } else {
                    vec![]
                },
            }))
        });
        let redeem = Command::RedeemDiscount(Box::new(redeem));
        [opened].into_iter().chain(contracts).chain([redeem])
    };
    let commands = (first..first + accounts).flat_map(each);
    execute(office, commands.map(|command| request(noon(from), command)))
}

/// A month of usage, sent when it is over.
fn send(office: &Office, month: &Month, now: Instant) -> Result<(), Failure> {
    let mut from = 0;
    while from < month.records() {
        let until = month.records().min(from + FILE);
        let name = format!("m{}-{}-{from}", month.number, month.first);
        let origin = Origin {
            tenant: TENANT,
            source: "bench",
            format: Format::Records,
            name: &name,
            batch: &name,
        };
        let asked = |intake: Intake| {
            let input_hash = intake.digest();
            Request {
                input_hash,
                ..request(now, Command::IngestUsage(Box::new(intake)))
            }
        };
        let file = month.csv(from, until);
        ingest::take_in(
            &office.ledger,
            &office.keyring,
            &origin,
            Raw::Dropped,
            &file,
            &asked,
            &mut |_| {},
        )
        .map_err(Failure::refused)?;
        from = until;
    }
    Ok(())
}

/// One bill run over everything due, while a client asks questions one after the other.
fn bill(
    office: &Arc<Office>,
    schema: &Schema,
    runtime: &tokio::runtime::Runtime,
    month: &Month,
    options: &Options,
    day: Date,
) -> Result<Run, Failure> {
    let ask = BillRunRequest {
        tenant: TENANT.into(),
        run: format!("run-{}-{}", month.number, month.first),
        as_of: Some(day),
        accounts: vec![],
        draft: false,
        command_id: None,
        input_hash: [0; 32],
        actor: "bench".into(),
        correlation: String::new(),
        now: noon(day),
    };
    office.clock.move_to(noon(day));
    // What was sent before is not the run's work.
    office
        .views
        .wait_for(office.store().head(), Duration::from_secs(3_600))
        .map_err(Failure::store)?;
    let over = Arc::new(AtomicBool::new(false));
    let asking = {
        let (schema, over, accounts) = (schema.clone(), Arc::clone(&over), options.accounts);
        runtime.spawn(async move {
            let mut taken = Vec::new();
            let mut n = 0_u64;
            while !over.load(Ordering::Relaxed) {
                let account = n.wrapping_mul(2_654_435_761) % accounts;
                let query = if n.is_multiple_of(2) {
                    BALANCE
                } else {
                    PREVIEW
                };
                taken.push(question(&schema, query, account).await?);
                n += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ok::<_, String>(taken)
        })
    };
    let threads_before = cpu_by_thread();
    let cpu_before = cpu_of_process();
    let start = Clock::now();
    let report = office.ledger.run_bill(&ask, &mut |_, _| {});
    let took = since(start);
    let cpu = cpu_of_process().saturating_sub(cpu_before);
    let threads = by_thread(&threads_before, month.accounts);
    let report = report.map_err(|refused| Failure::refused(refused.message()))?;
    office
        .views
        .wait_for(report.position, Duration::from_secs(600))
        .map_err(Failure::store)?;
    let visible = since(start);
    over.store(true, Ordering::Relaxed);
    let asked = runtime.block_on(asking).map_err(Failure::store)?;
    Ok(Run {
        took,
        cpu,
        visible,
        waits: asked.map_err(Failure::refused)?,
        threads,
    })
}

/// What a document of each twelve months cost.
fn by_year(months: &[Duration], due: u64) -> Vec<String> {
    let year = |months: &[Duration]| micros(months.iter().sum(), due * months.len() as u64);
    months.chunks(12).map(year).collect()
}

fn by_thread(before: &BTreeMap<u64, (String, Duration)>, each: u64) -> Value {
    let mut by_name: BTreeMap<String, Duration> = BTreeMap::new();
    for (thread, (name, cpu)) in cpu_by_thread() {
        let was = before.get(&thread).map_or(Duration::ZERO, |(_, cpu)| *cpu);
        *by_name.entry(name).or_default() += cpu.saturating_sub(was);
    }
    let all = by_name.into_iter().filter(|(_, cpu)| !cpu.is_zero());
    all.map(|(name, cpu)| (name, json!(micros(cpu, each))))
        .collect::<serde_json::Map<String, Value>>()
        .into()
}

const BALANCE: &str = "query($account: ID!) { balance(account: $account) { open } }";
const PREVIEW: &str = r#"mutation($account: ID!) {
  draftInvoice(idempotencyKey: "preview", id: "preview", account: $account, dryRun: true) { receipt { position } }
}"#;

/// Asks as a frontend does; an account with nothing due is an answer too.
async fn question(schema: &Schema, query: &str, account: u64) -> Result<Duration, String> {
    let caller = Caller {
        tenant: TENANT.to_string(),
        scope: Scope::Operate,
        actor: "bench".to_string(),
    };
    let variables = json!({ "account": format!("a{account}") });
    let request = async_graphql::Request::new(query)
        .variables(Variables::from_json(variables))
        .data(Arc::new(caller))
        .data(RequestId::default());
    let begun = Clock::now();
    let answer = schema.execute(request).await;
    let took = since(begun);
    match answer.errors.first() {
        Some(error) if !error.message.contains("nothing is due") => Err(error.message.clone()),
        _ => Ok(took),
    }
}

/// What the coming document of accounts with all their history would be, one after the other.
fn previews(
    office: &Arc<Office>,
    schema: &Schema,
    runtime: &tokio::runtime::Runtime,
    options: &Options,
) -> Result<Vec<Duration>, Failure> {
    let month = Month {
        number: options.months,
        begins: seconds(first_of(options.months)?),
        first: 0,
        accounts: options.due,
        records_each: 2,
    };
    let now = noon(first_of(options.months + 1)?);
    send(office, &month, now)?;
    office.clock.move_to(now);
    let mut taken = Vec::new();
    for n in 0..options.previews {
        let account = n.wrapping_mul(2_654_435_761) % options.due;
        let asked = runtime.block_on(question(schema, PREVIEW, account));
        taken.push(asked.map_err(Failure::refused)?);
    }
    Ok(taken)
}

/// Finalised documents, and their sums in cents.
fn billed(office: &Office) -> (u64, Total) {
    office.ledger.read(TENANT, |tenant| {
        let mut sum = (0, Total::default());
        let all = tenant.tables.invoices.values();
        for invoice in all.map(|entry| &entry.state) {
            if invoice.stage == Stage::Finalised {
                sum.0 += 1;
                sum.1.net += i64::try_from(invoice.document.net.minor).unwrap_or(i64::MAX);
                sum.1.tax += i64::try_from(invoice.document.tax.minor).unwrap_or(i64::MAX);
            }
        }
        sum
    })
}
