//! How documents come to be: reviewed, held, released, rejected, carried forward, split, cancelled, tried again; and that
//! looking at what can be due finds what looking at everything does.

use crate::agenda::replayed;
use crate::book::{Book, d, usd};
use crate::whatever_happens::Dice;
use indelible_domain::catalog;
use indelible_domain::command::{ChangeSubscription, Effective, InvoicingPlace, StartSubscription};
use indelible_domain::expressions::Expression;
use indelible_domain::invoices::{Invoice, Stage};
use indelible_domain::invoicing::{Rule, Split, Terms, Verdict};
use indelible_domain::kernel::Decider;
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::kernel::event::PAYLOAD_MAX;
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::processes::agenda::tick_commands;
use indelible_domain::runs::{self, BillRun};
use indelible_domain::subscriptions::Unused;
use indelible_domain::{Command, Outcome, Rejection, Session, operations};
use std::collections::BTreeMap;

const CATALOG: &str = r#"
[[offer]]
code = "plan"
name = "Plan"
currency = "USD"
progressive = { at = ["20.00"], every = "30.00" }
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { flat = "30.00" }
every = "1 month"
align = "calendar"
[[offer.recurring]]
code = "care"
name = "Care"
price = { flat = "7.00" }
every = "1 month"
timing = "arrears"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "call"
every = "1 month"
align = "calendar"
price = { per_unit = "1.00" }
[[offer.commitments]]
code = "least"
name = "Least"
min = "40.00"
every = "1 month"
align = "calendar"

[[offer]]
code = "year"
name = "Year"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "Fee"
price = { flat = "365.00" }
every = "1 year"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "call"
every = "1 month"
price = { per_unit = "0.50" }
"#;

fn book() -> Book {
    let mut book = Book::new();
    let offers = catalog::parse(CATALOG).expect("the catalog is read");
    book.ask(Command::ApplyCatalog { offers }).expect("applies");
    book
}

fn start(book: &mut Book, subscription: &str, offer: &str) -> Result<Outcome, Rejection> {
    book.ask(Command::StartSubscription(Box::new(StartSubscription {
        subscription: subscription.into(),
        account: "alice".into(),
        offer: offer.into(),
        quantity: 1.into(),
        from: None,
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec![],
    })))
}

fn charge(book: &mut Book, account: &str, charge: &str, amount: &str) {
    book.ask(Command::AddCharge {
        account: account.into(),
        charge: charge.into(),
        text: "thing".into(),
        amount: usd(amount),
        on: None,
        tax_class: "standard".into(),
    })
    .expect("is added");
}

fn say(book: &mut Book, terms: Terms) {
    book.ask(Command::SetInvoicing {
        place: InvoicingPlace::Account("alice".into()),
        terms: Some(Box::new(terms)),
    })
    .expect("is set");
}

fn rule(code: &str, when: &str, verdict: Verdict) -> Rule {
    Rule {
        code: code.into(),
        when: Expression::new(when),
        verdict,
        text: format!("because of {code}"),
    }
}

fn run(book: &mut Book, run: &str) -> BillRun {
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
    book.tenant().tables.runs[run].state.clone()
}

fn document<'b>(book: &'b Book, id: &str) -> &'b Invoice {
    &book.tenant().tables.invoices[id].state
}

fn calls(book: &mut Book, subscription: &str, key: u64, days_ago: i64, calls: i64) {
    let at = indelible_domain::kernel::Zone::default().start_of(add_days(book.today, -days_ago));
    let mut name = [0; 16];
    name[..8].copy_from_slice(&key.to_le_bytes());
    let record = UsageRecord {
        line: 1,
        key: name,
        content: name,
        corrects: false,
        metric: "calls".into(),
        access: format!("subscription:{subscription}"),
        at,
        quantity: calls.into(),
        amount: None,
        attributes: Default::default(),
        raw: None,
    };
    book.ask(Command::IngestUsage(Box::new(Intake {
        batch: format!("b{key}"),
        source: "switch".into(),
        format: "api".into(),
        name: "calls".into(),
        lines: vec![Received::Record(record)],
    })))
    .expect("is taken in");
}

