//! A mail server that does what it is told, good or bad; it writes down what it heard.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use indelible_channels::{Carrier, Undelivered};

use crate::{parcel, smtp};

/// What the server does where.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    Take,
    /// Answers a step with a line.
    Answer(Step, &'static str),
    /// Hangs up in the middle of the text.
    DropInText,
    /// Takes the whole text and hangs up without a word: nobody knows whether it was taken.
    DropBeforeAnswer,
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Hello,
    From,
    To,
    Data,
    Text,
}

/// Serves one connection; answers with what it heard.
fn serve(does: Does) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody comes");
        let mut write = stream.try_clone().expect("a second handle");
        let mut heard = Vec::new();
        let mut say = |line: &str| write.write_all(format!("{line}\r\n").as_bytes()).is_ok();
        let answer = |step: Step, usual: &'static str| match does {
            Does::Answer(at, line) if at == step => line,
            _ => usual,
        };
        say("220 mail.example ESMTP");
        let (mut in_text, mut lines) = (false, 0);
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            heard.push(line.clone());
            let go_on = if in_text {
                lines += 1;
                if does == Does::DropInText && lines > 5 {
                    return heard;
                }
                if line != "." {
                    continue;
                }
                if does == Does::DropBeforeAnswer {
                    return heard;
                }
                in_text = false;
                say(answer(Step::Text, "250 2.0.0 taken"))
            } else {
                match line.split(' ').next().unwrap_or_default() {
                    "EHLO" => say(answer(Step::Hello, "250 8BITMIME")),
                    "MAIL" => say(answer(Step::From, "250 ok")),
                    "RCPT" => say(answer(Step::To, "250 ok")),
                    "DATA" => {
                        let reply = answer(Step::Data, "354 go on");
                        in_text = reply.starts_with("354");
                        say(reply)
                    }
                    "QUIT" => {
                        say("221 bye");
                        return heard;
                    }
                    _ => say("250 ok"),
                }
            };
            if !go_on {
                break;
            }
        }
        heard
    });
    (port, serving)
}

fn carried(does: Does) -> (Result<String, Undelivered>, Vec<String>) {
    let (port, serving) = serve(does);
    let smtp = smtp(port);
    let answer = smtp.carry(&parcel());
    drop(smtp);
    (answer, serving.join().expect("the server ends"))
}

#[test]
fn a_message_that_is_taken_is_known_by_its_message_id() {
    let (answer, heard) = carried(Does::Take);
    let id = format!("<{}@acme.example>", parcel().identity());
    assert_eq!(answer, Ok(id.clone()));
    let has = |line: &str| assert!(heard.iter().any(|h| h == line), "{line} in {heard:#?}");
    has(&format!("Message-ID: {id}"));
    has("Auto-Submitted: auto-generated");
    has("Date: Sun, 15 Mar 2026 10:00:00 +0000");
}

#[test]
fn what_a_server_answers_decides_whether_it_is_tried_again() {
    // step, answer, kind and reason
    let cases = [
        (Step::Hello, "421 4.3.2 going down", "soft 421"),
        (
            Step::From,
            "451 4.7.1 greylisted zoe@example.org",
            "soft 451",
        ),
        (Step::From, "530 5.7.0 authentication required", "soft 530"),
        (Step::To, "450 4.2.1 mailbox busy", "soft 450"),
        (Step::To, "550 5.1.1 <zoe@example.org> unknown", "hard 550"),
        (Step::To, "552 5.2.2 zoe@example.org is full", "hard 552"),
        (Step::Data, "554 5.5.1 no valid recipients", "hard 554"),
        (Step::Text, "452 4.3.1 no room", "soft 452"),
        (Step::Text, "554 5.7.1 refused as spam", "hard 554"),
    ];
    for (step, said, expected) in cases {
        let (answer, _) = carried(Does::Answer(step, said));
        let failed = answer.expect_err("it is not taken");
        let (kind, code) = expected.split_once(' ').expect("two words");
        let told = format!("{:?}", failed.kind).to_lowercase();
        assert_eq!(told, kind, "{said}");
        assert_eq!(failed.reason, format!("the mail server answered {code}"));
    }
}

#[test]
fn a_connection_that_breaks_in_the_text_is_tried_again() {
    let (answer, _) = carried(Does::DropInText);
    assert_eq!(
        answer,
        Err(Undelivered::soft(
            "the connection to the mail server failed"
        ))
    );
}

#[test]
fn an_answer_that_is_lost_is_tried_again_under_the_same_message_id() {
    let (lost, first) = carried(Does::DropBeforeAnswer);
    assert!(lost.is_err(), "nobody said that it was taken");
    let (taken, second) = carried(Does::Take);
    assert!(taken.is_ok());
    let id = |heard: &[String]| {
        let found = heard.iter().find(|line| line.starts_with("Message-ID:"));
        found.expect("it was said").clone()
    };
    assert_eq!(id(&first), id(&second));
}

#[test]
fn nobody_listening_is_a_failure_for_now() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let failed = smtp(port).carry(&parcel()).expect_err("nobody is there");
    assert_eq!(
        failed,
        Undelivered::soft("the connection to the mail server failed")
    );
}

#[test]
fn an_address_that_is_none_is_a_failure_for_good() {
    let mut parcel = parcel();
    parcel.to.email = "zoe at example".into();
    let failed = smtp(9).carry(&parcel).expect_err("it is no address");
    assert_eq!(
        failed,
        Undelivered::hard("the address is not an e-mail address")
    );
}

#[test]
fn a_name_cannot_add_a_header_or_a_recipient() {
    let (port, serving) = serve(Does::Take);
    let smtp = smtp(port);
    let mut parcel = parcel();
    parcel.to.name = "Zoe\r\nBcc: all@example.org\r\n\r\nHello".into();
    parcel.text.subject = "Hello\r\nBcc: all@example.org".into();
    smtp.carry(&parcel).expect("it is taken");
    drop(smtp);
    let heard = serving.join().expect("the server ends");
    assert!(
        !heard.iter().any(|line| line.starts_with("Bcc")),
        "{heard:#?}"
    );
    let to: Vec<_> = heard.iter().filter(|l| l.starts_with("RCPT")).collect();
    assert_eq!(to, ["RCPT TO:<zoe@example.org>"]);
}
