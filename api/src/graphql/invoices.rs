//! Invoices and credit notes, down to the arithmetic of each line.

use std::sync::Arc;

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::accounts;
use indelible_domain::charges::What;
use indelible_domain::command::Command;
use indelible_domain::invoices as domain;
use indelible_domain::kernel;
use indelible_domain::receivables::Receivables;
use indelible_domain::shares::Shares;
use indelible_domain::world::Entry;

use super::accounts::{Account, LegalEntity};
use super::bill_runs::BillRun;
use super::books::{AsOf, Books, Cut};
use super::charges::LineKind;
use super::desk::{self, Receipt};
use super::exchange::{self, ConvertedFrom};
use super::explained::{self, LineExplanation};
use super::forget::Buyer;
use super::invoicing::InvoiceHold;
use super::page::{self, Cursor};
use super::payments::Applied;
use super::scalars::{Date, Decimal, Money};
use super::shares::LineShare;
use super::shown::{self, ShownLine, ShownTerms};
use super::subscriptions::Subscription;
use super::usage::Charge;
use super::{errors, ids};
use crate::auth::Scope;

/// Decimals of an exact amount before it was rounded (policy 1).
const EXACT_PLACES: u32 = 12;

/// An invoice or credit note.
pub struct Invoice {
    pub key: String,
    pub state: Arc<Entry<domain::Invoice>>,
    pub cut: Cut,
}

impl Invoice {
    pub async fn find(
        ctx: &Context<'_>,
        key: &str,
        as_of: Option<AsOf>,
    ) -> Result<Option<Invoice>> {
        let cut = Books::of(ctx)?.cut(as_of).await?;
        Invoice::at(ctx, key, cut).await
    }

    /// The document at a cut.
    pub async fn at(ctx: &Context<'_>, key: &str, cut: Cut) -> Result<Option<Invoice>> {
        let books = Books::of(ctx)?;
        let state = books
            .find_at::<domain::Invoice>(key, &cut, books.document_zone(key))
            .await?;
        Ok(state.map(|state| Invoice {
            key: key.to_owned(),
            state,
            cut,
        }))
    }

    pub fn now(ctx: &Context<'_>, key: &str) -> Result<Option<Invoice>> {
        Invoice::seen(ctx, key, &Cut::now())
    }

    /// The document as it is now, or as a dry run would leave it.
    pub fn seen(ctx: &Context<'_>, key: &str, cut: &Cut) -> Result<Option<Invoice>> {
        let state = Books::of(ctx)?.find_tried::<domain::Invoice>(key, cut);
        Ok(state.map(|state| Invoice {
            key: key.to_owned(),
            state,
            cut: cut.clone(),
        }))
    }

    /// A document that was only computed, beside what a dry run would leave.
    pub fn tried(key: String, state: Arc<Entry<domain::Invoice>>, cut: Cut) -> Invoice {
        Invoice { key, state, cut }
    }

    /// Documents of an account with their sort keys: the order in which they came to be.
    pub async fn of_account(
        ctx: &Context<'_>,
        account: &str,
        cut: Cut,
    ) -> Result<Vec<(String, Invoice)>> {
        let books = Books::of(ctx)?;
        let keys = books.index(|index| index.invoices_of.get(account).cloned().unwrap_or_default());
        let zone = books.document_zone_of(account);
        let found = books.all_at::<domain::Invoice>(keys, &cut, zone).await?;
        let row = |(n, (key, state))| {
            (
                format!("{n:012}"),
                Invoice {
                    key,
                    state,
                    cut: cut.clone(),
                },
            )
        };
        Ok(found.into_iter().enumerate().map(row).collect())
    }

    /// The zone that dates what is applied to it: that of its account.
    fn zone(&self, ctx: &Context<'_>) -> Result<Option<kernel::Zone>> {
        Ok(Some(Books::of(ctx)?.zone(&self.document().account)))
    }

    /// The folio that it is on.
    fn folio_key(&self, ctx: &Context<'_>) -> Result<String> {
        let document = self.document();
        let books = Books::of(ctx)?;
        let account = books.find_tried::<accounts::Account>(&document.account, &self.cut);
        // A preview of an account that is gone is on no folio.
        Ok(account.map_or(document.account.clone(), |account| {
            document.folio().id(&document.account, &account.state.terms)
        }))
    }

    fn document(&self) -> &domain::Document {
        &self.state.state.document
    }
}

