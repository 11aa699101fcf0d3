//! Folios: an account that is billed in several currencies, or by several legal entities, owes each of them apart.

use crate::book::{Book, d, document, eur, run, usd};
use crate::dunning::level;
use indelible_domain::command::{
    AddMethod, Collect, DunningAction, Effective, InvoicingPlace, ReceiveCash, RecordPayment,
    TransferSubscription,
};
use indelible_domain::invoicing::Currencies;
use indelible_domain::kernel::Money;
use indelible_domain::methods::{Card, Means, Month};
use indelible_domain::receivables::Receivables;
use indelible_domain::subscriptions::Unused;
use indelible_domain::taxes::Rate;
use indelible_domain::{Command, operations, processes::agenda};

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
"#;

/// Alice of a seller that books dollars buys in the currency of the sale.
fn book() -> Book {
    let mut book = Book::new();
    book.sells(CATALOG);
    book
}

fn apart() -> Book {
    let mut book = book();
    book.ask(Command::SetCurrencies {
        place: InvoicingPlace::Account("alice".into()),
        currencies: Some(Currencies::Sale),
    })
    .expect("is set");
    book
}

/// Another seller, in another country.
fn with_other_seller() -> Book {
    let mut book = book();
    book.other_seller();
    for (seller, rate) in [("US", "0.05"), ("CA", "0.13")] {
        let rate = Rate {
            category: "*".into(),
            class: "*".into(),
            seller: seller.into(),
            buyer: "*".into(),
            from: d("2000-01-01"),
            parts: vec![],
            rate: rate.parse().expect("a rate"),
            name: format!("{seller} tax"),
        };
        book.ask(Command::SetTaxRate(rate)).expect("is set");
    }
    book
}

fn number<'b>(book: &'b Book, id: &str) -> &'b str {
    &book.tenant().tables.invoices[id].state.number
}

fn owes(book: &Book, folio: &str) -> String {
    let known = book.tenant().tables.receivables.get(folio);
    let state: Option<&Receivables> = known.map(|e| &e.state);
    state.map_or("nothing".into(), |s| s.balance().to_string())
}

fn pay(book: &mut Book, payment: &str, account: &str, amount: Money, invoice: Option<&str>) {
    book.ask(Command::RecordPayment(RecordPayment {
        payment: payment.into(),
        account: account.into(),
        amount,
        invoice: invoice.map(Into::into),
        method: "transfer".into(),
        pending: false,
    }))
    .expect("is paid");
}

fn folio_of(book: &Book, payment: &str) -> String {
    book.tenant().tables.payments[payment].state.account.clone()
}

#[test]
fn each_currency_of_a_sale_has_a_document_of_its_own_in_one_run_and_nothing_adds_them() {
    let mut book = apart();
    book.start("s1", "plan");
    book.start("s2", "local");
    let run = run(&mut book, "r1");
    assert_eq!(run.billed.len(), 2);
    let (own, other) = (document(&book, "r1.alice"), document(&book, "r1.alice.2"));
    assert_eq!((own.total, other.total), (usd("10.00"), eur("30.00")));
    assert_eq!(
        (own.account.as_str(), other.account.as_str()),
        ("alice", "alice")
    );
    assert!(
        own.lines
            .iter()
            .chain(&other.lines)
            .all(|l| l.converted.is_none())
    );
    assert_eq!(
        (number(&book, "r1.alice"), number(&book, "r1.alice.2")),
        ("2012-000001", "2012-000002")
    );
    assert_eq!(owes(&book, "alice"), "10.00 USD");
    assert_eq!(owes(&book, "alice~EUR"), "30.00 EUR");
    assert_eq!(crate::folios::run(&mut book, "r2").billed.len(), 0);
}

#[test]
fn money_pays_what_is_owed_in_its_currency_and_never_anything_else() {
    let mut book = apart();
    book.start("s1", "plan");
    book.start("s2", "local");
    run(&mut book, "r1");
    pay(&mut book, "p1", "alice", eur("50.00"), None);
    assert_eq!(folio_of(&book, "p1"), "alice~EUR");
    assert_eq!(owes(&book, "alice~EUR"), "-20.00 EUR");
    assert_eq!(owes(&book, "alice"), "10.00 USD");
    pay(&mut book, "p2", "alice", usd("10.00"), Some("r1.alice"));
    assert_eq!(owes(&book, "alice"), "0.00 USD");
    book.ask(Command::GrantCredit {
        account: "alice".into(),
        credit: "g1".into(),
        amount: eur("5.00"),
        reason: "sorry".into(),
    })
    .expect("is granted");
    assert_eq!(owes(&book, "alice~EUR"), "-25.00 EUR");
    // The credit of a folio pays its next document.
    book.on("2012-06-01");
    run(&mut book, "r2");
    assert_eq!(owes(&book, "alice~EUR"), "5.00 EUR");
    assert_eq!(owes(&book, "alice"), "10.00 USD");
    // A currency in which nothing is billed is money for nobody.
    let other = Command::RecordPayment(RecordPayment {
        payment: "p3".into(),
        account: "alice".into(),
        amount: "1.00 GBP".parse().expect("an amount"),
        invoice: None,
        method: "transfer".into(),
        pending: false,
    });
    assert_eq!(book.refused(other), "CURRENCY_MISMATCH");
}

