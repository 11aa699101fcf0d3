//! Custom fields: what is taken, on which days it holds, where it is inherited, and what expressions read.

use crate::book::{Book, d, usd};
use indelible_domain::Command;
use indelible_domain::catalog::{Moment, Offer, OneOff};
use indelible_domain::command::{ForgetAccount, StartSubscription};
use indelible_domain::expressions::{Expression, Kind, Names};
use indelible_domain::fields::{
    Allowed, Carrier, Definition, FieldKind, FieldValue, Inheritance, Look, Period, Place, Subject,
    find,
};
use indelible_domain::kernel::{Date, Personal, Purpose};
use indelible_domain::rating::names::{ContractNames, contract_schema, whole_months};
use std::collections::{BTreeMap, BTreeSet};

fn definition(code: &str, kind: FieldKind, of: &[Carrier]) -> Definition {
    Definition {
        code: code.into(),
        name: code.to_uppercase(),
        of: of.iter().copied().collect(),
        kind,
        ..Definition::default()
    }
}

fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.into())
}

fn define(book: &mut Book, definition: Definition) -> Result<(), String> {
    book.ask(Command::DefineField(Box::new(definition)))
        .map(drop)
        .map_err(|refused| refused.code)
}

fn period(value: FieldValue, from: &str, until: &str) -> Period {
    let day = |t: &str| (!t.is_empty()).then(|| d(t));
    Period {
        value,
        from: day(from),
        until: day(until),
        priority: 0,
    }
}

fn set(
    book: &mut Book,
    place: (Carrier, &str),
    field: &str,
    period: Period,
) -> Result<usize, String> {
    let before = book.log.len();
    book.ask(Command::SetField {
        place: Place::new(place.0, place.1),
        field: field.into(),
        period,
    })
    .map_err(|refused| format!("{}: {}", refused.code, refused.message))?;
    Ok(book.log.len() - before)
}

/// The value for a place on a day, and where it comes from.
fn value(book: &Book, place: (Carrier, &str), field: &str, day: &str) -> String {
    let look = &book.tenant().tables;
    let place = Place::new(place.0, place.1);
    let definition = look
        .definitions()
        .expect("fields")
        .get(field)
        .expect("a field");
    match find(look, definition, Subject::of(look, &place), d(day)) {
        None => "nothing".to_string(),
        Some(found) => {
            let from = found.place.map_or("default".to_string(), |p| p.stream());
            format!("{} of {from}", found.value)
        }
    }
}

/// A seller, alice, and bob whom alice pays for; an offer to both.
fn shop() -> Book {
    let mut book = Book::new();
    book.open("bob", |terms| terms.payer = Some("alice".into()));
    let fee = OneOff {
        code: "setup".into(),
        name: "Set-up".into(),
        amount: "1".parse().expect("an amount"),
        on: Moment::Activation,
        tax_class: "standard".into(),
        ..OneOff::default()
    };
    let offer = Offer {
        code: "mobile".into(),
        name: "Mobile".into(),
        currency: usd("0").currency,
        one_off: vec![fee],
        ..Offer::default()
    };
    book.ask(Command::ApplyCatalog {
        offers: vec![offer],
    })
    .expect("an offer");
    book
}

fn start(book: &mut Book, subscription: &str, account: &str) -> Result<(), String> {
    let start = StartSubscription {
        subscription: subscription.into(),
        account: account.into(),
        offer: "mobile".into(),
        quantity: "3".parse().expect("a quantity"),
        from: None,
        trial: true,
        billing_day: None,
        overrides: BTreeMap::new(),
        access: vec![],
    };
    book.ask(Command::StartSubscription(Box::new(start)))
        .map(drop)
        .map_err(|refused| format!("{}: {}", refused.code, refused.message))
}

