//! Messages: asked for once, tried by a schedule, sent again by hand, never taken back once sent.

use crate::book::{Book, d};
use indelible_domain::Command;
use indelible_domain::command::FailureKind;
use indelible_domain::kernel::Instant;
use indelible_domain::messages::{
    ATTEMPTS_MAX, Ask, Bounce, Channel, Message, Report, Stage, Suppression, VALUE_LENGTH_MAX,
    VALUES_MAX, next_attempt,
};
use indelible_domain::world::Noun;

fn ask() -> Ask {
    Ask {
        account: "alice".into(),
        template: "reminder".into(),
        on: d("2012-05-01"),
        ..Ask::default()
    }
}

fn say(ask: Ask) -> Command {
    let (message, ask) = ("m1".into(), Box::new(ask));
    Command::AskMessage { message, ask }
}

fn report(attempt: u32, report: Report) -> Command {
    let message = "m1".into();
    Command::ReportMessage {
        message,
        attempt,
        report,
    }
}

fn sent() -> Report {
    Report::Sent {
        channel: Channel::Email,
        language: "en".into(),
        reference: "<1@arms>".into(),
    }
}

fn failed(kind: FailureKind) -> Report {
    Report::Failed {
        channel: Some(Channel::Email),
        kind,
        reason: "the mail server answered 451".into(),
    }
}

fn resend(channel: Option<Channel>) -> Command {
    let message = "m1".into();
    Command::ResendMessage { message, channel }
}

fn withdraw() -> Command {
    let (message, reason) = ("m1".into(), "no longer true".into());
    Command::WithdrawMessage { message, reason }
}

/// Alice's book with one message asked for.
fn asked() -> Book {
    let mut book = Book::new();
    book.ask(say(ask())).expect("is asked");
    book
}

fn message(book: &Book) -> Message {
    Message::table(&book.tenant().tables)["m1"].state.clone()
}

/// Whether the message is due now, and whether it waits for a person.
fn work(book: &Book) -> (bool, bool) {
    let outbox = &book.tenant().index.outbox;
    (
        outbox.due(book.now()).any(|id| id == "m1"),
        outbox.stuck.contains("m1"),
    )
}

#[test]
fn a_message_is_asked_for_once_under_its_id() {
    let mut book = asked();
    let before = book.log.len();
    book.ask(say(ask())).expect("the same again is no harm");
    assert_eq!(book.log.len(), before);
    let other = Ask {
        template: "final-notice".into(),
        ..ask()
    };
    assert_eq!(book.refused(say(other)), "MESSAGE_EXISTS");
    assert_eq!(work(&book), (true, false));
    let outbox = &book.tenant().index.outbox;
    assert_eq!(outbox.of_account["alice"], ["m1"]);
}

#[test]
fn what_cannot_be_said_is_refused() {
    let mut book = Book::new();
    let many = (0..=VALUES_MAX).map(|n| (n.to_string(), String::new()));
    let cases = [
        (
            Ask {
                account: "nobody".into(),
                ..ask()
            },
            "ACCOUNT_UNKNOWN",
        ),
        (
            Ask {
                template: "../reminder".into(),
                ..ask()
            },
            "ID_INVALID",
        ),
        (
            Ask {
                language: Some("german, please".into()),
                ..ask()
            },
            "LANGUAGE_INVALID",
        ),
        (
            Ask {
                values: many.collect(),
                ..ask()
            },
            "MESSAGE_TOO_LONG",
        ),
        (
            Ask {
                values: [("text".into(), "x".repeat(VALUE_LENGTH_MAX + 1))].into(),
                ..ask()
            },
            "MESSAGE_TOO_LONG",
        ),
    ];
    for (ask, code) in cases {
        assert_eq!(book.refused(say(ask)), code);
    }
    assert_eq!(book.refused(withdraw()), "MESSAGE_UNKNOWN");
}

#[test]
fn a_message_that_was_sent_is_due_no_more_and_cannot_be_withdrawn() {
    let mut book = asked();
    book.ask(report(1, sent())).expect("is recorded");
    assert_eq!(message(&book).stage, Stage::Sent);
    assert_eq!(work(&book), (false, false));
    assert_eq!(book.refused(withdraw()), "MESSAGE_SENT");
}

