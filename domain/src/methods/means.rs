//! What a method is made of.

use crate::kernel::{Date, Id, Personal, Rejection, calendar::add_days, check_id};
use serde::{Deserialize, Serialize};

/// Longest text that a provider may name something by, in bytes.
const NAME_MAX: usize = 255;

/// A way to pay, by its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    Card(Card),
    DirectDebit(Mandate),
    /// The payer sends it; a bank account is known only to give money back to.
    Transfer(Option<SealedBank>),
    Cash,
    /// A prepaid wallet of the account.
    Wallet(Id),
}

/// Kind of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Card,
    DirectDebit,
    Transfer,
    Cash,
    Wallet,
}

impl Kind {
    /// The word that payments carry: `card`, `direct-debit`, …
    pub fn name(self) -> &'static str {
        match self {
            Kind::Card => "card",
            Kind::DirectDebit => "direct-debit",
            Kind::Transfer => "transfer",
            Kind::Cash => "cash",
            Kind::Wallet => "wallet",
        }
    }
}

/// A card as a provider keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The provider: `stripe`, `test`, …
    pub gateway: String,
    /// What the provider knows it by.
    pub token: String,
    /// What the provider knows the payer by.
    pub customer: Option<String>,
    pub brand: String,
    /// Last four digits.
    pub last4: String,
    /// The last month in which it is good.
    pub expires: Month,
}

/// A payer's leave to debit a bank account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mandate {
    /// The provider: `direct-debit` for files to the bank.
    pub gateway: String,
    /// The unique mandate reference, at most 35 characters (EPC 130-08 AT-01).
    pub reference: String,
    /// The day it was signed (EPC 130-08 AT-25).
    pub signed: Date,
    pub scheme: Scheme,
    pub bank: SealedBank,
}

/// How many collections a mandate is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MandateTerm {
    /// Any number, until it is taken back (FRST, RCUR).
    #[default]
    Recurring,
    /// One (OOFF).
    Once,
    /// One more (FNAL).
    Last,
}

/// Rulebook that a mandate was given under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// For everybody; a debit can be returned for eight weeks without a reason.
    #[default]
    Core,
    /// Between businesses.
    B2b,
}

/// A bank account as facts hold it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SealedBank {
    /// Last four characters of the IBAN.
    pub last4: String,
    /// Keyed hash of the IBAN without spaces, in hexadecimal: finds who paid without reading it.
    pub hash: String,
    pub account: Personal<BankAccount>,
}

/// IBAN, BIC and holder of a bank account; only ever seen sealed by the domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BankAccount {
    /// Without spaces, in capitals.
    pub iban: String,
    #[serde(default)]
    pub bic: String,
    pub holder: String,
}

/// A month of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Month {
    pub year: i32,
    /// 1–12.
    pub month: u32,
}

impl Month {
    /// The last day of the month; the last day there is for a month that is none.
    pub fn last_day(self) -> Date {
        let (year, month) = match self.month {
            12 => (self.year.saturating_add(1), 1),
            month => (self.year, month + 1),
        };
        Date::from_ymd_opt(year, month, 1).map_or(Date::MAX, |first| add_days(first, -1))
    }
}

impl Means {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Means::Card(_) => Kind::Card,
            Means::DirectDebit(_) => Kind::DirectDebit,
            Means::Transfer(_) => Kind::Transfer,
            Means::Cash => Kind::Cash,
            Means::Wallet(_) => Kind::Wallet,
        }
    }

    /// The provider that can be asked for money; none: the payer brings it.
    pub fn gateway(&self) -> Option<&str> {
        match self {
            Means::Card(card) => Some(&card.gateway),
            Means::DirectDebit(mandate) => Some(&mandate.gateway),
            Means::Transfer(_) | Means::Cash | Means::Wallet(_) => None,
        }
    }

    /// The wallet that is asked.
    pub fn wallet(&self) -> Option<&str> {
        match self {
            Means::Wallet(wallet) => Some(wallet),
            _ => None,
        }
    }

    /// What the provider knows it by: a card's token, a mandate's reference.
    pub fn token(&self) -> Option<&str> {
        match self {
            Means::Card(card) => Some(&card.token),
            Means::DirectDebit(mandate) => Some(&mandate.reference),
            Means::Transfer(_) | Means::Cash | Means::Wallet(_) => None,
        }
    }

    /// What the provider knows the payer by.
    pub fn customer(&self) -> Option<&str> {
        match self {
            Means::Card(card) => card.customer.as_deref(),
            _ => None,
        }
    }

    /// The last month in which it is good.
    pub fn expires(&self) -> Option<Month> {
        match self {
            Means::Card(card) => Some(card.expires),
            _ => None,
        }
    }

    /// The bank account that it names.
    pub fn bank(&self) -> Option<&SealedBank> {
        match self {
            Means::DirectDebit(mandate) => Some(&mandate.bank),
            Means::Transfer(bank) => bank.as_ref(),
            _ => None,
        }
    }

    /// Refuses what cannot be paid with.
    pub(super) fn check(&self) -> Result<(), Rejection> {
        if let Some(gateway) = self.gateway() {
            check_id("gateway", gateway)?;
        }
        for name in [self.token(), self.customer()].into_iter().flatten() {
            let printable = name.chars().all(|c| c.is_ascii_graphic());
            if name.is_empty() || name.len() > NAME_MAX || !printable {
                return invalid(format!(
                    "what the provider knows a method or payer by has 1 to {NAME_MAX} visible characters, this has {} bytes",
                    name.len()
                ));
            }
        }
        match self {
            Means::Card(card) => check_card(card),
            Means::DirectDebit(mandate) if mandate.reference.len() > 35 => invalid(format!(
                "a mandate reference has at most 35 characters, this has {}",
                mandate.reference.len()
            )),
            Means::Wallet(wallet) => check_id("wallet", wallet),
            _ => Ok(()),
        }?;
        match self.bank() {
            Some(bank) if bank.last4.len() != 4 || bank.hash.len() != 64 => {
                invalid("a bank account has its last four characters and a hash of 64".to_string())
            }
            _ => Ok(()),
        }
    }
}

fn check_card(card: &Card) -> Result<(), Rejection> {
    let Month { year, month } = card.expires;
    if !(1..=12).contains(&month) || !(2000..=2199).contains(&year) {
        return invalid(format!(
            "{year}-{month:02} is not a month a card can expire in"
        ));
    }
    if card.last4.len() != 4 || !card.last4.chars().all(|c| c.is_ascii_digit()) {
        return invalid(format!(
            "a card is shown by its last four digits, given {} characters",
            card.last4.chars().count()
        ));
    }
    if card.brand.len() > 40 || card.brand.chars().any(char::is_control) {
        return invalid("a card's brand has at most 40 bytes".to_string());
    }
    // A provider's token that is only digits and as long as a card number is one.
    let digits = card.token.chars().filter(char::is_ascii_digit).count();
    if digits == card.token.len() && (12..=19).contains(&digits) {
        return invalid("a card number was given where the provider's token belongs".to_string());
    }
    Ok(())
}

fn invalid(why: String) -> Result<(), Rejection> {
    Err(Rejection::new("METHOD_INVALID", why))
}
