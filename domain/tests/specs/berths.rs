//! The short way of usage records: whatever happened before, it leads to what the long way leads to, and a berth that was
//! remembered says what one says that is read anew.

use crate::book::{Book, d};
use crate::whatever_happens::Dice;
use indelible_domain::catalog;
use indelible_domain::command::{ChangeSubscription, Effective, StartSubscription};
use indelible_domain::fields::{Carrier, Definition, FieldKind, FieldValue, Period, Place};
use indelible_domain::kernel::Instant;
use indelible_domain::mediation::{Intake, Key, Received, UsageRecord};
use indelible_domain::subscriptions::Unused;
use indelible_domain::world::Tenant;
use indelible_domain::{Command, Event, Outcome, Rejection, Session, operations};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Two offers that price the same metrics differently, with charges of every way.
const OFFERS: &str = r#"
[[offer]]
code = "one"
name = "One"
currency = "USD"
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
per = "60"
allowance = "10"
every = "1 month"
align = "calendar"
price = { per_unit = "0.05" }
[[offer.usage]]
code = "abroad"
name = "Abroad"
metric = "voice"
unit = "minute"
per = "60"
least = "0.5"
round = { to = "1", mode = "up" }
every = "1 month"
priority = 1
price = { graduated = [{ up_to = "3", unit = "0.7", flat = "1" }, { unit = "0.4" }] }
where = { zone = "abroad" }
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "MB"
every = "2 weeks"
price = { volume = [{ up_to = "100", unit = "0.02" }, { unit = "0.015" }] }
maximum = "7"
[[offer.usage]]
code = "roaming"
name = "Roaming"
metric = "roaming"
unit = "minute"
every = "1 month"
align = "billing_day"
[offer.usage.price.matrix]
columns = [{ attribute = "zone" }, { attribute = "$date", kind = "date" }]
lines = [
  { cells = ["eu", "2012-05-15.."], price = { per_unit = "0.012" } },
  { cells = ["eu", "*"], price = { per_unit = "0.009" } },
  { cells = ["abroad", "*"], price = { per_unit = "0.045" } },
]
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "call"
every = "1 month"
price = { expression = 'units * 0.0005 * (1 - coalesce(field("rebate"), 0)) + subscription.quantity / number(record.share)' }
[[offer.usage]]
code = "peak"
name = "Peak"
metric = "level"
unit = "kW"
every = "1 month"
aggregate = "max"
price = { per_unit = "2" }

[[offer]]
code = "two"
name = "Two"
currency = "USD"
[[offer.usage]]
code = "voice"
name = "Voice"
metric = "voice"
unit = "minute"
every = "1 month"
align = "calendar"
price = { package = { size = "10", price = "0.3", free = "5" } }
[[offer.usage]]
code = "prepaid"
name = "Prepaid"
metric = "data"
unit = "MB"
every = "1 month"
price = { per_unit = "0.01" }
pay = "wallet_then_invoice"
[[offer.usage]]
code = "share"
name = "Share"
metric = "calls"
unit = "USD"
every = "1 month"
price = { percentage = { rate = "0.1", fixed = "0.2", free_events = 2 } }
[[offer.usage]]
code = "resold"
name = "Resold"
metric = "roaming"
unit = "USD"
every = "1 month"
price = { dynamic = { multiplier = "1.15" } }
"#;

const ZONES: [&str; 3] = ["UTC", "America/New_York", "Asia/Kolkata"];

fn key(of: &str) -> Key {
    let hash = blake3::hash(of.as_bytes());
    *hash.as_bytes().first_chunk().expect("32 bytes")
}

fn access(n: u64) -> String {
    blake3::hash(&n.to_le_bytes()).to_hex()[..32].to_string()
}

fn offers() -> Command {
    let offers = catalog::parse(OFFERS).expect("a catalog");
    Command::ApplyCatalog { offers }
}

