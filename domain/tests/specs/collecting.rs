//! Money asked of providers: schedules, fallbacks, lost and late answers, money that goes back.

use crate::book::{Book, d, sums, usd};
use indelible_domain::Command;
use indelible_domain::collections::{Collection, Rules, Stage as Round};
use indelible_domain::command::{AddMethod, Collect, FailureKind};
use indelible_domain::kernel::Personal;
use indelible_domain::methods::{Card, Kind, Mandate, Means, Month, Scheme, SealedBank};
use indelible_domain::payments::{Answer, BackStage, Decline, Payment, Stage};
use indelible_domain::processes::agenda;

fn card(token: &str, year: i32, month: u32) -> Means {
    Means::Card(Card {
        gateway: "test".into(),
        token: token.into(),
        customer: None,
        brand: "visa".into(),
        last4: "4242".into(),
        expires: Month { year, month },
    })
}

fn mandate(key: &str) -> Means {
    Means::DirectDebit(Mandate {
        gateway: "direct-debit".into(),
        reference: "M-1".into(),
        signed: d("2012-01-02"),
        scheme: Scheme::Core,
        bank: SealedBank {
            last4: "3000".into(),
            hash: "ab".repeat(32),
            account: Personal::sealed(key.into(), [0; 24], vec![1]),
        },
    })
}

fn add(book: &mut Book, method: &str, means: Means) {
    book.ask(Command::AddMethod(Box::new(AddMethod {
        account: "alice".into(),
        method: method.into(),
        means,
        preferred: false,
    })))
    .expect("is added");
}

fn collect(book: &mut Book, collection: &str, invoice: Option<&str>) -> String {
    let ask = Collect {
        collection: collection.into(),
        account: "alice".into(),
        invoice: invoice.map(Into::into),
        method: None,
    };
    let done = book.ask(Command::Collect(ask)).expect("is asked for");
    done.touched.last().expect("a payment").1.clone()
}

fn send(book: &mut Book, payment: &str) {
    book.ask(Command::SendPayment {
        payment: payment.into(),
        again: false,
    })
    .expect("is sent");
}

fn answer(book: &mut Book, payment: &str, answer: Answer) {
    book.ask(Command::AnswerPayment {
        payment: payment.into(),
        answer,
    })
    .expect("an answer is never refused");
}

fn settled(reference: &str) -> Answer {
    let reference = reference.into();
    Answer::Settled { reference }
}

fn pending(reference: &str) -> Answer {
    let reference = reference.into();
    Answer::Pending { reference }
}

fn declined(kind: FailureKind, code: &str) -> Answer {
    let decline = Decline {
        kind,
        code: code.into(),
        reason: "refused".into(),
    };
    Answer::Declined {
        reference: None,
        decline,
    }
}

fn payment(book: &Book, id: &str) -> Payment {
    book.tenant().tables.payments[id].state.clone()
}

fn collection(book: &Book, id: &str) -> Collection {
    book.tenant().tables.collections[id].state.clone()
}

/// What the clock asks for today, done.
fn tick(book: &mut Book) -> usize {
    let asked = agenda::tick_commands(book.tenant(), book.now());
    let asked: Vec<_> = asked
        .into_iter()
        .filter(|(id, _)| id.starts_with("collect:") || id.starts_with("cards:"))
        .collect();
    for (_, command) in &asked {
        book.ask(command.clone()).expect("the clock is not refused");
    }
    asked.len()
}

fn with_card() -> Book {
    let mut book = Book::new();
    add(&mut book, "visa", card("tok_1", 2030, 1));
    book
}

