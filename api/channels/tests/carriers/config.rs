//! The file in which carriers are set up.

use indelible_channels::text::Facts;
use indelible_channels::{ConfigError, Outlets, Parcel};
use indelible_domain::messages::Channel;

fn read(text: &str) -> Result<Outlets, ConfigError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("channels.toml");
    std::fs::write(&path, text).expect("a file");
    std::fs::write(folder.path().join("password"), "geheim\n").expect("a file");
    Outlets::read_with(&path, &|name| match name {
        "SMS_SECRET" => Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()),
        _ => None,
    })
}

#[test]
fn every_channel_that_is_written_down_has_a_carrier() {
    let outlets = read(
        r#"
        templates = "texts"
        [email]
        host = "mail.example.com"
        user = "billing"
        password_file = "password"
        from = "Acme Billing <billing@example.com>"
        senders = { "acme/acme-fr" = "Facturation <facturation@example.fr>" }
        [letter]
        folder = "letters"
        [sms]
        url = "https://sms.example.com/send"
        secret_env = "SMS_SECRET"
        "#,
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let channels: Vec<_> = outlets.channels().collect();
    assert_eq!(channels, [Channel::Email, Channel::Letter, Channel::Sms]);
    assert!(outlets.carrier("acme", Channel::Push).is_none());
    assert!(!outlets.has_own("acme", Channel::Email));
}

#[test]
fn a_tenant_can_have_channels_and_texts_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("channels.toml");
    let text = r#"
        [letter]
        folder = "letters"
        [tenants.acme]
        templates = "acme-texts"
        [tenants.acme.letter]
        folder = "acme-letters"
        [tenants.acme.email]
        host = "mail.acme.example"
        from = "billing@acme.example"
        "#;
    std::fs::write(&path, text).expect("a file");
    std::fs::create_dir_all(folder.path().join("acme-texts/en")).expect("a folder");
    let own = "subject: Ours\nshort: Ours\n\nHello.\n";
    std::fs::write(folder.path().join("acme-texts/en/notice.txt"), own).expect("a file");
    let outlets = Outlets::read(&path).unwrap_or_else(|error| panic!("{error}"));
    assert!(outlets.carrier("rival", Channel::Email).is_none());
    assert!(outlets.carrier("acme", Channel::Email).is_some());
    let subject = |tenant| {
        let texts = outlets.texts(tenant);
        let written = texts.write("notice", "en", &Facts::default());
        written.expect("a text").0.subject
    };
    assert_eq!(subject("acme"), "Ours");
    assert_ne!(subject("rival"), "Ours");
    for (tenant, into) in [("acme", "acme-letters"), ("rival", "letters")] {
        let parcel = Parcel {
            tenant: tenant.into(),
            ..crate::parcel()
        };
        let carrier = outlets.carrier(tenant, Channel::Letter).expect("a carrier");
        carrier.carry(&parcel).expect("is taken");
        let written = std::fs::read_dir(folder.path().join(into)).expect("its folder");
        assert_eq!(written.count(), 1, "{tenant}");
    }
    let nested = read("[tenants.a.tenants.b.letter]\nfolder = \"x\"");
    let error = nested.err().expect("is refused").to_string();
    assert!(error.contains("a tenant has none"), "{error}");
}

#[test]
fn a_file_that_would_send_wrongly_is_refused() {
    let from = "from = \"a@example.com\"";
    for (text, because) in [
        ("[fax]\nnumber = 1", "unknown field `fax`"),
        (
            "[email]\nhost = \"mail.example.com\"\nsecurity = \"none\"\nfrom = \"a@example.com\"",
            "in the clear",
        ),
        (
            &format!("[email]\nhost = \"m.example\"\nuser = \"u\"\n{from}"),
            "without a password",
        ),
        (
            &format!("[email]\nhost = \"m.example\"\nuser = \"u\"\npassword_env = \"NO\"\n{from}"),
            "NO is not set",
        ),
        (
            &format!("[email]\nhost = \"m.example\"\npatience_seconds = 0\n{from}"),
            "patience of 0",
        ),
        (
            "[email]\nhost = \"m\"\nfrom = \"nobody\"",
            "not an e-mail address",
        ),
        ("[sms]\nurl = \"https://a.example/\"", "needs a secret"),
        (
            "[sms]\nurl = \"http://a.example/\"\nsecret_env = \"SMS_SECRET\"",
            "neither https nor",
        ),
    ] {
        let refused = read(text).err().expect("it is refused").to_string();
        assert!(refused.contains(because), "{refused}");
    }
}