#[test]
fn credit_notes_voids_and_refunds_stay_on_the_folio_of_their_document() {
    let mut book = apart();
    book.start("s1", "plan");
    book.start("s2", "local");
    run(&mut book, "r1");
    book.ask(Command::CreditInvoice {
        note: "n1".into(),
        invoice: "r1.alice.2".into(),
        parts: vec![(1, Some(eur("12.00")))],
        reason: "wrong".into(),
    })
    .expect("is credited");
    assert_eq!(document(&book, "n1").total, eur("-12.00"));
    assert_eq!(owes(&book, "alice~EUR"), "18.00 EUR");
    pay(&mut book, "p1", "alice", eur("18.00"), Some("r1.alice.2"));
    book.refund("p1", None);
    assert_eq!(owes(&book, "alice~EUR"), "18.00 EUR");
    book.void("r1.alice").expect("is void");
    assert_eq!(owes(&book, "alice"), "0.00 USD");
    assert_eq!(owes(&book, "alice~EUR"), "18.00 EUR");
    book.ask(Command::WriteOffInvoice {
        invoice: "r1.alice.2".into(),
        reason: "gone".into(),
    })
    .expect("is written off");
    assert_eq!(owes(&book, "alice~EUR"), "0.00 EUR");
    // What was void is due again, in its own currency.
    let again = run(&mut book, "r2");
    assert_eq!(again.billed.len(), 1);
    assert_eq!(document(&book, "r2.alice").total, usd("10.00"));
}

#[test]
fn a_subscription_keeps_the_folio_it_was_billed_on() {
    let mut book = apart();
    book.start("s1", "plan");
    let set = |currencies| Command::SetFolio {
        subscription: "s1".into(),
        seller: None,
        currencies,
    };
    // Nobody says how euros become dollars.
    assert_eq!(
        book.refused(set(Some(Currencies::Account))),
        "CURRENCY_MISMATCH"
    );
    run(&mut book, "r1");
    // What is said later is said for later sales.
    book.ask(Command::SetCurrencies {
        place: InvoicingPlace::Account("alice".into()),
        currencies: None,
    })
    .expect("is set");
    book.on("2012-06-01");
    run(&mut book, "r2");
    assert_eq!(document(&book, "r2.alice").total, eur("30.00"));
    let exchange = Command::SetExchange {
        place: InvoicingPlace::Account("alice".into()),
        exchange: Some(indelible_domain::invoicing::Exchange {
            day: indelible_domain::invoicing::RateDay::Document,
            max_age_days: 7,
        }),
    };
    book.ask(exchange).expect("is set");
    assert_eq!(book.refused(set(Some(Currencies::Account))), "FOLIO_FIXED");
    // Unused days come back where they were asked for.
    book.on("2012-06-16");
    book.ask(Command::TerminateSubscription {
        subscription: "s1".into(),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    })
    .expect("ends");
    run(&mut book, "r3");
    assert_eq!(document(&book, "r3.alice").total, eur("-15.00"));
    assert_eq!(owes(&book, "alice~EUR"), "45.00 EUR");
}

#[test]
fn a_subscription_that_goes_over_is_billed_as_its_new_account_is() {
    let mut book = apart();
    book.open("bob", |terms| terms.currency = eur("0").currency);
    book.start("s1", "plan");
    run(&mut book, "r1");
    book.on("2012-05-16");
    book.ask(Command::TransferSubscription(Box::new(
        TransferSubscription {
            subscription: "s1".into(),
            to: "s2".into(),
            account: "bob".into(),
            effective: Effective::Immediate,
            unused: Unused::CreditProrata,
        },
    )))
    .expect("goes over");
    run(&mut book, "r2");
    assert_eq!(document(&book, "r2.bob").total.currency, eur("0").currency);
    assert!(owes(&book, "bob").ends_with("EUR"));
    assert_eq!(owes(&book, "bob~EUR"), "nothing");
}