#[test]
fn what_is_asked_for_is_in_the_log_before_the_provider_is_called_and_pays_when_it_settles() {
    let mut book = with_card();
    let invoice = book.invoice("20.00");
    let id = collect(&mut book, "c1", Some(&invoice));
    assert_eq!(
        (id.as_str(), payment(&book, &id).stage),
        ("c1.1", Stage::Created)
    );
    send(&mut book, &id);
    assert_eq!(payment(&book, &id).stage, Stage::Sent);
    assert_eq!(book.owes(), sums("20.00", "0.00"));
    answer(&mut book, &id, settled("ch_1"));
    assert_eq!(book.owes(), sums("0.00", "0.00"));
    assert_eq!(collection(&book, "c1").stage, Round::Collected);
    assert!(book.tenant().index.collections_of.is_empty());
    assert!(book.tenant().index.intents.asked.is_empty());
}

#[test]
fn only_what_is_still_open_is_asked_for() {
    let mut book = with_card();
    let invoice = book.invoice("20.00");
    let id = collect(&mut book, "c1", Some(&invoice));
    book.credit(&invoice, Some("5.00"));
    send(&mut book, &id);
    assert_eq!(payment(&book, &id).amount, usd("15.00"));
    answer(&mut book, &id, settled("ch_1"));
    assert_eq!(book.owes(), sums("0.00", "0.00"));
}

#[test]
fn nothing_is_asked_for_when_nothing_is_open_any_more() {
    let mut book = with_card();
    let invoice = book.invoice("20.00");
    let id = collect(&mut book, "c1", Some(&invoice));
    book.credit(&invoice, None);
    send(&mut book, &id);
    assert_eq!(payment(&book, &id).stage, Stage::Failed);
    assert!(matches!(
        collection(&book, "c1").stage,
        Round::Closed { .. }
    ));
}

#[test]
fn everything_that_is_due_is_asked_for_at_once() {
    let mut book = with_card();
    let (first, second) = (book.invoice("7.00"), book.invoice("5.00"));
    let id = collect(&mut book, "c1", None);
    assert_eq!(payment(&book, &id).amount, usd("12.00"));
    send(&mut book, &id);
    answer(&mut book, &id, settled("ch_1"));
    assert_eq!(
        (book.open_of(&first), book.open_of(&second)),
        sums("0.00", "0.00")
    );
}

#[test]
fn a_soft_refusal_is_tried_again_by_the_schedule_and_then_with_the_next_method() {
    let mut book = with_card();
    add(&mut book, "amex", card("tok_2", 2030, 1));
    let invoice = book.invoice("20.00");
    let mut id = collect(&mut book, "c1", Some(&invoice));
    for (attempt, wait) in [(1, 3), (2, 5), (3, 7)] {
        assert_eq!(id, format!("c1.{attempt}"));
        send(&mut book, &id);
        answer(
            &mut book,
            &id,
            declined(FailureKind::Soft, "insufficient_funds"),
        );
        book.days_later(wait - 1);
        assert_eq!(tick(&mut book), 0, "not before its day");
        book.days_later(1);
        assert_eq!(tick(&mut book), 1);
        id = format!("c1.{}", attempt + 1);
        assert_eq!(payment(&book, &id).stage, Stage::Created);
    }
    send(&mut book, &id);
    answer(
        &mut book,
        &id,
        declined(FailureKind::Soft, "insufficient_funds"),
    );
    // The schedule has run out: the next method is tried at once.
    let next = payment(&book, "c1.5");
    assert_eq!(next.route.expect("a route").method, "amex");
    send(&mut book, "c1.5");
    answer(&mut book, "c1.5", settled("ch_5"));
    assert_eq!(book.owes(), sums("0.00", "0.00"));
}