#[test]
fn of_the_periods_that_hold_on_a_day_the_highest_priority_counts_then_the_latest_first_day() {
    let mut book = shop();
    let alice = (Carrier::Account, "alice");
    define(
        &mut book,
        definition("segment", FieldKind::Text, &[Carrier::Account]),
    )
    .expect("defined");
    for (of, from, until, priority) in [
        ("always", "", "", 0),
        ("may", "2012-05-01", "2012-06-01", 0),
        ("mid-may", "2012-05-10", "2012-05-20", 0),
        ("forced", "2012-05-15", "2012-05-16", 1),
    ] {
        let period = Period {
            priority,
            ..period(text(of), from, until)
        };
        assert_eq!(
            set(&mut book, alice, "segment", period.clone()),
            Ok(1),
            "{of}"
        );
        assert_eq!(
            set(&mut book, alice, "segment", period),
            Ok(0),
            "said again, {of} changes nothing"
        );
    }
    for (day, counts) in [
        ("2012-04-30", "always"),
        ("2012-05-01", "may"),
        ("2012-05-10", "mid-may"),
        ("2012-05-15", "forced"),
        ("2012-05-16", "mid-may"),
        ("2012-05-20", "may"),
        ("2012-06-01", "always"),
    ] {
        let expected = format!("{counts} of account/alice");
        assert_eq!(value(&book, alice, "segment", day), expected, "{day}");
    }
    set(
        &mut book,
        alice,
        "segment",
        period(text("spring"), "2012-05-01", ""),
    )
    .expect("replaced");
    assert_eq!(
        value(&book, alice, "segment", "2012-05-25"),
        "spring of account/alice"
    );
    book.ask(Command::ClearField {
        place: Place::new(Carrier::Account, "alice"),
        field: "segment".into(),
        from: Some(d("2012-05-01")),
        priority: 0,
    })
    .expect("taken back");
    assert_eq!(
        value(&book, alice, "segment", "2012-05-25"),
        "always of account/alice"
    );
    let refused = set(
        &mut book,
        alice,
        "segment",
        period(text("x"), "2012-05-02", "2012-05-02"),
    );
    assert!(refused.is_err_and(|r| r.starts_with("FIELD_PERIOD_INVALID")));
}

#[test]
fn a_value_holds_for_everything_below_that_has_none_of_its_own() {
    let mut book = shop();
    let of = [
        Carrier::LegalEntity,
        Carrier::Account,
        Carrier::Subscription,
    ];
    let with_default = Definition {
        default: Some(text("none")),
        ..definition("segment", FieldKind::Text, &of)
    };
    define(&mut book, with_default).expect("defined");
    let alone = Definition {
        inheritance: Inheritance::None,
        ..definition("note", FieldKind::Text, &of)
    };
    define(&mut book, alone).expect("defined");
    start(&mut book, "s1", "bob").expect("started");
    let s1 = (Carrier::Subscription, "s1");
    let day = "2012-05-01";
    let ladder = [
        ((Carrier::LegalEntity, "arms"), "entity/arms"),
        ((Carrier::Account, "alice"), "account/alice"),
        ((Carrier::Account, "bob"), "account/bob"),
        (s1, "subscription/s1"),
    ];
    assert_eq!(value(&book, s1, "segment", day), "none of default");
    for (place, stream) in ladder {
        set(&mut book, place, "segment", period(text(stream), "", "")).expect("set");
        set(&mut book, place, "note", period(text(stream), "", "")).expect("set");
        assert_eq!(
            value(&book, s1, "segment", day),
            format!("{stream} of {stream}")
        );
    }
    book.ask(Command::ClearField {
        place: Place::new(Carrier::Subscription, "s1"),
        field: "note".into(),
        from: None,
        priority: 0,
    })
    .expect("taken back");
    assert_eq!(
        value(&book, s1, "note", day),
        "nothing",
        "it is not inherited"
    );
}

