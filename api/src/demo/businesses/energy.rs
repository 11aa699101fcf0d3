//! The energy retailer: a house with solar panels, other houses, and a plant, metered every five or thirty minutes.

use super::{Business, Contract, Seller, Step, day, in_order, opening};
use crate::demo::generator::{Like, Site};
use chrono::NaiveDate;

pub const ENTITY: &str = "energy";

const SELLER: Seller<'_> = Seller {
    name: "Southern Grid Retail Pty Ltd",
    country: "AU",
    currency: "AUD",
    zone: "Australia/Sydney",
    payment_days: 14,
    prefix: "SG-",
};

const CUSTOMERS: [(&str, &str, Like); 7] = [
    ("NMI1234567", "Banksia House", Like::Solar),
    ("VABD000163", "Wattle Street 12", Like::House),
    ("VABD000164", "Wattle Street 14", Like::House),
    ("VABD000165", "Jarrah Bakery", Like::House),
    ("VABD000166", "Karri Corner Shop", Like::House),
    ("VABD000167", "Mulga Cottage", Like::House),
    ("CCCC123456", "Ironbark Joinery", Like::Plant),
];

pub fn account(n: usize) -> String {
    format!("energy-{n}")
}

pub fn sites() -> Vec<Site> {
    let site = |(n, (nmi, _, like)): (usize, &(&str, &str, Like))| Site {
        nmi: (*nmi).to_string(),
        like: *like,
        from: joined(n + 1),
    };
    CUSTOMERS.iter().enumerate().map(site).collect()
}

pub fn business() -> Business {
    let mut steps = Vec::new();
    for (i, (nmi, name, like)) in CUSTOMERS.iter().enumerate() {
        let n = i + 1;
        let terms = Box::new(SELLER.customer(ENTITY));
        steps.push((
            joined(n),
            Step::Open {
                account: account(n),
                terms,
                name: (*name).to_string(),
            },
        ));
        let contract = Contract {
            subscription: format!("energy-{n}-supply"),
            account: account(n),
            offer: if *like == Like::Plant {
                "energy-business"
            } else {
                "energy-home"
            },
            quantity: 1,
            access: vec![(*nmi).to_string()],
        };
        steps.push((joined(n), Step::Subscribe(contract)));
    }
    Business {
        entity: ENTITY,
        terms: SELLER.terms(),
        taxes: vec![SELLER.tax("GST", "0.10")],
        steps: in_order(steps),
    }
}

fn joined(customer: usize) -> NaiveDate {
    if customer == 6 {
        day(2026, 12, 7)
    } else {
        opening()
    }
}
