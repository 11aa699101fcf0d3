//! What holds for each folio by itself: minimums, commitments, the price lists of its seller, notes of reratings, and that
//! wallets pay the own one only.

use crate::book::{self, Book, d, document, eur, usd};
use crate::rerating::{ask, price, rerate, undo};
use indelible_domain::Command;
use indelible_domain::command::{
    ChangeSubscription, Effective, InvoicingPlace, RateOfDay, StartSubscription,
};
use indelible_domain::commitments::Agreed;
use indelible_domain::invoices::Stage;
use indelible_domain::invoicing::{Currencies, Exchange, RateDay};
use indelible_domain::kernel::{Money, Span, Zone};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::reratings::Change;
use indelible_domain::subscriptions::Unused;
use std::collections::BTreeMap;

const CATALOG: &str = r#"
[[offer]]
code = "plan"
name = "Plan"
currency = "EUR"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { flat = "30.00" }
every = "1 month"
align = "calendar"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "call"
every = "1 month"
align = "calendar"
price = { per_unit = "0.10" }

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
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "call"
every = "1 month"
align = "calendar"
price = { per_unit = "0.10" }

[[offer]]
code = "purse"
name = "Purse"
currency = "USD"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "call"
every = "1 month"
price = { per_unit = "0.10" }
pay = "wallet"

[[price_list]]
code = "of-legs"
currency = "USD"
seller = "legs"
[[price_list.item]]
offer = "local"
charge = "fee"
price = { flat = "7.00" }
"#;

/// Alice, in dollars of arms, is billed in the currency of what she buys; there is another seller.
fn book() -> Book {
    let mut book = Book::new();
    book.sells(CATALOG);
    book.other_seller();
    book.ask(Command::SetCurrencies {
        place: InvoicingPlace::Account("alice".into()),
        currencies: Some(Currencies::Sale),
    })
    .expect("is set");
    book
}

fn start(subscription: &str, offer: &str) -> Command {
    Command::StartSubscription(Box::new(StartSubscription {
        subscription: subscription.into(),
        account: "alice".into(),
        offer: offer.into(),
        quantity: 1.into(),
        from: None,
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec![subscription.into()],
    }))
}

fn sold_by_legs(offer: &str) -> Command {
    Command::SetSeller {
        offer: offer.into(),
        seller: Some("legs".into()),
    }
}

/// Totals of the documents that a run made.
fn run(book: &mut Book, run: &str) -> Vec<String> {
    let state = book::run(book, run);
    assert!(state.failed.is_empty(), "{:?}", state.failed);
    let ids: Vec<String> = state.billed.iter().map(|(_, id)| id.clone()).collect();
    ids.iter().map(|id| total(book, id)).collect()
}

fn total(book: &Book, id: &str) -> String {
    let document = document(book, id);
    format!("{} of {}", document.total, document.entity)
}

fn use_calls(book: &mut Book, subscription: &str, day: &str, calls: i64) {
    let batch = format!("b{}", book.log.len());
    let short = blake3::hash(batch.as_bytes());
    let key = <[u8; 16]>::try_from(&short.as_bytes()[..16]).expect("16 bytes");
    let record = UsageRecord {
        line: 1,
        key,
        content: key,
        corrects: false,
        metric: "calls".into(),
        access: subscription.into(),
        at: Zone::default().start_of(d(day)),
        quantity: calls.into(),
        amount: None,
        attributes: BTreeMap::new(),
        raw: None,
    };
    let done = book.ask(Command::IngestUsage(Box::new(Intake {
        batch,
        source: "test".into(),
        format: "api".into(),
        name: "test".into(),
        lines: vec![Received::Record(record)],
    })));
    let counts = done.expect("is taken").usage.expect("counts");
    assert_eq!(counts.rated, 1);
}

fn minimum(place: InvoicingPlace, of: Money) -> Command {
    Command::SetMinimum {
        place,
        currency: of.currency,
        minimum: Some(of.amount().parse().expect("a number")),
    }
}

