//! What may be asked of a wallet, and what it says to it.

use super::{
    Ask, AskDropped, Asked, Burnt, Emptied, Entitlement, Event, Expired, Grant, Hold, OVERDRAFT,
    Opened, Origin, Paid, RanLow, Repaid, Returned, Rollover, TaxPart, Terms, TermsSet, ToppedUp,
    Voided, Wallet, holds, terms,
};
use crate::kernel::{
    Currency, Date, Decider, Decimal, Exact, Id, Instant, Money, Rejection, Rounding, Zone,
};

/// An amount to be put in.
#[derive(Clone, Debug)]
pub struct Put {
    pub grant: Id,
    pub amount: Money,
    pub expires: Option<Date>,
    pub priority: u32,
    pub origin: Origin,
    pub rollover: Option<Rollover>,
    pub rule: Option<Id>,
    pub at: Instant,
    pub today: Date,
}

#[derive(Clone, Debug)]
pub enum Command {
    Open {
        account: Id,
        currency: Currency,
        priority: u32,
    },
    Set(Box<Terms>),
    TopUp(Box<Put>),
    /// A top-up is there once its invoice is paid.
    Ask(Box<Ask>),
    /// The invoice of a top-up is paid.
    Settle {
        invoice: Id,
        at: Instant,
        today: Date,
    },
    /// It never will be.
    Drop {
        invoice: Id,
        reason: String,
    },
    /// `on` is the latest event date that was paid. What is held at `at` cannot be burnt.
    Burn {
        batch: Id,
        /// With the tax, where the wallet includes it.
        parts: Vec<(Id, Exact)>,
        taxes: Vec<TaxPart>,
        on: Date,
        at: Instant,
        rounding: Rounding,
    },
    /// The invoice of a top-up that is in the wallet stands for less or more of it than before.
    Entitle {
        entitlement: Entitlement,
        on: Date,
        at: Instant,
    },
    /// Pays a finalised invoice or a part of it.
    Pay {
        invoice: Id,
        parts: Vec<(Id, Exact)>,
        amount: Money,
        on: Date,
        at: Instant,
    },
    /// Sets money aside from `at` on, in place of what was set aside under the same id.
    Hold {
        by: Id,
        hold: Hold,
        at: Instant,
    },
    /// Sets it aside no more; nothing happens if it was not.
    Release {
        by: Id,
    },
    /// Takes back what it paid of an invoice that is void.
    Return {
        invoice: Id,
    },
    /// Takes units out, of one grant or in the order of burning; none: all that is left.
    Void {
        units: Option<Decimal>,
        grant: Option<Id>,
        reason: String,
        on: Date,
        rounding: Rounding,
    },
    /// Everything that time brought up to a day: expiries, rollovers, top-ups by schedule. The same however late.
    Tick {
        wallet: Id,
        today: Date,
        zone: Zone,
        rounding: Rounding,
    },
    /// Top-ups of rules below whose level the wallet is; `expected` is what will be left when what is not invoiced
    /// yet is paid.
    Refill {
        wallet: Id,
        expected: Exact,
        at: Instant,
        today: Date,
    },
}

/// A decision in the making: the state with the events said so far.
pub(super) struct Work {
    pub next: Wallet,
    pub events: Vec<Event>,
}

impl Work {
    pub fn say(&mut self, event: impl Into<Event>) {
        let event = event.into();
        Wallet::evolve(&mut self.next, &event);
        self.events.push(event);
    }
}

