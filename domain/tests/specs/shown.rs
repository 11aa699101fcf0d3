//! How lines are put together for a reader, and what goes onto a document of its own: what is shown sums to what is billed.

use crate::book::{Book, d, usd};
use indelible_domain::catalog;
use indelible_domain::command::{AddMethod, Collect, InvoicingPlace, StartSubscription};
use indelible_domain::invoices::shown::{Beneath, Together, UsageDate, Used, together};
use indelible_domain::invoices::{Document, Line, Shown, Stage};
use indelible_domain::invoicing::{Split, Terms};
use indelible_domain::kernel::{Date, Decimal, Exact, Money, Rounding};
use indelible_domain::methods::{Card, Means, Month};
use indelible_domain::{Command, Outcome};
use std::collections::BTreeMap;

const CATALOG: &str = r#"
[[offer]]
code = "plan"
name = "Plan"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { flat = "10.00" }
every = "1 month"
align = "calendar"
"#;

fn book() -> Book {
    let mut book = Book::new();
    let offers = catalog::parse(CATALOG).expect("the catalog is read");
    book.ask(Command::ApplyCatalog { offers }).expect("applies");
    for (subscription, quantity) in [("s1", 1), ("s2", 2), ("s3", 3)] {
        book.ask(Command::StartSubscription(Box::new(StartSubscription {
            subscription: subscription.into(),
            account: "alice".into(),
            offer: "plan".into(),
            quantity: quantity.into(),
            from: None,
            billing_day: None,
            overrides: BTreeMap::from([("fee".to_string(), Decimal::from(10 * quantity))]),
            trial: true,
            access: vec![],
        })))
        .expect("starts");
    }
    book
}

fn run(book: &mut Book, run: &str, draft: bool) -> Vec<Document> {
    let mut outcome: Outcome = book
        .ask(Command::StartBillRun {
            run: run.into(),
            as_of: None,
            accounts: vec![],
            draft,
        })
        .expect("starts");
    while outcome.left > 0 {
        outcome = book
            .ask(Command::StepBillRun { run: run.into() })
            .expect("steps");
    }
    let tables = &book.tenant().tables;
    let billed = &tables.runs[run].state.billed;
    let of = |(_, id): &(String, String)| Document::clone(&tables.invoices[id].state.document);
    billed.iter().map(of).collect()
}

fn split(book: &mut Book, split: Split) {
    book.ask(Command::SetInvoicing {
        place: InvoicingPlace::Account("alice".into()),
        terms: Some(Box::new(Terms {
            split,
            ..Terms::default()
        })),
    })
    .expect("is set");
}

fn usage_line(no: u32, net: &str, from: &str, until: &str, tax: &str) -> Line {
    use indelible_domain::charges::What;
    use indelible_domain::kernel::Days;
    use indelible_domain::taxes::Answer;
    Line {
        no,
        account: "alice".into(),
        subscription: Some(format!("s{no}")),
        what: What::Usage {
            charge: "calls".into(),
            days: Days::new(d(from), d(until)),
        },
        text: "Plan Calls".into(),
        quantity: "7 call".into(),
        exact: usd(net).exact(),
        net: usd(net),
        tax: Answer::simple(tax, "0.2".parse().expect("a rate")),
        explain: String::new(),
        corrects_line: None,
        reductions: vec![],
        gross: None,
        converted: None,
    }
}

fn document(shown: Shown, lines: Vec<Line>) -> Document {
    Document {
        currency: usd("0").currency,
        rounding: Rounding::HalfUp,
        lines,
        shown,
        ..Document::default()
    }
}

fn used(on: &str, quantity: i64, price: &str) -> Used {
    let price: Decimal = price.parse().expect("a price");
    Used {
        on: d(on),
        quantity: quantity.into(),
        units: Exact::from(i128::from(quantity)),
        amount: Exact::from(price)
            .times(Exact::from(i128::from(quantity)))
            .expect("small"),
    }
}

fn rows(shown: &[Together]) -> Vec<(Option<Date>, String, String)> {
    let row = |t: &Together| {
        let quantity = t.quantity.clone().unwrap_or_default();
        (t.days.map(|d| d.from), quantity, t.net.amount())
    };
    shown.iter().map(row).collect()
}