#[Object]
impl Invoice {
    pub async fn id(&self) -> ID {
        ids::node("invoice", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    /// Each kind has a series of numbers of its own.
    async fn kind(&self) -> DocumentKind {
        self.document().kind.into()
    }

    /// Code of its kind in UNTDID 1001 (BT-3 of EN 16931): 380 an invoice, 381 a credit note, 386 an invoice of an advance, 325 a
    /// request for one.
    async fn type_code(&self) -> u16 {
        self.document().kind.type_code()
    }

    async fn stage(&self) -> DocumentStage {
        match self.state.state.stage {
            domain::Stage::Absent | domain::Stage::Draft => DocumentStage::Draft,
            domain::Stage::Finalised => DocumentStage::Finalised,
            domain::Stage::Void => DocumentStage::Void,
            domain::Stage::Rejected => DocumentStage::Rejected,
        }
    }

    /// Of a draft that waits and keeps its lines: why, and until when.
    async fn hold(&self) -> Option<InvoiceHold> {
        self.state.state.hold.as_ref().map(InvoiceHold::of)
    }

    /// Given when it is finalised, without gaps in its series; none for a draft.
    async fn number(&self) -> Option<&str> {
        let number = self.state.state.number.as_str();
        (!number.is_empty()).then_some(number)
    }

    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named_at(ctx, &self.document().account, self.cut.clone()).await
    }

    async fn entity(&self, ctx: &Context<'_>) -> Result<LegalEntity> {
        LegalEntity::named(ctx, &self.document().entity)
    }

    /// Who it is made out to, as it was when it was finalised; for a draft as it is now. None once legal documents of
    /// the account were forgotten.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Option<Buyer>> {
        let books = Books::of(ctx)?;
        let sealed = match &self.state.state.buyer {
            Some(buyer) => Some(buyer.clone()),
            None => books
                .find::<indelible_domain::accounts::Account>(&self.document().account)
                .and_then(|account| account.state.terms.buyer.clone()),
        };
        sealed.map_or(Ok(None), |sealed| Buyer::open(&books, &sealed))
    }

    /// ISO 4217 code.
    async fn currency(&self) -> &str {
        self.document().currency.code()
    }

    /// Everything due on or before this day is on it.
    async fn as_of(&self) -> Date {
        Date(self.document().as_of)
    }

    /// Issue date in the zone of the legal entity; none for a draft.
    async fn issued(&self) -> Option<Date> {
        self.state.state.issued.map(Date)
    }

    async fn due(&self) -> Option<Date> {
        self.state.state.due.map(Date)
    }

    /// Sum of the lines.
    async fn net(&self) -> Money {
        Money(self.document().net)
    }

    async fn tax(&self) -> Money {
        Money(self.document().tax)
    }

    /// Net and tax.
    async fn total(&self) -> Money {
        Money(self.document().total)
    }

    /// The folio of its account that it is on.
    async fn folio(&self, ctx: &Context<'_>) -> Result<String> {
        self.folio_key(ctx)
    }

    /// What is still to pay; zero for a draft, a credit note and a void document.
    async fn open(&self, ctx: &Context<'_>) -> Result<Money> {
        let document = self.document();
        let owed = Books::of(ctx)?
            .find_at::<Receivables>(&self.folio_key(ctx)?, &self.cut, self.zone(ctx)?)
            .await?;
        let item = owed.as_ref().and_then(|owed| owed.state.item(&self.key));
        Ok(Money(
            item.map_or(kernel::Money::zero(document.currency), |item| item.open),
        ))
    }

    /// Payments, credit notes and credit applied to it.
    async fn applied(&self, ctx: &Context<'_>) -> Result<Vec<Applied>> {
        let owed = Books::of(ctx)?
            .find_at::<Receivables>(&self.folio_key(ctx)?, &self.cut, self.zone(ctx)?)
            .await?;
        let applied = owed
            .iter()
            .flat_map(|owed| owed.state.applied_to(&self.key));
        Ok(applied
            .map(|(source, part)| Applied::new(source, part, self.cut.clone()))
            .collect())
    }

    /// What its credit notes have left of the total.
    async fn left_after_credit_notes(&self) -> Money {
        Money(self.state.state.left())
    }

