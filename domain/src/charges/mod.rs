//! What was billed for one subscription or account, line by line: the memory that makes billing twice impossible.
//!
//! The stream's id is the subscription's, or the account's for charges that belong to no subscription.
//!
//! - A day of a recurring charge is held by at most one billed line at a time (policy 24).
//! - A line is never edited: unused days come back as credits, adjustments as credit notes, a voided invoice releases.
//! - Credits and adjustments of a line never exceed it.
//! - Documents that count on each other's days are voided latest first.

mod balance;
mod beyond;
pub mod committed;
pub mod due;
pub mod explained;
mod memory;
pub mod used;
pub mod worth;

use crate::catalog::Timing;
use crate::events;
use crate::kernel::{Date, Days, Decider, Decimal, Exact, Id, Money, Rejection, Roll, ShortRoll};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a billed line is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// Days of a recurring charge. `full` is the amount of the whole period.
    Recurring {
        charge: String,
        days: Days,
        period: Days,
        full: Exact,
        timing: Timing,
    },
    /// Unused days of an earlier line given back; the net is negative, or zero where the contract gives nothing back.
    Credit {
        invoice: Id,
        line: u32,
        charge: String,
        days: Days,
    },
    /// A period of a usage charge; a second line for the same period is the exact difference (policy 15).
    Usage { charge: String, days: Days },
    /// A one-off charge of the offer.
    OneOff { code: String, on: Date },
    /// A charge added by hand or by a process (late fee), by its id.
    Added { charge: Id, on: Date },
    /// Something to be put into a wallet; it is there once this is paid.
    TopUp { wallet: Id, grant: Id, on: Date },
    /// What a discount took off the line with the same number; only remembered here, never a line of its own.
    Reduction { redemption: Id, charge: String },
    /// What a commitment's period lacks of its minimum; a second line for the same period is the exact difference.
    TrueUp { commitment: String, days: Days },
    /// What a commitment's period has beyond its maximum, taken off.
    Cap { commitment: String, days: Days },
    /// Money asked for before the supply.
    Advance { advance: Id, on: Date },
    /// An advance taken off what it was for; `tax`, positive, is what of its tax goes with it.
    Deducted { advance: Id, tax: Money },
}

impl What {
    /// Code of the charge.
    pub fn charge(&self) -> &str {
        match self {
            What::Recurring { charge, .. }
            | What::Credit { charge, .. }
            | What::Usage { charge, .. }
            | What::Added { charge, .. }
            | What::Reduction { charge, .. } => charge,
            What::TrueUp { commitment, .. } | What::Cap { commitment, .. } => commitment,
            What::OneOff { code, .. } => code,
            What::TopUp { grant, .. } => grant,
            What::Advance { advance, .. } | What::Deducted { advance, .. } => advance,
        }
    }

    /// The service period, where there is one.
    pub fn days(&self) -> Option<Days> {
        match self {
            What::Recurring { days, .. }
            | What::Credit { days, .. }
            | What::Usage { days, .. }
            | What::TrueUp { days, .. }
            | What::Cap { days, .. } => Some(*days),
            What::OneOff { .. }
            | What::Added { .. }
            | What::TopUp { .. }
            | What::Reduction { .. }
            | What::Advance { .. }
            | What::Deducted { .. } => None,
        }
    }
}

/// A billed line, as this stream remembers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub invoice: Id,
    pub line: u32,
    pub what: What,
    pub net: Money,
}

/// A charge waiting for the next invoice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    pub charge: Id,
    pub text: String,
    pub amount: Money,
    pub on: Date,
    pub tax_class: String,
}

