//! What goes over the wire, and what is made of answers that a well-behaved server does not give.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use indelible_domain::kernel::Money;
use indelible_gateways::stripe::{Account, ConfigError, Secret, Stripe, Tenants};
use indelible_gateways::{Answer, Ask, Gateway as _, Known, Return};

const KEY: &str = "sk_test_secret";

/// A request as it came: first line, headers in lower case, body.
struct Seen {
    line: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// What a stand-in does with a connection.
enum Act {
    Answer(u16, &'static str),
    /// Takes the request and hangs up.
    HangUp,
    /// Takes the request and breaks off in the middle of its answer.
    BreakOff,
    /// Takes the request and says nothing.
    Silence,
}

/// A server that does one act per connection, in order, and keeps what it saw.
fn stand_in(acts: Vec<Act>) -> (Stripe, Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let (told, seen) = channel();
    std::thread::spawn(move || {
        let mut silent = vec![];
        for act in acts {
            let Ok((mut stream, _)) = listener.accept() else {
                return;
            };
            told.send(read(&mut stream)).ok();
            match act {
                Act::Answer(status, body) => {
                    let length = body.len();
                    write!(stream, "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").ok();
                }
                Act::HangUp => {}
                Act::BreakOff => {
                    write!(
                        stream,
                        "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{{\"id\":"
                    )
                    .ok();
                }
                Act::Silence => silent.push(stream),
            }
        }
        // Kept open until the client has given up.
        for mut stream in silent {
            stream.read_to_end(&mut vec![]).ok();
        }
    });
    let mut account = Account::live(Secret::new(KEY), vec![]);
    account.base = base;
    account.patience = Duration::from_secs(2);
    (Stripe::new(account).expect("loopback may be plain"), seen)
}

fn read(stream: &mut TcpStream) -> Seen {
    let mut bytes = vec![];
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).expect("bytes");
        bytes.extend_from_slice(&buffer[..count]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let line = lines.next().unwrap_or_default().to_owned();
        let headers: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.parse().expect("a length"));
        if bytes.len() >= end + 4 + length {
            let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
            return Seen {
                line,
                headers,
                body,
            };
        }
    }
}

fn money() -> Money {
    Money::new(1_250, "EUR".parse().expect("a currency"))
}

fn ask() -> Ask {
    Ask {
        key: "acme/pay-1".to_owned(),
        tenant: "acme".to_owned(),
        payment: "pay-1".to_owned(),
        account: "acc-1".to_owned(),
        amount: money(),
        token: "pm_1".to_owned(),
        customer: Some("cus_1".to_owned()),
        text: "invoice 2026-0001 & more".to_owned(),
        on: "2026-03-01".parse().expect("a day"),
    }
}

fn back() -> Return {
    Return {
        key: "acme/pay-1/r1".to_owned(),
        tenant: "acme".to_owned(),
        payment: "pay-1".to_owned(),
        reference: "pi_1".to_owned(),
        amount: money(),
        reason: "returned goods".to_owned(),
        on: "2026-03-01".parse().expect("a day"),
    }
}

const DONE: &str = r#"{"id": "pi_1", "status": "succeeded"}"#;

fn settled() -> Answer {
    Answer::Settled {
        reference: "pi_1".to_owned(),
    }
}

#[test]
fn an_attempt_carries_its_key_as_idempotency_key_and_the_same_one_each_time() {
    let (stripe, seen) = stand_in(vec![Act::Answer(200, DONE), Act::Answer(200, DONE)]);
    for _ in 0..2 {
        assert_eq!(stripe.collect(&ask()), settled());
        let seen = seen.recv().expect("a request");
        assert_eq!(seen.line, "POST /v1/payment_intents HTTP/1.1");
        assert_eq!(seen.headers["idempotency-key"], "acme/pay-1");
        assert_eq!(seen.headers["authorization"], format!("Bearer {KEY}"));
        assert_eq!(
            seen.headers["content-type"],
            "application/x-www-form-urlencoded"
        );
        assert!(seen.headers.contains_key("stripe-version"));
        let fields: Vec<&str> = seen.body.split('&').collect();
        assert_eq!(
            fields,
            [
                "amount=1250",
                "currency=eur",
                "payment_method=pm_1",
                "confirm=true",
                "off_session=true",
                "metadata%5Bindelible_key%5D=acme%2Fpay-1",
                "metadata%5Bindelible_payment%5D=pay-1",
                "payment_method_types%5B0%5D=card",
                "customer=cus_1",
                "description=invoice+2026-0001+%26+more",
            ]
        );
    }
}

