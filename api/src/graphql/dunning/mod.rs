//! Dunning: policies, the case of each account, and what was done.

mod policy;
mod rules;

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use indelible_domain::command::Command;
use indelible_domain::dunning::{self as domain, Steer};
use indelible_domain::operations::{self, DunningPreview};
use indelible_projections::dunning::board;

pub use policy::Policy;
use policy::{DunningLevelInput, Grace, PartPayment};
use rules::Rule;

use super::accounts::Account;
use super::books::Books;
use super::desk::{self, Receipt};
use super::ids;
use super::invoices::Invoice;
use super::page::{self, Cursor};
use super::scalars::{Date, Money, Position};
use super::subscriptions::Subscription;
use crate::auth::Scope;

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

    /// Subscriptions that are paused or restricted for it.
    async fn suspended(&self, ctx: &Context<'_>) -> Result<Vec<Subscription>> {
        let measures = self.row.suspended.iter();
        let mut keys: Vec<&String> = measures.flat_map(|m| &m.subscriptions).collect();
        keys.sort();
        keys.dedup();
        let mut found = Vec::new();
        for key in keys {
            found.extend(Subscription::find(ctx, key, None).await?);
        }
        Ok(found)
    }

    /// Late fees of this episode, without those waived.
    async fn fees(&self) -> Option<Money> {
        self.row.fees.map(Money)
    }

    /// Interest of this episode, without what was waived.
    async fn interest(&self) -> Option<Money> {
        self.row.interest.map(Money)
    }

    /// Fees and interest that can be waived, by their charges.
    async fn charges(&self) -> Vec<Charge> {
        let charge = |c: &board::Charged| Charge {
            charge: c.charge.clone(),
            amount: Money(c.amount),
            interest: c.interest,
        };
        self.row.charges.iter().map(charge).collect()
    }

    async fn stage(&self) -> Stage {
        self.row.stage.into()
    }

    /// The policy of the episode; none in episodes that are older than rules.
    async fn policy(&self, ctx: &Context<'_>) -> Result<Option<Policy>> {
        match &self.row.policy {
            Some(policy) => Policy::find(ctx, policy),
            None => Ok(None),
        }
    }

    /// What chose the policy: `hand`, `account`, `entity`, or the rule by its name.
    async fn chosen_by(&self) -> Option<String> {
        self.row.why.as_ref().map(|why| match why {
            domain::Why::Hand => "hand".to_owned(),
            domain::Why::Account => "account".to_owned(),
            domain::Why::Entity => "entity".to_owned(),
            domain::Why::Rule(name) => format!("rule {name}"),
        })
    }

    /// What time alone will bring next, by what is open now.
    async fn next(&self, ctx: &Context<'_>) -> Result<Option<Next>> {
        let account = &self.row.account;
        Ok(Books::of(ctx)?.live(|tenant| {
            let owed = &tenant.tables.receivables.get(account)?.state;
            domain::next(&tenant.tables, account, owed).map(Next::from)
        }))
    }

    /// Last day of the pause.
    async fn paused_until(&self) -> Option<Date> {
        self.row.paused_until.map(Date)
    }

    /// What was promised to be paid by then.
    async fn promised(&self) -> Option<Money> {
        self.row.promised.map(Money)
    }

    /// Nothing new is sold to the account.
    async fn held(&self) -> bool {
        self.row.held
    }

    /// Who collects, if not we.
    async fn agency(&self) -> Option<&str> {
        self.row.agency.as_deref()
    }

    /// Invoices that are not dunned.
    async fn excluded(&self, ctx: &Context<'_>) -> Result<Vec<Invoice>> {
        let mut found = Vec::new();
        for key in &self.row.excluded {
            found.extend(Invoice::now(ctx, key)?);
        }
        Ok(found)
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

/// Where a case stands.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(name = "DunningStage", remote = "board::Stage")]
pub enum Stage {
    /// Nothing is dunned.
    Clear,
    /// Something overdue is being dunned.
    Open,
    /// What was overdue was written off, and not paid since.
    GivenUp,
    /// The episode was ended by hand.
    Stopped,
}

/// A fee or interest that can be waived.
#[derive(SimpleObject)]
#[graphql(name = "DunningCharge")]
pub struct Charge {
    charge: String,
    amount: Money,
    interest: bool,
}

/// What comes next for an account: a level, or the end of a pause.
#[derive(SimpleObject)]
#[graphql(name = "DunningNext")]
pub struct Next {
    on: Date,
    /// None: a pause is over, or a promise was not kept.
    level: Option<String>,
    /// Key of the policy.
    policy: Option<String>,
}

impl From<domain::Next> for Next {
    fn from(next: domain::Next) -> Next {
        match next {
            domain::Next::Level { choice, level, on } => Next {
                on: Date(on),
                level: Some(level.name),
                policy: Some(choice.policy),
            },
            domain::Next::PauseEnds { on } => Next {
                on: Date(on),
                level: None,
                policy: None,
            },
        }
    }
}

/// What dunning would do to an account.
pub struct Preview {
    made: DunningPreview,
}

#[Object(name = "DunningPreview")]
impl Preview {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.made.account).await
    }

    async fn steps(&self) -> Vec<PreviewedStep> {
        let events = self.made.events.iter().flatten();
        let step = |event: &domain::Event| {
            let (kind, on, level, amount) = board::read(event);
            PreviewedStep {
                on: Date(on),
                kind: kind.into(),
                level: level.cloned(),
                amount: amount.map(Money),
            }
        };
        events.map(step).collect()
    }

    /// Why nothing could be done.
    async fn refused(&self) -> Option<String> {
        let why = self.made.events.as_ref().err()?;
        Some(format!("{}: {}", why.code, why.message))
    }
}

