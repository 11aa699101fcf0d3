//! SEPA direct debits: pain.008, CORE and B2B.
//!
//! - Transactions of one scheme, sequence and collection day make one batch; the caller numbers the batches.
//! - Each identification is unique within the file and comes from the caller; end-to-end ids are what returns come back with.

use crate::message::{self, Party, Sum};
use crate::xml::Document;
use crate::{Agent, Fault, Remittance, ident, schema};
use indelible_domain::kernel::{Date, Instant, Money};
use std::collections::{BTreeMap, BTreeSet};

/// Which edition of the message a bank takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edition {
    /// pain.008.001.02, edition of 2009.
    V02,
    /// pain.008.001.08, edition of 2019: the one of the EPC rulebooks since November 2023.
    #[default]
    V08,
}

impl Edition {
    fn namespace(self) -> &'static str {
        match self {
            Edition::V02 => "urn:iso:std:iso:20022:tech:xsd:pain.008.001.02",
            Edition::V08 => "urn:iso:std:iso:20022:tech:xsd:pain.008.001.08",
        }
    }

    fn bic(self) -> &'static str {
        match self {
            Edition::V02 => "BIC",
            Edition::V08 => "BICFI",
        }
    }
}

/// The SEPA scheme a mandate is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Core,
    B2b,
}

/// Where a collection stands in the life of its mandate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    First,
    Recurring,
    Final,
    OneOff,
}

impl Scheme {
    /// As pain.008 writes it.
    pub fn code(self) -> &'static str {
        match self {
            Scheme::Core => "CORE",
            Scheme::B2b => "B2B",
        }
    }
}

impl Sequence {
    /// As pain.008 writes it.
    pub fn code(self) -> &'static str {
        match self {
            Sequence::First => "FRST",
            Sequence::Recurring => "RCUR",
            Sequence::Final => "FNAL",
            Sequence::OneOff => "OOFF",
        }
    }
}

/// One file of collections.
#[derive(Clone, Debug, PartialEq)]
pub struct DebitFile {
    /// Names the file for ever; at most 35 characters.
    pub message: String,
    pub created: Instant,
    pub creditor: Agent,
    /// SEPA creditor identifier.
    pub creditor_id: String,
    pub collections: Vec<Collection>,
}

/// Money to be taken from one account.
#[derive(Clone, Debug, PartialEq)]
pub struct Collection {
    pub end_to_end: String,
    /// Number of its batch, from 1: collections of one batch share scheme, sequence and day.
    pub batch: u32,
    pub amount: Money,
    pub scheme: Scheme,
    pub sequence: Sequence,
    /// Day on which the debtor's account is debited.
    pub on: Date,
    /// Reference of the mandate.
    pub mandate: String,
    pub signed: Date,
    pub debtor: Agent,
    pub remittance: Remittance,
    /// What changed of the mandate since the bank last saw it.
    pub amendment: Option<Amendment>,
}

/// What a mandate was before (EPC130-08, AT-16 to AT-18).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Amendment {
    pub mandate: Option<String>,
    pub account: Option<Former>,
    pub creditor_id: Option<String>,
}

/// The account a mandate was for.
#[derive(Clone, Debug, PartialEq)]
pub enum Former {
    Iban(String),
    /// Another one, which is not known any more: `SMNDA`, same mandate with a new debtor account.
    Unknown,
}

type Batches<'a> = BTreeMap<u32, Vec<(&'a Collection, Party)>>;

/// Writes a pain.008.
///
/// # Errors
/// Anything that a bank would refuse the whole file for: see the codes of [`crate::ident`] and of amounts. What is written
/// is checked against its schema before it is handed out.
pub fn write(file: &DebitFile, edition: Edition) -> Result<String, Fault> {
    // The batch id adds "-" and up to three digits.
    ident::check_id("message id", &file.message)?;
    ident::check_id(
        "batch id",
        &message::batch_id(&file.message, message::BATCHES_MAX),
    )?;
    message::check_count(file.collections.len())?;
    let creditor = Party::check(&file.creditor)?;
    let creditor_id = ident::creditor(&file.creditor_id)?;
    let batches = batches(&file.collections)?;
    let sum = Sum::of(file.collections.iter().map(|c| &c.amount));
    let text = Document::write(edition.namespace(), |d| {
        d.within("CstmrDrctDbtInitn", |d| {
            message::header(d, &file.message, file.created, &sum, &creditor);
            for (number, batch) in &batches {
                let id = message::batch_id(&file.message, *number);
                d.within("PmtInf", |d| {
                    head(d, &id, batch, &creditor, &creditor_id, edition);
                    for (collection, debtor) in batch {
                        transaction(d, collection, debtor, edition);
                    }
                });
            }
        });
    });
    schema::valid(&text)?;
    Ok(text)
}