fn sum(shown: &[Together]) -> Money {
    Money::sum(usd("0").currency, shown.iter().map(|t| t.net))
}

/// 3 × 0.333 on Monday the 7th and 1 × 0.333 on the 9th, 3 × 0.50 on the 14th: 2.832, billed as 2.83.
fn records(_: &Line) -> Vec<Used> {
    vec![
        used("2012-05-07", 3, "0.333"),
        used("2012-05-09", 1, "0.333"),
        used("2012-05-14", 3, "0.50"),
    ]
}

fn beneath(line: &Line) -> Beneath {
    records(line).into()
}

#[test]
fn usage_is_shown_by_its_days_weeks_or_months_and_sums_to_its_line() {
    let by = |usage_date: UsageDate| {
        let how = Shown {
            usage_date,
            ..Shown::default()
        };
        let line = usage_line(1, "2.83", "2012-05-01", "2012-06-01", "VAT");
        together(&document(how, vec![line]), beneath).expect("is put together")
    };
    let row =
        |on: &str, quantity: &str, net: &str| (Some(d(on)), quantity.to_string(), net.to_string());
    assert_eq!(
        rows(&by(UsageDate::Whole)),
        [row("2012-05-01", "7 call", "2.83")]
    );
    assert_eq!(
        rows(&by(UsageDate::Day)),
        [
            row("2012-05-07", "3", "1.00"),
            row("2012-05-09", "1", "0.33"),
            row("2012-05-14", "3", "1.50")
        ]
    );
    assert_eq!(
        rows(&by(UsageDate::Week)),
        [
            row("2012-05-07", "4", "1.33"),
            row("2012-05-14", "3", "1.50")
        ]
    );
    assert_eq!(
        rows(&by(UsageDate::Month)),
        [row("2012-05-01", "7", "2.83")]
    );
    for by in [
        by(UsageDate::Day),
        by(UsageDate::Week),
        by(UsageDate::Month),
    ] {
        assert_eq!(sum(&by), usd("2.83"));
        assert!(by.iter().all(|t| t.parts.iter().all(|(no, _)| *no == 1)));
    }
}

#[test]
fn usage_is_shown_by_its_unit_price_and_one_service_of_several_subscriptions_as_one() {
    let how = Shown {
        unit_price: true,
        ..Shown::default()
    };
    let line = |no: u32| usage_line(no, "2.83", "2012-05-01", "2012-06-01", "VAT");
    let shown = together(&document(how, vec![line(1)]), beneath).expect("is put together");
    let prices: Vec<String> = shown
        .iter()
        .map(|t| t.unit_price.expect("a price").to_decimal(3))
        .collect();
    assert_eq!(prices, ["0.333", "0.5"]);
    assert_eq!(sum(&shown), usd("2.83"));
    let how = Shown {
        service: true,
        unit_price: true,
        ..Shown::default()
    };
    let exempt = usage_line(3, "2.83", "2012-05-01", "2012-06-01", "none");
    let shown =
        together(&document(how, vec![line(1), line(2), exempt]), beneath).expect("is put together");
    // Another tax is another line.
    assert_eq!(
        rows(&shown)
            .iter()
            .map(|r| r.1.as_str())
            .collect::<Vec<_>>(),
        ["8", "6", "4", "3"]
    );
    let first = shown.first().expect("the first");
    assert_eq!(first.parts, [(1, usd("1.33")), (2, usd("1.33"))]);
    assert_eq!(sum(&shown), usd("8.49"));
}

#[test]
fn a_line_that_its_records_do_not_make_stays_whole() {
    let how = Shown {
        usage_date: UsageDate::Day,
        unit_price: true,
        ..Shown::default()
    };
    for net in ["5.00", "-2.83", "0.00"] {
        let line = usage_line(1, net, "2012-05-01", "2012-06-01", "VAT");
        let shown = together(&document(how, vec![line]), beneath).expect("is put together");
        assert_eq!(
            rows(&shown),
            [(
                Some(d("2012-05-01")),
                "7 call".to_string(),
                usd(net).amount()
            )]
        );
    }
}

