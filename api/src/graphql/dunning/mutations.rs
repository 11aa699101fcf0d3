//! What can be asked of dunning: policies and rules, and a hand on a case.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use indelible_domain::command::Command;
use indelible_domain::dunning::{self as domain, Steer};

use super::policy::{DunningLevelInput, Grace, PartPayment, Policy};
use super::rules::Rule;
use super::{Case, case};
use crate::auth::Scope;
use crate::graphql::desk::{self, Receipt};
use crate::graphql::ids;
use crate::graphql::scalars::{Date, Money};

#[derive(SimpleObject)]
pub struct DunningPolicyPayload {
    policy: Option<Policy>,
    receipt: Receipt,
}

#[derive(SimpleObject)]
pub struct DunningRulesPayload {
    receipt: Receipt,
}

#[derive(SimpleObject)]
pub struct DunningPayload {
    /// None while nothing was ever dunned or paused.
    case: Option<Case>,
    receipt: Receipt,
}

#[derive(Default)]
pub struct DunningMutations;

#[Object]
impl DunningMutations {
    /// Sets the levels of a policy. Scope admin.
    async fn set_dunning_policy(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        levels: Vec<DunningLevelInput>,
    ) -> Result<DunningPolicyPayload> {
        let policy = ids::key("dunning-policy", &id);
        let made = levels.iter().map(DunningLevelInput::made);
        let command = Command::SetDunningPolicy {
            policy: policy.clone(),
            levels: made.collect::<Result<_>>()?,
        };
        policy_set(ctx, &idempotency_key, &policy, command).await
    }

    /// Sets what holds for all levels of a policy. Scope admin.
    async fn set_dunning_terms(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        policy: ID,
        part_payment: PartPayment,
        grace: Option<Grace>,
    ) -> Result<DunningPolicyPayload> {
        let policy = ids::key("dunning-policy", &policy);
        let command = Command::SetDunningTerms {
            policy: policy.clone(),
            terms: domain::Terms {
                part_payment: part_payment.into(),
                grace: grace.map(|grace| domain::Grace {
                    percent: grace.percent.0,
                    days: grace.days,
                }),
            },
        };
        policy_set(ctx, &idempotency_key, &policy, command).await
    }

    /// Sets the rules that choose a policy, all of them, in order. Scope admin.
    async fn set_dunning_rules(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        rules: Vec<Rule>,
    ) -> Result<DunningRulesPayload> {
        let rules = rules.iter().map(Rule::made).collect::<Result<_>>()?;
        let command = Command::SetDunningRules { rules };
        let receipt = desk::hand_in(ctx, Scope::Admin, &idempotency_key, command).await?;
        Ok(DunningRulesPayload { receipt })
    }

    /// Does whatever the account's dunning has reached by today. The server's clock does the same by itself.
    async fn dun_account(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        #[graphql(default)] dry_run: bool,
    ) -> Result<DunningPayload> {
        let account = ids::key("account", &account);
        let command = Command::DunAccount {
            account: account.clone(),
        };
        done(ctx, &idempotency_key, account, command, dry_run).await
    }

    /// Nothing is done until it is resumed, or until and including a day.
    async fn pause_dunning(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        reason: String,
        until: Option<Date>,
    ) -> Result<DunningPayload> {
        let account = ids::key("account", &account);
        let command = match until {
            None => Command::PauseDunning {
                account: account.clone(),
                reason,
            },
            Some(Date(until)) => Command::SteerDunning {
                account: account.clone(),
                steer: Steer::PauseUntil { reason, until },
            },
        };
        done(ctx, &idempotency_key, account, command, false).await
    }

    /// Dunning goes on from today; levels that fell into the pause are not dated back.
    async fn resume_dunning(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
    ) -> Result<DunningPayload> {
        let account = ids::key("account", &account);
        let command = Command::ResumeDunning {
            account: account.clone(),
        };
        done(ctx, &idempotency_key, account, command, false).await
    }

