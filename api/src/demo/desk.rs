//! Where the demo hands in its commands: the ledger of one tenant and a clock that the story moves.

use chrono::NaiveDate;
use indelible_domain::accounts::{AccountTerms, Contact};
use indelible_domain::command::StartSubscription;
use indelible_domain::kernel::{Decimal, Instant, Zone};
use indelible_domain::mediation::formats::Format;
use indelible_domain::runs::BillRun;
use indelible_domain::world::Tenant;
use indelible_domain::{Command, Outcome};
use indelible_store::ledger::BillRunRequest;
use indelible_store::{Refused, Request};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::DemoError;
use super::businesses::{Contract, Step};
use crate::forget;
use crate::ingest::{self, Origin};
use crate::office::Office;

/// 12:00 UTC is the same calendar day in Berlin, New York and Sydney.
const NOON: u16 = 12 * 60;

pub struct Desk {
    pub office: Arc<Office>,
    pub tenant: &'static str,
    today: NaiveDate,
}

impl Desk {
    /// A desk that opens on `today`.
    pub fn new(office: Arc<Office>, tenant: &'static str, today: NaiveDate) -> Desk {
        let desk = Desk {
            office,
            tenant,
            today,
        };
        desk.office.clock.move_to(desk.now());
        desk
    }

    pub fn today(&self) -> NaiveDate {
        self.today
    }

    /// The clock only goes forward.
    pub fn move_to(&mut self, day: NaiveDate) {
        self.today = self.today.max(day);
        self.office.clock.move_to(self.now());
    }

    /// Reads the tenant's live state.
    pub fn read<T>(&self, f: impl FnOnce(&Tenant) -> T) -> T {
        self.office.ledger.read(self.tenant, f)
    }

    pub fn now(&self) -> Instant {
        Zone::default().at(self.today, NOON)
    }

    /// A command of the story; the story expects it to be accepted.
    pub fn order(&self, command: Command) -> Result<Outcome, DemoError> {
        let what = kind(&command);
        self.hand_in(command).map_err(|refused| DemoError::Refused {
            on: self.today,
            what,
            refused,
        })
    }

    /// A command that may be refused.
    pub fn hand_in(&self, command: Command) -> Result<Outcome, Refused> {
        let request = Request::new(self.tenant, "demo", self.now(), command);
        self.office
            .ledger
            .execute(request)
            .map(|receipt| receipt.outcome)
    }

    pub fn step(&self, step: &Step) -> Result<(), DemoError> {
        match step {
            Step::Open {
                account,
                terms,
                name,
            } => self.open(account, terms, name),
            Step::Subscribe(contract) => self.subscribe(contract, self.today),
            Step::Do(command) => self.order(command.as_ref().clone()).map(drop),
        }
    }

    fn open(&self, account: &str, terms: &AccountTerms, name: &str) -> Result<(), DemoError> {
        let contact = Contact {
            name: name.to_string(),
            email: format!("{account}@example.com"),
            ..Contact::default()
        };
        let (contact, buyer) =
            forget::seal_contact(&self.office.keyring, self.tenant, account, &contact)
                .map_err(|error| DemoError::Broken(error.to_string()))?;
        let terms = AccountTerms {
            contact: Some(contact),
            buyer: Some(buyer),
            ..terms.clone()
        };
        self.order(Command::OpenAccount {
            account: account.to_string(),
            terms,
        })
        .map(drop)
    }

    pub fn subscribe(&self, contract: &Contract, from: NaiveDate) -> Result<(), DemoError> {
        let access = contract
            .access
            .iter()
            .map(|a| ingest::access(&self.office.keyring, self.tenant, a))
            .collect();
        let start = StartSubscription {
            subscription: contract.subscription.clone(),
            account: contract.account.clone(),
            offer: contract.offer.to_string(),
            quantity: Decimal::from(contract.quantity),
            from: Some(from),
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: true,
            access,
        };
        self.order(Command::StartSubscription(Box::new(start)))
            .map(drop)
    }

    /// A file of usage, in as many commits as it takes.
    pub fn ingest(
        &self,
        source: &str,
        format: Format,
        name: &str,
        bytes: &[u8],
    ) -> Result<(), DemoError> {
        let origin = Origin {
            tenant: self.tenant,
            source,
            format,
            name,
            batch: name,
        };
        for intake in ingest::intakes(&self.office.keyring, &origin, bytes)? {
            self.order(Command::IngestUsage(Box::new(intake)))?;
        }
        Ok(())
    }

    /// A bill run for today; no accounts means all of them.
    pub fn bill(&self, run: &str, accounts: Vec<String>) -> Result<BillRun, DemoError> {
        let ask = BillRunRequest {
            tenant: self.tenant.to_string(),
            run: run.to_string(),
            as_of: Some(self.today),
            accounts,
            draft: false,
            command_id: None,
            input_hash: [0; 32],
            actor: "demo".to_string(),
            correlation: String::new(),
            now: self.now(),
        };
        let refused = |refused| DemoError::Refused {
            on: self.today,
            what: "bill run".to_string(),
            refused,
        };
        let run = self
            .office
            .ledger
            .run_bill(&ask, &mut |_, _| {})
            .map_err(refused)?
            .run;
        match run.failed.first() {
            Some((account, code, reason)) => Err(DemoError::Unexpected(format!(
                "account {account} could not be billed on {}: {code}: {reason}",
                self.today
            ))),
            None => Ok(run),
        }
    }
}

/// The name of a command, for messages.
fn kind(command: &Command) -> String {
    let text = format!("{command:?}");
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default()
        .to_string()
}
