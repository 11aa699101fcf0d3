//! How old what is owed is, in any buckets and cut in any way; days sales outstanding; statements of account.

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::kernel::{self, Exact};
use indelible_projections::receivables::{aging, statement};

use super::super::accounts::{Account, LegalEntity};
use super::super::books::Books;
use super::super::page::{self, Cursor};
use super::super::scalars::{Date, Money, Position};
use super::super::{errors, ids};

/// Longest stretch that days sales outstanding are taken over.
const DSO_DAYS_MAX: u32 = 3_650;
/// Places that days sales outstanding are shown with.
const DSO_PLACES: u32 = 2;

/// Open amounts by days past due; the due date itself is not late. An invoice in a payment plan is due by its instalments.
#[derive(SimpleObject)]
pub struct AgingBuckets {
    currency: String,
    not_due: Money,
    #[graphql(name = "days1To30")]
    days_1_to_30: Money,
    #[graphql(name = "days31To60")]
    days_31_to_60: Money,
    #[graphql(name = "days61To90")]
    days_61_to_90: Money,
    over90: Money,
    /// Sum of the buckets.
    open: Money,
    /// Undisputed and due on the day or before.
    due: Money,
    /// Undisputed and past due.
    overdue: Money,
    /// The part of what is open that is disputed; aged by the due date of its invoice.
    disputed: Money,
    /// Credit that no invoice has used; in no bucket.
    unapplied: Money,
    /// Held apart as deposits; in none of the other figures.
    deposits: Money,
    /// Open less unapplied; below zero when there is more credit.
    balance: Money,
}

impl From<&aging::Aging> for AgingBuckets {
    fn from(row: &aging::Aging) -> AgingBuckets {
        let late = |bucket: usize| {
            let amount = row.late.get(bucket).copied();
            Money(amount.unwrap_or(kernel::Money::zero(row.currency)))
        };
        AgingBuckets {
            currency: row.currency.code().to_owned(),
            not_due: Money(row.not_due),
            days_1_to_30: late(0),
            days_31_to_60: late(1),
            days_61_to_90: late(2),
            over90: late(3),
            open: Money(row.open),
            due: Money(row.due),
            overdue: Money(row.overdue),
            disputed: Money(row.disputed),
            unapplied: Money(row.unapplied),
            deposits: Money(row.deposits),
            balance: Money(row.balance()),
        }
    }
}

/// The aging of one account.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct AccountAging {
    #[graphql(skip)]
    key: String,
    buckets: AgingBuckets,
}

#[async_graphql::ComplexObject]
impl AccountAging {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.key).await
    }

    /// The folio of the account that it is about.
    async fn folio(&self) -> &str {
        &self.key
    }
}

/// How old what is owed is, on a day.
pub struct Aging {
    day: Date,
    totals: Vec<aging::Aging>,
    /// By account.
    accounts: Vec<(String, aging::Aging)>,
}

#[Object]
impl Aging {
    async fn day(&self) -> Date {
        self.day
    }

    /// One sum per currency.
    async fn totals(&self) -> Vec<AgingBuckets> {
        self.totals.iter().map(AgingBuckets::from).collect()
    }

    /// Accounts that owe or have credit on the day.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn accounts(
        &self,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, AccountAging>> {
        let asked = page::asked(first, after)?;
        let row = |(account, row): &(String, aging::Aging)| {
            let buckets = AgingBuckets::from(row);
            let key = account.clone();
            (account.clone(), AccountAging { key, buckets })
        };
        Ok(page::sorted(
            &asked,
            self.accounts.iter().map(row).collect(),
        ))
    }
}

/// What an aging can be cut into besides currencies.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum AgingCut {
    Account,
    Entity,
    /// Invoices are split by the shares of their product lines; credit belongs to none.
    ProductLine,
}

/// Which aging is asked for.
#[derive(InputObject)]
pub struct AgingByInput {
    day: Date,
    /// The last day past due of each bucket but the last, ascending; 30, 60, 90 if left out.
    bounds: Option<Vec<u32>>,
    /// Several cuts go together; none: one sum per currency.
    by: Vec<AgingCut>,
    /// Only of this legal entity.
    entity: Option<ID>,
}

/// Which statement is asked for: movements on days in `[from, until)`.
#[derive(InputObject)]
pub struct StatementInput {
    account: ID,
    from: Date,
    until: Date,
}

/// An open amount by days past due.
#[derive(SimpleObject)]
pub struct AgingBucket {
    /// First day past due.
    from: u32,
    /// Last day past due; none: and everything older.
    until: Option<u32>,
    amount: Money,
}

/// One part of an aging.
pub struct AgingPart {
    part: aging::Part,
    aging: aging::Aging,
    scheme: aging::Scheme,
}

#[Object]
impl AgingPart {
    /// None unless cut by account.
    async fn account(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        match self.part.account.as_str() {
            "" => Ok(None),
            account => Account::find(ctx, account, None).await,
        }
    }

