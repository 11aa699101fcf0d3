//! Advances: invoiced before the supply with their tax, taken off what the supply is invoiced for, and given back when something
//! is left. What is taken off, credited and left makes the advance, to the cent.

use crate::book::{Book, d, document, run, usd};
use indelible_domain::advances::{Advance, Rest, Terms, Wanted};
use indelible_domain::catalog;
use indelible_domain::command::{
    InvoicingPlace, RateOfDay, ReceiveCash, RecordPayment, StartSubscription,
};
use indelible_domain::invoices::{Invoice, Kind, Stage};
use indelible_domain::invoicing::{self, Split};
use indelible_domain::journal::{self, Ledger};
use indelible_domain::kernel::Money;
use indelible_domain::taxes::Rate;
use indelible_domain::{Command, Rejection};
use std::collections::BTreeMap;

const CATALOG: &str = r#"
[[offer]]
code = "plan"
name = "Plan"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { flat = "30.00" }
every = "1 month"
align = "calendar"
"#;

/// A seller that asks 19 % tax, and 7 % of what is reduced.
fn book() -> Book {
    let mut book = Book::new();
    book.sells(CATALOG);
    for (class, rate) in [("standard", "0.19"), ("reduced", "0.07")] {
        let rate = Rate {
            name: class.into(),
            category: "*".into(),
            class: class.into(),
            seller: "*".into(),
            buyer: "*".into(),
            rate: rate.parse().expect("a rate"),
            from: d("2000-01-01"),
            parts: vec![],
        };
        book.ask(Command::SetTaxRate(rate)).expect("is set");
    }
    book
}

fn wanted(amount: &str, class: &str) -> Wanted {
    Wanted {
        text: "in advance".into(),
        amount: usd(amount),
        tax_class: class.into(),
    }
}

fn terms(lines: Vec<Wanted>) -> Terms {
    Terms {
        account: "alice".into(),
        lines,
        ..Terms::default()
    }
}

fn ask(book: &mut Book, advance: &str, terms: Terms) {
    let terms = Box::new(terms);
    let advance = advance.into();
    book.ask(Command::AskAdvance { advance, terms })
        .expect("is asked for");
}

fn close(book: &mut Book, advance: &str, rest: Rest) -> Result<(), Rejection> {
    let close = Command::CloseAdvance {
        advance: advance.into(),
        rest,
        reason: "called off".into(),
    };
    book.ask(close).map(|_| ())
}

fn supply(book: &mut Book, charge: &str, amount: &str, class: &str) {
    book.ask(Command::AddCharge {
        account: "alice".into(),
        charge: charge.into(),
        text: "machine".into(),
        amount: usd(amount),
        on: None,
        tax_class: class.into(),
    })
    .expect("is added");
}

fn invoice(book: &mut Book, id: &str) {
    book.ask(Command::InvoiceNow {
        invoice: id.into(),
        account: "alice".into(),
        usage: false,
    })
    .expect("is invoiced");
}

fn nets(book: &Book, id: &str) -> Vec<String> {
    let lines = document(book, id).lines.iter();
    lines.map(|l| l.net.amount()).collect()
}

fn sums(book: &Book, id: &str) -> (String, String, String) {
    let of = document(book, id);
    (of.net.amount(), of.tax.amount(), of.total.amount())
}

fn told(net: &str, tax: &str, total: &str) -> (String, String, String) {
    (net.into(), tax.into(), total.into())
}

fn left(book: &Book, advance: &str) -> Vec<String> {
    let state: &Advance = &book.tenant().tables.advances[advance].state;
    let rest = state.rest().into_iter();
    rest.map(|p| format!("{} + {}", p.net.amount(), p.amount.amount()))
        .collect()
}

fn pay(book: &mut Book, payment: &str, amount: &str, invoice: &str) {
    book.ask(Command::RecordPayment(RecordPayment {
        payment: payment.into(),
        account: "alice".into(),
        amount: usd(amount),
        invoice: Some(invoice.into()),
        method: "transfer".into(),
        pending: false,
    }))
    .expect("is paid");
}

fn posted(book: &Book, account: Ledger) -> String {
    let balances = journal::trial_balance(&book.tenant().tables);
    let found = balances.into_iter().find(|b| b.account == account);
    found.map_or("0.00".into(), |b| b.net().amount())
}

