//! Matching by rules and by hand, disputes, payment plans, deposits and transfers (policy 26–28).

use crate::book::{Book, d, sums, usd};
use indelible_domain::cash::{EarlyPayment, Rule, Rules, Tolerance};
use indelible_domain::command::{Exchange, ReceiveCash, RecordPayment};
use indelible_domain::receivables::{Instalment, RestOn, Source};
use indelible_domain::{Command, Event, receivables};

fn grant(book: &mut Book, amount: &str) -> Source {
    book.grant(amount);
    let funds = book.receivables().funds;
    funds.last().expect("a credit").source.clone()
}

fn matched(invoices: &[&str], credits: &[Source], rest: Option<RestOn>) -> Command {
    Command::MatchItems {
        account: "alice".into(),
        invoices: invoices.iter().map(|i| (*i).to_string()).collect(),
        credits: credits.to_vec(),
        rest_on: rest,
    }
}

/// Credit that was there pays invoices at once; taken off again, both can be matched by hand.
fn unmatch(book: &mut Book, invoice: &str) {
    book.ask(Command::UnmatchItem {
        account: "alice".into(),
        invoice: invoice.into(),
        source: None,
    })
    .expect("is unmatched");
}

fn rules(book: &mut Book, rules: Rules) {
    book.ask(Command::SetCashRules {
        entity: "arms".into(),
        rules,
    })
    .expect("rules");
}

fn receive(book: &mut Book, payment: &str, amount: &str, on: &str) {
    let cash = ReceiveCash {
        payment: payment.into(),
        entity: "arms".into(),
        account: Some("alice".into()),
        amount: usd(amount),
        value_date: d(on),
        reference: String::new(),
        payer: None,
        method: "transfer".into(),
    };
    book.ask(Command::ReceiveCash(Box::new(cash)))
        .expect("is received");
}

fn figures(book: &Book) -> [String; 6] {
    let f = book.receivables().figures(book.today);
    [
        f.total,
        f.due,
        f.overdue,
        f.disputed,
        f.unapplied,
        f.deposits,
    ]
    .map(|m| m.amount())
}

#[test]
fn the_rest_of_a_match_stays_on_the_only_one_that_can_take_it() {
    // debits 200 and 60, credit 150; only 200 can be partial, 110 of it stay open.
    let mut book = Book::new();
    let (large, small) = (book.invoice("200.00"), book.invoice("60.00"));
    let credit = grant(&mut book, "150.00");
    unmatch(&mut book, &large);
    let ask = matched(&[&large, &small], &[credit], None);
    book.ask(ask).expect("is matched");
    assert_eq!(
        (book.open_of(&large), book.open_of(&small)),
        sums("110.00", "0.00")
    );
}

#[test]
fn a_match_with_several_possible_rests_names_them_and_chooses_none() {
    let mut book = Book::new();
    let (first, second) = (book.invoice("200.00"), book.invoice("160.00"));
    let credit = grant(&mut book, "210.00");
    unmatch(&mut book, &first);
    unmatch(&mut book, &second);
    let state = book.receivables();
    let sides = [first.clone(), second.clone()];
    let candidates = state.candidates(&sides, std::slice::from_ref(&credit));
    let both = [&first, &second].map(|i| RestOn::Invoice(i.clone()));
    assert_eq!(candidates.expect("two"), both);
    let ask = matched(&[&first, &second], std::slice::from_ref(&credit), None);
    assert_eq!(book.refused(ask), "MATCH_AMBIGUOUS");
    let chosen = Some(RestOn::Invoice(first.clone()));
    let ask = matched(&[&first, &second], &[credit], chosen);
    book.ask(ask).expect("is matched");
    assert_eq!(
        (book.open_of(&first), book.open_of(&second)),
        sums("150.00", "0.00")
    );
}

#[test]
fn a_match_whose_rest_fits_on_no_single_one_is_refused() {
    let mut book = Book::new();
    let (first, second) = (book.invoice("50.00"), book.invoice("60.00"));
    let credit = grant(&mut book, "20.00");
    unmatch(&mut book, &first);
    let ask = matched(&[&first, &second], &[credit], None);
    assert_eq!(book.refused(ask), "MATCH_IMPOSSIBLE");
}

