//! Many writers reserve on one wallet at once: nothing is ever promised twice, and every answer is the one a plain
//! model gives when it is asked in the order of the log.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};
use std::thread;

use indelible_domain::accounts::AccountTerms;
use indelible_domain::catalog;
use indelible_domain::command::StartSubscription;
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Decimal, Exact, Instant};
use indelible_domain::reservations::{
    Answer, Ask, Event as Fact, Kind, LastAction, Request as Asked, Units, code,
};
use indelible_domain::{Command, Event, Rejection};
use indelible_store::{EventStore, Ledger, MemoryStore, Refused, Request, SledStore};

const OFFER: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "EUR"
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "MB"
every = "1 month"
align = "calendar"
pay = "wallet"
price = { per_unit = "0.01" }
"#;

const WRITERS: u64 = 16;
const SESSIONS: u64 = 25;
/// Top-up in units of 0.01 EUR.
const UNITS: u64 = 12_000;

fn noon() -> Instant {
    "2026-01-01T12:00:00Z".parse().expect("an instant")
}

fn do_it(ledger: &Ledger, now: Instant, command: Command) -> Option<Answer> {
    let done = ledger.execute(Request::new("t", "test", now, command));
    done.expect("it is done").outcome.answer
}

/// A subscription, and a wallet with 120 EUR.
fn set_up(ledger: &Ledger) {
    let currency = "EUR".parse().expect("a currency");
    let entity = EntityTerms {
        name: "Acme".into(),
        country: "DE".into(),
        currency,
        ..EntityTerms::default()
    };
    let account = AccountTerms {
        entity: "acme".into(),
        currency,
        ..AccountTerms::default()
    };
    let start = StartSubscription {
        subscription: "s".into(),
        account: "a".into(),
        offer: "line".into(),
        quantity: Decimal::ONE,
        from: None,
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec![],
    };
    let commands = [
        Command::OpenEntity {
            entity: "acme".into(),
            terms: entity,
        },
        Command::ApplyCatalog {
            offers: catalog::parse(OFFER).expect("it reads"),
        },
        Command::OpenAccount {
            account: "a".into(),
            terms: account,
        },
        Command::StartSubscription(Box::new(start)),
        Command::OpenWallet {
            wallet: "w".into(),
            account: "a".into(),
            priority: 1,
        },
        Command::TopUpWallet {
            wallet: "w".into(),
            grant: "g".into(),
            amount: "120.00 EUR".parse().expect("an amount"),
            expires: None,
        },
    ];
    for command in commands {
        do_it(ledger, noon(), command);
    }
}

fn request(session: &str, number: u32, kind: Kind, used: u64, requested: u64) -> Command {
    let units = |quantity: u64| {
        (quantity > 0).then(|| Units {
            quantity: quantity.to_string().parse().expect("a number"),
            amount: None,
        })
    };
    Command::ControlCredit(Box::new(Asked {
        session: session.into(),
        number,
        kind,
        access: "subscription:s".into(),
        at: Some(noon()),
        validity: None,
        last: LastAction::Terminate,
        strict: false,
        services: vec![Ask {
            service: "web".into(),
            metric: "data".into(),
            used: units(used),
            requested: units(requested),
            ..Ask::default()
        }],
    }))
}

/// A fixed sequence of numbers for a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn quantity(answer: &Answer) -> u64 {
    let quota = answer.services.first().and_then(|s| s.quota.as_ref());
    quota.map_or(0, |q| {
        q.granted.quantity.to_string().parse().expect("whole units")
    })
}

/// One writer's sessions: each reserves, perhaps reports and reserves again, and is confirmed, cancelled or forgotten.
fn write(ledger: &Ledger, writer: u64, now: Instant, phase: &str) {
    let mut dice = Dice(writer * 7_919 + now.0.unsigned_abs());
    for n in 0..SESSIONS {
        let session = format!("{phase}-{writer}-{n}");
        let ask = |number, kind, used, requested| {
            do_it(
                ledger,
                now,
                request(&session, number, kind, used, requested),
            )
            .expect("a request is answered")
        };
        let first = ask(0, Kind::Initial, 0, 1 + dice.below(400));
        let mut left = quantity(&first);
        if first.result != code::SUCCESS {
            continue;
        }
        if dice.below(2) == 0 {
            let update = ask(1, Kind::Update, dice.below(left + 1), 1 + dice.below(200));
            left = quantity(&update);
        }
        match dice.below(5) {
            0 => {}
            1 => drop(ask(2, Kind::Terminate, 0, 0)),
            _ => drop(ask(2, Kind::Terminate, dice.below(left + 1), 0)),
        }
    }
}

/// A wallet as a child would keep it: units that are left, units that somebody may still use.
#[derive(Default)]
struct Plain {
    left: u64,
    promised: BTreeMap<String, u64>,
}

impl Plain {
    fn free(&self) -> u64 {
        let promised: u64 = self.promised.values().sum();
        assert!(
            promised <= self.left,
            "{promised} units are promised, {} are there",
            self.left
        );
        self.left - promised
    }
}

/// Walks through the log and compares every grant with the model's. Returns what the model has left.
fn compare(store: &dyn EventStore, asked: &BTreeMap<(String, u32), (u64, u64)>) -> Plain {
    let mut plain = Plain {
        left: UNITS,
        ..Plain::default()
    };
    for stored in store.read(0, usize::MAX).expect("the log is read") {
        let event =
            Event::decode(&stored.event_type, stored.schema, &stored.payload).expect("it is read");
        match event {
            Event::Reservation(Fact::Answered(e)) => {
                let (used, requested) = asked[&(stored.stream.id.clone(), e.number)];
                plain.promised.remove(&stored.stream.id);
                plain.left -= used;
                let expected = requested.min(plain.free());
                assert_eq!(
                    quantity(&e.answer),
                    expected,
                    "{} {}",
                    stored.stream.id,
                    e.number
                );
                if expected > 0 {
                    plain.promised.insert(stored.stream.id.clone(), expected);
                }
            }
            Event::Reservation(Fact::Expired(_)) => {
                plain.promised.remove(&stored.stream.id);
            }
            _ => {}
        }
        plain.free();
    }
    plain
}

