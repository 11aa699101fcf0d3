//! Accounts as they were stored: 1 before their documents had a buyer of their own, 2 before customer groups, languages
//! and channels.

use super::{AccountTerms, Buyer, Changed, Contact, Opened};
use crate::kernel::{Currency, Id, Personal, Zone};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct AccountTermsV1 {
    entity: Id,
    currency: Currency,
    zone: Zone,
    billing_day: Option<u32>,
    payment_days: Option<u32>,
    country: String,
    tax_category: String,
    payer: Option<Id>,
    dunning_policy: Option<Id>,
    contact: Option<Personal<Contact>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenedV1 {
    terms: AccountTermsV1,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ChangedV1 {
    terms: AccountTermsV1,
}

impl From<AccountTermsV1> for AccountTerms {
    fn from(old: AccountTermsV1) -> AccountTerms {
        let AccountTermsV1 {
            entity,
            currency,
            zone,
            billing_day,
            payment_days,
            country,
            tax_category,
            payer,
            dunning_policy,
            contact,
        } = old;
        AccountTerms {
            entity,
            currency,
            zone,
            billing_day,
            payment_days,
            country,
            tax_category,
            payer,
            dunning_policy,
            contact,
            buyer: None,
            group: None,
            language: None,
            channel: None,
        }
    }
}

impl From<OpenedV1> for Opened {
    fn from(old: OpenedV1) -> Opened {
        Opened {
            terms: old.terms.into(),
        }
    }
}

impl From<ChangedV1> for Changed {
    fn from(old: ChangedV1) -> Changed {
        Changed {
            terms: old.terms.into(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct AccountTermsV2 {
    entity: Id,
    currency: Currency,
    zone: Zone,
    billing_day: Option<u32>,
    payment_days: Option<u32>,
    country: String,
    tax_category: String,
    payer: Option<Id>,
    dunning_policy: Option<Id>,
    contact: Option<Personal<Contact>>,
    buyer: Option<Personal<Buyer>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenedV2 {
    terms: AccountTermsV2,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ChangedV2 {
    terms: AccountTermsV2,
}

impl From<AccountTermsV2> for AccountTerms {
    fn from(old: AccountTermsV2) -> AccountTerms {
        let AccountTermsV2 {
            entity,
            currency,
            zone,
            billing_day,
            payment_days,
            country,
            tax_category,
            payer,
            dunning_policy,
            contact,
            buyer,
        } = old;
        AccountTerms {
            entity,
            currency,
            zone,
            billing_day,
            payment_days,
            country,
            tax_category,
            payer,
            dunning_policy,
            contact,
            buyer,
            group: None,
            language: None,
            channel: None,
        }
    }
}

impl From<OpenedV2> for Opened {
    fn from(old: OpenedV2) -> Opened {
        Opened {
            terms: old.terms.into(),
        }
    }
}

impl From<ChangedV2> for Changed {
    fn from(old: ChangedV2) -> Changed {
        Changed {
            terms: old.terms.into(),
        }
    }
}