#[test]
fn a_charge_in_another_currency_goes_onto_a_folio_too() {
    let mut book = apart();
    book.ask(Command::AddCharge {
        account: "alice".into(),
        charge: "c1".into(),
        text: "thing".into(),
        amount: eur("7.00"),
        on: None,
        tax_class: "standard".into(),
    })
    .expect("is added");
    // The account's own folio has nothing; the other one is asked for by its name.
    let now = |account: &str| Command::InvoiceNow {
        invoice: "i1".into(),
        account: account.into(),
        usage: false,
    };
    assert_eq!(book.refused(now("alice")), "NOTHING_DUE");
    book.ask(now("alice~EUR")).expect("is invoiced");
    assert_eq!(document(&book, "i1").total, eur("7.00"));
    assert_eq!(document(&book, "i1").account, "alice");
    let missing = Command::InvoiceNow {
        invoice: "i2".into(),
        account: "alice~USD".into(),
        usage: false,
    };
    assert_eq!(book.refused(missing), "ACCOUNT_UNKNOWN");
}

#[test]
fn drafts_that_are_held_are_computed_again_on_their_folio() {
    let mut book = apart();
    book.ask(Command::SetInvoicing {
        place: InvoicingPlace::Account("alice".into()),
        terms: Some(Box::new(indelible_domain::invoicing::Terms {
            keep_drafts: true,
            ..Default::default()
        })),
    })
    .expect("is set");
    book.start("s1", "plan");
    book.start("s2", "local");
    run(&mut book, "r1");
    assert_eq!(owes(&book, "alice~EUR"), "nothing");
    book.ask(Command::ReleaseInvoice {
        invoice: "r1.alice.2".into(),
        note: "looked at".into(),
    })
    .expect("is released");
    assert_eq!(owes(&book, "alice~EUR"), "30.00 EUR");
    assert_eq!(owes(&book, "alice"), "nothing");
    let open = operations::preview;
    let session = indelible_domain::Session::new(book.tenant(), book.now());
    assert_eq!(
        open(&session, "alice~EUR", book.today).expect("is shown"),
        None
    );
}

#[test]
fn each_folio_is_dunned_for_what_it_owes_and_its_fee_is_billed_there() {
    let mut book = crate::dunning::dunned(vec![level(
        "first",
        5,
        &[
            DunningAction::Remind,
            DunningAction::Fee("2.00".parse().expect("a fee")),
        ],
    )]);
    book.sells(CATALOG);
    book.ask(Command::SetCurrencies {
        place: InvoicingPlace::Entity("arms".into()),
        currencies: Some(Currencies::Sale),
    })
    .expect("is set");
    book.start("s1", "plan");
    run(&mut book, "r1");
    book.on("2012-05-10");
    let asked = agenda::tick_commands(book.tenant(), book.now());
    let dun = asked.into_iter().find_map(|(_, c)| match c {
        Command::DunAccount { account } => Some(account),
        _ => None,
    });
    assert_eq!(dun.as_deref(), Some("alice~EUR"));
    book.ask(Command::DunAccount {
        account: "alice~EUR".into(),
    })
    .expect("is dunned");
    book.on("2012-06-01");
    run(&mut book, "r2");
    assert_eq!(document(&book, "r2.alice").total, eur("32.00"));
    assert_eq!(owes(&book, "alice~EUR"), "62.00 EUR");
}

#[test]
fn a_card_of_the_account_pays_each_folio_in_its_currency() {
    let mut book = apart();
    let card = Means::Card(Card {
        gateway: "test".into(),
        token: "t".into(),
        customer: None,
        brand: "visa".into(),
        last4: "4242".into(),
        expires: Month {
            year: 2030,
            month: 1,
        },
    });
    book.ask(Command::AddMethod(Box::new(AddMethod {
        account: "alice".into(),
        method: "m1".into(),
        means: card,
        preferred: true,
    })))
    .expect("is added");
    book.start("s1", "plan");
    run(&mut book, "r1");
    book.ask(Command::Collect(Collect {
        collection: "k1".into(),
        account: "alice".into(),
        invoice: Some("r1.alice".into()),
        method: None,
    }))
    .expect("is asked for");
    let payment = &book.tenant().tables.payments["k1.1"].state;
    assert_eq!(
        (payment.account.as_str(), payment.amount),
        ("alice~EUR", eur("30.00"))
    );
}

#[test]
fn money_that_comes_in_finds_the_folio_by_number_account_and_currency() {
    let mut book = apart();
    book.start("s1", "plan");
    book.start("s2", "local");
    run(&mut book, "r1");
    let mut receive = |payment: &str, amount: Money, reference: &str, account: Option<&str>| {
        book.ask(Command::ReceiveCash(Box::new(ReceiveCash {
            payment: payment.into(),
            entity: "arms".into(),
            account: account.map(Into::into),
            amount,
            value_date: d("2012-05-01"),
            reference: reference.into(),
            payer: Some("hash".into()),
            method: "transfer".into(),
        })))
        .expect("is taken in");
        folio_of(&book, payment)
    };
    assert_eq!(receive("p1", eur("1.00"), "2012-000002", None), "alice~EUR");
    assert_eq!(receive("p2", eur("1.00"), "", Some("alice")), "alice~EUR");
    assert_eq!(receive("p3", usd("1.00"), "", Some("alice")), "alice");
    // The payer's bank account is known of both folios: the currency decides.
    assert_eq!(receive("p4", eur("1.00"), "thanks", None), "alice~EUR");
    assert_eq!(receive("p5", usd("1.00"), "thanks", None), "alice");
    assert_eq!(owes(&book, "alice~EUR"), "27.00 EUR");
    assert_eq!(owes(&book, "alice"), "8.00 USD");
}

