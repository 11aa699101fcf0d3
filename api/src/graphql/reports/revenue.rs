//! Recurring revenue: MRR and ARR with their movements, churn, and what contracts are worth altogether (policy 33).

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use indelible_domain::kernel;
use indelible_projections::ViewError;
use indelible_projections::subscriptions::{churn, mrr, tcv};

use super::super::accounts::Account;
use super::super::books::Books;
use super::super::ids;
use super::super::page::{self, Cursor};
use super::super::scalars::{Date, Position};
use super::{currency, exact, range};

/// Recurring revenue of one currency on a day: without tax, usage, one-offs and trials; paused counts zero.
#[derive(SimpleObject)]
pub struct RecurringRevenue {
    day: Date,
    currency: String,
    /// Per month, exact.
    mrr: String,
    /// Twelve months of it, exact.
    arr: String,
}

/// A stretch of days: opening + movements = closing, exactly. Amounts are per month.
#[derive(SimpleObject)]
pub struct RevenueMonth {
    from: Date,
    /// Exclusive.
    until: Date,
    opening: String,
    new: String,
    expansion: String,
    contraction: String,
    churn: String,
    reactivation: String,
    closing: String,
    /// Twelve times the closing.
    arr: String,
    accounts_opening: u64,
    accounts_new: u64,
    accounts_reactivated: u64,
    accounts_churned: u64,
    accounts_closing: u64,
}

fn month(stretch: &mrr::Stretch) -> std::result::Result<RevenueMonth, ViewError> {
    let moves = &stretch.moves;
    Ok(RevenueMonth {
        from: Date(stretch.from),
        until: Date(stretch.until),
        opening: exact(stretch.opening),
        new: exact(moves.new),
        expansion: exact(moves.expansion),
        contraction: exact(moves.contraction),
        churn: exact(moves.churn),
        reactivation: exact(moves.reactivation),
        closing: exact(stretch.closing),
        arr: exact(stretch.arr()?),
        accounts_opening: stretch.accounts_opening,
        accounts_new: moves.new_count,
        accounts_reactivated: moves.reactivation_count,
        accounts_churned: moves.churn_count,
        accounts_closing: stretch.accounts_closing,
    })
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "mrr::Kind")]
pub enum MovementKind {
    /// From nothing, for the first time.
    New,
    Expansion,
    Contraction,
    /// To nothing.
    Churn,
    /// From nothing, not for the first time.
    Reactivation,
}

/// One account's movement on one day.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct RevenueMovement {
    #[graphql(skip)]
    key: String,
    on: Date,
    kind: MovementKind,
    /// Per month, exact.
    before: String,
    after: String,
}

#[async_graphql::ComplexObject]
impl RevenueMovement {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.key).await
    }
}

/// Which share of accounts and of recurring revenue a month lost; shares are none where it opened with nothing.
#[derive(SimpleObject)]
pub struct ChurnMonth {
    /// First day of the month.
    month: Date,
    /// Accounts with recurring revenue when the month began.
    accounts: u64,
    /// Those of them that have none when it ends.
    accounts_lost: u64,
    /// accountsLost ÷ accounts.
    logo_churn: Option<String>,
    /// (contraction + churn) ÷ opening.
    gross_revenue_churn: Option<String>,
    /// (contraction + churn − expansion − reactivation) ÷ opening; below zero when more was won back than lost.
    net_revenue_churn: Option<String>,
}

/// What one contract is worth: recurring charges to the end of its commitment and one-off charges, exact, before discounts and tax.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct ContractValue {
    #[graphql(skip)]
    row: tcv::Contract,
    currency: String,
    /// The first day after the commitment; none: nothing is committed to, and the first whole period of each charge counts.
    until: Option<Date>,
    recurring: String,
    one_off: String,
    /// Both.
    value: String,
}

impl From<tcv::Contract> for ContractValue {
    fn from(row: tcv::Contract) -> Self {
        ContractValue {
            currency: row.currency.code().to_owned(),
            until: row.until.map(Date),
            recurring: exact(row.recurring),
            one_off: exact(row.one_off),
            value: exact(row.value),
            row,
        }
    }
}

#[async_graphql::ComplexObject]
impl ContractValue {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.row.account).await
    }

    /// Node id of the subscription.
    async fn subscription(&self) -> ID {
        ids::node("subscription", &self.row.subscription)
    }
}

/// What all contracts of one currency are worth, exact, before discounts and tax.
#[derive(SimpleObject)]
pub struct TotalContractValue {
    currency: String,
    /// Contracts that are worth anything.
    contracts: u64,
    recurring: String,
    one_off: String,
    value: String,
}

#[derive(Default)]
pub struct RevenueQueries;

