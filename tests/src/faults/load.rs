//! The mixed load: which commit is the n-th of a submitter can be computed anywhere, so the writer needs to say only
//! which commits were acknowledged, and whoever checks knows every byte of them.

use std::fmt;
use std::str::FromStr;

use indelible_store::{CommandRecord, Commit, NewEvent, StreamKey};

use super::random::Random;

/// Submitters that append at the same time, each to streams of its own.
pub const SUBMITTERS: u64 = 4;
/// Events of the large commits.
const BATCH: u64 = 1_000;
const STREAMS: u64 = 8;
const TENANT: &str = "drill";

/// Names a commit: the run of the writer process, the submitter in it, and the number of the commit. Each commit
/// carries it as its correlation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub run: u64,
    pub submitter: u64,
    pub number: u64,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.run, self.submitter, self.number)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Name, String> {
        let numbers: Vec<u64> = text
            .split('-')
            .map_while(|part| part.parse().ok())
            .collect();
        match numbers.as_slice() {
            [run, submitter, number] if text.split('-').count() == 3 => Ok(Name {
                run: *run,
                submitter: *submitter,
                number: *number,
            }),
            _ => Err(format!("{text:?} names no commit of the load")),
        }
    }
}

/// The commit of a name. `version` tells the version a stream has before the commit.
pub fn commit(name: Name, version: &dyn Fn(&StreamKey) -> u64) -> Commit {
    let seed = (name.run << 40) ^ (name.submitter << 32) ^ name.number;
    let mut random = Random::seeded(seed);
    // (stream, payload length) of each event; the shapes are those of usage, of a decision and of a document.
    let events: Vec<(u64, usize)> = match random.below(20) {
        0..=12 => vec![(random.below(STREAMS), 40 + random.index(300))],
        13..=16 => (0..3 + random.below(9))
            .map(|n| (n % STREAMS, 20 + random.index(200)))
            .collect(),
        17 | 18 => (0..BATCH)
            .map(|_| (STREAMS, 60 + random.index(60)))
            .collect(),
        _ => vec![(random.below(STREAMS), 20_000 + random.index(200_000))],
    };
    let with_command = random.below(4) != 0;
    let mut next: Vec<Option<u64>> = vec![None; STREAMS as usize + 1];
    let events = events
        .into_iter()
        .map(|(stream, length)| {
            let key = StreamKey::new(TENANT, "stream", format!("{}-{stream}", name.submitter));
            let next = &mut next[stream as usize];
            let expected_version = next.unwrap_or_else(|| version(&key));
            *next = Some(expected_version + 1);
            NewEvent {
                stream: key,
                expected_version,
                event_type: "drill.Noted".into(),
                schema: 1,
                payload: payload(&mut random, length),
            }
        })
        .collect();
    Commit {
        tenant: TENANT.into(),
        // Goes back from submitter to submitter and from run to run, as a bad clock does.
        recorded_at: i64::try_from(name.number * 1_000).unwrap_or(i64::MAX),
        actor: format!("submitter-{}", name.submitter),
        correlation: name.to_string(),
        causation: 0,
        command: with_command.then(|| CommandRecord {
            command_id: name.to_string(),
            input_hash: [0x5A; 32],
            receipt: name.to_string().into_bytes(),
        }),
        events,
    }
}

/// Half noise, half text, so that both kinds of stored bytes occur: compressed and verbatim.
fn payload(random: &mut Random, length: usize) -> Vec<u8> {
    let mut bytes = random.bytes(length / 2);
    bytes.extend(
        b"the same words again and again, "
            .iter()
            .cycle()
            .take(length - bytes.len()),
    );
    bytes
}
