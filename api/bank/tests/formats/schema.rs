//! The schemas themselves are not part of this source: `cargo xtask prepare` installs packages that carry them. Without
//! them the checks say NOT RUN.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Package and the folder in it that has schemas.
const CARRIERS: [(&str, &str); 3] = [
    ("sepaxml", "sepaxml/schemas"),
    ("camt053", "camt053/xsd"),
    ("pain001", "pain001/pain002/schemas"),
];

/// Checks a document against the official schema of its message.
///
/// Ok(false): the schema or the program that checks is not here.
pub fn valid(message: &str, document: &[u8]) -> Result<bool, String> {
    let Some(schema) = find(message) else {
        println!("NOT RUN: no schema of {message}; cargo xtask prepare installs it");
        return Ok(false);
    };
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let file = folder.path().join("document.xml");
    std::fs::write(&file, document).map_err(|e| e.to_string())?;
    let mut command = Command::new("xmllint");
    let command = command.args(["--noout", "--nonet", "--schema"]);
    let Ok(output) = command.arg(schema).arg(file).output() else {
        println!("NOT RUN: there is no xmllint; cargo xtask prepare installs it");
        return Ok(false);
    };
    match output.status.success() {
        true => Ok(true),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn find(message: &str) -> Option<PathBuf> {
    let environments = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()?
        .join("python");
    CARRIERS.iter().find_map(|(package, folder)| {
        let libraries = std::fs::read_dir(environments.join(package).join("lib")).ok()?;
        let mut libraries = libraries
            .filter_map(Result::ok)
            .map(|library| library.path());
        libraries.find_map(|library| {
            let schema = library
                .join("site-packages")
                .join(folder)
                .join(format!("{message}.xsd"));
            schema.is_file().then_some(schema)
        })
    })
}
