//! Look-ups over a tenant's aggregates that no single stream can answer; folded from the same events.

use crate::kernel::Id;
use crate::world::Event;
use crate::{accounts, invoices, subscriptions};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default)]
pub struct Index {
    pub subscriptions_of: BTreeMap<Id, BTreeSet<Id>>,
    /// Accounts by who pays for them.
    pub paid_by: BTreeMap<Id, BTreeSet<Id>>,
    payer_of: BTreeMap<Id, Id>,
    /// Documents of an account, in the order they came to be.
    pub invoices_of: BTreeMap<Id, Vec<Id>>,
    /// Subscriptions by what finds them in usage records.
    pub access: BTreeMap<String, Vec<Id>>,
}

impl Index {
    pub fn apply(&mut self, id: &str, event: &Event) {
        match event {
            Event::Account(accounts::Event::Opened(e)) => self.pays(id, e.terms.payer.as_deref()),
            Event::Account(accounts::Event::Changed(e)) => self.pays(id, e.terms.payer.as_deref()),
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
            Event::Invoice(invoices::Event::Drafted(e)) => self.invoice(id, &e.document.account),
            Event::Invoice(invoices::Event::Finalised(e)) => self.invoice(id, &e.document.account),
            _ => {}
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

    fn invoice(&mut self, id: &str, account: &str) {
        let documents = self.invoices_of.entry(account.to_string()).or_default();
        if documents.iter().all(|d| d != id) {
            documents.push(id.to_string());
        }
    }
}
