//! Power cuts: the writer works on a file system of its own, which is shut down under it at a random moment.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use super::kills::{Sums, until_a_random_moment, writer};
use super::mounts::{Kind, Mounted, in_namespace};
use super::process::Running;
use super::random::Random;
use super::syncs::strace;
use super::truth::Truth;
use super::{Outcome, Setting};

const RUNS_PER_DIRECTORY: u64 = 10;
/// A disk that lies about syncs must be found out within so many cuts, or the rig shows nothing.
const LYING_CUTS: u64 = 5;
const LYING_ACKNOWLEDGEMENTS: u64 = 20;

/// The drill, in a mount namespace.
pub fn drill(setting: &Setting) -> Result<Outcome, String> {
    let arguments = [
        "power".into(),
        setting.seed.to_string(),
        setting.cuts.to_string(),
    ];
    in_namespace(&setting.exe, &arguments, false)
}

/// The drill itself, where mounting is allowed.
pub fn cut(exe: &Path, seed: u64, cuts: u64) -> Result<Outcome, String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut said = Vec::new();
    let mut missing = Vec::new();
    for (kind, cuts) in [(Kind::Xfs, cuts - cuts / 2), (Kind::Ext4, cuts / 2)] {
        match Mounted::on_loop(kind, dir.path()) {
            Ok(disk) => {
                the_rig_loses_what_is_not_synced(&disk)?;
                said.push(cuts_on(&disk, kind, exe, seed, cuts)?);
                match strace() {
                    Ok(()) => said.push(a_lying_disk_is_found_out(&disk, exe)?),
                    Err(why) => missing.push(format!("disk that lies: {why}")),
                }
            }
            Err(why) => missing.push(format!("{}: {why}", kind.name())),
        }
    }
    let said = said.join("; ");
    Ok(match missing.as_slice() {
        [] => Outcome::Passed(said),
        _ if said.is_empty() => Outcome::NotRun(missing.join("; ")),
        _ => Outcome::NotRun(format!("{} (of the rest: {said})", missing.join("; "))),
    })
}

fn cuts_on(disk: &Mounted, kind: Kind, exe: &Path, seed: u64, cuts: u64) -> Result<String, String> {
    let mut random = Random::seeded(seed);
    let mut sums = Sums::default();
    let mut truth = Truth::default();
    for run in 0..cuts {
        let data = disk.path().join((run / RUNS_PER_DIRECTORY).to_string());
        let compared = one_cut(disk, &data, exe, run, &mut random, &mut truth)
            .map_err(|e| format!("power cut {run} on {}: {e}", kind.name()))?;
        sums.add(compared);
        if run % RUNS_PER_DIRECTORY == RUNS_PER_DIRECTORY - 1 || run + 1 == cuts {
            sums.close(&truth, compared, &data)
                .map_err(|e| e.to_string())?;
            truth = Truth::default();
        }
    }
    Ok(format!(
        "{}: {cuts} cuts, {} acknowledged commits all there, {} more were under way and are whole, {} volumes",
        kind.name(),
        sums.acknowledged,
        sums.unanswered,
        sums.volumes
    ))
}

fn one_cut(
    disk: &Mounted,
    data: &Path,
    exe: &Path,
    run: u64,
    random: &mut Random,
    truth: &mut Truth,
) -> Result<super::truth::Compared, String> {
    let mut running = Running::start(writer(exe, data, run, u64::MAX))?;
    until_a_random_moment(&mut running, run, random, truth)?;
    disk.cut()?;
    running.kill();
    running.rest(truth)?;
    drop(running);
    disk.power_on()?;
    truth.check_directory(data)
}

/// The rig is right: a synced file is there after a cut, and a file that was only written is not.
fn the_rig_loses_what_is_not_synced(disk: &Mounted) -> Result<(), String> {
    let synced = disk.path().join("synced");
    let written = disk.path().join("written");
    let prepared = (|| {
        let mut file = File::create(&synced)?;
        file.write_all(b"synced")?;
        file.sync_all()?;
        File::open(disk.path())?.sync_all()?;
        File::create(&written)?.write_all(b"only written")
    })();
    prepared.map_err(|e: std::io::Error| e.to_string())?;
    disk.cut()?;
    disk.power_on()?;
    if fs::read(&synced).ok().as_deref() != Some(b"synced") {
        return Err("the rig loses what was synced".into());
    }
    if written.exists() {
        return Err("the rig keeps what was not synced: it cuts no power".into());
    }
    Ok(())
}

/// The drill can fail: with every sync answered "done" and not done, the same cut loses acknowledged commits, and the
/// same comparison finds it.
fn a_lying_disk_is_found_out(disk: &Mounted, exe: &Path) -> Result<String, String> {
    for run in 0..LYING_CUTS {
        let data = disk.path().join(format!("lied-to-{run}"));
        let mut truth = Truth::default();
        let mut command = Command::new("strace");
        let plain = writer(exe, &data, run, u64::MAX);
        command
            .args(["-D", "-f", "-qq", "-o", "/dev/null"])
            .args(["-e", "trace=fdatasync,fsync"])
            .args(["-e", "inject=fdatasync,fsync:retval=0"])
            .arg(plain.get_program())
            .args(plain.get_args());
        let mut running = Running::start(command)?;
        running.acknowledgements(LYING_ACKNOWLEDGEMENTS, &mut truth)?;
        disk.cut()?;
        running.kill();
        running.rest(&mut truth)?;
        drop(running);
        disk.power_on()?;
        if let Err(why) = truth.check_directory(&data) {
            return Ok(format!(
                "with its syncs taken away the same rig finds: {why}"
            ));
        }
    }
    Err(format!(
        "{LYING_CUTS} cuts with no real sync lost nothing: this rig shows nothing"
    ))
}