#[test]
fn rules_are_read_in_order_and_rejecting_weighs_more_than_holding() {
    let mut book = book();
    let rules = vec![
        rule("friend", "group == \"friend\"", Verdict::Accept),
        rule("large", "total > 100", Verdict::Hold),
        rule("first", "first", Verdict::Hold),
        rule("huge", "total > 1000", Verdict::Reject),
    ];
    say(
        &mut book,
        Terms {
            rules,
            ..Terms::default()
        },
    );
    charge(&mut book, "alice", "c1", "150.00");
    let done = run(&mut book, "r1");
    assert_eq!((done.billed.len(), done.failed.len()), (1, 0));
    let held = document(&book, "r1.alice").hold.clone().expect("is held");
    let why: Vec<&str> = held.reasons.iter().map(|r| r.rule.as_str()).collect();
    assert_eq!((why, held.until), (vec!["large", "first"], None));
    charge(&mut book, "alice", "c2", "1001.00");
    let done = run(&mut book, "r2");
    let (account, code, sentence) = done.failed.first().cloned().expect("an exception");
    assert_eq!(
        (account.as_str(), code.as_str()),
        ("alice", "INVOICE_REJECTED")
    );
    assert!(sentence.contains("huge: because of huge"), "{sentence}");
    assert!(sentence.contains("large: because of large"), "{sentence}");
    let mut terms = book.tenant().tables.accounts["alice"].state.terms.clone();
    terms.group = Some("friend".into());
    book.ask(Command::ChangeAccount {
        account: "alice".into(),
        terms,
    })
    .expect("changes");
    book.ask(Command::RetryBillRun {
        run: "r2".into(),
        accounts: vec![],
    })
    .expect("waits again");
    assert_eq!(
        book.refused(Command::RetryBillRun {
            run: "r2".into(),
            accounts: vec!["bob".into()],
        }),
        "RUN_ACCOUNT_DONE"
    );
    book.ask(Command::StepBillRun { run: "r2".into() })
        .expect("bills");
    book.ask(Command::StepBillRun { run: "r2".into() })
        .expect("ends");
    let done = &book.tenant().tables.runs["r2"].state;
    assert!(done.completed && done.failed.is_empty());
    assert_eq!(document(&book, "r2.alice").document.total, usd("1001.00"));
}

#[test]
fn a_held_draft_keeps_its_lines_until_it_is_released_or_rejected() {
    let mut book = book();
    say(
        &mut book,
        Terms {
            keep_drafts: true,
            ..Terms::default()
        },
    );
    charge(&mut book, "alice", "c1", "10.00");
    run(&mut book, "r1");
    assert_eq!(run(&mut book, "r2").billed.len(), 0, "its lines are kept");
    let finalise = |invoice: &str| Command::FinaliseInvoice {
        invoice: invoice.into(),
    };
    assert_eq!(book.refused(finalise("r1.alice")), "INVOICE_HELD");
    let release = |invoice: &str| Command::ReleaseInvoice {
        invoice: invoice.into(),
        note: "seen".into(),
    };
    book.ask(release("r1.alice")).expect("is released");
    assert_eq!(document(&book, "r1.alice").stage, Stage::Finalised);
    assert_eq!(book.refused(release("r1.alice")), "INVOICE_NOT_DRAFT");
    charge(&mut book, "alice", "c2", "20.00");
    run(&mut book, "r3");
    let reject = Command::RejectInvoice {
        invoice: "r3.alice".into(),
        reason: "wrong".into(),
    };
    book.ask(reject.clone()).expect("is rejected");
    assert_eq!(book.ask(reject).expect("again").left, 0);
    assert_eq!(book.refused(release("r3.alice")), "INVOICE_REJECTED");
    assert_eq!(book.refused(finalise("r3.alice")), "INVOICE_NOT_DRAFT");
    say(&mut book, Terms::default());
    run(&mut book, "r4");
    assert_eq!(document(&book, "r4.alice").document.total, usd("20.00"));
    assert!(book.tenant().index.held.is_empty());
}

#[test]
fn a_grace_period_takes_in_late_facts_and_ends_by_itself() {
    let mut book = book();
    book.on("2012-05-01");
    start(&mut book, "s1", "year").expect("starts");
    say(
        &mut book,
        Terms {
            grace_days: 3,
            ..Terms::default()
        },
    );
    book.on("2012-06-01");
    run(&mut book, "r1");
    assert_eq!(document(&book, "r1.alice").document.total, usd("365.00"));
    calls(&mut book, "s1", 1, 10, 8);
    let again = Command::DraftInvoice {
        invoice: "r1.alice".into(),
        account: "alice".into(),
        as_of: None,
    };
    book.ask(again.clone()).expect("is computed again");
    assert_eq!(document(&book, "r1.alice").document.total, usd("369.00"));
    let before = book.log.len();
    book.ask(again).expect("and again");
    assert_eq!(book.log.len(), before, "nothing changed");
    calls(&mut book, "s1", 2, 10, 2);
    book.on("2012-06-03");
    assert_eq!(tick_commands(book.tenant(), book.now()), []);
    book.on("2012-06-04");
    for (_, command) in tick_commands(book.tenant(), book.now()) {
        book.ask(command).expect("is done");
    }
    let done = document(&book, "r1.alice");
    assert_eq!(
        (&done.stage, done.document.total),
        (&Stage::Finalised, usd("370.00"))
    );
    assert_eq!(tick_commands(book.tenant(), book.now()), []);
}