    /// The folio of the account; none unless cut by account.
    async fn folio(&self) -> Option<&str> {
        Some(self.part.account.as_str()).filter(|folio| !folio.is_empty())
    }

    /// None unless cut by entity.
    async fn entity(&self, ctx: &Context<'_>) -> Result<Option<LegalEntity>> {
        match self.part.entity.as_str() {
            "" => Ok(None),
            entity => LegalEntity::named(ctx, entity).map(Some),
        }
    }

    /// None unless cut by product line, and for what belongs to none.
    async fn product_line(&self) -> Option<&str> {
        Some(self.part.product_line.as_str()).filter(|line| !line.is_empty())
    }

    async fn currency(&self) -> &str {
        self.aging.currency.code()
    }

    async fn not_due(&self) -> Money {
        Money(self.aging.not_due)
    }

    /// What is past due, by the scheme asked for.
    async fn buckets(&self) -> Vec<AgingBucket> {
        let spans = self.scheme.spans().into_iter();
        let bucket = |((from, until), amount): ((u32, Option<u32>), &kernel::Money)| AgingBucket {
            from,
            until,
            amount: Money(*amount),
        };
        spans.zip(&self.aging.late).map(bucket).collect()
    }

    /// Sum of the buckets and of what is not due.
    async fn open(&self) -> Money {
        Money(self.aging.open)
    }

    /// Undisputed and due on the day or before.
    async fn due(&self) -> Money {
        Money(self.aging.due)
    }

    /// Undisputed and past due.
    async fn overdue(&self) -> Money {
        Money(self.aging.overdue)
    }

    /// The part of what is open that is disputed; aged by the due date of its invoice.
    async fn disputed(&self) -> Money {
        Money(self.aging.disputed)
    }

    /// Held apart as deposits; in none of the other figures.
    async fn deposits(&self) -> Money {
        Money(self.aging.deposits)
    }

    /// Credit that no invoice has used; in no bucket.
    async fn unapplied(&self) -> Money {
        Money(self.aging.unapplied)
    }
}

/// Days sales outstanding of one legal entity in one currency.
pub struct DaysSalesOutstanding {
    entity: String,
    open: kernel::Money,
    invoiced: kernel::Money,
    days: u32,
}

#[Object]
impl DaysSalesOutstanding {
    async fn entity(&self, ctx: &Context<'_>) -> Result<LegalEntity> {
        LegalEntity::named(ctx, &self.entity)
    }

    /// What was open at the end of the day.
    async fn open(&self) -> Money {
        Money(self.open)
    }

    /// What was invoiced less what was credited in the days that end with it, tax included.
    async fn invoiced(&self) -> Money {
        Money(self.invoiced)
    }

    /// open × days ÷ invoiced, with two decimals at most; none where nothing was invoiced.
    async fn days(&self) -> Result<Option<String>> {
        if !self.invoiced.is_positive() {
            return Ok(None);
        }
        let days = self
            .open
            .exact()
            .times(Exact::ratio(i128::from(self.days), 1).map_err(errors::rejected)?)
            .and_then(|days| days.share(self.invoiced.currency.scale(), self.invoiced.minor))
            .map_err(errors::rejected)?;
        Ok(Some(days.to_decimal(DSO_PLACES)))
    }
}

/// One change of an account's balance.
#[derive(SimpleObject)]
pub struct StatementMovement {
    /// The day it was recorded, in the account's zone.
    on: Date,
    /// The fact, e.g. `receivable.payment-applied`.
    what: String,
    /// The documents, payments and credits it is about.
    about: Vec<String>,
    /// Above zero: owed more; below: owed less.
    amount: Money,
    /// The balance after it.
    balance: Money,
}

/// The statement of an account: opening + movements = closing.
pub struct Statement {
    asked: page::Asked,
    found: statement::Statement,
}

#[Object]
impl Statement {
    /// Balance before the first day.
    async fn opening(&self) -> Money {
        Money(self.found.opening)
    }

    /// Balance at the end.
    async fn closing(&self) -> Money {
        Money(self.found.closing)
    }

    async fn movements(&self) -> Connection<Cursor, StatementMovement> {
        page::rows(&self.asked, self.found.movements.clone(), |row| {
            StatementMovement {
                on: Date(row.on),
                what: row.what,
                about: row.about,
                amount: Money(row.amount),
                balance: Money(row.balance),
            }
        })
    }
}

#[derive(Default)]
pub struct AgingQueries;

