//! Syncs and writes that fail: the log stops acknowledging for good, and loses nothing that it acknowledged.

use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indelible_store::{EventStore, SledStore};

use super::kills::writer;
use super::load::{Name, commit};
use super::mounts::run;
use super::process::Running;
use super::truth::Truth;
use super::writer::hex;
use super::{Outcome, Setting};

/// Commits tried after the failure: all must be refused.
const TRIED_AFTER: u64 = 3;
/// Commits of each submitter under strace; some call fails long before.
const COMMITS: u64 = 60;

/// Appends the next commit of submitter 0 and notes its acknowledgement, as the writer process does for others.
pub fn append_noted(
    store: &SledStore,
    truth: &mut Truth,
    run: u64,
    number: u64,
) -> Result<(), indelible_store::StoreError> {
    let name = Name {
        run,
        submitter: 0,
        number,
    };
    let at = store.append(commit(name, &|stream| {
        store.stream_version(stream).expect("the index can be read")
    }))?;
    let hash = store
        .hash_at(at.last_position)?
        .map_or_else(String::new, hex);
    let line = format!(
        "acked {name} {} {} {hash}",
        at.first_position, at.last_position
    );
    truth
        .note(&line)
        .map(|_| ())
        .expect("each commit of the load is appended once");
    Ok(())
}

/// The n-th sync answers EIO, by the hook before each sync.
pub fn failed_by_hook(setting: &Setting) -> Result<Outcome, String> {
    let mut acknowledged = 0;
    for &failing in &setting.failing_syncs {
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        let truth = fail_sync(dir.path(), failing)
            .and_then(|truth| truth.check_directory(dir.path()).map(|_| truth))
            .map_err(|e| format!("sync {failing}: {e}"))?;
        acknowledged += truth.len();
    }
    Ok(Outcome::Passed(format!(
        "EIO at sync {:?}: no acknowledgement afterwards, {acknowledged} acknowledged commits all there",
        setting.failing_syncs
    )))
}

fn fail_sync(data: &Path, failing: u64) -> Result<Truth, String> {
    let syncs = Arc::new(AtomicU64::new(0));
    let hook = Box::new({
        let syncs = Arc::clone(&syncs);
        // Only this one fails: a later sync would succeed, and must not be asked to make good for the lost one.
        move || match syncs.fetch_add(1, Ordering::SeqCst) + 1 {
            n if n == failing => Err(io::Error::from_raw_os_error(5)),
            _ => Ok(()),
        }
    });
    let store = SledStore::open_with_sync(data, hook).map_err(|e| e.to_string())?;
    let mut truth = Truth::default();
    let mut number = 0;
    let refusal = loop {
        match append_noted(&store, &mut truth, 0, number) {
            Ok(()) => number += 1,
            Err(e) => break e,
        }
    };
    if refusal.code() != "POISONED" {
        return Err(format!("refused with {}: {refusal}", refusal.code()));
    }
    if truth.len() + 1 != failing {
        return Err(format!("{} commits acknowledged", truth.len()));
    }
    for number in number + 1..=number + TRIED_AFTER {
        match append_noted(&store, &mut truth, 0, number) {
            Err(e) if e.code() == "POISONED" => {}
            other => return Err(format!("after the failure the answer is {other:?}")),
        }
    }
    Ok(truth)
}

/// Why strace cannot be used, if so.
pub fn strace() -> Result<(), String> {
    run("strace", ["-qq", "-o", "/dev/null", "true"])
}

/// System calls of the writer that fail from the n-th on, by strace.
pub fn failed_by_kernel(setting: &Setting) -> Result<Outcome, String> {
    if let Err(why) = strace() {
        return Ok(Outcome::NotRun(why));
    }
    let mut said = Vec::new();
    let mut acknowledged = 0;
    let mut runs = 0;
    for (call, error) in [
        ("fdatasync", "EIO"),
        ("fsync", "EIO"),
        ("pwrite64", "EIO"),
        ("pwrite64", "ENOSPC"),
    ] {
        let mut stopped = 0;
        for &failing in &setting.failing_syncs {
            // Once, as a disk does that drops the pages it could not write; and for good.
            for from_then_on in ["", "+"] {
                let inject = format!("inject={call}:error={error}:when={failing}{from_then_on}");
                let (truth, ended_well) =
                    under_strace(&setting.exe, &inject).map_err(|e| format!("{inject}: {e}"))?;
                acknowledged += truth.len();
                stopped += u64::from(!ended_well);
                runs += 1;
            }
        }
        said.push(format!("{call} {error}: stopped {stopped} times"));
    }
    Ok(Outcome::Passed(format!(
        "{} of {runs} runs, {acknowledged} acknowledged commits all there",
        said.join(", ")
    )))
}

/// One run of the writer with a failing call, on a directory that exists; then without, and compared.
fn under_strace(exe: &Path, inject: &str) -> Result<(Truth, bool), String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut truth = Truth::default();
    let mut before = Running::start(writer(exe, dir.path(), 0, 3))?;
    let (others, status) = before.rest(&mut truth)?;
    if !status.success() {
        return Err(format!("without a fault the writer says {others:?}"));
    }
    let plain = writer(exe, dir.path(), 1, COMMITS);
    let call = inject.trim_start_matches("inject=").split(':').next();
    let mut command = Command::new("strace");
    command
        .args(["-D", "-f", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={}", call.unwrap_or_default())])
        .args(["-e", inject])
        .arg(plain.get_program())
        .args(plain.get_args());
    let mut running = Running::start(command)?;
    let (others, status) = running.rest(&mut truth)?;
    drop(running);
    // Whoever says nothing was refused nothing: an end without a word is a crash.
    let refused = others.iter().any(|line| line.starts_with("refused"));
    if !status.success() && !refused {
        return Err(format!("the writer died ({status}) and said {others:?}"));
    }
    truth.check_directory(dir.path())?;
    Ok((truth, status.success()))
}
