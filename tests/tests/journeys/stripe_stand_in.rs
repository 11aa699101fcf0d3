//! Stripe as far as charging goes, with a network that loses what the test says: intents, refunds, idempotency keys.
//!
//! It remembers keys as Stripe does (a repeated key is answered with the first answer), lists at once, and its search knows
//! nothing yet, as Stripe's does in the first minutes.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indelible_gateways::stripe::{Account, Secret, Stripe, sign};
use serde_json::{Value, json};

pub const WEBHOOK_SECRET: &str = "whsec_journey";

/// What the network and the issuer do with the next request to charge or to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Charged,
    /// Taken on; [`StandIn::settle`] ends it.
    Processing,
    Declined,
    /// The request never arrives.
    RequestLost,
    /// It is charged, and nobody hears of it.
    AnswerLost,
}

#[derive(Default)]
struct State {
    fates: VecDeque<Fate>,
    intents: Vec<Value>,
    refunds: Vec<Value>,
    /// First answers by idempotency key.
    answers: BTreeMap<String, (u16, String)>,
}

/// A running stand-in.
#[derive(Clone)]
pub struct StandIn {
    base: String,
    state: Arc<Mutex<State>>,
}

/// Starts one; it ends with the test.
pub fn open() -> StandIn {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let stand_in = StandIn {
        base,
        state: Arc::default(),
    };
    let serving = stand_in.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            serving.serve(stream);
        }
    });
    stand_in
}

impl StandIn {
    /// The adapter to it.
    pub fn stripe(&self) -> Stripe {
        let secrets = vec![Secret::new(WEBHOOK_SECRET)];
        let mut account = Account::live(Secret::new("sk_test_journey"), secrets);
        account.base = self.base.clone();
        Stripe::new(account).expect("loopback may be plain")
    }

    /// What happens to the next requests, in order; after that all goes well.
    pub fn fates(&self, fates: &[Fate]) {
        self.state().fates.extend(fates);
    }

    /// How often money was taken for this payment.
    pub fn charges(&self, payment: &str) -> usize {
        let state = self.state();
        let of = |intent: &&Value| intent["metadata"]["indelible_payment"] == payment;
        let taken = |intent: &&Value| intent["status"] == "succeeded";
        state.intents.iter().filter(of).filter(taken).count()
    }

    /// Everything that was ever taken, less what was given back, in minor units.
    pub fn taken(&self) -> i64 {
        let state = self.state();
        let sum = |things: &[Value]| -> i64 {
            let moved = things.iter().filter(|thing| thing["status"] == "succeeded");
            moved.filter_map(|thing| thing["amount"].as_i64()).sum()
        };
        sum(&state.intents) - sum(&state.refunds)
    }

    /// A day goes by: keys that were used before are as good as new.
    pub fn forget_keys(&self) {
        self.state().answers.clear();
    }

    /// Every intent as it is now.
    pub fn intents(&self) -> Vec<Value> {
        self.state().intents.clone()
    }

    /// The newest intent of a payment.
    pub fn intent(&self, payment: &str) -> Value {
        let state = self.state();
        let of = |intent: &&Value| intent["metadata"]["indelible_payment"] == payment;
        state
            .intents
            .iter()
            .rev()
            .find(of)
            .expect("an intent")
            .clone()
    }

