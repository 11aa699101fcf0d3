//! The adapter against localstripe, a server that speaks Stripe's API (installed by `cargo xtask prepare`).
//!
//! localstripe takes no `description`, offers no search and ignores `Idempotency-Key`: what depends on those is tested
//! in `wire.rs`, against a server that writes down what it is sent.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indelible_domain::command::FailureKind;
use indelible_domain::kernel::{Date, Money};
use indelible_gateways::stripe::{Account, Notice, Secret, Stripe};
use indelible_gateways::{Answer, Ask, Gateway as _, Known, Return};
use serde_json::Value;

const KEY: &str = "sk_test_12345";
const WEBHOOK_SECRET: &str = "whsec_localstripe";
/// How long a server may take to start, and an event to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A localstripe of one test, ended with it.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Starts a server, or says why the test is not run.
fn start(test: &str) -> Option<Server> {
    static SAID: OnceLock<()> = OnceLock::new();
    let program =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("../python/localstripe/bin/localstripe");
    if !program.exists() {
        SAID.get_or_init(|| {
            println!("localstripe: NOT RUN: it is not installed; run: cargo xtask prepare")
        });
        println!("{test}: NOT RUN");
        return None;
    }
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let child = Command::new(program)
        .args(["--from-scratch", "--port", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("localstripe starts");
    let mut server = Server { child, port };
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if server.child.try_wait().is_ok_and(|ended| ended.is_some()) || Instant::now() > until {
            // Such as a machine without IPv6, which localstripe listens on.
            println!("{test}: NOT RUN: localstripe does not start here");
            return None;
        }
        std::thread::yield_now();
    }
    Some(server)
}

impl Server {
    fn stripe(&self) -> Stripe {
        let mut account = Account::live(Secret::new(KEY), vec![Secret::new(WEBHOOK_SECRET)]);
        account.base = format!("http://127.0.0.1:{}", self.port);
        account.describes = false;
        Stripe::new(account).expect("loopback may be plain")
    }

    /// A request of the test's own, as a shop's page or a tester would send it.
    fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let mut response = ureq::post(format!("http://127.0.0.1:{}{path}", self.port))
            .header("Authorization", format!("Bearer {KEY}"))
            .send_form(form.iter().copied())
            .expect("localstripe takes it");
        let text = response.body_mut().read_to_string().expect("a body");
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn get(&self, path: &str) -> Value {
        let mut response = ureq::get(format!("http://127.0.0.1:{}{path}", self.port))
            .header("Authorization", format!("Bearer {KEY}"))
            .call()
            .expect("localstripe answers");
        let text = response.body_mut().read_to_string().expect("a body");
        serde_json::from_str(&text).expect("JSON")
    }

    /// A customer with a card of this number on file: customer and token.
    fn card(&self, number: &str) -> (String, String) {
        let method = self.post(
            "/v1/payment_methods",
            &[
                ("type", "card"),
                ("card[number]", number),
                ("card[exp_month]", "12"),
                ("card[exp_year]", "2030"),
                ("card[cvc]", "123"),
            ],
        );
        self.on_file(&method)
    }

    fn on_file(&self, method: &Value) -> (String, String) {
        let customer = self.post("/v1/customers", &[("email", "payer@example.org")]);
        let (customer, token) = (name(&customer), name(method));
        let path = format!("/v1/payment_methods/{token}/attach");
        self.post(&path, &[("customer", &customer)]);
        (customer, token)
    }

    fn intents(&self) -> Vec<Value> {
        let list = self.get("/v1/payment_intents?limit=1000");
        list["data"].as_array().expect("a list").clone()
    }
}

fn name(thing: &Value) -> String {
    thing["id"].as_str().expect("a thing with an id").to_owned()
}

fn money(minor: i128, code: &str) -> Money {
    Money::new(minor, code.parse().expect("a currency"))
}

fn day() -> Date {
    "2026-03-01".parse().expect("a day")
}

fn ask(key: &str, amount: Money, (customer, token): (String, String)) -> Ask {
    Ask {
        key: key.to_owned(),
        tenant: "acme".to_owned(),
        payment: key.to_owned(),
        account: "acc-1".to_owned(),
        amount,
        token,
        customer: Some(customer),
        text: "invoice 2026-0001".to_owned(),
        on: day(),
    }
}

fn give_back(key: &str, reference: &str, amount: Money) -> Return {
    Return {
        key: key.to_owned(),
        tenant: "acme".to_owned(),
        payment: "pay-1".to_owned(),
        reference: reference.to_owned(),
        amount,
        reason: "returned goods".to_owned(),
        on: day(),
    }
}

const GOOD: &str = "4242424242424242";
/// Taken on file, refused when charged.
const REFUSED: &str = "4000000000000341";
/// Wants 3-D Secure.
const THREE_D: &str = "4000002500003155";

#[test]
fn a_good_card_is_charged_and_the_amount_arrives_in_stripes_units() {
    let Some(server) = start("a good card") else {
        return;
    };
    let stripe = server.stripe();
    for (key, minor, code, arrives) in [
        ("acme/p1", 1_250, "EUR", 1_250),
        ("acme/p2", 500, "JPY", 500),
        ("acme/p3", 5, "ISK", 500),
    ] {
        let answer = stripe.collect(&ask(key, money(minor, code), server.card(GOOD)));
        let Answer::Settled { reference } = answer else {
            panic!("{key}: {answer:?}")
        };
        let intent = server.get(&format!("/v1/payment_intents/{reference}"));
        assert_eq!(intent["amount"], arrives, "{key}");
        assert_eq!(intent["currency"], code.to_ascii_lowercase(), "{key}");
        assert_eq!(intent["metadata"]["indelible_key"], key);
    }
}

#[test]
fn a_refused_card_is_declined_with_stripes_code_and_may_be_tried_again() {
    let Some(server) = start("a refused card") else {
        return;
    };
    let answer =
        server
            .stripe()
            .collect(&ask("acme/p1", money(1_250, "EUR"), server.card(REFUSED)));
    let Answer::Declined { decline, .. } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(
        (decline.code.as_str(), decline.kind),
        ("card_declined", FailureKind::Soft)
    );
}

#[test]
fn a_card_that_is_not_there_is_declined_for_good() {
    let Some(server) = start("no card") else {
        return;
    };
    let (customer, _) = server.card(GOOD);
    let nobody = (customer, "pm_nobody".to_owned());
    let answer = server
        .stripe()
        .collect(&ask("acme/p1", money(1_250, "EUR"), nobody));
    let Answer::Declined { decline, .. } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(decline.kind, FailureKind::Hard);
}

#[test]
fn a_card_with_3_d_secure_waits_for_its_holder_and_settles_when_they_agree() {
    let Some(server) = start("3-D Secure") else {
        return;
    };
    let stripe = server.stripe();
    let asked = ask("acme/p1", money(1_250, "EUR"), server.card(THREE_D));
    let answer = stripe.collect(&asked);
    let Answer::ActionRequired { reference, .. } = answer else {
        panic!("{answer:?}")
    };
    let intent = server.get(&format!("/v1/payment_intents/{reference}"));
    let secret = intent["client_secret"]
        .as_str()
        .expect("a secret of the intent");
    let path = format!("/v1/payment_intents/{reference}/_authenticate");
    server.post(
        &path,
        &[
            ("client_secret", secret),
            ("success", "true"),
            ("key", "pk_test_12345"),
        ],
    );
    let known = Known::As(Answer::Settled {
        reference: reference.clone(),
    });
    assert_eq!(stripe.look_up(&asked.key, Some(&reference)), known);
}

#[test]
fn a_holder_who_fails_3_d_secure_has_declined() {
    let Some(server) = start("failed 3-D Secure") else {
        return;
    };
    let stripe = server.stripe();
    let asked = ask("acme/p1", money(1_250, "EUR"), server.card(THREE_D));
    let Answer::ActionRequired { reference, .. } = stripe.collect(&asked) else {
        panic!("3-D Secure is asked for")
    };
    let intent = server.get(&format!("/v1/payment_intents/{reference}"));
    let secret = intent["client_secret"]
        .as_str()
        .expect("a secret of the intent");
    let path = format!("/v1/payment_intents/{reference}/_authenticate");
    server.post(
        &path,
        &[
            ("client_secret", secret),
            ("success", "false"),
            ("key", "pk_test_12345"),
        ],
    );
    let known = stripe.look_up(&asked.key, Some(&reference));
    let Known::As(Answer::Declined {
        reference: named,
        decline,
    }) = known
    else {
        panic!("{known:?}")
    };
    assert_eq!(named, Some(reference));
    assert_eq!(decline.code, "payment_intent_authentication_failure");
}

#[test]
fn a_lost_answer_is_found_by_its_key_and_what_never_arrived_is_known_never_to_have() {
    let Some(server) = start("a lost answer") else {
        return;
    };
    let stripe = server.stripe();
    let card = server.card(GOOD);
    // More than a page of others before and after it.
    for other in 0..60 {
        stripe.collect(&ask(
            &format!("acme/before-{other}"),
            money(100, "EUR"),
            card.clone(),
        ));
    }
    let Answer::Settled { reference } =
        stripe.collect(&ask("acme/lost", money(777, "EUR"), card.clone()))
    else {
        panic!("settled")
    };
    for other in 0..60 {
        stripe.collect(&ask(
            &format!("acme/after-{other}"),
            money(100, "EUR"),
            card.clone(),
        ));
    }
    assert_eq!(
        stripe.look_up("acme/lost", None),
        Known::As(Answer::Settled { reference })
    );
    assert_eq!(stripe.look_up("acme/los", None), Known::NeverArrived);
    // Asking what happened made nothing happen.
    assert_eq!(server.intents().len(), 121);
}

#[test]
fn money_is_given_back_in_parts_and_a_lost_answer_to_that_is_found_among_the_refunds_of_its_collection()
 {
    let Some(server) = start("refunds") else {
        return;
    };
    let stripe = server.stripe();
    let Answer::Settled { reference } =
        stripe.collect(&ask("acme/p1", money(1_250, "EUR"), server.card(GOOD)))
    else {
        panic!("settled")
    };
    let first = give_back("acme/p1/r1", &reference, money(250, "EUR"));
    let answer = stripe.give_back(&first);
    let Answer::Settled { reference: refund } = answer.clone() else {
        panic!("{answer:?}")
    };
    assert_eq!(server.get(&format!("/v1/refunds/{refund}"))["amount"], 250);
    assert_eq!(
        stripe.look_up_return(&first, None),
        Known::As(answer.clone())
    );
    assert_eq!(
        stripe.look_up_return(&first, Some(&refund)),
        Known::As(answer.clone())
    );
    assert_eq!(stripe.look_up(&first.key, Some(&refund)), Known::As(answer));
    let second = give_back("acme/p1/r2", &reference, money(1_000, "EUR"));
    assert_eq!(stripe.look_up_return(&second, None), Known::NeverArrived);
    assert!(matches!(stripe.give_back(&second), Answer::Settled { .. }));
}

#[test]
fn a_direct_debit_is_pending_until_a_webhook_says_to_ask_again() {
    let Some(server) = start("a webhook") else {
        return;
    };
    let stripe = server.stripe();
    let inbox = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", inbox.local_addr().expect("an address"));
    server.post(
        "/_config/webhooks/indelible",
        &[("url", &url), ("secret", WEBHOOK_SECRET)],
    );
    // An account whose bank sends every debit back.
    let method = server.post(
        "/v1/payment_methods",
        &[
            ("type", "sepa_debit"),
            ("sepa_debit[iban]", "DE62370400440532013001"),
        ],
    );
    let asked = ask("acme/p1", money(1_250, "EUR"), server.on_file(&method));
    let answer = stripe.collect(&asked);
    let Answer::Pending { reference } = answer else {
        panic!("{answer:?}")
    };
    let about = Notice::Collection {
        reference: reference.clone(),
        key: Some(asked.key.clone()),
        payment: Some(asked.payment.clone()),
    };
    let news = loop {
        let (header, body) = receive(&inbox);
        let event: Value = serde_json::from_slice(&body).expect("an event");
        let now = event["created"].as_i64().expect("a time");
        let news = stripe.news(&header, &body, now).expect("a good signature");
        assert!(
            stripe.news(&header, &body, now + 3_600).is_err(),
            "an old recording is refused"
        );
        if news.notice == about {
            break news;
        }
    };
    assert_eq!(news.kind, "payment_intent.payment_failed");
    let known = stripe.look_up(&asked.key, Some(&reference));
    let Known::As(Answer::Declined {
        reference: named,
        decline,
    }) = known
    else {
        panic!("{known:?}")
    };
    assert_eq!(
        (named, decline.code.as_str()),
        (Some(reference), "card_declined")
    );
}

/// Takes one webhook in: its signature and its body.
fn receive(inbox: &TcpListener) -> (String, Vec<u8>) {
    inbox.set_nonblocking(true).expect("a listener");
    let until = Instant::now() + PATIENCE;
    let mut stream = loop {
        match inbox.accept() {
            Ok((stream, _)) => break stream,
            Err(_) => assert!(Instant::now() < until, "no webhook came"),
        }
        std::thread::yield_now();
    };
    stream.set_nonblocking(false).expect("a stream");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut bytes = vec![];
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).expect("bytes");
        bytes.extend_from_slice(&buffer[..count]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let field = |wanted: &str| {
            head.lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value.to_owned())
        };
        let length: usize = field("content-length")
            .expect("a length")
            .parse()
            .expect("a number");
        if bytes.len() >= end + 4 + length {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .expect("answered");
            let body = bytes[end + 4..end + 4 + length].to_vec();
            return (field("stripe-signature").expect("a signature"), body);
        }
    }
}
