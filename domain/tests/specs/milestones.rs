//! Prices that are invoiced in parts: what is reached is due, once, and all parts make the total.

use crate::book::{Book, d, usd};
use indelible_domain::Command;
use indelible_domain::kernel::Money;
use indelible_domain::milestones::{Milestone, Plan};

fn milestone(code: &str, share: &str, on: Option<&str>) -> Milestone {
    Milestone {
        code: code.into(),
        text: code.into(),
        share: share.parse().expect("a share"),
        on: on.map(d),
    }
}

fn plan(milestones: Vec<Milestone>) -> Command {
    Command::AgreeMilestones {
        plan: "p1".into(),
        terms: Box::new(Plan {
            account: "alice".into(),
            subscription: None,
            text: "Machine".into(),
            total: Some(usd("1000.01")),
            tax_class: "standard".into(),
            milestones,
        }),
    }
}

fn thirds() -> Command {
    plan(vec![
        milestone("signed", "33.3333", None),
        milestone("delivered", "33.3333", None),
        milestone("accepted", "33.3334", Some("2012-06-15")),
    ])
}

fn reach(milestone: &str) -> Command {
    Command::ReachMilestone {
        plan: "p1".into(),
        milestone: milestone.into(),
        on: None,
    }
}

fn bill(book: &mut Book, run: &str) -> Money {
    let mut outcome = book
        .ask(Command::StartBillRun {
            run: run.into(),
            as_of: None,
            accounts: vec![],
            draft: false,
        })
        .expect("starts");
    while outcome.left > 0 {
        outcome = book
            .ask(Command::StepBillRun { run: run.into() })
            .expect("steps");
    }
    let invoices = &book.tenant().tables.invoices;
    let made = invoices.get(&format!("{run}.alice"));
    made.map_or(usd("0.00"), |e| e.state.document.total)
}

#[test]
fn what_is_reached_is_invoiced_once_and_all_parts_make_the_total() {
    let mut book = Book::new();
    book.ask(thirds()).expect("is agreed");
    assert_eq!(bill(&mut book, "r1"), usd("0.00"));
    book.ask(reach("signed")).expect("is reached");
    assert_eq!(book.refused(reach("signed")), "MILESTONE_REACHED");
    assert_eq!(book.refused(reach("accepted")), "MILESTONE_REACHED");
    assert_eq!(book.refused(reach("paid")), "MILESTONE_UNKNOWN");
    assert_eq!(bill(&mut book, "r2"), usd("333.34"));
    assert_eq!(bill(&mut book, "r3"), usd("0.00"));
    // The last one is due by its day.
    book.on("2012-06-15");
    assert_eq!(bill(&mut book, "r4"), usd("333.34"));
    book.ask(reach("delivered")).expect("is reached");
    assert_eq!(bill(&mut book, "r5"), usd("333.33"));
}

#[test]
fn cancelling_takes_out_what_no_document_has() {
    let mut book = Book::new();
    book.ask(thirds()).expect("is agreed");
    book.ask(reach("signed")).expect("is reached");
    assert_eq!(bill(&mut book, "r1"), usd("333.34"));
    book.ask(reach("delivered")).expect("is reached");
    let cancel = || Command::CancelMilestones {
        plan: "p1".into(),
        reason: "called off".into(),
    };
    book.ask(cancel()).expect("is cancelled");
    book.on("2012-07-01");
    assert_eq!(bill(&mut book, "r2"), usd("0.00"));
    assert_eq!(book.refused(cancel()), "MILESTONES_CANCELLED");
    assert_eq!(book.refused(reach("delivered")), "MILESTONES_CANCELLED");
    // A void makes what it billed due again, whatever became of the plan.
    book.ask(Command::VoidInvoice {
        invoice: "r1.alice".into(),
        reason: "wrong address".into(),
    })
    .expect("is void");
    assert_eq!(bill(&mut book, "r3"), usd("333.34"));
}

#[test]
fn shares_make_a_hundred_percent_of_a_total_in_the_accounts_currency() {
    let mut book = Book::new();
    let refused = [
        vec![],
        vec![milestone("a", "99.9999", None)],
        vec![milestone("a", "50", None), milestone("a", "50", None)],
        vec![
            milestone("a", "100.00001", None),
            milestone("b", "-0.00001", None),
        ],
    ];
    for milestones in refused {
        assert_eq!(book.refused(plan(milestones)), "MILESTONES_INVALID");
    }
    book.open("bob", |terms| terms.currency = "EUR".parse().expect("EUR"));
    let Command::AgreeMilestones { plan, mut terms } = thirds() else {
        panic!("a plan");
    };
    terms.account = "bob".into();
    assert_eq!(
        book.refused(Command::AgreeMilestones { plan, terms }),
        "CURRENCY_MISMATCH"
    );
    book.ask(thirds()).expect("is agreed");
    assert_eq!(book.refused(thirds()), "MILESTONES_EXIST");
}
