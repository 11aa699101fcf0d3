//! Tax in the accounting currency: a document in another currency than its legal entity's tells its tax in that one too, at the
//! rate of its day, each group rounded once; what corrects a document has that document's rate, to the cent.

use crate::book::{Book, d, document, eur, run};
use indelible_domain::accounts::AccountTerms;
use indelible_domain::advances::{Rest, Terms, Wanted};
use indelible_domain::command::StartSubscription;
use indelible_domain::command::{Effective, GrantWallet, InvoicingPlace, RateOfDay, RecordPayment};
use indelible_domain::invoices::{Invoice, Stage, TaxStated};
use indelible_domain::invoicing::{Exchange, RateDay};
use indelible_domain::kernel::Money;
use indelible_domain::subscriptions::Unused;
use indelible_domain::taxes::Rate;
use indelible_domain::wallets::Funding;
use indelible_domain::{Command, Event, Outcome, Rejection, World, invoices};
use std::collections::BTreeMap;

const CATALOG: &str = r#"
[[offer]]
code = "plan"
name = "Plan"
currency = "EUR"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { flat = "31.00" }
every = "1 month"
align = "calendar"
"#;

fn tax(book: &mut Book, class: &str, rate: &str, from: &str) {
    let rate = Rate {
        name: format!("VAT {rate}"),
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

/// A seller in the Union with books in dollars, and emma who buys in euros: 19 % of what is standard, 7 % of what is reduced.
fn book() -> Book {
    let mut book = Book::new();
    seller_in(&mut book, "IE");
    book.sells(CATALOG);
    tax(&mut book, "standard", "0.19", "2000-01-01");
    tax(&mut book, "reduced", "0.07", "2000-01-01");
    let euros = |terms: &mut AccountTerms| terms.currency = "EUR".parse().expect("a currency");
    book.open("emma", euros);
    book
}

fn seller_in(book: &mut Book, country: &str) {
    let mut terms = book.tenant().tables.entities["arms"].state.terms.clone();
    terms.country = country.into();
    let change = Command::ChangeEntity {
        entity: "arms".into(),
        terms,
    };
    book.ask(change).expect("is changed");
}

fn tell(book: &mut Book, on: &str, rate: &str) {
    let rates = vec![RateOfDay {
        from: "EUR".parse().expect("a currency"),
        to: "USD".parse().expect("a currency"),
        on: d(on),
        rate: rate.parse().expect("a rate"),
        source: "ecb".into(),
    }];
    let tell = Command::TellRates {
        entity: None,
        rates,
    };
    book.ask(tell).expect("is told");
}

fn add(book: &mut Book, charge: &str, amount: Money, class: &str) {
    book.ask(Command::AddCharge {
        account: match amount.currency.code() {
            "EUR" => "emma".into(),
            _ => "alice".into(),
        },
        charge: charge.into(),
        text: "thing".into(),
        amount,
        on: None,
        tax_class: class.into(),
    })
    .expect("is added");
}

fn now(book: &mut Book, invoice: &str, account: &str) -> Result<Outcome, Rejection> {
    book.ask(Command::InvoiceNow {
        invoice: invoice.into(),
        account: account.into(),
        usage: false,
    })
}

fn credit(book: &mut Book, note: &str, invoice: &str, parts: Vec<(u32, Option<Money>)>) {
    book.ask(Command::CreditInvoice {
        note: note.into(),
        invoice: invoice.into(),
        parts,
        reason: "wrong".into(),
    })
    .expect("is credited");
}

fn state<'b>(book: &'b Book, id: &str) -> &'b Invoice {
    &book.tenant().tables.invoices[id].state
}

fn stated<'b>(book: &'b Book, id: &str) -> Option<&'b TaxStated> {
    state(book, id).stated.as_deref()
}

/// Each part as "tax = amount at rate of day", and the total.
fn told(book: &Book, id: &str) -> (Vec<String>, String) {
    let told = stated(book, id).expect("is told");
    let part = |part: &invoices::StatedTax| {
        let rate = part.rate.to_decimal(6);
        format!("{} = {} at {rate} of {}", part.of, part.amount, part.on)
    };
    let parts = told.parts.iter().map(part).collect();
    (parts, told.total.to_string())
}