#[test]
fn a_hard_refusal_blocks_the_method_and_goes_on_with_the_next_one_the_same_day() {
    let mut book = with_card();
    add(&mut book, "sepa", mandate("k1"));
    let invoice = book.invoice("20.00");
    let id = collect(&mut book, "c1", Some(&invoice));
    send(&mut book, &id);
    answer(&mut book, &id, declined(FailureKind::Hard, "lost_card"));
    let next = payment(&book, "c1.2");
    assert_eq!(
        (
            next.method.as_str(),
            next.route.expect("a route").gateway.as_str()
        ),
        ("direct-debit", "direct-debit")
    );
    let methods = &book.tenant().tables.methods["alice"].state;
    assert_eq!(
        methods
            .method("visa")
            .and_then(|m| m.blocked.as_ref())
            .map(|b| b.code.as_str()),
        Some("lost_card")
    );
    send(&mut book, "c1.2");
    answer(&mut book, "c1.2", declined(FailureKind::Hard, "AC04"));
    assert!(matches!(
        collection(&book, "c1").stage,
        Round::GivenUp { .. }
    ));
    let again = Command::Collect(Collect {
        collection: "c2".into(),
        account: "alice".into(),
        invoice: Some(invoice.clone()),
        method: None,
    });
    assert_eq!(book.refused(again), "METHOD_UNUSABLE");
    // A new card lifts the block.
    book.ask(Command::ChangeMethod {
        account: "alice".into(),
        method: "visa".into(),
        means: Box::new(card("tok_9", 2031, 1)),
    })
    .expect("is changed");
    collect(&mut book, "c2", Some(&invoice));
}

#[test]
fn a_retry_is_not_made_when_the_payer_has_paid_otherwise() {
    let mut book = with_card();
    let invoice = book.invoice("20.00");
    let id = collect(&mut book, "c1", Some(&invoice));
    send(&mut book, &id);
    answer(
        &mut book,
        &id,
        declined(FailureKind::Soft, "insufficient_funds"),
    );
    book.pay("20.00", Some(&invoice));
    assert!(matches!(
        collection(&book, "c1").stage,
        Round::Closed { .. }
    ));
    book.days_later(30);
    assert_eq!(tick(&mut book), 0);
}

#[test]
fn a_late_tick_makes_one_attempt_and_a_repeated_one_none() {
    let mut book = with_card();
    let invoice = book.invoice("20.00");
    let id = collect(&mut book, "c1", Some(&invoice));
    send(&mut book, &id);
    answer(
        &mut book,
        &id,
        declined(FailureKind::Soft, "insufficient_funds"),
    );
    book.days_later(100);
    assert_eq!((tick(&mut book), tick(&mut book)), (1, 0));
    assert_eq!(collection(&book, "c1").attempts.len(), 2);
}

#[test]
fn answers_that_come_late_twice_or_out_of_order_charge_once() {
    let answers = [
        pending("ch_1"),
        settled("ch_1"),
        Answer::Unknown {
            why: "timeout".into(),
        },
    ];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        let mut book = with_card();
        let invoice = book.invoice("20.00");
        let id = collect(&mut book, "c1", Some(&invoice));
        send(&mut book, &id);
        for n in order.into_iter().chain(order) {
            answer(&mut book, &id, answers[n].clone());
        }
        let paid = payment(&book, &id);
        assert_eq!(
            (paid.stage, paid.contradictions.len()),
            (Stage::Settled, 0),
            "{order:?}"
        );
        assert_eq!(book.owes(), sums("0.00", "0.00"), "{order:?}");
    }
}

#[test]
fn a_lost_answer_is_work_until_it_is_known() {
    let mut book = with_card();
    let invoice = book.invoice("20.00");
    let id = collect(&mut book, "c1", Some(&invoice));
    send(&mut book, &id);
    answer(
        &mut book,
        &id,
        Answer::Unknown {
            why: "timeout".into(),
        },
    );
    assert!(payment(&book, &id).needs_a_person());
    assert_eq!(book.owes(), sums("20.00", "0.00"));
    // It cannot be sent a second time unless the provider says that it never saw it.
    send(&mut book, &id);
    assert_eq!(
        (payment(&book, &id).stage, payment(&book, &id).sent),
        (Stage::Unknown, 1)
    );
    book.ask(Command::SendPayment {
        payment: id.clone(),
        again: true,
    })
    .expect("is sent again");
    assert_eq!(
        (payment(&book, &id).stage, payment(&book, &id).sent),
        (Stage::Sent, 2)
    );
    answer(&mut book, &id, settled("ch_1"));
    assert!(!payment(&book, &id).needs_a_person());
}

