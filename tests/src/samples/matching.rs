//! What is known of payments, and what is matched, agreed and moved by hand.

use super::{date, decimal, money};
use indelible_domain::Event;
use indelible_domain::cash::{
    self, Allocated, EarlyPayment, Received, Returned, Rule, Rules, RulesSet, Tolerance,
};
use indelible_domain::receivables::{
    self, AllowanceReversed, Allowed, ClaimEnded, ClaimOpened, CreditHeld, CreditMoved,
    CreditMovedBack, CreditPaidOut, CreditReleased, DepositReleased, DepositTaken, DisputeEnded,
    Disputed, Exchanged, Found, Instalment, MatchPart, Matched, Part, PaymentRestored, PlanAgreed,
    PlanEnd, PlanEnded, Planned, Remitted, Source, Unmatched, Why,
};

pub(super) fn events() -> Vec<Event> {
    [cash(), matches(), agreements(), moves()].concat()
}

fn payment() -> String {
    "payment-1".to_string()
}

fn invoice() -> String {
    "run-2.alice".to_string()
}

fn cash() -> Vec<Event> {
    let events: Vec<cash::Event> = vec![
        Received {
            payment: payment(),
            amount: money("62.84 EUR"),
            value_date: date("2026-02-10"),
            reference: "2026-000001".to_string(),
            payer: Some("hash".to_string()),
            method: "transfer".to_string(),
            candidates: vec!["alice".to_string(), "bob".to_string()],
            on: date("2026-02-11"),
        }
        .into(),
        Allocated {
            payment: payment(),
            account: "alice".to_string(),
            amount: money("62.84 EUR"),
            on: date("2026-02-12"),
        }
        .into(),
        Returned {
            payment: payment(),
            amount: money("62.84 EUR"),
            reason: "not for us".to_string(),
            on: date("2026-02-12"),
        }
        .into(),
        RulesSet {
            rules: Rules {
                order: vec![Rule::Reference, Rule::ExactAmount, Rule::OldestDue],
                tolerance: Some(Tolerance {
                    amount: decimal("0.50"),
                    percent: decimal("1"),
                }),
                discounts: vec![EarlyPayment {
                    days: 10,
                    percent: decimal("2"),
                }],
            },
        }
        .into(),
    ];
    events.into_iter().map(Event::Cash).collect()
}

fn matches() -> Vec<Event> {
    let source = Source::Payment(payment());
    let (amount, tax) = (money("1.26 EUR"), money("0.20 EUR"));
    let events: Vec<receivables::Event> = vec![
        Remitted {
            payment: payment(),
            value_date: date("2026-02-10"),
            reference: "2026-000001".to_string(),
            payer: Some("hash".to_string()),
            found: Found::CreditorReference,
            invoices: vec![invoice()],
            deposit: Some("deposit-1".to_string()),
        }
        .into(),
        Matched {
            parts: vec![MatchPart {
                source: Source::Grant("goodwill-1".to_string()),
                invoice: invoice(),
                amount,
            }],
        }
        .into(),
        Unmatched {
            source: source.clone(),
            invoice: invoice(),
            amount,
        }
        .into(),
        CreditHeld {
            source: source.clone(),
            amount,
        }
        .into(),
        CreditReleased {
            sources: vec![source.clone()],
            invoices: vec![invoice()],
        }
        .into(),
        Allowed {
            invoice: invoice(),
            source: source.clone(),
            why: Why::EarlyPayment,
            amount,
            tax,
        }
        .into(),
        AllowanceReversed {
            invoice: invoice(),
            source,
            why: Why::Difference,
            amount,
            tax,
        }
        .into(),
        Exchanged {
            payment: payment(),
            paid: money("70.00 USD"),
            rate: decimal("0.92"),
            worth: money("64.40 EUR"),
            settled: money("62.84 EUR"),
        }
        .into(),
    ];
    events.into_iter().map(Event::Receivable).collect()
}

fn agreements() -> Vec<Event> {
    let instalment = Instalment {
        due: date("2026-04-01"),
        amount: money("31.42 EUR"),
    };
    let events: Vec<receivables::Event> = vec![
        Disputed {
            dispute: "dispute-1".to_string(),
            invoice: invoice(),
            amount: money("10.00 EUR"),
            reason: "never ordered".to_string(),
        }
        .into(),
        DisputeEnded {
            dispute: "dispute-1".to_string(),
            invoice: invoice(),
            upheld: true,
            reason: "a mistake of ours".to_string(),
        }
        .into(),
        PlanAgreed {
            plan: "plan-1".to_string(),
            planned: vec![Planned {
                invoice: invoice(),
                instalments: vec![instalment],
            }],
            grace_days: 5,
            on: date("2026-03-01"),
        }
        .into(),
        PlanEnded {
            plan: "plan-1".to_string(),
            end: PlanEnd::Broken,
            reason: "an instalment was not paid".to_string(),
            on: Some(date("2026-04-07")),
        }
        .into(),
    ];
    events.into_iter().map(Event::Receivable).collect()
}

fn moves() -> Vec<Event> {
    let source = Source::Transfer("transfer-1".to_string());
    let (amount, reason) = (money("25.00 EUR"), "asked for".to_string());
    let events: Vec<receivables::Event> = vec![
        DepositTaken {
            deposit: "deposit-1".to_string(),
            source: Source::Wallet("purse/run-2.alice".to_string()),
            amount,
            reason: reason.clone(),
        }
        .into(),
        DepositReleased {
            deposit: "deposit-1".to_string(),
            source: source.clone(),
            amount,
            reason: reason.clone(),
        }
        .into(),
        CreditMoved {
            transfer: "transfer-1".to_string(),
            source: source.clone(),
            amount,
            to: "bob".to_string(),
            reason: reason.clone(),
        }
        .into(),
        CreditMovedBack {
            transfer: "transfer-1".to_string(),
            source: source.clone(),
            amount,
        }
        .into(),
        CreditPaidOut {
            refund: "refund-1".to_string(),
            source,
            amount,
            reason,
        }
        .into(),
        ClaimOpened {
            claim: "transfer-2".to_string(),
            number: "2026-000001".to_string(),
            invoice: invoice(),
            issued: date("2026-02-01"),
            due: date("2026-02-15"),
            total: amount,
            from: "alice".to_string(),
        }
        .into(),
        PaymentRestored {
            payment: payment(),
            amount,
            applied: vec![Part {
                invoice: invoice(),
                amount: money("20.00 EUR"),
            }],
            unapplied: money("5.00 EUR"),
        }
        .into(),
        ClaimEnded {
            claim: "transfer-2".to_string(),
            amount,
            reason: "its invoice is void".to_string(),
        }
        .into(),
    ];
    events.into_iter().map(Event::Receivable).collect()
}
