//! What a bench took of the machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Bytes that the files below a directory occupy on disk (not their apparent length: sled's files have holes).
pub fn bytes_on_disk(path: &Path) -> u64 {
    let Ok(meta) = std::fs::symlink_metadata(path) else {
        return 0;
    };
    if !meta.is_dir() {
        return occupied(&meta);
    }
    let Ok(entries) = std::fs::read_dir(path) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| bytes_on_disk(&entry.path()))
        .sum()
}

#[cfg(unix)]
fn occupied(meta: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    meta.blocks() * 512
}

#[cfg(not(unix))]
fn occupied(meta: &std::fs::Metadata) -> u64 {
    meta.len()
}

/// Highest resident memory of this process so far, in kibibytes; none where the system does not tell.
pub fn peak_memory_kib() -> Option<u64> {
    status("VmHWM:")
}

/// Resident memory of this process, in kibibytes; none where the system does not tell.
pub fn resident_memory_kib() -> Option<u64> {
    status("VmRSS:")
}

/// A figure of proc(5)'s `status`, in kibibytes.
fn status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Ticks of the system's clock of processor time in a second, on Linux on all common machines.
const TICKS: u64 = 100;

/// Processor time, user's and system's, of each living thread of this process, by its number and with its name; empty where
/// the system does not tell.
pub fn cpu_by_thread() -> BTreeMap<u64, (String, Duration)> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return BTreeMap::new();
    };
    tasks
        .filter_map(|task| {
            let path = task.ok()?.path();
            let number = path.file_name()?.to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(path.join("stat")).ok()?;
            Some((number, read_stat(&stat)?))
        })
        .collect()
}

/// Processor time of this process, of threads that ended too.
pub fn cpu_of_process() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    read_stat(&stat).map_or(Duration::ZERO, |(_, cpu)| cpu)
}

/// Name and processor time (proc(5): fields 2, 14 and 15).
fn read_stat(stat: &str) -> Option<(String, Duration)> {
    let (name, rest) = stat.rsplit_once(')')?;
    let (_, name) = name.split_once('(')?;
    let ticks = |field: usize| rest.split_whitespace().nth(field - 3)?.parse::<u64>().ok();
    let all = ticks(14)? + ticks(15)?;
    let cpu = Duration::from_millis(all * 1_000 / TICKS);
    Some((name.to_string(), cpu))
}
