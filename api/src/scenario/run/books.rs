//! The ledger a scenario runs on: the real one, in memory, for one tenant, with a clock that only the story moves.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indelible_domain::accounts::{AccountTerms, folio};
use indelible_domain::advances::Advance;
use indelible_domain::audit::audit;
use indelible_domain::charges::What;
use indelible_domain::invoices::shown::{self, Beneath, Together};
use indelible_domain::invoices::{Document, Invoice, Kind, Line, Stage};
use indelible_domain::kernel::{Currency, Date, Exact, Instant, Money, Rejection};
use indelible_domain::processes::agenda::tick_commands;
use indelible_domain::receivables::Receivables;
use indelible_domain::subscriptions::Subscription;
use indelible_domain::usage::{self, Metered};
use indelible_domain::wallets::{Terms, Wallet};
use indelible_domain::world::{Noun, Tenant};
use indelible_domain::{Command, Outcome, Session, operations};
use indelible_projections::subscriptions::mrr;
use indelible_projections::{ViewError, Views};
use indelible_store::ledger::{BillRunRequest, Ledger, Refused, Request};
use indelible_store::{EventStore, MemoryStore};

use super::super::ast::{InvoiceState, Stock};
use crate::graphql::explained;

const TENANT: &str = "scenario";
/// Far more than folding a scenario's few facts ever takes.
const CATCH_UP: Duration = Duration::from_secs(60);

pub(super) struct Books {
    ledger: Ledger,
    /// Opened when something is first asked of them.
    views: OnceLock<Views>,
}

impl Books {
    pub(super) fn open() -> Result<Self, Rejection> {
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        let ledger =
            Ledger::open(store).map_err(|error| Rejection::new(error.code(), error.to_string()))?;
        Ok(Books {
            ledger,
            views: OnceLock::new(),
        })
    }

    pub(super) fn execute(&self, now: Instant, command: Command) -> Result<Outcome, Rejection> {
        let request = Request::new(TENANT, "scenario", now, command);
        self.ledger
            .execute(request)
            .map(|receipt| receipt.outcome)
            .map_err(rejection)
    }

    /// A bill run to its end; the first account whose billing was refused refuses it.
    pub(super) fn bill(
        &self,
        now: Instant,
        run: String,
        accounts: &[String],
        as_of: Option<Date>,
    ) -> Result<(), Rejection> {
        let ask = BillRunRequest {
            tenant: TENANT.to_owned(),
            run,
            as_of,
            accounts: accounts.to_vec(),
            draft: false,
            command_id: None,
            input_hash: [0; 32],
            actor: "scenario".to_owned(),
            correlation: String::new(),
            now,
        };
        let report = self
            .ledger
            .run_bill(&ask, &mut |_, _| {})
            .map_err(rejection)?;
        match report.run.failed.first() {
            Some((account, code, reason)) => {
                Err(Rejection::new(code, format!("account {account}: {reason}")))
            }
            None => Ok(()),
        }
    }