#[test]
fn an_advance_is_invoiced_with_its_tax_and_is_no_revenue() {
    let mut book = book();
    ask(
        &mut book,
        "a1",
        terms(vec![
            wanted("100.00", "standard"),
            wanted("50.00", "reduced"),
        ]),
    );
    assert_eq!(sums(&book, "advance.a1"), told("150.00", "22.50", "172.50"));
    assert_eq!(book.open_of("advance.a1"), "172.50");
    assert_eq!(posted(&book, Ledger::Advances), "-150.00");
    assert_eq!(posted(&book, Ledger::TaxPayable), "-22.50");
    assert_eq!(posted(&book, Ledger::OneOffRevenue), "0.00");
    // Once, and for something.
    let again = Command::AskAdvance {
        advance: "a1".into(),
        terms: Box::new(terms(vec![wanted("1.00", "standard")])),
    };
    assert_eq!(book.refused(again), "ADVANCE_EXISTS");
    let nothing = Command::AskAdvance {
        advance: "a2".into(),
        terms: Box::new(terms(vec![wanted("0.00", "standard")])),
    };
    assert_eq!(book.refused(nothing), "ADVANCE_INVALID");
    let euros = Wanted {
        amount: "1.00 EUR".parse::<Money>().expect("an amount"),
        ..wanted("1.00", "standard")
    };
    let foreign = Command::AskAdvance {
        advance: "a2".into(),
        terms: Box::new(terms(vec![euros])),
    };
    assert_eq!(book.refused(foreign), "CURRENCY_MISMATCH");
}

#[test]
fn the_document_of_the_supply_shows_all_of_it_and_takes_the_advance_off_with_its_tax() {
    let mut book = book();
    // 33.33 × 19 % = 6.3327, 16.67 × 7 % = 1.1669
    ask(
        &mut book,
        "a1",
        terms(vec![
            wanted("33.33", "standard"),
            wanted("16.67", "reduced"),
        ]),
    );
    supply(&mut book, "c1", "100.00", "standard");
    supply(&mut book, "c2", "50.00", "reduced");
    invoice(&mut book, "i1");
    let mut lines = nets(&book, "i1");
    lines.sort();
    assert_eq!(lines, ["-16.67", "-33.33", "100.00", "50.00"]);
    let all = (sums(&book, "advance.a1"), sums(&book, "i1"));
    assert_eq!(all.0, told("50.00", "7.50", "57.50"));
    // 19.00 − 6.33 and 3.50 − 1.17: both documents make what the supply alone would.
    assert_eq!(all.1, told("100.00", "15.00", "115.00"));
    let text = document(&book, "i1")
        .lines
        .iter()
        .find(|l| l.net == usd("-33.33"));
    assert_eq!(
        text.map(|l| l.text.as_str()),
        Some("Advance ADV-2012-000001 of 2012-05-01")
    );
    assert_eq!(left(&book, "a1"), Vec::<String>::new());
    assert_eq!(posted(&book, Ledger::Advances), "0.00");
    assert_eq!(posted(&book, Ledger::OneOffRevenue), "-150.00");
    assert_eq!(posted(&book, Ledger::TaxPayable), "-22.50");
}

#[test]
fn it_is_taken_off_until_it_is_used_up_the_oldest_first_and_never_beyond_what_is_asked() {
    let mut book = book();
    ask(&mut book, "a1", terms(vec![wanted("10.01", "standard")]));
    ask(
        &mut book,
        "a2",
        terms(vec![wanted("90.00", "standard"), wanted("5.00", "reduced")]),
    );
    let mut tax = 0;
    for (n, expected) in ["0.00", "0.00", "0.00"].iter().enumerate() {
        let (charge, id) = (format!("c{n}"), format!("i{n}"));
        supply(&mut book, &charge, "33.33", "standard");
        invoice(&mut book, &id);
        assert_eq!(document(&book, &id).net.amount(), *expected);
        tax += document(&book, &id).tax.minor;
    }
    // 100.01 − 99.99 is left of the advances, and no document was of the reduced rate.
    assert_eq!(left(&book, "a1"), Vec::<String>::new());
    let rest = left(&book, "a2");
    assert_eq!(rest.len(), 2, "{rest:?}");
    assert!(rest.contains(&"5.00 + 0.35".to_string()), "{rest:?}");
    // Taxes of 1.90 and 17.10 were asked for with the advances of 19 %; what is left has none of them.
    assert_eq!(rest.iter().filter(|r| r.starts_with("0.02")).count(), 1);
    let asked = document(&book, "advance.a1").tax.minor + document(&book, "advance.a2").tax.minor;
    let state: &Advance = &book.tenant().tables.advances["a2"].state;
    let kept: i128 = state.rest().iter().map(|p| p.amount.minor).sum();
    let of_supply = 3 * 633;
    assert_eq!(tax + asked - kept, of_supply);
}