/// What a command leads to, and the tenant afterwards.
type Led = (Outcome, Vec<(String, u64, Event)>, Tenant);

/// Facts that went the short way, in the state that works on.
static SHORT: AtomicUsize = AtomicUsize::new(0);

/// Runs a command on a tenant, by the short way where there is one, or by the long way only.
fn led(book: &Book, tenant: &Tenant, command: Command, short: bool) -> Result<Led, Rejection> {
    let session = Session::new(tenant, book.now()).with(&book.past);
    let mut session = match short {
        true => session,
        false => session.without_berths(),
    };
    let outcome = operations::execute(&mut session, command)?;
    let (tables, staged) = session.finish();
    let mut after = tenant.clone();
    after.absorb(tables, &staged);
    let apart = staged.iter().filter(|s| s.apart.is_some()).count();
    SHORT.fetch_add(apart, Ordering::Relaxed);
    let facts = staged
        .into_iter()
        .map(|s| (s.id.to_string(), s.version, s.event));
    Ok((outcome, facts.collect(), after))
}

/// Asks for a command, after a look at where every way leads.
fn ask(book: &mut Book, command: Command) -> bool {
    let long = led(book, book.tenant(), command.clone(), false);
    // Nobody has ever read a berth of a copy.
    let anew = led(book, &book.tenant().clone(), command.clone(), true);
    let remembered = led(book, book.tenant(), command.clone(), true);
    assert_eq!(anew, long, "by berths that are read anew");
    assert_eq!(remembered, long, "by berths that were remembered");
    let done = book.ask(command).is_ok();
    if let Ok((_, _, after)) = long {
        assert_eq!(*book.tenant(), after, "in the state that works on");
    }
    done
}

/// A place in a list of so many.
fn up_to(dice: &mut Dice, many: u64) -> usize {
    usize::try_from(dice.roll(many)).expect("few")
}

fn record(dice: &mut Dice, n: u64) -> UsageRecord {
    let metric = ["voice", "data", "roaming", "calls", "level"][up_to(dice, 5)];
    let mut attributes = BTreeMap::new();
    if dice.roll(3) > 0 {
        let zone = ["eu", "abroad", "mars"][up_to(dice, 3)];
        attributes.insert("zone".to_string(), zone.to_string());
    }
    attributes.insert("share".to_string(), dice.roll(4).to_string());
    let named = if dice.roll(6) == 0 {
        dice.roll(n.max(1))
    } else {
        n
    };
    // Around the ends of months and of days, too.
    let day = [10, 31, 40, 59, 61][up_to(dice, 5)] * 86_400 + dice.roll(3) * 86_399;
    let at = 1_333_238_400 + day + dice.roll(7_200);
    let quantity = format!(
        "{}{}.{}",
        ["", "", "", "-"][up_to(dice, 4)],
        dice.roll(200),
        dice.roll(100)
    );
    let said = format!("{metric} {attributes:?} {at} {quantity}");
    let access = match dice.roll(12) {
        0 => format!("subscription:s{}", dice.roll(6)),
        1 => access(99),
        // Each subscription has two numbers.
        _ => access(dice.roll(6) + 10 * dice.roll(2)),
    };
    UsageRecord {
        line: n,
        key: key(&format!("r{named}")),
        content: key(&said),
        corrects: dice.roll(3) == 0,
        metric: metric.into(),
        access,
        at: Instant(i64::try_from(at).expect("this century") * 1_000_000),
        quantity: quantity.parse().expect("a quantity"),
        amount: (dice.roll(2) == 0).then(|| "3.5".parse().expect("an amount")),
        attributes,
        raw: None,
    }
}

