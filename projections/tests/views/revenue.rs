//! Recurring revenue and churn of a known half year.

use std::sync::Arc;

use indelible_domain::Command;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::command::RedeemDiscount;
use indelible_domain::discounts::{ChargeKind, DiscountTerms, Lasts, Off, Scope};
use indelible_domain::kernel::Exact;
use indelible_projections::Views;
use indelible_projections::subscriptions::mrr::{self, Kind, Stretch};
use indelible_projections::subscriptions::{churn, tcv};

use crate::figures::{euro, exact, half_a_year};
use crate::script::{Business, TENANT, day, eur};

/// 149.95 a year.
fn yearly() -> Exact {
    exact(14_995, 1_200)
}

#[test]
fn mrr_is_the_price_per_month_and_trials_and_pauses_count_nothing() {
    half_a_year(|s| {
        let on = |date| mrr::on(s, euro(), day(date)).expect("a figure");
        assert_eq!(on("2025-12-31"), Exact::ZERO);
        assert_eq!(on("2026-01-01"), exact(30, 1));
        // Bob's trial ends on the 23rd.
        assert_eq!(on("2026-01-23"), exact(30, 1));
        assert_eq!(on("2026-01-24"), exact(30, 1).plus(yearly()).expect("fits"));
        assert_eq!(on("2026-04-01"), exact(50, 1).plus(yearly()).expect("fits"));
        assert_eq!(on("2026-05-10"), exact(30, 1));
        assert_eq!(mrr::currencies(s).expect("readable"), [euro()]);
    });
}

#[test]
fn opening_and_movements_make_the_closing_of_every_month_also_of_quiet_ones() {
    half_a_year(|s| {
        let months =
            mrr::by_month(s, euro(), day("2025-12-05"), day("2026-07-01")).expect("figures");
        assert_eq!(months.len(), 8);
        let mut level = Exact::ZERO;
        for month in &months {
            assert_eq!(month.opening, level);
            let net = month.moves.net().expect("fits");
            assert_eq!(month.closing, level.plus(net).expect("fits"));
            level = month.closing;
        }
        let of = |n: usize| -> &Stretch { &months[n] };
        assert_eq!(of(0).closing, Exact::ZERO);
        assert_eq!((of(1).moves.new_count, of(1).accounts_closing), (2, 2));
        assert_eq!(of(2).moves.expansion, exact(20, 1));
        assert_eq!(of(2).moves.new, exact(10, 1));
        assert_eq!(of(3).moves.churn, exact(10, 1));
        assert_eq!(of(4).moves.contraction, exact(30, 1));
        assert_eq!(of(5).moves.reactivation, exact(10, 1));
        assert_eq!(of(5).moves.churn, yearly());
        assert_eq!((of(7).opening, of(7).closing), (exact(40, 1), exact(40, 1)));
        // Erin is suspended for some days of July, then pays.
        assert_eq!(of(7).moves.churn, exact(10, 1));
        assert_eq!(of(7).moves.reactivation, exact(10, 1));
        assert_eq!(of(7).arr().expect("fits"), exact(480, 1));
    });
}

#[test]
fn days_of_a_month_add_up_to_the_month() {
    half_a_year(|s| {
        let days = mrr::by_day(s, euro(), day("2026-05-01"), day("2026-05-31")).expect("figures");
        let month =
            mrr::by_month(s, euro(), day("2026-05-01"), day("2026-05-31")).expect("figures");
        assert_eq!(days.len(), 31);
        assert_eq!(days[0].opening, month[0].opening);
        assert_eq!(days[30].closing, month[0].closing);
    });
}

#[test]
fn a_change_recorded_later_moves_the_figures_of_its_own_day() {
    let business = Business::new();
    business.open();
    business.account("alice", "2026-01-01");
    business.start("alice", "seats", "3", "2026-01-01");
    business.quantity("alice.seats", "5", "2026-06-01");
    // What was planned for June stays planned: it takes an undo to drop it (decision 36).
    business.quantity("alice.seats", "4", "2026-03-01");
    let views = Views::in_memory(Arc::clone(business.ledger.store())).expect("opens");
    let s = views.of(TENANT);
    let moves = mrr::movements_between(&s, euro(), day("2026-01-01"), day("2027-01-01"));
    let moves: Vec<_> = moves
        .expect("readable")
        .into_iter()
        .map(|m| (m.on, m.kind))
        .collect();
    assert_eq!(
        moves,
        [
            (day("2026-01-01"), Kind::New),
            (day("2026-03-01"), Kind::Expansion),
            (day("2026-06-01"), Kind::Expansion)
        ]
    );
}

