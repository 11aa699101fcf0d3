//! The log of a running server, read over HTTP: what `backup --from` and `log --from` talk to.
//!
//! Plain HTTP/1.1, one connection a request, as the server speaks it. What comes is not believed: whoever reads a
//! [`Source`] checks every block.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use indelible_store::block::MAX_BODY_BYTES;
use indelible_store::segments::{Head, SegmentError, Source, pieces};

use crate::limits;
use crate::server::LogHead;

const CONNECT: Duration = Duration::from_secs(10);
/// Longer than a request may wait for news.
const PATIENCE: Duration = Duration::from_secs(limits::LOG_WAIT_SECONDS + 30);
/// Most bytes of an answer: a page, or one block larger than that, and the head of the answer.
const ANSWER_BYTES: u64 = (limits::LOG_PAGE_BYTES + MAX_BODY_BYTES + (1 << 20)) as u64;

/// Why a server's log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    #[error("`{0}` is no address like http://127.0.0.1:4000")]
    Address(String),
    #[error("{host} cannot be reached")]
    Unreachable { host: String, source: io::Error },
    #[error("{host} answered {status}: {sentence}")]
    Refused {
        host: String,
        status: u16,
        sentence: String,
    },
    #[error("{host} did not answer in full: {what}")]
    Unreadable { host: String, what: String },
}

impl From<RemoteError> for SegmentError {
    fn from(error: RemoteError) -> SegmentError {
        SegmentError::Source(Box::new(error))
    }
}

/// The log of a server.
#[derive(Clone, Debug)]
pub struct RemoteLog {
    host: String,
    /// What stands before the paths, without a slash at its end.
    prefix: String,
    key: Option<String>,
    wait: u64,
}

impl RemoteLog {
    /// The log of the server at `http://host:port`, asked for with a key of scope backup.
    pub fn at(url: &str, key: Option<&str>) -> Result<RemoteLog, RemoteError> {
        let bad = || RemoteError::Address(url.to_owned());
        let rest = url.strip_prefix("http://").ok_or_else(bad)?;
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |c: char| c.is_ascii_graphic();
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok());
        // They are sent in a request line, so nothing may end the line.
        if !has_port || !rest.chars().all(plain) || !key.is_none_or(|k| k.chars().all(plain)) {
            return Err(bad());
        }
        let prefix = prefix.trim_end_matches('/');
        Ok(RemoteLog {
            host: host.to_owned(),
            prefix: if prefix.is_empty() {
                String::new()
            } else {
                format!("/{prefix}")
            },
            key: key.map(str::to_owned),
            wait: 0,
        })
    }

    /// As this, and each question for blocks waits for news as long as the server allows.
    pub fn waiting(self) -> RemoteLog {
        RemoteLog {
            wait: limits::LOG_WAIT_SECONDS,
            ..self
        }
    }

    /// The head of the log, and sizes of all of it.
    pub fn look(&self) -> Result<LogHead, RemoteError> {
        let body = self.get("/log/head")?;
        serde_json::from_slice(&body).map_err(|e| self.unreadable(e))
    }

    fn unreadable(&self, what: impl ToString) -> RemoteError {
        RemoteError::Unreadable {
            host: self.host.clone(),
            what: what.to_string(),
        }
    }

    fn get(&self, path: &str) -> Result<Vec<u8>, RemoteError> {
        let answer = self
            .exchange(path)
            .map_err(|source| RemoteError::Unreachable {
                host: self.host.clone(),
                source,
            })?;
        let (status, body) = parse(&answer).map_err(|what| self.unreadable(what))?;
        if status == 200 {
            return Ok(body);
        }
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let error = json.pointer("/errors/0/message");
        Err(RemoteError::Refused {
            host: self.host.clone(),
            status,
            sentence: error
                .and_then(|text| text.as_str())
                .unwrap_or("no reason given")
                .to_owned(),
        })
    }

    fn exchange(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let mut connected = None;
        for address in self.host.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => {
                    connected = Some(stream);
                    break;
                }
                Err(e) => last = e,
            }
        }
        let mut stream = connected.ok_or(last)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(CONNECT))?;
        let authorization = match &self.key {
            Some(key) => format!("Authorization: Bearer {key}\r\n"),
            None => String::new(),
        };
        let request = format!(
            "GET {}{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{authorization}\r\n",
            self.prefix, self.host
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES).read_to_end(&mut answer)?;
        Ok(answer)
    }
}

impl Source for RemoteLog {
    fn head(&mut self) -> Result<Head, SegmentError> {
        let head = self.look()?;
        let hash = parse_hash(&head.hash)
            .ok_or_else(|| self.unreadable(format!("its head has the hash `{}`", head.hash)))?;
        Ok(Head {
            position: head.position,
            hash,
        })
    }

    fn blocks(&mut self, after: u64, max_bytes: usize) -> Result<Vec<Vec<u8>>, SegmentError> {
        let path = format!(
            "/log/blocks?after={after}&max={max_bytes}&wait={}",
            self.wait
        );
        Ok(pieces(after, &self.get(&path)?)?)
    }
}

fn parse_hash(hex: &str) -> Option<[u8; 32]> {
    Some(*blake3::Hash::from_hex(hex).ok()?.as_bytes())
}

/// Status and body of an answer. A body that is shorter than announced is none.
fn parse(answer: &[u8]) -> Result<(u16, Vec<u8>), String> {
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or("it ended in its head")?;
    let (head, rest) = answer.split_at(end);
    let body = rest.get(4..).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| "its head is no text")?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|code| code.parse().ok())
        .ok_or("it does not speak HTTP")?;
    let field = |name: &str| {
        lines.clone().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let chunked = field("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked"));
    let body = if chunked {
        unchunk(body).ok_or("a chunk is cut off")?
    } else {
        match field("content-length").map(str::parse::<usize>) {
            Some(Ok(length)) if body.len() == length => body.to_vec(),
            Some(Ok(length)) => return Err(format!("{} of {length} bytes", body.len())),
            Some(Err(_)) | None => return Err("it does not say how long it is".to_owned()),
        }
    };
    Ok((status, body))
}

/// The body behind "Transfer-Encoding: chunked" (RFC 9112 7.1), as a proxy may send it.
fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let (size, behind) = rest.split_at_checked(line)?;
        let size = std::str::from_utf8(size).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        let behind = behind.get(2..)?;
        if size == 0 {
            return Some(body);
        }
        let (chunk, behind) = behind.split_at_checked(size)?;
        body.extend_from_slice(chunk);
        rest = behind.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_addresses_with_a_port_are_taken() {
        for good in [
            "http://127.0.0.1:4000",
            "http://localhost:1/",
            "http://h:1/a/b/",
        ] {
            RemoteLog::at(good, None).unwrap();
        }
        for bad in [
            "https://h:1",
            "h:1",
            "http://h",
            "http://:1",
            "http://h:70000",
            "http://h:1/a b",
            "http://h:1/\r\nX: y",
        ] {
            assert!(RemoteLog::at(bad, None).is_err(), "{bad}");
        }
        assert!(RemoteLog::at("http://h:1", Some("a\r\nb")).is_err());
    }

    #[test]
    fn an_answer_is_whole_or_none() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(parse(plain), Ok((200, b"abc".to_vec())));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n";
        assert_eq!(parse(chunked), Ok((200, b"abc".to_vec())));
        for whole in [&plain[..], &chunked[..]] {
            let body = whole.len() - 5;
            for cut in 0..body {
                assert!(parse(&whole[..cut]).is_err(), "{cut} bytes");
            }
        }
    }
}