#[test]
fn unmatching_restores_every_amount_and_nothing_matches_it_again_by_itself() {
    let mut book = Book::new();
    let invoice = book.invoice("30.00");
    book.pay("40.00", None);
    unmatch(&mut book, &invoice);
    assert_eq!(book.open_of(&invoice), "30.00");
    assert_eq!(book.owes(), sums("-10.00", "40.00"));
    book.days_later(3)
        .ask(Command::CheckPlans {
            account: "alice".into(),
        })
        .expect("nothing to do");
    assert_eq!(book.open_of(&invoice), "30.00");
    book.ask(Command::ReleaseCredit {
        account: "alice".into(),
    })
    .expect("is released");
    assert_eq!(book.owes(), sums("-10.00", "10.00"));
}

#[test]
fn a_discount_for_paying_early_holds_until_its_last_day_and_goes_with_the_payment() {
    for (value_date, open) in [("2012-05-11", "0.00"), ("2012-05-12", "2.00")] {
        let mut book = Book::new();
        let early = EarlyPayment {
            days: 10,
            percent: "2".parse().expect("percent"),
        };
        rules(
            &mut book,
            Rules {
                order: vec![Rule::ExactAmount, Rule::OldestDue],
                discounts: vec![early],
                ..Rules::default()
            },
        );
        let invoice = book.invoice("100.00");
        receive(&mut book, "p1", "98.00", value_date);
        assert_eq!(book.open_of(&invoice), open, "paid on {value_date}");
        book.refund("p1", None);
        assert_eq!(book.open_of(&invoice), "100.00");
    }
}

#[test]
fn a_small_difference_is_written_off_and_a_larger_one_stays_open() {
    for (paid, open) in [("99.60", "0.00"), ("99.40", "0.60")] {
        let mut book = Book::new();
        let tolerance = Tolerance {
            amount: "0.50".parse().expect("amount"),
            percent: "1".parse().expect("percent"),
        };
        rules(
            &mut book,
            Rules {
                tolerance: Some(tolerance),
                ..Rules::default()
            },
        );
        let invoice = book.invoice("100.00");
        book.pay(paid, Some(&invoice));
        assert_eq!(book.open_of(&invoice), open, "{paid} came");
    }
}

#[test]
fn without_a_rule_for_the_rest_it_waits_as_held_credit() {
    let mut book = Book::new();
    rules(
        &mut book,
        Rules {
            order: vec![Rule::ExactAmount],
            ..Rules::default()
        },
    );
    let (first, second) = (book.invoice("7.00"), book.invoice("5.00"));
    receive(&mut book, "p1", "5.00", "2012-05-01");
    receive(&mut book, "p2", "6.00", "2012-05-01");
    assert_eq!(
        (book.open_of(&first), book.open_of(&second)),
        sums("7.00", "0.00")
    );
    assert_eq!(book.owes(), sums("1.00", "6.00"));
}

#[test]
fn money_in_another_currency_settles_what_was_agreed_and_the_rest_is_gain_or_loss() {
    for (rate, gain) in [("1.10", "10.00"), ("0.95", "-5.00")] {
        let mut book = Book::new();
        let invoice = book.invoice("100.00");
        let cash = ReceiveCash {
            payment: "p1".into(),
            entity: "arms".into(),
            account: Some("alice".into()),
            amount: "100.00 EUR".parse().expect("money"),
            value_date: d("2012-05-02"),
            reference: String::new(),
            payer: None,
            method: "transfer".into(),
        };
        book.ask(Command::ReceiveCash(Box::new(cash)))
            .expect("waits for a rate");
        book.ask(Command::AllocateCash {
            entity: "arms".into(),
            payment: "p1".into(),
            account: "alice".into(),
            invoices: vec![],
            exchange: Some(Exchange {
                rate: rate.parse().expect("rate"),
                settles: Some(usd("100.00")),
            }),
        })
        .expect("is allocated");
        assert_eq!(book.open_of(&invoice), "0.00");
        let exchanged = book.log.iter().find_map(|(_, event)| match event {
            Event::Receivable(receivables::Event::Exchanged(e)) => Some(e.worth.minus(e.settled)),
            _ => None,
        });
        assert_eq!(exchanged.expect("a fact").amount(), gain);
    }
}

