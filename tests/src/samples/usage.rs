//! Batches and what each of their records cost.

use super::{days, decimal, instant, ratio, sealed};
use indelible_domain::command::UsageCounts;
use indelible_domain::mediation::batch::{
    self, Conflict, Continued, Held, Listed, Received, Refused, Replaced, Restored, Settled,
    Superseded, Unreadable,
};
use indelible_domain::mediation::{Key, UsageRecord};
use indelible_domain::usage::draws::{Sum, Sums};
use indelible_domain::usage::{
    self, Basis, Corrected, Correction, Drawing, Drawn, Gone, Lot, Meter, Moved, Part, Payer,
    Provenance, Rated, RatedRecord, Recount, Recounted, Remembered, Reversed, Slot, Way, Worth,
};
use indelible_domain::{Event, Rejection};
use std::sync::Arc;

pub(super) fn events() -> Vec<Event> {
    [usage(), batches()].concat()
}

pub(super) fn batch() -> String {
    "calls-2026-10-01".to_string()
}

fn key(n: u8) -> Key {
    [n; 16]
}

fn usage() -> Vec<Event> {
    let basis = || Basis {
        engine: "rating-1".into(),
        tzdb: "bundled-2026e".into(),
        offer: "mobile-m".into(),
        version: 3,
    };
    let meter = || Meter {
        period: Some(days("2026-10-01", "2026-11-01")),
        records: 2,
        quantity: decimal("101.5"),
        amount: ratio(81, 20),
        burnt: ratio(1, 3),
        units: ratio(203, 2),
        free: ratio(250, 1),
    };
    let events: Vec<usage::Event> = vec![
        Rated {
            provenance: Arc::new(Provenance {
                batch: batch().into(),
                source: "switch-1".into(),
                basis: basis(),
            }),
            records: vec![rated(1, Payer::Invoice), rated(2, Payer::Wallet(parts()))],
            meter: meter(),
        }
        .into(),
        Corrected {
            batch: batch().into(),
            source: "switch-1".into(),
            basis: basis(),
            corrections: vec![
                Correction {
                    key: key(1),
                    was: Reversed {
                        units: ratio(61, 60),
                        amount: ratio(61, 1200),
                    },
                    now: Some(rated(1, Payer::Invoice)),
                    returned: vec![],
                },
                Correction {
                    key: key(2),
                    was: Reversed {
                        units: ratio(1, 1),
                        amount: ratio(1, 20),
                    },
                    now: None,
                    returned: parts(),
                },
            ],
            meter: meter(),
        }
        .into(),
        Recounted {
            rerating: "rerate-7".into(),
            basis: basis(),
            changes: vec![
                Recount {
                    key: key(1),
                    batch: batch().into(),
                    source: "switch-1".into(),
                    was: Some(Reversed {
                        units: ratio(61, 60),
                        amount: ratio(61, 1200),
                    }),
                    now: Some(rated(1, Payer::Invoice)),
                    void: false,
                },
                Recount {
                    key: key(2),
                    batch: batch().into(),
                    source: "switch-1".into(),
                    was: None,
                    now: None,
                    void: true,
                },
            ],
            parts: parts(),
            meter: meter(),
        }
        .into(),
        Remembered {
            gone: vec![Gone(key(1))],
            moves: vec![(
                slot(),
                Moved {
                    key: key(2),
                    at: instant("2026-10-01T07:30:00Z"),
                    on: days("2026-10-01", "2026-11-01").from,
                    clock: 34_200,
                    units: ratio(61, 60),
                    carried: Some(decimal("0.02")),
                    value: Some(key(7)),
                    priced: Some(Box::new(ratio(81, 20))),
                },
            )],
            worth: vec![(
                slot(),
                Worth {
                    units: ratio(203, 2),
                    amount: ratio(81, 20),
                },
            )],
        }
        .into(),
        Drawn {
            batch: batch().into(),
            records: vec![
                Drawing {
                    key: key(1),
                    way: Some(way()),
                    moved: vec![(lot(false).counter, ratio(61, 60))],
                    covered: ratio(3, 2),
                },
                Drawing {
                    key: key(2),
                    way: None,
                    moved: vec![(lot(true).counter, ratio(-1, 1))],
                    covered: ratio(0, 1),
                },
            ],
            ways: vec![(
                way(),
                Sums {
                    units: Sum {
                        used: ratio(203, 2),
                        parts: vec![ratio(10, 1), ratio(61, 60)],
                    },
                    money: Sum {
                        used: ratio(81, 20),
                        parts: vec![ratio(3, 2)],
                    },
                },
            )],
            covered: ratio(3, 2),
        }
        .into(),
    ];
    events.into_iter().map(Event::Usage).collect()
}

