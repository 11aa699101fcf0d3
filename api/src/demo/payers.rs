//! How the customers pay: most in time, some late, a few not at all; and what goes wrong with money.
//!
//! The exceptions that the story needs are named; for everybody else a number decides, invoice by invoice.

use super::businesses::{cloud, energy, mobile};
use super::desk::Desk;
use super::random::Random;
use super::{DemoError, next_day};
use chrono::{Days, NaiveDate};
use indelible_domain::Command;
use indelible_domain::command::{FailureKind, RecordPayment};
use indelible_domain::kernel::Money;
use indelible_domain::receivables::Receivables;
use indelible_domain::world::Noun as _;
use std::collections::BTreeMap;

/// Something to do with money on a day.
#[derive(Clone, Debug)]
enum Move {
    /// Whatever is open of the invoice then.
    Pay {
        account: String,
        invoice: String,
        payment: String,
        method: Method,
    },
    /// Pays an invoice that is paid already.
    PayAgain {
        account: String,
        payment: String,
        amount: Money,
    },
    Settle {
        payment: String,
    },
    /// The bank sends it back; it is asked for again three days later.
    Return {
        account: String,
        invoice: String,
        payment: String,
    },
    Refund {
        payment: String,
    },
    Credit {
        invoice: String,
        amount: Money,
    },
    VoidAndBillAgain {
        account: String,
        invoice: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Transfer,
    /// Pending for two days.
    DirectDebit,
    /// Pending for two days, and then returned.
    Bouncing,
}

/// What is planned, by day.
pub struct Payers {
    random: Random,
    plan: BTreeMap<NaiveDate, Vec<Move>>,
}

/// An invoice as the customer gets it.
struct Letter {
    account: String,
    invoice: String,
    due: NaiveDate,
    open: Money,
}

impl Payers {
    pub fn new(random: Random) -> Payers {
        Payers {
            random,
            plan: BTreeMap::new(),
        }
    }

    /// Customers read the invoices issued today and decide when to pay.
    pub fn read_letters(&mut self, desk: &Desk) {
        let today = desk.today();
        for letter in letters(desk, today) {
            self.decide(letter, today);
        }
    }

    fn decide(&mut self, letter: Letter, today: NaiveDate) {
        // Drawn for everybody, so that a named exception moves nobody else.
        let (mood, when) = (self.random.below(100), self.random.below(6));
        let Letter {
            account,
            invoice,
            due,
            open,
        } = letter;
        let payment = format!("pay-{invoice}");
        let pay = |method| Move::Pay {
            account: account.clone(),
            invoice: invoice.clone(),
            payment: payment.clone(),
            method,
        };
        let month = today.format("%Y-%m").to_string();
        let is = |name: String, months: &[&str]| {
            account == name && (months.is_empty() || months.contains(&month.as_str()))
        };
        if account == mobile::account(7) && month.as_str() >= "2026-12" {
            return;
        }
        if is(mobile::account(11), &["2026-11"]) {
            return self.put(after(due, 25), pay(Method::Transfer));
        }
        if is(cloud::account(5), &[]) {
            return self.put(after(due, 9), pay(Method::Transfer));
        }
        if is(cloud::account(17), &["2026-11", "2026-12"]) {
            return self.put(after(due, 16), pay(Method::Transfer));
        }
        if is(cloud::account(9), &["2026-11"]) {
            return self.put(due, pay(Method::Bouncing));
        }
        if is(cloud::account(12), &["2026-11"]) {
            return self.put(next_day(today), Move::VoidAndBillAgain { account, invoice });
        }
        if is(energy::account(3), &["2027-01"]) {
            let amount = Money::new(1000, open.currency);
            self.put(
                after(today, 5),
                Move::Credit {
                    invoice: invoice.clone(),
                    amount,
                },
            );
        }
        if is(mobile::account(15), &["2026-12"]) {
            self.put(
                after(due, 1),
                Move::PayAgain {
                    account: account.clone(),
                    payment: format!("{payment}-again"),
                    amount: open,
                },
            );
            self.put(
                after(due, 5),
                Move::Refund {
                    payment: format!("{payment}-again"),
                },
            );
            return self.put(due, pay(Method::Transfer));
        }
        let early = |days: u32| {
            due.checked_sub_days(Days::new(u64::from(days)))
                .unwrap_or(due)
                .max(today)
        };
        match mood {
            0..40 => self.put(early(when), pay(Method::Transfer)),
            40..80 => self.put(early(3), pay(Method::DirectDebit)),
            80..90 => self.put(after(due, 1 + when), pay(Method::Transfer)),
            90..96 => self.put(after(due, 8 + when), pay(Method::Transfer)),
            96..99 => self.put(after(due, 15 + when), pay(Method::Transfer)),
            _ => self.put(after(due, 23 + when), pay(Method::Transfer)),
        }
    }