#[test]
fn an_attempt_is_reported_once() {
    let mut book = asked();
    book.ask(report(1, failed(FailureKind::Soft)))
        .expect("is recorded");
    let before = book.log.len();
    book.ask(report(1, sent())).expect("is old news");
    book.ask(report(3, sent())).expect("was never made");
    assert_eq!(book.log.len(), before);
    assert_eq!(message(&book).attempts.len(), 1);
}

#[test]
fn a_failure_for_now_is_tried_again_by_the_schedule_until_it_is_given_up() {
    let mut book = asked();
    let mut at = book.now();
    for attempt in 1..=ATTEMPTS_MAX {
        assert_eq!(message(&book).next_attempt(), attempt);
        book.ask(report(attempt, failed(FailureKind::Soft)))
            .expect("is recorded");
        if attempt == ATTEMPTS_MAX {
            break;
        }
        assert_eq!(message(&book).stage, Stage::Waiting);
        let due = message(&book).due;
        assert!(due > at, "attempt {attempt} waits");
        let outbox = &book.tenant().index.outbox;
        assert_eq!(outbox.due(Instant(due.0 - 1)).count(), 0);
        assert_eq!(outbox.due(due).count(), 1);
        book.days_later(2);
        at = book.now();
    }
    assert_eq!(message(&book).stage, Stage::Failed);
    assert_eq!(work(&book), (false, true));
}

#[test]
fn the_waits_grow_and_end() {
    // failed attempts → minutes until the next
    let table = [
        (1, 5),
        (2, 30),
        (3, 120),
        (4, 480),
        (5, 1440),
        (6, 1440),
        (7, 2880),
    ];
    for (failed, minutes) in table {
        let next = next_attempt(failed, Instant(0));
        assert_eq!(next, Some(Instant(minutes * 60_000_000)), "after {failed}");
    }
    assert_eq!(next_attempt(ATTEMPTS_MAX, Instant(0)), None);
    assert_eq!(next_attempt(0, Instant(0)), None);
}

#[test]
fn a_failure_for_good_and_a_missing_address_wait_for_a_person() {
    let no_address = Report::Suppressed {
        channel: None,
        why: Suppression::NoAddress,
    };
    for (what, stage) in [
        (failed(FailureKind::Hard), Stage::Failed),
        (no_address, Stage::Suppressed),
    ] {
        let mut book = asked();
        book.ask(report(1, what)).expect("is recorded");
        assert_eq!(message(&book).stage, stage);
        assert_eq!(work(&book), (false, true));
        book.ask(withdraw()).expect("is withdrawn");
        assert_eq!(work(&book), (false, false));
    }
}

#[test]
fn a_resend_goes_at_once_with_a_schedule_and_an_edition_of_its_own() {
    let mut book = asked();
    book.ask(report(1, failed(FailureKind::Hard)))
        .expect("is recorded");
    book.days_later(3);
    book.ask(resend(Some(Channel::Letter)))
        .expect("is asked again");
    assert_eq!(work(&book), (true, false));
    let now = message(&book);
    assert_eq!((now.before, now.ask.channel), (1, Some(Channel::Letter)));
    // The second failure of the message is the first of its new schedule: five minutes.
    book.ask(report(2, failed(FailureKind::Soft)))
        .expect("is recorded");
    assert_eq!(message(&book).due.0 - book.now().0, 5 * 60_000_000);
    // Waiting for a later attempt: now, please.
    book.ask(resend(None)).expect("is asked again");
    assert_eq!(work(&book), (true, false));
    let before = book.log.len();
    book.ask(resend(None)).expect("it is due already");
    assert_eq!(book.log.len(), before);
}

#[test]
fn a_late_failure_does_not_bring_a_withdrawn_message_back_but_a_late_success_is_told() {
    let mut book = asked();
    book.ask(withdraw()).expect("is withdrawn");
    assert_eq!(work(&book), (false, false));
    book.ask(report(1, failed(FailureKind::Soft)))
        .expect("is recorded");
    assert_eq!(message(&book).stage, Stage::Withdrawn);
    assert_eq!(work(&book), (false, false));
    book.ask(report(2, sent())).expect("is recorded");
    assert_eq!(message(&book).stage, Stage::Sent);
}

fn bounce(reference: &str, status: &str, contact: Option<u8>) -> Command {
    let (message, contact) = ("m1".into(), contact.map(|byte| [byte; 24]));
    Command::BounceMessage {
        message,
        bounce: Box::new(Bounce {
            reference: reference.into(),
            status: status.into(),
            contact,
        }),
    }
}