/// How an ad hoc charge of an offer came to its amount.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Code of the offer's one-off charge.
    pub code: String,
    pub quantity: Decimal,
    /// Of one.
    pub price: Decimal,
    /// Before rounding.
    pub exact: Exact,
    /// Which rule the price follows from, in words.
    pub why: String,
    /// Code of the revenue account; none: one-off revenue.
    pub account: Option<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Charges {
    pub items: ShortRoll<Item>,
    /// Up to which day the items until each one reach: what was billed for long past days need not be looked at.
    reach: Roll<Date>,
    pub pending: Vec<Pending>,
    /// What more is known of pending charges that an offer prices.
    pub orders: BTreeMap<Id, Order>,
    /// What credit notes took off a line: (invoice, line) and the sum so far, positive.
    pub adjusted: Vec<(Id, u32, Money)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Added {
    pub pending: Pending,
}

/// A charge that the offer prices, asked for one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ordered {
    pub pending: Pending,
    pub order: Order,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cancelled {
    pub charge: Id,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Billed {
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Released {
    pub invoice: Id,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adjusted {
    pub invoice: Id,
    pub line: u32,
    /// Positive: taken off the line.
    pub amount: Money,
}

events! {
    /// What happens to the charges of a subscription or account.
    pub enum Event in "charge" {
        Added = "added" 1,
        Cancelled = "cancelled" 1,
        Billed = "billed" 1,
        Released = "released" 1,
        Adjusted = "adjusted" 1,
        Ordered = "ordered" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Add(Pending),
    Order(Box<Ordered>),
    Cancel {
        charge: Id,
    },
    Bill {
        items: Vec<Item>,
    },
    Release {
        invoice: Id,
    },
    Adjust {
        invoice: Id,
        line: u32,
        amount: Money,
    },
}

impl Decider for Charges {
    type State = Charges;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Charges, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Add(pending) => {
                unknown(state, &pending)?;
                Ok(vec![Added { pending }.into()])
            }
            Command::Order(ordered) => {
                unknown(state, &ordered.pending)?;
                Ok(vec![(*ordered).into()])
            }
            Command::Cancel { charge } if state.pending.iter().any(|p| p.charge == charge) => {
                Ok(vec![Cancelled { charge }.into()])
            }
            Command::Cancel { charge } => Err(Rejection::new(
                "CHARGE_NOT_PENDING",
                format!("charge {charge} is not waiting to be billed"),
            )),
            Command::Bill { items } => bill(state, items),
            Command::Release { invoice } => release(state, invoice),
            Command::Adjust {
                invoice,
                line,
                amount,
            } => adjust(state, invoice, line, amount),
        }
    }

    fn evolve(state: &mut Charges, event: &Event) {
        match event {
            Event::Added(e) => state.pending.push(e.pending.clone()),
            Event::Ordered(e) => {
                state
                    .orders
                    .insert(e.pending.charge.clone(), e.order.clone());
                state.pending.push(e.pending.clone());
            }
            Event::Cancelled(e) => state.pending.retain(|p| p.charge != e.charge),
            Event::Billed(e) => {
                for item in &e.items {
                    state.push(item.clone());
                }
            }
            Event::Released(e) => state.forget(&e.invoice),
            Event::Adjusted(e) => state.adjusted.push((e.invoice.clone(), e.line, e.amount)),
        }
    }
}

fn unknown(state: &Charges, pending: &Pending) -> Result<(), Rejection> {
    let known = state.pending.iter().any(|p| p.charge == pending.charge)
        || state
            .items
            .iter()
            .any(|i| matches!(&i.what, What::Added { charge, .. } if *charge == pending.charge));
    if known {
        return Err(Rejection::new(
            "CHARGE_EXISTS",
            format!("charge {} was already added", pending.charge),
        ));
    }
    Ok(())
}

/// The guard of policy 24: whatever asked for it, days that a line holds are not billed again, and nothing gives back
/// more than was billed.
fn bill(state: &Charges, items: Vec<Item>) -> Result<Vec<Event>, Rejection> {
    let mut next = state.clone();
    for item in &items {
        match &item.what {
            What::Recurring { charge, days, .. } => {
                if next.holder(charge, *days).is_some() {
                    return Err(Rejection::new(
                        "BILLED_TWICE",
                        format!("charge {charge} is already billed for days within {days}"),
                    ));
                }
            }
            What::OneOff { code, on } if next.items.iter().any(|i| i.what == item.what) => {
                return Err(Rejection::new(
                    "BILLED_TWICE",
                    format!("one-off charge {code} of {on} is already billed"),
                ));
            }
            What::Added { charge, .. } if next.items.iter().any(|i| i.what == item.what) => {
                return Err(Rejection::new(
                    "BILLED_TWICE",
                    format!("charge {charge} is already billed"),
                ));
            }
            What::Credit { invoice, line, .. } => {
                let origin = next
                    .items
                    .iter()
                    .find(|i| i.invoice == *invoice && i.line == *line);
                if origin.is_none_or(|o| next.left(o).plus(item.net).is_negative()) {
                    return Err(Rejection::new(
                        "CREDIT_TOO_LARGE",
                        format!(
                            "a credit of {} exceeds what is left of line {line} of {invoice}",
                            item.net
                        ),
                    ));
                }
            }
            What::TopUp { wallet, grant, .. } if next.items.iter().any(|i| i.what == item.what) => {
                return Err(Rejection::new(
                    "BILLED_TWICE",
                    format!("top-up {grant} of wallet {wallet} is already billed"),
                ));
            }
            // Its document may have several lines of it.
            What::Advance { advance, .. } if state.items.iter().any(|i| i.what == item.what) => {
                return Err(Rejection::new(
                    "BILLED_TWICE",
                    format!("advance {advance} is already billed"),
                ));
            }
            What::Advance { .. }
            | What::Deducted { .. }
            | What::OneOff { .. }
            | What::Added { .. }
            | What::Usage { .. }
            | What::TopUp { .. }
            | What::Reduction { .. }
            | What::TrueUp { .. }
            | What::Cap { .. } => {}
        }
        next.push(item.clone());
    }
    Ok(if items.is_empty() {
        vec![]
    } else {
        vec![Billed { items }.into()]
    })
}

/// What a void document billed is due again, and what it gave back is held again by the lines it took it off. So it stays
/// while a later document counts on it: one that bills the days it freed, or one that gives back what it billed (policy 24).
fn release(state: &Charges, invoice: Id) -> Result<Vec<Event>, Rejection> {
    if state.items.iter().all(|i| i.invoice != invoice) {
        return Ok(vec![]);
    }
    let gives_back = |i: &&Item| matches!(&i.what, What::Credit { invoice: of, .. } if *of == invoice && !i.net.is_zero());
    if let Some(later) = state.items.iter().find(gives_back) {
        return Err(Rejection::new(
            "DAYS_GIVEN_BACK",
            format!(
                "document {} gives back days that {invoice} billed: void that one first",
                later.invoice
            ),
        ));
    }
    let mut next = state.clone();
    next.forget(&invoice);
    for item in state.items.iter().filter(|i| i.invoice == invoice) {
        let What::Credit {
            invoice: of,
            line,
            charge,
            days,
        } = &item.what
        else {
            continue;
        };
        let back = |i: &Item| i.invoice == *of && i.line == *line;
        if !next.items.iter().any(back) {
            continue;
        }
        // Looked for beside the line itself, which holds them again.
        let mut others = next.clone();
        others.retain(|i| !back(i));
        if let Some(later) = others.holder(charge, *days) {
            return Err(Rejection::new(
                "DAYS_BILLED_AGAIN",
                format!(
                    "days within {days} that {invoice} gave back were billed again by {}: void that one first",
                    later.invoice
                ),
            ));
        }
    }
    Ok(vec![Released { invoice }.into()])
}

fn adjust(state: &Charges, invoice: Id, line: u32, amount: Money) -> Result<Vec<Event>, Rejection> {
    let Some(item) = state
        .items
        .iter()
        .find(|i| i.invoice == invoice && i.line == line)
    else {
        return Err(Rejection::new(
            "LINE_UNKNOWN",
            format!("invoice {invoice} has no line {line} here"),
        ));
    };
    let left = state.left(item);
    if amount.minor <= 0 || amount.minor > left.minor {
        return Err(Rejection::new(
            "ADJUSTMENT_TOO_LARGE",
            format!("line {line} of {invoice} has {left} left, asked to take off {amount}"),
        ));
    }
    Ok(vec![
        Adjusted {
            invoice,
            line,
            amount,
        }
        .into(),
    ])
}
