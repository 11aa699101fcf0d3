//! What a rerating adds leads to more facts than a commit takes: it comes in halves, is settled as one, and is taken back as one.

use std::collections::BTreeMap;
use std::sync::Arc;

use indelible_domain::accounts::AccountTerms;
use indelible_domain::command::{StartSubscription, UsageCounts};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Date, Instant, Money};
use indelible_domain::mediation::{Intake, Key, Received, UsageRecord};
use indelible_domain::reratings::{Ask, Change, Settle};
use indelible_domain::world::Tenant;
use indelible_domain::{Command, Outcome, catalog};
use indelible_store::{Ledger, MAX_EVENTS, MemoryStore, Refused, Request};

const TENANT: &str = "t";
const COUNTERS: usize = 100;
/// Each record that is added draws on all but one of the counters: a fact for each.
const CUSTOMERS: usize = MAX_EVENTS / COUNTERS + 20;

fn request(now: &str, command: Command) -> Request {
    Request {
        tenant: TENANT.into(),
        command_id: None,
        input_hash: [0; 32],
        actor: "test".into(),
        correlation: "test".into(),
        causation: 0,
        now: now.parse::<Instant>().expect("an instant"),
        command,
    }
}

const BEGIN: &str = "2012-05-01T12:00:00Z";
const AFTER: &str = "2012-06-02T12:00:00Z";

fn ask(ledger: &Ledger, now: &str, command: Command) -> Result<Outcome, Refused> {
    let done = ledger.execute(request(now, command));
    done.map(|receipt| receipt.outcome)
}

/// One record for each customer.
fn records(batch: &str, quantity: i64) -> Intake {
    let short = |text: String| -> Key {
        let hash = blake3::hash(text.as_bytes());
        *hash.as_bytes().first_chunk().expect("16 bytes")
    };
    let record = |n: usize| UsageRecord {
        line: n as u64 + 1,
        key: short(format!("{batch} {n}")),
        content: short(format!("{batch} {n} {quantity}")),
        corrects: false,
        metric: "voice".into(),
        access: format!("subscription:s{n}"),
        at: "2012-05-10T10:00:00Z".parse().expect("an instant"),
        quantity: quantity.into(),
        amount: None,
        attributes: BTreeMap::new(),
        raw: None,
    };
    Intake {
        batch: batch.into(),
        source: "test".into(),
        format: "records".into(),
        name: format!("{batch}.csv"),
        lines: (0..CUSTOMERS)
            .map(|n| Received::Record(record(n)))
            .collect(),
    }
}

/// Customers with a hundred counters of one second each, of which the first is used up by what May was billed for.
fn billed() -> Ledger {
    let counters: String = (0..COUNTERS)
        .map(|n| format!("[[offer.counter]]\ncode = \"c{n}\"\nunit = \"s\"\nsize = \"1\"\nreset = \"month\"\n"))
        .collect();
    let offer = "[[offer]]\ncode = \"o\"\nname = \"o\"\ncurrency = \"EUR\"\n[[offer.usage]]\ncode = \"u\"\nname = \"u\"\n\
         metric = \"voice\"\nunit = \"s\"\nevery = \"1 month\"\nalign = \"calendar\"\nprice = { per_unit = \"1\" }\n";
    let ledger = Ledger::open(Arc::new(MemoryStore::new())).expect("an empty ledger");
    let begin = |command| ask(&ledger, BEGIN, command).expect("is carried out");
    let eur = "EUR".parse().expect("EUR");
    begin(Command::OpenEntity {
        entity: "e".into(),
        terms: EntityTerms {
            name: "E".into(),
            country: "DE".into(),
            currency: eur,
            ..EntityTerms::default()
        },
    });
    begin(Command::OpenAccount {
        account: "a".into(),
        terms: AccountTerms {
            entity: "e".into(),
            currency: eur,
            ..AccountTerms::default()
        },
    });
    let offers = catalog::parse(&format!("{offer}{counters}")).expect("a catalog");
    begin(Command::ApplyCatalog { offers });
    for n in 0..CUSTOMERS {
        begin(Command::StartSubscription(Box::new(StartSubscription {
            subscription: format!("s{n}"),
            account: "a".into(),
            offer: "o".into(),
            quantity: 1.into(),
            from: None,
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: false,
            access: vec![],
        })));
    }
    // Every counter begins with it, so it is too much for one commit too.
    for half in records("first", 1).halves().expect("many records") {
        let half = Command::IngestUsage(Box::new(half));
        ask(&ledger, AFTER, half).expect("is taken in");
    }
    let run = || "r".to_string();
    let start = Command::StartBillRun {
        run: run(),
        as_of: None,
        accounts: vec![],
        draft: false,
    };
    let mut left = ask(&ledger, AFTER, start).expect("starts").left;
    while left > 0 {
        let step = Command::StepBillRun { run: run() };
        left = ask(&ledger, AFTER, step).expect("goes on").left;
    }
    ledger
}

