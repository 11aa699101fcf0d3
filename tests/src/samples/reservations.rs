//! A session of credit control.

use indelible_domain::kernel::Rejection;
use indelible_domain::reservations::{
    Action, Answer, Answered, Event as Fact, Expired, Kind, LastAction, Quota, Served, Units, code,
};
use indelible_domain::world::Event;

use super::{decimal, instant, ratio};

pub fn events() -> Vec<Event> {
    let at = instant("2026-10-10T10:00:00Z");
    let units = Units {
        quantity: decimal("600"),
        amount: Some(decimal("1.25")),
    };
    let granted = Served {
        service: "voice".to_string(),
        result: code::SUCCESS,
        quota: Some(Quota {
            meter: "line-1/calls/2026-10-01".to_string(),
            granted: units,
            units: ratio(10, 1),
            until: instant("2026-10-10T10:01:00Z"),
        }),
        validity: Some(60),
        last: Some(LastAction::Redirect("https://top-up.example".to_string())),
        cost: Some(ratio(1, 2)),
        debited: Some(ratio(1, 20)),
        enough: Some(true),
        reason: None,
    };
    let refused = Served {
        service: "data".to_string(),
        result: code::CREDIT_LIMIT_REACHED,
        last: Some(LastAction::Restrict(vec!["walled-garden".to_string()])),
        reason: Some(Rejection::new("WALLET_INSUFFICIENT", "nothing is free")),
        ..Served::default()
    };
    let answered = Answered {
        number: 3,
        kind: Kind::Event(Action::PriceEnquiry),
        digest: [7; 16],
        account: Some("alice".to_string()),
        subscription: Some("line-1".to_string()),
        at,
        answer: Answer {
            result: code::SUCCESS,
            services: vec![granted, refused],
        },
    };
    let expired = Expired {
        services: vec!["voice".to_string()],
        at,
    };
    let events: Vec<Fact> = vec![answered.into(), expired.into()];
    events.into_iter().map(Event::Reservation).collect()
}