#[test]
fn a_field_takes_only_what_it_was_defined_for() {
    let mut book = shop();
    let alice = (Carrier::Account, "alice");
    let all = [Carrier::Account, Carrier::Offer, Carrier::Charge];
    define(&mut book, definition("since", FieldKind::Date, &all)).expect("defined");
    let class = Definition {
        allowed: Allowed {
            values: vec![text("a"), text("b")],
        },
        ..definition("class", FieldKind::Choice, &all)
    };
    define(&mut book, class.clone()).expect("defined");
    let refusals = [
        (
            "since",
            alice,
            text("soon"),
            "FIELD_VALUE_INVALID: custom field \"since\" takes a date, not Text(\"soon\")",
        ),
        (
            "class",
            alice,
            text("c"),
            "FIELD_VALUE_INVALID: custom field \"class\" takes one of a, b, not c",
        ),
        (
            "class",
            alice,
            text(""),
            "FIELD_VALUE_INVALID: custom field \"class\" takes a text of 1 to 1000 bytes, 0 were given",
        ),
        (
            "class",
            (Carrier::Subscription, "s1"),
            text("a"),
            "FIELD_NOT_OF: custom field \"class\" is one of account, offer, charge, not of subscription \"s1\"",
        ),
        (
            "class",
            (Carrier::Account, "eve"),
            text("a"),
            "ACCOUNT_UNKNOWN: there is no account \"eve\"",
        ),
        (
            "class",
            (Carrier::Offer, "tv"),
            text("a"),
            "OFFER_UNKNOWN: there is no offer \"tv\"",
        ),
        (
            "class",
            (Carrier::Charge, "mobile/roaming"),
            text("a"),
            "CHARGE_UNKNOWN: offer \"mobile\" has no charge \"roaming\": charges are named offer/charge",
        ),
        (
            "size",
            alice,
            text("a"),
            "FIELD_UNKNOWN: there is no custom field \"size\"",
        ),
    ];
    for (field, place, value, told) in refusals {
        assert_eq!(
            set(&mut book, place, field, period(value, "", "")),
            Err(told.to_string())
        );
    }
    assert_eq!(
        set(
            &mut book,
            (Carrier::Charge, "mobile/setup"),
            "class",
            period(text("b"), "", "")
        ),
        Ok(1)
    );
    let other_kind = definition("since", FieldKind::Text, &all);
    assert_eq!(
        define(&mut book, other_kind),
        Err("FIELD_FIXED".to_string())
    );
    let narrower = Definition {
        of: BTreeSet::from([Carrier::Account]),
        ..class.clone()
    };
    assert_eq!(define(&mut book, narrower), Err("FIELD_FIXED".to_string()));
    let nothing_to_choose = definition("empty", FieldKind::Choice, &all);
    assert_eq!(
        define(&mut book, nothing_to_choose),
        Err("FIELD_INVALID".to_string())
    );
    let wider = Definition {
        allowed: Allowed {
            values: vec![text("a"), text("b"), text("c")],
        },
        ..class
    };
    define(&mut book, wider).expect("a longer list");
    assert_eq!(
        set(&mut book, alice, "class", period(text("c"), "", "")),
        Ok(1)
    );
}

#[test]
fn a_subscription_starts_only_where_required_fields_have_a_value() {
    let mut book = shop();
    for (code, of) in [
        ("site", Carrier::Subscription),
        ("segment", Carrier::Account),
        ("ledger", Carrier::Charge),
    ] {
        let required = Definition {
            required: true,
            ..definition(code, FieldKind::Text, &[of])
        };
        define(&mut book, required).expect("defined");
    }
    let refused = start(&mut book, "s1", "alice").expect_err("nothing is set");
    assert_eq!(
        refused,
        "FIELD_REQUIRED: subscription s1 of account alice to offer mobile has no value on 2012-05-01 in the required custom fields ledger, segment, site"
    );
    set(
        &mut book,
        (Carrier::Subscription, "s1"),
        "site",
        period(text("x"), "", ""),
    )
    .expect("before it starts");
    set(
        &mut book,
        (Carrier::Account, "alice"),
        "segment",
        period(text("x"), "", ""),
    )
    .expect("set");
    set(
        &mut book,
        (Carrier::Charge, "mobile/setup"),
        "ledger",
        period(text("x"), "2012-05-02", ""),
    )
    .expect("set");
    assert!(start(&mut book, "s1", "alice").is_err_and(|r| r.ends_with("fields ledger")));
    book.today = d("2012-05-02");
    assert_eq!(start(&mut book, "s1", "alice"), Ok(()));
}