fn said(parts: &[&str], total: &str) -> (Vec<String>, String) {
    let parts = parts.iter().map(|part| part.to_string()).collect();
    (parts, total.into())
}

/// How often something was told of a document.
fn times(book: &Book, id: &str) -> usize {
    let is = |event: &Event| matches!(event, Event::Invoice(invoices::Event::TaxStated(_)));
    let own = book
        .log
        .iter()
        .filter(|(stream, event)| stream == id && is(event));
    own.count()
}

/// The ledger as it would be if nothing had ever been told.
fn of_before(book: &Book) -> Book {
    let mut world = World::default();
    let mut versions: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (id, event) in &book.log {
        if matches!(event, Event::Invoice(invoices::Event::TaxStated(_))) {
            continue;
        }
        let version = versions.entry((event.kind(), id)).or_default();
        *version += 1;
        world.fold("t", id, *version, event);
    }
    book.over(world)
}

#[test]
fn a_document_in_another_currency_tells_its_tax_by_rate_and_in_total() {
    let mut book = book();
    tell(&mut book, "2012-05-01", "1.2345");
    add(&mut book, "c1", eur("10.50"), "standard");
    add(&mut book, "c2", eur("10.49"), "reduced");
    add(&mut book, "c3", eur("1.00"), "free");
    now(&mut book, "i1", "emma").expect("is invoiced");
    // 19 % of 10.50 = 2.00, × 1.2345 = 2.469; 7 % of 10.49 = 0.73, × 1.2345 = 0.901185. Together 2.73 would make 3.37.
    assert_eq!(
        told(&book, "i1"),
        said(
            &[
                "0.73 EUR = 0.90 USD at 1.2345 of 2012-05-01",
                "2.00 EUR = 2.47 USD at 1.2345 of 2012-05-01"
            ],
            "3.37 USD"
        )
    );
    let source = stated(&book, "i1").map(|t| t.parts[0].source.clone());
    assert_eq!(source.as_deref(), Some("ecb"));
}

#[test]
fn a_document_in_the_sellers_currency_or_without_tax_tells_nothing_and_needs_no_rate() {
    let mut book = book();
    add(&mut book, "c1", crate::book::usd("10.00"), "standard");
    add(&mut book, "c2", eur("10.00"), "free");
    now(&mut book, "i1", "alice").expect("is invoiced");
    now(&mut book, "i2", "emma").expect("is invoiced");
    for id in ["i1", "i2"] {
        assert_eq!(stated(&book, id), None);
        assert_eq!(times(&book, id), 0);
    }
    assert!(document(&book, "i1").tax.is_positive());
}

#[test]
fn without_a_rate_the_account_is_refused_and_the_run_goes_on() {
    let mut book = book();
    add(&mut book, "c1", crate::book::usd("10.00"), "standard");
    add(&mut book, "c2", eur("10.00"), "standard");
    // One day older than a rate may be where nobody said how old.
    tell(&mut book, "2012-04-23", "1.10");
    let done = run(&mut book, "r1");
    let failed = done.failed.iter().map(|(a, c, _)| (a.as_str(), c.as_str()));
    assert_eq!(failed.collect::<Vec<_>>(), [("emma", "RATE_MISSING")]);
    assert_eq!(document(&book, "r1.alice").total.to_string(), "11.90 USD");
    assert_eq!(
        book.tenant().tables.invoices.get("r1.emma").map(|_| ()),
        None
    );
    tell(&mut book, "2012-04-24", "1.10");
    book.ask(Command::RetryBillRun {
        run: "r1".into(),
        accounts: vec![],
    })
    .expect("is tried again");
    let step = Command::StepBillRun { run: "r1".into() };
    while book.ask(step.clone()).expect("steps").left > 0 {}
    assert_eq!(
        told(&book, "r1.emma"),
        said(&["1.90 EUR = 2.09 USD at 1.1 of 2012-04-24"], "2.09 USD")
    );
}

