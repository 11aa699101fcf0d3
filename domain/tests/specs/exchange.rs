//! Charges in another currency than the account's: at which rate they come onto a document, and that what is given back is
//! worth what was asked.

use crate::book::{Book, d, document, eur, run, usd};
use indelible_domain::charges::Charges;
use indelible_domain::command::{
    Effective, InvoicingPlace, RateOfDay, StartSubscription, TransferSubscription,
};
use indelible_domain::invoicing::{Exchange, RateDay};
use indelible_domain::kernel::{Money, calendar::add_days};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::subscriptions::Unused;
use indelible_domain::{Command, Outcome, Rejection};
use std::collections::BTreeMap;

const CATALOG: &str = r#"
[[offer]]
code = "plan"
name = "Plan"
currency = "EUR"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { flat = "29.99" }
every = "1 month"
align = "calendar"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "call"
every = "1 month"
align = "calendar"
price = { per_unit = "0.333" }

[[offer]]
code = "local"
name = "Local"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { flat = "10.00" }
every = "1 month"
align = "calendar"

[[offer]]
code = "purse"
name = "Purse"
currency = "EUR"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "call"
every = "1 month"
price = { per_unit = "0.10" }
pay = "wallet"
"#;

fn book() -> Book {
    let mut book = Book::new();
    book.sells(CATALOG);
    book
}

fn converting(day: RateDay, max_age_days: u32) -> Book {
    let mut book = book();
    book.ask(convert(day, max_age_days)).expect("is set");
    book
}

fn convert(day: RateDay, max_age_days: u32) -> Command {
    Command::SetExchange {
        place: InvoicingPlace::Entity("arms".into()),
        exchange: Some(Exchange { day, max_age_days }),
    }
}

fn start(
    book: &mut Book,
    subscription: &str,
    account: &str,
    offer: &str,
) -> Result<Outcome, Rejection> {
    book.ask(Command::StartSubscription(Box::new(StartSubscription {
        subscription: subscription.into(),
        account: account.into(),
        offer: offer.into(),
        quantity: 1.into(),
        from: None,
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec![],
    })))
}

fn rate(from: &str, to: &str, on: &str, rate: &str) -> RateOfDay {
    RateOfDay {
        from: from.parse().expect("a currency"),
        to: to.parse().expect("a currency"),
        on: d(on),
        rate: rate.parse().expect("a rate"),
        source: "ecb".into(),
    }
}

fn tell(book: &mut Book, entity: Option<&str>, rates: Vec<RateOfDay>) {
    book.ask(Command::TellRates {
        entity: entity.map(str::to_string),
        rates,
    })
    .expect("are told");
}

fn remembered(book: &Book, subscription: &str) -> Vec<Money> {
    let charges: &Charges = &book.tenant().tables.charges[subscription].state;
    charges.items.iter().map(|i| i.net).collect()
}

fn calls(book: &mut Book, key: u64, days_ago: i64, calls: i64) {
    let at = indelible_domain::kernel::Zone::default().start_of(add_days(book.today, -days_ago));
    let mut name = [0; 16];
    name[..8].copy_from_slice(&key.to_le_bytes());
    let record = UsageRecord {
        line: 1,
        key: name,
        content: name,
        corrects: false,
        metric: "calls".into(),
        access: "subscription:s1".into(),
        at,
        quantity: calls.into(),
        amount: None,
        attributes: Default::default(),
        raw: None,
    };
    book.ask(Command::IngestUsage(Box::new(Intake {
        batch: format!("b{key}"),
        source: "switch".into(),
        format: "api".into(),
        name: "calls".into(),
        lines: vec![Received::Record(record)],
    })))
    .expect("is taken in");
}