    /// Tax by name and rate, computed over the net of each group.
    async fn taxes(&self) -> Vec<TaxGroup> {
        let group = |group: &domain::TaxGroup| TaxGroup {
            name: group.tax.name.clone(),
            rate: Decimal(group.tax.rate),
            net: Money(group.net),
            amount: Money(group.amount),
            parts: group
                .parts
                .iter()
                .map(|(name, amount)| TaxGroupPart {
                    name: name.clone(),
                    amount: Money(*amount),
                })
                .collect(),
            exempt: Some(group.tax.exempt.clone()).filter(|reason| !reason.is_empty()),
        };
        self.document().taxes.iter().map(group).collect()
    }

    /// The tax in the accounting currency of its legal entity (BT-6 and BT-111 of EN 16931), where that is another one than the
    /// document's; none for a draft and where there is no tax.
    async fn tax_in_accounting_currency(&self) -> Option<StatedTax> {
        self.state.state.stated.as_deref().map(StatedTax::of)
    }

    /// What others get of its lines, because the charges are shared with them.
    async fn shares(&self, ctx: &Context<'_>) -> Result<Vec<LineShare>> {
        let known = Books::of(ctx)?
            .find_at::<Shares>(&self.key, &self.cut, self.zone(ctx)?)
            .await?;
        let parts = known.iter().flat_map(|known| known.state.parts());
        Ok(parts.map(LineShare::of).collect())
    }

    /// Lines in the order shown.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn lines(
        &self,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, InvoiceLine>> {
        let asked = page::asked(first, after)?;
        let rows = self.document().lines.iter().map(|line| {
            let row = InvoiceLine {
                key: self.key.clone(),
                state: Arc::clone(&self.state),
                line: line.clone(),
            };
            (format!("{:010}", line.no), row)
        });
        Ok(page::sorted(&asked, rows.collect()))
    }

    /// How its lines are put together for a reader.
    async fn shown(&self) -> ShownTerms {
        ShownTerms::of(self.document().shown)
    }

    /// The lines as they are to be shown: by days, unit prices, groups and services, as the document records it. They sum to `net`.
    #[graphql(complexity = "100 * child_complexity")]
    async fn shown_lines(&self, ctx: &Context<'_>) -> Result<Vec<ShownLine>> {
        shown::lines(ctx, &self.key, self.document()).await
    }

    /// The order that all of it is of, where documents are split by orders.
    async fn order(&self) -> Option<&str> {
        self.document().order.as_deref()
    }

    /// The payment method that it is collected by first, where documents are split by methods.
    async fn method(&self) -> Option<&str> {
        self.document().method.as_deref()
    }

    /// The invoice that a credit note corrects.
    async fn corrects(&self, ctx: &Context<'_>) -> Result<Option<Invoice>> {
        match &self.document().corrects {
            Some(key) => Invoice::at(ctx, key, self.cut.clone()).await,
            None => Ok(None),
        }
    }

    /// The bill run that made it.
    async fn run(&self, ctx: &Context<'_>) -> Result<Option<BillRun>> {
        match &self.document().run {
            Some(key) => BillRun::at(ctx, key, self.cut.clone()),
            None => Ok(None),
        }
    }

    /// How the total came about, in words.
    async fn explain(&self) -> Vec<String> {
        let document = self.document();
        let mut sentences = Vec::new();
        if !document.kind.is_booked() {
            sentences.push(
                "a request for an advance is no invoice: nothing is owed by it and no tax may be deducted from it"
                    .to_owned(),
            );
        }
        let lines = document.lines.iter();
        sentences.extend(lines.map(|l| format!("line {}: {} = {}", l.no, l.explain, l.net)));
        sentences.push(format!(
            "the {} lines sum to {} net",
            document.lines.len(),
            document.net
        ));
        for group in &document.taxes {
            let domain::TaxGroup {
                tax,
                net,
                amount,
                parts,
            } = group;
            let included = document
                .lines
                .iter()
                .any(|line| line.tax == *tax && line.gross.is_some());
            let how = if included {
                "taken out of prices that include it, "
            } else {
                ""
            };
            let of: Vec<String> = parts
                .iter()
                .map(|(name, amount)| format!("{name} {amount}"))
                .collect();
            let of = if of.is_empty() {
                String::new()
            } else {
                format!(" ({})", of.join(", "))
            };
            let lines = document.lines.iter().filter(|line| line.tax == *tax);
            let (taken, taxed) = domain::compose::taken_off(lines, document.currency);
            let (net, whole) = (net.plus(taken), amount.plus(taxed));
            let less = if taken.is_zero() {
                String::new()
            } else {
                format!(", less {taxed} that advances of {taken} had: {amount}")
            };
            sentences.push(format!(
                "{} at rate {} on {net}, {how}rounded once for the group: {whole}{less}{of}{}",
                tax.name,
                tax.rate,
                if tax.exempt.is_empty() {
                    String::new()
                } else {
                    format!(": {}", tax.exempt)
                }
            ));
        }
        sentences.push(format!(
            "{} net + {} tax = {}",
            document.net, document.tax, document.total
        ));
        let told = self.state.state.stated.as_deref();
        sentences.extend(told.into_iter().flat_map(in_accounting_currency));
        sentences
    }
}

