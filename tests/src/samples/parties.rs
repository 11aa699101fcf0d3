//! Who sells, what is sold, who buys, and which tax applies.

use super::{currency, date, decimal, sealed};
use indelible_domain::Event;
use indelible_domain::accounts::{self, AccountTerms};
use indelible_domain::catalog::{
    self, Aggregate, Align, Anchor, Dynamic, Moment, Offer, OneOff, Package, Pay, Percentage,
    Price, PriceList, PriceTerm, Prorate, RateTier, Recurring, Text, Tier, Timing, Usage, Window,
};
use indelible_domain::contracts::{self, Agreement};
use indelible_domain::entities::{self, Closing, EntityTerms, Late, Retention};
use indelible_domain::kernel::{Purpose, Rounding, Span};
use indelible_domain::messages::Channel;
use indelible_domain::taxes::{self, Rate};

pub(super) fn events() -> Vec<Event> {
    vec![
        Event::Entity(entities::Opened { terms: entity() }.into()),
        Event::Entity(
            entities::Changed {
                terms: EntityTerms {
                    payment_days: 30,
                    rounding: Rounding::HalfEven,
                    dunning_policy: None,
                    ..entity()
                },
            }
            .into(),
        ),
        Event::Entity(
            entities::RetentionSet {
                rule: Retention {
                    from: date("2025-01-01"),
                    years: 8,
                },
            }
            .into(),
        ),
        Event::Entity(
            entities::PeriodClosed {
                closing: Closing {
                    open_from: date("2026-10-01"),
                    late: Late::FirstWeekday(7),
                },
            }
            .into(),
        ),
        Event::Entity(
            entities::PeriodReopened {
                closing: Closing {
                    open_from: date("2026-09-15"),
                    late: Late::Day(31),
                },
                reason: "audit of September".to_string(),
            }
            .into(),
        ),
        Event::Tax(
            taxes::RateSet {
                rate: Rate {
                    name: "VAT".to_string(),
                    category: "standard".to_string(),
                    class: "*".to_string(),
                    seller: "DE".to_string(),
                    buyer: "DE".to_string(),
                    rate: decimal("0.19"),
                    from: date("2026-01-01"),
                    parts: vec![
                        taxes::TaxPart {
                            name: "federal".to_string(),
                            rate: decimal("0.05"),
                        },
                        taxes::TaxPart {
                            name: "state".to_string(),
                            rate: decimal("0.14"),
                        },
                    ],
                },
            }
            .into(),
        ),
        Event::Catalog(
            catalog::OfferPublished {
                offer: offer().into(),
            }
            .into(),
        ),
        Event::Catalog(
            catalog::OfferClassified {
                offer: offer().code,
                product_line: "mobile".to_string(),
            }
            .into(),
        ),
        Event::Catalog(
            catalog::PriceListPublished {
                list: Text::new(price_list()),
            }
            .into(),
        ),
        Event::Catalog(
            catalog::OfferRetired {
                offer: offer().code,
                from: date("2027-01-01"),
            }
            .into(),
        ),
        Event::Catalog(
            catalog::OfferReopened {
                offer: offer().code,
            }
            .into(),
        ),
        Event::Catalog(
            catalog::OfferDeleted {
                offer: offer().code,
            }
            .into(),
        ),
        Event::Contract(
            contracts::Agreed {
                agreement: Text::new(Agreement {
                    account: "acme".to_string(),
                    name: "Frame 2027".to_string(),
                    from: date("2027-01-01"),
                    until: Some(date("2028-01-01")),
                    terms: price_list().items,
                }),
            }
            .into(),
        ),
        Event::Contract(
            contracts::Ended {
                on: date("2027-07-01"),
            }
            .into(),
        ),
        Event::Account(accounts::Opened { terms: account() }.into()),
        Event::Account(
            accounts::Changed {
                terms: AccountTerms {
                    billing_day: None,
                    payment_days: None,
                    payer: None,
                    dunning_policy: None,
                    contact: None,
                    buyer: None,
                    group: None,
                    language: None,
                    channel: None,
                    ..account()
                },
            }
            .into(),
        ),
        Event::Account(
            accounts::Forgotten {
                purposes: [Purpose::Contact, Purpose::LegalDocument, Purpose::UsageRaw].into(),
                keys: ["key-1".to_string(), "key-2".to_string()].into(),
                unlinked: [("alice-1".to_string(), vec!["5e1f".to_string()])].into(),
                on: date("2037-01-01"),
                by: "key:privacy".to_string(),
            }
            .into(),
        ),
    ]
}

fn entity() -> EntityTerms {
    EntityTerms {
        name: "Nordlicht Mobilfunk GmbH".to_string(),
        country: "DE".to_string(),
        currency: currency("EUR"),
        zone: "Europe/Berlin".parse().expect("a zone"),
        rounding: Rounding::HalfUp,
        payment_days: 14,
        number_prefix: "NL-".to_string(),
        dunning_policy: Some("default".to_string()),
    }
}