#[test]
fn a_draft_that_a_later_document_counts_on_stands_as_it_is() {
    let mut book = book();
    book.on("2012-05-01");
    start(&mut book, "s1", "year").expect("starts");
    say(
        &mut book,
        Terms {
            keep_drafts: true,
            ..Terms::default()
        },
    );
    run(&mut book, "r1");
    say(&mut book, Terms::default());
    book.on("2012-05-11");
    book.ask(Command::TerminateSubscription {
        subscription: "s1".into(),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    })
    .expect("ends");
    run(&mut book, "r2");
    assert_eq!(document(&book, "r2.alice").document.total, usd("-355.00"));
    book.ask(Command::ReleaseInvoice {
        invoice: "r1.alice".into(),
        note: String::new(),
    })
    .expect("is released");
    assert_eq!(document(&book, "r1.alice").document.total, usd("365.00"));
}

#[test]
fn less_than_the_minimum_waits_while_something_runs() {
    let mut book = book();
    book.on("2012-05-01");
    say(
        &mut book,
        Terms {
            minimum: Some("400.00".parse().expect("a decimal")),
            ..Terms::default()
        },
    );
    start(&mut book, "s1", "year").expect("starts");
    let done = run(&mut book, "r1");
    assert_eq!(
        done.carried.last(),
        Some(&("alice".to_string(), usd("365.00")))
    );
    charge(&mut book, "alice", "c1", "36.00");
    assert_eq!(run(&mut book, "r2").billed.len(), 1);
    charge(&mut book, "alice", "c2", "1.00");
    book.on("2012-05-02");
    book.ask(Command::TerminateSubscription {
        subscription: "s1".into(),
        effective: Effective::Immediate,
        unused: Unused::None,
    })
    .expect("ends");
    let done = run(&mut book, "r3");
    assert_eq!(
        (done.billed.len(), done.carried.len()),
        (1, 0),
        "nothing runs any more"
    );
}

#[test]
fn a_cancelled_run_bills_nobody_else_and_its_drafts_become_nothing() {
    let mut book = book();
    book.open("bob", |_| {});
    charge(&mut book, "alice", "c1", "10.00");
    charge(&mut book, "bob", "c2", "20.00");
    say(
        &mut book,
        Terms {
            grace_days: 5,
            ..Terms::default()
        },
    );
    let started = book.ask(Command::StartBillRun {
        run: "r1".into(),
        as_of: None,
        accounts: vec![],
        draft: false,
    });
    assert_eq!(started.expect("starts").left, 3);
    book.ask(Command::StepBillRun { run: "r1".into() })
        .expect("bills alice");
    let cancel = Command::CancelBillRun {
        run: "r1".into(),
        reason: "wrong day".into(),
    };
    assert_eq!(book.ask(cancel.clone()).expect("is cancelled").left, 0);
    assert_eq!(book.ask(cancel).expect("again").left, 0);
    assert_eq!(document(&book, "r1.alice").stage, Stage::Rejected);
    let before = book.log.len();
    book.ask(Command::StepBillRun { run: "r1".into() })
        .expect("does nothing");
    assert_eq!(book.log.len(), before);
    say(&mut book, Terms::default());
    assert_eq!(run(&mut book, "r2").billed.len(), 2);
}

/// Bytes of payloads that one commit takes.
const COMMIT_MAX: u64 = 8 << 20;

/// Decides and folds, and tells how many bytes the events take; each of them is written in full.
fn told(state: &mut BillRun, command: runs::Command) -> u64 {
    let mut bytes = 0;
    for event in BillRun::decide(state, command).expect("is decided") {
        let stored = event.encode().expect("is written").len() as u64;
        assert!(stored <= PAYLOAD_MAX);
        bytes += stored;
        BillRun::evolve(state, &event);
    }
    bytes
}

fn start_over(accounts: Vec<String>) -> runs::Command {
    runs::Command::Start {
        as_of: d("2012-05-01"),
        accounts,
        draft: false,
        named: true,
    }
}