/// The tax of all lines of one name and rate.
#[derive(SimpleObject)]
pub struct TaxGroup {
    name: String,
    /// 0.19 is 19 %.
    rate: Decimal,
    net: Money,
    amount: Money,
    /// Of a composite tax; they sum to the amount.
    parts: Vec<TaxGroupPart>,
    /// Why no tax is charged, where the account is exempt.
    exempt: Option<String>,
}

/// How the tax in the accounting currency came about.
fn in_accounting_currency(told: &domain::TaxStated) -> Vec<String> {
    let mut sentences: Vec<String> = told
        .parts
        .iter()
        .map(|part| {
            format!(
                "{} at rate {}: {} × {} {} each on {} ({}), rounded once: {}",
                part.tax.name,
                part.tax.rate,
                part.of,
                exchange::shown(part.rate),
                part.amount.currency,
                part.on,
                part.source,
                part.amount
            )
        })
        .collect();
    sentences.push(format!("tax in the accounting currency: {}", told.total));
    sentences
}

/// The tax of a document in the accounting currency of its legal entity.
#[derive(SimpleObject)]
pub struct StatedTax {
    /// ISO 4217 code of the accounting currency.
    currency: String,
    /// The sum of the parts.
    total: Money,
    parts: Vec<StatedTaxPart>,
}

/// The tax of one name and rate; where that is given back of earlier documents, of each of them.
#[derive(SimpleObject)]
pub struct StatedTaxPart {
    name: String,
    /// 0.19 is 19 %.
    rate: Decimal,
    /// In the document's currency.
    tax: Money,
    /// In the accounting currency, rounded once.
    amount: Money,
    /// Units of the accounting currency for one unit of the document's, with at most 12 decimals.
    exchange_rate: String,
    /// The day whose exchange rate it is.
    on: Date,
    /// Who told it.
    source: String,
}

impl StatedTax {
    fn of(told: &domain::TaxStated) -> StatedTax {
        let part = |part: &domain::StatedTax| StatedTaxPart {
            name: part.tax.name.clone(),
            rate: Decimal(part.tax.rate),
            tax: Money(part.of),
            amount: Money(part.amount),
            exchange_rate: exchange::shown(part.rate),
            on: Date(part.on),
            source: part.source.clone(),
        };
        StatedTax {
            currency: told.total.currency.code().to_owned(),
            total: Money(told.total),
            parts: told.parts.iter().map(part).collect(),
        }
    }
}

#[derive(SimpleObject)]
pub struct TaxGroupPart {
    name: String,
    amount: Money,
}

/// What a discount took off a line.
#[derive(SimpleObject)]
pub struct LineReduction {
    /// As it was redeemed; none where an earlier discount is taken back with the usage it was of.
    redemption: Option<String>,
    text: String,
    /// Positive where it lowers the line; with tax where the price includes it.
    amount: Money,
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::Kind")]
pub enum DocumentKind {
    Invoice,
    CreditNote,
    /// An invoice with its tax over what is asked for before the supply.
    AdvanceInvoice,
    /// Asks for money before the supply and is no invoice: nothing is owed or taxed by it.
    AdvanceRequest,
    /// Asks for more of what was invoiced before.
    DebitNote,
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub enum DocumentStage {
    /// Can be computed again; has no number.
    Draft,
    /// Numbered and frozen.
    Finalised,
    /// Keeps its number; its charges go to the next run.
    Void,
    /// A draft that became no invoice; its charges go to the next run.
    Rejected,
}

/// One line of a document.
pub struct InvoiceLine {
    key: String,
    state: Arc<Entry<domain::Invoice>>,
    pub line: domain::Line,
}

#[Object]
impl InvoiceLine {
    /// From 1, in the order shown.
    async fn no(&self) -> u32 {
        self.line.no
    }

