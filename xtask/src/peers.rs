//! `cargo xtask peers`: the log beside a raw file, PostgreSQL and UmaDB, in one run on one machine.
//!
//! Every system syncs to disk before it answers: the log and the raw file with `fdatasync`, PostgreSQL with
//! `synchronous_commit = on`, UmaDB by its own design. Clients and servers share the machine's cores.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{prepare, succeeds};

/// Clients, events per commit, events per round of the log, events per round of the servers.
const SHAPES: [(u64, u64, u64, u64); 3] = [
    (1, 1, 20_000, 10_000),
    (64, 1, 200_000, 60_000),
    (8, 1_000, 2_000_000, 1_000_000),
];
const ROUNDS: u32 = 3;
/// How often, and how long apart, a server that starts is asked whether it listens.
const TRIES: u32 = 300;
const APART: Duration = Duration::from_millis(100);

/// Measures and prints one JSON object.
pub fn run(root: &Path) -> Result<(), String> {
    let indelible = build(
        root,
        &root.join("Cargo.toml"),
        "indelible",
        Some("indelible-api"),
    )?;
    let mut places = vec![];
    let mut left_out = vec![];
    let scratch = Scratch::new()?;
    let postgres = Postgres::start(&scratch.0);
    match &postgres {
        Ok(server) => places.push(format!(
            "postgres=host=127.0.0.1 port={} user=postgres dbname=postgres",
            server.port
        )),
        Err(why) => left_out.push(json!({ "peer": "PostgreSQL", "why": why })),
    }
    let umadb = Umadb::start(&scratch.0);
    match &umadb {
        Ok(server) => places.push(format!("umadb=http://127.0.0.1:{}", server.port)),
        Err(why) => left_out.push(json!({ "peer": "UmaDB", "why": why })),
    }
    let peers = match places.is_empty() {
        true => None,
        false => {
            if !succeeds("protoc", &["--version"]) && !prepare::install_package("protobuf-compiler")
            {
                return Err(
                    "cannot install protobuf-compiler, which UmaDB's client is built with".into(),
                );
            }
            let manifest = root.join("xtask/peers/Cargo.toml");
            Some(build(root, &manifest, "indelible-peers", None)?)
        }
    };
    let mut shapes = vec![];
    for (clients, batch, events, peer_events) in SHAPES {
        shapes.push(shape(
            &indelible,
            peers.as_deref(),
            &places,
            [clients, batch, events, peer_events],
        )?);
    }
    println!(
        "{:#}",
        json!({ "bench": "peers", "rounds": ROUNDS, "shapes": shapes, "left_out": left_out })
    );
    Ok(())
}

fn shape(
    indelible: &Path,
    peers: Option<&Path>,
    places: &[String],
    [clients, batch, events, peer_events]: [u64; 4],
) -> Result<Value, String> {
    let [clients, batch, events, peer_events] =
        [clients, batch, events, peer_events].map(|n| n.to_string());
    let rounds = ROUNDS.to_string();
    let mut bench = Command::new(indelible);
    bench.args(["bench", "append", "--clients", &clients, "--batch", &batch]);
    bench.args(["--events", &events, "--rounds", &rounds]);
    let own = printed(&mut bench)?;
    let mut answer = own["shapes"][0].clone();
    let rate = answer["events_per_second"].as_u64().unwrap_or(0);
    if let Some(peers) = peers {
        let mut load = Command::new(peers);
        load.args([&clients, &batch, &peer_events, &rounds])
            .args(places);
        if let Value::Object(others) = printed(&mut load)? {
            for (name, mut other) in others {
                let theirs = other["events_per_second"].as_u64().unwrap_or(0).max(1);
                other["indelible_percent_of_it"] = json!(rate * 100 / theirs);
                answer[name] = other;
            }
        }
    }
    Ok(answer)
}

fn printed(command: &mut Command) -> Result<Value, String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot start {command:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{command:?} failed"));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("{command:?} printed no JSON: {e}"))
}

/// Builds a program optimised and says where it lies.
fn build(
    root: &Path,
    manifest: &Path,
    program: &str,
    package: Option<&str>,
) -> Result<PathBuf, String> {
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(root)
        .args([
            "build",
            "--release",
            "--message-format=json",
            "--manifest-path",
        ])
        .arg(manifest);
    if let Some(package) = package {
        cargo.args(["--package", package]);
    }
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot start cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!("cannot build {program}"));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == program)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| format!("cargo built no program {program}"))
}