#[test]
fn what_is_for_one_subscription_or_order_is_taken_off_its_documents_alone() {
    let mut book = book();
    for id in ["s1", "s2", "s3"] {
        book.ask(Command::StartSubscription(Box::new(StartSubscription {
            subscription: id.into(),
            account: "alice".into(),
            offer: "plan".into(),
            quantity: 1.into(),
            from: None,
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: true,
            access: vec![],
        })))
        .expect("starts");
    }
    book.ask(Command::OrderSubscription {
        subscription: "s3".into(),
        order: Some("po-7".into()),
    })
    .expect("is ordered");
    book.ask(Command::SetInvoicing {
        place: InvoicingPlace::Account("alice".into()),
        terms: Some(Box::new(invoicing::Terms {
            split: Split::Subscription,
            ..Default::default()
        })),
    })
    .expect("is set");
    let of_s2 = Terms {
        subscription: Some("s2".into()),
        ..terms(vec![wanted("100.00", "standard")])
    };
    ask(&mut book, "a1", of_s2);
    let of_order = Terms {
        order: Some("po-7".into()),
        ..terms(vec![wanted("10.00", "standard")])
    };
    ask(&mut book, "a2", of_order);
    let both = Terms {
        order: Some("po-7".into()),
        subscription: Some("s2".into()),
        ..terms(vec![wanted("10.00", "standard")])
    };
    let refused = Command::AskAdvance {
        advance: "a3".into(),
        terms: Box::new(both),
    };
    assert_eq!(book.refused(refused), "ADVANCE_INVALID");
    let run = run(&mut book, "r1");
    assert_eq!(run.failed.iter().count(), 0, "{:?}", run.failed);
    let totals: Vec<_> = ["r1.alice", "r1.alice.2", "r1.alice.3"]
        .map(|id| document(&book, id).net.amount())
        .into();
    assert_eq!(totals, ["30.00", "0.00", "20.00"]);
    assert_eq!(left(&book, "a1"), ["70.00 + 13.30"]);
    assert_eq!(left(&book, "a2"), Vec::<String>::new());
}

#[test]
fn nothing_is_taken_off_twice_and_a_void_document_gives_it_back() {
    let mut book = book();
    ask(&mut book, "a1", terms(vec![wanted("40.00", "standard")]));
    supply(&mut book, "c1", "100.00", "standard");
    invoice(&mut book, "i1");
    assert_eq!(sums(&book, "i1"), told("60.00", "11.40", "71.40"));
    supply(&mut book, "c2", "10.00", "standard");
    invoice(&mut book, "i2");
    assert_eq!(sums(&book, "i2"), told("10.00", "1.90", "11.90"));
    // What was taken off stands.
    let void = |invoice: &str| Command::VoidInvoice {
        invoice: invoice.into(),
        reason: "wrong".into(),
    };
    assert_eq!(book.refused(void("advance.a1")), "ADVANCE_DEDUCTED");
    let credit = Command::CreditInvoice {
        note: "n1".into(),
        invoice: "advance.a1".into(),
        parts: vec![(1, Some(usd("1.00")))],
        reason: "wrong".into(),
    };
    assert_eq!(book.refused(credit), "ADVANCE_EXCEEDED");
    book.ask(void("i1")).expect("is void");
    assert_eq!(left(&book, "a1"), ["40.00 + 7.60"]);
    invoice(&mut book, "i3");
    assert_eq!(sums(&book, "i3"), told("60.00", "11.40", "71.40"));
    book.ask(void("i3")).expect("is void");
    book.ask(void("advance.a1")).expect("is void");
    invoice(&mut book, "i4");
    assert_eq!(sums(&book, "i4"), told("100.00", "19.00", "119.00"));
    assert_eq!(posted(&book, Ledger::Advances), "0.00");
}

#[test]
fn a_held_draft_keeps_what_it_takes_off_until_it_is_rejected() {
    let mut book = book();
    ask(&mut book, "a1", terms(vec![wanted("40.00", "standard")]));
    supply(&mut book, "c1", "100.00", "standard");
    book.ask(Command::DraftInvoice {
        invoice: "i1".into(),
        account: "alice".into(),
        as_of: None,
    })
    .expect("drafts");
    // A draft keeps nothing until it is held.
    assert_eq!(left(&book, "a1"), ["40.00 + 7.60"]);
    book.ask(Command::HoldInvoice {
        invoice: "i1".into(),
        reason: "look".into(),
    })
    .expect("is held");
    assert_eq!(left(&book, "a1"), Vec::<String>::new());
    book.ask(Command::RejectInvoice {
        invoice: "i1".into(),
        reason: "no".into(),
    })
    .expect("is rejected");
    assert_eq!(left(&book, "a1"), ["40.00 + 7.60"]);
}

