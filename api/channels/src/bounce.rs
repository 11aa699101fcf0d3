//! What a mail system says of e-mail that it took and could not deliver: delivery status notifications (RFC 3464), in
//! a report of several parts (RFC 6522).
//!
//! Other people write these: nothing is believed but the few fields that are looked for, and nothing is too long to be
//! refused. Their sentences are not read at all.

use std::iter;

/// Longest notification that is read, in bytes; they may carry the whole message that came back.
pub const BYTES_MAX: usize = 1 << 20;

/// How deep parts may be within parts.
const DEPTH_MAX: usize = 4;

/// Most parts that are looked at.
const PARTS_MAX: usize = 50;

/// Why a notification is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BounceError {
    #[error("a notification has at most {BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    #[error("this is no delivery status notification (RFC 3464)")]
    NotANotification,
    #[error("the notification does not say that anything failed for good")]
    NothingFailed,
    #[error("the notification does not name the message that came back")]
    NoMessage,
}

impl BounceError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            BounceError::TooLong(_) => "BOUNCE_TOO_LONG",
            BounceError::NotANotification => "BOUNCE_UNREADABLE",
            BounceError::NothingFailed => "BOUNCE_NOT_FINAL",
            BounceError::NoMessage => "BOUNCE_WITHOUT_MESSAGE",
        }
    }
}

/// One e-mail that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// Message-ID of what came back, with its angle brackets: what [`crate::smtp::Smtp`] answered when it was sent.
    pub reference: String,
    /// Addresses it was for, as the mail system has them; in small letters.
    pub addresses: Vec<String>,
    /// Enhanced status code (RFC 3463), e.g. `5.1.1`.
    pub status: String,
}

/// Reads a notification as it came: a whole e-mail.
///
/// # Errors
/// It is something else, it says of nobody that delivery failed for good, or it does not bring the Message-ID back.
pub fn read(bytes: &[u8]) -> Result<Returned, BounceError> {
    if bytes.len() > BYTES_MAX {
        return Err(BounceError::TooLong(bytes.len()));
    }
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let mut found = Found::default();
    found.look(&text, 0);
    if !found.is_report {
        return Err(BounceError::NotANotification);
    }
    let failed = found.failed.ok_or(BounceError::NothingFailed)?;
    Ok(Returned {
        reference: found.message.ok_or(BounceError::NoMessage)?,
        addresses: failed.addresses,
        status: failed.status,
    })
}

/// What was found so far.
#[derive(Default)]
struct Found {
    parts: usize,
    is_report: bool,
    failed: Option<Failed>,
    message: Option<String>,
}

struct Failed {
    addresses: Vec<String>,
    status: String,
}

impl Found {
    fn look(&mut self, entity: &str, depth: usize) {
        self.parts += 1;
        if depth > DEPTH_MAX || self.parts > PARTS_MAX {
            return;
        }
        let (head, body) = split(entity);
        let fields: Vec<(String, String)> = fields(head).collect();
        let kind = value(&fields, "content-type").unwrap_or_default();
        let media = kind.split(';').next().unwrap_or_default();
        match media.trim().to_ascii_lowercase().as_str() {
            multipart if multipart.starts_with("multipart/") => {
                if let Some(boundary) = parameter(kind, "boundary") {
                    for part in parts(body, &boundary) {
                        self.look(part, depth + 1);
                    }
                }
            }
            "message/delivery-status" | "message/global-delivery-status" => {
                self.is_report = true;
                let mut groups = body.split("\n\n").map(fields_of);
                let failed = groups.find_map(|group| failed(&group));
                self.failed = self.failed.take().or(failed);
            }
            "message/rfc822"
            | "text/rfc822-headers"
            | "message/global"
            | "message/global-headers" => {
                let original = fields_of(split(body).0);
                let id = value(&original, "message-id").map(|id| id.trim().to_owned());
                self.message = self.message.take().or(id.filter(|id| !id.is_empty()));
            }
            _ => {}
        }
    }
}

/// A recipient whom the message will not reach (RFC 3464 2.3).
fn failed(group: &[(String, String)]) -> Option<Failed> {
    let action = value(group, "action")?;
    if !action.trim().eq_ignore_ascii_case("failed") {
        return None;
    }
    let status = value(group, "status")?.split_whitespace().next()?;
    let named = ["original-recipient", "final-recipient"];
    let addresses = named.iter().filter_map(|name| {
        // `rfc822;alice@example.com`, of which the type is not of interest.
        let (_, address) = value(group, name)?.split_once(';')?;
        let address = address.trim().trim_matches(['<', '>']);
        Some(address.to_lowercase())
    });
    Some(Failed {
        addresses: addresses.filter(|a| !a.is_empty()).collect(),
        status: status.to_owned(),
    })
}

/// Head and body of a message or a part (RFC 5322 2.1).
fn split(entity: &str) -> (&str, &str) {
    match entity.strip_prefix('\n') {
        Some(body) => ("", body),
        None => entity.split_once("\n\n").unwrap_or((entity, "")),
    }
}

fn fields_of(head: &str) -> Vec<(String, String)> {
    fields(head).collect()
}

/// Fields with names in small letters and unfolded values (RFC 5322 2.2.3).
fn fields(head: &str) -> impl Iterator<Item = (String, String)> {
    let mut lines = head.lines().peekable();
    iter::from_fn(move || {
        loop {
            let (name, first) = match lines.next()?.split_once(':') {
                Some((name, first)) if !name.starts_with([' ', '\t']) => (name, first),
                _ => continue,
            };
            let mut value = first.trim().to_owned();
            while let Some(more) = lines.next_if(|line| line.starts_with([' ', '\t'])) {
                value.push(' ');
                value.push_str(more.trim());
            }
            return Some((name.trim().to_ascii_lowercase(), value));
        }
    })
}

fn value<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// A parameter of a field, quoted or not (RFC 2045 5.1).
fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|part| {
        let (known, given) = part.split_once('=')?;
        let given = given.trim();
        let given = given.strip_prefix('"').map_or(given, |quoted| {
            quoted.split_once('"').map_or(quoted, |(inner, _)| inner)
        });
        (known.trim().eq_ignore_ascii_case(name) && !given.is_empty()).then(|| given.to_owned())
    })
}

/// The parts between the lines of a boundary (RFC 2046 5.1.1).
fn parts<'a>(body: &'a str, boundary: &str) -> Vec<&'a str> {
    let (open, close) = (format!("--{boundary}"), format!("--{boundary}--"));
    let mut found = Vec::new();
    let (mut begun, mut at) = (None, 0);
    for line in body.split_inclusive('\n') {
        let said = line.trim_end();
        if said == open || said == close {
            if let Some(from) = begun.take() {
                found.push(body.get(from..at).unwrap_or_default());
            }
            if said == close {
                return found;
            }
            begun = Some(at + line.len());
        }
        at += line.len();
    }
    // Cut off: what is there is looked at all the same.
    if let Some(from) = begun {
        found.push(body.get(from..).unwrap_or_default());
    }
    found
}
