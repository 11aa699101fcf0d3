//! What pain.001 and pain.008 have in common.

use crate::xml::Document;
use crate::{Fault, ITEMS_MAX, ident};
use indelible_domain::kernel::{Date, Instant, Money};

/// Largest amount of one SEPA transaction, in cents (EPC guidelines: 999,999,999.99 EUR).
const AMOUNT_MAX: i128 = 99_999_999_999;

/// Most batches of one file: their numbers have at most three digits.
pub(crate) const BATCHES_MAX: u32 = 999;

/// A party with its account. The IBAN and BIC are checked when a file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    pub name: String,
    pub iban: String,
    /// None: the bank finds it by the IBAN.
    pub bic: Option<String>,
}

/// What a payment is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remittance {
    /// Shown to people.
    Text(String),
    /// A structured creditor reference (ISO 11649), for programs.
    Reference(String),
}

/// Checked parts of a party.
pub(crate) struct Party {
    name: String,
    iban: String,
    bic: Option<String>,
}

impl Party {
    pub(crate) fn check(agent: &Agent) -> Result<Party, Fault> {
        let name = ident::plain(&agent.name, ident::NAME_MAX);
        if name.is_empty() {
            return Err(Fault::new(
                "NAME_MISSING",
                "a party of a bank file has no name",
            ));
        }
        Ok(Party {
            name,
            iban: ident::iban(&agent.iban)?,
            bic: agent.bic.as_deref().map(ident::bic).transpose()?,
        })
    }

    pub(crate) fn name(&self, d: &mut Document, element: &str) {
        d.within(element, |d| d.leaf("Nm", &self.name));
    }

    pub(crate) fn account(&self, d: &mut Document, element: &str) {
        d.within(element, |d| d.leaf("Id/IBAN", &self.iban));
    }

    /// `bic_element` is `BIC` in the schemas of 2009 and `BICFI` since.
    pub(crate) fn bank(&self, d: &mut Document, element: &str, bic_element: &str) {
        d.within(element, |d| {
            d.within("FinInstnId", |d| match &self.bic {
                Some(bic) => d.leaf(bic_element, bic),
                None => d.leaf("Othr/Id", "NOTPROVIDED"),
            });
        });
    }

    pub(crate) fn has_bic(&self) -> bool {
        self.bic.is_some()
    }
}

/// Identification and sum at the head of a message.
pub(crate) fn header(d: &mut Document, message: &str, at: Instant, sum: &Sum, initiator: &Party) {
    d.within("GrpHdr", |d| {
        d.leaf("MsgId", message);
        d.leaf("CreDtTm", &whole_seconds(at));
        sum.write(d);
        initiator.name(d, "InitgPty");
    });
}

/// Number and sum of transactions.
#[derive(Default)]
pub(crate) struct Sum {
    count: usize,
    minor: i128,
}

impl Sum {
    pub(crate) fn of<'a>(amounts: impl Iterator<Item = &'a Money>) -> Sum {
        amounts.fold(Sum::default(), |sum, amount| Sum {
            count: sum.count + 1,
            minor: sum.minor.saturating_add(amount.minor),
        })
    }

    pub(crate) fn write(&self, d: &mut Document) {
        d.leaf("NbOfTxs", &self.count.to_string());
        d.leaf("CtrlSum", &euros(self.minor));
    }
}

/// Euros with two decimals and a point.
pub(crate) fn euros(minor: i128) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

pub(crate) fn check_amount(amount: Money) -> Result<(), Fault> {
    if amount.currency.code() != "EUR" {
        return Err(Fault::new(
            "SEPA_CURRENCY",
            format!("SEPA moves EUR only, asked to move {amount}"),
        ));
    }
    if !(1..=AMOUNT_MAX).contains(&amount.minor) {
        return Err(Fault::new(
            "SEPA_AMOUNT",
            format!("{amount} is not between 0.01 and {} EUR", euros(AMOUNT_MAX)),
        ));
    }
    Ok(())
}

pub(crate) fn check_count(count: usize) -> Result<(), Fault> {
    if !(1..=ITEMS_MAX).contains(&count) {
        return Err(Fault::new(
            "BANK_FILE_SIZE",
            format!("a file carries 1 to {ITEMS_MAX} transactions, asked to write {count}"),
        ));
    }
    Ok(())
}

/// The id of a batch: statements name batches by it.
pub(crate) fn batch_id(message: &str, number: u32) -> String {
    format!("{message}-{number}")
}

pub(crate) fn check_batch(number: u32, alike: bool) -> Result<(), Fault> {
    if alike && (1..=BATCHES_MAX).contains(&number) {
        return Ok(());
    }
    Err(Fault::new(
        "BANK_BATCH_INVALID",
        format!(
            "batch {number} is not between 1 and {BATCHES_MAX}, or its transactions differ in what a batch states once"
        ),
    ))
}

pub(crate) fn remittance(d: &mut Document, what: &Remittance) {
    match what {
        Remittance::Text(text) => {
            let text = ident::plain(text, ident::TEXT_MAX);
            if !text.is_empty() {
                d.leaf("RmtInf/Ustrd", &text);
            }
        }
        Remittance::Reference(reference) => d.within("RmtInf/Strd/CdtrRefInf", |d| {
            d.within("Tp", |d| {
                d.leaf("CdOrPrtry/Cd", "SCOR");
                d.leaf("Issr", "ISO");
            });
            d.leaf("Ref", reference);
        }),
    }
}

pub(crate) fn check_remittance(what: &Remittance) -> Result<(), Fault> {
    match what {
        Remittance::Reference(reference) if !ident::is_creditor_reference(reference) => {
            Err(Fault::new(
                "CREDITOR_REFERENCE_INVALID",
                format!("{reference:?} is not a creditor reference of ISO 11649"),
            ))
        }
        _ => Ok(()),
    }
}

pub(crate) fn date(date: Date) -> String {
    date.format("%Y-%m-%d").to_string()
}

/// An instant without fractions, in UTC: banks refuse fractions.
fn whole_seconds(at: Instant) -> String {
    Instant(at.0 - at.0.rem_euclid(1_000_000)).to_string()
}