#[test]
fn what_is_taken_off_only_once_it_is_paid_waits_for_its_money() {
    let mut book = book();
    let paid = Terms {
        once_paid: true,
        ..terms(vec![wanted("40.00", "standard")])
    };
    ask(&mut book, "a1", paid);
    supply(&mut book, "c1", "50.00", "standard");
    invoice(&mut book, "i1");
    assert_eq!(sums(&book, "i1"), told("50.00", "9.50", "59.50"));
    pay(&mut book, "p1", "47.60", "advance.a1");
    supply(&mut book, "c2", "50.00", "standard");
    invoice(&mut book, "i2");
    assert_eq!(sums(&book, "i2"), told("10.00", "1.90", "11.90"));
}

#[test]
fn the_rest_of_a_closed_advance_is_credit_or_is_paid_out_and_one_called_off_is_credited_whole() {
    let mut book = book();
    // Never paid: its item is gone, and nothing is credit.
    ask(&mut book, "a1", terms(vec![wanted("40.00", "standard")]));
    close(&mut book, "a1", Rest::Refund).expect("is closed");
    assert_eq!(
        sums(&book, "advance.a1.note"),
        told("-40.00", "-7.60", "-47.60")
    );
    assert_eq!(book.owes(), crate::book::sums("0.00", "0.00"));
    // Paid and partly used: the rest is credit, with the tax that is left.
    ask(
        &mut book,
        "a2",
        terms(vec![
            wanted("33.33", "standard"),
            wanted("10.00", "reduced"),
        ]),
    );
    pay(&mut book, "p1", "50.36", "advance.a2");
    supply(&mut book, "c1", "20.00", "standard");
    invoice(&mut book, "i1");
    assert_eq!(sums(&book, "i1"), told("0.00", "0.00", "0.00"));
    close(&mut book, "a2", Rest::Credit).expect("is closed");
    assert_eq!(
        sums(&book, "advance.a2.note"),
        told("-23.33", "-3.23", "-26.56")
    );
    assert_eq!(book.owes(), crate::book::sums("-26.56", "26.56"));
    let again = close(&mut book, "a2", Rest::Credit).expect_err("is closed already");
    assert_eq!(again.code, "ADVANCE_CLOSED");
    supply(&mut book, "c2", "5.00", "standard");
    invoice(&mut book, "i2");
    assert_eq!(sums(&book, "i2"), told("5.00", "0.95", "5.95"));
    // Paid, nothing used, nothing else open: it goes out.
    ask(&mut book, "a3", terms(vec![wanted("10.00", "standard")]));
    assert_eq!(book.owes(), crate::book::sums("-8.71", "8.71"));
    close(&mut book, "a3", Rest::Refund).expect("is closed");
    assert_eq!(book.owes(), crate::book::sums("-8.71", "8.71"));
    assert_eq!(posted(&book, Ledger::Cash), "38.46");
    assert_eq!(posted(&book, Ledger::Advances), "0.00");
}

#[test]
fn an_advance_is_taken_off_documents_of_its_own_folio_alone() {
    let mut book = book();
    let offers = catalog::parse(&CATALOG.replace("plan", "euro").replace("USD", "EUR"));
    book.ask(Command::ApplyCatalog {
        offers: offers.expect("the catalog is read"),
    })
    .expect("applies");
    book.ask(Command::SetCurrencies {
        place: InvoicingPlace::Account("alice".into()),
        currencies: Some(invoicing::Currencies::Sale),
    })
    .expect("is set");
    let euros = |amount: &str| -> Money { format!("{amount} EUR").parse().expect("an amount") };
    // The seller accounts for tax in dollars.
    book.ask(Command::TellRates {
        entity: None,
        rates: vec![RateOfDay {
            from: euros("0").currency,
            to: usd("0").currency,
            on: d("2012-05-01"),
            rate: "1.10".parse().expect("a rate"),
            source: "ecb".into(),
        }],
    })
    .expect("is told");
    let of_euros = Terms {
        account: "alice~EUR".into(),
        ..terms(vec![Wanted {
            amount: euros("20.00"),
            ..wanted("0.00", "standard")
        }])
    };
    ask(&mut book, "a1", of_euros);
    supply(&mut book, "c1", "100.00", "standard");
    book.ask(Command::AddCharge {
        account: "alice".into(),
        charge: "c2".into(),
        text: "machine".into(),
        amount: euros("100.00"),
        on: None,
        tax_class: "standard".into(),
    })
    .expect("is added");
    invoice(&mut book, "i1");
    assert_eq!(document(&book, "i1").total, usd("119.00"));
    book.ask(Command::InvoiceNow {
        invoice: "i2".into(),
        account: "alice~EUR".into(),
        usage: false,
    })
    .expect("is invoiced");
    assert_eq!(document(&book, "i2").total, euros("95.20"));
}

