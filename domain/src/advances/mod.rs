//! Advances: money asked for before the supply, with its tax, and taken off what the supply is invoiced for.
//!
//! - An advance is invoiced when it is asked for, with its tax and the number of an invoice of an advance. It is no revenue.
//! - Or it is requested first: the request has a number of its own, books nothing, and is followed by the invoice once it is paid.
//! - A document of what it is for shows the whole supply and takes off the advance with its tax, by tax and rate. What is taken
//!   off, credited and left always makes the advance, tax included, to the cent.
//! - Nothing is taken off twice: what a document took is gone until that document is void.
//! - What is left when it is closed goes back by a credit note. What was taken off cannot be credited or voided any more.

pub mod audit;

use crate::events;
use crate::kernel::{Date, Decider, Exact, Id, Money, Rejection, Rounding};
use crate::taxes::Answer;
use serde::{Deserialize, Serialize};

/// Most lines of one advance.
pub const LINES_MAX: usize = 50;
/// Longest text of a line, in bytes.
pub const TEXT_MAX: usize = 200;

/// One line of what is asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    pub text: String,
    /// Without tax, above zero.
    pub amount: Money,
    pub tax_class: String,
}

/// What is agreed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Who pays it.
    pub account: Id,
    /// It is for what this subscription is billed; none: not for one alone.
    pub subscription: Option<Id>,
    /// It is for subscriptions of this order; none: not for one alone.
    pub order: Option<String>,
    pub lines: Vec<Wanted>,
    /// It is taken off only once it is paid whole; else as soon as it is invoiced.
    pub once_paid: bool,
}

/// What there is of one tax and rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub tax: Answer,
    pub net: Money,
    /// The tax that goes with it.
    pub amount: Money,
}

/// What becomes of the rest when an advance is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// It is account credit, as far as it was paid.
    #[default]
    Credit,
    /// It is paid out, as far as it was paid and nothing else is open.
    Refund,
}

/// See the module. Stream id: the advance's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Advance {
    pub terms: Option<Terms>,
    /// What asked for it before it was invoiced.
    pub requested: Option<Requested>,
    /// Its own document; empty: it is not invoiced yet.
    pub invoice: Id,
    pub rounding: Rounding,
    /// What was invoiced.
    pub parts: Vec<Part>,
    /// What documents took off, by document.
    pub taken: Vec<(Id, Part)>,
    /// What credit notes gave back of it, by note.
    pub credited: Vec<(Id, Part)>,
    pub closed: Option<Closed>,
}

/// It was asked for by a document that is no invoice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requested {
    pub terms: Terms,
    /// The request.
    pub document: Id,
    /// What has to come in, with the tax of that day.
    pub total: Money,
    pub on: Date,
}

/// It was invoiced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub terms: Terms,
    pub invoice: Id,
    pub rounding: Rounding,
    pub parts: Vec<Part>,
    pub on: Date,
}

/// A document took it off what it asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deducted {
    pub document: Id,
    pub parts: Vec<Part>,
}

/// That document is void, or was never sent: it can be taken off again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Returned {
    pub document: Id,
}

/// A credit note gave some of it back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Credited {
    pub note: Id,
    pub parts: Vec<Part>,
}

/// Nothing of it is taken off any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closed {
    pub rest: Rest,
    /// The note over what was left; none: nothing was.
    pub note: Option<Id>,
    pub reason: String,
    pub on: Date,
}