fn late() -> Ask {
    let day = |text: &str| text.parse::<Date>().expect("a day");
    Ask {
        accounts: vec![],
        subscriptions: vec![],
        charges: vec![],
        from: day("2012-05-01"),
        until: day("2012-06-01"),
        change: Change::Add {
            batch: "late".into(),
        },
        reason: "it came late".into(),
        settle: Settle::Note,
    }
}

/// Adds a part, and by halves what is more than a commit takes; what became of its records.
fn add(ledger: &Ledger, part: Intake, more: bool) -> Vec<UsageCounts> {
    let command = Command::AddToRerating {
        rerating: "late".into(),
        ask: Box::new(late()),
        part: Box::new(part.clone()),
        more,
    };
    match ask(ledger, AFTER, command) {
        Ok(outcome) => outcome.usage.into_iter().collect(),
        Err(refused) => {
            assert_eq!(refused.code(), "TOO_LARGE");
            let [first, second] = part.halves().expect("more than one record");
            let mut all = add(ledger, first, true);
            all.extend(add(ledger, second, more));
            all
        }
    }
}

fn steps(ledger: &Ledger) {
    let step = || Command::StepRerating {
        rerating: "late".into(),
    };
    while ask(ledger, AFTER, step()).expect("a step").left > 0 {}
}

/// What was used beyond the counters, and what the documents of the account come to.
fn sums(ledger: &Ledger) -> (i64, Money, Vec<Money>) {
    let look = |tenant: &Tenant| {
        let meters = tenant.tables.usage.iter().map(|(_, e)| &e.state.meter);
        let used = meters.map(|m| m.quantity.to_string().parse::<i64>().expect("whole"));
        let documents = tenant.tables.invoices.iter();
        let nets: Vec<Money> = documents.map(|(_, e)| e.state.document.net).collect();
        let currency = "EUR".parse().expect("EUR");
        let all = Money::sum(currency, nets.iter().copied());
        (used.sum(), all, nets)
    };
    ledger.read(TENANT, look)
}

#[test]
#[ignore = "a minute in a debug build; `cargo xtask soak` runs it"]
fn records_of_a_rerating_beyond_one_commit_are_settled_and_taken_back_as_one() {
    let ledger = billed();
    let eur = |minor: i128| Money::new(minor, "EUR".parse().expect("EUR"));
    let n = i64::try_from(CUSTOMERS).expect("few");
    let before = sums(&ledger);
    assert_eq!((before.0, before.1), (0, eur(0)), "a counter covers it");
    let head = ledger.store().head();
    let whole = || Command::Rerate {
        rerating: "late".into(),
        ask: Box::new(late()),
        add: Some(Box::new(records("late", 110))),
    };
    let refused = ask(&ledger, AFTER, whole()).expect_err("more than a commit takes");
    assert_eq!(refused.code(), "TOO_LARGE");
    assert_eq!(ledger.store().head(), head, "nothing of it was written");

    let [first, second] = records("late", 110).halves().expect("two");
    let mut told = add(&ledger, first, true);
    told.extend(add(&ledger, second, false));
    let rated: u64 = told.iter().map(|counts| counts.rated).sum();
    assert_eq!(rated, CUSTOMERS as u64);
    steps(&ledger);
    // Of 110 seconds 99 are in what is left of the counters.
    let after = sums(&ledger);
    assert_eq!(after.0, 11 * n);
    assert_eq!(after.1, eur(i128::from(n) * 1100));
    assert_eq!(
        after.2.len(),
        before.2.len() + 1,
        "one note tells all of it"
    );

    let undo = Command::UndoRerating {
        rerating: "late".into(),
        reason: "it was not ours".into(),
    };
    ask(&ledger, AFTER, undo).expect("is taken back");
    steps(&ledger);
    let undone = sums(&ledger);
    assert_eq!((undone.0, undone.1), (before.0, before.1));
    let broken = ledger.read(TENANT, indelible_domain::audit::audit);
    assert_eq!(broken, Vec::<String>::new());
    // The counters are as full as they were: the same records cost the same again.
    let again = Ask {
        change: Change::Add {
            batch: "again".into(),
        },
        ..late()
    };
    let few = Intake {
        lines: records("again", 110).lines.into_iter().take(3).collect(),
        ..records("again", 110)
    };
    let rerate = Command::Rerate {
        rerating: "again".into(),
        ask: Box::new(again),
        add: Some(Box::new(few)),
    };
    let mut left = ask(&ledger, AFTER, rerate).expect("is rated").left;
    while left > 0 {
        let step = Command::StepRerating {
            rerating: "again".into(),
        };
        left = ask(&ledger, AFTER, step).expect("a step").left;
    }
    assert_eq!(sums(&ledger).1, eur(3 * 1100));
}