/// A directory that is gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, String> {
        let dir = std::env::temp_dir().join(format!("indelible-peers-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|e| format!("cannot make {}: {e}", dir.display()))?;
        Ok(Scratch(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left-over files of a bench harm nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A PostgreSQL of its own, with the settings it ships with.
struct Postgres {
    server: Child,
    port: u16,
    /// Ends the server: root runs it through another program, which keeps signals to itself.
    stop: Command,
}

impl Postgres {
    fn start(scratch: &Path) -> Result<Postgres, String> {
        let programs = match postgres_programs() {
            Some(programs) => programs,
            None => {
                prepare::install_package("postgresql");
                postgres_programs().ok_or("PostgreSQL is not there and cannot be installed")?
            }
        };
        let data = scratch.join("postgres");
        fs::create_dir_all(&data).map_err(|e| e.to_string())?;
        // It refuses to run as root, so root hands the directory to the user that the package made.
        let as_root = fs::metadata("/proc/self").is_ok_and(|m| is_root(&m));
        let run = |program: &str, arguments: &[&str]| {
            let program = programs.join(program);
            let mut command = match as_root {
                true => {
                    let mut command = Command::new("runuser");
                    command.args(["-u", "postgres", "--"]).arg(program);
                    command
                }
                false => Command::new(program),
            };
            command.args(arguments).current_dir(scratch);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        if as_root && !succeeds("chown", &["postgres", &data.display().to_string()]) {
            return Err("cannot hand a directory to the user postgres".into());
        }
        let data = data.display().to_string();
        let made = run("initdb", &["-D", &data, "-A", "trust", "-U", "postgres"])
            .status()
            .is_ok_and(|s| s.success());
        if !made {
            return Err("initdb failed".into());
        }
        let port = free_port().map_err(|e| e.to_string())?;
        let number = port.to_string();
        let server = run(
            "postgres",
            &[
                "-D",
                &data,
                "-p",
                &number,
                "-k",
                "/tmp",
                "-c",
                "max_connections=200",
            ],
        )
        .spawn()
        .map_err(|e| format!("cannot start postgres: {e}"))?;
        let mut stop = run("pg_ctl", &["stop", "-m", "fast", "-D", &data]);
        stop.env_remove("PGDATA");
        let mut started = Postgres { server, port, stop };
        let ready = programs.join("pg_isready").display().to_string();
        until(
            || succeeds(&ready, &["-h", "127.0.0.1", "-p", &number]),
            &mut started.server,
        )?;
        Ok(started)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if !self.stop.status().is_ok_and(|s| s.success()) {
            // It may be gone already.
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
    }
}

fn postgres_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(Result::ok)
        .map(|version| version.path().join("bin"))
        .find(|programs| programs.join("initdb").exists())
}

/// A UmaDB of its own; its Python package carries the server.
struct Umadb {
    server: Child,
    port: u16,
}

impl Umadb {
    fn start(scratch: &Path) -> Result<Umadb, String> {
        if !succeeds("umadb", &["--version"])
            && !succeeds(
                "python3",
                &["-m", "pip", "install", "--quiet", "umadb==0.7.8"],
            )
        {
            return Err("cannot install the Python package umadb".into());
        }
        let port = free_port().map_err(|e| e.to_string())?;
        let server = Command::new("umadb")
            .args(["--listen", &format!("127.0.0.1:{port}"), "--db-path"])
            .arg(scratch.join("umadb.db"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("cannot start umadb: {e}"))?;
        let mut started = Umadb { server, port };
        until(
            || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(),
            &mut started.server,
        )?;
        Ok(started)
    }
}

impl Drop for Umadb {
    fn drop(&mut self) {
        end(&mut self.server);
    }
}

fn until(ready: impl Fn() -> bool, server: &mut Child) -> Result<(), String> {
    for _ in 0..TRIES {
        if ready() {
            return Ok(());
        }
        if let Ok(Some(status)) = server.try_wait() {
            return Err(format!("the server ended: {status}"));
        }
        std::thread::sleep(APART);
    }
    Err("the server does not listen".into())
}

/// Asks a server to end, as an operator would.
fn end(server: &mut Child) {
    let asked = succeeds("kill", &["-INT", &server.id().to_string()]);
    if !asked {
        // It may be gone already.
        let _ = server.kill();
    }
    let _ = server.wait();
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(unix)]
fn is_root(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    meta.uid() == 0
}

#[cfg(not(unix))]
fn is_root(_: &fs::Metadata) -> bool {
    false
}
