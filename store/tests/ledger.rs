//! The runtime over real stores: once, in order, durable, and the same after a restart.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use indelible_domain::accounts::{Account, AccountTerms};
use indelible_domain::catalog::{Offer, Price, Recurring};
use indelible_domain::command::{DunningAction, DunningLevel, StartSubscription};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Date, Decider, Decimal, Instant, Zone};
use indelible_domain::runs::{self, BillRun};
use indelible_domain::{Command, Event};
use indelible_store::ledger::BillRunRequest;
use indelible_store::{
    Commit, EventStore, Ledger, MemoryStore, NewEvent, Receipt, Refused, Request, SledStore,
    StreamKey,
};

fn at(text: &str) -> Instant {
    text.parse().expect("an instant")
}

fn day(text: &str) -> Date {
    text.parse().expect("a date")
}

fn now() -> Instant {
    at("2026-01-01T09:00:00Z")
}

fn memory() -> Ledger {
    Ledger::open(Arc::new(MemoryStore::new())).expect("an empty log opens")
}

fn ask(tenant: &str, command: Command) -> Request {
    Request::new(tenant, "test", now(), command)
}

fn open_entity() -> Command {
    Command::OpenEntity {
        entity: "acme".into(),
        terms: EntityTerms {
            name: "Acme".into(),
            ..EntityTerms::default()
        },
    }
}

fn open_account(id: &str) -> Command {
    Command::OpenAccount {
        account: id.into(),
        terms: AccountTerms {
            entity: "acme".into(),
            currency: "EUR".parse().expect("a currency"),
            zone: Zone::default(),
            ..AccountTerms::default()
        },
    }
}

fn offer() -> Offer {
    let fee = Recurring {
        code: "fee".into(),
        name: "Fee".into(),
        price: Price::Flat("10".parse().expect("a decimal")),
        every: "1 month".parse().expect("a span"),
        ..Recurring::default()
    };
    Offer {
        code: "basic".into(),
        name: "Basic".into(),
        currency: "EUR".parse().expect("a currency"),
        recurring: vec![fee],
        ..Offer::default()
    }
}

/// Three accounts that are each billed 10 EUR a month from 1 January 2026.
fn a_small_business(ledger: &Ledger, tenant: &str) {
    let run = |command| ledger.execute(ask(tenant, command)).expect("accepted");
    run(open_entity());
    run(Command::ApplyCatalog {
        offers: vec![offer()],
    });
    for account in ["alice", "bob", "carol"] {
        run(open_account(account));
        run(Command::StartSubscription(Box::new(StartSubscription {
            subscription: format!("{account}.1"),
            account: account.into(),
            offer: "basic".into(),
            quantity: Decimal::ONE,
            from: Some(day("2026-01-01")),
            billing_day: None,
            overrides: Default::default(),
            trial: true,
            access: vec![],
        })));
    }
}

fn bill(run: &str, tenant: &str) -> BillRunRequest {
    BillRunRequest {
        tenant: tenant.into(),
        run: run.into(),
        as_of: Some(day("2026-01-01")),
        accounts: vec![],
        draft: false,
        command_id: Some(format!("bill {run}")),
        input_hash: [7; 32],
        actor: "test".into(),
        correlation: String::new(),
        now: now(),
    }
}

fn code<T: std::fmt::Debug>(answer: Result<T, Refused>) -> String {
    answer.expect_err("refused").code().to_string()
}

#[test]
fn a_repeated_command_gets_its_first_receipt_and_writes_nothing() {
    let ledger = memory();
    let first = ledger
        .execute(ask("t", open_entity()).named("c-1"))
        .expect("accepted");
    let again = ledger
        .execute(ask("t", open_entity()).named("c-1"))
        .expect("replayed");
    assert_eq!(
        again,
        Receipt {
            replayed: true,
            ..first
        }
    );
    assert_eq!(ledger.store().head(), 1);
}

#[test]
fn a_command_id_with_another_input_is_refused() {
    let ledger = memory();
    ledger
        .execute(ask("t", open_entity()).named("c-1"))
        .expect("accepted");
    let other = ledger.execute(ask("t", open_account("alice")).named("c-1"));
    assert_eq!(code(other), "COMMAND_ID_REUSED");
    assert_eq!(ledger.store().head(), 1);
}

#[test]
fn the_same_command_id_of_two_tenants_is_two_commands() {
    let ledger = memory();
    for tenant in ["north", "south"] {
        let receipt = ledger
            .execute(ask(tenant, open_entity()).named("c-1"))
            .expect("accepted");
        assert!(!receipt.replayed);
    }
    assert_eq!(ledger.store().head(), 2);
}