#[test]
fn what_comes_back_to_a_closed_advance_when_its_document_is_void_is_credited_as_its_rest_was() {
    for rest in [Rest::Credit, Rest::Refund] {
        let mut book = book();
        ask(&mut book, "a1", terms(vec![wanted("40.00", "standard")]));
        pay(&mut book, "p1", "47.60", "advance.a1");
        supply(&mut book, "c1", "33.33", "standard");
        invoice(&mut book, "i1");
        close(&mut book, "a1", rest).expect("is closed");
        assert_eq!(
            sums(&book, "advance.a1.note"),
            told("-6.67", "-1.27", "-7.94")
        );
        book.ask(Command::VoidInvoice {
            invoice: "i1".into(),
            reason: "wrong".into(),
        })
        .expect("is void");
        assert_eq!(
            sums(&book, "advance.a1.note.2"),
            told("-33.33", "-6.33", "-39.66")
        );
        assert_eq!(left(&book, "a1"), Vec::<String>::new());
        assert_eq!(posted(&book, Ledger::Advances), "0.00");
        invoice(&mut book, "i2");
        assert_eq!(sums(&book, "i2"), told("33.33", "6.33", "39.66"));
        // What was paid out is owed again; what was credit pays the next document.
        let owed = match rest {
            Rest::Credit => "-7.94 USD",
            Rest::Refund => "39.66 USD",
        };
        let known = &book.tenant().tables.receivables["alice"].state;
        assert_eq!(known.balance().to_string(), owed);
    }
}

/// Another rate from a day on.
fn rate(book: &mut Book, class: &str, rate: &str, from: &str) {
    let rate = Rate {
        name: class.into(),
        category: "*".into(),
        class: class.into(),
        seller: "*".into(),
        buyer: "*".into(),
        rate: rate.parse().expect("a rate"),
        from: d(from),
        parts: vec![],
    };
    book.ask(Command::SetTaxRate(rate)).expect("is set");
}

/// Rate, net and tax of each group of a document.
fn groups(book: &Book, id: &str) -> Vec<String> {
    let groups = document(book, id).taxes.iter();
    let told = groups.map(|g| {
        format!(
            "{} of {} is {}",
            g.tax.rate,
            g.net.amount(),
            g.amount.amount()
        )
    });
    told.collect()
}

#[test]
fn a_supply_is_taxed_at_its_own_rate_whatever_the_advance_was_taxed_with() {
    // From, rate, what the document of the supply asks for, its groups.
    for (later, tax, total, of) in [
        (
            "0.21",
            "13.40",
            "73.40",
            ["0.19 of -40.00 is -7.60", "0.21 of 100.00 is 21.00"],
        ),
        (
            "0.16",
            "8.40",
            "68.40",
            ["0.16 of 100.00 is 16.00", "0.19 of -40.00 is -7.60"],
        ),
    ] {
        let mut book = book();
        ask(
            &mut book,
            "a1",
            terms(vec![
                wanted("40.00", "standard"),
                wanted("10.00", "reduced"),
            ]),
        );
        rate(&mut book, "standard", later, "2012-06-01");
        book.on("2012-06-02");
        supply(&mut book, "c1", "100.00", "standard");
        invoice(&mut book, "i1");
        assert_eq!(sums(&book, "i1"), told("60.00", tax, total));
        assert_eq!(groups(&book, "i1"), of);
        // Together they ask for what the supply alone would have cost; the other class is for another supply.
        assert_eq!(left(&book, "a1"), ["10.00 + 0.70"]);
        assert_eq!(posted(&book, Ledger::OneOffRevenue), "-100.00");
    }
}

