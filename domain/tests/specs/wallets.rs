//! Wallets: what they may pay, splitting, credit limits, levels, and that time brings the same however late.

use crate::book::{Book, d, usd};
use crate::ingest::{self, meter, record, send};
use indelible_domain::command::GrantWallet;
use indelible_domain::journal::{self, Ledger};
use indelible_domain::kernel::{Decimal, Money, Span};
use indelible_domain::mediation::UsageRecord;
use indelible_domain::processes::agenda;
use indelible_domain::taxes::Rate;
use indelible_domain::wallets::{
    Burn, Event as WalletEvent, Funding, Rollover, Rule, Size, Terms, Wallet, When,
};
use indelible_domain::{Command, Event};

const OFFER: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "USD"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "voice"
unit = "minute"
every = "1 month"
align = "calendar"
pay = "PAY"
price = { per_unit = "1.00" }
"#;

fn n(text: &str) -> Decimal {
    text.parse().expect("a number")
}

fn book(pay: &str) -> Book {
    ingest::book(&OFFER.replace("PAY", pay))
}

fn wallet(book: &mut Book, id: &str, set: impl FnOnce(&mut Terms)) {
    let mut terms = Terms::default();
    set(&mut terms);
    book.ask(Command::OpenWallet {
        wallet: id.into(),
        account: "berta".into(),
        priority: 0,
    })
    .expect("opens");
    book.ask(Command::ChangeWallet {
        wallet: id.into(),
        terms: Box::new(terms),
    })
    .expect("is agreed");
}

fn grant(book: &mut Book, wallet: &str, grant: &str, units: &str) {
    give(book, wallet, grant, units, |_| {});
}

fn give(
    book: &mut Book,
    wallet: &str,
    grant: &str,
    units: &str,
    set: impl FnOnce(&mut GrantWallet),
) {
    let mut ask = GrantWallet {
        wallet: wallet.into(),
        grant: grant.into(),
        units: n(units),
        funding: Funding::Free,
        ..GrantWallet::default()
    };
    set(&mut ask);
    book.ask(Command::GrantWallet(Box::new(ask)))
        .expect("is granted");
}

fn state<'b>(book: &'b Book, wallet: &str) -> &'b Wallet {
    &book.tenant().tables.wallets[wallet].state
}

fn balance(book: &Book, wallet: &str) -> String {
    state(book, wallet).balance(book.today).to_string()
}

fn use_up(book: &mut Book, batch: &str, units: &str) {
    let line = format!("{batch} voice 2012-05-02T10:00:00Z {units}");
    send(book, batch, vec![record(&line)]);
}

fn rule(code: &str, when: When, size: Size) -> Rule {
    Rule {
        code: code.into(),
        when,
        size,
        least: None,
        most: None,
        times: None,
        until: None,
        funding: Funding::Free,
        priority: 0,
        lasts: None,
        rollover: None,
    }
}

const METER: &str = "line-1/calls/2012-05-01";

#[test]
fn what_wallets_lack_goes_on_the_invoice_where_the_charge_allows_it() {
    let mut book = book("wallet_then_invoice");
    wallet(&mut book, "w", |_| {});
    grant(&mut book, "w", "g", "3");
    use_up(&mut book, "k1", "2");
    use_up(&mut book, "k2", "5");
    let m = meter(&book, METER);
    assert_eq!(
        (m.burnt.to_string(), m.amount.to_string()),
        ("3".into(), "4".into())
    );
    assert_eq!(balance(&book, "w"), "0");
}

#[test]
fn of_a_split_charge_the_invoice_gets_back_first_and_wallets_after_it() {
    let mut book = book("wallet_then_invoice");
    wallet(&mut book, "w", |_| {});
    grant(&mut book, "w", "g", "3");
    use_up(&mut book, "k1", "7");
    let corrected = |text: &str| UsageRecord {
        corrects: true,
        ..record(text)
    };
    for (batch, units, burnt, invoiced) in [
        ("b1", "5", "3", "2"),
        ("b2", "1", "1", "0"),
        ("b3", "9", "3", "6"),
    ] {
        let line = format!("k1 voice 2012-05-02T10:00:00Z {units}");
        send(&mut book, batch, vec![corrected(&line)]);
        let m = meter(&book, METER);
        assert_eq!(
            (m.burnt.to_string(), m.amount.to_string()),
            (burnt.into(), invoiced.into()),
            "{batch}"
        );
    }
    assert_eq!(balance(&book, "w"), "0");
}

