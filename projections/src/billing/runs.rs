//! Bill runs: how far, with what result, and which accounts were refused and why.

use indelible_domain::kernel::{Date, Id, Instant, Money};
use indelible_domain::{Event, Recorded, invoices, runs};
use serde::{Deserialize, Serialize};

use crate::{Page, Projection, Rows, Snapshot, ViewError};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub run: Id,
    pub as_of: Date,
    /// Only drafts were made.
    pub draft: bool,
    pub started_at: Instant,
    /// Accounts it covers, as far as they are listed, and how many of them are done.
    pub accounts: u64,
    pub done: u64,
    /// Documents made.
    pub invoices: u64,
    pub refused: u64,
    pub completed: bool,
    /// Accounts with less than their smallest document: they wait for more.
    pub carried: u64,
    /// Why it was cancelled; none: it was not.
    pub cancelled: Option<String>,
    /// Totals of its finalised documents, one per currency; credit notes count below zero.
    pub totals: Vec<Money>,
}

/// An account whose billing was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub account: Id,
    pub code: String,
    pub reason: String,
}

/// See [`Run`]. Rows: `r/run`; `o/position` the run's id in the order they began; `f/run/account` a [`Refusal`].
pub struct Runs;

fn key(run: &str) -> String {
    format!("r/{run}")
}

impl Projection for Runs {
    const NAME: &'static str = "billing/runs";
    const VERSION: u32 = 2;
    const KINDS: &'static [&'static str] = &["bill-run", "invoice"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        match &recorded.event {
            Event::Run(runs::Event::Started(e)) => {
                let run = Run {
                    run: recorded.id.clone(),
                    as_of: e.as_of,
                    draft: e.draft,
                    started_at: recorded.meta.recorded_at,
                    accounts: e.accounts.len() as u64,
                    done: 0,
                    invoices: 0,
                    refused: 0,
                    completed: false,
                    carried: 0,
                    cancelled: None,
                    totals: vec![],
                };
                rows.put(&key(&recorded.id), &run)?;
                rows.put(&format!("o/{:020}", recorded.position), &recorded.id)
            }
            Event::Run(runs::Event::Listed(e)) => {
                rows.change(&key(&recorded.id), |run: &mut Run| {
                    run.accounts += e.accounts.len() as u64;
                })
            }
            Event::Run(runs::Event::AccountBilled(e)) => {
                rows.change(&key(&recorded.id), |run: &mut Run| {
                    run.done += 1;
                    run.invoices += e.invoices.len() as u64;
                })
            }
            Event::Run(runs::Event::AccountRefused(e)) => {
                let refusal = Refusal {
                    account: e.account.clone(),
                    code: e.code.clone(),
                    reason: e.reason.clone(),
                };
                rows.put(&format!("f/{}/{}", recorded.id, e.account), &refusal)?;
                rows.change(&key(&recorded.id), |run: &mut Run| {
                    run.done += 1;
                    run.refused += 1;
                })
            }
            Event::Run(runs::Event::AccountCarried(_)) => {
                rows.change(&key(&recorded.id), |run: &mut Run| {
                    run.done += 1;
                    run.carried += 1;
                })
            }
            Event::Run(runs::Event::Cancelled(e)) => {
                rows.change(&key(&recorded.id), |run: &mut Run| {
                    run.cancelled = Some(e.reason.clone());
                })
            }
            Event::Run(runs::Event::Retried(e)) => {
                for account in &e.accounts {
                    rows.remove(&format!("f/{}/{account}", recorded.id))?;
                }
                let again = e.accounts.len() as u64;
                rows.change(&key(&recorded.id), |run: &mut Run| {
                    run.done = run.done.saturating_sub(again);
                    run.refused = run.refused.saturating_sub(again);
                    run.completed = false;
                })
            }
            Event::Run(runs::Event::Completed(_)) => {
                rows.change(&key(&recorded.id), |run: &mut Run| run.completed = true)
            }
            Event::Invoice(invoices::Event::Finalised(e)) => match &e.document.run {
                Some(run) => rows.change(&key(run), |run: &mut Run| add(run, e.document.total)),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

fn add(run: &mut Run, total: Money) {
    match run.totals.iter_mut().find(|t| t.currency == total.currency) {
        Some(sum) => *sum = sum.plus(total),
        None => run.totals.push(total),
    }
    run.totals.sort_by_key(|t| t.currency);
}

/// One run.
pub fn get(snapshot: &Snapshot<'_>, run: &str) -> Result<Option<Run>, ViewError> {
    snapshot.get::<Runs, _>(&key(run))
}

/// Runs in the order they began.
pub fn page(
    snapshot: &Snapshot<'_>,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Run>, ViewError> {
    let found = snapshot.page::<Runs, Id>("o/", after, limit)?;
    found.look_up(|id| get(snapshot, id))
}

/// Accounts that a run was refused for, by account.
pub fn refusals(
    snapshot: &Snapshot<'_>,
    run: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Refusal>, ViewError> {
    snapshot.page::<Runs, _>(&format!("f/{run}/"), after, limit)
}
