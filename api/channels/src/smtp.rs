//! E-mail over SMTP (RFC 5321), encrypted unless the server is this machine.
//!
//! - The Message-ID follows from the message alone, so that the same message sent twice is recognised (RFC 5322 3.6.4).
//! - Marked as made by a machine, so that no machine answers it (RFC 3834 5).
//! - A connection that breaks before the final answer is a temporary failure: the message may have arrived.

use std::time::Duration;

use lettre::address::AddressError;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{Error, SmtpTransport};
use lettre::{Address, Transport};

use crate::text::one_line;
use crate::{Carrier, Parcel, Undelivered};

/// How a connection to the server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Begins in the clear and must turn to TLS before anything is said (RFC 3207).
    #[default]
    StartTls,
    /// TLS from the first byte (RFC 8314 3.3).
    Tls,
    /// In the clear: only to this machine.
    None,
}

/// Where e-mail is handed in, and in whose name.
#[derive(Clone, Debug)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub security: Security,
    /// User and password, if the server wants them.
    pub credentials: Option<(String, String)>,
    /// A root certificate in PEM besides those of the machine.
    pub root: Option<Vec<u8>>,
    /// How long one step of the conversation may take.
    pub patience: Duration,
}

/// Who e-mail is from.
#[derive(Clone, Debug)]
pub struct Senders {
    pub from: Mailbox,
    pub reply_to: Option<Mailbox>,
    /// By `tenant/entity` or `tenant`; the first of these that is there goes before `from`.
    pub others: std::collections::BTreeMap<String, Mailbox>,
}

impl Senders {
    fn of(&self, parcel: &Parcel) -> &Mailbox {
        self.others
            .get(&format!("{}/{}", parcel.tenant, parcel.entity))
            .or_else(|| self.others.get(&parcel.tenant))
            .unwrap_or(&self.from)
    }
}

/// Hands e-mail to one server; each message has a connection of its own.
pub struct Smtp {
    transport: SmtpTransport,
    senders: Senders,
}

impl Smtp {
    /// Connects to nobody yet. Errors: a certificate that cannot be read.
    pub fn to(server: &Server, senders: Senders) -> Result<Smtp, Error> {
        let tls = || {
            let mut parameters = TlsParameters::builder(server.host.clone());
            if let Some(pem) = &server.root {
                parameters = parameters.add_root_certificate(Certificate::from_pem(pem)?);
            }
            parameters.build()
        };
        let tls = match server.security {
            Security::StartTls => Tls::Required(tls()?),
            Security::Tls => Tls::Wrapper(tls()?),
            Security::None => Tls::None,
        };
        let mut builder = SmtpTransport::builder_dangerous(server.host.as_str())
            .port(server.port)
            .timeout(Some(server.patience))
            .tls(tls);
        if let Some((user, password)) = &server.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Smtp {
            transport: builder.build(),
            senders,
        })
    }

    fn written(&self, parcel: &Parcel) -> Result<(Message, String), Undelivered> {
        let from = self.senders.of(parcel);
        let address: Address =
            parcel.to.email.trim().parse().map_err(|_: AddressError| {
                Undelivered::hard("the address is not an e-mail address")
            })?;
        let name = Some(one_line(&parcel.to.name)).filter(|name| !name.is_empty());
        let id = format!("<{}@{}>", parcel.identity(), from.email.domain());
        let mut builder = Message::builder()
            .from(from.clone())
            .to(Mailbox::new(name, address))
            .subject(parcel.text.subject.as_str())
            .date(parcel.now)
            .message_id(Some(id.clone()))
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Content-Language"),
                parcel.language.clone(),
            ))
            .header(ContentType::TEXT_PLAIN);
        if let Some(reply_to) = &self.senders.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let message = builder
            .body(parcel.text.body.clone())
            .map_err(|_| Undelivered::hard("the e-mail cannot be put together"))?;
        Ok((message, id))
    }
}

impl Carrier for Smtp {
    fn carry(&self, parcel: &Parcel) -> Result<String, Undelivered> {
        let (message, id) = self.written(parcel)?;
        match self.transport.send(&message) {
            Ok(_) => Ok(id),
            Err(error) => Err(undelivered(&error)),
        }
    }
}

/// What a failure means. The server's words stay out: they quote addresses.
fn undelivered(error: &Error) -> Undelivered {
    if let Some(code) = error.status() {
        let said = format!("the mail server answered {code}");
        // It refuses us, not the reader: encryption or a password is missing or wrong (RFC 4954 6).
        let ours = matches!(u16::from(code), 421 | 454 | 530 | 534 | 535 | 538);
        return match error.is_permanent() && !ours {
            true => Undelivered::hard(said),
            false => Undelivered::soft(said),
        };
    }
    Undelivered::soft(if error.is_timeout() {
        "the mail server did not answer in time"
    } else if error.is_tls() {
        "no encrypted connection to the mail server could be made"
    } else if error.is_client() {
        "the mail server lacks what was asked of it"
    } else {
        "the connection to the mail server failed"
    })
}
