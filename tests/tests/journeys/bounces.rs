//! E-mail that comes back after it was taken: the next way, and an address that rests.

use indelible_api::outbox::Turn;
use serde_json::json;

use crate::messages::{Office, REMINDER, header};

/// What a mail system says of a message that it could not deliver to an address.
fn returned(reference: &str, address: &str, action: &str) -> String {
    format!(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example\r\n\r\n\
         Final-Recipient: rfc822; {address}\r\nAction: {action}\r\nStatus: 5.1.1\r\n\r\n--b\r\n\
         Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: {reference}\r\n\r\n--b--\r\n"
    )
}

const BOUNCE: &str = r#"mutation($key: String!, $text: String!) { reportBounce(idempotencyKey: $key, notification: $text) {
    message { key stage bounces { reference status blocks } } } }"#;

#[tokio::test]
async fn what_comes_back_goes_by_letter_and_the_address_rests_until_it_is_another() {
    let office = Office::open().await;
    let contact = |email: &str| {
        format!(r#"contact: {{ name: "Alice Example", email: "{email}", address: "Seeweg 1" }}"#)
    };
    office.change("1", &contact("alice@example.org")).await;
    office.say("m1", REMINDER).await;
    assert_eq!(office.turn().await.sent, 1);
    let reference = header(&office.postbox.taken()[0], "Message-ID").to_owned();
    let bounce = async |key: &str, text: String| {
        let sent = json!({ "key": key, "text": text });
        office.shop.acme.post(BOUNCE, sent).await.json()
    };
    for (key, text, code) in [
        ("no", "hello".to_owned(), "BOUNCE_UNREADABLE"),
        (
            "late",
            returned(&reference, "alice@example.org", "delayed"),
            "BOUNCE_NOT_FINAL",
        ),
        (
            "whose",
            returned("<1@elsewhere>", "alice@example.org", "failed"),
            "BOUNCE_UNKNOWN",
        ),
    ] {
        let answer = bounce(key, text).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code);
    }
    let rival = json!({ "key": "r", "text": returned(&reference, "alice@example.org", "failed") });
    let refused = office.shop.rival.error(BOUNCE, rival).await;
    assert_eq!(refused["extensions"]["code"], "BOUNCE_UNKNOWN");

    let taken = bounce("b1", returned(&reference, "Alice@Example.org", "failed")).await;
    assert_eq!(
        taken["data"]["reportBounce"]["message"],
        json!({ "key": "m1", "stage": "WAITING",
            "bounces": [{ "reference": reference, "status": "5.1.1", "blocks": true }] })
    );
    assert_eq!(office.turn().await.sent, 1);
    assert_eq!(
        (office.postbox.taken().len(), office.letters().len()),
        (1, 1)
    );
    // Neither what is asked for next nor what is asked for by e-mail is sent there.
    office.say("m2", r#"template: "notice""#).await;
    office
        .say("m3", r#"template: "notice", channel: EMAIL"#)
        .await;
    let turn = office.turn().await;
    assert_eq!((turn.sent, turn.suppressed), (1, 1));
    assert_eq!(
        (office.postbox.taken().len(), office.letters().len()),
        (1, 2)
    );
    assert_eq!(
        office.message("m3").await["attempts"][0]["outcome"],
        "BOUNCED"
    );
    assert_eq!(office.stuck().await, ["m3"]);
    // Twice the same is once.
    bounce("b2", returned(&reference, "alice@example.org", "failed")).await;
    assert_eq!(office.turn().await, Turn::default());

    office.change("2", &contact("alice@new.example")).await;
    let again =
        r#"mutation { resendMessage(idempotencyKey: "again", id: "m3") { message { stage } } }"#;
    office.shop.acme.data(again, json!({})).await;
    assert_eq!(office.turn().await.sent, 1);
    let mails = office.postbox.taken();
    assert_eq!(
        header(&mails[1], "To"),
        "\"Alice Example\" <alice@new.example>"
    );

    let metrics = office
        .shop
        .stranger
        .send("GET", "/metrics", &[], b"")
        .await
        .body;
    for line in [
        "indelible_messages_total{channel=\"email\",outcome=\"sent\"} 2",
        "indelible_messages_total{channel=\"letter\",outcome=\"sent\"} 2",
        "indelible_messages_total{channel=\"email\",outcome=\"suppressed\"} 1",
        "indelible_messages_total{channel=\"email\",outcome=\"bounced\"} 1",
        "indelible_messages_waiting 0",
        "indelible_messages_stuck 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}