    /// The customer promised to pay, all that is overdue or an amount, by and including a day. Nothing is done until then;
    /// kept or broken, dunning goes on from what is open.
    async fn promise_to_pay(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        until: Date,
        amount: Option<Money>,
    ) -> Result<DunningPayload> {
        let steer = Steer::Promise {
            until: until.0,
            amount: amount.map(|amount| amount.0),
        };
        steered(ctx, &idempotency_key, &account, steer).await
    }

    /// Keeps an invoice out of dunning.
    async fn exclude_from_dunning(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        invoice: ID,
        reason: String,
    ) -> Result<DunningPayload> {
        let steer = Steer::Exclude {
            invoice: ids::key("invoice", &invoice),
            reason,
        };
        steered(ctx, &idempotency_key, &account, steer).await
    }

    /// Takes an invoice back into dunning, from today.
    async fn include_in_dunning(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        invoice: ID,
    ) -> Result<DunningPayload> {
        let steer = Steer::Include {
            invoice: ids::key("invoice", &invoice),
        };
        steered(ctx, &idempotency_key, &account, steer).await
    }

    /// Ends the episode: what is overdue is not dunned again. `restore` lifts what restricts services.
    async fn stop_dunning(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        reason: String,
        #[graphql(default)] restore: bool,
    ) -> Result<DunningPayload> {
        let steer = Steer::Stop { reason, restore };
        steered(ctx, &idempotency_key, &account, steer).await
    }

    /// Another policy dunns the account from today; its levels up to the days already done count as done.
    async fn switch_dunning_policy(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        policy: ID,
        reason: String,
    ) -> Result<DunningPayload> {
        let steer = Steer::Switch {
            policy: ids::key("dunning-policy", &policy),
            reason,
        };
        steered(ctx, &idempotency_key, &account, steer).await
    }

    /// Lifts what dunning restricts; the ladder goes on.
    async fn restore_services(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        reason: String,
    ) -> Result<DunningPayload> {
        let steer = Steer::Restore { reason };
        steered(ctx, &idempotency_key, &account, steer).await
    }

    /// Things can be sold to the account again.
    async fn lift_account_hold(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        reason: String,
    ) -> Result<DunningPayload> {
        let steer = Steer::LiftHold { reason };
        steered(ctx, &idempotency_key, &account, steer).await
    }

    /// Takes the case back from the collection agency.
    async fn recall_hand_over(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        reason: String,
    ) -> Result<DunningPayload> {
        let steer = Steer::Recall { reason };
        steered(ctx, &idempotency_key, &account, steer).await
    }

    /// Takes back a fee or interest: cancelled while it is not billed, credited after that.
    async fn waive_dunning_charge(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        charge: String,
        reason: String,
    ) -> Result<DunningPayload> {
        let steer = Steer::Waive { charge, reason };
        steered(ctx, &idempotency_key, &account, steer).await
    }
}

async fn policy_set(
    ctx: &Context<'_>,
    idempotency_key: &str,
    policy: &str,
    command: Command,
) -> Result<DunningPolicyPayload> {
    let receipt = desk::hand_in(ctx, Scope::Admin, idempotency_key, command).await?;
    Ok(DunningPolicyPayload {
        policy: Policy::find(ctx, policy)?,
        receipt,
    })
}

async fn steered(
    ctx: &Context<'_>,
    idempotency_key: &str,
    account: &ID,
    steer: Steer,
) -> Result<DunningPayload> {
    let account = ids::key("account", account);
    let command = Command::SteerDunning {
        account: account.clone(),
        steer,
    };
    done(ctx, idempotency_key, account, command, false).await
}

async fn done(
    ctx: &Context<'_>,
    idempotency_key: &str,
    account: String,
    command: Command,
    dry_run: bool,
) -> Result<DunningPayload> {
    let receipt =
        desk::hand_in_or_try(ctx, Scope::Operate, idempotency_key, command, dry_run).await?;
    let seen = receipt.token(ctx)?;
    Ok(DunningPayload {
        case: case(ctx, account, seen).await?,
        receipt,
    })
}
