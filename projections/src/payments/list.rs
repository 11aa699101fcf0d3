//! Payments: asked for, received, failed, given back.

use indelible_domain::kernel::{Date, Id, Money};
use indelible_domain::payments::{Event as Fact, Stage};
use indelible_domain::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::{Page, Projection, Rows, Snapshot, ViewError};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    pub payment: Id,
    pub account: Id,
    pub amount: Money,
    /// The invoice it was meant for; none: oldest due date first.
    pub invoice: Option<Id>,
    pub method: String,
    pub stage: Stage,
    pub recorded_on: Date,
    pub settled_on: Option<Date>,
    pub refunded: Money,
    pub charged_back: Money,
    /// Why it failed.
    pub failure: Option<String>,
    /// The provider that is asked for it; none: it is recorded by hand.
    pub gateway: Option<String>,
    /// What the provider calls it.
    pub reference: Option<String>,
    /// The day from which the bank counts the money.
    pub value: Option<Date>,
}

/// See [`Payment`]. Rows: `p/payment`; `o/position` its id; `a/account/position` its id.
pub struct Payments;

fn key(payment: &str) -> String {
    format!("p/{payment}")
}

impl Projection for Payments {
    const NAME: &'static str = "payments/list";
    const VERSION: u32 = 3;
    const KINDS: &'static [&'static str] = &["payment"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let Event::Payment(fact) = &recorded.event else {
            return Ok(());
        };
        let (id, at) = (&recorded.id, recorded.position);
        if let Fact::Recorded(e) = fact {
            let row = Payment {
                payment: id.clone(),
                account: e.account.clone(),
                amount: e.amount,
                invoice: e.invoice.clone(),
                method: e.method.clone(),
                stage: Stage::Pending,
                recorded_on: e.on,
                settled_on: None,
                refunded: Money::zero(e.amount.currency),
                charged_back: Money::zero(e.amount.currency),
                failure: None,
                gateway: None,
                reference: None,
                value: None,
            };
            rows.put(&format!("o/{at:020}"), id)?;
            rows.put(&format!("a/{}/{at:020}", e.account), id)?;
            return rows.put(&key(id), &row);
        }
        rows.change(&key(id), |row: &mut Payment| {
            match fact {
                Fact::Routed(e) => {
                    row.stage = Stage::Created;
                    row.gateway = Some(e.gateway.clone());
                }
                Fact::Reduced(e) => row.amount = e.amount,
                Fact::Sent(_) => row.stage = Stage::Sent,
                Fact::Accepted(e) => {
                    row.stage = Stage::Pending;
                    row.reference = Some(e.reference.clone());
                }
                Fact::ActionAsked(e) => {
                    row.stage = Stage::ActionRequired;
                    row.reference = Some(e.reference.clone());
                }
                Fact::AnswerLost(_) => row.stage = Stage::Unknown,
                Fact::Settled(e) => {
                    row.stage = Stage::Settled;
                    row.settled_on = Some(e.on);
                    row.value = Some(e.value);
                    row.failure = None;
                    row.reference = e.reference.clone().or(row.reference.take());
                }
                Fact::Failed(e) => {
                    row.stage = Stage::Failed;
                    row.failure = Some(e.reason.clone());
                    row.reference = e.reference.clone().or(row.reference.take());
                }
                Fact::Refunded(e) => row.refunded = row.refunded.plus(e.amount),
                Fact::RefundObserved(e) => row.refunded = row.refunded.plus(e.amount),
                Fact::ChargedBack(e) => row.charged_back = row.charged_back.plus(e.amount),
                Fact::ChargeBackReversed(e) => {
                    row.charged_back = row.charged_back.minus(e.amount);
                    row.stage = Stage::Settled;
                }
                Fact::Recorded(_)
                | Fact::Contradicted(_)
                | Fact::Acknowledged(_)
                | Fact::RefundAsked(_)
                | Fact::RefundSent(_)
                | Fact::RefundAccepted(_)
                | Fact::RefundLost(_)
                | Fact::RefundFailed(_) => {}
            }
            if row.refunded.plus(row.charged_back) == row.amount {
                row.stage = Stage::Returned;
            }
        })
    }
}

/// One payment.
pub fn get(snapshot: &Snapshot<'_>, payment: &str) -> Result<Option<Payment>, ViewError> {
    snapshot.get::<Payments, _>(&key(payment))
}

/// Payments of one account, or of all, in the order they were recorded.
pub fn page(
    snapshot: &Snapshot<'_>,
    account: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Payment>, ViewError> {
    let prefix = account.map_or("o/".to_string(), |account| format!("a/{account}/"));
    let found = snapshot.page::<Payments, Id>(&prefix, after, limit)?;
    found.look_up(|id| get(snapshot, id))
}
