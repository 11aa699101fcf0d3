//! E-mail that came back: from a mail system's notification to the message in the log.
//!
//! - A message is found by the reference it was sent under, which nobody else knows; what else a notification says of it
//!   is not believed.
//! - The address stays outside the log: what is recorded is which contact of the account it is, if it still is.

use indelible_channels::bounce::{self, BounceError};
use indelible_domain::Command;
use indelible_domain::accounts::{Account, Contact};
use indelible_domain::kernel::Personal;
use indelible_domain::messages::{Bounce, Channel, Message, Report};
use indelible_domain::world::{Noun, Tenant};

use crate::forget::{self, SealError};
use crate::office::Office;

/// Why a notification leads to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Unreadable(#[from] BounceError),
    #[error("no e-mail was sent under {0}")]
    Unknown(String),
    #[error("a contact could not be opened")]
    Personal(#[source] SealError),
}

impl Refused {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Refused::Unreadable(error) => error.code(),
            Refused::Unknown(_) => "BOUNCE_UNKNOWN",
            Refused::Personal(error) => error.code(),
        }
    }
}

/// The message that came back to a tenant, and the command that says so.
///
/// # Errors
/// The notification cannot be read or says nothing final, or no e-mail of the tenant was sent under its reference.
pub fn told(office: &Office, tenant: &str, bytes: &[u8]) -> Result<(String, Command), Refused> {
    let returned = bounce::read(bytes)?;
    let found = office.ledger.read(tenant, |books| {
        let message = sent_under(books, &returned.reference)?;
        let account = &Message::table(&books.tables)
            .get(&message)?
            .state
            .ask
            .account;
        let account = Account::table(&books.tables).get(account);
        let contact = account.and_then(|entry| entry.state.terms.contact.clone());
        Some((message, contact))
    });
    let Some((message, sealed)) = found else {
        return Err(Refused::Unknown(returned.reference));
    };
    let contact = match sealed {
        Some(sealed) if is_of(office, &sealed, &returned.addresses)? => Some(sealed.nonce),
        _ => None,
    };
    let bounce = Bounce {
        reference: returned.reference,
        status: returned.status,
        contact,
    };
    let command = Command::BounceMessage {
        message: message.clone(),
        bounce: Box::new(bounce),
    };
    Ok((message, command))
}

/// Looked for among all messages: bounces are rare, and an index would be there for nothing else.
fn sent_under(books: &Tenant, reference: &str) -> Option<String> {
    let mut messages = Message::table(&books.tables).iter();
    let by_mail = |report: &Report| matches!(report, Report::Sent { channel: Channel::Email, reference: known, .. } if known == reference);
    let found = messages.find(|(_, m)| m.state.attempts.iter().any(|a| by_mail(&a.report)));
    found.map(|(id, _)| id.clone())
}

/// Whether the contact still has one of the addresses.
fn is_of(
    office: &Office,
    sealed: &Personal<Contact>,
    addresses: &[String],
) -> Result<bool, Refused> {
    let contact = forget::open::<Contact>(&office.keyring, sealed).map_err(Refused::Personal)?;
    let address = contact.map(|contact| contact.email.trim().to_lowercase());
    Ok(address.is_some_and(|address| addresses.contains(&address)))
}
