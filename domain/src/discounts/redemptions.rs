//! The discounts that an account has, and what they took off so far. Stream id: the account's.

use super::{DiscountTerms, Lasts, Off, Used};
use crate::events;
use crate::kernel::{Date, Decider, Id, Money, Rejection};
use serde::{Deserialize, Serialize};

/// A discount that an account has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Redemption {
    pub id: Id,
    /// Code of the discount.
    pub discount: Id,
    /// As they were when it was redeemed.
    pub terms: DiscountTerms,
    /// Only of this subscription; none: of everything the account has.
    pub subscription: Option<Id>,
    /// Services from this day on.
    pub from: Date,
    /// Exclusive.
    pub until: Option<Date>,
    /// How many documents it took something off.
    pub times: u32,
    /// In minor units of the account's currency: what it took off in all.
    pub taken: i128,
}

impl Redemption {
    /// Whether it is for services of a day.
    pub fn holds(&self, on: Date) -> bool {
        self.from <= on && self.until.is_none_or(|until| on < until)
    }

    /// How much of a fixed amount is left for the next document; none for a percentage.
    pub fn budget(&self) -> Option<Money> {
        match (self.terms.off, self.terms.lasts) {
            (Off::Percent(_), _) => None,
            (Off::Fixed(amount), Lasts::Once) => Some(Money::new(
                amount.minor.saturating_sub(self.taken),
                amount.currency,
            )),
            (Off::Fixed(amount), _) => Some(amount),
        }
    }

    /// Whether it took everything off that it ever will.
    pub fn used_up(&self) -> bool {
        match (self.terms.off, self.terms.lasts) {
            (Off::Percent(_), Lasts::Once) => self.times > 0,
            (Off::Fixed(amount), Lasts::Once) => self.taken >= amount.minor,
            (_, Lasts::Times(n)) => self.times >= n,
            (_, Lasts::For(_) | Lasts::Forever) => false,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Redemptions {
    /// Oldest first.
    pub redeemed: Vec<Redemption>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Granted {
    pub redemption: Box<Redemption>,
}

/// It takes nothing off services of this day and later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    pub redemption: Id,
    pub on: Date,
}

/// A finalised document has these discounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    pub invoice: Id,
    pub used: Vec<Used>,
}

/// The document was voided: what it used can be used again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Returned {
    pub invoice: Id,
    pub used: Vec<Used>,
}

events! {
    /// What happens to the discounts of an account.
    pub enum Event in "redemption" {
        Granted = "granted" 1,
        Ended = "ended" 1,
        Taken = "taken" 1,
        Returned = "returned" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Grant(Box<Redemption>),
    End { redemption: Id, on: Date },
    Take { invoice: Id, used: Vec<Used> },
    Return { invoice: Id, used: Vec<Used> },
}

impl Decider for Redemptions {
    type State = Redemptions;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Redemptions, command: Command) -> Result<Vec<Event>, Rejection> {
        let find = |id: &str| state.redeemed.iter().find(|r| r.id == id);
        let unknown = |id: &str| {
            Rejection::new(
                "REDEMPTION_UNKNOWN",
                format!("the account has no discount redeemed as {id:?}"),
            )
        };
        match command {
            Command::Grant(redemption) => match find(&redemption.id) {
                Some(_) => Err(Rejection::new(
                    "REDEMPTION_EXISTS",
                    format!("{} was already redeemed", redemption.id),
                )),
                None => Ok(vec![Granted { redemption }.into()]),
            },
            Command::End { redemption, on } => {
                let known = find(&redemption).ok_or_else(|| unknown(&redemption))?;
                let earlier = known.until.is_some_and(|until| until <= on);
                Ok(if earlier {
                    vec![]
                } else {
                    vec![Ended { redemption, on }.into()]
                })
            }
            Command::Take { invoice, used } => {
                for u in &used {
                    let known = find(&u.redemption).ok_or_else(|| unknown(&u.redemption))?;
                    if known.used_up()
                        || known
                            .budget()
                            .is_some_and(|left| left.minor < u.amount.minor)
                    {
                        return Err(Rejection::new(
                            "DISCOUNT_USED_UP",
                            format!(
                                "{} has not the {} left that {invoice} asks for",
                                known.terms.name, u.amount
                            ),
                        ));
                    }
                }
                Ok(if used.is_empty() {
                    vec![]
                } else {
                    vec![Taken { invoice, used }.into()]
                })
            }
            Command::Return { invoice, used } if used.is_empty() => {
                drop(invoice);
                Ok(vec![])
            }
            Command::Return { invoice, used } => Ok(vec![Returned { invoice, used }.into()]),
        }
    }

    fn evolve(state: &mut Redemptions, event: &Event) {
        match event {
            Event::Granted(e) => state.redeemed.push(Redemption::clone(&e.redemption)),
            Event::Ended(e) => {
                let of = state.redeemed.iter_mut().filter(|r| r.id == e.redemption);
                of.for_each(|r| r.until = Some(e.on));
            }
            Event::Taken(e) => state.count(&e.used, true),
            Event::Returned(e) => state.count(&e.used, false),
        }
    }
}

impl Redemptions {
    fn count(&mut self, used: &[Used], taken: bool) {
        for u in used {
            for r in self.redeemed.iter_mut().filter(|r| r.id == u.redemption) {
                if taken {
                    r.times = r.times.saturating_add(1);
                    r.taken = r.taken.saturating_add(u.amount.minor);
                } else {
                    r.times = r.times.saturating_sub(1);
                    r.taken = r.taken.saturating_sub(u.amount.minor);
                }
            }
        }
    }
}