events! {
    /// What happens to an advance.
    pub enum Event in "advance" {
        Asked = "asked" 1,
        Deducted = "deducted" 1,
        Returned = "returned" 1,
        Credited = "credited" 1,
        Closed = "closed" 1,
        Requested = "requested" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Request(Box<Requested>),
    Ask(Box<Asked>),
    /// What was requested.
    Invoice(Box<Asked>),
    Deduct(Deducted),
    Return {
        document: Id,
    },
    Credit(Credited),
    Close(Closed),
}

impl Advance {
    /// What is left of a tax and rate, tax included.
    pub fn left(&self, tax: &Answer) -> Option<Part> {
        let mut left = self.parts.iter().find(|p| p.tax == *tax)?.clone();
        let gone = self.taken.iter().chain(&self.credited);
        for (_, part) in gone.filter(|(_, p)| p.tax == *tax) {
            left.net = left.net.minus(part.net);
            left.amount = left.amount.minus(part.amount);
        }
        Some(left)
    }

    /// What is left of everything.
    pub fn rest(&self) -> Vec<Part> {
        let left = self.parts.iter().filter_map(|p| self.left(&p.tax));
        left.filter(|p| !p.net.is_zero() || !p.amount.is_zero())
            .collect()
    }

    /// A share of what is left: its tax is what the rest does not need, so that the last share brings it all.
    pub fn share(left: &Part, net: Money, rounding: Rounding) -> Result<Part, Rejection> {
        let after = left.net.minus(net);
        let exact = after.exact().times(Exact::from(left.tax.rate))?;
        let kept = Money::round(exact, net.currency, rounding)?;
        let kept = if after.is_zero() { after } else { kept };
        Ok(Part {
            tax: left.tax.clone(),
            net,
            amount: left.amount.minus(kept),
        })
    }

    /// Whether a document can still take it off.
    pub fn is_open(&self) -> bool {
        self.terms.is_some() && self.closed.is_none()
    }

    /// The request that waits for its money: it is neither invoiced nor closed.
    pub fn waiting(&self) -> Option<&Requested> {
        let waits = self.invoice.is_empty() && self.closed.is_none();
        self.requested.as_ref().filter(|_| waits)
    }
}

impl Decider for Advance {
    type State = Advance;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Advance, command: Command) -> Result<Vec<Event>, Rejection> {
        match (command, &state.terms) {
            (Command::Invoice(asked), Some(_)) => match state.waiting() {
                Some(_) => Ok(vec![(*asked).into()]),
                None => Err(Rejection::new(
                    "ADVANCE_INVOICED",
                    format!("this advance is invoiced already, by {}", state.invoice),
                )),
            },
            (Command::Ask(_) | Command::Request(_), Some(_)) => Err(Rejection::new(
                "ADVANCE_EXISTS",
                "this advance was asked for already",
            )),
            (Command::Request(requested), None) => {
                check(&requested.terms)?;
                Ok(vec![(*requested).into()])
            }
            (Command::Ask(asked), None) => {
                check(&asked.terms)?;
                Ok(vec![(*asked).into()])
            }
            (_, None) => Err(Rejection::new(
                "ADVANCE_UNKNOWN",
                "there is no such advance",
            )),
            (Command::Deduct(deducted), Some(_)) => {
                open(state)?;
                within(state, &deducted.parts, "taken off")?;
                Ok(vec![deducted.into()])
            }
            (Command::Return { document }, Some(_)) => {
                let known = state.taken.iter().any(|(d, _)| *d == document);
                Ok(match known {
                    true => vec![Returned { document }.into()],
                    false => vec![],
                })
            }
            (Command::Credit(credited), Some(_)) => {
                within(state, &credited.parts, "credited")?;
                Ok(vec![credited.into()])
            }
            (Command::Close(closed), Some(_)) => {
                open(state)?;
                Ok(vec![closed.into()])
            }
        }
    }

    fn evolve(state: &mut Advance, event: &Event) {
        match event {
            Event::Requested(e) => {
                state.terms = Some(e.terms.clone());
                state.requested = Some(e.clone());
            }
            Event::Asked(e) => {
                state.terms = Some(e.terms.clone());
                state.invoice.clone_from(&e.invoice);
                state.rounding = e.rounding;
                state.parts.clone_from(&e.parts);
            }
            Event::Deducted(e) => {
                let parts = e.parts.iter().cloned();
                state.taken.extend(parts.map(|p| (e.document.clone(), p)));
            }
            Event::Returned(e) => state.taken.retain(|(d, _)| *d != e.document),
            Event::Credited(e) => {
                let parts = e.parts.iter().cloned();
                state.credited.extend(parts.map(|p| (e.note.clone(), p)));
            }
            Event::Closed(e) => state.closed = Some(e.clone()),
        }
    }
}

fn open(state: &Advance) -> Result<(), Rejection> {
    match &state.closed {
        None => Ok(()),
        Some(closed) => Err(is_closed(closed)),
    }
}

/// It ended already.
pub(crate) fn is_closed(closed: &Closed) -> Rejection {
    Rejection::new(
        "ADVANCE_CLOSED",
        format!("this advance is closed: {}", closed.reason),
    )
}

/// Refuses what is more than there is left of its tax and rate.
fn within(state: &Advance, parts: &[Part], what: &str) -> Result<(), Rejection> {
    let mut next = state.clone();
    for part in parts {
        let left = next.left(&part.tax);
        let fits = left.as_ref().is_some_and(|left| {
            part.net.currency == left.net.currency
                && !part.net.is_negative()
                && part.net.minor <= left.net.minor
        });
        if !fits {
            let left = left.map_or("nothing".to_string(), |left| left.net.to_string());
            return Err(Rejection::new(
                "ADVANCE_EXCEEDED",
                format!(
                    "{left} of {} is left of this advance, {} would be {what}",
                    part.tax.name, part.net
                ),
            ));
        }
        next.taken.push((Id::new(), part.clone()));
    }
    Ok(())
}

fn check(terms: &Terms) -> Result<(), Rejection> {
    let invalid = |why: String| Err(Rejection::new("ADVANCE_INVALID", why));
    let lines = terms.lines.len();
    if lines == 0 || lines > LINES_MAX {
        return invalid(format!(
            "an advance has 1 to {LINES_MAX} lines, not {lines}"
        ));
    }
    for line in &terms.lines {
        if !line.amount.is_positive() {
            return invalid(format!("an advance of {} is not above zero", line.amount));
        }
        if line.text.trim().is_empty() || line.text.len() > TEXT_MAX {
            return invalid(format!(
                "a line is named by 1 to {TEXT_MAX} bytes, {} were given",
                line.text.len()
            ));
        }
    }
    match (&terms.subscription, &terms.order) {
        (Some(_), Some(_)) => invalid("it is for a subscription or for an order, not both".into()),
        _ => Ok(()),
    }
}