    async fn kind(&self) -> LineKind {
        LineKind::from(&self.line.what)
    }

    /// Code of the charge in its offer, or the id of the charge that was added.
    async fn charge(&self) -> &str {
        self.line.what.charge()
    }

    async fn text(&self) -> &str {
        &self.line.text
    }

    async fn quantity(&self) -> &str {
        &self.line.quantity
    }

    /// First day of the service period.
    async fn from(&self) -> Option<Date> {
        self.line.what.days().map(|days| Date(days.from))
    }

    /// Day after the service period.
    async fn until(&self) -> Option<Date> {
        self.line.what.days().map(|days| Date(days.until))
    }

    /// The account that used it; another than the document's where a parent pays.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.line.account).await
    }

    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        match &self.line.subscription {
            Some(key) => Subscription::find(ctx, key, None).await,
            None => Ok(None),
        }
    }

    /// Before rounding, with at most 12 decimals.
    async fn exact(&self) -> String {
        self.line.exact.to_decimal(EXACT_PLACES)
    }

    /// Rounded once; below zero where something is given back.
    async fn net(&self) -> Money {
        Money(self.line.net)
    }

    /// What credit notes have left of it.
    async fn left(&self) -> Money {
        Money(self.state.state.line_left(&self.line))
    }

    /// What discounts took off, in the order in which they did; `net` is what they left.
    async fn reductions(&self) -> Vec<LineReduction> {
        let row = |r: &domain::Reduction| LineReduction {
            redemption: Some(r.redemption.clone()).filter(|id| !id.is_empty()),
            text: r.text.clone(),
            amount: Money(r.amount),
        };
        self.line.reductions.iter().map(row).collect()
    }

    /// Of a price that includes tax: what the customer pays for the line.
    async fn gross(&self) -> Option<Money> {
        self.line.gross.map(Money)
    }

    /// Of a charge that is sold in another currency than the document's.
    async fn converted(&self) -> Option<ConvertedFrom> {
        self.line.converted.as_ref().map(ConvertedFrom::of)
    }

    async fn tax_name(&self) -> &str {
        &self.line.tax.name
    }

    /// 0.19 is 19 %.
    async fn tax_rate(&self) -> Decimal {
        Decimal(self.line.tax.rate)
    }

    /// The arithmetic in words.
    async fn explain(&self) -> &str {
        &self.line.explain
    }

    /// How it came to its amount, as figures, from what was known when the document was made. `charges` goes on down to
    /// the records.
    async fn explanation(&self, ctx: &Context<'_>) -> Result<LineExplanation> {
        explained::line(ctx, &self.key, &self.state.state.document, &self.line).await
    }

    /// For usage: what each record cost, as it stands after every correction, in the order of the usage.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn charges(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Charge>> {
        let asked = page::asked(first, after)?;
        let rows = match (&self.line.subscription, &self.line.what) {
            (Some(subscription), What::Usage { charge, days }) => {
                Charge::of_period(ctx, subscription, charge, days.from).await?
            }
            _ => vec![],
        };
        Ok(page::sorted(&asked, rows))
    }
}

/// Part of an invoice line to give back.
#[derive(InputObject)]
pub struct CreditPartInput {
    line: u32,
    /// Net; none: all that is left of the line.
    amount: Option<Money>,
}

#[derive(InputObject)]
pub struct CreditInvoiceInput {
    /// Id of the credit note, chosen by you.
    id: ID,
    invoice: ID,
    parts: Vec<CreditPartInput>,
    reason: String,
}

#[derive(SimpleObject)]
pub struct InvoicePayload {
    /// The document as it is now; for a dry run as it would be.
    invoice: Option<Invoice>,
    receipt: Receipt,
}

pub async fn done(
    ctx: &Context<'_>,
    idempotency_key: &str,
    key: &str,
    command: Command,
    dry_run: bool,
) -> Result<InvoicePayload> {
    let receipt =
        desk::hand_in_or_try(ctx, Scope::Operate, idempotency_key, command, dry_run).await?;
    Ok(InvoicePayload {
        invoice: Invoice::seen(ctx, key, &receipt.cut())?,
        receipt,
    })
}

#[derive(Default)]
pub struct InvoiceQueries;

