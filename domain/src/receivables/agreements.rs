//! Disputes and payment plans: what is not asked for yet, and when it will be. No money moves.

use super::work::Work;
use crate::kernel::{Date, Id, Money, Rejection};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most instalments of a plan.
pub const INSTALMENTS_MAX: usize = 120;

/// Most days of grace of a plan.
pub const GRACE_DAYS_MAX: u32 = 365;

/// Most open disputes of one invoice.
pub const DISPUTES_MAX: usize = 20;

/// The payer says that this much of an invoice is not owed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disputed {
    pub dispute: Id,
    pub invoice: Id,
    pub amount: Money,
    pub reason: String,
}

/// The dispute is over. What was given in to is credited by a credit note of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DisputeEnded {
    pub dispute: Id,
    pub invoice: Id,
    /// The payer was right.
    pub upheld: bool,
    pub reason: String,
}

/// One open dispute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispute {
    pub id: Id,
    pub amount: Money,
    pub reason: String,
}

/// So much by a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instalment {
    pub due: Date,
    pub amount: Money,
}

/// An invoice's share of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    pub invoice: Id,
    /// In the order of their days; they sum to what was open undisputed.
    pub instalments: Vec<Instalment>,
}

/// Invoices will be paid in instalments: their days take the place of the due dates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanAgreed {
    pub plan: Id,
    pub planned: Vec<Planned>,
    /// Days that an instalment may be late before the plan is broken.
    pub grace_days: u32,
    pub on: Date,
}

/// How a plan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanEnd {
    /// Everything was paid.
    Kept,
    /// An instalment was not paid in time.
    Broken,
    Cancelled,
}

/// A plan is over: the due dates of the invoices hold again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanEnded {
    pub plan: Id,
    pub end: PlanEnd,
    pub reason: String,
    /// The day on which it was broken, else of the decision; none: everything was paid.
    pub on: Option<Date>,
}

/// A plan in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub grace_days: u32,
    pub agreed: Date,
}

impl Work {
    /// No amount: all that is open and not disputed yet.
    pub fn dispute(
        &mut self,
        dispute: Id,
        invoice: Id,
        amount: Option<Money>,
        reason: String,
    ) -> Result<(), Rejection> {
        let item = self.item(&invoice)?;
        let undisputed = item.undisputed();
        let amount = amount.unwrap_or(undisputed);
        if amount.currency != undisputed.currency || amount.minor > undisputed.minor {
            let why = format!(
                "{undisputed} of invoice {} is open and undisputed, asked to dispute {amount}",
                item.number
            );
            return Err(Rejection::new("DISPUTE_TOO_LARGE", why));
        }
        let known = |i: &Arc<super::Item>| i.disputes.iter().any(|d| d.id == dispute);
        if self.next.items.iter().any(known) {
            let why = format!("dispute {dispute} is open already");
            return Err(Rejection::new("DISPUTE_EXISTS", why));
        }
        if item.disputes.len() >= DISPUTES_MAX {
            let why = format!("an invoice has at most {DISPUTES_MAX} open disputes");
            return Err(Rejection::new("TOO_MANY_DISPUTES", why));
        }
        self.check("disputed amount", amount)?;
        self.say(Disputed {
            dispute,
            invoice,
            amount,
            reason,
        });
        Ok(())
    }

    pub fn end_dispute(
        &mut self,
        dispute: &str,
        upheld: bool,
        reason: String,
    ) -> Result<(), Rejection> {
        let known = |i: &&Arc<super::Item>| i.disputes.iter().any(|d| d.id == dispute);
        let Some(item) = self.next.items.iter().find(known) else {
            let why = format!("no dispute {dispute:?} is open");
            return Err(Rejection::new("DISPUTE_UNKNOWN", why));
        };
        let invoice = item.invoice.clone();
        self.say(DisputeEnded {
            dispute: dispute.to_string(),
            invoice,
            upheld,
            reason,
        });
        Ok(())
    }