/// What every request asked, made again from the same numbers and the answers in the log.
fn asked(store: &dyn EventStore) -> BTreeMap<(String, u32), (u64, u64)> {
    let mut grants = BTreeMap::new();
    for stored in store.read(0, usize::MAX).expect("the log is read") {
        let event =
            Event::decode(&stored.event_type, stored.schema, &stored.payload).expect("it is read");
        if let Event::Reservation(Fact::Answered(e)) = event {
            let said = (quantity(&e.answer), e.answer.result);
            grants.insert((stored.stream.id.clone(), e.number), said);
        }
    }
    let mut asked = BTreeMap::new();
    for (phase, now) in [("early", noon()), ("late", a_minute_later())] {
        for writer in 0..WRITERS {
            let mut dice = Dice(writer * 7_919 + now.0.unsigned_abs());
            for n in 0..SESSIONS {
                let session = format!("{phase}-{writer}-{n}");
                let mut tell = |number: u32, used, requested| {
                    asked.insert((session.clone(), number), (used, requested));
                    grants[&(session.clone(), number)]
                };
                let (mut left, result) = tell(0, 0, 1 + dice.below(400));
                if result != code::SUCCESS {
                    continue;
                }
                if dice.below(2) == 0 {
                    left = tell(1, dice.below(left + 1), 1 + dice.below(200)).0;
                }
                match dice.below(5) {
                    0 => {}
                    1 => drop(tell(2, 0, 0)),
                    _ => drop(tell(2, dice.below(left + 1), 0)),
                }
            }
        }
    }
    asked
}

fn a_minute_later() -> Instant {
    Instant(noon().0 + 60_000_000)
}

/// Two waves of writers; between them the quotas that nobody reported end, and during the second wave the clock's work
/// is done by two more threads at once.
fn waves(ledger: &Ledger) {
    for (phase, now) in [("early", noon()), ("late", a_minute_later())] {
        let start = Barrier::new(usize::try_from(WRITERS).expect("few") + 2);
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    write(ledger, writer, now, phase);
                });
            }
            for _ in 0..2 {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    ledger.tick("t", now).expect("it ticks");
                });
            }
        });
        if phase == "early" {
            ledger.tick("t", a_minute_later()).expect("it ticks");
        }
    }
}

fn check(store: Arc<dyn EventStore>) {
    let ledger = Ledger::open(Arc::clone(&store)).expect("an empty log opens");
    set_up(&ledger);
    waves(&ledger);
    let asked = asked(store.as_ref());
    let plain = compare(store.as_ref(), &asked);
    let units = |e: Exact| e.times(Exact::from(100)).expect("few").to_string();
    let look = |ledger: &Ledger| {
        ledger.read("t", |tenant| {
            assert_eq!(indelible_domain::audit::audit(tenant), Vec::<String>::new());
            let wallet = &tenant.tables.wallets["w"].state;
            let now = a_minute_later();
            let today = "2026-01-01".parse().expect("a date");
            (
                units(wallet.balance(today)),
                units(wallet.available(today, now)),
                tenant.clone(),
            )
        })
    };
    let (left, free, tenant) = look(&ledger);
    assert_eq!(
        (left, free),
        (plain.left.to_string(), plain.free().to_string())
    );
    let granted = asked.len();
    assert!(granted > 900, "only {granted} requests were made");
    assert!(
        plain.free() < 400,
        "the wallet never came near its end: {}",
        plain.free()
    );
    // Read from the log again, it is the same, and so is an old answer.
    drop(ledger);
    let again = Ledger::open(store).expect("it opens again");
    assert!(look(&again).2 == tenant);
}

#[test]
fn many_writers_on_one_wallet_never_get_more_than_it_holds() {
    check(Arc::new(MemoryStore::new()));
}

#[test]
fn the_same_holds_on_disk() {
    let dir = tempfile::tempdir().expect("a directory");
    check(Arc::new(
        SledStore::open(dir.path()).expect("an empty directory opens"),
    ));
}

#[test]
fn a_request_that_comes_twice_at_once_is_answered_once() {
    let store = Arc::new(MemoryStore::new());
    let ledger = Ledger::open(Arc::clone(&store) as Arc<dyn EventStore>).expect("it opens");
    set_up(&ledger);
    let start = Barrier::new(8);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let one = || {
            start.wait();
            do_it(&ledger, noon(), request("s1", 0, Kind::Initial, 0, 5_000)).expect("an answer")
        };
        let all: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        all.into_iter()
            .map(|t| t.join().expect("no panic"))
            .collect()
    });
    assert!(
        answers
            .iter()
            .all(|answer| *answer == answers[0] && quantity(answer) == 5_000)
    );
    drop(ledger);
    let again = Ledger::open(store as Arc<dyn EventStore>).expect("it opens again");
    let repeated = do_it(
        &again,
        a_minute_later(),
        request("s1", 0, Kind::Initial, 0, 5_000),
    );
    assert_eq!(repeated.as_ref(), answers.first());
    let other = request("s1", 0, Kind::Initial, 0, 4_999);
    let refused = again.execute(Request::new("t", "test", noon(), other));
    let Err(Refused::Rejection(Rejection { code, .. })) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(code, "REQUEST_CONFLICT");
}