#[test]
fn a_minimum_is_told_by_currency_and_holds_on_every_folio_in_it() {
    let mut book = book();
    for command in [
        sold_by_legs("local"),
        minimum(InvoicingPlace::Account("alice".into()), eur("40.00")),
        minimum(InvoicingPlace::Entity("legs".into()), usd("8.00")),
        start("s1", "plan"),
        start("s2", "local"),
    ] {
        book.ask(command).expect("is done");
    }
    // 30 euros and 7 dollars wait.
    assert_eq!(run(&mut book, "r1"), Vec::<String>::new());
    book.on("2012-06-01");
    assert_eq!(
        run(&mut book, "r2"),
        ["60.00 EUR of arms", "14.00 USD of legs"]
    );
    // What an account says comes before what its seller says.
    let own = minimum(InvoicingPlace::Account("alice".into()), usd("5.00"));
    book.ask(own).expect("is set");
    book.on("2012-07-01");
    assert_eq!(run(&mut book, "r3"), ["7.00 USD of legs"]);
    let none = Command::SetMinimum {
        place: InvoicingPlace::Account("alice".into()),
        currency: eur("0").currency,
        minimum: None,
    };
    book.ask(none).expect("is set");
    assert_eq!(run(&mut book, "r4"), ["30.00 EUR of arms"]);
    let below = minimum(InvoicingPlace::Account("alice".into()), eur("-1.00"));
    assert_eq!(book.refused(below), "INVOICING_INVALID");
}

fn commit(account: &str, id: &str, min: &str) -> Command {
    Command::AgreeCommitment {
        account: account.into(),
        agreed: Box::new(Agreed {
            id: id.into(),
            name: "At least".into(),
            min: Some(min.parse().expect("a number")),
            max: None,
            every: Span::months(1),
            from: d("2012-05-01"),
            until: None,
            offers: vec![],
            tax_class: "standard".into(),
        }),
    }
}

#[test]
fn a_commitment_is_of_one_folio_and_counts_what_is_billed_there() {
    let mut book = book();
    for command in [
        start("s1", "plan"),
        start("s2", "local"),
        commit("alice", "own", "15.00"),
        commit("alice~EUR", "euros", "50.00"),
    ] {
        book.ask(command).expect("is done");
    }
    let twice = commit("alice", "euros", "1.00");
    assert_eq!(book.refused(twice), "COMMITMENT_EXISTS");
    run(&mut book, "r1");
    use_calls(&mut book, "s1", "2012-05-10", 50);
    book.on("2012-06-01");
    // 10 + 5 lacking; 30 + 5 of calls + 15 lacking of 50.
    assert_eq!(
        run(&mut book, "r2"),
        ["15.00 USD of arms", "50.00 EUR of arms"]
    );
    // What comes late lacks no more.
    use_calls(&mut book, "s1", "2012-05-20", 20);
    book.on("2012-06-02");
    assert_eq!(run(&mut book, "r3"), ["0.00 EUR of arms"]);
    let end = Command::EndCommitment {
        account: "alice~EUR".into(),
        commitment: "euros".into(),
        on: Some(d("2012-06-16")),
    };
    book.ask(end).expect("ends");
    book.on("2012-06-20");
    // Half of June commits to 25, and 15 of the fee are of it.
    assert_eq!(run(&mut book, "r4"), ["10.00 EUR of arms"]);
    assert_eq!(
        book.refused(commit("alice~EUR~nobody", "x", "1")),
        "ACCOUNT_UNKNOWN"
    );
}

#[test]
fn prices_are_those_of_the_lists_of_who_sells() {
    let mut book = book();
    book.ask(start("s1", "local")).expect("starts");
    // Another seller is said for one of them before it is billed: his list holds for it.
    let other = Command::SetFolio {
        subscription: "s1".into(),
        seller: Some("legs".into()),
        currencies: None,
    };
    book.ask(other).expect("is said");
    book.ask(start("s2", "local")).expect("starts");
    assert_eq!(
        run(&mut book, "r1"),
        ["10.00 USD of arms", "7.00 USD of legs"]
    );
    book.on("2012-06-01");
    book.ask(sold_by_legs("local")).expect("is said");
    book.ask(start("s3", "local")).expect("starts");
    // What was sold before keeps its seller and its price.
    assert_eq!(
        run(&mut book, "r2"),
        ["10.00 USD of arms", "14.00 USD of legs"]
    );
    let more = Command::ChangeSubscription(Box::new(ChangeSubscription {
        subscription: "s1".into(),
        offer: Some("local".into()),
        quantity: Some(2.into()),
        billing_day: None,
        overrides: BTreeMap::new(),
        effective: Effective::On(d("2012-07-01")),
        unused: Unused::CreditProrata,
    }));
    book.ask(more).expect("changes");
    book.on("2012-07-01");
    assert_eq!(run(&mut book, "r3")[1], "14.00 USD of legs");
}

