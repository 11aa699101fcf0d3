//! Small file systems of our own, in a mount namespace of our own: when its last process ends, however it ends, the
//! kernel unmounts what is left and frees the loop devices.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use super::Outcome;

/// Exit code of a drill that this machine cannot run.
pub const NOT_RUN: u8 = 77;
/// Sparse, so it takes only what is written.
const LOOP_BYTES: u64 = 1 << 30;
const BUSY_TRIES: u32 = 200;
const BUSY_WAIT: Duration = Duration::from_millis(10);

/// Runs a drill of our own binary in a mount namespace. `alone`: a user namespace will do, which needs no root but can
/// mount no device.
pub fn in_namespace(exe: &Path, arguments: &[String], alone: bool) -> Result<Outcome, String> {
    if !cfg!(target_os = "linux") {
        return Ok(Outcome::NotRun("mount namespaces are of Linux".into()));
    }
    let ways: [&[&str]; 2] = [
        &["--mount", "--propagation", "private"],
        &["--user", "--map-root-user", "--mount"],
    ];
    let mut why = String::new();
    for way in ways.iter().take(if alone { 2 } else { 1 }) {
        match run("unshare", way.iter().copied().chain(["true"])) {
            Ok(_) => {
                let mut command = Command::new("unshare");
                command.args(*way).arg(exe).args(arguments);
                let output = command.output().map_err(|e| e.to_string())?;
                return outcome(&output);
            }
            Err(e) => why = e,
        }
    }
    Ok(Outcome::NotRun(format!("no mount namespace: {why}")))
}

/// What a drill in a process of its own said last, by its exit code.
fn outcome(output: &Output) -> Result<Outcome, String> {
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().last().unwrap_or_default().to_string();
    match output.status.code() {
        Some(0) => Ok(Outcome::Passed(last)),
        Some(code) if code == i32::from(NOT_RUN) => Ok(Outcome::NotRun(last)),
        _ => Err(format!(
            "{last} ({}) {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// Which file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Xfs,
    Ext4,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Xfs => "XFS",
            Kind::Ext4 => "ext4",
        }
    }
}

/// A mounted file system that goes when this value does.
pub struct Mounted {
    at: PathBuf,
    image: Option<PathBuf>,
}

impl Mounted {
    /// Makes a file system of 1 GiB in a sparse file and mounts it. The error is why this machine cannot.
    pub fn on_loop(kind: Kind, dir: &Path) -> Result<Mounted, String> {
        if !Path::new("/dev/loop-control").exists() {
            return Err("no loop device".into());
        }
        let image = dir.join(format!("{}.img", kind.name()));
        let at = dir.join(kind.name());
        fs::create_dir_all(&at).map_err(|e| e.to_string())?;
        let file = fs::File::create(&image).map_err(|e| e.to_string())?;
        file.set_len(LOOP_BYTES).map_err(|e| e.to_string())?;
        let make: &[&str] = match kind {
            Kind::Xfs => &["mkfs.xfs", "-q", "-f"],
            Kind::Ext4 => &["mkfs.ext4", "-q", "-F", "-m", "0"],
        };
        let image_text = image.to_string_lossy().into_owned();
        run(make[0], make[1..].iter().copied().chain([&*image_text]))?;
        let mounted = Mounted {
            at,
            image: Some(image),
        };
        mounted.mount()?;
        Ok(mounted)
    }

    /// Mounts a file system in memory of a size. The error is why this machine cannot.
    pub fn in_memory(at: PathBuf, mebibytes: u64) -> Result<Mounted, String> {
        fs::create_dir_all(&at).map_err(|e| e.to_string())?;
        let size = format!("size={mebibytes}m");
        let target = at.to_string_lossy().into_owned();
        run("mount", ["-t", "tmpfs", "-o", &size, "tmpfs", &target])?;
        Ok(Mounted { at, image: None })
    }

    pub fn path(&self) -> &Path {
        &self.at
    }

    fn mount(&self) -> Result<(), String> {
        let image = self.image.as_deref().unwrap_or(Path::new("tmpfs"));
        run(
            "mount",
            [
                "-o",
                "loop",
                &image.to_string_lossy(),
                &self.at.to_string_lossy(),
            ],
        )
    }

    /// Cuts the power: what was not synced is gone, and every write from now on fails (XFS_IOC_GOINGDOWN without a
    /// flush of the log; ext4 answers the same call).
    pub fn cut(&self) -> Result<(), String> {
        run(
            "xfs_io",
            ["-x", "-c", "shutdown", &self.at.to_string_lossy()],
        )
    }

    /// The machine is on again: the file system replays its journal. Nobody may have a file open.
    pub fn power_on(&self) -> Result<(), String> {
        self.unmount()?;
        self.mount()
    }

    fn unmount(&self) -> Result<(), String> {
        let mut tries = 0;
        loop {
            match run("umount", [&*self.at.to_string_lossy()]) {
                // A killed process lets go of its files a moment after it is reaped.
                Err(e) if tries < BUSY_TRIES && e.contains("busy") => {
                    tries += 1;
                    std::thread::sleep(BUSY_WAIT);
                }
                other => return other,
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.unmount().is_err() {
            let _ = run("umount", ["-l", &self.at.to_string_lossy()]);
        }
        if let Some(image) = &self.image {
            let _ = fs::remove_file(image);
        }
    }
}

/// Runs a program; the error is what it said.
pub fn run<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|e| format!("{program} does not start: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program}: {}", said.trim().replace('\n', "; ")))
}
