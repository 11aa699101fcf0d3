//! Why a line is what it is, step by step: levels, prices that are expressions, commitments of an account.

use crate::book::{Book, d, usd};
use indelible_domain::Command;
use indelible_domain::catalog;
use indelible_domain::charges::explained::{self, Behind, Explained, Source};
use indelible_domain::charges::{Charges, What};
use indelible_domain::command::StartSubscription;
use indelible_domain::commitments::Agreed;
use indelible_domain::invoices::shown::{Beneath, Together, together};
use indelible_domain::invoices::{Document, Line, Shown};
use indelible_domain::kernel::{Date, Days, Exact, Instant, Money, Zone};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::past::Past;
use indelible_domain::usage::{self, Kept, Metered, Records};
use std::collections::BTreeMap;

const CATALOG: &str = r#"
[[offer]]
code = "seats"
name = "Seats"
currency = "USD"
[[offer.usage]]
code = "seats"
name = "Seats"
metric = "seats"
unit = "seat"
every = "1 month"
align = "calendar"
aggregate = "level"
carry = true
price = { graduated = [{ up_to = "2", unit = "31.00", flat = "5.00" }, { unit = "15.50" }] }

[[offer]]
code = "calls"
name = "Calls"
currency = "USD"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "call"
every = "1 month"
align = "calendar"
price = { expression = 'if units > 10 then 2 else 0.5' }
"#;

fn book() -> Book {
    let mut book = Book::new();
    let offers = catalog::parse(CATALOG).expect("the catalog is read");
    book.ask(Command::ApplyCatalog { offers }).expect("applies");
    book
}

fn start(book: &mut Book, subscription: &str, offer: &str) {
    book.ask(Command::StartSubscription(Box::new(StartSubscription {
        subscription: subscription.into(),
        account: "alice".into(),
        offer: offer.into(),
        quantity: 1.into(),
        from: None,
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec![],
    })))
    .expect("starts");
}

fn used(book: &mut Book, key: u64, metric: &str, of: &str, on: &str, quantity: i64) {
    let mut name = [0; 16];
    name[..8].copy_from_slice(&key.to_le_bytes());
    let at: Instant = Zone::default().start_of(d(on));
    let record = UsageRecord {
        line: 1,
        key: name,
        content: name,
        corrects: false,
        metric: metric.into(),
        access: format!("subscription:{of}"),
        at,
        quantity: quantity.into(),
        amount: None,
        attributes: Default::default(),
        raw: None,
    };
    book.ask(Command::IngestUsage(Box::new(Intake {
        batch: format!("b{key}"),
        source: "switch".into(),
        format: "api".into(),
        name: "usage".into(),
        lines: vec![Received::Record(record)],
    })))
    .expect("is taken in");
}

fn run(book: &mut Book, run: &str) {
    let mut outcome = book
        .ask(Command::StartBillRun {
            run: run.into(),
            as_of: None,
            accounts: vec![],
            draft: false,
        })
        .expect("starts");
    while outcome.left > 0 {
        outcome = book
            .ask(Command::StepBillRun { run: run.into() })
            .expect("steps");
    }
}

fn metered(book: &Book, subscription: &str, charge: &str, from: Date) -> Option<Metered> {
    let meter = usage::id(subscription, charge, from);
    let found = book.tenant().tables.usage.get(&meter)?;
    Some(Metered::clone(&found.state))
}

/// Explains a line as it stands now.
fn explain(book: &Book, invoice: &str, wanted: impl Fn(&Line) -> bool) -> Explained {
    let tables = &book.tenant().tables;
    let document: &Document = &tables.invoices[invoice].state.document;
    let line = document.lines.iter().find(|l| wanted(l)).expect("a line");
    let owner = line.subscription.as_ref().unwrap_or(&line.account);
    let charges = tables.charges.get(owner).map(|e| -> &Charges { &e.state });
    let sub = line
        .subscription
        .as_ref()
        .map(|id| &tables.subscriptions[id].state);
    let (mut meter, mut before, mut records) = (None, BTreeMap::new(), vec![]);
    if let (Some(sub), Some(id), What::Usage { charge, days }) =
        (sub, &line.subscription, &line.what)
    {
        meter = metered(book, id, charge, days.from);
        for from in explained::earlier(sub, charge, days.from) {
            before.extend(metered(book, id, charge, from).map(|m| (from, m)));
        }
        let events = book.past.meter(&usage::id(id, charge, days.from));
        let events = events.expect("the past is there");
        let kept: Vec<Kept> = Records::of(&events).iter().cloned().collect();
        records = kept;
    }
    let commitments = tables.commitments.get(owner).map(|e| &e.state);
    let mut rated = vec![];
    if let (Some(known), Some(days)) = (commitments, line.what.days()) {
        for (id, sub) in &tables.subscriptions {
            let agreed: &Agreed = &known.agreed[0];
            rated.push((id.clone(), rated_of(book, agreed, id, &sub.state, days)));
        }
    }
    let behind = Behind {
        invoice,
        subscription: sub,
        charges,
        metered: meter.as_ref(),
        records: &records,
        before: &before,
        commitments,
        rated: &rated,
    };
    let found = explained::line(document, line, behind).expect("fits");
    assert_eq!(found.recomputed().expect("fits"), line.priced());
    assert!(found.traced());
    found
}