#[test]
fn outside_of_the_union_nothing_is_told_without_a_rate_and_nobody_is_refused() {
    let mut book = book();
    seller_in(&mut book, "US");
    add(&mut book, "c1", eur("10.00"), "standard");
    now(&mut book, "i1", "emma").expect("is invoiced");
    assert_eq!(stated(&book, "i1"), None);
    tell(&mut book, "2012-05-01", "1.10");
    add(&mut book, "c2", eur("10.00"), "standard");
    now(&mut book, "i2", "emma").expect("is invoiced");
    assert_eq!(told(&book, "i2").1, "2.09 USD");
}

#[test]
fn how_old_a_rate_may_be_is_said_for_the_entity_or_the_account() {
    let mut book = book();
    tell(&mut book, "2012-04-30", "1.10");
    add(&mut book, "c1", eur("10.00"), "standard");
    let said = |max_age_days| Command::SetExchange {
        place: InvoicingPlace::Entity("arms".into()),
        exchange: Some(Exchange {
            day: RateDay::Document,
            max_age_days,
        }),
    };
    book.ask(said(0)).expect("is said");
    let refused = now(&mut book, "i1", "emma").expect_err("too old");
    assert_eq!(refused.code, "RATE_MISSING");
    book.ask(said(1)).expect("is said");
    now(&mut book, "i1", "emma").expect("is invoiced");
}

#[test]
fn the_rate_is_that_of_the_day_the_document_is_as_of_and_never_of_a_day_to_come() {
    let mut book = book();
    tell(&mut book, "2012-05-01", "1.10");
    tell(&mut book, "2012-05-03", "1.20");
    tell(&mut book, "2012-05-09", "1.30");
    for (invoice, as_of) in [("i1", "2012-05-02"), ("i2", "2012-05-31")] {
        add(
            book.on("2012-05-01"),
            &format!("of-{invoice}"),
            eur("10.00"),
            "standard",
        );
        book.on("2012-05-04");
        book.ask(Command::DraftInvoice {
            invoice: invoice.into(),
            account: "emma".into(),
            as_of: Some(d(as_of)),
        })
        .expect("is drafted");
        assert_eq!(stated(&book, invoice), None, "of drafts nothing is told");
        book.ask(Command::FinaliseInvoice {
            invoice: invoice.into(),
        })
        .expect("is final");
    }
    let on = |id: &str| stated(&book, id).map(|told| told.parts[0].on);
    assert_eq!(on("i1"), Some(d("2012-05-01")));
    assert_eq!(on("i2"), Some(d("2012-05-03")));
}

#[test]
fn notes_have_the_rate_of_the_document_and_give_back_all_that_it_told_to_the_cent() {
    let mut book = book();
    tell(&mut book, "2012-05-01", "1.0953");
    add(&mut book, "c1", eur("5.32"), "standard");
    now(&mut book, "i1", "emma").expect("is invoiced");
    tell(&mut book, "2012-05-02", "2.00");
    book.on("2012-05-02");
    for (note, net) in [("n1", Some("1.77")), ("n2", Some("1.77")), ("n3", None)] {
        credit(&mut book, note, "i1", vec![(1, net.map(eur))]);
    }
    // 1.01 × 1.0953 = 1.106253 → 1.11; up to 0.34: 0.37, up to 0.68: 0.74 (0.744804).
    assert_eq!(
        told(&book, "i1"),
        said(&["1.01 EUR = 1.11 USD at 1.0953 of 2012-05-01"], "1.11 USD")
    );
    assert_eq!(
        told(&book, "n1"),
        said(
            &["-0.34 EUR = -0.37 USD at 1.0953 of 2012-05-01"],
            "-0.37 USD"
        )
    );
    assert_eq!(told(&book, "n2").1, "-0.37 USD");
    assert_eq!(
        told(&book, "n3"),
        said(
            &["-0.33 EUR = -0.37 USD at 1.0953 of 2012-05-01"],
            "-0.37 USD"
        )
    );
}

