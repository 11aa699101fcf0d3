//! The ledger a scenario runs on: the real one, in memory, for one tenant, with a clock that only the story moves.

use std::sync::Arc;

use indelible_domain::accounts::AccountTerms;
use indelible_domain::invoices::{Invoice, Kind, Stage};
use indelible_domain::kernel::{Currency, Date, Exact, Instant, Money, Rejection};
use indelible_domain::subscriptions::Subscription;
use indelible_domain::subscriptions::schedule;
use indelible_domain::world::{Entry, Table, Tenant};
use indelible_domain::{Command, Outcome, Session, World, operations};

use super::super::ast::InvoiceState;

const TENANT: &str = "scenario";

pub(super) struct Books {
    world: World,
}

impl Books {
    pub(super) fn open() -> Self {
        Books { world: World::default() }
    }

    pub(super) fn execute(&mut self, now: Instant, command: Command) -> Result<Outcome, Rejection> {
        let mut session = Session::new(self.world.tenant(TENANT), now);
        let outcome = operations::execute(&mut session, command)?;
        let (staged, events) = session.finish();
        self.world.absorb(TENANT, staged, &events);
        Ok(outcome)
    }

    fn tenant(&self) -> &Tenant {
        self.world.tenant(TENANT)
    }

    pub(super) fn account(&self, account: &str) -> Result<&AccountTerms, Rejection> {
        find(&self.tenant().tables.accounts, "account", account).map(|account| &account.terms)
    }

    pub(super) fn subscription(&self, subscription: &str) -> Result<&Subscription, Rejection> {
        find(&self.tenant().tables.subscriptions, "subscription", subscription)
    }

    pub(super) fn invoice(&self, invoice: &str) -> Result<&Invoice, Rejection> {
        find(&self.tenant().tables.invoices, "invoice", invoice)
    }

    /// What billing made for an account, in that order: everything but the credit notes that correct an invoice.
    pub(super) fn documents(&self, account: &str) -> Result<Vec<String>, Rejection> {
        self.of_account(account, |invoice| invoice.document.corrects.is_none())
    }

    /// Credit notes that correct an invoice of the account, in the order they came to be.
    pub(super) fn credit_notes(&self, account: &str) -> Result<Vec<String>, Rejection> {
        self.of_account(account, |invoice| invoice.document.corrects.is_some() && invoice.document.kind == Kind::CreditNote)
    }

    fn of_account(&self, account: &str, wanted: impl Fn(&Invoice) -> bool) -> Result<Vec<String>, Rejection> {
        self.account(account)?;
        let ids = self.tenant().index.invoices_of.get(account);
        Ok(ids.into_iter().flatten().filter(|id| self.invoice(id).is_ok_and(&wanted)).cloned().collect())
    }

    pub(super) fn is_draft(&self, invoice: &str) -> bool {
        self.invoice(invoice).is_ok_and(|invoice| invoice.stage == Stage::Draft)
    }

    /// Accounts whose billing a run refused, with the reason.
    pub(super) fn refusals(&self, run: &str) -> Vec<(String, Rejection)> {
        let run = self.tenant().tables.runs.get(run);
        let failed = run.into_iter().flat_map(|run| &run.state.failed);
        failed.map(|(account, code, reason)| (account.clone(), Rejection::new(code, reason.clone()))).collect()
    }

    /// Accounts that dunning may have something to do for.
    pub(super) fn dunnable(&self, accounts: &[String]) -> Vec<String> {
        if self.tenant().tables.dunning_policies.is_empty() { Vec::new() } else { accounts.to_vec() }
    }

    pub(super) fn invoice_balance(&self, _invoice: &str) -> Result<Money, Rejection> {
        Err(Rejection::new("LATER", "balance"))
    }

    pub(super) fn invoice_state(&self, _invoice: &str) -> Result<InvoiceState, Rejection> {
        Err(Rejection::new("LATER", "state"))
    }

    pub(super) fn balance(&self, _account: &str) -> Result<Money, Rejection> {
        Err(Rejection::new("LATER", "balance"))
    }

    pub(super) fn credit(&self, _account: &str) -> Result<Money, Rejection> {
        Err(Rejection::new("LATER", "credit"))
    }

    pub(super) fn wallet_balance(&self, _wallet: &str, _now: Instant) -> Result<Money, Rejection> {
        Err(Rejection::new("LATER", "wallet"))
    }

    pub(super) fn dunning_level(&self, _account: &str) -> Result<Option<String>, Rejection> {
        Err(Rejection::new("LATER", "dunning"))
    }

    pub(super) fn mrr(&self, _currency: Currency, _now: Instant, _on: Option<Date>) -> Result<rust_decimal::Decimal, Rejection> {
        let _ = (Exact::ZERO, schedule::period_end);
        Err(Rejection::new("LATER", "mrr"))
    }
}

fn find<'a, S>(table: &'a Table<S>, what: &str, id: &str) -> Result<&'a S, Rejection> {
    let entry: Option<&Arc<Entry<S>>> = table.get(id);
    entry.map(|entry| &entry.state).ok_or_else(|| Rejection::new("NOT_FOUND", format!("there is no {what} {id:?}")))
}
