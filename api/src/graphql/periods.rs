//! Accounting periods: closing the books, and opening them again.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::Command;
use indelible_domain::entities::{self, Closing, Late};

use super::accounts::{LegalEntity, LegalEntityPayload};
use super::desk;
use super::scalars::Date;
use super::{errors, ids};
use crate::auth::Scope;

/// What becomes of a posting that is dated in a closed period.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum LatePostings {
    /// Refused with PERIOD_CLOSED, the command and all.
    Refuse,
    /// Posted on the first open day.
    FirstDay,
    /// Posted on the first such weekday of the first open month.
    FirstWeekday,
    /// Posted on this day of the first open month, on its last one if it is shorter.
    Day,
}

/// Where the open periods of a legal entity begin.
#[derive(SimpleObject)]
pub struct ClosedPeriods {
    /// The first open day.
    open_from: Date,
    late: LatePostings,
    /// The weekday (1 is Monday) or the day of the month of the rule.
    number: Option<u32>,
}

impl From<Closing> for ClosedPeriods {
    fn from(closing: Closing) -> ClosedPeriods {
        let (late, number) = match closing.late {
            Late::Refuse => (LatePostings::Refuse, None),
            Late::FirstDay => (LatePostings::FirstDay, None),
            Late::FirstWeekday(day) => (LatePostings::FirstWeekday, Some(day.into())),
            Late::Day(day) => (LatePostings::Day, Some(day.into())),
        };
        ClosedPeriods {
            open_from: Date(closing.open_from),
            late,
            number,
        }
    }
}

#[derive(InputObject)]
pub struct ClosePeriodInput {
    entity: ID,
    /// The first day that stays open; everything before it is closed.
    open_from: Date,
    late: LatePostings,
    /// The weekday (1 is Monday) of FIRST_WEEKDAY, the day of the month of DAY.
    number: Option<u32>,
}

#[derive(InputObject)]
pub struct ReopenPeriodInput {
    entity: ID,
    open_from: Date,
    reason: String,
}

#[derive(Default)]
pub struct PeriodMutations;

#[Object]
impl PeriodMutations {
    /// Closes the books of a legal entity for every day before `openFrom`. Days after today cannot be closed. Scope admin.
    async fn close_period(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: ClosePeriodInput,
    ) -> Result<LegalEntityPayload> {
        let number = || {
            let number = input.number.and_then(|number| u8::try_from(number).ok());
            number.ok_or_else(|| {
                errors::refused(
                    "PERIOD_RULE_INVALID",
                    "the rule needs a number: a weekday from 1, Monday, or a day of the month",
                )
            })
        };
        let late = match input.late {
            LatePostings::Refuse => Late::Refuse,
            LatePostings::FirstDay => Late::FirstDay,
            LatePostings::FirstWeekday => Late::FirstWeekday(number()?),
            LatePostings::Day => Late::Day(number()?),
        };
        let key = ids::key("entity", &input.entity);
        let closing = entities::Closing {
            open_from: input.open_from.0,
            late,
        };
        let entity = key.clone();
        let command = Command::ClosePeriod { entity, closing };
        done(ctx, &idempotency_key, key, command).await
    }

    /// Opens days again that were closed. Scope admin.
    async fn reopen_period(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: ReopenPeriodInput,
    ) -> Result<LegalEntityPayload> {
        let key = ids::key("entity", &input.entity);
        let command = Command::ReopenPeriod {
            entity: key.clone(),
            open_from: input.open_from.0,
            reason: input.reason,
        };
        done(ctx, &idempotency_key, key, command).await
    }
}

async fn done(
    ctx: &Context<'_>,
    idempotency_key: &str,
    key: String,
    command: Command,
) -> Result<LegalEntityPayload> {
    let receipt = desk::hand_in(ctx, Scope::Admin, idempotency_key, command).await?;
    Ok(LegalEntityPayload {
        entity: LegalEntity::find(ctx, &key)?,
        receipt,
    })
}
