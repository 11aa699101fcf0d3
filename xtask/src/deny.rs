//! Licences and known advisories of every dependency, checked without a network.
//!
//! What it is: each package in the lock file for this platform must have a licence expression that `deny.toml`
//! allows, and none may match an advisory of `xtask/advisories.toml` unless `deny.toml` ignores it with a reason.
//! What it is not: a search for new advisories. The snapshot is as old as its date; `cargo deny check`, where it is
//! installed, reads the same `deny.toml` against the current database.

use std::path::Path;
use std::process::Command;

use semver::{Version, VersionReq};
use serde::Deserialize;

#[derive(Deserialize)]
struct Policy {
    licenses: Licences,
    advisories: Accepted,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Accepted {
    ignore: Vec<Ignored>,
}

#[derive(Deserialize)]
struct Ignored {
    id: String,
    reason: String,
}

#[derive(Deserialize)]
struct Snapshot {
    taken: String,
    advisory: Vec<Advisory>,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    #[serde(rename = "crate")]
    package: String,
    affected: VersionReq,
    title: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Version,
    license: Option<String>,
    /// `None` for members of the workspace.
    source: Option<String>,
}

/// Checks the whole workspace and prints one line when all is well.
pub fn check(root: &Path) -> Result<(), String> {
    let policy: Policy = read(&root.join("deny.toml"))?;
    let snapshot: Snapshot = read(&root.join("xtask/advisories.toml"))?;
    let packages = packages(root)?;
    let findings = findings(&packages, &policy, &snapshot);
    for accepted in &policy.advisories.ignore {
        let used = snapshot.advisory.iter().any(|advisory| {
            advisory.id == accepted.id && packages.iter().any(|package| advisory.matches(package))
        });
        if !used {
            eprintln!(
                "xtask: deny.toml ignores {}, which no dependency needs any more",
                accepted.id
            );
        }
    }
    if findings.is_empty() {
        let Snapshot { taken, advisory } = &snapshot;
        eprintln!(
            "xtask: {} packages have allowed licences; none matches one of the {} listed advisories (of {taken}) without a reason",
            packages.len(),
            advisory.len(),
        );
        Ok(())
    } else {
        Err(format!(
            "licences and advisories:\n  {}",
            findings.join("\n  ")
        ))
    }
}

impl Advisory {
    fn matches(&self, package: &Package) -> bool {
        self.package == package.name && self.affected.matches(&package.version)
    }
}

fn findings(packages: &[Package], policy: &Policy, snapshot: &Snapshot) -> Vec<String> {
    let mut findings = Vec::new();
    for package in packages {
        let Package {
            name,
            version,
            license,
            ..
        } = package;
        match license {
            None => findings.push(format!("{name} {version} names no licence")),
            Some(expression) if !allowed(expression, &policy.licenses.allow) => {
                findings.push(format!(
                    "{name} {version}: the licence `{expression}` is not allowed in deny.toml"
                ));
            }
            Some(_) => {}
        }
        for advisory in snapshot
            .advisory
            .iter()
            .filter(|advisory| advisory.matches(package))
        {
            let reason = policy
                .advisories
                .ignore
                .iter()
                .find(|ignored| ignored.id == advisory.id);
            if reason.is_none_or(|ignored| ignored.reason.trim().is_empty()) {
                findings.push(format!(
                    "{name} {version}: {} ({}), and deny.toml gives no reason to accept it",
                    advisory.id, advisory.title
                ));
            }
        }
    }
    findings
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Every package of the lock file for this platform. What a first build has not brought yet is fetched.
fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let host = host()?;
    let metadata = metadata(root, &host).or_else(|_| {
        eprintln!("xtask: cargo fetch --locked --target {host}");
        let status = Command::new("cargo")
            .args(["fetch", "--locked", "--target", &host])
            .current_dir(root)
            .status()
            .map_err(|error| format!("cannot start cargo: {error}"))?;
        if status.success() {
            metadata(root, &host)
        } else {
            Err("the dependencies cannot be fetched".to_owned())
        }
    })?;
    let foreign = |package: &Package| package.source.is_some();
    Ok(metadata.packages.into_iter().filter(foreign).collect())
}

fn metadata(root: &Path, host: &str) -> Result<Metadata, String> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", host])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo metadata: {said}"));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