#[test]
fn a_rate_that_fell_gives_back_the_tax_that_was_asked_for_too_much() {
    let mut book = book();
    ask(&mut book, "a1", terms(vec![wanted("40.00", "standard")]));
    pay(&mut book, "p1", "47.60", "advance.a1");
    rate(&mut book, "standard", "0.16", "2012-06-01");
    book.on("2012-06-02");
    supply(&mut book, "c1", "40.00", "standard");
    invoice(&mut book, "i1");
    assert_eq!(sums(&book, "i1"), told("0.00", "-1.20", "-1.20"));
    assert_eq!(posted(&book, Ledger::TaxPayable), "-6.40");
    assert_eq!(left(&book, "a1"), Vec::<String>::new());
    let known = &book.tenant().tables.receivables["alice"].state;
    assert_eq!(known.balance().to_string(), "-1.20 USD");
}

fn request(book: &mut Book, advance: &str, terms: Terms) {
    let terms = Box::new(terms);
    let advance = advance.into();
    book.ask(Command::RequestAdvance { advance, terms })
        .expect("is requested");
}

/// Kind and number of a document.
fn called(book: &Book, id: &str) -> (Kind, String) {
    let invoice: &Invoice = &book.tenant().tables.invoices[id].state;
    (invoice.document.kind, invoice.number.clone())
}

fn known(book: &Book, id: &str) -> bool {
    book.tenant().tables.invoices.get(id).is_some()
}

fn invoice_id(advance: &str) -> String {
    format!("advance.{advance}")
}

fn transfer(book: &mut Book, payment: &str, amount: &str, text: &str) {
    let cash = ReceiveCash {
        payment: payment.into(),
        entity: "arms".into(),
        account: None,
        amount: usd(amount),
        value_date: d("2012-05-01"),
        reference: text.into(),
        payer: None,
        method: "transfer".into(),
    };
    book.ask(Command::ReceiveCash(Box::new(cash)))
        .expect("is received");
}

#[test]
fn each_kind_of_document_has_numbers_of_its_own() {
    let mut book = book();
    supply(&mut book, "c1", "100.00", "standard");
    invoice(&mut book, "i1");
    ask(&mut book, "a1", terms(vec![wanted("10.00", "standard")]));
    request(&mut book, "a2", terms(vec![wanted("20.00", "standard")]));
    request(&mut book, "a3", terms(vec![wanted("20.00", "standard")]));
    close(&mut book, "a1", Rest::Credit).expect("is closed");
    supply(&mut book, "c2", "100.00", "standard");
    invoice(&mut book, "i2");
    let told = [
        "i1",
        "advance.a1",
        "advance.a2.request",
        "advance.a3.request",
    ];
    let found: Vec<_> = told.iter().map(|id| called(&book, id)).collect();
    let number = |kind, number: &str| (kind, number.to_string());
    assert_eq!(
        found,
        [
            number(Kind::Invoice, "2012-000001"),
            number(Kind::AdvanceInvoice, "ADV-2012-000001"),
            number(Kind::AdvanceRequest, "PF-2012-000001"),
            number(Kind::AdvanceRequest, "PF-2012-000002"),
        ]
    );
    // What is given back and what comes later goes on where its own kind stopped.
    assert_eq!(
        called(&book, "advance.a1.note"),
        number(Kind::CreditNote, "CN-2012-000001")
    );
    assert_eq!(called(&book, "i2"), number(Kind::Invoice, "2012-000002"));
}

#[test]
fn a_request_books_nothing_and_its_money_makes_the_invoice() {
    let mut book = book();
    request(&mut book, "a1", terms(vec![wanted("100.00", "standard")]));
    assert_eq!(
        sums(&book, "advance.a1.request"),
        told("100.00", "19.00", "119.00")
    );
    assert_eq!(book.owes(), crate::book::sums("0.00", "0.00"));
    for account in [Ledger::Receivable, Ledger::Advances, Ledger::TaxPayable] {
        assert_eq!(posted(&book, account), "0.00");
    }
    // Nothing is taken off before it is invoiced.
    supply(&mut book, "c1", "10.00", "standard");
    invoice(&mut book, "i1");
    assert_eq!(nets(&book, "i1"), ["10.00"]);
    pay(&mut book, "p0", "11.90", "i1");
    let credit = Command::CreditInvoice {
        note: "n1".into(),
        invoice: "advance.a1.request".into(),
        parts: vec![(1, None)],
        reason: "wrong".into(),
    };
    assert_eq!(book.refused(credit), "NOT_AN_INVOICE");
    // Less than was asked for is credit.
    pay(&mut book, "p1", "118.99", "advance.a1.request");
    assert!(!known(&book, "advance.a1"));
    assert_eq!(book.owes(), crate::book::sums("-118.99", "118.99"));
    // The rate of the day on which the money is there.
    rate(&mut book, "standard", "0.18", "2012-06-01");
    book.on("2012-06-02");
    pay(&mut book, "p2", "0.01", "advance.a1.request");
    assert_eq!(
        called(&book, "advance.a1"),
        (Kind::AdvanceInvoice, "ADV-2012-000001".to_string())
    );
    assert_eq!(sums(&book, "advance.a1"), told("100.00", "18.00", "118.00"));
    assert_eq!(book.open_of("advance.a1"), "0.00");
    assert_eq!(book.owes(), crate::book::sums("-1.00", "1.00"));
    assert_eq!(posted(&book, Ledger::Advances), "-100.00");
    assert_eq!(left(&book, "a1"), ["100.00 + 18.00"]);
    // Once, and what asked for it stays.
    let again = Command::InvoiceAdvance {
        advance: "a1".into(),
    };
    assert_eq!(book.refused(again), "ADVANCE_INVOICED");
    let void = Command::VoidInvoice {
        invoice: "advance.a1.request".into(),
        reason: "wrong".into(),
    };
    assert_eq!(book.refused(void), "ADVANCE_INVOICED");
    supply(&mut book, "c2", "150.00", "standard");
    invoice(&mut book, "i2");
    assert_eq!(nets(&book, "i2"), ["150.00", "-100.00"]);
}