#[test]
fn a_document_of_before_this_was_told_is_corrected_at_the_rate_of_its_day() {
    let mut book = book();
    tell(&mut book, "2012-05-01", "1.10");
    add(&mut book, "c1", eur("10.00"), "standard");
    now(&mut book, "i1", "emma").expect("is invoiced");
    let mut book = of_before(&book);
    assert_eq!(stated(&book, "i1"), None);
    tell(&mut book, "2012-05-20", "2.00");
    book.on("2012-05-20");
    credit(&mut book, "n1", "i1", vec![(1, None)]);
    assert_eq!(
        told(&book, "n1"),
        said(&["-1.90 EUR = -2.09 USD at 1.1 of 2012-05-01"], "-2.09 USD")
    );
}

#[test]
fn days_given_back_alone_have_the_rate_of_the_document_that_billed_them() {
    let mut book = book();
    tell(&mut book, "2012-05-01", "1.10");
    book.ask(Command::StartSubscription(Box::new(StartSubscription {
        subscription: "s1".into(),
        account: "emma".into(),
        offer: "plan".into(),
        quantity: 1.into(),
        from: None,
        billing_day: None,
        overrides: Default::default(),
        trial: true,
        access: vec![],
    })))
    .expect("starts");
    run(&mut book, "r1");
    tell(&mut book, "2012-05-10", "2.00");
    book.on("2012-05-11");
    book.ask(Command::TerminateSubscription {
        subscription: "s1".into(),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    })
    .expect("ends");
    run(&mut book, "r2");
    // 21 days of 31.00 with 3.99 tax.
    assert_eq!(
        told(&book, "r2.emma"),
        said(&["-3.99 EUR = -4.39 USD at 1.1 of 2012-05-01"], "-4.39 USD")
    );
    // Beside a supply of the same tax the group has the rate of its day.
    book.void("r2.emma").expect("is void");
    add(&mut book, "c1", eur("100.00"), "standard");
    run(&mut book, "r3");
    assert_eq!(
        told(&book, "r3.emma"),
        said(&["15.01 EUR = 30.02 USD at 2 of 2012-05-10"], "30.02 USD")
    );
}

fn advance(amount: &str) -> Box<Terms> {
    Box::new(Terms {
        account: "emma".into(),
        lines: vec![Wanted {
            text: "in advance".into(),
            amount: eur(amount),
            tax_class: "standard".into(),
        }],
        ..Terms::default()
    })
}

fn pay(book: &mut Book, payment: &str, amount: &str) {
    book.ask(Command::RecordPayment(RecordPayment {
        payment: payment.into(),
        account: "emma".into(),
        amount: eur(amount),
        invoice: None,
        method: "transfer".into(),
        pending: false,
    }))
    .expect("money that is there is never refused");
}

#[test]
fn what_an_advance_told_stays_and_only_the_rest_of_the_supply_has_the_rate_of_its_day() {
    let mut book = book();
    tell(&mut book, "2012-05-01", "1.10");
    book.ask(Command::AskAdvance {
        advance: "a1".into(),
        terms: advance("100.00"),
    })
    .expect("is asked for");
    assert_eq!(told(&book, "advance.a1").1, "20.90 USD");
    tell(&mut book, "2012-05-03", "2.00");
    book.on("2012-05-03");
    add(&mut book, "c1", eur("300.00"), "standard");
    now(&mut book, "i1", "emma").expect("is invoiced");
    assert_eq!(
        told(&book, "i1"),
        said(&["38.00 EUR = 76.00 USD at 2 of 2012-05-03"], "76.00 USD")
    );
}

