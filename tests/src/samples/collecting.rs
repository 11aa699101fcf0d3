//! How an account pays, what is asked of providers, and the schedules behind it.

use super::{date, money, sealed};
use indelible_domain::Event;
use indelible_domain::collections::{
    self, Attempted, Closed, Collected, Drawn, DrawnPart, GivenUp, Opened, Planned, Refused, Rules,
    Why,
};
use indelible_domain::command::FailureKind;
use indelible_domain::entities;
use indelible_domain::methods::{
    self, Added, AutomaticSet, Blocked, Card, Changed, Expired, Expiring, Kind, Mandate,
    MandateTerm, MandateTermSet, Means, Month, Ordered, Removed, Scheme, SealedBank,
};
use indelible_domain::payments::{
    self, Accepted, Acknowledged, ActionAsked, AnswerLost, ChargeBackReversed, Contradicted,
    Reduced, RefundAccepted, RefundAsked, RefundFailed, RefundLost, RefundObserved, RefundSent,
    Routed, Sent,
};

pub(super) fn events() -> Vec<Event> {
    let entity = Event::Entity(entities::CollectionSet { rules: rules() }.into());
    let language = Some("pt-BR".to_string());
    let language = Event::Entity(entities::LanguageSet { language }.into());
    [vec![entity, language], methods(), payments(), collections()].concat()
}

fn alice() -> String {
    "alice".to_string()
}

fn rules() -> Rules {
    Rules {
        automatic: true,
        soft_days: vec![2, 4],
        fallback: true,
        lead_days: [(Kind::DirectDebit, 5)].into(),
        notify: true,
    }
}

fn card() -> Means {
    Means::Card(Card {
        gateway: "stripe".to_string(),
        token: "pm_7".to_string(),
        customer: Some("cus_7".to_string()),
        brand: "visa".to_string(),
        last4: "4242".to_string(),
        expires: Month {
            year: 2026,
            month: 11,
        },
    })
}

fn mandate() -> Means {
    Means::DirectDebit(Mandate {
        gateway: "direct-debit".to_string(),
        reference: "MANDATE-7".to_string(),
        signed: date("2026-01-15"),
        scheme: Scheme::B2b,
        bank: SealedBank {
            last4: "4300".to_string(),
            hash: "00".repeat(32),
            account: sealed(),
        },
    })
}

fn methods() -> Vec<Event> {
    let on = date("2026-02-10");
    let events: Vec<methods::Event> = vec![
        Added {
            method: "card".to_string(),
            means: card(),
            preferred: true,
            on,
        }
        .into(),
        Changed {
            method: "card".to_string(),
            means: mandate(),
            on,
        }
        .into(),
        Ordered {
            order: vec!["card".to_string()],
            on,
        }
        .into(),
        Blocked {
            method: "card".to_string(),
            code: "lost_card".to_string(),
            on,
        }
        .into(),
        Expiring {
            method: "card".to_string(),
            expires: Month {
                year: 2026,
                month: 11,
            },
            on: date("2026-10-31"),
        }
        .into(),
        Expired {
            method: "card".to_string(),
            on: date("2026-12-01"),
        }
        .into(),
        AutomaticSet {
            automatic: Some(false),
            on,
        }
        .into(),
        MandateTermSet {
            method: "debit".to_string(),
            term: MandateTerm::Last,
            on,
        }
        .into(),
        Removed {
            method: "card".to_string(),
            reason: "closed".to_string(),
            on,
        }
        .into(),
    ];
    events.into_iter().map(Event::Method).collect()
}

fn payments() -> Vec<Event> {
    let on = date("2026-02-10");
    let events: Vec<payments::Event> = vec![
        Routed {
            account: alice(),
            gateway: "stripe".to_string(),
            method: "card".to_string(),
            token: "pm_7".to_string(),
            customer: Some("cus_7".to_string()),
            collection: Some("collection-1".to_string()),
            text: "NL-2026-000007".to_string(),
            on,
        }
        .into(),
        Reduced {
            account: alice(),
            amount: money("52.84 EUR"),
            on,
        }
        .into(),
        Sent {
            account: alice(),
            times: 1,
            on,
        }
        .into(),
        AnswerLost {
            account: alice(),
            why: "the provider did not answer in time".to_string(),
            on,
        }
        .into(),
        Accepted {
            account: alice(),
            reference: "pi_7".to_string(),
            on,
        }
        .into(),
        ActionAsked {
            account: alice(),
            reference: "pi_7".to_string(),
            url: Some("https://example.com/confirm".to_string()),
            on,
        }
        .into(),
        Contradicted {
            account: alice(),
            what: "settled after it had failed".to_string(),
            on,
        }
        .into(),
        RefundAsked {
            account: alice(),
            number: 1,
            amount: money("10.00 EUR"),
            reason: "goodwill".to_string(),
            on,
        }
        .into(),
        RefundSent {
            account: alice(),
            number: 1,
            times: 1,
            on,
        }
        .into(),
        RefundLost {
            account: alice(),
            number: 1,
            why: "the connection broke".to_string(),
            on,
        }
        .into(),
        RefundAccepted {
            account: alice(),
            number: 1,
            reference: "re_7".to_string(),
            on,
        }
        .into(),
        RefundFailed {
            account: alice(),
            number: 1,
            code: "expired_card".to_string(),
            reason: "the card is gone".to_string(),
            on,
        }
        .into(),
        ChargeBackReversed {
            account: alice(),
            amount: money("52.84 EUR"),
            reason: "the dispute was won".to_string(),
            on,
        }
        .into(),
        RefundObserved {
            account: alice(),
            reference: "re_8".to_string(),
            amount: money("10.00 EUR"),
            reason: "requested_by_customer".to_string(),
            on,
        }
        .into(),
        Acknowledged {
            account: alice(),
            note: "the provider corrected it".to_string(),
            on,
        }
        .into(),
    ];
    events.into_iter().map(Event::Payment).collect()
}

fn collections() -> Vec<Event> {
    let on = date("2026-02-15");
    let payment = || "collection-1.1".to_string();
    let events: Vec<collections::Event> = vec![
        Opened {
            account: alice(),
            invoice: Some("run-2.alice".to_string()),
            why: Why::Due,
            rules: rules(),
            on,
        }
        .into(),
        Attempted {
            account: alice(),
            payment: payment(),
            method: "card".to_string(),
            amount: money("62.84 EUR"),
            on,
        }
        .into(),
        Refused {
            account: alice(),
            payment: payment(),
            kind: FailureKind::Soft,
            code: "insufficient_funds".to_string(),
            on,
        }
        .into(),
        Planned {
            account: alice(),
            next: date("2026-02-17"),
            method: "card".to_string(),
        }
        .into(),
        Collected {
            account: alice(),
            payment: payment(),
            on: date("2026-02-17"),
        }
        .into(),
        GivenUp {
            account: alice(),
            reason: "every method was tried".to_string(),
            on: date("2026-02-21"),
        }
        .into(),
        Closed {
            account: alice(),
            reason: "nothing is open any more".to_string(),
            on: date("2026-02-22"),
        }
        .into(),
        Drawn {
            account: alice(),
            attempt: "collection-1.2".to_string(),
            method: "purse".to_string(),
            wallet: "wallet-1".to_string(),
            asked: money("62.84 EUR"),
            failure: Some(FailureKind::Hard),
            parts: vec![DrawnPart {
                invoice: "run-2.alice".to_string(),
                amount: money("50.00 EUR"),
            }],
            on,
        }
        .into(),
    ];
    events.into_iter().map(Event::Collection).collect()
}
