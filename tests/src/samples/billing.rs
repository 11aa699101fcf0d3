//! What was billed, the documents that say so, their numbers, and the run that made them.

use super::{currency, date, days, decimal, money, ratio, sealed};
use indelible_domain::Event;
use indelible_domain::accounts::Folio;
use indelible_domain::advances;
use indelible_domain::catalog::Timing;
use indelible_domain::charges::{self, Item, Pending, What};
use indelible_domain::exchange;
use indelible_domain::expressions::Expression;
use indelible_domain::invoices::{
    self, Credited, Document, Hold, Kind, Line, Reason, Reduction, TaxGroup, series,
};
use indelible_domain::invoicing::{
    ChargeFolioSet, Currencies, CurrenciesSet, Exchange, ExchangeSet, FolioSet, Grouped,
    MinimumSet, OfOrder, PaidBy, RateDay, Rule, SellerSet, ShownSet, Split, Terms, TermsSet,
    Verdict, progress,
};
use indelible_domain::kernel::Rounding;
use indelible_domain::milestones;
use indelible_domain::runs;
use indelible_domain::taxes::{Answer, TaxPart};

pub(super) fn events() -> Vec<Event> {
    [
        charges(),
        documents(),
        holds(),
        invoicing(),
        advances(),
        runs(),
    ]
    .concat()
}

fn advances() -> Vec<Event> {
    let part = || advances::Part {
        tax: Answer::simple("VAT", decimal("0.19")),
        net: money("33.33 EUR"),
        amount: money("6.33 EUR"),
    };
    vec![
        Event::Advance(
            advances::Asked {
                terms: advances::Terms {
                    account: "alice".to_string(),
                    subscription: None,
                    order: Some("order-7".to_string()),
                    lines: vec![advances::Wanted {
                        text: "A third in advance".to_string(),
                        amount: money("33.33 EUR"),
                        tax_class: "standard".to_string(),
                    }],
                    once_paid: true,
                },
                invoice: "advance.a-1".to_string(),
                rounding: Rounding::HalfUp,
                parts: vec![part()],
                on: date("2026-01-15"),
            }
            .into(),
        ),
        Event::Advance(
            advances::Deducted {
                document: "run-2.alice".to_string(),
                parts: vec![part()],
            }
            .into(),
        ),
        Event::Advance(
            advances::Returned {
                document: "run-2.alice".to_string(),
            }
            .into(),
        ),
        Event::Advance(
            advances::Credited {
                note: "advance.a-1.note".to_string(),
                parts: vec![part()],
            }
            .into(),
        ),
        Event::Advance(
            advances::Closed {
                rest: advances::Rest::Refund,
                note: Some("advance.a-1.note".to_string()),
                reason: "called off".to_string(),
                on: date("2026-03-01"),
            }
            .into(),
        ),
        Event::Advance(
            advances::Requested {
                terms: advances::Terms {
                    account: "alice".to_string(),
                    subscription: Some("s-1".to_string()),
                    order: None,
                    lines: vec![advances::Wanted {
                        text: "A third in advance".to_string(),
                        amount: money("33.33 EUR"),
                        tax_class: "standard".to_string(),
                    }],
                    once_paid: false,
                },
                document: "advance.a-2.request".to_string(),
                total: money("39.66 EUR"),
                on: date("2026-01-10"),
            }
            .into(),
        ),
    ]
}

fn folio() -> Folio {
    Folio {
        entity: "other".to_string(),
        currency: currency("USD"),
    }
}