fn account() -> AccountTerms {
    AccountTerms {
        entity: "nordlicht".to_string(),
        currency: currency("EUR"),
        zone: "Europe/Berlin".parse().expect("a zone"),
        billing_day: Some(15),
        payment_days: Some(10),
        country: "AT".to_string(),
        tax_category: "standard".to_string(),
        payer: Some("alice-holding".to_string()),
        dunning_policy: Some("strict".to_string()),
        contact: Some(sealed()),
        buyer: Some(sealed()),
        group: Some("key-account".to_string()),
        language: Some("de-AT".to_string()),
        channel: Some(Channel::Letter),
    }
}

/// An offer with every kind of charge, setting and price model.
pub(super) fn offer() -> Offer {
    Offer {
        code: "mobile-m".to_string(),
        name: "Mobile M".to_string(),
        currency: currency("EUR"),
        version: 3,
        trial: Some(Span::days(30)),
        one_off: vec![
            one_off("activation", Moment::Activation),
            one_off("leaving", Moment::Termination),
        ],
        recurring: vec![
            Recurring {
                code: "fee".to_string(),
                name: "Monthly fee".to_string(),
                price: Price::Flat(decimal("19.90")),
                every: Span::months(1),
                timing: Timing::Advance,
                align: Align::BillingDay,
                anchor: Anchor::Subscription,
                prorate: Prorate::Day,
                ..Recurring::default()
            },
            Recurring {
                code: "seats".to_string(),
                name: "Seats".to_string(),
                price: Price::PerUnit(decimal("2.5")),
                every: Span::days(14),
                timing: Timing::Arrears,
                align: Align::Anniversary,
                anchor: Anchor::Charge,
                prorate: Prorate::None,
                after: Some(Span::months(6)),
                lasts: Some(Span::months(3)),
                tax_class: "reduced".to_string(),
                ..Recurring::default()
            },
        ],
        usage: prices()
            .into_iter()
            .enumerate()
            .map(|(i, price)| usage(i, price))
            .collect(),
        ..Offer::default()
    }
}

fn price_list() -> PriceList {
    let term = |charge: Option<&str>| PriceTerm {
        offer: "mobile-m".to_string(),
        charge: charge.map(str::to_string),
        ..PriceTerm::default()
    };
    PriceList {
        code: "gold-de".to_string(),
        name: "Gold".to_string(),
        currency: currency("EUR"),
        seller: Some("acme".to_string()),
        country: Some("DE".to_string()),
        group: Some("gold".to_string()),
        from: Some(date("2027-01-01")),
        until: Some(date("2028-01-01")),
        items: vec![
            PriceTerm {
                price: Some(Price::Flat(decimal("17.90"))),
                ..term(Some("fee"))
            },
            PriceTerm {
                amount: Some(decimal("0")),
                ..term(Some("activation"))
            },
            PriceTerm {
                percent: Some(decimal("-12.5")),
                ..term(None)
            },
        ],
    }
}

fn one_off(code: &str, on: Moment) -> OneOff {
    OneOff {
        code: code.to_string(),
        name: format!("Fee for {code}"),
        amount: decimal("9.90"),
        on,
        tax_class: "standard".to_string(),
        ..OneOff::default()
    }
}

/// Every price model, in the order of the enum: their stored numbers must not move.
fn prices() -> Vec<Price> {
    let tiers = vec![
        Tier {
            up_to: Some(decimal("100")),
            unit: decimal("0.05"),
            flat: decimal("2"),
            block: None,
        },
        Tier {
            up_to: None,
            unit: decimal("0.03"),
            flat: decimal("0"),
            block: Some(decimal("10")),
        },
    ];
    vec![
        Price::Flat(decimal("10")),
        Price::PerUnit(decimal("0.000000000001")),
        Price::Package(Package {
            size: decimal("10"),
            price: decimal("100"),
            free: decimal("5"),
        }),
        Price::Graduated(tiers.clone()),
        Price::Volume(tiers),
        Price::Percentage(Percentage {
            rate: decimal("0.013"),
            fixed: decimal("2"),
            free_events: Some(3),
            free_amount: Some(decimal("250")),
            min: Some(decimal("1.75")),
            max: Some(decimal("12")),
        }),
        Price::GraduatedPercentage(vec![RateTier {
            up_to: Some(decimal("10")),
            rate: decimal("0.01"),
            flat: decimal("200"),
        }]),
        Price::Dynamic(Dynamic {
            multiplier: decimal("1.15"),
        }),
    ]
}

fn usage(i: usize, price: Price) -> Usage {
    let aggregates = [Aggregate::Sum, Aggregate::Max, Aggregate::Count];
    let aligns = [Align::Calendar, Align::Anniversary, Align::BillingDay];
    let pays = [Pay::Invoice, Pay::Wallet];
    Usage {
        code: format!("usage-{i}"),
        name: format!("Usage {i}"),
        metric: "voice".to_string(),
        unit: "minute".to_string(),
        per: Some(decimal("60")),
        aggregate: aggregates[i % aggregates.len()],
        allowance: Some(decimal("100")),
        price,
        every: Span::months(1),
        align: aligns[i % aligns.len()],
        pay: pays[i % pays.len()],
        filter: [("direction".to_string(), "mo".to_string())].into(),
        when: vec![Window {
            days: vec!["mon".to_string(), "fri".to_string()],
            from: "07:00".to_string(),
            until: "23:00".to_string(),
        }],
        ..Usage::default()
    }
}
