//! What is asked, in one number: the same for the same request, whatever the program calls its parts.

use super::request::{Action, Kind, LastAction, Request, Units, hashed};
use crate::kernel::Decimal;
use crate::mediation::Key;

impl Request {
    /// What is asked, in one number: each part in a fixed order behind its length. Stored: a part that is added goes to
    /// the end and says nothing while it has its default.
    pub fn digest(&self) -> Key {
        let mut parts = Parts::default();
        parts.text(&self.session);
        parts.number(i64::from(self.number));
        parts.number(match self.kind {
            Kind::Initial => 1,
            Kind::Update => 2,
            Kind::Terminate => 3,
            Kind::Event(Action::DirectDebit) => 4,
            Kind::Event(Action::Refund) => 5,
            Kind::Event(Action::CheckBalance) => 6,
            Kind::Event(Action::PriceEnquiry) => 7,
        });
        parts.text(&self.access);
        parts.optional(self.at, |parts, at| parts.number(at.0));
        parts.optional(self.validity, |parts, seconds| {
            parts.number(i64::from(seconds));
        });
        match &self.last {
            LastAction::Terminate => parts.number(1),
            LastAction::Redirect(address) => {
                parts.number(2);
                parts.text(address);
            }
            LastAction::Restrict(filters) => {
                parts.number(3);
                parts.count(filters.len());
                filters.iter().for_each(|filter| parts.text(filter));
            }
        }
        parts.number(i64::from(self.strict));
        parts.count(self.services.len());
        for ask in &self.services {
            parts.text(&ask.service);
            parts.text(&ask.metric);
            parts.count(ask.attributes.len());
            for (name, value) in &ask.attributes {
                parts.text(name);
                parts.text(value);
            }
            parts.units(ask.used);
            parts.units(ask.requested);
        }
        let parts: Vec<&str> = parts.0.iter().map(String::as_str).collect();
        hashed("request 2", &parts)
    }

    /// Whether a stored number is that of this request, also one that was stored before numbers had a form of their own.
    pub fn is(&self, digest: &Key) -> bool {
        *digest == self.digest() || *digest == before::digest(self)
    }
}

/// Parts as texts; what can be missing or repeated is counted first.
#[derive(Default)]
struct Parts(Vec<String>);

impl Parts {
    fn text(&mut self, text: &str) {
        self.0.push(text.to_string());
    }

    fn number(&mut self, number: i64) {
        self.0.push(number.to_string());
    }

    fn count(&mut self, of: usize) {
        self.0.push(of.to_string());
    }

    fn optional<T>(&mut self, value: Option<T>, part: impl FnOnce(&mut Parts, T)) {
        self.number(i64::from(value.is_some()));
        if let Some(value) = value {
            part(self, value);
        }
    }

    fn decimal(&mut self, decimal: Decimal) {
        self.0.push(decimal.to_string());
    }

    fn units(&mut self, units: Option<Units>) {
        self.optional(units, |parts, units| {
            parts.decimal(units.quantity);
            parts.optional(units.amount, Parts::decimal);
        });
    }
}

/// How requests were told apart before: by what they look like to a programmer. Nothing here is renamed or moved; the
/// numbers in the tests below are those of that time.
mod before {
    use super::super::request;
    use crate::kernel::{Decimal, Instant};
    use crate::mediation::Key;
    use std::collections::BTreeMap;

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by what makes texts of them")]
    struct Request<'a> {
        session: &'a str,
        number: u32,
        kind: Kind,
        access: &'a str,
        at: Option<Instant>,
        validity: Option<u32>,
        last: LastAction<'a>,
        strict: bool,
        services: Vec<Ask<'a>>,
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by what makes texts of them")]
    enum Kind {
        Initial,
        Update,
        Terminate,
        Event(Action),
    }