#[test]
fn money_that_comes_after_it_was_given_up_is_counted_and_never_lost() {
    let mut book = with_card();
    add(&mut book, "amex", card("tok_2", 2030, 1));
    let invoice = book.invoice("20.00");
    let id = collect(&mut book, "c1", Some(&invoice));
    send(&mut book, &id);
    answer(&mut book, &id, declined(FailureKind::Hard, "expired_card"));
    // The second attempt is under way when the first one settles after all.
    answer(&mut book, &id, settled("ch_1"));
    assert_eq!(book.owes(), sums("0.00", "20.00"));
    // Nothing is asked for twice: when the second one is sent, the credit cannot pay the invoice while it is pending.
    send(&mut book, "c1.2");
    answer(
        &mut book,
        "c1.2",
        declined(FailureKind::Soft, "insufficient_funds"),
    );
    assert_eq!(book.owes(), sums("0.00", "0.00"));
    assert_eq!(collection(&book, "c1").stage, Round::Collected);
    book.days_later(10);
    assert_eq!(tick(&mut book), 0);
}

#[test]
fn a_provider_that_contradicts_itself_is_told_of_once_and_moves_nothing() {
    let mut book = with_card();
    let invoice = book.invoice("20.00");
    let id = collect(&mut book, "c1", Some(&invoice));
    send(&mut book, &id);
    answer(&mut book, &id, settled("ch_1"));
    for _ in 0..2 {
        answer(&mut book, &id, declined(FailureKind::Hard, "fraud"));
        answer(&mut book, &id, settled("ch_2"));
    }
    assert_eq!(payment(&book, &id).contradictions.len(), 2);
    assert_eq!(book.owes(), sums("0.00", "0.00"));
    assert!(book.tenant().index.intents.odd.contains(&id));
}

#[test]
fn what_is_due_is_collected_on_its_due_date_where_that_is_set() {
    let mut book = with_card();
    let rules = |automatic| Command::SetCollectionRules {
        entity: "arms".into(),
        rules: Rules {
            automatic,
            ..Rules::default()
        },
    };
    let invoice = book.invoice("20.00");
    assert_eq!(tick(&mut book), 0);
    book.ask(rules(true)).expect("is set");
    assert_eq!((tick(&mut book), tick(&mut book)), (1, 0));
    let id = format!("due.{invoice}.{}.1", book.today);
    assert_eq!(payment(&book, &id).invoice, Some(invoice));
    // An account may say otherwise.
    book.ask(Command::SetAutomaticCollection {
        account: "alice".into(),
        automatic: Some(false),
    })
    .expect("is set");
    book.invoice("3.00");
    assert_eq!(tick(&mut book), 0);
}

#[test]
fn a_payer_who_prefers_to_bring_the_money_is_not_collected_from() {
    let mut book = Book::new();
    add(&mut book, "bank", Means::Transfer(None));
    add(&mut book, "visa", card("tok_1", 2030, 1));
    book.ask(Command::SetAutomaticCollection {
        account: "alice".into(),
        automatic: Some(true),
    })
    .expect("is set");
    book.invoice("20.00");
    assert_eq!(tick(&mut book), 0);
    book.ask(Command::OrderMethods {
        account: "alice".into(),
        order: vec!["visa".into(), "bank".into()],
    })
    .expect("is ordered");
    assert_eq!(tick(&mut book), 1);
}