impl Decider for Wallet {
    type State = Wallet;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Wallet, command: Command) -> Result<Vec<Event>, Rejection> {
        if let Command::Open {
            account,
            currency,
            priority,
        } = command
        {
            return open(state, account, currency, priority);
        }
        if !state.open {
            return Err(Rejection::new(
                "WALLET_UNKNOWN",
                "this wallet was never opened",
            ));
        }
        let mut work = Work {
            next: state.clone(),
            events: Vec::new(),
        };
        match command {
            Command::Open { .. } => {}
            Command::Set(terms) => work.set(*terms)?,
            Command::TopUp(put) => work.top_up(*put)?,
            Command::Ask(ask) => work.ask(*ask)?,
            Command::Settle { invoice, at, today } => work.settle(&invoice, at, today)?,
            Command::Drop { invoice, reason } => work.drop(&invoice, &reason),
            Command::Burn {
                batch,
                parts,
                taxes,
                on,
                at,
                rounding,
            } => {
                work.burn(batch.clone(), parts, (on, at), rounding)?;
                work.tax(batch, taxes, rounding)?;
            }
            Command::Entitle {
                entitlement,
                on,
                at,
            } => work.entitle(&entitlement, (on, at))?,
            Command::Pay {
                invoice,
                parts,
                amount,
                on,
                at,
            } => work.pay(invoice, parts, amount, (on, at))?,
            Command::Hold { by, hold, at } => work.events = holds::hold(&work.next, by, hold, at)?,
            Command::Release { by } => work.events = holds::release(&work.next, by),
            Command::Return { invoice } => work.give_back(invoice)?,
            Command::Void {
                units,
                grant,
                reason,
                on,
                rounding,
            } => work.void(units, grant, reason, on, rounding)?,
            Command::Tick {
                wallet,
                today,
                zone,
                rounding,
            } => work.tick(&wallet, today, &zone, rounding)?,
            Command::Refill {
                wallet,
                expected,
                at,
                today,
            } => work.refill(&wallet, expected, at, today)?,
        }
        Ok(work.events)
    }

    fn evolve(state: &mut Wallet, event: &Event) {
        // Sums of what fitted when it was decided; a fact is never refused.
        let _ = state.apply(event);
    }
}

fn open(
    state: &Wallet,
    account: Id,
    currency: Currency,
    priority: u32,
) -> Result<Vec<Event>, Rejection> {
    if state.open {
        return Err(Rejection::new(
            "WALLET_EXISTS",
            "this wallet is already open",
        ));
    }
    let opened = Opened {
        account,
        currency,
        priority,
    };
    Ok(vec![opened.into()])
}

impl Work {
    fn set(&mut self, terms: Terms) -> Result<(), Rejection> {
        let now = &self.next.terms;
        if *now == terms {
            return Ok(());
        }
        terms.check()?;
        let used = !self.next.grants.is_empty() || !self.next.asked.is_empty();
        if used && now.unit != terms.unit {
            return Err(Rejection::new(
                "WALLET_UNIT_FIXED",
                "a wallet that something was put into keeps its unit: open another one instead",
            ));
        }
        self.say(TermsSet { terms });
        Ok(())
    }

    fn check(&self, amount: Money, expires: Option<Date>, today: Date) -> Result<(), Rejection> {
        if amount.currency != self.next.currency {
            return Err(Rejection::new(
                "CURRENCY_MISMATCH",
                format!(
                    "the wallet holds {}, asked to put in {amount}",
                    self.next.currency
                ),
            ));
        }
        if !amount.is_positive() {
            return Err(Rejection::new(
                "AMOUNT_NOT_POSITIVE",
                format!("a top-up of {amount} is not above zero"),
            ));
        }
        match expires.filter(|e| *e <= today) {
            Some(expires) => Err(Rejection::new(
                "GRANT_EXPIRED",
                format!("a grant that expires on {expires} is worth nothing on {today}"),
            )),
            None => Ok(()),
        }
    }

    /// Whether the same was put in or asked before; refused if something else was.
    fn known(&self, grant: &str, amount: Money, expires: Option<Date>) -> Result<bool, Rejection> {
        let granted = self.next.grant(grant).map(|g| (g.amount, g.expires));
        let asked = self.next.asked.iter().find(|a| a.grant == grant);
        match granted.or(asked.map(|a| (a.amount, a.expires))) {
            None if grant == OVERDRAFT => Err(Rejection::new(
                "GRANT_EXISTS",
                format!("{OVERDRAFT} is what is burnt below zero: no grant can be named so"),
            )),
            None => Ok(false),
            Some(known) if known == (amount, expires) => Ok(true),
            Some((known, _)) => Err(Rejection::new(
                "GRANT_EXISTS",
                format!("grant {grant} of {known} is already in this wallet"),
            )),
        }
    }