fn charges() -> Vec<Event> {
    let item = |(i, what): (usize, What)| Item {
        invoice: "run-2.alice".to_string(),
        line: u32::try_from(i + 1).expect("few lines"),
        what,
        net: money("12.84 EUR"),
    };
    vec![
        Event::Charge(
            charges::Added {
                pending: Pending {
                    charge: "late-fee-1".to_string(),
                    text: "Late fee".to_string(),
                    amount: money("5.00 EUR"),
                    on: date("2026-03-01"),
                    tax_class: "none".to_string(),
                },
            }
            .into(),
        ),
        Event::Charge(
            charges::Ordered {
                pending: Pending {
                    charge: "visit-1".to_string(),
                    text: "Mobile M Visit".to_string(),
                    amount: money("400.00 EUR"),
                    on: date("2026-03-01"),
                    tax_class: "standard".to_string(),
                },
                order: charges::Order {
                    code: "visit".to_string(),
                    quantity: decimal("4"),
                    price: decimal("100"),
                    exact: ratio(400, 1),
                    why: "agreed for this charge instead of 80".to_string(),
                    account: Some(40_020),
                },
            }
            .into(),
        ),
        Event::Charge(
            charges::Cancelled {
                charge: "late-fee-1".to_string(),
            }
            .into(),
        ),
        Event::Charge(
            charges::Billed {
                items: whats().into_iter().enumerate().map(item).collect(),
            }
            .into(),
        ),
        Event::Charge(
            charges::Released {
                invoice: "run-2.alice".to_string(),
            }
            .into(),
        ),
        Event::Charge(
            charges::Adjusted {
                invoice: "run-2.alice".to_string(),
                line: 1,
                amount: money("2.84 EUR"),
            }
            .into(),
        ),
    ]
}

/// Every kind of billed line, in the order of the enum.
fn whats() -> Vec<What> {
    vec![
        What::Recurring {
            charge: "fee".to_string(),
            days: days("2026-01-15", "2026-02-01"),
            period: days("2026-01-01", "2026-02-01"),
            full: ratio(199, 10),
            timing: Timing::Arrears,
        },
        What::Credit {
            invoice: "run-1.alice".to_string(),
            line: 4,
            charge: "fee".to_string(),
            days: days("2026-01-20", "2026-02-01"),
        },
        What::Usage {
            charge: "voice".to_string(),
            days: days("2026-01-01", "2026-02-01"),
        },
        What::OneOff {
            code: "activation".to_string(),
            on: date("2026-01-15"),
        },
        What::Added {
            charge: "late-fee-1".to_string(),
            on: date("2026-03-01"),
        },
    ]
}

fn documents() -> Vec<Event> {
    vec![
        Event::Invoice(
            invoices::Drafted {
                document: Document {
                    lines: vec![],
                    taxes: vec![],
                    net: money("0.00 EUR"),
                    tax: money("0.00 EUR"),
                    total: money("0.00 EUR"),
                    corrects: None,
                    run: None,
                    shown: invoices::Shown::default(),
                    order: None,
                    method: None,
                    kind: Kind::Invoice,
                    rounding: Rounding::Up,
                    ..credit_note()
                }
                .into(),
            }
            .into(),
        ),
        Event::Invoice(
            invoices::Finalised {
                number: "NL-CN-2026-000007".to_string(),
                issued: date("2026-02-01"),
                due: date("2026-02-15"),
                document: credit_note().into(),
                buyer: Some(sealed()),
            }
            .into(),
        ),
        Event::Invoice(
            invoices::Voided {
                reason: "wrong address".to_string(),
            }
            .into(),
        ),
        Event::Invoice(
            invoices::TaxStated {
                parts: vec![invoices::StatedTax {
                    tax: Answer::simple("VAT", decimal("0.19")),
                    of: money("-8.29 EUR"),
                    amount: money("-9.08 USD"),
                    rate: ratio(10953, 10000),
                    on: date("2026-01-30"),
                    source: "ecb".to_string(),
                }],
                total: money("-9.08 USD"),
            }
            .into(),
        ),
        Event::Invoice(
            invoices::CreditNoted {
                parts: vec![Credited {
                    note: "note-1".to_string(),
                    line: 1,
                    net: money("10.00 EUR"),
                    tax: money("1.90 EUR"),
                }],
            }
            .into(),
        ),
        Event::Series(
            series::Numbered {
                n: 7,
                invoice: "note-1".to_string(),
                issued: date("2026-02-01"),
                digest: [0xAB; 32],
            }
            .into(),
        ),
    ]
}

