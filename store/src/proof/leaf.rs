//! The bytes of one event that its leaf hash is made of (docs/audit.md, "Leaf bytes").
//!
//! Everything the log knows of the event is in them, each text and payload behind its length, so that no two events
//! have the same bytes. They depend on no library: whoever has the document can make them.

use super::tree::{Hash, leaf_hash};
use crate::EventRef;

/// First byte: the version of this encoding.
pub const VERSION: u8 = 1;

/// The leaf bytes of an event, into a buffer that is emptied first.
pub fn encode(event: &EventRef<'_>, out: &mut Vec<u8>) {
    out.clear();
    out.push(VERSION);
    out.extend_from_slice(&event.position.to_le_bytes());
    out.extend_from_slice(&event.recorded_at.to_le_bytes());
    bytes(out, event.tenant.as_bytes());
    bytes(out, event.kind.as_bytes());
    bytes(out, event.id.as_bytes());
    out.extend_from_slice(&event.version.to_le_bytes());
    bytes(out, event.event_type.as_bytes());
    out.extend_from_slice(&event.schema.to_le_bytes());
    bytes(out, event.actor.as_bytes());
    match event.command_id {
        None => out.push(0),
        Some(id) => {
            out.push(1);
            bytes(out, id.as_bytes());
        }
    }
    bytes(out, event.correlation.as_bytes());
    out.extend_from_slice(&event.causation.to_le_bytes());
    bytes(out, event.payload);
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    let len = u32::try_from(value.len()).expect("the log takes at most 8 MiB in one event");
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(value);
}

/// Reads leaf bytes back. The error says what is wrong with them.
pub fn decode(leaf: &[u8]) -> Result<EventRef<'_>, String> {
    let mut rest = leaf;
    let version = fixed::<1>(&mut rest)?[0];
    if version != VERSION {
        return Err(format!(
            "leaf bytes have version {version}, this program reads version {VERSION}"
        ));
    }
    let event = EventRef {
        position: u64::from_le_bytes(fixed(&mut rest)?),
        recorded_at: i64::from_le_bytes(fixed(&mut rest)?),
        tenant: text(&mut rest)?,
        kind: text(&mut rest)?,
        id: text(&mut rest)?,
        version: u64::from_le_bytes(fixed(&mut rest)?),
        event_type: text(&mut rest)?,
        schema: u16::from_le_bytes(fixed(&mut rest)?),
        actor: text(&mut rest)?,
        command_id: match fixed::<1>(&mut rest)?[0] {
            0 => None,
            1 => Some(text(&mut rest)?),
            other => return Err(format!("the command id is marked {other}, not 0 or 1")),
        },
        correlation: text(&mut rest)?,
        causation: u64::from_le_bytes(fixed(&mut rest)?),
        payload: value(&mut rest)?,
    };
    if !rest.is_empty() {
        return Err(format!("{} bytes follow the leaf", rest.len()));
    }
    if event.position == 0 {
        return Err("the leaf has position 0, positions count from 1".into());
    }
    Ok(event)
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let (head, tail) = rest
        .split_first_chunk::<N>()
        .ok_or("the leaf is cut short")?;
    *rest = tail;
    Ok(*head)
}

fn value<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let len = usize::try_from(u32::from_le_bytes(fixed(rest)?)).unwrap_or(usize::MAX);
    let (head, tail) = rest.split_at_checked(len).ok_or("the leaf is cut short")?;
    *rest = tail;
    Ok(head)
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, String> {
    std::str::from_utf8(value(rest)?).map_err(|_| "a text of the leaf is not UTF-8".into())
}

/// Leaf hash of an event; the buffer is only for speed.
pub fn hash(event: &EventRef<'_>, buffer: &mut Vec<u8>) -> Hash {
    encode(event, buffer);
    leaf_hash(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> EventRef<'static> {
        EventRef {
            position: 7,
            tenant: "acme",
            kind: "invoice",
            id: "run-1.alice",
            version: 2,
            event_type: "invoice.finalised",
            schema: 1,
            payload: &[1, 2, 3],
            recorded_at: -5,
            actor: "key:till",
            command_id: Some("c-1"),
            correlation: "",
            causation: 3,
        }
    }

    #[test]
    fn leaf_bytes_are_frozen() {
        let mut leaf = Vec::new();
        encode(&event(), &mut leaf);
        let hex: String = leaf.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "010700000000000000fbffffffffffffff0400000061636d6507000000696e766f6963650b00000072756e2d312e616c696365\
             020000000000000011000000696e766f6963652e66696e616c697365640100080000006b65793a74696c6c0103000000632d31\
             00000000030000000000000003000000010203"
        );
    }

    #[test]
    fn leaf_bytes_read_back_and_no_other_bytes_do() {
        let mut leaf = Vec::new();
        for command_id in [None, Some("c-1")] {
            let event = EventRef {
                command_id,
                ..event()
            };
            encode(&event, &mut leaf);
            assert_eq!(decode(&leaf), Ok(event));
            for cut in 0..leaf.len() {
                assert!(decode(&leaf[..cut]).is_err(), "cut at {cut}");
            }
            leaf.push(0);
            assert!(decode(&leaf).is_err(), "a byte too many");
        }
        leaf[0] = 2;
        assert!(decode(&leaf).unwrap_err().contains("version 2"));
    }
}
