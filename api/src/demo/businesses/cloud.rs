//! The cloud reseller: the sub-accounts of a provider's bill, two dozen customers, support by seat.

use super::{Business, Contract, Seller, Step, act, day, in_order, opening};
use indelible_domain::Command;
use indelible_domain::command::{ChangeSubscription, Effective};
use indelible_domain::kernel::Decimal;
use indelible_domain::subscriptions::Unused;
use std::collections::{BTreeMap, BTreeSet};

pub const ENTITY: &str = "cloud";
const CUSTOMERS: usize = 24;

const SELLER: Seller<'_> = Seller {
    name: "Stratus Resale Inc.",
    country: "US",
    currency: "USD",
    zone: "America/New_York",
    payment_days: 30,
    prefix: "SR-",
};

pub fn account(n: usize) -> String {
    format!("cloud-{n:02}")
}

/// `sub_accounts` are dealt out to the customers in turn; each is a subscription of its own.
pub fn business(sub_accounts: &BTreeSet<String>) -> Business {
    let mut steps = Vec::new();
    for n in 1..=CUSTOMERS {
        const KIND: [&str; 6] = [
            "Analytics",
            "Robotics",
            "Logistics",
            "Media",
            "Health",
            "Games",
        ];
        const PLACE: [&str; 4] = ["Hudson", "Mohawk", "Seneca", "Oneida"];
        let name = format!("{} {} LLC", PLACE[n % PLACE.len()], KIND[n % KIND.len()]);
        let account = account(n);
        steps.push((
            opening(),
            Step::Open {
                account,
                terms: Box::new(SELLER.customer(ENTITY)),
                name,
            },
        ));
    }
    let mut dealt = BTreeMap::new();
    for (i, sub_account) in sub_accounts.iter().enumerate() {
        let customer = i % CUSTOMERS + 1;
        let count = dealt.entry(customer).or_insert(0);
        *count += 1;
        let contract = Contract {
            subscription: subscription(customer, *count),
            account: account(customer),
            offer: "cloud",
            quantity: i64::from(*count == 1) * 4 + 1,
            access: vec![sub_account.clone()],
        };
        steps.push((opening(), Step::Subscribe(contract)));
    }
    // One customer grows, one shrinks, one gives up a sub-account.
    steps.push((day(2026, 12, 1), seats(3, 12)));
    steps.push((day(2027, 1, 12), seats(8, 9)));
    steps.push((day(2027, 2, 1), seats(3, 7)));
    let gives_up = Command::TerminateSubscription {
        subscription: subscription(6, 2),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    };
    steps.push((day(2027, 1, 1), act(gives_up)));
    Business {
        entity: ENTITY,
        terms: SELLER.terms(),
        taxes: Vec::new(),
        steps: in_order(steps),
    }
}

fn subscription(customer: usize, count: i32) -> String {
    format!("cloud-{customer:02}-{count}")
}

fn seats(customer: usize, seats: i64) -> Step {
    act(Command::ChangeSubscription(Box::new(ChangeSubscription {
        subscription: subscription(customer, 1),
        offer: None,
        quantity: Some(Decimal::from(seats)),
        billing_day: None,
        overrides: BTreeMap::new(),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    })))
}
