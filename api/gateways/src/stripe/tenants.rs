//! One gateway over several Stripe accounts: each tenant's money goes to its own.

use std::collections::BTreeMap;

use super::{NAME, Stripe};
use crate::{Answer, Ask, Gateway, Known, Return};

/// The Stripe accounts of a server, by tenant.
#[derive(Default)]
pub struct Tenants(BTreeMap<String, Stripe>);

impl Tenants {
    /// Adds a tenant's account; false if it has one already.
    pub fn add(&mut self, tenant: &str, stripe: Stripe) -> bool {
        if self.0.contains_key(tenant) {
            return false;
        }
        self.0.insert(tenant.to_owned(), stripe);
        true
    }

    /// The account of a tenant.
    pub fn of(&self, tenant: &str) -> Option<&Stripe> {
        self.0.get(tenant)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By the key of an ask, which starts with the tenant.
    fn by_key(&self, key: &str) -> Result<&Stripe, String> {
        let tenant = key.split('/').next().unwrap_or_default();
        self.of(tenant).ok_or_else(|| lacks(tenant))
    }
}

/// Nothing was asked of anybody. It is no refusal either: the payer did nothing wrong, and the account may be set yet.
fn lacks(tenant: &str) -> String {
    format!("tenant {tenant} has no Stripe account on this server")
}

impl Gateway for Tenants {
    fn name(&self) -> &str {
        NAME
    }

    fn collect(&self, ask: &Ask) -> Answer {
        match self.of(&ask.tenant) {
            Some(stripe) => stripe.collect(ask),
            None => Answer::Unknown {
                why: lacks(&ask.tenant),
            },
        }
    }

    fn look_up(&self, key: &str, reference: Option<&str>) -> Known {
        match self.by_key(key) {
            Ok(stripe) => stripe.look_up(key, reference),
            Err(why) => Known::NotYet { why },
        }
    }

    fn give_back(&self, back: &Return) -> Answer {
        match self.of(&back.tenant) {
            Some(stripe) => stripe.give_back(back),
            None => Answer::Unknown {
                why: lacks(&back.tenant),
            },
        }
    }

    fn look_up_return(&self, back: &Return, reference: Option<&str>) -> Known {
        match self.of(&back.tenant) {
            Some(stripe) => stripe.look_up_return(back, reference),
            None => Known::NotYet {
                why: lacks(&back.tenant),
            },
        }
    }
}
