//! Messages from the fact that asks for them to the reader's postbox, and what happens when they do not get there.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use indelible_api::outbox::{Outbox, Turn};
use indelible_channels::Outlets;
use serde_json::{Value, json};

use crate::shop::{self, Shop};

/// A mail server that keeps what it takes; silent, it takes a message and hangs up without saying so.
pub struct Postbox {
    port: u16,
    taken: Arc<Mutex<Vec<String>>>,
    silent: Arc<AtomicBool>,
}

impl Postbox {
    fn open() -> Postbox {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let postbox = Postbox {
            port: listener.local_addr().expect("an address").port(),
            taken: Arc::default(),
            silent: Arc::default(),
        };
        let (taken, silent) = (Arc::clone(&postbox.taken), Arc::clone(&postbox.silent));
        // Ends with the test's process: it only waits.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Ok(mut write) = stream.try_clone() else {
                    continue;
                };
                let mut say = move |line: &str| write.write_all(format!("{line}\r\n").as_bytes());
                let (mut text, mut in_text) = (String::new(), false);
                say("220 mail.example ESMTP").ok();
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if in_text && line != "." {
                        text.push_str(&line);
                        text.push('\n');
                        continue;
                    }
                    let answer = match line.as_str() {
                        "." => {
                            in_text = false;
                            taken
                                .lock()
                                .expect("nobody panics")
                                .push(std::mem::take(&mut text));
                            if silent.load(Ordering::SeqCst) {
                                break;
                            }
                            "250 taken"
                        }
                        "DATA" => {
                            in_text = true;
                            "354 go on"
                        }
                        "QUIT" => break,
                        _ => "250 ok",
                    };
                    if say(answer).is_err() {
                        break;
                    }
                }
            }
        });
        postbox
    }

    pub fn taken(&self) -> Vec<String> {
        self.taken.lock().expect("nobody panics").clone()
    }
}

/// A shop with a postbox, a print room and an outbox between them.
pub struct Office {
    pub shop: Shop,
    pub postbox: Postbox,
    outbox: Arc<Outbox>,
    folder: tempfile::TempDir,
}

impl Office {
    pub async fn open() -> Office {
        let shop = shop::open("2026-03-01T08:00:00Z").await;
        shop::furnish(&shop.acme).await;
        shop::bill(&shop.acme, "march").await;
        let (postbox, folder) = (Postbox::open(), tempfile::tempdir().expect("a folder"));
        let path = folder.path().join("channels.toml");
        let text = format!(
            "[email]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nfrom = \"Acme <billing@acme.example>\"\n\
             [letter]\nfolder = \"letters\"\n",
            postbox.port
        );
        std::fs::write(&path, text).expect("a file");
        let outlets = Outlets::read(&path).unwrap_or_else(|error| panic!("{error}"));
        let outbox = Arc::new(Outbox::new(Arc::clone(&shop.office), outlets));
        Office {
            shop,
            postbox,
            outbox,
            folder,
        }
    }

    pub async fn turn(&self) -> Turn {
        let outbox = Arc::clone(&self.outbox);
        tokio::task::spawn_blocking(move || outbox.turn())
            .await
            .expect("the turn ends")
    }

    pub async fn change(&self, key: &str, what: &str) {
        let change = format!(
            r#"mutation {{ changeAccount(idempotencyKey: "{key}", input: {{ id: "alice", {what} }}) {{ account {{ key }} }} }}"#
        );
        self.shop.acme.data(&change, json!({})).await;
    }

    pub async fn say(&self, id: &str, what: &str) -> Value {
        let send = format!(
            r#"mutation {{ sendMessage(idempotencyKey: "{id}", input: {{ id: "{id}", account: "alice", {what} }}) {{ message {{ key stage }} }} }}"#
        );
        self.shop.acme.data(&send, json!({})).await["sendMessage"]["message"].take()
    }

    pub async fn message(&self, id: &str) -> Value {
        let query = format!(
            r#"{{ message(id: "{id}") {{ stage due about {{ key }}
                attempts {{ outcome channel language reference reason at }} }} }}"#
        );
        self.shop.acme.data(&query, json!({})).await["message"].take()
    }

    pub async fn stuck(&self) -> Vec<Value> {
        let query = "{ stuckMessages { nodes { key } } }";
        let stuck = self.shop.acme.data(query, json!({})).await;
        let nodes = stuck["stuckMessages"]["nodes"].as_array();
        let keys = nodes.expect("nodes").iter().map(|n| n["key"].clone());
        keys.collect()
    }

    pub fn letters(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.path().join("letters"));
        files.map_or_else(
            |_| vec![],
            |files| files.map(|file| file.expect("a file").path()).collect(),
        )
    }
}

