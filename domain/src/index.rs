//! Look-ups over a tenant's aggregates that no single stream can answer; folded from the same events.

use crate::accounts::folio;
use crate::kernel::Id;
use crate::mediation::{Held, Listed};
use crate::reservations::Reserved;
use crate::table::ById;
use crate::world::Event;
use crate::{
    accounts, advances, cash, collections, contracts, invoices, mediation, payments, receivables,
    subscriptions, wallets,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

mod claims;
mod intents;
mod outbox;

pub use claims::{Claim, Claims};
pub use intents::Intents;
pub use outbox::Outbox;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Index {
    pub subscriptions_of: ById<BTreeSet<Id>>,
    /// Accounts by who pays for them.
    pub paid_by: ById<BTreeSet<Id>>,
    payer_of: ById<Id>,
    /// Documents of an account, in the order they came to be.
    pub invoices_of: ById<Vec<Id>>,
    /// Payments of an account, in the order they were recorded.
    pub payments_of: ById<Vec<Id>>,
    /// Subscriptions by what finds them in usage records.
    pub access: ById<Vec<Id>>,
    /// Drafts that wait to be released, or for the end of their grace period.
    pub held: BTreeSet<Id>,
    /// Finalised documents by their number's letters and digits: how a payer's text finds them.
    pub numbered: ById<BTreeSet<Id>>,
    /// Accounts by the keyed hash of the bank account that paid for them.
    pub paid_from: BTreeMap<String, BTreeSet<Id>>,
    pub wallets_of: ById<BTreeSet<Id>>,
    /// Framework contracts of an account.
    pub contracts_of: ById<BTreeSet<Id>>,
    /// Debts that other accounts took over.
    pub claims: Claims,
    pub bank: crate::bank::BankIndex,
    /// Batches with records that wait for an access; may name batches whose records wait no longer.
    pub waiting: BTreeMap<String, BTreeSet<Id>>,
    /// Messages to be sent, and those that could not be.
    pub outbox: Outbox,
    /// Quotas of credit control.
    pub reserved: Reserved,
    /// What providers are asked for.
    pub intents: Intents,
    /// Open collections of an account.
    pub collections_of: ById<BTreeSet<Id>>,
    /// Folios of an account besides its own, on which something was ever owed or paid.
    pub folios_of: ById<BTreeSet<Id>>,
    /// Advances of an account that may have something left, in the order they were asked for.
    pub advances_of: ById<Vec<Id>>,
    /// Whose they are, so that closing one looks at nobody else.
    advance_of: ById<Id>,
    /// Every collection of an account, in the order they were opened.
    pub all_collections_of: ById<Vec<Id>>,
}

impl Index {
    /// Who pays for an account: itself where nobody else does.
    pub fn payer<'a>(&'a self, account: &'a str) -> &'a str {
        self.payer_of.get(account).map_or(account, String::as_str)
    }

    /// Advances by one event, after which its stream has `version`.
    pub fn apply(&mut self, id: &str, version: u64, event: &Event) {
        if matches!(event, Event::Receivable(_)) && !folio::is_own(id) {
            let folios = self.folios_of.entry(folio::owner(id).to_string());
            folios.or_default().insert(id.to_string());
        }
        match event {
            Event::Account(accounts::Event::Opened(e)) => self.pays(id, e.terms.payer.as_deref()),
            Event::Account(accounts::Event::Changed(e)) => self.pays(id, e.terms.payer.as_deref()),
            Event::Account(accounts::Event::Forgotten(e)) => {
                self.unlink(&e.unlinked);
                self.forget_payers(id);
            }
            Event::Receivable(receivables::Event::Remitted(receivables::Remitted {
                payer: Some(payer),
                ..
            })) => {
                let accounts = self.paid_from.entry(payer.clone()).or_default();
                accounts.insert(id.to_string());
            }
            Event::Receivable(e) => self.claims.apply(id, e),
            Event::Subscription(subscriptions::Event::Started(e)) => {
                self.subscriptions_of
                    .entry(e.account.clone())
                    .or_default()
                    .insert(id.to_string());
                for access in &e.access {
                    self.access
                        .entry(access.clone())
                        .or_default()
                        .push(id.to_string());
                }
            }
            Event::Invoice(invoices::Event::Drafted(e)) => {
                self.invoice(id, version, &e.document.account);
            }
            Event::Invoice(invoices::Event::Held(_)) => {
                self.held.insert(id.to_string());
            }
            Event::Invoice(
                invoices::Event::Released(_)
                | invoices::Event::Rejected(_)
                | invoices::Event::Voided(_),
            ) => {
                self.held.remove(id);
            }
            Event::Invoice(invoices::Event::Finalised(e)) => {
                self.held.remove(id);
                self.invoice(id, version, &e.document.account);
                let number = cash::reference::normal(&e.number);
                self.numbered
                    .entry(number)
                    .or_default()
                    .insert(id.to_string());
            }
            Event::Payment(payments::Event::Recorded(e)) => {
                let payments = self.payments_of.entry(e.account.clone()).or_default();
                payments.push(id.to_string());
            }
            Event::Payment(e) => self.intents.apply(id, e),
            Event::Collection(e) => {
                if let collections::Event::Opened(opened) = e {
                    let all = self
                        .all_collections_of
                        .entry(opened.account.clone())
                        .or_default();
                    all.push(id.to_string());
                }
                intents::collections(&mut self.collections_of, id, e);
            }
            Event::Wallet(wallets::Event::Opened(e)) => {
                self.wallets_of
                    .entry(e.account.clone())
                    .or_default()
                    .insert(id.to_string());
            }
            Event::Advance(advances::Event::Requested(e)) => self.advance(id, &e.terms),
            // A request is followed by its invoice.
            Event::Advance(advances::Event::Asked(e)) if version == 1 => self.advance(id, &e.terms),
            Event::Advance(advances::Event::Closed(_)) => self.advance_closed(id),
            Event::Contract(contracts::Event::Agreed(e)) => {
                let account = e.agreement.account.clone();
                self.contracts_of
                    .entry(account)
                    .or_default()
                    .insert(id.to_string());
            }
            Event::Reservation(e) => self.reserved.apply(id, e),
            Event::Batch(mediation::Event::Received(e)) => self.listed(id, &e.listed),
            Event::Batch(mediation::Event::Continued(e)) => self.listed(id, &e.listed),
            Event::Message(e) => self.outbox.apply(id, e),
            Event::BankAccount(e) => self.bank.account(id, e),
            Event::BankEntry(e) => self.bank.entry(id, e),
            Event::BankFile(e) => self.bank.file(id, e),
            _ => {}
        }
    }

    /// Usage finds these subscriptions no more.
    fn unlink(&mut self, subscriptions: &BTreeMap<Id, Vec<String>>) {
        for (id, accesses) in subscriptions {
            for access in accesses {
                let Some(found) = self.access.get_mut(access) else {
                    continue;
                };
                found.retain(|other| other != id);
                if found.is_empty() {
                    self.access.remove(access);
                }
            }
        }
    }

    /// No bank account leads to the account any more.
    fn forget_payers(&mut self, account: &str) {
        self.paid_from.retain(|_, accounts| {
            accounts.remove(account);
            !accounts.is_empty()
        });
    }

    /// Records that wait.
    fn listed(&mut self, batch: &str, listed: &Listed) {
        for Held { record, .. } in &listed.pending {
            self.waiting
                .entry(record.access.clone())
                .or_default()
                .insert(batch.to_string());
        }
    }

    fn pays(&mut self, account: &str, payer: Option<&str>) {
        if let Some(before) = self.payer_of.remove(account)
            && let Some(children) = self.paid_by.get_mut(&before)
        {
            children.remove(account);
        }
        if let Some(payer) = payer {
            self.payer_of.insert(account.to_string(), payer.to_string());
            self.paid_by
                .entry(payer.to_string())
                .or_default()
                .insert(account.to_string());
        }
    }

    fn advance(&mut self, id: &str, terms: &advances::Terms) {
        let owner = folio::owner(&terms.account);
        let known = self.advances_of.entry(owner.to_string()).or_default();
        known.push(id.to_string());
        self.advance_of.insert(id.to_string(), owner.to_string());
    }

    /// Nothing of it is left for documents of its account.
    fn advance_closed(&mut self, id: &str) {
        let Some(owner) = self.advance_of.remove(id) else {
            return;
        };
        if let Some(known) = self.advances_of.get_mut(&owner) {
            known.retain(|advance| advance != id);
            if known.is_empty() {
                self.advances_of.remove(&owner);
            }
        }
    }

    /// A document that its first event tells of is known to nobody yet, however many the account has.
    fn invoice(&mut self, id: &str, version: u64, account: &str) {
        let documents = self.invoices_of.entry(account.to_string()).or_default();
        if version == 1 || !documents.iter().rev().any(|d| d == id) {
            documents.push(id.to_string());
        }
    }
}