fn batches(collections: &[Collection]) -> Result<Batches<'_>, Fault> {
    let mut ids = BTreeSet::new();
    let mut batches = Batches::new();
    for collection in collections {
        ident::check_id("end-to-end id", &collection.end_to_end)?;
        ident::check_id("mandate reference", &collection.mandate)?;
        message::check_amount(collection.amount)?;
        message::check_remittance(&collection.remittance)?;
        check_amendment(collection)?;
        if !ids.insert(&collection.end_to_end) {
            return Err(Fault::new(
                "BANK_ID_TWICE",
                format!(
                    "end-to-end id {:?} is twice in one file",
                    collection.end_to_end
                ),
            ));
        }
        let batch = batches.entry(collection.batch).or_default();
        let key = |c: &Collection| (c.scheme, c.sequence, c.on);
        let alike = batch
            .first()
            .is_none_or(|(first, _)| key(first) == key(collection));
        message::check_batch(collection.batch, alike)?;
        batch.push((collection, Party::check(&collection.debtor)?));
    }
    Ok(batches)
}

fn head(
    d: &mut Document,
    id: &str,
    batch: &[(&Collection, Party)],
    creditor: &Party,
    creditor_id: &str,
    edition: Edition,
) {
    let Some((first, _)) = batch.first() else {
        return;
    };
    d.leaf("PmtInfId", id);
    d.leaf("PmtMtd", "DD");
    d.leaf("BtchBookg", "true");
    Sum::of(batch.iter().map(|(c, _)| &c.amount)).write(d);
    d.within("PmtTpInf", |d| {
        d.leaf("SvcLvl/Cd", "SEPA");
        d.leaf("LclInstrm/Cd", first.scheme.code());
        d.leaf("SeqTp", first.sequence.code());
    });
    d.leaf("ReqdColltnDt", &message::date(first.on));
    creditor.name(d, "Cdtr");
    creditor.account(d, "CdtrAcct");
    creditor.bank(d, "CdtrAgt", edition.bic());
    d.leaf("ChrgBr", "SLEV");
    d.within("CdtrSchmeId/Id/PrvtId/Othr", |d| {
        d.leaf("Id", creditor_id);
        d.leaf("SchmeNm/Prtry", "SEPA");
    });
}

fn transaction(d: &mut Document, collection: &Collection, debtor: &Party, edition: Edition) {
    d.within("DrctDbtTxInf", |d| {
        d.leaf("PmtId/EndToEndId", &collection.end_to_end);
        d.amount("InstdAmt", &message::euros(collection.amount.minor), "EUR");
        d.within("DrctDbtTx/MndtRltdInf", |d| {
            d.leaf("MndtId", &collection.mandate);
            d.leaf("DtOfSgntr", &message::date(collection.signed));
            if let Some(amendment) = &collection.amendment {
                amended(d, amendment);
            }
        });
        debtor.bank(d, "DbtrAgt", edition.bic());
        debtor.name(d, "Dbtr");
        debtor.account(d, "DbtrAcct");
        message::remittance(d, &collection.remittance);
    });
}

fn check_amendment(collection: &Collection) -> Result<(), Fault> {
    let Some(amendment) = &collection.amendment else {
        return Ok(());
    };
    if let Some(mandate) = &amendment.mandate {
        ident::check_id("mandate reference", mandate)?;
    }
    if let Some(Former::Iban(iban)) = &amendment.account {
        ident::iban(iban)?;
    }
    match &amendment.creditor_id {
        Some(id) => ident::creditor(id).map(drop),
        None => Ok(()),
    }
}

fn amended(d: &mut Document, amendment: &Amendment) {
    d.leaf("AmdmntInd", "true");
    d.within("AmdmntInfDtls", |d| {
        if let Some(mandate) = &amendment.mandate {
            d.leaf("OrgnlMndtId", mandate);
        }
        if let Some(id) = &amendment.creditor_id {
            d.within("OrgnlCdtrSchmeId/Id/PrvtId/Othr", |d| {
                d.leaf("Id", id);
                d.leaf("SchmeNm/Prtry", "SEPA");
            });
        }
        match &amendment.account {
            Some(Former::Iban(iban)) => d.leaf("OrgnlDbtrAcct/Id/IBAN", iban),
            Some(Former::Unknown) => d.leaf("OrgnlDbtrAcct/Id/Othr/Id", "SMNDA"),
            None => {}
        }
    });
}