    /// Spreads what is open undisputed of the invoices over instalments, oldest invoice first.
    pub fn plan(
        &mut self,
        plan: Id,
        invoices: &[Id],
        mut instalments: Vec<Instalment>,
        grace_days: u32,
        on: Date,
    ) -> Result<(), Rejection> {
        let invalid = |why: String| Err(Rejection::new("PLAN_INVALID", why));
        if self.next.plans.contains_key(&plan) {
            let why = format!("payment plan {plan} is in force already");
            return Err(Rejection::new("PLAN_EXISTS", why));
        }
        if instalments.is_empty() || instalments.len() > INSTALMENTS_MAX {
            let given = instalments.len();
            return invalid(format!(
                "{given} instalments given, 1 to {INSTALMENTS_MAX} allowed"
            ));
        }
        if grace_days > GRACE_DAYS_MAX {
            return invalid(format!(
                "{grace_days} days of grace given, at most {GRACE_DAYS_MAX}"
            ));
        }
        instalments.sort_by_key(|i| i.due);
        for instalment in &instalments {
            self.check("instalment", instalment.amount)?;
            if instalment.due < on {
                return invalid(format!(
                    "an instalment of {} is over already",
                    instalment.due
                ));
            }
        }
        let mut owed: Vec<(Id, Money)> = Vec::new();
        for item in self
            .next
            .open_items()
            .filter(|i| invoices.contains(&i.invoice))
        {
            if item.plan.is_some() {
                return invalid(format!("invoice {} is in a plan already", item.number));
            }
            if item.undisputed().is_positive() {
                owed.push((item.invoice.clone(), item.undisputed()));
            }
        }
        if owed.is_empty() && invoices.is_empty() {
            return invalid("a plan is for at least one invoice".to_string());
        }
        if let Some(invoice) = invoices.iter().find(|i| owed.iter().all(|(o, _)| o != *i)) {
            let why = format!("nothing is open and undisputed of invoice {invoice:?}");
            return Err(Rejection::new("INVOICE_NOT_OPEN", why));
        }
        let sum = |parts: &mut dyn Iterator<Item = Money>| Money::sum(self.next.currency, parts);
        let total = sum(&mut owed.iter().map(|(_, m)| *m));
        let agreed = sum(&mut instalments.iter().map(|i| i.amount));
        if total != agreed {
            return invalid(format!(
                "instalments of {agreed} are not the {total} that is open"
            ));
        }
        let mut planned = Vec::new();
        let mut rest = instalments.into_iter();
        let mut current = rest.next();
        for (invoice, mut open) in owed {
            let mut own = Vec::new();
            while let Some(instalment) = current.as_mut().filter(|_| open.is_positive()) {
                let amount = open.min(instalment.amount);
                own.push(Instalment {
                    due: instalment.due,
                    amount,
                });
                open = open.minus(amount);
                instalment.amount = instalment.amount.minus(amount);
                if instalment.amount.is_zero() {
                    current = rest.next();
                }
            }
            planned.push(Planned {
                invoice,
                instalments: own,
            });
        }
        self.say(PlanAgreed {
            plan,
            planned,
            grace_days,
            on,
        });
        Ok(())
    }

    pub fn cancel_plan(&mut self, plan: &str, reason: String, on: Date) -> Result<(), Rejection> {
        if !self.next.plans.contains_key(plan) {
            let why = format!("no payment plan {plan:?} is in force");
            return Err(Rejection::new("PLAN_UNKNOWN", why));
        }
        self.say(PlanEnded {
            plan: plan.to_string(),
            end: PlanEnd::Cancelled,
            reason,
            on: Some(on),
        });
        Ok(())
    }

    /// Ends every plan that is broken by a day. Asked before money of that day is applied, and by the clock: when the
    /// clock comes late, the same plans end, with the same day.
    pub fn check_plans(&mut self, on: Date) {
        let plans: Vec<Id> = self.next.plans.keys().cloned().collect();
        for plan in plans {
            if let Some(broken) = self.next.broken_on(&plan).filter(|broken| *broken <= on) {
                self.say(PlanEnded {
                    plan,
                    end: PlanEnd::Broken,
                    reason: "an instalment was not paid".to_string(),
                    on: Some(broken),
                });
            }
        }
    }

    /// Plans of which nothing is open any more were kept.
    pub fn end_kept_plans(&mut self) {
        let plans: Vec<Id> = self.next.plans.keys().cloned().collect();
        for plan in plans {
            let open =
                |i: &Arc<super::Item>| i.plan.as_ref() == Some(&plan) && i.open.is_positive();
            if !self.next.items.iter().any(open) {
                self.say(PlanEnded {
                    plan,
                    end: PlanEnd::Kept,
                    reason: "everything is paid".to_string(),
                    on: None,
                });
            }
        }
    }
}