#[test]
fn a_card_is_told_of_once_before_it_expires_and_once_when_it_has() {
    let mut book = Book::new();
    add(&mut book, "visa", card("tok_1", 2012, 6));
    add(&mut book, "amex", card("tok_2", 2030, 1));
    let kinds = |book: &Book| -> Vec<&str> {
        let of = book.log.iter().filter(|(_, e)| e.kind() == "method");
        of.map(|(_, e)| e.event_type().0).skip(2).collect()
    };
    book.on("2012-05-30");
    assert_eq!(tick(&mut book), 0);
    book.on("2012-05-31");
    assert_eq!((tick(&mut book), tick(&mut book)), (1, 0));
    assert_eq!(kinds(&book), ["method.expiring"]);
    let preferred = |book: &Book| {
        let methods = &book.tenant().tables.methods["alice"].state;
        methods.preferred(book.today).map(|m| m.id.clone())
    };
    book.on("2012-06-30");
    assert_eq!(
        (tick(&mut book), preferred(&book)),
        (0, Some("visa".to_string()))
    );
    book.on("2012-07-01");
    assert_eq!(
        (tick(&mut book), preferred(&book)),
        (1, Some("amex".to_string()))
    );
    assert_eq!(kinds(&book), ["method.expiring", "method.expired"]);
}

#[test]
fn money_goes_back_through_the_provider_that_brought_it() {
    let mut book = with_card();
    let invoice = book.invoice("20.00");
    let id = collect(&mut book, "c1", Some(&invoice));
    send(&mut book, &id);
    answer(&mut book, &id, settled("ch_1"));
    book.refund(&id, Some("15.00"));
    assert_eq!(book.owes(), sums("0.00", "0.00"), "it is not back yet");
    let too_much = Command::RefundPayment {
        payment: id.clone(),
        amount: Some(usd("6.00")),
        reason: "asked".into(),
    };
    assert_eq!(book.refused(too_much), "REFUND_TOO_LARGE");
    book.ask(Command::SendRefund {
        payment: id.clone(),
        number: 1,
        again: false,
    })
    .expect("is sent");
    for _ in 0..2 {
        let answer = settled("re_1");
        book.ask(Command::AnswerRefund {
            payment: id.clone(),
            number: 1,
            answer,
        })
        .expect("counts");
    }
    assert_eq!(book.owes(), sums("15.00", "0.00"));
    assert_eq!(
        payment(&book, &id).back(1).map(|b| b.stage),
        Some(BackStage::Done)
    );
    book.refund(&id, None);
    book.ask(Command::SendRefund {
        payment: id.clone(),
        number: 2,
        again: false,
    })
    .expect("is sent");
    let answer = declined(FailureKind::Hard, "expired_card");
    book.ask(Command::AnswerRefund {
        payment: id.clone(),
        number: 2,
        answer,
    })
    .expect("counts");
    assert_eq!(book.owes(), sums("15.00", "0.00"));
    assert!(payment(&book, &id).needs_a_person());
}

#[test]
fn a_charge_back_that_is_reversed_pays_again_what_it_had_paid() {
    // S-H07
    let mut book = Book::new();
    let invoice = book.invoice("249.95");
    let payment = book.pay("10.00", Some(&invoice));
    let reverse = Command::ReverseChargeBack {
        payment: payment.clone(),
        amount: None,
        reason: "won".into(),
    };
    assert_eq!(book.refused(reverse.clone()), "CHARGEBACK_TOO_SMALL");
    book.ask(Command::ChargeBackPayment {
        payment,
        amount: None,
        reason: "disputed".into(),
    })
    .expect("is charged back");
    assert_eq!(book.open_of(&invoice), "249.95");
    book.ask(reverse.clone()).expect("is reversed");
    assert_eq!(book.open_of(&invoice), "239.95");
    assert_eq!(book.owes(), sums("239.95", "0.00"));
    assert_eq!(book.refused(reverse), "CHARGEBACK_TOO_SMALL");
}

#[test]
fn a_card_number_is_never_taken_for_a_token() {
    let mut book = Book::new();
    let ask = Command::AddMethod(Box::new(AddMethod {
        account: "alice".into(),
        method: "visa".into(),
        means: card("4242424242424242", 2030, 1),
        preferred: true,
    }));
    assert_eq!(book.refused(ask), "METHOD_INVALID");
}