#[test]
fn what_is_sold_in_another_currency_is_refused_unless_somebody_said_how_it_is_converted() {
    let mut book = book();
    let refused = start(&mut book, "s1", "alice", "plan").expect_err("no conversion");
    assert_eq!(refused.code, "CURRENCY_MISMATCH");
    book.ask(convert(RateDay::Document, 7)).expect("is set");
    start(&mut book, "s1", "alice", "plan").expect("starts");
    let refused = start(&mut book, "s2", "alice", "purse").expect_err("wallets pay at once");
    assert_eq!(refused.code, "CURRENCY_MISMATCH");
    let add = |amount: Money| Command::AddCharge {
        account: "alice".into(),
        charge: "c1".into(),
        text: "thing".into(),
        amount,
        on: None,
        tax_class: "standard".into(),
    };
    book.ask(add(eur("10.00"))).expect("is added");
    tell(
        &mut book,
        None,
        vec![rate("EUR", "USD", "2012-05-01", "1.25")],
    );
    run(&mut book, "r1");
    let document = document(&book, "r1.alice");
    let nets: Vec<String> = document.lines.iter().map(|l| l.net.to_string()).collect();
    // 29.99 × 1.25 = 37.4875
    assert_eq!(nets, ["37.49 USD", "12.50 USD"]);
    assert_eq!(document.total, usd("49.99"));
}

#[test]
fn a_line_is_converted_once_at_the_rate_of_the_documents_day_which_is_written_on_it() {
    let mut book = converting(RateDay::Document, 7);
    start(&mut book, "s1", "alice", "plan").expect("starts");
    let rates = vec![
        rate("EUR", "USD", "2012-05-01", "1.10"),
        rate("EUR", "USD", "2012-06-01", "1.2345678"),
    ];
    tell(&mut book, None, rates);
    calls(&mut book, 1, 0, 10);
    book.on("2012-06-02");
    run(&mut book, "r1");
    let line = |charge: &str, at: usize| {
        let lines = &document(&book, "r1.alice").lines;
        let mut of = lines.iter().filter(move |l| l.what.charge() == charge);
        of.nth(at).cloned().expect("a line")
    };
    let usage = line("calls", 0);
    // 3.33 × 1.2345678 = 4.111110774
    assert_eq!(
        (usage.net, usage.exact.to_decimal(12)),
        (usd("4.11"), "4.111110774".into())
    );
    let converted = usage.converted.clone().expect("is converted");
    assert_eq!(
        (converted.from, converted.on),
        (eur("3.33"), d("2012-06-01"))
    );
    assert_eq!(converted.source, "ecb");
    assert!(
        usage.explain.contains(
            "3.33 EUR × 1.2345678 USD each on 2012-06-01 (ecb) = 4.111110774, rounded to 4.11 USD"
        ),
        "{}",
        usage.explain
    );
    // 29.99 × 1.2345678 = 37.024688322
    assert_eq!(line("fee", 0).net, usd("37.02"));
    assert_eq!(
        remembered(&book, "s1"),
        [eur("29.99"), eur("29.99"), eur("3.33")]
    );
    assert_eq!(document(&book, "r1.alice").total, usd("78.15"));
    assert_eq!(run(&mut book, "r2").billed.len(), 0);
}

#[test]
fn by_the_days_of_the_service_each_period_has_the_rate_of_its_first_day() {
    let mut book = converting(RateDay::Service, 7);
    start(&mut book, "s1", "alice", "plan").expect("starts");
    let rates = vec![
        rate("EUR", "USD", "2012-05-01", "1.10"),
        rate("EUR", "USD", "2012-06-01", "1.20"),
    ];
    tell(&mut book, None, rates);
    book.on("2012-06-20");
    run(&mut book, "r1");
    let nets: Vec<Money> = document(&book, "r1.alice")
        .lines
        .iter()
        .map(|l| l.net)
        .collect();
    assert_eq!(nets, [usd("32.99"), usd("35.99")]);
}