#[test]
fn money_finds_a_request_by_its_number_and_what_is_left_of_a_payment_pays_the_oldest() {
    let mut book = book();
    for advance in ["a1", "a2", "a3"] {
        request(&mut book, advance, terms(vec![wanted("10.00", "standard")]));
    }
    transfer(&mut book, "p1", "11.90", "for PF-2012-000002, thank you");
    assert_eq!(
        ["a1", "a2", "a3"].map(|a| known(&book, &invoice_id(a))),
        [false, true, false]
    );
    assert_eq!(book.open_of("advance.a2"), "0.00");
    // An invoice is owed, a request is not: it comes after it.
    supply(&mut book, "c1", "20.00", "standard");
    invoice(&mut book, "i1");
    assert_eq!(nets(&book, "i1"), ["20.00", "-10.00"]);
    let none = |book: &mut Book, payment: &str, amount: &str| {
        book.ask(Command::RecordPayment(RecordPayment {
            payment: payment.into(),
            account: "alice".into(),
            amount: usd(amount),
            invoice: None,
            method: "transfer".into(),
            pending: false,
        }))
        .expect("is paid");
    };
    none(&mut book, "p2", "20.00");
    assert_eq!(book.open_of("i1"), "0.00");
    assert_eq!(book.owes(), crate::book::sums("-8.10", "8.10"));
    none(&mut book, "p3", "3.80");
    assert_eq!(
        ["a1", "a3"].map(|a| known(&book, &invoice_id(a))),
        [true, false]
    );
    assert_eq!(book.owes(), crate::book::sums("0.00", "0.00"));
    // Two requests named by one transfer, of which it pays both or the first.
    request(&mut book, "a4", terms(vec![wanted("10.00", "standard")]));
    transfer(&mut book, "p4", "23.80", "PF-2012-000003 PF-2012-000004");
    assert_eq!(
        ["a3", "a4"].map(|a| known(&book, &invoice_id(a))),
        [true, true]
    );
    assert_eq!(book.owes(), crate::book::sums("0.00", "0.00"));
    // What a payment names comes before what is due earlier.
    supply(&mut book, "c2", "50.00", "standard");
    invoice(&mut book, "i2");
    assert_eq!(book.open_of("i2"), "23.80");
    for advance in ["a5", "a6"] {
        request(&mut book, advance, terms(vec![wanted("10.00", "standard")]));
    }
    pay(&mut book, "p5", "11.90", "advance.a5.request");
    transfer(&mut book, "p6", "11.90", "PF 2012 000006");
    for (document, open) in [
        ("i2", "23.80"),
        ("advance.a5", "0.00"),
        ("advance.a6", "0.00"),
    ] {
        assert_eq!(book.open_of(document), open, "{document}");
    }
    // Of money that is still to come nothing is invoiced.
    request(&mut book, "a7", terms(vec![wanted("10.00", "standard")]));
    book.ask(Command::RecordPayment(RecordPayment {
        payment: "p7".into(),
        account: "alice".into(),
        amount: usd("11.90"),
        invoice: Some("advance.a7.request".into()),
        method: "transfer".into(),
        pending: true,
    }))
    .expect("is expected");
    assert!(!known(&book, "advance.a7"));
    book.settle("p7");
    assert_eq!(book.open_of("advance.a7"), "0.00");
    assert_eq!(book.open_of("i2"), "23.80");
}