#[test]
fn what_another_legal_entity_sells_is_on_its_own_document_number_tax_and_books() {
    let mut book = with_other_seller();
    book.ask(Command::SetSeller {
        offer: "local".into(),
        seller: Some("legs".into()),
    })
    .expect("is set");
    book.start("s1", "local");
    book.ask(Command::SetSeller {
        offer: "local".into(),
        seller: None,
    })
    .expect("is set");
    book.start("s2", "local");
    run(&mut book, "r1");
    let (own, other) = (document(&book, "r1.alice"), document(&book, "r1.alice.2"));
    assert_eq!(
        (own.entity.as_str(), other.entity.as_str()),
        ("arms", "legs")
    );
    assert_eq!((own.total, other.total), (usd("10.50"), usd("11.30")));
    assert_eq!(
        (number(&book, "r1.alice"), number(&book, "r1.alice.2")),
        ("2012-000001", "L-2012-000001")
    );
    assert_eq!(owes(&book, "alice"), "10.50 USD");
    assert_eq!(owes(&book, "alice~USD~legs"), "11.30 USD");
    let posted = |entity: &str| {
        let of = |id: &&String| id.starts_with(entity);
        let journals = &book.tenant().tables.journals;
        let balances = journals.iter().filter(|(id, _)| of(id));
        let mut balances = balances.flat_map(|(_, j)| &j.state.balances);
        let owed = balances.find(|b| b.account == indelible_domain::journal::Ledger::Receivable);
        owed.map(|b| b.debit)
    };
    assert_eq!(posted("legs"), Some(usd("11.30")));
    assert_eq!(posted("arms"), Some(usd("10.50")));
    // Money of the one never pays the other.
    pay(&mut book, "p1", "alice", usd("20.00"), None);
    assert_eq!(owes(&book, "alice~USD~legs"), "11.30 USD");
    pay(&mut book, "p2", "alice", usd("11.30"), Some("r1.alice.2"));
    assert_eq!(owes(&book, "alice~USD~legs"), "0.00 USD");
    let wrong = Command::TransferCredit {
        transfer: "t1".into(),
        from: "alice".into(),
        to: "alice~USD~legs".into(),
        amount: usd("1.00"),
        reason: "mine".into(),
    };
    assert_eq!(book.refused(wrong), "TRANSFER_IMPOSSIBLE");
    // Notes are of the seller whose document they correct.
    book.ask(Command::CreditInvoice {
        note: "n1".into(),
        invoice: "r1.alice.2".into(),
        parts: vec![(1, None)],
        reason: "wrong".into(),
    })
    .expect("is credited");
    assert_eq!(number(&book, "n1"), "L-CN-2012-000001");
    assert_eq!(owes(&book, "alice~USD~legs"), "-11.30 USD");
}

#[test]
fn a_seller_can_be_said_for_one_subscription_and_must_exist() {
    let mut book = with_other_seller();
    book.start("s1", "local");
    let set = |seller: &str| Command::SetFolio {
        subscription: "s1".into(),
        seller: Some(seller.into()),
        currencies: None,
    };
    assert_eq!(book.refused(set("nobody")), "ENTITY_UNKNOWN");
    book.ask(set("legs")).expect("is set");
    assert_eq!(
        book.refused(Command::SetSeller {
            offer: "none".into(),
            seller: Some("legs".into()),
        }),
        "OFFER_UNKNOWN"
    );
    run(&mut book, "r1");
    assert_eq!(document(&book, "r1.alice").entity, "legs");
    assert_eq!(book.refused(set("arms")), "FOLIO_FIXED");
    assert_eq!(owes(&book, "alice"), "nothing");
}

#[test]
fn a_document_that_is_asked_for_on_one_folio_leaves_the_others_to_the_run() {
    let mut book = apart();
    book.start("s1", "plan");
    book.start("s2", "local");
    book.ask(Command::InvoiceNow {
        invoice: "i1".into(),
        account: "alice~EUR".into(),
        usage: false,
    })
    .expect("is invoiced");
    assert_eq!(document(&book, "i1").total, eur("30.00"));
    run(&mut book, "r1");
    assert_eq!(document(&book, "r1.alice").total, usd("10.00"));
    assert_eq!(run(&mut book, "r2").billed.len(), 0);
}
