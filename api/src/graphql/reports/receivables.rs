//! What is owed: balances, open items, aging, and what was issued.

use async_graphql::connection::Connection;
use async_graphql::{Context, ID, Object, Result, SimpleObject};
use indelible_projections::accounts::balances;
use indelible_projections::invoices::list;
use indelible_projections::receivables::open_items;

use super::super::accounts::Account;
use super::super::books::Books;
use super::super::ids;
use super::super::invoices::Invoice;
use super::super::page::{self, Cursor};
use super::super::scalars::{Date, Money, Position};

/// What an account owes and has to its credit, as a row of a list.
pub struct AccountBalance {
    row: balances::Balance,
}

#[Object]
impl AccountBalance {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.row.account).await
    }

    /// The folio of the account that it is about.
    async fn folio(&self) -> &str {
        &self.row.account
    }

    /// Open amounts less unapplied credit; below zero when the account is in credit.
    async fn balance(&self) -> Money {
        Money(self.row.balance())
    }

    /// Sum of what is open of its invoices.
    async fn open(&self) -> Money {
        Money(self.row.open)
    }

    /// Credit that no invoice has used.
    async fn unapplied(&self) -> Money {
        Money(self.row.unapplied)
    }
}

/// An invoice with something to pay, as a row of a list.
pub struct OpenItemRow {
    row: open_items::OpenItem,
}

#[Object]
impl OpenItemRow {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.row.account).await
    }

    /// The folio of the account that it is about.
    async fn folio(&self) -> &str {
        &self.row.account
    }

    async fn invoice(&self, ctx: &Context<'_>) -> Result<Option<Invoice>> {
        Invoice::now(ctx, &self.row.invoice)
    }

    async fn number(&self) -> &str {
        &self.row.number
    }

    async fn issued(&self) -> Date {
        Date(self.row.issued)
    }

    async fn due(&self) -> Date {
        Date(self.row.due)
    }

    async fn total(&self) -> Money {
        Money(self.row.total)
    }

    async fn open(&self) -> Money {
        Money(self.row.open)
    }

    async fn written_off(&self) -> Money {
        Money(self.row.written_off)
    }
}

/// What was issued in one month and currency; void documents do not count.
#[derive(SimpleObject)]
pub struct IssuedMonth {
    /// First day of the month.
    month: Date,
    currency: String,
    invoices: u64,
    credit_notes: u64,
    net: Money,
    tax: Money,
    /// Credit notes count below zero.
    total: Money,
}

#[derive(Default)]
pub struct ReceivableQueries;

#[Object]
impl ReceivableQueries {
    /// What every account owes, in the order of their keys.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn balances(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Connection<Cursor, AccountBalance>> {
        let asked = page::asked(first, after)?;
        let (seen, most) = (asked.after.clone(), asked.first);
        let rows = Books::of(ctx)?
            .views(min_position, move |views| {
                balances::page(views, seen.as_deref(), most)
            })
            .await?;
        Ok(page::rows(&asked, rows, |row| AccountBalance { row }))
    }

    /// Invoices with something to pay: of one account by due date, or of all by account.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn open_items(
        &self,
        ctx: &Context<'_>,
        account: Option<ID>,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Connection<Cursor, OpenItemRow>> {
        let asked = page::asked(first, after)?;
        let (seen, most) = (asked.after.clone(), asked.first);
        let account = account.map(|account| ids::key("account", &account));
        let rows = Books::of(ctx)?
            .views(min_position, move |views| {
                open_items::page(views, account.as_deref(), seen.as_deref(), most)
            })
            .await?;
        Ok(page::rows(&asked, rows, |row| OpenItemRow { row }))
    }

    /// What was issued, by currency and month; months without documents are left out.
    async fn issued_by_month(
        &self,
        ctx: &Context<'_>,
        min_position: Option<Position>,
    ) -> Result<Vec<IssuedMonth>> {
        let months = Books::of(ctx)?.views(min_position, list::months).await?;
        let row = |row: list::Month| IssuedMonth {
            month: Date(row.month),
            currency: row.total.currency.code().to_owned(),
            invoices: row.invoices,
            credit_notes: row.credit_notes,
            net: Money(row.net),
            tax: Money(row.tax),
            total: Money(row.total),
        };
        Ok(months.into_iter().map(row).collect())
    }
}
