//! Whatever a provider loses, delays, repeats or mixes up, and wherever the server dies: the payer is charged once.

use std::cell::RefCell;

use indelible_domain::accounts::AccountTerms;
use indelible_domain::command::{AddMethod, Collect, FailureKind};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Instant, Money};
use indelible_domain::methods::{Card, Means, Month};
use indelible_domain::payments::{Answer, Payment};
use indelible_domain::{Command, Session, World, operations};
use indelible_gateways::test_gateway::Step;
use indelible_gateways::{Books, Collector, Gateways, TestGateway, key};
use std::sync::Arc;

const DAY: i64 = 86_400_000_000;

/// Books in memory that can die before or after a command is written.
struct Memory {
    world: RefCell<World>,
    now: RefCell<Instant>,
    /// Commands until the server dies; the last one is written if `written`.
    dies_in: RefCell<Option<(u32, bool)>>,
}

fn eur(amount: &str) -> Money {
    format!("{amount} EUR").parse().expect("an amount")
}

impl Memory {
    fn new(tokens: &[&str]) -> Memory {
        let books = Memory {
            world: RefCell::default(),
            now: RefCell::new(Instant(20_000 * DAY)),
            dies_in: RefCell::new(None),
        };
        let entity = EntityTerms {
            name: "Shop".into(),
            country: "NL".into(),
            currency: eur("0").currency,
            ..EntityTerms::default()
        };
        books.ask(Command::OpenEntity {
            entity: "shop".into(),
            terms: entity,
        });
        let terms = AccountTerms {
            entity: "shop".into(),
            currency: eur("0").currency,
            ..AccountTerms::default()
        };
        books.ask(Command::OpenAccount {
            account: "alice".into(),
            terms,
        });
        for (n, token) in tokens.iter().enumerate() {
            let means = Means::Card(Card {
                gateway: "test".into(),
                token: (*token).into(),
                customer: None,
                brand: "visa".into(),
                last4: "4242".into(),
                expires: Month {
                    year: 2190,
                    month: 1,
                },
            });
            books.ask(Command::AddMethod(Box::new(AddMethod {
                account: "alice".into(),
                method: format!("card{n}"),
                means,
                preferred: false,
            })));
        }
        books.ask(Command::AddCharge {
            account: "alice".into(),
            charge: "c".into(),
            text: "service".into(),
            amount: eur("20.00"),
            on: None,
            tax_class: "standard".into(),
        });
        books.ask(Command::DraftInvoice {
            invoice: "i".into(),
            account: "alice".into(),
            as_of: None,
        });
        books.ask(Command::FinaliseInvoice {
            invoice: "i".into(),
        });
        books
    }

    fn ask(&self, command: Command) {
        self.write(command).expect("is not refused");
    }

    fn collect(&self) {
        self.ask(Command::Collect(Collect {
            collection: "k".into(),
            account: "alice".into(),
            invoice: Some("i".into()),
            method: None,
        }));
    }

    fn write(&self, command: Command) -> Result<bool, String> {
        let mut world = self.world.borrow_mut();
        let (tables, events) = {
            let mut session = Session::new(world.tenant("t"), *self.now.borrow());
            operations::execute(&mut session, command).map_err(|e| e.to_string())?;
            session.finish()
        };
        world.absorb("t", tables, &events);
        assert_eq!(
            indelible_domain::audit::audit(world.tenant("t")),
            Vec::<String>::new()
        );
        Ok(!events.is_empty())
    }

    fn later(&self, micros: i64) {
        self.now.borrow_mut().0 += micros;
    }

    /// Does what the clock asks for.
    fn tick(&self) {
        let now = *self.now.borrow();
        let due = indelible_domain::processes::agenda::tick_commands(
            self.world.borrow().tenant("t"),
            now,
        );
        for (_, command) in due {
            self.ask(command);
        }
    }

    fn open(&self) -> String {
        let world = self.world.borrow();
        let owed = &world.tenant("t").tables.receivables["alice"].state;
        format!("{} {}", owed.open().amount(), owed.unapplied().amount())
    }
}

impl Books for Memory {
    fn tenant(&self) -> &str {
        "t"
    }

    fn asked(&self) -> Vec<String> {
        let world = self.world.borrow();
        let intents = &world.tenant("t").index.intents;
        intents
            .asked
            .iter()
            .chain(intents.backs.keys())
            .cloned()
            .collect()
    }

    fn payment(&self, id: &str) -> Option<Payment> {
        let world = self.world.borrow();
        world
            .tenant("t")
            .tables
            .payments
            .get(id)
            .map(|e| e.state.clone())
    }

    fn carry_out(&self, command: Command) -> Result<bool, String> {
        let died = || Err("the server died".to_owned());
        let dies = *self.dies_in.borrow();
        match dies {
            Some((0, written)) => {
                if written {
                    *self.dies_in.borrow_mut() = Some((0, false));
                    self.write(command)?;
                }
                died()
            }
            Some((n, written)) => {
                *self.dies_in.borrow_mut() = Some((n - 1, written));
                self.write(command)
            }
            None => self.write(command),
        }
    }
}

