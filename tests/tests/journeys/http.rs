//! A small client of the HTTP edge: requests over a fresh connection each, subscriptions over a websocket.
//!
//! Hand-made on purpose: it sends exactly what a test says, also what a polite client never would.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// How long an answer may take before the test is called hung.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A client of one server, with or without a key.
#[derive(Clone, Debug)]
pub struct Client {
    pub address: SocketAddr,
    pub key: Option<String>,
}

impl Client {
    pub fn new(address: SocketAddr, key: Option<&str>) -> Client {
        Client {
            address,
            key: key.map(str::to_owned),
        }
    }

    /// Sends one request with exactly these headers, beside `Host`, `Connection` and `Content-Length`.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        tokio::time::timeout(PATIENCE, self.exchange(method, path, headers, body))
            .await
            .expect("the server answers")
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut stream = TcpStream::connect(self.address)
            .await
            .expect("the server listens");
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream
            .write_all(head.as_bytes())
            .await
            .expect("the head is sent");
        // A server may answer and close before it has read a body that it refuses.
        stream.write_all(body).await.ok();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.ok();
        let text = String::from_utf8(bytes).expect("answers are utf-8");
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {text}"));
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|code| code.parse().ok());
        Answer {
            status: status.expect("a status line"),
            headers: lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    /// Posts an operation and returns the whole answer.
    pub async fn post(&self, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let bearer = self.key.as_ref().map(|key| format!("Bearer {key}"));
        let mut headers = vec![("Content-Type", "application/json")];
        if let Some(bearer) = &bearer {
            headers.push(("Authorization", bearer));
        }
        self.send("POST", "/graphql", &headers, body.as_bytes())
            .await
    }

    /// Posts an operation that must succeed; returns its `data`.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        let mut json = self.post(query, variables).await.json();
        assert!(json["errors"].is_null(), "{query}\n{json:#}");
        json["data"].take()
    }

    /// Posts an operation that must fail; returns its first error.
    pub async fn error(&self, query: &str, variables: Value) -> Value {
        let mut json = self.post(query, variables).await.json();
        assert!(
            json["errors"][0].is_object(),
            "{query} was not refused\n{json:#}"
        );
        json["errors"][0].take()
    }

    /// Opens a websocket, greets, and subscribes.
    pub async fn subscribe(&self, query: &str) -> Subscription {
        let (mut subscription, greeting) = self.greet().await;
        assert_eq!(greeting["type"], "connection_ack", "{greeting}");
        subscription
            .say(json!({ "type": "subscribe", "id": "1", "payload": { "query": query } }))
            .await;
        subscription
    }

    /// Opens a websocket and greets; the server's first message tells whether the key was taken.
    pub async fn greet(&self) -> (Subscription, Value) {
        let mut request = format!("ws://{}/graphql/ws", self.address)
            .into_client_request()
            .expect("a plain address");
        let protocol = "graphql-transport-ws".parse().expect("a plain header");
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", protocol);
        let stream = TcpStream::connect(self.address)
            .await
            .expect("the server listens");
        let (socket, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .expect("the websocket is accepted");
        let mut subscription = Subscription { socket };
        let payload = match &self.key {
            Some(key) => json!({ "Authorization": format!("Bearer {key}") }),
            None => json!({}),
        };
        subscription
            .say(json!({ "type": "connection_init", "payload": payload }))
            .await;
        let greeting = subscription.hear().await;
        (subscription, greeting)
    }
}

/// A running subscription.
pub struct Subscription {
    socket: WebSocketStream<TcpStream>,
}

impl Subscription {
    async fn say(&mut self, message: Value) {
        self.socket
            .send(Message::text(message.to_string()))
            .await
            .expect("the websocket is open");
    }

    async fn hear(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .expect("the server speaks");
            match message
                .expect("the websocket is open")
                .expect("a whole message")
            {
                Message::Text(text) => {
                    return serde_json::from_str(&text).expect("messages are JSON");
                }
                Message::Close(frame) => {
                    return json!({ "type": "close", "reason": format!("{frame:?}") });
                }
                _ => {}
            }
        }
    }

    /// The `data` of the next message.
    pub async fn next(&mut self) -> Value {
        loop {
            let mut message = self.hear().await;
            match message["type"].as_str() {
                Some("ping" | "pong") => {}
                Some("next") => {
                    assert!(message["payload"]["errors"].is_null(), "{message}");
                    return message["payload"]["data"].take();
                }
                _ => panic!("the subscription ended: {message}"),
            }
        }
    }
}
