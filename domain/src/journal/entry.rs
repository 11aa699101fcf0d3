//! Ledger accounts, and the entry that cannot exist unbalanced.

use crate::entities::Closing;
use crate::kernel::{Currency, Date, Id, Money, Rejection};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

/// An account of the general ledger, stored by its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub enum Ledger {
    Cash,
    Receivable,
    CustomerCredit,
    UnallocatedCash,
    DepositsHeld,
    Transfers,
    WalletLiability,
    TaxPayable,
    RecurringRevenue,
    UsageRevenue,
    OneOffRevenue,
    ExchangeGain,
    EarlyPayment,
    Goodwill,
    BadDebt,
    /// Top-ups that are invoiced and not in their wallets yet.
    PrepaidInvoiced,
    /// What was paid in and never used.
    Breakage,
    PaymentDifference,
    ExchangeLoss,
    /// What banks take for their work.
    BankFees,
    /// What others get of what was billed.
    PartnerShares,
    /// What was invoiced before the supply, without tax, and not taken off yet.
    Advances,
    /// Revenue of charges that name their own account, out of [`REVENUE_CODES`].
    Revenue(u16),
}

/// Codes of revenue accounts that a catalog may name: five digits, of the class of revenue. No other account has one.
pub const REVENUE_CODES: RangeInclusive<u16> = 40_000..=49_999;

impl Ledger {
    /// The accounts that every ledger has.
    pub const ALL: [Ledger; 22] = [
        Ledger::Cash,
        Ledger::Receivable,
        Ledger::CustomerCredit,
        Ledger::UnallocatedCash,
        Ledger::DepositsHeld,
        Ledger::Transfers,
        Ledger::WalletLiability,
        Ledger::TaxPayable,
        Ledger::RecurringRevenue,
        Ledger::UsageRevenue,
        Ledger::OneOffRevenue,
        Ledger::ExchangeGain,
        Ledger::EarlyPayment,
        Ledger::Goodwill,
        Ledger::BadDebt,
        Ledger::PrepaidInvoiced,
        Ledger::Breakage,
        Ledger::PaymentDifference,
        Ledger::ExchangeLoss,
        Ledger::BankFees,
        Ledger::PartnerShares,
        Ledger::Advances,
    ];

    /// Never changed once shipped: entries are stored with it.
    pub fn code(self) -> u16 {
        match self {
            Ledger::Cash => 1000,
            Ledger::Receivable => 1200,
            Ledger::CustomerCredit => 2100,
            Ledger::UnallocatedCash => 2110,
            Ledger::DepositsHeld => 2120,
            Ledger::Transfers => 2190,
            Ledger::WalletLiability => 2150,
            Ledger::TaxPayable => 2200,
            Ledger::RecurringRevenue => 4000,
            Ledger::UsageRevenue => 4100,
            Ledger::OneOffRevenue => 4200,
            Ledger::ExchangeGain => 4800,
            Ledger::EarlyPayment => 4900,
            Ledger::Goodwill => 5100,
            Ledger::BadDebt => 5200,
            Ledger::PrepaidInvoiced => 2140,
            Ledger::Breakage => 4300,
            Ledger::PaymentDifference => 5210,
            Ledger::ExchangeLoss => 5300,
            Ledger::BankFees => 5400,
            Ledger::PartnerShares => 2300,
            Ledger::Advances => 2400,
            Ledger::Revenue(code) => code,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Ledger::Cash => "cash",
            Ledger::Receivable => "receivable",
            Ledger::CustomerCredit => "customer credit",
            Ledger::UnallocatedCash => "unallocated cash",
            Ledger::DepositsHeld => "deposits held",
            Ledger::Transfers => "transfers between accounts",
            Ledger::WalletLiability => "wallet liability",
            Ledger::TaxPayable => "tax payable",
            Ledger::RecurringRevenue => "recurring revenue",
            Ledger::UsageRevenue => "usage revenue",
            Ledger::OneOffRevenue => "one-off revenue",
            Ledger::ExchangeGain => "exchange gain",
            Ledger::EarlyPayment => "early payment discounts",
            Ledger::Goodwill => "goodwill",
            Ledger::BadDebt => "bad debt",
            Ledger::PrepaidInvoiced => "prepaid invoiced",
            Ledger::Breakage => "breakage",
            Ledger::PaymentDifference => "payment differences",
            Ledger::ExchangeLoss => "exchange loss",
            Ledger::BankFees => "bank fees",
            Ledger::PartnerShares => "partner shares",
            Ledger::Advances => "advances invoiced",
            Ledger::Revenue(_) => "revenue",
        }
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code(), self.name())
    }
}

impl From<Ledger> for u16 {
    fn from(account: Ledger) -> u16 {
        account.code()
    }
}

impl TryFrom<u16> for Ledger {
    type Error = String;