/// A document with a line of every kind and two groups of tax.
fn credit_note() -> Document {
    let vat = Answer {
        parts: vec![
            TaxPart {
                name: "federal".to_string(),
                rate: decimal("0.05"),
            },
            TaxPart {
                name: "state".to_string(),
                rate: decimal("0.14"),
            },
        ],
        ..Answer::simple("VAT", decimal("0.19"))
    };
    let none = Answer::exempt("diplomatic mission");
    let line = |(i, what): (usize, What)| Line {
        no: u32::try_from(i + 1).expect("few lines"),
        account: "alice".to_string(),
        subscription: (i % 2 == 0).then(|| "alice-mobile".to_string()),
        what,
        text: "Mobile M Monthly fee".to_string(),
        quantity: "17/31".to_string(),
        exact: ratio(-3383, 310),
        net: money("-10.91 EUR"),
        tax: if i == 4 { none.clone() } else { vat.clone() },
        explain: "17 of 31 days of [2026-01-01, 2026-02-01) × 19.9".to_string(),
        corrects_line: (i == 1).then_some(4),
        reductions: (i == 2)
            .then(|| Reduction {
                redemption: "welcome-alice".to_string(),
                text: "Welcome".to_string(),
                amount: money("1.09 EUR"),
            })
            .into_iter()
            .collect(),
        gross: (i == 3).then(|| money("-12.98 EUR")),
        converted: (i == 0).then(|| invoices::Converted {
            from: money("-12.00 USD"),
            rate: ratio(909, 1000),
            on: date("2026-01-30"),
            source: "ecb".to_string(),
        }),
    };
    Document {
        kind: Kind::CreditNote,
        account: "alice".to_string(),
        entity: "nordlicht".to_string(),
        currency: currency("EUR"),
        rounding: Rounding::Down,
        as_of: date("2026-02-01"),
        lines: whats().into_iter().enumerate().map(line).collect(),
        taxes: vec![
            TaxGroup {
                tax: vat.clone(),
                net: money("-43.64 EUR"),
                amount: money("-8.29 EUR"),
                parts: vec![
                    ("federal".to_string(), money("-2.18 EUR")),
                    ("state".to_string(), money("-6.11 EUR")),
                ],
            },
            TaxGroup {
                tax: none.clone(),
                net: money("-10.91 EUR"),
                amount: money("0.00 EUR"),
                parts: vec![],
            },
        ],
        net: money("-54.55 EUR"),
        tax: money("-8.29 EUR"),
        total: money("-62.84 EUR"),
        corrects: Some("run-1.alice".to_string()),
        run: Some("run-2".to_string()),
        shown: invoices::Shown {
            usage_date: invoices::shown::UsageDate::Week,
            unit_price: true,
            service: true,
            group: false,
        },
        order: Some("order-7".to_string()),
        method: Some("card-1".to_string()),
    }
}

fn holds() -> Vec<Event> {
    vec![
        Event::Invoice(
            invoices::Held {
                hold: Hold {
                    reasons: vec![Reason {
                        rule: "large".to_string(),
                        text: "more than 1000".to_string(),
                    }],
                    until: Some(date("2026-02-04")),
                },
            }
            .into(),
        ),
        Event::Invoice(
            invoices::Released {
                note: "asked the customer".to_string(),
            }
            .into(),
        ),
        Event::Invoice(
            invoices::Rejected {
                reason: "wrong price list".to_string(),
            }
            .into(),
        ),
    ]
}

