//! The schemas themselves are not part of this source: `cargo xtask test` fetches the packages that carry them and names their
//! folders. Without them the checks say NOT RUN.

use std::path::PathBuf;
use std::process::Command;

/// Folders with XML schemas, separated like a search path.
const VARIABLE: &str = "INDELIBLE_BANK_SCHEMAS";

/// Checks a document against the official schema of its message.
///
/// Ok(false): the schema or the program that checks is not here.
pub fn valid(message: &str, document: &[u8]) -> Result<bool, String> {
    let Some(schema) = find(message) else {
        println!(
            "NOT RUN: no schema of {message}; cargo xtask test fetches it and sets {VARIABLE}"
        );
        return Ok(false);
    };
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let file = folder.path().join("document.xml");
    std::fs::write(&file, document).map_err(|e| e.to_string())?;
    let mut command = Command::new("xmllint");
    let command = command
        .args(["--noout", "--nonet", "--schema"])
        .arg(schema)
        .arg(file);
    let Ok(output) = command.output() else {
        println!("NOT RUN: there is no xmllint; cargo xtask test installs it");
        return Ok(false);
    };
    match output.status.success() {
        true => Ok(true),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn find(message: &str) -> Option<PathBuf> {
    let folders = std::env::var_os(VARIABLE)?;
    let name = format!("{message}.xsd");
    std::env::split_paths(&folders)
        .map(|folder| folder.join(&name))
        .find(|path| path.is_file())
}