    pub(super) fn top_up(&mut self, put: Put) -> Result<(), Rejection> {
        if self.known(&put.grant, put.amount, put.expires)? {
            return Ok(());
        }
        self.check(put.amount, put.expires, put.today)?;
        self.put(put)
    }

    /// Puts in what was checked, or needs no check; what was burnt below zero is repaid first.
    pub(super) fn put(&mut self, put: Put) -> Result<(), Rejection> {
        let id = put.grant.clone();
        let grant = Grant {
            id: put.grant,
            amount: put.amount,
            remaining: put.amount.exact(),
            expires: put.expires,
            at: put.at,
            priority: put.priority,
            origin: put.origin,
            rollover: put.rollover,
            rule: put.rule,
            repaid: Exact::ZERO,
        };
        self.say(ToppedUp { grant });
        let owed = self.next.overdraft.min(put.amount.exact());
        if owed > Exact::ZERO {
            self.say(Repaid {
                grant: id,
                amount: owed,
            });
        }
        Ok(())
    }

    fn ask(&mut self, ask: Ask) -> Result<(), Rejection> {
        if self.known(&ask.grant, ask.amount, ask.expires)? {
            return Ok(());
        }
        self.check(ask.amount, ask.expires, ask.on)?;
        self.say(Asked { ask });
        Ok(())
    }

    fn settle(&mut self, invoice: &str, at: Instant, today: Date) -> Result<(), Rejection> {
        let Some(ask) = self
            .next
            .asked
            .iter()
            .find(|a| a.invoice == invoice)
            .cloned()
        else {
            return Ok(());
        };
        self.put(Put {
            grant: ask.grant,
            amount: ask.amount,
            expires: ask.lasts.map(|l| l.after(today)).or(ask.expires),
            priority: ask.priority,
            origin: Origin::Invoice(ask.invoice),
            rollover: ask.rollover,
            rule: ask.rule,
            at,
            today,
        })
    }

    fn drop(&mut self, invoice: &str, reason: &str) {
        if let Some(ask) = self.next.asked.iter().find(|a| a.invoice == invoice) {
            self.say(AskDropped {
                grant: ask.grant.clone(),
                reason: reason.to_string(),
            });
        }
    }

    /// The sum of parts, after making sure that no grant is asked for more than it has.
    fn sum(&self, parts: &[(Id, Exact)], at: Instant) -> Result<Exact, Rejection> {
        let mut next = self.next.clone();
        next.take(parts)?;
        let mut amount = Exact::ZERO;
        for (id, part) in parts {
            amount = amount.plus(*part)?;
            if id == OVERDRAFT {
                let owed = next.overdraft.plus(next.held_of(OVERDRAFT, at))?;
                let limit = next.terms.floor().negated().max(Exact::ZERO);
                if owed.is_negative() || (owed > limit && !part.is_negative()) {
                    return Err(Rejection::new(
                        "WALLET_INSUFFICIENT",
                        format!("the wallet would be {owed} below zero, {limit} are allowed"),
                    ));
                }
                continue;
            }
            let Some(grant) = next.grant(id) else {
                return Err(Rejection::new(
                    "GRANT_UNKNOWN",
                    format!("this wallet has no grant {id}"),
                ));
            };
            let held = next.held_of(id, at);
            if grant.remaining < held || grant.remaining > grant.amount.exact() {
                return Err(Rejection::new(
                    "WALLET_INSUFFICIENT",
                    format!(
                        "grant {id} of {} would have {} left, {held} of it is held",
                        grant.amount, grant.remaining
                    ),
                ));
            }
        }
        Ok(amount)
    }

    /// What a journal posts when `more` leaves: the rounded sum so far minus what was posted.
    fn posting(&self, more: Exact, rounding: Rounding) -> Result<Money, Rejection> {
        let left = self.next.burnt.plus(self.next.gone)?.plus(more)?;
        let total = Money::round(left, self.next.currency, rounding)?;
        Ok(total.minus(self.next.posted))
    }

    fn burn(
        &mut self,
        batch: Id,
        parts: Vec<(Id, Exact)>,
        (on, at): (Date, Instant),
        rounding: Rounding,
    ) -> Result<(), Rejection> {
        let amount = self.sum(&parts, at)?;
        if parts.is_empty() {
            return Ok(());
        }
        let (before, posted) = (self.next.balance(on), self.posting(amount, rounding)?);
        self.say(Burnt {
            batch,
            parts,
            amount,
            posted,
        });
        self.crossings(before, on);
        Ok(())
    }