    fn put(&mut self, on: NaiveDate, what: Move) {
        self.plan.entry(on).or_default().push(what);
    }

    /// Does what is planned up to today.
    pub fn act(&mut self, desk: &Desk) -> Result<(), DemoError> {
        while let Some(day) = self
            .plan
            .first_entry()
            .filter(|day| *day.key() <= desk.today())
        {
            for what in day.remove() {
                self.one(desk, what)?;
            }
        }
        Ok(())
    }

    fn one(&mut self, desk: &Desk, what: Move) -> Result<(), DemoError> {
        let later = |days| after(desk.today(), days);
        match what {
            Move::Pay {
                account,
                invoice,
                payment,
                method,
            } => {
                let Some(amount) = open_of(desk, &account, &invoice) else {
                    return Ok(());
                };
                self.record(desk, &account, Some(&invoice), &payment, amount, method)?;
                match method {
                    Method::Transfer => {}
                    Method::DirectDebit => self.put(later(2), Move::Settle { payment }),
                    Method::Bouncing => self.put(
                        later(2),
                        Move::Return {
                            account,
                            invoice,
                            payment,
                        },
                    ),
                }
            }
            Move::PayAgain {
                account,
                payment,
                amount,
            } => {
                self.record(desk, &account, None, &payment, amount, Method::Transfer)?;
            }
            Move::Settle { payment } => {
                desk.order(Command::SettlePayment { payment })?;
            }
            Move::Return {
                account,
                invoice,
                payment,
            } => {
                let reason = "insufficient funds".to_string();
                desk.order(Command::FailPayment {
                    payment: payment.clone(),
                    kind: FailureKind::Soft,
                    reason,
                })?;
                let payment = format!("{payment}-again");
                self.put(
                    later(3),
                    Move::Pay {
                        account,
                        invoice,
                        payment,
                        method: Method::DirectDebit,
                    },
                );
            }
            Move::Refund { payment } => {
                let reason = "paid twice".to_string();
                desk.order(Command::RefundPayment {
                    payment,
                    amount: None,
                    reason,
                })?;
            }
            Move::Credit { invoice, amount } => {
                let note = format!("credit-{invoice}");
                let reason = "outage of 27 December".to_string();
                desk.order(Command::CreditInvoice {
                    note,
                    invoice,
                    parts: vec![(1, Some(amount))],
                    reason,
                })?;
            }
            Move::VoidAndBillAgain { account, invoice } => {
                desk.order(Command::VoidInvoice {
                    invoice: invoice.clone(),
                    reason: "wrong purchase order number".to_string(),
                })?;
                let run = format!("{}-again", desk.today().format("%Y-%m"));
                desk.bill(&run, vec![account.clone()])?;
                let replaced = format!("{run}.{account}");
                self.put(
                    later(20),
                    Move::Pay {
                        account,
                        payment: format!("pay-{replaced}"),
                        invoice: replaced,
                        method: Method::Transfer,
                    },
                );
            }
        }
        Ok(())
    }

    fn record(
        &self,
        desk: &Desk,
        account: &str,
        invoice: Option<&str>,
        payment: &str,
        amount: Money,
        method: Method,
    ) -> Result<(), DemoError> {
        let (name, pending) = match method {
            Method::Transfer => ("transfer", false),
            Method::DirectDebit | Method::Bouncing => ("direct-debit", true),
        };
        let record = RecordPayment {
            payment: payment.to_string(),
            account: account.to_string(),
            amount,
            invoice: invoice.map(str::to_string),
            method: name.to_string(),
            pending,
        };
        desk.order(Command::RecordPayment(record)).map(drop)
    }
}

fn after(date: NaiveDate, days: u32) -> NaiveDate {
    date.checked_add_days(Days::new(u64::from(days)))
        .unwrap_or(date)
}

/// Invoices issued on a day with something to pay, by account.
fn letters(desk: &Desk, issued: NaiveDate) -> Vec<Letter> {
    desk.read(|tenant| {
        let mut letters = Vec::new();
        for (account, entry) in Receivables::table(&tenant.tables) {
            for item in entry.state.open_items().filter(|i| i.issued == issued) {
                letters.push(Letter {
                    account: account.clone(),
                    invoice: item.invoice.clone(),
                    due: item.due,
                    open: item.open,
                });
            }
        }
        letters
    })
}

/// What is open of an invoice, unless nothing is or another payment of it is on its way.
fn open_of(desk: &Desk, account: &str, invoice: &str) -> Option<Money> {
    desk.read(|tenant| {
        let entry = Receivables::table(&tenant.tables).get(account)?;
        let item = entry.state.item(invoice)?;
        (item.open.is_positive() && item.pending.is_none()).then_some(item.open)
    })
}