#[test]
fn a_contract_that_no_sum_can_hold_is_left_out_by_name_and_stops_nobody() {
    let business = Business::new();
    business.open();
    business.account("alice", "2026-01-01");
    business.account("giant", "2026-01-01");
    business.start("alice", "seats", "3", "2026-01-01");
    // As fine as a quantity can be, then as large: the change between them fits no number.
    business.start(
        "giant",
        "seats",
        "7.0000000000000000000000000001",
        "2026-01-01",
    );
    business.start("alice", "yearly", "1", "2026-01-01");
    let huge = "79228162514264337593543950335";
    business.quantity("giant.seats", huge, "2026-02-01");
    let views = Views::in_memory(Arc::clone(business.ledger.store())).expect("opens");
    let s = views.of(TENANT);
    let level = mrr::on(&s, euro(), day("2026-03-01")).expect("a figure");
    assert_eq!(level, exact(30, 1).plus(yearly()).expect("fits"));
    assert_eq!(mrr::uncounted(&s).expect("readable"), ["giant.seats"]);
    drop(s);
    business.quantity("giant.seats", "1", "2026-04-01");
    let head = business.ledger.store().head();
    views
        .wait_for(head, std::time::Duration::from_secs(60))
        .expect("nobody was stopped");
}

#[test]
fn churn_counts_accounts_and_revenue_lost_against_the_opening() {
    half_a_year(|s| {
        let months =
            churn::by_month(s, euro(), day("2026-01-01"), day("2026-05-01")).expect("figures");
        assert_eq!(months[0].logo, None);
        let march = &months[2];
        assert_eq!((march.accounts, march.accounts_lost), (3, 1));
        assert_eq!(march.logo, Some(exact(1, 3)));
        let may = &months[4];
        assert_eq!((may.accounts, may.accounts_lost), (2, 1));
        let opening = exact(20, 1).plus(yearly()).expect("fits");
        let share = |part: Exact| {
            let inverse = Exact::ratio(opening.denominator(), opening.numerator());
            Some(part.times(inverse.expect("not zero")).expect("fits"))
        };
        assert_eq!(may.gross_revenue, share(yearly()));
        assert_eq!(
            may.net_revenue,
            share(yearly().minus(exact(10, 1)).expect("fits"))
        );
    });
}

/// 20 % off recurring charges for three months, and 6 EUR off every document for ever.
fn discounted() -> Business {
    let business = Business::new();
    business.open();
    business.account("alice", "2026-01-01");
    business.start("alice", "seats", "3", "2026-01-01");
    let terms = |name: &str, off, lasts| DiscountTerms {
        name: name.into(),
        off,
        scope: Scope {
            kinds: vec![ChargeKind::Recurring],
            ..Scope::default()
        },
        lasts,
        redeem_from: None,
        redeem_until: None,
        limit: None,
        limit_per_account: None,
        sequence: 0,
        exclusive: false,
    };
    let share = Off::Percent("0.2".parse().expect("a number"));
    let span = "3 months".parse().expect("a span");
    for (code, off, lasts) in [
        ("FIFTH", share, Lasts::For(span)),
        ("ONCE", share, Lasts::Once),
        ("TWICE", share, Lasts::Times(2)),
        ("SIX", Off::Fixed(eur("6.00")), Lasts::Forever),
    ] {
        let terms = terms(code, off, lasts);
        let (discount, terms) = (code.into(), Box::new(terms));
        business.on("2026-01-01", Command::DefineDiscount { discount, terms });
    }
    business
}

fn redeem(business: &Business, code: &str, date: &str) {
    let redemption = RedeemDiscount {
        account: "alice".into(),
        discount: code.into(),
        redemption: format!("r.{code}"),
        subscription: None,
        from: None,
    };
    business.on(date, Command::RedeemDiscount(Box::new(redemption)));
}

#[test]
fn mrr_is_after_discounts_that_recur_and_their_beginning_and_end_are_movements() {
    let business = discounted();
    redeem(&business, "FIFTH", "2026-02-01");
    redeem(&business, "ONCE", "2026-02-01");
    business.quantity("alice.seats", "5", "2026-03-01");
    let end = Command::EndRedemption {
        account: "alice".into(),
        redemption: "r.SIX".into(),
        on: Some(day("2026-06-01")),
    };
    redeem(&business, "SIX", "2026-04-01");
    business.on("2026-04-01", end);
    let views = Views::in_memory(Arc::clone(business.ledger.store())).expect("opens");
    let s = views.of(TENANT);
    let moves = mrr::movements_between(&s, euro(), day("2026-01-01"), day("2027-01-01"));
    let moves: Vec<_> = moves
        .expect("readable")
        .into_iter()
        .map(|m| (m.on.to_string(), m.kind, m.after.to_string()))
        .collect();
    let moved = |on: &str, kind, after: &str| (on.to_string(), kind, after.to_string());
    assert_eq!(
        moves,
        [
            moved("2026-01-01", Kind::New, "30"),
            moved("2026-02-01", Kind::Contraction, "24"),
            // 50 less a fifth, then less 6 too; from May on less 6 alone.
            moved("2026-03-01", Kind::Expansion, "40"),
            moved("2026-04-01", Kind::Contraction, "34"),
            moved("2026-05-01", Kind::Expansion, "44"),
            moved("2026-06-01", Kind::Expansion, "50"),
        ]
    );
    let months = mrr::by_month(&s, euro(), day("2026-01-01"), day("2026-06-01")).expect("figures");
    for month in &months {
        let net = month.moves.net().expect("fits");
        assert_eq!(month.closing, month.opening.plus(net).expect("fits"));
    }
    assert_eq!(months[4].arr().expect("fits"), exact(528, 1));
    let churn = churn::by_month(&s, euro(), day("2026-02-01"), day("2026-02-01")).expect("a month");
    assert_eq!(churn[0].gross_revenue, Some(exact(6, 30)));
}

