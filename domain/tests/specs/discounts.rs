//! Discounts, commitments of accounts, exemptions and taxes of parts or within prices: what they do to documents.

use crate::book::{Book, d, usd};
use indelible_domain::Command;
use indelible_domain::charges::What;
use indelible_domain::command::{Effective, RedeemDiscount};
use indelible_domain::commitments::Agreed;
use indelible_domain::discounts::{ChargeKind, DiscountTerms, Lasts, Off, Scope};
use indelible_domain::invoices::{Document, Stage};
use indelible_domain::kernel::{Decimal, Money};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::subscriptions::Unused;
use indelible_domain::taxes::{Exemption, Rate, TaxPart};

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
price = { flat = "11.90" }
every = "1 month"
align = "calendar"
"#;

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn book() -> Book {
    let mut book = Book::new();
    book.sells(CATALOG);
    book
}

fn percent(share: &str) -> DiscountTerms {
    DiscountTerms {
        name: "Less".into(),
        off: Off::Percent(decimal(share)),
        scope: Scope::default(),
        lasts: Lasts::Forever,
        redeem_from: None,
        redeem_until: None,
        limit: None,
        limit_per_account: None,
        sequence: 0,
        exclusive: false,
    }
}

fn give(book: &mut Book, code: &str, terms: DiscountTerms, subscription: Option<&str>) {
    book.ask(Command::DefineDiscount {
        discount: code.into(),
        terms: Box::new(terms),
    })
    .expect("is offered");
    book.ask(redeem(code, subscription)).expect("is redeemed");
}

fn redeem(code: &str, subscription: Option<&str>) -> Command {
    Command::RedeemDiscount(Box::new(RedeemDiscount {
        account: "alice".into(),
        discount: code.into(),
        redemption: format!("{code}-alice"),
        subscription: subscription.map(Into::into),
        from: None,
    }))
}

pub fn use_calls(book: &mut Book, key: u8, calls: &str, corrects: bool) {
    let at = book.now();
    let record = UsageRecord {
        line: 1,
        key: [key; 16],
        content: [u8::from(corrects) + 100; 16],
        corrects,
        metric: "calls".into(),
        access: "subscription:s1".into(),
        at,
        quantity: decimal(calls),
        amount: None,
        attributes: Default::default(),
        raw: None,
    };
    let batch = format!("b{key}-{corrects}");
    book.ask(Command::IngestUsage(Box::new(Intake {
        batch,
        source: "switch".into(),
        format: "api".into(),
        name: "calls".into(),
        lines: vec![Received::Record(record)],
    })))
    .expect("is taken in");
}

/// The next document of alice; none when nothing is due.
fn bill(book: &mut Book) -> Option<(String, Document)> {
    let invoice = format!("i-{}", book.today);
    let draft = Command::DraftInvoice {
        invoice: invoice.clone(),
        account: "alice".into(),
        as_of: None,
    };
    if let Err(refused) = book.ask(draft) {
        assert_eq!(refused.code, "NOTHING_DUE");
        return None;
    }
    book.ask(Command::FinaliseInvoice {
        invoice: invoice.clone(),
    })
    .expect("finalises");
    let state = &book.tenant().tables.invoices[&invoice].state;
    assert_eq!(state.stage, Stage::Finalised);
    Some((invoice.clone(), Document::clone(&state.document)))
}

fn nets(document: &Document) -> Vec<String> {
    document.lines.iter().map(|l| l.net.amount()).collect()
}

#[test]
fn a_void_document_gives_back_what_it_used_of_a_discount() {
    let mut book = book();
    let terms = DiscountTerms {
        off: Off::Fixed(usd("20.00")),
        lasts: Lasts::Once,
        ..percent("0.1")
    };
    give(&mut book, "TWENTY", terms, None);
    book.start("s1", "plan");
    let (invoice, first) = bill(&mut book).expect("the fee is due");
    assert_eq!(first.total, usd("10.00"));
    book.void(&invoice).expect("is voided");
    book.days_later(1);
    let (_, again) = bill(&mut book).expect("the fee is due again");
    assert_eq!(again.total, usd("10.00"));
    let had = &book.tenant().tables.redemptions["alice"].state.redeemed[0];
    assert_eq!((had.times, had.taken), (1, 2000));
    book.on("2012-06-01");
    let (_, june) = bill(&mut book).expect("the next fee");
    assert_eq!(june.total, usd("30.00"), "it is used up");
}

