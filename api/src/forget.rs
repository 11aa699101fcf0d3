//! Personal data at the edge: sealing it for its purpose, and destroying keys once the log says that they are destroyed.
//!
//! The log comes first. Its fact names the keys, so destroying them can be repeated: after a crash between the two, and
//! after key files came back from a backup that is older than the fact (docs/decisions/0011-personal-data.md).

use std::collections::BTreeSet;

use indelible_domain::accounts::{Account, Buyer, Contact};
use indelible_domain::command::ForgetAccount;
use indelible_domain::kernel::{Personal, Purpose};
use indelible_domain::subscriptions::Subscription;
use indelible_domain::world::{Noun, Tenant};
use indelible_store::{Keyring, KeyringError, Ledger, Sealed};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is forgotten unless somebody says otherwise: everything the law does not ask for.
pub const USUAL: [Purpose; 3] = [Purpose::Contact, Purpose::UsageRaw, Purpose::Payment];

/// Why personal data could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// What was sealed is not what is expected there.
    #[error("personal data has an unknown form")]
    Form(#[from] serde_json::Error),
}

impl SealError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            SealError::Keyring(error) => error.code(),
            SealError::Form(_) => "PERSONAL_DATA_FORM",
        }
    }
}

/// Seals personal data of a subject for one purpose.
pub fn seal<T: Serialize>(
    keyring: &Keyring,
    tenant: &str,
    subject: &str,
    purpose: Purpose,
    plain: &T,
) -> Result<Personal<T>, SealError> {
    let bytes = serde_json::to_vec(plain)?;
    let Sealed {
        key_id,
        nonce,
        ciphertext,
    } = keyring.seal(tenant, subject, purpose, &bytes)?;
    Ok(Personal::sealed(key_id, nonce, ciphertext))
}

/// A contact as an account holds it: once to reach its holder, once for its documents.
pub fn seal_contact(
    keyring: &Keyring,
    tenant: &str,
    account: &str,
    contact: &Contact,
) -> Result<(Personal<Contact>, Personal<Buyer>), SealError> {
    Ok((
        seal(keyring, tenant, account, Purpose::Contact, contact)?,
        seal(
            keyring,
            tenant,
            account,
            Purpose::LegalDocument,
            &contact.buyer(),
        )?,
    ))
}

/// Opens personal data; none if its key was destroyed.
pub fn open<T: DeserializeOwned>(
    keyring: &Keyring,
    sealed: &Personal<T>,
) -> Result<Option<T>, SealError> {
    let opened = keyring.unseal(&stored(sealed))?;
    Ok(opened
        .map(|bytes| serde_json::from_slice(&bytes))
        .transpose()?)
}

/// Personal data as the keyring knows it.
pub fn stored<T>(sealed: &Personal<T>) -> Sealed {
    Sealed {
        key_id: sealed.key_id.clone(),
        nonce: sealed.nonce,
        ciphertext: sealed.ciphertext.clone(),
    }
}

/// The command that forgets an account: with its living keys, and with the buyer of its documents where only the
/// contact names him yet.
pub fn command(
    keyring: &Keyring,
    tenant: &str,
    books: &Tenant,
    account: &str,
    purposes: BTreeSet<Purpose>,
    by: &str,
) -> Result<ForgetAccount, SealError> {
    let keys = purposes
        .iter()
        .flat_map(|purpose| keys(keyring, tenant, books, account, *purpose))
        .collect();
    let terms = Account::table(&books.tables)
        .get(account)
        .map(|entry| &entry.state.terms);
    let unrecorded = terms
        .filter(|terms| terms.buyer.is_none())
        .and_then(|terms| terms.contact.as_ref());
    let mut buyer = None;
    if let Some(sealed) = unrecorded
        && !purposes.contains(&Purpose::LegalDocument)
        && let Some(contact) = open::<Contact>(keyring, sealed)?
    {
        let purpose = Purpose::LegalDocument;
        buyer = Some(seal(keyring, tenant, account, purpose, &contact.buyer())?);
    }
    Ok(ForgetAccount {
        account: account.to_owned(),
        purposes,
        keys,
        buyer,
        by: by.to_owned(),
    })
}

/// Ids of the living keys of an account for one purpose.
pub fn keys(
    keyring: &Keyring,
    tenant: &str,
    books: &Tenant,
    account: &str,
    purpose: Purpose,
) -> BTreeSet<String> {
    let subjects = match purpose {
        Purpose::Contact | Purpose::LegalDocument => BTreeSet::from([account.to_owned()]),
        Purpose::Payment => payers_of(books, account),
        Purpose::UsageRaw => lines_of(books, account),
    };
    subjects
        .iter()
        .filter_map(|subject| keyring.key_id(tenant, subject, purpose))
        .collect()
}

/// What words of a payer in bank statements are sealed by: the keyed hash of his bank account.
pub fn payer(hash: &str) -> String {
    format!("payer:{hash}")
}

/// The account itself, and the bank accounts that paid for it and for no other.
fn payers_of(books: &Tenant, account: &str) -> BTreeSet<String> {
    let paid = books.index.paid_from.iter();
    let own = paid.filter(|(_, accounts)| accounts.len() == 1 && accounts.contains(account));
    let mut subjects: BTreeSet<String> = own.map(|(hash, _)| payer(hash)).collect();
    subjects.insert(account.to_owned());
    subjects
}

/// What raw lines of an account's usage are sealed by: its subscriptions and whatever finds them, unless it finds
/// another account's as well.
fn lines_of(books: &Tenant, account: &str) -> BTreeSet<String> {
    let subscriptions = Subscription::table(&books.tables);
    let foreign = |access: &String| {
        let found = books.index.access.get(access).into_iter().flatten();
        found
            .filter_map(|id| subscriptions.get(id))
            .any(|sub| sub.state.account != account)
    };
    let mut subjects = BTreeSet::new();
    let own = books.index.subscriptions_of.get(account);
    for id in own.into_iter().flatten() {
        subjects.insert(format!("subscription:{id}"));
        let Some(sub) = subscriptions.get(id) else {
            continue;
        };
        let accesses = sub.state.access.iter().filter(|access| !foreign(access));
        subjects.extend(accesses.cloned());
    }
    subjects
}

/// Destroys what the account's facts say is destroyed, and answers how many keys still lived.
pub fn destroy(
    keyring: &Keyring,
    ledger: &Ledger,
    tenant: &str,
    account: &str,
) -> Result<usize, KeyringError> {
    let ids: BTreeSet<String> = ledger.read(tenant, |books| {
        let entry = Account::table(&books.tables).get(account);
        entry
            .into_iter()
            .flat_map(|entry| entry.state.destroyed_keys().cloned())
            .collect()
    });
    keyring.destroy(ids.iter().map(String::as_str))
}

/// Destroys every key that the log says is destroyed, and answers how many still lived: zero unless a crash came
/// between the fact and the deed, or the key files are older than the log.
pub fn destroy_all(keyring: &Keyring, ledger: &Ledger) -> Result<usize, KeyringError> {
    let mut ids = BTreeSet::new();
    for tenant in ledger.tenants() {
        ledger.read(&tenant, |books| {
            for entry in Account::table(&books.tables).values() {
                ids.extend(entry.state.destroyed_keys().cloned());
            }
        });
    }
    keyring.destroy(ids.iter().map(String::as_str))
}
