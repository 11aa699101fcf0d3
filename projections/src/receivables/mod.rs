//! Read models about what is owed.

pub mod aging;
pub mod open_items;
pub mod statement;

use indelible_domain::kernel::{Id, Money};
use indelible_domain::receivables::Event;

/// What a fact does to an account's open items and credit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// (invoice, change of its open amount).
    pub open: Vec<(Id, Money)>,
    /// Change of the unapplied credit.
    pub unapplied: Option<Money>,
}

/// The one place that says how facts move open amounts and credit (policy 28).
pub(crate) fn effects(event: &Event) -> Effects {
    let item = |invoice: &Id, by: Money| Effects {
        open: vec![(invoice.clone(), by)],
        unapplied: None,
    };
    let credit = |by: Money| Effects {
        open: vec![],
        unapplied: Some(by),
    };
    match event {
        Event::PaymentExpected(_)
        | Event::PaymentDropped(_)
        | Event::Remitted(_)
        | Event::CreditHeld(_)
        | Event::CreditReleased(_)
        | Event::Exchanged(_)
        | Event::Disputed(_)
        | Event::DisputeEnded(_)
        | Event::PlanAgreed(_)
        | Event::PlanEnded(_) => Effects::default(),
        Event::Matched(e) => Effects {
            open: e
                .parts
                .iter()
                .map(|part| (part.invoice.clone(), part.amount.negated()))
                .collect(),
            unapplied: e
                .parts
                .iter()
                .map(|part| part.amount.negated())
                .reduce(Money::plus),
        },
        Event::Unmatched(e) => Effects {
            unapplied: Some(e.amount),
            ..item(&e.invoice, e.amount)
        },
        Event::Allowed(e) => item(&e.invoice, e.amount.negated()),
        Event::AllowanceReversed(e) => item(&e.invoice, e.amount),
        Event::DepositTaken(e) => credit(e.amount.negated()),
        Event::DepositReleased(e) => credit(e.amount),
        Event::CreditMoved(e) => credit(e.amount.negated()),
        Event::CreditMovedBack(e) => credit(e.amount),
        Event::CreditPaidOut(e) => credit(e.amount.negated()),
        Event::ClaimOpened(e) => item(&e.claim, e.total),
        Event::ClaimEnded(e) => item(&e.claim, e.amount.negated()),
        Event::PaymentRestored(e) => Effects {
            open: e
                .applied
                .iter()
                .map(|part| (part.invoice.clone(), part.amount.negated()))
                .collect(),
            unapplied: Some(e.unapplied),
        },
        Event::ItemOpened(e) => item(&e.invoice, e.total),
        Event::PaymentApplied(e) => Effects {
            open: e
                .applied
                .iter()
                .map(|part| (part.invoice.clone(), part.amount.negated()))
                .collect(),
            unapplied: Some(e.unapplied),
        },
        Event::PaymentUnapplied(e) => Effects {
            open: e
                .reopened
                .iter()
                .map(|part| (part.invoice.clone(), part.amount))
                .collect(),
            unapplied: Some(e.unapplied.negated()),
        },
        Event::CreditGranted(e) => credit(e.amount),
        Event::CreditWithdrawn(e) => credit(e.amount.negated()),
        Event::CreditApplied(e) => Effects {
            unapplied: Some(e.amount.negated()),
            ..item(&e.invoice, e.amount.negated())
        },
        Event::CreditReturned(e) => Effects {
            unapplied: Some(e.amount),
            ..item(&e.invoice, e.amount)
        },
        Event::ItemCredited(e) => item(&e.invoice, e.amount.negated()),
        Event::ItemVoided(e) => item(&e.invoice, e.open.negated()),
        Event::WrittenOff(e) => item(&e.invoice, e.amount.negated()),
        Event::WriteOffReversed(e) => item(&e.invoice, e.amount),
    }
}