#[test]
fn a_rejection_stores_nothing_and_frees_its_command_id() {
    let ledger = memory();
    let early = ledger.execute(ask("t", open_account("alice")).named("c-1"));
    assert_eq!(code(early), "ENTITY_UNKNOWN");
    assert_eq!(ledger.store().head(), 0);
    ledger.execute(ask("t", open_entity())).expect("accepted");
    let later = ledger
        .execute(ask("t", open_account("alice")).named("c-1"))
        .expect("accepted now");
    assert!(!later.replayed);
}

#[test]
fn a_command_that_changes_nothing_writes_nothing_and_answers_with_the_head() {
    let ledger = memory();
    a_small_business(&ledger, "t");
    let head = ledger.store().head();
    let same = Command::ApplyCatalog {
        offers: vec![offer()],
    };
    let receipt = ledger
        .execute(ask("t", same).named("c-9"))
        .expect("accepted");
    assert_eq!((receipt.position, receipt.events), (head, 0));
    assert_eq!(ledger.store().head(), head);
}

#[test]
fn a_dry_run_shows_the_events_and_leaves_no_trace() {
    let ledger = memory();
    let would = ledger
        .dry_run(ask("t", open_entity()).named("c-1"))
        .expect("possible");
    assert!(matches!(would.events[0].event, Event::Entity(_)));
    assert_eq!(ledger.store().head(), 0);
    let done = ledger
        .execute(ask("t", open_account("alice")).named("c-1"))
        .map(|r| r.replayed);
    assert_eq!(code(done), "ENTITY_UNKNOWN");
}

#[test]
fn a_command_sent_by_many_at_once_is_done_once() {
    let ledger = Arc::new(memory());
    let start = Arc::new(Barrier::new(8));
    let senders: Vec<_> = (0..8)
        .map(|_| {
            let (ledger, start) = (Arc::clone(&ledger), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                ledger
                    .execute(ask("t", open_entity()).named("c-1"))
                    .expect("answered")
            })
        })
        .collect();
    let answers: Vec<Receipt> = senders
        .into_iter()
        .map(|s| s.join().expect("no panic"))
        .collect();
    assert_eq!(answers.iter().filter(|a| !a.replayed).count(), 1);
    assert!(answers.iter().all(|a| a.position == 1));
    assert_eq!(ledger.store().head(), 1);
}

#[test]
fn many_clients_leave_a_state_that_a_replay_makes_again() {
    let ledger = Arc::new(memory());
    ledger.execute(ask("t", open_entity())).expect("accepted");
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || {
                for n in 0..25 {
                    ledger
                        .execute(ask("t", open_account(&format!("a-{client}-{n}"))))
                        .expect("accepted");
                }
            })
        })
        .collect();
    for client in clients {
        client.join().expect("no panic");
    }
    let check = ledger.verify_state().expect("the log reads");
    assert_eq!((check.position, check.differing), (101, vec![]));
}

#[test]
fn after_a_restart_the_state_and_the_receipts_are_the_same() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let open = || {
        let store = SledStore::open(dir.path()).expect("the ledger opens");
        Ledger::open(Arc::new(store)).expect("the log replays")
    };
    let before = {
        let ledger = open();
        a_small_business(&ledger, "t");
        ledger
            .run_bill(&bill("jan", "t"), &mut |_, _| {})
            .expect("billed");
        ledger.read("t", Clone::clone)
    };
    let ledger = open();
    let same = ledger.read("t", |t| *t == before);
    assert!(same, "the state is not what it was");
    let again = ledger
        .run_bill(&bill("jan", "t"), &mut |_, _| {})
        .expect("replayed");
    assert_eq!(again.run.billed.len(), 3);
    assert!(
        ledger
            .verify_state()
            .expect("the log reads")
            .differing
            .is_empty()
    );
}

#[test]
fn a_bill_run_bills_each_account_once_and_tells_its_progress() {
    let ledger = memory();
    a_small_business(&ledger, "t");
    let mut seen = vec![];
    let report = ledger
        .run_bill(&bill("jan", "t"), &mut |done, left| seen.push((done, left)))
        .expect("billed");
    assert_eq!(seen, [(1, 2), (2, 1), (3, 0)]);
    assert!(report.run.completed);
    let second = ledger
        .run_bill(&bill("jan-again", "t"), &mut |_, _| {})
        .expect("nothing left");
    assert!(second.run.billed.is_empty());
}