fn rated_of(
    book: &Book,
    agreed: &Agreed,
    id: &str,
    sub: &indelible_domain::subscriptions::Subscription,
    days: Days,
) -> indelible_domain::kernel::Exact {
    let meters: BTreeMap<_, _> = explained::meters(sub, days)
        .into_iter()
        .filter_map(|(charge, from)| {
            let metered = metered(book, id, &charge, from)?;
            Some(((charge, from), metered))
        })
        .collect();
    let of = |charge: &str, from| meters.get(&(charge.to_string(), from));
    explained::rated(agreed, sub, days, of).expect("fits")
}

fn told(found: &Explained) -> Vec<String> {
    let figures = found.figures.iter();
    figures
        .map(|f| format!("{}: {}", f.text, f.amount.to_decimal(2)))
        .collect()
}

#[test]
fn a_level_is_told_by_how_long_each_stood_tier_by_tier_and_what_stood_before() {
    let mut book = book();
    start(&mut book, "s1", "seats");
    used(&mut book, 1, "seats", "s1", "2012-05-01", 2);
    used(&mut book, 2, "seats", "s1", "2012-05-11", 2);
    book.on("2012-06-01");
    run(&mut book, "r1");
    let found = explain(&book, "r1.alice", |_| true);
    assert_eq!(
        told(&found),
        [
            "level 2 for 10 of 31 days, tier 1: 20",
            "level 4 for 21 of 31 days, tier 1: 42",
            "level 4 for 21 of 31 days, tier 2: 21",
            ": 5",
        ]
    );
    assert_eq!(found.net, usd("88.00"));
    assert_eq!(found.figures[0].source, Source::Level);
    // What stood at the end of May stands in June, although nothing happened.
    book.on("2012-07-01");
    run(&mut book, "r2");
    let found = explain(&book, "r2.alice", |_| true);
    assert_eq!(
        told(&found),
        [
            "level 4 for 30 of 30 days, tier 1: 62",
            "level 4 for 30 of 30 days, tier 2: 31",
            ": 5",
        ]
    );
}

#[test]
fn records_under_an_expression_are_told_by_what_it_asked_for_them() {
    let mut book = book();
    start(&mut book, "s1", "calls");
    for (key, units) in [(1, 1), (2, 5), (3, 20)] {
        used(&mut book, key, "calls", "s1", "2012-05-03", units);
    }
    book.on("2012-06-01");
    run(&mut book, "r1");
    let found = explain(&book, "r1.alice", |_| true);
    let figures: Vec<_> = found
        .figures
        .iter()
        .map(|f| (f.quantity.to_decimal(0), f.price.to_decimal(2)))
        .collect();
    assert_eq!(
        figures,
        [("2".into(), "0.5".into()), ("1".into(), "2".into())]
    );
    assert_eq!(found.net, usd("3.00"));
}

#[test]
fn a_commitment_of_the_account_is_told_as_its_bound_less_what_each_subscription_had() {
    let mut book = book();
    book.ask(Command::AgreeCommitment {
        account: "alice".into(),
        agreed: Box::new(Agreed {
            id: "frame".into(),
            name: "Frame".into(),
            min: Some("100.00".parse().expect("a number")),
            max: None,
            every: "1 month".parse().expect("a span"),
            from: d("2012-05-01"),
            until: Some(d("2012-05-17")),
            offers: vec![],
            tax_class: "standard".into(),
        }),
    })
    .expect("is agreed");
    start(&mut book, "s1", "calls");
    start(&mut book, "s2", "calls");
    book.on("2012-05-17");
    for id in ["s1", "s2"] {
        used(
            &mut book,
            id.len() as u64 + u64::from(id == "s2"),
            "calls",
            id,
            "2012-05-03",
            20,
        );
        book.ask(Command::TerminateSubscription {
            subscription: id.into(),
            effective: indelible_domain::command::Effective::Immediate,
            unused: indelible_domain::subscriptions::Unused::None,
        })
        .expect("ends");
    }
    run(&mut book, "r1");
    let found = explain(&book, "r1.alice", |l| matches!(l.what, What::TrueUp { .. }));
    // 16 of 31 days of 100.00 are 51.61…
    assert_eq!(
        told(&found),
        ["Frame: 51.61", "subscription s1: -2", "subscription s2: -2"]
    );
    assert_eq!(found.figures[0].share, Some((16, 31)));
    assert_eq!(found.net, usd("47.61"));
}

const GROUPED: &str = r#"
[[offer]]
code = "cloud"
name = "Cloud"
currency = "USD"
[[offer.usage]]
code = "cloud"
name = "Servers"
metric = "cloud"
unit = "server"
every = "1 month"
align = "calendar"
aggregate = "level"
carry = true
group_by = ["region"]
maximum = "100.00"
price = { graduated = [{ up_to = "2", unit = "31.00", flat = "5.00" }, { unit = "15.50" }] }
"#;