#[test]
fn an_advance_of_another_tax_rate_is_taken_back_at_the_exchange_rate_that_it_told() {
    let mut book = book();
    tell(&mut book, "2012-05-01", "1.10");
    for (advance_id, day) in [("a1", "2012-05-01"), ("a2", "2012-05-02")] {
        book.on(day);
        tell(
            &mut book,
            day,
            if advance_id == "a1" { "1.10" } else { "1.50" },
        );
        book.ask(Command::AskAdvance {
            advance: advance_id.into(),
            terms: advance("100.00"),
        })
        .expect("is asked for");
    }
    tax(&mut book, "standard", "0.25", "2012-05-03");
    tell(&mut book, "2012-05-03", "2.00");
    book.on("2012-05-03");
    add(&mut book, "c1", eur("300.00"), "standard");
    now(&mut book, "i1", "emma").expect("is invoiced");
    // What both advances told is nothing again, and the whole supply has the rate of its day.
    assert_eq!(
        told(&book, "i1"),
        said(
            &[
                "-19.00 EUR = -20.90 USD at 1.1 of 2012-05-01",
                "-19.00 EUR = -28.50 USD at 1.5 of 2012-05-02",
                "75.00 EUR = 150.00 USD at 2 of 2012-05-03",
            ],
            "100.60 USD"
        )
    );
}

#[test]
fn a_request_tells_nothing_and_without_a_rate_its_money_stays_credit_until_it_can_be_invoiced() {
    let mut book = book();
    book.ask(Command::RequestAdvance {
        advance: "a1".into(),
        terms: advance("100.00"),
    })
    .expect("is requested");
    pay(&mut book, "p1", "119.00");
    let waits = |book: &Book| {
        let advance = &book.tenant().tables.advances["a1"].state;
        advance.waiting().is_some()
    };
    assert!(waits(&book));
    let invoice = Command::InvoiceAdvance {
        advance: "a1".into(),
    };
    assert_eq!(book.refused(invoice.clone()), "RATE_MISSING");
    tell(&mut book, "2012-05-01", "1.10");
    book.ask(invoice).expect("is invoiced");
    assert!(!waits(&book));
    assert_eq!(told(&book, "advance.a1").1, "20.90 USD");
    let owed = &book.tenant().tables.receivables["emma"].state;
    let open = owed.item("advance.a1").map(|item| item.open);
    assert_eq!(open, Some(eur("0.00")));
    book.ask(Command::CloseAdvance {
        advance: "a1".into(),
        rest: Rest::Credit,
        reason: "called off".into(),
    })
    .expect("is closed");
    assert_eq!(told(&book, "advance.a1.note").1, "-20.90 USD");
}

#[test]
fn a_top_up_without_a_rate_waits_as_a_draft_that_is_released_or_rejected() {
    let mut book = book();
    tax(&mut book, "prepaid", "0.19", "2000-01-01");
    book.ask(Command::OpenWallet {
        wallet: "w".into(),
        account: "emma".into(),
        priority: 0,
    })
    .expect("opens");
    for grant in ["g1", "g2"] {
        book.ask(Command::GrantWallet(Box::new(GrantWallet {
            wallet: "w".into(),
            grant: grant.into(),
            units: "10.00".parse().expect("a number"),
            funding: Funding::Invoice,
            ..GrantWallet::default()
        })))
        .expect("is asked for");
    }
    let all = book.tenant().tables.invoices.iter();
    let made: Vec<String> = all.map(|(id, _)| id.clone()).collect();
    assert_eq!(made.len(), 2);
    for id in &made {
        let hold = state(&book, id).hold.clone().expect("it waits");
        assert_eq!((hold.reasons[0].rule.as_str(), hold.until), ("rate", None));
    }
    let release = |id: &str| Command::ReleaseInvoice {
        invoice: id.into(),
        note: "the rate is there".into(),
    };
    assert_eq!(book.refused(release(&made[0])), "RATE_MISSING");
    tell(&mut book, "2012-05-01", "1.10");
    book.ask(release(&made[0])).expect("is released");
    assert_eq!(state(&book, &made[0]).stage, Stage::Finalised);
    assert_eq!(told(&book, &made[0]).1, "2.09 USD");
    book.ask(Command::RejectInvoice {
        invoice: made[1].clone(),
        reason: "not wanted".into(),
    })
    .expect("is rejected");
    let wallet = &book.tenant().tables.wallets["w"].state;
    let waiting: Vec<_> = wallet.asked.iter().map(|ask| ask.invoice.clone()).collect();
    assert_eq!(waiting, [made[0].clone()]);
}
