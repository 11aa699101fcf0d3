//! Dunning: policies, the case of each account, and what was done.

mod coming;
mod mutations;
mod policy;
mod rules;

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use indelible_domain::dunning as domain;
use indelible_domain::operations;
use indelible_projections::dunning::board;

use coming::{Next, Preview};
pub use mutations::DunningMutations;
pub use policy::Policy;
use rules::Rule;

use super::accounts::Account;
use super::books::{Books, Cut};
use super::ids;
use super::invoices::Invoice;
use super::page::{self, Cursor};
use super::scalars::{Date, Money, Position};
use super::subscriptions::Subscription;

/// An account that was dunned at least once, or whose dunning is paused.
pub struct Case {
    row: board::Case,
    /// Of a past day: what was done until then.
    past: Option<Vec<board::Step>>,
}

#[Object(name = "DunningCase")]
impl Case {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.row.account).await
    }

    /// The folio of the account that it is about.
    async fn folio(&self) -> &str {
        &self.row.account
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

    /// What time alone will bring next, by what is open now; nothing of a past day.
    async fn next(&self, ctx: &Context<'_>) -> Result<Option<Next>> {
        if self.past.is_some() {
            return Ok(None);
        }
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
        let Some(past) = &self.past else {
            return steps(ctx, Some(self.row.account.clone()), first, after, None).await;
        };
        let asked = page::asked(first, after)?;
        let row = |row: &board::Step| (format!("{:020}", row.position), Step { row: row.clone() });
        Ok(page::sorted(&asked, past.iter().map(row).collect()))
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

/// Something that was done to an account.
pub struct Step {
    row: board::Step,
}

#[Object(name = "DunningStep")]
impl Step {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.row.account).await
    }

    /// The folio of the account that it is about.
    async fn folio(&self) -> &str {
        &self.row.account
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
        Ok(page::rows(&asked, rows, |row| Case { row, past: None }))
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
    Ok(row.map(|row| Case { row, past: None }))
}

/// The case of an account as it stood at a cut.
pub async fn case_at(ctx: &Context<'_>, account: &str, cut: Cut) -> Result<Option<Case>> {
    if !cut.is_past() {
        return case(ctx, account.to_owned(), None).await;
    }
    let books = Books::of(ctx)?;
    let zone = books.zone(account);
    let facts = books.facts_at(("dunning", account), &cut, zone).await?;
    let found = board::of_facts(account, &facts);
    Ok(found.map(|(row, steps)| Case {
        row,
        past: Some(steps),
    }))
}