    /// Ends what is being processed.
    pub fn settle(&self, reference: &str) {
        for intent in &mut self.state().intents {
            if intent["id"] == reference {
                intent["status"] = json!("succeeded");
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) {
        let Some((line, key, body)) = request(&mut stream) else {
            return;
        };
        let mut words = line.split(' ');
        let (method, path) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let answer = match method {
            "POST" => self.change(path, &key, &body),
            _ => Some(self.show(path)),
        };
        if let Some((status, body)) = answer {
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
            .ok();
        }
    }

    /// Charges or gives back; none where the answer is lost.
    fn change(&self, path: &str, key: &str, body: &str) -> Option<(u16, String)> {
        let mut state = self.state();
        let fate = state.fates.pop_front().unwrap_or(Fate::Charged);
        if fate == Fate::RequestLost {
            return None;
        }
        if let Some(known) = state.answers.get(key) {
            return (fate != Fate::AnswerLost).then(|| known.clone());
        }
        let form = form(body);
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        let refund = path == "/v1/refunds";
        let number = state.intents.len() + state.refunds.len() + 1;
        let status = match fate {
            Fate::Processing if refund => "pending",
            Fate::Processing => "processing",
            Fate::Declined if refund => "failed",
            Fate::Declined => "requires_payment_method",
            _ => "succeeded",
        };
        let mut thing = json!({
            "id": if refund { format!("re_{number}") } else { format!("pi_{number}") },
            "object": if refund { "refund" } else { "payment_intent" },
            "status": status,
            "amount": field("amount").parse::<i64>().unwrap_or_default(),
            "created": number,
            "metadata": {
                "indelible_key": field("metadata[indelible_key]"),
                "indelible_payment": field("metadata[indelible_payment]"),
            },
        });
        if refund {
            thing["payment_intent"] = json!(field("payment_intent"));
        }
        let mut answer = (200, thing.to_string());
        if fate == Fate::Declined && !refund {
            let error = json!({"code": "card_declined", "decline_code": "insufficient_funds", "message": "not enough money"});
            thing["last_payment_error"] = error.clone();
            let mut error = error;
            error["payment_intent"] = thing.clone();
            answer = (402, json!({ "error": error }).to_string());
        }
        match refund {
            true => state.refunds.push(thing),
            false => state.intents.push(thing),
        }
        state.answers.insert(key.to_owned(), answer.clone());
        (fate != Fate::AnswerLost).then_some(answer)
    }

    fn show(&self, path: &str) -> (u16, String) {
        let state = self.state();
        let list = |things: &[Value]| {
            let newest: Vec<&Value> = things.iter().rev().collect();
            (
                200,
                json!({ "data": newest, "has_more": false }).to_string(),
            )
        };
        let path = path.split('?').next().unwrap_or_default();
        match path.strip_prefix("/v1/").unwrap_or_default() {
            "payment_intents/search" => list(&[]),
            "payment_intents" => list(&state.intents),
            "refunds" => list(&state.refunds),
            one => {
                let name = one.rsplit('/').next().unwrap_or_default();
                let mut things = state.intents.iter().chain(&state.refunds);
                match things.find(|thing| thing["id"] == name) {
                    Some(thing) => (200, thing.to_string()),
                    None => (404, "{}".to_owned()),
                }
            }
        }
    }
}

/// The body of an event about a thing as it is now, and its signature at that second.
pub fn event(id: &str, kind: &str, object: &Value, at: i64) -> (String, String) {
    let body = json!({ "id": id, "type": kind, "created": at, "data": { "object": object } });
    let body = body.to_string();
    let signature = sign(body.as_bytes(), &Secret::new(WEBHOOK_SECRET), at);
    (body, signature)
}

/// First line, idempotency key and body.
fn request(stream: &mut TcpStream) -> Option<(String, String, String)> {
    let mut bytes = vec![];
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
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
        let length = field("content-length").map_or(Some(0), |text| text.parse().ok())?;
        if bytes.len() >= end + 4 + length {
            let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
            let line = head.lines().next().unwrap_or_default().to_owned();
            return Some((line, field("idempotency-key").unwrap_or_default(), body));
        }
    }
}

/// The fields of a form.
fn form(body: &str) -> BTreeMap<String, String> {
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

fn plain(text: &str) -> String {
    let mut bytes = vec![];
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let pair: Vec<u8> = rest.by_ref().take(2).collect();
                let pair = String::from_utf8_lossy(&pair).into_owned();
                bytes.push(u8::from_str_radix(&pair, 16).expect("two hexadecimal digits"));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).expect("utf-8")
}
