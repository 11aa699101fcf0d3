//! Time moves a case, not the moment at which somebody looked: the same history with a clock that runs every day and with
//! one that is asked once at the end comes to the same facts.

use crate::agenda::replayed;
use crate::book::{Book, usd};
use crate::dunning::{dunned, level, subscribe};
use crate::whatever_happens::Dice;
use indelible_domain::command::{DunningAction, RecordPayment};
use indelible_domain::dunning::{
    DayCount, Grace, Interest, LateFee, Notice, PartPayment, Restriction, Steer, Terms,
};
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::subscriptions::UsageRule;
use indelible_domain::{Command, Event};
use std::collections::BTreeSet;

/// Every action but writing off, which a late clock does only to what has not been paid meanwhile.
fn book(writes_off: bool, part_payment: PartPayment) -> Book {
    use DunningAction::{Hold, Remind, Restrict, RetryPayment, Send, Suspend, Terminate, WriteOff};
    let percent = |text: &str| text.parse().expect("a decimal");
    let fee = DunningAction::LateFee(LateFee {
        percent: Some(percent("2.5")),
        tax_class: "standard".into(),
        ..LateFee::default()
    });
    let interest = || {
        DunningAction::Interest(Interest {
            rate: percent("9.12"),
            day_count: DayCount::Actual365,
            cap_percent: Some(percent("3")),
            tax_class: "standard".into(),
        })
    };
    let restriction = Restriction {
        usage: UsageRule::RefusedFor(vec!["calls".into()]),
        ..Restriction::default()
    };
    let notice = Notice {
        template: "warning".into(),
        ..Notice::default()
    };
    let agency = "Grab & Co".to_string();
    let last = if writes_off { WriteOff } else { Terminate };
    let mut book = dunned(vec![
        level("remind", 3, &[Remind, fee, RetryPayment]),
        level("restrict", 6, &[Restrict(restriction), interest()]),
        level("suspend", 10, &[Suspend, Hold, Send(notice)]),
        level(
            "agency",
            20,
            &[DunningAction::HandOver { agency }, interest()],
        ),
        level("last", 60, &[last]),
    ]);
    let grace = Some(Grace {
        percent: percent("60"),
        days: 4,
    });
    book.ask(Command::SetDunningTerms {
        policy: "strict".into(),
        terms: Terms {
            part_payment,
            grace,
        },
    })
    .expect("terms");
    let levels = vec![level("other", 8, &[Remind]), level("later", 30, &[Suspend])];
    book.ask(Command::SetDunningPolicy {
        policy: "other".into(),
        levels,
    })
    .expect("policy");
    subscribe(&mut book, "10.00");
    book
}

/// One random thing, the same in both books: what it is about is chosen from what `like` holds.
fn thing(dice: &mut Dice, like: &Book, n: u64) -> Command {
    let (account, reason) = ("alice".to_string(), "chance".to_string());
    let invoices = like.receivables().items;
    let invoice = dice.one_of(invoices.iter().map(|i| i.invoice.clone()));
    let some = invoice.clone().unwrap_or_default();
    let tables = &like.tenant().tables;
    let payment = dice.one_of(tables.payments.keys().cloned());
    let payment = payment.unwrap_or_default();
    let charge = dice.one_of(tables.dunning.get("alice").map_or(vec![].into_iter(), |c| {
        c.state
            .charged
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .into_iter()
    }));
    let until = add_days(like.today, i64::try_from(dice.roll(9)).expect("few"));
    let amount = usd(&dice.amount());
    let steer = |steer| Command::SteerDunning {
        account: account.clone(),
        steer,
    };
    match dice.roll(22) {
        0..=5 => Command::RecordPayment(RecordPayment {
            payment: format!("p{n}"),
            account,
            amount,
            invoice: invoice.filter(|_| n.is_multiple_of(2)),
            method: "card".into(),
            pending: n.is_multiple_of(5),
        }),
        6 => Command::SettlePayment { payment },
        7 | 8 => Command::ChargeBackPayment {
            payment,
            amount: None,
            reason,
        },
        9 => Command::WriteOffInvoice {
            invoice: some,
            reason,
        },
        10 => Command::ReverseWriteOff {
            invoice: some,
            reason,
        },
        11 => Command::PauseDunning { account, reason },
        12 => Command::ResumeDunning { account },
        13 => steer(Steer::PauseUntil { reason, until }),
        14 => steer(Steer::Promise {
            until,
            amount: None,
        }),
        15 => steer(Steer::Exclude {
            invoice: some,
            reason,
        }),
        16 => steer(Steer::Include { invoice: some }),
        17 => steer(Steer::Stop {
            reason,
            restore: n.is_multiple_of(2),
        }),
        18 => steer(Steer::Switch {
            policy: if n.is_multiple_of(2) {
                "other"
            } else {
                "strict"
            }
            .into(),
            reason,
        }),
        19 if n.is_multiple_of(2) => steer(Steer::Restore { reason }),
        19 => steer(Steer::LiftHold { reason }),
        20 if n.is_multiple_of(2) => steer(Steer::Recall { reason }),
        _ => steer(Steer::Waive {
            charge: charge.unwrap_or_default(),
            reason,
        }),
    }
}