fn something(book: &mut Book, dice: &mut Dice, n: u64) -> Command {
    let who = dice.roll(6);
    let subscription = format!("s{who}");
    match dice.roll(24) {
        0 => Command::ChangeSubscription(Box::new(ChangeSubscription {
            subscription,
            offer: Some(["one", "two"][up_to(dice, 2)].into()),
            quantity: None,
            billing_day: None,
            overrides: BTreeMap::new(),
            effective: Effective::Immediate,
            unused: Unused::default(),
        })),
        1 => Command::PauseSubscription {
            subscription,
            reason: "holiday".into(),
            from: None,
        },
        2 => Command::ResumeSubscription {
            subscription,
            reason: "holiday".into(),
            on: None,
        },
        3 => Command::OpenWallet {
            wallet: format!("w{who}"),
            account: format!("a{}", who / 2),
            priority: 1,
        },
        4 => {
            let account = format!("a{}", who / 2);
            let known = book.tenant().tables.accounts.get(&account);
            let mut terms = known.expect("an account").state.terms.clone();
            terms.zone = ZONES[up_to(dice, 3)].parse().expect("a zone");
            Command::ChangeAccount { account, terms }
        }
        5 => Command::SetField {
            place: Place::new(Carrier::Account, format!("a{}", who / 2)),
            field: "rebate".into(),
            period: Period {
                from: None,
                until: None,
                priority: 0,
                value: FieldValue::Number("0.25".parse().expect("a number")),
            },
        },
        6 => Command::StartBillRun {
            run: format!("run-{n}"),
            as_of: None,
            accounts: vec![],
            draft: false,
        },
        7 => {
            book.days_later(i64::try_from(dice.roll(9)).expect("few"));
            offers()
        }
        _ => {
            let many = 1 + dice.roll(40);
            let lines = (0..many).map(|line| Received::Record(record(dice, n * 100 + line)));
            Command::IngestUsage(Box::new(Intake {
                batch: format!("b{n}"),
                source: "switch".into(),
                format: "records".into(),
                name: "file".into(),
                lines: lines.collect(),
            }))
        }
    }
}

fn shop() -> Book {
    let mut book = Book::new();
    book.ask(Command::DefineField(Box::new(Definition {
        code: "rebate".into(),
        name: "Rebate".into(),
        of: BTreeSet::from([Carrier::Account]),
        kind: FieldKind::Number,
        ..Definition::default()
    })))
    .expect("a field");
    book.ask(offers()).expect("offers");
    for n in 0..6 {
        if n % 2 == 0 {
            book.open(&format!("a{}", n / 2), |terms| {
                terms.zone = ZONES[usize::try_from(n / 2).expect("few")]
                    .parse()
                    .expect("a zone");
            });
        }
        book.ask(Command::StartSubscription(Box::new(StartSubscription {
            subscription: format!("s{n}"),
            account: format!("a{}", n / 2),
            offer: "one".into(),
            quantity: "2".parse().expect("a quantity"),
            from: Some(d("2012-04-20")),
            billing_day: Some(15),
            overrides: BTreeMap::new(),
            trial: false,
            // Two of one account are reached by the same number.
            access: vec![access(if n == 5 { 4 } else { n }), access(n + 10)],
        })))
        .expect("started");
    }
    book
}

#[test]
fn whatever_happens_the_short_way_leads_where_the_long_way_does() {
    let mut rated = 0;
    for seed in 0..24 {
        let (mut book, mut dice) = (shop(), Dice(seed));
        for n in 1..30 {
            let command = something(&mut book, &mut dice, n);
            ask(&mut book, command);
            while let Some(run) = left(&book) {
                book.ask(Command::StepBillRun { run }).expect("goes on");
            }
        }
        rated += book.tenant().tables.usage.len();
    }
    let short = SHORT.load(Ordering::Relaxed);
    assert!(
        rated > 500 && short > 2_000,
        "{rated} meters, {short} facts"
    );
}

/// A bill run that has not ended.
fn left(book: &Book) -> Option<String> {
    let mut runs = book.tenant().tables.runs.iter();
    let open = runs.find(|(_, run)| !run.state.completed);
    open.map(|(id, _)| id.clone())
}