    fn pay(
        &mut self,
        invoice: Id,
        parts: Vec<(Id, Exact)>,
        amount: Money,
        (on, at): (Date, Instant),
    ) -> Result<(), Rejection> {
        let sum = self.sum(&parts, at)?;
        if sum != amount.exact() || !amount.is_positive() {
            return Err(Rejection::new(
                "WALLET_PARTS_DIFFER",
                format!("parts of {sum} do not make a payment of {amount}"),
            ));
        }
        let before = self.next.balance(on);
        self.say(Paid {
            invoice,
            parts,
            amount,
        });
        self.crossings(before, on);
        Ok(())
    }

    fn give_back(&mut self, invoice: Id) -> Result<(), Rejection> {
        let Some(parts) = self.next.paid.get(&invoice) else {
            return Ok(());
        };
        let mut sum = Exact::ZERO;
        for (_, amount) in parts {
            sum = sum.plus(*amount)?;
        }
        // Whole minor units: it was paid so.
        let amount = Money::round(sum, self.next.currency, Rounding::HalfUp)?;
        self.say(Returned { invoice, amount });
        Ok(())
    }

    fn void(
        &mut self,
        units: Option<Decimal>,
        grant: Option<Id>,
        reason: String,
        on: Date,
        rounding: Rounding,
    ) -> Result<(), Rejection> {
        if let Some(id) = grant.as_ref().filter(|id| self.next.grant(id).is_none()) {
            let why = format!("this wallet has no grant {id}");
            return Err(Rejection::new("GRANT_UNKNOWN", why));
        }
        let mut order: Vec<&Grant> = self
            .next
            .grants
            .iter()
            .filter(|g| g.usable_on(on) && grant.as_ref().is_none_or(|id| g.id == *id))
            .collect();
        order.sort_by_key(|g| (g.priority, g.expires.unwrap_or(Date::MAX), g.at));
        let mut all = Exact::ZERO;
        for grant in &order {
            all = all.plus(self.next.free(grant)?)?;
        }
        let asked = match units {
            Some(units) => self.next.terms.worth(terms::cut(units))?,
            None => all,
        };
        if asked > all || asked.is_negative() || (units.is_some() && asked.is_zero()) {
            return Err(Rejection::new(
                "WALLET_INSUFFICIENT",
                format!("asked to take out {asked}, {all} is there"),
            ));
        }
        let mut left = asked;
        let mut parts = Vec::new();
        for grant in order {
            let part = left.min(self.next.free(grant)?);
            if !part.is_zero() {
                left = left.minus(part)?;
                parts.push((grant.id.clone(), part));
            }
        }
        if parts.is_empty() {
            return Ok(());
        }
        let (before, posted) = (self.next.balance(on), self.posting(asked, rounding)?);
        self.say(Voided {
            parts,
            amount: asked,
            posted,
            reason,
        });
        self.crossings(before, on);
        Ok(())
    }

    /// Closes a grant on the day it expires.
    pub(super) fn expire(
        &mut self,
        grant: &Grant,
        on: Date,
        rounding: Rounding,
    ) -> Result<(), Rejection> {
        let amount = self.next.free(grant)?;
        let after = self.next.balance(on);
        let (before, posted) = (after.plus(amount)?, self.posting(amount, rounding)?);
        self.say(Expired {
            grant: grant.id.clone(),
            on,
            amount,
            posted,
        });
        self.crossings(before, on);
        Ok(())
    }

    /// Low and empty are said when they are crossed downwards, and not again before the balance was above.
    pub(super) fn crossings(&mut self, before: Exact, on: Date) {
        let after = self.next.balance(on);
        let level = self.next.terms.low_level;
        let low = level.and_then(|level| self.next.terms.worth(level).ok());
        if low.is_some_and(|low| before > low && after <= low) {
            self.say(RanLow { on, balance: after });
        }
        if before > Exact::ZERO && after <= Exact::ZERO {
            self.say(Emptied { on });
        }
    }
}