#[test]
fn a_rerating_settles_each_folio_by_a_note_of_its_own_and_undoes_each() {
    let mut book = book();
    for command in [start("s1", "plan"), start("s2", "local")] {
        book.ask(command).expect("is done");
    }
    use_calls(&mut book, "s1", "2012-05-10", 50);
    use_calls(&mut book, "s2", "2012-05-10", 100);
    book.on("2012-06-01");
    assert_eq!(
        run(&mut book, "r1"),
        ["30.00 USD of arms", "65.00 EUR of arms"]
    );
    let cheaper = Change::Price {
        charge: "calls".into(),
        price: price("0.04"),
    };
    rerate(&mut book, "fix", ask("2012-05-01", "2012-06-01", cheaper)).expect("is rated again");
    assert_eq!(total(&book, "fix.alice"), "-6.00 USD of arms");
    assert_eq!(total(&book, "fix.alice.2"), "-3.00 EUR of arms");
    let told = &book.tenant().tables.reratings["fix"].state.documents;
    let of_alice = |id: &str| ("alice".to_string(), id.to_string());
    assert_eq!(*told, [of_alice("fix.alice"), of_alice("fix.alice.2")]);
    let owed = |folio: &str| {
        let known = &book.tenant().tables.receivables[folio].state;
        known.balance().to_string()
    };
    assert_eq!(
        [owed("alice"), owed("alice~EUR")],
        ["24.00 USD", "62.00 EUR"]
    );
    assert_eq!(run(&mut book, "r2"), Vec::<String>::new());
    undo(&mut book, "fix");
    assert_eq!(total(&book, "fix.undo.alice"), "6.00 USD of arms");
    assert_eq!(total(&book, "fix.undo.alice.2"), "3.00 EUR of arms");
    let mut all = book.tenant().tables.invoices.iter();
    assert!(all.all(|(_, i)| i.state.stage == Stage::Finalised));
}

#[test]
fn what_wallets_pay_is_sold_on_the_own_folio_only() {
    let mut book = book();
    book.ask(sold_by_legs("purse")).expect("is said");
    assert_eq!(book.refused(start("s1", "purse")), "WALLET_OTHER_FOLIO");
    let own = Command::SetSeller {
        offer: "purse".into(),
        seller: None,
    };
    book.ask(own).expect("is said");
    book.ask(start("s1", "purse")).expect("starts");
    let other = Command::SetFolio {
        subscription: "s1".into(),
        seller: Some("legs".into()),
        currencies: None,
    };
    assert_eq!(book.refused(other), "WALLET_OTHER_FOLIO");
    book.ask(sold_by_legs("local")).expect("is said");
    book.ask(start("s2", "local")).expect("starts");
    let change = Command::ChangeSubscription(Box::new(ChangeSubscription {
        subscription: "s2".into(),
        offer: Some("purse".into()),
        quantity: None,
        billing_day: None,
        overrides: BTreeMap::new(),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    }));
    assert_eq!(book.refused(change), "WALLET_OTHER_FOLIO");
}

#[test]
fn a_commitment_to_another_seller_counts_what_is_converted_at_its_rate() {
    let mut book = book();
    for command in [
        Command::SetCurrencies {
            place: InvoicingPlace::Account("alice".into()),
            currencies: Some(Currencies::Account),
        },
        Command::SetExchange {
            place: InvoicingPlace::Account("alice".into()),
            exchange: Some(Exchange {
                day: RateDay::Document,
                max_age_days: 100,
            }),
        },
        Command::TellRates {
            entity: None,
            rates: vec![RateOfDay {
                from: eur("0").currency,
                to: usd("0").currency,
                on: d("2012-05-01"),
                rate: "1.5".parse().expect("a rate"),
                source: "told".into(),
            }],
        },
        sold_by_legs("plan"),
        start("s1", "plan"),
        commit("alice~USD~legs", "legs", "50.00"),
    ] {
        book.ask(command).expect("is done");
    }
    assert_eq!(run(&mut book, "r1"), ["45.00 USD of legs"]);
    book.on("2012-06-01");
    assert_eq!(run(&mut book, "r2"), ["50.00 USD of legs"]);
}
