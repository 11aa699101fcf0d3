//! The data directory: whose it is, which format it has, and that one process has it open.
//!
//! `INDELIBLE` marks it, so that a mistyped path never mixes a ledger with something else; `lock` is held as long as
//! the log is open, and the operating system lets go of it when the process dies.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::StoreError;

pub(crate) const MARKER: &str = "INDELIBLE";
const MARKER_BEFORE_RENAME: &str = "INDELIBLE.tmp";
const LOCK: &str = "lock";
/// The format version of the directory: its layout and that of the log's blocks.
const FORMAT_VERSION: u32 = 2;
/// Its log is moved to where this format has it (`disk/layout.rs`).
const FORMAT_BEFORE_VOLUMES: u32 = 1;
const MARKER_PREFIX: &str = "Indelible ledger, format ";

/// An opened, marked and locked data directory.
#[derive(Debug)]
pub(crate) struct DataDir {
    pub path: PathBuf,
    lock: File,
}

impl Drop for DataDir {
    /// Closing alone would leave the lock to a process that was forked meanwhile and has not become another program yet.
    fn drop(&mut self) {
        // Where it cannot be given back, the system does when the last handle is closed.
        let _ = self.lock.unlock();
    }
}

impl DataDir {
    /// Opens a directory, and makes it a ledger's if it is new or empty.
    ///
    /// Errors: NOT_A_LEDGER, LOCKED, UNSUPPORTED_VERSION, IO.
    pub fn open(path: &Path) -> Result<DataDir, StoreError> {
        fs::create_dir_all(path).map_err(|e| failed("creating", path, e))?;
        // Before the lock, because a lock file must not be left in somebody else's directory.
        refuse_foreign(path)?;
        let lock = lock(path)?;
        let marker = path.join(MARKER);
        match fs::read_to_string(&marker) {
            Ok(text) => match version(&marker, &text)? {
                FORMAT_VERSION => {}
                // Before anything is moved, so that a program that knows only the old format stays away from then on.
                FORMAT_BEFORE_VOLUMES => mark(path)?,
                found => {
                    return Err(StoreError::UnsupportedVersion {
                        what: marker.display().to_string(),
                        found,
                        known: FORMAT_VERSION,
                    });
                }
            },
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => mark(path)?,
            Err(e) => return Err(failed("reading", &marker, e)),
        }
        Ok(DataDir {
            path: path.to_path_buf(),
            lock,
        })
    }
}

fn refuse_foreign(path: &Path) -> Result<(), StoreError> {
    if path.join(MARKER).exists() {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(|e| failed("reading", path, e))? {
        let name = entry.map_err(|e| failed("reading", path, e))?.file_name();
        // What a first start leaves if it dies before the mark.
        if name != LOCK && name != MARKER_BEFORE_RENAME {
            return Err(StoreError::NotALedger {
                dir: path.display().to_string(),
                found: name.to_string_lossy().into_owned(),
            });
        }
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let file = path.join(LOCK);
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&file)
        .map_err(|e| failed("opening", &file, e))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            dir: path.display().to_string(),
        }),
        Err(TryLockError::Error(e)) => Err(failed("locking", &file, e)),
    }
}

fn version(marker: &Path, text: &str) -> Result<u32, StoreError> {
    text.strip_prefix(MARKER_PREFIX)
        .and_then(|rest| rest.trim_end().parse::<u32>().ok())
        .ok_or_else(|| StoreError::NotALedger {
            dir: marker.display().to_string(),
            found: "an unreadable mark".into(),
        })
}

fn mark(path: &Path) -> Result<(), StoreError> {
    write_whole(
        path,
        MARKER,
        format!("{MARKER_PREFIX}{FORMAT_VERSION}\n").as_bytes(),
    )
    .map_err(|e| failed("marking", path, e))?;
    match path.canonicalize().ok().as_deref().and_then(Path::parent) {
        Some(parent) => sync_dir(parent).map_err(|e| failed("syncing", parent, e)),
        None => Ok(()),
    }
}

/// Writes a small private file so that it is there whole or not at all, also after a power cut.
pub(crate) fn write_whole(dir: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let before_rename = dir.join(format!("{name}.tmp"));
    let mut file = private_file(
        OpenOptions::new().create(true).truncate(true),
        &before_rename,
    )?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&before_rename, dir.join(name))?;
    sync_dir(dir)
}

/// Opens a file for writing that only its owner may read.
pub(crate) fn private_file(options: &mut OpenOptions, path: &Path) -> std::io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.write(true).open(path)
}

/// Makes the names in a directory durable. Only Unix has, and needs, a sync of a directory.
pub(crate) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

fn failed(doing: &str, path: &Path, e: std::io::Error) -> StoreError {
    StoreError::io(format!("{doing} {}", path.display()), e)
}