#[test]
fn without_a_rate_an_account_is_an_exception_and_the_run_goes_on() {
    let mut book = converting(RateDay::Document, 2);
    book.open("bob", |_| {});
    start(&mut book, "s1", "alice", "plan").expect("starts");
    start(&mut book, "s2", "bob", "local").expect("starts");
    tell(
        &mut book,
        None,
        vec![rate("EUR", "USD", "2012-04-28", "1.10")],
    );
    let done = run(&mut book, "r1");
    let (account, code, sentence) = done.failed.first().cloned().expect("an exception");
    assert_eq!((account.as_str(), code.as_str()), ("alice", "RATE_MISSING"));
    assert_eq!(
        sentence,
        "no rate of EUR in USD was told for 2012-05-01 or up to 2 days before"
    );
    assert_eq!(document(&book, "r1.bob").total, usd("10.00"));
    tell(
        &mut book,
        None,
        vec![rate("EUR", "USD", "2012-04-29", "1.10")],
    );
    book.ask(Command::RetryBillRun {
        run: "r1".into(),
        accounts: vec![],
    })
    .expect("is tried again");
    while book
        .ask(Command::StepBillRun { run: "r1".into() })
        .expect("steps")
        .left
        > 0
    {}
    assert_eq!(document(&book, "r1.alice").total, usd("32.99"));
}

#[test]
fn the_entitys_own_rate_comes_first_and_the_other_direction_counts_by_its_reciprocal() {
    let mut book = converting(RateDay::Document, 7);
    start(&mut book, "s1", "alice", "plan").expect("starts");
    tell(
        &mut book,
        None,
        vec![rate("EUR", "USD", "2012-05-01", "1.10")],
    );
    tell(
        &mut book,
        Some("arms"),
        vec![rate("USD", "EUR", "2012-04-30", "0.75")],
    );
    let preview = |book: &Book| {
        let session = indelible_domain::Session::new(book.tenant(), book.now());
        let next = indelible_domain::operations::preview(&session, "alice", book.today);
        next.expect("a preview").expect("something is due").total
    };
    // 29.99 ÷ 0.75 = 39.98666…
    assert_eq!(preview(&book), usd("39.99"));
    let withdraw = |on: &str| Command::WithdrawRate {
        entity: Some("arms".into()),
        from: usd("0").currency,
        to: eur("0").currency,
        on: d(on),
        reason: "typed wrong".into(),
    };
    book.ask(withdraw("2012-04-30")).expect("is withdrawn");
    assert_eq!(preview(&book), usd("32.99"));
    assert_eq!(book.refused(withdraw("2012-04-30")), "RATE_UNKNOWN");
    let ask = |rate: RateOfDay| Command::TellRates {
        entity: None,
        rates: vec![rate],
    };
    assert_eq!(
        book.refused(ask(rate("EUR", "USD", "2012-05-01", "0"))),
        "RATE_INVALID"
    );
    assert_eq!(
        book.refused(ask(rate("EUR", "EUR", "2012-05-01", "1"))),
        "RATE_INVALID"
    );
}

#[test]
fn days_given_back_are_worth_what_was_asked_for_them_whatever_the_rate_is_now() {
    let mut book = converting(RateDay::Document, 60);
    start(&mut book, "s1", "alice", "plan").expect("starts");
    tell(
        &mut book,
        None,
        vec![rate("EUR", "USD", "2012-05-01", "1.10")],
    );
    run(&mut book, "r1");
    assert_eq!(document(&book, "r1.alice").total, usd("32.99"));
    tell(
        &mut book,
        None,
        vec![rate("EUR", "USD", "2012-05-02", "2.00")],
    );
    for (day, run_id) in [
        ("2012-05-21", "r2"),
        ("2012-05-11", "r3"),
        ("2012-05-01", "r4"),
    ] {
        book.on("2012-05-21");
        book.ask(Command::TerminateSubscription {
            subscription: "s1".into(),
            effective: Effective::On(d(day)),
            unused: Unused::CreditProrata,
        })
        .or_else(|_| {
            book.ask(Command::CancelSubscription {
                subscription: "s1".into(),
                reason: "never used".into(),
            })
        })
        .expect("ends");
        run(&mut book, run_id);
    }
    let back: i128 = ["r2.alice", "r3.alice", "r4.alice"]
        .iter()
        .filter_map(|id| book.tenant().tables.invoices.get(id))
        .map(|e| e.state.document.total.minor)
        .sum();
    assert_eq!(back, -3299);
    let sum: i128 = remembered(&book, "s1").iter().map(|m| m.minor).sum();
    assert_eq!(sum, 0);
}