#[Object]
impl RevenueQueries {
    /// MRR and ARR on a day, one row per currency in which anything ever recurred.
    async fn recurring_revenue(
        &self,
        ctx: &Context<'_>,
        day: Date,
        min_position: Option<Position>,
    ) -> Result<Vec<RecurringRevenue>> {
        let row = move |views: &indelible_projections::Snapshot<'_>, currency: kernel::Currency| {
            let monthly = mrr::on(views, currency, day.0)?;
            Ok(RecurringRevenue {
                day,
                currency: currency.code().to_owned(),
                mrr: exact(monthly),
                arr: exact(mrr::yearly(monthly)?),
            })
        };
        Books::of(ctx)?
            .views(min_position, move |views| {
                let currencies = mrr::currencies(views)?;
                currencies
                    .into_iter()
                    .map(|currency| row(views, currency))
                    .collect()
            })
            .await
    }

    /// TCV: what all contracts are worth together, one row per currency.
    async fn total_contract_value(
        &self,
        ctx: &Context<'_>,
        min_position: Option<Position>,
    ) -> Result<Vec<TotalContractValue>> {
        let totals = Books::of(ctx)?.views(min_position, tcv::totals).await?;
        let row = |(currency, total): (kernel::Currency, tcv::Total)| TotalContractValue {
            currency: currency.code().to_owned(),
            contracts: total.contracts,
            recurring: exact(total.recurring),
            one_off: exact(total.one_off),
            value: exact(total.value),
        };
        Ok(totals.into_iter().map(row).collect())
    }

    /// TCV contract by contract, or of one.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn contract_values(
        &self,
        ctx: &Context<'_>,
        subscription: Option<ID>,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Connection<Cursor, ContractValue>> {
        let asked = page::asked(first, after)?;
        let (seen, most) = (asked.after.clone(), asked.first);
        let one = subscription.map(|id| ids::key("subscription", &id));
        let rows = Books::of(ctx)?
            .views(min_position, move |views| match one {
                None => tcv::page(views, seen.as_deref(), most),
                Some(id) => Ok(indelible_projections::Page {
                    rows: tcv::of(views, &id)?
                        .map(|row| (id, row))
                        .into_iter()
                        .collect(),
                    more: false,
                }),
            })
            .await?;
        Ok(page::rows(&asked, rows, ContractValue::from))
    }

    /// MRR movements per calendar month, from the month of `from` to that of `through`.
    async fn recurring_revenue_by_month(
        &self,
        ctx: &Context<'_>,
        currency: String,
        from: Date,
        through: Date,
        min_position: Option<Position>,
    ) -> Result<Vec<RevenueMonth>> {
        range(from.0, through.0)?;
        let currency = self::currency(&currency)?;
        Books::of(ctx)?
            .views(min_position, move |views| {
                mrr::by_month(views, currency, from.0, through.0)?
                    .iter()
                    .map(month)
                    .collect()
            })
            .await
    }

    /// Movements on days in [from, until), by day and account.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    #[allow(clippy::too_many_arguments)]
    async fn revenue_movements(
        &self,
        ctx: &Context<'_>,
        currency: String,
        from: Date,
        until: Date,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Connection<Cursor, RevenueMovement>> {
        range(from.0, until.0)?;
        let asked = page::asked(first, after)?;
        let currency = self::currency(&currency)?;
        let rows = Books::of(ctx)?
            .views(min_position, move |views| {
                mrr::movements_between(views, currency, from.0, until.0)
            })
            .await?;
        let row = |row: mrr::Movement| {
            let key = format!("{}/{}", row.on, row.account);
            let movement = RevenueMovement {
                on: Date(row.on),
                kind: row.kind.into(),
                before: exact(row.before),
                after: exact(row.after),
                key: row.account,
            };
            (key, movement)
        };
        Ok(page::sorted(&asked, rows.into_iter().map(row).collect()))
    }

    /// Churn per calendar month, from the month of `from` to that of `through`.
    async fn churn(
        &self,
        ctx: &Context<'_>,
        currency: String,
        from: Date,
        through: Date,
        min_position: Option<Position>,
    ) -> Result<Vec<ChurnMonth>> {
        range(from.0, through.0)?;
        let currency = self::currency(&currency)?;
        let rows = Books::of(ctx)?
            .views(min_position, move |views| {
                churn::by_month(views, currency, from.0, through.0)
            })
            .await?;
        let row = |row: churn::Churn| ChurnMonth {
            month: Date(row.month),
            accounts: row.accounts,
            accounts_lost: row.accounts_lost,
            logo_churn: row.logo.map(exact),
            gross_revenue_churn: row.gross_revenue.map(exact),
            net_revenue_churn: row.net_revenue.map(exact),
        };
        Ok(rows.into_iter().map(row).collect())
    }
}
