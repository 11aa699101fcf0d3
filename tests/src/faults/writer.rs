//! The process that the drills kill: appends the mixed load and says on its standard output what was acknowledged.

use std::io::Write;
use std::path::Path;

use indelible_store::{EventStore, IndexLimits, Options, SledStore, StoreError};

use super::load::{Name, SUBMITTERS, commit};

const ROLL_BYTES: u64 = 20 << 20;
const INDEX_TAIL_ENTRIES: usize = 64;

/// Appends from all submitters at once until each has done its number of commits or was refused. One line for each
/// answer, written in one piece: `acked NAME FIRST LAST HASH` or `refused CODE SENTENCE`.
///
/// Answers whether every commit was acknowledged.
pub fn write(data: &Path, run: u64, commits: u64) -> Result<bool, StoreError> {
    let store = SledStore::open_with(data, rolling_often())?;
    say("open");
    let done = std::thread::scope(|scope| {
        let submitters: Vec<_> = (0..SUBMITTERS)
            .map(|submitter| {
                let store = &store;
                scope.spawn(move || submit(store, run, submitter, commits))
            })
            .collect();
        submitters
            .into_iter()
            .all(|submitter| matches!(submitter.join(), Ok(true)))
    });
    Ok(done)
}

/// A new volume is begun as soon as the engine's file is longer than one of its segments, and the index writes a run every
/// few commits: what happens once in millions of events must happen before the process is killed.
fn rolling_often() -> Options {
    Options {
        roll_bytes: ROLL_BYTES,
        index: IndexLimits {
            tail_entries: INDEX_TAIL_ENTRIES,
            tail_log_bytes: u64::MAX,
            ..IndexLimits::default()
        },
        ..Options::default()
    }
}

fn submit(store: &SledStore, run: u64, submitter: u64, commits: u64) -> bool {
    for number in 0..commits {
        let name = Name {
            run,
            submitter,
            number,
        };
        let answer = store
            .append(commit(name, &|stream| {
                store.stream_version(stream).expect("the index can be read")
            }))
            .and_then(|at| Ok((at, store.hash_at(at.last_position)?)));
        match answer {
            Ok((at, hash)) => {
                let hash = hash.map_or_else(|| "none".into(), hex);
                say(&format!(
                    "acked {name} {} {} {hash}",
                    at.first_position, at.last_position
                ));
            }
            Err(e) => {
                say(&format!("refused {} {e}", e.code()));
                return false;
            }
        }
    }
    true
}

/// One line to whoever holds the list. If nobody listens any more there is nothing left to say.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("{line}\n").as_bytes());
    let _ = out.flush();
}

/// A hash as the lines carry it.
pub fn hex(hash: [u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
