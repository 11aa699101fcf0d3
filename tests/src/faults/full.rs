//! A full disk: refused before anything is written, nothing lost, and it goes on as soon as there is room.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use indelible_store::SledStore;

use super::mounts::{Kind, Mounted, in_namespace};
use super::syncs::append_noted;
use super::truth::Truth;
use super::{Outcome, Setting};

const MEMORY_MEBIBYTES: u64 = 256;
const BEFORE: u64 = 30;
const REFUSALS: u64 = 3;
const CHUNK: usize = 1 << 20;

/// The drill, in a mount namespace.
pub fn drill(setting: &Setting) -> Result<Outcome, String> {
    let memory = in_namespace(&setting.exe, &["full".into(), "tmpfs".into()], true)?;
    let loops = in_namespace(&setting.exe, &["full".into(), "ext4".into()], false)?;
    Ok(match (memory, loops) {
        (Outcome::Passed(a), Outcome::Passed(b)) => Outcome::Passed(format!("{a}; {b}")),
        (Outcome::NotRun(a), Outcome::NotRun(b)) => Outcome::NotRun(format!("{a}; {b}")),
        (Outcome::Passed(ran), Outcome::NotRun(not)) => {
            Outcome::NotRun(format!("{not} (of the rest: {ran})"))
        }
        (Outcome::NotRun(not), Outcome::Passed(ran)) => {
            Outcome::NotRun(format!("{not} (of the rest: {ran})"))
        }
    })
}

/// The drill itself, where mounting is allowed.
pub fn fill(which: &str) -> Result<Outcome, String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mounted = match which {
        "tmpfs" => Mounted::in_memory(dir.path().join("memory"), MEMORY_MEBIBYTES),
        _ => Mounted::on_loop(Kind::Ext4, dir.path()),
    };
    match mounted {
        Ok(disk) => fill_up(disk.path()).map(|said| Outcome::Passed(format!("{which}: {said}"))),
        Err(why) => Ok(Outcome::NotRun(format!("{which}: {why}"))),
    }
}

fn fill_up(disk: &Path) -> Result<String, String> {
    let data = disk.join("data");
    let filler = disk.join("filler");
    let mut truth = Truth::default();
    let mut number = 0;
    let store = SledStore::open(&data).map_err(|e| e.to_string())?;
    while number < BEFORE {
        append_noted(&store, &mut truth, 0, number).map_err(|e| format!("with room: {e}"))?;
        number += 1;
    }
    for round in 1..=2 {
        take_all_room(&filler).map_err(|e| format!("filling the disk: {e}"))?;
        for _ in 0..REFUSALS {
            match append_noted(&store, &mut truth, 0, number) {
                Err(e) if e.code() == "STORAGE_FULL" => {}
                other => return Err(format!("on a full disk the answer is {other:?}")),
            }
        }
        truth
            .check(&store)
            .map_err(|e| format!("read while full: {e}"))?;
        fs::remove_file(&filler).map_err(|e| e.to_string())?;
        for _ in 0..BEFORE {
            append_noted(&store, &mut truth, 0, number)
                .map_err(|e| format!("with room again, round {round}: {e}"))?;
            number += 1;
        }
    }
    // Closed and opened again while there is no room at all: it may refuse to open, but not lose anything.
    take_all_room(&filler).map_err(|e| format!("filling the disk: {e}"))?;
    drop(store);
    let while_full = match SledStore::open(&data) {
        Ok(store) => {
            truth
                .check(&store)
                .map_err(|e| format!("opened while full: {e}"))?;
            "opens".to_string()
        }
        Err(e) => format!("refuses to open ({})", e.code()),
    };
    fs::remove_file(&filler).map_err(|e| e.to_string())?;
    truth
        .check_directory(&data)
        .map_err(|e| format!("opened with room again: {e}"))?;
    Ok(format!(
        "{} refusals with STORAGE_FULL, {} acknowledged commits all there, goes on with room; without any room it {while_full}",
        2 * REFUSALS,
        truth.len()
    ))
}

/// Writes until the file system has no room left.
fn take_all_room(filler: &Path) -> io::Result<()> {
    let mut file = File::create(filler)?;
    for chunk in [CHUNK, 4_096] {
        let bytes = vec![0xFF; chunk];
        loop {
            match file.write_all(&bytes) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::StorageFull => break,
                Err(e) => return Err(e),
            }
        }
    }
    match file.sync_all() {
        Err(e) if e.kind() != io::ErrorKind::StorageFull => Err(e),
        _ => Ok(()),
    }
}