    fn try_from(code: u16) -> Result<Ledger, String> {
        let own = REVENUE_CODES
            .contains(&code)
            .then_some(Ledger::Revenue(code));
        Ledger::ALL
            .into_iter()
            .find(|l| l.code() == code)
            .or(own)
            .ok_or_else(|| format!("there is no ledger account {code}"))
    }
}

/// One side of one account; the other side is zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub account: Ledger,
    pub debit: Money,
    pub credit: Money,
}

impl Line {
    /// A debit; an amount below zero is a credit.
    pub fn debit(account: Ledger, amount: Money) -> Line {
        let zero = Money::zero(amount.currency);
        if amount.is_negative() {
            Line {
                account,
                debit: zero,
                credit: amount.negated(),
            }
        } else {
            Line {
                account,
                debit: amount,
                credit: zero,
            }
        }
    }

    /// A credit; an amount below zero is a debit.
    pub fn credit(account: Ledger, amount: Money) -> Line {
        Line::debit(account, amount.negated())
    }
}

/// A posting. Only [`Entry::balanced`] makes one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    on: Date,
    account: Id,
    about: String,
    text: String,
    lines: Vec<Line>,
}

impl Entry {
    /// `account`: whose value moves; `about`: the stream of the fact, e.g. `invoice/i-7`. Lines of zero are left out.
    ///
    /// # Errors
    /// `ENTRY_UNBALANCED` unless the debits of each currency equal its credits and none is below zero.
    pub fn balanced(
        on: Date,
        account: &str,
        about: String,
        text: String,
        lines: Vec<Line>,
    ) -> Result<Entry, Rejection> {
        let mut left: BTreeMap<Currency, i128> = BTreeMap::new();
        for line in &lines {
            let sum = left.entry(line.debit.currency).or_default();
            let moved = line
                .debit
                .minor
                .checked_sub(line.credit.minor)
                .and_then(|by| sum.checked_add(by));
            let sides = !line.debit.is_negative()
                && !line.credit.is_negative()
                && line.debit.currency == line.credit.currency;
            *sum = moved
                .filter(|_| sides)
                .ok_or_else(|| unbalanced(&about, line))?;
        }
        if let Some(line) = lines.first().filter(|_| left.values().any(|sum| *sum != 0)) {
            return Err(unbalanced(&about, line));
        }
        let lines = lines.into_iter().filter(|l| l.debit != l.credit).collect();
        Ok(Entry {
            on,
            account: account.to_string(),
            about,
            text,
            lines,
        })
    }

    /// The same entry on the day on which a legal entity's books take it; its text says where it belonged.
    ///
    /// PERIOD_CLOSED where late postings are refused.
    pub fn in_open_period(mut self, closing: Option<Closing>) -> Result<Entry, Rejection> {
        let day = closing.map_or(Ok(self.on), |closing| closing.posting_day(self.on))?;
        if day != self.on {
            self.text = format!("{} (of {}, which is closed)", self.text, self.on);
            self.on = day;
        }
        Ok(self)
    }

    /// The posting date.
    pub fn on(&self) -> Date {
        self.on
    }

    pub fn account(&self) -> &str {
        &self.account
    }

    pub fn about(&self) -> &str {
        &self.about
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}

fn unbalanced(about: &str, line: &Line) -> Rejection {
    let why = format!(
        "debits and credits of the entry for {about} differ, at {}: {} / {}",
        line.account, line.debit, line.credit
    );
    Rejection::new("ENTRY_UNBALANCED", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur(minor: i128) -> Money {
        Money::new(minor, "EUR".parse().expect("EUR"))
    }

    fn post(lines: Vec<Line>) -> Result<Entry, Rejection> {
        Entry::balanced(
            Date::default(),
            "alice",
            "invoice/i".to_string(),
            "invoice".to_string(),
            lines,
        )
    }

    #[test]
    fn an_entry_whose_debits_are_not_its_credits_cannot_be_made() {
        let sides = vec![
            Line::debit(Ledger::Receivable, eur(119)),
            Line::credit(Ledger::RecurringRevenue, eur(100)),
        ];
        assert_eq!(
            post(sides.clone()).expect_err("unbalanced").code,
            "ENTRY_UNBALANCED"
        );
        let whole = [sides, vec![Line::credit(Ledger::TaxPayable, eur(19))]].concat();
        assert_eq!(post(whole).expect("balanced").lines().len(), 3);
    }

    #[test]
    fn currencies_balance_one_by_one() {
        let usd = Money::new(100, "USD".parse().expect("USD"));
        let mixed = vec![
            Line::debit(Ledger::Cash, eur(100)),
            Line::credit(Ledger::Receivable, usd),
        ];
        assert_eq!(
            post(mixed).expect_err("unbalanced").code,
            "ENTRY_UNBALANCED"
        );
    }

    #[test]
    fn every_ledger_account_is_found_by_its_code() {
        for account in Ledger::ALL {
            assert_eq!(Ledger::try_from(u16::from(account)), Ok(account));
        }
    }
}