#[test]
fn a_discount_for_so_many_documents_holds_as_far_as_the_last_of_them_goes() {
    let business = discounted();
    redeem(&business, "TWICE", "2026-01-01");
    business.bill("2026-01-01");
    business.bill("2026-02-01");
    business.bill("2026-03-01");
    let views = Views::in_memory(Arc::clone(business.ledger.store())).expect("opens");
    let s = views.of(TENANT);
    let on = |date| mrr::on(&s, euro(), day(date)).expect("a figure");
    assert_eq!(on("2026-02-28"), exact(24, 1));
    assert_eq!(on("2026-03-01"), exact(30, 1));
}

#[test]
fn discounts_of_who_pays_lower_what_those_have_that_it_pays_for() {
    let business = discounted();
    redeem(&business, "SIX", "2026-01-01");
    business.account("bob", "2026-01-01");
    business.start("bob", "seats", "1", "2026-01-01");
    let ledger = business.ledger.store();
    let level = || {
        let views = Views::in_memory(Arc::clone(ledger)).expect("opens");
        mrr::on(&views.of(TENANT), euro(), day("2026-03-01")).expect("a figure")
    };
    // 30 less 6, and 10.
    assert_eq!(level(), exact(34, 1));
    let terms = AccountTerms {
        entity: "acme".into(),
        currency: euro(),
        payer: Some("alice".into()),
        ..AccountTerms::default()
    };
    let account = "bob".into();
    business.on("2026-01-02", Command::ChangeAccount { account, terms });
    // One document of 40 less 6.
    assert_eq!(level(), exact(34, 1));
    let views = Views::in_memory(Arc::clone(ledger)).expect("opens");
    let moves = mrr::movements_between(
        &views.of(TENANT),
        euro(),
        day("2026-01-01"),
        day("2026-02-01"),
    );
    let moves = moves.expect("readable");
    let after: Vec<_> = moves
        .iter()
        .map(|m| (m.account.as_str(), m.after))
        .collect();
    assert_eq!(after, [("alice", exact(51, 2)), ("bob", exact(17, 2))]);
}

#[test]
fn contracts_are_worth_what_was_committed_to_and_all_of_them_the_sum() {
    let business = Business::new();
    business.open();
    business.account("alice", "2026-01-01");
    business.start("alice", "seats", "3", "2026-01-01");
    business.start("alice", "yearly", "1", "2026-01-01");
    let views = Views::in_memory(Arc::clone(business.ledger.store())).expect("opens");
    let shown = |id: &str| {
        let found = tcv::of(&views.of(TENANT), id).expect("readable");
        let found = found.expect("it is there");
        (
            found.until.map(|d| d.to_string()),
            found.value.to_decimal(2),
        )
    };
    // Nobody is committed: one period of each.
    assert_eq!(shown("alice.seats"), (None, "30".to_string()));
    assert_eq!(shown("alice.yearly"), (None, "149.95".to_string()));
    business.on(
        "2026-01-10",
        Command::AgreeTenure {
            subscription: "alice.seats".into(),
            from: Some(day("2026-01-10")),
            terms: indelible_domain::subscriptions::TenureTerms {
                lasts: "24 months".parse().expect("a span"),
                ..Default::default()
            },
        },
    );
    // 24 months from the day on, and the nine days before it: 24 + 9/31 periods of 30.
    let head = business.ledger.store().head();
    let wait = std::time::Duration::from_secs(60);
    views.wait_for(head, wait).expect("they are folded");
    let until = Some("2028-01-10".to_string());
    assert_eq!(shown("alice.seats"), (until, "728.71".to_string()));
    let totals = tcv::totals(&views.of(TENANT)).expect("readable");
    let (currency, total) = &totals[0];
    assert_eq!((*currency, total.contracts), (euro(), 2));
    assert_eq!(total.value.to_decimal(2), "878.66");
    business.quantity("alice.seats", "4", "2026-02-01");
    let head = business.ledger.store().head();
    views.wait_for(head, wait).expect("they are folded");
    let totals = tcv::totals(&views.of(TENANT)).expect("readable");
    // 30 for January, then 23 + 9/31 periods of 40, and 149.95.
    assert_eq!(totals[0].1.value.to_decimal(2), "1111.56");
}