fn lot(later: bool) -> Lot {
    let from = if later { "2026-09-01" } else { "2026-10-01" };
    Lot {
        counter: format!("account:alice/minutes/{from}"),
        later,
    }
}

fn way() -> Way {
    Way {
        units: vec![lot(true), lot(false)],
        money: vec![Lot {
            counter: "subscription:alice-mobile/credit/2026-10-01".to_string(),
            later: false,
        }],
        rate: Some(decimal("0.05")),
    }
}

fn slot() -> Slot {
    Slot {
        line: 3,
        group: vec!["north".to_string(), String::new()],
    }
}

fn rated(n: u8, payer: Payer) -> RatedRecord {
    RatedRecord {
        line: u64::from(n) + 1,
        key: key(n),
        content: key(n + 100),
        at: instant("2026-10-01T07:30:00Z"),
        quantity: decimal("61"),
        units: ratio(61, 60),
        amount: ratio(61, 1200),
        payer,
        attributes: [("direction".to_string(), "mo".to_string())].into(),
        amount_carried: Some(decimal("0.02")),
        raw: Some(Box::new(sealed())),
    }
}

fn parts() -> Vec<Part> {
    vec![Part {
        wallet: "alice-prepaid".to_string(),
        grant: "top-up-1".to_string(),
        amount: ratio(1, 20),
    }]
}

fn batches() -> Vec<Event> {
    let events: Vec<batch::Event> = vec![
        Received {
            source: "switch-1".to_string(),
            format: "calls".to_string(),
            name: "voice-calls.csv".to_string(),
            digest: [0xCD; 32],
            counts: UsageCounts {
                received: 9,
                accepted: 6,
                duplicates: 1,
                conflicts: 1,
                unreadable: 1,
                rated: 3,
                pending: 1,
                rejected: 1,
                superseded: 1,
            },
            listed: listed(),
        }
        .into(),
        Continued { listed: listed() }.into(),
        Settled {
            rated: vec![key(3)],
            rejected: vec![refused()],
        }
        .into(),
        Superseded {
            by: "calls-2026-10-02".to_string(),
            rated: vec![key(1)],
            pending: vec![key(2)],
            rejected: vec![key(4)],
        }
        .into(),
        Restored {
            by: "rerate-7".to_string(),
            rated: vec![key(1)],
        }
        .into(),
    ];
    events.into_iter().map(Event::Batch).collect()
}

fn listed() -> Listed {
    Listed {
        unreadable: vec![Unreadable {
            line: 4,
            code: "BAD_NUMBER".to_string(),
            reason: "seconds is \"x\", which is no count of seconds".to_string(),
        }],
        duplicates: vec![5],
        conflicts: vec![Conflict {
            line: 6,
            key: key(6),
            batch: "calls-2026-09-30".to_string(),
        }],
        pending: vec![Held {
            record: record(7),
            reason: Rejection::new("SUBSCRIPTION_UNKNOWN", "no subscription has this access"),
        }],
        rejected: vec![refused()],
        superseded: vec![Replaced {
            line: 8,
            key: key(8),
            by: 9,
        }],
    }
}

fn refused() -> Refused {
    Refused {
        record: record(4),
        reason: Rejection::new("WALLET_INSUFFICIENT", "the wallets hold 0.01 EUR"),
    }
}

fn record(n: u8) -> UsageRecord {
    UsageRecord {
        line: u64::from(n),
        key: key(n),
        content: key(n + 100),
        corrects: true,
        metric: "voice".to_string(),
        access: "9c56cc51b374c3ba189210d5b6d4bf57".to_string(),
        at: instant("2026-10-01T07:30:00.123456Z"),
        quantity: decimal("61"),
        amount: Some(decimal("-0.02")),
        attributes: [("direction".to_string(), "mo".to_string())].into(),
        raw: Some(Box::new(sealed())),
    }
}
