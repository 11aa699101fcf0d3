//! What corrects a line is taxed as that line was: the supply was then, whatever rate holds when it is corrected.

use crate::book::{Book, d, document, usd};
use crate::discounts::use_calls;
use indelible_domain::charges::What;
use indelible_domain::command::{ChangeSubscription, Effective};
use indelible_domain::invoices::Document;
use indelible_domain::subscriptions::Unused;
use indelible_domain::taxes::{Exemption, Rate};
use indelible_domain::{Command, Session, operations};

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

[[offer]]
code = "grand"
name = "Grand"
currency = "USD"
[[offer.recurring]]
code = "grand"
name = "Grand fee"
price = { flat = "60.00" }
every = "1 month"
align = "calendar"

[[offer]]
code = "calls"
name = "Calls"
currency = "USD"
progressive = { at = ["20.00", "50.00"] }
[[offer.recurring]]
code = "line"
name = "Line"
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
price = { per_unit = "1.00" }

[[offer]]
code = "shop"
name = "Shop"
currency = "USD"
tax_included = true
[[offer.recurring]]
code = "box"
name = "Box"
price = { flat = "36.00" }
every = "1 month"
align = "calendar"
"#;

/// A plan is billed for June at 20 %, and from 10 June the rate is 25 %.
fn billed(offer: &str) -> Book {
    let mut book = Book::new();
    book.sells(CATALOG);
    for (rate, from) in [("0.20", "2012-01-01"), ("0.25", "2012-06-10")] {
        let rate = Rate {
            name: format!("VAT {rate}"),
            category: "*".into(),
            class: "*".into(),
            seller: "*".into(),
            buyer: "*".into(),
            rate: rate.parse().expect("a rate"),
            from: d(from),
            parts: vec![],
        };
        book.ask(Command::SetTaxRate(rate)).expect("is set");
    }
    book.on("2012-06-01").start("s1", offer);
    let june = book.bill();
    assert_eq!(june.len(), 1);
    assert_eq!(june[0].1.total, usd("36.00"));
    book
}

fn end(on: &str) -> Command {
    Command::TerminateSubscription {
        subscription: "s1".into(),
        effective: Effective::On(d(on)),
        unused: Unused::CreditProrata,
    }
}

/// Rate, net and tax of each group, and the total.
fn groups(document: &Document) -> (Vec<(String, String, String)>, String) {
    let groups = document.taxes.iter().map(|group| {
        let rate = group.tax.rate.to_string();
        (rate, group.net.amount(), group.amount.amount())
    });
    (groups.collect(), document.total.amount())
}

fn group(rate: &str, net: &str, tax: &str) -> (String, String, String) {
    (rate.into(), net.into(), tax.into())
}

#[test]
fn days_given_back_have_the_rate_of_the_line_that_billed_them() {
    let mut book = billed("plan");
    book.on("2012-06-16").ask(end("2012-06-16")).expect("ends");
    let back = book.bill();
    let sums = (vec![group("0.2", "-15.00", "-3.00")], "-18.00".to_string());
    assert_eq!(groups(&back[0].1), sums);
    assert_eq!(book.owes().0, "18.00");
}

#[test]
fn what_takes_their_place_has_the_rate_of_its_own_day_in_a_group_of_its_own() {
    let mut book = billed("plan");
    let change = ChangeSubscription {
        subscription: "s1".into(),
        offer: Some("grand".into()),
        quantity: None,
        billing_day: None,
        overrides: Default::default(),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    };
    book.on("2012-06-16")
        .ask(Command::ChangeSubscription(Box::new(change)))
        .expect("changes");
    let made = book.bill();
    let mut sums = groups(&made[0].1);
    sums.0.sort();
    let both = vec![
        group("0.2", "-15.00", "-3.00"),
        group("0.25", "30.00", "7.50"),
    ];
    assert_eq!(sums, (both, "19.50".to_string()));
    // July is a supply of its own.
    let july = book.on("2012-07-01").bill();
    let sums = (vec![group("0.25", "60.00", "15.00")], "75.00".to_string());
    assert_eq!(groups(&july[0].1), sums);
}

#[test]
fn days_of_a_price_with_tax_come_back_with_the_tax_that_was_in_it() {
    let mut book = billed("shop");
    book.on("2012-06-16").ask(end("2012-06-16")).expect("ends");
    let back = book.bill();
    let sums = (vec![group("0.2", "-15.00", "-3.00")], "-18.00".to_string());
    assert_eq!(groups(&back[0].1), sums);
}

