//! Prices that are invoiced in parts.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::Command;
use indelible_domain::milestones as domain;

use super::books::{Books, Cut};
use super::desk::{self, Receipt};
use super::ids;
use super::scalars::{Date, Decimal, Money};
use crate::auth::Scope;

/// A price that is invoiced in parts, as they are reached or their days come.
#[derive(SimpleObject)]
pub struct MilestonePlan {
    /// The id without its kind.
    key: String,
    /// Key of the account.
    account: String,
    /// Key of the subscription whose charges they are.
    subscription: Option<String>,
    text: String,
    total: Option<Money>,
    tax_class: String,
    /// Why the rest is not asked for.
    cancelled: Option<String>,
    milestones: Vec<PlannedMilestone>,
}

/// One part of the total.
#[derive(SimpleObject)]
pub struct PlannedMilestone {
    code: String,
    text: String,
    /// In percent of the total.
    share: Decimal,
    amount: Option<Money>,
    /// The day from which it is due; none: not reached.
    due: Option<Date>,
    /// Id of the charge that it becomes.
    charge: String,
}

#[derive(InputObject)]
pub struct MilestoneInput {
    code: String,
    /// What the line says.
    text: String,
    /// In percent of the total, with at most four decimals; all make 100.
    share: Decimal,
    /// The day on which it is due by itself; none: when it is reached.
    on: Option<Date>,
}

#[derive(InputObject)]
pub struct MilestonePlanInput {
    /// Chosen by you.
    id: ID,
    account: ID,
    subscription: Option<ID>,
    text: String,
    /// Net.
    total: Money,
    #[graphql(default_with = "\"standard\".to_owned()")]
    tax_class: String,
    milestones: Vec<MilestoneInput>,
}

#[derive(SimpleObject)]
pub struct MilestonePlanPayload {
    plan: Option<MilestonePlan>,
    receipt: Receipt,
}

/// As it is now, or as a dry run would leave it.
fn find(books: &Books, key: &str, cut: &Cut) -> Option<MilestonePlan> {
    let known = books.find_tried::<domain::Milestones>(key, cut)?;
    let plan = known.state.plan.as_ref()?;
    let amounts = plan.amounts().unwrap_or_default();
    let part = |(n, milestone): (usize, &domain::Milestone)| PlannedMilestone {
        code: milestone.code.clone(),
        text: milestone.text.clone(),
        share: Decimal(milestone.share),
        amount: amounts.get(n).copied().map(Money),
        due: known.state.reached.get(&milestone.code).copied().map(Date),
        charge: domain::charge(key, &milestone.code),
    };
    Some(MilestonePlan {
        key: key.to_owned(),
        account: plan.account.clone(),
        subscription: plan.subscription.clone(),
        text: plan.text.clone(),
        total: plan.total.map(Money),
        tax_class: plan.tax_class.clone(),
        cancelled: known.state.cancelled.clone(),
        milestones: plan.milestones.iter().enumerate().map(part).collect(),
    })
}

async fn done(
    ctx: &Context<'_>,
    idempotency_key: &str,
    key: &str,
    command: Command,
    dry_run: bool,
) -> Result<MilestonePlanPayload> {
    let receipt =
        desk::hand_in_or_try(ctx, Scope::Operate, idempotency_key, command, dry_run).await?;
    Ok(MilestonePlanPayload {
        plan: find(&Books::of(ctx)?, key, &receipt.cut()),
        receipt,
    })
}

#[derive(Default)]
pub struct MilestoneQueries;

#[Object]
impl MilestoneQueries {
    async fn milestone_plan(&self, ctx: &Context<'_>, id: ID) -> Result<Option<MilestonePlan>> {
        let key = ids::key("milestone", &id);
        Ok(find(&Books::of(ctx)?, &key, &Cut::now()))
    }
}

#[derive(Default)]
pub struct MilestoneMutations;

#[Object]
impl MilestoneMutations {
    /// Agrees a price that is invoiced in parts. A part with a day is due on it, one without when it is reached.
    async fn agree_milestones(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: MilestonePlanInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<MilestonePlanPayload> {
        let key = ids::key("milestone", &input.id);
        let part = |milestone: MilestoneInput| domain::Milestone {
            code: milestone.code,
            text: milestone.text,
            share: milestone.share.0,
            on: milestone.on.map(|on| on.0),
        };
        let terms = domain::Plan {
            account: ids::key("account", &input.account),
            subscription: input.subscription.map(|s| ids::key("subscription", &s)),
            text: input.text,
            total: Some(input.total.0),
            tax_class: input.tax_class,
            milestones: input.milestones.into_iter().map(part).collect(),
        };
        let command = Command::AgreeMilestones {
            plan: key.clone(),
            terms: Box::new(terms),
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Says that a milestone is reached: its part is a charge from `on` on, today if nothing is said.
    async fn reach_milestone(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        milestone: String,
        on: Option<Date>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<MilestonePlanPayload> {
        let key = ids::key("milestone", &id);
        let command = Command::ReachMilestone {
            plan: key.clone(),
            milestone,
            on: on.map(|on| on.0),
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Parts that no document has are not asked for any more.
    async fn cancel_milestones(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<MilestonePlanPayload> {
        let key = ids::key("milestone", &id);
        let command = Command::CancelMilestones {
            plan: key.clone(),
            reason,
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }
}