    /// What is wrong with the books as a whole: sums, numbers, days billed twice, a state that is not the log's fold.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = self.read(audit);
        match self.ledger.verify_state() {
            Ok(check) if check.differing.is_empty() => {}
            Ok(_) => {
                faults.push("replaying the log gives another state than the one in use".to_owned())
            }
            Err(error) => faults.push(error.to_string()),
        }
        faults
    }

    /// What time asks of documents: drafts whose grace period is over, thresholds that usage reached.
    pub(super) fn billing_due(&self, now: Instant) -> Vec<Command> {
        let all = self.read(|tenant| tick_commands(tenant, now));
        let ours = |command: &Command| {
            matches!(
                command,
                Command::FinaliseInvoice { .. } | Command::BillThreshold { .. }
            )
        };
        all.into_iter().map(|(_, c)| c).filter(ours).collect()
    }

    /// The books as they are now, for something that is only tried.
    pub(super) fn copy(&self) -> super::reratings::Copy {
        super::reratings::Copy {
            past: self.ledger.past(TENANT),
            tenant: self.read(Clone::clone),
        }
    }

    pub(super) fn read<T>(&self, f: impl FnOnce(&Tenant) -> T) -> T {
        self.ledger.read(TENANT, f)
    }

    fn find<N: Noun>(&self, id: &str) -> Result<N::State, Rejection> {
        let found = self.read(|tenant| {
            N::table(&tenant.tables)
                .get(id)
                .map(|entry| entry.state.clone())
        });
        found.ok_or_else(|| Rejection::new("NOT_FOUND", format!("there is no {} {id:?}", N::KIND)))
    }

    pub(super) fn account(&self, account: &str) -> Result<AccountTerms, Rejection> {
        self.find::<indelible_domain::accounts::Account>(account)
            .map(|account| account.terms)
    }

    pub(super) fn subscription(&self, subscription: &str) -> Result<Subscription, Rejection> {
        self.find::<Subscription>(subscription)
    }

    pub(super) fn invoice(&self, invoice: &str) -> Result<Invoice, Rejection> {
        self.find::<Invoice>(invoice)
    }

    /// A document as a reader is shown it.
    pub(super) fn shown(&self, invoice: &str) -> Result<Vec<Together>, Rejection> {
        let document = self.invoice(invoice)?.document;
        let mut beneath: BTreeMap<u32, Beneath> = BTreeMap::new();
        for line in &document.lines {
            let of = (invoice, &*document);
            let groups = explained::groups_in(&self.ledger, TENANT, of, line)?;
            let records = self.records(line)?;
            let groups = groups.filter(|_| document.shown.group);
            beneath.insert(line.no, Beneath { records, groups });
        }
        shown::together(&document, |line| {
            beneath.get(&line.no).cloned().unwrap_or_default()
        })
    }

    /// The records beneath a line of usage, as they are now.
    fn records(&self, line: &Line) -> Result<Vec<shown::Used>, Rejection> {
        let (Some(subscription), What::Usage { charge, days }) = (&line.subscription, &line.what)
        else {
            return Ok(vec![]);
        };
        let meter = usage::id(subscription, charge, days.from);
        let facts = self.ledger.stream(TENANT, Metered::KIND, &meter, None);
        let facts = facts.map_err(|error| Rejection::new(error.code(), error.to_string()))?;
        let zone = self.account(&line.account)?.zone;
        let events = facts.iter().map(|fact| &fact.event);
        Ok(crate::graphql::shown::records(&zone, events))
    }

    /// What billing made for an account, in that order: everything but the credit notes that correct an invoice.
    pub(super) fn documents(&self, account: &str) -> Result<Vec<String>, Rejection> {
        self.of_account(account, |invoice| invoice.document.corrects.is_none())
    }

    /// Credit notes that correct an invoice of the account, in the order they came to be.
    pub(super) fn credit_notes(&self, account: &str) -> Result<Vec<String>, Rejection> {
        self.of_account(account, |invoice| {
            invoice.document.corrects.is_some() && invoice.document.kind == Kind::CreditNote
        })
    }

    fn of_account(
        &self,
        account: &str,
        wanted: impl Fn(&Invoice) -> bool,
    ) -> Result<Vec<String>, Rejection> {
        self.account(account)?;
        Ok(self.read(|tenant| {
            let is_wanted = |id: &&String| {
                tenant
                    .tables
                    .invoices
                    .get(id)
                    .is_some_and(|invoice| wanted(&invoice.state))
            };
            tenant
                .index
                .invoices_of
                .get(account)
                .into_iter()
                .flatten()
                .filter(is_wanted)
                .cloned()
                .collect()
        }))
    }

    pub(super) fn is_draft(&self, invoice: &str) -> bool {
        self.invoice(invoice)
            .is_ok_and(|invoice| invoice.stage == Stage::Draft)
    }

    /// Accounts that dunning may have something to do for.
    pub(super) fn dunnable(&self, accounts: &[String]) -> Vec<String> {
        self.read(|tenant| {
            if tenant.tables.dunning_policies.is_empty() {
                return Vec::new();
            }
            let with_folios = |account: &String| {
                let others = tenant.index.folios_of.get(account);
                let others = others.into_iter().flatten().cloned();
                std::iter::once(account.clone()).chain(others)
            };
            accounts.iter().flat_map(with_folios).collect()
        })
    }

    /// What is still to be paid of an invoice; nothing for a draft and for what gives money back.
    pub(super) fn invoice_balance(&self, invoice: &str) -> Result<Money, Rejection> {
        let document = self.invoice(invoice)?.document;
        let open = self
            .receivables(&self.folio(&document)?)?
            .item(invoice)
            .map(|item| item.open);
        Ok(open.unwrap_or(Money::zero(document.currency)))
    }

    pub(super) fn invoice_state(&self, id: &str) -> Result<InvoiceState, Rejection> {
        let invoice = self.invoice(id)?;
        match invoice.stage {
            Stage::Absent | Stage::Draft => return Ok(InvoiceState::Draft),
            Stage::Void => return Ok(InvoiceState::Void),
            Stage::Rejected => return Ok(InvoiceState::Rejected),
            Stage::Finalised => {}
        }
        if !invoice.document.kind.is_booked() {
            return Ok(InvoiceState::Requested);
        }
        let receivables = self.receivables(&self.folio(&invoice.document)?)?;
        let paid = receivables.applied_to(id).next().is_some();
        Ok(match receivables.item(id) {
            Some(item) if item.open.is_positive() && paid => InvoiceState::PartlyPaid,
            Some(item) if item.open.is_positive() => InvoiceState::Open,
            Some(item) if item.written_off.is_positive() => InvoiceState::WrittenOff,
            Some(_) if invoice.left().is_zero() && invoice.document.total.is_positive() => {
                InvoiceState::Credited
            }
            _ => InvoiceState::Paid,
        })
    }

    pub(super) fn balance(&self, account: &str) -> Result<Money, Rejection> {
        self.receivables(account)
            .map(|receivables| receivables.balance())
    }

    pub(super) fn credit(&self, account: &str) -> Result<Money, Rejection> {
        self.receivables(account)
            .map(|receivables| receivables.unapplied())
    }

    /// The folio that a document is on.
    fn folio(&self, document: &Document) -> Result<String, Rejection> {
        let terms = self.account(&document.account)?;
        Ok(document.folio().id(&document.account, &terms))
    }

    /// Empty for an account that never owed or had anything.
    fn receivables(&self, account: &str) -> Result<Receivables, Rejection> {
        let own = self.account(folio::owner(account))?;
        let currency = folio::parts(account).map_or(own.currency, |(currency, _)| currency);
        let none = Receivables {
            currency,
            ..Receivables::default()
        };
        Ok(self
            .read(|tenant| {
                tenant
                    .tables
                    .receivables
                    .get(account)
                    .map(|entry| entry.state.clone())
            })
            .unwrap_or(none))
    }

    /// Exact: what is burnt at rating is not rounded.
    pub(super) fn wallet(&self, id: &str, what: Stock, now: Instant) -> Result<Exact, Rejection> {
        let wallet = self.find::<Wallet>(id)?;
        let today = self.account(&wallet.account)?.zone.date(now);
        let asked = wallet.asked.iter().map(|a| a.amount);
        match what {
            Stock::Money => Ok(wallet.balance(today)),
            Stock::Units => Ok(wallet.units(today)),
            Stock::Asked => Ok(Money::sum(wallet.currency, asked).exact()),
            Stock::Expected => {
                self.read(|tenant| operations::expected_balance(&Session::new(tenant, now), id))
            }
        }
    }

    /// What is left of an advance, and of its tax.
    pub(super) fn advance(&self, id: &str) -> Result<(Money, Money), Rejection> {
        let advance = self.find::<Advance>(id)?;
        let currency = advance.parts.first().map(|part| part.net.currency);
        let currency = currency.unwrap_or_default();
        let rest = advance.rest();
        let net = Money::sum(currency, rest.iter().map(|part| part.net));
        Ok((
            net,
            Money::sum(currency, rest.iter().map(|part| part.amount)),
        ))
    }

    /// What is agreed about a wallet.
    pub(super) fn wallet_terms(&self, id: &str) -> Result<Terms, Rejection> {
        Ok(self.find::<Wallet>(id)?.terms.clone())
    }

    /// The highest level reached; nothing while all is clear.
    pub(super) fn dunning_level(&self, account: &str) -> Result<Option<String>, Rejection> {
        self.account(folio::owner(account))?;
        let level = |tenant: &Tenant| {
            tenant
                .tables
                .dunning
                .get(account)?
                .state
                .level()
                .map(str::to_owned)
        };
        Ok(self.read(level))
    }

    /// Asked of the read model that answers it everywhere else.
    pub(super) fn mrr(&self, currency: Currency, day: Date) -> Result<Exact, Rejection> {
        let failed = |error: ViewError| Rejection::new(error.code(), error.to_string());
        let store = self.ledger.store();
        let views = match self.views.get() {
            Some(views) => views,
            None => {
                let views = Views::in_memory(Arc::clone(store)).map_err(failed)?;
                self.views.get_or_init(|| views)
            }
        };
        views.wait_for(store.head(), CATCH_UP).map_err(failed)?;
        mrr::on(&views.of(TENANT), currency, day).map_err(failed)
    }
}

fn rejection(refused: Refused) -> Rejection {
    Rejection::new(refused.code(), refused.message())
}
