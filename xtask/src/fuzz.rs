//! The fuzz targets of `tests/fuzz`, built with the stable compiler and run for so many seconds each.

use std::path::Path;
use std::process::Command;

use crate::say;

const TARGETS: [(&str, &str); 3] = [
    ("expression", "expressions.txt"),
    ("catalog", "offers.toml"),
    ("usage", "usage.csv"),
];
/// Seconds of each target where nobody says otherwise.
const SECONDS: u64 = 60;
/// Longest text that is made, in bytes.
const LENGTH: u32 = 8_192;
/// libFuzzer reads coverage from counters that LLVM puts at every edge; the stable compiler hands these options on.
const FLAGS: [&str; 8] = [
    "--cfg fuzzing",
    "-Ccodegen-units=1",
    "-Coverflow-checks",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Builds the three targets and runs one after the other. An error if one found something; what it was stays in
/// `tests/fuzz/artifacts`.
pub fn fuzz(root: &Path, seconds: Option<&str>) -> Result<(), String> {
    let seconds = match seconds {
        None => SECONDS,
        Some(text) => text
            .parse()
            .map_err(|_| format!("{text:?} is not a number of seconds"))?,
    };
    let host = host()?;
    let folder = root.join("tests/fuzz");
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or(folder.join("target"), |dir| Path::new(&dir).join("fuzz"));
    say("cargo build --release --bins (tests/fuzz, with coverage)");
    let built = Command::new("cargo")
        .args(["build", "--release", "--bins", "--target", &host])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", FLAGS.join(" "))
        .status()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !built.success() {
        return Err("the fuzz targets were not built".to_owned());
    }
    let mut found = Vec::new();
    for (name, seed) in TARGETS {
        let corpus = folder.join("corpus").join(name);
        let artifacts = folder.join("artifacts").join(name);
        for dir in [&corpus, &artifacts] {
            std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        }
        plant(name, &folder.join("seeds").join(seed), &corpus)?;
        say(&format!("{name} for {seconds} seconds"));
        let ran = Command::new(target.join(&host).join("release").join(name))
            .args([
                format!("-max_len={LENGTH}"),
                "-timeout=5".to_owned(),
                format!("-max_total_time={seconds}"),
                "-print_final_stats=1".to_owned(),
                format!("-artifact_prefix={}/", artifacts.display()),
            ])
            .arg(&corpus)
            .status()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        if !ran.success() {
            found.push(name);
        }
    }
    match found.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "found something: {}; its text is in tests/fuzz/artifacts",
            found.join(", ")
        )),
    }
}

/// Texts to begin from: of expressions each line, of the others the file, and of usage once for each format.
fn plant(name: &str, seed: &Path, corpus: &Path) -> Result<(), String> {
    let bytes = std::fs::read(seed).map_err(|error| format!("{}: {error}", seed.display()))?;
    let texts: Vec<Vec<u8>> = match name {
        "expression" => bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect(),
        "usage" => (0..4)
            .map(|format| [&[format], bytes.as_slice()].concat())
            .collect(),
        _ => vec![bytes],
    };
    for (n, text) in texts.iter().filter(|t| !t.is_empty()).enumerate() {
        let path = corpus.join(format!("seed-{n}"));
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// The triple of this machine: named, it keeps the flags from build scripts and macros.
fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.map_err(|error| format!("cannot start rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned)
        .ok_or_else(|| "rustc does not name its host".to_owned())
}