fn host() -> Result<String, String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(|error| format!("cannot start rustc: {error}"))?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .ok_or_else(|| "rustc -vV names no host".to_owned())
}

/// Whether an SPDX expression is satisfied by the allowed licences; `/` is the old way to write OR.
fn allowed(expression: &str, allow: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let verdict = any(&tokens, &mut at, allow);
    verdict && at == tokens.len()
}

fn any(tokens: &[&str], at: &mut usize, allow: &[String]) -> bool {
    let mut verdict = all(tokens, at, allow);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        verdict |= all(tokens, at, allow);
    }
    verdict
}

fn all(tokens: &[&str], at: &mut usize, allow: &[String]) -> bool {
    let mut verdict = one(tokens, at, allow);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        verdict &= one(tokens, at, allow);
    }
    verdict
}

fn one(tokens: &[&str], at: &mut usize, allow: &[String]) -> bool {
    let Some(token) = tokens.get(*at) else {
        return false;
    };
    *at += 1;
    if *token == "(" {
        let verdict = any(tokens, at, allow);
        let closed = tokens.get(*at) == Some(&")");
        *at += 1;
        return verdict && closed;
    }
    let mut licence = (*token).to_owned();
    if tokens.get(*at) == Some(&"WITH") {
        licence = format!("{licence} WITH {}", tokens.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    allow.contains(&licence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow() -> Vec<String> {
        ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn one_allowed_alternative_is_enough_and_every_part_of_a_conjunction_is_needed() {
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "(GPL-3.0 OR MIT) AND Zlib",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(allowed(good, &allow()), "{good}");
        }
        for bad in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "Apache-2.0",
            "(GPL-3.0 OR MIT",
            "",
            "Zlib AND (GPL-3.0)",
        ] {
            assert!(!allowed(bad, &allow()), "{bad}");
        }
    }

    #[test]
    fn an_advisory_needs_a_reason() {
        let package = |version: &str| Package {
            name: "lru".to_owned(),
            version: version.parse().unwrap(),
            license: Some("MIT".to_owned()),
            source: None,
        };
        let snapshot = Snapshot {
            taken: String::new(),
            advisory: vec![Advisory {
                id: "RUSTSEC-2026-0253".to_owned(),
                package: "lru".to_owned(),
                affected: ">=0.9.0, <=0.16.4".parse().unwrap(),
                title: "unsound".to_owned(),
            }],
        };
        let policy = |reason: &str| Policy {
            licenses: Licences { allow: allow() },
            advisories: Accepted {
                ignore: vec![Ignored {
                    id: "RUSTSEC-2026-0253".to_owned(),
                    reason: reason.to_owned(),
                }],
            },
        };
        assert_eq!(
            findings(&[package("0.16.4")], &policy(""), &snapshot).len(),
            1
        );
        assert_eq!(
            findings(
                &[package("0.16.4")],
                &policy("no key of ours panics"),
                &snapshot
            )
            .len(),
            0
        );
        assert_eq!(
            findings(&[package("0.17.0")], &policy(""), &snapshot).len(),
            0
        );
    }

    #[test]
    fn a_package_without_an_allowed_licence_is_found() {
        let package = Package {
            name: "x".to_owned(),
            version: Version::new(1, 0, 0),
            license: Some("AGPL-3.0".to_owned()),
            source: None,
        };
        let policy = Policy {
            licenses: Licences { allow: allow() },
            advisories: Accepted { ignore: vec![] },
        };
        let snapshot = Snapshot {
            taken: String::new(),
            advisory: vec![],
        };
        assert_eq!(findings(&[package], &policy, &snapshot).len(), 1);
    }
}