#[test]
fn what_is_disputed_is_not_overdue_and_not_paid_by_credit_until_that_is_over() {
    let mut book = Book::new();
    let invoice = book.invoice("30.00");
    book.ask(Command::DisputeItem {
        dispute: "d1".into(),
        account: "alice".into(),
        invoice: invoice.clone(),
        amount: Some(usd("20.00")),
        reason: "never ordered".into(),
    })
    .expect("is disputed");
    book.days_later(5);
    assert_eq!(
        figures(&book),
        ["30.00", "10.00", "10.00", "20.00", "0.00", "0.00"]
    );
    book.grant("15.00");
    assert_eq!(book.open_of(&invoice), "20.00");
    let twice = Command::DisputeItem {
        dispute: "d2".into(),
        account: "alice".into(),
        invoice: invoice.clone(),
        amount: Some(usd("0.01")),
        reason: "more".into(),
    };
    assert_eq!(book.refused(twice), "DISPUTE_TOO_LARGE");
    book.ask(Command::EndDispute {
        dispute: "d1".into(),
        account: "alice".into(),
        upheld: false,
        reason: "it was".into(),
    })
    .expect("is over");
    assert_eq!(book.open_of(&invoice), "15.00");
    assert_eq!(
        figures(&book),
        ["15.00", "15.00", "15.00", "0.00", "0.00", "0.00"]
    );
}

fn plan(invoice: &str) -> Command {
    let instalment = |due: &str, amount: &str| Instalment {
        due: d(due),
        amount: usd(amount),
    };
    Command::AgreePlan {
        plan: "p".into(),
        account: "alice".into(),
        invoices: vec![invoice.into()],
        instalments: vec![
            instalment("2012-06-01", "10.00"),
            instalment("2012-07-01", "20.00"),
        ],
        grace_days: 3,
    }
}

#[test]
fn instalments_take_the_place_of_the_due_date() {
    let mut book = Book::new();
    let invoice = book.invoice("30.00");
    book.days_later(10).ask(plan(&invoice)).expect("is agreed");
    assert_eq!(figures(&book)[1..3], ["0.00", "0.00"]);
    book.on("2012-06-02");
    assert_eq!(figures(&book)[1..3], ["10.00", "10.00"]);
    book.pay("10.00", None);
    assert_eq!(figures(&book)[1..3], ["0.00", "0.00"]);
    book.on("2012-07-01").pay("20.00", None);
    assert!(book.receivables().plans.is_empty(), "a kept plan is over");
}

#[test]
fn a_broken_plan_falls_back_on_the_same_day_however_late_the_clock_is_asked() {
    for asked in ["2012-06-05", "2012-08-20"] {
        let mut book = Book::new();
        let invoice = book.invoice("30.00");
        book.ask(plan(&invoice)).expect("is agreed");
        book.on("2012-06-04");
        let check = || Command::CheckPlans {
            account: "alice".into(),
        };
        book.ask(check()).expect("days of grace");
        assert_eq!(book.receivables().plans.len(), 1);
        book.on(asked).ask(check()).expect("is broken");
        let ended = book.log.iter().find_map(|(_, event)| match event {
            Event::Receivable(receivables::Event::PlanEnded(e)) => e.on,
            _ => None,
        });
        assert_eq!(ended, Some(d("2012-06-05")), "asked on {asked}");
        assert_eq!(figures(&book)[2], "30.00");
    }
}