#[derive(SimpleObject)]
#[graphql(name = "DunningPreviewStep")]
pub struct PreviewedStep {
    on: Date,
    kind: StepKind,
    level: Option<String>,
    amount: Option<Money>,
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
    Begun,
    Noticed,
    InterestCharged,
    InterestCarried,
    Restricted,
    Held,
    HoldLifted,
    HandedOver,
    Recalled,
    Terminated,
    Waived,
    SteppedBack,
    Deferred,
    InvoiceLost,
    GivenUp,
    PausedUntil,
    Promised,
    PromiseKept,
    PromiseBroken,
    Excluded,
    Included,
    Stopped,
    Switched,
    Restored,
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
pub struct DunningQueries;

#[Object]
impl DunningQueries {
    async fn dunning_policy(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Policy>> {
        Policy::find(ctx, &ids::key("dunning-policy", &id))
    }

    /// Rules that choose a policy for accounts that have none of their own, in the order in which they are tried.
    async fn dunning_rules(&self, ctx: &Context<'_>) -> Result<Vec<Rule>> {
        let found = Books::of(ctx)?.find::<domain::Rules>(domain::rules::MAIN);
        Ok(found.map_or(vec![], |found| {
            found.state.rules.iter().map(Rule::from).collect()
        }))
    }

    /// What dunning would do on a day if nothing else happened until then: tomorrow's run, say. Writes nothing.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn dunning_preview(
        &self,
        ctx: &Context<'_>,
        on: Date,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Preview>> {
        let asked = page::asked(first, after)?;
        let made = Books::of(ctx)?.live(|tenant| {
            let after = asked.after.as_deref();
            operations::preview_dunning(tenant, on.0, after, asked.first + 1)
        });
        let rows = made
            .into_iter()
            .map(|made| (made.account.clone(), Preview { made }));
        Ok(page::page(&asked, rows))
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
        let made = levels.iter().map(DunningLevelInput::made);
        let command = Command::SetDunningPolicy {
            policy: policy.clone(),
            levels: made.collect::<Result<_>>()?,
        };
        let receipt = desk::hand_in(ctx, Scope::Admin, &idempotency_key, command).await?;
        Ok(DunningPolicyPayload {
            policy: Policy::find(ctx, &policy)?,
            receipt,
        })
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
        let receipt = desk::hand_in(ctx, Scope::Admin, &idempotency_key, command).await?;
        Ok(DunningPolicyPayload {
            policy: Policy::find(ctx, &policy)?,
            receipt,
        })
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
