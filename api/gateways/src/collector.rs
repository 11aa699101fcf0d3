//! The collector: carries what the log asks of providers to them, and what they say back into the log.
//!
//! - The log says that a provider is being called before it is, and no lock of the ledger is held meanwhile.
//! - Whatever was called and not answered, for instance because of a crash, is looked up; it is asked for again only
//!   when the provider says that it never saw it, and under the same key.
//! - A look-up that brings nothing is repeated after a wait that doubles.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use indelible_domain::Command;
use indelible_domain::kernel::Instant;
use indelible_domain::payments::{Answer, Back, BackStage, Payment, Route, Stage};

use crate::port::{Ask, Gateway, Gateways, Known, Return, key};

/// First wait after a look-up that brought nothing, in microseconds; each one more doubles it.
const FIRST_WAIT: i64 = 1_000_000;
/// Longest wait between two look-ups, in microseconds: an hour.
const LONGEST_WAIT: i64 = 3_600_000_000;

/// The books of one tenant, as the collector needs them.
pub trait Books {
    fn tenant(&self) -> &str;
    /// Payments that were asked for and neither came nor failed, and those with returns under way.
    fn asked(&self) -> Vec<String>;
    fn payment(&self, id: &str) -> Option<Payment>;
    /// Carries a command out and answers when that is durable: whether it wrote anything.
    ///
    /// Errors: a refusal, or what stops the log, in a sentence.
    fn carry_out(&self, command: Command) -> Result<bool, String>;
}

/// What one turn came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Calls that ask for money or give it back.
    pub called: u64,
    pub looked_up: u64,
    /// Payments whose provider is not at hand.
    pub unknown_gateway: u64,
    /// What the books refused, by payment.
    pub refused: Vec<(String, String)>,
}

/// Carries intents to providers.
#[derive(Debug, Default)]
pub struct Collector {
    gateways: Gateways,
    /// When something is looked up again, by key, and how long was waited before.
    rests: Mutex<BTreeMap<String, (i64, i64)>>,
}

/// A payment with the provider that it is asked of.
struct Job<'a> {
    books: &'a dyn Books,
    gateway: &'a dyn Gateway,
    id: &'a str,
    payment: &'a Payment,
    route: &'a Route,
    now: Instant,
}

impl Collector {
    pub fn new(gateways: Gateways) -> Collector {
        Collector {
            gateways,
            rests: Mutex::default(),
        }
    }

    /// Does what the books ask for now; `stop` is asked between two payments.
    pub fn turn(&self, books: &dyn Books, now: Instant, stop: &dyn Fn() -> bool) -> Turn {
        let mut turn = Turn::default();
        for id in books.asked() {
            if stop() {
                break;
            }
            let Some(payment) = books.payment(&id) else {
                continue;
            };
            let Some(route) = payment.route.clone() else {
                continue;
            };
            let Some(gateway) = self.gateways.named(&route.gateway) else {
                turn.unknown_gateway += 1;
                continue;
            };
            let job = Job {
                books,
                gateway: gateway.as_ref(),
                id: &id,
                payment: &payment,
                route: &route,
                now,
            };
            let done = self.collect(&job, &mut turn);
            let done = done.and_then(|()| {
                let mut open = payment.returns.iter().filter(|b| b.stage.is_open());
                open.try_for_each(|back| self.give_back(&job, back, &mut turn))
            });
            if let Err(refused) = done {
                turn.refused.push((id, refused));
            }
        }
        turn
    }

