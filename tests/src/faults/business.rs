//! A small business whose every command can be computed anywhere: what it bills is the same wherever and however often
//! its months are worked through.

use std::collections::BTreeMap;

use indelible_domain::accounts::AccountTerms;
use indelible_domain::command::{InvoicingPlace, StartSubscription};
use indelible_domain::entities::EntityTerms;
use indelible_domain::expressions::Expression;
use indelible_domain::invoicing::{Rule, Split, Terms, Verdict};
use indelible_domain::kernel::{Date, Decimal, Instant, Zone};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::{Command, catalog};
use indelible_store::{BillRunRequest, Ledger, Refused, Request};

/// The only tenant.
pub const TENANT: &str = "drill";
/// Months after which the years begin again.
const MONTHS: u64 = 12;
const FIRST_YEAR: u64 = 2026;
/// Records of one account in one month.
const RECORDS: u64 = 4;

const OFFERS: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "EUR"
[[offer.one_off]]
code = "setup"
name = "Setup"
amount = "9.90"
on = "activation"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { per_unit = "19.99" }
every = "1 month"
align = "calendar"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "call"
unit = "minute"
per = "60"
allowance = "5"
every = "1 month"
align = "calendar"
price = { graduated = [ { up_to = "20", unit = "0.0713" }, { unit = "0.0311" } ] }
"#;

/// First day of a month, counted from 0.
pub fn day(month: u64) -> Date {
    let year = i32::try_from(FIRST_YEAR + month / MONTHS).unwrap_or(i32::MAX);
    let of_year = u32::try_from(month % MONTHS).unwrap_or(0) + 1;
    Date::from_ymd_opt(year, of_year, 1).unwrap_or_default()
}

/// The moment at which a month is worked through.
pub fn now(month: u64) -> Instant {
    Zone::default().start_of(day(month))
}

fn ask(month: u64, name: String, command: Command) -> Request {
    Request::new(TENANT, "drill", now(month), command).named(name)
}

/// Everything before the first month: legal entity, offers and accounts. Two kinds of documents that are not simply
/// finalised, one that is refused, one account that waits for its minimum, one that pays for another, one with a document
/// for each subscription.
pub fn opening(accounts: u64) -> Vec<Request> {
    let entity = EntityTerms {
        name: "Drill".into(),
        country: "DE".into(),
        currency: "EUR".parse().expect("a currency"),
        payment_days: 14,
        ..EntityTerms::default()
    };
    let mut all = vec![
        Command::OpenEntity {
            entity: "main".into(),
            terms: entity,
        },
        Command::SetTaxRate(indelible_domain::taxes::Rate {
            name: "VAT".into(),
            category: "*".into(),
            class: "*".into(),
            seller: "DE".into(),
            buyer: "*".into(),
            rate: "0.19".parse().expect("a rate"),
            from: day(0),
            parts: vec![],
        }),
        Command::ApplyCatalog {
            offers: catalog::parse(OFFERS).expect("the offers read"),
        },
    ];
    for n in 0..accounts {
        all.extend(account(n));
    }
    let named = |(i, command)| ask(0, format!("opening {i}"), command);
    all.into_iter().enumerate().map(named).collect()
}

fn account(n: u64) -> Vec<Command> {
    let terms = AccountTerms {
        entity: "main".into(),
        currency: "EUR".parse().expect("a currency"),
        payer: (n % 10 == 6).then(|| format!("a{}", n - 1)),
        ..AccountTerms::default()
    };
    let mut all = vec![Command::OpenAccount {
        account: format!("a{n}"),
        terms,
    }];
    for which in 0..=n % 2 {
        all.push(Command::StartSubscription(Box::new(StartSubscription {
            subscription: format!("a{n}.s{which}"),
            account: format!("a{n}"),
            offer: "line".into(),
            quantity: Decimal::from(1 + i64::try_from(n % 3).unwrap_or(0)),
            from: Some(day(0)),
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: true,
            access: vec![],
        })));
    }
    let said = match n % 10 {
        1 => Terms {
            split: Split::Subscription,
            ..Terms::default()
        },
        2 => Terms {
            keep_drafts: true,
            ..Terms::default()
        },
        3 => Terms {
            minimum: Some(Decimal::from(150)),
            ..Terms::default()
        },
        4 => Terms {
            rules: vec![Rule {
                code: "never".into(),
                when: Expression::new("total > 0"),
                verdict: Verdict::Reject,
                text: "nothing is ever billed".into(),
            }],
            ..Terms::default()
        },
        _ => return all,
    };
    all.push(Command::SetInvoicing {
        place: InvoicingPlace::Account(format!("a{n}")),
        terms: Some(Box::new(said)),
    });
    all
}

/// What happens in the month before a run: usage of every account.
pub fn before(month: u64, accounts: u64) -> Vec<Request> {
    let Some(used) = month.checked_sub(1) else {
        return vec![];
    };
    let batch = |n: u64| {
        let lines = (0..RECORDS).map(|r| Received::Record(record(used, n, r)));
        let intake = Intake {
            batch: format!("m{used}.a{n}"),
            source: "drill".into(),
            format: "api".into(),
            name: "drill".into(),
            lines: lines.collect(),
        };
        let command = Command::IngestUsage(Box::new(intake));
        ask(month, format!("usage {used} {n}"), command)
    };
    (0..accounts).map(batch).collect()
}

fn record(month: u64, n: u64, r: u64) -> UsageRecord {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&(month * 1_000_000 + n * 1_000 + r).to_be_bytes());
    let noon = 12 * 3_600_000_000;
    let within = i64::try_from(r).unwrap_or(0) * 24 * 3_600_000_000;
    UsageRecord {
        line: r + 1,
        key,
        content: key,
        corrects: false,
        metric: "call".into(),
        access: format!("subscription:a{n}.s0"),
        at: Instant(now(month).0 + within + noon),
        quantity: Decimal::from(i64::try_from(241 + n * 37 + r * 101).unwrap_or(0)),
        amount: None,
        attributes: BTreeMap::new(),
        raw: None,
    }
}

/// The run of a month.
pub fn run(month: u64, name: &str) -> BillRunRequest {
    BillRunRequest {
        tenant: TENANT.into(),
        run: name.into(),
        as_of: Some(day(month)),
        accounts: vec![],
        draft: false,
        command_id: Some(format!("bill {name}")),
        input_hash: [7; 32],
        actor: "drill".into(),
        correlation: String::new(),
        now: now(month),
    }
}

/// A run of the month, begun or gone on with, one command after the other: the next one is decided when the one before is on
/// the disk. Several names: runs over the same accounts at the same time, in turn. Tells of each command that is durable.
pub fn step_by_step(
    ledger: &Ledger,
    month: u64,
    names: &[&str],
    told: &mut dyn FnMut(),
) -> Result<(), Refused> {
    for name in names {
        let start = Command::StartBillRun {
            run: (*name).into(),
            as_of: Some(day(month)),
            accounts: vec![],
            draft: false,
        };
        match ledger.execute(ask(month, format!("start {name}"), start)) {
            Err(Refused::Rejection(no)) if no.code == "RUN_EXISTS" => {}
            other => drop(other?),
        }
        told();
    }
    let mut open: Vec<&str> = names.to_vec();
    while !open.is_empty() {
        let mut still = Vec::new();
        for name in open {
            let step = Command::StepBillRun { run: name.into() };
            let done = ledger.execute(Request::new(TENANT, "drill", now(month), step))?;
            told();
            if done.outcome.left > 0 {
                still.push(name);
            }
        }
        open = still;
    }
    Ok(())
}