/// So many servers more in a region.
fn servers(book: &mut Book, key: u8, region: &str, on: &str, quantity: i64) {
    let record = UsageRecord {
        line: 1,
        key: [key; 16],
        content: [key; 16],
        corrects: false,
        metric: "cloud".into(),
        access: "subscription:s".into(),
        at: Zone::default().start_of(d(on)),
        quantity: quantity.into(),
        amount: None,
        attributes: BTreeMap::from([("region".to_string(), region.to_string())]),
        raw: None,
    };
    book.ask(Command::IngestUsage(Box::new(Intake {
        batch: format!("g{key}"),
        source: "switch".into(),
        format: "api".into(),
        name: "usage".into(),
        lines: vec![Received::Record(record)],
    })))
    .expect("is taken in");
}

/// Text, quantity and net of each shown line of usage, and what its figures come to.
fn by_group(book: &Book, invoice: &str) -> Vec<(String, String, String, String)> {
    let tables = &book.tenant().tables;
    let mut document: Document = Document::clone(&tables.invoices[invoice].state.document);
    document.shown = Shown {
        group: true,
        ..Shown::default()
    };
    let of = |line: &Line| {
        let id = line.subscription.as_ref()?;
        let What::Usage { charge, days } = &line.what else {
            return None;
        };
        let sub = &tables.subscriptions[id].state;
        let mut before = BTreeMap::new();
        for from in explained::earlier(sub, charge, days.from) {
            before.extend(metered(book, id, charge, from).map(|m| (from, m)));
        }
        let meter = metered(book, id, charge, days.from);
        let behind = Behind {
            invoice,
            subscription: Some(sub),
            charges: tables.charges.get(id).map(|e| -> &Charges { &e.state }),
            metered: meter.as_ref(),
            before: &before,
            ..Behind::default()
        };
        explained::groups(&document, line, behind).expect("fits")
    };
    let beneath = |line: &Line| Beneath {
        groups: of(line),
        ..Beneath::default()
    };
    let shown = together(&document, beneath).expect("is put together");
    let net = shown.iter().map(|t| t.net);
    assert_eq!(Money::sum(document.currency, net), document.net);
    let groups: Vec<_> = document.lines.iter().filter_map(of).flatten().collect();
    let row = |t: &Together| {
        let group = groups.iter().find(|g| g.values == t.group);
        let figures = group.iter().flat_map(|g| &g.figures);
        let sum = figures.fold(Exact::ZERO, |sum, f| sum.plus(f.amount).expect("small"));
        let quantity = t.quantity.clone().unwrap_or_default();
        (t.text.clone(), quantity, t.net.amount(), sum.to_decimal(2))
    };
    shown.iter().map(row).collect()
}

#[test]
fn each_group_of_a_charge_is_shown_with_its_part_and_its_own_figures() {
    let mut book = Book::new();
    let offers = catalog::parse(GROUPED).expect("the catalog is read");
    book.ask(Command::ApplyCatalog { offers }).expect("applies");
    start(&mut book, "s", "cloud");
    servers(&mut book, 1, "eu", "2012-05-01", 1);
    servers(&mut book, 2, "us", "2012-05-21", 2);
    book.on("2012-06-01");
    run(&mut book, "r1");
    let row = |text: &str, quantity: &str, net: &str, sum: &str| {
        let all = [text, quantity, net, sum].map(str::to_string);
        <(String, String, String, String)>::from(all)
    };
    // One for 31 days, two for 11 of 31: each entered its first tier.
    assert_eq!(
        by_group(&book, "r1.alice"),
        [
            row("Cloud Servers, region eu", "1", "36.00", "36"),
            row("Cloud Servers, region us", "0.709677419355", "27.00", "27"),
        ]
    );
    // Both stand through June without a record; of what is 103 together, each bears its part of the 100 that it costs at most.
    book.on("2012-07-01");
    run(&mut book, "r2");
    assert_eq!(
        by_group(&book, "r2.alice"),
        [
            row("Cloud Servers, region eu", "1", "34.95", "36"),
            row("Cloud Servers, region us", "2", "65.05", "67"),
        ]
    );
    let told = |invoice: &str| {
        let document = &book.tenant().tables.invoices[invoice].state.document;
        document.lines[0].explain.clone()
    };
    let capped = "the maximum of 100 a period capped 103";
    assert!(told("r2.alice").contains(capped), "{}", told("r2.alice"));
    assert!(!told("r1.alice").contains("capped"), "{}", told("r1.alice"));
    // A difference to an earlier document is of no group.
    servers(&mut book, 3, "eu", "2012-05-21", -1);
    book.on("2012-08-01");
    run(&mut book, "r3");
    let shown = by_group(&book, "r3.alice");
    assert!(shown.iter().all(|(_, _, _, sum)| sum != "36"), "{shown:?}");
    assert!(
        shown.iter().any(|(text, ..)| text.contains("adjustment")),
        "{shown:?}"
    );
}
