//! Direct debit by file, as a provider: nobody is called, and the answer comes with the bank's statements.
//!
//! - An ask is taken on at once under its end-to-end id. The next file that is drawn has it, and an entry of a statement
//!   says what became of it ([`indelible_domain::bank`]).
//! - Nothing can be lost between here and the bank: what waits, what was drawn and what came back are facts of the log, so
//!   a look-up repeats the first answer.
//! - Money goes back by a credit transfer: a direct debit cannot be taken back by who collected it.

use indelible_domain::bank::{end_to_end, return_end_to_end};

use crate::port::{Answer, Ask, Gateway, Known, Return};

/// What payment methods name it by.
pub const NAME: &str = "direct-debit";

/// Collections and returns by file.
#[derive(Clone, Copy, Debug, Default)]
pub struct DirectDebit;

impl Gateway for DirectDebit {
    fn name(&self) -> &str {
        NAME
    }

    fn collect(&self, ask: &Ask) -> Answer {
        Answer::Pending {
            reference: end_to_end(&ask.payment),
        }
    }

    fn look_up(&self, key: &str, reference: Option<&str>) -> Known {
        let named = reference.map(str::to_owned).or_else(|| named(key));
        match named {
            Some(reference) => Known::As(Answer::Pending { reference }),
            None => Known::NeverArrived,
        }
    }

    fn give_back(&self, back: &Return) -> Answer {
        match named(&back.key) {
            Some(reference) => Answer::Pending { reference },
            None => Answer::Unknown {
                why: format!("{:?} names no return", back.key),
            },
        }
    }

    fn look_up_return(&self, back: &Return, reference: Option<&str>) -> Known {
        self.look_up(&back.key, reference)
    }
}

/// The end-to-end id of a key `<tenant>/<payment>` or `<tenant>/<payment>/r<number>`.
fn named(key: &str) -> Option<String> {
    let (_, rest) = key.split_once('/')?;
    let back = rest.rsplit_once("/r");
    let back = back.and_then(|(payment, number)| Some((payment, number.parse().ok()?)));
    Some(match back {
        Some((payment, number)) => return_end_to_end(payment, number),
        None => end_to_end(rest),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use indelible_domain::kernel::{Date, Money};

    use crate::port::key;

    fn ask(payment: &str) -> Ask {
        Ask {
            key: key("t", payment, None),
            tenant: "t".to_owned(),
            payment: payment.to_owned(),
            account: "alice".to_owned(),
            amount: Money::default(),
            token: "M-1".to_owned(),
            customer: None,
            text: String::new(),
            on: Date::default(),
        }
    }

    #[test]
    fn an_ask_is_taken_on_and_asked_again_it_is_the_same() {
        let long = "p".repeat(100);
        for payment in ["p1", "with_underscore", long.as_str()] {
            let first = DirectDebit.collect(&ask(payment));
            assert_eq!(DirectDebit.collect(&ask(payment)), first);
            let looked_up = DirectDebit.look_up(&key("t", payment, None), None);
            assert_eq!(looked_up, Known::As(first.clone()));
            let reference = first.reference().expect("it is named");
            assert!(
                reference.len() <= 35 && !reference.contains('_'),
                "{reference}"
            );
        }
    }

    #[test]
    fn a_return_has_a_name_of_its_own() {
        let back = Return {
            key: key("t", "p1", Some(2)),
            tenant: "t".to_owned(),
            payment: "p1".to_owned(),
            reference: "p1".to_owned(),
            amount: Money::default(),
            reason: String::new(),
            on: Date::default(),
        };
        let answer = DirectDebit.give_back(&back);
        assert_eq!(answer.reference(), Some("p1.r2"));
        assert_eq!(DirectDebit.look_up_return(&back, None), Known::As(answer));
    }
}