fn at_hand(gateway: &Arc<TestGateway>) -> Gateways {
    Gateways::default().with(Arc::clone(gateway) as _)
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[test]
fn a_lost_answer_is_looked_up_and_the_payer_is_charged_once() {
    let books = Memory::new(&["lost"]);
    let gateway = Arc::new(TestGateway::default());
    let collector = Collector::new(at_hand(&gateway));
    books.collect();
    collector.turn(&books, *books.now.borrow(), &|| false);
    assert_eq!(books.open(), "20.00 0.00");
    collector.turn(&books, *books.now.borrow(), &|| false);
    assert_eq!((books.open(), gateway.calls()), ("0.00 0.00".into(), 1));
}

#[test]
fn a_call_that_never_arrived_is_made_again_under_the_same_key() {
    let books = Memory::new(&["tok"]);
    let gateway = Arc::new(TestGateway::scripted([Step::Timeout, Step::Settle]));
    let collector = Collector::new(at_hand(&gateway));
    books.collect();
    for _ in 0..2 {
        collector.turn(&books, *books.now.borrow(), &|| false);
    }
    assert_eq!((books.open(), gateway.calls()), ("0.00 0.00".into(), 2));
    let moved: Vec<(String, u32)> = gateway.moved().into_iter().collect();
    assert_eq!(moved, [(key("t", "k.1", None), 1)]);
}

#[test]
fn while_a_provider_is_away_nothing_is_asked_again_and_the_waits_grow() {
    let books = Memory::new(&["lost"]);
    let gateway = Arc::new(TestGateway::default());
    let collector = Collector::new(at_hand(&gateway));
    books.collect();
    gateway.set_away(true);
    let mut looked_up = 0;
    for _ in 0..600 {
        looked_up += collector
            .turn(&books, *books.now.borrow(), &|| false)
            .looked_up;
        books.later(1_000_000);
    }
    assert_eq!((looked_up, gateway.calls()), (10, 1));
    gateway.set_away(false);
    books.later(DAY);
    collector.turn(&books, *books.now.borrow(), &|| false);
    assert_eq!(books.open(), "0.00 0.00");
}

#[test]
fn wherever_the_server_dies_and_whatever_is_lost_late_repeated_or_mixed_up_the_payer_is_charged_once()
 {
    let mut settled = 0;
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let books = Memory::new(&["tok", "other"]);
        let script = (0..dice.roll(4))
            .map(|_| step(&mut dice, 2))
            .collect::<Vec<_>>();
        let gateway = Arc::new(TestGateway::scripted(script));
        let mut collector = Collector::new(at_hand(&gateway));
        let mut heard: Vec<(String, Answer)> = Vec::new();
        books.collect();
        for _ in 0..40 {
            match dice.roll(6) {
                0 => {
                    let (after, written) = (dice.roll(3), dice.roll(2) == 0);
                    let after = u32::try_from(after).expect("few");
                    *books.dies_in.borrow_mut() = Some((after, written));
                }
                1 => gateway.set_away(dice.roll(2) == 0),
                2 => books.later(i64::try_from(dice.roll(5)).expect("few") * DAY),
                _ => {}
            }
            collector.turn(&books, *books.now.borrow(), &|| false);
            if books.dies_in.replace(None).is_some() {
                // A new server remembers nothing but the log.
                collector = Collector::new(at_hand(&gateway));
            }
            for payment in books.asked() {
                let made = step(&mut dice, 0);
                if let Some(answer) = gateway.resolve(&key("t", &payment, None), &made) {
                    heard.push((payment, answer));
                }
            }
            // Webhooks come late, twice and out of order.
            for _ in 0..dice.roll(3) {
                let at = dice.roll(heard.len().max(1) as u64);
                if let Some((payment, answer)) = heard.get(usize::try_from(at).expect("few")) {
                    books.ask(Command::AnswerPayment {
                        payment: payment.clone(),
                        answer: answer.clone(),
                    });
                }
            }
            books.later(1_000_000);
            books.tick();
        }
        gateway.set_away(false);
        for _ in 0..20 {
            books.later(DAY);
            books.tick();
            collector.turn(&books, *books.now.borrow(), &|| false);
            for payment in books.asked() {
                gateway.resolve(&key("t", &payment, None), &Step::Settle);
            }
        }
        let moved = gateway.moved();
        assert!(moved.values().all(|n| *n == 1), "seed {seed}: {moved:?}");
        assert!(moved.len() <= 1, "seed {seed}: charged twice: {moved:?}");
        let owed = if moved.is_empty() {
            "20.00 0.00"
        } else {
            "0.00 0.00"
        };
        assert_eq!(books.open(), owed, "seed {seed}");
        settled += moved.len();
    }
    assert!(
        settled > 1_000,
        "only {settled} of 2000 histories charged at all"
    );
}

/// What the provider does; `depth`: how often an answer may be lost.
fn step(dice: &mut Dice, depth: u32) -> Step {
    let decline = |kind| Step::Decline {
        kind,
        code: "refused".into(),
    };
    match dice.roll(if depth == 0 { 3 } else { 7 }) {
        0 => Step::Settle,
        1 => decline(FailureKind::Soft),
        2 => decline(FailureKind::Hard),
        3 => Step::Pending,
        4 => Step::Action,
        5 => Step::Timeout,
        _ => Step::Lost(Box::new(step(dice, depth - 1))),
    }
}

#[test]
fn money_goes_back_once_even_if_the_answer_is_lost() {
    let books = Memory::new(&["tok"]);
    let script = [Step::Settle, Step::Lost(Box::new(Step::Settle))];
    let gateway = Arc::new(TestGateway::scripted(script));
    let collector = Collector::new(at_hand(&gateway));
    books.collect();
    collector.turn(&books, *books.now.borrow(), &|| false);
    books.ask(Command::RefundPayment {
        payment: "k.1".into(),
        amount: Some(eur("5.00")),
        reason: "asked".into(),
    });
    for _ in 0..3 {
        collector.turn(&books, *books.now.borrow(), &|| false);
    }
    assert_eq!(books.open(), "5.00 0.00");
    assert_eq!(gateway.moved().get(&key("t", "k.1", Some(1))), Some(&1));
    assert_eq!(gateway.calls(), 2);
}