#[test]
fn unused_days_give_back_what_was_asked_for_them_after_the_discount() {
    let mut book = book();
    give(&mut book, "HALF", percent("0.5"), None);
    book.start("s1", "plan");
    let (_, first) = bill(&mut book).expect("the fee is due");
    assert_eq!(first.total, usd("15.00"));
    book.on("2012-05-17");
    book.ask(Command::TerminateSubscription {
        subscription: "s1".into(),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    })
    .expect("ends");
    let (_, credit) = bill(&mut book).expect("something is given back");
    // 15 of 31 days of 15.00.
    assert_eq!(credit.total, usd("-7.26"));
}

#[test]
fn usage_taken_back_gives_back_what_was_asked_for_it_after_the_discount() {
    let mut book = book();
    give(&mut book, "TENTH", percent("0.1"), None);
    book.start("s1", "plan");
    bill(&mut book);
    use_calls(&mut book, 1, "100", false);
    book.on("2012-06-01");
    let (_, june) = bill(&mut book).expect("fee and usage");
    assert_eq!(nets(&june), ["27.00", "90.00"]);
    book.today = d("2012-05-01");
    use_calls(&mut book, 1, "60", true);
    book.on("2012-06-02");
    let (_, back) = bill(&mut book).expect("usage comes back");
    assert_eq!(back.total, usd("-36.00"), "40 calls at 0.90, not at 1.00");
}

#[test]
fn an_exclusive_discount_is_the_only_one_of_its_lines() {
    let mut book = book();
    let exclusive = DiscountTerms {
        exclusive: true,
        scope: Scope {
            kinds: vec![ChargeKind::Recurring],
            ..Scope::default()
        },
        sequence: 9,
        ..percent("0.5")
    };
    give(&mut book, "ALL", percent("0.1"), None);
    give(&mut book, "FEES", exclusive, None);
    book.start("s1", "plan");
    use_calls(&mut book, 1, "10", false);
    bill(&mut book);
    book.on("2012-06-01");
    let (_, june) = bill(&mut book).expect("fee and usage");
    assert_eq!(nets(&june), ["15.00", "9.00"]);
}

#[test]
fn a_discount_of_one_subscription_leaves_the_others_alone() {
    let mut book = book();
    book.start("s1", "plan");
    book.start("s2", "plan");
    give(&mut book, "HALF", percent("0.5"), Some("s2"));
    let (_, may) = bill(&mut book).expect("two fees");
    assert_eq!(nets(&may), ["30.00", "15.00"]);
    let stranger = redeem("HALF", Some("s9"));
    assert_eq!(book.refused(stranger), "SUBSCRIPTION_UNKNOWN");
}