#[test]
fn a_document_records_how_it_is_shown_and_the_account_is_asked_before_its_entity() {
    let mut book = book();
    let set = |place: InvoicingPlace, shown: Option<Shown>| Command::SetShown { place, shown };
    let by_week = Shown {
        usage_date: UsageDate::Week,
        ..Shown::default()
    };
    let by_service = Shown {
        service: true,
        ..Shown::default()
    };
    book.ask(set(InvoicingPlace::Entity("arms".into()), Some(by_week)))
        .expect("is set");
    let first = run(&mut book, "r1", false).remove(0);
    assert_eq!(first.shown, by_week);
    book.ask(set(
        InvoicingPlace::Account("alice".into()),
        Some(by_service),
    ))
    .expect("is set");
    book.on("2012-06-01");
    let second = run(&mut book, "r2", false).remove(0);
    assert_eq!((second.shown, second.lines.len()), (by_service, 3));
    let shown = together(&second, |_| Beneath::default()).expect("is put together");
    let parts: Vec<usize> = shown.iter().map(|t| t.parts.len()).collect();
    assert_eq!((parts, sum(&shown)), (vec![3], second.net));
    assert!(Shown::default().as_it_is() && !by_week.as_it_is());
}

#[test]
fn documents_are_split_by_orders_and_each_names_its_own() {
    let mut book = book();
    let order = |subscription: &str, order: Option<&str>| Command::OrderSubscription {
        subscription: subscription.into(),
        order: order.map(str::to_string),
    };
    book.ask(order("s1", Some("po-7"))).expect("is said");
    book.ask(order("s2", Some("po-7"))).expect("is said");
    assert_eq!(
        book.refused(order("s3", Some(" "))),
        "INVOICE_GROUP_INVALID"
    );
    split(&mut book, Split::Order);
    let made = run(&mut book, "r1", true);
    let told: Vec<_> = made.iter().map(|m| (m.order.as_deref(), m.total)).collect();
    assert_eq!(told, [(Some("po-7"), usd("30.00")), (None, usd("30.00"))]);
    // Each draft of the run is finalised as its own part.
    for id in ["r1.alice", "r1.alice.2"] {
        book.ask(Command::FinaliseInvoice { invoice: id.into() })
            .expect("is finalised");
        let state = &book.tenant().tables.invoices[id].state;
        assert_eq!(
            (&state.stage, state.document.total),
            (&Stage::Finalised, usd("30.00"))
        );
    }
    book.ask(order("s1", None)).expect("is said");
    book.on("2012-06-01");
    let totals: Vec<Money> = run(&mut book, "r2", false)
        .iter()
        .map(|m| m.total)
        .collect();
    assert_eq!(totals, [usd("20.00"), usd("40.00")]);
}

#[test]
fn a_document_of_a_payment_method_is_asked_for_by_it_first() {
    let mut book = book();
    for (method, token) in [("main", "tok-1"), ("spare", "tok-2")] {
        book.ask(Command::AddMethod(Box::new(AddMethod {
            account: "alice".into(),
            method: method.into(),
            means: Means::Card(Card {
                gateway: "test".into(),
                token: token.into(),
                customer: None,
                brand: "visa".into(),
                last4: "4242".into(),
                expires: Month {
                    year: 2030,
                    month: 1,
                },
            }),
            preferred: false,
        })))
        .expect("is added");
    }
    let pay = |method: &str| Command::PaySubscriptionBy {
        subscription: "s2".into(),
        method: Some(method.into()),
    };
    assert_eq!(book.refused(pay("nobody")), "METHOD_UNKNOWN");
    book.ask(pay("spare")).expect("is said");
    split(&mut book, Split::Method);
    let made = run(&mut book, "r1", false);
    let told: Vec<_> = made
        .iter()
        .map(|m| (m.method.as_deref(), m.total))
        .collect();
    assert_eq!(told, [(Some("spare"), usd("20.00")), (None, usd("40.00"))]);
    for (invoice, method) in [("r1.alice", "spare"), ("r1.alice.2", "main")] {
        let collection = format!("c-{invoice}");
        book.ask(Command::Collect(Collect {
            collection: collection.clone(),
            account: "alice".into(),
            invoice: Some(invoice.into()),
            method: None,
        }))
        .expect("is asked for");
        let attempts = &book.tenant().tables.collections[&collection].state.attempts;
        assert_eq!(attempts.last().expect("an attempt").method, method);
    }
}
