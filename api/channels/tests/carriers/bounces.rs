//! Delivery status notifications as mail systems write them, and what is none.

use indelible_channels::bounce::{self, BYTES_MAX, BounceError, Returned};

const REPORT: &str = "Return-Path: <>\r\n\
From: MAILER-DAEMON@mail.example (Mail Delivery System)\r\n\
Subject: Undelivered Mail Returned to Sender\r\n\
Auto-Submitted: auto-replied\r\n\
MIME-Version: 1.0\r\n\
Content-Type: multipart/report; report-type=delivery-status;\r\n\
\tboundary=\"A1B2/mail.example\"\r\n\
\r\n\
This is a MIME-encapsulated message.\r\n\
\r\n\
--A1B2/mail.example\r\n\
Content-Description: Notification\r\n\
Content-Type: text/plain; charset=us-ascii\r\n\
\r\n\
Action: failed, says a sentence that nobody should believe.\r\n\
\r\n\
--A1B2/mail.example\r\n\
Content-Type: message/delivery-status\r\n\
\r\n\
Reporting-MTA: dns; mail.example\r\n\
Arrival-Date: Mon, 2 Mar 2026 08:00:00 +0000\r\n\
\r\n\
Final-Recipient: rfc822; Alice@Example.org\r\n\
Original-Recipient: rfc822;alice@example.org\r\n\
Action: failed\r\n\
Status: 5.1.1\r\n\
Remote-MTA: dns; mx.example.org\r\n\
Diagnostic-Code: smtp; 550 5.1.1 <alice@example.org>: Recipient address\r\n\
\x20 rejected: User unknown\r\n\
\r\n\
--A1B2/mail.example\r\n\
Content-Description: Undelivered Message Headers\r\n\
Content-Type: text/rfc822-headers\r\n\
\r\n\
From: Acme <billing@acme.example>\r\n\
Subject: Reminder\r\n\
Message-ID:\r\n\
\x20<00ff@acme.example>\r\n\
\r\n\
--A1B2/mail.example--\r\n";

fn read(text: &str) -> Result<Returned, BounceError> {
    bounce::read(text.as_bytes())
}

#[test]
fn a_notification_says_which_message_came_back_from_whom_and_why() {
    let expected = Returned {
        reference: "<00ff@acme.example>".to_owned(),
        addresses: vec![
            "alice@example.org".to_owned(),
            "alice@example.org".to_owned(),
        ],
        status: "5.1.1".to_owned(),
    };
    assert_eq!(read(REPORT), Ok(expected.clone()));
    assert_eq!(read(&REPORT.replace("\r\n", "\n")), Ok(expected.clone()));
    let whole = REPORT.replace("text/rfc822-headers", "message/rfc822");
    assert_eq!(read(&whole), Ok(expected.clone()));
    let bare = REPORT.replace("\"A1B2/mail.example\"", "A1B2/mail.example");
    assert_eq!(read(&bare), Ok(expected.clone()));
    let wrapped = format!(
        "Content-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\n{REPORT}\r\n--out--\r\n"
    );
    assert_eq!(read(&wrapped), Ok(expected));
}

#[test]
fn what_is_only_late_or_of_somebody_else_is_not_a_failure() {
    for action in ["delayed", "delivered", "relayed", "expanded", ""] {
        let other = REPORT.replace(
            "Action: failed\r\nStatus",
            &format!("Action: {action}\r\nStatus"),
        );
        assert_eq!(read(&other), Err(BounceError::NothingFailed), "{action}");
    }
    let second = REPORT.replace(
        "Final-Recipient: rfc822; Alice@Example.org",
        "Final-Recipient: rfc822; bob@example.org\r\nAction: relayed\r\nStatus: 2.0.0\r\n\r\nFinal-Recipient: rfc822; Alice@Example.org",
    );
    assert_eq!(read(&second).map(|r| r.status), Ok("5.1.1".to_owned()));
}

#[test]
fn what_is_no_notification_or_names_no_message_is_refused() {
    for (text, error) in [
        (String::new(), BounceError::NotANotification),
        (
            "Subject: hello\r\n\r\nAction: failed\r\n".to_owned(),
            BounceError::NotANotification,
        ),
        (
            REPORT.replace("message/delivery-status", "text/plain"),
            BounceError::NotANotification,
        ),
        (
            REPORT.replace("Message-ID:", "X-Other:"),
            BounceError::NoMessage,
        ),
        (
            REPORT.replace("Status: 5.1.1\r\n", ""),
            BounceError::NothingFailed,
        ),
        (
            "x".repeat(BYTES_MAX + 1),
            BounceError::TooLong(BYTES_MAX + 1),
        ),
    ] {
        assert_eq!(read(&text), Err(error), "{}", &text[..text.len().min(60)]);
    }
}

#[test]
fn no_piece_of_a_notification_makes_the_reader_fail() {
    for end in 0..REPORT.len() {
        let _whatever = read(&REPORT[..end]);
        let _whatever = read(&REPORT[end..]);
    }
    // A part within itself, over and over, is given up.
    let head = "Content-Type: multipart/mixed; boundary=b\n\n--b\n";
    assert_eq!(
        read(&head.repeat(5_000)),
        Err(BounceError::NotANotification)
    );
}