#[test]
fn a_tick_does_what_is_due_once_however_often_it_comes() {
    let ledger = memory();
    a_small_business(&ledger, "t");
    let remind = DunningLevel {
        name: "first".into(),
        after_days: 3,
        minimum: None,
        actions: vec![DunningAction::Remind],
    };
    let policy = Command::SetDunningPolicy {
        policy: "p".into(),
        levels: vec![remind],
    };
    ledger.execute(ask("t", policy)).expect("accepted");
    for account in ["alice", "bob"] {
        let Command::OpenAccount { terms, .. } = open_account(account) else {
            unreachable!("built above")
        };
        let terms = AccountTerms {
            payment_days: Some(10),
            dunning_policy: Some("p".into()),
            ..terms
        };
        let change = Command::ChangeAccount {
            account: account.into(),
            terms,
        };
        ledger.execute(ask("t", change)).expect("accepted");
    }
    ledger
        .run_bill(&bill("jan", "t"), &mut |_, _| {})
        .expect("billed");
    let tick = |time| ledger.tick("t", at(time)).expect("ticks");
    // Issued on the 1st, due on the 11th, reminded on the 14th.
    assert_eq!(tick("2026-01-13T12:00:00Z").done, 0);
    let late = tick("2026-01-20T12:00:00Z");
    assert_eq!((late.done, late.refused.len()), (2, 0));
    assert_eq!(late.position, ledger.store().head());
    assert_eq!(tick("2026-01-20T12:00:00Z").done, 0);
    assert_eq!(tick("2026-01-21T12:00:00Z").done, 0);
    assert!(
        ledger
            .verify_state()
            .expect("the log reads")
            .differing
            .is_empty()
    );
}

#[test]
fn a_bill_run_that_was_interrupted_goes_on_where_it_stopped() {
    let ledger = memory();
    a_small_business(&ledger, "t");
    let start = Command::StartBillRun {
        run: "jan".into(),
        as_of: Some(day("2026-01-01")),
        accounts: vec![],
        draft: false,
    };
    ledger.execute(ask("t", start)).expect("started");
    ledger
        .execute(ask("t", Command::StepBillRun { run: "jan".into() }))
        .expect("one account billed");
    let report = ledger
        .run_bill(&bill("jan", "t"), &mut |_, _| {})
        .expect("went on");
    let accounts: Vec<&str> = report.run.billed.iter().map(|(a, _)| a.as_str()).collect();
    assert_eq!(accounts, ["alice", "bob", "carol"]);
    let other_day = BillRunRequest {
        as_of: Some(day("2026-02-01")),
        command_id: None,
        ..bill("jan", "t")
    };
    assert_eq!(
        code(ledger.run_bill(&other_day, &mut |_, _| {})),
        "RUN_EXISTS"
    );
}

/// Facts of a run as one commit, behind those that it has.
fn commit(run: &str, versions: u64, facts: &[runs::Event]) -> Commit {
    let event = |(version, fact): (u64, &runs::Event)| {
        let (event_type, schema) = fact.event_type();
        NewEvent {
            stream: StreamKey::new("t", "bill-run", run),
            expected_version: version,
            event_type: event_type.into(),
            schema,
            payload: fact.encode().expect("it is written"),
        }
    };
    Commit {
        tenant: "t".into(),
        recorded_at: now().0,
        actor: "test".into(),
        correlation: String::new(),
        causation: 0,
        command: None,
        events: (versions..).zip(facts).map(event).collect(),
    }
}

#[test]
fn a_run_whose_list_was_cut_off_between_two_commits_lists_the_rest_before_it_bills() {
    for named in [false, true] {
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        let open = || Ledger::open(Arc::clone(&store)).expect("the log replays");
        a_small_business(&open(), "t");
        let started = runs::Started {
            as_of: day("2026-01-01"),
            accounts: vec!["alice".into()],
            draft: false,
        };
        let listed = runs::Listed {
            accounts: vec![],
            left: 2,
            named,
        };
        let first = commit("jan", 0, &[started.into(), listed.into()]);
        store.append(first).expect("appended");
        let ledger = open();
        let step = Command::StepBillRun { run: "jan".into() };
        assert_eq!(code(ledger.execute(ask("t", step))), "RUN_NOT_LISTED");
        let retry = Command::RetryBillRun {
            run: "jan".into(),
            accounts: vec![],
        };
        assert_eq!(code(ledger.execute(ask("t", retry))), "RUN_NOT_LISTED");
        let name = |accounts: &[&str]| BillRunRequest {
            accounts: accounts.iter().map(ToString::to_string).collect(),
            ..bill("jan", "t")
        };
        let (as_it_was, otherwise) = match named {
            true => (name(&["bob", "alice", "carol"]), bill("jan", "t")),
            false => (bill("jan", "t"), name(&["bob"])),
        };
        let other = ledger.run_bill(&otherwise, &mut |_, _| {});
        assert_eq!(code(other), "RUN_NOT_LISTED");
        let report = ledger
            .run_bill(&as_it_was, &mut |_, _| {})
            .expect("went on");
        let billed: Vec<&str> = report.run.billed.iter().map(|(a, _)| a.as_str()).collect();
        assert_eq!(billed, ["alice", "bob", "carol"]);
        let check = ledger.verify_state().expect("the log reads");
        assert!(check.differing.is_empty());
    }
}