#[Object]
impl AgingQueries {
    /// How old what is owed was at the end of a day, of one account or of all.
    async fn aging(
        &self,
        ctx: &Context<'_>,
        day: Date,
        account: Option<ID>,
        min_position: Option<Position>,
    ) -> Result<Aging> {
        let account = account.map(|account| ids::key("account", &account));
        let scheme = aging::Scheme::default();
        let (totals, accounts) = Books::of(ctx)?
            .views(min_position, move |views| match account {
                Some(account) => {
                    let found = aging::of_account(views, &account, day.0, &scheme)?;
                    let totals: Vec<_> = found.into_iter().collect();
                    let rows = totals.iter().map(|row| (account.clone(), row.clone()));
                    Ok((totals.clone(), rows.collect()))
                }
                None => {
                    let by_account = aging::Cut {
                        account: true,
                        ..aging::Cut::default()
                    };
                    let rows = aging::cut(views, day.0, &scheme, by_account, None)?;
                    let rows = rows.into_iter().map(|(part, row)| (part.account, row));
                    Ok((aging::totals(views, day.0)?, rows.collect::<Vec<_>>()))
                }
            })
            .await?;
        Ok(Aging {
            day,
            totals,
            accounts,
        })
    }

    /// What was owed at the end of a day, in buckets and cut as asked. The parts sum to what is open.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn aging_by(
        &self,
        ctx: &Context<'_>,
        input: AgingByInput,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Connection<Cursor, AgingPart>> {
        let asked = page::asked(first, after)?;
        let AgingByInput {
            day,
            bounds,
            by,
            entity,
        } = input;
        let scheme = match bounds {
            Some(bounds) => aging::Scheme::new(bounds).map_err(errors::rejected)?,
            None => aging::Scheme::default(),
        };
        let cut = aging::Cut {
            account: by.contains(&AgingCut::Account),
            entity: by.contains(&AgingCut::Entity),
            product_line: by.contains(&AgingCut::ProductLine),
        };
        let entity = entity.map(|entity| ids::key("entity", &entity));
        let wanted = scheme.clone();
        let parts = Books::of(ctx)?
            .views(min_position, move |views| {
                aging::cut(views, day.0, &wanted, cut, entity.as_deref())
            })
            .await?;
        let row = |(part, aging): (aging::Part, aging::Aging)| {
            let key = [
                part.entity.as_str(),
                &part.product_line,
                &part.account,
                part.currency.code(),
            ]
            .join("/");
            let scheme = scheme.clone();
            (
                key,
                AgingPart {
                    part,
                    aging,
                    scheme,
                },
            )
        };
        Ok(page::sorted(&asked, parts.into_iter().map(row).collect()))
    }

    /// Days sales outstanding by legal entity and currency: what was open at the end of a day ÷ what was invoiced in the
    /// `days` (90 if left out) that end with it × those days.
    async fn days_sales_outstanding(
        &self,
        ctx: &Context<'_>,
        day: Date,
        days: Option<u32>,
        min_position: Option<Position>,
    ) -> Result<Vec<DaysSalesOutstanding>> {
        let days = days.unwrap_or(90);
        if !(1..=DSO_DAYS_MAX).contains(&days) {
            return Err(errors::refused(
                "DAYS_INVALID",
                format!(
                    "days sales outstanding are taken over 1 to {DSO_DAYS_MAX} days, asked for {days}"
                ),
            ));
        }
        let (open, mut invoiced) = Books::of(ctx)?
            .views(min_position, move |views| {
                let by_entity = aging::Cut {
                    entity: true,
                    ..aging::Cut::default()
                };
                let scheme = aging::Scheme::default();
                let open = aging::cut(views, day.0, &scheme, by_entity, None)?;
                let until = add_days(day.0, 1);
                let from = add_days(until, -i64::from(days));
                Ok((open, aging::invoiced(views, from, until)?))
            })
            .await?;
        let mut rows = Vec::new();
        for (part, aging) in open {
            let none = kernel::Money::zero(part.currency);
            let invoiced = invoiced.remove(&(part.entity.clone(), part.currency));
            rows.push(DaysSalesOutstanding {
                entity: part.entity,
                open: aging.open,
                invoiced: invoiced.unwrap_or(none),
                days,
            });
        }
        rows.extend(invoiced.into_iter().map(|((entity, currency), invoiced)| {
            DaysSalesOutstanding {
                entity,
                open: kernel::Money::zero(currency),
                invoiced,
                days,
            }
        }));
        rows.sort_by(|a, b| (&a.entity, a.open.currency).cmp(&(&b.entity, b.open.currency)));
        Ok(rows)
    }

    /// Every movement of an account's balance on days in `[from, until)`, with the balance after it.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn statement(
        &self,
        ctx: &Context<'_>,
        input: StatementInput,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Statement> {
        let asked = page::asked(first, after)?;
        let (seen, most) = (asked.after.clone(), asked.first);
        let StatementInput {
            account,
            from,
            until,
        } = input;
        let account = ids::key("account", &account);
        let key = account.clone();
        let found = Books::of(ctx)?
            .views(min_position, move |views| {
                statement::of_account(views, &key, (from.0, until.0), seen.as_deref(), most)
            })
            .await?;
        match found {
            Some(found) => Ok(Statement { asked, found }),
            None => Err(errors::unknown("account", &account)),
        }
    }
}
