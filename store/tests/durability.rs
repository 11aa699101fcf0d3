//! An acknowledged commit is on the disk: seen from outside the process, by its system calls and by killing it.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use common::append_example;
use indelible_store::{EventStore, SledStore};

/// The engine's own flush is no fsync on Linux, so without our sync this test counts none.
#[test]
#[cfg(target_os = "linux")]
fn each_acknowledgement_comes_after_a_real_sync_of_the_database() {
    const COMMITS: usize = 20;
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let traced = Command::new("strace")
        .args(["-f", "-y", "-e", "trace=fdatasync,write", "-s", "16", "-o"])
        .arg(&trace)
        .arg(append_example())
        .arg("acks")
        .arg(dir.path().join("data"))
        .arg(COMMITS.to_string())
        .output();
    let traced = match traced {
        Ok(output) => output,
        Err(e) => {
            not_run(&format!("strace does not start: {e}"));
            return;
        }
    };
    let said = String::from_utf8_lossy(&traced.stderr);
    if said.contains("ptrace") || said.contains("PTRACE") {
        not_run(&format!("ptrace is not permitted: {said}"));
        return;
    }
    assert!(traced.status.success(), "{said}");
    let acks = String::from_utf8(traced.stdout).unwrap().lines().count();
    assert_eq!(acks, COMMITS);

    // Walk the calls: every `acked` that leaves the process must have a finished sync of its own before it.
    let mut syncs = 0;
    let mut acked = 0;
    let mut syncing = Vec::new();
    for line in fs::read_to_string(&trace).unwrap().lines() {
        let thread = line.split_whitespace().next().unwrap_or_default();
        if line.contains("fdatasync(") && line.contains("/log/00000000000000000001/db>") {
            if line.contains("= 0") {
                syncs += 1;
            } else {
                assert!(line.contains("unfinished"), "a sync failed: {line}");
                syncing.push(thread.to_string());
            }
        } else if line.contains("<... fdatasync resumed>") {
            let begun = syncing.iter().position(|t| t == thread);
            if let Some(begun) = begun {
                assert!(line.contains("= 0"), "a sync failed: {line}");
                syncing.remove(begun);
                syncs += 1;
            }
        } else if line.contains("\"acked ") {
            acked += 1;
            assert!(syncs >= acked, "ack {acked} after {syncs} syncs: {line}");
        }
    }
    assert_eq!(acked, COMMITS);
    assert!(syncs >= COMMITS, "{syncs} syncs for {COMMITS} groups");
}

#[test]
#[cfg(unix)]
fn a_killed_process_has_lost_nothing_that_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let append = append_example();
    let mut last_acked = 0;
    // Kill after so many answers; the next commit is then somewhere between queue and disk.
    for kills_after in [1, 2, 7, 30, 90] {
        let mut child = Command::new(&append)
            .args(["acks".as_ref(), data.as_os_str(), "1000000".as_ref()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..kills_after {
            last_acked = position(&lines.next().expect("it runs until it is killed").unwrap());
        }
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it was killed");
        // What it printed before it died counts too; its last line may be cut.
        for line in lines
            .map_while(Result::ok)
            .filter(|l| l.starts_with("acked "))
        {
            last_acked = last_acked.max(position(&line));
        }
        let store = SledStore::open(&data).unwrap();
        store.verify(&mut |_, _| {}).unwrap();
        let head = store.head();
        assert!(
            head == last_acked || head == last_acked + 1,
            "head {head}, last acknowledged {last_acked}: one commit was under way"
        );
        assert_eq!(store.read(0, usize::MAX).unwrap().len() as u64, head);
    }
}

/// Straight to the terminal, because the test runner shows what a passing test prints to nobody.
fn not_run(why: &str) {
    let _ = writeln!(
        std::io::stderr(),
        "NOT RUN: each_acknowledgement_comes_after_a_real_sync_of_the_database: {why}"
    );
}

fn position(line: &str) -> u64 {
    let position = line.strip_prefix("acked ").expect("an acknowledgement");
    position.parse().expect("a position")
}