#[test]
fn a_deposit_is_apart_from_what_is_owed_until_it_is_applied_or_returned() {
    let mut book = Book::new();
    let invoice = book.invoice("30.00");
    book.ask(Command::ReceiveDeposit {
        deposit: "h1".into(),
        account: "alice".into(),
        amount: usd("50.00"),
        value_date: d("2012-05-01"),
        method: "transfer".into(),
    })
    .expect("is held");
    assert_eq!(
        figures(&book),
        ["30.00", "30.00", "0.00", "0.00", "0.00", "50.00"]
    );
    book.ask(Command::ApplyDeposit {
        deposit: "h1".into(),
        account: "alice".into(),
        invoice: Some(invoice.clone()),
        amount: Some(usd("30.00")),
        reason: "final bill".into(),
    })
    .expect("pays");
    book.ask(Command::ReturnDeposit {
        deposit: "h1".into(),
        account: "alice".into(),
        amount: None,
        reason: "the contract is over".into(),
    })
    .expect("goes back");
    assert_eq!(
        figures(&book),
        ["0.00", "0.00", "0.00", "0.00", "0.00", "0.00"]
    );
}

#[test]
fn a_charge_back_finds_its_money_with_another_account() {
    let mut book = Book::new();
    book.open("carol", |_| {});
    let payment = book.pay("50.00", None);
    book.ask(Command::TransferCredit {
        transfer: "t1".into(),
        from: "alice".into(),
        to: "carol".into(),
        amount: usd("40.00"),
        reason: "family".into(),
    })
    .expect("is moved");
    assert_eq!(book.owes(), sums("-10.00", "10.00"));
    book.ask(Command::ChargeBackPayment {
        payment,
        amount: None,
        reason: "disputed".into(),
    })
    .expect("the bank does not ask where it is");
    assert_eq!(book.owes(), sums("0.00", "0.00"));
    let carol = &book.tenant().tables.receivables["carol"].state;
    assert_eq!(carol.balance().amount(), "0.00");
}

#[test]
fn another_account_takes_over_a_debt() {
    let mut book = Book::new();
    book.open("carol", |_| {});
    let invoice = book.invoice("30.00");
    book.ask(Command::TransferDebt {
        transfer: "t1".into(),
        invoice: invoice.clone(),
        from: "alice".into(),
        to: "carol".into(),
        amount: Some(usd("20.00")),
        reason: "moved out".into(),
    })
    .expect("is taken over");
    assert_eq!(book.open_of(&invoice), "10.00");
    let carol = &book.tenant().tables.receivables["carol"].state;
    assert_eq!(carol.balance().amount(), "20.00");
}

#[test]
fn credit_is_paid_out_once() {
    let mut book = Book::new();
    book.grant("5.00");
    book.pay("20.00", None);
    let refund = |id: &str, amount: &str| Command::RefundCredit {
        refund: id.into(),
        account: "alice".into(),
        amount: usd(amount),
        reason: "asked for".into(),
    };
    book.ask(refund("r1", "15.00")).expect("is paid out");
    assert_eq!(book.owes(), sums("-10.00", "10.00"));
    assert_eq!(book.refused(refund("r2", "10.01")), "CREDIT_INSUFFICIENT");
    book.ask(refund("r2", "10.00")).expect("is paid out");
    assert_eq!(book.owes(), sums("0.00", "0.00"));
}

fn take_over(book: &mut Book, transfer: &str, of: &str, (from, to): (&str, &str), amount: &str) {
    book.ask(Command::TransferDebt {
        transfer: transfer.into(),
        invoice: of.into(),
        from: from.into(),
        to: to.into(),
        amount: Some(usd(amount)),
        reason: "moved out".into(),
    })
    .expect("is taken over");
}

fn open_at(book: &Book, account: &str) -> String {
    let state = &book.tenant().tables.receivables[account].state;
    state.open().amount()
}