fn invoicing() -> Vec<Event> {
    vec![
        Event::Invoicing(
            TermsSet {
                terms: Some(Terms {
                    minimum: Some(decimal("5.00")),
                    grace_days: 3,
                    keep_drafts: true,
                    split: Split::Group,
                    rules: vec![Rule {
                        code: "large".to_string(),
                        when: Expression::new("total > 1000"),
                        verdict: Verdict::Reject,
                        text: "more than 1000".to_string(),
                    }],
                }),
            }
            .into(),
        ),
        Event::Invoicing(
            Grouped {
                subscription: "mobile-1".to_string(),
                group: Some("order-7".to_string()),
            }
            .into(),
        ),
        Event::Invoicing(
            ExchangeSet {
                exchange: Some(Exchange {
                    day: RateDay::Service,
                    max_age_days: 5,
                }),
            }
            .into(),
        ),
        Event::Invoicing(
            ShownSet {
                shown: Some(invoices::Shown {
                    usage_date: invoices::shown::UsageDate::Month,
                    unit_price: false,
                    service: true,
                    group: false,
                }),
            }
            .into(),
        ),
        Event::Invoicing(
            OfOrder {
                subscription: "mobile-1".to_string(),
                order: Some("order-7".to_string()),
            }
            .into(),
        ),
        Event::Invoicing(
            PaidBy {
                subscription: "mobile-1".to_string(),
                method: Some("card-1".to_string()),
            }
            .into(),
        ),
        Event::Invoicing(
            CurrenciesSet {
                currencies: Some(Currencies::Sale),
            }
            .into(),
        ),
        Event::Invoicing(
            SellerSet {
                seller: Some("other".to_string()),
            }
            .into(),
        ),
        Event::Invoicing(
            FolioSet {
                subscription: "mobile-1".to_string(),
                folio: Some(folio()),
            }
            .into(),
        ),
        Event::Invoicing(
            ChargeFolioSet {
                charge: "visit-1".to_string(),
                folio: folio(),
            }
            .into(),
        ),
        Event::Invoicing(
            MinimumSet {
                currency: "USD".parse().expect("a currency"),
                minimum: Some("5".parse().expect("a number")),
            }
            .into(),
        ),
        Event::Milestone(
            milestones::Agreed {
                plan: milestones::Plan {
                    account: "alice".to_string(),
                    subscription: Some("mobile-1".to_string()),
                    text: "Machine".to_string(),
                    total: Some(money("1000.00 EUR")),
                    tax_class: "standard".to_string(),
                    milestones: vec![
                        milestones::Milestone {
                            code: "signed".to_string(),
                            text: "at signing".to_string(),
                            share: decimal("30"),
                            on: Some(date("2026-01-15")),
                        },
                        milestones::Milestone {
                            code: "delivered".to_string(),
                            text: "at delivery".to_string(),
                            share: decimal("70"),
                            on: None,
                        },
                    ],
                },
            }
            .into(),
        ),
        Event::Milestone(
            milestones::Reached {
                milestone: "delivered".to_string(),
                on: date("2026-03-01"),
            }
            .into(),
        ),
        Event::Milestone(
            milestones::Cancelled {
                reason: "called off".to_string(),
            }
            .into(),
        ),
        Event::Exchange(
            exchange::RateTold {
                on: date("2026-01-30"),
                rate: decimal("0.909"),
                source: "ecb".to_string(),
            }
            .into(),
        ),
        Event::Exchange(
            exchange::RateWithdrawn {
                on: date("2026-01-31"),
                reason: "typed wrong".to_string(),
            }
            .into(),
        ),
        Event::Progress(
            progress::Reached {
                threshold: decimal("200"),
                usage: ratio(60_001, 100),
                invoice: Some("mobile-1.progress-1".to_string()),
                on: date("2026-01-17"),
            }
            .into(),
        ),
    ]
}

fn runs() -> Vec<Event> {
    vec![
        Event::Run(
            runs::Started {
                as_of: date("2026-02-01"),
                accounts: vec!["alice".to_string(), "bob".to_string()],
                draft: true,
            }
            .into(),
        ),
        Event::Run(
            runs::Listed {
                accounts: vec!["carol".to_string(), "dave".to_string()],
                left: 70_000,
                named: true,
            }
            .into(),
        ),
        Event::Run(
            runs::AccountBilled {
                account: "alice".to_string(),
                invoices: vec!["run-2.alice".to_string(), "run-2.alice.2".to_string()],
            }
            .into(),
        ),
        Event::Run(
            runs::FolioCarried {
                folio: "alice~USD".to_string(),
                total: money("3.00 USD"),
                minimum: money("5.00 USD"),
            }
            .into(),
        ),
        Event::Run(
            runs::AccountCarried {
                account: "carol".to_string(),
                total: money("1.20 EUR"),
                minimum: money("5.00 EUR"),
            }
            .into(),
        ),
        Event::Run(
            runs::Retried {
                accounts: vec!["bob".to_string()],
            }
            .into(),
        ),
        Event::Run(
            runs::Cancelled {
                reason: "wrong price list".to_string(),
            }
            .into(),
        ),
        Event::Run(runs::Swept { upto: 200 }.into()),
        Event::Run(
            runs::AccountRefused {
                account: "bob".to_string(),
                code: "ISSUE_DATE_BACK".to_string(),
                reason: "the series' last document is of 2026-02-02".to_string(),
            }
            .into(),
        ),
        Event::Run(
            runs::Completed {
                invoices: 1,
                refused: 1,
            }
            .into(),
        ),
    ]
}
