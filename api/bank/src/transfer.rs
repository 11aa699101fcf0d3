//! SEPA credit transfers: pain.001.

use crate::message::{self, Party, Sum};
use crate::xml::Document;
use crate::{Agent, Fault, Remittance, ident, schema};
use indelible_domain::kernel::{Date, Instant, Money};
use std::collections::{BTreeMap, BTreeSet};

/// Which edition of the message a bank takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edition {
    /// pain.001.001.03, edition of 2009.
    V03,
    /// pain.001.001.09, edition of 2019: the one of the EPC rulebooks since November 2023.
    #[default]
    V09,
}

/// One file of transfers out of one account.
#[derive(Clone, Debug, PartialEq)]
pub struct TransferFile {
    /// Names the file for ever; at most 35 characters.
    pub message: String,
    pub created: Instant,
    pub debtor: Agent,
    pub transfers: Vec<Transfer>,
}

/// Money to be sent to one account.
#[derive(Clone, Debug, PartialEq)]
pub struct Transfer {
    pub end_to_end: String,
    /// Number of its batch, from 1: transfers of one batch leave on one day.
    pub batch: u32,
    pub amount: Money,
    /// Day on which it leaves.
    pub on: Date,
    pub creditor: Agent,
    pub remittance: Remittance,
}

type Batches<'a> = BTreeMap<u32, Vec<(&'a Transfer, Party)>>;

/// Writes a pain.001.
///
/// # Errors
/// Anything that a bank would refuse the whole file for: see the codes of [`crate::ident`] and of amounts. What is written
/// is checked against its schema before it is handed out.
pub fn write(file: &TransferFile, edition: Edition) -> Result<String, Fault> {
    ident::check_id("message id", &file.message)?;
    ident::check_id(
        "batch id",
        &message::batch_id(&file.message, message::BATCHES_MAX),
    )?;
    message::check_count(file.transfers.len())?;
    let debtor = Party::check(&file.debtor)?;
    let batches = batches(&file.transfers)?;
    let sum = Sum::of(file.transfers.iter().map(|t| &t.amount));
    let (namespace, bic) = match edition {
        Edition::V03 => ("urn:iso:std:iso:20022:tech:xsd:pain.001.001.03", "BIC"),
        Edition::V09 => ("urn:iso:std:iso:20022:tech:xsd:pain.001.001.09", "BICFI"),
    };
    let text = Document::write(namespace, |d| {
        d.within("CstmrCdtTrfInitn", |d| {
            message::header(d, &file.message, file.created, &sum, &debtor);
            for (number, batch) in &batches {
                let Some((first, _)) = batch.first() else {
                    continue;
                };
                d.within("PmtInf", |d| {
                    d.leaf("PmtInfId", &message::batch_id(&file.message, *number));
                    d.leaf("PmtMtd", "TRF");
                    d.leaf("BtchBookg", "true");
                    Sum::of(batch.iter().map(|(t, _)| &t.amount)).write(d);
                    d.leaf("PmtTpInf/SvcLvl/Cd", "SEPA");
                    match edition {
                        Edition::V03 => d.leaf("ReqdExctnDt", &message::date(first.on)),
                        Edition::V09 => d.leaf("ReqdExctnDt/Dt", &message::date(first.on)),
                    }
                    debtor.name(d, "Dbtr");
                    debtor.account(d, "DbtrAcct");
                    debtor.bank(d, "DbtrAgt", bic);
                    d.leaf("ChrgBr", "SLEV");
                    for (transfer, creditor) in batch {
                        transaction(d, transfer, creditor, bic);
                    }
                });
            }
        });
    });
    schema::valid(&text)?;
    Ok(text)
}

fn batches(transfers: &[Transfer]) -> Result<Batches<'_>, Fault> {
    let mut ids = BTreeSet::new();
    let mut batches = Batches::new();
    for transfer in transfers {
        ident::check_id("end-to-end id", &transfer.end_to_end)?;
        message::check_amount(transfer.amount)?;
        message::check_remittance(&transfer.remittance)?;
        if !ids.insert(&transfer.end_to_end) {
            return Err(Fault::new(
                "BANK_ID_TWICE",
                format!(
                    "end-to-end id {:?} is twice in one file",
                    transfer.end_to_end
                ),
            ));
        }
        let batch = batches.entry(transfer.batch).or_default();
        let alike = batch
            .first()
            .is_none_or(|(first, _)| first.on == transfer.on);
        message::check_batch(transfer.batch, alike)?;
        batch.push((transfer, Party::check(&transfer.creditor)?));
    }
    Ok(batches)
}

fn transaction(d: &mut Document, transfer: &Transfer, creditor: &Party, bic: &str) {
    d.within("CdtTrfTxInf", |d| {
        d.leaf("PmtId/EndToEndId", &transfer.end_to_end);
        d.within("Amt", |d| {
            d.amount("InstdAmt", &message::euros(transfer.amount.minor), "EUR");
        });
        if creditor.has_bic() {
            creditor.bank(d, "CdtrAgt", bic);
        }
        creditor.name(d, "Cdtr");
        creditor.account(d, "CdtrAcct");
        message::remittance(d, &transfer.remittance);
    });
}
