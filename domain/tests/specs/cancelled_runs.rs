//! A large bill run that is cancelled: in parts, each as small as the one before, with other commands in between.

use crate::book::{Book, usd};
use indelible_domain::invoices::{self, Document, Drafted, Invoice, Stage};
use indelible_domain::runs::{self, AccountBilled, Started, Swept};
use indelible_domain::{Command, Event, Outcome, Session, World, operations};
use std::sync::Arc;

/// Documents of the run, all of them drafts.
const DRAFTS: usize = 20_000;
/// Drafts that one command rejects.
const PART: usize = 200;

/// A log that can be folded anew, as after a crash.
struct Told {
    book: Book,
    facts: Vec<(String, u64, Event)>,
}

impl Told {
    fn tell(&mut self, id: &str, version: u64, event: Event) {
        self.book.world.fold("t", id, version, &event);
        self.facts.push((id.to_string(), version, event));
    }

    /// Facts of one command.
    fn ask(&mut self, command: Command) -> (Outcome, Vec<Event>) {
        let mut session = Session::new(self.book.world.tenant("t"), self.book.now());
        let outcome = operations::execute(&mut session, command).expect("is done");
        let (tables, staged) = session.finish();
        self.book.world.absorb("t", tables, &staged);
        let told = staged.iter();
        let told = told.map(|s| (s.id.to_string(), s.version, s.event.clone()));
        self.facts.extend(told);
        (outcome, staged.into_iter().map(|s| s.event).collect())
    }

    fn crash(&mut self) {
        let mut world = World::default();
        for (id, version, event) in &self.facts {
            world.fold("t", id, *version, event);
        }
        let same = world
            .tenant("t")
            .tables
            .first_difference(&self.book.tenant().tables);
        assert_eq!(same, None);
        self.book = self.book.over(world);
    }

    fn cancel(&mut self) -> (Outcome, Vec<Event>) {
        self.ask(Command::CancelBillRun {
            run: "r1".into(),
            reason: "wrong day".into(),
        })
    }

    fn stage(&self, n: usize) -> &Stage {
        &self.book.tenant().tables.invoices[&draft(n)].state.stage
    }
}

fn draft(n: usize) -> String {
    format!("r1.a{n:06}")
}

fn told() -> Told {
    let mut told = Told {
        book: Book::new(),
        facts: vec![],
    };
    let log = std::mem::take(&mut told.book.log);
    // A seller and a customer, each told of once.
    told.facts
        .extend(log.into_iter().map(|(id, event)| (id, 1, event)));
    let accounts = (0..DRAFTS).map(|n| format!("a{n:06}")).collect();
    let started = Started {
        as_of: told.book.today,
        accounts,
        draft: true,
    };
    told.tell("r1", 1, Event::Run(started.into()));
    for n in 0..DRAFTS {
        let document = Document {
            account: format!("a{n:06}"),
            entity: "arms".into(),
            currency: usd("0").currency,
            run: Some("r1".into()),
            ..Document::default()
        };
        let drafted = Drafted {
            document: Arc::new(document),
        };
        told.tell(&draft(n), 1, Event::Invoice(drafted.into()));
        let billed = AccountBilled {
            account: format!("a{n:06}"),
            invoices: vec![draft(n)],
        };
        told.tell("r1", n as u64 + 2, Event::Run(billed.into()));
    }
    told
}

/// What a command rejected, and up to where it looked.
fn done(events: &[Event]) -> (usize, Option<usize>) {
    let rejected = |e: &&Event| matches!(e, Event::Invoice(invoices::Event::Rejected(_)));
    let swept = events.iter().find_map(|e| match e {
        Event::Run(runs::Event::Swept(Swept { upto })) => usize::try_from(*upto).ok(),
        _ => None,
    });
    (events.iter().filter(rejected).count(), swept)
}

#[test]
fn a_run_of_many_drafts_is_cancelled_in_parts_that_do_not_grow_and_looks_at_each_document_once() {
    let mut told = told();
    let (outcome, events) = told.cancel();
    // That it is cancelled, the drafts, and how far it came.
    assert_eq!(events.len(), PART + 2);
    assert_eq!(done(&events), (PART, Some(PART)));
    assert_eq!(outcome.left, (DRAFTS - PART) as u64);
    // Somebody rejects a draft that is still to come, and the machine goes down: both is known to what follows.
    let ahead = 10 * PART + 7;
    told.ask(Command::RejectInvoice {
        invoice: draft(ahead),
        reason: "by hand".into(),
    });
    told.crash();
    let (mut looked_at, mut rejected, mut commands) = (PART, PART, 1);
    loop {
        let (outcome, events) = told.cancel();
        let (now, upto) = done(&events);
        let upto = upto.expect("it came further");
        // No more facts than the first one had, and no document is looked at twice.
        assert!(events.len() <= PART + 1);
        assert!(upto - looked_at <= PART + 1);
        (looked_at, rejected, commands) = (upto, rejected + now, commands + 1);
        assert_eq!(outcome.left, (DRAFTS - upto) as u64);
        if outcome.left == 0 {
            break;
        }
        assert_eq!(now, PART, "only the last one rejects fewer");
    }
    assert_eq!((looked_at, rejected), (DRAFTS, DRAFTS - 1));
    assert_eq!(commands, DRAFTS / PART);
    assert!((0..DRAFTS).all(|n| *told.stage(n) == Stage::Rejected));
    told.crash();
    // Asked once more it does nothing, and says nothing.
    let (outcome, events) = told.cancel();
    assert_eq!((outcome.left, events.len()), (0, 0));
}

#[test]
fn what_a_cancelled_run_finalised_is_passed_over_in_large_parts() {
    let mut told = told();
    // All but the last are final by now.
    for n in 0..DRAFTS - 1 {
        let invoice: &Invoice = &told.book.tenant().tables.invoices[&draft(n)].state;
        let finalised = invoices::Finalised {
            number: format!("2012-{:06}", n + 1),
            issued: told.book.today,
            due: told.book.today,
            document: Arc::clone(&invoice.document),
            buyer: None,
        };
        told.tell(&draft(n), 2, Event::Invoice(finalised.into()));
    }
    let (outcome, events) = told.cancel();
    assert_eq!(done(&events), (0, Some(DRAFTS / 2)));
    assert_eq!(outcome.left, (DRAFTS / 2) as u64);
    let (outcome, events) = told.cancel();
    assert_eq!(done(&events), (1, Some(DRAFTS)));
    assert_eq!(outcome.left, 0);
    assert_eq!(*told.stage(0), Stage::Finalised);
    assert_eq!(*told.stage(DRAFTS - 1), Stage::Rejected);
}