#[test]
fn a_discount_is_redeemed_within_its_days_and_limits_and_kept_when_it_is_withdrawn() {
    let mut book = book();
    let terms = DiscountTerms {
        redeem_from: Some(d("2012-05-10")),
        redeem_until: Some(d("2012-05-20")),
        limit: Some(1),
        lasts: Lasts::For("1 month".parse().expect("a span")),
        ..percent("0.5")
    };
    book.ask(Command::DefineDiscount {
        discount: "MAY".into(),
        terms: Box::new(terms),
    })
    .expect("is offered");
    assert_eq!(book.refused(redeem("MAY", None)), "DISCOUNT_NOT_VALID");
    assert_eq!(book.refused(redeem("JUNE", None)), "DISCOUNT_UNKNOWN");
    book.on("2012-05-10");
    book.ask(redeem("MAY", None)).expect("is redeemed");
    let again = Command::RedeemDiscount(Box::new(RedeemDiscount {
        account: "alice".into(),
        discount: "MAY".into(),
        redemption: "second".into(),
        subscription: None,
        from: None,
    }));
    assert_eq!(book.refused(again), "DISCOUNT_USED_UP");
    book.ask(Command::WithdrawDiscount {
        discount: "MAY".into(),
        reason: "over".into(),
    })
    .expect("is withdrawn");
    book.start("s1", "plan");
    let (_, may) = bill(&mut book).expect("22 of 31 days");
    assert_eq!(
        may.total,
        usd("10.64"),
        "21.29 less half of it, rounded once"
    );
    book.on("2012-06-01");
    let (_, june) = bill(&mut book).expect("a fee that begins within the month");
    assert_eq!(june.total, usd("15.00"));
    book.on("2012-07-01");
    let (_, july) = bill(&mut book).expect("a fee after it");
    assert_eq!(july.total, usd("30.00"));
}

#[test]
fn a_commitment_of_an_account_counts_everything_it_pays_for_and_follows_late_usage() {
    let mut book = book();
    book.ask(Command::AgreeCommitment {
        account: "alice".into(),
        agreed: Box::new(Agreed {
            id: "frame".into(),
            name: "Frame".into(),
            min: Some(decimal("100.00")),
            max: Some(decimal("200.00")),
            every: "1 month".parse().expect("a span"),
            from: d("2012-05-01"),
            until: None,
            offers: vec![],
            tax_class: "standard".into(),
        }),
    })
    .expect("is agreed");
    book.start("s1", "plan");
    book.start("s2", "plan");
    bill(&mut book);
    book.on("2012-06-01");
    let (_, june) = bill(&mut book).expect("fees and the true-up of May");
    assert_eq!(nets(&june), ["30.00", "30.00", "40.00"]);
    assert!(matches!(june.lines[2].what, What::TrueUp { .. }));
    book.today = d("2012-05-20");
    use_calls(&mut book, 1, "25", false);
    book.on("2012-06-02");
    let (_, late) = bill(&mut book).expect("late usage, and less to make up for");
    assert_eq!(nets(&late), ["25.00", "-25.00"]);
    book.today = d("2012-05-20");
    use_calls(&mut book, 2, "175", false);
    book.on("2012-06-03");
    let (_, cap) = bill(&mut book).expect("more usage, no true-up left, a cap");
    // 60 of fees and 200 of usage: 60 are beyond 200.
    assert_eq!(nets(&cap), ["175.00", "-15.00", "-60.00"]);
}

#[test]
fn a_commitment_that_ended_before_months_that_were_billed_takes_them_back() {
    let mut book = book();
    let min = |id: &str, min: &str| Command::AgreeCommitment {
        account: "alice".into(),
        agreed: Box::new(Agreed {
            id: id.into(),
            name: "Frame".into(),
            min: Some(decimal(min)),
            max: None,
            every: "1 month".parse().expect("a span"),
            from: d("2012-05-01"),
            until: None,
            offers: vec![],
            tax_class: "standard".into(),
        }),
    };
    book.ask(min("frame", "61.00")).expect("is agreed");
    book.ask(min("other", "40.00")).expect("is agreed");
    book.start("s1", "plan");
    bill(&mut book);
    book.on("2012-07-01");
    let (_, july) = bill(&mut book).expect("fees and two months of true-ups");
    assert_eq!(july.total, usd("142.00"), "2 × (30 + 31 + 10)");
    let end = Command::EndCommitment {
        account: "alice".into(),
        commitment: "frame".into(),
        on: Some(d("2012-05-16")),
    };
    book.on("2012-07-05").ask(end).expect("ends");
    let (_, back) = bill(&mut book).expect("what was asked for later is given back");
    // 15 of 31 days: 29.52 of 61.00, less 14.52 of the fee, lack 15.00.
    assert_eq!(nets(&back), ["-16.00", "-31.00"]);
    book.on("2012-07-06");
    assert!(bill(&mut book).is_none(), "once");
    book.on("2012-08-01");
    let (_, august) = bill(&mut book).expect("the other one goes on");
    assert_eq!(nets(&august), ["30.00", "10.00"]);
}

