//! The mobile operator: sixty numbers, one of them prepaid; people who join, leave, upgrade, pause and pay for others.

use super::{Business, Contract, Seller, Step, act, currency, day, in_order, name, opening};
use chrono::NaiveDate;
use indelible_domain::Command;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::command::{ChangeSubscription, Effective};
use indelible_domain::kernel::Money;
use indelible_domain::subscriptions::Unused;
use std::collections::BTreeMap;

pub const ENTITY: &str = "mobile";
/// Pays by wallet.
pub const PREPAID: u32 = 13;
const NUMBERS: u32 = 60;
/// Pays for the next two.
const PARENT: u32 = 30;
/// Leaves at the end of the year and comes back in February.
const RETURNING: u32 = 42;

const SELLER: Seller<'_> = Seller {
    name: "Nordfunk Mobil GmbH",
    country: "DE",
    currency: "EUR",
    zone: "Europe/Berlin",
    payment_days: 14,
    prefix: "NM-",
};

pub fn business() -> Business {
    let mut steps = Vec::new();
    for n in 0..NUMBERS {
        steps.extend(joins(n).into_iter().map(|step| (joined(n), step)));
    }
    steps.extend(changes());
    Business {
        entity: ENTITY,
        terms: SELLER.terms(),
        taxes: vec![SELLER.tax("VAT", "0.19")],
        steps: in_order(steps),
    }
}

pub fn account(n: u32) -> String {
    format!("mobile-{n:02}")
}

fn subscription(n: u32) -> String {
    format!("mobile-{n:02}-line")
}

fn msisdn(n: u32) -> String {
    format!("4917000000{n:02}")
}

/// Whether a number can make calls on a day; calls of others are what the generator calls strangers.
pub fn reachable(number: &str, on: NaiveDate) -> bool {
    let n: Option<u32> = number
        .strip_prefix("4917000000")
        .and_then(|n| n.parse().ok());
    n.is_some_and(|n| {
        joined(n) <= on
            && left(n).is_none_or(|left| on < left || (n == RETURNING && on >= returned()))
    })
}

fn joined(n: u32) -> NaiveDate {
    match n {
        50 => day(2026, 11, 10),
        51 | 52 => day(2026, 12, 1),
        53 => day(2027, 1, 20),
        54 => day(2027, 2, 5),
        _ => opening(),
    }
}

fn left(n: u32) -> Option<NaiveDate> {
    match n {
        40 => Some(day(2026, 12, 18)),
        RETURNING => Some(day(2027, 1, 1)),
        41 => Some(day(2027, 3, 1)),
        _ => None,
    }
}

fn returned() -> NaiveDate {
    day(2027, 2, 1)
}

fn offer(n: u32) -> &'static str {
    match n {
        PREPAID => "mobile-prepaid",
        n if n % 5 == 1 => "mobile-l",
        _ => "mobile-m",
    }
}

fn joins(n: u32) -> Vec<Step> {
    let own = SELLER.customer(ENTITY);
    let terms = match n {
        n if n == PARENT + 1 || n == PARENT + 2 => AccountTerms {
            payer: Some(account(PARENT)),
            ..own
        },
        _ => own,
    };
    const FIRST: [&str; 10] = [
        "Anna", "Bela", "Cem", "Dana", "Emil", "Finja", "Goran", "Hanna", "Ivo", "Jule",
    ];
    let holder = name(&FIRST, n as usize);
    let mut steps = vec![Step::Open {
        account: account(n),
        terms: Box::new(terms),
        name: holder,
    }];
    if n == PREPAID {
        steps.push(act(Command::OpenWallet {
            wallet: wallet(),
            account: account(n),
            priority: 1,
        }));
        steps.push(top_up("first", 1000));
    }
    steps.push(Step::Subscribe(Contract {
        subscription: subscription(n),
        account: account(n),
        offer: offer(n),
        quantity: 1,
        access: vec![msisdn(n)],
    }));
    steps
}

fn wallet() -> String {
    format!("mobile-{PREPAID:02}-wallet")
}

fn top_up(grant: &str, cents: i128) -> Step {
    let grant = format!("{}-{grant}", wallet());
    act(Command::TopUpWallet {
        wallet: wallet(),
        grant,
        amount: Money::new(cents, currency("EUR")),
        expires: None,
    })
}

/// Everything after joining.
fn changes() -> Vec<(NaiveDate, Step)> {
    let ends = |n, on| {
        let command = Command::TerminateSubscription {
            subscription: subscription(n),
            effective: Effective::On(on),
            unused: Unused::CreditProrata,
        };
        (on, act(command))
    };
    let comes_back = Step::Subscribe(Contract {
        subscription: format!("{}-2", subscription(RETURNING)),
        account: account(RETURNING),
        offer: "mobile-m",
        quantity: 1,
        access: vec![msisdn(RETURNING)],
    });
    let pauses = Command::PauseSubscription {
        subscription: subscription(22),
        reason: "abroad".to_string(),
        from: None,
    };
    let resumes = Command::ResumeSubscription {
        subscription: subscription(22),
        reason: "abroad".to_string(),
        on: None,
    };
    let goodwill = Command::AddCharge {
        account: account(8),
        charge: "sim-swap".to_string(),
        text: "Replacement SIM card".to_string(),
        amount: Money::new(750, currency("EUR")),
        on: None,
        tax_class: "standard".to_string(),
    };
    let mut steps = vec![
        (
            day(2026, 10, 20),
            change(25, "mobile-l", Effective::Immediate),
        ),
        (
            day(2026, 11, 16),
            change(20, "mobile-l", Effective::Immediate),
        ),
        (day(2026, 11, 19), act(goodwill)),
        // The wallet ran empty before: calls in between were rejected.
        (day(2026, 12, 8), top_up("second", 1500)),
        (day(2026, 12, 10), act(pauses)),
        (
            day(2027, 1, 11),
            change(21, "mobile-m", Effective::EndOfPeriod),
        ),
        (day(2027, 1, 15), act(resumes)),
        (returned(), comes_back),
        (
            day(2027, 2, 10),
            change(33, "mobile-l", Effective::Immediate),
        ),
        (day(2027, 3, 1), top_up("third", 1500)),
    ];
    steps.extend((0..NUMBERS).filter_map(|n| left(n).map(|on| ends(n, on))));
    steps
}

fn change(n: u32, offer: &str, effective: Effective) -> Step {
    act(Command::ChangeSubscription(Box::new(ChangeSubscription {
        subscription: subscription(n),
        offer: Some(offer.to_string()),
        quantity: None,
        billing_day: None,
        overrides: BTreeMap::new(),
        effective,
        unused: Unused::CreditProrata,
    })))
}