#[Object]
impl InvoiceQueries {
    /// A document, now or as of some time; none if there is no such document.
    async fn invoice(
        &self,
        ctx: &Context<'_>,
        id: ID,
        as_of: Option<AsOf>,
    ) -> Result<Option<Invoice>> {
        Invoice::find(ctx, &ids::key("invoice", &id), as_of).await
    }

    /// Documents in the order of their keys; those of an account in the order they came to be.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn invoices(
        &self,
        ctx: &Context<'_>,
        account: Option<ID>,
        kind: Option<DocumentKind>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Invoice>> {
        let asked = page::asked(first, after)?;
        let wanted = kind.map(domain::Kind::from);
        let fits = |kind: domain::Kind| wanted.is_none_or(|wanted| wanted == kind);
        if let Some(account) = account {
            let key = ids::key("account", &account);
            let mut own = Invoice::of_account(ctx, &key, Cut::now()).await?;
            own.retain(|(_, invoice)| fits(invoice.document().kind));
            return Ok(page::sorted(&asked, own));
        }
        // The documents of advances are named after them.
        let prefix = match kind {
            Some(DocumentKind::AdvanceInvoice | DocumentKind::AdvanceRequest) => "advance.",
            _ => "",
        };
        let rows = Books::of(ctx)?
            .page_of::<domain::Invoice>(&asked, prefix, |state| fits(state.document.kind));
        let row = |(key, state): (String, _)| {
            (
                key.clone(),
                Invoice {
                    key,
                    state,
                    cut: Cut::now(),
                },
            )
        };
        Ok(page::page(&asked, rows.into_iter().map(row)))
    }
}

#[derive(Default)]
pub struct InvoiceMutations;

#[Object]
impl InvoiceMutations {
    /// Computes a draft of everything due for an account; it can be computed again and has no number.
    async fn draft_invoice(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        account: ID,
        as_of: Option<Date>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<InvoicePayload> {
        let invoice = ids::key("invoice", &id);
        let account = ids::key("account", &account);
        let as_of = as_of.map(|date| date.0);
        let command = Command::DraftInvoice {
            invoice: invoice.clone(),
            account,
            as_of,
        };
        done(ctx, &idempotency_key, &invoice, command, dry_run).await
    }

    /// Numbers and freezes a draft, computed again with what happened since.
    async fn finalise_invoice(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        #[graphql(default)] dry_run: bool,
    ) -> Result<InvoicePayload> {
        let invoice = ids::key("invoice", &id);
        let command = Command::FinaliseInvoice {
            invoice: invoice.clone(),
        };
        done(ctx, &idempotency_key, &invoice, command, dry_run).await
    }

    /// Voids a document: it keeps its number, and its charges go to the next run.
    async fn void_invoice(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<InvoicePayload> {
        let invoice = ids::key("invoice", &id);
        let command = Command::VoidInvoice {
            invoice: invoice.clone(),
            reason,
        };
        done(ctx, &idempotency_key, &invoice, command, dry_run).await
    }

    /// Gives back parts of a finalised invoice by a credit note.
    async fn credit_invoice(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: CreditInvoiceInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<InvoicePayload> {
        if input.parts.is_empty() {
            return Err(errors::refused(
                "NOTHING_TO_CREDIT",
                "a credit note needs at least one line",
            ));
        }
        let note = ids::key("invoice", &input.id);
        let command = Command::CreditInvoice {
            note: note.clone(),
            invoice: ids::key("invoice", &input.invoice),
            parts: input
                .parts
                .into_iter()
                .map(|part| (part.line, part.amount.map(|amount| amount.0)))
                .collect(),
            reason: input.reason,
        };
        done(ctx, &idempotency_key, &note, command, dry_run).await
    }

    /// Gives up what is open of an invoice.
    async fn write_off_invoice(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<InvoicePayload> {
        let invoice = ids::key("invoice", &id);
        let command = Command::WriteOffInvoice {
            invoice: invoice.clone(),
            reason,
        };
        done(ctx, &idempotency_key, &invoice, command, dry_run).await
    }

    /// Takes a write-off back: the invoice is owed again.
    async fn reverse_write_off(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<InvoicePayload> {
        let invoice = ids::key("invoice", &id);
        let command = Command::ReverseWriteOff {
            invoice: invoice.clone(),
            reason,
        };
        done(ctx, &idempotency_key, &invoice, command, dry_run).await
    }
}