#[test]
fn late_usage_is_worth_what_its_period_was_and_a_note_for_everything_leaves_nothing() {
    let mut book = converting(RateDay::Document, 60);
    start(&mut book, "s1", "alice", "plan").expect("starts");
    tell(
        &mut book,
        None,
        vec![rate("EUR", "USD", "2012-05-01", "1.10")],
    );
    run(&mut book, "r1");
    calls(&mut book, 1, 0, 10);
    book.on("2012-06-01");
    run(&mut book, "r2");
    tell(
        &mut book,
        None,
        vec![rate("EUR", "USD", "2012-06-02", "2.00")],
    );
    book.on("2012-07-01");
    calls(&mut book, 2, 40, 10);
    run(&mut book, "r3");
    let late = document(&book, "r3.alice")
        .lines
        .iter()
        .find(|l| l.what.charge() == "calls")
        .cloned();
    let late = late.expect("the difference");
    assert_eq!(
        (late.net, late.converted.expect("is converted").on),
        (usd("3.66"), d("2012-05-01"))
    );
    let lines = u32::try_from(document(&book, "r2.alice").lines.len()).expect("few lines");
    let credit = |note: &str, parts: Vec<(u32, Option<Money>)>| Command::CreditInvoice {
        note: note.into(),
        invoice: "r2.alice".into(),
        parts,
        reason: "all of it".into(),
    };
    book.ask(credit("n1", vec![(1, Some(usd("10.00")))]))
        .expect("is credited");
    book.ask(credit("n2", (1..=lines).map(|no| (no, None)).collect()))
        .expect("is credited");
    assert!(
        book.tenant().tables.invoices["r2.alice"]
            .state
            .left()
            .is_zero()
    );
    let charges: &Charges = &book.tenant().tables.charges["s1"].state;
    for item in charges.items.iter().filter(|i| i.invoice == "r2.alice") {
        assert!(charges.left(item).is_zero(), "{item:?}");
    }
}

#[test]
fn a_subscription_keeps_the_currency_it_was_sold_in() {
    let mut book = converting(RateDay::Document, 7);
    book.open("carl", |terms| terms.currency = eur("0").currency);
    start(&mut book, "s1", "alice", "plan").expect("starts");
    let change = |offer: &str| {
        Command::ChangeSubscription(Box::new(indelible_domain::command::ChangeSubscription {
            subscription: "s1".into(),
            effective: Effective::Immediate,
            unused: Unused::CreditProrata,
            offer: Some(offer.into()),
            quantity: None,
            billing_day: None,
            overrides: BTreeMap::new(),
        }))
    };
    assert_eq!(book.refused(change("local")), "CURRENCY_MISMATCH");
    book.days_later(3);
    book.ask(Command::TransferSubscription(Box::new(
        TransferSubscription {
            subscription: "s1".into(),
            to: "s2".into(),
            account: "carl".into(),
            effective: Effective::Immediate,
            unused: Unused::CreditProrata,
        },
    )))
    .expect("goes to an account of its currency");
    run(&mut book, "r1");
    let moved = document(&book, "r1.carl");
    assert!(moved.lines.iter().all(|l| l.converted.is_none()));
    assert_eq!(moved.currency, eur("0").currency);
}