#[test]
fn a_write_off_finds_a_debt_with_whoever_has_taken_it_over() {
    let mut book = Book::new();
    book.open("carol", |_| {});
    book.open("dora", |_| {});
    let invoice = book.invoice("30.00");
    take_over(&mut book, "t1", &invoice, ("alice", "carol"), "20.00");
    take_over(&mut book, "t2", "t1", ("carol", "dora"), "5.00");
    let write_off = |of: &str| Command::WriteOffInvoice {
        invoice: of.into(),
        reason: "gone".into(),
    };
    book.ask(write_off("t1")).expect("by the claim's own name");
    let open = ["alice", "carol", "dora"].map(|a| open_at(&book, a));
    assert_eq!(open, ["10.00", "0.00", "0.00"]);
    book.ask(Command::ReverseWriteOff {
        invoice: "t2".into(),
        reason: "found".into(),
    })
    .expect("is owed again");
    book.ask(write_off(&invoice)).expect("by the invoice");
    let open = ["alice", "carol", "dora"].map(|a| open_at(&book, a));
    assert_eq!(open, ["0.00", "0.00", "0.00"]);
    assert_eq!(book.refused(write_off(&invoice)), "INVOICE_PAID");
    assert_eq!(book.refused(write_off("nothing")), "NOT_FOUND");
}

#[test]
fn a_void_ends_what_others_took_over_of_it_unless_they_have_paid() {
    let mut book = Book::new();
    book.open("carol", |_| {});
    book.open("dora", |_| {});
    let invoice = book.invoice("30.00");
    take_over(&mut book, "t1", &invoice, ("alice", "carol"), "20.00");
    take_over(&mut book, "t2", "t1", ("carol", "dora"), "5.00");
    let mut paid = book.over(book.world.clone());
    paid.ask(Command::RecordPayment(RecordPayment {
        payment: "p".into(),
        account: "dora".into(),
        amount: usd("5.00"),
        invoice: None,
        method: "transfer".into(),
        pending: false,
    }))
    .expect("is paid");
    assert_eq!(
        paid.void(&invoice).expect_err("dora has paid").code,
        "INVOICE_PAID"
    );
    book.void(&invoice).expect("is void");
    for account in ["alice", "carol", "dora"] {
        let state = &book.tenant().tables.receivables[account].state;
        assert_eq!(
            (state.items.len(), state.funds.len(), state.balance().minor),
            (0, 0, 0),
            "{account}"
        );
    }
}

#[test]
fn a_match_by_hand_allows_a_small_difference_by_rule_and_unmatching_owes_it_again() {
    let mut book = Book::new();
    rules(
        &mut book,
        Rules {
            tolerance: Some(Tolerance {
                amount: "0.50".parse().expect("a number"),
                percent: "10".parse().expect("a number"),
            }),
            ..Rules::default()
        },
    );
    let credit = grant(&mut book, "9.60");
    let invoice = book.invoice("10.00");
    unmatch(&mut book, &invoice);
    book.ask(matched(
        &[&invoice],
        std::slice::from_ref(&credit),
        Some(RestOn::Allowed),
    ))
    .expect("0.40 are small");
    assert_eq!(book.owes(), crate::book::sums("0.00", "0.00"));
    unmatch(&mut book, &invoice);
    assert_eq!(book.owes(), crate::book::sums("0.40", "9.60"));
    // Without the rule nothing is small.
    rules(&mut book, Rules::default());
    let short = matched(&[&invoice], &[credit], Some(RestOn::Allowed));
    assert_eq!(book.refused(short), "TOLERANCE_EXCEEDED");
}

#[test]
fn a_deposit_for_an_invoice_that_is_paid_stays_a_deposit() {
    let mut book = Book::new();
    book.ask(Command::ReceiveDeposit {
        deposit: "h1".into(),
        account: "alice".into(),
        amount: usd("50.00"),
        value_date: d("2012-05-01"),
        method: "transfer".into(),
    })
    .expect("is held");
    let invoice = book.invoice("30.00");
    book.pay("30.00", Some(&invoice));
    let apply = Command::ApplyDeposit {
        deposit: "h1".into(),
        account: "alice".into(),
        invoice: Some(invoice),
        amount: None,
        reason: "final bill".into(),
    };
    assert_eq!(book.refused(apply), "INVOICE_PAID");
    assert_eq!(figures(&book)[5], "50.00");
}