#[test]
fn a_run_of_250_000_accounts_starts_with_one_commit_of_parts_that_fit_the_log() {
    let accounts: Vec<String> = (0..250_000).map(|n| format!("customer-{n:07}")).collect();
    let mut run = BillRun::default();
    assert!(told(&mut run, start_over(accounts.clone())) < COMMIT_MAX);
    assert!(!run.listing() && run.accounts.iter().eq(&accounts));
    assert_eq!((run.next(), run.waiting()), (accounts.first(), 250_000));
}

#[test]
fn a_run_with_more_accounts_than_a_commit_takes_is_listed_by_several_and_bills_nobody_before() {
    let accounts: Vec<String> = (0..100_000).map(|n| format!("{n:0>120}")).collect();
    let mut run = BillRun::default();
    assert!(told(&mut run, start_over(accounts.clone())) < COMMIT_MAX);
    let billed = || runs::Command::Billed {
        account: accounts[0].clone(),
        invoices: vec![],
    };
    let mut commits = 1;
    while run.listing() {
        assert_eq!((run.next(), run.waiting()), (None, accounts.len()));
        for early in [billed(), runs::Command::Complete] {
            let refused = BillRun::decide(&run, early).expect_err("is refused");
            assert_eq!(refused.code, "RUN_NOT_LISTED");
        }
        let rest = accounts[run.accounts.len()..].to_vec();
        let more = told(&mut run, runs::Command::List { accounts: rest });
        assert!(more < COMMIT_MAX);
        commits += 1;
    }
    assert_eq!(commits, 3);
    assert!(run.accounts.iter().eq(&accounts));
    told(&mut run, billed());
    assert_eq!(run.next(), accounts.get(1));
}

#[test]
fn a_rest_that_is_gone_meanwhile_ends_the_list() {
    let accounts = (0..60_000).map(|n| format!("{n:0>120}")).collect();
    let mut run = BillRun::default();
    told(&mut run, start_over(accounts));
    assert!(run.listing());
    told(&mut run, runs::Command::List { accounts: vec![] });
    assert!(!run.listing() && run.next().is_some());
}

#[test]
fn as_many_refused_accounts_as_a_commit_takes_wait_again() {
    let accounts: Vec<String> = (0..60_000).map(|n| format!("{n:0>120}")).collect();
    let mut run = BillRun {
        as_of: Some(d("2012-05-01")),
        accounts: accounts.clone().into(),
        done: accounts.len(),
        failed: accounts
            .iter()
            .map(|a| (a.clone(), "NO".into(), "no".into()))
            .collect(),
        completed: true,
        ..BillRun::default()
    };
    let all = || runs::Command::Retry { accounts: vec![] };
    assert!(told(&mut run, all()) < COMMIT_MAX);
    assert!(run.waiting() > 40_000 && run.waiting() + run.failed.len() == accounts.len());
    told(&mut run, all());
    assert_eq!((run.waiting(), run.failed.len()), (accounts.len(), 0));
}

#[test]
fn runs_that_overlap_bill_every_line_once() {
    let mut book = book();
    for n in 0..4 {
        let account = format!("a{n}");
        book.open(&account, |_| {});
        charge(&mut book, &account, &format!("c{n}"), "10.00");
    }
    let begin = |run: &str| Command::StartBillRun {
        run: run.into(),
        as_of: None,
        accounts: vec![],
        draft: false,
    };
    let step = |run: &str| Command::StepBillRun { run: run.into() };
    book.ask(begin("r1")).expect("starts");
    book.ask(begin("r2")).expect("starts too");
    for (n, who) in ["r1", "r2", "r2", "r1", "r1", "r2", "r1", "r2", "r2", "r1"]
        .iter()
        .enumerate()
    {
        book.ask(step(who))
            .unwrap_or_else(|why| panic!("step {n}: {}", why.message));
    }
    let made = |run: &str| book.tenant().tables.runs[run].state.billed.len();
    assert_eq!(made("r1") + made("r2"), 4);
    assert!(made("r1") > 0 && made("r2") > 0, "both did something");
}

#[test]
fn documents_are_split_by_subscription_and_their_discounts_stay() {
    let mut book = book();
    book.on("2012-05-01");
    say(
        &mut book,
        Terms {
            split: Split::Subscription,
            ..Terms::default()
        },
    );
    start(&mut book, "s1", "year").expect("starts");
    start(&mut book, "s2", "plan").expect("starts");
    charge(&mut book, "alice", "c1", "5.00");
    let done = run(&mut book, "r1");
    let totals: Vec<(String, String)> = done
        .billed
        .iter()
        .map(|(_, id)| (id.clone(), document(&book, id).document.total.amount()))
        .collect();
    let expected = [
        ("r1.alice", "365.00"),
        ("r1.alice.2", "30.00"),
        ("r1.alice.3", "5.00"),
    ];
    assert_eq!(
        totals,
        expected.map(|(id, total)| (id.to_string(), total.to_string()))
    );
}

