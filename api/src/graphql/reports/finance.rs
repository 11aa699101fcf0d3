//! The trial balance: debits and credits of each ledger account.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use indelible_projections::finance::trial_balance;

use super::super::books::Books;
use super::super::ids;
use super::super::scalars::{Date, Money, Position};

/// What was posted to one ledger account in one currency.
#[derive(SimpleObject)]
pub struct TrialBalanceLine {
    /// Number of the ledger account.
    code: u16,
    /// Its name.
    account: String,
    currency: String,
    debit: Money,
    credit: Money,
    /// Debits − credits.
    net: Money,
}

#[derive(Default)]
pub struct FinanceQueries;

#[Object]
impl FinanceQueries {
    /// What was posted on days in [from, until), of one legal entity or of all; without bounds, of all time. The
    /// debits of each currency equal its credits.
    async fn trial_balance(
        &self,
        ctx: &Context<'_>,
        entity: Option<ID>,
        from: Option<Date>,
        until: Option<Date>,
        min_position: Option<Position>,
    ) -> Result<Vec<TrialBalanceLine>> {
        let entity = entity.map(|entity| ids::key("entity", &entity));
        let (from, until) = (from.map(|date| date.0), until.map(|date| date.0));
        let lines = Books::of(ctx)?
            .views(min_position, move |views| {
                trial_balance::between(views, entity.as_deref(), from, until)
            })
            .await?;
        let row = |line: trial_balance::Line| TrialBalanceLine {
            code: line.account.code(),
            account: line.account.name().to_owned(),
            currency: line.debit.currency.code().to_owned(),
            net: Money(line.net()),
            debit: Money(line.debit),
            credit: Money(line.credit),
        };
        Ok(lines.into_iter().map(row).collect())
    }
}
