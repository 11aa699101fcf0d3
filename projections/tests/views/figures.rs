//! What the read models say about a known half year.

use std::sync::Arc;

use indelible_domain::command::Command;
use indelible_domain::invoices::Kind as Document;
use indelible_domain::kernel::{Currency, Exact, Money};
use indelible_domain::payments::Stage;
use indelible_domain::receivables::Instalment;
use indelible_projections::receivables::aging::{self, Cut, Scheme};
use indelible_projections::receivables::statement;
use indelible_projections::subscriptions::{self, mrr};
use indelible_projections::{
    Snapshot, Views, accounts, billing, dunning, finance, invoices, payments, receivables, usage,
    wallets,
};

use crate::script::{Business, TENANT, day, eur};

pub fn half_a_year(look: impl FnOnce(&Snapshot<'_>)) {
    let business = Business::new();
    business.half_a_year();
    let views = Views::in_memory(Arc::clone(business.ledger.store())).expect("opens");
    look(&views.of(TENANT));
}

pub fn euro() -> Currency {
    "EUR".parse().expect("a currency")
}

pub fn exact(num: i128, den: i128) -> Exact {
    Exact::ratio(num, den).expect("a fraction")
}

/// Schemes and ways of cutting.
fn cuts() -> Vec<(Vec<u32>, Cut)> {
    let by = |account, entity, product_line| Cut {
        account,
        entity,
        product_line,
    };
    vec![
        (vec![30, 60, 90], by(false, false, false)),
        (vec![30, 60, 90], by(true, false, false)),
        (vec![1, 7, 14, 365], by(false, true, false)),
        (vec![45], by(true, true, true)),
    ]
}

#[test]
fn aging_sums_to_the_open_balance_today_and_on_every_earlier_day() {
    half_a_year(|s| {
        let mut overdue = 0;
        for date in [
            "2026-01-31",
            "2026-02-15",
            "2026-03-05",
            "2026-04-20",
            "2026-06-01",
            "2026-12-31",
        ] {
            for (bounds, cut) in cuts() {
                let scheme = Scheme::new(bounds).expect("a scheme");
                let parts = aging::cut(s, day(date), &scheme, cut, None).expect("readable");
                let mut open = Money::zero(euro());
                for (_, aging) in parts {
                    let buckets = aging.late.iter().copied().chain([aging.not_due]);
                    assert_eq!(Money::sum(euro(), buckets), aging.open);
                    overdue += u32::from(aging.overdue.is_positive());
                    open = open.plus(aging.open);
                }
                let whole = aging::totals(s, day(date)).expect("readable");
                let whole = whole.first().map_or(Money::zero(euro()), |sum| sum.open);
                assert_eq!(open, whole, "{cut:?} on {date}");
            }
        }
        assert!(overdue > 0, "the script leaves something unpaid");
        for (_, balance) in accounts::balances::page(s, None, 10)
            .expect("readable")
            .rows
        {
            let aging =
                aging::of_account(s, &balance.account, day("2026-12-31"), &Scheme::default());
            let aging = aging.expect("readable").expect("a known account");
            assert_eq!(
                (aging.open, aging.unapplied),
                (balance.open, balance.unapplied)
            );
        }
    });
}

#[test]
fn an_earlier_day_is_answered_as_it_was_known_then() {
    half_a_year(|s| {
        let open = |date| {
            let aging = aging::of_account(s, "alice", day(date), &Scheme::default());
            aging.expect("readable").expect("a known account").open
        };
        assert_eq!(open("2026-01-30"), eur("0"));
        assert_eq!(open("2026-01-31"), eur("30"));
        assert_eq!(open("2026-02-01"), eur("0"));
    });
}

#[test]
fn what_an_invoice_owes_is_split_over_its_product_lines() {
    let business = Business::new();
    business.open();
    let classify = |offer: &str, line: &str| {
        let (offer, product_line) = (offer.to_string(), Some(line.to_string()));
        business.on(
            "2026-01-01",
            Command::ClassifyOffer {
                offer,
                product_line,
            },
        );
    };
    classify("seats", "office");
    business.account("alice", "2026-01-01");
    business.start("alice", "seats", "3", "2026-01-01");
    business.start("alice", "yearly", "1", "2026-01-01");
    business.bill("2026-01-15");
    business.pay("p1", "alice", eur("90"), "2026-01-20");
    let views = Views::in_memory(Arc::clone(business.ledger.store())).expect("opens");
    let by_line = Cut {
        product_line: true,
        ..Cut::default()
    };
    let views = views.of(TENANT);
    let parts = aging::cut(&views, day("2026-01-20"), &Scheme::default(), by_line, None);
    let open: Vec<_> = parts
        .expect("readable")
        .into_iter()
        .map(|(part, aging)| (part.product_line, aging.open))
        .collect();
    // 30.00 of 174.20 (149.95 × 351/365 for the year) are of the product line: of the 84.20 that are open
    // 84.20 × 30 / 174.20 = 14.5006….
    assert_eq!(
        open,
        [
            (String::new(), eur("69.70")),
            ("office".to_string(), eur("14.50"))
        ]
    );
}

#[test]
fn aging_knows_disputes_instalments_and_deposits_of_any_day() {
    let business = Business::new();
    business.open();
    business.account("alice", "2026-01-01");
    business.start("alice", "seats", "3", "2026-01-01");
    business.bill("2026-01-15");
    let (account, dispute) = ("alice".to_string(), "d1".to_string());
    business.on(
        "2026-02-10",
        Command::DisputeItem {
            dispute: dispute.clone(),
            account: account.clone(),
            invoice: "run-2026-01-15.alice".into(),
            amount: Some(eur("10")),
            reason: "not delivered".into(),
        },
    );
    business.on(
        "2026-02-20",
        Command::EndDispute {
            dispute,
            account: account.clone(),
            upheld: false,
            reason: "it was".into(),
        },
    );
    let instalment = |due: &str, amount: &str| Instalment {
        due: day(due),
        amount: eur(amount),
    };
    business.on(
        "2026-03-01",
        Command::AgreePlan {
            plan: "plan".into(),
            account: account.clone(),
            invoices: vec!["run-2026-01-15.alice".into()],
            instalments: vec![
                instalment("2026-03-15", "20"),
                instalment("2026-04-15", "10"),
            ],
            grace_days: 5,
        },
    );
    business.on(
        "2026-03-02",
        Command::ReceiveDeposit {
            deposit: "deposit".into(),
            account: account.clone(),
            amount: eur("50"),
            value_date: day("2026-03-02"),
            method: "transfer".into(),
        },
    );
    let views = Views::in_memory(Arc::clone(business.ledger.store())).expect("opens");
    let views = views.of(TENANT);
    let on = |date: &str| {
        let found = aging::of_account(&views, "alice", day(date), &Scheme::default());
        let aging = found.expect("readable").expect("a known account");
        [
            aging.not_due,
            aging.late[0],
            aging.late[1],
            aging.due,
            aging.overdue,
            aging.disputed,
            aging.deposits,
        ]
        .map(Money::amount)
    };
    // Issued on 15 January, due on the 29th.
    assert_eq!(
        on("2026-01-29"),
        ["30.00", "0.00", "0.00", "30.00", "0.00", "0.00", "0.00"]
    );
    assert_eq!(
        on("2026-02-10"),
        ["0.00", "30.00", "0.00", "20.00", "20.00", "10.00", "0.00"]
    );
    assert_eq!(
        on("2026-02-28"),
        ["0.00", "30.00", "0.00", "30.00", "30.00", "0.00", "0.00"]
    );
    // The instalments take the place of the due date, until the first one is 5 days late; then it holds again.
    assert_eq!(
        on("2026-03-15"),
        ["30.00", "0.00", "0.00", "20.00", "0.00", "0.00", "50.00"]
    );
    assert_eq!(
        on("2026-03-20"),
        ["10.00", "20.00", "0.00", "20.00", "20.00", "0.00", "50.00"]
    );
    assert_eq!(
        on("2026-03-21"),
        ["0.00", "0.00", "30.00", "30.00", "30.00", "0.00", "50.00"]
    );
}

#[test]
fn a_scheme_without_ascending_bounds_is_refused() {
    for wrong in [
        vec![],
        vec![0, 30],
        vec![30, 30],
        vec![60, 30],
        (1..=25).collect(),
    ] {
        let refused = Scheme::new(wrong.clone()).expect_err("no scheme");
        assert_eq!(refused.code, "AGING_SCHEME_INVALID", "{wrong:?}");
    }
    assert_eq!(
        Scheme::new(vec![7, 30]).expect("a scheme").spans(),
        [(1, Some(7)), (8, Some(30)), (31, None)]
    );
}

#[test]
fn a_statement_runs_from_its_opening_to_its_closing_balance() {
    half_a_year(|s| {
        for (_, account) in accounts::balances::page(s, None, 10)
            .expect("readable")
            .rows
        {
            let all = (day("2000-01-01"), day("2100-01-01"));
            let whole = statement::of_account(s, &account.account, all, None, 1_000);
            let whole = whole.expect("readable").expect("a known account");
            assert_eq!(whole.opening, Money::zero(euro()));
            assert_eq!(whole.closing, account.balance());
            let mut balance = whole.opening;
            for (_, movement) in &whole.movements.rows {
                balance = balance.plus(movement.amount);
                assert_eq!(balance, movement.balance, "{movement:?}");
            }
            assert_eq!(balance, whole.closing);
            // Two halves make the whole, a movement on the boundary belongs to the later one.
            let mut rows = Vec::new();
            for days in [(all.0, day("2026-03-05")), (day("2026-03-05"), all.1)] {
                let half = statement::of_account(s, &account.account, days, None, 1_000);
                rows.extend(half.expect("readable").expect("known").movements.rows);
            }
            assert_eq!(rows, whole.movements.rows);
        }
    });
}

#[test]
fn open_items_are_what_makes_the_open_balance() {
    half_a_year(|s| {
        let items = receivables::open_items::page(s, None, None, 100).expect("readable");
        assert!(!items.more && !items.rows.is_empty());
        for (_, balance) in accounts::balances::page(s, None, 10)
            .expect("readable")
            .rows
        {
            let own = items
                .rows
                .iter()
                .filter(|(_, i)| i.account == balance.account);
            assert_eq!(Money::sum(euro(), own.map(|(_, i)| i.open)), balance.open);
        }
    });
}

#[test]
fn pages_follow_each_other_without_gap_or_repetition() {
    half_a_year(|s| {
        let all = invoices::list::page(s, None, None, 100).expect("readable");
        let mut paged = vec![];
        let mut after: Option<String> = None;
        loop {
            let page = invoices::list::page(s, None, after.as_deref(), 2).expect("readable");
            after = page.rows.last().map(|(key, _)| key.clone());
            paged.extend(page.rows);
            if !page.more {
                break;
            }
        }
        assert_eq!(paged, all.rows);
        assert!(all.rows.iter().any(|(_, i)| i.kind == Document::CreditNote));
        let own = invoices::list::page(s, Some("alice"), None, 100).expect("readable");
        assert!(own.rows.iter().all(|(_, i)| i.account == "alice"));
    });
}

#[test]
fn runs_tell_what_they_made() {
    half_a_year(|s| {
        let runs = billing::runs::page(s, None, 10).expect("readable").rows;
        assert_eq!(runs.len(), 5);
        for (_, run) in &runs {
            assert!(run.completed && run.done == run.accounts);
        }
        let january = &runs[0].1;
        let made = invoices::list::page(s, None, None, 100)
            .expect("readable")
            .rows;
        let own = made
            .iter()
            .filter(|(_, i)| i.run.as_ref() == Some(&january.run));
        assert_eq!(
            january.totals,
            [Money::sum(euro(), own.map(|(_, i)| i.total))]
        );
    });
}

#[test]
fn payments_show_their_fate() {
    half_a_year(|s| {
        let stage = |id| {
            let payment = payments::list::get(s, id)
                .expect("readable")
                .expect("known");
            (payment.stage, payment.refunded)
        };
        assert_eq!(stage("p-1"), (Stage::Settled, eur("12.50")));
        assert_eq!(stage("p-2"), (Stage::Settled, eur("0")));
        assert_eq!(stage("p-3"), (Stage::Failed, eur("0")));
    });
}

#[test]
fn a_subscription_shows_its_terms_and_its_stage_on_a_day() {
    half_a_year(|s| {
        use indelible_domain::subscriptions::Stage;
        let get = |id| {
            subscriptions::list::get(s, id)
                .expect("readable")
                .expect("known")
        };
        assert_eq!(get("alice.seats").terms.len(), 3);
        assert_eq!(get("carol.seats").stage(day("2026-04-01")), Stage::Paused);
        assert_eq!(get("carol.seats").stage(day("2026-05-01")), Stage::Active);
        assert_eq!(
            get("bob.yearly").stage(day("2026-05-10")),
            Stage::Terminated
        );
        let own = subscriptions::list::page(s, Some("bob"), None, 10).expect("readable");
        assert_eq!(own.rows.len(), 1);
    });
}

#[test]
fn every_usage_record_ends_somewhere_with_a_reason() {
    half_a_year(|s| {
        let all = usage::completeness::total(s).expect("readable");
        assert_eq!((all.received, all.accepted), (7, 4));
        assert_eq!((all.duplicates, all.conflicts, all.unreadable), (1, 1, 1));
        assert_eq!(
            (all.rated, all.pending, all.rejected, all.superseded),
            (2, 1, 1, 0)
        );
        assert_eq!(
            usage::completeness::of_source(s, "switch").expect("readable"),
            all
        );
        let lines = usage::completeness::lines(s, "b-1", None, 100)
            .expect("readable")
            .rows;
        let fates: Vec<_> = lines.iter().map(|(_, l)| (l.line, l.fate.name())).collect();
        assert_eq!(
            fates,
            [
                (2, "duplicate"),
                (3, "conflict"),
                (4, "pending"),
                (5, "rejected"),
                (6, "unreadable")
            ]
        );
        assert!(
            lines
                .iter()
                .all(|(_, l)| !l.code.is_empty() && !l.reason.is_empty())
        );
        let reasons = usage::completeness::reasons(s).expect("readable");
        assert_eq!(reasons.iter().map(|r| r.lines).sum::<u64>(), 5);
        let batches = usage::completeness::page(s, None, 10)
            .expect("readable")
            .rows;
        assert_eq!(batches.len(), 2);
    });
}

#[test]
fn a_wallet_shows_what_is_left_of_each_grant() {
    half_a_year(|s| {
        let wallet = wallets::list::get(s, "dora.w")
            .expect("readable")
            .expect("known");
        // Ten minutes at 0.50 took all of it.
        assert_eq!(wallet.state.burnt, exact(5, 1));
        assert_eq!(wallet.balance(day("2026-06-10")), Exact::ZERO);
        assert!(wallet.emptied_on.is_some());
        let own = wallets::list::page(s, Some("dora"), None, 10)
            .expect("readable")
            .rows;
        assert_eq!(own.len(), 1);
    });
}

#[test]
fn the_dunning_board_shows_each_step_and_the_recovery() {
    half_a_year(|s| {
        use indelible_projections::dunning::board::Kind::*;
        let steps = dunning::board::steps(s, Some("erin"), None, 100)
            .expect("readable")
            .rows;
        let kinds: Vec<_> = steps.iter().map(|(_, step)| step.kind).collect();
        assert_eq!(
            kinds,
            [
                Begun,
                LevelReached,
                Reminded,
                LevelReached,
                FeeCharged,
                Suspended,
                Cleared
            ]
        );
        let case = dunning::board::get(s, "erin")
            .expect("readable")
            .expect("known");
        assert!(!case.open && case.suspended.is_empty());
        assert_eq!(
            (case.level.as_deref(), case.fees),
            (Some("second"), Some(eur("4.50")))
        );
        let open = dunning::board::page(s, true, None, 10)
            .expect("readable")
            .rows;
        assert!(open.is_empty());
        // The refund of an old invoice made Alice's debt late again; nobody duns her, so there is no case.
        let all = dunning::board::page(s, false, None, 10)
            .expect("readable")
            .rows;
        assert_eq!(all.len(), 1);
        let counts = dunning::board::counts(s).expect("readable");
        assert_eq!(counts.iter().map(|c| c.times).sum::<u64>(), 7);
    });
}

#[test]
fn debits_equal_credits_and_the_receivable_account_is_what_accounts_owe() {
    half_a_year(|s| {
        use indelible_domain::journal::Ledger;
        let books = finance::trial_balance::between(s, None, None, None).expect("readable");
        let sum = |side: fn(&finance::trial_balance::Line) -> Money| {
            Money::sum(euro(), books.iter().map(side))
        };
        assert_eq!(sum(|l| l.debit), sum(|l| l.credit));
        let of = |account| {
            let line = books.iter().find(|l| l.account == account);
            line.map_or(eur("0"), |l| l.net())
        };
        let accounts = accounts::balances::page(s, None, 100)
            .expect("readable")
            .rows;
        let open = Money::sum(euro(), accounts.iter().map(|(_, b)| b.open));
        let credit = Money::sum(euro(), accounts.iter().map(|(_, b)| b.unapplied));
        assert_eq!(of(Ledger::Receivable), open);
        assert_eq!(of(Ledger::CustomerCredit), credit.negated());
        let early = finance::trial_balance::between(s, Some("acme"), None, Some(day("2026-02-01")));
        let late = finance::trial_balance::between(s, Some("acme"), Some(day("2026-02-01")), None);
        let cash = |lines: Vec<finance::trial_balance::Line>| {
            let cash = lines.into_iter().find(|l| l.account == Ledger::Cash);
            cash.map_or(eur("0"), |l| l.net())
        };
        let parts = cash(early.expect("readable")).plus(cash(late.expect("readable")));
        assert_eq!(parts, of(Ledger::Cash));
    });
}

#[test]
fn documents_are_counted_in_the_month_of_their_issue() {
    half_a_year(|s| {
        let months = invoices::list::months(s).expect("readable");
        let all = invoices::list::page(s, None, None, 100)
            .expect("readable")
            .rows;
        let total = Money::sum(euro(), all.iter().map(|(_, i)| i.total));
        assert_eq!(Money::sum(euro(), months.iter().map(|m| m.total)), total);
        let documents: u64 = months.iter().map(|m| m.invoices + m.credit_notes).sum();
        assert_eq!(documents, all.len() as u64);
        assert_eq!(months[0].month, day("2026-01-01"));
    });
}

#[test]
fn another_tenant_sees_nothing() {
    let business = Business::new();
    business.half_a_year();
    let views = Views::in_memory(Arc::clone(business.ledger.store())).expect("opens");
    for tenant in ["", "tt", "u"] {
        let s = views.of(tenant);
        assert_eq!(
            accounts::balances::get(&s, "alice").expect("readable"),
            None
        );
        assert!(
            invoices::list::page(&s, None, None, 10)
                .expect("readable")
                .rows
                .is_empty()
        );
        assert!(
            aging::totals(&s, day("2026-06-01"))
                .expect("readable")
                .is_empty()
        );
        assert!(mrr::currencies(&s).expect("readable").is_empty());
    }
}
