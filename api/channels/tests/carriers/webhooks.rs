//! Webhooks: what is posted, how it is signed, and what answers mean.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine;
use indelible_channels::webhook::{Secret, Webhook};
use indelible_channels::{Carrier, Undelivered};
use indelible_domain::messages::Channel;

use crate::parcel;

/// The secret of the published example of Standard Webhooks.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct Heard {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n == name);
        &found.unwrap_or_else(|| panic!("no {name}")).1
    }
}

/// Takes one request and answers it.
fn serve(status: &'static str, answer: &'static str) -> (String, JoinHandle<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/send", listener.local_addr().expect("an address"));
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody comes");
        let mut write = stream.try_clone().expect("a second handle");
        let mut read = BufReader::new(stream);
        let mut line = String::new();
        read.read_line(&mut line).expect("a request");
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            read.read_line(&mut line).expect("a header");
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_string()));
        }
        let mut heard = Heard {
            headers,
            body: Vec::new(),
        };
        let length = heard.header("content-length").parse().expect("a length");
        heard.body.resize(length, 0);
        read.read_exact(&mut heard.body).expect("the body");
        let length = answer.len();
        write!(
            write,
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}"
        )
        .expect("it is answered");
        heard
    });
    (url, serving)
}

fn secret() -> Secret {
    Secret::read(SECRET).expect("a secret")
}

fn webhook(url: &str) -> Webhook {
    Webhook::to(url, secret(), Channel::Sms, Duration::from_secs(5)).expect("it can be set up")
}

fn carried(status: &'static str, answer: &'static str) -> (Result<String, Undelivered>, Heard) {
    let (url, serving) = serve(status, answer);
    let result = webhook(&url).carry(&parcel());
    (result, serving.join().expect("the server ends"))
}

#[test]
fn a_short_message_is_posted_signed_and_known_by_its_reference() {
    let (answer, heard) = carried("202 Accepted", r#"{"reference":"sms-77"}"#);
    assert_eq!(answer, Ok("sms-77".to_string()));
    let id = format!("msg_{}", parcel().identity());
    assert_eq!(heard.header("webhook-id"), id);
    assert_eq!(heard.header("webhook-timestamp"), "1773568800");
    let signature = heard.header("webhook-signature");
    assert!(secret().signed(&id, 1_773_568_800, &heard.body, signature));
    let mut bent = heard.body.clone();
    bent[10] ^= 1;
    assert!(!secret().signed(&id, 1_773_568_800, &bent, signature));
    assert!(!secret().signed(&id, 1_773_568_801, &heard.body, signature));
    assert!(!secret().signed("msg_other", 1_773_568_800, &heard.body, signature));
    let body: serde_json::Value = serde_json::from_slice(&heard.body).expect("JSON");
    assert_eq!(body["type"], "message.sms");
    assert_eq!(body["data"]["to"], "+49401234567");
    assert_eq!(body["data"]["text"], "Acme: 84,50 € sind überfällig.");
    assert_eq!(body["data"]["account"], "zoe");
}

#[test]
fn a_signature_is_that_of_the_published_example() {
    let body = br#"{"test": 2432232314}"#;
    let signed = secret().sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    let several = format!("v1,AAAA v2,zzz {signed}");
    assert!(secret().signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        body,
        &several
    ));
}

#[test]
fn what_a_webhook_answers_decides_whether_it_is_tried_again() {
    for (status, kind) in [
        ("400 Bad Request", "Hard"),
        ("401 Unauthorized", "Hard"),
        ("404 Not Found", "Hard"),
        ("410 Gone", "Hard"),
        ("302 Found", "Hard"),
        ("408 Request Timeout", "Soft"),
        ("429 Too Many Requests", "Soft"),
        ("500 Internal Server Error", "Soft"),
        ("503 Service Unavailable", "Soft"),
    ] {
        let (answer, _) = carried(status, "zoe@example.org is unknown");
        let failed = answer.expect_err("it is not taken");
        assert_eq!(format!("{:?}", failed.kind), kind, "{status}");
        let code = &status[..3];
        assert_eq!(failed.reason, format!("the webhook answered {code}"));
    }
}

#[test]
fn a_reference_that_could_be_personal_is_not_kept() {
    for answer in [
        r#"{"reference":"+49401234567"}"#,
        r#"{"id":"zoe@example.org"}"#,
        r#"{"id":49401234567}"#,
        "thanks",
        "",
    ] {
        let (taken, _) = carried("200 OK", answer);
        assert_eq!(taken, Ok(String::new()), "{answer}");
    }
}

#[test]
fn nothing_goes_in_the_clear_beyond_this_machine_and_no_weak_secret_is_taken() {
    for url in ["http://sms.example.com/", "ftp://127.0.0.1/", "sms"] {
        let made = Webhook::to(url, secret(), Channel::Sms, Duration::from_secs(5));
        assert!(made.is_err(), "{url}");
    }
    let short = base64::engine::general_purpose::STANDARD.encode([7; 23]);
    for text in ["", "whsec_", "secret", &format!("whsec_{short}")] {
        assert!(Secret::read(text).is_err(), "{text}");
    }
}
