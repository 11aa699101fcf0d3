//! Snapshots: the ledger's whole state at a position of the log, kept beside it so that a start folds only what follows.
//!
//! Never the truth. A snapshot that is missing, damaged, of another log or of another version of the state is ignored, the
//! log is folded from the beginning, and the state is the same. [`check`] shows that it is.

mod chunks;
mod file;

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use indelible_domain::World;

use crate::data_dir::{private_file, sync_dir};
use crate::ledger::replay;
use crate::{EventStore, StoreError};
pub(crate) use file::{Moment, Snapshot, Unusable};

/// Folder of a data directory that its snapshots lie in.
pub const FOLDER: &str = "snapshots";
/// Snapshots kept: the newest, and one more in case it cannot be read.
const KEPT: usize = 2;
const SUFFIX: &str = ".snap";
const BEFORE_RENAME: &str = ".snap.tmp";

/// The folder the snapshots of one log lie in.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
}

/// A snapshot as it was read back.
pub(crate) struct Loaded {
    pub world: World,
    pub moment: Moment,
    /// Size of the file in bytes.
    pub bytes: u64,
    pub aggregates: u64,
}

impl Shelf {
    pub fn new(dir: &Path) -> Shelf {
        Shelf { dir: dir.into() }
    }

    /// Files that may be snapshots, newest first.
    pub fn files(&self) -> Vec<(u64, PathBuf)> {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return Vec::new();
        };
        let mut found: Vec<_> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name();
                let position = name.to_str()?.strip_suffix(SUFFIX)?.parse().ok()?;
                Some((position, entry.path()))
            })
            .collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        found
    }

    /// Reads the newest snapshot of this log; `ignored` is told about each newer one that is of no use, and why.
    pub fn newest(
        &self,
        store: &dyn EventStore,
        ignored: &mut dyn FnMut(&Path, &str),
    ) -> Option<Loaded> {
        for (_, path) in self.files() {
            let read = of_this_log(store, &path).and_then(|snapshot| {
                let world = snapshot.world(&path)?;
                Ok(Loaded {
                    world,
                    moment: snapshot.moment,
                    bytes: snapshot.bytes,
                    aggregates: snapshot.aggregates(),
                })
            });
            match read {
                Ok(loaded) => return Some(loaded),
                Err(why) => ignored(&path, &why),
            }
        }
        None
    }

    /// Writes a snapshot so that it is there whole or not at all, then removes those it makes superfluous. Returns its
    /// size in bytes.
    pub fn put(&self, moment: &Moment, world: &World) -> io::Result<u64> {
        fs::create_dir_all(&self.dir)?;
        let name = format!("{:020}", moment.position);
        let unfinished = self.dir.join(format!("{name}{BEFORE_RENAME}"));
        let written = private_file(OpenOptions::new().create(true).truncate(true), &unfinished)
            .and_then(|mut file| {
                let bytes = file::write(&mut file, moment, world)?;
                file.sync_all()?;
                Ok(bytes)
            })
            .and_then(|bytes| {
                fs::rename(&unfinished, self.dir.join(format!("{name}{SUFFIX}")))?;
                sync_dir(&self.dir)?;
                Ok(bytes)
            });
        match written {
            Ok(_) => self.tidy(moment.position),
            // What could not be finished must not fill the disk.
            Err(_) => drop(fs::remove_file(&unfinished)),
        }
        written
    }

    /// Removes what is not among the newest readable ones up to a position. What lies beyond it was of no use when the
    /// ledger opened; what cannot be removed is tried again after the next snapshot.
    fn tidy(&self, position: u64) {
        let mut kept = 0;
        for (at, path) in self.files() {
            if kept < KEPT && at <= position && Snapshot::open(&path).is_ok() {
                kept += 1;
            } else {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Removes what a crash left of a snapshot. Only whoever has the data directory open may ask for it.
    pub fn remove_unfinished(&self) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_str().is_some_and(|n| n.ends_with(BEFORE_RENAME)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Reads a snapshot's frame, and refuses what is not of this log.
fn of_this_log(store: &dyn EventStore, path: &Path) -> Result<Snapshot, Unusable> {
    let snapshot = Snapshot::open(path)?;
    let Moment { position, hash, .. } = snapshot.moment;
    if position > store.head() {
        return Err(format!(
            "it is of position {position}, the log ends at {}",
            store.head()
        ));
    }
    match store.hash_at(position) {
        Ok(Some(at)) if at == hash => Ok(snapshot),
        Ok(_) => Err(format!(
            "it is of another log: the hash at position {position} is not the same"
        )),
        Err(e) => Err(format!(
            "the log's hash at position {position} cannot be read: {e}"
        )),
    }
}

/// What a check of one snapshot found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotCheck {
    pub file: PathBuf,
    pub finding: Finding,
}

/// See [`SnapshotCheck`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It holds what the log makes up to its position.
    Equal { position: u64 },
    /// The ledger would ignore it, for this reason.
    Ignored(String),
    /// The ledger would use it, and it is not what the log makes: the first thing that differs.
    Differs { position: u64, what: String },
}

/// Folds the log from the beginning, and compares every snapshot with the state at its position. Calls
/// `progress(position, last)` on the way.
///
/// Errors: CORRUPT when the log cannot be read, IO. What is wrong with a snapshot is a finding.
pub fn check(
    store: &dyn EventStore,
    dir: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<SnapshotCheck>, StoreError> {
    let mut found = Vec::new();
    let mut usable = Vec::new();
    for (_, file) in Shelf::new(dir).files() {
        match of_this_log(store, &file) {
            Ok(snapshot) => usable.push((file, snapshot)),
            Err(why) => found.push(SnapshotCheck {
                file,
                finding: Finding::Ignored(why),
            }),
        }
    }
    usable.sort_by_key(|(_, snapshot)| snapshot.moment.position);
    let last = usable.last().map_or(0, |(_, s)| s.moment.position);
    let (mut world, mut position) = (World::default(), 0);
    for (file, snapshot) in usable {
        let at = snapshot.moment.position;
        replay(store, &mut world, &mut position, at)?;
        progress(position, last);
        let finding = match snapshot.world(&file) {
            Err(why) => Finding::Ignored(why),
            Ok(kept) => match difference(&kept, &world) {
                None => Finding::Equal { position: at },
                Some(what) => Finding::Differs { position: at, what },
            },
        };
        found.push(SnapshotCheck { file, finding });
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}

/// The first thing that two worlds do not share, in words.
fn difference(kept: &World, made: &World) -> Option<String> {
    let mut names: Vec<&String> = kept.tenants().chain(made.tenants()).collect();
    names.sort();
    names.dedup();
    names.into_iter().find_map(|name| {
        let (kept, made) = (kept.tenant(name), made.tenant(name));
        if let Some((kind, id)) = kept.tables.first_difference(&made.tables) {
            return Some(format!("{kind} {id} of tenant {name}"));
        }
        let part = match (kept.index == made.index, kept.agenda == made.agenda) {
            (true, true) => return None,
            (false, _) => "index",
            (true, false) => "agenda",
        };
        Some(format!("the {part} of tenant {name}"))
    })
}