#[test]
fn an_expiring_card_is_a_message_to_its_holder_once() {
    let mut book = Book::new();
    add(&mut book, "visa", card("tok_1", 2012, 6));
    book.on("2012-05-31");
    assert_eq!((tick(&mut book), tick(&mut book)), (1, 0));
    let messages = &book.tenant().tables.messages;
    assert_eq!(messages.len(), 1);
    let ask = &messages["card.alice.visa.2012-06"].state.ask;
    assert_eq!(
        (ask.template.as_str(), ask.account.as_str(), ask.channel),
        ("card-expiring", "alice", None)
    );
    assert_eq!(ask.values["digits"], "4242");
    assert_eq!(ask.values["expires"], "06/2012");
}

#[test]
fn what_a_person_has_looked_at_is_no_work_until_something_new_is_said() {
    let mut book = with_card();
    let invoice = book.invoice("20.00");
    let id = collect(&mut book, "c1", Some(&invoice));
    send(&mut book, &id);
    answer(&mut book, &id, settled("ch_1"));
    let acknowledge = Command::AcknowledgePayment {
        payment: id.clone(),
        note: "asked the provider".into(),
    };
    assert_eq!(book.refused(acknowledge.clone()), "NOTHING_TO_ACKNOWLEDGE");
    answer(&mut book, &id, settled("ch_2"));
    assert!(payment(&book, &id).needs_a_person());
    book.ask(acknowledge.clone()).expect("is acknowledged");
    assert!(!payment(&book, &id).needs_a_person());
    assert!(book.tenant().index.intents.odd.is_empty());
    // The same again is old news; something else is not.
    answer(&mut book, &id, settled("ch_2"));
    assert!(!payment(&book, &id).needs_a_person());
    answer(&mut book, &id, settled("ch_3"));
    assert!(payment(&book, &id).needs_a_person());
    book.ask(acknowledge).expect("is acknowledged");
    // A return that failed.
    book.refund(&id, None);
    book.ask(Command::AnswerRefund {
        payment: id.clone(),
        number: 1,
        answer: declined(FailureKind::Hard, "account_closed"),
    })
    .expect("is answered");
    assert!(payment(&book, &id).needs_a_person());
    book.ask(Command::AcknowledgePayment {
        payment: id.clone(),
        note: "sent by cheque".into(),
    })
    .expect("is acknowledged");
    assert!(!payment(&book, &id).needs_a_person());
}

#[test]
fn money_that_a_provider_gave_back_by_itself_is_a_fact_once_and_reopens_what_it_paid() {
    let mut book = with_card();
    let invoice = book.invoice("20.00");
    let id = collect(&mut book, "c1", Some(&invoice));
    send(&mut book, &id);
    let observe = |reference: &str, amount: &str| Command::ObserveRefund {
        payment: "c1.1".into(),
        reference: reference.into(),
        amount: usd(amount),
        reason: "requested_by_customer".into(),
    };
    book.ask(observe("re_0", "5.00")).expect("is never refused");
    assert_eq!(
        payment(&book, &id).contradictions.len(),
        1,
        "no money came yet"
    );
    answer(&mut book, &id, settled("ch_1"));
    for _ in 0..2 {
        book.ask(observe("re_1", "5.00")).expect("is never refused");
    }
    assert_eq!(book.owes(), sums("5.00", "0.00"));
    assert_eq!(payment(&book, &id).refunded, usd("5.00"));
    // More than there is cannot be: somebody has to look.
    book.ask(observe("re_2", "15.01"))
        .expect("is never refused");
    assert_eq!(payment(&book, &id).contradictions.len(), 2);
    book.ask(observe("re_3", "15.00"))
        .expect("is never refused");
    assert_eq!(payment(&book, &id).stage, Stage::Returned);
    assert_eq!(book.owes(), sums("20.00", "0.00"));
}