fn blocked(book: &Book, contact: u8) -> bool {
    let outbox = &book.tenant().index.outbox;
    outbox.bounces("alice", &[contact; 24])
}

#[test]
fn what_came_back_goes_another_way_and_the_contact_is_not_written_to_until_it_is_another() {
    let mut book = asked();
    assert_eq!(
        book.refused(bounce("<1@arms>", "5.1.1", Some(1))),
        "BOUNCE_UNKNOWN",
        "nothing was sent yet"
    );
    book.ask(report(1, sent())).expect("is reported");
    for (reference, status, code) in [
        ("<2@arms>", "5.1.1", "BOUNCE_UNKNOWN"),
        ("", "5.1.1", "BOUNCE_UNKNOWN"),
        ("<1@arms>", "no such user", "BOUNCE_INVALID"),
        ("<1@arms>", "", "BOUNCE_INVALID"),
    ] {
        assert_eq!(book.refused(bounce(reference, status, Some(1))), code);
    }
    assert!(!blocked(&book, 1));
    book.ask(bounce("<1@arms>", "5.1.1", Some(1)))
        .expect("is taken");
    assert_eq!(message(&book).stage, Stage::Waiting);
    assert_eq!(work(&book), (true, false), "at once");
    assert!(blocked(&book, 1) && !blocked(&book, 2));
    let before = book.log.len();
    book.ask(bounce("<1@arms>", "5.1.1", Some(1)))
        .expect("is known");
    assert_eq!(book.log.len(), before, "a second word of it says nothing");
    let by_letter = Report::Sent {
        channel: Channel::Letter,
        language: "en".into(),
        reference: "letter-1".into(),
    };
    book.ask(report(2, by_letter)).expect("is reported");
    assert_eq!(message(&book).stage, Stage::Sent);
    assert_eq!(
        book.refused(bounce("letter-1", "5.1.1", None)),
        "BOUNCE_UNKNOWN",
        "letters do not come back by e-mail"
    );
}

#[test]
fn where_e_mail_was_asked_for_by_name_a_person_looks_unless_the_address_is_another_by_now() {
    let by_mail = || Ask {
        channel: Some(Channel::Email),
        ..ask()
    };
    for (contact, stage, open) in [
        (Some(1), Stage::Failed, (false, true)),
        (None, Stage::Waiting, (true, false)),
    ] {
        let mut book = Book::new();
        book.ask(say(by_mail())).expect("is asked");
        book.ask(report(1, sent())).expect("is reported");
        book.ask(bounce("<1@arms>", "5.1.1", contact))
            .expect("is taken");
        assert_eq!(message(&book).stage, stage);
        assert_eq!(work(&book), open);
    }
}

#[test]
fn a_bounce_of_what_was_sent_again_meanwhile_is_a_fact_and_nothing_follows() {
    let mut book = asked();
    book.ask(report(1, sent())).expect("is reported");
    book.ask(resend(Some(Channel::Letter))).expect("again");
    let due = message(&book).due;
    book.days_later(1);
    book.ask(bounce("<1@arms>", "5.2.1", Some(1)))
        .expect("is taken");
    let after = message(&book);
    assert_eq!((after.stage, after.due), (Stage::Waiting, due));
    assert_eq!(after.bounces.len(), 1);
    assert!(blocked(&book, 1));
}

#[test]
fn a_legal_entity_has_a_language_for_accounts_that_have_none() {
    let mut book = Book::new();
    let set = |entity: &str, tag: Option<&str>| Command::SetEntityLanguage {
        entity: entity.into(),
        language: tag.map(Into::into),
    };
    let language = |book: &Book| book.tenant().tables.entities["arms"].state.language.clone();
    assert_eq!(language(&book), None);
    book.ask(set("arms", Some("de-AT"))).expect("is set");
    assert_eq!(language(&book).as_deref(), Some("de-AT"));
    let before = book.log.len();
    book.ask(set("arms", Some("de-AT"))).expect("is known");
    assert_eq!(book.log.len(), before);
    assert_eq!(book.refused(set("arms", Some("-"))), "LANGUAGE_INVALID");
    assert_eq!(book.refused(set("legs", Some("de"))), "ENTITY_UNKNOWN");
    book.ask(set("arms", None)).expect("is taken back");
    assert_eq!(language(&book), None);
}
