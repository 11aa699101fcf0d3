//! Files for the bank: a drawn file as its text, with payers opened through the keyring.

use indelible_bank::{Agent, Remittance, debit, transfer};
use indelible_domain::bank::file::Item;
use indelible_domain::bank::{Amendment, BankAccount, BankFile, Order, Sequence, Terms};
use indelible_domain::methods::{self, Scheme};
use indelible_domain::world::{Noun as _, Tenant};
use indelible_store::Keyring;

use super::{BankError, Edition};
use crate::forget;

/// Writes a file that was drawn: the same bytes whenever it is asked for.
///
/// # Errors
/// An unknown file, a payer who is forgotten, and what a bank would refuse.
pub fn write(
    keyring: &Keyring,
    books: &Tenant,
    file: &str,
    edition: Edition,
) -> Result<String, BankError> {
    let unknown = || BankError::Unknown(file.to_owned());
    let drawn = &BankFile::table(&books.tables)
        .get(file)
        .ok_or_else(unknown)?
        .state;
    let bank = BankAccount::table(&books.tables).get(&drawn.bank);
    let terms = &bank.ok_or_else(unknown)?.state.terms;
    let own = Agent {
        name: terms.holder.clone(),
        iban: terms.iban.clone(),
        bic: terms.bic.clone(),
    };
    let debits = drawn
        .items
        .iter()
        .any(|item| matches!(item.order, Order::Debit { .. }));
    match debits {
        true => debits_of(keyring, file, drawn, terms, own, edition),
        false => transfers_of(keyring, file, drawn, own, edition),
    }
}

fn debits_of(
    keyring: &Keyring,
    file: &str,
    drawn: &BankFile,
    terms: &Terms,
    creditor: Agent,
    edition: Edition,
) -> Result<String, BankError> {
    let mut collections = Vec::new();
    for item in &drawn.items {
        let Order::Debit {
            mandate,
            signed,
            scheme,
            sequence,
        } = &item.order
        else {
            continue;
        };
        collections.push(debit::Collection {
            end_to_end: item.end_to_end.clone(),
            batch: item.batch,
            amount: item.amount,
            scheme: match scheme {
                Scheme::Core => debit::Scheme::Core,
                Scheme::B2b => debit::Scheme::B2b,
            },
            sequence: match sequence {
                Sequence::First => debit::Sequence::First,
                Sequence::Recurring => debit::Sequence::Recurring,
                Sequence::OneOff => debit::Sequence::OneOff,
                Sequence::Final => debit::Sequence::Final,
            },
            on: item.on,
            mandate: mandate.clone(),
            signed: *signed,
            debtor: other_side(keyring, item)?,
            remittance: Remittance::Text(item.text.clone()),
            amendment: drawn
                .amendments
                .get(&item.end_to_end)
                .map(|amendment| amended(keyring, amendment))
                .transpose()?,
        });
    }
    let file = debit::DebitFile {
        message: file.to_owned(),
        created: drawn.at,
        creditor,
        creditor_id: terms.creditor_id.clone().unwrap_or_default(),
        collections,
    };
    let edition = match edition {
        Edition::Of2009 => debit::Edition::V02,
        Edition::Of2019 => debit::Edition::V08,
    };
    Ok(debit::write(&file, edition)?)
}

/// An account of before that was forgotten is called another one, which every bank takes.
fn amended(keyring: &Keyring, amendment: &Amendment) -> Result<debit::Amendment, BankError> {
    let account = match &amendment.account {
        None => None,
        Some(sealed) => {
            let opened: Option<methods::BankAccount> = forget::open(keyring, &sealed.account)?;
            Some(match opened {
                Some(account) => debit::Former::Iban(account.iban),
                None => debit::Former::Unknown,
            })
        }
    };
    Ok(debit::Amendment {
        mandate: amendment.mandate.clone(),
        account,
        creditor_id: amendment.creditor_id.clone(),
    })
}

fn transfers_of(
    keyring: &Keyring,
    file: &str,
    drawn: &BankFile,
    debtor: Agent,
    edition: Edition,
) -> Result<String, BankError> {
    let mut transfers = Vec::new();
    for item in &drawn.items {
        transfers.push(transfer::Transfer {
            end_to_end: item.end_to_end.clone(),
            batch: item.batch,
            amount: item.amount,
            on: item.on,
            creditor: other_side(keyring, item)?,
            remittance: Remittance::Text(item.text.clone()),
        });
    }
    let file = transfer::TransferFile {
        message: file.to_owned(),
        created: drawn.at,
        debtor,
        transfers,
    };
    let edition = match edition {
        Edition::Of2009 => transfer::Edition::V03,
        Edition::Of2019 => transfer::Edition::V09,
    };
    Ok(transfer::write(&file, edition)?)
}

fn other_side(keyring: &Keyring, item: &Item) -> Result<Agent, BankError> {
    let opened: Option<methods::BankAccount> = forget::open(keyring, &item.account.account)?;
    let account = opened.ok_or_else(|| BankError::Forgotten(item.payment.clone()))?;
    Ok(Agent {
        name: account.holder,
        iban: account.iban,
        bic: Some(account.bic).filter(|bic| !bic.is_empty()),
    })
}