pub fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let found = mail
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {name} in {mail}"))
}

pub const REMINDER: &str = r#"template: "reminder", about: ["march.alice"]"#;

#[tokio::test]
async fn a_reminder_reaches_its_reader_in_her_language_and_the_log_says_so() {
    let office = Office::open().await;
    office.change("1", r#"language: "de-AT""#).await;
    let asked = office.say("m1", REMINDER).await;
    assert_eq!(asked["stage"], "WAITING");
    let one = Turn {
        sent: 1,
        ..Turn::default()
    };
    assert_eq!(office.turn().await, one);
    assert_eq!(office.turn().await, Turn::default(), "and only once");
    let mails = office.postbox.taken();
    assert_eq!(mails.len(), 1);
    assert_eq!(
        header(&mails[0], "To"),
        "\"Alice Example\" <alice@example.org>"
    );
    assert!(
        mails[0].contains("Guten Tag Alice Example,"),
        "{}",
        mails[0]
    );
    assert!(mails[0].contains("Insgesamt offen: 36,00"), "{}", mails[0]);
    let message = office.message("m1").await;
    assert_eq!(message["stage"], "SENT");
    assert_eq!(message["about"][0]["key"], "march.alice");
    assert_eq!(
        message["attempts"],
        json!([{
            "outcome": "SENT", "channel": "EMAIL", "language": "de-AT", "reason": null,
            "reference": header(&mails[0], "Message-ID"), "at": "2026-03-01T08:00:00Z",
        }])
    );
    let rival = office
        .shop
        .rival
        .data(r#"{ message(id: "m1") { key } }"#, json!({}))
        .await;
    assert_eq!(rival["message"], json!(null));
}

#[tokio::test]
async fn who_does_not_pay_is_reminded_by_the_clock_alone() {
    let office = Office::open().await;
    let policy = r#"mutation {
        setDunningPolicy(idempotencyKey: "1", id: "strict", levels: [{ name: "reminder", afterDays: 5, actions: [{ kind: REMIND }] }])
            { receipt { replayed } } }"#;
    office.shop.acme.data(policy, json!({})).await;
    office
        .change("2", r#"dunningPolicy: "strict", language: "fr""#)
        .await;
    // Due on 15 March; the level is reached on the 20th, in Berlin.
    for (now, mails) in [
        ("2026-03-19T22:00:00Z", 0),
        ("2026-03-20T05:00:00Z", 1),
        ("2026-03-21T05:00:00Z", 1),
    ] {
        office.shop.move_to(now);
        indelible_api::timers::tick(&office.shop.office);
        office.turn().await;
        assert_eq!(office.postbox.taken().len(), mails, "by {now}");
    }
    let mail = &office.postbox.taken()[0];
    assert!(mail.contains("Bonjour Alice Example,"), "{mail}");
    let messages =
        r#"{ account(id: "alice") { messages { nodes { template stage on about { key } } } } }"#;
    let messages = office.shop.acme.data(messages, json!({})).await;
    assert_eq!(
        messages["account"]["messages"]["nodes"],
        json!([{ "template": "reminder", "stage": "SENT", "on": "2026-03-20", "about": [{ "key": "march.alice" }] }])
    );
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_the_reader_can_tell() {
    let office = Office::open().await;
    office.postbox.silent.store(true, Ordering::SeqCst);
    office.say("m1", REMINDER).await;
    assert_eq!(office.turn().await.failed, 1);
    let message = office.message("m1").await;
    assert_eq!(message["stage"], "WAITING");
    assert_eq!(message["due"], "2026-03-01T08:05:00Z");
    office.shop.move_to("2026-03-01T08:04:59Z");
    assert_eq!(office.turn().await, Turn::default(), "it is not due yet");
    office.postbox.silent.store(false, Ordering::SeqCst);
    office.shop.move_to("2026-03-01T08:05:00Z");
    assert_eq!(office.turn().await.sent, 1);
    let mails = office.postbox.taken();
    let ids: Vec<_> = mails
        .iter()
        .map(|mail| header(mail, "Message-ID"))
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    // Asked for again by a person it is another letter, which no mail reader hides.
    let again =
        r#"mutation { resendMessage(idempotencyKey: "r", id: "m1") { message { stage } } }"#;
    office.shop.acme.data(again, json!({})).await;
    assert_eq!(office.turn().await.sent, 1);
    let mails = office.postbox.taken();
    assert_ne!(
        header(&mails[2], "Message-ID"),
        header(&mails[0], "Message-ID")
    );
}

#[tokio::test]
async fn who_cannot_be_reached_is_work_for_a_person() {
    let office = Office::open().await;
    office
        .say("by-letter", r#"template: "notice", channel: LETTER"#)
        .await;
    office
        .say("by-sms", r#"template: "notice", channel: SMS"#)
        .await;
    office.say("unwritten", r#"template: "no-such-text""#).await;
    let turn = office.turn().await;
    assert_eq!((turn.suppressed, turn.failed), (2, 1));
    assert_eq!(office.stuck().await, ["by-letter", "by-sms", "unwritten"]);
    let unwritten = office.message("unwritten").await;
    assert_eq!(unwritten["stage"], "FAILED");
    assert_eq!(
        unwritten["attempts"][0]["reason"],
        "there is no text \"no-such-text\", neither in en nor in English"
    );
    // An address arrives, and somebody sends the letter again.
    office
        .change(
            "1",
            r#"contact: { name: "Alice Example", email: "alice@example.org", address: "Seeweg 1" }"#,
        )
        .await;
    let again = r#"mutation {
        resendMessage(idempotencyKey: "r", id: "by-letter") { message { stage } }
        withdrawMessage(idempotencyKey: "w", id: "by-sms", reason: "told by telephone") { message { stage } } }"#;
    office.shop.acme.data(again, json!({})).await;
    assert_eq!(office.turn().await.sent, 1);
    let letters = office.letters();
    assert_eq!(letters.len(), 1);
    let letter = std::fs::read_to_string(&letters[0]).expect("it can be read");
    assert!(letter.contains("Alice Example\nSeeweg 1\n"), "{letter}");
    assert_eq!(office.stuck().await, ["unwritten"]);
}

#[tokio::test]
async fn nobody_is_reminded_of_what_was_paid_meanwhile() {
    let office = Office::open().await;
    office.say("m1", REMINDER).await;
    let pay = r#"mutation { recordPayment(idempotencyKey: "p", input: { id: "p1", account: "alice", amount: "36.00 EUR" })
        { payment { stage } } }"#;
    office.shop.acme.data(pay, json!({})).await;
    assert_eq!(office.turn().await.withdrawn, 1);
    assert_eq!(office.message("m1").await["stage"], "WITHDRAWN");
    assert!(office.postbox.taken().is_empty());
}

#[tokio::test]
async fn who_was_forgotten_is_left_alone() {
    let office = Office::open().await;
    office.say("m1", REMINDER).await;
    let forget = r#"mutation { forgetAccount(idempotencyKey: "f", input: { account: "alice", purposes: [CONTACT] })
        { keysDestroyed } }"#;
    office.shop.acme.data(forget, json!({})).await;
    assert_eq!(office.turn().await.suppressed, 1);
    let message = office.message("m1").await;
    assert_eq!(message["stage"], "SUPPRESSED");
    assert_eq!(message["attempts"][0]["outcome"], "FORGOTTEN");
    assert!(office.postbox.taken().is_empty());
}

#[tokio::test]
async fn who_has_no_language_is_written_to_in_that_of_the_legal_entity() {
    let office = Office::open().await;
    let set = r#"mutation { setEntityLanguage(idempotencyKey: "l", entity: "main", language: "fr") { entity { language } } }"#;
    let done = office.shop.acme.data(set, json!({})).await;
    assert_eq!(done["setEntityLanguage"]["entity"]["language"], "fr");
    office.say("m1", REMINDER).await;
    office.change("1", r#"language: "de""#).await;
    office.turn().await;
    office.change("2", "language: null").await;
    office.say("m2", REMINDER).await;
    office.turn().await;
    let mails = office.postbox.taken();
    assert!(
        mails[0].contains("Guten Tag Alice Example,"),
        "{}",
        mails[0]
    );
    assert!(mails[1].contains("Bonjour Alice Example,"), "{}", mails[1]);
}
