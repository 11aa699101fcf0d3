//! Each carrier against what it will meet: servers that take a message, refuse it, fall silent, or hang up.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use indelible_channels::smtp::{Security, Senders, Server, Smtp};
use indelible_channels::{Parcel, Text};
use indelible_domain::accounts::Contact;

#[path = "carriers/aiosmtpd.rs"]
mod aiosmtpd;
#[path = "carriers/bounces.rs"]
mod bounces;
#[path = "carriers/config.rs"]
mod config;
#[path = "carriers/faults.rs"]
mod faults;
#[path = "carriers/letters.rs"]
mod letters;
#[path = "carriers/webhooks.rs"]
mod webhooks;

/// A reminder to Zoë.
fn parcel() -> Parcel {
    Parcel {
        tenant: "acme".into(),
        message: "dun.zoe.1.1.m1".into(),
        edition: 0,
        account: "zoe".into(),
        entity: "acme-de".into(),
        sender: "Acme GmbH".into(),
        to: Contact {
            name: "Zoë Müller".into(),
            email: "zoe@example.org".into(),
            address: "Zoë Müller\nUferweg 3\n20095 Hamburg".into(),
            phone: "+49401234567".into(),
        },
        language: "de".into(),
        text: Text {
            subject: "Zahlungserinnerung – 84,50 € überfällig".into(),
            short: "Acme: 84,50 € sind überfällig.".into(),
            body: "Guten Tag Zoë Müller,\n.\n..zwei Punkte\nFreundliche Grüße\n".into(),
        },
        dated: "2026-03-15".into(),
        now: UNIX_EPOCH + Duration::from_secs(1_773_568_800),
    }
}

fn senders() -> Senders {
    Senders {
        from: "Acme Billing <billing@acme.example>"
            .parse()
            .expect("a sender"),
        reply_to: None,
        others: BTreeMap::new(),
    }
}

/// E-mail in the clear to a port of this machine.
fn smtp(port: u16) -> Smtp {
    let server = Server {
        host: "127.0.0.1".into(),
        port,
        security: Security::None,
        credentials: None,
        root: None,
        patience: Duration::from_secs(5),
    };
    Smtp::to(&server, senders()).expect("it can be set up")
}

#[test]
fn a_message_keeps_its_identity_until_somebody_asks_for_it_again() {
    let first = parcel().identity();
    let mut later = parcel();
    later.now += Duration::from_secs(3600);
    later.text.body.push_str("more\n");
    assert_eq!(later.identity(), first, "a repetition is the same message");
    let mut again = parcel();
    again.edition = 2;
    assert_ne!(again.identity(), first, "a resend is meant to arrive");
    let mut other = parcel();
    (other.tenant, other.message) = ("acmed".into(), "un.zoe.1.1.m1".into());
    assert_ne!(other.identity(), first, "names do not run into each other");
}