#[test]
fn a_wallet_pays_only_its_targets() {
    let mut book = book("wallet");
    wallet(&mut book, "data", |t| {
        t.targets.metrics.insert("data".into());
    });
    wallet(&mut book, "other-offer", |t| {
        t.targets.offers.insert("pbx".into());
    });
    wallet(&mut book, "calls", |t| {
        t.priority = 9;
        t.targets.offers.insert("line".into());
        t.targets.charges.insert("calls".into());
        t.targets.metrics.insert("voice".into());
    });
    wallet(&mut book, "invoices", |t| t.burn = Burn::Finalising);
    for w in ["data", "other-offer", "calls", "invoices"] {
        grant(&mut book, w, "g", "5");
    }
    use_up(&mut book, "k1", "5");
    use_up(&mut book, "k2", "1");
    assert_eq!(meter(&book, METER).burnt.to_string(), "5");
    for (w, left) in [
        ("data", "5"),
        ("other-offer", "5"),
        ("calls", "0"),
        ("invoices", "5"),
    ] {
        assert_eq!(balance(&book, w), left, "{w}");
    }
}

#[test]
fn grants_are_used_up_before_any_wallet_goes_below_zero_and_none_below_its_floor() {
    let mut book = book("wallet");
    wallet(&mut book, "a", |t| t.credit_limit = n("4"));
    wallet(&mut book, "b", |t| {
        t.priority = 1;
        t.credit_limit = n("4");
        t.reject_level = Some(n("-1"));
    });
    wallet(&mut book, "kept", |t| {
        t.priority = 2;
        t.reject_level = Some(n("2"));
    });
    for w in ["a", "b", "kept"] {
        grant(&mut book, w, "g", "3");
    }
    // 3 + 3 + 1 of grants, 4 and 1 below zero.
    use_up(&mut book, "k1", "7");
    assert_eq!(
        [
            balance(&book, "a"),
            balance(&book, "b"),
            balance(&book, "kept")
        ],
        ["0", "0", "2"]
    );
    use_up(&mut book, "k2", "5");
    assert_eq!(
        [
            balance(&book, "a"),
            balance(&book, "b"),
            balance(&book, "kept")
        ],
        ["-4", "-1", "2"]
    );
    use_up(&mut book, "k3", "0.01");
    assert_eq!(meter(&book, METER).burnt.to_string(), "12");
}

#[test]
fn what_is_put_in_repays_first_what_was_burnt_below_zero_and_a_correction_undoes_that() {
    let mut book = book("wallet");
    wallet(&mut book, "w", |t| t.credit_limit = n("10"));
    use_up(&mut book, "k1", "6");
    assert_eq!(balance(&book, "w"), "-6");
    grant(&mut book, "w", "g", "5");
    assert_eq!(balance(&book, "w"), "-1");
    grant(&mut book, "w", "h", "5");
    assert_eq!(balance(&book, "w"), "4");
    let line = record("k1 voice 2012-05-02T10:00:00Z 2");
    send(
        &mut book,
        "b2",
        vec![UsageRecord {
            corrects: true,
            ..line
        }],
    );
    assert_eq!(balance(&book, "w"), "8");
    let left: Vec<_> = state(&book, "w")
        .grants
        .iter()
        .map(|g| g.remaining.to_string())
        .collect();
    assert_eq!(left, ["3", "5"]);
    assert!(state(&book, "w").overdraft.is_zero());
}