#[test]
fn a_run_of_a_million_accounts_fits_the_log() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let accounts: Vec<String> = (0..1_000_000).map(|n| format!("customer-{n:07}")).collect();
    let mut state = BillRun::default();
    let mut command = runs::Command::Start {
        as_of: day("2026-01-01"),
        accounts: accounts.clone(),
        draft: false,
        named: false,
    };
    {
        let store = SledStore::open(dir.path()).expect("the ledger opens");
        let mut version = 0;
        loop {
            let facts = BillRun::decide(&state, command).expect("is decided");
            store
                .append(commit("all", version, &facts))
                .expect("it fits");
            version += facts.len() as u64;
            for fact in &facts {
                BillRun::evolve(&mut state, fact);
            }
            if !state.listing() {
                break;
            }
            command = runs::Command::List {
                accounts: accounts[state.accounts.len()..].to_vec(),
            };
        }
    }
    let store = SledStore::open(dir.path()).expect("the ledger opens");
    let ledger = Ledger::open(Arc::new(store)).expect("the log replays");
    let whole = ledger.read("t", |t| t.tables.runs["all"].state == state);
    assert!(whole && state.accounts.iter().eq(&accounts));
}

#[test]
fn an_entity_can_be_read_as_it_was() {
    let ledger = memory();
    ledger.execute(ask("t", open_entity())).expect("accepted");
    let opened = ledger
        .execute(ask("t", open_account("alice")))
        .expect("accepted");
    let Command::OpenAccount { terms, .. } = open_account("alice") else {
        unreachable!("built above")
    };
    let longer = AccountTerms {
        payment_days: Some(60),
        ..terms
    };
    let change = Command::ChangeAccount {
        account: "alice".into(),
        terms: longer,
    };
    let later = Request {
        now: at("2026-03-01T00:00:00Z"),
        ..ask("t", change)
    };
    ledger.execute(later).expect("accepted");
    let days = |position| {
        let account = ledger.state_at::<Account>("t", "alice", position);
        account.expect("readable").map(|a| a.terms.payment_days)
    };
    assert_eq!(days(Some(opened.position - 1)), None);
    assert_eq!(days(Some(opened.position)), Some(None));
    assert_eq!(days(None), Some(Some(60)));
    let known = |text| ledger.position_at(at(text)).expect("readable");
    assert_eq!(known("2025-12-31T00:00:00Z"), 0);
    assert_eq!(known("2026-01-01T09:00:00Z"), opened.position);
    assert_eq!(known("2026-03-01T00:00:00Z"), opened.position + 1);
}

#[test]
fn no_tenant_sees_the_facts_of_another() {
    let ledger = memory();
    a_small_business(&ledger, "north");
    a_small_business(&ledger, "south");
    let events = ledger.events("south", 0, 1_000).expect("readable");
    assert!(!events.is_empty() && events.iter().all(|e| e.tenant == "south"));
    assert_eq!(ledger.events("south", 0, 3).expect("readable").len(), 3);
    assert!(
        ledger
            .stream("west", "account", "alice", None)
            .expect("readable")
            .is_empty()
    );
    assert!(ledger.read("west", |t| t.tables.accounts.is_empty()));
}

#[test]
fn a_failed_sync_stops_the_ledger_until_it_is_opened_again() {
    let broken = Arc::new(AtomicBool::new(false));
    let hook = Arc::clone(&broken);
    let store = MemoryStore::with_sync(Box::new(move || match hook.load(Ordering::SeqCst) {
        true => Err(std::io::Error::other("the disk is gone")),
        false => Ok(()),
    }));
    let ledger = Ledger::open(Arc::new(store)).expect("opens");
    ledger.execute(ask("t", open_entity())).expect("accepted");
    broken.store(true, Ordering::SeqCst);
    assert_eq!(
        code(ledger.execute(ask("t", open_account("alice")))),
        "STORE_FAILED"
    );
    broken.store(false, Ordering::SeqCst);
    assert_eq!(
        code(ledger.execute(ask("t", open_account("bob")))),
        "STORE_FAILED"
    );
    assert_eq!(ledger.store().head(), 1);
}