    #[derive(Debug)]
    enum Action {
        DirectDebit,
        Refund,
        CheckBalance,
        PriceEnquiry,
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by what makes texts of them")]
    enum LastAction<'a> {
        Terminate,
        Redirect(&'a str),
        Restrict(&'a [String]),
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by what makes texts of them")]
    struct Ask<'a> {
        service: &'a str,
        metric: &'a str,
        attributes: &'a BTreeMap<String, String>,
        used: Option<Units>,
        requested: Option<Units>,
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by what makes texts of them")]
    struct Units {
        quantity: Decimal,
        amount: Option<Decimal>,
    }

    fn units(of: Option<request::Units>) -> Option<Units> {
        of.map(|units| Units {
            quantity: units.quantity,
            amount: units.amount,
        })
    }

    pub fn digest(of: &request::Request) -> Key {
        let services = of.services.iter().map(|ask| Ask {
            service: &ask.service,
            metric: &ask.metric,
            attributes: &ask.attributes,
            used: units(ask.used),
            requested: units(ask.requested),
        });
        let request = Request {
            session: &of.session,
            number: of.number,
            kind: match of.kind {
                request::Kind::Initial => Kind::Initial,
                request::Kind::Update => Kind::Update,
                request::Kind::Terminate => Kind::Terminate,
                request::Kind::Event(action) => Kind::Event(match action {
                    request::Action::DirectDebit => Action::DirectDebit,
                    request::Action::Refund => Action::Refund,
                    request::Action::CheckBalance => Action::CheckBalance,
                    request::Action::PriceEnquiry => Action::PriceEnquiry,
                }),
            },
            access: &of.access,
            at: of.at,
            validity: of.validity,
            last: match &of.last {
                request::LastAction::Terminate => LastAction::Terminate,
                request::LastAction::Redirect(address) => LastAction::Redirect(address),
                request::LastAction::Restrict(filters) => LastAction::Restrict(filters),
            },
            strict: of.strict,
            services: services.collect(),
        };
        request::hashed("request", &[format!("{request:?}").as_str()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Instant;
    use crate::reservations::Ask;

    fn plain() -> Request {
        Request {
            session: "s1".into(),
            number: 0,
            kind: Kind::Initial,
            access: "msisdn".into(),
            at: None,
            validity: None,
            last: LastAction::Terminate,
            strict: false,
            services: vec![],
        }
    }

    fn full() -> Request {
        let units = |quantity: &str, amount: Option<&str>| Units {
            quantity: quantity.parse().expect("a decimal"),
            amount: amount.map(|a| a.parse().expect("a decimal")),
        };
        Request {
            number: 7,
            kind: Kind::Event(Action::Refund),
            at: Some(Instant(1_772_000_000_000_000)),
            validity: Some(300),
            last: LastAction::Restrict(vec!["permit in ip from \"any\"".into()]),
            strict: true,
            services: vec![Ask {
                service: "voice".into(),
                metric: "voice".into(),
                attributes: [("zone".to_string(), "é".to_string())].into(),
                used: Some(units("60.50", None)),
                requested: Some(units("120", Some("1.20"))),
            }],
            ..plain()
        }
    }

    fn hex(key: Key) -> String {
        key.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn numbers_that_are_stored_never_change() {
        let made = [plain(), full()].map(|r| [hex(r.digest()), hex(before::digest(&r))]);
        assert_eq!(
            made,
            [
                [
                    "0a85c227e0dedbfc9074917a01f915e3",
                    "d6f3f4b060a80ccbe77500ed0d5ed58e"
                ]
                .map(String::from),
                [
                    "d72236ca833773f1a2077257b75865b8",
                    "406436867bd5443366015483946edec7"
                ]
                .map(String::from),
            ]
        );
    }

    #[test]
    fn a_number_stored_before_is_still_that_of_its_request_and_of_no_other() {
        for (request, other) in [(plain(), full()), (full(), plain())] {
            for digest in [request.digest(), before::digest(&request)] {
                assert!(request.is(&digest));
                assert!(!other.is(&digest));
            }
        }
    }

    #[test]
    fn every_part_of_a_request_counts() {
        let changes: [fn(&mut Request); 14] = [
            |r| r.session.push('x'),
            |r| r.number += 1,
            |r| r.kind = Kind::Event(Action::DirectDebit),
            |r| r.access.push('x'),
            |r| r.at = None,
            |r| r.validity = None,
            |r| r.last = LastAction::Redirect("permit in ip from \"any\"".into()),
            |r| r.strict = false,
            |r| r.services.clear(),
            |r| r.services[0].service.push('x'),
            |r| r.services[0].metric.push('x'),
            |r| r.services[0].attributes.clear(),
            |r| r.services[0].used = None,
            |r| r.services[0].requested = None,
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let mut other = full();
            change(&mut other);
            assert_ne!(other.digest(), full().digest(), "change {n}");
        }
    }
}