fn dun(book: &mut Book) {
    book.ask(Command::DunAccount {
        account: "alice".into(),
    })
    .expect("duns");
}

/// Facts of dunning, in order.
fn facts(book: &Book) -> Vec<Event> {
    let of_case = |event: &&Event| matches!(event, Event::Dunning(_));
    let events = book.log.iter().map(|(_, event)| event);
    events.filter(of_case).cloned().collect()
}

#[test]
fn a_clock_that_is_asked_once_at_the_end_tells_the_story_of_one_that_runs_every_day() {
    for seed in 0..30 {
        let part = [PartPayment::Reanchor, PartPayment::Keep][usize::from(seed % 2 == 0)];
        let (mut daily, mut late) = (book(false, part), book(false, part));
        let mut dice = Dice(seed);
        for n in 0..60 {
            for _ in 0..dice.roll(8) {
                daily.days_later(1);
                late.days_later(1);
                dun(&mut daily);
            }
            if dice.roll(4) == 0 {
                let amount = dice.amount();
                let amount = if amount == "0.00" { "0.01" } else { &amount };
                daily.invoice(amount);
                late.invoice(amount);
                continue;
            }
            let command = thing(&mut dice, &daily, n);
            let (one, two) = (daily.ask(command.clone()), late.ask(command.clone()));
            assert_eq!(
                one.is_ok(),
                two.is_ok(),
                "seed {seed}, step {n}: {command:?}\n{one:?}\n{two:?}"
            );
        }
        dun(&mut late);
        for (one, two) in facts(&daily).into_iter().zip(facts(&late)) {
            assert_eq!(one, two, "seed {seed}");
        }
        assert_eq!(facts(&daily).len(), facts(&late).len(), "seed {seed}");
        let case = |book: &Book| book.tenant().tables.dunning["alice"].state.clone();
        assert_eq!(case(&daily), case(&late), "seed {seed}");
        assert_eq!(daily.receivables(), late.receivables(), "seed {seed}");
        dun(&mut late);
        assert_eq!(facts(&daily), facts(&late), "a repeated look adds nothing");
    }
}

#[test]
fn whatever_is_done_to_a_case_it_replays_and_no_fact_of_dunning_is_out_of_reach() {
    let mut seen = BTreeSet::new();
    for seed in 0..80 {
        let part = [PartPayment::Reanchor, PartPayment::Keep][usize::from(seed % 2 == 0)];
        let (mut book, mut dice) = (book(seed % 3 == 0, part), Dice(seed));
        for n in 0..60 {
            book.days_later(i64::try_from(dice.roll(8)).expect("few"));
            if dice.roll(3) == 0 {
                dun(&mut book);
            }
            if dice.roll(4) == 0 {
                book.invoice("12.34");
            }
            let command = thing(&mut dice, &book, n);
            let _refused_or_done = book.ask(command);
        }
        assert_eq!(replayed(&book), book.tenant().agenda, "seed {seed}");
        seen.extend(book.log.iter().map(|(_, event)| event.event_type().0));
    }
    // `fee-charged` and the like: every fact that a case can have.
    for (name, _) in indelible_domain::Event::types() {
        assert!(
            !name.starts_with("dunning.") || seen.contains(name),
            "{name} never happened"
        );
    }
}
