//! Room on the file system. A group is refused before the engine sees it, because no engine is at its best when a write
//! fails half-way: what is refused here left nothing and is taken when there is room again.

use std::io;
use std::path::Path;

use crate::StoreError;

/// Bytes that must stay free: the engine rewrites pages and begins segments of 16 MiB as it likes.
pub(crate) const RESERVE_BYTES: u64 = 64 << 20;
/// What a group may take for each of its bytes: every part is written more than once before it rests.
const TIMES_WRITTEN: u64 = 8;

/// Tells how many bytes are free on the file system of a directory.
pub type SpaceProbe = Box<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

/// What the file system leaves to this user.
#[cfg(unix)]
pub(crate) fn free_bytes(dir: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(dir)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Not asked for: what the operating system answers to a write has to do.
#[cfg(not(unix))]
pub(crate) fn free_bytes(_dir: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}

/// STORAGE_FULL if a group of so many bytes would eat into the reserve.
pub(super) fn check(dir: &Path, probe: &SpaceProbe, group_bytes: usize) -> Result<(), StoreError> {
    let free = probe(dir)
        .map_err(|e| StoreError::io(format!("asking for the room on {}", dir.display()), e))?;
    let needed = RESERVE_BYTES.saturating_add((group_bytes as u64).saturating_mul(TIMES_WRITTEN));
    if free < needed {
        return Err(StoreError::Full {
            dir: dir.display().to_string(),
            free,
            needed,
        });
    }
    Ok(())
}
