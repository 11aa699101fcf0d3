//! What the tests need beyond Rust itself: installed where that is allowed, otherwise said how to.

use crate::{python, say, succeeds};

/// A program, the package that brings it, and what stays undone without it.
struct Needed {
    program: &'static str,
    probe: &'static [&'static str],
    package: &'static str,
    /// What uses it.
    used: &'static str,
    /// Without it the tests say NOT RUN instead of failing.
    may_lack: bool,
}

const NEEDED: [Needed; 4] = [
    Needed {
        program: "strace",
        probe: &["--version"],
        package: "strace",
        used: "the durability tests count and fail system calls with it",
        may_lack: false,
    },
    Needed {
        program: "mkfs.xfs",
        probe: &["-V"],
        package: "xfsprogs",
        used: "the power cuts happen on file systems made with it",
        may_lack: true,
    },
    Needed {
        program: "mkfs.ext4",
        probe: &["-V"],
        package: "e2fsprogs",
        used: "the power cuts happen on file systems made with it",
        may_lack: true,
    },
    Needed {
        program: "xmllint",
        probe: &["--version"],
        package: "libxml2-utils",
        used: "bank files are checked against the ISO 20022 schemas with it",
        may_lack: true,
    },
];

/// Installs what is missing, or says how to.
pub fn prepare() -> Result<(), String> {
    for (component, probe) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !succeeds("cargo", &[probe, "--version"]) {
            say(&format!(
                "the Rust component {component} is missing: installing it with rustup"
            ));
            if !succeeds("rustup", &["component", "add", component]) {
                return Err(format!(
                    "cannot install {component}; by hand: rustup component add {component}"
                ));
            }
        }
    }
    python::prepare();
    if !cfg!(target_os = "linux") {
        say(
            "strace, loop devices and mount namespaces exist on Linux only: the tests that need them say NOT RUN",
        );
        return Ok(());
    }
    NEEDED.iter().try_for_each(install)
}

fn install(needed: &Needed) -> Result<(), String> {
    let Needed {
        program,
        package,
        used,
        ..
    } = needed;
    if succeeds(program, needed.probe) {
        return Ok(());
    }
    say(&format!(
        "{program} is missing, {used}: installing {package} with apt-get"
    ));
    if install_package(package) {
        return Ok(());
    }
    let sentence = format!(
        "cannot install {package} (it needs root); by hand: sudo apt-get install {package} (Debian, Ubuntu) or sudo dnf install {package} (Fedora)"
    );
    if needed.may_lack {
        say(&format!(
            "{sentence}; until then what needs it says NOT RUN"
        ));
        return Ok(());
    }
    Err(sentence)
}

/// Asks the system's package manager; false where it cannot.
pub fn install_package(package: &str) -> bool {
    let install = ["install", "--yes", "--no-install-recommends", package];
    succeeds("apt-get", &install)
        || (succeeds("apt-get", &["update"]) && succeeds("apt-get", &install))
}