fn rate(class: &str, parts: &[(&str, &str)]) -> Command {
    let any = || "*".to_string();
    let parts: Vec<TaxPart> = parts
        .iter()
        .map(|(name, rate)| TaxPart {
            name: (*name).into(),
            rate: decimal(rate),
        })
        .collect();
    let whole = parts.iter().fold(Decimal::ZERO, |sum, part| {
        sum.plus(part.rate).expect("small numbers")
    });
    Command::SetTaxRate(Rate {
        name: "Tax".into(),
        category: any(),
        class: class.into(),
        seller: any(),
        buyer: any(),
        rate: whole,
        from: d("2000-01-01"),
        parts,
    })
}

#[test]
fn the_last_part_of_a_composite_tax_takes_what_the_others_leave() {
    let mut book = book();
    let parts = [("federal", "0.05"), ("state", "0.09975")];
    book.ask(rate("standard", &parts)).expect("is set");
    book.start("s1", "plan");
    let (_, may) = bill(&mut book).expect("the fee");
    // 30.00 × 0.14975 = 4.4925; 30.00 × 0.05 = 1.50; the state takes 2.99.
    let parts: Vec<(&str, Money)> = may.taxes[0]
        .parts
        .iter()
        .map(|(name, m)| (name.as_str(), *m))
        .collect();
    assert_eq!(may.tax, usd("4.49"));
    assert_eq!(parts, [("federal", usd("1.50")), ("state", usd("2.99"))]);
}

#[test]
fn parts_that_do_not_sum_to_their_tax_are_refused() {
    let mut book = book();
    let Command::SetTaxRate(mut wrong) = rate("standard", &[("a", "0.05"), ("b", "0.05")]) else {
        unreachable!("it is one")
    };
    wrong.rate = decimal("0.11");
    assert_eq!(
        book.refused(Command::SetTaxRate(wrong)),
        "TAX_PARTS_INVALID"
    );
}

#[test]
fn an_exemption_goes_before_every_rate_and_says_why() {
    let mut book = book();
    book.ask(rate("*", &[("all", "0.20")])).expect("is set");
    book.ask(Command::ExemptFromTax {
        account: "alice".into(),
        exemption: Exemption {
            class: None,
            reason: "diplomatic mission".into(),
            from: d("2012-05-01"),
            until: None,
        },
    })
    .expect("is exempt");
    book.start("s1", "plan");
    let (_, may) = bill(&mut book).expect("the fee");
    assert_eq!(
        (may.total, may.taxes[0].tax.exempt.as_str()),
        (usd("30.00"), "diplomatic mission")
    );
    book.on("2012-06-01");
    book.ask(Command::EndTaxExemption {
        account: "alice".into(),
        class: None,
        on: None,
    })
    .expect("ends");
    let (_, june) = bill(&mut book).expect("the next fee");
    assert_eq!(june.total, usd("36.00"));
}

#[test]
fn of_a_price_with_tax_the_customer_pays_and_gets_back_what_the_price_says() {
    let mut book = book();
    book.ask(rate("*", &[("all", "0.19")])).expect("is set");
    give(&mut book, "TENTH", percent("0.1"), None);
    book.start("s1", "shop");
    let (invoice, may) = bill(&mut book).expect("the box");
    // 11.90 less 1.19 is 10.71, of which 9.00 is net.
    assert_eq!((may.total, may.net), (usd("10.71"), usd("9.00")));
    let note = book.credit(&invoice, Some("4.50"));
    let half = &book.tenant().tables.invoices[&note].state.document;
    assert_eq!(half.total, usd("-5.36"), "4.50 and 0.855 of tax");
    let note = book.credit(&invoice, None);
    let rest = &book.tenant().tables.invoices[&note].state.document;
    assert_eq!(rest.total, usd("-5.35"), "the last note takes what is left");
}
