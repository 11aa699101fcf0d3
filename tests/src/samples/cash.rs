//! Payments, and what they and credit do to the open items of an account.

use super::{date, money};
use indelible_domain::Event;
use indelible_domain::command::FailureKind;
use indelible_domain::payments::{self, ChargedBack, Failed, Recorded, Refunded, Settled};
use indelible_domain::receivables::{
    self, CreditApplied, CreditGranted, CreditReturned, CreditWithdrawn, ItemCredited, ItemOpened,
    ItemVoided, Part, PaymentApplied, PaymentDropped, PaymentExpected, PaymentUnapplied, Reversal,
    Source, WriteOffReversed, WrittenOff,
};

pub(super) fn events() -> Vec<Event> {
    [payments(), receivables()].concat()
}

fn alice() -> String {
    "alice".to_string()
}

fn payment() -> String {
    "payment-1".to_string()
}

fn invoice() -> String {
    "run-2.alice".to_string()
}

fn payments() -> Vec<Event> {
    let events: Vec<payments::Event> = vec![
        Recorded {
            account: alice(),
            amount: money("62.84 EUR"),
            invoice: Some(invoice()),
            method: "sepa".to_string(),
            pending: true,
            on: date("2026-02-10"),
        }
        .into(),
        Settled {
            account: alice(),
            amount: money("62.84 EUR"),
            on: date("2026-02-12"),
            value: date("2026-02-11"),
            reference: Some("pi_7".to_string()),
        }
        .into(),
        Failed {
            account: alice(),
            kind: FailureKind::Hard,
            reason: "account closed".to_string(),
            on: date("2026-02-12"),
            code: Some("AC04".to_string()),
            reference: Some("E2E-7".to_string()),
        }
        .into(),
        Refunded {
            account: alice(),
            amount: money("10.00 EUR"),
            reason: "goodwill".to_string(),
            on: date("2026-03-01"),
            number: Some(1),
            reference: Some("re_7".to_string()),
        }
        .into(),
        ChargedBack {
            account: alice(),
            amount: money("52.84 EUR"),
            reason: "disputed".to_string(),
            on: date("2026-03-02"),
        }
        .into(),
    ];
    events.into_iter().map(Event::Payment).collect()
}

fn receivables() -> Vec<Event> {
    let part = |amount| Part {
        invoice: invoice(),
        amount: money(amount),
    };
    let events: Vec<receivables::Event> = vec![
        ItemOpened {
            invoice: invoice(),
            number: "NL-2026-000007".to_string(),
            issued: date("2026-02-01"),
            due: date("2026-02-15"),
            total: money("62.84 EUR"),
        }
        .into(),
        PaymentExpected {
            payment: payment(),
            amount: money("70.00 EUR"),
            invoices: vec![invoice(), "run-3.alice".to_string()],
        }
        .into(),
        PaymentDropped { payment: payment() }.into(),
        PaymentApplied {
            payment: payment(),
            amount: money("70.00 EUR"),
            applied: vec![part("62.84 EUR")],
            unapplied: money("7.16 EUR"),
        }
        .into(),
        PaymentUnapplied {
            payment: payment(),
            why: Reversal::ChargeBack,
            amount: money("70.00 EUR"),
            unapplied: money("7.16 EUR"),
            reopened: vec![part("62.84 EUR")],
        }
        .into(),
        CreditGranted {
            source: Source::Grant("credit-1".to_string()),
            amount: money("5.00 EUR"),
            reason: "goodwill".to_string(),
        }
        .into(),
        CreditApplied {
            source: Source::Payment(payment()),
            invoice: invoice(),
            amount: money("7.16 EUR"),
        }
        .into(),
        CreditReturned {
            source: Source::Note("note-1".to_string()),
            invoice: invoice(),
            amount: money("11.90 EUR"),
        }
        .into(),
        CreditWithdrawn {
            source: Source::Note("note-1".to_string()),
            amount: money("11.90 EUR"),
        }
        .into(),
        ItemCredited {
            invoice: invoice(),
            note: "note-1".to_string(),
            amount: money("11.90 EUR"),
        }
        .into(),
        ItemVoided {
            invoice: invoice(),
            open: money("50.94 EUR"),
        }
        .into(),
        WrittenOff {
            invoice: invoice(),
            amount: money("50.94 EUR"),
            reason: "dunning".to_string(),
        }
        .into(),
        WriteOffReversed {
            invoice: invoice(),
            amount: money("50.94 EUR"),
            reason: "paid after all".to_string(),
        }
        .into(),
    ];
    events.into_iter().map(Event::Receivable).collect()
}
