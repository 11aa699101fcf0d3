//! Dunning: policies, the case of each account, and what was done.

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::{Command, DunningAction, DunningLevel};
use indelible_domain::dunning as domain;
use indelible_projections::dunning::board;

use super::accounts::Account;
use super::books::Books;
use super::desk::{self, Receipt};
use super::invoices::Invoice;
use super::page::{self, Cursor};
use super::scalars::{Date, Decimal, Money, Position};
use super::subscriptions::Subscription;
use super::{errors, ids};
use crate::auth::Scope;

/// Levels in the order they are reached, counted in days from the due date of the oldest unpaid invoice.
pub struct Policy {
    key: String,
    levels: Vec<DunningLevel>,
}

impl Policy {
    pub fn find(ctx: &Context<'_>, key: &str) -> Result<Option<Policy>> {
        let state = Books::of(ctx)?.find::<domain::Policy>(key);
        Ok(state.map(|state| Policy {
            key: key.to_owned(),
            levels: state.state.levels.clone(),
        }))
    }
}

#[Object(name = "DunningPolicy")]
impl Policy {
    pub async fn id(&self) -> ID {
        ids::node("dunning-policy", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    async fn levels(&self) -> Vec<Level> {
        let level = |level: &DunningLevel| Level {
            name: level.name.clone(),
            after_days: level.after_days,
            minimum: level.minimum.map(Decimal),
            actions: level.actions.iter().map(Action::from).collect(),
        };
        self.levels.iter().map(level).collect()
    }
}

#[derive(SimpleObject)]
#[graphql(name = "DunningLevel")]
pub struct Level {
    name: String,
    /// Reached on the day this many days after the due date.
    after_days: u32,
    /// Only when at least this much is overdue, in the account's currency.
    minimum: Option<Decimal>,
    actions: Vec<Action>,
}

#[derive(SimpleObject)]
#[graphql(name = "DunningAction")]
pub struct Action {
    kind: ActionKind,
    /// Of a fee, in the account's currency.
    fee: Option<Decimal>,
}

impl From<&DunningAction> for Action {
    fn from(action: &DunningAction) -> Action {
        let (kind, fee) = match action {
            DunningAction::Remind => (ActionKind::Remind, None),
            DunningAction::Fee(fee) => (ActionKind::Fee, Some(Decimal(*fee))),
            DunningAction::Suspend => (ActionKind::Suspend, None),
            DunningAction::RetryPayment => (ActionKind::RetryPayment, None),
            DunningAction::WriteOff => (ActionKind::WriteOff, None),
        };
        Action { kind, fee }
    }
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(name = "DunningActionKind")]
pub enum ActionKind {
    Remind,
    /// A charge on the next invoice.
    Fee,
    /// Pauses the account's subscriptions until everything overdue is paid.
    Suspend,
    /// Asks the payment provider again.
    RetryPayment,
    WriteOff,
}

/// An account that was dunned at least once, or whose dunning is paused.
pub struct Case {
    row: board::Case,
}

#[Object(name = "DunningCase")]
impl Case {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.row.account).await
    }

    /// Something overdue was dunned and is not cleared yet.
    async fn open(&self) -> bool {
        self.row.open
    }

    /// Episodes so far, the open one included.
    async fn episode(&self) -> u32 {
        self.row.episode
    }

    /// When the open episode, or the last one, began.
    async fn began(&self) -> Option<Date> {
        self.row.began.map(Date)
    }

    /// The highest level reached in it.
    async fn level(&self) -> Option<&str> {
        self.row.level.as_deref()
    }

    async fn reached_on(&self) -> Option<Date> {
        self.row.reached_on.map(Date)
    }

    /// The oldest overdue invoice when that level was reached.
    async fn oldest(&self, ctx: &Context<'_>) -> Result<Option<Invoice>> {
        match &self.row.oldest {
            Some(invoice) => Invoice::now(ctx, invoice),
            None => Ok(None),
        }
    }

    /// What was overdue then.
    async fn overdue(&self) -> Option<Money> {
        self.row.overdue.map(Money)
    }

    /// Subscriptions that are paused for it.
    async fn suspended(&self, ctx: &Context<'_>) -> Result<Vec<Subscription>> {
        let mut found = Vec::new();
        for key in &self.row.suspended {
            found.extend(Subscription::find(ctx, key, None).await?);
        }
        Ok(found)
    }

    /// Late fees of this episode.
    async fn fees(&self) -> Option<Money> {
        self.row.fees.map(Money)
    }

    async fn cleared_on(&self) -> Option<Date> {
        self.row.cleared_on.map(Date)
    }

    /// Why nothing is done for the time being.
    async fn paused(&self) -> Option<&str> {
        self.row.paused.as_deref()
    }

    /// What was done, in order.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn steps(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Step>> {
        steps(ctx, Some(self.row.account.clone()), first, after, None).await
    }
}

/// Something that was done to an account.
pub struct Step {
    row: board::Step,
}

#[Object(name = "DunningStep")]
impl Step {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.row.account).await
    }

    async fn on(&self) -> Date {
        Date(self.row.on)
    }

    async fn kind(&self) -> StepKind {
        self.row.kind.into()
    }

    async fn level(&self) -> Option<&str> {
        self.row.level.as_deref()
    }

    /// What was overdue, charged or written off.
    async fn amount(&self) -> Option<Money> {
        self.row.amount.map(Money)
    }
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(name = "DunningStepKind", remote = "board::Kind")]
pub enum StepKind {
    LevelReached,
    Reminded,
    FeeCharged,
    Suspended,
    RetryAsked,
    WroteOff,
    Cleared,
    Reopened,
    Paused,
    Resumed,
}