/// What is due by several days, once with what is known to be settled and once without.
fn settled_or_not(book: &Book, seed: u64) {
    let mut whole = book.tenant().clone();
    whole.agenda.forget_settled();
    for days in [-40, 0, 35] {
        let day = add_days(book.today, days);
        let known = operations::preview(&Session::new(book.tenant(), book.now()), "alice", day);
        let looked = operations::preview(&Session::new(&whole, book.now()), "alice", day);
        assert_eq!(known, looked, "seed {seed}, as of {day}");
    }
}

#[test]
fn what_is_settled_is_never_due_whatever_happens() {
    let mut settled = 0;
    for seed in (0..16).chain(50..60) {
        let (mut book, mut dice) = (book(), Dice(seed));
        for n in 0..90_u64 {
            let tables = &book.tenant().tables;
            let subscription = dice
                .one_of(tables.subscriptions.keys().cloned())
                .unwrap_or_default();
            let invoice = dice
                .one_of(tables.invoices.keys().cloned())
                .unwrap_or_default();
            let back = i64::try_from(dice.roll(60)).expect("few");
            let on = add_days(book.today, 5 - back);
            let reason = String::from("chance");
            let command = match dice.roll(16) {
                0 => {
                    let offer = if dice.roll(2) == 0 { "plan" } else { "year" };
                    let _refused = start(&mut book, &format!("s{n}"), offer);
                    continue;
                }
                1 => Command::PauseSubscription {
                    subscription,
                    reason,
                    from: Some(on),
                },
                2 => Command::ResumeSubscription {
                    subscription,
                    reason,
                    on: Some(on),
                },
                3 if dice.roll(3) == 0 => Command::TerminateSubscription {
                    subscription,
                    effective: Effective::On(on),
                    unused: Unused::CreditProrata,
                },
                3 | 4 => Command::ChangeSubscription(Box::new(ChangeSubscription {
                    subscription,
                    offer: Some(if dice.roll(2) == 0 { "plan" } else { "year" }.into()),
                    quantity: Some(i64::try_from(1 + dice.roll(3)).expect("few").into()),
                    billing_day: None,
                    overrides: BTreeMap::new(),
                    effective: Effective::On(on),
                    unused: Unused::CreditProrata,
                })),
                5..=7 if !subscription.is_empty() => {
                    calls(&mut book, &subscription, n, back.min(50), 3);
                    continue;
                }
                8 => Command::VoidInvoice { invoice, reason },
                9 => Command::ReleaseInvoice {
                    invoice,
                    note: reason,
                },
                10 => Command::RejectInvoice { invoice, reason },
                11 => Command::SetInvoicing {
                    place: InvoicingPlace::Account("alice".into()),
                    terms: Some(Box::new(Terms {
                        keep_drafts: dice.roll(4) == 0,
                        grace_days: u32::try_from(dice.roll(2) * 4).expect("few"),
                        split: if dice.roll(2) == 0 {
                            Split::Whole
                        } else {
                            Split::Subscription
                        },
                        ..Terms::default()
                    })),
                },
                12 if dice.roll(2) == 0 => Command::DraftInvoice {
                    invoice,
                    account: "alice".into(),
                    as_of: None,
                },
                12 => Command::InvoiceNow {
                    invoice: format!("i{n}"),
                    account: "alice".into(),
                    usage: dice.roll(2) == 0,
                },
                _ => {
                    book.days_later(i64::try_from(dice.roll(25)).expect("few"));
                    for (_, command) in tick_commands(book.tenant(), book.now()) {
                        book.ask(command).expect("what time asks for is done");
                    }
                    run(&mut book, &format!("r{n}"));
                    continue;
                }
            };
            let _refused_or_done = book.ask(command);
            if n % 4 == 0 {
                settled_or_not(&book, seed);
            }
        }
        assert_eq!(replayed(&book), book.tenant().agenda, "seed {seed}");
        let subscriptions = book.tenant().tables.subscriptions.keys();
        settled += subscriptions
            .filter(|id| book.tenant().agenda.settled(id) > Some(d("2012-05-01")))
            .count();
    }
    assert!(
        settled > 26,
        "only {settled} subscriptions were ever settled"
    );
}
