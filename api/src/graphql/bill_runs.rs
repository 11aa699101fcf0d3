//! Bill runs: everything due becomes invoices, account by account.

use std::sync::Arc;

use async_graphql::connection::Connection;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject, Subscription};
use futures_util::Stream;
use indelible_domain::command::Command;
use indelible_domain::kernel;
use indelible_domain::runs as domain;
use indelible_domain::world::Entry;

use super::accounts::Account;
use super::books::{Books, Cut};
use super::desk::{self, Receipt};
use super::ids;
use super::invoices::Invoice;
use super::page::{self, Cursor};
use super::scalars::{Date, Money};
use crate::auth::Scope;

/// One bill run. Each account is a commit of its own, so a run goes on after a crash where it stood.
pub struct BillRun {
    key: String,
    state: Arc<Entry<domain::BillRun>>,
    cut: Cut,
}

impl BillRun {
    pub fn find(ctx: &Context<'_>, key: &str) -> Result<Option<BillRun>> {
        BillRun::at(ctx, key, Cut::now())
    }

    /// As it is now, or as a dry run would leave it.
    pub fn at(ctx: &Context<'_>, key: &str, cut: Cut) -> Result<Option<BillRun>> {
        let state = Books::of(ctx)?.find_tried::<domain::BillRun>(key, &cut);
        Ok(state.map(|state| BillRun {
            key: key.to_owned(),
            state,
            cut,
        }))
    }
}

#[Object]
impl BillRun {
    pub async fn id(&self) -> ID {
        ids::node("bill-run", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    /// Everything due on or before this day is billed.
    async fn as_of(&self) -> Option<Date> {
        self.state.state.as_of.map(Date)
    }

    async fn completed(&self) -> bool {
        self.state.state.completed
    }

    /// Its documents are drafts without numbers.
    async fn draft(&self) -> bool {
        self.state.state.draft
    }

    /// Accounts that wait to be billed.
    async fn waiting(&self) -> usize {
        self.state.state.waiting()
    }

    /// Accounts that are done.
    async fn done(&self) -> usize {
        self.state.state.done
    }

    /// Why it was cancelled; none: it was not.
    async fn cancelled(&self) -> Option<&str> {
        self.state.state.cancelled.as_deref()
    }

    /// Accounts with less than their smallest document: they wait for more.
    async fn carried(&self) -> Vec<CarriedForward> {
        let row = |(account, total): &(String, kernel::Money)| CarriedForward {
            key: account.clone(),
            total: Money(*total),
        };
        self.state.state.carried.iter().map(row).collect()
    }

    /// Documents it made.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn invoices(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Invoice>> {
        let asked = page::asked(first, after)?;
        let rows = self.state.state.billed.iter();
        let seen = |invoice: &String| Invoice::seen(ctx, invoice, &self.cut).ok()?;
        let rows = rows.filter_map(|(_, invoice)| Some((invoice.clone(), seen(invoice)?)));
        Ok(page::sorted(&asked, rows.collect()))
    }

    /// Accounts whose billing was refused, and why.
    async fn refused(&self) -> Vec<BillingRefusal> {
        let row = |(account, code, reason): &(String, String, String)| BillingRefusal {
            key: account.clone(),
            code: code.clone(),
            reason: reason.clone(),
        };
        self.state.state.failed.iter().map(row).collect()
    }
}

/// Why an account was not billed.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct BillingRefusal {
    #[graphql(skip)]
    key: String,
    code: String,
    reason: String,
}

#[async_graphql::ComplexObject]
impl BillingRefusal {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.key).await
    }
}

/// An account with less than its smallest document.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct CarriedForward {
    #[graphql(skip)]
    key: String,
    /// What is due, tax included.
    total: Money,
}

#[async_graphql::ComplexObject]
impl CarriedForward {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.key).await
    }
}

#[derive(InputObject)]
pub struct RunBillInput {
    /// Chosen by you. Invoices are named `<run>.<account>`.
    id: ID,
    /// Everything due on or before this day; none: today in each account's zone.
    as_of: Option<Date>,
    /// Accounts to bill; none: every account with something due.
    #[graphql(default)]
    accounts: Vec<ID>,
    /// Drafts only: nothing is numbered.
    #[graphql(default)]
    draft: bool,
}

#[derive(SimpleObject)]
pub struct BillRunPayload {
    /// The run, for a dry run as it would be; none where only a dry run started it.
    run: Option<BillRun>,
    /// What it billed; for a dry run what it would bill, with numbers that nobody keeps.
    invoices: Vec<Invoice>,
    /// Accounts whose billing was refused.
    refused: Vec<BillingRefusal>,
    receipt: Receipt,
}

#[derive(Default)]
pub struct BillRunQueries;

#[Object]
impl BillRunQueries {
    async fn bill_run(&self, ctx: &Context<'_>, id: ID) -> Result<Option<BillRun>> {
        BillRun::find(ctx, &ids::key("bill-run", &id))
    }

    /// Bill runs in the order of their keys.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn bill_runs(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, BillRun>> {
        let asked = page::asked(first, after)?;
        let rows = Books::of(ctx)?.page::<domain::BillRun>(&asked);
        Ok(page::page(
            &asked,
            rows.into_iter().map(|(key, state)| {
                let cut = Cut::now();
                (key.clone(), BillRun { key, state, cut })
            }),
        ))
    }
}

#[derive(Default)]
pub struct BillRunMutations;