/// How often a kind of step was taken.
#[derive(SimpleObject)]
#[graphql(name = "DunningCount")]
pub struct Count {
    kind: StepKind,
    times: u64,
}

async fn steps(
    ctx: &Context<'_>,
    account: Option<String>,
    first: Option<i32>,
    after: Option<String>,
    min_position: Option<Position>,
) -> Result<Connection<Cursor, Step>> {
    let asked = page::asked(first, after)?;
    let (seen, most) = (asked.after.clone(), asked.first);
    let rows = Books::of(ctx)?
        .views(min_position, move |views| {
            board::steps(views, account.as_deref(), seen.as_deref(), most)
        })
        .await?;
    Ok(page::rows(&asked, rows, |row| Step { row }))
}

#[derive(InputObject)]
pub struct DunningActionInput {
    kind: ActionKind,
    /// Of a fee, and only of a fee.
    fee: Option<Decimal>,
}

#[derive(InputObject)]
pub struct DunningLevelInput {
    name: String,
    after_days: u32,
    minimum: Option<Decimal>,
    actions: Vec<DunningActionInput>,
}

fn action(input: &DunningActionInput) -> Result<DunningAction> {
    match (input.kind, input.fee) {
        (ActionKind::Fee, Some(fee)) => Ok(DunningAction::Fee(fee.0)),
        (ActionKind::Fee, None) => Err(errors::refused(
            "FEE_MISSING",
            "an action of kind FEE needs a `fee`",
        )),
        (_, Some(fee)) => Err(errors::refused(
            "FEE_UNEXPECTED",
            format!("the fee {} belongs to an action of kind FEE only", fee.0),
        )),
        (ActionKind::Remind, None) => Ok(DunningAction::Remind),
        (ActionKind::Suspend, None) => Ok(DunningAction::Suspend),
        (ActionKind::RetryPayment, None) => Ok(DunningAction::RetryPayment),
        (ActionKind::WriteOff, None) => Ok(DunningAction::WriteOff),
    }
}

#[derive(SimpleObject)]
pub struct DunningPolicyPayload {
    policy: Option<Policy>,
    receipt: Receipt,
}

#[derive(SimpleObject)]
pub struct DunningPayload {
    /// None while nothing was ever dunned or paused.
    case: Option<Case>,
    receipt: Receipt,
}

#[derive(Default)]
pub struct DunningQueries;

#[Object]
impl DunningQueries {
    async fn dunning_policy(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Policy>> {
        Policy::find(ctx, &ids::key("dunning-policy", &id))
    }

    /// The case of an account; none while nothing was ever dunned or paused.
    async fn dunning_case(
        &self,
        ctx: &Context<'_>,
        account: ID,
        min_position: Option<Position>,
    ) -> Result<Option<Case>> {
        case(ctx, ids::key("account", &account), min_position).await
    }

    /// The dunning board: open cases by account, or all that ever were.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn dunning_board(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = true)] only_open: bool,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Connection<Cursor, Case>> {
        let asked = page::asked(first, after)?;
        let (seen, most) = (asked.after.clone(), asked.first);
        let rows = Books::of(ctx)?
            .views(min_position, move |views| {
                board::page(views, only_open, seen.as_deref(), most)
            })
            .await?;
        Ok(page::rows(&asked, rows, |row| Case { row }))
    }

    /// Every step of every account, in the order they were taken.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn dunning_steps(
        &self,
        ctx: &Context<'_>,
        account: Option<ID>,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Connection<Cursor, Step>> {
        steps(
            ctx,
            account.map(|account| ids::key("account", &account)),
            first,
            after,
            min_position,
        )
        .await
    }

    /// How often each kind of step was taken.
    async fn dunning_counts(
        &self,
        ctx: &Context<'_>,
        min_position: Option<Position>,
    ) -> Result<Vec<Count>> {
        let counts = Books::of(ctx)?.views(min_position, board::counts).await?;
        Ok(counts
            .into_iter()
            .map(|count| Count {
                kind: count.kind.into(),
                times: count.times,
            })
            .collect())
    }
}

pub async fn case(
    ctx: &Context<'_>,
    account: String,
    min_position: Option<Position>,
) -> Result<Option<Case>> {
    let row = Books::of(ctx)?
        .views(min_position, move |views| board::get(views, &account))
        .await?;
    Ok(row.map(|row| Case { row }))
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
        let mut made = Vec::new();
        for level in levels {
            made.push(DunningLevel {
                actions: level.actions.iter().map(action).collect::<Result<_>>()?,
                name: level.name,
                after_days: level.after_days,
                minimum: level.minimum.map(|minimum| minimum.0),
            });
        }
        let command = Command::SetDunningPolicy {
            policy: policy.clone(),
            levels: made,
        };
        let receipt = desk::hand_in(ctx, Scope::Admin, &idempotency_key, command).await?;
        Ok(DunningPolicyPayload {
            policy: Policy::find(ctx, &policy)?,
            receipt,
        })
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

    /// Nothing is done for the time being.
    async fn pause_dunning(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        reason: String,
    ) -> Result<DunningPayload> {
        let account = ids::key("account", &account);
        let command = Command::PauseDunning {
            account: account.clone(),
            reason,
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
