//! What tests take from the Python index: servers that they talk to as they would to the real thing, and schemas.
//!
//! Each package lives in a virtual environment of its own under the target directory, so that nothing of the machine's
//! own Python changes and `cargo clean` removes it: `<target>/python/<package>/bin/<program>`. A test finds it from
//! `env!("CARGO_TARGET_TMPDIR")`, which is `<target>/tmp`, and says NOT RUN if it is not there.

use std::path::{Path, PathBuf};

use crate::prepare::install_package;
use crate::{say, succeeds};

/// A package of the Python index, at one version so that a test means the same everywhere.
struct Package {
    name: &'static str,
    version: &'static str,
    /// What uses it.
    used: &'static str,
    /// Only files of it are read: nothing that it needs to run is installed.
    files_only: bool,
}

const PACKAGES: [Package; 5] = [
    Package {
        name: "aiosmtpd",
        version: "1.4.6",
        used: "e-mail is sent to it",
        files_only: false,
    },
    Package {
        name: "localstripe",
        version: "1.15.10",
        used: "the Stripe adapter is tested against it",
        files_only: false,
    },
    Package {
        name: "sepaxml",
        version: "2.7.0",
        used: "files for banks are checked against the ISO 20022 schemas it carries",
        files_only: true,
    },
    Package {
        name: "camt053",
        version: "0.0.23",
        used: "samples of bank statements are checked against the ISO 20022 schemas it carries",
        files_only: true,
    },
    Package {
        name: "pain001",
        version: "0.0.74",
        used: "status reports of banks are checked against the ISO 20022 schemas it carries",
        files_only: true,
    },
];

/// Installs what is missing; what cannot be installed is said, and its tests say NOT RUN.
pub fn prepare() {
    for package in &PACKAGES {
        if let Err(sentence) = install(package) {
            say(&format!(
                "{sentence}; {}, which says NOT RUN until then",
                package.used
            ));
        }
    }
}

/// Installs a package into an environment of its own, unless that version is there already.
fn install(package: &Package) -> Result<(), String> {
    let Package {
        name,
        version,
        files_only,
        ..
    } = package;
    let home = environments()?.join(name);
    let stamp = home.join(format!("{version}.installed"));
    if stamp.exists() {
        return Ok(());
    }
    say(&format!("installing {name} {version} with pip"));
    // What an interrupted or older installation left behind.
    if home.exists() {
        std::fs::remove_dir_all(&home)
            .map_err(|error| format!("cannot empty {}: {error}", home.display()))?;
    }
    make_environment(&home)?;
    let python = home.join("bin/python");
    let wanted = format!("{name}=={version}");
    let mut arguments = vec!["-m", "pip", "install", "--quiet", wanted.as_str()];
    if *files_only {
        arguments.push("--no-deps");
    }
    if !succeeds(&python.to_string_lossy(), &arguments) {
        return Err(format!(
            "cannot install {wanted} with pip into {}",
            home.display()
        ));
    }
    std::fs::write(&stamp, "").map_err(|error| format!("cannot write {}: {error}", stamp.display()))
}

fn make_environment(home: &Path) -> Result<(), String> {
    let home = home.to_string_lossy();
    let arguments = ["-m", "venv", &home];
    // Debian ships the module apart from Python itself.
    if succeeds("python3", &arguments)
        || (cfg!(target_os = "linux")
            && install_package("python3-venv")
            && succeeds("python3", &arguments))
    {
        return Ok(());
    }
    Err("cannot make a Python environment; by hand: sudo apt-get install python3-venv".to_owned())
}

/// The folder of all environments: beside this program's own folder in the target directory.
fn environments() -> Result<PathBuf, String> {
    let program = std::env::current_exe()
        .map_err(|error| format!("cannot tell where the target directory is: {error}"))?;
    let target = program
        .ancestors()
        .nth(2)
        .ok_or("this program lies in no target directory")?;
    Ok(target.join("python"))
}
