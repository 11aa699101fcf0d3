//! The bank side: accounts, statements, files, and entries that wait for a person.

use std::sync::Arc;

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::bank::{self as domain, entry, file};
use indelible_domain::command::Command;
use indelible_domain::kernel;
use indelible_domain::world::Entry;

use super::bank_told::{BankFees, BankVerdict, ExpectedBankEntry};
use super::books::Books;
use super::desk::{self, Receipt};
use super::page::{self, Cursor};
use super::scalars::{Date, Instant, Money};
use super::{errors, ids};
use crate::auth::Scope;
use crate::bank::{self, BankError};

/// An account of a legal entity at a bank.
pub struct BankAccount {
    key: String,
    state: Arc<Entry<domain::BankAccount>>,
}

#[Object]
impl BankAccount {
    async fn id(&self) -> ID {
        ids::node("bank-account", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    /// Key of its legal entity.
    async fn entity(&self) -> &str {
        &self.state.state.terms.entity
    }

    async fn currency(&self) -> String {
        self.state.state.terms.currency.to_string()
    }

    async fn holder(&self) -> &str {
        &self.state.state.terms.holder
    }

    async fn iban(&self) -> &str {
        &self.state.state.terms.iban
    }

    async fn bic(&self) -> Option<&str> {
        self.state.state.terms.bic.as_deref()
    }

    /// What else the bank calls it in statements.
    async fn known_as(&self) -> &[String] {
        &self.state.state.terms.known_as
    }

    /// SEPA creditor identifier; without one it cannot collect.
    async fn creditor_id(&self) -> Option<&str> {
        self.state.state.terms.creditor_id.as_deref()
    }

    /// Days on which banks settle, between a file and its money.
    async fn lead_days(&self) -> u32 {
        self.state.state.terms.lead_days
    }

    /// The balance the newest statement closed with.
    async fn balance(&self) -> Option<Money> {
        self.state.state.closing.map(|(balance, _)| Money(balance))
    }

    /// The day of that balance.
    async fn balanced_on(&self) -> Option<Date> {
        self.state.state.closing.map(|(_, on)| Date(on))
    }

    /// What the bank told of during the day and no statement has booked yet: information, nothing follows from it.
    async fn expected(&self, ctx: &Context<'_>) -> Result<Vec<ExpectedBankEntry>> {
        let books = Books::of(ctx)?;
        let expected = self.state.state.expected.iter().filter(|expected| {
            let entry = entry::id(&self.key, &expected.key);
            books.find::<domain::Entry>(&entry).is_none()
        });
        Ok(expected.map(ExpectedBankEntry::new).collect())
    }

    /// How what the bank takes for its work is told and posted.
    async fn fees(&self) -> BankFees {
        BankFees::new(&self.state.state.fees)
    }
}

/// A statement or notification of a bank, as it was taken.
pub struct BankStatement {
    key: String,
    state: Arc<Entry<domain::Statement>>,
}

#[Object]
impl BankStatement {
    async fn id(&self) -> ID {
        ids::node("bank-statement", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    /// What the bank calls it.
    async fn name(&self) -> &str {
        &self.state.state.name
    }

    /// Key of its bank account.
    async fn bank(&self) -> &str {
        &self.state.state.bank
    }

    async fn opening(&self) -> Option<Money> {
        self.state.state.balances.opening.map(|b| Money(b.amount))
    }

    async fn closing(&self) -> Option<Money> {
        self.state.state.balances.closing.map(|b| Money(b.amount))
    }

    /// The balance it should have opened with, if that is another one: a statement before it is missing.
    async fn expected_opening(&self) -> Option<Money> {
        self.state.state.balances.gap.map(|gap| Money(gap.expected))
    }

    /// Every part of a large statement is there.
    async fn complete(&self) -> bool {
        self.state.state.is_complete()
    }

    /// Entries received = booked with it + known before + left to a later statement.
    async fn received(&self) -> u64 {
        self.state.state.counts.received
    }

    async fn booked(&self) -> u64 {
        self.state.state.counts.new
    }

    async fn known(&self) -> u64 {
        self.state.state.counts.known
    }

    async fn left(&self) -> u64 {
        self.state.state.counts.left
    }
}

/// A file for a bank.
pub struct BankFile {
    key: String,
    state: Arc<Entry<domain::BankFile>>,
}

/// Which edition of its messages a bank takes.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(name = "BankFileEdition", remote = "crate::bank::Edition")]
pub enum Edition {
    /// pain.008.001.02 and pain.001.001.03.
    Of2009,
    /// pain.008.001.08 and pain.001.001.09.
    Of2019,
}

#[Object]
impl BankFile {
    async fn id(&self) -> ID {
        ids::node("bank-file", &self.key)
    }

    /// The id without its kind; the message id in the file.
    async fn key(&self) -> &str {
        &self.key
    }

    /// Key of its bank account.
    async fn bank(&self) -> &str {
        &self.state.state.bank
    }

    async fn drawn(&self) -> Instant {
        Instant(self.state.state.at)
    }

    /// It never reached the bank: its payments wait for another file.
    async fn withdrawn(&self) -> bool {
        self.state.state.withdrawn
    }

    async fn items(&self) -> Vec<BankFileItem> {
        let file = &self.state.state;
        let items = file.items.iter();
        items.map(|item| BankFileItem::new(file, item)).collect()
    }

    /// What the bank last said of the whole file, before it booked anything.
    async fn verdict(&self) -> Option<BankVerdict> {
        self.state.state.whole.as_ref().map(BankVerdict::new)
    }

    /// What the bank calls the status reports that were taken.
    async fn reports(&self) -> Vec<&str> {
        let reports = self.state.state.reports.keys();
        reports.map(String::as_str).collect()
    }

    /// The file as the bank takes it, the same bytes whenever it is asked for. Needs a key that may operate: it names
    /// payers and their accounts.
    async fn content(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Edition::Of2019")] edition: Edition,
    ) -> Result<String> {
        let books = Books::of(ctx)?;
        desk::require(&books, Scope::Operate)?;
        let office = books.office();
        let written = office.ledger.read(books.tenant(), |tenant| {
            bank::write(&office.keyring, tenant, &self.key, edition.into())
        });
        written.map_err(failed)
    }
}

/// One payment in a file.
#[derive(SimpleObject)]
pub struct BankFileItem {
    /// Key of the payment.
    payment: String,
    /// What the bank calls it.
    end_to_end: String,
    amount: Money,
    /// The day the money moves.
    on: Date,
    /// Items of one batch are booked as one sum.
    batch: u32,
    /// FRST, RCUR, FNAL or OOFF for a collection; none for a transfer.
    sequence: Option<String>,
    /// Its mandate changed since the bank last saw it, and the file says what it was.
    amended: bool,
    /// What the bank last said of it, before it booked it.
    verdict: Option<BankVerdict>,
}

impl BankFileItem {
    fn new(file: &domain::BankFile, item: &file::Item) -> BankFileItem {
        let sequence = match &item.order {
            domain::Order::Debit { sequence, .. } => Some(match sequence {
                domain::Sequence::First => "FRST".to_owned(),
                domain::Sequence::Recurring => "RCUR".to_owned(),
                domain::Sequence::OneOff => "OOFF".to_owned(),
                domain::Sequence::Final => "FNAL".to_owned(),
            }),
            domain::Order::Transfer { .. } => None,
        };
        BankFileItem {
            payment: item.payment.clone(),
            end_to_end: item.end_to_end.clone(),
            amount: Money(item.amount),
            on: Date(item.on),
            batch: item.batch,
            sequence,
            amended: file.amendments.contains_key(&item.end_to_end),
            verdict: file.verdicts.get(&item.end_to_end).map(BankVerdict::new),
        }
    }
}

/// A part of a bank entry that waits for a person.
pub struct OpenBankEntry {
    key: String,
    number: u32,
    booked: Option<kernel::Date>,
    part: entry::Part,
    code: String,
    why: String,
}

#[Object]
impl OpenBankEntry {
    /// Key of the entry.
    async fn entry(&self) -> &str {
        &self.key
    }

    /// Which part of the entry, counted from 0.
    async fn part(&self) -> u32 {
        self.number
    }

    /// Positive: money came in.
    async fn amount(&self) -> Money {
        Money(self.part.amount)
    }

    async fn booked(&self) -> Option<Date> {
        self.booked.map(Date)
    }

    async fn code(&self) -> &str {
        &self.code
    }

    async fn why(&self) -> &str {
        &self.why
    }

    /// What the other side said; none if it said nothing or is forgotten. Needs a key that may operate.
    async fn said(&self, ctx: &Context<'_>) -> Result<Option<BankWords>> {
        let books = Books::of(ctx)?;
        desk::require(&books, Scope::Operate)?;
        let Some(sealed) = &self.part.said else {
            return Ok(None);
        };
        let said = books.unseal(sealed)?;
        Ok(said.map(|said| BankWords {
            name: said.name,
            iban: said.iban,
            text: said.text,
        }))
    }
}

/// Name, account and text of the other side of a bank entry.
#[derive(SimpleObject)]
pub struct BankWords {
    name: String,
    iban: String,
    text: String,
}

pub(super) fn failed(error: BankError) -> async_graphql::Error {
    match &error {
        BankError::Personal(_) => {
            errors::broken(error.code(), "personal data could not be used", &error)
        }
        _ => errors::refused(error.code(), error.to_string()),
    }
}

pub(super) fn find_account(ctx: &Context<'_>, key: &str) -> Result<Option<BankAccount>> {
    let state = Books::of(ctx)?.find::<domain::BankAccount>(key);
    Ok(state.map(|state| BankAccount {
        key: key.to_owned(),
        state,
    }))
}

fn find_file(ctx: &Context<'_>, key: &str) -> Result<Option<BankFile>> {
    let state = Books::of(ctx)?.find::<domain::BankFile>(key);
    Ok(state.map(|state| BankFile {
        key: key.to_owned(),
        state,
    }))
}

fn find_statement(ctx: &Context<'_>, key: &str) -> Result<Option<BankStatement>> {
    let state = Books::of(ctx)?.find::<domain::Statement>(key);
    Ok(state.map(|state| BankStatement {
        key: key.to_owned(),
        state,
    }))
}

#[derive(Default)]
pub struct BankQueries;

#[Object]
impl BankQueries {
    async fn bank_account(&self, ctx: &Context<'_>, id: ID) -> Result<Option<BankAccount>> {
        find_account(ctx, &ids::key("bank-account", &id))
    }

    async fn bank_statement(&self, ctx: &Context<'_>, id: ID) -> Result<Option<BankStatement>> {
        find_statement(ctx, &ids::key("bank-statement", &id))
    }

    async fn bank_file(&self, ctx: &Context<'_>, id: ID) -> Result<Option<BankFile>> {
        find_file(ctx, &ids::key("bank-file", &id))
    }

    /// Entries of bank accounts that wait for a person, in the order of their keys.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn open_bank_entries(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, OpenBankEntry>> {
        let asked = page::asked(first, after)?;
        let books = Books::of(ctx)?;
        let waiting = books.index(|index| index.bank.open.clone());
        let mut rows = Vec::new();
        for key in waiting.keys() {
            let Some(found) = books.find::<domain::Entry>(key) else {
                continue;
            };
            for (number, part, code, why) in found.state.open_parts() {
                let open = OpenBankEntry {
                    key: key.clone(),
                    number,
                    booked: found.state.booked,
                    part: part.clone(),
                    code: code.to_owned(),
                    why: why.to_owned(),
                };
                rows.push((format!("{key}.{number:06}"), open));
            }
        }
        Ok(page::sorted(&asked, rows))
    }
}

#[derive(InputObject)]
pub struct BankAccountInput {
    /// Chosen by you, at most 40 characters.
    id: ID,
    entity: ID,
    /// ISO 4217 code.
    #[graphql(default_with = "\"EUR\".to_owned()")]
    currency: String,
    /// Its holder, as files and statements name it.
    holder: String,
    iban: String,
    bic: Option<String>,
    /// What else the bank calls it in statements, e.g. bank code and number in MT940.
    #[graphql(default)]
    known_as: Vec<String>,
    /// SEPA creditor identifier; without one it cannot collect.
    creditor_id: Option<String>,
    /// Days on which banks settle, between a file and its money; at least 1.
    #[graphql(default = 1)]
    lead_days: u32,
}

impl BankAccountInput {
    fn terms(self) -> Result<(String, Box<domain::Terms>)> {
        let fault = |error| failed(BankError::File(error));
        let terms = domain::Terms {
            entity: ids::key("entity", &self.entity),
            currency: self.currency.parse().map_err(errors::rejected)?,
            holder: self.holder,
            iban: indelible_bank::ident::iban(&self.iban).map_err(fault)?,
            bic: self
                .bic
                .map(|bic| indelible_bank::ident::bic(&bic))
                .transpose()
                .map_err(fault)?,
            known_as: self.known_as,
            creditor_id: self
                .creditor_id
                .map(|id| indelible_bank::ident::creditor(&id))
                .transpose()
                .map_err(fault)?,
            lead_days: self.lead_days,
        };
        Ok((ids::key("bank-account", &self.id), Box::new(terms)))
    }
}

#[derive(SimpleObject)]
pub struct BankAccountPayload {
    pub(super) bank_account: Option<BankAccount>,
    pub(super) receipt: Receipt,
}

#[derive(SimpleObject)]
pub struct BankStatementPayload {
    /// One for each statement of the file, in its order.
    statements: Vec<BankStatement>,
    /// Our file that a status report is about.
    bank_files: Vec<BankFile>,
    receipt: Receipt,
}

#[derive(SimpleObject)]
pub struct BankFilePayload {
    bank_file: Option<BankFile>,
    /// Payments that did not fit and wait for the next file.
    left: u64,
    receipt: Receipt,
}

#[derive(SimpleObject)]
pub struct BankEntryPayload {
    receipt: Receipt,
}

async fn account_done(
    ctx: &Context<'_>,
    key: &str,
    bank: &str,
    command: Command,
) -> Result<BankAccountPayload> {
    let receipt = desk::hand_in(ctx, Scope::Admin, key, command).await?;
    Ok(BankAccountPayload {
        bank_account: find_account(ctx, bank)?,
        receipt,
    })
}

async fn file_done(
    ctx: &Context<'_>,
    key: &str,
    file: &str,
    command: Command,
) -> Result<BankFilePayload> {
    let receipt = desk::hand_in(ctx, Scope::Operate, key, command).await?;
    Ok(BankFilePayload {
        bank_file: find_file(ctx, file)?,
        left: receipt.outcome().left,
        receipt,
    })
}

#[derive(Default)]
pub struct BankMutations;

#[Object]
impl BankMutations {
    /// Opens an account of a legal entity at a bank.
    async fn open_bank_account(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: BankAccountInput,
    ) -> Result<BankAccountPayload> {
        let (bank, terms) = input.terms()?;
        let command = Command::OpenBankAccount {
            bank: bank.clone(),
            terms,
        };
        account_done(ctx, &idempotency_key, &bank, command).await
    }

    /// Changes what is agreed with the bank; entity, currency and IBAN stay.
    async fn change_bank_account(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: BankAccountInput,
    ) -> Result<BankAccountPayload> {
        let (bank, terms) = input.terms()?;
        let command = Command::ChangeBankAccount {
            bank: bank.clone(),
            terms,
        };
        account_done(ctx, &idempotency_key, &bank, command).await
    }

    /// Takes whatever a bank sends. ISO messages are checked against their schemas first, and a file that is not valid is
    /// refused whole with every problem and its place.
    ///
    /// - A statement (camt.053, camt.054, MT940): every entry is booked once, whatever file brings it, and what follows from
    ///   it happens with it: cash is applied, collections are settled or come back.
    /// - A report of the day so far (camt.052) is shown as expected and books nothing.
    /// - A status report (pain.002) settles or fails the collections and transfers that it names.
    async fn import_bank_statement(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        file: String,
    ) -> Result<BankStatementPayload> {
        let books = Books::of(ctx)?;
        desk::require(&books, Scope::Operate)?;
        let commands = bank::commands(&books.office().keyring, books.tenant(), file.as_bytes());
        let commands = commands.map_err(failed)?;
        let receipt = desk::hand_in_all(ctx, Scope::Operate, &idempotency_key, commands).await?;
        let mut taken = Vec::new();
        let mut bank_files = Vec::new();
        for (kind, key) in &receipt.outcome().touched {
            let known = |s: &BankStatement| s.key == *key;
            if kind == "bank-file" {
                bank_files.extend(find_file(ctx, key)?);
            } else if !taken.iter().any(known) {
                taken.extend(find_statement(ctx, key)?);
            }
        }
        Ok(BankStatementPayload {
            statements: taken,
            bank_files,
            receipt,
        })
    }

    /// Puts the collections that wait for it into one file of direct debits; `on` none: as early as can be.
    async fn draw_debits(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        file: ID,
        bank: ID,
        on: Option<Date>,
    ) -> Result<BankFilePayload> {
        let file = ids::key("bank-file", &file);
        let command = Command::DrawDebits {
            file: file.clone(),
            bank: ids::key("bank-account", &bank),
            on: on.map(|on| on.0),
        };
        file_done(ctx, &idempotency_key, &file, command).await
    }

    /// Puts money that goes back by transfer into one file; `on` none: as early as can be.
    async fn draw_transfers(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        file: ID,
        bank: ID,
        on: Option<Date>,
    ) -> Result<BankFilePayload> {
        let file = ids::key("bank-file", &file);
        let command = Command::DrawTransfers {
            file: file.clone(),
            bank: ids::key("bank-account", &bank),
            on: on.map(|on| on.0),
        };
        file_done(ctx, &idempotency_key, &file, command).await
    }

    /// The file never reached the bank: what is in it waits for another one.
    async fn withdraw_bank_file(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        file: ID,
        reason: String,
    ) -> Result<BankFilePayload> {
        let file = ids::key("bank-file", &file);
        let command = Command::WithdrawBankFile {
            file: file.clone(),
            reason,
        };
        file_done(ctx, &idempotency_key, &file, command).await
    }

    /// A person dealt with a part of a bank entry.
    async fn close_bank_entry(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        entry: ID,
        part: u32,
        note: String,
    ) -> Result<BankEntryPayload> {
        let command = Command::CloseBankEntry {
            entry: ids::key("bank-entry", &entry),
            part,
            note,
        };
        let receipt = desk::hand_in(ctx, Scope::Operate, &idempotency_key, command).await?;
        Ok(BankEntryPayload { receipt })
    }
}