    fn collect(&self, job: &Job<'_>, turn: &mut Turn) -> Result<(), String> {
        let send = |again| {
            let payment = job.id.to_owned();
            job.books.carry_out(Command::SendPayment { payment, again })
        };
        let answer = |answer| {
            let payment = job.id.to_owned();
            let done = job
                .books
                .carry_out(Command::AnswerPayment { payment, answer });
            done.map(drop)
        };
        let key = key(job.books.tenant(), job.id, None);
        match job.payment.stage {
            Stage::Created => {
                if send(false)?
                    && let Some(ask) = job.ask(&key)
                {
                    turn.called += 1;
                    answer(job.gateway.collect(&ask))?;
                }
                Ok(())
            }
            Stage::Sent | Stage::Unknown | Stage::Pending | Stage::ActionRequired => {
                if !self.is_due(&key, job.now) {
                    return Ok(());
                }
                self.rest(&key, job.now);
                turn.looked_up += 1;
                let lost = matches!(job.payment.stage, Stage::Sent | Stage::Unknown);
                match job.gateway.look_up(&key, job.payment.reference.as_deref()) {
                    Known::As(known) => answer(known),
                    Known::NeverArrived if lost => {
                        if send(true)?
                            && let Some(ask) = job.ask(&key)
                        {
                            turn.called += 1;
                            answer(job.gateway.collect(&ask))?;
                        }
                        Ok(())
                    }
                    Known::NotYet { why } if lost => answer(Answer::Unknown { why }),
                    Known::NeverArrived | Known::NotYet { .. } => Ok(()),
                }
            }
            Stage::Absent | Stage::Settled | Stage::Failed | Stage::Returned => Ok(()),
        }
    }

    fn give_back(&self, job: &Job<'_>, back: &Back, turn: &mut Turn) -> Result<(), String> {
        let number = back.number;
        let send = |again| {
            let payment = job.id.to_owned();
            job.books.carry_out(Command::SendRefund {
                payment,
                number,
                again,
            })
        };
        let answer = |answer| {
            let payment = job.id.to_owned();
            let done = job.books.carry_out(Command::AnswerRefund {
                payment,
                number,
                answer,
            });
            done.map(drop)
        };
        let Some(reference) = job.payment.reference.clone() else {
            return Ok(());
        };
        let ask = Return {
            key: key(job.books.tenant(), job.id, Some(number)),
            tenant: job.books.tenant().to_owned(),
            payment: job.id.to_owned(),
            reference,
            amount: back.amount,
            reason: back.reason.clone(),
            on: back.on,
        };
        let lost = matches!(back.stage, BackStage::Sent | BackStage::Unknown);
        if back.stage == BackStage::Asked {
            if send(false)? {
                turn.called += 1;
                answer(job.gateway.give_back(&ask))?;
            }
            return Ok(());
        }
        if !self.is_due(&ask.key, job.now) {
            return Ok(());
        }
        self.rest(&ask.key, job.now);
        turn.looked_up += 1;
        match job.gateway.look_up_return(&ask, back.reference.as_deref()) {
            Known::As(known) => answer(known),
            Known::NeverArrived if lost => {
                if send(true)? {
                    turn.called += 1;
                    answer(job.gateway.give_back(&ask))?;
                }
                Ok(())
            }
            Known::NotYet { why } if lost => answer(Answer::Unknown { why }),
            Known::NeverArrived | Known::NotYet { .. } => Ok(()),
        }
    }

    fn is_due(&self, key: &str, now: Instant) -> bool {
        let rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        rests.get(key).is_none_or(|(at, _)| *at <= now.0)
    }

    fn rest(&self, key: &str, now: Instant) {
        let mut rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        // What has long been answered needs no memory.
        rests.retain(|_, (at, _)| now.0.saturating_sub(*at) < LONGEST_WAIT);
        let before = rests.get(key).map_or(0, |(_, wait)| *wait);
        let wait = before.saturating_mul(2).clamp(FIRST_WAIT, LONGEST_WAIT);
        rests.insert(key.to_owned(), (now.0.saturating_add(wait), wait));
    }
}

impl Job<'_> {
    /// What is asked for, as the log says it now: the amount may have become less.
    fn ask(&self, key: &str) -> Option<Ask> {
        let payment = self.books.payment(self.id)?;
        (payment.stage == Stage::Sent).then(|| Ask {
            key: key.to_owned(),
            tenant: self.books.tenant().to_owned(),
            payment: self.id.to_owned(),
            account: payment.account,
            amount: payment.amount,
            token: self.route.token.clone(),
            customer: self.route.customer.clone(),
            text: self.route.text.clone(),
            on: self.route.on,
        })
    }
}