/// Alice pays within 14 days, by direct debit before by card, and what is due is collected by itself.
fn debited(lead: u32, notify: bool) -> Book {
    let mut book = Book::new();
    let mut terms = book.tenant().tables.accounts["alice"].state.terms.clone();
    terms.payment_days = Some(14);
    book.ask(Command::ChangeAccount {
        account: "alice".into(),
        terms,
    })
    .expect("is changed");
    add(&mut book, "sepa", mandate("k1"));
    add(&mut book, "visa", card("tok_1", 2030, 1));
    book.ask(Command::SetCollectionRules {
        entity: "arms".into(),
        rules: Rules {
            automatic: true,
            lead_days: [(Kind::DirectDebit, lead)].into(),
            notify,
            ..Rules::default()
        },
    })
    .expect("is set");
    book
}

#[test]
fn a_direct_debit_is_initiated_days_ahead_so_that_its_money_moves_on_the_due_date() {
    let mut book = debited(5, true);
    let invoice = book.invoice("20.00");
    book.on("2012-05-09");
    assert_eq!(tick(&mut book), 0);
    book.on("2012-05-10");
    assert_eq!((tick(&mut book), tick(&mut book)), (1, 0));
    let id = format!("due.{invoice}.2012-05-15.1");
    let route = payment(&book, &id).route.expect("a route");
    assert_eq!((route.method.as_str(), route.on), ("sepa", d("2012-05-15")));
    let ask = &book.tenant().tables.messages[&format!("debit.{id}")]
        .state
        .ask;
    assert_eq!(
        (
            ask.template.as_str(),
            ask.values["amount"].as_str(),
            ask.values["day"].as_str()
        ),
        ("debit-notice", "20.00 USD", "2012-05-15")
    );
}

#[test]
fn a_card_behind_a_direct_debit_that_fails_ahead_of_the_due_date_waits_for_that_day() {
    let mut book = debited(5, false);
    let invoice = book.invoice("20.00");
    book.on("2012-05-10");
    assert_eq!(tick(&mut book), 1);
    assert!(book.tenant().tables.messages.is_empty());
    let (id, collection_id) = (
        format!("due.{invoice}.2012-05-15.1"),
        format!("due.{invoice}.2012-05-15"),
    );
    send(&mut book, &id);
    answer(&mut book, &id, declined(FailureKind::Hard, "AC04"));
    assert_eq!(
        collection(&book, &collection_id).stage,
        Round::Waiting {
            next: d("2012-05-15"),
            method: "visa".into()
        }
    );
    book.on("2012-05-14");
    assert_eq!(tick(&mut book), 0);
    book.on("2012-05-15");
    assert_eq!((tick(&mut book), tick(&mut book)), (1, 0));
    let route = payment(&book, &format!("{collection_id}.2")).route;
    assert_eq!(route.expect("a route").method, "visa");
}

#[test]
fn a_late_clock_asks_for_what_it_should_have_asked_for_ahead() {
    let mut book = debited(5, false);
    let invoice = book.invoice("20.00");
    book.on("2012-05-20");
    assert_eq!((tick(&mut book), tick(&mut book)), (1, 0));
    let id = format!("due.{invoice}.2012-05-15.1");
    assert_eq!(
        payment(&book, &id).route.expect("a route").on,
        d("2012-05-20")
    );
}

#[test]
fn rules_that_ask_ahead_for_what_is_not_asked_of_a_provider_are_refused() {
    let mut book = Book::new();
    for (kind, days) in [(Kind::Wallet, 1), (Kind::Cash, 1), (Kind::DirectDebit, 61)] {
        let rules = Rules {
            lead_days: [(kind, days)].into(),
            ..Rules::default()
        };
        let set = Command::SetCollectionRules {
            entity: "arms".into(),
            rules,
        };
        assert_eq!(book.refused(set), "COLLECTION_RULES_INVALID");
    }
}
