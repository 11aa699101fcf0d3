//! Whole conversations with aiosmtpd, a mail server in Python (installed by `cargo xtask prepare`).

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use indelible_channels::smtp::{Security, Server, Smtp};
use indelible_channels::{Carrier, Undelivered};
use tempfile::TempDir;

use crate::{parcel, senders, smtp};

/// A server of one test, ended with it.
struct Postbox {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Drop for Postbox {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Postbox {
    fn taken(&self, n: u32) -> String {
        let path = self.folder.path().join(format!("{n}.eml"));
        std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("message {n} was not taken: {error}"))
    }
}

/// Starts a server, or says why the test is not run.
fn start(test: &str, folder: TempDir, more: &[&str]) -> Option<Postbox> {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../python/aiosmtpd/bin/python");
    if !python.exists() {
        println!("{test}: NOT RUN: aiosmtpd is not installed; run: cargo xtask prepare");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/carriers/server.py");
    let mut child = Command::new(python)
        .arg(script)
        .arg(folder.path())
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Python starts");
    let mut line = String::new();
    let out = child.stdout.take().expect("its output is ours");
    BufReader::new(out).read_line(&mut line).expect("it speaks");
    let port = line.trim().parse().expect("it says its port");
    Some(Postbox {
        child,
        folder,
        port,
    })
}

/// Base64 or quoted-printable, as a mail reader shows it, far enough for these tests.
fn shown(body: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = body.replace("=\n", "").into_bytes().into_iter();
    while let Some(byte) = rest.next() {
        if byte != b'=' {
            bytes.push(byte);
            continue;
        }
        let hex: Vec<u8> = rest.by_ref().take(2).collect();
        let hex = String::from_utf8(hex).expect("two digits");
        bytes.push(u8::from_str_radix(&hex, 16).expect("two digits"));
    }
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn a_message_arrives_word_for_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(postbox) = start("a_message_arrives_word_for_word", folder, &[]) else {
        return;
    };
    let id = smtp(postbox.port).carry(&parcel()).expect("it is taken");
    let text = postbox.taken(1).replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").expect("a head and a body");
    for line in [
        "X-From: billing@acme.example",
        "X-To: zoe@example.org",
        &format!("Message-ID: {id}"),
        "Auto-Submitted: auto-generated",
        "Content-Language: de",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
    ] {
        assert!(head.lines().any(|l| l == line), "{line} in\n{head}");
    }
    assert_eq!(shown(body).trim_end(), parcel().text.body.trim_end());
    // Once more, as after a crash: it can be told by its Message-ID.
    let again = smtp(postbox.port).carry(&parcel()).expect("it is taken");
    assert_eq!(again, id);
    assert!(postbox.taken(2).contains(&id));
}

/// A certificate for 127.0.0.1 and its key, made by OpenSSL; none where there is no OpenSSL.
fn certificate(folder: &Path) -> Option<(String, String)> {
    let path = |name: &str| folder.join(name).display().to_string();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "3650"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &key, "-out", &certificate])
        .stderr(Stdio::null())
        .status();
    made.is_ok_and(|status| status.success())
        .then_some((certificate, key))
}

#[test]
fn a_server_that_wants_encryption_and_a_password_gets_both_before_anything_is_said() {
    const TEST: &str =
        "a_server_that_wants_encryption_and_a_password_gets_both_before_anything_is_said";
    let folder = tempfile::tempdir().expect("a folder");
    let Some((certificate, key)) = certificate(folder.path()) else {
        println!("{TEST}: NOT RUN: there is no openssl to make a certificate with");
        return;
    };
    let pem = std::fs::read(&certificate).expect("it was made");
    let more = [certificate.as_str(), &key, "billing", "geheim"];
    let Some(postbox) = start(TEST, folder, &more) else {
        return;
    };
    let with = |security, password: &str, root: Option<&[u8]>| {
        let server = Server {
            host: "localhost".into(),
            port: postbox.port,
            security,
            credentials: Some(("billing".into(), password.into())),
            root: root.map(<[u8]>::to_vec),
            patience: Duration::from_secs(5),
        };
        Smtp::to(&server, senders())
            .expect("it can be set up")
            .carry(&parcel())
    };
    assert!(with(Security::StartTls, "geheim", Some(&pem)).is_ok());
    assert!(postbox.taken(1).contains("X-Encrypted: True"));
    assert_eq!(
        with(Security::StartTls, "falsch", Some(&pem)),
        Err(Undelivered::soft("the mail server answered 535"))
    );
    // Nobody vouches for its certificate.
    let unknown = with(Security::StartTls, "geheim", None).expect_err("it is not trusted");
    assert_eq!(format!("{:?}", unknown.kind), "Soft");
    assert!(!postbox.folder.path().join("2.eml").exists());
}
