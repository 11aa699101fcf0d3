//! Messages to customers.

use super::{date, instant};
use indelible_domain::Event;
use indelible_domain::command::FailureKind;
use indelible_domain::messages::{
    self, Ask, Asked, AskedAgain, Bounce, Bounced, Channel, Failed, Sent, Suppressed, Suppression,
    Then, Withdrawn,
};

pub(super) fn events() -> Vec<Event> {
    let account = || "alice".to_string();
    let events: Vec<messages::Event> = vec![
        Asked {
            ask: Ask {
                account: account(),
                template: "reminder".to_string(),
                channel: Some(Channel::Push),
                language: Some("pt-BR".to_string()),
                about: vec!["run-2.alice".to_string()],
                values: [("fee".to_string(), "5.00 EUR".to_string())].into(),
                on: date("2026-03-15"),
            },
        }
        .into(),
        Sent {
            account: account(),
            channel: Channel::Email,
            language: "de".to_string(),
            reference: "<0123@example.com>".to_string(),
            at: instant("2026-03-15T08:00:00Z"),
        }
        .into(),
        Failed {
            account: account(),
            channel: Some(Channel::Sms),
            kind: FailureKind::Soft,
            reason: "the webhook answered 503".to_string(),
            at: instant("2026-03-15T08:00:00Z"),
            next: Some(instant("2026-03-15T08:05:00Z")),
        }
        .into(),
        Suppressed {
            account: account(),
            channel: Some(Channel::Letter),
            why: Suppression::Forgotten,
            at: instant("2026-03-15T08:00:00Z"),
        }
        .into(),
        AskedAgain {
            account: account(),
            channel: Some(Channel::Letter),
            at: instant("2026-03-16T08:00:00Z"),
        }
        .into(),
        Withdrawn {
            account: account(),
            reason: "paid meanwhile".to_string(),
            at: instant("2026-03-16T08:00:00Z"),
        }
        .into(),
        Bounced {
            account: account(),
            bounce: Bounce {
                reference: "<0123@example.com>".to_string(),
                status: "5.1.1".to_string(),
                contact: Some([7; 24]),
            },
            then: Then::Again,
            at: instant("2026-03-15T09:00:00Z"),
        }
        .into(),
    ];
    events.into_iter().map(Event::Message).collect()
}
