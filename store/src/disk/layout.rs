//! Directories of a log's volumes: finding them, making new ones, and moving the one of format 1 to its place.
//!
//! Every change is one rename of something whole and synced, so a process that dies between any two steps leaves what the
//! next start finishes or throws away.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::volume::Volume;
use crate::StoreError;
use crate::data_dir::sync_dir;
use crate::engine::{Engine, Purpose};

/// Holds the volumes.
const LOG: &str = "log";
/// The database of format 1 on its way from `log` to `log/00000000000000000001`.
const ASIDE: &str = "log-of-format-1";
/// A volume that was not finished ends in this.
const UNFINISHED: &str = ".new";
/// First position of a log.
pub(super) const FIRST: u64 = 1;
/// Digits of a volume's name: as many as the largest position has.
const DIGITS: usize = 20;

/// Called before each step of moving and rolling with its name; an error stops there, as a crash would. For tests.
pub type StepHook = Box<dyn Fn(&'static str) -> io::Result<()> + Send + Sync>;

/// The directory of volumes of a data directory.
pub(super) struct Layout {
    log: PathBuf,
    before_step: StepHook,
}

impl Layout {
    /// Puts a log of format 1 where format 2 has it, removes volumes that were not finished, and makes the first one of
    /// a new log. Answers the first positions of all volumes, ascending; there is at least one.
    pub fn settle(data: &Path, before_step: StepHook) -> Result<(Layout, Vec<u64>), StoreError> {
        let layout = Layout {
            log: data.join(LOG),
            before_step,
        };
        layout
            .move_format_1(data)
            .map_err(|e| StoreError::io("moving the log of format 1 into a volume", e))?;
        let mut firsts = layout
            .volumes()
            .map_err(|e| StoreError::io(format!("reading {}", layout.log.display()), e))?;
        match firsts.first() {
            None => {
                layout.create(FIRST)?;
                firsts.push(FIRST);
            }
            Some(&FIRST) => {}
            Some(first) => {
                return Err(StoreError::corrupt(
                    FIRST,
                    format!("missing, the first volume of the log begins at position {first}"),
                ));
            }
        }
        Ok((layout, firsts))
    }

    fn step(&self, name: &'static str) -> io::Result<()> {
        (self.before_step)(name)
    }

    fn move_format_1(&self, data: &Path) -> io::Result<()> {
        let aside = data.join(ASIDE);
        if Engine::is_in(&self.log) {
            self.step("setting the log of format 1 aside")?;
            fs::rename(&self.log, &aside)?;
            sync_dir(data)?;
        }
        if aside.is_dir() {
            self.step("making the directory of volumes")?;
            fs::create_dir_all(&self.log)?;
            sync_dir(data)?;
            self.step("moving the log of format 1 into its volume")?;
            fs::rename(&aside, self.path(FIRST))?;
            sync_dir(&self.log)?;
            sync_dir(data)?;
            self.step("opening the moved log")?;
        }
        fs::create_dir_all(&self.log)?;
        sync_dir(data)
    }

    fn volumes(&self) -> io::Result<Vec<u64>> {
        let mut firsts = Vec::new();
        for entry in fs::read_dir(&self.log)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(first) = first_position(name) {
                firsts.push(first);
            } else if name
                .strip_suffix(UNFINISHED)
                .and_then(first_position)
                .is_some()
            {
                fs::remove_dir_all(entry.path())?;
            }
        }
        firsts.sort_unstable();
        Ok(firsts)
    }

    /// Where the volume that begins at a position lies.
    pub fn path(&self, first: u64) -> PathBuf {
        self.log.join(format!("{first:0DIGITS$}"))
    }

    /// Makes an empty volume. It has its name only when all of it is on disk.
    pub fn create(&self, first: u64) -> Result<(), StoreError> {
        let path = self.path(first);
        let unfinished = self.log.join(format!("{first:0DIGITS$}{UNFINISHED}"));
        let failed = |e| StoreError::io(format!("making {}", path.display()), e);
        self.step("making a volume").map_err(failed)?;
        match fs::remove_dir_all(&unfinished) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        drop(Volume::open(&unfinished, first, Purpose::Reading)?);
        self.step("naming the volume").map_err(failed)?;
        fs::rename(&unfinished, &path).map_err(failed)?;
        sync_dir(&self.log).map_err(failed)?;
        self.step("using the volume").map_err(failed)
    }

    /// Bytes that a volume takes on disk.
    pub fn bytes(&self, first: u64) -> u64 {
        bytes_below(&self.path(first)).unwrap_or(0)
    }
}

fn first_position(name: &str) -> Option<u64> {
    let digits = name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| name.parse().ok())?
}

fn bytes_below(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            bytes_below(&entry.path())?
        } else {
            allocated(&metadata)
        };
    }
    Ok(bytes)
}

#[cfg(unix)]
fn allocated(metadata: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // By POSIX, always in units of 512.
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}
