//! Random commands about money that providers are asked for, and what they say.

use crate::book::{Book, usd};
use crate::whatever_happens::Dice;
use indelible_domain::Command;
use indelible_domain::command::{AddMethod, Collect, FailureKind};
use indelible_domain::methods::{Card, Means, Month};
use indelible_domain::payments::{Answer, Decline, Stage};

/// Two cards of alice.
pub fn set_up(book: &mut Book) {
    for (method, token) in [("visa", "tok_1"), ("amex", "tok_2")] {
        book.ask(Command::AddMethod(Box::new(AddMethod {
            account: "alice".into(),
            method: method.into(),
            means: card(token),
            preferred: false,
        })))
        .expect("method");
    }
}

fn card(token: &str) -> Means {
    Means::Card(Card {
        gateway: "test".into(),
        token: token.into(),
        customer: None,
        brand: "visa".into(),
        last4: "4242".into(),
        expires: Month {
            year: 2030,
            month: 1,
        },
    })
}

/// What a provider might say, in any order and number.
fn answer(dice: &mut Dice, payment: &str) -> Answer {
    let reference = match dice.roll(12) {
        0 => "ch_other".to_string(),
        _ => format!("ch_{payment}"),
    };
    let decline = |kind| Decline {
        kind,
        code: "declined".into(),
        reason: "chance".into(),
    };
    match dice.roll(8) {
        0..=2 => Answer::Settled { reference },
        3 => Answer::Pending { reference },
        4 => Answer::ActionRequired {
            reference,
            url: None,
        },
        5 => Answer::Unknown { why: "lost".into() },
        n => Answer::Declined {
            reference: Some(reference),
            decline: decline(if n == 6 {
                FailureKind::Soft
            } else {
                FailureKind::Hard
            }),
        },
    }
}

/// One random command of this kind; `n` makes its ids.
pub fn command(book: &Book, dice: &mut Dice, n: u64) -> Command {
    let tables = &book.tenant().tables;
    let invoice = dice.one_of(tables.invoices.keys().cloned());
    let chosen = invoice.filter(|_| dice.roll(2) == 0);
    let payment = dice
        .one_of(tables.payments.keys().cloned())
        .unwrap_or_default();
    let (amount, reason) = (usd(&dice.amount()), String::from("chance"));
    let intents = &book.tenant().index.intents;
    let asked = intents.asked.iter().chain(intents.backs.keys());
    let asked = dice
        .one_of(asked.cloned())
        .filter(|_| dice.roll(5) > 0)
        .unwrap_or_else(|| payment.clone());
    let mut brought: Vec<String> = intents.backs.keys().cloned().collect();
    if brought.is_empty() {
        let settled = tables.payments.iter().filter(|(_, p)| {
            p.state.route.is_some() && p.state.stage == Stage::Settled && !p.state.left().is_zero()
        });
        brought.extend(settled.map(|(id, _)| id.clone()));
    }
    let brought = dice.one_of(brought.into_iter());
    let last_return = brought.as_ref().and_then(|id| tables.payments.get(id));
    let number = last_return.map_or(1, |p| u32::try_from(p.state.returns.len()).expect("few"));
    let brought = brought.unwrap_or_default();
    match dice.roll(12) {
        0 => Command::Collect(Collect {
            collection: format!("k{n}"),
            account: "alice".into(),
            invoice: chosen,
            method: None,
        }),
        1 => Command::SendPayment {
            payment: asked,
            again: dice.roll(3) == 0,
        },
        2..=4 => Command::AnswerPayment {
            answer: answer(dice, &asked),
            payment: asked,
        },
        5 | 9 if dice.roll(2) == 0 => Command::RefundPayment {
            payment: brought,
            amount: chosen.map(|_| amount),
            reason,
        },
        5 | 9 => Command::SendRefund {
            payment: brought,
            number,
            again: dice.roll(3) == 0,
        },
        6 | 10 | 11 => Command::AnswerRefund {
            answer: answer(dice, &brought),
            payment: brought,
            number,
        },
        7 => Command::ReverseChargeBack {
            payment,
            amount: chosen.map(|_| amount),
            reason,
        },
        8 if dice.roll(2) == 0 => Command::ChangeMethod {
            account: "alice".into(),
            method: "visa".into(),
            means: Box::new(card("tok_3")),
        },
        8 if dice.roll(2) == 0 => Command::ObserveRefund {
            reference: format!("re_{}", dice.roll(20)),
            amount: tables
                .payments
                .get(&brought)
                .map_or(amount, |p| p.state.left().min(amount)),
            payment: brought,
            reason,
        },
        8 if dice.roll(2) == 0 => Command::AcknowledgePayment {
            payment: dice.one_of(intents.odd.iter().cloned()).unwrap_or(payment),
            note: reason,
        },
        _ => Command::CollectDue {
            account: "alice".into(),
        },
    }
}
