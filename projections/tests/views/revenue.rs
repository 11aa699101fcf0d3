//! Recurring revenue and churn of a known half year.

use std::sync::Arc;

use indelible_domain::kernel::Exact;
use indelible_projections::Views;
use indelible_projections::subscriptions::churn;
use indelible_projections::subscriptions::mrr::{self, Kind, Stretch};

use crate::figures::{euro, exact, half_a_year};
use crate::script::{Business, TENANT, day};

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
    // Replaces what was planned for June.
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
            (day("2026-03-01"), Kind::Expansion)
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