#[test]
fn a_return_carries_its_own_key() {
    let (stripe, seen) = stand_in(vec![Act::Answer(
        200,
        r#"{"id": "re_1", "status": "pending"}"#,
    )]);
    assert_eq!(
        stripe.give_back(&back()),
        Answer::Pending {
            reference: "re_1".to_owned()
        }
    );
    let seen = seen.recv().expect("a request");
    assert_eq!(seen.line, "POST /v1/refunds HTTP/1.1");
    assert_eq!(seen.headers["idempotency-key"], "acme/pay-1/r1");
    assert!(
        seen.body.starts_with("payment_intent=pi_1&amount=1250&"),
        "{}",
        seen.body
    );
}

#[test]
fn whatever_leaves_open_what_happened_is_unknown_and_asked_once() {
    let acts = [
        (
            "409",
            Act::Answer(409, r#"{"error": {"code": "idempotency_key_in_use"}}"#),
        ),
        (
            "429",
            Act::Answer(429, r#"{"error": {"code": "rate_limit"}}"#),
        ),
        ("500", Act::Answer(500, "")),
        ("502", Act::Answer(502, "<html>bad gateway</html>")),
        (
            "our key is wrong",
            Act::Answer(401, r#"{"error": {"type": "invalid_request_error"}}"#),
        ),
        ("redirected", Act::Answer(302, "")),
        (
            "another request's key",
            Act::Answer(400, r#"{"error": {"type": "idempotency_error"}}"#),
        ),
        ("not JSON", Act::Answer(200, "ok")),
        ("not an intent", Act::Answer(200, "{}")),
        ("hung up", Act::HangUp),
        ("broken off", Act::BreakOff),
        ("silence", Act::Silence),
    ];
    for (what, act) in acts {
        let (stripe, seen) = stand_in(vec![act]);
        let answer = stripe.collect(&ask());
        assert!(
            matches!(answer, Answer::Unknown { .. }),
            "{what}: {answer:?}"
        );
        assert_eq!(seen.iter().count(), 1, "{what}");
    }
    // Nobody listens.
    let mut account = Account::live(Secret::new(KEY), vec![]);
    account.base = "http://127.0.0.1:1".to_owned();
    let stripe = Stripe::new(account).expect("loopback may be plain");
    assert!(matches!(stripe.collect(&ask()), Answer::Unknown { .. }));
    assert!(matches!(
        stripe.look_up("acme/pay-1", None),
        Known::NotYet { .. }
    ));
}

#[test]
fn a_look_up_that_gets_no_answer_knows_nothing_and_never_says_that_nothing_arrived() {
    for act in [
        Act::Answer(500, ""),
        Act::Answer(401, "{}"),
        Act::HangUp,
        Act::Answer(200, "ok"),
    ] {
        let (stripe, _seen) = stand_in(vec![act]);
        assert!(matches!(
            stripe.look_up("acme/pay-1", None),
            Known::NotYet { .. }
        ));
    }
    // Search works, the list does not.
    let nothing = r#"{"data": [], "has_more": false}"#;
    for act in [
        Act::Answer(500, ""),
        Act::Answer(400, "{}"),
        Act::Answer(200, "{}"),
    ] {
        let (stripe, _seen) = stand_in(vec![Act::Answer(200, nothing), act]);
        assert!(matches!(
            stripe.look_up("acme/pay-1", None),
            Known::NotYet { .. }
        ));
    }
    // An account that does not know the intent is not the one that made it.
    let (stripe, _seen) = stand_in(vec![Act::Answer(404, "{}")]);
    assert!(matches!(
        stripe.look_up("acme/pay-1", Some("pi_1")),
        Known::NotYet { .. }
    ));
}

#[test]
fn search_finds_what_is_old_and_the_list_of_the_last_day_what_search_does_not_know_yet() {
    let found = r#"{"data": [{"id": "pi_1", "status": "succeeded", "metadata": {"indelible_key": "acme/pay-1"}}], "has_more": false}"#;
    let nothing = r#"{"data": [], "has_more": false}"#;
    let (stripe, seen) = stand_in(vec![Act::Answer(200, found)]);
    assert_eq!(stripe.look_up("acme/pay-1", None), Known::As(settled()));
    let line = seen.recv().expect("a request").line;
    assert!(
        line.starts_with("GET /v1/payment_intents/search?query=metadata"),
        "{line}"
    );

    let (stripe, _seen) = stand_in(vec![Act::Answer(200, nothing), Act::Answer(200, found)]);
    assert_eq!(stripe.look_up("acme/pay-1", None), Known::As(settled()));

    // A page that reaches back more than a day is enough, though there is more.
    let old = r#"{"data": [{"id": "pi_9", "created": 1000000}, {"id": "pi_8", "created": 913599}], "has_more": true}"#;
    let (stripe, seen) = stand_in(vec![Act::Answer(200, nothing), Act::Answer(200, old)]);
    assert_eq!(stripe.look_up("acme/pay-1", None), Known::NeverArrived);
    assert_eq!(seen.iter().count(), 2);

    // One that does not is followed by the next.
    let recent = r#"{"data": [{"id": "pi_9", "created": 1000000}, {"id": "pi_8", "created": 913600}], "has_more": true}"#;
    let (stripe, seen) = stand_in(vec![
        Act::Answer(200, nothing),
        Act::Answer(200, recent),
        Act::Answer(200, found),
    ]);
    assert_eq!(stripe.look_up("acme/pay-1", None), Known::As(settled()));
    let last = seen.iter().last().expect("a request").line;
    assert!(last.contains("starting_after=pi_8"), "{last}");
}

#[test]
fn a_reference_that_is_none_of_stripes_is_never_put_into_an_address() {
    let (stripe, seen) = stand_in(vec![]);
    for strange in ["", "pi_1/../../v1/balance", "pi_1?x=y", "pi 1"] {
        assert!(
            matches!(
                stripe.look_up("acme/pay-1", Some(strange)),
                Known::NotYet { .. }
            ),
            "{strange}"
        );
    }
    assert_eq!(seen.iter().count(), 0);
}

#[test]
fn a_secret_key_never_travels_in_the_clear_and_never_shows() {
    for base in [
        "http://api.example.org",
        "ftp://127.0.0.1",
        "api.example.org",
        "",
    ] {
        let mut account = Account::live(Secret::new(KEY), vec![Secret::new("whsec_1")]);
        account.base = base.to_owned();
        let shown = format!("{account:?}");
        assert!(
            !shown.contains(KEY) && !shown.contains("whsec_1"),
            "{shown}"
        );
        assert!(
            matches!(Stripe::new(account), Err(ConfigError::Plain(_))),
            "{base}"
        );
    }
    let nothing = Account::live(Secret::new(""), vec![]);
    assert!(matches!(Stripe::new(nothing), Err(ConfigError::NoKey)));
}

#[test]
fn a_server_that_does_not_speak_tls_is_told_no_key() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut account = Account::live(Secret::new(KEY), vec![]);
    account.base = format!("https://{}", listener.local_addr().expect("an address"));
    account.patience = Duration::from_secs(2);
    let stripe = match Stripe::new(account) {
        Ok(stripe) => stripe,
        Err(error) => {
            println!("TLS: NOT RUN: {error}");
            return;
        }
    };
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a caller");
        let mut bytes = vec![0; 4096];
        let count = stream.read(&mut bytes).expect("bytes");
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            .ok();
        bytes.truncate(count);
        bytes
    });
    assert!(matches!(stripe.collect(&ask()), Answer::Unknown { .. }));
    let heard = heard.join().expect("heard");
    // A TLS record of a handshake, and nothing readable in it.
    assert_eq!(heard.first(), Some(&22));
    let secret = KEY.as_bytes();
    assert!(!heard.windows(secret.len()).any(|window| window == secret));
}

#[test]
fn each_tenant_has_its_own_account_and_one_without_is_asked_of_nobody() {
    let (stripe, seen) = stand_in(vec![Act::Answer(200, DONE)]);
    let mut tenants = Tenants::default();
    assert!(tenants.add("acme", stripe));
    assert_eq!(tenants.collect(&ask()), settled());
    let other = Ask {
        tenant: "other".to_owned(),
        key: "other/pay-1".to_owned(),
        ..ask()
    };
    assert!(matches!(tenants.collect(&other), Answer::Unknown { .. }));
    assert!(matches!(
        tenants.look_up(&other.key, None),
        Known::NotYet { .. }
    ));
    drop(tenants);
    assert_eq!(seen.iter().count(), 1);
}