#[test]
fn low_and_empty_are_said_once_per_crossing() {
    let mut book = book("wallet");
    wallet(&mut book, "w", |t| t.low_level = Some(n("4")));
    grant(&mut book, "w", "g", "10");
    for (key, units) in [("k1", "5"), ("k2", "1"), ("k3", "1"), ("k4", "3")] {
        use_up(&mut book, key, units);
    }
    grant(&mut book, "w", "h", "10");
    use_up(&mut book, "k5", "7");
    let said: Vec<String> = book
        .log
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Wallet(WalletEvent::RanLow(e)) => Some(format!("low {}", e.balance)),
            Event::Wallet(WalletEvent::Emptied(_)) => Some("empty".to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(said, ["low 4", "empty", "low 3"]);
}

/// A wallet with a monthly grant that rolls over, a weekly top-up to a target and a grant that expires.
fn timed() -> Book {
    let mut book = book("wallet");
    let every = |span, from: &str| When::Every {
        every: span,
        from: d(from),
    };
    wallet(&mut book, "w", |t| {
        t.rules = vec![
            Rule {
                lasts: Some(Span::months(1)),
                rollover: Some(Rollover {
                    max: Some(n("5")),
                    min: None,
                    lasts: Some(Span::days(10)),
                }),
                ..rule(
                    "monthly",
                    every(Span::months(1), "2012-05-31"),
                    Size::Fixed(n("20")),
                )
            },
            Rule {
                times: Some(3),
                ..rule(
                    "weekly",
                    every(Span::days(7), "2012-05-10"),
                    Size::Target(n("30")),
                )
            },
        ];
    });
    give(&mut book, "w", "g", "7.50", |g| {
        g.expires = Some(d("2012-05-20"))
    });
    book
}

/// Does what the agenda asks for, as a clock does.
fn tick(book: &mut Book) {
    for (_, command) in agenda::tick_commands(book.tenant(), book.now()) {
        book.ask(command).expect("ticks");
    }
}

#[test]
fn a_late_tick_makes_of_grants_what_daily_ones_make() {
    let (mut daily, mut late) = (timed(), timed());
    for _ in 0..100 {
        daily.days_later(1);
        tick(&mut daily);
        // Again: nothing more happens.
        tick(&mut daily);
    }
    late.days_later(100);
    tick(&mut late);
    // One by hand, three by month, three by week, and of the months' rest five and two that roll on every ten days.
    assert_eq!(state(&daily, "w").grants.len(), 14);
    assert_eq!(state(&daily, "w"), state(&late, "w"));
    assert!(agenda::tick_commands(late.tenant(), late.now()).is_empty());
}

#[test]
fn a_rule_below_a_level_tops_up_once_per_spending_and_as_often_as_agreed() {
    let mut book = book("wallet");
    wallet(&mut book, "w", |t| {
        t.rules = vec![Rule {
            most: Some(n("4")),
            times: Some(2),
            ..rule("more", When::Below(n("5")), Size::Target(n("10")))
        }];
    });
    grant(&mut book, "w", "g", "6");
    use_up(&mut book, "k1", "1");
    assert_eq!(balance(&book, "w"), "5");
    use_up(&mut book, "k2", "1");
    assert_eq!(balance(&book, "w"), "8");
    use_up(&mut book, "k3", "4");
    assert_eq!(balance(&book, "w"), "8");
    use_up(&mut book, "k4", "4");
    assert_eq!(balance(&book, "w"), "4");
}

#[test]
fn a_top_up_on_an_invoice_is_there_when_it_is_paid_and_never_if_it_is_void() {
    let mut book = book("wallet");
    wallet(&mut book, "w", |_| {});
    for grant in ["g", "h"] {
        give(&mut book, "w", grant, "10", |g| {
            g.funding = Funding::Invoice
        });
    }
    assert_eq!(balance(&book, "w"), "0");
    book.ask(Command::VoidInvoice {
        invoice: "w.h".into(),
        reason: "asked".into(),
    })
    .expect("is voided");
    book.ask(Command::GrantCredit {
        account: "berta".into(),
        credit: "c".into(),
        amount: usd("25.00"),
        reason: "asked".into(),
    })
    .expect("is credited");
    assert_eq!(balance(&book, "w"), "10");
    assert!(state(&book, "w").asked.is_empty());
    book.ask(Command::VoidInvoice {
        invoice: "w.g".into(),
        reason: "asked".into(),
    })
    .expect("is voided, and what it put in is taken out again");
    assert_eq!(balance(&book, "w"), "0");
}

#[test]
fn terms_that_could_never_work_are_refused() {
    let mut book = book("wallet");
    wallet(&mut book, "w", |_| {});
    let every = When::Every {
        every: Span::default(),
        from: d("2012-05-01"),
    };
    let paid = Rule {
        funding: Funding::Paid,
        ..rule("r", When::Below(n("1")), Size::Fixed(n("1")))
    };
    let two = vec![rule("r", When::Below(n("1")), Size::Fixed(n("1"))); 2];
    let wrong: Vec<Terms> = vec![
        Terms {
            credit_limit: n("-1"),
            ..Terms::default()
        },
        Terms {
            credit_limit: n("1"),
            reject_level: Some(n("-2")),
            ..Terms::default()
        },
        Terms {
            rules: vec![rule("r", every, Size::Fixed(n("1")))],
            ..Terms::default()
        },
        Terms {
            rules: vec![rule("r", When::Below(n("1")), Size::Fixed(n("0")))],
            ..Terms::default()
        },
        Terms {
            rules: vec![paid],
            ..Terms::default()
        },
        Terms {
            rules: two,
            ..Terms::default()
        },
    ];
    for terms in wrong {
        let ask = Command::ChangeWallet {
            wallet: "w".into(),
            terms: Box::new(terms.clone()),
        };
        assert_eq!(book.refused(ask), "WALLET_TERMS_INVALID", "{terms:?}");
    }
}

/// A wallet that includes tax, the line's usage taxed at 25 %.
fn taxed(pay: &str, units: &str) -> Book {
    let mut book = book(pay);
    rate(&mut book, "0.25", "2012-01-01");
    wallet(&mut book, "w", |t| t.burn = Burn::RatingWithTax);
    grant(&mut book, "w", "g", units);
    book
}

fn rate(book: &mut Book, rate: &str, from: &str) {
    book.ask(Command::SetTaxRate(Rate {
        name: "VAT".into(),
        category: "*".into(),
        class: "standard".into(),
        seller: "US".into(),
        buyer: "*".into(),
        rate: n(rate),
        from: d(from),
        parts: vec![],
    }))
    .expect("is set");
}

/// What a ledger account stands at.
fn books(book: &Book, ledger: Ledger) -> String {
    let all = journal::trial_balance(&book.tenant().tables);
    let of = all.iter().filter(|b| b.account == ledger);
    Money::sum(usd("0").currency, of.map(|b| b.net())).amount()
}

#[test]
fn a_wallet_that_includes_tax_is_burnt_by_the_gross_and_owes_the_tax() {
    let mut book = taxed("wallet", "10");
    use_up(&mut book, "k1", "4");
    assert_eq!(meter(&book, METER).burnt.to_string(), "4");
    assert_eq!(balance(&book, "w"), "5");
    assert_eq!(books(&book, Ledger::UsageRevenue), "-4.00");
    assert_eq!(books(&book, Ledger::TaxPayable), "-1.00");
    // 4.01 with its tax is more than there is.
    use_up(&mut book, "k2", "4.01");
    assert_eq!(balance(&book, "w"), "5");
    use_up(&mut book, "k3", "4");
    assert_eq!(balance(&book, "w"), "0");
    assert_eq!(books(&book, Ledger::TaxPayable), "-2.00");
}

#[test]
fn a_correction_gives_back_the_tax_that_was_taken_whatever_the_rate_is_now() {
    let mut book = taxed("wallet", "10");
    use_up(&mut book, "k1", "4");
    rate(&mut book, "0.50", "2012-01-01");
    let line = record("k1 voice 2012-05-02T10:00:00Z 1");
    let corrected = UsageRecord {
        corrects: true,
        ..line
    };
    send(&mut book, "b2", vec![corrected]);
    assert_eq!(balance(&book, "w"), "8.75");
    assert_eq!(books(&book, Ledger::TaxPayable), "-0.25");
    let line = record("k1 voice 2012-05-02T10:00:00Z 0");
    let corrected = UsageRecord {
        corrects: true,
        ..line
    };
    send(&mut book, "b3", vec![corrected]);
    assert_eq!(balance(&book, "w"), "10");
    assert!(state(&book, "w").taxed.is_empty());
    use_up(&mut book, "k2", "2");
    assert_eq!(balance(&book, "w"), "7");
}

#[test]
fn what_a_wallet_with_tax_lacks_goes_on_the_invoice_without_tax_and_below_zero_with_it() {
    let mut book = taxed("wallet_then_invoice", "5");
    use_up(&mut book, "k1", "6");
    let m = meter(&book, METER);
    assert_eq!(
        (m.burnt.to_string(), m.amount.to_string()),
        ("4".into(), "2".into())
    );
    assert_eq!(balance(&book, "w"), "0");
    let mut book = self::book("wallet");
    rate(&mut book, "0.25", "2012-01-01");
    wallet(&mut book, "w", |t| {
        t.burn = Burn::RatingWithTax;
        t.credit_limit = n("5");
    });
    use_up(&mut book, "k1", "4");
    use_up(&mut book, "k2", "0.01");
    assert_eq!(balance(&book, "w"), "-5");
}