#[test]
fn personal_values_are_sealed_and_never_come_back_after_they_were_forgotten() {
    let mut book = shop();
    let personal = Definition {
        personal: true,
        ..definition("birthday", FieldKind::Text, &[Carrier::Account])
    };
    define(&mut book, personal.clone()).expect("defined");
    let of_offers = Definition {
        of: BTreeSet::from([Carrier::Offer]),
        ..personal
    };
    assert_eq!(
        define(
            &mut book,
            Definition {
                code: "x".into(),
                ..of_offers
            }
        ),
        Err("FIELD_INVALID".to_string())
    );
    let alice = (Carrier::Account, "alice");
    let sealed = |byte| FieldValue::Sealed(Personal::sealed("key".into(), [byte; 24], vec![byte]));
    let clear = set(&mut book, alice, "birthday", period(text("1 May"), "", ""));
    assert!(clear.is_err_and(|r| r.starts_with("FIELD_PERSONAL")));
    assert_eq!(
        set(&mut book, alice, "birthday", period(sealed(1), "", "")),
        Ok(1)
    );
    book.ask(Command::ForgetAccount(Box::new(ForgetAccount {
        account: "alice".into(),
        purposes: BTreeSet::from([Purpose::Contact]),
        keys: BTreeSet::from(["key".to_string()]),
        buyer: None,
        by: "privacy desk".into(),
    })))
    .expect("forgotten");
    let again = set(&mut book, alice, "birthday", period(sealed(2), "", ""));
    assert!(again.is_err_and(|r| r.starts_with("FORGOTTEN_MEANWHILE")));
}

#[test]
fn an_expression_reads_the_contract_the_customer_and_custom_fields_that_are_not_personal() {
    let mut book = shop();
    let of = [Carrier::Account, Carrier::Offer];
    define(&mut book, definition("segment", FieldKind::Text, &of)).expect("defined");
    define(&mut book, definition("rebate", FieldKind::Number, &of)).expect("defined");
    let personal = Definition {
        personal: true,
        ..definition("birthday", FieldKind::Text, &[Carrier::Account])
    };
    define(&mut book, personal).expect("defined");
    start(&mut book, "s1", "bob").expect("started");
    set(
        &mut book,
        (Carrier::Offer, "mobile"),
        "segment",
        period(text("all"), "", ""),
    )
    .expect("set");
    set(
        &mut book,
        (Carrier::Account, "alice"),
        "segment",
        period(text("gold"), "2012-07-01", ""),
    )
    .expect("set");
    let look = &book.tenant().tables;
    let subscription = look.subscription("s1").expect("started");
    let on = |on: Date| {
        let term = &subscription.terms[0];
        ContractNames::of(look, "s1", subscription, term, "setup", on).expect("bob is there")
    };
    let june = on(d("2012-06-30"));
    let july = on(d("2012-07-01"));
    let schema = contract_schema(look.definitions());
    for (source, in_june, in_july) in [
        ("field(\"segment\")", "\"all\"", "\"gold\""),
        ("field(\"rebate\")", "nothing", "nothing"),
        (
            "coalesce(field(\"rebate\"), 0) + subscription.quantity",
            "3",
            "3",
        ),
        ("subscription.age", "1", "2"),
        (
            "concat(offer, account.id, account.entity, account.currency, subscription.id)",
            "\"mobilebobarmsUSDs1\"",
            "\"mobilebobarmsUSDs1\"",
        ),
        ("account.group", "nothing", "nothing"),
        ("on - subscription.start", "60", "61"),
    ] {
        let expression = Expression::new(source);
        let shown = |names: &dyn Names| expression.eval(names).expect(source).to_string();
        assert_eq!(shown(&june), in_june, "{source}");
        assert_eq!(shown(&july), in_july, "{source}");
        let kinds = [Kind::Text, Kind::Number];
        assert!(
            kinds
                .iter()
                .any(|k| expression.check(&schema, *k).is_empty()),
            "{source}"
        );
    }
    let personal = Expression::new("field(\"birthday\") = \"1 May\"");
    assert_eq!(personal.check(&schema, Kind::Boolean).len(), 1);
}

#[test]
fn months_of_a_contract_are_counted_from_its_first_day() {
    for (start, on, months) in [
        ("2012-01-31", "2012-02-28", 0),
        ("2012-01-31", "2012-02-29", 1),
        ("2012-01-31", "2012-03-30", 1),
        ("2012-01-31", "2012-03-31", 2),
        ("2012-05-01", "2012-05-01", 0),
        ("2012-05-02", "2012-05-01", 0),
        ("2011-11-15", "2012-05-14", 5),
        ("2011-11-15", "2012-05-15", 6),
    ] {
        assert_eq!(whole_months(d(start), d(on)), months, "{start} to {on}");
    }
}