#[Object]
impl BillRunMutations {
    /// Bills everything due and finalises it, account by account. Run again with the same key it goes on where it
    /// stopped, or answers with what it did; another run over the same day finds nothing left. With `dryRun` nothing
    /// is written and no key is used up.
    async fn run_bill(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: RunBillInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<BillRunPayload> {
        let run = ids::key("bill-run", &input.id);
        let ask = desk::RunAsk {
            run: run.clone(),
            as_of: input.as_of.map(|date| date.0),
            accounts: input
                .accounts
                .iter()
                .map(|account| ids::key("account", account))
                .collect(),
            draft: input.draft,
        };
        if dry_run {
            let tried = desk::try_run(ctx, Scope::Operate, ask).await?;
            let told = told(ctx, &run, tried.receipt)?;
            // Nobody started it.
            return Ok(BillRunPayload { run: None, ..told });
        }
        let receipt = desk::run(ctx, Scope::Operate, &idempotency_key, ask).await?;
        told(ctx, &run, receipt)
    }

    /// Bills the accounts that a run was refused for again, or some of them, and nobody else.
    async fn retry_bill_run(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        #[graphql(default)] accounts: Vec<ID>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<BillRunPayload> {
        let run = ids::key("bill-run", &id);
        let named = accounts.iter().map(|account| ids::key("account", account));
        let accounts: Vec<String> = named.collect();
        if dry_run {
            let tried = desk::try_retry(ctx, Scope::Operate, run.clone(), accounts).await?;
            return told(ctx, &run, tried.receipt);
        }
        let command = Command::RetryBillRun {
            run: run.clone(),
            accounts,
        };
        desk::hand_in(ctx, Scope::Operate, &idempotency_key, command).await?;
        let receipt = desk::go_on(ctx, Scope::Operate, run.clone()).await?;
        told(ctx, &run, receipt)
    }

    /// Ends a run before it is through: nobody else is billed, its drafts become no invoices, and what it finalised stays.
    async fn cancel_bill_run(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<BillRunPayload> {
        let run = ids::key("bill-run", &id);
        if dry_run {
            let tried = desk::try_cancel(ctx, Scope::Operate, run.clone(), reason).await?;
            return told(ctx, &run, tried.receipt);
        }
        let command = || Command::CancelBillRun {
            run: run.clone(),
            reason: reason.clone(),
        };
        let mut receipt = desk::hand_in(ctx, Scope::Operate, &idempotency_key, command()).await?;
        let mut more = 1;
        while receipt.outcome().left > 0 {
            let key = format!("{idempotency_key}:{more}");
            receipt = desk::hand_in(ctx, Scope::Operate, &key, command()).await?;
            more += 1;
        }
        told(ctx, &run, receipt)
    }
}

/// A run as it is now; of a dry run as it would be.
fn told(ctx: &Context<'_>, run: &str, receipt: Receipt) -> Result<BillRunPayload> {
    let cut = receipt.cut();
    let done = BillRun::at(ctx, run, cut.clone())?;
    let state = done.as_ref().map(|run| Arc::clone(&run.state));
    let billed = state.iter().flat_map(|run| &run.state.billed);
    let invoices = billed
        .filter_map(|(_, invoice)| Invoice::seen(ctx, invoice, &cut).ok()?)
        .collect();
    let failed = state.iter().flat_map(|run| run.state.failed.clone());
    let refused = failed
        .map(|(key, code, reason)| BillingRefusal { key, code, reason })
        .collect();
    Ok(BillRunPayload {
        run: done,
        invoices,
        refused,
        receipt,
    })
}

/// How far a bill run is.
#[derive(SimpleObject, Clone, PartialEq)]
pub struct BillRunProgress {
    done: usize,
    waiting: usize,
    documents: usize,
    refused: usize,
    completed: bool,
    cancelled: bool,
}

impl BillRunProgress {
    fn of(run: &domain::BillRun) -> BillRunProgress {
        BillRunProgress {
            done: run.done,
            waiting: run.waiting(),
            documents: run.billed.len(),
            refused: run.failed.len(),
            completed: run.completed,
            cancelled: run.cancelled.is_some(),
        }
    }
}

#[derive(Default)]
pub struct BillRunSubscriptions;

#[Subscription]
impl BillRunSubscriptions {
    /// How far a run is, now and whenever it has come further, until it is through or cancelled. A run that is not there yet
    /// is waited for.
    async fn bill_run_progress(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> Result<impl Stream<Item = BillRunProgress> + use<>> {
        let watch = Watch {
            books: Books::of(ctx)?,
            run: ids::key("bill-run", &id),
            last: None,
        };
        Ok(futures_util::stream::unfold(
            watch,
            |mut watch| async move {
                let progress = watch.next().await?;
                Some((progress, watch))
            },
        ))
    }
}

/// Somebody who watches a run.
struct Watch {
    books: Books,
    run: String,
    last: Option<BillRunProgress>,
}

impl Watch {
    /// What is new; none once the last word was said or the log is closed.
    async fn next(&mut self) -> Option<BillRunProgress> {
        let ended = |p: &BillRunProgress| p.completed || p.cancelled;
        if self.last.as_ref().is_some_and(ended) {
            return None;
        }
        let mut head = self.books.office().head.clone();
        loop {
            // Taken before reading: what is written while we read is seen in the next round.
            let at = *head.borrow_and_update();
            let state = self.books.find::<domain::BillRun>(&self.run);
            let now = state.map(|run| BillRunProgress::of(&run.state));
            if now.is_some() && now != self.last {
                self.last.clone_from(&now);
                return now;
            }
            head.wait_for(|head| *head > at).await.ok()?;
        }
    }
}
