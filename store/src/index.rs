//! What the log keeps in memory: where the blocks of a stream and of a command lie.
//!
//! Rebuilt at open by a scan of every block, which is also where the chain is checked: the scan at open, the append and
//! `verify` go through the same [`Index::admit`], so none of them can be laxer than the others.

use std::collections::HashMap;

use crate::block::{Block, GENESIS, HEADER_BYTES, Header};
use crate::{StoreError, StreamKey};

/// The last version a stream has in a block, and where that block begins.
#[derive(Clone, Copy, Debug)]
struct Entry {
    version: u64,
    block: u64,
}

/// The end of the chain: what the next block must connect to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tip {
    pub head: u64,
    pub hash: [u8; 32],
    pub recorded_at: i64,
}

/// The facts about a block that the index keeps or checks.
pub(crate) struct Placed {
    pub header: Header,
    pub tenant: String,
    pub command_id: Option<String>,
    /// Stream and version of each event, in order.
    pub events: Vec<(StreamKey, u64)>,
}

impl From<Block> for Placed {
    fn from(block: Block) -> Placed {
        let Block { header, body } = block;
        let tenant = body.tenant;
        Placed {
            header,
            command_id: body.command.map(|command| command.command_id),
            events: body
                .events
                .into_iter()
                .map(|event| (StreamKey::new(&tenant, event.kind, event.id), event.version))
                .collect(),
            tenant,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Index {
    tip: Tip,
    bytes: u64,
    /// First position of every block, ascending.
    blocks: Vec<u64>,
    streams: HashMap<StreamKey, Vec<Entry>>,
    /// Tenant → command id → first position of the command's block.
    commands: HashMap<String, HashMap<String, u64>>,
}

impl Index {
    pub fn empty() -> Index {
        Index {
            tip: Tip {
                head: 0,
                hash: GENESIS,
                recorded_at: i64::MIN,
            },
            bytes: 0,
            blocks: Vec::new(),
            streams: HashMap::new(),
            commands: HashMap::new(),
        }
    }

    /// Takes the next block of the chain, or says what is wrong with it. On error the index is not to be used further.
    pub fn admit(&mut self, block: Placed) -> Result<(), StoreError> {
        let Placed {
            header,
            tenant,
            command_id,
            events,
        } = block;
        let at = header.first_position;
        let expected = self.tip.head + 1;
        if at != expected {
            return Err(StoreError::corrupt(
                expected,
                format!("missing, the next block begins at position {at}"),
            ));
        }
        if header.prev_hash != self.tip.hash {
            return Err(StoreError::corrupt(
                at,
                "does not follow the block before: the chain is broken",
            ));
        }
        if header.recorded_at < self.tip.recorded_at {
            return Err(StoreError::corrupt(
                at,
                format!(
                    "recorded at {} us, the block before at {} us",
                    header.recorded_at, self.tip.recorded_at
                ),
            ));
        }
        for (stream, version) in events {
            let before = self.version(&stream);
            if version != before + 1 {
                return Err(StoreError::corrupt(
                    at,
                    format!("version {version} of stream {stream} follows version {before}"),
                ));
            }
            let entries = self.streams.entry(stream).or_default();
            match entries.last_mut() {
                Some(entry) if entry.block == at => entry.version = version,
                _ => entries.push(Entry { version, block: at }),
            }
        }
        if let Some(command_id) = command_id {
            if let Some(first) = self.command(&tenant, &command_id) {
                return Err(StoreError::corrupt(
                    at,
                    format!("repeats command {command_id} of block {first}"),
                ));
            }
            self.commands
                .entry(tenant)
                .or_default()
                .insert(command_id, at);
        }
        self.blocks.push(at);
        self.bytes += HEADER_BYTES as u64 + u64::from(header.body_len);
        self.tip = Tip {
            head: header.last_position(),
            hash: header.hash,
            recorded_at: header.recorded_at,
        };
        Ok(())
    }

    pub fn tip(&self) -> Tip {
        self.tip
    }

    pub fn block_count(&self) -> u64 {
        self.blocks.len() as u64
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// First position of the block that holds the first event after `after`; none if there is no such event.
    pub fn block_after(&self, after: u64) -> Option<u64> {
        if after >= self.tip.head {
            return None;
        }
        let later = self.blocks.partition_point(|first| *first <= after + 1);
        self.blocks.get(later.checked_sub(1)?).copied()
    }

    pub fn version(&self, key: &StreamKey) -> u64 {
        self.streams
            .get(key)
            .and_then(|entries| entries.last())
            .map_or(0, |entry| entry.version)
    }

    /// The blocks that hold events of the stream after a version, ascending; at most `max`, as each holds at least one.
    pub fn blocks_of(&self, key: &StreamKey, after_version: u64, max: usize) -> Vec<u64> {
        let Some(entries) = self.streams.get(key) else {
            return Vec::new();
        };
        let from = entries.partition_point(|entry| entry.version <= after_version);
        entries
            .iter()
            .skip(from)
            .take(max)
            .map(|entry| entry.block)
            .collect()
    }

    pub fn command(&self, tenant: &str, command_id: &str) -> Option<u64> {
        self.commands.get(tenant)?.get(command_id).copied()
    }
}