#[test]
fn the_number_of_one_kind_is_not_found_within_that_of_another() {
    let mut book = book();
    book.open("bob", |_| {});
    book.ask(Command::AddCharge {
        account: "bob".into(),
        charge: "b1".into(),
        text: "machine".into(),
        amount: usd("10.00"),
        on: None,
        tax_class: "standard".into(),
    })
    .expect("is added");
    book.ask(Command::InvoiceNow {
        invoice: "i1".into(),
        account: "bob".into(),
        usage: false,
    })
    .expect("is invoiced");
    assert_eq!(called(&book, "i1").1, "2012-000001");
    ask(&mut book, "a1", terms(vec![wanted("10.00", "standard")]));
    transfer(&mut book, "p1", "11.90", "Advance ADV-2012-000001");
    assert_eq!(book.open_of("advance.a1"), "0.00");
    request(&mut book, "a2", terms(vec![wanted("10.00", "standard")]));
    transfer(&mut book, "p2", "11.90", "PF/2012/000001");
    assert_eq!(book.open_of("advance.a2"), "0.00");
}

#[test]
fn a_request_that_nobody_pays_is_void_and_one_can_be_invoiced_without_its_money() {
    let mut book = book();
    request(&mut book, "a1", terms(vec![wanted("10.00", "standard")]));
    close(&mut book, "a1", Rest::Credit).expect("is closed");
    let stage = |book: &Book, id: &str| book.tenant().tables.invoices[id].state.stage.clone();
    assert_eq!(stage(&book, "advance.a1.request"), Stage::Void);
    assert!(!known(&book, "advance.a1.note"));
    pay(&mut book, "p1", "11.90", "advance.a1.request");
    assert!(!known(&book, "advance.a1"));
    let invoice = |advance: &str| Command::InvoiceAdvance {
        advance: advance.into(),
    };
    assert_eq!(book.refused(invoice("a1")), "ADVANCE_CLOSED");
    // The document itself says the same.
    request(&mut book, "a2", terms(vec![wanted("10.00", "standard")]));
    let void = Command::VoidInvoice {
        invoice: "advance.a2.request".into(),
        reason: "wrong".into(),
    };
    book.ask(void).expect("is void");
    assert_eq!(book.refused(invoice("a2")), "ADVANCE_CLOSED");
    request(&mut book, "a3", terms(vec![wanted("100.00", "standard")]));
    book.ask(invoice("a3")).expect("is invoiced");
    // The credit that is there pays of it what it can.
    assert_eq!(book.open_of("advance.a3"), "107.10");
    let again = Command::RequestAdvance {
        advance: "a3".into(),
        terms: Box::new(terms(vec![wanted("1.00", "standard")])),
    };
    assert_eq!(book.refused(again), "ADVANCE_EXISTS");
    // A payment that still names the request is for its invoice.
    pay(&mut book, "p2", "107.10", "advance.a3.request");
    assert_eq!(book.open_of("advance.a3"), "0.00");
}

#[test]
fn closing_an_advance_leaves_the_others_of_its_account_in_their_order_and_those_of_other_accounts()
{
    let mut book = book();
    book.open("bob", |_| {});
    for (advance, account) in [
        ("a1", "alice"),
        ("a2", "bob"),
        ("a3", "alice"),
        ("a4", "alice"),
    ] {
        let of = Terms {
            account: account.into(),
            ..terms(vec![wanted("10.00", "standard")])
        };
        match advance {
            "a3" => request(&mut book, advance, of),
            _ => ask(&mut book, advance, of),
        }
    }
    let open = |book: &Book, account: &str| {
        let known = book.tenant().index.advances_of.get(account);
        known.cloned().unwrap_or_default()
    };
    for (closed, left, of_bob) in [
        ("a3", vec!["a1", "a4"], vec!["a2"]),
        ("a1", vec!["a4"], vec!["a2"]),
        ("a2", vec!["a4"], vec![]),
        ("a4", vec![], vec![]),
    ] {
        close(&mut book, closed, Rest::Credit).expect("is closed");
        assert_eq!(
            (open(&book, "alice"), open(&book, "bob")),
            (
                left.into_iter().map(String::from).collect(),
                of_bob.into_iter().map(String::from).collect()
            )
        );
    }
    let empty = book.tenant().index.advances_of.is_empty();
    assert!(empty, "an account without open advances is not kept");
}
