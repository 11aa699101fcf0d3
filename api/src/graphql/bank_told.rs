//! What a bank tells before it books, and what it takes for its work.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::bank::account::Expected;
use indelible_domain::bank::{self as domain};
use indelible_domain::command::Command;
use indelible_domain::journal::Ledger;

use super::bank::{BankAccountPayload, find_account};
use super::desk;
use super::ids;
use super::scalars::{Date, Money};
use crate::auth::Scope;

/// Where a file or payment stands at the bank.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(name = "BankStatus", remote = "domain::Status")]
pub enum BankStatus {
    /// Received, or not decided.
    Pending,
    /// Checked and taken on; nothing has moved.
    Accepted,
    /// Parts of it are refused.
    Partly,
    /// The money has moved.
    Settled,
    Rejected,
}

/// What a bank said of a file or payment before it booked it.
#[derive(SimpleObject)]
pub struct BankVerdict {
    status: BankStatus,
    /// ISO reason code such as AC04, or the bank's own; empty: none was given.
    code: String,
    /// The code in words.
    reason: String,
    /// Another try may succeed.
    retry: bool,
}

impl BankVerdict {
    pub(super) fn new(verdict: &domain::Verdict) -> BankVerdict {
        BankVerdict {
            status: verdict.status.into(),
            code: verdict.code.clone(),
            reason: verdict.reason.clone(),
            retry: verdict.retry,
        }
    }
}

/// An entry that a bank told of during the day and has not stated yet.
#[derive(SimpleObject)]
pub struct ExpectedBankEntry {
    /// Positive: money comes in.
    amount: Money,
    /// The bank has not booked it.
    pending: bool,
    /// The day it is booked, or is expected to be.
    on: Date,
    /// The bank's transaction code.
    code: String,
    /// What the bank calls our payment, if it is one of ours.
    end_to_end: Option<String>,
}

impl ExpectedBankEntry {
    pub(super) fn new(expected: &Expected) -> ExpectedBankEntry {
        ExpectedBankEntry {
            amount: Money(expected.amount),
            pending: expected.pending,
            on: Date(expected.on),
            code: expected.code.clone(),
            end_to_end: expected.end_to_end.clone(),
        }
    }
}

/// Which account of the ledger bears what a bank takes.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub enum BankFeeLedger {
    BankFees,
    PaymentDifference,
    Goodwill,
}

impl From<BankFeeLedger> for Ledger {
    fn from(ledger: BankFeeLedger) -> Ledger {
        match ledger {
            BankFeeLedger::BankFees => Ledger::BankFees,
            BankFeeLedger::PaymentDifference => Ledger::PaymentDifference,
            BankFeeLedger::Goodwill => Ledger::Goodwill,
        }
    }
}

/// How what the bank takes for its work is told and posted.
#[derive(SimpleObject)]
pub struct BankFees {
    /// Words or whole transaction codes of fees; empty: the usual ones.
    codes: Vec<String>,
    /// Name of the ledger account that bears them.
    ledger: String,
    /// What a bank takes for a returned collection is charged to its payer in this tax class; none: we bear it.
    recharge: Option<String>,
}

impl BankFees {
    pub(super) fn new(rule: &domain::FeeRule) -> BankFees {
        BankFees {
            codes: rule.codes.clone(),
            ledger: rule.ledger.name().to_owned(),
            recharge: rule.recharge.clone(),
        }
    }
}

#[derive(InputObject)]
pub struct BankFeesInput {
    bank: ID,
    /// Words or whole transaction codes of fees, e.g. CHRG or PMNT-MDOP-CHRG; empty: the usual ones.
    #[graphql(default)]
    codes: Vec<String>,
    #[graphql(default_with = "BankFeeLedger::BankFees")]
    ledger: BankFeeLedger,
    /// Charge what a bank takes for a returned collection to its payer, in this tax class.
    recharge: Option<String>,
}

#[derive(Default)]
pub struct BankToldMutations;

#[Object]
impl BankToldMutations {
    /// Says which entries of statements are fees, where they are posted, and who bears them.
    async fn rule_bank_fees(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: BankFeesInput,
    ) -> Result<BankAccountPayload> {
        let bank = ids::key("bank-account", &input.bank);
        let command = Command::RuleBankFees {
            bank: bank.clone(),
            rule: domain::FeeRule {
                codes: input.codes,
                ledger: input.ledger.into(),
                recharge: input.recharge,
            },
        };
        let receipt = desk::hand_in(ctx, Scope::Admin, &idempotency_key, command).await?;
        Ok(BankAccountPayload {
            bank_account: find_account(ctx, &bank)?,
            receipt,
        })
    }
}
