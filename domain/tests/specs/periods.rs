//! Closed accounting periods (policy 31).

use crate::book::{Book, d};
use indelible_domain::Command;
use indelible_domain::entities::{Closing, Late};
use indelible_domain::kernel::Rejection;

fn close(book: &mut Book, open_from: &str, late: Late) -> Result<(), Rejection> {
    let closing = Closing {
        open_from: d(open_from),
        late,
    };
    let entity = "arms".into();
    book.ask(Command::ClosePeriod { entity, closing }).map(drop)
}

/// Month and text of the newest posting.
fn posted(book: &Book) -> (String, String) {
    let (stream, entry) = book
        .log
        .iter()
        .rev()
        .find_map(|(stream, event)| match event {
            indelible_domain::Event::Journal(indelible_domain::journal::Event::Posted(e)) => {
                Some((stream, &e.entry))
            }
            _ => None,
        })
        .expect("something was posted");
    (format!("{stream} {}", entry.on()), entry.text().to_string())
}

/// Case R-26.
#[test]
fn a_late_posting_goes_to_the_day_that_the_rule_names_or_is_refused() {
    let day = |open_from: &str, late: Late, on: &str| {
        let closing = Closing {
            open_from: d(open_from),
            late,
        };
        closing.posting_day(d(on)).map_err(|refused| refused.code)
    };
    assert_eq!(
        day("2021-07-01", Late::FirstDay, "2021-06-12"),
        Ok(d("2021-07-01"))
    );
    assert_eq!(
        day("2021-07-01", Late::FirstWeekday(7), "2021-06-12"),
        Ok(d("2021-07-04"))
    );
    assert_eq!(
        day("2021-02-01", Late::Day(31), "2021-01-12"),
        Ok(d("2021-02-28"))
    );
    assert_eq!(
        day("2021-07-01", Late::Refuse, "2021-06-12"),
        Err("PERIOD_CLOSED".to_string())
    );
    // The first open day itself belongs to the open period, the day before it does not (policy 5).
    assert_eq!(
        day("2021-07-01", Late::Refuse, "2021-07-01"),
        Ok(d("2021-07-01"))
    );
    assert!(day("2021-07-01", Late::Refuse, "2021-06-30").is_err());
    // A rule never names a day that is closed.
    assert_eq!(
        day("2021-07-20", Late::Day(5), "2021-06-12"),
        Ok(d("2021-07-20"))
    );
}

#[test]
fn what_is_posted_into_a_closed_period_is_refused_as_a_whole_or_moved_and_says_so() {
    let mut book = Book::new();
    book.on("2012-06-30");
    close(&mut book, "2012-07-01", Late::Refuse).expect("June is closed on its last day");
    let before = book.log.len();
    let refused = book
        .ask(Command::GrantCredit {
            account: "alice".into(),
            credit: "c1".into(),
            amount: crate::book::usd("5"),
            reason: "goodwill".into(),
        })
        .expect_err("the day is closed");
    assert_eq!(refused.code, "PERIOD_CLOSED");
    assert_eq!(book.log.len(), before, "nothing of it stays");
    close(&mut book, "2012-07-01", Late::FirstWeekday(7)).expect("another rule");
    book.ask(Command::GrantCredit {
        account: "alice".into(),
        credit: "c1".into(),
        amount: crate::book::usd("5"),
        reason: "goodwill".into(),
    })
    .expect("moved");
    let (place, text) = posted(&book);
    assert_eq!(place, "arms/2012-07 2012-07-01");
    assert!(text.ends_with("(of 2012-06-30, which is closed)"), "{text}");
}

#[test]
fn closing_goes_forwards_up_to_today_and_opening_again_says_why() {
    let mut book = Book::new();
    book.on("2012-06-30");
    let code = |refused: Result<(), Rejection>| refused.expect_err("refused").code;
    assert_eq!(
        code(close(&mut book, "2012-07-02", Late::FirstDay)),
        "PERIOD_NOT_OVER"
    );
    assert_eq!(
        code(close(&mut book, "2012-06-01", Late::Day(32))),
        "PERIOD_RULE_INVALID"
    );
    close(&mut book, "2012-06-01", Late::FirstDay).expect("May is over");
    assert_eq!(
        code(close(&mut book, "2012-05-01", Late::FirstDay)),
        "PERIOD_CLOSED"
    );
    let reopen = |book: &mut Book, day: &str| {
        book.ask(Command::ReopenPeriod {
            entity: "arms".into(),
            open_from: d(day),
            reason: "audit".into(),
        })
        .map(drop)
    };
    assert_eq!(code(reopen(&mut book, "2012-06-01")), "PERIOD_OPEN");
    reopen(&mut book, "2012-05-01").expect("May is open again");
    close(&mut book, "2012-05-02", Late::FirstDay).expect("and is closed again in part");
}
