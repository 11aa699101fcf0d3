//! Custom fields.

use super::{date, decimal, sealed};
use indelible_domain::Event;
use indelible_domain::fields::{
    Allowed, Carrier, Defined, Definition, FieldKind, FieldValue, Inheritance, Period, ValueEnded,
    ValueSet, Withdrawn,
};

pub(super) fn events() -> Vec<Event> {
    let text = |text: &str| FieldValue::Text(text.to_string());
    let choice = Definition {
        code: "segment".to_string(),
        name: "Segment".to_string(),
        of: Carrier::ALL.into_iter().collect(),
        kind: FieldKind::Choice,
        inheritance: Inheritance::Nearest,
        required: true,
        default: Some(text("silver")),
        allowed: Allowed {
            values: vec![text("silver"), text("gold")],
        },
        personal: false,
    };
    let plain = |code: &str, kind, default| Definition {
        code: code.to_string(),
        name: code.to_uppercase(),
        of: [Carrier::Account].into(),
        kind,
        inheritance: Inheritance::None,
        default,
        ..Definition::default()
    };
    let birthday = Definition {
        personal: true,
        ..plain("birthday", FieldKind::Text, None)
    };
    let rebate = plain(
        "rebate",
        FieldKind::Number,
        Some(FieldValue::Number(decimal("0.05"))),
    );
    let since = plain(
        "since",
        FieldKind::Date,
        Some(FieldValue::Date(date("2026-10-01"))),
    );
    let vip = plain("vip", FieldKind::Boolean, Some(FieldValue::Boolean(true)));
    let defined = [choice, birthday, rebate, since, vip].map(|definition| Defined { definition });
    let withdrawn = Withdrawn {
        code: "vip".to_string(),
    };
    let set = |field: &str, value, priority| ValueSet {
        field: field.to_string(),
        period: Period {
            value,
            from: Some(date("2026-10-01")),
            until: Some(date("2027-01-01")),
            priority,
        },
    };
    let always = ValueSet {
        period: Period {
            value: FieldValue::Sealed(sealed()),
            from: None,
            until: None,
            priority: 0,
        },
        field: "birthday".to_string(),
    };
    let ended = ValueEnded {
        field: "segment".to_string(),
        from: Some(date("2026-10-01")),
        priority: -3,
    };
    let fields = defined.map(|d| Event::Field(d.into())).into_iter();
    fields
        .chain([
            Event::Field(withdrawn.into()),
            Event::Custom(set("segment", text("gold"), -3).into()),
            Event::Custom(set("rebate", FieldValue::Number(decimal("-1.5")), 7).into()),
            Event::Custom(always.into()),
            Event::Custom(ended.into()),
        ])
        .collect()
}