#[test]
fn an_exemption_of_today_does_not_keep_the_tax_of_a_line_that_bore_it() {
    let mut book = billed("plan");
    book.on("2012-06-12");
    let exemption = Exemption {
        class: None,
        reason: "reverse charge".into(),
        from: d("2012-06-12"),
        until: None,
    };
    book.ask(Command::ExemptFromTax {
        account: "alice".into(),
        exemption,
    })
    .expect("is exempt");
    book.on("2012-06-16").ask(end("2012-06-16")).expect("ends");
    let back = book.bill();
    let sums = (vec![group("0.2", "-15.00", "-3.00")], "-18.00".to_string());
    assert_eq!(groups(&back[0].1), sums);
}

#[test]
fn a_credit_taken_back_by_a_void_is_given_again_at_the_same_rate() {
    let mut book = billed("plan");
    book.on("2012-06-16").ask(end("2012-06-16")).expect("ends");
    let (note, first) = book.bill().remove(0);
    book.void(&note).expect("is voided");
    let (_, again) = book.days_later(1).bill().remove(0);
    assert_eq!(groups(&again), groups(&first));
}

#[test]
fn a_look_ahead_and_a_preview_tax_what_is_given_back_as_the_run_does() {
    let mut book = billed("plan");
    book.on("2012-06-12").ask(end("2012-06-16")).expect("ends");
    let session = || Session::new(book.tenant(), book.now());
    let coming = operations::coming(session(), "s1", d("2012-07-31")).expect("is foreseen");
    let back = coming
        .iter()
        .flat_map(|c| &c.document.lines)
        .find(|l| matches!(l.what, What::Credit { .. }))
        .expect("days are given back");
    assert_eq!(back.tax.rate.to_string(), "0.2");
    let next = operations::preview(&session(), "alice", d("2012-06-16")).expect("is computed");
    let sums = (vec![group("0.2", "-15.00", "-3.00")], "-18.00".to_string());
    assert_eq!(groups(&next.expect("is due")), sums);
}

/// Usage of June: 20 calls on the 5th, which are invoiced then, and more on the 12th, when the rate is another.
fn used() -> Book {
    let mut book = billed("calls");
    use_calls(book.on("2012-06-05"), 1, "20", false);
    stage(&mut book);
    use_calls(book.on("2012-06-12"), 2, "30", false);
    book
}

/// What the first subscription reached is invoiced.
fn stage(book: &mut Book) -> Document {
    let subscription = "s1".to_string();
    let done = book.ask(Command::BillThreshold { subscription });
    let touched = done.expect("is reached").touched;
    let made = touched.iter().find(|(kind, _)| kind == "invoice");
    Document::clone(document(book, &made.expect("a document").1))
}

#[test]
fn each_stage_of_a_running_period_has_the_rate_of_its_own_day() {
    let mut book = used();
    let second = stage(&mut book);
    let sums = (vec![group("0.25", "30.00", "7.50")], "37.50".to_string());
    assert_eq!(groups(&second), sums);
    // What is left of June, and July's line: later parts of a supply that went on, not a correction of its first part.
    use_calls(book.on("2012-06-20"), 3, "8", false);
    let rest = book.on("2012-07-01").bill();
    let sums = (vec![group("0.25", "38.00", "9.50")], "47.50".to_string());
    assert_eq!(groups(&rest[0].1), sums);
}

#[test]
fn what_the_run_bills_after_a_stage_has_the_rate_of_its_day_too() {
    let mut book = used();
    let rest = book.on("2012-07-01").bill();
    let sums = (vec![group("0.25", "60.00", "15.00")], "75.00".to_string());
    assert_eq!(groups(&rest[0].1), sums);
}

#[test]
fn a_stage_that_was_too_much_is_corrected_with_the_rate_that_it_had() {
    let mut book = billed("calls");
    use_calls(book.on("2012-06-05"), 1, "20", false);
    stage(&mut book);
    // The record says fifteen now.
    use_calls(book.on("2012-06-05"), 1, "15", true);
    let mut sums = groups(&book.on("2012-07-01").bill()[0].1);
    sums.0.sort();
    let both = vec![
        group("0.2", "-5.00", "-1.00"),
        group("0.25", "30.00", "7.50"),
    ];
    assert_eq!(sums, (both, "31.50".to_string()));
}
